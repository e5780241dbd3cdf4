
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What the ledger keeps of single conflicts: the latest lines, the resources
 * and the fields that had most of them.
 */


#include "stats/ngx_http_conflict_stats.h"
#include "process/ngx_http_conflict_failpoint.h"


static ngx_http_conflict_stats_resource_t *ngx_http_conflict_stats_recent_top(
    ngx_http_conflict_stats_top_t  *tops, ngx_uint_t store, ngx_str_t *key);


void
ngx_http_conflict_stats_recent_line(ngx_http_conflict_store_stats_t *gauge,
    ngx_str_t *line)
{
    ngx_http_conflict_stats_line_t  *l;
    ngx_http_conflict_stats_t       *ledger;

    ledger = ngx_http_conflict_stats;

    ngx_http_conflict_stats_lock();

    l = &ledger->line[ledger->next_line++ % NGX_HTTP_CONFLICT_STATS_LINES];

    /* none, until it is whole */
    l->len = 0;
    ngx_memory_barrier();

    l->store = (uint16_t) (gauge - ledger->gauge);
    ngx_memcpy(l->data, line->data, line->len);

    ngx_http_conflict_failpoint_hit();

    ngx_memory_barrier();

    l->len = (uint16_t) line->len;

    ngx_http_conflict_stats_unlock();
}


void
ngx_http_conflict_stats_recent_resource(ngx_http_conflict_store_stats_t *gauge,
    ngx_str_t *key)
{
    uint32_t                        day;
    ngx_http_conflict_stats_top_t  *tops;
    ngx_http_conflict_stats_t      *ledger;

    ledger = ngx_http_conflict_stats;
    day = ngx_time() / 86400;

    ngx_http_conflict_stats_lock();

    tops = &ledger->tops[day % 2];

    if (tops->day != day) {
        ngx_memzero(tops, sizeof(ngx_http_conflict_stats_top_t));
        tops->day = day;
    }

    ngx_http_conflict_stats_recent_top(tops, gauge - ledger->gauge, key)->n++;

    ngx_http_conflict_stats_unlock();
}


/*
 * Space-Saving: one that is not there takes the place, and the count, of the
 * one with the least.  So whoever has many is there, with not too few.
 */

static ngx_http_conflict_stats_resource_t *
ngx_http_conflict_stats_recent_top(ngx_http_conflict_stats_top_t *tops,
    ngx_uint_t store, ngx_str_t *key)
{
    size_t                               i;
    ngx_str_t                            text;
    ngx_uint_t                           k;
    ngx_http_conflict_stats_name_t       name;
    ngx_http_conflict_stats_resource_t  *often, *least;

    text.data = key->data;
    text.len = ngx_min(key->len, NGX_HTTP_CONFLICT_STATS_RESOURCE);

    ngx_http_conflict_stats_name(&name, &text);

    least = &tops->top[0];

    for (k = 0; k < NGX_HTTP_CONFLICT_STATS_RESOURCES; k++) {
        often = &tops->top[k];

        if (often->n && often->store == store && often->len == name.len
            && ngx_memcmp(often->key, name.data, name.len) == 0)
        {
            return often;
        }

        if (often->n < least->n) {
            least = often;
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
ngx_http_conflict_stats_recent_clash(ngx_http_conflict_route_stats_t *tally,
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

    least = &tally->fields[0];

    for (k = 0; k < NGX_HTTP_CONFLICT_STATS_FIELDS; k++) {
        clash = &tally->fields[k];

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
        clash->len = clean.len;
        ngx_memcpy(clash->name, clean.data, clean.len);
    }

    clash->n++;

    ngx_http_conflict_stats_unlock();
}


void
ngx_http_conflict_stats_recent_round_trip(
    ngx_http_conflict_store_stats_t *gauge, int64_t time)
{
    ngx_uint_t  i;

    if (time < 0) {
        /* the clock was set back */
        return;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_LATENCY_BUCKETS - 1; i++) {

        if (time <= (int64_t) ngx_http_conflict_latency_bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&gauge->trips[i], 1);
    (void) ngx_atomic_fetch_add(&gauge->trip_time, (ngx_atomic_int_t) time);
}
