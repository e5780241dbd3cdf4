# Merges must not lose, leak or invent anything.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

fcgi_start();
Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "location / {\n"
                      . "conflict merge;\nconflict_lease 1s;\n"
                      . "conflict_quarantine 300ms;\n"
                      . "conflict_user \$http_x_user;\n"
                      . ($block->rules || '')
                      . "proxy_pass http://api;\n}\n"
                      . ($block->more || ''));
});

# what the upstream has

sub doc { upstream("/_doc?path=$_[0]") }

sub patch {
    my ($path, $body, @headers) = @_;

    return http('PATCH', $path, body => $body,
                headers => ['Content-Type: application/merge-patch+json',
                            @headers]);
}

run_tests();

__DATA__

=== a write that only removes a member and was never applied is not called done
--- rules
    proxy_read_timeout 300ms;
--- steps
set_doc('/plain/1', { a => 1, secret => 2 });

my $v = version(GET('/plain/1'));
my %write = (a => 1, base_version => $v);

is(PUT('/plain/1', { %write }, 'X-Up-Write: sleep=2 status=500')->{status},
   504, 'no answer, and not applied');

my $r;
until_true {
    my $now = version(GET('/plain/1')) || $v;

    $r = PUT('/plain/1', { a => 1, secret => 2, c => 3,
                           base_version => $now });
    $r->{status} == 204;
};
is($r->{status}, 204, 'somebody else writes');

$r = PUT('/plain/1', { %write });
is($r->{status}, 204, 'the retry is a write');
unlike(doc('/plain/1'), qr/secret/, 'and removes it');
like(doc('/plain/1'), qr/"c":3/, 'without what it had not seen');


=== a large body is kept as well, and its sum is not added twice
--- more
    location /own/ {
        conflict merge;
        conflict_version json:/version;
        conflict_base json:/version;
        conflict_field /views sum;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
my $pad = 'x' x 40000;

set_doc('/own/1', { views => 10, a => 1, pad => $pad });

my $doc = json(GET('/own/1'));
my %write = (%$doc, views => 11);

is(PUT('/own/1', { %write }, 'X-User: ann')->{status}, 200, 'ann adds one');
is(PUT('/own/1', { %{ json(GET('/own/1')) }, a => 2 },
       'X-User: bob')->{status}, 200, 'bob changes something else');

my $r = PUT('/own/1', { %write }, 'X-User: ann');

like(header($r, 'Conflict'), qr/^replayed/, 'ann again');
is(json(GET('/own/1'))->{views}, 11, 'added once');


=== a field of the server's under what is no object there
--- rules
    conflict_field /m/at server;
--- steps
for my $there ('null', '1', '"x"', '[1]') {
    set_doc('/plain/1', qq({"m":$there,"z":1}));

    my $v = version(GET('/plain/1'));
    my $r = PUT('/plain/1', { m => { at => 'evil', b => 1 }, z => 1,
                              base_version => $v });

    is($r->{status}, 204, "$there: a write");
    unlike(doc('/plain/1'), qr/evil/, "$there: cannot set it");
    like(doc('/plain/1'), qr/"b":1/, "$there: but what is the client's");
    like(header($r, 'Conflict'), qr!fields="m/at"!, "$there: and is told");

    # and when it is stale

    set_doc('/plain/1', qq({"m":$there,"z":1}));
    PUT('/plain/1', qq({"m":$there,"z":2}));
    $v = version(GET('/plain/1'));
    PUT('/plain/1', qq({"m":$there,"z":3,"base_version":$v}));
    $r = PUT('/plain/1', { m => { at => 'evil', b => 2 }, z => 2,
                           base_version => $v });

    is($r->{status}, 204, "$there: a stale one");
    unlike(doc('/plain/1'), qr/evil/, "$there: neither");
    like(doc('/plain/1'), qr/"z":3/, "$there: it was merged");
}


=== an object that was removed stays so
--- rules
    conflict_field /o/tags union;
--- steps
set_doc('/plain/1', { o => { x => 1 }, z => 1 });

my $v = version(GET('/plain/1'));

is(PUT('/plain/1', { z => 1, base_version => $v })->{status}, 204, 'removed');
is(PUT('/plain/1', { o => { x => 1 }, z => 2,
                     base_version => $v })->{status}, 204, 'another edit');
unlike(doc('/plain/1'), qr/"o"/, 'it is gone');

my $r = PUT('/plain/1', { o => { x => 2 }, z => 1, base_version => $v });

is($r->{status}, 409, 'an edit in it');
is(json($r)->{conflicts}[0]{field}, '/o', 'clashes');


=== a null of a patch removes, or clashes
--- rules
    conflict_field /l lww;
    conflict_field /u union;
    conflict_field /m max;
--- steps
set_doc('/plain/1', { l => 1, u => ['a'], m => 1, z => 1 });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { l => 2, u => ['b'], m => 2, z => 1, base_version => $v });

my $r = patch('/plain/1', { l => undef, base_version => $v });
is($r->{status}, 204, 'lww');
unlike(doc('/plain/1'), qr/"l"/, 'is gone');

for my $field ('u', 'm') {
    $r = patch('/plain/1', { $field => undef, base_version => $v });
    is($r->{status}, 409, "$field: refused");
    is(json($r)->{conflicts}[0]{field}, "/$field", "$field: clashes");
}

# without a base, too

set_doc('/plain/2', { l => 1 });
version(GET('/plain/2'));
$r = patch('/plain/2', { l => undef, base_version => 1 });
is($r->{status}, 204, 'no base: lww');
unlike(doc('/plain/2'), qr/"l"/, 'no base: is gone');


=== the list of what clashed has an end
--- steps
my $long = 'n' x 30000;

set_doc('/plain/1', { $long => { map { $_ => 1 } 1 .. 400 } });

my $v = version(GET('/plain/1'));

PUT('/plain/1', { $long => { map { $_ => 2 } 1 .. 400 },
                  base_version => $v });

my $r = PUT('/plain/1', { $long => { map { $_ => 3 } 1 .. 400 },
                          base_version => $v });
my $said = json($r);

is($r->{status}, 409, 'a clash');
cmp_ok(length($r->{body}), '<', 300000, 'of some size');
is(@{ $said->{conflicts} } + $said->{conflicts_omitted}, 400,
   'the others are counted');


=== what was evaluated of the body before it was merged
--- more
    location /fcgi/ {
        conflict merge;
        set $before "$content_length $request_body";
        fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param REQUEST_URI $request_uri;
        fastcgi_pass 127.0.0.1:$TEST_NGINX_FCGI_PORT;
    }
--- steps
is(PUT('/fcgi/1', { a => 1, b => 1, c => 'x' })->{status}, 204, 'FastCGI');

my $v = version(GET('/fcgi/1'));

is(PUT('/fcgi/1', { a => 1, b => 2, c => 'x' x 50,
                    base_version => $v })->{status}, 204, 'a write');
is(PUT('/fcgi/1', { a => 2, b => 1, c => 'x',
                    base_version => $v })->{status}, 204, 'a longer merge');

my $doc = json(GET('/fcgi/1'));
is("$doc->{a} $doc->{b} " . length($doc->{c}), '2 2 50', 'came there whole');


=== the body that a refusal shows can be built upon
--- steps
set_doc('/plain/1', { a => 1, b => 1 });

my $v1 = version(GET('/plain/1'));

is(patch('/plain/1', { a => 2, base_version => $v1 })->{status}, 204,
   'a version that nobody was shown');

my $said = json(PUT('/plain/1', { a => 3, b => 1, base_version => $v1 }));
my $v2 = $said->{version};

is($said->{error}, 'version_conflict', 'but in a refusal');
is(join(' ', @{ $said->{server_version} }{'a', 'b'}), '2 1', 'with its body');

is(patch('/plain/1', { b => 2, base_version => $v2 })->{status}, 204,
   'somebody goes on');
is(PUT('/plain/1', { a => 3, b => 1, base_version => $v2 })->{status}, 204,
   'who was refused as well');
is_deeply(json({ body => doc('/plain/1') })->{b}, 2, 'merged');


=== what is read is kept
--- rules
    conflict_history 8 ttl=2s;
--- steps
set_doc('/plain/1', { a => 1, b => 1 });

my $v = version(GET('/plain/1'));
my $start = time;

until_true { GET('/plain/1'); time - $start > 3 };

is(PUT('/plain/1', { a => 2, b => 1, base_version => $v })->{status}, 204,
   'a write');
is(PUT('/plain/1', { a => 1, b => 2, base_version => $v })->{status}, 204,
   'on a base that was shown long ago first, and lately');


=== a body that has no room does not empty the history
--- http_config eval
Conflict::store('small') =~ s/zone=1m/zone=1m history=256k/r
--- more
    location /plain/small/ {
        conflict merge store=small;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/small/1', { a => 1, b => 1 });

my $v = version(GET('/plain/small/1'));

until_true { $v = version(GET('/plain/small/1'));
             PUT('/plain/small/1', { a => 2, b => 1, base_version => $v })
             ->{status} == 204 };
until_true { PUT('/plain/small/2', { pad => 'x' x 300000 })->{status} =~ /20/ };
is(PUT('/plain/small/1', { a => 1, b => 2, base_version => $v })->{status},
   204, 'the others are merged');


=== a value that was shown to somebody else is not told
--- steps
set_doc('/plain/1', { salary => 5000, n => 1 });

my $v = version(GET('/plain/1', 'X-User: boss'));

# as others see it

set_doc('/plain/1', { salary => '***', n => 1 });
PUT('/plain/1', { salary => '***', n => 2, base_version => $v },
    'X-User: boss');

my $r = PUT('/plain/1', { salary => 1, n => 3, base_version => $v },
            'X-User: eve');

is($r->{status}, 409, 'a clash');
unlike($r->{body}, qr/5000/, 'without what eve was never shown');

$r = PUT('/plain/1', { salary => 1, n => 3, base_version => $v },
         'X-User: boss');
is((grep { $_->{field} eq '/salary' } @{ json($r)->{conflicts} })[0]{base},
   5000, 'the one who was shown it is told');

# without a user it is the credentials that tell

set_doc('/plain/2', { n => 1 });
$v = version(GET('/plain/2', 'Authorization: Bearer a'));
PUT('/plain/2', { n => 2, base_version => $v }, 'Authorization: Bearer a');

is(json(PUT('/plain/2', { n => 3, base_version => $v },
            "Authorization: Bearer $_"))->{conflicts}[0]{base},
   $_ eq 'a' ? 1 : undef, "by the credentials of $_") for 'a', 'b';


=== a resource that a GET does not find
--- rules
    conflict_field /at server;
--- steps
set_doc('/plain/1', { at => 1, n => 1 });

my $v = version(GET('/plain/1'));
my $r = PUT('/plain/1', { at => 1, n => 2, base_version => $v },
            'X-Up-Read: status=404');

is($r->{status}, 409, 'may have been deleted, or hidden');
is(json($r)->{deleted}, JSON::PP::true, 'deleted');
like(doc('/plain/1'), qr/"at":1/, 'nothing is taken from it');


=== a view of a resource is not its base
--- steps
set_doc('/plain/1', { a => 1 });

my $v = version(GET('/plain/1?fields=a'));

# all of it

set_doc('/plain/1', { a => 1, b => 1 });

is(PUT('/plain/1', { a => 2, b => 1, base_version => $v })->{status}, 204,
   'a write');
is(PUT('/plain/1', { a => 1, base_version => $v })->{status}, 409,
   'one that removes what was not in the view');
like(doc('/plain/1'), qr/"b":1/, 'is not lost');


=== an API that responds with the document that it has replaced
--- rules
conflict_field /n sum;
conflict_field /a lww;
--- steps
my @old = 'X-Up-Write: apply old status=200';

for my $method (qw(PUT PATCH)) {
    my $path = "/plain/$method";
    my $v = shown($path, { n => 100, a => 1, b => 1 }, 'ann');

    my $write = sub {
        my ($user, $doc) = @_;

        return http($method, $path, body => $doc,
                    headers => ["X-User: $user", @old,
                                'Content-Type: application/'
                                . ($method eq 'PATCH' ? 'merge-patch+' : '')
                                . 'json']);
    };

    # without a read in between

    for my $n (101, 102) {
        my $r = $write->('ann', { n => $n, a => 2, b => 1,
                                  base_version => $v });
        is($r->{status}, 200, "$method: ann");
        isnt(json($r)->{n}, $n, 'with what was there before');
        $v = version($r);
    }

    my $w = version(GET($path, 'X-User: bob'));

    is($write->('bob', { n => 112, a => 3, b => 1, base_version => $w })
       ->{status}, 200, 'bob');
    like(header($write->('ann', { n => 103, a => 2, b => 2,
                                  base_version => $v }), 'Conflict'),
         qr/^merged/, 'ann, from what she has sent');
    is_deeply(json(upstream("/_doc?path=$path")), { n => 113, a => 3, b => 2 },
              'what both have done, once');
}


=== the body that shows what became of a write is a base
--- rules
conflict_field /n sum;
--- steps
my $v = shown('/plain/1', { n => 100, a => 1 }, 'ann');

is(PUT('/plain/1', { n => 105, a => 2, base_version => $v }, 'X-User: ann',
       'X-Up-Write: apply status=500')->{status}, 500, 'it is done');

my $w = version(GET('/plain/1', 'X-User: ann'));
isnt($w, $v, 'as a GET finds out');

is(PUT('/plain/1', { n => 110, a => 2, base_version => $w }, 'X-User: bob')
   ->{status}, 204, 'bob has read it as well');
like(header(PUT('/plain/1', { n => 106, a => 3, base_version => $w },
                'X-User: ann'), 'Conflict'), qr/^merged/,
     'ann continues from what this GET has shown');
is_deeply(json(doc('/plain/1')), { n => 111, a => 3 }, 'and nothing is lost');


=== an API that counts from 1 again once a document was deleted
--- more
    location /own/ {
        conflict merge;
        conflict_version json:/version;
        conflict_base json:/version;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
    location /etag/ {
        conflict merge;
        conflict_version header:ETag;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
my %base = ('/own/1' => [ version => 1 ],
            '/etag/1' => [ base_version => '"e1"' ]);

for my $path (sort keys %base) {

    # ann has read it before and afterwards, bob has made it both times

    my $life = sub {
        my ($doc) = @_;

        is(PUT($path, $doc, 'X-User: bob', 'X-Up-Write: apply status='
               . ($path =~ /etag/ ? 204 : 201))->{status},
           $path =~ /etag/ ? 204 : 201, "$path: created");
        is_deeply(json(GET($path, 'X-User: ann')),
                  { %$doc, $path =~ /own/ ? (version => 1) : () },
                  'as it is shown');
    };

    $life->({ a => 1, b => 1, c => 1 });
    is(DELETE($path, 'X-User: bob')->{status}, 204, 'deleted');
    upstream('/_reset');
    $life->({ a => 2, b => 2, c => 2 });

    my $write = sub {
        my ($user, %doc) = @_;

        my $r = PUT($path, { %doc, @{ $base{$path} } }, "X-User: $user",
                    $path =~ /etag/ ? 'X-Up-Write: apply status=204' : ());

        return $r->{status} . ' ' . (header($r, 'Conflict') =~ /^(\w+)/)[0];
    };

    # each puts a member back to what it was in the first life

    like($write->('carl', a => 1, b => 2, c => 2), qr/passed/, 'carl');
    like($write->('bob', a => 2, b => 1, c => 2), qr/merged/, 'bob');
    like($write->('ann', a => 2, b => 2, c => 1), qr/merged/, 'ann');

    my $doc = json(upstream("/_doc?path=$path"));
    is_deeply([ @$doc{'a' .. 'c'} ], [ 1, 1, 1 ],
              'from what was shown in the second');
}


=== the same bytes on the same version of another life are another write
--- more
    location /own/ {
        conflict merge;
        conflict_version json:/version;
        conflict_base json:/version;
        conflict_user $http_x_user;
        proxy_pass http://api;
    }
--- steps
my $create = sub {
    is(PUT('/own/1', { a => 0, b => 0 }, 'X-User: bob')->{status}, 201,
       'created');
    is(json(GET('/own/1', 'X-User: ann'))->{version}, 1, 'ann reads it');
};

my $ann = sub {
    return header(PUT('/own/1', { a => 5, b => 0, version => 1 },
                      'X-User: ann'), 'Conflict');
};

$create->();
like($ann->(), qr/^passed/, 'ann');
like($ann->(), qr/^replayed/, 'and her retry');

is(DELETE('/own/1', 'X-User: bob')->{status}, 204, 'deleted');
upstream('/_reset');
$create->();

is(PUT('/own/1', { a => 0, b => 7, version => 1 }, 'X-User: bob')->{status},
   200, 'bob');
like($ann->(), qr/^merged/, 'ann');
is_deeply(json(GET('/own/1')), { a => 5, b => 7, version => 3 },
          'it is done');
like($ann->(), qr/^replayed/, 'once');


=== a report of success in response to a merged patch is no base
--- rules
conflict_field /n sum;
--- steps
my @report = 'X-Up-Write: apply status=200 body=2';

for my $read (0, 1) {
    my $path = "/plain/$read";
    my $v = shown($path, { n => 100, a => 1 }, 'ann', 'bob');

    is(PUT($path, { n => 110, a => 1, base_version => $v }, 'X-User: bob')
       ->{status}, 204, 'bob');

    my $r = patch($path, { n => 101, base_version => $v }, 'X-User: ann',
                  @report);

    like(header($r, 'Conflict'), qr/^merged/, 'ann');
    is(json($r)->{x}, 'xx', 'is told that it is done');
    is(header($r, 'ETag'), undef, 'and has no tag of what bob has written');
    $v = version($r);

    is(json(GET($path, 'X-User: ann'))->{n}, 111, 'and reads it') if $read;

    is(PUT($path, { n => 121, a => 1, base_version => $v }, 'X-User: bob')
       ->{status}, 204, 'bob again');

    $r = PUT($path, { n => 112, a => 1, base_version => $v }, 'X-User: ann');
    is($r->{status}, $read ? 204 : 409, 'ann again');
    is(json(doc($path))->{n}, $read ? 122 : 121, 'nothing is added twice');
}
