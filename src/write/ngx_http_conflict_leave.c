
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Requests that an internal redirect leads on as they are, such as by try_files
 * or to a named location: they are guarded there, or do not get there.
 */


#include "write/ngx_http_conflict_write.h"


static void ngx_http_conflict_leave_unguarded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * The first location may not know the resource of a write, or not guard its
 * method.
 */

ngx_int_t
ngx_http_conflict_leave(ngx_http_request_t *r, ngx_http_conflict_ctx_t **ctx,
    ngx_http_conflict_ctx_t **from)
{
    ngx_str_t                      resource, key;
    ngx_http_conflict_ctx_t       *old;
    ngx_http_conflict_loc_conf_t  *nlcf;

    old = *ctx;
    *from = NULL;

    if (old == NULL || old->kind < NGX_HTTP_CONFLICT_KIND_POST
        || (old->idempotency && !old->pass.forwarded)
        || r->method != old->method)
    {
        return NGX_OK;
    }

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    if (nlcf->policy == NGX_HTTP_CONFLICT_OFF
        || ngx_http_conflict_conf_endpoint(nlcf)
        || ngx_http_conflict_method(r, nlcf) != NGX_HTTP_CONFLICT_KIND_WRITE)
    {
        return NGX_OK;
    }

    if (ngx_http_conflict_key(r, nlcf, &resource, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (key.len == 0
        || (old->idempotency
            && ngx_http_conflict_outcome_redirect(old) != NGX_OK))
    {
        return NGX_OK;
    }

    ngx_http_conflict_leave_unguarded(r, old);

    *from = old->idempotency ? old : NULL;
    *ctx = NULL;

    return NGX_OK;
}


/* what was sent so far */

static void
ngx_http_conflict_leave_unguarded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  sent, status;

    (void) ngx_http_conflict_upstream_attempts(r, 0, &sent, &status);

    ngx_http_conflict_outcome_unguarded(ctx, status);

    if (ctx->op && !ctx->flow.unguarded) {
        /* nothing, so it is not counted */
        ngx_http_conflict_op_release(ctx->op);
        ctx->op = NULL;
    }
}


/*
 * An error before the write was sent.  A page is a GET, or is sent by a
 * directive that has run before; anything else would send the write, without a
 * check and with as much of its body as has been read.
 */

ngx_int_t
ngx_http_conflict_leave_unsent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (r->method != ctx->method) {
        return NGX_DECLINED;
    }

    /* not to this location again */
    r->error_page = 1;

    return ctx->flow.error_status ? (ngx_int_t) ctx->flow.error_status
                                  : NGX_HTTP_INTERNAL_SERVER_ERROR;
}
