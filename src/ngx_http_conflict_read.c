
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A GET or HEAD on its way to the upstream: its version is asked for before
 * that runs.  The way back is in _filter.c.
 */


#include "ngx_http_conflict_module.h"


static ngx_int_t ngx_http_conflict_peeked(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


ngx_int_t
ngx_http_conflict_read(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    if (ctx->op) {
        return ngx_http_conflict_peeked(r, ctx);
    }

    op = ngx_http_conflict_op_create(r, ctx->conf->store, &ctx->key, 0);
    if (op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    op->minted = (ctx->conf->version->place == NGX_HTTP_CONFLICT_DEFAULT);
    op->done = ngx_http_conflict_op_done;
    ctx->op = op;
    ngx_http_conflict_keep_want(ctx);
    ctx->store_start = ngx_current_msec;

    /*
     * Before the upstream runs, so that the version is never newer than
     * the body.
     */

    op->rc = op->store->ops->peek(op);

    return ngx_http_conflict_peeked(r, ctx);
}


static ngx_int_t
ngx_http_conflict_peeked(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (op->busy) {
        return NGX_AGAIN;
    }

    if (ctx->outcome != NGX_HTTP_CONFLICT_NONE) {
        /* after an internal redirect */
        return NGX_DECLINED;
    }

    ctx->store_time = ngx_current_msec - ctx->store_start;

    if (op->rc != NGX_OK) {
        /* no validators, then; nobody can hold this read for checked */
        ctx->outcome = NGX_HTTP_CONFLICT_UNCHECKED;
        return NGX_DECLINED;
    }

    ctx->outcome = NGX_HTTP_CONFLICT_PASSED;
    ctx->against = op->version;
    ctx->against_time = op->mtime;

    if (op->state == CONFLICT_FREE || op->state == CONFLICT_LEASED) {
        ctx->current = op->version;
    }

    if (ngx_http_conflict_hide(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (op->minted && !ctx->conf->report) {
        /* the body may have changed, and the version not */
        r->headers_in.if_none_match = NULL;
        r->headers_in.if_modified_since = NULL;
    }

    return NGX_DECLINED;
}
