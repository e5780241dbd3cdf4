
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The load generator of the benchmark: keepalive connections, each of which
 * writes its own document with the last version that it received, or reads
 * one.  It does as little as possible, so that the proxy dominates the result.
 * When the time is over it waits for outstanding responses, so that no write
 * of this run is in flight in the next one.
 */


#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


#define MAX_CONNECTIONS  256
#define MAX_SAMPLES      (1 << 20)
#define DIGITS           13


typedef struct {
    int        fd;
    int        id;
    int        began;           /* the first response was read */
    char       version[DIGITS + 1];
    char       before[DIGITS + 1];      /* the previous one */
    long       n;
    long       doc[2][2];       /* n and m of this version and of "before" */
    char       head[1024];
    size_t     head_len;
    size_t     sent;            /* of head and body together */
    char       in[65536];
    size_t     in_len;
    size_t     skip;            /* of a body that is ignored */
    double     start;
} connection_t;


static const char   *kind;
static int           merge;         /* base versions are one behind */
static size_t        size;
static long          count, at, last;
static char         *body;
static size_t        body_len;
static connection_t  connections[MAX_CONNECTIONS];
static double        samples[MAX_SAMPLES];
static long          requests, bad;


static double
now(void)
{
    struct timespec  t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}


static void
fail(const char *what)
{
    perror(what);
    exit(1);
}


/*
 * A write on the previous version changes one of two members, and the last one
 * has changed the other: the server's value is merged into it.
 */

static void
change(connection_t *c)
{
    int   k;
    long  base[2];

    k = (int) (c->n % 2);

    memcpy(base, c->doc[c->n > 1], sizeof(base));
    memcpy(c->doc[1], c->doc[0], sizeof(base));

    base[k] = ++c->n;
    c->doc[0][k] = c->n;
    c->head_len = (size_t) sprintf(c->head,
                      "PUT /doc/%zu-%d-m.json HTTP/1.1\r\nHost: x\r\n"
                      "Content-Type: application/json\r\n"
                      "Content-Length: %zu\r\n\r\n"
                      "{\"base_version\":%s,\"n\":%ld,\"m\":%ld,\"text\":\"",
                      size, c->id, size, c->before, 1000000000 + base[0],
                      1000000000 + base[1]);
}


/* the next request of a connection; its body begins with its version */

static void
prepare(connection_t *c)
{
    long  k;

    c->sent = 0;

    if (strcmp(kind, "get") == 0) {
        c->head_len = (size_t) sprintf(c->head,
                          "GET /doc/get.json HTTP/1.1\r\nHost: x\r\n\r\n");

    } else if (strcmp(kind, "many") == 0) {
        k = count ? random() % count : at++;
        c->head_len = (size_t) sprintf(c->head,
                          "PUT /many/%ld HTTP/1.1\r\nHost: x\r\n"
                          "Content-Length: 0\r\n\r\n", k);

    } else if (!c->began) {
        c->head_len = (size_t) sprintf(c->head,
                          "GET /doc/%zu-%d%s.json HTTP/1.1\r\n"
                          "Host: x\r\n\r\n", size, c->id, merge ? "-m" : "");

    } else if (merge) {
        change(c);

    } else {
        c->head_len = (size_t) sprintf(c->head,
                          "PUT /doc/%zu-%d.json HTTP/1.1\r\nHost: x\r\n"
                          "Content-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n"
                          "{\"base_version\":%s,\"n\":%ld,\"text\":\"",
                          size, c->id, size, c->version,
                          1000000000 + c->n++);
    }
}


static size_t
length_of(connection_t *c)
{
    return c->head_len
           + ((c->began && (merge || strcmp(kind, "put") == 0)) ? body_len
                                                                : 0);
}


/* 1: there is more to send */

static int
push(connection_t *c)
{
    int           n;
    ssize_t       rc;
    size_t        off;
    struct iovec  v[2];

    while (c->sent < length_of(c)) {
        n = 0;

        if (c->sent < c->head_len) {
            v[n].iov_base = c->head + c->sent;
            v[n++].iov_len = c->head_len - c->sent;
        }

        off = c->sent > c->head_len ? c->sent - c->head_len : 0;

        if (length_of(c) > c->head_len) {
            v[n].iov_base = body + off;
            v[n++].iov_len = body_len - off;
        }

        rc = writev(c->fd, v, n);

        if (rc < 0) {

            if (errno == EAGAIN) {
                return 1;
            }

            fail("write");
        }

        c->sent += (size_t) rc;
    }

    return 0;
}


/* 1: a response is complete */

static int
pull(connection_t *c)
{
    char    *end, *p;
    size_t   head, length;
    ssize_t  n;

    for ( ;; ) {
        n = read(c->fd, c->in + c->in_len, sizeof(c->in) - 1 - c->in_len);

        if (n == 0) {
            fprintf(stderr, "the connection was closed\n");
            exit(1);
        }

        if (n < 0) {

            if (errno == EAGAIN) {
                return 0;
            }

            fail("read");
        }

        if (c->skip) {
            c->skip -= (size_t) n < c->skip ? (size_t) n : c->skip;

            if (c->skip == 0) {
                return 1;
            }

            continue;
        }

        c->in_len += (size_t) n;
        c->in[c->in_len] = '\0';

        end = strstr(c->in, "\r\n\r\n");

        if (end == NULL) {
            continue;
        }

        head = (size_t) (end - c->in) + 4;

        p = strstr(c->in, "Content-Length: ");
        length = (p && p < end) ? strtoul(p + 16, NULL, 10) : 0;

        if (c->began && c->in[9] != '2') {
            bad++;
        }

        p = strstr(c->in, "\r\nConflict: ");
        p = (p && p < end) ? strstr(p, ";version=") : NULL;

        memcpy(c->before, c->version, DIGITS);

        if (p) {
            memcpy(c->version, p + 9, DIGITS);

            if (!c->began) {
                memcpy(c->before, c->version, DIGITS);
            }

        } else {
            /* each version is new, whatever the proxy */
            snprintf(c->version, sizeof(c->version), "%013llu",
                     (strtoull(c->version, NULL, 10) + 1) % 10000000000000);
        }

        length -= length < c->in_len - head ? length : c->in_len - head;
        c->in_len = 0;

        if (length == 0) {
            return 1;
        }

        c->skip = length;
    }
}


static int
compare(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


int
main(int argc, char **argv)
{
    int                 i, n, ep, on, busy;
    double              begin, end, t;
    connection_t       *c;
    struct sockaddr_in  sin;
    struct epoll_event  ev, events[MAX_CONNECTIONS];

    if (argc < 6) {
        fprintf(stderr, "load PORT CONNECTIONS SECONDS put SIZE | merge SIZE | "
                        "get 0 | many COUNT [FIRST [LAST]]\n");
        return 2;
    }

    n = atoi(argv[2]);
    kind = argv[4];
    merge = (strcmp(kind, "merge") == 0);
    size = strtoul(argv[5], NULL, 10);
    count = (long) size;
    at = argc > 6 ? atol(argv[6]) : 0;
    last = argc > 7 ? atol(argv[7]) : 0;

    /* the rest of the body has the remaining size */

    body_len = size > 80 ? size - (16 + DIGITS + (merge ? 30 : 15) + 9) : 2;
    body = malloc(body_len);
    memset(body, 'x', body_len);
    memcpy(body + body_len - 2, "\"}", 2);

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons((uint16_t) atoi(argv[1]));

    ep = epoll_create1(0);

    begin = now();
    end = begin + atof(argv[3]);

    for (i = 0; i < n; i++) {
        c = &connections[i];
        c->id = i;
        strcpy(c->version, "1000000000001");
        c->fd = socket(AF_INET, SOCK_STREAM, 0);

        if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1) {
            fail("connect");
        }

        on = 1;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        fcntl(c->fd, F_SETFL, O_NONBLOCK);

        ev.events = EPOLLIN|EPOLLOUT|EPOLLET;
        ev.data.ptr = c;
        epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);

        prepare(c);
        c->start = now();
        push(c);
    }

    busy = n;

    while (busy) {

        if (now() > end + 10) {
            fprintf(stderr, "no answer\n");
            return 1;
        }

        n = epoll_wait(ep, events, MAX_CONNECTIONS, 100);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            push(c);

            while (events[i].events & EPOLLIN && pull(c)) {
                t = now();

                if (c->began) {
                    samples[requests++ % MAX_SAMPLES] = t - c->start;
                }

                if (t >= end || (last && at >= last)) {
                    busy--;
                    break;
                }

                c->began = 1;
                prepare(c);
                c->start = t;
                push(c);
            }
        }
    }

    t = now() - begin;
    n = requests < MAX_SAMPLES ? (int) requests : MAX_SAMPLES;
    qsort(samples, (size_t) n, sizeof(double), compare);

    printf("%ld %f %f %ld %ld\n", requests, t,
           n ? samples[n * 99L / 100] * 1000 : 0.0, bad, at);

    return 0;
}
