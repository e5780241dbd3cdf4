
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: the decoder of the lines that stats.lua answers.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_SNAPSHOT_DECODE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_SNAPSHOT_DECODE_H_INCLUDED_


#include "store/ngx_http_conflict_snapshot.h"


typedef struct {
    u_char                       *p;
    u_char                       *last;
} ngx_http_conflict_redis_text_t;


/* Takes the bytes up to "end", which is skipped.  0: there are no more. */
ngx_uint_t ngx_http_conflict_redis_snapshot_decode_word(
    ngx_http_conflict_redis_text_t *words, u_char end, ngx_str_t *word);

/* Decodes a line of an answer into the snapshot. */
void ngx_http_conflict_redis_snapshot_decode_line(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *line);


#endif /* _NGX_HTTP_CONFLICT_REDIS_SNAPSHOT_DECODE_H_INCLUDED_ */
