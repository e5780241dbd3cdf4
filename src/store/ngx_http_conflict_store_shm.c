
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The shared-memory store: the contract's operations, each one critical
 * section.  Here is how a write begins; how it ends is in _store_settle.c,
 * what reads tell in _store_read.c, locks are in _store_lock.c.
 */


#include "store/ngx_http_conflict_shm.h"
#include "store/ngx_http_conflict_survey.h"


static ngx_int_t ngx_http_conflict_shm_run(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_pt work);
static ngx_int_t ngx_http_conflict_shm_op_begin(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_shm_op_renew(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_shm_op_commit(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_shm_op_cancel(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_shm_op_abandon(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_shm_op_peek(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_shm_op_observe(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_shm_op_lock(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_shm_op_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_row_t *row);

static ngx_int_t ngx_http_conflict_shm_begin(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e);
static conflict_verdict_e ngx_http_conflict_shm_verdict(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_entry_t *e);
static ngx_int_t ngx_http_conflict_shm_lease(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e);
static ngx_int_t ngx_http_conflict_shm_unchanged(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e);


const ngx_http_conflict_store_ops_t  ngx_http_conflict_shm_ops = {
    ngx_http_conflict_shm_op_begin,
    ngx_http_conflict_shm_op_renew,
    ngx_http_conflict_shm_op_commit,
    ngx_http_conflict_shm_op_cancel,
    ngx_http_conflict_shm_op_abandon,
    ngx_http_conflict_shm_op_peek,
    ngx_http_conflict_shm_op_observe,
    ngx_http_conflict_shm_op_keep,
    ngx_http_conflict_shm_recall,
    ngx_http_conflict_shm_op_lock,
    NULL,
    NULL,
    ngx_http_conflict_shm_survey
};


static ngx_int_t
ngx_http_conflict_shm_op_begin(ngx_http_conflict_op_t *op)
{
    op->asked = ngx_http_conflict_clock();

    return ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_begin);
}


static ngx_int_t
ngx_http_conflict_shm_op_renew(ngx_http_conflict_op_t *op)
{
    ngx_int_t  rc;

    op->asked = ngx_http_conflict_clock();

    rc = ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_renew);

    if (rc == NGX_OK && !op->lost) {
        op->acked = op->asked;
    }

    return rc;
}


static ngx_int_t
ngx_http_conflict_shm_op_commit(ngx_http_conflict_op_t *op)
{
    return ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_commit);
}


static ngx_int_t
ngx_http_conflict_shm_op_cancel(ngx_http_conflict_op_t *op)
{
    return ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_cancel);
}


static ngx_int_t
ngx_http_conflict_shm_op_abandon(ngx_http_conflict_op_t *op)
{
    return ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_abandon);
}


static ngx_int_t
ngx_http_conflict_shm_op_peek(ngx_http_conflict_op_t *op)
{
    ngx_int_t  rc;

    rc = ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_peek);

    op->held = (rc == NGX_OK && op->rows && ngx_http_conflict_shm_holds(op));

    return rc;
}


/*
 * Both zones have their own locks.  A read that has looked for the row while
 * it was not there yet was beside a write that has begun before that.
 */

static ngx_int_t
ngx_http_conflict_shm_op_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_row_t *row)
{
    ngx_int_t                rc;
    ngx_http_conflict_row_t  unsure;

    if (!row->read) {
        return ngx_http_conflict_shm_keep(op, row);
    }

    if (row->torn
        || ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_unchanged)
           != NGX_OK)
    {
        ngx_http_conflict_shm_drop(op, row);
        return NGX_OK;
    }

    if (row->body.len == 0) {
        return NGX_OK;
    }

    rc = ngx_http_conflict_shm_keep(op, row);

    if (ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_unchanged)
        != NGX_OK)
    {
        unsure = *row;
        ngx_str_null(&unsure.body);
        unsure.hash = 0;

        ngx_http_conflict_shm_drop(op, &unsure);
    }

    return rc;
}


static ngx_int_t
ngx_http_conflict_shm_op_lock(ngx_http_conflict_op_t *op)
{
    return ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_locking);
}


static ngx_int_t
ngx_http_conflict_shm_op_observe(ngx_http_conflict_op_t *op)
{
    return ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_observe);
}


static ngx_int_t
ngx_http_conflict_shm_run(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_pt work)
{
    uint64_t                    hash[2];
    ngx_int_t                   rc;
    ngx_http_conflict_shm_t    *shm;
    ngx_http_conflict_shctx_t  *sh;

    shm = ngx_http_conflict_shm(op);

    op->error = NGX_HTTP_CONFLICT_STORE_FULL;
    op->log = 0;

    sh = ngx_http_conflict_shm_lock(shm);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    conflict_hash_128(hash, op->key.data, op->key.len, sh->seed);

    /* which may begin an era, by which an entry is judged when it is found */
    (void) ngx_http_conflict_shm_closed(shm, sh);

    rc = work(op, sh, ngx_http_conflict_shm_find(sh, hash));

    shm->era = sh->era;

    ngx_http_conflict_shm_unlock(shm, sh);

    return rc;
}


static ngx_int_t
ngx_http_conflict_shm_begin(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    if (ngx_http_conflict_shm_closed(ngx_http_conflict_shm(op), sh)) {
        op->error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        return NGX_ERROR;
    }

    op->verdict = ngx_http_conflict_shm_verdict(op, sh, e);

    if (!op->reads && ngx_http_conflict_shm_locked(op, sh)) {
        op->verdict = CONFLICT_LOCKED;
        op->header = 0;
        op->doubt = 0;
    }

    if (op->verdict == CONFLICT_PASS || op->verdict == CONFLICT_OVERWRITE
        || op->verdict == CONFLICT_COMBINE
        || (op->report && op->verdict != CONFLICT_FETCH))
    {
        ngx_http_conflict_shm_answer(op, sh, e);
        return ngx_http_conflict_shm_lease(op, sh, e);
    }

    if (op->verdict == CONFLICT_FETCH && e == NULL) {
        /* a place for what the GET will show, to tell if it was overtaken */

        e = ngx_http_conflict_shm_new(op, sh);
        if (e == NULL) {
            return NGX_ERROR;
        }

        ngx_http_conflict_shm_set(sh, e, CONFLICT_QUARANTINED,
                                  ngx_current_msec);
    }

    ngx_http_conflict_shm_answer(op, sh, e);

    return NGX_OK;
}


static conflict_verdict_e
ngx_http_conflict_shm_verdict(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    conflict_check_e    check;
    conflict_state_e    state;
    conflict_current_t  current;
    conflict_verdict_e  verdict;

    op->doubt = 0;

    if (e) {
        state = ngx_http_conflict_shm_state(e);

    } else {
        state = (sh->closed > ngx_current_msec) ? CONFLICT_QUARANTINED
                                                : CONFLICT_UNKNOWN;
    }

    if (e == NULL || state == CONFLICT_UNKNOWN) {
        check = op->pre.kinds ? CONFLICT_HOLDS : CONFLICT_NO_BASE;

    } else {
        current.version = e->version;
        current.pending = (state == CONFLICT_FREE) ? 0 : e->fence;
        current.owned = !op->minted;
        current.mtime = e->mtime;
        current.twice = e->twice;
        current.chain = e->chain;
        current.mixed = e->mixed;
        current.existence = e->existence;

        check = conflict_check(&op->pre, &current, op->fresh);
    }

    op->state = state;
    op->header = (check == CONFLICT_FAILED
                  && (op->pre.kinds & CONFLICT_HEADERS));

    verdict = conflict_decide(op->policy, state, check);

    if (verdict == CONFLICT_WAIT && op->force) {
        return CONFLICT_OVERWRITE;
    }

    if ((check == CONFLICT_STALE || check == CONFLICT_FAILED)
        && verdict != CONFLICT_WAIT
        && op->fingerprint && e->last == op->fingerprint)
    {
        /* what a merge has made of it is in the history */

        return e->certain ? CONFLICT_REPLAY
               : (verdict == CONFLICT_COMBINE) ? verdict : CONFLICT_VERIFY;
    }

    /* this store may have forgotten a version: only a GET can tell now */

    op->doubt = (state == CONFLICT_FREE && check == CONFLICT_UNSURE
                 && (op->pre.kinds & CONFLICT_BASE)
                 && op->pre.base > e->version);

    return verdict;
}


static ngx_int_t
ngx_http_conflict_shm_lease(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    if (e == NULL) {
        e = ngx_http_conflict_shm_new(op, sh);
        if (e == NULL) {
            return NGX_ERROR;
        }
    }

    e->known = (op->state == CONFLICT_FREE);
    e->overlap = (op->state == CONFLICT_LEASED
                  || op->state == CONFLICT_QUARANTINED);
    e->proves &= (e->body && op->view && e->view == op->view && !op->part);
    e->fence = ngx_http_conflict_shm_mint(sh, e);
    e->clean = e->overlap ? e->clean : e->fence;
    e->pending = op->fingerprint;
    e->quarantine = (uint32_t) op->quarantine;

    ngx_http_conflict_failpoint();

    /* the process may have been stopped since nginx has looked at its clock */
    ngx_time_update();

    ngx_http_conflict_shm_set(sh, e, CONFLICT_LEASED,
                              ngx_current_msec + op->lease);

    op->version = e->version;
    op->fence = e->fence;
    op->leased = 1;
    op->acked = op->asked;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_shm_unchanged(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_entry_t *e)
{
    return (e && e->state == CONFLICT_FREE && e->fence == op->fence
            && e->version == op->version)
           ? NGX_OK : NGX_DECLINED;
}
