
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Those that wait for a lock in shared memory: each has left a note in it, and
 * the holder can hand the lock over to the first one.  All under the zone's
 * lock.
 */


#include "store/shm/ngx_http_conflict_shm.h"


static void ngx_http_conflict_shm_waiting_expire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock);
static void ngx_http_conflict_shm_waiting_free(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_note_t *note);


void
ngx_http_conflict_shm_waiting_note(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock)
{
    uint64_t                        owner[2];
    ngx_uint_t                      n;
    ngx_http_conflict_lock_t       *req;
    ngx_http_conflict_shm_note_t   *note, **link;

    void  *slot[NGX_HTTP_CONFLICT_NOTE_SLOTS];

    req = &op->lock;

    ngx_http_conflict_shm_waiting_expire(op, sh, lock);
    ngx_http_conflict_shm_lock_owner(op, sh, 0, owner);

    if (req->note == 0 || (owner[0] == 0 && owner[1] == 0)) {
        /* nobody that the lock could be handed over to */
        return;
    }

    n = 0;

    for (link = &lock->notes; *link; link = &(*link)->next) {
        note = *link;

        if (note->owner[0] == owner[0] && note->owner[1] == owner[1]) {
            note->until = ngx_current_msec + req->note;
            return;
        }

        n++;
    }

    if (n == NGX_HTTP_CONFLICT_LOCK_NOTES) {
        return;
    }

    if (ngx_http_conflict_shm_lock_slots(op, sh, slot,
                                         NGX_HTTP_CONFLICT_NOTE_SLOTS)
        != NGX_OK)
    {
        return;
    }

    note = slot[0];
    note->user = slot[1];
    note->client = slot[2];
    note->next = NULL;
    note->owner[0] = owner[0];
    note->owner[1] = owner[1];
    note->since = ngx_http_conflict_clock_usec();
    note->until = ngx_current_msec + req->note;

    note->user_len = (uint8_t) ngx_min(req->user.len,
                                       NGX_HTTP_CONFLICT_LOCK_USER);
    ngx_memcpy(note->user, req->user.data, note->user_len);

    note->client_len = (uint8_t) ngx_min(req->client.len,
                                         NGX_HTTP_CONFLICT_LOCK_CLIENT);
    ngx_memcpy(note->client, req->client.data, note->client_len);

    *link = note;

    ngx_http_conflict_failpoint_hit();

    sh->n_notes++;
}


void
ngx_http_conflict_shm_waiting_report(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock)
{
    ngx_str_t                      user, client;
    ngx_http_conflict_shm_note_t  *note;

    ngx_http_conflict_shm_waiting_expire(op, sh, lock);

    op->lock.n_notes = 0;

    for (note = lock->notes; note; note = note->next) {
        user.data = note->user;
        user.len = note->user_len;
        client.data = note->client;
        client.len = note->client_len;

        ngx_http_conflict_op_lock_note(op, note->since, &user, &client);
    }
}


/* the strings of the note become those of the lock; nobody has a token */

ngx_uint_t
ngx_http_conflict_shm_waiting_reserve(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock)
{
    u_char                        *p;
    ngx_http_conflict_shm_note_t  *note;

    ngx_http_conflict_shm_waiting_expire(op, sh, lock);

    note = lock->notes;

    if (note == NULL) {
        return 0;
    }

    lock->notes = note->next;

    ngx_http_conflict_failpoint_hit();

    ngx_memzero(lock->token, NGX_HTTP_CONFLICT_LOCK_TOKEN);

    lock->reserved = 1;
    lock->owner[0] = note->owner[0];
    lock->owner[1] = note->owner[1];
    lock->acquired = ngx_http_conflict_clock_usec();
    lock->until = ngx_current_msec + op->lock.reserve;
    lock->user_len = note->user_len;
    lock->client_len = note->client_len;

    p = lock->user;
    lock->user = note->user;
    note->user = p;

    p = lock->client;
    lock->client = note->client;
    note->client = p;

    ngx_http_conflict_shm_waiting_free(op, sh, note);

    return 1;
}


void
ngx_http_conflict_shm_waiting_forget(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock)
{
    ngx_http_conflict_shm_note_t  *note;

    while (lock->notes) {
        note = lock->notes;
        lock->notes = note->next;

        ngx_http_conflict_shm_waiting_free(op, sh, note);
    }
}


static void
ngx_http_conflict_shm_waiting_expire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock)
{
    ngx_http_conflict_shm_note_t  *note, **link;

    link = &lock->notes;

    while (*link) {
        note = *link;

        if (note->until > ngx_current_msec) {
            link = &note->next;
            continue;
        }

        *link = note->next;
        ngx_http_conflict_shm_waiting_free(op, sh, note);
    }
}


static void
ngx_http_conflict_shm_waiting_free(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_note_t *note)
{
    ngx_slab_pool_t  *shpool;

    shpool = ngx_http_conflict_shm(op)->shpool;

    sh->n_notes--;

    ngx_slab_free_locked(shpool, note->user);
    ngx_slab_free_locked(shpool, note->client);
    ngx_slab_free_locked(shpool, note);
}
