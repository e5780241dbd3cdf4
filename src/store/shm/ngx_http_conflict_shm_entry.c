
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Entries of the shared-memory store: the hash table, the two queues for
 * eviction, versions and modification times.  All under the zone's lock.
 */


#include "store/shm/ngx_http_conflict_shm.h"


static void ngx_http_conflict_shm_entry_distrust(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e);
static ngx_http_conflict_shm_entry_t *ngx_http_conflict_shm_entry_insert(
    ngx_http_conflict_shm_t *shm, ngx_http_conflict_shctx_t *sh,
    const uint64_t hash[2]);
static ngx_int_t ngx_http_conflict_shm_entry_evict(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh);


ngx_http_conflict_shm_entry_t *
ngx_http_conflict_shm_entry_find(ngx_http_conflict_shctx_t *sh,
    const uint64_t hash[2])
{
    ngx_http_conflict_shm_entry_t  *e;

    for (e = sh->buckets[hash[0] & sh->mask]; e; e = e->next) {

        if (e->hash[0] == hash[0] && e->hash[1] == hash[1]) {

            if (e->era != sh->era) {
                ngx_http_conflict_shm_entry_distrust(sh, e);
            }

            return e;
        }
    }

    return NULL;
}


/*
 * The entry is older than a move of routes to this zone: its key may have
 * named another resource, or the resource was written under another key.
 */

static void
ngx_http_conflict_shm_entry_distrust(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e)
{
    e->era = sh->era;

    if (e->state == CONFLICT_FREE) {
        ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_QUARANTINED,
                                        ngx_max(sh->closed, ngx_current_msec));
    }
}


static ngx_http_conflict_shm_entry_t *
ngx_http_conflict_shm_entry_insert(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh, const uint64_t hash[2])
{
    ngx_http_conflict_shm_entry_t  *e, **bucket;

    e = ngx_http_conflict_shm_entry_slot(shm, sh);
    if (e == NULL) {
        return NULL;
    }

    ngx_http_conflict_failpoint_hit();

    ngx_memzero(e, sizeof(ngx_http_conflict_shm_entry_t));

    e->hash[0] = hash[0];
    e->hash[1] = hash[1];
    e->era = sh->era;

    bucket = &sh->buckets[hash[0] & sh->mask];

    e->next = *bucket;
    *bucket = e;

    ngx_http_conflict_failpoint_hit();

    ngx_queue_insert_head(&sh->free, &e->queue);
    sh->entries++;

    return e;
}


void *
ngx_http_conflict_shm_entry_slot(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh)
{
    void        *p;
    ngx_uint_t   n;

    /* the slot that an eviction frees may be of no use: evict more */

    for (n = 0; n < 4; n++) {
        p = ngx_slab_alloc_locked(shm->shpool, NGX_HTTP_CONFLICT_SHM_SLOT);

        if (p) {
            return p;
        }

        if (ngx_http_conflict_shm_entry_evict(shm, sh) != NGX_OK) {
            return NULL;
        }
    }

    return NULL;
}


/*
 * Evicts the oldest entry whose loss costs at most a GET: a free one, or one
 * whose quarantine is over.  A missing entry is an unknown one, so no write
 * passes unchecked; "floor" prevents its numbers from being minted again.
 */

static ngx_int_t
ngx_http_conflict_shm_entry_evict(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh)
{
    ngx_uint_t                      n;
    ngx_queue_t                    *q;
    ngx_http_conflict_shm_entry_t  *e, **link;

    e = NULL;

    if (!ngx_queue_empty(&sh->free)) {
        q = ngx_queue_last(&sh->free);
        e = ngx_queue_data(q, ngx_http_conflict_shm_entry_t, queue);

    } else {
        q = ngx_queue_last(&sh->busy);

        for (n = 0; n < 16 && q != ngx_queue_sentinel(&sh->busy); n++) {
            e = ngx_queue_data(q, ngx_http_conflict_shm_entry_t, queue);

            if (ngx_http_conflict_shm_entry_state(e) == CONFLICT_UNKNOWN) {
                break;
            }

            e = NULL;
            q = ngx_queue_prev(q);
        }
    }

    if (e == NULL) {
        return NGX_DECLINED;
    }

    sh->floor = ngx_max(sh->floor, e->fence);

    if (e->version < CONFLICT_VERSION_LIMIT) {
        sh->floor = ngx_max(sh->floor, e->version);
    }

    sh->forgotten = (e->state == CONFLICT_FREE)
                    ? ngx_max(sh->forgotten, e->until) : ++sh->changes;

    ngx_http_conflict_failpoint_hit();

    ngx_queue_remove(&e->queue);

    link = &sh->buckets[e->hash[0] & sh->mask];

    while (*link != e) {
        link = &(*link)->next;
    }

    *link = e->next;

    if (e->extra) {
        ngx_slab_free_locked(shm->shpool, e->extra);
    }

    ngx_slab_free_locked(shm->shpool, e);
    sh->entries--;

    if (shm->store->stats) {
        (void) ngx_atomic_fetch_add(&shm->store->stats->evicted, 1);
    }

    return NGX_OK;
}


void
ngx_http_conflict_shm_entry_set(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e, conflict_state_e state, uint64_t until)
{
    if (state != CONFLICT_FREE) {
        e->until = until;

    } else if (e->state != CONFLICT_FREE) {
        ngx_http_conflict_shm_entry_renew(sh, e);
    }

    e->state = state;
    e->proves |= (state == CONFLICT_FREE);

    ngx_http_conflict_failpoint_hit();

    ngx_queue_remove(&e->queue);
    ngx_queue_insert_head((state == CONFLICT_FREE) ? &sh->free : &sh->busy,
                          &e->queue);
}


conflict_state_e
ngx_http_conflict_shm_entry_state(ngx_http_conflict_shm_entry_t *e)
{
    uint64_t  now;

    now = ngx_current_msec;

    if (e->state == CONFLICT_LEASED && e->until <= now) {
        /* its worker has died or hangs: the write may still land */
        e->state = CONFLICT_QUARANTINED;
        e->until += e->quarantine;
    }

    if (e->state == CONFLICT_QUARANTINED && e->until <= now) {
        return CONFLICT_UNKNOWN;
    }

    return e->state;
}


ngx_http_conflict_shm_entry_t *
ngx_http_conflict_shm_entry_new(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh)
{
    uint64_t                        hash[2];
    ngx_http_conflict_shm_entry_t  *e;

    conflict_hash_128(hash, op->key.data, op->key.len, sh->seed);

    e = ngx_http_conflict_shm_entry_insert(ngx_http_conflict_shm(op), sh, hash);

    if (e == NULL) {
        if (ngx_http_conflict_shm_entry_log(&sh->full_logged)) {
            op->out.full = "is full of writes in flight";
        }

        return NULL;
    }

    e->fence = ngx_http_conflict_shm_entry_mint(sh, e);
    e->version = op->in.minted ? e->fence : 0;
    e->mtime = CONFLICT_TIME_NONE;

    ngx_http_conflict_shm_entry_renew(sh, e);

    return e;
}


void
ngx_http_conflict_shm_entry_answer(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    uint64_t  until;

    if (e) {
        op->out.present = 1;
        op->out.version = e->version;
        op->out.fence = e->fence;
        op->out.body = e->body;
        op->out.body_view = e->view;
        op->out.mtime = e->mtime;
        op->out.second_reused = e->second_reused;
        op->out.mtime_exact = e->mtime_exact;
        op->out.existence = e->existence;
        until = (e->state == CONFLICT_FREE) ? 0 : e->until;

        if (e->state == CONFLICT_LEASED) {
            until += e->quarantine;
        }

    } else {
        op->out.present = 0;
        op->out.version = 0;
        op->out.fence = 0;
        op->out.body = 0;
        op->out.body_view = 0;
        op->out.mtime = CONFLICT_TIME_NONE;
        op->out.second_reused = 0;
        op->out.mtime_exact = 0;
        op->out.existence = CONFLICT_MAY_EXIST;
        until = sh->closed;
    }

    op->out.wait = (until > ngx_current_msec) ? until - ngx_current_msec : 0;
    op->out.settling = (op->out.state == CONFLICT_QUARANTINED
                        && sh->closed > ngx_current_msec);
}


ngx_uint_t
ngx_http_conflict_shm_entry_log(ngx_msec_t *logged)
{
    /* signed: another worker's cached time may be ahead */

    if (*logged && (ngx_msec_int_t) (ngx_current_msec - *logged) < 10000) {
        return 0;
    }

    *logged = ngx_current_msec;

    return 1;
}


uint64_t
ngx_http_conflict_shm_entry_mint(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e)
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


void
ngx_http_conflict_shm_entry_changed(ngx_http_conflict_shm_entry_t *e,
    int64_t time)
{
    int64_t   mtime;
    unsigned  reused;

    mtime = e->mtime;
    reused = e->second_reused;

    conflict_mtime_next(&mtime, &reused, time);

    e->mtime = mtime;
    e->second_reused = reused;
}


ngx_int_t
ngx_http_conflict_shm_entry_extend(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    ngx_uint_t  n;

    if (e->extra) {
        return NGX_OK;
    }

    /* while it is in no queue, it is not evicted itself */

    ngx_queue_remove(&e->queue);

    for (n = 0; n < 4; n++) {
        e->extra = ngx_slab_calloc_locked(shm->shpool,
                                        sizeof(ngx_http_conflict_shm_extra_t));

        if (e->extra
            || ngx_http_conflict_shm_entry_evict(shm, sh) != NGX_OK)
        {
            break;
        }
    }

    ngx_http_conflict_failpoint_hit();

    ngx_queue_insert_head((e->state == CONFLICT_FREE) ? &sh->free : &sh->busy,
                          &e->queue);

    return e->extra ? NGX_OK : NGX_ERROR;
}


void
ngx_http_conflict_shm_entry_unlink(ngx_http_conflict_shm_entry_t *e)
{
    if (e->extra) {
        e->extra->chain = 0;
    }
}


conflict_edit_t
ngx_http_conflict_shm_entry_edit(ngx_http_conflict_shm_entry_t *e)
{
    conflict_edit_t  edit;

    if (e->extra && e->extra->edit.time != CONFLICT_EDIT_NONE) {
        return e->extra->edit;
    }

    edit.time = CONFLICT_EDIT_OLDEST;
    edit.tie = 0;

    if (e->mtime_exact && e->mtime > edit.time) {
        edit.time = e->mtime;
    }

    return edit;
}


conflict_edit_t
ngx_http_conflict_shm_entry_edit_last(ngx_http_conflict_shm_entry_t *e)
{
    conflict_edit_t  edit;

    edit = ngx_http_conflict_shm_entry_edit(e);

    return (e->extra && conflict_edit_earlier(&edit, &e->extra->pending))
           ? e->extra->pending : edit;
}
