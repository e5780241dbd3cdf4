
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The latest representation, fetched by the own GET.
 */


#ifndef _NGX_HTTP_CONFLICT_LATEST_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_LATEST_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/*
 * The body of the own GET as the client would see it.  NGX_DECLINED: unknown,
 * nothing of it may be shown.
 */
ngx_int_t ngx_http_conflict_capture_shown(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text);

/* Whether that is the body sent by the upstream, byte for byte. */
ngx_uint_t ngx_http_conflict_capture_unfiltered(ngx_http_conflict_ctx_t *ctx);

/*
 * Whether no filter has seen it, so that earlier bodies, which the history has
 * as the upstream has sent them, may be shown as well.
 */
ngx_uint_t ngx_http_conflict_capture_no_filter(ngx_http_conflict_ctx_t *ctx);

/*
 * Sends a response of the module; filters can change neither its length nor
 * its body.  NULL: no body.
 */
ngx_int_t ngx_http_conflict_capture_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out);

/* Sends more of such a response; NULL: of what could not be sent before. */
ngx_int_t ngx_http_conflict_capture_stream(ngx_http_request_t *r,
    ngx_chain_t *out);

/* Marks a buffer as consumed, so that its owner may reuse it. */
void ngx_http_conflict_capture_used(ngx_buf_t *b);


/*
 * Sets op->in.observed from the response to the own GET.  NGX_DECLINED: it has
 * no version, though the upstream owns versions.
 */
ngx_int_t ngx_http_conflict_latest_document_observe(
    ngx_http_conflict_ctx_t *ctx);

/* The owned version in it, copied, in the form of a base in a body. */
ngx_int_t ngx_http_conflict_latest_document_version(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *version);

/* The document: the part at "root=" of conflict_latest, or the whole body. */
void ngx_http_conflict_latest_document_get(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *document);

/* Reduces a JSON body to its document, in place. */
void ngx_http_conflict_latest_document_root(ngx_http_conflict_loc_conf_t *nlcf,
    ngx_str_t *body);

/*
 * Whether the document already contains the changes of a write; "text" is the
 * body of the write, and need not be JSON.
 */
ngx_uint_t ngx_http_conflict_latest_document_reflects(
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *document, ngx_str_t *text,
    conflict_form_e form, conflict_reflects_e how);


/*
 * Starts the own GET as a subrequest; until it is done, the main request has
 * the method GET.  done() runs at its end with "ctx" as its data, perhaps more
 * than once.
 */
ngx_int_t ngx_http_conflict_latest_get_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_post_subrequest_pt done);

/* The target ctx->get in the spelling in which a client sends it. */
ngx_int_t ngx_http_conflict_latest_get_raw(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *target);

/* Restores the method of the main request. */
void ngx_http_conflict_latest_get_restore(ngx_http_conflict_ctx_t *ctx);

/*
 * Handler in the PRECONTENT phase.  nginx skips access handlers for
 * subrequests; this runs them for the own GET, which must show nothing that a
 * GET of the client would not.
 */
ngx_int_t ngx_http_conflict_latest_get_access(ngx_http_request_t *r);

/* Has the own GET miss what memcached has, if a miss leads it on. */
void ngx_http_conflict_latest_memcached(ngx_http_request_t *r,
    ngx_http_conflict_latest_t *latest);


/*
 * Starts the own GET, unless it was started.  1: it is done; 0: the state has
 * to return *next: "again", as the end of the GET resumes the phases of the
 * main request, or "error".
 */
ngx_uint_t ngx_http_conflict_latest_response(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e *next);

/* Whether the status of a GET says that the resource does not exist. */
ngx_uint_t ngx_http_conflict_latest_response_gone(ngx_uint_t status);

/* Whether it says that the client may not see the resource. */
ngx_uint_t ngx_http_conflict_latest_response_denied(ngx_uint_t status);

/*
 * Header filter of the own GET.  NGX_ERROR also if the body is too large to be
 * read.
 */
ngx_int_t ngx_http_conflict_latest_response_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Body filter of the own GET: saves the body; *out is the chain for the
 * location's filters, or NULL.
 */
ngx_int_t ngx_http_conflict_latest_response_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out);

/* Makes room for "more" bytes behind a text in a buffer of *size bytes. */
ngx_int_t ngx_http_conflict_latest_response_grow(ngx_pool_t *pool,
    ngx_str_t *text, size_t *size, size_t more);

/* Appends what is in "b", in memory or in a file, to such a text. */
ngx_int_t ngx_http_conflict_latest_response_append(ngx_pool_t *pool,
    ngx_str_t *text, size_t *size, ngx_buf_t *b);


#endif /* _NGX_HTTP_CONFLICT_LATEST_H_INCLUDED_ */
