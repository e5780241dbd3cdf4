# Caches that nginx itself has before an API, other than proxy_cache and its
# like: their bodies are of no known version, and prove nothing.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;

BEGIN { $ENV{TEST_NGINX_MEMCACHED_PORT} = free_port() }

use Test::Nginx::Socket 'no_plan';

sub doc { upstream("/_doc?path=$_[0]") }

# as the API does

sub remember {
    my ($key, $value) = @_;

    my $sock = IO::Socket::INET->new(
        PeerAddr => "127.0.0.1:$ENV{TEST_NGINX_MEMCACHED_PORT}") or die;

    print $sock "set $key 0 0 @{[length $value]}\r\n$value\r\n";
    is(scalar <$sock>, "STORED\r\n", 'in memcached');
}

Conflict::start_server('memcached.py', $ENV{TEST_NGINX_MEMCACHED_PORT});
Conflict::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== memcached: what it has is shown, but it is no base
--- config
    location / {
        conflict version;
        conflict_quarantine 100ms;
        default_type application/json;
        set $memcached_key $uri;
        memcached_pass 127.0.0.1:$TEST_NGINX_MEMCACHED_PORT;
        error_page 404 405 502 504 = @api;
    }
    location @api {
        conflict version;
        proxy_set_header X-Key $memcached_key;
        proxy_pass http://api;
    }
    location = /plain/1/lock {
        conflict_lock get=/plain/1;
        conflict_key /plain/1;
        conflict_user $http_x_user;
    }
--- steps
set_doc('/plain/1', { n => 1 });

my $v = version(GET('/plain/1'));
like($v, qr/^\d+$/, 'a miss: the API has answered');

remember('/plain/1', '{"n":1}');
is(PUT('/plain/1', { n => 2, base_version => $v })->{status}, 204, 'a write');

my $r = GET('/plain/1');
is(json($r)->{n}, 1, 'the body of before');
is(header($r, 'Conflict'), 'unchecked', 'says that it is of no version');
is(header($r, 'ETag'), undef, 'and has no tag');

# the own GET is answered by the API

$r = PUT('/plain/1', { n => 3, base_version => $v });
is($r->{status}, 409, 'stale');
is(json($r)->{server_version}{n}, 2, 'what is shown is the latest');

my %headers = map { lc $_->[0] => $_->[1] } @{ (seen())[-1]{headers} };
is($headers{'x-key'}, '/plain/1', 'the API may store it under its key');

my $w = json($r)->{version};
is(PUT('/plain/1', { n => 3, base_version => $w })->{status}, 204,
   'a write on that');

$r = http('POST', '/plain/1/lock', headers => ['X-User: ann']);
is($r->{status}, 200, 'a lock');
is(header($r, 'Conflict') // '', '', 'is no matter of the cache');

# nor does its body prove that a write was not done

$r = GET('/plain/2');
set_doc('/plain/2', { n => 1 });
$v = version(GET('/plain/2'));
remember('/plain/2', '{"n":1}');

PUT('/plain/2', { n => 2, base_version => $v }, 'X-Up-Write: apply status=500');
is(doc('/plain/2'), '{"n":2}', 'done, but answered with 500');
is(PUT('/plain/2', { n => 3, base_version => $v })->{status}, 409,
   'a write on the base of before is refused');


=== memcached that is never missing: nothing is proved
--- config
    location / {
        conflict version;
        default_type application/json;
        set $memcached_key $uri;
        memcached_pass 127.0.0.1:$TEST_NGINX_MEMCACHED_PORT;
        error_page 405 = @api;
    }
    location @api {
        conflict version;
        proxy_pass http://api;
    }
--- steps
set_doc('/plain/3', { n => 2 });
remember('/plain/3', '{"n":1}');

my $r = PUT('/plain/3', { n => 3, base_version => 7 });
is($r->{status}, 503, 'the version cannot be determined');
is(doc('/plain/3'), '{"n":2}', 'and nothing was written');


=== gzip_static: a file that was compressed before the write
--- config
    location /dav/ {
        conflict version;
        gzip_static on;
        dav_methods PUT DELETE;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> 1.json
{"n":1}
--- steps
use IO::Compress::Gzip qw(gzip);

chmod 0777, servroot() . '/html';
gzip(\'{"n":1}' => servroot() . '/html/1.json.gz');

my $v = version(GET('/dav/1.json'));
is(PUT('/dav/1.json', { n => 2, base_version => $v })->{status}, 204,
   'a write');

my $r = GET('/dav/1.json', 'Accept-Encoding: gzip');
is(header($r, 'Content-Encoding'), 'gzip', 'the file of before');
is(header($r, 'Conflict'), 'unchecked', 'says that it is of no version');
is(header($r, 'ETag'), undef, 'and has no tag');

$r = GET('/dav/1.json');
is(json($r)->{n}, 2, 'the file that was written');
like(header($r, 'Conflict'), qr/^passed;version=\d+$/, 'has one');


=== gzip_static behind X-Accel-Redirect
--- config
    location / {
        conflict version;
        proxy_pass http://api;
    }
    location /files/ {
        internal;
        gzip_static on;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> 2.json
{"n":2}
--- steps
use IO::Compress::Gzip qw(gzip);

gzip(\'{"n":1}' => servroot() . '/html/2.json.gz');
set_doc('/plain/4', { n => 1 });

my @led = ('X-Up-Read: apply header=X-Accel-Redirect:/files/2.json');

my $r = GET('/plain/4', @led, 'Accept-Encoding: gzip');
is(header($r, 'Content-Encoding'), 'gzip', 'the file of before');
is(header($r, 'Conflict'), 'unchecked', 'says that it is of no version');
is(header($r, 'ETag'), undef, 'and has no tag');

$r = GET('/plain/4', @led);
is(json($r)->{n}, 2, 'the file that was written');
like(header($r, 'Conflict'), qr/^passed;version=\d+$/, 'has one');


=== gzip_static always: nothing is proved
--- config
    location /dav/ {
        conflict version;
        conflict_version header:ETag;
        gzip_static always;
        dav_methods PUT;
        default_type application/json;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- user_files
>>> 3.json
{"n":1}
--- steps
use IO::Compress::Gzip qw(gzip);

chmod 0777, servroot() . '/html';
gzip(\'{"n":1}' => servroot() . '/html/3.json.gz');

my $mtime = (stat servroot() . '/html/3.json.gz')[9];
my $tag = sprintf('"%x-%x"', $mtime, -s servroot() . '/html/3.json.gz');

for my $n (2, 3) {
    my $r = PUT('/dav/3.json', { n => $n }, "If-Match: $tag");
    is($r->{status}, 503, 'the version cannot be determined');
}

open my $file, '<', servroot() . '/html/3.json' or die;
is(<$file>, qq({"n":1}\n), 'and nothing was written');


=== a POST that is a write is sent, also if responses to POST are cached
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=cache:1m;
    proxy_cache cache;
    proxy_cache_key $uri;
    proxy_cache_methods POST;
    proxy_cache_valid 200 204 1m;
--- config
    location / {
        conflict version;
        conflict_methods POST;
        proxy_pass http://api;
    }
    location /read/ {
        conflict version;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc('/plain/1', { n => 0 });
set_doc('/plain/2', { n => 0 });

for my $n (1, 2) {
    like(header(http('POST', '/plain/1', body => { n => $n }), 'Conflict'),
         qr/^passed;version=/, "POST $n");
    is(http('POST', '/read/2', body => { n => $n })->{status}, 204,
       'one that is none');
}

is(scalar(grep { "$_->{method} $_->{target}" eq 'POST /plain/1' } seen()), 2,
   'each is sent');
is(scalar(grep { "$_->{method} $_->{target}" eq 'POST /plain/2' } seen()), 1,
   'the other ones are not');


=== nor is one that is sent once, or has a precondition
--- http_config
    proxy_cache_path $TEST_NGINX_SERVER_ROOT/cache keys_zone=cache:1m;
    proxy_cache cache;
    proxy_cache_key $request_method$uri;
    proxy_cache_methods POST;
    proxy_cache_valid 200 201 204 1m;
--- config
    location / {
        conflict version;
        conflict_idempotency on;
        proxy_pass http://api;
    }
    location /report/ {
        conflict version report;
        proxy_pass http://api/plain/;
    }
--- steps
set_doc("/plain/$_", { n => 0 }) for 1 .. 4;

sub posts {
    return scalar grep { "$_->{method} $_->{target}" eq "POST /plain/$_[0]" }
                  seen();
}

my $r = GET('/plain/1');

for my $n (1, 2) {
    $r = http('POST', '/plain/1', body => { n => $n },
              headers => ['If-Match: ' . header($r, 'ETag')]);
    like(header($r, 'Conflict'), qr/^passed;version=/, "with a base, $n");

    is(http('POST', '/plain/2', body => { n => $n },
            headers => ["Idempotency-Key: key-$$-000000000000$n"])->{status},
       204, "with a key, $n");

    is(http('POST', '/plain/3', body => { n => $n })->{status}, 204,
       "with none, $n");

    is(http('POST', '/report/4', body => { n => $n },
            headers => ['If-Match: *'])->{status}, 204, "in report mode, $n");
}

is(posts(1), 2, 'with a base, each is sent');
is(posts(2), 2, 'with a key as well');
is(posts(3), 1, 'the others are not');
is(posts(4), 1, 'nor where nothing is to change');
