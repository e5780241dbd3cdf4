
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The lifetime of a snapshot, which may outlive its request as operations do;
 * and what this host has counted for a store.
 */


#include "store/ngx_http_conflict_snapshot.h"


static void ngx_http_conflict_snapshot_resources(
    ngx_http_conflict_snapshot_t *snapshot,
    ngx_http_conflict_stats_top_t *tops);
static void ngx_http_conflict_snapshot_lines(
    ngx_http_conflict_snapshot_t *snapshot);
static ngx_int_t ngx_http_conflict_snapshot_line(
    ngx_http_conflict_snapshot_t *snapshot,
    ngx_http_conflict_stats_line_t *line);


ngx_http_conflict_snapshot_t *
ngx_http_conflict_snapshot_create(ngx_http_conflict_store_t *store,
    ngx_http_conflict_snapshot_want_t *want)
{
    ngx_pool_t                    *pool;
    ngx_http_conflict_snapshot_t  *snapshot;

    pool = ngx_create_pool(16384, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    snapshot = ngx_pcalloc(pool, sizeof(ngx_http_conflict_snapshot_t));
    if (snapshot == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    snapshot->store = store;
    snapshot->pool = pool;
    snapshot->want = *want;

    snapshot->entries = -1;
    snapshot->leases = -1;
    snapshot->dirty = -1;
    snapshot->locks = -1;
    snapshot->evicted = -1;
    snapshot->memory = -1;
    snapshot->size = -1;
    snapshot->settling = -1;

    if (ngx_array_init(&snapshot->route_stats, pool, 16,
                       sizeof(ngx_http_conflict_route_stats_t *))
           != NGX_OK
        || ngx_array_init(&snapshot->resources, pool, 16,
                          sizeof(ngx_http_conflict_resource_t))
           != NGX_OK
        || ngx_array_init(&snapshot->holders, pool, 16,
                          sizeof(ngx_http_conflict_holder_t))
           != NGX_OK
        || ngx_array_init(&snapshot->routes, pool, 16,
                          sizeof(ngx_http_conflict_route_stats_t *))
           != NGX_OK
        || ngx_array_init(&snapshot->lines, pool, 16, sizeof(ngx_str_t))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    store->ops->snapshot(snapshot);

    return snapshot;
}


void
ngx_http_conflict_snapshot_release(ngx_http_conflict_snapshot_t *snapshot)
{
    snapshot->released = 1;

    if (snapshot->busy == 0) {
        ngx_destroy_pool(snapshot->pool);
    }
}


void
ngx_http_conflict_snapshot_answered(ngx_http_conflict_snapshot_t *snapshot)
{
    if (--snapshot->busy) {
        return;
    }

    if (snapshot->released) {
        ngx_destroy_pool(snapshot->pool);
        return;
    }

    snapshot->done(snapshot);
}


ngx_http_conflict_route_stats_t *
ngx_http_conflict_snapshot_route(ngx_http_conflict_snapshot_t *snapshot)
{
    ngx_http_conflict_route_stats_t  *route, **p;

    route = ngx_pcalloc(snapshot->pool,
                        sizeof(ngx_http_conflict_route_stats_t));
    if (route == NULL) {
        return NULL;
    }

    p = ngx_array_push(&snapshot->route_stats);
    if (p == NULL) {
        return NULL;
    }

    *p = route;

    return route;
}


ngx_int_t
ngx_http_conflict_snapshot_copy(ngx_http_conflict_snapshot_t *snapshot,
    ngx_str_t *dst, u_char *data, size_t len)
{
    dst->data = ngx_pnalloc(snapshot->pool, len);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, data, len);
    dst->len = len;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_snapshot_stats(ngx_http_conflict_snapshot_t *snapshot)
{
    ngx_uint_t                        i, day;
    ngx_http_conflict_route_stats_t  *route, *copy;
    ngx_http_conflict_stats_t        *stats;

    stats = ngx_http_conflict_stats;

    for (i = 0; i < stats->n_routes; i++) {
        route = &stats->route[i];

        if (!ngx_http_conflict_stats_name_is(&route->store,
                                             &snapshot->store->name))
        {
            continue;
        }

        copy = ngx_http_conflict_snapshot_route(snapshot);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        /* a lock for each copy: counting waits for it */

        ngx_http_conflict_stats_lock();
        ngx_memcpy(copy, route, sizeof(ngx_http_conflict_route_stats_t));
        ngx_http_conflict_stats_unlock();
    }

    day = ngx_time() / 86400;

    ngx_http_conflict_snapshot_resources(snapshot, &stats->tops[day % 2]);
    ngx_http_conflict_snapshot_resources(snapshot,
                                         &stats->tops[(day + 1) % 2]);
    ngx_http_conflict_snapshot_lines(snapshot);

    return NGX_OK;
}


static void
ngx_http_conflict_snapshot_resources(ngx_http_conflict_snapshot_t *snapshot,
    ngx_http_conflict_stats_top_t *tops)
{
    ngx_uint_t                           i;
    ngx_http_conflict_stats_resource_t  *top;
    ngx_http_conflict_resource_t        *resource;

    if (snapshot->store->stats == NULL || tops->day < ngx_time() / 86400 - 1) {
        return;
    }

    ngx_http_conflict_stats_lock();

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_RESOURCES; i++) {
        top = &tops->top[i];

        if (top->n == 0
            || &ngx_http_conflict_stats->store[top->store]
               != snapshot->store->stats)
        {
            continue;
        }

        resource = ngx_array_push(&snapshot->resources);
        if (resource == NULL) {
            break;
        }

        if (ngx_http_conflict_snapshot_copy(snapshot, &resource->key, top->key,
                                            top->len)
            != NGX_OK)
        {
            snapshot->resources.nelts--;
            break;
        }

        resource->n = top->n;
    }

    ngx_http_conflict_stats_unlock();
}


static void
ngx_http_conflict_snapshot_lines(ngx_http_conflict_snapshot_t *snapshot)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i, next;
    ngx_http_conflict_stats_line_t  *line;
    ngx_http_conflict_stats_t       *stats;

    stats = ngx_http_conflict_stats;
    next = stats->next_line;

    for (i = 1;
         i <= NGX_HTTP_CONFLICT_STATS_LINES
         && snapshot->lines.nelts < snapshot->want.lines;
         i++)
    {
        line = &stats->line[(next + NGX_HTTP_CONFLICT_STATS_LINES - i)
                            % NGX_HTTP_CONFLICT_STATS_LINES];

        /* a lock for each: recording waits for it */

        ngx_http_conflict_stats_lock();

        /* a line recorded meanwhile is not the one that was there */

        rc = (stats->next_line - next + i > NGX_HTTP_CONFLICT_STATS_LINES)
             ? NGX_DONE : ngx_http_conflict_snapshot_line(snapshot, line);

        ngx_http_conflict_stats_unlock();

        if (rc != NGX_OK) {
            return;
        }
    }
}


static ngx_int_t
ngx_http_conflict_snapshot_line(ngx_http_conflict_snapshot_t *snapshot,
    ngx_http_conflict_stats_line_t *line)
{
    ngx_str_t  *text, *id;

    id = &snapshot->want.id;

    if (line->len == 0
        || &ngx_http_conflict_stats->store[line->store]
           != snapshot->store->stats
        || (id->len && ngx_strnstr(line->data, (char *) id->data, line->len)
                       == NULL))
    {
        return NGX_OK;
    }

    text = ngx_array_push(&snapshot->lines);
    if (text == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_snapshot_copy(snapshot, text, line->data, line->len)
        != NGX_OK)
    {
        snapshot->lines.nelts--;
        return NGX_ERROR;
    }

    return NGX_OK;
}
