
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Bytes of JSON strings: runs that need no look, UTF-8 (RFC 3629), escapes.
 * Keeps no state between calls but what the caller hands back.
 */


#ifndef _CONFLICT_TEXT_H_INCLUDED_
#define _CONFLICT_TEXT_H_INCLUDED_


#include <stddef.h>


/* what is still to come of a character that a piece has cut */

typedef struct {
    unsigned                 left;
    unsigned char            min;
    unsigned char            max;
} conflict_text_tail_t;


/*
 * The first byte in [p, last) that is a quote, a backslash, a control
 * character or not ASCII; "last" where there is none.
 */
const unsigned char *conflict_text_plain(const unsigned char *p,
    const unsigned char *last);

/*
 * The length of the character that is not ASCII at "p", 0 where it is not
 * UTF-8.  Where the piece ends inside it, tail->left says how many bytes
 * are still to come and the next one must be in [tail->min, tail->max].
 */
size_t conflict_text_rune(const unsigned char *p, const unsigned char *last,
    conflict_text_tail_t *tail);

/*
 * Writes the code point "rune" as UTF-8, returns the length, 1 to 4.
 */
size_t conflict_text_encode(unsigned char *dst, unsigned rune);

/*
 * Writes "src" as the inside of a JSON string, in which nothing is markup;
 * bytes that are not UTF-8 are replaced by U+FFFD.  Returns the length, at
 * most 6 times "len"; "dst" may be NULL to learn it.
 */
size_t conflict_text_escape(unsigned char *dst, const unsigned char *src,
    size_t len);

/*
 * The same for a document that goes to the upstream: markup stays, and what
 * conflict_text_encode() has made of half a pair of surrogates is that again.
 */
size_t conflict_text_quote(unsigned char *dst, const unsigned char *src,
    size_t len);

/*
 * Writes "src" as valid UTF-8: each byte that is not part of a character is
 * replaced by U+FFFD.  Returns the length, which is "len" where nothing was
 * replaced and at most 3 times that; "dst" may be NULL to learn it.
 */
size_t conflict_text_repair(unsigned char *dst, const unsigned char *src,
    size_t len);

/*
 * conflict_text_escape() of JSON that was checked: what might be markup or a
 * control of a terminal, and U+FFFD, are escaped, all of which is within its
 * strings.
 */
size_t conflict_text_defuse(unsigned char *dst, const unsigned char *src,
    size_t len);

/*
 * The UTF-16 unit of four hex digits, -1 where they are none.
 */
int conflict_text_unit(const unsigned char *p);

/*
 * Steps through the inside of a JSON string that was checked, as its bytes
 * are once the escapes are decoded.  Returns the length of the next piece,
 * 0 at the end; *piece is in the text, or is "rune", with room for 4 bytes.
 */
size_t conflict_text_next(const unsigned char **p, const unsigned char *last,
    unsigned char *rune, const unsigned char **piece);

/*
 * The same by the buffer: fills "dst", of 4 bytes at least, as far as pieces
 * fit, moves *p and returns the length, 0 at the end.
 */
size_t conflict_text_decode(unsigned char *dst, size_t size,
    const unsigned char **p, const unsigned char *last);

/*
 * 1 where the insides of two JSON strings are the same once decoded.
 */
int conflict_text_same(const unsigned char *a, size_t a_len,
    const unsigned char *b, size_t b_len);

/*
 * The length of a byte order mark at the beginning, or 0.
 */
size_t conflict_text_bom(const unsigned char *text, size_t len);

/*
 * Where the byte behind "text" is, for people: its line, and the character
 * in it, from 1.
 */
void conflict_text_place(const unsigned char *text, size_t len, size_t *line,
    size_t *column);


#endif /* _CONFLICT_TEXT_H_INCLUDED_ */
