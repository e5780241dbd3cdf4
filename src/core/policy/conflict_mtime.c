
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The modification time of a resource, and the second that clients are shown
 * (RFC 9110, section 8.8.2).
 */


#include "core/policy/conflict_mtime.h"
#include "core/text/conflict_time.h"


void
conflict_mtime_next(int64_t *mtime, unsigned *second_reused, int64_t now)
{
    int64_t  shown;

    shown = conflict_mtime_second(*mtime, *second_reused);

    *mtime = (now > *mtime) ? now : *mtime + 1;
    *second_reused = (*mtime / CONFLICT_TIME_SECOND <= shown);
}


void
conflict_mtime_observe(int64_t *mtime, unsigned *second_reused,
    int64_t observed)
{
    int64_t  recorded, shown, second;

    recorded = *mtime / CONFLICT_TIME_SECOND;
    shown = conflict_mtime_second(*mtime, *second_reused);
    second = observed / CONFLICT_TIME_SECOND;

    if (second == recorded && observed % CONFLICT_TIME_SECOND == 0) {
        /* a date in whole seconds: the recorded time is more precise */
        return;
    }

    *mtime = observed;

    if (second != recorded) {
        *second_reused = (second <= shown);
    }
}


int64_t
conflict_mtime_second(int64_t mtime, unsigned second_reused)
{
    return mtime / CONFLICT_TIME_SECOND + (second_reused ? 1 : 0);
}
