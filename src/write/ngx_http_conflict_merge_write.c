
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The merge of a stale write that holds its lease: of the base from the
 * history, the latest body and the client's.  A write that is not stale is
 * merged as well if fields belong to the server.
 */


#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "latest/ngx_http_conflict_latest.h"
#include "core/json/conflict_tree.h"
#include "core/text/conflict_buffer.h"
#include "process/ngx_http_conflict_random.h"


#define NGX_HTTP_CONFLICT_FIRST  128


static ngx_int_t ngx_http_conflict_merge_write_server(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *server);
static ngx_uint_t ngx_http_conflict_merge_write_retry(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *server,
    ngx_http_conflict_state_e *next);
static ngx_uint_t ngx_http_conflict_merge_write_removal_missed(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *server);
static conflict_merge_rc_e ngx_http_conflict_merge_write_documents(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *server, ngx_str_t *text,
    conflict_merged_t *merged);
static ngx_http_conflict_state_e ngx_http_conflict_merge_write_done(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx,
    conflict_merge_rc_e rc, conflict_merged_t *merged);
static ngx_http_conflict_state_e ngx_http_conflict_merge_write_ambiguous(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx, conflict_merge_rc_e rc,
    conflict_merged_t *merged);
static ngx_uint_t ngx_http_conflict_merge_write_resolvable(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_merge_write_strip(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text);
static void ngx_http_conflict_merge_write_free(void *data);


ngx_http_conflict_state_e
ngx_http_conflict_merge_write_lookup(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    /* the base in the same view as the latest body, as the client knows it */
    op->in.view = ctx->latest.view;
    ctx->flow.recalled = 1;

    rc = ngx_http_conflict_store_call(ctx, op->store->ops->recall);

    if (rc == NGX_AGAIN) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    if (rc != NGX_OK) {
        /* this write may have been done already */
        return ngx_http_conflict_respond(ctx,
                                         NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE,
                                         NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                         NGX_HTTP_CONFLICT_ACTION_NONE);
    }

    rc = op->out.late ? NGX_OK : ngx_http_conflict_partial_body_recalled(ctx);

    switch (rc) {

    case NGX_AGAIN:
        return NGX_HTTP_CONFLICT_STATE_HISTORY_LOOKUP;

    case NGX_ERROR:
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (op->out.repeat && op->out.certain) {
        op->out.verdict = CONFLICT_REPLAY;

    } else if (op->out.late) {
        op->out.verdict = CONFLICT_REFUSE;
    }

    return NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT;
}


ngx_http_conflict_state_e
ngx_http_conflict_merge_write(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                   server, text;
    conflict_merged_t           merged;
    conflict_merge_rc_e         result;
    ngx_http_request_t         *r;
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_state_e   next;

    r = ctx->request;
    op = ctx->op;

    if (ngx_http_conflict_merge_write_server(ctx, &server) != NGX_OK) {
        return ngx_http_conflict_mergeable_refuse(ctx);
    }

    if (server.len == 0 && op->in.pre.kinds
        && op->out.existence == CONFLICT_EXISTS)
    {
        /* it was not deleted by a write, or the client may not see it */
        return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                                         NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                         NGX_HTTP_CONFLICT_ACTION_DELETED);
    }

    if (op->out.verdict == CONFLICT_COMBINE && op->out.repeat
        && ngx_http_conflict_merge_write_retry(ctx, &server, &next))
    {
        return next;
    }

    if (ngx_http_conflict_request_body_text(ctx, &text) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ctx->merge.client = text;

    result = ngx_http_conflict_merge_write_documents(ctx, &server, &text,
                                                     &merged);
    next = ngx_http_conflict_merge_write_done(r, ctx, result, &merged);

    conflict_merge_free(&merged);

    return next;
}


/* the server's document, empty if the resource does not exist */

static ngx_int_t
ngx_http_conflict_merge_write_server(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *server)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;
    ngx_str_null(server);

    if (latest->status == NGX_HTTP_OK) {

        if (!latest->json || latest->encoded || latest->too_large) {
            return NGX_DECLINED;
        }

        *server = latest->body;
        ngx_http_conflict_latest_document_root(ctx->conf, server);

        return server->len ? NGX_OK : NGX_DECLINED;
    }

    /* if the resource is gone, a stale write has been refused before */

    return ngx_http_conflict_latest_response_gone(latest->status)
           ? NGX_OK : NGX_DECLINED;
}


/*
 * A retry of a write of unknown outcome.  1: decided, *next is the next state;
 * 0: it is to be merged.
 */

static ngx_uint_t
ngx_http_conflict_merge_write_retry(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *server, ngx_http_conflict_state_e *next)
{
    ngx_str_t            text;
    conflict_document_t  made;

    ngx_http_conflict_partial_body_made(ctx, &made);

    text.data = (u_char *) made.data;
    text.len = made.len;

    if (ngx_http_conflict_latest_document_reflects(ctx->conf, server, &text,
                                                   made.form,
                                                   CONFLICT_REFLECTS_VALUES)
        && !ngx_http_conflict_merge_write_removal_missed(ctx, server))
    {
        ngx_http_conflict_body_history_link(ctx);
        *next = ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_LATEST,
                                          NGX_HTTP_CONFLICT_OUTCOME_REPLAYED,
                                          NGX_HTTP_CONFLICT_ACTION_NONE);
        return 1;
    }

    if (ctx->conf->sum_rules) {
        /* it may have been done, and other writes may have followed */
        ctx->flow.reason = "it is unknown whether this write was already done, "
                           "and it must not be applied twice";

        *next = ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                                          NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                          NGX_HTTP_CONFLICT_ACTION_VERSION);
        return 1;
    }

    return 0;
}


/* whether the latest document has members that the write removes */

static ngx_uint_t
ngx_http_conflict_merge_write_removal_missed(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *server)
{
    conflict_document_t         latest, write;
    ngx_http_conflict_merge_t  *merge;

    merge = &ctx->merge;

    if (merge->form != CONFLICT_FORM_WHOLE) {
        /* the absence of a member does not remove it */
        return 0;
    }

    if (merge->base.data == NULL || merge->base.form != CONFLICT_FORM_WHOLE) {
        return 1;
    }

    ngx_http_conflict_partial_body_made(ctx, &write);

    latest.data = server->data;
    latest.len = server->len;

    return conflict_compare_removal_missed(&latest, &write, &merge->base,
                                           ctx->conf->max_values,
                                           ngx_http_conflict_random_seed());
}


static conflict_merge_rc_e
ngx_http_conflict_merge_write_documents(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *server, ngx_str_t *text, conflict_merged_t *merged)
{
    ngx_str_t                version;
    conflict_merge_t         in;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    ngx_memzero(&in, sizeof(conflict_merge_t));
    ngx_memzero(merged, sizeof(conflict_merged_t));

    in.stale = (op->out.verdict == CONFLICT_COMBINE);
    in.retried = op->out.repeat;
    in.filtered = !ngx_http_conflict_capture_unfiltered(ctx);
    in.masked = in.filtered;
    in.values = ctx->conf->max_values;
    in.seed = ngx_http_conflict_random_seed();
    in.ignored = ctx->conf->base->pointer;
    in.fields = ctx->conf->fields->elts;
    in.n = ctx->conf->fields->nelts;

    in.client.data = text->data;
    in.client.len = text->len;
    in.client.form = ctx->merge.form;

    in.server.data = server->len ? server->data : NULL;
    in.server.len = server->len;

    if (in.stale && ctx->merge.base.data) {
        in.base = ctx->merge.base;
        /* a client without a name may not have been shown it, nor in full */
        in.reveal = (ctx->caller.known
                     && ngx_http_conflict_capture_no_filter(ctx));
    }

    if (in.stale && !ctx->conf->strip_base) {

        /* an upstream that checks the base gets the version merged with */

        if (ngx_http_conflict_merge_write_version(ctx, &version) != NGX_OK) {
            return CONFLICT_MERGE_FAILED;
        }

        in.version.data = version.data;
        in.version.len = version.len;
    }

    return (in.client.form == CONFLICT_FORM_JSON_PATCH)
           ? conflict_patch_merge(&in, merged) : conflict_merge(&in, merged);
}


ngx_int_t
ngx_http_conflict_merge_write_version(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *value)
{
    size_t      i;
    u_char     *p;
    ngx_str_t   version;
    ngx_uint_t  text;

    value->data = NULL;
    value->len = 0;

    if (ctx->op->in.minted) {
        version.data = ngx_pnalloc(ctx->request->pool, NGX_INT64_LEN);
        if (version.data == NULL) {
            return NGX_ERROR;
        }

        version.len = ngx_sprintf(version.data, "%uL", ctx->op->out.version)
                      - version.data;

    } else if (ngx_http_conflict_latest_document_version(ctx, &version)
               != NGX_OK)
    {
        return NGX_OK;
    }

    text = (ctx->body.json->type == CONFLICT_JSON_STRING);

    /* a number has no leading zeros (RFC 8259, section 6) */

    text |= (version.len == 0 || (version.data[0] == '0' && version.len > 1));

    for (i = 0; i < version.len; i++) {
        text |= (version.data[i] < '0' || version.data[i] > '9');
    }

    p = ngx_pnalloc(ctx->request->pool, 6 * version.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    if (text) {
        *p++ = '"';
        p += conflict_text_quote(p, version.data, version.len);
        *p++ = '"';

    } else {
        p = ngx_cpymem(p, version.data, version.len);
    }

    value->len = p - value->data;

    return NGX_OK;
}


static ngx_http_conflict_state_e
ngx_http_conflict_merge_write_done(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, conflict_merge_rc_e rc,
    conflict_merged_t *merged)
{
    ngx_http_conflict_merge_t  *merge;

    merge = &ctx->merge;
    merge->base_held = merged->base_known;
    merge->omitted = merged->omitted;

    switch (rc) {

    case CONFLICT_MERGE_SAME:
    case CONFLICT_MERGE_DONE:
    case CONFLICT_MERGE_CLASH:
        break;

    case CONFLICT_MERGE_REPEATED:
    case CONFLICT_MERGE_ALIKE:
        return ngx_http_conflict_merge_write_ambiguous(r, ctx, rc, merged);

    case CONFLICT_MERGE_LARGE:
        return ngx_http_conflict_mergeable_refuse_body(ctx);

    case CONFLICT_MERGE_MANY:
        return ngx_http_conflict_mergeable_refuse_values(ctx);

    case CONFLICT_MERGE_UNFIT:
        return ngx_http_conflict_mergeable_refuse(ctx);

    case CONFLICT_MERGE_INAPPLICABLE:
        return ngx_http_conflict_json_patch_inapplicable(ctx);

    default: /* CONFLICT_MERGE_FAILED */
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (merged->same && ctx->op->out.repeat
        && ctx->op->out.verdict == CONFLICT_COMBINE)
    {
        /* all of its changes are there already */
        return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_LATEST,
                                         NGX_HTTP_CONFLICT_OUTCOME_REPLAYED,
                                         NGX_HTTP_CONFLICT_ACTION_NONE);
    }

    if (ngx_http_conflict_merge_write_copy(r->pool, &merge->names,
                                           &merged->names)
        != NGX_OK
        || ngx_http_conflict_merge_write_copy(r->pool, &merge->fields,
                                              &merged->fields)
           != NGX_OK
        || ngx_http_conflict_merge_write_copy(r->pool, &merge->clashes,
                                              &merged->clashes)
           != NGX_OK
        || ngx_http_conflict_merge_write_copy(r->pool, &merge->values,
                                              &merged->values)
           != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (rc == CONFLICT_MERGE_CLASH) {
        merge->clashed = 1;

        if (ngx_http_conflict_merge_write_resolvable(ctx)) {
            return NGX_HTTP_CONFLICT_STATE_RESOLVER_ASK;
        }

        return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                                         NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                         NGX_HTTP_CONFLICT_ACTION_VERSION);
    }

    if (ctx->op->out.verdict == CONFLICT_COMBINE) {
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_MERGED;
        ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_MERGE;
        ctx->op->in.mixed = 1;
#if (CONFLICT_BROKEN == 8)
        ctx->op->in.mixed = 0;
#endif
    }

    if (rc != CONFLICT_MERGE_SAME && !ctx->conf->report
        && ngx_http_conflict_merge_write_text(r, ctx, &merged->text) != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return NGX_HTTP_CONFLICT_STATE_FORWARD;
}


/* an API may read something else in the body than was merged */

static ngx_http_conflict_state_e
ngx_http_conflict_merge_write_ambiguous(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, conflict_merge_rc_e rc,
    conflict_merged_t *merged)
{
    if (rc == CONFLICT_MERGE_ALIKE) {
        ctx->flow.reason = "a member has the name of a field that belongs to "
                           "the server, in another case";

    } else if (ngx_http_conflict_precondition_bad_json(r, ctx,
                                 "an object in the body has a duplicate member",
                                 merged->repeated)
               != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_BAD_JSON,
                                     NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                     NGX_HTTP_CONFLICT_ACTION_NONE);
}


/*
 * Whether the resolver is asked: not for a retry of a write of unknown outcome,
 * since what it has made of the first attempt may have been done.
 */

static ngx_uint_t
ngx_http_conflict_merge_write_resolvable(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->conf->resolver == NULL || ctx->conf->report
        || ctx->op->out.verdict != CONFLICT_COMBINE)
    {
        return 0;
    }

    if (ctx->op->out.repeat) {
        ctx->flow.reason = "it is unknown whether this write was already done, "
                           "and it must not be applied twice";
        return 0;
    }

    return 1;
}


ngx_int_t
ngx_http_conflict_merge_write_text(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, conflict_buffer_t *out)
{
    ngx_str_t            text;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    text.data = out->data;
    text.len = out->len;

    /* freed with the request from here on */

    cln->handler = ngx_http_conflict_merge_write_free;
    cln->data = out->data;
    out->data = NULL;

    if (ctx->conf->strip_base) {
        ngx_http_conflict_merge_write_strip(ctx, &text);
    }

    ctx->pass.rewritten = 1;
    ctx->merge.text = text;

    return ngx_http_conflict_body_edit_replace(r, &text);
}


/* cuts the base out; the text is valid, so it is read only as far as that */

static void
ngx_http_conflict_merge_write_strip(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text)
{
    size_t           i, n;
    uint64_t         start, end;
    conflict_scan_t  json;

    conflict_scan_init(&json, ctx->conf->base->pointer);

    for (i = 0; i < text->len && json.comma_after < 0; i += n) {
        n = ngx_min(text->len - i, i + NGX_HTTP_CONFLICT_FIRST);

        if (conflict_scan_feed(&json, text->data + i, n) != CONFLICT_JSON_OK) {
            return;
        }
    }

    if (json.type == CONFLICT_JSON_NONE) {
        return;
    }

    conflict_scan_cut(&json, &start, &end);

    if (start < text->len - end) {
        ngx_memmove(text->data + (end - start), text->data, start);
        text->data += end - start;

    } else {
        ngx_memmove(text->data + start, text->data + end, text->len - end);
    }

    text->len -= (size_t) (end - start);
}


static void
ngx_http_conflict_merge_write_free(void *data)
{
    free(data);
}


ngx_int_t
ngx_http_conflict_merge_write_copy(ngx_pool_t *pool, ngx_str_t *dst,
    conflict_buffer_t *src)
{
    ngx_str_null(dst);

    if (src->len == 0) {
        return NGX_OK;
    }

    /* aligned, clashes are structures */

    dst->data = ngx_palloc(pool, src->len);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src->data, src->len);
    dst->len = src->len;

    return NGX_OK;
}
