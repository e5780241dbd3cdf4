
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Responses that the module makes: refusals, and the latest body.
 */


#ifndef _NGX_HTTP_CONFLICT_ANSWER_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_ANSWER_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"
#include "http/ngx_http_conflict_json.h"


ngx_int_t ngx_http_conflict_answer_handler(ngx_http_request_t *r);


/*
 * Sets the header of what the GET has said, and *out to its body.
 */
ngx_int_t ngx_http_conflict_latest_answer(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out);


/* The lock that was found; "token" is NULL where it is not to be shown. */
json_t *ngx_http_conflict_lock_json(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *user, ngx_str_t *client, u_char *token);

/* A name, null where there is none. */
json_t *ngx_http_conflict_lock_json_name(ngx_str_t *text);


/* The status of what the module answers itself. */
ngx_uint_t ngx_http_conflict_problem_status(ngx_http_conflict_ctx_t *ctx);

/* Begins the body of a refusal; sets its header but for its length. */
json_t *ngx_http_conflict_problem_start(ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_problem_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


#endif /* _NGX_HTTP_CONFLICT_ANSWER_H_INCLUDED_ */
