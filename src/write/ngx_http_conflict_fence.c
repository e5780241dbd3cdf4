
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A write whose lease could not be renewed ends before another one is let in:
 * by the worker's own clock, since the store cannot be asked then.
 */


#include "write/ngx_http_conflict_write.h"
#include "process/ngx_http_conflict_clock.h"


#define NGX_HTTP_CONFLICT_MARGIN  20     /* msec, at least */
#define NGX_HTTP_CONFLICT_AIO     10     /* msec, until it is looked again */


static void ngx_http_conflict_fence_log(ngx_http_conflict_ctx_t *ctx,
    const char *what);


/*
 * Milliseconds for which nobody else can have been let in, and "more" after
 * that.  The margin is for clocks that do not run alike, for a loop that is
 * busy, and for the end of the connection to come to the upstream, whose
 * quarantine has begun by then.
 */

int64_t
ngx_http_conflict_fence_left(ngx_http_conflict_op_t *op, ngx_msec_t more)
{
#if (CONFLICT_BROKEN == 5)

    /* a worker that cannot renew goes on writing */
    return (int64_t) op->in.lease + more;

#else

    ngx_msec_t  margin;

    margin = ngx_max(op->in.lease / 8, NGX_HTTP_CONFLICT_MARGIN);

    return op->out.acked + (int64_t) op->in.lease + (int64_t) more
           - (int64_t) margin - ngx_http_conflict_clock_msec();

#endif
}


/* of both resources of a MOVE or COPY the one whose lease ends first */

int64_t
ngx_http_conflict_fence_least(ngx_http_conflict_ctx_t *ctx, ngx_msec_t more)
{
    int64_t                  left, other;
    ngx_http_conflict_op_t  *op;

    left = ngx_http_conflict_fence_left(ctx->op, more);
    op = ctx->pair ? ctx->pair->op : NULL;

    if (op && op->out.leased) {
        other = ngx_http_conflict_fence_left(op, more);
        left = ctx->op->out.leased ? ngx_min(left, other) : other;
    }

    return left;
}


/*
 * Nothing is enforced in report mode.  Once the upstream has answered 2xx
 * there is nothing to be kept from it.
 */

ngx_uint_t
ngx_http_conflict_fence_expired(ngx_http_conflict_ctx_t *ctx)
{
    return (ctx->op->out.leased || (ctx->pair && ctx->pair->op->out.leased))
           && !ctx->lease.settled && !ctx->lease.seen_2xx && !ctx->conf->report
           && ngx_http_conflict_fence_least(ctx, 0) <= 0;
}


ngx_int_t
ngx_http_conflict_fence_pass(ngx_http_conflict_ctx_t *ctx)
{
    if (!ngx_http_conflict_fence_expired(ctx)) {
        return NGX_OK;
    }

    ngx_http_conflict_fence_log(ctx, "the write is not sent");
    ngx_http_conflict_outcome_unsent(ctx);

    return NGX_HTTP_GATEWAY_TIME_OUT;
}


/*
 * As when the upstream does not answer in time, but the peer is not blamed,
 * and the attempt may be in any state: its name may still be looked up, its
 * connection be made, or its request be read from the client.
 */

ngx_int_t
ngx_http_conflict_fence_end(ngx_http_conflict_ctx_t *ctx)
{
    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = ctx->request;
    u = r->upstream;
    c = r->connection;

    if (u == NULL || u == ctx->pass.upstream || u->cleanup == NULL
        || u->header_sent)
    {
        /* what runs without an upstream has no end */
        return NGX_DECLINED;
    }

    if (r->aio) {
        /* a thread reads from the body's file, which is not sent any more */
        ngx_add_timer(&ctx->timing.timer, NGX_HTTP_CONFLICT_AIO);
        return NGX_AGAIN;
    }

    ngx_http_set_log_request(c->log, r);

    ngx_http_conflict_fence_log(ctx, "the request is aborted");

    if (u->state) {
        u->state->status = NGX_HTTP_GATEWAY_TIME_OUT;
    }

    /* as ngx_http_upstream_create() ends the one before */

    r->main->count++;
    (*u->cleanup)(r);

    ngx_http_finalize_request(r, NGX_HTTP_GATEWAY_TIME_OUT);
    ngx_http_run_posted_requests(c);

    return NGX_OK;
}


/*
 * The upstream has said that it is done, to a worker that was stopped for so
 * long that another write may have been let in: that of both which came last
 * is unknown.  Who wrote this one must not rely on it.
 */

ngx_uint_t
ngx_http_conflict_fence_late(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->lease.settled || !op->out.leased || ctx->conf->report
        || ngx_http_conflict_fence_least(ctx, op->in.quarantine) > 0
        || ngx_http_conflict_outcome_late(ctx) != NGX_OK)
    {
        return 0;
    }

    ngx_http_conflict_fence_log(ctx, "the write was done, but is not "
                                     "acknowledged");

    return 1;
}


static void
ngx_http_conflict_fence_log(ngx_http_conflict_ctx_t *ctx, const char *what)
{
    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "conflict store \"%V\" did not renew the lease of a write in "
                  "time, %s", &ctx->op->store->name, what);
}
