# A worker that exits while Redis is away does not forget what was carried out.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(time);

# nginx reaches Redis by a wire that the tests can cut

our $redis = $ENV{TEST_NGINX_REDIS_PORT};
my $wired = free_port();

wire_start($wired, $redis);
Conflict::install('Test::Nginx::Socket');

master_on();
workers(1);

add_block_preprocessor(sub {
    my $block = shift;

    wire('pass');

    $block->set_value('http_config', 'conflict_store default redis://'
                      . "127.0.0.1:$wired timeout=500ms "
                      . ($block->store // '') . ";\n");
    $block->set_value('config', "location / {\n"
                      . "conflict version;\n"
                      . "conflict_idempotency on;\n"
                      . 'conflict_lease ' . ($block->lease // '60s') . ";\n"
                      . ($block->location // '')
                      . "proxy_pass http://api;\n"
                      . "proxy_read_timeout 20s;\n}\n"
                      . "location = /status { conflict_status json; }\n");
});

my $n = 0;

sub new_key { return sprintf 'key-%s-%016d', $$, ++$n }

# a POST, which only the first of its key may bring to the upstream

sub post {
    my ($key, $script) = @_;

    return start('POST', '/plain/orders', body => { item => 'lamp' },
                 headers => ["Idempotency-Key: $key",
                             'X-Up-Write: ' . ($script // 'status=599')]);
}

sub posts { return scalar grep { $_->{method} eq 'POST' } seen() }

# a worker that ends as soon as the request has, while Redis is away as said

sub end_worker {
    my ($key, $away) = @_;

    my $r = post($key, 'hold apply status=201 body=20');
    until_true { posts() == 1 };

    my ($old) = workers_of(master_pid());

    reload();
    wire($away);
    release();

    $r = finish($r);
    is($r->{status}, 201, 'the client has its response');

    return ($r, $old);
}

# a write that passes unchecked, as Redis is away; its base, the worker that
# has done it, and the time

sub unchecked {
    my ($v, $r);

    set_doc('/plain/1', { n => 1 });
    until_true { $v = version(GET('/plain/1')) };
    until_true { entry() =~ /^0/ };

    my ($old) = workers_of(master_pid());

    wire('cut');
    until_true { log_count(qr/is down/) };

    $r = PUT('/plain/1', { n => 2, base_version => $v });
    is($r->{status}, 204, 'passes');
    like(header($r, 'Conflict'), qr/^unchecked/, 'unchecked');

    return ($v, $old, time());
}

sub entry { redis($redis, 'GET', redis_key('/plain/1')) // '' }

# "seconds": until a worker that does not wait has exited

sub exited {
    my ($pid, $seconds) = @_;

    return until_true { !kill 0, $pid } $seconds;
}

run_tests();

__DATA__

=== what was carried out is kept once Redis is back
--- steps
my $key = new_key();
my ($first, $old) = end_worker($key, 'cut');

ok(!exited($old, 3), 'the worker waits');
wire('pass');
ok(exited($old), 'and exits then');

my $r;
until_true { $r = finish(post($key)); $r->{status} != 503 };
is("$r->{status} " . (header($r, 'Idempotent-Replayed') // '-'), '201 true',
   'the response is replayed');
is($r->{body}, $first->{body}, 'as it was');
is(posts(), 1, 'sent once');


=== also if Redis does not answer
--- steps
my $key = new_key();
my ($first, $old) = end_worker($key, 'mute');

until_true { log_count(qr/is down: timed out/) };
ok(!exited($old, 3), 'the worker waits');
wire('break');
ok(exited($old), 'and exits then');

my $r;
until_true { $r = finish(post($key)); $r->{status} != 503 };
is("$r->{status} " . (header($r, 'Idempotent-Replayed') // '-'), '201 true',
   'the response is replayed');
is(posts(), 1, 'sent once');


=== or is not known to be, if Redis stays away
--- lease: 500ms
--- steps
my $key = new_key();
my ($first, $old) = end_worker($key, 'cut');

ok(exited($old), 'the worker exits when the claim is over');
is(log_count(qr/did not get the outcome of a request/), 1, 'and says so');
is(json(GET('/status'))->{stores}[0]{unsettled}, 1, 'which is counted');

wire('pass');

my $r;
until_true { $r = finish(post($key)); $r->{status} == 409 };
is(json($r)->{error}, 'request_outcome_unknown', 'nobody knows it');
is(posts(), 1, 'it is not sent again');


=== a base from before an unchecked write is stale once Redis is back
--- store: failover=trust
--- location: conflict_store_error pass;
--- steps
my ($v, $old) = unchecked();

reload();
ok(!exited($old, 3), 'the worker waits');
wire('pass');
ok(exited($old), 'and exits then');

my $now;
until_true { $now = version(GET('/plain/1')) };
isnt($now, $v, 'it is another version');

my $r = PUT('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 409, 'of which a base from before is none');
is(json($r)->{server_version}{n}, 2, 'here is the unchecked write');
is(log_count(qr/could not be recorded/), 0, 'nothing was lost');


=== also after its lease, within the quarantine
--- store: failover=trust
--- lease: 1s
--- location
conflict_store_error pass;
conflict_quarantine 60s;
--- steps
my ($v, $old) = unchecked();

reload();
ok(!exited($old, 5), 'the worker waits');
wire('pass');
ok(exited($old), 'and exits then');

my $now;
until_true { $now = version(GET('/plain/1')) };
is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 409,
   'a base from before it is stale');


=== the same when nginx exits as a whole
--- store: failover=trust
--- location: conflict_store_error pass;
--- steps
my ($v, $old) = unchecked();
my $master = master_pid();

kill 'QUIT', $master;
ok(!exited($old, 3), 'the worker waits');
like(entry(), qr/^0/, 'nothing is known yet');
wire('pass');
ok(exited($master), 'and nginx exits then');
unlike(entry(), qr/^0/, 'the version is unknown');


=== a worker does not wait for longer than lease and quarantine
--- store: failover=trust
--- lease: 2s
--- location
conflict_store_error pass;
conflict_quarantine 4s;
--- steps
my ($v, $old, $start) = unchecked();

reload();
ok(exited($old), 'it exits, though Redis stays away');

# until the first attempt to connect after that has failed

my $time = time() - $start;
cmp_ok($time, '>', 5, 'not before');
cmp_ok($time, '<', 12, 'nor much later');
is(log_count(qr/could not be recorded: .*; it was unchecked, so bases/),
   1, 'and says what it means');
