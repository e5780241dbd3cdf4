
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Counts requests, and shows the counters: conflict_status.
 */


#ifndef _NGX_HTTP_CONFLICT_STATUS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_STATUS_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"
#include "http/ngx_http_conflict_json.h"
#include "http/ngx_http_conflict_writer.h"
#include "store/ngx_http_conflict_snapshot.h"


#define NGX_HTTP_CONFLICT_VERSION       "0.1.0"

#define NGX_HTTP_CONFLICT_STATUS_LINES  100       /* unless asked otherwise */


typedef enum {
    NGX_HTTP_CONFLICT_STATUS_OFF = 0,
    NGX_HTTP_CONFLICT_STATUS_HTML,
    NGX_HTTP_CONFLICT_STATUS_JSON,
    NGX_HTTP_CONFLICT_STATUS_PROMETHEUS
} ngx_http_conflict_status_e;


/* what a request asks for; texts with a zero behind them */

typedef struct {
    ngx_uint_t                     form;      /* ngx_http_conflict_status_e */
    ngx_uint_t                     limit;     /* lines of the audit log */
    ngx_uint_t                     action;    /* 0: any */
    int64_t                        since;     /* microseconds, or
                                                 CONFLICT_TIME_NONE */
    ngx_str_t                      ago;       /* the same, as it was given */
    ngx_str_t                      entity;    /* empty: any */
    ngx_str_t                      id;        /* empty: any */
    ngx_str_t                      inbox;     /* path of that of the page */
    const char                    *wrong;     /* name of a bad parameter */
    const char                    *must;      /* what it must be */
    ngx_str_t                      value;     /* what it is */
    unsigned                       badge:1;   /* no routes, no lines */
} ngx_http_conflict_status_query_t;


typedef struct {
    ngx_uint_t                     routes;
    uint64_t                       n[NGX_HTTP_CONFLICT_COUNTS];
    uint64_t                       writes;
    uint64_t                       conflicts;
    uint64_t                       not_checked;
    int64_t                        since;     /* what they cover */
    unsigned                       complete:1;    /* all stores answer, and
                                                     take counts */
} ngx_http_conflict_status_totals_t;


/* a number of a store: in the JSON, and as a metric of Prometheus */

typedef struct {
    const char                    *name;
    const char                    *metric;
    const char                    *help;
    size_t                         offset;
    ngx_uint_t                     counted;   /* by this host, in its stats */
} ngx_http_conflict_status_number_t;


/* Counts a finished request; no-op unless conflict_status is configured. */
void ngx_http_conflict_request_stats(ngx_http_conflict_ctx_t *ctx);

/*
 * The counters of the route of a request; valid for the life of the worker.
 * NULL: nothing is counted.
 */
ngx_http_conflict_route_stats_t *ngx_http_conflict_request_stats_route(
    ngx_http_conflict_ctx_t *ctx);

/* Counts an action that is found after the request; no-op for route NULL. */
void ngx_http_conflict_request_stats_later(ngx_http_conflict_store_t *store,
    ngx_http_conflict_route_stats_t *route, ngx_http_conflict_action_e action);


/* Names of the forms, up to an empty one. */
extern ngx_str_t  ngx_http_conflict_status_forms[];

/* Names of the counters of unchecked writes, in the order of the counters. */
extern ngx_str_t  ngx_http_conflict_status_gap_names[];

char *ngx_http_conflict_status_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_conflict_status_inbox(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Name of an outcome; outcome 0 (failed request) is "error". */
ngx_str_t *ngx_http_conflict_status_outcome(ngx_uint_t outcome);


/*
 * Parses the parameters for a location with the form "own".  NGX_ABORT: one is
 * bad, query->wrong; NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_conflict_status_query(ngx_http_request_t *r,
    ngx_http_conflict_status_query_t *query, ngx_uint_t own);

/* Whether a route is asked for. */
ngx_uint_t ngx_http_conflict_status_query_route(
    ngx_http_conflict_status_query_t *query,
    ngx_http_conflict_route_stats_t *route);


/* See ngx_http_conflict_stats_uncounted(). */
uint64_t ngx_http_conflict_status_totals_uncounted(
    ngx_http_conflict_store_t *store);

/* Sums up the routes that are asked for. */
void ngx_http_conflict_status_totals(ngx_http_conflict_status_totals_t *totals,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query);

/* The numbers of stores, up to one without a name; -1: it is unknown. */
extern const ngx_http_conflict_status_number_t
    ngx_http_conflict_status_numbers[];

int64_t ngx_http_conflict_status_totals_store(
    ngx_http_conflict_snapshot_t *snapshot,
    const ngx_http_conflict_status_number_t *number);


/* Appends the lines of the audit log that are asked for, latest first. */
void ngx_http_conflict_status_lines(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query);


/* conflict_status_frames */
char *ngx_http_conflict_status_badge_frames(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Appends the widget; "nonce" is for its style. */
void ngx_http_conflict_status_badge(ngx_http_conflict_writer_t *out,
    ngx_str_t *nonce, ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query);


/* The advice for a route; JSON null for a lock endpoint. */
json_t *ngx_http_conflict_status_advice(ngx_http_conflict_route_stats_t *stats);


/* Appends the status as JSON; "snapshot" has n complete ones, of all stores. */
void ngx_http_conflict_status_json(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query);


/* Appends the page; "nonce" is for its style and its script. */
void ngx_http_conflict_status_page(ngx_http_conflict_writer_t *out,
    ngx_str_t *nonce);

/* Appends the widget, around its content. */
void ngx_http_conflict_status_page_badge(ngx_http_conflict_writer_t *out,
    ngx_str_t *nonce, ngx_str_t *body);


/* Appends the metrics; "snapshot" as for the JSON. */
void ngx_http_conflict_status_prometheus(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n);


#endif /* _NGX_HTTP_CONFLICT_STATUS_H_INCLUDED_ */
