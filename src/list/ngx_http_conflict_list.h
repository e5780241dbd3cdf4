
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Versions for the items of a list: a mark before the list is requested, and
 * after that the versions of those items that have not changed since.
 */


#ifndef _NGX_HTTP_CONFLICT_LIST_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_LIST_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/* States of a read. */
ngx_http_conflict_state_e ngx_http_conflict_list_mark(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_list_marked(
    ngx_http_conflict_ctx_t *ctx);

/*
 * From the header of a response, before its validators are set: whether its
 * body is to be held, as it may be a list.
 */
void ngx_http_conflict_list_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Body filter of a response that is held.  NGX_DECLINED: *out, which may be
 * "in" itself, is to be sent; NGX_OK and NGX_AGAIN: nothing is, for now.
 */
ngx_int_t ngx_http_conflict_list_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out);

/* The request has ended. */
void ngx_http_conflict_list_end(ngx_http_conflict_ctx_t *ctx);


/*
 * The text of the held response is complete: finds its items, and asks the
 * store for their versions, if it has any.  NGX_AGAIN: the store answers later,
 * and the body filter will be called without a chain.
 */
ngx_int_t ngx_http_conflict_list_items(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Logs, throttled, why the items of a response get no versions. */
void ngx_http_conflict_list_passed(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, const char *why);


#endif /* _NGX_HTTP_CONFLICT_LIST_H_INCLUDED_ */
