# conflict merge: a stale write is merged with the latest body field by field.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

fcgi_start();

# text as it is in the upstream, byte by byte

sub doc { upstream("/_doc?path=$_[0]") }

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "location / {\n"
                      . "conflict merge;\nconflict_lease 1s;\n"
                      . "conflict_quarantine 300ms;\n"
                      . ($block->rules || '')
                      . "proxy_pass http://api;\n}\n"
                      . ($block->more || ''));
});

run_tests();

__DATA__

=== a product: each field by its rule
--- rules
    conflict_field /name        lww;
    conflict_field /price_cents reject;
    conflict_field /updated_at  server;
    conflict_field /tags        union;
    conflict_field /views       sum;
    conflict_user  $http_x_user;
--- steps
set_doc('/plain/1', '{"name":"lamp","price_cents":100,"updated_at":"mon",'
                    . '"tags":["a","b"],"views":10,"note":"-"}');

my $v = version(GET('/plain/1', 'X-User: cid'));

GET('/plain/1', "X-User: $_") for 'ann', 'bob';

my $r = PUT('/plain/1', { name => 'Lamp', price_cents => 100,
                          updated_at => 'mon', tags => ['a', 'c'],
                          views => 11, note => '-', base_version => $v },
            'X-User: ann');
is($r->{status}, 204, 'the first');
is(header($r, 'Conflict'), 'passed;version=' . version($r),
   'nothing is the server\'s that was not');

# "b" goes, "d" comes; the note is new; one more view

my $body = '{"name":"LAMP", "price_cents":100,"updated_at":"tue",'
           . '"tags":["a","b","d"],"views":11,"note":"!",'
           . qq("base_version":$v});

my $now = version($r);
$r = PUT('/plain/1', $body, 'X-User: bob');

is($r->{status}, 204, 'the stale one is merged');

my $field = header($r, 'Conflict');
my $w = version($r);

is($field, qq(merged;version=$w;base=$v;fields="name updated_at tags views"),
   'the field tells what was');
is(header($r, 'ETag'), undef, 'a PUT that was changed has no ETag');

is(doc('/plain/1'), '{"name":"LAMP", "price_cents":100,"updated_at":"mon",'
   . '"tags":["a","c","d"],"views":12,"note":"!"}', 'byte by byte');

my ($write) = (journal())[-1];
my %h = map { @$_ } @{ $write->{headers} };
is($h{'content-length'}, length $write->{body}, 'Content-Length');
is($h{'content-type'}, 'application/json', 'Content-Type');

my @c = conflicts();
is(scalar @c, 1, 'one line in the log');
is($c[0]{action}, 'conflict_merge', 'its action');
is($c[0]{policy}, 'merge', 'its policy');
is_deeply($c[0]{fields}, ['/name', '/updated_at', '/tags', '/views'],
          'its fields');
is("$c[0]{base_version} $c[0]{server_version} $c[0]{status}",
   "$v $now 204", 'its versions');

# the price clashes, and so does the note

$r = PUT('/plain/1', { name => 'lamp', price_cents => 90,
                       updated_at => 'mon', tags => ['a', 'b'], views => 10,
                       note => '?', base_version => $v }, 'X-User: cid');
is($r->{status}, 409, 'what clashes is refused');
is(header($r, 'Conflict'),
   qq(rejected;version=$w;base=$v;fields="note price_cents"), 'the field');

my $answer = json($r);
is($answer->{error}, 'version_conflict', 'why');
is_deeply($answer->{conflicts},
          [{ field => '/note', rule => 'auto', base => '-', server => '!',
             client => '?' },
           { field => '/price_cents', rule => 'reject', base => 100,
             server => 100, client => 90 }], 'each that did');
is($answer->{base_held}, JSON::PP::true, 'the base was held');
is($answer->{server_version}{note}, '!', 'the latest body');
is($answer->{version}, $w, 'its version');

@c = conflicts();
is($c[-1]{action}, 'conflict_version', 'its action');
is_deeply($c[-1]{fields}, ['/note', '/price_cents'], 'its fields');

# the client looks at them, and writes on what it was shown

$r = PUT('/plain/1', { %{ $answer->{server_version} }, price_cents => 90,
                       base_version => $w }, 'X-User: cid');
is($r->{status}, 204, 'it goes on from there');
is(json(GET('/plain/1'))->{price_cents}, 90, 'which is there');


=== nothing else changes: members, numbers and texts as they came
--- rules
    conflict_strip_base off;
--- steps
set_doc('/plain/1', '{"n":0.10, "big":12345678901234567890,"e":1e400,'
                    . '"u":"\u00e9\ud83d\ude00","o":{"z":1,"a":2},"x":1}');

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', '{"n":0.10, "big":12345678901234567890,"e":1e400,'
       . '"u":"\u00e9\ud83d\ude00","o":{"z":1,"a":2},"x":2,'
       . qq("base_version":$v}))->{status}, 204, 'x');

my $now = version(GET('/plain/1'));

my $r = PUT('/plain/1', qq({"base_version" : $v , "u":"\\u00e9\\ud83d\\ude00",)
            . ' "big":12345678901234567890,"e":1e400,'
            . '"o":{"z":1, "a":2, "new": -0.0},"n":0.10,"x":1 }');
is($r->{status}, 204, 'o');

is(doc('/plain/1'), qq({"base_version" : $now , "u":"\\u00e9\\ud83d\\ude00",)
   . ' "big":12345678901234567890,"e":1e400,'
   . '"o":{"z":1, "a":2, "new": -0.0},"n":0.10,"x":2 }', 'as the client has it');
is(header($r, 'Conflict'),
   'merged;version=' . version($r) . qq(;base=$v;fields="x"), 'but x');


=== a merge-patch: what it does not name it does not touch
--- rules
    conflict_strip_base off;
    conflict_field /tags union;
    conflict_field /at server;
    conflict_user ann;
    conflict_methods PUT PATCH DELETE POST MERGE;
--- steps
set_doc('/plain/1', { a => 1, b => 2, tags => ['x'], at => 'mon' });

my $v = version(GET('/plain/1'));
my $patch = 'Content-Type: application/merge-patch+json';

is(PUT('/plain/1', { a => 2, b => 2, tags => ['x', 'y'], at => 'mon',
                     base_version => $v })->{status}, 204, 'a write');

my $now = version(GET('/plain/1'));
my $r = PATCH('/plain/1', { b => 3, tags => ['x', 'z'], at => 'tue',
                            base_version => $v }, "$patch; charset=utf-8");

is($r->{status}, 204, 'merged');
is(header($r, 'ETag'), undef, 'what it has made the client has not seen');

is_deeply(json((journal())[-1]), { b => 3, tags => ['x', 'y', 'z'],
                                   base_version => $now },
          'a patch still, without what is the server\'s');

my $doc = json(GET('/plain/1'));
is("$doc->{a} $doc->{b} @{ $doc->{tags} } $doc->{at}", '2 3 x y z mon',
   'the result');

$r = PATCH('/plain/1', { a => 9, base_version => $v }, $patch);
is($r->{status}, 409, 'a clash');
is_deeply(json($r)->{conflicts}, [{ field => '/a', rule => 'auto', base => 1,
                                    server => 2, client => 9 }], 'is told');

$r = PATCH('/plain/1', { at => 'wed', c => 1 }, $patch);
is($r->{status}, 204, 'without a base');
is(json((journal())[-1])->{at}, undef, 'the server\'s is not touched');
like(header($r, 'Conflict'), qr/^passed;version=\d+;fields="at"$/, 'told');

$r = PATCH('/plain/1', { a => 1 });
is($r->{status}, 415, 'one of which nobody knows how it is meant');
is(header($r, 'Accept-Patch'),
   'application/merge-patch+json, application/json-patch+json', 'what can be');
is(json($r)->{error}, 'unsupported_media_type', 'why');

$r = PUT('/plain/1', 'at=wed', 'Content-Type: text/plain');
is($r->{status}, 415, 'not JSON');
is(header($r, 'Accept'), 'application/json', 'what can be');

is(PUT('/plain/1', '"x"', 'Content-Range: bytes 0-2/9')->{status}, 415,
   'a part');

# what is JSON for nginx, and for an API a form, or of the other type

my $both = '{"x":"&at=wed&y="}';
my $form = 'Content-Type: application/x-www-form-urlencoded';

for my $type ([$form], ["$form; charset=utf-8"],
              ['Content-Type: application/json', $form],
              ['Content-Type: text/plain', 'Content-Type: text/plain'])
{
    for my $method ('PUT', 'PATCH') {
        $r = http($method, '/plain/1', body => $both, headers => $type);
        is($r->{status}, 415, "$method, @$type");
        is(json($r)->{error}, 'unsupported_media_type', 'why');
    }
}

is(PUT('/plain/1', { a => 1 }, 'Content-Type: text/plain')->{status}, 204,
   'what fetch() sends by default');

# what an API takes for the field that ignores the case of names

for my $name ('AT', 'aT', '\\u0041t') {
    $r = PUT('/plain/1', qq({"at":"mon","a":1,"$name":"wed"}));
    is($r->{status}, 400, "PUT $name");
    is(json($r)->{error}, 'malformed_json', 'error');
    like(json($r)->{detail}, qr/in another case/, 'why');
    is(PATCH('/plain/1', qq({"$name":"wed"}), $patch)->{status}, 400,
       "PATCH $name");
    is(PATCH('/plain/1', qq([{"op":"add","path":"/$name","value":1}]),
             'Content-Type: application/json-patch+json')->{status}, 400,
       "JSON Patch $name");
}

$r = http('POST', '/plain/1', body => { at => 'wed' });
is($r->{status}, 415, 'a method that conflict_methods has');
is(header($r, 'Accept'), undef, 'no type helps');
like(json($r)->{detail}, qr/by PUT or PATCH/, 'what does');
is(http('MERGE', '/plain/1', body => 'at=wed',
        headers => ['Content-Type: text/plain'])->{status}, 415, 'another one');
is(http('POST', '/plain/1')->{status}, 204, 'without a body');
is(http('DELETE', '/plain/1', body => { at => 'wed' })->{status}, 204,
   'a DELETE sets nothing');


=== other patches and parts are checked by their version
--- steps
set_doc('/plain/1', { a => 1, b => 2 });

my $v = version(GET('/plain/1'));

is(PATCH('/plain/1', { a => 2, base_version => $v })->{status}, 204, 'passes');
my $r = PATCH('/plain/1', { b => 3, base_version => $v });
is($r->{status}, 409, 'is not merged');
is(json($r)->{conflicts}, undef, 'nor are there fields');
is(json($r)->{base_held}, undef, 'or a base');


=== a method that may be another one for the upstream
--- rules
    conflict_user ann;
    conflict_strip_base on;
--- more
    location /owned/ {
        conflict merge;
        conflict_field /at server;
        conflict_user ann;
        proxy_pass http://api/plain/;
    }
--- steps
my $patch = 'Content-Type: application/merge-patch+json';

for my $name ('X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override') {
    set_doc('/plain/1', { a => 1, b => 1 });

    my $v = version(GET('/plain/1'));

    is(PUT('/plain/1', { a => 1, b => 2 })->{status}, 204, 'a write');

    for my $write (['PATCH', 'PUT', $patch], ['PUT', 'PATCH'],
                   ['PUT', 'DELETE'])
    {
        my ($method, $other, @type) = @$write;

        my $r = http($method, '/plain/1',
                     body => { a => 2, base_version => $v },
                     headers => ["$name: $other", @type]);
        is($r->{status}, 409, "$method, $name: $other");
        is(json($r)->{base_held}, undef, 'is not merged');

        is(http($method, '/owned/1', body => { a => 2 },
                headers => ["$name: $other", @type])->{status}, 415,
           'nor are fields of the server\'s kept');
    }

    is(PATCH('/plain/1', { a => 2, base_version => $v }, $patch,
             "$name: patch")->{status}, 204, 'the same method is merged');
}


=== a base that is not held: what can be known without it
--- rules
    conflict_history 1;
    conflict_field /tags union;
    conflict_field /views max;
    conflict_field /name lww;
    conflict_field /at server;
--- steps
my %doc = (tags => ['a', 'b'], views => 5, name => 'x', at => 1, note => 'n');

set_doc('/plain/1', { %doc });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { %doc, tags => ['b', 'c'], views => 7,
                     base_version => $v })->{status}, 204, 'a write');
GET('/plain/1');

my $r = PUT('/plain/1', { %doc, name => 'y', tags => ['a', 'd'], at => 2,
                          base_version => $v });
is($r->{status}, 204, 'merged');
my $doc = json(GET('/plain/1'));
is(join(' ', sort @{ $doc->{tags} }), 'a b c d', 'nothing is removed');
is("$doc->{views} $doc->{name} $doc->{at}", '7 y 1', 'the others');

$r = PUT('/plain/1', { %doc, note => 'm', base_version => $v });
is($r->{status}, 409, 'but what differs clashes');
my $answer = json($r);
is($answer->{base_held}, JSON::PP::false, 'since the base is not held');
is_deeply($answer->{conflicts}, [{ field => '/note', rule => 'auto',
                                   server => 'n', client => 'm' }],
          'no base to show');


=== an array that becomes an object, in which a field has a rule
--- rules
    conflict_field /o/n sum;
    conflict_field /o/s server;
--- steps
set_doc('/plain/1', { a => 1, o => [7, { '' => 8 }] });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { a => 2, o => [7, { '' => 8 }], base_version => $v })
   ->{status}, 204, 'a write');

my $r = PUT('/plain/1', { a => 1, o => { x => 1, n => 2 },
                          base_version => $v });
is($r->{status}, 204, 'a stale one');
is_deeply(json(GET('/plain/1')), { a => 2, o => { x => 1, n => 2 } },
          'elements are no members');

set_doc('/plain/2', { o => [7] });

$v = version(GET('/plain/2'));
is(PUT('/plain/2', { o => { x => 1 }, base_version => $v })->{status}, 204,
   'one that is not stale');
is_deeply(json(GET('/plain/2')), { o => { x => 1 } }, 'is as it was sent');


=== fields of the server's cannot be written, stale or not
--- rules
    conflict_field /meta/at server;
    conflict_field /id server;
--- steps
my $r = PUT('/plain/1', { id => 7, a => 1, meta => { at => 'x', b => 1 } });
is($r->{status}, 201, 'a new one');
is(doc('/plain/1'), '{"a":1,"meta":{"b":1}}', 'does not have them');
like(header($r, 'Conflict'), qr/fields="id meta\/at"/, 'which is told');
is(header($r, 'ETag'), undef, 'no ETag: another body');

set_doc('/plain/1', { id => 1, a => 1, meta => { at => 'mon' } });

my $v = version(GET('/plain/1'));
$r = PUT('/plain/1', { id => 2, a => 2, base_version => $v });
is($r->{status}, 204, 'a current base');
is_deeply(json(GET('/plain/1')), { id => 1, a => 2, meta => { at => 'mon' } },
          'has those of the server');
is(scalar conflicts(), 0, 'no conflict');

$r = PUT('/plain/1', { id => 1, a => 3, meta => { at => 'mon' } },
         'If-Match: *');
is($r->{status}, 204, 'what changes none');
is(header($r, 'Conflict'), 'passed;version=' . version($r),
   'has none to tell');
is(header($r, 'ETag'), '"' . version($r) . '"', 'nor another body');

set_doc('/text/1', 'at=mon');
$r = PUT('/text/1', { id => 1 });
is($r->{status}, 503, 'where a GET does not show them');
like(json($r)->{detail}, qr/values of the fields/, 'why');
is(scalar(grep { $_->{path} eq '/text/1' } journal()), 0, 'nothing is sent');

set_doc('/auth/1', { id => 1 });
is(PUT('/auth/1', { id => 1, a => 1 })->{status}, 401, 'where he may not GET');
is(scalar conflicts(), 0, 'is no conflict');


=== a header that fails forbids the write
--- steps
set_doc('/plain/1', { a => 1, b => 2 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { a => 2, b => 2, base_version => $v })->{status}, 204,
   'a write');
is(PUT('/plain/1', { a => 1, b => 3 }, qq(If-Match: "$v"))->{status}, 409,
   'If-Match');
is(PUT('/plain/1', { a => 1, b => 3, base_version => $v },
       qq(If-Match: "$v"))->{status}, 409, 'beside a base');

my $now = version(GET('/plain/1'));
is(PUT('/plain/1', { a => 1, b => 3, base_version => $v },
       qq(If-Match: "$now"))->{status}, 204, 'one that holds does not');
is(json(GET('/plain/1'))->{a}, 2, 'the merge');


=== what cannot be merged
--- rules
    conflict_max_body 2k;
--- more
    location = /none { return 404; }
--- steps
set_doc('/plain/1', { a => 1, b => 2 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { a => 2, b => 2, base_version => $v })->{status}, 204,
   'a write');

my $r = PUT('/plain/1', qq({"a":1,"b":3,"b":3,"base_version":$v}));
is($r->{status}, 400, 'a member twice');
is(json($r)->{error}, 'malformed_json', 'why');
is(json($r)->{detail}, 'an object in the body has a duplicate member: line 1, '
   . 'column 15', 'in words');
$r = PUT('/plain/1', qq({"a":1,"o":{\n) . join(',', map { qq("k$_":1) } 1 .. 20)
                     . qq(,\n"k7":1},"base_version":$v}));
is(json($r)->{detail}, 'an object in the body has a duplicate member: line 3, '
   . 'column 2', 'where it is');

is(PUT('/plain/1', '{"base_version":' . $v . ',"a":' . '[' x 200 . ']' x 200
       . '}')->{status}, 400, 'too deep');
is(PUT('/plain/1', { base_version => $v, a => 'x' x 4000 })->{status}, 413,
   'too large');

$r = PUT('/plain/1', qq([1,$v]));
is($r->{status}, 204, 'an array has no base');
$r = PUT('/plain/1', { a => 1, b => 3, base_version => $v });
is($r->{status}, 409, 'no object on the server');
is_deeply(json($r)->{conflicts}[0]{server}, [1, $v], 'clashes as a whole');

set_doc('/plain/1', '{"a":1,"a":2}');
$r = PUT('/plain/1', { a => 1, b => 3, base_version => $v });
is($r->{status}, 409, 'nothing to merge with');
is(json($r)->{conflicts}, undef, 'no fields');

set_doc('/plain/1', { a => 'x' x 3000 });
$r = PUT('/plain/1', { a => 1, b => 3, base_version => $v });
is($r->{status}, 409, 'one that is too large');
is(json($r)->{server_version_omitted}, 'too_large', 'told');

is(DELETE('/plain/1')->{status}, 204, 'a DELETE');
$r = PUT('/plain/1', { a => 1, b => 3, base_version => $v });
is($r->{status}, 409, 'deleted');
is(json($r)->{deleted}, JSON::PP::true, 'told');
is((conflicts())[-1]{action}, 'conflict_deleted', 'its action');

is(DELETE('/plain/1', qq(If-Match: "$v"))->{status}, 409, 'a stale DELETE');


=== who may not read is not told, and nothing of his is merged
--- steps
set_doc('/auth/1', { a => 1, b => 2 });

my @reader = ('Authorization: Bearer reader');
my $v = version(GET('/auth/1', @reader));

is(PUT('/auth/1', { a => 2, b => 2, base_version => $v }, @reader)->{status},
   204, 'a write');

my $r = PUT('/auth/1', { a => 1, b => 3, base_version => $v });
is($r->{status}, 401, 'not without credentials');
unlike($r->{body}, qr/"a"/, 'nothing is shown');
is(scalar(grep { $_->{method} eq 'PUT' } journal()), 1, 'nor written');

is(PUT('/auth/1', { a => 1, b => 3, base_version => $v }, @reader)->{status},
   204, 'and nobody holds the lease');


=== the base of somebody who sees more is not shown
--- more
    conflict_user ann;
    location /more/ {
        conflict merge;
        conflict_key $uri;
        proxy_set_header X-Up-Read $http_x_read;
        proxy_pass http://api;
    }
--- steps
set_doc('/more/1', { a => 1, pay => { own => 5 }, list => [{ x => 1 }] });

my $v = version(GET('/more/1'));

is(PUT('/more/1', { a => 2, base_version => $v })->{status}, 204, 'a write');

my $r = PUT('/more/1', { a => 3, pay => { own => 6 }, list => [{ x => 2 }],
                         base_version => $v });
is($r->{status}, 409, 'a clash');
is_deeply(json($r)->{conflicts},
          [{ field => '/a', rule => 'auto', base => 1, server => 2,
             client => 3 },
           { field => '/list', rule => 'auto', client => [{ x => 2 }] },
           { field => '/pay', rule => 'auto', client => { own => 6 } }],
          'only what the latest body has a place for');


=== nor what a patch makes of such a base
--- rules
    conflict_user $http_x_user;
    sub_filter_types application/json;
    sub_filter_once off;
    sub_filter secret ***;
--- steps
set_doc('/plain/1', { a => 'secret', b => 1, list => ['secret'] });

my ($v) = header(GET('/plain/1', 'X-User: ann'), 'Conflict') =~ /version=(\d+)/;

is(PUT('/plain/1', { a => 1, b => 2, list => [2], base_version => $v },
       'X-User: bob')->{status}, 204, 'a write');

my $test = { op => 'test', path => '/base_version', value => $v };

for my $op ({ op => 'copy', from => '/a', path => '/b' },
            { op => 'move', from => '/a', path => '/b' },
            { op => 'add', path => '/list/-', value => 1 })
{
    my $r = http('PATCH', '/plain/1', body => [$test, $op],
                 headers => ['Content-Type: application/json-patch+json',
                             'X-User: ann']);

    is($r->{status}, 409, "$op->{op}: a clash");
    unlike($r->{raw}, qr/secret/, 'without what a GET has hidden');
}


=== nobody can construct the view of another user
--- rules
    conflict_user $http_x_user;
--- steps
set_doc('/plain/1', { a => 'secret' });

my $v = version(GET('/plain/1', 'X-User: ann'));

is(PUT('/plain/1', { a => 2, base_version => $v }, 'X-User: bob')->{status},
   204, 'a write');

# with this field the XXH3 hash of all that selects what eve is shown is that
# of ann

my $accept = pack 'H*', '61303030306271644897a24df94ebd3144b8f4fe413d' . '78' x 21;

my $r = PUT('/plain/1', { a => 3, base_version => $v }, 'X-User: eve',
            "Accept: $accept");
is($r->{status}, 409, 'a clash');
unlike($r->{raw}, qr/secret/, 'without what ann was shown');
is(json($r)->{base_held}, JSON::PP::false, 'which is no base of hers');


=== a field that a filter may hide is not named
--- rules
    conflict_user $http_x_user;
    conflict_field /own server;
    sub_filter_types application/json;
    sub_filter '"hidden":1,' '';
    sub_filter '"hidden":2,' '';
    sub_filter '"own":5,' '';
--- steps
set_doc('/plain/1', { hidden => 1, own => 5, z => 1 });

my ($v) = header(GET('/plain/1', 'X-User: ann'), 'Conflict') =~ /version=(\d+)/;

GET('/plain/1', 'X-User: bob');
is(PUT('/plain/1', { hidden => 2, own => 5, z => 2, base_version => $v },
       'X-User: bob')->{status}, 204, 'a write');

for my $z (3, 2) {
    my $r = PUT('/plain/1', { z => $z, base_version => $v }, 'X-User: ann');

    is($r->{status}, 409, 'a clash');
    unlike($r->{raw}, qr/hidden|own/, 'without names that a GET does not show');
    is($r->{raw} =~ /"\/z"/ ? 1 : 0, $z - 2, 'but with those of the client');
    is(json($r)->{conflicts_omitted}, 1, 'and the number of others');
}

my $r = PUT('/plain/1', { hidden => 2, z => 3, base_version => $v },
            'X-User: ann');
is($r->{status}, 409, 'a clash');
is_deeply(json($r)->{conflicts}, [{ field => '/z', rule => 'auto',
                                    client => 3 }],
          'without values');
unlike($r->{raw}, qr/own/, 'nor is what the server has kept named');


=== a base that a filter would change is not shown
--- rules
    conflict_user $http_x_user;
    sub_filter_types application/json;
    sub_filter secret ***;
--- steps
set_doc('/plain/1', { a => 'secret' });

my ($v) = header(GET('/plain/1', 'X-User: ann'), 'Conflict') =~ /version=(\d+)/;

# the filter has nothing to hide in the latest body

is(PUT('/plain/1', { a => 2, base_version => $v }, 'X-User: bob')->{status},
   204, 'a write');

my $r = PUT('/plain/1', { a => 3, base_version => $v }, 'X-User: ann');
is($r->{status}, 409, 'a clash');
unlike($r->{raw}, qr/secret/, 'without what a GET has hidden');
is_deeply(json($r)->{conflicts},
          [{ field => '/a', rule => 'auto', server => 2, client => 3 }],
          'but with what it shows');


=== a sum that is sent again is not added twice
--- rules
    conflict_field /views sum;
    conflict_user $http_x_user;
--- steps
set_doc('/plain/1', { views => 10, a => 1 });

my $v = version(GET('/plain/1'));

GET('/plain/1', "X-User: $_") for 'ann', 'bob';

my %write = (views => 11, a => 1, base_version => $v);

is(PUT('/plain/1', { %write }, 'X-User: ann')->{status}, 204, 'ann');
is(PUT('/plain/1', { %write }, 'X-User: bob')->{status}, 204, 'bob');
is(json(GET('/plain/1'))->{views}, 12, 'both');

for my $user ('ann', 'bob', 'ann') {
    my $r = PUT('/plain/1', { %write }, "X-User: $user");
    is($r->{status}, 200, "$user again");
    like(header($r, 'Conflict'), qr/^replayed/, 'is known');
    is(json($r)->{views}, 12, 'and shown the latest');
    is(header($r, 'ETag'), undef, 'which is not what it sent');
}

is(json(GET('/plain/1'))->{views}, 12, 'once each');
is(PUT('/plain/1', { %write }, 'X-User: ann', 'Idempotency-Key: 2')->{status},
   204, 'another write of hers');
is(json(GET('/plain/1'))->{views}, 13, 'counts');

# with nobody to tell senders apart each is a write of its own

is(PUT('/plain/1', { %write })->{status}, 204, 'nobody');
is(PUT('/plain/1', { %write })->{status}, 204, 'nobody again');
is(json(GET('/plain/1'))->{views}, 15, 'both count');

# the same as a patch

my $patch = 'Content-Type: application/merge-patch+json';
my %p = (views => 14, base_version => $v);
is(PATCH('/plain/1', { %p }, $patch, 'X-User: ann')->{status}, 204, 'a patch');
is(PUT('/plain/1', { %write, a => 2 }, 'X-User: bob')->{status}, 204,
   'and another write');
my $sum = json(GET('/plain/1'))->{views};
is(PATCH('/plain/1', { %p }, $patch, 'X-User: ann')->{status}, 200,
   'again');
is(json(GET('/plain/1'))->{views}, $sum, 'is not added');


=== a sum whose first attempt nobody saw the end of
--- rules
    conflict_field /views sum;
    conflict_user $http_x_user;
    proxy_read_timeout 500ms;
--- steps
set_doc('/plain/1', { views => 10 });

my $v = version(GET('/plain/1', 'X-User: ann'));
my %write = (views => 11, base_version => $v);

my $r = PUT('/plain/1', { %write }, 'X-User: ann', 'X-Up-Write: apply hold');
is($r->{status}, 504, 'no answer');

until_true { $r = PUT('/plain/1', { %write }, 'X-User: ann');
             $r->{status} != 503 };
is($r->{status}, 200, 'it was done');
like(header($r, 'Conflict'), qr/^replayed/, 'and is known to be');
is(json(GET('/plain/1'))->{views}, 11, 'once');
upstream('/_release');

# the same with another write on top: nobody can tell

$v = version(GET('/plain/1', 'X-User: ann'));
%write = (views => 12, base_version => $v);

$r = PUT('/plain/1', { %write }, 'X-User: ann', 'X-Up-Write: apply hold');
is($r->{status}, 504, 'no answer');

my $now;
until_true { $r = GET('/plain/1'); $now = version($r);
             PUT('/plain/1', { views => json($r)->{views} + 1,
                               base_version => $now },
                 'X-User: bob')->{status} == 204 };

$r = PUT('/plain/1', { %write }, 'X-User: ann');
is($r->{status}, 409, 'it is not added again');
like(json($r)->{detail}, qr/already done/, 'why');
is(json(GET('/plain/1'))->{views}, 13, 'once each');
upstream('/_release');


=== the upstream's own versions
--- more
    conflict_user ann;
    location /own/ {
        conflict merge;
        conflict_base json:/version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict merge;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
    location /row/ {
        conflict merge;
        conflict_latest fetch root=/data;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { a => 1, b => 1 });

my $doc = json(GET('/own/1'));
is(PUT('/own/1', { %$doc, a => 2 })->{status}, 200, 'a write');

my $r = PUT('/own/1', { %$doc, b => 2 });
is($r->{status}, 200, 'merged');
my $sent = json((journal())[-1]);
is("$sent->{a} $sent->{b}", '2 2', 'both');
is($sent->{version}, $doc->{version} + 1, 'on the version it was merged with');

set_doc('/etag/1', { a => 1, b => 1 });

$r = GET('/etag/1');
my ($tag) = header($r, 'ETag') =~ /"(.*)"/;

is(PUT('/etag/1', { a => 2, b => 1, base_version => $tag })->{status}, 200,
   'a write');
$r = PUT('/etag/1', { a => 1, b => 2, base_version => $tag });
is($r->{status}, 200, 'merged');
is(header($r, 'ETag'), undef, 'no tag: the client sent another document');
$sent = json((journal())[-1]);
is("$sent->{a} $sent->{b}", '2 2', 'both');
isnt($sent->{base_version}, $tag, 'on another version');
my ($now) = header(GET('/etag/1'), 'ETag') =~ /"(.*)"/;
$r = PUT('/etag/1', { a => 2, b => 3, base_version => $now });
like(header($r, 'ETag'), qr/"e/, 'that of a write as it was sent');

$r = PUT('/etag/1', { a => 9, b => 1, base_version => $tag });
is($r->{status}, 409, 'a clash');
is_deeply(json($r)->{conflicts}[0],
          { field => '/a', rule => 'auto', base => 1, server => 2,
            client => 9 }, 'with its base');

# a date is a validator as well

set_doc('/lm/1', { a => 1, b => 1 });

my $v = version(GET('/lm/1'));
is(PUT('/lm/1', { a => 2, b => 1, base_version => $v })->{status}, 204,
   'a write');
$r = PUT('/lm/1', { a => 1, b => 2, base_version => $v });
is(header($r, 'Last-Modified'), undef, 'merged');

# a part that is forwarded as it was sent

set_doc('/plain/9', { a => 1, b => 1 });
$v = version(GET('/plain/9'));
is(PUT('/plain/9', { a => 2, b => 1, base_version => $v })->{status}, 204,
   'a write');
$r = http('PATCH', '/plain/9', body => qq({"b":2,"base_version":$v}),
          headers => ['Content-Type: application/merge-patch+json']);
like(header($r, 'Conflict'), qr/^merged/, 'merged');
is(header($r, 'ETag'), undef, 'its client does not know the document');

# a row in an envelope

set_doc('/row/1', { a => 1, b => 1 });

$v = version(GET('/row/1'));
is(PUT('/row/1', { a => 2, b => 1, base_version => $v })->{status}, 200,
   'a write');
is(PUT('/row/1', { a => 1, b => 2, base_version => $v })->{status}, 200,
   'merged');
$sent = json((journal())[-1]);
is("$sent->{a} $sent->{b}", '2 2', 'both');


=== an injected version is no edit
--- rules
    conflict_inject json:/version;
--- steps
set_doc('/plain/1', { a => 1, b => 1 });

my $doc = json(GET('/plain/1'));
my $v = $doc->{version};

is(PUT('/plain/1', { %$doc, a => 2, base_version => $v })->{status}, 204,
   'a write that sends it back');
my $next = json(GET('/plain/1'));
is(PUT('/plain/1', { %$next, a => 3, base_version => $next->{version} })
   ->{status}, 204, 'another');
is(PUT('/plain/1', { %$doc, b => 2, base_version => $v })->{status}, 204,
   'merged');
$doc = json(GET('/plain/1'));
is("$doc->{a} $doc->{b}", '3 2', 'both');


=== the base member goes, on its way by each kind of upstream
--- rules
    conflict_strip_base on;
--- more
    location /dav/ {
        conflict merge;
        conflict_strip_base on;
        default_type application/json;
        alias html/;
        dav_methods PUT DELETE;
    }
    location /fcgi/ {
        conflict merge;
        conflict_strip_base on;
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
    }
--- steps
my %doc = (a => 1, b => 2, pad => 'x' x 40000);

set_doc('/plain/1', { %doc });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { %doc, a => 3, base_version => $v })->{status}, 204,
   'a write');

my $r = http('PUT', '/plain/1', chunked => 1000,
             body => { %doc, b => 4, base_version => $v });
is($r->{status}, 204, 'merged, and chunked');
is_deeply(json((journal())[-1]), { %doc, a => 3, b => 4 }, 'without the base');

is(PUT('/fcgi/1', { %doc })->{status}, 204, 'FastCGI');
$v = version(GET('/fcgi/1'));
is(PUT('/fcgi/1', { %doc, a => 3, base_version => $v })->{status}, 204,
   'a write');
is(PUT('/fcgi/1', { %doc, pad => 'y', base_version => $v })->{status}, 204,
   'merged');
is_deeply(json(GET('/fcgi/1')), { a => 3, b => 2, pad => 'y' },
          'by the right length');

is(PUT('/dav/x', { a => 1, b => 2, pad => 'y' x 100 })->{status}, 201, 'dav');
$v = version(GET('/dav/x'));
is(PUT('/dav/x', { a => 2, b => 2, pad => 'y' x 100, base_version => $v })
   ->{status}, 204, 'a write');
is(PUT('/dav/x', { a => 1, b => 3, base_version => $v })->{status}, 204,
   'merged in its file');
is_deeply(json(GET('/dav/x')), { a => 2, b => 3 }, 'which is shorter now');


=== report: what would be
--- more
    location /own/ {
        conflict merge report;
        conflict_version json:/version;
        conflict_base json:/version;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { a => 1, b => 1 });

my $doc = json(GET('/own/1'));
is(PUT('/own/1', { %$doc, a => 2 })->{status}, 200, 'a write');

my $r = PUT('/own/1', { %$doc, b => 2 });
is($r->{status}, 200, 'passes');
is(json((journal())[-1])->{a}, 1, 'as it came');
like(header($r, 'Conflict'), qr/^merged;base=\d+;fields="a";report$/, 'told');
is((conflicts())[-1]{action}, 'conflict_merge', 'logged');

$r = PUT('/own/1', { %$doc, b => 9 });
is($r->{status}, 200, 'a clash passes');
like(header($r, 'Conflict'), qr/^rejected;base=\d+;fields="b";report$/, 'told');
is((conflicts())[-1]{action}, 'conflict_version', 'logged');


=== what a write is answered with is held, if it is the document
--- steps
set_doc('/etag/1', { a => 1, b => 1 });

# the answer to a write shows it

my $v = version(PUT('/etag/1', { a => 2, b => 1 }));
is(PUT('/etag/1', { a => 3, b => 1, base_version => $v })->{status}, 200,
   'the next');
is(PUT('/etag/1', { a => 2, b => 2, base_version => $v })->{status}, 200,
   'is merged with');

# 204: what was sent

$v = version(PUT('/plain/1', { a => 2, b => 1 }));
is(PUT('/plain/1', { a => 3, b => 1, base_version => $v })->{status}, 204,
   'the next');
is(PUT('/plain/1', { a => 2, b => 2, base_version => $v })->{status}, 204,
   'is merged with');

my $sent = json((journal())[-1]);
is("$sent->{a} $sent->{b}", '3 2', 'both');


=== a text is merged line by line
--- rules
    conflict_field /text text;
--- steps
set_doc('/plain/1', { text => "one\ntwo\nthree\n", n => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { text => "ONE\ntwo\nthree\n", n => 1,
                     base_version => $v })->{status}, 204, 'the first line');
is(PUT('/plain/1', { text => "one\ntwo\nTHREE\n", n => 1,
                     base_version => $v })->{status}, 204, 'the last');
is(json(GET('/plain/1'))->{text}, "ONE\ntwo\nTHREE\n", 'both');

my $r = PUT('/plain/1', { text => "1\ntwo\nthree\n", n => 1,
                          base_version => $v });
is($r->{status}, 409, 'the same line');
is(json($r)->{conflicts}[0]{rule}, 'text', 'clashes');


=== the variable
--- http_config
    log_format fields '$conflict_outcome $conflict_fields';
--- rules
    access_log logs/fields.log fields;
    conflict_field "/a b" lww;
--- steps
set_doc('/plain/1', { 'a b' => 1, c => 1 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { 'a b' => 2, c => 1, base_version => $v });
my $r = PUT('/plain/1', { 'a b' => 3, c => 2, base_version => $v });
is($r->{status}, 204, 'merged');
like(header($r, 'Conflict'), qr/fields="a%20b"$/, 'names that a header bears');

until_true { slurp(servroot() . '/logs/fields.log') =~ /merged a%20b/ };
like(slurp(servroot() . '/logs/fields.log'), qr/^merged a%20b$/m, 'its value');
is_deeply((conflicts())[0]{fields}, ['/a b'], 'in the log');


=== a GET that fails leaves nothing behind
--- steps
set_doc('/plain/1', { a => 1, b => 1 });

my $v = version(GET('/plain/1'));
is(PUT('/plain/1', { a => 2, b => 1, base_version => $v })->{status}, 204,
   'a write');

# the GET of the merge is answered with an error: nothing is merged with it

my $r = PUT('/plain/1', { a => 1, b => 2, base_version => $v },
            'X-Up-Read: status=503');
is($r->{status}, 409, 'stale, and nothing to merge with');
is(json($r)->{server_version_omitted}, 'unavailable', 'told');
is(PUT('/plain/1', { a => 1, b => 2, base_version => $v })->{status}, 204,
   'the lease was not held any longer');


=== the member of conflict_inject has its rule where it is injected
--- rules
    conflict_inject json:/rev;
    conflict_user $http_x_user;
    location /plain/inner/ {
        conflict_inject json:/other;
        proxy_pass http://api;
    }
--- steps
for my $case (['/plain/1', 204], ['/plain/inner/1', 409]) {
    my ($path, $status) = @$case;

    set_doc($path, { a => 1, rev => 'x' });
    GET($path, "X-User: $_") for 'ann', 'bob';

    my $v = version(GET($path, 'X-User: ann'));

    is(PUT($path, { a => 2, rev => 'y', base_version => $v }, 'X-User: ann')
       ->{status}, 204, 'the first one');
    is(PUT($path, { a => 1, rev => 'z', base_version => $v }, 'X-User: bob')
       ->{status}, $status, "a stale one in $path");
}
