
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_scan: documents, pointers, pieces; and generated documents compared
 * with jansson.
 */


#include <jansson.h>

#include "unit.h"
#include "core/json/conflict_scan.h"


typedef struct {
    const char              *text;
    const char              *pointer;
    const char              *value;      /* NULL: not found */
    const char              *cut;        /* what is left without it */
} found_t;


static conflict_json_rc_e
scan(conflict_scan_t *json, const conflict_pointer_t *pointer,
    const char *text, size_t len, size_t step)
{
    size_t              i, n;
    conflict_json_rc_e  rc;

    conflict_scan_init(json, pointer);

    for (i = 0; i < len; i += n) {
        n = len - i < step ? len - i : step;

        rc = conflict_scan_feed(json, (const unsigned char *) text + i, n);
        if (rc != CONFLICT_JSON_OK) {
            return rc;
        }
    }

    return conflict_scan_end(json);
}


static void
compile(conflict_pointer_t *pointer, const char *text)
{
    assert_int_equal(conflict_scan_pointer(pointer, text, strlen(text)), 0);
}


static void
test_pointer(void **state)
{
    size_t              i;
    char                deep[64];
    conflict_pointer_t  p;

    static const char *const  bad[] = { "", "a", "a/b", "/a~", "/a~2", "/~x" };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(conflict_scan_pointer(&p, bad[i], strlen(bad[i])),
                         -1);
    }

    compile(&p, "/a~1b/m~0n//0/12/01");
    assert_int_equal(p.levels, 6);
    assert_memory_equal(&p.text[p.name[0]], "a/b", 3);
    assert_int_equal(p.len[0], 3);
    assert_memory_equal(&p.text[p.name[1]], "m~n", 3);
    assert_int_equal(p.len[2], 0);
    assert_int_equal(p.index[3], 0);
    assert_int_equal(p.index[4], 12);
    assert_int_equal(p.index[5], -1);

    memset(deep, '/', sizeof(deep));
    assert_int_equal(conflict_scan_pointer(&p, deep, CONFLICT_JSON_LEVELS), 0);
    assert_int_equal(conflict_scan_pointer(&p, deep,
                                           CONFLICT_JSON_LEVELS + 1), -1);
}


static void
test_found(void **state)
{
    char                left[256];
    size_t              i, step, len;
    uint64_t            start, end;
    const found_t      *f;
    conflict_scan_t     json;
    conflict_pointer_t  pointer;

    static const found_t  cases[] = {
        { "{\"v\":1}", "/v", "1", "{}" },
        { "{\"v\":-1.5e+3 }", "/v", "-1.5e+3", "{ }" },
        { "{\"v\":\"x\\u0041\\n\"}", "/v", "xA\n", "{}" },
        { "{\"v\":\"\\ud83d\\ude00\"}", "/v", "\xf0\x9f\x98\x80", "{}" },
        { "{\"v\":\"\xc3\xa9\"}", "/v", "\xc3\xa9", "{}" },
        { "\xef\xbb\xbf{\"v\":1}", "/v", "1", "\xef\xbb\xbf{}" },
        { "\xef\xbb\xbf \n{\"w\":1,\"v\":2}", "/v", "2",
          "\xef\xbb\xbf \n{\"w\":1}" },
        { "{\"v\":\"a\\ud83d\"}", "/v", "a\xed\xa0\xbd", "{}" },
        { "{\"v\":\"\\ude00b\"}", "/v", "\xed\xb8\x80" "b", "{}" },
        { "{\"v\":\"\\ud83d\\ud83d\\ude00\"}", "/v",
          "\xed\xa0\xbd\xf0\x9f\x98\x80", "{}" },
        { "{\"v\":\"\\ud83d\\n\\ud83dx\\ud83d\\u0041\"}", "/v",
          "\xed\xa0\xbd\n\xed\xa0\xbdx\xed\xa0\xbd" "A", "{}" },
        { "{\"\\ud83d\":\"\\ud83d\\ud83d\",\"v\":3}", "/v", "3",
          "{\"\\ud83d\":\"\\ud83d\\ud83d\"}" },
        { "{\"v\":true,\"w\":1}", "/v", "true", "{\"w\":1}" },
        { "{\"w\":1,\"v\":null}", "/v", "null", "{\"w\":1}" },
        { "{\"w\":1 , \"v\" : 2 , \"x\":3}", "/v", "2",
          "{\"w\":1 ,  \"x\":3}" },
        { "{\"w\":{\"v\":1},\"v\":2}", "/v", "2", "{\"w\":{\"v\":1}}" },
        { "{\"w\":{\"v\":1},\"v\":2}", "/w/v", "1", "{\"w\":{},\"v\":2}" },
        { "{\"w\":[{\"v\":1},{\"v\":2}]}", "/w/1/v", "2",
          "{\"w\":[{\"v\":1},{}]}" },
        { "{\"w\":[5,6,7]}", "/w/1", "6", "{\"w\":[5,7]}" },
        { "{\"w\":[5,6,7]}", "/w/2", "7", "{\"w\":[5,6]}" },
        { "[[],[1]]", "/1/0", "1", "[[],[]]" },
        { "{\"\\u0076\":3}", "/v", "3", "{}" },
        { "{\"a/b\":{\"m~n\":4}}", "/a~1b/m~0n", "4", "{\"a/b\":{}}" },
        { "{\"\":5}", "/", "5", "{}" },
        { "{\"v\":{}}", "/v", "", "{}" },
        { "{\"v\":[1,[2]],\"w\":0}", "/v", "", "{\"w\":0}" },
        { "{\"vv\":1,\"\":2,\"V\":3}", "/v", NULL, NULL },
        { "{\"w\":{\"x\":{\"v\":1}}}", "/w/v", NULL, NULL },
        { "{\"w\":1}", "/w/v", NULL, NULL },
        { "{\"w\":[1]}", "/w/1", NULL, NULL },
        { "[{\"v\":1}]", "/v", NULL, NULL },
        { "{\"1\":{\"v\":2}}", "/1/v", "2", "{\"1\":{}}" },
        { "17", "/v", NULL, NULL }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f = &cases[i];
        compile(&pointer, f->pointer);
        len = strlen(f->text);

        for (step = 1; step <= len; step++) {
            assert_int_equal(scan(&json, &pointer, f->text, len, step),
                             CONFLICT_JSON_OK);

            if (f->value == NULL) {
                assert_int_equal(json.type, CONFLICT_JSON_NONE);
                continue;
            }

            assert_int_not_equal(json.type, CONFLICT_JSON_NONE);
            assert_int_equal(json.len, strlen(f->value));
            assert_memory_equal(json.text, f->value, json.len);

            conflict_scan_cut(&json, &start, &end);
            memcpy(left, f->text, start);
            strcpy(left + start, f->text + end);
            assert_string_equal(left, f->cut);
        }
    }
}


static void
test_parent(void **state)
{
    conflict_scan_t     json;
    conflict_pointer_t  pointer;

    (void) state;

    compile(&pointer, "/data/v");

    scan(&json, &pointer, "{\"data\":{\"a\":1},\"b\":2}", 22, 100);
    assert_int_equal(json.parent_type, CONFLICT_JSON_OBJECT);
    assert_int_equal(json.parent_end, 14);
    assert_int_equal(json.parent_empty, 0);

    scan(&json, &pointer, "{\"data\":{ }}", 12, 100);
    assert_int_equal(json.parent_end, 10);
    assert_int_equal(json.parent_empty, 1);

    scan(&json, &pointer, "{\"data\":[1]}", 12, 100);
    assert_int_equal(json.parent_type, CONFLICT_JSON_ARRAY);

    scan(&json, &pointer, "{\"a\":{}}", 8, 100);
    assert_int_equal(json.parent_type, CONFLICT_JSON_NONE);
    assert_int_equal(json.parent_end, -1);
}


static void
test_repeated(void **state)
{
    size_t              i;
    conflict_scan_t     json;
    conflict_pointer_t  pointer;

    static const char *const  repeated[] = {
        "{\"a\":{\"v\":1,\"v\":1}}",
        "{\"a\":{\"v\":1},\"a\":{}}",
        "{\"a\":1,\"\\u0061\":{\"v\":1}}"
    };

    static const char *const  not[] = {
        "{\"b\":1,\"b\":2,\"a\":{\"v\":1}}",
        "{\"a\":{\"v\":{\"v\":1,\"v\":2}}}",
        "{\"v\":1,\"v\":2}"
    };

    (void) state;

    compile(&pointer, "/a/v");

    for (i = 0; i < 3; i++) {
        assert_int_equal(scan(&json, &pointer, repeated[i],
                              strlen(repeated[i]), 3),
                         CONFLICT_JSON_REPEATED);
        assert_int_equal(scan(&json, &pointer, not[i], strlen(not[i]), 3),
                         CONFLICT_JSON_OK);
    }
}


static void
test_depth(void **state)
{
    char             text[2 * CONFLICT_JSON_DEPTH + 2];
    conflict_scan_t  json;

    (void) state;

    memset(text, '[', CONFLICT_JSON_DEPTH);
    memset(text + CONFLICT_JSON_DEPTH, ']', CONFLICT_JSON_DEPTH);

    assert_int_equal(scan(&json, NULL, text, 2 * CONFLICT_JSON_DEPTH, 7),
                     CONFLICT_JSON_OK);

    memset(text, '[', CONFLICT_JSON_DEPTH + 1);
    assert_int_equal(scan(&json, NULL, text, CONFLICT_JSON_DEPTH + 1, 7),
                     CONFLICT_JSON_TOO_DEEP);
}


static void
test_long(void **state)
{
    int                 i;
    char               *text;
    size_t              n;
    conflict_scan_t     json;
    conflict_pointer_t  pointer;

    (void) state;

    compile(&pointer, "/v");

    text = malloc(4096);
    assert_non_null(text);

    /* the stored text, around its limit */

    for (i = -2; i <= 2; i++) {
        n = (size_t) (CONFLICT_JSON_TEXT + i);
        memset(text, '7', 4096);
        memcpy(text, "{\"v\":", 5);
        text[5 + n] = '}';

        assert_int_equal(scan(&json, &pointer, text, 6 + n, 10),
                         CONFLICT_JSON_OK);
        assert_int_equal(json.cut_short, i > 0);
        assert_int_equal(json.end - json.value, n);
    }

    /* a name longer than any pointer, with this one as its beginning */

    memset(text, 'v', 4096);
    memcpy(text, "{\"v", 3);
    memcpy(text + 3000, "\":1}", 4);

    assert_int_equal(scan(&json, &pointer, text, 3004, 11), CONFLICT_JSON_OK);
    assert_int_equal(json.type, CONFLICT_JSON_NONE);

    free(text);
}


/* the place of an error does not depend on the pieces */

static void
test_place(void **state)
{
    size_t           i, step, len, line, column;
    conflict_scan_t  json;

    static const struct {
        const char  *text;
        size_t       line, column;
    } cases[] = {
        { "", 1, 1 },
        { "x", 1, 1 },
        { "{\"a\":1,}", 1, 8 },
        { "{\"a\":1", 1, 7 },
        { "{\n  \"a\": 01\n}", 2, 9 },
        { "{\r\n\r\n \"a\" 1}", 3, 6 },
        { "{\"a\":NaN}", 1, 6 },
        { "[tru]", 1, 5 },
        { "[-]", 1, 3 },
        { "[1.e1]", 1, 4 },
        { "[\"a\\x\"]", 1, 5 },
        { "[\"\\u12g4\"]", 1, 7 },
        { "[\"\\ud83d\\x\"]", 1, 10 },
        { "[\"\tb\"]", 1, 3 },
        { "[\"\xc3\xa9\xe2\x82\xac\xff\"]", 1, 5 },
        { "\xef\xbb\xbf{]", 1, 2 },
        { "\xef\xbb{}", 1, 2 },
        { "{} {", 1, 4 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = strlen(cases[i].text);

        for (step = 1; step <= len + 1; step++) {
            assert_int_equal(scan(&json, NULL, cases[i].text, len, step),
                             CONFLICT_JSON_MALFORMED);

            conflict_text_place((const unsigned char *) cases[i].text,
                                (size_t) json.offset, &line, &column);

            if (line != cases[i].line || column != cases[i].column) {
                fail_msg("\"%s\" by %u: line %u, column %u", cases[i].text,
                         (unsigned) step, (unsigned) line, (unsigned) column);
            }
        }
    }
}


static void
test_plain(void **state)
{
    size_t         i, j, k;
    unsigned char  text[600];

    static const unsigned char  odd[] = { '"', '\\', 0, 0x1f, 0x80, 0xff };

    (void) state;

    /* each special byte at each offset in each alignment of the blocks */

    for (k = 0; k < sizeof(odd); k++) {
        for (i = 0; i < 16; i++) {
            for (j = i; j < 600; j++) {
                memset(text, 'a', sizeof(text));
                text[j] = odd[k];
                assert_ptr_equal(conflict_text_plain(text + i, text + 600),
                                 text + j);
            }
        }
    }

    memset(text, 0x7f, sizeof(text));
    assert_ptr_equal(conflict_text_plain(text, text + 600), text + 600);
}


static void
test_escape(void **state)
{
    size_t         i, n;
    unsigned char  out[64];

    static const struct {
        const char *in, *out;
    } cases[] = {
        { "", "" },
        { "abc", "abc" },
        { "\"\\/", "\\\"\\\\/" },
        { "\n\x7f", "\\u000a\\u007f" },
        { "\xc3\xa9", "\xc3\xa9" },
        { "\xc3\xa9\xff", "\xc3\xa9\\ufffd" },
        { "\xc3", "\\ufffd" },
        { "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
        { "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
        { "<!--#&-->", "\\u003c!--#\\u0026--\\u003e" },
        { "\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa",
          "\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa" },
        { "\xe2\x80", "\\ufffd\\ufffd" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = conflict_text_escape(NULL, (const unsigned char *) cases[i].in,
                                 strlen(cases[i].in));
        assert_int_equal(n, strlen(cases[i].out));
        assert_int_equal(conflict_text_escape(out,
                                        (const unsigned char *) cases[i].in,
                                        strlen(cases[i].in)), n);
        assert_memory_equal(out, cases[i].out, n);
    }
}


/* forwarded documents keep their spelling, shown texts do not */

static void
test_escape_markup(void **state)
{
    unsigned char  out[128];
    size_t         n;

    static const char  text[] = "\"<\xe2\x80\xa8";
    static const char  half[] = "\xed\xa0\xbd\xed\xbf\xbf\xed\xa0";
    static const char  value[] = "{\"<a>\":[\"\xe2\x80\xa9&\",\"\xe2\x80\"],"
                                 "\"\x7f\":\"\xc2\x9b\xc2\xa0"
                                 "\xef\xbf\xbd\xc2\"}";
    static const char  safe[] = "{\"\\u003ca\\u003e\":"
                                "[\"\\u2029\\u0026\",\"\xe2\x80\"],"
                                "\"\\u007f\":\"\\u009b\xc2\xa0"
                                "\\ufffd\xc2\"}";

    (void) state;

    n = conflict_text_quote(out, (const unsigned char *) text,
                            sizeof(text) - 1);
    assert_int_equal(n, sizeof(text));
    assert_memory_equal(out, "\\\"<\xe2\x80\xa8", n);

    /* an unpaired surrogate survives decoding and encoding */

    n = conflict_text_quote(out, (const unsigned char *) half,
                            sizeof(half) - 1);
    assert_int_equal(n, 24);
    assert_memory_equal(out, "\\ud83d\\udfff\\ufffd\\ufffd", n);

    n = conflict_text_defuse(NULL, (const unsigned char *) value,
                             sizeof(value) - 1);
    assert_int_equal(n, sizeof(safe) - 1);
    assert_int_equal(conflict_text_defuse(out, (const unsigned char *) value,
                                          sizeof(value) - 1), n);
    assert_memory_equal(out, safe, n);
}


/* arbitrary bytes, converted to UTF-8 */

static void
test_repair(void **state)
{
    size_t         i, n;
    unsigned char  out[64];

#define BAD  "\xef\xbf\xbd"

    static const struct {
        const char *in;
        size_t      len;
        const char *out;
    } cases[] = {
        { "", 0, "" },
        { "a\"\\<\n\x7f", 6, "a\"\\<\n\x7f" },
        { "\xc3\xa9\xf0\x9f\x98\x80", 6, "\xc3\xa9\xf0\x9f\x98\x80" },
        { "\xc3\xa9\xff\xc3", 4, "\xc3\xa9" BAD BAD },
        { "\xed\xa0\x80.", 4, BAD BAD BAD "." },
        { "\xf4\x90\x80\x80", 4, BAD BAD BAD BAD },
        { "\xc0\x80", 2, BAD BAD },
        { "\xe2\x80", 2, BAD BAD },
        { "\xe2\x80" "a", 3, BAD BAD "a" },
        { BAD, 3, BAD }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = conflict_text_repair(NULL, (const unsigned char *) cases[i].in,
                                 cases[i].len);
        assert_int_equal(n, strlen(cases[i].out));
        assert_int_equal(conflict_text_repair(out,
                                         (const unsigned char *) cases[i].in,
                                         cases[i].len), n);
        assert_memory_equal(out, cases[i].out, n);
    }

    n = conflict_text_repair(out, (const unsigned char *) "a\0\xff", 3);
    assert_int_equal(n, 5);
    assert_memory_equal(out, "a\0" BAD, 5);

#undef BAD
}


static unsigned  seed = 20261124;


static unsigned
draw(unsigned n)
{
    seed = seed * 1103515245 + 12345;

    return (seed >> 16) % n;
}


/* a mostly well-formed document, with cases on which parsers differ */

static size_t
generate(char *p, size_t room, unsigned depth)
{
    size_t    n, i, k;

    static const char *const  scalars[] = {
        "0", "-0", "12", "-3.25", "1e5", "1E-2", "\"\"", "\"a\"",
        "\"\\u00e9\"", "\"\\ud83d\\ude00\"", "\"\xe2\x82\xac\"", "true",
        "false", "null", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\"",
        "01", "+1", ".5", "1.", "1e", "nul", "\"\\x\"", "\"\\ud80\"",
        "\"\xff\"", "\"\t\"", "'a'", "tru", "\"\\u12g4\"",
        " \xef\xbb\xbf" "1"
    };

    static const char *const  spaces[] = { "", "", "", " ", "\n\t", "\r " };

    n = (size_t) sprintf(p, "%s", spaces[draw(6)]);

    if (depth == 0 || room < 64 || draw(3) == 0) {
        /* one in ten is malformed */
        k = draw(10) ? draw(16) : draw(30);
        n += (size_t) sprintf(p + n, "%s", scalars[k]);

    } else if (draw(2)) {
        p[n++] = '[';
        k = draw(4);

        for (i = 0; i < k; i++) {
            n += generate(p + n, room / (k + 1), depth - 1);
            p[n++] = ',';
        }

        if (k && draw(30)) {
            n--;
        }

        p[n++] = draw(60) ? ']' : '}';

    } else {
        p[n++] = '{';
        k = draw(4);

        for (i = 0; i < k; i++) {
            n += (size_t) sprintf(p + n, "%s\"%c%u\"%s", spaces[draw(6)],
                                  'a' + (int) draw(3), (unsigned) i,
                                  draw(80) ? ":" : "");
            n += generate(p + n, room / (k + 1), depth - 1);
            p[n++] = ',';
        }

        if (k && draw(30)) {
            n--;
        }

        p[n++] = draw(60) ? '}' : ']';
    }

    n += (size_t) sprintf(p + n, "%s", spaces[draw(6)]);

    return n;
}


static void
test_jansson(void **state)
{
    int                 i, good;
    char               *text;
    json_t             *tree;
    size_t              n;
    conflict_scan_t     json;
    conflict_json_rc_e  rc;

    (void) state;

    text = malloc(1 << 16);
    assert_non_null(text);

    good = 0;

    for (i = 0; i < 200000; i++) {
        n = generate(text, 4096, 5);

        rc = scan(&json, NULL, text, n, 1 + draw(40));

        tree = json_loadb(text, n, JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);

        if ((rc == CONFLICT_JSON_OK) != (tree != NULL)) {
            fail_msg("jansson %s \"%.*s\"", tree ? "takes" : "refuses",
                     (int) n, text);
        }

        good += (tree != NULL);
        json_decref(tree);
    }

    /* otherwise the test proves nothing */
    assert_in_range(good, 50000, 180000);

    free(text);
}


/* an escape is valid or not, whatever the pieces, stored or not */

static void
test_escapes(void **state)
{
    size_t              i, k, len, step;
    char                text[1024], *p;
    conflict_scan_t     json;
    conflict_json_rc_e  rc;
    conflict_pointer_t  pointer;

    static const struct {
        const char          *escape;
        conflict_json_rc_e   rc;
    } cases[] = {
        { "\\n", CONFLICT_JSON_OK },
        { "\\/", CONFLICT_JSON_OK },
        { "\\\"", CONFLICT_JSON_OK },
        { "\\\\", CONFLICT_JSON_OK },
        { "\\u00e9", CONFLICT_JSON_OK },
        { "\\uABCD", CONFLICT_JSON_OK },
        { "\\uabcd", CONFLICT_JSON_OK },
        { "\\ud83d\\ude00", CONFLICT_JSON_OK },
        { "\\uDBFF\\uDFFF", CONFLICT_JSON_OK },
        { "\\x", CONFLICT_JSON_MALFORMED },
        { "\\N", CONFLICT_JSON_MALFORMED },
        { "\\U0041", CONFLICT_JSON_MALFORMED },
        { "\\u00g0", CONFLICT_JSON_MALFORMED },
        { "\\u00@0", CONFLICT_JSON_MALFORMED },
        { "\\u00:0", CONFLICT_JSON_MALFORMED },
        { "\\u00`0", CONFLICT_JSON_MALFORMED },
        { "\\u000", CONFLICT_JSON_MALFORMED },
        { "\\ud83d", CONFLICT_JSON_OK },
        { "\\ud83dx", CONFLICT_JSON_OK },
        { "\\ud83d\\n", CONFLICT_JSON_OK },
        { "\\ud83d\\u0041", CONFLICT_JSON_OK },
        { "\\ud83d\\ud83d", CONFLICT_JSON_OK },
        { "\\ude00", CONFLICT_JSON_OK },
        { "\\ude00\\ud83d", CONFLICT_JSON_OK },
        { "\\ud83d\\x", CONFLICT_JSON_MALFORMED },
        { "\\ud83d\\u00g0", CONFLICT_JSON_MALFORMED },
        { "\\ud83d\\", CONFLICT_JSON_MALFORMED }
    };

    /* in the name in question, in another one, in a stored value */

    static const char *const  around[] = {
        "{\"%s\":1}", "[{\"%s\":1}]", "{\"a\":\"%s\"}", "[\"%s\"]"
    };

    (void) state;

    compile(&pointer, "/a");

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        for (k = 0; k < 8; k++) {
            p = text;
            p += sprintf(p, "%.*s", (int) (strstr(around[k / 2], "%s")
                                           - around[k / 2]), around[k / 2]);

            /* more of them than fit in a name or a stored value */

            for (len = 0; len < ((k % 2) ? 300 : 1); len++) {
                *p++ = 'x';
            }

            p += sprintf(p, "%s", cases[i].escape);
            p += sprintf(p, "%s", strstr(around[k / 2], "%s") + 2);
            len = (size_t) (p - text);

            for (step = 1; step < 20; step++) {
                rc = scan(&json, (k / 2) % 2 ? NULL : &pointer, text, len,
                          step);

                if (rc != cases[i].rc) {
                    fail_msg("%s by %zu: %d", text, step, rc);
                }
            }

            assert_int_equal(scan(&json, &pointer, text, len, len),
                             cases[i].rc);
        }
    }
}


static void
test_pointer_within(void **state)
{
    size_t              i;
    conflict_pointer_t  inner, outer;

    static const struct {
        const char          *inner;
        const char          *outer;
        int                  within;
    } cases[] = {
        { "/a", "/a", 1 },
        { "/a/b", "/a", 1 },
        { "/a", "/a/b", 0 },
        { "/ab", "/a", 0 },
        { "/b/a", "/a", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(conflict_scan_pointer(&inner, cases[i].inner,
                                               strlen(cases[i].inner)),
                         0);
        assert_int_equal(conflict_scan_pointer(&outer, cases[i].outer,
                                               strlen(cases[i].outer)),
                         0);
        assert_int_equal(conflict_scan_pointer_within(&inner, &outer),
                         cases[i].within);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_pointer_within),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_escape_markup),
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_jansson)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
