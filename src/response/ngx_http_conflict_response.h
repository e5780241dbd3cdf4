
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The body of a tracked response on its way to the client.
 */


#ifndef _NGX_HTTP_CONFLICT_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_RESPONSE_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/* Fills op->in.observed from the header of a response. */
void ngx_http_conflict_body_scan_seen(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Looks into the body of a tracked response, if anything is wanted of it:
 * then ctx->response is set.
 */
ngx_int_t ngx_http_conflict_body_scan_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Reads what is about to be sent; *out is what shall be sent instead.
 */
ngx_int_t ngx_http_conflict_body_scan_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out);

/* The response is whole, or there is nothing to read in it. */
void ngx_http_conflict_body_scan_end(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * Makes ctx->response, and a scanner for a pointer, where there is none; is
 * the response one that a scanner can read.
 */
ngx_int_t ngx_http_conflict_body_scanner_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_body_scanner_scan(ngx_http_request_t *r,
    conflict_scan_t  **json, ngx_http_conflict_source_t *source);
ngx_uint_t ngx_http_conflict_body_scanner_json(ngx_http_request_t *r);


/*
 * Puts the version into the body; called before the header is sent, and for
 * a write after it was settled.
 */
void ngx_http_conflict_version_inject_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The buffer at "cl" begins at "pos" of the body and was scanned.  Where the
 * member's value lies in it, or the end of the object that has none, a
 * changed copy takes its place.
 */
ngx_int_t ngx_http_conflict_version_inject(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *cl, uint64_t pos);

/*
 * The same with a text that is there as a whole; it is replaced by a copy,
 * or stays where it has no place for the member.
 */
ngx_int_t ngx_http_conflict_version_inject_text(ngx_http_request_t *r,
    conflict_pointer_t  *pointer, uint64_t version, ngx_str_t *text);


#endif /* _NGX_HTTP_CONFLICT_RESPONSE_H_INCLUDED_ */
