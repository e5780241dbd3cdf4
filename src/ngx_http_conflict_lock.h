
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The functions of locks, listed by the file that has them: the endpoint
 * where they are acquired, and what a refusal says of one.
 */


#ifndef _NGX_HTTP_CONFLICT_LOCK_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_LOCK_H_INCLUDED_


#include "ngx_http_conflict_module.h"
#include "ngx_http_conflict_json.h"


#define NGX_HTTP_CONFLICT_LOCK_METHODS  "GET, HEAD, POST, DELETE, OPTIONS"


/* lock.c */

/* The states of the endpoint. */
ngx_http_conflict_state_e ngx_http_conflict_lock_start(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_lock_resource(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_lock_fetch(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_lock_fetched(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_lock_peek(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_lock_peeked(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_lock_call(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_lock_called(
    ngx_http_conflict_ctx_t *ctx);

/* lock_answer.c */

/* The content handler of the endpoint. */
ngx_int_t ngx_http_conflict_lock_answer(ngx_http_request_t *r);

/* lock_json.c */

/* The lock that was found; "token" is NULL where it is not to be shown. */
json_t *ngx_http_conflict_lock_json(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *user, ngx_str_t *client, u_char *token);

/* A name, null where there is none. */
json_t *ngx_http_conflict_lock_json_name(ngx_str_t *text);


#endif /* _NGX_HTTP_CONFLICT_LOCK_H_INCLUDED_ */
