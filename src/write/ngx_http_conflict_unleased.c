
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What a write makes of the entry of its resource if it had no lease: it is not
 * guarded, it passed while the store did not answer, or it is a request of
 * nginx itself.
 */


#include "write/ngx_http_conflict_write.h"
#include "feed/ngx_http_conflict_feed.h"


static void ngx_http_conflict_unleased_settle_unguarded(
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status);
static void ngx_http_conflict_unleased_passed_op(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_t *op, ngx_str_t *key,
    ngx_http_conflict_class_e class);
static void ngx_http_conflict_unleased_settle(ngx_http_conflict_op_t *op,
    ngx_http_conflict_class_e class, ngx_str_t *user, ngx_str_t *client);


void
ngx_http_conflict_unleased_unguarded(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t status)
{
    if (ctx->lease.settled) {
        return;
    }

    ctx->lease.settled = 1;

    ngx_http_conflict_unleased_settle_unguarded(ctx, status);

    if (ctx->destination) {
        ngx_http_conflict_op_release(ctx->destination);
        ctx->destination = NULL;
    }
}


static void
ngx_http_conflict_unleased_settle_unguarded(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t status)
{
    ngx_uint_t                 sent, last, shown;
    ngx_http_conflict_class_e  class;

    shown = status;

    if (ngx_http_conflict_upstream_attempts(ctx->request, 0, &sent, &last)
        == NGX_OK)
    {
        if (sent == 0) {
            return;
        }

        /* not that of a page; an earlier attempt may have done it */
        status = (sent > 1) ? 0 : last;

    } else if (status == 0
               && ngx_http_conflict_delegate_outcome(ctx)
                  == NGX_HTTP_CONFLICT_NOT_DONE)
    {
        return;
    }

    class = ngx_http_conflict_outcome_delegated(ctx,
                                   ngx_http_conflict_outcome_status(status));

    if (class == NGX_HTTP_CONFLICT_NOT_DONE) {
        return;
    }

    /* 201: it has created another resource */
    ctx->flow.unguarded = (shown != NGX_HTTP_CREATED);

    if (ctx->op == NULL) {
        /* a POST, after which a GET shows the same as before, or no key */
        return;
    }

    ngx_http_conflict_unleased_settle(ctx->op, class, &ctx->caller.user,
                                      &ctx->caller.client);

    if (ctx->destination) {
        ngx_http_conflict_unleased_settle(ctx->destination, class,
                                          &ctx->caller.user,
                                          &ctx->caller.client);
    }
}


void
ngx_http_conflict_unleased_unseen(ngx_http_conflict_op_t *op,
    ngx_uint_t status)
{
    ngx_str_t                  none;
    ngx_http_conflict_class_e  class;

    ngx_str_null(&none);

    class = ngx_http_conflict_outcome_status(status);

    if (class != NGX_HTTP_CONFLICT_NOT_DONE) {
        ngx_http_conflict_unleased_settle(op, class, &none, &none);
    }
}


void
ngx_http_conflict_unleased_passed(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t ended)
{
    ngx_http_conflict_class_e  class;

    if (!ctx->lease.missing) {
        return;
    }

    ctx->lease.missing = 0;

    class = ngx_http_conflict_outcome_class(ctx, ended);

    if (class == NGX_HTTP_CONFLICT_NOT_DONE) {
        return;
    }

    ngx_http_conflict_unleased_passed_op(ctx, ctx->op, &ctx->target.key, class);

    if (ctx->pair) {
        ngx_http_conflict_unleased_passed_op(ctx, ctx->pair->op,
                                             &ctx->pair->key, class);
    }
}


/* its own operation, as that of the write may have a call in flight */

static void
ngx_http_conflict_unleased_passed_op(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_t *op, ngx_str_t *key,
    ngx_http_conflict_class_e class)
{
    ngx_http_conflict_op_t  *other;

    if (op->out.leased || op->in.reads) {
        return;
    }

    other = ngx_http_conflict_method_op(ctx->request, ctx->conf, key);
    if (other == NULL) {
        return;
    }

    ngx_http_conflict_unleased_settle(other, class, &ctx->caller.user,
                                      &ctx->caller.client);
    ngx_http_conflict_op_release(other);
}


static void
ngx_http_conflict_unleased_settle(ngx_http_conflict_op_t *op,
    ngx_http_conflict_class_e class, ngx_str_t *user, ngx_str_t *client)
{
    if (class != NGX_HTTP_CONFLICT_AMBIGUOUS) {
        /* a store that is away is told for as long all the same */
        op->in.lease += op->in.quarantine;
        op->in.quarantine = 0;
    }

    /* it has no lease; if another write has, it learns of this one */
    (void) op->store->ops->abandon(op);

    ngx_http_conflict_feed_event_settled(op, user, client, 0);
}
