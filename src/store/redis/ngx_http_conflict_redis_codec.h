
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: names of the words that it exchanges with the
 * scripts in lua/, in the order of the script's head, and their encoding.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_CODEC_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_CODEC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "store/ngx_http_conflict_store.h"
#include "redis_client/ngx_http_conflict_redis_client.h"
#include "process/ngx_http_conflict_clock.h"
#include "core/text/conflict_time.h"


#define NGX_HTTP_CONFLICT_REDIS_ARGS  26     /* without lists of tags */

/* the largest time, in microseconds */
#define NGX_HTTP_CONFLICT_REDIS_USEC  CONFLICT_TIME_MAX

/* room for the text of "n" arguments, strings excepted */
#define ngx_http_conflict_redis_codec_room(n)  ((n) * (NGX_INT64_LEN + 1))


/* Arguments, as the scripts count them */

#define NGX_HTTP_CONFLICT_REDIS_ARGV(n)  ((n) - 1)

/* entry.lua, the head of all scripts */

enum {
    NGX_HTTP_CONFLICT_REDIS_ENTRY_TOKEN = NGX_HTTP_CONFLICT_REDIS_ARGV(1),
    NGX_HTTP_CONFLICT_REDIS_ENTRY_RUN,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_TRUST,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_HOLD,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_TTL
};

/*
 * begin.lua; then match tags, none-match tags, the words of a link, and those
 * of an edit.
 */

#define NGX_HTTP_CONFLICT_REDIS_EDIT  0x80     /* of the kinds */

enum {
    NGX_HTTP_CONFLICT_REDIS_MODE_NONE = 0,
    NGX_HTTP_CONFLICT_REDIS_MODE_REPORT,
    NGX_HTTP_CONFLICT_REDIS_MODE_LOOKUP,
    NGX_HTTP_CONFLICT_REDIS_MODE_AGAIN
};

enum {
    NGX_HTTP_CONFLICT_REDIS_BEGIN_VERDICTS = NGX_HTTP_CONFLICT_REDIS_ARGV(6),
    NGX_HTTP_CONFLICT_REDIS_BEGIN_OWN,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FRESH,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FORCE,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_MODE,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_LEASE,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_QUARANTINE,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FINGERPRINT,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_KINDS,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_BASE,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_UNMODIFIED,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_EXACT,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_TOKEN,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_USER,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_VIEW,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_TAGS
};

/* begin_fast.lua */

enum {
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_VERSION
                                             = NGX_HTTP_CONFLICT_REDIS_ARGV(3),
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_VERDICT,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_LEASE,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_VIEW,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_TTL,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST_ARGS
};

/* settle.lua */

enum {
    NGX_HTTP_CONFLICT_REDIS_SETTLE_VERB = NGX_HTTP_CONFLICT_REDIS_ARGV(6),
    NGX_HTTP_CONFLICT_REDIS_SETTLE_FENCE,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_VERSION,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_UNTIL,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_QUARANTINE,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_FINGERPRINT,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_EXISTENCE,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_MTIME,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_TWICE,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_VIEW,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_WORD
};

/* settle_fast.lua */

enum {
    NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST_LEFT = NGX_HTTP_CONFLICT_REDIS_ARGV(3),
    NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST_COMMIT,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST_TTL,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST_ARGS
};

/* read.lua: peek, observe */

enum {
    NGX_HTTP_CONFLICT_REDIS_READ_VERB = NGX_HTTP_CONFLICT_REDIS_ARGV(6),
    NGX_HTTP_CONFLICT_REDIS_READ_OWN
};

enum {
    NGX_HTTP_CONFLICT_REDIS_READ_PEEK_VIEW = NGX_HTTP_CONFLICT_REDIS_ARGV(8),
    NGX_HTTP_CONFLICT_REDIS_READ_PEEK_TTL
};

enum {
    NGX_HTTP_CONFLICT_REDIS_READ_FENCE = NGX_HTTP_CONFLICT_REDIS_ARGV(8),
    NGX_HTTP_CONFLICT_REDIS_READ_VERSION,
    NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_VERSION,
    NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_BODY,
    NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_VIEW,
    NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_MTIME,
    NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_EXISTENCE,
    NGX_HTTP_CONFLICT_REDIS_READ_SHOWN_LATEST,
    NGX_HTTP_CONFLICT_REDIS_READ_DOUBT,
    NGX_HTTP_CONFLICT_REDIS_READ_EDITS
};

/* read_fast.lua */

enum {
    NGX_HTTP_CONFLICT_REDIS_READ_FAST_SAVED = NGX_HTTP_CONFLICT_REDIS_ARGV(3),
    NGX_HTTP_CONFLICT_REDIS_READ_FAST_OWN,
    NGX_HTTP_CONFLICT_REDIS_READ_FAST_TTL,
    NGX_HTTP_CONFLICT_REDIS_READ_FAST_ARGS
};

/* history.lua: keep, recall, versions */

enum {
    NGX_HTTP_CONFLICT_REDIS_HISTORY_VERB = NGX_HTTP_CONFLICT_REDIS_ARGV(6),
    NGX_HTTP_CONFLICT_REDIS_HISTORY_VERSION,
    NGX_HTTP_CONFLICT_REDIS_HISTORY_FINGERPRINT
};

enum {
    NGX_HTTP_CONFLICT_REDIS_HISTORY_CERTAIN = NGX_HTTP_CONFLICT_REDIS_ARGV(9),
    NGX_HTTP_CONFLICT_REDIS_HISTORY_SHOWN,
    NGX_HTTP_CONFLICT_REDIS_HISTORY_FENCE,
    NGX_HTTP_CONFLICT_REDIS_HISTORY_BODIES,
    NGX_HTTP_CONFLICT_REDIS_HISTORY_BYTES,
    NGX_HTTP_CONFLICT_REDIS_HISTORY_TTL,
    NGX_HTTP_CONFLICT_REDIS_HISTORY_VIEW,
    NGX_HTTP_CONFLICT_REDIS_HISTORY_BODY,
    NGX_HTTP_CONFLICT_REDIS_HISTORY_HASH,
    NGX_HTTP_CONFLICT_REDIS_HISTORY_NOTE
};

enum {
    NGX_HTTP_CONFLICT_REDIS_HISTORY_RECALL_VIEW
                                         = NGX_HTTP_CONFLICT_REDIS_ARGV(9),
    NGX_HTTP_CONFLICT_REDIS_HISTORY_RECALL_WORD
};

/* lock.lua: show, acquire and release; count and drop */

enum {
    NGX_HTTP_CONFLICT_REDIS_LOCK_VERB = NGX_HTTP_CONFLICT_REDIS_ARGV(6),
    NGX_HTTP_CONFLICT_REDIS_LOCK_TOKEN,
    NGX_HTTP_CONFLICT_REDIS_LOCK_USER,
    NGX_HTTP_CONFLICT_REDIS_LOCK_CLIENT,
    NGX_HTTP_CONFLICT_REDIS_LOCK_FRESH,
    NGX_HTTP_CONFLICT_REDIS_LOCK_IDLE,
    NGX_HTTP_CONFLICT_REDIS_LOCK_FORCE,
    NGX_HTTP_CONFLICT_REDIS_LOCK_NOTE,
    NGX_HTTP_CONFLICT_REDIS_LOCK_RESERVE
};

enum {
    NGX_HTTP_CONFLICT_REDIS_LOCK_COUNT_KEY = NGX_HTTP_CONFLICT_REDIS_ARGV(7),
    NGX_HTTP_CONFLICT_REDIS_LOCK_COUNT_QUOTA,
    NGX_HTTP_CONFLICT_REDIS_LOCK_COUNT_IDLE
};

/* items.lua: mark, versions */

enum {
    NGX_HTTP_CONFLICT_REDIS_ITEMS_VERB = NGX_HTTP_CONFLICT_REDIS_ARGV(6)
};

/* blob.lua: claim, put, get and remove, then pairs of indexes; list */

enum {
    NGX_HTTP_CONFLICT_REDIS_BLOB_VERB = NGX_HTTP_CONFLICT_REDIS_ARGV(6),
    NGX_HTTP_CONFLICT_REDIS_BLOB_KIND,
    NGX_HTTP_CONFLICT_REDIS_BLOB_ID,
    NGX_HTTP_CONFLICT_REDIS_BLOB_FROM,
    NGX_HTTP_CONFLICT_REDIS_BLOB_TOKEN,
    NGX_HTTP_CONFLICT_REDIS_BLOB_LEASE,
    NGX_HTTP_CONFLICT_REDIS_BLOB_TTL,
    NGX_HTTP_CONFLICT_REDIS_BLOB_HEAD,
    NGX_HTTP_CONFLICT_REDIS_BLOB_BODY,
    NGX_HTTP_CONFLICT_REDIS_BLOB_INDEXES
};

enum {
    NGX_HTTP_CONFLICT_REDIS_BLOB_LIST_INDEX = NGX_HTTP_CONFLICT_REDIS_ARGV(8),
    NGX_HTTP_CONFLICT_REDIS_BLOB_LIST_BEFORE,
    NGX_HTTP_CONFLICT_REDIS_BLOB_LIST_MAX
};

/* stats.lua: add, then its pairs; often; lock and unlock; read; recent */

enum {
    NGX_HTTP_CONFLICT_REDIS_STATS_VERB = NGX_HTTP_CONFLICT_REDIS_ARGV(6),
    NGX_HTTP_CONFLICT_REDIS_STATS_ROUTE,
    NGX_HTTP_CONFLICT_REDIS_STATS_POLICY,
    NGX_HTTP_CONFLICT_REDIS_STATS_SENDER,
    NGX_HTTP_CONFLICT_REDIS_STATS_NUMBER,
    NGX_HTTP_CONFLICT_REDIS_STATS_PAIRS
};

enum {
    NGX_HTTP_CONFLICT_REDIS_STATS_RESOURCE = NGX_HTTP_CONFLICT_REDIS_ARGV(7),
    NGX_HTTP_CONFLICT_REDIS_STATS_IDLE,
    NGX_HTTP_CONFLICT_REDIS_STATS_ACQUIRED,
    NGX_HTTP_CONFLICT_REDIS_STATS_USER,
    NGX_HTTP_CONFLICT_REDIS_STATS_CLIENT
};

enum {
    NGX_HTTP_CONFLICT_REDIS_STATS_WHAT = NGX_HTTP_CONFLICT_REDIS_ARGV(7)
};


/* Answers: the words of all scripts, then those of an entry */

enum {
    NGX_HTTP_CONFLICT_REDIS_WORD_TOKEN = 0,
    NGX_HTTP_CONFLICT_REDIS_WORD_INCARNATION,
    NGX_HTTP_CONFLICT_REDIS_WORD_STATE,
    NGX_HTTP_CONFLICT_REDIS_WORD_PRESENT,
    NGX_HTTP_CONFLICT_REDIS_WORD_VERSION,
    NGX_HTTP_CONFLICT_REDIS_WORD_FENCE,
    NGX_HTTP_CONFLICT_REDIS_WORD_BODY,
    NGX_HTTP_CONFLICT_REDIS_WORD_VIEW,
    NGX_HTTP_CONFLICT_REDIS_WORD_MTIME,
    NGX_HTTP_CONFLICT_REDIS_WORD_TWICE,      /* 1: second_reused,
                                                2: mtime_exact */
    NGX_HTTP_CONFLICT_REDIS_WORD_EXISTENCE,
    NGX_HTTP_CONFLICT_REDIS_WORD_WAIT,
    NGX_HTTP_CONFLICT_REDIS_WORD_CLOCK,
    NGX_HTTP_CONFLICT_REDIS_WORDS
};

/* behind these words: begin.lua */

enum {
    NGX_HTTP_CONFLICT_REDIS_WORD_VERDICT = NGX_HTTP_CONFLICT_REDIS_WORDS,
    NGX_HTTP_CONFLICT_REDIS_WORD_HEADER,
    NGX_HTTP_CONFLICT_REDIS_WORD_LEASED,
    NGX_HTTP_CONFLICT_REDIS_WORD_OVERLAP,
    NGX_HTTP_CONFLICT_REDIS_WORD_DOUBT,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_WORDS
};

/* read.lua */

enum {
    NGX_HTTP_CONFLICT_REDIS_WORD_APPLIED = NGX_HTTP_CONFLICT_REDIS_WORDS,
    NGX_HTTP_CONFLICT_REDIS_WORD_EXTERNAL,
    NGX_HTTP_CONFLICT_REDIS_WORD_HELD,
    NGX_HTTP_CONFLICT_REDIS_READ_WORDS
};

/* lock.lua */

enum {
    NGX_HTTP_CONFLICT_REDIS_WORD_RESULT = NGX_HTTP_CONFLICT_REDIS_WORDS,
    NGX_HTTP_CONFLICT_REDIS_WORD_RESERVED,
    NGX_HTTP_CONFLICT_REDIS_WORD_WAITING,
    NGX_HTTP_CONFLICT_REDIS_LOCK_WORDS
};


/*
 * The answer of a fast path: the clock, then the words of an entry, as the
 * head of entry.lua lists them, of which only these matter to an operation.
 */

enum {
    NGX_HTTP_CONFLICT_REDIS_FAST_SEC = 0,
    NGX_HTTP_CONFLICT_REDIS_FAST_USEC,
    NGX_HTTP_CONFLICT_REDIS_FAST_FLAGS,
    NGX_HTTP_CONFLICT_REDIS_FAST_FENCE = NGX_HTTP_CONFLICT_REDIS_FAST_FLAGS + 2,
    NGX_HTTP_CONFLICT_REDIS_FAST_VERSION
                                     = NGX_HTTP_CONFLICT_REDIS_FAST_FENCE + 5,
    NGX_HTTP_CONFLICT_REDIS_FAST_BODY,
    NGX_HTTP_CONFLICT_REDIS_FAST_VIEW,
    NGX_HTTP_CONFLICT_REDIS_FAST_MTIME,
    NGX_HTTP_CONFLICT_REDIS_FAST_WORDS
};

/* the flags of an entry, a digit each */

enum {
    NGX_HTTP_CONFLICT_REDIS_FLAG_STATE = 0,
    NGX_HTTP_CONFLICT_REDIS_FLAG_EXISTENCE,
    NGX_HTTP_CONFLICT_REDIS_FLAG_TWICE,
    NGX_HTTP_CONFLICT_REDIS_FLAG_DATED,
    NGX_HTTP_CONFLICT_REDIS_FLAG_CERTAIN,
    NGX_HTTP_CONFLICT_REDIS_FLAG_KNOWN,
    NGX_HTTP_CONFLICT_REDIS_FLAG_OVERLAP,
    NGX_HTTP_CONFLICT_REDIS_FLAG_VERDICT,
    NGX_HTTP_CONFLICT_REDIS_FLAG_HEADER,
    NGX_HTTP_CONFLICT_REDIS_FLAG_PROVES,
    NGX_HTTP_CONFLICT_REDIS_FLAG_SUSPECT,
    NGX_HTTP_CONFLICT_REDIS_FLAGS
};


/* the arguments of a call that is being made */

typedef struct {
    ngx_str_t                *arg;
    ngx_uint_t                n;
    u_char                   *last;      /* end of their text */
    const char               *extra_key; /* suffix of a third key, or NULL */
    ngx_str_t                *key;       /* NULL: that of the operation */
    ngx_str_t                *more;      /* complete keys, of its slot */
    ngx_uint_t                nmore;
    unsigned                  fast:1;    /* of a fast path */
    ngx_str_t                 own[NGX_HTTP_CONFLICT_REDIS_ARGS];
    u_char                    text[ngx_http_conflict_redis_codec_room(
                                   NGX_HTTP_CONFLICT_REDIS_ARGS)];
} ngx_http_conflict_redis_args_t;


/*
 * Begins with the arguments that all scripts have, with a new token, and the
 * verb.  There is room for NGX_HTTP_CONFLICT_REDIS_ARGS.
 */
void ngx_http_conflict_redis_codec_verb(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, const char *verb);

/*
 * The same without a verb and with a token.  "arg" and "buf" belong to the
 * caller and have room for all arguments.
 */
void ngx_http_conflict_redis_codec_head(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    uint64_t token);

/* The same for a script of a fast path. */
void ngx_http_conflict_redis_codec_fast(ngx_http_conflict_redis_args_t *args,
    ngx_str_t *arg, u_char *buf, uint64_t token);

/* A new token for a call or a lease. */
uint64_t ngx_http_conflict_redis_codec_token(void);

/*
 * Each sets the argument "at", one of the names above, and args->n to the next
 * one, for lists.  Text and bytes are not copied.  A hash of 0 is none.
 */
void ngx_http_conflict_redis_codec_text(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, const char *text);
void ngx_http_conflict_redis_codec_bytes(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, ngx_str_t *bytes);
void ngx_http_conflict_redis_codec_number(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, int64_t n);
void ngx_http_conflict_redis_codec_hash(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, uint64_t hash);
void ngx_http_conflict_redis_codec_version(
    ngx_http_conflict_redis_args_t *args, ngx_uint_t at, uint64_t version);
void ngx_http_conflict_redis_codec_date(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, int64_t time);

/* A lease and its quarantine, in milliseconds, and a fingerprint. */
void ngx_http_conflict_redis_codec_lease(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, ngx_msec_t lease, ngx_msec_t quarantine,
    uint64_t fingerprint);

/* The word of a link, with a prefix and a suffix. */
void ngx_http_conflict_redis_codec_link(ngx_http_conflict_redis_args_t *args,
    ngx_uint_t at, const char *prefix, uint64_t word, const char *suffix);

/* The token of a lock in hexadecimal, in "buf"; NULL: none. */
void ngx_http_conflict_redis_codec_lock_token(
    ngx_http_conflict_redis_args_t *args, ngx_uint_t at, u_char *token,
    u_char *buf);

/* Print a version or a date, as the arguments above, and return its end. */
u_char *ngx_http_conflict_redis_codec_print_version(u_char *p,
    uint64_t version);
u_char *ngx_http_conflict_redis_codec_print_date(u_char *p, int64_t time);


#endif /* _NGX_HTTP_CONFLICT_REDIS_CODEC_H_INCLUDED_ */
