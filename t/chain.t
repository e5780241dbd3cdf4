# Conflict-Chain: edits queued by an offline client, each based on the previous
# one.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;
    my $locations = '';

    for my $policy (qw(lww client_wins server_wins version merge)) {
        $locations .= "location /plain/$policy- {\nconflict $policy;\n"
                      . ($policy eq 'merge' ? $block->rules // '' : '')
                      . "proxy_pass http://api;\n}\n";
    }

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "conflict_wait 5s;\n"
                      . "location / {\nconflict version;\n"
                      . "proxy_pass http://api;\n}\n"
                      . $locations . ($block->more || ''));
});

# the field of the n-th link

sub chain {
    my ($n, $base, $id) = @_;

    return 'Conflict-Chain: ' . ($id || '"8f2c91d0"') . ";base=$base;n=$n";
}

# what the log says

sub actions { map { $_->{action} } conflicts() }

run_tests();

__DATA__

=== a queue is sent, and nobody else has written
--- steps
set_doc('/plain/1', { text => 'a' });

my $v = version(GET('/plain/1'));
my $last = $v;

for my $n (1 .. 3) {
    my $r = PUT('/plain/1', { text => "a$n" }, chain($n, $v));

    is($r->{status}, 204, "link $n");
    like(header($r, 'Conflict'), qr/^passed;version=\d+$/, 'it is no conflict');
    cmp_ok(version($r), '>', $last, 'with a version of its own');
    $last = version($r);
}

is(json(GET('/plain/1'))->{text}, 'a3', 'all were written');
is(join(' ', actions()), '', 'nothing was logged');

# which is the same in every method

is(PATCH('/plain/1', { n => 1 }, chain(4, $v))->{status}, 204, 'a PATCH');
is(DELETE('/plain/1', chain(5, $v))->{status}, 204, 'a DELETE');
is(PUT('/plain/1', { text => 'b' }, chain(6, $v))->{status}, 201, 'made anew');


=== another device has written in between
--- steps
set_doc('/plain/1', { text => 'a' });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { text => 'one' }, chain(1, $v))->{status}, 204, 'link 1');

my $other = version(GET('/plain/1'));
is(PUT('/plain/1', { text => 'other', base_version => $other })->{status}, 204,
   'the other one');

my $r = PUT('/plain/1', { text => 'two' }, chain(2, $v));

is($r->{status}, 409, 'link 2');
is(json($r)->{error}, 'version_conflict', 'why');
is(json($r)->{base_version}, $v, 'its base');
is(json($r)->{server_version}{text}, 'other', 'the latest');
is(PUT('/plain/1', { text => 'three' }, chain(3, $v))->{status}, 409,
   'nor does the next');

# on what the user was shown begins another chain

my $now = json($r)->{version};

is(PUT('/plain/1', { text => 'both' }, chain(1, $now, 'f00dcafe'))->{status},
   204, 'a new chain');
is(PUT('/plain/1', { text => 'more' }, chain(2, $now, 'f00dcafe'))->{status},
   204, 'and its next link');
is(join(' ', actions()), 'conflict_version conflict_version', 'the log');


=== another device has written before all of it
--- steps
set_doc('/plain/1', { text => 'a' });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { text => 'other', base_version => $v });

is(PUT('/plain/1', { text => 'one' }, chain(1, $v))->{status}, 409, 'link 1');
is(PUT('/plain/1', { text => 'two' }, chain(2, $v))->{status}, 409,
   'one that was refused is no link');


=== only the chain tells: not who writes, and from which device
--- steps
set_doc('/plain/1', { text => 'a' });

my $v = version(GET('/plain/1'));
my @me = ('X-User: ann', 'X-Client: phone');

is(PUT('/plain/1', { text => 'one' }, @me, chain(1, $v))->{status}, 204,
   'one page');
is(PUT('/plain/1', { text => 'two' }, @me, chain(2, $v, 'f00dcafe'))->{status},
   409, 'another one, of the same user on the same device');
is(PUT('/plain/1', { text => 'two', base_version => $v }, @me)->{status}, 409,
   'without a chain');
is(PUT('/plain/1', { text => 'two' }, 'X-User: bob', 'X-Client: phone',
       chain(2, $v))->{status}, 409, 'another user');
is(PUT('/plain/1', { text => 'two' }, @me, chain(2, $v - 1))->{status}, 409,
   'on another base');
is(PUT('/plain/1', { text => 'two' }, 'X-User: ann', 'X-Client: desk',
       chain(2, $v))->{status}, 204, 'the chain, wherever it comes from');


=== the answer to a link was lost
--- steps
set_doc('/plain/1', { text => 'a' });

my $v = version(GET('/plain/1'));
my $two = PUT('/plain/1', { text => 'one' }, chain(1, $v));

$two = PUT('/plain/1', { text => 'two' }, chain(2, $v));

my $r = PUT('/plain/1', { text => 'two' }, chain(2, $v));
is($r->{status}, 200, 'it is sent again');
is(header($r, 'Conflict'), 'replayed;version=' . version($two) . ";base=$v",
   'it was done');
is(json($r)->{text}, 'two', 'the latest');

$r = PUT('/plain/1', { text => 'one' }, chain(1, $v));
is($r->{status}, 409, 'one that comes late, after the next, is not written');
is(json(GET('/plain/1'))->{text}, 'two', 'over that');
is(scalar(grep { $_->{method} eq 'PUT' } journal()), 2, 'nor was it twice');

$r = PUT('/plain/1', { text => 'two' }, chain(3, $v));
is(header($r, 'Conflict') =~ s/;.*//r, 'passed',
   'the same bytes in another link are another write');
is(PUT('/plain/1', { text => 'four' }, chain(4, $v))->{status}, 204,
   'the chain goes on');


=== what becomes of a link is not known for a while
--- more
    location /plain/slow- {
        conflict version;
        conflict_quarantine 100ms;
        proxy_pass http://api;
        proxy_read_timeout 200ms;
    }
--- steps
set_doc('/plain/slow-1', { text => 'a' });

my $v = version(GET('/plain/slow-1'));
PUT('/plain/slow-1', { text => 'one' }, chain(1, $v));
GET('/plain/slow-1');

# it was not done

is(PUT('/plain/slow-1', { text => 'two' }, chain(2, $v), 'X-Up-Write: close')
   ->{status}, 502, 'the upstream has failed');

my $r;
until_true { $r = PUT('/plain/slow-1', { text => 'two' }, chain(2, $v));
             $r->{status} != 503 };
is(header($r, 'Conflict') =~ s/;.*//r, 'passed', 'link 2, again');
GET('/plain/slow-1');

# it was, and nobody can tell who else has written

is(PUT('/plain/slow-1', { text => 'three' }, chain(3, $v),
       'X-Up-Write: apply close')->{status}, 502, 'link 3');
until_true { $r = PUT('/plain/slow-1', { text => 'three' }, chain(3, $v));
             $r->{status} != 503 };
is(header($r, 'Conflict') =~ s/;.*//r, 'replayed', 'link 3, again');

my $now = version($r);
is(PUT('/plain/slow-1', { text => 'four' }, chain(4, $v))->{status}, 409,
   'the chain has ended');
is(PUT('/plain/slow-1', { text => 'four' }, chain(1, $now, 'f00dcafe'))
   ->{status}, 204, 'another begins on what was shown');


=== edits that were joined leave a gap
--- steps
set_doc('/plain/1', { text => 'a' });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { text => 'one' }, chain(1, $v))->{status}, 204, 'link 1');
is(PUT('/plain/1', { text => 'four' }, chain(4, $v))->{status}, 204,
   'links 2 to 4 in one');
is(PUT('/plain/1', { text => 'end' }, chain(65535, $v))->{status}, 204,
   'the last one');
is(PUT('/plain/1', { text => 'two' }, chain(2, $v))->{status}, 409,
   'what was joined is not sent any more');


=== a link waits for the one in flight
--- steps
set_doc('/plain/1', { text => 'a' });

my $v = version(GET('/plain/1'));

my $one = start('PUT', '/plain/1', body => { text => 'one' },
                headers => [chain(1, $v), 'X-Up-Write: hold apply']);
begun(1);
my $two = start('PUT', '/plain/1', body => { text => 'two' },
                headers => [chain(2, $v), 'X-Up-Write: apply']);
my $other = start('PUT', '/plain/1',
                  body => { text => 'other', base_version => $v });
release();

is(finish($one)->{status}, 204, 'link 1');
is(finish($two)->{status}, 204, 'link 2');
is(finish($other)->{status}, 409, 'another write on their base');
is(json(GET('/plain/1'))->{text}, 'two', 'in their order');


=== what is malformed is refused, and it says what is expected
--- steps
set_doc('/plain/1', { text => 'a' });

my $v = version(GET('/plain/1'));

for ( [ '8f2c91d0;base=7;n=1', 'is not an item' ],
      [ "\"8f2c91d0\";base=$v;n=1, \"8f2c91d0\";base=$v;n=2",
        'is not an item' ],
      [ "\"8f2c\";base=$v;n=1", '8 to 64 bytes' ],
      [ '"8f2c91d0";n=1', 'must have a base' ],
      [ '"8f2c91d0";base=v7;n=1', 'must have a base' ],
      [ '"8f2c91d0";base="v7";n=1', 'is not an integer' ],
      [ "\"8f2c91d0\";base=$v", 'from 1 to 65535' ],
      [ "\"8f2c91d0\";base=$v;n=0", 'from 1 to 65535' ],
      [ "\"8f2c91d0\";base=$v;n=65536", 'from 1 to 65535' ])
{
    my ($value, $why) = @$_;
    my $r = PUT('/plain/1', { text => 'b' }, "Conflict-Chain: $value");

    is($r->{status}, 400, $value);
    is(json($r)->{error}, 'malformed_base', 'which error');
    like(json($r)->{detail}, qr/Conflict-Chain.*\Q$why/, 'what is expected');
}

my $r = PUT('/plain/1', { text => 'b' }, chain(1, $v), chain(2, $v));
is(json($r)->{detail}, 'Conflict-Chain is repeated', 'it is there twice');

$r = PUT('/plain/lww-1', { text => 'b' }, 'Conflict-Chain: 7');
is($r->{status}, 201, 'lww refuses nothing');
is(header($r, 'Conflict'), 'unchecked', 'but says so');

# an unchecked one is no link either

PUT('/plain/1', { text => 'one' }, chain(1, $v));
is(json(GET('/plain/1'))->{text}, 'one', 'what is not goes through');


=== with another base beside it both must hold
--- steps
set_doc('/plain/1', { text => 'a' });

my $v = version(GET('/plain/1'));
my $one = version(PUT('/plain/1', { n => 1, base_version => $v },
                      chain(1, $v)));
ok($one, 'the same base');

my $two = version(PUT('/plain/1', { n => 2 }, chain(2, $v),
                      qq(If-Match: "$v")));
ok($two, 'the same in If-Match');

my $three = version(PUT('/plain/1', { n => 3, base_version => $two },
                        chain(3, $v)));
ok($three, 'the version of the link before');

is(PUT('/plain/1', { n => 4, base_version => $one }, chain(4, $v))->{status},
   409, 'one that is stale');
is(PUT('/plain/1', { n => 4 }, chain(4, $v), qq(If-Match: "$one"))->{status},
   409, 'the same in If-Match');
is(PUT('/plain/1', { n => 4 }, chain(4, $v), 'If-None-Match: *')->{status},
   409, 'that it is not there');
is(PUT('/plain/1', { n => 4, base_version => $three }, chain(3, $v))->{status},
   409, 'a current one, of a link that comes late');
is(PUT('/plain/1', { n => 4, base_version => $three },
       chain(4, $v, 'f00dcafe'))->{status}, 409, 'or of another chain');
is(PUT('/plain/1', { n => 4 }, chain(4, $v))->{status}, 204,
   'the chain goes on');


=== a chain that begins with the creation of its resource
--- steps
is(PUT('/plain/1', { n => 1 }, chain(1, '*'))->{status}, 201, 'it is made');
is(PUT('/plain/1', { n => 2 }, chain(2, '*'))->{status}, 204, 'and edited');

is(PUT('/plain/1', { n => 3 }, chain(1, '*', 'f00dcafe'))->{status}, 409,
   'nobody else makes it');
is(PUT('/plain/1', { n => 3 }, chain(2, '*', 'f00dcafe'))->{status}, 409,
   'nor edits it so');
is(PUT('/plain/1', { n => 3 }, chain(3, '*'))->{status}, 204, 'it goes on');

DELETE('/plain/1');
my $r = PUT('/plain/1', { n => 4 }, chain(4, '*'));
is($r->{status}, 409, 'until somebody else has deleted it');
is(json($r)->{deleted}, JSON::PP::true, 'which it says');

is(PUT('/plain/2', { n => 1 }, chain(1, '*'), 'If-None-Match: *')->{status},
   201, 'said twice');


=== conflict_require: a chain is a base; a POST with one is a write
--- more
    location /plain/strict- {
        conflict version;
        conflict_require on;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/strict-1', { text => 'a' });

my $v = version(GET('/plain/strict-1'));

is(PUT('/plain/strict-1', { n => 1 })->{status}, 428, 'without one');
is(PUT('/plain/strict-1', { n => 1 }, chain(1, $v))->{status}, 204, 'with one');

is(http('POST', '/plain/strict-1', body => { n => 2 },
        headers => [chain(1, $v)])->{status}, 409, 'a POST that comes late');
like(header(http('POST', '/plain/strict-1', body => { n => 2 },
                 headers => [chain(2, $v)]), 'Conflict'), qr/^passed/,
     'the next link');


=== policies that refuse nothing log no conflict where there is none
--- steps
for my $policy (qw(lww client_wins)) {
    my $path = "/plain/$policy-1";

    set_doc($path, { text => 'a' });
    my $v = version(GET($path));

    like(header(PUT($path, { n => 1 }, chain(1, $v)), 'Conflict'), qr/^passed/,
         "$policy: link 1");
    like(header(PUT($path, { n => 2 }, chain(2, $v)), 'Conflict'), qr/^passed/,
         'link 2');

    PUT($path, { n => 'other' });

    like(header(PUT($path, { n => 3 }, chain(3, $v)), 'Conflict'),
         qr/^overwrote/, 'link 3, after another write');
    like(header(PUT($path, { n => 4 }, chain(4, $v)), 'Conflict'),
         qr/^passed/, 'link 4 overwrites but link 3');
    like(header(PUT($path, { n => 2 }, chain(2, $v)), 'Conflict'),
         qr/^overwrote/, 'one that comes late');
}

is(join(' ', actions()), 'conflict_lww conflict_lww '
   . 'conflict_client_wins conflict_client_wins', 'the log');


=== server_wins
--- steps
set_doc('/plain/server_wins-1', { n => 0 });
my $v = version(GET('/plain/server_wins-1'));

for (1 .. 2) {
    like(header(PUT('/plain/server_wins-1', { n => $_ }, chain($_, $v)),
                'Conflict'), qr/^passed/, "link $_");
}

PUT('/plain/server_wins-1', { n => 'other' });

for (3 .. 4) {
    like(header(PUT('/plain/server_wins-1', { n => $_ }, chain($_, $v)),
                'Conflict'), qr/^dropped/, "link $_");
}

is(json(GET('/plain/server_wins-1'))->{n}, 'other', 'which is ignored');


=== report: the same judgement, noted
--- more
    location /plain/told- {
        conflict version report;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/told-1', { n => 0 });

# versions are not shown there, so that of a write

my $v = version(PUT('/plain/told-1', { n => 0 }));
ok($v, 'a version');

my $field = sub {
    my ($n) = @_;

    return header(PUT('/plain/told-1', { n => $n }, chain($n, $v)), 'Conflict')
           =~ s/;.*//r;
};

is($field->(1), 'passed', 'link 1');
is($field->(2), 'passed', 'link 2');
PUT('/plain/told-1', { n => 'other' });
is($field->(3), 'rejected', 'link 3, after another write');
is($field->(4), 'rejected', 'link 4 would not have gone on from that');
is(join(' ', actions()), 'conflict_version conflict_version', 'the log');


=== merge: what is merged with another's changes keeps them
--- rules
    conflict_field /views sum;
    conflict_field /tags union;
--- steps
my $doc = sub { return { title => 'a', note => '-', views => 10,
                         tags => ['x'], @_ } };

set_doc('/plain/merge-1', $doc->());

my $v = version(GET('/plain/merge-1'));
my $now = sub { json(upstream('/_doc?path=/plain/merge-1')) };

# the other one has changed the note, and has seen a view

is(PUT('/plain/merge-1', $doc->(note => 'other', views => 11,
                                base_version => $v))->{status}, 204, 'a write');

# an offline queue: a title, a view; a tag, another view; the title once more

my $r = PUT('/plain/merge-1', $doc->(title => 'b', views => 11), chain(1, $v));
like(header($r, 'Conflict'), qr/^merged/, 'link 1');
is_deeply($now->(), $doc->(title => 'b', note => 'other', views => 12),
          'is merged');

$r = PUT('/plain/merge-1', $doc->(title => 'b', views => 12,
                                  tags => ['x', 'y']), chain(2, $v));
like(header($r, 'Conflict'), qr/^merged/, 'link 2');
is_deeply($now->(), $doc->(title => 'b', note => 'other', views => 13,
                           tags => ['x', 'y']),
          'adds but what is new, and leaves what others have made');

$r = PUT('/plain/merge-1', $doc->(title => 'c', views => 12,
                                  tags => ['x', 'y']), chain(3, $v));
like(header($r, 'Conflict'), qr/^merged/, 'link 3');
is_deeply($now->(), $doc->(title => 'c', note => 'other', views => 13,
                           tags => ['x', 'y']),
          'an edit of its own edit does not clash');

# and again another one in between

my $other = GET('/plain/merge-1');
is(PUT('/plain/merge-1', { %{ json($other) }, views => 14,
                           base_version => version($other) })->{status}, 204,
   'the other one');

$r = PUT('/plain/merge-1', $doc->(title => 'd', views => 13,
                                  tags => ['y']), chain(4, $v));
like(header($r, 'Conflict'), qr/^merged/, 'link 4');
is_deeply($now->(), $doc->(title => 'd', note => 'other', views => 15,
                           tags => ['y']), 'is merged as well');

# what comes twice, or late, does nothing

$r = PUT('/plain/merge-1', $doc->(title => 'd', views => 13,
                                  tags => ['y']), chain(4, $v));
like(header($r, 'Conflict'), qr/^replayed/, 'link 4, again');

is(PUT('/plain/merge-1', $doc->(title => 'x', views => 99), chain(3, $v))
   ->{status}, 409, 'a link before it');

is(PUT('/plain/merge-1', $doc->(title => 'd', note => 'mine', views => 13,
                                tags => ['y']), chain(5, $v))->{status}, 409,
   'what does clash clashes');
is($now->()->{views}, 15, 'nothing was added');


=== merge: a chain that nobody has interfered with passes as it is
--- rules
    conflict_field /views sum;
--- steps
set_doc('/plain/merge-1', { views => 10 });

my $v = version(GET('/plain/merge-1'));

for (1 .. 3) {
    like(header(PUT('/plain/merge-1', { views => 10 + $_ }, chain($_, $v)),
                'Conflict'), qr/^passed/, "link $_");
}

is(json(GET('/plain/merge-1'))->{views}, 13, 'each view was counted once');

# then somebody does: the base of the next is what the client has made

PUT('/plain/merge-1', { views => 20,
                        base_version => version(GET('/plain/merge-1')) });

like(header(PUT('/plain/merge-1', { views => 14 }, chain(4, $v)), 'Conflict'),
     qr/^merged/, 'link 4');
is(json(GET('/plain/merge-1'))->{views}, 21, 'one more than there were');

# whatever ended it, an old link is not merged

PUT('/plain/merge-1', { views => 30,
                        base_version => version(GET('/plain/merge-1')) });
is(PUT('/plain/merge-1', { views => 11.5 }, chain(1, $v))->{status}, 409,
   'link 1 comes late, and says something else');
like(header(PUT('/plain/merge-1', { views => 14 }, chain(4, $v)), 'Conflict'),
     qr/^replayed/, 'link 4, again');
is(json(GET('/plain/merge-1'))->{views}, 30, 'nothing was added');


=== merge: a queue of patches that others have met
--- rules
    conflict_field /views sum;
--- steps
set_doc('/plain/merge-1', { a => 1, b => 1, c => 1, views => 10 });

my $v = version(GET('/plain/merge-1'));
my @patch = ('Content-Type: application/merge-patch+json');
my $now = sub {
    my $doc = json(upstream('/_doc?path=/plain/merge-1'));

    delete $doc->{base_version};
    return $doc;
};

my $link = sub {
    my ($n, %doc) = @_;

    return header(PATCH('/plain/merge-1', \%doc, @patch, chain($n, $v)),
                  'Conflict') =~ s/;.*//r;
};

my $other = sub {
    my $r = GET('/plain/merge-1');

    is(PUT('/plain/merge-1', { %{ json($r) }, @_,
                               base_version => version($r) })->{status}, 204,
       'the other one');
};

# two pass, then another device comes in between, twice

is($link->(1, a => 2, views => 11), 'passed', 'link 1');
is($link->(2, b => 2, views => 12), 'passed', 'link 2');
$other->(c => 2, views => 20);

is($link->(3, a => 3, views => 13), 'merged', 'link 3');
is_deeply($now->(), { a => 3, b => 2, c => 2, views => 21 },
          'is an edit of link 1, and one more view');

is($link->(4, b => 3, d => { e => 1 }), 'merged', 'link 4');
$other->(views => 30);
is($link->(5, d => undef, views => 14), 'merged', 'link 5');
is_deeply($now->(), { a => 3, b => 3, c => 2, views => 31 },
          'is one more than link 3');

is($link->(6, c => 3), 'rejected', 'link 6 does clash');

# another before all of it, and whole documents among patches

set_doc('/plain/merge-2', { a => 1, b => 1, views => 10 });
$v = version(GET('/plain/merge-2'));
PUT('/plain/merge-2', { a => 1, b => 2, views => 10, base_version => $v });

like(header(PATCH('/plain/merge-2', { a => 2, views => 11 }, @patch,
                  chain(1, $v)), 'Conflict'), qr/^merged/, 'a patch');
like(header(PUT('/plain/merge-2', { a => 3, b => 1, views => 12 },
                chain(2, $v)), 'Conflict'), qr/^merged/, 'a document');
like(header(PATCH('/plain/merge-2', { a => 4, views => 13 }, @patch,
                  chain(3, $v)), 'Conflict'), qr/^merged/, 'a patch');
is_deeply(json(upstream('/_doc?path=/plain/merge-2')),
          { a => 4, b => 2, views => 13 }, 'each on what was made before');


=== merge: a link that was a JSON Patch is what the next one goes on from
--- rules
    conflict_field /views sum;
    conflict_field /tags union;
--- steps
my @patch = ('Content-Type: application/json-patch+json');
my @part = ('Content-Type: application/merge-patch+json');
my $now = sub { json(upstream('/_doc?path=/plain/merge-1')) };

set_doc('/plain/merge-1', { a => 1, b => 1, views => 10, tags => [1, 2] });

my $v = version(GET('/plain/merge-1'));

PUT('/plain/merge-1', { a => 1, b => 2, views => 11, tags => [1, 2],
                        base_version => $v });

# it was merged: the client knows what it has made of its own document

my $r = PATCH('/plain/merge-1',
              [{ op => 'replace', path => '/views', value => 15 },
               { op => 'add', path => '/tags/-', value => 3 }],
              @patch, chain(1, $v));
like(header($r, 'Conflict'), qr/^merged/, 'link 1');
is($now->()->{views}, 16, 'adds five');

$r = PATCH('/plain/merge-1', { views => 16, tags => [2, 3] }, @part,
           chain(2, $v));
like(header($r, 'Conflict'), qr/^merged/, 'link 2');
is_deeply($now->(), { a => 1, b => 2, views => 17, tags => [2, 3] },
          'adds one, and has removed a tag');

$r = PATCH('/plain/merge-1', [{ op => 'remove', path => '/tags/0' }], @patch,
           chain(3, $v));
like(header($r, 'Conflict'), qr/^merged/, 'link 3');

$r = PUT('/plain/merge-1', { a => 3, b => 1, views => 16, tags => [3] },
         chain(4, $v));
like(header($r, 'Conflict'), qr/^merged/, 'link 4');
is_deeply($now->(), { a => 3, b => 2, views => 17, tags => [3] },
          'changes one field, and counts nothing twice');


=== merge: what others base on a link that was a patch
--- rules
    conflict_field /views sum;
--- steps
set_doc('/plain/merge-1', { a => 1, b => 1, views => 10 });

my $v = version(GET('/plain/merge-1'));
my @patch = ('Content-Type: application/merge-patch+json');

PATCH('/plain/merge-1', { a => 2 }, @patch, chain(1, $v));
my $two = version(PATCH('/plain/merge-1', { views => 11 }, @patch,
                        chain(2, $v)));

# online again, on the version of its last link, which has met another

PUT('/plain/merge-1', { a => 2, b => 2, views => 12, base_version => $two });
like(header(PATCH('/plain/merge-1', { a => 3, views => 12,
                                      base_version => $two }, @patch),
            'Conflict'), qr/^merged/, 'all that it has sent is its base');

my $doc = json(upstream('/_doc?path=/plain/merge-1'));
is("$doc->{a} $doc->{b} $doc->{views}", '3 2 13', 'nothing counts twice');


=== merge: after a DELETE nobody knows what the next link was made of
--- steps
set_doc('/plain/merge-1', { a => 1, b => 1 });

my $v = version(GET('/plain/merge-1'));

PUT('/plain/merge-1', { a => 2, b => 1 }, chain(1, $v));
is(DELETE('/plain/merge-1', chain(2, $v))->{status}, 204, 'link 2');
PUT('/plain/merge-1', { a => 1, b => 5 });

my $r = PUT('/plain/merge-1', { a => 2, b => 1 }, chain(3, $v));
is($r->{status}, 409, 'link 3');
is(json($r)->{base_held}, JSON::PP::false, 'has no base that is known');


=== the upstream's own versions, as integers and as tags
--- more
    location /own/ {
        conflict version;
        conflict_version json:/version;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict version;
        conflict_version header:ETag;
        proxy_pass http://api;
    }
--- steps
set_doc('/own/1', { text => 'a' });
my $v = json(GET('/own/1'))->{version};

for (1 .. 3) {
    is(PUT('/own/1', { text => "a$_" }, chain($_, $v))->{status}, 200,
       "link $_");
}

PUT('/own/1', { text => 'other' });
is(PUT('/own/1', { text => 'a4' }, chain(4, $v))->{status}, 409,
   'link 4, after another write');

set_doc('/etag/1', { text => 'a' });
(my $tag = header(GET('/etag/1'), 'ETag')) =~ s/"//g;

for (1 .. 2) {
    like(header(PUT('/etag/1', { text => "a$_" }, chain($_, qq("$tag"))),
                'Conflict'), qr/^passed/, "link $_ on \"$tag\"");
}

set_doc('/etag/1', { text => 'behind our back' });
GET('/etag/1');
is(PUT('/etag/1', { text => 'a3' }, chain(3, qq("$tag")))->{status}, 409,
   'link 3, after a change that was found');


=== what else may have changed the resource ends a chain
--- steps
my $begin = sub {
    my ($path) = @_;

    set_doc($path, { n => 0 });
    my $v = version(GET($path));
    is(PUT($path, { n => 1 }, chain(1, $v))->{status}, 204, "$path: link 1");
    GET($path);

    return $v;
};

my $v = $begin->('/plain/deleted');
DELETE('/plain/deleted');
is(PUT('/plain/deleted', { n => 2 }, chain(2, $v))->{status}, 409,
   'deleted by another');

$v = $begin->('/plain/method');
http('FROB', '/plain/method', headers => ['X-Up-Write: apply status=200']);
set_doc('/plain/method', { n => 'frob' });
is(PUT('/plain/method', { n => 2 }, chain(2, $v))->{status}, 409,
   'a method that nobody guards');

$v = $begin->('/plain/moved');
set_doc('/plain/other', { n => 'other' });
http('MOVE', '/plain/other', headers => ['Destination: /plain/moved']);
is(PUT('/plain/moved', { n => 2 }, chain(2, $v))->{status}, 409,
   'a MOVE over it');

# not what has not: reads, what was refused, what was not done

$v = $begin->('/plain/same');
PUT('/plain/same', { n => 'stale', base_version => $v });
PUT('/plain/same', { n => 'bad' }, 'X-Up-Write: status=422');
is(PUT('/plain/same', { n => 2 }, chain(2, $v), 'X-Up-Write: status=422')
   ->{status}, 422, 'link 2 is not accepted');
is(PUT('/plain/same', { n => 3 }, chain(3, $v))->{status}, 204, 'link 3');

=== a lock holds for links, too
--- more
    location ~ ^(?<resource>/plain/[^/]+)/lock$ {
        conflict_lock;
        conflict_key $resource;
    }
--- steps
set_doc('/plain/locked', { n => 0 });
my $v = version(GET('/plain/locked'));

is(PUT('/plain/locked', { n => 1 }, 'X-User: ann', chain(1, $v))->{status},
   204, 'link 1');
is(http('POST', '/plain/locked/lock', headers => ['X-User: bob'])->{status},
   200, 'bob edits it');
is(json(PUT('/plain/locked', { n => 2 }, 'X-User: ann', chain(2, $v)))
   ->{error}, 'locked', 'link 2 waits for that');
is(http('DELETE', '/plain/locked/lock', headers => ['X-User: bob'])->{status},
   200, 'he has changed nothing');
is(PUT('/plain/locked', { n => 2 }, 'X-User: ann', chain(2, $v))->{status},
   204, 'it goes on');


=== the store has lost its connections while a link was in flight
--- steps
set_doc('/plain/1', { n => 0 });
my $v = version(GET('/plain/1'));

my $one = start('PUT', '/plain/1', body => { n => 1 },
                headers => [chain(1, $v), 'X-Up-Write: hold apply']);
begun(1);

if ($ENV{TEST_NGINX_REDIS_PORT}) {
    redis($ENV{TEST_NGINX_REDIS_PORT}, 'CLIENT', 'KILL', 'TYPE', 'normal');
}

release();
is(finish($one)->{status}, 204, 'link 1');

my $r;
until_true { $r = PUT('/plain/1', { n => 2 }, chain(2, $v));
             $r->{status} != 503 };
is($r->{status}, 204, 'its commit has come there, with the link');
