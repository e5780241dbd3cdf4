
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_chain: the field Conflict-Chain, the words of links, and how links
 * are judged against the word of an entry.
 */


#include "unit.h"
#include "core/policy/conflict_chain.h"
#include "core/policy/conflict_decide.h"


#define V  50      /* the current version */


typedef struct {
    const char              *text;
    conflict_chain_e         rc;
    const char              *id;
    const char              *base;       /* NULL: on nothing */
    unsigned                 n;
} case_t;


static void
test_parse(void **state)
{
    char              *text, *buf;
    size_t             i, len;
    const case_t      *c;
    conflict_chain_e   rc;
    conflict_chain_t   chain;

    static const case_t  cases[] = {
        { "\"8f2c91d0\";base=1795532400000;n=2",
          CONFLICT_CHAIN_OK, "8f2c91d0", "1795532400000", 2 },
        { "f2c91d08;base=7;n=1", CONFLICT_CHAIN_OK, "f2c91d08", "7", 1 },
        { "  f2c91d08; n=65535; base=-7  ",
          CONFLICT_CHAIN_OK, "f2c91d08", "-7", 65535 },
        { "*2c91d08:/;base=\"a\\\"b\\\\c\";n=007",
          CONFLICT_CHAIN_OK, "*2c91d08:/", "a\"b\\c", 7 },
        { "\"8 \\\"bytes\";base=*;n=1",
          CONFLICT_CHAIN_OK, "8 \"bytes", NULL, 1 },

        /* unknown parameters of all types */

        { "f2c91d08;a;b=1.5;*c=?1;d=:YWJj:;e=@17;f=%\"%c3%bc\";g=x;base=7;n=1"
          ";h=\"\";_i=2", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;a;b=1.5;*c=?1;d=:YWJj:;e=@17;f=%\"%c3%bc\";g=x;base=7;n=1"
          ";h=\"\";i_=-2", CONFLICT_CHAIN_OK, "f2c91d08", "7", 1 },

        /* the last one counts */

        { "f2c91d08;base=7;n=1;base=8;n=2",
          CONFLICT_CHAIN_OK, "f2c91d08", "8", 2 },

        { "", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { " ", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "\"8f2c91d0", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "\"8f2c91d\\0\";base=7;n=1", CONFLICT_CHAIN_MALFORMED, NULL, NULL,
          0 },
        { "\"8f2c91d\xc3\xbc\";base=7;n=1", CONFLICT_CHAIN_MALFORMED, NULL,
          NULL, 0 },
        { "8f2c91d0;base=7;n=1", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08 ;base=7;n=1", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;base=;n=1", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;base=7;n=1;", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;base=7;n=1, f2c91d08;base=7;n=2",
          CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;Base=7;n=1", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;base=1.;n=1", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;base=1.2345;n=1", CONFLICT_CHAIN_MALFORMED, NULL, NULL,
          0 },
        { "f2c91d08;base=1234567890123456;n=1", CONFLICT_CHAIN_MALFORMED,
          NULL, NULL, 0 },
        { "f2c91d08;a=?2", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;a=@1.5", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;a=:YW", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },
        { "f2c91d08;a=%", CONFLICT_CHAIN_MALFORMED, NULL, NULL, 0 },

        { "\"8f2c91d\";base=7;n=1", CONFLICT_CHAIN_BAD_ID, NULL, NULL, 0 },
        { "17955324;base=7;n=1", CONFLICT_CHAIN_BAD_ID, NULL, NULL, 0 },
        { "\"0123456789012345678901234567890123456789012345678901234567890123"
          "4\";base=7;n=1", CONFLICT_CHAIN_BAD_ID, NULL, NULL, 0 },

        { "f2c91d08;n=1", CONFLICT_CHAIN_BAD_BASE, NULL, NULL, 0 },
        { "f2c91d08;base;n=1", CONFLICT_CHAIN_BAD_BASE, NULL, NULL, 0 },
        { "f2c91d08;base=v7;n=1", CONFLICT_CHAIN_BAD_BASE, NULL, NULL, 0 },
        { "f2c91d08;base=\"\";n=1", CONFLICT_CHAIN_BAD_BASE, NULL, NULL, 0 },
        { "f2c91d08;base=1.5;n=1", CONFLICT_CHAIN_BAD_BASE, NULL, NULL, 0 },

        { "f2c91d08;base=7", CONFLICT_CHAIN_BAD_NUMBER, NULL, NULL, 0 },
        { "f2c91d08;base=7;n=0", CONFLICT_CHAIN_BAD_NUMBER, NULL, NULL, 0 },
        { "f2c91d08;base=7;n=-1", CONFLICT_CHAIN_BAD_NUMBER, NULL, NULL, 0 },
        { "f2c91d08;base=7;n=65536", CONFLICT_CHAIN_BAD_NUMBER, NULL, NULL,
          0 },
        { "f2c91d08;base=7;n=\"1\"", CONFLICT_CHAIN_BAD_NUMBER, NULL, NULL,
          0 },
        { "f2c91d08;base=7;n=1.0", CONFLICT_CHAIN_BAD_NUMBER, NULL, NULL, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];
        len = strlen(c->text);

        /* of the exact size, so that ASan detects an overrun */

        text = malloc(len + (len == 0));
        buf = malloc(len + (len == 0));
        memcpy(text, c->text, len);

        rc = conflict_chain_parse(&chain, text, len, buf);

        if (rc != c->rc) {
            fail_msg("%s: %d", c->text, rc);
        }

        if (rc == CONFLICT_CHAIN_OK) {
            assert_int_equal(chain.n, c->n);
            assert_int_equal(chain.id_len, strlen(c->id));
            assert_memory_equal(chain.id, c->id, chain.id_len);

            if (c->base == NULL) {
                assert_null(chain.base);

            } else {
                assert_int_equal(chain.base_len, strlen(c->base));
                assert_memory_equal(chain.base, c->base, chain.base_len);
            }
        }

        free(text);
        free(buf);
    }
}


static void
test_word(void **state)
{
    uint64_t  a, b;

    (void) state;

    a = conflict_chain_word(0xfedcba9876543210, 3);
    b = conflict_chain_word(0xfedcba9876543210, 65535);

    assert_int_equal(conflict_chain_number(a), 3);
    assert_int_equal(conflict_chain_number(b), 65535);
    assert_true(conflict_chain_same(a, b));
    assert_false(conflict_chain_same(a, a ^ 0x10000));
    assert_false(conflict_chain_same(a, 0));
}


typedef struct {
    unsigned                 kinds;      /* beside the chain */
    uint64_t                 other;      /* base and match of these */
    uint64_t                 began;
    uint64_t                 chain;
    uint64_t                 last;       /* of the entry */
    unsigned                 mixed;
    unsigned                 pending;
    conflict_existence_e     existence;
    conflict_check_e         check;
} check_t;


#define LINK(n)  conflict_chain_word(0xabcd, n)
#define MINE     LINK(2)
#define OTHER    conflict_chain_word(0xef, 1)

#define B        CONFLICT_BASE
#define M        CONFLICT_IF_MATCH
#define NA       CONFLICT_IF_NONE_ANY

#define YES      CONFLICT_EXISTS
#define NO       CONFLICT_DELETED
#define ANY      CONFLICT_MAY_EXIST


static void
test_check(void **state)
{
    size_t                   i;
    const check_t           *c;
    conflict_check_e         check;
    conflict_current_t       current;
    conflict_precondition_t  pre;

    static const check_t  cases[] = {
        /* the first link, or one that was joined with it */

        { 0, 0, V, LINK(1), 0, 0, 0, YES, CONFLICT_HOLDS },
        { 0, 0, V, LINK(3), OTHER, 0, 0, YES, CONFLICT_HOLDS },
        { 0, 0, 4, LINK(1), 0, 0, 0, YES, CONFLICT_STALE },
        { 0, 0, 4, LINK(1), OTHER, 0, 0, YES, CONFLICT_STALE },
        { 0, 0, 99, LINK(1), 0, 0, 0, YES, CONFLICT_UNSURE },

        /* the next link */

        { 0, 0, 4, LINK(3), MINE, 0, 0, YES, CONFLICT_HOLDS },
        { 0, 0, 4, LINK(9), MINE, 0, 0, YES, CONFLICT_HOLDS },
        { 0, 0, 4, LINK(3), MINE, 0, 1, YES, CONFLICT_HOLDS },
        { 0, 0, 4, LINK(3), MINE, 0, 0, NO, CONFLICT_HOLDS },

        /* a delayed link, even if its base is current again */

        { 0, 0, 4, LINK(2), MINE, 0, 0, YES, CONFLICT_FAILED },
        { 0, 0, 4, LINK(1), MINE, 0, 0, YES, CONFLICT_FAILED },
        { 0, 0, V, LINK(1), MINE, 0, 0, YES, CONFLICT_FAILED },
        { B, V, 4, LINK(1), MINE, 0, 0, YES, CONFLICT_FAILED },
        { 0, 0, 4, LINK(1), MINE, 1, 0, YES, CONFLICT_FAILED },

        /* the version has changes of another client */

        { 0, 0, 4, LINK(3), MINE, 1, 0, YES, CONFLICT_STALE },
        { 0, 0, 4, LINK(3), OTHER, 0, 0, YES, CONFLICT_STALE },
        { 0, 0, 4, LINK(3), 0, 0, 0, YES, CONFLICT_STALE },

        /* the base repeated, and two bases */

        { B, 4, 4, LINK(3), MINE, 0, 0, YES, CONFLICT_HOLDS },
        { B, 4, 4, LINK(3), OTHER, 0, 0, YES, CONFLICT_STALE },
        { M, 4, 4, LINK(3), MINE, 0, 0, YES, CONFLICT_HOLDS },
        { M, 4, 4, LINK(3), OTHER, 0, 0, YES, CONFLICT_FAILED },
        { B, V, 4, LINK(3), MINE, 0, 0, YES, CONFLICT_HOLDS },
        { M, V, 4, LINK(3), MINE, 0, 0, YES, CONFLICT_HOLDS },
        { B, V, 4, LINK(3), OTHER, 0, 0, YES, CONFLICT_STALE },
        { B, 3, 4, LINK(3), MINE, 0, 0, YES, CONFLICT_STALE },
        { M, 3, 4, LINK(3), MINE, 0, 0, YES, CONFLICT_FAILED },

        /* base=* */

        { 0, 0, 0, LINK(1), 0, 0, 0, ANY, CONFLICT_UNSURE },
        { 0, 0, 0, LINK(1), 0, 0, 0, NO, CONFLICT_UNSURE },
        { 0, 0, 0, LINK(1), 0, 0, 1, NO, CONFLICT_HOLDS },
        { 0, 0, 0, LINK(1), OTHER, 0, 0, YES, CONFLICT_STALE },
        { 0, 0, 0, LINK(2), 0, 0, 0, NO, CONFLICT_STALE },
        { 0, 0, 0, LINK(2), 0, 0, 1, NO, CONFLICT_HOLDS },
        { 0, 0, 0, LINK(3), MINE, 0, 0, YES, CONFLICT_HOLDS },
        { NA, 0, 0, LINK(3), MINE, 0, 0, YES, CONFLICT_HOLDS },
        { NA, 0, 0, LINK(3), OTHER, 0, 0, YES, CONFLICT_FAILED },
        { NA, 0, 4, LINK(3), MINE, 0, 0, YES, CONFLICT_FAILED }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        c = &cases[i];

        memset(&pre, 0, sizeof(pre));
        pre.kinds = c->kinds | CONFLICT_CHAIN;
        pre.base = c->other;
        pre.match = &c->other;
        pre.matches = 1;
        pre.chain_base = c->began;
        pre.chain = c->chain;

        memset(&current, 0, sizeof(current));
        current.version = V;
        current.pending = c->pending ? V + 1 : 0;
        current.chain = c->last;
        current.mixed = c->mixed;
        current.existence = c->existence;

        check = conflict_decide_precondition(&pre, &current, 0);

        if (check != c->check) {
            fail_msg("case %zu: %d", i, check);
        }

        if (c->existence == NO && c->check == CONFLICT_UNSURE) {
            assert_int_equal(conflict_decide_precondition(&pre, &current, 1),
                             CONFLICT_HOLDS);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_word),
        cmocka_unit_test(test_check)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
