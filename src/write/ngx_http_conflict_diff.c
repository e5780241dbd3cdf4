
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The fields in which a stale write that is not merged differs from the
 * latest body: for the log, which shows what rules a merge would need.  A
 * write that passes may wait for a GET to compare it with.
 */


#include "write/ngx_http_conflict_write.h"
#include "hold/ngx_http_conflict_hold.h"
#include "latest/ngx_http_conflict_latest.h"
#include "core/json/conflict_tree.h"
#include "core/text/conflict_buffer.h"
#include "process/ngx_http_conflict_random.h"


#define NGX_HTTP_CONFLICT_DIFF_MAX     65536   /* bytes, unless conflict_log
                                                  has "fields" */
#define NGX_HTTP_CONFLICT_DIFF_RETRY   50      /* msec */


static ngx_int_t ngx_http_conflict_diff_patch(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *server, ngx_str_t *text, conflict_buffer_t *out);
static ngx_int_t ngx_http_conflict_diff_text(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text);
static void ngx_http_conflict_diff_timeout(ngx_event_t *ev);
static ngx_uint_t ngx_http_conflict_diff_is_object(ngx_str_t *text);


void
ngx_http_conflict_diff(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                    text, server;
    conflict_buffer_t            patched;
    conflict_field_t             inject;
    conflict_merge_t             in;
    conflict_merged_t            merged;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (ctx->merge.fields.len || !latest->valid
        || latest->status != NGX_HTTP_OK
        || !latest->json || latest->encoded || latest->too_large
        || (latest->body.len > NGX_HTTP_CONFLICT_DIFF_MAX
            && !ctx->conf->log->fields)
        || ngx_http_conflict_diff_text(ctx, &text) != NGX_OK)
    {
        return;
    }

    ngx_http_conflict_latest_document_get(ctx, &server);

    ngx_memzero(&patched, sizeof(conflict_buffer_t));

    if (!ngx_http_conflict_diff_is_object(&server)
        || ngx_http_conflict_diff_patch(ctx, &server, &text, &patched) != NGX_OK
        || !ngx_http_conflict_diff_is_object(&text))
    {
        conflict_buffer_free(&patched);
        return;
    }

    ngx_memzero(&in, sizeof(conflict_merge_t));
    ngx_memzero(&merged, sizeof(conflict_merged_t));

    /* without a base every difference is a clash */

    in.stale = 1;
    in.client.form = (ctx->merge.form == CONFLICT_FORM_JSON_PATCH)
                     ? CONFLICT_FORM_WHOLE : ctx->merge.form;
    in.values = ctx->conf->max_values;
    in.seed = ngx_http_conflict_random_seed();
    in.ignored = ctx->conf->base->pointer;

    if (ctx->conf->doc_inject) {
        /* the injected version is not an edit if it is sent back */
        ngx_memzero(&inject, sizeof(conflict_field_t));

        inject.pointer = *ctx->conf->doc_inject;
        inject.rule = CONFLICT_RULE_LWW;

        in.fields = &inject;
        in.n = 1;
    }

    in.client.data = text.data;
    in.client.len = text.len;
    in.server.data = server.data;
    in.server.len = server.len;

    if (conflict_merge(&in, &merged) == CONFLICT_MERGE_CLASH
        && merged.fields.len)
    {
        ctx->merge.fields.data = ngx_pnalloc(ctx->request->pool,
                                             merged.fields.len);

        if (ctx->merge.fields.data) {
            ngx_memcpy(ctx->merge.fields.data, merged.fields.data,
                       merged.fields.len);
            ctx->merge.fields.len = merged.fields.len;
        }
    }

    conflict_merge_free(&merged);
    conflict_buffer_free(&patched);
}


/* a JSON Patch: the document that it would make of the latest one */

static ngx_int_t
ngx_http_conflict_diff_patch(ngx_http_conflict_ctx_t *ctx, ngx_str_t *server,
    ngx_str_t *text, conflict_buffer_t *out)
{
    conflict_document_t  doc, patch;

    if (ctx->merge.form != CONFLICT_FORM_JSON_PATCH) {
        return NGX_OK;
    }

    doc.data = server->data;
    doc.len = server->len;
    doc.form = CONFLICT_FORM_WHOLE;

    patch.data = text->data;
    patch.len = text->len;
    patch.form = CONFLICT_FORM_JSON_PATCH;

    if (conflict_patch_apply(&doc, &patch, out, ctx->conf->max_values,
                             ngx_http_conflict_random_seed())
        != 0)
    {
        return NGX_DECLINED;
    }

    text->data = out->data;
    text->len = out->len;

    return NGX_OK;
}


/* the client's document, if it is an object or a patch of one */

static ngx_int_t
ngx_http_conflict_diff_text(ngx_http_conflict_ctx_t *ctx, ngx_str_t *text)
{
    ngx_http_conflict_body_t  *body;

    body = &ctx->body;

    if (!body->done || body->size == 0 || body->too_large || ctx->pair
        || (body->size > NGX_HTTP_CONFLICT_DIFF_MAX
            && !ctx->conf->log->fields)
        || ngx_http_conflict_request_body_text(ctx, text) != NGX_OK
        || (ctx->merge.form != CONFLICT_FORM_JSON_PATCH
            && !ngx_http_conflict_diff_is_object(text)))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_conflict_diff_start(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                    text;
    ngx_uint_t                   hold;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;
    hold = (ctx->conf->hold && ctx->pair == NULL);

    if (latest->valid && latest->version == ctx->op->out.version) {
        /* it was fetched to resolve an unknown outcome */

        if (!hold) {
            ngx_http_conflict_diff(ctx);
            return 0;
        }

    } else if (!hold
               && (!ctx->conf->log->fields || ctx->conf->wait == 0
                   || ngx_http_conflict_diff_text(ctx, &text) != NGX_OK))
    {
        return 0;

    } else {
        latest->valid = 0;
    }

    if (ctx->op->out.leased) {
        /* the GET may outlast the lease */
        ngx_http_conflict_outcome_hold(ctx);
    }

    return 1;
}


ngx_http_conflict_state_e
ngx_http_conflict_diff_fetched(ngx_http_conflict_ctx_t *ctx)
{
    ngx_event_t                 *timeout;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (latest->valid || ctx->conf->wait == 0) {
        ngx_http_conflict_diff_end(ctx);
        ngx_http_conflict_diff(ctx);
        return ngx_http_conflict_hold(ctx, NGX_HTTP_CONFLICT_STATE_FORWARD);
    }

    latest->version = ctx->op->out.version;
    latest->started = 0;
    latest->revalidate = 0;

    timeout = ngx_pcalloc(ctx->request->pool, sizeof(ngx_event_t));
    if (timeout == NULL) {
        return NGX_HTTP_CONFLICT_STATE_FORWARD;
    }

    timeout->handler = ngx_http_conflict_diff_timeout;
    timeout->data = ctx;
    timeout->log = ctx->request->connection->log;

    ctx->timing.diff_timer = timeout;

    ngx_add_timer(timeout, ctx->conf->wait);

    return NGX_HTTP_CONFLICT_STATE_GET_LATEST;
}


/*
 * The write has waited for conflict_wait: ends the GET as if its body had
 * been cut short.  A GET without an upstream cannot be ended.
 */

static void
ngx_http_conflict_diff_timeout(ngx_event_t *ev)
{
    ngx_http_conflict_ctx_t *ctx = ev->data;

    ngx_connection_t     *c;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = ctx->latest.request;

    if (!ctx->latest.started || ctx->latest.done || r == NULL) {
        return;
    }

    u = r->upstream;
    c = r->connection;

    if (u == NULL || u->cleanup == NULL || r->aio) {
        /* access is still being checked, or a thread reads a file */
        ngx_add_timer(ev, NGX_HTTP_CONFLICT_DIFF_RETRY);
        return;
    }

    ngx_http_set_log_request(c->log, r);

    ngx_log_error(NGX_LOG_WARN, c->log, 0,
                  "the GET for what a stale write changes was not answered "
                  "within \"conflict_wait\", the write passes without it");

    /* as ngx_http_upstream_create() ends a previous upstream */

    r->main->count++;
    (*u->cleanup)(r);

    ngx_http_finalize_request(r, NGX_ERROR);
    ngx_http_run_posted_requests(c);
}


void
ngx_http_conflict_diff_end(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->timing.diff_timer && ctx->timing.diff_timer->timer_set) {
        ngx_del_timer(ctx->timing.diff_timer);
    }
}


static ngx_uint_t
ngx_http_conflict_diff_is_object(ngx_str_t *text)
{
    size_t  i;

    for (i = conflict_text_bom(text->data, text->len);
         i < text->len && text->data[i] <= ' ';
         i++)
    {
        /* void */
    }

    if (i == text->len || text->data[i] != '{') {
        return 0;
    }

    return conflict_scan_valid(text->data, text->len);
}
