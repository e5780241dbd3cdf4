
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Locks in Redis: a lock is in the slot of its entry; the locks of a user are
 * counted in another slot, by a call of its own.
 */


#include "store/redis/ngx_http_conflict_redis_stats.h"
#include "store/redis/ngx_http_conflict_redis_store.h"


static ngx_int_t ngx_http_conflict_redis_lock_after(ngx_http_conflict_op_t *op);
static void ngx_http_conflict_redis_lock_args(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *user, ngx_str_t *client,
    u_char *hex);
static void ngx_http_conflict_redis_lock_give_back(ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_redis_lock_count(ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_redis_lock_quota(ngx_http_conflict_op_t *op,
    const char *verb, ngx_http_conflict_redis_pt handler, void *data);
static void ngx_http_conflict_redis_lock_counted(void *data, ngx_str_t *answer,
    const char *why);
static void ngx_http_conflict_redis_lock_too_many(ngx_http_conflict_op_t *op);


static const char  *ngx_http_conflict_redis_lock_verbs[] = {
    "show",
    "acquire",
    "release"
};


ngx_int_t
ngx_http_conflict_redis_lock_request(ngx_http_conflict_op_t *op)
{
    u_char                           given[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    u_char                           hex[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    const char                      *verb;
    ngx_http_conflict_redis_args_t   args;

    verb = ngx_http_conflict_redis_lock_verbs[op->lock.verb];

    ngx_http_conflict_redis_codec_verb(op->store, &args, verb);
    ngx_http_conflict_redis_codec_lock_token(&args,
                       NGX_HTTP_CONFLICT_REDIS_LOCK_TOKEN,
                       op->lock.given ? op->lock.token : NULL, given);
    ngx_http_conflict_redis_lock_args(op, &args, &op->lock.user,
                                      &op->lock.client, hex);

    return ngx_http_conflict_redis_query_run(op,
                                       NGX_HTTP_CONFLICT_REDIS_LOCK,
                                       &args, 0,
                                       ngx_http_conflict_redis_answer_lock,
                                       ngx_http_conflict_redis_lock_after);
}


static ngx_int_t
ngx_http_conflict_redis_lock_after(ngx_http_conflict_op_t *op)
{
    if (op->lock.verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE
        && (op->rc != NGX_OK || !op->request))
    {
        /* no client has the token of the lock */
        ngx_http_conflict_redis_lock_give_back(op);
    }

    if (op->rc != NGX_OK || !op->request) {
        return NGX_OK;
    }

    ngx_http_conflict_redis_stats_lock(op);

    return ngx_http_conflict_redis_lock_count(op);
}


/*
 * Releases the lock that the operation may have acquired, by its token alone:
 * it may belong to another tab of the user by now.  The request may be gone.
 */

static void
ngx_http_conflict_redis_lock_give_back(ngx_http_conflict_op_t *op)
{
    u_char                           token[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    u_char                           fresh[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    ngx_str_t                        none;
    const char                      *why;
    ngx_http_conflict_redis_args_t   args;

    ngx_str_null(&none);

    ngx_http_conflict_redis_codec_verb(op->store, &args, "release");
    ngx_http_conflict_redis_codec_lock_token(&args,
                     NGX_HTTP_CONFLICT_REDIS_LOCK_TOKEN, op->lock.fresh, token);
    ngx_http_conflict_redis_lock_args(op, &args, &none, &none, fresh);

    (void) ngx_http_conflict_redis_query_send(op,
                                        NGX_HTTP_CONFLICT_REDIS_LOCK,
                                        &args, op->lock.idle,
                                        NGX_HTTP_CONFLICT_REDIS_RETRY,
                                        ngx_http_conflict_redis_query_ignore,
                                        NULL, &why);
}


/* the arguments behind verb and token; "hex" has room for the fresh token */

static void
ngx_http_conflict_redis_lock_args(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *user, ngx_str_t *client,
    u_char *hex)
{
    ngx_http_conflict_redis_codec_bytes(args,
                       NGX_HTTP_CONFLICT_REDIS_LOCK_USER, user);
    ngx_http_conflict_redis_codec_bytes(args,
                       NGX_HTTP_CONFLICT_REDIS_LOCK_CLIENT, client);
    ngx_http_conflict_redis_codec_lock_token(args,
                       NGX_HTTP_CONFLICT_REDIS_LOCK_FRESH, op->lock.fresh, hex);
    ngx_http_conflict_redis_codec_number(args,
                       NGX_HTTP_CONFLICT_REDIS_LOCK_IDLE, op->lock.idle);
    ngx_http_conflict_redis_codec_number(args,
                       NGX_HTTP_CONFLICT_REDIS_LOCK_FORCE, op->lock.force);
    ngx_http_conflict_redis_codec_number(args,
                       NGX_HTTP_CONFLICT_REDIS_LOCK_NOTE, op->lock.note);
    ngx_http_conflict_redis_codec_number(args,
                       NGX_HTTP_CONFLICT_REDIS_LOCK_RESERVE, op->lock.reserve);
    args->extra_key = ":l";
}


/* counts the locks of a user; NGX_AGAIN: the quota is being checked */

static ngx_int_t
ngx_http_conflict_redis_lock_count(ngx_http_conflict_op_t *op)
{
    if (op->lock.holder.len == 0) {
        /* the locks of an unknown user are not counted */
        return NGX_OK;
    }

    switch (op->lock.result) {

    case NGX_HTTP_CONFLICT_LOCK_GRANTED:
    case NGX_HTTP_CONFLICT_LOCK_TAKEN:

        if (op->lock.quota == 0) {
            return NGX_OK;
        }

        /* a lock above the quota is given back */

        if (ngx_http_conflict_redis_lock_quota(op, "count",
                                         ngx_http_conflict_redis_lock_counted,
                                         op)
            != NGX_OK)
        {
            ngx_http_conflict_redis_lock_too_many(op);
            return NGX_OK;
        }

        op->busy = 1;

        return NGX_AGAIN;

    case NGX_HTTP_CONFLICT_LOCK_OWN:

        if (op->lock.quota
            && op->lock.verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE)
        {
            (void) ngx_http_conflict_redis_lock_quota(op, "count",
                                         ngx_http_conflict_redis_query_ignore,
                                         NULL);
        }

        return NGX_OK;

    case NGX_HTTP_CONFLICT_LOCK_RELEASED:
    case NGX_HTTP_CONFLICT_LOCK_FORCED:
    case NGX_HTTP_CONFLICT_LOCK_HANDED:
        (void) ngx_http_conflict_redis_lock_quota(op, "drop",
                                         ngx_http_conflict_redis_query_ignore,
                                         NULL);
        return NGX_OK;

    default:
        return NGX_OK;
    }
}


/* the key is the user of the lock, truncated as in the lock */

static ngx_int_t
ngx_http_conflict_redis_lock_quota(ngx_http_conflict_op_t *op, const char *verb,
    ngx_http_conflict_redis_pt handler, void *data)
{
    const char                      *why;
    ngx_http_conflict_redis_conf_t  *conf;
    ngx_http_conflict_redis_args_t   args;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    ngx_http_conflict_redis_codec_verb(op->store, &args, verb);
    ngx_http_conflict_redis_codec_bytes(&args,
                      NGX_HTTP_CONFLICT_REDIS_LOCK_COUNT_KEY, &op->key);
    ngx_http_conflict_redis_codec_number(&args,
                      NGX_HTTP_CONFLICT_REDIS_LOCK_COUNT_QUOTA, op->lock.quota);
    ngx_http_conflict_redis_codec_number(&args,
                      NGX_HTTP_CONFLICT_REDIS_LOCK_COUNT_IDLE, op->lock.idle);
    args.extra_key = ":u";
    args.key = &op->lock.holder;

    return ngx_http_conflict_redis_query_send(op, NGX_HTTP_CONFLICT_REDIS_LOCK,
                                              &args, conf->timeout, 0, handler,
                                              data, &why);
}


static void
ngx_http_conflict_redis_lock_too_many(ngx_http_conflict_op_t *op)
{
    op->lock.result = NGX_HTTP_CONFLICT_LOCK_TOO_MANY;

    ngx_http_conflict_redis_lock_give_back(op);

    if (op->request) {
        ngx_http_conflict_redis_stats_lock(op);
    }
}


static void
ngx_http_conflict_redis_lock_counted(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_op_t *op = data;

    op->busy = 0;

    /* without an answer the lock is one too many */

    if (answer == NULL
        || ngx_http_conflict_redis_answer_digit(answer) != '1')
    {
        ngx_http_conflict_redis_lock_too_many(op);
    }

    ngx_http_conflict_redis_query_done(op);
}
