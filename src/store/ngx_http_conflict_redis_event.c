
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * hiredis on nginx's events.  It reads 16 KB an event and never loops, so
 * both events are level-triggered; writes are gathered until the end of an
 * event's work.
 */


#include "ngx_http_conflict_redis_node.h"


#define ngx_http_conflict_redis_connection(data)                              \
    (((ngx_http_conflict_redis_node_t *)                                      \
      ((redisAsyncContext *) data)->data)->connection)


static void ngx_http_conflict_redis_read_event(ngx_event_t *ev);
static void ngx_http_conflict_redis_write_event(ngx_event_t *ev);
static void ngx_http_conflict_redis_add_read(void *data);
static void ngx_http_conflict_redis_del_read(void *data);
static void ngx_http_conflict_redis_add_write(void *data);
static void ngx_http_conflict_redis_del_write(void *data);
static void ngx_http_conflict_redis_cleanup(void *data);


ngx_int_t
ngx_http_conflict_redis_attach(ngx_http_conflict_redis_node_t *node)
{
    ngx_connection_t   *c;
    redisAsyncContext  *ac;

    ac = node->ac;

    c = ngx_get_connection(ac->c.fd, node->client->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = node;
    c->log = node->client->log;
    c->log_error = NGX_ERROR_ERR;

    c->read->log = c->log;
    c->read->handler = ngx_http_conflict_redis_read_event;

    c->write->log = c->log;
    c->write->handler = ngx_http_conflict_redis_write_event;

    node->connection = c;

    ngx_http_conflict_redis_expect(ac);

    ac->data = node;
    ac->ev.data = ac;
    ac->ev.addRead = ngx_http_conflict_redis_add_read;
    ac->ev.delRead = ngx_http_conflict_redis_del_read;
    ac->ev.addWrite = ngx_http_conflict_redis_add_write;
    ac->ev.delWrite = ngx_http_conflict_redis_del_write;
    ac->ev.cleanup = ngx_http_conflict_redis_cleanup;

    return NGX_OK;
}


static void
ngx_http_conflict_redis_read_event(ngx_event_t *ev)
{
    ngx_connection_t                *c;
    ngx_http_conflict_redis_node_t  *node;

    c = ev->data;
    node = c->data;

    do {
        if (node->ssl) {
            ngx_http_conflict_redis_tls_clear();
        }

        /* the context may be gone after this, and "c" with it */
        redisAsyncHandleRead(node->ac);

    } while (node->ssl && ngx_http_conflict_redis_tls_pending(node));
}


static void
ngx_http_conflict_redis_write_event(ngx_event_t *ev)
{
    ngx_connection_t                *c;
    ngx_http_conflict_redis_node_t  *node;

    c = ev->data;
    node = c->data;

    ngx_http_conflict_redis_write_out(node);
}


/* what does not fit into the socket waits for an event */

void
ngx_http_conflict_redis_write_out(ngx_http_conflict_redis_node_t *node)
{
    node->writing = 1;

    if (node->ssl) {
        ngx_http_conflict_redis_tls_clear();
    }

    redisAsyncHandleWrite(node->ac);

    node->writing = 0;
}


void
ngx_http_conflict_redis_push(ngx_http_conflict_redis_node_t *node)
{
    int  done;

    if (node->state != NGX_HTTP_CONFLICT_REDIS_READY || node->closing) {
        return;
    }

    if (node->ssl) {
        ngx_http_conflict_redis_tls_clear();
    }

    (void) redisBufferWrite(&node->ac->c, &done);
}


static void
ngx_http_conflict_redis_add_read(void *data)
{
    ngx_event_t  *rev;

    rev = ngx_http_conflict_redis_connection(data)->read;

    if (!rev->active) {
        (void) ngx_add_event(rev, NGX_READ_EVENT, NGX_LEVEL_EVENT);
    }
}


static void
ngx_http_conflict_redis_del_read(void *data)
{
    ngx_event_t  *rev;

    rev = ngx_http_conflict_redis_connection(data)->read;

    if (rev->active) {
        (void) ngx_del_event(rev, NGX_READ_EVENT, 0);
    }
}


static void
ngx_http_conflict_redis_add_write(void *data)
{
    ngx_event_t                     *wev;
    ngx_http_conflict_redis_node_t  *node;

    node = ((redisAsyncContext *) data)->data;
    wev = node->connection->write;

    if (wev->active) {
        return;
    }

    if (node->state >= NGX_HTTP_CONFLICT_REDIS_GREETING && !node->writing) {
        ngx_post_event(&node->flush, &ngx_posted_events);
        return;
    }

    (void) ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
}


static void
ngx_http_conflict_redis_del_write(void *data)
{
    ngx_event_t  *wev;

    wev = ngx_http_conflict_redis_connection(data)->write;

    if (wev->active) {
        (void) ngx_del_event(wev, NGX_WRITE_EVENT, 0);
    }
}


/* closes the descriptor, and tells hiredis that it need not */

static void
ngx_http_conflict_redis_cleanup(void *data)
{
    redisAsyncContext *ac = data;

    ngx_http_conflict_redis_node_t  *node;

    node = ac->data;

    if (node->flush.posted) {
        ngx_delete_posted_event(&node->flush);
    }

    if (node->ssl) {
        ngx_http_conflict_redis_tls_lost(node, ac);
    }

    ngx_close_connection(node->connection);

    node->connection = NULL;
    ac->c.fd = -1;
}
