# conflict_versions: who has made which version, and the bodies of versions that
# the caller was shown or has written.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();

add_block_preprocessor(sub {
    my $block = shift;

    my $rules = $block->rules || '';
    my $policy = $block->policy || 'version';
    my $versions = $block->versions || '';
    my $history = $block->history || '8 versions';

    s/\s+\z// for $policy, $versions, $history;

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "conflict_wait 5s;\n"
                      . "location / { conflict $policy;\n"
                      . "conflict_history $history;\n"
                      . "$rules proxy_pass http://api; }\n"
                      . ($block->more || '')
                      . "location ~ ^(?<resource>/.*)/versions\$ {\n"
                      . "conflict_key \$resource;\n"
                      . ($block->own || '')
                      . "conflict_versions $versions;\n}\n");
});

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }

sub doc { JSON::PP->new->decode(upstream("/_doc?path=$_[0]")) }

# the endpoint of a resource: its list, and the body of a version

sub versions { GET("$_[0]/versions", @_[1 .. $#_]) }
sub list { @{ json(versions(@_))->{versions} } }
sub body {
    my ($path, $version, @headers) = @_;

    return GET("$path/versions?conflict_version=$version", @headers);
}

# a version in one line

sub line {
    my ($one) = @_;

    return join ' ', (map { $_ // '-' } @$one{qw(user client method size)}),
                grep { $one->{$_} } qw(held deleted external unknown);
}

# Redis may hear of a write later than its client of the response

sub lines {
    my ($n, @args) = @_;
    my @list;

    until_true { @list = list(@args);
                 $n == grep { !$_->{unknown} } @list };

    return join ', ', map { line($_) } @list;
}

run_tests();

__DATA__

=== who, when and what, and an old body
--- steps
set_doc('/plain/1', { n => 1 });

my $v1 = version(GET('/plain/1', ann()));
my $r = PUT('/plain/1', { n => 2, base_version => $v1 }, ann());
is($r->{status}, 204, 'ann writes');

my $v2 = version($r);
$r = PUT('/plain/1', { n => 3, base_version => $v2 }, bob());
is($r->{status}, 204, 'bob writes');

my $v3 = version($r);

is(lines(2, '/plain/1', ann()),
   'bob phone PUT 7, ann laptop PUT 7 held, - - - - held unknown',
   'the list: what ann holds');
is(lines(2, '/plain/1', bob()), 'bob phone PUT 7 held, ann laptop PUT 7',
   'and what bob does');

$r = versions('/plain/1', ann());
is($r->{status}, 200, 'its status');
is(header($r, 'Content-Type'), 'application/json', 'its type');
is(header($r, 'Cache-Control'), 'no-store', 'not to be stored');
is(header($r, 'ETag'), undef, 'no tag');
is(header($r, 'Conflict'), undef, 'nor a version of its own');
is(json($r)->{resource}, '/plain/1', 'which resource');
is(json($r)->{current}, $v3, 'which is current');
is_deeply([map { $_->{version} } @{ json($r)->{versions} }], [$v3, $v2, $v1],
          'newest first');
like(json($r)->{versions}[0]{changed_at},
     qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/, 'when');

$r = body('/plain/1', $v1, ann());
is($r->{status}, 200, 'the body that ann was shown');
is($r->{body}, '{"n":1}', 'byte for byte');
is(header($r, 'Content-Type'), 'application/json', 'its type');
is(header($r, 'Cache-Control'), 'no-store', 'not to be stored');
is(header($r, $_), undef, "no $_") for qw(ETag Conflict Last-Modified);
is(body('/plain/1', $v2, ann())->{body}, '{"n":2}', 'one that ann has sent');

for my $v ($v1, $v2) {
    $r = body('/plain/1', $v, bob());
    is($r->{status}, 404, 'bob was shown neither');
    is(json($r)->{error}, 'version_not_held', 'why');
}

is(body('/plain/1', $v3, ann())->{status}, 404, 'nor ann the last one');
is(GET('/plain/1', ann())->{body}, '{"n":3}', 'until she reads it');
until_true { body('/plain/1', $v3, ann())->{status} == 200 };
is(body('/plain/1', $v3, ann())->{body}, '{"n":3}', 'then she has it');

# the answers about a version that is gone and one of others are equal

my ($gone, $others) = map { my $r = body('/plain/1', $_, bob());
                            $r->{body} } $v1, 17;
is($gone, $others, 'no oracle');

# undo: a guarded PUT of an old body, on the current version

is(PUT('/plain/1', json(body('/plain/1', $v1, ann())), ann(),
       qq(If-Match: "$v2"))->{status}, 409, 'not over what came since');
is(PUT('/plain/1', json(body('/plain/1', $v1, ann())), ann(),
       qq(If-Match: "$v3"))->{status}, 204, 'undo');
is(doc('/plain/1')->{n}, 1, 'is done');
is(lines(3, '/plain/1', ann()),
   'ann laptop PUT 7 held, bob phone PUT 7 held, ann laptop PUT 7 held, '
   . '- - - - held unknown', 'and is a version as any other');


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


=== deleted, and made anew
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1', ann()));

is(DELETE('/plain/1', bob(), qq(If-Match: "$v"))->{status}, 204, 'deleted');
is(versions('/plain/1', ann())->{status}, 404, 'then there is nothing');
is(body('/plain/1', $v, ann())->{status}, 404, 'nor a body');
is(PUT('/plain/1', { n => 2 }, ann(), 'If-None-Match: *')->{status}, 201,
   'again');
is(lines(2, '/plain/1', ann()),
   'ann laptop PUT 7 held, bob phone DELETE - deleted, '
   . '- - - - held unknown', 'the list shows it');
is(body('/plain/1', $v, ann())->{body}, '{"n":1}', 'what was there before');


=== a MOVE, and a COPY
--- rules
    conflict_methods PUT DELETE MOVE COPY;
--- steps
set_doc('/plain/1', { n => 1 });

my $to = 'Destination: http://localhost/plain/';

is(http('COPY', '/plain/1', headers => [ann(), "${to}2"])->{status}, 201,
   'copied');
is(http('MOVE', '/plain/1', headers => [bob(), "${to}3"])->{status}, 201,
   'moved');
GET('/plain/2', ann());
GET('/plain/3', ann());
until_true { lines(1, '/plain/2', ann()) =~ /COPY/ };
like(lines(1, '/plain/2', ann()), qr/^ann laptop COPY - held/, 'who copied');
like(lines(1, '/plain/3', ann()), qr/^bob phone MOVE - held/, 'who moved');
PUT('/plain/1', { n => 9 }, ann());
like(lines(2, '/plain/1', ann()),
     qr/^ann laptop PUT 7 held, bob phone MOVE - deleted/, 'where from');


=== how many
--- history: 3 versions
--- steps
set_doc('/plain/1', { n => 0 });

my @v = version(GET('/plain/1', ann()));

for my $n (1 .. 5) {
    my $r = PUT('/plain/1', { n => $n, base_version => $v[-1] }, ann());
    push @v, version($r);
}

until_true { json(versions('/plain/1', ann()))->{current} == $v[-1]
             && !(list('/plain/1', ann()))[0]{unknown} };
is_deeply([map { $_->{version} } list('/plain/1', ann())],
          [reverse @v[3 .. 5]], 'the last three');
is(body('/plain/1', $v[2], ann())->{status}, 404, 'earlier ones are gone');
is(body('/plain/1', $v[3], ann())->{body}, '{"n":3}', 'the third one is not');


=== how long
--- history: 8 ttl=1s versions
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1', ann()));
my $w = version(PUT('/plain/1', { n => 1, base_version => $v }, ann()));

until_true { (list('/plain/1', ann()))[0]{unknown} };
until_true { body('/plain/1', $v, ann())->{status} == 404 };
is(lines(0, '/plain/1', ann()), '- - - - unknown', 'until it is over');
is(json(versions('/plain/1', ann()))->{current}, $w, 'but it is the same');


=== a large body takes the room of older ones, not their notes
--- rules
    conflict_max_body 1k;
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1', ann()));
my $pad = 'x' x 600;

$v = version(PUT('/plain/1', { n => 1, pad => $pad, base_version => $v },
                 ann()));
my $w = version(PUT('/plain/1', { n => 2, pad => $pad, base_version => $v },
                    ann()));

is(lines(2, '/plain/1', ann()),
   'ann laptop PUT 616 held, ann laptop PUT 616', 'no room for both');
is(body('/plain/1', $v, ann())->{status}, 404, 'the older one is gone');
is(json(body('/plain/1', $w, ann()))->{n}, 2, 'the last one is not');


=== a zone that is too small for all
--- http_config eval
Conflict::store('small') =~ s/zone=1m/zone=1m history=256k/r
--- more
    location /plain/small/ {
        conflict version store=small;
        conflict_history 8 versions;
        proxy_pass http://api;
    }
    location ~ ^/small(?<small>/.*)$ {
        conflict version store=small;
        conflict_key $small;
        conflict_versions;
    }
--- steps
for my $n (1 .. 40) {
    is(PUT("/plain/small/$n", { pad => 'x' x 20000 }, ann())->{status}, 201,
       'a write');
}

my $r = GET('/small/plain/small/1', ann());
is($r->{status}, 200, 'a list');
ok(json($r)->{current}, 'which knows the version');
is(json(GET('/small/plain/small/40', ann()))->{versions}[0]{user}, 'ann',
   'and who made the last one');


=== merges
--- policy: merge
--- steps
set_doc('/plain/1', { a => 1, b => 1 });

my $v = version(GET('/plain/1', ann()));

GET('/plain/1', bob());
PUT('/plain/1', { a => 2, b => 1, base_version => $v }, ann());
my $r = PUT('/plain/1', { a => 1, b => 2, base_version => $v }, bob());
like(header($r, 'Conflict'), qr/^merged/, 'merged');

my $w = version($r);

like(lines(2, '/plain/1', bob()), qr/^bob phone PUT \d+ held, ann laptop/,
     'who');
is(json(body('/plain/1', $w, bob()))->{a}, 2, 'with what came in');
is(body('/plain/1', $w, ann())->{status}, 404, 'not hers');

# a patch is no document

$r = http('PATCH', '/plain/1', body => qq({"a":3,"base_version":$w}),
          headers => [ann(), 'Content-Type: application/merge-patch+json']);
$v = version($r);
is($r->{status}, 204, 'a patch');
like(lines(3, '/plain/1', ann()), qr/^ann laptop PATCH \d+, bob/, 'is listed');
is(body('/plain/1', $v, ann())->{status}, 404, 'but its body is not the whole');
is(json(GET('/plain/1', ann()))->{a}, 3, 'a GET shows it');
until_true { body('/plain/1', $v, ann())->{status} == 200 };
is(json(body('/plain/1', $v, ann()))->{b}, 2, 'from then on it is held');


=== versions of the upstream, and changes that bypass the module
--- rules
    conflict_version json:/version;
    conflict_base json:/version;
--- own
    conflict_version json:/version;
--- steps
set_doc('/own/1', { n => 1 });
GET('/own/1', ann());

my $r = PUT('/own/1', { n => 2, version => 1 }, ann());
is($r->{status}, 200, 'a write');

like(lines(1, '/own/1', ann()), qr/^ann laptop PUT \d+ held, - - - - held/,
     'who');
is(json(body('/own/1', 1, ann()))->{n}, 1, 'the first');

set_doc('/own/1', { n => 3 });
is(json(GET('/own/1', ann()))->{version}, 3, 'a change from elsewhere');
is(PUT('/own/1', { n => 4, version => 2 }, ann())->{status}, 409, 'stale');
until_true { lines(2, '/own/1', ann()) =~ /external/ };
like(lines(2, '/own/1', ann()),
     qr/^- - - - held external, ann laptop PUT \d+ held, - - - - held unknown$/,
     'nobody is said to have made it');
is(json(body('/own/1', 3, ann()))->{n}, 3, 'its body');


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


=== the row of an envelope, without an injected version
--- rules
    conflict_latest fetch root=/data;
    conflict_inject json:/data/version;
--- steps
set_doc('/row/1', { n => 1 });

my $r = GET('/row/1', ann());
my $v = version($r);
is(json($r)->{data}{version}, $v, 'as clients see it');
is(body('/row/1', $v, ann())->{body}, '{"n":1}', 'as they would write it');


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


=== after a reload, and without notes
--- history: 8
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1', ann()));
my $w = version(PUT('/plain/1', { n => 2, base_version => $v }, ann()));

is(lines(0, '/plain/1', ann()), '- - - - unknown',
   'a location that keeps nothing');

edit_conf('conflict_history 8;', 'conflict_history 8 versions;');
reload();

my $x = version(PUT('/plain/1', { n => 3, base_version => $w }, ann()));
is(lines(1, '/plain/1', ann()), 'ann laptop PUT 7 held', 'one that does');

reload();
is(lines(1, '/plain/1', ann()), 'ann laptop PUT 7 held', 'still there');
is(body('/plain/1', $x, ann())->{body}, '{"n":3}', 'with its body');


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
