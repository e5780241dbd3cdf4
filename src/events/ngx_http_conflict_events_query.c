
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The resources that a client wants to watch: the arguments of its request.
 */


#include "events/ngx_http_conflict_events.h"


static ngx_int_t ngx_http_conflict_events_query_argument(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_events_query_since(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_events_query_decode(ngx_pool_t *pool,
    ngx_str_t *value, ngx_str_t *text);
static ngx_int_t ngx_http_conflict_events_query_target(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_events_item_t *item);
static ngx_uint_t ngx_http_conflict_events_query_polls(ngx_http_request_t *r);


static ngx_str_t  ngx_http_conflict_events_accept = ngx_string("accept");


ngx_int_t
ngx_http_conflict_events_query(ngx_http_conflict_ctx_t *ctx)
{
    u_char                      *p, *last, *end, *eq;
    ngx_int_t                    rc;
    ngx_str_t                    name, value;
    ngx_uint_t                   n;
    ngx_http_request_t          *r;
    ngx_http_conflict_events_t  *stream;

    r = ctx->request;
    stream = ctx->events;

    last = r->args.data + r->args.len;

    for (n = 1, p = r->args.data; p < last; p++) {
        n += (*p == '&');
    }

    n = ngx_min(n, NGX_HTTP_CONFLICT_EVENTS_RESOURCES);

    stream->items = ngx_pcalloc(r->pool,
                                n * sizeof(ngx_http_conflict_events_item_t));
    if (stream->items == NULL) {
        return NGX_ERROR;
    }

    stream->poll = ngx_http_conflict_events_query_polls(r);

    for (p = r->args.data; p < last; p = end + 1) {
        end = ngx_strlchr(p, last, '&');
        end = end ? end : last;

        eq = ngx_strlchr(p, end, '=');

        if (eq == NULL) {
            continue;
        }

        name.data = p;
        name.len = eq - p;
        value.data = eq + 1;
        value.len = end - eq - 1;

        rc = ngx_http_conflict_events_query_argument(ctx, &name, &value);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (stream->n == 0) {
        ctx->flow.reason = "it names no resource, as in "
                           "\"?resource=/notes/1\"";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_events_query_argument(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_http_conflict_events_t       *stream;
    ngx_http_conflict_events_item_t  *item;

    stream = ctx->events;

    if (name->len == 4 && ngx_strncmp(name->data, "poll", 4) == 0) {
        stream->poll = (value->len == 1 && value->data[0] == '1');
        return NGX_OK;
    }

    if (name->len == 5 && ngx_strncmp(name->data, "since", 5) == 0) {
        return ngx_http_conflict_events_query_since(ctx, value);
    }

    if (name->len != 8 || ngx_strncmp(name->data, "resource", 8) != 0) {
        return NGX_OK;
    }

    if (stream->n == NGX_HTTP_CONFLICT_EVENTS_RESOURCES) {
        ctx->flow.reason = "it names more than 64 resources";
        return NGX_DECLINED;
    }

    item = &stream->items[stream->n++];
    item->stream = stream;

    if (ngx_http_conflict_events_query_decode(ctx->request->pool, value,
                                              &item->name)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_conflict_events_query_target(ctx, item);
}


/* of the resource before it: a number, or the tag of an upstream */

static ngx_int_t
ngx_http_conflict_events_query_since(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *value)
{
    ngx_int_t                         rc;
    ngx_str_t                         text;
    ngx_http_conflict_events_t       *stream;
    ngx_http_conflict_events_item_t  *item;

    stream = ctx->events;

    rc = ngx_http_conflict_events_query_decode(ctx->request->pool, value,
                                               &text);
    if (rc != NGX_OK) {
        return rc;
    }

    if (stream->n) {
        item = &stream->items[stream->n - 1];

        if (conflict_version_parse(&item->since, (char *) text.data, text.len)
            == 0)
        {
            return NGX_OK;
        }

        if (conflict_version_from_etag((char *) text.data, text.len)) {
            item->tag = text;
            return NGX_OK;
        }
    }

    ctx->flow.reason = "\"since\" must be a version, and follow its "
                       "\"resource\"";
    return NGX_DECLINED;
}


/* as of a form: "+" is a space */

static ngx_int_t
ngx_http_conflict_events_query_decode(ngx_pool_t *pool, ngx_str_t *value,
    ngx_str_t *text)
{
    size_t   i;
    u_char  *src, *dst;

    src = ngx_pnalloc(pool, value->len + 1);
    if (src == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        src[i] = (value->data[i] == '+') ? ' ' : value->data[i];
    }

    text->data = src;
    dst = src;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    text->len = dst - text->data;

    return NGX_OK;
}


/* parsed as the target of a request would be */

static ngx_int_t
ngx_http_conflict_events_query_target(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_events_item_t *item)
{
    ngx_str_t                 *name;
    ngx_http_request_t         target;
    ngx_http_core_srv_conf_t  *cscf;

    name = &item->name;
    target = *ctx->request;

    target.uri_start = name->data;
    target.uri_end = name->data + name->len;
    target.args_start = NULL;
    target.uri_ext = NULL;
    target.complex_uri = 0;
    target.quoted_uri = 0;
    target.plus_in_uri = 0;
    target.empty_path_in_uri = 0;
    ngx_str_null(&target.exten);

    ctx->flow.reason = "a \"resource\" is not the path of a GET";

    if (name->len == 0 || name->data[0] != '/'
        || ngx_http_parse_uri(&target) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    target.uri.data = target.uri_start;
    target.uri.len = (target.args_start ? target.args_start - 1
                                        : target.uri_end)
                     - target.uri_start;

    if (target.complex_uri || target.quoted_uri) {

        target.uri.data = ngx_pnalloc(ctx->request->pool, name->len + 1);
        if (target.uri.data == NULL) {
            return NGX_ERROR;
        }

        cscf = ngx_http_get_module_srv_conf(ctx->request,
                                            ngx_http_core_module);

        if (ngx_http_parse_complex_uri(&target, cscf->merge_slashes)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    ctx->flow.reason = NULL;

    item->uri = target.uri;

    if (target.args_start && target.uri_end > target.args_start) {
        item->args.data = target.args_start;
        item->args.len = target.uri_end - target.args_start;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_conflict_events_query_polls(ngx_http_request_t *r)
{
    u_char     *last;
    ngx_str_t  *accept;

    accept = ngx_http_conflict_header_find(&r->headers_in.headers,
                                           &ngx_http_conflict_events_accept,
                                           NULL);
    if (accept == NULL) {
        return 0;
    }

    last = accept->data + accept->len;

    return ngx_strlcasestrn(accept->data, last, (u_char *) "application/json",
                            sizeof("application/json") - 2)
           && !ngx_strlcasestrn(accept->data, last,
                                (u_char *) "text/event-stream",
                                sizeof("text/event-stream") - 2);
}
