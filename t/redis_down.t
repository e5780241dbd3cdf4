# The effects of a failing Redis on clients: the rows of the failure table.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Conflict::Many;
use Test::Nginx::Socket 'no_plan';

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
    $redis = redis_start($redis) unless redis_pid($redis);
    redis($redis, 'FLUSHALL');

    # a machine that is busy, as when other tests run, keeps these times; a
    # block that is about one of them has its own

    $block->set_value('http_config', 'conflict_store default redis://'
                      . "127.0.0.1:$wired timeout="
                      . ($block->timeout_store // '2s') . ' '
                      . ($block->store // '') . ";\n"
                      . ($block->http // ''));
    $block->set_value('steps', 'known(); ' . $block->steps)
        unless ($block->store // '') =~ /trust/;
    $block->set_value('config', "location / {\n"
                      . 'conflict ' . ($block->policy // 'version') . ";\n"
                      . 'conflict_lease ' . ($block->lease // '3s') . ";\n"
                      . 'conflict_quarantine '
                      . ($block->quarantine // '300ms') . ";\n"
                      . "conflict_wait 200ms;\n"
                      . ($block->location // '')
                      . "proxy_pass http://api;\n"
                      . 'proxy_read_timeout ' . ($block->patience // '20s')
                      . ";\n"
                      . "location /plain/direct {\n"
                      . 'conflict version' . ($block->http ? ' store=direct'
                                                           : '') . ";\n"
                      . "proxy_pass http://api;\n}\n}\n"

                      # the same by the wire

                      . "location ~ ^/wired(/.*) {\n"
                      . 'conflict ' . ($block->policy // 'version') . ";\n"
                      . "conflict_key \$1;\n"
                      . "conflict_wait 200ms;\n"
                      . 'conflict_lease ' . ($block->lease // '3s') . ";\n"
                      . 'conflict_quarantine '
                      . ($block->quarantine // '300ms') . ";\n"
                      . "proxy_pass http://api\$1;\n}\n"
                      . ($block->locks // ''));
});

# the server is known for long, else writes would be held back at first

sub known {
    redis($redis, qw(SET conflict:incarnation),
          substr(redis_info($redis, 'run_id'), 0, 8)
          . substr(redis_info($redis, 'master_replid'), 0, 8)
          . ' 0123456789abcdef 0 ' . int(1000 * time()));
}

sub refused {
    my ($r, $what) = @_;

    is($r->{status}, 503, "$what: 503");
    is(json($r)->{error}, 'store_unavailable', "$what: why");
    ok(header($r, 'Retry-After'), "$what: Retry-After");
}

run_tests();

__DATA__

=== not there at the start
--- steps
wire('cut');
set_doc('/plain/1', { n => 1 });

until_true { log_count(qr/is down/) };
is(log_count(qr/conflict store "default": 127.0.0.1:\d+ is down: /), 1,
   'one line of it');

refused(PUT('/plain/1', { n => 2, base_version => 5 }), 'a write');
refused(PUT('/plain/1', { n => 2 }), 'one without a base');

my $r = GET('/plain/1');
is($r->{status}, 200, 'a read passes');
is(header($r, 'Conflict'), 'unchecked', 'marked');
is(header($r, 'ETag'), undef, 'without a version');
is(scalar(journal()), 0, 'nothing came through');

wire('pass');
ok(settled('/plain/1'), 'works once it is there, without a reload');
is(log_count(qr/is up/), 1, 'one line of that');
is(log_count(qr/is down/), 1, 'and no more of the other');


=== lww passes, unchecked
--- policy: lww
--- steps
wire('cut');
set_doc('/plain/1', { n => 1 });
until_true { log_count(qr/is down/) };

my $r = PUT('/plain/1', { n => 2, base_version => 5 });
is($r->{status}, 204, 'passes');
like(header($r, 'Conflict'), qr/^unchecked/, 'marked');

my @log = conflicts();
is(scalar(@log), 1, 'logged');
is($log[0]{action}, 'conflict_unchecked', 'as what it is');


=== conflict_store_error pass
--- location
conflict_store_error pass;
--- steps
wire('cut');
set_doc('/plain/1', { n => 1 });
until_true { log_count(qr/is down/) };

my $r = PUT('/plain/1', { n => 2, base_version => 5 });
is($r->{status}, 204, 'passes');
like(header($r, 'Conflict'), qr/^unchecked/, 'marked');
is(scalar(journal()), 1, 'once');
is((conflicts())[0]{action}, 'conflict_unchecked', 'logged');


=== a base from before an unchecked write does not hold
--- policy: lww
--- lease: 5s
--- http eval
"conflict_store direct redis://127.0.0.1:$::redis;\n"
--- steps
set_doc('/plain/direct', { n => 1 });
my $v = settled('/plain/direct');

is(version(GET('/wired/plain/direct')), $v, 'shown by both');

wire('cut');
until_true { log_count(qr/is down/) };

my $r = PUT('/wired/plain/direct', { n => 2, base_version => $v },
            'X-Up-Write: apply status=204');
is($r->{status}, 204, 'passes');
like(header($r, 'Conflict'), qr/^unchecked/, 'marked');

is(PUT('/wired/plain/direct', { n => 3 }, 'X-Up-Write: status=422')
   ->{status}, 422, 'one that the API refuses');

wire('pass');
until_true { (version(GET('/plain/direct')) || $v) ne $v };

$r = PUT('/plain/direct', { n => 4, base_version => $v });
is($r->{status}, 409, 'a base from before it, once Redis can be reached');
is(json($r)->{server_version}{n}, 2, 'the write is there');

my $now = json($r)->{version};

sleep 1;
is(version(GET('/plain/direct')), $now, 'its version stays');
is(PUT('/plain/direct', { n => 4, base_version => $now })->{status}, 204,
   'and is a base');


=== nor one from before an unchecked MOVE, of either resource
--- policy: lww
--- lease: 5s
--- steps
my %v;

for my $name ('a', 'b') {
    set_doc("/plain/$name", { n => $name });
    until_true { $v{$name} = version(GET("/plain/$name")) };
}

wire('cut');
until_true { log_count(qr/is down/) };

is(http('MOVE', '/plain/a', headers => ['Destination: /plain/b'])->{status},
   204, 'passes');

wire('pass');
until_true { header(PUT('/plain/c', { n => 1 }), 'Conflict') =~ /^passed/ };

like(header(PUT("/plain/$_", { n => 'x', base_version => $v{$_} }),
            'Conflict'),
     qr/^overwrote/, "$_: is no longer what was shown") for 'b', 'a';


=== nor once Redis has refused calls for a moment
--- location
conflict_store_error pass;
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

# what the write leaves is refused, and is not told before the next write

redis($::redis, qw(CONFIG SET min-replicas-to-write 1));

my $r = PUT('/plain/1', { n => 2, base_version => $v });
like(header($r, 'Conflict'), qr/^unchecked/, 'a write passes unchecked');

redis($::redis, qw(CONFIG SET min-replicas-to-write 0));

$r = PUT('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 409, 'a base from before it');
is(json($r)->{server_version}{n}, 2, 'the write is there');


=== nor if Redis is away for longer than a lease lasts
--- policy: lww
--- lease: 100ms
--- quarantine: 100ms
--- steps
my $v;

set_doc('/plain/1', { n => 1 });
until_true { $v = version(GET('/plain/1')) };

wire('cut');
until_true { log_count(qr/is down/) };

is(PUT('/plain/1', { n => 2 })->{status}, 204, 'passes');
is(PUT('/plain/2', { n => 2 }, 'X-Up-Write: sleep=1 status=422')->{status}, 422,
   'some time later');

wire('pass');
until_true { (version(GET('/plain/1')) || $v) ne $v };

isnt(version(GET('/plain/1')), $v, 'a base from before it');
is(log_count(qr/could not be recorded/), 0, 'and it was recorded');


=== nor if a page with another status has replaced its response
--- policy: lww
--- lease: 5s
--- location
    proxy_intercept_errors on;
    error_page 500 =404 /none;
    error_page 422 =200 /page;
--- locks
    location = /none { root $TEST_NGINX_SERVER_ROOT/html; }
    location = /page { root $TEST_NGINX_SERVER_ROOT/html; }
--- user_files
>>> page
a page
--- allow: open\(\) ".*/none" failed
--- steps
my @v;

for my $n (1, 2) {
    set_doc("/plain/$n", { n => 1 });
    until_true { $v[$n - 1] = version(GET("/plain/$n")) };
}

wire('cut');
until_true { log_count(qr/is down/) };

is(PUT('/plain/1', { n => 2 }, 'X-Up-Write: apply status=500')->{status}, 404,
   'one that was done');
is(PUT('/plain/2', { n => 2 }, 'X-Up-Write: status=422')->{status}, 200,
   'one that the API refuses');

wire('pass');
until_true { (version(GET('/plain/1')) || $v[0]) ne $v[0] };

isnt(version(GET('/plain/1')), $v[0], 'a base from before the first');
is(version(GET('/plain/2')), $v[1], 'and from before the other');


=== killed, and started empty
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

redis_stop($::redis);
until_true { log_count(qr/is down/) };
refused(PUT('/plain/1', { n => 2, base_version => $v }), 'meanwhile');

redis_start($::redis);

my $r;
until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 409, 'the base is not known any more');
is(json($r)->{server_version}{n}, 0, 'here is the latest');
cmp_ok(json($r)->{version}, '>', $v, 'under a new version');
is(PUT('/plain/1', { n => 4, base_version => json($r)->{version} })->{status},
   204, 'from which it goes on');
is(scalar(grep { $_->{body} =~ /"n":[234]/ } journal()), 1, 'one write');


=== killed while a write is in flight
--- lease: 4s
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

my $w = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);

redis_stop($::redis);
redis_start($::redis);

my $r;
until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} =~ /^(503|409)$/ && json($r)->{error} ne 'store_unavailable';
};

# the second, once the first has renewed its lease there

like(json($r)->{error}, qr/^(outcome_unknown|write_in_progress)$/,
     'another waits');

release();
is(finish($w)->{status}, 204, 'the first is done');

until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 409, 'the other is stale');
is(json($r)->{server_version}{n}, 2, 'and sees the first');


=== stopped, and continued
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

kill 'STOP', redis_pid($::redis);
refused(PUT('/plain/1', { n => 2, base_version => $v }), 'meanwhile');
until_true { log_count(qr/is down: timed out/) };

refused(PUT('/plain/1', { n => 2, base_version => $v }), 'the breaker');
is(header(GET('/plain/1'), 'Conflict'), 'unchecked', 'reads pass');

kill 'CONT', redis_pid($::redis);

my $r;
until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 204, 'works again, and nothing was forgotten');
is(scalar(grep { $_->{body} =~ /"n":[23]/ } journal()), 1, 'one write');


=== a worker killed while its write is at the upstream
--- lease: 4s
--- allow: exited on signal 9
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

my $w = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);

my @old = workers_of(master_pid());
kill 'KILL', @old;
is(finish($w)->{status}, 0, 'the client has no answer');
until_true { my @now = workers_of(master_pid()); @now && $now[0] != $old[0] };

my $r;
until_true { $r = PUT('/plain/2', { n => 1 }); $r->{status} == 201 };
is($r->{status}, 201, 'other resources go on');

$r = PUT('/plain/1', { n => 3, base_version => $v });
like(json($r)->{error}, qr/^(outcome_unknown|write_in_progress)$/,
     'this one waits');

release();
applied($before + 2);
until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503 && json($r)->{error} ne 'write_in_progress';
};

is($r->{status}, 409, 'then the write is found');
is(json($r)->{server_version}{n}, 2, 'as it landed');
is(scalar(grep { $_->{body} =~ /"n":3/ } journal()), 0,
   'nobody wrote over it');


=== flushed while a write is in flight
--- lease: 2s
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

my $w = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);
redis($::redis, 'FLUSHALL');

my $r = PUT('/plain/1', { n => 3, base_version => $v });
like(json($r)->{error}, qr/^(outcome_unknown|write_in_progress)$/,
     'another waits');

release();
is(finish($w)->{status}, 204, 'the first is done');

until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 409, 'the other is stale');
is(json($r)->{server_version}{n}, 2, 'and sees the first');
ok(log_count(qr/is a new incarnation \(first use, restart, replacement, flush/),
   'the log tells');


=== a single entry is evicted
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

redis($::redis, 'DEL', 'conflict:{localhost/plain/1}');

my $r = PUT('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 409, 'not accepted from nothing');
is(json($r)->{server_version}{n}, 0, 'here is the latest');


=== the scripts are flushed
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

for my $n (1 .. 3) {
    redis($::redis, 'SCRIPT', 'FLUSH');
    my $r = PUT('/plain/1', { n => $n, base_version => $v });
    is($r->{status}, 204, 'works');
    $v = version($r);
}


=== a failover that lost the last commits
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
until_true { redis($::redis, 'GET', 'conflict:{localhost/plain/1}') =~ /^0/ };

my %old = map { $_ => redis($::redis, 'GET', $_) } @{ redis($::redis, 'KEYS', '*') };

my $r = PUT('/plain/1', { n => 2, base_version => $v });
is($r->{status}, 204, 'acknowledged');

redis_stop($::redis);
redis_start($::redis);
redis($::redis, 'SET', $_, $old{$_}) for keys %old;

until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503;
};

is($r->{status}, 409, 'nobody writes over it');
is(json($r)->{server_version}{n}, 2, 'it is there');


=== a commit that comes to the successor opens nothing
--- timeout_store: 1s
--- lease: 2s
--- quarantine: 1s
--- http eval
"conflict_store direct redis://127.0.0.1:$::redis;\n"
--- steps
set_doc('/plain/direct', { n => 1 });
my $v = settled('/plain/direct');
my $key = 'conflict:{localhost/plain/direct}';
my $before = journal();

# by the wire, which is to lose the answer to its commit

my $a = start('PUT', '/wired/plain/direct',
              body => { a => 1, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);

my %old = map { $_ => redis($::redis, 'GET', $_) } $key, 'conflict:incarnation';

wire('mute');
release();

my $r = finish($a);
is($r->{status}, 204, 'acknowledged');
until_true { redis($::redis, 'GET', $key) =~ /^0/ };

# the other proxy begins on that

my $b = start('PUT', '/plain/direct', body => { b => 1,
                                                base_version => version($r) },
              headers => ['X-Up-Write: hold apply']);
begun($before + 2);

# the successor knows only of the first lease

redis_stop($::redis);
redis_start($::redis);
redis($::redis, 'SET', $_, $old{$_}) for keys %old;
wire('pass');

# for longer than lease and quarantine, since the second one keeps its lease

my $c;
until_true { $c = PUT('/wired/plain/direct', { c => 1,
                                               base_version => version($r) });
             $c->{status} != 503 } 5;

release();
$b = finish($b);

isnt("$b->{status} $c->{status}", '204 204', 'two writes on one base');


=== a master that was a replica for a while, under an idle connection
--- steps
set_doc('/plain/1', { n => 1 });

my $replica = redis_start(undef, '--replicaof', "127.0.0.1 $::redis",
                          '--repl-diskless-sync-delay', '0');
until_true { redis_info($replica, 'master_link_status') eq 'up' };

# with its first replica a server gets another replication id

known();

my $v = settled('/plain/1');
GET('/plain/1');
until_true { (redis($replica, 'GET', 'conflict:{localhost/plain/1}') // '')
             eq redis($::redis, 'GET', 'conflict:{localhost/plain/1}') };

# the replica misses a write that is acknowledged

kill 'STOP', redis_pid($replica);
redis($::redis, qw(CLIENT KILL TYPE replica));
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204, 'a write');
my $end = time() + 2;
kill 'CONT', redis_pid($replica);
redis($replica, qw(REPLICAOF NO ONE));
redis($::redis, 'REPLICAOF', '127.0.0.1', $replica);
until_true { redis_info($::redis, 'master_link_status') eq 'up' };
until_true { time() > $end };
redis($::redis, qw(REPLICAOF NO ONE));

my $r;
until_true { $r = PUT('/plain/1', { n => 3, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 409, 'it has forgotten, and knows that it may have');
redis_stop($replica);


=== a living server gets another replication id
--- http eval
"conflict_store direct redis://127.0.0.1:$::redis;\n"
--- steps
set_doc("/plain/$_", { n => 1 }) for '1', 'direct';
my %v = map { settled("/plain/$_"); $_ => version(GET("/plain/$_")) }
        '1', 'direct';

# one connection is from before, the other from after; nothing was lost, but
# only the second can know

my %ids;
my $id = sub { (split / /, redis($::redis, 'GET', 'conflict:incarnation'))[1] };
my $before = $id->();

redis($::redis, qw(DEBUG CHANGE-REPL-ID));
wire('break');

for my $n (1 .. 3) {
    for my $path ('1', 'direct') {
        my $r;

        until_true {
            $r = PUT("/plain/$path", { n => $n, base_version => $v{$path} });
            $r->{status} != 503;
        };

        is($r->{status}, 204, "write $n to $path");
        $v{$path} = version($r);
        $ids{$id->()} = 1;
    }
}

is(scalar(keys %ids), 1, 'they agree on one incarnation');
ok(!$ids{$before}, 'a new one');


=== failover=trust believes it
--- store
failover=trust
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
until_true { redis($::redis, 'GET', 'conflict:{localhost/plain/1}') =~ /^0/ };

my %old = map { $_ => redis($::redis, 'GET', $_) } @{ redis($::redis, 'KEYS', '*') };

redis_stop($::redis);
redis_start($::redis);
redis($::redis, 'SET', $_, $old{$_}) for keys %old;

until_true { GET('/plain/1'); log_count(qr/is up/) };
is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 204,
   'the base still holds, at once');


=== the answer to begin is lost
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

wire('mute');
refused(PUT('/plain/1', { n => 2, base_version => $v }), 'not forwarded');
is(scalar(journal()), $before, 'the upstream has not seen it');

wire('cut');
wire('pass');

my $r;
until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503;
};
is($r->{status}, 204, 'the lease was given back');


=== the answer to commit is lost
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

my $w = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);
wire('mute');
release();

my $r = finish($w);
is($r->{status}, 204, 'the client has its answer');
my $next = version($r);

until_true { log_count(qr/is down/) };
wire('cut');
wire('pass');

until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503;
};
is($r->{status}, 409, 'what it has written is not written over');
is(json($r)->{version}, $next, 'the commit was sent again');
is(PUT('/plain/1', { n => 4, base_version => $next })->{status}, 204,
   'its own base holds');


=== the connection breaks between two writes
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

wire('break');

my $r = PUT('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 204, 'nobody notices');


=== slow, and byte by byte
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

for my $mode ('slow 60', 'slice') {
    wire($mode);
    my $r = PUT('/plain/1', { n => 3, base_version => $v });
    is($r->{status}, 204, $mode);
    $v = version($r);
}

is(log_count(qr/is down/), 0, 'that is no failure');


=== what is not Redis
--- locks
location = /status { conflict_status json; }
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

wire('say HTTP/1.1 400 Bad Request\r\n\r\n');
like(json(http('GET', '/status'))->{stores}[0]{error},
     qr/got "H" as reply type/, 'the dashboard says so');

for my $text ('HTTP/1.1 400 Bad Request\r\n\r\n', '$5\r\nhello\r\n',
              '*-1\r\n', ':1\r\n', '*1000000000\r\n', '$-1\r\n',
              '$999999999999999999999\r\n', '-\r\n', '\r\n', '+OK\r\n',
              '+OK\r\n+OK\r\n', '$-1\r\n*1\r\n:1\r\n', '*0\r\n*-1\r\n')
{
    wire("say $text");
    my $r = PUT('/plain/1', { n => 2, base_version => $v });
    is($r->{status}, 503, "503: $text");
}

is(scalar(journal()), $before, 'nothing was forwarded');
is(log_count(qr/exited on signal/), 0, 'the worker lives');

wire('cut');
wire('pass');

my $r;
until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503;
};
is($r->{status}, 204, 'works again');


=== a reply to another call
--- steps
set_doc("/plain/$_", { n => 1 }) for 1 .. 2;
my $v = settled('/plain/1');
my $w = settled('/plain/2');
my $before = journal();

wire('swap');
PUT('/plain/1', { n => 2, base_version => $v });
my $r = PUT('/plain/2', { n => 2, base_version => $w });

is($r->{status}, 503, 'not believed');
is(scalar(journal()), $before, 'nothing was forwarded');
until_true { log_count(qr/another call|timed out/) };
ok(log_count(qr/another call|timed out/), 'the connection was closed');


=== an answer that its script cannot give
--- policy: merge
--- location: conflict_idempotency on;
--- locks
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock get=off;
    }
    location ~ ^(?<resource>/.*)/versions$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_versions;
    }
    location = /inbox {
        conflict_user $http_x_user;
        conflict_inbox;
    }
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $n = 0;

for my $text (' ', ' 0', ' 1 0', ' 0 0 0 0 0 ', ' 0 1 0 0 0 ',
              ' 0 0 0 0 1 ', ' 0 0 0 0 1 1 1 1 1 1 1 1 1 ', ' - - - - - -',
              ' 18446744073709551615' x 5 . ' ', ' 0' x 40, ' 0' x 40 . ' ',
              ' 1' x 40 . ' ', ' 0 0 0 0 1 0 0 0 0 0 0 0 0 ', ' x' x 20)
{
    wire('answer ' . $text =~ s/ /\\x20/gr);

    my @as = (headers => ['X-User: ann']);

    my @status = map { $_->{status} }
                 PUT('/plain/1', { n => 2, base_version => $v }),
                 PUT('/plain/1', { n => 2, base_version => $v },
                     headers => ['Idempotency-Key: ' . 'k' x 20 . ++$n]),
                 http('POST', '/plain/1', body => { n => 2 },
                      headers => ['Idempotency-Key: ' . 'k' x 20 . ++$n]),
                 GET('/plain/1'),
                 http('POST', '/plain/1/lock', @as),
                 http('GET', '/plain/1/lock', @as),
                 http('GET', '/plain/1/versions', @as),
                 http('GET', '/inbox', @as),
                 http('GET', '/inbox?id=' . '0' x 32, @as);

    is(scalar(grep { !$_ } @status), 0, "answered: $text");
}

is(log_count(qr/exited on signal/), 0, 'the worker lives');


=== a server that is not one of a cluster
--- http
    conflict_store direct redis://127.0.0.1:$TEST_NGINX_REDIS_PORT cluster;
--- steps
refused(PUT('/plain/direct', { n => 1 }), 'a write');
refused(PUT('/plain/direct', { n => 1 }), 'the next one');

is(scalar(journal()), 0, 'nothing was forwarded');
like(error_log(), qr/"direct": .* is down: the server is not one of a cluster/,
     'why');


=== what Redis refuses
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

my @how = (
    [ 'OOM', [qw(CONFIG SET maxmemory 1)], [qw(CONFIG SET maxmemory 0)] ],
    [ 'NOREPLICAS', [qw(CONFIG SET min-replicas-to-write 1)],
      [qw(CONFIG SET min-replicas-to-write 0)] ],
    [ 'NOPERM', [qw(ACL SETUSER default -evalsha)],
      [qw(ACL SETUSER default +evalsha)] ],
    [ 'WRONGTYPE', [qw(RENAME conflict:{localhost/plain/1} kept)],
      [qw(DEL conflict:{localhost/plain/1})] ],
    [ 'READONLY', [qw(REPLICAOF 127.0.0.1 1)], [qw(REPLICAOF NO ONE)] ],
);

for my $how (@how) {
    my ($name, $on, $off) = @$how;

    redis($::redis, @$on);
    redis($::redis, 'LPUSH', 'conflict:{localhost/plain/1}', 1) if $name eq 'WRONGTYPE';

    refused(PUT('/plain/1', { n => 2, base_version => $v }), $name);

    redis($::redis, @$off);
    redis($::redis, qw(RENAME kept conflict:{localhost/plain/1}))
        if $name eq 'WRONGTYPE';
}

is(scalar(journal()), $before, 'nothing was forwarded');
like(error_log(), qr/conflict store "default": .* rejected a call: OOM/,
     'the log quotes it');
like(error_log(), qr/is down: READONLY/, 'and why it was left');

my $r;
until_true {
    $r = PUT('/plain/1', { n => 3, base_version => version(GET('/plain/1')) });
    $r->{status} == 204;
};
is($r->{status}, 204, 'works again');


=== whatever else it says is no leave to write
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

# by itself: a script that does not end, and a password from now on

my $busy = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                 PeerPort => $::redis);
redis($::redis, qw(CONFIG SET busy-reply-threshold 1));
print $busy "EVAL \"while true do end\" 0\r\n";
$busy->flush;
until_true { redis($::redis, 'PING') =~ /^BUSY/ };
refused(PUT('/plain/1', { n => 2, base_version => $v }), 'BUSY');
redis($::redis, qw(SCRIPT KILL));
redis($::redis, qw(CONFIG SET busy-reply-threshold 5000));
like(error_log(), qr/rejected a call: BUSY/, 'the log quotes it');

redis($::redis, qw(CONFIG SET requirepass sesame));
wire('break');
until_true { log_count(qr/is down: /) };
refused(PUT('/plain/1', { n => 2, base_version => $v }), 'NOAUTH');

my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $::redis);
print $s "AUTH sesame\r\nCONFIG SET requirepass \"\"\r\n";
$s->flush;
readline($s) for 1 .. 2;
$v = settled('/plain/1');

# and what takes too long to bring about

for my $text ('LOADING Redis is loading the dataset in memory',
              'MASTERDOWN Link with MASTER is down',
              'MISCONF Redis is configured to save RDB snapshots',
              'CROSSSLOT Keys in request',
              'CLUSTERDOWN Hash slot not served',
              'MOVED 1 127.0.0.1:1', 'ASK 1 127.0.0.1:1', 'TRYAGAIN later',
              'UNKILLABLE Sorry', 'EXECABORT', 'WRONGPASS', 'ERR')
{
    my ($code) = $text =~ /^(\w+)/;

    wire("say -$text\\r\\n");
    refused(PUT('/plain/1', { n => 2, base_version => $v }), $code);
    wire('cut');
    wire('pass');
    $v = settled('/plain/1');
}

is(scalar(grep { $_->{body} =~ /"n":2/ } journal()), 0,
   'nothing was forwarded');
like(error_log(), qr/is down: $_/, "why it was left: $_")
    for 'LOADING', 'MASTERDOWN';
is(log_count(qr/exited on signal/), 0, 'the worker lives');


=== a server that greets and does not answer
--- timeout_store: 500ms
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

my $told = sub { map { log_count(qr/is $_/) } qw(down up) };
my @before = $told->();

redis($::redis, qw(CLIENT PAUSE 60000 WRITE));
my $n = grep { PUT('/plain/1', { n => 2, base_version => $v })->{status} == 503
             } 1 .. 100;
my ($down, $up) = $told->();
redis($::redis, qw(CLIENT UNPAUSE));

is($n, 100, 'each is refused');
cmp_ok($down - $before[0], '<=', 2, 'it is told once, not for each');
is($up, $before[1], 'nor is it up since it greets');

my $r;
until_true { $v = version(GET('/plain/1'));
             $r = PUT('/plain/1', { n => 3, base_version => $v || 1 });
             $r->{status} == 204 };
until_true { log_count(qr/is up/) > $up };
is(log_count(qr/is up/), $up + 1, 'but once it answers');


=== an answer that comes when half of the lease is over
--- lease: 1s
--- quarantine: 0
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

wire('slow 700');
refused(PUT('/plain/1', { n => 2, base_version => $v }), 'too late');
wire('pass');
is(scalar(journal()), $before, 'nothing was forwarded');

my $r;
until_true { $r = PUT('/plain/1', { n => 2, base_version => $v });
             $r->{status} != 503 };
is($r->{status}, 204, 'its lease was given back');


=== a quarantine that is longer than ttl
--- store: ttl=1m
--- quarantine: 10m
--- patience: 200ms
--- steps
set_doc('/plain/1', { n => 1 });

my $w = start('PUT', '/plain/1', body => { n => 3 },
              headers => ['X-Up-Write: hold apply']);
is(finish($w)->{status}, 504, 'nobody knows');
until_true { redis($::redis, 'GET', 'conflict:{localhost/plain/1}') =~ /^2/ };
cmp_ok(redis($::redis, 'PTTL', 'conflict:{localhost/plain/1}'), '>', 500000,
       'it is not forgotten before');
release();


=== what the stream cannot take leaves room for what holds a resource
--- policy: lww
--- lease: 60s
--- steps
set_doc('/plain/1', { n => 1 });
until_true { PUT('/plain/1', { n => 1 })->{status} == 204 };
my $before = journal();

my $w = start('PUT', '/plain/1', body => { n => 2 },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);

redis_stop($::redis);
until_true { log_count(qr/is down/) };

# before the lease ends, and before the first line is given up

my $n = 0;
my $body = '{"n":1,"base_version":5}';
many(16, sub { $n++ < 2100 ? { method => 'PUT', uri => '/plain/2',
                               body => $body }
                           : undef }, sub { });

my $lines = log_count(qr/audit stream: too many calls wait for the server, \d+ in this process so far/);
cmp_ok($lines, '>=', 1, 'it is told that lines are lost');
cmp_ok($lines, '<=', 3, 'not for each');

release();
finish($w);
is(log_count(qr/could not be recorded/), 0, 'the commit is kept');
redis_start($::redis);


=== as many as are kept in mind leave room for what holds a resource
--- lease: 60s
--- locks
    location /fast/ {
        conflict lww;
        conflict_lease 60s;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/none/;
    }
    location /none/ { return 204; }
    location = /status { conflict_status json; }
--- steps
set_doc('/plain/1', { n => 1 });
until_true { PUT('/plain/1', { n => 1 })->{status} == 204 };
my $before = journal();

my $w = start('PUT', '/plain/1', body => { n => 2 },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);

redis_stop($::redis);
until_true { log_count(qr/is down/) };

# it connects again at once: a call in between waits for that, and takes the
# place of what would take it back

is(version(GET('/plain/1')), undef, 'this connection has failed as well');

# 7/8 of 4096 places are for such writes; while half are free, each has a line
# of the audit stream as well: 1024 have one, unless these are given up in the
# meantime

my ($n, $passed) = (0, 0);
my $room = 4096 / 8 * 7;

many(16, sub { $n++ < 3700 ? { method => 'PUT', uri => "/fast/$n",
                               body => '{}' }
                           : undef },
     sub { $passed += ($_[1]{status} == 204) });
is($passed, 3700, 'they pass');

my $unsettled = json(GET('/status'))->{stores}[0]{unsettled};

cmp_ok($unsettled, '>=', 3700 - $room, 'of some Redis does not hear');
cmp_ok($unsettled, '<=', 3700 - $room + 1024, 'of the others it does');
like(error_log(), qr/could not be recorded: too many calls wait for the server; it was unchecked, so bases from before it still hold/,
     'which is logged');

release();
is(finish($w)->{status}, 204, 'the one with a lease passes as well');
is(json(GET('/status'))->{stores}[0]{unsettled}, $unsettled, 'and has a place');

redis_start($::redis);


=== thousands of calls that it refuses, and accepts later
--- locks
    location /fast/ {
        conflict lww;
        conflict_lease 60s;
        proxy_pass http://127.0.0.1:$TEST_NGINX_SERVER_PORT/none/;
    }
    location /none/ { return 204; }
--- steps
my $last = 1000;
my $put = sub {
    my ($n, $passed) = (0, 0);

    many(16, sub { $n++ < $last ? { method => 'PUT', uri => "/fast/$n",
                                    body => '{}' }
                                : undef },
         sub { $passed += ($_[1]{status} == 204) });
    return $passed;
};
my $calls = sub {
    redis($::redis, qw(INFO commandstats)) =~ /cmdstat_evalsha:calls=(\d+)/;
    return $1;
};
my $told = sub {
    return scalar grep { redis($::redis, 'GET', "conflict:{localhost/fast/$_}")
                         =~ /^2/ } 1 .. $last;
};

until_true { PUT('/fast/1', {})->{status} == 204 };
is($put->(), $last, 'Redis knows of each');
until_true { $told->() == 0 };

redis($::redis, qw(CONFIG SET maxmemory 1));
is($put->(), $last, 'these pass unchecked');

my $before = $calls->();
sleep(2);
cmp_ok($calls->() - $before, '>', 10, 'it is asked again');
cmp_ok($calls->() - $before, '<', 100, 'with few calls, not with all');

redis($::redis, qw(CONFIG SET maxmemory 0));
my $start = time();
until_true { $told->() == $last };
cmp_ok(time() - $start, '<', 5, 'it is told of all once it accepts one');


=== a read after a write, by another proxy
--- policy: version store=other
--- http eval
"conflict_store direct redis://127.0.0.1:$::redis;\n"
. "conflict_store other redis://127.0.0.1:$::redis;\n"
--- steps
set_doc('/plain/direct', { n => 1 });
my $v = settled('/plain/direct');
my $old = 0;

for my $n (1 .. 100) {
    my $r = PUT('/wired/plain/direct', { n => $n, base_version => $v });
    $v = version(GET('/plain/direct'));
    $old++ if $v != version($r);
}

# a server that is busy may serve two connections in the other order

cmp_ok($old, '<=', 3, 'shows its version');


=== a server that is slow, and answers
--- lease: 20s
--- steps
set_doc("/plain/$_", { n => 0 }) for 1 .. 12;

is(PUT('/plain/1', { n => 1 })->{status}, 204, 'it answers');

wire('pace 200');

# the last reply comes later than "timeout", none so long after the one before

my @writes = map { start('PUT', "/plain/$_", body => { n => 2 }) } 1 .. 12;

is(finish($_)->{status}, 204, 'a write passes') for @writes;
is(log_count(qr/timed out/), 0, 'no call has timed out');


=== a server that answers, and is too slow
--- timeout_store: 500ms
--- lease: 20s
--- steps
set_doc("/plain/$_", { n => 0 }) for 1 .. 40;

is(patient_put("/plain/$_", { n => 1 })->{status}, 204, 'it answers')
    for 1 .. 40;
my $late = log_count(qr/timed out/);

wire('pace 200');

# no silence is longer than "timeout", but the last reply would take 16 of them

my @writes = map { start('PUT', "/plain/$_", body => { n => 2 }) } 1 .. 40;
my @status = map { finish($_)->{status} } @writes;

is(scalar(grep { $_ != 204 && $_ != 503 } @status), 0, 'no other status');
ok((grep { $_ == 204 } @status) > 0, 'some writes pass');
ok((grep { $_ == 503 } @status) > 0, 'some are given up');
cmp_ok(log_count(qr/timed out/), '>', $late, 'the log tells');


=== wait=1 and no replica
--- timeout_store: 1s
--- store
wait=1
--- steps
set_doc('/plain/1', { n => 1 });

my $r = PUT('/plain/1', { n => 2 });
refused($r, 'a write that no replica has heard of');
is(scalar(journal()), 0, 'nothing was forwarded');
like(error_log(), qr/too few replicas have it/, 'the log tells');

PUT('/plain/1', { n => 2 }) for 1 .. 10;
is(log_count(qr/is down/), 0, 'it is not down');
is(log_count(qr/could not be recorded/), 0, 'and there was nothing to note');

my $replica = redis_start(undef, '--replicaof', "127.0.0.1 $::redis",
                          '--repl-diskless-sync-delay', '0');

until_true { redis($replica, 'INFO') =~ /master_link_status:up/ };
until_true { $r = PUT('/plain/1', { n => 3 }); $r->{status} == 204 };
is($r->{status}, 204, 'passes with one');
is(redis($replica, 'GET', 'conflict:{localhost/plain/1}') ? 1 : 0, 1,
   'that has the lease');
redis_stop($replica);


=== reloads leave nothing open
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');

for my $n (1 .. 3) {
    reload('until they are gone');

    my $r = PUT('/plain/1', { n => $n, base_version => $v });
    is($r->{status}, 204, 'the base holds over a reload');
    $v = version($r);
}

unlike(error_log(), qr/open socket/, 'no socket is left open');


=== a worker that Redis owes nothing does not stay for its timeout
--- timeout_store: 60s
--- steps
set_doc('/plain/1', { n => 1 });
settled('/plain/1');

my ($old) = workers_of(master_pid());

reload();
ok(until_true { !grep { $_ == $old } workers_of(master_pid(), 1) }, 'it exits');


=== a commit that is on its way when the worker leaves
--- steps
set_doc('/plain/1', { n => 1 });
my $v = settled('/plain/1');
my $before = journal();

my @old = workers_of(master_pid());
my $w = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);

kill 'HUP', master_pid();
until_true { my @now = workers_of(master_pid()); @now && $now[0] != $old[0] };
release();

my $r = finish($w);
is($r->{status}, 204, 'done');
until_true { my %now = map { $_ => 1 } workers_of(master_pid(), 1);
             !grep { $now{$_} } @old };
is(PUT('/plain/1', { n => 3, base_version => version($r) })->{status}, 204,
   'its version is current at once');


=== a lock whose answer was lost is nobody's
--- locks
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock get=off;
    }
--- steps
is(http('POST', '/plain/0/lock')->{status}, 200, 'a lock');
wire('mute');
is(http('POST', '/plain/1/lock')->{status}, 503, 'one that is not answered');
wire('pass');
wire('break');

my $r;
until_true { $r = http('POST', '/plain/1/lock'); $r->{status} == 200 };
is($r->{status}, 200, 'is free again, long before its time');


=== a reason that ends with a full stop
--- allow: is down|could not be recorded
--- lease: 300ms
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));
my $w = held('/plain/1', { n => 1, base_version => $v });

redis_stop($::redis);
redis_start($::redis, '--requirepass', 'secret');

release();
finish($w);

ok(until_true { log_count(qr/could not be recorded/) }, 'the log tells');
like(error_log(), qr/could not be recorded: NOAUTH Authentication required; /,
     'as one sentence');

redis_stop($::redis);
redis_start($::redis, '--save', '');


=== the rights that docs/operations.md says
--- policy: merge
--- locks
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock per_user=2 idle=1s;
    }
    location = /status { conflict_status json; }
    location = /blob { conflict_test_blob default; }
--- steps
my ($rule) = slurp("$ENV{TEST_NGINX_TOP}/docs/operations.md")
             =~ /^    (ACL SETUSER conflict on .*)$/m;

$rule =~ s/SETUSER conflict/SETUSER default/;
$rule =~ s/>PASSWORD/nopass resetkeys/;
set_doc('/plain/1', { n => 1 });

# the connection is made anew under them; our own keeps what it needs

is(redis($::redis, split(/ /, $rule), '+acl'), 'OK', 'they can be set');
wire('break');

my ($r, $v);
until_true {
    $v = version(GET('/plain/1'));
    $r = PUT('/plain/1', { n => 2, base_version => $v || 1 });
    $r->{status} == 204;
};

is($r->{status}, 204, 'a write');
is(PUT('/plain/1', { n => 3, base_version => $v })->{status}, 409, 'a conflict');
is(json(PUT('/plain/1', { n => 3, base_version => $v }))->{base_held},
   JSON::PP::true, 'of a base that is held');

my @ann = (headers => ['X-User: ann']);

is(http('POST', "/plain/$_/lock", @ann)->{status}, 200, 'a lock') for 1, 2;
is(http('POST', '/plain/3/lock', @ann)->{status}, 429, 'too many');
is(http('DELETE', "/plain/$_/lock", @ann)->{status}, 200, 'released') for 1, 2;

for my $blob ('do=claim&token=7', 'do=claim&token=8', 'do=put&token=7',
              'do=get', 'do=remove', 'do=put&x1=i&max1=1',
              'do=put&x1=i&max1=1&id=b', 'do=list&x1=i&max=3')
{
    is(json(GET("/blob?part=p&$blob&id=a"))->{rc}, 0, "a blob: $blob");
}

my $s;
until_true {
    $s = json(GET('/status'));
    grep { $_->{location} eq '/' && $_->{writes} } @{ $s->{routes} };
};

is($s->{stores}[0]{error}, undef, 'the dashboard');
is($s->{stores}[0]{counts_of}, 'fleet', 'of the fleet');
like(redis($::redis, 'GET', 'other'), qr/^NOPERM/, 'and no more');
redis($::redis, qw(ACL SETUSER default), 'allkeys', 'allchannels', '+@all');

my $last = (conflicts())[-1]{conflict_id};
my $stream;

# the lines of writes that were refused before come earlier

ok(until_true { $stream = redis($::redis, 'XRANGE', 'conflict:audit', '-', '+');
                grep { json($_->[1][1])->{conflict_id} eq $last }
                     ref $stream ? @$stream : () },
   'and its line in the stream');
unlike(error_log(), qr/NOPERM/, 'nothing was refused');
