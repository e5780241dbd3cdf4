# PATCH with application/json-patch+json (RFC 6902): a stale one is applied to
# its base and merged, and the upstream gets a patch of its latest document.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;
    my $policy = $block->policy || 'merge';

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "location / {\n"
                      . "conflict $policy;\nconflict_lease 1s;\n"
                      . "conflict_quarantine 300ms;\n"
                      . ($block->rules || "conflict_strip_base on;\n")
                      . "proxy_pass http://api;\n}\n"
                      . ($block->more || ''));
});

# what the upstream has, and the body that it was sent last

sub doc { json({ body => upstream("/_doc?path=$_[0]") }) }
sub sent { (seen_writes())[-1]{body} }
sub seen_writes { grep { $_->{method} ne 'GET' } seen() }

sub ann { 'X-User: ann' }
sub bob { 'X-User: bob' }

sub patch {
    my ($path, $ops, @headers) = @_;

    PATCH($path, $ops, 'Content-Type: application/json-patch+json', @headers);
}

sub holds { qq({"op":"test","path":"$_[0]","value":$_[1]}) }
sub stated { holds('/base_version', shift) }
sub add { qq({"op":"add","path":"$_[0]","value":$_[1]}) }
sub replace { qq({"op":"replace","path":"$_[0]","value":$_[1]}) }
sub moved { qq({"op":"$_[0]","from":"$_[1]","path":"$_[2]"}) }
sub gone { qq({"op":"remove","path":"$_[0]"}) }
sub ops { '[' . join(',', @_) . ']' }

run_tests();

__DATA__

=== one that is not stale is the client's, byte by byte
--- steps
my $v = shown('/plain/1', { a => 1, b => [1] }, 'ann');

my $r = patch('/plain/1', '[ ' . stated($v) . ', ' . replace('/a', '1.50')
              . ' , ' . add('/b/-', 2) . ' ]', ann);
is($r->{status}, 204, 'passes');
is(header($r, 'Conflict'), 'passed;version=' . version($r), 'told');
is(sent(), '[  ' . replace('/a', '1.50') . ' , ' . add('/b/-', 2) . ' ]',
   'without what states the base');
is_deeply(doc('/plain/1'), { a => 1.5, b => [1, 2] }, 'done');

# what cannot be done the API says itself

$v = version($r);
$r = patch('/plain/1', ops(stated($v), gone('/none')), ann);
is($r->{status}, 422, 'a member that is not there');
is(patch('/plain/1', ops(stated($v), holds('/a', 9)), ann)->{status}, 422,
   'a test');
is(patch('/plain/1', ops(stated($v), '7'), ann)->{status}, 422,
   'what is no patch');
is(patch('/plain/1', ops(add('/c', 3)), ann)->{status}, 204,
   'without a base');
is(patch('/plain/1', '[{]', ann)->{status}, 400, 'not JSON');


=== a stale one is merged
--- steps
my $v = shown('/plain/1', '{"title":"x","body":"y","n":1,'
              . '"more":{"p":1,"q":1}}', 'ann', 'bob');

is(patch('/plain/1', ops(stated($v), replace('/title', '"X"'),
                         replace('/more/p', 2)), ann)->{status}, 204,
   'the first');

my $r = patch('/plain/1', ops(replace('/body', '"Y"'), stated($v),
                              '{"op":"move","from":"/more/q","path":"/r"}',
                              replace('/n', '1.50')), bob);
is($r->{status}, 204, 'merged');

my $w = version($r);
is(header($r, 'Conflict'),
   qq(merged;version=$w;base=$v), 'no field is another than it wanted');
like(sent(), qr/"value":1\.50}/, 'numbers as they came');
is_deeply([sort { $a->{path} cmp $b->{path} } @{ json({ body => sent() }) }],
          [{ op => 'replace', path => '/body', value => 'Y' },
           { op => 'remove', path => '/more/q' },
           { op => 'replace', path => '/n', value => 1.5 },
           { op => 'add', path => '/r', value => 1 }],
          'a patch of what is there');
is_deeply(doc('/plain/1'), { title => 'X', body => 'Y', n => 1.5, r => 1,
                             more => { p => 2 } }, 'both');

my ($line) = (conflicts())[-1];
is($line->{action}, 'conflict_merge', 'logged');
is_deeply($line->{fields}, [], 'of what it did not touch nothing is told');

# the same field

$r = patch('/plain/1', ops(stated($v), replace('/title', '"Z"'),
                           gone('/more/p')), bob);
is($r->{status}, 409, 'a clash');
is(header($r, 'Conflict'),
   qq(rejected;version=$w;base=$v;fields="title more/p"), 'the fields');

my $answer = json($r);
is_deeply($answer->{conflicts},
          [{ field => '/title', rule => 'auto', base => 'x', server => 'X',
             client => 'Z' },
           { field => '/more/p', rule => 'auto', base => 1, server => 2 }],
          'each that clashed');
is($answer->{base_held}, JSON::PP::true, 'the base was held');
is($answer->{server_version}{title}, 'X', 'the latest body');


=== what a patch does not name does not clash
--- rules
    conflict_field /price reject;
    conflict_field /views sum;
--- steps
my $v = shown('/plain/1', { a => 1, b => 1, price => 5, views => 1 }, 'ann',
              'bob');

is(patch('/plain/1', ops(stated($v), replace('/price', 6),
                         replace('/views', 3), gone('/b')), ann)->{status},
   204, 'the first');

my $r = patch('/plain/1', ops(stated($v), replace('/a', 2)), bob);
is($r->{status}, 204, 'another field');
is(header($r, 'Conflict'), 'merged;version=' . version($r) . ";base=$v",
   'is merged');
is_deeply(json({ body => sent() }),
          [{ op => 'replace', path => '/a', value => 2 }], 'as it was');

$r = patch('/plain/1', ops(stated($v), replace('/price', 7)), bob);
is($r->{status}, 409, 'the same one');
like(header($r, 'Conflict'), qr/fields="price"$/, 'clashes');


=== a test that does not hold is its field's clash
--- steps
my $v = shown('/plain/1', { a => 1, b => 1, c => 1 }, 'ann', 'bob');

is(patch('/plain/1', ops(stated($v), replace('/a', 2)), ann)->{status}, 204,
   'the first');

my $r = patch('/plain/1', ops(stated($v), holds('/a', 1), replace('/b', 2)),
              bob);
is($r->{status}, 409, 'what it relies on has changed');
is_deeply(json($r)->{conflicts},
          [{ field => '/a', rule => 'test', base => 1, server => 2,
             client => 1 }], 'told');

$r = patch('/plain/1', ops(stated($v), holds('/c', '1.0'), holds('/a', 2),
                           replace('/b', 2)), bob);
is($r->{status}, 204, 'what holds in the latest body does not clash');
is(sent(), ops(holds('/c', '1.0'), holds('/a', 2), replace('/b', 2)),
   'and the API tests it as well');

$r = patch('/plain/1', ops(stated($v), replace('/c', 5), holds('/c', 1)), bob);
is($r->{status}, 409, 'one that never holds');
is(json($r)->{detail}, 'the patch cannot be applied to its base', 'why');
is_deeply(json($r)->{conflicts}, [], 'no field');

# the whole document, whose pointer is empty, and no value fits

set_doc('/plain/2', { a => 'x' x 70_000 });

$v = version(GET('/plain/2', ann));
$r = patch('/plain/2', ops(stated($v), replace('/a', '"' . 'z' x 70_000 . '"')),
           bob);
$r = patch('/plain/2', ops(stated($v), holds('', '{"a":"' . 'y' x 70_000 . '"}'),
                           add('/b', 2)), ann);

is($r->{status}, 409, 'a test of the document');
is_deeply(json($r)->{conflicts}, [{ field => '', rule => 'test' }],
          'its pointer is a string');


=== fields with rules, and lists by index
--- rules
    conflict_strip_base on;
    conflict_field /items list;
    conflict_field /tags  union;
    conflict_field /views sum;
    conflict_field /at    server;
--- steps
my $v = shown('/plain/1', { items => ['a', 'b', 'c'], tags => ['x'],
                            views => 10, at => 'mon' }, 'ann', 'bob');

is(patch('/plain/1', ops(stated($v), add('/items/0', '"new"'),
                         add('/tags/-', '"y"'), replace('/views', 12)), ann)
   ->{status}, 204, 'the first');

# as bob was shown them

my $r = patch('/plain/1', ops(stated($v), gone('/items/1'),
                              add('/items/-', '"d"'), add('/tags/0', '"z"'),
                              replace('/views', 11), replace('/at', '"tue"')),
              bob);
is($r->{status}, 204, 'merged');
is_deeply(doc('/plain/1'), { items => ['new', 'a', 'c', 'd'],
                             tags => ['x', 'y', 'z'], views => 13,
                             at => 'mon' }, 'each by its rule');

# again, as if the answer was lost

$r = patch('/plain/1', ops(stated($v), gone('/items/1'),
                           add('/items/-', '"d"'), add('/tags/0', '"z"'),
                           replace('/views', 11), replace('/at', '"tue"')),
           bob);
is($r->{status}, 200, 'is known');
like(header($r, 'Conflict'), qr/^replayed/, 'told');
is(doc('/plain/1')->{views}, 13, 'and not done twice');


=== fields of the server's cannot be written
--- rules
    conflict_strip_base on;
    conflict_field /at server;
    conflict_field /meta/by server;
--- steps
my $v = shown('/plain/1', { a => 1, at => 'mon', meta => { by => 'x' } },
              'ann');

my $r = patch('/plain/1', ops(stated($v), replace('/a', 2),
                              replace('/at', '"tue"')), ann);
is($r->{status}, 204, 'not stale');
is(sent(), ops(replace('/a', 2)), 'the API is not told');
like(header($r, 'Conflict'), qr/^passed;version=\d+;fields="at"$/,
     'but the client is');

$r = patch('/plain/1', '[ ' . replace('/a', '3.0') . ']', ann);
is($r->{status}, 204, 'without a base');
is(sent(), '[ ' . replace('/a', '3.0') . ']', 'and without such a field');

is(patch('/plain/1', ops(gone('/none')), ann)->{status}, 422,
   'what cannot be done the API says itself');
$r = patch('/plain/1', ops(gone('/none'), gone('/at')), ann);
is($r->{status}, 409, 'but not with such a field in it');
like(json($r)->{detail}, qr/to the latest version/, 'why');
is(patch('/plain/1', ops(add('', '{"a":5}')), ann)->{status}, 204,
   'the whole');
is_deeply(doc('/plain/1'), { a => 5, at => 'mon', meta => { by => 'x' } },
          'but for those');
is(conflicts() + 0, 0, 'no conflict');


=== what cannot be merged
--- rules
    conflict_strip_base on;
    conflict_max_values 40;
--- steps
my $v = shown('/plain/1', { a => 1, b => 1 }, 'ann', 'bob');

is(patch('/plain/1', ops(stated($v), replace('/a', 2)), ann)->{status}, 204,
   'a write');

for my $bad (ops(stated($v), gone('/none')), ops(stated($v), add('/x/y', 1)),
             ops(stated($v), '{"op":"add","path":"b","value":1}'))
{
    is(patch('/plain/1', $bad, bob)->{status}, 409, 'refused');
}

my $r = patch('/plain/1', ops(stated($v), gone('/none')), bob);
my $answer = json($r);
is($answer->{server_version}{a}, 2, 'with the latest body');
is($answer->{base_held}, JSON::PP::true, 'the base was held');

is(patch('/plain/1', ops(stated($v), '{"op":"add","op":"add","path":"/x",'
                         . '"value":1}'), bob)->{status}, 400,
   'a member twice');
is(patch('/plain/1', ops(stated($v), map { add("/x$_", 1) } 1 .. 12), bob)
   ->{status}, 413, 'too many values');
is(patch('/plain/1', ops(stated($v), map { add("/x$_", 1) } 1 .. 6), bob)
   ->{status}, 413, 'a patch counts twice');


=== a base that is not held
--- rules
    conflict_strip_base on;
    conflict_history 1;
--- steps
my $v = shown('/plain/1', { a => 1, b => 1 }, 'ann', 'bob');

is(patch('/plain/1', ops(stated($v), replace('/a', 2)), ann)->{status}, 204,
   'a write');
GET('/plain/1', ann);

my $r = patch('/plain/1', ops(stated($v), replace('/b', 2)), bob);
is($r->{status}, 409, 'refused');
is(json($r)->{base_held}, JSON::PP::false, 'told');
is(json($r)->{server_version}{a}, 2, 'with the latest body');


=== what a client knows that has sent patches, one on the other
--- steps
my $v = shown('/plain/1', { a => 1, b => 1, t => [1] }, 'ann', 'bob');

# 204: ann was shown nothing since

my $r = patch('/plain/1', ops(stated($v), replace('/b', 2), add('/t/-', 2)),
              ann);
is($r->{status}, 204, 'the first of hers');

my $w = version($r);

$r = patch('/plain/1', ops(stated($w), add('/c', 1), gone('/t/0')), ann);
is($r->{status}, 204, 'the second');

my $x = version($r);

GET('/plain/1', bob);
is(patch('/plain/1', ops(stated($x), replace('/a', 9)), bob)->{status}, 204,
   'one of his');

$r = patch('/plain/1', ops(stated($x), replace('/b', 3), replace('/t/0', 5)),
           ann);
is($r->{status}, 204, 'her third is merged');
is_deeply(doc('/plain/1'), { a => 9, b => 3, c => 1, t => [5] }, 'with his');


=== how the base is stated
--- rules
    conflict_base json:/meta/v;
    conflict_strip_base off;
--- steps
my $v = shown('/plain/1', { a => 1, b => 1 }, 'ann', 'bob');

is(patch('/plain/1', ops(holds('/meta/v', qq("$v")), replace('/a', 2)), ann)
   ->{status}, 422, 'as text, which the API may test as well');
is(sent(), ops(holds('/meta/v', qq("$v")), replace('/a', 2)), 'it has it');

is(PUT('/plain/1', { a => 2, b => 1 }, ann)->{status}, 204, 'a write');

my $now = version(GET('/plain/1', ann));
my $r = patch('/plain/1', ops(holds('/meta/v', $v), replace('/b', 2)), bob);
is($r->{status}, 422, 'stale');
is(sent(), ops(holds('/meta/v', $now), replace('/b', 2)),
   'with the version that it was merged with');

$r = patch('/plain/1', ops(holds('/meta/v', $v), holds('/meta/v', $v)), bob);
is($r->{status}, 400, 'stated twice');
is(json($r)->{error}, 'malformed_base', 'why');
is(patch('/plain/1', ops(holds('/meta/v', '{}')), bob)->{status}, 400,
   'what is no version');
is(patch('/plain/1', ops(replace('/b', 2)), bob, qq(If-Match: "$v"))
   ->{status}, 409, 'a header that fails forbids the write');


=== a base is found beside what is not in RFC 6902
--- policy: version
--- steps
for my $other ('{"op":"inc","path":"/a","value":1}',
               '{"op":"Replace","path":"/a","value":2}',
               '{"op":"replace","path":"a","value":2}',
               '{"op":"add","path":"/a~2","value":2}',
               '{"op":"add","path":"/a"}',
               '{"op":"move","path":"/a"}',
               '{"path":"/a"}', '{}', '[]', '7')
{
    my $v = shown('/plain/1', { a => 1 }, 'ann');

    is(PUT('/plain/1', { a => 2 })->{status}, 204, 'a write');

    my $r = patch('/plain/1', ops(stated($v), $other), ann);
    is($r->{status}, 409, "stale, with $other");
    is(patch('/plain/1', ops($other, stated($v)), ann)->{status}, 409,
       'behind it');

    seen();
    my $now = version(GET('/plain/1', ann));
    $r = patch('/plain/1', ops(stated($now), $other), ann);
    like(header($r, 'Conflict'), qr/^passed/, 'one that is not stale passes');
    is(sent(), ops($other), 'without what states the base');
}


=== a patch that is declared as any JSON
--- policy: version
--- steps
for my $type ('application/json', 'text/plain', 'application/vnd.x+json') {
    my @type = ("Content-Type: $type", ann, 'X-Up-Write: status=204');
    my $v = shown('/plain/1', { a => 1 }, 'ann');

    is(PUT('/plain/1', { a => 2 })->{status}, 204, 'a write');
    is(PATCH('/plain/1', ops(stated($v), replace('/a', 3)), @type)
       ->{status}, 409, "stale, $type");
    is(PATCH('/plain/1', ' ' . ops(replace('/a', 3), stated($v)), @type)
       ->{status}, 409, 'behind another operation');
    is(PATCH('/plain/1', ops(stated($v), stated($v)), @type)->{status},
       400, 'stated twice');

    my $now = version(GET('/plain/1', ann));
    seen();
    my $r = PATCH('/plain/1', ops(stated($now), replace('/a', 3)), @type);
    like(header($r, 'Conflict'), qr/^passed/, 'one that is not stale');
    is(sent(), ops(replace('/a', 3)), 'without what states the base');

    # lists of something else

    for my $list ('[]', '[7]', '[{"a":1},{"a":1}]', '[{"a":1,"a":2}]',
                  '[' . join(',', (1) x 60000) . ']')
    {
        $r = PATCH('/plain/1', $list, @type);
        like(header($r, 'Conflict'), qr/^passed/, substr($list, 0, 20));
    }
}


=== a base that may be one is not ignored
--- policy: version
--- steps
my $v = shown('/plain/1', { a => 1 }, 'ann');

my %twice = (
    'a test with two values' =>
        qq({"op":"test","path":"/base_version","value":1,"value":$v}),
    'two operations in one' =>
        qq({"op":"test","op":"add","path":"/base_version","value":$v}),
    'a value with a name twice' =>
        stated(1) . ',' . add('/a', '{"b":1,"b":2}'),
);

for my $what (sort keys %twice) {
    my $r = patch('/plain/1', ops($twice{$what}), ann);

    is($r->{status}, 400, $what);
    is(json($r)->{error}, 'malformed_base', 'error');
    like(json($r)->{detail}, qr/repeated/, 'why');

    $r = patch('/plain/1', ops($twice{$what}), ann, qq(If-Match: "$v"));
    like(header($r, 'Conflict'), qr/^passed/, 'a base in a header is enough');
    $v = version(GET('/plain/1', ann));
}

my $r = http('PUT', '/plain/1', body => ops(stated(1), replace('/a', 2)),
             headers => ['Content-Type: application/json-patch+json',
                         'X-HTTP-Method-Override: PATCH']);
is($r->{status}, 409, 'a PUT that is to be a PATCH');

$r = patch('/plain/1', ops('{"op":"test","path":"/base_version"}'), ann);
is($r->{status}, 400, 'a test without a value');
is(json($r)->{error}, 'malformed_base', 'error');


=== a base that is written like any other member
--- policy: version
--- more
    location /own/ {
        conflict version;
        conflict_version json:/base_version;
        proxy_pass http://api;
    }
--- steps
my $v = shown('/plain/1', { a => 1 }, 'ann');

for my $ops (ops(add('/base_version', 1), replace('/a', 2)),
             ops(replace('/a', 2), replace('/base_version', 1)),
             ops(add('', '{"a":2,"base_version":1}')),
             ops(moved('copy', '/a', '/base_version')),
             ops(replace('/a', 2), moved('move', '/a', '/base_version')),
             ops(add('/x', '{"base_version":1}'), moved('move', '/x', '')),
             ops(moved('copy', '/a', '')),
             ops(stated($v), replace('/base_version', 1)))
{
    for my $type ('application/json-patch+json', 'application/json') {
        my $r = PATCH('/plain/1', $ops, "Content-Type: $type", ann);

        is($r->{status}, 400, "$type: $ops");
        is(json($r)->{error}, 'malformed_base', 'error');
        like(json($r)->{detail}, qr/states the base version by a test/, 'why');
    }
}

my $r = patch('/plain/1', ops(add('/base_version', 1), replace('/a', 2)), ann,
              qq(If-Match: "$v"));
like(header($r, 'Conflict'), qr/^passed/, 'a base in a header is enough');

$v = version(GET('/plain/1', ann));
$r = patch('/plain/1', ops(stated($v), moved('copy', '/a', '/b')), ann);
like(header($r, 'Conflict'), qr/^passed/, 'so is a test');

# an API whose clients count the versions

set_doc('/own/1', { a => 1, base_version => 1 });
GET('/own/1', ann);
$r = patch('/own/1', ops(replace('/base_version', 2), replace('/a', 2)), ann);
like(header($r, 'Conflict'), qr/^passed/, 'the next version is not a base');


=== a retry of which nobody saw the end
--- rules
    conflict_strip_base on;
    proxy_read_timeout 500ms;
--- steps
my $v = shown('/plain/1', { t => [1], a => 1 }, 'ann', 'bob');
my $write = ops(stated($v), add('/t/-', 2));

my $r = patch('/plain/1', $write, ann, 'X-Up-Write: apply hold');
is($r->{status}, 504, 'no answer');
until_true { $r = patch('/plain/1', $write, ann); $r->{status} != 503 };
is($r->{status}, 200, 'it was done');
like(header($r, 'Conflict'), qr/^replayed/, 'and is known to be');
is_deeply(doc('/plain/1')->{t}, [1, 2], 'once');
upstream('/_release');

# with another write on top

$v = version(GET('/plain/1', $_)) for ann, bob;
$write = ops(stated($v), add('/t/-', 2));

$r = patch('/plain/1', $write, ann, 'X-Up-Write: apply hold');
is($r->{status}, 504, 'no answer');

until_true { $r = GET('/plain/1', bob);
             version($r)
             && patch('/plain/1', ops(stated(version($r)), add('/t/0', 9)),
                      bob)->{status} == 204 };

is(patch('/plain/1', $write, ann)->{status}, 409, 'nobody can tell');
is_deeply(doc('/plain/1')->{t}, [9, 1, 2, 2], 'it is not done again');
upstream('/_release');


=== under a policy that never refuses
--- more
    location /lww/ {
        conflict lww;
        conflict_lease 1s;
        conflict_quarantine 0;
        conflict_strip_base on;
        proxy_set_header X-Fence $conflict_next_version;
        proxy_read_timeout 500ms;
        proxy_pass http://api;
    }
--- steps
my $v = shown('/lww/1', { t => [1], a => 1 }, 'ann');
my $write = ops(stated($v), add('/t/-', 2));

my $r = patch('/lww/1', $write, ann, 'X-Up-Write: apply hold');
is($r->{status}, 504, 'no answer');
$r = patch('/lww/1', $write, ann);
is($r->{status}, 409, 'what may be done is not done again');
like(json($r)->{detail}, qr/must not be applied twice/, 'why');
is_deeply(doc('/lww/1')->{t}, [1, 2], 'once');
upstream('/_release');

# one that does no more when it is done again

$v = version(GET('/lww/1', ann));
$write = ops(stated($v), replace('/a', 2));
$r = patch('/lww/1', $write, ann, 'X-Up-Write: apply hold');
is($r->{status}, 504, 'no answer');
$r = patch('/lww/1', $write, ann);
is($r->{status}, 200, 'is seen to be done');
like(header($r, 'Conflict'), qr/^replayed/, 'told');
upstream('/_release');


=== a base that is written like any other member, under "lww"
--- policy: lww
--- steps
my $v = shown('/plain/1', { a => 1, base_version => 1 }, 'ann');

for my $base (1, $v) {
    my $r = patch('/plain/1', ops(replace('/base_version', $base),
                                  add('/a', $base)), ann);

    is($r->{status}, 204, 'nothing is refused');
    is(header($r, 'Conflict'), 'unchecked', 'as nothing was compared');
    is(doc('/plain/1')->{a}, $base, 'written');
    is((conflicts())[-1]{action}, 'conflict_unchecked', 'logged');
}

is(scalar(conflicts()), 2, 'each');


=== under "version"
--- policy: version
--- rules
    conflict_strip_base on;
--- steps
my $v = shown('/plain/1', { a => 1, b => 1 }, 'ann', 'bob');

is(patch('/plain/1', ops(stated($v), replace('/a', 2)), ann)->{status}, 204,
   'a current base');
is(sent(), ops(replace('/a', 2)), 'goes no further');

my $r = patch('/plain/1', ops(stated($v), replace('/b', 2)), bob);
is($r->{status}, 409, 'a stale one');
is(json($r)->{server_version}{a}, 2, 'the latest body');
is_deeply((conflicts())[-1]{fields}, ['/b'], 'the log has what it would change');

$r = patch('/plain/1', ops(stated($v), replace('/a', 2)), ann);
is($r->{status}, 200, 'the first again');
like(header($r, 'Conflict'), qr/^replayed/, 'is known');
