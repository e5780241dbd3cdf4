
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What the endpoints of a resource have in common: its own GET, what that
 * allows, and the responses that do not depend on the endpoint.
 */


#ifndef _NGX_HTTP_CONFLICT_ENDPOINT_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_ENDPOINT_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"
#include "http/ngx_http_conflict_writer.h"


/* Creates ctx->op for the resource, and determines the caller. */
ngx_int_t ngx_http_conflict_endpoint_start(ngx_http_conflict_ctx_t *ctx);

/*
 * Sets the target of the own GET: that of "get=", or the resource.
 * NGX_DECLINED: it is not a path.
 */
ngx_int_t ngx_http_conflict_endpoint_target(ngx_http_conflict_ctx_t *ctx);

/*
 * Makes the own GET, and sets ctx->caller.may_see by it.  0: the state has to
 * return *next: "again" or "error"; or "respond", after a preflight, or if the
 * caller gets nothing: ctx->flow.answer is "relay" if the API has refused it.
 */
ngx_uint_t ngx_http_conflict_endpoint_get(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e *next);

/* Calls the store.  0: as above; the answer says that the call has failed. */
ngx_uint_t ngx_http_conflict_endpoint_call(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call, ngx_http_conflict_state_e *next);

/* An answer of its own; "reason" may be NULL.  Returns "respond". */
ngx_http_conflict_state_e ngx_http_conflict_endpoint_error(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    const char *reason);

/*
 * The part of the content handler "content" that does not depend on the
 * endpoint.  NGX_DECLINED: the endpoint makes the response, in "out", which is
 * initialized if it is not NULL; else the result of the handler.
 */
ngx_int_t ngx_http_conflict_endpoint_respond(ngx_http_request_t *r,
    ngx_http_handler_pt content, ngx_http_conflict_writer_t *out);

/*
 * Sends what was written, as JSON unless the media type is set; nothing: 204.
 * Returns the result of the content handler.
 */
ngx_int_t ngx_http_conflict_endpoint_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_writer_t *out);


#endif /* _NGX_HTTP_CONFLICT_ENDPOINT_H_INCLUDED_ */
