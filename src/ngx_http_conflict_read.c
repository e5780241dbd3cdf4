
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A GET or HEAD on its way to the upstream: its version is asked for before
 * that runs, and an unknown one found out.  The way back is in _filter.c.
 */


#include "ngx_http_conflict_module.h"


static ngx_int_t ngx_http_conflict_read_peek(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_read_peeked(ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_read_fetch(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_read_observed(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_read_pass(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * PEEKED goes on to the upstream, or to FETCH where the state is unknown and
 * the body can prove that it is still the version of before.
 */

ngx_int_t
ngx_http_conflict_read(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    do {

        switch (ctx->state) {

        case NGX_HTTP_CONFLICT_ST_BASE:
            rc = ngx_http_conflict_read_peek(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_BEGUN:
            rc = ngx_http_conflict_read_peeked(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_FETCH:
            rc = ngx_http_conflict_read_fetch(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_OBSERVED:
            rc = ngx_http_conflict_read_observed(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_PASS:
            return ngx_http_conflict_read_pass(r, ctx);

        default: /* NGX_HTTP_CONFLICT_ST_PASSED, after an internal redirect */
            return NGX_DECLINED;
        }

    } while (rc == NGX_OK);

    return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


static ngx_int_t
ngx_http_conflict_read_peek(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ngx_http_conflict_op_create(r, ctx->conf->store, &ctx->key, 0);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->in.minted = (ctx->conf->version->place == NGX_HTTP_CONFLICT_DEFAULT);
    op->done = ngx_http_conflict_op_done;
    ctx->op = op;

    if (ngx_http_conflict_view_start(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_keep_want(ctx);

    ctx->state = NGX_HTTP_CONFLICT_ST_BEGUN;
    ctx->store_start = ngx_current_msec;

    /*
     * Before the upstream runs, so that the version is never newer than
     * the body.
     */

    op->rc = op->store->ops->peek(op);

    return (op->rc == NGX_AGAIN) ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_conflict_read_peeked(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (op->busy) {
        return NGX_AGAIN;
    }

    ctx->store_time += ngx_current_msec - ctx->store_start;
    ctx->settling = (op->rc == NGX_OK && op->out.settling) ? op->out.wait : 0;
    ctx->state = NGX_HTTP_CONFLICT_ST_PASS;

    if (op->rc == NGX_OK && op->out.state == CONFLICT_UNKNOWN && op->in.minted
        && !ctx->conf->report)
    {
        ctx->latest.revalidate = 1;
        ctx->state = NGX_HTTP_CONFLICT_ST_FETCH;
    }

    return NGX_OK;
}


/* as for a write; where nothing can be told the read has no version */

static ngx_int_t
ngx_http_conflict_read_fetch(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_latest_t  *latest;

    op = ctx->op;
    latest = &ctx->latest;

    if (!latest->started && ngx_http_conflict_latest_fetch(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!latest->done) {
        return NGX_AGAIN;
    }

    ctx->state = NGX_HTTP_CONFLICT_ST_PASS;

    if (latest->cached || latest->status != NGX_HTTP_OK
        || ngx_http_conflict_latest_seen(ctx) != NGX_OK)
    {
        return NGX_OK;
    }

    op->in.observed.latest = 1;
    op->out.applied = 0;

    ctx->state = NGX_HTTP_CONFLICT_ST_OBSERVED;
    ctx->store_start = ngx_current_msec;

    op->rc = op->store->ops->observe(op);

    return (op->rc == NGX_AGAIN) ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_conflict_read_observed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (op->busy) {
        return NGX_AGAIN;
    }

    ctx->store_time += ngx_current_msec - ctx->store_start;
    ctx->state = NGX_HTTP_CONFLICT_ST_PASS;

    if (op->rc == NGX_OK && op->out.applied) {
        op->out.state = CONFLICT_FREE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_read_pass(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;
    ctx->state = NGX_HTTP_CONFLICT_ST_PASSED;

    if (op->rc != NGX_OK) {
        /* no validators, then; nobody can hold this read for checked */
        ctx->outcome = NGX_HTTP_CONFLICT_UNCHECKED;
        return NGX_DECLINED;
    }

    ctx->outcome = NGX_HTTP_CONFLICT_PASSED;
    ctx->against = op->out.version;
    ctx->against_time = op->out.mtime;

    if (op->out.state == CONFLICT_FREE || op->out.state == CONFLICT_LEASED) {
        ctx->current = op->out.version;
    }

    return (ngx_http_conflict_hide(r, ctx) == NGX_OK)
           ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}
