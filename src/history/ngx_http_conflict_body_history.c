
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fills the history: with bodies shown to clients or, until one was shown,
 * sent to the upstream, and with the write that has made each version.
 */


#include "history/ngx_http_conflict_history.h"
#include "latest/ngx_http_conflict_latest.h"
#include "process/ngx_http_conflict_learned.h"
#include "core/json/conflict_tree.h"


static void ngx_http_conflict_body_history_note(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *record);
static void ngx_http_conflict_body_history_store(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *record);
static void ngx_http_conflict_body_history_part(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *record);
static ngx_int_t ngx_http_conflict_body_history_text(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *text);
static ngx_uint_t ngx_http_conflict_body_history_replaced(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_record_t *record,
    ngx_str_t *text, conflict_form_e form);
static ngx_int_t ngx_http_conflict_body_history_response(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_record_t *record);
static void ngx_http_conflict_body_history_observe(ngx_http_conflict_ctx_t *ctx,
    uint64_t hash);


void
ngx_http_conflict_body_history_configure(ngx_http_conflict_ctx_t *ctx)
{
    if (!ctx->conf->bodies) {
        return;
    }

    ctx->op->in.records = ctx->conf->history;
    ctx->op->in.record_bytes = ctx->conf->max_body;
    ctx->op->in.record_ttl = ctx->conf->history_ttl;
    ctx->op->in.noted = ctx->conf->notes;
}


/* copies the buffers, which are consumed while they are sent; not the data */

ngx_int_t
ngx_http_conflict_body_history_save_sent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *link, **next;

    if (!ctx->merge.recorded) {
        return NGX_OK;
    }

    /* nginx must not close the temporary file once the request was sent */
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
    ngx_http_conflict_note_t    note;
    ngx_http_conflict_record_t  record;

    op = ctx->op;

    ngx_memzero(&record, sizeof(ngx_http_conflict_record_t));

    if (certain && ctx->op->in.noted) {
        record.note = &note;
    }

    if (!ctx->merge.recorded || (!certain && op->in.fingerprint == 0)) {

        if (record.note) {
            record.bodiless = 1;
            ngx_http_conflict_body_history_note(ctx, &record);
        }

        return;
    }

    record.certain = certain;
    record.view = op->in.view;

    if (ctx->merge.mergeable) {
        /* a body that a merge may find again */
        record.fingerprint = op->in.fingerprint;
    }

    record.version = op->in.minted ? op->out.fence : op->in.observed.version;

    if (record.version == 0) {
        /* unknown; no client was shown it either */
        record.version = op->in.fingerprint;
    }

    if (ctx->merge.form != CONFLICT_FORM_WHOLE) {

        /* the response may contain the document */

        if (!certain || ctx->response == NULL || !ctx->response->recording) {
            ngx_http_conflict_body_history_part(ctx, &record);
        }

    } else if (ngx_http_conflict_body_history_text(ctx, &record.body)
               != NGX_OK
               || (!ctx->merge.mergeable
                   && !conflict_scan_valid(record.body.data, record.body.len)))
    {
        ngx_str_null(&record.body);
    }

    if (record.note) {
        record.bodiless = (record.body.len == 0 && record.fingerprint == 0);
        ngx_http_conflict_body_history_note(ctx, &record);

    } else if (record.body.len || record.fingerprint) {
        ngx_http_conflict_body_history_store(ctx, &record);
    }
}


/* stores the note of the version that the write has made, with its body */

static void
ngx_http_conflict_body_history_note(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *record)
{
    ngx_http_conflict_op_t    *op;
    ngx_http_conflict_note_t  *note;

    op = ctx->op;
    note = record->note;

    ngx_memzero(note, sizeof(ngx_http_conflict_note_t));

    /* as the commit that follows */

    if (op->in.minted) {
        note->version = op->out.fence;

    } else {
        note->version = op->in.observed.version
                        ? op->in.observed.version
                        : op->out.fence | CONFLICT_VERSION_OPAQUE;
    }

    record->version = note->version;

    note->method = ctx->method_name;
    note->user = ctx->caller.user;
    note->client = ctx->caller.client;
    note->ttl = op->in.record_ttl;
    note->deleted = (op->in.observed.existence == CONFLICT_DELETED);

    note->size = record->body.len ? (off_t) record->body.len
                                  : ctx->request->headers_in.content_length_n;

    ngx_http_conflict_body_history_store(ctx, record);
}


/* the own GET moves the entry; a read shows at most a version of its own */

void
ngx_http_conflict_body_history_external(ngx_http_conflict_op_t *op)
{
    uint64_t                    version;
    ngx_http_conflict_note_t    note;
    ngx_http_conflict_record_t  record;

    if (!op->in.noted || op->rc != NGX_OK || !op->out.external) {
        return;
    }

    version = op->in.observed.latest ? op->out.version
              : op->in.minted ? 0 : op->in.observed.version;

    if (version == 0) {
        return;
    }

    ngx_memzero(&note, sizeof(ngx_http_conflict_note_t));
    ngx_memzero(&record, sizeof(ngx_http_conflict_record_t));

    note.version = version;
    note.size = -1;
    note.ttl = op->in.record_ttl;
    note.external = 1;

    record.version = version;
    record.note = &note;
    record.bodiless = 1;

    (void) op->store->ops->keep(op, &record);
}


void
ngx_http_conflict_body_history_link(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_record_t  record;

    op = ctx->op;

    if (ctx->conf->policy != CONFLICT_MERGE
        || ngx_http_conflict_op_chain(op) == 0)
    {
        return;
    }

    ngx_memzero(&record, sizeof(ngx_http_conflict_record_t));

    record.version = op->in.pre.chain;
    record.view = op->in.view;
    record.link = 1;
    record.body = ctx->merge.client;
    rc = NGX_OK;

    if (ctx->merge.mergeable && record.body.data == NULL) {
        rc = ctx->merge.sent
             ? ngx_http_conflict_body_history_text(ctx, &record.body)
             : ngx_http_conflict_request_body_text(ctx, &record.body);
    }

    if (rc == NGX_OK && ctx->merge.form != CONFLICT_FORM_WHOLE) {
        rc = ngx_http_conflict_partial_body_link(ctx, &record.body);
    }

    if (rc != NGX_OK || !ctx->merge.mergeable) {
        ngx_str_null(&record.body);
    }

    ngx_http_conflict_body_history_store(ctx, &record);
}


/*
 * Stores a part as the base of its client: as the client has sent it, not as
 * merged.  If the outcome is unknown, as it was sent to the upstream, which
 * shows whether the write was done.
 */

static void
ngx_http_conflict_body_history_part(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *record)
{
    if (record->certain && ctx->op->in.mixed) {
        /*
         * Readers of this version know the merged document, the client knows
         * its own one: no base is right for both.
         */
        ngx_str_null(&record->body);
        return;
    }

    if (record->certain && ctx->merge.text.data) {
        record->body = ctx->merge.client;

    } else if (ngx_http_conflict_body_history_text(ctx, &record->body)
               != NGX_OK)
    {
        ngx_str_null(&record->body);
        return;
    }

    if (ngx_http_conflict_partial_body_encode(ctx, &record->body,
                                              ctx->merge.form)
        != NGX_OK)
    {
        ngx_str_null(&record->body);
    }
}


static void
ngx_http_conflict_body_history_store(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *record)
{
    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ctx->request->connection->log, 0,
                   "conflict history: version %uL, %uz bytes, "
                   "certain:%d shown:%d",
                   record->version, record->body.len, record->certain,
                   record->shown);

    (void) ctx->op->store->ops->keep(ctx->op, record);
}


void
ngx_http_conflict_body_history_answered(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body)
{
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_record_t  record;

    op = ctx->op;

    if (!ctx->conf->bodies || op->out.version == 0
        || op->out.version != ctx->version.current || ctx->latest.view == 0)
    {
        return;
    }

    ngx_memzero(&record, sizeof(ngx_http_conflict_record_t));

    record.version = op->out.version;
    record.view = ctx->latest.view;
    record.body = *body;
    record.shown = 1;
    record.read = 1;
    record.torn = (op->out.state != CONFLICT_FREE);

    if (!op->in.minted
        && (ngx_http_conflict_latest_document_observe(ctx) != NGX_OK
            || op->in.observed.version != op->out.version))
    {
        /* the body states another version than the store */
        record.torn = 1;
    }

    ngx_http_conflict_body_history_store(ctx, &record);

    if (!op->in.minted && record.torn && op->in.observed.version
        && record.body.len)
    {
        record.version = op->in.observed.version;
        record.read = 0;

        ngx_http_conflict_body_history_store(ctx, &record);
    }
}


/* the body sent to the upstream, as one string */

static ngx_int_t
ngx_http_conflict_body_history_text(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text)
{
    if (ctx->merge.text.data) {
        *text = ctx->merge.text;
        return NGX_OK;
    }

    return ngx_http_conflict_request_body_chain_text(ctx, ctx->merge.sent,
                                                     text);
}


ngx_uint_t
ngx_http_conflict_body_history_wanted(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (!ctx->conf->bodies
        || r->headers_out.content_length_n > (off_t) ctx->conf->max_body)
    {
        return 0;
    }

    if (ctx->write) {
        return ctx->merge.recorded
               && (ngx_http_conflict_header_whole(r)
                   || r->headers_out.status == NGX_HTTP_CREATED);
    }

    /* an owned version in the response may differ from the store's */

    return ngx_http_conflict_header_whole(r) && op->in.observed.view
           && !(op->out.history_has && op->in.minted
                && op->in.observed.view == op->in.view)
           && (op->in.minted ? op->out.state == CONFLICT_FREE : 1);
}


ngx_uint_t
ngx_http_conflict_body_history_observes(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t               status;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;
    status = r->headers_out.status;

#if (CONFLICT_BROKEN == 9)
    return 0;
#endif

    /* an owned version is in the response itself */

    return ctx->conf->bodies && !ctx->write && op->in.minted
           && ctx->version.current && op->in.observed.view && !r->header_only
           && ((status >= 200 && status < 300 && status != NGX_HTTP_NO_CONTENT)
               || ngx_http_conflict_latest_response_gone(status));
}


ngx_int_t
ngx_http_conflict_body_history_hash_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_response_t  *response;

    response = ctx->response;

    if (response->recording || !ngx_http_conflict_header_whole(r)
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

    conflict_hash_init(&response->document_hash, 0);
    response->document_hashing = 1;

    return NGX_OK;
}


/* hashes the bytes that ngx_http_conflict_latest_document_root() selects */

void
ngx_http_conflict_body_history_hash(ngx_http_conflict_ctx_t *ctx, u_char *data,
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
        conflict_hash_update(&response->document_hash, data + bom, len - bom);
        return;
    }

    if (conflict_scan_feed(root, data, len) != CONFLICT_JSON_OK) {
        response->document_hashing = 0;
        return;
    }

    if (root->type == CONFLICT_JSON_NONE) {
        return;
    }

    start = ngx_max(root->value, pos);
    end = root->end ? root->end : pos + len;

    if (start < end) {
        conflict_hash_update(&response->document_hash, data + (start - pos),
                             (size_t) (end - start));
    }
}


void
ngx_http_conflict_body_history_observe_end(ngx_http_conflict_ctx_t *ctx)
{
    uint64_t                       hash;
    conflict_scan_t               *root;
    ngx_http_conflict_response_t  *response;

    response = ctx->response;
    root = response->root;
    hash = 0;

    response->observing = 0;

    if (response->recording && !response->failed) {
        /* stored with the body */
        return;
    }

    if (response->document_hashing && !response->failed
        && (root == NULL || (root->type != CONFLICT_JSON_NONE
                             && conflict_scan_end(root) == CONFLICT_JSON_OK)))
    {
        hash = conflict_hash_final(&response->document_hash);
    }

    ngx_http_conflict_body_history_observe(ctx, hash);
}


void
ngx_http_conflict_body_history_observe_cut(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->response && ctx->response->observing
        && ctx->request->header_sent && !ctx->request->header_only)
    {
        ngx_http_conflict_body_history_observe(ctx, 0);
    }
}


/* stores no body; a different one that the history has becomes invalid */

static void
ngx_http_conflict_body_history_observe(ngx_http_conflict_ctx_t *ctx,
    uint64_t hash)
{
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_record_t  record;

    op = ctx->op;

    ngx_memzero(&record, sizeof(ngx_http_conflict_record_t));

    record.version = op->out.version;
    record.view = op->in.observed.view;
    record.hash = hash;
    record.shown = 1;
    record.read = 1;
    record.torn = (op->out.state != CONFLICT_FREE);

    ngx_http_conflict_body_history_store(ctx, &record);
}


void
ngx_http_conflict_body_history_feed(ngx_http_conflict_ctx_t *ctx, u_char *data,
    size_t len)
{
    off_t                          length;
    ngx_http_conflict_response_t  *response;

    response = ctx->response;
    length = ctx->request->headers_out.content_length_n;

    if (ngx_http_conflict_latest_response_grow(ctx->request->pool,
                                  &response->record, &response->record_size,
                                  (response->record.len == 0)
                                  ? (size_t) ngx_max(length, (off_t) len) : len)
        != NGX_OK)
    {
        response->recording = 0;
        return;
    }

    ngx_memcpy(response->record.data + response->record.len, data, len);
    response->record.len += len;
}


void
ngx_http_conflict_body_history_store_shown(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_record_t  record;

    op = ctx->op;

    ngx_memzero(&record, sizeof(ngx_http_conflict_record_t));

    record.shown = 1;
    record.body = ctx->response->record;

    ngx_http_conflict_latest_document_root(ctx->conf, &record.body);

    if (ctx->write) {

        if (!ctx->lease.committed || !op->out.applied) {
            return;
        }

        record.version = op->out.version;
        record.fingerprint = ctx->merge.mergeable ? op->in.fingerprint : 0;
        record.view = op->in.view;
        record.certain = 1;
        record.read = op->in.minted;

        if (ngx_http_conflict_body_history_response(ctx, &record) != NGX_OK) {
            return;
        }

    } else {
        record.view = op->in.observed.view;
        record.version = op->in.minted ? op->out.version
                                       : op->in.observed.version;
        record.read = op->in.minted;
    }

    if (record.version && record.view && (record.body.len || record.read)) {
        ngx_http_conflict_body_history_store(ctx, &record);
    }
}


/*
 * An API may respond with the document that it has replaced: with the bytes of
 * the last GET, but not with what was written.  Its clients go on from what
 * they have sent.  If these bytes are not known, as there was no GET since the
 * last write, it does what it did before.
 */

static ngx_uint_t
ngx_http_conflict_body_history_replaced(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *record, ngx_str_t *text, conflict_form_e form)
{
    ngx_uint_t  same, known;

    known = (ctx->version.body != 0);

    same = (known && conflict_hash_64(ctx->response->record.data,
                                      ctx->response->record.len, 0)
                     == ctx->version.body);

    if (!same && known && ctx->version.body_view == ctx->op->in.view) {
        ngx_http_conflict_learned_set(ctx->conf->note, 0);
        return 0;
    }

    if ((!same && !ngx_http_conflict_learned(ctx->conf->note))
        || ngx_http_conflict_latest_document_reflects(ctx->conf, &record->body,
                                                      text, form,
                                                      CONFLICT_REFLECTS_VALUES))
    {
        return 0;
    }

    ngx_http_conflict_learned_set(ctx->conf->note, 1);

    return 1;
}


/*
 * The response to a write may be the document or a status report.  Even if it
 * reflects a part, it may be partial itself: members that it does not have are
 * unknown.
 */

static ngx_int_t
ngx_http_conflict_body_history_response(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_record_t *record)
{
    ngx_str_t        text;
    ngx_uint_t       reflects;
    conflict_form_e  form;

    form = ctx->merge.form;

    reflects = (ngx_http_conflict_body_history_text(ctx, &text) == NGX_OK
                && ngx_http_conflict_latest_document_reflects(ctx->conf,
                                                      &record->body, &text,
                                                      form,
                                                      CONFLICT_REFLECTS_NAMES)
                && !ngx_http_conflict_body_history_replaced(ctx, record, &text,
                                                            form));

    if (form == CONFLICT_FORM_WHOLE) {
        return reflects ? NGX_OK : NGX_DECLINED;
    }

    /* a body shown by a GET replaces it */
    record->shown = 0;

    if (!reflects) {
        ngx_http_conflict_body_history_part(ctx, record);
        return record->body.len ? NGX_OK : NGX_DECLINED;
    }

    return ngx_http_conflict_partial_body_encode(ctx, &record->body,
                                               (form == CONFLICT_FORM_SHALLOW)
                                               ? CONFLICT_FORM_SHALLOW
                                               : CONFLICT_FORM_DEEP);
}
