
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * All that was counted, as JSON: docs/status.md says what its members mean,
 * and their names stay.
 */


#include "ngx_http_conflict_module.h"


static void ngx_http_conflict_json_store(ngx_http_conflict_print_t *out,
    ngx_http_conflict_snapshot_t *snapshot);
static void ngx_http_conflict_json_figure(ngx_http_conflict_print_t *out,
    const char *name, int64_t n);
static void ngx_http_conflict_json_name(ngx_http_conflict_print_t *out,
    const char *name, u_char *data, size_t len);
static void ngx_http_conflict_json_time(ngx_http_conflict_print_t *out,
    const char *name, int64_t time);
static void ngx_http_conflict_json_gauge(ngx_http_conflict_print_t *out,
    ngx_http_conflict_gauge_t *gauge);
static void ngx_http_conflict_json_route(ngx_http_conflict_print_t *out,
    ngx_http_conflict_tally_t *tally);
static void ngx_http_conflict_json_totals(ngx_http_conflict_print_t *out,
    ngx_http_conflict_tally_t *tally);
static void ngx_http_conflict_json_bins(ngx_http_conflict_print_t *out,
    const char *name, ngx_http_conflict_bin_t *bin, ngx_uint_t n,
    ngx_uint_t seconds);
static ngx_uint_t ngx_http_conflict_json_none(ngx_http_conflict_bin_t *bin,
    ngx_uint_t n, ngx_uint_t last, ngx_uint_t counter);
static void ngx_http_conflict_json_series(ngx_http_conflict_print_t *out,
    ngx_http_conflict_bin_t *bin, ngx_uint_t n, ngx_uint_t last,
    ngx_uint_t from, ngx_uint_t to);
static void ngx_http_conflict_json_holder(ngx_http_conflict_print_t *out,
    ngx_http_conflict_snapshot_t *snapshot, ngx_http_conflict_holder_t *holder);


/* a comma before all but the first */

#define ngx_http_conflict_json_next(out, n)                                   \
    ngx_http_conflict_print(out, (n) ? ",\n" : "\n")


void
ngx_http_conflict_status_json(ngx_http_conflict_print_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n)
{
    ngx_str_t                      *line;
    ngx_uint_t                      i, k, first;
    ngx_http_conflict_tally_t     **tally;
    ngx_http_conflict_holder_t     *holder;
    ngx_http_conflict_resource_t   *resource;

    ngx_http_conflict_print(out, "{\"host\":\"%V\"", &ngx_cycle->hostname);
    ngx_http_conflict_json_time(out, "time",
                                (int64_t) ngx_time() * CONFLICT_TIME_SECOND);
    ngx_http_conflict_print(out, ",\"writes_in_flight\":%ui,"
                                 "\"audit_errors\":%uA,\"stores\":[",
                            ngx_http_conflict_ledger_leases(),
                            ngx_http_conflict_ledger->audit_errors);

    for (i = 0; i < n; i++) {
        ngx_http_conflict_json_next(out, i);
        ngx_http_conflict_json_store(out, snapshot[i]);
    }

    ngx_http_conflict_print(out, "],\"routes\":[");
    first = 0;

    for (i = 0; i < n; i++) {
        tally = snapshot[i]->tallies.elts;

        for (k = 0; k < snapshot[i]->tallies.nelts; k++) {

            if (tally[k]->since) {
                ngx_http_conflict_json_next(out, first++);
                ngx_http_conflict_json_route(out, tally[k]);
            }
        }
    }

    ngx_http_conflict_print(out, "],\"conflicts\":[");
    first = 0;

    for (i = 0; i < n; i++) {
        line = snapshot[i]->lines.elts;

        for (k = 0; k < snapshot[i]->lines.nelts; k++) {
            ngx_http_conflict_json_next(out, first++);
            ngx_http_conflict_print_bytes(out, line[k].data, line[k].len);
        }
    }

    ngx_http_conflict_print(out, "],\"resources\":[");
    first = 0;

    for (i = 0; i < n; i++) {
        resource = snapshot[i]->resources.elts;

        for (k = 0; k < snapshot[i]->resources.nelts; k++) {
            ngx_http_conflict_json_next(out, first++);
            ngx_http_conflict_print(out, "{\"store\":\"%V\"",
                                    &snapshot[i]->store->name);
            ngx_http_conflict_json_name(out, "resource", resource[k].key.data,
                                        resource[k].key.len);
            ngx_http_conflict_print(out, ",\"conflicts\":%ui}",
                                    resource[k].n);
        }
    }

    ngx_http_conflict_print(out, "],\"locks\":[");
    first = 0;

    for (i = 0; i < n; i++) {
        holder = snapshot[i]->holders.elts;

        for (k = 0; k < snapshot[i]->holders.nelts; k++) {
            ngx_http_conflict_json_next(out, first++);
            ngx_http_conflict_json_holder(out, snapshot[i], &holder[k]);
        }
    }

    ngx_http_conflict_print(out, "]}\n");
}


static void
ngx_http_conflict_json_store(ngx_http_conflict_print_t *out,
    ngx_http_conflict_snapshot_t *snapshot)
{
    ngx_http_conflict_print(out, "{\"name\":\"%V\",\"kind\":\"%s\","
                                 "\"counts_of\":\"%s\",\"up\":%s,\"error\":",
                            &snapshot->store->name,
                            (snapshot->store->ops == &ngx_http_conflict_shm_ops)
                            ? "shm" : "redis",
                            snapshot->fleet ? "fleet" : "host",
                            snapshot->why ? "false" : "true");

    if (snapshot->why) {
        ngx_http_conflict_print(out, "\"");
        ngx_http_conflict_print_text(out, (u_char *) snapshot->why,
                                     ngx_strlen(snapshot->why));
        ngx_http_conflict_print(out, "\"");

    } else {
        ngx_http_conflict_print(out, "null");
    }

    ngx_http_conflict_json_figure(out, "entries", snapshot->entries);
    ngx_http_conflict_json_figure(out, "leases", snapshot->leases);
    ngx_http_conflict_json_figure(out, "dirty", snapshot->dirty);
    ngx_http_conflict_json_figure(out, "locks", snapshot->locks);
    ngx_http_conflict_json_figure(out, "evicted", snapshot->evicted);
    ngx_http_conflict_json_figure(out, "memory_bytes", snapshot->memory);
    ngx_http_conflict_json_figure(out, "size_bytes", snapshot->size);
    ngx_http_conflict_json_figure(out, "settling",
                                  (snapshot->settling > 0)
                                  ? (snapshot->settling + 999) / 1000
                                  : snapshot->settling);

    if (snapshot->store->gauge) {
        ngx_http_conflict_json_gauge(out, snapshot->store->gauge);
    }

    ngx_http_conflict_print(out, "}");
}


static void
ngx_http_conflict_json_figure(ngx_http_conflict_print_t *out,
    const char *name, int64_t n)
{
    if (n < 0) {
        ngx_http_conflict_print(out, ",\"%s\":null", name);
        return;
    }

    ngx_http_conflict_print(out, ",\"%s\":%L", name, n);
}


static void
ngx_http_conflict_json_name(ngx_http_conflict_print_t *out, const char *name,
    u_char *data, size_t len)
{
    ngx_http_conflict_print(out, ",\"%s\":\"", name);
    ngx_http_conflict_print_text(out, data, len);
    ngx_http_conflict_print(out, "\"");
}


static void
ngx_http_conflict_json_time(ngx_http_conflict_print_t *out, const char *name,
    int64_t time)
{
    u_char  text[CONFLICT_TIME_RFC3339 + 1];

    conflict_time_print_rfc3339((char *) text, time);
    text[CONFLICT_TIME_RFC3339] = '\0';

    ngx_http_conflict_print(out, ",\"%s\":\"%s\"", name, text);
}


/* what this host has seen of it */

static void
ngx_http_conflict_json_gauge(ngx_http_conflict_print_t *out,
    ngx_http_conflict_gauge_t *gauge)
{
    ngx_uint_t  i, n;

    ngx_http_conflict_print(out,
          ",\"errors\":{\"down\":%uA,\"full\":%uA,\"generation\":%uA},"
          "\"unsettled\":%uA,\"stream_dropped\":%uA,\"round_trips\":{",
          gauge->errors[NGX_HTTP_CONFLICT_STORE_DOWN],
          gauge->errors[NGX_HTTP_CONFLICT_STORE_FULL],
          gauge->errors[NGX_HTTP_CONFLICT_STORE_GENERATION],
          gauge->unsettled, gauge->dropped);

    n = 0;

    for (i = 0; i < NGX_HTTP_CONFLICT_TRIPS; i++) {
        n += gauge->trips[i];
    }

    ngx_http_conflict_print(out, "\"count\":%ui,\"sum_ms\":%uA,\"buckets\":[",
                            n, gauge->trip_time / 1000);

    for (i = 0; i < NGX_HTTP_CONFLICT_TRIPS; i++) {

        if (i < NGX_HTTP_CONFLICT_TRIPS - 1) {
            ngx_http_conflict_print(out, "%s{\"up_to_us\":%uD,\"count\":%uA}",
                                    i ? "," : "", ngx_http_conflict_trips[i],
                                    gauge->trips[i]);
            continue;
        }

        ngx_http_conflict_print(out, ",{\"up_to_us\":null,\"count\":%uA}",
                                gauge->trips[i]);
    }

    ngx_http_conflict_print(out, "]}");
}


static void
ngx_http_conflict_json_route(ngx_http_conflict_print_t *out,
    ngx_http_conflict_tally_t *tally)
{
    ngx_uint_t                  i, first;
    ngx_http_conflict_clash_t  *field;

    ngx_http_conflict_print(out, "{\"store\":\"%*s\"",
                            (size_t) tally->store.len, tally->store.data);
    ngx_http_conflict_json_name(out, "server", tally->server.data,
                                tally->server.len);
    ngx_http_conflict_json_name(out, "location", tally->location.data,
                                tally->location.len);
    ngx_http_conflict_json_name(out, "entity", tally->entity.data,
                                tally->entity.len);
    ngx_http_conflict_print(out, ",\"policy\":\"%V\",\"report\":%s",
                            ngx_http_conflict_policy_name(
                                ngx_min(tally->policy,
                                        NGX_HTTP_CONFLICT_OFF)),
                            tally->report ? "true" : "false");
    ngx_http_conflict_json_time(out, "since",
                                (int64_t) tally->since * CONFLICT_TIME_SECOND);

    ngx_http_conflict_json_totals(out, tally);

    ngx_http_conflict_print(out, ",\"fields\":[");
    first = 0;

    for (i = 0; i < NGX_HTTP_CONFLICT_FIELDS; i++) {
        field = &tally->fields[i];

        if (field->n) {
            ngx_http_conflict_print(out, "%s{\"count\":%uD",
                                    first++ ? "," : "", field->n);
            ngx_http_conflict_json_name(out, "field", field->name, field->len);
            ngx_http_conflict_print(out, "}");
        }
    }

    ngx_http_conflict_print(out, "]");

    ngx_http_conflict_status_advice(out, tally);

    ngx_http_conflict_json_bins(out, "minutes", tally->minute,
                                NGX_HTTP_CONFLICT_MINUTES, 60);
    ngx_http_conflict_json_bins(out, "hours", tally->hour,
                                NGX_HTTP_CONFLICT_HOURS, 3600);
    ngx_http_conflict_json_bins(out, "days", tally->day,
                                NGX_HTTP_CONFLICT_DAYS, 86400);

    ngx_http_conflict_print(out, "}");
}


static void
ngx_http_conflict_json_totals(ngx_http_conflict_print_t *out,
    ngx_http_conflict_tally_t *tally)
{
    uint64_t     writes;
    ngx_str_t   *name;
    ngx_uint_t   i;

    writes = 0;

    for (i = 0; i < NGX_HTTP_CONFLICT_OUTCOMES; i++) {
        writes += tally->total[i];
    }

    ngx_http_conflict_print(out, ",\"writes\":%uL,\"outcomes\":{", writes);

    for (i = 0; i < NGX_HTTP_CONFLICT_OUTCOMES; i++) {
        name = ngx_http_conflict_status_outcome(i);
        ngx_http_conflict_print(out, "%s\"%V\":%uL", i ? "," : "", name,
                                tally->total[i]);
    }

    ngx_http_conflict_print(out, "},\"actions\":{");

    for (i = 1; i <= NGX_HTTP_CONFLICT_ACTIONS; i++) {
        ngx_http_conflict_print(out, "%s\"%V\":%uL", (i > 1) ? "," : "",
                                &ngx_http_conflict_action_names[i],
                                tally->total[NGX_HTTP_CONFLICT_N_ACTION(i)]);
    }

    ngx_http_conflict_print(out, "},\"not_checked\":{");

    for (i = 0; i < NGX_HTTP_CONFLICT_GAPS; i++) {
        ngx_http_conflict_print(out, "%s\"%V\":%uL", i ? "," : "",
                                &ngx_http_conflict_gap_names[i],
                                tally->total[NGX_HTTP_CONFLICT_N_WITHOUT_BASE
                                             + i]);
    }

    ngx_http_conflict_print(out,
                    "},\"waited\":%uL,\"wait_ms\":%uL,\"unknown_outcomes\":%uL,"
                    "\"fetches\":%uL",
                    tally->total[NGX_HTTP_CONFLICT_N_WAITED],
                    tally->total[NGX_HTTP_CONFLICT_N_WAIT],
                    tally->total[NGX_HTTP_CONFLICT_N_UNKNOWN],
                    tally->total[NGX_HTTP_CONFLICT_N_FETCHES]);
}


/* from the oldest up to now; what never was is not said */

static void
ngx_http_conflict_json_bins(ngx_http_conflict_print_t *out, const char *name,
    ngx_http_conflict_bin_t *bin, ngx_uint_t n, ngx_uint_t seconds)
{
    ngx_uint_t  i, last, first, counter;

    last = ngx_time() / seconds;

    ngx_http_conflict_print(out, ",\"%s\":{\"step\":%ui", name, seconds);
    ngx_http_conflict_json_time(out, "start", (int64_t) (last - n + 1)
                                              * seconds
                                              * CONFLICT_TIME_SECOND);
    ngx_http_conflict_print(out, ",\"writes\":");
    ngx_http_conflict_json_series(out, bin, n, last, 0,
                                  NGX_HTTP_CONFLICT_OUTCOMES - 1);
    ngx_http_conflict_print(out, ",\"actions\":{");
    first = 0;

    for (i = 1; i <= NGX_HTTP_CONFLICT_ACTIONS; i++) {
        counter = NGX_HTTP_CONFLICT_N_ACTION(i);

        if (ngx_http_conflict_json_none(bin, n, last, counter)) {
            continue;
        }

        ngx_http_conflict_print(out, "%s\"%V\":", first++ ? "," : "",
                                &ngx_http_conflict_action_names[i]);
        ngx_http_conflict_json_series(out, bin, n, last, counter, counter);
    }

    ngx_http_conflict_print(out, "},\"not_checked\":{");
    first = 0;

    for (i = 0; i < NGX_HTTP_CONFLICT_GAPS; i++) {
        counter = NGX_HTTP_CONFLICT_N_WITHOUT_BASE + i;

        if (ngx_http_conflict_json_none(bin, n, last, counter)) {
            continue;
        }

        ngx_http_conflict_print(out, "%s\"%V\":", first++ ? "," : "",
                                &ngx_http_conflict_gap_names[i]);
        ngx_http_conflict_json_series(out, bin, n, last, counter, counter);
    }

    ngx_http_conflict_print(out, "}}");
}


static ngx_uint_t
ngx_http_conflict_json_none(ngx_http_conflict_bin_t *bin, ngx_uint_t n,
    ngx_uint_t last, ngx_uint_t counter)
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
ngx_http_conflict_json_series(ngx_http_conflict_print_t *out,
    ngx_http_conflict_bin_t *bin, ngx_uint_t n, ngx_uint_t last,
    ngx_uint_t from, ngx_uint_t to)
{
    uint64_t                  sum;
    ngx_uint_t                i, k;
    ngx_http_conflict_bin_t  *b;

    for (k = last - n + 1; k <= last; k++) {
        b = &bin[k % n];
        sum = 0;

        for (i = from; i <= to && b->number == k; i++) {
            sum += b->n[i];
        }

        ngx_http_conflict_print(out, "%s%uL", (k == last - n + 1) ? "[" : ",",
                                sum);
    }

    ngx_http_conflict_print(out, "]");
}


static void
ngx_http_conflict_json_holder(ngx_http_conflict_print_t *out,
    ngx_http_conflict_snapshot_t *snapshot, ngx_http_conflict_holder_t *holder)
{
    ngx_http_conflict_print(out, "{\"store\":\"%V\"", &snapshot->store->name);
    ngx_http_conflict_json_name(out, "resource", holder->key.data,
                                holder->key.len);
    ngx_http_conflict_json_name(out, "user", holder->user.data,
                                holder->user.len);
    ngx_http_conflict_json_name(out, "client", holder->client.data,
                                holder->client.len);
    ngx_http_conflict_json_time(out, "acquired_at", holder->acquired);
    ngx_http_conflict_print(out, ",\"expires_in\":%M.%03M}",
                            holder->remaining / 1000, holder->remaining % 1000);
}
