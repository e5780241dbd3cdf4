
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Numbers in decimal.
 */


#include <string.h>

#include "core/text/conflict_decimal.h"


static const char  conflict_decimal_pairs[] =
    "00010203040506070809" "10111213141516171819"
    "20212223242526272829" "30313233343536373839"
    "40414243444546474849" "50515253545556575859"
    "60616263646566676869" "70717273747576777879"
    "80818283848586878889" "90919293949596979899";


static inline unsigned char *conflict_decimal_some(unsigned char *p,
    uint32_t n);
static inline unsigned char *conflict_decimal_four(unsigned char *p,
    uint32_t n);


unsigned char *
conflict_decimal_print(unsigned char *p, uint64_t n)
{
    uint32_t  low;

    /* a division of 64 bits costs more than all of the others */

    if (n >= 100000000) {
        p = conflict_decimal_print(p, n / 100000000);

        low = (uint32_t) (n % 100000000);

        p = conflict_decimal_four(p, low / 10000);

        return conflict_decimal_four(p, low % 10000);
    }

    low = (uint32_t) n;

    if (low >= 10000) {
        p = conflict_decimal_some(p, low / 10000);

        return conflict_decimal_four(p, low % 10000);
    }

    return conflict_decimal_some(p, low);
}


unsigned char *
conflict_decimal_parse(const unsigned char *p, const unsigned char *last,
    uint64_t max, uint64_t *n)
{
    uint64_t              value;
    unsigned              digit;
    const unsigned char  *first, *end;

    first = p;
    value = 0;

    /* so many digits do not overflow */

    end = (last - p > CONFLICT_DECIMAL_LEN - 1) ? p + CONFLICT_DECIMAL_LEN - 1
                                                : last;

    for ( /* void */ ; p < end && *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (unsigned) (*p - '0');
    }

    for ( /* void */ ; p < last && *p >= '0' && *p <= '9'; p++) {
        digit = (unsigned) (*p - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return NULL;
        }

        value = value * 10 + digit;
    }

    if (p == first || (*first == '0' && p - first > 1) || value > max) {
        return NULL;
    }

    *n = value;

    return (unsigned char *) p;
}


/* a number below 10,000 */

static inline unsigned char *
conflict_decimal_some(unsigned char *p, uint32_t n)
{
    if (n >= 1000) {
        return conflict_decimal_four(p, n);
    }

    if (n >= 100) {
        *p++ = (unsigned char) ('0' + n / 100);
        n %= 100;

    } else if (n < 10) {
        *p++ = (unsigned char) ('0' + n);
        return p;
    }

    memcpy(p, &conflict_decimal_pairs[n * 2], 2);

    return p + 2;
}


/* with leading zeros */

static inline unsigned char *
conflict_decimal_four(unsigned char *p, uint32_t n)
{
    memcpy(p, &conflict_decimal_pairs[n / 100 * 2], 2);
    memcpy(p + 2, &conflict_decimal_pairs[n % 100 * 2], 2);

    return p + 4;
}
