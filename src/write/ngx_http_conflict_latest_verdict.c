
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What follows from the own GET: it resolves an unknown state, or a verdict
 * that needs the latest body is carried out.
 */


#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "latest/ngx_http_conflict_latest.h"


static ngx_http_conflict_state_e ngx_http_conflict_latest_verdict_unchecked(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    ngx_uint_t pass);
static ngx_uint_t ngx_http_conflict_latest_verdict_verify(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_state_e *next);
static ngx_uint_t ngx_http_conflict_latest_verdict_upstream_tag(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_latest_verdict_stale(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_latest_verdict_may_see(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_latest_verdict_reflected(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_latest_verdict_undisclosed(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_latest_verdict_relayed(
    ngx_http_conflict_ctx_t *ctx);


ngx_http_conflict_state_e
ngx_http_conflict_latest_verdict_get(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e    next;
    ngx_http_conflict_latest_t  *latest;

    if (!ngx_http_conflict_latest_response(ctx, &next)) {
        return next;
    }

    latest = &ctx->latest;

    if (latest->cached) {
        /* it may be of an earlier version, so it is of no use */

        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "a cache answered the GET for the latest body of "
                      "\"%V\", add \"proxy_cache_bypass $conflict_fetch\"",
                      ngx_http_conflict_evaluate_escaped(ctx->request,
                                                   &ctx->target.resource));
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    if (latest->status >= 400 && latest->status < 500
        && !ngx_http_conflict_latest_response_gone(latest->status))
    {
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
        if (!latest->cached) {
            ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                          "the GET for the version of \"%V\" has failed, its "
                          "status is %ui",
                          ngx_http_conflict_evaluate_escaped(ctx->request,
                                                   &ctx->target.resource),
                          latest->status);
        }

        return ngx_http_conflict_latest_verdict_unchecked(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE,
                                        ctx->conf->store_error);
    }

    if (ngx_http_conflict_latest_document_observe(ctx) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "the response to a GET of \"%V\" does not have the "
                      "version specified by \"conflict_version\"",
                      ngx_http_conflict_evaluate_escaped(ctx->request,
                                                   &ctx->target.resource));
        return ngx_http_conflict_latest_verdict_unchecked(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE,
                                        ctx->conf->store_error);
    }

    ctx->op->in.observed.latest = 1;
    ctx->op->out.applied = 0;

    return NGX_HTTP_CONFLICT_STATE_STORE_OBSERVE;
}


/* forwarded with a lease but without a check, or refused */

static ngx_http_conflict_state_e
ngx_http_conflict_latest_verdict_unchecked(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, ngx_uint_t pass)
{
    ngx_http_conflict_state_e  next;

    next = ngx_http_conflict_respond_unchecked(ctx, answer, pass,
                                          NGX_HTTP_CONFLICT_STATE_STORE_BEGIN);

    if (next == NGX_HTTP_CONFLICT_STATE_STORE_BEGIN) {
        ngx_http_conflict_verdict_unchecked(ctx->op);
    }

    return next;
}


ngx_http_conflict_state_e
ngx_http_conflict_latest_verdict(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_state_e    next;
    ngx_http_conflict_action_e   action;
    ngx_http_conflict_latest_t  *latest;

    op = ctx->op;
    latest = &ctx->latest;

    if (ctx->flow.diff_pending) {
        return ngx_http_conflict_diff_fetched(ctx);
    }

    if (!(latest->valid && latest->version == op->out.version)
        && !(ctx->conf->latest == NGX_HTTP_CONFLICT_LATEST_OFF
             && (op->out.verdict == CONFLICT_REFUSE
                 || op->out.verdict == CONFLICT_LOCKED)))
    {
        /* the version was read before the GET, so it is not newer */
        latest->version = op->out.version;
        latest->started = 0;
        latest->revalidate = 0;
        return NGX_HTTP_CONFLICT_STATE_GET_LATEST;
    }

    if (latest->valid && ngx_http_conflict_latest_verdict_relayed(ctx)) {
        /* the client gets the upstream's response to the GET */

        action = (op->out.verdict == CONFLICT_PASS)
                 ? NGX_HTTP_CONFLICT_ACTION_NONE
                 : (op->out.verdict == CONFLICT_LOCKED)
                 ? NGX_HTTP_CONFLICT_ACTION_LOCKED
                 : ngx_http_conflict_verdict_action(op->in.policy);

        return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_RELAY,
                                         NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                         action);
    }

    ctx->caller.may_see = ngx_http_conflict_latest_verdict_may_see(ctx);

    if (op->out.verdict == CONFLICT_LOCKED) {
        return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_LOCKED,
                                         NGX_HTTP_CONFLICT_OUTCOME_LOCKED,
                                         NGX_HTTP_CONFLICT_ACTION_LOCKED);
    }

    if (op->out.verdict == CONFLICT_PASS) {
        return NGX_HTTP_CONFLICT_STATE_MERGE_WRITE;
    }

    if (ngx_http_conflict_latest_verdict_upstream_tag(ctx)) {
        /* it does have a base, and that is the current version */
        return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    if (op->out.verdict == CONFLICT_COMBINE && !ctx->flow.recalled) {
        return NGX_HTTP_CONFLICT_STATE_HISTORY_LOOKUP;
    }

    if (op->out.verdict == CONFLICT_REPLAY && ctx->caller.nameless
        && latest->view != ctx->caller.selected)
    {
        /* another client may have sent the same bytes, as Vary does select */
        op->out.verdict = CONFLICT_VERIFY;
    }

    if (op->out.verdict == CONFLICT_VERIFY
        && ngx_http_conflict_latest_verdict_verify(ctx, &next))
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
 * A retry of a write of unknown outcome.  1: that write was not done, *next is
 * the next state; 0: see the verdict.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_verify(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e *next)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ngx_http_conflict_latest_verdict_reflected(ctx)) {
        op->out.verdict = CONFLICT_REPLAY;
        return 0;
    }

    if (op->in.policy > CONFLICT_CLIENT_WINS) {
        op->out.verdict = (op->in.policy == CONFLICT_SERVER_WINS
                           || op->in.policy == CONFLICT_EDITED)
                          ? CONFLICT_DROP : CONFLICT_REFUSE;
        return 0;
    }

    if (!ngx_http_conflict_json_patch_repeated(ctx, next)) {
        /* not done: it begins again, and not as a retry */
        op->in.fingerprint = 0;
        *next = NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    return 1;
}


/*
 * If-Match or If has the upstream's own tag, which clients may get from a body:
 * from getetag of WebDAV, or from the members of a list.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_upstream_tag(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                    tag;
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_latest_t  *latest;

    op = ctx->op;
    latest = &ctx->latest;

    if (op->in.report || !op->in.minted
        || !(op->in.pre.kinds & CONFLICT_IF_MATCH)
        || ctx->version.upstream_tagged
        || (op->out.verdict != CONFLICT_REFUSE
            && op->out.verdict != CONFLICT_DROP)
        || !latest->valid || latest->status != NGX_HTTP_OK
        || latest->etag.len < 2 || latest->etag.data[0] != '"')
    {
        return 0;
    }

    tag.data = latest->etag.data + 1;
    tag.len = latest->etag.len - 2;

    if (ctx->pre.when ? !ngx_http_conflict_dav_if_has(ctx, &tag)
                      : !ngx_http_conflict_entity_tags_match(ctx->request,
                                                             &tag))
    {
        return 0;
    }

    /* "match" has room for all tags of the request */
    ((uint64_t *) op->in.pre.match)[0] = op->out.version;
    op->in.pre.matches = 1;
    ctx->version.upstream_tagged = 1;

    return 1;
}


static ngx_http_conflict_state_e
ngx_http_conflict_latest_verdict_stale(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_latest_t  *latest;

    op = ctx->op;
    latest = &ctx->latest;

    if (op->out.existence == CONFLICT_DELETED
        || (latest->valid
            && ngx_http_conflict_latest_response_gone(latest->status)))
    {
        return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
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
                               ngx_http_conflict_verdict_action(op->in.policy));
    }

    return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                               NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                               ngx_http_conflict_verdict_action(op->in.policy));
}


/*
 * A client that may not see the resource must not learn from the response by
 * whom it is edited or when it has changed.  A GET that failed or was
 * redirected has shown nothing.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_may_see(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (!latest->valid) {
        /* "conflict_latest off": a client that may write gets the version */
        return ctx->op->out.verdict != CONFLICT_LOCKED;
    }

    if (ngx_http_conflict_latest_response_gone(latest->status)) {
        /* a 404 may hide it; a version of the client's own tells no more */
        return ctx->op->out.verdict == CONFLICT_REPLAY;
    }

    return latest->status == NGX_HTTP_OK
           || latest->status == NGX_HTTP_NO_CONTENT;
}


/*
 * The write that this one retries has an unknown outcome: it counts as done if
 * the latest body has all of its changes.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_reflected(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                    text, server;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (ctx->method == NGX_HTTP_DELETE) {
        return ngx_http_conflict_latest_response_gone(latest->status);
    }

    if (latest->status != NGX_HTTP_OK || !latest->json || latest->too_large
        || ctx->body.json == NULL
        || ngx_http_conflict_request_body_text(ctx, &text) != NGX_OK)
    {
        return 0;
    }

    ngx_http_conflict_latest_document_get(ctx, &server);

    return ngx_http_conflict_latest_document_reflects(ctx->conf, &server, &text,
                                                      ctx->merge.form,
                                                      CONFLICT_REFLECTS_VALUES);
}


/*
 * The state is unknown, and the client may not GET the resource, though it may
 * be allowed to write: no base can be checked.  "If-None-Match: *" is left to
 * the API.
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

    return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                               NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                               ngx_http_conflict_verdict_action(op->in.policy));
}


/*
 * Whether the refusal of the GET applies to the write as well.  Credentials
 * may be valid for one method only, as in Digest: a 401 would make a client
 * that has sent some ask the user for them again.
 */

static ngx_uint_t
ngx_http_conflict_latest_verdict_relayed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  status;

    status = ctx->latest.status;

    if (status == NGX_HTTP_FORBIDDEN) {
        /* so the response does not disclose whether the resource exists */
        return ctx->op->in.pre.kinds == CONFLICT_IF_NONE_ANY;
    }

    return (status == NGX_HTTP_UNAUTHORIZED && !ctx->caller.credentials)
           || status == NGX_HTTP_TOO_MANY_REQUESTS;
}
