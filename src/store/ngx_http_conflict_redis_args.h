
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: the arguments of its scripts, and their
 * answers.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_ARGS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_ARGS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "redis_client/ngx_http_conflict_redis_client.h"
#include "store/ngx_http_conflict_store.h"


#define NGX_HTTP_CONFLICT_REDIS_ARGS  24     /* beside lists of tags */

/* the end of the year 9999: what comes later has no form on the wire */
#define NGX_HTTP_CONFLICT_REDIS_USEC  253402300799999999

/* room for the text of "n" arguments */
#define ngx_http_conflict_redis_room(n)  ((n) * (NGX_INT64_LEN + 1))


/* the arguments of a script as they are gathered */

typedef struct {
    ngx_str_t                *arg;
    ngx_uint_t                n;
    u_char                   *last;      /* of their text */
    const char               *third;     /* ends the name of a third key */
    ngx_str_t                *key;       /* NULL: the operation's */
} ngx_http_conflict_redis_args_t;


/*
 * Begins with the arguments that all scripts have.  "arg" and "buf" are the
 * caller's, with room for all that comes.
 */
void ngx_http_conflict_redis_head(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    uint64_t token);

/* "text" is not copied */
void ngx_http_conflict_redis_text(ngx_http_conflict_redis_args_t *args,
    const char *text);
void ngx_http_conflict_redis_number(ngx_http_conflict_redis_args_t *args,
    int64_t n);
void ngx_http_conflict_redis_hash(ngx_http_conflict_redis_args_t *args,
    uint64_t hash);
void ngx_http_conflict_redis_version(ngx_http_conflict_redis_args_t *args,
    uint64_t version);

/* The word of a link, with marks before and behind it. */
void ngx_http_conflict_redis_link(ngx_http_conflict_redis_args_t *args,
    const char *before, uint64_t word, const char *after);
void ngx_http_conflict_redis_date(ngx_http_conflict_redis_args_t *args,
    int64_t time);

/*
 * Takes the words of an answer into the operation.  NGX_ERROR: they are not
 * what a script says.
 */
ngx_int_t ngx_http_conflict_redis_read_answer(ngx_http_conflict_op_t *op,
    ngx_str_t *answer);

/*
 * Sends a script for the operation's key; its arguments are copied.  NGX_OK:
 * handler will run; NGX_ERROR: it will not, and *why says why.
 */
ngx_int_t ngx_http_conflict_redis_submit(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_script_e script,
    ngx_http_conflict_redis_args_t *args, ngx_msec_t life,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, void *data,
    const char **why);

/*
 * The same where the operation waits for the answer: NGX_AGAIN, or NGX_ERROR.
 */
ngx_int_t ngx_http_conflict_redis_query(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_script_e script,
    ngx_http_conflict_redis_args_t *args);

uint64_t ngx_http_conflict_redis_token(void);

/* Adds bytes, which are not copied. */
void ngx_http_conflict_redis_bytes(ngx_http_conflict_redis_args_t *args,
    ngx_str_t *bytes);

/* The next number of an answer, after a space.  NGX_ERROR: it is none. */
ngx_int_t ngx_http_conflict_redis_number_of(u_char **p, u_char *last,
    uint64_t most, uint64_t *n);

/* Two of them and a space, then texts of these lengths and no more. */
ngx_int_t ngx_http_conflict_redis_lengths(u_char **p, u_char *last,
    uint64_t len[2]);

/* redis_lock.c */
ngx_int_t ngx_http_conflict_redis_lock(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_read_lock(ngx_http_conflict_op_t *op,
    u_char *p, u_char *last);

/* An acquire that nobody will know of, or that is one too many. */
void ngx_http_conflict_redis_give_back(ngx_http_conflict_op_t *op);

/* A lock's token, "buf" has room for it. */
void ngx_http_conflict_redis_given(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_args_t *args, u_char *buf);

/*
 * The answer to a lock was read.  1: more is asked, the operation is busy.
 */
ngx_uint_t ngx_http_conflict_redis_locked(ngx_http_conflict_op_t *op);

/* redis_settle.c */
ngx_int_t ngx_http_conflict_redis_renew(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_commit(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_cancel(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_abandon(ngx_http_conflict_op_t *op);

/* redis_history.c: "keep" and "recall" */
ngx_int_t ngx_http_conflict_redis_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_row_t *row);
ngx_int_t ngx_http_conflict_redis_recall(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_read_bodies(ngx_http_conflict_op_t *op,
    ngx_str_t *answer);

/* the clock, in microseconds */
int64_t ngx_http_conflict_redis_local(void);

/* Tells, now and then, that the server which has answered is a new one. */
void ngx_http_conflict_redis_born(ngx_http_conflict_store_t *store,
    ngx_str_t *answer);

/* redis_stream.c: the store's "record" */
ngx_int_t ngx_http_conflict_redis_record(ngx_http_conflict_store_t *store,
    ngx_str_t *key, ngx_str_t *line);


#endif /* _NGX_HTTP_CONFLICT_REDIS_ARGS_H_INCLUDED_ */
