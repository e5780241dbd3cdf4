
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The zone of the counters, and the counters by route, store and worker.  A
 * process killed in a critical section loses single counts at most, so there
 * is nothing to repair.
 */


#include "stats/ngx_http_conflict_stats.h"
#include "process/ngx_http_conflict_failpoint.h"
#include "process/ngx_http_conflict_zone.h"


static void ngx_http_conflict_stats_bin(ngx_http_conflict_stats_bin_t *bin,
    ngx_uint_t number, ngx_http_conflict_stats_count_t *count, ngx_uint_t n);
static ngx_http_conflict_worker_slot_t *ngx_http_conflict_stats_slot(void);


ngx_http_conflict_stats_t               *ngx_http_conflict_stats;

static ngx_slab_pool_t                  *ngx_http_conflict_stats_pool;
static ngx_http_conflict_worker_slot_t  *ngx_http_conflict_stats_worker;


const char  *ngx_http_conflict_stats_results[] = {
    "merged", "refused", "failed"
};


const uint32_t  ngx_http_conflict_latency_bounds[] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000
};


ngx_shm_zone_t *
ngx_http_conflict_stats_add(ngx_conf_t *cf, void *tag)
{
    static ngx_str_t  name = ngx_string("conflict_status_8");

    return ngx_http_conflict_zone_add(cf, &name,
                                      sizeof(ngx_http_conflict_stats_t), tag);
}


void
ngx_http_conflict_stats_start(ngx_shm_zone_t *zone)
{
    ngx_http_conflict_stats_pool = (ngx_slab_pool_t *) zone->shm.addr;
    ngx_http_conflict_stats = ngx_http_conflict_stats_pool->data;

    ngx_http_conflict_stats_lock();

    if (ngx_http_conflict_stats->started == 0) {
        ngx_http_conflict_stats->started = ngx_time();
    }

    ngx_http_conflict_stats_worker = ngx_http_conflict_stats_slot();

    ngx_http_conflict_stats_unlock();
}


void
ngx_http_conflict_stats_stop(void)
{
    if (ngx_http_conflict_stats_worker) {
        ngx_http_conflict_stats_worker->process.pid = 0;
        ngx_http_conflict_stats_worker = NULL;
    }

    ngx_http_conflict_stats = NULL;
}


void
ngx_http_conflict_stats_lock(void)
{
    ngx_shmtx_lock(&ngx_http_conflict_stats_pool->mutex);
}


void
ngx_http_conflict_stats_unlock(void)
{
    ngx_shmtx_unlock(&ngx_http_conflict_stats_pool->mutex);
}


ngx_http_conflict_route_stats_t *
ngx_http_conflict_stats_route(ngx_str_t *store, ngx_str_t *server,
    ngx_str_t *location, ngx_str_t *entity)
{
    ngx_str_t                         none, rest;
    ngx_uint_t                        i;
    ngx_http_conflict_route_stats_t  *route;
    ngx_http_conflict_stats_t        *stats;

    stats = ngx_http_conflict_stats;

    ngx_http_conflict_stats_lock();

    for (i = 0; i < stats->n_routes; i++) {
        route = &stats->route[i];

        if (ngx_http_conflict_stats_name_is(&route->location, location)
            && ngx_http_conflict_stats_name_is(&route->entity, entity)
            && ngx_http_conflict_stats_name_is(&route->server, server)
            && ngx_http_conflict_stats_name_is(&route->store, store))
        {
            break;
        }
    }

    if (i >= NGX_HTTP_CONFLICT_ROUTE_STATS - 1) {
        i = NGX_HTTP_CONFLICT_ROUTE_STATS - 1;

        ngx_str_null(&none);
        ngx_str_set(&rest, "(others)");

        server = &none;
        location = &none;
        entity = &rest;
    }

    route = &stats->route[i];

    if (route->since == 0) {
        ngx_http_conflict_stats_name(&route->store, store);
        ngx_http_conflict_stats_name(&route->server, server);
        ngx_http_conflict_stats_name(&route->location, location);
        ngx_http_conflict_stats_name(&route->entity, entity);

        ngx_http_conflict_failpoint_hit();

        route->since = ngx_time();
        stats->n_routes = i + 1;
    }

    ngx_http_conflict_stats_unlock();

    return route;
}


void
ngx_http_conflict_stats_count(ngx_http_conflict_route_stats_t *route,
    ngx_http_conflict_stats_count_t *count, ngx_uint_t n)
{
    time_t      minute;
    ngx_uint_t  i;

    route->used = ngx_time();
    minute = route->used / 60;

    for (i = 0; i < n; i++) {
        route->total[count[i].number] += count[i].n;
    }

    ngx_http_conflict_failpoint_hit();

    ngx_http_conflict_stats_bin(
        &route->minute[minute % NGX_HTTP_CONFLICT_MINUTES], minute, count, n);

    ngx_http_conflict_stats_bin(
        &route->hour[minute / 60 % NGX_HTTP_CONFLICT_HOURS], minute / 60,
        count, n);

    ngx_http_conflict_stats_bin(
        &route->day[minute / 1440 % NGX_HTTP_CONFLICT_DAYS], minute / 1440,
        count, n);
}


static void
ngx_http_conflict_stats_bin(ngx_http_conflict_stats_bin_t *bin,
    ngx_uint_t number, ngx_http_conflict_stats_count_t *count, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (bin->number != number) {
        ngx_memzero(bin->n, sizeof(bin->n));
        bin->number = number;
    }

    for (i = 0; i < n; i++) {
        bin->n[count[i].number] += count[i].n;
    }
}


ngx_http_conflict_store_stats_t *
ngx_http_conflict_stats_store(ngx_str_t *name)
{
    ngx_uint_t                        i;
    ngx_http_conflict_store_stats_t  *store;

    ngx_http_conflict_stats_lock();

    store = NULL;

    for (i = 0; i < NGX_HTTP_CONFLICT_STORE_STATS; i++) {
        store = &ngx_http_conflict_stats->store[i];

        if (store->name.len == 0) {
            ngx_http_conflict_stats_name(&store->name, name);
            break;
        }

        if (ngx_http_conflict_stats_name_is(&store->name, name)) {
            break;
        }

        store = NULL;
    }

    ngx_http_conflict_stats_unlock();

    return store;
}


/* a slot whose process has exited is free; NULL: none is */

static ngx_http_conflict_worker_slot_t *
ngx_http_conflict_stats_slot(void)
{
    ngx_uint_t                        i;
    ngx_http_conflict_worker_slot_t  *worker;

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_WORKERS; i++) {
        worker = &ngx_http_conflict_stats->worker[i];

        if (worker->process.pid == 0 || worker->process.pid == ngx_pid
            || !ngx_http_conflict_predecessor_alive(&worker->process))
        {
            ngx_http_conflict_predecessor_note(&worker->process, ngx_pid);
            worker->leases = 0;
            return worker;
        }
    }

    return NULL;
}


uint64_t
ngx_http_conflict_stats_uncounted(ngx_http_conflict_store_stats_t *store)
{
    uint64_t                          n;
    ngx_str_t                         name;
    ngx_uint_t                        i, k;
    ngx_http_conflict_route_stats_t  *route;

    if (!store->behind) {
        return 0;
    }

    n = 0;
    name.data = store->name.data;
    name.len = store->name.len;

    ngx_http_conflict_stats_lock();

    for (i = 0; i < ngx_http_conflict_stats->n_routes; i++) {
        route = &ngx_http_conflict_stats->route[i];

        if (!ngx_http_conflict_stats_name_is(&route->store, &name)) {
            continue;
        }

        for (k = 0; k < NGX_HTTP_CONFLICT_OUTCOMES; k++) {
            n += route->total[k] - route->added[k];
        }

        n += route->total[NGX_HTTP_CONFLICT_N_UNGUARDED]
             - route->added[NGX_HTTP_CONFLICT_N_UNGUARDED];
    }

    ngx_http_conflict_stats_unlock();

    return n;
}


void
ngx_http_conflict_stats_resolver(ngx_uint_t result)
{
    if (ngx_http_conflict_stats) {
        (void) ngx_atomic_fetch_add(&ngx_http_conflict_stats->resolver[result],
                                    1);
    }
}


void
ngx_http_conflict_stats_lease(ngx_int_t n)
{
    if (ngx_http_conflict_stats_worker) {
        ngx_http_conflict_stats_worker->leases += n;
    }
}


ngx_uint_t
ngx_http_conflict_stats_leases(void)
{
    ngx_uint_t                        i, n;
    ngx_http_conflict_worker_slot_t  *worker;

    n = 0;

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_WORKERS; i++) {
        worker = &ngx_http_conflict_stats->worker[i];

        if (worker->leases && worker->process.pid
            && ngx_http_conflict_predecessor_alive(&worker->process))
        {
            n += worker->leases;
        }
    }

    return n;
}


/* control characters are replaced here, so that no output escapes them */

void
ngx_http_conflict_stats_name(ngx_http_conflict_stats_name_t *name,
    ngx_str_t *text)
{
    size_t  i;

    name->len = ngx_min(text->len, NGX_HTTP_CONFLICT_STATS_NAME);

    for (i = 0; i < name->len; i++) {
        name->data[i] = (text->data[i] < 0x20 || text->data[i] == 0x7f)
                        ? '?' : text->data[i];
    }
}


ngx_uint_t
ngx_http_conflict_stats_name_is(ngx_http_conflict_stats_name_t *name,
    ngx_str_t *text)
{
    ngx_http_conflict_stats_name_t  other;

    if (name->len != ngx_min(text->len, NGX_HTTP_CONFLICT_STATS_NAME)) {
        return 0;
    }

    if (ngx_memcmp(name->data, text->data, name->len) == 0) {
        return 1;
    }

    ngx_http_conflict_stats_name(&other, text);

    return ngx_memcmp(name->data, other.data, name->len) == 0;
}
