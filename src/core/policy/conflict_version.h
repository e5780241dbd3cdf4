
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
 * A version is a number below 2^53, which every JSON client can hold, or
 * the hash of an upstream's own opaque version, which has the high bit.
 * Versions are compared for equality; 0 is none.
 */

#define CONFLICT_VERSION_LIMIT   (1ULL << 53)
#define CONFLICT_VERSION_OPAQUE  (1ULL << 63)
#define CONFLICT_VERSION_DIGITS  (sizeof("9007199254740992") - 1)


/*
 * Decimal digits without leading zeros, from 1 up to the limit.  Returns 0,
 * or -1 where the text is no such number.
 */
int conflict_version_parse(uint64_t *version, const char *text, size_t len);

/*
 * The same where it is a number, the hash of the text where it is not.
 */
uint64_t conflict_version_from_text(const char *text, size_t len);

/*
 * The version that a client's tag names where versions are minted: a number
 * at its end or before a ".", behind which a tag bears the upstream's own,
 * or before what a front has put behind it.  Any other text is opaque, which
 * no minted version equals.
 */
uint64_t conflict_version_from_tag(const char *text, size_t len);

/*
 * The upstream's own tag behind the version in the text of a minted one:
 * "17.abc" bears "abc", "17.W/abc" bears W/"abc".  Returns 0, or -1 where it
 * bears none.
 */
int conflict_version_upstream_tag(conflict_etag_t *own, const char *text,
    size_t len);

/*
 * The version that an upstream's ETag stands for.  A weak tag stands for
 * one that no client's tag equals, since If-Match compares strongly (RFC
 * 9110, 13.1.1); 0 where the text is not an entity tag.
 */
uint64_t conflict_version_from_etag(const char *text, size_t len);

/*
 * The version that an upstream says in a member, or in a header that is not
 * ETag.  Where that is an entity tag, it is the same whether it is weak: such
 * a tag names a version, and no representation that might be the same but in
 * its bytes.
 */
uint64_t conflict_version_from_member(const char *text, size_t len);

/*
 * 1 where "a" came before "b" for certain: opaque versions have no order.
 */
int conflict_version_older(uint64_t a, uint64_t b);

/*
 * The next version to mint: more than any before it, and at least the
 * current time in milliseconds, so that a store that lost its memory does
 * not hand out a number again.
 */
uint64_t conflict_version_next(uint64_t previous, uint64_t now);

/*
 * As conflict_etag_next(), for a minted version without its quotes.
 * Returns 0, or -1 where the next of the list is none.
 */
int conflict_version_unquoted(const char **p, const char *last,
    conflict_etag_t *etag);

/*
 * What is within the quotes of a strong entity tag, as a base in a body has
 * it; any other text stays.
 */
void conflict_version_unquote(const char **text, size_t *len);


#endif /* _CONFLICT_VERSION_H_INCLUDED_ */
