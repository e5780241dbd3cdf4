
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Replies that were not asked for.  hiredis asserts that there are none, so
 * they are kept from it, by failing to make them; but an error that was not
 * asked for makes hiredis itself end the connection.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#if (HIREDIS_MAJOR >= 1)
#define ngx_http_conflict_redis_push_guard_elements_t  size_t
#else
#define ngx_http_conflict_redis_push_guard_elements_t  int
#endif


static void *ngx_http_conflict_redis_push_guard_string(
    const redisReadTask *task, char *str, size_t len);
static void *ngx_http_conflict_redis_push_guard_array(const redisReadTask *task,
    ngx_http_conflict_redis_push_guard_elements_t n);
static void *ngx_http_conflict_redis_push_guard_integer(
    const redisReadTask *task, long long value);
static void *ngx_http_conflict_redis_push_guard_nil(const redisReadTask *task);


/* hiredis' functions that make a reply, and those that guard them */

static redisReplyObjectFunctions  ngx_http_conflict_redis_push_guard_makers;
static redisReplyObjectFunctions  ngx_http_conflict_redis_push_guard_guards;


/* an element is asked for where its reply is */

#define ngx_http_conflict_redis_push_guard_asked(task)                        \
    ((task)->parent                                                           \
     || (task)->type == REDIS_REPLY_ERROR                                     \
     || ((redisAsyncContext *) (task)->privdata)->replies.head)


void
ngx_http_conflict_redis_push_guard_install(redisAsyncContext *ac)
{
    redisReader  *reader;

    reader = ac->c.reader;

    if (ngx_http_conflict_redis_push_guard_makers.createString == NULL) {
        ngx_http_conflict_redis_push_guard_makers = *reader->fn;
        ngx_http_conflict_redis_push_guard_guards = *reader->fn;

        ngx_http_conflict_redis_push_guard_guards.createString =
                                    ngx_http_conflict_redis_push_guard_string;
        ngx_http_conflict_redis_push_guard_guards.createArray =
                                    ngx_http_conflict_redis_push_guard_array;
        ngx_http_conflict_redis_push_guard_guards.createInteger =
                                    ngx_http_conflict_redis_push_guard_integer;
        ngx_http_conflict_redis_push_guard_guards.createNil =
                                    ngx_http_conflict_redis_push_guard_nil;
    }

    reader->fn = &ngx_http_conflict_redis_push_guard_guards;
    reader->privdata = ac;
}


static void *
ngx_http_conflict_redis_push_guard_string(const redisReadTask *task, char *str,
    size_t len)
{
    return ngx_http_conflict_redis_push_guard_asked(task)
           ? ngx_http_conflict_redis_push_guard_makers.createString(task, str,
                                                                    len)
           : NULL;
}


static void *
ngx_http_conflict_redis_push_guard_array(const redisReadTask *task,
    ngx_http_conflict_redis_push_guard_elements_t n)
{
    return ngx_http_conflict_redis_push_guard_asked(task)
           ? ngx_http_conflict_redis_push_guard_makers.createArray(task, n)
           : NULL;
}


static void *
ngx_http_conflict_redis_push_guard_integer(const redisReadTask *task,
    long long value)
{
    return ngx_http_conflict_redis_push_guard_asked(task)
           ? ngx_http_conflict_redis_push_guard_makers.createInteger(task,
                                                                     value)
           : NULL;
}


static void *
ngx_http_conflict_redis_push_guard_nil(const redisReadTask *task)
{
    return ngx_http_conflict_redis_push_guard_asked(task)
           ? ngx_http_conflict_redis_push_guard_makers.createNil(task)
           : NULL;
}
