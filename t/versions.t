# conflict_versions: who has made which version, and the bodies of versions that
# the caller was shown or has written.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Versions;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
add_block_preprocessor(\&configure);

sub doc { JSON::PP->new->decode(upstream("/_doc?path=$_[0]")) }

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


=== what a refusal has shown
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1', ann()));
my $w = version(PUT('/plain/1', { n => 2, base_version => $v }, bob()));

is(body('/plain/1', $w, ann())->{status}, 404, 'she has not seen it');

my $r = PUT('/plain/1', { n => 3, base_version => $v }, ann());
is(json($r)->{server_version}{n}, 2, 'a refusal shows it');
until_true { body('/plain/1', $w, ann())->{status} == 200 };
is(body('/plain/1', $w, ann())->{body}, '{"n":2}', 'from then on it is hers');
is(lines(1, '/plain/1', ann()), 'bob phone PUT 7 held, - - - - held unknown',
   'and the refused write is no version');


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
for my $old ($v, $w) {
    until_true { body('/plain/1', $old, ann())->{status} == 404 };
}

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


=== an API that compresses
--- more
    location /zip/ {
        conflict merge;
        conflict_history 8 versions;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT2/plain/;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;

        gzip on;
        gzip_types application/json;
        gzip_min_length 1;
        gzip_http_version 1.0;
        gzip_proxied any;

        location / {
            proxy_pass http://api;
        }
    }
--- steps
set_doc('/plain/1', { a => 1, b => 1 });

my $port2 = $ENV{TEST_NGINX_PORT2};
my @zip = (headers => ['Accept-Encoding: gzip', ann()]);

is(header(http('GET', '/plain/1', port => $port2, @zip), 'Content-Encoding'),
   'gzip', 'it does');

my $r = http('GET', '/zip/1', @zip);
my $v = version($r);
is(header($r, 'Content-Encoding'), undef, 'is not asked to');
is(PUT('/zip/1', { a => 2, b => 1, base_version => $v }, bob())->{status},
   204, 'another change');

is(json(body('/zip/1', $v, 'Accept-Encoding: gzip', ann()))->{a}, 1,
   'its bodies are kept');
$r = PUT('/zip/1', { a => 1, b => 2, base_version => $v }, ann());
like(header($r, 'Conflict'), qr/^merged/, 'and merged');
is(json(upstream('/_doc?path=/plain/1'))->{a}, 2, 'with all changes');


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


=== versions of the upstream that are no numbers
--- rules
    conflict_version header:ETag;
--- own
    conflict_version header:ETag;
--- steps
set_doc('/etag/1', { n => 1 });
is(header(GET('/etag/1', ann()), 'ETag'), '"e1"', 'a tag');
is(PUT('/etag/1', { n => 2 }, ann(), 'If-Match: "e1"')->{status}, 200, 'a write');
is(lines(1, '/etag/1', ann()), 'ann laptop PUT 7 held, - - - - held unknown',
   'the list');
is((list('/etag/1', ann()))[0]{version}, undef, 'without a number');
is(body('/etag/1', '%22e1%22', ann())->{body}, '{"n":1}', 'a body by its tag');
is(body('/etag/1', '%22e1%22', bob())->{status}, 404, 'not for others');
is(body('/etag/1', 'e1', ann())->{status}, 400, 'no tag');
is(DELETE('/etag/1', bob(), 'If-Match: "e2"')->{status}, 204, 'deleted');
set_doc('/etag/1', { n => 3 });
GET('/etag/1', ann());
like(lines(2, '/etag/1', ann()),
     qr/bob phone DELETE - deleted, ann laptop PUT 7 held/, 'is listed');


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
