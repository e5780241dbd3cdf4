
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The latest representation, by the module's own GET.
 */


#ifndef _NGX_HTTP_CONFLICT_LATEST_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_LATEST_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/*
 * The body of the GET as its caller would see it.  NGX_DECLINED: that is not
 * known, and nothing of it may be shown.
 */
ngx_int_t ngx_http_conflict_capture_shown(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text);

/* Is it the body that the upstream has sent. */
ngx_uint_t ngx_http_conflict_capture_unfiltered(ngx_http_conflict_ctx_t *ctx);

/*
 * Sends an answer of the module: its header past all filters, its body past
 * those that change bodies.
 */
ngx_int_t ngx_http_conflict_capture_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out);

/* The buffer may be used again by its owner. */
void ngx_http_conflict_capture_used(ngx_buf_t *b);


/*
 * Fills op->in.observed from what the GET has shown.  NGX_DECLINED: it does not
 * carry the version that the upstream should own.
 */
ngx_int_t ngx_http_conflict_latest_document_observe(
    ngx_http_conflict_ctx_t *ctx);

/* The upstream's version in it, as a base in a body has it. */
ngx_int_t ngx_http_conflict_latest_document_version(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *version);

/* The row within a JSON body ("root"), or all of it. */
void ngx_http_conflict_latest_document_row(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *row);
void ngx_http_conflict_latest_document_root(ngx_http_conflict_loc_conf_t *nlcf,
    ngx_str_t *body);

/* Has the row what a write wanted, whose text need not be JSON. */
ngx_uint_t ngx_http_conflict_latest_document_reflects(
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *row, ngx_str_t *text,
    conflict_form_e form, conflict_reflects_e how);


/*
 * Starts the GET; "done" is called at its end, with ctx, as the handler of a
 * subrequest.
 */
ngx_int_t ngx_http_conflict_latest_get_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_post_subrequest_pt done);

/* The method of the request is its own again. */
void ngx_http_conflict_latest_get_restore(ngx_http_conflict_ctx_t *ctx);

/*
 * In PRECONTENT of the GET: nginx runs no access handlers for subrequests,
 * this does, so that nobody sees a body that a GET would not show.
 */
ngx_int_t ngx_http_conflict_latest_get_access(ngx_http_request_t *r);


/*
 * Starts the GET, unless it was.  NGX_AGAIN: it still runs, the phases go on
 * at its end.
 */
ngx_int_t ngx_http_conflict_latest_response(ngx_http_conflict_ctx_t *ctx);

/* The status of a GET: there is nothing. */
ngx_uint_t ngx_http_conflict_latest_response_gone(ngx_uint_t status);

ngx_int_t ngx_http_conflict_latest_response_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Keeps the body; *out is what the location's filters are to have of it, NULL
 * where there is nothing.
 */
ngx_int_t ngx_http_conflict_latest_response_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out);

/* Makes room for "more" bytes after the first "len". */
ngx_int_t ngx_http_conflict_latest_response_grow(ngx_pool_t *pool,
    u_char **data, size_t len, size_t *size, size_t more);


#endif /* _NGX_HTTP_CONFLICT_LATEST_H_INCLUDED_ */
