
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The address of the master: before each connection one of the sentinels is
 * asked for it, and the next one if that fails.  While there are calls one is
 * asked again each second: a master that was replaced goes on for eight seconds
 * or more, until the sentinels tell it, and other hosts may know its successor.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_MASTER  1000   /* msec */


static void ngx_http_conflict_redis_sentinel_reply(redisAsyncContext *ac,
    void *data, void *privdata);
static void ngx_http_conflict_redis_sentinel_open(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *host,
    in_port_t port);


void
ngx_http_conflict_redis_sentinel_connect(
    ngx_http_conflict_redis_connection_t *conn)
{
    in_port_t                   port;
    ngx_str_t                   host;
    ngx_addr_t                 *addr;
    ngx_http_conflict_redis_t  *client;

    client = conn->client;

    if (client->sentinel->ac && !client->sentinel->closing) {
        /* it is being asked */
        return;
    }

    client->sentinel_asked = ngx_current_msec;

    /* it may not be closed yet after its last answer */
    ngx_http_conflict_redis_connection_drop(client->sentinel);

    addr = client->conf.addrs.elts;
    addr += client->next % client->conf.addrs.nelts;

    ngx_http_conflict_redis_address_host(addr, &host);
    port = ngx_inet_get_port(addr->sockaddr);

    ngx_http_conflict_redis_connection_open_to(client->sentinel, &host, port);
}


void
ngx_http_conflict_redis_sentinel_check(
    ngx_http_conflict_redis_connection_t *conn)
{
    ngx_http_conflict_redis_t  *client;

    client = conn->client;

    if (ngx_current_msec - client->sentinel_asked
        >= NGX_HTTP_CONFLICT_REDIS_MASTER)
    {
        ngx_http_conflict_redis_sentinel_connect(conn);
    }
}


void
ngx_http_conflict_redis_sentinel_ask(
    ngx_http_conflict_redis_connection_t *conn)
{
    ngx_str_t  *name;

    name = &conn->client->conf.sentinel;

    if (redisAsyncCommand(conn->ac, ngx_http_conflict_redis_sentinel_reply,
                          conn, "SENTINEL get-master-addr-by-name %b",
                          name->data, name->len)
        != REDIS_OK)
    {
        ngx_http_conflict_redis_connection_close(conn, (u_char *) "no memory",
                                                 9);
    }
}


static void
ngx_http_conflict_redis_sentinel_reply(redisAsyncContext *ac, void *data,
    void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_connection_t *conn = privdata;

    ngx_int_t                   port;
    ngx_str_t                   host;
    ngx_http_conflict_redis_t  *client;

    static ngx_str_t  unknown
        = ngx_string("the sentinel does not know the master");

    client = conn->client;

    if (reply == NULL) {
        return;
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
        && reply->element[0]->type == REDIS_REPLY_STRING
        && reply->element[1]->type == REDIS_REPLY_STRING)
    {
        host.data = (u_char *) reply->element[0]->str;
        host.len = reply->element[0]->len;

        port = ngx_atoi((u_char *) reply->element[1]->str,
                        reply->element[1]->len);

        if (port > 0 && port < 65536
            && ngx_http_conflict_redis_address_numeric(&host))
        {
            client->sentinel_answered = 1;
            ngx_http_conflict_redis_connection_close(conn, (u_char *) "", 0);
            ngx_http_conflict_redis_sentinel_open(client->conn, &host,
                                                  (in_port_t) port);
            return;
        }
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_conflict_redis_connection_close(conn, (u_char *) reply->str,
                                                 reply->len);
        return;
    }

    ngx_http_conflict_redis_connection_close(conn, unknown.data, unknown.len);
}


static void
ngx_http_conflict_redis_sentinel_open(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *host,
    in_port_t port)
{
    static ngx_str_t  replaced = ngx_string("another server is the master");

    if (conn->ac == NULL) {
        ngx_http_conflict_redis_connection_open_to(conn, host, port);

    } else if (conn->port != port || conn->host.len != host->len
               || ngx_memcmp(conn->host.data, host->data, host->len) != 0)
    {
        /* whether it is, is for another sentinel to say */
        conn->client->next++;

        ngx_http_conflict_redis_connection_close(conn, replaced.data,
                                                 replaced.len);
    }
}


void
ngx_http_conflict_redis_sentinel_down(
    ngx_http_conflict_redis_connection_t *conn)
{
    u_char                      reason[sizeof(conn->reason)];
    ngx_http_conflict_redis_t  *client;

    client = conn->client;

    if (conn->timer.timer_set) {
        /* a worker that exits would wait for it */
        ngx_del_timer(&conn->timer);
    }

    if (client->sentinel_answered) {
        /* closed by the client after its answer */
        client->sentinel_answered = 0;
        return;
    }

    client->next++;

    if (client->conn->ac
        || client->conn->state != NGX_HTTP_CONFLICT_REDIS_CONNECTING)
    {
        /* the master is connected all the same, or not to be connected yet */
        return;
    }

    (void) ngx_snprintf(reason, sizeof(reason), "sentinel %s: %s%Z",
                        conn->text, conn->reason);
    reason[sizeof(reason) - 1] = '\0';

    ngx_http_conflict_redis_connection_down(client->conn, (char *) reason);
}
