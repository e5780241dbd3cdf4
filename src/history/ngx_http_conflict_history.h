
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The history: bodies shown to clients or sent by them, as bases of merges.
 */


#ifndef _NGX_HTTP_CONFLICT_HISTORY_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_HISTORY_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/* Sets the limits of the history in op->in, before the first store call. */
void ngx_http_conflict_body_history_configure(ngx_http_conflict_ctx_t *ctx);

/* An observation has found a change that bypassed the module: notes it. */
void ngx_http_conflict_body_history_external(ngx_http_conflict_op_t *op);

/* Saves the body that is about to be sent to the upstream. */
ngx_int_t ngx_http_conflict_body_history_save_sent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Stores the record of a write, "certain" if it has passed, else it may have.
 * Called before the write is settled, so that a worker killed in between
 * leaves no version without the write that has made it.
 */
void ngx_http_conflict_body_history_written(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t certain);

/*
 * Stores the document as edited by the client of a link, which is the base of
 * the next link.  An empty record says that it is unknown.
 */
void ngx_http_conflict_body_history_link(ngx_http_conflict_ctx_t *ctx);

/*
 * Stores the body that a response of the module shows as the version
 * ctx->version.current; an empty body is unknown.
 */
void ngx_http_conflict_body_history_answered(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body);

/*
 * Whether to store the body of a response of the upstream; then _feed() takes
 * its pieces, and _store_shown() stores it.
 */
ngx_uint_t ngx_http_conflict_body_history_wanted(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_body_history_feed(ngx_http_conflict_ctx_t *ctx,
    u_char *data, size_t len);
void ngx_http_conflict_body_history_store_shown(ngx_http_conflict_ctx_t *ctx);

/*
 * Whether the history has to know what a read shows, as a write may have
 * landed after its version was read.  Then _hash() takes the pieces of the
 * body after _hash_start(), and _observe_end() reports it; or _observe_cut()
 * that the response was cut off.
 */
ngx_uint_t ngx_http_conflict_body_history_observes(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_body_history_hash_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_body_history_hash(ngx_http_conflict_ctx_t *ctx,
    u_char *data, size_t len);
void ngx_http_conflict_body_history_observe_end(ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_body_history_observe_cut(ngx_http_conflict_ctx_t *ctx);


/* Encodes a part for the history, with its form and its base version. */
ngx_int_t ngx_http_conflict_partial_body_encode(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body, conflict_form_e form);

/*
 * Takes a body of the base that the history has found.  NGX_OK: merge.base is
 * what is known of it; NGX_AGAIN: look up op->in.pre.base, on which the part
 * was made.
 */
ngx_int_t ngx_http_conflict_partial_body_recalled(ngx_http_conflict_ctx_t *ctx);

/*
 * Replaces the part of a link by the document that it makes of its base, or by
 * the encoded part.  NGX_DECLINED: the base is unknown.
 */
ngx_int_t ngx_http_conflict_partial_body_link(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body);

/* Applies a part or a patch to a document; returns 0, or -1. */
int ngx_http_conflict_partial_body_apply(ngx_http_conflict_ctx_t *ctx,
    conflict_document_t *doc, conflict_document_t *part,
    conflict_buffer_t *out);

/* Decodes the body of this write in the history. */
void ngx_http_conflict_partial_body_made(ngx_http_conflict_ctx_t *ctx,
    conflict_document_t *doc);


#endif /* _NGX_HTTP_CONFLICT_HISTORY_H_INCLUDED_ */
