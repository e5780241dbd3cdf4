
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The time of last change of a resource, in microseconds.
 */


#ifndef _CONFLICT_MTIME_H_INCLUDED_
#define _CONFLICT_MTIME_H_INCLUDED_


#include <stdint.h>


/*
 * Moves a time of last change (microseconds) on to "now".  *twice becomes 1
 * where its second is one that an earlier version may have been shown
 * under; then clients must be shown the next second instead (RFC 9110,
 * 8.8.2.2).
 */
void conflict_mtime_next(int64_t *mtime, unsigned *twice, int64_t now);

/*
 * Takes in what an upstream says of that time.  It may lag behind what was
 * noted here, by clocks that differ or by a write's way back; then "twice"
 * becomes 1, since the version before may have been shown under it.  So it
 * does where it is the second that clients were shown instead.
 */
void conflict_mtime_observe(int64_t *mtime, unsigned *twice, int64_t seen);

/*
 * The second that clients are shown, and that their dates are compared to.
 */
int64_t conflict_mtime_second(int64_t mtime, unsigned twice);


#endif /* _CONFLICT_MTIME_H_INCLUDED_ */
