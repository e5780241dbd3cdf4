
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The preflight of an endpoint.  The API answers it, as one for a GET of the
 * resource: a page that may read the resource may lock it.
 */


#include "http/ngx_http_conflict_http.h"


static ngx_int_t ngx_http_conflict_preflight_fields(ngx_http_request_t *sr,
    ngx_str_t *value);


static ngx_str_t  ngx_http_conflict_preflight_options = ngx_string("OPTIONS");
static ngx_str_t  ngx_http_conflict_preflight_origin = ngx_string("origin");

static ngx_str_t  ngx_http_conflict_preflight_method =
    ngx_string("access-control-request-method");

static ngx_str_t  ngx_http_conflict_preflight_allowed =
    ngx_string("access-control-allow-origin");

static const ngx_str_t  ngx_http_conflict_preflight_headers[] = {
    ngx_string("access-control-request-headers"),
    ngx_null_string
};


/* the module's own fields, which the API need not know */

static const ngx_str_t  ngx_http_conflict_preflight_own[] = {
    ngx_string("lock-token"),
    ngx_string("x-client"),
    ngx_string("last-event-id"),
    ngx_null_string
};


ngx_uint_t
ngx_http_conflict_preflight(ngx_http_request_t *r)
{
    ngx_list_t  *headers;

    headers = &r->headers_in.headers;

    return ngx_http_conflict_header_find(headers,
                                         &ngx_http_conflict_preflight_origin,
                                         NULL)
           && ngx_http_conflict_header_find(headers,
                                            &ngx_http_conflict_preflight_method,
                                            NULL);
}


ngx_int_t
ngx_http_conflict_preflight_request(ngx_http_request_t *sr)
{
    ngx_str_t   *method, *fields, *name;
    ngx_list_t  *headers;

    sr->method = NGX_HTTP_OPTIONS;
    sr->method_name = ngx_http_conflict_preflight_options;

    /* the subrequest has its own list of headers */

    headers = &sr->headers_in.headers;

    method = ngx_http_conflict_header_find(headers,
                                           &ngx_http_conflict_preflight_method,
                                           NULL);
    ngx_str_set(method, "GET");

    name = (ngx_str_t *) &ngx_http_conflict_preflight_headers[0];

    fields = ngx_http_conflict_header_find(headers, name, NULL);
    if (fields == NULL) {
        return NGX_OK;
    }

    switch (ngx_http_conflict_preflight_fields(sr, fields)) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        return ngx_http_conflict_header_hide(sr,
                                        ngx_http_conflict_preflight_headers);

    default:
        return NGX_ERROR;
    }
}


/* removes the module's own fields; NGX_DECLINED: there are no others */

static ngx_int_t
ngx_http_conflict_preflight_fields(ngx_http_request_t *sr, ngx_str_t *value)
{
    u_char     *data;
    size_t      len;
    ngx_str_t   rest, name;

    data = ngx_pnalloc(sr->pool, 2 * value->len);
    if (data == NULL) {
        return NGX_ERROR;
    }

    len = 0;
    rest = *value;

    while (ngx_http_conflict_header_token(&rest, &name)) {

        if (ngx_http_conflict_header_listed(&name,
                                            ngx_http_conflict_preflight_own))
        {
            continue;
        }

        if (len) {
            data[len++] = ',';
        }

        ngx_memcpy(data + len, name.data, name.len);
        len += name.len;
    }

    value->data = data;
    value->len = len;

    return len ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_conflict_preflight_methods(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *methods)
{
    if (ctx->conf->versions || ctx->conf->events) {
        ngx_str_set(methods, NGX_HTTP_CONFLICT_READ_METHODS);
        return;
    }

    ngx_str_set(methods, NGX_HTTP_CONFLICT_LOCK_METHODS);
}


ngx_int_t
ngx_http_conflict_preflight_allow(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t  *origin, methods, fields;

    if (ngx_http_conflict_cors_add(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    origin = ngx_http_conflict_header_find(&r->headers_out.headers,
                                           &ngx_http_conflict_preflight_allowed,
                                           NULL);

    if (origin == NULL
        && (ctx->latest.request || !ngx_http_conflict_preflight(r)))
    {
        return NGX_OK;
    }

    /*
     * ngx_http_conflict_cors_unify() merges them with those of the API.  If it
     * was not asked, "add_header" names the origins, after this.
     */

    ngx_http_conflict_preflight_methods(ctx, &methods);

    if (ctx->conf->events) {
        ngx_str_set(&fields, "Last-Event-ID, X-Client");

    } else if (ctx->conf->inbox) {
        ngx_str_set(&fields, "If-Match, If-None-Match, Content-Type, "
                             "Lock-Token, X-Client");

    } else {
        ngx_str_set(&fields, "Lock-Token, X-Client");
    }

    if (ngx_http_conflict_header_add(r, "Access-Control-Allow-Methods",
                                     (char *) methods.data, methods.len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_conflict_header_add(r, "Access-Control-Allow-Headers",
                                        (char *) fields.data, fields.len);
}
