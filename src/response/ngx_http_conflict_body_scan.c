
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Reads the body of a response while it is sent: hashes it, finds the owned
 * version and date in it, and has the minted version injected.
 */


#include "response/ngx_http_conflict_response.h"
#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "audit/ngx_http_conflict_audit.h"


#define NGX_HTTP_CONFLICT_BLOCK  16384    /* bytes read from a file at once */


static ngx_int_t ngx_http_conflict_body_scan_read(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_buf_t *b);
static void ngx_http_conflict_body_scan_feed(ngx_http_conflict_ctx_t *ctx,
    u_char *data, size_t len);
static void ngx_http_conflict_body_scan_values(ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_body_scan_news(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_body_scan_report(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_body_scan_observed(ngx_http_conflict_op_t *op);
static void ngx_http_conflict_body_scan_value(conflict_scan_t *json,
    ngx_str_t *value);


void
ngx_http_conflict_body_scan_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                     *value;
    ngx_uint_t                     status;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_loc_conf_t  *nlcf;

    op = ctx->op;
    nlcf = ctx->conf;
    status = r->headers_out.status;

    op->in.observed.version = 0;
    op->in.observed.body = 0;
    op->in.observed.mtime = CONFLICT_TIME_NONE;
    op->in.observed.latest = 0;
    op->in.observed.existence = CONFLICT_MAY_EXIST;

    if (ctx->write) {
        op->in.observed.view = op->in.view;

    } else if (status == NGX_HTTP_NOT_MODIFIED) {
        op->in.observed.view = 0;

    } else {
        op->in.observed.view = ngx_http_conflict_view(ctx, r);
    }

    /* 404 proves nothing: many APIs send it to clients without permission */

    if (status < 200 || status >= 300) {
        return;
    }

    op->in.observed.existence = CONFLICT_EXISTS;

    if (nlcf->mtime->place == NGX_HTTP_CONFLICT_DEFAULT) {

        if (r->headers_out.last_modified_time != -1) {
            op->in.observed.mtime = (int64_t) r->headers_out.last_modified_time
                                    * CONFLICT_TIME_SECOND;
        }

    } else if (nlcf->mtime->place == NGX_HTTP_CONFLICT_HEADER) {
        value = ngx_http_conflict_header_find(&r->headers_out.headers,
                                              &nlcf->mtime->name, NULL);
        if (value) {
            op->in.observed.mtime
                = ngx_http_conflict_version_source_date(value);
        }
    }

    op->in.observed.mtime = ngx_http_conflict_version_source_modified(nlcf,
                                                     op->in.observed.mtime);

    if (nlcf->version->place == NGX_HTTP_CONFLICT_HEADER) {
        value = ngx_http_conflict_header_find(&r->headers_out.headers,
                                              &nlcf->version->name, NULL);
        if (value) {
            ngx_http_conflict_version_source_weak(ctx, value);
            op->in.observed.version
                = ngx_http_conflict_version_source_parse(nlcf->version, value);
        }
    }
}


ngx_int_t
ngx_http_conflict_body_scan_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                     json;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_loc_conf_t  *nlcf;

    op = ctx->op;
    nlcf = ctx->conf;

    if (ngx_http_conflict_body_history_observes(r, ctx)) {

        if (ngx_http_conflict_body_scanner_create(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->response->observing = 1;
    }

    if (r->header_only || r->headers_out.status < 200
        || r->headers_out.status >= 300
        || r->headers_out.status == NGX_HTTP_NO_CONTENT
        || r->headers_out.content_length_n == 0)
    {
        return NGX_OK;
    }

    if (ctx->write && ngx_http_conflict_upstream_attempts_pending(r)
        && ngx_http_conflict_body_scanner_create(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ctx->write && op->in.minted
        && op->out.state == CONFLICT_FREE && op->in.observed.view
        && (op->out.body == 0 || op->out.body_view == op->in.observed.view)
        && ngx_http_conflict_header_whole(r)
        && r->headers_out.content_length_n <= (off_t) nlcf->max_body
        && !(r->headers_out.content_encoding
             && r->headers_out.content_encoding->value.len))
    {
        if (ngx_http_conflict_body_scanner_create(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        conflict_hash_init(&ctx->response->hash, 0);
        ctx->response->hashing = 1;
    }

    json = ngx_http_conflict_body_scanner_json(r);

    if (!json) {
        return NGX_OK;
    }

    if (ngx_http_conflict_body_history_wanted(r, ctx)) {

        if (ngx_http_conflict_body_scanner_create(r, ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->response->recording = 1;
    }

    if (ctx->response && ctx->response->observing
        && ngx_http_conflict_body_history_hash_start(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (nlcf->version->place == NGX_HTTP_CONFLICT_JSON
        && (ngx_http_conflict_body_scanner_create(r, ctx) != NGX_OK
            || ngx_http_conflict_body_scanner_scan(r, &ctx->response->version,
                                                   nlcf->version)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (nlcf->mtime->place == NGX_HTTP_CONFLICT_JSON
        && (ngx_http_conflict_body_scanner_create(r, ctx) != NGX_OK
            || ngx_http_conflict_body_scanner_scan(r, &ctx->response->mtime,
                                                   nlcf->mtime)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (!ctx->write) {
        ngx_http_conflict_version_inject_start(r, ctx);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_body_scan_filter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out)
{
    uint64_t                       pos;
    ngx_buf_t                     *b;
    ngx_uint_t                     last;
    ngx_chain_t                   *cl, *link, **next;
    ngx_http_conflict_response_t  *response;

    response = ctx->response;
    *out = in;
    next = out;
    last = 0;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;
        link = cl;

        if (response->inject && !response->injected) {

            /* the buffer may be replaced, and the chain is not the module's */

            link = ngx_alloc_chain_link(r->pool);
            if (link == NULL) {
                return NGX_ERROR;
            }

            link->buf = b;
            link->next = cl->next;
            *next = link;
            next = &link->next;
        }

        last |= b->last_buf;

        if (ngx_buf_special(b) || ngx_buf_size(b) == 0) {
            continue;
        }

        pos = (uint64_t) response->size;

        if (ngx_http_conflict_body_scan_read(r, ctx, b) != NGX_OK) {
            return NGX_ERROR;
        }

        if (response->inject && !response->injected
            && (!response->failed || response->skipping)
            && ngx_http_conflict_version_inject(r, ctx, link, pos) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (last && !response->ended) {
        response->ended = 1;
        ngx_http_conflict_body_scan_end(r, ctx);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_body_scan_read(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_buf_t *b)
{
    off_t    pos;
    size_t   n;
    u_char  *block;

    if (ngx_buf_in_memory(b)) {
        ngx_http_conflict_body_scan_feed(ctx, b->pos, b->last - b->pos);
        return NGX_OK;
    }

    if (ctx->response->failed) {
        return NGX_OK;
    }

    block = ngx_palloc(r->pool, NGX_HTTP_CONFLICT_BLOCK);
    if (block == NULL) {
        return NGX_ERROR;
    }

    for (pos = b->file_pos; pos < b->file_last && !ctx->response->failed;
         pos += n)
    {
        n = (size_t) ngx_min(b->file_last - pos, NGX_HTTP_CONFLICT_BLOCK);

        if (ngx_http_conflict_file_read(b->file, block, n, pos) != NGX_OK) {
            /* nginx will detect the error itself */
            ctx->response->failed = 1;
            break;
        }

        ngx_http_conflict_body_scan_feed(ctx, block, n);
    }

    (void) ngx_pfree(r->pool, block);

    return NGX_OK;
}


static void
ngx_http_conflict_body_scan_feed(ngx_http_conflict_ctx_t *ctx, u_char *data,
    size_t len)
{
    ngx_uint_t                     i;
    conflict_scan_t               *json[3];
    ngx_http_conflict_response_t  *response;

    response = ctx->response;

    response->size += len;

    if (response->size > (off_t) ctx->conf->max_body) {
        response->failed = 1;
    }

    if (response->failed) {

        /* a value that is partly replaced is still scanned for its end */

        if (response->skipping
            && conflict_scan_feed(response->inject, data, len)
               != CONFLICT_JSON_OK)
        {
            response->skipping = 0;
        }

        return;
    }

    if (response->hashing) {
        conflict_hash_update(&response->hash, data, len);
    }

    if (response->recording) {
        ngx_http_conflict_body_history_feed(ctx, data, len);
    }

    if (response->document_hashing) {
        ngx_http_conflict_body_history_hash(ctx, data, len);
    }

    json[0] = response->version;
    json[1] = response->mtime;
    json[2] = response->inject;

    for (i = 0; i < 3; i++) {

        if (json[i]
            && conflict_scan_feed(json[i], data, len) != CONFLICT_JSON_OK)
        {
            response->failed = 1;

            if (json[i] == response->inject) {
                /* the end of the value cannot be found */
                response->skipping = 0;
            }
        }
    }
}


void
ngx_http_conflict_body_scan_end(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                     settles;
    ngx_http_conflict_response_t  *response;

    response = ctx->response;

    if (ctx->op == NULL) {
        return;
    }

    if (response && !response->failed) {
        ngx_http_conflict_body_scan_values(ctx);
    }

    settles = (ctx->write && !ctx->lease.settled);

    if (settles) {
        ngx_http_conflict_outcome_body(ctx);
    }

    if (response && response->recording && !response->failed) {
        ngx_http_conflict_body_history_store_shown(ctx);
    }

    if (response && response->observing) {
        ngx_http_conflict_body_history_observe_end(ctx);
    }

    if (!settles && ngx_http_conflict_body_scan_news(ctx)) {
        ngx_http_conflict_body_scan_report(r, ctx);
    }
}


/* what the body says */

static void
ngx_http_conflict_body_scan_values(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      value;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_response_t  *response;

    op = ctx->op;
    response = ctx->response;

    if (response->hashing) {
        op->in.observed.body = conflict_hash_final(&response->hash);
    }

    if (response->version) {
        ngx_http_conflict_body_scan_value(response->version, &value);
        op->in.observed.version
            = ngx_http_conflict_version_source_parse(ctx->conf->version,
                                                     &value);
    }

    if (response->mtime) {
        ngx_http_conflict_body_scan_value(response->mtime, &value);

        if (value.len) {
            op->in.observed.mtime
                = ngx_http_conflict_version_source_modified(ctx->conf,
                               ngx_http_conflict_version_source_date(&value));
        }
    }
}


/* 1 if the response has shown what the store does not know; most do not */

static ngx_uint_t
ngx_http_conflict_body_scan_news(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_response_t  *response;

    op = ctx->op;
    response = ctx->response;

    if (op->in.observed.existence == CONFLICT_MAY_EXIST
        || (!op->in.minted && op->in.observed.version == 0
            && op->in.observed.existence == CONFLICT_EXISTS)
        || (ctx->write && !(ctx->lease.committed && op->out.applied
                            && response && response->mtime)))
    {
        return 0;
    }

    if (!ctx->write && op->out.state != CONFLICT_FREE
        && op->out.state != CONFLICT_LEASED)
    {
        /* a client's GET does not resolve a resource */
        return 0;
    }

    return !(op->out.existence == op->in.observed.existence
             && (op->in.observed.body == 0
                 || op->in.observed.body == op->out.body)
             && (op->in.minted || op->in.observed.version == op->out.version)
             && (op->in.observed.mtime == CONFLICT_TIME_NONE
                 || op->in.observed.mtime / CONFLICT_TIME_SECOND
                    == op->out.mtime / CONFLICT_TIME_SECOND));
}


static void
ngx_http_conflict_body_scan_report(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    op->out.external = 0;
    op->done = ngx_http_conflict_body_scan_observed;

    if (op->out.state == CONFLICT_FREE
        && (op->in.minted
            ? conflict_decide_contradicts(op->out.existence,
                                          op->in.observed.existence)
            : op->in.observed.version != op->out.version))
    {
        /* the store may confirm it after the end of the request */
        ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_EXTERNAL;
        ngx_http_conflict_audit(r, ctx, r->headers_out.status);
    }

    if (op->store->ops->observe(op) == NGX_OK) {
        ngx_http_conflict_body_scan_observed(op);
    }
}


static void
ngx_http_conflict_body_scan_observed(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_audit_external(op);
    ngx_http_conflict_body_history_external(op);
}


static void
ngx_http_conflict_body_scan_value(conflict_scan_t *json, ngx_str_t *value)
{
    value->len = 0;
    value->data = json->text;

    if ((json->type == CONFLICT_JSON_NUMBER
         || json->type == CONFLICT_JSON_STRING)
        && json->end && !json->cut_short)
    {
        value->len = json->len;
    }
}
