
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Times on the wire: HTTP-date (RFC 9110, section 5.6.7) and RFC 3339.
 * Internally, times are in microseconds since the epoch, UTC.
 */


#ifndef _CONFLICT_TIME_H_INCLUDED_
#define _CONFLICT_TIME_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define CONFLICT_TIME_NONE     INT64_MIN

/* the end of the year 9999: the latest date in HTTP */
#define CONFLICT_TIME_MAX      253402300799999999

#define CONFLICT_TIME_RFC3339  (sizeof("2026-11-24T15:00:00.123456Z") - 1)

#define CONFLICT_TIME_SECOND   1000000


/*
 * Parses the three formats of HTTP-date.  "now" (microseconds) determines the
 * century of a two-digit year.  CONFLICT_TIME_NONE: not an HTTP-date.
 */
int64_t conflict_time_http(const char *text, size_t len, int64_t now);

/*
 * *exact is 1 if the text has a fraction, 0 if it has whole seconds.  Digits
 * after the sixth are ignored; a leap second counts as the next second.
 * CONFLICT_TIME_NONE: not an RFC 3339 timestamp.
 */
int64_t conflict_time_rfc3339(const char *text, size_t len, int *exact);

/* Writes CONFLICT_TIME_RFC3339 bytes, without a terminating zero. */
void conflict_time_print_rfc3339(char *dst, int64_t time);


#endif /* _CONFLICT_TIME_H_INCLUDED_ */
