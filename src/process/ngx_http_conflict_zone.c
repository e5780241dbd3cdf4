
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A zone of one structure, which workers share, also after a reload.
 */


#include "process/ngx_http_conflict_zone.h"


static ngx_int_t ngx_http_conflict_zone_init(ngx_shm_zone_t *zone, void *data);


ngx_shm_zone_t *
ngx_http_conflict_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag)
{
    ngx_shm_zone_t  *zone;

    /* the slab pool's own pages, and its list of pages */

    zone = ngx_shared_memory_add(cf, name,
                                 size + size / 32 + 16 * ngx_pagesize, tag);
    if (zone == NULL) {
        return NULL;
    }

    zone->init = ngx_http_conflict_zone_init;
    zone->data = (void *) size;

    return zone;
}


static ngx_int_t
ngx_http_conflict_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    if (data || zone->shm.exists) {
        /* that of the previous configuration */
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    /* zeroed by the kernel; pages that are never touched take no memory */

#if (NGX_DEBUG_MALLOC || NGX_HAVE_DEBUG_MALLOC)
    /* the slab allocator has filled them */
    shpool->data = ngx_slab_calloc(shpool, (size_t) zone->data);
#else
    shpool->data = ngx_slab_alloc(shpool, (size_t) zone->data);
#endif

    return shpool->data ? NGX_OK : NGX_ERROR;
}
