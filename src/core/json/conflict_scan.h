
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Incremental JSON (RFC 8259) scanner: checks a document that arrives in pieces
 * and locates one member.  Builds no tree and allocates nothing.
 */


#ifndef _CONFLICT_SCAN_H_INCLUDED_
#define _CONFLICT_SCAN_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/text/conflict_text.h"


#define CONFLICT_JSON_DEPTH    128    /* nested containers */
#define CONFLICT_JSON_LEVELS   16     /* tokens of a pointer */
#define CONFLICT_JSON_NAME     256    /* bytes of a pointer's token */
#define CONFLICT_JSON_TEXT     128    /* bytes kept of the scalar found */


typedef enum {
    CONFLICT_JSON_OK = 0,
    CONFLICT_JSON_MALFORMED,
    CONFLICT_JSON_TOO_DEEP,
    CONFLICT_JSON_REPEATED,           /* a member on the pointer's path */

    /* for trees only */

    CONFLICT_JSON_LARGE,              /* too many values */
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


/* a compiled RFC 6901 pointer; "text" has all names, unescaped */

typedef struct {
    unsigned                 levels;
    uint16_t                 name[CONFLICT_JSON_LEVELS];
    uint16_t                 len[CONFLICT_JSON_LEVELS];
    int32_t                  index[CONFLICT_JSON_LEVELS];  /* -1: none */
    unsigned char            text[CONFLICT_JSON_NAME];
} conflict_pointer_t;


typedef struct {
    /* the member found; offsets are bytes from the start of the document */

    conflict_json_type_e       type;          /* NONE: not found */
    unsigned                   cut_short;     /* text is only the beginning */
    size_t                     len;           /* of text, unescaped */
    unsigned char              text[CONFLICT_JSON_TEXT];
    uint64_t                   member;        /* its name, or the element */
    uint64_t                   value;         /* first byte of the value */
    uint64_t                   end;           /* first byte after the value */
    int64_t                    comma_before;  /* -1: none */
    int64_t                    comma_after;   /* -1: none, or not reached yet */

    /* the object or array that has, or could have, the member */

    int64_t                    parent_end;    /* last byte; -1: not reached */
    unsigned                   parent_empty;
    conflict_json_type_e       parent_type;   /* NONE: no parent */

    uint64_t                   offset;        /* bytes read; after an error,
                                                 those before it */

    /* private */

    const conflict_pointer_t  *pointer;
    unsigned                   state;
    unsigned                   depth;
    unsigned                   path;          /* depth of the last container
                                                 on the pointer's path */
    unsigned                   hit;           /* this value is on the path */
    unsigned                   capture;       /* a scalar's text is kept */
    unsigned                   in_name;
    unsigned                   escape;        /* hex digits missing */
    unsigned                   unit;          /* UTF-16 unit being read */
    unsigned                   high;          /* high surrogate, or 0 */
    conflict_text_tail_t       tail;          /* of a character split in two */
    const char                *literal;
    int64_t                    comma;         /* last one on the path */
    uint64_t                   name_start;
    unsigned                   name_match;    /* as far as it was read */
    size_t                     name_len;
    int32_t                    index[CONFLICT_JSON_LEVELS + 1];
    unsigned char              matched[CONFLICT_JSON_LEVELS + 1];
    unsigned char              stack[CONFLICT_JSON_DEPTH / 8];
} conflict_scan_t;


/*
 * Compiles an RFC 6901 pointer such as "/data/base_version".  Returns 0, or -1
 * if the text is not a pointer, has no token or exceeds the limits.
 */
int conflict_scan_pointer(conflict_pointer_t *pointer, const char *text,
    size_t len);

/* 1 if "inner" points to the value of "outer" or to a value inside it. */
int conflict_scan_pointer_within(const conflict_pointer_t *inner,
    const conflict_pointer_t *outer);

/* Starts a scan.  "pointer" must outlive it; NULL: only checks the document. */
void conflict_scan_init(conflict_scan_t *json,
    const conflict_pointer_t *pointer);

/*
 * Reads the next piece.  After anything but CONFLICT_JSON_OK the scan has ended
 * and must not be fed again.  A byte order mark and lone surrogates are
 * accepted, as by most parsers.
 */
conflict_json_rc_e conflict_scan_feed(conflict_scan_t *json,
    const unsigned char *data, size_t len);

/* Ends the scan; CONFLICT_JSON_OK: the document is complete. */
conflict_json_rc_e conflict_scan_end(conflict_scan_t *json);

/*
 * The bytes to cut, with one comma, to remove the member found from the
 * document: from *start up to, not including, *end.
 */
void conflict_scan_cut(const conflict_scan_t *json, uint64_t *start,
    uint64_t *end);

/* 1 if the text is one complete JSON document. */
int conflict_scan_valid(const unsigned char *data, size_t len);


#endif /* _CONFLICT_SCAN_H_INCLUDED_ */
