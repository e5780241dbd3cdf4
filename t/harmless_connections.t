# A guarded server proxies like an unguarded one: connections, HTTP/2, gRPC.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Conflict::Both;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_GRPC_PORT} = free_port();
Conflict::Both::install('Test::Nginx::Socket');
Conflict::start_server('grpc.py', $ENV{TEST_NGINX_GRPC_PORT});

sub client {
    my ($port) = @_;

    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
           || die "cannot connect to nginx: $!";
}

# what comes next: as many bytes, or as far as the pattern goes

sub next_of {
    my ($s, $until) = @_;
    my $text = '';

    while (ref $until ? $text !~ $until : length $text < $until) {
        last unless IO::Select->new($s)->can_read(15);
        last unless sysread $s, $text, 1, length $text;
    }

    return $text;
}

# a response on a connection that stays open

sub next_response {
    my ($s) = @_;
    my $head = next_of($s, qr/\r\n\r\n\z/);
    my ($length) = $head =~ /^Content-Length: (\d+)/mi;
    my ($status) = $head =~ /^HTTP\S+ (\d+)/;

    return join ' ', $status // 'none',
                     $head =~ /^Connection: (\S+)/m ? $1 : '-',
                     $length ? next_of($s, $length) : '';
}

run_tests();

__DATA__

=== a WebSocket
--- config
    location / {
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://origin;
    }
--- steps
answer('/ws', "101 Switching Protocols\nUpgrade: websocket\n"
              . "Connection: Upgrade\nSec-WebSocket-Accept: abc");
answer('/no', '426 Upgrade Required', 'no');

my $n = 0;

both('bytes both ways', sub {
    my $s = client(shift);

    # what comes with the request itself is the first that is sent on

    syswrite $s, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                 . "Connection: Upgrade\r\nSec-WebSocket-Key: k\r\n\r\nearly ";

    my $head = next_of($s, qr/\r\n\r\n\z/);
    my $text = next_of($s, 6);

    for my $piece ("text\0\xff\n", 'x' x 50_000) {
        syswrite $s, $piece;
        $text .= next_of($s, length $piece);
    }

    my ($asked) = asked(1);

    shutdown $s, 1;
    close $s;
    origin('/_gone?n=' . ++$n);

    return { status => $head =~ /^(HTTP\S+ \d+)/,
             headers => [ sort $head =~ /^((?:Upgrade|Connection|Sec).*)\r$/mg ],
             text => $text, upgrade => header_of($asked, 'Upgrade'),
             key => header_of($asked, 'Sec-WebSocket-Key') };
}, { status => 'HTTP/1.1 101', upgrade => 'websocket', key => 'k',
     text => "EARLY TEXT\0\xff\n" . 'X' x 50_000,
     headers => [ 'Connection: upgrade', 'Sec-WebSocket-Accept: abc',
                  'Upgrade: websocket' ] });

is(origin('/_gone?n=2'), 2, 'the upstream learns that the client has gone');

is(alike('GET', '/no', headers => ['Upgrade: websocket'])->{status}, 426,
   'an upstream that will not');


=== a WebSocket on which nothing is said
--- config
    location / {
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_read_timeout 200ms;
        proxy_pass http://origin;
    }
--- steps
answer('/ws', "101 Switching Protocols\nUpgrade: x\nConnection: Upgrade");

both('it is closed for the client, too', sub {
    my $s = client(shift);

    syswrite $s, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\n"
                 . "Connection: Upgrade\r\n\r\n";
    my $head = next_of($s, qr/\r\n\r\n\z/);

    return [ $head =~ / (\d+) /, next_of($s, 1) ];
}, [ 101, '' ]);


=== connections of clients
--- config
    location / {
        proxy_pass http://origin;
    }
    location /bad/ {
        keepalive_timeout 0;
        proxy_pass http://origin;
    }
--- steps
answer('/a', '', 'text');
answer('/bad/a', '', 'text');

my @requests = ("GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
                "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
                "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                . "\r\n2\r\n{}\r\n0\r\n\r\n",
                "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
                "DELETE /a HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET /bad/a HTTP/1.1\r\nHost: x\r\n\r\n");
my @answers = ('200 keep-alive text') x 5;

push @answers, '200 close text', 'none - ';

for my $pipelined (0, 1) {
    both($pipelined ? 'pipelined' : 'one after the other', sub {
        my $s = client(shift);

        syswrite $s, join '', @requests if $pipelined;

        return [ (map { syswrite $s, $_ unless $pipelined;
                        next_response($s) } @requests), next_response($s) ];
    }, \@answers);
}

both('HTTP/1.0', sub {
    my $s = client(shift);

    syswrite $s, "GET /a HTTP/1.0\r\n\r\n";

    return next_response($s) . next_of($s, 1);
}, '200 close text');

both('HTTP/1.0, kept', sub {
    my $s = client(shift);

    syswrite $s, "PUT /a HTTP/1.0\r\nConnection: keep-alive\r\n"
                 . "Content-Length: 2\r\n\r\n{}GET /a HTTP/1.0\r\n\r\n";

    return next_response($s) . ', ' . next_response($s);
}, '200 keep-alive text, 200 close text');


=== HTTP/1.0 and an upstream without lengths
--- config
    location / {
        proxy_http_version 1.1;
        proxy_pass http://origin;
    }
    location /unbuffered/ {
        proxy_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://origin;
    }
--- steps
for my $dir ('', '/unbuffered') {
    raw_answer("$dir/close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                             . 'text');
    raw_answer("$dir/old", "HTTP/1.0 200 OK\r\n\r\ntext");
    raw_answer("$dir/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                               . "\r\n\r\n2\r\nte\r\n2\r\nxt\r\n0\r\n\r\n");
    raw_answer("$dir/hints", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                             . "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    raw_answer("$dir/short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
                             . "Connection: close\r\n\r\ntext");
    raw_answer("$dir/none", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    raw_answer("$dir/bad", "nonsense\r\nConnection: close\r\n\r\n");
    raw_answer("$dir/cut", "HTTP/1.1 200 OK\r\nConnection: close\r\n");

    for my $method (qw(GET PUT)) {
        for my $path (qw(close old chunked)) {
            my $r = alike($method, "$dir/$path");

            is($r->{body}, 'text', "$method $path");
            is(header($r, 'Transfer-Encoding'), 'chunked', 'chunked again');
        }
    }

    is(alike('GET', "$dir/short")->{body}, 'text', 'as much as there was');
    is(alike('GET', "$dir/none")->{body}, '', 'or nothing');
    is(alike('GET', "$dir/cut")->{status}, 502, 'no head');
    alike('GET', "$dir/hints");
    like(alike('GET', "$dir/bad", mark => 0)->{raw}, qr/^nonsense\r\n/,
         'HTTP/0.9');

    both('no chunks for HTTP/1.0', sub {
        my $s = client(shift);

        syswrite $s, "GET $dir/chunked HTTP/1.0\r\n\r\n";

        my $text = next_of($s, qr/text\z/) . next_of($s, 1);

        $text =~ s/.*\r\n\r\n//s;
        return $text;
    }, 'text');
}


=== what is sent at once arrives at once
--- config
    location / {
        proxy_buffering off;
        proxy_pass http://origin;
    }
    location /header/ {
        proxy_pass http://origin;
    }
--- steps
for my $path ('/a', '/header/a') {
    answer($path, "Connection: close\nContent-Type: text/event-stream\n"
                  . 'X-Accel-Buffering: no', "data: 1\n\n<hold>data: 2\n\n");

    both('event by event', sub {
        my $s = start('GET', $path, port => shift)->{socket};
        my $first = next_of($s, qr/data: 1\n\n/);

        origin('/_release');
        $first =~ s/.*\r\n\r\n.\r\n//s;

        return $first . ', ' . next_of($s, qr/0\r\n\r\n\z/);
    }, "data: 1\n\n, \r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n");
}


=== connections to the upstream are kept
--- http_config
    upstream kept {
        server 127.0.0.1:$TEST_NGINX_ORIGIN_PORT;
        keepalive 1;
    }
--- config
    location / {
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://kept;
    }
    location /new/ {
        # later nginx keep them where nothing is said
        proxy_set_header Connection close;
        proxy_pass http://origin;
    }
--- steps
answer($_, '', 'text') for '/a', '/new/a';
answer('/none', '204 No Content');
answer('/304', '304 Not Modified');

both('one connection for all', sub {
    my $port = shift;
    my @all = ([ GET => '/a' ], [ HEAD => '/a' ], [ PUT => '/a' ],
               [ POST => '/a' ], [ DELETE => '/none' ], [ GET => '/304' ],
               [ GET => '/a' ]);

    http(@$_, port => $port) for @all;

    my %conns = map { $_->{conn} => 1 } my @asked = asked(7);

    return @asked . ' in ' . keys %conns;
}, '7 in 1');

both('or one for each', sub {
    my $port = shift;

    http('GET', '/new/a', port => $port) for 1 .. 3;

    my %conns = map { $_->{conn} => 1 } asked(3);

    return scalar keys %conns;
}, 3);


=== a client that goes away
--- config
    location / {
        proxy_pass http://origin;
    }
    location /late {
        proxy_buffering off;
        proxy_pass http://origin;
    }
    location /ignored/ {
        proxy_ignore_client_abort on;
        proxy_pass http://origin;
    }
--- steps
answer('/first', '', '<hold>text');
answer('/late', 'Connection: close', 'text<hold>more');
answer('/ignored/a', '', 'text');
raw_answer('/head', "<hold>HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
raw_answer('/ignored/a', '<hold>HTTP/1.1 200 OK' . "\r\n"
                         . "Connection: close\r\n\r\nmore");

my $n = 0;

for my $path (qw(/head /late)) {
    for my $method (qw(GET POST)) {
        both("$method $path: the upstream is left", sub {
            my $s = start($method, $path, port => shift)->{socket};

            asked(1);
            next_of($s, qr/text\z/) if $path eq '/late';
            close $s;

            return origin('/_gone?n=' . ++$n) - $n;
        }, 0);
    }
}

both('proxy_ignore_client_abort', sub {
    my $port = shift;

    close start('GET', '/ignored/a', port => $port)->{socket};
    asked(1);
    is(http('GET', '/none', port => $port)->{status}, 404, 'nginx goes on');
    origin('/_release');

    return origin('/_gone?n=0');
}, $n);


=== trailers
--- config
    location / {
        add_trailer X-Trailer $upstream_status;
        proxy_http_version 1.1;
        proxy_pass http://origin;
    }
--- steps
raw_answer('/a', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 . "4\r\ntext\r\n0\r\n\r\n");

for my $method (qw(GET POST PUT)) {
    like(alike($method, '/a', headers => ['TE: trailers'])->{raw},
         qr/\r\n4\r\ntext\r\n0\r\nX-Trailer: 200\r\n\r\n\z/, "$method has one");
}

both('those of a request are not sent on', sub {
    my $s = client(shift);

    syswrite $s, "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 . "Transfer-Encoding: chunked\r\n\r\n"
                 . "2\r\n{}\r\n0\r\nX-T: 1\r\n\r\n";
    next_of($s, qr/X-Trailer.*\r\n\r\n\z/);

    my ($asked) = asked(1);
    return $asked->{body} . header_of($asked, 'X-T');
}, '{}');


=== HTTP/2
--- config
    location / {
        add_header X-Proto $server_protocol;
        proxy_pass http://origin;
    }
    location /11/ {
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass http://origin;
    }
--- steps
answer('/a', 'X-A: b', 'text' x 20_000);
answer('/11/a', '', 'text');
answer('/none', '204 No Content');
answer('/to', "302 Found\nLocation: /a");

for my $method (qw(GET HEAD POST PUT DELETE OPTIONS FOO)) {
    my ($r, $asked) = alike($method, '/a?b', h2 => 1, headers => ['X-B: c']);

    is($r->{status}, 200, $method);
    is(header($r, 'X-Proto'), 'HTTP/2.0', 'by HTTP/2');
    is(header($r, 'X-A'), 'b', 'a header of the answer');
    is(header_of($asked->[0], 'X-B'), 'c', 'and of the request');
    is(length $r->{body}, $method eq 'HEAD' ? 0 : 80_000, 'a body');
}

my @form = 'Content-Type: multipart/form-data; boundary=x';

for my $method (qw(POST PUT PATCH)) {
    for my $path ('/a', '/11/a') {
        my $text = 'x' x 200_000;
        my ($r, $asked) = alike($method, $path, h2 => 1, body => $text,
                                headers => \@form);

        ok($asked->[0]{body} eq $text, "$method, a large body");

        ($r, $asked) = alike($method, $path, h2 => 1, body => $text,
                             headers => [@form, 'Transfer-Encoding: chunked']);
        ok($asked->[0]{body} eq $text, 'without a length');
    }
}

is(alike('GET', '/none', h2 => 1)->{status}, 204, 'nothing');
is(header(scalar alike('GET', '/to', h2 => 1), 'Location'), '/a',
   'a redirect');


=== gRPC
--- config
    location / {
        grpc_pass grpc://127.0.0.1:$TEST_NGINX_GRPC_PORT;
    }
    location /down/ {
        grpc_pass grpc://127.0.0.1:1;
        error_page 502 = @down;
    }
    location @down {
        add_header grpc-status 14 always;
        default_type application/grpc;
        return 200;
    }
--- steps
my $call = sub {
    my ($port, $path, @messages) = @_;
    my $file = servroot() . '/html/message';

    open my $out, '>:raw', $file or die "$file: $!";
    print $out pack('xN/a', $_) for @messages;
    close $out;

    # curl shows trailers after the body

    my $text = `curl -s -S -i --http2-prior-knowledge -X POST -H 'TE: trailers' \\
                --unix-socket @{[servroot()]}/$port.sock -H 'Accept:' \\
                -H 'Content-Type: application/grpc' \\
                --data-binary \@$file http://localhost$path`;

    $text =~ s/^date:.*\r\n//mi;
    $text =~ s/^server:.*\r\n//mi;
    return $text;
};

my $first = "HTTP/2 200 \r\ncontent-type: application/grpc\r\n";

both('a call', sub { $call->(shift, '/notes.Notes/Get', 'text') },
     $first . "x-first: yes\r\n\r\n" . pack('xN/a', 'TEXT')
     . "grpc-status: 0\r\ngrpc-message: 1\r\n");

both('a stream', sub { $call->(shift, '/notes.Notes/Get', ('text') x 9) },
     $first . "x-first: yes\r\n\r\n" . pack('xN/a', 'TEXT') x 9
     . "grpc-status: 0\r\ngrpc-message: 9\r\n");

both('a status alone', sub { $call->(shift, '/notes.Notes/Get', 'refuse') },
     $first . "content-length: 0\r\ngrpc-status: 12\r\n\r\n");

like(both('no service', sub { $call->(shift, '/down/') }),
     qr/^grpc-status: 14\r\n/m, 'an error page');
