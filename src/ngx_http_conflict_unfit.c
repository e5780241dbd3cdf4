
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Writes that cannot be merged whatever their fields say, and how they are
 * refused.
 */


#include "ngx_http_conflict_module.h"


static ngx_int_t ngx_http_conflict_unfit_reason(ngx_http_conflict_ctx_t *ctx,
    const char *what);


/* there is nothing that it could be merged with */

void
ngx_http_conflict_unfit(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->op->out.verdict == CONFLICT_COMBINE) {
        ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_STALE,
                                 NGX_HTTP_CONFLICT_REJECTED,
                                 NGX_HTTP_CONFLICT_ACT_VERSION);
        return;
    }

    if (ctx->reason == NULL) {
        ctx->reason = "a GET does not show which values the server's fields "
                      "have";
    }

    ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_UNAVAILABLE,
                             NGX_HTTP_CONFLICT_REJECTED,
                             NGX_HTTP_CONFLICT_NO_ACTION);
}


ngx_int_t
ngx_http_conflict_unfit_body(ngx_http_conflict_ctx_t *ctx)
{
    if (ngx_http_conflict_unfit_reason(ctx, "the body has") != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_TOO_LARGE,
                             NGX_HTTP_CONFLICT_REJECTED,
                             NGX_HTTP_CONFLICT_NO_ACTION);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_unfit_values(ngx_http_conflict_ctx_t *ctx)
{
    if (ngx_http_conflict_unfit_reason(ctx, "the body and what it would be "
                                            "merged with have")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_conflict_unfit(ctx);

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_unfit_reason(ngx_http_conflict_ctx_t *ctx, const char *what)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(what)
          + sizeof(" more values than conflict_max_values, ")
          + NGX_INT_T_LEN;

    p = ngx_pnalloc(ctx->request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->reason = (char *) p;

    p = ngx_sprintf(p, "%s more values than conflict_max_values, %ui", what,
                    ctx->conf->max_values);
    *p = '\0';

    return NGX_OK;
}
