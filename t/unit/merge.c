
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_merge: the result for a field by rule, and that nothing else
 * changes; properties of random documents.
 */


#include "clashes.h"
#include "core/merge/conflict_part.h"
#include "core/json/conflict_compare.h"


#define SEED   12345
#define RULES  8
#define MOST   100000


typedef struct {
    const char  *base, *server, *client;   /* base NULL: not held */
    const char  *rules;                    /* "/a lww,/b union(id)" */
    const char  *result;                   /* NULL: a clash */
    const char  *names;
} merge_case_t;


/* the notation of the cases */

static conflict_form_e  base_form;


static size_t
rules_of(const char *text, conflict_field_t *fields)
{
    size_t       n, len, i;
    const char  *p, *space, *end, *paren;

    static const struct {
        const char       *name;
        conflict_rule_e   rule;
    } names[] = {
        { "auto", CONFLICT_RULE_AUTO }, { "lww", CONFLICT_RULE_LWW },
        { "server", CONFLICT_RULE_SERVER }, { "reject", CONFLICT_RULE_REJECT },
        { "union", CONFLICT_RULE_UNION }, { "max", CONFLICT_RULE_MAX },
        { "min", CONFLICT_RULE_MIN }, { "sum", CONFLICT_RULE_SUM },
        { "text", CONFLICT_RULE_TEXT }, { "list", CONFLICT_RULE_LIST }
    };

    memset(fields, 0, RULES * sizeof(conflict_field_t));

    for (n = 0, p = text; p && *p; n++, p = *end ? end + 1 : end) {
        space = strchr(p, ' ');
        end = strchr(p, ',');
        end = end ? end : p + strlen(p);

        assert_int_equal(conflict_scan_pointer(&fields[n].pointer, p,
                                               (size_t) (space - p)), 0);

        paren = memchr(space, '(', (size_t) (end - space));
        len = (size_t) ((paren ? paren : end) - space - 1);

        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

            if (strlen(names[i].name) == len
                && memcmp(names[i].name, space + 1, len) == 0)
            {
                break;
            }
        }

        assert_true(i < sizeof(names) / sizeof(names[0]));
        fields[n].rule = names[i].rule;

        if (paren) {
            fields[n].key = (const unsigned char *) paren + 1;
            fields[n].key_len = (size_t) (end - paren - 2);
        }
    }

    return n;
}


static void
document(conflict_document_t *doc, const char *text)
{
    doc->data = (const unsigned char *) text;
    doc->len = text ? strlen(text) : 0;
    doc->form = CONFLICT_FORM_WHOLE;
}


static void
run_case(const merge_case_t *c, conflict_form_e form, unsigned stale)
{
    char                 result[4096], names[1024];
    size_t               n;
    conflict_field_t     fields[RULES];
    conflict_merge_t     in;
    conflict_merged_t    out;
    conflict_merge_rc_e  rc;
    conflict_pointer_t   ignored;

    memset(&in, 0, sizeof(in));

    n = rules_of(c->rules, fields);

    assert_int_equal(conflict_scan_pointer(&ignored, "/base_version", 13), 0);

    document(&in.base, c->base);
    document(&in.server, c->server);
    document(&in.client, c->client);

    in.fields = fields;
    in.n = n;
    in.ignored = &ignored;
    in.client.form = form;
    in.base.form = base_form;
    in.stale = stale;
    in.values = MOST;
    in.reveal = 1;
    in.seed = SEED;

    rc = conflict_merge(&in, &out);

    switch (rc) {

    case CONFLICT_MERGE_SAME:
        snprintf(result, sizeof(result), "%s", c->client);
        break;

    case CONFLICT_MERGE_DONE:
        snprintf(result, sizeof(result), "%.*s", (int) out.text.len,
                 (char *) out.text.data);
        break;

    default:
        snprintf(result, sizeof(result), "clash (%d)", rc);
    }

    snprintf(names, sizeof(names), "%.*s", (int) out.names.len,
             out.names.data ? (char *) out.names.data : "");

    if (strcmp(result, c->result ? c->result : "clash (2)") != 0
        || (c->names && strcmp(names, c->names) != 0))
    {
        fail_msg("base %s\nserver %s\nclient %s\nrules %s\n"
                 "expected %s (%s)\ngot %s (%s)\n%.*s",
                 c->base ? c->base : "not held", c->server, c->client,
                 c->rules, c->result ? c->result : "clash",
                 c->names ? c->names : "", result, names,
                 (int) out.values.len, (char *) out.values.data);
    }

    conflict_merge_free(&out);
}


static void
run_cases(const merge_case_t *cases, size_t n, conflict_form_e form,
    unsigned stale)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        run_case(&cases[i], form, stale);
    }
}


#define count(cases)  (sizeof(cases) / sizeof(cases[0]))


static void
test_sides(void **state)
{
    static const merge_case_t  cases[] = {

        /* only the client, only the server, both the same */

        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}", "",
          "{\"a\":2,\"b\":1}", "" },
        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":1}", "",
          "{\"a\":2,\"b\":2}", "b" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":2.0}", "", "{\"a\":2.0}", "" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "", NULL, "a" },

        /* added and removed */

        { "{}", "{\"s\":1}", "{\"c\":1}", "", "{\"c\":1,\"s\":1}", "s" },
        { "{}", "{\"s\":1}", "{}", "", "{\"s\":1}", "s" },
        { "{}", "{\"s\":1}", "{ }", "", "{\"s\":1 }", "s" },
        { "{\"a\":1}", "{}", "{\"a\":1}", "", "{}", "a" },
        { "{\"a\":1}", "{\"a\":1}", "{}", "", "{}", "" },
        { "{\"a\":1}", "{}", "{\"a\":2}", "", NULL, "a" },
        { "{\"a\":1}", "{\"a\":2}", "{}", "", NULL, "a" },
        { "{\"a\":1}", "{}", "{}", "", "{}", "" },
        { "{}", "{\"a\":1}", "{\"a\":1}", "", "{\"a\":1}", "" },
        { "{}", "{\"a\":1}", "{\"a\":2}", "", NULL, "a" },

        /* removals keep the commas right */

        { "{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":2,\"c\":3}",
          "{\"a\":1, \"b\":2, \"c\":4}", "", "{\"b\":2, \"c\":4}", "a" },
        { "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3}",
          "{\"a\":1, \"b\":2, \"c\":4}", "", "{\"a\":1, \"c\":4}", "b" },
        { "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1}",
          "{\"a\":4, \"b\":2, \"c\":3}", "", "{\"a\":4}", "b c" },
        { "{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":3}",
          "{\"a\":1,\"b\":2,\"c\":4}", "", "{\"c\":4}", "a b" },
        { "{\"a\":1,\"b\":2}", "{\"n\":1}", "{\"a\":1, \"b\":2 }", "",
          "{\"n\":1 }", "a b n" },
        { "{\"a\":1,\"b\":2}", "{\"b\":2,\"n\":1}", "{\"a\":1,\"b\":3}", "",
          "{\"b\":3,\"n\":1}", "a n" },

        /* objects, member by member */

        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":1}}",
          "{\"o\":{\"a\":1,\"b\":2}}", "", "{\"o\":{\"a\":2,\"b\":2}}",
          "o/a" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":2}}", "{\"o\":{\"a\":3}}", "",
          NULL, "o/a" },
        { "{}", "{\"o\":{\"s\":1}}", "{\"o\":{\"c\":1}}", "",
          "{\"o\":{\"c\":1,\"s\":1}}", "o/s" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":2}}", "{\"o\":7}", "", NULL,
          "o" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":1}}", "{\"o\":7}", "",
          "{\"o\":7}", "" },
        { "{\"o\":{\"a\":1}}", "{\"o\":7}", "{\"o\":{\"a\":1}}", "",
          "{\"o\":7}", "o" },

        /* arrays are whole */

        { "{\"a\":[1,2]}", "{\"a\":[1,2,3]}", "{\"a\":[1, 2]}", "",
          "{\"a\":[1,2,3]}", "a" },
        { "{\"a\":[1,2]}", "{\"a\":[1,2,3]}", "{\"a\":[0,1,2]}", "", NULL,
          "a" },

        /* documents that are not objects */

        { "[1]", "[1]", "[2]", "", "[2]", "" },
        { "[1]", "[2]", "[ 1 ]", "", "[2]", "" },
        { "[1]", "[2]", "[3]", "", NULL, "" },
        { "1", "{\"a\":1}", "1", "", "{\"a\":1}", "" },

        /* the member with the base version is not data */

        { "{\"a\":1}", "{\"a\":2}", "{\"a\":1,\"base_version\":7}", "",
          "{\"a\":2,\"base_version\":7}", "a" },
        { "{\"a\":1}", "{\"a\":1,\"base_version\":3}", "{\"a\":2}", "",
          "{\"a\":2}", "" }
    };

    (void) state;

    run_cases(cases, count(cases), 0, 1);
}


static void
test_bytes(void **state)
{
    static const merge_case_t  cases[] = {

        /* numbers, escapes, spaces and order are preserved */

        { "{\"n\":0.10,\"t\":1}", "{\"n\":0.1,\"t\":2}",
          "{ \"n\" : 0.10 ,\t\"t\":1 }", "", "{ \"n\" : 0.10 ,\t\"t\":2 }",
          "t" },
        { "{\"big\":1,\"t\":1}",
          "{\"big\":18446744073709551617,\"t\":1}",
          "{\"big\":1,\"t\":1e400}", "",
          "{\"big\":18446744073709551617,\"t\":1e400}", "big" },
        { "{\"z\":\"\\u00e9\\/\",\"a\":-0,\"m\":1}",
          "{\"z\":\"\xc3\xa9/\",\"a\":0,\"m\":1E2}",
          "{\"z\":\"\\u00e9\\/\",\"a\":-0,\"m\":1}", "",
          "{\"z\":\"\\u00e9\\/\",\"a\":-0,\"m\":1E2}", "m" },
        { "{\"\\u0061\":1,\"b\":1}", "{\"a\":2,\"b\":1}",
          "{\"\\u0061\":1,\"b\":2}", "", "{\"\\u0061\":2,\"b\":2}", "a" },
        { "{}", "{\"n\\u0061me\":[ 1, 2 ]}", "{\n  \"a\": 1\n}", "",
          "{\n  \"a\": 1,\"n\\u0061me\":[ 1, 2 ]\n}", "name" },

        /* so are a byte order mark and unpaired surrogates */

        { "\xef\xbb\xbf{\"a\":1,\"b\":1}", "\xef\xbb\xbf{\"a\":2,\"b\":1}",
          "\xef\xbb\xbf{\"a\":1,\"b\":2}", "",
          "\xef\xbb\xbf{\"a\":2,\"b\":2}", "a" },
        { "{\"a\":1,\"b\":1}", "\xef\xbb\xbf{\"a\":2,\"b\":1}",
          "{\"a\":1,\"b\":2}", "", "{\"a\":2,\"b\":2}", "a" },
        { "{\"a\":\"\\ud83d\",\"b\":\"\\ude00\\ud83d\"}",
          "{\"a\":\"\\uD83D\",\"b\":\"\\ude00\\ud83d!\"}",
          "{\"a\":\"\\ud83d\\n\",\"b\":\"\\uDE00\\ud83d\"}", "",
          "{\"a\":\"\\ud83d\\n\",\"b\":\"\\ude00\\ud83d!\"}", "b" },
        { "{\"\\ud83d\":1,\"\\ud83dx\":1}", "{\"\\uD83D\":2,\"\\ud83dx\":1}",
          "{\"\\ud83d\":1,\"\\ud83dx\":2}", "",
          "{\"\\ud83d\":2,\"\\ud83dx\":2}", "%ED%A0%BD" },

        /* names of fields in a header, and in pointers */

        { "{\"a b\":1,\"\xc3\xa9\":1,\"q\\\"\":1,\"x/y\":1}",
          "{\"a b\":2,\"\xc3\xa9\":2,\"q\\\"\":2,\"x/y\":2}",
          "{\"a b\":1,\"\xc3\xa9\":1,\"q\\\"\":1,\"x/y\":1}", "",
          "{\"a b\":2,\"\xc3\xa9\":2,\"q\\\"\":2,\"x/y\":2}",
          "a%20b %C3%A9 q%22 x~1y" }
    };

    (void) state;

    run_cases(cases, count(cases), 0, 1);
}


static void
test_rules(void **state)
{
    static const merge_case_t  cases[] = {

        { "{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "/a lww", "{\"a\":3}", "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":1}", "/a lww", "{\"a\":2}", "a" },
        { "{\"a\":1}", "{\"a\":2}", "{}", "/a lww", "{}", "a" },
        { "{\"a\":1}", "{}", "{\"a\":3}", "/a lww", "{\"a\":3}", "a" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":2}}",
          "{\"o\":{\"a\":3,\"b\":1}}", "/o lww", "{\"o\":{\"a\":3,\"b\":1}}",
          "o" },

        { "{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "/a server", "{\"a\":2}",
          "a" },
        { "{\"a\":1}", "{\"a\":1}", "{\"a\":3}", "/a server", "{\"a\":1}",
          "a" },
        { "{\"a\":1}", "{}", "{\"a\":3}", "/a server", "{}", "a" },
        { "{\"a\":1}", "{\"a\":2}", "{}", "/a server", "{\"a\":2}", "a" },

        { "{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "/a reject", NULL, "a" },
        { "{\"a\":1}", "{\"a\":1}", "{\"a\":3}", "/a reject", NULL, "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":1}", "/a reject", NULL, "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":2}", "/a reject", "{\"a\":2}",
          "" },
        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":1}",
          "/a reject", "{\"a\":1,\"b\":2}", "b" },

        { "{\"a\":1}", "{\"a\":5}", "{\"a\":3}", "/a max", "{\"a\":5}", "a" },
        { "{\"a\":1}", "{\"a\":3}", "{\"a\":5.0}", "/a max", "{\"a\":5.0}",
          "" },
        { "{\"a\":9}", "{\"a\":5}", "{\"a\":3}", "/a min", "{\"a\":3}", "" },
        { "{\"a\":9}", "{\"a\":-5}", "{\"a\":3}", "/a min", "{\"a\":-5}",
          "a" },
        { "{\"a\":1}", "{\"a\":\"x\"}", "{\"a\":3}", "/a max", NULL, "a" },
        { "{\"a\":1}", "{}", "{\"a\":3}", "/a max", "{\"a\":3}", NULL },
        { "{\"a\":1}", "{\"a\":2}", "{}", "/a max", "{\"a\":2}", "a" },

        { "{\"a\":10}", "{\"a\":11}", "{\"a\":11}", "/a sum", "{\"a\":12}",
          "a" },
        { "{\"a\":10}", "{\"a\":15}", "{\"a\":8}", "/a sum", "{\"a\":13}",
          "a" },
        { "{\"a\":10}", "{\"a\":15}", "{\"a\":10}", "/a sum", "{\"a\":15}",
          "a" },
        { "{\"a\":10}", "{\"a\":10}", "{\"a\":12}", "/a sum", "{\"a\":12}",
          "" },
        { "{}", "{\"a\":2}", "{\"a\":3}", "/a sum", "{\"a\":5}", "a" },
        { "{\"a\":0}", "{\"a\":9223372036854775807}", "{\"a\":1}", "/a sum",
          NULL, "a" },
        { "{\"a\":0}", "{\"a\":-9223372036854775808}", "{\"a\":-1}",
          "/a sum", NULL, "a" },
        { "{\"a\":-9223372036854775808}", "{\"a\":0}",
          "{\"a\":9223372036854775807}", "/a sum", NULL, "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":1.5}", "/a sum", NULL, "a" },
        { "{\"a\":1.5}", "{\"a\":1.5}", "{\"a\":2.5}", "/a sum",
          "{\"a\":2.5}", "" },
        { "{\"a\":1}", "{}", "{\"a\":2}", "/a sum", NULL, "a" },
        { "{\"a\":1}", "{\"a\":5}", "{}", "/a sum", NULL, "a" },

        /* a rule for a nested field */

        { "{\"m\":{\"n\":1,\"o\":1}}", "{\"m\":{\"n\":2,\"o\":2}}",
          "{\"m\":{\"n\":3,\"o\":1}}", "/m/n lww",
          "{\"m\":{\"n\":3,\"o\":2}}", "m/n m/o" },
        { "{\"m\":{\"n\":1,\"o\":1}}", "{\"m\":{\"n\":1,\"o\":1}}", "{}",
          "/m/n server", "{\"m\":{\"n\":1}}", "m" },
        { "{\"m\":{\"n\":1}}", "{\"m\":{\"n\":1}}", "{\"m\":3}",
          "/m/n server", NULL, "m" },
        { "{\"m\":{\"o\":1}}", "{\"m\":{\"o\":1}}", "{}", "/m/n server",
          "{}", "" }
    };

    (void) state;

    run_cases(cases, count(cases), 0, 1);
}


static void
test_union(void **state)
{
    static const merge_case_t  cases[] = {

        { "{\"t\":[1,2]}", "{\"t\":[1,2,3]}", "{\"t\":[1,2,4]}", "/t union",
          "{\"t\":[1,2,3,4]}", "t" },
        { "{\"t\":[1,2,3]}", "{\"t\":[1,2,3,4]}", "{\"t\":[1,3]}",
          "/t union", "{\"t\":[1,3,4]}", "t" },
        { "{\"t\":[1,2]}", "{\"t\":[2]}", "{\"t\":[1,2,3]}", "/t union",
          "{\"t\":[2,3]}", "t" },
        { "{\"t\":[]}", "{\"t\":[\"a\"]}", "{\"t\":[\"\\u0061\",\"b\"]}",
          "/t union", "{\"t\":[\"a\",\"b\"]}", "t" },
        { "{\"t\":[]}", "{\"t\":[1,1,{\"a\":1}]}",
          "{\"t\":[{ \"a\": 1.0 },2]}", "/t union",
          "{\"t\":[1,{\"a\":1},2]}", "t" },
        { "{}", "{\"t\":[1]}", "{\"t\":[2]}", "/t union", "{\"t\":[1,2]}",
          "t" },
        { "{\"t\":[1]}", "{\"t\":[1,2]}", "{}", "/t union", "{\"t\":[2]}",
          "t" },
        { "{\"t\":[1]}", "{}", "{\"t\":[1,2]}", "/t union", "{\"t\":[2]}",
          "t" },
        { "{\"t\":[1]}", "{\"t\":[1,2]}", "{\"t\":7}", "/t union", NULL,
          "t" },
        { NULL, "{\"t\":[1,2]}", "{\"t\":[2,3]}", "/t union",
          "{\"t\":[1,2,3]}", "t" },

        /* by key */

        { "{\"t\":[{\"id\":1,\"n\":1}]}",
          "{\"t\":[{\"id\":1,\"n\":2},{\"id\":2}]}",
          "{\"t\":[{\"id\":1,\"n\":1,\"m\":1},{\"id\":3}]}", "/t union(id)",
          "{\"t\":[{\"id\":1,\"n\":2,\"m\":1},{\"id\":2},{\"id\":3}]}",
          "t/1/n t" },
        { "{\"t\":[{\"id\":1,\"n\":1}]}", "{\"t\":[{\"id\":1,\"n\":2}]}",
          "{\"t\":[{\"id\":1,\"n\":3}]}", "/t union(id)", NULL, "t/1/n" },
        { "{\"t\":[{\"id\":\"x\"},{\"id\":\"y\"}]}",
          "{\"t\":[{\"id\":\"x\"},{\"id\":\"y\"},{\"id\":\"z\"}]}",
          "{\"t\":[{\"id\":\"y\"}]}", "/t union(id)",
          "{\"t\":[{\"id\":\"y\"},{\"id\":\"z\"}]}", "t" },
        { "{\"t\":[{\"id\":1,\"n\":1},{\"id\":2}]}",
          "{\"t\":[{\"id\":1,\"n\":2},{\"id\":2}]}",
          "{\"t\":[{\"id\":2},{\"id\":3}]}", "/t union(id)", NULL, "t/1" },
        { "{\"t\":[{\"id\":1,\"n\":1},{\"id\":2}]}", "{\"t\":[{\"id\":2}]}",
          "{\"t\":[{\"id\":1,\"n\":2},{\"id\":2}]}", "/t union(id)", NULL,
          "t/1" },
        { "{\"t\":[{\"id\":1},{\"id\":2}]}", "{\"t\":[{\"id\":2}]}",
          "{\"t\":[{\"id\":1},{\"id\":2},{\"id\":3}]}", "/t union(id)",
          "{\"t\":[{\"id\":2},{\"id\":3}]}", "t" },
        { "{\"t\":[]}", "{\"t\":[{\"id\":1}]}", "{\"t\":[{\"x\":1}]}",
          "/t union(id)", NULL, "t" },
        { "{\"t\":[]}", "{\"t\":[{\"id\":1}]}",
          "{\"t\":[{\"id\":2},{\"id\":2}]}", "/t union(id)", NULL, "t" },
        { NULL, "{\"t\":[{\"id\":1,\"n\":1}]}",
          "{\"t\":[{\"id\":1,\"n\":1},{\"id\":2}]}", "/t union(id)",
          "{\"t\":[{\"id\":1,\"n\":1},{\"id\":2}]}", "t" },
        { NULL, "{\"t\":[{\"id\":1,\"n\":1}]}",
          "{\"t\":[{\"id\":1,\"n\":2}]}", "/t union(id)", NULL, "t/1/n" }
    };

    (void) state;

    run_cases(cases, count(cases), 0, 1);
}


static void
test_text(void **state)
{
    static const merge_case_t  cases[] = {

        { "{\"t\":\"a\\nb\\nc\\n\"}", "{\"t\":\"A\\nb\\nc\\n\"}",
          "{\"t\":\"a\\nb\\nC\\n\"}", "/t text",
          "{\"t\":\"A\\u000ab\\u000aC\\u000a\"}", "t" },
        { "{\"t\":\"a\\nb\\n\"}", "{\"t\":\"A\\nb\\n\"}",
          "{\"t\":\"X\\nb\\n\"}", "/t text", NULL, "t" },
        { "{\"t\":\"a\"}", "{\"t\":\"a\"}", "{\"t\":\"\\u0062\"}", "/t text",
          "{\"t\":\"\\u0062\"}", "" },
        { "{\"t\":\"a\\nb\\nc\\n\\u00e9\"}", "{\"t\":\"\xc3\xa9\\nb\\nc\\nd\"}",
          "{\"t\":\"a\\nb\\nc\\n\\u00e9\\n\\ud83d\\ude00\"}", "/t text",
          NULL, "t" },
        { "{\"t\":\"a\\nb\\nc\\nd\"}", "{\"t\":\"\\n\\na\\nb\\nc\\nd\"}",
          "{\"t\":\"a\\nb\\nc\\nd\\r\\ne\"}", "/t text",
          "{\"t\":\"\\u000a\\u000aa\\u000ab\\u000ac\\u000ad\\u000d\\u000ae\"}",
          "t" },
        { "{\"t\":\"a\\nb\\nc\"}", "{\"t\":\"\"}", "{\"t\":\"a\\nb\\nC\"}",
          "/t text", NULL, "t" },
        { "{\"t\":\"a\\nb\"}", "{\"t\":7}", "{\"t\":\"x\\nb\"}", "/t text",
          NULL, "t" },
        { "{\"t\":\"a\\nb\\n\\ud83d\"}", "{\"t\":\"A\\nb\\n\\ud83d\"}",
          "{\"t\":\"a\\nb\\n\\ud83d\\ud83d\\ude00\"}", "/t text",
          "{\"t\":\"A\\u000ab\\u000a\\ud83d\xf0\x9f\x98\x80\"}", "t" }
    };

    (void) state;

    if (conflict_lines_available()) {
        run_cases(cases, count(cases), 0, 1);

    } else {
        run_case(&cases[2], 0, 1);
    }
}


static void
test_list(void **state)
{
    static const merge_case_t  cases[] = {

        /* insertions, removals and replacements at different places */

        { "{\"t\":[1,2,3]}", "{\"t\":[0,1,2,3]}", "{\"t\":[1,2,3,4]}",
          "/t list", "{\"t\":[0,1,2,3,4]}", "t" },
        { "{\"t\":[1,2,3,4]}", "{\"t\":[2,3,4]}", "{\"t\":[1,2,3,5]}",
          "/t list", "{\"t\":[2,3,5]}", "t" },
        { "{\"t\":[1,2,3]}", "{\"t\":[9,2,3]}", "{\"t\":[1,2]}",
          "/t list", "{\"t\":[9,2]}", "t" },
        { "{\"t\":[1,2,3]}", "{\"t\":[3]}", "{\"t\":[1,2,3,4]}",
          "/t list", "{\"t\":[3,4]}", "t" },
        { "{\"t\":[1,2]}", "{\"t\":[]}", "{\"t\":[1,2]}", "/t list",
          "{\"t\":[]}", "t" },
        { "{\"t\":[[1],{\"a\":1},null]}", "{\"t\":[{\"a\":1},null]}",
          "{\"t\":[[1],{ \"a\": 1.0 },null,0.10]}", "/t list",
          "{\"t\":[{ \"a\": 1.0 },null,0.10]}", "t" },

        /* the same change on both sides */

        { "{\"t\":[1,2]}", "{\"t\":[1,2,3]}", "{\"t\":[0,1,2,3]}",
          "/t list", "{\"t\":[0,1,2,3]}", "" },
        { "{\"t\":[1,2,3]}", "{\"t\":[0,1,2]}", "{\"t\":[1,2]}",
          "/t list", "{\"t\":[0,1,2]}", "t" },

        /* at the same place, or adjacent */

        { "{\"t\":[1,2]}", "{\"t\":[1,2,3]}", "{\"t\":[1,2,4]}",
          "/t list", NULL, "t" },
        { "{\"t\":[1,2]}", "{\"t\":[3,1,2]}", "{\"t\":[4,1,2]}",
          "/t list", NULL, "t" },
        { "{\"t\":[1,2]}", "{\"t\":[1]}", "{\"t\":[1,3]}", "/t list",
          NULL, "t" },
        { "{\"t\":[1,2]}", "{\"t\":[1]}", "{\"t\":[1,2,3]}", "/t list",
          NULL, "t" },
        { "{\"t\":[1,2]}", "{\"t\":[2]}", "{\"t\":[0,1,2]}", "/t list",
          NULL, "t" },
        { "{\"t\":[1,2]}", "{\"t\":[5,2]}", "{\"t\":[6,2]}", "/t list",
          NULL, "t" },

        /* except replacements, one for one */

        { "{\"t\":[1,2,3]}", "{\"t\":[9,2,3]}", "{\"t\":[1,8,3]}",
          "/t list", "{\"t\":[9,8,3]}", "t" },

        /* both edited one element, in different fields or not */

        { "{\"t\":[{\"p\":\"x\",\"n\":1,\"m\":1},7]}",
          "{\"t\":[0,{\"p\":\"x\",\"n\":2,\"m\":1},7]}",
          "{\"t\":[{\"p\":\"x\",\"n\":1, \"m\":1.50},7]}", "/t list",
          NULL, "t" },
        { "{\"t\":[7,{\"p\":\"x\",\"n\":1,\"m\":1}]}",
          "{\"t\":[0,7,{\"p\":\"x\",\"n\":2,\"m\":1}]}",
          "{\"t\":[7,{\"p\":\"x\",\"n\":1, \"m\":1.50}]}", "/t list",
          "{\"t\":[0,7,{\"p\":\"x\",\"n\":2, \"m\":1.50}]}",
          "t/2/n t" },
        { "{\"t\":[7,{\"p\":\"x\",\"n\":1}]}",
          "{\"t\":[0,7,{\"p\":\"x\",\"n\":2}]}",
          "{\"t\":[7,{\"p\":\"x\",\"n\":3}]}", "/t list", NULL,
          "t/2/n" },

        /* or replaced it */

        { "{\"t\":[{\"p\":\"x\",\"n\":1,\"m\":1}]}",
          "{\"t\":[{\"p\":\"y\",\"n\":2,\"m\":1}]}",
          "{\"t\":[{\"p\":\"x\",\"n\":1,\"m\":2}]}", "/t list", NULL,
          "t" },

        /* not an array, and no base */

        { "{\"t\":[1]}", "{\"t\":[1,2]}", "{\"t\":7}", "/t list", NULL,
          "t" },
        { "{\"t\":[1]}", "{}", "{\"t\":[1,2]}", "/t list", NULL, "t" },
        { "{\"t\":[1]}", "{\"t\":[1]}", "{}", "/t list", "{}", "" },
        { "{}", "{\"t\":[1]}", "{\"t\":[2]}", "/t list", NULL, "t" },
        { NULL, "{\"t\":[1,2]}", "{\"t\":[1]}", "/t list", NULL, "t" },
        { NULL, "{\"t\":[1]}", "{\"t\":[1]}", "/t list", "{\"t\":[1]}",
          "" }
    };

    static const merge_case_t  patches[] = {
        { "{\"t\":[1,2],\"o\":1}", "{\"t\":[0,1,2],\"o\":1}",
          "{\"t\":[1,2,3]}", "/t list", "{\"t\":[0,1,2,3]}", "t" },
        { "{\"t\":[{\"p\":1,\"n\":1,\"m\":1}]}",
          "{\"t\":[{\"p\":1,\"n\":2,\"m\":1}]}",
          "{\"t\":[{\"p\":1,\"n\":1,\"m\":2}]}", "/t list",
          "{\"t\":[{\"p\":1,\"n\":2,\"m\":2}]}", "t/0/n t" },
        { "{\"t\":[1]}", "{\"t\":[1,2]}", "{\"t\":null}", "/t list",
          NULL, "t" }
    };

    (void) state;

    run_cases(cases, count(cases), 0, 1);
    run_cases(patches, count(patches), CONFLICT_FORM_MERGE_PATCH, 1);
}


/* a write that may be done is merged only if the server's value is unchanged */

static void
test_again(void **state)
{
    size_t             i, n;
    conflict_field_t   fields[RULES];
    conflict_merge_t   in;
    conflict_merged_t  out;

    static const struct {
        const char           *server, *client, *rules;
        conflict_merge_rc_e   first, again;
    } cases[] = {
        { "{\"t\":[9,1,1]}", "{\"t\":[1,1]}", "/t list",
          CONFLICT_MERGE_DONE, CONFLICT_MERGE_CLASH },
        { "{\"t\":[1,1]}", "{\"t\":[1,1]}", "/t list",
          CONFLICT_MERGE_SAME, CONFLICT_MERGE_SAME },
        { "{\"t\":[1],\"a\":1}", "{\"t\":[1,1]}", "/t list",
          CONFLICT_MERGE_DONE, CONFLICT_MERGE_DONE }
    };

    (void) state;

    for (i = 0; i < count(cases); i++) {
        memset(&in, 0, sizeof(in));

        n = rules_of(cases[i].rules, fields);

        document(&in.base, "{\"t\":[1]}");
        document(&in.server, cases[i].server);
        document(&in.client, cases[i].client);

        in.fields = fields;
        in.n = n;
        in.stale = 1;
        in.values = MOST;
        in.seed = SEED;

        assert_int_equal(conflict_merge(&in, &out), cases[i].first);
        conflict_merge_free(&out);

        in.retried = 1;

        assert_int_equal(conflict_merge(&in, &out), cases[i].again);
        conflict_merge_free(&out);
    }
}


static void
test_not_held(void **state)
{
    static const merge_case_t  cases[] = {

        { NULL, "{\"a\":1}", "{\"a\":1}", "", "{\"a\":1}", "" },
        { NULL, "{\"a\":1}", "{\"a\":2}", "", NULL, "a" },
        { NULL, "{\"a\":1,\"b\":1}", "{\"a\":1}", "", NULL, "b" },
        { NULL, "{\"a\":1}", "{\"a\":1,\"b\":1}", "", NULL, "b" },
        { NULL, "{\"a\":1,\"o\":{\"b\":1}}", "{\"a\":1,\"o\":{\"b\":2}}", "",
          NULL, "o/b" },
        { NULL, "{\"a\":1}", "{\"a\":2}", "/a lww", "{\"a\":2}", "a" },
        { NULL, "{\"a\":1}", "{}", "/a lww", "{\"a\":1}", "a" },
        { NULL, "{}", "{\"a\":1}", "/a lww", "{\"a\":1}", "a" },
        { NULL, "{\"a\":1}", "{\"a\":2}", "/a server", "{\"a\":1}", "a" },
        { NULL, "{\"a\":1}", "{\"a\":2}", "/a max", "{\"a\":2}", "" },
        { NULL, "{\"a\":1}", "{\"a\":2}", "/a min", "{\"a\":1}", "a" },
        { NULL, "{\"a\":1}", "{\"a\":2}", "/a sum", NULL, "a" },
        { NULL, "{\"a\":1}", "{\"a\":1}", "/a sum", NULL, "a" },
        { NULL, "{\"a\":\"x\"}", "{\"a\":\"y\"}", "/a text", NULL, "a" },

        /* a base with a duplicate member is no base */

        { "{\"a\":1,\"a\":2}", "{\"a\":1}", "{\"a\":2}", "", NULL, "a" }
    };

    (void) state;

    run_cases(cases, count(cases), 0, 1);
}


static void
test_patch(void **state)
{
    static const merge_case_t  cases[] = {

        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}", "{\"a\":2}", "",
          "{\"a\":2}", "" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "", NULL, "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":1, \"b\":1}", "", "{\"b\":1}",
          "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":1}", "", "{}", "a" },
        { "{\"a\":1}", "{\"a\":1}", "{\"a\":null}", "", "{\"a\":null}", "" },
        { "{\"a\":1}", "{}", "{\"a\":null}", "", "{\"a\":null}", "" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":null}", "", NULL, "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":null}", "/a server", "{}", "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":3,\"b\":1}", "/a server",
          "{\"b\":1}", "a" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":1}}",
          "{\"o\":{\"b\":2}}", "", "{\"o\":{\"b\":2}}", "" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":2}}", "{\"o\":{\"a\":3}}", "",
          NULL, "o/a" },
        { "{\"t\":[1]}", "{\"t\":[1,2]}", "{\"t\":[1,3]}", "/t union",
          "{\"t\":[1,2,3]}", "t" },
        { "{\"t\":[{\"id\":1,\"n\":1,\"m\":1}]}",
          "{\"t\":[{\"id\":1,\"n\":2,\"m\":1}]}",
          "{\"t\":[{\"id\":1,\"n\":1,\"m\":2}]}", "/t union(id)",
          "{\"t\":[{\"id\":1,\"n\":2,\"m\":2}]}", "t/1/n t" },
        { "{\"v\":10}", "{\"v\":12}", "{\"v\":11}", "/v sum", "{\"v\":13}",
          "v" },
        { "{\"m\":{\"n\":1}}", "{\"m\":{\"n\":1}}", "{\"m\":null}",
          "/m/n server", NULL, "m" },
        { NULL, "{\"a\":1}", "{\"a\":2}", "/a lww", "{\"a\":2}", "a" },
        { NULL, "{\"a\":1,\"b\":1}", "{\"a\":1}", "", "{\"a\":1}", "" }
    };

    (void) state;

    run_cases(cases, count(cases), CONFLICT_FORM_MERGE_PATCH, 1);
}


/* parts: members that were not sent do not matter, and null is a value */

static void
test_parts(void **state)
{
    static const merge_case_t  shallow[] = {
        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}", "{\"a\":2}", "",
          "{\"a\":2}", "" },
        { "{\"a\":1,\"b\":1}", "{\"a\":1}", "{\"a\":2}", "", "{\"a\":2}", "" },
        { "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"a\":2}", "", "{\"a\":2}", "" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "", NULL, "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":1, \"b\":1}", "",
          "{\"a\":2, \"b\":1}", "a" },
        { "{\"a\":1}", "{}", "{\"a\":1,\"b\":1}", "", "{\"b\":1}", "a" },
        { "{\"a\":1}", "{}", "{\"a\":1}", "", "{}", "a" },
        { "{\"a\":1}", "{\"a\":1}", "{\"a\":null}", "", "{\"a\":null}", "" },
        { "{\"a\":1}", "{\"a\":null}", "{\"a\":1}", "", "{\"a\":null}", "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":null}", "", NULL, "a" },
        { "{\"a\":1}", "{}", "{\"a\":null}", "", NULL, "a" },
        { "{\"a\":null}", "{\"a\":2}", "{\"a\":null}", "", "{\"a\":2}", "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":null}", "/a lww", "{\"a\":null}",
          "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":null}", "/a max", NULL, "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":null}", "/a server", "{\"a\":2}",
          "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":3,\"b\":1}", "/a server",
          "{\"a\":2,\"b\":1}", "a" },
        { "{\"a\":1}", "{}", "{\"a\":3,\"b\":1}", "/a server", "{\"b\":1}",
          "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"b\":1}", "/a reject", "{\"b\":1}",
          "" },
        { "{\"a\":1}", "{\"a\":1}", "{\"a\":3}", "/a reject", NULL, "a" },
        { "{\"v\":10}", "{\"v\":12}", "{\"v\":11}", "/v sum", "{\"v\":13}",
          "v" },
        { "{\"v\":10}", "{\"v\":12}", "{\"a\":1}", "/v sum", "{\"a\":1}", "" },
        { "{\"t\":[1,2]}", "{\"t\":[1,2,3]}", "{\"t\":[2,4]}", "/t union",
          "{\"t\":[2,3,4]}", "t" },
        { "{\"t\":[1,2]}", "{\"t\":[1,2,3]}", "{\"a\":1}", "/t union",
          "{\"a\":1}", "" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":1}}",
          "{\"o\":{\"a\":1,\"b\":2}}", "", "{\"o\":{\"a\":2,\"b\":2}}",
          "o/a" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":1,\"b\":1,\"s\":1}}",
          "{\"o\":{\"a\":2}}", "", "{\"o\":{\"a\":2,\"s\":1}}", "o/s" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":1,\"b\":2}}",
          "{\"o\":{\"a\":2}}", "", NULL, "o/b" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":1}}",
          "{\"o\":{\"a\":2,\"b\":1}}", "", "{\"o\":{\"a\":2}}", "o/b" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":2}}", "{\"o\":{\"a\":3}}", "",
          NULL, "o/a" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":2}}",
          "{\"o\":{\"a\":1,\"n\":null}}", "", "{\"o\":{\"a\":2,\"n\":null}}",
          "o/a" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":2}}", "{\"o\":null}", "", NULL,
          "o" },
        { "{\"m\":{\"n\":1,\"x\":1}}", "{\"m\":{\"n\":1,\"x\":1}}",
          "{\"m\":{\"x\":2}}", "/m/n server", "{\"m\":{\"x\":2,\"n\":1}}",
          "m/n" },
        { "{\"m\":{\"n\":1}}", "{\"m\":{\"n\":1}}", "{\"m\":null}",
          "/m/n server", NULL, "m" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":1}}",
          "{\"o\":{\"a\":1}}", "/o lww", "{\"o\":{\"a\":1}}", "o" },
        { NULL, "{\"a\":1,\"b\":1}", "{\"a\":1}", "", "{\"a\":1}", "" },
        { NULL, "{\"a\":1,\"b\":1}", "{\"a\":2}", "", NULL, "a" },
        { NULL, "{\"a\":1,\"o\":{\"x\":1,\"y\":1}}", "{\"o\":{\"x\":1}}", "",
          NULL, "o/y" },
        { NULL, "{\"t\":[1,2]}", "{\"t\":[2,3]}", "/t union",
          "{\"t\":[1,2,3]}", "t" },
        { NULL, "{\"a\":1}", "{\"a\":null}", "", NULL, "a" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":1,\"base_version\":7}", "",
          "{\"a\":2,\"base_version\":7}", "a" },
        { "{\"a\":1}", "{\"a\":1}", "[1]", "", "[1]", "" },
        { "{\"a\":1}", "{\"a\":2}", "[1]", "", NULL, "" }
    };

    static const merge_case_t  deep[] = {
        { "{\"a\":1,\"b\":1}", "{\"a\":1,\"b\":2}", "{\"a\":2}", "",
          "{\"a\":2}", "" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":1, \"b\":1}", "",
          "{\"a\":2, \"b\":1}", "a" },
        { "{\"a\":1}", "{\"a\":1}", "{\"a\":null}", "", "{\"a\":null}", "" },
        { "{\"a\":1}", "{\"a\":2}", "{\"a\":null}", "", NULL, "a" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":1}}",
          "{\"o\":{\"b\":2}}", "", "{\"o\":{\"b\":2}}", "" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":1}}",
          "{\"o\":{\"a\":1,\"b\":2}}", "", "{\"o\":{\"a\":2,\"b\":2}}",
          "o/a" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":1,\"s\":1}}",
          "{\"o\":{\"a\":2}}", "", "{\"o\":{\"a\":2}}", "" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":2}}", "{\"o\":{\"a\":3}}", "",
          NULL, "o/a" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":2}}", "{\"o\":{\"a\":null}}", "",
          NULL, "o/a" },
        { "{\"o\":{\"p\":{\"a\":1,\"b\":1}}}",
          "{\"o\":{\"p\":{\"a\":2,\"b\":2}}}", "{\"o\":{\"p\":{\"a\":1}}}", "",
          "{\"o\":{\"p\":{\"a\":2}}}", "o/p/a" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{}", "{\"o\":{\"a\":1},\"z\":1}", "",
          "{\"z\":1}", "o" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":7}", "{\"o\":{\"a\":1}}", "",
          "{\"o\":7}", "o" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{}", "{\"o\":{\"a\":2}}", "", NULL,
          "o" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{}", "{\"o\":{\"c\":1}}", "", NULL,
          "o" },
        { "{\"o\":{\"a\":1,\"b\":1,\"c\":1}}",
          "{\"o\":{\"a\":2,\"b\":2,\"c\":2}}", "{\"o\":{\"a\":3,\"b\":1}}",
          "/o lww", "{\"o\":{\"a\":3,\"b\":2}}", "o/a o/b" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":2}}",
          "{\"o\":{\"a\":3}}", "/o server", "{\"o\":{\"a\":2}}", "o/a" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":1,\"b\":2}}",
          "{\"o\":{\"a\":1}}", "/o reject", "{\"o\":{\"a\":1}}", "" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":2}}",
          "{\"o\":{\"a\":1}}", "/o reject", NULL, "o/a" },
        { "{\"m\":{\"n\":1,\"x\":1}}", "{\"m\":{\"n\":1,\"x\":1}}",
          "{\"m\":{\"x\":2}}", "/m/n server", "{\"m\":{\"x\":2}}", "" },
        { "{\"m\":{\"n\":1,\"x\":1}}", "{\"m\":{\"n\":1,\"x\":1}}",
          "{\"m\":{\"x\":2,\"n\":5}}", "/m/n server",
          "{\"m\":{\"x\":2,\"n\":1}}", "m/n" },
        { "{\"t\":[{\"id\":1,\"n\":1,\"m\":1}]}",
          "{\"t\":[{\"id\":1,\"n\":2,\"m\":1}]}",
          "{\"t\":[{\"id\":1,\"n\":1,\"m\":2}]}", "/t union(id)",
          "{\"t\":[{\"id\":1,\"n\":2,\"m\":2}]}", "t/1/n t" },
        { "{\"t\":[{\"id\":1,\"n\":1,\"m\":1}]}",
          "{\"t\":[{\"id\":1,\"n\":2,\"m\":1}]}",
          "{\"t\":[{\"id\":1,\"m\":2}]}", "/t union(id)", NULL, "t/1/n" },
        { NULL, "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":1}}", "",
          "{\"o\":{\"a\":1}}", "" }
    };

    static const merge_case_t  patch[] = {
        { "{\"o\":{\"a\":1,\"b\":1}}", "{}", "{\"o\":{\"a\":1},\"z\":1}", "",
          "{\"z\":1}", "o" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":7}",
          "{\"o\":{\"a\":1,\"x\":null}}", "", "{}", "o" },
        { "{\"o\":{\"a\":1}}", "{}", "{\"o\":{\"a\":null}}", "", NULL, "o" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":2}}",
          "{\"o\":{\"a\":3,\"b\":1}}", "/o lww", "{\"o\":{\"a\":3}}",
          "o/a o/b" },
        { "{\"o\":{\"a\":1,\"b\":1}}", "{\"o\":{\"a\":2,\"b\":2}}",
          "{\"o\":{\"a\":null}}", "/o lww", "{\"o\":{\"a\":null}}", "o/a" }
    };

    (void) state;

    run_cases(shallow, count(shallow), CONFLICT_FORM_SHALLOW, 1);
    run_cases(deep, count(deep), CONFLICT_FORM_DEEP, 1);
    run_cases(patch, count(patch), CONFLICT_FORM_MERGE_PATCH, 1);
}


/* bases that are parts: other members are unknown */

static void
test_bases(void **state)
{
    static const merge_case_t  shallow[] = {
        { "{\"a\":1}", "{\"a\":2,\"b\":1}", "{\"a\":1,\"b\":1}", "",
          "{\"a\":2,\"b\":1}", "a" },
        { "{\"a\":1}", "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":2}", "", NULL,
          "b" },
        { "{\"a\":1}", "{\"a\":1,\"b\":1}", "{\"a\":2}", "", "{\"a\":2}", "" },
        { "{\"a\":1}", "{\"a\":1,\"v\":5}", "{\"v\":6}", "/v sum", NULL, "v" },
        { "{\"a\":1}", "{\"a\":1,\"v\":5}", "{\"v\":6}", "/v max", "{\"v\":6}",
          "" },
        { "{\"a\":1}", "{\"a\":1,\"t\":[1,2]}", "{\"t\":[2,3]}", "/t union",
          "{\"t\":[1,2,3]}", "t" },
        { "{\"a\":1}", "{\"a\":1,\"c\":1}", "{\"c\":2}", "/c lww", "{\"c\":2}",
          "c" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":1,\"s\":1}}",
          "{\"o\":{\"a\":2}}", "", "{\"o\":{\"a\":2,\"s\":1}}", "o/s" },
        { "{\"a\":null}", "{\"a\":2}", "{\"a\":null}", "", "{\"a\":2}", "a" }
    };

    static const merge_case_t  deep[] = {
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":1,\"s\":1}}",
          "{\"o\":{\"a\":2}}", "", NULL, "o/s" },
        { "{\"o\":{\"a\":1}}", "{\"o\":{\"a\":1,\"s\":1}}",
          "{\"o\":{\"a\":2,\"s\":1}}", "", "{\"o\":{\"a\":2,\"s\":1}}", "" }
    };

    static const merge_case_t  patch[] = {
        { "{\"a\":null}", "{\"a\":2}", "{\"a\":3}", "", NULL, "a" },
        { "{\"a\":null,\"b\":1}", "{\"b\":1}", "{\"a\":3}", "", "{\"a\":3}",
          "" }
    };

    (void) state;

    base_form = CONFLICT_FORM_SHALLOW;
    run_cases(shallow, count(shallow), CONFLICT_FORM_SHALLOW, 1);

    base_form = CONFLICT_FORM_DEEP;
    run_cases(deep, count(deep), CONFLICT_FORM_SHALLOW, 1);

    base_form = CONFLICT_FORM_MERGE_PATCH;
    run_cases(patch, count(patch), CONFLICT_FORM_SHALLOW, 1);

    base_form = CONFLICT_FORM_WHOLE;
}


/* not stale: only the rule "server" is applied */

static void
test_parts_fresh(void **state)
{
    static const merge_case_t  shallow[] = {
        { NULL, "{\"a\":1,\"u\":1}", "{\"a\":2}", "/u server", "{\"a\":2}",
          "" },
        { NULL, "{\"a\":1,\"u\":1}", "{\"a\":2,\"u\":2}", "/u server",
          "{\"a\":2,\"u\":1}", "u" },
        { NULL, "{\"m\":{\"u\":1,\"x\":1}}", "{\"m\":{\"x\":2}}",
          "/m/u server", "{\"m\":{\"x\":2,\"u\":1}}", "m/u" },
        { NULL, "{\"m\":{\"u\":1}}", "{\"m\":null}", "/m/u server", NULL,
          "m" },
        { NULL, "{\"m\":{\"u\":1}}", "{\"a\":1}", "/m/u server", "{\"a\":1}",
          "" }
    };

    static const merge_case_t  deep[] = {
        { NULL, "{\"m\":{\"u\":1,\"x\":1}}", "{\"m\":{\"x\":2}}",
          "/m/u server", "{\"m\":{\"x\":2}}", "" },
        { NULL, "{\"m\":{\"u\":1,\"x\":1}}", "{\"m\":{\"u\":2}}", "/m server",
          "{\"m\":{\"u\":1}}", "m/u" },
        { NULL, "{\"m\":{\"u\":1,\"x\":1}}", "{\"m\":{\"u\":2}}", "/m lww",
          "{\"m\":{\"u\":2}}", "" }
    };

    (void) state;

    run_cases(shallow, count(shallow), CONFLICT_FORM_SHALLOW, 0);
    run_cases(deep, count(deep), CONFLICT_FORM_DEEP, 0);
}


static void
test_fresh(void **state)
{
    static const merge_case_t  cases[] = {

        { NULL, "{\"a\":1,\"u\":1}", "{\"a\":2,\"u\":2}", "",
          "{\"a\":2,\"u\":2}", "" },
        { NULL, "{\"a\":1,\"u\":1}", "{\"a\":2,\"u\":2}", "/u server",
          "{\"a\":2,\"u\":1}", "u" },
        { NULL, "{\"a\":1,\"u\":1}", "{\"a\":2}", "/u server",
          "{\"a\":2,\"u\":1}", "u" },
        { NULL, "{\"a\":1,\"u\":1}", "{\"a\":2,\"u\":1.0}", "/u server",
          "{\"a\":2,\"u\":1.0}", "" },
        { NULL, "{\"a\":1}", "{\"a\":2}", "/a reject", "{\"a\":2}", "" },
        { NULL, "{\"a\":1}", "{\"a\":2}", "/a sum", "{\"a\":2}", "" },
        { NULL, "{\"m\":{\"u\":1,\"x\":1}}", "{\"m\":{\"u\":2,\"x\":2}}",
          "/m/u server", "{\"m\":{\"u\":1,\"x\":2}}", "m/u" },
        { NULL, "{\"m\":{\"u\":1,\"x\":1}}", "{}", "/m/u server",
          "{\"m\":{\"u\":1}}", "m" },

        /* the resource does not exist yet */

        { NULL, NULL, "{\"a\":1,\"u\":2}", "/u server", "{\"a\":1}", "u" },
        { NULL, NULL, "{\"a\":1,\"m\":{\"u\":2,\"x\":1}}", "/m/u server",
          "{\"a\":1,\"m\":{\"x\":1}}", "m/u" },
        { NULL, NULL, "{\"a\":1}", "/u server", "{\"a\":1}", "" }
    };

    (void) state;

    run_cases(cases, count(cases), 0, 0);
}


static void
test_errors(void **state)
{
    size_t             i;
    conflict_merge_t   in;
    conflict_merged_t  out;

    static const struct {
        const char           *server, *client;
        conflict_merge_rc_e   rc;
    } cases[] = {
        { "{\"a\":1}", "{\"a\":1,\"a\":2}", CONFLICT_MERGE_REPEATED },
        { "{\"a\":1}", "{\"b\":{\"a\":1,\"\\u0061\":2}}",
          CONFLICT_MERGE_REPEATED },
        { "{\"a\":1,\"a\":1}", "{\"a\":1}", CONFLICT_MERGE_UNFIT }
    };

    (void) state;

    for (i = 0; i < count(cases); i++) {
        memset(&in, 0, sizeof(in));

        document(&in.server, cases[i].server);
        document(&in.client, cases[i].client);
        in.stale = 1;
        in.values = MOST;
        in.reveal = 1;

        assert_int_equal(conflict_merge(&in, &out), cases[i].rc);
        conflict_merge_free(&out);
    }
}


/* names that an API may take for that of a field of the server's */

static void
test_alike(void **state)
{
    size_t                i, form, stale;
    conflict_field_t      fields[RULES];
    conflict_merge_t      in;
    conflict_merged_t     out;
    conflict_merge_rc_e   rc;

    static const conflict_form_e  forms[] = {
        CONFLICT_FORM_WHOLE, CONFLICT_FORM_SHALLOW, CONFLICT_FORM_DEEP,
        CONFLICT_FORM_MERGE_PATCH
    };

    static const struct {
        const char  *server, *client;
        int          alike;
    } cases[] = {
        { "{\"kiss\":1}", "{\"kiss\":2}", 0 },
        { "{\"kiss\":1}", "{\"\\u006biss\":2}", 0 },
        { "{\"kiss\":1}", "{\"KISS\":2}", 1 },
        { "{\"kiss\":1}", "{\"kiss\":1,\"kisS\":2}", 1 },
        { "{\"kiss\":1}", "{\"\\u004b\\u0049\\u0053\\u0053\":2}", 1 },
        { "{\"kiss\":1}", "{\"\\u212aiss\":2}", 1 },
        { "{\"kiss\":1}", "{\"\xe2\x84\xaai\xc5\xbf\\u017f\":2}", 1 },
        { "{\"kiss\":1}", "{\"Kis\":2,\"Kisss\":2,\"Kisx\":2}", 0 },
        { "{\"kiss\":1}", "{\"Kiss\\u0000\":2}", 0 },
        { "{\"kiss\":1}", "{\"x\":{\"KISS\":2}}", 0 },
        { NULL, "{\"KISS\":2}", 1 },

        /* the API has both */
        { "{\"kiss\":1,\"Kiss\":1}", "{\"kiss\":2,\"Kiss\":2}", 0 },
        { "{\"kiss\":1,\"Kiss\":1}", "{\"KISS\":2}", 1 },

        { "{\"o\":{\"u\":1}}", "{\"o\":{\"U\":2}}", 1 },
        { "{\"o\":{\"u\":1}}", "{\"O\":{\"u\":2}}", 1 },
        { "{\"o\":{\"u\":1}}", "{\"O\":{\"x\":2}}", 0 },
        { "{\"o\":{\"u\":1}}", "{\"O\":2,\"o\":{\"u\":1}}", 0 },
        { "[]", "[{\"KISS\":1}]", 0 },
        { "1", "2", 0 }
    };

    (void) state;

    for (i = 0; i < count(cases); i++) {

        for (form = 0; form < count(forms); form++) {

            for (stale = 0; stale < 2; stale++) {
                memset(&in, 0, sizeof(in));

                document(&in.server, cases[i].server);
                document(&in.client, cases[i].client);
                in.client.form = forms[form];
                in.fields = fields;
                in.n = rules_of("/kiss server,/x lww,/o/u server", fields);
                in.stale = stale;
                in.values = MOST;

                rc = conflict_merge(&in, &out);

                if ((rc == CONFLICT_MERGE_ALIKE) != cases[i].alike) {
                    fail_msg("server %s\nclient %s\nresult %d",
                             cases[i].server, cases[i].client, rc);
                }

                conflict_merge_free(&out);
            }
        }
    }

    /* other rules do not matter */

    document(&in.server, "{\"kiss\":1}");
    document(&in.client, "{\"KISS\":1}");
    in.stale = 0;
    in.n = rules_of("/kiss lww", fields);

    assert_int_not_equal(conflict_merge(&in, &out), CONFLICT_MERGE_ALIKE);
    conflict_merge_free(&out);
}


/* the limit of all documents, and which one exceeds it */

static void
test_values(void **state)
{
    size_t             i, n;
    conflict_field_t   fields[RULES];
    conflict_merge_t   in;
    conflict_merged_t  out;

    static const struct {
        const char           *base, *server, *client;
        const char           *rules;
        size_t                values;
        conflict_merge_rc_e   rc;
    } cases[] = {
        { "[]", "[]", "[]", NULL, 3, CONFLICT_MERGE_SAME },
        { "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"a\":[1]}", NULL, 8,
          CONFLICT_MERGE_DONE },
        { "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"a\":[1]}", NULL, 7,
          CONFLICT_MERGE_MANY },
        { NULL, "{\"a\":1,\"b\":2}", "{\"a\":[1]}", NULL, 6,
          CONFLICT_MERGE_CLASH },
        { NULL, "{\"a\":1,\"b\":2}", "{\"a\":[1]}", NULL, 5,
          CONFLICT_MERGE_MANY },
        { NULL, "{\"a\":1,\"b\":2}", "{\"a\":[1]}", NULL, 3,
          CONFLICT_MERGE_MANY },
        { NULL, "{\"a\":1,\"b\":2}", "{\"a\":[1]}", NULL, 2,
          CONFLICT_MERGE_LARGE },

        /* the client's is checked first */
        { "{\"a\":1,\"a\":1}", "{\"a\":1,\"a\":1}", "[1,2]", NULL, 2,
          CONFLICT_MERGE_LARGE },
        { "{\"a\":1,\"a\":1}", "{\"b\":1}", "{\"b\":1}", NULL, 7,
          CONFLICT_MERGE_SAME },

        /* 6 values; 2, 3 and 3 lines that count as 8 each */
        { "{\"t\":\"a\\n\"}", "{\"t\":\"x\\na\\n\"}", "{\"t\":\"a\\ny\\n\"}",
          "/t text", 6 + 8 * 8, CONFLICT_MERGE_DONE },
        { "{\"t\":\"a\\n\"}", "{\"t\":\"x\\na\\n\"}", "{\"t\":\"a\\ny\\n\"}",
          "/t text", 6 + 8 * 8 - 1, CONFLICT_MERGE_CLASH }
    };

    (void) state;

    for (i = 0; i < count(cases); i++) {

        if (cases[i].rules && !conflict_lines_available()) {
            continue;
        }

        memset(&in, 0, sizeof(in));

        n = rules_of(cases[i].rules, fields);

        document(&in.base, cases[i].base);
        document(&in.server, cases[i].server);
        document(&in.client, cases[i].client);

        in.fields = fields;
        in.n = n;
        in.stale = 1;
        in.values = cases[i].values;
        in.seed = SEED;

        if (conflict_merge(&in, &out) != cases[i].rc) {
            fail_msg("%s, %s, %s with %zu", cases[i].base, cases[i].server,
                     cases[i].client, cases[i].values);
        }

        conflict_merge_free(&out);
    }
}


/* ,"/tags","/title" */

static char *
fields_text(const conflict_merged_t *merged)
{
    char                 *text;
    size_t                len;
    conflict_buffer_t     out;
    const unsigned char  *p, *name;

    memset(&out, 0, sizeof(out));

    p = merged->fields.data;

    while (conflict_merge_report_field(&p, merged->fields.data
                                           + merged->fields.len, &name, &len))
    {
        conflict_buffer_text(&out, ",\"");
        conflict_buffer_add(&out, name, len);
        conflict_buffer_text(&out, "\"");
    }

    text = strndup(out.data ? (char *) out.data : "", out.len);
    conflict_buffer_free(&out);

    return text;
}


static void
test_lists(void **state)
{
    char              *clashes, *fields_of;
    conflict_field_t   fields[RULES];
    conflict_merge_t   in;
    conflict_merged_t  out;

    (void) state;

    memset(&in, 0, sizeof(in));

    document(&in.base, "{\"price\":100,\"a~/b\":{\"x\":[1, 2]},\"gone\":1}");
    document(&in.server, "{\"price\":120,\"a~/b\":{\"x\":[3]},\"t\":0}");
    document(&in.client, "{\"price\":90,\"a~/b\":{\"x\":[ 4 ]},\"gone\":2}");

    in.n = rules_of("/price reject", fields);
    in.fields = fields;
    in.stale = 1;
    in.values = MOST;
    in.reveal = 1;

    assert_int_equal(conflict_merge(&in, &out), CONFLICT_MERGE_CLASH);

    clashes = clashes_text(&out);
    fields_of = fields_text(&out);
    conflict_buffer_add(&out.names, "", 1);

    assert_string_equal(clashes,
        ",{\"field\":\"/price\",\"rule\":\"reject\",\"base\":100,"
        "\"server\":120,\"client\":90}"
        ",{\"field\":\"/a~0~1b/x\",\"rule\":\"auto\",\"base\":[1, 2],"
        "\"server\":[3],\"client\":[ 4 ]}"
        ",{\"field\":\"/gone\",\"rule\":\"auto\",\"client\":2}");
    assert_string_equal(fields_of,
                        ",\"/price\",\"/a~0~1b/x\",\"/gone\"");
    assert_string_equal((char *) out.names.data, "price a~0~1b/x gone");

    free(fields_of);
    free(clashes);
    conflict_merge_free(&out);
}


/* of many large clashes the values are omitted first, then the fields */

static void
test_room(void **state)
{
    char              *server, *client, *p, *q;
    size_t             i, shown, bare;
    conflict_merge_t   in;
    conflict_merged_t  out;
    conflict_clash_t  *clash;

    (void) state;

    memset(&in, 0, sizeof(in));

    p = server = malloc(2 << 20);
    q = client = malloc(2 << 20);

    p += sprintf(p, "{");
    q += sprintf(q, "{");

    for (i = 0; i < 2000; i++) {
        p += sprintf(p, "%s\"%zu\":\"%0100d\"", i ? "," : "", i, 1);
        q += sprintf(q, "%s\"%zu\":\"%0100d\"", i ? "," : "", i, 2);
    }

    (void) sprintf(p, "}");
    (void) sprintf(q, "}");

    document(&in.server, server);
    document(&in.client, client);
    in.stale = 1;
    in.values = 10000;

    assert_int_equal(conflict_merge(&in, &out), CONFLICT_MERGE_CLASH);

    shown = bare = 0;
    clash = (conflict_clash_t *) out.clashes.data;

    for (i = 0; i < out.clashes.len / sizeof(conflict_clash_t); i++) {
        assert_true(clash[i].field >= 2);
        assert_int_equal(clash[i].base, 0);

        if (clash[i].client) {
            shown++;

        } else {
            bare++;
        }
    }

    assert_true(shown > 100);
    assert_true(bare > 0);
    assert_int_equal(shown + bare + out.omitted, 2000);
    assert_true(out.clashes.len + out.values.len <= 65536);

    free(clashes_text(&out));
    free(server);
    free(client);
    conflict_merge_free(&out);
}


/* the limits are those of the JSON that is printed: "<" takes six bytes */

static void
test_printed(void **state)
{
    size_t                n, len;
    char                 *server, *client, *p, *q;
    conflict_merge_t      in;
    conflict_merged_t     out;
    conflict_clash_t     *clash;
    const unsigned char  *list, *last, *name;

    (void) state;

    memset(&in, 0, sizeof(in));

    server = malloc(1 << 20);
    client = malloc(1 << 20);

    sprintf(server, "{\"a\":\"%0*d\"}", 30000, 0);
    memset(strchr(server, ':') + 2, '<', 30000);
    sprintf(client, "{\"a\":\"%0*d\"}", 30001, 0);
    memset(strchr(client, ':') + 2, '<', 30001);

    document(&in.server, server);
    document(&in.client, client);
    in.stale = 1;
    in.values = 10000;

    assert_int_equal(conflict_merge(&in, &out), CONFLICT_MERGE_CLASH);

    clash = (conflict_clash_t *) out.clashes.data;

    assert_int_equal(out.clashes.len, sizeof(conflict_clash_t));
    assert_int_equal(clash->server, 0);
    assert_int_equal(clash->client, 0);

    conflict_merge_free(&out);

    p = server;
    q = client;

    for (n = 0; n < 40; n++) {
        p += sprintf(p, "%s\"%02zu", n ? "," : "{", n);
        q += sprintf(q, "%s\"%02zu", n ? "," : "{", n);

        for (len = 0; len < 400; len++) {
            p += sprintf(p, "\\u0001");
            q += sprintf(q, "\\u0001");
        }

        p += sprintf(p, "\":1");
        q += sprintf(q, "\":2");
    }

    strcpy(p, "}");
    strcpy(q, "}");

    document(&in.server, server);
    document(&in.client, client);

    assert_int_equal(conflict_merge(&in, &out), CONFLICT_MERGE_CLASH);

    n = 0;
    list = out.fields.data;
    last = list + out.fields.len;

    while (conflict_merge_report_field(&list, last, &name, &len)) {
        n += conflict_text_escape(NULL, name, len);
    }

    assert_true(n > 0);
    assert_true(n < 4096 + 6 * 512);

    conflict_merge_free(&out);
    free(server);
    free(client);
}


/* of a list that memory ran out for, the whole fields are read, and no more */

static void
test_fields_cut(void **state)
{
    size_t                n, len, fields;
    unsigned char        *cut;
    const unsigned char  *p, *name;

    static const unsigned char  list[] = "\0\2/a" "\0\3/bc" "\0\0";

    (void) state;

    for (n = 0; n < sizeof(list); n++) {
        cut = malloc(n + 1);
        memcpy(cut, list, n);

        /* so that the sanitizer sees a byte too many */
        cut = realloc(cut, n ? n : 1);

        p = cut;

        for (fields = 0;
             conflict_merge_report_field(&p, cut + n, &name, &len);
             fields++)
        {
            assert_true(name + len <= cut + n);
        }

        assert_int_equal(fields, (n >= 4) + (n >= 9) + (n >= 11));
        free(cut);
    }
}


/* random documents: small, so that members coincide */

static void
random_value(conflict_buffer_t *out, unsigned depth)
{
    char      text[32];
    unsigned  i, n, first;

    switch (rand() % (depth ? 7 : 5)) {

    case 0:
    case 1:
        sprintf(text, "%d", rand() % 4);
        conflict_buffer_text(out, text);
        return;

    case 2:
        sprintf(text, "\"%c\"", 'x' + rand() % 3);
        conflict_buffer_text(out, text);
        return;

    case 3:
        conflict_buffer_text(out, (rand() % 2) ? "true"
                                  : (rand() % 2) ? "0.10" : "null");
        return;

    case 4:
        n = (unsigned) rand() % 4;
        conflict_buffer_text(out, "[");

        for (i = 0; i < n; i++) {
            sprintf(text, "%s%u", i ? "," : "", i * 2 + rand() % 2);
            conflict_buffer_text(out, text);
        }

        conflict_buffer_text(out, "]");
        return;

    default:
        conflict_buffer_text(out, "{");
        first = 1;

        for (i = 0; i < 4; i++) {

            if (rand() % 3 == 0) {
                continue;
            }

            sprintf(text, "%s\"%c\":", first ? "" : ", ", 'a' + i);
            conflict_buffer_text(out, text);
            random_value(out, depth - 1);
            first = 0;
        }

        conflict_buffer_text(out, "}");
    }
}


static char *
random_document(void)
{
    conflict_buffer_t  out;

    memset(&out, 0, sizeof(out));

    do {
        out.len = 0;
        random_value(&out, 3);
    } while (out.data[0] != '{');

    conflict_buffer_add(&out, "", 1);

    return (char *) out.data;
}


static int
same(const char *a, size_t a_len, const char *b)
{
    int               rc;
    size_t            left;
    conflict_tree_t   x, y;
    conflict_value_t  v, w;

    left = MOST;

    if (conflict_tree_parse(&x, (const unsigned char *) a, a_len, &left, SEED)
        != CONFLICT_JSON_OK)
    {
        fail_msg("not JSON, or a member twice: %.*s", (int) a_len, a);
    }

    assert_int_equal(conflict_tree_parse(&y, (const unsigned char *) b,
                                         strlen(b), &left, SEED),
                     CONFLICT_JSON_OK);

    v.tree = &x;
    v.node = 0;
    w.tree = &y;
    w.node = 0;
    rc = conflict_compare_equal(v, w);

    conflict_tree_free(&x);
    conflict_tree_free(&y);

    return rc;
}


/* a clash takes the server's value */

static unsigned  yielding;


/* the result as text, NULL for a clash */

static char *
merged_as(conflict_form_e form, const char *base, const char *server,
    const char *client, const char *rules)
{
    char                 *text;
    conflict_field_t      fields[RULES];
    conflict_merge_t      in;
    conflict_merged_t     out;
    conflict_merge_rc_e   rc;

    memset(&in, 0, sizeof(in));

    document(&in.base, base);
    document(&in.server, server);
    document(&in.client, client);
    in.client.form = form;
    in.n = rules_of(rules, fields);
    in.fields = fields;
    in.stale = 1;
    in.yields = yielding;
    in.values = MOST;
    in.reveal = 1;
    in.seed = SEED;

    rc = conflict_merge(&in, &out);
    text = NULL;

    if (rc == CONFLICT_MERGE_SAME) {
        text = strdup(client);

    } else if (rc == CONFLICT_MERGE_DONE) {
        text = strndup((char *) out.text.data, out.text.len);

    } else {
        assert_int_equal(rc, CONFLICT_MERGE_CLASH);
    }

    conflict_merge_free(&out);

    return text;
}


static char *
merged(const char *base, const char *server, const char *client,
    const char *rules)
{
    return merged_as(CONFLICT_FORM_WHOLE, base, server, client, rules);
}


static void
test_properties(void **state)
{
    int    i;
    char  *b, *s, *c, *r, *q;

    static const char  lenient[] = "/a lww,/b server,/c union,/d sum";

    (void) state;

    srand(1);

    for (i = 0; i < 20000; i++) {
        b = random_document();
        s = random_document();
        c = random_document();

        /* merge(b, s, b) = s, merge(b, b, c) = c, merge(b, x, x) = x */

        r = merged(b, s, b, "");
        assert_non_null(r);
        assert_true(same(r, strlen(r), s));
        free(r);

        r = merged(b, b, c, "");
        assert_non_null(r);
        assert_string_equal(r, c);
        free(r);

        r = merged(b, s, s, "");
        assert_non_null(r);
        assert_string_equal(r, s);
        free(r);

        /* symmetric, unless it is refused */

        r = merged(b, s, c, "");
        q = merged(b, c, s, "");

        if ((r == NULL) != (q == NULL) || (r && !same(r, strlen(r), q))) {
            fail_msg("base %s\nserver %s\nclient %s\none way %s\nthe other %s",
                     b, s, c, r ? r : "clash", q ? q : "clash");
        }

        free(r);
        free(q);

        /* whatever the rules, the result is JSON without duplicate members */

        r = merged(b, s, c, lenient);

        if (r) {
            assert_true(same(r, strlen(r), r));
        }

        free(r);

        r = merged(NULL, s, c, lenient);

        if (r) {
            assert_true(same(r, strlen(r), r));
        }

        free(r);

        free(b);
        free(s);
        free(c);
    }
}


static void
test_yields(void **state)
{
    int    i, clashed;
    char  *b, *s, *c, *r, *q;

    static const char  rules[] = "/a reject,/b union(b),/c sum,/d list,"
                                 "/e server";

    (void) state;

    srand(2);
    clashed = 0;

    for (i = 0; i < 20000; i++) {
        b = random_document();
        s = random_document();
        c = random_document();

        r = merged(b, s, c, rules);

        yielding = 1;
        q = merged(b, s, c, rules);

        /* as without, if nothing clashes; JSON in any case */

        assert_non_null(q);
        assert_true(r ? strcmp(r, q) == 0 : same(q, strlen(q), q));
        clashed += (r == NULL);

        free(r);
        free(q);

        /* without a base and rules, any difference clashes */

        q = merged(NULL, s, c, "");
        assert_non_null(q);
        assert_true(same(q, strlen(q), s));
        free(q);

        yielding = 0;

        free(b);
        free(s);
        free(c);
    }

    assert_true(clashed > 1000);

    /* an element with a key that one side has changed, the other removed */

    yielding = 1;

    q = merged("{\"b\":[{\"b\":1,\"x\":1},{\"b\":2,\"x\":1}]}",
               "{\"b\":[{\"b\":2,\"x\":2}]}", "{\"b\":[{\"b\":1,\"x\":2}]}",
               rules);
    assert_string_equal(q, "{\"b\":[{\"b\":2,\"x\":2}]}");
    free(q);

    yielding = 0;
}


/* applies a part to a document, as an API does */

static char *
applied(const char *doc, const char *part, conflict_form_e form)
{
    conflict_buffer_t    out;
    conflict_document_t  d, p;

    memset(&out, 0, sizeof(out));

    document(&d, doc);
    document(&p, part);
    p.form = form;

    assert_int_equal(conflict_part_apply(&d, &p, &out, MOST, SEED), 0);
    conflict_buffer_add(&out, "", 1);

    return (char *) out.data;
}


/*
 * A part that is merged and then applied gives the same result as merging the
 * document that the client has made of its base.
 */

static void
test_parts_applied(void **state)
{
    int               i;
    char             *b, *s, *c, *whole, *r, *q, *made;
    conflict_form_e   form;

    (void) state;

    srand(3);

    for (i = 0; i < 40000; i++) {
        form = (i % 2) ? CONFLICT_FORM_DEEP : CONFLICT_FORM_SHALLOW;
        b = random_document();
        s = random_document();
        c = random_document();

        whole = applied(b, c, form);

        r = merged(b, s, whole, "");
        q = merged_as(form, b, s, c, "");
        made = q ? applied(s, q, form) : NULL;

        if ((r == NULL) != (q == NULL) || (r && !same(r, strlen(r), made))) {
            fail_msg("form %d: base %s\nserver %s\nclient %s\nsent %s\n"
                     "made %s\nas a whole %s", form, b, s, c,
                     q ? q : "clash", made ? made : "-", r ? r : "clash");
        }

        free(made);
        free(q);
        free(r);
        free(whole);
        free(c);
        free(s);
        free(b);
    }
}


/* a part made of two documents turns one into the other */

static void
test_parts_made(void **state)
{
    int                  i, done;
    char                *a, *b, *made;
    conflict_form_e      form;
    conflict_buffer_t    out;
    conflict_document_t  from, to;

    (void) state;

    srand(4);
    done = 0;

    for (i = 0; i < 40000; i++) {
        form = CONFLICT_FORM_SHALLOW + i % 3;
        a = random_document();
        b = random_document();

        document(&from, a);
        document(&to, b);
        memset(&out, 0, sizeof(out));

        if (conflict_part_diff(&from, &to, form, NULL, &out, MOST, SEED) == 0) {
            conflict_buffer_add(&out, "", 1);
            made = applied(a, (char *) out.data, form);

            if (!same(made, strlen(made), b)) {
                fail_msg("form %d: from %s\nto %s\npart %s\nmade %s", form, a,
                         b, (char *) out.data, made);
            }

            free(made);
            done++;
        }

        conflict_buffer_free(&out);
        free(a);
        free(b);
    }

    assert_true(done > 5000);
}


static void
list_add(char **p, int value)
{
    if ((*p)[-1] != '[') {
        *(*p)++ = ',';
    }

    *p += sprintf(*p, "%d", value);
}


/*
 * A model of "list": every other element stays on both sides, so changes of
 * the elements between them are independent.
 */

static void
test_list_model(void **state)
{
    int    i, j, k, n, next, who, done[2], *own;
    char   base[4096], side[2][4096], model[4096];
    char  *b, *s[2], *m, *r, *q;

    (void) state;

    srand(3);

    for (i = 0; i < 5000; i++) {
        b = base + sprintf(base, "{\"t\":[");
        s[0] = side[0] + sprintf(side[0], "{\"t\":[");
        s[1] = side[1] + sprintf(side[1], "{\"t\":[");
        m = model + sprintf(model, "{\"t\":[");

        n = rand() % 12;
        next = 1000;

        for (j = 0; j < 2 * n + 1; j++) {
            list_add(&b, j);

            who = rand() % 3;
            own = (j % 2 == 0 && who < 2) ? &done[who] : NULL;

            done[0] = done[1] = 0;

            if (own) {
                *own = 1 + rand() % 3;
            }

            for (k = 0; k < 2; k++) {

                if (done[k] == 1) {
                    continue;
                }

                if (done[k] > 1) {
                    list_add(&s[k], next);
                }

                if (done[k] != 2) {
                    list_add(&s[k], j);
                }
            }

            if (own && *own > 1) {
                list_add(&m, next++);
            }

            if (own == NULL || *own > 2) {
                list_add(&m, j);
            }
        }

        sprintf(b, "]}");
        sprintf(s[0], "]}");
        sprintf(s[1], "]}");
        sprintf(m, "]}");

        r = merged(base, side[0], side[1], "/t list");
        q = merged(base, side[1], side[0], "/t list");

        if (r == NULL || q == NULL || strcmp(r, model) != 0
            || strcmp(q, model) != 0)
        {
            fail_msg("base %s\nserver %s\nclient %s\nexpected %s\ngot %s"
                     "\nand %s", base, side[0], side[1], model,
                     r ? r : "a clash", q ? q : "a clash");
        }

        free(r);
        free(q);
    }
}


/* with few distinct elements, none is lost unless both sides remove it */

static void
test_list_random(void **state)
{
    int    i, j, n;
    char   docs[3][256], *p, *r, *q;

    (void) state;

    srand(4);

    for (i = 0; i < 20000; i++) {

        for (j = 0; j < 3; j++) {
            p = docs[j] + sprintf(docs[j], "{\"t\":[");

            for (n = rand() % 6; n > 0; n--) {
                list_add(&p, rand() % 3);
            }

            sprintf(p, "]}");
        }

        r = merged(docs[0], docs[1], docs[2], "/t list");
        q = merged(docs[0], docs[2], docs[1], "/t list");

        if ((r == NULL) != (q == NULL) || (r && strcmp(r, q) != 0)) {
            fail_msg("base %s\nserver %s\nclient %s\none way %s\n"
                     "the other %s", docs[0], docs[1], docs[2],
                     r ? r : "clash", q ? q : "clash");
        }

        free(r);
        free(q);

        r = merged(docs[0], docs[0], docs[2], "/t list");
        assert_string_equal(r, docs[2]);
        free(r);

        r = merged(docs[0], docs[1], docs[0], "/t list");
        assert_string_equal(r, docs[1]);
        free(r);
    }
}


/* comparing arrays with nothing in common is bounded */

static void
test_list_apart(void **state)
{
    int    i, j, most;
    char  *docs[3], *p, *r;

    (void) state;

    for (most = 400; most <= 6000; most += 5600) {

        for (j = 0; j < 3; j++) {
            docs[j] = malloc(16 + 8 * 6000);
            p = docs[j] + sprintf(docs[j], "{\"t\":[-1");

            for (i = 0; i < most; i++) {
                list_add(&p, (j == 1) ? 10000 + i : i);
            }

            sprintf(p, (j == 2) ? ",-2,-3]}" : ",-2]}");
        }

        r = merged(docs[0], docs[1], docs[2], "/t list");

        assert_int_equal(r != NULL, most == 400);

        free(r);

        for (j = 0; j < 3; j++) {
            free(docs[j]);
        }
    }
}


static int
compare_numbers(const void *a, const void *b)
{
    return *(const int *) a - *(const int *) b;
}


static void
numbers_of(const char *text, int *sorted, int *n)
{
    *n = 0;

    for (text = strchr(text, '[') + 1; *text != ']'; text++) {

        if (*text != ',') {
            sorted[(*n)++] = (int) strtol(text, (char **) &text, 10);
            text--;
        }
    }

    qsort(sorted, (size_t) *n, sizeof(int), compare_numbers);
}


static void
test_commute(void **state)
{
    int    i, j, n, m, x[64], y[64], in_b, in_s, in_c;
    char   docs[3][256], *p, *r, *q;

    (void) state;

    srand(2);

    for (i = 0; i < 5000; i++) {

        for (j = 0; j < 3; j++) {
            p = docs[j];
            p += sprintf(p, "{\"v\":%d,\"t\":[", rand() % 100);

            for (n = 0, m = 0; n < 8; n++) {

                if (rand() % 2) {
                    p += sprintf(p, "%s%d", m++ ? "," : "", n);
                }
            }

            sprintf(p, "]}");
        }

        r = merged(docs[0], docs[1], docs[2], "/t union,/v sum");
        q = merged(docs[0], docs[2], docs[1], "/t union,/v sum");

        assert_non_null(r);
        assert_non_null(q);
        assert_int_equal(strtol(r + 5, NULL, 10), strtol(q + 5, NULL, 10));
        assert_int_equal(strtol(r + 5, NULL, 10),
                         strtol(docs[1] + 5, NULL, 10)
                         + strtol(docs[2] + 5, NULL, 10)
                         - strtol(docs[0] + 5, NULL, 10));

        numbers_of(r, x, &n);
        numbers_of(q, y, &m);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, (size_t) n * sizeof(int));

        /* additions and removals of one side are in the result */

        for (j = 0; j < 8; j++) {
            int  list[64], k, l;

            numbers_of(docs[0], list, &l);
            for (in_b = 0, k = 0; k < l; k++) { in_b |= (list[k] == j); }
            numbers_of(docs[1], list, &l);
            for (in_s = 0, k = 0; k < l; k++) { in_s |= (list[k] == j); }
            numbers_of(docs[2], list, &l);
            for (in_c = 0, k = 0; k < l; k++) { in_c |= (list[k] == j); }
            for (l = 0, k = 0; k < n; k++) { l |= (x[k] == j); }

            assert_int_equal(l, in_b ? (in_s && in_c) : (in_s || in_c));
        }

        free(r);
        free(q);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_union),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_list_model),
        cmocka_unit_test(test_list_random),
        cmocka_unit_test(test_list_apart),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_not_held),
        cmocka_unit_test(test_patch),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_bases),
        cmocka_unit_test(test_parts_fresh),
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_alike),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_printed),
        cmocka_unit_test(test_fields_cut),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_yields),
        cmocka_unit_test(test_parts_applied),
        cmocka_unit_test(test_parts_made),
        cmocka_unit_test(test_commute)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
