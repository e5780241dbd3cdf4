
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_inject: inserts the minted version as a member into JSON responses,
 * while they are sent, and into latest documents.
 */


#include "response/ngx_http_conflict_response.h"


static ngx_int_t ngx_http_conflict_version_inject_replace(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *cl, size_t from, size_t to,
    const char *before);


void
ngx_http_conflict_version_inject_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->conf->inject->place == NGX_HTTP_CONFLICT_DEFAULT || !op->in.minted
        || r->headers_out.status < 200 || r->headers_out.status >= 300
        || r->headers_out.status == NGX_HTTP_NO_CONTENT
        || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT
        || r->headers_out.content_length_n == 0
        || !ngx_http_conflict_body_scanner_json(r)
        || (ctx->write ? !(ctx->lease.committed && op->out.applied)
                       : ctx->version.current == 0))
    {
        return;
    }

    if (!r->header_only
        && (ngx_http_conflict_body_scanner_create(r, ctx) != NGX_OK
            || ngx_http_conflict_body_scanner_scan(r, &ctx->response->inject,
                                                   ctx->conf->inject)
               != NGX_OK))
    {
        return;
    }

    ngx_http_conflict_header_body_changes(r);
}


ngx_int_t
ngx_http_conflict_version_inject(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *cl, uint64_t pos)
{
    size_t                         from, to, len;
    const char                    *before;
    conflict_scan_t               *json;
    ngx_http_conflict_response_t  *response;

    response = ctx->response;
    json = response->inject;
    len = (size_t) ngx_buf_size(cl->buf);

    if (json->type != CONFLICT_JSON_NONE) {

        /* the old value may span buffers; the new one is put into the first */

        from = response->skipping ? 0 : (size_t) (json->value - pos);
        to = json->end ? (size_t) (json->end - pos) : len;

        response->injected = (json->end != 0);

        if (response->skipping) {
            return ngx_http_conflict_version_inject_replace(r, ctx, cl, from,
                                                            to, NULL);
        }

        response->skipping = 1;

        return ngx_http_conflict_version_inject_replace(r, ctx, cl, from, to,
                                                        "");
    }

    if (json->parent_end < 0 || json->parent_type != CONFLICT_JSON_OBJECT) {
        return NGX_OK;
    }

    response->injected = 1;

    from = (size_t) ((uint64_t) json->parent_end - pos);
    before = json->parent_empty ? "\"" : ",\"";

    return ngx_http_conflict_version_inject_replace(r, ctx, cl, from, from,
                                                    before);
}


/*
 * Replaces the bytes from "from" to "to" by the version.  "before" opens the
 * name of a new member, or is empty for a value only; NULL: deletes the bytes.
 */

static ngx_int_t
ngx_http_conflict_version_inject_replace(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *cl, size_t from, size_t to,
    const char *before)
{
    u_char              *p, *data;
    size_t               len;
    ngx_buf_t           *b, *copy;
    ngx_str_t            name;
    conflict_pointer_t  *pointer;

    b = cl->buf;
    len = (size_t) ngx_buf_size(b);
    pointer = ctx->conf->inject->pointer;

    name.data = &pointer->text[pointer->name[pointer->levels - 1]];
    name.len = pointer->len[pointer->levels - 1];

    data = b->pos;

    if (!ngx_buf_in_memory(b)) {
        data = ngx_palloc(r->pool, len);
        if (data == NULL) {
            return NGX_ERROR;
        }

        if (ngx_http_conflict_file_read(b->file, data, len, b->file_pos)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    copy = ngx_create_temp_buf(r->pool, len + 6 * name.len
                               + sizeof(",\"\":") - 1 + NGX_INT64_LEN);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(copy->pos, data, from);

    if (before) {

        if (*before) {
            p = ngx_cpymem(p, before, ngx_strlen(before));
            p += conflict_text_quote(p, name.data, name.len);
            p = ngx_cpymem(p, "\":", 2);
        }

        p = ngx_sprintf(p, "%uL", ctx->op->out.version);
    }

    copy->last = ngx_cpymem(p, data + to, len - to);

    copy->flush = b->flush;
    copy->last_buf = b->last_buf;
    copy->last_in_chain = b->last_in_chain;

    if (copy->last == copy->pos) {
        /* all of it was part of the old value */
        copy->temporary = 0;
        copy->sync = 1;
    }

    /* consumed, so that its owner may reuse it */

    b->pos = b->last;
    b->file_pos = b->file_last;

    cl->buf = copy;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_version_inject_text(ngx_http_request_t *r,
    conflict_pointer_t *pointer, uint64_t version, ngx_str_t *text)
{
    size_t            from, to;
    u_char           *p, *data;
    ngx_str_t         name;
    conflict_scan_t   json;

    conflict_scan_init(&json, pointer);

    if (conflict_scan_feed(&json, text->data, text->len) != CONFLICT_JSON_OK
        || conflict_scan_end(&json) != CONFLICT_JSON_OK)
    {
        return NGX_OK;
    }

    ngx_str_null(&name);

    if (json.type != CONFLICT_JSON_NONE) {
        from = (size_t) json.value;
        to = (size_t) json.end;

    } else if (json.parent_end >= 0
               && json.parent_type == CONFLICT_JSON_OBJECT)
    {
        from = to = (size_t) json.parent_end;

        name.data = &pointer->text[pointer->name[pointer->levels - 1]];
        name.len = pointer->len[pointer->levels - 1];

    } else {
        return NGX_OK;
    }

    data = ngx_pnalloc(r->pool, text->len + 6 * name.len
                                + sizeof(",\"\":") - 1 + NGX_INT64_LEN);
    if (data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(data, text->data, from);

    if (name.data) {
        p = ngx_sprintf(p, json.parent_empty ? "\"" : ",\"");
        p += conflict_text_quote(p, name.data, name.len);
        p = ngx_cpymem(p, "\":", 2);
    }

    p = ngx_sprintf(p, "%uL", version);
    p = ngx_cpymem(p, text->data + to, text->len - to);

    text->data = data;
    text->len = p - data;

    return NGX_OK;
}
