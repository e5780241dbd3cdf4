
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: the arguments of its scripts, and their
 * answers.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_ARGS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_ARGS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_conflict_redis.h"
#include "ngx_http_conflict_store.h"


#define NGX_HTTP_CONFLICT_REDIS_ARGS  24     /* beside lists of tags */

/* room for the text of "n" arguments */
#define ngx_http_conflict_redis_room(n)  ((n) * (NGX_INT64_LEN + 1))


/* the arguments of a script as they are gathered */

typedef struct {
    ngx_str_t                *arg;
    ngx_uint_t                n;
    u_char                   *last;      /* of their text */
} ngx_http_conflict_redis_args_t;


/*
 * Begins with the arguments that all scripts have.  "arg" and "buf" are the
 * caller's, with room for all that comes.
 */
void ngx_http_conflict_redis_head(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    uint64_t token);

/* "text" is not copied */
void ngx_http_conflict_redis_text(ngx_http_conflict_redis_args_t *args,
    const char *text);
void ngx_http_conflict_redis_number(ngx_http_conflict_redis_args_t *args,
    int64_t n);
void ngx_http_conflict_redis_hash(ngx_http_conflict_redis_args_t *args,
    uint64_t hash);
void ngx_http_conflict_redis_version(ngx_http_conflict_redis_args_t *args,
    uint64_t version);
void ngx_http_conflict_redis_date(ngx_http_conflict_redis_args_t *args,
    int64_t time);

/*
 * Takes the words of an answer into the operation.  NGX_ERROR: they are not
 * what a script says.
 */
ngx_int_t ngx_http_conflict_redis_read_answer(ngx_http_conflict_op_t *op,
    ngx_str_t *answer);

/* redis_stream.c: the store's "record" */
ngx_int_t ngx_http_conflict_redis_record(ngx_http_conflict_store_t *store,
    ngx_str_t *line);


#endif /* _NGX_HTTP_CONFLICT_REDIS_ARGS_H_INCLUDED_ */
