
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What goes into the history: bodies that clients were shown, or else what
 * the upstream was sent, and which write has made which version.
 */


#include "history/ngx_http_conflict_history.h"
#include "latest/ngx_http_conflict_latest.h"
#include "core/json/conflict_tree.h"


static void ngx_http_conflict_body_history_row(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *row);
static void ngx_http_conflict_body_history_sent_part(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_record_t *row);
static ngx_int_t ngx_http_conflict_body_history_text(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *text);
static ngx_int_t ngx_http_conflict_body_history_answer(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_record_t *row);
static void ngx_http_conflict_body_history_read(ngx_http_conflict_ctx_t *ctx,
    uint64_t hash);


void
ngx_http_conflict_body_history_configure(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->conf->policy != CONFLICT_MERGE) {
        return;
    }

    ctx->op->in.records = ctx->conf->history;
    ctx->op->in.record_bytes = ctx->conf->max_body;
    ctx->op->in.record_ttl = ctx->conf->history_ttl;
}


/* the buffers will be used up, what they point to stays */

ngx_int_t
ngx_http_conflict_body_history_save_sent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *link, **next;

    if (!ctx->merge.able) {
        return NGX_OK;
    }

    /* nginx must not close its file as soon as the upstream has it */
    r->preserve_body = 1;

    if (ctx->merge.text.data) {
        return NGX_OK;
    }

    next = &ctx->merge.sent;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        link = ngx_alloc_chain_link(r->pool);
        if (link == NULL) {
            return NGX_ERROR;
        }

        b = ngx_alloc_buf(r->pool);
        if (b == NULL) {
            return NGX_ERROR;
        }

        *b = *cl->buf;

        link->buf = b;
        link->next = NULL;
        *next = link;
        next = &link->next;
    }

    return NGX_OK;
}


void
ngx_http_conflict_body_history_written(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t certain)
{
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_record_t  row;

    op = ctx->op;

    if (!ctx->merge.able || (!certain && op->in.fingerprint == 0)) {
        return;
    }

    ngx_memzero(&row, sizeof(ngx_http_conflict_record_t));

    row.certain = certain;
    row.fingerprint = op->in.fingerprint;
    row.view = op->in.view;

    row.version = op->in.minted ? op->out.fence : op->in.observed.version;

    if (row.version == 0) {
        /* nobody was shown it either */
        row.version = op->in.fingerprint;
    }

    if (ctx->merge.form != CONFLICT_FORM_WHOLE) {

        /* what it is answered with may be the document */

        if (!certain || ctx->response == NULL || !ctx->response->keeping) {
            ngx_http_conflict_body_history_sent_part(ctx, &row);
        }

    } else if (ngx_http_conflict_body_history_text(ctx, &row.body) != NGX_OK) {
        ngx_str_null(&row.body);
    }

    if (row.body.len || row.fingerprint) {
        ngx_http_conflict_body_history_row(ctx, &row);
    }
}


void
ngx_http_conflict_body_history_link(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_record_t  row;

    op = ctx->op;

    if (ctx->conf->policy != CONFLICT_MERGE
        || ngx_http_conflict_op_chain(op) == 0)
    {
        return;
    }

    ngx_memzero(&row, sizeof(ngx_http_conflict_record_t));

    row.version = op->in.pre.chain;
    row.view = op->in.view;
    row.link = 1;
    row.body = ctx->merge.client;
    rc = NGX_OK;

    if (ctx->merge.able && row.body.data == NULL) {
        rc = ctx->merge.sent
             ? ngx_http_conflict_body_history_text(ctx, &row.body)
             : ngx_http_conflict_request_body_text(ctx->request,
                                                   ctx->conf->max_body,
                                                   &row.body);
    }

    if (rc == NGX_OK && ctx->merge.form != CONFLICT_FORM_WHOLE) {
        rc = ngx_http_conflict_partial_body_link(ctx, &row.body);
    }

    if (rc != NGX_OK || !ctx->merge.able) {
        ngx_str_null(&row.body);
    }

    ngx_http_conflict_body_history_row(ctx, &row);
}


/*
 * What the client has sent it knows, and not what a merge has made of it.
 * That would show whether this was done.
 */

static void
ngx_http_conflict_body_history_sent_part(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *row)
{
    if (row->certain && ctx->op->in.mixed) {
        /*
         * Those who read this version know what was made of it, the client
         * knows what it has sent: no base is right for both.
         */
        return;
    }

    if (row->certain && ctx->merge.text.data) {
        row->body = ctx->merge.client;

    } else if (ngx_http_conflict_body_history_text(ctx, &row->body) != NGX_OK) {
        ngx_str_null(&row->body);
        return;
    }

    if (ngx_http_conflict_partial_body_keep(ctx, &row->body, ctx->merge.form)
        != NGX_OK)
    {
        ngx_str_null(&row->body);
    }
}


static void
ngx_http_conflict_body_history_row(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *row)
{
    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "conflict keep: version %uL, %uz bytes, certain:%d shown:%d",
                   row->version, row->body.len, row->certain, row->shown);

    (void) ctx->op->store->ops->keep(ctx->op, row);
}


void
ngx_http_conflict_body_history_answered(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body)
{
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_record_t  row;

    op = ctx->op;

    if (ctx->conf->policy != CONFLICT_MERGE || op->out.version == 0
        || op->out.version != ctx->version.current || ctx->latest.view == 0)
    {
        return;
    }

    ngx_memzero(&row, sizeof(ngx_http_conflict_record_t));

    row.version = op->out.version;
    row.view = ctx->latest.view;
    row.body = *body;
    row.shown = 1;
    row.read = 1;
    row.torn = (op->out.state != CONFLICT_FREE);

    if (!op->in.minted
        && (ngx_http_conflict_latest_document_observe(ctx) != NGX_OK
                           || op->in.observed.version != op->out.version))
    {
        /* it is said to be of one version, and says that it is of another */
        row.torn = 1;
    }

    ngx_http_conflict_body_history_row(ctx, &row);

    if (!op->in.minted && row.torn && op->in.observed.version && row.body.len) {
        row.version = op->in.observed.version;
        row.read = 0;

        ngx_http_conflict_body_history_row(ctx, &row);
    }
}


/* what the upstream was sent, in one piece */

static ngx_int_t
ngx_http_conflict_body_history_text(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text)
{
    if (ctx->merge.text.data) {
        *text = ctx->merge.text;
        return NGX_OK;
    }

    return ngx_http_conflict_request_body_chain_text(ctx->request->pool,
                                                     ctx->merge.sent,
                                                     ctx->conf->max_body, text);
}


ngx_uint_t
ngx_http_conflict_body_history_wanted(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->conf->policy != CONFLICT_MERGE
        || r->headers_out.content_length_n > (off_t) ctx->conf->max_body)
    {
        return 0;
    }

    if (ctx->write) {
        return ctx->merge.able
               && (r->headers_out.status == NGX_HTTP_OK
                   || r->headers_out.status == NGX_HTTP_CREATED);
    }

    /* a version of the upstream's own may be another than the store's */

    return r->headers_out.status == NGX_HTTP_OK && op->in.observed.view
           && !(op->out.history_has && op->in.minted
                && op->in.observed.view == op->in.view)
           && (op->in.minted ? op->out.state == CONFLICT_FREE : 1);
}


ngx_uint_t
ngx_http_conflict_body_history_reads(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t               status;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;
    status = r->headers_out.status;

#if (CONFLICT_BROKEN == 9)
    return 0;
#endif

    /* an upstream's own version is in the same response */

    return ctx->conf->policy == CONFLICT_MERGE && !ctx->write && op->in.minted
           && ctx->version.current && op->in.observed.view && !r->header_only
           && ((status >= 200 && status < 300 && status != NGX_HTTP_NO_CONTENT)
               || status == NGX_HTTP_NOT_FOUND || status == 410);
}


ngx_int_t
ngx_http_conflict_body_history_sum_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_response_t  *response;

    response = ctx->response;

    if (response->keeping || r->headers_out.status != NGX_HTTP_OK
        || r->headers_out.content_length_n > (off_t) ctx->conf->max_body)
    {
        return NGX_OK;
    }

    if (ctx->conf->root) {
        response->root = ngx_palloc(r->pool, sizeof(conflict_scan_t));
        if (response->root == NULL) {
            return NGX_ERROR;
        }

        conflict_scan_init(response->root, ctx->conf->root);
    }

    conflict_hash_init(&response->row, 0);
    response->summing = 1;

    return NGX_OK;
}


/* the bytes that ngx_http_conflict_latest_document_root() would leave */

void
ngx_http_conflict_body_history_sum(ngx_http_conflict_ctx_t *ctx, u_char *data,
    size_t len)
{
    size_t                         bom;
    uint64_t                       pos, start, end;
    conflict_scan_t               *root;
    ngx_http_conflict_response_t  *response;

    response = ctx->response;
    root = response->root;
    pos = (uint64_t) response->size - len;

    if (root == NULL) {
        bom = pos ? 0 : conflict_text_bom(data, len);
        conflict_hash_update(&response->row, data + bom, len - bom);
        return;
    }

    if (conflict_scan_feed(root, data, len) != CONFLICT_JSON_OK) {
        response->summing = 0;
        return;
    }

    if (root->type == CONFLICT_JSON_NONE) {
        return;
    }

    start = ngx_max(root->value, pos);
    end = root->end ? root->end : pos + len;

    if (start < end) {
        conflict_hash_update(&response->row, data + (start - pos),
                             (size_t) (end - start));
    }
}


void
ngx_http_conflict_body_history_read_end(ngx_http_conflict_ctx_t *ctx)
{
    uint64_t                       hash;
    conflict_scan_t               *root;
    ngx_http_conflict_response_t  *response;

    response = ctx->response;
    root = response->root;
    hash = 0;

    response->looking = 0;

    if (response->keeping && !response->failed) {
        /* with the body itself */
        return;
    }

    if (response->summing && !response->failed
        && (root == NULL || (root->type != CONFLICT_JSON_NONE
                             && conflict_scan_end(root) == CONFLICT_JSON_OK)))
    {
        hash = conflict_hash_final(&response->row);
    }

    ngx_http_conflict_body_history_read(ctx, hash);
}


void
ngx_http_conflict_body_history_cut(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->response && ctx->response->looking
        && ctx->request->header_sent && !ctx->request->header_only)
    {
        ngx_http_conflict_body_history_read(ctx, 0);
    }
}


/* nothing is kept: another body that is there is of no use any more */

static void
ngx_http_conflict_body_history_read(ngx_http_conflict_ctx_t *ctx, uint64_t hash)
{
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_record_t  row;

    op = ctx->op;

    ngx_memzero(&row, sizeof(ngx_http_conflict_record_t));

    row.version = op->out.version;
    row.view = op->in.observed.view;
    row.hash = hash;
    row.shown = 1;
    row.read = 1;
    row.torn = (op->out.state != CONFLICT_FREE);

    ngx_http_conflict_body_history_row(ctx, &row);
}


void
ngx_http_conflict_body_history_feed(ngx_http_conflict_ctx_t *ctx, u_char *data,
    size_t len)
{
    off_t                          length;
    size_t                         size;
    u_char                        *p;
    ngx_http_request_t            *r;
    ngx_http_conflict_response_t  *response;

    r = ctx->request;
    response = ctx->response;

    if (response->kept_size - response->kept_len < len) {

        length = r->headers_out.content_length_n;

        size = (response->kept_size == 0 && length >= (off_t) len)
               ? (size_t) length
               : 2 * (response->kept_len + len);

        p = ngx_palloc(r->pool, size);
        if (p == NULL) {
            response->keeping = 0;
            return;
        }

        if (response->kept) {
            ngx_memcpy(p, response->kept, response->kept_len);
            (void) ngx_pfree(r->pool, response->kept);
        }

        response->kept = p;
        response->kept_size = size;
    }

    ngx_memcpy(response->kept + response->kept_len, data, len);
    response->kept_len += len;
}


void
ngx_http_conflict_body_history_store_shown(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_record_t  row;

    op = ctx->op;

    ngx_memzero(&row, sizeof(ngx_http_conflict_record_t));

    row.shown = 1;
    row.body.data = ctx->response->kept;
    row.body.len = ctx->response->kept_len;

    ngx_http_conflict_latest_document_root(ctx->conf, &row.body);

    if (ctx->write) {

        if (!ctx->lease.committed || !op->out.applied) {
            return;
        }

        row.version = op->out.version;
        row.fingerprint = op->in.fingerprint;
        row.view = op->in.view;
        row.certain = 1;
        row.read = op->in.minted;

        if (ngx_http_conflict_body_history_answer(ctx, &row) != NGX_OK) {
            return;
        }

    } else {
        row.view = op->in.observed.view;
        row.version = op->in.minted ? op->out.version : op->in.observed.version;
        row.read = op->in.minted;
    }

    if (row.version && row.view && (row.body.len || row.read)) {
        ngx_http_conflict_body_history_row(ctx, &row);
    }
}


/*
 * Many an answer to a write is about the write.  One to a part may be a part
 * as well: of what is not in there nobody knows.
 */

static ngx_int_t
ngx_http_conflict_body_history_answer(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *row)
{
    ngx_str_t        text;
    ngx_uint_t       document;
    conflict_form_e  form;

    form = ctx->merge.form;

    document = (ngx_http_conflict_body_history_text(ctx, &text) == NGX_OK
                && ngx_http_conflict_latest_document_reflects(
                        ctx->conf, &row->body, &text, form,
                        CONFLICT_REFLECTS_NAMES));

    if (form == CONFLICT_FORM_WHOLE) {
        return document ? NGX_OK : NGX_DECLINED;
    }

    /* so that it gives way to what a GET shows */
    row->shown = 0;

    if (!document) {
        ngx_http_conflict_body_history_sent_part(ctx, row);
        return row->body.len ? NGX_OK : NGX_DECLINED;
    }

    return ngx_http_conflict_partial_body_keep(ctx, &row->body,
                                               (form == CONFLICT_FORM_SHALLOW)
                                               ? CONFLICT_FORM_SHALLOW
                                               : CONFLICT_FORM_DEEP);
}
