
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The shared-memory store: versions of the items of a list.  The zone numbers
 * the changes of its entries, so a number is all that has to be compared.
 */


#include "store/shm/ngx_http_conflict_shm.h"


/* entries that are looked up while the zone is locked */
#define NGX_HTTP_CONFLICT_SHM_ITEMS  64


typedef struct {
    uint64_t                    seed;      /* identifies the zone's build */
    uint64_t                    changes;
    uint16_t                    era;
} ngx_http_conflict_shm_mark_t;


static uint64_t ngx_http_conflict_shm_items_version(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_str_t *key);
static uint64_t ngx_http_conflict_shm_items_new(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_str_t *key);


ngx_int_t
ngx_http_conflict_shm_items_mark(ngx_http_conflict_op_t *op)
{
    ngx_int_t                      rc;
    ngx_http_conflict_shm_t       *shm;
    ngx_http_conflict_shctx_t     *sh;
    ngx_http_conflict_shm_mark_t  *mark;

    shm = ngx_http_conflict_shm(op);

    op->out.error = NGX_HTTP_CONFLICT_STORE_FULL;

    mark = ngx_alloc(sizeof(ngx_http_conflict_shm_mark_t), ngx_cycle->log);
    if (mark == NULL) {
        return NGX_ERROR;
    }

    op->mark = mark;

    sh = ngx_http_conflict_shm_zone_lock(shm);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (ngx_http_conflict_shm_zone_closed(shm, sh)) {
        op->out.error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        rc = NGX_ERROR;
    }

    mark->seed = sh->seed;
    mark->changes = sh->changes;
    mark->era = sh->era;

    ngx_http_conflict_shm_zone_unlock(shm);

    return rc;
}


ngx_int_t
ngx_http_conflict_shm_items_versions(ngx_http_conflict_op_t *op)
{
    ngx_uint_t                     i, last;
    ngx_http_conflict_shm_t       *shm;
    ngx_http_conflict_item_t      *item;
    ngx_http_conflict_shctx_t     *sh;
    ngx_http_conflict_shm_mark_t  *mark;

    shm = ngx_http_conflict_shm(op);
    mark = op->mark;
    item = op->items;

    for (i = 0; i < op->nitems; /* void */ ) {

        sh = ngx_http_conflict_shm_zone_lock(shm);
        if (sh == NULL) {
            return NGX_ERROR;
        }

        if (ngx_http_conflict_shm_zone_closed(shm, sh)
            || sh->seed != mark->seed || sh->era != mark->era)
        {
            ngx_http_conflict_shm_zone_unlock(shm);
            return NGX_ERROR;
        }

        last = ngx_min(i + NGX_HTTP_CONFLICT_SHM_ITEMS, op->nitems);

        for ( /* void */ ; i < last; i++) {
            item[i].version = ngx_http_conflict_shm_items_version(op, sh,
                                                                 &item[i].key);
        }

        ngx_http_conflict_shm_zone_unlock(shm);
    }

    return NGX_OK;
}


static uint64_t
ngx_http_conflict_shm_items_version(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_str_t *key)
{
    uint64_t                        hash[2];
    ngx_http_conflict_shm_mark_t   *mark;
    ngx_http_conflict_shm_entry_t  *e;

    mark = op->mark;

    conflict_hash_128(hash, key->data, key->len, sh->seed);

    e = ngx_http_conflict_shm_entry_find(sh, hash);

    if (e == NULL) {
        return ngx_http_conflict_shm_items_new(op, sh, key);
    }

    if (ngx_http_conflict_shm_entry_state(e) != CONFLICT_FREE
        || e->existence >= CONFLICT_DELETED
        || e->version == 0 || e->version >= CONFLICT_VERSION_LIMIT)
    {
        return 0;
    }

    /* moves it to the head of its queue */
    ngx_http_conflict_shm_entry_set(sh, e, CONFLICT_FREE, 0);

#if (CONFLICT_BROKEN == 10)
    return e->version;
#endif

    return (e->until <= mark->changes) ? e->version : 0;
}


/*
 * A version that is newer than the list, but no write has begun since the mark
 * unless its entry was evicted.
 */

static uint64_t
ngx_http_conflict_shm_items_new(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_str_t *key)
{
    ngx_str_t                       own;
    ngx_uint_t                      unchanged;
    ngx_http_conflict_shm_mark_t   *mark;
    ngx_http_conflict_shm_entry_t  *e;

    if (sh->closed > ngx_current_msec) {
        /* an entry would be unknown, until a GET resolves it */
        return 0;
    }

    mark = op->mark;
    unchanged = (sh->forgotten <= mark->changes);

#if (CONFLICT_BROKEN == 11)
    unchanged = 1;
#endif

    own = op->key;
    op->key = *key;
    e = ngx_http_conflict_shm_entry_new(op, sh);
    op->key = own;

    if (e == NULL) {
        return 0;
    }

    /* the item to be shown was not changed later than now */
    e->mtime = ngx_http_conflict_clock_usec();

    return unchanged ? e->version : 0;
}
