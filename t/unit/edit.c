
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_edit: times as text, and an order of edits in which the last one is
 * the same whatever order they arrive in.
 */


#include <string.h>

#include "unit.h"
#include "core/policy/conflict_decide.h"
#include "core/text/conflict_time.h"


#define NOW  1795532400000000


static int64_t
parse(const char *text, unsigned number)
{
    return conflict_edit_parse(text, strlen(text), number, NOW);
}


static void
test_parse(void **state)
{
    (void) state;

    assert_true(parse("1795532400000", 0) == NOW);
    assert_true(parse("1795532400000", 1) == NOW);
    assert_true(parse("2026-11-24T15:00:00Z", 0) == NOW);
    assert_true(parse("2026-11-24T16:00:00.000001+01:00", 0) == NOW + 1);
    assert_true(parse("Tue, 24 Nov 2026 15:00:00 GMT", 0) == NOW);
    assert_true(parse("0", 0) == CONFLICT_EDIT_OLDEST);
    assert_true(parse("1969-12-31T23:59:59Z", 0) == CONFLICT_EDIT_OLDEST);
    assert_true(parse("253402300799999", 0) == 253402300799999000);

    assert_true(parse("", 0) == CONFLICT_TIME_NONE);
    assert_true(parse("253402300800000", 0) == CONFLICT_TIME_NONE);
    assert_true(parse("99999999999999999999999", 0) == CONFLICT_TIME_NONE);
    assert_true(parse("-1", 0) == CONFLICT_TIME_NONE);
    assert_true(parse("1.5", 1) == CONFLICT_TIME_NONE);
    assert_true(parse("1e3", 1) == CONFLICT_TIME_NONE);
    assert_true(parse("now", 0) == CONFLICT_TIME_NONE);
    assert_true(parse("2026-11-24T15:00:00Z", 1) == CONFLICT_TIME_NONE);
}


static void
test_tie(void **state)
{
    uint64_t  a, b;

    (void) state;

    a = conflict_edit_tie("a", 1, "", 0);
    b = conflict_edit_tie("", 0, "a", 1);

    assert_true(a && b && a != b);
    assert_true(a <= CONFLICT_EDIT_TIE_MAX && b <= CONFLICT_EDIT_TIE_MAX);
    assert_true(a == conflict_edit_tie("a", 1, "", 0));
    assert_true(conflict_edit_tie("", 0, "", 0) == 0);
}


static void
test_ahead(void **state)
{
    conflict_edit_t  edit;

    (void) state;

    edit.tie = 1;
    edit.time = NOW + 10;

    assert_false(conflict_edit_ahead(&edit, NOW, 10));
    assert_true(edit.time == NOW + 10);
    assert_true(conflict_edit_ahead(&edit, NOW, 9));
    assert_true(edit.time == CONFLICT_EDIT_NONE);
    assert_false(conflict_edit_ahead(&edit, NOW, 9));
}


/* all orders of arrival end with the same edit */

static void
test_order(void **state)
{
    int              i, j, n, order[4];
    conflict_edit_t  stored, none;

    static const conflict_edit_t  edits[4] = {
        { NOW - 3, 9 }, { NOW - 1, 4 }, { NOW - 1, 7 }, { NOW - 2, 8 }
    };

    (void) state;

    for (n = 0; n < 256; n++) {

        for (i = 0; i < 4; i++) {
            order[i] = n >> (2 * i) & 3;
        }

        for (i = 0, j = 0; i < 4; i++) {
            j |= 1 << order[i];
        }

        if (j != 15) {
            continue;
        }

        stored.time = CONFLICT_EDIT_OLDEST;
        stored.tie = 0;

        for (i = 0; i < 4; i++) {

            if (!conflict_edit_earlier(&edits[order[i]], &stored)) {
                stored = conflict_edit_later(&edits[order[i]], &stored, NOW);
            }
        }

        assert_true(stored.time == NOW - 1 && stored.tie == 7);
    }

    /* an equal edit is the same client's, and the later arrival wins */

    assert_false(conflict_edit_earlier(&edits[2], &stored));

    /* without a time: never earlier, and not before what it replaces */

    none.time = CONFLICT_EDIT_NONE;
    none.tie = 1;

    assert_false(conflict_edit_earlier(&none, &stored));
    assert_true(conflict_edit_later(&none, &stored, NOW).time == NOW);

    stored.time = NOW + 5;
    assert_true(conflict_edit_later(&none, &stored, NOW).time == NOW + 5);
}


static void
test_decide(void **state)
{
    int                      s, c;
    conflict_edit_t          early, late;
    conflict_verdict_e       v, w;
    conflict_precondition_t  pre;

    (void) state;

    memset(&pre, 0, sizeof(pre));

    early.time = NOW - 2;
    early.tie = 0;
    late.time = NOW - 1;
    late.tie = 0;

    for (s = 0; s < CONFLICT_STATES; s++) {
        for (c = 0; c < CONFLICT_CHECKS; c++) {
            v = conflict_decide(CONFLICT_EDITED, s, c);

            /* nothing passes beside a write in flight, or unchecked */

            if (s == CONFLICT_LEASED || s == CONFLICT_QUARANTINED) {
                assert_int_equal(v, CONFLICT_WAIT);
            }

            if (s == CONFLICT_UNKNOWN || (s == CONFLICT_FREE
                                          && c == CONFLICT_UNSURE))
            {
                assert_int_equal(v, CONFLICT_FETCH);
            }

            /* a later edit gets the verdict of the table */

            pre.kinds = 0;
            assert_int_equal(conflict_decide_edited(v, c, &pre, &late, &early),
                             v);

            /* an earlier one is dropped once the stored one is known */

            w = conflict_decide_edited(v, c, &pre, &early, &late);
            assert_int_equal(w, (v == CONFLICT_FETCH) ? CONFLICT_FETCH
                                                      : CONFLICT_DROP);

            /* but not if it was made on the current version */

            pre.kinds = CONFLICT_BASE;
            w = conflict_decide_edited(v, c, &pre, &early, &late);
            assert_int_equal(w, (v == CONFLICT_FETCH || c == CONFLICT_HOLDS)
                                ? v : CONFLICT_DROP);

            pre.kinds = CONFLICT_IF_NONE_ANY|CONFLICT_IF_UNMODIFIED
                        |CONFLICT_IF_MATCH_ANY|CONFLICT_CHAIN;
            w = conflict_decide_edited(v, c, &pre, &early, &late);
            assert_int_equal(w, (v == CONFLICT_FETCH) ? v : CONFLICT_DROP);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_tie),
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_decide)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
