
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Creates the context of a request, and finds it again after an internal
 * redirect, which clears the contexts of all modules.
 */


#include "http/ngx_http_conflict_http.h"


static void ngx_http_conflict_ctx_cleanup(void *data);


ngx_http_conflict_ctx_t *
ngx_http_conflict_ctx_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_pt cleanup)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_conflict_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_conflict_ctx_cleanup;
    cln->data = ctx;

    ctx->request = r;
    ctx->cleanup = cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_conflict_module);

    return ctx;
}


ngx_http_conflict_ctx_t *
ngx_http_conflict_ctx(ngx_http_request_t *r)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {

        for (cln = r->cleanup; cln; cln = cln->next) {

            if (cln->handler == ngx_http_conflict_ctx_cleanup) {
                ctx = cln->data;
                ngx_http_set_ctx(r, ctx, ngx_http_conflict_module);
                break;
            }
        }
    }

    return (ctx && ctx->target.key.len) ? ctx : NULL;
}


static void
ngx_http_conflict_ctx_cleanup(void *data)
{
    ngx_http_conflict_ctx_t *ctx = data;

    ctx->cleanup(ctx);
}
