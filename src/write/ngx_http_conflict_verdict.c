
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What follows from a verdict of the store: the next state of the write, its
 * outcome and its action in the audit log.
 */


#include "write/ngx_http_conflict_write.h"


#define NGX_HTTP_CONFLICT_VERDICT_FETCHES  4   /* own GETs for one write */


static ngx_http_conflict_state_e ngx_http_conflict_verdict_fetch(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_verdict_passed(ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_verdict_upstream_checks(
    ngx_http_request_t *r, ngx_http_conflict_op_t *op);
static ngx_http_conflict_state_e ngx_http_conflict_verdict_forward(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_verdict_failed(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_verdict_reported(
    ngx_http_conflict_ctx_t *ctx);


ngx_http_conflict_state_e
ngx_http_conflict_verdict(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_http_conflict_op_t  *op;

    rc = ngx_http_conflict_store_call(ctx, ctx->op->store->ops->begin);

    if (rc == NGX_AGAIN) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    op = ctx->op;

    if (rc != NGX_OK && op->out.leased) {
        /* that of a lookup: the store does not know of this write */
        (void) op->store->ops->cancel(op);
        ngx_http_conflict_write_queue_next(op);
    }

    if (!op->out.leased) {
        /* that of a lookup may be lost by now */
        ngx_http_conflict_outcome_unhold(ctx);
    }

    if (rc != NGX_OK) {
        ngx_http_conflict_write_queue_leave(ctx);
        return ngx_http_conflict_verdict_failed(ctx);
    }

    if (ngx_http_conflict_entity_tags_retry(ctx)) {
        return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    if (op->out.verdict != CONFLICT_WAIT || op->in.report) {
        ngx_http_conflict_write_queue_leave(ctx);
    }

    if (op->in.pre.kinds & CONFLICT_IF_MATCH) {
        ctx->pre.matched = op->out.version;
    }

    ctx->timing.settling = op->out.settling ? op->out.wait : 0;
    ctx->version.current = op->out.version;
    ctx->version.compared = op->out.version;
    ctx->version.compared_time = op->out.present ? op->out.mtime
                                                 : CONFLICT_TIME_NONE;

    if (op->in.edits) {
        ngx_http_conflict_edited_compared(ctx);
    }

    if (op->in.report && op->out.verdict != CONFLICT_FETCH
        && op->out.verdict != CONFLICT_COMBINE)
    {
        return ngx_http_conflict_verdict_reported(ctx);
    }

    switch (op->out.verdict) {

    case CONFLICT_OVERWRITE:

        if (ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_NONE) {
            ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_OVERWROTE;
            ctx->flow.action = ngx_http_conflict_verdict_action(op->in.policy);
            ctx->flow.diff_pending = ngx_http_conflict_diff_start(ctx);

            if (ctx->flow.diff_pending) {
                return NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT;
            }
        }

        return NGX_HTTP_CONFLICT_STATE_FORWARD;

    case CONFLICT_PASS:
        ngx_http_conflict_verdict_passed(ctx);
        return ngx_http_conflict_verdict_forward(ctx);

    case CONFLICT_COMBINE:
        /* the GET and the merge may outlast the lease */
        ngx_http_conflict_outcome_hold(ctx);
        ctx->flow.recalled = 0;
        ctx->merge.parts = NULL;
        ctx->merge.base.data = NULL;
        return NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT;

    case CONFLICT_WAIT:
        return NGX_HTTP_CONFLICT_STATE_WAIT_FOR_WRITE;

    case CONFLICT_FETCH:
        return ngx_http_conflict_verdict_fetch(ctx);

    default: /* CONFLICT_DROP, REFUSE, REPLAY, VERIFY, LOCKED */
        return NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT;
    }
}


/*
 * A GET has to determine the version.  If others write at the same time, it
 * may be outdated before it is observed, so the second one is made under a
 * lease.  In report mode no write may wait for that.
 */

static ngx_http_conflict_state_e
ngx_http_conflict_verdict_fetch(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->timing.fetches >= NGX_HTTP_CONFLICT_VERDICT_FETCHES) {
        /* the resource changes faster than it can be fetched */

        if (op->in.policy <= CONFLICT_CLIENT_WINS || op->in.report) {
            ngx_http_conflict_verdict_unchecked(op);
            ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED;
            ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_UNCHECKED;
            return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
        }

        return ngx_http_conflict_respond(ctx,
                                      NGX_HTTP_CONFLICT_ANSWER_UNKNOWN_OUTCOME,
                                      NGX_HTTP_CONFLICT_OUTCOME_BUSY,
                                      NGX_HTTP_CONFLICT_ACTION_BUSY);
    }

    if (op->out.leased) {
        ngx_http_conflict_outcome_hold(ctx);

    } else if (ctx->timing.fetches && !op->in.report) {
        op->in.lookup = 1;
        return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    ctx->latest.started = 0;
    ctx->latest.revalidate = 1;

    return NGX_HTTP_CONFLICT_STATE_GET_LATEST;
}


void
ngx_http_conflict_verdict_unchecked(ngx_http_conflict_op_t *op)
{
    op->in.pre.kinds = 0;

    if (op->in.policy == CONFLICT_EDITED) {
        /* which needs a GET without a base as well */
        op->in.policy = CONFLICT_LWW;
    }
}


/* its base is the current version, or it has none */

static void
ngx_http_conflict_verdict_passed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    if (ctx->flow.outcome != NGX_HTTP_CONFLICT_OUTCOME_NONE) {
        return;
    }

    ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_PASSED;
    ctx->flow.existed = (ctx->pair == NULL
                         && ctx->op->out.existence == CONFLICT_EXISTS);

    /* MOVE and COPY may overwrite the destination */

    op = (ctx->pair && ctx->pair->source == ctx->op) ? ctx->pair->op
                                                     : ctx->op;

    ctx->flow.unbased = (op->in.pre.kinds == 0
                         && !ngx_http_conflict_verdict_upstream_checks(
                                 ctx->request, op));
}


/* the tags are the upstream's own, which checks them */

static ngx_uint_t
ngx_http_conflict_verdict_upstream_checks(ngx_http_request_t *r,
    ngx_http_conflict_op_t *op)
{
    if (op->in.minted && !op->in.report) {
        return 0;
    }

    return r->headers_in.if_match || r->headers_in.if_none_match
           || ngx_http_conflict_dav_if_tags(r);
}


/* the write may pass; fields that belong to the server must stay unchanged */

static ngx_http_conflict_state_e
ngx_http_conflict_verdict_forward(ngx_http_conflict_ctx_t *ctx)
{
    if (!ctx->merge.mergeable || !ctx->conf->server_rules
        || ctx->conf->report)
    {
        return NGX_HTTP_CONFLICT_STATE_FORWARD;
    }

    if (ctx->op->out.leased) {
        ngx_http_conflict_outcome_hold(ctx);
    }

    ctx->op->out.verdict = CONFLICT_PASS;

    return NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT;
}


/* the store has not decided */

static ngx_http_conflict_state_e
ngx_http_conflict_verdict_failed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                  pass;
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_state_e   next;
    ngx_http_conflict_answer_e  answer;

    op = ctx->op;
    pass = 0;
    answer = NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE;

    switch (op->out.error) {

    case NGX_HTTP_CONFLICT_STORE_GENERATION:
        answer = NGX_HTTP_CONFLICT_ANSWER_GENERATION;
        break;

    case NGX_HTTP_CONFLICT_STORE_DOWN:
        pass = ctx->conf->store_error;
        break;

    default: /* NGX_HTTP_CONFLICT_STORE_FULL */
        break;
    }

    next = ngx_http_conflict_respond_unchecked(ctx, answer, pass,
                                               NGX_HTTP_CONFLICT_STATE_FORWARD);

    return (next == NGX_HTTP_CONFLICT_STATE_FORWARD)
           ? ngx_http_conflict_verdict_forward(ctx) : next;
}


/*
 * Report mode: the write passes, and is logged with the outcome that it would
 * have had.  A link that would have been refused is no longer one of a chain.
 */

static ngx_http_conflict_state_e
ngx_http_conflict_verdict_reported(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_action_e  action;

    action = ngx_http_conflict_verdict_action(ctx->op->in.policy);

    switch (ctx->op->out.verdict) {

    case CONFLICT_OVERWRITE:
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_OVERWROTE;
        ctx->flow.action = action;
        break;

    case CONFLICT_DROP:
        ctx->op->in.pre.chain = 0;
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_DROPPED;
        ctx->flow.action = action;
        break;

    case CONFLICT_REFUSE:
        ctx->op->in.pre.chain = 0;
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_REJECTED;
        ctx->flow.action = (ctx->op->out.existence == CONFLICT_DELETED
                            || (ctx->op->out.existence == CONFLICT_NOT_SHOWN
                                && ctx->op->in.just_observed))
                           ? NGX_HTTP_CONFLICT_ACTION_DELETED : action;
        break;

    case CONFLICT_WAIT:
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_BUSY;
        ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_BUSY;
        break;

    case CONFLICT_LOCKED:
        ctx->op->in.pre.chain = 0;
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_LOCKED;
        ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_LOCKED;
        break;

    case CONFLICT_REPLAY:
    case CONFLICT_VERIFY:
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_REPLAYED;
        break;

    default: /* CONFLICT_PASS */
        ngx_http_conflict_verdict_passed(ctx);
    }

    if (ctx->flow.action == action) {
        ctx->flow.diff_pending = ngx_http_conflict_diff_start(ctx);

        if (ctx->flow.diff_pending) {
            return NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT;
        }
    }

    return NGX_HTTP_CONFLICT_STATE_FORWARD;
}


ngx_http_conflict_action_e
ngx_http_conflict_verdict_action(conflict_policy_e policy)
{
    switch (policy) {

    case CONFLICT_LWW:
    case CONFLICT_EDITED:
        return NGX_HTTP_CONFLICT_ACTION_LWW;

    case CONFLICT_CLIENT_WINS:
        return NGX_HTTP_CONFLICT_ACTION_CLIENT_WINS;

    case CONFLICT_SERVER_WINS:
        return NGX_HTTP_CONFLICT_ACTION_SERVER_WINS;

    default: /* CONFLICT_VERSION, and what could not be merged */
        return NGX_HTTP_CONFLICT_ACTION_VERSION;
    }
}
