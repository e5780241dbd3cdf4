
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The zone of the shared-memory store: its lifetime across reloads and binary
 * upgrades, and its repair after a process was killed inside it.
 */


#include "store/shm/ngx_http_conflict_shm.h"


static ngx_int_t ngx_http_conflict_shm_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_http_conflict_shctx_t *ngx_http_conflict_shm_zone_build(
    ngx_http_conflict_shm_t *shm);
static void *ngx_http_conflict_shm_zone_rebuild(ngx_http_conflict_shm_t *shm);


static ngx_str_t  ngx_http_conflict_shm_zone_prefix = ngx_string("conflict:");


ngx_int_t
ngx_http_conflict_shm_zone_add(ngx_conf_t *cf, ngx_http_conflict_store_t *store,
    size_t size)
{
    ngx_str_t                 name;
    ngx_shm_zone_t           *shm_zone;
    ngx_http_conflict_shm_t  *shm;

    shm = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_shm_t));
    if (shm == NULL) {
        return NGX_ERROR;
    }

    name.len = ngx_http_conflict_shm_zone_prefix.len + store->name.len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(name.data, "%V%V", &ngx_http_conflict_shm_zone_prefix,
                       &store->name);

    shm_zone = ngx_shared_memory_add(cf, &name, size, (void *) store->ops);
    if (shm_zone == NULL) {
        return NGX_ERROR;
    }

    shm->store = store;
    shm->zone = shm_zone;

    shm_zone->init = ngx_http_conflict_shm_zone_init;
    shm_zone->data = shm;

    store->data = shm;

    return NGX_OK;
}


ngx_shm_zone_t *
ngx_http_conflict_shm_zone_part(ngx_conf_t *cf, ngx_http_conflict_shm_t *shm,
    const char *suffix, size_t size, ngx_shm_zone_init_pt init)
{
    ngx_str_t        name;
    ngx_shm_zone_t  *zone;

    name.len = shm->zone->shm.name.len + ngx_strlen(suffix);
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NULL;
    }

    (void) ngx_sprintf(name.data, "%V%s", &shm->zone->shm.name, suffix);

    zone = ngx_shared_memory_add(cf, &name, size ? size : shm->zone->shm.size,
                                 (void *) shm->store->ops);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = init;
    zone->data = shm;

    return zone;
}


static ngx_int_t
ngx_http_conflict_shm_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_int_t                   rc;
    ngx_http_conflict_shm_t    *shm;
    ngx_http_conflict_shctx_t  *sh;

    shm = shm_zone->data;
    shm->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    rc = ngx_http_conflict_shm_zone_kept(shm_zone, data,
                                         NGX_HTTP_CONFLICT_SHM_LAYOUT, "");
    if (rc != NGX_DECLINED) {
        return rc;
    }

    sh = ngx_http_conflict_shm_zone_build(shm);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    shm->shpool->data = sh;
    shm->created = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_shm_zone_kept(ngx_shm_zone_t *zone, void *data,
    ngx_uint_t layout, const char *what)
{
    ngx_http_conflict_shm_t       *shm;
    ngx_http_conflict_shm_head_t  *head;

    if (data == NULL && !zone->shm.exists) {
        return NGX_DECLINED;
    }

    shm = zone->data;
    head = ((ngx_slab_pool_t *) zone->shm.addr)->data;

    if (head && head->layout != layout) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "%sconflict store \"%V\" has the layout of another "
                      "version of the module, restart nginx", what,
                      &shm->store->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_http_conflict_shctx_t *
ngx_http_conflict_shm_zone_build(ngx_http_conflict_shm_t *shm)
{
    size_t                      len, size;
    ngx_uint_t                  n;
    ngx_http_conflict_shctx_t  *sh;

    sh = ngx_slab_calloc_locked(shm->shpool,
                                sizeof(ngx_http_conflict_shctx_t));
    if (sh == NULL) {
        return NULL;
    }

    /*
     * set by ngx_slab_calloc_locked():
     *
     *     sh->head.changing = 0;
     *     sh->turn = 0;
     *     sh->era = 0;
     *     sh->entries = 0;
     *     sh->n_locks = 0;
     *     sh->changes = 0;
     *     sh->forgotten = 0;
     *     sh->n_notes = 0;
     */

    sh->head.layout = NGX_HTTP_CONFLICT_SHM_LAYOUT;

    sh->seed = ngx_http_conflict_shm_zone_seed();

    /* two entries per bucket if the zone is full */

    for (n = 1; n * 2 <= shm->zone->shm.size / 256; n *= 2) { /* void */ }

    sh->mask = n - 1;

    size = n * sizeof(ngx_http_conflict_shm_entry_t *);

    sh->buckets = ngx_slab_calloc_locked(shm->shpool, size);
    if (sh->buckets == NULL) {
        return NULL;
    }

    /* locks may take a quarter of the zone */

    sh->lock_mask = ngx_max(n / 32, 1) - 1;
    size = (sh->lock_mask + 1) * sizeof(ngx_http_conflict_shm_lock_t *);

    sh->lock_buckets = ngx_slab_calloc_locked(shm->shpool, size);
    if (sh->lock_buckets == NULL) {
        return NULL;
    }

    ngx_queue_init(&sh->free);
    ngx_queue_init(&sh->busy);
    ngx_queue_init(&sh->locks);

    len = sizeof(" in conflict store \"\"") + shm->store->name.len;

    shm->shpool->log_ctx = ngx_slab_alloc_locked(shm->shpool, len);
    if (shm->shpool->log_ctx == NULL) {
        return NULL;
    }

    (void) ngx_sprintf(shm->shpool->log_ctx, " in conflict store \"%V\"%Z",
                       &shm->store->name);

    /* a full zone is logged by the handler, not for each allocation */
    shm->shpool->log_nomem = 0;

    return sh;
}


uint64_t
ngx_http_conflict_shm_zone_seed(void)
{
    return ((uint64_t) (uint32_t) ngx_random() << 32
            | (uint32_t) ngx_random())
           ^ ((uint64_t) ngx_time() << 20 ^ (uint64_t) ngx_pid);
}


void *
ngx_http_conflict_shm_zone_hold(ngx_http_conflict_shm_t *shm,
    ngx_slab_pool_t *shpool, void *(*rebuild)(ngx_http_conflict_shm_t *shm))
{
    ngx_http_conflict_shm_head_t  *head;

    ngx_shmtx_lock(&shpool->mutex);

    head = shpool->data;

    if (head == NULL || head->changing) {
        head = rebuild(shm);

        if (head == NULL) {
            ngx_shmtx_unlock(&shpool->mutex);
            return NULL;
        }
    }

    head->changing = 1;
    ngx_memory_barrier();

    ngx_http_conflict_failpoint_hit();

    return head;
}


void
ngx_http_conflict_shm_zone_release(ngx_slab_pool_t *shpool)
{
    ngx_http_conflict_shm_head_t  *head;

    ngx_http_conflict_failpoint_hit();

    head = shpool->data;

    ngx_memory_barrier();
    head->changing = 0;

    ngx_shmtx_unlock(&shpool->mutex);
}


ngx_http_conflict_shctx_t *
ngx_http_conflict_shm_zone_lock(ngx_http_conflict_shm_t *shm)
{
    return ngx_http_conflict_shm_zone_hold(shm, shm->shpool,
                                           ngx_http_conflict_shm_zone_rebuild);
}


/*
 * Only single words of a torn zone can be trusted.  Writes in flight reappear
 * with their next renewal, or belonged to the killed worker; so all keys are
 * closed for as long as a lease and a quarantine can last.
 */

static void *
ngx_http_conflict_shm_zone_rebuild(ngx_http_conflict_shm_t *shm)
{
    uint16_t                    era;
    uint64_t                    highest;
    ngx_uint_t                  turn;
    ngx_http_conflict_shctx_t  *sh, *torn;

    torn = shm->shpool->data;

    highest = torn ? torn->highest : 0;
    turn = torn ? torn->turn : 0;
    era = torn ? torn->era : 0;

    shm->shpool->data = NULL;

    ngx_slab_init(shm->shpool);

    sh = ngx_http_conflict_shm_zone_build(shm);

    if (sh == NULL) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "conflict store \"%V\" cannot be rebuilt",
                      &shm->store->name);
        return NULL;
    }

    sh->floor = highest;
    sh->highest = highest;
    sh->turn = turn;
    sh->era = era;
    sh->closed = ngx_current_msec + shm->store->lease + shm->store->quarantine;

    ngx_http_conflict_failpoint_hit();

    shm->shpool->data = sh;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "conflict store \"%V\" was left inconsistent by a killed "
                  "process: all versions are discarded, writes wait %M ms",
                  &shm->store->name,
                  shm->store->lease + shm->store->quarantine);

    return sh;
}


ngx_uint_t
ngx_http_conflict_shm_zone_renewed(ngx_http_conflict_store_t *store)
{
    ngx_str_t                *name;
    ngx_uint_t                i;
    ngx_shm_zone_t           *zone;
    ngx_list_part_t          *part;
    ngx_http_conflict_shm_t  *shm;

    shm = store->data;

    if (!shm->created) {
        return 0;
    }

    if (ngx_is_init_cycle(ngx_cycle)) {
        /* after a binary upgrade the old workers have another zone */
        return ngx_inherited != 0;
    }

    name = &shm->zone->shm.name;

    for (part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
         part;
         part = part->next)
    {
        zone = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (zone[i].shm.name.len == name->len
                && ngx_strncmp(zone[i].shm.name.data, name->data, name->len)
                   == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


void
ngx_http_conflict_shm_zone_enter(ngx_http_conflict_store_t *store,
    ngx_http_conflict_store_t *old)
{
    ngx_http_conflict_shm_t  *shm, *oshm;

    shm = store->data;
    oshm = (old && !shm->created) ? old->data : NULL;

    shm->turn = (oshm ? oshm->turn : 0) + store->moved;
}


ngx_uint_t
ngx_http_conflict_shm_zone_closed(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh)
{
    ngx_msec_t                  until;
    ngx_http_conflict_store_t  *store;

    /* old workers keep their turn */

    if (shm->turn <= sh->turn) {
        return 0;
    }

    store = shm->store;

    if (!ngx_http_conflict_predecessor_gone(store->predecessors,
                                            &store->n_predecessors,
                                            &store->predecessors_checked))
    {
        return 1;
    }

    sh->turn = shm->turn;
    sh->era++;

    until = ngx_current_msec + store->quarantine;
    sh->closed = ngx_max(sh->closed, until);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "conflict store \"%V\": the predecessor processes have "
                  "exited", &store->name);

    return 0;
}
