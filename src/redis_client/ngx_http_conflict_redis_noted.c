
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The servers that have noted the last move of routes to their store: calls
 * to the others carry the id of the move.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"
#include "core/text/conflict_hash.h"


static u_char ngx_http_conflict_redis_noted_mark(
    ngx_http_conflict_redis_connection_t *conn);


ngx_uint_t
ngx_http_conflict_redis_noted(ngx_http_conflict_redis_connection_t *conn,
    ngx_uint_t slot)
{
    ngx_http_conflict_redis_conf_t  *conf;

    conf = &conn->client->conf;

    return !conf->predecessors_gone || conf->noted == NULL
           || conf->noted[slot] == ngx_http_conflict_redis_noted_mark(conn);
}


void
ngx_http_conflict_redis_noted_write(ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call)
{
    ngx_http_conflict_redis_conf_t  *conf;

    conf = &call->client->conf;

    if (ngx_http_conflict_redis_noted(conn, call->slot)) {
        ngx_memset(call->move, '0', NGX_HTTP_CONFLICT_REDIS_MOVE);
        return;
    }

    ngx_memcpy(call->move, conf->move.data + 1, NGX_HTTP_CONFLICT_REDIS_MOVE);
}


void
ngx_http_conflict_redis_noted_answer(ngx_http_conflict_redis_call_t *call,
    ngx_str_t *answer)
{
    if (answer->len > call->token.len + 1
        && answer->data[call->token.len] == ' '
        && (answer->data[call->token.len + 1] & 2))
    {
        call->client->conf.noted[call->slot] =
                               ngx_http_conflict_redis_noted_mark(call->conn);
    }
}


/*
 * A server that was restarted or promoted is a new incarnation, which covers
 * the move.  With "failover=trust" it is none, but may have lost the id: its
 * mark differs, so that the id is sent again.
 */

static u_char
ngx_http_conflict_redis_noted_mark(ngx_http_conflict_redis_connection_t *conn)
{
    if (!conn->client->conf.trust) {
        return 1;
    }

    return 1 + conflict_hash_64(conn->run_id, NGX_HTTP_CONFLICT_REDIS_RUN_ID, 0)
               % 255;
}
