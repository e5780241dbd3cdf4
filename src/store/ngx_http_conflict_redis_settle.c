
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What becomes of a lease in Redis: settles are sent and not waited for;
 * what they lead to is known here.
 */


#include "store/ngx_http_conflict_redis_args.h"
#include "store/ngx_http_conflict_ledger.h"
#include "core/text/conflict_time.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"


static ngx_int_t ngx_http_conflict_redis_settle(ngx_http_conflict_op_t *op,
    const char *verb, uint64_t version, ngx_msec_t until);
static void ngx_http_conflict_redis_renewed(void *data, ngx_str_t *answer,
    const char *why);
static void ngx_http_conflict_redis_settled(void *data, ngx_str_t *answer,
    const char *why);
static void ngx_http_conflict_redis_unsettled(
    ngx_http_conflict_store_t *store, const char *why);
static void ngx_http_conflict_redis_cancelled(void *data, ngx_str_t *answer,
    const char *why);


ngx_int_t
ngx_http_conflict_redis_renew(ngx_http_conflict_op_t *op)
{
    if (op->renewing) {
        /* it holds the lease as long whenever it comes there */
        return NGX_OK;
    }

    op->renewing = 1;
    op->asked = ngx_http_conflict_clock();

    return ngx_http_conflict_redis_settle(op, "renew", op->version, op->lease);
}


ngx_int_t
ngx_http_conflict_redis_commit(ngx_http_conflict_op_t *op)
{
    int64_t    mtime;
    unsigned   twice;
    uint64_t   version;
    ngx_int_t  rc;

    if (op->minted) {
        version = op->fence;

    } else {
        version = op->seen.version ? op->seen.version
                                   : op->fence | CONFLICT_VERSION_OPAQUE;
    }

    mtime = op->mtime;
    twice = op->twice;

    conflict_mtime_next(&mtime, &twice,
                        (op->seen.mtime == CONFLICT_TIME_NONE)
                        ? ngx_http_conflict_redis_local() + op->clock
                        : op->seen.mtime);

    op->mtime = mtime;
    op->twice = twice;
    op->existence = op->seen.existence;
    op->body = 0;
    op->body_view = 0;

    rc = ngx_http_conflict_redis_settle(op, "commit", version, 0);

    /*
     * What the script will come to, unless another write has begun over
     * this one.  Then the version is not current, and no base that is
     * made of it holds.
     */

    op->version = version;
    op->leased = 0;
    op->applied = !op->overlap;

    return rc;
}


ngx_int_t
ngx_http_conflict_redis_cancel(ngx_http_conflict_op_t *op)
{
    op->leased = 0;

    return ngx_http_conflict_redis_settle(op, "cancel", op->version, 0);
}


ngx_int_t
ngx_http_conflict_redis_abandon(ngx_http_conflict_op_t *op)
{
    op->leased = 0;

    if (op->token == 0) {
        /* it never began: a write that nobody has checked */
        op->token = ngx_http_conflict_redis_token();
    }

    return ngx_http_conflict_redis_settle(op, "abandon", op->version,
                                          op->quarantine);
}


/*
 * Sent, and sent again while the lease may last; no request waits for it, but
 * the operation stays until it is answered.
 */

static ngx_int_t
ngx_http_conflict_redis_settle(ngx_http_conflict_op_t *op, const char *verb,
    uint64_t version, ngx_msec_t until)
{
    u_char                           buf[ngx_http_conflict_redis_room(
                                         NGX_HTTP_CONFLICT_REDIS_ARGS)];
    void                            *data;
    ngx_str_t                        arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    ngx_uint_t                       flags;
    const char                      *why;
    ngx_http_conflict_redis_pt       handler;
    ngx_http_conflict_redis_args_t   args;

    flags = NGX_HTTP_CONFLICT_REDIS_RETRY;
    data = op;

    if (verb[0] == 'c' && verb[1] == 'a') {
        handler = ngx_http_conflict_redis_cancelled;
        data = op->store;

    } else {
        handler = (verb[0] == 'r') ? ngx_http_conflict_redis_renewed
                                   : ngx_http_conflict_redis_settled;
        flags |= NGX_HTTP_CONFLICT_REDIS_REPLICATE;
    }

    if (op->renewing && verb[0] != 'r') {
        /* it would hold the resource once more, when this write is over */
        ngx_http_conflict_redis_call_withdraw(op->store->data,
                                              ngx_http_conflict_redis_renewed,
                                              op);
    }

    ngx_http_conflict_redis_head(op->store, &args, arg, buf, op->token);
    ngx_http_conflict_redis_text(&args, verb);
    ngx_http_conflict_redis_version(&args, op->fence);
    ngx_http_conflict_redis_version(&args, version);
    ngx_http_conflict_redis_number(&args, until);
    ngx_http_conflict_redis_number(&args, op->quarantine);
    ngx_http_conflict_redis_hash(&args, op->fingerprint);
    ngx_http_conflict_redis_number(&args, op->seen.existence);
    ngx_http_conflict_redis_date(&args, op->mtime);
    ngx_http_conflict_redis_number(&args, op->twice);
    ngx_http_conflict_redis_hash(&args, op->part ? 0 : op->view);

    if (verb[0] == 'c' && verb[1] == 'o' && ngx_http_conflict_op_chain(op)) {
        ngx_http_conflict_redis_link(&args, "", op->pre.chain,
                                     op->mixed ? "+" : "");
    }

    op->calls += (data == op);

    if (ngx_http_conflict_redis_submit(op, NGX_HTTP_CONFLICT_REDIS_SETTLE,
                                       &args, op->lease + op->quarantine,
                                       flags, handler, data, &why)
        != NGX_OK)
    {
        handler(data, NULL, why);
    }

    return NGX_OK;
}


/* a renewal that failed, or was withdrawn, is no settle: the fence will tell */

static void
ngx_http_conflict_redis_renewed(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_op_t *op = data;

    op->calls--;
    op->renewing = 0;

    if (answer) {
        ngx_http_conflict_redis_born(op->store, answer);

        if (answer->data[answer->len - 1] == '0') {
            op->acked = op->asked;
        }
    }

    ngx_http_conflict_op_answered(op);
}


/* a lease that was not settled runs out into a quarantine: that is safe */

static void
ngx_http_conflict_redis_settled(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_op_t *op = data;

    op->calls--;

    if (answer) {
        ngx_http_conflict_redis_born(op->store, answer);

        op->lost = (answer->data[answer->len - 1] == '1');

    } else {
        ngx_http_conflict_redis_unsettled(op->store, why);
    }

    if (op->lost && op->told) {
        op->told(op);
    }

    ngx_http_conflict_op_answered(op);
}


static void
ngx_http_conflict_redis_unsettled(ngx_http_conflict_store_t *store,
    const char *why)
{
    store->unsettled++;

    if (store->gauge) {
        (void) ngx_atomic_fetch_add(&store->gauge->unsettled, 1);
    }

    if (ngx_http_conflict_redis_log_throttled(&store->unsettled_logged)) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "conflict store \"%V\": what became of a write could not "
                  "be noted: %s; its resource is held until a GET can tell, "
                  "%ui so far in this process",
                  &store->name, why, store->unsettled);
}


/* nothing was written, so a lease that runs out holds nobody for long */

static void
ngx_http_conflict_redis_cancelled(void *data, ngx_str_t *answer,
    const char *why)
{
    if (answer) {
        ngx_http_conflict_redis_born(data, answer);
    }
}
