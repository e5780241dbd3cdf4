# A write from whose body the base was cut, on a connection that breaks before
# its first byte is sent: the base is not in what is sent again.
# On both stores.

BEGIN { push @INC, 't/lib' }
use Conflict;

our $Root;

# writev() fails for every other PUT, first for the one that follows a GET

BEGIN {
    ($Root) = $ENV{TEST_NGINX_SERVROOT} =~ m!^(.*)/!;

    open my $out, '|-', "gcc -shared -fPIC -o $Root/broken.so -xc -" or die;
    print $out <<'END';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
    static unsigned  puts;

    ssize_t  (*next)(int, const struct iovec *, int);

    next = dlsym(RTLD_NEXT, "writev");

    if (n == 0 || iov->iov_len < 4) {
        return next(fd, iov, n);
    }

    if (memcmp(iov->iov_base, "GET ", 4) == 0) {
        puts = 0;

    } else if (memcmp(iov->iov_base, "PUT ", 4) == 0 && puts++ % 2 == 0) {
        errno = ECONNRESET;
        return -1;
    }

    return next(fd, iov, n);
}
END
    close $out or die 'gcc failed';

    open $out, '>', "$Root/nginx" or die;
    print $out "#!/bin/sh\nexport LD_PRELOAD=$Root/broken.so\n"
               . "exec $ENV{TEST_NGINX_BINARY} \"\$@\"\n";
    close $out;
    chmod 0755, "$Root/nginx";

    $ENV{TEST_NGINX_BINARY} = "$Root/nginx";
}

use Test::Nginx::Socket 'no_plan';

Conflict::install('Test::Nginx::Socket');

add_block_preprocessor(sub {
    my $block = shift;

    my $api = "server 127.0.0.1:$ENV{TEST_NGINX_UPSTREAM_PORT} max_fails=0;";

    $block->set_value('http_config', "upstream twice { $api $api }");
    $block->set_value('config', <<'END');
        client_body_buffer_size 1k;
        location / {
            conflict version;
            conflict_strip_base on;
            proxy_pass http://twice;
        }
        location /after/ {
            conflict version;
            conflict_strip_base on;
            proxy_pass http://twice/plain/;
            post_action @after;
        }
        location @after {
            proxy_pass http://twice;
        }
END
});

# a document with its base at one of three places, and without it

sub document {
    my ($v, $place) = @_;

    my @members = ('"a":"' . 'x' x 2000 . '"', '"b":"' . 'y' x 2000 . '"');
    my $without = '{' . join(',', @members) . '}';

    splice @members, $place, 0, qq("base_version":$v);

    return ('{' . join(',', @members) . '}', $without);
}

# each attempt that has failed

sub broken { log_count(qr/writev\(\) failed \(104: /) }

run_tests();

__DATA__

=== a body in memory is sent again
--- steps
for my $place (0, 1, 2) {
    set_doc('/plain/1', { n => 0 });

    my ($body, $without) = document(version(GET('/plain/1')), $place);

    is(http('PUT', '/plain/1', body => $body)->{status}, 204, 'a write');
    is(broken(), $place + 1, 'of which one attempt has failed');

    my @writes = journal();

    is(scalar(@writes), $place + 1, 'has arrived once');
    is($writes[-1]{body}, $without, 'without its base');
}


=== a body in a file is not
--- steps
for my $place (0, 1, 2) {
    set_doc('/plain/1', { n => 0 });

    my ($body) = document(version(GET('/plain/1')), $place);

    is(http('PUT', '/plain/1', body => $body, chunked => 1000)->{status}, 502,
       'a write has failed');
    is(broken(), $place + 1, 'in its only attempt');
    is(scalar(journal()), 0, 'and has not arrived');
}


=== a post_action sends the original again
--- steps
for my $place (0, 1, 2) {
    set_doc('/plain/1', { n => 0 });

    my ($body, $without) = document(version(GET('/after/1')), $place);

    is(http('PUT', '/after/1', body => $body)->{status}, 204, 'a write');

    my @writes;

    until_true {
        @writes = grep { $_->{method} eq 'PUT' } seen();
        @writes == 2 * ($place + 1);
    };

    is(broken(), 2 * ($place + 1), 'for each an attempt has failed');
    is($writes[-2]{body}, $without, 'the write is without its base');
    is($writes[-1]{body}, $body, 'the original is as it came');
}
