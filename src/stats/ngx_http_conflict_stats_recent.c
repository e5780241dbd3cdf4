
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Single conflicts in the zone of the counters: the latest audit lines, and
 * the resources and fields with the most conflicts; and response times.
 */


#include "stats/ngx_http_conflict_stats.h"
#include "process/ngx_http_conflict_failpoint.h"


static ngx_http_conflict_stats_resource_t *ngx_http_conflict_stats_recent_top(
    ngx_http_conflict_stats_top_t *tops, ngx_uint_t store, ngx_str_t *key);


void
ngx_http_conflict_stats_recent_line(ngx_http_conflict_store_stats_t *store,
    ngx_str_t *line)
{
    ngx_http_conflict_stats_line_t  *l;
    ngx_http_conflict_stats_t       *stats;

    stats = ngx_http_conflict_stats;

    ngx_http_conflict_stats_lock();

    l = &stats->line[stats->next_line++ % NGX_HTTP_CONFLICT_STATS_LINES];

    /* a process killed meanwhile leaves no partial line */
    l->len = 0;
    ngx_memory_barrier();

    l->store = (uint16_t) (store - stats->store);
    ngx_memcpy(l->data, line->data, line->len);

    ngx_http_conflict_failpoint_hit();

    ngx_memory_barrier();

    l->len = (uint16_t) line->len;

    ngx_http_conflict_stats_unlock();
}


void
ngx_http_conflict_stats_recent_resource(ngx_http_conflict_store_stats_t *store,
    ngx_str_t *key)
{
    uint32_t                        day;
    ngx_http_conflict_stats_top_t  *tops;
    ngx_http_conflict_stats_t      *stats;

    stats = ngx_http_conflict_stats;
    day = ngx_time() / 86400;

    ngx_http_conflict_stats_lock();

    tops = &stats->tops[day % 2];

    if (tops->day != day) {
        ngx_memzero(tops, sizeof(ngx_http_conflict_stats_top_t));
        tops->day = day;
    }

    ngx_http_conflict_stats_recent_top(tops, store - stats->store, key)->n++;

    ngx_http_conflict_stats_unlock();
}


/*
 * Space-Saving (Metwally et al., 2005): a new key takes the slot and the count
 * of the least frequent one.  Frequent keys are all there, and no count is too
 * low.
 */

static ngx_http_conflict_stats_resource_t *
ngx_http_conflict_stats_recent_top(ngx_http_conflict_stats_top_t *tops,
    ngx_uint_t store, ngx_str_t *key)
{
    size_t                               i;
    ngx_str_t                            text;
    ngx_uint_t                           k;
    ngx_http_conflict_stats_name_t       name;
    ngx_http_conflict_stats_resource_t  *top, *least;

    text.data = key->data;
    text.len = ngx_min(key->len, NGX_HTTP_CONFLICT_STATS_RESOURCE);

    ngx_http_conflict_stats_name(&name, &text);

    least = &tops->top[0];

    for (k = 0; k < NGX_HTTP_CONFLICT_STATS_RESOURCES; k++) {
        top = &tops->top[k];

        if (top->n && top->store == store && top->len == name.len
            && ngx_memcmp(top->key, name.data, name.len) == 0)
        {
            return top;
        }

        if (top->n < least->n) {
            least = top;
        }
    }

    least->store = store;
    least->len = name.len;

    for (i = 0; i < name.len; i++) {
        least->key[i] = name.data[i];
    }

    return least;
}


void
ngx_http_conflict_stats_recent_clash(ngx_http_conflict_route_stats_t *route,
    u_char *name, size_t len)
{
    ngx_str_t                         text;
    ngx_uint_t                        k;
    ngx_http_conflict_stats_name_t    clean;
    ngx_http_conflict_stats_clash_t  *clash, *least;

    text.data = name;
    text.len = ngx_min(len, NGX_HTTP_CONFLICT_STATS_FIELD);

    ngx_http_conflict_stats_name(&clean, &text);

    ngx_http_conflict_stats_lock();

    least = &route->fields[0];

    for (k = 0; k < NGX_HTTP_CONFLICT_STATS_FIELDS; k++) {
        clash = &route->fields[k];

        if (clash->n && clash->len == clean.len
            && ngx_memcmp(clash->name, clean.data, clean.len) == 0)
        {
            break;
        }

        if (clash->n < least->n) {
            least = clash;
        }
    }

    if (k == NGX_HTTP_CONFLICT_STATS_FIELDS) {
        clash = least;
        clash->n = 0;
        clash->sent = 0;
        clash->added = 0;
        clash->len = clean.len;
        ngx_memcpy(clash->name, clean.data, clean.len);
    }

    clash->n++;

    ngx_http_conflict_stats_unlock();
}


void
ngx_http_conflict_stats_recent_latency(
    ngx_http_conflict_store_stats_t *store, int64_t time)
{
    ngx_uint_t  i;

    if (time < 0) {
        /* the system clock was set back */
        return;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_LATENCY_BUCKETS - 1; i++) {

        if (time <= (int64_t) ngx_http_conflict_latency_bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&store->latency[i], 1);
    (void) ngx_atomic_fetch_add(&store->latency_sum, (ngx_atomic_int_t) time);
}
