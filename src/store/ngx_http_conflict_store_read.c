
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The shared-memory store: what reads ask and tell, how entries begin, and
 * how their versions and dates are made.  Under the zone's lock.
 */


#include "store/ngx_http_conflict_shm.h"


static void ngx_http_conflict_shm_revalidate(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e);
static void ngx_http_conflict_shm_renumber(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e);
static ngx_uint_t ngx_http_conflict_shm_read(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e);
static ngx_uint_t ngx_http_conflict_shm_other(ngx_http_conflict_op_t *op,
    ngx_http_conflict_entry_t *e);
static void ngx_http_conflict_shm_own(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e);
static void ngx_http_conflict_shm_date(ngx_http_conflict_op_t *op,
    ngx_http_conflict_entry_t *e, ngx_uint_t changed);


ngx_int_t
ngx_http_conflict_shm_peek(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    if (ngx_http_conflict_shm_closed(ngx_http_conflict_shm(op), sh)) {
        op->error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        return NGX_ERROR;
    }

    if (e == NULL && !op->minted) {
        /* no read of a client says which version is current */
        op->state = (sh->closed > ngx_current_msec) ? CONFLICT_QUARANTINED
                                                    : CONFLICT_UNKNOWN;
        ngx_http_conflict_shm_answer(op, sh, NULL);
        return NGX_OK;
    }

    if (e == NULL) {
        e = ngx_http_conflict_shm_new(op, sh);
        if (e == NULL) {
            return NGX_ERROR;
        }

        /* what is about to be read did not change later than now */
        e->mtime = ngx_http_conflict_shm_now();

        if (sh->closed > ngx_current_msec) {
            ngx_http_conflict_shm_set(sh, e, CONFLICT_QUARANTINED, sh->closed);
        }
    }

    op->state = ngx_http_conflict_shm_state(e);

    if (op->state == CONFLICT_UNKNOWN && op->minted
        && !(e->body && e->proves && e->view == op->view))
    {
        /* no body of this view proves that the version is still that one */

        ngx_http_conflict_shm_renumber(op, sh, e);
        op->state = CONFLICT_FREE;
    }

    if (op->state == CONFLICT_FREE) {
        /* the newest of its queue */
        ngx_http_conflict_shm_set(sh, e, CONFLICT_FREE, 0);
    }

    ngx_http_conflict_shm_answer(op, sh, e);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_shm_observe(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    conflict_state_e  state;

    op->applied = 0;
    op->external = 0;

    if (e == NULL || e->fence != op->fence || e->version != op->version) {
        /* something else has happened since */
        return NGX_OK;
    }

    state = ngx_http_conflict_shm_state(e);

    if (state == CONFLICT_FREE && !(op->doubt && op->seen.latest)) {

        if (!ngx_http_conflict_shm_read(op, sh, e)) {
            return NGX_OK;
        }

    } else if (op->seen.latest && (state == CONFLICT_FREE
                                   || state == CONFLICT_UNKNOWN))
    {
        ngx_http_conflict_shm_revalidate(op, sh, e);

    } else {
        return NGX_OK;
    }

    ngx_http_conflict_shm_answer(op, sh, e);
    op->applied = 1;

    return NGX_OK;
}


/*
 * An unknown state ends.  Where the body is the one shown under this version
 * in the same view, which is that of all writes since, the version stays; so
 * do bases that clients hold.
 */

static void
ngx_http_conflict_shm_revalidate(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    ngx_uint_t  same, changed, comparable;

    /* what was known of it and is not so any more */

    changed = (e->existence != CONFLICT_MAY_EXIST
               && e->existence != op->seen.existence);

    if (op->minted) {
        comparable = (e->body && op->seen.body && e->view == op->seen.view);
        same = (comparable && e->body == op->seen.body);
        changed |= (comparable && !same);

        same &= e->proves;

        if (!same) {
            e->fence = ngx_http_conflict_shm_mint(sh, e);
            e->version = e->fence;
        }

    } else {
        same = (e->version == op->seen.version);
        changed |= (e->version && !same);
        ngx_http_conflict_shm_own(op, sh, e);
    }

    ngx_http_conflict_failpoint();

    ngx_http_conflict_shm_date(op, e, !same);

    if (!same) {
        e->chain = 0;
    }

    if (e->pending) {
        /* whether this write has changed it is for the body to show */
        e->last = changed ? e->pending : 0;
        e->pending = 0;
        e->certain = 0;
    }

    op->external = (e->suspect && changed);

    e->body = op->seen.body;
    e->view = op->seen.view;
    e->existence = op->seen.existence;
    e->overlap = 0;
    e->suspect = 0;

    ngx_http_conflict_shm_set(sh, e, CONFLICT_FREE, 0);
}


/* an unknown state ends with a version that only later reads will show */

static void
ngx_http_conflict_shm_renumber(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    int64_t   mtime;
    unsigned  twice;

    e->fence = ngx_http_conflict_shm_mint(sh, e);
    e->version = e->fence;

    ngx_http_conflict_failpoint();

    mtime = e->mtime;
    twice = e->twice;

    conflict_mtime_next(&mtime, &twice, ngx_http_conflict_shm_now());

    e->mtime = mtime;
    e->twice = twice;
    e->existence = CONFLICT_MAY_EXIST;
    e->body = 0;
    e->chain = 0;
    e->last = 0;
    e->pending = 0;
    e->overlap = 0;
    e->suspect = 0;

    ngx_http_conflict_shm_set(sh, e, CONFLICT_FREE, 0);
}


/*
 * A read that fell between two writes, or beside none.  1: it has told
 * something.
 */

static ngx_uint_t
ngx_http_conflict_shm_read(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
#if (CONFLICT_BROKEN == 3)
    if (!op->minted && op->seen.version) {
        e->version = op->seen.version;
    }
#endif

    if (ngx_http_conflict_shm_other(op, e)) {

        if (!op->minted && conflict_version_older(op->seen.version,
                                                  e->version))
        {
            /* a replica that lags behind, or an old revision */
            return 0;
        }

        /* which of both is current only a GET of our own can tell */

        op->external = (op->minted || conflict_version_older(e->version,
                                                       op->seen.version));
        e->suspect = !op->external;

        ngx_http_conflict_shm_set(sh, e, CONFLICT_QUARANTINED,
                                  ngx_current_msec);
        return 1;
    }

    if (op->seen.body && (e->body == 0 || e->view == op->seen.view)) {
        /* else what another view was shown stays: it proves as much */
        e->body = op->seen.body;
        e->view = op->seen.view;
    }

    ngx_http_conflict_shm_date(op, e, 0);

    e->existence = op->seen.existence;

    ngx_http_conflict_shm_set(sh, e, CONFLICT_FREE, 0);

    return 1;
}


/* is it another version, or another resource, than the one that is known? */

static ngx_uint_t
ngx_http_conflict_shm_other(ngx_http_conflict_op_t *op,
    ngx_http_conflict_entry_t *e)
{
    if (op->minted) {
        return e->existence != CONFLICT_MAY_EXIST
               && e->existence != op->seen.existence;
    }

    return op->seen.version ? e->version != op->seen.version
                            : e->existence == CONFLICT_EXISTS;
}


/* the upstream's own version; a resource that is gone gets one of ours */

static void
ngx_http_conflict_shm_own(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    if (op->seen.version) {
        e->version = op->seen.version;
        return;
    }

    e->fence = ngx_http_conflict_shm_mint(sh, e);
    e->version = e->fence | CONFLICT_VERSION_OPAQUE;
}


/* when it changed, after a read; a write is dated by its commit */

static void
ngx_http_conflict_shm_date(ngx_http_conflict_op_t *op,
    ngx_http_conflict_entry_t *e, ngx_uint_t changed)
{
    int64_t   mtime;
    unsigned  twice;

    mtime = e->mtime;
    twice = e->twice;

    if (op->seen.mtime == CONFLICT_TIME_NONE) {

        if (changed) {
            conflict_mtime_next(&mtime, &twice, ngx_http_conflict_shm_now());
        }

    } else if (!e->dated) {
        mtime = op->seen.mtime;
        twice = 0;

    } else if (changed) {
        conflict_mtime_next(&mtime, &twice, op->seen.mtime);

    } else {
        conflict_mtime_see(&mtime, &twice, op->seen.mtime);
    }

    e->mtime = mtime;
    e->twice = twice;
    e->dated |= (changed || op->seen.mtime != CONFLICT_TIME_NONE);
}


ngx_http_conflict_entry_t *
ngx_http_conflict_shm_new(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh)
{
    uint64_t                    hash[2];
    ngx_http_conflict_entry_t  *e;

    conflict_hash_128(hash, op->key.data, op->key.len, sh->seed);

    e = ngx_http_conflict_shm_insert(ngx_http_conflict_shm(op), sh, hash);

    if (e == NULL) {

        /* the other workers' clocks may be ahead of this one's */

        if (!sh->full
            || (ngx_msec_int_t) (ngx_current_msec - sh->full_logged) >= 10000)
        {
            sh->full = 1;
            sh->full_logged = ngx_current_msec;
            op->log = 1;
        }

        return NULL;
    }

    e->fence = ngx_http_conflict_shm_mint(sh, e);
    e->version = op->minted ? e->fence : 0;
    e->mtime = CONFLICT_TIME_NONE;

    return e;
}


void
ngx_http_conflict_shm_answer(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    uint64_t  until;

    if (e) {
        op->present = 1;
        op->version = e->version;
        op->fence = e->fence;
        op->body = e->body;
        op->body_view = e->view;
        op->mtime = e->mtime;
        op->twice = e->twice;
        op->dated = e->dated;
        op->existence = e->existence;
        until = e->until;

        if (e->state == CONFLICT_LEASED) {
            until += e->quarantine;
        }

    } else {
        op->present = 0;
        op->version = 0;
        op->fence = 0;
        op->body = 0;
        op->body_view = 0;
        op->mtime = CONFLICT_TIME_NONE;
        op->twice = 0;
        op->dated = 0;
        op->existence = CONFLICT_MAY_EXIST;
        until = sh->closed;
    }

    op->wait = (until > ngx_current_msec) ? until - ngx_current_msec : 0;
    op->settling = (op->state == CONFLICT_QUARANTINED
                    && sh->closed > ngx_current_msec);
}


uint64_t
ngx_http_conflict_shm_mint(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_entry_t *e)
{
    uint64_t     previous, now;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    previous = e->fence ? e->fence : sh->floor;

    if (e->version < CONFLICT_VERSION_LIMIT) {
        previous = ngx_max(previous, e->version);
    }

    now = conflict_version_next(previous, now);

    sh->highest = ngx_max(sh->highest, now);

    return now;
}


int64_t
ngx_http_conflict_shm_now(void)
{
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (int64_t) tv.tv_sec * CONFLICT_TIME_SECOND + tv.tv_usec;
}
