
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: what it counts and tells of the whole fleet,
 * by the script stats.lua.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_STATS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_STATS_H_INCLUDED_


#include "store/redis/ngx_http_conflict_redis_codec.h"
#include "store/ngx_http_conflict_snapshot.h"


/* a call's own, and two for each counter and each field */

#define NGX_HTTP_CONFLICT_REDIS_STATS_ARGS                                    \
    (9 + 2 * (NGX_HTTP_CONFLICT_COUNTS + NGX_HTTP_CONFLICT_STATS_FIELDS))


/*
 * Begins with the arguments that all scripts have; "arg" and "buf" have room
 * for NGX_HTTP_CONFLICT_REDIS_STATS_ARGS.
 */
void ngx_http_conflict_redis_stats_head(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    const char *verb);

/*
 * Sends it for the key PREFIX and "name".  NGX_OK: handler will run;
 * NGX_ERROR: it will not, and *why says why.
 */
ngx_int_t ngx_http_conflict_redis_stats_send(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, const char *name,
    ngx_http_conflict_redis_pt handler, void *data, const char **why);

/* Nobody waits for it, and it may as well not come there. */
void ngx_http_conflict_redis_stats_note(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args);

/* The store's "counted": what it leads to is sent within a second. */
void ngx_http_conflict_redis_stats_changed(ngx_http_conflict_store_t *store);

/* A resource had a conflict; the holder of its lock has changed. */
void ngx_http_conflict_redis_stats_resource(ngx_http_conflict_store_t *store,
    ngx_str_t *key);
void ngx_http_conflict_redis_stats_lock(ngx_http_conflict_op_t *op);


#endif /* _NGX_HTTP_CONFLICT_REDIS_STATS_H_INCLUDED_ */
