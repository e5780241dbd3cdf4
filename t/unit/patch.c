
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * JSON Patch: the operations (RFC 6902), the merge of a stale patch, and that
 * the forwarded patch turns the server's document into the merged one.
 */


#include "clashes.h"
#include "core/patch/conflict_patch_state.h"


#define SEED  12345
#define MOST  100000

#define count(cases)  (sizeof(cases) / sizeof(cases[0]))


static conflict_document_t
document(const char *text)
{
    conflict_document_t  doc;

    doc.form = CONFLICT_FORM_WHOLE;
    doc.data = (const unsigned char *) text;
    doc.len = text ? strlen(text) : 0;

    return doc;
}


static void
parse(conflict_tree_t *tree, const char *text)
{
    size_t  left;

    left = MOST;

    if (conflict_tree_parse(tree, (const unsigned char *) text, strlen(text),
                            &left, SEED)
        != CONFLICT_JSON_OK)
    {
        fail_msg("not JSON: %s", text);
    }
}


static int
same(const char *a, const char *b)
{
    int               rc;
    conflict_tree_t   x, y;
    conflict_value_t  v, w;

    parse(&x, a);
    parse(&y, b);

    v.tree = &x;
    v.node = 0;
    w.tree = &y;
    w.node = 0;
    rc = conflict_compare_equal(v, w);

    conflict_tree_free(&x);
    conflict_tree_free(&y);

    return rc;
}


/* results by RFC 6902; NULL: an error */

static char *
apply(const char *text, const char *operations, int *errors)
{
    int                    rc;
    char                  *made;
    size_t                 i, left;
    uint32_t               node;
    conflict_buffer_t      out;
    conflict_tree_t        tree;
    conflict_patch_work_t  work;
    conflict_patch_t       patch;
    conflict_value_t       value;
    conflict_document_t    doc;

    left = MOST;
    doc = document(operations);
    *errors = 0;

    if (conflict_patch_read(&patch, &doc, NULL, 0, &left, SEED)
        != CONFLICT_JSON_OK)
    {
        conflict_patch_read_free(&patch);
        *errors = 1;
        return NULL;
    }

    parse(&tree, text);

    value.tree = &tree;
    value.node = 0;
    memset(&out, 0, sizeof(out));

    rc = conflict_patch_work_init(&work, value, MOST, SEED);

    for (i = 0; i < patch.n && rc == 0; i++) {

        if (patch.ops[i].op == CONFLICT_PATCH_TEST) {
            node = conflict_patch_work_find(&work, &patch.ops[i].path, NULL);
            rc = (node != CONFLICT_PATCH_NODE_NONE
                  && conflict_patch_work_equal(&work, node, patch.ops[i].value))
                 ? 0 : -1;
            continue;
        }

        rc = conflict_patch_work_apply(&work, &patch.ops[i]);
    }

    made = NULL;

    if (rc == 0 && conflict_patch_work_print(&work, &out, MOST) == 0) {
        conflict_buffer_add(&out, "", 1);
        made = strdup((char *) out.data);
    }

    conflict_buffer_free(&out);
    conflict_patch_work_free(&work);
    conflict_patch_read_free(&patch);
    conflict_tree_free(&tree);

    return made;
}


static void
test_operations(void **state)
{
    int     errors;
    char   *made;
    size_t  i;

    static const struct {
        const char  *doc, *patch;
        const char  *result;          /* byte for byte; NULL: an error */
        int          malformed;
    } cases[] = {

        /* RFC 6902, appendix A */

        { "{\"foo\":\"bar\"}",
          "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
          "{\"foo\":\"bar\",\"baz\":\"qux\"}", 0 },
        { "{\"foo\":[\"bar\",\"baz\"]}",
          "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
          "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", 0 },
        { "{\"baz\":\"qux\",\"foo\":\"bar\"}",
          "[{\"op\":\"remove\",\"path\":\"/baz\"}]", "{\"foo\":\"bar\"}", 0 },
        { "{\"foo\":[\"bar\",\"qux\",\"baz\"]}",
          "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
          "{\"foo\":[\"bar\",\"baz\"]}", 0 },
        { "{\"baz\":\"qux\",\"foo\":\"bar\"}",
          "[{\"op\":\"replace\",\"path\":\"/baz\",\"value\":\"boo\"}]",
          "{\"baz\":\"boo\",\"foo\":\"bar\"}", 0 },
        { "{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},"
          "\"qux\":{\"corge\":\"grault\"}}",
          "[{\"op\":\"move\",\"from\":\"/foo/waldo\","
          "\"path\":\"/qux/thud\"}]",
          "{\"foo\":{\"bar\":\"baz\"},"
          "\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}", 0 },
        { "{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
          "[{\"op\":\"move\",\"from\":\"/foo/1\",\"path\":\"/foo/3\"}]",
          "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}", 0 },
        { "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
          "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"qux\"},"
          "{\"op\":\"test\",\"path\":\"/foo/1\",\"value\":2}]",
          "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}", 0 },
        { "{\"baz\":\"qux\"}",
          "[{\"op\":\"test\",\"path\":\"/baz\",\"value\":\"bar\"}]", NULL,
          0 },
        { "{\"foo\":\"bar\"}",
          "[{\"op\":\"add\",\"path\":\"/child\","
          "\"value\":{\"grandchild\":{}}}]",
          "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}", 0 },
        { "{\"foo\":\"bar\"}",
          "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":1}]",
          "{\"foo\":\"bar\",\"baz\":\"qux\"}", 0 },
        { "{\"foo\":\"bar\"}",
          "[{\"op\":\"add\",\"path\":\"/baz/bat\",\"value\":\"qux\"}]", NULL,
          0 },
        { "{\"/\":9,\"~1\":10}",
          "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":10}]",
          "{\"/\":9,\"~1\":10}", 0 },
        { "{\"/\":9,\"~1\":10}",
          "[{\"op\":\"test\",\"path\":\"/~01\",\"value\":\"10\"}]", NULL, 0 },
        { "{\"foo\":[\"bar\"]}",
          "[{\"op\":\"add\",\"path\":\"/foo/-\","
          "\"value\":[\"abc\",\"def\"]}]",
          "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}", 0 },

        /* pointers */

        { "{\"\":{\"\":1}}", "[{\"op\":\"replace\",\"path\":\"//\","
          "\"value\":2}]", "{\"\":{\"\":2}}", 0 },
        { "{\"a/b\":1,\"m~n\":2}",
          "[{\"op\":\"remove\",\"path\":\"/a~1b\"},"
          "{\"op\":\"add\",\"path\":\"/x~0~1\",\"value\":3},"
          "{\"op\":\"remove\",\"path\":\"/m~0n\"}]", "{\"x~/\":3}", 0 },
        { "{\"\\u00e9\\\"\":1}",
          "[{\"op\":\"replace\",\"path\":\"\\/\xc3\xa9\\u0022\","
          "\"value\":2}]", "{\"\\u00e9\\\"\":2}", 0 },
        { "{}", "[{\"op\":\"add\",\"path\":\"/\\u00e9\\\"\",\"value\":0.10}]",
          "{\"\xc3\xa9\\\"\":0.10}", 0 },
        { "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/~2\"}]", NULL, 1 },
        { "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/a~\"}]", NULL, 1 },
        { "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"a\"}]", NULL, 1 },
        { "{\"a\":1}", "[{\"op\":\"remove\",\"path\":7}]", NULL, 1 },

        /* the document itself */

        { "{\"a\":1}", "[{\"op\":\"replace\",\"path\":\"\",\"value\":[ 1 ]}]",
          "[ 1 ]", 0 },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"\",\"value\":{}},"
          "{\"op\":\"add\",\"path\":\"/b\",\"value\":2}]", "{\"b\":2}", 0 },
        { "{\"a\":1}",
          "[{\"op\":\"test\",\"path\":\"\",\"value\":{\"a\":1.0}}]",
          "{\"a\":1}", 0 },
        { "{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\","
          "\"path\":\"\"}]", "{\"b\":1}", 0 },
        { "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"\"}]", NULL, 0 },
        { "[1,2]", "[{\"op\":\"add\",\"path\":\"/-\",\"value\":3}]",
          "[1,2,3]", 0 },
        { "1", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":3}]", NULL, 0 },

        /* indices */

        { "[1,2]", "[{\"op\":\"add\",\"path\":\"/2\",\"value\":3}]",
          "[1,2,3]", 0 },
        { "[1,2]", "[{\"op\":\"add\",\"path\":\"/3\",\"value\":3}]", NULL,
          0 },
        { "[1,2]", "[{\"op\":\"add\",\"path\":\"/01\",\"value\":3}]", NULL,
          0 },
        { "[1,2]", "[{\"op\":\"add\",\"path\":\"/-1\",\"value\":3}]", NULL,
          0 },
        { "[1,2]", "[{\"op\":\"add\",\"path\":\"/1e0\",\"value\":3}]", NULL,
          0 },
        { "[1,2]", "[{\"op\":\"remove\",\"path\":\"/-\"}]", NULL, 0 },
        { "[1,2]", "[{\"op\":\"replace\",\"path\":\"/-\",\"value\":1}]", NULL,
          0 },
        { "[1,2]", "[{\"op\":\"remove\",\"path\":\"/2\"}]", NULL, 0 },
        { "[1,2]", "[{\"op\":\"add\",\"path\":\"/9999999999\",\"value\":1}]",
          NULL, 0 },
        { "{\"1\":1}", "[{\"op\":\"add\",\"path\":\"/01\",\"value\":2},"
          "{\"op\":\"add\",\"path\":\"/-\",\"value\":3}]",
          "{\"1\":1,\"01\":2,\"-\":3}", 0 },
        { "[1,2,3,4]", "[{\"op\":\"remove\",\"path\":\"/0\"},"
          "{\"op\":\"remove\",\"path\":\"/0\"},"
          "{\"op\":\"replace\",\"path\":\"/1\",\"value\":9}]", "[3,9]", 0 },

        /* move and copy */

        { "{\"a\":{\"b\":1}}", "[{\"op\":\"copy\",\"from\":\"/a\","
          "\"path\":\"/c\"},{\"op\":\"replace\",\"path\":\"/c/b\","
          "\"value\":2}]", "{\"a\":{\"b\":1},\"c\":{\"b\":2}}", 0 },
        { "{\"a\":[1]}", "[{\"op\":\"add\",\"path\":\"/a/-\",\"value\":2},"
          "{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/a/0\"},"
          "{\"op\":\"add\",\"path\":\"/a/0/-\",\"value\":3}]",
          "{\"a\":[[1,2,3],1,2]}", 0 },
        { "{\"a\":{\"b\":1}}", "[{\"op\":\"move\",\"from\":\"/a\","
          "\"path\":\"/a/b\"}]", NULL, 0 },
        { "{\"a\":1,\"b\":2}", "[{\"op\":\"move\",\"from\":\"/a\","
          "\"path\":\"/a\"}]", "{\"a\":1,\"b\":2}", 0 },
        { "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/b\"}]",
          NULL, 0 },
        { "{\"a\":1}", "[{\"op\":\"move\",\"from\":\"/b\",\"path\":\"/c\"}]",
          NULL, 0 },
        { "{\"a\":1,\"b\":2}", "[{\"op\":\"move\",\"from\":\"/a\","
          "\"path\":\"/b\"}]", "{\"b\":1}", 0 },
        { "{\"a\":1}", "[{\"op\":\"copy\",\"path\":\"/b\"}]", NULL, 1 },

        /* replace keeps the place; numbers, spaces and names are preserved */

        { "{\"a\":0.10, \"n\\u0061\" : [ 1e400 ] ,\"z\":1}",
          "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":1.00}]",
          "{\"a\":1.00,\"n\\u0061\":[ 1e400 ],\"z\":1}", 0 },
        { "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/a\",\"value\":null}]",
          "{\"a\":null}", 0 },
        { "{\"a\":null}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":null}]",
          "{\"a\":null}", 0 },
        { "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/b\",\"value\":null}]",
          NULL, 0 },
        { "{\"a\":1}", "[]", "{\"a\":1}", 0 },

        /* not a patch */

        { "{}", "{\"op\":\"add\",\"path\":\"/a\",\"value\":1}", NULL, 1 },
        { "{}", "[1]", NULL, 1 },
        { "{}", "[{\"path\":\"/a\",\"value\":1}]", NULL, 1 },
        { "{}", "[{\"op\":\"add\",\"value\":1}]", NULL, 1 },
        { "{}", "[{\"op\":\"add\",\"path\":\"/a\"}]", NULL, 1 },
        { "{}", "[{\"op\":\"spam\",\"path\":\"/a\"}]", NULL, 1 },
        { "{}", "[{\"op\":\"ad\",\"path\":\"/a\",\"value\":1}]", NULL, 1 },
        { "{}", "[{\"op\":\"add\",\"op\":\"add\",\"path\":\"/a\","
          "\"value\":1}]", NULL, 1 },
        { "{}", "[{\"\\u006fp\":\"\\u0061dd\",\"path\":\"/a\",\"value\":1}]",
          "{\"a\":1}", 0 }
    };

    (void) state;

    for (i = 0; i < count(cases); i++) {
        made = apply(cases[i].doc, cases[i].patch, &errors);

        if ((made == NULL) != (cases[i].result == NULL)
            || errors != cases[i].malformed
            || (made && strcmp(made, cases[i].result) != 0))
        {
            fail_msg("%s\nwith %s\nis %s, not %s", cases[i].doc,
                     cases[i].patch, made ? made : "an error",
                     cases[i].result ? cases[i].result : "an error");
        }

        free(made);
    }
}


static size_t
rule(const char *text, conflict_field_t *field)
{
    size_t       len;
    const char  *space;

    if (text == NULL) {
        return 0;
    }

    memset(field, 0, sizeof(conflict_field_t));

    space = strchr(text, ' ');
    len = (size_t) (space - text);

    assert_int_equal(conflict_scan_pointer(&field->pointer, text, len), 0);

    for (len = 0; len < CONFLICT_RULES; len++) {

        if (strcmp(conflict_merge_report_rule((conflict_rule_e) len),
                   space + 1) == 0)
        {
            field->rule = (conflict_rule_e) len;
        }
    }

    return 1;
}


static conflict_merge_rc_e
merge(const char *base, const char *server, const char *client,
    const char *rules, const char *version, unsigned stale,
    conflict_merged_t *out)
{
    conflict_field_t    field;
    conflict_merge_t    in;
    conflict_pointer_t  ignored;

    memset(&in, 0, sizeof(in));

    assert_int_equal(conflict_scan_pointer(&ignored, "/base_version", 13), 0);

    in.base = document(base);
    in.server = document(server);
    in.client = document(client);
    in.version = document(version);
    in.fields = &field;
    in.n = rule(rules, &field);
    in.ignored = &ignored;
    in.stale = stale;
    in.values = MOST;
    in.reveal = 1;
    in.seed = SEED;

    return conflict_patch_merge(&in, out);
}


static char *
text_of(const conflict_buffer_t *out)
{
    return strndup(out->data ? (char *) out->data : "", out->len);
}


#define OP(op, path)         "{\"op\":\"" op "\",\"path\":\"" path "\"}"
#define PUT(op, path, value)                                                  \
    "{\"op\":\"" op "\",\"path\":\"" path "\",\"value\":" value "}"
#define FROM(op, from, path)                                                  \
    "{\"op\":\"" op "\",\"from\":\"" from "\",\"path\":\"" path "\"}"


static void
test_merge(void **state)
{
    char                 *text, *names, *clashes;
    size_t                i;
    conflict_merged_t     out;
    conflict_merge_rc_e   rc;

    static const struct {
        const char           *base, *server, *client, *rule;
        conflict_merge_rc_e   rc;
        const char           *text;       /* or what clashed */
        const char           *names;
    } cases[] = {

        /* independent changes: the client's, for the server's document */

        { "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}",
          "[" PUT("replace", "/b", "2.0") "]", NULL, CONFLICT_MERGE_DONE,
          "[" PUT("replace", "/b", "2.0") "]", "" },
        { "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}",
          "[" OP("remove", "/b") "," PUT("add", "/c~1", "[ 1 ]") "]", NULL,
          CONFLICT_MERGE_DONE,
          "[" OP("remove", "/b") "," PUT("add", "/c~1", "[ 1 ]") "]", "" },
        { "{\"a\":1,\"o\":{\"x\":1,\"y\":1}}",
          "{\"a\":2,\"o\":{\"x\":1,\"y\":2}}",
          "[" PUT("replace", "/o/x", "5") "," FROM("move", "/o/x", "/o/z") "]",
          NULL, CONFLICT_MERGE_DONE,
          "[" OP("remove", "/o/x") "," PUT("add", "/o/z", "5") "]", "" },

        /* the same change on both sides: an empty patch */

        { "{\"a\":1}", "{\"a\":2}", "[" PUT("replace", "/a", "2") "]", NULL,
          CONFLICT_MERGE_DONE, "[]", "" },

        /* a clash, as for a document */

        { "{\"a\":1}", "{\"a\":2}", "[" PUT("replace", "/a", "3") "]", NULL,
          CONFLICT_MERGE_CLASH, ",{\"field\":\"/a\",\"rule\":\"auto\","
          "\"base\":1,\"server\":2,\"client\":3}", "a" },
        { "{\"a\":1}", "{\"a\":2}", "[" PUT("replace", "/a", "3") "]",
          "/a lww", CONFLICT_MERGE_DONE, "[" PUT("replace", "/a", "3") "]",
          "a" },
        { "{\"a\":1}", "{\"a\":2}", "[" PUT("replace", "/a", "3") "]",
          "/a sum", CONFLICT_MERGE_DONE, "[" PUT("replace", "/a", "4") "]",
          "a" },
        { "{\"a\":1}", "{\"a\":2}", "[" PUT("replace", "/a", "3") "]",
          "/a server", CONFLICT_MERGE_DONE, "[]", "a" },
        { "{\"t\":[1]}", "{\"t\":[1,2]}", "[" PUT("add", "/t/-", "3") "]",
          "/t union", CONFLICT_MERGE_DONE,
          "[" PUT("add", "/t/2", "3") "]", "t" },

        /* indices are those of the array that the client was shown */

        { "{\"t\":[1,2]}", "{\"t\":[0,1,2]}", "[" PUT("add", "/t/-", "3") "]",
          NULL, CONFLICT_MERGE_CLASH, ",{\"field\":\"/t\",\"rule\":\"auto\","
          "\"base\":[1,2],\"server\":[0,1,2],\"client\":[1,2,3]}", "t" },
        { "{\"t\":[1,2]}", "{\"t\":[0,1,2]}", "[" PUT("add", "/t/-", "3") "]",
          "/t list", CONFLICT_MERGE_DONE, "[" PUT("add", "/t/3", "3") "]",
          "t" },
        { "{\"t\":[1,2,3]}", "{\"t\":[0,1,2,3]}", "[" OP("remove", "/t/1") "]",
          "/t list", CONFLICT_MERGE_DONE, "[" OP("remove", "/t/2") "]", "t" },
        { "{\"t\":[1,2,3,4]}", "{\"t\":[0,1,2,3,4]}",
          "[" OP("remove", "/t/1") "," OP("remove", "/t/1") "]",
          "/t list", CONFLICT_MERGE_DONE,
          "[" OP("remove", "/t/3") "," OP("remove", "/t/2") "]", "t" },
        { "{\"t\":[1,{\"q\":1,\"p\":1}]}", "{\"t\":[0,1,{\"q\":1,\"p\":1}]}",
          "[" PUT("replace", "/t/1/q", "7") "]", "/t list",
          CONFLICT_MERGE_DONE, "[" PUT("replace", "/t/2/q", "7") "]", "t" },
        { "{\"t\":[1,2,3]}", "{\"t\":[0,1,2,3]}",
          "[" PUT("replace", "/t", "[2,2,3,5]") "]", "/t list",
          CONFLICT_MERGE_CLASH, ",{\"field\":\"/t\",\"rule\":\"list\","
          "\"base\":[1,2,3],\"server\":[0,1,2,3],\"client\":[2,2,3,5]}",
          "t" },
        { "{\"t\":[1,2,3],\"a\":1}", "{\"t\":[1,2,3],\"a\":2}",
          "[" PUT("replace", "/t", "[4,1,6,5]") "]", NULL,
          CONFLICT_MERGE_DONE, "[" PUT("replace", "/t", "[4,1,6,5]") "]",
          "" },

        /* tests of the server's values */

        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}",
          "[" PUT("test", "/a", "1.0") "," PUT("add", "/c", "1") "]", NULL,
          CONFLICT_MERGE_DONE,
          "[" PUT("test", "/a", "1.0") "," PUT("add", "/c", "1") "]", "" },
        { "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}",
          "[" PUT("test", "/a", "1") "," PUT("add", "/c", "1") "]", NULL,
          CONFLICT_MERGE_CLASH, ",{\"field\":\"/a\",\"rule\":\"test\","
          "\"base\":1,\"server\":2,\"client\":1}", "a" },
        { "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}",
          "[" PUT("test", "/a", "2") "," PUT("add", "/c", "1") "]", NULL,
          CONFLICT_MERGE_DONE,
          "[" PUT("test", "/a", "2") "," PUT("add", "/c", "1") "]", "" },
        { "{\"b\":1}", "{\"a\":2,\"b\":1}",
          "[" PUT("test", "/a", "2") "," PUT("add", "/c", "1") "]", NULL,
          CONFLICT_MERGE_DONE,
          "[" PUT("test", "/a", "2") "," PUT("add", "/c", "1") "]", "" },
        { "{\"b\":1}", "{\"b\":1}",
          "[" PUT("test", "/a", "2") "," PUT("add", "/c", "1") "]", NULL,
          CONFLICT_MERGE_CLASH,
          ",{\"field\":\"/a\",\"rule\":\"test\",\"client\":2}", "a" },
        { "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":2}",
          "[" PUT("test", "/a", "1") "," PUT("replace", "/b", "3") "]", NULL,
          CONFLICT_MERGE_CLASH, ",{\"field\":\"/b\",\"rule\":\"auto\","
          "\"base\":1,\"server\":2,\"client\":3}"
          ",{\"field\":\"/a\",\"rule\":\"test\","
          "\"base\":1,\"server\":2,\"client\":1}", "b a" },
        { "{\"a\":1}", "{\"a\":2}",
          "[" PUT("test", "/a", "1") "," PUT("replace", "/a", "3") "]", NULL,
          CONFLICT_MERGE_CLASH, ",{\"field\":\"/a\",\"rule\":\"auto\","
          "\"base\":1,\"server\":2,\"client\":3}", "a" },
        { "{\"a\":1}", "{\"a\":2}",
          "[" PUT("test", "/a", "1") "," PUT("replace", "/a", "3") "]",
          "/a lww", CONFLICT_MERGE_CLASH,
          ",{\"field\":\"/a\",\"rule\":\"test\",\"base\":1,\"server\":2,"
          "\"client\":1}", "a" },

        /* tests of values that the patch has written or moved */

        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}",
          "[" PUT("replace", "/a", "5") "," PUT("test", "/a", "5") "]", NULL,
          CONFLICT_MERGE_DONE, "[" PUT("replace", "/a", "5") "]", "" },
        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}",
          "[" PUT("replace", "/a", "5") "," PUT("test", "/a", "1") "]", NULL,
          CONFLICT_MERGE_INAPPLICABLE, NULL, NULL },
        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}",
          "[" OP("remove", "/a") "," PUT("test", "/a", "1") "]", NULL,
          CONFLICT_MERGE_INAPPLICABLE, NULL, NULL },
        { "{\"t\":[1,2],\"b\":1}", "{\"t\":[1,2],\"b\":2}",
          "[" OP("remove", "/t/0") "," PUT("test", "/t/0", "2") "]", NULL,
          CONFLICT_MERGE_DONE, "[" OP("remove", "/t/0") "]", "" },
        { "{\"o\":{\"x\":1,\"y\":1}}", "{\"o\":{\"x\":1,\"y\":2}}",
          "[" PUT("replace", "/o/x", "2")
          "," PUT("test", "/o", "{\"x\":2,\"y\":1}") "]", NULL,
          CONFLICT_MERGE_CLASH, ",{\"field\":\"/o\",\"rule\":\"test\","
          "\"base\":{\"x\":1,\"y\":1},\"server\":{\"x\":1,\"y\":2},"
          "\"client\":{\"x\":2,\"y\":1}}", "o" },
        { "{\"o\":{\"x\":1},\"b\":1}", "{\"o\":{\"x\":1},\"b\":2}",
          "[" PUT("replace", "/o/x", "2")
          "," PUT("test", "/o", "{\"x\":2}") "]", NULL,
          CONFLICT_MERGE_DONE, "[" PUT("replace", "/o/x", "2") "]", "" },

        /* the base version is not data */

        { "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1,\"base_version\":9}",
          "[" PUT("test", "/base_version", "7") ","
          PUT("replace", "/b", "2") "]", NULL, CONFLICT_MERGE_DONE,
          "[" PUT("test", "/base_version", "9") ","
          PUT("replace", "/b", "2") "]", "" },

        /* untouched fields are not reported, whatever the rule */

        { "{\"a\":1,\"b\":1,\"s\":1}", "{\"a\":2,\"b\":1,\"s\":5}",
          "[" PUT("replace", "/b", "2") "]", "/a reject,/s sum",
          CONFLICT_MERGE_DONE, "[" PUT("replace", "/b", "2") "]", "" },
        { "{\"a\":1,\"b\":1}", "{\"b\":1,\"c\":{\"a\":[]}}",
          "[" PUT("replace", "/b", "2") "]", "/a reject,/c/a reject",
          CONFLICT_MERGE_DONE, "[" PUT("replace", "/b", "2") "]", "" },
        { "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}",
          "[" PUT("replace", "/a", "3") "]", "/a reject",
          CONFLICT_MERGE_CLASH, ",{\"field\":\"/a\",\"rule\":\"reject\","
          "\"base\":1,\"server\":2,\"client\":3}", "a" },

        /* inapplicable patches */

        { "{\"a\":1}", "{\"a\":1,\"b\":2}", "[" OP("remove", "/b") "]", NULL,
          CONFLICT_MERGE_INAPPLICABLE, NULL, NULL },
        { "{\"a\":1}", "{\"a\":2}", "[1]", NULL, CONFLICT_MERGE_INAPPLICABLE,
          NULL, NULL },
        { NULL, "{\"a\":2}", "[" PUT("add", "/b", "1") "]", NULL,
          CONFLICT_MERGE_INAPPLICABLE, NULL, NULL },
        { "{\"a\":1}", NULL, "[" PUT("add", "/b", "1") "]", NULL,
          CONFLICT_MERGE_INAPPLICABLE, NULL, NULL },
        { "{\"a\":1}", "{\"a\":1,\"a\":1}", "[" PUT("add", "/b", "1") "]",
          NULL, CONFLICT_MERGE_UNFIT, NULL, NULL },
        { "{\"a\":1}", "{\"a\":2}", "[{\"op\":\"remove\",\"op\":\"add\"}]",
          NULL, CONFLICT_MERGE_REPEATED, NULL, NULL }
    };

    (void) state;

    for (i = 0; i < count(cases); i++) {
        rc = merge(cases[i].base, cases[i].server, cases[i].client,
                   cases[i].rule, "9", 1, &out);

        text = text_of(&out.text);
        clashes = clashes_text(&out);
        names = text_of(&out.names);

        if (rc != cases[i].rc
            || (cases[i].text
                && strcmp(rc == CONFLICT_MERGE_CLASH ? clashes : text,
                          cases[i].text)
                   != 0)
            || (cases[i].names && strcmp(names, cases[i].names) != 0)
            || out.base_known != (cases[i].base && cases[i].server
                                  && rc != CONFLICT_MERGE_UNFIT
                                  && rc != CONFLICT_MERGE_REPEATED
                                  && strcmp(cases[i].client, "[1]") != 0))
        {
            fail_msg("base %s\nserver %s\nclient %s\nexpected %d %s (%s)\n"
                     "got %d %s %s (%s) held:%d",
                     cases[i].base, cases[i].server, cases[i].client,
                     cases[i].rc, cases[i].text ? cases[i].text : "",
                     cases[i].names ? cases[i].names : "", rc, text, clashes,
                     names, out.base_known);
        }

        free(text);
        free(clashes);
        free(names);
        conflict_merge_free(&out);
    }
}


/* not stale: only the rule "server" is applied */

static void
test_fresh(void **state)
{
    char                 *text;
    size_t                i;
    conflict_merged_t     out;
    conflict_merge_rc_e   rc;

    static const struct {
        const char           *server, *client;
        conflict_merge_rc_e   rc;
        const char           *text;
    } cases[] = {
        { "{\"a\":1,\"u\":1}", "[" PUT("replace", "/a", "2") "]",
          CONFLICT_MERGE_SAME, "" },
        { "{\"a\":1,\"u\":1}", "[" PUT("replace", "/a", "2") ","
          PUT("replace", "/u", "2") "]", CONFLICT_MERGE_DONE,
          "[" PUT("replace", "/a", "2") "]" },
        { "{\"a\":1,\"u\":1}", "[" PUT("test", "/a", "1") ","
          OP("remove", "/u") "," PUT("add", "/b", "2") "]",
          CONFLICT_MERGE_DONE,
          "[" PUT("test", "/a", "1") "," PUT("add", "/b", "2") "]" },
        { "{\"a\":1,\"u\":1}", "[" FROM("move", "/u", "/a") "]",
          CONFLICT_MERGE_DONE, "[]" },

        /* left to the API to refuse, unless it touches fields of the server */

        { "{\"a\":1,\"u\":1}", "[" OP("remove", "/b") "]",
          CONFLICT_MERGE_SAME, "" },
        { "{\"a\":1,\"u\":1}", "[" PUT("test", "/a", "2") "]",
          CONFLICT_MERGE_SAME, "" },
        { "{\"a\":1,\"u\":1}", "[" OP("remove", "/b") "," OP("remove", "/u")
          "]", CONFLICT_MERGE_INAPPLICABLE, "" },
        { "{\"a\":1,\"u\":1}", "[" PUT("test", "/a", "2") ","
          PUT("add", "", "{}") "]", CONFLICT_MERGE_INAPPLICABLE, "" },
        { "{\"a\":1,\"u\":1}", "{}", CONFLICT_MERGE_INAPPLICABLE, "" },
        { NULL, "[" PUT("add", "/a", "1") "]", CONFLICT_MERGE_SAME, "" },
        { NULL, "[" PUT("add", "", "{\"u\":1}") "]",
          CONFLICT_MERGE_INAPPLICABLE, "" }
    };

    (void) state;

    for (i = 0; i < count(cases); i++) {
        rc = merge(NULL, cases[i].server, cases[i].client, "/u server", NULL,
                   0, &out);
        text = text_of(&out.text);

        if (rc != cases[i].rc || strcmp(text, cases[i].text) != 0) {
            fail_msg("server %s\nclient %s\nexpected %d %s\ngot %d %s",
                     cases[i].server, cases[i].client, cases[i].rc,
                     cases[i].text, rc, text);
        }

        free(text);
        conflict_merge_free(&out);
    }
}


static void
test_base(void **state)
{
    char                 text[256];
    size_t               i;
    uint64_t             start, end;
    conflict_scan_t      json;
    conflict_document_t  doc;
    unsigned             set;
    conflict_pointer_t   base;

    static const struct {
        const char             *patch;
        conflict_json_rc_e      rc;
        conflict_json_type_e    type;
        const char             *base, *rest;
    } cases[] = {
        { "[]", CONFLICT_JSON_OK, CONFLICT_JSON_NONE, "", NULL },
        { "[" PUT("test", "/m/v", "7") "]", CONFLICT_JSON_OK,
          CONFLICT_JSON_NUMBER, "7", "[]" },
        { "[ " PUT("test", "/m/v", "\"\\u0037\"") " , " OP("remove", "/a")
          " ]", CONFLICT_JSON_OK, CONFLICT_JSON_STRING, "7",
          "[  " OP("remove", "/a") " ]" },
        { "[" OP("remove", "/a") " , " PUT("test", "/m/v", "7") " ]",
          CONFLICT_JSON_OK, CONFLICT_JSON_NUMBER, "7",
          "[" OP("remove", "/a") "  ]" },
        { "[" PUT("test", "/m", "7") "," PUT("replace", "/m/v", "7") "]",
          CONFLICT_JSON_OK, CONFLICT_JSON_NONE, "", NULL },
        { "[" PUT("test", "/m/v", "7") "," PUT("test", "/m/v", "8") "]",
          CONFLICT_JSON_REPEATED, CONFLICT_JSON_NUMBER, "8", NULL },
        { "[{\"op\":\"test\",\"op\":\"test\",\"path\":\"/m/v\","
          "\"value\":7}]", CONFLICT_JSON_REPEATED, CONFLICT_JSON_NONE, "",
          NULL },
        { "[" PUT("test", "/m/v", "[7]") "]", CONFLICT_JSON_OK,
          CONFLICT_JSON_ARRAY, "[7]", NULL },
        { "[7]", CONFLICT_JSON_OK, CONFLICT_JSON_NONE, "", NULL },
        { "{}", CONFLICT_JSON_MALFORMED, CONFLICT_JSON_NONE, "", NULL },
        { "[{\"op\":\"test\",\"path\":\"/m/v\"}]", CONFLICT_JSON_OK,
          CONFLICT_JSON_NULL, "", "[]" },

        /* beside what is not in RFC 6902 */

        { "[" PUT("inc", "/a", "1") "," PUT("test", "/m/v", "7") "]",
          CONFLICT_JSON_OK, CONFLICT_JSON_NUMBER, "7",
          "[" PUT("inc", "/a", "1") "]" },
        { "[7," PUT("test", "/~2", "1") "," PUT("test", "/m/v", "7") ","
          PUT("add", "a", "1") "]",
          CONFLICT_JSON_OK, CONFLICT_JSON_NUMBER, "7",
          "[7," PUT("test", "/~2", "1") "," PUT("add", "a", "1") "]" },
        { "[" PUT("test", "/m/v", "7") "," PUT("add", "/a",
          "{\"b\":1,\"b\":2}") "]",
          CONFLICT_JSON_REPEATED, CONFLICT_JSON_NONE, "", NULL }
    };

    (void) state;

    assert_int_equal(conflict_scan_pointer(&base, "/m/v", 4), 0);

    for (i = 0; i < count(cases); i++) {
        conflict_scan_init(&json, &base);
        doc = document(cases[i].patch);

        assert_int_equal(conflict_patch_base(&json, &doc, &base, &set,
                                             MOST, SEED),
                         cases[i].rc);
        assert_int_equal(json.type, cases[i].type);
        assert_int_equal(json.len, strlen(cases[i].base));
        assert_memory_equal(json.text, cases[i].base, json.len);

        if (cases[i].rest) {
            conflict_scan_cut(&json, &start, &end);
            snprintf(text, sizeof(text), "%.*s%s", (int) start,
                     cases[i].patch, cases[i].patch + end);
            assert_string_equal(text, cases[i].rest);
        }
    }
}


static void
test_set(void **state)
{
    size_t               i;
    unsigned             set;
    conflict_scan_t      json;
    conflict_document_t  doc;
    conflict_pointer_t   base;

    static const struct {
        const char             *patch;
        unsigned                set;
    } cases[] = {
        { "[" PUT("replace", "/m/v", "7") "]", 1 },
        { "[" PUT("add", "/a", "7") "," PUT("add", "/m", "{\"v\":7}") "]", 1 },
        { "[" PUT("add", "", "{\"m\":{\"v\":7}}") "]", 1 },
        { "[" PUT("test", "/m/v", "7") "," PUT("add", "/m/v", "8") "]", 1 },
        { "[" FROM("copy", "/a", "/m/v") "]", 1 },
        { "[" FROM("move", "/m/w", "/m/v") "]", 1 },
        { "[" FROM("copy", "/a", "/m") "]", 1 },
        { "[" FROM("move", "/m", "") "]", 1 },
        { "[" FROM("move", "/m/v", "/a") "," FROM("copy", "/a", "/b") ","
          FROM("copy", "/a", "/m/v/w") "]", 0 },
        { "[" PUT("test", "/m/v", "7") "," PUT("add", "/m", "{\"w\":7}") "]",
          0 },
        { "[" PUT("add", "", "7") "," PUT("add", "/m/v/w", "7") ","
          OP("remove", "/m/v") "]", 0 },
        { "[" PUT("add", "/~2", "{\"m\":{\"v\":7}}") "]", 0 },
        { "[" OP("add", "/m/v") "]", 0 }
    };

    (void) state;

    assert_int_equal(conflict_scan_pointer(&base, "/m/v", 4), 0);

    for (i = 0; i < count(cases); i++) {
        conflict_scan_init(&json, &base);
        doc = document(cases[i].patch);

        assert_int_equal(conflict_patch_base(&json, &doc, &base, &set, MOST,
                                             SEED),
                         CONFLICT_JSON_OK);
        assert_int_equal(set, cases[i].set);
    }
}


static void
test_retries(void **state)
{
    size_t               i;
    conflict_document_t  latest, patch;
    conflict_pointer_t   base;

    static const struct {
        const char  *latest, *patch;
        int          done, named, repeatable;
    } cases[] = {
        { "{\"a\":1}", "[" PUT("replace", "/a", "1.0") "]", 1, 1, 1 },
        { "{\"a\":1}", "[" PUT("replace", "/a", "2") "]", 0, 1, 1 },
        { "{\"a\":1}", "[" PUT("add", "/b", "2") "]", 0, 0, 1 },
        { "{\"a\":1,\"b\":2}", "[" PUT("test", "/a", "7") ","
          PUT("add", "/b", "2") "," OP("remove", "/c") "]", 1, 1, 1 },
        { "{\"a\":1}", "[" OP("remove", "/a") "]", 0, 0, 1 },
        { "{\"a\":1}", "[" PUT("add", "/t", "1") "," OP("remove", "/t") "]",
          1, 0, 1 },
        { "{\"a\":1}", "[" PUT("test", "/a", "1") "]", 0, 0, 1 },
        { "{\"a\":1}", "[]", 0, 0, 1 },

        /* an array: another client may have added it */

        { "{\"t\":[1,2]}", "[" PUT("add", "/t/-", "2") "]", 0, 1, 0 },
        { "{\"t\":[1,2]}", "[" PUT("replace", "/t/1", "2") "]", 0, 1, 0 },
        { "{\"t\":[1,2]}", "[" OP("remove", "/t/2") "]", 0, 0, 0 },
        { "{\"t\":[1,2]}", "[" PUT("replace", "/t", "[1,2]") "]", 1, 1, 1 },
        { "{\"a\":1,\"b\":1}", "[" FROM("copy", "/a", "/b") "]", 0, 1, 0 },
        { "{\"b\":1}", "[" FROM("move", "/a", "/b") "]", 0, 1, 0 },
        { "{\"b\":1}", "{}", 0, 0, 0 }
    };

    (void) state;

    assert_int_equal(conflict_scan_pointer(&base, "/base_version", 13), 0);

    for (i = 0; i < count(cases); i++) {
        latest = document(cases[i].latest);
        patch = document(cases[i].patch);

        if (conflict_patch_reflects(&latest, &patch, &base,
                                    CONFLICT_REFLECTS_VALUES, MOST, SEED)
            != cases[i].done
            || conflict_patch_reflects(&latest, &patch, &base,
                                       CONFLICT_REFLECTS_NAMES, MOST, SEED)
               != cases[i].named
            || conflict_patch_repeatable(&patch, MOST, SEED)
               != cases[i].repeatable)
        {
            fail_msg("%s of %s", cases[i].patch, cases[i].latest);
        }
    }
}


/* growth is bounded */

static void
test_bounds(void **state)
{
    char                *patch, *p;
    int                  i;
    conflict_merged_t    out;

    (void) state;

    patch = malloc(200000);

    /* an array copied into itself, doubled each time */

    p = patch + sprintf(patch, "[" PUT("add", "/t/-", "1"));

    for (i = 0; i < 40; i++) {
        p += sprintf(p, "," FROM("copy", "/t", "/t/-"));
    }

    sprintf(p, "]");
    assert_int_equal(merge("{\"t\":[]}", "{\"t\":[],\"a\":1}", patch, NULL,
                           NULL, 1, &out), CONFLICT_MERGE_MANY);
    conflict_merge_free(&out);

    /* the same text many times */

    p = patch + sprintf(patch, "[" PUT("add", "/big", "\"%01000d\""), 7);

    for (i = 0; i < 500; i++) {
        p += sprintf(p, "," FROM("copy", "/big", "/t/-"));
    }

    sprintf(p, "]");
    assert_int_equal(merge("{\"t\":[]}", "{\"t\":[],\"a\":1}", patch, NULL,
                           NULL, 1, &out), CONFLICT_MERGE_MANY);
    conflict_merge_free(&out);

    /* deeper and deeper */

    p = patch + sprintf(patch, "[" PUT("add", "/x", "1"));

    for (i = 0; i < 300; i++) {
        p += sprintf(p, "," PUT("add", "/y", "{}") ","
                     FROM("move", "/x", "/y/x") "," FROM("move", "/y", "/x"));
    }

    p += sprintf(p, "," FROM("copy", "/x", "/z"));
    sprintf(p, "]");
    assert_int_equal(merge("{}", "{\"a\":1}", patch, NULL, NULL, 1, &out),
                     CONFLICT_MERGE_INAPPLICABLE);
    conflict_merge_free(&out);

    free(patch);
}


/* random documents and patches: small, so that paths coincide */

static void
random_value(char **p, int depth)
{
    int  i, n;

    switch (rand() % (depth ? 5 : 3)) {

    case 0:
    case 1:
        *p += sprintf(*p, "%d", rand() % 3);
        return;

    case 2:
        *p += sprintf(*p, rand() % 2 ? "\"x\"" : "0.10");
        return;

    case 3:
        *p += sprintf(*p, "[");

        for (n = rand() % 4, i = 0; i < n; i++) {
            *p += sprintf(*p, "%s", i ? "," : "");
            random_value(p, depth - 1);
        }

        *p += sprintf(*p, "]");
        return;

    default:
        *p += sprintf(*p, "{");

        for (n = 0, i = 0; i < 3; i++) {

            if (rand() % 3) {
                *p += sprintf(*p, "%s\"%c\":", n++ ? "," : "", 'a' + i);
                random_value(p, depth - 1);
            }
        }

        *p += sprintf(*p, "}");
    }
}


static void
random_path(char **p)
{
    int  n;

    for (n = 1 + (rand() % 3 == 0); n > 0; n--) {
        *p += sprintf(*p, "/%c", "aabbc012-"[rand() % 9]);
    }
}


static void
random_patch(char *p)
{
    int  i, n, op;

    static const char  *ops[] = {
        "add", "remove", "replace", "move", "copy"
    };

    p += sprintf(p, "[");

    for (n = 1 + rand() % 2, i = 0; i < n; i++) {
        op = rand() % 5;

        p += sprintf(p, "%s{\"op\":\"%s\",\"path\":\"", i ? "," : "",
                     ops[op]);
        random_path(&p);
        p += sprintf(p, "\"");

        if (op == 0 || op == 2) {
            p += sprintf(p, ",\"value\":");
            random_value(&p, 1);

        } else if (op > 2) {
            p += sprintf(p, ",\"from\":\"");
            random_path(&p);
            p += sprintf(p, "\"");
        }

        p += sprintf(p, "}");
    }

    sprintf(p, "]");
}


static void
random_document(char *p)
{
    char  *q;

    do {
        q = p;
        random_value(&q, 3);
    } while (p[0] != '{');
}


/* the model: conflict_merge() of the document with the patch applied */

static char *
model(const char *base, const char *server, const char *client)
{
    char                 *text;
    conflict_merge_t      in;
    conflict_merged_t     out;
    conflict_merge_rc_e   rc;

    memset(&in, 0, sizeof(in));

    in.base = document(base);
    in.server = document(server);
    in.client = document(client);
    in.stale = 1;
    in.values = MOST;
    in.seed = SEED;

    rc = conflict_merge(&in, &out);

    text = (rc == CONFLICT_MERGE_SAME) ? strdup(client)
           : (rc == CONFLICT_MERGE_DONE) ? text_of(&out.text) : NULL;

    conflict_merge_free(&out);

    return text;
}


static void
test_random(void **state)
{
    int                   i, errors, done;
    char                  base[4096], server[4096], patch[4096];
    char                 *client, *sent, *merged, *expected;
    conflict_merged_t     out;
    conflict_merge_rc_e   rc;

    (void) state;

    srand(5);
    done = 0;

    for (i = 0; i < 40000; i++) {
        random_document(base);
        random_document(server);
        random_patch(patch);

        if (rand() % 2) {
            strcpy(server, base);
        }

        client = apply(base, patch, &errors);
        rc = merge(base, server, patch, NULL, NULL, 1, &out);
        sent = text_of(&out.text);
        merged = NULL;
        expected = NULL;

        if (client) {
            expected = model(base, server, client);

            if (rc == CONFLICT_MERGE_DONE) {
                merged = apply(server, sent, &errors);
                done++;
            }

            if ((rc == CONFLICT_MERGE_DONE) != (expected != NULL)
                || (rc == CONFLICT_MERGE_DONE
                    && (merged == NULL || !same(merged, expected))))
            {
                fail_msg("base %s\nserver %s\npatch %s\nsent %s\ngot %d %s\n"
                         "expected %s", base, server, patch, sent, rc,
                         merged ? merged : "", expected ? expected : "");
            }

        } else {
            assert_int_equal(rc, CONFLICT_MERGE_INAPPLICABLE);
        }

        free(client);
        free(sent);
        free(merged);
        free(expected);
        conflict_merge_free(&out);
    }

    assert_true(done > 2000);
}


/* the patch that turns one document into another */

static void
test_made(void **state)
{
    int                  i, errors;
    char                 from[4096], to[4096];
    char                *made, *text;
    conflict_buffer_t    out;
    conflict_pointer_t   base;
    conflict_document_t  a, b, version;

    (void) state;

    srand(6);

    assert_int_equal(conflict_scan_pointer(&base, "/v~1", 4), 0);

    for (i = 0; i < 20000; i++) {
        random_document(from);
        random_document(to);

        a = document(from);
        b = document(to);
        version = document(NULL);
        memset(&out, 0, sizeof(out));

        assert_int_equal(conflict_patch_make(&a, &b, &base, &version, &out,
                                             MOST, SEED), 0);
        text = text_of(&out);
        made = apply(from, text, &errors);

        if (made == NULL || !same(made, to)) {
            fail_msg("from %s\nto %s\npatch %s\nmade %s", from, to, text,
                     made ? made : "");
        }

        free(made);
        free(text);
        conflict_buffer_free(&out);
    }

    /* with a test of the base version, which is in neither of them */

    a = document("{\"n\":1,\"v/\":3}");
    b = document("{\"n\":2}");
    version = document("7");

    assert_int_equal(conflict_patch_make(&a, &b, &base, &version, &out, MOST,
                                         SEED), 0);
    text = text_of(&out);
    assert_string_equal(text, "[{\"op\":\"test\",\"path\":\"/v~1\","
                              "\"value\":7},{\"op\":\"replace\","
                              "\"path\":\"/n\",\"value\":2}]");
    free(text);
    conflict_buffer_free(&out);

    memset(&out, 0, sizeof(out));
    assert_int_equal(conflict_patch_make(&a, &a, &base, &version, &out, MOST,
                                         SEED), 0);
    text = text_of(&out);
    assert_string_equal(text, "[{\"op\":\"test\",\"path\":\"/v~1\","
                              "\"value\":7}]");
    free(text);
    conflict_buffer_free(&out);

    memset(&out, 0, sizeof(out));
    assert_int_equal(conflict_patch_make(&a, &b, &base, &version, &out, 3,
                                         SEED), -1);
    conflict_buffer_free(&out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_made)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
