
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The audit log: its lines and their destinations.
 */


#ifndef _NGX_HTTP_CONFLICT_AUDIT_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_AUDIT_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


#define NGX_HTTP_CONFLICT_LONGEST_TEXT  1024      /* bytes */


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


/* the content of a line */

typedef struct {
    ngx_http_conflict_log_t       *log;
    ngx_http_conflict_action_e     action;
    ngx_str_t                     *policy;    /* name */
    ngx_uint_t                     status;
    int64_t                        time;      /* all times: microseconds */
    int64_t                        client_time;
    uint64_t                       compared;  /* version, with the base */
    int64_t                        compared_time;
    ngx_str_t                      text[NGX_HTTP_CONFLICT_AUDIT_TEXTS];
    unsigned                       report:1;
} ngx_http_conflict_audit_t;


/*
 * Writes the audit line of ctx->flow.action, at most once per request.  For
 * an external change it only prepares op->data for _audit_external().
 */
void ngx_http_conflict_audit(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status);

/* Sets ctx->version.conflict_id, unless it is set. */
ngx_int_t ngx_http_conflict_audit_id(ngx_http_conflict_ctx_t *ctx);

/* The own GET shows a change that bypassed the module. */
void ngx_http_conflict_audit_own_get(ngx_http_conflict_ctx_t *ctx);

/*
 * op->done of an observe: writes the prepared line if the store confirms the
 * change.  The request may be gone; op->data stays.
 */
void ngx_http_conflict_audit_external(ngx_http_conflict_op_t *op);

/*
 * Called after a commit: writes another line if a second write acquired the
 * lease meanwhile.  A remote store reports that later, by op->lost_handler.
 */
void ngx_http_conflict_audit_overlapped(ngx_http_conflict_ctx_t *ctx);


/* Collects the content of a line; its texts belong to the request. */
void ngx_http_conflict_audit_line_take(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status,
    ngx_http_conflict_audit_t *audit);

/*
 * Builds the line, with its line feed, in the pool; each text is truncated to
 * "longest" bytes.
 */
ngx_int_t ngx_http_conflict_audit_line(ngx_http_conflict_audit_t *audit,
    size_t longest, ngx_pool_t *pool, ngx_str_t *line);


#endif /* _NGX_HTTP_CONFLICT_AUDIT_H_INCLUDED_ */
