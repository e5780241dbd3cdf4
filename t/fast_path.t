# The fast path of the scripts in Redis: what takes it, that it leaves entries
# as the slow path does, and that it changes none that is not as expected.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

our $redis = $ENV{TEST_NGINX_REDIS_PORT};

# replies that come late

my $wired = free_port();

wire_start($wired, $redis);

Conflict::install('Test::Nginx::Socket');
master_on();
workers(1);

add_block_preprocessor(sub {
    my $block = shift;

    wire('pass');
    redis($redis, qw(ACL SETUSER default +@all));

    $block->set_value('http_config',
                      "conflict_store default redis://127.0.0.1:$wired"
                      . " timeout=30s failover=trust;\n")
        if $block->wired;

    $block->set_value('config', <<'END');
        location / {
            conflict version;
            proxy_pass http://api;
        }
        location = /op { conflict_test default; }
END
});

sub entry { [ split / /, redis($::redis, 'GET', redis_key(shift)) ] }

# calls of a command since CONFIG RESETSTAT

sub calls {
    my ($command) = @_;

    return redis($::redis, 'INFO', 'commandstats')
           =~ /cmdstat_$command:calls=(\d+)/ ? $1 : 0;
}

# scripts of the fast paths that do not ask for the time, as each that declines

sub declined {
    return calls('evalsha') - calls('time');
}

sub op {
    my ($name, $verb, %args) = @_;

    my $query = join '&', "name=$name", "do=$verb",
                map { "$_=$args{$_}" } sort keys %args;

    return json(GET("/op?$query"));
}

run_tests();

__DATA__

=== writes on the current version
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));

# a first write, since the first call on a connection checks the server

$v = version(PUT('/plain/1', { n => 1, base_version => $v }));

redis($::redis, 'CONFIG', 'RESETSTAT');

for (1 .. 20) {
    my $r = PUT('/plain/1', { n => $_, base_version => $v });

    is($r->{status}, 204, "write $_");
    cmp_ok(version($r), '>', $v, 'its version');
    $v = version($r);
}

# begin reads the clock, a commit on the fast path does not; once a second a
# call checks the server, on the slow path, and so does the commit of its begin

my $checks = calls('info') / 2;
my $clocks = calls('time');

cmp_ok($clocks, '>=', 20, 'each write reads the clock once');
cmp_ok($clocks, '<=', 20 + $checks, 'and no more');


=== reads of a free entry
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
is(version(GET('/plain/1')), $v, 'a version');

redis($::redis, 'CONFIG', 'RESETSTAT');

op("p$_", 'peek', key => 'none') for 1;

my $before = calls('time');

my $w = op('w', 'peek', key => 'none')->{version};
is($w, op('p1', 'peek', key => 'none')->{version}, 'the same');
is(op("r$_", 'peek', key => 'none')->{version}, $w, 'again') for 1 .. 20;

cmp_ok(calls('time') - $before, '<=', calls('info') / 2, 'without the clock');


=== an entry that a read makes
--- steps
set_doc($_, { n => 0 }) for '/plain/1', '/plain/2', '/plain/3';

# the first call on a connection checks the server, with the full script

version(GET('/plain/1'));
redis($::redis, 'CONFIG', 'RESETSTAT');

my $v = version(GET('/plain/2'));
my ($evalsha, $checks) = (calls('evalsha'), calls('info') / 2);

cmp_ok($evalsha, '<=', 2 + $checks, 'one call to look, one to note the body');

# what the full script makes

redis($::redis, 'SET', 'conflict:incarnation',
      redis($::redis, 'GET', 'conflict:incarnation') . ' ');
op('f', 'peek', key => '/none');
redis($::redis, 'SET', 'conflict:incarnation',
      redis($::redis, 'GET', 'conflict:incarnation') =~ s/ $//r);
op('g', 'peek', key => '/some');

my ($full, $fast) = (map { [ split / /, redis($::redis, 'GET', "conflict:{$_}") ] } '/none', '/some');

is(scalar(@$fast), scalar(@$full), 'as many words');
is($fast->[$_], $full->[$_], "word $_") for 0, 1, 4 .. 6, 8, 9, 11 .. 13;

for my $e ($fast, $full) {
    like($e->[$_], qr/^\d{13}$/, "word $_, a time") for 2, 3, 7;
    is($e->[7], $e->[2], 'the version is the fence');
    like($e->[10], qr/^\d{16}$/, 'a modification date');
}

my @ttl = map { redis($::redis, 'PTTL', "conflict:{$_}") } '/none', '/some';
cmp_ok(abs($ttl[0] - $ttl[1]), '<', 60000, 'they last as long');

is(op('g', 'peek', key => '/some')->{version}, $fast->[7], 'it is found');
is(PUT('/plain/2', { n => 1, base_version => $v })->{status}, 204,
   'a write on what was shown');


=== a fast path that declines is followed by the full script
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
$v = version(PUT('/plain/1', { n => 1, base_version => $v }));
until_true { entry('/plain/1')->[0] =~ /^0/ };

redis($::redis, 'CONFIG', 'RESETSTAT');

my $r = PUT('/plain/1', { n => 2, base_version => $v - 1 });
is($r->{status}, 409, 'a stale write is told by it');
is(version($r), $v, 'the version');
is(json($r)->{server_version}{n}, 1, 'the latest body');
cmp_ok(declined(), '>=', 1, 'the fast path was asked before');
cmp_ok(calls('time'), '>=', 1, 'and the full script');

# the incarnation is lost while the write is at the upstream

my $w = held('/plain/1', { n => 3, base_version => $v });
redis($::redis, 'SET', 'conflict:incarnation',
      redis($::redis, 'GET', 'conflict:incarnation') . ' ');
release();

$r = finish($w);
is($r->{status}, 204, 'the write');

until_true { entry('/plain/1')->[0] =~ /^0/ };
is(entry('/plain/1')->[7], version($r), 'its commit');
is(PUT('/plain/1', { n => 4, base_version => version($r) })->{status}, 204,
   'a write on it');


=== a client that is gone before its begin is declined
--- wired: 1
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
$v = version(PUT('/plain/1', { n => 1, base_version => $v }));
until_true { entry('/plain/1')->[0] =~ /^0/ };

wire('hold EVALSHA');

my $asked = declined();
my $w = start('PUT', '/plain/1', body => { n => 2, base_version => $v - 1 });
ok(until_true { declined() > $asked }, 'the fast path was asked');

close $w->{socket};
wire('pass');

is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 204,
   'the resource is free');
is(scalar(grep { $_->{path} eq '/plain/1' } journal()), 2,
   'what it has sent was not written');


=== a commit that is declined, and then rejected
--- allow: NOPERM|The user executing the script|could not be recorded
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
$v = version(PUT('/plain/1', { n => 1, base_version => $v }));
until_true { entry('/plain/1')->[0] =~ /^0/ };

my $w = held('/plain/1', { n => 2, base_version => $v });

# as if a read had changed the entry, so that the commit is declined

my $e = entry('/plain/1');
substr($e->[0], 10, 1, '1');
redis($::redis, 'SET', redis_key('/plain/1'), join ' ', @$e);
redis($::redis, qw(ACL SETUSER default -set));

release();
is(finish($w)->{status}, 204, 'the write was done');
ok(until_true { log_count(qr/could not be recorded/) }, 'the log tells');

redis($::redis, qw(ACL SETUSER default +set));
like(entry('/plain/1')->[0], qr/^1/, 'the resource stays closed');
like(PUT('/plain/1', { n => 3, base_version => $v })->{status}, qr/^(?:409|503)$/,
     'for a base from before it');
is(json(GET('/plain/1'))->{n}, 2, 'so it is not lost');


=== a commit that is declined after its reply, or its worker, was lost
--- wired: 1
--- allow: is down
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
$v = version(PUT('/plain/1', { n => 1, base_version => $v }));

for my $exits (0, 1) {
    until_true { entry('/plain/1')->[0] =~ /^0/ };

    my $w = held('/plain/1', { n => 2 + $exits, base_version => $v });
    my $e = entry('/plain/1');
    substr($e->[0], 10, 1, '1');
    redis($::redis, 'SET', redis_key('/plain/1'), join ' ', @$e);

    wire('hold EVALSHA');
    my $asked = declined();
    release();

    my $r = finish($w);
    is($r->{status}, 204, 'the write');
    ok(until_true { declined() > $asked }, 'its commit was declined');
    like(entry('/plain/1')->[0], qr/^1/, 'which is not known yet');

    if ($exits) {
        reload();
        wire('pass');

    } else {
        wire('break');
        wire('pass');
    }

    ok(until_true { entry('/plain/1')->[0] =~ /^0/ }, 'it is recorded');
    is(entry('/plain/1')->[7], $v = version($r), 'with its version');
}


=== both paths leave the same entry
--- steps
set_doc($_, { n => 0 }) for '/plain/1', '/plain/2';

my %v = map { $_ => version(GET($_)) } '/plain/1', '/plain/2';

for my $n (1 .. 3) {

    # with two tags all is compared in the slow path

    my $r = PUT('/plain/1', { n => $n }, qq(If-Match: "$v{'/plain/1'}"));
    is($r->{status}, 204, 'the fast path');
    $v{'/plain/1'} = version($r);

    $r = PUT('/plain/2', { n => $n }, qq(If-Match: "$v{'/plain/2'}", "5"));
    is($r->{status}, 204, 'the slow path');
    $v{'/plain/2'} = version($r);

    until_true { entry('/plain/1')->[0] =~ /^0/ && entry('/plain/2')->[0] =~ /^0/ };

    my ($fast, $slow) = (entry('/plain/1'), entry('/plain/2'));

    is(scalar(@$fast), scalar(@$slow), 'as many words');
    # whether both were written in the second of the write before
    substr($_->[0], 2, 1) = '-' for $fast, $slow;

    is($fast->[$_], $slow->[$_], "word $_") for 0, 1, 4, 5, 8, 9, 13;
    is($fast->[7], $v{'/plain/1'}, 'the version');
    is($fast->[7], $fast->[$_], 'and the fence') for 2, 6;
    like($fast->[3], qr/^\d{13}$/, 'when it was saved');
    like($fast->[10], qr/^\d{16}$/, 'a modification date');
    like($fast->[11], qr/^\d+$/, 'a fingerprint');
    is(length($fast->[12]), length($slow->[12]), 'the last settles');
    like($fast->[12], qr/^[0-9a-f]{16}0,/, 'this one first');

    my @ttl = map { redis($::redis, 'PTTL', redis_key($_)) } '/plain/1', '/plain/2';
    cmp_ok(abs($ttl[0] - $ttl[1]), '<', 60000, 'they last as long');
}


=== a commit of an entry that has changed meanwhile
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
$v = version(PUT('/plain/1', { n => 1, base_version => $v }));

my $w = held('/plain/1', { n => 2, base_version => $v });

# as if another write had ended beside it: the flag "overlap"

my $e = entry('/plain/1');
like($e->[0], qr/^1....10/, 'it is leased, by the fast path or not');

substr($e->[0], 6, 1, '1');
redis($::redis, 'SET', redis_key('/plain/1'), join ' ', @$e);

release();
is(finish($w)->{status}, 204, 'the write');

until_true { entry('/plain/1')->[0] !~ /^1/ };
like(entry('/plain/1')->[0], qr/^2/, 'the last of both is not known');


=== another incarnation while the client knows the old one
--- allow: is a new incarnation
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
$v = version(PUT('/plain/1', { n => 1, base_version => $v }));

my ($id) = (split / /, redis($::redis, 'GET', 'conflict:incarnation'))[1];
my $entry = join ' ', @{ entry('/plain/1') };

redis($::redis, 'DEL', 'conflict:incarnation');

my $r = PUT('/plain/1', { n => 2, base_version => $v });
is($r->{status}, 503, 'is held back');
isnt((split / /, redis($::redis, 'GET', 'conflict:incarnation'))[1], $id,
     'it is new');

# an entry of the old one, while the incarnation is that which is known

redis($::redis, 'SET', 'conflict:incarnation',
      redis($::redis, 'GET', 'conflict:incarnation') =~ s/^(\S+ \S+) \d+/$1 1/r);
$r = op('q', 'peek', key => 'other');
redis($::redis, 'SET', redis_key('/plain/1'), $entry);

$r = PUT('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 409, 'the version in the entry proves nothing');
is((grep { $_->{method} eq 'GET' && $_->{target} eq '/plain/1' } seen()), 2,
   'a GET of the module has shown what is current');


=== a begin that comes when its write has ended gets no lease
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
my ($begin, $cancel);

# once a second a call checks the server, on the slow path

until_true {
    my $m = redis_monitor($::redis);

    PUT('/plain/1', { n => 1, base_version => $v }, 'X-Up-Write: status=422');

    my @calls = grep { lc $_->[0] eq 'evalsha' } redis_commands($m);

    ($begin) = grep { @$_ == 12 } @calls;
    ($cancel) = grep { grep { $_ eq 'cancel' } @$_ } @calls;

    $begin && $cancel;
};

like(redis($::redis, @$begin), qr/!$/, 'one that was sent again');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204,
   'others may write');

# another write, whose cancel is first

$v = version(GET('/plain/1'));
$_->[5] = '0123456789abcdef' for $begin, $cancel;
$begin->[7] = $v;

redis($::redis, @$cancel);
like(redis($::redis, @$begin), qr/!$/, 'one that was overtaken');
is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 204,
   'others may write');
