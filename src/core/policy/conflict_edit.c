
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The time of an edit, and the order of edits.  begin.lua does the same.
 */


#include "core/policy/conflict_edit.h"
#include "core/text/conflict_hash.h"
#include "core/text/conflict_time.h"


/* of the end of the year 9999, milliseconds */
#define CONFLICT_EDIT_MSEC_MAX  253402300799999


static int64_t conflict_edit_msec(const char *text, size_t len);


int64_t
conflict_edit_parse(const char *text, size_t len, unsigned number, int64_t now)
{
    int      exact;
    int64_t  time;

    time = conflict_edit_msec(text, len);

    if (time == CONFLICT_TIME_NONE && !number) {
        time = conflict_time_rfc3339(text, len, &exact);
    }

    if (time == CONFLICT_TIME_NONE && !number) {
        time = conflict_time_http(text, len, now);
    }

    if (time != CONFLICT_TIME_NONE && time < CONFLICT_EDIT_OLDEST) {
        /* before 1970: a clock that was never set */
        time = CONFLICT_EDIT_OLDEST;
    }

    return time;
}


static int64_t
conflict_edit_msec(const char *text, size_t len)
{
    size_t   i;
    int64_t  n;

    n = 0;

    for (i = 0; i < len; i++) {

        if (text[i] < '0' || text[i] > '9') {
            return CONFLICT_TIME_NONE;
        }

        n = n * 10 + (text[i] - '0');

        if (n > CONFLICT_EDIT_MSEC_MAX) {
            return CONFLICT_TIME_NONE;
        }
    }

    return len ? n * 1000 : CONFLICT_TIME_NONE;
}


uint64_t
conflict_edit_tie(const void *client, size_t client_len, const void *user,
    size_t user_len)
{
    uint64_t         tie;
    conflict_hash_t  hash;

    if (client_len == 0 && user_len == 0) {
        return 0;
    }

    conflict_hash_init(&hash, 0);
    conflict_hash_field(&hash, client, client_len);
    conflict_hash_field(&hash, user, user_len);

    tie = conflict_hash_final(&hash) & CONFLICT_EDIT_TIE_MAX;

    return tie ? tie : 1;
}


int
conflict_edit_ahead(conflict_edit_t *edit, int64_t now, int64_t skew)
{
    if (edit->time <= now + skew) {
        return 0;
    }

    edit->time = CONFLICT_EDIT_NONE;

    return 1;
}


int
conflict_edit_earlier(const conflict_edit_t *edit,
    const conflict_edit_t *stored)
{
    if (edit->time == CONFLICT_EDIT_NONE) {
        return 0;
    }

    if (edit->time != stored->time) {
        return edit->time < stored->time;
    }

    return edit->tie < stored->tie;
}


conflict_edit_t
conflict_edit_later(const conflict_edit_t *edit, const conflict_edit_t *stored,
    int64_t now)
{
    conflict_edit_t  later;

    later = *edit;

    if (later.time == CONFLICT_EDIT_NONE) {
        /* it has arrived after the stored one, whose time may be ahead */
        later.time = (now > stored->time) ? now : stored->time;
    }

    return (later.time < stored->time
            || (later.time == stored->time && later.tie < stored->tie))
           ? *stored : later;
}
