
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Media types: what is JSON, and which write is a document, a part of one or
 * a patch that can be merged.
 */


#include "ngx_http_conflict_module.h"


static ngx_uint_t ngx_http_conflict_media_form(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, conflict_form_e *form);
static void ngx_http_conflict_media_type(ngx_http_request_t *r,
    ngx_str_t *type);
static ngx_uint_t ngx_http_conflict_media_suffix(ngx_str_t *type);


static ngx_str_t  ngx_http_conflict_content_range =
    ngx_string("content-range");

static ngx_str_t  ngx_http_conflict_patch_type =
    ngx_string("application/merge-patch+json");

static ngx_str_t  ngx_http_conflict_json_patch_type =
    ngx_string("application/json-patch+json");


ngx_uint_t
ngx_http_conflict_is_json(ngx_str_t *type)
{
    size_t      i, len;
    ngx_str_t   suffix;
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

    suffix.data = type->data;
    suffix.len = len;

    return ngx_http_conflict_media_suffix(&suffix);
}


ngx_int_t
ngx_http_conflict_combinable(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                  known;
    ngx_http_conflict_merge_t  *merge;

    merge = &ctx->merge;

    known = ngx_http_conflict_media_form(r, ctx->conf, &merge->form);

    if (ctx->conf->policy != CONFLICT_MERGE) {
        return NGX_OK;
    }

    if (ctx->body.json && known) {

        /* a part of the whole is no document (RFC 9110, 14.5) */

        merge->able = (r->method == NGX_HTTP_PATCH
                       || ngx_http_conflict_header(&r->headers_in.headers,
                                          &ngx_http_conflict_content_range,
                                          NULL)
                          == NULL);
    }

    if (merge->able) {
        return NGX_OK;
    }

    ctx->op->policy = CONFLICT_VERSION;

    if (ctx->conf->server_rules
        && (r->method & (NGX_HTTP_PUT|NGX_HTTP_PATCH)))
    {
        ctx->error = NGX_HTTP_CONFLICT_UNMERGEABLE;
        ctx->reason = (r->method == NGX_HTTP_PUT)
                      ? "some fields are the server's, so a PUT must be "
                        "a whole application/json"
                      : (ctx->conf->patch != CONFLICT_FORM_WHOLE)
                      ? "some fields are the server's, so a PATCH must be "
                        "application/json, application/merge-patch+json or "
                        "application/json-patch+json"
                      : "some fields are the server's, so a PATCH must be "
                        "application/merge-patch+json or "
                        "application/json-patch+json";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* how a body of JSON speaks; 0: nobody knows, or it is no document */

static ngx_uint_t
ngx_http_conflict_media_form(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, conflict_form_e *form)
{
    ngx_str_t  type;

    if (r->method == NGX_HTTP_PUT) {
        *form = nlcf->put;
        return 1;
    }

    if (r->method != NGX_HTTP_PATCH) {
        *form = CONFLICT_FORM_WHOLE;
        return 0;
    }

    ngx_http_conflict_media_type(r, &type);

    if (type.len == ngx_http_conflict_patch_type.len
        && ngx_strncasecmp(type.data, ngx_http_conflict_patch_type.data,
                           type.len)
           == 0)
    {
        *form = CONFLICT_FORM_MERGE_PATCH;
        return 1;
    }

    if (ngx_http_conflict_is_json_patch(r)) {
        *form = CONFLICT_FORM_JSON_PATCH;
        return 1;
    }

    if (nlcf->patch == CONFLICT_FORM_WHOLE
        || ngx_http_conflict_media_suffix(&type))
    {
        /* what it names it will change, perhaps */
        *form = CONFLICT_FORM_DEEP;
        return 0;
    }

    *form = nlcf->patch;

    return 1;
}


ngx_uint_t
ngx_http_conflict_is_json_patch(ngx_http_request_t *r)
{
    ngx_str_t  type;

    ngx_http_conflict_media_type(r, &type);

    return type.len == ngx_http_conflict_json_patch_type.len
           && ngx_strncasecmp(type.data,
                              ngx_http_conflict_json_patch_type.data,
                              type.len)
              == 0;
}


/* without parameters; empty where there is none */

static void
ngx_http_conflict_media_type(ngx_http_request_t *r, ngx_str_t *type)
{
    size_t  len;

    if (r->headers_in.content_type == NULL) {
        ngx_str_null(type);
        return;
    }

    *type = r->headers_in.content_type->value;

    for (len = 0; len < type->len && type->data[len] != ';'; len++) {
        /* void */
    }

    while (len && (type->data[len - 1] == ' ' || type->data[len - 1] == '\t')) {
        len--;
    }

    type->len = len;
}


/* a structured syntax suffix (RFC 6839) */

static ngx_uint_t
ngx_http_conflict_media_suffix(ngx_str_t *type)
{
    return type->len > sizeof("+json") - 1
           && ngx_strncasecmp(type->data + type->len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}
