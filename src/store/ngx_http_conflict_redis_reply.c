
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Answers that nobody has asked for: hiredis asserts that there are none, so
 * they must not come so far.  An error is the one that it lets end the
 * connection by itself.
 */


#include "ngx_http_conflict_redis_node.h"


#if (HIREDIS_MAJOR >= 1)
#define ngx_http_conflict_redis_elements_t  size_t
#else
#define ngx_http_conflict_redis_elements_t  int
#endif


static void *ngx_http_conflict_redis_string(const redisReadTask *task,
    char *str, size_t len);
static void *ngx_http_conflict_redis_array(const redisReadTask *task,
    ngx_http_conflict_redis_elements_t n);
static void *ngx_http_conflict_redis_integer(const redisReadTask *task,
    long long value);
static void *ngx_http_conflict_redis_nil(const redisReadTask *task);


/* those of hiredis, and those in front of them */

static redisReplyObjectFunctions  ngx_http_conflict_redis_makers;
static redisReplyObjectFunctions  ngx_http_conflict_redis_guards;


/* of a reply, or of an element of one: that of the first was asked for */

#define ngx_http_conflict_redis_asked(task)                                   \
    ((task)->parent                                                           \
     || (task)->type == REDIS_REPLY_ERROR                                     \
     || ((redisAsyncContext *) (task)->privdata)->replies.head)


void
ngx_http_conflict_redis_expect(redisAsyncContext *ac)
{
    redisReader  *reader;

    reader = ac->c.reader;

    if (ngx_http_conflict_redis_makers.createString == NULL) {
        ngx_http_conflict_redis_makers = *reader->fn;
        ngx_http_conflict_redis_guards = *reader->fn;

        ngx_http_conflict_redis_guards.createString =
                                               ngx_http_conflict_redis_string;
        ngx_http_conflict_redis_guards.createArray =
                                               ngx_http_conflict_redis_array;
        ngx_http_conflict_redis_guards.createInteger =
                                               ngx_http_conflict_redis_integer;
        ngx_http_conflict_redis_guards.createNil =
                                               ngx_http_conflict_redis_nil;
    }

    reader->fn = &ngx_http_conflict_redis_guards;
    reader->privdata = ac;
}


static void *
ngx_http_conflict_redis_string(const redisReadTask *task, char *str,
    size_t len)
{
    return ngx_http_conflict_redis_asked(task)
           ? ngx_http_conflict_redis_makers.createString(task, str, len)
           : NULL;
}


static void *
ngx_http_conflict_redis_array(const redisReadTask *task,
    ngx_http_conflict_redis_elements_t n)
{
    return ngx_http_conflict_redis_asked(task)
           ? ngx_http_conflict_redis_makers.createArray(task, n) : NULL;
}


static void *
ngx_http_conflict_redis_integer(const redisReadTask *task, long long value)
{
    return ngx_http_conflict_redis_asked(task)
           ? ngx_http_conflict_redis_makers.createInteger(task, value) : NULL;
}


static void *
ngx_http_conflict_redis_nil(const redisReadTask *task)
{
    return ngx_http_conflict_redis_asked(task)
           ? ngx_http_conflict_redis_makers.createNil(task) : NULL;
}
