
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The audit log: its lines, and where they go.
 */


#ifndef _NGX_HTTP_CONFLICT_AUDIT_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_AUDIT_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"
#include "http/ngx_http_conflict_json.h"


#define NGX_HTTP_CONFLICT_LONGEST_TEXT  1024


typedef enum {
    NGX_HTTP_CONFLICT_AUDIT_ID = 0,
    NGX_HTTP_CONFLICT_AUDIT_ENTITY,
    NGX_HTTP_CONFLICT_AUDIT_ENTITY_ID,
    NGX_HTTP_CONFLICT_AUDIT_USER,
    NGX_HTTP_CONFLICT_AUDIT_CLIENT,
    NGX_HTTP_CONFLICT_AUDIT_METHOD,
    NGX_HTTP_CONFLICT_AUDIT_BASE,
    NGX_HTTP_CONFLICT_AUDIT_FIELDS,
    NGX_HTTP_CONFLICT_AUDIT_ADDRESS,
    NGX_HTTP_CONFLICT_AUDIT_SERVER,
    NGX_HTTP_CONFLICT_AUDIT_KEY,
    NGX_HTTP_CONFLICT_AUDIT_TEXTS
} ngx_http_conflict_audit_text_e;


/* what a line says; texts are where the request has them */

typedef struct {
    ngx_http_conflict_log_t       *log;
    ngx_http_conflict_action_e     action;
    ngx_str_t                     *policy;     /* its name */
    ngx_uint_t                     status;
    int64_t                        time;
    int64_t                        client_time;
    uint64_t                       against;
    int64_t                        against_time;
    ngx_str_t                      text[NGX_HTTP_CONFLICT_AUDIT_TEXTS];
    unsigned                       report:1;
} ngx_http_conflict_audit_t;


/*
 * Writes the line of a conflict, once a request.
 */
void ngx_http_conflict_audit(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status);
ngx_int_t ngx_http_conflict_audit_id(ngx_http_conflict_ctx_t *ctx);

/* The module's own GET has found a change that did not pass through it. */
void ngx_http_conflict_audit_found(ngx_http_conflict_ctx_t *ctx);

/* op->done of an observe: writes the line that was prepared, if it is so. */
void ngx_http_conflict_audit_external(ngx_http_conflict_op_t *op);

/*
 * A write that the upstream has done was settled: another line where the store
 * says, now or by op->lost_handler, that one was let in over it.
 */
void ngx_http_conflict_audit_overlapped(ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_audit_told(ngx_http_conflict_op_t *op);


/* All that a line says of a request now. */
void ngx_http_conflict_audit_line_take(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status,
    ngx_http_conflict_audit_t *audit);

/*
 * The line with its end, in the pool; at most "longest" bytes of each text.
 */
ngx_int_t ngx_http_conflict_audit_line(ngx_http_conflict_audit_t *audit,
    size_t longest, ngx_pool_t *pool, ngx_str_t *line);


#endif /* _NGX_HTTP_CONFLICT_AUDIT_H_INCLUDED_ */
