
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: dates.  An accepted date is printed and parsed as itself.
 */


#include <stdlib.h>
#include <string.h>

#include "core/text/conflict_time.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    int      exact;
    char    *text, out[CONFLICT_TIME_RFC3339 + 1];
    int64_t  t;

    text = malloc(size ? size : 1);
    memcpy(text, data, size);

    t = conflict_time_http(text, size, 1795532400LL * CONFLICT_TIME_SECOND);

    if (t != CONFLICT_TIME_NONE && t % CONFLICT_TIME_SECOND != 0) {
        abort();
    }

    t = conflict_time_rfc3339(text, size, &exact);

    if (t != CONFLICT_TIME_NONE && t >= -62135596800LL * CONFLICT_TIME_SECOND
        && t <= 253402300799LL * CONFLICT_TIME_SECOND)
    {
        conflict_time_print_rfc3339(out, t);

        if (conflict_time_rfc3339(out, CONFLICT_TIME_RFC3339, &exact) != t) {
            abort();
        }
    }

    free(text);

    return 0;
}
