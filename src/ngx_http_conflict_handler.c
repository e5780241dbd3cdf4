
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The path of a request: one switch over its states, read from top to
 * bottom.  Each state is a few lines; the work is in the other files.
 */


#include "ngx_http_conflict_module.h"


static ngx_http_conflict_ctx_t *ngx_http_conflict_create_ctx(
    ngx_http_request_t *r, ngx_http_conflict_loc_conf_t *nlcf,
    ngx_http_conflict_kind_e kind);
static void ngx_http_conflict_over(ngx_http_request_t *r);
static void ngx_http_conflict_cleanup(void *data);
static ngx_int_t ngx_http_conflict_write(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_read_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_read_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_ready(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_begin(ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_latest(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_observe(ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_observed(ngx_http_conflict_ctx_t *ctx);


ngx_int_t
ngx_http_conflict_handler(ngx_http_request_t *r)
{
    ngx_http_conflict_ctx_t       *ctx;
    ngx_http_conflict_kind_e       kind;
    ngx_http_conflict_loc_conf_t  *nlcf;

    if (r != r->main) {
        return ngx_http_conflict_latest_access(r);
    }

    if (r->post_action) {
        ngx_http_conflict_over(r);
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    if (ctx == NULL) {
        ctx = ngx_http_conflict_ctx(r);

        if (ctx && ctx->write && ctx->state != NGX_HTTP_CONFLICT_ST_PASSED) {
            /* an error page: the write has not come as far as the upstream */
            ctx->left = 1;
        }
    }

    if (ctx && (ctx->left || ctx->key.len == 0)) {
        return NGX_DECLINED;
    }

    if (ctx == NULL) {
        nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

        if (nlcf->lock) {
            kind = (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
                   ? NGX_HTTP_CONFLICT_KIND_READ
                   : NGX_HTTP_CONFLICT_KIND_WRITE;

        } else {
            kind = (nlcf->policy == NGX_HTTP_CONFLICT_OFF)
                   ? NGX_HTTP_CONFLICT_KIND_NONE
                   : ngx_http_conflict_method(r, nlcf);
        }

        if (kind == NGX_HTTP_CONFLICT_KIND_NONE) {
            return NGX_DECLINED;
        }

        ctx = ngx_http_conflict_create_ctx(r, nlcf, kind);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ctx->key.len == 0) {
            /* as limit_req does: an empty key is not tracked */
            return nlcf->lock ? NGX_HTTP_NOT_FOUND : NGX_DECLINED;
        }

        ngx_http_conflict_failpoint_arm(r);
    }

    if (ctx->conf->lock) {
        return ngx_http_conflict_lock(r, ctx);
    }

    switch (ctx->kind) {

    case NGX_HTTP_CONFLICT_KIND_READ:
        return ngx_http_conflict_read(r, ctx);

    case NGX_HTTP_CONFLICT_KIND_WRITE:
        return ngx_http_conflict_write(r, ctx);

    default: /* NGX_HTTP_CONFLICT_KIND_POST, UNCHECKED */
        return ngx_http_conflict_method_unchecked(r, ctx);
    }
}


ngx_http_conflict_ctx_t *
ngx_http_conflict_ctx(ngx_http_request_t *r)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {

        /* a redirect has cleared the module contexts */

        for (cln = r->cleanup; cln; cln = cln->next) {

            if (cln->handler == ngx_http_conflict_cleanup) {
                ctx = cln->data;
                ngx_http_set_ctx(r, ctx, ngx_http_conflict_module);
                break;
            }
        }
    }

    return (ctx && ctx->key.len) ? ctx : NULL;
}


/*
 * post_action: the request is over, and what goes on in its place is as the
 * client has sent it.
 */

static void
ngx_http_conflict_over(ngx_http_request_t *r)
{
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_conflict_ctx(r);

    if (ctx) {
        ngx_http_conflict_cleanup(ctx);
        ngx_http_conflict_body_restore(r, ctx);
    }
}


static ngx_http_conflict_ctx_t *
ngx_http_conflict_create_ctx(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_http_conflict_kind_e kind)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_conflict_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_conflict_cleanup;
    cln->data = ctx;

    ngx_http_set_ctx(r, ctx, ngx_http_conflict_module);

    ctx->request = r;
    ctx->conf = nlcf;
    ctx->client_time = CONFLICT_TIME_NONE;
    ctx->against_time = CONFLICT_TIME_NONE;
    ctx->kind = kind;
    ctx->write = (kind == NGX_HTTP_CONFLICT_KIND_WRITE);
    ctx->method = r->method;
    ctx->method_name = r->method_name;

    /* evaluated once: what is judged, fetched and logged is the same */

    if (ngx_http_conflict_key(r, nlcf, &ctx->resource, &ctx->key) != NGX_OK) {
        return NULL;
    }

    return ctx;
}


static void
ngx_http_conflict_cleanup(void *data)
{
    ngx_http_conflict_ctx_t *ctx = data;

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_http_conflict_differ_end(ctx);

    if (ctx->latest.started && !ctx->latest.done) {
        /* before the access log is written */
        ngx_http_conflict_latest_restore(ctx);
    }

    if (ctx->key.len && ctx->kind >= NGX_HTTP_CONFLICT_KIND_POST) {
        ngx_http_conflict_settle_unchecked(ctx, 0);

    } else if (ctx->op) {
        ngx_http_conflict_keep_cut(ctx);
        ngx_http_conflict_settle_end(ctx);
    }

    if (ctx->op || ctx->unguarded) {
        ngx_http_conflict_count(ctx);
        ctx->unguarded = 0;
    }

    if (ctx->op) {
        ngx_http_conflict_pair_end(ctx);
        ngx_http_conflict_op_release(ctx->op);
        ctx->op = NULL;
    }
}


static ngx_int_t
ngx_http_conflict_write(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    /* each state sets the next; NGX_OK: go on with that */

    do {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "conflict state: %d", ctx->state);

        switch (ctx->state) {

        case NGX_HTTP_CONFLICT_ST_BASE:
            rc = ngx_http_conflict_read_headers(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_BODY:
            rc = ngx_http_conflict_read_body(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_READY:
            rc = ngx_http_conflict_ready(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_BEGIN:
            rc = ngx_http_conflict_begin(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_BEGUN:
            rc = ngx_http_conflict_begun(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_WAIT:
            rc = ngx_http_conflict_wait(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_FETCH:
            rc = ngx_http_conflict_latest(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_FETCHED:
            rc = ngx_http_conflict_fetched(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_OBSERVE:
            rc = ngx_http_conflict_observe(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_OBSERVED:
            rc = ngx_http_conflict_observed(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_RECALL:
            rc = ngx_http_conflict_recall(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_RECALLED:
            rc = ngx_http_conflict_recalled(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_LATEST:
            rc = ngx_http_conflict_found(ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_COMBINE:
            rc = ngx_http_conflict_combine(r, ctx);
            break;

        case NGX_HTTP_CONFLICT_ST_PASS:

            if (ngx_http_conflict_pair_next(ctx)) {
                rc = NGX_OK;
                break;
            }

            return ngx_http_conflict_pass(r, ctx);

        case NGX_HTTP_CONFLICT_ST_PASSED:
            return ngx_http_conflict_again(r, ctx);

        default: /* NGX_HTTP_CONFLICT_ST_ANSWER */

            /* on to the content phase: no try_files, no mirror */

            r->content_handler = ngx_http_conflict_answer_handler;
            return NGX_OK;
        }

    } while (rc == NGX_OK);

    return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
}


static ngx_int_t
ngx_http_conflict_read_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_conflict_base_headers(r, ctx);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ctx->state = NGX_HTTP_CONFLICT_ST_BODY;

    if (rc == NGX_DECLINED) {
        ngx_http_conflict_unchecked(ctx, ctx->error, 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_read_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_conflict_body_read(r, ctx);

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        return rc;
    }

    ctx->state = NGX_HTTP_CONFLICT_ST_READY;

    if (rc == NGX_DECLINED) {
        ngx_http_conflict_unchecked(ctx, ctx->error, 0);
    }

    return NGX_OK;
}


/* all that the client says is here */

static ngx_int_t
ngx_http_conflict_ready(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_http_conflict_error_e  error;

    rc = ngx_http_conflict_base_body(r, ctx);

    if (rc == NGX_OK) {
        rc = ngx_http_conflict_combinable(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_conflict_pair(r, ctx);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_conflict_if_end(ctx);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ctx->state = NGX_HTTP_CONFLICT_ST_BEGIN;

    if (rc == NGX_DECLINED) {
        ngx_http_conflict_unchecked(ctx, ctx->error, 0);

    } else if (ctx->op->in.pre.kinds
               || ctx->outcome != NGX_HTTP_CONFLICT_NONE)
    {
        return NGX_OK;

    } else if (ctx->conf->require) {

        if (ngx_http_conflict_base_missing(r, ctx, &error) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_conflict_refuse(ctx, error,
                                 (error == NGX_HTTP_CONFLICT_NO_BASE)
                                 ? NGX_HTTP_CONFLICT_REQUIRED
                                 : NGX_HTTP_CONFLICT_REJECTED,
                                 NGX_HTTP_CONFLICT_ACT_REQUIRED);

    } else if (ctx->body.opaque) {
        /* it has the lease of a write without a base, but may have one */
        ctx->outcome = NGX_HTTP_CONFLICT_UNCHECKED;

        if (ctx->body.based
            || (ctx->body.encoded && !ctx->body.undeclared))
        {
            /* a base was sent, or may well have been */
            ctx->action = NGX_HTTP_CONFLICT_ACT_UNCHECKED;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_begin(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;
    op->done = ngx_http_conflict_op_done;

    ctx->state = NGX_HTTP_CONFLICT_ST_BEGUN;
    ctx->store_start = ngx_current_msec;

    op->rc = op->store->ops->begin(op);

    return (op->rc == NGX_AGAIN) ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_conflict_latest(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    if (!ctx->latest.started
        && ngx_http_conflict_latest_fetch(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ctx->latest.done) {
        return NGX_AGAIN;
    }

    ctx->state = NGX_HTTP_CONFLICT_ST_FETCHED;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_observe(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;
    op->out.applied = 0;

    ctx->state = NGX_HTTP_CONFLICT_ST_OBSERVED;
    ctx->store_start = ngx_current_msec;

    op->rc = op->store->ops->observe(op);

    return (op->rc == NGX_AGAIN) ? NGX_AGAIN : NGX_OK;
}


/*
 * Where something else has happened meanwhile, the body may be older than
 * the version that begin will show: then it is fetched again.
 */

static ngx_int_t
ngx_http_conflict_observed(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->op->busy) {
        return NGX_AGAIN;
    }

    ctx->store_time += ngx_current_msec - ctx->store_start;

    if (ctx->op->out.external) {
        ngx_http_conflict_audit_found(ctx);
    }

    ctx->op->in.just_observed = ctx->op->out.applied;
    ctx->latest.valid = ctx->op->out.applied;
    ctx->latest.version = ctx->op->out.version;
    ctx->state = NGX_HTTP_CONFLICT_ST_BEGIN;

    return NGX_OK;
}
