
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A stored response is sent again, through all filters of the location, as it
 * was the first time.
 */


#include "idempotency/ngx_http_conflict_idempotency.h"


static ngx_int_t ngx_http_conflict_idempotency_replay_fields(
    ngx_http_request_t *r, ngx_str_t *fields);
static ngx_int_t ngx_http_conflict_idempotency_replay_line(
    ngx_http_request_t *r, u_char kind, ngx_str_t *line);
static ngx_int_t ngx_http_conflict_idempotency_replay_field(
    ngx_http_request_t *r, ngx_str_t *line);


ngx_int_t
ngx_http_conflict_idempotency_replay(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_buf_t                       *b;
    ngx_str_t                        fields;
    ngx_chain_t                      out;
    ngx_http_conflict_ctx_t         *ctx;
    ngx_http_conflict_blob_found_t  *found;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    ctx->flow.answered = 1;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    found = ctx->idempotency->op->blob->out.found;

    fields = found->head;
    fields.data += 1 + NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST;
    fields.len -= 1 + NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST;

    /* conditions of the client do not apply to what is done already */
    r->disable_not_modified = 1;
    r->err_status = 0;

    if (ngx_http_conflict_idempotency_replay_fields(r, &fields) != NGX_OK
        || ngx_http_conflict_cors_replay(r, ctx->conf) != NGX_OK
        || ngx_http_conflict_header_add(r, "Idempotent-Replayed", "true",
                                        sizeof("true") - 1)
           != NGX_OK
        || ngx_http_conflict_conflict_field(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->headers_out.status == NGX_HTTP_NO_CONTENT) {
        r->header_only = 1;

    } else {
        r->headers_out.content_length_n = found->body.len;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (found->body.len) {
        b->pos = found->body.data;
        b->last = found->body.data + found->body.len;
        b->memory = 1;
    }

    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_conflict_idempotency_replay_fields(ngx_http_request_t *r,
    ngx_str_t *fields)
{
    u_char     *p, *last, *end;
    ngx_str_t   line;

    p = fields->data;
    last = p + fields->len;

    while (p < last) {

        end = ngx_strlchr(p, last, LF);

        if (end == NULL) {
            return NGX_ERROR;
        }

        line.data = p + 1;
        line.len = end - line.data;

        if (end == p
            || ngx_http_conflict_idempotency_replay_line(r, *p, &line)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = end + 1;
    }

    return r->headers_out.status ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_conflict_idempotency_replay_line(ngx_http_request_t *r, u_char kind,
    ngx_str_t *line)
{
    ngx_int_t  n;

    switch (kind) {

    case 'S':
        n = (line->len < 3) ? NGX_ERROR : ngx_atoi(line->data, 3);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        r->headers_out.status = n;

        if (line->len > 3) {
            r->headers_out.status_line = *line;
        }

        return NGX_OK;

    case 'T':
        r->headers_out.content_type = *line;
        r->headers_out.content_type_len = line->len;
        r->headers_out.content_type_lowcase = NULL;
        return NGX_OK;

    case 'C':
        r->headers_out.charset = *line;
        return NGX_OK;

    case 'M':
        r->headers_out.last_modified_time = ngx_atotm(line->data, line->len);
        return NGX_OK;

    case 'H':
        return ngx_http_conflict_idempotency_replay_field(r, line);

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_http_conflict_idempotency_replay_field(ngx_http_request_t *r,
    ngx_str_t *line)
{
    u_char           *colon;
    ngx_table_elt_t  *h;

    colon = ngx_strlchr(line->data, line->data + line->len, ':');

    if (colon == NULL) {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = line->data;
    h->key.len = colon - line->data;
    h->value.data = colon + 1;
    h->value.len = line->data + line->len - h->value.data;

    /* those that filters look for */

    if (h->key.len == 4 && ngx_strncasecmp(h->key.data, (u_char *) "ETag", 4)
                           == 0)
    {
        r->headers_out.etag = h;

    } else if (h->key.len == sizeof("Content-Encoding") - 1
               && ngx_strncasecmp(h->key.data, (u_char *) "Content-Encoding",
                                  sizeof("Content-Encoding") - 1)
                  == 0)
    {
        r->headers_out.content_encoding = h;
    }

    return NGX_OK;
}
