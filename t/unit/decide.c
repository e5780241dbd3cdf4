
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_decide: the table against the rules that it must follow, and the
 * preconditions.
 */


#include "unit.h"
#include "core/policy/conflict_decide.h"
#include "core/text/conflict_time.h"


#define V        5
#define PENDING  6


static void
test_table(void **state)
{
    int                 p, s, c;
    conflict_verdict_e  v;

    (void) state;

    for (p = 0; p < CONFLICT_POLICIES; p++) {
        for (s = 0; s < CONFLICT_STATES; s++) {
            for (c = 0; c < CONFLICT_CHECKS; c++) {
                v = conflict_decide(p, s, c);

                /* no write passes beside another one */

                if (p > CONFLICT_CLIENT_WINS
                    && (s == CONFLICT_LEASED || s == CONFLICT_QUARANTINED))
                {
                    assert_true(v == CONFLICT_WAIT || v == CONFLICT_REFUSE
                                || v == CONFLICT_DROP);
                }

                /* a base never counts as current without evidence */

                if (c != CONFLICT_NO_BASE && s == CONFLICT_UNKNOWN) {
                    assert_int_equal(v, CONFLICT_FETCH);
                }

                if (c == CONFLICT_UNSURE && s == CONFLICT_FREE) {
                    assert_int_equal(v, CONFLICT_FETCH);
                }

                /* PASS requires a base that holds, or none */

                if (v == CONFLICT_PASS) {
                    assert_true(c == CONFLICT_NO_BASE || c == CONFLICT_HOLDS);
                    assert_true(s != CONFLICT_LEASED);
                }

                /* the verdict for a stale write depends on the policy */

                switch (v) {
                case CONFLICT_OVERWRITE:
                    assert_true(p <= CONFLICT_CLIENT_WINS);
                    break;
                case CONFLICT_DROP:
                    assert_int_equal(p, CONFLICT_SERVER_WINS);
                    assert_true(c == CONFLICT_STALE || c == CONFLICT_FAILED);
                    break;
                case CONFLICT_REFUSE:
                    assert_true(p == CONFLICT_VERSION || p == CONFLICT_MERGE);
                    assert_true(c == CONFLICT_STALE || c == CONFLICT_FAILED);
                    break;
                case CONFLICT_COMBINE:
                    /* never if a header forbids it */
                    assert_int_equal(p, CONFLICT_MERGE);
                    assert_int_equal(c, CONFLICT_STALE);
                    assert_int_equal(s, CONFLICT_FREE);
                    break;
                default:
                    break;
                }

                /* a stale write ends if the version is known */

                if (c == CONFLICT_STALE && s == CONFLICT_FREE) {
                    assert_true(v == CONFLICT_OVERWRITE || v == CONFLICT_DROP
                                || v == CONFLICT_REFUSE
                                || v == CONFLICT_COMBINE);
                }

                /* a header matters to merges alone */

                if (p != CONFLICT_MERGE) {
                    assert_int_equal(conflict_decide(p, s, CONFLICT_FAILED),
                                     conflict_decide(p, s, CONFLICT_STALE));
                }

                assert_int_equal(conflict_decide(CONFLICT_LWW, s, c),
                                 conflict_decide(CONFLICT_CLIENT_WINS, s, c));
            }
        }
    }
}


typedef struct {
    unsigned                 kinds;
    uint64_t                 base;
    uint64_t                 match;
    uint64_t                 none;
    int64_t                  date;        /* seconds */
    unsigned                 pending;
    conflict_existence_e     existence;
    conflict_check_e         check;
} case_t;


#define B    CONFLICT_BASE
#define M    CONFLICT_IF_MATCH
#define MA   CONFLICT_IF_MATCH_ANY
#define U    CONFLICT_IF_UNMODIFIED
#define N    CONFLICT_IF_NONE_MATCH
#define NA   CONFLICT_IF_NONE_ANY

#define YES  CONFLICT_EXISTS
#define NO   CONFLICT_DELETED
#define ANY  CONFLICT_MAY_EXIST
#define HID  CONFLICT_NOT_SHOWN


static void
test_check(void **state)
{
    size_t                   i;
    const case_t            *c;
    conflict_check_e         check;
    conflict_current_t       current;
    conflict_precondition_t  pre;

    static const case_t  cases[] = {
        { 0, 0, 0, 0, 0, 0, YES, CONFLICT_NO_BASE },

        { B, V, 0, 0, 0, 0, YES, CONFLICT_HOLDS },
        { B, 4, 0, 0, 0, 0, YES, CONFLICT_STALE },
        { B, 9, 0, 0, 0, 0, YES, CONFLICT_UNSURE },
        { B, V, 0, 0, 0, 1, YES, CONFLICT_HOLDS },
        { B, PENDING, 0, 0, 0, 1, YES, CONFLICT_HOLDS },
        { B, 4, 0, 0, 0, 1, YES, CONFLICT_STALE },
        { B, V, 0, 0, 0, 0, NO, CONFLICT_HOLDS },

        { M, 0, V, 0, 0, 0, YES, CONFLICT_HOLDS },
        { M, 0, 4, 0, 0, 0, YES, CONFLICT_FAILED },
        { M, 0, 9, 0, 0, 0, YES, CONFLICT_FAILED },
        { M, 0, PENDING, 0, 0, 1, YES, CONFLICT_HOLDS },
        { M, 0, V, 0, 0, 0, NO, CONFLICT_FAILED },
        { M, 0, V, 0, 0, 1, NO, CONFLICT_HOLDS },

        { MA, 0, 0, 0, 0, 0, YES, CONFLICT_HOLDS },
        { MA, 0, 0, 0, 0, 0, NO, CONFLICT_FAILED },
        { MA, 0, 0, 0, 0, 0, ANY, CONFLICT_UNSURE },
        { MA, 0, 0, 0, 0, 1, NO, CONFLICT_HOLDS },

        { U, 0, 0, 0, 100, 0, YES, CONFLICT_HOLDS },
        { U, 0, 0, 0, 99, 0, YES, CONFLICT_FAILED },
        { U, 0, 0, 0, 101, 0, YES, CONFLICT_HOLDS },
        { M|U, 0, V, 0, 99, 0, YES, CONFLICT_HOLDS },

        { NA, 0, 0, 0, 0, 0, YES, CONFLICT_FAILED },
        { NA, 0, 0, 0, 0, 0, NO, CONFLICT_UNSURE },
        { NA, 0, 0, 0, 0, 1, NO, CONFLICT_HOLDS },
        { NA, 0, 0, 0, 0, 0, ANY, CONFLICT_UNSURE },
        { NA, 0, 0, 0, 0, 1, YES, CONFLICT_HOLDS },
        { N, 0, 0, V, 0, 0, YES, CONFLICT_FAILED },
        { N, 0, 0, 4, 0, 0, YES, CONFLICT_HOLDS },
        { N, 0, 0, V, 0, 0, NO, CONFLICT_HOLDS },

        { B, V, 0, 0, 0, 0, HID, CONFLICT_HOLDS },
        { M, 0, V, 0, 0, 0, HID, CONFLICT_HOLDS },
        { M, 0, 4, 0, 0, 0, HID, CONFLICT_FAILED },
        { MA, 0, 0, 0, 0, 0, HID, CONFLICT_UNSURE },
        { MA, 0, 0, 0, 0, 1, HID, CONFLICT_HOLDS },
        { NA, 0, 0, 0, 0, 0, HID, CONFLICT_UNSURE },
        { N, 0, 0, V, 0, 0, HID, CONFLICT_HOLDS },

        { M|B, V, V, 0, 0, 0, YES, CONFLICT_HOLDS },
        { M|B, 4, V, 0, 0, 0, YES, CONFLICT_STALE },
        { M|B, V, 4, 0, 0, 0, YES, CONFLICT_FAILED },
        { M|B, 4, 4, 0, 0, 0, YES, CONFLICT_FAILED },
        { MA|B, 4, 0, 0, 0, 0, ANY, CONFLICT_STALE },
        { MA|NA, 0, 0, 0, 0, 0, YES, CONFLICT_FAILED }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];

        memset(&pre, 0, sizeof(pre));
        pre.kinds = c->kinds;
        pre.base = c->base;
        pre.match = &c->match;
        pre.matches = 1;
        pre.none = &c->none;
        pre.nones = 1;
        pre.unmodified = c->date * CONFLICT_TIME_SECOND;

        memset(&current, 0, sizeof(current));
        current.version = V;
        current.pending = c->pending ? PENDING : 0;
        current.mtime = 100 * CONFLICT_TIME_SECOND + 5;
        current.existence = c->existence;

        check = conflict_decide_precondition(&pre, &current, 0);

        if (check != c->check) {
            fail_msg("case %zu: %d", i, check);
        }

        /* after a GET the version is certain */

        if (c->kinds == B && c->check == CONFLICT_UNSURE) {
            assert_int_equal(conflict_decide_precondition(&pre, &current, 1),
                             CONFLICT_STALE);
        }

        if (c->kinds == MA && c->existence == HID && !c->pending) {
            assert_int_equal(conflict_decide_precondition(&pre, &current, 1),
                             CONFLICT_FAILED);
        }

        if (c->kinds == NA && (c->existence == NO || c->existence == HID)) {
            assert_int_equal(conflict_decide_precondition(&pre, &current, 1),
                             CONFLICT_HOLDS);
        }
    }
}


static void
test_date(void **state)
{
    conflict_current_t       current;
    conflict_precondition_t  pre;

    (void) state;

    memset(&pre, 0, sizeof(pre));
    memset(&current, 0, sizeof(current));

    pre.kinds = CONFLICT_IF_UNMODIFIED;
    current.mtime = 100 * CONFLICT_TIME_SECOND + 5;
    current.existence = CONFLICT_EXISTS;

    /* a date with a fraction is compared exactly */

    pre.exact = 1;
    pre.unmodified = current.mtime;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_HOLDS);
    pre.unmodified--;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_FAILED);

    /* whole seconds are insufficient if the second was used twice */

    pre.exact = 0;
    pre.unmodified = 100 * CONFLICT_TIME_SECOND;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_HOLDS);
    current.second_reused = 1;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_FAILED);
    pre.unmodified = 101 * CONFLICT_TIME_SECOND;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_HOLDS);

    /* an earlier version may have had a later date */

    pre.unmodified = 102 * CONFLICT_TIME_SECOND;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_FAILED);
    pre.exact = 1;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_FAILED);
    pre.unmodified = current.mtime;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_HOLDS);

    current.second_reused = 0;
    pre.unmodified++;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_HOLDS);

    /* no date, nothing to compare (RFC 9110, 13.1.4) */

    current.mtime = CONFLICT_TIME_NONE;
    pre.unmodified = 0;
    assert_int_equal(conflict_decide_precondition(&pre, &current, 0),
                     CONFLICT_HOLDS);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_date)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
