# The counters as JSON and as metrics, and which clients may see them.
#
# On both stores.
# Needs: build/promtool redis-server

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Status;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();
workers(2);
worker_connections(512);

our $Redis = $ENV{TEST_NGINX_REDIS_PORT} // '';
our $Full = redis_start();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', $block->config . '
        location = /status { conflict_status json; }
        location = /metrics { conflict_status prometheus; }
        location = /dashboard { conflict_status; }
    ') if $block->config !~ /conflict_status/;
});

# of a bin: all of it is now, or was just before

sub now_in { sum(@{ $_[0] }[-2, -1]) }

# does the checker of Prometheus take it; what it says else

sub promtool {
    my ($text) = @_;
    my $file = servroot() . '/../metrics.txt';

    open my $out, '>', $file or die;
    print $out $text;
    close $out;

    my $said = `$ENV{TEST_NGINX_TOP}/build/promtool check metrics < $file 2>&1`;

    return $? ? "exit $?: $said" : $said;
}

sub metric {
    my ($text, $name, %labels) = @_;
    my @found;

    for my $line ($text =~ /^nginx_conflict_\Q$name\E(?=[{ ])(.*)$/mg) {
        my ($set, $value) = $line =~ /^(?:\{(.*)\})? (\S+)$/ or next;

        push @found, $value
            unless grep { index(",$set,", ",$_=\"$labels{$_}\",") < 0 }
                   keys %labels;
    }

    return @found == 1 ? $found[0] : "@found";
}

run_tests();

__DATA__

=== outcomes and actions by route, in bins and in all
--- config
    location /plain/ {
        conflict version;
        conflict_entity note;
        proxy_pass http://api;
    }
    location /plain/lww/ {
        conflict lww;
        proxy_pass http://api;
    }
    location /plain/report/ {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
is_deeply(status()->{routes}, [], 'none before the first write');

stale('/plain/1', 3);
stale('/plain/lww/1', 2);
stale('/plain/report/1', 1);
DELETE('/plain/1');

my $r = route('/plain/', sub { $_[0]{writes} == 5 });

is($r->{entity}, 'note', 'entity');
is($r->{server}, 'localhost', 'server');
is($r->{store}, 'default', 'store');
is($r->{policy}, 'version', 'policy');
is($r->{report}, JSON::PP::false, 'it is enforced');
like($r->{since}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/, 'since');
is($r->{writes}, 5, 'writes');
is($r->{outcomes}{passed}, 2, 'passed');
is($r->{outcomes}{rejected}, 3, 'rejected');
is($r->{actions}{conflict_version}, 3, 'actions');
is(sum(values %{ $r->{actions} }), 3, 'and no others');
is($r->{fetches}, 3, 'GETs for the latest body');
is_deeply($r->{fields}, [ { field => '/title', count => 3 } ],
          'in what the bodies differed');

for my $bin ([minutes => 60, 60], [hours => 3600, 48], [days => 86400, 90]) {
    my ($name, $step, $n) = @$bin;

    is($r->{$name}{step}, $step, "$name: step");
    is(scalar(@{ $r->{$name}{writes} }), $n, "$name: as many as there are");
    is(now_in($r->{$name}{writes}), 5, "$name: writes");
    is(sum(@{ $r->{$name}{writes} }), 5, "$name: none of before");
    is_deeply([keys %{ $r->{$name}{actions} }], ['conflict_version'],
              "$name: only what was");
    is(now_in($r->{$name}{actions}{conflict_version}), 3, "$name: conflicts");
}

$r = route('/plain/lww/', sub { $_[0]{writes} == 3 });
is($r->{policy}, 'lww', 'another route has another policy');
is($r->{entity}, '/plain/lww/', 'entity: the location by default');
is($r->{outcomes}{overwrote}, 2, 'overwrote');
is($r->{actions}{conflict_lww}, 2, 'conflict_lww');

$r = route('/plain/report/', sub { $_[0]{writes} == 2 });
is($r->{report}, JSON::PP::true, 'report');
is($r->{outcomes}{rejected}, 1, 'report: what it would be');
is($r->{actions}{conflict_version}, 1, 'report: counted all the same');


=== the latest conflicts, and what had most of them
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
stale('/plain/1', 2);
stale('/plain/2', 3, 'X-Client: phone');

route('/plain/', sub { $_[0]{actions}{conflict_version} == 5 });

my $s = status();
my @log = conflicts();

is_deeply([sort map { $_->{conflict_id} } @{ $s->{conflicts} }],
          [sort map { $_->{conflict_id} } @log], 'those of the log');

my ($last) = sort { $b->{time} cmp $a->{time} } @{ $s->{conflicts} };

is_deeply($last, $log[-1], 'a line as it is there');
is($last->{client_origin}, 'phone', 'from which device');
is_deeply($last->{fields}, ['/title'], 'in which fields');
unlike(http('GET', '/status')->{body}, qr/"c\d"|"done"/, 'no bodies');

my %most = map { $_->{resource} => $_->{conflicts} } @{ $s->{resources} };
is_deeply(\%most, { 'localhost/plain/1' => 2, 'localhost/plain/2' => 3 },
          'resources, of which server');


=== locks
--- config
    location /plain/ {
        conflict version;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_user $http_x_user;
        conflict_lock idle=20s;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $lock = json(http('POST', '/plain/1/lock',
                     headers => ['X-User: ann', 'X-Client: phone']));

until_true { @{ status()->{locks} } == 1 };

my $s = status();
my ($l) = @{ $s->{locks} };

is($l->{resource}, 'localhost/plain/1', 'which');
is($l->{user}, 'ann', 'who');
is($l->{client}, 'phone', 'from where');
is($l->{acquired_at}, $lock->{lock}{acquired_at}, 'since when');
is(($l->{expires_in} > 0 && $l->{expires_in} <= 20) ? 1 : 0, 1, 'until when');
is($l->{store}, 'default', 'in which store');
is($s->{stores}[0]{locks}, 1, 'counted');
unlike(http('GET', '/status')->{body}, qr/\Q$lock->{lock}{token}\E/,
       'the token is not shown');
is(metric(http('GET', '/metrics')->{body}, 'store_locks',
          store => 'default'), 1, 'in the metrics, too');

# another user renews it, by its token

http('POST', '/plain/1/lock', headers => ['X-User: bob', 'X-Client: desk',
     "Lock-Token: $lock->{lock}{token}"]);
http('POST', '/plain/2/lock', headers => ['X-User: bob']);
until_true { @{ status()->{locks} } == 2 };

($l) = grep { $_->{resource} =~ m!/plain/1$! } @{ status()->{locks} };
is("$l->{user} $l->{client}", 'ann phone', 'it is still hers');
http('DELETE', '/plain/2/lock', headers => ['X-User: bob']);

PUT('/plain/1', { n => 2 }, 'X-User: bob');
is(route('/plain/', sub { $_[0]{writes} == 1 })->{outcomes}{locked}, 1,
   'a write that met it');

http('DELETE', '/plain/1/lock', headers => ['X-User: ann']);
is(until_true { !@{ status()->{locks} } }, 1, 'gone');


=== metrics
--- config
    location /plain/ {
        conflict version;
        conflict_entity 'a "strange\\one';
        proxy_pass http://api;
    }
--- steps
stale('/plain/1', 2);
route('/plain/', sub { $_[0]{writes} == 3 });

my $r = http('GET', '/metrics');
my $m = $r->{body};

is($r->{status}, 200, 'status');
is(header($r, 'Content-Type'),
   'text/plain; version=0.0.4; charset=utf-8', 'Content-Type');
is(promtool($m), '', 'promtool has nothing to say');

my %route = (location => '/plain/', server => 'localhost',
             store => 'default');

is(metric($m, 'writes_total', %route, outcome => 'passed'), 1, 'passed');
is(metric($m, 'writes_total', %route, outcome => 'rejected'), 2, 'rejected');
is(metric($m, 'conflicts_total', %route, action => 'conflict_version'), 2,
   'conflicts');
is(metric($m, 'conflicts_total', %route, action => 'conflict_overlapped'), 0,
   'what has not happened is 0, so that the first of them is an increase');
is(metric($m, 'writes_total', %route, outcome => 'dropped'), 0, 'outcomes, too');
is(metric($m, 'fetches_total', %route), 2, 'fetches');
is(metric($m, 'waits_total', %route), 0, 'waits');
is(metric($m, 'writes_in_flight'), 0, 'in flight');
is(metric($m, 'audit_errors_total'), 0, 'errors of the log');
is(metric($m, 'store_up', store => 'default'), 1, 'the store is up');
is(metric($m, 'store_errors_total', store => 'default', reason => 'down'), 0,
   'it always was');
cmp_ok(metric($m, 'store_entries', store => 'default'), '>', 0, 'entries');

for my $name ($m =~ /^nginx_conflict_(\w+?)(?:_bucket|_sum|_count)?[{ ]/mg) {
    $m =~ /^# HELP nginx_conflict_$name .*\.\n# TYPE nginx_conflict_$name /m
        or fail("$name has no HELP and TYPE");
}

my @help = $m =~ /^# HELP (\S+)/mg;
my %once;
is(scalar(grep { $once{$_}++ } @help), 0, 'one HELP each');

SKIP: {
    skip 'a store in shared memory has no round trips', 2 if $::Redis eq '';

    cmp_ok(metric($m, 'store_round_trip_seconds_count', store => 'default'),
           '>=', 4, 'round trips');
    is(metric($m, 'store_round_trip_seconds_bucket', store => 'default',
              le => '+Inf'),
       metric($m, 'store_round_trip_seconds_count', store => 'default'),
       'the last bucket has all');
}


=== no write is counted twice or not at all
--- config
    location /plain/ {
        conflict lww;
        proxy_pass http://api;
    }
--- steps
my @pending = map { start('PUT', '/plain/' . $_ % 7, body => { n => $_ }) }
              1 .. 150;
my %status;

$status{finish($_)->{status}}++ for @pending;

is(sum(values %status), 150, 'all are answered');

my $r = route('/plain/', sub { $_[0]{writes} >= 150 });
is($r->{writes}, 150, 'writes of two workers');
is(now_in($r->{minutes}{writes}), 150, 'in the bin');
is(metric(http('GET', '/metrics')->{body}, 'writes_total',
          location => '/plain/', outcome => 'passed'), 150, 'metrics');


=== counts outlive a reload
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
stale('/plain/1', 2);
route('/plain/', sub { $_[0]{writes} == 3 });

reload();

is(route('/plain/')->{writes}, 3, 'all are there');
is(metric(http('GET', '/metrics')->{body}, 'writes_total',
          location => '/plain/', outcome => 'rejected'), 2, 'metrics');
is(scalar(@{ status()->{conflicts} }), 2, 'so are the conflicts');

PUT('/plain/2', { n => 1 });
is(route('/plain/', sub { $_[0]{writes} == 4 })->{writes}, 4,
   'new ones are added');


=== what was counted last is not forgotten when a worker ends
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
PUT('/plain/1', { n => 1 });

# before it has sent that to a store that is elsewhere

reload();

is(route('/plain/', sub { $_[0]{writes} == 1 })->{writes}, 1, 'it is there');


=== of a fleet
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
stale('/plain/1', 1);
route('/plain/', sub { $_[0]{writes} == 2 });

is(status()->{stores}[0]{counts_of}, $::Redis eq '' ? 'host' : 'fleet', 'of what');

SKIP: {
    skip 'there is only this host', 6 if $::Redis eq '';

    # what another host would add

    my ($bin) = grep { /:m:/ } @{ redis($::Redis, qw(KEYS conflict:{stats}:m:*)) };

    redis($::Redis, 'HINCRBY', 'conflict:{stats}:total', '0:1', 5);
    redis($::Redis, 'HINCRBY', $bin, '0:1', 5);

    is(route('/plain/')->{outcomes}{passed}, 6, 'all hosts together');
    is(now_in(route('/plain/')->{minutes}{writes}), 7, 'in the bins, too');
    is(metric(http('GET', '/metrics')->{body}, 'writes_total',
              location => '/plain/', outcome => 'passed'), 1,
       'metrics are of this host: Prometheus adds them up');

    for my $key (@{ redis($::Redis, qw(KEYS conflict:{stats}*)) }) {
        redis($::Redis, 'PTTL', $key) > 0 or fail("$key has no end");
    }

    # what is no count is no harm

    redis($::Redis, 'HSET', 'conflict:{stats}:total', 'x', 'y', '0:99', 'z',
          '5000:1', 7);
    redis($::Redis, 'XADD', 'conflict:audit', '*', 'line', 'no JSON');

    my $s = status();

    is($s->{routes}[0]{outcomes}{passed}, 6, 'what is wrong is left out');
    is(scalar(@{ $s->{conflicts} }), 1, 'also of the stream');
}


=== changes that did not come through here, and merges
--- config
    location /own/ {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict merge;
        conflict_field /tags union;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { n => 1 });
PUT('/own/1', { n => 2 });
set_doc('/own/1', { n => 3 });
GET('/own/1');

my $r = route('/own/', sub { $_[0]{actions}{conflict_external} == 1
                              && $_[0]{writes} == 1 });

is($r->{actions}{conflict_external}, 1, 'a read has found one');
is($r->{writes}, 1, 'which is no write');
like($r->{advice}{notes}, qr/^1 changes bypassed the proxy/m, 'a note');

set_doc('/plain/1', { title => 'a', tags => [] });
my $v = version(GET('/plain/1'));

PUT('/plain/1', { title => 'b', tags => ['x'], base_version => $v });
PUT('/plain/1', { title => 'a', tags => ['y'], base_version => $v });
PUT('/plain/1', { title => 'c', tags => ['y'], base_version => $v });

$r = route('/plain/', sub { $_[0]{writes} == 3 });

is($r->{actions}{conflict_merge}, 1, 'a merge');
is($r->{actions}{conflict_version}, 1, 'a clash');
is((grep { $_->{field} eq '/title' } @{ $r->{fields} })[0]{count}, 1,
   'the field that clashed');
like($r->{advice}{text}, qr/^Keep it: 1 stale writes were merged and 1 of 3/,
     'advice for a merge');


=== an API that does not answer the GET for a version
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location /plain/own/ {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
--- allow: does not have the version specified
--- steps
set_doc('/plain/own/1', { n => 1 });

is(PUT('/plain/1', { n => 2, base_version => 1 },
       'X-Up-Read: status=500')->{status}, 503, 'refused');
is(PUT('/plain/own/1', { n => 2, base_version => 1 })->{status}, 503,
   'so is one if the response has no version');

my $get = sub { status()->{stores}[0]{errors}{get} };

until_true { $get->() == 2 };
is($get->(), 2, 'which is counted');
is(log_count(qr!for the version of "/plain/1" has failed, its status is 500!),
   1, 'and logged');
is(status()->{stores}[0]{errors}{down}, 0, 'and not as an error of the store');
is(metric(http('GET', '/metrics')->{body}, 'store_errors_total',
          store => 'default', reason => 'get'), 2, 'metrics');


=== a store that is down
--- http_config
    conflict_store gone redis://127.0.0.1:1;
--- config
    location /plain/ {
        conflict version store=gone;
        proxy_pass http://api;
    }
    location /plain/pass/ {
        conflict version store=gone;
        conflict_store_error pass;
        proxy_pass http://api;
    }
--- allow: conflict store "gone"
--- steps
is(PUT('/plain/1', { n => 1 })->{status}, 503, 'refused');
is(PUT('/plain/pass/1', { n => 1 })->{status}, 201, 'passed');

my $r = route('/plain/pass/', sub { $_[0]{writes} == 1 });
my $s = status();
my ($gone) = grep { $_->{name} eq 'gone' } @{ $s->{stores} };

is($gone->{up}, JSON::PP::false, 'it is down');
like($gone->{error}, qr/./, 'why');
is($gone->{counts_of}, 'host', 'what is shown is what this host has counted');
is($gone->{errors}{down}, 2, 'requests that it did not answer');
is($r->{outcomes}{unchecked}, 1, 'a write that passed unchecked');
is($r->{actions}{conflict_unchecked}, 1, 'and its conflict');
like($r->{advice}{notes}, qr/^1 writes passed unchecked/, 'the advice says so');
is(route('/plain/')->{outcomes}{rejected}, 1, 'one that got 503');

my $m = http('GET', '/metrics')->{body};

is(metric($m, 'store_up', store => 'gone'), 0, 'metrics: down');
is(metric($m, 'store_errors_total', store => 'gone', reason => 'down'), 2,
   'metrics: errors');
is(promtool($m), '', 'promtool has nothing to say');


=== a second store that is up, and has no memory
--- http_config eval
"conflict_store full redis://127.0.0.1:$main::Full;\n"
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
    location /plain/full/ {
        conflict version store=full;
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location ~ ^(?<resource>/plain/full/.*)/lock$ {
        conflict version store=full;
        conflict_key $resource;
        conflict_lock get=off;
    }
--- steps
until_true { PUT('/plain/full/1', { n => 1 })->{status} =~ /^20/ };
redis($main::Full, qw(CONFIG SET maxmemory 1));

my $begun = time();

is(PUT('/plain/full/1', { n => 2 })->{status}, 503, 'a write is refused');
is(http('POST', "/plain/full/$_/lock")->{status}, 503, 'a lock as well')
    for 1 .. 5;
is(http('POST', '/plain/full/x', body => '{}', headers =>
        ["Idempotency-Key: key-of-one-request-$_"])->{status}, 503,
   'a request with a key, too')
    for 1 .. 5;
is(PUT('/plain/1', { n => 1 })->{status}, 201, 'the other store works');

my $r = route('/plain/', sub { $_[0]{outcomes}{passed} == 1 });
my ($full) = grep { $_->{name} eq 'full' } @{ status()->{stores} };

is($full->{up}, JSON::PP::true, 'it is up');
cmp_ok($full->{errors}{down}, '>=', 11, 'but refuses');
is($r->{advice}{level}, 'keep', 'the advice of the other one is there');

my $m = http('GET', '/metrics')->{body};

cmp_ok(metric($m, 'store_errors_total', store => 'full', reason => 'down'),
       '>=', 6, 'metrics: errors');
is(metric($m, 'store_errors_total', store => 'default', reason => 'down'), 0,
   'none of the other one');
cmp_ok(log_count(qr/rejected a call: OOM/), '<=',
       2 * (1 + (time() - $begun) / 10),
       'each worker logs it once in ten seconds');

# what this host has counted is not in the numbers of the store

my $uncounted = sub {
    my ($store) = grep { $_->{name} eq 'full' } @{ status()->{stores} };
    return $store->{uncounted};
};

until_true { $uncounted->() };
cmp_ok($uncounted->(), '>', 0, 'it does not take counts');
is(status()->{totals}{complete}, JSON::PP::false, 'the totals are not all');
like(http('GET', '/dashboard?view=badge')->{body},
     qr/unknown.*the store full does not take counts.*at least \d+</s,
     'nor is the widget green');

redis($main::Full, qw(CONFIG SET maxmemory 0));
until_true { PUT('/plain/full/1', { n => 3 })->{status} == 204 };
until_true { !$uncounted->() };
is($uncounted->(), 0, 'it has them all');
is(status()->{totals}{complete}, JSON::PP::true, 'and so have the totals');


=== an outcome that nobody knows, a write that waits, writes in flight
--- config
    location /plain/ {
        conflict version;
        conflict_wait 10s;
        conflict_quarantine 0;
        proxy_read_timeout 300ms;
        proxy_pass http://api;
    }
    location /plain/slow/ {
        conflict lww;
        conflict_wait 50ms;
        proxy_pass http://api;
    }
--- allow: upstream timed out|conflict_quarantine 0
--- steps
set_doc('/plain/1', { n => 1 });

is(http('PUT', '/plain/1', body => { n => 2 },
        headers => ['X-Up-Write: sleep=1'])->{status}, 504, 'no answer');
is(route('/plain/', sub { $_[0]{writes} == 1 })->{unknown_outcomes}, 1,
   'counted');

my $w = start('PUT', '/plain/slow/1', body => { n => 1 },
              headers => ['X-Up-Write: hold apply']);
begun(2);

is(status()->{writes_in_flight}, 1, 'in flight');

SKIP: {
    skip 'Redis does not tell', 1 if $::Redis ne '';
    is((grep { $_->{name} eq 'default' } @{ status()->{stores} })[0]{leases},
       1, 'a lease of the store');
}

PUT('/plain/slow/1', { n => 2 });
release();
finish($w);

my $r = route('/plain/slow/', sub { $_[0]{writes} == 2 });

is($r->{waited}, 1, 'one waited');
cmp_ok($r->{wait_ms}, '>=', 50, 'for so long');
is(until_true { status()->{writes_in_flight} == 0 }, 1, 'none in flight');


=== whatever clients send is text
--- config
    location /plain/ {
        conflict version;
        conflict_client $http_x_client;
        conflict_key $uri;
        proxy_pass http://api;
    }
    location /plain/any/ {
        conflict version;
        conflict_entity $http_x_entity;
        proxy_pass http://api;
    }
--- steps
my $evil = '"}]<script>alert(1)</script>\\' . "\xff\xc3";

stale('/plain/%22%3E%3Cb%3E%0A%09x', 1, "X-Client: $evil");
PUT('/plain/any/1', { n => 1 }, "X-Entity: $evil");

my $s;
until_true { @{ ($s = status())->{conflicts} } == 1
             && @{ $s->{routes} } == 2 };

like($s->{conflicts}[0]{client_origin}, qr/^"\}\]<script>/, 'a client');
is($s->{conflicts}[0]{entity_id}, "/plain/\"><b>\n\tx", 'a path');
is($s->{resources}[0]{resource}, 'localhost/plain/"><b>??x',
   'a resource, without control characters');
like((grep { $_->{location} eq '/plain/any/' } @{ $s->{routes} })[0]{entity},
     qr/^"\}\]<script>alert\(1\)<\/script>\\/, 'an entity');
is(promtool(http('GET', '/metrics')->{body}), '', 'metrics');
is(json(http('GET', '/dashboard?format=json'))->{host}, $s->{host},
   'the same for the page');

# what is too long is cut, and still a line

my $long = 'y' x 1500;
stale("/plain/$long", 1, 'X-Client: ' . 'z' x 2000);
until_true { @{ ($s = status())->{conflicts} } == 2 };

my ($line) = grep { ($_->{entity_id} // '') =~ /yyy/ } @{ $s->{conflicts} };

is($line->{action}, 'conflict_version', 'a long line is there');
like($line->{entity_id}, qr!^/plain/y{200}!, 'with what fits');


=== nor is it a directive of SSI
--- config
    ssi on;
    ssi_types *;
    location /plain/ {
        conflict version;
        conflict_entity $http_x_entity;
        proxy_pass http://api;
    }
    location = /inside {
        internal;
        return 200 INSIDE;
    }
--- steps
PUT('/plain/1', { n => 1 }, "X-Entity: <!--#include virtual='/inside' -->");
until_true { @{ status()->{routes} } == 1 };

for my $path ('/metrics', '/status', '/dashboard', '/dashboard?format=json',
              '/dashboard?view=badge&entity=%3C!--%23include%20virtual=%27'
              . '/inside%27%20--%3E')
{
    my $r = GET($path);
    is($r->{status}, 200, $path);
    unlike($r->{body}, qr/INSIDE/, 'without what is inside');
}

my $r = GET('/metrics', 'Accept-Encoding: gzip');
like($r->{body}, qr/entity="\?!--#include virtual=/, 'the label');
is(promtool($r->{body}), '', 'metrics');


=== more routes than there is room for
--- config
    location /plain/ {
        conflict lww;
        conflict_entity $arg_e;
        proxy_pass http://api;
    }
--- steps
PUT("/plain/1?e=e$_", { n => $_ }) for 1 .. 200;

my @routes;

until_true {
    @routes = grep { $_->{entity} =~ /^(e\d+|\(others\))$/ }
              @{ status()->{routes} };
    sum(map { $_->{writes} } @routes) == 200;
};

is(sum(map { $_->{writes} } @routes), 200, 'each is counted');
is(scalar(@routes), 192, 'but not all by name');

my ($rest) = grep { $_->{entity} eq '(others)' } @routes;
is($rest->{writes}, 9, 'the last ones together');
is($rest->{advice}, undef, 'which no one policy could suit');


=== a killed worker tears nothing
--- config
    location /plain/ {
        conflict version;
        conflict_lease 100ms;
        conflict_quarantine 100ms;
        proxy_pass http://api;
    }
    location /lm/ {
        conflict version;
        proxy_pass http://api;
    }
--- allow: exited on signal 9|was locked by
--- steps
set_doc('/plain/1', { n => 1 });

for my $point (1 .. 40) {
    PUT('/plain/1', { n => $point, base_version => 1 },
        "X-Conflict-Failpoint: $point");
    until_true { GET('/ping')->{status} == 200 };
}

my $killed = () = error_log()
                  =~ /exited on signal 9/g;

cmp_ok($killed, '>', 1, 'at many points');

my $before = until_true { my $r = route('/plain/'); $r && $r->{writes} };

PUT('/plain/2', { n => 1 });
cmp_ok(route('/plain/', sub { $_[0]{writes} > $before })->{writes}, '>',
       $before, 'it goes on');

PUT('/lm/1', { n => 1 });
is(route('/lm/', sub { $_[0]{writes} })->{writes}, 1, 'so does another route');
is(promtool(http('GET', '/metrics')->{body}), '', 'metrics');
is(until_true { status()->{writes_in_flight} == 0 }, 1,
   'what the dead had in flight is not counted');


=== who may see which form
--- config
    conflict version;

    location / {
        proxy_pass http://api;
    }
    location = /page { conflict_status; }
    location = /html { conflict_status html; }
    location = /status { conflict_status json; }
    location = /metrics { conflict_status prometheus; }
--- steps
my %type = (
    '/page' => 'text/html; charset=utf-8',
    '/html' => 'text/html; charset=utf-8',
    '/page?format=html' => 'text/html; charset=utf-8',
    '/page?format=json' => 'application/json',
    '/status' => 'application/json',
    '/status?format=json' => 'application/json',
    '/metrics?format=prometheus' =>
        'text/plain; version=0.0.4; charset=utf-8',
);

for my $path (sort keys %type) {
    my $r = GET($path);

    is($r->{status}, 200, $path);
    is(header($r, 'Content-Type'), $type{$path}, "$path: type");
    is(header($r, 'Cache-Control'), 'no-store', "$path: not to be kept");
    is(header($r, 'X-Content-Type-Options'), 'nosniff', "$path: nosniff");
    is(header($r, 'Conflict'), undef, "$path: not guarded itself");
    is(length($r->{body}), header($r, 'Content-Length'), "$path: length");

    my $h = HEAD($path);
    is($h->{status}, 200, "$path: HEAD");
    is($h->{body}, '', "$path: no body then");
}

is(GET($_)->{status}, 400, "$_: not there")
    for '/page?format=xml', '/page?format=prometheus', '/page?format=',
        '/status?format=html', '/metrics?format=json', '/metrics?format=html';

is(http($_, '/page')->{status}, 405, "$_: not allowed")
    for 'POST', 'PUT', 'DELETE';

my $r = GET('/page');
my $policy = header($r, 'Content-Security-Policy');
my ($nonce) = $policy =~ /script-src 'nonce-(\w{32})'/;

like($policy, qr/default-src 'none'/, 'nothing but what is named');
unlike($policy, qr/unsafe|\*/, 'and strictly');
is(scalar(() = $r->{body} =~ /nonce="$nonce"/g), 2, 'the script, the style');
unlike($r->{body}, qr/\@(NONCE|CSS|JS)\@/, 'all is in its place');
unlike($r->{body}, qr/(src|href)="(?!data:,|#|' \+ here)/,
       'nothing from elsewhere');
isnt(header(GET('/page'), 'Content-Security-Policy'), $policy,
     'another one each time');


=== names of fields that JSON escapes
--- config
    location /plain/ {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', '{"say \"\\\\":1,"a<b":1,"\u00e9":1}');
PUT('/plain/1', '{"say \"\\\\":2,"a<b":2,"\u00e9":2,"base_version":1}');

my $r = route('/plain/', sub { @{ $_[0]{fields} } == 3 });

is_deeply([sort map { $_->{field} } @{ $r->{fields} }],
          [sort '/say "\\', '/a<b', "/\xc3\xa9"], 'as they are');
is_deeply([sort @{ (conflicts())[0]{fields} }],
          [sort '/say "\\', '/a<b', "/\xc3\xa9"], 'and in the log');
