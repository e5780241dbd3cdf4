
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_decimal: compared with the C library.
 */


#include <inttypes.h>
#include <stdio.h>

#include "unit.h"
#include "core/text/conflict_decimal.h"


static void
check(uint64_t n)
{
    char           expected[32];
    unsigned char  printed[CONFLICT_DECIMAL_LEN + 2], *end;

    memset(printed, '#', sizeof(printed));

    end = conflict_decimal_print(printed, n);

    assert_int_equal(*end, '#');
    *end = '\0';

    (void) snprintf(expected, sizeof(expected), "%" PRIu64, n);
    assert_string_equal((char *) printed, expected);
}


static void
test_decimal(void **state)
{
    int       i;
    uint64_t  n;

    (void) state;

    check(0);
    check(UINT64_MAX);

    for (i = 0, n = 1; i < CONFLICT_DECIMAL_LEN; i++, n *= 10) {
        check(n - 1);
        check(n);
        check(n + 1);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_decimal)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
