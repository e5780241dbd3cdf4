
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Incremental JSON (RFC 8259) scanner: checks a document that comes in
 * pieces and reports where one member lies.  Builds no tree, allocates
 * nothing, knows nothing of nginx.
 */


#ifndef _CONFLICT_SCAN_H_INCLUDED_
#define _CONFLICT_SCAN_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/text/conflict_text.h"


#define CONFLICT_JSON_DEPTH    128    /* nested containers */
#define CONFLICT_JSON_LEVELS   16     /* tokens of a pointer */
#define CONFLICT_JSON_NAME     256    /* bytes of a pointer's token */
#define CONFLICT_JSON_TEXT     128    /* bytes kept of a found scalar */


typedef enum {
    CONFLICT_JSON_OK = 0,
    CONFLICT_JSON_MALFORMED,
    CONFLICT_JSON_TOO_DEEP,
    CONFLICT_JSON_REPEATED,           /* a member on the pointer's path */

    /* of a tree alone */

    CONFLICT_JSON_LARGE,              /* more values than it may have */
    CONFLICT_JSON_FAILED              /* no memory */
} conflict_json_rc_e;


typedef enum {
    CONFLICT_JSON_NONE = 0,
    CONFLICT_JSON_NULL,
    CONFLICT_JSON_BOOLEAN,
    CONFLICT_JSON_NUMBER,
    CONFLICT_JSON_STRING,
    CONFLICT_JSON_ARRAY,
    CONFLICT_JSON_OBJECT
} conflict_json_type_e;


/* a compiled RFC 6901 pointer; the names lie in one text, unescaped */

typedef struct {
    unsigned                 levels;
    uint16_t                 name[CONFLICT_JSON_LEVELS];
    uint16_t                 len[CONFLICT_JSON_LEVELS];
    int32_t                  index[CONFLICT_JSON_LEVELS];  /* -1: none */
    unsigned char            text[CONFLICT_JSON_NAME];
} conflict_pointer_t;


typedef struct {
    /* what was found; offsets are bytes from the start of the document */

    conflict_json_type_e     type;           /* NONE: not found */
    unsigned                 cut_short;      /* text holds a beginning only */
    size_t                   len;            /* of text, strings unescaped */
    unsigned char            text[CONFLICT_JSON_TEXT];
    uint64_t                 member;         /* its name, or its value */
    uint64_t                 value;          /* first byte of the value */
    uint64_t                 end;            /* first byte after the value */
    int64_t                  comma_before;   /* -1: none */
    int64_t                  comma_after;    /* -1: none, or not seen yet */

    /* the object or array that holds the member, or could hold it */

    int64_t                  parent_end;     /* its last byte; -1: not seen */
    unsigned                 parent_empty;
    conflict_json_type_e     parent_type;    /* NONE: there is none */

    uint64_t                 offset;         /* bytes read so far; after an
                                                error, those before it */

    /* private */

    const conflict_pointer_t  *pointer;
    unsigned                   state;
    unsigned                   depth;
    unsigned                   path;           /* depth of the last container
                                                on the pointer's path */
    unsigned                 hit;            /* this value is on the path */
    unsigned                 capture;        /* a scalar's text is wanted */
    unsigned                 in_name;
    unsigned                 escape;         /* hex digits still to come */
    unsigned                 unit;           /* UTF-16 unit being read */
    unsigned                 high;           /* high surrogate, or 0 */
    conflict_text_tail_t     tail;           /* a character cut in two */
    const char              *literal;
    int64_t                  comma;          /* last one on the path */
    uint64_t                 name_start;
    unsigned                 name_wanted;
    size_t                   name_len;
    unsigned char            name[CONFLICT_JSON_NAME + 4];
    int32_t                  index[CONFLICT_JSON_LEVELS + 1];
    unsigned char            seen[CONFLICT_JSON_LEVELS + 1];
    unsigned char            stack[CONFLICT_JSON_DEPTH / 8];
} conflict_scan_t;


/*
 * Compiles an RFC 6901 pointer such as "/data/base_version".  Returns 0, or
 * -1 where the text is not a pointer, has no token or is over the limits.
 */
int conflict_scan_pointer(conflict_pointer_t *pointer, const char *text,
    size_t len);

/*
 * Is the one pointer within what the other one names, or the same.
 */
int conflict_scan_pointer_within(const conflict_pointer_t *inner,
    const conflict_pointer_t  *outer);

/*
 * Is the one pointer within what the other one names, or the same.
 */
int conflict_scan_pointer_within(const conflict_pointer_t *inner,
    const conflict_pointer_t  *outer);

/*
 * Starts a scan.  "pointer" must outlive it; NULL looks for nothing.
 */
void conflict_scan_init(conflict_scan_t *json,
    const conflict_pointer_t  *pointer);

/*
 * Reads the next piece.  After anything but CONFLICT_JSON_OK the scan is
 * over and must not be fed again.  A byte order mark and surrogates that
 * have no other half are accepted, as most parsers do.
 */
conflict_json_rc_e conflict_scan_feed(conflict_scan_t *json,
    const unsigned char *data, size_t len);

/*
 * Ends the scan: CONFLICT_JSON_OK where the document was whole.
 */
conflict_json_rc_e conflict_scan_end(conflict_scan_t *json);

/*
 * The bytes to cut, with one comma, so that the document stays valid without
 * the member that was found: from *start up to, not including, *end.
 */
void conflict_scan_cut(const conflict_scan_t *json, uint64_t *start,
    uint64_t *end);

/* 1 where the text is one whole JSON document. */
int conflict_scan_valid(const unsigned char *data, size_t len);


#endif /* _CONFLICT_SCAN_H_INCLUDED_ */
