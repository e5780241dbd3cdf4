
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A write waits for another one in flight, until it is its turn.  In case that
 * nobody passes the turn on, the first one tries at growing intervals.
 */


#include "write/ngx_http_conflict_write.h"


#define NGX_HTTP_CONFLICT_WAIT_FIRST  2        /* msec */
#define NGX_HTTP_CONFLICT_WAIT_MAX    50       /* msec */


static ngx_http_conflict_state_e ngx_http_conflict_write_wait_ask(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_write_wait_watch(ngx_http_request_t *r);
static ngx_uint_t ngx_http_conflict_write_wait_over(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_write_wait_refuse(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_write_wait_missed(
    ngx_http_conflict_ctx_t *ctx);
static ngx_msec_t ngx_http_conflict_write_wait_remaining(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_write_wait_handler(ngx_event_t *ev);


ngx_http_conflict_state_e
ngx_http_conflict_write_wait(ngx_http_conflict_ctx_t *ctx)
{
    ngx_msec_t           delay;
    ngx_uint_t           missed;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ctx->turn.woken) {
        ctx->turn.woken = 0;

        /* the request may have been resumed by another event */

        if (ctx->timing.timer.posted) {
            ngx_delete_posted_event(&ctx->timing.timer);
        }

        if (ctx->timing.timer.timer_set) {
            ngx_del_timer(&ctx->timing.timer);
        }

        return NGX_HTTP_CONFLICT_STATE_STORE_VERDICT;
    }

    if (ctx->timing.timer.timer_set) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    if (ctx->timing.waited) {
        ctx->timing.waited = 0;

        if (ctx->turn.queue && !ngx_http_conflict_write_queue_first(ctx)) {
            /* it has waited for as long as it may */
            ngx_http_conflict_write_queue_leave(ctx);
        }

        return ngx_http_conflict_write_wait_ask(ctx);
    }

    if (ctx->timing.wait_step == 0) {
        ctx->timing.wait_start = ngx_current_msec;
        ctx->timing.wait_step = NGX_HTTP_CONFLICT_WAIT_FIRST;
    }

    ctx->timing.wait_time = ngx_current_msec - ctx->timing.wait_start;

    if (ngx_http_conflict_write_wait_over(ctx)) {
        return ngx_http_conflict_write_wait_refuse(ctx);
    }

    missed = ngx_http_conflict_write_wait_missed(ctx);

    if (ngx_http_conflict_write_queue_join(ctx) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (missed && ngx_http_conflict_write_queue_first(ctx)) {
        return ngx_http_conflict_write_wait_ask(ctx);
    }

    delay = ctx->conf->wait;

    if (ngx_http_conflict_write_queue_first(ctx)) {
        /* with those of other hosts at different times */
        delay = ctx->timing.wait_step + ngx_random() % ctx->timing.wait_step;

        ctx->timing.wait_step = ngx_min(ctx->timing.wait_step * 2,
                                        NGX_HTTP_CONFLICT_WAIT_MAX);
    }

    ctx->timing.timer.handler = ngx_http_conflict_write_wait_handler;
    ctx->timing.timer.data = ctx;
    ctx->timing.timer.log = r->connection->log;

    ngx_http_conflict_write_wait_poll(ctx, delay);

    if (ngx_http_conflict_write_wait_watch(r) != NGX_OK) {
        ngx_http_conflict_write_queue_leave(ctx);
        ngx_del_timer(&ctx->timing.timer);
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    r->write_event_handler = ngx_http_core_run_phases;

    return NGX_HTTP_CONFLICT_STATE_AGAIN;
}


/* resuming a request has ended the watch on its client */

static ngx_http_conflict_state_e
ngx_http_conflict_write_wait_ask(ngx_http_conflict_ctx_t *ctx)
{
    return (ngx_http_conflict_write_wait_watch(ctx->request) == NGX_OK)
           ? NGX_HTTP_CONFLICT_STATE_STORE_BEGIN
           : NGX_HTTP_CONFLICT_STATE_ERROR;
}


/*
 * Notices that the client disconnects, also while the store is asked again; it
 * may have done so already.
 */

static ngx_int_t
ngx_http_conflict_write_wait_watch(ngx_http_request_t *r)
{
    ngx_event_t  *rev;

    rev = r->connection->read;

    r->read_event_handler = ngx_http_test_reading;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);
        return NGX_OK;
    }

    return ngx_handle_read_event(rev, 0);
}


/* a quarantine does not end early, so waiting may be useless */

static ngx_uint_t
ngx_http_conflict_write_wait_over(ngx_http_conflict_ctx_t *ctx)
{
    ngx_msec_t  remaining;

    remaining = ngx_http_conflict_write_wait_remaining(ctx);

    return remaining == 0
           || (ctx->turn.begun && ctx->op->out.state == CONFLICT_QUARANTINED
               && ctx->op->out.wait > remaining);
}


static ngx_http_conflict_state_e
ngx_http_conflict_write_wait_refuse(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_answer_e  answer;

    ngx_http_conflict_write_queue_leave(ctx);

    if (ctx->conf->policy <= CONFLICT_CLIENT_WINS && !ctx->conf->edited) {
        ctx->op->in.wait_over = 1;
        return ngx_http_conflict_write_wait_ask(ctx);
    }

    answer = (ctx->op->out.state == CONFLICT_LEASED)
             ? NGX_HTTP_CONFLICT_ANSWER_IN_PROGRESS
             : NGX_HTTP_CONFLICT_ANSWER_UNKNOWN_OUTCOME;

    return ngx_http_conflict_respond(ctx, answer,
                                     NGX_HTTP_CONFLICT_OUTCOME_BUSY,
                                     NGX_HTTP_CONFLICT_ACTION_BUSY);
}


/*
 * 1: the lease was settled by this worker after the store was asked, so nobody
 * will pass the turn on.  A new lease shows that the resource changes fast.
 */

static ngx_uint_t
ngx_http_conflict_write_wait_missed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (!ctx->turn.begun || op->out.state != CONFLICT_LEASED
        || op->out.fence == ctx->turn.fence)
    {
        return 0;
    }

    ctx->turn.fence = op->out.fence;
    ctx->timing.wait_step = NGX_HTTP_CONFLICT_WAIT_FIRST;

    return ngx_http_conflict_write_queue_settled(op);
}


void
ngx_http_conflict_write_wait_begin(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->timing.timer.timer_set) {
        ngx_del_timer(&ctx->timing.timer);
    }

    ctx->turn.woken = 1;

    ngx_http_conflict_store_call_start(ctx, ctx->op->store->ops->begin);

    if (ctx->op->busy) {
        return;
    }

    /*
     * Not at once, since another request is running.  One that has no lease
     * passes the turn on, which may go on for very many: other events come
     * between.
     */

    ngx_post_event(&ctx->timing.timer, ctx->op->out.leased
                                       ? &ngx_posted_events
                                       : &ngx_posted_next_events);

    /* a worker that shuts down exits when no timer is left */

    ngx_add_timer(&ctx->timing.timer, ctx->conf->wait);
}


void
ngx_http_conflict_write_wait_poll(ngx_http_conflict_ctx_t *ctx,
    ngx_msec_t delay)
{
    ngx_msec_t  remaining;

    if (ctx->turn.begun) {
        return;
    }

    if (ctx->timing.timer.timer_set) {
        ngx_del_timer(&ctx->timing.timer);
    }

    remaining = ngx_http_conflict_write_wait_remaining(ctx);

    ngx_add_timer(&ctx->timing.timer, ngx_min(delay, remaining));
}


static ngx_msec_t
ngx_http_conflict_write_wait_remaining(ngx_http_conflict_ctx_t *ctx)
{
    ngx_msec_t  waited;

    waited = ngx_current_msec - ctx->timing.wait_start;

    return (waited < ctx->conf->wait) ? ctx->conf->wait - waited : 0;
}


static void
ngx_http_conflict_write_wait_handler(ngx_event_t *ev)
{
    ngx_http_conflict_ctx_t *ctx = ev->data;

    if (!ctx->turn.woken) {
        ctx->timing.waited = 1;
    }

    ngx_http_conflict_store_call_resume(ctx->request);
}
