
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Bytes of JSON strings.  conflict_text_plain() takes most of the time of a
 * large body, so it checks 64 bytes at a time with SSE2, or 128 with AVX2 if
 * the processor has it.
 */


#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "core/text/conflict_text.h"


#define CONFLICT_TEXT_SHORT        16      /* bytes, too few for memchr() */
#define CONFLICT_TEXT_LONG         256     /* bytes, worth using AVX2 */
#define CONFLICT_TEXT_BLOCK        256
#define CONFLICT_TEXT_REPLACEMENT  "\xef\xbf\xbd"  /* U+FFFD */


#if defined(__SSE2__)
static const unsigned char *conflict_text_plain_blocks(const unsigned char *p,
    const unsigned char *last) __attribute__((target("avx2")));
#endif
static size_t conflict_text_write(unsigned char *dst, const unsigned char *src,
    size_t len, int display);
static size_t conflict_text_unicode(unsigned char *dst, unsigned unit);
static int conflict_text_markup(unsigned char ch);
static int conflict_text_separator(const unsigned char *p);
static int conflict_text_surrogate(const unsigned char *p,
    const unsigned char *last);
static size_t conflict_text_unescape(unsigned char *dst,
    const unsigned char **p, const unsigned char *last);


const unsigned char *
conflict_text_plain(const unsigned char *p, const unsigned char *last)
{
#if defined(__SSE2__)

    int      mask;
    __m128i  a, b, c, d, quote, slash, space;

    quote = _mm_set1_epi8('"');
    slash = _mm_set1_epi8('\\');
    space = _mm_set1_epi8(0x20);

#define conflict_text_special(v)                                              \
    _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote),                       \
                              _mm_cmpeq_epi8(v, slash)),                      \
                 _mm_cmplt_epi8(v, space))

    /* the comparison is signed: bytes over 0x7f are less than a space */

    while (last - p >= 64) {
        a = _mm_loadu_si128((const __m128i *) p);
        b = _mm_loadu_si128((const __m128i *) (p + 16));
        c = _mm_loadu_si128((const __m128i *) (p + 32));
        d = _mm_loadu_si128((const __m128i *) (p + 48));

        a = _mm_or_si128(conflict_text_special(a), conflict_text_special(b));
        c = _mm_or_si128(conflict_text_special(c), conflict_text_special(d));

        if (_mm_movemask_epi8(_mm_or_si128(a, c))) {
            break;
        }

        p += 64;

        if (last - p >= CONFLICT_TEXT_LONG && __builtin_cpu_supports("avx2")) {
            p = conflict_text_plain_blocks(p, last);
        }
    }

    while (last - p >= 16) {
        a = _mm_loadu_si128((const __m128i *) p);
        mask = _mm_movemask_epi8(conflict_text_special(a));

        if (mask) {
            return p + __builtin_ctz((unsigned) mask);
        }

        p += 16;
    }

#undef conflict_text_special

#else

    uint64_t  w, x, special;

    const uint64_t  ones = 0x0101010101010101ULL, high = 0x8080808080808080ULL;

    while (last - p >= 8) {
        memcpy(&w, p, 8);

        special = (w - ones * 0x20) | w;

        x = w ^ (ones * '"');
        special |= (x - ones) & ~x;

        x = w ^ (ones * '\\');
        special |= (x - ones) & ~x;

        if (special & high) {
            break;
        }

        p += 8;
    }

#endif

    while (p < last && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


#if defined(__SSE2__)

/* the first block of 128 bytes with such a byte, or what is less than one */

static const unsigned char *
conflict_text_plain_blocks(const unsigned char *p, const unsigned char *last)
{
    __m256i  a, b, c, d, quote, slash, space;

    quote = _mm256_set1_epi8('"');
    slash = _mm256_set1_epi8('\\');
    space = _mm256_set1_epi8(0x20);

#define conflict_text_special(v)                                              \
    _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi8(v, quote),              \
                                    _mm256_cmpeq_epi8(v, slash)),             \
                    _mm256_cmpgt_epi8(space, v))

    for ( /* void */ ; last - p >= 128; p += 128) {
        a = _mm256_loadu_si256((const __m256i *) p);
        b = _mm256_loadu_si256((const __m256i *) (p + 32));
        c = _mm256_loadu_si256((const __m256i *) (p + 64));
        d = _mm256_loadu_si256((const __m256i *) (p + 96));

        a = _mm256_or_si256(conflict_text_special(a),
                            conflict_text_special(b));
        c = _mm256_or_si256(conflict_text_special(c),
                            conflict_text_special(d));

        if (_mm256_movemask_epi8(_mm256_or_si256(a, c))) {
            break;
        }
    }

#undef conflict_text_special

    return p;
}

#endif


size_t
conflict_text_rune(const unsigned char *p, const unsigned char *last,
    conflict_text_tail_t *tail)
{
    size_t         n, len;
    unsigned char  ch;

    ch = p[0];

    tail->left = 0;
    tail->min = 0x80;
    tail->max = 0xbf;

    if (ch >= 0xc2 && ch <= 0xdf) {
        len = 2;

    } else if (ch >= 0xe0 && ch <= 0xef) {
        len = 3;
        tail->min = (ch == 0xe0) ? 0xa0 : 0x80;
        tail->max = (ch == 0xed) ? 0x9f : 0xbf;

    } else if (ch >= 0xf0 && ch <= 0xf4) {
        len = 4;
        tail->min = (ch == 0xf0) ? 0x90 : 0x80;
        tail->max = (ch == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    for (n = 1; n < len; n++) {

        if (p + n == last) {
            tail->left = (unsigned) (len - n);
            break;
        }

        if (p[n] < tail->min || p[n] > tail->max) {
            return 0;
        }

        tail->min = 0x80;
        tail->max = 0xbf;
    }

    return n;
}


size_t
conflict_text_escaped(const unsigned char *p, const unsigned char *last)
{
    if (last - p < 2) {
        return 0;
    }

    switch (p[1]) {

    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 2;

    case 'u':
        return (last - p < 6 || conflict_text_unit(p + 2) < 0) ? 0 : 6;

    default:
        return 0;
    }
}


size_t
conflict_text_encode(unsigned char *dst, unsigned rune)
{
    if (rune < 0x80) {
        dst[0] = (unsigned char) rune;
        return 1;
    }

    if (rune < 0x800) {
        dst[0] = (unsigned char) (0xc0 | rune >> 6);
        dst[1] = (unsigned char) (0x80 | (rune & 0x3f));
        return 2;
    }

    if (rune < 0x10000) {
        dst[0] = (unsigned char) (0xe0 | rune >> 12);
        dst[1] = (unsigned char) (0x80 | (rune >> 6 & 0x3f));
        dst[2] = (unsigned char) (0x80 | (rune & 0x3f));
        return 3;
    }

    dst[0] = (unsigned char) (0xf0 | rune >> 18);
    dst[1] = (unsigned char) (0x80 | (rune >> 12 & 0x3f));
    dst[2] = (unsigned char) (0x80 | (rune >> 6 & 0x3f));
    dst[3] = (unsigned char) (0x80 | (rune & 0x3f));

    return 4;
}


size_t
conflict_text_escape(unsigned char *dst, const unsigned char *src, size_t len)
{
    return conflict_text_write(dst, src, len, 1);
}


size_t
conflict_text_quote(unsigned char *dst, const unsigned char *src, size_t len)
{
    return conflict_text_write(dst, src, len, 0);
}


static size_t
conflict_text_write(unsigned char *dst, const unsigned char *src, size_t len,
    int display)
{
    size_t                 n, size;
    unsigned               unit;
    unsigned char          out[6];
    const unsigned char   *p, *last;
    conflict_text_tail_t   tail;

    if (len == 0) {
        /* "src" may be NULL */
        return 0;
    }

    n = 0;
    p = src;
    last = src + len;

    while (p < last) {

        if (*p >= 0x80) {
            size = conflict_text_rune(p, last, &tail);

            if (!display && conflict_text_surrogate(p, last)) {
                unit = 0xd000 | (p[1] & 0x3fU) << 6 | (p[2] & 0x3fU);
                size = conflict_text_unicode(out, unit);
                p += 3;

            } else if (size == 0 || tail.left) {
                memcpy(out, "\\ufffd", 6);
                size = 6;
                p++;

            } else if (size == 2 && p[0] == 0xc2 && p[1] < 0xa0) {
                /* C1 controls, which some terminals obey */
                size = conflict_text_unicode(out, p[1]);
                p += 2;

            } else if (display && size == 3 && conflict_text_separator(p)) {
                memcpy(out, (p[2] == 0xa8) ? "\\u2028" : "\\u2029", 6);
                size = 6;
                p += 3;

            } else {
                memcpy(out, p, size);
                p += size;
            }

        } else if (*p == '"' || *p == '\\') {
            out[0] = '\\';
            out[1] = *p++;
            size = 2;

        } else if (*p < 0x20 || *p == 0x7f
                   || (display && conflict_text_markup(*p)))
        {
            size = conflict_text_unicode(out, *p++);

        } else {
            out[0] = *p++;
            size = 1;
        }

        if (dst) {
            memcpy(dst + n, out, size);
        }

        n += size;
    }

    return n;
}


size_t
conflict_text_repair(unsigned char *dst, const unsigned char *src, size_t len)
{
    size_t                 n, size;
    const unsigned char   *p, *last;
    conflict_text_tail_t   tail;

    n = 0;
    last = src + len;

    for (p = src; p < last; /* void */) {
        size = (*p < 0x80) ? 1 : conflict_text_rune(p, last, &tail);

        if (size == 0 || (*p >= 0x80 && tail.left)) {

            if (dst) {
                memcpy(dst + n, CONFLICT_TEXT_REPLACEMENT, 3);
            }

            n += 3;
            p++;
            continue;
        }

        if (dst) {
            memcpy(dst + n, p, size);
        }

        n += size;
        p += size;
    }

    return n;
}


size_t
conflict_text_defuse(unsigned char *dst, const unsigned char *src, size_t len)
{
    size_t                n;
    const unsigned char  *p, *last;

    n = 0;
    last = src + len;

    for (p = src; p < last; p++) {

        if (*p == 0x7f || conflict_text_markup(*p)) {

            if (dst) {
                (void) conflict_text_unicode(dst + n, *p);
            }

            n += 6;

        } else if (last - p >= 2 && p[0] == 0xc2 && (p[1] & 0xe0) == 0x80) {

            if (dst) {
                (void) conflict_text_unicode(dst + n, p[1]);
            }

            n += 6;
            p++;

        } else if (last - p >= 3 && conflict_text_separator(p)) {

            if (dst) {
                memcpy(dst + n, (p[2] == 0xa8) ? "\\u2028" : "\\u2029", 6);
            }

            n += 6;
            p += 2;

        } else if (last - p >= 3
                   && memcmp(p, CONFLICT_TEXT_REPLACEMENT, 3) == 0)
        {
            /* escaped, it is visible even if bytes are decoded singly */

            if (dst) {
                memcpy(dst + n, "\\ufffd", 6);
            }

            n += 6;
            p += 2;

        } else {

            if (dst) {
                dst[n] = *p;
            }

            n++;
        }
    }

    return n;
}


/* 1 if it may begin or end a tag, an SSI directive or an entity */

static int
conflict_text_markup(unsigned char ch)
{
    return ch == '<' || ch == '>' || ch == '&';
}


/* U+2028 and U+2029, 3 bytes, which end a line in older JavaScript */

static int
conflict_text_separator(const unsigned char *p)
{
    return p[0] == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8;
}


/* a lone surrogate, which conflict_text_encode() writes as three bytes */

static int
conflict_text_surrogate(const unsigned char *p, const unsigned char *last)
{
    return last - p >= 3 && p[0] == 0xed && p[1] >= 0xa0 && p[1] <= 0xbf
           && p[2] >= 0x80 && p[2] <= 0xbf;
}


static size_t
conflict_text_unicode(unsigned char *dst, unsigned unit)
{
    static const char  hex[] = "0123456789abcdef";

    dst[0] = '\\';
    dst[1] = 'u';
    dst[2] = (unsigned char) hex[unit >> 12];
    dst[3] = (unsigned char) hex[unit >> 8 & 0x0f];
    dst[4] = (unsigned char) hex[unit >> 4 & 0x0f];
    dst[5] = (unsigned char) hex[unit & 0x0f];

    return 6;
}


size_t
conflict_text_next(const unsigned char **p, const unsigned char *last,
    unsigned char *rune, const unsigned char **piece)
{
    const unsigned char  *start;

    start = *p;

    if (start == last) {
        return 0;
    }

    if (*start != '\\') {
        *piece = start;
        *p = memchr(start, '\\', (size_t) (last - start));

        if (*p == NULL) {
            *p = last;
        }

        return (size_t) (*p - start);
    }

    *piece = rune;

    return conflict_text_unescape(rune, p, last);
}


size_t
conflict_text_decode(unsigned char *dst, size_t size, const unsigned char **p,
    const unsigned char *last)
{
    size_t                n, most;
    unsigned char        *to, *end;
    const unsigned char  *from, *escape;

    to = dst;
    end = dst + size;
    from = *p;

    while (from < last && end - to >= 4) {

        if (*from == '\\') {
            to += conflict_text_unescape(to, &from, last);
            continue;
        }

        most = (size_t) ((end - to < last - from) ? end - to : last - from);

        for (n = 0; n < most && n < CONFLICT_TEXT_SHORT && from[n] != '\\';
             n++)
        {
            to[n] = from[n];
        }

        if (n == CONFLICT_TEXT_SHORT) {
            escape = memchr(from + n, '\\', most - n);
            most = escape ? (size_t) (escape - from) : most;

            memcpy(to + n, from + n, most - n);
            n = most;
        }

        to += n;
        from += n;
    }

    *p = from;

    return (size_t) (to - dst);
}


static size_t
conflict_text_unescape(unsigned char *dst, const unsigned char **p,
    const unsigned char *last)
{
    size_t                n;
    int                   unit, low;
    const unsigned char  *start;

    start = *p;
    *p += 2;

    switch (start[1]) {

    case 'b':
        dst[0] = '\b';
        return 1;

    case 'f':
        dst[0] = '\f';
        return 1;

    case 'n':
        dst[0] = '\n';
        return 1;

    case 'r':
        dst[0] = '\r';
        return 1;

    case 't':
        dst[0] = '\t';
        return 1;

    case 'u':
        unit = conflict_text_unit(start + 2);
        n = 6;

        low = (unit >= 0xd800 && unit < 0xdc00 && last - start >= 12
               && start[6] == '\\' && start[7] == 'u')
              ? conflict_text_unit(start + 8) : 0;

        if (low >= 0xdc00 && low < 0xe000) {
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            n = 12;
        }

        *p = start + n;
        return conflict_text_encode(dst, (unsigned) unit);

    default: /* a quote, a slash or a backslash */
        dst[0] = start[1];
        return 1;
    }
}


int
conflict_text_same(const unsigned char *a, size_t a_len,
    const unsigned char *b, size_t b_len)
{
    size_t                n, m, len;
    unsigned char         left[CONFLICT_TEXT_BLOCK];
    unsigned char         right[CONFLICT_TEXT_BLOCK];
    const unsigned char  *x, *y, *a_last, *b_last;

    if (a_len == b_len && memcmp(a, b, a_len) == 0) {
        return 1;
    }

    if (memchr(a, '\\', a_len) == NULL && memchr(b, '\\', b_len) == NULL) {
        return 0;
    }

    a_last = a + a_len;
    b_last = b + b_len;
    n = m = 0;
    x = y = NULL;

    for ( ;; ) {

        if (n == 0) {
            n = conflict_text_decode(left, sizeof(left), &a, a_last);
            x = left;
        }

        if (m == 0) {
            m = conflict_text_decode(right, sizeof(right), &b, b_last);
            y = right;
        }

        if (n == 0 || m == 0) {
            return n == m;
        }

        len = (n < m) ? n : m;

        if (memcmp(x, y, len) != 0) {
            return 0;
        }

        x += len;
        y += len;
        n -= len;
        m -= len;
    }
}


int
conflict_text_unit(const unsigned char *p)
{
    int     unit;
    size_t  i;

    /* from 0x30 up to 0x6f */

    static const signed char  digits[] = {
         0,  1,  2,  3,  4,  5,  6,  7,  8,  9, -1, -1, -1, -1, -1, -1,
        -1, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
        -1, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1
    };

    unit = 0;

    for (i = 0; i < 4; i++) {

        if (p[i] < 0x30 || p[i] > 0x6f || digits[p[i] - 0x30] < 0) {
            return -1;
        }

        unit = unit << 4 | digits[p[i] - 0x30];
    }

    return unit;
}


size_t
conflict_text_bom(const unsigned char *text, size_t len)
{
    return (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) ? 3 : 0;
}


void
conflict_text_place(const unsigned char *text, size_t len, size_t *line,
    size_t *column)
{
    size_t  i;

    *line = 1;
    *column = 1;

    for (i = conflict_text_bom(text, len); i < len; i++) {

        if (text[i] == '\n') {
            (*line)++;
            *column = 1;

        } else if ((text[i] & 0xc0) != 0x80) {
            (*column)++;
        }
    }
}
