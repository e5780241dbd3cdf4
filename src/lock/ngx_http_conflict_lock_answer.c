
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The content handler of a lock endpoint: its responses as JSON.
 */


#include "lock/ngx_http_conflict_lock.h"
#include "answer/ngx_http_conflict_answer.h"
#include "answer/ngx_http_conflict_endpoint.h"


static json_t *ngx_http_conflict_lock_answer_body(ngx_http_conflict_ctx_t *ctx);
static json_t *ngx_http_conflict_lock_answer_waiting(
    ngx_http_conflict_ctx_t *ctx);


ngx_int_t
ngx_http_conflict_lock_answer(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_conflict_ctx_t     *ctx;
    ngx_http_conflict_writer_t   out;

    rc = ngx_http_conflict_endpoint_respond(r, ngx_http_conflict_lock_answer,
                                            &out);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    ngx_http_conflict_writer_print(&out, "{");
    ngx_http_conflict_json_print(&out, ngx_http_conflict_lock_answer_body(ctx));
    ngx_http_conflict_writer_print(&out, "}\n");

    return ngx_http_conflict_endpoint_send(r, ctx, &out);
}


static json_t *
ngx_http_conflict_lock_answer_body(ngx_http_conflict_ctx_t *ctx)
{
    json_t                    *json;
    u_char                    *token;
    uint64_t                   version;
    ngx_str_t                 *user, *client, none;
    ngx_uint_t                 mine;
    ngx_http_conflict_lock_t  *lock;

    lock = &ctx->op->lock;
    user = &lock->holder;
    client = &lock->origin;
    mine = 1;

    ngx_str_null(&none);

    switch (lock->result) {

    case NGX_HTTP_CONFLICT_LOCK_HELD:
        token = NULL;
        mine = 0;

        if (!ctx->caller.may_see) {
            user = &none;
            client = &none;
        }

        break;

    case NGX_HTTP_CONFLICT_LOCK_OWN:
        token = (lock->verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE) ? lock->token
                                                               : NULL;
        break;

    case NGX_HTTP_CONFLICT_LOCK_TAKEN:
        token = lock->fresh;
        client = &ctx->caller.client;
        break;

    case NGX_HTTP_CONFLICT_LOCK_GRANTED:
        token = lock->fresh;
        break;

    default:
        token = NULL;
        client = NULL;
    }

    json = json_object();

    if (client) {
        ngx_http_conflict_json_set(&json, "lock",
                                   ngx_http_conflict_lock_json(ctx, user,
                                                               client, token));
        ngx_http_conflict_json_set(&json, "mine", json_boolean(mine));

        /* others learn how many wait, but not who */

        if (mine) {
            ngx_http_conflict_json_set(&json, "waiting",
                                ngx_http_conflict_lock_answer_waiting(ctx));

        } else {
            ngx_http_conflict_json_set(&json, "waiters",
                                       json_integer(lock->n_notes));
        }

    } else {
        ngx_http_conflict_json_set(&json, "lock", json_null());
    }

    if (lock->result == NGX_HTTP_CONFLICT_LOCK_HANDED) {
        ngx_http_conflict_json_set(&json, "handed_over", json_true());
    }

    if (lock->result == NGX_HTTP_CONFLICT_LOCK_TAKEN) {
        ngx_http_conflict_json_set_name(&json, "taken_from", &lock->origin);
    }

    if (lock->verb != NGX_HTTP_CONFLICT_LOCK_RELEASE) {
        /* null: unknown, or owned by the upstream and in the document */
        version = ctx->version.current;

        ngx_http_conflict_json_set_version(&json, "version", version);
    }

    return json;
}


static json_t *
ngx_http_conflict_lock_answer_waiting(ngx_http_conflict_ctx_t *ctx)
{
    json_t                         *json, *one;
    ngx_str_t                       none;
    ngx_uint_t                      i, named;
    ngx_http_conflict_lock_note_t  *note;

    ngx_str_null(&none);

    json = json_array();
    named = ctx->caller.may_see;

    for (i = 0; i < ctx->op->lock.n_notes; i++) {
        note = &ctx->op->lock.notes[i];
        one = json_object();

        ngx_http_conflict_json_set_name(&one, "user",
                                        named ? &note->user : &none);
        ngx_http_conflict_json_set_name(&one, "client",
                                        named ? &note->client : &none);
        ngx_http_conflict_json_set_time(&one, "since", note->since);

        ngx_http_conflict_json_append(&json, one);
    }

    return json;
}
