
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Parts of the states of endpoints.  A client that may not see a resource must
 * learn from none of them what is stored about it.
 */


#include "answer/ngx_http_conflict_endpoint.h"
#include "latest/ngx_http_conflict_latest.h"


ngx_int_t
ngx_http_conflict_endpoint_start(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    /* the module's filters ignore the response */
    ctx->flow.answered = 1;

    ctx->op = ngx_http_conflict_op_create(ctx->request, nlcf->store,
                                          &ctx->target.key, 0);
    if (ctx->op == NULL) {
        return NGX_ERROR;
    }

    /* a minted version would make an owned one stale */

    ctx->op->in.minted = (nlcf->version->place == NGX_HTTP_CONFLICT_DEFAULT
                          && !nlcf->store->owned);

    return ngx_http_conflict_caller(ctx->request, ctx);
}


ngx_int_t
ngx_http_conflict_endpoint_target(ngx_http_conflict_ctx_t *ctx,
    ngx_http_complex_value_t *get)
{
    ngx_str_t  *uri;

    uri = &ctx->get.uri;

    if (get == NULL) {
        *uri = ctx->target.resource;

    } else if (ngx_http_conflict_evaluate_target(ctx->request, get, uri,
                                                 &ctx->get.args)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (uri->len && uri->data[0] == '/') ? NGX_OK : NGX_DECLINED;
}


ngx_http_conflict_state_e
ngx_http_conflict_endpoint_get(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e check, ngx_http_conflict_state_e respond)
{
    switch (ngx_http_conflict_latest_response(ctx)) {

    case NGX_OK:
        break;

    case NGX_AGAIN:
        return NGX_HTTP_CONFLICT_STATE_AGAIN;

    default: /* NGX_ERROR */
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    /* a preflight only asks whether the page may send the request */

    return (ctx->method & NGX_HTTP_OPTIONS) ? respond : check;
}


ngx_int_t
ngx_http_conflict_endpoint_checked(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (latest->cached) {
        /* possibly cached for another user */
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    if (latest->status >= 200 && latest->status < 300) {
        ctx->caller.may_see = 1;
        return NGX_OK;
    }

    if (latest->status >= 400 && latest->status < 500) {
        /* also 404, which may be 403 in disguise */
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_RELAY;

    } else {
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE;
        ctx->flow.reason = "the GET of the resource failed";
    }

    return NGX_DECLINED;
}


void
ngx_http_conflict_endpoint_failed(ngx_http_conflict_ctx_t *ctx)
{
    ctx->flow.answer
        = (ctx->op->out.error == NGX_HTTP_CONFLICT_STORE_GENERATION)
          ? NGX_HTTP_CONFLICT_ANSWER_GENERATION
          : NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE;
    ctx->flow.reason = NULL;
}


ngx_http_conflict_state_e
ngx_http_conflict_endpoint_error(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e respond, ngx_http_conflict_answer_e answer,
    const char *reason)
{
    ctx->flow.answer = answer;
    ctx->flow.reason = reason;

    return respond;
}


ngx_int_t
ngx_http_conflict_endpoint_options(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;
    ngx_str_t  methods;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_conflict_preflight_methods(ctx, &methods);

    r->err_status = 0;

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    if (ngx_http_conflict_header_add(r, "Allow", (char *) methods.data,
                                     methods.len)
        != NGX_OK
        || ngx_http_conflict_preflight_allow(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_conflict_capture_send(r, ctx, NULL);
}
