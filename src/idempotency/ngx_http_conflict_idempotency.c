
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The claim of a key: made before the request is sent, renewed while it is at
 * the upstream, and settled by its response.
 */


#include "idempotency/ngx_http_conflict_idempotency.h"
#include "process/ngx_http_conflict_random.h"


#define NGX_HTTP_CONFLICT_IDEMPOTENCY_LOG  10000    /* msec */

/* preconditions that are false once the write was carried out */

#define NGX_HTTP_CONFLICT_IDEMPOTENCY_BASES                                   \
    (CONFLICT_BASE|CONFLICT_CHAIN|CONFLICT_IF_MATCH|CONFLICT_IF_NONE_ANY)


static ngx_int_t ngx_http_conflict_idempotency_open(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_idempotency_next(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_idempotency_unavailable(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_idempotency_found(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_idempotency_unknown(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_idempotency_hold(ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_idempotency_refuse(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    ngx_http_conflict_outcome_e outcome);
static ngx_int_t ngx_http_conflict_idempotency_entry(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_op_t *op, u_char what);
static void ngx_http_conflict_idempotency_renew(ngx_event_t *ev);
static void ngx_http_conflict_idempotency_done(ngx_http_conflict_op_t *op);
static void ngx_http_conflict_idempotency_settled(ngx_http_conflict_op_t *op);
static void ngx_http_conflict_idempotency_log(ngx_http_conflict_op_t *op);
static ngx_uint_t ngx_http_conflict_idempotency_throttled(ngx_msec_t *logged);


static ngx_str_t  ngx_http_conflict_idempotency_id = ngx_string("0");


ngx_int_t
ngx_http_conflict_idempotency_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_ctx_t *previous)
{
    ngx_http_conflict_idempotency_t  *idem;

    if (previous) {
        idem = previous->idempotency;
        previous->idempotency = NULL;

        idem->timer.data = ctx;
        idem->earlier |= previous->lease.redirected;

        ctx->idempotency = idem;
        ctx->hold.key = previous->hold.key;

        return NGX_OK;
    }

    if (ngx_http_conflict_conf_endpoint(ctx->conf)
        || ctx->kind == NGX_HTTP_CONFLICT_KIND_READ
        || ctx->conf->idempotency == NGX_HTTP_CONFLICT_IDEMPOTENCY_OFF
        || ngx_http_conflict_denied(r))
    {
        return NGX_OK;
    }

    if (!ngx_http_conflict_idempotency_key_given(r)
        && (ctx->conf->idempotency != NGX_HTTP_CONFLICT_IDEMPOTENCY_REQUIRED
            || !(r->method & (NGX_HTTP_POST|NGX_HTTP_PATCH))))
    {
        return NGX_OK;
    }

    idem = ngx_pcalloc(r->pool, sizeof(ngx_http_conflict_idempotency_t));
    if (idem == NULL) {
        return NGX_ERROR;
    }

    conflict_hash_init(&idem->hash, 0);

    ctx->idempotency = idem;
    ctx->body.whole = &idem->hash;

    return NGX_OK;
}


ngx_http_conflict_state_e
ngx_http_conflict_idempotency_start(ngx_http_conflict_ctx_t *ctx)
{
    switch (ngx_http_conflict_idempotency_key(ctx->request, ctx)) {

    case NGX_OK:
        return ctx->write ? NGX_HTTP_CONFLICT_STATE_PARSE_HEADERS
                          : NGX_HTTP_CONFLICT_STATE_KEY_RECEIVE_BODY;

    case NGX_DECLINED:
        return ngx_http_conflict_idempotency_refuse(ctx, ctx->flow.answer,
                                          NGX_HTTP_CONFLICT_OUTCOME_REJECTED);

    default: /* NGX_ERROR */
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }
}


ngx_http_conflict_state_e
ngx_http_conflict_idempotency_body(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_conflict_request_body_whole(ctx->request, ctx);

    switch (rc) {

    case NGX_OK:
        return NGX_HTTP_CONFLICT_STATE_KEY_STORE_CLAIM;

    case NGX_DONE:
        return NGX_HTTP_CONFLICT_STATE_AGAIN;

    default: /* a status */
        ctx->flow.error_status = rc;
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }
}


ngx_http_conflict_state_e
ngx_http_conflict_idempotency_claim(ngx_http_conflict_ctx_t *ctx)
{
    uint64_t                          from;
    ngx_http_conflict_op_t           *op;
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    if (idem->op == NULL
        && ngx_http_conflict_idempotency_open(ctx->request, ctx) != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    op = idem->op;
    from = idem->earlier ? op->blob->out.found->token : 0;

    if (ngx_http_conflict_idempotency_entry(ctx, op,
                                       NGX_HTTP_CONFLICT_IDEMPOTENCY_RUNNING)
        != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    op->blob->in.verb = NGX_HTTP_CONFLICT_BLOB_CLAIM;
    op->blob->in.from = from;

    ctx->timing.store_start = ngx_current_msec;

    op->rc = op->store->ops->blob(op);

    return NGX_HTTP_CONFLICT_STATE_KEY_STORE_CLAIMED;
}


static ngx_int_t
ngx_http_conflict_idempotency_open(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    if (ngx_http_conflict_random((u_char *) &idem->token, sizeof(uint64_t))
        != NGX_OK
        || ngx_http_conflict_idempotency_key_scope(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* 0 is no token */
    idem->token |= 1;

    idem->op = ngx_http_conflict_blob_create(r, ctx->conf->store,
                                             &idem->partition);
    if (idem->op == NULL) {
        return NGX_ERROR;
    }

    idem->op->done = ngx_http_conflict_idempotency_done;
    idem->asked = 1;

    return NGX_OK;
}


ngx_http_conflict_state_e
ngx_http_conflict_idempotency_claimed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t           *op;
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;
    op = idem->op;

    if (op->busy) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    ctx->timing.store_time += ngx_current_msec - ctx->timing.store_start;

    if (op->rc != NGX_OK) {
        return ngx_http_conflict_idempotency_unavailable(ctx);
    }

    ngx_http_conflict_idempotency_log(op);

    if (!op->blob->out.done) {
        return ngx_http_conflict_idempotency_found(ctx);
    }

    ngx_http_conflict_idempotency_hold(ctx);

    return ngx_http_conflict_idempotency_next(ctx);
}


/* the claim is renewed until the request is settled */

static void
ngx_http_conflict_idempotency_hold(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    idem->claimed = 1;

    idem->timer.handler = ngx_http_conflict_idempotency_renew;
    idem->timer.data = ctx;
    idem->timer.log = ctx->request->connection->log;

    ngx_add_timer(&idem->timer, ctx->conf->lease / 3 + 1);
}


static ngx_http_conflict_state_e
ngx_http_conflict_idempotency_next(ngx_http_conflict_ctx_t *ctx)
{
    return ctx->write ? NGX_HTTP_CONFLICT_STATE_STORE_BEGIN
                      : ngx_http_conflict_pass_unguarded(ctx);
}


/* the store has no answer, so the claim may have been made */

static ngx_http_conflict_state_e
ngx_http_conflict_idempotency_unavailable(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t           *op;
    ngx_http_conflict_store_error_e   error;
    ngx_http_conflict_idempotency_t  *idem;

    static ngx_msec_t  logged;

    idem = ctx->idempotency;
    op = idem->op;
    error = op->out.error;

    if (error == NGX_HTTP_CONFLICT_STORE_DOWN) {
        idem->claimed = 1;
        ngx_http_conflict_idempotency_settle(ctx,
                      idem->earlier ? NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN
                                    : 0);

        if (ctx->conf->store_error == NGX_HTTP_CONFLICT_STORE_ERROR_PASS) {
            return ngx_http_conflict_idempotency_next(ctx);
        }
    }

    if (op->store->stats) {
        (void) ngx_atomic_fetch_add(&op->store->stats->errors[error], 1);
    }

    if (error == NGX_HTTP_CONFLICT_STORE_GENERATION) {
        return ngx_http_conflict_idempotency_refuse(ctx,
                                          NGX_HTTP_CONFLICT_ANSWER_GENERATION,
                                          NGX_HTTP_CONFLICT_OUTCOME_REJECTED);
    }

    if (error == NGX_HTTP_CONFLICT_STORE_FULL
        && !ngx_http_conflict_idempotency_throttled(&logged))
    {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "conflict store \"%V\" is full of requests with an "
                      "Idempotency-Key whose outcome is not known, enlarge "
                      "\"blobs=\"", &ctx->conf->store->name);
    }

    return ngx_http_conflict_idempotency_refuse(ctx,
                                         NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE,
                                         NGX_HTTP_CONFLICT_OUTCOME_REJECTED);
}


/* there is an entry: the request is not carried out */

static ngx_http_conflict_state_e
ngx_http_conflict_idempotency_found(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_idempotency_t  *idem;
    ngx_http_conflict_blob_found_t   *found;

    idem = ctx->idempotency;
    found = idem->op->blob->out.found;

    if (found->head.len < 1 + NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (ngx_memcmp(found->head.data + 1, idem->fingerprint,
                   NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST)
        != 0)
    {
        ctx->flow.reason = "it was used before for a request with other bytes "
                           "or other credentials";

        return ngx_http_conflict_idempotency_refuse(ctx,
                                          NGX_HTTP_CONFLICT_ANSWER_KEY_REUSED,
                                          NGX_HTTP_CONFLICT_OUTCOME_REJECTED);
    }

    switch (found->head.data[0]) {

    case NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT:
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_REPLAYED;
        ctx->flow.content = ngx_http_conflict_idempotency_replay;
        return NGX_HTTP_CONFLICT_STATE_RESPOND;

    case NGX_HTTP_CONFLICT_IDEMPOTENCY_NOT_KEPT:
        return ngx_http_conflict_idempotency_refuse(ctx,
                                          NGX_HTTP_CONFLICT_ANSWER_NOT_KEPT,
                                          NGX_HTTP_CONFLICT_OUTCOME_REPLAYED);

    case NGX_HTTP_CONFLICT_IDEMPOTENCY_RUNNING:

        if (found->lease) {
            return ngx_http_conflict_idempotency_refuse(ctx,
                                          NGX_HTTP_CONFLICT_ANSWER_KEY_RUNNING,
                                          NGX_HTTP_CONFLICT_OUTCOME_BUSY);
        }

        /* its worker is gone, or cannot reach the store */
        /* fall through */

    default: /* NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN */
        return ngx_http_conflict_idempotency_unknown(ctx);
    }
}


/*
 * A write with a base is checked by that, as without a key: if it was carried
 * out, its base is stale.  It takes the claim over, unless another one has done
 * so since.  Where a stale write may pass, and without a base, nothing can
 * tell; nor can "If-Match: *".
 */

static ngx_http_conflict_state_e
ngx_http_conflict_idempotency_unknown(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_idempotency_t  *idem;

    if (!ctx->write || ctx->conf->report
        || ctx->conf->policy <= CONFLICT_CLIENT_WINS
        || !(ctx->op->in.pre.kinds & NGX_HTTP_CONFLICT_IDEMPOTENCY_BASES))
    {
        return ngx_http_conflict_idempotency_refuse(ctx,
                                          NGX_HTTP_CONFLICT_ANSWER_KEY_UNKNOWN,
                                          NGX_HTTP_CONFLICT_OUTCOME_BUSY);
    }

    idem = ctx->idempotency;

    if (idem->earlier) {
        return ngx_http_conflict_idempotency_refuse(ctx,
                                          NGX_HTTP_CONFLICT_ANSWER_KEY_RUNNING,
                                          NGX_HTTP_CONFLICT_OUTCOME_BUSY);
    }

    idem->earlier = 1;

    return NGX_HTTP_CONFLICT_STATE_KEY_STORE_CLAIM;
}


ngx_http_conflict_state_e
ngx_http_conflict_idempotency_redirected(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e  next;

    if (ctx->idempotency) {
        ngx_http_conflict_idempotency_record_redirect(ctx->request, ctx);
    }

    next = ngx_http_conflict_pass_again(ctx);

    if (ctx->idempotency && next == NGX_HTTP_CONFLICT_STATE_RESPOND) {
        /* it may be done, and is not sent again */
        ngx_http_conflict_idempotency_settle(ctx,
                                        NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN);
    }

    return next;
}


/* also in report mode, which is about conflicts */

static ngx_http_conflict_state_e
ngx_http_conflict_idempotency_refuse(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, ngx_http_conflict_outcome_e outcome)
{
    ctx->flow.answer = answer;
    ctx->flow.outcome = outcome;

    return NGX_HTTP_CONFLICT_STATE_RESPOND;
}


/*
 * Sets the arguments of an operation to an entry: a character, the fingerprint
 * and, if a response was kept, its fields.
 */

static ngx_int_t
ngx_http_conflict_idempotency_entry(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_t *op, u_char what)
{
    u_char                           *p;
    ngx_http_conflict_blob_t         *blob;
    ngx_http_conflict_idempotency_t  *idem;

    blob = op->blob;
    idem = ctx->idempotency;

    ngx_memzero(&blob->in, sizeof(blob->in));

    blob->in.verb = NGX_HTTP_CONFLICT_BLOB_PUT;
    blob->in.kind = NGX_HTTP_CONFLICT_BLOB_ANSWER;
    blob->in.id = ngx_http_conflict_idempotency_id;
    blob->in.from = idem->token;
    blob->in.ttl = ctx->conf->idempotency_ttl;
    blob->in.pinned = (what == NGX_HTTP_CONFLICT_IDEMPOTENCY_RUNNING
                       || what == NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN);

    /* what is kept is nobody's: a renewal may come late */
    blob->in.token = blob->in.pinned ? idem->token : 0;

    blob->in.head.len = 1 + NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST;

    if (what == NGX_HTTP_CONFLICT_IDEMPOTENCY_RUNNING) {
        blob->in.lease = ctx->conf->lease;
    }

    if (what == NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT) {
        blob->in.head.len += idem->fields.len;
        blob->in.body = idem->body;
    }

    blob->in.head.data = ngx_pnalloc(ctx->request->pool, blob->in.head.len);
    if (blob->in.head.data == NULL) {
        return NGX_ERROR;
    }

    p = blob->in.head.data;
    *p++ = what;
    p = ngx_cpymem(p, idem->fingerprint, NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST);

    if (what == NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT) {
        ngx_memcpy(p, idem->fields.data, idem->fields.len);
    }

    return NGX_OK;
}


static void
ngx_http_conflict_idempotency_renew(ngx_event_t *ev)
{
    ngx_http_conflict_ctx_t *ctx = ev->data;

    ngx_http_conflict_op_t  *op;

    op = ctx->idempotency->op;

    /* if it fails, the outcome will be unknown: safe */

    if (!op->busy
        && ngx_http_conflict_idempotency_entry(ctx, op,
                                       NGX_HTTP_CONFLICT_IDEMPOTENCY_RUNNING)
           == NGX_OK)
    {
        op->rc = op->store->ops->blob(op);
    }

    ngx_add_timer(ev, ctx->conf->lease / 3 + 1);
}


/* a claim or a renewal was answered */

static void
ngx_http_conflict_idempotency_done(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_blob_t  *blob;

    blob = op->blob;

    if (blob->in.verb != NGX_HTTP_CONFLICT_BLOB_CLAIM) {
        return;
    }

    if (op->request) {
        ngx_http_conflict_store_call_resume(op->request);
        return;
    }

    if (op->rc == NGX_OK && !blob->out.done) {
        return;
    }

    if (blob->in.from) {
        /* taken over: unknown again after the lease */
        return;
    }

    /* the request has ended before it was sent */

    blob->in.verb = NGX_HTTP_CONFLICT_BLOB_REMOVE;
    blob->in.from = blob->in.token;
    blob->in.patience = blob->in.lease;

    op->rc = op->store->ops->blob(op);
}


void
ngx_http_conflict_idempotency_settle(ngx_http_conflict_ctx_t *ctx, u_char what)
{
    ngx_int_t                         rc;
    ngx_http_conflict_op_t           *op;
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    if (!idem->claimed) {
        return;
    }

    idem->claimed = 0;
    idem->capturing = 0;

    if (idem->timer.timer_set) {
        ngx_del_timer(&idem->timer);
    }

    /* one of its own: a renewal may be in progress, and it may take longer */

    op = ngx_http_conflict_blob_create(NULL, idem->op->store,
                                       &idem->partition);
    if (op == NULL) {
        return;
    }

    op->done = ngx_http_conflict_idempotency_settled;

    if (ngx_http_conflict_idempotency_entry(ctx, op, what) == NGX_OK) {

        if (what == 0) {
            op->blob->in.verb = NGX_HTTP_CONFLICT_BLOB_REMOVE;
        }

        op->blob->in.patience = ctx->conf->lease;

        rc = op->store->ops->blob(op);

        if (rc == NGX_ERROR && what == NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT
            && op->out.error == NGX_HTTP_CONFLICT_STORE_FULL
            && ngx_http_conflict_idempotency_entry(ctx, op,
                                      NGX_HTTP_CONFLICT_IDEMPOTENCY_NOT_KEPT)
               == NGX_OK)
        {
            /* no room for the response */
            rc = op->store->ops->blob(op);
        }

        op->rc = rc;

        if (rc != NGX_AGAIN) {
            ngx_http_conflict_idempotency_settled(op);
        }
    }

    ngx_http_conflict_op_release(op);
}


static void
ngx_http_conflict_idempotency_settled(ngx_http_conflict_op_t *op)
{
    static ngx_msec_t  logged;

    if (op->rc == NGX_OK) {
        ngx_http_conflict_idempotency_log(op);
        return;
    }

    if (op->store->stats && op->blob->in.verb == NGX_HTTP_CONFLICT_BLOB_PUT) {
        (void) ngx_atomic_fetch_add(&op->store->stats->unsettled, 1);
    }

    if (ngx_http_conflict_idempotency_throttled(&logged)) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "conflict store \"%V\" did not get the outcome of a request "
                  "with an Idempotency-Key: it counts as unknown",
                  &op->store->name);
}


static void
ngx_http_conflict_idempotency_log(ngx_http_conflict_op_t *op)
{
    static ngx_msec_t  logged;
    static ngx_uint_t  evicted;

    evicted += op->blob->out.evicted;

    if (evicted == 0 || ngx_http_conflict_idempotency_throttled(&logged)) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "%ui blobs were evicted from conflict store \"%V\" before "
                  "their time, enlarge \"blobs=\"", evicted,
                  &op->store->name);

    evicted = 0;
}


/* requests of clients must not fill the log */

static ngx_uint_t
ngx_http_conflict_idempotency_throttled(ngx_msec_t *logged)
{
    if (*logged
        && ngx_current_msec - *logged < NGX_HTTP_CONFLICT_IDEMPOTENCY_LOG)
    {
        return 1;
    }

    *logged = ngx_current_msec;

    return 0;
}


void
ngx_http_conflict_idempotency_end(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    if (idem == NULL || idem->op == NULL) {
        return;
    }

    ngx_http_conflict_idempotency_settle(ctx, idem->judged
                     ? NGX_HTTP_CONFLICT_IDEMPOTENCY_NOT_KEPT
                     : ngx_http_conflict_idempotency_record_judge(ctx->request,
                                                                  ctx, 0));

    ngx_http_conflict_op_release(idem->op);
    idem->op = NULL;
}
