
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Redis Cluster: the map of slots to nodes, from the reply to CLUSTER SLOTS,
 * which redirections correct.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_REFRESH  100    /* msec, minimum interval */
#define NGX_HTTP_CONFLICT_REDIS_SERVERS  64     /* that have keys */


static void ngx_http_conflict_redis_cluster_refresh_handler(ngx_event_t *ev);
static void ngx_http_conflict_redis_cluster_map(redisAsyncContext *ac,
    void *data, void *privdata);
static ngx_int_t ngx_http_conflict_redis_cluster_map_range(
    ngx_http_conflict_redis_connection_t *from, redisReply *range);


ngx_int_t
ngx_http_conflict_redis_cluster_init(ngx_http_conflict_redis_t *client)
{
    client->slots = ngx_pcalloc(client->pool, NGX_HTTP_CONFLICT_REDIS_SLOTS
                                              * sizeof(uint16_t));
    if (client->slots == NULL) {
        return NGX_ERROR;
    }

    client->tags = ngx_http_conflict_redis_slot_tags(client->pool);
    if (client->tags == NULL) {
        return NGX_ERROR;
    }

    client->stale = 1;

    client->refresh.handler = ngx_http_conflict_redis_cluster_refresh_handler;
    client->refresh.data = client;
    client->refresh.log = client->log;
    client->refresh.cancelable = 1;

    return NGX_OK;
}


ngx_http_conflict_redis_connection_t *
ngx_http_conflict_redis_cluster_owner(ngx_http_conflict_redis_t *client,
    ngx_uint_t slot)
{
    ngx_http_conflict_redis_connection_t  **conn;

    conn = client->connections.elts;

    if (client->slots[slot]) {
        return conn[client->slots[slot] - 1];
    }

    ngx_http_conflict_redis_cluster_refresh(client);

    /* without a map calls wait for the first node, which redirects them */

    return client->mapped ? NULL : conn[0];
}


ngx_uint_t
ngx_http_conflict_redis_cluster_servers(ngx_http_conflict_redis_t *client,
    ngx_str_t *names, ngx_uint_t max)
{
    uint16_t    owner;
    ngx_uint_t  i, n, slot;
    uint16_t    owners[NGX_HTTP_CONFLICT_REDIS_SERVERS];

    if (!client->conf.cluster || !client->mapped) {
        return 0;
    }

    max = ngx_min(max, NGX_HTTP_CONFLICT_REDIS_SERVERS);
    n = 0;
    owner = 0;

    for (slot = 0; slot < NGX_HTTP_CONFLICT_REDIS_SLOTS; slot++) {

        if (client->slots[slot] == 0 || client->slots[slot] == owner) {
            continue;
        }

        owner = client->slots[slot];

        for (i = 0; i < n && owners[i] != owner; i++) { /* void */ }

        if (i == n && n < max) {
            owners[n] = owner;
            names[n++] = client->tags[slot];
        }
    }

    return n;
}


ngx_http_conflict_redis_connection_t *
ngx_http_conflict_redis_cluster_redirect(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer)
{
    u_char                                *p, *last, *port;
    ngx_int_t                              n;
    ngx_str_t                              host;
    ngx_uint_t                             moved;
    ngx_http_conflict_redis_t             *client;
    ngx_http_conflict_redis_connection_t  *conn;

    client = call->client;
    last = answer->data + answer->len;

    if (answer->len > 12 && ngx_strncmp(answer->data, "CLUSTERDOWN", 11) == 0)
    {
        ngx_http_conflict_redis_cluster_refresh(client);
        return NULL;
    }

    moved = (answer->len > 6 && ngx_strncmp(answer->data, "MOVED ", 6) == 0);

    if (!moved
        && !(answer->len > 4 && ngx_strncmp(answer->data, "ASK ", 4) == 0))
    {
        return NULL;
    }

    /* "MOVED 3999 127.0.0.1:6381"; without a host: that of this node */

    p = ngx_strlchr(answer->data + (moved ? 6 : 4), last, ' ');
    if (p == NULL) {
        return NULL;
    }

    for (port = last - 1; port > p && *port != ':'; port--) { /* void */ }

    if (port == p) {
        return NULL;
    }

    host.data = p + 1;
    host.len = port - host.data;

    if (host.len == 0) {
        host = call->conn->host;
    }

    n = ngx_atoi(port + 1, last - port - 1);

    if (n <= 0 || n > 65535
        || !ngx_http_conflict_redis_address_numeric(&host))
    {
        return NULL;
    }

    conn = ngx_http_conflict_redis_connection_get(client, &host, (in_port_t) n);
    if (conn == NULL) {
        return NULL;
    }

    if (moved) {
        client->slots[call->slot] = (uint16_t) (conn->index + 1);
        conn->mapped = 1;
        ngx_http_conflict_redis_cluster_refresh(client);

    } else {
        call->asking = 1;
    }

    return conn;
}


void
ngx_http_conflict_redis_cluster_refresh(ngx_http_conflict_redis_t *client)
{
    client->stale = 1;

    if (!client->refresh.timer_set && !client->refreshing) {
        ngx_add_timer(&client->refresh, NGX_HTTP_CONFLICT_REDIS_REFRESH);
    }
}


static void
ngx_http_conflict_redis_cluster_refresh_handler(ngx_event_t *ev)
{
    ngx_http_conflict_redis_t *client = ev->data;

    ngx_uint_t                              i;
    ngx_http_conflict_redis_connection_t  **conn;

    conn = client->connections.elts;

    for (i = 0; i < client->connections.nelts; i++) {
        client->next = (client->next + 1) % client->connections.nelts;

        if (conn[client->next]->state == NGX_HTTP_CONFLICT_REDIS_READY
            && !conn[client->next]->closing
            && redisAsyncCommand(conn[client->next]->ac,
                                 ngx_http_conflict_redis_cluster_map,
                                 conn[client->next], "CLUSTER SLOTS")
               == REDIS_OK)
        {
            client->refreshing = 1;
            return;
        }
    }

    /* none is ready: the next one that becomes ready starts a refresh */
}


static void
ngx_http_conflict_redis_cluster_map(redisAsyncContext *ac, void *data,
    void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_connection_t *from = privdata;

    size_t                                  i;
    ngx_str_t                               reason;
    ngx_uint_t                              n;
    ngx_http_conflict_redis_t              *client;
    ngx_http_conflict_redis_connection_t  **conn;

    client = from->client;
    client->refreshing = 0;

    if (reply == NULL) {
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {

        ngx_str_set(&reason, "the reply has no slots");

        if (reply->str) {
            reason.data = (u_char *) reply->str;
            reason.len = reply->len;
        }

        ngx_http_conflict_redis_log_error(from, reason.data, reason.len);
        ngx_http_conflict_redis_cluster_refresh(client);
        return;
    }

    conn = client->connections.elts;

    for (n = 0; n < client->connections.nelts; n++) {
        conn[n]->mapped = 0;
    }

    ngx_memzero(client->slots,
                NGX_HTTP_CONFLICT_REDIS_SLOTS * sizeof(uint16_t));

    for (i = 0; i < reply->elements; i++) {

        if (ngx_http_conflict_redis_cluster_map_range(from, reply->element[i])
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, client->log, 0,
                          "conflict store \"%V\": the reply of %s to CLUSTER "
                          "SLOTS is unusable", &client->conf.name, from->text);
        }
    }

    client->stale = 0;
    client->mapped = 1;

    conn = client->connections.elts;

    for (n = 0; n < client->connections.nelts; n++) {

        if (!conn[n]->mapped) {
            continue;
        }

        if (conn[n]->state == NGX_HTTP_CONFLICT_REDIS_DOWN) {

            if (conn[n]->failures) {
                /* until it is up, or another node serves its slots */
                ngx_http_conflict_redis_cluster_refresh(client);
            }

            if (!conn[n]->reconnect.timer_set) {
                ngx_http_conflict_redis_connection_connect(conn[n]);
                conn = client->connections.elts;
            }
        }
    }
}


/* first slot, last slot, then the master: host, port, ... */

static ngx_int_t
ngx_http_conflict_redis_cluster_map_range(
    ngx_http_conflict_redis_connection_t *from, redisReply *range)
{
    in_port_t                              port;
    ngx_str_t                              host;
    long long                              slot;
    redisReply                            *master, **e;
    ngx_http_conflict_redis_connection_t  *conn;

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

    if (!ngx_http_conflict_redis_address_numeric(&host)) {
        return NGX_ERROR;
    }

    port = (in_port_t) master->element[1]->integer;

    conn = ngx_http_conflict_redis_connection_get(from->client, &host, port);
    if (conn == NULL) {
        return NGX_ERROR;
    }

    conn->mapped = 1;

    for (slot = e[0]->integer; slot <= e[1]->integer; slot++) {
        from->client->slots[slot] = (uint16_t) (conn->index + 1);
    }

    return NGX_OK;
}
