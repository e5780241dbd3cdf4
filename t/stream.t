# The audit stream in Redis, in addition to the log: the log has each conflict
# once even if the stream fails, and no request waits for the stream.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Conflict::Many;
use Test::Nginx::Socket 'no_plan';

our $redis = $ENV{TEST_NGINX_REDIS_PORT};
our $stream = 'conflict:audit';

Conflict::install('Test::Nginx::Socket');
master_on();
workers(2);
worker_connections(512);

add_block_preprocessor(sub {
    my $block = shift;

    $redis = redis_start($redis) unless redis_pid($redis);

    $block->set_value('http_config', <<"END");
        keepalive_requests 100000;
        upstream fast { server 127.0.0.1:$ENV{TEST_NGINX_PORT2}; keepalive 32; }
        server {
            listen 127.0.0.1:$ENV{TEST_NGINX_PORT2};
            location / { return 200 '{}'; }
        }
        proxy_http_version 1.1;
        proxy_set_header Connection '';
END

    # lww makes a conflict of each stale write, with Redis and without

    $block->set_value('config', <<'END');
        location /stale/ {
            conflict version;
            conflict_latest off;
            proxy_pass http://fast;
        }
        location /lww/ {
            conflict lww;
            proxy_pass http://fast;
        }
        location = /status { conflict_status json; }
END
});

# writes of which each is a conflict; returns their ids, by answer

sub conflicting {
    my ($n, $path, $each) = @_;

    my (%status, @ids);
    my $left = $n;

    many(32, sub {
        return unless $left > 0;
        $left--;
        return { method => 'PUT', uri => $path . $left % 50,
                 body => qq({"n":$left,"base_version":1}) };
    }, sub {
        my ($request, $r) = @_;

        $status{$r->{status}}++;
        push @ids, json($r)->{conflict_id} if $r->{status} == 409;
        $each->() if $each;
    });

    return (\%status, \@ids);
}

# the lines of the log by their id, after they were looked at

sub logged {
    my ($n, $action) = @_;

    my @lines = conflicts();
    my %by = map { ($_->{conflict_id} // '') => $_ } @lines;

    is(scalar(@lines), $n, 'a line in the log for each');
    is(scalar(keys %by), $n, 'and not twice');
    is(scalar(grep { ($_->{action} // '') ne $action
                     || $_->{entity_id} !~ m!^/\w+/\d+$!
                     || $_->{base_version} ne '1' } @lines), 0,
       'with what it is about');

    return \%by;
}

sub streamed {
    my $entries = redis($::redis, 'XRANGE', $::stream, '-', '+');

    return map { json($_->[1][1]) } ref $entries ? @$entries : ();
}

sub dropped { json(GET('/status'))->{stores}[0]{stream_dropped} }

run_tests();

__DATA__

=== what is in the log is in the stream
--- steps
GET("/stale/$_") for 0 .. 49;

my ($status, $ids) = conflicting(1000, '/stale/');
is_deeply($status, { 409 => 1000 }, 'all are refused');

my $by = logged(1000, 'conflict_version');
is(scalar(grep { !$by->{$_} } @$ids), 0, 'under the ids of the answers');

my %streamed;
until_true { %streamed = map { $_->{conflict_id} => $_ } streamed();
             keys %streamed == 1000 };
is_deeply(\%streamed, $by, 'the same lines');
is(dropped(), 0, 'none was dropped');


=== trimmed, removed and refused, under 10,000 conflicts
--- steps
GET("/stale/$_") for 0 .. 49;

# by whoever reads it, by an operator, and by Redis, which has something else
# in its place in the end

my $n = 0;
my ($status, $ids) = conflicting(10000, '/stale/', sub {
    $n++;
    redis($::redis, 'XTRIM', $::stream, 'MAXLEN', 10) if $n == 2000;
    redis($::redis, 'DEL', $::stream) if $n == 3000 || $n == 4000;
    redis($::redis, 'SET', $::stream, 'x') if $n == 4000;
});

is_deeply($status, { 409 => 10000 }, 'each is refused, whatever becomes of it');

my $by = logged(10000, 'conflict_version');
is(scalar(grep { !$by->{$_} } @$ids), 0, 'under the ids of the answers');

my $dropped;
until_true { my $before = $dropped // -1; $dropped = dropped();
             $dropped >= 5000 && $dropped == $before };
cmp_ok($dropped, '>=', 5000, 'what was not added is counted');
cmp_ok($dropped, '<=', 7000, 'and nothing else');

my $lines = () = error_log()
                 =~ /a line was not added to the audit stream/g;
cmp_ok($lines, '>=', 1, 'the error log tells');
cmp_ok($lines, '<', 50, 'and not for each');

redis($::redis, 'DEL', $::stream);
($status) = conflicting(1, '/stale/');
ok(until_true { grep { !$by->{$_->{conflict_id}} } streamed() },
   'then it goes on');


=== stalled under 6,000 conflicts
--- steps
($_) = conflicting(50, '/lww/');
truncate servroot() . '/logs/conflict.log', 0;
until_true { scalar(streamed()) == 50 };
redis($::redis, 'DEL', $::stream);

# nothing is answered, and then it is

kill 'STOP', redis_pid($::redis);

my ($status) = conflicting(6000, '/lww/');
is_deeply($status, { 200 => 6000 }, 'all pass');

my $by = logged(6000, 'conflict_unchecked');
my %streamed;

kill 'CONT', redis_pid($::redis);
until_true { %streamed = (%streamed, map { $_->{conflict_id} => 1 }
                                         streamed());
             keys(%streamed) + (dropped() // 0) == 6000 };

is(keys(%streamed) + dropped(), 6000, 'each is added or counted');
cmp_ok(scalar(keys %streamed), '>', 500, 'some were kept');
cmp_ok(scalar(keys %streamed), '<', 5000, 'and not without end');
is(scalar(grep { !$by->{$_} } keys %streamed), 0, 'no other lines');


=== down under 3,000 conflicts
--- steps
redis_stop($::redis);

my ($status) = conflicting(3000, '/lww/');
is_deeply($status, { 200 => 3000 }, 'all pass');

my $by = logged(3000, 'conflict_unchecked');
my %streamed;

redis_start($::redis);
until_true { %streamed = map { $_->{conflict_id} => 1 } streamed();
             keys(%streamed) + (dropped() // 0) == 3000 };

is(keys(%streamed) + dropped(), 3000, 'each is added or counted');
is(scalar(grep { !$by->{$_} } keys %streamed), 0, 'no other lines');
