
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_tree, conflict_compare, conflict_number: equality of values, and
 * whether a document reflects a write.
 */


#include "unit.h"
#include "core/json/conflict_number.h"
#include "core/json/conflict_compare.h"


#define SEED  12345
#define MOST  100000


static conflict_json_rc_e
parse_text(conflict_tree_t *tree, const char *text)
{
    size_t  left;

    left = MOST;

    return conflict_tree_parse(tree, (const unsigned char *) text,
                               strlen(text), &left, SEED);
}


static conflict_value_t
parse(conflict_tree_t *tree, const char *text)
{
    conflict_value_t  value;

    assert_int_equal(parse_text(tree, text), CONFLICT_JSON_OK);

    value.tree = tree;
    value.node = 0;

    return value;
}


/* a tree accepts what the scanner does, and has the same errors */

static void
test_checked(void **state)
{
    char                deep[2 * CONFLICT_JSON_DEPTH + 3];
    size_t              i, left;
    conflict_tree_t     tree;
    conflict_json_rc_e  rc;

    static const struct {
        const char          *text;
        conflict_json_rc_e   rc;
    } cases[] = {
        { "[1, -0.5e+10, \"\\u12aF\\n\xc3\xa9\", {}, [ ], true, null]\n",
          CONFLICT_JSON_OK },
        { "\xef\xbb\xbf 0", CONFLICT_JSON_OK },
        { "\"\\ud800\"", CONFLICT_JSON_OK },
        { "{\"a\":{\"b\":1},\"b\":2}", CONFLICT_JSON_OK },
        { "{\"a\":1,\"\\u0061\":2}", CONFLICT_JSON_REPEATED },
        { "", CONFLICT_JSON_MALFORMED },
        { " ", CONFLICT_JSON_MALFORMED },
        { "\xef\xbb\xbf", CONFLICT_JSON_MALFORMED },
        { " \xef\xbb\xbf" "1", CONFLICT_JSON_MALFORMED },
        { "1 2", CONFLICT_JSON_MALFORMED },
        { "01", CONFLICT_JSON_MALFORMED },
        { "-", CONFLICT_JSON_MALFORMED },
        { "+1", CONFLICT_JSON_MALFORMED },
        { "1.", CONFLICT_JSON_MALFORMED },
        { ".5", CONFLICT_JSON_MALFORMED },
        { "1e", CONFLICT_JSON_MALFORMED },
        { "1e+", CONFLICT_JSON_MALFORMED },
        { "tru", CONFLICT_JSON_MALFORMED },
        { "truex", CONFLICT_JSON_MALFORMED },
        { "[falze]", CONFLICT_JSON_MALFORMED },
        { "nul", CONFLICT_JSON_MALFORMED },
        { "\"a", CONFLICT_JSON_MALFORMED },
        { "\"a\\", CONFLICT_JSON_MALFORMED },
        { "\"\\x\"", CONFLICT_JSON_MALFORMED },
        { "\"\\u12\"", CONFLICT_JSON_MALFORMED },
        { "\"\x1f\"", CONFLICT_JSON_MALFORMED },
        { "\"\xff\"", CONFLICT_JSON_MALFORMED },
        { "\"\xed\xa0\x80\"", CONFLICT_JSON_MALFORMED },
        { "\"\xc3", CONFLICT_JSON_MALFORMED },
        { "[", CONFLICT_JSON_MALFORMED },
        { "[1", CONFLICT_JSON_MALFORMED },
        { "[1,]", CONFLICT_JSON_MALFORMED },
        { "[,1]", CONFLICT_JSON_MALFORMED },
        { "[1 2]", CONFLICT_JSON_MALFORMED },
        { "[1}", CONFLICT_JSON_MALFORMED },
        { "[]]", CONFLICT_JSON_MALFORMED },
        { "{", CONFLICT_JSON_MALFORMED },
        { "{]", CONFLICT_JSON_MALFORMED },
        { "{,}", CONFLICT_JSON_MALFORMED },
        { "{\"a\"}", CONFLICT_JSON_MALFORMED },
        { "{\"a\":}", CONFLICT_JSON_MALFORMED },
        { "{\"a\":1,}", CONFLICT_JSON_MALFORMED },
        { "{\"a\" 1}", CONFLICT_JSON_MALFORMED },
        { "{a:1}", CONFLICT_JSON_MALFORMED },
        { "{1:1}", CONFLICT_JSON_MALFORMED }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rc = parse_text(&tree, cases[i].text);
        conflict_tree_free(&tree);

        assert_int_equal(rc, cases[i].rc);
        assert_int_equal(conflict_scan_valid((const unsigned char *)
                                             cases[i].text,
                                             strlen(cases[i].text)),
                         rc == CONFLICT_JSON_OK
                         || rc == CONFLICT_JSON_REPEATED);
    }

    for (i = CONFLICT_JSON_DEPTH; i <= CONFLICT_JSON_DEPTH + 1; i++) {
        memset(deep, '[', i);
        memset(deep + i, ']', i);
        deep[2 * i] = '\0';

        rc = parse_text(&tree, deep);
        conflict_tree_free(&tree);

        assert_int_equal(rc, i > CONFLICT_JSON_DEPTH ? CONFLICT_JSON_TOO_DEEP
                                                     : CONFLICT_JSON_OK);
    }

    /* an error after too many values is the error */

    left = 2;
    rc = conflict_tree_parse(&tree, (const unsigned char *) "[1,2,3}", 7,
                             &left, SEED);
    conflict_tree_free(&tree);
    assert_int_equal(rc, CONFLICT_JSON_MALFORMED);

    left = 2;
    rc = conflict_tree_parse(&tree, (const unsigned char *) "[1,2,3]", 7,
                             &left, SEED);
    conflict_tree_free(&tree);
    assert_int_equal(rc, CONFLICT_JSON_LARGE);
}


static void
test_equal(void **state)
{
    size_t            i;
    conflict_tree_t   a, b;
    conflict_value_t  x, y;

    static const struct {
        const char  *a, *b;
        int          equal;
    } cases[] = {
        { "1", "1", 1 },
        { "1", "1.0", 1 },
        { "1", "1e0", 1 },
        { "100", "1E+2", 1 },
        { "0.10", "0.1", 1 },
        { "0.001", "1e-3", 1 },
        { "-0", "0", 1 },
        { "0e5", "0.000", 1 },
        { "1", "-1", 0 },
        { "10.5", "10.50", 1 },
        { "10.5", "1.05e1", 1 },
        { "105e-1", "10.5", 1 },
        { "10.5", "10.05", 0 },
        { "9223372036854775808", "9223372036854775808.0", 1 },
        { "9223372036854775808", "9223372036854775809", 0 },
        { "1e400", "10e399", 1 },
        { "1e400", "1e401", 0 },
        { "1e99999999999999999999", "1e1", 0 },
        { "1e00000000000000000000000000000000000001", "10", 1 },
        { "1e-0000000000000000000000000000000000001", "0.1", 1 },
        { "12345678901234567890123456789012345678901.5",
          "1234567890123456789012345678901234567890.15e1", 1 },
        { "12345678901234567890123456789012345678901.5",
          "123456789012345678901234567890123456789015e-1", 1 },
        { "12345678901234567890123456789012345678901.5",
          "12345678901234567890123456789012345678901.6", 0 },
        { "1234567890123456789012345678901.5",
          "12345678901234567890123456789015e-1", 1 },
        { "15", "1.5", 0 },
        { "-15", "15", 0 },
        { "[[[[1]]]]", "[[[[ 1.0 ]]]]", 1 },
        { "[[[[1]]]]", "[[[[2]]]]", 0 },
        { "[true,null]", "[ true , null ]", 1 },
        { "[true,null]", "[ true , false ]", 0 },
        { "\"a\"", "\"\\u0061\"", 1 },
        { "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"", 1 },
        { "\"\\/\"", "\"/\"", 1 },
        { "\"a\\nb\"", "\"a\\u000ab\"", 1 },
        { "\"a\"", "\"ab\"", 0 },
        { "\"\\u0061b\"", "\"ac\"", 0 },
        { "\"\"", "\"\\u0000\"", 0 },
        { "null", "null", 1 },
        { "null", "false", 0 },
        { "true", "false", 0 },
        { "1", "\"1\"", 0 },
        { "[1,2]", " [ 1 , 2.0 ] ", 1 },
        { "[1,2]", "[2,1]", 0 },
        { "[1]", "[1,2]", 0 },
        { "[]", "[ ]", 1 },
        { "[]", "{}", 0 },
        { "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", 1 },
        { "{\"a\":1,\"\\u0062\":2}", "{\"b\":2,\"a\":1}", 1 },
        { "{\"a\":1}", "{\"b\":1}", 0 },
        { "{\"a\":1}", "{\"a\":1,\"b\":2}", 0 },
        { "{\"a\":{\"b\":[{}]}}", "{ \"a\" : { \"b\" : [ { } ] } }", 1 },
        { "{\"a\":{\"b\":[{}]}}", "{\"a\":{\"b\":[[]]}}", 0 },
        { "{\"\":1}", "{\"\":1}", 1 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        x = parse(&a, cases[i].a);
        y = parse(&b, cases[i].b);

        if (conflict_compare_equal(x, y) != cases[i].equal
            || conflict_compare_equal(y, x) != cases[i].equal)
        {
            fail_msg("%s and %s", cases[i].a, cases[i].b);
        }

        if ((conflict_compare_hash(x) == conflict_compare_hash(y))
            != cases[i].equal)
        {
            fail_msg("hashes of %s and %s", cases[i].a, cases[i].b);
        }

        conflict_tree_free(&a);
        conflict_tree_free(&b);
    }
}


static void
test_compare(void **state)
{
    size_t  i;
    int     rc;

    static const struct {
        const char  *a, *b;
        int          rc;
    } cases[] = {
        { "1", "2", -1 },
        { "10", "9", 1 },
        { "-10", "-9", -1 },
        { "-1", "1", -1 },
        { "0", "1", -1 },
        { "0", "-1", 1 },
        { "0", "-0.0", 0 },
        { "0.5", "0.25", 1 },
        { "1.05", "1.5", -1 },
        { "99.9", "100", -1 },
        { "1e3", "999.999", 1 },
        { "1e-3", "0.00099", 1 },
        { "12", "123", -1 },
        { "1.2", "1.20000000000000000000000000000000001", -1 },
        { "9007199254740993", "9007199254740992", 1 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rc = conflict_number_compare((const unsigned char *) cases[i].a,
                                     strlen(cases[i].a),
                                     (const unsigned char *) cases[i].b,
                                     strlen(cases[i].b));

        if (rc != cases[i].rc) {
            fail_msg("%s and %s: %d", cases[i].a, cases[i].b, rc);
        }
    }
}


static void
test_integer(void **state)
{
    size_t   i;
    int64_t  n;

    static const struct {
        const char  *text;
        int          rc;
        int64_t      n;
    } cases[] = {
        { "0", 0, 0 },
        { "-0", 0, 0 },
        { "42", 0, 42 },
        { "-42", 0, -42 },
        { "9223372036854775807", 0, INT64_MAX },
        { "-9223372036854775808", 0, INT64_MIN },
        { "9223372036854775808", -1, 0 },
        { "-9223372036854775809", -1, 0 },
        { "99999999999999999999", -1, 0 },
        { "1.0", -1, 0 },
        { "1e3", -1, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = 0;

        if (conflict_number_integer(&n, (const unsigned char *) cases[i].text,
                                    strlen(cases[i].text))
            != cases[i].rc
            || (cases[i].rc == 0 && n != cases[i].n))
        {
            fail_msg("%s", cases[i].text);
        }
    }
}


static void
test_tree(void **state)
{
    size_t            i, len, left;
    char             *text, *p;
    conflict_tree_t   tree;
    conflict_value_t  value;

    static const struct {
        const char          *text;
        conflict_json_rc_e   rc;
    } cases[] = {
        { "{\"a\":1,\"a\":2}", CONFLICT_JSON_REPEATED },
        { "{\"a\":1,\"\\u0061\":2}", CONFLICT_JSON_REPEATED },
        { "[{\"b\":{\"a\":1,\"c\":3,\"a\":2}}]", CONFLICT_JSON_REPEATED },
        { "{\"a\":{\"a\":1}}", CONFLICT_JSON_OK },
        { "[{\"a\":1},{\"a\":1}]", CONFLICT_JSON_OK },
        { "{\"a\":1", CONFLICT_JSON_MALFORMED },
        { "", CONFLICT_JSON_MALFORMED },
        { "1 2", CONFLICT_JSON_MALFORMED }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        if (parse_text(&tree, cases[i].text) != cases[i].rc) {
            fail_msg("%s", cases[i].text);
        }

        conflict_tree_free(&tree);
    }

    /* members of a large object are found in any order */

    text = malloc(1000 * 20 + 2);
    assert_non_null(text);

    p = text;
    *p++ = '{';

    for (i = 0; i < 1000; i++) {
        p += sprintf(p, "%s\"m%zu\":%zu", i ? "," : "", i * 7 % 1000, i);
    }

    *p++ = '}';
    *p = '\0';

    value = parse(&tree, text);

    for (i = 0; i < 1000; i++) {
        char              name[8];
        conflict_value_t  v;

        len = (size_t) sprintf(name, "m%zu", i * 7 % 1000);
        v = conflict_tree_named(value, (unsigned char *) name, len);
        assert_ptr_equal(v.tree, &tree);
        p = (char *) conflict_tree_text(v, &len);
        assert_int_equal(strtoul(p, NULL, 10), i);
    }

    assert_null(conflict_tree_named(value, (const unsigned char *) "x", 1)
                .tree);

    conflict_tree_free(&tree);
    free(text);

    /* duplicates are detected in any spelling, first and last */

    text = malloc(1000 * 20 + 2);
    assert_non_null(text);

    p = text;

    for (i = 0; i < 1000; i++) {
        p += sprintf(p, "%s\"m%zu\":%zu", i ? "," : "{", i, i);
    }

    (void) sprintf(p, ",\"\\u006d0\":1}");

    assert_int_equal(parse_text(&tree, text), CONFLICT_JSON_REPEATED);
    conflict_tree_free(&tree);
    free(text);

    /* a name and a string that exceed the blocks in which they are read */

    text = malloc(2 * 6 * 1000 + 100);
    assert_non_null(text);

    for (i = 240; i < 270; i++) {
        p = text + sprintf(text, "{\"");

        for (len = 0; len < i; len++) {
            *p++ = 'x';
        }

        p += sprintf(p, "\\ud83d\\ude00y\":1,\"");

        for (len = 0; len < i; len++) {
            p += sprintf(p, "%s", (len % 3) ? "x" : "\\u0078");
        }

        (void) sprintf(p, "\xf0\x9f\x98\x80\\u0079\":1}");

        assert_int_equal(parse_text(&tree, text), CONFLICT_JSON_REPEATED);
        conflict_tree_free(&tree);

        p = strstr(text, "\\u0079");
        assert_non_null(p);
        p[5] = '8';

        value = parse(&tree, text);
        assert_int_equal(tree.nodes[value.node].children, 2);
        conflict_tree_free(&tree);
    }

    free(text);

    /* values are subtracted from the limit, down to 0 */

    left = 8;
    assert_int_equal(conflict_tree_parse(&tree, (unsigned char *) "[1,{},2]",
                                         8, &left, SEED),
                     CONFLICT_JSON_OK);
    assert_int_equal(left, 4);
    conflict_tree_free(&tree);

    assert_int_equal(conflict_tree_parse(&tree, (unsigned char *) "[1,{},2]",
                                         8, &left, SEED),
                     CONFLICT_JSON_OK);
    assert_int_equal(left, 0);
    conflict_tree_free(&tree);

    assert_int_equal(conflict_tree_parse(&tree, (unsigned char *) "1", 1,
                                         &left, SEED),
                     CONFLICT_JSON_LARGE);
    conflict_tree_free(&tree);

    left = 3;
    assert_int_equal(conflict_tree_parse(&tree, (unsigned char *) "[1,{},2]",
                                         8, &left, SEED),
                     CONFLICT_JSON_LARGE);
    conflict_tree_free(&tree);
}


static void
test_reflects(void **state)
{
    size_t               i;
    conflict_document_t  latest, write;
    conflict_pointer_t   base;

    static const struct {
        const char       *latest, *write, *base;
        int               reflects, names;
    } cases[] = {
        { "{\"a\":1}", "{\"a\":1}", "/base_version", 1, 1 },
        { "{\"a\":1}", "{\"a\":1.0}", "/base_version", 1, 1 },
        { "{\"a\":1,\"b\":2}", "{\"a\":1}", "/base_version", 1, 1 },
        { "{\"a\":1}", "{\"a\":1,\"b\":2}", "/base_version", 0, 0 },
        { "{\"a\":1}", "{\"a\":2}", "/base_version", 0, 1 },
        { "{\"a\":1}", "{\"a\":\"1\"}", "/base_version", 0, 1 },
        { "{\"a\":[1,2]}", "{\"a\":[1,2]}", "/base_version", 1, 1 },
        { "{\"a\":[1,2]}", "{\"a\":[2,1]}", "/base_version", 0, 1 },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1}}",
          "/base_version", 1, 1 },
        { "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", "/base_version", 0, 1 },
        { "{\"a\":1}", "{\"b\":null}", "/base_version", 1, 1 },
        { "{\"b\":null}", "{\"b\":null}", "/base_version", 1, 1 },
        { "{\"b\":1}", "{\"b\":null}", "/base_version", 0, 1 },
        { "{\"a\":1}", "{\"a\":1,\"base_version\":7}", "/base_version", 1, 1 },
        { "{\"a\":1}", "{\"base_version\":7}", "/base_version", 0, 0 },
        { "{\"a\":1}", "{}", "/base_version", 0, 0 },
        { "[1]", "[1]", "/base_version", 0, 0 },
        { "{\"a\":1", "{\"a\":1}", "/base_version", 0, 0 },
        { "{\"a\":1}", "", "/base_version", 0, 0 },
        { "{\"a\":1,\"a\":2}", "{\"a\":2}", "/base_version", 0, 0 },
        { "{\"a\":99999999999999999999}", "{\"a\":99999999999999999999}",
          "/base_version", 1, 1 },
        { "{\"a\":1,\"meta\":{}}", "{\"a\":1,\"meta\":{\"rev\":7}}",
          "/meta/rev", 1, 1 },
        { "{\"a\":1,\"meta\":{}}", "{\"a\":1,\"meta\":{\"other\":7}}",
          "/meta/rev", 0, 0 },
        { "{\"a\":1}", "{\"a\":1}", NULL, 1, 1 },
        { "{\"a\":1}", "{\"a\":1,\"base_version\":7}", NULL, 0, 0 },
        { "{\"ok\":true}", "{\"a\":1,\"b\":2}", NULL, 0, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        if (cases[i].base) {
            assert_int_equal(conflict_scan_pointer(&base, cases[i].base,
                                                   strlen(cases[i].base)), 0);
        }

        latest.data = (const unsigned char *) cases[i].latest;
        latest.len = strlen(cases[i].latest);
        write.data = (const unsigned char *) cases[i].write;
        write.len = strlen(cases[i].write);
        write.form = CONFLICT_FORM_WHOLE;

        if (conflict_compare_reflects(&latest, &write,
                                      cases[i].base ? &base : NULL,
                                      CONFLICT_REFLECTS_VALUES, MOST, SEED)
            != cases[i].reflects
            || conflict_compare_reflects(&latest, &write,
                                         cases[i].base ? &base : NULL,
                                         CONFLICT_REFLECTS_NAMES, MOST, SEED)
               != cases[i].names)
        {
            fail_msg("%s in %s", cases[i].write, cases[i].latest);
        }
    }
}


/* in a part null is a value, and an object is whole or a part by form */

static void
test_reflects_parts(void **state)
{
    size_t               i;
    conflict_document_t  latest, write;
    conflict_pointer_t   base;

    static const struct {
        const char       *latest, *write;
        int               reflects, names;
        conflict_form_e   form;
    } cases[] = {
        { "{\"a\":1}", "{\"b\":null}", 0, 1,
          CONFLICT_FORM_SHALLOW },
        { "{\"b\":null}", "{\"b\":null}", 1, 1,
          CONFLICT_FORM_SHALLOW },
        { "{\"a\":1}", "{\"b\":null}", 0, 1,
          CONFLICT_FORM_DEEP },
        { "{\"a\":1}", "{\"b\":null}", 1, 1,
          CONFLICT_FORM_MERGE_PATCH },
        { "{\"b\":1}", "{\"b\":null}", 0, 1,
          CONFLICT_FORM_MERGE_PATCH },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1}}", 0, 1,
          CONFLICT_FORM_SHALLOW },
        { "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1.0}}", 1, 1,
          CONFLICT_FORM_SHALLOW },
        { "{\"a\":{\"b\":1,\"c\":2}}", "{\"a\":{\"b\":1}}", 1, 1,
          CONFLICT_FORM_DEEP },
        { "{\"a\":1,\"m\":{\"x\":1}}", "{\"a\":1,\"m\":{\"rev\":7}}",
          1, 1, CONFLICT_FORM_SHALLOW }
    };

    (void) state;

    assert_int_equal(conflict_scan_pointer(&base, "/m/rev", 6), 0);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        latest.data = (const unsigned char *) cases[i].latest;
        latest.len = strlen(cases[i].latest);
        write.data = (const unsigned char *) cases[i].write;
        write.len = strlen(cases[i].write);
        write.form = cases[i].form;

        if (conflict_compare_reflects(&latest, &write, &base,
                                      CONFLICT_REFLECTS_VALUES, MOST, SEED)
            != cases[i].reflects
            || conflict_compare_reflects(&latest, &write, &base,
                                         CONFLICT_REFLECTS_NAMES, MOST, SEED)
               != cases[i].names)
        {
            fail_msg("%s in %s, form %d", cases[i].write, cases[i].latest,
                     cases[i].form);
        }
    }
}


/* a value covered by another one */

static void
test_within(void **state)
{
    size_t            i;
    conflict_tree_t   a, b;
    conflict_value_t  value, shown;

    static const struct {
        const char  *value, *shown;
        int          within;
    } cases[] = {
        { "1", "2", 1 },
        { "\"a\"", "{}", 1 },
        { "{\"a\":1}", "{\"a\":[]}", 1 },
        { "{\"a\":1,\"b\":2}", "{\"a\":1}", 0 },
        { "{\"a\":{\"b\":1}}", "{\"a\":1}", 0 },
        { "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2,\"c\":3}}", 1 },
        { "[1,\"x\",null]", "[]", 1 },
        { "[{\"a\":1}]", "[{\"a\":1}]", 0 },
        { "{\"t\":[[1]]}", "{\"t\":[[1]]}", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse_text(&a, cases[i].value), CONFLICT_JSON_OK);
        assert_int_equal(parse_text(&b, cases[i].shown), CONFLICT_JSON_OK);

        value.tree = &a;
        value.node = 0;
        shown.tree = &b;
        shown.node = 0;

        if (conflict_compare_covered(value, shown) != cases[i].within) {
            fail_msg("%s in %s", cases[i].value, cases[i].shown);
        }

        shown.tree = NULL;
        assert_int_equal(conflict_compare_covered(value, shown), 0);

        conflict_tree_free(&a);
        conflict_tree_free(&b);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_checked),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_integer),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_reflects),
        cmocka_unit_test(test_reflects_parts),
        cmocka_unit_test(test_within)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
