
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The states of a lock endpoint: an own GET, which checks that the client may
 * see the resource, then the call of the store.  The content handler in
 * ngx_http_conflict_lock_answer.c sends the result.
 */


#include "lock/ngx_http_conflict_lock.h"
#include "answer/ngx_http_conflict_endpoint.h"
#include "latest/ngx_http_conflict_latest.h"
#include "feed/ngx_http_conflict_feed.h"
#include "process/ngx_http_conflict_random.h"


/* msec: a client that waits asks again at least twice in the latter */
#define NGX_HTTP_CONFLICT_LOCK_NOTE     60000
#define NGX_HTTP_CONFLICT_LOCK_RESERVE  15000


static ngx_uint_t ngx_http_conflict_lock_endpoint_unproved(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_lock_endpoint_result(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_lock_endpoint_unguarded(
    ngx_http_conflict_ctx_t *ctx);


ngx_http_conflict_state_e
ngx_http_conflict_lock_endpoint_start(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                       force, handover;
    ngx_http_request_t             *r;
    ngx_http_conflict_lock_t       *lock;
    ngx_http_conflict_lock_conf_t  *conf;

    r = ctx->request;
    conf = ctx->conf->lock;

    ctx->flow.content = ngx_http_conflict_lock_answer;

    if (ngx_http_conflict_endpoint_start(ctx) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ngx_http_conflict_caller_token(r, ctx);

    ctx->caller.may_see = conf->blind;

    lock = &ctx->op->lock;
    lock->idle = conf->idle;
    lock->quota = conf->quota;

    switch (r->method) {

    case NGX_HTTP_GET:
    case NGX_HTTP_HEAD:
        lock->verb = NGX_HTTP_CONFLICT_LOCK_SHOW;
        break;

    case NGX_HTTP_POST:
        lock->verb = NGX_HTTP_CONFLICT_LOCK_ACQUIRE;
        lock->note = NGX_HTTP_CONFLICT_LOCK_NOTE;

        if (ngx_http_conflict_random(lock->fresh, NGX_HTTP_CONFLICT_LOCK_TOKEN)
            != NGX_OK)
        {
            return NGX_HTTP_CONFLICT_STATE_ERROR;
        }

        break;

    case NGX_HTTP_DELETE:
        lock->verb = NGX_HTTP_CONFLICT_LOCK_RELEASE;

        lock->force = (conf->force
                       && ngx_http_arg(r, (u_char *) "force", 5, &force)
                          == NGX_OK
                       && force.len == 1 && force.data[0] == '1');

        if (ngx_http_arg(r, (u_char *) "handover", 8, &handover) == NGX_OK
            && handover.len == 1 && handover.data[0] == '1')
        {
            lock->reserve = NGX_HTTP_CONFLICT_LOCK_RESERVE;
        }

        if (lock->given || lock->force || conf->blind) {
            /* a page that is being closed: respond at once, and show nothing */
            return NGX_HTTP_CONFLICT_STATE_LOCK_STORE_CALL;
        }

        /* without a token, only the upstream may have verified the user */
        break;

    case NGX_HTTP_OPTIONS:

        if (conf->blind || !ngx_http_conflict_preflight(r)) {
            return NGX_HTTP_CONFLICT_STATE_RESPOND;
        }

        break;

    default:
        return ngx_http_conflict_endpoint_error(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_NOT_ALLOWED,
                                        NULL);
    }

    return conf->blind ? NGX_HTTP_CONFLICT_STATE_LOCK_STORE_PEEK
                       : NGX_HTTP_CONFLICT_STATE_LOCK_TARGET;
}


ngx_http_conflict_state_e
ngx_http_conflict_lock_endpoint_target(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    rc = ngx_http_conflict_endpoint_target(ctx);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the resource to be locked is not a path: \"%V\", "
                      "specify it with \"conflict_lock get=PATH\", or "
                      "\"get=off\"",
                      ngx_http_conflict_evaluate_escaped(r, &ctx->get.uri));

        return ngx_http_conflict_endpoint_error(ctx,
                                     NGX_HTTP_CONFLICT_ANSWER_NO_TARGET,
                                     ctx->conf->get
                                     ? "the value of conflict_lock get= is not "
                                       "a path for this request"
                                     : "its key is not a path, and "
                                       "conflict_lock has no get=");
    }

    return NGX_HTTP_CONFLICT_STATE_LOCK_GET_LATEST;
}


/*
 * A client that may not see the resource must not learn its editor.  It may
 * lock what does not exist, or so the API says, but not learn a version, nor
 * who else has a lock or waits for it.
 */

ngx_http_conflict_state_e
ngx_http_conflict_lock_endpoint_get(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e  next;

    if (ngx_http_conflict_endpoint_get(ctx, &next)) {
        next = NGX_HTTP_CONFLICT_STATE_LOCK_STORE_PEEK;

    } else if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_RELAY
               && ngx_http_conflict_latest_response_gone(ctx->latest.status)
               && ctx->latest.reached)
    {
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_NONE;
        next = NGX_HTTP_CONFLICT_STATE_LOCK_STORE_CALL;

    } else {
        return next;
    }

    if (ctx->op->lock.verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE
        && ctx->conf->get == NULL && !ctx->latest.guarded)
    {
        return ngx_http_conflict_lock_endpoint_unguarded(ctx);
    }

    return next;
}


/*
 * No write would check the lock.  With "get=" the target need not be the
 * resource, and nothing is known about its location.
 */

static ngx_http_conflict_state_e
ngx_http_conflict_lock_endpoint_unguarded(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "the lock of \"%V\" would not be checked: no location with "
                  "\"conflict\" has this key in the store \"%V\"",
                  ngx_http_conflict_evaluate_escaped(r, &ctx->target.resource),
                  &ctx->op->store->name);

    ctx->caller.may_see = 0;

    return ngx_http_conflict_endpoint_error(ctx,
                                     NGX_HTTP_CONFLICT_ANSWER_NO_TARGET,
                                     "no guarded location has this resource "
                                     "under this key, so its writes would not "
                                     "check the lock");
}


/* gives a resource without a version a minted one, for the response */

ngx_http_conflict_state_e
ngx_http_conflict_lock_endpoint_peek(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e  next;

    return ngx_http_conflict_endpoint_call(ctx, ctx->op->store->ops->peek,
                                           &next)
           ? NGX_HTTP_CONFLICT_STATE_LOCK_STORE_CALL : next;
}


ngx_http_conflict_state_e
ngx_http_conflict_lock_endpoint_call(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e  next;

    if (!ngx_http_conflict_endpoint_call(ctx, ctx->op->store->ops->lock,
                                         &next))
    {
        return next;
    }

    if (ngx_http_conflict_lock_endpoint_unproved(ctx)) {
        return NGX_HTTP_CONFLICT_STATE_LOCK_TARGET;
    }

    ngx_http_conflict_feed_event_lock(ctx->op);
    ngx_http_conflict_lock_endpoint_result(ctx);

    return NGX_HTTP_CONFLICT_STATE_RESPOND;
}


/*
 * A token that is not that of the lock proves nothing: whether there is a lock
 * is told to those who may see the resource.
 */

static ngx_uint_t
ngx_http_conflict_lock_endpoint_unproved(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_lock_t  *lock;

    lock = &ctx->op->lock;

    return lock->verb == NGX_HTTP_CONFLICT_LOCK_RELEASE
           && (lock->result == NGX_HTTP_CONFLICT_LOCK_NONE
               || lock->result == NGX_HTTP_CONFLICT_LOCK_HELD)
           && !lock->force && !ctx->conf->lock->blind && !ctx->latest.started;
}


static void
ngx_http_conflict_lock_endpoint_result(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (op->out.state == CONFLICT_FREE) {
        ctx->version.current = ctx->caller.may_see ? op->out.version : 0;
        ctx->version.compared = op->out.version;
    }

    switch (op->lock.result) {

    case NGX_HTTP_CONFLICT_LOCK_HELD:

        if (op->lock.verb == NGX_HTTP_CONFLICT_LOCK_SHOW) {
            return;
        }

        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_LOCKED;
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_LOCKED;

        if (op->lock.verb == NGX_HTTP_CONFLICT_LOCK_RELEASE
            && !ctx->conf->lock->blind)
        {
            ctx->caller.may_see = 0;
            ctx->version.current = 0;
        }

        if (op->lock.verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE) {
            /* the caller has left a note */
            ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_LOCKED;

            ngx_http_conflict_feed_event_lock_asked(op);
        }

        return;

    case NGX_HTTP_CONFLICT_LOCK_FORCED:
        ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_LOCK_FORCED;
        return;

    case NGX_HTTP_CONFLICT_LOCK_RELEASED:
    case NGX_HTTP_CONFLICT_LOCK_HANDED:
        return;

    case NGX_HTTP_CONFLICT_LOCK_TOO_MANY:
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_TOO_MANY_LOCKS;
        return;

    case NGX_HTTP_CONFLICT_LOCK_TAKEN:
        ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_LOCK_TAKEN;
        break;

    default:
        break;
    }

    if (op->lock.verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE) {
        op->lock.remaining = op->lock.idle;
    }
}
