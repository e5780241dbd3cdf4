
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What follows from a verdict of the store and from the GET that it asked
 * for: the next state of the write, its outcome and its log action.
 */


#include "ngx_http_conflict_module.h"


#define NGX_HTTP_CONFLICT_MAX_FETCHES  4


static void ngx_http_conflict_go(ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_failed(ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_reported(ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_reflected(ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_gone(ngx_uint_t status);
static ngx_uint_t ngx_http_conflict_forbidden(ngx_uint_t status);


/* what a stale write is called in the log, by policy */

static const ngx_http_conflict_action_e  ngx_http_conflict_actions[] = {
    NGX_HTTP_CONFLICT_ACT_LWW,
    NGX_HTTP_CONFLICT_ACT_CLIENT_WINS,
    NGX_HTTP_CONFLICT_ACT_SERVER_WINS,
    NGX_HTTP_CONFLICT_ACT_VERSION,
    NGX_HTTP_CONFLICT_ACT_VERSION     /* of what could not be merged */
};


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

    ctx->current = op->version;
    ctx->against = op->version;
    ctx->against_time = op->present ? op->mtime : CONFLICT_TIME_NONE;

    if (op->report && op->verdict != CONFLICT_FETCH
        && op->verdict != CONFLICT_COMBINE)
    {
        ngx_http_conflict_reported(ctx);
        return NGX_OK;
    }

    switch (op->verdict) {

    case CONFLICT_OVERWRITE:

        if (ctx->outcome == NGX_HTTP_CONFLICT_NONE) {
            ctx->outcome = NGX_HTTP_CONFLICT_OVERWROTE;
            ctx->action = ngx_http_conflict_actions[op->policy];
        }

        ctx->state = NGX_HTTP_CONFLICT_ST_PASS;
        return NGX_OK;

    case CONFLICT_PASS:

        if (ctx->outcome == NGX_HTTP_CONFLICT_NONE) {
            ctx->outcome = NGX_HTTP_CONFLICT_PASSED;
        }

        ngx_http_conflict_go(ctx);
        return NGX_OK;

    case CONFLICT_COMBINE:
        /* the GET and the merge take their time */
        ngx_http_conflict_settle_start(ctx);
        ctx->state = NGX_HTTP_CONFLICT_ST_RECALL;
        return NGX_OK;

    case CONFLICT_WAIT:
        ctx->state = NGX_HTTP_CONFLICT_ST_WAIT;
        return NGX_OK;

    case CONFLICT_FETCH:

        if (ctx->fetches == NGX_HTTP_CONFLICT_MAX_FETCHES) {
            /* it changes faster than it can be read */

            if (op->policy <= CONFLICT_CLIENT_WINS || op->report) {
                op->pre.kinds = 0;
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

    default: /* CONFLICT_REFUSE, CONFLICT_DROP, REPLAY, VERIFY */
        ctx->state = NGX_HTTP_CONFLICT_ST_LATEST;
    }

    return NGX_OK;
}


/* the write may pass; but fields that are the server's must stay as they are */

static void
ngx_http_conflict_go(ngx_http_conflict_ctx_t *ctx)
{
    if (!ctx->merge.able || !ctx->conf->server_rules || ctx->conf->report) {
        ctx->state = NGX_HTTP_CONFLICT_ST_PASS;
        return;
    }

    if (ctx->op->leased) {
        ngx_http_conflict_settle_start(ctx);
    }

    ctx->op->verdict = CONFLICT_PASS;
    ctx->state = NGX_HTTP_CONFLICT_ST_LATEST;
}


/* the store has not decided */

static void
ngx_http_conflict_failed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    switch (op->error) {

    case NGX_HTTP_CONFLICT_STORE_GENERATION:
        ngx_http_conflict_unchecked(ctx, NGX_HTTP_CONFLICT_GENERATION, 0);
        return;

    case NGX_HTTP_CONFLICT_STORE_DOWN:
        ngx_http_conflict_unchecked(ctx, NGX_HTTP_CONFLICT_UNAVAILABLE,
                                    ctx->conf->store_error);
        return;

    default: /* NGX_HTTP_CONFLICT_STORE_FULL */

        if (op->log) {
            ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                          "conflict store \"%V\" is full of writes in "
                          "flight, enlarge its zone", &op->store->name);
        }

        ngx_http_conflict_unchecked(ctx, NGX_HTTP_CONFLICT_UNAVAILABLE, 0);
    }
}


/* report mode: the write passes, the log says what would have been */

static void
ngx_http_conflict_reported(ngx_http_conflict_ctx_t *ctx)
{
    ctx->state = NGX_HTTP_CONFLICT_ST_PASS;

    switch (ctx->op->verdict) {

    case CONFLICT_OVERWRITE:
        ctx->outcome = NGX_HTTP_CONFLICT_OVERWROTE;
        ctx->action = ngx_http_conflict_actions[ctx->op->policy];
        break;

    case CONFLICT_DROP:
        ctx->outcome = NGX_HTTP_CONFLICT_DROPPED;
        ctx->action = ngx_http_conflict_actions[ctx->op->policy];
        break;

    case CONFLICT_REFUSE:
        ctx->outcome = NGX_HTTP_CONFLICT_REJECTED;
        ctx->action = (ctx->op->existence == CONFLICT_DELETED)
                      ? NGX_HTTP_CONFLICT_ACT_DELETED
                      : ngx_http_conflict_actions[ctx->op->policy];
        break;

    case CONFLICT_WAIT:
        ctx->outcome = NGX_HTTP_CONFLICT_BUSY;
        ctx->action = NGX_HTTP_CONFLICT_ACT_BUSY;
        break;

    case CONFLICT_REPLAY:
    case CONFLICT_VERIFY:
        ctx->outcome = NGX_HTTP_CONFLICT_REPLAYED;
        break;

    default: /* CONFLICT_PASS */

        if (ctx->outcome == NGX_HTTP_CONFLICT_NONE) {
            ctx->outcome = NGX_HTTP_CONFLICT_PASSED;
        }
    }
}


/* the GET has ended: it was to settle an unknown state, or for a refusal */

ngx_int_t
ngx_http_conflict_fetched(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (latest->cached) {
        /* of a version before this one, perhaps: as good as none */

        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "a cache answered the GET for the latest body of "
                      "\"%V\", add \"proxy_cache_bypass $conflict_fetch\"",
                      &ctx->key);
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    if (ngx_http_conflict_forbidden(latest->status)) {

        if (latest->revalidate) {
            /* who may write but not read is not told, nor checked */
            ngx_http_conflict_unchecked(ctx, NGX_HTTP_CONFLICT_RELAY, 0);
            return NGX_OK;
        }

        latest->valid = 1;
        ctx->state = NGX_HTTP_CONFLICT_ST_LATEST;
        return NGX_OK;
    }

    if (!latest->revalidate) {
        latest->valid = 1;
        ctx->state = NGX_HTTP_CONFLICT_ST_LATEST;
        return NGX_OK;
    }

    if (latest->status != NGX_HTTP_OK && latest->status != NGX_HTTP_NO_CONTENT
        && !ngx_http_conflict_gone(latest->status))
    {
        ngx_http_conflict_unchecked(ctx, NGX_HTTP_CONFLICT_UNAVAILABLE,
                                    ctx->conf->store_error);
        return NGX_OK;
    }

    if (ngx_http_conflict_latest_seen(ctx) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "the answer to a GET of \"%V\" does not carry the "
                      "version that \"conflict_version\" says", &ctx->key);
        ngx_http_conflict_unchecked(ctx, NGX_HTTP_CONFLICT_UNAVAILABLE,
                                    ctx->conf->store_error);
        return NGX_OK;
    }

    ctx->op->seen.latest = 1;
    ctx->state = NGX_HTTP_CONFLICT_ST_OBSERVE;

    return NGX_OK;
}


/* a verdict that needs the latest body; it is here, or fetched now */

ngx_int_t
ngx_http_conflict_found(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_latest_t  *latest;

    op = ctx->op;
    latest = &ctx->latest;

    if (!(latest->valid && latest->version == op->version)
        && !(ctx->conf->latest == NGX_HTTP_CONFLICT_LATEST_OFF
             && op->verdict == CONFLICT_REFUSE))
    {
        /* the version was read before the GET: it is not newer */
        latest->version = op->version;
        latest->started = 0;
        latest->revalidate = 0;
        ctx->state = NGX_HTTP_CONFLICT_ST_FETCH;
        return NGX_OK;
    }

    if (latest->valid && ngx_http_conflict_forbidden(latest->status)) {
        /* who may not GET it sees the upstream's answer to that */
        ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_RELAY,
                                 NGX_HTTP_CONFLICT_REJECTED,
                                 ngx_http_conflict_actions[op->policy]);
        return NGX_OK;
    }

    if (op->verdict == CONFLICT_PASS) {
        ctx->state = NGX_HTTP_CONFLICT_ST_COMBINE;
        return NGX_OK;
    }

    if (op->verdict == CONFLICT_VERIFY) {

        if (ngx_http_conflict_reflected(ctx)) {
            op->verdict = CONFLICT_REPLAY;

        } else if (op->policy <= CONFLICT_CLIENT_WINS) {
            /* not what this write wanted: it takes its turn again */
            op->fingerprint = 0;
            ctx->state = NGX_HTTP_CONFLICT_ST_BEGIN;
            return NGX_OK;

        } else {
            op->verdict = (op->policy == CONFLICT_SERVER_WINS)
                          ? CONFLICT_DROP : CONFLICT_REFUSE;
        }
    }

    if (op->verdict == CONFLICT_REPLAY) {
        ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_LATEST,
                                 NGX_HTTP_CONFLICT_REPLAYED,
                                 NGX_HTTP_CONFLICT_NO_ACTION);
        return NGX_OK;
    }

    if (op->existence == CONFLICT_DELETED
        || (latest->valid && ngx_http_conflict_gone(latest->status)))
    {
        ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_STALE,
                                 NGX_HTTP_CONFLICT_REJECTED,
                                 NGX_HTTP_CONFLICT_ACT_DELETED);
        return NGX_OK;
    }

    if (op->verdict == CONFLICT_COMBINE) {
        ctx->state = NGX_HTTP_CONFLICT_ST_COMBINE;
        return NGX_OK;
    }

    if (op->verdict == CONFLICT_DROP && latest->status == NGX_HTTP_OK
        && !latest->too_large)
    {
        ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_LATEST,
                                 NGX_HTTP_CONFLICT_DROPPED,
                                 NGX_HTTP_CONFLICT_ACT_SERVER_WINS);
        return NGX_OK;
    }

    ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_STALE,
                             NGX_HTTP_CONFLICT_REJECTED,
                             ngx_http_conflict_actions[op->policy]);

    return NGX_OK;
}


/*
 * The outcome of the write that this one repeats was never seen.  It is
 * called done only where the latest body has all that it wanted.
 */

static ngx_uint_t
ngx_http_conflict_reflected(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      text, row;
    ngx_http_request_t            *r;
    ngx_http_conflict_latest_t    *latest;

    r = ctx->request;
    latest = &ctx->latest;

    if (ctx->method == NGX_HTTP_DELETE) {
        return ngx_http_conflict_gone(latest->status);
    }

    if (latest->status != NGX_HTTP_OK || !latest->json || latest->too_large
        || ctx->body.json == NULL
        || ngx_http_conflict_body_text(r, ctx->conf->max_body, &text)
           != NGX_OK)
    {
        return 0;
    }

    ngx_http_conflict_latest_row(ctx, &row);

    return ngx_http_conflict_row_reflects(ctx->conf, &row, &text,
                                          CONFLICT_REFLECTS_VALUES);
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
        op->pre.kinds = 0;
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


static ngx_uint_t
ngx_http_conflict_gone(ngx_uint_t status)
{
    return status == NGX_HTTP_NOT_FOUND || status == 410;
}


/* a refusal of the GET that the caller must see instead of the body */

static ngx_uint_t
ngx_http_conflict_forbidden(ngx_uint_t status)
{
    return status >= 400 && status < 500 && !ngx_http_conflict_gone(status);
}
