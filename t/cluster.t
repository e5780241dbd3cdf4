# Redis Cluster: each resource at its node, also when slots are moved and masters
# fail.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Events;
use Test::Nginx::Socket 'no_plan';

our @nodes = cluster_start();
our $half = half_start();

$Conflict::Store = 'cluster';
Conflict::install('Test::Nginx::Socket');

master_on();
workers(1);

add_block_preprocessor(sub {
    my $block = shift;

    # two of the six, by which the others are found; a block with "half" has
    # the other cluster, and more directives of the server

    $block->set_value('http_config', join(' ', 'conflict_store default',
                      map({ "redis://127.0.0.1:$_" }
                          defined $block->half ? $half : @nodes[0, 4]),
                      "cluster timeout=2s;\n"));

    # leases that a worker of a busy machine renews in time

    $block->set_value('config', ($block->half // '') . "location / {\n"
                      . "conflict version;\n"
                      . 'conflict_lease ' . ($block->lease // '2s') . ";\n"
                      . "conflict_quarantine 300ms;\n"
                      . "conflict_wait 200ms;\n"
                      . "proxy_pass http://api;\n}\n" . ($block->more // ''));
});

# a cluster of one node, which serves the lower half of the slots

sub half_start {
    my $port = redis_start(undef, '--cluster-enabled', 'yes',
                           '--cluster-port', free_port(),
                           '--cluster-require-full-coverage', 'no');

    redis($port, 'CLUSTER', 'ADDSLOTSRANGE', 0, 8191);
    until_true { redis($port, 'CLUSTER', 'INFO') =~ /cluster_state:ok/ };

    return $port;
}

# the first path of each half: served, not served

sub one_of_each_half {
    my ($directory) = @_;

    my @path;

    for my $n (1 .. 100) {
        my $path = "$directory/$n";
        my $slot = redis($half, 'CLUSTER', 'KEYSLOT', redis_key($path));
        $path[$slot > 8191] //= $path;
    }

    return @path;
}

# each slot holds writes back for a lease when it is used first: all at once

sub touch { PUT($_, { n => 0 }) for @_ }

sub move { http('MOVE', $_[0], headers => ["Destination: $_[1]", @_[2 .. $#_]]) }

# a resource at each of the masters, by port; a test that makes the nodes
# disagree on a slot has a directory, and so slots, of its own

sub one_each {
    my ($directory) = (@_, '/plain');
    my %at;

    for my $n (1 .. 100) {
        my ($port) = cluster_node(redis_key("$directory/$n"), @nodes);
        $at{$port} ||= "$directory/$n";
        last if keys %at == 3;
    }

    return %at;
}

# those of a write, which has this id

sub gets {
    my ($path, $n) = @_;

    until_true {
        $n == grep { my %h = map { @$_ } @{ $_->{headers} };
                     $_->{method} eq 'GET' && $_->{target} eq $path
                     && ($h{'x-id'} // '') eq 'write' } seen();
    };
}

run_tests();

__DATA__

=== resources at all nodes
--- steps
my %at = one_each();
is(scalar(keys %at), 3, 'three masters');
touch(values %at);

for my $port (sort keys %at) {
    my $path = $at{$port};

    set_doc($path, { n => 1 });
    my $v = settled($path);

    is(PUT($path, { n => 2, base_version => $v })->{status}, 204, 'passes');
    is(PUT($path, { n => 3, base_version => $v })->{status}, 409, 'checks');
    is(redis($port, 'EXISTS', redis_key($path)), 1, 'at the node that has its slot');
}

my ($audit) = cluster_node('conflict:audit', @::nodes);
my $lines;

until_true { $lines = redis($audit, 'XLEN', 'conflict:audit');
             $lines =~ /^\d+$/ && $lines >= 3 };
cmp_ok($lines, '>=', 3, 'the audit stream is at its node');
is(error_log() =~ /MOVED|rejected a call/, '', 'nothing was complained of');


=== what is kept besides entries
--- more
    location /plain/kept/ {
        conflict version hold;
        conflict_user $http_x_user;
        conflict_history 4 versions;
        conflict_idempotency on;
        conflict_lease 2s;
        conflict_quarantine 300ms;
        proxy_pass http://api;
    }
    location /plain/edited/ {
        conflict lww edited=header:X-Edited-At;
        conflict_lease 2s;
        conflict_quarantine 300ms;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/plain/kept/\d+)/versions$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_versions;
    }
    location = /inbox {
        conflict_inbox;
        conflict_user $http_x_user;
    }
--- steps
my @ann = ('X-User: ann');

touch(map { ("/plain/kept/$_", "/plain/edited/$_") } 1 .. 6);

for my $n (1 .. 6) {
    my $path = "/plain/kept/$n";

    set_doc($path, { n => 1 });
    my $v = settled($path, @ann);

    is(PUT($path, { n => 2, base_version => $v }, @ann)->{status}, 204,
       "$path: passes");

    my $r = PUT($path, { n => 3, base_version => $v }, @ann);
    is($r->{status}, 409, 'a stale one does not');

    my $held = json(http('GET', '/inbox?id=' . json($r)->{held},
                         headers => [@ann]));
    is_deeply([$held->{mine}{n}, $held->{theirs}{n}], [3, 2], 'it is held');

    $r = json(http('GET', "$path/versions", headers => [@ann]));
    is($r->{versions}[0]{user}, 'ann', 'who has made the version is noted');

    my @key = (@ann, "Idempotency-Key: \"a key of $n\"");
    my @two = map { http('POST', $path, body => '{}', headers => [@key,
                         'Content-Type: application/json',
                         "X-Up-Write: status=201"]) } 1, 2;
    is($two[1]{status}, $two[0]{status}, 'a POST is replayed');
    is(header($two[1], 'Idempotent-Replayed'), 'true', 'and says so');

    $path = "/plain/edited/$n";
    set_doc($path, { n => 1 });
    settled($path);
    PUT($path, { n => 2 }, 'X-Edited-At: ' . (time() + 60) . '000');
    PUT($path, { n => 3 }, 'X-Edited-At: ' . (time() + 30) . '000');
    is(json(upstream("/_doc?path=$path"))->{n}, 2, 'the later edit wins');
}


=== a change stream of resources at all nodes
--- more
    location = /events { conflict_events heartbeat=1m; }
--- steps
my %at = one_each();
my @paths = sort values %at;

set_doc($_, { n => 1 }) for @paths;
my %v = map { ($_ => version(GET($_))) } @paths;

my $w = watch(resources(@paths));
my %told;

for (@paths) {
    my $e = next_event($w);
    $told{$e->{resource}} = $e->{version};
}
is_deeply(\%told, \%v, 'the versions of all');

# its events are at one of them

for my $path (@paths) {
    my $r = patient_put($path, { n => 2, base_version => $v{$path} });
    my $e = until_event($w, 'version');
    is("$e->{resource} $e->{version}", "$path " . version($r), 'a change');
}


=== a slot is moved to another node while it is written
--- steps
my %at = one_each('/plain/moving');
my ($from, $to) = sort keys %at;
my $path = $at{$from};

set_doc($path, { n => 1 });
my $v = settled($path);

my $slot = redis($from, 'CLUSTER', 'KEYSLOT', redis_key($path));
my %id = map { $_ => redis($_, 'CLUSTER', 'MYID') } $from, $to;

redis($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $id{$from});
redis($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $id{$to});

my $r = PUT($path, { n => 2, base_version => $v });
is($r->{status}, 204, 'before its keys go');
$v = version($r);

until_true { redis($from, 'GET', redis_key($path)) =~ /^0/ };
my $keys = redis($from, 'CLUSTER', 'GETKEYSINSLOT', $slot, 10);
is(scalar(@$keys), 2, 'its entry and its incarnation');

# the second of them is still there: the answer is TRYAGAIN, which is
# refused in the end, and not an answer from half of it

redis($from, 'MIGRATE', '127.0.0.1', $to, $keys->[0], 0, 5000);
$r = PUT($path, { n => 3, base_version => $v });
is($r->{status}, 503, 'between both');
is(json($r)->{error}, 'store_unavailable', 'why');

redis($from, 'MIGRATE', '127.0.0.1', $to, $keys->[1], 0, 5000);
$r = patient_put($path, { n => 3, base_version => $v });
is($r->{status}, 409, 'another run has it: its base is checked by a GET');
is(json($r)->{server_version}{n}, 2, 'which shows what was written');
$r = PUT($path, { n => 3, base_version => json($r)->{version} });
is($r->{status}, 204, 'then it goes on, by ASK');
$v = version($r);

redis($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $id{$to}) for $to, $from;

for my $n (4 .. 6) {
    $r = PUT($path, { n => $n, base_version => $v });
    is($r->{status}, 204, 'after it, by MOVED and then directly');
    $v = version($r);
}

is((cluster_node(redis_key($path), @::nodes))[0], $to, 'it has moved');
is(scalar(grep { $_->{body} =~ /"n":3/ } journal()), 1, 'no write twice');


=== a slot is moved while the version of a resource is looked up
--- steps
my @unknown = 'X-Up-Write: status=500';

for my $how ('ASK', 'MOVED') {
    my %at = one_each("/plain/lookup/$how");
    my ($from, $to) = sort keys %at;
    my $path = $at{$from};

    set_doc($path, { n => 0 });
    my $v = settled($path);

    my $slot = redis($from, 'CLUSTER', 'KEYSLOT', redis_key($path));
    my %id = map { $_ => redis($_, 'CLUSTER', 'MYID') } $from, $to;

    redis($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $id{$from});
    redis($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $id{$to});

    # its first GET is overtaken, so the second one is made under a lease

    PUT($path, { n => 1 }, @unknown);

    my $write = start('PUT', $path, body => { n => 2, base_version => $v },
                      headers => ['X-Up-Read: hold apply', 'X-Id: write']);

    gets($path, 1);
    PUT($path, { n => 1 }, @unknown);
    release();
    gets($path, 2);

    redis($from, 'MIGRATE', '127.0.0.1', $to, $_, 0, 5000)
        for @{ redis($from, 'CLUSTER', 'GETKEYSINSLOT', $slot, 10) };

    if ($how eq 'MOVED') {
        redis($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $id{$to})
            for $to, $from;
    }

    release();

    my $r = finish($write);
    is($r->{status}, 503, "$how - another run has it, and waits");
    is(json($r)->{error}, 'outcome_unknown', "$how - why");

    $r = patient_put($path, { n => 3, base_version => $v });
    is($r->{status}, 204, "$how - the base still holds");
    is(join(' ', map { json($_)->{n} } grep { $_->{path} eq $path } journal()),
       '0 3', "$how - it was not sent");

    redis($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $id{$to}) for $to, $from;
}


=== two nodes that send to each other
--- steps
my %at = one_each('/plain/apart');
my ($one, $two) = sort keys %at;
my $path = $at{$one};
my $slot = redis($one, 'CLUSTER', 'KEYSLOT', redis_key($path));
my %id = map { $_ => redis($_, 'CLUSTER', 'MYID') } $one, $two;

set_doc($_, { n => 1 }) for $path, $at{$two};
my $v = settled($at{$two});

# neither has it: each says that the other does

redis($one, 'FLUSHALL');
redis($one, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $id{$two});
until_true { redis($two, 'CLUSTER', 'COUNTKEYSINSLOT', $slot) eq '0' };
redis($two, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $id{$one});

my $asked = sub {
    my $n = 0;

    for ($one, $two) {
        $n += $1 if redis($_, 'INFO', 'commandstats')
                    =~ /cmdstat_evalsha:.*rejected_calls=(\d+)/;
    }

    return $n;
};

my $before = $asked->();
my $r = PUT($path, { n => 2, base_version => 1 });

is($r->{status}, 503, 'it is not followed without end');
is(json($r)->{error}, 'store_unavailable', 'why');
cmp_ok($asked->() - $before, '>', 1, 'it was followed');
cmp_ok($asked->() - $before, '<=', 24, 'a few times, and what gives it back');
is(PUT($at{$two}, { n => 2, base_version => $v })->{status}, 204,
   'other slots go on');

redis($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $id{$one}) for $one, $two;
ok(settled($path), 'so does this one, when it is somewhere');


=== a commit while its slot is between two nodes
--- steps
my %at = one_each('/plain/between');
my ($from, $to) = sort keys %at;
my $path = $at{$from};

set_doc($path, { n => 1 });
my $v = settled($path);
my $before = journal();
my $slot = redis($from, 'CLUSTER', 'KEYSLOT', redis_key($path));
my %id = map { $_ => redis($_, 'CLUSTER', 'MYID') } $from, $to;

my $w = start('PUT', $path, body => { n => 2, base_version => $v },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);

# one of its two keys is there, and one is here

redis($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $id{$from});
redis($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $id{$to});
my ($life) = grep { /incarnation/ }
             @{ redis($from, 'CLUSTER', 'GETKEYSINSLOT', $slot, 10) };
redis($from, 'MIGRATE', '127.0.0.1', $to, $life, 0, 5000);

release();
my $r = finish($w);
is($r->{status}, 204, 'acknowledged');
until_true { error_log() =~ /rejected a call: TRYAGAIN/ };

# the move is given up before it is sent again: a call that found the slot
# without the key of its incarnation would make another one

my @workers = workers_of(master_pid());

kill 'STOP', @workers;
redis($from, 'CLUSTER', 'SETSLOT', $slot, 'STABLE');
is(redis($to, 'MIGRATE', '127.0.0.1', $from, $life, 0, 5000), 'OK', 'back');
redis($to, 'CLUSTER', 'SETSLOT', $slot, 'STABLE');
kill 'CONT', @workers;

until_true { (redis($from, 'GET', redis_key($path)) // '') =~ /^0/ };
is(version(GET($path)), version($r), 'the commit has come there');
is(error_log() =~ /could not be recorded/, '', 'nothing was lost');


=== a master dies while a write is in flight
--- lease: 5s
--- steps
my %at = one_each();
my ($dead, @others) = sort keys %at;
my $path = $at{$dead};
my (undef, $heir) = cluster_node(redis_key($path), @::nodes);

set_doc($_, { n => 1 }) for values %at;
touch(values %at);
my %v = map { $_ => settled($_) } values %at;
my $before = journal();

my $w = start('PUT', $path, body => { n => 2, base_version => $v{$path} },
              headers => ['X-Up-Write: hold apply']);
begun($before + 1);
redis_stop($dead);

for my $port (@others) {
    my $r = PUT($at{$port}, { n => 2, base_version => $v{ $at{$port} } });
    is($r->{status}, 204, 'other slots go on');
}

my $r = PUT($path, { n => 3, base_version => $v{$path} });
is($r->{status}, 503, 'its own do not');

release();
is(finish($w)->{status}, 204, 'the first is done');

$r = patient_put($path, { n => 3, base_version => $v{$path} });
is($r->{status}, 409, 'when the replica is promoted the other is stale');
is(json($r)->{server_version}{n}, 2, 'and sees the first');
is(redis($heir, 'EXISTS', redis_key($path)), 1, 'at the new master');

# it comes back as a replica

redis_start($dead);
until_true { redis_info($dead, 'role') eq 'slave'
             && redis_info($dead, 'master_link_status') eq 'up' };
is(patient_put($path, { n => 4, base_version => json($r)->{version} })
   ->{status}, 204, 'and all goes on');


=== a replica takes over by order
--- steps
my %at = one_each();
my ($old) = sort keys %at;
my $path = $at{$old};
my (undef, $new) = cluster_node(redis_key($path), @::nodes);

set_doc($path, { n => 1 });
my $v = settled($path);

until_true { (split / /, redis($old, 'GET', redis_key($path)))[8] ne '-' };

is(redis($new, 'CLUSTER', 'FAILOVER'), 'OK', 'it is told to');
until_true { redis_info($new, 'role') eq 'master' };

is(patient_put($path, { n => 2, base_version => $v })->{status}, 204,
   'nothing was forgotten');
is(PUT($path, { n => 3, base_version => $v })->{status}, 409, 'it is checked');

# a node that has just been made master may still send others away

ok((until_true { redis($new, 'EXISTS', redis_key($path)) eq '1' }),
   'at the new master');


=== the outcome of a MOVE of which only the destination has a lease
--- half
    conflict_store_error pass;
    location /plain/moved/ {
        conflict version;
        conflict_wait 50ms;
        conflict_lease 2s;
        conflict_quarantine 5s;
        proxy_read_timeout 1s;
        error_page 504 = @fallback;
        proxy_pass http://api;
    }
    location @fallback {
        proxy_pass http://api;
    }
--- steps
my ($to, $from) = one_of_each_half('/plain/moved');

set_doc($_, { n => 1 }) for $from, $to;
settled($to);

my $before = journal();
my $r = move($from, $to, 'X-Up-Write: hold apply');
is($r->{status}, 503, 'it is not sent again');
is(json($r)->{error}, 'outcome_unknown', 'why');

$r = PUT($to, { n => 2 });
is($r->{status}, 503, 'the destination is quarantined');
is(json($r)->{error}, 'outcome_unknown', 'as it may still be written');

release();
applied($before + 1);
is(scalar(journal()), $before + 1, 'which it was, once');


=== a MOVE that lasts, of which only the destination has a lease
--- half
    conflict_store_error pass;
--- steps
my ($to) = one_of_each_half('/plain/z');
my (undef, $from) = one_of_each_half('/plain/a');

set_doc($_, { n => 1 }) for $from, $to;
settled($to);

my $begun = journal() + 1;
my $w = start('MOVE', $from, headers => ["Destination: $to",
                                         'X-Up-Write: sleep=3 apply']);
begun($begun);
is(json(PUT($to, { n => 2 }))->{error}, 'write_in_progress', 'it is leased');

is(finish($w)->{status}, 204, 'the lease was renewed');
is(PUT($to, { n => 3 })->{status}, 204, 'and is over');


=== the resource of a MOVE that could not be checked is not leased later
--- half
    conflict_store_error pass;
--- steps
my ($from) = one_of_each_half('/plain/a');
my (undef, $to) = one_of_each_half('/plain/z');

set_doc($from, { n => 1 });
settled($from);

my $begun = journal() + 1;
my $w = start('MOVE', $from, headers => ["Destination: $to",
                                         'X-Up-Write: hold apply']);
begun($begun);

my $slot = redis($::half, 'CLUSTER', 'KEYSLOT', redis_key($to));
redis($::half, 'CLUSTER', 'ADDSLOTS', $slot);

my $renewals = sub {
    redis($::half, 'INFO', 'commandstats') =~ /cmdstat_evalsha:calls=(\d+)/;
    return $1;
};

my $before = $renewals->();
until_true { $renewals->() >= $before + 4 };
is(redis($::half, 'EXISTS', redis_key($to)), 0, 'no entry was made of it');

release();
is(finish($w)->{status}, 201, 'the MOVE is done');
is(patient_put($to, { n => 2 })->{status}, 204, 'nothing is in flight');
redis($::half, 'CLUSTER', 'DELSLOTS', $slot);


=== no node is there
--- steps
redis_stop($_) for @::nodes;

my $r;
until_true { $r = PUT('/plain/1', { n => 2, base_version => 5 });
             $r->{status} == 503 };

is($r->{status}, 503, 'a write is refused');
is(json($r)->{error}, 'store_unavailable', 'why');
is(GET('/ping')->{status}, 200, 'all else goes on');
