
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_version, conflict_etag, conflict_mtime and conflict_hash: versions,
 * entity tags, modification times.
 */


#include "unit.h"
#include "core/text/conflict_hash.h"
#include "core/text/conflict_time.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"


#define text_version(s)  conflict_version_from_text(s, strlen(s))
#define tag_version(s)   conflict_version_from_tag(s, strlen(s))
#define etag_version(s)  conflict_version_from_etag(s, strlen(s))
#define member_version(s)  conflict_version_from_member(s, strlen(s))


static void
test_parse(void **state)
{
    size_t    i;
    uint64_t  v;

    static const char *const  bad[] = {
        "", "0", "01", "-1", "1.5", "a", "1a", " 1", "9007199254740992",
        "99999999999999999999"
    };

    (void) state;

    assert_int_equal(conflict_version_parse(&v, "1", 1), 0);
    assert_int_equal(v, 1);
    assert_int_equal(conflict_version_parse(&v, "9007199254740991", 16), 0);
    assert_int_equal(v, CONFLICT_VERSION_LIMIT - 1);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(conflict_version_parse(&v, bad[i], strlen(bad[i])),
                         -1);
    }
}


static void
test_text(void **state)
{
    (void) state;

    assert_int_equal(text_version("17"), 17);
    assert_true(text_version("017") & CONFLICT_VERSION_OPAQUE);
    assert_true(text_version("0") & CONFLICT_VERSION_OPAQUE);
    assert_true(text_version("abc") != text_version("abd"));
    assert_true(text_version("abc") == text_version("abc"));

    assert_int_equal(etag_version("\"17\""), 17);
    assert_true(etag_version("\"abc\"") == text_version("abc"));

    /* an upstream's weak tag equals no client's tag */

    assert_true(etag_version("W/\"abc\"") != text_version("abc"));
    assert_true(etag_version("W/\"17\"") != 17);
    assert_int_not_equal(etag_version("W/\"17\""), 0);

    assert_int_equal(etag_version("17"), 0);
    assert_int_equal(etag_version("\"17"), 0);
    assert_int_equal(etag_version("\"17\", \"18\""), 0);
}


static void
test_tag(void **state)
{
    size_t  i;

    static const char *const  named[] = {
        "17", "17.", "17.abc", "17.W/abc", "17.5", "17.17.17", "17..",
        "17.\xc3\xa9", "17-gzip", "17--gzip", "17;gzip", "17-br", "17;br",
        "17-zstd", "17;zstd", "17-deflate", "17.abc-gzip"
    };

    static const char *const  opaque[] = {
        "", ".", ".17", "017", "017.abc", "0", "0.abc", "abc", "abc.17",
        "17a", "17a.b", "17/b", "-17.b", " 17.b", "17gzip", "17---gzip",
        "-gzip", ";br", "17-gzip-br", "17 -gzip", "W/17.abc",
        "9007199254740992.abc", "99999999999999999999.abc"
    };

    (void) state;

    for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        assert_int_equal(tag_version(named[i]), 17);
    }

    for (i = 0; i < sizeof(opaque) / sizeof(opaque[0]); i++) {
        assert_true(tag_version(opaque[i]) & CONFLICT_VERSION_OPAQUE);
        assert_true(tag_version(opaque[i]) == text_version(opaque[i]));
    }

    assert_int_equal(tag_version("9007199254740991.abc"),
                     CONFLICT_VERSION_LIMIT - 1);

    /* only the given length is read */

    assert_int_equal(conflict_version_from_tag("17.abc", 1), 1);
    assert_true(conflict_version_from_tag(NULL, 0) & CONFLICT_VERSION_OPAQUE);
}


static void
test_member(void **state)
{
    (void) state;

    /* in a member, weak and strong tags are the same */

    assert_true(member_version("W/\"v1\"") == text_version("v1"));
    assert_true(member_version("\"v1\"") == text_version("v1"));
    assert_true(member_version("v1") == text_version("v1"));
    assert_int_equal(member_version("W/\"17\""), 17);
    assert_int_equal(member_version("17"), 17);

    assert_true(member_version("\"v1") == text_version("\"v1"));
    assert_true(member_version("\"a\",\"b\"") == text_version("\"a\",\"b\""));
}


static void
test_bare(void **state)
{
    size_t            i;
    const char       *p;
    conflict_etag_t   etag;

    static const struct {
        const char  *text;
        size_t       len;
    } cases[] = {
        { "abc", 3 }, { "", 0 }, { "abc-gzip", 3 }, { "abc--gzip", 3 },
        { "abc;gzip", 3 }, { "abc-br", 3 }, { "abc;br", 3 },
        { "abc-zstd", 3 }, { "abc;zstd", 3 }, { "abc-deflate", 3 },
        { "abcgzip", 7 }, { "abc-GZIP", 8 }, { "-gzip", 0 }, { "gzip", 4 },
        { "br", 2 }, { "a-br-gzip", 4 }, { "abc-gzip ", 9 }
    };

    static const char *const  plain[] = {
        "17", " ,\t17 ", "17.abc", "17-gzip", "17,x", "17 , 18"
    };

    static const char *const  not[] = {
        "", ",", "x", "17x", "017", "\"17\"", "17\"", "17 18", "W/17", "*",
        "9007199254740992", "17\x01"
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(conflict_etag_bare(cases[i].text,
                                            strlen(cases[i].text)),
                         cases[i].len);
    }

    for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        p = plain[i];
        assert_int_equal(conflict_version_unquoted(&p, p + strlen(p), &etag),
                         0);
        assert_int_equal(conflict_version_from_tag(etag.data, etag.len), 17);
        assert_true(*p == '\0' || *p == ',');
    }

    for (i = 0; i < sizeof(not) / sizeof(not[0]); i++) {
        p = not[i];
        assert_int_equal(conflict_version_unquoted(&p, p + strlen(p), &etag),
                         -1);
        assert_ptr_equal(p, not[i]);
    }
}


static void
test_own(void **state)
{
    size_t           i;
    conflict_etag_t  own;

    static const struct {
        const char  *text;
        const char  *own;         /* NULL: none */
        unsigned     weak;
    } tags[] = {
        { "", NULL, 0 },
        { "17", NULL, 0 },
        { "17.", "", 0 },
        { "17.abc", "abc", 0 },
        { "17.a.b", "a.b", 0 },
        { "17.W/abc", "abc", 1 },
        { "17.W/", "", 1 },
        { "17.W", "W", 0 },
        { "17.w/abc", "w/abc", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {

        if (tags[i].own == NULL) {
            assert_int_equal(conflict_version_upstream_tag(
                    &own, tags[i].text, strlen(tags[i].text)), -1);
            continue;
        }

        assert_int_equal(conflict_version_upstream_tag(
                &own, tags[i].text, strlen(tags[i].text)), 0);
        assert_int_equal(own.len, strlen(tags[i].own));
        assert_memory_equal(own.data, tags[i].own, own.len);
        assert_int_equal(own.weak, tags[i].weak);
    }
}


static void
test_next(void **state)
{
    (void) state;

    assert_int_equal(conflict_version_next(0, 1000), 1000);
    assert_int_equal(conflict_version_next(999, 1000), 1000);
    assert_int_equal(conflict_version_next(1000, 1000), 1001);
    assert_int_equal(conflict_version_next(5000, 1000), 5001);
}


static void
test_list(void **state)
{
    int               n;
    size_t            i;
    const char       *p, *last;
    conflict_etag_e   rc;
    conflict_etag_t   etag;

    static const struct {
        const char  *text;
        int          tags;        /* -1: malformed */
        int          weak;
    } lists[] = {
        { "", 0, 0 },
        { " , ,\t", 0, 0 },
        { "\"a\"", 1, 0 },
        { "W/\"a\"", 1, 1 },
        { "\"\"", 1, 0 },
        { "\"a\",\"b\"", 2, 0 },
        { "\"a\" , W/\"b\" ,, \"c,d\" ", 3, 1 },
        { "\"\xc3\xa9!#~\"", 1, 0 },
        { "\"a\"-gzip", 1, 0 },
        { "\"a\";br , W/\"b\"--gzip", 2, 0 },
        { "\"a\"-gzip\"b\"", -1, 0 },
        { "\"a\";gzip;br", -1, 0 },
        { "\"a\";", -1, 0 },
        { "a", -1, 0 },
        { "*", -1, 0 },
        { "\"a\", *", -1, 0 },
        { "\"a", -1, 0 },
        { "\"a\" \"b\"", -1, 0 },
        { "\"a\"b", -1, 0 },
        { "w/\"a\"", -1, 0 },
        { "W/", -1, 0 },
        { "W/a", -1, 0 },
        { "\"a b\"", -1, 0 },
        { "\"a\x01\"", -1, 0 },
        { "\"a\x7f\"", -1, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        p = lists[i].text;
        last = p + strlen(p);
        n = 0;

        while ((rc = conflict_etag_next(&p, last, &etag))
               == CONFLICT_ETAG_TAG)
        {
            n++;
        }

        assert_int_equal(rc == CONFLICT_ETAG_MALFORMED ? -1 : n,
                         lists[i].tags);
    }
}


static void
test_mtime(void **state)
{
    int64_t   t, s;
    unsigned  twice;

    (void) state;

    s = CONFLICT_TIME_SECOND;
    t = 100 * s;
    twice = 0;

    conflict_mtime_next(&t, &twice, 101 * s + 5);
    assert_int_equal(t, 101 * s + 5);
    assert_int_equal(twice, 0);
    assert_int_equal(conflict_mtime_second(t, twice), 101);

    /* again in this second: shown under the next one */

    conflict_mtime_next(&t, &twice, 101 * s + 9);
    assert_int_equal(conflict_mtime_second(t, twice), 102);

    /* and in that one, which may have been shown */

    conflict_mtime_next(&t, &twice, 102 * s + 1);
    assert_int_equal(conflict_mtime_second(t, twice), 103);

    conflict_mtime_next(&t, &twice, 104 * s);
    assert_int_equal(conflict_mtime_second(t, twice), 104);

    /* a clock that is set back */

    conflict_mtime_next(&t, &twice, 50 * s);
    assert_int_equal(t, 104 * s + 1);
    assert_int_equal(conflict_mtime_second(t, twice), 105);

    /* times from an upstream: coarser, later, earlier */

    t = 200 * s + 7;
    twice = 0;
    conflict_mtime_observe(&t, &twice, 200 * s);
    assert_int_equal(t, 200 * s + 7);
    conflict_mtime_observe(&t, &twice, 201 * s);
    assert_int_equal(t, 201 * s);
    assert_int_equal(twice, 0);
    conflict_mtime_observe(&t, &twice, 199 * s);
    assert_int_equal(t, 199 * s);
    assert_int_equal(twice, 1);
    conflict_mtime_observe(&t, &twice, 199 * s + 5);
    assert_int_equal(t, 199 * s + 5);
    assert_int_equal(twice, 1);

    /* the second that was shown instead of that one */

    conflict_mtime_observe(&t, &twice, 200 * s);
    assert_int_equal(conflict_mtime_second(t, twice), 201);
    conflict_mtime_observe(&t, &twice, 202 * s);
    assert_int_equal(conflict_mtime_second(t, twice), 202);
}


/* whatever the clock does, no second is shown for two versions */

static void
test_mtime_shown(void **state)
{
    int       i;
    int64_t   t, now, shown, last;
    unsigned  twice, seed;

    (void) state;

    t = now = 1000 * CONFLICT_TIME_SECOND;
    twice = 0;
    last = 0;
    seed = 1;

    for (i = 0; i < 100000; i++) {
        seed = seed * 1103515245 + 12345;
        now += (int64_t) ((seed >> 16) % 700000) - 50000;

        conflict_mtime_next(&t, &twice, now);
        shown = conflict_mtime_second(t, twice);

        /* not shown before its second has begun */

        if (shown <= now / CONFLICT_TIME_SECOND) {
            assert_true(shown > last);
            last = shown;
        }
    }
}


static void
test_hash(void **state)
{
    uint64_t         a, b, k[2], l[2];
    conflict_hash_t  hash;

    (void) state;

    conflict_hash_init(&hash, 0);
    conflict_hash_update(&hash, "ab", 2);
    conflict_hash_update(&hash, "c", 1);
    a = conflict_hash_final(&hash);

    conflict_hash_init(&hash, 0);
    conflict_hash_update(&hash, "a", 1);
    conflict_hash_update(&hash, "bc", 2);
    assert_true(conflict_hash_final(&hash) == a);

    conflict_hash_init(&hash, 0);
    conflict_hash_field(&hash, "ab", 2);
    conflict_hash_field(&hash, "c", 1);
    a = conflict_hash_final(&hash);

    conflict_hash_init(&hash, 0);
    conflict_hash_field(&hash, "a", 1);
    conflict_hash_field(&hash, "bc", 2);
    b = conflict_hash_final(&hash);
    assert_true(a != b);

    conflict_hash_128(k, "abc", 3, 1);
    conflict_hash_128(l, "abc", 3, 2);
    assert_true(k[0] != l[0] && k[1] != l[1]);
}


/* whatever the memory contained, with its own seed as well */

static void
test_hash_dirty(void **state)
{
    size_t           i;
    uint64_t         clean;
    char             long_one[300];
    conflict_hash_t  hash;

    (void) state;

    memset(long_one, 'x', sizeof(long_one));
    memset(&hash, 0, sizeof(conflict_hash_t));

    conflict_hash_init(&hash, 7);
    conflict_hash_update(&hash, long_one, sizeof(long_one));
    clean = conflict_hash_final(&hash);

    for (i = 0; i < sizeof(hash.u.opaque) / sizeof(hash.u.opaque[0]); i++) {
        hash.u.opaque[i] ^= 0x5a5a5a5a5a5a5a5a;

        conflict_hash_init(&hash, 7);
        conflict_hash_update(&hash, long_one, sizeof(long_one));
        assert_true(conflict_hash_final(&hash) == clean);
    }
}


static void
test_unquote(void **state)
{
    size_t       i, len;
    const char  *text;

    static const char  *cases[][2] = {
        { "\"7\"", "7" },
        { "\"\"", "" },
        { "\"", "\"" },
        { "", "" },
        { "7", "7" },
        { "\"7", "\"7" },
        { "W/\"7\"", "W/\"7\"" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        text = cases[i][0];
        len = strlen(text);

        conflict_version_unquote(&text, &len);

        assert_int_equal(len, strlen(cases[i][1]));
        assert_memory_equal(text, cases[i][1], len);
    }
}


/* a field is its length and its bytes, however they are collected */

static void
test_hash_fields(void **state)
{
    size_t           i, n, end;
    uint64_t         len;
    unsigned char    all[4096];
    conflict_hash_t  hash;

    static const size_t  lens[] = { 0, 1, 60, 0, 56, 119, 120, 121, 3, 700, 8 };

    (void) state;

    for (n = 0; n <= sizeof(lens) / sizeof(lens[0]); n++) {
        conflict_hash_init(&hash, 0);
        end = 0;

        for (i = 0; i < n; i++) {
            len = lens[i];
            memcpy(all + end, &len, sizeof(len));
            memset(all + end + sizeof(len), 'a' + (int) i, len);
            conflict_hash_field(&hash, len ? all + end + sizeof(len) : NULL,
                                len);
            end += sizeof(len) + len;

            if (i % 4 == 3) {
                memcpy(all + end, "more", 4);
                conflict_hash_update(&hash, "more", 4);
                end += 4;
            }
        }

        assert_true(conflict_hash_final(&hash)
                    == conflict_hash_64(all, end, 0));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_tag),
        cmocka_unit_test(test_member),
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_unquote),
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_mtime),
        cmocka_unit_test(test_mtime_shown),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_hash_dirty),
        cmocka_unit_test(test_hash_fields)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
