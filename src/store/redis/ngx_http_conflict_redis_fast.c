
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The fast paths: calls of scripts that do what is usual and decline the rest,
 * for which the full scripts are called then.
 */


#include "store/redis/ngx_http_conflict_redis_entry.h"
#include "store/redis/ngx_http_conflict_redis_store.h"


/* room for their arguments, of which one has the words of a lease */
#define ngx_http_conflict_redis_fast_room(n)                                  \
    ngx_http_conflict_redis_codec_room((n) + 2)


ngx_int_t
ngx_http_conflict_redis_fast_begin(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_after_pt after)
{
    u_char                           buf[ngx_http_conflict_redis_fast_room(
                                      NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_ARGS)];
    ngx_str_t                        arg[
                                     NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_ARGS];
    conflict_verdict_e               verdict;
    conflict_precondition_t         *pre;
    ngx_http_conflict_redis_args_t   args;
    ngx_http_conflict_redis_conf_t  *conf;

    pre = &op->in.pre;
    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    /* of a write that is not stale by what the store knows */

    verdict = conflict_decide(op->in.policy, CONFLICT_FREE,
                              pre->kinds ? CONFLICT_HOLDS : CONFLICT_NO_BASE);

    if (op->in.edits
        || (verdict != CONFLICT_PASS && verdict != CONFLICT_OVERWRITE
            && verdict != CONFLICT_COMBINE))
    {
        return NGX_DECLINED;
    }

    ngx_http_conflict_redis_codec_fast(&args, arg, buf, op->redis.token);

    if (pre->kinds == 0) {
        ngx_http_conflict_redis_codec_text(&args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_VERSION, "");

    } else if (pre->kinds == CONFLICT_BASE) {
        ngx_http_conflict_redis_codec_version(&args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_VERSION, pre->base);

    } else if (pre->kinds == CONFLICT_IF_MATCH && pre->matches == 1) {
        ngx_http_conflict_redis_codec_version(&args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_VERSION, pre->match[0]);

    } else {
        return NGX_DECLINED;
    }

    ngx_http_conflict_redis_codec_number(&args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_VERDICT, verdict);
    ngx_http_conflict_redis_codec_lease(&args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_LEASE,
                op->in.lease, op->in.quarantine, op->in.fingerprint);
    ngx_http_conflict_redis_codec_hash(&args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_VIEW,
                op->in.part ? 0 : op->in.view);
    ngx_http_conflict_redis_codec_number(&args,
                NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_TTL,
                ngx_http_conflict_redis_entry_ttl(conf->ttl,
                                         op->in.lease + op->in.quarantine));

    if (op->store->locks && !op->in.reads) {
        args.extra_key = ":l";
    }

    return ngx_http_conflict_redis_query_run(op,
                                          NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST,
                                          &args,
                                          NGX_HTTP_CONFLICT_REDIS_REPLICATE,
                                          ngx_http_conflict_redis_answer_begin,
                                          after);
}


ngx_int_t
ngx_http_conflict_redis_fast_peek(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_after_pt after)
{
    u_char                           buf[ngx_http_conflict_redis_fast_room(
                                      NGX_HTTP_CONFLICT_REDIS_READ_FAST_ARGS)];
    ngx_str_t                        arg[
                                      NGX_HTTP_CONFLICT_REDIS_READ_FAST_ARGS];
    ngx_http_conflict_redis_args_t   args;
    ngx_http_conflict_redis_conf_t  *conf;

    if (op->in.records) {
        /* the history of a body has to be looked up */
        return NGX_DECLINED;
    }

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    ngx_http_conflict_redis_codec_fast(&args, arg, buf,
                                       ngx_http_conflict_redis_codec_token());
    ngx_http_conflict_redis_codec_number(&args,
                  NGX_HTTP_CONFLICT_REDIS_READ_FAST_SAVED,
                  ngx_http_conflict_clock_usec() / 1000 - conf->ttl / 4);
    ngx_http_conflict_redis_codec_number(&args,
                  NGX_HTTP_CONFLICT_REDIS_READ_FAST_OWN, !op->in.minted);
    ngx_http_conflict_redis_codec_number(&args,
                  NGX_HTTP_CONFLICT_REDIS_READ_FAST_TTL,
                  ngx_http_conflict_redis_entry_ttl(conf->ttl, 0));

    return ngx_http_conflict_redis_query_run(op,
                                       NGX_HTTP_CONFLICT_REDIS_READ_FAST,
                                       &args, 0,
                                       ngx_http_conflict_redis_answer_peek,
                                       after);
}


ngx_int_t
ngx_http_conflict_redis_fast_commit(ngx_http_conflict_op_t *op,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, const char **why)
{
    u_char                           buf[ngx_http_conflict_redis_fast_room(
                                     NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST_ARGS)];
    u_char                           entry[NGX_HTTP_CONFLICT_REDIS_ENTRY];
    ngx_str_t                        arg[
                                     NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST_ARGS];
    ngx_str_t                        text;
    ngx_http_conflict_redis_args_t   args;
    ngx_http_conflict_redis_conf_t  *conf;

    /*
     * After the lease another write may have begun unaware of this one, and has
     * to learn of it before the client gets its response.
     */

    if (ngx_http_conflict_op_chain(op)
        || ngx_http_conflict_clock_msec() - op->out.acked
           >= (int64_t) op->in.lease
        || !ngx_http_conflict_redis_entry_commit(op, entry, &text))
    {
        return NGX_DECLINED;
    }

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    ngx_http_conflict_redis_codec_fast(&args, arg, buf,
                                       op->redis.settle.token);
    ngx_http_conflict_redis_codec_bytes(&args,
                           NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST_LEFT,
                           &op->redis.entry);
    ngx_http_conflict_redis_codec_bytes(&args,
                           NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST_COMMIT, &text);
    ngx_http_conflict_redis_codec_number(&args,
                           NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST_TTL,
                           ngx_http_conflict_redis_entry_ttl(conf->ttl, 0));

    return ngx_http_conflict_redis_query_send(op,
                                        NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST,
                                        &args,
                                        op->in.lease + op->in.quarantine,
                                        flags, handler, op, why);
}
