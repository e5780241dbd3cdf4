
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * JSON numbers as decimals: compared, hashed and read as integers without
 * conversion to doubles.
 */


#ifndef _CONFLICT_NUMBER_H_INCLUDED_
#define _CONFLICT_NUMBER_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/*
 * All take the text of valid JSON numbers.  Returns a value less than, equal
 * to or greater than 0 if the first number is less than, equal to or greater
 * than the second; 1.0 and 1e0 are equal.
 */
int conflict_number_compare(const unsigned char *a, size_t a_len,
    const unsigned char *b, size_t b_len);

/* Equal for equal numbers. */
uint64_t conflict_number_hash(const unsigned char *text, size_t len,
    uint64_t seed);

/*
 * Reads a 64-bit integer.  -1: the number has a fraction or an exponent, or
 * does not fit.
 */
int conflict_number_integer(int64_t *n, const unsigned char *text, size_t len);


#endif /* _CONFLICT_NUMBER_H_INCLUDED_ */
