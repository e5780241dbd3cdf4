
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The call of a script for an operation: its key and, if the operation waits,
 * the decoder of its answer.
 */


#include "store/redis/ngx_http_conflict_redis_store.h"
#include "stats/ngx_http_conflict_stats.h"


#define NGX_HTTP_CONFLICT_REDIS_QUERY_KEY  512   /* most keys fit */


static void ngx_http_conflict_redis_query_answered(void *data,
    ngx_str_t *answer, const char *why);


ngx_int_t
ngx_http_conflict_redis_query_run(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_script_e script,
    ngx_http_conflict_redis_args_t *args, ngx_uint_t flags,
    ngx_http_conflict_redis_decode_pt decode,
    ngx_http_conflict_redis_after_pt after)
{
    ngx_int_t                        rc;
    ngx_msec_t                       life;
    const char                      *why;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    if (!ngx_http_conflict_predecessor_gone(op->store->predecessors,
                                            &op->store->n_predecessors,
                                            &op->store->predecessors_checked))
    {
        op->out.error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        op->rc = NGX_ERROR;
        return NGX_ERROR;
    }

    /* a move also invalidates what they have written, so not earlier */
    conf->predecessors_gone = 1;

    op->out.error = NGX_HTTP_CONFLICT_STORE_DOWN;
    op->out.full = NULL;
    op->redis.sent = ngx_http_conflict_clock_usec();
    op->redis.decode = decode;
    op->redis.after = after;

    life = conf->timeout;

    if (flags & NGX_HTTP_CONFLICT_REDIS_RETRY) {
        life += op->redis.patience;
    }

    rc = ngx_http_conflict_redis_query_send(op, script, args, life, flags,
                                      ngx_http_conflict_redis_query_answered,
                                      op, &why);
    if (rc != NGX_OK) {
        op->rc = rc;
        return rc;
    }

    op->busy = 1;

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_conflict_redis_query_send(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_script_e script,
    ngx_http_conflict_redis_args_t *args, ngx_msec_t life, ngx_uint_t flags,
    ngx_http_conflict_redis_pt handler, void *data, const char **why)
{
    size_t                              size;
    u_char                              buf[
                                           NGX_HTTP_CONFLICT_REDIS_QUERY_KEY];
    ngx_int_t                           rc;
    ngx_str_t                           key, *name;
    ngx_http_conflict_redis_conf_t     *conf;
    ngx_http_conflict_redis_command_t   command;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    name = args->key ? args->key : &op->key;

    key.data = buf;
    size = ngx_http_conflict_redis_query_key_len(conf, name);

    if (size > sizeof(buf)) {
        key.data = ngx_alloc(size, ngx_cycle->log);
        if (key.data == NULL) {
            *why = "no memory";
            return NGX_ERROR;
        }
    }

    key.len = ngx_http_conflict_redis_query_key(key.data, conf, name)
              - key.data;

    command.script = script;
    command.key = &key;
    command.extra_key = args->extra_key;
    command.more = args->more;
    command.nmore = args->nmore;
    command.args = args->arg;
    command.n = args->n;
    command.before = 0;
    command.fast = args->fast;

    rc = ngx_http_conflict_redis_call_send(op->store->data, &command, life,
                                           flags, handler, data, why);
    if (key.data != buf) {
        ngx_free(key.data);
    }

    return rc;
}


u_char *
ngx_http_conflict_redis_query_key(u_char *p,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    /* braces delimit the hash tag, so those of the name are escaped */

    p = ngx_cpymem(p, conf->prefix.data, conf->prefix.len);
    *p++ = '{';

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (ch == '{' || ch == '}' || ch == '%') {
            p = ngx_sprintf(p, "%%%02Xd", (ngx_uint_t) ch);

        } else {
            *p++ = ch;
        }
    }

    *p++ = '}';

    return p;
}


static void
ngx_http_conflict_redis_query_answered(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_op_t *op = data;

    int64_t  usec;

    op->busy = 0;
    op->rc = NGX_ERROR;

    if (answer) {

        if (op->store->stats) {
            usec = ngx_http_conflict_clock_usec() - op->redis.sent;
            ngx_http_conflict_stats_recent_latency(op->store->stats, usec);
        }

        op->rc = op->redis.decode(op, answer);
    }

    if (op->redis.after && op->redis.after(op) == NGX_AGAIN) {
        return;
    }

    ngx_http_conflict_redis_query_done(op);
}


void
ngx_http_conflict_redis_query_done(ngx_http_conflict_op_t *op)
{
    if (op->request) {
        /* this may end the request and free the operation */
        op->done(op);
        return;
    }

    op->done(op);
    ngx_http_conflict_op_answered(op);
}


void
ngx_http_conflict_redis_query_ignore(void *data, ngx_str_t *answer,
    const char *why)
{
}
