# A guarded server proxies like an unguarded one: caches, stored files, peers.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Both;
use Test::Nginx::Socket 'no_plan';

Conflict::Both::install('Test::Nginx::Socket');

# what the cache did, and how often the origin was asked

sub cached {
    my (@args) = @_;
    my ($r, $asked) = alike(@args);

    return join ' ', $r->{status}, header($r, 'X-Cache') // '-',
                     scalar @$asked, $r->{body};
}

run_tests();

__DATA__

=== a cache
--- http_config
    proxy_cache_path cache keys_zone=one:1m;
--- config
    proxy_cache one;
    proxy_cache_key $server_port$request_uri;
    add_header X-Cache $upstream_cache_status always;
    location / {
        proxy_cache_bypass $http_x_bypass;
        proxy_no_cache $http_x_no;
        proxy_pass http://origin;
    }
    location /valid/ {
        proxy_cache_valid 200 404 1h;
        proxy_cache_min_uses 2;
        proxy_pass http://origin;
    }
    location /methods/ {
        proxy_cache_valid 1h;
        proxy_cache_methods GET POST;
        proxy_cache_convert_head off;
        proxy_cache_key $server_port$request_method$request_uri;
        proxy_pass http://origin;
    }
    location /ignored/ {
        proxy_cache_valid 1h;
        proxy_ignore_headers Cache-Control Set-Cookie Vary;
        proxy_pass http://origin;
    }
--- steps
my $max = 'Cache-Control: max-age=3600';

answer('/a', "$max\nContent-Type: text/plain", 'one');
answer('/x', 'X-Accel-Expires: 100', 'one');
answer('/none', '', 'one');
answer('/private', 'Cache-Control: private', 'one');
answer('/cookie', "$max\nSet-Cookie: a=1", 'one');
answer('/vary', "$max\nVary: X-Lang", 'en');
answer('/vary', "$max\nVary: X-Lang", 'de', 'X-Lang: de');
answer('/valid/a', '', 'one');
answer('/valid/404', '404 Not Found', 'none');
answer('/methods/a', '', 'one');
answer('/ignored/a', "Cache-Control: no-store\nSet-Cookie: a=1\nVary: *",
       'one');

is(cached('GET', '/a'), '200 MISS 1 one', 'the first');
answer('/a', $max, 'two');
is(cached('GET', '/a'), '200 HIT 0 one', 'the next');
is(cached('HEAD', '/a'), '200 HIT 0 ', 'HEAD');
is(header(scalar alike('GET', '/a'), 'Content-Type'), 'text/plain',
   'with its type');
is(cached('GET', '/a', headers => ['X-Bypass: 1']), '200 BYPASS 1 two',
   'proxy_cache_bypass');
is(cached('GET', '/a'), '200 HIT 0 two', 'has made it new');
is(cached('GET', '/a?b', headers => ['X-No: 1']), '200 MISS 1 two',
   'proxy_no_cache');
is(cached('GET', '/a?b'), '200 MISS 1 two', 'keeps nothing');

for my $method (qw(POST PUT PATCH DELETE)) {
    is(cached($method, '/a'), '200 - 1 two', "$method passes by");
}

is(cached('HEAD', '/a?c'), '200 MISS 1 ', 'HEAD comes first');
is(cached('GET', '/a?c'), '200 HIT 0 two', 'and has got the body');

for my $path (qw(/none /private /cookie)) {
    is(cached('GET', $path), '200 MISS 1 one', "$path is not kept") for 1, 2;
}

is(cached('GET', '/x'), '200 MISS 1 one', 'X-Accel-Expires');
is(cached('GET', '/x'), '200 HIT 0 one', 'is kept');

for my $lang (qw(en de)) {
    my @headers = (headers => ["X-Lang: $lang"]);

    is(cached('GET', '/vary', @headers), "200 MISS 1 $lang", "Vary: $lang");
    is(cached('GET', '/vary', @headers), "200 HIT 0 $lang", 'is kept');
}

is(cached('GET', '/valid/a'), '200 MISS 1 one', 'once') for 1, 2;
is(cached('GET', '/valid/a'), '200 HIT 0 one', 'proxy_cache_min_uses');
is(cached('GET', '/valid/404'), '404 MISS 1 none', 'a 404') for 1, 2;
is(cached('GET', '/valid/404'), '404 HIT 0 none', 'is kept, too');

my (undef, $asked) = alike('HEAD', '/methods/a');
like($asked->[0]{line}, qr/^HEAD /, 'HEAD as HEAD');
is(cached('POST', '/methods/a'), '200 MISS 1 one', 'POST');
is(cached('POST', '/methods/a'), '200 HIT 0 one', 'is kept');
is(cached('PUT', '/methods/a'), '200 - 1 one', 'PUT is not');

is(cached('GET', '/ignored/a'), '200 MISS 1 one', 'proxy_ignore_headers');
is(cached('GET', '/ignored/a'), '200 HIT 0 one', 'is kept');


=== ranges of what is cached
--- http_config
    proxy_cache_path cache keys_zone=one:1m;
--- config
    location / {
        proxy_cache one;
        proxy_cache_key $server_port$request_uri;
        add_header X-Cache $upstream_cache_status;
        proxy_pass http://origin;
    }
--- steps
answer('/a', "Cache-Control: max-age=3600\nAccept-Ranges: bytes\n"
             . 'Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT', '0123456789');

for my $cache ('MISS', 'HIT') {
    my ($r, $asked) = alike('GET', '/a', headers => ['Range: bytes=2-4']);

    is($r->{status}, 206, "$cache: a part");
    is($r->{body}, '234', 'its bytes');
    is(header($r, 'Content-Range'), 'bytes 2-4/10', 'which');
    is(header($r, 'X-Cache'), $cache, 'where from');
    is(header_of($asked->[0], 'Range'), '', 'the upstream is asked for all')
        if $cache eq 'MISS';
}

my $r = alike('GET', '/a', headers => ['Range: bytes=0-0,5-6']);
is($r->{status}, 206, 'parts');
like($r->{body}, qr!bytes 0-0/10\r\n\r\n0\r\n--.*bytes 5-6/10\r\n\r\n56\r\n!s,
     'their bytes');

for my $day (14, 13) {
    $r = alike('GET', '/a', headers => ['Range: bytes=2-4',
               "If-Range: Tue, $day Nov 2023 22:13:20 GMT"]);
    is($r->{status}, $day == 14 ? 206 : 200, "If-Range: $day");
}

is(alike('GET', '/a', headers => ['Range: bytes=20-'])->{status}, 416, 'none');


=== conditions on what is cached
--- http_config
    proxy_cache_path cache keys_zone=one:1m;
--- config
    location / {
        conflict_version header:ETag;
        proxy_cache one;
        proxy_cache_key $server_port$request_uri;
        add_header X-Cache $upstream_cache_status always;
        proxy_pass http://origin;
    }
--- steps
my $date = 'Tue, 14 Nov 2023 22:13:20 GMT';

answer('/a', "Cache-Control: max-age=3600\nLast-Modified: $date\nETag: \"a\"",
       'text');

my $n = 0;

for my $if ('If-None-Match: "a"', 'If-None-Match: "b", W/"a"',
            "If-Modified-Since: $date", 'If-None-Match: *')
{
    $n++;

    for my $cache ('MISS', 'HIT') {
        my ($r, $asked) = alike('GET', "/a?$n", headers => [$if], own => 1);

        is($r->{status}, 304, "$cache, $if");
        is(header($r, 'X-Cache'), $cache, 'really');
        is(header($r, 'ETag'), '"a"', 'with the tag');
        is(join('', map { header_of($_, 'If-None-Match')
                          . header_of($_, 'If-Modified-Since') } @$asked), '',
           'the cache wants the body');
    }
}

for my $if ('If-None-Match: "b"',
            'If-Modified-Since: Mon, 13 Nov 2023 22:13:20 GMT')
{
    is(cached('GET', '/a?1', own => 1, headers => [$if]), '200 HIT 0 text',
       $if);
}

is(alike('GET', '/a?1', own => 1, headers => ['If-Match: "b"'])->{status}, 412,
   'If-Match');


=== a cache that is asked anew, and one that may be stale
--- http_config
    proxy_cache_path cache keys_zone=one:1m;
--- config
    proxy_cache one;
    proxy_cache_key $server_port$request_uri;
    add_header X-Cache $upstream_cache_status always;
    location / {
        proxy_cache_revalidate on;
        proxy_pass http://origin;
    }
    location /stale/ {
        proxy_cache_use_stale error timeout invalid_header updating
                              http_500 http_404;
        proxy_read_timeout 1s;
        proxy_pass http://origin;
    }
    location /never/ {
        proxy_pass http://origin;
    }
--- steps
my $old = 'Cache-Control: max-age=1';
my $tags = "ETag: \"a\"\nLast-Modified: Tue, 14 Nov 2023 22:13:20 GMT";

answer($_, "$old\n$tags", 'one') for '/a', '/stale/a', '/never/a';
is(cached('GET', $_), '200 MISS 1 one', "$_ comes") for '/a', '/stale/a',
                                                        '/never/a';
my $start = time();
until_true { time() > $start + 1 };

answer('/a', "304 Not Modified\nCache-Control: max-age=3600\n$tags", '',
       'If-None-Match: "a"');
answer('/stale/a', '500 Oh', 'oh');
answer('/never/a', '500 Oh', 'oh');

my ($r, $asked) = alike('GET', '/a');

is(header($r, 'X-Cache'), 'REVALIDATED', 'asked whether it is still good');
is($r->{status}, 200, 'a client without a condition');
is($r->{body}, 'one', 'has the body');
is(header_of($asked->[0], 'If-None-Match'), '"a"', 'by the tag');
is(header_of($asked->[0], 'If-Modified-Since'),
   'Tue, 14 Nov 2023 22:13:20 GMT', 'and the date of the upstream');
is(cached('GET', '/a'), '200 HIT 0 one', 'it is new again');

is(cached('GET', '/stale/a'), '200 STALE 1 one', 'stale at a 500');
is(cached('GET', '/never/a'), '500 EXPIRED 1 oh', 'or not');

raw_answer('/stale/a', '<hold>');
is(cached('GET', '/stale/a'), '200 STALE 1 one', 'stale at a time-out');
origin('/_release');
answer('/stale/a', '404 Not Found', 'none');
is(cached('GET', '/stale/a'), '200 STALE 1 one', 'stale at a 404');
answer('/stale/a', 'Cache-Control: max-age=3600', 'two');
is(cached('GET', '/stale/a'), '200 EXPIRED 1 two', 'new');


=== one request for all, and an update beside the answer
--- http_config
    proxy_cache_path cache keys_zone=one:1m;
--- config
    proxy_cache one;
    proxy_cache_key $server_port$request_uri;
    add_header X-Cache $upstream_cache_status always;
    location / {
        proxy_cache_lock on;
        proxy_cache_lock_timeout 60s;
        proxy_cache_lock_age 60s;
        proxy_pass http://origin;
    }
    location /update/ {
        proxy_cache_background_update on;
        proxy_cache_use_stale updating;
        proxy_pass http://origin;
    }
--- steps
answer('/a', 'Cache-Control: max-age=3600', '<hold>text');

both('proxy_cache_lock', sub {
    my $port = shift;
    my @all = (start('GET', '/a', port => $port));
    asked(1);

    push @all, map { start('GET', '/a', port => $port) } 1 .. 3;

    # all of them have been read when another is answered

    http('GET', '/none', port => $port);
    asked(1);
    origin('/_release');

    return join ', ', map { header($_, 'X-Cache') . " $_->{body}" }
                      map { finish($_) } @all;
}, 'MISS text, HIT text, HIT text, HIT text');

answer('/update/a', 'Cache-Control: max-age=1', 'one');
is(cached('GET', '/update/a'), '200 MISS 1 one', 'the first');

my $start = time();
until_true { time() > $start + 1 };

answer('/update/a', 'Cache-Control: max-age=3600', 'two');
is(cached('GET', '/update/a', asked => 1), '200 STALE 1 one', 'the old one');

for my $port (plain_port(), port()) {
    until_true { http('GET', '/update/a', port => $port)->{body} eq 'two' };
}

is(cached('GET', '/update/a'), '200 HIT 0 two', 'then the new one');


=== proxy_store
--- config
    location / {
        root $TEST_NGINX_SERVER_ROOT/html/$server_port;
        error_page 404 = @fetch;
        log_not_found off;
    }
    location @fetch {
        proxy_store $TEST_NGINX_SERVER_ROOT/html/$server_port$uri;
        proxy_store_access user:rw group:r all:r;
        proxy_pass http://origin;
    }
--- steps
my $text = 'text' x 10_000;

answer('/sub/a.txt', 'Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT', $text);
answer('/sub/none', '404 Not Found', 'none');

for my $n (1, 0) {
    my ($r, $asked) = alike('GET', '/sub/a.txt');

    is($r->{status}, 200, $n ? 'from the upstream' : 'from the file');
    ok($r->{body} eq $text, 'the text');
    is(header($r, 'Last-Modified'), 'Tue, 14 Nov 2023 22:13:20 GMT', 'its date');
    is(scalar(@$asked), $n, 'so often was asked');
}

for my $port (plain_port(), port()) {
    ok(slurp(file_of($port, 'sub/a.txt')) eq $text, 'the file');
    is((stat file_of($port, 'sub/a.txt'))[9], 1700000000, 'and its date');
}

is(alike('GET', '/sub/none')->{status}, 404, 'what is not there');
ok(!-e file_of(port(), 'sub/none'), 'is not stored');
is(alike('HEAD', '/sub/b')->{status}, 404, 'HEAD');
ok(!-e file_of(port(), 'sub/b'), 'is not, either');


=== another peer for a GET
--- http_config
    upstream dead {
        server 127.0.0.1:1 max_fails=0;
        server 127.0.0.1:$TEST_NGINX_ORIGIN_PORT backup;
    }
    upstream ill {
        server unix:$TEST_NGINX_SERVER_ROOT/ill.sock max_fails=0;
        server 127.0.0.1:$TEST_NGINX_ORIGIN_PORT backup;
    }
    server {
        listen unix:$TEST_NGINX_SERVER_ROOT/ill.sock;
        conflict off;
        location / { return 503 ill; }
        location /404 { return 404; }
        location /429 { return 429; }
        location /close { return 444; }
    }
--- config
    add_header X-Status $upstream_status always;
    location / {
        proxy_pass http://dead;
    }
    location /ill/ {
        proxy_next_upstream error http_503 http_404;
        proxy_pass http://ill/;
    }
    location /once/ {
        proxy_next_upstream_tries 1;
        proxy_next_upstream http_503;
        proxy_pass http://ill/;
    }
    location /off/ {
        proxy_next_upstream off;
        proxy_pass http://ill/;
    }
--- steps
answer($_, '', 'text') for qw(/a /404 /429 /close);

for my $method (qw(GET HEAD)) {
    my %status = ('/a' => '200 502, 200', '/ill/a' => '200 503, 200',
                  '/ill/404' => '200 404, 200', '/ill/429' => '429 429',
                  '/ill/close' => '200 502, 200', '/once/a' => '503 503',
                  '/off/a' => '503 503', '/off/close' => '502 502');

    for my $path (sort keys %status) {
        my $r = alike($method, $path);

        is("$r->{status} " . header($r, 'X-Status'), $status{$path},
           "$method $path");
        is($r->{body}, 'text', 'from the other') if $method eq 'GET'
                                                    && $r->{status} == 200;
    }
}

# a POST is not sent twice, unless nothing was

is(alike('POST', '/a', body => '{}')->{status}, 200, 'POST to a dead one');
is(alike('POST', '/ill/a', body => '{}')->{status}, 503, 'to an ill one');


=== time-outs and broken answers
--- config
    location / {
        proxy_read_timeout 200ms;
        proxy_pass http://origin;
    }
    location /dead/ {
        proxy_pass http://127.0.0.1:1;
    }
    location /name/ {
        proxy_pass http://$http_x_name;
    }
--- steps
raw_answer('/slow', '<hold>');
raw_answer('/long', "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntext and more");

for my $method (qw(GET POST)) {
    is(alike($method, '/slow')->{status}, 504, "$method: too slow");
    is(alike($method, '/dead/')->{status}, 502, 'nobody there');
    is(alike($method, '/name/')->{status}, 500, 'no name');
    is(alike($method, '/long')->{body}, 'text', 'more than was announced');
}
