
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_items: lists, ids, and the places of a member.
 */


#include "unit.h"
#include "core/json/conflict_items.h"


static void
test_pointer(void **state)
{
    size_t                 i;
    conflict_items_path_t  path;

    static const char  *right[] = { "/data/*/version", "/*/v", "/a/0/*/b/c" };

    static const char  *wrong[] = {
        "", "/", "/a", "/*", "/a/*", "*/a", "/a/*/b/*", "/*/*/a", "/**/a",
        "/a*/b", "/a/*b", "/a/*/b~2", "/*/*", "a/*/b"
    };

    (void) state;

    for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(0, conflict_items_pointer(&path, right[i],
                                                   strlen(right[i])));
    }

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {

        if (conflict_items_pointer(&path, wrong[i], strlen(wrong[i])) == 0) {
            fail_msg("\"%s\" was accepted", wrong[i]);
        }
    }

    assert_int_equal(0, conflict_items_pointer(&path, "/data/*/version", 15));
    assert_int_equal(1, path.list.levels);
    assert_int_equal(1, path.member.levels);

    assert_int_equal(0, conflict_items_pointer(&path, "/*/v", 4));
    assert_int_equal(0, path.list.levels);
}


/* each id, and the document with "V" in each place */

static void
mark(const char *pointer, const char *id, const char *text, char *out)
{
    size_t                  i, n, pos, len;
    unsigned char           name[CONFLICT_ITEMS_ID];
    conflict_item_t        *items;
    conflict_json_rc_e      rc;
    conflict_items_path_t   path;
    const unsigned char    *p;

    assert_int_equal(0, conflict_items_pointer(&path, pointer,
                                               strlen(pointer)));
    assert_int_equal(0, conflict_scan_pointer(&path.id, id, strlen(id)));

    p = (const unsigned char *) text;

    rc = conflict_items_find(&path, p, strlen(text), 100, 5, 7, &items, &n);

    if (rc != CONFLICT_JSON_OK) {
        sprintf(out, "error %d", (int) rc);
        assert_null(items);
        return;
    }

    pos = 0;

    for (i = 0; i < n; i++) {
        len = conflict_items_id(name, p, &items[i]);
        out += sprintf(out, "%.*s;", (int) len, (char *) name);
    }

    for (i = 0; i < n; i++) {

        if (items[i].to == 0) {
            continue;
        }

        out += sprintf(out, "%.*s%sV", (int) (items[i].from - pos), text + pos,
                       (items[i].from != items[i].to) ? "="
                       : items[i].first ? "" : ",");
        pos = items[i].to;
    }

    sprintf(out, "%s", text + pos);
    free(items);
}


static void
test_find(void **state)
{
    char    out[1024];
    size_t  i;

    static const struct {
        const char  *pointer, *id, *text, *result;
    } cases[] = {
        { "/data/*/v", "/id", "{\"data\":[{\"id\":1},{\"id\":\"a\"}]}",
          "1;a;{\"data\":[{\"id\":1,V},{\"id\":\"a\",V}]}" },
        { "/*/v", "/id", " [ { \"id\" : 1 } , {\"v\":7,\"id\":2}]",
          "1;2; [ { \"id\" : 1 ,V} , {\"v\":=V,\"id\":2}]" },
        { "/*/v", "/id", "[{\"v\":{\"a\":[]}},{}]", ";;[{\"v\":=V},{V}]" },
        { "/*/m/v", "/m/id", "[{\"m\":{\"id\":3}},{\"m\":1},4,{\"v\":1}]",
          "3;;;;[{\"m\":{\"id\":3,V}},{\"m\":1},4,{\"v\":1}]" },
        { "/1/*/v", "/0", "[[{}],[{\"0\":5},[6]]]",
          "5;6;[[{}],[{\"0\":5,V},[6]]]" },
        { "/*/v", "/id", "[{\"i\\u0064\":\"\\u0061\\n\"}]",
          ";[{\"i\\u0064\":\"\\u0061\\n\",V}]" },
        { "/*/v", "/id", "[{\"\\u0076\":1}]", ";[{\"\\u0076\":=V}]" },

        /* no list */

        { "/data/*/v", "/id", "{\"data\":{}}", "{\"data\":{}}" },
        { "/data/*/v", "/id", "{\"data\":[]}", "{\"data\":[]}" },
        { "/data/*/v", "/id", "{}", "{}" },
        { "/data/*/v", "/id", "[{}]", "[{}]" },
        { "/*/v", "/id", "3", "3" },

        /* errors */

        { "/*/v", "/id", "[{]", "error 1" },
        { "/*/v", "/id", "[{}", "error 1" },
        { "/*/v", "/id", "[{\"v\":1,\"v\":2}]", "error 3" },
        { "/*/v", "/id", "[1,2,3,4,5,6]", "error 4" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mark(cases[i].pointer, cases[i].id, cases[i].text, out);
        assert_string_equal(cases[i].result, out);
    }
}


static void
test_id(void **state)
{
    char             text[512], out[256];
    size_t           i, len;
    conflict_item_t  item;

    static const struct {
        const char  *text, *id;
    } cases[] = {
        { "1", "1" }, { "0", "0" }, { "-7", "-7" },
        { "90071992547409931", "90071992547409931" },
        { "-0", "" }, { "1.0", "" }, { "1e3", "" },
        { "true", "" }, { "null", "" }, { "{}", "" }, { "[1]", "" },
        { "\"a b\"", "a b" }, { "\"\\u00e9\"", "\303\251" },
        { "\"...\"", "..." }, { "\"%2F?#\"", "%2F?#" },
        { "\"\"", "" }, { "\".\"", "" }, { "\"..\"", "" },
        { "\"a/b\"", "" }, { "\"a\\/b\"", "" }, { "\"\\u002e.\"", "" },
        { "\"a\\u0000\"", "" }, { "\"a\\n\"", "" }, { "\"\\u007f\"", "" },
        { "\"\\ud800\"", "" }
    };

    (void) state;

    memset(&item, 0, sizeof(item));

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        item.id_end = strlen(cases[i].text);

        len = conflict_items_id((unsigned char *) out,
                                (const unsigned char *) cases[i].text, &item);
        out[len] = '\0';

        assert_string_equal(cases[i].id, out);
    }

    item.id_end = 0;
    assert_int_equal(0, conflict_items_id((unsigned char *) out,
                                          (const unsigned char *) "", &item));

    /* the longest one */

    memset(text, 'a', sizeof(text));
    text[0] = '"';

    for (i = CONFLICT_ITEMS_ID; i <= CONFLICT_ITEMS_ID + 1; i++) {
        text[i] = 'a';
        text[i + 1] = '"';
        item.id_end = i + 2;

        len = conflict_items_id((unsigned char *) out,
                                (const unsigned char *) text, &item);

        assert_int_equal(i == CONFLICT_ITEMS_ID ? i : 0, len);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_id)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
