
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Renewals and settles of a lease in Redis: they are sent without waiting for
 * an answer, and their result is computed here as well.
 */


#include "store/redis/ngx_http_conflict_redis_entry.h"
#include "store/redis/ngx_http_conflict_redis_store.h"
#include "stats/ngx_http_conflict_stats.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"
#include "core/text/conflict_time.h"


/* a verb of settle.lua; without "replicate" replicas may lack its effect */

typedef struct {
    const char                  *name;
    ngx_http_conflict_redis_pt   handler;
    unsigned                     replicate:1;
} ngx_http_conflict_redis_verb_t;


static ngx_int_t ngx_http_conflict_redis_settle_current(
    ngx_http_conflict_op_t *op, const ngx_http_conflict_redis_verb_t *verb,
    ngx_msec_t until);
static void ngx_http_conflict_redis_settle_state(ngx_http_conflict_op_t *op,
    uint64_t version, ngx_http_conflict_redis_settle_t *settle);
static ngx_int_t ngx_http_conflict_redis_settle(ngx_http_conflict_op_t *op,
    const ngx_http_conflict_redis_verb_t *verb,
    const ngx_http_conflict_redis_settle_t *settle, ngx_msec_t until);
static ngx_int_t ngx_http_conflict_redis_settle_send(ngx_http_conflict_op_t *op,
    const ngx_http_conflict_redis_verb_t *verb,
    const ngx_http_conflict_redis_settle_t *settle, ngx_msec_t until,
    const char **why);
static void ngx_http_conflict_redis_settle_no_renewal(
    ngx_http_conflict_op_t *op);
static ngx_uint_t ngx_http_conflict_redis_settle_flags(
    ngx_http_conflict_op_t *op, const ngx_http_conflict_redis_verb_t *verb);
static void ngx_http_conflict_redis_settle_committed(void *data,
    ngx_str_t *answer, const char *why);
static void ngx_http_conflict_redis_settle_renewed(void *data,
    ngx_str_t *answer, const char *why);
static void ngx_http_conflict_redis_settle_done(void *data, ngx_str_t *answer,
    const char *why);
static ngx_int_t ngx_http_conflict_redis_settle_again(
    ngx_http_conflict_op_t *op, const char **why);
static void ngx_http_conflict_redis_settle_failed(ngx_http_conflict_op_t *op,
    const char *why);
static void ngx_http_conflict_redis_settle_cancelled(void *data,
    ngx_str_t *answer, const char *why);


static const ngx_http_conflict_redis_verb_t
    ngx_http_conflict_redis_verb_renew =
{
    "renew", ngx_http_conflict_redis_settle_renewed, 1
};

static const ngx_http_conflict_redis_verb_t
    ngx_http_conflict_redis_verb_commit =
{
    "commit", ngx_http_conflict_redis_settle_done, 1
};

static const ngx_http_conflict_redis_verb_t
    ngx_http_conflict_redis_verb_abandon =
{
    "abandon", ngx_http_conflict_redis_settle_done, 1
};

/* the data of its handler is the store: the operation may be freed by then */

static const ngx_http_conflict_redis_verb_t
    ngx_http_conflict_redis_verb_cancel =
{
    "cancel", ngx_http_conflict_redis_settle_cancelled, 0
};


ngx_int_t
ngx_http_conflict_redis_settle_renew(ngx_http_conflict_op_t *op)
{
    if (op->renewing) {
        /* the one in flight lasts as long, whenever it arrives */
        return NGX_OK;
    }

    op->renewing = 1;

    /* not in out.asked: a begin under the lease of a lookup may be in flight */
    op->redis.renewed = ngx_http_conflict_clock_msec();

    ngx_http_conflict_redis_entry_forget(op);

    return ngx_http_conflict_redis_settle_current(op,
                          &ngx_http_conflict_redis_verb_renew, op->in.lease);
}


ngx_int_t
ngx_http_conflict_redis_settle_commit(ngx_http_conflict_op_t *op)
{
    int64_t      mtime;
    unsigned     reused;
    uint64_t     version;
    ngx_int_t    rc;
    const char  *why;

    if (op->in.minted) {
        version = op->out.fence;

    } else {
        version = op->in.observed.version
                  ? op->in.observed.version
                  : op->out.fence | CONFLICT_VERSION_OPAQUE;
    }

    mtime = op->out.mtime;
    reused = op->out.second_reused;

    conflict_mtime_next(&mtime, &reused,
                        (op->in.observed.mtime == CONFLICT_TIME_NONE)
                        ? ngx_http_conflict_clock_usec() + op->redis.clock
                        : op->in.observed.mtime);

    op->out.mtime = mtime;
    op->out.second_reused = reused;
    op->out.existence = op->in.observed.existence;
    op->out.body = 0;
    op->out.body_view = 0;

    ngx_http_conflict_redis_settle_no_renewal(op);
    ngx_http_conflict_redis_settle_state(op, version, &op->redis.settle);

    rc = ngx_http_conflict_redis_fast_commit(op,
                         ngx_http_conflict_redis_settle_flags(op,
                                       &ngx_http_conflict_redis_verb_commit),
                         ngx_http_conflict_redis_settle_committed, &why);

    if (rc == NGX_OK) {
        op->calls++;

    } else {
        (void) ngx_http_conflict_redis_settle(op,
                                       &ngx_http_conflict_redis_verb_commit,
                                       &op->redis.settle, 0);
    }

    /*
     * The result of the script, unless another write has begun over this
     * one.  Then the version is not current, and no base made of it holds.
     */

    op->out.version = version;
    op->out.leased = 0;
    op->out.applied = !op->redis.overlap;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_redis_settle_cancel(ngx_http_conflict_op_t *op)
{
    op->out.leased = 0;

    return ngx_http_conflict_redis_settle_current(op,
                                     &ngx_http_conflict_redis_verb_cancel, 0);
}


ngx_int_t
ngx_http_conflict_redis_settle_abandon(ngx_http_conflict_op_t *op)
{
    op->out.leased = 0;

    if (op->redis.token == 0) {
        op->redis.token = ngx_http_conflict_redis_codec_token();
        op->redis.unchecked = 1;
    }

    op->out.asked = ngx_http_conflict_clock_msec();

    return ngx_http_conflict_redis_settle_current(op,
                                     &ngx_http_conflict_redis_verb_abandon,
                                     op->in.quarantine);
}


static ngx_int_t
ngx_http_conflict_redis_settle_current(ngx_http_conflict_op_t *op,
    const ngx_http_conflict_redis_verb_t *verb, ngx_msec_t until)
{
    ngx_http_conflict_redis_settle_t  settle;

    if (verb != &ngx_http_conflict_redis_verb_renew) {
        ngx_http_conflict_redis_settle_no_renewal(op);
    }

    ngx_http_conflict_redis_settle_state(op, op->out.version, &settle);

    return ngx_http_conflict_redis_settle(op, verb, &settle, until);
}


static void
ngx_http_conflict_redis_settle_state(ngx_http_conflict_op_t *op,
    uint64_t version, ngx_http_conflict_redis_settle_t *settle)
{
    settle->token = op->redis.token;
    settle->fence = op->out.fence;
    settle->version = version;
    settle->mtime = op->out.mtime;
    settle->existence = op->in.observed.existence;
    settle->second_reused = op->out.second_reused;
}


/*
 * Sends a renewal or a settle, with retries while the lease may last.  No
 * request waits for it, but the operation is kept until the answer, except for
 * a cancel.
 */

static ngx_int_t
ngx_http_conflict_redis_settle(ngx_http_conflict_op_t *op,
    const ngx_http_conflict_redis_verb_t *verb,
    const ngx_http_conflict_redis_settle_t *settle, ngx_msec_t until)
{
    const char  *why;

    if (ngx_http_conflict_redis_settle_send(op, verb, settle, until, &why)
        == NGX_OK)
    {
        return NGX_OK;
    }

    if (verb == &ngx_http_conflict_redis_verb_cancel) {
        verb->handler(op->store, NULL, why);

    } else {
        op->calls++;
        verb->handler(op, NULL, why);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_redis_settle_send(ngx_http_conflict_op_t *op,
    const ngx_http_conflict_redis_verb_t *verb,
    const ngx_http_conflict_redis_settle_t *settle, ngx_msec_t until,
    const char **why)
{
    void                            *data;
    ngx_uint_t                       counted;
    ngx_http_conflict_redis_args_t   args;

    ngx_http_conflict_redis_codec_head(op->store, &args, args.own, args.text,
                                       settle->token);
    ngx_http_conflict_redis_codec_text(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_VERB, verb->name);
    ngx_http_conflict_redis_codec_version(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_FENCE, settle->fence);
    ngx_http_conflict_redis_codec_version(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_VERSION, settle->version);
    ngx_http_conflict_redis_codec_number(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_UNTIL, until);
    ngx_http_conflict_redis_codec_number(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_QUARANTINE, op->in.quarantine);
    ngx_http_conflict_redis_codec_hash(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_FINGERPRINT,
                 op->in.fingerprint);
    ngx_http_conflict_redis_codec_number(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_EXISTENCE,
                 settle->existence);
    ngx_http_conflict_redis_codec_date(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_MTIME, settle->mtime);
    ngx_http_conflict_redis_codec_number(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_TWICE, settle->second_reused);
    ngx_http_conflict_redis_codec_hash(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_VIEW,
                 op->in.part ? 0 : op->in.view);

    if (verb == &ngx_http_conflict_redis_verb_commit
        && ngx_http_conflict_op_chain(op))
    {
        ngx_http_conflict_redis_codec_link(&args,
                 NGX_HTTP_CONFLICT_REDIS_SETTLE_WORD,
                 "", op->in.pre.chain, op->in.mixed ? "+" : "");
    }

    counted = (verb != &ngx_http_conflict_redis_verb_cancel);
    data = counted ? (void *) op : op->store;

    op->calls += counted;

    if (ngx_http_conflict_redis_query_send(op, NGX_HTTP_CONFLICT_REDIS_SETTLE,
                                           &args,
                                           op->in.lease + op->in.quarantine,
                           ngx_http_conflict_redis_settle_flags(op, verb),
                                           verb->handler, data, why)
        != NGX_OK)
    {
        op->calls -= counted;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* in flight, it would renew the lease after the end of this write */

static void
ngx_http_conflict_redis_settle_no_renewal(ngx_http_conflict_op_t *op)
{
    if (op->renewing) {
        ngx_http_conflict_redis_call_withdraw(op->store->data,
                                  ngx_http_conflict_redis_settle_renewed, op);
    }
}


static ngx_uint_t
ngx_http_conflict_redis_settle_flags(ngx_http_conflict_op_t *op,
    const ngx_http_conflict_redis_verb_t *verb)
{
    ngx_uint_t  flags;

    flags = NGX_HTTP_CONFLICT_REDIS_RETRY;

    if (verb->replicate) {
        flags |= NGX_HTTP_CONFLICT_REDIS_REPLICATE;
    }

    if (op->redis.unchecked) {
        flags |= NGX_HTTP_CONFLICT_REDIS_UNCHECKED;
    }

    if (!op->in.held) {
        /* before the HTTP client gets its response and acts on it */
        flags |= NGX_HTTP_CONFLICT_REDIS_NOW;
    }

    return flags;
}


/* of the fast path, which has the entry as the begin left it */

static void
ngx_http_conflict_redis_settle_committed(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_op_t *op = data;

    if (answer && ngx_http_conflict_redis_answer_digit(answer) == '!') {
        op->calls--;

        (void) ngx_http_conflict_redis_settle(op,
                                       &ngx_http_conflict_redis_verb_commit,
                                       &op->redis.settle, 0);
        return;
    }

    ngx_http_conflict_redis_settle_done(op, answer, why);
}


/* without an answer op->out.acked stays: the fence decides by it */

static void
ngx_http_conflict_redis_settle_renewed(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_op_t *op = data;

    op->calls--;
    op->renewing = 0;

    if (answer) {
        ngx_http_conflict_redis_answer_incarnation(op->store, answer);

        if (ngx_http_conflict_redis_answer_digit(answer) == '0') {
            op->out.acked = ngx_max(op->out.acked, op->redis.renewed);
        }
    }

    ngx_http_conflict_op_answered(op);
}


/* a lease that was not settled expires into a quarantine, which is safe */

static void
ngx_http_conflict_redis_settle_done(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_op_t *op = data;

    op->calls--;

    if (answer) {
        ngx_http_conflict_redis_answer_incarnation(op->store, answer);

        op->out.lost = (ngx_http_conflict_redis_answer_digit(answer) == '1');

    } else if (ngx_http_conflict_redis_settle_again(op, &why) == NGX_OK) {
        return;

    } else {
        ngx_http_conflict_redis_settle_failed(op, why);
    }

    if (op->out.lost && op->lost_handler) {
        op->lost_handler(op);
    }

    ngx_http_conflict_op_answered(op);
}


/*
 * An unchecked write has no lease that would expire: bases from before it hold
 * until Redis has learned of it, so its call is sent again when its life is
 * over.  A call that failed earlier was refused by Redis, and would be refused
 * again.  Half of its life is enough, as calls expire by the cached time, which
 * is not that of this clock.
 */

static ngx_int_t
ngx_http_conflict_redis_settle_again(ngx_http_conflict_op_t *op,
    const char **why)
{
    ngx_http_conflict_redis_settle_t  settle;

    if (!op->redis.unchecked || ngx_exiting
        || ngx_http_conflict_clock_msec() - op->out.asked
           < (int64_t) (op->in.lease + op->in.quarantine) / 2)
    {
        return NGX_DECLINED;
    }

    op->out.asked = ngx_http_conflict_clock_msec();

    ngx_http_conflict_redis_settle_state(op, op->out.version, &settle);

    return ngx_http_conflict_redis_settle_send(op,
                                        &ngx_http_conflict_redis_verb_abandon,
                                        &settle, op->in.quarantine, why);
}


static void
ngx_http_conflict_redis_settle_failed(ngx_http_conflict_op_t *op,
    const char *why)
{
    ngx_str_t                   reason;
    ngx_http_conflict_store_t  *store;

    store = op->store;

    store->unsettled++;

    if (store->stats) {
        (void) ngx_atomic_fetch_add(&store->stats->unsettled, 1);
    }

    if (ngx_http_conflict_redis_log_throttled(&store->unsettled_logged)) {
        return;
    }

    reason.data = (u_char *) why;
    reason.len = ngx_strlen(why);

    if (reason.len && why[reason.len - 1] == '.') {
        /* as some errors of Redis end */
        reason.len--;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "conflict store \"%V\": the outcome of a write could not be "
                  "recorded: %V; %s, %ui in this process so far",
                  &store->name, &reason,
                  op->redis.unchecked
                  ? "it was unchecked, so bases from before it still hold"
                  : "its resource stays closed until a GET resolves it",
                  store->unsettled);
}


/* a lost cancel is harmless: nothing was written, and the lease expires */

static void
ngx_http_conflict_redis_settle_cancelled(void *data, ngx_str_t *answer,
    const char *why)
{
    if (answer) {
        ngx_http_conflict_redis_answer_incarnation(data, answer);
    }
}
