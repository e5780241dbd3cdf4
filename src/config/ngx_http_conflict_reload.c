
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Routes whose keys have another meaning after a reload: until predecessor
 * processes have exited, they write under other keys or with other versions.
 */


#include "config/ngx_http_conflict_conf.h"
#include "process/ngx_http_conflict_predecessor.h"
#include "process/ngx_http_conflict_random.h"
#include "process/ngx_http_conflict_wake.h"


static ngx_http_conflict_main_conf_t *ngx_http_conflict_reload_old_conf(
    ngx_uint_t *foreign);
static ngx_int_t ngx_http_conflict_reload_old_routes(ngx_cycle_t *cycle,
    ngx_array_t *old_routes, ngx_http_conflict_main_conf_t *omcf);
static void ngx_http_conflict_reload_compare(
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_main_conf_t *omcf,
    ngx_array_t *old_routes);
static void ngx_http_conflict_reload_match(ngx_array_t *routes,
    ngx_array_t *other);
static ngx_int_t ngx_http_conflict_reload_save_gone(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf, ngx_array_t *old_routes);
static ngx_int_t ngx_http_conflict_reload_left(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_main_conf_t *omcf);
static void ngx_http_conflict_reload_returned(
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_main_conf_t *omcf,
    ngx_http_conflict_route_t *left);
static ngx_int_t ngx_http_conflict_reload_left_add(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *route);
static ngx_int_t ngx_http_conflict_reload_add(ngx_pool_t *pool,
    ngx_array_t *routes, ngx_http_conflict_route_t *route);
static ngx_int_t ngx_http_conflict_reload_copy(ngx_pool_t *pool,
    ngx_str_t *text);
static ngx_int_t ngx_http_conflict_reload_enter(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_main_conf_t *omcf,
    uint64_t move);
static ngx_http_conflict_store_t *ngx_http_conflict_reload_old_store(
    ngx_http_conflict_store_t *store, ngx_http_conflict_main_conf_t *omcf);
static ngx_int_t ngx_http_conflict_reload_inherit(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_store_t *old);


ngx_int_t
ngx_http_conflict_reload_init_module(ngx_cycle_t *cycle)
{
    uint64_t                         move;
    ngx_uint_t                       i, foreign;
    ngx_array_t                      old_routes;
    ngx_http_conflict_store_t      **store;
    ngx_http_conflict_main_conf_t   *nmcf, *omcf;

    nmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_conflict_module);
    if (nmcf == NULL) {
        return NGX_OK;
    }

    ngx_http_conflict_audit_file_created(cycle, nmcf);

    if (nmcf->wake) {
        ngx_http_conflict_wake_open(cycle, nmcf->wake);
    }

    foreign = 0;
    omcf = ngx_http_conflict_reload_old_conf(&foreign);

    if (omcf) {

        if (ngx_http_conflict_reload_old_routes(cycle, &old_routes, omcf)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_conflict_reload_compare(nmcf, omcf, &old_routes);

        if (ngx_http_conflict_reload_save_gone(cycle, nmcf, &old_routes)
            != NGX_OK
            || ngx_http_conflict_reload_left(cycle, nmcf, omcf) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_conflict_random((u_char *) &move, sizeof(uint64_t))
        != NGX_OK)
    {
        move = (uint64_t) ngx_random() << 32 ^ (uint64_t) ngx_random()
               ^ (uint64_t) ngx_pid << 16 ^ (uint64_t) ngx_time();
    }

    /* 0 is not a valid id */
    move |= (uint64_t) 1 << 63;

    store = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {

        if (foreign) {
            store[i]->moved = 1;
        }

        if (ngx_http_conflict_reload_enter(cycle, store[i], omcf, move)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The configuration that is replaced; NULL if it does not have this module.
 * "*foreign": it has none, so that writes went by unseen, or one from another
 * file, so that the meaning of its keys is unknown.
 */

static ngx_http_conflict_main_conf_t *
ngx_http_conflict_reload_old_conf(ngx_uint_t *foreign)
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

    *foreign = 1;

    return NULL;
}


/* the routes of the old configuration, and of predecessors still alive */

static ngx_int_t
ngx_http_conflict_reload_old_routes(ngx_cycle_t *cycle, ngx_array_t *old_routes,
    ngx_http_conflict_main_conf_t *omcf)
{
    ngx_uint_t                  i, n, alive;
    ngx_http_conflict_route_t  *route;

    n = omcf->routes.nelts;

    if (ngx_array_init(old_routes, cycle->pool, n + 1,
                       sizeof(ngx_http_conflict_route_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    route = ngx_array_push_n(old_routes, n);
    if (route == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(route, omcf->routes.elts,
               n * sizeof(ngx_http_conflict_route_t));

    alive = 0;

    for (i = 0; i < omcf->n_predecessors; i++) {
        alive |= ngx_http_conflict_predecessor_alive(&omcf->predecessors[i]);
    }

    if (!alive || omcf->gone_routes == NULL) {
        return NGX_OK;
    }

    n = omcf->gone_routes->nelts;

    route = ngx_array_push_n(old_routes, n);
    if (route == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(route, omcf->gone_routes->elts,
               n * sizeof(ngx_http_conflict_route_t));

    return NGX_OK;
}


static void
ngx_http_conflict_reload_compare(ngx_http_conflict_main_conf_t *nmcf,
    ngx_http_conflict_main_conf_t *omcf, ngx_array_t *old_routes)
{
    ngx_uint_t                  i, j;
    ngx_http_conflict_route_t  *route, *old;
    ngx_http_conflict_store_t  *store;

    ngx_http_conflict_reload_match(&nmcf->routes, old_routes);
    ngx_http_conflict_reload_match(old_routes, &nmcf->routes);

#if (CONFLICT_BROKEN == 6)
    return;
#endif

    route = nmcf->routes.elts;
    old = old_routes->elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        for (j = 0; j < old_routes->nelts; j++) {

            if (!ngx_http_conflict_route_moved(&route[i], nmcf, &old[j],
                                               omcf))
            {
                continue;
            }

            store = route[i].store;
            store->moved = 1;

            /* earlier writes may land until the old quarantine is over */

            store->quarantine = ngx_max(store->quarantine, old[j].quarantine);
        }
    }
}


/* sets "unmatched" in the routes that are not in the other list */

static void
ngx_http_conflict_reload_match(ngx_array_t *routes, ngx_array_t *other)
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

        a[i].unmatched = (j == other->nelts);
    }
}


/*
 * Saves the routes that only predecessors have: a later configuration may
 * have them again, with another meaning, before the predecessors have exited.
 */

static ngx_int_t
ngx_http_conflict_reload_save_gone(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf, ngx_array_t *old_routes)
{
    size_t                           size;
    ngx_uint_t                       i, n;
    ngx_http_conflict_route_t       *old;
    ngx_http_conflict_predecessor_t  predecessors[NGX_MAX_PROCESSES];

    nmcf->gone_routes = ngx_array_create(cycle->pool, 1,
                                         sizeof(ngx_http_conflict_route_t));
    if (nmcf->gone_routes == NULL) {
        return NGX_ERROR;
    }

    old = old_routes->elts;

    for (i = 0; i < old_routes->nelts; i++) {

        if (old[i].unmatched
            && ngx_http_conflict_reload_add(cycle->pool, nmcf->gone_routes,
                                            &old[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    n = 0;

    if (nmcf->gone_routes->nelts) {
        n = ngx_http_conflict_predecessor_find(predecessors);
    }

    size = n * sizeof(ngx_http_conflict_predecessor_t);

    nmcf->predecessors = ngx_palloc(cycle->pool, size + 1);
    if (nmcf->predecessors == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(nmcf->predecessors, predecessors, size);
    nmcf->n_predecessors = n;

    return NGX_OK;
}


/*
 * Requests that were guarded, are not by this configuration, and may be again
 * by a later one.  What they write meanwhile no store gets to know, so earlier
 * entries must not be trusted then.
 */

static ngx_int_t
ngx_http_conflict_reload_left(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_main_conf_t *omcf)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *left;

    nmcf->left_routes = ngx_array_create(cycle->pool, 1,
                                         sizeof(ngx_http_conflict_route_t));
    if (nmcf->left_routes == NULL) {
        return NGX_ERROR;
    }

    left = omcf->left_routes ? omcf->left_routes->elts : NULL;

    for (i = 0; left && i < omcf->left_routes->nelts; i++) {
        ngx_http_conflict_reload_returned(nmcf, omcf, &left[i]);

        if (ngx_http_conflict_reload_left_add(cycle, nmcf, &left[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* locations that are not there any more */

    left = omcf->routes.elts;

    for (i = 0; i < omcf->routes.nelts; i++) {

        if (!left[i].endpoint
            && ngx_http_conflict_reload_left_add(cycle, nmcf, &left[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* those that are not guarded any more, or a part of one that is */

    left = nmcf->unguarded.elts;

    for (i = 0; i < nmcf->unguarded.nelts; i++) {

        if (left[i].writes
            && ngx_http_conflict_route_guarded(&left[i], omcf)
            && ngx_http_conflict_reload_left_add(cycle, nmcf, &left[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_conflict_reload_returned(ngx_http_conflict_main_conf_t *nmcf,
    ngx_http_conflict_main_conf_t *omcf, ngx_http_conflict_route_t *left)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *route;

    route = nmcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        if (ngx_http_conflict_route_returns(&route[i], nmcf, left, omcf)) {
            route[i].store->moved = 1;
        }
    }
}


/* unless this configuration guards it */

static ngx_int_t
ngx_http_conflict_reload_left_add(ngx_cycle_t *cycle,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *route)
{
    if (ngx_http_conflict_route_guarded(route, nmcf)
        || ngx_http_conflict_route_find(nmcf->left_routes, route))
    {
        return NGX_OK;
    }

    return ngx_http_conflict_reload_add(cycle->pool, nmcf->left_routes, route);
}


/* adds a copy that outlives the configuration of the route */

static ngx_int_t
ngx_http_conflict_reload_add(ngx_pool_t *pool, ngx_array_t *routes,
    ngx_http_conflict_route_t *route)
{
    ngx_http_conflict_route_t  *copy;

    copy = ngx_array_push(routes);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *route;
    copy->conf = NULL;
    copy->store = NULL;

    return (ngx_http_conflict_reload_copy(pool, &copy->server) != NGX_OK
            || ngx_http_conflict_reload_copy(pool, &copy->location) != NGX_OK
            || ngx_http_conflict_reload_copy(pool, &copy->prefix) != NGX_OK
            || ngx_http_conflict_reload_copy(pool, &copy->meaning) != NGX_OK)
           ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_conflict_reload_copy(ngx_pool_t *pool, ngx_str_t *text)
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

    /* a store that no route uses has none yet */

    if (ngx_http_conflict_route_store_identity(cycle->pool, store) == NULL) {
        return NGX_ERROR;
    }

    old = omcf ? ngx_http_conflict_reload_old_store(store, omcf) : NULL;

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
ngx_http_conflict_reload_old_store(ngx_http_conflict_store_t *store,
    ngx_http_conflict_main_conf_t *omcf)
{
    ngx_uint_t                   i;
    ngx_http_conflict_store_t  **old;

    old = omcf->stores.elts;

    for (i = 0; i < omcf->stores.nelts; i++) {

        if (old[i]->ops == store->ops
            && ngx_http_conflict_same(&old[i]->name, &store->name)
            && ngx_http_conflict_same(&old[i]->identity, &store->identity))
        {
            return old[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_conflict_reload_inherit(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_store_t *old)
{
    size_t                           size;
    ngx_uint_t                       i, n;
    ngx_http_conflict_predecessor_t  predecessors[NGX_MAX_PROCESSES];

    n = 0;

    if (store->moved) {
        /* all that are alive, including those of the old store */
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

    size = n * sizeof(ngx_http_conflict_predecessor_t);

    store->predecessors = ngx_palloc(cycle->pool, size);
    if (store->predecessors == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(store->predecessors, predecessors, size);
    store->n_predecessors = n;

    ngx_http_conflict_predecessor_warn(&store->name, n, cycle->log);

    return NGX_OK;
}
