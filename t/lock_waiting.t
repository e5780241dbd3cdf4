# Those that wait for a lock: the holder sees them, and can hand the lock over.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Lock;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "conflict_user \$http_x_user;\n"
                      . "location / { conflict version;\n"
                      . "proxy_pass http://api; }\n"
                      . "location ~ ^(?<resource>/.*)/lock\$ {\n"
                      . "conflict_key \$resource;\n"
                      . 'conflict_lock ' . ($block->lock || '') . ";\n}\n"
                      . "location ~ ^/blind(?<blind>/.*)/lock\$ {\n"
                      . "conflict_key \$blind;\n"
                      . "conflict_lock get=off;\n}\n");
});

sub ann { ('X-User: ann', 'X-Client: laptop') }
sub bob { ('X-User: bob', 'X-Client: phone') }
sub eve { ('X-User: eve', 'X-Client: desk') }

sub hand_over {
    return http('DELETE', "$_[0]/lock?handover=1", headers => [@_[1 .. $#_]]);
}

# who waits, as the holder sees it

sub waiting {
    return join ' ', map { ($_->{user} // '-') . '/' . ($_->{client} // '-') }
                     @{ show(@_)->{waiting} };
}

run_tests();

__DATA__

=== the holder sees who waits, others how many
--- steps
set_doc('/plain/1', { n => 1 });

my $r = lock('/plain/1', ann());

is_deeply(json($r)->{waiting}, [], 'nobody waits');
is(json($r)->{lock}{reserved}, undef, 'it is held');

my $refused = lock('/plain/1', bob());

is($refused->{status}, 409, 'refused');
is(header($refused, 'Retry-After'), 5, 'when to ask again');
is(waiting('/plain/1', ann()), 'bob/phone', 'the holder sees it in a GET');

my $renewed = json(lock('/plain/1', token($r)));

is("$renewed->{waiting}[0]{user} $renewed->{waiting}[0]{client}", 'bob phone',
   'and when it renews');
like($renewed->{waiting}[0]{since}, qr/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$/,
     'since when');

# once for each, in the order in which they came

my $since = $renewed->{waiting}[0]{since};

lock('/plain/1', eve());
lock('/plain/1', bob());
is(waiting('/plain/1', ann()), 'bob/phone eve/desk', 'in order');
is(show('/plain/1', ann())->{waiting}[0]{since}, $since, 'since the first time');

my $other = show('/plain/1', eve());

is($other->{waiters}, 2, 'others see how many');
is($other->{waiting}, undef, 'but not who');
unlike(http('GET', '/plain/1/lock', headers => [eve()])->{body}, qr/bob/,
       'anywhere');
unlike($refused->{body} . lock('/plain/1', eve())->{body}, qr/bob|wait/,
       'nor in a refusal');

# a bounded number

lock('/plain/1', "X-User: u$_") for 1 .. 5;
is(waiting('/plain/1', ann()), 'bob/phone eve/desk u1/- u2/-', 'the first four');

# a GET, a write or a DELETE does not wait

set_doc('/plain/2', { n => 1 });
lock('/plain/2', ann());
show('/plain/2', bob());
PUT('/plain/2', { n => 2 }, bob());
unlock('/plain/2', bob());
is(waiting('/plain/2', ann()), '', 'only a POST does');


=== handed over: reserved for the first, then it is that one's
--- steps
set_doc('/plain/1', { n => 1 });

my $token = token(lock('/plain/1', ann()));

lock('/plain/1', bob());
lock('/plain/1', eve());

my $r = hand_over('/plain/1', $token);

is($r->{status}, 200, 'handed over');
is(json($r)->{handed_over}, JSON::PP::true, 'to somebody');
is(json($r)->{lock}, undef, 'it is no longer held');
unlike($r->{body}, qr/bob/, 'a token alone shows no names');

# nobody else can take it meanwhile

is(lock('/plain/1', eve())->{status}, 409, 'not the next one');
is(lock('/plain/1', ann())->{status}, 409, 'nor the previous one');
is(lock('/plain/1', $token)->{status}, 409, 'nor with its token');
is(lock('/plain/1', 'Lock-Token: ' . '0' x 32)->{status}, 409,
   'nor with a token of zeros');
is(PUT('/plain/1', { n => 2 }, 'Lock-Token: ' . '0' x 32)->{status}, 409,
   'nor can it write');
is(PUT('/plain/1', { n => 2 }, eve())->{status}, 409, 'nor can others');
is(unlock('/plain/1', eve())->{status}, 409, 'or release it');
cmp_ok(header(lock('/plain/1', eve()), 'Retry-After'), '<=', 5, 'come again');

my $shown = show('/plain/1', bob());

is($shown->{mine}, JSON::PP::true, 'the one that waits sees it');
is($shown->{lock}{reserved}, JSON::PP::true, 'that it is reserved');
is($shown->{lock}{user}, 'bob', 'for whom');
cmp_ok($shown->{lock}{expires_in}, '<=', 15, 'not for long');
is(show('/plain/1', ann())->{mine}, JSON::PP::false, 'the others');
is(show('/plain/1', ann())->{lock}{reserved}, JSON::PP::true, 'as well');

$r = lock('/plain/1', bob());

is($r->{status}, 200, 'acquired');
is(json($r)->{lock}{reserved}, undef, 'held');
is(json($r)->{lock}{expires_in}, 300, 'for as long as any lock');
like(json($r)->{lock}{token}, qr/[1-9a-f]/, 'with a token');
is(json($r)->{taken_from}, undef, 'it was not taken over');
is(join(' ', map { $_->{user} } @{ json($r)->{waiting} }), 'eve ann',
   'and the others wait');
is(PUT('/plain/1', { n => 2, base_version => json($r)->{version} },
       bob())->{status}, 204, 'it writes');


=== nobody waits: released
--- steps
set_doc('/plain/1', { n => 1 });
lock('/plain/1', ann());

my $r = hand_over('/plain/1', ann());

is(json($r)->{handed_over}, undef, 'not handed over');
is(lock('/plain/1', eve())->{status}, 200, 'whoever comes first');
lock('/plain/1', bob());
is(hand_over('/plain/1', bob())->{status}, 409, 'only the holder can');
is(unlock('/plain/1', eve())->{status}, 200, 'a plain release');
is(lock('/plain/1', ann())->{status}, 200, 'reserves it for nobody');
is(waiting('/plain/1', ann()), '', 'who waited has to ask again');


=== the one that it is reserved for does not want it
--- steps
set_doc('/plain/1', { n => 1 });
lock('/plain/1', ann());
lock('/plain/1', bob());
hand_over('/plain/1', ann());

is(unlock('/plain/1', bob())->{status}, 200, 'given up');
is(show('/plain/1', ann())->{lock}, undef, 'it is free');


=== the quota counts a reserved lock once it is acquired
--- lock: per_user=1
--- steps
set_doc("/plain/$_", { n => 1 }) for 1, 2;
lock('/plain/1', ann());
lock('/plain/1', bob());
hand_over('/plain/1', ann());
is(lock('/plain/2', bob())->{status}, 200, 'not while it is reserved');
is(unlock('/plain/2', bob())->{status}, 200, 'released');
is(lock('/plain/1', bob())->{status}, 200, 'it is the only one');
is(lock('/plain/2', bob())->{status}, 429, 'and counts');

is(unlock('/plain/1', bob())->{status}, 200, 'released');
lock('/plain/2', bob());
lock('/plain/1', ann());
lock('/plain/1', bob());
hand_over('/plain/1', ann());
is(lock('/plain/1', bob())->{status}, 429, 'one too many');
is(lock('/plain/1', ann())->{status}, 200, 'so it is free');


=== nobody knows who they are: the client counts, and those without a name wait in vain
--- steps
set_doc('/plain/1', { n => 1 });

my $token = token(lock('/plain/1'));

lock('/plain/1');
is(waiting('/plain/1', $token), '', 'no name, no note');
lock('/plain/1', 'X-Client: phone');
lock('/plain/1', 'X-Client: desk');
is(waiting('/plain/1', $token), '-/phone -/desk', 'the clients');

is(json(hand_over('/plain/1', $token))->{handed_over}, JSON::PP::true,
   'handed over');
is(lock('/plain/1', 'X-Client: desk')->{status}, 409, 'not the second');
is(lock('/plain/1', 'X-User: phone')->{status}, 409, 'nor a user of that name');
is(lock('/plain/1', 'X-Client: phone')->{status}, 200, 'the first');


=== who may not see the resource leaves no note
--- steps
set_doc('/auth/1', { n => 1 });

my @in = ('Authorization: Bearer reader');

is(lock('/auth/1', @in, ann())->{status}, 200, 'held');
is(lock('/auth/1', bob())->{status}, 401, 'refused by the API');
is(waiting('/auth/1', @in, ann()), '', 'nobody waits');


=== names of any bytes and any length
--- steps
set_doc('/plain/1', { n => 1 });
lock('/plain/1', ann());

my $long = 'x' x 300;

lock('/plain/1', "X-User: \xff\x01 1 2 3 \"", "X-Client: $long");
lock('/plain/1', "X-User: $long");

my $w = show('/plain/1', ann())->{waiting};

is(scalar(@$w), 2, 'both wait');
is($w->[0]{client}, 'x' x 112, 'truncated');
is($w->[1]{user}, 'x' x 112, 'the user as well');

hand_over('/plain/1', ann());
is(lock('/plain/1', "X-User: $long")->{status}, 409, 'not the second');
is(lock('/plain/1', "X-User: \xff\x01 1 2 3 \"")->{status}, 200, 'the first');
hand_over('/plain/1', "X-User: \xff\x01 1 2 3 \"");
is(lock('/plain/1', 'X-User: ' . 'x' x 112)->{status}, 409,
   'not a user with the same beginning');
is(lock('/plain/1', "X-User: $long")->{status}, 200, 'the second');
