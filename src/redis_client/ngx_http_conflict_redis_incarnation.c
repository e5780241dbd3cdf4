
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The incarnations of servers as answers have shown them: the script of a fast
 * path compares one with that in the server instead of checking it.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"
#include "core/text/conflict_decimal.h"


#define NGX_HTTP_CONFLICT_REDIS_INCARNATION_LIFE  60000   /* msec */


static ngx_uint_t ngx_http_conflict_redis_incarnation_slots(
    ngx_http_conflict_redis_t *client);


ngx_int_t
ngx_http_conflict_redis_incarnation_init(ngx_http_conflict_redis_t *client)
{
    client->incarnations = ngx_pcalloc(client->pool,
                           ngx_http_conflict_redis_incarnation_slots(client)
                           * sizeof(ngx_http_conflict_redis_incarnation_t *));

    return client->incarnations ? NGX_OK : NGX_ERROR;
}


void
ngx_http_conflict_redis_incarnation_free(ngx_http_conflict_redis_t *client)
{
    ngx_uint_t  slot;

    slot = ngx_http_conflict_redis_incarnation_slots(client);

    while (slot--) {

        if (client->incarnations[slot]) {
            ngx_free(client->incarnations[slot]);
            client->incarnations[slot] = NULL;
        }
    }
}


static ngx_uint_t
ngx_http_conflict_redis_incarnation_slots(ngx_http_conflict_redis_t *client)
{
    return client->conf.cluster ? NGX_HTTP_CONFLICT_REDIS_SLOTS : 1;
}


ngx_http_conflict_redis_incarnation_t *
ngx_http_conflict_redis_incarnation_get(
    ngx_http_conflict_redis_connection_t *conn, ngx_uint_t slot)
{
    ngx_http_conflict_redis_incarnation_t  *in;

    in = conn->client->incarnations[slot];

    /* only the other scripts check the server, and keep the key alive */

    if (in == NULL
        || ngx_http_conflict_redis_check_due(conn)
        || ngx_current_msec - in->seen
           > NGX_HTTP_CONFLICT_REDIS_INCARNATION_LIFE
        || !ngx_http_conflict_redis_noted(conn, slot))
    {
        return NULL;
    }

    return in;
}


/* behind the token: "+", its length, a space, the incarnation, and a space */

void
ngx_http_conflict_redis_incarnation_take(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer)
{
    size_t                                   token;
    u_char                                  *p, *last;
    uint64_t                                 len;
    ngx_http_conflict_redis_incarnation_t  **in;

    token = call->token.len;
    last = answer->data + answer->len;

    p = conflict_decimal_parse(answer->data + token + 1, last, answer->len,
                               &len);

    if (p == NULL || p == last || *p++ != ' ' || len >= (size_t) (last - p)
        || p[len] != ' '
        || len < NGX_HTTP_CONFLICT_REDIS_RUN_ID + 1
                 + NGX_HTTP_CONFLICT_REDIS_TOKEN)
    {
        /* malformed, as its decoder will find */
        return;
    }

    in = &call->client->incarnations[call->slot];

    if (*in == NULL || (*in)->len != len
        || ngx_memcmp((*in)->text, p, len) != 0)
    {
        if (*in) {
            ngx_free(*in);
        }

        *in = ngx_alloc(sizeof(ngx_http_conflict_redis_incarnation_t) + len,
                        call->client->log);

        if (*in) {
            (*in)->len = len;
            ngx_memcpy((*in)->text, p, len);
        }
    }

    if (*in) {
        (*in)->seen = ngx_current_msec;
    }

    p += len;

    answer->data = ngx_movemem(p - token, answer->data, token) - token;
    answer->len = last - answer->data;
}


void
ngx_http_conflict_redis_incarnation_write(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    if (ngx_memcmp(call->incarnation, conn->run_id,
                   NGX_HTTP_CONFLICT_REDIS_RUN_ID)
        != 0)
    {
        call->incarnation[0] = '!';
    }
}
