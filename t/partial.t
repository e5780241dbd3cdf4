# conflict_partial: members that a client did not send are neither changed nor
# removed, do not clash, and are not in the log.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    return if $block->config;

    my $rules = $block->rules || '';

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "location / {\n"
                      . "conflict merge;\nconflict_lease 1s;\n"
                      . "conflict_quarantine 300ms;\n"
                      . ($rules =~ /strip_base/ ? ''
                                                : "conflict_strip_base off;\n")
                      . $rules
                      . "proxy_pass http://api;\n}\n"
                      . ($block->more || ''));
});

# what the upstream has, and what it was sent last

sub doc { json({ body => upstream("/_doc?path=$_[0]") }) }
sub sent { json((journal())[-1]) }

sub ann { 'X-User: ann' }
sub bob { 'X-User: bob' }

run_tests();

__DATA__

=== PATCH of members that are taken whole, as most APIs do
--- rules
    conflict_partial patch;
    conflict_field /name        lww;
    conflict_field /price_cents reject;
    conflict_field /updated_at  server;
    conflict_field /tags        union;
    conflict_field /views       sum;
--- steps
my %doc = (name => 'lamp', price_cents => 100, updated_at => 'mon',
           tags => ['a', 'b'], views => 10, note => '-', more => { x => 1 });
my $v = shown('/assign/1', { %doc }, 'ann', 'bob');

my $r = PATCH('/assign/1', { tags => ['a', 'c'], views => 11, note => '!',
                             more => { x => 2 }, base_version => $v }, ann);
is($r->{status}, 200, 'ann');

# of what ann has changed bob sends two, which he has changed as well

$r = PATCH('/assign/1', qq({"views" : 12,"tags":["a","b","d"],"name":"Lamp",)
           . qq("base_version":$v}), bob);
is($r->{status}, 200, 'bob is merged');
like(header($r, 'Conflict'),
     qr/^merged;version=\d+;base=$v;fields="views tags"$/,
     'with those of his fields that were not simply his');

my $w = version(GET('/assign/1', bob));
my $sent = (journal())[-1]{body};
my ($was) = $sent =~ /"base_version":(\d+)/;

is($sent, qq({"views" : 13,"tags":["a","c","d"],"name":"Lamp",)
          . qq("base_version":$was}), 'a part still: his members');

is_deeply(doc('/assign/1'),
          { %doc, name => 'Lamp', tags => ['a', 'c', 'd'], views => 13,
            note => '!', more => { x => 2 }, base_version => $was },
          'the rest is as ann has left it');

my ($c) = conflicts();
is_deeply($c->{fields}, ['/views', '/tags'], 'the same in the log');

# what is the server's stays, and what was not sent does not clash

$r = PATCH('/assign/1', { updated_at => 'tue', name => 'LAMP',
                          base_version => $v }, bob);
is($r->{status}, 200, 'a third');
is_deeply([@{ sent() }{'updated_at', 'name'}], ['mon', 'LAMP'],
          'with the value that is there');
like(header($r, 'Conflict'), qr/fields="(name updated_at|updated_at name)"/,
     'which is told');

$r = PATCH('/assign/1', { price_cents => 90, note => '-', name => 'lamp',
                          base_version => $v }, bob);
is($r->{status}, 409, 'a clash');
is_deeply(json($r)->{conflicts},
          [{ field => '/price_cents', rule => 'reject', base => 100,
             server => 100, client => 90 }], 'of what was sent alone');
is(json($r)->{base_held}, JSON::PP::true, 'with its base');

# nothing is stale

$r = PATCH('/assign/1', { updated_at => 'wed', views => 1,
                          base_version => version(GET('/assign/1', bob)) },
           bob);
is($r->{status}, 200, 'a current base');
is(doc('/assign/1')->{updated_at}, 'mon', 'the server\'s stays then, too');
like(header($r, 'Conflict'), qr/^passed;version=\d+;fields="updated_at"$/,
     'told');
is(doc('/assign/1')->{note}, '!', 'the rest');


=== an object that is taken whole is merged whole
--- rules
    conflict_partial patch=shallow;
    conflict_field /m/at server;
--- steps
my $v = shown('/assign/1', { o => { a => 1, b => 1 }, m => { at => 1, x => 1 },
                             z => 1 }, 'ann', 'bob');

is(PATCH('/assign/1', { o => { a => 2, b => 1, new => 1 }, z => 2,
                        base_version => $v }, ann)->{status}, 200, 'ann');

my $r = PATCH('/assign/1', { o => { a => 1, b => 2 }, base_version => $v },
              bob);
is($r->{status}, 200, 'bob');
is_deeply(sent()->{o}, { a => 2, b => 2, new => 1 }, 'all of it is sent');
is(sent()->{z}, undef, 'and nothing else');
is_deeply(doc('/assign/1')->{o}, { a => 2, b => 2, new => 1 }, 'both');

# what is not in an object that is sent was removed

$r = PATCH('/assign/1', { o => { a => 1 }, base_version => $v }, bob);
is($r->{status}, 409, 'but that has changed');
is_deeply(json($r)->{conflicts}, [{ field => '/o/b', rule => 'auto',
                                    base => 1, server => 2 }], 'it clashes');

$r = PATCH('/assign/1', { m => { x => 2 },
                          base_version => version(GET('/assign/1', bob)) },
           bob);
is_deeply(doc('/assign/1')->{m}, { at => 1, x => 2 },
          'what is the server\'s cannot be left out');

is(PATCH('/assign/1', { m => undef }, bob)->{status}, 409,
   'nor be gone with the rest');


=== a deep change: its paths alone
--- rules
    conflict_partial patch=deep;
    conflict_field /l lww;
    conflict_field /m/at server;
--- steps
my $v = shown('/deep/1', { o => { a => 1, b => 1, p => { x => 1, y => 1 } },
                           l => { a => 1, b => 1 }, m => { at => 1, x => 1 } },
              'ann', 'bob');

is(PATCH('/deep/1', { o => { b => 2, p => { x => 2 } }, l => { a => 2,
                      b => 2 }, base_version => $v }, ann)->{status}, 200,
   'ann');

my $r = PATCH('/deep/1', { o => { a => 2, p => { x => 1, y => 2 } },
                           l => { a => 3 }, m => { x => 2 },
                           base_version => $v }, bob);
is($r->{status}, 200, 'bob');

my $sent = sent();
delete $sent->{base_version};
is_deeply($sent, { o => { a => 2, p => { x => 2, y => 2 } }, l => { a => 3 },
                   m => { x => 2 } }, 'his paths, and none beside them');
like(header($r, 'Conflict'), qr!fields="(l/a o/p/x|o/p/x l/a)"$!,
     'the fields');

my $doc = doc('/deep/1');
delete $doc->{base_version};
is_deeply($doc, { o => { a => 2, b => 2, p => { x => 2, y => 2 } },
                  l => { a => 3, b => 2 }, m => { at => 1, x => 2 } },
          'the result');

$r = PATCH('/deep/1', { o => { p => { x => 3 } }, base_version => $v }, bob);
is($r->{status}, 409, 'a clash');
is_deeply(json($r)->{conflicts},
          [{ field => '/o/p/x', rule => 'auto', base => 1, server => 2,
             client => 3 }], 'of a path');


=== PUT with some members: a handler that writes what is in the body
--- rules
    conflict_partial put;
    conflict_strip_base on;
--- steps
my $v = shown('/assign/quiet/1', { title => 't', body => 'b', done => 0 },
              'ann', 'bob');

is(PUT('/assign/quiet/1', { title => 'T', base_version => $v }, ann)
   ->{status}, 204, 'the title');

my $r = PUT('/assign/quiet/1', { body => 'B', base_version => $v }, bob);
is($r->{status}, 204, 'the body');
is_deeply(sent(), { body => 'B' }, 'alone');
is_deeply(doc('/assign/quiet/1'), { title => 'T', body => 'B', done => 0 },
          'both');

$r = PUT('/assign/quiet/1', { body => 'b!', base_version => $v }, ann);
is($r->{status}, 409, 'the same member');
is_deeply(json($r)->{conflicts}, [{ field => '/body', rule => 'auto',
                                    base => 'b', server => 'B',
                                    client => 'b!' }], 'and no other');

# an unchanged member is sent all the same: a handler may write it

$r = PUT('/assign/quiet/1', { body => 'b', done => 1, base_version => $v },
         ann);
is($r->{status}, 204, 'one changed, one not');
is_deeply(sent(), { body => 'B', done => 1 }, 'with the value that is there');

# PATCH is not meant by it

is(PATCH('/assign/quiet/1', { done => 2, base_version => $v }, ann)
   ->{status}, 409, 'PATCH is not merged');


=== null is a value
--- rules
    conflict_partial put patch;
--- steps
for my $method ('PUT', 'PATCH') {
    my $v = shown('/assign/1', { a => 1, b => 1, c => undef }, 'ann', 'bob');

    my $write = sub {
        http($method, '/assign/1', body => { %{ $_[0] }, base_version => $v },
             headers => [@_[1 .. $#_]]);
    };

    is($write->({ b => 2 }, ann)->{status}, 200, "$method: ann");

    my $r = $write->({ a => undef }, bob);
    is($r->{status}, 200, 'null');
    ok(exists sent()->{a}, 'is sent');
    ok(exists doc('/assign/1')->{a}, 'and stored');

    $r = $write->({ b => undef }, bob);
    is($r->{status}, 409, 'clashes with another');
    is_deeply(json($r)->{conflicts}, [{ field => '/b', rule => 'auto',
                                        base => 1, server => 2,
                                        client => undef }], 'is told');

    is($write->({ c => 1 }, ann)->{status}, 200, 'a null becomes a value');
    is($write->({ c => undef, b => 1 }, bob)->{status}, 200,
       'who left it leaves it');
    is(sent()->{c}, 1, 'with the value that is there');
}


=== what was sent is known, and what it was made on
--- rules
    conflict_partial put;
    conflict_strip_base on;
    conflict_field /v sum;
--- steps
my $v1 = shown('/assign/quiet/1', { a => 1, b => 1, v => 1, t => 1 }, 'ann',
               'bob');

# ann writes twice, bob in between, and nobody reads

my $v2 = version(PUT('/assign/quiet/1', { a => 2, base_version => $v1 }, ann));

is(PUT('/assign/quiet/1', { b => 2, v => 2, base_version => $v1 }, bob)
   ->{status}, 204, 'bob');

my $r = PUT('/assign/quiet/1', { t => 2, v => 3, base_version => $v2 }, ann);
is($r->{status}, 204, 'ann on what she has made');
is_deeply(doc('/assign/quiet/1'), { a => 2, b => 2, v => 4, t => 2 },
          'members that she has not sent before, and a sum');

# what a merge has made of it she has not seen, and another page of hers may

my $v4 = version($r);
is(header($r, 'ETag'), undef, 'no tag of what she has not seen');

is(PUT('/assign/quiet/1', { v => 5, b => 3, base_version => version(
       GET('/assign/quiet/1', bob)) }, bob)->{status}, 204, 'bob');

$r = PUT('/assign/quiet/1', { v => 4, a => 3, base_version => $v4 }, ann);
is($r->{status}, 409, 'on that nothing can be merged');
is(json($r)->{base_held}, JSON::PP::false, 'its base is not known');

my $v5 = version(GET('/assign/quiet/1', ann));
is(PUT('/assign/quiet/1', { v => 6, b => 3, base_version => version(
       GET('/assign/quiet/1', bob)) }, bob)->{status}, 204, 'bob');

$r = PUT('/assign/quiet/1', { v => 6, a => 3, base_version => $v5 }, ann);
is($r->{status}, 204, 'one more of hers, on what she has read');
is(doc('/assign/quiet/1')->{v}, 7, 'is one more of all');


=== of what was sent without a base the rest is not known
--- rules
    conflict_partial put patch;
    conflict_strip_base on;
    conflict_field /views sum;
--- steps
my %doc = (title => 't', body => 'b', views => 10);

for my $style ('quiet/1', 'echo/1', 'quiet/2', 'echo/2') {
    my $path = "/assign/$style";
    my $type = 'Content-Type: application/'
               . ($style =~ /2/ ? 'merge-patch+json' : 'json');
    my $v1 = shown($path, { %doc }, 'bob');
    my $v2 = version(PATCH($path, { title => 'T' }, ann, $type));

    is(PATCH($path, { body => 'B', views => 12, base_version => $v1 }, bob)
       ->{status} =~ /^20/, 1, "$style: bob");

    my $r = PATCH($path, { views => 11, base_version => $v2 }, ann, $type);
    is($r->{status}, 409, 'a sum without its base');
    is(json($r)->{base_held}, JSON::PP::false, 'told');
    is(doc($path)->{views}, 12, 'is not counted from 0');

    $r = PATCH($path, { title => 'TT', base_version => $v2 }, ann, $type);
    like($r->{status}, qr/^20/, 'what was sent is known');

    $r = PUT($path, { body => '?', base_version => $v2 }, ann);
    is($r->{status}, 409, 'another member is not');
    is_deeply(json($r)->{conflicts}, [{ field => '/body', rule => 'auto',
                                        server => 'B', client => '?' }],
              'so it clashes');

    # what a GET shows takes the place of it

    $path = "/assign/$style/read";
    $v1 = shown($path, { %doc }, 'bob');
    PATCH($path, { title => 'T' }, ann, $type);
    $v2 = version(GET($path, ann));

    like(PATCH($path, { views => 12, base_version => $v1 }, bob)->{status},
         qr/^20/, 'bob');
    like(PATCH($path, { views => 11, base_version => $v2 }, ann)->{status},
         qr/^20/, 'ann');
    is(doc($path)->{views}, 13, 'both count');
}


=== a document that a PATCH was answered with is known
--- rules
    conflict_partial patch;
    conflict_strip_base on;
    conflict_field /views sum;
    conflict_field /tags union;
--- steps
my $v1 = shown('/assign/1', { title => 't', body => 'b', views => 10,
                              tags => ['x', 'y'] }, 'bob');

# not even with a GET before it

my $v2 = version(PATCH('/assign/1', { title => 'T' }, ann));

is(PATCH('/assign/1', { title => 'T2', views => 12,
                        base_version => version(GET('/assign/1', bob)) },
         bob)->{status}, 200, 'bob');

my $r = PATCH('/assign/1', { body => 'B', views => 11, tags => ['y', 'z'],
                             base_version => $v2 }, ann);
is($r->{status}, 200, 'ann goes on');
is_deeply(doc('/assign/1'), { title => 'T2', body => 'B', views => 13,
                              tags => ['y', 'z'] }, 'merged');


=== many parts, one on the other
--- rules
    conflict_partial patch;
    conflict_strip_base on;
    conflict_history 40;
--- steps
my $v = shown('/assign/quiet/1', { a => 0, z => 1 }, 'ann', 'bob');

for my $n (1 .. 14) {
    $v = version(PATCH('/assign/quiet/1', { a => $n, "m$n" => 1,
                                            base_version => $v }, ann));
}

is(PATCH('/assign/quiet/1', { a => -1, base_version => version(
         GET('/assign/quiet/1', bob)) }, bob)->{status}, 204, 'bob');

# those in between are removed behind the proxy

my %doc = %{ doc('/assign/quiet/1') };
delete $doc{"m$_"} for 3 .. 6;
set_doc('/assign/quiet/1', { %doc });

my $r = PATCH('/assign/quiet/1', { m1 => 1, m3 => 1, z => 2,
                                   base_version => $v }, ann);
is($r->{status}, 204, 'the first of them is known');
is_deeply(sent(), { m1 => 1, z => 2 }, 'and what was not changed since');

# there is an end to it

$v = version(GET('/assign/quiet/1', ann));
$v = version(PATCH('/assign/quiet/1', { a => $_, base_version => $v }, ann))
    for 1 .. 17;

is(PATCH('/assign/quiet/1', { z => 3, base_version => version(
         GET('/assign/quiet/1', bob)) }, bob)->{status}, 204, 'bob');

$r = PATCH('/assign/quiet/1', { z => 4, base_version => $v }, ann);
is($r->{status}, 409, 'too many');
is(json($r)->{base_held}, JSON::PP::false, 'is told');


=== parts whose beginning is not held any more
--- rules
    conflict_partial patch=deep;
    conflict_strip_base on;
    conflict_history 5;
--- steps
my $v = shown('/deep/quiet/1', { a => 1, o => { x => 1, y => 1 } }, 'ann',
              'bob');

for my $part ({ o => { x => 2 } }, { b => 1 }, { c => 1 }) {
    $v = version(PATCH('/deep/quiet/1', { %$part, base_version => $v }, ann));
}

is(PATCH('/deep/quiet/1', { b => 2, base_version => version(
         GET('/deep/quiet/1', bob)) }, bob)->{status}, 204, 'bob');

my $r = PATCH('/deep/quiet/1', { o => { x => 3 }, c => 2,
                                 base_version => $v }, ann);
is($r->{status}, 204, 'what was sent is known');
like(header($r, 'Conflict'), qr/^merged/, 'and merged');
is_deeply(doc('/deep/quiet/1'), { a => 1, o => { x => 3, y => 1 }, b => 2,
                                  c => 2 }, 'and no clash');

$r = PATCH('/deep/quiet/1', { o => { y => 2 }, base_version => $v }, ann);
is($r->{status}, 409, 'nothing else is');
is(json($r)->{conflicts}[0]{field}, '/o/y', 'which clashes');
is(json($r)->{base_held}, JSON::PP::false, 'told');


=== a whole PUT on a version that a PATCH has made
--- rules
    conflict_partial patch;
    conflict_strip_base on;
--- steps
my $v1 = shown('/plain/1', { a => 1, b => 1 }, 'ann', 'bob');
my $v2 = version(PATCH('/plain/1', { a => 2, base_version => $v1 }, ann));

is(PUT('/plain/1', { a => 2, b => 1, c => 1,
                     base_version => version(GET('/plain/1', bob)) }, bob)
   ->{status}, 204, 'bob adds one');

my $r = PUT('/plain/1', { a => 3, base_version => $v2 }, ann);
is($r->{status}, 204, 'ann removes one');
is_deeply(doc('/plain/1'), { a => 3, c => 1 }, 'the one that she knew');

# without a base nobody knows what she knew

$v1 = shown('/plain/2', { a => 1, b => 1 }, 'bob');
$v2 = version(PATCH('/plain/2', { a => 2 }, ann));

is(PUT('/plain/2', { a => 2, b => 1, c => 1,
                     base_version => version(GET('/plain/2', bob)) }, bob)
   ->{status}, 204, 'bob adds one');

$r = PUT('/plain/2', { a => 3, base_version => $v2 }, ann);
is($r->{status}, 409, 'ann sends a document without it, and without b');
is(join(' ', sort map { $_->{field} } @{ json($r)->{conflicts} }), '/b /c',
   'whichever of them she has removed');
is(json($r)->{base_held}, JSON::PP::false, 'told');


=== a base that is not held
--- rules
    conflict_partial patch;
    conflict_history 1;
    conflict_strip_base on;
    conflict_field /tags union;
    conflict_field /name lww;
    conflict_field /views max;
--- steps
my $v = shown('/assign/1', { tags => ['a', 'b'], name => 'x', views => 5,
                             note => 'n', z => 1 }, 'ann');

PATCH('/assign/1', { tags => ['b', 'c'], views => 7, base_version => $v },
      ann);
GET('/assign/1', ann);

my $r = PATCH('/assign/1', { tags => ['a', 'd'], name => 'y', views => 6,
                             note => 'n', base_version => $v }, ann);
is($r->{status}, 200, 'merged');
is_deeply(doc('/assign/1'), { tags => ['b', 'c', 'a', 'd'], name => 'y',
                              views => 7, note => 'n', z => 1 },
          'by what needs no base');

$r = PATCH('/assign/1', { note => 'm', base_version => $v }, ann);
is($r->{status}, 409, 'what differs');
is_deeply(json($r)->{conflicts}, [{ field => '/note', rule => 'auto',
                                    server => 'n', client => 'm' }],
          'clashes, and nothing that was not sent');


=== parts that do not fit into a buffer, in pieces
--- rules
    conflict_partial put patch;
    conflict_strip_base on;
    conflict_field /views sum;
--- steps
my $pad = 'x' x 40000;

for my $method ('PUT', 'PATCH') {
    my $path = "/assign/quiet/$method";
    my $v = shown($path, { a => 1, pad => '', z => 1, views => 1 }, 'ann',
                  'bob');

    my $write = sub {
        my ($who, $base, %part) = @_;

        return http($method, $path, headers => [$who], chunked => 5000,
                    body => { %part, base_version => $base });
    };

    is($write->(bob, $v, views => 2)->{status}, 204, "$method: bob");

    my $r = $write->(ann, $v, pad => $pad, views => 2);
    is($r->{status}, 204, 'ann');
    is_deeply(sent(), { pad => $pad, views => 3 }, 'is merged');

    my $w = version(GET($path, ann));

    is($write->(bob, version(GET($path, bob)), z => 2, views => 4)->{status},
       204, 'bob');
    is($write->(ann, $w, pad => "$pad!", a => 2, views => 4)->{status}, 204,
       'ann on that');
    is_deeply(doc($path), { pad => "$pad!", a => 2, z => 2, views => 5 },
              'all of both');
}


=== a row in an envelope, and versions of the upstream's own
--- more
    location /row/ {
        conflict merge;
        conflict_partial patch;
        conflict_strip_base on;
        conflict_latest fetch root=/data;
        proxy_pass http://api;
    }
    location /own/ {
        conflict merge;
        conflict_partial patch;
        conflict_base json:/version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict merge;
        conflict_partial patch;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
my $v = shown('/row/1', { a => 1, b => 1, c => 1 }, 'ann', 'bob');

is(PATCH('/row/1', { a => 2, c => 2, base_version => $v }, ann)->{status},
   200, 'ann');
is(PATCH('/row/1', { b => 2, base_version => $v }, bob)->{status}, 200, 'bob');
is_deeply(sent(), { b => 2 }, 'his');
is_deeply(doc('/row/1'), { a => 2, b => 2, c => 2 }, 'both');
is(PATCH('/row/1', { c => 3, base_version => $v }, bob)->{status}, 409,
   'a clash');

shown('/own/1', { a => 1, b => 1 }, 'ann', 'bob');
$v = json(GET('/own/1', bob))->{version};

my $r = PATCH('/own/1', { a => 2, version => $v }, ann);
is($r->{status}, 200, 'ann');

my $now = json($r)->{version};
is(PATCH('/own/1', { b => 2, version => $v }, bob)->{status}, 200, 'bob');
is_deeply(sent(), { b => 2, version => $now },
          'on the version that is there');
is(PATCH('/own/1', { a => 3, version => $v }, bob)->{status}, 409, 'a clash');

# the answer to a PATCH is the base of the next one

is(PATCH('/own/1', { a => 4, version => json(GET('/own/1', bob))->{version} },
         bob)->{status}, 200, 'bob');
is(PATCH('/own/1', { a => 5, version => $now }, ann)->{status}, 409,
   'ann changes what bob has');
is(PATCH('/own/1', { b => 1, d => 1, version => $now }, ann)->{status}, 200,
   'or what nobody has');
is(sent()->{b}, 2, 'and that ann has not changed it');

shown('/etag/1', { a => 1, b => 1 }, 'ann', 'bob');
my ($tag) = header(GET('/etag/1', bob), 'ETag') =~ /"(.*)"/;

is(PATCH('/etag/1', { a => 2, base_version => $tag }, ann)->{status}, 200,
   'ann');
is(PATCH('/etag/1', { b => 2, base_version => $tag }, bob)->{status}, 200,
   'bob');
is(doc('/etag/1')->{a}, 2, 'both');
isnt(sent()->{base_version}, $tag, 'on another version');


=== a sum that is sent again
--- rules
    conflict_partial put patch;
    conflict_field /views sum;
    conflict_strip_base on;
    proxy_read_timeout 500ms;
--- steps
for my $method ('PUT', 'PATCH') {
    my $path = "/assign/$method";
    my $v = shown($path, { views => 10, a => 1, n => 0 }, 'ann', 'bob');

    my $write = sub {
        http($method, $path, body => { base_version => $v, %{ $_[0] } },
             headers => [@_[1 .. $#_]]);
    };

    is($write->({ views => 11 }, ann)->{status}, 200, "$method: ann");
    is($write->({ views => 11 }, bob)->{status}, 200, 'bob');

    for my $who (ann, bob, ann) {
        my $r = $write->({ views => 11 }, $who);
        is($r->{status}, 200, 'again');
        like(header($r, 'Conflict'), qr/^replayed/, 'is known');
    }

    is(doc($path)->{views}, 12, 'once each');

    # one whose end nobody saw

    $v = version(GET($path, ann));

    my %half = (views => 13, n => undef);
    my $r = $write->({ %half }, ann, 'X-Up-Write: apply hold');
    is($r->{status}, 504, 'no answer');

    until_true { $r = $write->({ %half }, ann); $r->{status} != 503 };
    is($r->{status}, 200, 'it was done');
    like(header($r, 'Conflict'), qr/^replayed/, 'and is known to be');
    is(doc($path)->{views}, 13, 'once');
    upstream('/_release');

    # one of which nothing was done, though nothing but a null was missing

    set_doc($path, { views => 13, a => 1 });
    $v = version(GET($path, ann));
    $r = $write->({ n => undef }, ann, 'X-Up-Write: hold');
    is($r->{status}, 504, 'nor here');
    upstream('/_release');

    my $now;
    until_true { my $g = GET($path, bob); $now = version($g);
                 $now && $write->({ a => 2, base_version => $now }, bob)
                         ->{status} == 200 };

    $r = $write->({ n => undef }, ann);
    unlike(header($r, 'Conflict'), qr/^replayed/, 'it is not called done');
}


=== under the other policies: fields in the log, and what was done
--- more
    location /assign/v/ {
        conflict version;
        conflict_partial put patch;
        conflict_strip_base on;
        proxy_read_timeout 500ms;
        conflict_lease 1s;
        conflict_quarantine 300ms;
        proxy_pass http://api;
    }
    location /assign/plain/ {
        conflict version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
--- steps
my %doc = (a => 1, b => 1, o => { x => 1, y => 1 });

for my $method ('PUT', 'PATCH') {
    my $path = "/assign/v/$method";
    my $v = shown($path, { %doc }, 'ann', 'bob');

    my $write = sub {
        http($method, $path, body => { base_version => $v, %{ $_[0] } },
             headers => [@_[1 .. $#_]]);
    };

    is($write->({ a => 2, o => { x => 1, y => 2 } }, ann)->{status}, 200,
       "$method: ann");
    is($write->({ a => 3, o => { x => 1 } }, bob)->{status}, 409, 'bob');
    is_deeply([sort @{ (conflicts())[-1]{fields} }], ['/a', '/o/y'],
              'what differs of what he sends');

    # whether it was done the whole member tells, and null itself

    for my $part ({ o => { x => 1 } }, { n => undef }) {
        $v = version(GET($path, ann));

        is($write->($part, ann, 'X-Up-Write: hold')->{status}, 504,
           'no answer, and not done');
        upstream('/_release');

        my %now = %{ doc($path) };
        set_doc($path, { %now, b => $now{b} + 1 });

        my $r;
        until_true { $r = $write->($part, ann); $r->{status} != 503 };
        is($r->{status}, 409, 'it is not called done');
    }

    my $r;
    $v = version(GET($path, ann));

    is($write->({ o => { x => 1 } }, ann, 'X-Up-Write: apply hold')
       ->{status}, 504, 'no answer, but done');
    until_true { $r = $write->({ o => { x => 1 } }, ann);
                 $r->{status} != 503 };
    is($r->{status}, 200, 'it is known');
    like(header($r, 'Conflict'), qr/^replayed/, 'told');
    upstream('/_release');
}

# where nothing is said of them a PUT is whole, and a PATCH has its members

my $v = shown('/assign/plain/1', { %doc }, 'ann', 'bob');
PUT('/assign/plain/1', { %doc, a => 2, base_version => $v }, ann);

PUT('/assign/plain/1', { a => 3, base_version => $v }, bob);
is_deeply([sort @{ (conflicts())[-1]{fields} }], ['/a', '/b', '/o'],
          'PUT: a document');
PATCH('/assign/plain/1', { a => 3, o => { x => 1 }, base_version => $v },
      bob);
is_deeply((conflicts())[-1]{fields}, ['/a'], 'PATCH: members');


=== which bodies are meant
--- rules
    conflict_partial patch;
    conflict_strip_base on;
    conflict_field /at server;
--- steps
my $v = shown('/assign/1', { at => 1, a => 1 }, 'ann');

for my $type ('application/json', 'Application/JSON ; charset=utf-8',
              'text/json', 'application/merge-patch+json')
{
    is(PATCH('/assign/1', { a => 2 }, ann, "Content-Type: $type")->{status},
       200, $type);
}

for my $type ('application/x+json', 'application/vnd.api+json') {
    my $r = PATCH('/assign/1', { a => 2 }, ann, "Content-Type: $type");
    is($r->{status}, 415, $type);
    is(header($r, 'Accept-Patch'),
       'application/merge-patch+json, application/json-patch+json, '
       . 'application/json', 'what can be');
    like(json($r)->{detail}, qr/PATCH must be application\/json, /, 'why');
}

is(PATCH('/assign/1', '[{"op":"replace","path":"/at","value":2}]', ann)
   ->{status}, 409, 'what has no members could change all');
is(doc('/assign/1')->{at}, 1, 'and does not');
is(PATCH('/assign/1', '{"a":1,"a":2}', ann)->{status}, 400, 'a member twice');
is(PATCH('/assign/2', { at => 7, a => 1 }, ann)->{status}, 201, 'a new one');
is_deeply(doc('/assign/2'), { a => 1 }, 'without what is the server\'s');


=== an injected version, and report
--- more
    location /assign/seen/ {
        conflict merge report;
        conflict_partial patch;
        proxy_pass http://api;
    }
    location /assign/in/ {
        conflict merge;
        conflict_partial put=shallow patch=deep;
        conflict_inject json:/base_version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
--- steps
shown('/assign/in/1', { a => 1, b => 1 }, 'ann', 'bob');

my $doc = json(GET('/assign/in/1', bob));

is(PUT('/assign/in/1', { a => 2, base_version => $doc->{base_version} },
       ann)->{status}, 200, 'ann');
is(PUT('/assign/in/1', { b => 2, base_version => $doc->{base_version} },
       bob)->{status}, 200, 'bob');
is_deeply(doc('/assign/in/1'), { a => 2, b => 2 }, 'both');

my $v = version(GET('/assign/in/1', bob));
set_doc('/assign/seen/1', { a => 1, b => 1 });

my ($now) = header(GET('/assign/seen/1', bob), 'Conflict')
            =~ /version=(\d+)/;

PATCH('/assign/seen/1', { a => 2, base_version => $now }, ann);

my $r = PATCH('/assign/seen/1', { a => 3, base_version => $now }, bob);
like(header($r, 'Conflict'), qr/^rejected;version=\d+;base=$now;fields="a";report$/,
     'what would be refused');
$r = PATCH('/assign/seen/1', { b => 3, base_version => $now }, bob);
like(header($r, 'Conflict'), qr/^merged;version=\d+;base=$now;report$/,
     'what would be merged');
is_deeply([sort keys %{ sent() }], ['b', 'base_version'], 'as it came');


=== it is inherited
--- config
    conflict_partial put=deep;
    conflict_user $http_x_user;
    conflict_strip_base on;
    location /deep/ {
        conflict merge;
        proxy_pass http://api;
    }
    location /plain/ {
        conflict merge;
        conflict_partial off;
        proxy_pass http://api;
    }
--- steps
my $v = shown('/deep/1', { o => { a => 1, b => 1 } }, 'ann', 'bob');

is(PUT('/deep/1', { o => { a => 2 }, base_version => $v }, ann)->{status},
   200, 'ann');
is(PUT('/deep/1', { o => { b => 2 }, base_version => $v }, bob)->{status},
   200, 'bob');
is_deeply(doc('/deep/1'), { o => { a => 2, b => 2 } }, 'both');

$v = shown('/plain/1', { a => 1, b => 1 }, 'ann', 'bob');
is(PUT('/plain/1', { a => 1, b => 2, base_version => $v }, ann)->{status},
   204, 'ann');
is(PUT('/plain/1', { a => 2, base_version => $v }, bob)->{status}, 409,
   'a document that has no b has removed it');


=== a merge-patch: an object that is not there any more
--- steps
my $patch = 'Content-Type: application/merge-patch+json';
my $v = shown('/plain/1', { o => { a => 1, b => 1 }, z => 1 }, 'ann', 'bob');

is(PATCH('/plain/1', { o => undef, base_version => $v }, $patch, ann)
   ->{status}, 204, 'removed');

# a null in it removes what is gone

my $r = PATCH('/plain/1', { o => { a => 1 }, z => 2, base_version => $v },
              $patch, bob);
is($r->{status}, 204, 'what it has not changed is no clash');
is_deeply([sort keys %{ sent() }], ['base_version', 'z'], 'nor sent');

$r = PATCH('/plain/1', { o => { a => undef }, base_version => $v }, $patch,
           bob);
is($r->{status}, 409, 'what it has is');
is_deeply(json($r)->{conflicts}, [{ field => '/o', rule => 'auto',
                                    client => { a => undef } }], 'told');
