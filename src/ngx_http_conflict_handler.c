
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The path of a request, from top to bottom: the table of its states, the
 * handler that nginx calls, the loop that runs the states, the states of a
 * write that are not in other files, and the end of the request.
 */


#include "ngx_http_conflict_module.h"
#include "versions/ngx_http_conflict_versions.h"
#include "inbox/ngx_http_conflict_inbox.h"
#include "idempotency/ngx_http_conflict_idempotency.h"
#include "lock/ngx_http_conflict_lock.h"
#include "events/ngx_http_conflict_events.h"
#include "list/ngx_http_conflict_list.h"
#include "resolver/ngx_http_conflict_resolver.h"
#include "answer/ngx_http_conflict_answer.h"
#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "hold/ngx_http_conflict_hold.h"
#include "audit/ngx_http_conflict_audit.h"
#include "latest/ngx_http_conflict_latest.h"
#include "status/ngx_http_conflict_status.h"
#include "process/ngx_http_conflict_failpoint.h"


typedef struct {
    const char                    *name;
    ngx_http_conflict_state_e    (*handler)(ngx_http_conflict_ctx_t *ctx);
} ngx_http_conflict_step_t;


static ngx_uint_t ngx_http_conflict_handler_unsent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_handler_subrequest(ngx_http_request_t *r);
static ngx_http_conflict_ctx_t *ngx_http_conflict_handler_create_ctx(
    ngx_http_request_t *r, ngx_http_conflict_loc_conf_t *nlcf,
    ngx_http_conflict_kind_e kind, ngx_http_conflict_ctx_t *previous);
static ngx_int_t ngx_http_conflict_handler_enter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_loc_conf_t *nlcf,
    ngx_http_conflict_kind_e kind);
static ngx_int_t ngx_http_conflict_handler_resolve(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_handler_unguarded(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_handler_run(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_handler_parse_headers(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_handler_receive_body(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_handler_check_request(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_handler_begin(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_handler_observe(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_handler_forward(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_handler_cleanup(ngx_http_conflict_ctx_t *ctx);


/* in the order in which a request may enter them; each returns the next one */

static const ngx_http_conflict_step_t  ngx_http_conflict_steps[] = {

    /* a write */

    [NGX_HTTP_CONFLICT_STATE_PARSE_HEADERS] =
        { "parse headers", ngx_http_conflict_handler_parse_headers },
    [NGX_HTTP_CONFLICT_STATE_RECEIVE_BODY] =
        { "receive body", ngx_http_conflict_handler_receive_body },
    [NGX_HTTP_CONFLICT_STATE_CHECK_REQUEST] =
        { "check request", ngx_http_conflict_handler_check_request },
    [NGX_HTTP_CONFLICT_STATE_STORE_BEGIN] =
        { "store begin", ngx_http_conflict_handler_begin },
    [NGX_HTTP_CONFLICT_STATE_STORE_VERDICT] =
        { "store verdict", ngx_http_conflict_verdict },
    [NGX_HTTP_CONFLICT_STATE_WAIT_FOR_WRITE] =
        { "wait for write", ngx_http_conflict_write_wait },
    [NGX_HTTP_CONFLICT_STATE_GET_LATEST] =
        { "get latest", ngx_http_conflict_latest_verdict_get },
    [NGX_HTTP_CONFLICT_STATE_STORE_OBSERVE] =
        { "store observe", ngx_http_conflict_handler_observe },
    [NGX_HTTP_CONFLICT_STATE_LATEST_VERDICT] =
        { "latest verdict", ngx_http_conflict_latest_verdict },
    [NGX_HTTP_CONFLICT_STATE_HISTORY_LOOKUP] =
        { "history lookup", ngx_http_conflict_merge_write_lookup },
    [NGX_HTTP_CONFLICT_STATE_MERGE_WRITE] =
        { "merge write", ngx_http_conflict_merge_write },
    [NGX_HTTP_CONFLICT_STATE_RESOLVER_ASK] =
        { "resolver ask", ngx_http_conflict_resolver_ask },
    [NGX_HTTP_CONFLICT_STATE_RESOLVER_CLIENT] =
        { "resolver client", ngx_http_conflict_resolver_ask_client },
    [NGX_HTTP_CONFLICT_STATE_RESOLVER_QUESTION] =
        { "resolver question", ngx_http_conflict_resolver_ask_question },
    [NGX_HTTP_CONFLICT_STATE_RESOLVER_ANSWER] =
        { "resolver answer", ngx_http_conflict_resolver_answer },
    [NGX_HTTP_CONFLICT_STATE_RESOLVER_CHECK] =
        { "resolver check", ngx_http_conflict_resolver_answer_check },
    [NGX_HTTP_CONFLICT_STATE_RESOLVER_COMPARE] =
        { "resolver compare", ngx_http_conflict_resolver_answer_compare },
    [NGX_HTTP_CONFLICT_STATE_RESOLVER_FORWARD] =
        { "resolver forward", ngx_http_conflict_resolver_answer_forward },
    [NGX_HTTP_CONFLICT_STATE_FORWARD] =
        { "forward", ngx_http_conflict_handler_forward },
    [NGX_HTTP_CONFLICT_STATE_REDIRECTED] =
        { "redirected", ngx_http_conflict_idempotency_redirected },

    [NGX_HTTP_CONFLICT_STATE_HOLD_PUT] =
        { "hold: put", ngx_http_conflict_hold_put },
    [NGX_HTTP_CONFLICT_STATE_HOLD_DONE] =
        { "hold: done", ngx_http_conflict_hold_done },

    /* a read */

    [NGX_HTTP_CONFLICT_STATE_READ_START] =
        { "read: start", ngx_http_conflict_read_start },
    [NGX_HTTP_CONFLICT_STATE_READ_STORE_PEEK] =
        { "read: store peek", ngx_http_conflict_read_peek },
    [NGX_HTTP_CONFLICT_STATE_READ_GET_LATEST] =
        { "read: get latest", ngx_http_conflict_read_get_latest },
    [NGX_HTTP_CONFLICT_STATE_READ_STORE_OBSERVE] =
        { "read: store observe", ngx_http_conflict_read_observe },
    [NGX_HTTP_CONFLICT_STATE_READ_LIST_MARK] =
        { "read: list mark", ngx_http_conflict_list_mark },
    [NGX_HTTP_CONFLICT_STATE_READ_LIST_MARKED] =
        { "read: list marked", ngx_http_conflict_list_marked },
    [NGX_HTTP_CONFLICT_STATE_READ_FORWARD] =
        { "read: forward", ngx_http_conflict_read_forward },

    /* a request to a lock endpoint */

    [NGX_HTTP_CONFLICT_STATE_LOCK_START] =
        { "lock: start", ngx_http_conflict_lock_endpoint_start },
    [NGX_HTTP_CONFLICT_STATE_LOCK_TARGET] =
        { "lock: target", ngx_http_conflict_lock_endpoint_target },
    [NGX_HTTP_CONFLICT_STATE_LOCK_GET_LATEST] =
        { "lock: get latest", ngx_http_conflict_lock_endpoint_get },
    [NGX_HTTP_CONFLICT_STATE_LOCK_STORE_PEEK] =
        { "lock: store peek", ngx_http_conflict_lock_endpoint_peek },
    [NGX_HTTP_CONFLICT_STATE_LOCK_STORE_CALL] =
        { "lock: store call", ngx_http_conflict_lock_endpoint_call },

    /* a request for versions */

    [NGX_HTTP_CONFLICT_STATE_VERSIONS_START] =
        { "versions: start", ngx_http_conflict_versions_endpoint_start },
    [NGX_HTTP_CONFLICT_STATE_VERSIONS_GET_LATEST] =
        { "versions: get latest", ngx_http_conflict_versions_endpoint_get },
    [NGX_HTTP_CONFLICT_STATE_VERSIONS_STORE_PEEK] =
        { "versions: store peek", ngx_http_conflict_versions_endpoint_peek },
    [NGX_HTTP_CONFLICT_STATE_VERSIONS_STORE_CALL] =
        { "versions: store call", ngx_http_conflict_versions_endpoint_call },

    /* a change stream */

    [NGX_HTTP_CONFLICT_STATE_EVENTS_START] =
        { "events: start", ngx_http_conflict_events_endpoint_start },
    [NGX_HTTP_CONFLICT_STATE_EVENTS_TARGET] =
        { "events: target", ngx_http_conflict_events_endpoint_target },
    [NGX_HTTP_CONFLICT_STATE_EVENTS_GET_LATEST] =
        { "events: get latest", ngx_http_conflict_events_endpoint_get },

    /* a request to an inbox */

    [NGX_HTTP_CONFLICT_STATE_INBOX_START] =
        { "inbox: start", ngx_http_conflict_inbox_endpoint_start },
    [NGX_HTTP_CONFLICT_STATE_INBOX_RECEIVE_BODY] =
        { "inbox: receive body", ngx_http_conflict_inbox_endpoint_receive },
    [NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALL] =
        { "inbox: store call", ngx_http_conflict_inbox_endpoint_call },
    [NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALLED] =
        { "inbox: store called", ngx_http_conflict_inbox_endpoint_called },
    [NGX_HTTP_CONFLICT_STATE_INBOX_STORE_PEEK] =
        { "inbox: store peek", ngx_http_conflict_inbox_show_peek },
    [NGX_HTTP_CONFLICT_STATE_INBOX_STORE_PEEKED] =
        { "inbox: store peeked", ngx_http_conflict_inbox_show_peeked },
    [NGX_HTTP_CONFLICT_STATE_INBOX_GET_LATEST] =
        { "inbox: get latest", ngx_http_conflict_inbox_show_get },
    [NGX_HTTP_CONFLICT_STATE_INBOX_RESOLVE] =
        { "inbox: resolve", ngx_http_conflict_inbox_resolve },

    /* a request with an Idempotency-Key */

    [NGX_HTTP_CONFLICT_STATE_KEY_START] =
        { "key: start", ngx_http_conflict_idempotency_start },
    [NGX_HTTP_CONFLICT_STATE_KEY_RECEIVE_BODY] =
        { "key: receive body", ngx_http_conflict_idempotency_body },
    [NGX_HTTP_CONFLICT_STATE_KEY_STORE_CLAIM] =
        { "key: store claim", ngx_http_conflict_idempotency_claim },
    [NGX_HTTP_CONFLICT_STATE_KEY_STORE_CLAIMED] =
        { "key: store claimed", ngx_http_conflict_idempotency_claimed },

    /* the last one: the loop ends and nginx continues */

    [NGX_HTTP_CONFLICT_STATE_FORWARDED] = { "forwarded", NULL },
    [NGX_HTTP_CONFLICT_STATE_RESPOND] = { "respond", NULL }
};


/*
 * In the PRECONTENT phase: when a request enters it, when it is resumed, and
 * after an internal redirect.
 */

ngx_int_t
ngx_http_conflict_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_http_conflict_ctx_t       *ctx, *previous;
    ngx_http_conflict_kind_e       kind;
    ngx_http_conflict_loc_conf_t  *nlcf;

    if (r != r->main) {
        return ngx_http_conflict_handler_subrequest(r);
    }

    if (r->post_action) {
        ctx = ngx_http_conflict_ctx(r);

        if (ctx) {
            /* it gets the header and body as the client has sent them */
            ngx_http_conflict_handler_cleanup(ctx);
            ngx_http_conflict_body_edit_restore(r, ctx);
        }

        return ngx_http_conflict_unseen(r);
    }

    ngx_http_conflict_denied_passed(r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    if (ctx == NULL) {
        ctx = ngx_http_conflict_ctx(r);

        if (ctx && (ctx->write || ctx->idempotency)
            && ngx_http_conflict_handler_unsent(r, ctx)
            && ctx->flow.state != NGX_HTTP_CONFLICT_STATE_INBOX_RESOLVE)
        {
            /* an error page of a request that was not sent */
            ctx->flow.error_page = 1;
            ctx->pass.forwarded = 0;
        }
    }

    if (ctx && ctx->flow.error_page) {
        return ngx_http_conflict_leave_unsent(r, ctx);
    }

    if (ctx && ctx->target.key.len == 0) {
        return NGX_DECLINED;
    }

    if ((ctx == NULL && ngx_http_conflict_denied_before(r) != NGX_OK)
        || ngx_http_conflict_leave(r, &ctx, &previous) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx == NULL) {
        nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);
        kind = ngx_http_conflict_method_kind(r, nlcf);

        if (kind == NGX_HTTP_CONFLICT_KIND_NONE) {
            return ngx_http_conflict_unseen_destination(r);
        }

        ctx = ngx_http_conflict_handler_create_ctx(r, nlcf, kind,
                                                   previous);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ctx->target.key.len == 0) {
            /* a read: as in limit_req, an empty key is not accounted */
            return ngx_http_conflict_conf_endpoint(nlcf) ? NGX_HTTP_NOT_FOUND
                                                         : NGX_DECLINED;
        }

        ngx_http_conflict_failpoint_arm(r);

    } else if (ctx->flow.state == NGX_HTTP_CONFLICT_STATE_INBOX_RESOLVE) {
        rc = ngx_http_conflict_handler_resolve(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->kind >= NGX_HTTP_CONFLICT_KIND_POST) {
        rc = ngx_http_conflict_method_unchecked(r, ctx);

        if (rc != NGX_DECLINED || ctx->idempotency == NULL) {
            return rc;
        }
    }

    return ngx_http_conflict_handler_run(r, ctx);
}


/* 1 if no upstream has got any of it, for want of a lease or of its body */

static ngx_uint_t
ngx_http_conflict_handler_unsent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  sent, status;

    if (!ctx->pass.forwarded) {
        return 1;
    }

    if (!ngx_http_conflict_request_body_unread(r)) {
        return 0;
    }

    (void) ngx_http_conflict_upstream_attempts(r, ctx->pass.first_attempt,
                                               &sent, &status);
    return sent == 0;
}


/* one of the module, or of another one that sends a request on */

static ngx_int_t
ngx_http_conflict_handler_subrequest(ngx_http_request_t *r)
{
    if (ngx_http_conflict_events_endpoint_reached(r) != NGX_OK
        || ngx_http_conflict_delegate(r) != NGX_OK
        || (!ngx_http_conflict_resolver_call_reached(r)
            && ngx_http_conflict_unseen(r) != NGX_DECLINED))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_conflict_latest_get_access(r);
}


static ngx_http_conflict_ctx_t *
ngx_http_conflict_handler_create_ctx(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_http_conflict_kind_e kind,
    ngx_http_conflict_ctx_t *previous)
{
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_conflict_ctx_create(r, ngx_http_conflict_handler_cleanup);
    if (ctx == NULL) {
        return NULL;
    }

    if (ngx_http_conflict_handler_enter(r, ctx, nlcf, kind) != NGX_OK
        || ngx_http_conflict_idempotency_create(r, ctx, previous) != NGX_OK)
    {
        return NULL;
    }

    if (ctx->idempotency && previous == NULL) {
        ctx->flow.state = NGX_HTTP_CONFLICT_STATE_KEY_START;
    }

    return (ngx_http_conflict_method_keyless(r, ctx) == NGX_OK) ? ctx : NULL;
}


/* sets what the context has from the beginning */

static ngx_int_t
ngx_http_conflict_handler_enter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_loc_conf_t *nlcf,
    ngx_http_conflict_kind_e kind)
{
    ctx->conf = nlcf;
    ctx->pre.client_time = CONFLICT_TIME_NONE;
    ctx->version.compared_time = CONFLICT_TIME_NONE;
    ctx->kind = kind;
    ctx->write = (kind == NGX_HTTP_CONFLICT_KIND_WRITE);
    ctx->method = r->method;
    ctx->method_name = r->method_name;

    ctx->flow.content = ngx_http_conflict_answer_handler;
    ctx->flow.state = nlcf->lock ? NGX_HTTP_CONFLICT_STATE_LOCK_START
                      : nlcf->versions ? NGX_HTTP_CONFLICT_STATE_VERSIONS_START
                      : nlcf->events ? NGX_HTTP_CONFLICT_STATE_EVENTS_START
                      : nlcf->inbox ? NGX_HTTP_CONFLICT_STATE_INBOX_START
                      : ctx->write ? NGX_HTTP_CONFLICT_STATE_PARSE_HEADERS
                      : NGX_HTTP_CONFLICT_STATE_READ_START;

    if (nlcf->inbox) {
        /* the resource is that of an item */
        ctx->target.resource = r->uri;
        ctx->target.key = r->uri;
        return NGX_OK;
    }

    /* evaluated once, so that one resource is checked, fetched and logged */

    return ngx_http_conflict_key(r, nlcf, &ctx->target.resource,
                                 &ctx->target.key);
}


/*
 * A POST to an inbox has become the write of an item, and is now in the
 * location of that.  The write must be guarded.
 */

static ngx_int_t
ngx_http_conflict_handler_resolve(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_kind_e       kind;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);
    kind = ngx_http_conflict_method_kind(r, nlcf);

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        /* the page of an error before this phase */
        return NGX_DECLINED;
    }

    if (kind == NGX_HTTP_CONFLICT_KIND_WRITE && !nlcf->lock && !nlcf->inbox
        && nlcf->store == ctx->conf->store)
    {
        if (ngx_http_conflict_handler_enter(r, ctx, nlcf, kind) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ctx->target.key.len) {
            return NGX_OK;
        }

        /* it is not the write of a resource yet */

        ctx->flow.state = NGX_HTTP_CONFLICT_STATE_INBOX_RESOLVE;
        ctx->target.resource = r->uri;
        ctx->target.key = r->uri;
    }

    if (!ngx_http_conflict_location_try_files(r)) {
        /* not even mirrored */
        return ngx_http_conflict_handler_unguarded(r);
    }

    /* it may lead on to a location that is guarded */

    r->content_handler = ngx_http_conflict_handler_unguarded;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_conflict_handler_unguarded(ngx_http_request_t *r)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "conflict inbox: a held body was not written, its target %s: "
                  "\"%V\"",
                  ngx_http_conflict_denied(r)
                  ? "is denied" : "is not guarded in this store any more",
                  ngx_http_conflict_evaluate_escaped(r, &r->uri));

    return NGX_HTTP_NOT_FOUND;
}


static ngx_int_t
ngx_http_conflict_handler_run(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e        next;
    const ngx_http_conflict_step_t  *step;

    if (ctx->pass.forwarded) {
        /* after an internal redirect */
        ctx->flow.state = (ctx->write || ctx->idempotency)
                          ? NGX_HTTP_CONFLICT_STATE_REDIRECTED
                          : NGX_HTTP_CONFLICT_STATE_FORWARDED;
    }

    for ( ;; ) {

        step = &ngx_http_conflict_steps[ctx->flow.state];

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "conflict state: %s", step->name);

        if (ctx->flow.state == NGX_HTTP_CONFLICT_STATE_FORWARDED) {
            return ngx_http_conflict_open_files_bypass(r);
        }

        if (ctx->flow.state == NGX_HTTP_CONFLICT_STATE_RESPOND) {
            /* NGX_OK: the content phase, without mirror and try_files */
            r->content_handler = ctx->flow.content;
            return NGX_OK;
        }

        next = step->handler(ctx);

        switch (next) {

        case NGX_HTTP_CONFLICT_STATE_AGAIN:
            return NGX_AGAIN;

        case NGX_HTTP_CONFLICT_STATE_ERROR:
            return ctx->flow.error_status ? (ngx_int_t) ctx->flow.error_status
                                          : NGX_HTTP_INTERNAL_SERVER_ERROR;

        default:
            ctx->flow.state = next;
        }
    }
}


static ngx_http_conflict_state_e
ngx_http_conflict_handler_parse_headers(ngx_http_conflict_ctx_t *ctx)
{
    switch (ngx_http_conflict_precondition_headers(ctx->request, ctx)) {

    case NGX_OK:
        return NGX_HTTP_CONFLICT_STATE_RECEIVE_BODY;

    case NGX_DECLINED:
        return ngx_http_conflict_respond_unchecked(ctx, ctx->flow.answer, 0,
                                         NGX_HTTP_CONFLICT_STATE_RECEIVE_BODY);

    default: /* NGX_ERROR */
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }
}


static ngx_http_conflict_state_e
ngx_http_conflict_handler_receive_body(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_conflict_request_body_read(ctx->request, ctx);

    switch (rc) {

    case NGX_OK:
        return NGX_HTTP_CONFLICT_STATE_CHECK_REQUEST;

    case NGX_DECLINED:
        return ngx_http_conflict_respond_unchecked(ctx, ctx->flow.answer, 0,
                                        NGX_HTTP_CONFLICT_STATE_CHECK_REQUEST);

    case NGX_DONE:
        return NGX_HTTP_CONFLICT_STATE_AGAIN;

    default: /* a status */
        ctx->flow.error_status = rc;
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }
}


/* the header and the body have been read */

static ngx_http_conflict_state_e
ngx_http_conflict_handler_check_request(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    rc = ngx_http_conflict_precondition_body(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_conflict_mergeable(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_conflict_pair(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_conflict_dav_if_end(ctx);
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_conflict_respond_unchecked(ctx, ctx->flow.answer, 0,
                                          NGX_HTTP_CONFLICT_STATE_STORE_BEGIN);
    }

    if (ctx->op->in.pre.kinds
        || ctx->flow.outcome != NGX_HTTP_CONFLICT_OUTCOME_NONE)
    {
        return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    return ngx_http_conflict_precondition_absent(ctx);
}


static ngx_http_conflict_state_e
ngx_http_conflict_handler_begin(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->idempotency && !ctx->idempotency->asked) {
        /* in report mode a body may be too large to be scanned */
        return ctx->body.done ? NGX_HTTP_CONFLICT_STATE_KEY_STORE_CLAIM
                              : NGX_HTTP_CONFLICT_STATE_KEY_RECEIVE_BODY;
    }

    if (ngx_http_conflict_write_queue_behind(ctx)) {
        return NGX_HTTP_CONFLICT_STATE_WAIT_FOR_WRITE;
    }

    return NGX_HTTP_CONFLICT_STATE_STORE_VERDICT;
}


/*
 * If the observation was not applied, the resource has changed meanwhile: the
 * body may be older than the version that begin returns, and is not used.
 */

static ngx_http_conflict_state_e
ngx_http_conflict_handler_observe(ngx_http_conflict_ctx_t *ctx)
{
    if (ngx_http_conflict_store_call(ctx, ctx->op->store->ops->observe)
        == NGX_AGAIN)
    {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    if (ctx->op->out.external) {
        ngx_http_conflict_audit_own_get(ctx);
        ngx_http_conflict_body_history_external(ctx->op);
    }

    ctx->op->in.just_observed = ctx->op->out.applied;
    ctx->latest.valid = ctx->op->out.applied;
    ctx->latest.version = ctx->op->out.version;

    return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
}


static ngx_http_conflict_state_e
ngx_http_conflict_handler_forward(ngx_http_conflict_ctx_t *ctx)
{
    if (ngx_http_conflict_pair_next(ctx)) {
        return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
    }

    return ngx_http_conflict_pass(ctx);
}


/* called at the end of the request, and before a post_action as well */

static void
ngx_http_conflict_handler_cleanup(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->timing.timer.timer_set) {
        ngx_del_timer(&ctx->timing.timer);
    }

    if (ctx->timing.timer.posted) {
        ngx_delete_posted_event(&ctx->timing.timer);
    }

    ngx_http_conflict_events_stream_closed(ctx);
    ngx_http_conflict_write_queue_leave(ctx);
    ngx_http_conflict_held_response_end(ctx);
    ngx_http_conflict_diff_end(ctx);
    ngx_http_conflict_list_end(ctx);
    ngx_http_conflict_resolver_call_end(ctx);
    ngx_http_conflict_resolver_pause_end(ctx);

    if (ctx->latest.started && !ctx->latest.done) {
        /* before the access log is written */
        ngx_http_conflict_latest_get_restore(ctx);
    }

    ngx_http_conflict_hold_end(ctx);

    if (ctx->inbox) {
        ngx_http_conflict_inbox_endpoint_end(ctx);
    }

    ngx_http_conflict_idempotency_end(ctx);

    if (ctx->target.key.len && ctx->kind >= NGX_HTTP_CONFLICT_KIND_POST) {
        ngx_http_conflict_method_end(ctx, 0);

    } else if (ctx->op) {
        ngx_http_conflict_body_history_observe_cut(ctx);
        ngx_http_conflict_outcome_end(ctx);
    }

    if (ctx->op || ctx->flow.unguarded) {
        ngx_http_conflict_request_stats(ctx);
        ctx->flow.unguarded = 0;
    }

    if (ctx->op) {
        ngx_http_conflict_pair_end(ctx);
        ngx_http_conflict_op_release(ctx->op);
        ctx->op = NULL;
    }

    ctx->flow.ended = 1;
}
