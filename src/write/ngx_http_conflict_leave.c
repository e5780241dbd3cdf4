
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Requests that an internal redirect leads on as they are, such as by try_files
 * or to a named location: they are guarded there, or do not get there.
 */


#include "write/ngx_http_conflict_write.h"


static void ngx_http_conflict_leave_unguarded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_leave_unread(ngx_http_request_t *r);


/*
 * The first location may not know the resource of a write, or not guard its
 * method.
 */

ngx_int_t
ngx_http_conflict_leave(ngx_http_request_t *r, ngx_http_conflict_ctx_t **ctx,
    ngx_http_conflict_ctx_t **previous)
{
    ngx_str_t                      resource, key;
    ngx_http_conflict_ctx_t       *old;
    ngx_http_conflict_loc_conf_t  *nlcf;

    old = *ctx;
    *previous = NULL;

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

    *previous = old->idempotency ? old : NULL;
    *ctx = NULL;

    return NGX_OK;
}


/* the first location may have sent it to an upstream, without a check */

static void
ngx_http_conflict_leave_unguarded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  sent, status;

    (void) ngx_http_conflict_upstream_attempts(r, 0, &sent, &status);

    ngx_http_conflict_unleased_unguarded(ctx, status);

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

    if (ctx->flow.error_status) {
        return (ngx_int_t) ctx->flow.error_status;
    }

    return (ctx->body.reading || ngx_http_conflict_request_body_unread(r))
           ? ngx_http_conflict_leave_unread(r)
           : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * nginx has ended the read of the body, and has not kept the status of that; it
 * has no pages for a client that was too slow or is gone.
 */

static ngx_int_t
ngx_http_conflict_leave_unread(ngx_http_request_t *r)
{
    off_t                      left;
    ngx_http_core_loc_conf_t  *clcf;

    if (!r->headers_in.chunked || r->request_body == NULL
        || r->request_body->chunked == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* as nginx compares them, if both locations have the same limit */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    left = clcf->client_max_body_size - r->headers_in.content_length_n;

    return (clcf->client_max_body_size && left < r->request_body->chunked->size)
           ? NGX_HTTP_REQUEST_ENTITY_TOO_LARGE : NGX_HTTP_BAD_REQUEST;
}
