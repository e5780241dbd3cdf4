
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


static inline void conflict_decimal_pair(unsigned char *p, uint32_t n);


unsigned char *
conflict_decimal_print(unsigned char *p, uint64_t n)
{
    size_t         len;
    uint32_t       low, high;
    unsigned char  digits[CONFLICT_DECIMAL_LEN], *first, *end;

    end = digits + CONFLICT_DECIMAL_LEN;
    first = end;

    /* a division of 64 bits costs more than all of the others */

    while (n >= 100000000) {
        low = (uint32_t) (n % 100000000);
        n /= 100000000;

        high = low / 10000;
        low %= 10000;

        first -= 8;
        conflict_decimal_pair(first, high / 100);
        conflict_decimal_pair(first + 2, high % 100);
        conflict_decimal_pair(first + 4, low / 100);
        conflict_decimal_pair(first + 6, low % 100);
    }

    high = (uint32_t) n;

    while (high >= 100) {
        low = high % 100;
        high /= 100;

        first -= 2;
        conflict_decimal_pair(first, low);
    }

    if (high >= 10) {
        first -= 2;
        conflict_decimal_pair(first, high);

    } else {
        *--first = (unsigned char) ('0' + high);
    }

    len = (size_t) (end - first);
    memcpy(p, first, len);

    return p + len;
}


static inline void
conflict_decimal_pair(unsigned char *p, uint32_t n)
{
    memcpy(p, &conflict_decimal_pairs[n * 2], 2);
}
