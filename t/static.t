# Static files of nginx.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;
use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();
workers(1);

# bytes that the worker has read so far

sub bytes_read {
    my ($pid) = workers_of(master_pid());

    return slurp("/proc/$pid/io") =~ /^rchar: (\d+)/m ? $1 : 0;
}

run_tests();

__DATA__

=== a large file is not read to be hashed
--- config
    sendfile on;
    location /files/ {
        conflict version;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- steps
my $file = servroot() . '/html/big';

open my $out, '>', $file or die "$file: $!";
truncate $out, 64 << 20;
close $out;

GET('/files/none');

my $before = bytes_read();
my $r = http('GET', '/files/big', headers => ['Range: bytes=0-0']);

is($r->{status}, 206, 'a part of it');
is(length($r->{body}), 1, 'one byte');
cmp_ok(bytes_read() - $before, '<', 1 << 20, 'not much was read');
unlink $file;


=== nor one that is read around the cache
--- config
    location /files/ {
        conflict version;
        directio 100k;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- steps
my $file = servroot() . '/html/big';

open my $out, '>', $file or die "$file: $!";
print $out 'x' x 500000;
close $out;

my $r = http('GET', '/files/big');

is($r->{status}, 200, 'it is sent');
is(length($r->{body}), 500000, 'whole');
unlink $file;


=== a file that was written is shown as it is, and not as it was kept open
--- config
    open_file_cache max=10 inactive=60s;
    open_file_cache_valid 60s;
    default_type application/json;
    location /files/ {
        conflict version;
        dav_methods PUT DELETE;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /merged/ {
        conflict merge;
        dav_methods PUT;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /led/ {
        conflict version;
        try_files $document_root/none /kept$uri;
        dav_methods PUT;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /kept/led/ {
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
    location /free/ {
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- steps
chmod 0777, servroot() . '/html';

sub put_file {
    my ($name, $text) = @_;

    my $file = servroot() . "/html/$name";

    open my $out, '>', "$file.new" or die "$file: $!";
    print $out $text;
    close $out;
    chmod 0666, "$file.new";
    rename "$file.new", $file or die "$file: $!";
}

for my $dir ('/files', '/led') {
    put_file('a', '{"n":1}');

    for my $n (1, 2) {
        is(GET("/free/a")->{body}, '{"n":1}', 'it is kept open');
        is(GET("$dir/a")->{body}, '{"n":1}', "$dir: shown");
    }

    my $v = version(GET("$dir/a"));

    if ($dir eq '/files') {
        is(PUT("$dir/a", { n => 2, base_version => $v })->{status}, 204,
           'written');

    } else {
        put_file('a', '{"n":2}');
    }

    my $r = GET("$dir/a");

    is($r->{body}, '{"n":2}', 'it is shown as it is');
    is(GET("/free/a")->{body}, '{"n":1}', 'as it is not elsewhere');

    if ($dir eq '/files') {
        cmp_ok(version($r), '>', $v, 'with its version');
        $r = PUT("$dir/a", { n => 3, base_version => $v });
        is($r->{status}, 409, 'a stale write');
        is(json($r)->{server_version}{n}, 2, 'gets the latest one');
    }
}

put_file('m', '{"a":1,"b":1}');

my $v = version(GET('/merged/m'));

is(PUT('/merged/m', { a => 2, b => 1, base_version => $v })->{status}, 204,
   'an edit');
is(PUT('/merged/m', { a => 1, b => 2, base_version => $v })->{status}, 204,
   'and one that is merged');
is_deeply(json(slurp(servroot() . '/html/m')), { a => 2, b => 2 },
          'with what is there');


=== nor behind X-Accel-Redirect, and connections are kept
--- config
    open_file_cache max=10 inactive=60s;
    open_file_cache_valid 60s;
    default_type application/json;
    location /accel/ {
        conflict version;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT2;
    }
    location /files/ {
        internal;
        alias $TEST_NGINX_SERVER_ROOT/html/;
    }
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT2;
        location / {
            add_header X-Accel-Redirect /files/a;
            return 204;
        }
    }
--- steps
my $file = servroot() . '/html/a';

for my $n (1, 2) {
    open my $out, '>', "$file.new" or die "$file: $!";
    print $out "{\"n\":$n}";
    close $out;
    rename "$file.new", $file or die "$file: $!";

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port())
            or die $!;

    for my $i (1 .. 3) {
        print $s "GET /accel/1 HTTP/1.1\r\nHost: localhost\r\n\r\n";

        my $data = '';
        until_true { sysread $s, $data, 4096, length $data;
                     $data =~ /\r\n\r\n.{7}/s };

        like($data, qr/\r\n\r\n\{"n":$n\}\z/, "version $n, request $i");
        like($data, qr/Conflict: passed;version=\d+/, 'has a version');
    }
}
