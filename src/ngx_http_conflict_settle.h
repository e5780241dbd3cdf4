
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The lease of a write that passed: held, settled by what the upstream says,
 * and given up in time where it cannot be held.
 */


#ifndef _NGX_HTTP_CONFLICT_SETTLE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_SETTLE_H_INCLUDED_


#include "ngx_http_conflict_module.h"


/* settle.c */

/* Renews a lease, until it is settled. */
void ngx_http_conflict_outcome_hold(ngx_http_conflict_ctx_t *ctx);

/*
 * What became of the write, by the header that is about to be sent.  A 2xx
 * whose version is still to come with the body stays open.
 */
void ngx_http_conflict_outcome_header(ngx_http_conflict_ctx_t *ctx);

/*
 * The end of a 2xx answer in which op->in.observed.version was looked for, and
 * the end of a request of which nothing more will be seen.
 */
void ngx_http_conflict_outcome_body(ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_outcome_end(ngx_http_conflict_ctx_t *ctx);

/*
 * A request of a method that is not guarded has been answered with this
 * status, or was not where it is 0: what it may have done makes the entry of
 * its target unknown.  Of a POST it is only noted that it may have.
 */
void ngx_http_conflict_outcome_unguarded(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t status);

/*
 * Settles by what the upstream has said so far, for a request that is about
 * to be handed to another location.  NGX_OK: that is harmless, the write
 * has not happened or is done; NGX_DECLINED: it may have.
 */
ngx_int_t ngx_http_conflict_outcome_redirect(ngx_http_conflict_ctx_t *ctx);

/* fence.c has found: it will not be sent; it was done, if NGX_OK, too late. */
void ngx_http_conflict_outcome_unsent(ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_outcome_late(ngx_http_conflict_ctx_t *ctx);

/* fence.c */

/*
 * How long the lease must last, less a margin, and "more"; 0 or less: it may
 * be another's.
 */
int64_t ngx_http_conflict_fence_left(ngx_http_conflict_op_t *op,
    ngx_msec_t more);

/* The same for all leases of the request, one of which it must have. */
int64_t ngx_http_conflict_fence_least(ngx_http_conflict_ctx_t *ctx,
    ngx_msec_t more);

/* 1 for a write that must not go on. */
ngx_uint_t ngx_http_conflict_fence_expired(ngx_http_conflict_ctx_t *ctx);

/* Right before it is handed on.  504: it must not be, and is settled. */
ngx_int_t ngx_http_conflict_fence_pass(ngx_http_conflict_ctx_t *ctx);

/*
 * Ends its attempt at the upstream, by a timer: NGX_OK, the request may be
 * gone; NGX_AGAIN, the timer runs; NGX_DECLINED, there is none.
 */
ngx_int_t ngx_http_conflict_fence_end(ngx_http_conflict_ctx_t *ctx);

/* 1 where a 2xx of the upstream must become a 504; it is settled. */
ngx_uint_t ngx_http_conflict_fence_late(ngx_http_conflict_ctx_t *ctx);


#endif /* _NGX_HTTP_CONFLICT_SETTLE_H_INCLUDED_ */
