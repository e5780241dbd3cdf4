
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Subrequests by which the content handler of a request does its work, such as
 * ngx.location.capture() of Lua: what they have sent for a write, and whether
 * a cache has answered them.
 */


#include "write/ngx_http_conflict_write.h"


typedef struct {
    ngx_http_request_t            *request;
    ngx_http_upstream_t           *upstream;   /* as it was before */
    ngx_uint_t                     attempts;   /* made before */
} ngx_http_conflict_delegate_t;


static ngx_uint_t ngx_http_conflict_delegate_is(ngx_http_request_t *r,
    ngx_http_request_t *top);
static ngx_http_conflict_class_e ngx_http_conflict_delegate_sent(
    ngx_http_conflict_delegate_t *delegate);


ngx_int_t
ngx_http_conflict_delegate(ngx_http_request_t *r)
{
    ngx_uint_t                     i;
    ngx_http_conflict_ctx_t       *ctx;
    ngx_http_conflict_delegate_t  *delegate;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL || ctx->kind == NGX_HTTP_CONFLICT_KIND_READ
        || (!ctx->pass.forwarded && ctx->kind < NGX_HTTP_CONFLICT_KIND_POST)
        || ngx_http_conflict_directive_method_safe(&r->method_name)
        || !ngx_http_conflict_delegate_is(r, r->main))
    {
        return NGX_OK;
    }

    if (ctx->pass.delegates == NULL) {
        ctx->pass.delegates = ngx_array_create(r->pool, 1,
                                         sizeof(ngx_http_conflict_delegate_t));
        if (ctx->pass.delegates == NULL) {
            return NGX_ERROR;
        }
    }

    delegate = ctx->pass.delegates->elts;

    for (i = 0; i < ctx->pass.delegates->nelts; i++) {

        if (delegate[i].request == r) {
            /* resumed, or redirected internally */
            return NGX_OK;
        }
    }

    delegate = ngx_array_push(ctx->pass.delegates);
    if (delegate == NULL) {
        return NGX_ERROR;
    }

    delegate->request = r;
    delegate->upstream = r->upstream;
    delegate->attempts = r->upstream_states ? r->upstream_states->nelts : 0;

    return NGX_OK;
}


/*
 * Whether "top" does its work by the subrequest: neither auth_request nor
 * mirror has made it, which belong to no handler, nor the handlers of theirs.
 */

static ngx_uint_t
ngx_http_conflict_delegate_is(ngx_http_request_t *r, ngx_http_request_t *top)
{
    ngx_http_phase_handler_t   *ph;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    ph = cmcf->phase_engine.handlers;

    for ( /* void */ ; r != top; r = r->parent) {

        if (r->background
            || ph[r->parent->phase_handler].checker
               != ngx_http_core_content_phase)
        {
            return 0;
        }
    }

    return 1;
}


ngx_http_conflict_class_e
ngx_http_conflict_delegate_outcome(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_http_conflict_class_e      outcome, one;
    ngx_http_conflict_delegate_t  *delegate;

    outcome = NGX_HTTP_CONFLICT_NOT_DONE;

    if (ctx->pass.delegates == NULL) {
        return outcome;
    }

    delegate = ctx->pass.delegates->elts;

    for (i = 0; i < ctx->pass.delegates->nelts; i++) {
        one = ngx_http_conflict_delegate_sent(&delegate[i]);
        outcome = ngx_max(outcome, one);
    }

    return outcome;
}


static ngx_http_conflict_class_e
ngx_http_conflict_delegate_sent(ngx_http_conflict_delegate_t *delegate)
{
    ngx_uint_t           sent, status;
    ngx_http_request_t  *r;

    r = delegate->request;

    if (r->upstream == delegate->upstream) {
        /* a handler without an upstream, such as dav; 0: none has run */
        status = r->headers_out.status;
        sent = (status != 0);

    } else {
        (void) ngx_http_conflict_upstream_attempts(r, delegate->attempts,
                                                   &sent, &status);
    }

    if (sent == 0) {
        return NGX_HTTP_CONFLICT_NOT_DONE;
    }

    return (sent > 1) ? NGX_HTTP_CONFLICT_AMBIGUOUS
                      : ngx_http_conflict_outcome_status(status);
}


/*
 * What a handler makes of a response that comes from a cache is as old as that.
 * An include comes after the header of what it is included in.
 */

void
ngx_http_conflict_delegate_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_request_t  *top;

    if (!ngx_http_conflict_header_cached(r)) {
        return;
    }

    top = r->parent;

    while (top != r->main && top != ctx->latest.request) {
        top = top->parent;
    }

    if (!ngx_http_conflict_delegate_is(r, top)) {
        return;
    }

    if (top != r->main) {

        if (ctx->latest.sent == 0) {
            ctx->latest.delegate_cached = 1;
        }

    } else if (!ctx->flow.filtered) {
        ctx->pass.delegate_cached = 1;
    }
}
