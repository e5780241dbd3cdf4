
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A write that waits: for one in flight, by a timer in growing steps, and
 * for a store that answers later.
 */


#include "ngx_http_conflict_module.h"


#define NGX_HTTP_CONFLICT_FIRST_WAIT   2       /* milliseconds */
#define NGX_HTTP_CONFLICT_LONGEST_WAIT 50


static void ngx_http_conflict_wait_handler(ngx_event_t *ev);
static void ngx_http_conflict_resume(ngx_http_request_t *r);


/*
 * Another write is in flight, or may still land.  NGX_AGAIN: the timer runs;
 * NGX_OK: the state was changed.
 */

ngx_int_t
ngx_http_conflict_wait(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_msec_t  left;

    if (ctx->timer.timer_set) {
        return NGX_AGAIN;
    }

    if (ctx->wait_step == 0) {
        ctx->wait_start = ngx_current_msec;
        ctx->wait_step = NGX_HTTP_CONFLICT_FIRST_WAIT;
    }

    ctx->wait_time = ngx_current_msec - ctx->wait_start;
    left = ctx->conf->wait - ctx->wait_time;

    if (ctx->wait_time >= ctx->conf->wait
        || (ctx->op->out.state == CONFLICT_QUARANTINED
            && ctx->op->out.wait > left))
    {
        /* a quarantine has no early end, there is no use in waiting */

        if (ctx->conf->policy <= CONFLICT_CLIENT_WINS) {
            ctx->op->in.wait_over = 1;
            ctx->state = NGX_HTTP_CONFLICT_ST_BEGIN;
            return NGX_OK;
        }

        ngx_http_conflict_refuse(ctx,
                                 (ctx->op->out.state == CONFLICT_LEASED)
                                 ? NGX_HTTP_CONFLICT_IN_PROGRESS
                                 : NGX_HTTP_CONFLICT_UNKNOWN_OUTCOME,
                                 NGX_HTTP_CONFLICT_BUSY,
                                 NGX_HTTP_CONFLICT_ACT_BUSY);
        return NGX_OK;
    }

    ctx->timer.handler = ngx_http_conflict_wait_handler;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    ngx_add_timer(&ctx->timer, ngx_min(ctx->wait_step, left));

    ctx->wait_step = ngx_min(ctx->wait_step * 2,
                             NGX_HTTP_CONFLICT_LONGEST_WAIT);

    /* to notice a client that goes away */

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    return NGX_AGAIN;
}


static void
ngx_http_conflict_wait_handler(ngx_event_t *ev)
{
    ngx_http_conflict_ctx_t *ctx = ev->data;

    ctx->state = NGX_HTTP_CONFLICT_ST_BEGIN;

    ngx_http_conflict_resume(ctx->request);
}


void
ngx_http_conflict_op_done(ngx_http_conflict_op_t *op)
{
    if (op->request) {
        ngx_http_conflict_resume(op->request);
    }
}


static void
ngx_http_conflict_resume(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    if (r->post_action) {
        /* it was given up, and another goes on in its place */
        return;
    }

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}
