
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Unsolicited replies: hiredis asserts that there are none, so the functions
 * that create a reply fail here, which ends the connection.  An unsolicited
 * error passes, as hiredis itself ends the connection then.
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


/* hiredis' functions that create a reply, and those that replace them */

static redisReplyObjectFunctions  ngx_http_conflict_redis_push_guard_original;
static redisReplyObjectFunctions  ngx_http_conflict_redis_push_guard_functions;


/* an element of an array is expected where the array is */

#define ngx_http_conflict_redis_push_guard_expected(task)                     \
    ((task)->parent                                                           \
     || (task)->type == REDIS_REPLY_ERROR                                     \
     || ((redisAsyncContext *) (task)->privdata)->replies.head)


void
ngx_http_conflict_redis_push_guard_install(redisAsyncContext *ac)
{
    redisReader  *reader;

    reader = ac->c.reader;

    if (ngx_http_conflict_redis_push_guard_original.createString == NULL) {
        ngx_http_conflict_redis_push_guard_original = *reader->fn;
        ngx_http_conflict_redis_push_guard_functions = *reader->fn;

        ngx_http_conflict_redis_push_guard_functions.createString =
                                    ngx_http_conflict_redis_push_guard_string;
        ngx_http_conflict_redis_push_guard_functions.createArray =
                                    ngx_http_conflict_redis_push_guard_array;
        ngx_http_conflict_redis_push_guard_functions.createInteger =
                                    ngx_http_conflict_redis_push_guard_integer;
        ngx_http_conflict_redis_push_guard_functions.createNil =
                                    ngx_http_conflict_redis_push_guard_nil;
    }

    reader->fn = &ngx_http_conflict_redis_push_guard_functions;
    reader->privdata = ac;
}


static void *
ngx_http_conflict_redis_push_guard_string(const redisReadTask *task, char *str,
    size_t len)
{
    return ngx_http_conflict_redis_push_guard_expected(task)
           ? ngx_http_conflict_redis_push_guard_original.createString(task, str,
                                                                      len)
           : NULL;
}


static void *
ngx_http_conflict_redis_push_guard_array(const redisReadTask *task,
    ngx_http_conflict_redis_push_guard_elements_t n)
{
    return ngx_http_conflict_redis_push_guard_expected(task)
           ? ngx_http_conflict_redis_push_guard_original.createArray(task, n)
           : NULL;
}


static void *
ngx_http_conflict_redis_push_guard_integer(const redisReadTask *task,
    long long value)
{
    return ngx_http_conflict_redis_push_guard_expected(task)
           ? ngx_http_conflict_redis_push_guard_original.createInteger(task,
                                                                       value)
           : NULL;
}


static void *
ngx_http_conflict_redis_push_guard_nil(const redisReadTask *task)
{
    return ngx_http_conflict_redis_push_guard_expected(task)
           ? ngx_http_conflict_redis_push_guard_original.createNil(task)
           : NULL;
}
