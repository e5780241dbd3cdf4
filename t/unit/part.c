
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_part: parts applied to documents, and made of two of them.
 */


#include "unit.h"
#include "core/merge/conflict_part.h"


static void
test_apply(void **state)
{
    size_t               i;
    conflict_buffer_t    out;
    conflict_document_t  doc, part;

    static const struct {
        conflict_form_e   form;
        const char       *doc, *part, *result;
    } cases[] = {
        { CONFLICT_FORM_SHALLOW, "{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":4}",
          "{\"a\":1,\"b\":3,\"c\":4}" },
        { CONFLICT_FORM_SHALLOW, "{\"o\":{\"x\":1,\"y\":2}}",
          "{\"o\":{\"x\":3}}",
          "{\"o\":{\"x\":3}}" },
        { CONFLICT_FORM_SHALLOW, "{\"a\":1}", "{\"a\":null}", "{\"a\":null}" },
        { CONFLICT_FORM_SHALLOW, " { \"a\" : 0.10 , \"b\":[ 1 ]} ", "{}",
          "{\"a\":0.10,\"b\":[ 1 ]}" },
        { CONFLICT_FORM_SHALLOW, "{\"\\u0061\":1}", "{\"a\":2}",
          "{\"\\u0061\":2}" },
        { CONFLICT_FORM_SHALLOW, "[1]", "{\"a\":1}", "{\"a\":1}" },
        { CONFLICT_FORM_SHALLOW, "{\"a\":1}", " [2]", " [2]" },
        { CONFLICT_FORM_DEEP, "{\"o\":{\"x\":1,\"y\":2}}",
          "{\"o\":{\"x\":3,\"p\":{\"z\":null}}}",
          "{\"o\":{\"x\":3,\"y\":2,\"p\":{\"z\":null}}}" },
        { CONFLICT_FORM_DEEP, "{\"o\":7}", "{\"o\":{\"x\":null}}",
          "{\"o\":{\"x\":null}}" },
        { CONFLICT_FORM_DEEP, "{\"t\":[{\"a\":1}]}", "{\"t\":[{\"b\":1}]}",
          "{\"t\":[{\"b\":1}]}" },

        /* RFC 7396, appendix A */

        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":\"b\"}", "{\"a\":\"c\"}",
          "{\"a\":\"c\"}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":\"b\"}", "{\"b\":\"c\"}",
          "{\"a\":\"b\",\"b\":\"c\"}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":\"b\",\"b\":\"c\"}",
          "{\"a\":null}",
          "{\"b\":\"c\"}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":[\"b\"]}", "{\"a\":\"c\"}",
          "{\"a\":\"c\"}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":\"c\"}", "{\"a\":[\"b\"]}",
          "{\"a\":[\"b\"]}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":{\"b\":\"c\"}}",
          "{\"a\":{\"b\":\"d\",\"c\":null}}",
          "{\"a\":{\"b\":\"d\"}}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}",
          "{\"a\":[1]}" },
        { CONFLICT_FORM_MERGE_PATCH, "[\"a\",\"b\"]", "[\"c\",\"d\"]",
          "[\"c\",\"d\"]" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":\"foo\"}", "null", "null" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"e\":null}", "{\"a\":1}",
          "{\"e\":null,\"a\":1}" },
        { CONFLICT_FORM_MERGE_PATCH, "[1,2]", "{\"a\":\"b\",\"c\":null}",
          "{\"a\":\"b\"}" },
        { CONFLICT_FORM_MERGE_PATCH, "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}",
          "{\"a\":{\"bb\":{}}}" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&out, 0, sizeof(out));

        doc.data = (const unsigned char *) cases[i].doc;
        doc.len = strlen(cases[i].doc);
        doc.form = CONFLICT_FORM_WHOLE;
        part.data = (const unsigned char *) cases[i].part;
        part.len = strlen(cases[i].part);
        part.form = cases[i].form;

        assert_int_equal(conflict_part_apply(&doc, &part, &out, 100, 7), 0);
        conflict_buffer_add(&out, "", 1);
        assert_string_equal((char *) out.data, cases[i].result);
        conflict_buffer_free(&out);
    }
}


static void
test_refused(void **state)
{
    size_t               i;
    conflict_buffer_t    out;
    conflict_document_t  doc, part;

    static const struct {
        const char  *doc, *part;
        size_t       values;
    } cases[] = {
        { "", "{}", 9 },
        { "{}", "", 9 },
        { "{\"a\":1,\"a\":1}", "{}", 9 },
        { "{}", "{\"a\":1,\"a\":1}", 9 },
        { "{\"a\":1}", "{\"a\":1}", 3 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&out, 0, sizeof(out));

        doc.data = (const unsigned char *) cases[i].doc;
        doc.len = strlen(cases[i].doc);
        doc.form = CONFLICT_FORM_WHOLE;
        part.data = (const unsigned char *) cases[i].part;
        part.len = strlen(cases[i].part);
        part.form = CONFLICT_FORM_SHALLOW;

        assert_int_equal(conflict_part_apply(&doc, &part, &out,
                                             cases[i].values, 7), -1);
        conflict_buffer_free(&out);
    }
}


/* what a part is made of it makes again */

static void
test_diff(void **state)
{
    size_t               i;
    conflict_buffer_t    out, made;
    conflict_pointer_t   base;
    conflict_document_t  from, to, part;

    static const struct {
        conflict_form_e   form;
        const char       *from, *to, *part;    /* NULL: there is none */
    } cases[] = {
        { CONFLICT_FORM_SHALLOW, "{\"a\":1,\"b\":2}",
          "{\"b\":3,\"a\":1.0,\"c\":4}",
          "{\"b\":3,\"c\":4}" },
        { CONFLICT_FORM_SHALLOW, "{\"o\":{\"x\":1,\"y\":2}}",
          "{\"o\":{\"x\":3}}",
          "{\"o\":{\"x\":3}}" },
        { CONFLICT_FORM_SHALLOW, "{\"a\":1}", "{\"a\":null}",
          "{\"a\":null}" },
        { CONFLICT_FORM_SHALLOW, "{\"a\":1}", "{}", NULL },
        { CONFLICT_FORM_DEEP, "{\"o\":{\"x\":1,\"y\":2}}",
          "{\"o\":{\"x\":3,\"y\":2,\"z\":null}}",
          "{\"o\":{\"x\":3,\"z\":null}}" },
        { CONFLICT_FORM_DEEP, "{\"o\":{\"x\":1,\"y\":2}}",
          "{\"o\":{\"x\":1}}", NULL },
        { CONFLICT_FORM_DEEP, "{\"o\":7}", "{\"o\":{\"x\":null}}",
          "{\"o\":{\"x\":null}}" },
        { CONFLICT_FORM_DEEP, "{\"t\":[1,2]}", "{\"t\":[2]}",
          "{\"t\":[2]}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":1,\"o\":{\"x\":1,\"y\":2}}",
          "{\"o\":{\"y\":3}}",
          "{\"a\":null,\"o\":{\"x\":null,\"y\":3}}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":1}", "{\"a\":null}", NULL },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":null}", "{\"a\":null,\"b\":1}",
          "{\"b\":1}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":1}", "{\"a\":{\"b\":null}}",
          NULL },
        { CONFLICT_FORM_MERGE_PATCH, "{}", "{\"a\":[null,{\"b\":null}]}",
          "{\"a\":[null,{\"b\":null}]}" },
        { CONFLICT_FORM_MERGE_PATCH, "{}", "{}", "{}" },
        { CONFLICT_FORM_MERGE_PATCH, "[1]", "[2]", "[2]" },

        /* the base version is not part of either */

        { CONFLICT_FORM_SHALLOW, "{\"v\":1,\"a\":1}", "{\"a\":2}",
          "{\"a\":2}" },
        { CONFLICT_FORM_MERGE_PATCH, "{\"a\":1}", "{\"v\":1,\"a\":2}",
          "{\"a\":2}" }
    };

    (void) state;

    assert_int_equal(conflict_scan_pointer(&base, "/v", 2), 0);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&out, 0, sizeof(out));
        memset(&made, 0, sizeof(made));

        from.data = (const unsigned char *) cases[i].from;
        from.len = strlen(cases[i].from);
        from.form = CONFLICT_FORM_WHOLE;
        to.data = (const unsigned char *) cases[i].to;
        to.len = strlen(cases[i].to);
        to.form = CONFLICT_FORM_WHOLE;

        assert_int_equal(conflict_part_diff(&from, &to, cases[i].form, &base,
                                            &out, 100, 7),
                         cases[i].part ? 0 : -1);

        if (cases[i].part) {
            part.data = out.data;
            part.len = out.len;
            part.form = cases[i].form;

            assert_int_equal(out.len, strlen(cases[i].part));
            assert_memory_equal(out.data, cases[i].part, out.len);

            /* but for the base version, it makes the document */

            assert_int_equal(conflict_part_apply(&from, &part, &made, 100, 7),
                             0);
            part.data = made.data;
            part.len = made.len;
            conflict_buffer_free(&out);

            assert_int_equal(conflict_part_diff(&part, &to, cases[i].form,
                                                &base, &out, 100, 7), 0);
            assert_int_equal(out.len, (cases[i].to[0] == '{')
                                      ? 2 : strlen(cases[i].to));
        }

        conflict_buffer_free(&out);
        conflict_buffer_free(&made);
    }

    from.data = (const unsigned char *) "{\"a\":1,\"a\":1}";
    from.len = 13;
    memset(&out, 0, sizeof(out));
    assert_int_equal(conflict_part_diff(&from, &to, CONFLICT_FORM_DEEP, &base,
                                        &out, 100, 7), -1);
    conflict_buffer_free(&out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_apply),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_diff)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
