
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

/* Who asks: of a write, or at the endpoint. */
void ngx_http_conflict_lock_caller(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * In PRECONTENT of the endpoint, again and again.  NGX_AGAIN: a store or an
 * upstream is busy; NGX_OK: on to the content phase; else a status.
 */
ngx_int_t ngx_http_conflict_lock(ngx_http_request_t *r,
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
