
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A write that waits for one in flight, by a timer in growing steps.
 */


#include "write/ngx_http_conflict_write.h"


#define NGX_HTTP_CONFLICT_FIRST_WAIT   2       /* milliseconds */
#define NGX_HTTP_CONFLICT_LONGEST_WAIT 50


static void ngx_http_conflict_write_wait_handler(ngx_event_t *ev);


/* another write is in flight, or may still land */

ngx_http_conflict_state_e
ngx_http_conflict_write_wait(ngx_http_conflict_ctx_t *ctx)
{
    ngx_msec_t           left;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->timing.timer.timer_set) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    if (ctx->timing.waited) {
        ctx->timing.waited = 0;
        return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    if (ctx->timing.wait_step == 0) {
        ctx->timing.wait_start = ngx_current_msec;
        ctx->timing.wait_step = NGX_HTTP_CONFLICT_FIRST_WAIT;
    }

    ctx->timing.wait_time = ngx_current_msec - ctx->timing.wait_start;
    left = ctx->conf->wait - ctx->timing.wait_time;

    if (ctx->timing.wait_time >= ctx->conf->wait
        || (ctx->op->out.state == CONFLICT_QUARANTINED
            && ctx->op->out.wait > left))
    {
        /* a quarantine has no early end, there is no use in waiting */

        if (ctx->conf->policy <= CONFLICT_CLIENT_WINS) {
            ctx->op->in.wait_over = 1;
            return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
        }

        return ngx_http_conflict_refuse(ctx,
                                (ctx->op->out.state == CONFLICT_LEASED)
                                ? NGX_HTTP_CONFLICT_ANSWER_IN_PROGRESS
                                : NGX_HTTP_CONFLICT_ANSWER_UNKNOWN_OUTCOME,
                                NGX_HTTP_CONFLICT_OUTCOME_BUSY,
                                NGX_HTTP_CONFLICT_ACTION_BUSY);
    }

    ctx->timing.timer.handler = ngx_http_conflict_write_wait_handler;
    ctx->timing.timer.data = ctx;
    ctx->timing.timer.log = r->connection->log;

    ngx_add_timer(&ctx->timing.timer, ngx_min(ctx->timing.wait_step, left));

    ctx->timing.wait_step = ngx_min(ctx->timing.wait_step * 2,
                             NGX_HTTP_CONFLICT_LONGEST_WAIT);

    /* to notice a client that goes away */

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    return NGX_HTTP_CONFLICT_STATE_AGAIN;
}


static void
ngx_http_conflict_write_wait_handler(ngx_event_t *ev)
{
    ngx_http_conflict_ctx_t *ctx = ev->data;

    ctx->timing.waited = 1;

    ngx_http_conflict_store_call_resume(ctx->request);
}
