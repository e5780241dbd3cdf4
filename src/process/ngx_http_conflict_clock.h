
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The clocks that nginx does not cache; each call reads the clock.
 */


#ifndef _NGX_HTTP_CONFLICT_CLOCK_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_CLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Milliseconds of a monotonic clock that keeps running while the process is
 * stopped and, if the system has such a clock, while the machine sleeps.
 */
int64_t ngx_http_conflict_clock_msec(void);

/* Microseconds since the epoch; nginx caches milliseconds. */
int64_t ngx_http_conflict_clock_usec(void);


#endif /* _NGX_HTTP_CONFLICT_CLOCK_H_INCLUDED_ */
