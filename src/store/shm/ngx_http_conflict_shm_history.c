
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The history of the shared-memory store: bodies by key and version.  A record
 * stays valid whatever happens to the zone of versions.
 */


#include "store/shm/ngx_http_conflict_shm_history.h"
#include "core/policy/conflict_chain.h"


static ngx_uint_t ngx_http_conflict_shm_history_reuse(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_history_t *history,
    ngx_http_conflict_shm_key_t *key, ngx_http_conflict_record_t *record);
static ngx_uint_t ngx_http_conflict_shm_history_same_body(
    ngx_http_conflict_shm_record_t *r, ngx_http_conflict_record_t *record);
static ngx_uint_t ngx_http_conflict_shm_history_supersede(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_history_t *history,
    ngx_http_conflict_shm_key_t *key, uint64_t word);
static ngx_uint_t ngx_http_conflict_shm_history_is_base(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_record_t *r);
static void ngx_http_conflict_shm_history_add_view(
    ngx_http_conflict_shm_record_t *r, uint64_t view);
static void ngx_http_conflict_shm_history_remove_view(
    ngx_http_conflict_shm_record_t *r, uint64_t view);


ngx_int_t
ngx_http_conflict_shm_history_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record)
{
    size_t                            size;
    uint64_t                          hash[2];
    ngx_http_conflict_record_t        added;
    ngx_http_conflict_shm_key_t      *key;
    ngx_http_conflict_shm_history_t  *history;
    ngx_http_conflict_shm_record_t   *r;

    history = ngx_http_conflict_shm_history_zone_lock(op, hash);
    if (history == NULL) {
        return NGX_OK;
    }

    if (record->note) {
        ngx_http_conflict_shm_versions_note(op, history, hash, record->note);
    }

    if (record->bodiless) {
        ngx_http_conflict_shm_history_zone_unlock(op);
        return NGX_OK;
    }

    added = *record;

    key = ngx_http_conflict_shm_history_zone_find(op, history, hash);

    if (key
        && (record->link
            ? ngx_http_conflict_shm_history_supersede(op, history, key,
                                                      record->version)
            : ngx_http_conflict_shm_history_reuse(op, history, key, &added)))
    {
        ngx_http_conflict_shm_history_zone_unlock(op);
        return NGX_OK;
    }

    size = sizeof(ngx_http_conflict_shm_record_t) + record->body.len;

    r = ngx_http_conflict_shm_history_zone_alloc(op, history, size);

    if (r == NULL) {
        ngx_http_conflict_shm_history_zone_unlock(op);
        return NGX_OK;
    }

    /* the allocation may have evicted the key */
    key = ngx_http_conflict_shm_history_zone_key(op, history, hash);

    if (key == NULL) {
        ngx_slab_free_locked(ngx_http_conflict_shm(op)->history, r);
        ngx_http_conflict_shm_history_zone_unlock(op);
        return NGX_OK;
    }

    r->key = key;
    r->version = record->version;
    r->fingerprint = added.fingerprint;
    r->certain = added.certain;
    r->shown = record->shown;
    r->link = record->link;
    r->note = 0;
    r->views[0] = record->view;
    r->n_views = 1;
    r->at = ngx_time();
    r->len = record->body.len;
    ngx_memcpy(ngx_http_conflict_shm_record_body(r), record->body.data, r->len);

    r->next = key->records;
    key->records = r;
    key->n++;
    key->bytes += r->len;

    ngx_http_conflict_failpoint_hit();

    ngx_queue_insert_head(&history->records, &r->queue);

    while (key->n - key->notes > 1
           && (key->n - key->notes > op->in.records
               || key->bytes > op->in.record_bytes))
    {
        r = ngx_http_conflict_shm_history_zone_oldest(key, 0);
        ngx_http_conflict_shm_history_zone_remove(op, history, r);
    }

    ngx_http_conflict_shm_history_zone_unlock(op);

    return NGX_OK;
}


/*
 * 1 if the view has a body of this version already, or if other views have
 * this body, and this view is added to them.  A body that was not shown is
 * removed for one that was, an empty one for any, and one that was shown for a
 * later one of the same version that states it, or has made it: the upstream
 * may count from 1 again once the resource was deleted.  The write of the body
 * that was removed is left in "record".
 */

static ngx_uint_t
ngx_http_conflict_shm_history_reuse(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history, ngx_http_conflict_shm_key_t *key,
    ngx_http_conflict_record_t *record)
{
    ngx_uint_t                       differs, made;
    ngx_http_conflict_shm_record_t  *r, *next, *same;

    same = NULL;
    made = (record->certain && !record->shown && !record->read);

    for (r = key->records; r; r = next) {
        next = r->next;

        if (r->version != record->version || r->link || r->note) {
            continue;
        }

        if (made && r->fingerprint && r->fingerprint != record->fingerprint) {
            /* of an earlier life, as is what its retry would be */
            ngx_http_conflict_shm_history_zone_remove(op, history, r);
            continue;
        }

        if (!ngx_http_conflict_shm_history_has_view(r, record->view)) {

            if (record->fingerprint && r->fingerprint == record->fingerprint) {
                /* the view has lost it, for good */
                return 1;
            }

            if (r->shown == record->shown
                && ngx_http_conflict_shm_history_same_body(r, record))
            {
                same = r;
            }

            continue;
        }

        differs = (!record->read
                   && (record->shown ? r->shown : made && r->fingerprint == 0)
                   && !ngx_http_conflict_shm_history_same_body(r, record));

        if (differs && r->n_views > 1) {
            ngx_http_conflict_shm_history_remove_view(r, record->view);
            continue;
        }

        if (record->fingerprint) {
            r->fingerprint = record->fingerprint;
            r->certain = record->certain;
        }

        if (!differs
            && (r->shown
                || (!record->shown && (r->len || record->body.len == 0))))
        {
            ngx_http_conflict_shm_history_zone_touch(history, r);
            return 1;
        }

        record->fingerprint = r->fingerprint;
        record->certain = r->certain;

        /* the key may go with its last record */
        ngx_http_conflict_shm_history_zone_remove(op, history, r);
    }

    if (same == NULL) {
        return 0;
    }

    if (record->fingerprint) {
        same->fingerprint = record->fingerprint;
        same->certain = record->certain;
    }

    ngx_http_conflict_shm_history_add_view(same, record->view);
    ngx_http_conflict_shm_history_zone_touch(history, same);

    return 1;
}


static ngx_uint_t
ngx_http_conflict_shm_history_same_body(ngx_http_conflict_shm_record_t *r,
    ngx_http_conflict_record_t *record)
{
    return r->len == record->body.len
           && ngx_memcmp(ngx_http_conflict_shm_record_body(r),
                         record->body.data, r->len)
              == 0;
}


/*
 * The record of a write stays for its retries: it only stops being a base for
 * the view.
 */

void
ngx_http_conflict_shm_history_drop(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record)
{
    uint64_t                          hash[2], shown;
    ngx_http_conflict_shm_key_t      *key;
    ngx_http_conflict_shm_history_t  *history;
    ngx_http_conflict_shm_record_t   *r, *next;

    history = ngx_http_conflict_shm_history_zone_lock(op, hash);
    if (history == NULL) {
        return;
    }

    shown = record->body.len
            ? conflict_hash_64(record->body.data, record->body.len, 0)
            : record->hash;

    key = ngx_http_conflict_shm_history_zone_find(op, history, hash);

    for (r = key ? key->records : NULL; r; r = next) {
        next = r->next;

        if (r->version != record->version || r->link
            || !ngx_http_conflict_shm_history_has_view(r, record->view)
            || conflict_hash_64(ngx_http_conflict_shm_record_body(r), r->len, 0)
               == shown)
        {
            continue;
        }

        ngx_http_conflict_shm_history_remove_view(r, record->view);

        if (r->n_views == 0 && r->fingerprint == 0) {
            /* the key may go with its last record */
            ngx_http_conflict_shm_history_zone_remove(op, history, r);
        }
    }

    ngx_http_conflict_shm_history_zone_unlock(op);
}


/*
 * A chain has one record, of its last link: removes those of earlier links.
 * 1 if there is one of this or a later link.
 */

static ngx_uint_t
ngx_http_conflict_shm_history_supersede(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history, ngx_http_conflict_shm_key_t *key,
    uint64_t word)
{
    ngx_http_conflict_shm_record_t  *r, *next;

    for (r = key->records; r; r = next) {
        next = r->next;

        if (!r->link || !conflict_chain_same(r->version, word)) {
            continue;
        }

        if (r->version >= word) {
            return 1;
        }

        /* the key may go with its last record */
        ngx_http_conflict_shm_history_zone_remove(op, history, r);
    }

    return 0;
}


ngx_int_t
ngx_http_conflict_shm_history_recall(ngx_http_conflict_op_t *op)
{
    uint64_t                          word;
    uint64_t                          hash[2];
    ngx_http_conflict_shm_key_t      *key;
    ngx_http_conflict_shm_history_t  *history;
    ngx_http_conflict_shm_record_t   *r;

    ngx_http_conflict_op_forget(op);

    history = ngx_http_conflict_shm_history_zone_lock(op, hash);
    if (history == NULL) {
        return NGX_OK;
    }

    key = ngx_http_conflict_shm_history_zone_find(op, history, hash);
    word = ngx_http_conflict_op_chain(op);

    for (r = key ? key->records : NULL; r; r = r->next) {

        if (word && r->link && conflict_chain_same(r->version, word)
            && r->version >= word)
        {
            op->out.late = 1;
        }

        if (ngx_http_conflict_shm_history_is_base(op, r) && !op->out.base_held
            && op->in.view
            && ngx_http_conflict_shm_history_has_view(r, op->in.view)
            && ngx_http_conflict_op_copy(&op->out.base_body,
                                         ngx_http_conflict_shm_record_body(r),
                                         r->len)
               == NGX_OK)
        {
            op->out.base_held = 1;
        }

        if (op->in.fingerprint && r->fingerprint == op->in.fingerprint
            && !op->out.repeat
            && ngx_http_conflict_op_copy(&op->out.made_body,
                                         ngx_http_conflict_shm_record_body(r),
                                         r->len)
               == NGX_OK)
        {
            op->out.repeat = 1;
            op->out.certain = r->certain;
        }
    }

    ngx_http_conflict_shm_history_zone_unlock(op);

    return NGX_OK;
}


/* 1 if it is the base of the write, or made by the previous link */

static ngx_uint_t
ngx_http_conflict_shm_history_is_base(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_record_t *r)
{
    uint64_t  word;

    word = ngx_http_conflict_op_chain(op);

    if (conflict_chain_number(word) > 1) {
        return r->link && conflict_chain_same(r->version, word) && r->len;
    }

    return !r->link && r->version == op->in.pre.base;
}


ngx_uint_t
ngx_http_conflict_shm_history_has(ngx_http_conflict_op_t *op)
{
    uint64_t                          hash[2];
    ngx_uint_t                        has;
    ngx_http_conflict_shm_key_t      *key;
    ngx_http_conflict_shm_history_t  *history;
    ngx_http_conflict_shm_record_t   *r;

    history = ngx_http_conflict_shm_history_zone_lock(op, hash);
    if (history == NULL) {
        return 0;
    }

    has = 0;
    key = ngx_http_conflict_shm_history_zone_find(op, history, hash);

    for (r = key ? key->records : NULL; r && !has; r = r->next) {
        has = (r->version == op->out.version && r->shown && !r->link
               && ngx_http_conflict_shm_history_has_view(r, op->in.view));

        if (has) {
            /* a version that is read is not evicted */
            ngx_http_conflict_shm_history_zone_touch(history, r);
        }
    }

    ngx_http_conflict_shm_history_zone_unlock(op);

    return has;
}


ngx_uint_t
ngx_http_conflict_shm_history_has_view(ngx_http_conflict_shm_record_t *r,
    uint64_t view)
{
    ngx_uint_t  i;

    for (i = 0; i < r->n_views; i++) {

        if (r->views[i] == view) {
            return 1;
        }
    }

    return 0;
}


/* adds a view; if there are too many, the first is dropped */

static void
ngx_http_conflict_shm_history_add_view(ngx_http_conflict_shm_record_t *r,
    uint64_t view)
{
    if (r->n_views == NGX_HTTP_CONFLICT_SHM_RECORD_VIEWS) {
        r->n_views--;
        ngx_memmove(&r->views[0], &r->views[1], r->n_views * sizeof(uint64_t));
    }

    r->views[r->n_views++] = view;
}


static void
ngx_http_conflict_shm_history_remove_view(ngx_http_conflict_shm_record_t *r,
    uint64_t view)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < r->n_views; i++) {

        if (r->views[i] != view) {
            r->views[n++] = r->views[i];
        }
    }

    r->n_views = n;
}
