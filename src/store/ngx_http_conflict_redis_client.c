
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Redis client of a worker: its nodes, made for the addresses of the
 * configuration and for those that a sentinel or a cluster tells.
 */


#include "ngx_http_conflict_redis_node.h"


ngx_int_t
ngx_http_conflict_redis_start(ngx_http_conflict_redis_t *client,
    ngx_cycle_t *cycle)
{
    ngx_str_t                        host;
    ngx_uint_t                       i;
    ngx_addr_t                      *addr;
    ngx_http_conflict_redis_node_t  *node;

    client->fd = (ngx_socket_t) -1;
    client->pool = cycle->pool;
    client->log = cycle->log;

    if (ngx_array_init(&client->nodes, cycle->pool, 8,
                       sizeof(ngx_http_conflict_redis_node_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    addr = client->conf.addrs.elts;

    if (client->conf.cluster) {

        if (ngx_http_conflict_redis_cluster_init(client) != NGX_OK) {
            return NGX_ERROR;
        }

        for (i = 0; i < client->conf.addrs.nelts; i++) {
            ngx_http_conflict_redis_host(&addr[i], &host);

            node = ngx_http_conflict_redis_node(client, &host,
                                       ngx_inet_get_port(addr[i].sockaddr));
            if (node == NULL) {
                return NGX_ERROR;
            }

            ngx_http_conflict_redis_connect(node);
        }

        return NGX_OK;
    }

    ngx_http_conflict_redis_host(&addr[0], &host);

    client->node = ngx_http_conflict_redis_node(client, &host,
                                        ngx_inet_get_port(addr[0].sockaddr));
    if (client->node == NULL) {
        return NGX_ERROR;
    }

    if (client->conf.sentinel.len) {
        client->guide = ngx_http_conflict_redis_node(client, &host, 0);
        if (client->guide == NULL) {
            return NGX_ERROR;
        }

        client->guide->sentinel = 1;
    }

    ngx_http_conflict_redis_connect(client->node);

    return NGX_OK;
}


void
ngx_http_conflict_redis_stop(ngx_http_conflict_redis_t *client)
{
    ngx_uint_t                        i;
    ngx_http_conflict_redis_node_t  **node;

    client->stopping = 1;

    node = client->nodes.elts;

    for (i = 0; i < client->nodes.nelts; i++) {

        if (node[i]->ac == NULL) {
            continue;
        }

        if (node[i]->state == NGX_HTTP_CONFLICT_REDIS_READY
            && !node[i]->closing)
        {
            /* what was settled just now */
            ngx_http_conflict_redis_write_out(node[i]);
        }

        if (node[i]->ac) {
            redisAsyncFree(node[i]->ac);
        }
    }
}


ngx_http_conflict_redis_node_t *
ngx_http_conflict_redis_node(ngx_http_conflict_redis_t *client,
    ngx_str_t *host, in_port_t port)
{
    ngx_uint_t                        i;
    ngx_http_conflict_redis_node_t   *node, **nodes;

    nodes = client->nodes.elts;

    for (i = 0; client->conf.cluster && i < client->nodes.nelts; i++) {

        if (nodes[i]->port == port && nodes[i]->host.len == host->len
            && ngx_strncmp(nodes[i]->host.data, host->data, host->len) == 0)
        {
            return nodes[i];
        }
    }

    if (client->nodes.nelts == NGX_HTTP_CONFLICT_REDIS_NODES) {
        return NULL;
    }

    node = ngx_pcalloc(client->pool, sizeof(ngx_http_conflict_redis_node_t));
    if (node == NULL) {
        return NULL;
    }

    node->fd = (ngx_socket_t) -1;
    node->client = client;

    ngx_queue_init(&node->waiting);
    ngx_queue_init(&node->patient);
    ngx_queue_init(&node->sent);

    node->flush.handler = ngx_http_conflict_redis_flush;
    node->flush.data = node;
    node->flush.log = client->log;

    node->timer.handler = ngx_http_conflict_redis_timer;
    node->timer.data = node;
    node->timer.log = client->log;

    node->retry.handler = ngx_http_conflict_redis_retry;
    node->retry.data = node;
    node->retry.log = client->log;
    node->retry.cancelable = 1;

    node->host.data = node->hostname;
    ngx_http_conflict_redis_name(node, host, port);

    nodes = ngx_array_push(&client->nodes);
    if (nodes == NULL) {
        return NULL;
    }

    *nodes = node;
    node->index = client->nodes.nelts - 1;

    return node;
}


/* a numeric host, without the brackets of IPv6, or a path */

void
ngx_http_conflict_redis_host(ngx_addr_t *addr, ngx_str_t *host)
{
    static u_char  text[NGX_SOCKADDR_STRLEN + 1];

    host->data = text;
    host->len = ngx_sock_ntop(addr->sockaddr, addr->socklen, text,
                              NGX_SOCKADDR_STRLEN, 0);
    text[host->len] = '\0';

#if (NGX_HAVE_UNIX_DOMAIN)

    if (addr->sockaddr->sa_family == AF_UNIX) {
        host->data += sizeof("unix:") - 1;
        host->len -= sizeof("unix:") - 1;
    }

#endif

#if (NGX_HAVE_INET6)

    if (addr->sockaddr->sa_family == AF_INET6 && text[0] == '[') {
        host->data++;
        host->len -= 2;
    }

#endif
}
