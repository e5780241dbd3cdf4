
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The shared-memory store: the version before a read, and the observation of
 * what a read has shown.  Under the zone's lock.
 */


#include "store/shm/ngx_http_conflict_shm.h"


static void ngx_http_conflict_shm_read_revalidate(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
static void ngx_http_conflict_shm_read_edit(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e,
    const conflict_edit_t *last, ngx_uint_t changed);
static void ngx_http_conflict_shm_read_renumber(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e);
static ngx_uint_t ngx_http_conflict_shm_read_compare(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
static ngx_uint_t ngx_http_conflict_shm_read_differs(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_entry_t *e);
static void ngx_http_conflict_shm_read_set_owned(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
static void ngx_http_conflict_shm_read_date(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_entry_t *e, ngx_uint_t changed);


ngx_int_t
ngx_http_conflict_shm_read_version(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    if (ngx_http_conflict_shm_zone_closed(ngx_http_conflict_shm(op), sh)) {
        op->out.error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        return NGX_ERROR;
    }

    if (e == NULL && !op->in.minted) {
        /* a read of a client does not prove which version is current */
        op->out.state = (sh->closed > ngx_current_msec) ? CONFLICT_QUARANTINED
                                                        : CONFLICT_UNKNOWN;
        ngx_http_conflict_shm_entry_answer(op, sh, NULL);
        return NGX_OK;
    }

    if (e == NULL) {
        e = ngx_http_conflict_shm_entry_new(op, sh);
        if (e == NULL) {
            return NGX_ERROR;
        }

        /* the representation to be read was not changed later than now */
        e->mtime = ngx_http_conflict_clock_usec();

        if (sh->closed > ngx_current_msec) {
            ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_QUARANTINED,
                                            sh->closed);
        }
    }

    op->out.state = ngx_http_conflict_shm_entry_state(e);

    if (op->out.state == CONFLICT_UNKNOWN && op->in.minted
        && !(e->body && e->proves && e->view == op->in.view))
    {
        /* no body in this view proves that the version is still current */

        ngx_http_conflict_shm_read_renumber(sh, e);
        op->out.state = CONFLICT_FREE;
    }

    if (op->out.state == CONFLICT_FREE) {
        /* moves it to the head of its queue */
        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_FREE, 0);
    }

    ngx_http_conflict_shm_entry_answer(op, sh, e);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_shm_read_observe(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    conflict_state_e  state;

    op->out.applied = 0;
    op->out.external = 0;

    if (e == NULL || e->fence != op->out.fence
        || e->version != op->out.version)
    {
        /* the entry has changed since */
        return NGX_OK;
    }

    state = ngx_http_conflict_shm_entry_state(e);

    if (state == CONFLICT_FREE
        && !(op->out.store_behind && op->in.observed.latest))
    {
        if (!ngx_http_conflict_shm_read_compare(op, sh, e)) {
            return NGX_OK;
        }

    } else if (op->in.observed.latest
               && (state == CONFLICT_FREE || state == CONFLICT_UNKNOWN
                   || (!e->overlap
                       && ngx_http_conflict_shm_settle_leased(op, e))))
    {
        ngx_http_conflict_shm_read_revalidate(op, sh, e);

    } else {
        return NGX_OK;
    }

    ngx_http_conflict_shm_entry_answer(op, sh, e);
    op->out.applied = 1;

    return NGX_OK;
}


/*
 * Resolves an unknown state.  If the body is the one that was shown under this
 * version in the same view, and all later writes are of that view, the version
 * stays, and with it the bases that clients have.
 */

static void
ngx_http_conflict_shm_read_revalidate(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    ngx_uint_t       same, changed, comparable;
    conflict_edit_t  last;

    /* the resource differs from what was known of it */

    changed = (e->existence != CONFLICT_MAY_EXIST
               && e->existence != op->in.observed.existence
               && !(e->existence == CONFLICT_DELETED
                    && op->in.observed.existence == CONFLICT_NOT_SHOWN));

    if (op->in.minted) {
        comparable = (e->body && op->in.observed.body
                      && e->view == op->in.observed.view);
        same = (comparable && e->body == op->in.observed.body);
        changed |= (comparable && !same);

        same &= e->proves;

        if (!same) {
            e->fence = ngx_http_conflict_shm_entry_mint(sh, e);
            e->version = e->fence;
        }

    } else {
        same = (e->version == op->in.observed.version);
        changed |= (e->version && !same);
        ngx_http_conflict_shm_read_set_owned(op, sh, e);
    }

    ngx_http_conflict_failpoint_hit();

    last = ngx_http_conflict_shm_entry_edit_last(e);

    ngx_http_conflict_shm_read_date(op, e, !same);

    if (!same) {
        /* the history was asked for the version before */
        op->out.history_has = 0;

        ngx_http_conflict_shm_entry_unlink(e);
        ngx_http_conflict_shm_read_edit(op, sh, e, &last, changed);
    }

    if (e->extra) {
        e->extra->pending.time = CONFLICT_EDIT_NONE;
    }

    if (e->pending) {
        /* only the body can show whether the write was applied */
        e->last = changed ? e->pending : 0;
        e->pending = 0;
        e->certain = 0;
    }

    /* a 404, before or now, may be for its caller alone */

    op->out.external = (e->suspect && changed
                        && e->existence != CONFLICT_NOT_SHOWN
                        && op->in.observed.existence != CONFLICT_NOT_SHOWN);

    e->body = op->in.observed.body;
    e->view = op->in.observed.view;
    e->existence = op->in.observed.existence;
    e->overlap = 0;
    e->suspect = 0;

    if (e->state == CONFLICT_LEASED) {
        /* the version may be as high as the fence */
        e->fence = ngx_http_conflict_shm_entry_mint(sh, e);
        e->clean = e->fence;
        e->known = 1;
        e->proves = 1;

    } else {
        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_FREE, 0);
        ngx_http_conflict_shm_entry_renew(sh, e);
    }
}


/*
 * The edit that counts as the one that made a version which a GET has found:
 * "last" if that may be a write of unknown outcome, or nothing else is known.
 * A date that was shown, or the time at which a change was found, is in mtime.
 */

static void
ngx_http_conflict_shm_read_edit(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e,
    const conflict_edit_t *last, ngx_uint_t changed)
{
    ngx_uint_t  pending, dated;

    pending = (e->extra && e->extra->pending.time != CONFLICT_EDIT_NONE);
    dated = (op->in.observed.mtime != CONFLICT_TIME_NONE);

    if (!op->in.edits && !pending
        && !(e->extra && e->extra->edit.time != CONFLICT_EDIT_NONE))
    {
        return;
    }

    if (ngx_http_conflict_shm_entry_extend(ngx_http_conflict_shm(op), sh, e)
        != NGX_OK)
    {
        return;
    }

    e->extra->edit = *last;

    if (pending ? (dated && e->mtime > last->time) : (dated || changed)) {
        e->extra->edit.time = CONFLICT_EDIT_NONE;
    }
}


/* resolves an unknown state with a version that only later reads show */

static void
ngx_http_conflict_shm_read_renumber(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e)
{
    e->fence = ngx_http_conflict_shm_entry_mint(sh, e);
    e->version = e->fence;

    ngx_http_conflict_failpoint_hit();

    ngx_http_conflict_shm_entry_unlink(e);

    if (e->extra && (e->extra->edit.time != CONFLICT_EDIT_NONE
                     || e->extra->pending.time != CONFLICT_EDIT_NONE))
    {
        e->extra->edit = ngx_http_conflict_shm_entry_edit_last(e);
        e->extra->pending.time = CONFLICT_EDIT_NONE;
    }

    ngx_http_conflict_shm_entry_changed(e, ngx_http_conflict_clock_usec());

    e->existence = CONFLICT_MAY_EXIST;
    e->body = 0;
    e->last = 0;
    e->pending = 0;
    e->overlap = 0;
    e->suspect = 0;

    ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_FREE, 0);
}


/*
 * A read while no write was in flight.  Returns 0 if it is to be ignored.
 */

static ngx_uint_t
ngx_http_conflict_shm_read_compare(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    uint64_t  version;

#if (CONFLICT_BROKEN == 3)
    if (!op->in.minted && op->in.observed.version) {
        e->version = op->in.observed.version;
    }
#endif

    if (ngx_http_conflict_shm_read_differs(op, e)) {

        version = op->in.observed.version;

        if (!op->in.minted && conflict_version_older(version, e->version)) {
            /* a lagging replica, or an old revision */
            return 0;
        }

        /* only an own GET can determine which of both is current */

        op->out.external = (op->in.minted
                            || conflict_version_older(e->version, version));
        e->suspect = !op->out.external;

        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_QUARANTINED,
                                        ngx_current_msec);
        return 1;
    }

    if (op->in.observed.body
        && (e->body == 0 || e->view == op->in.observed.view))
    {
        /* a body that another view was shown proves as much */
        e->body = op->in.observed.body;
        e->view = op->in.observed.view;
    }

    ngx_http_conflict_shm_read_date(op, e, 0);

    if (op->in.observed.existence != CONFLICT_NOT_SHOWN
        || e->existence == CONFLICT_MAY_EXIST)
    {
        e->existence = op->in.observed.existence;
    }

    ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_FREE, 0);

    return 1;
}


/* 1 if another version or existence was shown than the known one */

static ngx_uint_t
ngx_http_conflict_shm_read_differs(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_entry_t *e)
{
    if (op->in.minted) {
        return conflict_decide_contradicts(e->existence,
                                           op->in.observed.existence);
    }

    return op->in.observed.version ? e->version != op->in.observed.version
                                   : e->existence == CONFLICT_EXISTS;
}


/* the version owned by the upstream; minted for a deleted resource */

static void
ngx_http_conflict_shm_read_set_owned(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    if (op->in.observed.version) {
        e->version = op->in.observed.version;
        return;
    }

    e->fence = ngx_http_conflict_shm_entry_mint(sh, e);
    e->version = e->fence | CONFLICT_VERSION_OPAQUE;
}


/* the modification time after a read; a commit sets that of a write */

static void
ngx_http_conflict_shm_read_date(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_entry_t *e, ngx_uint_t changed)
{
    int64_t   mtime;
    unsigned  reused;

    mtime = e->mtime;
    reused = e->second_reused;

    if (op->in.observed.mtime == CONFLICT_TIME_NONE) {

        if (changed) {
            conflict_mtime_next(&mtime, &reused,
                                ngx_http_conflict_clock_usec());
        }

    } else if (!e->mtime_exact) {
        mtime = op->in.observed.mtime;
        reused = 0;

    } else if (changed) {
        conflict_mtime_next(&mtime, &reused, op->in.observed.mtime);

    } else {
        conflict_mtime_observe(&mtime, &reused, op->in.observed.mtime);
    }

    e->mtime = mtime;
    e->second_reused = reused;
    e->mtime_exact |= (changed || op->in.observed.mtime != CONFLICT_TIME_NONE);
}
