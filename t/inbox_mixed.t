# conflict_inbox and "hold" together with other features.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Inbox;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
workers(2);
master_on();

add_block_preprocessor(\&configure);

run_tests();

__DATA__

=== MOVE: what one resource has lost does not hide the lock of the other
--- policy: lww hold
--- more
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
--- steps
set_doc('/plain/2', { n => 2 });
my $old = shown('/plain/1', { n => 1 }, 'ann');
PUT('/plain/1', { n => 3, base_version => $old });
is(http('POST', '/plain/2/lock', headers => [bob()])->{status}, 200, 'lock');

my $n = journal();
my $r = http('MOVE', '/plain/1',
             headers => [ann(), "If-Match: \"$old\"",
                         'Destination: http://localhost/plain/2',
                         'Overwrite: T']);
is($r->{status}, 409, 'refused');
like($r->{body}, qr{"error":"locked"}, 'as the destination is locked');
is(scalar(() = journal()), $n, 'nothing is written');


=== MOVE: nor that the edit of the other is later
--- policy: lww edited=header:X-Edited-At hold
--- steps
set_doc('/plain/1', { n => 0 });
set_doc('/plain/2', { n => 0 });
my $t = time();
my $old = shown('/plain/1', { n => 1 }, 'ann');
PUT('/plain/1', { n => 3, base_version => $old },
    'X-Edited-At: ' . ($t - 60) * 1000);
PUT('/plain/2', { n => 2 }, 'X-Edited-At: ' . ($t - 20) * 1000);

my $n = journal();
my $r = http('MOVE', '/plain/1',
             headers => [ann(), "If-Match: \"$old\"",
                         'X-Edited-At: ' . ($t - 40) * 1000,
                         'Destination: http://localhost/plain/2',
                         'Overwrite: T']);
like(header($r, 'Conflict'), qr/^dropped/, 'dropped');
is(scalar(() = journal()), $n, 'nothing is written');


=== an error page with 200 does not resolve an item
--- rules
        proxy_intercept_errors on;
        error_page 422 500 =200 /page;
--- more
    location = /page { return 200 "sorry"; }
--- steps
for my $status (422, 500) {
    my ($id, $v) = refused("/plain/$status", ann());
    my $r = take($id, 'mine', "If-Match: \"$v\"", ann(),
                 "X-Up-Write: status=$status");
    is($r->{status}, 200, 'a page');
    is(show($id, ann())->{status}, 200, "$status: the item stays");
}


=== the access log of a write that resolves an item
--- http_config
    log_format mixed "mixed $request_method $http_content_type $content_type"
                    " $request_uri";
--- more
    access_log logs/error.log mixed;
--- steps
my ($id, $v) = refused('/plain/1', ann());
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 204, 'written');
until_true { error_log() =~ /mixed PUT application.json application.json/ };
like(error_log(), qr{mixed PUT application/json application/json /plain/1},
     'has its method and its media type');


=== an edit that is dropped is held
--- policy: lww edited=header:X-Edited-At hold
--- steps
set_doc('/plain/1', { n => 0 });
my $t = time();
PUT('/plain/1', { n => 2 }, bob(), 'X-Edited-At: ' . ($t - 20) * 1000);
my $r = PUT('/plain/1', { n => 3 }, ann(), 'X-Edited-At: ' . ($t - 60) * 1000);
like(header($r, 'Conflict'), qr/^dropped.*held="[0-9a-f]{32}"$/, 'held');
my ($item) = inbox(ann());
is($item->{kind}, 'dropped', 'as what it is');
my $shown = item($item->{id}, ann());
$r = take($item->{id}, 'mine', "If-Match: \"$shown->{version}\"", ann(),
          'X-Edited-At: ' . ($t - 60) * 1000);
is($r->{status}, 204, 'written, on the version that was shown');
is(json(GET('/plain/1'))->{n}, 3, 'indeed');
until_true { !inbox(ann()) };


=== conflict_require
--- rules
        conflict_require on;
--- steps
my ($id, $v) = refused('/plain/1', ann());
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 204, 'written');
DELETE('/plain/1', 'If-Match: "' . version(GET('/plain/1')) . '"');


=== post_action of a write that resolves an item
--- rules
        post_action /after/;
--- more
    location /after/ { proxy_pass http://api/plain/after; }
--- steps
my ($id, $v) = refused('/plain/1', ann());
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 204, 'written');
until_true { grep { $_->{target} eq '/plain/after' } seen() };
my ($after) = (grep { $_->{target} eq '/plain/after' } seen())[-1];
is($after->{method}, 'PUT', 'its method');
like(JSON::PP->new->encode($after->{headers}), qr{application/json}, 'its type');


=== an access rule of the target that denies
--- more
    location /basic/ {
        auth_basic "b";
        auth_basic_user_file ../html/users;
        satisfy any;
        deny all;
        conflict version hold;
        proxy_pass http://api/;
    }
--- user_files
>>> users
ann:{PLAIN}s
--- steps
my @ann = (ann(), 'Authorization: Basic YW5uOnM=');
set_doc('/plain/1', { n => 1 });
my $old = version(GET('/basic/plain/1', @ann));
PUT('/basic/plain/1', { n => 2, base_version => $old }, @ann);
my $r = PUT('/basic/plain/1', { n => 3, base_version => $old }, @ann);
my ($id, $v) = (json($r)->{held}, json($r)->{version});
is(take($id, 'mine', "If-Match: \"$v\"", ann())->{status}, 401, 'denied');
is(show($id, @ann)->{status}, 200, 'it stays');
is(take($id, 'mine', "If-Match: \"$v\"", @ann)->{status}, 204, 'allowed');


=== who may not see a resource does not evict what others have lost there
--- steps
my @reader = (ann(), 'Authorization: Bearer reader');
set_doc('/auth/1', { n => 1 });
my $old = version(GET('/auth/1', @reader));
PUT('/auth/1', { n => 2, base_version => $old }, bob(),
    'Authorization: Bearer reader');
my $id = json(PUT('/auth/1', { n => 3, base_version => $old }, @reader))
         ->{held};

for my $n (1 .. 17) {
    my $r = PUT('/auth/1', { n => "x$n", base_version => $old },
                'X-User: mallory', 'Authorization: Bearer other');
    is($r->{status}, 409, 'refused') if $n == 1;
}

is(show($id, @reader)->{status}, 200, 'her item is there');

# nor if it is not known

set_doc('/auth/2', { n => 1 });
is(PUT('/auth/2', { n => 2, base_version => 1 }, 'X-User: mallory',
       'Authorization: Bearer other')->{status}, 409, 'refused');
is(scalar(() = inbox('X-User: mallory')), 0, 'and none of the other');


=== a refusal of a resolver is held
--- policy: merge hold
--- rules
        conflict_field /n auto;
        conflict_resolver /resolver;
--- more
    location = /resolver {
        internal;
        return 409;
    }
--- steps
my $old = shown('/plain/1', { n => 1 }, 'ann', 'bob');
PUT('/plain/1', { n => 2, base_version => $old }, bob());
my $r = PUT('/plain/1', { n => 3, base_version => $old }, ann());
is($r->{status}, 409, 'refused');
my $id = json($r)->{held};
my $shown = item($id, ann());
is("$shown->{mine}{n} $shown->{theirs}{n} $shown->{base}{n}", '3 2 1',
   'all three');
$r = take($id, 'mine', "If-Match: \"$shown->{version}\"", ann());
is($r->{status}, 204, 'resolved');


=== a write that is refused again is the same item
--- more
    location ~ ^(?<resource>/.*)/lock$ {
        conflict_key $resource;
        conflict_lock;
    }
    location /keyed/ {
        conflict version hold;
        conflict_idempotency on;
        proxy_pass http://api/plain/;
    }
--- steps
my $old = shown('/plain/1', { n => 1 }, 'ann', 'bob');
PUT('/plain/1', { n => 2, base_version => $old }, bob());

# the ids of N refusals; Redis may still have the key of the one before

sub again {
    my ($n, $path, $body, @headers) = @_;
    my %ids;

    for (1 .. $n) {
        my $r;

        until_true {
            $r = json(PUT($path, $body, @headers));
            $r->{error} ne 'request_in_progress';
        };

        $ids{$r->{held}}++;
    }

    return sort keys %ids;
}

my $body = { n => 3, base_version => $old };
my ($id, @more) = again(3, '/plain/1', $body, ann());
like($id, qr/^[0-9a-f]{32}$/, 'held');
is("@more", '', 'with one id');
is(join(' ', map { $_->{id} } inbox(ann())), $id, 'one item');
is(item($id, ann())->{mine}{n}, 3, 'with its body');

# what makes it another one

my %other = map { $_ => 1 } $id,
    again(1, '/plain/1', $body, 'X-User: ann', 'X-Client: phone'),
    again(1, '/plain/1', $body, bob()),
    again(1, '/plain/1?a', $body, ann()),
    again(1, '/plain/1', { n => 4, base_version => $old }, ann()),
    again(1, '/plain/1', { n => 3, base_version => $old - 1 }, ann());
is(scalar keys %other, 6, 'another device, user, target, body, base');

# refused for another reason, or discarded, and refused again

http('POST', '/plain/1/lock', headers => [bob()]);
is(join(' ', again(2, '/plain/1', $body, ann())), $id, 'by a lock');
is(item($id, ann())->{item}{kind}, 'locked', 'the last time');
http('DELETE', '/plain/1/lock', headers => [bob()]);
is(discard($id, ann())->{status}, 204, 'discarded');
is(join(' ', again(2, '/plain/1', $body, ann())), $id, 'held once more');
is(item($id, ann())->{mine}{n}, 3, 'as it was');

# without a user the id gives access: nobody can make it from the body

is(scalar(() = again(3, '/plain/1', $body)), 3, 'nobody: an item each');
is(scalar(() = again(3, '/plain/1', $body, 'Cookie: theme=dark')), 3,
   'a cookie need not be a secret');

my @all = map { my @secret = @$_;
                again(3, '/keyed/1', $body, @secret) }
          ['Authorization: Bearer a'], ['Authorization: Bearer b'],
          ['Idempotency-Key: 11111111111111111111'],
          ['Idempotency-Key: 22222222222222222222'],
          ['Idempotency-Key: 33333333333333333333', ann()];
is(scalar @all, 5, 'one for each credentials, or key');
is(show($all[0])->{status}, 200, 'known by its id');


=== the body that is overwritten again is another item
--- policy: lww hold
--- steps
my $old = shown('/plain/1', { n => 1 }, 'ann');
my %ids;

for my $n (2, 3) {
    PUT('/plain/1', { n => 0 }, bob());
    my $r = PUT('/plain/1', { n => $n, base_version => $old }, ann());
    like(header($r, 'Conflict'), qr/^overwrote.*held="(\w+)"/, 'overwritten');
    $ids{$1}++ if header($r, 'Conflict') =~ /held="(\w+)"/;
}

is(scalar keys %ids, 2, 'twice');


=== a body of the history is not shown past the filters of the location
--- policy: merge hold
--- rules
    conflict_field /n reject;
    sub_filter_types application/json;
    sub_filter 'SECRET' 'xxxx';
    proxy_set_header Accept-Encoding "";
--- more
    location /plain/free {
        conflict merge hold;
        conflict_field /n reject;
        proxy_pass http://api;
    }
--- steps
for my $path ('/plain/1', '/plain/free') {
    my $hidden = $path eq '/plain/1';

    set_doc($path, { n => 1, token => 'SECRET' });

    my $old = version(GET($path, ann()));

    PUT($path, { n => 2, token => 'SECRET', base_version => $old });

    my $r = PUT($path, { n => 3, token => 'mine', base_version => $old },
                ann());

    is($r->{status}, 409, 'refused');

    $r = item(json($r)->{held}, ann());

    is($r->{theirs}{token}, $hidden ? 'xxxx' : 'SECRET', 'the latest one');
    is($r->{base} && $r->{base}{token}, $hidden ? undef : 'SECRET', 'the base');
    is($r->{base_omitted}, $hidden ? 'filtered' : undef, 'why');
}
