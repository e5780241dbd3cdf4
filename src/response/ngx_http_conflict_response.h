
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Reads the body of a response while it is sent, and injects versions.
 */


#ifndef _NGX_HTTP_CONFLICT_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_RESPONSE_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/* Sets op->in.observed from the header of a response. */
void ngx_http_conflict_body_scan_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Creates ctx->response if the body of the response has to be read or changed.
 */
ngx_int_t ngx_http_conflict_body_scan_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Body filter: reads a chain; *out is the chain to be sent, "in" itself or a
 * changed copy.
 */
ngx_int_t ngx_http_conflict_body_scan_filter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out);

/*
 * The body is complete, or need not be read: settles the write, or reports the
 * read to the store and the history.
 */
void ngx_http_conflict_body_scan_end(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/* Whether the body of a response is JSON without a content encoding. */
ngx_uint_t ngx_http_conflict_body_scanner_json(ngx_http_request_t *r);

/* Creates ctx->response, unless there is one. */
ngx_int_t ngx_http_conflict_body_scanner_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Creates a scanner for the pointer of a source. */
ngx_int_t ngx_http_conflict_body_scanner_scan(ngx_http_request_t *r,
    conflict_scan_t **json, ngx_http_conflict_source_t *source);


/*
 * Prepares the header, and the scanner, to inject the version; called before
 * the header is sent, for a write after it was settled.
 */
void ngx_http_conflict_version_inject_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Replaces the buffer of "cl", which is at "pos" in the body and was scanned,
 * by a changed copy if it has the value of the member, or the end of the
 * object without the member.
 */
ngx_int_t ngx_http_conflict_version_inject(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *cl, uint64_t pos);

/*
 * The same for a complete text, which becomes a changed copy; it stays if it
 * has no place for the member.
 */
ngx_int_t ngx_http_conflict_version_inject_text(ngx_http_request_t *r,
    conflict_pointer_t *pointer, uint64_t version, ngx_str_t *text);


#endif /* _NGX_HTTP_CONFLICT_RESPONSE_H_INCLUDED_ */
