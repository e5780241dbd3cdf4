
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The response: the header of a guarded write settles it, the header of a
 * read gets the validators.  The filters run before all of nginx's own.
 */


#include "ngx_http_conflict_module.h"
#include "idempotency/ngx_http_conflict_idempotency.h"
#include "list/ngx_http_conflict_list.h"
#include "resolver/ngx_http_conflict_resolver.h"
#include "response/ngx_http_conflict_response.h"
#include "write/ngx_http_conflict_write.h"
#include "hold/ngx_http_conflict_hold.h"
#include "audit/ngx_http_conflict_audit.h"
#include "latest/ngx_http_conflict_latest.h"


static ngx_int_t ngx_http_conflict_filter_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_filter_body(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_conflict_filter_latest_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_filter_latest_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_conflict_filter_latest_next(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_conflict_filter_slice(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_filter_read(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_filter_validators(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_filter_offer_etag(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, uint64_t version);
static ngx_uint_t ngx_http_conflict_filter_result_known(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_filter_write(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_filter_write_validators(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_conflict_filter_header(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_conflict_ctx(r->main);

    if (r == r->main
        && (ctx == NULL || !ctx->flow.answered
            || ngx_http_conflict_cors_page(r))
        && ngx_http_conflict_cors_observe(r, ctx ? ctx->conf
                 : ngx_http_get_module_loc_conf(r, ngx_http_conflict_module))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx && ctx->resolver && ctx->resolver->request == r) {
        return ngx_http_conflict_resolver_call_header(r, ctx);
    }

    if (r != r->main || ctx == NULL) {
        ngx_http_conflict_unseen_header(r);
    }

    if (ctx == NULL
        || (ctx->op == NULL && ctx->kind < NGX_HTTP_CONFLICT_KIND_POST))
    {
        return ngx_http_next_header_filter(r);
    }

    if (r != r->main) {

        if (ctx->latest.request == r) {
            return ngx_http_conflict_filter_latest_header(r, ctx);
        }

        ngx_http_conflict_delegate_header(r, ctx);

        if (ctx->flow.filtered
            && r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT
            && ngx_http_conflict_filter_slice(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    if (ctx->flow.answered || ctx->flow.filtered || ctx->flow.error_page) {

        if (ctx->response) {
            /* a page follows instead of the body */
            ctx->response->failed = 1;
        }

        if (r->filter_finalize && !ctx->flow.error_page
            && ngx_http_conflict_conflict_field(r, ctx) != NGX_OK)
        {
            /* nginx's own page, for which the header was cleared */
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    ctx->flow.filtered = 1;
    ctx->flow.status = r->headers_out.status;

    if (r->headers_out.etag) {
        ctx->version.upstream_tag = r->headers_out.etag->value;
    }

    switch (ctx->kind) {

    case NGX_HTTP_CONFLICT_KIND_READ:
        rc = ngx_http_conflict_filter_read(r, ctx);
        break;

    case NGX_HTTP_CONFLICT_KIND_WRITE:
        rc = ngx_http_conflict_filter_write(r, ctx);
        break;

    default: /* NGX_HTTP_CONFLICT_KIND_POST, UNCHECKED, KEYLESS */
        rc = ngx_http_conflict_method_header(r, ctx);
    }

    if (rc == NGX_OK && ctx->idempotency) {
        rc = ngx_http_conflict_idempotency_record_header(r, ctx);
    }

    if (rc != NGX_OK) {
        return (rc > NGX_OK) ? rc : NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * A later slice of a body gets the tag of the first one, if the upstream has
 * sent both with the same tag.
 */

static ngx_int_t
ngx_http_conflict_filter_slice(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t         tag;
    ngx_table_elt_t  *h;

    ngx_str_null(&tag);
    h = r->main->headers_out.etag;

    if (r->headers_out.etag) {
        tag = r->headers_out.etag->value;
    }

    if (!ngx_http_conflict_same(&tag, &ctx->version.upstream_tag)) {

        if (h == NULL && ctx->version.upstream_tag.len
            && r->uri.data == r->main->uri.data)
        {
            /* the slice filter cannot compare tags, the first was removed */
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
ngx_http_conflict_filter_read(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->flow.outcome != NGX_HTTP_CONFLICT_OUTCOME_PASSED) {
        return ngx_http_conflict_conflict_field(r, ctx);
    }

    if (ngx_http_conflict_header_cached(r) || ctx->pass.delegate_cached) {
        /* the version of a cached body is unknown */
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

    if (r->headers_out.status < NGX_HTTP_SPECIAL_RESPONSE
        && ngx_http_conflict_read_page(r, ctx))
    {
        ctx->version.current = 0;

        return (!ctx->conf->report
                && ngx_http_conflict_filter_validators(r, ctx) != NGX_OK)
               ? NGX_ERROR : ngx_http_conflict_conflict_field(r, ctx);
    }

    ngx_http_conflict_body_scan_header(r, ctx);

    if (!op->in.minted && op->in.observed.version != op->out.version) {
        /* not the version in the store, or one that comes with the body */
        ctx->version.current = 0;
    }

    ngx_http_conflict_list_start(r, ctx);

    if (!ctx->conf->report) {
        rc = ngx_http_conflict_filter_validators(r, ctx);

    } else {
        rc = ngx_http_conflict_filter_offer_etag(r, ctx, ctx->version.current);
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
 * With minted versions ETag is the module's or is removed: clients would send
 * the upstream's own tag as a base.
 */

static ngx_int_t
ngx_http_conflict_filter_validators(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    time_t      date;
    uint64_t    version;
    ngx_uint_t  shown, minted;

    minted = ctx->op->in.minted;

    if (minted && r->headers_out.status == NGX_HTTP_NOT_MODIFIED) {
        return ngx_http_conflict_revalidate_not_modified(r, ctx);
    }

    shown = (r->headers_out.status == NGX_HTTP_OK
             || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT);

    date = r->headers_out.last_modified_time;

    version = shown ? ctx->version.current : 0;

    if (minted
        && ngx_http_conflict_revalidate_set_etag(r, ctx, version) != NGX_OK)
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

    return minted ? ngx_http_conflict_revalidate_conditions(r, ctx, date)
                  : NGX_OK;
}


/*
 * Report mode: clients get the module's tag unless the upstream sends tags of
 * its own.  Conditions are not evaluated by it, since the body may have
 * changed without a write.
 */

static ngx_int_t
ngx_http_conflict_filter_offer_etag(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, uint64_t version)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf->named;

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
 * Whether the client knows the body that the version names.  The client has
 * not seen the result of a merge (see RFC 9110, 9.3.4, on PUT), nor what a
 * stale part of a document has left as it is: what a response to PATCH shows
 * may be a report of success.  Removing the member with the base does not
 * count: it is not part of the client's document.
 */

static ngx_uint_t
ngx_http_conflict_filter_result_known(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  part;

    part = (ctx->method != NGX_HTTP_PUT
            || ctx->conf->put != CONFLICT_FORM_WHOLE);

    return ctx->merge.text.data == NULL
           && (!part || ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_PASSED);
}


static ngx_int_t
ngx_http_conflict_filter_write(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (ngx_http_conflict_fence_late(ctx)) {
        /* nginx's error page will pass this filter instead */
        ctx->flow.filtered = 0;
        ngx_http_clean_header(r);
        return NGX_HTTP_GATEWAY_TIME_OUT;
    }

    if (!ctx->conf->report) {
        /* nginx would evaluate the precondition again, by the new ETag */
        r->disable_not_modified = 1;
    }

    ngx_http_conflict_body_scan_header(r, ctx);

    if (ngx_http_conflict_body_scan_start(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_outcome_header(ctx);

    if (ctx->conf->hold || ctx->hold.resolves.len) {
        ngx_http_conflict_hold_answered(ctx);
    }

    if (ngx_http_conflict_filter_write_validators(r, ctx) != NGX_OK) {
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


/* by which the client learns the version that its write has made */

static ngx_int_t
ngx_http_conflict_filter_write_validators(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    uint64_t                 version;
    ngx_uint_t               pair, created, known, tagged;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    pair = (r->method & (NGX_HTTP_MOVE|NGX_HTTP_COPY)) ? 1 : 0;
    created = ngx_http_conflict_method_created(r);
    known = ngx_http_conflict_filter_result_known(ctx);

    if (pair || created) {
        /* the response is about another resource, or about two */
        ctx->version.current = 0;
    }

    if (pair || (ctx->method == NGX_HTTP_PUT && ctx->pass.rewritten)
        || ctx->conf->inject->place != NGX_HTTP_CONFLICT_DEFAULT)
    {
        /*
         * The upstream's own tag may be that of either resource.  In the
         * other cases it is the tag of a body that differs from the one that
         * the client has sent, or that a read shows.
         */
        ngx_str_null(&ctx->version.upstream_tag);
    }

    if (!known && !ctx->conf->report
        && r->headers_out.status < NGX_HTTP_SPECIAL_RESPONSE
        && ctx->flow.outcome != NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED)
    {
        /* the upstream's, too, would be those of the client's document */
        ngx_http_clear_etag(r);
        ngx_http_clear_last_modified(r);
    }

    tagged = known && !created && ctx->lease.committed && op->out.applied
             && op->in.observed.existence == CONFLICT_EXISTS
             && ctx->get.uri.len == 0;

    version = tagged ? op->out.version : 0;

    if (ctx->conf->report) {
        return ngx_http_conflict_filter_offer_etag(r, ctx, version);
    }

    if (op->in.minted
        && ngx_http_conflict_revalidate_set_etag(r, ctx, version) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return tagged ? ngx_http_conflict_validators_date(r, ctx) : NGX_OK;
}


static ngx_int_t
ngx_http_conflict_filter_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                 rc;
    ngx_chain_t              *out;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx && ctx->resolver && ctx->resolver->request == r) {
        return ngx_http_conflict_resolver_call_body(r, ctx, in);
    }

    if (ctx == NULL
        || (in == NULL && !(r == r->main && ctx->list && ctx->list->reading)))
    {
        return ngx_http_next_body_filter(r, in);
    }

    if (r != r->main) {

        if (ctx->latest.request == r) {
            return ngx_http_conflict_filter_latest_body(r, ctx, in);
        }

        return ngx_http_next_body_filter(r, in);
    }

    out = in;

    if (in && ctx->response
        && ngx_http_conflict_body_scan_filter(r, ctx, in, &out) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->list && ctx->list->reading) {
        rc = ngx_http_conflict_list_body(r, ctx, out, &out);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (ctx->idempotency == NULL) {
        return ngx_http_next_body_filter(r, out);
    }

    if (ngx_http_conflict_idempotency_record_body(r, ctx, out) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ctx->idempotency->gone ? NGX_OK : ngx_http_next_body_filter(r, out);

    return ngx_http_conflict_idempotency_record_sent(r, ctx, out, rc);
}


/*
 * The own GET: the response is saved here as the upstream sent it, and again
 * in capture.c as the filters in between have left it.
 */

static ngx_int_t
ngx_http_conflict_filter_latest_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (r->filter_finalize) {
        /* the page by which a filter replaces the response */
        r->header_sent = 1;
        return NGX_OK;
    }

    rc = ngx_http_conflict_latest_response_header(r, ctx);

    if (rc != NGX_OK) {
        r->header_sent = 1;
        return rc;
    }

    return ngx_http_conflict_filter_latest_next(r, ctx, NULL);
}


static ngx_int_t
ngx_http_conflict_filter_latest_body(ngx_http_request_t *r,
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
        rc = ngx_http_conflict_filter_latest_next(r, ctx, out);
    }

    if (ctx->latest.shown.failed) {

        for (cl = in; cl; cl = cl->next) {
            ngx_http_conflict_capture_used(cl->buf);
        }
    }

    return rc;
}


/*
 * If a filter fails, only its output is lost: the upstream's response is still
 * needed, and an error would be taken for one of the client's connection.
 * ngx_http_filter_finalize_request(), which sends a page instead of the body,
 * clears the contexts of all modules, including the upstream module.
 */

static ngx_int_t
ngx_http_conflict_filter_latest_next(ngx_http_request_t *r,
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

    /* no error page, which would start another response */

    error_page = r->error_page;
    r->error_page = 1;

    rc = in ? ngx_http_next_body_filter(r, in)
            : ngx_http_next_header_filter(r);

    r->error_page = error_page;

    latest->filters = (r->filter_need_in_memory
                       || r->main_filter_need_in_memory);

    nmcf = ngx_http_get_module_main_conf(r, ngx_http_conflict_module);

    if (in == NULL && nmcf->ssi) {
        /* the SSI filter looks there for the variables of an include */
        r->main->ctx[nmcf->ssi->ctx_index] = r->ctx[nmcf->ssi->ctx_index];
    }

    if (r->filter_finalize) {

        if (in == NULL) {
            latest->shown.status = r->err_status;
        }

        r->filter_finalize = 0;
        ngx_memcpy(r->ctx, latest->saved, size);
        rc = NGX_ERROR;
    }

    if (rc == NGX_ERROR || rc > NGX_OK) {

        if (in == NULL && rc > NGX_OK) {
            latest->shown.status = rc;
        }

        latest->shown.failed = 1;
        r->buffered = 0;
        r->connection->buffered = latest->buffered;
        rc = NGX_OK;
    }

    if (latest->shown.failed) {
        /* even if no filter has sent it */
        r->header_sent = 1;
    }

    return rc;
}


void
ngx_http_conflict_filter_init(void)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_conflict_filter_header;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_conflict_filter_body;
}
