
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The way to the master by way of sentinels: one is asked before each
 * connection, the next one where it does not know.
 */


#include "ngx_http_conflict_redis_node.h"


static void ngx_http_conflict_redis_told(redisAsyncContext *ac, void *data,
    void *privdata);


void
ngx_http_conflict_redis_find_master(ngx_http_conflict_redis_t *client)
{
    ngx_str_t    host;
    ngx_addr_t  *addr;

    addr = client->conf.addrs.elts;
    addr += client->next % client->conf.addrs.nelts;

    ngx_http_conflict_redis_host(addr, &host);
    ngx_http_conflict_redis_connect_to(client->guide, &host,
                                       ngx_inet_get_port(addr->sockaddr));
}


void
ngx_http_conflict_redis_ask(ngx_http_conflict_redis_node_t *guide)
{
    ngx_str_t  *name;

    name = &guide->client->conf.sentinel;

    if (redisAsyncCommand(guide->ac, ngx_http_conflict_redis_told, guide,
                          "SENTINEL get-master-addr-by-name %b",
                          name->data, name->len)
        != REDIS_OK)
    {
        ngx_http_conflict_redis_close(guide, (u_char *) "no memory", 9);
    }
}


static void
ngx_http_conflict_redis_told(redisAsyncContext *ac, void *data, void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_node_t *guide = privdata;

    ngx_int_t                   port;
    ngx_str_t                   host;
    ngx_http_conflict_redis_t  *client;

    client = guide->client;

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

        if (port > 0 && port < 65536 && ngx_http_conflict_redis_numeric(&host))
        {
            client->guided = 1;
            ngx_http_conflict_redis_close(guide, (u_char *) "", 0);
            ngx_http_conflict_redis_connect_to(client->node, &host,
                                               (in_port_t) port);
            return;
        }
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_conflict_redis_close(guide, (u_char *) reply->str,
                                      reply->len);
        return;
    }

    ngx_http_conflict_redis_close(guide, (u_char *) "it knows no such master",
                                  sizeof("it knows no such master") - 1);
}


void
ngx_http_conflict_redis_unguided(ngx_http_conflict_redis_t *client)
{
    u_char  reason[sizeof(client->guide->reason)];

    if (client->guided) {
        /* it has said what it was asked, and was left */
        client->guided = 0;
        return;
    }

    client->next++;

    (void) ngx_snprintf(reason, sizeof(reason), "sentinel %s: %s%Z",
                        client->guide->text, client->guide->reason);
    reason[sizeof(reason) - 1] = '\0';

    ngx_http_conflict_redis_down(client->node, (char *) reason);
}


/* no names are resolved at run time: that would block the worker */

ngx_uint_t
ngx_http_conflict_redis_numeric(ngx_str_t *host)
{
#if (NGX_HAVE_INET6)
    u_char  addr[16];

    if (ngx_inet6_addr(host->data, host->len, addr) == NGX_OK) {
        return 1;
    }

#endif

    return ngx_inet_addr(host->data, host->len) != INADDR_NONE;
}
