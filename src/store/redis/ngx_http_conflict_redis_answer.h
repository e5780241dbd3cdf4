
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: the words that come in, one decoder for each
 * kind of call.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_ANSWER_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_ANSWER_H_INCLUDED_


#include "store/redis/ngx_http_conflict_redis_codec.h"


/*
 * Take the words of an answer, whose token was checked, into the operation.
 * NGX_ERROR: they are not what the script says.
 */
ngx_int_t ngx_http_conflict_redis_answer_begin(ngx_http_conflict_op_t *op,
    ngx_str_t *answer);
ngx_int_t ngx_http_conflict_redis_answer_peek(ngx_http_conflict_op_t *op,
    ngx_str_t *answer);
ngx_int_t ngx_http_conflict_redis_answer_observe(ngx_http_conflict_op_t *op,
    ngx_str_t *answer);
ngx_int_t ngx_http_conflict_redis_answer_lock(ngx_http_conflict_op_t *op,
    ngx_str_t *answer);
ngx_int_t ngx_http_conflict_redis_answer_recall(ngx_http_conflict_op_t *op,
    ngx_str_t *answer);

/* The last character: of answers that are one digit behind the head. */
#define ngx_http_conflict_redis_answer_digit(answer)                          \
    ((answer)->data[(answer)->len - 1])

/* Logs, now and then, that the server which has answered is a new one. */
void ngx_http_conflict_redis_answer_incarnation(
    ngx_http_conflict_store_t *store, ngx_str_t *answer);


#endif /* _NGX_HTTP_CONFLICT_REDIS_ANSWER_H_INCLUDED_ */
