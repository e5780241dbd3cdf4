
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Routes that a reload gives another store: until the workers of before are
 * gone, these write with versions that the new store does not know.
 */


#include "ngx_http_conflict_module.h"


static ngx_http_conflict_main_conf_t *ngx_http_conflict_before(void);
static ngx_int_t ngx_http_conflict_inherit(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store, ngx_http_conflict_store_t *old);
static ngx_uint_t ngx_http_conflict_same_name(ngx_str_t *a, ngx_str_t *b);


ngx_int_t
ngx_http_conflict_find_moved(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf)
{
    ngx_uint_t                       i, j;
    ngx_http_conflict_route_t       *route, *old;
    ngx_http_conflict_store_t      **store, **before;
    ngx_http_conflict_main_conf_t   *omcf;

    omcf = ngx_http_conflict_before();

    if (omcf == NULL) {
        return NGX_OK;
    }

    route = nmcf->routes.elts;
    old = omcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        for (j = 0; j < omcf->routes.nelts; j++) {

            if (ngx_http_conflict_same_name(&route[i].server, &old[j].server)
                && ngx_http_conflict_same_name(&route[i].location,
                                               &old[j].location)
                && !(ngx_http_conflict_same_name(&route[i].store->name,
                                                 &old[j].store->name)
                     && route[i].store->ops == old[j].store->ops))
            {
                route[i].store->moved = 1;
            }
        }
    }

    store = nmcf->stores.elts;
    before = omcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {

        if (store[i]->ops == &ngx_http_conflict_shm_ops) {
            /* its zone keeps them */
            continue;
        }

        for (j = 0; j < omcf->stores.nelts; j++) {
            if (ngx_http_conflict_same_name(&store[i]->name, &before[j]->name))
            {
                break;
            }
        }

        if (ngx_http_conflict_inherit(cf, store[i], (j < omcf->stores.nelts)
                                                    ? before[j] : NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the configuration that the workers have now, if it has this module */

static ngx_http_conflict_main_conf_t *
ngx_http_conflict_before(void)
{
    ngx_uint_t  i;

    if (ngx_is_init_cycle(ngx_cycle)) {
        return NULL;
    }

    for (i = 0; ngx_cycle->modules[i]; i++) {

        if (ngx_cycle->modules[i] == &ngx_http_conflict_module) {
            return ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                   ngx_http_conflict_module);
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_conflict_inherit(ngx_conf_t *cf, ngx_http_conflict_store_t *store,
    ngx_http_conflict_store_t *old)
{
    ngx_uint_t                  i, n;
    ngx_http_conflict_elder_t   elders[NGX_MAX_PROCESSES];

    n = 0;

    if (store->moved) {
        /* all that are alive, those of the list before among them */
        n = ngx_http_conflict_elders(elders);

    } else if (old) {

        for (i = 0; i < old->elders; i++) {

            if (ngx_http_conflict_elder_alive(&old->elder[i])) {
                elders[n++] = old->elder[i];
            }
        }
    }

    if (n == 0) {
        return NGX_OK;
    }

    store->elder = ngx_palloc(cf->pool,
                              n * sizeof(ngx_http_conflict_elder_t));
    if (store->elder == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(store->elder, elders, n * sizeof(ngx_http_conflict_elder_t));
    store->elders = n;

    ngx_http_conflict_elders_warn(store, n, cf->log);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_conflict_same_name(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0;
}
