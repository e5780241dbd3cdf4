
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Runs hiredis on nginx's events.  hiredis reads 16 KB per event and never
 * loops, so both events are level-triggered; writes are collected until the
 * end of the current event.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define ngx_http_conflict_redis_event_connection(data)                        \
    (((ngx_http_conflict_redis_connection_t *)                                \
      ((redisAsyncContext *) data)->data)->connection)


static void ngx_http_conflict_redis_event_read_handler(ngx_event_t *ev);
static void ngx_http_conflict_redis_event_write_handler(ngx_event_t *ev);
static void ngx_http_conflict_redis_event_add_read(void *data);
static void ngx_http_conflict_redis_event_del_read(void *data);
static void ngx_http_conflict_redis_event_add_write(void *data);
static void ngx_http_conflict_redis_event_del_write(void *data);
static void ngx_http_conflict_redis_event_cleanup(void *data);


ngx_int_t
ngx_http_conflict_redis_event_attach(ngx_http_conflict_redis_connection_t *conn)
{
    ngx_connection_t   *c;
    redisAsyncContext  *ac;

    ac = conn->ac;

    c = ngx_get_connection(ac->c.fd, conn->client->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = conn;
    c->log = conn->client->log;
    c->log_error = NGX_ERROR_ERR;

    c->read->log = c->log;
    c->read->handler = ngx_http_conflict_redis_event_read_handler;

    c->write->log = c->log;
    c->write->handler = ngx_http_conflict_redis_event_write_handler;

    conn->connection = c;

    ngx_http_conflict_redis_push_guard_install(ac);

    ac->data = conn;
    ac->ev.data = ac;
    ac->ev.addRead = ngx_http_conflict_redis_event_add_read;
    ac->ev.delRead = ngx_http_conflict_redis_event_del_read;
    ac->ev.addWrite = ngx_http_conflict_redis_event_add_write;
    ac->ev.delWrite = ngx_http_conflict_redis_event_del_write;
    ac->ev.cleanup = ngx_http_conflict_redis_event_cleanup;

    return NGX_OK;
}


static void
ngx_http_conflict_redis_event_read_handler(ngx_event_t *ev)
{
    ngx_connection_t                      *c;
    ngx_http_conflict_redis_connection_t  *conn;

    c = ev->data;
    conn = c->data;

    do {
        if (conn->ssl) {
            ngx_http_conflict_redis_tls_clear();
        }

        /* this may free the context, and "c" with it */
        redisAsyncHandleRead(conn->ac);

    } while (conn->ssl && ngx_http_conflict_redis_tls_pending(conn));
}


static void
ngx_http_conflict_redis_event_write_handler(ngx_event_t *ev)
{
    ngx_connection_t                      *c;
    ngx_http_conflict_redis_connection_t  *conn;

    c = ev->data;
    conn = c->data;

    ngx_http_conflict_redis_event_write(conn);
}


void
ngx_http_conflict_redis_event_write(ngx_http_conflict_redis_connection_t *conn)
{
    conn->writing = 1;

    if (conn->ssl) {
        ngx_http_conflict_redis_tls_clear();
    }

    redisAsyncHandleWrite(conn->ac);

    conn->writing = 0;
}


void
ngx_http_conflict_redis_event_push(ngx_http_conflict_redis_connection_t *conn)
{
    int  done;

    if (conn->state != NGX_HTTP_CONFLICT_REDIS_READY || conn->closing) {
        return;
    }

    if (conn->ssl) {
        ngx_http_conflict_redis_tls_clear();
    }

    (void) redisBufferWrite(&conn->ac->c, &done);
}


static void
ngx_http_conflict_redis_event_add_read(void *data)
{
    ngx_event_t  *rev;

    rev = ngx_http_conflict_redis_event_connection(data)->read;

    if (!rev->active) {
        (void) ngx_add_event(rev, NGX_READ_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_http_conflict_redis_event_del_read(void *data)
{
    ngx_event_t  *rev;

    rev = ngx_http_conflict_redis_event_connection(data)->read;

    if (rev->active) {
        (void) ngx_del_event(rev, NGX_READ_EVENT, 0);
    }
}


static void
ngx_http_conflict_redis_event_add_write(void *data)
{
    ngx_event_t                           *wev;
    ngx_http_conflict_redis_connection_t  *conn;

    conn = ((redisAsyncContext *) data)->data;
    wev = conn->connection->write;

    if (wev->active) {
        return;
    }

    if (conn->state >= NGX_HTTP_CONFLICT_REDIS_HANDSHAKE && !conn->writing) {
        ngx_post_event(&conn->flush, &ngx_posted_events);
        return;
    }

    (void) ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
}


static void
ngx_http_conflict_redis_event_del_write(void *data)
{
    ngx_event_t  *wev;

    wev = ngx_http_conflict_redis_event_connection(data)->write;

    if (wev->active) {
        (void) ngx_del_event(wev, NGX_WRITE_EVENT, 0);
    }
}


/* closes the descriptor in place of hiredis */

static void
ngx_http_conflict_redis_event_cleanup(void *data)
{
    redisAsyncContext *ac = data;

    ngx_http_conflict_redis_connection_t  *conn;

    conn = ac->data;

    if (conn->flush.posted) {
        ngx_delete_posted_event(&conn->flush);
    }

    if (conn->ssl) {
        ngx_http_conflict_redis_tls_lost(conn, ac);
    }

    ngx_close_connection(conn->connection);

    conn->connection = NULL;
    ac->c.fd = -1;
}
