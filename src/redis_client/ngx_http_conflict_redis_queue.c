
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The queues of calls that wait for a connection, where those to be retried
 * keep the order of their sends; and calls that end without an answer.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"
#include "process/ngx_http_conflict_block.h"


/* what nobody else can tell the store */
#define ngx_http_conflict_redis_queue_outcome(call)                           \
    ((call)->script == NGX_HTTP_CONFLICT_REDIS_SETTLE                         \
     || (call)->script == NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST                 \
     || (call)->script == NGX_HTTP_CONFLICT_REDIS_BLOB)


void
ngx_http_conflict_redis_queue_add(ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *other;

    call->conn = conn;

    if (!call->retry) {
        ngx_queue_insert_tail(&conn->waiting, &call->queue);
        return;
    }

    for (q = ngx_queue_last(&conn->retrying);
         q != ngx_queue_sentinel(&conn->retrying);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (other->number < call->number) {
            break;
        }
    }

    ngx_queue_insert_after(q, &call->queue);
    conn->nretrying++;
    conn->nunchecked += call->unchecked;

    call->name.str = call->key;
    call->name.node.key = ngx_crc32_short(call->key.data, call->key.len);

    ngx_rbtree_insert(&conn->keys, &call->name.node);

    if (ngx_http_conflict_redis_queue_outcome(call)) {
        conn->reconnect.cancelable = 0;
    }
}


void
ngx_http_conflict_redis_queue_keep(ngx_http_conflict_redis_connection_t *conn)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *call;

    conn->reconnect.cancelable = 1;

    for (q = ngx_queue_head(&conn->retrying);
         q != ngx_queue_sentinel(&conn->retrying);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (ngx_http_conflict_redis_queue_outcome(call)) {
            conn->reconnect.cancelable = 0;
            return;
        }
    }
}


void
ngx_http_conflict_redis_queue_left(ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    if (call->retry) {
        conn->nretrying--;
        conn->nunchecked -= call->unchecked;

        ngx_rbtree_delete(&conn->keys, &call->name.node);
    }
}


void
ngx_http_conflict_redis_queue_idle(ngx_http_conflict_redis_connection_t *conn)
{
    conn->timer.cancelable = (conn->state == NGX_HTTP_CONFLICT_REDIS_READY
                              && ngx_queue_empty(&conn->sent)
                              && ngx_queue_empty(&conn->waiting)
                              && ngx_queue_empty(&conn->retrying));
}


void
ngx_http_conflict_redis_queue_postpone(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call, ngx_msec_t delay)
{
    ngx_msec_t  at;

    ngx_http_conflict_redis_queue_add(conn, call);

    at = ngx_current_msec + delay;

    if (call->retry
        && ((ngx_msec_int_t) (conn->retry_at - ngx_current_msec) <= 0
            || (ngx_msec_int_t) (conn->retry_at - at) > 0))
    {
        conn->retry_at = at;
    }

    ngx_http_conflict_redis_connection_watch(conn, at);
}


/* the next one by number, or an earlier one of its key */

ngx_http_conflict_redis_call_t *
ngx_http_conflict_redis_queue_turn(ngx_http_conflict_redis_connection_t *conn)
{
    ngx_str_t                       *key;
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *call;

    if (ngx_queue_empty(&conn->retrying)) {
        return NULL;
    }

    for (q = ngx_queue_head(&conn->retrying);
         q != ngx_queue_sentinel(&conn->retrying);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (call->number > conn->turn) {
            break;
        }
    }

    if (q == ngx_queue_sentinel(&conn->retrying)) {
        q = ngx_queue_head(&conn->retrying);
    }

    call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);
    conn->turn = call->number;
    key = &call->key;

    for (q = ngx_queue_head(&conn->retrying); /* void */ ;
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (call->key.len == key->len
            && ngx_memcmp(call->key.data, key->data, key->len) == 0)
        {
            return call;
        }
    }
}


/*
 * A settle or a body of the history must not overtake an earlier one of its
 * key that is retried.  A begin or a read may: it finds the lease still held,
 * and what an unchecked write leaves is sent ahead of it.
 */

ngx_uint_t
ngx_http_conflict_redis_queue_behind(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    return call->retry && ngx_http_conflict_redis_queue_has(conn, &call->key);
}


/* there may be thousands, if the server refuses calls */

ngx_uint_t
ngx_http_conflict_redis_queue_has(ngx_http_conflict_redis_connection_t *conn,
    ngx_str_t *key)
{
    return ngx_str_rbtree_lookup(&conn->keys, key,
                                 ngx_crc32_short(key->data, key->len))
           != NULL;
}


void
ngx_http_conflict_redis_queue_withdraw(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_pt handler, void *data)
{
    ngx_queue_t                     *q, *next;
    ngx_http_conflict_redis_call_t  *call;

    for (q = ngx_queue_head(&conn->sent);
         q != ngx_queue_sentinel(&conn->sent);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (call->handler == handler && call->data == data) {
            call->withdrawn = 1;
        }
    }

    for (q = ngx_queue_head(&conn->retrying);
         q != ngx_queue_sentinel(&conn->retrying);
         q = next)
    {
        next = ngx_queue_next(q);
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (call->handler == handler && call->data == data) {
            ngx_queue_remove(q);
            ngx_http_conflict_redis_queue_left(conn, call);
            ngx_http_conflict_redis_queue_fail(call, NULL);
        }
    }
}


void
ngx_http_conflict_redis_queue_expire(
    ngx_http_conflict_redis_connection_t *conn, ngx_queue_t *calls,
    ngx_uint_t all, const char *why)
{
    ngx_queue_t                     *q, *next, expired;
    ngx_http_conflict_redis_call_t  *call;

    ngx_queue_init(&expired);

    for (q = ngx_queue_head(calls); q != ngx_queue_sentinel(calls); q = next) {
        next = ngx_queue_next(q);
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (all || (ngx_msec_int_t) (call->expires - ngx_current_msec) <= 0) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&expired, q);
            ngx_http_conflict_redis_queue_left(conn, call);
        }
    }

    /* handlers may send new calls */

    while (!ngx_queue_empty(&expired)) {
        q = ngx_queue_head(&expired);
        ngx_queue_remove(q);

        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);
        ngx_http_conflict_redis_queue_fail(call, why);
    }
}


void
ngx_http_conflict_redis_queue_fail(ngx_http_conflict_redis_call_t *call,
    const char *why)
{
    call->handler(call->data, NULL, why);

    ngx_http_conflict_block_free(call);
}
