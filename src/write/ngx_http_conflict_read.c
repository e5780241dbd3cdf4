
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A GET or HEAD up to the upstream: the version is read from the store before
 * the upstream runs, and an own GET may prove an unknown one.  The response
 * is in filter.c.
 */


#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "latest/ngx_http_conflict_latest.h"


static ngx_uint_t ngx_http_conflict_read_denied(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


ngx_http_conflict_state_e
ngx_http_conflict_read_start(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_request_t      *r;
    ngx_http_conflict_op_t  *op;

    r = ctx->request;

    op = ngx_http_conflict_store_call_op(r, ctx->conf, &ctx->target.key, 0);
    if (op == NULL) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    op->in.edits = (ctx->conf->edited != NULL);
    ctx->op = op;

    if (ngx_http_conflict_view_start(r, ctx) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ngx_http_conflict_body_history_configure(ctx);

    return NGX_HTTP_CONFLICT_STATE_READ_STORE_PEEK;
}


/*
 * Before the upstream runs, so the version is never newer than the body.  If
 * the state is unknown, the latest body may prove that the version is still
 * the previous one.
 */

ngx_http_conflict_state_e
ngx_http_conflict_read_peek(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    rc = ngx_http_conflict_store_call(ctx, op->store->ops->peek);

    if (rc == NGX_AGAIN) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    ctx->timing.settling = (rc == NGX_OK && op->out.settling) ? op->out.wait
                                                              : 0;

    if (rc == NGX_OK && op->out.state == CONFLICT_UNKNOWN && op->in.minted
        && !ctx->conf->report)
    {
        ctx->latest.revalidate = 1;
        return NGX_HTTP_CONFLICT_STATE_READ_GET_LATEST;
    }

    return NGX_HTTP_CONFLICT_STATE_READ_FORWARD;
}


/* as for a write; if nothing is proved, the read has no version */

ngx_http_conflict_state_e
ngx_http_conflict_read_get_latest(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e    next;
    ngx_http_conflict_latest_t  *latest;

    if (!ngx_http_conflict_latest_response(ctx, &next)) {
        return next;
    }

    latest = &ctx->latest;

    if (latest->cached || latest->status != NGX_HTTP_OK
        || ngx_http_conflict_latest_document_observe(ctx) != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_READ_FORWARD;
    }

    ctx->op->in.observed.latest = 1;
    ctx->op->out.applied = 0;

    return NGX_HTTP_CONFLICT_STATE_READ_STORE_OBSERVE;
}


ngx_http_conflict_state_e
ngx_http_conflict_read_observe(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_conflict_store_call(ctx, ctx->op->store->ops->observe);

    if (rc == NGX_AGAIN) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    if (rc == NGX_OK && ctx->op->out.applied) {
        ctx->op->out.state = CONFLICT_FREE;
    }

    return NGX_HTTP_CONFLICT_STATE_READ_FORWARD;
}


ngx_http_conflict_state_e
ngx_http_conflict_read_forward(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->conf->list && ctx->list == NULL && op->rc == NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_READ_LIST_MARK;
    }

    ctx->pass.forwarded = 1;
    ctx->pass.upstream = ctx->request->upstream;
    ctx->pass.err_status = ctx->request->err_status;
    ctx->pass.error_page = ctx->request->error_page;

    if (ctx->request->upstream_states) {
        ctx->pass.first_attempt = ctx->request->upstream_states->nelts;
    }

    if (op->rc != NGX_OK) {
        /* without validators, so that the response cannot be used as a base */
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED;
        return NGX_HTTP_CONFLICT_STATE_FORWARDED;
    }

    ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_PASSED;
    ctx->version.compared = op->out.version;
    ctx->version.compared_time = op->out.mtime;

    if (op->out.state == CONFLICT_FREE || op->out.state == CONFLICT_LEASED) {
        ctx->version.current = op->out.version;
    }

    return (ngx_http_conflict_pass_headers(ctx->request, ctx) == NGX_OK)
           ? NGX_HTTP_CONFLICT_STATE_FORWARDED : NGX_HTTP_CONFLICT_STATE_ERROR;
}


/*
 * A page in place of a response that refuses, or has failed, may have any
 * status; what is known of the resource is not about it.  Another upstream's
 * response is that of the resource, unless the first has denied it.
 */

ngx_uint_t
ngx_http_conflict_read_page(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (ngx_http_conflict_denied(r)) {
        return 1;
    }

    if (r->err_status != ctx->pass.err_status) {
        /* given by nginx, whatever the upstream of the page has answered */
        return 1;
    }

    if (u == ctx->pass.upstream) {
        /* of a handler without an upstream */
        return r->error_page != ctx->pass.error_page;
    }

    return (u->headers_in.status_n != r->headers_out.status
            && !ngx_http_conflict_upstream_attempts_redirected(r))
           || ngx_http_conflict_read_denied(r, ctx);
}


/* the attempts of each upstream follow a state without a peer */

static ngx_uint_t
ngx_http_conflict_read_denied(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL) {
        return 0;
    }

    state = r->upstream_states->elts;

    for (i = ctx->pass.first_attempt; i + 1 < r->upstream_states->nelts; i++) {

        if (state[i + 1].peer != NULL) {
            continue;
        }

        /* what has followed early hints is not known any more */

        if (ngx_http_conflict_latest_response_denied(state[i].status)
            || state[i].status == NGX_HTTP_CONFLICT_EARLY_HINTS)
        {
            return 1;
        }
    }

    return 0;
}
