
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Blobs in Redis: calls of lua/blob.lua, and the decoding of its answers.
 */


#include "store/redis/ngx_http_conflict_redis_words.h"
#include "store/ngx_http_conflict_blob.h"


/* the words of a blob in an answer */

enum {
    NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_NUMBER = 0,
    NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_TOKEN,
    NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_LEASE,
    NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_TTL,
    NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_SIZE,
    NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_ID_LEN,
    NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_HEAD_LEN,
    NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_BODY_LEN,
    NGX_HTTP_CONFLICT_REDIS_BLOB_WORDS
};


static void ngx_http_conflict_redis_blob_args(ngx_http_conflict_blob_t *blob,
    ngx_http_conflict_redis_args_t *args);
static ngx_int_t ngx_http_conflict_redis_blob_answer(
    ngx_http_conflict_op_t *op, ngx_str_t *answer);
static ngx_int_t ngx_http_conflict_redis_blob_found(
    ngx_http_conflict_blob_t *blob, uint64_t *word, ngx_str_t *text);
static ngx_int_t ngx_http_conflict_redis_blob_words(
    ngx_http_conflict_redis_words_t *a, uint64_t *word, ngx_uint_t n);


/* by ngx_http_conflict_blob_verb_e */

static const char  *ngx_http_conflict_redis_blob_verbs[] = {
    "claim",
    "put",
    "get",
    "remove",
    "list"
};


ngx_int_t
ngx_http_conflict_redis_blob(ngx_http_conflict_op_t *op)
{
    u_char                           kind[2];
    ngx_uint_t                       flags;
    ngx_http_conflict_blob_t        *blob;
    ngx_http_conflict_redis_args_t   args;

    blob = op->blob;

    ngx_http_conflict_blob_forget(blob);

    ngx_http_conflict_redis_codec_verb(op->store, &args,
                             ngx_http_conflict_redis_blob_verbs[blob->in.verb]);

    kind[0] = ngx_http_conflict_blob_letters[blob->in.kind];
    kind[1] = '\0';

    ngx_http_conflict_redis_codec_text(&args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_KIND, (char *) kind);
    ngx_http_conflict_redis_blob_args(blob, &args);

    args.extra_key = ":b";
    flags = 0;

    if (blob->in.verb == NGX_HTTP_CONFLICT_BLOB_CLAIM
        || blob->in.verb == NGX_HTTP_CONFLICT_BLOB_PUT)
    {
        flags |= NGX_HTTP_CONFLICT_REDIS_REPLICATE;
    }

    if (blob->in.patience) {
        flags |= NGX_HTTP_CONFLICT_REDIS_RETRY;
        op->redis.patience = blob->in.patience;
    }

    return ngx_http_conflict_redis_query_run(op, NGX_HTTP_CONFLICT_REDIS_BLOB,
                                         &args, flags,
                                         ngx_http_conflict_redis_blob_answer,
                                         NULL);
}


/* those behind verb and kind */

static void
ngx_http_conflict_redis_blob_args(ngx_http_conflict_blob_t *blob,
    ngx_http_conflict_redis_args_t *args)
{
    ngx_uint_t  i;

    switch (blob->in.verb) {

    case NGX_HTTP_CONFLICT_BLOB_LIST:
        ngx_http_conflict_redis_codec_bytes(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_LIST_INDEX,
                             &blob->in.index[0].name);
        ngx_http_conflict_redis_codec_number(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_LIST_BEFORE,
                             blob->in.before);
        ngx_http_conflict_redis_codec_number(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_LIST_MAX,
                             blob->in.max);
        return;

    case NGX_HTTP_CONFLICT_BLOB_GET:
        ngx_http_conflict_redis_codec_bytes(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_ID, &blob->in.id);
        return;

    case NGX_HTTP_CONFLICT_BLOB_REMOVE:
        ngx_http_conflict_redis_codec_bytes(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_ID, &blob->in.id);
        ngx_http_conflict_redis_codec_hash(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_FROM,
                             blob->in.from);
        return;

    default: /* claim, put */
        break;
    }

    ngx_http_conflict_redis_codec_bytes(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_ID, &blob->in.id);
    ngx_http_conflict_redis_codec_hash(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_FROM,
                             blob->in.from);
    ngx_http_conflict_redis_codec_hash(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_TOKEN,
                             blob->in.token);
    ngx_http_conflict_redis_codec_number(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_LEASE,
                             blob->in.lease);
    ngx_http_conflict_redis_codec_number(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_TTL, blob->in.ttl);
    ngx_http_conflict_redis_codec_bytes(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_HEAD, &blob->in.head);
    ngx_http_conflict_redis_codec_bytes(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_BODY, &blob->in.body);
    ngx_http_conflict_redis_codec_number(args,
                             NGX_HTTP_CONFLICT_REDIS_BLOB_INDEXES,
                             blob->in.indexes);

    for (i = 0; i < blob->in.indexes; i++) {
        ngx_http_conflict_redis_codec_number(args, args->n,
                                             blob->in.index[i].max);
        ngx_http_conflict_redis_codec_bytes(args, args->n,
                                            &blob->in.index[i].name);
    }
}


/* incarnation, done, number, evicted, number of blobs, then the blobs */

static ngx_int_t
ngx_http_conflict_redis_blob_answer(ngx_http_conflict_op_t *op,
    ngx_str_t *answer)
{
    uint64_t                          word[NGX_HTTP_CONFLICT_REDIS_BLOB_WORDS];
    ngx_str_t                         text;
    ngx_uint_t                        i, n;
    ngx_http_conflict_blob_t         *blob;
    ngx_http_conflict_redis_words_t   words, a;

    blob = op->blob;

    words.p = answer->data + NGX_HTTP_CONFLICT_REDIS_TOKEN;
    words.last = answer->data + answer->len;

    if (ngx_http_conflict_redis_blob_words(&words, word, 5) != NGX_OK
        || word[4] > NGX_HTTP_CONFLICT_BLOB_MAX)
    {
        return NGX_ERROR;
    }

    n = word[4];

    if (n == 0 && word[1] == 0
        && blob->in.verb == NGX_HTTP_CONFLICT_BLOB_CLAIM)
    {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_blob_begin(blob, n) != NGX_OK) {
        return NGX_ERROR;
    }

    blob->out.done = (word[1] != 0);
    blob->out.number = word[2];
    blob->out.evicted = word[3];

    if (word[3] && op->store->stats) {
        (void) ngx_atomic_fetch_add(&op->store->stats->blobs_evicted, word[3]);
    }

    /* the strings of all are behind the words of all */

    a.p = words.p;
    a.last = words.last;

    for (i = 0; i < n; i++) {

        if (ngx_http_conflict_redis_blob_words(&a, word,
                                            NGX_HTTP_CONFLICT_REDIS_BLOB_WORDS)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (a.p == a.last || *a.p++ != ' ') {
        return NGX_ERROR;
    }

    text.data = a.p;
    text.len = a.last - a.p;

    for (i = 0; i < n; i++) {
        (void) ngx_http_conflict_redis_blob_words(&words, word,
                                           NGX_HTTP_CONFLICT_REDIS_BLOB_WORDS);

        if (ngx_http_conflict_redis_blob_found(blob, word, &text) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return text.len ? NGX_ERROR : NGX_OK;
}


/* adds a blob, whose strings are the first of "text" */

static ngx_int_t
ngx_http_conflict_redis_blob_found(ngx_http_conflict_blob_t *blob,
    uint64_t *word, ngx_str_t *text)
{
    size_t                           len;
    uint64_t                        *lens;
    ngx_http_conflict_blob_found_t  *found;

    lens = &word[NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_ID_LEN];

    if (lens[0] > text->len || lens[1] > text->len || lens[2] > text->len
        || lens[0] + lens[1] + lens[2] > text->len)
    {
        return NGX_ERROR;
    }

    found = ngx_http_conflict_blob_add(blob, lens[0], lens[1], lens[2]);
    if (found == NULL) {
        return NGX_ERROR;
    }

    len = lens[0] + lens[1] + lens[2];
    ngx_memcpy(found->id.data, text->data, len);

    text->data += len;
    text->len -= len;

    found->number = word[NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_NUMBER];
    found->token = word[NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_TOKEN];
    found->lease = word[NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_LEASE];
    found->ttl = word[NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_TTL];
    found->size = word[NGX_HTTP_CONFLICT_REDIS_BLOB_WORD_SIZE];

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_redis_blob_words(ngx_http_conflict_redis_words_t *a,
    uint64_t *word, ngx_uint_t n)
{
    ngx_uint_t  i;

    static const ngx_http_conflict_redis_word_t  any = {
        NGX_HTTP_CONFLICT_REDIS_HASH, UINT64_MAX
    };

    for (i = 0; i < n; i++) {

        if (ngx_http_conflict_redis_words_next(a, &any, &word[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
