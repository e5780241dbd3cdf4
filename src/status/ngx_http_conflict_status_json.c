
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The status as JSON: docs/status.md says what its members mean, and their
 * names stay.
 */


#include "status/ngx_http_conflict_status.h"
#include "http/ngx_http_conflict_json.h"
#include "http/ngx_http_conflict_writer.h"


static json_t *ngx_http_conflict_status_json_head(
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n);
static json_t *ngx_http_conflict_status_json_store(
    ngx_http_conflict_snapshot_t *snapshot);
static void ngx_http_conflict_status_json_gauge(json_t **json,
    ngx_http_conflict_store_stats_t  *gauge);
static json_t *ngx_http_conflict_status_json_trips(
    ngx_http_conflict_store_stats_t  *gauge);
static void ngx_http_conflict_status_json_routes(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n);
static json_t *ngx_http_conflict_status_json_route(
    ngx_http_conflict_route_stats_t  *tally);
static void ngx_http_conflict_status_json_totals(json_t **json,
    ngx_http_conflict_route_stats_t  *tally);
static json_t *ngx_http_conflict_status_json_fields(
    ngx_http_conflict_route_stats_t  *tally);
static void ngx_http_conflict_status_json_bins(ngx_http_conflict_writer_t *out,
    const char *name, ngx_http_conflict_stats_bin_t *bin, ngx_uint_t n,
    ngx_uint_t seconds);
static ngx_uint_t ngx_http_conflict_status_json_none(
    ngx_http_conflict_stats_bin_t *bin, ngx_uint_t n, ngx_uint_t last,
    ngx_uint_t counter);
static void ngx_http_conflict_status_json_series(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_stats_bin_t *bin,
    ngx_uint_t n, ngx_uint_t last, ngx_uint_t from, ngx_uint_t to);
static void ngx_http_conflict_status_json_conflicts(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n);
static json_t *ngx_http_conflict_status_json_tail(
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n);
static json_t *ngx_http_conflict_status_json_holder(
    ngx_http_conflict_snapshot_t *snapshot, ngx_http_conflict_holder_t *holder);
static void ngx_http_conflict_status_json_text(json_t **json,
    const char *name, u_char *data, size_t len);
static void ngx_http_conflict_status_json_figure(json_t **json,
    const char *name, int64_t n);


void
ngx_http_conflict_status_json(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n)
{
    ngx_http_conflict_writer_print(out, "{");
    ngx_http_conflict_json_print(out,
                              ngx_http_conflict_status_json_head(snapshot, n));

    ngx_http_conflict_writer_print(out, ",\"routes\":[");
    ngx_http_conflict_status_json_routes(out, snapshot, n);

    ngx_http_conflict_writer_print(out, "],\"conflicts\":[");
    ngx_http_conflict_status_json_conflicts(out, snapshot, n);

    ngx_http_conflict_writer_print(out, "],");
    ngx_http_conflict_json_print(out,
                              ngx_http_conflict_status_json_tail(snapshot, n));
    ngx_http_conflict_writer_print(out, "}\n");
}


static json_t *
ngx_http_conflict_status_json_head(ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n)
{
    json_t      *json, *stores;
    ngx_uint_t   i;

    stores = json_array();

    for (i = 0; i < n; i++) {
        ngx_http_conflict_json_append(&stores,
                              ngx_http_conflict_status_json_store(snapshot[i]));
    }

    json = json_object();

    ngx_http_conflict_status_json_text(&json, "host", ngx_cycle->hostname.data,
                                       ngx_cycle->hostname.len);
    ngx_http_conflict_json_set(&json, "time",
                      ngx_http_conflict_json_time((int64_t) ngx_time()
                                                  * CONFLICT_TIME_SECOND));
    ngx_http_conflict_status_json_figure(&json, "writes_in_flight",
                                     ngx_http_conflict_stats_leases());
    ngx_http_conflict_status_json_figure(&json, "audit_errors",
                                     ngx_http_conflict_stats->audit_errors);
    ngx_http_conflict_json_set(&json, "stores", stores);

    return json;
}


static json_t *
ngx_http_conflict_status_json_store(ngx_http_conflict_snapshot_t *snapshot)
{
    json_t                     *json;
    ngx_http_conflict_store_t  *store;

    store = snapshot->store;
    json = json_object();

    ngx_http_conflict_status_json_text(&json, "name", store->name.data,
                                       store->name.len);
    ngx_http_conflict_json_set(&json, "kind",
                     json_string((store->ops == &ngx_http_conflict_shm_ops)
                                 ? "shm" : "redis"));
    ngx_http_conflict_json_set(&json, "counts_of",
                               json_string(snapshot->fleet ? "fleet" : "host"));
    ngx_http_conflict_json_set(&json, "up",
                               json_boolean(snapshot->why == NULL));
    ngx_http_conflict_status_json_text(&json, "error", (u_char *) snapshot->why,
                                       snapshot->why ? ngx_strlen(snapshot->why)
                                                   : 0);

    ngx_http_conflict_status_json_figure(&json, "entries", snapshot->entries);
    ngx_http_conflict_status_json_figure(&json, "leases", snapshot->leases);
    ngx_http_conflict_status_json_figure(&json, "dirty", snapshot->dirty);
    ngx_http_conflict_status_json_figure(&json, "locks", snapshot->locks);
    ngx_http_conflict_status_json_figure(&json, "evicted", snapshot->evicted);
    ngx_http_conflict_status_json_figure(&json, "memory_bytes",
                                         snapshot->memory);
    ngx_http_conflict_status_json_figure(&json, "size_bytes", snapshot->size);
    ngx_http_conflict_status_json_figure(&json, "settling",
                                         (snapshot->settling > 0)
                                         ? (snapshot->settling + 999) / 1000
                                         : snapshot->settling);

    if (store->gauge) {
        ngx_http_conflict_status_json_gauge(&json, store->gauge);
    }

    return json;
}


/* what this host has seen of it */

static void
ngx_http_conflict_status_json_gauge(json_t **json,
    ngx_http_conflict_store_stats_t *gauge)
{
    json_t  *errors;

    errors = json_object();

    ngx_http_conflict_status_json_figure(&errors, "down",
                              gauge->errors[NGX_HTTP_CONFLICT_STORE_DOWN]);
    ngx_http_conflict_status_json_figure(&errors, "full",
                              gauge->errors[NGX_HTTP_CONFLICT_STORE_FULL]);
    ngx_http_conflict_status_json_figure(&errors, "generation",
                           gauge->errors[NGX_HTTP_CONFLICT_STORE_GENERATION]);

    ngx_http_conflict_json_set(json, "errors", errors);
    ngx_http_conflict_status_json_figure(json, "unsettled", gauge->unsettled);
    ngx_http_conflict_status_json_figure(json, "stream_dropped",
                                         gauge->dropped);
    ngx_http_conflict_json_set(json, "round_trips",
                               ngx_http_conflict_status_json_trips(gauge));
}


static json_t *
ngx_http_conflict_status_json_trips(ngx_http_conflict_store_stats_t *gauge)
{
    json_t      *json, *bucket, *buckets;
    ngx_uint_t   i, n;

    n = 0;
    buckets = json_array();

    for (i = 0; i < NGX_HTTP_CONFLICT_LATENCY_BUCKETS; i++) {
        n += gauge->trips[i];
        bucket = json_object();

        ngx_http_conflict_status_json_figure(&bucket, "up_to_us",
                                     (i < NGX_HTTP_CONFLICT_LATENCY_BUCKETS - 1)
                                     ? (int64_t) ngx_http_conflict_latency_bounds[i]
                                     : -1);
        ngx_http_conflict_status_json_figure(&bucket, "count",
                                             gauge->trips[i]);
        ngx_http_conflict_json_append(&buckets, bucket);
    }

    json = json_object();

    ngx_http_conflict_status_json_figure(&json, "count", n);
    ngx_http_conflict_status_json_figure(&json, "sum_ms",
                                         gauge->trip_time / 1000);
    ngx_http_conflict_json_set(&json, "buckets", buckets);

    return json;
}


/*
 * Series of numbers are most of the text, some 350,000 numbers for a hundred
 * busy routes, which jansson takes three times as long for, and a worker
 * serves nobody meanwhile.  So they are written between what it writes.
 */

static void
ngx_http_conflict_status_json_routes(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n)
{
    ngx_uint_t                         i, k, first;
    ngx_http_conflict_route_stats_t  **tally;

    first = 0;

    for (i = 0; i < n; i++) {
        tally = snapshot[i]->tallies.elts;

        for (k = 0; k < snapshot[i]->tallies.nelts; k++) {

            if (tally[k]->since == 0) {
                continue;
            }

            ngx_http_conflict_writer_print(out, first++ ? ",\n{" : "\n{");
            ngx_http_conflict_json_print(out,
                              ngx_http_conflict_status_json_route(tally[k]));

            ngx_http_conflict_status_json_bins(out, "minutes",
                                               tally[k]->minute,
                                               NGX_HTTP_CONFLICT_MINUTES, 60);
            ngx_http_conflict_status_json_bins(out, "hours", tally[k]->hour,
                                               NGX_HTTP_CONFLICT_HOURS, 3600);
            ngx_http_conflict_status_json_bins(out, "days", tally[k]->day,
                                               NGX_HTTP_CONFLICT_DAYS, 86400);
            ngx_http_conflict_writer_print(out, "}");
        }
    }
}


static json_t *
ngx_http_conflict_status_json_route(ngx_http_conflict_route_stats_t *tally)
{
    json_t     *json;
    ngx_str_t  *policy;

    policy = ngx_http_conflict_names_policy(ngx_min(tally->policy,
                                                    NGX_HTTP_CONFLICT_OFF));
    json = json_object();

    ngx_http_conflict_status_json_text(&json, "store", tally->store.data,
                                       tally->store.len);
    ngx_http_conflict_status_json_text(&json, "server", tally->server.data,
                                       tally->server.len);
    ngx_http_conflict_status_json_text(&json, "location",
                                       tally->location.data,
                                       tally->location.len);
    ngx_http_conflict_status_json_text(&json, "entity", tally->entity.data,
                                       tally->entity.len);
    ngx_http_conflict_status_json_text(&json, "policy", policy->data,
                                       policy->len);
    ngx_http_conflict_json_set(&json, "report", json_boolean(tally->report));
    ngx_http_conflict_json_set(&json, "since",
                      ngx_http_conflict_json_time((int64_t) tally->since
                                                  * CONFLICT_TIME_SECOND));

    ngx_http_conflict_status_json_totals(&json, tally);

    ngx_http_conflict_json_set(&json, "fields",
                               ngx_http_conflict_status_json_fields(tally));
    ngx_http_conflict_json_set(&json, "advice",
                               ngx_http_conflict_status_advice(tally));

    return json;
}


static void
ngx_http_conflict_status_json_totals(json_t **json,
    ngx_http_conflict_route_stats_t *tally)
{
    json_t      *outcomes, *actions, *gaps;
    uint64_t     writes, *total;
    ngx_uint_t   i;

    writes = 0;
    total = tally->total;

    outcomes = json_object();
    actions = json_object();
    gaps = json_object();

    for (i = 0; i < NGX_HTTP_CONFLICT_OUTCOMES; i++) {
        writes += total[i];
        ngx_http_conflict_status_json_figure(&outcomes,
                      (char *) ngx_http_conflict_status_outcome(i)->data,
                      total[i]);
    }

    for (i = 1; i <= NGX_HTTP_CONFLICT_ACTIONS; i++) {
        ngx_http_conflict_status_json_figure(&actions,
                      (char *) ngx_http_conflict_names_action(i)->data,
                      total[NGX_HTTP_CONFLICT_N_ACTION(i)]);
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_GAPS; i++) {
        ngx_http_conflict_status_json_figure(&gaps,
                      (char *) ngx_http_conflict_gap_names[i].data,
                      total[NGX_HTTP_CONFLICT_N_WITHOUT_BASE + i]);
    }

    ngx_http_conflict_status_json_figure(json, "writes", writes);
    ngx_http_conflict_json_set(json, "outcomes", outcomes);
    ngx_http_conflict_json_set(json, "actions", actions);
    ngx_http_conflict_json_set(json, "not_checked", gaps);
    ngx_http_conflict_status_json_figure(json, "waited",
                                         total[NGX_HTTP_CONFLICT_N_WAITED]);
    ngx_http_conflict_status_json_figure(json, "wait_ms",
                                         total[NGX_HTTP_CONFLICT_N_WAIT]);
    ngx_http_conflict_status_json_figure(json, "unknown_outcomes",
                                         total[NGX_HTTP_CONFLICT_N_UNKNOWN]);
    ngx_http_conflict_status_json_figure(json, "fetches",
                                         total[NGX_HTTP_CONFLICT_N_FETCHES]);
}


static json_t *
ngx_http_conflict_status_json_fields(ngx_http_conflict_route_stats_t *tally)
{
    json_t                           *json, *fields;
    ngx_uint_t                        i;
    ngx_http_conflict_stats_clash_t  *field;

    fields = json_array();

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {
        field = &tally->fields[i];

        if (field->n == 0) {
            continue;
        }

        json = json_object();

        ngx_http_conflict_status_json_figure(&json, "count", field->n);
        ngx_http_conflict_status_json_text(&json, "field", field->name,
                                           field->len);
        ngx_http_conflict_json_append(&fields, json);
    }

    return fields;
}


/* from the oldest up to now; what never was is not said */

static void
ngx_http_conflict_status_json_bins(ngx_http_conflict_writer_t *out,
    const char *name, ngx_http_conflict_stats_bin_t *bin, ngx_uint_t n,
    ngx_uint_t seconds)
{
    json_t      *json;
    ngx_uint_t   i, last, first, counter;

    last = ngx_time() / seconds;
    json = json_object();

    ngx_http_conflict_status_json_figure(&json, "step", seconds);
    ngx_http_conflict_json_set(&json, "start",
                      ngx_http_conflict_json_time((int64_t) (last - n + 1)
                                                  * seconds
                                                  * CONFLICT_TIME_SECOND));

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
                                       &ngx_http_conflict_gap_names[i]);
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


/* the sum of some counters, of each bin */

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


/* JSON already: each is a line of the audit log */

static void
ngx_http_conflict_status_json_conflicts(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n)
{
    ngx_str_t   *line;
    ngx_uint_t   i, k, first;

    first = 0;

    for (i = 0; i < n; i++) {
        line = snapshot[i]->lines.elts;

        for (k = 0; k < snapshot[i]->lines.nelts; k++) {
            ngx_http_conflict_writer_print(out, first++ ? ",\n" : "\n");
            ngx_http_conflict_writer_bytes(out, line[k].data, line[k].len);
        }
    }
}


static json_t *
ngx_http_conflict_status_json_tail(ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n)
{
    json_t                        *json, *one, *resources, *locks;
    ngx_uint_t                     i, k;
    ngx_http_conflict_holder_t    *holder;
    ngx_http_conflict_resource_t  *resource;

    resources = json_array();
    locks = json_array();

    for (i = 0; i < n; i++) {
        resource = snapshot[i]->resources.elts;
        holder = snapshot[i]->holders.elts;

        for (k = 0; k < snapshot[i]->resources.nelts; k++) {
            one = json_object();

            ngx_http_conflict_status_json_text(&one, "store",
                                               snapshot[i]->store->name.data,
                                               snapshot[i]->store->name.len);
            ngx_http_conflict_status_json_text(&one, "resource",
                                               resource[k].key.data,
                                               resource[k].key.len);
            ngx_http_conflict_status_json_figure(&one, "conflicts",
                                                 resource[k].n);
            ngx_http_conflict_json_append(&resources, one);
        }

        for (k = 0; k < snapshot[i]->holders.nelts; k++) {
            ngx_http_conflict_json_append(&locks,
                              ngx_http_conflict_status_json_holder(snapshot[i],
                                                                &holder[k]));
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

    ngx_http_conflict_status_json_text(&json, "store",
                                       snapshot->store->name.data,
                                       snapshot->store->name.len);
    ngx_http_conflict_status_json_text(&json, "resource", holder->key.data,
                                       holder->key.len);
    ngx_http_conflict_status_json_text(&json, "user", holder->user.data,
                                       holder->user.len);
    ngx_http_conflict_status_json_text(&json, "client", holder->client.data,
                                       holder->client.len);
    ngx_http_conflict_json_set(&json, "acquired_at",
                           ngx_http_conflict_json_time(holder->acquired));
    ngx_http_conflict_json_set(&json, "expires_in",
                           ngx_http_conflict_json_seconds(holder->remaining));

    return json;
}


static void
ngx_http_conflict_status_json_text(json_t **json, const char *name,
    u_char *data, size_t len)
{
    ngx_str_t  text;

    text.data = data;
    text.len = len;

    ngx_http_conflict_json_set(json, name,
              ngx_http_conflict_json_text(&text,
                                          NGX_HTTP_CONFLICT_JSON_WHOLE));
}


/* null where it is not known */

static void
ngx_http_conflict_status_json_figure(json_t **json, const char *name,
    int64_t n)
{
    ngx_http_conflict_json_set(json, name,
                               (n < 0) ? json_null() : json_integer(n));
}
