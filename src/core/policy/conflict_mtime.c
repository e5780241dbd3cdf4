
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The time of last change of a resource, and the second of it that clients
 * are shown (RFC 9110, section 8.8.2).
 */


#include "core/policy/conflict_mtime.h"
#include "core/text/conflict_time.h"


void
conflict_mtime_next(int64_t *mtime, unsigned *twice, int64_t now)
{
    int64_t  shown;

    shown = conflict_mtime_second(*mtime, *twice);

    *mtime = (now > *mtime) ? now : *mtime + 1;
    *twice = (*mtime / CONFLICT_TIME_SECOND <= shown);
}


void
conflict_mtime_observe(int64_t *mtime, unsigned *twice, int64_t seen)
{
    int64_t  noted, shown, told;

    noted = *mtime / CONFLICT_TIME_SECOND;
    shown = conflict_mtime_second(*mtime, *twice);
    told = seen / CONFLICT_TIME_SECOND;

    if (told == noted && seen % CONFLICT_TIME_SECOND == 0) {
        /* no more than a date's whole seconds: what was noted is finer */
        return;
    }

    *mtime = seen;

    if (told != noted) {
        *twice = (told <= shown);
    }
}


int64_t
conflict_mtime_second(int64_t mtime, unsigned twice)
{
    return mtime / CONFLICT_TIME_SECOND + (twice ? 1 : 0);
}
