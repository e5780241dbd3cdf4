# conflict ... hold: what is held under which policy, and what is not.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Inbox;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();
worker_connections(1024);

add_block_preprocessor(\&configure);

run_tests();

__DATA__

=== an edit that was dropped counts as made when it is resolved
--- policy: lww edited=json:/at hold
--- steps
my $now = time() * 1000;

is(PUT('/plain/1', { n => 1, at => $now - 30000 }, bob())->{status}, 201,
   'the later edit');
like(header(PUT('/plain/1', { n => 2, at => $now - 60000 }, ann()),
            'Conflict'), qr/^dropped;.*held=/, 'the earlier one is held');

my ($item) = inbox(ann());
is($item->{kind}, 'dropped', 'as what it is');

my $shown = item($item->{id}, ann());
my $r = take($item->{id}, 'mine', "If-Match: \"$shown->{version}\"", ann());
is($r->{status}, 204, 'written, as it was chosen');

like(header(PUT('/plain/1', { n => 3, at => $now - 20000 }, 'X-User: eve'),
            'Conflict'), qr/^dropped/, 'an edit made before that choice');
is(json(upstream('/_doc?path=/plain/1'))->{n}, 2, 'does not undo it');


=== dropped under server_wins
--- policy: server_wins hold
--- steps
my $old = shown('/plain/1', { n => 1 }, 'ann');
PUT('/plain/1', { n => 2, base_version => $old }, bob());

my $r = PUT('/plain/1', { n => 3, base_version => $old }, ann());
is($r->{status}, 200, 'the latest body');
is(json($r)->{n}, 2, 'which is his');
like(header($r, 'Conflict'), qr/^dropped;.*;held="([0-9a-f]{32})"$/, 'held');

my ($item) = inbox(ann());
is($item->{kind}, 'dropped', 'as what it is');

my $shown = item($item->{id}, ann());
is("$shown->{mine}{n} $shown->{theirs}{n}", '3 2', 'both');

PUT('/plain/1', { n => 4, base_version => $shown->{version} }, bob());
$r = take($item->{id}, 'mine', "If-Match: \"$shown->{version}\"", ann());
is($r->{status}, 200, 'dropped again');
is(scalar(() = inbox(ann())), 1, 'so it stays');

$shown = item($item->{id}, ann());
$r = take($item->{id}, 'mine', "If-Match: \"$shown->{version}\"", ann());
is($r->{status}, 204, 'written');
until_true { !inbox(ann()) };
is(json(GET('/plain/1'))->{n}, 3, 'hers');


=== overwritten under lww
--- policy: lww hold
--- steps
my $old = shown('/plain/1', { n => 1 }, 'ann');
PUT('/plain/1', { n => 2, base_version => $old }, bob());

my $r = PUT('/plain/1', { n => 3, base_version => $old }, ann());
is($r->{status}, 204, 'the last write wins');
like(header($r, 'Conflict'), qr/^overwrote;.*;held="([0-9a-f]{32})"$/, 'held');
is(json(GET('/plain/1'))->{n}, 3, 'it is written');

my ($item) = inbox(ann());
is("$item->{kind} $item->{method}", 'overwritten PUT', 'what it overwrote');
is(scalar(() = inbox(bob())), 0, 'the module does not know whose it was');

my $shown = item($item->{id}, ann());
is("$shown->{mine}{n} $shown->{theirs}{n}", '2 3', 'both');

$r = take($item->{id}, 'mine', "If-Match: \"$shown->{version}\"", ann());
is($r->{status}, 204, 'restored');
is(json(GET('/plain/1'))->{n}, 2, 'as it was');
until_true { !inbox(ann()) };

# resolved on a version that is no longer current: the policy lets it pass, and
# what it overwrites is an item in turn

PUT('/plain/1', { n => 4, base_version => $old }, ann());
($item) = inbox(ann());
$shown = item($item->{id}, ann());
PUT('/plain/1', { n => 5, base_version => version(GET('/plain/1')) }, bob());
$r = take($item->{id}, 'mine', "If-Match: \"$shown->{version}\"", ann());
is($r->{status}, 204, 'passes');
until_true { inbox(ann()) == 1 && (inbox(ann()))[0]{id} ne $item->{id} };
is(item((inbox(ann()))[0]{id}, ann())->{mine}{n}, 5, 'that one is held');

# a DELETE overwrites as well; a write that the API refuses does not

my $v = version(GET('/plain/1'));
PUT('/plain/1', { n => 6, base_version => $v }, bob());
$r = DELETE('/plain/1', "If-Match: \"$v\"", bob());
like(header($r, 'Conflict'), qr/held=/, 'deleted, and held');
is(item((inbox(bob()))[0]{id}, bob())->{mine}{n}, 6, 'what was deleted');

$old = shown('/plain/2', { n => 1 }, 'ann');
PUT('/plain/2', { n => 2, base_version => $old });
$r = PUT('/plain/2', { n => 3, base_version => $old }, 'X-User: cid',
         'X-Up-Write: status=422');
is($r->{status}, 422, 'refused');
unlike(header($r, 'Conflict'), qr/held/, 'so nothing is held');
until_true { !inbox('X-User: cid') };
is(scalar(() = inbox('X-User: cid')), 0, 'any more');

# nor does a MOVE, which is about two resources

$old = shown('/plain/3', { n => 1 }, 'ann');
PUT('/plain/3', { n => 2, base_version => $old });
$r = http('MOVE', '/plain/3', headers => ['Destination: /plain/4',
                                          "If-Match: \"$old\"", ann()]);
is(int($r->{status} / 100), 2, 'moved');
unlike(header($r, 'Conflict'), qr/held/, 'and nothing is held');

# an unknown body is not kept, and the log says so

$old = shown('/text/1', 'one', 'ann');
PUT('/text/1', 'two', "If-Match: \"$old\"");
$r = PUT('/text/1', 'three', "If-Match: \"$old\"", 'X-User: cid');
like(header($r, 'Conflict'), qr/^overwrote/, 'a text is overwritten');
unlike(header($r, 'Conflict'), qr/held/, 'and not held');
like(error_log(), qr/is not held: the body that the write overwrites is/,
     'as the log says');


=== a clash in a merge, with its base
--- policy: merge hold
--- rules
conflict_field /n reject;
--- steps
my $old = shown('/plain/1', { n => 1, t => 'a' }, 'ann', 'bob');
is(PUT('/plain/1', { n => 2, t => 'a', base_version => $old }, bob())
   ->{status}, 204, 'bob');

my $r = PUT('/plain/1', { n => 3, t => 'b', base_version => $old }, ann());
is($r->{status}, 409, 'a clash');

my $id = json($r)->{held};
my $shown = item($id, ann());
is_deeply($shown->{base}, { n => 1, t => 'a' }, 'the base');
is("$shown->{mine}{n} $shown->{theirs}{n}", '3 2', 'mine and theirs');
is($shown->{base_omitted}, undef, 'known');

is(item($id, ann(), 'X-Up-Read: status=403')->{base_omitted}, 'forbidden',
   'shown only with theirs');

is(take($id, 'mine', "If-Match: \"$shown->{version}\"", ann())->{status}, 204,
   'resolved');
is_deeply(json(GET('/plain/1')), { n => 3, t => 'b' }, 'hers');

# patches, whose base is in a test, in a member, or in a header

for my $case (['json-patch', '[{"op":"test","path":"/base_version","value":%s},'
                             . '{"op":"replace","path":"/n","value":7}]'],
              ['merge-patch', '{"base_version":%s,"n":7}'],
              ['merge-patch', '{"n":7}'])
{
    my ($type, $text) = @$case;

    set_doc('/deep/1', { n => 1, t => 'a' });
    $old = version(GET('/deep/1', $_)) for 'X-User: bob', 'X-User: ann';
    is(int(PUT('/deep/1', { n => 2, t => 'c', base_version => $old }, bob())
           ->{status} / 100), 2, "$type: bob");

    my $header = $text =~ /%s/ ? 'X-A: b' : "If-Match: \"$old\"";

    $r = http('PATCH', '/deep/1', body => $text =~ s/%s/$old/r,
              headers => [ann(), $header,
                          "Content-Type: application/$type+json"]);
    is($r->{status}, 409, 'a clash');

    $shown = item(json($r)->{held}, ann());
    is("$shown->{item}{method} $shown->{item}{content_type}",
       "PATCH application/$type+json", 'as it was sent');

    $r = take($shown->{item}{id}, 'mine', "If-Match: \"$shown->{version}\"",
              ann());
    is(int($r->{status} / 100), 2, 'resolved');
    is_deeply(json(GET('/deep/1')), { n => 7, t => 'c' }, 'with her change');
}

# a patch that is not declared as one: what tests the base is removed as well

set_doc('/deep/2', { n => 1 });
$old = version(GET('/deep/2', ann()));
is(int(PUT('/deep/2', { n => 2 }, bob())->{status} / 100), 2, 'bob');

$r = http('PATCH', '/deep/2',
          body => qq([{"op":"test","path":"/base_version","value":$old},)
                  . '{"op":"replace","path":"/n","value":7}]',
          headers => [ann(), 'Content-Type: application/json']);
is($r->{status}, 409, 'stale');

$shown = item(json($r)->{held}, ann());
take($shown->{item}{id}, 'mine', "If-Match: \"$shown->{version}\"", ann(),
     'X-Up-Write: status=204');
is((grep { $_->{method} eq 'PATCH' } seen())[-1]{body},
   '[{"op":"replace","path":"/n","value":7}]', 'what is left');


=== a lock
--- more
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
--- steps
my $v = shown('/plain/1', { n => 1 }, 'ann');
http('POST', '/plain/1/lock', headers => [bob()]);

my $r = PUT('/plain/1', { n => 2, base_version => $v }, ann());
is(json($r)->{error}, 'locked', 'locked');

my $id = json($r)->{held};
is((inbox(ann()))[0]{kind}, 'locked', 'her body is held');
$r = take($id, 'mine', "If-Match: \"$v\"", ann());
is($r->{status}, 409, 'still locked');
is(scalar(() = inbox(ann())), 1, 'so it stays, once');
http('DELETE', '/plain/1/lock', headers => [bob()]);
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 204, 'free');


=== what is not held
--- more
    location /small/ {
        conflict version hold;
        conflict_max_body 100;
        rewrite ^/small(/.*)$ $1 break;
        proxy_pass http://api;
    }
    location /not/ {
        conflict version;
        rewrite ^/not(/.*)$ $1 break;
        proxy_pass http://api;
    }
--- steps
my $old = shown('/plain/1', { n => 1 }, 'ann');
PUT('/plain/1', { n => 2, base_version => $old });

my $r = DELETE('/plain/1', "If-Match: \"$old\"", ann());
is(json($r)->{held}, undef, 'a DELETE has no body');

$r = PUT('/plain/1', 'text', "If-Match: \"$old\"", ann(),
         'Content-Type: text/plain');
is($r->{status}, 409, 'refused');
is(json($r)->{held}, undef, 'a text');

$r = PUT('/small/plain/1', { n => 'x' x 200 }, "If-Match: \"$old\"", ann());
isnt($r->{status}, 204, 'refused');
is(json($r)->{held}, undef, 'a large body');

$old = shown('/not/plain/2', { n => 1 }, 'ann');
set_doc('/plain/2', { n => 1 });
$old = version(GET('/not/plain/2'));
PUT('/not/plain/2', { n => 2, base_version => $old });
$r = PUT('/not/plain/2', { n => 3, base_version => $old }, ann());
is($r->{status}, 409, 'a location without "hold"');
unlike($r->{raw}, qr/held/, 'holds nothing');
is(scalar(() = inbox(ann())), 0, 'nothing is in the inbox');

# a retry is not a conflict

set_doc('/plain/3', { n => 1 });
my $v = version(GET('/plain/3'));
PUT('/plain/3', { n => 2, base_version => $v }, ann());
$r = PUT('/plain/3', { n => 2, base_version => $v }, ann());
is(header($r, 'Conflict') =~ /^(\w+)/ && $1, 'replayed', 'a retry');
is(scalar(() = inbox(ann())), 0, 'nothing to hold');


=== versions of the upstream
--- rules
conflict_version json:/version;
--- steps
set_doc('/own/1', { n => 1 });
my $old = json(GET('/own/1', ann()))->{version};
PUT('/own/1', { n => 2, base_version => $old });

my $r = PUT('/own/1', { n => 3, base_version => $old }, ann());
is($r->{status}, 409, 'refused');

my $id = json($r)->{held};
my $shown = item($id, ann());
is($shown->{version}, $shown->{theirs}{version}, 'the version of the document');

$r = take($id, 'mine', "If-Match: \"$shown->{version}\"", ann());
is(int($r->{status} / 100), 2, 'written');
is(json((journal())[-1]{body})->{base_version}, $shown->{version},
   'the upstream gets the base that was shown');
until_true { !inbox(ann()) };
is(scalar(() = inbox(ann())), 0, 'resolved');


=== versions of the upstream that are no numbers
--- rules
conflict_version json:/rev;
--- steps
set_doc('/lm/1', { n => 1, rev => 'r1' });
GET('/lm/1', ann());
PUT('/lm/1', { n => 2, rev => 'r\2', base_version => 'r1' }, bob());

my $r = PUT('/lm/1', { n => 3, rev => 'r3', base_version => 'r1' }, ann());
is($r->{status}, 409, 'refused');

my $id = json($r)->{held};
is(item($id, ann())->{version}, 'r\2', 'the version of the document');

$r = take($id, 'mine', 'If-Match: "r\2"', ann());
is(int($r->{status} / 100), 2, 'written');
is((journal())[-1]{body}, '{"base_version":"r\\\\2","n":3,"rev":"r3"}',
   'the upstream gets the base that was shown, as JSON');
