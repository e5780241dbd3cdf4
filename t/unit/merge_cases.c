
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_merge and the merge of clients/js give the same results for the
 * cases in t/merge_cases.json.
 */


#include <jansson.h>

#include "unit.h"
#include "core/merge/conflict_merge.h"
#include "core/json/conflict_compare.h"


#define RULES   8
#define VALUES  100000


static const char  *names[] = {
    "auto", "lww", "server", "reject", "union", "max", "min", "sum", "text",
    "list"
};


static size_t
rules_of(json_t *rules, conflict_field_t *fields)
{
    size_t       n, len;
    json_t      *value;
    const char  *pointer, *text, *key;

    n = 0;

    json_object_foreach(rules, pointer, value) {
        memset(&fields[n], 0, sizeof(conflict_field_t));

        assert_true(n < RULES);
        assert_int_equal(conflict_scan_pointer(&fields[n].pointer, pointer,
                                               strlen(pointer)), 0);

        text = json_string_value(value);
        key = strchr(text, '(');
        len = key ? (size_t) (key - text) : strlen(text);

        while (strlen(names[fields[n].rule]) != len
               || memcmp(names[fields[n].rule], text, len) != 0)
        {
            fields[n].rule++;
            assert_true(fields[n].rule < CONFLICT_RULES);
        }

        if (key) {
            fields[n].key = (const unsigned char *) key + 1;
            fields[n].key_len = strlen(key) - 2;
        }

        n++;
    }

    return n;
}


/* the text of a value; NULL: the case does not have the value */

static char *
document(conflict_document_t *doc, json_t *value)
{
    char  *text;

    text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    doc->data = (unsigned char *) text;
    doc->len = text ? strlen(text) : 0;
    doc->form = CONFLICT_FORM_WHOLE;

    return text;
}


static int
same(const unsigned char *a, size_t len, json_t *expected)
{
    int               rc;
    char             *b;
    size_t            left;
    conflict_tree_t   x, y;
    conflict_value_t  v, w;

    left = VALUES;
    b = json_dumps(expected, JSON_COMPACT | JSON_ENCODE_ANY);

    assert_int_equal(conflict_tree_parse(&x, a, len, &left, 1),
                     CONFLICT_JSON_OK);
    assert_int_equal(conflict_tree_parse(&y, (unsigned char *) b, strlen(b),
                                         &left, 1),
                     CONFLICT_JSON_OK);

    v.tree = &x;
    v.node = 0;
    w.tree = &y;
    w.node = 0;
    rc = conflict_compare_equal(v, w);

    conflict_tree_free(&x);
    conflict_tree_free(&y);
    free(b);

    return rc;
}


/* a list of pointers, in any order */

static int
same_fields(const conflict_buffer_t *fields, json_t *expected)
{
    size_t                i, j, len;
    json_t               *got;
    const unsigned char  *p, *last, *name;

    got = json_array();
    p = fields->data;
    last = p + fields->len;

    while (conflict_merge_report_field(&p, last, &name, &len)) {
        assert_int_equal(json_array_append_new(got, json_stringn(
                                                    (const char *) name, len)),
                         0);
    }

    i = json_array_size(expected);

    if (json_array_size(got) == i) {

        for (i = 0; i < json_array_size(expected); i++) {

            for (j = 0; j < json_array_size(got); j++) {

                if (json_equal(json_array_get(expected, i),
                               json_array_get(got, j)))
                {
                    break;
                }
            }

            if (j == json_array_size(got)) {
                break;
            }
        }

        i -= json_array_size(expected);

    } else {
        i = 1;
    }

    json_decref(got);

    return i == 0;
}


static void
run_case(json_t *c)
{
    char                     *text, *base, *server, *client;
    json_t                   *expected;
    conflict_field_t          fields[RULES];
    conflict_merge_t          in;
    conflict_merged_t         out;
    conflict_merge_rc_e       rc;
    conflict_pointer_t        ignored;

    memset(&in, 0, sizeof(conflict_merge_t));

    base = document(&in.base, json_object_get(c, "base"));
    server = document(&in.server, json_object_get(c, "server"));
    client = document(&in.client, json_object_get(c, "client"));

    assert_int_equal(conflict_scan_pointer(&ignored, "/base_version", 13), 0);

    in.fields = fields;
    in.n = rules_of(json_object_get(c, "rules"), fields);
    in.ignored = &ignored;
    in.stale = 1;
    in.values = VALUES;
    in.reveal = 1;
    in.seed = 1;

    rc = conflict_merge(&in, &out);

    text = json_dumps(c, JSON_COMPACT);
    expected = json_object_get(c, "result");

    if (json_is_true(json_object_get(c, "clash"))
        ? rc != CONFLICT_MERGE_CLASH
        : rc == CONFLICT_MERGE_SAME
          ? !same(in.client.data, in.client.len, expected)
          : rc != CONFLICT_MERGE_DONE
            || !same(out.text.data, out.text.len, expected))
    {
        fail_msg("%s\ngot %d %.*s", text, rc, (int) out.text.len,
                 out.text.data ? (char *) out.text.data : "");
    }

    expected = json_object_get(c, "fields");

    if (expected && !same_fields(&out.fields, expected)) {
        fail_msg("%s\ngot fields %.*s", text, (int) out.fields.len,
                 out.fields.data ? (char *) out.fields.data : "");
    }

    conflict_merge_free(&out);
    free(text);
    free(base);
    free(server);
    free(client);
}


static void
test_cases(void **state)
{
    size_t         i;
    json_t        *cases, *c;
    json_error_t   error;

    (void) state;

    cases = json_load_file("t/merge_cases.json", JSON_DECODE_ANY, &error);

    if (cases == NULL) {
        fail_msg("line %d: %s", error.line, error.text);
    }

    assert_true(json_array_size(cases) > 100);

    json_array_foreach(cases, i, c) {
        run_case(c);
    }

    json_decref(cases);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cases)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
