
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The shared-memory store: the operations of the contract, and the begin of a
 * write.  Settling is in shm_settle.c, reads in shm_read.c, locks in
 * shm_lock.c, bodies in shm_history.c.
 */


#include "store/shm/ngx_http_conflict_shm.h"
#include "store/ngx_http_conflict_snapshot.h"


static ngx_int_t ngx_http_conflict_shm_run(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_pt work);
static ngx_int_t ngx_http_conflict_shm_peek(ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_shm_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record);

static ngx_int_t ngx_http_conflict_shm_begin(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
static ngx_uint_t ngx_http_conflict_shm_passes(ngx_http_conflict_op_t *op);
static conflict_verdict_e ngx_http_conflict_shm_verdict(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e);
static conflict_state_e ngx_http_conflict_shm_state(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
static conflict_verdict_e ngx_http_conflict_shm_edited(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_entry_t *e,
    conflict_verdict_e verdict, conflict_check_e check);
static ngx_int_t ngx_http_conflict_shm_edit_begin(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
static ngx_int_t ngx_http_conflict_shm_lease(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
static ngx_int_t ngx_http_conflict_shm_unchanged(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);


/* a call of the contract, in one critical section */

#define NGX_HTTP_CONFLICT_SHM_CALL(name, work)                                \
    static ngx_int_t                                                          \
    name(ngx_http_conflict_op_t *op)                                          \
    {                                                                         \
        return ngx_http_conflict_shm_run(op, work);                           \
    }

NGX_HTTP_CONFLICT_SHM_CALL(ngx_http_conflict_shm_call_begin,
                           ngx_http_conflict_shm_begin)
NGX_HTTP_CONFLICT_SHM_CALL(ngx_http_conflict_shm_call_renew,
                           ngx_http_conflict_shm_settle_renew)
NGX_HTTP_CONFLICT_SHM_CALL(ngx_http_conflict_shm_call_commit,
                           ngx_http_conflict_shm_settle_commit)
NGX_HTTP_CONFLICT_SHM_CALL(ngx_http_conflict_shm_call_cancel,
                           ngx_http_conflict_shm_settle_cancel)
NGX_HTTP_CONFLICT_SHM_CALL(ngx_http_conflict_shm_call_abandon,
                           ngx_http_conflict_shm_settle_abandon)
NGX_HTTP_CONFLICT_SHM_CALL(ngx_http_conflict_shm_call_observe,
                           ngx_http_conflict_shm_read_observe)
NGX_HTTP_CONFLICT_SHM_CALL(ngx_http_conflict_shm_call_lock,
                           ngx_http_conflict_shm_lock_request)


const ngx_http_conflict_store_ops_t  ngx_http_conflict_shm_ops = {
    ngx_http_conflict_shm_call_begin,
    ngx_http_conflict_shm_call_renew,
    ngx_http_conflict_shm_call_commit,
    ngx_http_conflict_shm_call_cancel,
    ngx_http_conflict_shm_call_abandon,
    ngx_http_conflict_shm_peek,
    ngx_http_conflict_shm_call_observe,
    ngx_http_conflict_shm_keep,
    ngx_http_conflict_shm_history_recall,
    ngx_http_conflict_shm_versions,
    ngx_http_conflict_shm_call_lock,
    ngx_http_conflict_shm_items_mark,
    ngx_http_conflict_shm_items_versions,
    NULL,
    NULL,
    ngx_http_conflict_shm_snapshot_take,
    ngx_http_conflict_shm_blob
};


static ngx_int_t
ngx_http_conflict_shm_peek(ngx_http_conflict_op_t *op)
{
    ngx_int_t  rc;

    rc = ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_read_version);

    op->out.history_has = (rc == NGX_OK && op->in.records
                           && ngx_http_conflict_shm_history_has(op));

    return rc;
}


/*
 * Each zone has its own lock.  A read that looked for the record before it was
 * stored ran concurrently with a write that had begun earlier.
 */

static ngx_int_t
ngx_http_conflict_shm_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record)
{
    ngx_int_t                   rc;
    ngx_http_conflict_record_t  unsure;

    if (!record->read) {
        return ngx_http_conflict_shm_history_keep(op, record);
    }

    if (record->torn
        || ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_unchanged)
           != NGX_OK)
    {
        ngx_http_conflict_shm_history_drop(op, record);
        return NGX_OK;
    }

    if (record->body.len == 0) {
        return NGX_OK;
    }

    rc = ngx_http_conflict_shm_history_keep(op, record);

    if (ngx_http_conflict_shm_run(op, ngx_http_conflict_shm_unchanged)
        != NGX_OK)
    {
        unsure = *record;
        ngx_str_null(&unsure.body);
        unsure.hash = 0;

        ngx_http_conflict_shm_history_drop(op, &unsure);
    }

    return rc;
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

    op->out.error = NGX_HTTP_CONFLICT_STORE_FULL;
    op->out.full = NULL;

    sh = ngx_http_conflict_shm_zone_lock(shm);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    conflict_hash_128(hash, op->key.data, op->key.len, sh->seed);

    /* may begin an era, which determines whether an entry is trusted */
    (void) ngx_http_conflict_shm_zone_closed(shm, sh);

    rc = work(op, sh, ngx_http_conflict_shm_entry_find(sh, hash));

    shm->era = sh->era;

    ngx_http_conflict_shm_zone_unlock(shm);

    return rc;
}


static ngx_int_t
ngx_http_conflict_shm_begin(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    op->out.asked = ngx_http_conflict_clock_msec();

    if (ngx_http_conflict_shm_zone_closed(ngx_http_conflict_shm(op), sh)) {
        op->out.error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        return NGX_ERROR;
    }

    op->out.leased = (op->in.lookup
                      && ngx_http_conflict_shm_settle_leased(op, e));

    op->out.verdict = ngx_http_conflict_shm_verdict(op, sh, e);

    if (!op->in.reads && ngx_http_conflict_shm_lock_denies(op, sh)) {
        op->out.verdict = CONFLICT_LOCKED;
        op->out.header = 0;
        op->out.store_behind = 0;
    }

    if (ngx_http_conflict_shm_passes(op)
        || (op->in.lookup && op->out.verdict == CONFLICT_FETCH))
    {
        ngx_http_conflict_shm_entry_answer(op, sh, e);
        return ngx_http_conflict_shm_lease(op, sh, e);
    }

    if (op->out.verdict == CONFLICT_FETCH && e == NULL) {
        /* an entry for the GET's result, to detect writes in between */

        e = ngx_http_conflict_shm_entry_new(op, sh);
        if (e == NULL) {
            return NGX_ERROR;
        }

        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_QUARANTINED,
                                        ngx_current_msec);
    }

    ngx_http_conflict_shm_entry_answer(op, sh, e);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_conflict_shm_passes(ngx_http_conflict_op_t *op)
{
    return op->out.verdict == CONFLICT_PASS
           || op->out.verdict == CONFLICT_OVERWRITE
           || op->out.verdict == CONFLICT_COMBINE
           || (op->in.report && op->out.verdict != CONFLICT_FETCH);
}


static conflict_verdict_e
ngx_http_conflict_shm_verdict(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    ngx_uint_t          stale;
    conflict_check_e    check;
    conflict_state_e    state;
    conflict_current_t  current;
    conflict_verdict_e  verdict;

    op->out.store_behind = 0;

    state = ngx_http_conflict_shm_state(op, sh, e);

    if (e == NULL || state == CONFLICT_UNKNOWN) {
        check = op->in.pre.kinds ? CONFLICT_HOLDS : CONFLICT_NO_BASE;

    } else {
        current.version = e->version;
        current.pending = (state == CONFLICT_FREE) ? 0 : e->fence;
        current.owned = !op->in.minted;
        current.mtime = e->mtime;
        current.second_reused = e->second_reused;
        current.chain = e->extra ? e->extra->chain : 0;
        current.mixed = e->mixed;
        current.existence = e->existence;

        check = conflict_decide_precondition(&op->in.pre, &current,
                                             op->in.just_observed);
    }

    op->out.state = state;
    op->out.header = (check == CONFLICT_FAILED
                      && (op->in.pre.kinds & CONFLICT_HEADERS));

    verdict = conflict_decide(op->in.policy, state, check);
    stale = (check == CONFLICT_STALE || check == CONFLICT_FAILED);

    if (verdict == CONFLICT_WAIT && op->in.wait_over) {
        return CONFLICT_OVERWRITE;
    }

    if (op->in.edits) {
        verdict = ngx_http_conflict_shm_edited(op, e, verdict, check);
        stale |= (verdict == CONFLICT_DROP);
    }

    if (stale && verdict != CONFLICT_WAIT
        && op->in.fingerprint && e->last == op->in.fingerprint)
    {
        /* for a merge, the body that it has made is in the history */

        return e->certain ? CONFLICT_REPLAY
               : (verdict == CONFLICT_COMBINE) ? verdict : CONFLICT_VERIFY;
    }

    /* the store may have lost a version: only a GET can resolve this */

    op->out.store_behind = (state == CONFLICT_FREE && check == CONFLICT_UNSURE
                            && (op->in.pre.kinds & CONFLICT_BASE)
                            && op->in.pre.base > e->version);

    return verdict;
}


static conflict_state_e
ngx_http_conflict_shm_state(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    if (op->out.leased) {
        /* its GET has shown the version, unless a write has ended late */
        return (e->known && !e->overlap) ? CONFLICT_FREE : CONFLICT_UNKNOWN;
    }

    if (e) {
        return ngx_http_conflict_shm_entry_state(e);
    }

    return (sh->closed > ngx_current_msec) ? CONFLICT_QUARANTINED
                                           : CONFLICT_UNKNOWN;
}


/* the edit is compared with that of the current version */

static conflict_verdict_e
ngx_http_conflict_shm_edited(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_entry_t *e, conflict_verdict_e verdict,
    conflict_check_e check)
{
    conflict_edit_t  stored;

    op->out.ahead = conflict_edit_ahead(&op->in.edit,
                                        ngx_http_conflict_clock_usec(),
                                        op->in.skew);
    op->out.edited = CONFLICT_EDIT_OLDEST;

    if (e == NULL) {
        return verdict;
    }

    stored = ngx_http_conflict_shm_entry_edit(e);
    op->out.edited = stored.time;

    return conflict_decide_edited(verdict, check, &op->in.pre, &op->in.edit,
                                  &stored);
}


/* the edit of a write that begins, for its commit */

static ngx_int_t
ngx_http_conflict_shm_edit_begin(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    conflict_edit_t  last;

    if ((op->in.edits || ngx_http_conflict_op_chain(op))
        && ngx_http_conflict_shm_entry_extend(ngx_http_conflict_shm(op), sh, e)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (op->in.edits) {
        last = ngx_http_conflict_shm_entry_edit_last(e);
        e->extra->pending = conflict_edit_later(&op->in.edit, &last,
                                               ngx_http_conflict_clock_usec());

    } else if (e->extra) {
        e->extra->pending.time = CONFLICT_EDIT_NONE;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_shm_lease(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    if (e == NULL) {
        e = ngx_http_conflict_shm_entry_new(op, sh);
        if (e == NULL) {
            return NGX_ERROR;
        }
    }

    e->lookup = !ngx_http_conflict_shm_passes(op);

    if (!e->lookup) {
        /* else nothing will be written before the begin that follows */

        if (ngx_http_conflict_shm_edit_begin(op, sh, e) != NGX_OK) {
            return NGX_ERROR;
        }

        e->proves &= (e->body && op->in.view && e->view == op->in.view
                      && !op->in.part);
        e->pending = op->in.fingerprint;
    }

    if (!op->out.leased) {
        e->known = (op->out.state == CONFLICT_FREE);
        e->overlap = (op->out.state == CONFLICT_LEASED
                      || op->out.state == CONFLICT_QUARANTINED);
        e->fence = ngx_http_conflict_shm_entry_mint(sh, e);
        e->clean = e->overlap ? e->clean : e->fence;
    }

    e->quarantine = (uint32_t) op->in.quarantine;

    ngx_http_conflict_failpoint_hit();

    /* the process may have been stopped since nginx updated its time */
    ngx_time_update();

    ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_LEASED,
                                    ngx_current_msec + op->in.lease);

    op->out.version = e->version;
    op->out.fence = e->fence;
    op->out.leased = 1;
    op->out.acked = op->out.asked;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_shm_unchanged(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    return (e && e->state == CONFLICT_FREE && e->fence == op->out.fence
            && e->version == op->out.version)
           ? NGX_OK : NGX_DECLINED;
}
