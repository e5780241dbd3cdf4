
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Locks in shared memory: a table of their own beside that of the entries,
 * which are evicted for them, and not the other way round.  All under the
 * zone's lock.
 */


#include "store/shm/ngx_http_conflict_shm.h"


#define NGX_HTTP_CONFLICT_LOCK_SLOTS  4      /* the lock and three texts */


static ngx_http_conflict_shm_lock_t *ngx_http_conflict_shm_lock_find(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh,
    const uint64_t hash[2]);
static void ngx_http_conflict_shm_lock_owner(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, uint64_t owner[2]);
static ngx_uint_t ngx_http_conflict_shm_lock_owned(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *held);
static void ngx_http_conflict_shm_lock_touch(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_lock_t *held);
static void ngx_http_conflict_shm_lock_note(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_lock_t *held);
static ngx_int_t ngx_http_conflict_shm_lock_acquire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, const uint64_t hash[2]);
static ngx_uint_t ngx_http_conflict_shm_lock_too_many(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh,
    const uint64_t owner[2]);
static ngx_http_conflict_shm_lock_t *ngx_http_conflict_shm_lock_alloc(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh);
static void ngx_http_conflict_shm_lock_label(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_lock_t *held);
static void ngx_http_conflict_shm_lock_remove(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *held);
static ngx_uint_t ngx_http_conflict_shm_lock_crowded(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh);
static void ngx_http_conflict_shm_lock_expire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_uint_t all);


ngx_uint_t
ngx_http_conflict_shm_lock_denies(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh)
{
    uint64_t                       hash[2];
    ngx_http_conflict_shm_lock_t  *held;

    if (sh->n_locks == 0 || !op->store->locks) {
        return 0;
    }

    conflict_hash_128(hash, op->key.data, op->key.len, sh->seed);

    held = ngx_http_conflict_shm_lock_find(op, sh, hash);

    if (held == NULL) {
        return 0;
    }

    if (ngx_http_conflict_shm_lock_owned(op, sh, held)) {
        ngx_http_conflict_shm_lock_touch(sh, held);
        return 0;
    }

    ngx_http_conflict_shm_lock_note(op, held);

    return 1;
}


ngx_int_t
ngx_http_conflict_shm_lock_request(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e)
{
    uint64_t                       hash[2];
    ngx_uint_t                     own;
    ngx_http_conflict_shm_lock_t  *held;
    ngx_http_conflict_lock_t      *lock;

    lock = &op->lock;

    if (ngx_http_conflict_shm_zone_closed(ngx_http_conflict_shm(op), sh)) {
        op->out.error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        return NGX_ERROR;
    }

    op->out.state = e ? ngx_http_conflict_shm_entry_state(e) : CONFLICT_UNKNOWN;
    ngx_http_conflict_shm_entry_answer(op, sh, e);

    conflict_hash_128(hash, op->key.data, op->key.len, sh->seed);

    held = ngx_http_conflict_shm_lock_find(op, sh, hash);

    if (held == NULL) {

        lock->result = NGX_HTTP_CONFLICT_LOCK_NONE;

        return (lock->verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE)
               ? ngx_http_conflict_shm_lock_acquire(op, sh, hash) : NGX_OK;
    }

    ngx_http_conflict_shm_lock_note(op, held);

    /* an old token of the same user is another tab's, which has lost it */

    own = lock->given
          ? ngx_http_conflict_op_token_equal(lock->token, held->token)
          : ngx_http_conflict_shm_lock_owned(op, sh, held);

    switch (lock->verb) {

    case NGX_HTTP_CONFLICT_LOCK_SHOW:
        lock->result = own ? NGX_HTTP_CONFLICT_LOCK_OWN
                           : NGX_HTTP_CONFLICT_LOCK_HELD;
        break;

    case NGX_HTTP_CONFLICT_LOCK_ACQUIRE:

        if (!own) {
            lock->result = NGX_HTTP_CONFLICT_LOCK_HELD;
            break;
        }

        held->idle = lock->idle;
        ngx_http_conflict_shm_lock_touch(sh, held);

        lock->remaining = lock->idle;
        lock->result = NGX_HTTP_CONFLICT_LOCK_OWN;

        if (!(lock->given
              && ngx_http_conflict_op_token_equal(lock->token, held->token)))
        {
            ngx_memcpy(held->token, lock->fresh,
                       NGX_HTTP_CONFLICT_LOCK_TOKEN);
            held->acquired = ngx_http_conflict_clock_usec();
            lock->acquired = held->acquired;
            ngx_http_conflict_shm_lock_label(op, held);

            lock->result = NGX_HTTP_CONFLICT_LOCK_TAKEN;
        }

        break;

    default: /* NGX_HTTP_CONFLICT_LOCK_RELEASE */

        if (!own && !lock->force) {
            lock->result = NGX_HTTP_CONFLICT_LOCK_HELD;
            break;
        }

        ngx_http_conflict_shm_lock_remove(op, sh, held);

        lock->result = own ? NGX_HTTP_CONFLICT_LOCK_RELEASED
                           : NGX_HTTP_CONFLICT_LOCK_FORCED;
    }

    return NGX_OK;
}


/* one whose time is over is let go */

static ngx_http_conflict_shm_lock_t *
ngx_http_conflict_shm_lock_find(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, const uint64_t hash[2])
{
    ngx_http_conflict_shm_lock_t  *held;

    for (held = sh->lock_buckets[hash[0] & sh->lock_mask];
         held;
         held = held->next)
    {

        if (held->hash[0] != hash[0] || held->hash[1] != hash[1]) {
            continue;
        }

        if (held->until > ngx_current_msec) {
            return held;
        }

        ngx_http_conflict_shm_lock_remove(op, sh, held);
        break;
    }

    return NULL;
}


static void
ngx_http_conflict_shm_lock_owner(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, uint64_t owner[2])
{
    owner[0] = 0;
    owner[1] = 0;

    if (op->lock.user.len) {
        conflict_hash_128(owner, op->lock.user.data, op->lock.user.len,
                          ~sh->seed);
    }
}


static ngx_uint_t
ngx_http_conflict_shm_lock_owned(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *held)
{
    uint64_t  owner[2];

    if (op->lock.given
        && ngx_http_conflict_op_token_equal(op->lock.token, held->token))
    {
        return 1;
    }

    ngx_http_conflict_shm_lock_owner(op, sh, owner);

    return op->lock.user.len && owner[0] == held->owner[0]
           && owner[1] == held->owner[1];
}


static void
ngx_http_conflict_shm_lock_touch(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_lock_t *held)
{
    held->until = ngx_current_msec + held->idle;

    ngx_queue_remove(&held->queue);
    ngx_queue_insert_head(&sh->locks, &held->queue);
}


static void
ngx_http_conflict_shm_lock_note(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_lock_t *held)
{
    ngx_str_t  user, client;

    user.data = held->user;
    user.len = held->user_len;

    client.data = held->client;
    client.len = held->client_len;

    op->lock.acquired = held->acquired;
    op->lock.remaining = (ngx_msec_t) (held->until - ngx_current_msec);

    ngx_http_conflict_op_lock_found(op, &user, &client);
}


static ngx_int_t
ngx_http_conflict_shm_lock_acquire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, const uint64_t hash[2])
{
    uint64_t                       owner[2];
    ngx_http_conflict_shm_lock_t  *held, **bucket;

    ngx_http_conflict_shm_lock_expire(op, sh,
                                    ngx_http_conflict_shm_lock_crowded(op, sh));
    ngx_http_conflict_shm_lock_owner(op, sh, owner);

    if (ngx_http_conflict_shm_lock_too_many(op, sh, owner)) {
        op->lock.result = NGX_HTTP_CONFLICT_LOCK_TOO_MANY;
        return NGX_OK;
    }

    held = ngx_http_conflict_shm_lock_alloc(op, sh);

    if (held == NULL) {

        if (ngx_current_msec - sh->locks_logged >= 10000) {
            sh->locks_logged = ngx_current_msec;
            op->out.log = 1;
        }

        return NGX_ERROR;
    }

    held->hash[0] = hash[0];
    held->hash[1] = hash[1];
    held->owner[0] = owner[0];
    held->owner[1] = owner[1];
    held->idle = op->lock.idle;
    held->until = ngx_current_msec + held->idle;
    held->acquired = ngx_http_conflict_clock_usec();

    ngx_memcpy(held->token, op->lock.fresh, NGX_HTTP_CONFLICT_LOCK_TOKEN);
    ngx_http_conflict_shm_lock_label(op, held);

    ngx_http_conflict_failpoint_hit();

    bucket = &sh->lock_buckets[hash[0] & sh->lock_mask];

    held->next = *bucket;
    *bucket = held;

    ngx_queue_insert_head(&sh->locks, &held->queue);
    sh->n_locks++;

    op->lock.result = NGX_HTTP_CONFLICT_LOCK_GRANTED;
    ngx_http_conflict_shm_lock_note(op, held);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_conflict_shm_lock_too_many(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, const uint64_t owner[2])
{
    ngx_uint_t                     n;
    ngx_queue_t                   *q;
    ngx_http_conflict_shm_lock_t  *held;

    if (op->lock.quota == 0 || op->lock.user.len == 0) {
        return 0;
    }

    n = 0;

    for (q = ngx_queue_head(&sh->locks);
         q != ngx_queue_sentinel(&sh->locks);
         q = ngx_queue_next(q))
    {
        held = ngx_queue_data(q, ngx_http_conflict_shm_lock_t, queue);

        if (held->owner[0] == owner[0] && held->owner[1] == owner[1]
            && held->until > ngx_current_msec
            && ++n == op->lock.quota)
        {
            return 1;
        }
    }

    return 0;
}


/* a quarter of the zone may be locks */

static ngx_uint_t
ngx_http_conflict_shm_lock_crowded(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh)
{
    return (sh->n_locks + 1) * NGX_HTTP_CONFLICT_LOCK_SLOTS
           * NGX_HTTP_CONFLICT_SHM_SLOT
           > ngx_http_conflict_shm(op)->zone->shm.size / 4;
}


/* a lock and its texts, or nothing */

static ngx_http_conflict_shm_lock_t *
ngx_http_conflict_shm_lock_alloc(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh)
{
    ngx_uint_t                     i;
    ngx_slab_pool_t               *shpool;
    ngx_http_conflict_shm_t       *shm;
    ngx_http_conflict_shm_lock_t  *held;

    void  *slot[NGX_HTTP_CONFLICT_LOCK_SLOTS];

    shm = ngx_http_conflict_shm(op);
    shpool = shm->shpool;

    if (ngx_http_conflict_shm_lock_crowded(op, sh)) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_LOCK_SLOTS; i++) {

        slot[i] = ngx_http_conflict_shm_entry_slot(shm, sh);

        if (slot[i] == NULL) {

            while (i) {
                ngx_slab_free_locked(shpool, slot[--i]);
            }

            return NULL;
        }
    }

    held = slot[0];
    held->user = slot[1];
    held->client = slot[2];
    held->key = slot[3];

    return held;
}


static void
ngx_http_conflict_shm_lock_label(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_lock_t *held)
{
    held->user_len = (uint16_t) ngx_min(op->lock.user.len,
                                        NGX_HTTP_CONFLICT_LOCK_USER);
    ngx_memcpy(held->user, op->lock.user.data, held->user_len);

    held->client_len = (uint16_t) ngx_min(op->lock.client.len,
                                          NGX_HTTP_CONFLICT_LOCK_CLIENT);
    ngx_memcpy(held->client, op->lock.client.data, held->client_len);

    held->key_len = (uint16_t) ngx_min(op->key.len,
                                       NGX_HTTP_CONFLICT_SHM_SLOT);
    ngx_memcpy(held->key, op->key.data, held->key_len);
}


static void
ngx_http_conflict_shm_lock_remove(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *held)
{
    ngx_slab_pool_t                *shpool;
    ngx_http_conflict_shm_lock_t  **link;

    shpool = ngx_http_conflict_shm(op)->shpool;

    for (link = &sh->lock_buckets[held->hash[0] & sh->lock_mask];
         *link != held;
         link = &(*link)->next)
    {
        /* void */
    }

    *link = held->next;

    ngx_queue_remove(&held->queue);
    sh->n_locks--;

    ngx_http_conflict_failpoint_hit();

    ngx_slab_free_locked(shpool, held->user);
    ngx_slab_free_locked(shpool, held->client);
    ngx_slab_free_locked(shpool, held->key);
    ngx_slab_free_locked(shpool, held);
}


/* those that nobody has asked for since their time was over */

static void
ngx_http_conflict_shm_lock_expire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_uint_t all)
{
    ngx_queue_t                   *q, *prev;
    ngx_http_conflict_shm_lock_t  *held;

    for (q = ngx_queue_last(&sh->locks);
         q != ngx_queue_sentinel(&sh->locks);
         q = prev)
    {
        prev = ngx_queue_prev(q);
        held = ngx_queue_data(q, ngx_http_conflict_shm_lock_t, queue);

        if (held->until <= ngx_current_msec) {
            ngx_http_conflict_shm_lock_remove(op, sh, held);

        } else if (!all) {
            /* the others were renewed after it */
            return;
        }
    }
}
