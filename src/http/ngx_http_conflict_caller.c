
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The client of a request: user, client identifier and lock token.
 */


#include "http/ngx_http_conflict_http.h"


static ngx_str_t  ngx_http_conflict_lock_token = ngx_string("lock-token");


ngx_int_t
ngx_http_conflict_caller(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    if (ngx_http_conflict_evaluate(r, nlcf->user, &ctx->caller.user)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_conflict_evaluate(r, nlcf->client, &ctx->caller.client);
}


void
ngx_http_conflict_caller_token(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    size_t                     i;
    ngx_int_t                  byte;
    ngx_str_t                 *value;
    ngx_http_conflict_lock_t  *lock;

    lock = &ctx->op->lock;

    lock->user = ctx->caller.user;
    lock->client = ctx->caller.client;

    value = ngx_http_conflict_header_find(&r->headers_in.headers,
                                          &ngx_http_conflict_lock_token, NULL);

    if (value == NULL || value->len != 2 * NGX_HTTP_CONFLICT_LOCK_TOKEN) {
        return;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_LOCK_TOKEN; i++) {
        byte = ngx_hextoi(&value->data[2 * i], 2);

        if (byte == NGX_ERROR) {
            return;
        }

        lock->token[i] = (u_char) byte;
    }

    lock->given = 1;
}
