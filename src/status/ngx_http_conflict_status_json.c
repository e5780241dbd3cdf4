
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The status as JSON.  docs/status.md documents its members, whose names are
 * stable.
 */


#include "status/ngx_http_conflict_status.h"


static json_t *ngx_http_conflict_status_json_head(
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query);
static json_t *ngx_http_conflict_status_json_sums(
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query);
static json_t *ngx_http_conflict_status_json_store(
    ngx_http_conflict_snapshot_t *snapshot);
static void ngx_http_conflict_status_json_store_stats(json_t **json,
    ngx_http_conflict_store_stats_t *stats);
static json_t *ngx_http_conflict_status_json_latency(
    ngx_http_conflict_store_stats_t *stats);
static void ngx_http_conflict_status_json_routes(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n, ngx_http_conflict_status_query_t *query);
static json_t *ngx_http_conflict_status_json_route(
    ngx_http_conflict_route_stats_t *route);
static void ngx_http_conflict_status_json_totals(json_t **json,
    uint64_t *total);
static json_t *ngx_http_conflict_status_json_fields(
    ngx_http_conflict_route_stats_t *route);
static void ngx_http_conflict_status_json_bins(ngx_http_conflict_writer_t *out,
    const char *name, ngx_http_conflict_stats_bin_t *bin, ngx_uint_t n,
    ngx_uint_t seconds);
static ngx_uint_t ngx_http_conflict_status_json_none(
    ngx_http_conflict_stats_bin_t *bin, ngx_uint_t n, ngx_uint_t last,
    ngx_uint_t counter);
static void ngx_http_conflict_status_json_series(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_stats_bin_t *bin,
    ngx_uint_t n, ngx_uint_t last, ngx_uint_t from, ngx_uint_t to);
static json_t *ngx_http_conflict_status_json_tail(
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n);
static json_t *ngx_http_conflict_status_json_holder(
    ngx_http_conflict_snapshot_t *snapshot, ngx_http_conflict_holder_t *holder);
static void ngx_http_conflict_status_json_name(json_t **json,
    const char *member, ngx_http_conflict_stats_name_t *name);


void
ngx_http_conflict_status_json(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query)
{
    json_t  *head;

    head = ngx_http_conflict_status_json_head(snapshot, n, query);

    ngx_http_conflict_json_set(&head, "totals",
                               ngx_http_conflict_status_json_sums(snapshot, n,
                                                                  query));

    ngx_http_conflict_writer_print(out, "{");
    ngx_http_conflict_json_print(out, head);

    if (query->badge) {
        ngx_http_conflict_writer_print(out, "}\n");
        return;
    }

    ngx_http_conflict_writer_print(out, ",\"routes\":[");
    ngx_http_conflict_status_json_routes(out, snapshot, n, query);

    ngx_http_conflict_writer_print(out, "],\"conflicts\":[");
    ngx_http_conflict_status_lines(out, snapshot, n, query);

    ngx_http_conflict_writer_print(out, "],");
    ngx_http_conflict_json_print(out,
                              ngx_http_conflict_status_json_tail(snapshot, n));
    ngx_http_conflict_writer_print(out, "}\n");
}


static json_t *
ngx_http_conflict_status_json_head(ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n, ngx_http_conflict_status_query_t *query)
{
    json_t      *json, *resolver, *store, *stores;
    int64_t      now;
    ngx_str_t    host;
    ngx_uint_t   i;

    host = ngx_cycle->hostname;
    now = (int64_t) ngx_time() * CONFLICT_TIME_SECOND;
    stores = json_array();

    for (i = 0; i < n; i++) {
        store = ngx_http_conflict_status_json_store(snapshot[i]);
        ngx_http_conflict_json_append(&stores, store);
    }

    json = json_object();

    ngx_http_conflict_json_set(&json, "version",
                               json_string(NGX_HTTP_CONFLICT_VERSION));
    ngx_http_conflict_json_set_text(&json, "host", &host);
    ngx_http_conflict_json_set_time(&json, "time", now);
    ngx_http_conflict_json_set_number(&json, "writes_in_flight",
                                      ngx_http_conflict_stats_leases());
    ngx_http_conflict_json_set_number(&json, "audit_errors",
                                      ngx_http_conflict_stats->audit_errors);

    resolver = json_object();

    for (i = 0; i < NGX_HTTP_CONFLICT_RESOLVER_RESULTS; i++) {
        ngx_http_conflict_json_set_number(&resolver,
                                         ngx_http_conflict_stats_results[i],
                                         ngx_http_conflict_stats->resolver[i]);
    }

    ngx_http_conflict_json_set(&json, "resolver", resolver);

    if (query->inbox.len) {
        ngx_http_conflict_json_set_text(&json, "inbox", &query->inbox);
    }

    ngx_http_conflict_json_set(&json, "stores", stores);

    return json;
}


static json_t *
ngx_http_conflict_status_json_sums(ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n, ngx_http_conflict_status_query_t *query)
{
    json_t                             *json, *rate;
    ngx_uint_t                          share;
    ngx_http_conflict_status_totals_t   totals;

    ngx_http_conflict_status_totals(&totals, snapshot, n, query);

    rate = json_null();

    if (totals.writes) {
        share = (10000 * totals.conflicts + totals.writes / 2) / totals.writes;
        rate = json_real((double) share / 10000);
    }

    json = json_object();

    ngx_http_conflict_json_set_time(&json, "since", totals.since);
    ngx_http_conflict_json_set(&json, "complete",
                               json_boolean(totals.complete));
    ngx_http_conflict_json_set_number(&json, "routes", totals.routes);
    ngx_http_conflict_json_set_number(&json, "conflicts", totals.conflicts);
    ngx_http_conflict_json_set(&json, "conflict_rate", rate);

    ngx_http_conflict_status_json_totals(&json, totals.n);

    return json;
}


static json_t *
ngx_http_conflict_status_json_store(ngx_http_conflict_snapshot_t *snapshot)
{
    json_t                                   *json;
    int64_t                                   n;
    ngx_str_t                                 why;
    const char                               *kind;
    ngx_http_conflict_store_t                *store;
    const ngx_http_conflict_status_number_t  *number;

    store = snapshot->store;
    kind = (store->ops == &ngx_http_conflict_shm_ops) ? "shm" : "redis";

    why.data = (u_char *) snapshot->why;
    why.len = why.data ? ngx_strlen(why.data) : 0;

    json = json_object();

    ngx_http_conflict_json_set_text(&json, "name", &store->name);
    ngx_http_conflict_json_set(&json, "kind", json_string(kind));
    ngx_http_conflict_json_set(&json, "counts_of",
                               json_string(snapshot->fleet ? "fleet" : "host"));
    ngx_http_conflict_json_set(&json, "up",
                               json_boolean(snapshot->why == NULL));
    ngx_http_conflict_json_set_text(&json, "error", &why);

    for (number = ngx_http_conflict_status_numbers; number->name; number++) {

        if (store->stats || !number->counted) {
            n = ngx_http_conflict_status_totals_store(snapshot, number);
            ngx_http_conflict_json_set_number(&json, number->name, n);
        }
    }

    if (store->stats) {
        ngx_http_conflict_status_json_store_stats(&json, store->stats);
    }

    return json;
}


/* the counters of this host */

static void
ngx_http_conflict_status_json_store_stats(json_t **json,
    ngx_http_conflict_store_stats_t *stats)
{
    json_t  *errors;

    errors = json_object();

    ngx_http_conflict_json_set_number(&errors, "down",
                                  stats->errors[NGX_HTTP_CONFLICT_STORE_DOWN]);
    ngx_http_conflict_json_set_number(&errors, "full",
                                  stats->errors[NGX_HTTP_CONFLICT_STORE_FULL]);
    ngx_http_conflict_json_set_number(&errors, "generation",
                            stats->errors[NGX_HTTP_CONFLICT_STORE_GENERATION]);
    ngx_http_conflict_json_set_number(&errors, "get",
                                    stats->errors[NGX_HTTP_CONFLICT_STORE_UP]);

    ngx_http_conflict_json_set(json, "errors", errors);
    ngx_http_conflict_json_set_number(json, "uncounted",
                                    ngx_http_conflict_stats_uncounted(stats));
    ngx_http_conflict_json_set(json, "round_trips",
                               ngx_http_conflict_status_json_latency(stats));
}


static json_t *
ngx_http_conflict_status_json_latency(ngx_http_conflict_store_stats_t *stats)
{
    json_t      *json, *bucket, *buckets;
    int64_t      bound;
    ngx_uint_t   i, n;

    n = 0;
    buckets = json_array();

    for (i = 0; i < NGX_HTTP_CONFLICT_LATENCY_BUCKETS; i++) {
        n += stats->latency[i];
        bound = (i < NGX_HTTP_CONFLICT_LATENCY_BUCKETS - 1)
                ? (int64_t) ngx_http_conflict_latency_bounds[i] : -1;

        bucket = json_object();

        ngx_http_conflict_json_set_number(&bucket, "up_to_us", bound);
        ngx_http_conflict_json_set_number(&bucket, "count", stats->latency[i]);
        ngx_http_conflict_json_append(&buckets, bucket);
    }

    json = json_object();

    ngx_http_conflict_json_set_number(&json, "count", n);
    ngx_http_conflict_json_set_number(&json, "sum_ms",
                                      stats->latency_sum / 1000);
    ngx_http_conflict_json_set(&json, "buckets", buckets);

    return json;
}


/*
 * Most of the text are series, some 350,000 numbers for a hundred busy routes.
 * jansson takes three times as long for them, and blocks the worker meanwhile,
 * so they are printed directly, between the members that jansson prints.
 */

static void
ngx_http_conflict_status_json_routes(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query)
{
    json_t                            *json;
    ngx_uint_t                         i, k, first;
    ngx_http_conflict_route_stats_t  **route;

    first = 0;

    for (i = 0; i < n; i++) {
        route = snapshot[i]->route_stats.elts;

        for (k = 0; k < snapshot[i]->route_stats.nelts; k++) {

            if (route[k]->since == 0
                || !ngx_http_conflict_status_query_route(query, route[k]))
            {
                continue;
            }

            json = ngx_http_conflict_status_json_route(route[k]);

            ngx_http_conflict_writer_print(out, first++ ? ",\n{" : "\n{");
            ngx_http_conflict_json_print(out, json);

            ngx_http_conflict_status_json_bins(out, "minutes", route[k]->minute,
                                               NGX_HTTP_CONFLICT_MINUTES, 60);
            ngx_http_conflict_status_json_bins(out, "hours", route[k]->hour,
                                               NGX_HTTP_CONFLICT_HOURS, 3600);
            ngx_http_conflict_status_json_bins(out, "days", route[k]->day,
                                               NGX_HTTP_CONFLICT_DAYS, 86400);
            ngx_http_conflict_writer_print(out, "}");
        }
    }
}


static json_t *
ngx_http_conflict_status_json_route(ngx_http_conflict_route_stats_t *route)
{
    json_t     *json;
    int64_t     since;
    ngx_str_t  *policy;

    since = (int64_t) route->since * CONFLICT_TIME_SECOND;
    policy = ngx_http_conflict_names_policy(ngx_min(route->policy,
                                                    NGX_HTTP_CONFLICT_OFF));
    json = json_object();

    ngx_http_conflict_status_json_name(&json, "store", &route->store);
    ngx_http_conflict_status_json_name(&json, "server", &route->server);
    ngx_http_conflict_status_json_name(&json, "location", &route->location);
    ngx_http_conflict_status_json_name(&json, "entity", &route->entity);
    ngx_http_conflict_json_set_text(&json, "policy", policy);
    ngx_http_conflict_json_set(&json, "report", json_boolean(route->report));
    ngx_http_conflict_json_set_time(&json, "since", since);

    ngx_http_conflict_status_json_totals(&json, route->total);

    ngx_http_conflict_json_set(&json, "fields",
                               ngx_http_conflict_status_json_fields(route));
    ngx_http_conflict_json_set(&json, "advice",
                               ngx_http_conflict_status_advice(route));

    return json;
}


static void
ngx_http_conflict_status_json_totals(json_t **json, uint64_t *total)
{
    json_t      *outcomes, *actions, *gaps;
    uint64_t     n, writes;
    ngx_uint_t   i;
    const char  *name;

    writes = 0;

    outcomes = json_object();
    actions = json_object();
    gaps = json_object();

    for (i = 0; i < NGX_HTTP_CONFLICT_OUTCOMES; i++) {
        name = (char *) ngx_http_conflict_status_outcome(i)->data;
        n = total[i];

        writes += n;
        ngx_http_conflict_json_set_number(&outcomes, name, n);
    }

    for (i = 1; i <= NGX_HTTP_CONFLICT_ACTIONS; i++) {
        name = (char *) ngx_http_conflict_names_action(i)->data;
        n = total[NGX_HTTP_CONFLICT_N_ACTION(i)];

        ngx_http_conflict_json_set_number(&actions, name, n);
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_GAPS; i++) {
        name = (char *) ngx_http_conflict_status_gap_names[i].data;
        n = total[NGX_HTTP_CONFLICT_N_WITHOUT_BASE + i];

        ngx_http_conflict_json_set_number(&gaps, name, n);
    }

    ngx_http_conflict_json_set_number(json, "writes", writes);
    ngx_http_conflict_json_set(json, "outcomes", outcomes);
    ngx_http_conflict_json_set(json, "actions", actions);
    ngx_http_conflict_json_set(json, "not_checked", gaps);
    ngx_http_conflict_json_set_number(json, "waited",
                                      total[NGX_HTTP_CONFLICT_N_WAITED]);
    ngx_http_conflict_json_set_number(json, "wait_ms",
                                      total[NGX_HTTP_CONFLICT_N_WAIT]);
    ngx_http_conflict_json_set_number(json, "unknown_outcomes",
                                      total[NGX_HTTP_CONFLICT_N_UNKNOWN]);
    ngx_http_conflict_json_set_number(json, "fetches",
                                      total[NGX_HTTP_CONFLICT_N_FETCHES]);
}


static json_t *
ngx_http_conflict_status_json_fields(ngx_http_conflict_route_stats_t *route)
{
    json_t                           *json, *fields;
    ngx_str_t                         name;
    ngx_uint_t                        i;
    ngx_http_conflict_stats_clash_t  *field;

    fields = json_array();

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {
        field = &route->fields[i];

        if (field->n == 0) {
            continue;
        }

        name.data = field->name;
        name.len = field->len;

        json = json_object();

        ngx_http_conflict_json_set_number(&json, "count", field->n);
        ngx_http_conflict_json_set_text(&json, "field", &name);
        ngx_http_conflict_json_append(&fields, json);
    }

    return fields;
}


/* from the oldest bin to the current one; all-zero counters are omitted */

static void
ngx_http_conflict_status_json_bins(ngx_http_conflict_writer_t *out,
    const char *name, ngx_http_conflict_stats_bin_t *bin, ngx_uint_t n,
    ngx_uint_t seconds)
{
    json_t      *json;
    int64_t      start;
    ngx_uint_t   i, last, first, counter;

    last = ngx_time() / seconds;
    start = (int64_t) (last - n + 1) * seconds * CONFLICT_TIME_SECOND;
    json = json_object();

    ngx_http_conflict_json_set_number(&json, "step", seconds);
    ngx_http_conflict_json_set_time(&json, "start", start);

    ngx_http_conflict_writer_print(out, ",\"%s\":{", name);
    ngx_http_conflict_json_print(out, json);

    ngx_http_conflict_writer_print(out, ",\"writes\":");
    ngx_http_conflict_status_json_series(out, bin, n, last, 0,
                                         NGX_HTTP_CONFLICT_OUTCOMES - 1);
    ngx_http_conflict_writer_print(out, ",\"actions\":{");
    first = 0;

    for (i = 1; i <= NGX_HTTP_CONFLICT_ACTIONS; i++) {
        counter = NGX_HTTP_CONFLICT_N_ACTION(i);

        if (ngx_http_conflict_status_json_none(bin, n, last, counter)) {
            continue;
        }

        ngx_http_conflict_writer_print(out, "%s\"%V\":", first++ ? "," : "",
                                       ngx_http_conflict_names_action(i));
        ngx_http_conflict_status_json_series(out, bin, n, last, counter,
                                             counter);
    }

    ngx_http_conflict_writer_print(out, "},\"not_checked\":{");
    first = 0;

    for (i = 0; i < NGX_HTTP_CONFLICT_GAPS; i++) {
        counter = NGX_HTTP_CONFLICT_N_WITHOUT_BASE + i;

        if (ngx_http_conflict_status_json_none(bin, n, last, counter)) {
            continue;
        }

        ngx_http_conflict_writer_print(out, "%s\"%V\":", first++ ? "," : "",
                                       &ngx_http_conflict_status_gap_names[i]);
        ngx_http_conflict_status_json_series(out, bin, n, last, counter,
                                             counter);
    }

    ngx_http_conflict_writer_print(out, "}}");
}


static ngx_uint_t
ngx_http_conflict_status_json_none(ngx_http_conflict_stats_bin_t *bin,
    ngx_uint_t n, ngx_uint_t last, ngx_uint_t counter)
{
    ngx_uint_t  k;

    for (k = 0; k < n; k++) {

        if (bin[k].n[counter] && bin[k].number + n > last) {
            return 0;
        }
    }

    return 1;
}


/* for each bin, the sum of the counters "from" to "to" */

static void
ngx_http_conflict_status_json_series(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_stats_bin_t *bin, ngx_uint_t n, ngx_uint_t last,
    ngx_uint_t from, ngx_uint_t to)
{
    uint64_t                        sum;
    ngx_uint_t                      i, k;
    ngx_http_conflict_stats_bin_t  *b;

    for (k = last - n + 1; k <= last; k++) {
        b = &bin[k % n];
        sum = 0;

        for (i = from; i <= to && b->number == k; i++) {
            sum += b->n[i];
        }

        ngx_http_conflict_writer_print(out, "%s%uL",
                                       (k == last - n + 1) ? "[" : ",", sum);
    }

    ngx_http_conflict_writer_print(out, "]");
}


static json_t *
ngx_http_conflict_status_json_tail(ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n)
{
    json_t                        *json, *one, *resources, *locks;
    ngx_str_t                     *store;
    ngx_uint_t                     i, k;
    ngx_http_conflict_holder_t    *holder;
    ngx_http_conflict_resource_t  *resource;

    resources = json_array();
    locks = json_array();

    for (i = 0; i < n; i++) {
        store = &snapshot[i]->store->name;
        resource = snapshot[i]->resources.elts;
        holder = snapshot[i]->holders.elts;

        for (k = 0; k < snapshot[i]->resources.nelts; k++) {
            one = json_object();

            ngx_http_conflict_json_set_text(&one, "store", store);
            ngx_http_conflict_json_set_text(&one, "resource",
                                            &resource[k].key);
            ngx_http_conflict_json_set_number(&one, "conflicts",
                                              resource[k].n);
            ngx_http_conflict_json_append(&resources, one);
        }

        for (k = 0; k < snapshot[i]->holders.nelts; k++) {
            one = ngx_http_conflict_status_json_holder(snapshot[i], &holder[k]);
            ngx_http_conflict_json_append(&locks, one);
        }
    }

    json = json_object();

    ngx_http_conflict_json_set(&json, "resources", resources);
    ngx_http_conflict_json_set(&json, "locks", locks);

    return json;
}


static json_t *
ngx_http_conflict_status_json_holder(ngx_http_conflict_snapshot_t *snapshot,
    ngx_http_conflict_holder_t *holder)
{
    json_t  *json;

    json = json_object();

    ngx_http_conflict_json_set_text(&json, "store", &snapshot->store->name);
    ngx_http_conflict_json_set_text(&json, "resource", &holder->key);
    ngx_http_conflict_json_set_text(&json, "user", &holder->user);
    ngx_http_conflict_json_set_text(&json, "client", &holder->client);
    ngx_http_conflict_json_set_time(&json, "acquired_at", holder->acquired);
    ngx_http_conflict_json_set_seconds(&json, "expires_in", holder->remaining);

    return json;
}


static void
ngx_http_conflict_status_json_name(json_t **json, const char *member,
    ngx_http_conflict_stats_name_t *name)
{
    ngx_str_t  text;

    text.data = name->data;
    text.len = name->len;

    ngx_http_conflict_json_set_text(json, member, &text);
}
