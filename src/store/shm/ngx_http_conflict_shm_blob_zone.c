
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The zone of blobs: its repair, its tables, and eviction, which is confined
 * to this zone.
 */


#include "store/shm/ngx_http_conflict_shm_blob.h"


#define NGX_HTTP_CONFLICT_SHM_BLOB_LAYOUT  1


static ngx_int_t ngx_http_conflict_shm_blob_zone_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_http_conflict_shm_blobs_t *ngx_http_conflict_shm_blob_zone_build(
    ngx_http_conflict_shm_t *shm);
static void *ngx_http_conflict_shm_blob_zone_rebuild(
    ngx_http_conflict_shm_t *shm);
static ngx_uint_t ngx_http_conflict_shm_blob_zone_expire(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_blobs_t *sh);
static ngx_http_conflict_shm_blob_t *ngx_http_conflict_shm_blob_zone_oldest(
    ngx_http_conflict_shm_blobs_t *sh);


ngx_int_t
ngx_http_conflict_shm_blob_zone_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store)
{
    ngx_http_conflict_shm_t  *shm;

    if (store->ops != &ngx_http_conflict_shm_ops) {
        return NGX_OK;
    }

    shm = store->data;

    if (shm->blob_zone == NULL) {
        shm->blob_zone = ngx_http_conflict_shm_zone_part(cf, shm, ":blobs",
                                 store->blobs_size,
                                 ngx_http_conflict_shm_blob_zone_init);
    }

    return shm->blob_zone ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_conflict_shm_blob_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_int_t                 rc;
    ngx_http_conflict_shm_t  *shm;

    shm = zone->data;
    shm->blobs = (ngx_slab_pool_t *) zone->shm.addr;

    rc = ngx_http_conflict_shm_zone_kept(zone, data,
                                         NGX_HTTP_CONFLICT_SHM_BLOB_LAYOUT,
                                         "the zone of blobs of ");
    if (rc != NGX_DECLINED) {
        return rc;
    }

    return ngx_http_conflict_shm_blob_zone_build(shm) ? NGX_OK : NGX_ERROR;
}


static ngx_http_conflict_shm_blobs_t *
ngx_http_conflict_shm_blob_zone_build(ngx_http_conflict_shm_t *shm)
{
    size_t                          size;
    ngx_uint_t                      i, n;
    ngx_slab_pool_t                *shpool;
    ngx_http_conflict_shm_blobs_t  *sh;

    shpool = shm->blobs;
    shpool->data = NULL;
    shpool->log_nomem = 0;

    sh = ngx_slab_calloc_locked(shpool, sizeof(ngx_http_conflict_shm_blobs_t));
    if (sh == NULL) {
        return NULL;
    }

    sh->head.layout = NGX_HTTP_CONFLICT_SHM_BLOB_LAYOUT;
    sh->seed = ngx_http_conflict_shm_zone_seed();

    for (i = 0; i < NGX_HTTP_CONFLICT_BLOB_KINDS; i++) {
        ngx_queue_init(&sh->queue[i]);
    }

    ngx_queue_init(&sh->pinned);

    /* one blob per bucket if the zone is full of small ones */

    for (n = 1; n * 2 <= shm->blob_zone->shm.size / 512; n *= 2) {
        /* void */
    }

    sh->mask = n - 1;

    size = n * sizeof(ngx_http_conflict_shm_blob_t *);

    sh->buckets = ngx_slab_calloc_locked(shpool, size);
    if (sh->buckets == NULL) {
        return NULL;
    }

    size = n * sizeof(ngx_http_conflict_shm_blob_index_t *);

    sh->index_buckets = ngx_slab_calloc_locked(shpool, size);
    if (sh->index_buckets == NULL) {
        return NULL;
    }

    shpool->data = sh;

    return sh;
}


ngx_http_conflict_shm_blobs_t *
ngx_http_conflict_shm_blob_zone_lock(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_shm_t  *shm;

    shm = ngx_http_conflict_shm(op);

    if (shm->blobs == NULL) {
        return NULL;
    }

    return ngx_http_conflict_shm_zone_hold(shm, shm->blobs,
                                      ngx_http_conflict_shm_blob_zone_rebuild);
}


static void *
ngx_http_conflict_shm_blob_zone_rebuild(ngx_http_conflict_shm_t *shm)
{
    shm->blobs->data = NULL;
    ngx_slab_init(shm->blobs);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "the zone of blobs of conflict store \"%V\" was left "
                  "inconsistent by a killed process: stored responses and "
                  "held bodies are discarded", &shm->store->name);

    return ngx_http_conflict_shm_blob_zone_build(shm);
}


ngx_http_conflict_shm_blob_t *
ngx_http_conflict_shm_blob_zone_find(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2])
{
    ngx_http_conflict_shm_blob_t  *b;

    for (b = sh->buckets[hash[0] & sh->mask]; b; b = b->next) {

        if (b->hash[0] == hash[0] && b->hash[1] == hash[1]) {
            break;
        }
    }

    if (b && b->until <= ngx_current_msec) {
        ngx_http_conflict_shm_blob_zone_remove(op, sh, b);
        return NULL;
    }

    return b;
}


ngx_http_conflict_shm_blob_index_t *
ngx_http_conflict_shm_blob_zone_index(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2], ngx_uint_t create)
{
    size_t                               size;
    ngx_http_conflict_shm_blob_index_t  *index, **bucket;

    bucket = &sh->index_buckets[hash[0] & sh->mask];

    for (index = *bucket; index; index = index->next) {

        if (index->hash[0] == hash[0] && index->hash[1] == hash[1]) {
            return index;
        }
    }

    if (!create) {
        return NULL;
    }

    size = sizeof(ngx_http_conflict_shm_blob_index_t);

    index = ngx_http_conflict_shm_blob_zone_alloc(op, sh, size, 0);
    if (index == NULL) {
        return NULL;
    }

    index->hash[0] = hash[0];
    index->hash[1] = hash[1];
    index->n = 0;
    ngx_queue_init(&index->links);

    index->next = *bucket;
    *bucket = index;

    return index;
}


void
ngx_http_conflict_shm_blob_zone_insert(ngx_http_conflict_shm_blobs_t *sh,
    ngx_http_conflict_shm_blob_t *b)
{
    size_t                          size;
    ngx_http_conflict_shm_blob_t  **bucket;

    bucket = &sh->buckets[b->hash[0] & sh->mask];

    b->next = *bucket;
    *bucket = b;

    ngx_http_conflict_failpoint_hit();

    size = ngx_http_conflict_shm_blob_size(b);

    if (b->pinned) {
        ngx_queue_insert_head(&sh->pinned, &b->queue);
        sh->pinned_bytes += size;

    } else {
        ngx_queue_insert_head(&sh->queue[b->kind], &b->queue);
        sh->bytes[b->kind] += size;
    }
}


void *
ngx_http_conflict_shm_blob_zone_alloc(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, size_t size, ngx_uint_t pinned)
{
    void                          *p;
    size_t                         zone;
    ngx_http_conflict_shm_blob_t  *b;

    zone = ngx_http_conflict_shm(op)->blob_zone->shm.size;

    if (size > zone / 4) {
        /* too large a share of the zone for one blob */
        return NULL;
    }

    while (pinned && sh->pinned_bytes + size > zone / 2) {

        if (!ngx_http_conflict_shm_blob_zone_expire(op, sh)) {
            return NULL;
        }
    }

    for ( ;; ) {
        p = ngx_slab_alloc_locked(ngx_http_conflict_shm(op)->blobs, size);

        if (p) {
            return p;
        }

        if (ngx_http_conflict_shm_blob_zone_expire(op, sh)) {
            continue;
        }

        b = ngx_http_conflict_shm_blob_zone_oldest(sh);

        if (b == NULL) {
            return NULL;
        }

        ngx_http_conflict_shm_blob_zone_evict(op, sh, b);
    }
}


/*
 * Removes a blob whose ttl is over: an old one, as the ttl is much the same
 * for all of a kind.  0: there is none.
 */

static ngx_uint_t
ngx_http_conflict_shm_blob_zone_expire(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh)
{
    ngx_uint_t                     i;
    ngx_queue_t                   *q, *queue;
    ngx_http_conflict_shm_blob_t  *b;

    for (i = 0; i <= NGX_HTTP_CONFLICT_BLOB_KINDS; i++) {

        queue = (i == NGX_HTTP_CONFLICT_BLOB_KINDS) ? &sh->pinned
                                                    : &sh->queue[i];
        if (ngx_queue_empty(queue)) {
            continue;
        }

        q = ngx_queue_last(queue);
        b = ngx_queue_data(q, ngx_http_conflict_shm_blob_t, queue);

        if (b->until <= ngx_current_msec) {
            ngx_http_conflict_shm_blob_zone_remove(op, sh, b);
            return 1;
        }
    }

    return 0;
}


static ngx_http_conflict_shm_blob_t *
ngx_http_conflict_shm_blob_zone_oldest(ngx_http_conflict_shm_blobs_t *sh)
{
    ngx_uint_t    i, most;
    ngx_queue_t  *q;

    most = 0;

    for (i = 1; i < NGX_HTTP_CONFLICT_BLOB_KINDS; i++) {

        if (sh->bytes[i] > sh->bytes[most]) {
            most = i;
        }
    }

    if (ngx_queue_empty(&sh->queue[most])) {
        return NULL;
    }

    q = ngx_queue_last(&sh->queue[most]);

    return ngx_queue_data(q, ngx_http_conflict_shm_blob_t, queue);
}


void
ngx_http_conflict_shm_blob_zone_evict(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *b)
{
    if (b->until > ngx_current_msec) {
        op->blob->out.evicted++;

        if (op->store->stats) {
            (void) ngx_atomic_fetch_add(&op->store->stats->blobs_evicted, 1);
        }
    }

    ngx_http_conflict_shm_blob_zone_remove(op, sh, b);
}


void
ngx_http_conflict_shm_blob_zone_remove(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *b)
{
    size_t                          size;
    ngx_http_conflict_shm_blob_t  **bucket;

    ngx_http_conflict_shm_blob_zone_unlink(op, sh, b);

    ngx_http_conflict_failpoint_hit();

    bucket = &sh->buckets[b->hash[0] & sh->mask];

    while (*bucket != b) {
        bucket = &(*bucket)->next;
    }

    *bucket = b->next;

    ngx_queue_remove(&b->queue);

    size = ngx_http_conflict_shm_blob_size(b);

    if (b->pinned) {
        sh->pinned_bytes -= size;

    } else {
        sh->bytes[b->kind] -= size;
    }

    ngx_slab_free_locked(ngx_http_conflict_shm(op)->blobs, b);
}


void
ngx_http_conflict_shm_blob_zone_unlink(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *b)
{
    ngx_uint_t                            i;
    ngx_http_conflict_shm_blob_index_t   *index, **link;

    for (i = 0; i < NGX_HTTP_CONFLICT_BLOB_INDEXES; i++) {
        index = b->link[i].index;

        if (index == NULL) {
            continue;
        }

        b->link[i].index = NULL;
        ngx_queue_remove(&b->link[i].queue);

        if (--index->n) {
            continue;
        }

        link = &sh->index_buckets[index->hash[0] & sh->mask];

        while (*link != index) {
            link = &(*link)->next;
        }

        *link = index->next;

        ngx_slab_free_locked(ngx_http_conflict_shm(op)->blobs, index);
    }
}
