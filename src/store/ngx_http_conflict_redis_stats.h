
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: what it counts and tells of the whole fleet,
 * by the script stats.lua.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_STATS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_STATS_H_INCLUDED_


#include "store/ngx_http_conflict_redis_args.h"
#include "store/ngx_http_conflict_survey.h"


/* a call's own, and two for each counter and each field */

#define NGX_HTTP_CONFLICT_REDIS_STATS_ARGS                                    \
    (9 + 2 * (NGX_HTTP_CONFLICT_COUNTS + NGX_HTTP_CONFLICT_FIELDS))


typedef struct {
    u_char                       *p;
    u_char                       *last;
} ngx_http_conflict_words_t;


/*
 * Begins with the arguments that all scripts have; "arg" and "buf" have room
 * for NGX_HTTP_CONFLICT_REDIS_STATS_ARGS.
 */
void ngx_http_conflict_redis_stats_head(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    const char *verb);

/*
 * Sends it for the key PREFIX and "name".  NGX_OK: handler will run;
 * NGX_ERROR: it will not, and *why says why.
 */
ngx_int_t ngx_http_conflict_redis_stats_send(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, const char *name,
    ngx_http_conflict_redis_pt handler, void *data, const char **why);

/* Nobody waits for it, and it may as well not come there. */
void ngx_http_conflict_redis_stats_note(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args);

/* The store's "counted": what it leads to is sent within a second. */
void ngx_http_conflict_redis_tallied(ngx_http_conflict_store_t *store);

/* redis_figures.c */

/* The bytes up to "end", which goes as well; 0: there are no more. */
ngx_uint_t ngx_http_conflict_redis_word(ngx_http_conflict_words_t *words,
    u_char end, ngx_str_t *word);

/* Takes a line of a survey's answer in. */
void ngx_http_conflict_redis_line(ngx_http_conflict_survey_t *survey,
    ngx_str_t *line);

/* A resource had a conflict; who holds its lock now has changed. */
void ngx_http_conflict_redis_often_had(ngx_http_conflict_store_t *store,
    ngx_str_t *key);
void ngx_http_conflict_redis_lock_changed(ngx_http_conflict_op_t *op);


#endif /* _NGX_HTTP_CONFLICT_REDIS_STATS_H_INCLUDED_ */
