
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: the lines of words that stats.lua answers.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_SNAPSHOT_DECODE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_SNAPSHOT_DECODE_H_INCLUDED_


#include "store/ngx_http_conflict_snapshot.h"


typedef struct {
    u_char                       *p;
    u_char                       *last;
} ngx_http_conflict_redis_text_t;


/* The bytes up to "end", which goes as well; 0: there are no more. */
ngx_uint_t ngx_http_conflict_redis_snapshot_decode_word(
    ngx_http_conflict_redis_text_t *text, u_char end, ngx_str_t *word);

/* Takes a line of an answer in. */
void ngx_http_conflict_redis_snapshot_decode_line(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *line);


#endif /* _NGX_HTTP_CONFLICT_REDIS_SNAPSHOT_DECODE_H_INCLUDED_ */
