
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The modification time of a resource, in microseconds.
 */


#ifndef _CONFLICT_MTIME_H_INCLUDED_
#define _CONFLICT_MTIME_H_INCLUDED_


#include <stdint.h>


/*
 * Advances a modification time (microseconds) to "now".  *second_reused is set
 * to 1 if an earlier version may have been shown under the same second; clients
 * must then be shown the next second instead (RFC 9110, 8.8.2.2).
 */
void conflict_mtime_next(int64_t *mtime, unsigned *second_reused, int64_t now);

/*
 * Adopts the time that an upstream reports.  If it is behind the recorded one,
 * because of clock differences or latency, or equals the second that clients
 * were shown instead, *second_reused is set to 1, since an earlier version may
 * have been shown under it.
 */
void conflict_mtime_observe(int64_t *mtime, unsigned *second_reused,
    int64_t observed);

/*
 * The second that clients are shown, and that their dates are compared with.
 */
int64_t conflict_mtime_second(int64_t mtime, unsigned second_reused);


#endif /* _CONFLICT_MTIME_H_INCLUDED_ */
