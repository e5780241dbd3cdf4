
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The zone of the history: its repair, keys, records and eviction, which is
 * confined to this zone.
 */


#include "store/shm/ngx_http_conflict_shm_history.h"


#define NGX_HTTP_CONFLICT_SHM_HISTORY_LAYOUT  5


static ngx_int_t ngx_http_conflict_shm_history_zone_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_http_conflict_shm_history_t *
    ngx_http_conflict_shm_history_zone_build(ngx_http_conflict_shm_t *shm);
static void *ngx_http_conflict_shm_history_zone_rebuild(
    ngx_http_conflict_shm_t *shm);


ngx_int_t
ngx_http_conflict_shm_history_zone_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store)
{
    ngx_http_conflict_shm_t  *shm;

    shm = store->data;

    if (shm->history_zone == NULL) {
        shm->history_zone = ngx_http_conflict_shm_zone_part(cf, shm, ":history",
                                 store->history_size,
                                 ngx_http_conflict_shm_history_zone_init);
    }

    return shm->history_zone ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_conflict_shm_history_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_int_t                 rc;
    ngx_http_conflict_shm_t  *shm;

    shm = zone->data;
    shm->history = (ngx_slab_pool_t *) zone->shm.addr;

    rc = ngx_http_conflict_shm_zone_kept(zone, data,
                                         NGX_HTTP_CONFLICT_SHM_HISTORY_LAYOUT,
                                         "the history of ");
    if (rc != NGX_DECLINED) {
        return rc;
    }

    return ngx_http_conflict_shm_history_zone_build(shm) ? NGX_OK : NGX_ERROR;
}


static ngx_http_conflict_shm_history_t *
ngx_http_conflict_shm_history_zone_build(ngx_http_conflict_shm_t *shm)
{
    size_t                            size;
    ngx_uint_t                        n;
    ngx_slab_pool_t                  *shpool;
    ngx_http_conflict_shm_history_t  *history;

    shpool = shm->history;
    shpool->data = NULL;
    shpool->log_nomem = 0;

    history = ngx_slab_calloc_locked(shpool,
                                     sizeof(ngx_http_conflict_shm_history_t));
    if (history == NULL) {
        return NULL;
    }

    history->head.layout = NGX_HTTP_CONFLICT_SHM_HISTORY_LAYOUT;
    history->seed = ngx_http_conflict_shm_zone_seed();
    ngx_queue_init(&history->records);

    for (n = 1; n * 2 <= shm->history_zone->shm.size / 2048; n *= 2) {
        /* void */
    }

    history->mask = n - 1;

    size = n * sizeof(ngx_http_conflict_shm_key_t *);

    history->buckets = ngx_slab_calloc_locked(shpool, size);
    if (history->buckets == NULL) {
        return NULL;
    }

    shpool->data = history;

    return history;
}


ngx_http_conflict_shm_history_t *
ngx_http_conflict_shm_history_zone_lock(ngx_http_conflict_op_t *op,
    uint64_t hash[2])
{
    ngx_http_conflict_shm_t          *shm;
    ngx_http_conflict_shm_history_t  *history;

    shm = ngx_http_conflict_shm(op);

    if (shm->history == NULL) {
        return NULL;
    }

    history = ngx_http_conflict_shm_zone_hold(shm, shm->history,
                                   ngx_http_conflict_shm_history_zone_rebuild);
    if (history == NULL) {
        return NULL;
    }

    /* records of another era are not found, and evicted in time */
    conflict_hash_128(hash, op->key.data, op->key.len,
                      history->seed + shm->era);

    return history;
}


static void *
ngx_http_conflict_shm_history_zone_rebuild(ngx_http_conflict_shm_t *shm)
{
    shm->history->data = NULL;
    ngx_slab_init(shm->history);

    return ngx_http_conflict_shm_history_zone_build(shm);
}


ngx_http_conflict_shm_key_t *
ngx_http_conflict_shm_history_zone_find(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history, uint64_t hash[2])
{
    time_t                           oldest, ttl;
    ngx_uint_t                       n;
    ngx_http_conflict_shm_key_t     *key;
    ngx_http_conflict_shm_record_t  *r, *next;

    for (key = history->buckets[hash[0] & history->mask];
         key;
         key = key->next)
    {
        if (key->hash[0] == hash[0] && key->hash[1] == hash[1]) {
            break;
        }
    }

    if (key == NULL) {
        return NULL;
    }

    ttl = (time_t) (op->in.record_ttl / 1000);
    oldest = ngx_time() - (ttl ? ttl : key->ttl);
    n = key->n;

    for (r = key->records; r; r = next) {
        next = r->next;

        if (r->at < oldest) {
            ngx_http_conflict_shm_history_zone_remove(op, history, r);
            n--;
        }
    }

    /* the last record takes the key with it */

    return n ? key : NULL;
}


ngx_http_conflict_shm_key_t *
ngx_http_conflict_shm_history_zone_key(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history, uint64_t hash[2])
{
    size_t                        size;
    ngx_http_conflict_shm_key_t  *key, **bucket;

    key = ngx_http_conflict_shm_history_zone_find(op, history, hash);

    if (key) {
        key->ttl = (time_t) (op->in.record_ttl / 1000);
        return key;
    }

    size = sizeof(ngx_http_conflict_shm_key_t);

    key = ngx_http_conflict_shm_history_zone_alloc(op, history, size);
    if (key == NULL) {
        return NULL;
    }

    ngx_memzero(key, size);

    key->hash[0] = hash[0];
    key->hash[1] = hash[1];
    key->ttl = (time_t) (op->in.record_ttl / 1000);

    bucket = &history->buckets[hash[0] & history->mask];

    key->next = *bucket;
    *bucket = key;

    return key;
}


void *
ngx_http_conflict_shm_history_zone_alloc(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history, size_t size)
{
    void                            *p;
    ngx_queue_t                     *q;
    ngx_http_conflict_shm_record_t  *r;

    if (size > ngx_http_conflict_shm(op)->history_zone->shm.size / 4) {
        /* too large a share of the zone for one body */
        return NULL;
    }

    for ( ;; ) {
        p = ngx_slab_alloc_locked(ngx_http_conflict_shm(op)->history, size);

        if (p || ngx_queue_empty(&history->records)) {
            return p;
        }

        q = ngx_queue_last(&history->records);
        r = ngx_queue_data(q, ngx_http_conflict_shm_record_t, queue);

        ngx_http_conflict_shm_history_zone_remove(op, history, r);
    }
}


ngx_http_conflict_shm_record_t *
ngx_http_conflict_shm_history_zone_oldest(ngx_http_conflict_shm_key_t *key,
    ngx_uint_t note)
{
    ngx_http_conflict_shm_record_t  *r, *oldest;

    oldest = NULL;

    for (r = key->records; r; r = r->next) {
        if (r->note == note) {
            oldest = r;
        }
    }

    return oldest;
}


void
ngx_http_conflict_shm_history_zone_touch(
    ngx_http_conflict_shm_history_t *history,
    ngx_http_conflict_shm_record_t *record)
{
    record->at = ngx_time();

    ngx_queue_remove(&record->queue);
    ngx_queue_insert_head(&history->records, &record->queue);
}


void
ngx_http_conflict_shm_history_zone_remove(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history,
    ngx_http_conflict_shm_record_t *record)
{
    ngx_slab_pool_t                  *shpool;
    ngx_http_conflict_shm_key_t      *key, **bucket;
    ngx_http_conflict_shm_record_t  **link;

    shpool = ngx_http_conflict_shm(op)->history;
    key = record->key;

    for (link = &key->records; *link != record; link = &(*link)->next) {
        /* void */
    }

    *link = record->next;
    key->n--;

    if (record->note) {
        key->notes--;

    } else {
        key->bytes -= record->len;
    }

    ngx_queue_remove(&record->queue);
    ngx_slab_free_locked(shpool, record);

    ngx_http_conflict_failpoint_hit();

    if (key->n) {
        return;
    }

    bucket = &history->buckets[key->hash[0] & history->mask];

    while (*bucket != key) {
        bucket = &(*bucket)->next;
    }

    *bucket = key->next;

    ngx_slab_free_locked(shpool, key);
}
