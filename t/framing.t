# The upstream gets exactly one request, whatever was sent and however its body
# was changed: checked in the raw bytes of each connection.
#
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

# this process is the upstream: it answers a GET with a document, a write
# with 204

my ($Doc, $Upstream);

BEGIN {
    $ENV{TEST_NGINX_RAW_PORT} = free_port();
    $Upstream = IO::Socket::INET->new(Listen => 64, ReuseAddr => 1,
                                      LocalAddr => '127.0.0.1',
                                      LocalPort => $ENV{TEST_NGINX_RAW_PORT})
        or die "cannot listen: $!";
}

Conflict::install('Test::Nginx::Socket');
no_long_string();

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', "client_body_buffer_size 1k;\n"
                      . "location / {\n" . ($block->rules || '')
                      . "proxy_pass http://127.0.0.1:"
                      . "$ENV{TEST_NGINX_RAW_PORT};\n}\n"
                      . "location /smuggled { conflict off;\n"
                      . "proxy_pass http://127.0.0.1:"
                      . "$ENV{TEST_NGINX_RAW_PORT};\n}\n");
});

sub api_has { $Doc = shift }

# more of a connection, or nothing when it has ended

sub more {
    my ($s, $data) = @_;

    return IO::Select->new($s)->can_read(10)
           && sysread $s, $$data, 65536, length $$data;
}

# one connection from nginx, to its end

sub serve {
    my $s = $Upstream->accept;
    my $raw = '';

    until ($raw =~ /\r\n\r\n/) {
        return $raw unless more($s, \$raw);
    }

    my ($head) = $raw =~ /\A(.*?\r\n\r\n)/s;
    my ($length) = $head =~ /^Content-Length: (\d+)\r$/mi;

    while (length $raw < length($head) + ($length || 0)) {
        return $raw unless more($s, \$raw);
    }

    syswrite $s, $raw =~ /^(GET|HEAD) /
                 ? "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                   . 'Content-Length: ' . length($Doc) . "\r\n\r\n"
                   . ($1 eq 'GET' ? $Doc : '')
                 : "HTTP/1.1 204 No Content\r\n\r\n";

    1 while more($s, \$raw);

    return $raw;
}

# sends the pieces; the answer, and what the upstream got meanwhile

sub talk {
    my (@pieces) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port());
    my $both = IO::Select->new($s, $Upstream);
    my ($data, @got) = ('');

    my $first = shift @pieces;

    syswrite $s, $first;

    if ($first =~ /^Expect:/m) {
        until ($data =~ /\AHTTP\/1\.1 100 Continue\r\n\r\n/) {
            last unless more($s, \$data);
        }
    }

    syswrite $s, $_ for @pieces;

    while (1) {
        my @ready = $both->can_read(20) or last;

        if (grep { $_ == $Upstream } @ready) {
            push @got, serve();
            next;
        }

        last unless sysread $s, $data, 65536, length $data;
    }

    return (Conflict::parse($data, 'PUT'), @got);
}

sub head {
    my ($method, $path, @headers) = @_;

    return join "\r\n", "$method $path HTTP/1.1", 'Host: x',
                        'Connection: close', @headers, '', '';
}

# the body of what is exactly one request, else what is wrong with it

sub body_of {
    my ($raw, $method) = @_;

    my ($head, $body) = $raw =~ /\A(.*?\r\n)\r\n(.*)\z/s
        or return 'no head';
    my @lines = split /\r\n/, $head;
    my $first = shift @lines;

    return "another line: $first"
        unless $first =~ m!\A$method /\S+ HTTP/1\.[01]\z!;

    my @bad = grep { !/\A[\w-]+: [^\x00-\x08\x0a-\x1f]*\z/ } @lines;
    return "a header: $bad[0]" if @bad;

    my @coded = grep { /^Transfer-Encoding:/i } @lines;
    return "coded: @coded" if @coded;

    my @length = map { /^Content-Length: (.*)/i } @lines;
    return "lengths: @length" if @length > 1;
    return 'bytes without a length' if !@length && length $body;
    return "length $length[0] of " . length $body
        if @length && $length[0] ne length $body;

    return $body;
}

# the write in what the upstream got; each GET of the module is a bare one

sub written {
    my ($method, @got) = @_;

    my @gets = grep { /^GET / } @got;
    my @writes = grep { !/^GET / } @got;
    my @wrong = grep { $_ ne '' } map { body_of($_, 'GET') } @gets;

    return "a GET: $wrong[0]" if @wrong;
    return scalar(@writes) . ' writes' unless @writes == 1;

    return body_of($writes[0], $method);
}

# one body in each of the ways in which it can be sent

sub framed {
    my ($method, $path, $body, @headers) = @_;

    my $length = 'Content-Length: ' . length $body;
    my $coded = 'Transfer-Encoding: chunked';
    my ($a, $b) = (substr($body, 0, 7), substr($body, 7));
    my $chunk = sub { sprintf "%x%s\r\n%s\r\n", length $_[0], $_[1] // '',
                              $_[0] };

    return (
        'with a length' => [head($method, $path, @headers, $length) . $body],
        'in pieces' => [head($method, $path, @headers, $length), $a, $b],
        'announced' => [head($method, $path, @headers, $length,
                             'Expect: 100-continue'), $body],
        'in chunks' => [head($method, $path, @headers, $coded)
                        . $chunk->($a) . $chunk->($b) . "0\r\n\r\n"],
        'with trailers' => [head($method, $path, @headers, $coded,
                                 'Trailer: X-Sum', 'TE: trailers')
                            . $chunk->($a, ';x="y"') . $chunk->($b)
                            . "0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n"],
    );
}

run_tests();

__DATA__

=== a body that gets longer, shorter, or stays
--- rules
    conflict merge;
    conflict_strip_base on;
    conflict_field /at server;
--- steps
my $json = 'Content-Type: application/json';
my @sums = ('Content-MD5: x', 'Digest: x', 'Content-Digest: x',
            'Repr-Digest: x');
my $n = 0;

for my $size (10, 900 .. 910, 5000) {
    my $pad = 'p' x $size;

    # what the server has besides: nothing, much, and one thing less

    for my $there ('', ',"long":"' . 'x' x 2000 . '"', 'less') {
        my $kind = $there eq 'less' ? 'shorter' : $there ? 'longer' : 'same';
        my $path = '/p' . ++$n;
        my $base = qq({"at":1,"pad":"$pad","gone":"here","n":1);

        api_has("$base}");
        my ($r) = talk(head('GET', $path));
        my $v = version($r);

        # somebody else writes

        ($r) = talk(head('PUT', $path, $json, 'Content-Length: 2') . '{}');

        (my $now = $base) =~ s/,"gone":"here"// if $there eq 'less';
        $now //= $base . $there;
        my $has = "$now}";
        api_has($has);

        my $body = $base;
        $body =~ s/"n":1/"n":2/;
        my %framed = framed('PUT', $path, qq($body,"base_version":$v}), $json,
                            @sums);
        my $how = (sort keys %framed)[$n % 5];

        ($r, my @got) = talk(@{ $framed{$how} });
        my $sent = written('PUT', @got);
        my $want = { %{ json($has) }, n => 2 };

        is($r->{status}, 204, "$kind, $size, $how");
        is_deeply(json($sent), $want, 'what the upstream gets') or diag($sent);
        unlike(join('', grep { /^PUT/ } @got), qr/MD5|Digest/i,
               'without sums of another body');
    }
}


=== each way in which a body can be sent, by each method
--- rules
    conflict version;
--- steps
my $json = 'Content-Type: application/json';

api_has('{"n":1}');

for my $method ('PUT', 'PATCH', 'DELETE') {
    for my $text ('{"n":' . '1' x 20 . '}', '{"n":"' . 'x' x 3000 . '"}') {
        my %framed = framed($method, "/$method", $text, $json,
                            'Content-MD5: x');

        for my $how (sort keys %framed) {
            my ($r, @got) = talk(@{ $framed{$how} });

            is($r->{status}, 204, "$method $how");
            is(written($method, @got), $text, 'the same bytes');
            like($got[-1], qr/^Content-MD5: x\r$/m, 'and their sum');

            # refused: nothing but GETs

            ($r, @got) = talk(map { s/Content-MD5: x/If-Match: "1"/r }
                              @{ $framed{$how} });

            is($r->{status}, 409, 'a stale one');
            is(written($method, @got), '0 writes', 'is a GET without a body');
        }
    }
}

# bodies of reads are handed on; those of locks have no place

for my $method ('GET', 'HEAD') {
    my ($r, @got) = talk(head($method, '/r', 'Content-Length: 5') . '12345');

    is($r->{status}, 200, "$method with a body");
    is(scalar(@got), 1, 'is one request');
    is(body_of($got[0], $method), '12345', 'with it');
}


=== what is in doubt is refused, or is one request for the upstream as well
--- rules
    conflict version;
    conflict_strip_base on;
--- steps
api_has('{"n":1}');

my $inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
my $chunks = "2\r\n{}\r\n0\r\n\r\n";
my $type = "Content-Type: application/json\r\n";
my @doubtful;

for my $line ("Content-Length: 2\r\nTransfer-Encoding: chunked",
              "Transfer-Encoding: chunked\r\nContent-Length: 2",
              "Content-Length: 2\r\nContent-Length: 12",
              "Content-Length: 2\r\nContent-Length: 2",
              'Content-Length: +2', 'Content-Length: 2, 2',
              'Content-Length: -1', 'Content-Length: 0x2',
              'Content-Length: 2 2', 'Content-Length : 2',
              "Content-Length:\r\n 2", "Content-Length: 2\x0b",
              "Content-Length: 99999999999999999999",
              "X: y\rContent-Length: 2", "Content-Length: 2\x00",
              "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
              "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
              'Transfer-Encoding: identity', 'Transfer-Encoding: xchunked',
              'Transfer-Encoding: identity, chunked',
              "Transfer-Encoding: \x0bchunked", 'Transfer-Encoding : chunked',
              "Transfer-Encoding:\r\n chunked", 'Transfer_Encoding: chunked',
              'Content_Length: 2', "X: y\nTransfer-Encoding: chunked")
{
    push @doubtful, ["$line\r\n", "{}$inner"], ["$line\r\n", $chunks . $inner];
}

for my $body ("fffffffffffffffff\r\n{}\r\n0\r\n\r\n", "-2\r\n{}\r\n0\r\n\r\n",
              "2\r\n{}x\r\n0\r\n\r\n", "0x2\r\n{}\r\n0\r\n\r\n",
              "2 \r\n{}\r\n0\r\n\r\n", " 2\r\n{}\r\n0\r\n\r\n",
              "2\n{}\n0\n\n", "2;\r\n{}\r\n0\r\nX: y\r\n\r\n", "\r\n0\r\n\r\n",
              "2\r\n{}\r\n00000000000\r\n\r\n")
{
    push @doubtful, ["Transfer-Encoding: chunked\r\n", $body . $inner];
}

my ($refused, $passed) = (0, 0);

for my $version ('1.1', '1.0') {
    for my $case (@doubtful) {
        my ($line, $rest) = @$case;
        my ($r, @got) = talk("PUT /p HTTP/$version\r\nHost: x\r\n"
                             . "Connection: close\r\n$type$line\r\n$rest");
        my $sent = written('PUT', @got);
        my $what = "$version " . join ' ', $line =~ /([ -~]+)/g;

        if ($r->{status} >= 400) {
            $refused++;
            is($sent, '0 writes', "$what: refused");

        } else {
            $passed++;
            is($sent =~ /\A(\{\})?\z/ ? '' : $sent, '', "$what: one request");
        }

        is(scalar(grep { /smuggled/ } @got), 0, 'and no other');
    }
}

cmp_ok($refused, '>', $passed, 'most of them are refused');
cmp_ok($passed, '>', 0, 'not all');


=== compressed, and not
--- rules
    conflict version;
--- steps
api_has('{"n":1}');

my $json = 'Content-Type: application/json';
my $body = "\x1f\x8b\x08\x00" . "\x00\r\n\xff" x 700;

# a base in a header can be checked, what is in the body cannot

my ($r) = talk(head('GET', '/z'));
my $v = version($r);
my %framed = framed('PUT', '/z', $body, $json, 'Content-Encoding: gzip',
                    'If-Match: *');

for my $how (sort keys %framed) {
    my ($r, @got) = talk(@{ $framed{$how} });

    is($r->{status}, 204, $how);
    is(written('PUT', @got), $body, 'each byte is there');
    like($got[-1], qr/^Content-Encoding: gzip\r$/m, 'under its name');
}

for my $coding ('gzip', 'deflate', 'br', 'zstd', 'x', 'identity, gzip', '') {
    my ($r, @got) = talk(head('PUT', '/z', $json,
                              "Content-Encoding: $coding",
                              'Content-Length: 8') . '{"n": 2}');

    is($r->{status}, 204, "\"$coding\"");
    is($r->{headers}{conflict}[0], 'unchecked', 'a base may be in there');
    is(written('PUT', @got), '{"n": 2}', 'each byte is there');
}
