
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What became of a guarded write, by one table, and the lease while nobody
 * knows yet.  A settle never delays the response.
 */


#include "ngx_http_conflict_module.h"


typedef enum {
    NGX_HTTP_CONFLICT_DONE = 0,        /* it is applied: commit */
    NGX_HTTP_CONFLICT_NOT_DONE,        /* it is not: cancel */
    NGX_HTTP_CONFLICT_UNCERTAIN,       /* abandon, all has landed that will */
    NGX_HTTP_CONFLICT_AMBIGUOUS        /* abandon, it may still land */
} ngx_http_conflict_class_e;


static ngx_http_conflict_class_e ngx_http_conflict_settle_class(
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t ended, ngx_uint_t *status);
static ngx_http_conflict_class_e ngx_http_conflict_settle_status(
    ngx_uint_t status);
static void ngx_http_conflict_settle(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_class_e class);
static void ngx_http_conflict_renew_handler(ngx_event_t *ev);


/* statuses that say that the request was not carried out */

static const ngx_uint_t  ngx_http_conflict_not_done[] = {
    400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 428, 429, 0
};


void
ngx_http_conflict_settle_start(ngx_http_conflict_ctx_t *ctx)
{
    ctx->timer.handler = ngx_http_conflict_renew_handler;
    ctx->timer.data = ctx;
    ctx->timer.log = ctx->request->connection->log;

    ngx_add_timer(&ctx->timer, ctx->op->lease / 3 + 1);

    if (ctx->request->upstream_states) {
        ctx->states = ctx->request->upstream_states->nelts;
    }
}


static void
ngx_http_conflict_renew_handler(ngx_event_t *ev)
{
    ngx_http_conflict_ctx_t *ctx = ev->data;

    ngx_add_timer(ev, ctx->op->lease / 3 + 1);

    /* where it fails, the lease runs out into a quarantine: that is safe */
    (void) ctx->op->store->ops->renew(ctx->op);
}


void
ngx_http_conflict_settle_header(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                 status;
    ngx_http_conflict_class_e  class;

    if (ctx->settled) {
        return;
    }

    class = ngx_http_conflict_settle_class(ctx, 0, &status);

    if (class == NGX_HTTP_CONFLICT_DONE) {
        ctx->seen_2xx = 1;

        ctx->op->seen.existence = (ctx->request->method == NGX_HTTP_DELETE)
                                  ? CONFLICT_DELETED : CONFLICT_EXISTS;

        if (!ctx->op->minted && ctx->op->seen.version == 0
            && ctx->op->seen.existence != CONFLICT_DELETED)
        {
            if (ctx->response) {
                /* its version may come with the body */
                return;
            }

            class = NGX_HTTP_CONFLICT_UNCERTAIN;
        }
    }

    ngx_http_conflict_settle(ctx, class);
}


void
ngx_http_conflict_settle_body(ngx_http_conflict_ctx_t *ctx)
{
    if (!ctx->settled && ctx->seen_2xx) {
        ngx_http_conflict_settle(ctx, ctx->op->seen.version
                                      ? NGX_HTTP_CONFLICT_DONE
                                      : NGX_HTTP_CONFLICT_UNCERTAIN);
    }
}


void
ngx_http_conflict_settle_end(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  status;

    if (ctx->settled || !ctx->op->leased) {
        return;
    }

    ngx_http_conflict_settle(ctx, ctx->seen_2xx
                                  ? NGX_HTTP_CONFLICT_UNCERTAIN
                                  : ngx_http_conflict_settle_class(ctx, 1,
                                                                   &status));
}


ngx_int_t
ngx_http_conflict_settle_redirect(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                 sent, status;
    ngx_http_request_t        *r;
    ngx_http_conflict_class_e  class;

    r = ctx->request;

    if (ctx->settled
        || ngx_http_conflict_upstream_seen(r, ctx->states, &sent, &status)
           != NGX_OK
        || sent == 0)
    {
        return NGX_OK;
    }

    class = ngx_http_conflict_settle_class(ctx, 0, &status);

    if (class == NGX_HTTP_CONFLICT_NOT_DONE) {
        /* another upstream may be asked, under the same lease */
        ctx->states = r->upstream_states->nelts;
        return NGX_OK;
    }

    if (class == NGX_HTTP_CONFLICT_DONE) {
        ngx_http_conflict_settle_header(ctx);
        return NGX_OK;
    }

    ngx_http_conflict_settle(ctx, class);

    return ctx->conf->report ? NGX_OK : NGX_DECLINED;
}


/*
 * The table.  "ended": no header was seen, and none will be.
 */

static ngx_http_conflict_class_e
ngx_http_conflict_settle_class(ngx_http_conflict_ctx_t *ctx, ngx_uint_t ended,
    ngx_uint_t *status)
{
    ngx_uint_t           sent;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_conflict_upstream_seen(r, ctx->states, &sent, status)
        == NGX_OK)
    {
        if (sent == 0) {
            /* connect refused, no live peer, or it never came that far */
            return NGX_HTTP_CONFLICT_NOT_DONE;
        }

        if (sent > 1) {
            /* a refusal may be that of the second: the first was applied */
            return NGX_HTTP_CONFLICT_AMBIGUOUS;
        }

        return ngx_http_conflict_settle_status(*status);
    }

    /* a handler without an upstream, such as dav */

    if (ended) {
        *status = 0;
        return NGX_HTTP_CONFLICT_AMBIGUOUS;
    }

    *status = r->err_status ? r->err_status : r->headers_out.status;

    return ngx_http_conflict_settle_status(*status);
}


static ngx_http_conflict_class_e
ngx_http_conflict_settle_status(ngx_uint_t status)
{
    ngx_uint_t  i;

    if (status >= 200 && status < 300) {
        /* 202: accepted, to be done at any time from now on */
        return (status == NGX_HTTP_ACCEPTED) ? NGX_HTTP_CONFLICT_UNCERTAIN
                                             : NGX_HTTP_CONFLICT_DONE;
    }

    for (i = 0; ngx_http_conflict_not_done[i]; i++) {
        if (status == ngx_http_conflict_not_done[i]) {
            return NGX_HTTP_CONFLICT_NOT_DONE;
        }
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
ngx_http_conflict_settle(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_class_e class)
{
    ngx_http_conflict_op_t               *op;
    const ngx_http_conflict_store_ops_t  *ops;

    op = ctx->op;
    ops = op->store->ops;

    ctx->settled = 1;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "conflict settle: %d, fence %uL", class, op->fence);

    switch (class) {

    case NGX_HTTP_CONFLICT_DONE:
        (void) ops->commit(op);
        ctx->committed = 1;
        ctx->current = op->applied ? op->version : 0;
        break;

    case NGX_HTTP_CONFLICT_NOT_DONE:
        (void) ops->cancel(op);
        break;

    case NGX_HTTP_CONFLICT_UNCERTAIN:
        op->quarantine = 0;
        (void) ops->abandon(op);
        break;

    default: /* NGX_HTTP_CONFLICT_AMBIGUOUS */
        (void) ops->abandon(op);
    }

    if (class >= NGX_HTTP_CONFLICT_UNCERTAIN) {
        ctx->current = 0;
    }
}
