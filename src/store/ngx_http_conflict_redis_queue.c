
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The calls of a node: those that wait for its connection, those that were
 * sent, and the one timer for all that takes too long.
 */


#include "ngx_http_conflict_redis_node.h"


void
ngx_http_conflict_redis_watch(ngx_http_conflict_redis_node_t *node,
    ngx_msec_t deadline)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (deadline - ngx_current_msec);
    left = ngx_max(left, 1);

    if (node->timer.timer_set) {

        if ((ngx_msec_int_t) (node->timer.timer.key - deadline) <= 0) {
            /* it looks again by then */
            return;
        }

        ngx_del_timer(&node->timer);
    }

    ngx_add_timer(&node->timer, (ngx_msec_t) left);
}


void
ngx_http_conflict_redis_timer(ngx_event_t *ev)
{
    ngx_http_conflict_redis_node_t *node = ev->data;

    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *call;

    if (node->ac && node->state != NGX_HTTP_CONFLICT_REDIS_READY) {

        if ((ngx_msec_int_t) (node->deadline - ngx_current_msec) <= 0) {
            (void) ngx_cpystrn(node->reason, (u_char *) "connect timed out",
                               sizeof(node->reason));
            ngx_http_conflict_redis_drop(node);

        } else {
            ngx_http_conflict_redis_watch(node, node->deadline);
        }
    }

    if (!ngx_queue_empty(&node->sent)) {
        q = ngx_queue_head(&node->sent);
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if ((ngx_msec_int_t) (call->deadline - ngx_current_msec) <= 0) {
            /* replies come in order: the rest is late as well */
            (void) ngx_cpystrn(node->reason, (u_char *) "timed out",
                               sizeof(node->reason));
            ngx_http_conflict_redis_drop(node);

        } else {
            ngx_http_conflict_redis_watch(node, call->deadline);
        }
    }

    if (node->state == NGX_HTTP_CONFLICT_REDIS_READY) {
        ngx_http_conflict_redis_resend(node, &node->waiting);

        if ((ngx_msec_int_t) (node->again - ngx_current_msec) <= 0) {
            ngx_http_conflict_redis_resend(node, &node->patient);
        }
    }

    ngx_http_conflict_redis_expire(node, &node->waiting, 0, "timed out");

    if (!ngx_queue_empty(&node->waiting)) {
        q = ngx_queue_head(&node->waiting);
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);
        ngx_http_conflict_redis_watch(node, call->expires);
    }

    if (node->state == NGX_HTTP_CONFLICT_REDIS_READY
        && !ngx_queue_empty(&node->patient))
    {
        ngx_http_conflict_redis_watch(node, node->again);
    }
}


void
ngx_http_conflict_redis_resend(ngx_http_conflict_redis_node_t *node,
    ngx_queue_t *calls)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *call;

    ngx_http_conflict_redis_expire(node, calls, 0, "timed out");

    while (!ngx_queue_empty(calls)
           && node->state == NGX_HTTP_CONFLICT_REDIS_READY)
    {
        q = ngx_queue_head(calls);
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        ngx_queue_remove(q);

        if (ngx_http_conflict_redis_write(node, call) != NGX_OK) {
            ngx_queue_insert_head(calls, q);
            return;
        }

        node->kept -= call->patient;
    }
}


void
ngx_http_conflict_redis_postpone(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call, ngx_msec_t delay)
{
    call->node = node;

    if (call->patient) {
        ngx_http_conflict_redis_keep_call(node, call);

        node->again = ngx_current_msec + delay;

    } else {
        ngx_queue_insert_tail(&node->waiting, &call->queue);
    }

    ngx_http_conflict_redis_watch(node, ngx_current_msec + delay);
}


void
ngx_http_conflict_redis_keep_call(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *other;

    for (q = ngx_queue_last(&node->patient);
         q != ngx_queue_sentinel(&node->patient);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (other->number < call->number) {
            break;
        }
    }

    ngx_queue_insert_after(q, &call->queue);
    node->kept++;
}


/*
 * A settle or a body of the history must not overtake another that was
 * refused for now.  What begins or reads may: it finds the lease still held.
 */

ngx_uint_t
ngx_http_conflict_redis_behind(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *other;

    if (!call->patient) {
        return 0;
    }

    for (q = ngx_queue_head(&node->patient);
         q != ngx_queue_sentinel(&node->patient);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (other->key.len == call->key.len
            && ngx_memcmp(other->key.data, call->key.data, call->key.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_conflict_redis_withdraw(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_pt handler, void *data)
{
    ngx_uint_t                        i;
    ngx_queue_t                      *q, *next;
    ngx_http_conflict_redis_call_t   *call;
    ngx_http_conflict_redis_node_t  **node;

    node = client->nodes.elts;

    for (i = 0; i < client->nodes.nelts; i++) {

        for (q = ngx_queue_head(&node[i]->sent);
             q != ngx_queue_sentinel(&node[i]->sent);
             q = ngx_queue_next(q))
        {
            call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

            if (call->handler == handler && call->data == data) {
                call->withdrawn = 1;
            }
        }

        for (q = ngx_queue_head(&node[i]->patient);
             q != ngx_queue_sentinel(&node[i]->patient);
             q = next)
        {
            next = ngx_queue_next(q);
            call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

            if (call->handler == handler && call->data == data) {
                ngx_queue_remove(q);
                node[i]->kept--;
                ngx_http_conflict_redis_fail(call, NULL);
            }
        }
    }
}


void
ngx_http_conflict_redis_expire(ngx_http_conflict_redis_node_t *node,
    ngx_queue_t *calls, ngx_uint_t all, const char *why)
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
            node->kept -= call->patient;
        }
    }

    /* their handlers may well make new calls */

    while (!ngx_queue_empty(&expired)) {
        q = ngx_queue_head(&expired);
        ngx_queue_remove(q);

        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);
        ngx_http_conflict_redis_fail(call, why);
    }
}
