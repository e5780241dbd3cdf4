
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Redis client of a worker: connects to the configured addresses, sends
 * the calls that wait when a connection is ready, and reconnects.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_RECONNECT_MAX  2000   /* msec */


static void ngx_http_conflict_redis_client_ready(
    ngx_http_conflict_redis_connection_t *conn);
static void ngx_http_conflict_redis_client_down(
    ngx_http_conflict_redis_connection_t *conn);


static ngx_http_conflict_redis_handlers_t
    ngx_http_conflict_redis_client_server =
{
    ngx_http_conflict_redis_connection_open,
    ngx_http_conflict_redis_handshake_start,
    ngx_http_conflict_redis_client_ready,
    ngx_http_conflict_redis_client_down,
    ngx_http_conflict_redis_call_timer
};


/* a master, whose address comes from a sentinel */

static ngx_http_conflict_redis_handlers_t
    ngx_http_conflict_redis_client_master =
{
    ngx_http_conflict_redis_sentinel_connect,
    ngx_http_conflict_redis_handshake_start,
    ngx_http_conflict_redis_client_ready,
    ngx_http_conflict_redis_client_down,
    ngx_http_conflict_redis_call_timer
};


static ngx_http_conflict_redis_handlers_t
    ngx_http_conflict_redis_client_sentinel =
{
    ngx_http_conflict_redis_connection_open,
    ngx_http_conflict_redis_sentinel_ask,
    ngx_http_conflict_redis_client_ready,
    ngx_http_conflict_redis_sentinel_down,
    ngx_http_conflict_redis_call_timer
};


ngx_http_conflict_redis_conf_t *
ngx_http_conflict_redis_client_conf(ngx_http_conflict_redis_t *client)
{
    return &client->conf;
}


ngx_int_t
ngx_http_conflict_redis_client_start(ngx_http_conflict_redis_t *client,
    ngx_cycle_t *cycle)
{
    client->fd = (ngx_socket_t) -1;
    client->pool = cycle->pool;
    client->log = cycle->log;

    if (ngx_array_init(&client->connections, cycle->pool, 8,
                       sizeof(ngx_http_conflict_redis_connection_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (client->conf.cluster
        && ngx_http_conflict_redis_cluster_init(client) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_redis_incarnation_init(client) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_conflict_redis_client_connect(client);
}


ngx_int_t
ngx_http_conflict_redis_client_connect(ngx_http_conflict_redis_t *client)
{
    in_port_t                              port;
    ngx_str_t                              host;
    ngx_uint_t                             i;
    ngx_addr_t                            *addr;
    ngx_http_conflict_redis_connection_t  *conn;

    addr = client->conf.addrs.elts;

    client->handlers = client->conf.sentinel.len
                       ? &ngx_http_conflict_redis_client_master
                       : &ngx_http_conflict_redis_client_server;

    if (client->conf.cluster) {

        for (i = 0; i < client->conf.addrs.nelts; i++) {
            ngx_http_conflict_redis_address_host(&addr[i], &host);
            port = ngx_inet_get_port(addr[i].sockaddr);

            conn = ngx_http_conflict_redis_connection_get(client, &host, port);
            if (conn == NULL) {
                return NGX_ERROR;
            }

            ngx_http_conflict_redis_connection_connect(conn);
        }

        return NGX_OK;
    }

    ngx_http_conflict_redis_address_host(&addr[0], &host);
    port = ngx_inet_get_port(addr[0].sockaddr);

    client->conn = ngx_http_conflict_redis_connection_get(client, &host, port);
    if (client->conn == NULL) {
        return NGX_ERROR;
    }

    if (client->conf.sentinel.len) {
        client->sentinel = ngx_http_conflict_redis_connection_get(client,
                                                                  &host, 0);
        if (client->sentinel == NULL) {
            return NGX_ERROR;
        }

        client->sentinel->handlers = &ngx_http_conflict_redis_client_sentinel;
    }

    ngx_http_conflict_redis_connection_connect(client->conn);

    return NGX_OK;
}


ngx_http_conflict_redis_t *
ngx_http_conflict_redis_client_second(ngx_http_conflict_redis_t *client,
    ngx_msec_t margin, ngx_cycle_t *cycle)
{
    ngx_http_conflict_redis_t  *second;

    second = ngx_pcalloc(cycle->pool, sizeof(ngx_http_conflict_redis_t));
    if (second == NULL) {
        return NULL;
    }

    second->conf = client->conf;
    second->conf.timeout += margin;
    second->conf.wait = 0;
    second->conf.noted = NULL;

    return (ngx_http_conflict_redis_client_start(second, cycle) == NGX_OK)
           ? second : NULL;
}


void
ngx_http_conflict_redis_client_stop(ngx_http_conflict_redis_t *client)
{
    ngx_uint_t                              i;
    ngx_http_conflict_redis_connection_t  **conn;

    client->stopping = 1;

    conn = client->connections.elts;

    for (i = 0; i < client->connections.nelts; i++) {

        if (conn[i]->timer.timer_set) {
            ngx_del_timer(&conn[i]->timer);
        }

        if (conn[i]->ac == NULL) {
            continue;
        }

        if (conn[i]->state == NGX_HTTP_CONFLICT_REDIS_READY
            && !conn[i]->closing)
        {
            /* calls that were sent within this event */
            ngx_http_conflict_redis_event_write(conn[i]);
        }

        if (conn[i]->ac) {
            redisAsyncFree(conn[i]->ac);
        }
    }

    ngx_http_conflict_redis_incarnation_free(client);
}


static void
ngx_http_conflict_redis_client_ready(ngx_http_conflict_redis_connection_t *conn)
{
    if (conn->client->stale) {
        ngx_http_conflict_redis_cluster_refresh(conn->client);
    }

    ngx_http_conflict_redis_call_resend(conn, &conn->retrying);
    ngx_http_conflict_redis_call_resend(conn, &conn->waiting);
    ngx_http_conflict_redis_queue_idle(conn);
}


static void
ngx_http_conflict_redis_client_down(ngx_http_conflict_redis_connection_t *conn)
{
    ngx_msec_t                  delay;
    ngx_http_conflict_redis_t  *client;

    client = conn->client;

    ngx_http_conflict_redis_log_down(conn);

    /* at once, then after growing delays, which differ between workers */

    delay = 0;

    if (conn->failures > 1) {
        delay = 50 << ngx_min(conn->failures - 1, 6);
        delay = ngx_min(delay, NGX_HTTP_CONFLICT_REDIS_RECONNECT_MAX);
        delay = delay * 3 / 4 + ngx_random() % (delay / 2);
    }

    if (!client->conf.cluster || conn->mapped || client->stale) {
        ngx_add_timer(&conn->reconnect, delay);
    }

    if (client->conf.cluster) {
        ngx_http_conflict_redis_cluster_refresh(client);
    }

    ngx_http_conflict_redis_queue_expire(conn, &conn->waiting,
                                         conn->failures > 1,
                                         (char *) conn->reason);
    ngx_http_conflict_redis_queue_expire(conn, &conn->retrying, 0,
                                         (char *) conn->reason);
    ngx_http_conflict_redis_queue_keep(conn);

    if (!ngx_queue_empty(&conn->waiting)) {
        ngx_http_conflict_redis_connection_watch(conn, ngx_current_msec
                                                 + client->conf.timeout);
    }
}
