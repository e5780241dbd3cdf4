# What a worker writes, in order: a settle is in the socket to Redis before the
# client gets the response to its write, and all settles of an iteration of the
# event loop are one system call.
#
# Needs: redis-server

BEGIN { push @INC, 't/lib'; $ENV{TEST_CONFLICT_STORE} = 'redis' }
use Conflict;

our $Root;

# notes the beginning of what is written to Redis, the API and clients

BEGIN {
    ($Root) = $ENV{TEST_NGINX_SERVROOT} =~ m!^(.*)/!;

    open my $out, '|-', "gcc -shared -fPIC -o $Root/order.so -xc -" or die;
    print $out <<'END';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t  (*next_write)(int, const void *, size_t);
static ssize_t  (*next_send)(int, const void *, size_t, int);
static ssize_t  (*next_writev)(int, const struct iovec *, int);
static int        out = -1;

static void
note(const void *data, size_t len)
{
    char        line[2] = "?\n";
    const char  *p, *next, *last;

    if (next_write == NULL) {
        next_write = dlsym(RTLD_NEXT, "write");
    }

    if (out == -1) {
        out = open(getenv("ORDER"), O_WRONLY|O_APPEND|O_CREAT|O_CLOEXEC, 0666);
    }

    /* an upper-case letter for the call, a lower-case one for each script */

    if (len > 3 && memcmp(data, "*", 1) == 0) {
        line[0] = 'R';
        (void) next_write(out, line, 1);

        last = (const char *) data + len;

        for (p = data; (p = memmem(p, last - p, "EVALSHA", 7)); p = next) {
            next = memmem(p + 7, last - p - 7, "EVALSHA", 7);
            next = next ? next : last;

            /* the verb of a commit, or the flags of the entry that it leaves */

            line[0] = memmem(p, next - p, "\r\ncommit\r\n", 10)
                      || memmem(p, next - p, "11000010 - ", 11) ? 'c' : 'b';
            (void) next_write(out, line, 1);
        }

    } else if (len > 3 && memcmp(data, "PUT", 3) == 0) {
        line[0] = 'U';
        (void) next_write(out, line, 1);

    } else if (len > 12 && memcmp(data, "HTTP/1.1 204", 12) == 0) {
        line[0] = 'C';
        (void) next_write(out, line, 1);
    }
}

ssize_t
write(int fd, const void *data, size_t len)
{
    note(data, len);
    return next_write(fd, data, len);
}

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
    note(data, len);
    next_send = dlsym(RTLD_NEXT, "send");
    return next_send(fd, data, len, flags);
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
    if (n) {
        note(iov->iov_base, iov->iov_len);
    }

    next_writev = dlsym(RTLD_NEXT, "writev");
    return next_writev(fd, iov, n);
}
END
    close $out or die 'gcc failed';

    open $out, '>', "$Root/nginx" or die;
    print $out "#!/bin/sh\nexport LD_PRELOAD=$Root/order.so\n"
               . "exec $ENV{TEST_NGINX_BINARY} \"\$@\"\n";
    close $out;
    chmod 0755, "$Root/nginx";

    $ENV{TEST_NGINX_BINARY} = "$Root/nginx";
    $ENV{ORDER} = "$Root/order";
}

use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');
master_on();
workers(1);

# nginx keeps this variable for its workers

sub order { slurp($ENV{ORDER}) }

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('main_config', 'env ORDER;');
    $block->set_value('config', <<'END');
        location / {
            conflict version;
            proxy_pass http://api;
        }
        location /rate/ {
            conflict version;
            limit_rate 100k;
            proxy_pass http://api/plain/;
        }
END
});

run_tests();

__DATA__

=== one write after the other
--- steps
for my $path ('/plain/1', '/rate/2') {
    set_doc($path =~ s!^/\w+!/plain!r, { n => 0 });
    my $v = version(PUT($path, { n => 1 }));

    for my $n (1 .. 5) {
        truncate $ENV{ORDER}, 0;

        my $r = PUT($path, { n => $n, base_version => $v });
        is($r->{status}, 204, 'a write');
        is(order(), 'RbURcC', "$path: begin, the API, commit, response");
        $v = version($r);
    }
}


=== many that end at the same time
--- steps
my %v;

for my $n (1 .. 8) {
    set_doc("/plain/$n", { n => 0 });
    $v{$n} = version(PUT("/plain/$n", { n => 1 }));
}

my $before = journal();
my @writes = map { start('PUT', "/plain/$_",
                         body => { n => 2, base_version => $v{$_} },
                         headers => ['X-Up-Write: hold apply']) } 1 .. 8;
begun($before + 8);
truncate $ENV{ORDER}, 0;

my @workers = workers_of(master_pid());

kill 'STOP', @workers;
release();
applied($before + 8);

# the upstream has sent all its responses before it answers another request

upstream('/_journal');
kill 'CONT', @workers;

is(finish($_)->{status}, 204, 'a write') for @writes;
is(order(), 'R' . 'c' x 8 . 'C' x 8, 'one call for all commits');
