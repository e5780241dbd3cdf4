
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_time: dates of HTTP, compared with the C library.
 */


#include <time.h>

#include "unit.h"
#include "core/text/conflict_time.h"


#define NOW  (1795532400LL * CONFLICT_TIME_SECOND)     /* 2026-11-24 */


static int64_t
http(const char *text)
{
    return conflict_time_http(text, strlen(text), NOW);
}


static int64_t
rfc3339(const char *text, int *exact)
{
    return conflict_time_rfc3339(text, strlen(text), exact);
}


static void
test_http(void **state)
{
    size_t  i;

    static const char *const  good[] = {
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994"
    };

    static const char *const  bad[] = {
        "", "Sun", "Sun,", "Sun, 06 Nov 1994 08:49:37", "0",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94", "Xxx, 06 Nov 1994 08:49:37 GMT",
        "2026-11-24T15:00:00Z"
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(http(good[i]), 784111777LL * CONFLICT_TIME_SECOND);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (http(bad[i]) != CONFLICT_TIME_NONE) {
            fail_msg("taken: %s", bad[i]);
        }
    }

    /* two digits of a year: at most 50 years ahead */

    assert_int_equal(http("Tuesday, 24-Nov-76 00:00:00 GMT"),
                     3373401600LL * CONFLICT_TIME_SECOND);
    assert_int_equal(http("Thursday, 24-Nov-77 00:00:00 GMT"),
                     249177600LL * CONFLICT_TIME_SECOND);

    /* a leap second counts as the next second */
    assert_int_equal(http("Sat, 31 Dec 2016 23:59:60 GMT"),
                     http("Sun, 01 Jan 2017 00:00:00 GMT"));
    assert_int_not_equal(http("Tue, 29 Feb 2000 00:00:00 GMT"),
                         CONFLICT_TIME_NONE);
    assert_int_equal(http("Thu, 29 Feb 1900 00:00:00 GMT"),
                     CONFLICT_TIME_NONE);
}


static void
test_rfc3339(void **state)
{
    int     exact;
    size_t  i;

    static const struct {
        const char  *text;
        int64_t      time;
        int          exact;
    } good[] = {
        { "1970-01-01T00:00:00Z", 0, 0 },
        { "2026-11-24T15:00:00Z", NOW, 0 },
        { "2026-11-24t15:00:00z", NOW, 0 },
        { "2026-11-24 15:00:00Z", NOW, 0 },
        { "2026-11-24T16:00:00+01:00", NOW, 0 },
        { "2026-11-24T09:30:00-05:30", NOW, 0 },
        { "2026-11-25T14:59:00+23:59", NOW, 0 },
        { "2026-11-24T15:00:00.0Z", NOW, 1 },
        { "2026-11-24T15:00:00.5Z", NOW + 500000, 1 },
        { "2026-11-24T15:00:00.123456Z", NOW + 123456, 1 },
        { "2026-11-24T15:00:00.1234569Z", NOW + 123456, 1 },
        { "2026-11-24T15:00:00.123456789123-00:00", NOW + 123456, 1 },
        { "1969-12-31T23:59:59.5Z", -500000, 1 }
    };

    static const char *const  bad[] = {
        "", "2026", "2026-11-24", "2026-11-24T15:00:00", "2026-11-24T15:00Z",
        "2026-13-24T15:00:00Z", "2026-00-24T15:00:00Z", "2026-11-00T15:00:00Z",
        "2026-02-29T15:00:00Z", "2026-11-24T15:00:00.Z", "2026-11-24T15:00:00.",
        "2026-11-24T15:00:00+0100", "2026-11-24T15:00:00+24:00",
        "2026-11-24T15:00:00+01:60", "2026-11-24T15:00:00Zx",
        "2026-11-24T15:00:00+", "26-11-24T15:00:00Z", "2026-1-24T15:00:00Z"
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(rfc3339(good[i].text, &exact), good[i].time);
        assert_int_equal(exact, good[i].exact);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (rfc3339(bad[i], &exact) != CONFLICT_TIME_NONE) {
            fail_msg("taken: %s", bad[i]);
        }
    }
}


static void
test_print(void **state)
{
    int        exact;
    char       text[64], want[64];
    time_t     t;
    int64_t    us;
    struct tm  tm;

    (void) state;

    /* each hour of each day of more than two centuries */

    for (t = -3000000000LL; t < 5000000000LL; t += 86400 - 3599) {
        us = t * CONFLICT_TIME_SECOND;

        assert_non_null(gmtime_r(&t, &tm));

        strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S GMT", &tm);

        if (conflict_time_http(want, strlen(want), NOW) != us) {
            fail_msg("%s", want);
        }

        conflict_time_print_rfc3339(text, us + 7);
        assert_int_equal(conflict_time_rfc3339(text, CONFLICT_TIME_RFC3339,
                                               &exact), us + 7);
    }

    conflict_time_print_rfc3339(text, -1);
    assert_memory_equal(text, "1969-12-31T23:59:59.999999Z",
                        CONFLICT_TIME_RFC3339);

    /* a time without a valid form does not overrun the buffer */

    conflict_time_print_rfc3339(text, INT64_MAX);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_rfc3339),
        cmocka_unit_test(test_print)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
