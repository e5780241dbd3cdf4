
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Counts requests, and shows the counters: conflict_status.
 */


#ifndef _NGX_HTTP_CONFLICT_STATUS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_STATUS_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"
#include "http/ngx_http_conflict_json.h"


typedef enum {
    NGX_HTTP_CONFLICT_STATUS_OFF = 0,
    NGX_HTTP_CONFLICT_STATUS_HTML,
    NGX_HTTP_CONFLICT_STATUS_JSON,
    NGX_HTTP_CONFLICT_STATUS_PROMETHEUS
} ngx_http_conflict_status_e;


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


/* Names of the counters of unchecked writes, in the order of the counters. */
extern ngx_str_t  ngx_http_conflict_status_gap_names[];

char *ngx_http_conflict_status_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Name of an outcome; outcome 0 (failed request) is "error". */
ngx_str_t *ngx_http_conflict_status_outcome(ngx_uint_t outcome);


/* The advice for a route; JSON null for a lock endpoint. */
json_t *ngx_http_conflict_status_advice(ngx_http_conflict_route_stats_t *stats);


/* Appends the status as JSON; "snapshot" has n complete ones, of all stores. */
void ngx_http_conflict_status_json(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n);


/* Appends the page; "nonce" is for its style and its script. */
void ngx_http_conflict_status_page(ngx_http_conflict_writer_t *out,
    ngx_str_t *nonce);


/* Appends the metrics; "snapshot" as for the JSON. */
void ngx_http_conflict_status_prometheus(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n);


#endif /* _NGX_HTTP_CONFLICT_STATUS_H_INCLUDED_ */
