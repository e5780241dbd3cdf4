
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Parts of the states of endpoints.  A client that may not see a resource must
 * learn from none of them what is stored about it.
 */


#include "answer/ngx_http_conflict_answer.h"
#include "answer/ngx_http_conflict_endpoint.h"
#include "audit/ngx_http_conflict_audit.h"
#include "latest/ngx_http_conflict_latest.h"


static ngx_int_t ngx_http_conflict_endpoint_options(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_endpoint_no_content(ngx_http_request_t *r);


ngx_int_t
ngx_http_conflict_endpoint_start(ngx_http_conflict_ctx_t *ctx)
{
    /* the module's filters ignore the response */
    ctx->flow.answered = 1;

    ctx->op = ngx_http_conflict_store_call_op(ctx->request, ctx->conf,
                                              &ctx->target.key, 0);
    if (ctx->op == NULL) {
        return NGX_ERROR;
    }

    if (ctx->conf->store->owned) {
        /* a minted version would make an owned one stale */
        ctx->op->in.minted = 0;
    }

    return ngx_http_conflict_caller(ctx->request, ctx);
}


ngx_int_t
ngx_http_conflict_endpoint_target(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t  *uri;

    uri = &ctx->get.uri;

    if (ctx->conf->get == NULL) {
        *uri = ctx->target.resource;

    } else if (ngx_http_conflict_evaluate_target(ctx->request, ctx->conf->get,
                                                 uri, &ctx->get.args)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (uri->len && uri->data[0] == '/') ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_http_conflict_endpoint_get(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e *next)
{
    ngx_http_conflict_latest_t  *latest;

    if (!ngx_http_conflict_latest_response(ctx, next)) {
        return 0;
    }

    *next = NGX_HTTP_CONFLICT_STATE_RESPOND;

    if (ctx->method & NGX_HTTP_OPTIONS) {
        /* a preflight only asks whether the page may send the request */
        return 0;
    }

    latest = &ctx->latest;

    if (latest->cached) {
        /* possibly cached for another user */
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    if (latest->status >= 200 && latest->status < 300) {
        ctx->caller.may_see = 1;
        return 1;
    }

    if (latest->status >= 400 && latest->status < 500) {
        /* also 404, which may be 403 in disguise */
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_RELAY;

    } else {
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE;
        ctx->flow.reason = "the GET of the resource failed";
    }

    return 0;
}


ngx_uint_t
ngx_http_conflict_endpoint_call(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call, ngx_http_conflict_state_e *next)
{
    switch (ngx_http_conflict_store_call(ctx, call)) {

    case NGX_OK:
        return 1;

    case NGX_AGAIN:
        *next = NGX_HTTP_CONFLICT_STATE_AGAIN;
        return 0;

    default: /* NGX_ERROR */
        *next = ngx_http_conflict_endpoint_error(ctx,
                  (ctx->op->out.error == NGX_HTTP_CONFLICT_STORE_GENERATION)
                  ? NGX_HTTP_CONFLICT_ANSWER_GENERATION
                  : NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE, NULL);
        return 0;
    }
}


ngx_http_conflict_state_e
ngx_http_conflict_endpoint_error(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, const char *reason)
{
    ctx->flow.answer = answer;
    ctx->flow.reason = reason;

    return NGX_HTTP_CONFLICT_STATE_RESPOND;
}


ngx_int_t
ngx_http_conflict_endpoint_respond(ngx_http_request_t *r,
    ngx_http_handler_pt content, ngx_http_conflict_writer_t *out)
{
    ngx_int_t                 rc;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    if (ctx == NULL || ctx->flow.content != content) {
        /* a subrequest, or an internal redirect from a guarded location */
        return NGX_HTTP_NOT_FOUND;
    }

    if (ctx->flow.answer != NGX_HTTP_CONFLICT_ANSWER_NONE) {
        return ngx_http_conflict_answer_handler(r);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    /* conditions of the client are about the resource itself */
    r->disable_not_modified = 1;

    /* nor must an "error_page" that led here set the status */
    r->err_status = 0;

    /* nor an upstream that led here by X-Accel-Redirect the type */
    ngx_str_null(&r->headers_out.content_type);

    if (ctx->method & NGX_HTTP_OPTIONS) {
        return ngx_http_conflict_endpoint_options(r, ctx);
    }

    if (out) {
        ngx_memzero(out, sizeof(ngx_http_conflict_writer_t));
        out->pool = r->pool;
    }

    return NGX_DECLINED;
}


/* may be a preflight */

static ngx_int_t
ngx_http_conflict_endpoint_options(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t  methods;

    ngx_http_conflict_preflight_methods(ctx, &methods);
    ngx_http_conflict_endpoint_no_content(r);

    if (ngx_http_conflict_header_add(r, "Allow", (char *) methods.data,
                                     methods.len)
        != NGX_OK
        || ngx_http_conflict_preflight_allow(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_conflict_capture_send(r, ctx, NULL);
}


static void
ngx_http_conflict_endpoint_no_content(ngx_http_request_t *r)
{
    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;
}


ngx_int_t
ngx_http_conflict_endpoint_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_writer_t *out)
{
    if (out->failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (out->first == NULL) {
        ngx_http_conflict_endpoint_no_content(r);

    } else {
        out->last->buf->last_buf = 1;
        out->last->buf->last_in_chain = 1;

        r->headers_out.status = NGX_HTTP_OK;
        r->headers_out.content_length_n = out->size;

        if (r->headers_out.content_type.len == 0) {
            ngx_str_set(&r->headers_out.content_type, "application/json");
        }

        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = NULL;
    }

    if (ngx_http_conflict_cors_add(r, ctx) != NGX_OK
        || ngx_http_conflict_header_add(r, "Cache-Control", "no-store",
                                        sizeof("no-store") - 1)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* only what a lock endpoint does has an action */
    ngx_http_conflict_audit(r, ctx, r->headers_out.status);

    return ngx_http_conflict_capture_send(r, ctx, out->first);
}
