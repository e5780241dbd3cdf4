
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The clocks that nginx has no cached value for.  Each is read anew.
 */


#ifndef _NGX_HTTP_CONFLICT_CLOCK_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_CLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Milliseconds, by a clock that goes on while the process is stopped, and
 * where there is one while the machine sleeps.
 */
int64_t ngx_http_conflict_clock_msec(void);

/* Microseconds since 1970; nginx's cached clock has milliseconds. */
int64_t ngx_http_conflict_clock_usec(void);


#endif /* _NGX_HTTP_CONFLICT_CLOCK_H_INCLUDED_ */
