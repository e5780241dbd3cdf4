
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Header fields, of requests and of responses: found, hidden from the
 * upstream, added; and the Conflict field with its words.
 */


#include "ngx_http_conflict_module.h"


static ngx_str_t  ngx_http_conflict_outcome_names[] = {
    ngx_null_string,
    ngx_string("passed"),
    ngx_string("overwrote"),
    ngx_string("rejected"),
    ngx_string("dropped"),
    ngx_string("replayed"),
    ngx_string("busy"),
    ngx_string("required"),
    ngx_string("unchecked")
};


static ngx_str_t  ngx_http_conflict_policy_names[] = {
    ngx_string("lww"),
    ngx_string("client_wins"),
    ngx_string("server_wins"),
    ngx_string("version"),
    ngx_string("off")
};


ngx_str_t *
ngx_http_conflict_header(ngx_list_t *headers, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &headers->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash && h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
            {
                return &h[i].value;
            }
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_conflict_hide_headers(ngx_http_request_t *r, const ngx_str_t *names)
{
    ngx_uint_t         i, n;
    ngx_list_t         list;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h, *copy;

    /* a new list: pointers into the old one stay good */

    list = r->headers_in.headers;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 20,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (part = &list.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            for (n = 0; names[n].len; n++) {

                if (h[i].key.len == names[n].len
                    && ngx_strncasecmp(h[i].key.data, names[n].data,
                                       names[n].len)
                       == 0)
                {
                    break;
                }
            }

            if (names[n].len) {
                continue;
            }

            copy = ngx_list_push(&r->headers_in.headers);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = h[i];
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_add_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->lowcase_key = NULL;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.len = len;
    h->value.data = ngx_pnalloc(r->pool, len);
    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(h->value.data, value, len);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_set_etag(ngx_http_request_t *r, uint64_t version)
{
    u_char           *p, text[sizeof("\"\"") + NGX_INT64_LEN];
    ngx_list_part_t  *last;
    ngx_table_elt_t  *h;

    ngx_http_clear_etag(r);

    if (version == 0 || version >= CONFLICT_VERSION_LIMIT) {
        return NGX_OK;
    }

    p = ngx_sprintf(text, "\"%uL\"", version);

    if (ngx_http_conflict_add_header(r, "ETag", (char *) text, p - text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    last = r->headers_out.headers.last;
    h = last->elts;
    r->headers_out.etag = &h[last->nelts - 1];

    return NGX_OK;
}


void
ngx_http_conflict_set_date(ngx_http_request_t *r, ngx_http_conflict_op_t *op)
{
    time_t  date, shown;

    if (op->mtime == CONFLICT_TIME_NONE) {
        return;
    }

    date = (time_t) (op->mtime / CONFLICT_TIME_SECOND);
    shown = (time_t) conflict_mtime_second(op->mtime, op->twice);

    if (r->headers_out.last_modified_time != -1
        && !(op->twice && r->headers_out.last_modified_time <= date))
    {
        /* the upstream's own, and no other version was shown under it */
        return;
    }

    ngx_http_clear_last_modified(r);

    /* never later than the Date of the message (RFC 9110, 8.8.2.1) */

    if (shown <= ngx_time()) {
        r->headers_out.last_modified_time = shown;
    }
}


ngx_int_t
ngx_http_conflict_set_field(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    u_char     *p, text[sizeof("unchecked;version=;base=;report")
                        + 2 * NGX_INT64_LEN];
    uint64_t    base;
    ngx_str_t  *name;

    name = ngx_http_conflict_outcome_name(ctx->outcome);

    if (name->len == 0) {
        return NGX_OK;
    }

    /* an item with parameters (RFC 9651) */

    p = ngx_sprintf(text, "%V", name);

    if (ctx->current && ctx->current < CONFLICT_VERSION_LIMIT
        && ctx->outcome != NGX_HTTP_CONFLICT_UNCHECKED)
    {
        p = ngx_sprintf(p, ";version=%uL", ctx->current);
    }

    if (ctx->outcome != NGX_HTTP_CONFLICT_PASSED
        && conflict_version_parse(&base, (char *) ctx->base.data,
                                  ctx->base.len)
           == 0)
    {
        p = ngx_sprintf(p, ";base=%uL", base);
    }

    if (ctx->conf->report && ctx->write) {
        p = ngx_sprintf(p, ";report");
    }

    return ngx_http_conflict_add_header(r, "Conflict", (char *) text,
                                        p - text);
}


ngx_str_t *
ngx_http_conflict_outcome_name(ngx_http_conflict_outcome_e outcome)
{
    return &ngx_http_conflict_outcome_names[outcome];
}


ngx_str_t *
ngx_http_conflict_policy_name(ngx_uint_t policy)
{
    return &ngx_http_conflict_policy_names[policy];
}
