
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What follows from the module's own GET: an unknown state is settled by it,
 * or a verdict that needs the latest body is carried out.
 */


#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "latest/ngx_http_conflict_latest.h"
#include "core/policy/conflict_etag.h"


static ngx_http_conflict_state_e ngx_http_conflict_latest_verdict_unchecked(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    ngx_uint_t pass);
static ngx_uint_t ngx_http_conflict_latest_verdict_other(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_state_e *next);
static ngx_uint_t ngx_http_conflict_latest_verdict_tag(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_latest_verdict_stale(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_latest_verdict_may_see(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_latest_verdict_reflected(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_latest_verdict_forbidden(ngx_uint_t status);
static ngx_uint_t ngx_http_conflict_latest_verdict_relayed(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_latest_verdict_undisclosed(
    ngx_http_conflict_ctx_t *ctx);


/* the GET has ended: it was to settle an unknown state, or for a refusal */

ngx_http_conflict_state_e
ngx_http_conflict_latest_verdict_fetched(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (latest->cached) {
        /* of a version before this one, perhaps: as good as none */

        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "a cache answered the GET for the latest body of "
                      "\"%V\", add \"proxy_cache_bypass $conflict_fetch\"",
                      ngx_http_conflict_evaluate_escaped(
                              ctx->request, &ctx->target.resource));
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    if (ngx_http_conflict_latest_verdict_forbidden(latest->status)) {

        if (latest->revalidate) {
            return ngx_http_conflict_latest_verdict_undisclosed(ctx);
        }

        latest->valid = 1;
        return NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT;
    }

    if (!latest->revalidate) {
        latest->valid = 1;
        return NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT;
    }

    if (latest->status != NGX_HTTP_OK && latest->status != NGX_HTTP_NO_CONTENT
        && !ngx_http_conflict_latest_response_gone(latest->status))
    {
        return ngx_http_conflict_latest_verdict_unchecked(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE,
                                        ctx->conf->store_error);
    }

    if (ngx_http_conflict_latest_document_observe(ctx) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "the response to a GET of \"%V\" does not have the "
                      "version specified by \"conflict_version\"",
                      ngx_http_conflict_evaluate_escaped(
                              ctx->request, &ctx->target.resource));
        return ngx_http_conflict_latest_verdict_unchecked(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE,
                                        ctx->conf->store_error);
    }

    ctx->op->in.observed.latest = 1;

    return NGX_HTTP_CONFLICT_STATE_STORE_OBSERVE;
}


/* with a lease, but without a check */

static ngx_http_conflict_state_e
ngx_http_conflict_latest_verdict_unchecked(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, ngx_uint_t pass)
{
    ngx_http_conflict_state_e  next;

    next = ngx_http_conflict_refuse_unchecked(ctx, answer, pass,
                                         NGX_HTTP_CONFLICT_STATE_STORE_BEGIN);

    if (next == NGX_HTTP_CONFLICT_STATE_STORE_BEGIN) {
        ctx->op->in.pre.kinds = 0;
    }

    return next;
}


/* a verdict that needs the latest body; it is here, or fetched now */

ngx_http_conflict_state_e
ngx_http_conflict_latest_verdict(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_state_e    next;
    ngx_http_conflict_latest_t  *latest;

    op = ctx->op;
    latest = &ctx->latest;

    if (ctx->flow.naming) {
        return ngx_http_conflict_diff_found(ctx);
    }

    if (!(latest->valid && latest->version == op->out.version)
        && !(ctx->conf->latest == NGX_HTTP_CONFLICT_LATEST_OFF
             && (op->out.verdict == CONFLICT_REFUSE
                 || op->out.verdict == CONFLICT_LOCKED)))
    {
        /* the version was read before the GET: it is not newer */
        latest->version = op->out.version;
        latest->started = 0;
        latest->revalidate = 0;
        return NGX_HTTP_CONFLICT_STATE_GET_LATEST;
    }

    if (latest->valid && ngx_http_conflict_latest_verdict_relayed(ctx)) {
        /* the caller sees the upstream's answer to a GET */
        return ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_ANSWER_RELAY,
                             NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                             (op->out.verdict == CONFLICT_PASS)
                             ? NGX_HTTP_CONFLICT_ACTION_NONE
                             : (op->out.verdict == CONFLICT_LOCKED)
                             ? NGX_HTTP_CONFLICT_ACTION_LOCKED
                             : ngx_http_conflict_verdict_action(op->in.policy));
    }

    ctx->caller.may_see = ngx_http_conflict_latest_verdict_may_see(ctx);

    if (op->out.verdict == CONFLICT_LOCKED) {
        return ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_ANSWER_LOCKED,
                                        NGX_HTTP_CONFLICT_OUTCOME_LOCKED,
                                        NGX_HTTP_CONFLICT_ACTION_LOCKED);
    }

    if (op->out.verdict == CONFLICT_PASS) {
        return NGX_HTTP_CONFLICT_STATE_MERGE_WRITE;
    }

    if (ngx_http_conflict_latest_verdict_tag(ctx)) {
        /* a base after all, of the version that the body is not older than */
        return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    if (op->out.verdict == CONFLICT_COMBINE && !ctx->flow.recalled) {
        return NGX_HTTP_CONFLICT_STATE_HISTORY_LOOKUP;
    }

    if (op->out.verdict == CONFLICT_REPLAY && ctx->caller.nameless
        && latest->view != ctx->caller.selected)
    {
        /* by what Vary names another caller may have sent the same bytes */
        op->out.verdict = CONFLICT_VERIFY;
    }

    if (op->out.verdict == CONFLICT_VERIFY
        && ngx_http_conflict_latest_verdict_other(ctx, &next))
    {
        return next;
    }

    if (op->out.verdict == CONFLICT_REPLAY) {
        ngx_http_conflict_body_history_link(ctx);
        return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_LATEST,
                                         NGX_HTTP_CONFLICT_OUTCOME_REPLAYED,
                                         NGX_HTTP_CONFLICT_ACTION_NONE);
    }

    return ngx_http_conflict_latest_verdict_stale(ctx);
}


/*
 * Is it the write that was done?  1: no, and "next" is its next state; else
 * the verdict says what it is.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_other(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e *next)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ngx_http_conflict_latest_verdict_reflected(ctx)) {
        op->out.verdict = CONFLICT_REPLAY;
        return 0;
    }

    if (op->in.policy > CONFLICT_CLIENT_WINS) {
        op->out.verdict = (op->in.policy == CONFLICT_SERVER_WINS)
                          ? CONFLICT_DROP
                                                           : CONFLICT_REFUSE;
        return 0;
    }

    if (!ngx_http_conflict_json_patch_repeated(ctx, next)) {
        /* not what this write wanted: it takes its turn again */
        op->in.fingerprint = 0;
        *next = NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    return 1;
}


/*
 * The upstream's own tag: clients know it from elsewhere than the header of
 * an answer, as from WebDAV's getetag or from the members of a list.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_tag(ngx_http_conflict_ctx_t *ctx)
{
    const char                  *p, *last;
    ngx_table_elt_t             *h;
    conflict_etag_t              etag;
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_latest_t  *latest;

    op = ctx->op;
    latest = &ctx->latest;
    h = ctx->request->headers_in.if_match;

    if (!op->in.minted || !(op->in.pre.kinds & CONFLICT_IF_MATCH)
        || ctx->version.upstream_tagged
        || (op->out.verdict != CONFLICT_REFUSE
            && op->out.verdict != CONFLICT_DROP)
        || !latest->valid || latest->status != NGX_HTTP_OK
        || latest->etag.len < 2 || latest->etag.data[0] != '"')
    {
        return 0;
    }

    p = (const char *) h->value.data;
    last = p + h->value.len;

    while (conflict_etag_next(&p, last, &etag) == CONFLICT_ETAG_TAG) {

        if (!etag.weak && etag.len == latest->etag.len - 2
            && ngx_memcmp(etag.data, latest->etag.data + 1, etag.len) == 0)
        {
            /* "match" has room for as many as If-Match has */
            ((uint64_t *) op->in.pre.match)[0] = op->out.version;
            op->in.pre.matches = 1;
            ctx->version.upstream_tagged = 1;
            return 1;
        }
    }

    return 0;
}


static ngx_http_conflict_state_e
ngx_http_conflict_latest_verdict_stale(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_latest_t  *latest;

    op = ctx->op;
    latest = &ctx->latest;

    if (op->out.existence == CONFLICT_DELETED
        || (latest->valid && ngx_http_conflict_latest_response_gone(
                latest->status)))
    {
        return ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                                        NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                        NGX_HTTP_CONFLICT_ACTION_DELETED);
    }

    if (op->out.verdict == CONFLICT_COMBINE) {
        return NGX_HTTP_CONFLICT_STATE_MERGE_WRITE;
    }

    ngx_http_conflict_diff(ctx);

    if (op->out.verdict == CONFLICT_DROP && latest->status == NGX_HTTP_OK
        && !latest->too_large)
    {
        return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_LATEST,
                                         NGX_HTTP_CONFLICT_OUTCOME_DROPPED,
                                         NGX_HTTP_CONFLICT_ACTION_SERVER_WINS);
    }

    return ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                               NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                               ngx_http_conflict_verdict_action(op->in.policy));
}


/*
 * Who may not see the resource need not know who edits it, nor when it
 * changed.  A GET that was redirected, or that failed, has shown nothing.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_may_see(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (!latest->valid) {
        /* "conflict_latest off": the versions are for all who may write */
        return ctx->op->out.verdict != CONFLICT_LOCKED;
    }

    return latest->status == NGX_HTTP_OK
           || latest->status == NGX_HTTP_NO_CONTENT
           || ngx_http_conflict_latest_response_gone(latest->status);
}


/*
 * The outcome of the write that this one repeats was never seen.  It is
 * called done only where the latest body has all that it wanted.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_reflected(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      text, row;
    ngx_http_request_t            *r;
    ngx_http_conflict_latest_t    *latest;

    r = ctx->request;
    latest = &ctx->latest;

    if (ctx->method == NGX_HTTP_DELETE) {
        return ngx_http_conflict_latest_response_gone(latest->status);
    }

    if (latest->status != NGX_HTTP_OK || !latest->json || latest->too_large
        || ctx->body.json == NULL
        || ngx_http_conflict_request_body_text(r, ctx->conf->max_body, &text)
           != NGX_OK)
    {
        return 0;
    }

    ngx_http_conflict_latest_document_get(ctx, &row);

    return ngx_http_conflict_latest_document_reflects(ctx->conf, &row, &text,
                                                      ctx->merge.form,
                                                      CONFLICT_REFLECTS_VALUES);
}


/*
 * The state is unknown, and the caller may write, perhaps, but not GET: a
 * base cannot hold.  That nothing may be there the API can judge itself.
 */

static ngx_http_conflict_state_e
ngx_http_conflict_latest_verdict_undisclosed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (op->in.pre.kinds == CONFLICT_IF_NONE_ANY && !ctx->conf->report) {
        op->in.pre.kinds = 0;
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED;
        return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    if (op->in.policy <= CONFLICT_CLIENT_WINS || ctx->conf->report
        || ngx_http_conflict_latest_verdict_relayed(ctx))
    {
        return ngx_http_conflict_latest_verdict_unchecked(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_RELAY, 0);
    }

    return ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                               NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                               ngx_http_conflict_verdict_action(op->in.policy));
}


/*
 * Does the answer to the GET concern the write as well?  Credentials may fit
 * one method only, as Digest's do; to say 401 to who has sent some would make
 * the client ask for them again.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_relayed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = ctx->latest.status;

    if (status == NGX_HTTP_FORBIDDEN) {
        /* what is not there is for the API to refuse, so nobody learns more */
        return ctx->op->in.pre.kinds == CONFLICT_IF_NONE_ANY;
    }

    return (status == NGX_HTTP_UNAUTHORIZED && !ctx->caller.credentials)
           || status == NGX_HTTP_TOO_MANY_REQUESTS;
}


/* a refusal of the GET */

static ngx_uint_t
ngx_http_conflict_latest_verdict_forbidden(ngx_uint_t status)
{
    return status >= 400 && status < 500
           && !ngx_http_conflict_latest_response_gone(status);
}
