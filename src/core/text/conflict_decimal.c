
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


unsigned char *
conflict_decimal_print(unsigned char *p, uint64_t n)
{
    size_t         len;
    uint32_t       pair;
    unsigned char  digits[CONFLICT_DECIMAL_LEN], *first, *end;

    if (n < 10) {
        *p++ = (unsigned char) ('0' + n);
        return p;
    }

    end = digits + CONFLICT_DECIMAL_LEN;
    first = end;

    while (n >= 100) {
        pair = (uint32_t) (n % 100);
        n /= 100;

        first -= 2;
        memcpy(first, &conflict_decimal_pairs[pair * 2], 2);
    }

    if (n >= 10) {
        first -= 2;
        memcpy(first, &conflict_decimal_pairs[n * 2], 2);

    } else {
        *--first = (unsigned char) ('0' + n);
    }

    len = (size_t) (end - first);
    memcpy(p, first, len);

    return p + len;
}
