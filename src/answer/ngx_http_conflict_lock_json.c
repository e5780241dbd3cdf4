
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A lock as JSON, for responses of a lock endpoint and for refusals.
 */


#include "answer/ngx_http_conflict_answer.h"
#include "http/ngx_http_conflict_json.h"
#include "process/ngx_http_conflict_clock.h"


json_t *
ngx_http_conflict_lock_json(ngx_http_conflict_ctx_t *ctx, ngx_str_t *user,
    ngx_str_t *client, u_char *token)
{
    u_char                     hex[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    json_t                    *json;
    int64_t                    expires;
    ngx_http_conflict_lock_t  *lock;

    lock = &ctx->op->lock;

    expires = ngx_http_conflict_clock_usec() + (int64_t) lock->remaining * 1000;

    json = json_object();

    if (token) {
        (void) ngx_hex_dump(hex, token, NGX_HTTP_CONFLICT_LOCK_TOKEN);
        ngx_http_conflict_json_set(&json, "token",
                                   json_stringn((char *) hex, sizeof(hex)));
    }

    ngx_http_conflict_json_set_name(&json, "user", user);
    ngx_http_conflict_json_set_name(&json, "client", client);
    ngx_http_conflict_json_set_time(&json, "acquired_at", lock->acquired);
    ngx_http_conflict_json_set_time(&json, "expires_at", expires);
    ngx_http_conflict_json_set_seconds(&json, "expires_in", lock->remaining);

    if (lock->reserved) {
        ngx_http_conflict_json_set(&json, "reserved", json_true());
    }

    return json;
}
