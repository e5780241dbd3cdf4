
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_decimal: printed as the C library does, and parsed as printed.
 */


#include <inttypes.h>
#include <stdio.h>

#include "unit.h"
#include "core/text/conflict_decimal.h"


static void
check(uint64_t n)
{
    char           expected[32];
    uint64_t       parsed;
    unsigned char  printed[CONFLICT_DECIMAL_LEN + 2], *end;

    memset(printed, '#', sizeof(printed));

    end = conflict_decimal_print(printed, n);

    assert_int_equal(*end, '#');

    assert_ptr_equal(conflict_decimal_parse(printed, end + 1, n, &parsed), end);
    assert_true(parsed == n);
    assert_ptr_equal(conflict_decimal_parse(printed, end, UINT64_MAX, &parsed),
                     end);
    assert_true(n == 0
                || conflict_decimal_parse(printed, end, n - 1, &parsed)
                   == NULL);

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


static void
test_malformed(void **state)
{
    size_t       i;
    uint64_t     n;
    const char  *text;

    static const char  *texts[] = {
        "", " ", "-", "-1", "+1", "x", " 1", "00", "01",
        "000000000000000000001",
        "18446744073709551616", "18446744073709551620", "99999999999999999999",
        "100000000000000000000", "184467440737095516150"
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        text = texts[i];

        assert_null(conflict_decimal_parse((unsigned char *) text,
                                           (unsigned char *) text
                                           + strlen(text),
                                           UINT64_MAX, &n));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_decimal),
        cmocka_unit_test(test_malformed)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
