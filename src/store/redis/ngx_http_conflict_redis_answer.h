
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: the decoders of answers, one for each kind of
 * call.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_ANSWER_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_ANSWER_H_INCLUDED_


#include "store/redis/ngx_http_conflict_redis_codec.h"


/*
 * Decode an answer, whose token was checked, into the operation.  NGX_ERROR:
 * it is malformed.  NGX_DECLINED: a fast path has declined, the operation is as
 * it was.
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
ngx_int_t ngx_http_conflict_redis_answer_versions(ngx_http_conflict_op_t *op,
    ngx_str_t *answer);

/* 1 for the answer of a fast path, and for that of one that has declined. */
#define ngx_http_conflict_redis_answer_declined(answer)                       \
    ((answer)->len == NGX_HTTP_CONFLICT_REDIS_TOKEN + 1                       \
     && (answer)->data[NGX_HTTP_CONFLICT_REDIS_TOKEN] == '!')

#define ngx_http_conflict_redis_answer_is_fast(answer)                        \
    ((answer)->len > NGX_HTTP_CONFLICT_REDIS_TOKEN                            \
     && (answer)->data[NGX_HTTP_CONFLICT_REDIS_TOKEN] == '=')

/* The last character of an answer, for scripts that answer one digit. */
#define ngx_http_conflict_redis_answer_digit(answer)                          \
    ((answer)->data[(answer)->len - 1])

/* Logs, throttled, a new incarnation, if the answer says that it is one. */
void ngx_http_conflict_redis_answer_incarnation(
    ngx_http_conflict_store_t *store, ngx_str_t *answer);


#endif /* _NGX_HTTP_CONFLICT_REDIS_ANSWER_H_INCLUDED_ */
