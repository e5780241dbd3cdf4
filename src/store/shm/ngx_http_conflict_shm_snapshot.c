
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The snapshot of the shared-memory store: its size and contents, and the
 * holders of locks.
 */


#include "store/shm/ngx_http_conflict_shm.h"
#include "store/ngx_http_conflict_snapshot.h"


#define NGX_HTTP_CONFLICT_SNAPSHOT_ENTRIES  100000


static void ngx_http_conflict_shm_snapshot_writes(
    ngx_http_conflict_snapshot_t *snapshot, ngx_http_conflict_shctx_t *sh);
static void ngx_http_conflict_shm_snapshot_locks(
    ngx_http_conflict_snapshot_t *snapshot, ngx_http_conflict_shctx_t *sh);


void
ngx_http_conflict_shm_snapshot_take(ngx_http_conflict_snapshot_t *snapshot)
{
    ngx_http_conflict_shm_t    *shm;
    ngx_http_conflict_shctx_t  *sh;

    shm = snapshot->store->data;

    sh = ngx_http_conflict_shm_zone_lock(shm);

    if (sh == NULL) {
        snapshot->why = "its zone cannot be rebuilt";
        return;
    }

    snapshot->entries = sh->entries;
    snapshot->size = shm->zone->shm.size;
    snapshot->memory = snapshot->size
                     - (int64_t) (shm->shpool->pfree * ngx_pagesize);

    if (ngx_http_conflict_shm_zone_closed(shm, sh)) {
        snapshot->why = "predecessor processes still write to another store";
    }

    snapshot->settling = (sh->closed > ngx_current_msec)
                       ? (sh->closed - ngx_current_msec + 999) / 1000 : 0;

    ngx_http_conflict_shm_snapshot_writes(snapshot, sh);
    ngx_http_conflict_shm_snapshot_locks(snapshot, sh);

    ngx_http_conflict_shm_zone_unlock(shm);

    if (snapshot->store->stats) {
        snapshot->evicted = snapshot->store->stats->evicted;
    }

    if (!snapshot->want.brief
        && ngx_http_conflict_snapshot_stats(snapshot) != NGX_OK)
    {
        snapshot->why = "no memory";
    }
}


static void
ngx_http_conflict_shm_snapshot_writes(ngx_http_conflict_snapshot_t *snapshot,
    ngx_http_conflict_shctx_t *sh)
{
    ngx_uint_t                      n;
    ngx_queue_t                    *q;
    ngx_http_conflict_shm_entry_t  *e;

    snapshot->leases = 0;
    snapshot->dirty = 0;

    q = ngx_queue_head(&sh->busy);

    for (n = 0; n < NGX_HTTP_CONFLICT_SNAPSHOT_ENTRIES; n++) {

        if (q == ngx_queue_sentinel(&sh->busy)) {
            break;
        }

        e = ngx_queue_data(q, ngx_http_conflict_shm_entry_t, queue);

        if (ngx_http_conflict_shm_entry_state(e) == CONFLICT_LEASED) {
            snapshot->leases++;

        } else {
            snapshot->dirty++;
        }

        q = ngx_queue_next(q);
    }
}


static void
ngx_http_conflict_shm_snapshot_locks(ngx_http_conflict_snapshot_t *snapshot,
    ngx_http_conflict_shctx_t *sh)
{
    ngx_queue_t                   *q;
    ngx_http_conflict_shm_lock_t  *lock;
    ngx_http_conflict_holder_t    *holder;

    snapshot->locks = 0;

    for (q = ngx_queue_head(&sh->locks);
         q != ngx_queue_sentinel(&sh->locks);
         q = ngx_queue_next(q))
    {
        lock = ngx_queue_data(q, ngx_http_conflict_shm_lock_t, queue);

        if (lock->until <= ngx_current_msec || lock->reserved) {
            continue;
        }

        snapshot->locks++;

        if (snapshot->want.brief
            || snapshot->holders.nelts == NGX_HTTP_CONFLICT_SNAPSHOT_LOCKS)
        {
            continue;
        }

        holder = ngx_array_push(&snapshot->holders);
        if (holder == NULL) {
            return;
        }

        if (ngx_http_conflict_snapshot_copy(snapshot, &holder->key, lock->key,
                                            lock->key_len)
            != NGX_OK
            || ngx_http_conflict_snapshot_copy(snapshot, &holder->user,
                                               lock->user, lock->user_len)
               != NGX_OK
            || ngx_http_conflict_snapshot_copy(snapshot, &holder->client,
                                               lock->client, lock->client_len)
               != NGX_OK)
        {
            snapshot->holders.nelts--;
            return;
        }

        holder->acquired = lock->acquired;
        holder->remaining = (ngx_msec_t) (lock->until - ngx_current_msec);
    }
}
