
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_merge: does a document reflect a write?
 */


#include "unit.h"
#include "../../src/core/conflict_merge.h"


static void
test_reflects(void **state)
{
    size_t                   i;
    conflict_json_pointer_t  base;

    static const struct {
        const char  *latest, *write;
        int          reflects;
    } cases[] = {
        { "{\"a\":1}", "{\"a\":1}", 1 },
        { "{\"a\":1,\"b\":2}", "{\"a\":1}", 1 },
        { "{\"a\":1}", "{\"a\":1,\"b\":2}", 0 },
        { "{\"a\":1}", "{\"a\":2}", 0 },
        { "{\"a\":1}", "{\"a\":\"1\"}", 0 },
        { "{\"a\":[1,2]}", "{\"a\":[1,2]}", 1 },
        { "{\"a\":[1,2]}", "{\"a\":[2,1]}", 0 },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1}}", 1 },
        { "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", 0 },
        { "{\"a\":1}", "{\"b\":null}", 1 },
        { "{\"b\":null}", "{\"b\":null}", 1 },
        { "{\"b\":1}", "{\"b\":null}", 0 },
        { "{\"a\":1}", "{\"a\":1,\"base_version\":7}", 1 },
        { "{\"a\":1}", "{\"base_version\":7}", 0 },
        { "{\"a\":1}", "{}", 0 },
        { "[1]", "[1]", 0 },
        { "{\"a\":1", "{\"a\":1}", 0 },
        { "{\"a\":1}", "", 0 },
        { "{\"a\":1,\"a\":2}", "{\"a\":2}", 0 },
        { "{\"a\":99999999999999999999}", "{\"a\":99999999999999999999}", 0 }
    };

    (void) state;

    assert_int_equal(conflict_json_pointer(&base, "/base_version", 13), 0);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        if (conflict_merge_reflects(cases[i].latest, strlen(cases[i].latest),
                                    cases[i].write, strlen(cases[i].write),
                                    &base)
            != cases[i].reflects)
        {
            fail_msg("%s in %s", cases[i].write, cases[i].latest);
        }
    }

    /* a base that lies deeper, and none */

    assert_int_equal(conflict_json_pointer(&base, "/meta/rev", 9), 0);
    assert_int_equal(conflict_merge_reflects("{\"a\":1,\"meta\":{}}", 17,
                                     "{\"a\":1,\"meta\":{\"rev\":7}}", 24,
                                     &base), 1);
    assert_int_equal(conflict_merge_reflects("{\"a\":1}", 7, "{\"a\":1}", 7,
                                             NULL), 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_reflects)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
