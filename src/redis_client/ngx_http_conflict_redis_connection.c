
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A connection to a Redis server: opens it, watches it and closes it, and
 * reports to the client through its handlers.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_CONNECT  500    /* msec, shortest timeout */


static void ngx_http_conflict_redis_connection_name(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *host,
    in_port_t port);
static void ngx_http_conflict_redis_connection_connected(
    const redisAsyncContext *ac, int status);
static void ngx_http_conflict_redis_connection_disconnected(
    const redisAsyncContext *ac, int status);
static void ngx_http_conflict_redis_connection_flush(ngx_event_t *ev);
static void ngx_http_conflict_redis_connection_timer(ngx_event_t *ev);
static void ngx_http_conflict_redis_connection_reconnect(ngx_event_t *ev);


ngx_http_conflict_redis_connection_t *
ngx_http_conflict_redis_connection_get(ngx_http_conflict_redis_t *client,
    ngx_str_t *host, in_port_t port)
{
    ngx_uint_t                             i;
    ngx_http_conflict_redis_connection_t  *conn, **conns;

    conns = client->connections.elts;

    for (i = 0; client->conf.cluster && i < client->connections.nelts; i++) {

        if (conns[i]->port == port && conns[i]->host.len == host->len
            && ngx_strncmp(conns[i]->host.data, host->data, host->len) == 0)
        {
            return conns[i];
        }
    }

    if (client->connections.nelts == NGX_HTTP_CONFLICT_REDIS_MAX_CONNECTIONS) {
        return NULL;
    }

    conn = ngx_pcalloc(client->pool,
                       sizeof(ngx_http_conflict_redis_connection_t));
    if (conn == NULL) {
        return NULL;
    }

    conn->fd = (ngx_socket_t) -1;
    conn->client = client;
    conn->handlers = client->handlers;

    ngx_queue_init(&conn->waiting);
    ngx_queue_init(&conn->retrying);
    ngx_rbtree_init(&conn->keys, &conn->keys_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&conn->sent);

    conn->flush.handler = ngx_http_conflict_redis_connection_flush;
    conn->flush.data = conn;
    conn->flush.log = client->log;

    conn->timer.handler = ngx_http_conflict_redis_connection_timer;
    conn->timer.data = conn;
    conn->timer.log = client->log;

    conn->reconnect.handler = ngx_http_conflict_redis_connection_reconnect;
    conn->reconnect.data = conn;
    conn->reconnect.log = client->log;
    conn->reconnect.cancelable = 1;

    conn->host.data = conn->hostname;
    ngx_http_conflict_redis_connection_name(conn, host, port);

    conns = ngx_array_push(&client->connections);
    if (conns == NULL) {
        return NULL;
    }

    *conns = conn;
    conn->index = client->connections.nelts - 1;

    return conn;
}


static void
ngx_http_conflict_redis_connection_name(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *host,
    in_port_t port)
{
    conn->port = port;
    conn->host.len = ngx_min(host->len, NGX_SOCKADDR_STRLEN);
    ngx_memcpy(conn->host.data, host->data, conn->host.len);
    conn->host.data[conn->host.len] = '\0';

    if (port) {
        (void) ngx_snprintf(conn->text, sizeof(conn->text), "%V:%ui%Z",
                            &conn->host, (ngx_uint_t) port);

    } else {
        (void) ngx_snprintf(conn->text, sizeof(conn->text), "unix:%V%Z",
                            &conn->host);
    }
}


void
ngx_http_conflict_redis_connection_connect(
    ngx_http_conflict_redis_connection_t *conn)
{
    if (conn->reconnect.timer_set) {
        ngx_del_timer(&conn->reconnect);
    }

    if (conn->state != NGX_HTTP_CONFLICT_REDIS_DOWN) {
        return;
    }

    conn->state = NGX_HTTP_CONFLICT_REDIS_CONNECTING;

    conn->handlers->connect(conn);
}


void
ngx_http_conflict_redis_connection_open_to(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *host,
    in_port_t port)
{
    ngx_http_conflict_redis_connection_name(conn, host, port);
    ngx_http_conflict_redis_connection_open(conn);
}


void
ngx_http_conflict_redis_connection_open(
    ngx_http_conflict_redis_connection_t *conn)
{
    redisAsyncContext  *ac;

    conn->state = NGX_HTTP_CONFLICT_REDIS_CONNECTING;

    ac = conn->port ? redisAsyncConnect((char *) conn->host.data, conn->port)
                    : redisAsyncConnectUnix((char *) conn->host.data);

    if (ac == NULL) {
        ngx_http_conflict_redis_connection_down(conn, "no memory");
        return;
    }

    if (ac->err) {
        (void) ngx_cpystrn(conn->reason, (u_char *) ac->errstr,
                           sizeof(conn->reason));
        redisAsyncFree(ac);
        ngx_http_conflict_redis_connection_down(conn, NULL);
        return;
    }

    conn->ac = ac;

    if (ngx_http_conflict_redis_event_attach(conn) != NGX_OK) {
        conn->ac = NULL;
        redisAsyncFree(ac);
        ngx_http_conflict_redis_connection_down(conn,
                                                "no free connection, see "
                                                "worker_connections");
        return;
    }

    if (conn->client->conf.tls
        && ngx_http_conflict_redis_tls_start(conn) != NGX_OK)
    {
        (void) ngx_cpystrn(conn->reason, (u_char *) ac->c.errstr,
                           sizeof(conn->reason));
        conn->ac = NULL;
        redisAsyncFree(ac);
        ngx_http_conflict_redis_connection_down(conn, NULL);
        return;
    }

    conn->deadline = ngx_current_msec
                     + ngx_max(conn->client->conf.timeout,
                               NGX_HTTP_CONFLICT_REDIS_CONNECT);
    ngx_http_conflict_redis_connection_watch(conn, conn->deadline);

    /* hiredis starts to wait for the first write event */

    (void) redisAsyncSetDisconnectCallback(ac,
                             ngx_http_conflict_redis_connection_disconnected);
    (void) redisAsyncSetConnectCallback(ac,
                             ngx_http_conflict_redis_connection_connected);
}


static void
ngx_http_conflict_redis_connection_connected(const redisAsyncContext *ac,
    int status)
{
    ngx_http_conflict_redis_connection_t *conn = ac->data;

    if (status != REDIS_OK) {

        if (conn->ssl) {
            /* the TLS handshake may be over before hiredis checks */
            ngx_http_conflict_redis_tls_lost(conn, (redisAsyncContext *) ac);
        }

        /* hiredis frees the context; 0.14 has not set ac->err yet */

        (void) ngx_cpystrn(conn->reason,
                           (u_char *) (ac->c.errstr[0] ? ac->c.errstr
                                                       : "cannot connect"),
                           sizeof(conn->reason));
        conn->ac = NULL;
        ngx_http_conflict_redis_connection_down(conn, NULL);
        return;
    }

    conn->state = NGX_HTTP_CONFLICT_REDIS_HANDSHAKE;

    conn->handlers->on_connected(conn);
}


void
ngx_http_conflict_redis_connection_ready(
    ngx_http_conflict_redis_connection_t *conn)
{
    conn->state = NGX_HTTP_CONFLICT_REDIS_READY;
    conn->checked = ngx_current_msec;

    conn->handlers->on_ready(conn);
}


/* of established connections only; hiredis frees the context */

static void
ngx_http_conflict_redis_connection_disconnected(const redisAsyncContext *ac,
    int status)
{
    ngx_http_conflict_redis_connection_t *conn = ac->data;

    conn->ac = NULL;

    if (conn->client->stopping) {
        return;
    }

    if (!conn->closing) {
        (void) ngx_cpystrn(conn->reason,
                           (u_char *) (ac->c.errstr[0] ? ac->c.errstr
                                                       : "closed"),
                           sizeof(conn->reason));
    }

    ngx_http_conflict_redis_connection_down(conn, NULL);
}


void
ngx_http_conflict_redis_connection_down(
    ngx_http_conflict_redis_connection_t *conn, const char *why)
{
    if (why) {
        (void) ngx_cpystrn(conn->reason, (u_char *) why, sizeof(conn->reason));
    }

    conn->state = NGX_HTTP_CONFLICT_REDIS_DOWN;
    conn->closing = 0;
    conn->failures++;

    conn->handlers->on_down(conn);
}


void
ngx_http_conflict_redis_connection_close(
    ngx_http_conflict_redis_connection_t *conn, u_char *why, size_t len)
{
    if (conn->closing || conn->ac == NULL) {
        return;
    }

    (void) ngx_snprintf(conn->reason, sizeof(conn->reason), "%*s%Z",
                        ngx_min(len, sizeof(conn->reason) - 1), why);
    ngx_http_conflict_redis_log_printable(conn->reason,
                                          ngx_strlen(conn->reason));

    conn->closing = 1;

    ngx_post_event(&conn->flush, &ngx_posted_events);
}


void
ngx_http_conflict_redis_connection_drop(
    ngx_http_conflict_redis_connection_t *conn)
{
    redisAsyncContext  *ac;

    ac = conn->ac;

    if (ac == NULL) {
        return;
    }

    conn->closing = 1;
    conn->state = NGX_HTTP_CONFLICT_REDIS_DOWN;

    redisAsyncFree(ac);

    if (conn->ac) {
        /* it was not established: no callback has run */
        conn->ac = NULL;
        ngx_http_conflict_redis_connection_down(conn, NULL);
    }
}


/* posted: runs at the end of an event that has written or closed something */

static void
ngx_http_conflict_redis_connection_flush(ngx_event_t *ev)
{
    ngx_http_conflict_redis_connection_t *conn = ev->data;

    if (conn->closing) {
        ngx_http_conflict_redis_connection_drop(conn);

    } else if (conn->ac) {
        ngx_http_conflict_redis_event_write(conn);
    }
}


void
ngx_http_conflict_redis_connection_watch(
    ngx_http_conflict_redis_connection_t *conn, ngx_msec_t deadline)
{
    ngx_msec_int_t  left;

    conn->timer.cancelable = 0;

    left = (ngx_msec_int_t) (deadline - ngx_current_msec);
    left = ngx_max(left, 1);

    if (conn->timer.timer_set) {

        if ((ngx_msec_int_t) (conn->timer.timer.key - deadline) <= 0) {
            /* it expires before that, and is then set again */
            return;
        }

        ngx_del_timer(&conn->timer);
    }

    ngx_add_timer(&conn->timer, (ngx_msec_t) left);
}


static void
ngx_http_conflict_redis_connection_timer(ngx_event_t *ev)
{
    ngx_http_conflict_redis_connection_t *conn = ev->data;

    if (conn->ac && conn->state != NGX_HTTP_CONFLICT_REDIS_READY) {

        if ((ngx_msec_int_t) (conn->deadline - ngx_current_msec) <= 0) {
            (void) ngx_cpystrn(conn->reason, (u_char *) "connect timed out",
                               sizeof(conn->reason));
            ngx_http_conflict_redis_connection_drop(conn);

        } else {
            ngx_http_conflict_redis_connection_watch(conn, conn->deadline);
        }
    }

    conn->handlers->on_timer(conn);
}


static void
ngx_http_conflict_redis_connection_reconnect(ngx_event_t *ev)
{
    ngx_http_conflict_redis_connection_t *conn = ev->data;

    ngx_http_conflict_redis_connection_connect(conn);
}
