
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Media types: what is JSON, and which write is a document or a patch that
 * can be merged.
 */


#include "ngx_http_conflict_module.h"


static ngx_uint_t ngx_http_conflict_media_patch(ngx_http_request_t *r);


static ngx_str_t  ngx_http_conflict_content_range =
    ngx_string("content-range");

static ngx_str_t  ngx_http_conflict_patch_type =
    ngx_string("application/merge-patch+json");


ngx_uint_t
ngx_http_conflict_is_json(ngx_str_t *type)
{
    size_t      i, len;
    ngx_uint_t  n;

    static ngx_str_t  types[] = {
        ngx_string("application/json"),
        ngx_string("text/json"),
        ngx_null_string
    };

    len = type->len;

    for (i = 0; i < len; i++) {

        if (type->data[i] == ';' || type->data[i] == ' '
            || type->data[i] == '\t')
        {
            len = i;
        }
    }

    for (n = 0; types[n].len; n++) {

        if (len == types[n].len
            && ngx_strncasecmp(type->data, types[n].data, len) == 0)
        {
            return 1;
        }
    }

    /* a structured syntax suffix (RFC 6839) */

    return len > sizeof("+json") - 1
           && ngx_strncasecmp(type->data + len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}


ngx_int_t
ngx_http_conflict_combinable(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_merge_t  *merge;

    merge = &ctx->merge;

    if (ctx->conf->policy != CONFLICT_MERGE) {
        return NGX_OK;
    }

    if (ctx->body.json) {
        merge->patch = ngx_http_conflict_media_patch(r);

        /* a part of the whole is no document (RFC 9110, 14.5) */

        merge->able = (r->method == NGX_HTTP_PUT)
                      ? ngx_http_conflict_header(&r->headers_in.headers,
                                          &ngx_http_conflict_content_range,
                                          NULL)
                        == NULL
                      : (r->method == NGX_HTTP_PATCH && merge->patch);

        merge->patch = (r->method == NGX_HTTP_PATCH);
    }

    if (merge->able) {
        return NGX_OK;
    }

    ctx->op->policy = CONFLICT_VERSION;

    if (ctx->conf->server_rules
        && (r->method & (NGX_HTTP_PUT|NGX_HTTP_PATCH)))
    {
        ctx->error = NGX_HTTP_CONFLICT_UNMERGEABLE;
        ctx->reason = (r->method == NGX_HTTP_PATCH)
                      ? "some fields are the server's, so a PATCH must be "
                        "application/merge-patch+json"
                      : "some fields are the server's, so a PUT must be "
                        "a whole application/json";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_conflict_media_patch(ngx_http_request_t *r)
{
    u_char     *p, *last;
    ngx_str_t  *type;

    type = &r->headers_in.content_type->value;

    last = ngx_strlchr(type->data, type->data + type->len, ';');

    if (last == NULL) {
        last = type->data + type->len;
    }

    for (p = last; p > type->data && (p[-1] == ' ' || p[-1] == '\t'); p--) {
        /* void */
    }

    return (size_t) (p - type->data) == ngx_http_conflict_patch_type.len
           && ngx_strncasecmp(type->data, ngx_http_conflict_patch_type.data,
                              ngx_http_conflict_patch_type.len)
              == 0;
}
