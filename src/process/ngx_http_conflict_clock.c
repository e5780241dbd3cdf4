
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The clocks that nginx does not cache.
 */


#include "process/ngx_http_conflict_clock.h"


int64_t
ngx_http_conflict_clock_msec(void)
{
    struct timespec  ts;

#if defined(CLOCK_BOOTTIME)

    if (clock_gettime(CLOCK_BOOTTIME, &ts) != 0)

#endif
    {
        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    }

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


int64_t
ngx_http_conflict_clock_usec(void)
{
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return (int64_t) tv.tv_sec * 1000000 + tv.tv_usec;
}
