
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The way back: the header of a guarded write settles it, that of a read
 * is given the validators.  The module's filters run before all of nginx's.
 */


#include "ngx_http_conflict_module.h"


static ngx_int_t ngx_http_conflict_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_conflict_part(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_read_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_validators(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_write_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_conflict_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL || ctx->op == NULL) {
        return ngx_http_next_header_filter(r);
    }

    if (r != r->main) {

        if (ctx->latest.request == r) {
            return ngx_http_conflict_latest_header(r, ctx);
        }

        if (ctx->filtered
            && r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT
            && ngx_http_conflict_part(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    if (ctx->answered || ctx->filtered || ctx->left) {

        if (r->filter_finalize && !ctx->left
            && ngx_http_conflict_set_field(r, ctx) != NGX_OK)
        {
            /* a page of nginx's own, for which the headers were cleared */
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    ctx->filtered = 1;

    if (r->headers_out.etag) {
        ctx->tag = r->headers_out.etag->value;
    }

    rc = ctx->write ? ngx_http_conflict_write_header(r, ctx)
                    : ngx_http_conflict_read_header(r, ctx);
    if (rc != NGX_OK) {
        return (rc > NGX_OK) ? rc : NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * A slice of the same body: it must have the same tag, as it had from the
 * upstream.
 */

static ngx_int_t
ngx_http_conflict_part(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t         tag;
    ngx_list_part_t  *last;
    ngx_table_elt_t  *h;

    ngx_str_null(&tag);

    if (r->headers_out.etag) {
        tag = r->headers_out.etag->value;
    }

    if (tag.len != ctx->tag.len
        || ngx_strncmp(tag.data, ctx->tag.data, tag.len) != 0)
    {
        return NGX_OK;
    }

    ngx_http_clear_etag(r);

    h = r->main->headers_out.etag;

    if (h == NULL) {
        return NGX_OK;
    }

    if (ngx_http_conflict_add_header(r, "ETag", (char *) h->value.data,
                                     h->value.len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    last = r->headers_out.headers.last;
    h = last->elts;
    r->headers_out.etag = &h[last->nelts - 1];

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_read_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->outcome != NGX_HTTP_CONFLICT_PASSED) {
        return ngx_http_conflict_set_field(r, ctx);
    }

    if (r->cached) {
        /* nobody knows which version a cached body is of */
        ctx->outcome = NGX_HTTP_CONFLICT_UNCHECKED;

        if (op->minted && !ctx->conf->report) {
            ngx_http_clear_etag(r);
        }

        return ngx_http_conflict_set_field(r, ctx);
    }

    ngx_http_conflict_response_seen(r, ctx);

    if (!ctx->conf->report
        && ngx_http_conflict_validators(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_response_start(r, ctx) != NGX_OK
        || ngx_http_conflict_set_field(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->response == NULL) {
        ngx_http_conflict_response_end(r, ctx);
    }

    return NGX_OK;
}


/*
 * With minted versions the tag is ours, or there is none: the upstream's
 * would come back as a base.  It names what the last write has made, which a
 * list or a body of another user need not follow, so there is no 304 for it.
 */

static ngx_int_t
ngx_http_conflict_validators(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  shown;

    shown = (r->headers_out.status == NGX_HTTP_OK
             || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT);

    if (ctx->op->minted) {

        if (r->headers_out.status == NGX_HTTP_OK) {
            /* nginx judges If-Match by it */
            r->disable_not_modified = 0;
        }

        if (ngx_http_conflict_set_etag(r, shown ? ctx->current : 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (r->headers_in.if_range
            && r->headers_in.if_range->value.len
            && r->headers_in.if_range->value.data[0] == '"')
        {
            /* that it is our tag does not make it the same bytes */
            r->headers_in.range = NULL;
        }

        if (ctx->current == 0) {
            return NGX_OK;
        }
    }

    return shown ? ngx_http_conflict_set_date(r, ctx) : NGX_OK;
}


static ngx_int_t
ngx_http_conflict_write_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t               tagged;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ngx_http_conflict_fence_late(ctx)) {
        /* nginx's own page comes here in its place */
        ctx->filtered = 0;
        ngx_http_clean_header(r);
        return NGX_HTTP_GATEWAY_TIME_OUT;
    }

    if (!ctx->conf->report) {
        /* nginx would judge our own precondition again, by the new ETag */
        r->disable_not_modified = 1;
    }

    ngx_http_conflict_response_seen(r, ctx);

    if (ngx_http_conflict_response_start(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_settle_header(ctx);

    /*
     * A PUT whose body was changed on its way bears no validator (RFC 9110,
     * 9.3.4).
     */

    tagged = ctx->committed && op->applied
             && op->seen.existence == CONFLICT_EXISTS
             && !(ctx->method == NGX_HTTP_PUT && ctx->rewritten);

    if (op->minted && !ctx->conf->report
        && ngx_http_conflict_set_etag(r, tagged ? op->version : 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tagged && !ctx->conf->report
        && ngx_http_conflict_set_date(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_conflict_inject_start(r, ctx);

    if (ngx_http_conflict_set_field(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_audit(r, ctx, r->headers_out.status);

    if (ctx->response == NULL) {
        ngx_http_conflict_response_end(r, ctx);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t              *out;
    ngx_http_conflict_ctx_t  *ctx;

    if (in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    if (r != r->main) {

        if (ctx->latest.request == r) {
            return ngx_http_conflict_latest_body(r, ctx, in);
        }

        return ngx_http_next_body_filter(r, in);
    }

    if (ctx->response == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    if (ngx_http_conflict_response_body(r, ctx, in, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, out);
}


void
ngx_http_conflict_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_conflict_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_conflict_body_filter;
}
