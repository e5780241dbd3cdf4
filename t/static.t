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
