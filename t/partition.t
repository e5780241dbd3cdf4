# A host that is cut off from Redis while its writes are in flight: they end
# before others are let in.  Late calls to Redis do no harm.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);
use Test::Nginx::Socket 'no_plan';

# two hosts, as far as Redis can tell: one by a wire that can be cut

our $redis = $ENV{TEST_NGINX_REDIS_PORT};
my $wired = free_port();

wire_start($wired, $redis);
Conflict::install('Test::Nginx::Socket');
workers(1);
master_on();

# it takes connections, and never answers

our $sink = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1',
                                  LocalPort => 0, ReuseAddr => 1);
our $mute = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
                                  LocalPort => 0);

add_block_preprocessor(sub {
    my $block = shift;

    wire('pass');
    redis($redis, 'CONFIG', 'SET', 'maxmemory', 0);

    my $common = 'conflict ' . ($block->policy // 'version') . '%s;'
                 . 'conflict_wait 100ms; conflict_key $1;'
                 . 'conflict_lease ' . ($block->lease // '900ms') . ';'
                 . 'conflict_quarantine 400ms;';
    my $one = sprintf $common, ' store=wired';
    my $two = sprintf $common, '';
    my ($s, $m) = ($main::sink->sockport, $main::mute->sockport);

    # blocks that do not need so short a time have a longer one, for a machine
    # that is busy

    $block->set_value('http_config', ($block->http_config // '')
        . "conflict_store wired redis://127.0.0.1:$wired timeout="
        . ($block->timeout_store // '100ms') . " failover=trust;\n");
    $block->set_value('config', <<"END");
        location ~ ^/one(/.*) { $one proxy_pass http://api\$1; }
        location ~ ^/two(/.*) { $two proxy_pass http://api\$1; }
        location ~ ^/proxy(/.*) { $one proxy_pass http://127.0.0.1:$s; }
        location ~ ^/stream(/.*) {
            $one proxy_request_buffering off; proxy_pass http://127.0.0.1:$s;
        }
        location ~ ^/tls(/.*) { $one proxy_pass https://127.0.0.1:$s; }
        location ~ ^/fastcgi(/.*) { $one fastcgi_pass 127.0.0.1:$s; }
        location ~ ^/uwsgi(/.*) { $one uwsgi_pass 127.0.0.1:$s; }
        location ~ ^/scgi(/.*) { $one scgi_pass 127.0.0.1:$s; }
        location ~ ^/grpc(/.*) { $one grpc_pass 127.0.0.1:$s; }
        location ~ ^/name(/.*) {
            $one resolver 127.0.0.1:$m; resolver_timeout 20s;
            set \$host_name nobody.test; proxy_pass http://\$host_name;
        }
        location ~ ^/page(/.*) {
            $one proxy_pass http://127.0.0.1:$s;
            error_page 504 =418 \@page;
        }
        location \@page { return 418 page; }
        location = /status { conflict_status json; }
END
});

# A request has come to the sink, so its worker has read that it is leased.

our @arrived;

sub arrived {
    my ($kind) = @_;
    my $socket = $kind eq 'name' ? $mute : $sink;

    IO::Select->new($socket)->can_read(10) or die "$kind: nothing has come";

    if ($kind eq 'name') {
        $mute->recv(my $query, 512);

    } else {
        push @arrived, $sink->accept;
    }
}

# Redis can be reached by the wire

sub reached {
    my ($name) = @_;

    wire('pass');
    set_doc("/plain/$name", { n => 0 });
    until_true { version(GET("/one/plain/$name")) };
}

run_tests();

__DATA__

=== cut off, or without answers
--- steps
for my $mode ('cut', 'mute') {
    upstream('/_reset');
    set_doc('/plain/1', { n => 0 });

    my $v;
    until_true { $v = version(GET('/one/plain/1')) };

    my $slow = start('PUT', '/one/plain/1',
                     body => { n => 'A', base_version => $v },
                     headers => ['X-Up-Write: hold']);
    begun(1);
    wire($mode);

    # the pipe has its answer before anybody else is let in

    let_in($v, '/two/plain/1');
    ok(IO::Select->new($slow->{socket})->can_read(0), "$mode: over by then");
    is(finish($slow)->{status}, 504, "$mode: ended");

    wire('pass');
    release();

    is(scalar(overlapped()), 0, "$mode: no conflict");
    is(json(upstream('/_doc?path=/plain/1'))->{n}, 'B', "$mode: the other");
}


=== whatever the upstream is, and how far the write has come
--- timeout_store: 500ms
--- steps
for my $kind ('proxy', 'tls', 'fastcgi', 'uwsgi', 'scgi', 'grpc',
              'name', 'page')
{
    reached($kind);

    my $slow = start('PUT', "/$kind/x/$kind", body => { n => 'A' });

    arrived($kind);
    wire('cut');

    my $r = finish($slow);
    is($r->{status}, $kind eq 'page' ? 418 : 504, "$kind: ended");
    is($r->{body}, 'page', 'by its page') if $kind eq 'page';
}


=== a body that still comes from the client
--- timeout_store: 500ms
--- steps
reached('stream');

my $slow = start('PUT', '/stream/x/1',
                 headers => ['Content-Length: 100',
                             'Content-Type: image/png']);

arrived('stream');
wire('cut');
is(finish($slow)->{status}, 504, 'ended');


=== a renewal that was refused is not sent after the end of its write
--- lease: 900ms
--- timeout_store: 500ms
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/one/plain/1'));
my $slow = start('PUT', '/one/plain/1', body => { n => 1, base_version => $v },
                 headers => ['X-Up-Write: hold apply']);
begun(1);

redis($::redis, 'CONFIG', 'SET', 'maxmemory', 1);
until_true { error_log() =~ /rejected a call: OOM/ };
redis($::redis, 'CONFIG', 'SET', 'maxmemory', 0);
release();

my $r = finish($slow);
is($r->{status}, 204, 'done');

# it would be sent half a second after it was refused

my ($end, $bad, $n) = (time() + 1, 0, 0);

while (time() < $end) {
    $r = PUT('/one/plain/1', { n => $n++, base_version => version($r) || 1 });
    $bad++ if $r->{status} != 204;
}

is($bad, 0, 'the resource stays open');


=== a commit that finds another write let in, as Redis has lost the lease
--- lease: 10s
--- steps
for my $mode ('pass', 'mute') {
    upstream('/_reset');
    set_doc('/plain/1', { n => 0 });

    my $v;
    until_true { $v = version(GET('/one/plain/1')) };

    my $seen = overlapped();
    my $slow = start('PUT', '/one/plain/1',
                     body => { n => 'A', base_version => $v },
                     headers => ['X-Up-Write: hold apply']);
    begun(1);
    redis($::redis, 'DEL', 'conflict:{localhost/plain/1}');

    is(PUT('/two/plain/1', { n => 'B' })->{status}, 204, 'let in');

    wire($mode);
    release();
    is(finish($slow)->{status}, 204, "$mode: both are acknowledged");

    # the answer to the commit is lost, and it is sent again

    until_true { error_log() =~ /is down: timed out/ }
        if $mode eq 'mute';
    wire('pass');

    until_true { overlapped() > $seen };
    is(scalar(overlapped()), $seen + 1, "$mode: the log has it once");
    is((overlapped())[-1]{status}, 204, "$mode: with the status");
    is((overlapped())[-1]{entity}, '/one/*', "$mode: and the route");
}

my $count;
until_true {
    my ($route) = grep { $_->{location} =~ /one/ }
                  @{ json(GET('/status'))->{routes} };
    $count = $route->{actions}{conflict_overlapped} // 0;
    $count == 2;
};
is($count, 2, 'counted');
is(scalar(grep { /"conflict_overlapped"/ } map { @{ $_->[1] } }
          @{ redis($::redis, 'XRANGE', 'conflict:audit', '-', '+') }), 2,
   'in the stream');


=== a commit that comes twice does no harm to those that came between
--- lease: 10s
--- timeout_store: 1s
--- steps
set_doc('/plain/1', { n => 0 });

my $v;
until_true { $v = version(GET('/one/plain/1')) };

my $slow = start('PUT', '/one/plain/1',
                 body => { n => 'A', base_version => $v },
                 headers => ['X-Up-Write: hold apply']);
begun(1);
wire('mute');
release();

my $r = finish($slow);
is($r->{status}, 204, 'done');

for my $n (1 .. 3) {
    $r = PUT('/two/plain/1', { n => $n, base_version => version($r) });
    is($r->{status}, 204, 'the next one');
}

my $w = version($r);

until_true { error_log() =~ /is down: timed out/ };
wire('pass');
until_true { error_log() =~ /is up/ };
reached('again');

is(version(GET('/two/plain/1')), $w, 'its version stays');
is(PUT('/two/plain/1', { n => 9, base_version => $w })->{status}, 204,
   'and is the base');
is(scalar(overlapped()), 0, 'no conflict');


=== counts whose answer was lost are added once
--- allow: exited on signal 9
--- steps
# of the hash of all counts, those of writes that have passed

my $count = sub {
    my %total = @{ redis($::redis, 'HGETALL', 'conflict:{stats}:total') };
    my $sum = 0;

    $sum += $total{$_} for grep { /:1$/ } keys %total;
    return $sum;
};

my $put = sub {
    until_true { PUT('/one/plain/1', { n => 1 })->{status} =~ /^20/ };
};

for my $end ('the connection', 'the worker', 'a killed worker') {
    $put->();

    my $n = $count->();
    wire('mute');
    until_true { $count->() > $n };

    if ($end eq 'the connection') {
        sleep(2);

    } elsif ($end eq 'the worker') {
        reload();

    } else {
        my @old = workers_of(master_pid());
        kill 'KILL', @old;
        until_true {
            my @now = workers_of(master_pid());
            @now == 1 && $now[0] != $old[0];
        };
    }

    wire('pass');
    $put->();
    until_true { $count->() >= $n + 2 };
    sleep(2);
    is($count->(), $n + 2, "after $end");
}
