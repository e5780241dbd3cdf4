
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The words that operations and scripts exchange: numbers mostly, in text,
 * in the order that the heads of the scripts say.
 */


#include "ngx_http_conflict_redis_args.h"
#include "../core/conflict_time.h"
#include "../core/conflict_version.h"


#define NGX_HTTP_CONFLICT_REDIS_WORDS    17
#define NGX_HTTP_CONFLICT_REDIS_VERDICT  12     /* before it: of all scripts */


void
ngx_http_conflict_redis_head(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    uint64_t token)
{
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_conf(store->data);

    args->arg = arg;
    args->n = 0;
    args->third = NULL;
    args->key = NULL;
    args->last = buf;

    arg[0].data = buf;
    arg[0].len = NGX_HTTP_CONFLICT_REDIS_TOKEN;
    args->last = ngx_sprintf(buf, "%016xL", token);
    args->n = 1;

    /* the run is that of the server which the call will go to */
    ngx_http_conflict_redis_text(args, "0123456789abcdef+");

    ngx_http_conflict_redis_number(args, conf->trust);
    ngx_http_conflict_redis_number(args, store->lease
                                         + store->quarantine);
    ngx_http_conflict_redis_number(args, conf->ttl);
}


void
ngx_http_conflict_redis_text(ngx_http_conflict_redis_args_t *args,
    const char *text)
{
    args->arg[args->n].data = (u_char *) text;
    args->arg[args->n].len = ngx_strlen(text);
    args->n++;
}


void
ngx_http_conflict_redis_bytes(ngx_http_conflict_redis_args_t *args,
    ngx_str_t *bytes)
{
    args->arg[args->n++] = *bytes;
}


void
ngx_http_conflict_redis_number(ngx_http_conflict_redis_args_t *args,
    int64_t n)
{
    args->arg[args->n].data = args->last;
    args->last = ngx_sprintf(args->last, "%L", n);
    args->arg[args->n].len = args->last - args->arg[args->n].data;
    args->n++;
}


void
ngx_http_conflict_redis_hash(ngx_http_conflict_redis_args_t *args,
    uint64_t hash)
{
    if (hash == 0) {
        ngx_http_conflict_redis_text(args, "-");
        return;
    }

    args->arg[args->n].data = args->last;
    args->last = ngx_sprintf(args->last, "%uL", hash);
    args->arg[args->n].len = args->last - args->arg[args->n].data;
    args->n++;
}


/* Lua has no 64 bits: an opaque version is a word to it, not a number */

void
ngx_http_conflict_redis_version(ngx_http_conflict_redis_args_t *args,
    uint64_t version)
{
    args->arg[args->n].data = args->last;

    args->last = ngx_sprintf(args->last, "%s%uL",
                             (version & CONFLICT_VERSION_OPAQUE) ? "x" : "",
                             version & ~CONFLICT_VERSION_OPAQUE);

    args->arg[args->n].len = args->last - args->arg[args->n].data;
    args->n++;
}


void
ngx_http_conflict_redis_date(ngx_http_conflict_redis_args_t *args,
    int64_t time)
{
    if (time == CONFLICT_TIME_NONE) {
        ngx_http_conflict_redis_text(args, "-");
        return;
    }

    ngx_http_conflict_redis_number(args, time);
}


ngx_int_t
ngx_http_conflict_redis_read_answer(ngx_http_conflict_op_t *op,
    ngx_str_t *answer)
{
    u_char      *p, *last;
    uint64_t     word[NGX_HTTP_CONFLICT_REDIS_WORDS], opaque;
    ngx_uint_t   n, none, words;

    /* the token was checked, the rest is numbers */

    p = answer->data;
    last = p + answer->len;
    ngx_memzero(word, sizeof(word));
    none = 0;

    words = op->locking ? NGX_HTTP_CONFLICT_REDIS_VERDICT + 1
                        : NGX_HTTP_CONFLICT_REDIS_WORDS;

    for (n = 0; p < last && n < words; n++) {

        if (*p == '-') {
            none |= (ngx_uint_t) 1 << n;
            p++;
        }

        opaque = 0;

        if (p < last && *p == 'x') {
            opaque = CONFLICT_VERSION_OPAQUE;
            p++;
        }

        while (p < last && *p >= '0' && *p <= '9') {
            word[n] = word[n] * 10 + (*p++ - '0');
        }

        word[n] |= opaque;

        while (p < last && *p != ' ') {
            p++;
        }

        p++;
    }

    if (n < NGX_HTTP_CONFLICT_REDIS_VERDICT + 1 || word[2] >= CONFLICT_STATES)
    {
        return NGX_ERROR;
    }

    ngx_http_conflict_redis_born(op->store, answer);

    if (!op->begins && !op->locking) {
        op->applied = (word[12] != 0);
        op->external = (word[13] != 0);
        op->held = (!op->observes && word[14] != 0);

        if (op->observes && !op->applied) {
            /* of what has happened since, it knows nothing */
            return NGX_OK;
        }
    }

    op->state = (conflict_state_e) word[2];
    op->present = (word[3] != 0);
    op->version = word[4];
    op->fence = word[5];
    op->body = word[6];
    op->mtime = (none & 0x80) ? CONFLICT_TIME_NONE : (int64_t) word[7];
    op->twice = word[8] & 1;
    op->dated = (word[8] & 2) != 0;
    op->existence = (conflict_existence_e) word[9];
    op->wait = (ngx_msec_t) word[10];
    op->clock = (int64_t) word[11] - op->sent;

    if (op->begins) {
        op->verdict = (conflict_verdict_e) word[12];
        op->header = (word[13] != 0);
        op->leased = (word[14] != 0);
        op->overlap = (word[15] != 0);
        op->doubt = (word[16] != 0);

        if (op->verdict == CONFLICT_LOCKED) {
            return ngx_http_conflict_redis_read_lock(op, p - 1, last);
        }
    }

    if (op->locking) {
        op->lock.result = (ngx_http_conflict_lock_result_e) word[12];
        return ngx_http_conflict_redis_read_lock(op, p - 1, last);
    }

    return NGX_OK;
}


size_t
ngx_http_conflict_redis_length(u_char **p, u_char *last)
{
    size_t  n;

    n = 0;

    if (*p < last && **p == ' ') {
        (*p)++;
    }

    while (*p < last && **p >= '0' && **p <= '9') {
        n = n * 10 + (*(*p)++ - '0');
    }

    return n;
}


/* in a cluster that may be each slot's, so not each is told */

void
ngx_http_conflict_redis_born(ngx_http_conflict_store_t *store,
    ngx_str_t *answer)
{
    if (answer->len < NGX_HTTP_CONFLICT_REDIS_TOKEN + 2
        || answer->data[NGX_HTTP_CONFLICT_REDIS_TOKEN + 1] != '1'
        || ngx_http_conflict_redis_often(&store->born_logged))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "conflict store \"%V\" is a new one, or was restarted, "
                  "replaced or flushed: writes on a base are held for %M ms",
                  &store->name, store->lease + store->quarantine);
}
