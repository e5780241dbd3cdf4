
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Redis client's calls: made, routed, answered, and sent again where
 * that is safe.  Connections are those of _redis_node.c.
 */


#include "ngx_http_conflict_redis_node.h"


static ngx_uint_t ngx_http_conflict_redis_broken(
    ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call);
static void ngx_http_conflict_redis_take(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call);
static void ngx_http_conflict_redis_answered(redisAsyncContext *ac,
    void *data, void *privdata);
static void ngx_http_conflict_redis_waited(redisAsyncContext *ac, void *data,
    void *privdata);
static void ngx_http_conflict_redis_lost(ngx_http_conflict_redis_call_t *call);
static void ngx_http_conflict_redis_done(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer);
static void ngx_http_conflict_redis_refused(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);
static ngx_uint_t ngx_http_conflict_redis_is(ngx_str_t *answer,
    const char *code);


/* the server is not what it was: these end the connection */

static const char  *ngx_http_conflict_redis_fatal[] = {
    "READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "OTHERRUN", NULL
};


/* not now: for calls that can wait */

static const char  *ngx_http_conflict_redis_later[] = {
    "TRYAGAIN", "CLUSTERDOWN", "OOM", "NOREPLICAS", "MISCONF", "BUSY", NULL
};


ngx_int_t
ngx_http_conflict_redis_send(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_script_e script, ngx_str_t *key,
    const char *third, ngx_str_t *args, ngx_uint_t n, ngx_msec_t life,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, void *data,
    const char **why)
{
    ngx_http_conflict_redis_node_t  *node;
    ngx_http_conflict_redis_call_t  *call;

    *why = "no memory";

    call = ngx_http_conflict_redis_call(client, script, key, third, args,
                                        n);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->handler = handler;
    call->data = data;
    call->patient = (flags & NGX_HTTP_CONFLICT_REDIS_PATIENT) != 0;
    call->copied = (client->conf.wait
                    && (flags & NGX_HTTP_CONFLICT_REDIS_COPIED));
    call->expires = ngx_current_msec + life;

    node = client->node;

    if (client->conf.cluster) {
        node = ngx_http_conflict_redis_owner(client, call->slot);
    }

    if (node == NULL) {
        *why = "no server has this slot";

    } else if (ngx_http_conflict_redis_broken(node, call)) {
        *why = "it is down";

    } else {
        ngx_http_conflict_redis_take(node, call);

        if (script == NGX_HTTP_CONFLICT_REDIS_SETTLE
            || script == NGX_HTTP_CONFLICT_REDIS_HISTORY)
        {
            /* before the client has the answer, and goes on from there */
            ngx_http_conflict_redis_push(node);
        }

        return NGX_OK;
    }

    ngx_free(call);

    return NGX_ERROR;
}


/*
 * The breaker: a dead server costs no time, and one that greets but does not
 * answer costs that of a call now and then, which tells when it does again.
 */

static ngx_uint_t
ngx_http_conflict_redis_broken(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call)
{
    if (!call->patient && node->failures > 1) {

        if (node->state != NGX_HTTP_CONFLICT_REDIS_READY
            || ngx_current_msec - node->tried < NGX_HTTP_CONFLICT_REDIS_TRY)
        {
            return 1;
        }

        node->tried = ngx_current_msec;
    }

    if (!call->patient || node->state == NGX_HTTP_CONFLICT_REDIS_READY) {
        return 0;
    }

    /* the lines of the stream leave room for what holds a resource */

    return node->kept >= ((call->script == NGX_HTTP_CONFLICT_REDIS_NONE)
                          ? NGX_HTTP_CONFLICT_REDIS_KEPT / 2
                          : NGX_HTTP_CONFLICT_REDIS_KEPT);
}


static void
ngx_http_conflict_redis_take(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call)
{
    if (node->state == NGX_HTTP_CONFLICT_REDIS_READY
        && !ngx_http_conflict_redis_behind(node, call)
        && ngx_http_conflict_redis_write(node, call) == NGX_OK)
    {
        return;
    }

    call->node = node;

    if (call->patient) {
        ngx_http_conflict_redis_keep_call(node, call);

    } else {
        ngx_queue_insert_tail(&node->waiting, &call->queue);
        ngx_http_conflict_redis_watch(node, call->expires);
    }

    if (node->state == NGX_HTTP_CONFLICT_REDIS_DOWN
        && !node->retry.timer_set)
    {
        ngx_add_timer(&node->retry, 0);
    }
}


ngx_int_t
ngx_http_conflict_redis_write(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call)
{
    redisAsyncContext          *ac;
    ngx_http_conflict_redis_t  *client;

    client = node->client;
    ac = node->ac;

    if (node->closing
        || (call->asking
            && redisAsyncCommand(ac, NULL, NULL, "ASKING") != REDIS_OK))
    {
        return NGX_DECLINED;
    }

    if (call->run) {
        ngx_memcpy(call->run, node->run, NGX_HTTP_CONFLICT_REDIS_RUN);
        call->run[NGX_HTTP_CONFLICT_REDIS_RUN] = '-';

        if (ngx_current_msec - node->checked >= NGX_HTTP_CONFLICT_REDIS_CHECK)
        {
            node->checked = ngx_current_msec;
            call->run[NGX_HTTP_CONFLICT_REDIS_RUN] = '+';
        }
    }

    if (call->move) {
        ngx_http_conflict_redis_move(node, call);
    }

    if (redisAsyncFormattedCommand(ac, ngx_http_conflict_redis_answered, call,
                                   (char *) call->command, call->len)
        != REDIS_OK)
    {
        return NGX_DECLINED;
    }

    call->node = node;
    call->asking = 0;
    call->deadline = ngx_current_msec + client->conf.timeout;
    call->waits = call->copied;

    /* on the connection that wrote, else it would answer for nothing */

    if (call->waits
        && redisAsyncCommand(ac, ngx_http_conflict_redis_waited, call,
                             "WAIT %d %d", (int) client->conf.wait,
                             (int) (client->conf.timeout + 1) / 2)
           != REDIS_OK)
    {
        call->waits = 0;
        ngx_http_conflict_redis_close(node, (u_char *) "no memory", 9);
    }

    ngx_queue_insert_tail(&node->sent, &call->queue);
    ngx_http_conflict_redis_watch(node, call->deadline);

    return NGX_OK;
}


static void
ngx_http_conflict_redis_answered(redisAsyncContext *ac, void *data,
    void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_call_t *call = privdata;

    ngx_str_t  answer;

    if (reply == NULL) {

        if (!call->waits) {
            ngx_http_conflict_redis_lost(call);
        }

        return;
    }

    answer.len = 0;
    answer.data = (u_char *) "";

    if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS
        || reply->type == REDIS_REPLY_ERROR)
    {
        answer.len = reply->len;
        answer.data = (u_char *) reply->str;
    }

    call->refused = (reply->type == REDIS_REPLY_ERROR);

    if (!call->waits) {
        ngx_http_conflict_redis_done(call, &answer);
        return;
    }

    call->answer.data = ngx_alloc(answer.len + 1, call->client->log);

    if (call->answer.data) {
        call->answer.len = answer.len;
        ngx_memcpy(call->answer.data, answer.data, answer.len);
    }
}


static void
ngx_http_conflict_redis_waited(redisAsyncContext *ac, void *data,
    void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_call_t *call = privdata;

    ngx_str_t  answer;

    answer = call->answer;
    ngx_str_null(&call->answer);

    if (reply == NULL || answer.data == NULL) {
        ngx_http_conflict_redis_lost(call);

    } else if (call->refused
               || (reply->type == REDIS_REPLY_INTEGER
                   && reply->integer >= (int) call->client->conf.wait))
    {
        ngx_http_conflict_redis_done(call, &answer);

    } else {
        ngx_queue_remove(&call->queue);
        call->node->failures++;
        ngx_http_conflict_redis_complain(call->client, call->node,
                                  (u_char *) "too few replicas have it", 24);
        ngx_http_conflict_redis_fail(call, "too few replicas have it");
    }

    if (answer.data) {
        ngx_free(answer.data);
    }
}


/* the connection went before the answer came; nobody knows if it was done */

static void
ngx_http_conflict_redis_lost(ngx_http_conflict_redis_call_t *call)
{
    ngx_http_conflict_redis_node_t  *node;

    node = call->node;
    node->state = NGX_HTTP_CONFLICT_REDIS_DOWN;

    ngx_queue_remove(&call->queue);

    if (call->withdrawn) {
        ngx_http_conflict_redis_fail(call, NULL);

    } else if (call->patient) {
        ngx_http_conflict_redis_keep_call(node, call);

    } else {
        ngx_queue_insert_tail(&node->waiting, &call->queue);
    }
}


static void
ngx_http_conflict_redis_done(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer)
{
    ngx_http_conflict_redis_node_t  *node;

    ngx_queue_remove(&call->queue);

    if (call->refused) {
        ngx_http_conflict_redis_refused(call, answer);
        return;
    }

    node = call->node;
    node->failures = 0;

    if (node->told) {
        node->told = 0;
        ngx_log_error(NGX_LOG_WARN, node->client->log, 0,
                      "conflict store \"%V\": %s is up",
                      &node->client->conf.name, node->text);
    }

    if (call->token.len
        && (answer->len < call->token.len
            || ngx_memcmp(answer->data, call->token.data, call->token.len)
               != 0))
    {
        /* whatever comes next on this connection is not ours either */

        ngx_http_conflict_redis_close(node,
                                      (u_char *) "an answer to another call",
                                      sizeof("an answer to another call") - 1);
        ngx_http_conflict_redis_fail(call, "an answer to another call");
        return;
    }

    if (call->move) {
        ngx_http_conflict_redis_move_answered(call, answer);
    }

    call->handler(call->data, answer, NULL);

    ngx_free(call);
}


/* an error: it was not carried out */

static void
ngx_http_conflict_redis_refused(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer)
{
    ngx_uint_t                       i;
    ngx_http_conflict_redis_t       *client;
    ngx_http_conflict_redis_node_t  *node, *other;

    node = call->node;
    client = call->client;

    if (call->withdrawn) {
        ngx_http_conflict_redis_fail(call, NULL);
        return;
    }

    if (call->tries++ < NGX_HTTP_CONFLICT_REDIS_TRIES) {

        if (ngx_http_conflict_redis_is(answer, "NOSCRIPT")
            && ngx_http_conflict_redis_load(node, call->script) == NGX_OK
            && ngx_http_conflict_redis_write(node, call) == NGX_OK)
        {
            return;
        }

        for (i = 0; ngx_http_conflict_redis_fatal[i]; i++) {

            if (ngx_http_conflict_redis_is(answer,
                                           ngx_http_conflict_redis_fatal[i]))
            {
                ngx_http_conflict_redis_close(node, answer->data, answer->len);
                ngx_http_conflict_redis_take(node, call);
                return;
            }
        }

        if (client->conf.cluster) {
            other = ngx_http_conflict_redis_redirect(call, answer);

            if (other) {
                ngx_http_conflict_redis_take(other, call);
                return;
            }

            if (ngx_http_conflict_redis_is(answer, "TRYAGAIN")) {
                /* the slot is between two nodes, for a moment */
                ngx_http_conflict_redis_postpone(node, call, 10);
                return;
            }
        }
    }

    for (i = 0; call->patient && ngx_http_conflict_redis_later[i]; i++) {

        if (ngx_http_conflict_redis_is(answer,
                                       ngx_http_conflict_redis_later[i]))
        {
            ngx_http_conflict_redis_complain(client, node, answer->data,
                                             answer->len);
            ngx_http_conflict_redis_postpone(node, call,
                                             NGX_HTTP_CONFLICT_REDIS_LATER);
            return;
        }
    }

    ngx_http_conflict_redis_complain(client, node, answer->data, answer->len);
    ngx_http_conflict_redis_fail(call, "the server refused");
}


void
ngx_http_conflict_redis_fail(ngx_http_conflict_redis_call_t *call,
    const char *why)
{
    call->handler(call->data, NULL, why);

    ngx_free(call);
}


/* what a server says to calls, once in a while */

void
ngx_http_conflict_redis_complain(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_node_t *node, u_char *text, size_t len)
{
    if (ngx_http_conflict_redis_often(&client->logged)) {
        return;
    }

    ngx_http_conflict_redis_printable(text, len);

    ngx_log_error(NGX_LOG_ERR, client->log, 0,
                  "conflict store \"%V\": %s refused a call: %*s",
                  &client->conf.name, node->text, len, text);
}


ngx_uint_t
ngx_http_conflict_redis_often(ngx_msec_t *logged)
{
    if (*logged && ngx_current_msec - *logged
                   < NGX_HTTP_CONFLICT_REDIS_LOG_INTERVAL)
    {
        return 1;
    }

    *logged = ngx_current_msec;

    return 0;
}


static ngx_uint_t
ngx_http_conflict_redis_is(ngx_str_t *answer, const char *code)
{
    size_t  len;

    len = ngx_strlen(code);

    return answer->len >= len && ngx_strncmp(answer->data, code, len) == 0;
}
