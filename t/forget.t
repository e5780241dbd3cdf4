# A Redis that loses data: by an early failover, a flush, an old dump, eviction.
# No acknowledged write is overwritten unseen.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;
use Conflict::Many;
use Test::Nginx::Socket 'no_plan';

# the replica's link to its master is a wire that can be cut

our $redis = $ENV{TEST_NGINX_REDIS_PORT};
our ($link, @replicas) = (free_port());

wire_start($link, $redis);
Conflict::install('Test::Nginx::Socket');
master_on();
workers(2);
worker_connections(512);

add_block_preprocessor(sub {
    my $block = shift;

    wire('pass');
    redis_stop($_) for splice @replicas;
    $redis = redis_start($redis) unless redis_pid($redis);
    redis($redis, qw(CONFIG SET maxmemory 0));

    push @replicas, replica($link) if $block->replica;

    $block->set_value('http_config', 'conflict_store default redis://'
                      . "127.0.0.1:$redis timeout=500ms "
                      . ($block->store // '') . ";\n"
                      . <<"END");
        upstream fast { server 127.0.0.1:$ENV{TEST_NGINX_PORT2}; keepalive 32; }
        server {
            listen 127.0.0.1:$ENV{TEST_NGINX_PORT2};
            location / { return 200 '{}'; }
        }
        conflict version;
        conflict_lease @{[ $block->lease // '700ms' ]};
        conflict_quarantine 300ms;
        conflict_wait 200ms;
END
    $block->set_value('config', <<'END');
        location / { proxy_pass http://api; }
        location /etag/ {
            conflict_version header:ETag;
            proxy_pass http://api;
        }
        location /fast/ {
            conflict_latest off;
            proxy_pass http://fast;
        }
        location ~ ^(?<resource>/.*)/lock$ {
            conflict_key $resource;
            conflict_lock get=off;
        }
END
});

sub replica {
    my ($master) = @_;

    my $port = redis_start(undef, '--replicaof', "127.0.0.1 $master",
                           '--repl-diskless-sync-delay', '0');

    until_true { redis_info($port, 'master_link_status') eq 'up' };

    return $port;
}

# the master is gone, and its replica is in its place

sub fail_over {
    my ($replica) = @_;

    redis_stop($::redis);
    redis($replica, qw(REPLICAOF NO ONE));

    # once nothing that tries to connect there has its port

    until_true {
        (redis($replica, qw(CONFIG SET port), $::redis) // '') eq 'OK'
    };
}

sub replicated {
    my ($path) = @_;

    # once it is there, with the hash of the body that was shown

    my $v = settled($path);

    until_true {
        my $entry = redis($::redis, 'GET', redis_key($path)) // '';
        $entry =~ /^0/ && (split / /, $entry)[8] ne '-'
        && !grep { (redis($_, 'GET', redis_key($path)) // '') ne $entry } @::replicas;
    };

    return $v;
}

# a write whose first GET is held, and overtaken by another write, so that the
# second one is made under a lease; neither of the others is done

sub looking_up {
    my ($path, $v, $meanwhile) = @_;

    my @unknown = 'X-Up-Write: status=500';

    PUT($path, { n => 1 }, @unknown);

    my $n = seen();
    my $write = start('PUT', $path, body => { n => 'mine', base_version => $v },
                      headers => ['X-Up-Read: hold apply']);

    until_true { seen() > $n };
    PUT($path, { n => 2 }, @unknown);
    $meanwhile->();

    return $write;
}

# eight clients add ids to three documents, until there were so many good
# writes since what is done to Redis in the midst of them

sub load {
    my ($fault) = @_;

    my ($round, $since, %acked) = (0, 0);

    set_doc("/plain/$_", { ids => [] }) for 1 .. 3;

    until_true {
        my @pending;

        for my $n (1 .. 8) {
            my $path = '/plain/' . (1 + $n % 3);
            my $r = GET($path);
            my $doc = json($r);

            push @{ $doc->{ids} }, "$round-$n";
            $doc->{base_version} = version($r) || 1;
            push @pending, [ $path, $doc->{ids}[-1],
                             start('PUT', $path, body => $doc, headers =>
                                   ['X-Up-Write: sleep=0.02 apply']) ];
        }

        $round++;
        $fault->() if keys %acked >= 20 && !$since++;

        for (@pending) {
            my ($path, $id, $w) = @$_;

            if (finish($w)->{status} == 204) {
                $acked{$id} = $path;
                $since++ if $since;
            }
        }

        $since > 20;
    } 30;

    cmp_ok($since, '>', 20, 'it goes on');

    my %before = map { ("/plain/$_" => '') } 1 .. 3;
    my ($orphans, %ids);

    for my $write (journal()) {
        my @ids = @{ json($write->{body})->{ids} };
        my $last = pop @ids;

        $orphans++ if "@ids" ne $before{$write->{path}};
        $before{$write->{path}} = "@ids" . (@ids ? ' ' : '') . $last;
    }

    is($orphans, undef, 'each write is on the one before');

    for my $path (keys %before) {
        $ids{$_}++ for @{ json(upstream("/_doc?path=$path"))->{ids} };
    }

    is(scalar(grep { !$ids{$_} } keys %acked), 0,
       'each acknowledged one is there');
}

run_tests();

__DATA__

=== a failover while the link is cut, and a lease must be on the replica
--- replica: 1
--- lease: 3s
--- store: wait=1
--- steps
set_doc("/plain/$_", { n => 1 }) for 1 .. 2;
my %v = map { $_ => replicated("/plain/$_") } 1 .. 2;
my $before = journal();

# one is in flight before it is cut

my $w = held('/plain/1', { n => 2, base_version => $v{1} });

wire('cut');

my $r = PUT('/plain/2', { n => 2, base_version => $v{2} });
is($r->{status}, 503, 'no lease that only the master knows of');
is(json($r)->{error}, 'store_unavailable', 'why');
is(scalar(grep { $_->{method} eq 'PUT' && $_->{body} =~ /"n":2/
                 && $_->{target} eq '/plain/2' } seen()), 0, 'not forwarded');

my ($successor) = @::replicas;
fail_over($successor);
push @::replicas, replica($::redis);

until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v{1} });
    ($r->{status} == 409 || $r->{status} == 503)
    && json($r)->{error} ne 'store_unavailable';
};
like(json($r)->{error}, qr/^(outcome_unknown|write_in_progress)$/,
     'the successor knows that something is in flight');
release();
is(finish($w)->{status}, 204, 'which ends well');

$r = patient_put('/plain/1', { n => 3, base_version => $v{1} });
is($r->{status}, 409, 'the other is stale');
is(json($r)->{server_version}{n}, 2, 'and sees it');
is(patient_put('/plain/2', { n => 3, base_version => $v{2} })->{status}, 204,
   'nothing was forgotten of what was let in');
is(scalar(journal()), $before + 2, 'two writes');


=== a lookup whose lease is not on the replica
--- replica: 1
--- lease: 3s
--- store: wait=1
--- steps
set_doc('/plain/1', { n => 0 });

my $v = replicated('/plain/1');
my $write = looking_up('/plain/1', $v, sub { kill 'STOP',
                                             redis_pid($::replicas[0]) });

release();

my $r = finish($write);
is($r->{status}, 503, 'it is not made');
is(json($r)->{error}, 'store_unavailable', 'why');

kill 'CONT', redis_pid($::replicas[0]);

$r = patient_put('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 204, 'nothing is left of it, and the base still holds');


=== a failover while the link is cut that loses what was acknowledged
--- replica: 1
--- steps
set_doc("/plain/$_", { n => 1 }) for 1 .. 5;
my %v = map { $_ => replicated("/plain/$_") } 1 .. 5;
my $before = journal();

wire('cut');

my %w = map {
    my $r = PUT("/plain/$_", { n => 2, base_version => $v{$_} });
    is($r->{status}, 204, "acknowledged: $_");
    $_ => version($r);
} 1 .. 3;

my $w = held('/plain/4', { n => 2, base_version => $v{4} });
my ($successor) = @::replicas;

is(redis($successor, 'GET', redis_key('/plain/4')) =~ /^0/ ? 1 : 0, 1,
   'the replica does not know of the lease');
fail_over($successor);

# on the version of before, which the successor takes for current

for my $n (1 .. 3) {
    my $r = patient_put("/plain/$n", { n => 3, base_version => $v{$n} });

    is($r->{status}, 409, "the base of before is stale: $n");
    is(json($r)->{server_version}{n}, 2, 'and what was acknowledged is shown');
    cmp_ok(version($r), '>=', $w{$n}, 'under no version of before');
}

my $r = PUT('/plain/4', { n => 3, base_version => $v{4} });
is($r->{status}, $r->{status} == 409 ? 409 : 503, 'one that it lost waits');
like(json($r)->{error}, qr/^(outcome_unknown|write_in_progress)$/, 'why');
release();
is(finish($w)->{status}, 204, 'until that is done');

$r = patient_put('/plain/4', { n => 3, base_version => $v{4} });
is($r->{status}, 409, 'then it is stale');
is(json($r)->{server_version}{n}, 2, 'and sees it');

is(patient_put('/plain/5', { n => 2, base_version => $v{5} })->{status}, 204,
   'where nothing was lost the base is good');
is(scalar(journal()), $before + 5, 'nothing was written over');
like(error_log(), qr/is a new incarnation \(first use, restart, replacement, flush/,
     'the log tells');


=== the same, believed, where the upstream checks what it is sent
--- replica: 1
--- store: failover=trust
--- steps
set_doc('/etag/1', { n => 1 });

my $etag = header(GET('/etag/1'), 'ETag');

wire('cut');

is(PUT('/etag/1', { n => 2 }, "If-Match: $etag")->{status}, 200,
   'acknowledged');
fail_over($::replicas[0]);

my $r;
until_true { $r = PUT('/etag/1', { n => 3 }, "If-Match: $etag");
             $r->{status} != 503 };


# or the store did not: the commit may have been sent again, to the successor

like($r->{status}, qr/^(412|409)$/, 'what the store has let in is refused');
is(scalar(journal()), 1, 'nothing was written over');
$etag = header(GET('/etag/1'), 'ETag');
is(PUT('/etag/1', { n => 3 }, "If-Match: $etag")->{status}, 200,
   'from the latest it goes on');


=== flushed under load
--- steps
load(sub { redis($::redis, 'FLUSHALL') });


=== started from an old dump under load
--- steps
my $saved;

set_doc("/plain/$_", { ids => [] }) for 1 .. 3;
GET("/plain/$_") for 1 .. 3;
until_true { redis($::redis, 'EXISTS', map { redis_key("/plain/$_") } 1 .. 3) == 3 };
is(redis($::redis, 'SAVE'), 'OK', 'a dump');

load(sub {
    redis_stop($::redis);
    redis_start($::redis);
    $saved = redis($::redis, 'EXISTS', map { redis_key("/plain/$_") } 1 .. 3);
});

is($saved, 3, 'which it had again');


=== entries that were put back are not trusted without their incarnation
--- steps
set_doc('/plain/1', { n => 1 });

my $v;

until_true { $v = version(GET('/plain/1')) };
until_true { redis($::redis, 'EXISTS', redis_key('/plain/1')) };

my $old = redis($::redis, 'GET', redis_key('/plain/1'));
my $r;

until_true {
    $r = PUT('/plain/1', { n => 2, base_version => $v });
    $r->{status} != 503
};
is($r->{status}, 204, 'acknowledged');

redis($::redis, 'SET', redis_key('/plain/1'), $old);
redis($::redis, 'DEL', 'conflict:incarnation');

until_true {
    $r = PUT('/plain/1', { n => 3, base_version => $v });
    $r->{status} != 503
};
is($r->{status}, 409, 'a base that the entry has is stale');
is(json($r)->{server_version}{n}, 2, 'nothing was lost');


=== what may be evicted is warned of
--- steps
set_doc('/plain/1', { n => 1 });

my $warned = qr/has "maxmemory-policy allkeys-lru" and may evict the lease/;

for ([ 'allkeys-lru', '0', 0 ], [ 'volatile-ttl', '1gb', 0 ],
     [ 'allkeys-lru', '1gb', 1 ])
{
    my ($policy, $memory, $expected) = @$_;

    redis($::redis, qw(CONFIG SET maxmemory-policy), $policy);
    redis($::redis, qw(CONFIG SET maxmemory), $memory);
    redis($::redis, qw(CLIENT KILL TYPE normal));
    replicated('/plain/1');

    is(error_log() =~ $warned ? 1 : 0, $expected, "$policy of $memory");
}


=== entries are evicted under load
--- steps
set_doc("/plain/$_", { n => 1 }) for 'old', 'held';

my %v = map { $_ => replicated("/plain/$_") } 'old', 'held';
my ($n, $end, %status) = (0, 0);

# all of them are older than the write, so they go before it

many(16, sub { $n++ < 3000 ? { method => 'GET', uri => "/fast/old$n" }
                           : undef }, sub { });
my $w = held('/plain/held', { n => 2, base_version => $v{held} });

redis($::redis, qw(CONFIG SET maxmemory-policy volatile-ttl));
redis($::redis, qw(CONFIG SET maxmemory-samples 64));
redis($::redis, qw(CONFIG SET maxmemory),
      redis_info($::redis, 'used_memory') + 300000);

# it takes the oldest of a sample, so this one will go sooner or later

$n = 0;

until_true {
    $end += 1000;
    many(16, sub { $n++ < $end ? { method => 'GET', uri => "/fast/$n" }
                               : undef },
         sub { $status{$_[1]{status}}++ });
    redis($::redis, 'EXISTS', redis_key('/plain/old')) eq '0'
    && redis_info($::redis, 'evicted_keys') > 100;
};

is(join(' ', keys %status), 200, 'reads of very many resources');
is(redis($::redis, 'EXISTS', redis_key('/plain/old')), 0, 'an old one is');
is(redis($::redis, 'EXISTS', redis_key('/plain/held')), 1,
   'one with a write in flight is not');

my $r = PUT('/plain/held', { n => 3, base_version => $v{held} });
is(json($r)->{error}, 'write_in_progress', 'so others wait for it');
release();
is(finish($w)->{status}, 204, 'and it ends well');

$r = patient_put('/plain/old', { n => 3, base_version => $v{old} });
is($r->{status}, 409, 'of the other nothing is believed');
is(json($r)->{server_version}{n}, 0, 'before it was looked at');

upstream('/_reset');
load(sub {
    $n = 0;
    many(16, sub { $n++ < 2000 ? { method => 'GET', uri => "/fast/x$n" }
                               : undef }, sub { });
});
