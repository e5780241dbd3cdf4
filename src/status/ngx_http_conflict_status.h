
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What is counted of requests, and the location that shows it.
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


/* The request is over: nothing is, where no location shows counts. */
void ngx_http_conflict_request_stats(ngx_http_conflict_ctx_t *ctx);

/* The same for what is found out later; NULL: it is not to be counted. */
ngx_http_conflict_route_stats_t *ngx_http_conflict_request_stats_route(
    ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_request_stats_later(ngx_http_conflict_store_t *store,
    ngx_http_conflict_route_stats_t  *tally, ngx_http_conflict_action_e action);


char *ngx_http_conflict_status_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* status.c: how it is called; 0: it has none, the request failed */
ngx_str_t *ngx_http_conflict_status_outcome(ngx_uint_t outcome);

/* status.c: why a write passed without a check, in the order of counters */
extern ngx_str_t  ngx_http_conflict_gap_names[];


/* status_advice.c: null for a lock endpoint */
json_t *ngx_http_conflict_status_advice(ngx_http_conflict_route_stats_t *tally);


/*
 * "snapshot" are those of all stores.
 */
void ngx_http_conflict_status_json(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n);


void ngx_http_conflict_status_page(ngx_http_conflict_writer_t *out,
    ngx_str_t *nonce);


void ngx_http_conflict_status_prometheus(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n);


#endif /* _NGX_HTTP_CONFLICT_STATUS_H_INCLUDED_ */
