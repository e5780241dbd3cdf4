
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Numbers in decimal: printed several times faster than by printf(), and
 * parsed as strictly as they are printed.
 */


#ifndef _CONFLICT_DECIMAL_H_INCLUDED_
#define _CONFLICT_DECIMAL_H_INCLUDED_


#include <stdint.h>


#define CONFLICT_DECIMAL_LEN  20     /* digits of the largest number */


/* Prints "n" without a terminating zero; returns the end of the digits. */
unsigned char *conflict_decimal_print(unsigned char *p, uint64_t n);

/*
 * Parses the digits at "p" as they are printed: at least one, no leading zero.
 * Returns their end; NULL: there is no such number, or it is above "max".
 */
unsigned char *conflict_decimal_parse(const unsigned char *p,
    const unsigned char *last, uint64_t max, uint64_t *n);


#endif /* _CONFLICT_DECIMAL_H_INCLUDED_ */
