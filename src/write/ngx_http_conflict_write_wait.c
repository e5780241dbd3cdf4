
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A write waits for another one in flight: a timer with growing intervals.
 */


#include "write/ngx_http_conflict_write.h"


#define NGX_HTTP_CONFLICT_WAIT_FIRST  2        /* msec */
#define NGX_HTTP_CONFLICT_WAIT_MAX    50       /* msec */


static void ngx_http_conflict_write_wait_handler(ngx_event_t *ev);


ngx_http_conflict_state_e
ngx_http_conflict_write_wait(ngx_http_conflict_ctx_t *ctx)
{
    ngx_msec_t                   remaining;
    ngx_http_request_t          *r;
    ngx_http_conflict_answer_e   answer;

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
        ctx->timing.wait_step = NGX_HTTP_CONFLICT_WAIT_FIRST;
    }

    ctx->timing.wait_time = ngx_current_msec - ctx->timing.wait_start;
    remaining = ctx->conf->wait - ctx->timing.wait_time;

    if (ctx->timing.wait_time >= ctx->conf->wait
        || (ctx->op->out.state == CONFLICT_QUARANTINED
            && ctx->op->out.wait > remaining))
    {
        /* a quarantine does not end early, so waiting is useless */

        if (ctx->conf->policy <= CONFLICT_CLIENT_WINS) {
            ctx->op->in.wait_over = 1;
            return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
        }

        answer = (ctx->op->out.state == CONFLICT_LEASED)
                 ? NGX_HTTP_CONFLICT_ANSWER_IN_PROGRESS
                 : NGX_HTTP_CONFLICT_ANSWER_UNKNOWN_OUTCOME;

        return ngx_http_conflict_respond(ctx, answer,
                                         NGX_HTTP_CONFLICT_OUTCOME_BUSY,
                                         NGX_HTTP_CONFLICT_ACTION_BUSY);
    }

    ctx->timing.timer.handler = ngx_http_conflict_write_wait_handler;
    ctx->timing.timer.data = ctx;
    ctx->timing.timer.log = r->connection->log;

    ngx_add_timer(&ctx->timing.timer,
                  ngx_min(ctx->timing.wait_step, remaining));

    ctx->timing.wait_step = ngx_min(ctx->timing.wait_step * 2,
                                    NGX_HTTP_CONFLICT_WAIT_MAX);

    /* to detect that the client disconnects */

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
