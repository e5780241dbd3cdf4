# The rule "list": arrays are merged by element, for edits by index.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "location / {\n"
                      . "conflict merge;\nconflict_lease 1s;\n"
                      . "conflict_quarantine 300ms;\n"
                      . "conflict_field /items list;\n"
                      . ($block->rules || '')
                      . "proxy_pass http://api;\n}\n");
});

# text as it is in the upstream, byte by byte

sub doc { upstream("/_doc?path=$_[0]") }

sub ann { 'X-User: ann' }
sub bob { 'X-User: bob' }

run_tests();

__DATA__

=== insertions, removals and replacements at different places
--- steps
my $v = shown('/plain/1', '{"items":[{"t":"a"},{"t":"b"},{"t":"c"},{"t":"d"}]}',
              'ann', 'bob');

# ann puts one first, and takes out the third

is(PUT('/plain/1', '{"items":[{"t":"new"},{"t":"a"},{"t":"b"},{"t":"d"}],'
       . qq("base_version":$v}), ann)->{status}, 204, 'the first');

# bob adds one, and renames the second, as he was shown them

my $r = PUT('/plain/1', qq({"base_version":$v,"items":[{"t":"a"}, {"t": "B"},)
            . '{"t":"c"},{"t":"d"},{"t":"e", "n":1.50}]}', bob);
is($r->{status}, 409, 'next to what she removed');
is_deeply(json($r)->{conflicts}[0]{field}, '/items', 'the list clashes');
is(json($r)->{conflicts}[0]{rule}, 'list', 'by its rule');

$r = PUT('/plain/1', qq({"items":[{"t":"A"},{"t":"b"},{"t":"c"},{"t":"d"},)
         . qq({"t":"e", "n":1.50}],"base_version":$v}), bob);
is($r->{status}, 409, 'or to what she put in');

$r = PUT('/plain/1', qq({"items":[{"t":"a"},{"t":"b"},{"t":"c"},{"t":"d"},)
         . qq({"t":"e", "n":1.50}],"base_version":$v}), bob);
is($r->{status}, 204, 'elsewhere');
like(header($r, 'Conflict'), qr/^merged;.*;fields="items"$/, 'is merged');
like(doc('/plain/1'), qr/\Q"items":[{"t":"new"},{"t":"a"},{"t":"b"},\E
     \Q{"t":"d"},{"t":"e", "n":1.50}]\E/x, 'byte by byte');


=== one element that both have edited
--- steps
my %a = (sku => 'a', qty => 1, note => '', at => 1);
my %b = (sku => 'b', qty => 1, note => '', at => 2);
my $v = shown('/plain/1', { items => [{ %a }, { %b }] }, 'ann', 'bob');

is(PUT('/plain/1', { items => [{ sku => 'new', qty => 1, at => 0, note => '' },
                               { %a }, { %b, qty => 2 }],
                     base_version => $v }, ann)->{status}, 204, 'the first');

my $r = PUT('/plain/1', { items => [{ %a }, { %b, note => '!' }],
                          base_version => $v }, bob);
is($r->{status}, 204, 'other members of it');
like(header($r, 'Conflict'), qr/;fields="items\/2\/qty items"$/, 'told');
is_deeply(json({ body => doc('/plain/1') })->{items},
          [{ sku => 'new', qty => 1, at => 0, note => '' }, { %a },
           { %b, qty => 2, note => '!' }], 'both edits');

$r = PUT('/plain/1', { items => [{ %a }, { %b, qty => 5 }],
                       base_version => $v }, bob);
is($r->{status}, 409, 'the same member');
is_deeply(json($r)->{conflicts}, [{ field => '/items/2/qty', rule => 'auto',
                                    base => 1, server => 2, client => 5 }],
          'clashes, at its index in the latest body');

$r = PUT('/plain/1', { items => [{ %a }, { sku => 'z', qty => 1, at => 9,
                                           note => 'other' }],
                       base_version => $v }, bob);
is($r->{status}, 409, 'another element in its place');
is(json($r)->{conflicts}[0]{field}, '/items', 'is none of its edits');


=== a merge-patch, scalars, what is no array, and no base
--- rules
    conflict_history 2;
--- steps
my $v = shown('/plain/1', { items => [1, 2, 3], n => 1 }, 'ann', 'bob');
my $type = 'Content-Type: application/merge-patch+json';

is(PATCH('/plain/1', { items => [0, 1, 2, 3], base_version => $v }, $type,
         ann)->{status}, 204, 'the first');
is(PATCH('/plain/1', { items => [1, 2], base_version => $v }, $type, bob)
   ->{status}, 204, 'a patch');
is_deeply(json((journal())[-1])->{items}, [0, 1, 2], 'has the list whole');

my $r = PUT('/plain/1', { items => { 0 => 1 }, n => 1, base_version => $v },
            'X-User: bob');
is($r->{status}, 409, 'no array');
is(json($r)->{conflicts}[0]{rule}, 'list', 'clashes');

$v = shown('/plain/2', { items => [1, 2, 3], n => 1 }, 'ann', 'bob');

for my $n (2, 3) {
    my $now = version(GET('/plain/2', ann));
    is(PUT('/plain/2', { items => [0, 1, 2, 3], n => $n,
                         base_version => $now }, ann)->{status}, 204,
       'a write');
}

$r = PUT('/plain/2', { items => [1, 2, 3, 4], n => 1, base_version => $v },
         bob);
is($r->{status}, 409, 'without its base');
is(json($r)->{base_held}, JSON::PP::false, 'nobody knows who changed what');


=== an element is not put in twice by a retry
--- rules
    proxy_read_timeout 500ms;
--- steps
my $v = shown('/plain/1', { items => ['x'] }, 'ann', 'bob');
my %write = (items => ['x', 'x'], base_version => $v);

my $r = PUT('/plain/1', { %write }, ann, 'X-Up-Write: apply hold');
is($r->{status}, 504, 'no answer');

# bob puts one before: now nobody can tell

my $doc;
until_true { $r = GET('/plain/1', bob); $doc = json($r);
             PUT('/plain/1', { items => ['q', @{ $doc->{items} }],
                               base_version => version($r) }, bob)
             ->{status} == 204 };
is_deeply($doc->{items}, ['x', 'x'], 'it was done');

$r = PUT('/plain/1', { %write }, ann);
is($r->{status}, 409, 'again');
is_deeply(json({ body => doc('/plain/1') })->{items}, ['q', 'x', 'x'],
          'not twice');
upstream('/_release');


=== what is too far apart is not compared for ever
--- steps
my @base = (1 .. 3000);
my $v = shown('/plain/1', { items => [@base] }, 'ann', 'bob');

is(PUT('/plain/1', { items => [0, map { -$_ } @base], base_version => $v },
       ann)->{status}, 204, 'all others');
is(PUT('/plain/1', { items => [@base, 0], base_version => $v }, bob)
   ->{status}, 409, 'clash');
