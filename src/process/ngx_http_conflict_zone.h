
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A zone of one structure, which workers share, also after a reload.
 */


#ifndef _NGX_HTTP_CONFLICT_ZONE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Declares the zone; its name ends with the number of the layout, as a reload
 * finds it by name and size.  NULL: already logged.
 */
ngx_shm_zone_t *ngx_http_conflict_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);

/* The structure, with zeros at first, once nginx has created the zone. */
#define ngx_http_conflict_zone_data(zone)                                     \
    (((ngx_slab_pool_t *) (zone)->shm.addr)->data)


#endif /* _NGX_HTTP_CONFLICT_ZONE_H_INCLUDED_ */
