
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * An entry as its text in Redis, whose form the head of entry.lua states: kept
 * from begin to commit, so that settle_fast.lua only compares it.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_ENTRY_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_ENTRY_H_INCLUDED_


#include "store/redis/ngx_http_conflict_redis_codec.h"


#define NGX_HTTP_CONFLICT_REDIS_ENTRY  512   /* bytes, more than any has */


/*
 * How long an entry that is in use for "used" msec lasts from now, as save()
 * of entry.lua has it, in milliseconds.
 */
#define ngx_http_conflict_redis_entry_ttl(ttl, used)                          \
    ngx_max(ttl, (used) + 60000)


/*
 * Keeps the text of an entry that is leased for this operation, if there is
 * memory, or forgets it.
 */
void ngx_http_conflict_redis_entry_keep(ngx_http_conflict_op_t *op,
    ngx_str_t *entry);
void ngx_http_conflict_redis_entry_forget(ngx_http_conflict_op_t *op);

/*
 * The text of the entry that was kept as the commit op->redis.settle leaves it,
 * in "buf", of NGX_HTTP_CONFLICT_REDIS_ENTRY bytes.  0: there is none, and only
 * the script can tell.
 */
ngx_uint_t ngx_http_conflict_redis_entry_commit(ngx_http_conflict_op_t *op,
    u_char *buf, ngx_str_t *text);


#endif /* _NGX_HTTP_CONFLICT_REDIS_ENTRY_H_INCLUDED_ */
