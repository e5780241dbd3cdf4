
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The life of a connection to a Redis server: made, watched, closed and
 * made again, and the calls that wait for it meanwhile.
 */


#include "ngx_http_conflict_redis_node.h"


static void ngx_http_conflict_redis_open(ngx_http_conflict_redis_node_t *node);
static void ngx_http_conflict_redis_connected(const redisAsyncContext *ac,
    int status);
static void ngx_http_conflict_redis_disconnected(const redisAsyncContext *ac,
    int status);


void
ngx_http_conflict_redis_name(ngx_http_conflict_redis_node_t *node,
    ngx_str_t *host, in_port_t port)
{
    node->port = port;
    node->host.len = ngx_min(host->len, NGX_SOCKADDR_STRLEN);
    ngx_memcpy(node->host.data, host->data, node->host.len);
    node->host.data[node->host.len] = '\0';

    if (port) {
        (void) ngx_snprintf(node->text, sizeof(node->text), "%V:%ui%Z",
                            &node->host, (ngx_uint_t) port);

    } else {
        (void) ngx_snprintf(node->text, sizeof(node->text), "unix:%V%Z",
                            &node->host);
    }
}


void
ngx_http_conflict_redis_connect(ngx_http_conflict_redis_node_t *node)
{
    if (node->retry.timer_set) {
        ngx_del_timer(&node->retry);
    }

    if (node->state != NGX_HTTP_CONFLICT_REDIS_DOWN) {
        return;
    }

    node->state = NGX_HTTP_CONFLICT_REDIS_CONNECTING;

    if (node == node->client->node && node->client->guide) {
        /* it may still be about to close, after its last answer */
        ngx_http_conflict_redis_drop(node->client->guide);
        ngx_http_conflict_redis_find_master(node->client);
        return;
    }

    ngx_http_conflict_redis_open(node);
}


void
ngx_http_conflict_redis_connect_to(ngx_http_conflict_redis_node_t *node,
    ngx_str_t *host, in_port_t port)
{
    ngx_http_conflict_redis_name(node, host, port);
    ngx_http_conflict_redis_open(node);
}


static void
ngx_http_conflict_redis_open(ngx_http_conflict_redis_node_t *node)
{
    redisAsyncContext  *ac;

    node->state = NGX_HTTP_CONFLICT_REDIS_CONNECTING;

    ac = node->port ? redisAsyncConnect((char *) node->host.data, node->port)
                    : redisAsyncConnectUnix((char *) node->host.data);

    if (ac == NULL) {
        ngx_http_conflict_redis_down(node, "no memory");
        return;
    }

    if (ac->err) {
        (void) ngx_cpystrn(node->reason, (u_char *) ac->errstr,
                           sizeof(node->reason));
        redisAsyncFree(ac);
        ngx_http_conflict_redis_down(node, NULL);
        return;
    }

    node->ac = ac;

    if (ngx_http_conflict_redis_attach(node) != NGX_OK) {
        node->ac = NULL;
        redisAsyncFree(ac);
        ngx_http_conflict_redis_down(node, "no free connection, see "
                                           "worker_connections");
        return;
    }

    if (node->client->conf.tls
        && ngx_http_conflict_redis_tls_start(node) != NGX_OK)
    {
        (void) ngx_cpystrn(node->reason, (u_char *) ac->c.errstr,
                           sizeof(node->reason));
        node->ac = NULL;
        redisAsyncFree(ac);
        ngx_http_conflict_redis_down(node, NULL);
        return;
    }

    node->deadline = ngx_current_msec
                     + ngx_max(node->client->conf.timeout,
                               NGX_HTTP_CONFLICT_REDIS_CONNECT);
    ngx_http_conflict_redis_watch(node, node->deadline);

    /* this waits for the first write event */

    (void) redisAsyncSetDisconnectCallback(ac,
                                        ngx_http_conflict_redis_disconnected);
    (void) redisAsyncSetConnectCallback(ac, ngx_http_conflict_redis_connected);
}


static void
ngx_http_conflict_redis_connected(const redisAsyncContext *ac, int status)
{
    ngx_http_conflict_redis_node_t *node = ac->data;

    if (status != REDIS_OK) {

        if (node->ssl) {
            /* the handshake may be over before hiredis looks */
            ngx_http_conflict_redis_tls_lost(node, (redisAsyncContext *) ac);
        }

        /* hiredis frees the context; 0.14 has not set ac->err yet */

        (void) ngx_cpystrn(node->reason,
                           (u_char *) (ac->c.errstr[0] ? ac->c.errstr
                                                       : "cannot connect"),
                           sizeof(node->reason));
        node->ac = NULL;
        ngx_http_conflict_redis_down(node, NULL);
        return;
    }

    node->state = NGX_HTTP_CONFLICT_REDIS_GREETING;

    ngx_http_conflict_redis_greet(node);
}


/* of connections that were made; hiredis frees the context */

static void
ngx_http_conflict_redis_disconnected(const redisAsyncContext *ac, int status)
{
    ngx_http_conflict_redis_node_t *node = ac->data;

    node->ac = NULL;

    if (node->client->stopping) {
        return;
    }

    if (!node->closing) {
        (void) ngx_cpystrn(node->reason,
                           (u_char *) (ac->c.errstr[0] ? ac->c.errstr
                                                       : "closed"),
                           sizeof(node->reason));
    }

    ngx_http_conflict_redis_down(node, NULL);
}


void
ngx_http_conflict_redis_ready(ngx_http_conflict_redis_node_t *node)
{
    ngx_http_conflict_redis_t  *client;

    client = node->client;

    node->state = NGX_HTTP_CONFLICT_REDIS_READY;
    node->checked = ngx_current_msec;

    if (client->stale) {
        ngx_http_conflict_redis_refresh(client);
    }

    ngx_http_conflict_redis_resend(node, &node->patient);
    ngx_http_conflict_redis_resend(node, &node->waiting);
}


void
ngx_http_conflict_redis_close(ngx_http_conflict_redis_node_t *node,
    u_char *why, size_t len)
{
    if (node->closing || node->ac == NULL) {
        return;
    }

    (void) ngx_snprintf(node->reason, sizeof(node->reason), "%*s%Z",
                        ngx_min(len, sizeof(node->reason) - 1), why);
    ngx_http_conflict_redis_printable(node->reason, ngx_strlen(node->reason));

    node->closing = 1;

    ngx_post_event(&node->flush, &ngx_posted_events);
}


void
ngx_http_conflict_redis_printable(u_char *p, size_t len)
{
    u_char  *last;

    for (last = p + len; p < last; p++) {

        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }
}


void
ngx_http_conflict_redis_flush(ngx_event_t *ev)
{
    ngx_http_conflict_redis_node_t *node = ev->data;

    if (node->closing) {
        ngx_http_conflict_redis_drop(node);

    } else if (node->ac) {
        ngx_http_conflict_redis_write_out(node);
    }
}


void
ngx_http_conflict_redis_drop(ngx_http_conflict_redis_node_t *node)
{
    redisAsyncContext  *ac;

    ac = node->ac;

    if (ac == NULL) {
        return;
    }

    node->closing = 1;
    node->state = NGX_HTTP_CONFLICT_REDIS_DOWN;

    redisAsyncFree(ac);

    if (node->ac) {
        /* it was never connected */
        node->ac = NULL;
        ngx_http_conflict_redis_down(node, NULL);
    }
}


void
ngx_http_conflict_redis_down(ngx_http_conflict_redis_node_t *node,
    const char *why)
{
    ngx_msec_t                  delay;
    ngx_http_conflict_redis_t  *client;

    client = node->client;

    if (why) {
        (void) ngx_cpystrn(node->reason, (u_char *) why,
                           sizeof(node->reason));
    }

    node->state = NGX_HTTP_CONFLICT_REDIS_DOWN;
    node->closing = 0;
    node->failures++;

    if (node->sentinel) {
        ngx_http_conflict_redis_unguided(client);
        return;
    }

    if (!node->told) {
        node->told = 1;
        ngx_log_error(NGX_LOG_ERR, client->log, 0,
                      "conflict store \"%V\": %s is down: %s",
                      &client->conf.name, node->text, node->reason);
    }

    /* at once, then slower, and not all workers at the same time */

    delay = 0;

    if (node->failures > 1) {
        delay = 50 << ngx_min(node->failures - 1, 6);
        delay = ngx_min(delay, NGX_HTTP_CONFLICT_REDIS_LONGEST);
        delay = delay * 3 / 4 + ngx_random() % (delay / 2);
    }

    if (!client->conf.cluster || node->mapped || client->stale) {
        ngx_add_timer(&node->retry, delay);
    }

    if (client->conf.cluster) {
        ngx_http_conflict_redis_refresh(client);
    }

    ngx_http_conflict_redis_expire(node, &node->waiting, node->failures > 1,
                                   (char *) node->reason);
    ngx_http_conflict_redis_expire(node, &node->patient, 0,
                                   (char *) node->reason);

    if (!ngx_queue_empty(&node->waiting)) {
        ngx_http_conflict_redis_watch(node, ngx_current_msec
                                            + client->conf.timeout);
    }
}


void
ngx_http_conflict_redis_retry(ngx_event_t *ev)
{
    ngx_http_conflict_redis_node_t *node = ev->data;

    ngx_http_conflict_redis_connect(node);
}
