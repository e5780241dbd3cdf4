
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Parses the words of an answer, each as strictly as scripts print it.
 */


#include "store/redis/ngx_http_conflict_redis_words.h"
#include "core/policy/conflict_version.h"
#include "core/text/conflict_decimal.h"
#include "core/text/conflict_time.h"


static ngx_int_t ngx_http_conflict_redis_words_digits(
    ngx_http_conflict_redis_words_t *a, uint64_t max, uint64_t *n);


ngx_int_t
ngx_http_conflict_redis_words_next(ngx_http_conflict_redis_words_t *a,
    const ngx_http_conflict_redis_word_t *word, uint64_t *value)
{
    u_char     ch;
    ngx_int_t  rc;
    ngx_str_t  text;

    if (word->kind == NGX_HTTP_CONFLICT_REDIS_TEXT) {
        *value = 0;
        return ngx_http_conflict_redis_words_text(a, &text);
    }

    if (a->p == a->last || *a->p++ != ' ') {
        return NGX_ERROR;
    }

    ch = (a->p < a->last) ? *a->p : '\0';

    if (ch == 'x' && word->kind == NGX_HTTP_CONFLICT_REDIS_VERSION) {
        a->p++;

        rc = ngx_http_conflict_redis_words_digits(a,
                                                   CONFLICT_VERSION_OPAQUE - 1,
                                                   value);
        *value |= CONFLICT_VERSION_OPAQUE;

        return rc;
    }

    if (ch == '-' && (word->kind == NGX_HTTP_CONFLICT_REDIS_HASH
                      || word->kind == NGX_HTTP_CONFLICT_REDIS_DATE))
    {
        a->p++;

        if (a->p == a->last || *a->p == ' ') {
            *value = (word->kind == NGX_HTTP_CONFLICT_REDIS_DATE)
                     ? (uint64_t) CONFLICT_TIME_NONE : 0;
            return NGX_OK;
        }

        if (word->kind == NGX_HTTP_CONFLICT_REDIS_HASH) {
            return NGX_ERROR;
        }

        /* before 1970 */

        rc = ngx_http_conflict_redis_words_digits(a, word->max, value);
        *value = 0 - *value;

        return rc;
    }

    return ngx_http_conflict_redis_words_digits(a, word->max, value);
}


ngx_int_t
ngx_http_conflict_redis_words_number(ngx_http_conflict_redis_words_t *a,
    uint64_t max, uint64_t *n)
{
    if (a->p == a->last || *a->p++ != ' ') {
        return NGX_ERROR;
    }

    return ngx_http_conflict_redis_words_digits(a, max, n);
}


ngx_int_t
ngx_http_conflict_redis_words_text(ngx_http_conflict_redis_words_t *a,
    ngx_str_t *text)
{
    u_char  *p;

    if (a->p == a->last || *a->p++ != ' ') {
        return NGX_ERROR;
    }

    p = memchr(a->p, ' ', a->last - a->p);

    text->data = a->p;
    a->p = p ? p : a->last;
    text->len = a->p - text->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_redis_words_name(ngx_http_conflict_redis_words_t *a,
    ngx_str_t *name)
{
    size_t     len;
    ngx_int_t  n;

    if (a->p == a->last || *a->p++ != ' ') {
        return NGX_ERROR;
    }

    len = 0;

    if (a->p < a->last && *a->p == '-') {
        a->p++;
        name->len = 0;
        return NGX_OK;
    }

    while (a->last - a->p >= 2 && *a->p != ' ') {
        n = ngx_hextoi(a->p, 2);

        if (n == NGX_ERROR || len == name->len) {
            return NGX_ERROR;
        }

        name->data[len++] = (u_char) n;
        a->p += 2;
    }

    name->len = len;

    return len ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_conflict_redis_words_lengths(ngx_http_conflict_redis_words_t *a,
    uint64_t len[2])
{
    size_t  rest;

    rest = a->last - a->p;

    if (ngx_http_conflict_redis_words_number(a, rest, &len[0]) != NGX_OK
        || ngx_http_conflict_redis_words_number(a, rest, &len[1]) != NGX_OK
        || a->p == a->last || *a->p++ != ' ')
    {
        return NGX_ERROR;
    }

    return (len[0] + len[1] == (uint64_t) (a->last - a->p)) ? NGX_OK
                                                            : NGX_ERROR;
}


static ngx_int_t
ngx_http_conflict_redis_words_digits(ngx_http_conflict_redis_words_t *a,
    uint64_t max, uint64_t *n)
{
    u_char  *p;

    p = conflict_decimal_parse(a->p, a->last, max, n);

    if (p == NULL) {
        return NGX_ERROR;
    }

    a->p = p;

    return NGX_OK;
}
