
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to conflict_scan.c (the structure of a document) and
 * conflict_scan_token.c (its strings and numbers).
 */


#ifndef _CONFLICT_SCAN_STATE_H_INCLUDED_
#define _CONFLICT_SCAN_STATE_H_INCLUDED_


#include "core/json/conflict_scan.h"


enum {
    ST_VALUE = 0,           /* a value is required */
    ST_FIRST_ITEM,          /* a value, or the end of an empty array */
    ST_FIRST_NAME,          /* a name, or the end of an empty object */
    ST_NAME,
    ST_COLON,
    ST_NEXT,                /* a comma, or the end of the container */
    ST_DONE,
    ST_LITERAL,

    ST_STRING,
    ST_ESCAPE,
    ST_UNIT,                /* hex digits of \uXXXX */
    ST_LOW_BACKSLASH,       /* the "\u" after a high surrogate */
    ST_LOW_U,
    ST_TAIL,                /* UTF-8 continuation bytes */

    ST_MINUS,
    ST_ZERO,
    ST_INTEGER,
    ST_POINT,
    ST_FRACTION,
    ST_E,
    ST_E_SIGN,
    ST_EXPONENT
};


/* A value has ended; "pos" is the first byte after it. */
void conflict_scan_finish(conflict_scan_t *json, uint64_t pos);

/* Reads on inside a string, a name or a value, and advances *data. */
conflict_json_rc_e conflict_scan_token_string(conflict_scan_t *json,
    const unsigned char **data, const unsigned char *last, uint64_t pos);

/*
 * Reads on inside a number and advances *data, to "last" or to the first byte
 * after the number.
 */
conflict_json_rc_e conflict_scan_token_number(conflict_scan_t *json,
    const unsigned char **data, const unsigned char *last);

/* Compares bytes of a name with the pointer, or keeps those of the value. */
void conflict_scan_token_keep(conflict_scan_t *json, const unsigned char *p,
    size_t n);


#endif /* _CONFLICT_SCAN_STATE_H_INCLUDED_ */
