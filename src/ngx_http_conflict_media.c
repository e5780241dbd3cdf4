
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Media types: what is JSON, and which write is a document or a patch that
 * can be merged.
 */


#include "ngx_http_conflict_module.h"


static void ngx_http_conflict_media_type(ngx_str_t *type, ngx_str_t *name);
static ngx_uint_t ngx_http_conflict_media_patch(ngx_http_request_t *r);


static ngx_str_t  ngx_http_conflict_content_range =
    ngx_string("content-range");

static const ngx_str_t  ngx_http_conflict_patch_types[] = {
    ngx_string("application/merge-patch+json"),
    ngx_null_string
};


static const ngx_str_t  ngx_http_conflict_json_types[] = {
    ngx_string("application/json"),
    ngx_string("text/json"),
    ngx_null_string
};


/* what a client says that was not told what its body is */

static const ngx_str_t  ngx_http_conflict_undeclared_types[] = {
    ngx_string("text/plain"),
    ngx_string("application/x-www-form-urlencoded"),
    ngx_string("application/octet-stream"),
    ngx_null_string
};


ngx_uint_t
ngx_http_conflict_is_json(ngx_str_t *type)
{
    ngx_str_t  name;

    ngx_http_conflict_media_type(type, &name);

    if (ngx_http_conflict_listed(&name, ngx_http_conflict_json_types)) {
        return 1;
    }

    /* a structured syntax suffix (RFC 6839) */

    return name.len > sizeof("+json") - 1
           && ngx_strncasecmp(name.data + name.len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}


ngx_http_conflict_media_e
ngx_http_conflict_media(ngx_http_request_t *r)
{
    ngx_str_t         name;
    ngx_table_elt_t  *type;

    type = r->headers_in.content_type;

    if (type == NULL) {
        return NGX_HTTP_CONFLICT_MEDIA_UNDECLARED;
    }

    if (ngx_http_conflict_is_json(&type->value)) {
        return NGX_HTTP_CONFLICT_MEDIA_JSON;
    }

    ngx_http_conflict_media_type(&type->value, &name);

    return (name.len == 0
            || ngx_http_conflict_listed(&name,
                                        ngx_http_conflict_undeclared_types))
           ? NGX_HTTP_CONFLICT_MEDIA_UNDECLARED
           : NGX_HTTP_CONFLICT_MEDIA_OTHER;
}


/* without its parameters */

static void
ngx_http_conflict_media_type(ngx_str_t *type, ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < type->len; i++) {

        if (type->data[i] == ';' || type->data[i] == ' '
            || type->data[i] == '\t')
        {
            break;
        }
    }

    name->data = type->data;
    name->len = i;
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

    if (ctx->conf->server_rules && !ctx->body.empty
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
    ngx_str_t  name;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    ngx_http_conflict_media_type(&r->headers_in.content_type->value, &name);

    return ngx_http_conflict_listed(&name, ngx_http_conflict_patch_types);
}
