
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The shared-memory store: the operations that renew or end a lease.  Under
 * the zone's lock.
 */


#include "store/shm/ngx_http_conflict_shm.h"


static ngx_uint_t ngx_http_conflict_shm_settle_has_lease(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e, uint64_t until);
static void ngx_http_conflict_shm_settle_extra(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_entry_t *e);
static uint64_t ngx_http_conflict_shm_settle_until(
    ngx_http_conflict_shm_entry_t *e);


ngx_uint_t
ngx_http_conflict_shm_settle_leased(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_entry_t *e)
{
    return op->out.leased && e && e->fence == op->out.fence
           && ngx_http_conflict_shm_entry_state(e) == CONFLICT_LEASED;
}


ngx_int_t
ngx_http_conflict_shm_settle_renew(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    uint64_t  until, landed;

    op->out.asked = ngx_http_conflict_clock_msec();
    op->out.lost = 0;

    ngx_time_update();

    until = ngx_current_msec + op->in.lease;

    if (e) {
        landed = until + op->in.quarantine;

        if (ngx_http_conflict_shm_settle_has_lease(op, sh, e, landed)) {
            ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_LEASED, until);
        }

        if (!op->out.lost) {
            op->out.acked = op->out.asked;
        }

        return NGX_OK;
    }

    /* the zone was rebuilt while this write is at the upstream */

    e = ngx_http_conflict_shm_entry_new(op, sh);
    if (e == NULL) {
        return NGX_ERROR;
    }

    e->version = op->out.version;
    e->fence = op->out.fence;
    e->pending = op->in.fingerprint;
    e->overlap = (op->in.policy <= CONFLICT_CLIENT_WINS || op->in.report
                  || sh->closed <= ngx_current_msec);
    e->quarantine = (uint32_t) op->in.quarantine;

    ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_LEASED, until);

    op->out.acked = op->out.asked;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_shm_settle_commit(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    int64_t   mtime;
    uint64_t  version;

    op->out.leased = 0;
    op->out.applied = 0;
    op->out.lost = 0;

    if (e == NULL || !ngx_http_conflict_shm_settle_has_lease(op, sh, e, 0)) {
        return NGX_OK;
    }

    if (op->in.minted) {
        e->version = op->out.fence;

    } else {
        version = op->in.observed.version;
        e->version = version ? version
                             : op->out.fence | CONFLICT_VERSION_OPAQUE;
    }

    e->existence = op->in.observed.existence;
    e->last = e->pending;
    e->certain = 1;
    e->pending = 0;
    e->body = 0;
    e->suspect = 0;

    ngx_http_conflict_failpoint_hit();

    mtime = op->in.observed.mtime;

    if (mtime == CONFLICT_TIME_NONE) {
        mtime = ngx_http_conflict_clock_usec();
    }

    ngx_http_conflict_shm_entry_changed(e, mtime);
    e->mtime_exact = 1;

    ngx_http_conflict_shm_settle_extra(op, e);

    if (e->overlap) {
        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_QUARANTINED,
                                        ngx_http_conflict_shm_settle_until(e));

    } else {
        e->mixed = op->in.mixed;
        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_FREE, 0);
    }

    ngx_http_conflict_shm_entry_answer(op, sh, e);
    op->out.applied = !e->overlap;

    return NGX_OK;
}


/* the link and the edit that have made the version */

static void
ngx_http_conflict_shm_settle_extra(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_entry_t *e)
{
    ngx_http_conflict_shm_extra_t  *extra;

    extra = e->extra;

    if (extra == NULL) {
        return;
    }

    extra->chain = e->overlap ? 0 : ngx_http_conflict_op_chain(op);
    extra->edit = extra->pending;

    ngx_http_conflict_failpoint_hit();

    extra->pending.time = CONFLICT_EDIT_NONE;

    if (extra->chain == 0 && extra->edit.time == CONFLICT_EDIT_NONE) {
        e->extra = NULL;
        ngx_slab_free_locked(ngx_http_conflict_shm(op)->shpool, extra);
    }
}


ngx_int_t
ngx_http_conflict_shm_settle_cancel(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    op->out.leased = 0;

    if (e == NULL || e->fence != op->out.fence || e->state == CONFLICT_FREE) {
        /* the write has changed nothing, so the entry stays as it is */
        return NGX_OK;
    }

    e->pending = 0;

    if (e->extra) {
        e->extra->pending.time = CONFLICT_EDIT_NONE;
    }

    if (e->overlap) {
        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_QUARANTINED,
                                        ngx_http_conflict_shm_settle_until(e));

    } else if (e->known) {
        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_FREE, 0);

    } else {
        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_QUARANTINED,
                                        ngx_current_msec);
    }

    ngx_http_conflict_shm_entry_answer(op, sh, e);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_shm_settle_abandon(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    uint64_t  until;

    op->out.leased = 0;
    op->out.lost = 0;

    until = ngx_current_msec + op->in.quarantine;

    if (e && ngx_http_conflict_shm_settle_has_lease(op, sh, e, until)) {

        if (e->overlap) {
            until = ngx_max(until, ngx_http_conflict_shm_settle_until(e));
        }

        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_QUARANTINED, until);
    }

    return NGX_OK;
}


/*
 * 1 if the operation still has the lease.  If not, this write, which may land
 * until "until", makes the state of the entry less certain.  The lease is lost
 * to a write that began with no other in flight; one that overlaps another
 * write is allowed to.
 */

static ngx_uint_t
ngx_http_conflict_shm_settle_has_lease(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e,
    uint64_t until)
{
    conflict_state_e  state;

    state = ngx_http_conflict_shm_entry_state(e);

    if (e->fence == op->out.fence && state != CONFLICT_FREE) {
        /* expired, but no other write has acquired it */
        return 1;
    }

    op->out.lost = (op->out.fence < e->clean);

    until = ngx_max(until, ngx_current_msec);

    /* the holder of the lease cannot determine which write was last */
    e->overlap = 1;
    e->proves &= (e->body && op->in.view && e->view == op->in.view
                  && !op->in.part);

    switch (state) {

    case CONFLICT_LEASED:
        break;

    case CONFLICT_QUARANTINED:
        e->until = ngx_max(e->until, until);
        break;

    default:
        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_QUARANTINED, until);
    }

    return 0;
}


/* the time until which overlapped writes may land */

static uint64_t
ngx_http_conflict_shm_settle_until(ngx_http_conflict_shm_entry_t *e)
{
    uint64_t  until;

    until = ngx_current_msec + e->quarantine;

    return (e->state == CONFLICT_QUARANTINED) ? ngx_max(until, e->until)
                                              : until;
}
