
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The audit stream: the lines of the audit log in a stream of Redis.
 */


#include "store/redis/ngx_http_conflict_redis_stats.h"
#include "store/redis/ngx_http_conflict_redis_store.h"


#define NGX_HTTP_CONFLICT_REDIS_RECORD_LIFE  60000


static void ngx_http_conflict_redis_audit_stream_added(void *data,
    ngx_str_t *answer, const char *why);


ngx_int_t
ngx_http_conflict_redis_audit_stream_add(ngx_http_conflict_store_t *store,
    ngx_str_t *key, ngx_str_t *line)
{
    u_char                             *p, text[256];
    ngx_str_t                           name, arg[7];
    const char                         *why;
    ngx_http_conflict_redis_t          *client;
    ngx_http_conflict_redis_conf_t     *conf;
    ngx_http_conflict_redis_command_t   command;

    client = store->data;
    conf = ngx_http_conflict_redis_client_conf(client);

    p = ngx_cpymem(text, conf->prefix.data, conf->prefix.len);
    p = ngx_cpymem(p, "audit", sizeof("audit") - 1);

    name.data = text;
    name.len = p - text;

    ngx_str_set(&arg[0], "XADD");
    ngx_str_set(&arg[1], "MAXLEN");
    ngx_str_set(&arg[2], "~");
    ngx_str_set(&arg[3], "100000");
    ngx_str_set(&arg[4], "*");
    ngx_str_set(&arg[5], "line");
    arg[6] = *line;

    ngx_memzero(&command, sizeof(ngx_http_conflict_redis_command_t));

    command.script = NGX_HTTP_CONFLICT_REDIS_NONE;
    command.key = &name;
    command.args = arg;
    command.n = 7;

    if (ngx_http_conflict_redis_call_send(client, &command,
                                     NGX_HTTP_CONFLICT_REDIS_RECORD_LIFE,
                                     NGX_HTTP_CONFLICT_REDIS_RETRY,
                                     ngx_http_conflict_redis_audit_stream_added,
                                     store, &why)
        != NGX_OK)
    {
        ngx_http_conflict_redis_audit_stream_added(store, NULL, why);
    }

    if (ngx_http_conflict_stats) {
        ngx_http_conflict_redis_stats_resource(store, key);
    }

    return NGX_OK;
}


static void
ngx_http_conflict_redis_audit_stream_added(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_store_t *store = data;

    if (answer) {
        return;
    }

    store->dropped++;

    if (store->stats) {
        (void) ngx_atomic_fetch_add(&store->stats->dropped, 1);
    }

    if (ngx_http_conflict_redis_log_throttled(&store->dropped_logged)) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "conflict store \"%V\": a line was not added to the audit "
                  "stream: %s, %ui in this process so far",
                  &store->name, why, store->dropped);
}
