
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The lock endpoint: may the caller see the resource, then the store.  It
 * answers by _lock_answer.c.
 */


#include "ngx_http_conflict_module.h"


typedef enum {
    NGX_HTTP_CONFLICT_LOCK_START = 0,
    NGX_HTTP_CONFLICT_LOCK_FETCH,
    NGX_HTTP_CONFLICT_LOCK_FETCHED,
    NGX_HTTP_CONFLICT_LOCK_PEEK,
    NGX_HTTP_CONFLICT_LOCK_PEEKED,
    NGX_HTTP_CONFLICT_LOCK_CALL,
    NGX_HTTP_CONFLICT_LOCK_CALLED,
    NGX_HTTP_CONFLICT_LOCK_ANSWER
} ngx_http_conflict_lock_st_e;


static ngx_int_t ngx_http_conflict_lock_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_lock_target(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_lock_fetch(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_lock_fetched(ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_lock_store(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call, ngx_uint_t next);
static ngx_int_t ngx_http_conflict_lock_stored(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t next);
static void ngx_http_conflict_lock_result(ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_lock_error(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_error_e error, const char *reason);


static ngx_str_t  ngx_http_conflict_lock_token = ngx_string("lock-token");


void
ngx_http_conflict_lock_caller(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    size_t                     i;
    ngx_int_t                  high, low;
    ngx_str_t                 *value;
    ngx_http_conflict_lock_t  *lock;

    lock = &ctx->op->lock;

    lock->user = ctx->user;
    lock->client = ctx->client;

    value = ngx_http_conflict_header(&r->headers_in.headers,
                                     &ngx_http_conflict_lock_token, NULL);

    if (value == NULL || value->len != 2 * NGX_HTTP_CONFLICT_LOCK_TOKEN) {
        return;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_LOCK_TOKEN; i++) {
        high = ngx_hextoi(&value->data[2 * i], 1);
        low = ngx_hextoi(&value->data[2 * i + 1], 1);

        if (high == NGX_ERROR || low == NGX_ERROR) {
            return;
        }

        lock->token[i] = (u_char) (high << 4 | low);
    }

    lock->given = 1;
}


ngx_int_t
ngx_http_conflict_lock(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                             rc;
    const ngx_http_conflict_store_ops_t  *ops;

    ops = ctx->conf->store->ops;

    do {

        switch (ctx->lock_step) {

        case NGX_HTTP_CONFLICT_LOCK_START:
            rc = ngx_http_conflict_lock_start(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_LOCK_FETCH:
            rc = ngx_http_conflict_lock_fetch(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_LOCK_FETCHED:
            rc = ngx_http_conflict_lock_fetched(ctx);
            break;

        case NGX_HTTP_CONFLICT_LOCK_PEEK:
            /* a resource without a version gets one, where we mint them */
            rc = ngx_http_conflict_lock_store(ctx, ops->peek,
                                              NGX_HTTP_CONFLICT_LOCK_PEEKED);
            break;

        case NGX_HTTP_CONFLICT_LOCK_PEEKED:
            rc = ngx_http_conflict_lock_stored(ctx,
                                               NGX_HTTP_CONFLICT_LOCK_CALL);
            break;

        case NGX_HTTP_CONFLICT_LOCK_CALL:
            rc = ngx_http_conflict_lock_store(ctx, ops->lock,
                                              NGX_HTTP_CONFLICT_LOCK_CALLED);
            break;

        case NGX_HTTP_CONFLICT_LOCK_CALLED:
            rc = ngx_http_conflict_lock_stored(ctx,
                                               NGX_HTTP_CONFLICT_LOCK_ANSWER);

            if (rc == NGX_OK && ctx->error == NGX_HTTP_CONFLICT_OK) {
                ngx_http_conflict_lock_result(ctx);
            }

            break;

        default: /* NGX_HTTP_CONFLICT_LOCK_ANSWER */
            /* whatever else the location has */
            r->content_handler = ngx_http_conflict_lock_answer;
            return NGX_OK;
        }

    } while (rc == NGX_OK);

    return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


static ngx_int_t
ngx_http_conflict_lock_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      force;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_lock_t      *lock;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    /* the filters have nothing to do with it */
    ctx->answered = 1;

    op = ngx_http_conflict_op_create(r, nlcf->store, &ctx->key, 0);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ctx->op = op;

    /* a version of ours would make the upstream's own one stale */

    op->in.minted = (nlcf->version->place == NGX_HTTP_CONFLICT_DEFAULT
                     && !nlcf->store->owned);

    if (ngx_http_conflict_evaluate(r, nlcf->user, &ctx->user) != NGX_OK
        || ngx_http_conflict_evaluate(r, nlcf->client, &ctx->client) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_conflict_lock_caller(r, ctx);

    lock = &op->lock;
    lock->idle = nlcf->lock_idle;
    lock->quota = nlcf->lock_quota;

    switch (r->method) {

    case NGX_HTTP_GET:
    case NGX_HTTP_HEAD:
        lock->verb = NGX_HTTP_CONFLICT_LOCK_SHOW;
        break;

    case NGX_HTTP_POST:
        lock->verb = NGX_HTTP_CONFLICT_LOCK_ACQUIRE;

        if (ngx_http_conflict_random(lock->fresh, NGX_HTTP_CONFLICT_LOCK_TOKEN)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        break;

    case NGX_HTTP_DELETE:
        lock->verb = NGX_HTTP_CONFLICT_LOCK_RELEASE;

        lock->force = (nlcf->lock_force
                       && ngx_http_arg(r, (u_char *) "force", 5, &force)
                          == NGX_OK
                       && force.len == 1 && force.data[0] == '1');

        if (lock->given || lock->force || nlcf->lock_blind) {
            /* the page is being closed: nothing to show, and no time */
            ctx->lock_step = NGX_HTTP_CONFLICT_LOCK_CALL;
            return NGX_OK;
        }

        /* a name alone, which nobody but the upstream may have checked */
        break;

    case NGX_HTTP_OPTIONS:

        if (nlcf->lock_blind || !ngx_http_conflict_cors_asks(r)) {
            ctx->lock_step = NGX_HTTP_CONFLICT_LOCK_ANSWER;
            return NGX_OK;
        }

        break;

    default:
        ngx_http_conflict_lock_error(ctx, NGX_HTTP_CONFLICT_NOT_ALLOWED, NULL);
        return NGX_OK;
    }

    if (nlcf->lock_blind) {
        ctx->lock_step = NGX_HTTP_CONFLICT_LOCK_PEEK;
        return NGX_OK;
    }

    ctx->lock_step = NGX_HTTP_CONFLICT_LOCK_FETCH;

    return ngx_http_conflict_lock_target(r, ctx);
}


static ngx_int_t
ngx_http_conflict_lock_target(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->conf->lock_get == NULL) {
        ctx->target = ctx->resource;

    } else {

        if (ngx_http_conflict_evaluate(r, ctx->conf->lock_get, &ctx->target)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_split_args(r, &ctx->target, &ctx->target_args);
    }

    if (ctx->target.len == 0 || ctx->target.data[0] != '/') {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the resource to be locked is not a path: \"%V\", say "
                      "which one in \"conflict_lock get=PATH\", or \"get=off\"",
                      ngx_http_conflict_escaped(r, &ctx->target));

        ngx_http_conflict_lock_error(ctx, NGX_HTTP_CONFLICT_NO_TARGET,
                                     ctx->conf->lock_get
                                     ? "what conflict_lock get= makes of this "
                                       "request is not a path"
                                     : "its key is not a path, and "
                                       "conflict_lock has no get=");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_lock_fetch(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (!ctx->latest.started
        && ngx_http_conflict_latest_fetch(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ctx->latest.done) {
        return NGX_AGAIN;
    }

    /* whether the page may ask is all that a preflight wants to know */

    ctx->lock_step = (ctx->method & NGX_HTTP_OPTIONS)
                     ? NGX_HTTP_CONFLICT_LOCK_ANSWER
                     : NGX_HTTP_CONFLICT_LOCK_FETCHED;

    return NGX_OK;
}


/* who may not see the resource need not know who edits it */

static ngx_int_t
ngx_http_conflict_lock_fetched(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (latest->cached) {
        /* perhaps what somebody else was shown */
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    if ((latest->status >= 200 && latest->status < 300)
        || latest->status == NGX_HTTP_NOT_FOUND || latest->status == 410)
    {
        ctx->lock_step = NGX_HTTP_CONFLICT_LOCK_PEEK;
        return NGX_OK;
    }

    if (latest->status >= 400 && latest->status < 500) {
        ngx_http_conflict_lock_error(ctx, NGX_HTTP_CONFLICT_RELAY, NULL);
        return NGX_OK;
    }

    ngx_http_conflict_lock_error(ctx, NGX_HTTP_CONFLICT_UNAVAILABLE,
                                 "a GET of the resource fails");

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_lock_store(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call, ngx_uint_t next)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;
    op->done = ngx_http_conflict_op_done;

    ctx->lock_step = next;

    op->rc = call(op);

    return (op->rc == NGX_AGAIN) ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_conflict_lock_stored(ngx_http_conflict_ctx_t *ctx, ngx_uint_t next)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (op->busy) {
        return NGX_AGAIN;
    }

    ctx->lock_step = next;

    if (op->rc == NGX_OK) {
        return NGX_OK;
    }

    if (op->out.error == NGX_HTTP_CONFLICT_STORE_GENERATION) {
        ngx_http_conflict_lock_error(ctx, NGX_HTTP_CONFLICT_GENERATION, NULL);
        return NGX_OK;
    }

    if (op->out.error == NGX_HTTP_CONFLICT_STORE_FULL && op->out.log) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "conflict store \"%V\" has no room for another lock, "
                      "enlarge its zone", &op->store->name);
    }

    ngx_http_conflict_lock_error(ctx, NGX_HTTP_CONFLICT_UNAVAILABLE, NULL);

    return NGX_OK;
}


static void
ngx_http_conflict_lock_result(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (op->out.state == CONFLICT_FREE) {
        ctx->current = op->out.version;
        ctx->against = op->out.version;
    }

    switch (op->lock.result) {

    case NGX_HTTP_CONFLICT_LOCK_HELD:

        if (op->lock.verb == NGX_HTTP_CONFLICT_LOCK_SHOW) {
            return;
        }

        ctx->error = NGX_HTTP_CONFLICT_LOCK_HELD_BY;
        ctx->outcome = NGX_HTTP_CONFLICT_LOCKED;
        ctx->may_see = (op->lock.verb != NGX_HTTP_CONFLICT_LOCK_RELEASE
                        || ctx->conf->lock_blind);

        if (!ctx->may_see) {
            ctx->current = 0;
        }

        if (op->lock.verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE) {
            ctx->action = NGX_HTTP_CONFLICT_ACT_LOCKED;
        }

        return;

    case NGX_HTTP_CONFLICT_LOCK_TOO_MANY:
        ctx->error = NGX_HTTP_CONFLICT_TOO_MANY_LOCKS;
        return;

    case NGX_HTTP_CONFLICT_LOCK_TAKEN:
        ctx->action = NGX_HTTP_CONFLICT_ACT_LOCK_TAKEN;
        break;

    case NGX_HTTP_CONFLICT_LOCK_FORCED:
        ctx->action = NGX_HTTP_CONFLICT_ACT_LOCK_FORCED;
        return;

    default:
        break;
    }

    if (op->lock.verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE) {
        op->lock.remaining = op->lock.idle;
    }
}


static void
ngx_http_conflict_lock_error(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_error_e error, const char *reason)
{
    ctx->error = error;
    ctx->reason = reason;
    ctx->lock_step = NGX_HTTP_CONFLICT_LOCK_ANSWER;
}
