
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The counters of this host as metrics for Prometheus, which sums up those of
 * a fleet itself.
 */


#include "status/ngx_http_conflict_status.h"


typedef struct {
    const char                    *name;
    const char                    *help;
    ngx_uint_t                     number;
} ngx_http_conflict_metric_t;


static void ngx_http_conflict_status_prometheus_metric(
    ngx_http_conflict_writer_t *out, const char *name, const char *type,
    const char *help);
static void ngx_http_conflict_status_prometheus_route(
    ngx_http_conflict_writer_t *out, const char *name,
    ngx_http_conflict_route_stats_t *route, const char *label, ngx_str_t *value,
    uint64_t n);
static void ngx_http_conflict_status_prometheus_labels(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_route_stats_t *route);
static void ngx_http_conflict_status_prometheus_label(
    ngx_http_conflict_writer_t *out, const char *label,
    ngx_http_conflict_stats_name_t *name);
static void ngx_http_conflict_status_prometheus_gaps(
    ngx_http_conflict_writer_t *out);
static void ngx_http_conflict_status_prometheus_waits(
    ngx_http_conflict_writer_t *out);
static void ngx_http_conflict_status_prometheus_stores(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n);
static void ngx_http_conflict_status_prometheus_latency(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n);


static const ngx_http_conflict_metric_t  ngx_http_conflict_route_metrics[] = {

    { "waits_total", "Writes that waited for another write",
      NGX_HTTP_CONFLICT_N_WAITED },

    { "unknown_outcomes_total", "Writes of unknown outcome",
      NGX_HTTP_CONFLICT_N_UNKNOWN },

    { "fetches_total", "GETs made by the module",
      NGX_HTTP_CONFLICT_N_FETCHES },

    { NULL, NULL, 0 }
};


void
ngx_http_conflict_status_prometheus(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n)
{
    uint64_t                          count;
    ngx_str_t                        *name;
    ngx_uint_t                        i, k;
    ngx_http_conflict_stats_t        *stats;
    ngx_http_conflict_route_stats_t  *route;

    stats = ngx_http_conflict_stats;

    ngx_http_conflict_status_prometheus_metric(out, "writes_total", "counter",
                                               "Guarded writes by outcome");

    for (i = 0; i < stats->n_routes; i++) {
        route = &stats->route[i];

        for (k = 0; k < NGX_HTTP_CONFLICT_OUTCOMES; k++) {
            name = ngx_http_conflict_status_outcome(k);

            ngx_http_conflict_status_prometheus_route(out, "writes_total",
                                                      route, "outcome", name,
                                                      route->total[k]);
        }
    }

    ngx_http_conflict_status_prometheus_metric(out, "conflicts_total",
                                    "counter",
                                    "Conflicts by action, as in the audit log");

    for (i = 0; i < stats->n_routes; i++) {
        route = &stats->route[i];

        for (k = 1; k <= NGX_HTTP_CONFLICT_ACTIONS; k++) {
            name = ngx_http_conflict_names_action(k);
            count = route->total[NGX_HTTP_CONFLICT_N_ACTION(k)];

            ngx_http_conflict_status_prometheus_route(out, "conflicts_total",
                                                      route, "action", name,
                                                      count);
        }
    }

    ngx_http_conflict_status_prometheus_gaps(out);
    ngx_http_conflict_status_prometheus_waits(out);

    ngx_http_conflict_status_prometheus_metric(out, "writes_in_flight", "gauge",
                                               "Writes of this host in flight");
    ngx_http_conflict_writer_print(out, "nginx_conflict_writes_in_flight %ui\n",
                                   ngx_http_conflict_stats_leases());

    ngx_http_conflict_status_prometheus_metric(out, "audit_errors_total",
                                    "counter",
                                    "Lines of the conflict log that were not "
                                    "written");
    ngx_http_conflict_writer_print(out,
                                   "nginx_conflict_audit_errors_total %uA\n",
                                   stats->audit_errors);

    ngx_http_conflict_status_prometheus_metric(out, "resolver_total", "counter",
                                    "Questions to a resolver by their result");

    for (i = 0; i < NGX_HTTP_CONFLICT_RESOLVER_RESULTS; i++) {
        ngx_http_conflict_writer_print(out, "nginx_conflict_resolver_total"
                                            "{result=\"%s\"} %uA\n",
                                       ngx_http_conflict_stats_results[i],
                                       stats->resolver[i]);
    }

    ngx_http_conflict_status_prometheus_stores(out, snapshot, n);
    ngx_http_conflict_status_prometheus_latency(out, snapshot, n);
}


static void
ngx_http_conflict_status_prometheus_metric(ngx_http_conflict_writer_t *out,
    const char *name, const char *type, const char *help)
{
    ngx_http_conflict_writer_print(out, "# HELP nginx_conflict_%s %s.\n"
                                        "# TYPE nginx_conflict_%s %s\n",
                                   name, help, name, type);
}


/*
 * With zeros: increase() does not see the first event of a series that begins
 * with it.
 */

static void
ngx_http_conflict_status_prometheus_route(
    ngx_http_conflict_writer_t *out, const char *name,
    ngx_http_conflict_route_stats_t *route, const char *label, ngx_str_t *value,
    uint64_t n)
{
    if (n == 0 && label && route->policy >= CONFLICT_POLICIES) {
        /* a lock endpoint */
        return;
    }

    ngx_http_conflict_writer_print(out, "nginx_conflict_%s{", name);
    ngx_http_conflict_status_prometheus_labels(out, route);

    if (label) {
        ngx_http_conflict_writer_print(out, ",%s=\"%V\"", label, value);
    }

    ngx_http_conflict_writer_print(out, "} %uL\n", n);
}


static void
ngx_http_conflict_status_prometheus_labels(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_route_stats_t *route)
{
    ngx_http_conflict_status_prometheus_label(out, "server", &route->server);
    ngx_http_conflict_writer_print(out, ",");
    ngx_http_conflict_status_prometheus_label(out, "location",
                                              &route->location);
    ngx_http_conflict_writer_print(out, ",");
    ngx_http_conflict_status_prometheus_label(out, "entity", &route->entity);
    ngx_http_conflict_writer_print(out, ",");
    ngx_http_conflict_status_prometheus_label(out, "store", &route->store);
}


/*
 * Valid UTF-8, with \ and " escaped; names have no line feeds.  "<" has no
 * escape, and with "!" it could begin a directive of SSI.
 */

static void
ngx_http_conflict_status_prometheus_label(
    ngx_http_conflict_writer_t *out, const char *label,
    ngx_http_conflict_stats_name_t *name)
{
    size_t                 n;
    u_char                *p, *last;
    conflict_text_tail_t   tail;

    ngx_http_conflict_writer_print(out, "%s=\"", label);

    last = name->data + name->len;

    for (p = name->data; p < last; p += ngx_max(n, 1)) {
        n = 1;

        if (*p == '"' || *p == '\\') {
            ngx_http_conflict_writer_bytes(out, (u_char *) "\\", 1);

        } else if (*p == '<' && p + 1 < last && p[1] == '!') {
            ngx_http_conflict_writer_bytes(out, (u_char *) "?", 1);
            continue;

        } else if (*p >= 0x80) {
            tail.left = 0;
            n = conflict_text_rune(p, last, &tail);

            if (n == 0 || tail.left) {
                ngx_http_conflict_writer_bytes(out, (u_char *) "?", 1);
                n = 0;
                continue;
            }
        }

        ngx_http_conflict_writer_bytes(out, p, n);
    }

    ngx_http_conflict_writer_print(out, "\"");
}


/* with zeros, so that an alert can detect the first increment */

static void
ngx_http_conflict_status_prometheus_gaps(ngx_http_conflict_writer_t *out)
{
    uint64_t                         *count;
    ngx_str_t                        *name;
    ngx_uint_t                        i, k;
    ngx_http_conflict_stats_t        *stats;
    ngx_http_conflict_route_stats_t  *route;

    stats = ngx_http_conflict_stats;

    ngx_http_conflict_status_prometheus_metric(out, "not_checked_total",
                                    "counter",
                                    "Requests that passed and may have "
                                    "overwritten a change unseen");

    for (i = 0; i < stats->n_routes; i++) {
        route = &stats->route[i];

        count = &route->total[NGX_HTTP_CONFLICT_N_WITHOUT_BASE];

        for (k = 0; k < NGX_HTTP_CONFLICT_GAPS; k++) {
            name = &ngx_http_conflict_status_gap_names[k];

            ngx_http_conflict_status_prometheus_route(out, "not_checked_total",
                                                      route, "reason", name,
                                                      count[k]);
        }
    }
}


static void
ngx_http_conflict_status_prometheus_waits(ngx_http_conflict_writer_t *out)
{
    uint64_t                           wait;
    ngx_uint_t                         i;
    ngx_http_conflict_stats_t         *stats;
    ngx_http_conflict_route_stats_t   *route;
    const ngx_http_conflict_metric_t  *metric;

    stats = ngx_http_conflict_stats;

    for (metric = ngx_http_conflict_route_metrics; metric->name; metric++) {
        ngx_http_conflict_status_prometheus_metric(out, metric->name, "counter",
                                                   metric->help);

        for (i = 0; i < stats->n_routes; i++) {
            route = &stats->route[i];

            ngx_http_conflict_status_prometheus_route(out, metric->name, route,
                                                  NULL, NULL,
                                                  route->total[metric->number]);
        }
    }

    ngx_http_conflict_status_prometheus_metric(out, "wait_seconds_total",
                                    "counter",
                                    "Time that writes waited for other writes");

    for (i = 0; i < stats->n_routes; i++) {
        route = &stats->route[i];
        wait = route->total[NGX_HTTP_CONFLICT_N_WAIT];

        ngx_http_conflict_writer_print(out,
                                       "nginx_conflict_wait_seconds_total{");
        ngx_http_conflict_status_prometheus_labels(out, route);
        ngx_http_conflict_writer_print(out, "} %uL.%03uL\n", wait / 1000,
                                       wait % 1000);
    }
}


static void
ngx_http_conflict_status_prometheus_stores(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n)
{
    int64_t                                   value;
    ngx_uint_t                                i, k;
    const char                               *name;
    ngx_http_conflict_store_stats_t          *stats;
    const ngx_http_conflict_status_number_t  *number;

    static const char  *reasons[] = { "get", "full", "generation", "down" };

    ngx_http_conflict_status_prometheus_metric(out, "store_up", "gauge",
                                               "Whether the store answers");

    for (i = 0; i < n; i++) {
        ngx_http_conflict_writer_print(out,
                                  "nginx_conflict_store_up{store=\"%V\"} %d\n",
                                  &snapshot[i]->store->name,
                                  snapshot[i]->why == NULL);
    }

    for (number = ngx_http_conflict_status_numbers; number->name; number++) {
        name = number->metric;

        ngx_http_conflict_status_prometheus_metric(out, name,
                                       ngx_strstr(name, "_total") ? "counter"
                                                                  : "gauge",
                                       number->help);

        for (i = 0; i < n; i++) {
            value = ngx_http_conflict_status_totals_store(snapshot[i], number);

            if (value < 0) {
                continue;
            }

            ngx_http_conflict_writer_print(out,
                                     "nginx_conflict_%s{store=\"%V\"} %L\n",
                                     name, &snapshot[i]->store->name, value);
        }
    }

    ngx_http_conflict_status_prometheus_metric(out, "store_errors_total",
                                    "counter",
                                    "Requests without an answer of the store, "
                                    "or without a version by a GET");

    for (i = 0; i < n; i++) {
        stats = snapshot[i]->store->stats;

        for (k = 0; stats && k <= NGX_HTTP_CONFLICT_STORE_DOWN; k++) {
            ngx_http_conflict_writer_print(out,
                "nginx_conflict_store_errors_total{store=\"%V\",reason=\"%s\"}"
                " %uA\n",
                &snapshot[i]->store->name, reasons[k], stats->errors[k]);
        }
    }
}


/* of remote stores */

static void
ngx_http_conflict_status_prometheus_latency(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n)
{
    ngx_str_t                        *name;
    ngx_uint_t                        i, k, sum;
    ngx_http_conflict_store_stats_t  *stats;

    ngx_http_conflict_status_prometheus_metric(out, "store_round_trip_seconds",
                                               "histogram",
                                               "Response time of the store");

    for (i = 0; i < n; i++) {
        stats = snapshot[i]->store->stats;
        name = &snapshot[i]->store->name;

        if (stats == NULL
            || snapshot[i]->store->ops == &ngx_http_conflict_shm_ops)
        {
            continue;
        }

        sum = 0;

        for (k = 0; k < NGX_HTTP_CONFLICT_LATENCY_BUCKETS - 1; k++) {
            sum += stats->latency[k];

            ngx_http_conflict_writer_print(out,
                "nginx_conflict_store_round_trip_seconds_bucket{store=\"%V\","
                "le=\"0.%06uD\"} %ui\n",
                name, ngx_http_conflict_latency_bounds[k], sum);
        }

        sum += stats->latency[k];

        ngx_http_conflict_writer_print(out,
            "nginx_conflict_store_round_trip_seconds_bucket{store=\"%V\","
            "le=\"+Inf\"} %ui\n"
            "nginx_conflict_store_round_trip_seconds_sum{store=\"%V\"} "
            "%uA.%06uA\n"
            "nginx_conflict_store_round_trip_seconds_count{store=\"%V\"} "
            "%ui\n",
            name, sum, name, stats->latency_sum / 1000000,
            stats->latency_sum % 1000000, name, sum);
    }
}
