
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The load generator of the benchmark: keepalive connections that stay open
 * from one run to the next, each of which writes its own document with the
 * last version that it received, or reads one.  A run is a line on standard
 * input, its result a line on standard output.  It ends with the last response.
 */


/*
 * Without a rate a connection sends its next request when it has its response.
 * With one, requests become due at fixed times, and a connection that is idle
 * takes the next; their time runs from when they were due, also while all
 * connections are busy.
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
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>


#define MAX_CONNECTIONS  8192
#define MAX_EVENTS       512
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
    char       head[512];
    size_t     head_len;
    size_t     sent;            /* of head and body together */
    char       in[4096];        /* a response header */
    size_t     in_len;
    size_t     skip;            /* of a body that is ignored */
    int        chunked;         /* it is, until its last chunk */
    char       tail[6];         /* the last bytes of it */
    double     start;
} connection_t;


static const char    *kind;
static int            merge;    /* base versions are one behind */
static size_t         size;
static long           count, at, last;
static char          *body;
static size_t         body_len;
static connection_t   connections[MAX_CONNECTIONS];
static connection_t  *idle[MAX_CONNECTIONS];      /* a ring */
static int            first, idles, total;
static double         samples[MAX_SAMPLES];
static long           requests, bad, reported;
static int            ep, timer;

/* of a run: its end; between two requests and when the next is due */
static double         end, interval, due;


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
 * has changed the other: the server's value is merged into it.  The first is
 * based on none.
 */

static void
change(connection_t *c)
{
    int   k;
    long  base[2];

    k = (int) (c->n % 2);

    memcpy(base, c->doc[c->n > 1], sizeof(base));

    if (c->began) {
        memcpy(c->doc[1], c->doc[0], sizeof(base));

        base[k] = ++c->n;
        c->doc[0][k] = c->n;
    }

    c->head_len = (size_t) sprintf(c->head,
                      "PUT /doc/%zu-%d-m.json HTTP/1.1\r\nHost: x\r\n"
                      "Content-Type: application/json\r\n"
                      "Content-Length: %zu\r\n\r\n"
                      "{\"%s_version\":%s,\"n\":%ld,\"m\":%ld,\"text\":\"",
                      size, c->id, size, c->began ? "base" : "last", c->before,
                      1000000000 + base[0], 1000000000 + base[1]);
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

    } else if (strcmp(kind, "list") == 0) {
        c->head_len = (size_t) sprintf(c->head,
                          "GET /doc/list.json HTTP/1.1\r\nHost: x\r\n\r\n");

    } else if (strcmp(kind, "many") == 0) {
        k = count ? random() % count : at++;
        c->head_len = (size_t) sprintf(c->head,
                          "PUT /many/%ld HTTP/1.1\r\nHost: x\r\n"
                          "Content-Length: 0\r\n\r\n", k);

    } else if (merge) {
        change(c);

    } else {
        /* the first write is based on none */
        c->head_len = (size_t) sprintf(c->head,
                          "PUT /doc/%zu-%d.json HTTP/1.1\r\nHost: x\r\n"
                          "Content-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n"
                          "{\"%s_version\":%s,\"n\":%ld,\"text\":\"",
                          size, c->id, size, c->began ? "base" : "last",
                          c->version, 1000000000 + c->n++);
    }
}


static size_t
length_of(connection_t *c)
{
    return c->head_len
           + (merge || strcmp(kind, "put") == 0 ? body_len : 0);
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


/* the end of a response header: its status and version */

static void
parse(connection_t *c, char *head)
{
    char  *p;

    if (c->began && c->in[9] != '2' && bad++ == 0 && !reported++) {
        fprintf(stderr, "%s %d: %.*s\n", kind, c->id, (int) (head - c->in),
                c->in);
    }

    p = strstr(c->in, "\r\nConflict: ");
    p = (p && p < head) ? strstr(p, ";version=") : NULL;

    memcpy(c->before, c->version, DIGITS);

    if (p) {
        memcpy(c->version, p + 9, DIGITS);

        if (!c->began) {
            memcpy(c->before, c->version, DIGITS);
        }

    } else if (c->in[9] == '2') {
        /* each version is new, whatever the proxy */
        snprintf(c->version, sizeof(c->version), "%013llu",
                 (strtoull(c->version, NULL, 10) + 1) % 10000000000000);
    }
}


/* 1: the last chunk of a body has been read, as there are no trailers */

static int
chunks(connection_t *c, const char *data, size_t n)
{
    size_t  i;

    for (i = (n > 5) ? n - 5 : 0; i < n; i++) {
        memmove(c->tail, c->tail + 1, 4);
        c->tail[4] = data[i];
    }

    c->chunked = (strcmp(c->tail, "0\r\n\r\n") != 0);

    return !c->chunked;
}


/* 1: a response is complete; then there is nothing more to read */

static int
pull(connection_t *c)
{
    char         *head, *p;
    size_t        length;
    ssize_t       n;
    static char   ignored[65536];

    for ( ;; ) {
        n = (c->skip || c->chunked)
                    ? read(c->fd, ignored, sizeof(ignored))
                    : read(c->fd, c->in + c->in_len,
                           sizeof(c->in) - 1 - c->in_len);

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

        if (c->chunked) {

            if (chunks(c, ignored, (size_t) n)) {
                return 1;
            }

            continue;
        }

        if (c->skip) {
            c->skip -= (size_t) n;

            if (c->skip == 0) {
                return 1;
            }

            continue;
        }

        c->in_len += (size_t) n;
        c->in[c->in_len] = '\0';

        head = strstr(c->in, "\r\n\r\n");

        if (head == NULL) {
            continue;
        }

        p = strstr(c->in, "Content-Length: ");
        length = (p && p < head) ? strtoul(p + 16, NULL, 10) : 0;

        parse(c, head);

        p = strstr(c->in, "Transfer-Encoding: chunked");

        if (p && p < head) {
            length = c->in_len - (size_t) (head + 4 - c->in);
            c->in_len = 0;

            memcpy(c->tail, "     ", 6);
            c->chunked = 1;

            if (chunks(c, head + 4, length)) {
                return 1;
            }

            continue;
        }

        c->skip = length - (c->in_len - (size_t) (head + 4 - c->in));
        c->in_len = 0;

        if (c->skip == 0) {
            return 1;
        }
    }
}


static void
ask(connection_t *c, double start)
{
    prepare(c);
    c->start = start;
    push(c);
}


/* sends what is due, and sets the timer for the next */

static void
dispatch(void)
{
    connection_t       *c;
    struct itimerspec   t;

    while (idles && due < end && due <= now()) {
        c = idle[first];
        first = (first + 1) % MAX_CONNECTIONS;
        idles--;
        ask(c, due);
        due += interval;
    }

    memset(&t, 0, sizeof(t));

    if (idles && due < end) {
        t.it_value.tv_sec = (time_t) due;
        t.it_value.tv_nsec = (long) ((due - (double) (time_t) due) * 1e9);
    }

    timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL);
}


static void
answered(connection_t *c)
{
    double  t;

    t = now();

    if (c->began) {
        samples[requests++ % MAX_SAMPLES] = t - c->start;
    }

    if (c->began && interval == 0 && t < end && !(last && at >= last)) {
        ask(c, t);
        return;
    }

    c->began = 1;
    idle[(first + idles++) % MAX_CONNECTIONS] = c;
}


/* until all connections are idle and nothing is due any more */

static void
serve(void)
{
    int                 i, n;
    char                ticks[8];
    connection_t       *c;
    struct epoll_event  events[MAX_EVENTS];

    while (idles < total || (interval && due < end)) {

        if (now() > end + 30) {
            fprintf(stderr, "no answer\n");
            exit(1);
        }

        n = epoll_wait(ep, events, MAX_EVENTS, 100);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c == NULL) {
                (void) !read(timer, ticks, sizeof(ticks));
                continue;
            }

            push(c);

            if (events[i].events & EPOLLIN && pull(c)) {
                answered(c);
            }
        }

        if (interval) {
            dispatch();
        }
    }
}


static int
compare(const void *a, const void *b)
{
    double  x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


static double
quantile(int thousandths)
{
    long  n;

    n = requests < MAX_SAMPLES ? requests : MAX_SAMPLES;

    return n ? samples[n * thousandths / 1000] * 1000 : 0.0;
}


/* one run, of "seconds" with "rate" requests a second; 0: without a rate */

static void
run(double seconds, double rate)
{
    int     i, n;
    double  begin, t;

    requests = 0;
    bad = 0;
    begin = now();
    end = begin + seconds;

    if (rate > 0) {
        interval = 1 / rate;
        due = begin;
        dispatch();

    } else {
        interval = 0;

        for (i = idles, idles = 0; i > 0; i--) {
            ask(&connections[i - 1], now());
        }
    }

    serve();

    t = now() - begin;
    n = requests < MAX_SAMPLES ? (int) requests : MAX_SAMPLES;
    qsort(samples, (size_t) n, sizeof(double), compare);

    printf("%ld %f %f %f %ld %ld\n", requests, t, quantile(500),
           quantile(990), bad, at);
    fflush(stdout);
}


static void
open_connections(int n, struct sockaddr_in *sin)
{
    int                 i, on;
    connection_t       *c;
    struct epoll_event  ev;

    for (i = 0; i < n; i++) {
        c = &connections[i];
        c->id = (int) at + i;
        strcpy(c->version, "1000000000001");
        strcpy(c->before, c->version);
        c->fd = socket(AF_INET, SOCK_STREAM, 0);

        if (connect(c->fd, (struct sockaddr *) sin, sizeof(*sin)) == -1) {
            fail("connect");
        }

        on = 1;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        fcntl(c->fd, F_SETFL, O_NONBLOCK);

        ev.events = EPOLLIN|EPOLLOUT|EPOLLET;
        ev.data.ptr = c;

        if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) == -1) {
            fail("epoll_ctl");
        }

        ask(c, now());
    }
}


int
main(int argc, char **argv)
{
    char                line[64];
    double              seconds, rate;
    struct rlimit       files;
    struct sockaddr_in  sin;
    struct epoll_event  ev;

    if (argc < 5) {
        fprintf(stderr, "load PORT CONNECTIONS put SIZE [FIRST] | "
                        "merge SIZE [FIRST] | get 0 | list 0 | "
                        "many COUNT [FIRST [LAST]]\n"
                        "then a line \"SECONDS RATE\" for each run\n");
        return 2;
    }

    total = atoi(argv[2]);
    kind = argv[3];
    merge = (strcmp(kind, "merge") == 0);
    size = strtoul(argv[4], NULL, 10);
    count = (long) size;
    at = argc > 5 ? atol(argv[5]) : 0;
    last = argc > 6 ? atol(argv[6]) : 0;

    if (total > MAX_CONNECTIONS) {
        fprintf(stderr, "at most %d connections\n", MAX_CONNECTIONS);
        return 2;
    }

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    /* timers are to be on time */
    prctl(PR_SET_TIMERSLACK, 1000UL);

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
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

    ev.events = EPOLLIN;
    ev.data.ptr = NULL;
    epoll_ctl(ep, EPOLL_CTL_ADD, timer, &ev);

    end = now() + 10;
    open_connections(total, &sin);
    serve();

    while (fgets(line, sizeof(line), stdin)) {
        rate = 0;

        if (sscanf(line, "%lf %lf", &seconds, &rate) < 1) {
            return 2;
        }

        run(seconds, rate);
    }

    return 0;
}
