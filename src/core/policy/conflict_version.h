
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Versions: how they are minted, read from clients and upstreams, and how
 * entity tags carry them (RFC 9110, section 8.8.3).
 */


#ifndef _CONFLICT_VERSION_H_INCLUDED_
#define _CONFLICT_VERSION_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/policy/conflict_etag.h"


/*
 * A version is a number below 2^53, which every JSON client can represent, or
 * the hash of an upstream's opaque version, with the high bit set.  Versions
 * are compared for equality; 0 is no version.
 */

#define CONFLICT_VERSION_LIMIT   (1ULL << 53)
#define CONFLICT_VERSION_OPAQUE  (1ULL << 63)


/*
 * Parses decimal digits without leading zeros, from 1 to below the limit.
 * Returns 0, or -1 if the text is not such a number.
 */
int conflict_version_parse(uint64_t *version, const char *text, size_t len);

/*
 * The same for a number, otherwise the hash of the text.
 */
uint64_t conflict_version_from_text(const char *text, size_t len);

/*
 * The minted version that a client's tag names: a number, followed by nothing,
 * by "." and the upstream's own tag, or by the suffix of a front end.  Any
 * other text is an opaque version, which no minted version equals.
 */
uint64_t conflict_version_from_tag(const char *text, size_t len);

/*
 * The upstream's own tag in the text of a minted one: "17.abc" contains "abc",
 * "17.W/abc" contains W/"abc".  Returns 0, or -1 if there is none.
 */
int conflict_version_upstream_tag(conflict_etag_t *own, const char *text,
    size_t len);

/*
 * The version for an upstream's ETag.  That for a weak tag equals no client's
 * tag, since If-Match uses the strong comparison (RFC 9110, 13.1.1).  Returns 0
 * if the text is not an entity tag.
 */
uint64_t conflict_version_from_etag(const char *text, size_t len);

/*
 * The version that an upstream sends in a member, or in a header other than
 * ETag.  If it has the form of an entity tag, weak and strong are the same:
 * here a tag names a version, not the bytes of a representation.
 */
uint64_t conflict_version_from_member(const char *text, size_t len);

/*
 * 1 if "a" is certainly older than "b": opaque versions have no order.
 */
int conflict_version_older(uint64_t a, uint64_t b);

/*
 * The next version to mint: greater than the previous one, and at least the
 * current time in milliseconds, so that a store that has lost its data does
 * not mint a version again.
 */
uint64_t conflict_version_next(uint64_t previous, uint64_t now);

/*
 * As conflict_etag_next(), for a minted version without its quotes.  Returns 0,
 * or -1 if the next member of the list is not one.
 */
int conflict_version_unquoted(const char **p, const char *last,
    conflict_etag_t *etag);

/*
 * Removes the quotes of a strong entity tag, as a base in a body may have them;
 * any other text stays.
 */
void conflict_version_unquote(const char **text, size_t *len);


#endif /* _CONFLICT_VERSION_H_INCLUDED_ */
