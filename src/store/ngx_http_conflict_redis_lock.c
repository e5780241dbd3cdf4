
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Locks in Redis: beside their entry, in its slot; and how many a user has,
 * which is in another slot and so is asked on its own.
 */


#include "store/ngx_http_conflict_redis_stats.h"


static void ngx_http_conflict_redis_lock_args(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *user, ngx_str_t *client,
    u_char *hex);
static ngx_int_t ngx_http_conflict_redis_quota(ngx_http_conflict_op_t *op,
    const char *verb, ngx_http_conflict_redis_pt handler, void *data);
static void ngx_http_conflict_redis_counted(void *data, ngx_str_t *answer,
    const char *why);
static void ngx_http_conflict_redis_too_many(ngx_http_conflict_op_t *op);
static void ngx_http_conflict_redis_noted(void *data, ngx_str_t *answer,
    const char *why);


static const char  *ngx_http_conflict_redis_verbs[] = {
    "show",
    "acquire",
    "release"
};


ngx_int_t
ngx_http_conflict_redis_lock(ngx_http_conflict_op_t *op)
{
    u_char                           buf[ngx_http_conflict_redis_room(
                                         NGX_HTTP_CONFLICT_REDIS_ARGS)];
    u_char                           given[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    u_char                           hex[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    ngx_str_t                        arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    ngx_http_conflict_redis_args_t   args;

    ngx_http_conflict_redis_head(op->store, &args, arg, buf,
                                 ngx_http_conflict_redis_token());
    ngx_http_conflict_redis_text(&args,
                             ngx_http_conflict_redis_verbs[op->lock.verb]);
    ngx_http_conflict_redis_given(op, &args, given);
    ngx_http_conflict_redis_lock_args(op, &args, &op->lock.user,
                                      &op->lock.client, hex);

    return ngx_http_conflict_redis_query(op, NGX_HTTP_CONFLICT_REDIS_LOCK,
                                         &args);
}


/*
 * The lock that the operation may have acquired goes, by its token alone: it
 * may be another tab's of the same user by now.  The request may be gone.
 */

void
ngx_http_conflict_redis_give_back(ngx_http_conflict_op_t *op)
{
    u_char                           buf[ngx_http_conflict_redis_room(
                                         NGX_HTTP_CONFLICT_REDIS_ARGS)];
    u_char                           hex[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    ngx_str_t                        arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    ngx_str_t                        none, token;
    const char                      *why;
    ngx_http_conflict_redis_args_t   args;

    ngx_str_null(&none);

    token.data = hex;
    token.len = ngx_hex_dump(hex, op->lock.fresh,
                             NGX_HTTP_CONFLICT_LOCK_TOKEN)
                - hex;

    ngx_http_conflict_redis_head(op->store, &args, arg, buf,
                                 ngx_http_conflict_redis_token());
    ngx_http_conflict_redis_text(&args, "release");
    ngx_http_conflict_redis_bytes(&args, &token);
    ngx_http_conflict_redis_lock_args(op, &args, &none, &none, hex);

    (void) ngx_http_conflict_redis_submit(op, NGX_HTTP_CONFLICT_REDIS_LOCK,
                                          &args, op->lock.idle,
                                          NGX_HTTP_CONFLICT_REDIS_RETRY,
                                          ngx_http_conflict_redis_noted, NULL,
                                          &why);
}


/* behind verb and token; "hex" has room for the fresh one */

static void
ngx_http_conflict_redis_lock_args(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *user, ngx_str_t *client,
    u_char *hex)
{
    ngx_str_t  fresh;

    fresh.data = hex;
    fresh.len = ngx_hex_dump(hex, op->lock.fresh,
                             NGX_HTTP_CONFLICT_LOCK_TOKEN)
                - hex;

    ngx_http_conflict_redis_bytes(args, user);
    ngx_http_conflict_redis_bytes(args, client);
    ngx_http_conflict_redis_bytes(args, &fresh);
    ngx_http_conflict_redis_number(args, op->lock.idle);
    ngx_http_conflict_redis_number(args, op->lock.force);
    args->third = ":l";
}


void
ngx_http_conflict_redis_given(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_args_t *args, u_char *buf)
{
    ngx_str_t  token;

    if (!op->lock.given) {
        ngx_http_conflict_redis_text(args, "-");
        return;
    }

    token.data = buf;
    token.len = ngx_hex_dump(buf, op->lock.token, NGX_HTTP_CONFLICT_LOCK_TOKEN)
                - buf;

    ngx_http_conflict_redis_bytes(args, &token);
}


/* acquired, left, two lengths, two texts */

ngx_int_t
ngx_http_conflict_redis_read_lock(ngx_http_conflict_op_t *op, u_char *p,
    u_char *last)
{
    uint64_t   acquired, left, len[2];
    ngx_str_t  user, client;

    if (ngx_http_conflict_redis_number_of(&p, last,
                                          NGX_HTTP_CONFLICT_REDIS_USEC,
                                          &acquired)
        != NGX_OK
        || ngx_http_conflict_redis_number_of(&p, last,
                                          NGX_HTTP_CONFLICT_REDIS_USEC / 1000,
                                          &left)
           != NGX_OK
        || ngx_http_conflict_redis_lengths(&p, last, len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    op->lock.acquired = (int64_t) acquired;
    op->lock.left = (ngx_msec_t) left;

    user.len = len[0];
    client.len = len[1];
    user.data = p;
    client.data = p + user.len;

    ngx_http_conflict_op_found(op, &user, &client);

    return NGX_OK;
}


ngx_uint_t
ngx_http_conflict_redis_locked(ngx_http_conflict_op_t *op)
{
    if (op->lock.holder.len == 0) {
        /* nobody's locks are counted */
        return 0;
    }

    switch (op->lock.result) {

    case NGX_HTTP_CONFLICT_LOCK_GRANTED:
    case NGX_HTTP_CONFLICT_LOCK_TAKEN:

        if (op->lock.quota == 0) {
            return 0;
        }

        /* where it is one too many it is given back */

        if (ngx_http_conflict_redis_quota(op, "count",
                                          ngx_http_conflict_redis_counted, op)
            != NGX_OK)
        {
            ngx_http_conflict_redis_too_many(op);
            return 0;
        }

        op->busy = 1;

        return 1;

    case NGX_HTTP_CONFLICT_LOCK_OWN:

        if (op->lock.quota
            && op->lock.verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE)
        {
            (void) ngx_http_conflict_redis_quota(op, "count",
                                                ngx_http_conflict_redis_noted,
                                                NULL);
        }

        return 0;

    case NGX_HTTP_CONFLICT_LOCK_RELEASED:
    case NGX_HTTP_CONFLICT_LOCK_FORCED:
        (void) ngx_http_conflict_redis_quota(op, "drop",
                                             ngx_http_conflict_redis_noted,
                                             NULL);
        return 0;

    default:
        return 0;
    }
}


/* by whose the lock is, as much of that as a lock shows */

static ngx_int_t
ngx_http_conflict_redis_quota(ngx_http_conflict_op_t *op, const char *verb,
    ngx_http_conflict_redis_pt handler, void *data)
{
    u_char                           buf[ngx_http_conflict_redis_room(
                                         NGX_HTTP_CONFLICT_REDIS_ARGS)];
    ngx_str_t                        arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    const char                      *why;
    ngx_http_conflict_redis_conf_t  *conf;
    ngx_http_conflict_redis_args_t   args;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    ngx_http_conflict_redis_head(op->store, &args, arg, buf,
                                 ngx_http_conflict_redis_token());
    ngx_http_conflict_redis_text(&args, verb);
    ngx_http_conflict_redis_bytes(&args, &op->key);
    ngx_http_conflict_redis_number(&args, op->lock.quota);
    ngx_http_conflict_redis_number(&args, op->lock.idle);
    args.third = ":u";
    args.key = &op->lock.holder;

    return ngx_http_conflict_redis_submit(op, NGX_HTTP_CONFLICT_REDIS_LOCK,
                                          &args, conf->timeout, 0, handler,
                                          data, &why);
}


static void
ngx_http_conflict_redis_too_many(ngx_http_conflict_op_t *op)
{
    op->lock.result = NGX_HTTP_CONFLICT_LOCK_TOO_MANY;

    ngx_http_conflict_redis_give_back(op);

    if (op->request) {
        ngx_http_conflict_redis_lock_changed(op);
    }
}


static void
ngx_http_conflict_redis_counted(void *data, ngx_str_t *answer, const char *why)
{
    ngx_http_conflict_op_t *op = data;

    op->busy = 0;

    /* where nobody can tell, it is one too many */

    if (answer == NULL || answer->data[answer->len - 1] != '1') {
        ngx_http_conflict_redis_too_many(op);
    }

    if (op->request) {
        op->done(op);
        return;
    }

    op->done(op);
    ngx_http_conflict_op_answered(op);
}


static void
ngx_http_conflict_redis_noted(void *data, ngx_str_t *answer, const char *why)
{
}
