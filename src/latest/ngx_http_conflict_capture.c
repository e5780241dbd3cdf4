
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Captures the own GET below all filters of the location: the client may see
 * no more than they pass on.  Responses of the module are sent from here, past
 * these filters.
 */


#include "latest/ngx_http_conflict_latest.h"


/* the first members of ngx_http_addition_conf_t, which is private */

typedef struct {
    ngx_str_t                      before_body;
    ngx_str_t                      after_body;
    ngx_hash_t                     types;
} ngx_http_conflict_addition_t;


static ngx_int_t ngx_http_conflict_capture_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_conflict_capture_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_capture_refused(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_capture_has_addition(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_capture_body(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_http_conflict_ctx_t *ngx_http_conflict_capture_ctx(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_capture_buf(ngx_http_conflict_ctx_t *ctx,
    ngx_buf_t *b);
static ngx_int_t ngx_http_conflict_capture_own(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


static ngx_http_module_t  ngx_http_conflict_capture_filter_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_conflict_capture_init,        /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_conflict_capture_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_conflict_capture_filter_module_ctx,  /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/*
 * Filters run from the last to the first.  Those below the postpone filter
 * only encode and send.  Output of a filter between it and this module cannot
 * be captured.
 */

static ngx_int_t
ngx_http_conflict_capture_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_module_t                   **modules;
    ngx_http_conflict_main_conf_t   *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    if (!nmcf->guarded) {
        return NGX_OK;
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_conflict_capture_header;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_conflict_capture_body;

    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        if (ngx_strcmp(modules[i]->name, "ngx_http_charset_filter_module")
            == 0)
        {
            nmcf->charset = modules[i];
        }

        if (ngx_strcmp(modules[i]->name, "ngx_http_addition_filter_module")
            == 0)
        {
            nmcf->addition = modules[i];
        }

        if (ngx_strcmp(modules[i]->name, "ngx_http_ssi_filter_module") == 0) {
            nmcf->ssi = modules[i];
        }

        if (ngx_strcmp(modules[i]->name, "ngx_http_memcached_module") == 0) {
            nmcf->memcached = modules[i];
        }

        if (i && modules[i] == &ngx_http_conflict_capture_filter_module) {
            nmcf->captures = (ngx_strcmp(modules[i - 1]->name,
                                         "ngx_http_postpone_filter_module")
                              == 0);
        }
    }

    if (!nmcf->captures) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "refusals show no body, because \"load_module\" of "
                      "ngx_http_conflict_module is not before those of all "
                      "filter modules");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_capture_header(ngx_http_request_t *r)
{
    ngx_http_conflict_ctx_t     *ctx;
    ngx_http_conflict_shown_t   *shown;
    ngx_http_conflict_latest_t  *latest;

    if (r == r->main) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

        if (ctx && ctx->own.pending && !r->filter_finalize
            && ngx_http_conflict_capture_own(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_http_conflict_cors_page(r)
            && ngx_http_conflict_cors_unify(r) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ctx && ctx->op && ctx->flow.filtered && !ctx->flow.answered
            && r->headers_out.status >= NGX_HTTP_BAD_REQUEST
            && r->headers_out.status != ctx->flow.status
            && ngx_http_conflict_capture_refused(r, ctx) != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_conflict_capture_ctx(r);

    if (ctx == NULL) {
        return ngx_http_next_header_filter(r);
    }

    /* normally set by ngx_http_header_filter(), which is not called */
    r->header_sent = 1;

    latest = &ctx->latest;
    shown = &latest->shown;

    if (latest->request != r) {
        return NGX_OK;
    }

    shown->header = 1;
    shown->status = r->headers_out.status;

    if (r->headers_out.status != latest->sent
        || ngx_http_conflict_capture_has_addition(r))
    {
        /* a filter has replaced the response, or would do so for a client */
        shown->failed = 1;
    }

    shown->content_type.len = r->headers_out.content_type.len;
    shown->content_type.data = ngx_pstrdup(r->pool,
                                           &r->headers_out.content_type);

    return (shown->content_type.data == NULL && shown->content_type.len)
           ? NGX_ERROR : NGX_OK;
}


/* a filter may have refused what the upstream has shown */

static ngx_int_t
ngx_http_conflict_capture_refused(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->op->in.minted && !ctx->conf->report) {
        ngx_http_clear_etag(r);
    }

    if (ctx->response && !ctx->write) {
        /* the body is not shown: it is no base, and no earlier version */
        ctx->response->failed = 1;
    }

    return ngx_http_conflict_conflict_field(r, ctx);
}


/* whether the filter would add to a GET of the client; it skips subrequests */

static ngx_uint_t
ngx_http_conflict_capture_has_addition(ngx_http_request_t *r)
{
    ngx_http_conflict_addition_t   *conf;
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_http_get_module_main_conf(r, ngx_http_conflict_module);

    if (nmcf->addition == NULL) {
        return 0;
    }

    conf = r->loc_conf[nmcf->addition->ctx_index];

    return (conf->before_body.len || conf->after_body.len)
           && ngx_http_test_content_type(r, &conf->types) != NULL;
}


static ngx_int_t
ngx_http_conflict_capture_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = (r == r->main) ? NULL : ngx_http_conflict_capture_ctx(r);

    if (ctx == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    if (in == NULL) {
        /* the postpone filter has no output, but wakes the subrequests */
        return r->postponed ? ngx_http_next_body_filter(r, NULL) : NGX_OK;
    }

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (ctx->latest.request == r) {

            if (ngx_http_conflict_capture_buf(ctx, b) != NGX_OK) {
                ctx->latest.shown.failed = 1;
            }

        } else if (!ngx_buf_special(b) && ngx_buf_size(b)) {
            /* the position of an included response in the body is unknown */
            ctx->latest.shown.failed = 1;
        }

        ngx_http_conflict_capture_used(b);
    }

    return NGX_OK;
}


/*
 * The context if the subrequest is the own GET, or was included in it by a
 * filter.  Before its header is sent, the main request has no other ones but
 * those whose body is discarded.
 */

static ngx_http_conflict_ctx_t *
ngx_http_conflict_capture_ctx(ngx_http_request_t *r)
{
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_conflict_module);

    return (ctx && ctx->timing.fetches && !r->main->header_sent) ? ctx : NULL;
}


/* copies the body only from where it differs from that of the upstream */

static ngx_int_t
ngx_http_conflict_capture_buf(ngx_http_conflict_ctx_t *ctx, ngx_buf_t *b)
{
    size_t                       size;
    ngx_uint_t                   same;
    ngx_http_conflict_shown_t   *shown;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;
    shown = &latest->shown;

    if (b->last_buf || b->last_in_chain) {
        shown->ended = 1;
    }

    if (shown->failed || ngx_buf_special(b) || ngx_buf_size(b) == 0) {
        return NGX_OK;
    }

    if (!ngx_buf_in_memory(b)
        || ngx_buf_size(b) > (off_t) (ctx->conf->max_body - shown->body.len))
    {
        return NGX_ERROR;
    }

    size = b->last - b->pos;

    same = (shown->body.data == NULL);

    if (same && latest->body.len - shown->body.len >= size
        && ngx_memcmp(latest->body.data + shown->body.len, b->pos, size) == 0)
    {
        shown->body.len += size;
        return NGX_OK;
    }

    if (ngx_http_conflict_latest_response_grow(ctx->request->pool, &shown->body,
                                               &shown->size, size)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (same) {
        ngx_memcpy(shown->body.data, latest->body.data, shown->body.len);
    }

    ngx_memcpy(shown->body.data + shown->body.len, b->pos, size);
    shown->body.len += size;

    return NGX_OK;
}


void
ngx_http_conflict_capture_used(ngx_buf_t *b)
{
    b->pos = b->last;
    b->file_pos = b->file_last;
}


ngx_int_t
ngx_http_conflict_capture_shown(ngx_http_conflict_ctx_t *ctx, ngx_str_t *text)
{
    ngx_http_conflict_shown_t      *shown;
    ngx_http_conflict_latest_t     *latest;
    ngx_http_conflict_main_conf_t  *nmcf;

    latest = &ctx->latest;
    shown = &latest->shown;

    nmcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_conflict_module);

    if (!nmcf->captures || !shown->header || shown->failed) {
        return NGX_DECLINED;
    }

    *text = latest->body;

    if (ngx_http_conflict_capture_unfiltered(ctx)) {
        return NGX_OK;
    }

    if (shown->body.data) {
        text->data = shown->body.data;
    }

    text->len = shown->body.len;

    /* not all filters mark the end of the body of a subrequest */

    return (shown->ended || conflict_scan_valid(text->data, text->len))
           ? NGX_OK : NGX_DECLINED;
}


ngx_uint_t
ngx_http_conflict_capture_unfiltered(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_shown_t      *shown;
    ngx_http_conflict_latest_t     *latest;
    ngx_http_conflict_main_conf_t  *nmcf;

    latest = &ctx->latest;
    shown = &latest->shown;

    nmcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_conflict_module);

    return nmcf->captures && shown->header && !shown->failed
           && shown->body.data == NULL
           && shown->body.len == latest->body.len;
}


ngx_uint_t
ngx_http_conflict_capture_no_filter(ngx_http_conflict_ctx_t *ctx)
{
    /* most filters leave alone what is empty or of another type */

    return ctx->latest.json && ctx->latest.body.len
           && ngx_http_conflict_capture_unfiltered(ctx)
           && !ctx->latest.filters;
}


ngx_int_t
ngx_http_conflict_capture_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out)
{
    ngx_int_t                rc;
    ngx_http_conflict_own_t  *own;

    own = &ctx->own;

    own->length = r->headers_out.content_length_n;
    own->etag = r->headers_out.etag;

    if (own->etag) {
        own->tag = own->etag->value;
    }

    own->pending = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (own->pending) {
        /* a filter delays the header until it has the body */
        own->pending = 0;
        return ngx_http_output_filter(r, out);
    }

    rc = ngx_http_next_body_filter(r, out);

    if (rc == NGX_ERROR) {
        r->connection->error = 1;
    }

    return rc;
}


ngx_int_t
ngx_http_conflict_capture_stream(ngx_http_request_t *r, ngx_chain_t *out)
{
    return ngx_http_next_body_filter(r, out);
}


/* restores what filters removed because they would change the body */

static ngx_int_t
ngx_http_conflict_capture_own(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_own_t        *own;
    ngx_http_conflict_main_conf_t  *nmcf;

    own = &ctx->own;
    own->pending = 0;

    nmcf = ngx_http_get_module_main_conf(r, ngx_http_conflict_module);

    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = own->length;

    if (own->etag) {
        own->etag->hash = 1;
        own->etag->value = own->tag;
        r->headers_out.etag = own->etag;
    }

    if (nmcf->charset && r->ctx[nmcf->charset->ctx_index]) {
        /* the body is not recoded */
        r->headers_out.charset.len = 0;
    }

    return ngx_http_conflict_cors_unify(r);
}
