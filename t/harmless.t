# A guarded server proxies like an unguarded one: methods, bodies, headers.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Both;
use Test::Nginx::Socket 'no_plan';

Conflict::Both::install('Test::Nginx::Socket');
run_tests();

__DATA__

=== methods
--- config
    location / {
        proxy_pass http://origin;
    }
--- steps
answer('/a', "Content-Type: text/html\nX-A: 1\nX-A: 2\nAllow: GET", '<p>text');

for my $method (qw(GET HEAD POST PUT PATCH DELETE OPTIONS PROPFIND REPORT
                   LOCK FOO))
{
    my ($r, $asked) = alike($method, '/a');

    is($r->{status}, 200, "$method: the status");
    is($r->{body}, $method eq 'HEAD' ? '' : '<p>text', 'the body');
    is(header($r, 'X-A'), '1, 2', 'each header');
    is(header($r, 'Content-Length'), 7, 'the length');
    like($asked->[0]{line}, qr!^$method /a HTTP!, 'what the upstream is asked');
    is(scalar(@$asked), 1, 'once');
}

is(alike('TRACE', '/a', mark => 0)->{status}, 405, 'TRACE is not allowed');
is(alike('get', '/a', mark => 0)->{status}, 400, 'nor is this a method');


=== statuses and reasons
--- config
    location / {
        proxy_pass http://origin;
    }
--- steps
my %head = (
    '201 Made'              => 'Location: /b',
    '204 No Content'        => '',
    '206 Partial Content'   => 'Content-Range: bytes 0-3/9',
    '301 Moved Permanently' => 'Location: http://elsewhere/',
    '401 Unauthorized'      => 'WWW-Authenticate: Basic realm="x"',
    '404 Not Found'         => '',
    '405 Not Allowed'       => 'Allow: GET',
    '410 Gone'              => '',
    '418 Teapot'            => '',
    '429 Too Many'          => 'Retry-After: 7',
    '500 Oh'                => '',
    '503 Not Now'           => 'Retry-After: 7',
    '599 None'              => '',
);

my $n = 0;

for my $status (sort keys %head) {
    for my $method (qw(GET POST PUT DELETE)) {
        my $path = '/' . ++$n;
        my ($name, $value) = split /: /, $head{$status};

        answer($path, "$status\n$head{$status}",
               $status =~ /^204/ ? '' : 'text');

        my $r = alike($method, $path);

        like($r->{line}, qr/ \Q$status\E$/, "$method: $status");
        is($r->{body}, $status =~ /^204/ ? '' : 'text', 'its body');
        is(header($r, $name), $value, $name) if $name;
    }
}


=== a 304 of an upstream that owns its validators
--- config
    location / {
        conflict_version header:ETag;
        proxy_pass http://origin;
    }
    location /minted/ {
        proxy_pass http://origin;
    }
--- steps
my $tag = 'ETag: "a-1"';
my $date = 'Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT';

for my $path ('/a', '/minted/a') {
    answer($path, "$tag\n$date\nCache-Control: max-age=9", 'text');
    answer($path, "304 Not Modified\n$tag\n$date", '', $_)
        for 'If-None-Match: "a-1"', 'If-Modified-Since: Tue, 14 Nov 2023 22:1';
}

for my $method (qw(GET HEAD)) {
    my $r = alike($method, '/a', own => 1);

    is(header($r, 'ETag'), '"a-1"', 'the tag of the upstream');
    is(header($r, 'Cache-Control'), 'max-age=9', 'what caches may do');

    for my $if ('If-None-Match: "a-1"', 'If-None-Match: "b", "a-1"',
                'If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT')
    {
        answer('/a', "304 Not Modified\n$tag\n$date", '', $if);
        $r = alike($method, '/a', own => 1, headers => [$if]);

        is($r->{status}, 304, $if);
        is(header($r, 'ETag'), '"a-1"', 'with the tag');
        is($r->{body}, '', 'and no body');
    }

    $r = alike($method, '/a', own => 1, headers => ['If-None-Match: "b"']);
    is($r->{status}, 200, 'another tag');

    # where the versions are the module's, the body comes

    $r = http($method, '/minted/a', headers => ['If-None-Match: "a-1"']);
    is($r->{status}, 200, 'a minted version is not asked for');
}

is(alike('GET', '/a', own => 1, headers => ['If-Match: "a-1"',
         'If-Unmodified-Since: Tue, 14 Nov 2023 22:13:20 GMT'])->{status},
   200, 'other conditions are handed on');


=== bodies of requests
--- config
    location / {
        proxy_pass http://origin;
    }
    location /11/ {
        proxy_http_version 1.1;
        proxy_pass http://origin;
    }
    location /small/ {
        client_max_body_size 10;
        lingering_timeout 10ms;
        proxy_pass http://origin;
    }
    location /bare/ {
        proxy_pass_request_body off;
        proxy_pass_request_headers off;
        proxy_set_header Content-Length "";
        proxy_pass http://origin;
    }
--- steps
my @json = 'Content-Type: application/json';
my @form = 'Content-Type: application/x-www-form-urlencoded';
my %bodies = (
    'nothing'     => ['', \@form],
    'JSON'        => [' {"a": 0.10, "a\u0062":[1,2] }' . "\n", \@json],
    'not JSON'    => ["a=1&b=\0\xff\r\n\r\n", \@form],
    'in a file'   => ['x' x 100_000, \@form],
    'JSON in one' => ['{"a":"' . 'x' x 100_000 . '"}', \@json],
);

answer($_, '', 'done') for '/a', '/11/a', '/small/a', '/bare/a';

for my $kind (sort keys %bodies) {
    my ($body, $headers) = @{ $bodies{$kind} };

    for my $method (qw(POST PUT PATCH DELETE OPTIONS FOO)) {
        for my $chunked (0, 1000) {
            my ($r, $asked) = alike($method, $chunked ? '/11/a' : '/a',
                                    body => $body, headers => $headers,
                                    chunked => $chunked);

            is($r->{status}, 200, "$method, $kind, "
                                  . ($chunked ? 'chunked' : 'with a length'));
            ok($asked->[0]{body} eq $body, 'arrives as it was sent');
            is(header_of($asked->[0], 'Content-Length'),
               $body eq '' && $chunked ? '0' : length $body, 'with its length');
            is(header_of($asked->[0], 'Content-Type'),
               $headers->[0] =~ s/.*: //r, 'and type');
            like($asked->[0]{line}, qr!HTTP/1\.1$!, 'by HTTP/1.1') if $chunked;
        }
    }
}

my ($r, $asked) = alike('GET', '/a', body => 'text', headers => \@form);
is($asked->[0]{body}, 'text', 'a GET may have one');

is(alike('POST', '/small/a', body => 'x' x 11, headers => \@form)->{status},
   413, 'too large');
is(alike('PUT', '/small/a', body => 'x' x 11, headers => \@form,
         mark => 0)->{status}, 413, 'as a write');

($r, $asked) = alike('POST', '/bare/a', body => 'text', headers => \@form);
is($asked->[0]{body}, '', 'a body that is not passed');
is(header_of($asked->[0], 'Content-Type'), '', 'nor are headers');


=== bodies that do not come, or are none
--- config
    client_body_timeout 200ms;
    lingering_timeout 10ms;
    location / {
        proxy_pass http://origin;
    }
--- steps
my %bad = (
    "Content-Length: 9\r\n\r\n"                             => 0,
    "Content-Length: 9\r\n\r\nshort"                        => 0,
    "Content-Length: x\r\n\r\n"                             => 400,
    "Content-Length: 40000000\r\n\r\n"                      => 413,
    "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"            => 400,
    "Transfer-Encoding: chunked\r\n\r\n9\r\nshort"         => 0,
    "Transfer-Encoding: other\r\n\r\n"                      => 501,
);

for my $method (qw(POST PUT DELETE)) {
    for my $type ('text/plain', 'application/json') {
        for my $text (sort keys %bad) {
            for my $gone (0, 1) {
                my $name = "$method of $type, $text"
                           . ($gone ? 'and no more' : 'in time');

                $name =~ s/\s+/ /g;

                both($name, sub {
                    my $port = shift;
                    my $s = IO::Socket::INET->new(PeerAddr =>
                                                  "127.0.0.1:$port");

                    syswrite $s, "$method /a HTTP/1.1\r\nHost: x\r\n"
                                 . "Content-Type: $type\r\n$text";
                    shutdown $s, 1 if $gone;

                    my $r = finish({ socket => $s, method => $method });

                    return [ $r->{status}, scalar(asked()) ];
                }, [ $bad{$text}, 0 ]);
            }
        }
    }
}


=== what the log says of it
--- http_config
    log_format all '$server_port $request_method $uri $args $status '
                   '$body_bytes_sent $request_length $request_completion '
                   '$upstream_status $upstream_response_length '
                   '$upstream_bytes_sent $upstream_bytes_received '
                   '$content_length $content_type $request_body';
--- config
    access_log $TEST_NGINX_SERVER_ROOT/logs/all.log all;
    location / {
        proxy_pass http://origin;
    }
    location /set/ {
        client_body_in_single_buffer on;
        proxy_set_header X-Length $content_length;
        proxy_set_body "<$request_body>";
        proxy_pass http://origin;
    }
--- steps
my $n = 0;

answer($_, 'X-A: b', 'text') for '/a', '/set/a';

for my $method (qw(GET POST PUT PATCH DELETE)) {
    for my $chunked (0, 3) {
        my (undef, $asked) = alike($method, '/set/a', body => '{"a":1}',
                                   chunked => $chunked);

        is($asked->[0]{body}, '<{"a":1}>', "$method: proxy_set_body");
        alike($method, '/a?b', body => '{"a":1}', chunked => $chunked);
        alike($method, '/none');
        $n += 3;
    }
}

my %lines;

until_true {
    my $log = slurp(servroot() . '/logs/all.log');

    %lines = ();
    push @{ $lines{$1} }, $2 while $log =~ /^(\d+) (?!GET .ping)(.*)/mg;
    @{ $lines{port()} || [] } == $n;
};

is_deeply($lines{port()}, $lines{plain_port()}, 'alike');
like($lines{port()}[0], qr!^GET /set/a - 200 4 \d+ OK 200 4 \d+ \d+ !, 'is so');


=== Expect: 100-continue
--- config
    location / {
        proxy_pass http://origin;
    }
    location /small/ {
        client_max_body_size 10;
        lingering_timeout 10ms;
        proxy_pass http://origin;
    }
--- steps
sub line_of {
    my ($s) = @_;
    my $line = '';

    while ($line !~ /\n\z/) {
        last unless sysread $s, $line, 1, length $line;
    }

    return $line;
}

answer('/a', '', 'done');

for my $method (qw(POST PUT)) {
    both("$method: the body is asked for", sub {
        my $port = shift;
        my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");

        syswrite $s, "$method /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     . "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n";

        my $first = line_of($s) . line_of($s);

        syswrite $s, 'text';

        my $r = finish({ socket => $s, method => $method });

        return [ $first, $r->{status}, $r->{body},
                 map { $_->{body}, header_of($_, 'Expect') } asked() ];
    }, [ "HTTP/1.1 100 Continue\r\n\r\n", 200, 'done', 'text', '' ]);

    is(alike($method, '/small/a', headers => ['Expect: 100-continue',
                                              'Content-Length: 11'],
             mark => 0)->{status}, 413, 'or not even that');
}


=== proxy_request_buffering off
--- config
    location / {
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://origin;
    }
--- steps
answer('/a', '', 'done');

for my $method (qw(POST PUT PATCH FOO)) {
    both("$method comes through as it is sent", sub {
        my $port = shift;
        my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");

        syswrite $s, "$method /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     . "Content-Type: image/png\r\nContent-Length: 8\r\n"
                     . "\r\nfour";

        my $got = origin('/_got?n=4');

        syswrite $s, 'more';

        my $r = finish({ socket => $s, method => $method });

        return [ $got, $r->{status}, map { $_->{body} } asked() ];
    }, [ 4, 200, 'fourmore' ]);
}

for my $method (qw(POST PUT PATCH DELETE)) {
    my $text = 'x' x 100_000;
    my ($r, $asked) = alike($method, '/a', body => $text,
                            headers => ['Content-Type: image/png'],
                            chunked => 5000);

    ok($asked->[0]{body} eq $text, "$method: all of it");
    is(header_of($asked->[0], 'Transfer-Encoding'), 'chunked', 'as it came');
}


=== large heads
--- config
    large_client_header_buffers 4 16k;
    location / {
        proxy_buffer_size 16k;
        proxy_buffers 8 16k;
        proxy_pass http://origin;
    }
    location /small/ {
        proxy_buffer_size 1k;
        proxy_pass http://origin;
    }
--- steps
my $large = 'X-Large: ' . 'y' x 15_000;

answer('/a', join("\n", map { "X-$_: " . 'z' x 1000 } 1 .. 12), 'text');
answer('/small/a', 'X-1: ' . 'z' x 2000, 'text');

my ($r, $asked) = alike('GET', '/a?' . 'q' x 15_000, headers => [$large]);

is($r->{status}, 200, 'a long URI and header');
is(header_of($asked->[0], 'X-Large'), 'y' x 15_000, 'arrive');
is(header($r, 'X-12'), 'z' x 1000, 'as do those of the answer');

is(alike('GET', '/a?' . 'q' x 17_000, mark => 0)->{status}, 414,
   'a longer URI');
is(alike('GET', '/a', headers => [$large . 'y' x 2000], mark => 0)->{status},
   400, 'a longer header');
is(alike('GET', '/small/a')->{status}, 502, 'a head beyond the buffer');


=== what the upstream is told
--- config
    underscores_in_headers on;
    location / {
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Method $request_method;
        proxy_set_header X-Uri $uri?$args;
        proxy_set_header X-Cookie $cookie_a;
        proxy_pass http://origin;
    }
    location /under/ {
        proxy_pass http://origin/base/;
    }
    location ~ ^/re/(.*)$ {
        proxy_pass http://origin/base/$1$is_args$args;
    }
    location /method/ {
        proxy_method POST;
        proxy_pass http://origin;
    }
--- steps
answer($_, '', 'text') for '/a%20b/..%2fc', '/base/x', '/method/x', '/a//b/./c',
                           '/d';

my ($r, $asked) = alike('GET', '/a%20b/..%2fc?x=%41&y',
                        headers => ['Cookie: a=1; b=2', 'X_Under: 1',
                                    'X-Forwarded-For: 10.0.0.1', 'X-Twice: 1',
                                    'X-Twice: 2', 'X-Empty:']);

like($asked->[0]{line}, qr!^GET /a%20b/..%2fc\?x=%41&y HTTP!,
     'the URI as it was written');
is_deeply([ map { header_of($asked->[0], $_) }
            qw(Host X-Forwarded-For X-Method X-Uri X-Cookie X_Under X-Twice) ],
          [ 'localhost', '10.0.0.1, 127.0.0.1', 'GET', '/c?x=%41&y', '1', '1',
            '1, 2' ], 'headers');

($r, $asked) = alike('GET', '/a//b/./c');
like($asked->[0]{line}, qr!^GET /a//b/./c HTTP!, 'not normalised');
($r, $asked) = alike('PUT', '/under/x?y', body => '{}');
like($asked->[0]{line}, qr!^PUT /base/x\?y HTTP!, 'with another prefix');
($r, $asked) = alike('DELETE', '/re/x?y');
like($asked->[0]{line}, qr!^DELETE /base/x\?y HTTP!, 'by variables');
($r, $asked) = alike('GET', '/method/x');
like($asked->[0]{line}, qr!^POST /method/x HTTP!, 'with another method');
($r, $asked) = alike('GET', 'http://elsewhere/d');
is($r->{status}, 200, 'an absolute URI');
is(header_of($asked->[0], 'Host'), 'elsewhere', 'has the host');


=== headers of the answer that nginx makes anew
--- config
    location / {
        proxy_hide_header X-Secret;
        proxy_pass_header Server;
        proxy_cookie_path /in/ /out/;
        proxy_cookie_domain inner outer;
        proxy_redirect http://inner/ /out/;
        add_header X-Added yes;
        add_header X-Always yes always;
        proxy_pass http://origin;
    }
--- steps
my $head = "Server: inner\nX-Secret: 1\nLocation: http://inner/x\n"
           . "Set-Cookie: a=1; path=/in/x; domain=inner\nSet-Cookie: b=2\n"
           . "Content-Language: de\nLink: </a>; rel=x\nX-Accel-Charset: utf-8";

answer('/a', "302 Found\n$head", 'text');
answer('/b', "404 Not Found\n$head", 'text');

for my $path ('/a', '/b') {
    my $r = alike('GET', $path);

    is_deeply([ map { header($r, $_) }
                qw(Server X-Secret Location Set-Cookie Content-Language
                   Link X-Added X-Always) ],
              [ 'inner', undef, "http://localhost:@{[port()]}/out/x",
                'a=1; path=/out/x; domain=outer, b=2', 'de', '</a>; rel=x',
                $path eq '/a' ? 'yes' : undef, 'yes' ], $path);
}
