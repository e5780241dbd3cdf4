
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: the counters of a fleet, which stats.lua keeps.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_STATS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_STATS_H_INCLUDED_


#include "store/redis/ngx_http_conflict_redis_codec.h"


/* those of a call, and two for each counter and each field */

#define NGX_HTTP_CONFLICT_REDIS_STATS_ARGS                                    \
    (11 + 2 * (NGX_HTTP_CONFLICT_COUNTS + NGX_HTTP_CONFLICT_STATS_FIELDS))


/*
 * Sends stats.lua with these arguments for the key PREFIX"name".  NGX_OK: the
 * handler will run; NGX_ERROR: it will not, *why states the reason.
 */
ngx_int_t ngx_http_conflict_redis_stats_send(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, const char *name,
    ngx_http_conflict_redis_pt handler, void *data, const char **why);

/* The operation "counted": the counters are sent within a second. */
void ngx_http_conflict_redis_stats_changed(ngx_http_conflict_store_t *store);

/* Counts a conflict of a resource. */
void ngx_http_conflict_redis_stats_resource(ngx_http_conflict_store_t *store,
    ngx_str_t *key);

/* Lists a lock that was acquired or renewed; removes one that was released. */
void ngx_http_conflict_redis_stats_lock(ngx_http_conflict_op_t *op);


#endif /* _NGX_HTTP_CONFLICT_REDIS_STATS_H_INCLUDED_ */
