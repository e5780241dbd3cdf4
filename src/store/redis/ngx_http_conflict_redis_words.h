
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The words of an answer, one after the other.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_WORDS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_WORDS_H_INCLUDED_


#include "store/redis/ngx_http_conflict_redis_store.h"


typedef enum {
    NGX_HTTP_CONFLICT_REDIS_NUMBER = 0,
    NGX_HTTP_CONFLICT_REDIS_VERSION,     /* opaque: "x" and a number */
    NGX_HTTP_CONFLICT_REDIS_HASH,        /* "-": none */
    NGX_HTTP_CONFLICT_REDIS_DATE,        /* the same; negative before 1970 */
    NGX_HTTP_CONFLICT_REDIS_TEXT         /* any, which is skipped */
} ngx_http_conflict_redis_kind_e;


typedef struct {
    ngx_http_conflict_redis_kind_e     kind;
    uint64_t                           max;
} ngx_http_conflict_redis_word_t;


/* an answer that is being parsed */

typedef struct {
    u_char                          *p;
    u_char                          *last;
    uint64_t                         word[NGX_HTTP_CONFLICT_REDIS_BEGIN_WORDS];
} ngx_http_conflict_redis_words_t;


/*
 * Each takes a space and what is behind it, and moves on.  NGX_ERROR: it is
 * not of that kind, or out of its range; the place is undefined then.
 */
ngx_int_t ngx_http_conflict_redis_words_next(
    ngx_http_conflict_redis_words_t *a,
    const ngx_http_conflict_redis_word_t *word, uint64_t *value);
ngx_int_t ngx_http_conflict_redis_words_number(
    ngx_http_conflict_redis_words_t *a, uint64_t max, uint64_t *n);
ngx_int_t ngx_http_conflict_redis_words_text(
    ngx_http_conflict_redis_words_t *a, ngx_str_t *text);

/*
 * A name in hexadecimal, "-" if it is empty; name->len is the room, then its
 * length.
 */
ngx_int_t ngx_http_conflict_redis_words_name(
    ngx_http_conflict_redis_words_t *a, ngx_str_t *name);

/* Two lengths and a space, then strings of exactly these lengths. */
ngx_int_t ngx_http_conflict_redis_words_lengths(
    ngx_http_conflict_redis_words_t *a, uint64_t len[2]);


#endif /* _NGX_HTTP_CONFLICT_REDIS_WORDS_H_INCLUDED_ */
