
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Replies of Redis as texts; those of an array are lines.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_REPLY_DEPTH  8    /* of arrays */


static size_t ngx_http_conflict_redis_reply_size(redisReply *reply,
    ngx_uint_t depth);
static u_char *ngx_http_conflict_redis_reply_print(redisReply *reply,
    u_char *p, ngx_uint_t depth);


u_char *
ngx_http_conflict_redis_reply_lines(redisReply *reply, ngx_str_t *text,
    ngx_log_t *log)
{
    u_char  *p;

    p = ngx_alloc(ngx_http_conflict_redis_reply_size(reply, 0) + 1, log);
    if (p == NULL) {
        return NULL;
    }

    text->data = p;
    text->len = ngx_http_conflict_redis_reply_print(reply, p, 0) - p;

    return p;
}


static size_t
ngx_http_conflict_redis_reply_size(redisReply *reply, ngx_uint_t depth)
{
    size_t  i, size;

    if (reply->type != REDIS_REPLY_ARRAY
        || depth == NGX_HTTP_CONFLICT_REDIS_REPLY_DEPTH)
    {
        return reply->len + 1;
    }

    size = 0;

    for (i = 0; i < reply->elements; i++) {
        size += ngx_http_conflict_redis_reply_size(reply->element[i],
                                                   depth + 1);
    }

    return size;
}


static u_char *
ngx_http_conflict_redis_reply_print(redisReply *reply, u_char *p,
    ngx_uint_t depth)
{
    size_t  i;

    if (reply->type == REDIS_REPLY_ARRAY
        && depth < NGX_HTTP_CONFLICT_REDIS_REPLY_DEPTH)
    {
        for (i = 0; i < reply->elements; i++) {
            p = ngx_http_conflict_redis_reply_print(reply->element[i], p,
                                                    depth + 1);
        }

        return p;
    }

    if (reply->type == REDIS_REPLY_STRING
        || reply->type == REDIS_REPLY_STATUS)
    {
        p = ngx_cpymem(p, reply->str, reply->len);
    }

    *p++ = LF;

    return p;
}
