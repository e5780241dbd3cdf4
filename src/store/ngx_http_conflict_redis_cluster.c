
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Redis Cluster: which node has a slot, as CLUSTER SLOTS tells and
 * redirections correct, and for each slot a tag that hashes to it.
 */


#include "ngx_http_conflict_redis_node.h"


#define NGX_HTTP_CONFLICT_REDIS_REFRESH  100    /* msec, not more often */
#define NGX_HTTP_CONFLICT_REDIS_TAG      8


static ngx_uint_t ngx_http_conflict_redis_crc16(u_char *p, size_t len);
static void ngx_http_conflict_redis_refresh_handler(ngx_event_t *ev);
static void ngx_http_conflict_redis_map(redisAsyncContext *ac, void *data,
    void *privdata);
static ngx_int_t ngx_http_conflict_redis_map_range(
    ngx_http_conflict_redis_node_t *from, redisReply *range);


ngx_int_t
ngx_http_conflict_redis_cluster_init(ngx_http_conflict_redis_t *client)
{
    u_char      *text, tag[NGX_INT_T_LEN];
    size_t       len;
    ngx_uint_t   i, n, slot;

    client->slots = ngx_pcalloc(client->pool, NGX_HTTP_CONFLICT_REDIS_SLOTS
                                              * sizeof(uint16_t));
    if (client->slots == NULL) {
        return NGX_ERROR;
    }

    client->tags = ngx_pcalloc(client->pool, NGX_HTTP_CONFLICT_REDIS_SLOTS
                                             * (sizeof(ngx_str_t)
                                             + NGX_HTTP_CONFLICT_REDIS_TAG));
    if (client->tags == NULL) {
        return NGX_ERROR;
    }

    text = (u_char *) &client->tags[NGX_HTTP_CONFLICT_REDIS_SLOTS];

    /* some 170,000 small numbers reach all slots */

    for (i = 0, n = 0; n < NGX_HTTP_CONFLICT_REDIS_SLOTS; i++) {
        len = ngx_sprintf(tag, "%ui", i) - tag;
        slot = ngx_http_conflict_redis_crc16(tag, len)
               % NGX_HTTP_CONFLICT_REDIS_SLOTS;

        if (client->tags[slot].len == 0) {
            client->tags[slot].data = text;
            client->tags[slot].len = len;

            text = ngx_cpymem(text, tag, len);
            n++;
        }
    }

    client->stale = 1;

    client->refresh.handler = ngx_http_conflict_redis_refresh_handler;
    client->refresh.data = client;
    client->refresh.log = client->log;
    client->refresh.cancelable = 1;

    return NGX_OK;
}


/* of the first "{...}" in the key that is not empty, else of all */

ngx_uint_t
ngx_http_conflict_redis_slot(ngx_str_t *key)
{
    u_char  *p, *last, *end;

    last = key->data + key->len;
    p = ngx_strlchr(key->data, last, '{');

    if (p) {
        end = ngx_strlchr(p + 1, last, '}');

        if (end && end > p + 1) {
            return ngx_http_conflict_redis_crc16(p + 1, end - p - 1)
                   % NGX_HTTP_CONFLICT_REDIS_SLOTS;
        }
    }

    return ngx_http_conflict_redis_crc16(key->data, key->len)
           % NGX_HTTP_CONFLICT_REDIS_SLOTS;
}


/* CRC-16/XMODEM, as the cluster's specification says */

static ngx_uint_t
ngx_http_conflict_redis_crc16(u_char *p, size_t len)
{
    size_t      i;
    ngx_uint_t  crc, bit;

    crc = 0;

    for (i = 0; i < len; i++) {
        crc ^= (ngx_uint_t) p[i] << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
        }
    }

    return crc & 0xffff;
}


ngx_http_conflict_redis_node_t *
ngx_http_conflict_redis_owner(ngx_http_conflict_redis_t *client,
    ngx_uint_t slot)
{
    ngx_http_conflict_redis_node_t  **node;

    node = client->nodes.elts;

    if (client->slots[slot]) {
        return node[client->slots[slot] - 1];
    }

    ngx_http_conflict_redis_refresh(client);

    /* any node redirects; until one answers, calls wait for the first */

    return client->mapped ? NULL : node[0];
}


ngx_http_conflict_redis_node_t *
ngx_http_conflict_redis_redirect(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer)
{
    u_char                          *p, *last, *port;
    ngx_int_t                        n;
    ngx_str_t                        host;
    ngx_uint_t                       moved;
    ngx_http_conflict_redis_t       *client;
    ngx_http_conflict_redis_node_t  *node;

    client = call->client;
    last = answer->data + answer->len;

    if (answer->len > 12 && ngx_strncmp(answer->data, "CLUSTERDOWN", 11) == 0)
    {
        ngx_http_conflict_redis_refresh(client);
        return NULL;
    }

    moved = (answer->len > 6 && ngx_strncmp(answer->data, "MOVED ", 6) == 0);

    if (!moved
        && !(answer->len > 4 && ngx_strncmp(answer->data, "ASK ", 4) == 0))
    {
        return NULL;
    }

    /* "MOVED 3999 127.0.0.1:6381"; no host: that of the node that said so */

    p = ngx_strlchr(answer->data + (moved ? 6 : 4), last, ' ');
    if (p == NULL) {
        return NULL;
    }

    for (port = last; port > p && *port != ':'; port--) { /* void */ }

    if (port == p) {
        return NULL;
    }

    host.data = p + 1;
    host.len = port - host.data;

    if (host.len == 0) {
        host = call->node->host;
    }

    n = ngx_atoi(port + 1, last - port - 1);

    if (n <= 0 || n > 65535 || !ngx_http_conflict_redis_numeric(&host)) {
        return NULL;
    }

    node = ngx_http_conflict_redis_node(client, &host, (in_port_t) n);

    if (node == NULL) {
        return NULL;
    }

    if (moved) {
        client->slots[call->slot] = (uint16_t) (node->index + 1);
        node->mapped = 1;
        ngx_http_conflict_redis_refresh(client);

    } else {
        call->asking = 1;
    }

    return node;
}


void
ngx_http_conflict_redis_refresh(ngx_http_conflict_redis_t *client)
{
    client->stale = 1;

    if (!client->refresh.timer_set && !client->refreshing) {
        ngx_add_timer(&client->refresh, NGX_HTTP_CONFLICT_REDIS_REFRESH);
    }
}


static void
ngx_http_conflict_redis_refresh_handler(ngx_event_t *ev)
{
    ngx_http_conflict_redis_t *client = ev->data;

    ngx_uint_t                        i;
    ngx_http_conflict_redis_node_t  **node;

    node = client->nodes.elts;

    for (i = 0; i < client->nodes.nelts; i++) {
        client->next = (client->next + 1) % client->nodes.nelts;

        if (node[client->next]->state == NGX_HTTP_CONFLICT_REDIS_READY
            && !node[client->next]->closing
            && redisAsyncCommand(node[client->next]->ac,
                                 ngx_http_conflict_redis_map,
                                 node[client->next], "CLUSTER SLOTS")
               == REDIS_OK)
        {
            client->refreshing = 1;
            return;
        }
    }

    /* a node that connects asks by itself */
}


static void
ngx_http_conflict_redis_map(redisAsyncContext *ac, void *data, void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_node_t *from = privdata;

    size_t                            i;
    ngx_uint_t                        n;
    ngx_http_conflict_redis_t        *client;
    ngx_http_conflict_redis_node_t  **node;

    client = from->client;
    client->refreshing = 0;

    if (reply == NULL) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {

        ngx_http_conflict_redis_complain(client, from,
                                     (u_char *) (reply->str ? reply->str
                                                            : "no slots"),
                                     reply->str ? (size_t) reply->len : 8);
        ngx_http_conflict_redis_refresh(client);
        return;
    }

    node = client->nodes.elts;

    for (n = 0; n < client->nodes.nelts; n++) {
        node[n]->mapped = 0;
    }

    ngx_memzero(client->slots,
                NGX_HTTP_CONFLICT_REDIS_SLOTS * sizeof(uint16_t));

    for (i = 0; i < reply->elements; i++) {

        if (ngx_http_conflict_redis_map_range(from, reply->element[i])
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, client->log, 0,
                          "conflict store \"%V\": cannot use what %s answers "
                          "to CLUSTER SLOTS", &client->conf.name, from->text);
        }
    }

    client->stale = 0;
    client->mapped = 1;

    node = client->nodes.elts;

    for (n = 0; n < client->nodes.nelts; n++) {

        if (!node[n]->mapped) {
            continue;
        }

        if (node[n]->state == NGX_HTTP_CONFLICT_REDIS_DOWN) {

            if (node[n]->failures) {
                /* until it is up, or another one has its slots */
                ngx_http_conflict_redis_refresh(client);
            }

            if (!node[n]->retry.timer_set) {
                ngx_http_conflict_redis_connect(node[n]);
                node = client->nodes.elts;
            }
        }
    }
}


/* first, last, then the master: host, port, ... */

static ngx_int_t
ngx_http_conflict_redis_map_range(ngx_http_conflict_redis_node_t *from,
    redisReply *range)
{
    ngx_str_t                        host;
    long long                        slot;
    redisReply                      *master, **e;
    ngx_http_conflict_redis_node_t  *node;

    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3) {
        return NGX_ERROR;
    }

    e = range->element;
    master = e[2];

    if (e[0]->type != REDIS_REPLY_INTEGER || e[1]->type != REDIS_REPLY_INTEGER
        || e[0]->integer < 0
        || e[1]->integer >= NGX_HTTP_CONFLICT_REDIS_SLOTS
        || master->type != REDIS_REPLY_ARRAY || master->elements < 2
        || master->element[1]->type != REDIS_REPLY_INTEGER
        || master->element[1]->integer <= 0
        || master->element[1]->integer > 65535)
    {
        return NGX_ERROR;
    }

    host = from->host;

    if (master->element[0]->type == REDIS_REPLY_STRING
        && master->element[0]->len)
    {
        host.data = (u_char *) master->element[0]->str;
        host.len = master->element[0]->len;
    }

    if (!ngx_http_conflict_redis_numeric(&host)) {
        return NGX_ERROR;
    }

    node = ngx_http_conflict_redis_node(from->client, &host,
                                (in_port_t) master->element[1]->integer);
    if (node == NULL) {
        return NGX_ERROR;
    }

    node->mapped = 1;

    for (slot = e[0]->integer; slot <= e[1]->integer; slot++) {
        from->client->slots[slot] = (uint16_t) (node->index + 1);
    }

    return NGX_OK;
}
