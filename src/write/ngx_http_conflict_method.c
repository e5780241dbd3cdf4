
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Which requests are reads and which are guarded writes.  The others pass
 * unchecked, and their responses and the log say so.
 */


#include "write/ngx_http_conflict_write.h"
#include "audit/ngx_http_conflict_audit.h"


static ngx_uint_t ngx_http_conflict_method_reads(ngx_str_t *name);
static ngx_uint_t ngx_http_conflict_method_replaces(ngx_http_request_t *r,
    ngx_str_t *value);
static ngx_uint_t ngx_http_conflict_method_argument(ngx_http_request_t *r);
static void ngx_http_conflict_method_form(ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_method_elsewhere(ngx_http_request_t *r,
    ngx_str_t *reference);


static ngx_str_t  ngx_http_conflict_method_location = ngx_string("location");

static ngx_str_t  ngx_http_conflict_method_content_location =
    ngx_string("content-location");


const ngx_str_t  ngx_http_conflict_method_fields[] = {
    ngx_string("x-http-method-override"),
    ngx_string("x-http-method"),
    ngx_string("x-method-override"),
    ngx_null_string
};


/* these do not change what a GET of their target shows */

static const ngx_str_t  ngx_http_conflict_method_other[] = {
    ngx_string("POST"),
    ngx_string("LOCK"),
    ngx_string("UNLOCK")
};


#define ngx_http_conflict_method_in(method, list)                             \
    ngx_http_conflict_directive_method_listed(method, list,                   \
                                              sizeof(list) / sizeof(ngx_str_t))


ngx_http_conflict_kind_e
ngx_http_conflict_method_kind(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf)
{
    ngx_http_conflict_kind_e  kind;

    if (nlcf->lock || nlcf->inbox) {
        return (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
               ? NGX_HTTP_CONFLICT_KIND_READ : NGX_HTTP_CONFLICT_KIND_WRITE;
    }

    if (nlcf->versions || nlcf->events) {
        return NGX_HTTP_CONFLICT_KIND_READ;
    }

    if (nlcf->policy == NGX_HTTP_CONFLICT_OFF) {
        return NGX_HTTP_CONFLICT_KIND_NONE;
    }

    kind = ngx_http_conflict_method(r, nlcf);

    if ((!r->error_page && r->err_status == 0)
        || !ngx_http_conflict_denied(r))
    {
        /* without an error it has just passed */
        return kind;
    }

    /* what sends the page may be the API all the same */

    return (kind == NGX_HTTP_CONFLICT_KIND_WRITE
            || kind == NGX_HTTP_CONFLICT_KIND_UNCHECKED)
           ? NGX_HTTP_CONFLICT_KIND_UNCHECKED : NGX_HTTP_CONFLICT_KIND_NONE;
}


ngx_http_conflict_kind_e
ngx_http_conflict_method(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf)
{
    ngx_str_t  *name;

    name = &r->method_name;

    if (ngx_http_conflict_method_reads(name)) {

        if (ngx_http_conflict_method_overridden(r)) {
            return NGX_HTTP_CONFLICT_KIND_UNCHECKED;
        }

        return (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
               ? NGX_HTTP_CONFLICT_KIND_READ : NGX_HTTP_CONFLICT_KIND_NONE;
    }

    if (ngx_http_conflict_directive_method_listed(name, nlcf->methods->elts,
                                                  nlcf->methods->nelts))
    {
        return NGX_HTTP_CONFLICT_KIND_WRITE;
    }

    if (r->headers_in.if_match || r->headers_in.if_none_match
        || r->headers_in.if_unmodified_since || ngx_http_conflict_dav_if_tags(r)
        || ngx_http_conflict_chain_field(r, NULL))
    {
        /* it has a precondition, which the upstream cannot check */
        return NGX_HTTP_CONFLICT_KIND_WRITE;
    }

    if (r->method & NGX_HTTP_POST) {
        return ngx_http_conflict_method_overridden(r)
               ? NGX_HTTP_CONFLICT_KIND_UNCHECKED
               : NGX_HTTP_CONFLICT_KIND_POST;
    }

    return ngx_http_conflict_method_in(name, ngx_http_conflict_method_other)
           ? NGX_HTTP_CONFLICT_KIND_NONE : NGX_HTTP_CONFLICT_KIND_UNCHECKED;
}


/*
 * Many APIs treat a POST with such a field as a request of the method in it,
 * some of them any request; others have an argument for it.
 */

ngx_uint_t
ngx_http_conflict_method_overridden(ngx_http_request_t *r)
{
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, &r->headers_in.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (ngx_http_conflict_header_listed(&h->key,
                                            ngx_http_conflict_method_fields)
            && ngx_http_conflict_method_replaces(r, &h->value))
        {
            return 1;
        }
    }

    return (r->method & NGX_HTTP_POST) && r->args.len
           && ngx_http_conflict_method_argument(r);
}


/*
 * Of a POST, the method of a read is another one as well: its body may have
 * any effect.
 */

static ngx_uint_t
ngx_http_conflict_method_replaces(ngx_http_request_t *r, ngx_str_t *value)
{
    if (ngx_http_conflict_same_name(value, &r->method_name)) {
        return 0;
    }

    return (r->method & NGX_HTTP_POST)
           || (value->len && !ngx_http_conflict_method_reads(value));
}


/* "_method", as in Laravel, Symfony, Spring and Express; any of several */

static ngx_uint_t
ngx_http_conflict_method_argument(ngx_http_request_t *r)
{
    u_char                    *p, *last, *end;
    ngx_str_t                  value;
    ngx_http_conflict_form_t   form;

    last = r->args.data + r->args.len;

    ngx_http_conflict_form_init(&form);

    for (p = ngx_http_conflict_form_find(&form, r->args.data, last); p;
         p = ngx_http_conflict_form_find(&form, p, last))
    {
        end = ngx_strlchr(p, last, '&');

        value.data = p;
        value.len = (end ? end : last) - p;

        if (ngx_http_conflict_method_replaces(r, &value)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_conflict_method_reads(ngx_str_t *name)
{
    return (name->len == 3 && ngx_strncmp(name->data, "GET", 3) == 0)
           || (name->len == 4 && ngx_strncmp(name->data, "HEAD", 4) == 0)
           || ngx_http_conflict_directive_method_safe(name);
}


ngx_http_conflict_op_t *
ngx_http_conflict_method_op(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *key)
{
    ngx_http_conflict_op_t  *op;

    op = ngx_http_conflict_store_call_op(r, nlcf, key, 0);
    if (op == NULL) {
        return NULL;
    }

    op->in.lease = nlcf->lease;
    op->in.quarantine = nlcf->report ? 0 : nlcf->quarantine;

    return op;
}


ngx_int_t
ngx_http_conflict_method_unchecked(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->kind == NGX_HTTP_CONFLICT_KIND_POST && ctx->form == NULL
        && ngx_http_conflict_form_start(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->op || ctx->kind != NGX_HTTP_CONFLICT_KIND_UNCHECKED) {
        return NGX_DECLINED;
    }

    ctx->op = ngx_http_conflict_method_op(r, ctx->conf, &ctx->target.key);
    if (ctx->op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED;

    if (ngx_http_conflict_view_start(r, ctx) != NGX_OK
        || ngx_http_conflict_pair_unguarded(r, ctx->conf, &ctx->destination)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_conflict_method_keyless(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->target.key.len || ctx->kind == NGX_HTTP_CONFLICT_KIND_READ
        || ngx_http_conflict_conf_endpoint(ctx->conf))
    {
        return NGX_OK;
    }

    if (ctx->kind != NGX_HTTP_CONFLICT_KIND_POST) {
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED;
    }

    ctx->kind = NGX_HTTP_CONFLICT_KIND_KEYLESS;
    ctx->write = 0;
    ctx->target.resource = r->uri;
    ctx->target.key = r->uri;

    return ngx_http_conflict_caller(r, ctx);
}


/* the body was that of another method */

static void
ngx_http_conflict_method_form(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->kind != NGX_HTTP_CONFLICT_KIND_POST || ctx->form == NULL
        || !ctx->form->found)
    {
        return;
    }

    ctx->kind = NGX_HTTP_CONFLICT_KIND_UNCHECKED;

    if (ngx_http_conflict_method_unchecked(ctx->request, ctx)
        != NGX_DECLINED)
    {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "conflict: no memory, so bases from before a POST with "
                      "\"_method\" still hold");
    }
}


ngx_int_t
ngx_http_conflict_method_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_method_form(ctx);

    if (ngx_http_conflict_conf_minted(ctx->conf)
        && !ctx->conf->report && ctx->kind != NGX_HTTP_CONFLICT_KIND_KEYLESS
        && (ctx->kind != NGX_HTTP_CONFLICT_KIND_POST
            || ngx_http_conflict_method_created(r)))
    {
        /* clients would send the upstream's own tag as a base */
        ngx_http_clear_etag(r);
    }

    ngx_http_conflict_method_end(ctx, r->headers_out.status);

    return ngx_http_conflict_conflict_field(r, ctx);
}


void
ngx_http_conflict_method_end(ngx_http_conflict_ctx_t *ctx, ngx_uint_t status)
{
    ngx_http_conflict_method_form(ctx);

    ngx_http_conflict_unleased_unguarded(ctx, status);

    if (ctx->kind == NGX_HTTP_CONFLICT_KIND_KEYLESS && ctx->flow.unguarded
        && ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED)
    {
        /* it may have had a base */
        ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_UNCHECKED;
        ngx_http_conflict_audit(ctx->request, ctx, status);
    }
}


/*
 * The validators of a 201 are those of the created resource, which is not the
 * target if the response has a Location (RFC 9110, 15.3.2).  Many APIs answer
 * 200 in its place, with the same fields.
 */

ngx_uint_t
ngx_http_conflict_method_created(ngx_http_request_t *r)
{
    ngx_list_t  *headers;

    if (!(r->method & NGX_HTTP_POST)) {
        return 0;
    }

    if (r->headers_out.status == NGX_HTTP_CREATED) {
        return 1;
    }

    headers = &r->headers_out.headers;

    return r->headers_out.status < NGX_HTTP_SPECIAL_RESPONSE
           && (ngx_http_conflict_method_elsewhere(r,
                   ngx_http_conflict_header_find(headers,
                       &ngx_http_conflict_method_location, NULL))
               || ngx_http_conflict_method_elsewhere(r,
                   ngx_http_conflict_header_find(headers,
                       &ngx_http_conflict_method_content_location, NULL)));
}


/* a reference to another path than that of the request */

static ngx_uint_t
ngx_http_conflict_method_elsewhere(ngx_http_request_t *r, ngx_str_t *reference)
{
    u_char     *p, *last;
    ngx_str_t  *uri;

    if (reference == NULL) {
        return 0;
    }

    p = reference->data;
    last = p + reference->len;
    uri = &r->unparsed_uri;

    if (reference->len > uri->len) {

        /* of an absolute one, what follows the host */

        p = ngx_strlchr(p, last, ':');

        if (p == NULL || last - p < 3 || p[1] != '/' || p[2] != '/') {
            return 1;
        }

        p = ngx_strlchr(p + 3, last, '/');

        if (p == NULL) {
            return 1;
        }
    }

    return (size_t) (last - p) != uri->len
           || ngx_memcmp(p, uri->data, uri->len) != 0;
}
