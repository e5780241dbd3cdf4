
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A write whose lease could not be renewed is aborted before another write can
 * acquire one: by the worker's own clock, as the store does not answer then.
 */


#include "write/ngx_http_conflict_write.h"
#include "process/ngx_http_conflict_clock.h"


#define NGX_HTTP_CONFLICT_FENCE_MARGIN  20     /* msec, minimum */
#define NGX_HTTP_CONFLICT_FENCE_RETRY   10     /* msec */


static int64_t ngx_http_conflict_fence_remaining(ngx_http_conflict_op_t *op,
    ngx_msec_t more);
static void ngx_http_conflict_fence_log(ngx_http_conflict_ctx_t *ctx,
    const char *what);


/*
 * The margin is for clocks that run at different speeds, for a busy event
 * loop, and for the time until the upstream notices the end of the connection.
 * The quarantine has begun by then.
 */

static int64_t
ngx_http_conflict_fence_remaining(ngx_http_conflict_op_t *op, ngx_msec_t more)
{
#if (CONFLICT_BROKEN == 5)

    /* a worker that cannot renew its lease continues to write */
    return (int64_t) op->in.lease + more;

#else

    ngx_msec_t  margin;

    margin = ngx_max(op->in.lease / 8, NGX_HTTP_CONFLICT_FENCE_MARGIN);

    return op->out.acked + (int64_t) op->in.lease + (int64_t) more
           - (int64_t) margin - ngx_http_conflict_clock_msec();

#endif
}


/* a MOVE or COPY may have two leases */

int64_t
ngx_http_conflict_fence_remaining_min(ngx_http_conflict_ctx_t *ctx,
    ngx_msec_t more)
{
    int64_t                  remaining, other;
    ngx_http_conflict_op_t  *op;

    remaining = ngx_http_conflict_fence_remaining(ctx->op, more);
    op = ctx->pair ? ctx->pair->op : NULL;

    if (op && op->out.leased) {
        other = ngx_http_conflict_fence_remaining(op, more);
        remaining = ctx->op->out.leased ? ngx_min(remaining, other) : other;
    }

    return remaining;
}


/* after a 2xx the write is done, and report mode enforces nothing */

ngx_uint_t
ngx_http_conflict_fence_expired(ngx_http_conflict_ctx_t *ctx)
{
    return ngx_http_conflict_outcome_leased(ctx)
           && !ctx->lease.settled && !ctx->lease.got_2xx && !ctx->conf->report
           && ngx_http_conflict_fence_remaining_min(ctx, 0) <= 0;
}


ngx_int_t
ngx_http_conflict_fence_pass(ngx_http_conflict_ctx_t *ctx)
{
    if (!ngx_http_conflict_fence_expired(ctx)) {
        return NGX_OK;
    }

    ngx_http_conflict_fence_log(ctx, "the write is not sent");
    ngx_http_conflict_outcome_unsent(ctx);

    ctx->lease.unsent = 1;

    return NGX_HTTP_GATEWAY_TIME_OUT;
}


/*
 * As an upstream time-out, but the peer is not marked as failed, and the
 * attempt may be in any state: resolving a name, connecting, or still reading
 * the request from the client.
 */

ngx_int_t
ngx_http_conflict_fence_abort(ngx_http_conflict_ctx_t *ctx)
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
        /* a handler without an upstream cannot be aborted */
        return NGX_DECLINED;
    }

    if (r->aio) {
        /* a thread reads the file of the body, which is not sent any more */
        ngx_add_timer(&ctx->timing.timer, NGX_HTTP_CONFLICT_FENCE_RETRY);
        return NGX_AGAIN;
    }

    ngx_http_set_log_request(c->log, r);

    ngx_http_conflict_fence_log(ctx, "the request is aborted");

    if (u->state) {
        u->state->status = NGX_HTTP_GATEWAY_TIME_OUT;
    }

    /* as ngx_http_upstream_create() ends a previous upstream */

    r->main->count++;
    (*u->cleanup)(r);

    ngx_http_finalize_request(r, NGX_HTTP_GATEWAY_TIME_OUT);
    ngx_http_run_posted_requests(c);

    return NGX_OK;
}


/*
 * The worker was stopped for so long that another write may have acquired a
 * lease before the upstream's 2xx was read.  It is unknown which of both came
 * last, so the client must not rely on this one.
 */

ngx_uint_t
ngx_http_conflict_fence_late(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->lease.settled || !ngx_http_conflict_outcome_leased(ctx)
        || ctx->conf->report
        || ngx_http_conflict_fence_remaining_min(ctx, ctx->op->in.quarantine)
           > 0
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
