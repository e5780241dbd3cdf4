
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * An entry as its text in Redis.
 */


#include "store/redis/ngx_http_conflict_redis_entry.h"
#include "process/ngx_http_conflict_block.h"
#include "core/text/conflict_decimal.h"


#define NGX_HTTP_CONFLICT_REDIS_SETTLES  71  /* bytes of the last ones */


/* the words of an entry, as the head of entry.lua lists them */

enum {
    NGX_HTTP_CONFLICT_REDIS_ENTRY_FLAGS = 0,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_LEASE,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_FENCE,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_UNTIL,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_QUARANTINE,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_WRITE,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_BEGAN,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_VERSION,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_BODY,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_VIEW,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_MTIME,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_LAST,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_SETTLES,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_INCARNATION,
    NGX_HTTP_CONFLICT_REDIS_ENTRY_WORDS
};


static ngx_uint_t ngx_http_conflict_redis_entry_split(ngx_str_t *text,
    ngx_str_t *word);
static u_char *ngx_http_conflict_redis_entry_add(u_char *p, ngx_str_t *word);


void
ngx_http_conflict_redis_entry_keep(ngx_http_conflict_op_t *op,
    ngx_str_t *entry)
{
    if (entry->len > NGX_HTTP_CONFLICT_REDIS_ENTRY / 2) {
        /* not of this module; also leaves room for what a commit adds */
        return;
    }

    op->redis.entry.data = ngx_http_conflict_block_alloc(entry->len,
                                                         ngx_cycle->log);

    if (op->redis.entry.data) {
        op->redis.entry.len = entry->len;
        ngx_memcpy(op->redis.entry.data, entry->data, entry->len);
    }
}


void
ngx_http_conflict_redis_entry_forget(ngx_http_conflict_op_t *op)
{
    if (op->redis.entry.data) {
        ngx_http_conflict_block_free(op->redis.entry.data);
        ngx_str_null(&op->redis.entry);
    }
}


/* as commit of settle.lua does with an entry that is leased and not shared */

ngx_uint_t
ngx_http_conflict_redis_entry_commit(ngx_http_conflict_op_t *op, u_char *buf,
    ngx_str_t *text)
{
    size_t                             len;
    u_char                            *p;
    ngx_str_t                          word[
                                          NGX_HTTP_CONFLICT_REDIS_ENTRY_WORDS];
    ngx_http_conflict_redis_settle_t  *settle;

    if (op->redis.entry.len == 0
        || ngx_http_conflict_redis_entry_split(&op->redis.entry, word) == 0)
    {
        return 0;
    }

    settle = &op->redis.settle;

    p = buf;

    /* free, existence, second reused, dated, certain, and no lease */

    *p++ = '0';
    *p++ = '0' + settle->existence;
    *p++ = '0' + settle->second_reused;
    p = ngx_cpymem(p, "11000010 -", sizeof("11000010 -") - 1);

    p = ngx_http_conflict_redis_entry_add(p,
                                &word[NGX_HTTP_CONFLICT_REDIS_ENTRY_FENCE]);

    *p++ = ' ';
    p = conflict_decimal_print(p, (ngx_http_conflict_clock_usec()
                                   + op->redis.clock) / 1000);

    p = ngx_cpymem(p, " 0 -", sizeof(" 0 -") - 1);

    p = ngx_http_conflict_redis_entry_add(p,
                                &word[NGX_HTTP_CONFLICT_REDIS_ENTRY_BEGAN]);

    *p++ = ' ';
    p = ngx_http_conflict_redis_codec_print_version(p, settle->version);

    p = ngx_cpymem(p, " - - ", sizeof(" - - ") - 1);
    p = ngx_http_conflict_redis_codec_print_date(p, settle->mtime);

    p = ngx_http_conflict_redis_entry_add(p,
                                &word[NGX_HTTP_CONFLICT_REDIS_ENTRY_WRITE]);

    /* this settle, answered by 0, before the last ones */

    p = ngx_http_conflict_redis_entry_add(p,
                                &word[NGX_HTTP_CONFLICT_REDIS_ENTRY_LEASE]);
    *p++ = '0';
    *p++ = ',';

    len = NGX_HTTP_CONFLICT_REDIS_SETTLES
          - word[NGX_HTTP_CONFLICT_REDIS_ENTRY_LEASE].len - 2;
    len = ngx_min(len, word[NGX_HTTP_CONFLICT_REDIS_ENTRY_SETTLES].len);

    p = ngx_cpymem(p, word[NGX_HTTP_CONFLICT_REDIS_ENTRY_SETTLES].data, len);
    p = ngx_http_conflict_redis_entry_add(p,
                            &word[NGX_HTTP_CONFLICT_REDIS_ENTRY_INCARNATION]);

    text->data = buf;
    text->len = p - buf;

    return 1;
}


/* 0: there are more words or fewer */

static ngx_uint_t
ngx_http_conflict_redis_entry_split(ngx_str_t *text, ngx_str_t *word)
{
    u_char      *p, *last, *space;
    ngx_uint_t   i;

    p = text->data;
    last = p + text->len;

    for (i = 0; i < NGX_HTTP_CONFLICT_REDIS_ENTRY_WORDS; i++) {

        if (p > last) {
            return 0;
        }

        space = memchr(p, ' ', last - p);

        if (space == NULL) {
            space = last;
        }

        word[i].data = p;
        word[i].len = space - p;

        p = space + 1;
    }

    return p == last + 1
           && word[NGX_HTTP_CONFLICT_REDIS_ENTRY_LEASE].len
              == NGX_HTTP_CONFLICT_REDIS_TOKEN;
}


static u_char *
ngx_http_conflict_redis_entry_add(u_char *p, ngx_str_t *word)
{
    *p++ = ' ';

    return ngx_cpymem(p, word->data, word->len);
}
