
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A number is represented by its sign, its digits without leading and trailing
 * zeros, and the exponent of the first digit.
 */


#include <string.h>

#include "core/json/conflict_number.h"
#include "core/text/conflict_hash.h"


#define CONFLICT_NUMBER_EXPONENT  1000000000000000LL
#define CONFLICT_NUMBER_SHORT     32     /* bytes */


typedef struct {
    const unsigned char     *first;        /* non-zero digit */
    const unsigned char     *last;         /* after the last one */
    size_t                   digits;       /* 0: the number is 0 */
    int64_t                  exponent;     /* value: 0.DIGITS * 10^it */
    int                      negative;
} conflict_number_t;


static size_t conflict_number_run(const unsigned char **p,
    const unsigned char *last);
static void conflict_number_read(conflict_number_t *n,
    const unsigned char *text, size_t len);


int
conflict_number_compare(const unsigned char *a, size_t a_len,
    const unsigned char *b, size_t b_len)
{
    int                   rc, sign;
    size_t                n, m;
    conflict_number_t     x, y;
    const unsigned char  *p, *q;

    conflict_number_read(&x, a, a_len);
    conflict_number_read(&y, b, b_len);

    if (x.digits == 0 || y.digits == 0) {
        rc = x.digits ? (x.negative ? -1 : 1) : 0;
        return y.digits ? (y.negative ? 1 : -1) : rc;
    }

    if (x.negative != y.negative) {
        return x.negative ? -1 : 1;
    }

    rc = (x.exponent > y.exponent) - (x.exponent < y.exponent);

    p = x.first;
    q = y.first;

    while (rc == 0) {
        n = conflict_number_run(&p, x.last);
        m = conflict_number_run(&q, y.last);

        if (n == 0 || m == 0) {
            rc = (n > 0) - (m > 0);
            break;
        }

        n = (n < m) ? n : m;
        sign = memcmp(p, q, n);
        rc = (sign > 0) - (sign < 0);

        p += n;
        q += n;
    }

    return x.negative ? -rc : rc;
}


/* the length of the digits before the point, or after it; skips the point */

static size_t
conflict_number_run(const unsigned char **p, const unsigned char *last)
{
    const unsigned char  *point;

    if (*p < last && **p == '.') {
        (*p)++;
    }

    point = memchr(*p, '.', (size_t) (last - *p));

    return (size_t) ((point ? point : last) - *p);
}


uint64_t
conflict_number_hash(const unsigned char *text, size_t len, uint64_t seed)
{
    size_t                whole;
    unsigned char         digits[CONFLICT_NUMBER_SHORT];
    conflict_hash_t       hash;
    conflict_number_t     n;
    const unsigned char  *point;

    conflict_number_read(&n, text, len);

    if (n.digits == 0) {
        return conflict_hash_64("0", 1, seed);
    }

    seed ^= conflict_hash_words((uint64_t) n.exponent, (uint64_t) n.negative);

    len = (size_t) (n.last - n.first);
    point = memchr(n.first, '.', len);

    if (point == NULL) {
        return conflict_hash_64(n.first, len, seed);
    }

    whole = (size_t) (point - n.first);

    if (len <= sizeof(digits)) {
        memcpy(digits, n.first, whole);
        memcpy(digits + whole, point + 1, len - whole - 1);

        return conflict_hash_64(digits, len - 1, seed);
    }

    /* the same for longer numbers */

    conflict_hash_init(&hash, seed);
    conflict_hash_update(&hash, n.first, whole);
    conflict_hash_update(&hash, point + 1, len - whole - 1);

    return conflict_hash_final(&hash);
}


int
conflict_number_integer(int64_t *n, const unsigned char *text, size_t len)
{
    size_t    i;
    uint64_t  value, limit;

    i = (text[0] == '-');
    limit = (uint64_t) INT64_MAX + i;
    value = 0;

    for ( /* void */ ; i < len; i++) {

        if (text[i] < '0' || text[i] > '9'
            || value > (limit - (uint64_t) (text[i] - '0')) / 10)
        {
            return -1;
        }

        value = value * 10 + (uint64_t) (text[i] - '0');
    }

    *n = (text[0] == '-') ? (int64_t) (0 - value) : (int64_t) value;

    return 0;
}


static void
conflict_number_read(conflict_number_t *n, const unsigned char *text,
    size_t len)
{
    int                   negative;
    int64_t               exponent;
    const unsigned char  *p, *last, *end, *point, *first;

    last = text + len;
    p = text;

    n->negative = (*p == '-');
    p += n->negative;

    end = memchr(p, 'e', (size_t) (last - p));

    if (end == NULL) {
        end = memchr(p, 'E', (size_t) (last - p));
    }

    if (end == NULL) {
        end = last;
    }

    /* the written exponent; further digits do not matter */

    exponent = 0;

    if (end < last) {
        first = end + 1;
        negative = (*first == '-');
        first += (*first == '-' || *first == '+');

        while (first < last && *first == '0') {
            first++;
        }

        for ( /* void */ ; first < last; first++) {

            if (exponent >= CONFLICT_NUMBER_EXPONENT) {
                break;
            }

            exponent = exponent * 10 + (*first - '0');
        }

        exponent = negative ? -exponent : exponent;
    }

    point = memchr(p, '.', (size_t) (end - p));

    while (p < end && (*p == '0' || *p == '.')) {
        p++;
    }

    if (point) {

        while (end > p && (end[-1] == '0' || end[-1] == '.')) {

            if (end[-1] == '.') {
                /* digits before the point count by their position */
                point = end - 1;
            }

            end--;
        }
    }

    n->first = p;
    n->digits = (size_t) (end - p);

    /* add the digits before the point, or subtract the zeros after it */

    if (point == NULL) {
        exponent += (int64_t) (end - p);

        while (end > p && end[-1] == '0') {
            end--;
        }

        n->digits = (size_t) (end - p);

    } else if (point >= p) {
        exponent += (int64_t) (point - p);

    } else {
        exponent -= (int64_t) (p - point - 1);
    }

    n->last = end;
    n->exponent = exponent;
}
