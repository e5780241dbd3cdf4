
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The sums over routes: of all, or since a time, of an entity, of an action;
 * and the numbers of stores.
 */


#include "status/ngx_http_conflict_status.h"


static ngx_uint_t ngx_http_conflict_status_totals_range(int64_t since,
    ngx_uint_t *first);
static void ngx_http_conflict_status_totals_route(
    ngx_http_conflict_status_totals_t *totals,
    ngx_http_conflict_route_stats_t *route, ngx_uint_t seconds,
    ngx_uint_t first);
static void ngx_http_conflict_status_totals_bins(uint64_t *sum,
    ngx_http_conflict_stats_bin_t *bin, ngx_uint_t n, ngx_uint_t first,
    ngx_uint_t last);


/* where the number is: in a snapshot, or in the counters of this host */

#define ngx_http_conflict_number_of(field)                                    \
    offsetof(ngx_http_conflict_snapshot_t, field), 0

#define ngx_http_conflict_number_counted(field)                               \
    offsetof(ngx_http_conflict_store_stats_t, field), 1

const ngx_http_conflict_status_number_t  ngx_http_conflict_status_numbers[] = {

    { "entries", "store_entries", "Tracked resources, in Redis all keys",
      ngx_http_conflict_number_of(entries) },
    { "leases", "store_leases", "Writes in flight",
      ngx_http_conflict_number_of(leases) },
    { "dirty", "store_dirty_entries",
      "Unresolved resources, whose version a GET must determine",
      ngx_http_conflict_number_of(dirty) },
    { "locks", "store_locks", "Locks held",
      ngx_http_conflict_number_of(locks) },
    { "evicted", "store_evicted_total", "Evicted entries",
      ngx_http_conflict_number_of(evicted) },
    { "memory_bytes", "store_memory_bytes", "Memory used by the store",
      ngx_http_conflict_number_of(memory) },
    { "size_bytes", "store_size_bytes",
      "Memory limit of the store, 0 if it has none",
      ngx_http_conflict_number_of(size) },
    { "settling", "store_settling_seconds",
      "Time for which a new incarnation of the store holds back writes with a "
      "base",
      ngx_http_conflict_number_of(settling) },
    { "blobs_evicted", "store_blobs_evicted_total",
      "Stored responses and held bodies that were evicted",
      ngx_http_conflict_number_counted(blobs_evicted) },
    { "held", "store_held_total", "Bodies held for the conflict inbox",
      ngx_http_conflict_number_counted(held) },
    { "not_held", "store_not_held_total",
      "Bodies that lost a conflict and could not be held",
      ngx_http_conflict_number_counted(not_held) },
    { "unsettled", "store_unsettled_total",
      "Outcomes that never reached the store",
      ngx_http_conflict_number_counted(unsettled) },
    { "stream_dropped", "store_stream_dropped_total",
      "Conflicts missing from the store's audit stream",
      ngx_http_conflict_number_counted(dropped) },
    { NULL, NULL, NULL, 0, 0 }
};


void
ngx_http_conflict_status_totals(ngx_http_conflict_status_totals_t *totals,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query)
{
    int64_t                            started;
    uint64_t                           sum;
    ngx_uint_t                         i, k, seconds, first;
    ngx_http_conflict_route_stats_t  **route;

    ngx_memzero(totals, sizeof(ngx_http_conflict_status_totals_t));

    started = (int64_t) ngx_http_conflict_stats->started * CONFLICT_TIME_SECOND;

    totals->complete = 1;
    totals->since = CONFLICT_TIME_NONE;

    seconds = ngx_http_conflict_status_totals_range(query->since, &first);

    if (seconds) {
        totals->since = (int64_t) first * seconds * CONFLICT_TIME_SECOND;
    }

    for (i = 0; i < n; i++) {
        route = snapshot[i]->route_stats.elts;

        if (snapshot[i]->why
            || ngx_http_conflict_status_totals_uncounted(snapshot[i]->store))
        {
            totals->complete = 0;
        }

        for (k = 0; k < snapshot[i]->route_stats.nelts; k++) {

            if (route[k]->since == 0
                || !ngx_http_conflict_status_query_route(query, route[k]))
            {
                continue;
            }

            ngx_http_conflict_status_totals_route(totals, route[k], seconds,
                                                  first);
        }

        /* the counters of this host know nothing of before */

        if (!snapshot[i]->fleet && snapshot[i]->route_stats.nelts
            && (totals->since == CONFLICT_TIME_NONE
                || started > totals->since))
        {
            totals->since = started;
        }
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_OUTCOMES; i++) {
        totals->writes += totals->n[i];
    }

    for (i = 1; i <= NGX_HTTP_CONFLICT_ACTIONS; i++) {
        sum = totals->n[NGX_HTTP_CONFLICT_N_ACTION(i)];

        if (query->action ? i == query->action
                          : i != NGX_HTTP_CONFLICT_ACTION_LOCK_TAKEN
                            && i != NGX_HTTP_CONFLICT_ACTION_LOCK_FORCED)
        {
            totals->conflicts += sum;
        }
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_GAPS; i++) {
        totals->not_checked += totals->n[NGX_HTTP_CONFLICT_N_WITHOUT_BASE + i];
    }
}


uint64_t
ngx_http_conflict_status_totals_uncounted(ngx_http_conflict_store_t *store)
{
    return store->stats ? ngx_http_conflict_stats_uncounted(store->stats) : 0;
}


/*
 * The width of the narrowest bins that reach back so far, and the number of
 * the first one; 0: there is no limit.
 */

static ngx_uint_t
ngx_http_conflict_status_totals_range(int64_t since, ngx_uint_t *first)
{
    ngx_uint_t  i, from, last;

    static const ngx_uint_t  bins[][2] = {
        { 60, NGX_HTTP_CONFLICT_MINUTES },
        { 3600, NGX_HTTP_CONFLICT_HOURS },
        { 86400, NGX_HTTP_CONFLICT_DAYS },
    };

    *first = 0;

    if (since == CONFLICT_TIME_NONE) {
        return 0;
    }

    since = ngx_max(since / CONFLICT_TIME_SECOND, 0);

    for (i = 0; /* void */; i++) {
        from = since / bins[i][0];
        last = ngx_time() / bins[i][0];

        if (i == 2 || from + bins[i][1] > last) {
            *first = (from + bins[i][1] > last) ? from : last - bins[i][1] + 1;
            return bins[i][0];
        }
    }
}


static void
ngx_http_conflict_status_totals_route(
    ngx_http_conflict_status_totals_t *totals,
    ngx_http_conflict_route_stats_t *route, ngx_uint_t seconds,
    ngx_uint_t first)
{
    int64_t     since;
    ngx_uint_t  i, last;

    totals->routes++;

    if (seconds == 0) {

        for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {
            totals->n[i] += route->total[i];
        }

        /* the first route that was counted */

        since = (int64_t) route->since * CONFLICT_TIME_SECOND;

        if (totals->since == CONFLICT_TIME_NONE || since < totals->since) {
            totals->since = since;
        }

        return;
    }

    last = ngx_time() / seconds;

    if (seconds == 60) {
        ngx_http_conflict_status_totals_bins(totals->n, route->minute,
                                             NGX_HTTP_CONFLICT_MINUTES, first,
                                             last);

    } else if (seconds == 3600) {
        ngx_http_conflict_status_totals_bins(totals->n, route->hour,
                                             NGX_HTTP_CONFLICT_HOURS, first,
                                             last);

    } else {
        ngx_http_conflict_status_totals_bins(totals->n, route->day,
                                             NGX_HTTP_CONFLICT_DAYS, first,
                                             last);
    }
}


static void
ngx_http_conflict_status_totals_bins(uint64_t *sum,
    ngx_http_conflict_stats_bin_t *bin, ngx_uint_t n, ngx_uint_t first,
    ngx_uint_t last)
{
    ngx_uint_t                      i, number;
    ngx_http_conflict_stats_bin_t  *b;

    for (number = first; number <= last; number++) {
        b = &bin[number % n];

        for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS && b->number == number; i++) {
            sum[i] += b->n[i];
        }
    }
}


int64_t
ngx_http_conflict_status_totals_store(ngx_http_conflict_snapshot_t *snapshot,
    const ngx_http_conflict_status_number_t *number)
{
    u_char  *p;

    if (!number->counted) {
        p = (u_char *) snapshot;

        return *(int64_t *) (p + number->offset);
    }

    p = (u_char *) snapshot->store->stats;

    return p ? (int64_t) *(ngx_atomic_t *) (p + number->offset) : -1;
}
