
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Holds the body that loses a conflict: that of a write that is refused or
 * dropped, or the one that a write overwrites.  Kept before the write is
 * answered or forwarded, and removed once the write has resolved the conflict.
 */


#include "hold/ngx_http_conflict_hold.h"
#include "audit/ngx_http_conflict_audit.h"
#include "latest/ngx_http_conflict_latest.h"
#include "process/ngx_http_conflict_clock.h"
#include "process/ngx_http_conflict_random.h"


#define NGX_HTTP_CONFLICT_HOLD_INTERVAL  10000     /* milliseconds */


static ngx_int_t ngx_http_conflict_hold_item(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item);
static const char *ngx_http_conflict_hold_kind(ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_hold_body(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item);
static ngx_int_t ngx_http_conflict_hold_latest(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item);
static ngx_int_t ngx_http_conflict_hold_call(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item);
static ngx_int_t ngx_http_conflict_hold_name(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item);
static ngx_int_t ngx_http_conflict_hold_indexes(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item, ngx_http_conflict_blob_t *blob);
static void ngx_http_conflict_hold_lost(ngx_http_conflict_ctx_t *ctx,
    const char *reason);
static void ngx_http_conflict_hold_remove(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *id);
static void ngx_http_conflict_hold_removed(ngx_http_conflict_op_t *op);


ngx_str_t  ngx_http_conflict_hold_partition = ngx_string("inbox");

static ngx_str_t  ngx_http_conflict_hold_range = ngx_string("content-range");


ngx_http_conflict_state_e
ngx_http_conflict_hold(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e next)
{
    if (ctx->conf->hold == 0 || ngx_http_conflict_hold_kind(ctx) == NULL) {
        return next;
    }

    ctx->hold.overwritten
        = (ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_OVERWROTE);

    if (ctx->hold.resolves.len && !ctx->hold.overwritten) {
        /* the item that it was to resolve stays */
        return next;
    }

    ctx->hold.next = next;

    return NGX_HTTP_CONFLICT_STATE_HOLD_PUT;
}


/* the name of the conflict in the inbox; NULL: no body has lost one */

static const char *
ngx_http_conflict_hold_kind(ngx_http_conflict_ctx_t *ctx)
{
    switch (ctx->flow.outcome) {

    case NGX_HTTP_CONFLICT_OUTCOME_OVERWROTE:
        return "overwritten";

    case NGX_HTTP_CONFLICT_OUTCOME_DROPPED:
        return "dropped";

    case NGX_HTTP_CONFLICT_OUTCOME_LOCKED:
        return "locked";

    case NGX_HTTP_CONFLICT_OUTCOME_REJECTED:
        return (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_STALE)
               ? "refused" : NULL;

    default:
        return NULL;
    }
}


ngx_http_conflict_state_e
ngx_http_conflict_hold_put(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_hold_item_t  item;

    ngx_memzero(&item, sizeof(ngx_http_conflict_hold_item_t));

    switch (ngx_http_conflict_hold_item(ctx, &item)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        /* it is not to be kept */
        return ctx->hold.next;

    default: /* NGX_ERROR */
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return (ngx_http_conflict_hold_call(ctx, &item) == NGX_OK)
           ? NGX_HTTP_CONFLICT_STATE_HOLD_DONE : NGX_HTTP_CONFLICT_STATE_ERROR;
}


ngx_http_conflict_state_e
ngx_http_conflict_hold_done(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->hold.op;

    if (op->busy) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    if (op->rc != NGX_OK || !op->blob->out.done) {
        ngx_http_conflict_hold_lost(ctx, "the store has not kept it");
        return ctx->hold.next;
    }

    ctx->hold.kept = 1;

    if (op->store->stats) {
        (void) ngx_atomic_fetch_add(&op->store->stats->held, 1);
    }

    if (op->blob->out.evicted) {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "conflict inbox: %ui older items of store \"%V\" were "
                      "evicted for a new one of \"%V\"",
                      op->blob->out.evicted, &op->store->name,
                      ngx_http_conflict_evaluate_escaped(ctx->request,
                                                   &ctx->target.resource));
    }

    return ctx->hold.next;
}


/* NGX_DECLINED: the body is not kept, which is counted */

static ngx_int_t
ngx_http_conflict_hold_item(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item)
{
    ngx_int_t                  rc;
    ngx_str_t                 *text;
    ngx_http_request_t        *r;
    ngx_http_core_srv_conf_t  *cscf;

    r = ctx->request;
    text = item->text;

    rc = ctx->hold.overwritten ? ngx_http_conflict_hold_latest(ctx, item)
                               : ngx_http_conflict_hold_body(ctx, item);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_conflict_audit_id(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    item->time = ngx_http_conflict_clock_usec();

    text[NGX_HTTP_CONFLICT_HOLD_KIND].data
        = (u_char *) ngx_http_conflict_hold_kind(ctx);
    text[NGX_HTTP_CONFLICT_HOLD_KIND].len
        = ngx_strlen(text[NGX_HTTP_CONFLICT_HOLD_KIND].data);

    if (ctx->conf->user_set) {
        /* the default is what the client claims */
        text[NGX_HTTP_CONFLICT_HOLD_WRITER] = ctx->caller.user;
    }

    text[NGX_HTTP_CONFLICT_HOLD_CLIENT] = ctx->caller.client;
    text[NGX_HTTP_CONFLICT_HOLD_SERVER] = cscf->server_name;
    text[NGX_HTTP_CONFLICT_HOLD_ROUTE] = ctx->conf->name;
    text[NGX_HTTP_CONFLICT_HOLD_RESOURCE_ID] = ctx->target.resource;
    text[NGX_HTTP_CONFLICT_HOLD_KEY] = ctx->target.key;
    text[NGX_HTTP_CONFLICT_HOLD_TARGET] = r->unparsed_uri;
    text[NGX_HTTP_CONFLICT_HOLD_BASE] = ctx->pre.base;
    text[NGX_HTTP_CONFLICT_HOLD_CONFLICT] = ctx->version.conflict_id;

    if ((ctx->caller.may_see || ctx->hold.overwritten)
        && ctx->version.current < CONFLICT_VERSION_LIMIT)
    {
        item->version = ctx->version.current;
    }

    return NGX_OK;
}


/* the body of the write, as its client has sent it */

static ngx_int_t
ngx_http_conflict_hold_body(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item)
{
    ngx_int_t                  rc;
    conflict_scan_t           *json;
    ngx_http_request_t        *r;
    ngx_http_conflict_body_t  *body;

    r = ctx->request;
    body = &ctx->body;
    json = body->json;

    if (!(r->method & (NGX_HTTP_PUT|NGX_HTTP_PATCH|NGX_HTTP_POST))
        || ctx->pair || !body->done || body->size == 0)
    {
        return NGX_DECLINED;
    }

    if (ctx->latest.status == NGX_HTTP_FORBIDDEN) {
        /* it would evict what those have lost who may see the resource */
        return NGX_DECLINED;
    }

    /* an item has no field for its place, so a part would be the whole */

    if (body->too_large || body->encoded || body->error != CONFLICT_JSON_OK
        || ngx_http_conflict_media_type_request(r)
           == NGX_HTTP_CONFLICT_MEDIA_OTHER
        || ngx_http_conflict_header_find(&r->headers_in.headers,
                                         &ngx_http_conflict_hold_range, NULL))
    {
        ngx_http_conflict_hold_lost(ctx, NULL);
        return NGX_DECLINED;
    }

    rc = ngx_http_conflict_request_body_text(ctx, &item->body);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED
        || (json == NULL
            && !conflict_scan_valid(item->body.data, item->body.len)))
    {
        ngx_http_conflict_hold_lost(ctx, NULL);
        return NGX_DECLINED;
    }

    if (json && json->type != CONFLICT_JSON_NONE) {

        if (!ctx->body.tested) {
            item->base.value = json->value;
            item->base.end = json->end;
        }

        conflict_scan_cut(json, &item->base.cut, &item->base.cut_end);
    }

    if (ctx->merge.base.data && ctx->merge.base.form == CONFLICT_FORM_WHOLE
        && ctx->caller.known)
    {
        /* a client without a name may not have been shown it */
        item->base_body.data = (u_char *) ctx->merge.base.data;
        item->base_body.len = ctx->merge.base.len;
    }

    item->text[NGX_HTTP_CONFLICT_HOLD_METHOD] = r->method_name;

    if (r->headers_in.content_type) {
        item->text[NGX_HTTP_CONFLICT_HOLD_TYPE]
            = r->headers_in.content_type->value;
    }

    return NGX_OK;
}


/* the document that the write is about to overwrite, to be restored by a PUT */

static ngx_int_t
ngx_http_conflict_hold_latest(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (latest->valid
        && (ngx_http_conflict_latest_response_gone(latest->status)
            || latest->status == NGX_HTTP_NO_CONTENT))
    {
        /* nothing is overwritten */
        return NGX_DECLINED;
    }

    if (latest->valid && latest->status == NGX_HTTP_OK && latest->json
        && !latest->encoded && !latest->too_large
        && ngx_http_conflict_capture_unfiltered(ctx))
    {
        ngx_http_conflict_latest_document_get(ctx, &item->body);

        if (conflict_scan_valid(item->body.data, item->body.len)) {
            ngx_str_set(&item->text[NGX_HTTP_CONFLICT_HOLD_METHOD], "PUT");
            item->text[NGX_HTTP_CONFLICT_HOLD_TYPE] = latest->content_type;
            return NGX_OK;
        }
    }

    ngx_http_conflict_hold_lost(ctx, "the body that the write overwrites is "
                                     "unknown");
    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_conflict_hold_call(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item)
{
    ngx_pool_t                *pool;
    ngx_http_conflict_op_t    *op;
    ngx_http_conflict_blob_t  *blob;

    pool = ctx->request->pool;

    ngx_http_conflict_hold_end(ctx);

    op = ngx_http_conflict_blob_create(ctx->request, ctx->conf->store,
                                       &ngx_http_conflict_hold_partition);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ctx->hold.op = op;
    blob = op->blob;

    if (ngx_http_conflict_hold_name(ctx, item) != NGX_OK
        || ngx_http_conflict_hold_item_encode(pool, item, &blob->in.head,
                                              &blob->in.body)
           != NGX_OK
        || ngx_http_conflict_hold_indexes(ctx, item, blob) != NGX_OK)
    {
        return NGX_ERROR;
    }

    blob->in.verb = NGX_HTTP_CONFLICT_BLOB_PUT;
    blob->in.kind = NGX_HTTP_CONFLICT_BLOB_HELD;
    blob->in.id = ctx->hold.id;
    blob->in.ttl = ctx->conf->hold;

    op->done = ngx_http_conflict_store_call_done;
    op->rc = op->store->ops->blob(op);

    return NGX_OK;
}


/*
 * The id of the item.  A write that is sent again has that of the first time,
 * and takes its place.  Nobody but its client can guess it: without a user the
 * id alone gives access, so it is random unless the client has sent a secret.
 */

static ngx_int_t
ngx_http_conflict_hold_name(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item)
{
    u_char               name[20];
    ngx_str_t           *id, secret[2];
    ngx_uint_t           named;
    ngx_http_request_t  *r;

    r = ctx->request;
    id = &ctx->hold.id;
    named = 1;

    ngx_str_null(&secret[0]);
    ngx_str_null(&secret[1]);

    if (item->text[NGX_HTTP_CONFLICT_HOLD_WRITER].len == 0) {

        if (r->headers_in.authorization) {
            secret[0] = r->headers_in.authorization->value;
        }

        secret[1] = ctx->hold.key;
        named = (secret[0].len || secret[1].len);
    }

    if (named && !ctx->hold.overwritten) {
        ngx_http_conflict_hold_item_digest(item, secret, 2, name);

    } else if (ngx_http_conflict_random(name, NGX_HTTP_CONFLICT_HOLD_ID / 2)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    id->data = ngx_pnalloc(r->pool, NGX_HTTP_CONFLICT_HOLD_ID);
    if (id->data == NULL) {
        return NGX_ERROR;
    }

    id->len = ngx_hex_dump(id->data, name, NGX_HTTP_CONFLICT_HOLD_ID / 2)
              - id->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_hold_indexes(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item, ngx_http_conflict_blob_t *blob)
{
    ngx_str_t                       *user;
    ngx_pool_t                      *pool;
    ngx_http_conflict_blob_index_t  *index;

    pool = ctx->request->pool;
    index = blob->in.index;

    index[0].max = NGX_HTTP_CONFLICT_HOLD_STORE;
    index[1].max = NGX_HTTP_CONFLICT_HOLD_RESOURCE;
    index[2].max = NGX_HTTP_CONFLICT_HOLD_USER;

    if (ngx_http_conflict_hold_index(pool, &index[0].name, 'a', NULL) != NGX_OK
        || ngx_http_conflict_hold_index(pool, &index[1].name, 'r',
                                        &ctx->target.key)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    blob->in.indexes = 3;

    user = &item->text[NGX_HTTP_CONFLICT_HOLD_WRITER];

    if (user->len == 0) {
        /* those without a name must not evict all of the others */
        index[2].max = NGX_HTTP_CONFLICT_HOLD_NAMELESS;
        return ngx_http_conflict_hold_index(pool, &index[2].name, 'n', NULL);
    }

    return ngx_http_conflict_hold_index_user(ctx->request, &index[2].name,
                                             user);
}


ngx_int_t
ngx_http_conflict_hold_index(ngx_pool_t *pool, ngx_str_t *name, u_char kind,
    ngx_str_t *text)
{
    name->len = 1 + (text ? text->len : 0);

    name->data = ngx_pnalloc(pool, name->len);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    name->data[0] = kind;

    if (text) {
        ngx_memcpy(name->data + 1, text->data, text->len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_hold_index_user(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *user)
{
    u_char                    *p;
    ngx_str_t                  text;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    text.len = cscf->server_name.len + 1 + user->len;

    text.data = ngx_pnalloc(r->pool, text.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text.data, cscf->server_name.data, cscf->server_name.len);
    *p++ = '\0';
    ngx_memcpy(p, user->data, user->len);

    return ngx_http_conflict_hold_index(r->pool, name, 'u', &text);
}


/* NULL: as documented, its form is not one that is kept */

static void
ngx_http_conflict_hold_lost(ngx_http_conflict_ctx_t *ctx, const char *reason)
{
    ngx_http_conflict_store_t  *store;

    static ngx_uint_t  lost;
    static ngx_msec_t  logged;

    store = ctx->conf->store;

    if (store->stats) {
        (void) ngx_atomic_fetch_add(&store->stats->not_held, 1);
    }

    if (reason == NULL) {
        return;
    }

    lost++;

    if (logged && ngx_current_msec - logged < NGX_HTTP_CONFLICT_HOLD_INTERVAL)
    {
        return;
    }

    logged = ngx_current_msec;

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "conflict inbox: a body of \"%V\" is not held: %s; %ui in "
                  "this process so far",
                  ngx_http_conflict_evaluate_escaped(ctx->request,
                                                     &ctx->target.resource),
                  reason, lost);
}


void
ngx_http_conflict_hold_answered(ngx_http_conflict_ctx_t *ctx)
{
    /* an error page may have any status: what the upstream has said counts */

    if (ctx->hold.resolves.len
        && (ctx->lease.committed
            || (ctx->lease.got_2xx
                && !ngx_http_conflict_upstream_attempts_pending(ctx->request))
            || ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_REPLAYED))
    {
        ngx_http_conflict_hold_remove(ctx, &ctx->hold.resolves);
        ngx_str_null(&ctx->hold.resolves);
    }

    if (ctx->hold.kept && ctx->hold.overwritten && ctx->lease.settled
        && !ctx->lease.committed && !ctx->lease.abandoned)
    {
        /* the write was not done */
        ngx_http_conflict_hold_remove(ctx, &ctx->hold.id);
        ctx->hold.kept = 0;
    }
}


/* in an operation that may outlive the request */

static void
ngx_http_conflict_hold_remove(ngx_http_conflict_ctx_t *ctx, ngx_str_t *id)
{
    ngx_http_conflict_op_t    *op;
    ngx_http_conflict_blob_t  *blob;

    op = ngx_http_conflict_blob_create(NULL, ctx->conf->store,
                                       &ngx_http_conflict_hold_partition);
    if (op == NULL) {
        return;
    }

    blob = op->blob;

    blob->in.verb = NGX_HTTP_CONFLICT_BLOB_REMOVE;
    blob->in.kind = NGX_HTTP_CONFLICT_BLOB_HELD;
    blob->in.id = *id;

    op->done = ngx_http_conflict_hold_removed;
    op->rc = op->store->ops->blob(op);

    if (op->rc != NGX_AGAIN) {
        ngx_http_conflict_hold_removed(op);
    }

    ngx_http_conflict_op_release(op);
}


/* an item that stays can still be discarded */

static void
ngx_http_conflict_hold_removed(ngx_http_conflict_op_t *op)
{
    if (op->rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "conflict inbox: an item that is resolved was not "
                      "removed from store \"%V\"", &op->store->name);
    }
}


void
ngx_http_conflict_hold_end(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->hold.op) {
        ngx_http_conflict_op_release(ctx->hold.op);
        ctx->hold.op = NULL;
    }
}
