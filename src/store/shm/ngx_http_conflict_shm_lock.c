
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Locks in shared memory, in their own hash table.  Entries are evicted to make
 * room for locks, but not locks for entries.  All under the zone's lock.
 */


#include "store/shm/ngx_http_conflict_shm.h"


static ngx_http_conflict_shm_lock_t *ngx_http_conflict_shm_lock_find(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh,
    const uint64_t hash[2]);
static ngx_uint_t ngx_http_conflict_shm_lock_own(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock);
static ngx_uint_t ngx_http_conflict_shm_lock_owned(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock);
static void ngx_http_conflict_shm_lock_renew(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_lock_t *lock);
static void ngx_http_conflict_shm_lock_report(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_lock_t *lock);
static ngx_int_t ngx_http_conflict_shm_lock_acquire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, const uint64_t hash[2]);
static void ngx_http_conflict_shm_lock_take(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock);
static ngx_uint_t ngx_http_conflict_shm_lock_quota_reached(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh,
    const uint64_t owner[2]);
static ngx_uint_t ngx_http_conflict_shm_lock_full(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_uint_t slots);
static ngx_http_conflict_shm_lock_t *ngx_http_conflict_shm_lock_alloc(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh);
static void ngx_http_conflict_shm_lock_set_names(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_lock_t *lock);
static void ngx_http_conflict_shm_lock_remove(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock);
static void ngx_http_conflict_shm_lock_expire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_uint_t all);


ngx_uint_t
ngx_http_conflict_shm_lock_denies(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh)
{
    uint64_t                       hash[2];
    ngx_http_conflict_shm_lock_t  *lock;

    if (sh->n_locks == 0 || !op->store->locks) {
        return 0;
    }

    conflict_hash_128(hash, op->key.data, op->key.len, sh->seed);

    lock = ngx_http_conflict_shm_lock_find(op, sh, hash);

    if (lock == NULL) {
        return 0;
    }

    if (ngx_http_conflict_shm_lock_owned(op, sh, lock)) {

        if (!lock->reserved) {
            ngx_http_conflict_shm_lock_renew(sh, lock);
        }

        return 0;
    }

    ngx_http_conflict_shm_lock_report(op, lock);

    /* a refused write says no more than who it is */
    op->lock.reserved = 0;

    return 1;
}


ngx_int_t
ngx_http_conflict_shm_lock_request(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    uint64_t                       hash[2];
    ngx_uint_t                     own;
    ngx_http_conflict_shm_lock_t  *lock;
    ngx_http_conflict_lock_t      *req;

    req = &op->lock;

    if (ngx_http_conflict_shm_zone_closed(ngx_http_conflict_shm(op), sh)) {
        op->out.error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        return NGX_ERROR;
    }

    op->out.state = e ? ngx_http_conflict_shm_entry_state(e) : CONFLICT_UNKNOWN;
    ngx_http_conflict_shm_entry_answer(op, sh, e);

    conflict_hash_128(hash, op->key.data, op->key.len, sh->seed);

    lock = ngx_http_conflict_shm_lock_find(op, sh, hash);

    if (lock == NULL) {
        req->result = NGX_HTTP_CONFLICT_LOCK_NONE;

        return (req->verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE)
               ? ngx_http_conflict_shm_lock_acquire(op, sh, hash) : NGX_OK;
    }

    ngx_http_conflict_shm_lock_report(op, lock);

    own = ngx_http_conflict_shm_lock_own(op, sh, lock);

    switch (req->verb) {

    case NGX_HTTP_CONFLICT_LOCK_SHOW:
        req->result = own ? NGX_HTTP_CONFLICT_LOCK_OWN
                          : NGX_HTTP_CONFLICT_LOCK_HELD;
        break;

    case NGX_HTTP_CONFLICT_LOCK_ACQUIRE:

        if (!own) {
            req->result = NGX_HTTP_CONFLICT_LOCK_HELD;
            ngx_http_conflict_shm_waiting_note(op, sh, lock);
            break;
        }

        if (lock->reserved) {
            ngx_http_conflict_shm_lock_take(op, sh, lock);

            if (req->result == NGX_HTTP_CONFLICT_LOCK_TOO_MANY) {
                return NGX_OK;
            }

            break;
        }

        lock->idle = (uint32_t) req->idle;
        ngx_http_conflict_shm_lock_renew(sh, lock);

        req->remaining = req->idle;
        req->result = NGX_HTTP_CONFLICT_LOCK_OWN;

        if (!(req->given
              && ngx_http_conflict_op_token_equal(req->token, lock->token)))
        {
            ngx_memcpy(lock->token, req->fresh, NGX_HTTP_CONFLICT_LOCK_TOKEN);
            lock->acquired = ngx_http_conflict_clock_usec();
            req->acquired = lock->acquired;
            ngx_http_conflict_shm_lock_set_names(op, lock);

            req->result = NGX_HTTP_CONFLICT_LOCK_TAKEN;
        }

        break;

    default: /* NGX_HTTP_CONFLICT_LOCK_RELEASE */

        if (!own && !req->force) {
            req->result = NGX_HTTP_CONFLICT_LOCK_HELD;
            break;
        }

        if (own && req->reserve && !lock->reserved
            && ngx_http_conflict_shm_waiting_reserve(op, sh, lock))
        {
            req->result = NGX_HTTP_CONFLICT_LOCK_HANDED;
            return NGX_OK;
        }

        ngx_http_conflict_shm_lock_remove(op, sh, lock);

        req->result = own ? NGX_HTTP_CONFLICT_LOCK_RELEASED
                          : NGX_HTTP_CONFLICT_LOCK_FORCED;
        return NGX_OK;
    }

    ngx_http_conflict_shm_waiting_report(op, sh, lock);

    return NGX_OK;
}


/* an old token of the same user comes from a tab that lost the lock */

static ngx_uint_t
ngx_http_conflict_shm_lock_own(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock)
{
    uint64_t  owner[2];

    if (lock->reserved) {
        ngx_http_conflict_shm_lock_owner(op, sh, 0, owner);

        return (owner[0] || owner[1]) && owner[0] == lock->owner[0]
               && owner[1] == lock->owner[1];
    }

    return op->lock.given
           ? ngx_http_conflict_op_token_equal(op->lock.token, lock->token)
           : ngx_http_conflict_shm_lock_owned(op, sh, lock);
}


/* an expired lock is removed */

static ngx_http_conflict_shm_lock_t *
ngx_http_conflict_shm_lock_find(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, const uint64_t hash[2])
{
    ngx_http_conflict_shm_lock_t  *lock;

    for (lock = sh->lock_buckets[hash[0] & sh->lock_mask];
         lock;
         lock = lock->next)
    {
        if (lock->hash[0] != hash[0] || lock->hash[1] != hash[1]) {
            continue;
        }

        if (lock->until > ngx_current_msec) {
            return lock;
        }

        ngx_http_conflict_shm_lock_remove(op, sh, lock);
        break;
    }

    return NULL;
}


void
ngx_http_conflict_shm_lock_owner(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_uint_t user, uint64_t owner[2])
{
    owner[0] = 0;
    owner[1] = 0;

    if (op->lock.user.len) {
        conflict_hash_128(owner, op->lock.user.data, op->lock.user.len,
                          ~sh->seed);

    } else if (!user && op->lock.client.len) {
        /* never the hash of a user */
        conflict_hash_128(owner, op->lock.client.data, op->lock.client.len,
                          sh->seed + 1);
    }
}


static ngx_uint_t
ngx_http_conflict_shm_lock_owned(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock)
{
    uint64_t  owner[2];

    /* nobody has the token of a reserved lock */

    if (op->lock.given && !lock->reserved
        && ngx_http_conflict_op_token_equal(op->lock.token, lock->token))
    {
        return 1;
    }

    ngx_http_conflict_shm_lock_owner(op, sh, 1, owner);

    return op->lock.user.len && owner[0] == lock->owner[0]
           && owner[1] == lock->owner[1];
}


static void
ngx_http_conflict_shm_lock_renew(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_lock_t *lock)
{
    lock->until = ngx_current_msec + lock->idle;

    ngx_queue_remove(&lock->queue);
    ngx_queue_insert_head(&sh->locks, &lock->queue);
}


static void
ngx_http_conflict_shm_lock_report(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_lock_t *lock)
{
    ngx_str_t  user, client;

    user.data = lock->user;
    user.len = lock->user_len;

    client.data = lock->client;
    client.len = lock->client_len;

    op->lock.acquired = lock->acquired;
    op->lock.remaining = (ngx_msec_t) (lock->until - ngx_current_msec);
    op->lock.reserved = lock->reserved;

    ngx_http_conflict_op_lock_found(op, &user, &client);
}


static ngx_int_t
ngx_http_conflict_shm_lock_acquire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, const uint64_t hash[2])
{
    uint64_t                       owner[2];
    ngx_uint_t                     full;
    ngx_http_conflict_shm_lock_t  *lock, **bucket;

    full = ngx_http_conflict_shm_lock_full(op, sh,
                                           NGX_HTTP_CONFLICT_LOCK_SLOTS);

    ngx_http_conflict_shm_lock_expire(op, sh, full);
    ngx_http_conflict_shm_lock_owner(op, sh, 1, owner);

    if (ngx_http_conflict_shm_lock_quota_reached(op, sh, owner)) {
        op->lock.result = NGX_HTTP_CONFLICT_LOCK_TOO_MANY;
        return NGX_OK;
    }

    lock = ngx_http_conflict_shm_lock_alloc(op, sh);

    if (lock == NULL) {
        if (ngx_http_conflict_shm_entry_log(&sh->locks_logged)) {
            op->out.full = "has no room for another lock";
        }

        return NGX_ERROR;
    }

    lock->hash[0] = hash[0];
    lock->hash[1] = hash[1];
    lock->owner[0] = owner[0];
    lock->owner[1] = owner[1];
    lock->notes = NULL;
    lock->reserved = 0;
    lock->idle = (uint32_t) op->lock.idle;
    lock->until = ngx_current_msec + lock->idle;
    lock->acquired = ngx_http_conflict_clock_usec();

    ngx_memcpy(lock->token, op->lock.fresh, NGX_HTTP_CONFLICT_LOCK_TOKEN);
    ngx_http_conflict_shm_lock_set_names(op, lock);

    ngx_http_conflict_failpoint_hit();

    bucket = &sh->lock_buckets[hash[0] & sh->lock_mask];

    lock->next = *bucket;
    *bucket = lock;

    ngx_queue_insert_head(&sh->locks, &lock->queue);
    sh->n_locks++;

    op->lock.result = NGX_HTTP_CONFLICT_LOCK_GRANTED;
    ngx_http_conflict_shm_lock_report(op, lock);

    return NGX_OK;
}


/* the caller acquires a lock that is reserved for it */

static void
ngx_http_conflict_shm_lock_take(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock)
{
    uint64_t  owner[2];

    ngx_http_conflict_shm_lock_owner(op, sh, 1, owner);

    if (ngx_http_conflict_shm_lock_quota_reached(op, sh, owner)) {
        ngx_http_conflict_shm_lock_remove(op, sh, lock);
        op->lock.result = NGX_HTTP_CONFLICT_LOCK_TOO_MANY;
        return;
    }

    lock->owner[0] = owner[0];
    lock->owner[1] = owner[1];
    lock->reserved = 0;
    lock->idle = (uint32_t) op->lock.idle;
    lock->acquired = ngx_http_conflict_clock_usec();

    ngx_memcpy(lock->token, op->lock.fresh, NGX_HTTP_CONFLICT_LOCK_TOKEN);
    ngx_http_conflict_shm_lock_set_names(op, lock);
    ngx_http_conflict_shm_lock_renew(sh, lock);

    op->lock.result = NGX_HTTP_CONFLICT_LOCK_GRANTED;
    ngx_http_conflict_shm_lock_report(op, lock);
}


/* a reserved lock counts once it is acquired */

static ngx_uint_t
ngx_http_conflict_shm_lock_quota_reached(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, const uint64_t owner[2])
{
    ngx_uint_t                     n;
    ngx_queue_t                   *q;
    ngx_http_conflict_shm_lock_t  *lock;

    if (op->lock.quota == 0 || op->lock.user.len == 0) {
        return 0;
    }

    n = 0;

    for (q = ngx_queue_head(&sh->locks);
         q != ngx_queue_sentinel(&sh->locks);
         q = ngx_queue_next(q))
    {
        lock = ngx_queue_data(q, ngx_http_conflict_shm_lock_t, queue);

        if (lock->owner[0] == owner[0] && lock->owner[1] == owner[1]
            && lock->until > ngx_current_msec && !lock->reserved
            && ++n == op->lock.quota)
        {
            return 1;
        }
    }

    return 0;
}


/* 1 if there is no room for so many slots: a quarter of the zone is for them */

static ngx_uint_t
ngx_http_conflict_shm_lock_full(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_uint_t slots)
{
    slots += sh->n_locks * NGX_HTTP_CONFLICT_LOCK_SLOTS
             + sh->n_notes * NGX_HTTP_CONFLICT_NOTE_SLOTS;

    return slots * NGX_HTTP_CONFLICT_SHM_SLOT
           > ngx_http_conflict_shm(op)->zone->shm.size / 4;
}


ngx_int_t
ngx_http_conflict_shm_lock_slots(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, void **slot, ngx_uint_t n)
{
    ngx_uint_t                i;
    ngx_http_conflict_shm_t  *shm;

    shm = ngx_http_conflict_shm(op);

    if (ngx_http_conflict_shm_lock_full(op, sh, n)) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        slot[i] = ngx_http_conflict_shm_entry_slot(shm, sh);

        if (slot[i] == NULL) {

            while (i) {
                ngx_slab_free_locked(shm->shpool, slot[--i]);
            }

            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a lock with its strings, or nothing */

static ngx_http_conflict_shm_lock_t *
ngx_http_conflict_shm_lock_alloc(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh)
{
    ngx_http_conflict_shm_lock_t  *lock;

    void  *slot[NGX_HTTP_CONFLICT_LOCK_SLOTS];

    if (ngx_http_conflict_shm_lock_slots(op, sh, slot,
                                         NGX_HTTP_CONFLICT_LOCK_SLOTS)
        != NGX_OK)
    {
        return NULL;
    }

    lock = slot[0];
    lock->user = slot[1];
    lock->client = slot[2];
    lock->key = slot[3];

    return lock;
}


static void
ngx_http_conflict_shm_lock_set_names(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_lock_t *lock)
{
    lock->user_len = (uint8_t) ngx_min(op->lock.user.len,
                                        NGX_HTTP_CONFLICT_LOCK_USER);
    ngx_memcpy(lock->user, op->lock.user.data, lock->user_len);

    lock->client_len = (uint8_t) ngx_min(op->lock.client.len,
                                          NGX_HTTP_CONFLICT_LOCK_CLIENT);
    ngx_memcpy(lock->client, op->lock.client.data, lock->client_len);

    lock->key_len = (uint8_t) ngx_min(op->key.len,
                                       NGX_HTTP_CONFLICT_SHM_SLOT);
    ngx_memcpy(lock->key, op->key.data, lock->key_len);
}


static void
ngx_http_conflict_shm_lock_remove(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock)
{
    ngx_slab_pool_t                *shpool;
    ngx_http_conflict_shm_lock_t  **link;

    shpool = ngx_http_conflict_shm(op)->shpool;

    for (link = &sh->lock_buckets[lock->hash[0] & sh->lock_mask];
         *link != lock;
         link = &(*link)->next)
    {
        /* void */
    }

    *link = lock->next;

    ngx_queue_remove(&lock->queue);
    sh->n_locks--;

    ngx_http_conflict_shm_waiting_forget(op, sh, lock);

    ngx_http_conflict_failpoint_hit();

    ngx_slab_free_locked(shpool, lock->user);
    ngx_slab_free_locked(shpool, lock->client);
    ngx_slab_free_locked(shpool, lock->key);
    ngx_slab_free_locked(shpool, lock);
}


/* removes expired locks that no request has found since */

static void
ngx_http_conflict_shm_lock_expire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_uint_t all)
{
    ngx_queue_t                   *q, *prev;
    ngx_http_conflict_shm_lock_t  *lock;

    for (q = ngx_queue_last(&sh->locks);
         q != ngx_queue_sentinel(&sh->locks);
         q = prev)
    {
        prev = ngx_queue_prev(q);
        lock = ngx_queue_data(q, ngx_http_conflict_shm_lock_t, queue);

        if (lock->until <= ngx_current_msec) {
            ngx_http_conflict_shm_lock_remove(op, sh, lock);

        } else if (!all) {
            /* the others were renewed later */
            return;
        }
    }
}
