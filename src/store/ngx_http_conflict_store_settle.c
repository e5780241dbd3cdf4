
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The shared-memory store: what becomes of a lease, by the operations that
 * end or renew it.  Under the zone's lock.
 */


#include "store/ngx_http_conflict_shm.h"


static ngx_uint_t ngx_http_conflict_shm_mine(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e,
    uint64_t until);
static uint64_t ngx_http_conflict_shm_overlapped(
    ngx_http_conflict_entry_t *e);


ngx_int_t
ngx_http_conflict_shm_renew(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    uint64_t  until;

    ngx_time_update();

    until = ngx_current_msec + op->lease;
    op->lost = 0;

    if (e) {

        if (ngx_http_conflict_shm_mine(op, sh, e, until + op->quarantine)) {
            ngx_http_conflict_shm_set(sh, e, CONFLICT_LEASED, until);
        }

        return NGX_OK;
    }

    /* the zone was rebuilt, but this write is still at the upstream */

    e = ngx_http_conflict_shm_new(op, sh);
    if (e == NULL) {
        return NGX_ERROR;
    }

    e->version = op->version;
    e->fence = op->fence;
    e->pending = op->fingerprint;
    e->overlap = (op->policy <= CONFLICT_CLIENT_WINS || op->report
                  || sh->closed <= ngx_current_msec);
    e->quarantine = (uint32_t) op->quarantine;

    ngx_http_conflict_shm_set(sh, e, CONFLICT_LEASED, until);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_shm_commit(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    int64_t   mtime;
    unsigned  twice;

    op->leased = 0;
    op->applied = 0;
    op->lost = 0;

    if (e == NULL || !ngx_http_conflict_shm_mine(op, sh, e, 0)) {
        return NGX_OK;
    }

    if (op->minted) {
        e->version = op->fence;

    } else {
        e->version = op->seen.version ? op->seen.version
                                      : op->fence | CONFLICT_VERSION_OPAQUE;
    }

    e->existence = op->seen.existence;
    e->last = e->pending;
    e->certain = 1;
    e->pending = 0;
    e->body = 0;
    e->suspect = 0;

    ngx_http_conflict_failpoint();

    mtime = e->mtime;
    twice = e->twice;

    conflict_mtime_next(&mtime, &twice,
                        (op->seen.mtime == CONFLICT_TIME_NONE)
                        ? ngx_http_conflict_shm_now() : op->seen.mtime);

    e->mtime = mtime;
    e->twice = twice;
    e->dated = 1;

    if (e->overlap) {
        e->chain = 0;
        ngx_http_conflict_shm_set(sh, e, CONFLICT_QUARANTINED,
                                  ngx_http_conflict_shm_overlapped(e));

    } else {
        e->chain = ngx_http_conflict_op_chain(op);
        e->mixed = op->mixed;
        ngx_http_conflict_shm_set(sh, e, CONFLICT_FREE, 0);
    }

    ngx_http_conflict_shm_answer(op, sh, e);
    op->applied = !e->overlap;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_shm_cancel(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    op->leased = 0;

    if (e == NULL || e->fence != op->fence || e->state == CONFLICT_FREE) {
        /* nothing happened, whoever has had the entry since */
        return NGX_OK;
    }

    e->pending = 0;

    if (e->overlap) {
        ngx_http_conflict_shm_set(sh, e, CONFLICT_QUARANTINED,
                                  ngx_http_conflict_shm_overlapped(e));

    } else if (e->known) {
        ngx_http_conflict_shm_set(sh, e, CONFLICT_FREE, 0);

    } else {
        ngx_http_conflict_shm_set(sh, e, CONFLICT_QUARANTINED,
                                  ngx_current_msec);
    }

    ngx_http_conflict_shm_answer(op, sh, e);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_shm_abandon(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    uint64_t  until;

    op->leased = 0;
    op->lost = 0;

    until = ngx_current_msec + op->quarantine;

    if (e && ngx_http_conflict_shm_mine(op, sh, e, until)) {

        if (e->overlap) {
            until = ngx_max(until, ngx_http_conflict_shm_overlapped(e));
        }

        ngx_http_conflict_shm_set(sh, e, CONFLICT_QUARANTINED, until);
    }

    return NGX_OK;
}


/*
 * Is the lease still this operation's?  Where it is not, what this write
 * did, or may do until "until", makes the entry's state less sure.  It is lost
 * to a write that began over no other; one that passed over it was meant to.
 */

static ngx_uint_t
ngx_http_conflict_shm_mine(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e,
    uint64_t until)
{
    conflict_state_e  state;

    state = ngx_http_conflict_shm_state(e);

    if (e->fence == op->fence && state != CONFLICT_FREE) {
        /* even if it ran out: nobody else was let in since */
        return 1;
    }

    op->lost = (op->fence < e->clean);

    until = ngx_max(until, ngx_current_msec);

    /* whoever has the lease cannot tell which came last */
    e->overlap = 1;
    e->proves &= (e->body && op->view && e->view == op->view && !op->part);

    switch (state) {

    case CONFLICT_LEASED:
        break;

    case CONFLICT_QUARANTINED:
        e->until = ngx_max(e->until, until);
        break;

    default:
        ngx_http_conflict_shm_set(sh, e, CONFLICT_QUARANTINED, until);
    }

    return 0;
}


/* until when those that overlapped may land */

static uint64_t
ngx_http_conflict_shm_overlapped(ngx_http_conflict_entry_t *e)
{
    uint64_t  until;

    until = ngx_current_msec + e->quarantine;

    return (e->state == CONFLICT_QUARANTINED) ? ngx_max(until, e->until)
                                              : until;
}
