
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The words that operations and scripts exchange: numbers mostly, in text,
 * in the order that the heads of the scripts say.
 */


#include "store/ngx_http_conflict_redis_args.h"
#include "core/text/conflict_time.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"


#define NGX_HTTP_CONFLICT_REDIS_WORDS    18
#define NGX_HTTP_CONFLICT_REDIS_VERSION  4
#define NGX_HTTP_CONFLICT_REDIS_BODY     6
#define NGX_HTTP_CONFLICT_REDIS_VIEW     7
#define NGX_HTTP_CONFLICT_REDIS_MTIME    8
#define NGX_HTTP_CONFLICT_REDIS_VERDICT  13     /* before it: of all scripts */


static ngx_int_t ngx_http_conflict_redis_read_word(u_char **p, u_char *last,
    ngx_uint_t n, uint64_t *word);
static ngx_uint_t ngx_http_conflict_redis_impossible(
    ngx_http_conflict_op_t *op, uint64_t *word, ngx_uint_t end);
static ngx_int_t ngx_http_conflict_redis_digits(u_char **p, u_char *last,
    uint64_t most, uint64_t *n);


/* of each word, after the token */

static const uint64_t
    ngx_http_conflict_redis_most[NGX_HTTP_CONFLICT_REDIS_WORDS] =
{
    0,
    7,
    CONFLICT_STATES - 1,
    1,
    CONFLICT_VERSION_LIMIT - 1,
    CONFLICT_VERSION_LIMIT - 1,
    UINT64_MAX,
    UINT64_MAX,
    NGX_HTTP_CONFLICT_REDIS_USEC,
    3,
    CONFLICT_DELETED,
    NGX_HTTP_CONFLICT_REDIS_USEC / 1000,
    NGX_HTTP_CONFLICT_REDIS_USEC,
    CONFLICT_LOCKED,
    1,
    1,
    1,
    1
};


void
ngx_http_conflict_redis_head(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    uint64_t token)
{
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(store->data);

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
ngx_http_conflict_redis_link(ngx_http_conflict_redis_args_t *args,
    const char *before, uint64_t word, const char *after)
{
    args->arg[args->n].data = args->last;
    args->last = ngx_sprintf(args->last, "%s%016xL%s", before, word, after);
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
    uint64_t     word[NGX_HTTP_CONFLICT_REDIS_WORDS];
    ngx_uint_t   n, none, words;

    /* the token was checked */

    p = answer->data + NGX_HTTP_CONFLICT_REDIS_TOKEN;
    last = answer->data + answer->len;
    none = 0;

    words = op->begins ? NGX_HTTP_CONFLICT_REDIS_WORDS
            : op->locking ? NGX_HTTP_CONFLICT_REDIS_VERDICT + 1
            : NGX_HTTP_CONFLICT_REDIS_VERDICT + 3;

    for (n = 1; n < words; n++) {

        switch (ngx_http_conflict_redis_read_word(&p, last, n, &word[n])) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            none |= (ngx_uint_t) 1 << n;
            break;

        default: /* NGX_ERROR */
            return NGX_ERROR;
        }
    }

    if (ngx_http_conflict_redis_impossible(op, word, p == last)) {
        return NGX_ERROR;
    }

    ngx_http_conflict_redis_born(op->store, answer);

    if (!op->begins && !op->locking) {
        op->applied = (word[13] != 0);
        op->external = (word[14] != 0);
        op->held = (!op->observes && word[15] != 0);

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
    op->body_view = word[7];
    op->mtime = (none & 0x100) ? CONFLICT_TIME_NONE : (int64_t) word[8];
    op->twice = word[9] & 1;
    op->dated = (word[9] & 2) != 0;
    op->existence = (conflict_existence_e) word[10];
    op->wait = (ngx_msec_t) word[11];
    op->settling = (op->state == CONFLICT_QUARANTINED && (word[1] & 4) != 0);
    op->clock = (int64_t) word[12] - op->sent;

    if (op->begins) {
        op->verdict = (conflict_verdict_e) word[13];
        op->header = (word[14] != 0);
        op->leased = (word[15] != 0);
        op->overlap = (word[16] != 0);
        op->doubt = (word[17] != 0);
    }

    if (op->locking) {
        op->lock.result = (ngx_http_conflict_lock_result_e) word[13];
    }

    return (p == last) ? NGX_OK
                       : ngx_http_conflict_redis_read_lock(op, p, last);
}


/*
 * The n-th word and the space before it.  NGX_DECLINED: it is none, which
 * some may be; NGX_ERROR: no script says this.
 */

static ngx_int_t
ngx_http_conflict_redis_read_word(u_char **p, u_char *last, ngx_uint_t n,
    uint64_t *word)
{
    ngx_int_t  rc;

    if (*p == last || **p != ' ') {
        return NGX_ERROR;
    }

    if (last - *p > 1 && (*p)[1] == 'x'
        && n == NGX_HTTP_CONFLICT_REDIS_VERSION)
    {
        *p += 2;
        rc = ngx_http_conflict_redis_digits(p, last,
                                            CONFLICT_VERSION_OPAQUE - 1, word);
        *word |= CONFLICT_VERSION_OPAQUE;

        return rc;
    }

    if (last - *p > 1 && (*p)[1] == '-'
        && (n == NGX_HTTP_CONFLICT_REDIS_BODY
            || n == NGX_HTTP_CONFLICT_REDIS_VIEW
            || n == NGX_HTTP_CONFLICT_REDIS_MTIME))
    {
        *p += 2;
        *word = 0;

        if (*p == last || **p == ' ') {
            return NGX_DECLINED;
        }

        if (n != NGX_HTTP_CONFLICT_REDIS_MTIME) {
            return NGX_ERROR;
        }

        /* before 1970 */

        rc = ngx_http_conflict_redis_digits(p, last,
                                     ngx_http_conflict_redis_most[n], word);
        *word = 0 - *word;

        return rc;
    }

    return ngx_http_conflict_redis_number_of(p, last,
                                     ngx_http_conflict_redis_most[n], word);
}


/* each word is right, but together they make no sense */

static ngx_uint_t
ngx_http_conflict_redis_impossible(ngx_http_conflict_op_t *op, uint64_t *word,
    ngx_uint_t end)
{
    if (op->locking) {
        return end || word[13] > NGX_HTTP_CONFLICT_LOCK_TOO_MANY;
    }

    if (!op->begins) {
        return !end || word[13] > 1;
    }

    if (word[15] == 0
        && (word[13] == CONFLICT_PASS || word[13] == CONFLICT_OVERWRITE
            || word[13] == CONFLICT_COMBINE))
    {
        /* no write passes without a lease */
        return 1;
    }

    return end == (word[13] == CONFLICT_LOCKED);
}


ngx_int_t
ngx_http_conflict_redis_number_of(u_char **p, u_char *last, uint64_t most,
    uint64_t *n)
{
    if (*p == last || *(*p)++ != ' ') {
        return NGX_ERROR;
    }

    return ngx_http_conflict_redis_digits(p, last, most, n);
}


ngx_int_t
ngx_http_conflict_redis_lengths(u_char **p, u_char *last, uint64_t len[2])
{
    if (ngx_http_conflict_redis_number_of(p, last, last - *p, &len[0])
        != NGX_OK
        || ngx_http_conflict_redis_number_of(p, last, last - *p, &len[1])
           != NGX_OK
        || *p == last || *(*p)++ != ' ')
    {
        return NGX_ERROR;
    }

    return (len[0] + len[1] == (uint64_t) (last - *p)) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_conflict_redis_digits(u_char **p, u_char *last, uint64_t most,
    uint64_t *n)
{
    u_char    *first;
    uint64_t   digit;

    first = *p;
    *n = 0;

    while (*p < last && **p >= '0' && **p <= '9') {
        digit = *(*p)++ - '0';

        if (digit > most || *n > (most - digit) / 10) {
            return NGX_ERROR;
        }

        *n = *n * 10 + digit;
    }

    /* as scripts print them: at least one, and no zero before others */

    return (*p == first || (*first == '0' && *p - first > 1)) ? NGX_ERROR
                                                              : NGX_OK;
}


/* in a cluster that may be each slot's, so not each is told */

void
ngx_http_conflict_redis_born(ngx_http_conflict_store_t *store,
    ngx_str_t *answer)
{
    if (answer->len < NGX_HTTP_CONFLICT_REDIS_TOKEN + 2
        || (answer->data[NGX_HTTP_CONFLICT_REDIS_TOKEN + 1] & 1) == 0
        || ngx_http_conflict_redis_log_throttled(&store->born_logged))
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "conflict store \"%V\" is a new one, or was restarted, "
                  "replaced or flushed, or routes were moved to it: writes "
                  "are held for %M ms",
                  &store->name, store->lease + store->quarantine);
}
