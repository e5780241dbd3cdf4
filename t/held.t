# Bodies of writes, held in memory or in a file: both arrive as they were sent,
# whatever is cut from them, and are the bases of later merges.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

# bodies that nginx has put in a file

sub in_files { log_count(qr/request body is buffered to a temporary file/) }

# a document of about so many bytes, with its base at one of three places

sub document {
    my ($size, $v, $place, $n) = @_;

    my @members = (qq("n":$n), '"a":"' . 'x' x ($size / 2) . '"',
                   '"b":"' . 'y' x ($size / 2) . '"');

    my $without = '{' . join(',', @members) . '}';

    splice @members, $place, 0, qq("base_version":$v);

    return ('{' . join(',', @members) . '}', $without);
}

# what has arrived at the upstream

sub arrived { upstream('/_doc?path=' . shift) }

sub begin {
    my ($path, $length) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port(),
                                  Proto => 'tcp') or die "cannot connect: $!";

    print $s "PUT $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
             . "Content-Type: application/json\r\n"
             . "Content-Length: $length\r\n\r\n";
    $s->flush;

    return { socket => $s, method => 'PUT' };
}

sub more {
    my ($w, $data) = @_;

    my $s = $w->{socket};

    print $s $data;
    $s->flush;
}

run_tests();

__DATA__

=== what is sent arrives, without its base
--- config
    client_body_buffer_size 1k;
    location / {
        conflict version;
        conflict_strip_base on;
        proxy_pass http://api;
    }
    location /lm/ {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
for my $path ('/plain/1', '/lm/1') {
    set_doc($path, { n => 1 });

    my $v = version(GET($path));
    my $bad = 0;

    for my $size (900 .. 930, 1020 .. 1030, 2200, 9000, 70000, 1048000) {

        for my $place (0, 1, 2, 3) {
            my ($body, $without) = document($size, $v, $place, 1);
            my $r = http('PUT', $path, body => $body);

            $v = version($r);
            $bad++ unless $r->{status} == 204
                          && arrived($path) eq $without;
        }
    }

    is($bad, 0, "$path: in memory");
}

is(in_files(), 0, 'all of it');

my $v = version(GET('/plain/1'));
my ($body, $without) = document(70000, $v, 2, 1);

is(http('PUT', '/plain/1', body => $body, chunked => 20000)->{status}, 204,
   'a body without a length');
is(arrived('/plain/1'), $without, 'arrives as well');
is(in_files(), 1, 'through a file');


=== it comes in pieces
--- config
    client_body_buffer_size 1k;
    location / {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
set_doc('/lm/1', { n => 1 });

my $v = version(GET('/lm/1'));
my ($body, $without) = document(50000, $v, 1, 1);
my $w = begin('/lm/1', length $body);

for my $size (1, 20, 900, 4000, 1, 1024, 30000) {
    more($w, substr $body, 0, $size, '');
    GET('/lm/1');
}

more($w, $body);

is(finish($w)->{status}, 204, 'a write');
is(arrived('/lm/1'), $without, 'as it was sent');
is(in_files(), 0, 'in memory');

# a client that goes away in the midst of it

$w = begin('/lm/1', 500000);
more($w, '{"n":1,' . ' ' x 100000);
close $w->{socket};

is(PUT('/lm/1', { n => 2, base_version => version(GET('/lm/1')) })->{status},
   204, 'the next one');


=== a worker holds 16 MB
--- config
    client_body_buffer_size 1k;
    location / {
        conflict version;
        proxy_pass http://api;
    }
--- steps
my (@writes, @without);

for my $i (0 .. 17) {
    set_doc("/plain/$i", { n => 1 });

    my ($body, $without) = document(1000000, version(GET("/plain/$i")), 1, $i);

    push @writes, begin("/plain/$i", length $body);
    push @without, $without;

    more($writes[-1], substr $body, 0, 50000, '');
    $writes[-1]{rest} = $body;
}

# the first part of each was read

GET("/plain/$_") for 0 .. 17;

my $bad = 0;

for my $i (0 .. 17) {
    more($writes[$i], $writes[$i]{rest});
    $bad++ unless finish($writes[$i])->{status} == 204
                  && arrived("/plain/$i") =~ /\A\{"n":$i,"a":"x+",
                                            ("base_version":\d+,)?
                                            "b":"y+"\}\z/x;
}

is($bad, 0, 'all arrive');
is(in_files(), 2, 'two through a file');

my ($body) = document(1000000, version(GET('/plain/1')), 1, 1);

is(http('PUT', '/plain/1', body => $body)->{status}, 204, 'later');
is(in_files(), 2, 'there is room again');


=== a base of a merge
--- config
    client_body_buffer_size 1k;
    location / {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
set_doc('/lm/1', { n => 1 });

my $v = version(GET('/lm/1'));

for my $place (0, 1, 2, 3) {
    my ($body) = document(70000, $v, $place, 1);
    my $r = http('PUT', '/lm/1', body => $body);
    my $base = version($r);

    is($r->{status}, 204, 'a large document');

    (undef, my $server) = document(70000, $base, 0, 2);
    $r = http('PUT', '/lm/1', body => $server,
              headers => [qq(If-Match: "$base")]);
    is($r->{status}, 204, 'one member is changed');

    ($body) = document(70000, $base, $place, 1);
    $body =~ s/y\"/z"/;
    $r = http('PUT', '/lm/1', body => $body);

    is($r->{status}, 204, 'another one on the same base');
    like(header($r, 'Conflict'), qr/^merged;/, 'is merged');

    $server =~ s/y\"/z"/;
    ok(arrived('/lm/1') eq $server, 'with what was sent');

    $v = version($r);
}


=== it is restored for a fallback
--- http_config
    map $request_method $dead { PUT 1; default $TEST_NGINX_UPSTREAM_PORT; }
--- config
    client_body_buffer_size 1k;
    location / {
        conflict version;
        conflict_strip_base on;
        error_page 502 = @fallback;
        proxy_pass http://127.0.0.1:$dead;
    }
    location @fallback {
        proxy_pass http://api;
    }
--- steps
for my $place (0, 1, 2, 3) {
    my @arrived;

    for my $chunked (0, 20000) {
        set_doc('/plain/1', { n => $place });

        my ($body) = document(70000, version(GET('/plain/1')), $place, 1);

        http('PUT', '/plain/1', body => $body, chunked => $chunked);

        my $arrived = arrived('/plain/1');
        $arrived =~ s/("base_version":)\d+/$1/;
        push @arrived, $arrived;
    }

    cmp_ok(length $arrived[0], '>', 70000, 'the body');
    ok($arrived[0] eq $arrived[1], 'as through a file');
}


=== HTTP/2
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2 http2;
        client_body_buffer_size 1k;
        location / {
            conflict merge;
            proxy_pass http://api;
        }
    }
--- config
    location / {
        conflict merge;
        proxy_pass http://api;
    }
--- steps
my $file = servroot() . '/html/body';

my $put = sub {
    open my $out, '>', $file or die "$file: $!";
    print $out $_[0];
    close $out;

    return scalar `curl -s -i --http2-prior-knowledge -T $file \\
                   -H 'Content-Type: application/json' \\
                   http://127.0.0.1:$ENV{TEST_NGINX_PORT2}/lm/1`;
};

my $bad = 0;
my ($v) = $put->('{"n":1}') =~ /^etag: "(.*)"\r$/m;

for my $place (0, 1, 2, 3) {
    my ($body, $without) = document(200000, $v, $place, 1);

    ($v) = $put->($body) =~ /^etag: "(.*)"\r$/m;
    $bad++ unless $v && arrived('/lm/1') eq $without;
}

is($bad, 0, 'what is sent arrives');
is(in_files(), 0, 'in memory');
