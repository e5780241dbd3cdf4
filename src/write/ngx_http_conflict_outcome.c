
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The outcome of a guarded write, by one table, and the lease as long as the
 * outcome is not known.  A settle delays no response beyond the current event.
 */


#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "hold/ngx_http_conflict_hold.h"
#include "audit/ngx_http_conflict_audit.h"
#include "feed/ngx_http_conflict_feed.h"


#define NGX_HTTP_CONFLICT_BODY_WAIT     1000    /* msec, for a version in a
                                                   body */
#define NGX_HTTP_CONFLICT_MULTI_STATUS  207     /* RFC 4918 */


static void ngx_http_conflict_outcome_renew_handler(ngx_event_t *ev);
static void ngx_http_conflict_outcome_renew_timer(ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_outcome_versioned(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_outcome_settle_unversioned(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_class_e class);
static void ngx_http_conflict_outcome_settle(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_class_e class);
static void ngx_http_conflict_outcome_settle_op(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_class_e class);
static conflict_existence_e ngx_http_conflict_outcome_existence(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_op_t *op);


/* statuses of a request that was not carried out */

static const ngx_uint_t  ngx_http_conflict_not_done[] = {
    400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 428, 429, 0
};


ngx_uint_t
ngx_http_conflict_outcome_refused(ngx_uint_t status)
{
    ngx_uint_t  i;

    for (i = 0; ngx_http_conflict_not_done[i]; i++) {
        if (status == ngx_http_conflict_not_done[i]) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_conflict_outcome_leased(ngx_http_conflict_ctx_t *ctx)
{
    return ctx->op && (ctx->op->out.leased
                       || (ctx->pair && ctx->pair->op->out.leased));
}


void
ngx_http_conflict_outcome_hold(ngx_http_conflict_ctx_t *ctx)
{
    ctx->timing.timer.handler = ngx_http_conflict_outcome_renew_handler;
    ctx->timing.timer.data = ctx;
    ctx->timing.timer.log = ctx->request->connection->log;

    ngx_http_conflict_outcome_renew_timer(ctx);

    if (!ctx->lease.in_flight) {
        ctx->lease.in_flight = 1;
        ngx_http_conflict_stats_lease(1);
    }
}


void
ngx_http_conflict_outcome_unhold(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->timing.timer.timer_set) {
        ngx_del_timer(&ctx->timing.timer);
    }

    if (ctx->lease.in_flight && !ngx_http_conflict_outcome_leased(ctx)) {
        ctx->lease.in_flight = 0;
        ngx_http_conflict_stats_lease(-1);
    }
}


static void
ngx_http_conflict_outcome_renew_handler(ngx_event_t *ev)
{
    ngx_http_conflict_ctx_t *ctx = ev->data;

    if (ctx->lease.got_2xx) {
        /* the body is late, which may be due to a client that does not read */
        ngx_http_conflict_outcome_body(ctx);
        return;
    }

    /* a write that is not forwarded yet is checked when it is sent */

    if (ctx->pass.forwarded && ngx_http_conflict_fence_expired(ctx)) {

        if (!ctx->lease.expiry_deferred) {
            /* a response may have arrived while the worker was stopped */
            ctx->lease.expiry_deferred = 1;
            ngx_add_timer(ev, 1);
            return;
        }

        if (ngx_http_conflict_fence_abort(ctx) != NGX_DECLINED) {
            return;
        }
    }

    ctx->lease.expiry_deferred = 0;

    if (ctx->op->out.leased) {
        /* if it fails, the lease expires and a quarantine begins: safe */
        (void) ctx->op->store->ops->renew(ctx->op);
    }

    ngx_http_conflict_outcome_renew_timer(ctx);
}


/* three times per lease, and when the write must be aborted */

static void
ngx_http_conflict_outcome_renew_timer(ngx_http_conflict_ctx_t *ctx)
{
    int64_t     remaining;
    ngx_msec_t  timer;

    timer = ctx->op->in.lease / 3 + 1;
    remaining = ngx_http_conflict_fence_remaining_min(ctx, 0);

    if (remaining > 0 && remaining < (int64_t) timer) {
        timer = (ngx_msec_t) remaining;
    }

    if (ctx->timing.timer.timer_set) {
        ngx_del_timer(&ctx->timing.timer);
    }

    ngx_add_timer(&ctx->timing.timer, timer);
}


void
ngx_http_conflict_outcome_header(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                 pending;
    ngx_http_conflict_op_t    *op;
    ngx_http_conflict_class_e  class;

    op = ctx->op;

    ngx_http_conflict_unleased_passed(ctx, 0);

    if (ctx->lease.settled || !ctx->pass.forwarded
        || !ngx_http_conflict_outcome_leased(ctx))
    {
        return;
    }

    class = ngx_http_conflict_outcome_class(ctx, 0);

    pending = (class == NGX_HTTP_CONFLICT_UNCERTAIN
               && ngx_http_conflict_upstream_attempts_pending(ctx->request));

    if (class == NGX_HTTP_CONFLICT_DONE || pending) {
        ctx->lease.got_2xx = 1;

        if (!ngx_http_conflict_outcome_versioned(ctx) || pending) {

            if (ctx->response) {
                /* the version, or the status of gRPC, may come with the body */
                ngx_add_timer(&ctx->timing.timer,
                              ngx_min(op->in.lease / 3 + 1,
                                      NGX_HTTP_CONFLICT_BODY_WAIT));
                return;
            }

            class = NGX_HTTP_CONFLICT_UNCERTAIN;
        }
    }

    if (class == NGX_HTTP_CONFLICT_DONE) {
        op->in.held = ngx_http_conflict_held_response_possible(ctx->request);
    }

    ngx_http_conflict_outcome_settle(ctx, class);

    if (op->in.held && op->calls) {
        ngx_http_conflict_held_response_start(ctx);
    }
}


/* what the write has left; 0: its version has not been seen */

static ngx_uint_t
ngx_http_conflict_outcome_versioned(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    op->in.observed.existence = ngx_http_conflict_outcome_existence(ctx, op);

    return op->in.minted || op->in.observed.version || ctx->pair
           || op->in.observed.existence == CONFLICT_DELETED;
}


void
ngx_http_conflict_outcome_body(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_class_e  class;

    if (ctx->lease.settled || !ctx->lease.got_2xx) {
        return;
    }

    class = ngx_http_conflict_outcome_class(ctx, 0);

    if (class == NGX_HTTP_CONFLICT_DONE
        && !ngx_http_conflict_outcome_versioned(ctx))
    {
        class = NGX_HTTP_CONFLICT_UNCERTAIN;
    }

    if (class == NGX_HTTP_CONFLICT_NOT_DONE) {
        /* the trailers of gRPC refuse what its header has accepted */
        ctx->lease.got_2xx = 0;
    }

    ngx_http_conflict_outcome_settle(ctx, class);
    ngx_http_conflict_hold_answered(ctx);
}


void
ngx_http_conflict_outcome_end(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_class_e  class;

    ngx_http_conflict_unleased_passed(ctx, 1);

    if (ctx->lease.settled || !ngx_http_conflict_outcome_leased(ctx)) {
        return;
    }

    if (!ctx->pass.forwarded) {
        ngx_http_conflict_outcome_settle(ctx, NGX_HTTP_CONFLICT_NOT_DONE);
        return;
    }

    class = ctx->lease.got_2xx
            ? NGX_HTTP_CONFLICT_UNCERTAIN
            : ngx_http_conflict_outcome_class(ctx, 1);

    ngx_http_conflict_outcome_settle_unversioned(ctx, class);
}


void
ngx_http_conflict_outcome_unsent(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_outcome_settle(ctx, ctx->lease.redirected
                                          ? NGX_HTTP_CONFLICT_UNCERTAIN
                                          : NGX_HTTP_CONFLICT_NOT_DONE);
}


ngx_int_t
ngx_http_conflict_outcome_late(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->request->upstream == ctx->pass.upstream) {
        return NGX_DECLINED;
    }

    (void) ngx_http_conflict_outcome_class(ctx, 0);

    if (!ctx->lease.applied) {
        return NGX_DECLINED;
    }

    ctx->lease.denied = 1;
    ngx_http_conflict_outcome_settle(ctx, NGX_HTTP_CONFLICT_UNCERTAIN);

    return NGX_OK;
}


/*
 * An error page or X-Accel-Redirect.  If the method has become GET, the write
 * is settled by the upstream's response.  In a named location it is still the
 * write, which must not be sent again if it may have been done.
 */

ngx_int_t
ngx_http_conflict_outcome_redirect(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                 sent, status, write;
    ngx_http_request_t        *r;
    ngx_http_conflict_class_e  class;

    r = ctx->request;

    write = (r->method == ctx->method);

    if (r->upstream == ctx->pass.upstream) {

        if (r->err_status == ctx->pass.err_status
            && r->error_page == ctx->pass.error_page && !ctx->pass.entered)
        {
            /* try_files, or a handler that leads on: none has written */
            return NGX_OK;
        }

        /* a handler without an upstream has failed */
        class = NGX_HTTP_CONFLICT_UNCERTAIN;

    } else {
        class = ngx_http_conflict_outcome_class(ctx, 0);

        (void) ngx_http_conflict_upstream_attempts(r, ctx->pass.first_attempt,
                                                   &sent, &status);

        if (write && sent == 0) {
            return NGX_OK;
        }
    }

    if (!write) {
        ngx_http_conflict_unleased_passed(ctx, 0);

        if (!ctx->lease.settled && ngx_http_conflict_outcome_leased(ctx)) {
            ngx_http_conflict_outcome_settle_unversioned(ctx, class);
        }

        return NGX_OK;
    }

    switch (class) {

    case NGX_HTTP_CONFLICT_DONE:
        ctx->lease.redirected = 1;
        break;

    case NGX_HTTP_CONFLICT_NOT_DONE:
        break;

    default:

        if (r->upstream == ctx->pass.upstream || ctx->conf->report) {
            ctx->lease.redirected = 1;
            break;
        }

        if (!ctx->lease.settled && ngx_http_conflict_outcome_leased(ctx)) {
            ngx_http_conflict_outcome_settle(ctx, class);
        }

        return NGX_DECLINED;
    }

    /* the next upstream is used under the same lease */

    if (r->upstream_states) {
        ctx->pass.first_attempt = r->upstream_states->nelts;
    }

    return NGX_OK;
}


/* no version was read from the response */

static void
ngx_http_conflict_outcome_settle_unversioned(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_class_e class)
{
    ngx_http_conflict_op_t  *op;

    if (class == NGX_HTTP_CONFLICT_DONE) {
        op = ctx->op;
        op->in.observed.existence = ngx_http_conflict_outcome_existence(ctx,
                                                                        op);

        if (!op->in.minted) {
            /* done, but its version is unknown */
            class = NGX_HTTP_CONFLICT_UNCERTAIN;
        }
    }

    ngx_http_conflict_outcome_settle(ctx, class);
}


/* the table; "ended": there was no response header, and there will be none */

ngx_http_conflict_class_e
ngx_http_conflict_outcome_class(ngx_http_conflict_ctx_t *ctx, ngx_uint_t ended)
{
    ngx_uint_t                 sent, status;
    ngx_http_request_t        *r;
    ngx_http_conflict_class_e  class;

    r = ctx->request;
    status = 0;

    if (r->upstream != ctx->pass.upstream) {
        (void) ngx_http_conflict_upstream_attempts(r, ctx->pass.first_attempt,
                                                   &sent, &status);

        if (sent == 0) {
            /* connection refused, no live peer, or no attempt was made */
            class = NGX_HTTP_CONFLICT_NOT_DONE;

        } else if (sent > 1) {
            /* the status is that of the last attempt, an earlier may be done */
            class = NGX_HTTP_CONFLICT_AMBIGUOUS;

        } else {
            class = ngx_http_conflict_outcome_status(status);
        }

    } else if (ended) {
        /* a handler without an upstream, such as dav */
        class = NGX_HTTP_CONFLICT_AMBIGUOUS;

    } else if (r->headers_out.status < NGX_HTTP_SPECIAL_RESPONSE
               && (r->err_status != ctx->pass.err_status
                   || r->error_page != ctx->pass.error_page))
    {
        /* it has failed, and this is a page */
        class = NGX_HTTP_CONFLICT_UNCERTAIN;

    } else {
        status = r->err_status ? r->err_status : r->headers_out.status;
        class = ngx_http_conflict_outcome_status(status);
    }

    if (class == NGX_HTTP_CONFLICT_DONE
        && (ngx_http_conflict_denied(r)
            || ngx_http_conflict_upstream_attempts_pending(r)))
    {
        /* by what sends the page, which need not be the API, or not yet */
        class = NGX_HTTP_CONFLICT_UNCERTAIN;
    }

    if (status >= 200 && status < 300) {
        ctx->lease.applied = 1;
    }

    if (class == NGX_HTTP_CONFLICT_NOT_DONE && ctx->lease.redirected) {
        /* by this upstream, but an earlier one may have done it */
        class = NGX_HTTP_CONFLICT_UNCERTAIN;
    }

    return ngx_http_conflict_outcome_delegated(ctx, class);
}


/*
 * What a handler says of a write need not be what it has heard of it: it may
 * have sent it twice, or answer 200 for a 202, or 409 for a time-out.
 */

ngx_http_conflict_class_e
ngx_http_conflict_outcome_delegated(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_class_e class)
{
    ngx_http_conflict_class_e  heard;

    heard = ngx_http_conflict_delegate_outcome(ctx);

    if (heard == NGX_HTTP_CONFLICT_DONE && class == NGX_HTTP_CONFLICT_NOT_DONE)
    {
        return NGX_HTTP_CONFLICT_UNCERTAIN;
    }

    return ngx_max(heard, class);
}


ngx_http_conflict_class_e
ngx_http_conflict_outcome_status(ngx_uint_t status)
{
    if (status >= 200 && status < 300) {
        /* 202: it may be done at any time from now on, 207: in part */
        return (status == NGX_HTTP_ACCEPTED
                || status == NGX_HTTP_CONFLICT_MULTI_STATUS)
               ? NGX_HTTP_CONFLICT_UNCERTAIN : NGX_HTTP_CONFLICT_DONE;
    }

    if (ngx_http_conflict_outcome_refused(status)) {
        return NGX_HTTP_CONFLICT_NOT_DONE;
    }

    if (status < 200
        || status == NGX_HTTP_CLIENT_CLOSED_REQUEST
        || status == NGX_HTTP_BAD_GATEWAY
        || status == NGX_HTTP_SERVICE_UNAVAILABLE
        || status == NGX_HTTP_GATEWAY_TIME_OUT)
    {
        return NGX_HTTP_CONFLICT_AMBIGUOUS;
    }

    return NGX_HTTP_CONFLICT_UNCERTAIN;
}


static void
ngx_http_conflict_outcome_settle(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_class_e class)
{
    ctx->lease.settled = 1;

    if (ctx->lease.in_flight) {
        ctx->lease.in_flight = 0;
        ngx_http_conflict_stats_lease(-1);
    }

    if (ctx->timing.timer.timer_set) {
        ngx_del_timer(&ctx->timing.timer);
    }

    if (ctx->pair) {

        if (ctx->pair->timer.timer_set) {
            ngx_del_timer(&ctx->pair->timer);
        }

        /* its log lines must be about its own resource */

        ngx_http_conflict_pair_exchange(ctx);
        ngx_http_conflict_outcome_settle_op(ctx, class);
        ngx_http_conflict_pair_exchange(ctx);
    }

    ngx_http_conflict_outcome_settle_op(ctx, class);
}


static void
ngx_http_conflict_outcome_settle_op(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_class_e class)
{
    ngx_http_conflict_op_t               *op;
    const ngx_http_conflict_store_ops_t  *ops;

    op = ctx->op;

    if (!op->out.leased) {
        return;
    }

    ops = op->store->ops;

    if (op->in.reads && class != NGX_HTTP_CONFLICT_AMBIGUOUS) {
        /* the source of a COPY is not written, nor read any more */
        (void) ops->cancel(op);
        ngx_http_conflict_write_queue_next(op);
        return;
    }

    if (ctx->pair && class == NGX_HTTP_CONFLICT_DONE) {
        op->in.observed.existence = ngx_http_conflict_outcome_existence(ctx,
                                                                        op);
        op->in.observed.version = 0;

        if (!op->in.minted && op->in.observed.existence == CONFLICT_EXISTS) {
            /* done, but the response does not have its version */
            class = NGX_HTTP_CONFLICT_UNCERTAIN;
        }
    }

    if (class == NGX_HTTP_CONFLICT_DONE
        && !ngx_http_conflict_version_source_advanced(op))
    {
        class = NGX_HTTP_CONFLICT_UNCERTAIN;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "conflict settle: %d, fence %uL", class, op->out.fence);

    switch (class) {

    case NGX_HTTP_CONFLICT_DONE:
        ngx_http_conflict_body_history_written(ctx, 1);
        ngx_http_conflict_body_history_link(ctx);
        (void) ops->commit(op);
        ctx->lease.committed = 1;
        ctx->version.current = op->out.applied ? op->out.version : 0;
        break;

    case NGX_HTTP_CONFLICT_NOT_DONE:
        (void) ops->cancel(op);
        break;

    case NGX_HTTP_CONFLICT_UNCERTAIN:
        op->in.quarantine = 0;

        /* fall through */

    default: /* NGX_HTTP_CONFLICT_AMBIGUOUS */
        ngx_http_conflict_body_history_written(ctx, 0);
        (void) ops->abandon(op);
        ctx->lease.abandoned = 1;
        ctx->version.current = 0;
        op->out.wait = op->in.quarantine;
    }

    ngx_http_conflict_write_queue_next(op);

    if (op->store->feed && class != NGX_HTTP_CONFLICT_NOT_DONE) {
        ngx_http_conflict_feed_event_settled(op, &ctx->caller.user,
                                             &ctx->caller.client,
                                             class == NGX_HTTP_CONFLICT_DONE);
    }

    if (ctx->lease.applied && (op->out.lost || op->calls)) {
        ngx_http_conflict_audit_overlapped(ctx);
    }
}


/* the state of the operation's resource after the write */

static conflict_existence_e
ngx_http_conflict_outcome_existence(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_t *op)
{
    if (ctx->method == NGX_HTTP_DELETE
        || (ctx->method == NGX_HTTP_MOVE
            && (ctx->pair == NULL || op == ctx->pair->source)))
    {
        return CONFLICT_DELETED;
    }

    return CONFLICT_EXISTS;
}
