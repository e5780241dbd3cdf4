
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The history in Redis: bodies are sent without waiting for an answer, and
 * recalled when a merge needs them.
 */


#include "store/redis/ngx_http_conflict_redis_store.h"
#include "core/text/conflict_hash.h"


static ngx_uint_t ngx_http_conflict_redis_history_flags(
    ngx_http_conflict_op_t *op, ngx_http_conflict_record_t *record,
    ngx_msec_t *life);
static ngx_int_t ngx_http_conflict_redis_history_ask(
    ngx_http_conflict_op_t *op, const char *verb,
    ngx_http_conflict_redis_decode_pt decode);


ngx_int_t
ngx_http_conflict_redis_history_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record)
{
    u_char                           text[NGX_HTTP_CONFLICT_NOTE];
    ngx_str_t                        note;
    ngx_msec_t                       life;
    ngx_uint_t                       flags;
    const char                      *why;
    ngx_http_conflict_redis_args_t   args;

    ngx_http_conflict_redis_codec_verb(op->store, &args, "keep");

    if (record->link) {
        ngx_http_conflict_redis_codec_link(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_VERSION,
                      "c", record->version, "");

    } else {
        ngx_http_conflict_redis_codec_version(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_VERSION, record->version);
    }

    ngx_http_conflict_redis_codec_hash(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_FINGERPRINT,
                      record->fingerprint);
    ngx_http_conflict_redis_codec_number(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_CERTAIN, record->certain);

    if (record->bodiless) {
        ngx_http_conflict_redis_codec_text(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_SHOWN, "-");

    } else {
        ngx_http_conflict_redis_codec_number(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_SHOWN, record->shown);
    }

    if (record->read) {
        ngx_http_conflict_redis_codec_version(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_FENCE,
                      record->torn ? 0 : op->out.fence);

    } else {
        ngx_http_conflict_redis_codec_text(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_FENCE, "-");
    }

    ngx_http_conflict_redis_codec_number(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_BODIES, op->in.records);
    ngx_http_conflict_redis_codec_number(&args,
                    NGX_HTTP_CONFLICT_REDIS_HISTORY_BYTES, op->in.record_bytes);
    ngx_http_conflict_redis_codec_number(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_TTL, op->in.record_ttl);
    ngx_http_conflict_redis_codec_hash(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_VIEW, record->view);
    ngx_http_conflict_redis_codec_bytes(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_BODY, &record->body);
    ngx_http_conflict_redis_codec_hash(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_HASH,
                      record->body.len
                      ? conflict_hash_64(record->body.data, record->body.len, 0)
                      : record->hash);

    if (record->note) {
        record->note->time = ngx_http_conflict_clock_usec() + op->redis.clock;
        note.len = ngx_http_conflict_note_print(text, record->note);
        note.data = text;

        ngx_http_conflict_redis_codec_bytes(&args,
                      NGX_HTTP_CONFLICT_REDIS_HISTORY_NOTE, &note);
    }

    args.extra_key = ":h";

    flags = ngx_http_conflict_redis_history_flags(op, record, &life);

    (void) ngx_http_conflict_redis_query_send(op,
                                        NGX_HTTP_CONFLICT_REDIS_HISTORY,
                                        &args, life, flags,
                                        ngx_http_conflict_redis_query_ignore,
                                        NULL, &why);

    return NGX_OK;
}


/*
 * Most bodies may be lost.  These are retried: the body that a write has made,
 * lest a retry adds to it twice; that of a link, lest the next one is based on
 * an earlier link; and one that a read has shown, lest its view keeps another
 * body of this version.  So are notes, so that a list of versions has no gaps.
 */

static ngx_uint_t
ngx_http_conflict_redis_history_flags(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record, ngx_msec_t *life)
{
    ngx_msec_t                       hold;
    ngx_uint_t                       flags;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    flags = 0;
    *life = conf->timeout;

    if (record->fingerprint || record->link || record->read || record->note) {
        flags = NGX_HTTP_CONFLICT_REDIS_RETRY;
        hold = record->read ? op->store->lease + op->store->quarantine
                            : op->in.lease + op->in.quarantine;
        *life = ngx_max(*life, hold);
    }

    if (!op->in.held) {
        flags |= NGX_HTTP_CONFLICT_REDIS_NOW;
    }

    return flags;
}


ngx_int_t
ngx_http_conflict_redis_history_recall(ngx_http_conflict_op_t *op)
{
    return ngx_http_conflict_redis_history_ask(op, "recall",
                                       ngx_http_conflict_redis_answer_recall);
}


ngx_int_t
ngx_http_conflict_redis_history_versions(ngx_http_conflict_op_t *op)
{
    return ngx_http_conflict_redis_history_ask(op, "versions",
                                     ngx_http_conflict_redis_answer_versions);
}


static ngx_int_t
ngx_http_conflict_redis_history_ask(ngx_http_conflict_op_t *op,
    const char *verb, ngx_http_conflict_redis_decode_pt decode)
{
    ngx_http_conflict_redis_args_t  args;

    ngx_http_conflict_op_forget(op);

    ngx_http_conflict_redis_codec_verb(op->store, &args, verb);
    ngx_http_conflict_redis_codec_version(&args,
                     NGX_HTTP_CONFLICT_REDIS_HISTORY_VERSION, op->in.pre.base);
    ngx_http_conflict_redis_codec_hash(&args,
                     NGX_HTTP_CONFLICT_REDIS_HISTORY_FINGERPRINT,
                     op->in.fingerprint);
    ngx_http_conflict_redis_codec_hash(&args,
                     NGX_HTTP_CONFLICT_REDIS_HISTORY_RECALL_VIEW, op->in.view);

    if (ngx_http_conflict_op_chain(op)) {
        ngx_http_conflict_redis_codec_link(&args,
                     NGX_HTTP_CONFLICT_REDIS_HISTORY_RECALL_WORD,
                     "c", op->in.pre.chain, "");
    }

    args.extra_key = ":h";

    return ngx_http_conflict_redis_query_run(op,
                                             NGX_HTTP_CONFLICT_REDIS_HISTORY,
                                             &args, 0, decode, NULL);
}
