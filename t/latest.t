# The latest body in a refusal, and which clients may see it.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== who may write but not read sees the upstream's answer, not the body
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /mint/ {
        conflict version;
        proxy_pass http://api/auth/;
    }
--- steps
my $secret = 'the secret text';
set_doc('/auth/1', { body => $secret });

my $reader = 'Authorization: Bearer reader';
my $v = version(GET('/auth/1', $reader));

PUT('/auth/1', { body => $secret, n => 2 });

my $r = PUT('/auth/1', { base_version => $v });

is($r->{status}, 401, 'without credentials: 401');
is(header($r, 'WWW-Authenticate'), 'Bearer realm="notes"', 'with its challenge');
unlike($r->{raw}, qr/secret/, 'and no byte of the body');

$r = PUT('/auth/1', { base_version => $v }, 'Authorization: Bearer writer');

is($r->{status}, 409, 'with those of a writer who may not read: 409');
is(json($r)->{server_version}, undef, 'without the body');
is(json($r)->{version}, undef, 'or the version');
unlike($r->{raw}, qr/secret|ETag/, 'and no byte of them');

$r = PUT('/auth/1', { base_version => $v }, $reader);

is($r->{status}, 409, 'with the right ones: 409');
is(json($r)->{server_version}{body}, $secret, 'and the body');
is(header($r, 'Cache-Control'), 'no-store', 'which no cache keeps');
is(scalar(conflicts()), 3, 'each was logged');

# also where the version is not known yet

$r = PUT('/mint/2', { base_version => 1 }, 'Authorization: Bearer writer');
is($r->{status}, 409, 'before anything is known');
is(scalar(journal()), 1, 'nothing was forwarded');


=== nginx's own rules for GET hold for the latest body
--- config
    location /closed/ {
        conflict version;
        limit_except PUT {
            deny all;
        }
        proxy_pass http://api/plain/;
    }
    location /either/ {
        conflict version;
        satisfy any;
        limit_except PUT {
            deny all;
            auth_basic "x";
            auth_basic_user_file $TEST_NGINX_SERVER_ROOT/html/htpasswd;
        }
        proxy_pass http://api/plain/;
    }
    location /asks/ {
        conflict version;
        auth_request /check;
        proxy_pass http://api/plain/;
    }
    location = /check {
        internal;
        conflict off;
        if ($http_x_key != let-me-in) {
            return 403;
        }
        return 204;
    }
--- user_files
>>> htpasswd
bob:{PLAIN}pw
--- steps
my $secret = 'the secret text';
set_doc('/plain/1', { body => $secret });

my $r = PUT('/closed/1', { base_version => 1 });

is($r->{status}, 409, 'limit_except denies GET');
unlike($r->{raw}, qr/secret/, 'no body');

$r = PUT('/either/1', { base_version => 1 });
is($r->{status}, 401, 'satisfy any: neither');
like(header($r, 'WWW-Authenticate'), qr/Basic/, 'with a challenge');
unlike($r->{raw}, qr/secret/, 'no body');

$r = PUT('/either/1', { base_version => 1 }, 'Authorization: Basic Ym9iOnB3');
is($r->{status}, 409, 'satisfy any: one');
is(json($r)->{server_version}{body}, $secret, 'the body');

is(PUT('/asks/1', { base_version => 1 })->{status}, 403, 'auth_request');

$r = PUT('/asks/1', { base_version => 1 }, 'X-Key: let-me-in');
is($r->{status}, 409, 'auth_request lets both pass');
is(json($r)->{server_version}{body}, $secret, 'the body');


=== what the module's GET looks like
--- config
    location / {
        conflict version;
        proxy_set_header X-Fetch $conflict_fetch;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/a%2Fb', { id => 1 });

my $r = http('PUT', '/plain/a%2Fb?x=%20y', body => { base_version => 1 },
             headers => ['Authorization: Bearer t', 'Cookie: a=b',
                         'If-Match: *', 'Range: bytes=0-1', 'X-Client: c',
                         'Accept-Encoding: gzip', 'Content-MD5: zz',
                         'X-HTTP-Method-Override: DELETE']);

my ($get) = grep { $_->{method} eq 'GET' } seen();
my %h = map { $_->[0] => $_->[1] } @{ $get->{headers} };

is($get->{target}, '/plain/a%2Fb?x=%20y', 'the same target, byte for byte');
is($h{authorization}, 'Bearer t', 'the caller\'s credentials');
is($h{cookie}, 'a=b', 'the caller\'s cookies');
is($h{'x-client'}, 'c', 'other headers');
is($h{'x-fetch'}, 1, '$conflict_fetch');

for my $name (qw(if-match range accept-encoding content-type content-length
                 content-md5 transfer-encoding x-http-method-override))
{
    ok(!exists $h{$name}, "no $name");
}

is($get->{body}, '', 'no body');


=== any size up to conflict_max_body
--- config
    location / {
        conflict version;
        conflict_max_body 300k;
        proxy_pass http://api;
    }
--- steps
for my $size (100, 4096, 8192, 100000, 300 * 1024 - 11, 300 * 1024 - 10,
              2000000)
{
    my $path = "/plain/s$size";
    my $text = 'x' x $size;
    set_doc($path, { text => $text });

    my $r = PUT($path, { base_version => 1 });

    is($r->{status}, 409, "$size bytes");

    if ($size < 300 * 1024 - 10) {
        is(length json($r)->{server_version}{text}, $size, 'embedded');

    } else {
        is(json($r)->{server_version_omitted}, 'too_large', 'left out');
    }

    $r = PUT($path, { base_version => 1 }, 'X-Up-Read: apply chunked');

    is($r->{status}, 409, "$size bytes in chunks");
    is(json($r)->{server_version_omitted},
       $size < 300 * 1024 - 10 ? undef : 'too_large', 'the same');
}


=== an answer that cannot be embedded
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/text/1', 'some text');
set_doc('/plain/2', '{"broken":');
set_doc('/plain/3', "\n [1, 2]\n");
set_doc('/plain/4', { id => 4 });

is(json(PUT('/text/1', { base_version => 1 }))->{server_version_omitted},
   'not_json', 'text');
is(json(PUT('/plain/2', { base_version => 1 }))->{server_version_omitted},
   'not_json', 'broken JSON');
is_deeply(json(PUT('/plain/3', { base_version => 1 }))->{server_version},
          [1, 2], 'an array');

PUT('/plain/4', { id => 5 });

for my $script ('status=500', 'status=503', 'close', 'apply status=304') {
    my $r = PUT('/plain/4', { base_version => 1 }, "X-Up-Read: $script");

    is($r->{status}, 409, "the GET fails ($script): stale all the same");
    is(json($r)->{server_version_omitted}, 'unavailable', 'unavailable');
}


=== a GET that fails while the version is not known
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /pass/ {
        conflict version;
        conflict_store_error pass;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc('/plain/1', { id => 1 });
set_doc('/plain/2', { id => 1 });

my $r = PUT('/plain/1', { base_version => 1 }, 'X-Up-Read: status=503');

is($r->{status}, 503, 'refused');
is(json($r)->{error}, 'store_unavailable', 'error');
ok(header($r, 'Retry-After'), 'Retry-After');
is(scalar(journal()), 0, 'nothing was forwarded');

$r = PUT('/pass/2', { base_version => 1 }, 'X-Up-Read: status=503');

is($r->{status}, 204, 'conflict_store_error pass');
like(header($r, 'Conflict'), qr/^unchecked/, 'unchecked');
is((conflicts())[0]{action}, 'conflict_unchecked', 'logged');


=== the row within an envelope
--- config
    location / {
        conflict version;
        conflict_latest fetch root=/data;
        proxy_pass http://api;
    }
--- steps
set_doc('/row/1', { id => 1, price => 'x' });

my $r = PUT('/row/1', { base_version => 1 });

is_deeply(json($r)->{server_version}, { id => 1, price => 'x' }, 'the row');


=== no body at all
--- config
    location / {
        conflict version;
        conflict_latest off;
        proxy_pass http://api;
    }
--- steps
my $v = version(PUT('/plain/1', { id => 1 }));

PUT('/plain/1', { id => 2 });

my $r = PUT('/plain/1', { base_version => $v });

is($r->{status}, 409, 'refused');
ok(!exists json($r)->{server_version}, 'no server_version');
ok(json($r)->{version} > $v, 'the version is there');
is(scalar(grep { $_->{method} eq 'GET' } seen()), 0, 'no GET was made');


=== problem+json for those who ask for it
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/1', { id => 1 });

my $r = PUT('/plain/1', { base_version => 1 },
            'Accept: application/problem+json, */*;q=0.1');

is(header($r, 'Content-Type'), 'application/problem+json', 'its type');
is(json($r)->{title}, 'The resource has changed since base_version', 'title');
is(json($r)->{status}, 409, 'status');
