
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The log messages of the Redis client: servers that go down or come up, and
 * their error replies, throttled.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_LOG_INTERVAL  10000    /* msec */


ngx_uint_t
ngx_http_conflict_redis_log_throttled(ngx_msec_t *logged)
{
    if (*logged && ngx_current_msec - *logged
                   < NGX_HTTP_CONFLICT_REDIS_LOG_INTERVAL)
    {
        return 1;
    }

    *logged = ngx_current_msec;

    return 0;
}


/* a server may quote bytes that an HTTP client has sent */

void
ngx_http_conflict_redis_log_printable(u_char *p, size_t len)
{
    u_char  *last;

    for (last = p + len; p < last; p++) {

        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }
}


void
ngx_http_conflict_redis_log_error(ngx_http_conflict_redis_connection_t *conn,
    u_char *text, size_t len)
{
    ngx_http_conflict_redis_t  *client;

    client = conn->client;

    if (ngx_http_conflict_redis_log_throttled(&client->error_logged)) {
        return;
    }

    ngx_http_conflict_redis_log_printable(text, len);

    ngx_log_error(NGX_LOG_ERR, client->log, 0,
                  "conflict store \"%V\": %s rejected a call: %*s",
                  &client->conf.name, conn->text, len, text);
}


void
ngx_http_conflict_redis_log_down(ngx_http_conflict_redis_connection_t *conn)
{
    if (conn->down_logged) {
        return;
    }

    conn->down_logged = 1;

    ngx_log_error(NGX_LOG_ERR, conn->client->log, 0,
                  "conflict store \"%V\": %s is down: %s",
                  &conn->client->conf.name, conn->text, conn->reason);
}


void
ngx_http_conflict_redis_log_up(ngx_http_conflict_redis_connection_t *conn)
{
    if (!conn->down_logged) {
        return;
    }

    conn->down_logged = 0;

    ngx_log_error(NGX_LOG_WARN, conn->client->log, 0,
                  "conflict store \"%V\": %s is up",
                  &conn->client->conf.name, conn->text);
}
