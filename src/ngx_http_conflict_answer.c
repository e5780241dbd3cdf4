
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What the module answers itself: refusals as JSON, with the latest body in
 * them.
 */


#include "ngx_http_conflict_module.h"


static ngx_int_t ngx_http_conflict_answer_refusal(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out);
static u_char *ngx_http_conflict_answer_clashes(
    ngx_http_conflict_merge_t *merge, u_char *p);
static u_char *ngx_http_conflict_answer_head(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, u_char *p);
static const char *ngx_http_conflict_answer_row(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *row);
static u_char *ngx_http_conflict_answer_version(ngx_http_conflict_ctx_t *ctx,
    u_char *p);


ngx_int_t
ngx_http_conflict_answer_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_chain_t               out[3];
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    ctx->answered = 1;

    /* what was found out with the lease held; nobody need wait any more */
    ngx_http_conflict_settle_end(ctx);

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->action != NGX_HTTP_CONFLICT_NO_ACTION
        && ngx_http_conflict_audit_id(ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* an old If-Match must not turn a 200 into 412 */
    r->disable_not_modified = 1;

    /* nor an "error_page" that led here keep its status */
    r->err_status = 0;

    if (ctx->error == NGX_HTTP_CONFLICT_RELAY
        || ctx->error == NGX_HTTP_CONFLICT_LATEST)
    {
        rc = ngx_http_conflict_relay(r, ctx, out);

    } else {
        rc = ngx_http_conflict_answer_refusal(r, ctx, out);
    }

    if (rc != NGX_OK
        || ngx_http_conflict_cors_add(r, ctx) != NGX_OK
        || ngx_http_conflict_set_field(r, ctx) != NGX_OK
        || ngx_http_conflict_add_header(r, "Cache-Control", "no-store",
                                        sizeof("no-store") - 1)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* before the client has it: no refusal without its line */
    ngx_http_conflict_audit(r, ctx, r->headers_out.status);

    return ngx_http_conflict_capture_send(r, ctx, out);
}


static ngx_int_t
ngx_http_conflict_answer_refusal(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out)
{
    size_t       size;
    u_char      *p;
    ngx_buf_t   *head, *body, *tail;
    ngx_str_t    row;
    const char  *omitted;

    size = 1024 + 6 * (ctx->resource.len + ctx->base.len
                       + ctx->latest.version_header.len)
           + NGX_HTTP_CONFLICT_LOCK_TEXT
           + (ctx->reason ? ngx_strlen(ctx->reason) : 0);

    head = ngx_create_temp_buf(r->pool, size);
    if (head == NULL) {
        return NGX_ERROR;
    }

    body = ngx_calloc_buf(r->pool);
    if (body == NULL) {
        return NGX_ERROR;
    }

    tail = ngx_create_temp_buf(r->pool, 256 + ctx->merge.clashes.len);
    if (tail == NULL) {
        return NGX_ERROR;
    }

    head->last = ngx_http_conflict_answer_head(r, ctx, head->last);

    p = tail->last;
    ngx_str_null(&row);

    if (ctx->error == NGX_HTTP_CONFLICT_STALE) {
        omitted = ngx_http_conflict_answer_row(ctx, &row);

        if (row.len && ctx->conf->row_inject && ctx->current
            && ngx_http_conflict_inject_text(r, ctx->conf->row_inject,
                                             ctx->current, &row)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (row.len) {
            head->last = ngx_sprintf(head->last, ",\"server_version\":");

        } else if (ctx->action == NGX_HTTP_CONFLICT_ACT_DELETED) {
            p = ngx_sprintf(p, ",\"server_version\":null,\"deleted\":true");

        } else if (omitted) {
            p = ngx_sprintf(p, ",\"server_version\":null,"
                               "\"server_version_omitted\":\"%s\"", omitted);
        }
    }

    if (ctx->merge.clashed) {
        p = ngx_http_conflict_answer_clashes(&ctx->merge, p);
    }

    if (ctx->id.len) {
        p = ngx_sprintf(p, ",\"conflict_id\":\"%V\"", &ctx->id);
    }

    tail->last = ngx_cpymem(p, "}\n", 2);
    tail->last_buf = 1;
    tail->last_in_chain = 1;

    out[0].buf = head;
    out[0].next = &out[1];

    r->headers_out.content_length_n = (head->last - head->pos)
                                      + (tail->last - tail->pos);

    if (row.len) {
        body->pos = row.data;
        body->last = row.data + row.len;
        body->memory = 1;

        out[1].buf = body;
        out[1].next = &out[2];
        out[2].buf = tail;
        out[2].next = NULL;

        r->headers_out.content_length_n += row.len;

    } else {
        out[1].buf = tail;
        out[1].next = NULL;
    }

    return ngx_http_conflict_answer_headers(r, ctx);
}


static u_char *
ngx_http_conflict_answer_clashes(ngx_http_conflict_merge_t *merge, u_char *p)
{
    p = ngx_sprintf(p, ",\"conflicts\":[");

    if (merge->clashes.len) {
        /* without the comma before the first */
        p = ngx_cpymem(p, merge->clashes.data + 1, merge->clashes.len - 1);
    }

    *p++ = ']';

    if (merge->omitted) {
        p = ngx_sprintf(p, ",\"conflicts_omitted\":%ui", merge->omitted);
    }

    return ngx_sprintf(p, ",\"base_held\":%s",
                       merge->held ? "true" : "false");
}


static u_char *
ngx_http_conflict_answer_head(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, u_char *p)
{
    uint64_t  base;

    p = ngx_http_conflict_answer_error(ctx, p);

    if (ctx->reason) {
        p = ngx_sprintf(p, ",\"detail\":\"%s\"", ctx->reason);
    }

    p = ngx_sprintf(p, ",\"resource\":\"");
    p += conflict_text_escape(p, ctx->resource.data, ctx->resource.len);
    *p++ = '"';

    if (ctx->base.len) {

        if (conflict_version_parse(&base, (char *) ctx->base.data,
                                   ctx->base.len)
            == 0
            || (ctx->base.len == 1 && ctx->base.data[0] == '0'))
        {
            p = ngx_sprintf(p, ",\"base_version\":%V", &ctx->base);

        } else {
            p = ngx_sprintf(p, ",\"base_version\":\"");
            p += conflict_text_escape(p, ctx->base.data, ctx->base.len);
            *p++ = '"';
        }
    }

    if (ctx->error == NGX_HTTP_CONFLICT_LOCK_HELD_BY) {

        if (!ctx->may_see) {
            return p;
        }

        return ngx_http_conflict_lock_print(ctx, p, &ctx->op->lock.holder,
                                            &ctx->op->lock.origin, NULL);
    }

    if (ctx->error != NGX_HTTP_CONFLICT_STALE) {
        return p;
    }

    if (!ctx->may_see) {
        return ngx_sprintf(p, ",\"version\":null");
    }

    p = ngx_http_conflict_answer_version(ctx, p);

    if (ctx->op->out.present && ctx->op->out.mtime != CONFLICT_TIME_NONE) {
        p = ngx_sprintf(p, ",\"changed_at\":\"");
        conflict_time_print_rfc3339((char *) p, ctx->op->out.mtime);
        p += CONFLICT_TIME_RFC3339;
        *p++ = '"';
    }

    return p;
}


static u_char *
ngx_http_conflict_answer_version(ngx_http_conflict_ctx_t *ctx, u_char *p)
{
    ngx_str_t  text;

    if (ctx->current && ctx->current < CONFLICT_VERSION_LIMIT) {
        return ngx_sprintf(p, ",\"version\":%uL", ctx->current);
    }

    text = ctx->latest.version_header;

    if (ctx->op->in.minted || text.len == 0) {
        return ngx_sprintf(p, ",\"version\":null");
    }

    if (text.len > 1 && text.data[0] == '"'
        && text.data[text.len - 1] == '"')
    {
        /* as a base in a body: the version, not the tag */
        text.data++;
        text.len -= 2;
    }

    p = ngx_sprintf(p, ",\"version\":\"");
    p += conflict_text_escape(p, text.data, text.len);
    *p++ = '"';

    return p;
}


/* the body to embed; else why there is none, or NULL where none is wanted */

static const char *
ngx_http_conflict_answer_row(ngx_http_conflict_ctx_t *ctx, ngx_str_t *row)
{
    ngx_str_t                    text;
    ngx_uint_t                   whole, unfiltered;
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

    if (ngx_http_conflict_latest_shown(ctx, &text) != NGX_OK) {
        return "filtered";
    }

    unfiltered = ngx_http_conflict_latest_unfiltered(ctx);

    whole = unfiltered || ngx_http_conflict_answer_whole(&text);

    ngx_http_conflict_row(ctx->conf, &text);

    if (!whole || !ngx_http_conflict_answer_whole(&text)) {
        return unfiltered ? "not_json" : "filtered";
    }

    *row = text;

    /* of what the history has, merges are made: that is the upstream's */

    ngx_http_conflict_latest_row(ctx, &text);

    if (!unfiltered && !ngx_http_conflict_answer_whole(&text)) {
        ngx_str_null(&text);
    }

    ngx_http_conflict_keep_answered(ctx, &text);

    return NULL;
}


ngx_uint_t
ngx_http_conflict_answer_whole(ngx_str_t *text)
{
    conflict_json_t  json;

    conflict_json_init(&json, NULL);

    return conflict_json_feed(&json, text->data, text->len)
           == CONFLICT_JSON_OK
           && conflict_json_end(&json) == CONFLICT_JSON_OK;
}
