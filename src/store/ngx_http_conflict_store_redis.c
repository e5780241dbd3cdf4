
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Redis store: the contract's operations as calls of the scripts in
 * lua/, which decide and say what their words are.
 */


#include "store/ngx_http_conflict_redis_args.h"
#include "store/ngx_http_conflict_redis_stats.h"
#include "store/ngx_http_conflict_store.h"
#include "store/ngx_http_conflict_survey.h"
#include "core/text/conflict_hash.h"
#include "core/text/conflict_time.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"


static ngx_int_t ngx_http_conflict_redis_begin(ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_redis_peek(ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_redis_observe(ngx_http_conflict_op_t *op);

static ngx_uint_t ngx_http_conflict_redis_late(ngx_http_conflict_op_t *op);
static void ngx_http_conflict_redis_queried(void *data, ngx_str_t *answer,
    const char *why);

const ngx_http_conflict_store_ops_t  ngx_http_conflict_redis_ops = {
    ngx_http_conflict_redis_begin,
    ngx_http_conflict_redis_renew,
    ngx_http_conflict_redis_commit,
    ngx_http_conflict_redis_cancel,
    ngx_http_conflict_redis_abandon,
    ngx_http_conflict_redis_peek,
    ngx_http_conflict_redis_observe,
    ngx_http_conflict_redis_keep,
    ngx_http_conflict_redis_recall,
    ngx_http_conflict_redis_lock,
    ngx_http_conflict_redis_record,
    ngx_http_conflict_redis_tallied,
    ngx_http_conflict_redis_survey
};


static ngx_int_t
ngx_http_conflict_redis_begin(ngx_http_conflict_op_t *op)
{
    size_t                           len;
    u_char                          *buf, verdicts[CONFLICT_STATES
                                                   * CONFLICT_CHECKS + 1];
    u_char                           token[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    ngx_int_t                        rc;
    ngx_str_t                       *arg;
    ngx_uint_t                       i;
    conflict_precondition_t         *pre;
    ngx_http_conflict_redis_args_t   args;

    pre = &op->pre;

    len = (NGX_HTTP_CONFLICT_REDIS_ARGS + pre->matches + pre->nones)
          * (sizeof(ngx_str_t) + NGX_INT64_LEN + 1);

    arg = ngx_alloc(len, ngx_cycle->log);
    if (arg == NULL) {
        op->error = NGX_HTTP_CONFLICT_STORE_DOWN;
        return NGX_ERROR;
    }

    buf = (u_char *) &arg[NGX_HTTP_CONFLICT_REDIS_ARGS + pre->matches
                          + pre->nones];

    for (i = 0; i < CONFLICT_STATES * CONFLICT_CHECKS; i++) {
        verdicts[i] = '0' + conflict_decide(op->policy, i / CONFLICT_CHECKS,
                                            i % CONFLICT_CHECKS);
    }

    verdicts[i] = '\0';

    op->token = ngx_http_conflict_redis_token();
    op->asked = ngx_http_conflict_clock();

    ngx_http_conflict_redis_head(op->store, &args, arg, buf, op->token);

    if (op->store->locks && !op->reads) {
        args.third = ":l";
    }

    ngx_http_conflict_redis_text(&args, (char *) verdicts);
    ngx_http_conflict_redis_number(&args, !op->minted);
    ngx_http_conflict_redis_number(&args, op->fresh);
    ngx_http_conflict_redis_number(&args, op->force);
    ngx_http_conflict_redis_number(&args, op->report);
    ngx_http_conflict_redis_number(&args, op->lease);
    ngx_http_conflict_redis_number(&args, op->quarantine);
    ngx_http_conflict_redis_hash(&args, op->fingerprint);
    ngx_http_conflict_redis_number(&args, pre->kinds);
    ngx_http_conflict_redis_version(&args, pre->base);
    ngx_http_conflict_redis_date(&args, pre->unmodified);
    ngx_http_conflict_redis_number(&args, pre->exact);
    ngx_http_conflict_redis_given(op, &args, token);
    ngx_http_conflict_redis_bytes(&args, &op->lock.user);
    ngx_http_conflict_redis_hash(&args, op->part ? 0 : op->view);
    ngx_http_conflict_redis_number(&args, pre->matches);

    for (i = 0; i < pre->matches; i++) {
        ngx_http_conflict_redis_version(&args, pre->match[i]);
    }

    for (i = 0; i < pre->nones; i++) {
        ngx_http_conflict_redis_version(&args, pre->none[i]);
    }

    if (pre->kinds & CONFLICT_CHAIN) {
        ngx_http_conflict_redis_version(&args, pre->began);
        ngx_http_conflict_redis_link(&args, "", pre->chain, "");
    }

    rc = ngx_http_conflict_redis_query(op, NGX_HTTP_CONFLICT_REDIS_BEGIN,
                                       &args);

    ngx_free(arg);

    return rc;
}


static ngx_int_t
ngx_http_conflict_redis_peek(ngx_http_conflict_op_t *op)
{
    u_char                          buf[ngx_http_conflict_redis_room(
                                         NGX_HTTP_CONFLICT_REDIS_ARGS)];
    ngx_str_t                       arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    ngx_http_conflict_redis_args_t  args;

    ngx_http_conflict_redis_head(op->store, &args, arg, buf,
                                 ngx_http_conflict_redis_token());
    ngx_http_conflict_redis_text(&args, "peek");
    ngx_http_conflict_redis_number(&args, !op->minted);
    ngx_http_conflict_redis_hash(&args, op->view);

    if (op->rows) {
        ngx_http_conflict_redis_number(&args, op->row_ttl);
        args.third = ":h";
    }

    op->observes = 0;

    return ngx_http_conflict_redis_query(op, NGX_HTTP_CONFLICT_REDIS_READ,
                                         &args);
}


static ngx_int_t
ngx_http_conflict_redis_observe(ngx_http_conflict_op_t *op)
{
    u_char                          buf[ngx_http_conflict_redis_room(
                                         NGX_HTTP_CONFLICT_REDIS_ARGS)];
    ngx_str_t                       arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    ngx_http_conflict_redis_args_t  args;

    op->applied = 0;
    op->external = 0;
    op->observes = 1;

    ngx_http_conflict_redis_head(op->store, &args, arg, buf,
                                 ngx_http_conflict_redis_token());
    ngx_http_conflict_redis_text(&args, "observe");
    ngx_http_conflict_redis_number(&args, !op->minted);
    ngx_http_conflict_redis_version(&args, op->fence);
    ngx_http_conflict_redis_version(&args, op->version);
    ngx_http_conflict_redis_version(&args, op->seen.version);
    ngx_http_conflict_redis_hash(&args, op->seen.body);
    ngx_http_conflict_redis_hash(&args, op->seen.view);
    ngx_http_conflict_redis_date(&args, op->seen.mtime);
    ngx_http_conflict_redis_number(&args, op->seen.existence);
    ngx_http_conflict_redis_number(&args, op->seen.latest);
    ngx_http_conflict_redis_number(&args, op->doubt);

    return ngx_http_conflict_redis_query(op, NGX_HTTP_CONFLICT_REDIS_READ,
                                         &args);
}


/* a call whose answer the operation waits for */

ngx_int_t
ngx_http_conflict_redis_query(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_script_e script,
    ngx_http_conflict_redis_args_t *args)
{
    const char                      *why;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    if (!ngx_http_conflict_elders_gone(op->store)) {
        op->error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        op->rc = NGX_ERROR;
        return NGX_ERROR;
    }

    /* what they have written is to be forgotten, so not before */
    conf->entered = 1;

    op->error = NGX_HTTP_CONFLICT_STORE_DOWN;
    op->log = 0;
    op->begins = (script == NGX_HTTP_CONFLICT_REDIS_BEGIN);
    op->recalls = (script == NGX_HTTP_CONFLICT_REDIS_HISTORY);
    op->locking = (script == NGX_HTTP_CONFLICT_REDIS_LOCK);
    op->sent = ngx_http_conflict_redis_local();

    if (ngx_http_conflict_redis_submit(op, script, args, conf->timeout,
                                       op->begins
                                       ? NGX_HTTP_CONFLICT_REDIS_REPLICATE : 0,
                                       ngx_http_conflict_redis_queried, op,
                                       &why)
        != NGX_OK)
    {
        op->rc = NGX_ERROR;
        return NGX_ERROR;
    }

    op->busy = 1;

    return NGX_AGAIN;
}


ngx_int_t
ngx_http_conflict_redis_submit(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_script_e script,
    ngx_http_conflict_redis_args_t *args, ngx_msec_t life,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, void *data,
    const char **why)
{
    size_t                           i;
    u_char                          *p, ch;
    ngx_int_t                        rc;
    ngx_str_t                        key, *name;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    name = args->key ? args->key : &op->key;

    key.data = ngx_alloc(conf->prefix.len + 2 + 3 * name->len,
                         ngx_cycle->log);
    if (key.data == NULL) {
        *why = "no memory";
        return NGX_ERROR;
    }

    /* braces make the hash tag, so those of the resource are escaped */

    p = ngx_cpymem(key.data, conf->prefix.data, conf->prefix.len);
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
    key.len = p - key.data;

    rc = ngx_http_conflict_redis_call_send(op->store->data, script, &key,
                                           args->third, args->arg, args->n,
                                           life, flags, handler, data, why);
    ngx_free(key.data);

    return rc;
}


static void
ngx_http_conflict_redis_queried(void *data, ngx_str_t *answer, const char *why)
{
    ngx_http_conflict_op_t *op = data;

    op->busy = 0;
    op->rc = NGX_ERROR;

    if (answer) {

        if (op->store->gauge) {
            ngx_http_conflict_ledger_trip(op->store->gauge,
                              ngx_http_conflict_redis_local() - op->sent);
        }

        op->rc = op->recalls ? ngx_http_conflict_redis_read_bodies(op, answer)
                             : ngx_http_conflict_redis_read_answer(op, answer);
    }

    if (op->locking && op->lock.verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE
        && (op->rc != NGX_OK || !op->request))
    {
        /* its token would be nobody's */
        ngx_http_conflict_redis_give_back(op);
    }

    if (op->locking && op->rc == NGX_OK && op->request) {
        ngx_http_conflict_redis_lock_changed(op);

        if (ngx_http_conflict_redis_locked(op)) {
            return;
        }
    }

    if (op->begins
        && (op->rc != NGX_OK
            || (op->leased
                && (!op->request || ngx_http_conflict_redis_late(op)))))
    {
        /*
         * Its lease may have been taken, but nothing will be sent to the
         * upstream under it.
         */

        if (op->rc == NGX_OK) {
            op->error = NGX_HTTP_CONFLICT_STORE_DOWN;
            op->rc = NGX_ERROR;
        }

        (void) ngx_http_conflict_redis_cancel(op);
    }

    if (op->begins && op->rc == NGX_OK) {
        op->acked = op->asked;
    }

    op->begins = 0;

    if (op->request) {
        /* this may well end the request, and the operation with it */
        op->done(op);
        return;
    }

    op->done(op);
    ngx_http_conflict_op_answered(op);
}


/* half of its time is left for a renewal to come there */

static ngx_uint_t
ngx_http_conflict_redis_late(ngx_http_conflict_op_t *op)
{
    return ngx_http_conflict_clock() - op->asked > (int64_t) op->lease / 2;
}


uint64_t
ngx_http_conflict_redis_token(void)
{
    static uint64_t  seed, n;

    if (seed == 0) {
        seed = ((uint64_t) ngx_pid << 32) ^ ((uint64_t) ngx_random() << 16)
               ^ (uint64_t) ngx_http_conflict_redis_local();
    }

    n++;

    return conflict_hash_words(seed, n);
}


int64_t
ngx_http_conflict_redis_local(void)
{
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (int64_t) tv.tv_sec * CONFLICT_TIME_SECOND + tv.tv_usec;
}
