
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Calls of the Redis client: they are routed to a server, written, answered,
 * and sent again where that is safe.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"
#include "process/ngx_http_conflict_block.h"


#define NGX_HTTP_CONFLICT_REDIS_ATTEMPTS      5
#define NGX_HTTP_CONFLICT_REDIS_RETRY_DELAY   50     /* msec */
#define NGX_HTTP_CONFLICT_REDIS_RETRY_MORE    2      /* once one is accepted */
#define NGX_HTTP_CONFLICT_REDIS_RETRY_LIMIT   4096   /* calls per connection */
#define NGX_HTTP_CONFLICT_REDIS_PROBE         500    /* msec */
#define NGX_HTTP_CONFLICT_REDIS_PATIENCE      10     /* timeouts of a call */


static const char *ngx_http_conflict_redis_call_refused(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);
static void ngx_http_conflict_redis_call_dispatch(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);
static void ngx_http_conflict_redis_call_ahead(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);
static void ngx_http_conflict_redis_call_retry(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);
static ngx_int_t ngx_http_conflict_redis_call_write(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);
static void ngx_http_conflict_redis_call_probe(
    ngx_http_conflict_redis_connection_t *conn);
static void ngx_http_conflict_redis_call_accepted(
    ngx_http_conflict_redis_call_t *call);
static void ngx_http_conflict_redis_call_reply(redisAsyncContext *ac,
    void *data, void *privdata);
static void ngx_http_conflict_redis_call_keep(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);
static void ngx_http_conflict_redis_call_wait_reply(redisAsyncContext *ac,
    void *data, void *privdata);
static void ngx_http_conflict_redis_call_lost(
    ngx_http_conflict_redis_call_t *call);
static void ngx_http_conflict_redis_call_answered(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);
static void ngx_http_conflict_redis_call_error(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);
static ngx_uint_t ngx_http_conflict_redis_call_has_code(ngx_str_t *answer,
    const char *code);


/* the role or state of the server has changed: these end the connection */

static const char  *ngx_http_conflict_redis_call_fatal[] = {
    "READONLY", "LOADING", "MASTERDOWN", "NOAUTH", "OTHERRUN", NULL
};


/* calls with the flag RETRY are sent again after these */

static const char  *ngx_http_conflict_redis_call_temporary[] = {
    "TRYAGAIN", "CLUSTERDOWN", "OOM", "NOREPLICAS", "MISCONF", "BUSY", NULL
};


ngx_int_t
ngx_http_conflict_redis_call_send(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_command_t *command, ngx_msec_t life,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, void *data,
    const char **why)
{
    ngx_uint_t                              slot;
    ngx_http_conflict_redis_call_t         *call;
    ngx_http_conflict_redis_connection_t   *conn;
    ngx_http_conflict_redis_incarnation_t  *in;

    *why = "no memory";

    slot = 0;
    conn = client->conn;

    if (client->conf.cluster) {
        slot = ngx_http_conflict_redis_slot_of(command->key);
        conn = ngx_http_conflict_redis_cluster_owner(client, slot);
    }

    if (command->fast) {
        in = conn ? ngx_http_conflict_redis_incarnation_get(conn, slot) : NULL;

        if (in == NULL) {
            return NGX_DECLINED;
        }

        command->args[1].len = in->len;
        command->args[1].data = in->text;
    }

    call = ngx_http_conflict_redis_command_create(client, slot, command);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->handler = handler;
    call->data = data;
    call->retry = (flags & NGX_HTTP_CONFLICT_REDIS_RETRY) != 0;
    call->unchecked = (flags & NGX_HTTP_CONFLICT_REDIS_UNCHECKED) != 0;
    call->replicate = (client->conf.wait
                       && (flags & NGX_HTTP_CONFLICT_REDIS_REPLICATE));
    call->expires = ngx_current_msec + life;

    *why = (conn == NULL) ? "no server serves this slot"
                          : ngx_http_conflict_redis_call_refused(conn, call);

    if (*why == NULL) {
        ngx_http_conflict_redis_call_dispatch(conn, call);

        if (flags & NGX_HTTP_CONFLICT_REDIS_NOW) {
            ngx_http_conflict_redis_event_push(conn);
        }

        return NGX_OK;
    }

    ngx_http_conflict_block_free(call);

    return NGX_ERROR;
}


void
ngx_http_conflict_redis_call_withdraw(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_pt handler, void *data)
{
    ngx_uint_t                              i;
    ngx_http_conflict_redis_connection_t  **conn;

    conn = client->connections.elts;

    for (i = 0; i < client->connections.nelts; i++) {
        ngx_http_conflict_redis_queue_withdraw(conn[i], handler, data);
    }
}


/*
 * The circuit breaker: a dead server costs no time.  A server that completes
 * the handshake but does not answer costs one call per interval, which detects
 * when it answers again.
 */

static const char *
ngx_http_conflict_redis_call_refused(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    ngx_uint_t  limit;

    if (!call->retry && conn->failures > 1) {

        if (conn->state != NGX_HTTP_CONFLICT_REDIS_READY
            || ngx_current_msec - conn->probed < NGX_HTTP_CONFLICT_REDIS_PROBE)
        {
            return "the server is down";
        }

        conn->probed = ngx_current_msec;
    }

    if (!call->retry
        || (conn->state == NGX_HTTP_CONFLICT_REDIS_READY
            && call->script != NGX_HTTP_CONFLICT_REDIS_NONE))
    {
        return NULL;
    }

    /*
     * Lines of the audit stream leave room for settles, and unchecked writes
     * for those that have a lease.
     */

    limit = (call->script == NGX_HTTP_CONFLICT_REDIS_NONE)
            ? NGX_HTTP_CONFLICT_REDIS_RETRY_LIMIT / 2
            : call->unchecked ? NGX_HTTP_CONFLICT_REDIS_RETRY_LIMIT / 8 * 7
                              : NGX_HTTP_CONFLICT_REDIS_RETRY_LIMIT;

    return (conn->nretrying < limit) ? NULL
                                     : "too many calls wait for the server";
}


static void
ngx_http_conflict_redis_call_dispatch(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    if (conn->state == NGX_HTTP_CONFLICT_REDIS_READY) {
        ngx_http_conflict_redis_call_ahead(conn, call);
    }

    if (conn->state == NGX_HTTP_CONFLICT_REDIS_READY
        && !ngx_http_conflict_redis_queue_behind(conn, call)
        && ngx_http_conflict_redis_call_write(conn, call) == NGX_OK)
    {
        return;
    }

    ngx_http_conflict_redis_queue_add(conn, call);

    if (!call->retry) {
        ngx_http_conflict_redis_connection_watch(conn, call->expires);
    }

    if (conn->state == NGX_HTTP_CONFLICT_REDIS_DOWN
        && !conn->reconnect.timer_set)
    {
        ngx_add_timer(&conn->reconnect, 0);
    }
}


/*
 * A write that has passed unchecked has left no lease that would tell the next
 * call of its key of it.  If the server has refused to hear of it, and accepts
 * calls again, that call must not be first.  One makes the state unknown; the
 * calls by which a GET resolves it send the next ones.
 */

static void
ngx_http_conflict_redis_call_ahead(ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *other;

    if (conn->nunchecked == 0 || call->retry
        || !ngx_http_conflict_redis_queue_has(conn, &call->key))
    {
        return;
    }

    for (q = ngx_queue_head(&conn->retrying);
         q != ngx_queue_sentinel(&conn->retrying);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        if (other->unchecked && other->key.len == call->key.len
            && ngx_memcmp(other->key.data, call->key.data, call->key.len)
               == 0)
        {
            ngx_http_conflict_redis_call_retry(conn, other);
            return;
        }
    }
}


/* writes a call of conn->retrying, and keeps it there if it cannot */

static void
ngx_http_conflict_redis_call_retry(ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    ngx_queue_remove(&call->queue);
    ngx_http_conflict_redis_queue_left(conn, call);

    call->probe = 1;

    if (ngx_http_conflict_redis_call_write(conn, call) != NGX_OK) {
        ngx_http_conflict_redis_queue_add(conn, call);
    }
}


static ngx_int_t
ngx_http_conflict_redis_call_write(ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    redisAsyncContext          *ac;
    ngx_http_conflict_redis_t  *client;

    client = conn->client;
    ac = conn->ac;

    if (conn->closing
        || (call->asking
            && redisAsyncCommand(ac, NULL, NULL, "ASKING") != REDIS_OK))
    {
        return NGX_DECLINED;
    }

    if (call->run_id) {
        ngx_memcpy(call->run_id, conn->run_id, NGX_HTTP_CONFLICT_REDIS_RUN_ID);
        call->run_id[NGX_HTTP_CONFLICT_REDIS_RUN_ID] = '-';

        if (ngx_http_conflict_redis_check_due(conn)) {
            conn->checked = ngx_current_msec;
            call->run_id[NGX_HTTP_CONFLICT_REDIS_RUN_ID] = '+';
        }
    }

    if (call->move) {
        ngx_http_conflict_redis_noted_write(conn, call);
    }

    if (call->incarnation) {
        ngx_http_conflict_redis_incarnation_write(conn, call);
    }

    if (redisAsyncFormattedCommand(ac, ngx_http_conflict_redis_call_reply,
                                   call, (char *) call->command, call->len)
        != REDIS_OK)
    {
        return NGX_DECLINED;
    }

    call->conn = conn;
    call->asking = 0;
    call->deadline = ngx_current_msec + client->conf.timeout;
    call->limit = ngx_current_msec
                  + NGX_HTTP_CONFLICT_REDIS_PATIENCE * client->conf.timeout;
    call->wait_sent = call->replicate;

    /* WAIT covers the writes of its own connection */

    if (call->wait_sent
        && redisAsyncCommand(ac, ngx_http_conflict_redis_call_wait_reply, call,
                             "WAIT %d %d", (int) client->conf.wait,
                             (int) (client->conf.timeout + 1) / 2)
           != REDIS_OK)
    {
        call->wait_sent = 0;
        ngx_http_conflict_redis_connection_close(conn, (u_char *) "no memory",
                                                 9);
    }

    ngx_queue_insert_tail(&conn->sent, &call->queue);
    ngx_http_conflict_redis_connection_watch(conn, call->deadline);

    if (client->sentinel) {
        ngx_http_conflict_redis_sentinel_check(conn);
    }

    return NGX_OK;
}


void
ngx_http_conflict_redis_call_resend(ngx_http_conflict_redis_connection_t *conn,
    ngx_queue_t *calls)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *call;

    ngx_http_conflict_redis_queue_expire(conn, calls, 0, "timed out");

    while (!ngx_queue_empty(calls)
           && conn->state == NGX_HTTP_CONFLICT_REDIS_READY)
    {
        q = ngx_queue_head(calls);
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        ngx_queue_remove(q);

        ngx_http_conflict_redis_call_ahead(conn, call);

        if (ngx_http_conflict_redis_call_write(conn, call) != NGX_OK) {
            ngx_queue_insert_head(calls, q);
            return;
        }

        ngx_http_conflict_redis_queue_left(conn, call);
    }
}


/*
 * A server that has refused calls, of which thousands may wait, gets one from
 * time to time, and two more for each that it no longer refuses.  It may refuse
 * one and accept others, as when a slot is moved, so each has its turn, but
 * none is sent before an earlier one of its key.
 */

static void
ngx_http_conflict_redis_call_probe(ngx_http_conflict_redis_connection_t *conn)
{
    ngx_http_conflict_redis_call_t  *call;

    ngx_http_conflict_redis_queue_expire(conn, &conn->retrying, 0,
                                         "timed out");

    call = ngx_http_conflict_redis_queue_turn(conn);

    if (call) {
        ngx_http_conflict_redis_call_retry(conn, call);
    }
}


static void
ngx_http_conflict_redis_call_accepted(ngx_http_conflict_redis_call_t *call)
{
    ngx_uint_t                             i;
    ngx_http_conflict_redis_call_t        *next;
    ngx_http_conflict_redis_connection_t  *conn;

    if (!call->probe) {
        return;
    }

    call->probe = 0;
    conn = call->conn;

    for (i = 0; i < NGX_HTTP_CONFLICT_REDIS_RETRY_MORE; i++) {

        if (conn->state != NGX_HTTP_CONFLICT_REDIS_READY) {
            return;
        }

        next = ngx_http_conflict_redis_queue_turn(conn);

        if (next == NULL
            || (ngx_msec_int_t) (next->expires - ngx_current_msec) <= 0)
        {
            /* the next probe ends what has expired */
            return;
        }

        ngx_http_conflict_redis_call_retry(conn, next);
    }
}


void
ngx_http_conflict_redis_call_timer(ngx_http_conflict_redis_connection_t *conn)
{
    ngx_msec_t                       deadline;
    ngx_queue_t                     *q;
    ngx_http_conflict_redis_call_t  *call;

    if (!ngx_queue_empty(&conn->sent)) {
        q = ngx_queue_head(&conn->sent);
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);

        /* a server that answers others in the meantime is not down */

        deadline = conn->replied + conn->client->conf.timeout;

        if ((ngx_msec_int_t) (deadline - call->limit) > 0) {
            deadline = call->limit;
        }

        if ((ngx_msec_int_t) (deadline - call->deadline) > 0) {
            call->deadline = deadline;
        }

        if ((ngx_msec_int_t) (call->deadline - ngx_current_msec) <= 0) {
            /* replies arrive in order, so the others are late as well */
            (void) ngx_cpystrn(conn->reason, (u_char *) "timed out",
                               sizeof(conn->reason));
            ngx_http_conflict_redis_connection_drop(conn);

        } else {
            ngx_http_conflict_redis_connection_watch(conn, call->deadline);
        }
    }

    if (conn->state == NGX_HTTP_CONFLICT_REDIS_READY) {

        /* a begin that has waited must find what retried calls leave */

        if ((ngx_msec_int_t) (conn->retry_at - ngx_current_msec) <= 0) {
            conn->retry_at = ngx_current_msec
                             + NGX_HTTP_CONFLICT_REDIS_RETRY_DELAY;
            ngx_http_conflict_redis_call_probe(conn);
        }

        ngx_http_conflict_redis_call_resend(conn, &conn->waiting);
    }

    ngx_http_conflict_redis_queue_expire(conn, &conn->waiting, 0, "timed out");

    if (!ngx_queue_empty(&conn->waiting)) {
        q = ngx_queue_head(&conn->waiting);
        call = ngx_queue_data(q, ngx_http_conflict_redis_call_t, queue);
        ngx_http_conflict_redis_connection_watch(conn, call->expires);
    }

    if (conn->state == NGX_HTTP_CONFLICT_REDIS_READY
        && !ngx_queue_empty(&conn->retrying))
    {
        ngx_http_conflict_redis_connection_watch(conn, conn->retry_at);
    }
}


static void
ngx_http_conflict_redis_call_reply(redisAsyncContext *ac, void *data,
    void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_call_t *call = privdata;

    u_char                                *lines;
    ngx_str_t                              answer;
    ngx_http_conflict_redis_connection_t  *conn;

    if (reply == NULL) {

        if (!call->wait_sent) {
            ngx_http_conflict_redis_call_lost(call);
        }

        return;
    }

    conn = call->conn;
    conn->replied = ngx_current_msec;

    lines = NULL;
    answer.len = 0;
    answer.data = (u_char *) "";

    if (reply->type == REDIS_REPLY_ARRAY) {
        lines = ngx_http_conflict_redis_reply_lines(reply, &answer,
                                                    call->client->log);
    }

    if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS
        || reply->type == REDIS_REPLY_ERROR)
    {
        answer.len = reply->len;
        answer.data = (u_char *) reply->str;
    }

    call->error = (reply->type == REDIS_REPLY_ERROR);

    if (call->wait_sent) {
        ngx_http_conflict_redis_call_keep(call, &answer);

    } else {
        ngx_http_conflict_redis_call_answered(call, &answer);
        ngx_http_conflict_redis_queue_idle(conn);
    }

    if (lines) {
        ngx_free(lines);
    }
}


/* until the reply to WAIT; without the answer that ends the call as lost */

static void
ngx_http_conflict_redis_call_keep(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer)
{
    call->answer.data = ngx_alloc(answer->len + 1, call->client->log);

    if (call->answer.data == NULL) {
        ngx_http_conflict_redis_connection_close(call->conn,
                                                 (u_char *) "no memory", 9);
        return;
    }

    call->answer.len = answer->len;
    ngx_memcpy(call->answer.data, answer->data, answer->len);
}


static void
ngx_http_conflict_redis_call_wait_reply(redisAsyncContext *ac, void *data,
    void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_call_t *call = privdata;

    ngx_str_t                              answer;
    ngx_http_conflict_redis_connection_t  *conn;

    static ngx_str_t  lagging = ngx_string("too few replicas have it");

    conn = call->conn;
    answer = call->answer;
    ngx_str_null(&call->answer);

    if (reply == NULL || answer.data == NULL) {
        ngx_http_conflict_redis_call_lost(call);

    } else if (call->error
               || (reply->type == REDIS_REPLY_INTEGER
                   && reply->integer >= (int) call->client->conf.wait))
    {
        ngx_http_conflict_redis_call_answered(call, &answer);

    } else {
        ngx_queue_remove(&call->queue);
        ngx_http_conflict_redis_call_accepted(call);
        conn->failures++;
        ngx_http_conflict_redis_log_error(conn, lagging.data, lagging.len);
        ngx_http_conflict_redis_queue_fail(call, (char *) lagging.data);
    }

    ngx_http_conflict_redis_queue_idle(conn);

    if (answer.data) {
        ngx_free(answer.data);
    }
}


/* the connection was lost before the answer: the call may have been executed */

static void
ngx_http_conflict_redis_call_lost(ngx_http_conflict_redis_call_t *call)
{
    ngx_http_conflict_redis_connection_t  *conn;

    conn = call->conn;
    conn->state = NGX_HTTP_CONFLICT_REDIS_DOWN;

    ngx_queue_remove(&call->queue);

    if (call->withdrawn) {
        ngx_http_conflict_redis_queue_fail(call, NULL);
        return;
    }

    ngx_http_conflict_redis_queue_add(conn, call);
}


static void
ngx_http_conflict_redis_call_answered(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer)
{
    ngx_str_t                              text;
    ngx_http_conflict_redis_connection_t  *conn;

    static ngx_str_t  foreign = ngx_string("a reply to another call");

    ngx_queue_remove(&call->queue);

    if (call->error) {
        ngx_http_conflict_redis_call_error(call, answer);
        return;
    }

    ngx_http_conflict_redis_call_accepted(call);

    conn = call->conn;
    conn->failures = 0;

    ngx_http_conflict_redis_log_up(conn);

    if (call->token.len
        && (answer->len < call->token.len
            || ngx_memcmp(answer->data, call->token.data, call->token.len)
               != 0))
    {
        /* no later reply on this connection can be trusted either */

        ngx_http_conflict_redis_connection_close(conn, foreign.data,
                                                 foreign.len);
        ngx_http_conflict_redis_queue_fail(call, (char *) foreign.data);
        return;
    }

    if (call->token.len && answer->len > call->token.len
        && answer->data[call->token.len] == '+')
    {
        text = *answer;
        answer = &text;
        ngx_http_conflict_redis_incarnation_take(call, answer);
    }

    if (call->move) {
        ngx_http_conflict_redis_noted_answer(call, answer);
    }

    call->handler(call->data, answer, NULL);

    ngx_http_conflict_block_free(call);
}


/* an error reply: the call was not executed */

static void
ngx_http_conflict_redis_call_error(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer)
{
    const char                           **code;
    ngx_http_conflict_redis_connection_t  *conn, *other;

    conn = call->conn;

    if (call->withdrawn) {
        ngx_http_conflict_redis_queue_fail(call, NULL);
        return;
    }

    if (call->attempts++ < NGX_HTTP_CONFLICT_REDIS_ATTEMPTS) {

        if (ngx_http_conflict_redis_call_has_code(answer, "NOSCRIPT")
            && ngx_http_conflict_redis_handshake_load(conn, call->script)
               == NGX_OK
            && ngx_http_conflict_redis_call_write(conn, call) == NGX_OK)
        {
            return;
        }

        for (code = ngx_http_conflict_redis_call_fatal; *code; code++) {

            if (ngx_http_conflict_redis_call_has_code(answer, *code)) {
                ngx_http_conflict_redis_connection_close(conn, answer->data,
                                                         answer->len);
                ngx_http_conflict_redis_call_dispatch(conn, call);
                return;
            }
        }

        if (call->client->conf.cluster) {
            other = ngx_http_conflict_redis_cluster_redirect(call, answer);

            if (other) {
                ngx_http_conflict_redis_call_accepted(call);
                ngx_http_conflict_redis_call_dispatch(other, call);
                return;
            }

            if (ngx_http_conflict_redis_call_has_code(answer, "TRYAGAIN")) {
                /* the slot is being moved between two nodes */
                ngx_http_conflict_redis_queue_postpone(conn, call, 10);
                return;
            }
        }
    }

    code = ngx_http_conflict_redis_call_temporary;

    for ( /* void */ ; call->retry && *code; code++) {

        if (ngx_http_conflict_redis_call_has_code(answer, *code)) {
            ngx_http_conflict_redis_log_error(conn, answer->data, answer->len);
            ngx_http_conflict_redis_queue_postpone(conn, call,
                                         NGX_HTTP_CONFLICT_REDIS_RETRY_DELAY);
            return;
        }
    }

    ngx_http_conflict_redis_call_accepted(call);

    ngx_http_conflict_redis_log_error(conn, answer->data, answer->len);
    ngx_http_conflict_redis_queue_fail(call, "the server rejected the call");
}


static ngx_uint_t
ngx_http_conflict_redis_call_has_code(ngx_str_t *answer, const char *code)
{
    size_t  len;

    len = ngx_strlen(code);

    return answer->len >= len && ngx_strncmp(answer->data, code, len) == 0;
}
