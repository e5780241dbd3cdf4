
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The decoding of answers: their words are taken into the operation only if
 * all of them are as the head of the script states.
 */


#include "store/redis/ngx_http_conflict_redis_answer.h"
#include "store/redis/ngx_http_conflict_redis_entry.h"
#include "store/redis/ngx_http_conflict_redis_words.h"
#include "core/policy/conflict_version.h"
#include "core/text/conflict_time.h"


#define NGX_HTTP_CONFLICT_REDIS_NEW_INCARNATION  1
#define NGX_HTTP_CONFLICT_REDIS_HOLDS            4

#define NGX_HTTP_CONFLICT_REDIS_TWICE            1
#define NGX_HTTP_CONFLICT_REDIS_DATED            2


static ngx_int_t ngx_http_conflict_redis_answer_fast(
    ngx_http_conflict_op_t *op, ngx_http_conflict_redis_words_t *a,
    ngx_str_t *answer, conflict_state_e state, ngx_str_t *entry);
static ngx_int_t ngx_http_conflict_redis_answer_words(
    ngx_http_conflict_redis_words_t *a, ngx_str_t *answer,
    const ngx_http_conflict_redis_word_t *more, ngx_uint_t n);
static void ngx_http_conflict_redis_answer_entry(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_words_t *a);
static ngx_int_t ngx_http_conflict_redis_answer_note(
    ngx_http_conflict_op_t *op, ngx_http_conflict_redis_words_t *a);
static ngx_int_t ngx_http_conflict_redis_answer_holder(
    ngx_http_conflict_op_t *op, ngx_http_conflict_redis_words_t *a);
static ngx_int_t ngx_http_conflict_redis_answer_read(
    ngx_http_conflict_redis_words_t *a, ngx_str_t *answer);


/* the words of an entry, from NGX_HTTP_CONFLICT_REDIS_WORD_INCARNATION on */

static const ngx_http_conflict_redis_word_t
    ngx_http_conflict_redis_entry_words[] =
{
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 7 },                   /* incarnation */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, CONFLICT_STATES - 1 },
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 1 },                   /* present */
    { NGX_HTTP_CONFLICT_REDIS_VERSION, CONFLICT_VERSION_LIMIT - 1 },
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, CONFLICT_VERSION_LIMIT - 1 }, /* fence */
    { NGX_HTTP_CONFLICT_REDIS_HASH, UINT64_MAX },            /* body */
    { NGX_HTTP_CONFLICT_REDIS_HASH, UINT64_MAX },            /* view */
    { NGX_HTTP_CONFLICT_REDIS_DATE, NGX_HTTP_CONFLICT_REDIS_USEC },
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, NGX_HTTP_CONFLICT_REDIS_TWICE
                                      | NGX_HTTP_CONFLICT_REDIS_DATED },
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, CONFLICT_NOT_SHOWN },  /* existence */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, NGX_HTTP_CONFLICT_REDIS_USEC / 1000 },
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, NGX_HTTP_CONFLICT_REDIS_USEC }
};


/* the words of a fast path: the clock, and those of an entry */

static const ngx_http_conflict_redis_word_t
    ngx_http_conflict_redis_fast_words[NGX_HTTP_CONFLICT_REDIS_FAST_WORDS] =
{
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, NGX_HTTP_CONFLICT_REDIS_USEC / 1000000 },
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 999999 },
    { NGX_HTTP_CONFLICT_REDIS_TEXT, 0 },                     /* flags */
    { NGX_HTTP_CONFLICT_REDIS_TEXT, 0 },                     /* token */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, CONFLICT_VERSION_LIMIT - 1 }, /* fence */
    { NGX_HTTP_CONFLICT_REDIS_TEXT, 0 },                     /* until */
    { NGX_HTTP_CONFLICT_REDIS_TEXT, 0 },                     /* quarantine */
    { NGX_HTTP_CONFLICT_REDIS_TEXT, 0 },                     /* fingerprint */
    { NGX_HTTP_CONFLICT_REDIS_TEXT, 0 },                     /* first fence */
    { NGX_HTTP_CONFLICT_REDIS_VERSION, CONFLICT_VERSION_LIMIT - 1 },
    { NGX_HTTP_CONFLICT_REDIS_HASH, UINT64_MAX },            /* body */
    { NGX_HTTP_CONFLICT_REDIS_HASH, UINT64_MAX },            /* view */
    { NGX_HTTP_CONFLICT_REDIS_DATE, NGX_HTTP_CONFLICT_REDIS_USEC }
};


/* the words behind those of an entry, by script */

static const ngx_http_conflict_redis_word_t
    ngx_http_conflict_redis_begin_words[] =
{
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, CONFLICT_LOCKED },     /* verdict */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 1 },                   /* header */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 1 },                   /* leased */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 1 },                   /* overlap */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 1 }                    /* doubt */
};

static const ngx_http_conflict_redis_word_t
    ngx_http_conflict_redis_read_words[] =
{
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 1 },                   /* applied */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 1 },                   /* external */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 1 }                    /* held */
};

static const ngx_http_conflict_redis_word_t
    ngx_http_conflict_redis_lock_words[] =
{
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, NGX_HTTP_CONFLICT_LOCK_HANDED },
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, 1 },                   /* reserved */
    { NGX_HTTP_CONFLICT_REDIS_NUMBER, NGX_HTTP_CONFLICT_LOCK_NOTES }
};


ngx_int_t
ngx_http_conflict_redis_answer_begin(ngx_http_conflict_op_t *op,
    ngx_str_t *answer)
{
    uint64_t                          edited, ahead;
    ngx_uint_t                        leased, locked;
    conflict_verdict_e                verdict;
    ngx_str_t                         entry;
    ngx_http_conflict_redis_words_t  a;

    ngx_http_conflict_redis_entry_forget(op);

    if (ngx_http_conflict_redis_answer_declined(answer)) {
        return NGX_DECLINED;
    }

    if (ngx_http_conflict_redis_answer_is_fast(answer)) {

        if (ngx_http_conflict_redis_answer_fast(op, &a, answer,
                                                CONFLICT_LEASED, &entry)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        op->out.leased = 1;
        op->out.header = 0;
        op->redis.overlap = 0;
        op->out.store_behind = 0;

        ngx_http_conflict_redis_entry_keep(op, &entry);

        return NGX_OK;
    }

    if (ngx_http_conflict_redis_answer_words(&a, answer,
                                          ngx_http_conflict_redis_begin_words,
                                          NGX_HTTP_CONFLICT_REDIS_BEGIN_WORDS)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    verdict = (conflict_verdict_e) a.word[NGX_HTTP_CONFLICT_REDIS_WORD_VERDICT];
    leased = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_LEASED] != 0);

    edited = CONFLICT_EDIT_OLDEST;
    ahead = 0;

    if (op->in.edits
        && (ngx_http_conflict_redis_words_number(&a,
                                   NGX_HTTP_CONFLICT_REDIS_USEC, &edited)
            != NGX_OK
            || ngx_http_conflict_redis_words_number(&a, 1, &ahead) != NGX_OK))
    {
        return NGX_ERROR;
    }

    locked = (verdict == CONFLICT_LOCKED);

    if (!leased
        && (verdict == CONFLICT_PASS || verdict == CONFLICT_OVERWRITE
            || verdict == CONFLICT_COMBINE))
    {
        /* no write passes without a lease */
        return NGX_ERROR;
    }

    if (locked == (a.p == a.last)) {
        return NGX_ERROR;
    }

    ngx_http_conflict_redis_answer_incarnation(op->store, answer);
    ngx_http_conflict_redis_answer_entry(op, &a);

    op->out.verdict = verdict;
    op->out.leased = leased;
    op->out.header = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_HEADER] != 0);
    op->redis.overlap = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_OVERLAP] != 0);
    op->out.store_behind = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_DOUBT] != 0);
    op->out.edited = (int64_t) edited;
    op->out.ahead = (ahead != 0);

    return locked ? ngx_http_conflict_redis_answer_holder(op, &a) : NGX_OK;
}


ngx_int_t
ngx_http_conflict_redis_answer_peek(ngx_http_conflict_op_t *op,
    ngx_str_t *answer)
{
    ngx_str_t                         entry;
    ngx_http_conflict_redis_words_t  a;

    if (ngx_http_conflict_redis_answer_declined(answer)) {
        return NGX_DECLINED;
    }

    if (ngx_http_conflict_redis_answer_is_fast(answer)) {
        op->out.applied = 0;
        op->out.external = 0;
        op->out.history_has = 0;

        return ngx_http_conflict_redis_answer_fast(op, &a, answer,
                                                   CONFLICT_FREE, &entry);
    }

    if (ngx_http_conflict_redis_answer_read(&a, answer) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_redis_answer_incarnation(op->store, answer);
    ngx_http_conflict_redis_answer_entry(op, &a);

    op->out.applied = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_APPLIED] != 0);
    op->out.external = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_EXTERNAL] != 0);
    op->out.history_has = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_HELD] != 0);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_redis_answer_observe(ngx_http_conflict_op_t *op,
    ngx_str_t *answer)
{
    ngx_http_conflict_redis_words_t  a;

    if (ngx_http_conflict_redis_answer_read(&a, answer) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_redis_answer_incarnation(op->store, answer);

    op->out.applied = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_APPLIED] != 0);
    op->out.external = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_EXTERNAL] != 0);
    op->out.history_has = 0;

    if (op->out.applied) {
        ngx_http_conflict_redis_answer_entry(op, &a);
    }

    /* else the operation keeps what its peek or begin has found */

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_redis_answer_lock(ngx_http_conflict_op_t *op,
    ngx_str_t *answer)
{
    ngx_uint_t                        i;
    ngx_http_conflict_redis_words_t  a, notes;

    if (ngx_http_conflict_redis_answer_words(&a, answer,
                                          ngx_http_conflict_redis_lock_words,
                                          NGX_HTTP_CONFLICT_REDIS_LOCK_WORDS)
        != NGX_OK
        || a.p == a.last)
    {
        return NGX_ERROR;
    }

    /* the holder is parsed first, as it begins the report of the lock */

    notes = a;

    for (i = 0; i < a.word[NGX_HTTP_CONFLICT_REDIS_WORD_WAITING]; i++) {

        if (ngx_http_conflict_redis_answer_note(NULL, &a) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_conflict_redis_answer_holder(op, &a) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < a.word[NGX_HTTP_CONFLICT_REDIS_WORD_WAITING]; i++) {
        (void) ngx_http_conflict_redis_answer_note(op, &notes);
    }

    ngx_http_conflict_redis_answer_incarnation(op->store, answer);
    ngx_http_conflict_redis_answer_entry(op, &a);

    op->lock.result = (ngx_http_conflict_lock_result_e)
                      a.word[NGX_HTTP_CONFLICT_REDIS_WORD_RESULT];
    op->lock.reserved = (a.word[NGX_HTTP_CONFLICT_REDIS_WORD_RESERVED] != 0);

    return NGX_OK;
}


/* since when, and two names; op is NULL: only checks them */

static ngx_int_t
ngx_http_conflict_redis_answer_note(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_words_t *a)
{
    u_char      user[NGX_HTTP_CONFLICT_LOCK_USER];
    u_char      client[NGX_HTTP_CONFLICT_LOCK_CLIENT];
    uint64_t    since;
    ngx_str_t   name[2];

    name[0].data = user;
    name[0].len = NGX_HTTP_CONFLICT_LOCK_USER;
    name[1].data = client;
    name[1].len = NGX_HTTP_CONFLICT_LOCK_CLIENT;

    if (ngx_http_conflict_redis_words_number(a, NGX_HTTP_CONFLICT_REDIS_USEC,
                                              &since)
        != NGX_OK
        || ngx_http_conflict_redis_words_name(a, &name[0]) != NGX_OK
        || ngx_http_conflict_redis_words_name(a, &name[1]) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (op) {
        ngx_http_conflict_op_lock_note(op, (int64_t) since, &name[0], &name[1]);
    }

    return NGX_OK;
}


/* incarnation, held, repeat, certain, two lengths, two bodies */

ngx_int_t
ngx_http_conflict_redis_answer_recall(ngx_http_conflict_op_t *op,
    ngx_str_t *answer)
{
    uint64_t                          incarnation, base, repeat, certain;
    uint64_t                          len[2];
    ngx_http_conflict_redis_words_t  a;

    if (ngx_http_conflict_redis_answer_words(&a, answer, NULL, 0) != NGX_OK
        || ngx_http_conflict_redis_words_number(&a, 7, &incarnation) != NGX_OK
        || ngx_http_conflict_redis_words_number(&a, 2, &base) != NGX_OK
        || ngx_http_conflict_redis_words_number(&a, 1, &repeat) != NGX_OK
        || ngx_http_conflict_redis_words_number(&a, 1, &certain) != NGX_OK
        || ngx_http_conflict_redis_words_lengths(&a, len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    op->out.late = (base == 2);

    if (base
        && ngx_http_conflict_op_copy(&op->out.base_body, a.p, len[0]) == NGX_OK)
    {
        op->out.base_held = 1;
    }

    if (repeat
        && ngx_http_conflict_op_copy(&op->out.made_body, a.p + len[0], len[1])
           == NGX_OK)
    {
        op->out.repeat = 1;
        op->out.certain = (certain != 0);
    }

    return NGX_OK;
}


/* incarnation, held, two lengths, then a body, or versions and notes */

ngx_int_t
ngx_http_conflict_redis_answer_versions(ngx_http_conflict_op_t *op,
    ngx_str_t *answer)
{
    uint64_t                          incarnation, held, len[2];
    ngx_http_conflict_redis_words_t  a;

    if (ngx_http_conflict_redis_answer_words(&a, answer, NULL, 0) != NGX_OK
        || ngx_http_conflict_redis_words_number(&a, 7, &incarnation) != NGX_OK
        || ngx_http_conflict_redis_words_number(&a, 1, &held) != NGX_OK
        || ngx_http_conflict_redis_words_lengths(&a, len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (op->in.pre.base) {
        op->out.base_held = (held
                             && ngx_http_conflict_op_copy(&op->out.base_body,
                                                          a.p, len[0])
                                == NGX_OK);
        return NGX_OK;
    }

    if (ngx_http_conflict_op_copy(&op->out.held, a.p, len[0]) != NGX_OK
        || ngx_http_conflict_op_copy(&op->out.notes, a.p + len[0], len[1])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * An entry that was free, as it is now, in "state".  It has no chain, and its
 * last words do not matter to the operation.
 */

static ngx_int_t
ngx_http_conflict_redis_answer_fast(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_words_t *a, ngx_str_t *answer,
    conflict_state_e state, ngx_str_t *entry)
{
    u_char      *flags;
    uint64_t    *word;
    ngx_uint_t   i;

    a->p = answer->data + NGX_HTTP_CONFLICT_REDIS_TOKEN + 1;
    a->last = answer->data + answer->len;

    word = a->word;
    flags = NULL;

    for (i = 0; i < NGX_HTTP_CONFLICT_REDIS_FAST_WORDS; i++) {

        if (i == NGX_HTTP_CONFLICT_REDIS_FAST_FLAGS) {
            flags = a->p + 1;
        }

        if (ngx_http_conflict_redis_words_next(a,
                                        &ngx_http_conflict_redis_fast_words[i],
                                        &word[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    entry->data = flags;
    entry->len = a->last - flags;

    for (i = 0; i < NGX_HTTP_CONFLICT_REDIS_FLAGS; i++) {

        if (flags[i] < '0' || flags[i] > '9') {
            return NGX_ERROR;
        }
    }

    if (flags[NGX_HTTP_CONFLICT_REDIS_FLAG_STATE] != '0' + state
        || flags[NGX_HTTP_CONFLICT_REDIS_FLAG_EXISTENCE]
           > '0' + CONFLICT_NOT_SHOWN)
    {
        return NGX_ERROR;
    }

    op->out.state = CONFLICT_FREE;
    op->out.present = 1;
    op->out.wait = 0;
    op->out.settling = 0;
    op->out.version = word[NGX_HTTP_CONFLICT_REDIS_FAST_VERSION];
    op->out.fence = word[NGX_HTTP_CONFLICT_REDIS_FAST_FENCE];
    op->out.body = word[NGX_HTTP_CONFLICT_REDIS_FAST_BODY];
    op->out.body_view = word[NGX_HTTP_CONFLICT_REDIS_FAST_VIEW];
    op->out.mtime = (int64_t) word[NGX_HTTP_CONFLICT_REDIS_FAST_MTIME];
    op->out.second_reused = (flags[NGX_HTTP_CONFLICT_REDIS_FLAG_TWICE] == '1');
    op->out.mtime_exact = (flags[NGX_HTTP_CONFLICT_REDIS_FLAG_DATED] == '1');
    op->out.existence = (conflict_existence_e)
                       (flags[NGX_HTTP_CONFLICT_REDIS_FLAG_EXISTENCE] - '0');
    op->out.verdict = (conflict_verdict_e)
                       (flags[NGX_HTTP_CONFLICT_REDIS_FLAG_VERDICT] - '0');

    op->redis.clock = (int64_t) word[NGX_HTTP_CONFLICT_REDIS_FAST_SEC] * 1000000
                      + (int64_t) word[NGX_HTTP_CONFLICT_REDIS_FAST_USEC]
                      - op->redis.sent;

    return NGX_OK;
}


/*
 * Parses "n" words of an answer, the token included; "more" describes those
 * behind the words of the entry.
 */

static ngx_int_t
ngx_http_conflict_redis_answer_words(ngx_http_conflict_redis_words_t *a,
    ngx_str_t *answer, const ngx_http_conflict_redis_word_t *more, ngx_uint_t n)
{
    ngx_uint_t                             i;
    const ngx_http_conflict_redis_word_t  *word;

    a->p = answer->data + NGX_HTTP_CONFLICT_REDIS_TOKEN;
    a->last = answer->data + answer->len;

    for (i = NGX_HTTP_CONFLICT_REDIS_WORD_INCARNATION; i < n; i++) {

        word = (i < NGX_HTTP_CONFLICT_REDIS_WORDS)
               ? &ngx_http_conflict_redis_entry_words[
                                i - NGX_HTTP_CONFLICT_REDIS_WORD_INCARNATION]
               : &more[i - NGX_HTTP_CONFLICT_REDIS_WORDS];

        if (ngx_http_conflict_redis_words_next(a, word, &a->word[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_conflict_redis_answer_entry(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_words_t *a)
{
    uint64_t  *word;

    word = a->word;

    op->out.state = (conflict_state_e) word[NGX_HTTP_CONFLICT_REDIS_WORD_STATE];
    op->out.present = (word[NGX_HTTP_CONFLICT_REDIS_WORD_PRESENT] != 0);
    op->out.version = word[NGX_HTTP_CONFLICT_REDIS_WORD_VERSION];
    op->out.fence = word[NGX_HTTP_CONFLICT_REDIS_WORD_FENCE];
    op->out.body = word[NGX_HTTP_CONFLICT_REDIS_WORD_BODY];
    op->out.body_view = word[NGX_HTTP_CONFLICT_REDIS_WORD_VIEW];
    op->out.mtime = (int64_t) word[NGX_HTTP_CONFLICT_REDIS_WORD_MTIME];
    op->out.second_reused = (word[NGX_HTTP_CONFLICT_REDIS_WORD_TWICE]
                             & NGX_HTTP_CONFLICT_REDIS_TWICE) != 0;
    op->out.mtime_exact = (word[NGX_HTTP_CONFLICT_REDIS_WORD_TWICE]
                           & NGX_HTTP_CONFLICT_REDIS_DATED) != 0;
    op->out.existence = (conflict_existence_e)
                        word[NGX_HTTP_CONFLICT_REDIS_WORD_EXISTENCE];
    op->out.wait = (ngx_msec_t) word[NGX_HTTP_CONFLICT_REDIS_WORD_WAIT];
    op->redis.clock = (int64_t) word[NGX_HTTP_CONFLICT_REDIS_WORD_CLOCK]
                      - op->redis.sent;
    op->out.settling = (op->out.state == CONFLICT_QUARANTINED
                        && (word[NGX_HTTP_CONFLICT_REDIS_WORD_INCARNATION]
                            & NGX_HTTP_CONFLICT_REDIS_HOLDS));
}


/* of a lock: acquired, remaining time, two lengths, two strings */

static ngx_int_t
ngx_http_conflict_redis_answer_holder(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_words_t *a)
{
    uint64_t   acquired, remaining, len[2];
    ngx_str_t  user, client;

    if (ngx_http_conflict_redis_words_number(a, NGX_HTTP_CONFLICT_REDIS_USEC,
                                              &acquired)
        != NGX_OK
        || ngx_http_conflict_redis_words_number(a,
                                          NGX_HTTP_CONFLICT_REDIS_USEC / 1000,
                                          &remaining)
           != NGX_OK
        || ngx_http_conflict_redis_words_lengths(a, len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    op->lock.acquired = (int64_t) acquired;
    op->lock.remaining = (ngx_msec_t) remaining;

    user.len = len[0];
    client.len = len[1];
    user.data = a->p;
    client.data = a->p + user.len;

    ngx_http_conflict_op_lock_found(op, &user, &client);

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_redis_answer_read(ngx_http_conflict_redis_words_t *a,
    ngx_str_t *answer)
{
    if (ngx_http_conflict_redis_answer_words(a, answer,
                                           ngx_http_conflict_redis_read_words,
                                           NGX_HTTP_CONFLICT_REDIS_READ_WORDS)
        != NGX_OK
        || a->p != a->last)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* in a cluster each slot may report it, so the message is throttled */

void
ngx_http_conflict_redis_answer_incarnation(ngx_http_conflict_store_t *store,
    ngx_str_t *answer)
{
    if (answer->len < NGX_HTTP_CONFLICT_REDIS_TOKEN + 2
        || ngx_http_conflict_redis_answer_is_fast(answer)
        || (answer->data[NGX_HTTP_CONFLICT_REDIS_TOKEN + 1]
            & NGX_HTTP_CONFLICT_REDIS_NEW_INCARNATION)
           == 0
        || ngx_http_conflict_redis_log_throttled(&store->incarnation_logged))
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "conflict store \"%V\" is a new incarnation (first use, "
                  "restart, replacement, flush, or routes moved to it): writes "
                  "are held back for %M ms",
                  &store->name, store->lease + store->quarantine);
}
