
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Media types: what is JSON, and which write is a document, a part of one or
 * a patch that can be merged.
 */


#include "ngx_http_conflict_module.h"


static ngx_uint_t ngx_http_conflict_media_form(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, conflict_form_e *form);
static void ngx_http_conflict_media_type(ngx_str_t *type, ngx_str_t *name);
static ngx_uint_t ngx_http_conflict_media_suffix(ngx_str_t *name);


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


static const ngx_str_t  ngx_http_conflict_json_patch_types[] = {
    ngx_string("application/json-patch+json"),
    ngx_null_string
};


ngx_uint_t
ngx_http_conflict_is_json(ngx_str_t *type)
{
    ngx_str_t  name;

    ngx_http_conflict_media_type(type, &name);

    return ngx_http_conflict_listed(&name, ngx_http_conflict_json_types)
           || ngx_http_conflict_media_suffix(&name);
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

    ctx->op->in.policy = CONFLICT_VERSION;

    if (ctx->conf->server_rules && !ctx->body.empty
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
    ngx_str_t  name;

    if (r->method == NGX_HTTP_PUT) {
        *form = nlcf->put;
        return 1;
    }

    if (r->method != NGX_HTTP_PATCH) {
        *form = CONFLICT_FORM_WHOLE;
        return 0;
    }

    ngx_str_null(&name);

    if (r->headers_in.content_type) {
        ngx_http_conflict_media_type(&r->headers_in.content_type->value,
                                     &name);
    }

    if (ngx_http_conflict_listed(&name, ngx_http_conflict_patch_types)) {
        *form = CONFLICT_FORM_MERGE_PATCH;
        return 1;
    }

    if (ngx_http_conflict_is_json_patch(r)) {
        *form = CONFLICT_FORM_JSON_PATCH;
        return 1;
    }

    if (nlcf->patch == CONFLICT_FORM_WHOLE
        || ngx_http_conflict_media_suffix(&name))
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
    ngx_str_t  name;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    ngx_http_conflict_media_type(&r->headers_in.content_type->value, &name);

    return ngx_http_conflict_listed(&name, ngx_http_conflict_json_patch_types);
}


/* a structured syntax suffix (RFC 6839) */

static ngx_uint_t
ngx_http_conflict_media_suffix(ngx_str_t *name)
{
    return name->len > sizeof("+json") - 1
           && ngx_strncasecmp(name->data + name->len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}
