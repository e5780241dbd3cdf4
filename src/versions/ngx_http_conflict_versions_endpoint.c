
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The states of an endpoint of versions: an own GET, which shows that the
 * client may see the resource, and in which view; then the calls of the store.
 */


#include "versions/ngx_http_conflict_versions.h"
#include "answer/ngx_http_conflict_endpoint.h"
#include "latest/ngx_http_conflict_latest.h"
#include "core/policy/conflict_version.h"


static ngx_str_t  ngx_http_conflict_versions_arg =
    ngx_string("conflict_version");


static ngx_int_t ngx_http_conflict_versions_endpoint_version(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_versions_endpoint_target(
    ngx_http_conflict_ctx_t *ctx);


ngx_http_conflict_state_e
ngx_http_conflict_versions_endpoint_start(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ctx->flow.content = ngx_http_conflict_versions_answer;

    if (ngx_http_conflict_endpoint_start(ctx) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    switch (r->method) {

    case NGX_HTTP_GET:
    case NGX_HTTP_HEAD:
        break;

    case NGX_HTTP_OPTIONS:

        if (!ngx_http_conflict_preflight(r)) {
            return NGX_HTTP_CONFLICT_STATE_RESPOND;
        }

        break;

    default:
        return ngx_http_conflict_endpoint_error(ctx,
                                   NGX_HTTP_CONFLICT_ANSWER_NOT_ALLOWED,
                                   NULL);
    }

    switch (ngx_http_conflict_versions_endpoint_version(ctx)) {

    case NGX_OK:
        return ngx_http_conflict_versions_endpoint_target(ctx);

    case NGX_DECLINED:
        return ngx_http_conflict_endpoint_error(ctx,
                                   NGX_HTTP_CONFLICT_ANSWER_BAD_VERSION,
                                   "conflict_version is not a version");

    default: /* NGX_ERROR */
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }
}


/* the argument, in op->in.pre.base; 0: none, the list is wanted */

static ngx_int_t
ngx_http_conflict_versions_endpoint_version(ngx_http_conflict_ctx_t *ctx)
{
    u_char              *p, *src;
    ngx_str_t            text;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_arg(r, ngx_http_conflict_versions_arg.data,
                     ngx_http_conflict_versions_arg.len, &text)
        != NGX_OK)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, text.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    src = text.data;
    text.data = p;

    ngx_unescape_uri(&p, &src, text.len, 0);

    text.len = p - text.data;

    if (!ngx_http_conflict_conf_minted(ctx->conf)) {
        ctx->op->in.pre.base = ngx_http_conflict_version_source_parse(
                                                   ctx->conf->version, &text);
        return ctx->op->in.pre.base ? NGX_OK : NGX_DECLINED;
    }

    return (conflict_version_parse(&ctx->op->in.pre.base, (char *) text.data,
                                   text.len)
            == 0)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_http_conflict_state_e
ngx_http_conflict_versions_endpoint_target(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    rc = ngx_http_conflict_endpoint_target(ctx);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the resource of conflict_versions is not a path: "
                      "\"%V\", specify it with \"conflict_versions get=PATH\"",
                      ngx_http_conflict_evaluate_escaped(r, &ctx->get.uri));

        return ngx_http_conflict_endpoint_error(ctx,
                                   NGX_HTTP_CONFLICT_ANSWER_NO_RESOURCE,
                                   "neither its key nor the value of "
                                   "conflict_versions get= is a path");
    }

    /* the view of a GET of the resource by this caller: in this spelling */

    if (ngx_http_conflict_latest_get_raw(ctx, &ctx->get.target) != NGX_OK
        || ngx_http_conflict_view_start(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return NGX_HTTP_CONFLICT_STATE_VERSIONS_GET_LATEST;
}


/*
 * A client gets nothing of a resource that it may not see now.  It gets no body
 * that the filters of the location might change.
 */

ngx_http_conflict_state_e
ngx_http_conflict_versions_endpoint_get(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e  next;

    if (!ngx_http_conflict_endpoint_get(ctx, &next)) {
        return next;
    }

    ctx->op->in.view = 0;

    if (ngx_http_conflict_capture_no_filter(ctx)
        && (ctx->conf->versions_public || ctx->caller.user.len
            || ctx->caller.credentials))
    {
        ctx->op->in.view = ctx->latest.view;
    }

    return ctx->op->in.pre.base ? NGX_HTTP_CONFLICT_STATE_VERSIONS_STORE_CALL
                                : NGX_HTTP_CONFLICT_STATE_VERSIONS_STORE_PEEK;
}


ngx_http_conflict_state_e
ngx_http_conflict_versions_endpoint_peek(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_state_e   next;

    op = ctx->op;

    if (!ngx_http_conflict_endpoint_call(ctx, op->store->ops->peek, &next)) {
        return next;
    }

    if (op->out.state == CONFLICT_FREE || op->out.state == CONFLICT_LEASED) {
        ctx->version.current = op->out.version;
    }

    return NGX_HTTP_CONFLICT_STATE_VERSIONS_STORE_CALL;
}


ngx_http_conflict_state_e
ngx_http_conflict_versions_endpoint_call(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e  next;

    if (!ngx_http_conflict_endpoint_call(ctx, ctx->op->store->ops->versions,
                                         &next))
    {
        return next;
    }

    if (ctx->op->in.pre.base && !ctx->op->out.base_held) {
        /* gone, or of another caller: the client must not learn which */
        return ngx_http_conflict_endpoint_error(ctx,
                                   NGX_HTTP_CONFLICT_ANSWER_NO_VERSION,
                                   NULL);
    }

    return NGX_HTTP_CONFLICT_STATE_RESPOND;
}
