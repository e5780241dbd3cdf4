
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Hands a write to the content handler of its location, and again after an
 * internal redirect.
 */


#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"


#define ngx_http_conflict_pass_unleased(op)                                   \
    (!(op)->out.leased && !(op)->in.reads)


static void ngx_http_conflict_pass_enter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


ngx_http_conflict_state_e
ngx_http_conflict_pass(ngx_http_conflict_ctx_t *ctx)
{
    uint64_t             start, end;
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    rc = ngx_http_conflict_fence_pass(ctx);

    if (rc != NGX_OK) {
        ctx->flow.error_status = rc;
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ctx->pass.forwarded = 1;

    if (r->upstream_states) {
        ctx->pass.first_attempt = r->upstream_states->nelts;
    }

    if (ctx->flow.action != NGX_HTTP_CONFLICT_ACTION_NONE) {
        ngx_http_conflict_entity(r, ctx);
    }

    if (ngx_http_conflict_outcome_leased(ctx)) {
        ngx_http_conflict_outcome_hold(ctx);

    } else {
        ctx->lease.settled = 1;
    }

    ctx->version.body = ctx->op->out.body;
    ctx->version.body_view = ctx->op->out.body_view;

    ctx->lease.missing = (ngx_http_conflict_pass_unleased(ctx->op)
                          || (ctx->pair
                              && ngx_http_conflict_pass_unleased(
                                     ctx->pair->op)));

    if (ctx->conf->strip_base && !ctx->pass.rewritten && ctx->body.json
        && !ctx->body.error && ctx->body.json->type != CONFLICT_JSON_NONE)
    {
        conflict_scan_cut(ctx->body.json, &start, &end);

        if (ngx_http_conflict_body_edit_cut(r, (off_t) start, (off_t) end)
            != NGX_OK)
        {
            return NGX_HTTP_CONFLICT_STATE_ERROR;
        }

        ctx->pass.rewritten = 1;

        /* it may have been cut in its place, and is a text of its own now */
        ngx_str_null(&ctx->merge.client);
    }

    if (ngx_http_conflict_body_history_save_sent(r, ctx) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (ngx_http_conflict_pass_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ngx_http_conflict_pass_enter(r, ctx);

    return NGX_HTTP_CONFLICT_STATE_FORWARDED;
}


ngx_http_conflict_state_e
ngx_http_conflict_pass_unguarded(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_conflict_pass_headers_unguarded(r, ctx) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ctx->pass.forwarded = 1;

    if (r->upstream_states) {
        ctx->pass.first_attempt = r->upstream_states->nelts;
    }

    ngx_http_conflict_pass_enter(r, ctx);

    return NGX_HTTP_CONFLICT_STATE_FORWARDED;
}


ngx_http_conflict_state_e
ngx_http_conflict_pass_again(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->lease.unsent || ngx_http_conflict_fence_late(ctx)) {
        ctx->flow.error_status = NGX_HTTP_GATEWAY_TIME_OUT;
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (ngx_http_conflict_outcome_redirect(ctx) != NGX_OK) {

        ctx->pass.forwarded = 0;
        ctx->flow.reason = "the outcome of this write itself is unknown: the "
                           "upstream failed, and the write is not sent again";

        return ngx_http_conflict_respond(ctx,
                                      NGX_HTTP_CONFLICT_ANSWER_UNKNOWN_OUTCOME,
                                      NGX_HTTP_CONFLICT_OUTCOME_BUSY,
                                      NGX_HTTP_CONFLICT_ACTION_NONE);
    }

    ngx_http_conflict_pass_enter(ctx->request, ctx);

    return NGX_HTTP_CONFLICT_STATE_FORWARDED;
}


/* the state before the content handler, to tell what it has changed */

static void
ngx_http_conflict_pass_enter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ctx->pass.upstream = r->upstream;
    ctx->pass.err_status = r->err_status;
    ctx->pass.error_page = r->error_page;
    ctx->pass.entered = 0;

    if (!r->reading_body) {
        /* a client that leaves does not end it, as while it has waited */
        r->read_event_handler = ngx_http_block_reading;
    }

    if (r->content_handler && r->method == ctx->method
        && r->content_handler != ngx_http_conflict_upstream_once_handler)
    {
        ctx->pass.content_handler = r->content_handler;
        r->content_handler = ngx_http_conflict_upstream_once_handler;
    }
}
