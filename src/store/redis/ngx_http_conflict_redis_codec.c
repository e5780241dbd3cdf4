
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The encoding of calls: the arguments of the scripts, as text.
 */


#include "store/redis/ngx_http_conflict_redis_codec.h"
#include "core/policy/conflict_version.h"
#include "core/text/conflict_decimal.h"
#include "core/text/conflict_hash.h"
#include "core/text/conflict_time.h"


static void ngx_http_conflict_redis_codec_start(
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    uint64_t token);
static u_char *ngx_http_conflict_redis_codec_hex(u_char *p, uint64_t n);
static u_char *ngx_http_conflict_redis_codec_print_number(u_char *p,
    int64_t n);
static void ngx_http_conflict_redis_codec_end(
    ngx_http_conflict_redis_args_t *args, ngx_uint_t at, u_char *last);


void
ngx_http_conflict_redis_codec_verb(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, const char *verb)
{
    ngx_http_conflict_redis_codec_head(store, args, args->own, args->text,
                                       ngx_http_conflict_redis_codec_token());
    ngx_http_conflict_redis_codec_text(args, args->n, verb);
}


void
ngx_http_conflict_redis_codec_head(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    uint64_t token)
{
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(store->data);

    ngx_http_conflict_redis_codec_start(args, arg, buf, token);

    /* the client puts the run id of the server in its place */

    ngx_http_conflict_redis_codec_text(args,
                                       NGX_HTTP_CONFLICT_REDIS_ENTRY_RUN,
                                       "0123456789abcdef+");
    ngx_http_conflict_redis_codec_number(args,
                                         NGX_HTTP_CONFLICT_REDIS_ENTRY_TRUST,
                                         conf->trust);
    ngx_http_conflict_redis_codec_number(args,
                                         NGX_HTTP_CONFLICT_REDIS_ENTRY_HOLD,
                                         store->lease + store->quarantine);
    ngx_http_conflict_redis_codec_number(args,
                                         NGX_HTTP_CONFLICT_REDIS_ENTRY_TTL,
                                         conf->ttl);
}


void
ngx_http_conflict_redis_codec_fast(ngx_http_conflict_redis_args_t *args,
    ngx_str_t *arg, u_char *buf, uint64_t token)
{
    ngx_http_conflict_redis_codec_start(args, arg, buf, token);

    args->fast = 1;

    /* the client puts the incarnation in its place */

    ngx_http_conflict_redis_codec_text(args, args->n, "");
}


static void
ngx_http_conflict_redis_codec_start(ngx_http_conflict_redis_args_t *args,
    ngx_str_t *arg, u_char *buf, uint64_t token)
{
    ngx_memzero(args, offsetof(ngx_http_conflict_redis_args_t, own));

    args->arg = arg;
    args->last = buf;

    ngx_http_conflict_redis_codec_end(args,
                                NGX_HTTP_CONFLICT_REDIS_ENTRY_TOKEN,
                                ngx_http_conflict_redis_codec_hex(buf, token));
}


uint64_t
ngx_http_conflict_redis_codec_token(void)
{
    static uint64_t  seed, n;

    if (seed == 0) {
        seed = ((uint64_t) ngx_pid << 32) ^ ((uint64_t) ngx_random() << 16)
               ^ (uint64_t) ngx_http_conflict_clock_usec();
    }

    n++;

    return conflict_hash_words(seed, n);
}


void
ngx_http_conflict_redis_codec_text(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, const char *text)
{
    args->arg[at].data = (u_char *) text;
    args->arg[at].len = ngx_strlen(text);
    args->n = at + 1;
}


void
ngx_http_conflict_redis_codec_bytes(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, ngx_str_t *bytes)
{
    args->arg[at] = *bytes;
    args->n = at + 1;
}


void
ngx_http_conflict_redis_codec_number(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, int64_t n)
{
    static u_char  digits[] = "0123456789";

    if (n >= 0 && n < 10) {
        args->arg[at].data = &digits[n];
        args->arg[at].len = 1;
        args->n = at + 1;
        return;
    }

    ngx_http_conflict_redis_codec_end(args, at,
                      ngx_http_conflict_redis_codec_print_number(args->last,
                                                                 n));
}


static u_char *
ngx_http_conflict_redis_codec_print_number(u_char *p, int64_t n)
{
    if (n < 0) {
        *p++ = '-';
        n = -n;
    }

    return conflict_decimal_print(p, n);
}


void
ngx_http_conflict_redis_codec_hash(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, uint64_t hash)
{
    if (hash == 0) {
        ngx_http_conflict_redis_codec_text(args, at, "-");
        return;
    }

    ngx_http_conflict_redis_codec_end(args, at,
                                    conflict_decimal_print(args->last, hash));
}


void
ngx_http_conflict_redis_codec_version(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, uint64_t version)
{
    ngx_http_conflict_redis_codec_end(args, at,
                     ngx_http_conflict_redis_codec_print_version(args->last,
                                                                 version));
}


/* numbers in Lua have 53 bits, so an opaque version is a string there */

u_char *
ngx_http_conflict_redis_codec_print_version(u_char *p, uint64_t version)
{
    if (version & CONFLICT_VERSION_OPAQUE) {
        *p++ = 'x';
    }

    return conflict_decimal_print(p, version & ~CONFLICT_VERSION_OPAQUE);
}


void
ngx_http_conflict_redis_codec_date(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, int64_t time)
{
    ngx_http_conflict_redis_codec_end(args, at,
                       ngx_http_conflict_redis_codec_print_date(args->last,
                                                                time));
}


u_char *
ngx_http_conflict_redis_codec_print_date(u_char *p, int64_t time)
{
    if (time == CONFLICT_TIME_NONE) {
        *p++ = '-';
        return p;
    }

    return ngx_http_conflict_redis_codec_print_number(p, time);
}


void
ngx_http_conflict_redis_codec_lease(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, ngx_msec_t lease, ngx_msec_t quarantine,
    uint64_t fingerprint)
{
    u_char  *p;

    p = conflict_decimal_print(args->last, lease);
    *p++ = ' ';
    p = conflict_decimal_print(p, quarantine);
    *p++ = ' ';

    if (fingerprint) {
        p = conflict_decimal_print(p, fingerprint);

    } else {
        *p++ = '-';
    }

    ngx_http_conflict_redis_codec_end(args, at, p);
}


void
ngx_http_conflict_redis_codec_link(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, const char *prefix, uint64_t word, const char *suffix)
{
    ngx_http_conflict_redis_codec_end(args, at,
                                      ngx_sprintf(args->last, "%s%016xL%s",
                                                  prefix, word, suffix));
}


void
ngx_http_conflict_redis_codec_lock_token(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, u_char *token, u_char *buf)
{
    ngx_str_t  hex;

    if (token == NULL) {
        ngx_http_conflict_redis_codec_text(args, at, "-");
        return;
    }

    hex.data = buf;
    hex.len = ngx_hex_dump(buf, token, NGX_HTTP_CONFLICT_LOCK_TOKEN) - buf;

    ngx_http_conflict_redis_codec_bytes(args, at, &hex);
}


static u_char *
ngx_http_conflict_redis_codec_hex(u_char *p, uint64_t n)
{
    int  shift;

    static const u_char  digits[] = "0123456789abcdef";

    for (shift = 60; shift >= 0; shift -= 4) {
        *p++ = digits[(n >> shift) & 0xf];
    }

    return p;
}


/* an argument was printed that ends at "last" */

static void
ngx_http_conflict_redis_codec_end(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, u_char *last)
{
    args->arg[at].data = args->last;
    args->arg[at].len = last - args->last;
    args->last = last;
    args->n = at + 1;
}
