
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_advice: the advice for the counters of a route.
 */


#include "unit.h"
#include "core/policy/conflict_advice.h"


static conflict_advice_t  advice;


static const char *
text(conflict_buffer_t *out)
{
    static char  buf[2048];

    assert_true(out->len < sizeof(buf));
    memcpy(buf, out->data ? (char *) out->data : "", out->len);
    buf[out->len] = '\0';

    return buf;
}


static void
advise(conflict_advice_in_t in)
{
    conflict_advice_free(&advice);
    conflict_advice(&in, &advice);
}


static void
field(conflict_advice_in_t *in, const char *name, uint64_t n,
    conflict_advice_rule_e rule)
{
    in->field[in->fields].rule = rule;
    in->field[in->fields].name = (const unsigned char *) name;
    in->field[in->fields].len = strlen(name);
    in->field[in->fields].n = n;
    in->fields++;
}


static void
test_levels(void **state)
{
    size_t  i;

    static const struct {
        conflict_policy_e  policy;
        unsigned           whole;          /* a week */
        uint64_t           writes, stale, week;
        conflict_advice_e  level;
    } cases[] = {
        { CONFLICT_LWW, 1, 100000, 0, 0, CONFLICT_ADVICE_KEEP },
        { CONFLICT_LWW, 1, 100000, 5, 5, CONFLICT_ADVICE_KEEP },
        { CONFLICT_LWW, 1, 100000, 10, 10, CONFLICT_ADVICE_KEEP },
        { CONFLICT_LWW, 1, 100000, 11, 0, CONFLICT_ADVICE_WATCH },
        { CONFLICT_LWW, 1, 100000, 69, 69, CONFLICT_ADVICE_WATCH },
        { CONFLICT_LWW, 1, 100000, 70, 70, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_LWW, 1, 100, 70, 70, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_LWW, 1, 100000, 900, 0, CONFLICT_ADVICE_WATCH },

        /* before a week: 100 of 1,000 writes */

        { CONFLICT_LWW, 0, 20, 10, 10, CONFLICT_ADVICE_KEEP },
        { CONFLICT_LWW, 0, 20, 11, 11, CONFLICT_ADVICE_WATCH },
        { CONFLICT_LWW, 0, 999, 900, 900, CONFLICT_ADVICE_WATCH },
        { CONFLICT_LWW, 0, 1000, 99, 99, CONFLICT_ADVICE_WATCH },
        { CONFLICT_LWW, 0, 1000, 100, 100, CONFLICT_ADVICE_CHANGE },

        { CONFLICT_CLIENT_WINS, 1, 100000, 3500, 3500,
          CONFLICT_ADVICE_CHANGE },
        { CONFLICT_SERVER_WINS, 1, 100000, 11, 11, CONFLICT_ADVICE_WATCH },
        { CONFLICT_SERVER_WINS, 1, 100000, 70, 70, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_SERVER_WINS, 0, 999, 70, 70, CONFLICT_ADVICE_WATCH },
        { CONFLICT_VERSION, 1, 100000, 60, 60, CONFLICT_ADVICE_KEEP },
        { CONFLICT_VERSION, 1, 100000, 70, 70, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_VERSION, 0, 999, 900, 900, CONFLICT_ADVICE_KEEP },
        { CONFLICT_MERGE, 1, 100000, 70, 70, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_MERGE, 0, 999, 900, 900, CONFLICT_ADVICE_KEEP }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        conflict_advice_in_t  in = { 0 };

        in.policy = cases[i].policy;
        in.days = cases[i].whole ? 30 : 1;
        in.whole = cases[i].whole;
        in.writes = cases[i].writes;
        in.stale = cases[i].stale;
        in.clashed = cases[i].stale;
        in.week = cases[i].week;

        advise(in);
        assert_int_equal(advice.level, cases[i].level);

        /* each proposal has a cost */

        assert_true((advice.config.len == 0)
                    == (advice.level == CONFLICT_ADVICE_KEEP));
        assert_true((advice.config.len == 0) == (advice.cost.len == 0));
        assert_null(strstr(text(&advice.config), "lww"));

        /* less than a week is mentioned */

        assert_true((strstr(text(&advice.text), "too little") != NULL)
                    == (advice.level == CONFLICT_ADVICE_WATCH
                        && cases[i].writes < 1000 && !cases[i].whole));

        /* KEEP only if all writes were checked */

        in.without_base = 1;
        advise(in);
        assert_true(advice.level != CONFLICT_ADVICE_KEEP);
        assert_true(advice.level >= cases[i].level);
        assert_null(strstr(text(&advice.text), "Keep it:"));

        in.without_base = 0;
        in.unchecked = 1;
        advise(in);
        assert_true(advice.level != CONFLICT_ADVICE_KEEP);

        in.unchecked = 0;
        in.unguarded = 1;
        advise(in);
        assert_true(advice.level != CONFLICT_ADVICE_KEEP);
    }
}


/* unchecked writes, and the directive that refuses them */

static void
test_unseen(void **state)
{
    conflict_advice_in_t  in = { 0 };

    (void) state;

    in.policy = CONFLICT_VERSION;
    in.days = 1;
    in.writes = 21;
    in.without_base = 20;

    advise(in);
    assert_int_equal(advice.level, CONFLICT_ADVICE_WATCH);
    assert_string_equal(text(&advice.text),
                        "Not all writes are checked: 20 of 21 writes sent no "
                        "base and were not checked; none of 21 writes in a day "
                        "were refused as stale.");
    assert_string_equal(text(&advice.config),
                        "conflict_require on;  # once clients send a base\n");
    assert_string_equal(text(&advice.cost),
                        "Clients that send no base get 428: 20 of 21 writes "
                        "would have been refused.\n");
    assert_non_null(strstr(text(&advice.notes), "must send If-Match or "
                                                "base_version; "));

    in.require = 1;
    advise(in);
    assert_int_equal(advice.level, CONFLICT_ADVICE_WATCH);
    assert_int_equal(advice.config.len, 0);
    assert_null(strstr(text(&advice.notes), "conflict_require"));

    in.require = 0;
    in.without_base = 1;
    in.unchecked = 2;
    in.unguarded = 3;
    advise(in);
    assert_non_null(strstr(text(&advice.text),
                           "1 of 21 writes sent no base and was not checked, "
                           "2 of 21 writes passed unchecked, 3 requests by "
                           "methods that are not guarded were not checked; "));
    assert_non_null(strstr(text(&advice.notes), "\"conflict_methods\""));

    /* policies that lose changes mention it in addition */

    in.policy = CONFLICT_LWW;
    in.stale = 11;
    in.unchecked = 0;
    in.unguarded = 0;
    advise(in);
    assert_string_equal(text(&advice.text),
                        "Keep it only if these changes may be lost: 11 of 21 "
                        "writes in a day overwrote a change unseen. That is "
                        "too little data: wait a week, or 1,000 writes. 1 of "
                        "21 writes sent no base and was not checked.");
    assert_null(strstr(text(&advice.config), "conflict_require"));

    in.report = 1;
    advise(in);
    assert_non_null(strstr(text(&advice.text), "1 of 21 writes sent no base"));

    /* no other requests */

    in.report = 0;
    in.writes = 0;
    in.stale = 0;
    in.without_base = 0;
    in.unguarded = 1;
    advise(in);
    assert_int_equal(advice.level, CONFLICT_ADVICE_WATCH);
    assert_string_equal(text(&advice.text),
                        "1 request by a method that is not guarded was not "
                        "checked.");
}


static void
test_words(void **state)
{
    conflict_advice_in_t  in = { 0 };

    (void) state;

    in.policy = CONFLICT_LWW;
    in.days = 1;

    advise(in);
    assert_string_equal(text(&advice.text), "No writes yet.");
    assert_string_equal(conflict_advice_name(advice.level), "keep");

    in.writes = 1;
    advise(in);
    assert_string_equal(text(&advice.text),
                        "Keep it: none of 1 write in a day overwrote a change "
                        "unseen.");

    in.days = 30;
    in.whole = 1;
    in.writes = 1234567;
    in.stale = 3500;
    in.week = 3500;
    advise(in);
    assert_string_equal(text(&advice.text),
                        "Move to version checks with 409: 3,500 of 1,234,567 "
                        "writes in 30 days overwrote a change unseen (this "
                        "week 500 stale writes a day).");
    assert_string_equal(text(&advice.config),
                        "conflict version report;  # see what it would "
                        "refuse\n"
                        "conflict version;         # then refuse it\n");
    assert_string_equal(text(&advice.cost),
                        "A stale write gets 409 with the latest body, and the "
                        "client must merge the two and write again: 3,500 of "
                        "1,234,567 writes would have been refused.\n");
    assert_string_equal(conflict_advice_name(advice.level), "change");
}


/*
 * "version" leads to merge if the fields that differed are known, otherwise to
 * locks: no proposal lets through two changes of one field.
 */

static void
test_version(void **state)
{
    conflict_advice_in_t  in = { 0 };

    (void) state;

    in.policy = CONFLICT_VERSION;
    in.days = 1;
    in.writes = 1000;
    in.stale = 500;
    in.week = 500;

    advise(in);
    assert_non_null(strstr(text(&advice.text), "Try locks"));
    assert_non_null(strstr(text(&advice.config), "conflict_lock;"));
    assert_non_null(strstr(text(&advice.cost), "must acquire the lock"));

    field(&in, "/title", 400, CONFLICT_ADVICE_NO_RULE);
    field(&in, "/x; } server {", 300, CONFLICT_ADVICE_NO_RULE);
    field(&in, "/done", 10, CONFLICT_ADVICE_NO_RULE);

    advise(in);
    assert_string_equal(text(&advice.text),
                        "Try merge: 500 of 1,000 writes in a day were "
                        "refused as stale. The two bodies differed in /title "
                        "(400), /x; } server { (300), /done (10).");
    assert_string_equal(text(&advice.config), "conflict merge;\n");
    assert_non_null(strstr(text(&advice.cost),
                           "500 of 1,000 writes might have been merged."));
}


/* configured rules stay: no proposal replaces one */

static void
test_merge(void **state)
{
    conflict_advice_in_t  in = { 0 };

    (void) state;

    in.policy = CONFLICT_MERGE;
    in.days = 1;
    in.writes = 1000;
    in.stale = 500;
    in.week = 500;
    in.clashed = 20;
    field(&in, "/price", 20, CONFLICT_ADVICE_REJECT);
    field(&in, "/title", 10, CONFLICT_ADVICE_NO_RULE);
    field(&in, "/x; } server {", 5, CONFLICT_ADVICE_NO_RULE);

    advise(in);
    assert_int_equal(advice.level, CONFLICT_ADVICE_KEEP);
    assert_string_equal(text(&advice.text),
                        "Keep it: 480 stale writes were merged and 20 of 1,000 "
                        "writes in a day were refused because fields clashed.");

    in.clashed = 200;
    advise(in);
    assert_int_equal(advice.level, CONFLICT_ADVICE_CHANGE);
    assert_non_null(strstr(text(&advice.text),
                           "/price (20, refused by its rule), /title (10)"));

    /* names from clients that are not plain words are omitted */

    assert_string_equal(text(&advice.config),
                        "# choose for each: text, union (lists), sum "
                        "(counters), max, min\nconflict_field /title text;\n");
    assert_non_null(strstr(text(&advice.cost), "refused as before: 200 of "
                                               "1,000 writes"));

    /* all fields have a rule, or an unknown one */

    in.field[1].rule = CONFLICT_ADVICE_RULE;
    advise(in);
    assert_int_equal(advice.level, CONFLICT_ADVICE_CHANGE);
    assert_non_null(strstr(text(&advice.text), "Try locks"));
    assert_null(strstr(text(&advice.config), "conflict_field"));
    assert_non_null(strstr(text(&advice.config), "conflict_lock;"));
}


static void
test_report_and_notes(void **state)
{
    conflict_advice_in_t  in = { 0 };

    (void) state;

    in.policy = CONFLICT_VERSION;
    in.report = 1;
    in.days = 1;
    in.writes = 1000;
    in.stale = 3;
    in.week = 3;

    advise(in);
    assert_int_equal(advice.level, CONFLICT_ADVICE_WATCH);
    assert_string_equal(text(&advice.text),
                        "Nothing is enforced: 3 of 1,000 writes in a day were "
                        "stale and passed.");
    assert_string_equal(text(&advice.cost),
                        "A stale write gets 409 with the latest body, and the "
                        "client must merge the two and write again: 3 of 1,000 "
                        "writes would have been refused.\n");
    assert_int_equal(advice.notes.len, 0);

    in.unchecked = 1;
    in.external = 2;
    in.required = 3;
    in.busy = 9;
    in.unknown = 9;
    advise(in);
    assert_non_null(strstr(text(&advice.notes), "1 writes passed unchecked"));
    assert_non_null(strstr(text(&advice.notes), "2 changes bypassed the "
                                                "proxy"));
    assert_non_null(strstr(text(&advice.notes), "3 writes had no base"));
    assert_null(strstr(text(&advice.notes), "gave up waiting"));
    assert_null(strstr(text(&advice.notes), "unknown outcome"));

    in.busy = 10;
    in.unknown = 10;
    advise(in);
    assert_non_null(strstr(text(&advice.notes), "10 writes gave up waiting"));
    assert_non_null(strstr(text(&advice.notes), "10 writes had an unknown "
                                                "outcome"));

    conflict_advice_free(&advice);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_unseen),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_report_and_notes)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
