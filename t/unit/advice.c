
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_advice: what a route is told by its numbers.
 */


#include "unit.h"
#include "../../src/core/conflict_advice.h"


static conflict_advice_t  advice;


static const char *
text(conflict_out_t *out)
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
    conflict_advise(&in, &advice);
}


static void
field(conflict_advice_in_t *in, const char *name, uint64_t n)
{
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
        unsigned           days;
        uint64_t           stale, week;
        conflict_advice_e  level;
    } cases[] = {
        { CONFLICT_LWW, 30, 0, 0, CONFLICT_ADVICE_KEEP },
        { CONFLICT_LWW, 30, 5, 5, CONFLICT_ADVICE_KEEP },
        { CONFLICT_LWW, 30, 10, 10, CONFLICT_ADVICE_KEEP },
        { CONFLICT_LWW, 30, 11, 0, CONFLICT_ADVICE_WATCH },
        { CONFLICT_LWW, 30, 69, 69, CONFLICT_ADVICE_WATCH },
        { CONFLICT_LWW, 30, 70, 70, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_LWW, 1, 9, 9, CONFLICT_ADVICE_KEEP },
        { CONFLICT_LWW, 1, 10, 10, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_LWW, 3, 29, 29, CONFLICT_ADVICE_WATCH },
        { CONFLICT_LWW, 3, 30, 30, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_LWW, 30, 900, 0, CONFLICT_ADVICE_WATCH },
        { CONFLICT_CLIENT_WINS, 30, 3500, 3500, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_SERVER_WINS, 30, 11, 11, CONFLICT_ADVICE_WATCH },
        { CONFLICT_SERVER_WINS, 30, 70, 70, CONFLICT_ADVICE_CHANGE },
        { CONFLICT_VERSION, 30, 60, 60, CONFLICT_ADVICE_KEEP },
        { CONFLICT_VERSION, 30, 70, 70, CONFLICT_ADVICE_CHANGE }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        conflict_advice_in_t  in = { 0 };

        in.policy = cases[i].policy;
        in.days = cases[i].days;
        in.writes = 100000;
        in.stale = cases[i].stale;
        in.week = cases[i].week;

        advise(in);
        assert_int_equal(advice.level, cases[i].level);
        assert_true((advice.config.len == 0)
                    == (advice.level == CONFLICT_ADVICE_KEEP));
    }
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
                        "Keep it: none of 1 write in a day overwrote a "
                        "change that their author had not seen.");

    in.days = 30;
    in.writes = 1234567;
    in.stale = 3500;
    in.week = 3500;
    advise(in);
    assert_string_equal(text(&advice.text),
                        "Move to version checks with 409: 3,500 of 1,234,567 "
                        "writes in 30 days overwrote a change that their "
                        "author had not seen (this week 500 stale ones a "
                        "day).");
    assert_string_equal(text(&advice.config),
                        "conflict version report;  # see what it would "
                        "refuse\n"
                        "conflict version;         # then refuse it\n");
    assert_string_equal(conflict_advice_name(advice.level), "change");
}


/* "version" leads to merge where it is known what differed, else to locks */

static void
test_version(void **state)
{
    conflict_advice_in_t  in = { 0 };

    (void) state;

    in.policy = CONFLICT_VERSION;
    in.days = 1;
    in.writes = 100;
    in.stale = 50;
    in.week = 50;

    advise(in);
    assert_non_null(strstr(text(&advice.text), "Try locks"));
    assert_non_null(strstr(text(&advice.config), "conflict_lock;"));

    field(&in, "/title", 40);
    field(&in, "/x; } server {", 30);
    field(&in, "/done", 10);

    advise(in);
    assert_string_equal(text(&advice.text),
                        "Try merge: 50 of 100 writes in a day were refused "
                        "as stale. The two bodies differed in /title (40), "
                        "/x; } server { (30), /done (10).");

    /* what clients name so that it would be more than a word is left out */

    assert_string_equal(text(&advice.config),
                        "conflict merge;\n"
                        "# a rule each, where both sides change them:\n"
                        "conflict_field /title lww;\n"
                        "conflict_field /done lww;\n");
}


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
    field(&in, "/price", 20);

    advise(in);
    assert_int_equal(advice.level, CONFLICT_ADVICE_KEEP);
    assert_string_equal(text(&advice.text),
                        "Keep it: 480 stale writes were merged and 20 of "
                        "1,000 writes in a day were refused, as fields "
                        "clashed.");

    in.clashed = 200;
    advise(in);
    assert_int_equal(advice.level, CONFLICT_ADVICE_CHANGE);
    assert_non_null(strstr(text(&advice.config),
                           "conflict_field /price lww;\n"));
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
                        "Nothing is enforced: 3 of 1,000 writes in a day "
                        "were stale, and passed.");
    assert_int_equal(advice.notes.len, 0);

    in.unchecked = 1;
    in.external = 2;
    in.required = 3;
    in.busy = 9;
    in.unknown = 9;
    advise(in);
    assert_non_null(strstr(text(&advice.notes), "1 writes passed unchecked"));
    assert_non_null(strstr(text(&advice.notes), "2 changes did not come"));
    assert_non_null(strstr(text(&advice.notes), "3 writes had no base"));
    assert_null(strstr(text(&advice.notes), "gave up waiting"));
    assert_null(strstr(text(&advice.notes), "no clear answer"));

    in.busy = 10;
    in.unknown = 10;
    advise(in);
    assert_non_null(strstr(text(&advice.notes), "10 writes gave up waiting"));
    assert_non_null(strstr(text(&advice.notes), "10 writes got no clear"));

    conflict_advice_free(&advice);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_report_and_notes)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
