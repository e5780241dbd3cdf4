
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Responses made by the module.  Builds the JSON body of a refusal, which
 * embeds the latest representation.
 */


#include "answer/ngx_http_conflict_answer.h"
#include "response/ngx_http_conflict_response.h"
#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "hold/ngx_http_conflict_hold.h"
#include "audit/ngx_http_conflict_audit.h"
#include "latest/ngx_http_conflict_latest.h"
#include "http/ngx_http_conflict_json.h"
#include "http/ngx_http_conflict_writer.h"


static ngx_int_t ngx_http_conflict_answer_refusal(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t **out);
static u_char *ngx_http_conflict_answer_value(ngx_http_conflict_writer_t *out,
    const char *name, u_char *value, size_t len);
static json_t *ngx_http_conflict_answer_head(ngx_http_conflict_ctx_t *ctx);
static json_t *ngx_http_conflict_answer_tail(ngx_http_conflict_ctx_t *ctx);


ngx_int_t
ngx_http_conflict_answer_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_chain_t              *out, body[3];
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    ctx->flow.answered = 1;

    /* the verdict is final; other writes need not wait for the lease */
    ngx_http_conflict_outcome_end(ctx);

    if (ctx->hold.resolves.len) {
        /* the write may be a retry of one that has resolved it */
        ngx_http_conflict_hold_answered(ctx);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->flow.action != NGX_HTTP_CONFLICT_ACTION_NONE
        && ngx_http_conflict_audit_id(ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a stale If-Match must not turn 200 into 412 */
    r->disable_not_modified = 1;

    /* nor must an "error_page" that led here set the status */
    r->err_status = 0;

    if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_RELAY
        || ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_LATEST)
    {
        out = body;
        rc = ngx_http_conflict_latest_answer(r, ctx, body);

    } else {
        rc = ngx_http_conflict_answer_refusal(r, ctx, &out);
    }

    if (rc != NGX_OK
        || ngx_http_conflict_cors_add(r, ctx) != NGX_OK
        || ngx_http_conflict_conflict_field(r, ctx) != NGX_OK
        || ngx_http_conflict_header_add(r, "Cache-Control", "no-store",
                                        sizeof("no-store") - 1)
           != NGX_OK)
    {
        ngx_http_conflict_audit(r, ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* before the response, so that no refusal lacks its audit line */
    ngx_http_conflict_audit(r, ctx, r->headers_out.status);

    return ngx_http_conflict_capture_send(r, ctx, out);
}


static ngx_int_t
ngx_http_conflict_answer_refusal(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t **chain)
{
    json_t                      *head, *tail;
    ngx_str_t                    document;
    const char                  *omitted;
    ngx_http_conflict_writer_t   out;

    omitted = NULL;
    ngx_str_null(&document);

    if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_STALE) {
        omitted = ngx_http_conflict_answer_document(ctx, &document);

        if (document.len && ctx->conf->doc_inject && ctx->version.current
            && ngx_http_conflict_version_inject_text(r, ctx->conf->doc_inject,
                                                     ctx->version.current,
                                                     &document)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    head = ngx_http_conflict_answer_head(ctx);

    if (document.len == 0
        && ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_STALE)
    {
        if (ctx->flow.action == NGX_HTTP_CONFLICT_ACTION_DELETED
            && (ctx->caller.may_see
                || ngx_http_conflict_latest_response_gone(ctx->latest.status)))
        {
            ngx_http_conflict_json_set(&head, "server_version", json_null());
            ngx_http_conflict_json_set(&head, "deleted", json_true());

        } else if (omitted) {
            ngx_http_conflict_json_set(&head, "server_version", json_null());
            ngx_http_conflict_json_set(&head, "server_version_omitted",
                                       json_string(omitted));
        }
    }

    ngx_memzero(&out, sizeof(ngx_http_conflict_writer_t));
    out.pool = r->pool;

    ngx_http_conflict_writer_print(&out, "{");
    ngx_http_conflict_json_print(&out, head);

    if (document.len) {
        /* byte for byte, as jansson would change its numbers */
        ngx_http_conflict_writer_print(&out, ",\"server_version\":");
        ngx_http_conflict_writer_ref(&out, &document);
    }

    if (ctx->merge.clashed) {
        ctx->merge.omitted
            += ngx_http_conflict_answer_clashes(&out, &ctx->merge, 0);
    }

    if (ctx->resolver && ctx->resolver->detail.len) {
        ngx_http_conflict_writer_print(&out, ",\"resolver\":");
        ngx_http_conflict_writer_json(&out, ctx->resolver->detail.data,
                                      ctx->resolver->detail.len);
    }

    tail = ngx_http_conflict_answer_tail(ctx);

    if (json_object_size(tail)) {
        ngx_http_conflict_writer_print(&out, ",");
    }

    ngx_http_conflict_json_print(&out, tail);
    ngx_http_conflict_writer_print(&out, "}\n");

    if (out.failed) {
        return NGX_ERROR;
    }

    out.last->buf->last_buf = 1;
    out.last->buf->last_in_chain = 1;

    *chain = out.first;
    r->headers_out.content_length_n = out.size;

    return ngx_http_conflict_problem_headers(r, ctx);
}


/* copies values byte for byte, as jansson would change their numbers */

ngx_uint_t
ngx_http_conflict_answer_clashes(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_merge_t *merge, ngx_uint_t all)
{
    u_char            *p;
    json_t            *json;
    ngx_str_t          field;
    const char        *rule;
    ngx_uint_t         n, masked;
    conflict_clash_t  *clash, *last;

    n = 0;
    masked = 0;

    /* the pointer to the whole document is empty, and so may be the texts */
    p = merge->values.len ? merge->values.data : (u_char *) "";

    clash = (conflict_clash_t *) merge->clashes.data;
    last = clash + merge->clashes.len / sizeof(conflict_clash_t);

    ngx_http_conflict_writer_print(out, ",\"conflicts\":[");

    for ( /* void */ ; clash < last; clash++) {
        field.data = p;
        field.len = clash->field;
        p += clash->field;

        if (clash->masked && !all) {
            /* it has no values */
            masked++;
            continue;
        }

        json = json_object();
        ngx_http_conflict_json_set_text(&json, "field", &field);

        rule = conflict_merge_report_rule(clash->rule);
        ngx_http_conflict_json_set(&json, "rule", json_string(rule));

        ngx_http_conflict_writer_print(out, n++ ? ",{" : "{");
        ngx_http_conflict_json_print(out, json);

        p = ngx_http_conflict_answer_value(out, "base", p, clash->base);
        p = ngx_http_conflict_answer_value(out, "server", p, clash->server);
        p = ngx_http_conflict_answer_value(out, "client", p, clash->client);

        ngx_http_conflict_writer_print(out, "}");
    }

    ngx_http_conflict_writer_print(out, "]");

    return masked;
}


static u_char *
ngx_http_conflict_answer_value(ngx_http_conflict_writer_t *out,
    const char *name, u_char *value, size_t len)
{
    if (len) {
        ngx_http_conflict_writer_print(out, ",\"%s\":", name);
        ngx_http_conflict_writer_json(out, value, len);
    }

    return value + len;
}


static json_t *
ngx_http_conflict_answer_head(ngx_http_conflict_ctx_t *ctx)
{
    json_t     *json;
    int64_t     mtime;
    ngx_str_t  *base, text;

    json = ngx_http_conflict_problem_start(ctx);

    if (ctx->flow.reason) {
        text.data = (u_char *) ctx->flow.reason;
        text.len = ngx_strlen(ctx->flow.reason);

        ngx_http_conflict_json_set_text(&json, "detail", &text);
    }

    ngx_http_conflict_json_set_text(&json, "resource", &ctx->target.resource);

    base = &ctx->pre.base;

    if (base->len == 1 && base->data[0] == '0') {
        ngx_http_conflict_json_set(&json, "base_version", json_integer(0));

    } else if (base->len) {
        ngx_http_conflict_json_set_base(&json, "base_version", base);
    }

    if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_LOCKED
        && ctx->caller.may_see)
    {
        ngx_http_conflict_json_set(&json, "lock",
                                   ngx_http_conflict_lock_json(ctx,
                                                    &ctx->op->lock.holder,
                                                    &ctx->op->lock.origin,
                                                    NULL));
    }

    if (ctx->flow.answer != NGX_HTTP_CONFLICT_ANSWER_STALE) {
        return json;
    }

    ngx_http_conflict_json_set(&json, "version",
                               ctx->caller.may_see
                               ? ngx_http_conflict_answer_version(ctx)
                               : json_null());

    mtime = ctx->op->out.mtime;

    if (ctx->caller.may_see && ctx->op->out.present
        && mtime != CONFLICT_TIME_NONE)
    {
        ngx_http_conflict_json_set_time(&json, "changed_at", mtime);
    }

    return json;
}


static json_t *
ngx_http_conflict_answer_tail(ngx_http_conflict_ctx_t *ctx)
{
    json_t     *json;
    ngx_str_t  *held;

    json = json_object();

    if (ctx->merge.clashed) {

        if (ctx->merge.omitted) {
            ngx_http_conflict_json_set(&json, "conflicts_omitted",
                                       json_integer(ctx->merge.omitted));
        }

        ngx_http_conflict_json_set(&json, "base_held",
                                   json_boolean(ctx->merge.base_held));
    }

    held = ngx_http_conflict_hold_id(ctx);

    if (held->len) {
        ngx_http_conflict_json_set_text(&json, "held", held);
    }

    if (ctx->version.conflict_id.len) {
        ngx_http_conflict_json_set_text(&json, "conflict_id",
                                        &ctx->version.conflict_id);
    }

    return json;
}


json_t *
ngx_http_conflict_answer_version(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t  text;

    text = ctx->latest.version_header;

    if ((ctx->version.current && ctx->version.current < CONFLICT_VERSION_LIMIT)
        || ctx->op->in.minted || text.len == 0)
    {
        return ngx_http_conflict_json_version(ctx->version.current);
    }

    /* a base in a body is the version, without the tag's quotes */
    conflict_version_unquote((const char **) &text.data, &text.len);

    return ngx_http_conflict_json_text(&text, NGX_HTTP_CONFLICT_JSON_WHOLE);
}


const char *
ngx_http_conflict_answer_document(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *document)
{
    ngx_str_t                    text;
    ngx_uint_t                   valid, unfiltered;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (ctx->conf->latest == NGX_HTTP_CONFLICT_LATEST_OFF) {
        return NULL;
    }

    if (!latest->valid || latest->status != NGX_HTTP_OK) {
        return "unavailable";
    }

    if (latest->too_large) {
        return "too_large";
    }

    if (!latest->json || latest->encoded) {
        return "not_json";
    }

    if (ngx_http_conflict_capture_shown(ctx, &text) != NGX_OK) {
        return "filtered";
    }

    unfiltered = ngx_http_conflict_capture_unfiltered(ctx);

    valid = unfiltered || conflict_scan_valid(text.data, text.len);

    ngx_http_conflict_latest_document_root(ctx->conf, &text);

    if (!valid || !conflict_scan_valid(text.data, text.len)) {
        return unfiltered ? "not_json" : "filtered";
    }

    *document = text;

    /* merges need the upstream's document as the base, without filters */

    ngx_http_conflict_latest_document_get(ctx, &text);

    if (!unfiltered && !conflict_scan_valid(text.data, text.len)) {
        ngx_str_null(&text);
    }

    ngx_http_conflict_body_history_answered(ctx, &text);

    return NULL;
}
