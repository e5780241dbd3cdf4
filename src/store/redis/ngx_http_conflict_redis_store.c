
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Redis store: the operations of the contract as calls of the scripts in
 * lua/, which decide; the head of each script lists its words.
 */


#include "store/redis/ngx_http_conflict_redis_entry.h"
#include "store/redis/ngx_http_conflict_redis_stats.h"
#include "store/redis/ngx_http_conflict_redis_store.h"
#include "store/ngx_http_conflict_snapshot.h"


/* arguments of a begin with a few tags */
#define NGX_HTTP_CONFLICT_REDIS_FEW  (NGX_HTTP_CONFLICT_REDIS_ARGS + 4)


static ngx_int_t ngx_http_conflict_redis_store_begin(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_redis_store_peek(ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_redis_store_observe(
    ngx_http_conflict_op_t *op);

static ngx_int_t ngx_http_conflict_redis_store_begin_full(
    ngx_http_conflict_op_t *op);
static void ngx_http_conflict_redis_store_begin_args(
    ngx_http_conflict_op_t *op, ngx_http_conflict_redis_args_t *args,
    u_char *token);
static void ngx_http_conflict_redis_store_tags(
    ngx_http_conflict_redis_args_t *args, conflict_precondition_t *pre);
static ngx_int_t ngx_http_conflict_redis_store_begun(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_redis_store_peek_full(
    ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_redis_store_peeked(
    ngx_http_conflict_op_t *op);


const ngx_http_conflict_store_ops_t  ngx_http_conflict_redis_ops = {
    ngx_http_conflict_redis_store_begin,
    ngx_http_conflict_redis_settle_renew,
    ngx_http_conflict_redis_settle_commit,
    ngx_http_conflict_redis_settle_cancel,
    ngx_http_conflict_redis_settle_abandon,
    ngx_http_conflict_redis_store_peek,
    ngx_http_conflict_redis_store_observe,
    ngx_http_conflict_redis_history_keep,
    ngx_http_conflict_redis_history_recall,
    ngx_http_conflict_redis_history_versions,
    ngx_http_conflict_redis_lock_request,
    ngx_http_conflict_redis_items_mark,
    ngx_http_conflict_redis_items_versions,
    ngx_http_conflict_redis_audit_stream_add,
    ngx_http_conflict_redis_stats_changed,
    ngx_http_conflict_redis_snapshot_take,
    ngx_http_conflict_redis_blob
};


static ngx_int_t
ngx_http_conflict_redis_store_begin(ngx_http_conflict_op_t *op)
{
    ngx_int_t  rc;

    op->out.asked = ngx_http_conflict_clock_msec();

    if (op->in.lookup && op->out.leased) {
        return ngx_http_conflict_redis_store_begin_full(op);
    }

    op->redis.token = ngx_http_conflict_redis_codec_token();

    rc = ngx_http_conflict_redis_fast_begin(op,
                                          ngx_http_conflict_redis_store_begun);

    return (rc == NGX_DECLINED) ? ngx_http_conflict_redis_store_begin_full(op)
                                : rc;
}


/*
 * With the token of the fast path, which may have been executed twice, and the
 * time when that was asked, as its lease would begin then.
 */

static ngx_int_t
ngx_http_conflict_redis_store_begin_full(ngx_http_conflict_op_t *op)
{
    u_char                          *buf;
    u_char                           room[ngx_http_conflict_redis_codec_room(
                                          NGX_HTTP_CONFLICT_REDIS_FEW)];
    u_char                           verdicts[CONFLICT_STATES * CONFLICT_CHECKS
                                              + 1];
    u_char                           token[2 * NGX_HTTP_CONFLICT_LOCK_TOKEN];
    ngx_int_t                        rc;
    ngx_str_t                       *arg, few[NGX_HTTP_CONFLICT_REDIS_FEW];
    ngx_uint_t                       i, n;
    ngx_http_conflict_redis_args_t   args;

    n = NGX_HTTP_CONFLICT_REDIS_ARGS + op->in.pre.matches + op->in.pre.nones;
    arg = few;
    buf = room;

    if (n > NGX_HTTP_CONFLICT_REDIS_FEW) {
        arg = ngx_alloc(n * sizeof(ngx_str_t)
                        + ngx_http_conflict_redis_codec_room(n),
                        ngx_cycle->log);
        if (arg == NULL) {
            op->out.error = NGX_HTTP_CONFLICT_STORE_DOWN;
            return NGX_ERROR;
        }

        buf = (u_char *) &arg[n];
    }

    for (i = 0; i < CONFLICT_STATES * CONFLICT_CHECKS; i++) {
        verdicts[i] = '0' + conflict_decide(op->in.policy, i / CONFLICT_CHECKS,
                                            i % CONFLICT_CHECKS);
    }

    verdicts[i] = '\0';

    ngx_http_conflict_redis_codec_head(op->store, &args, arg, buf,
                                       op->redis.token);
    ngx_http_conflict_redis_codec_text(&args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_VERDICTS, (char *) verdicts);
    ngx_http_conflict_redis_store_begin_args(op, &args, token);

    rc = ngx_http_conflict_redis_query_run(op, NGX_HTTP_CONFLICT_REDIS_BEGIN,
                                           &args,
                                           NGX_HTTP_CONFLICT_REDIS_REPLICATE,
                                           ngx_http_conflict_redis_answer_begin,
                                           ngx_http_conflict_redis_store_begun);

    if (arg != few) {
        ngx_free(arg);
    }

    return rc;
}


/* those behind the verdicts; "token" is room for that of a lock */

static void
ngx_http_conflict_redis_store_begin_args(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_args_t *args, u_char *token)
{
    ngx_uint_t                mode;
    conflict_precondition_t  *pre;

    pre = &op->in.pre;

    mode = op->in.report ? NGX_HTTP_CONFLICT_REDIS_MODE_REPORT
           : !op->in.lookup ? NGX_HTTP_CONFLICT_REDIS_MODE_NONE
           : op->out.leased ? NGX_HTTP_CONFLICT_REDIS_MODE_AGAIN
                            : NGX_HTTP_CONFLICT_REDIS_MODE_LOOKUP;

    if (op->store->locks && !op->in.reads) {
        args->extra_key = ":l";
    }

    ngx_http_conflict_redis_codec_number(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_OWN, !op->in.minted);
    ngx_http_conflict_redis_codec_number(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FRESH, op->in.just_observed);
    ngx_http_conflict_redis_codec_number(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FORCE, op->in.wait_over);
    ngx_http_conflict_redis_codec_number(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_MODE, mode);
    ngx_http_conflict_redis_codec_number(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_LEASE, op->in.lease);
    ngx_http_conflict_redis_codec_number(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_QUARANTINE, op->in.quarantine);
    ngx_http_conflict_redis_codec_hash(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FINGERPRINT, op->in.fingerprint);
    ngx_http_conflict_redis_codec_number(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_KINDS,
                pre->kinds
                | (op->in.edits ? NGX_HTTP_CONFLICT_REDIS_EDIT : 0));
    ngx_http_conflict_redis_codec_version(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_BASE, pre->base);
    ngx_http_conflict_redis_codec_date(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_UNMODIFIED, pre->unmodified);
    ngx_http_conflict_redis_codec_number(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_EXACT, pre->exact);
    ngx_http_conflict_redis_codec_lock_token(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_TOKEN,
                op->lock.given ? op->lock.token : NULL, token);
    ngx_http_conflict_redis_codec_bytes(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_USER, &op->lock.user);
    ngx_http_conflict_redis_codec_hash(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_VIEW,
                op->in.part ? 0 : op->in.view);
    ngx_http_conflict_redis_codec_number(args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_TAGS, pre->matches);
    ngx_http_conflict_redis_store_tags(args, pre);

    if (op->in.edits) {
        ngx_http_conflict_redis_codec_number(args, args->n, op->in.edit.time);
        ngx_http_conflict_redis_codec_number(args, args->n, op->in.edit.tie);
        ngx_http_conflict_redis_codec_number(args, args->n, op->in.skew);
    }
}


/* the tags of If-Match, those of If-None-Match, then the words of a link */

static void
ngx_http_conflict_redis_store_tags(ngx_http_conflict_redis_args_t *args,
    conflict_precondition_t *pre)
{
    ngx_uint_t  i;

    for (i = 0; i < pre->matches; i++) {
        ngx_http_conflict_redis_codec_version(args, args->n, pre->match[i]);
    }

    for (i = 0; i < pre->nones; i++) {
        ngx_http_conflict_redis_codec_version(args, args->n, pre->none[i]);
    }

    if (pre->kinds & CONFLICT_CHAIN) {
        ngx_http_conflict_redis_codec_version(args, args->n, pre->chain_base);
        ngx_http_conflict_redis_codec_link(args, args->n, "", pre->chain, "");
    }
}


static ngx_int_t
ngx_http_conflict_redis_store_begun(ngx_http_conflict_op_t *op)
{
    if (op->rc == NGX_DECLINED && op->request) {
        op->rc = ngx_http_conflict_redis_store_begin_full(op);

        if (op->rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }
    }

    /* a renewal needs half of the lease to arrive in time */

    if (op->rc != NGX_OK
        || (op->out.leased
            && (!op->request
                || ngx_http_conflict_clock_msec() - op->out.asked
                   > (int64_t) op->in.lease / 2)))
    {
        /*
         * The lease may have been taken, but nothing will be sent to the
         * upstream under it.
         */

        if (op->rc != NGX_ERROR) {
            op->out.error = NGX_HTTP_CONFLICT_STORE_DOWN;
            op->rc = NGX_ERROR;
        }

        (void) ngx_http_conflict_redis_settle_cancel(op);
    }

    if (op->rc == NGX_OK) {
        op->out.acked = op->out.asked;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_redis_store_peek(ngx_http_conflict_op_t *op)
{
    ngx_int_t  rc;

    rc = ngx_http_conflict_redis_fast_peek(op,
                                         ngx_http_conflict_redis_store_peeked);

    return (rc == NGX_DECLINED) ? ngx_http_conflict_redis_store_peek_full(op)
                                : rc;
}


static ngx_int_t
ngx_http_conflict_redis_store_peek_full(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_redis_args_t  args;

    ngx_http_conflict_redis_codec_verb(op->store, &args, "peek");
    ngx_http_conflict_redis_codec_number(&args,
                        NGX_HTTP_CONFLICT_REDIS_READ_OWN, !op->in.minted);
    ngx_http_conflict_redis_codec_hash(&args,
                        NGX_HTTP_CONFLICT_REDIS_READ_PEEK_VIEW, op->in.view);

    if (op->in.records) {
        ngx_http_conflict_redis_codec_number(&args,
                      NGX_HTTP_CONFLICT_REDIS_READ_PEEK_TTL, op->in.record_ttl);
        args.extra_key = ":h";
    }

    return ngx_http_conflict_redis_query_run(op, NGX_HTTP_CONFLICT_REDIS_READ,
                                       &args, 0,
                                       ngx_http_conflict_redis_answer_peek,
                                       NULL);
}


static ngx_int_t
ngx_http_conflict_redis_store_peeked(ngx_http_conflict_op_t *op)
{
    if (op->rc == NGX_DECLINED) {
        op->rc = op->request ? ngx_http_conflict_redis_store_peek_full(op)
                             : NGX_ERROR;
    }

    return (op->rc == NGX_AGAIN) ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_conflict_redis_store_observe(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_redis_args_t  args;

    op->out.applied = 0;
    op->out.external = 0;

    ngx_http_conflict_redis_codec_head(op->store, &args, args.own, args.text,
                                       op->out.leased
                                       ? op->redis.token
                                       : ngx_http_conflict_redis_codec_token());
    ngx_http_conflict_redis_codec_text(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_VERB, "observe");
    ngx_http_conflict_redis_codec_number(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_OWN, !op->in.minted);
    ngx_http_conflict_redis_codec_version(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_FENCE, op->out.fence);
    ngx_http_conflict_redis_codec_version(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_VERSION, op->out.version);
    ngx_http_conflict_redis_codec_version(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_VERSION,
                op->in.observed.version);
    ngx_http_conflict_redis_codec_hash(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_BODY, op->in.observed.body);
    ngx_http_conflict_redis_codec_hash(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_VIEW, op->in.observed.view);
    ngx_http_conflict_redis_codec_date(&args,
               NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_MTIME, op->in.observed.mtime);
    ngx_http_conflict_redis_codec_number(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_EXISTENCE,
                op->in.observed.existence);
    ngx_http_conflict_redis_codec_number(&args,
             NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_LATEST, op->in.observed.latest);
    ngx_http_conflict_redis_codec_number(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_DOUBT, op->out.store_behind);

    if (op->in.edits) {
        ngx_http_conflict_redis_codec_number(&args,
                NGX_HTTP_CONFLICT_REDIS_READ_EDITS, 1);
    }

    return ngx_http_conflict_redis_query_run(op, NGX_HTTP_CONFLICT_REDIS_READ,
                                       &args, 0,
                                       ngx_http_conflict_redis_answer_observe,
                                       NULL);
}
