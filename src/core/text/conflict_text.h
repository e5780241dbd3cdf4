
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Bytes of JSON strings: runs of plain bytes, UTF-8 (RFC 3629) and escapes.
 * All state between calls is the caller's.
 */


#ifndef _CONFLICT_TEXT_H_INCLUDED_
#define _CONFLICT_TEXT_H_INCLUDED_


#include <stddef.h>


/* the rest expected of a character that is split between two buffers */

typedef struct {
    unsigned                 left;
    unsigned char            min;
    unsigned char            max;
} conflict_text_tail_t;


/*
 * The first byte in [p, last) that is a quote, a backslash, a control
 * character or not ASCII; "last" if there is none.
 */
const unsigned char *conflict_text_plain(const unsigned char *p,
    const unsigned char *last);

/*
 * The length of the non-ASCII character at "p"; 0: invalid UTF-8.  If the
 * buffer ends inside the character, tail->left is the number of its missing
 * bytes, and the next one must be in [tail->min, tail->max].
 */
size_t conflict_text_rune(const unsigned char *p, const unsigned char *last,
    conflict_text_tail_t *tail);

/* The length of the valid escape at "p" that ends by "last"; otherwise 0. */
size_t conflict_text_escaped(const unsigned char *p, const unsigned char *last);

/* Writes the code point "rune" as UTF-8; returns the length, 1 to 4. */
size_t conflict_text_encode(unsigned char *dst, unsigned rune);

/*
 * Writes "src" as the contents of a JSON string, with markup escaped and
 * invalid UTF-8 replaced by U+FFFD.  Returns the length, at most 6 times
 * "len"; if "dst" is NULL, nothing is written.
 */
size_t conflict_text_escape(unsigned char *dst, const unsigned char *src,
    size_t len);

/*
 * The same for a document sent to the upstream: markup stays, and a lone
 * surrogate as written by conflict_text_encode() is escaped again.
 */
size_t conflict_text_quote(unsigned char *dst, const unsigned char *src,
    size_t len);

/*
 * Writes "src" as valid UTF-8: each byte that is not part of a character is
 * replaced by U+FFFD.  Returns the length, which is "len" if nothing was
 * replaced, and at most 3 times that; if "dst" is NULL, nothing is written.
 */
size_t conflict_text_repair(unsigned char *dst, const unsigned char *src,
    size_t len);

/*
 * conflict_text_escape() for valid JSON: escapes possible markup, terminal
 * controls and U+FFFD, all of which occur only in its strings.
 */
size_t conflict_text_defuse(unsigned char *dst, const unsigned char *src,
    size_t len);

/* The UTF-16 unit given by four hex digits; -1: there are other characters. */
int conflict_text_unit(const unsigned char *p);

/*
 * Iterates over the contents of a valid JSON string, with escapes decoded.
 * Returns the length of the next piece, 0 at the end; *piece is in the text,
 * or is "rune", which needs room for 4 bytes.
 */
size_t conflict_text_next(const unsigned char **p, const unsigned char *last,
    unsigned char *rune, const unsigned char **piece);

/*
 * The same, buffered: fills "dst", of at least 4 bytes, with as many pieces as
 * fit, and advances *p.  Returns the length, 0 at the end.
 */
size_t conflict_text_decode(unsigned char *dst, size_t size,
    const unsigned char **p, const unsigned char *last);

/* 1 if the contents of two JSON strings are equal when decoded. */
int conflict_text_same(const unsigned char *a, size_t a_len,
    const unsigned char *b, size_t b_len);

/* The length of a byte order mark at the beginning, or 0. */
size_t conflict_text_bom(const unsigned char *text, size_t len);

/*
 * The position after "text", for messages: line and column, in characters,
 * both from 1.
 */
void conflict_text_place(const unsigned char *text, size_t len, size_t *line,
    size_t *column);


#endif /* _CONFLICT_TEXT_H_INCLUDED_ */
