
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Routes whose keys mean something else after a reload: until the workers of
 * before are gone, these write under other keys or with other versions.
 */


#include "config/ngx_http_conflict_conf.h"
#include "process/ngx_http_conflict_predecessor.h"
#include "process/ngx_http_conflict_random.h"


static ngx_http_conflict_main_conf_t *ngx_http_conflict_reload_before(
    ngx_uint_t *foreign);
static ngx_int_t ngx_http_conflict_reload_routes_before(ngx_cycle_t *cycle,
    ngx_array_t *before, ngx_http_conflict_main_conf_t *omcf);
static void ngx_http_conflict_reload_compare(
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_main_conf_t *omcf,
    ngx_array_t *before);
static void ngx_http_conflict_reload_alone(ngx_array_t *routes,
    ngx_array_t *other);
static ngx_int_t ngx_http_conflict_reload_gone(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf, ngx_array_t *before);
static ngx_int_t ngx_http_conflict_reload_keep_text(ngx_pool_t *pool,
    ngx_str_t *text);
static ngx_int_t ngx_http_conflict_reload_enter(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_main_conf_t *omcf,
    uint64_t move);
static ngx_http_conflict_store_t *ngx_http_conflict_reload_store_before(
    ngx_http_conflict_store_t *store, ngx_http_conflict_main_conf_t *omcf);
static ngx_int_t ngx_http_conflict_reload_inherit(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_store_t *old);


ngx_int_t
ngx_http_conflict_reload_init_module(ngx_cycle_t *cycle)
{
    uint64_t                         move;
    ngx_uint_t                       i, foreign;
    ngx_array_t                      before;
    ngx_http_conflict_store_t      **store;
    ngx_http_conflict_main_conf_t   *nmcf, *omcf;

    nmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_conflict_module);
    if (nmcf == NULL) {
        return NGX_OK;
    }

    ngx_http_conflict_audit_file_created(cycle, nmcf);

    foreign = 0;
    omcf = ngx_http_conflict_reload_before(&foreign);

    if (omcf) {

        if (ngx_http_conflict_reload_routes_before(cycle, &before,
                                                   omcf) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_conflict_reload_compare(nmcf, omcf, &before);

        if (ngx_http_conflict_reload_gone(cycle, nmcf, &before) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_conflict_random((u_char *) &move, sizeof(uint64_t))
        != NGX_OK)
    {
        move = (uint64_t) ngx_random() << 32 ^ (uint64_t) ngx_random()
               ^ (uint64_t) ngx_pid << 16 ^ (uint64_t) ngx_time();
    }

    /* zeros are no id */
    move |= (uint64_t) 1 << 63;

    store = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {

        if (foreign) {
            store[i]->moved = 1;
        }

        if (ngx_http_conflict_reload_enter(cycle, store[i], omcf,
                                           move) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The configuration that the workers have now, if it has this module.  Of
 * the same name, but loaded from another file: nobody knows what its keys
 * mean.
 */

static ngx_http_conflict_main_conf_t *
ngx_http_conflict_reload_before(ngx_uint_t *foreign)
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

        if (ngx_strcmp(ngx_cycle->modules[i]->name,
                       ngx_http_conflict_module.name)
            == 0)
        {
            *foreign = 1;
        }
    }

    return NULL;
}


/* those of the last configuration, and those that older workers still have */

static ngx_int_t
ngx_http_conflict_reload_routes_before(ngx_cycle_t *cycle, ngx_array_t *before,
    ngx_http_conflict_main_conf_t *omcf)
{
    ngx_uint_t                  i, n, alive;
    ngx_http_conflict_route_t  *route;

    n = omcf->routes.nelts;

    if (ngx_array_init(before, cycle->pool, n + 1,
                       sizeof(ngx_http_conflict_route_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    route = ngx_array_push_n(before, n);
    if (route == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(route, omcf->routes.elts,
               n * sizeof(ngx_http_conflict_route_t));

    alive = 0;

    for (i = 0; i < omcf->n_predecessors; i++) {
        alive |= ngx_http_conflict_predecessor_alive(&omcf->predecessors[i]);
    }

    if (!alive || omcf->gone == NULL) {
        return NGX_OK;
    }

    n = omcf->gone->nelts;

    route = ngx_array_push_n(before, n);
    if (route == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(route, omcf->gone->elts,
               n * sizeof(ngx_http_conflict_route_t));

    return NGX_OK;
}


static void
ngx_http_conflict_reload_compare(ngx_http_conflict_main_conf_t *nmcf,
    ngx_http_conflict_main_conf_t *omcf, ngx_array_t *before)
{
    ngx_uint_t                  i, j;
    ngx_http_conflict_route_t  *route, *old;

    ngx_http_conflict_reload_alone(&nmcf->routes, before);
    ngx_http_conflict_reload_alone(before, &nmcf->routes);

#if (CONFLICT_BROKEN == 6)
    return;
#endif

    route = nmcf->routes.elts;
    old = before->elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        for (j = 0; j < before->nelts; j++) {

            if (ngx_http_conflict_route_moved(&route[i], nmcf, &old[j], omcf))
            {
                route[i].store->moved = 1;

                /* what was begun before may land as late as it might then */

                route[i].store->quarantine = ngx_max(
                                route[i].store->quarantine, old[j].quarantine);
            }
        }
    }
}


/* which of the routes are not among the others as they are? */

static void
ngx_http_conflict_reload_alone(ngx_array_t *routes, ngx_array_t *other)
{
    ngx_uint_t                  i, j;
    ngx_http_conflict_route_t  *a, *b;

    a = routes->elts;
    b = other->elts;

    for (i = 0; i < routes->nelts; i++) {

        for (j = 0; j < other->nelts; j++) {
            if (ngx_http_conflict_route_same(&a[i], &b[j])) {
                break;
            }
        }

        a[i].alone = (j == other->nelts);
    }
}


/*
 * What only workers of before know: a later configuration may have it again,
 * with another meaning, before they are gone.
 */

static ngx_int_t
ngx_http_conflict_reload_gone(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf, ngx_array_t *before)
{
    ngx_uint_t                       i, n;
    ngx_http_conflict_predecessor_t  predecessors[NGX_MAX_PROCESSES];
    ngx_http_conflict_route_t       *route, *old;

    nmcf->gone = ngx_array_create(cycle->pool, 1,
                                  sizeof(ngx_http_conflict_route_t));
    if (nmcf->gone == NULL) {
        return NGX_ERROR;
    }

    old = before->elts;

    for (i = 0; i < before->nelts; i++) {

        if (!old[i].alone) {
            continue;
        }

        route = ngx_array_push(nmcf->gone);
        if (route == NULL) {
            return NGX_ERROR;
        }

        *route = old[i];
        route->store = NULL;

        if (ngx_http_conflict_reload_keep_text(cycle->pool,
                                               &route->server) != NGX_OK
            || ngx_http_conflict_reload_keep_text(cycle->pool, &route->location)
               != NGX_OK
            || ngx_http_conflict_reload_keep_text(cycle->pool, &route->begins)
               != NGX_OK
            || ngx_http_conflict_reload_keep_text(cycle->pool, &route->meaning)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    n = nmcf->gone->nelts ? ngx_http_conflict_predecessor_find(predecessors)
        : 0;

    nmcf->predecessors = ngx_palloc(cycle->pool,
                             (n + 1) * sizeof(ngx_http_conflict_predecessor_t));
    if (nmcf->predecessors == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(nmcf->predecessors, predecessors,
               n * sizeof(ngx_http_conflict_predecessor_t));
    nmcf->n_predecessors = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_reload_keep_text(ngx_pool_t *pool, ngx_str_t *text)
{
    if (text->len == 0) {
        return NGX_OK;
    }

    text->data = ngx_pstrdup(pool, text);

    return text->data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_conflict_reload_enter(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_main_conf_t *omcf,
    uint64_t move)
{
    ngx_http_conflict_store_t  *old;

    old = omcf ? ngx_http_conflict_reload_store_before(store, omcf) : NULL;

    if (store->ops == &ngx_http_conflict_shm_ops
        && ngx_http_conflict_shm_zone_renewed(store))
    {
        store->moved = 1;
    }

    if (ngx_http_conflict_reload_inherit(cycle, store, old) != NGX_OK) {
        return NGX_ERROR;
    }

    if (store->ops == &ngx_http_conflict_shm_ops) {
        ngx_http_conflict_shm_zone_enter(store, old);
        return NGX_OK;
    }

    return ngx_http_conflict_redis_move_enter(cycle, store, old,
                                              store->moved ? move : 0);
}


static ngx_http_conflict_store_t *
ngx_http_conflict_reload_store_before(ngx_http_conflict_store_t *store,
    ngx_http_conflict_main_conf_t *omcf)
{
    ngx_str_t                   *a, *b;
    ngx_uint_t                   i;
    ngx_http_conflict_store_t  **old;

    old = omcf->stores.elts;

    for (i = 0; i < omcf->stores.nelts; i++) {

        if (old[i]->ops != store->ops
            || old[i]->name.len != store->name.len
            || ngx_strncmp(old[i]->name.data, store->name.data,
                           store->name.len)
               != 0)
        {
            continue;
        }

        a = &old[i]->identity;
        b = &store->identity;

        if (a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0) {
            return old[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_conflict_reload_inherit(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_store_t *old)
{
    ngx_uint_t                       i, n;
    ngx_http_conflict_predecessor_t  predecessors[NGX_MAX_PROCESSES];

    n = 0;

    if (store->moved) {
        /* all that are alive, those of the list before among them */
        n = ngx_http_conflict_predecessor_find(predecessors);

    } else if (old) {

        for (i = 0; i < old->n_predecessors; i++) {

            if (ngx_http_conflict_predecessor_alive(&old->predecessors[i])) {
                predecessors[n++] = old->predecessors[i];
            }
        }
    }

    if (n == 0) {
        return NGX_OK;
    }

    store->predecessors = ngx_palloc(cycle->pool,
                                   n * sizeof(ngx_http_conflict_predecessor_t));
    if (store->predecessors == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(store->predecessors, predecessors,
               n * sizeof(ngx_http_conflict_predecessor_t));
    store->n_predecessors = n;

    ngx_http_conflict_predecessor_warn(&store->name, n, cycle->log);

    return NGX_OK;
}
