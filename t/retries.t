# Writes with the same bytes and the same base that are no retries: their
# header fields say something else.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', <<'END' . ($block->config // ''));
        conflict_user $http_x_user;
        location / {
            conflict version hold=1h;
            conflict_idempotency on;
            proxy_pass http://api;
        }
        location /free/ {
            conflict version;
            conflict_key "";
            conflict_idempotency on;
            proxy_pass http://api/plain/;
        }
        location = /inbox {
            conflict_inbox;
        }
END
});

sub ann { 'X-User: ann' }

run_tests();

__DATA__

=== the next part of an upload is no retry of the one before it
--- steps
my %next = (
    'Content-Range' => ['bytes 0-4/10', 'bytes 5-9/10'],
    'Content-Type' => ['text/plain', 'text/html'],
    'Content-Language' => [qw(de en)],
    'Upload-Offset' => [0, 5],
    'X-Amz-Copy-Source' => ['/bucket/a', '/bucket/b'],
    'X-Goog-Upload-Offset' => [0, 5],
    'X-HTTP-Method-Override' => [qw(PATCH MERGE)],
    'X-Update-Range' => ['bytes=0-4', 'bytes=5-9'],
    'Link' => ['</a>; rel="type"', '</b>; rel="type"'],
    'Prefer' => ['resolution=merge-duplicates', 'resolution=ignore-duplicates'],
    'X-Amz-Acl' => [qw(private public-read)],
    'X-Amz-Meta-Title' => [qw(a b)],
    'X-Amz-Tagging' => ['a=1', 'a=2'],
    'X-Goog-Meta-Title' => [qw(a b)],
    'X-Ms-Meta-Title' => [qw(a b)],
    'X-Ms-Tags' => ['a=1', 'a=2'],
    'X-Object-Meta-Title' => [qw(a b)]
);

for my $name (sort keys %next) {
    for my $method (qw(PUT PATCH)) {
        my $path = "/plain/$name-$method";

        set_doc($path, { n => 0 });

        my $v = version(GET($path, ann));
        my @status;

        for my $value (@{ $next{$name} }, $next{$name}[1]) {
            my $r = http($method, $path, body => { n => 1 },
                         headers => [ann, "If-Match: \"$v\"",
                                     "$name: $value",
                                     'X-Up-Write: apply status=204']);
            push @status, $r->{status};
            $v = version($r) if $r->{status} == 409;
        }

        is("@status", '204 409 204', "$method, $name");
    }
}


=== a retry is one all the same
--- steps
set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1', ann));

for my $id (1, 2) {
    my $r = http('PUT', '/plain/1', body => { n => 1 },
                 headers => [ann, "If-Match: \"$v\"", "X-Request-Id: $id",
                             'Content-Range: items 0-0/1',
                             "Traceparent: 00-$id"]);

    is($r->{status}, $id == 1 ? 204 : 200, "number $id");
    like(header($r, 'Conflict'), $id == 1 ? qr/^passed/ : qr/^replayed/,
         'is known');
}


=== a DELETE of unknown outcome, again
--- config
    conflict_quarantine 200ms;
--- allow: upstream prematurely closed
--- steps
my $n = 0;

for my $do ('apply close', 'close') {
    my $path = '/plain/' . ++$n;
    set_doc($path, { n => 0 });

    my $v = version(GET($path, ann));
    my @delete = (ann, "If-Match: \"$v\"");

    is(DELETE($path, @delete, "X-Up-Write: $do")->{status}, 502, $do);

    my $r;
    until_true { $r = DELETE($path, @delete);  $r->{status} != 503 };
    is($r->{status}, 204, 'again');
    like(header($r, 'Conflict'),
         $do eq 'close' ? qr/^passed/ : qr/^replayed/,
         'it is done, or known to be: the resource is gone');
}


=== a MOVE to elsewhere is another one
--- steps
set_doc('/plain/a', { n => 'a' });

my $v = version(GET('/plain/a', ann));
my @move = (ann, "If-Match: \"$v\"");

is(http('MOVE', '/plain/a', headers => [@move, 'Destination: /plain/b'])
   ->{status}, 201, 'moved');

my $r = http('MOVE', '/plain/a', headers => [@move, 'Destination: /plain/b']);
like(header($r, 'Conflict'), qr/^replayed/, 'again');

$r = http('MOVE', '/plain/a', headers => [@move, 'Destination: /plain/c']);
is($r->{status}, 409, 'to another place');
is(upstream('/_doc?path=/plain/c'), 'null', 'where nothing is');


=== one key for two parts of an upload
--- steps
my @key = ('Idempotency-Key: "0123456789abcdef0123"');

for my $path ('/plain/1', '/free/1') {
    my @status;

    for my $range (0, 0, 5) {
        my $r = http('PATCH', $path, body => { n => 1 },
                     headers => [ann, @key, "Content-Range: bytes $range-/10",
                                 'X-Up-Write: status=204']);
        push @status, $r->{status};
    }

    is("@status", '204 204 422', $path);
}


=== a part is not held, as it would be written as the whole
--- steps
set_doc('/plain/1', { n => 0 });

for my $range ('', 'Content-Range: items 0-0/2') {
    my $r = http('PUT', '/plain/1', body => { n => 1, base_version => 7 },
                 headers => [ann, $range ? $range : ()]);

    is($r->{status}, 409, 'a stale write');
    is(exists json($r)->{held} ? 1 : 0, $range ? 0 : 1,
       $range ? 'of a part' : 'of the whole');
}


=== the same bytes to two hosts of one server
--- steps
# with an absolute target, or in HTTP/3, the host is not that of Host

set_doc('/plain/1', { n => 0 });

my $v = version(GET('/plain/1'));

my $to = sub {
    return http('PUT', "http://$_[0]/plain/1", headers => [ann],
                body => { n => 1, base_version => $v });
};

is($to->('a.test')->{status}, 204, 'to one of them');
like(header($to->('a.test'), 'Conflict'), qr/^replayed/, 'again');
is($to->('b.test')->{status}, 409, 'to the other one');
