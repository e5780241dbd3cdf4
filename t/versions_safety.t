# conflict_versions: nobody gets a body, or a name, of somebody else.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Versions;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
add_block_preprocessor(\&configure);

run_tests();

__DATA__

=== every view has its own body
--- steps
set_doc('/view/1', { id => 1, salary => 5000 });

my @boss = ('Authorization: Bearer boss');
my @clerk = ('Authorization: Bearer clerk');
my @few = (@boss, 'X-Fields: id');

my $v = version(GET('/view/1', @boss));

GET('/view/1', @clerk);
is(PATCH('/view/1', { id => 2, base_version => $v }, @boss)->{status}, 204,
   'another version');

until_true { body('/view/1', $v, @clerk)->{status} == 200 };
is(json(body('/view/1', $v, @boss))->{salary}, 5000, 'who has seen it');
is(json(body('/view/1', $v, @clerk))->{salary}, undef, 'who has not');
is(body('/view/1', $v, @few)->{status}, 404, 'a field in Vary');
is(body('/view/1', $v, 'X-User: boss')->{status}, 404, 'nobody else');
is(body('/view/1', $v, @boss, 'Accept: text/html')->{status}, 404,
   'another representation');
is(body('/view/1', $v, @boss, 'Cookie: a=b')->{status}, 404,
   'another session');
is(GET("/view/1/versions?conflict_version=$v&x=1", @boss)->{status}, 200,
   'arguments are those of the endpoint');


=== who may not see the resource any more gets nothing
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1', ann()));
PUT('/plain/1', { n => 2, base_version => $v }, ann());

is(body('/plain/1', $v, ann())->{status}, 200, 'she may');

for my $status (401, 403, 404, 410) {
    for my $path ('versions', "versions?conflict_version=$v") {
        my $r = GET("/plain/1/$path", ann(), "X-Up-Read: status=$status");
        is($r->{status}, $status, "$path: what the API says");
        unlike($r->{raw}, qr/ann|laptop|$v/, 'and nothing else');
    }
}

for my $fault ('status=500', 'status=302', 'close',
               'apply header=Age:7')
{
    my $r = body('/plain/1', $v, ann(), "X-Up-Read: $fault");
    is($r->{status}, 503, "$fault: unknown");
    is(json($r)->{error}, 'store_unavailable', 'why');
}

is(versions('/plain/2', ann())->{status}, 404, 'nor is there another one');
is(body('/plain/1', $v, ann())->{status}, 200, 'she may again');


=== what counts is what an X-Accel-Redirect leads to
--- more
    location = /denied { internal; deny all; }
    location = /none { internal; return 404; }
    location = /moved { internal; return 302 /x; }
    location = /here { internal; default_type application/json;
                       return 200 '{"n":7}'; }
    location ~ ^(?<locked>/.*)/lock$ {
        conflict_key $locked;
        conflict_lock;
    }
    location = /events { conflict_events; }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1', ann()));
PUT('/plain/1', { n => 2, base_version => $v }, ann());

for my $one (['/denied', 403], ['/none', 404], ['/moved', 503], ['/here', 200])
{
    my ($to, $status) = @$one;
    my @args = (ann(), "X-Up-Read: apply header=X-Accel-Redirect:$to");

    for my $path ('versions', "versions?conflict_version=$v") {
        is(GET("/plain/1/$path", @args)->{status}, $status, "$path: $to");
    }

    my $gone = $status == 404 ? 200 : $status;

    is(GET('/plain/1/lock', @args)->{status}, $gone, 'the lock');
    is(GET('/events?poll=1&resource=/plain/1', @args)->{status}, $gone,
       'changes');

    my $r = PUT('/plain/1', { n => 3, base_version => $v }, @args);
    is($r->{status}, 409, 'a stale write');
    is(json($r)->{server_version}{n}, $status == 200 ? 7 : undef, 'the body');
    is(defined json($r)->{version}, $status == 200, 'the version');
    is(json($r)->{deleted}, $status == 404 ? JSON::PP::true : undef,
       'whether it is there');
}


=== what no credentials tell apart is given to nobody
--- more
    location ~ ^/open(?<open>/.*)$ {
        conflict_key $open;
        conflict_versions public;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { n => 2, base_version => $v }, 'X-Client: kiosk');

is(lines(1, '/plain/1'), '- kiosk PUT 7', 'a list, without bodies');
is(body('/plain/1', $v)->{status}, 404, 'callers without a name');
is(body('/plain/1', $v, 'Cookie: theme=dark')->{status}, 404,
   'a cookie may be anything');
is(GET("/open/plain/1?conflict_version=$v")->{status}, 200,
   'unless the resource is public');


=== what the filters of a location may hide is not given
--- rules
    sub_filter_types application/json;
    sub_filter secret ***;
--- steps
set_doc('/plain/1', { n => 'secret' });

my $v = version(GET('/plain/1', ann()));
is(body('/plain/1', $v, ann())->{status}, 404, 'not as the upstream sent it');
is(json(versions('/plain/1', ann()))->{versions}[0]{held}, JSON::PP::false,
   'nor is it in the list');

# the filters have nothing to hide in the current one

PUT('/plain/1', { n => 1, base_version => $v }, ann());
is(GET('/plain/1', ann())->{body}, '{"n":1}', 'not changed');
is(body('/plain/1', $v, ann())->{status}, 404, 'but the earlier one would be');


=== what filters do to other responses tells nothing
--- rules
    sub_filter_types application/json;
    sub_filter secret ***;
--- steps
set_doc('/plain/1', { n => 'secret' });

my $v = version(GET('/plain/1', ann()));
PUT('/plain/1', { n => 1, base_version => $v }, ann());

for my $now ('status=204', 'type=text/plain') {
    my @now = (ann(), "X-Up-Read: $now");

    is(body('/plain/1', $v, @now)->{status}, 404, "$now: not given");
    is(scalar(grep { $_->{held} } list('/plain/1', @now)), 0, 'nor held');
}


=== requests of all kinds
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1', ann()));

for my $bad ('', 0, -1, '1.5', '1e3', '0x10', '01', 'abc', '%00', '%22',
             9007199254740992, 18446744073709551616, '9' x 4000, "$v%20",
             "$v,$v", '%F0%28', '..%2f', '{', 'x' x 100)
{
    my $r = body('/plain/1', $bad, ann());
    is($r->{status}, 400, 'not a version: ' . substr($bad, 0, 20));
    is(json($r)->{error}, 'malformed_version', 'why');
}

is(body('/plain/1', $_, ann())->{status}, 404, "$_ is none")
    for 1, $v + 1, 9007199254740991;
is(GET('/plain/1/versions?Conflict_Version=%31', ann())->{status}, 404,
   'escaped');
is(GET("/plain/1/versions?conflict_version=$v&conflict_version=x",
       ann())->{status}, 200, 'the first counts');

for my $method (qw(PUT POST DELETE PATCH FOO)) {
    my $r = http($method, '/plain/1/versions', headers => [ann()]);
    is($r->{status}, 405, "$method is not for a list");
    is(header($r, 'Allow'), 'GET, HEAD, OPTIONS', 'but these');
    is(json($r)->{error}, 'method_not_allowed', 'why');
}

my $r = http('OPTIONS', '/plain/1/versions', headers => [ann()]);
is("$r->{status} " . header($r, 'Allow'), '204 GET, HEAD, OPTIONS', 'options');

$r = HEAD("/plain/1/versions?conflict_version=$v", ann());
is($r->{status}, 200, 'HEAD');
is(header($r, 'Content-Length'), 7, 'how long');
is($r->{body}, '', 'no more');

$r = body('/plain/1', $v, ann(), qq(If-None-Match: "$v"), 'If-Match: "1"',
          'Range: bytes=0-1');
is("$r->{status} $r->{body}", '200 {"n":1}', 'conditions do not matter');

$r = body('/plain/1', $v, 'X-User: ann', 'Accept-Encoding: gzip');
is($r->{status}, 200, 'nor does what is not a view');


=== from another origin
--- steps
my $page = 'Origin: https://app.example';
my $says = 'header=Access-Control-Allow-Origin:https://app.example';

set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1', ann(), $page));
my $r = http('OPTIONS', '/plain/1/versions', headers => [
    $page, 'Access-Control-Request-Method: GET',
    'Access-Control-Request-Headers: x-user,x-client',
    "X-Up-Read: status=204 $says header=Access-Control-Allow-Headers:X-User"]);

is("$r->{status} " . header($r, 'Allow'), '204 GET, HEAD, OPTIONS',
   'a preflight');
is(header($r, 'Access-Control-Allow-Methods'), 'GET, HEAD, OPTIONS', 'methods');
is(header($r, 'Access-Control-Allow-Origin'), 'https://app.example', 'origin');

for my $path ('versions', "versions?conflict_version=$v",
              'versions?conflict_version=17')
{
    $r = GET("/plain/1/$path", ann(), $page, "X-Up-Read: apply $says");
    is(header($r, 'Access-Control-Allow-Origin'), 'https://app.example',
       "$path: as the API says");
    $r = GET("/plain/1/$path", ann(), $page);
    is(header($r, 'Access-Control-Allow-Origin'), undef, 'or does not');
}


=== targets that differ from the key
--- more
    location /plain/part/ {
        conflict version;
        conflict_key part:$arg_id;
        conflict_history 8 versions;
        proxy_pass http://api;
    }
    location ~ ^/parts/(?<part>[^/]+)$ {
        conflict_key part:$part;
        conflict_versions get=/plain/part/?id=$part;
    }
    location ~ ^/blank/(?<any>.*)$ {
        conflict_key $any;
        conflict_versions;
    }
--- steps
for my $path ('/plain/a%20b', '/plain/%C3%A9', '/plain/a+b&c') {
    PUT($path, { n => 1 }, ann());

    my $v = version(GET($path, ann()));
    is(body($path, $v, ann())->{body}, '{"n":1}', "$path: a path");
}

set_doc('/plain/part/', { n => 1 });

my $v = version(GET('/plain/part/?id=7', ann()));
PUT('/plain/part/?id=7', { n => 2, base_version => $v }, ann());

is(GET("/parts/7?conflict_version=$v", ann())->{body}, '{"n":1}', 'arguments');
is(GET("/parts/8?conflict_version=$v", ann())->{status}, 404,
   'of another resource');

my $r = GET('/blank/x', ann());
is("$r->{status} " . json($r)->{error}, '500 versions_target_unknown',
   'no path');
is(GET('/blank/', ann())->{status}, 404, 'no key');
is(log_count(qr/is not a path: "x"/), 1, 'and the log says so');


=== names of any kind
--- steps
my $client = qq("<b>\xc3\xa9\xff 1 2 3,) . 'x' x 3000;

set_doc('/plain/1', { n => 1 });
PUT('/plain/1', { n => 2 }, 'X-User: 7 7 7', "X-Client: $client");
PUT('/plain/1', { n => 3 }, 'X-User: ' . 'u' x 200, 'X-Client: 1 2 3');
until_true { 2 == grep { !$_->{unknown} } list('/plain/1', ann()) };

my @list = list('/plain/1', ann());

is("$list[0]{user} $list[0]{client}", 'u' x 112 . ' 1 2 3', 'a long one');
is($list[1]{user}, '7 7 7', 'digits and spaces');
like($list[1]{client}, qr/^"<b>.* 1 2 3,x+$/s, 'any bytes');


=== a worker that dies tells nobody's name
--- allow: exited on signal 9|was locked by
--- rules
    conflict_lease 300ms;
    conflict_quarantine 100ms;
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1', ann()));
my $lost = start('PUT', '/plain/1', body => { n => 2, base_version => $v },
                 headers => [ann(), 'X-Up-Write: hold apply']);
begun(1);

my @old = workers_of(master_pid());
kill 'KILL', @old;
release();
applied(1);

my $w;
until_true { $w = version(GET('/plain/1', bob())); $w && $w != $v };
is(json(GET('/plain/1', bob()))->{n}, 2, 'it was done');

my @list = list('/plain/1', bob());
is($list[0]{version}, $w, 'a version');
is(line($list[0]), '- - - - held unknown', 'of unknown origin');
is(scalar(grep { $_->{user} } @list), 0, 'for all');


=== a worker that is killed anywhere
--- rules
    conflict_lease 100ms;
    conflict_quarantine 100ms;
--- allow: exited on signal 9|was locked by
--- steps
my ($point, $hit, @bad) = (0, 1);

while ($hit) {
    my $path = '/plain/k' . ++$point;
    my $r = PUT($path, { by => 'ann' }, ann(),
                "X-Conflict-Failpoint: $point");

    $hit = $r->{status} == 0;

    until_true { PUT($path, { by => 'bob' }, bob())->{status} == 204 };

    # each has written what the list says

    until_true { $r = versions($path, bob()); $r->{status} == 200 };

    for my $one (@{ json($r)->{versions} }) {
        my $user = $one->{user} or next;
        my $body = body($path, $one->{version}, "X-User: $user");

        push @bad, "$point: $user $body->{body}"
            if $body->{status} != 200 || json($body)->{by} ne $user;
    }

    push @bad, "$point: nothing" unless @{ json($r)->{versions} };
}

cmp_ok($point, '>', 5, 'several points') if $Conflict::Store eq 'shm';
is_deeply(\@bad, [], 'nobody is said to have written what another one has');
