
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: the Redis client and the store on it, against an arbitrary
 * server: the input is what it sends and does.  Each call ends once, none
 * succeeds without its token; commands are RESP, snapshots are JSON.
 */


#include <jansson.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../lib/inside.h"
#include "redis_client/ngx_http_conflict_redis_connection.h"
#include "store/redis/ngx_http_conflict_redis_codec.h"
#include "status/ngx_http_conflict_status.h"


#define SOCKET       "fuzz-reply.redis"
#define CONNECTIONS  8
#define OPERATIONS   8
#define TOKEN        16


typedef struct {
    redisAsyncContext         *ac;
    redisReader               *reader;     /* of commands */
    int                        fd;         /* the server's end; -1 */
} fuzz_connection_t;


static fuzz_connection_t           connections[CONNECTIONS];
static ngx_http_conflict_redis_t   model, *client;
static ngx_http_conflict_store_t   store;
static ngx_cycle_t                 cycle;
static int                         listening = -1;
static ngx_uint_t                  said;       /* tokens */
static ngx_int_t                   running;    /* calls */


/* connections lead to this process alone */

redisAsyncContext *
redisAsyncConnect(const char *ip, int port)
{
    int                 i;
    ngx_str_t           host;
    redisAsyncContext  *ac;

    host.data = (u_char *) ip;
    host.len = ngx_strlen(ip);

    if (port <= 0 || port > 65535
        || !ngx_http_conflict_redis_address_numeric(&host))
    {
        abort();
    }

    for (i = 0; i < CONNECTIONS; i++) {

        if (connections[i].fd == -1) {
            ac = redisAsyncConnectUnix(SOCKET);
            connections[i].ac = ac;
            connections[i].reader = redisReaderCreate();
            connections[i].fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);

            if (connections[i].fd == -1) {
                abort();
            }

            return ac;
        }
    }

    return NULL;
}


static void
hang_up(fuzz_connection_t *c)
{
    close(c->fd);
    redisReaderFree(c->reader);
    c->fd = -1;
}


static ngx_http_conflict_redis_connection_t *
conn_of(fuzz_connection_t *c)
{
    ngx_uint_t                              i;
    ngx_http_conflict_redis_connection_t  **conn;

    conn = client->connections.elts;

    for (i = 0; c->fd != -1 && i < client->connections.nelts; i++) {

        if (conn[i]->ac == c->ac) {
            return conn[i];
        }
    }

    return NULL;
}


/* reads what was sent: commands must be arrays of strings */

static void
hear(fuzz_connection_t *c)
{
    char         buf[4096];
    void        *command;
    size_t       i;
    ssize_t      n;
    redisReply  *words;

    while ((n = recv(c->fd, buf, sizeof(buf), 0)) > 0) {

        if (redisReaderFeed(c->reader, buf, n) != REDIS_OK) {
            abort();
        }
    }

    for ( ;; ) {

        if (redisReaderGetReply(c->reader, &command) != REDIS_OK) {
            abort();
        }

        if (command == NULL) {
            return;
        }

        words = command;

        if (words->type != REDIS_REPLY_ARRAY || words->elements == 0) {
            abort();
        }

        for (i = 0; i < words->elements; i++) {

            if (words->element[i]->type != REDIS_REPLY_STRING) {
                abort();
            }
        }

        freeReplyObject(command);
    }
}


/* runs posted events; the time does not advance */

static void
turn(void)
{
    int  i, n;

    for (n = 0; n < 3; n++) {
        (void) ngx_process_events((ngx_cycle_t *) ngx_cycle, 0, 0);
        ngx_event_process_posted((ngx_cycle_t *) ngx_cycle,
                                 &ngx_posted_events);

        for (i = 0; i < CONNECTIONS; i++) {

            if (connections[i].fd != -1) {
                hear(&connections[i]);
            }

            if (connections[i].fd != -1 && conn_of(&connections[i]) == NULL) {
                hang_up(&connections[i]);
            }
        }
    }
}


static void
done(ngx_http_conflict_op_t *op)
{
    running--;

    if (running < 0) {
        abort();
    }

    if (op->rc == NGX_OK) {

        if (said == 0) {
            abort();
        }

        if (op->out.leased) {
            op->rc = store.ops->commit(op);
        }
    }

    if (op->request) {
        ngx_http_conflict_op_release(op);
    }
}


static void
reported(ngx_http_conflict_snapshot_t *snapshot)
{
    size_t                      n;
    u_char                     *text, *p;
    json_t                     *tree;
    ngx_chain_t                *cl;
    json_error_t                error;
    ngx_http_conflict_writer_t  out;

    static ngx_http_conflict_status_query_t  query = {
        .limit = 100,
        .since = CONFLICT_TIME_NONE
    };

    running--;

    ngx_memzero(&out, sizeof(out));
    out.pool = snapshot->pool;

    ngx_http_conflict_status_prometheus(&out, &snapshot, 1);

    ngx_memzero(&out, sizeof(out));
    out.pool = snapshot->pool;

    ngx_http_conflict_status_json(&out, &snapshot, 1, &query);

    text = malloc(out.size);
    p = text;

    for (cl = out.first; cl; cl = cl->next) {
        n = cl->buf->last - cl->buf->pos;
        p = ngx_cpymem(p, cl->buf->pos, n);
    }

    tree = json_loadb((char *) text, p - text, JSON_ALLOW_NUL, &error);

    /* jansson cannot represent all JSON */

    if (p - text != out.size
        || (tree == NULL
            && json_error_code(&error) != json_error_numeric_overflow
            && json_error_code(&error) != json_error_null_byte_in_key))
    {
        abort();
    }

    json_decref(tree);
    free(text);

    ngx_http_conflict_snapshot_release(snapshot);
}


static void
ask(u_char what)
{
    ngx_int_t                      rc;
    ngx_str_t                      key;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_snapshot_t  *snapshot;

    static ngx_http_request_t                 request;
    static ngx_http_conflict_snapshot_want_t  want;

    if (running == OPERATIONS) {
        return;
    }

    ngx_str_set(&key, "/a{b}");

    if (what % 8 == 6) {
        want.brief = (what >> 3) & 1;
        want.lines = 100;

        snapshot = ngx_http_conflict_snapshot_create(&store, &want);

        if (snapshot->busy) {
            running++;
            snapshot->done = reported;

        } else {
            ngx_http_conflict_snapshot_release(snapshot);
        }

        return;
    }

    if (what % 8 == 7) {
        (void) store.ops->audit(&store, &key, &key);
        return;
    }

    op = ngx_http_conflict_op_create(NULL, &store, &key, 0);

    /* NULL: the request has ended already */
    op->request = ((what >> 3) & 1) ? NULL : &request;
    op->done = done;
    op->in.lease = 1000;
    op->in.quarantine = 1000;
    op->in.minted = 1;
    op->out.mtime = CONFLICT_TIME_NONE;
    op->in.observed.mtime = CONFLICT_TIME_NONE;
    op->in.pre.kinds = CONFLICT_BASE;
    op->in.policy = CONFLICT_VERSION;
    op->in.fingerprint = 1;
    op->lock.idle = 1000;
    op->lock.quota = 1;

    switch (what % 8) {

    case 0:
        rc = store.ops->begin(op);
        break;

    case 1:
        rc = store.ops->peek(op);
        break;

    case 2:
        rc = store.ops->observe(op);
        break;

    case 3:
        rc = store.ops->recall(op);
        break;

    case 4:
        op->lock.verb = NGX_HTTP_CONFLICT_LOCK_ACQUIRE;
        rc = store.ops->lock(op);
        break;

    default:
        op->lock.verb = NGX_HTTP_CONFLICT_LOCK_RELEASE;
        rc = store.ops->lock(op);
    }

    if (rc == NGX_AGAIN) {
        running++;

        if (op->request == NULL) {
            ngx_http_conflict_op_release(op);
        }

        return;
    }

    if (rc == NGX_OK) {
        abort();
    }

    ngx_http_conflict_op_release(op);
}


static void
begin(u_char how)
{
    ngx_addr_t          *addr;
    struct sockaddr_in  *sin;

    static u_char  tags[NGX_HTTP_CONFLICT_REDIS_SLOTS * sizeof(uint16_t)];

    client = ngx_pcalloc(cycle.pool, sizeof(ngx_http_conflict_redis_t));
    *client = model;
    store.data = client;

    (void) ngx_array_init(&client->connections, cycle.pool, 8,
                          sizeof(ngx_http_conflict_redis_connection_t *));
    (void) ngx_array_init(&client->conf.addrs, cycle.pool, 1,
                          sizeof(ngx_addr_t));

    addr = ngx_array_push(&client->conf.addrs);
    sin = ngx_pcalloc(cycle.pool, sizeof(struct sockaddr_in));
    sin->sin_family = AF_INET;
    sin->sin_port = htons(6379);
    sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr->sockaddr = (struct sockaddr *) sin;
    addr->socklen = sizeof(struct sockaddr_in);

    client->pool = cycle.pool;
    client->slots = (uint16_t *) tags;
    client->refresh.data = client;
    ngx_memzero(tags, sizeof(tags));

    client->conf.cluster = (how % 4 == 1);
    client->conf.wait = (how % 4 == 3);

    if (how % 4 == 2) {
        ngx_str_set(&client->conf.sentinel, "main");
    }

    if (how & 4) {
        ngx_str_set(&client->conf.password, "secret");
        ngx_str_set(&client->conf.db, "1");
    }

    if (ngx_http_conflict_redis_incarnation_init(client) != NGX_OK
        || ngx_http_conflict_redis_client_connect(client) != NGX_OK)
    {
        abort();
    }

    turn();
}


/* remaining calls fail, and nothing is leaked */

static void
end(void)
{
    ngx_uint_t                              i, n;
    ngx_http_conflict_redis_connection_t  **conn;

    /* handlers start new calls */

    for (n = 0; n < 3; n++) {

        for (i = 0; i < client->connections.nelts; i++) {
            conn = client->connections.elts;

            ngx_http_conflict_redis_connection_drop(conn[i]);
            ngx_http_conflict_redis_queue_expire(conn[i], &conn[i]->waiting,
                                                 1, "end");
            ngx_http_conflict_redis_queue_expire(conn[i], &conn[i]->retrying,
                                                 1, "end");
        }
    }

    for (i = 0; i < client->connections.nelts; i++) {
        conn = client->connections.elts;

        if (!ngx_queue_empty(&conn[i]->sent)
            || !ngx_queue_empty(&conn[i]->waiting)
            || !ngx_queue_empty(&conn[i]->retrying) || conn[i]->nretrying)
        {
            abort();
        }

        if (conn[i]->timer.timer_set) {
            ngx_del_timer(&conn[i]->timer);
        }

        if (conn[i]->reconnect.timer_set) {
            ngx_del_timer(&conn[i]->reconnect);
        }

        if (conn[i]->flush.posted) {
            ngx_delete_posted_event(&conn[i]->flush);
        }
    }

    if (client->refresh.timer_set) {
        ngx_del_timer(&client->refresh);
    }

    ngx_http_conflict_redis_incarnation_free(client);

    for (i = 0; i < CONNECTIONS; i++) {

        if (connections[i].fd != -1) {
            hang_up(&connections[i]);
        }
    }

    if (running) {
        abort();
    }

    ngx_destroy_pool(cycle.pool);
}


static void
once(void)
{
    int                 i;
    struct sockaddr_un  sun;

    if (listening != -1) {
        return;
    }

    for (i = 0; i < CONNECTIONS; i++) {
        connections[i].fd = -1;
    }

    (void) unlink(SOCKET);

    ngx_memzero(&sun, sizeof(sun));
    sun.sun_family = AF_UNIX;
    (void) strcpy(sun.sun_path, SOCKET);

    listening = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (bind(listening, (struct sockaddr *) &sun, sizeof(sun)) == -1
        || listen(listening, CONNECTIONS) == -1)
    {
        abort();
    }

    model.fd = -1;
    model.pool = ngx_cycle->pool;
    model.log = ngx_cycle->log;
    ngx_str_set(&model.conf.name, "fuzz");
    ngx_str_set(&model.conf.prefix, "conflict:");
    model.conf.timeout = 100;
    model.conf.ttl = 60000;

    if (ngx_http_conflict_redis_cluster_init(&model) != NGX_OK) {
        abort();
    }

    store.name = model.conf.name;
    store.ops = &ngx_http_conflict_redis_ops;
    store.lease = 1000;
    store.quarantine = 1000;
    store.locks = 1;

    cycle = *ngx_cycle;
}


/* the handshake of a correct server */

static u_char *
greeting(u_char *p)
{
    int  i;

    if (client->conf.password.len) {
        p = ngx_sprintf(p, "+OK\r\n+OK\r\n");
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_REDIS_SCRIPTS; i++) {
        p = ngx_sprintf(p, "$4\r\nabcd\r\n");
    }

    return ngx_sprintf(p, "$70\r\nrun_id:0123456789abcdef\r\n"
                          "master_replid:0123456789abcdef\r\n"
                          "role:master\r\n\r\n");
}


static u_char *
token(u_char *p, ngx_http_conflict_redis_connection_t *conn)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *call;

    for (q = conn ? ngx_queue_head(&conn->sent) : NULL;
         q && q != ngx_queue_sentinel(&conn->sent);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (call->token.len) {
            said++;
            return ngx_cpymem(p, call->token.data, call->token.len);
        }
    }

    return p;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             c;
    u_char         *p, *text;
    const uint8_t  *last;

    if (size == 0) {
        return 0;
    }

    once();

    cycle.pool = ngx_create_pool(16384, ngx_cycle->log);
    said = 0;
    running = 0;
    c = 0;

    begin(*data);

    text = malloc(size * 256);
    p = text;
    last = data + size;

    for (data++; data < last; data++) {

        switch (*data) {

        case '~':
            p = token(p, conn_of(&connections[c]));
            continue;

        case 0x01:
            p = greeting(p);
            continue;

        case 0x02:
            /* the rest is sent on the next connection */
            c = (c + 1) % CONNECTIONS;
            break;

        case 0x03:
            if (connections[c].fd != -1) {
                (void) shutdown(connections[c].fd, SHUT_RDWR);
            }

            break;

        case 0x04:
            ngx_current_msec += 120;
            ngx_event_expire_timers();
            break;

        case 0x05:
            if (data + 1 < last) {
                ask(*++data);
            }

            break;

        case 0x06:
            /* in two pieces */
            break;

        default:
            *p++ = *data;
            continue;
        }

        if (p > text && connections[c].fd != -1) {
            (void) send(connections[c].fd, text, p - text, MSG_NOSIGNAL);
        }

        p = text;
        turn();
    }

    if (p > text && connections[c].fd != -1) {
        (void) send(connections[c].fd, text, p - text, MSG_NOSIGNAL);
    }

    turn();
    end();
    free(text);

    return 0;
}
