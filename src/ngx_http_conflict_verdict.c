
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What follows from a verdict of the store: the next state of the write, its
 * outcome and its log action.
 */


#include "ngx_http_conflict_module.h"


#define NGX_HTTP_CONFLICT_MAX_FETCHES  4


static void ngx_http_conflict_passed(ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_judged(ngx_http_request_t *r,
    ngx_http_conflict_op_t *op);
static void ngx_http_conflict_go(ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_failed(ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_reported(ngx_http_conflict_ctx_t *ctx);


/* the store has decided, or said what to do before it can */

ngx_int_t
ngx_http_conflict_begun(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (op->busy) {
        return NGX_AGAIN;
    }

    ctx->store_time += ngx_current_msec - ctx->store_start;

    if (op->rc != NGX_OK) {
        ngx_http_conflict_failed(ctx);
        return NGX_OK;
    }

    if (ngx_http_conflict_tags_retry(ctx)) {
        ctx->state = NGX_HTTP_CONFLICT_ST_BEGIN;
        return NGX_OK;
    }

    if (op->in.pre.kinds & CONFLICT_IF_MATCH) {
        ctx->held = op->out.version;
    }

    ctx->settling = op->out.settling ? op->out.wait : 0;
    ctx->current = op->out.version;
    ctx->against = op->out.version;
    ctx->against_time = op->out.present ? op->out.mtime : CONFLICT_TIME_NONE;

    if (op->in.report && op->out.verdict != CONFLICT_FETCH
        && op->out.verdict != CONFLICT_COMBINE)
    {
        ngx_http_conflict_reported(ctx);
        return NGX_OK;
    }

    switch (op->out.verdict) {

    case CONFLICT_OVERWRITE:

        ctx->state = NGX_HTTP_CONFLICT_ST_PASS;

        if (ctx->outcome == NGX_HTTP_CONFLICT_NONE) {
            ctx->outcome = NGX_HTTP_CONFLICT_OVERWROTE;
            ctx->action = ngx_http_conflict_stale_action(op->in.policy);
            ctx->naming = ngx_http_conflict_differ_first(ctx);
        }

        return NGX_OK;

    case CONFLICT_PASS:
        ngx_http_conflict_passed(ctx);
        ngx_http_conflict_go(ctx);
        return NGX_OK;

    case CONFLICT_COMBINE:
        /* the GET and the merge take their time */
        ngx_http_conflict_settle_start(ctx);
        ctx->recalled = 0;
        ctx->merge.parts = NULL;
        ctx->merge.base.data = NULL;
        ctx->state = NGX_HTTP_CONFLICT_ST_LATEST;
        return NGX_OK;

    case CONFLICT_WAIT:
        ctx->state = NGX_HTTP_CONFLICT_ST_WAIT;
        return NGX_OK;

    case CONFLICT_FETCH:

        if (ctx->fetches == NGX_HTTP_CONFLICT_MAX_FETCHES) {
            /* it changes faster than it can be read */

            if (op->in.policy <= CONFLICT_CLIENT_WINS || op->in.report) {
                op->in.pre.kinds = 0;
                ctx->state = NGX_HTTP_CONFLICT_ST_BEGIN;
                ctx->outcome = NGX_HTTP_CONFLICT_UNCHECKED;
                ctx->action = NGX_HTTP_CONFLICT_ACT_UNCHECKED;
                return NGX_OK;
            }

            ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_UNKNOWN_OUTCOME,
                                     NGX_HTTP_CONFLICT_BUSY,
                                     NGX_HTTP_CONFLICT_ACT_BUSY);
            return NGX_OK;
        }

        ctx->latest.started = 0;
        ctx->latest.revalidate = 1;
        ctx->state = NGX_HTTP_CONFLICT_ST_FETCH;
        return NGX_OK;

    default: /* CONFLICT_REFUSE, CONFLICT_DROP, REPLAY, VERIFY, LOCKED */
        ctx->state = NGX_HTTP_CONFLICT_ST_LATEST;
    }

    return NGX_OK;
}


/* nothing speaks against it: by its base, or as it has none */

static void
ngx_http_conflict_passed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    if (ctx->outcome != NGX_HTTP_CONFLICT_NONE) {
        return;
    }

    ctx->outcome = NGX_HTTP_CONFLICT_PASSED;
    ctx->existed = (ctx->pair == NULL
                    && ctx->op->out.existence == CONFLICT_EXISTS);

    /* of MOVE and COPY it is the destination that may be overwritten */

    op = (ctx->pair && ctx->pair->source == ctx->op) ? ctx->pair->op
                                                     : ctx->op;
    ctx->unbased = (op->in.pre.kinds == 0
                    && !ngx_http_conflict_judged(ctx->request, op));
}


/* by the upstream, whose own tags these are */

static ngx_uint_t
ngx_http_conflict_judged(ngx_http_request_t *r, ngx_http_conflict_op_t *op)
{
    if (op->in.minted && !op->in.report) {
        return 0;
    }

    return r->headers_in.if_match || r->headers_in.if_none_match
           || ngx_http_conflict_if_tags(r);
}


/* the write may pass; but fields that are the server's must stay as they are */

static void
ngx_http_conflict_go(ngx_http_conflict_ctx_t *ctx)
{
    if (!ctx->merge.able || !ctx->conf->server_rules || ctx->conf->report) {
        ctx->state = NGX_HTTP_CONFLICT_ST_PASS;
        return;
    }

    if (ctx->op->out.leased) {
        ngx_http_conflict_settle_start(ctx);
    }

    ctx->op->out.verdict = CONFLICT_PASS;
    ctx->state = NGX_HTTP_CONFLICT_ST_LATEST;
}


/* the store has not decided */

static void
ngx_http_conflict_failed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    switch (op->out.error) {

    case NGX_HTTP_CONFLICT_STORE_GENERATION:
        ngx_http_conflict_unchecked(ctx, NGX_HTTP_CONFLICT_GENERATION, 0);
        return;

    case NGX_HTTP_CONFLICT_STORE_DOWN:
        ngx_http_conflict_unchecked(ctx, NGX_HTTP_CONFLICT_UNAVAILABLE,
                                    ctx->conf->store_error);
        return;

    default: /* NGX_HTTP_CONFLICT_STORE_FULL */

        if (op->out.log) {
            ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                          "conflict store \"%V\" is full of writes in "
                          "flight, enlarge its zone", &op->store->name);
        }

        ngx_http_conflict_unchecked(ctx, NGX_HTTP_CONFLICT_UNAVAILABLE, 0);
    }
}


/*
 * Report mode: the write passes, the log says what would have been.  What
 * would have been refused goes on with no chain.
 */

static void
ngx_http_conflict_reported(ngx_http_conflict_ctx_t *ctx)
{
    ctx->state = NGX_HTTP_CONFLICT_ST_PASS;

    switch (ctx->op->out.verdict) {

    case CONFLICT_OVERWRITE:
        ctx->outcome = NGX_HTTP_CONFLICT_OVERWROTE;
        ctx->action = ngx_http_conflict_stale_action(ctx->op->in.policy);
        break;

    case CONFLICT_DROP:
        ctx->op->in.pre.chain = 0;
        ctx->outcome = NGX_HTTP_CONFLICT_DROPPED;
        ctx->action = ngx_http_conflict_stale_action(ctx->op->in.policy);
        break;

    case CONFLICT_REFUSE:
        ctx->op->in.pre.chain = 0;
        ctx->outcome = NGX_HTTP_CONFLICT_REJECTED;
        ctx->action = (ctx->op->out.existence == CONFLICT_DELETED)
                      ? NGX_HTTP_CONFLICT_ACT_DELETED
                      : ngx_http_conflict_stale_action(ctx->op->in.policy);
        break;

    case CONFLICT_WAIT:
        ctx->outcome = NGX_HTTP_CONFLICT_BUSY;
        ctx->action = NGX_HTTP_CONFLICT_ACT_BUSY;
        break;

    case CONFLICT_LOCKED:
        ctx->op->in.pre.chain = 0;
        ctx->outcome = NGX_HTTP_CONFLICT_LOCKED;
        ctx->action = NGX_HTTP_CONFLICT_ACT_LOCKED;
        break;

    case CONFLICT_REPLAY:
    case CONFLICT_VERIFY:
        ctx->outcome = NGX_HTTP_CONFLICT_REPLAYED;
        break;

    default: /* CONFLICT_PASS */
        ngx_http_conflict_passed(ctx);
    }

    if (ctx->action != NGX_HTTP_CONFLICT_NO_ACTION
        && ctx->action == ngx_http_conflict_stale_action(ctx->op->in.policy))
    {
        ctx->naming = ngx_http_conflict_differ_first(ctx);
    }
}


/*
 * The write cannot be checked.  Policies that never refuse let it pass, as
 * do report mode and "pass"; the others refuse it.
 */

void
ngx_http_conflict_unchecked(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_error_e error, ngx_uint_t pass)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->conf->policy > CONFLICT_CLIENT_WINS && !ctx->conf->report
        && !pass)
    {
        ngx_http_conflict_refuse(ctx, error, NGX_HTTP_CONFLICT_REJECTED,
                                 NGX_HTTP_CONFLICT_NO_ACTION);
        return;
    }

    ctx->error = NGX_HTTP_CONFLICT_OK;
    ctx->outcome = NGX_HTTP_CONFLICT_UNCHECKED;
    ctx->action = NGX_HTTP_CONFLICT_ACT_UNCHECKED;

    if (ctx->state == NGX_HTTP_CONFLICT_ST_FETCHED) {
        /* with a lease, but without a check */
        op->in.pre.kinds = 0;
        ctx->state = NGX_HTTP_CONFLICT_ST_BEGIN;
        return;
    }

    if (ctx->state == NGX_HTTP_CONFLICT_ST_BEGUN) {
        ngx_http_conflict_go(ctx);
    }
}


void
ngx_http_conflict_refuse(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_error_e error, ngx_http_conflict_outcome_e outcome,
    ngx_http_conflict_action_e action)
{
    ctx->outcome = outcome;
    ctx->action = action;

    if (ctx->conf->report) {

        /* would be; it is logged with the answer of the upstream */

        ctx->op->in.pre.chain = 0;

        if (ctx->state >= NGX_HTTP_CONFLICT_ST_RECALL
            && ctx->state < NGX_HTTP_CONFLICT_ST_PASS)
        {
            ctx->state = NGX_HTTP_CONFLICT_ST_PASS;
        }

        return;
    }

    ctx->error = error;
    ctx->state = NGX_HTTP_CONFLICT_ST_ANSWER;
}


/* what it is called in the log, by policy */

ngx_http_conflict_action_e
ngx_http_conflict_stale_action(conflict_policy_e policy)
{
    switch (policy) {

    case CONFLICT_LWW:
        return NGX_HTTP_CONFLICT_ACT_LWW;

    case CONFLICT_CLIENT_WINS:
        return NGX_HTTP_CONFLICT_ACT_CLIENT_WINS;

    case CONFLICT_SERVER_WINS:
        return NGX_HTTP_CONFLICT_ACT_SERVER_WINS;

    default: /* CONFLICT_VERSION, and what could not be merged */
        return NGX_HTTP_CONFLICT_ACT_VERSION;
    }
}
