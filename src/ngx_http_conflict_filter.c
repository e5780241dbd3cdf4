
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The way back: the header of a guarded write settles it, that of a read
 * is given the validators.  The module's filters run before all of nginx's.
 */


#include "ngx_http_conflict_module.h"
#include "response/ngx_http_conflict_response.h"
#include "write/ngx_http_conflict_write.h"
#include "audit/ngx_http_conflict_audit.h"
#include "latest/ngx_http_conflict_latest.h"


static ngx_int_t ngx_http_conflict_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_conflict_fetch_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_fetch_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_conflict_fetch_filter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_conflict_part(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_read_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_validate(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_offer(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, uint64_t version);
static ngx_uint_t ngx_http_conflict_known(ngx_http_conflict_ctx_t *ctx);
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

    if (r == r->main && (ctx == NULL || !ctx->own.pending)
        && ngx_http_conflict_cors_observe(r, ctx ? ctx->conf
                 : ngx_http_get_module_loc_conf(r, ngx_http_conflict_module))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx == NULL
        || (ctx->op == NULL && ctx->kind != NGX_HTTP_CONFLICT_KIND_POST))
    {
        return ngx_http_next_header_filter(r);
    }

    if (r != r->main) {

        if (ctx->latest.request == r) {
            return ngx_http_conflict_fetch_header(r, ctx);
        }

        if (ctx->flow.filtered
            && r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT
            && ngx_http_conflict_part(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    if (ctx->flow.answered || ctx->flow.filtered || ctx->flow.error_page_seen) {

        if (r->filter_finalize && !ctx->flow.error_page_seen
            && ngx_http_conflict_conflict_field(r, ctx) != NGX_OK)
        {
            /* a page of nginx's own, for which the headers were cleared */
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    ctx->flow.filtered = 1;

    if (r->headers_out.etag) {
        ctx->version.upstream_tag = r->headers_out.etag->value;
    }

    switch (ctx->kind) {

    case NGX_HTTP_CONFLICT_KIND_READ:
        rc = ngx_http_conflict_read_header(r, ctx);
        break;

    case NGX_HTTP_CONFLICT_KIND_WRITE:
        rc = ngx_http_conflict_write_header(r, ctx);
        break;

    default: /* NGX_HTTP_CONFLICT_KIND_POST, UNCHECKED */
        rc = ngx_http_conflict_method_header(r, ctx);
    }

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
    ngx_table_elt_t  *h;

    ngx_str_null(&tag);
    h = r->main->headers_out.etag;

    if (r->headers_out.etag) {
        tag = r->headers_out.etag->value;
    }

    if (tag.len != ctx->version.upstream_tag.len
        || ngx_strncmp(tag.data, ctx->version.upstream_tag.data, tag.len) != 0)
    {
        if (h == NULL && ctx->version.upstream_tag.len
            && r->uri.data == r->main->uri.data)
        {
            /* the slice filter has no tag to compare it with */
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "etag mismatch in slice response");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (h == NULL) {
        ngx_http_clear_etag(r);
        return NGX_OK;
    }

    return ngx_http_conflict_validators_etag_text(r, (char *) h->value.data,
                                                  h->value.len);
}


static ngx_int_t
ngx_http_conflict_read_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->flow.outcome != NGX_HTTP_CONFLICT_OUTCOME_PASSED) {
        return ngx_http_conflict_conflict_field(r, ctx);
    }

    if (ngx_http_conflict_header_cached(r)) {
        /* nobody knows which version a cached body is of */
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED;

        ctx->version.current = 0;

        if (op->in.minted && !ctx->conf->report) {
            ngx_http_clear_etag(r);

            if (ngx_http_conflict_revalidate_conditions(r, ctx,
                                           r->headers_out.last_modified_time)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        return ngx_http_conflict_conflict_field(r, ctx);
    }

    ngx_http_conflict_body_scan_header(r, ctx);

    if (!op->in.minted && op->in.observed.version != op->out.version) {
        /* older or newer than what is known, or not known before the body */
        ctx->version.current = 0;
    }

    if (!ctx->conf->report) {
        rc = ngx_http_conflict_validate(r, ctx);

    } else {
        rc = ngx_http_conflict_offer(r, ctx, ctx->version.current);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_body_scan_start(r, ctx) != NGX_OK
        || ngx_http_conflict_conflict_field(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->response == NULL) {
        ngx_http_conflict_body_scan_end(r, ctx);
    }

    return NGX_OK;
}


/*
 * With minted versions the tag is ours, or there is none: the upstream's
 * would come back as a base.
 */

static ngx_int_t
ngx_http_conflict_validate(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    time_t      date;
    ngx_uint_t  shown, minted;

    minted = ctx->op->in.minted;

    if (minted && r->headers_out.status == NGX_HTTP_NOT_MODIFIED) {
        return ngx_http_conflict_revalidate_not_modified(r, ctx);
    }

    shown = (r->headers_out.status == NGX_HTTP_OK
             || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT);

    date = r->headers_out.last_modified_time;

    if (minted
        && ngx_http_conflict_revalidate_set_etag(
                r, ctx, shown ? ctx->version.current : 0)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!shown) {
        return NGX_OK;
    }

    if (ctx->version.current
        && ngx_http_conflict_validators_date(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return minted ? ngx_http_conflict_revalidate_conditions(r, ctx,
                                                            date) : NGX_OK;
}


/*
 * Report mode: what clients would get, where the upstream has no tag that it
 * would come instead of.  Nothing is judged by it: the body may have changed
 * without a write.
 */

static ngx_int_t
ngx_http_conflict_offer(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx,
    uint64_t version)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    if (!ctx->op->in.minted || r->headers_out.status < 200
        || r->headers_out.status >= 300)
    {
        return NGX_OK;
    }

    if (r->headers_out.etag) {
        nlcf->tags = NGX_HTTP_CONFLICT_TAGS_OWN;
        return NGX_OK;
    }

    if (nlcf->tags == NGX_HTTP_CONFLICT_TAGS_UNKNOWN && !ctx->write) {
        nlcf->tags = NGX_HTTP_CONFLICT_TAGS_NONE;
    }

    if (nlcf->tags != NGX_HTTP_CONFLICT_TAGS_NONE || version == 0) {
        return NGX_OK;
    }

    r->disable_not_modified = 1;

    if (r->headers_in.if_range) {
        r->headers_in.range = NULL;
    }

    return ngx_http_conflict_validators_etag(r, version);
}


/*
 * Does the client know what the version is of?  What a merge has made it has
 * not seen, unless the answer shows it (RFC 9110, 9.3.4, of PUT).  That the
 * member of its base was cut out changes nothing of its document.
 */

static ngx_uint_t
ngx_http_conflict_known(ngx_http_conflict_ctx_t *ctx)
{
    return ctx->merge.text.data == NULL
           || (ctx->method != NGX_HTTP_PUT && ctx->response
               && ctx->response->recording);
}


static ngx_int_t
ngx_http_conflict_write_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               tagged;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ngx_http_conflict_fence_late(ctx)) {
        /* nginx's own page comes here in its place */
        ctx->flow.filtered = 0;
        ngx_http_clean_header(r);
        return NGX_HTTP_GATEWAY_TIME_OUT;
    }

    if (!ctx->conf->report) {
        /* nginx would judge our own precondition again, by the new ETag */
        r->disable_not_modified = 1;
    }

    ngx_http_conflict_body_scan_header(r, ctx);

    if (ngx_http_conflict_body_scan_start(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_outcome_header(ctx);

    if ((r->method & (NGX_HTTP_MOVE|NGX_HTTP_COPY))
        || ngx_http_conflict_method_created(r))
    {
        /* the answer is about another resource, or about two */
        ctx->version.current = 0;
    }

    tagged = ctx->lease.committed && op->out.applied
             && op->in.observed.existence == CONFLICT_EXISTS
             && ngx_http_conflict_known(ctx)
             && ctx->get.uri.len == 0
             && !ngx_http_conflict_method_created(r);

    if ((r->method & (NGX_HTTP_MOVE|NGX_HTTP_COPY))
        || (ctx->method == NGX_HTTP_PUT && ctx->pass.rewritten)
        || ctx->conf->inject->place != NGX_HTTP_CONFLICT_DEFAULT)
    {
        /*
         * Nor is it known which of both a tag of the upstream's names; and
         * what the client has sent is not what that is the tag of, nor is it
         * what a read shows with the version in it.
         */
        ngx_str_null(&ctx->version.upstream_tag);
    }

    if (ctx->conf->report) {
        rc = ngx_http_conflict_offer(r, ctx, tagged ? op->out.version : 0);

    } else if (op->in.minted) {
        rc = ngx_http_conflict_revalidate_set_etag(
                r, ctx, tagged ? op->out.version : 0);

    } else {
        rc = NGX_OK;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (tagged && !ctx->conf->report
        && ngx_http_conflict_validators_date(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_conflict_version_inject_start(r, ctx);

    if (ngx_http_conflict_conflict_field(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_audit(r, ctx, r->headers_out.status);

    if (ctx->response == NULL) {
        ngx_http_conflict_body_scan_end(r, ctx);
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
            return ngx_http_conflict_fetch_body(r, ctx, in);
        }

        return ngx_http_next_body_filter(r, in);
    }

    if (ctx->response == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    if (ngx_http_conflict_body_scan_filter(r, ctx, in, &out) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, out);
}


/*
 * The module's own GET: it is kept as it comes, and again by _capture.c once
 * the location's filters have had it.
 */

static ngx_int_t
ngx_http_conflict_fetch_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (r->filter_finalize) {
        /* a page that a filter puts in its place */
        r->header_sent = 1;
        return NGX_OK;
    }

    rc = ngx_http_conflict_latest_response_header(r, ctx);

    if (rc != NGX_OK) {
        r->header_sent = 1;
        return rc;
    }

    return ngx_http_conflict_fetch_filter(r, ctx, NULL);
}


static ngx_int_t
ngx_http_conflict_fetch_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl, *out;

    rc = NGX_OK;
    out = NULL;

    if (!r->filter_finalize
        && ngx_http_conflict_latest_response_body(r, ctx, in, &out) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (out && !ctx->latest.shown.failed) {
        rc = ngx_http_conflict_fetch_filter(r, ctx, out);
    }

    if (ctx->latest.shown.failed) {

        for (cl = in; cl; cl = cl->next) {
            ngx_http_conflict_capture_used(cl->buf);
        }
    }

    return rc;
}


/*
 * A filter that fails fails alone: what the upstream sends is still needed,
 * and an error would be taken for one of the client's connection.  The page
 * that ngx_http_filter_finalize_request() sends in the place of the body
 * takes the contexts of the modules away, the upstream's, too.
 */

static ngx_int_t
ngx_http_conflict_fetch_filter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in)
{
    size_t                          size;
    ngx_int_t                       rc;
    ngx_uint_t                      error_page;
    ngx_http_conflict_latest_t     *latest;
    ngx_http_conflict_main_conf_t  *nmcf;

    latest = &ctx->latest;
    size = sizeof(void *) * ngx_http_max_module;

    if (latest->saved == NULL) {
        latest->saved = ngx_palloc(r->pool, size);
        if (latest->saved == NULL) {
            return NGX_ERROR;
        }

        latest->buffered = r->connection->buffered;
    }

    ngx_memcpy(latest->saved, r->ctx, size);

    /* no page that would begin another response */

    error_page = r->error_page;
    r->error_page = 1;

    rc = in ? ngx_http_next_body_filter(r, in)
            : ngx_http_next_header_filter(r);

    r->error_page = error_page;

    nmcf = ngx_http_get_module_main_conf(r, ngx_http_conflict_module);

    if (in == NULL && nmcf->ssi) {
        /* where that filter looks for the variables of an include */
        r->main->ctx[nmcf->ssi->ctx_index] = r->ctx[nmcf->ssi->ctx_index];
    }

    if (r->filter_finalize) {
        r->filter_finalize = 0;
        ngx_memcpy(r->ctx, latest->saved, size);
        rc = NGX_ERROR;
    }

    if (rc == NGX_ERROR || rc > NGX_OK) {
        latest->shown.failed = 1;
        r->buffered = 0;
        r->connection->buffered = latest->buffered;
        rc = NGX_OK;
    }

    if (latest->shown.failed) {
        /* whatever the filters think of it */
        r->header_sent = 1;
    }

    return rc;
}


void
ngx_http_conflict_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_conflict_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_conflict_body_filter;
}
