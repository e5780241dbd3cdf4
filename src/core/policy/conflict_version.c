
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Versions: minted, and read from what clients and upstreams send.
 */


#include <string.h>

#include "core/policy/conflict_version.h"
#include "core/policy/conflict_etag.h"
#include "core/text/conflict_decimal.h"
#include "core/text/conflict_hash.h"


int
conflict_version_parse(uint64_t *version, const char *text, size_t len)
{
    uint64_t              v;
    const unsigned char  *p;

    p = (const unsigned char *) text;

    if (len == 0
        || conflict_decimal_parse(p, p + len, CONFLICT_VERSION_LIMIT - 1, &v)
           != p + len
        || v == 0)
    {
        return -1;
    }

    *version = v;

    return 0;
}


uint64_t
conflict_version_from_text(const char *text, size_t len)
{
    uint64_t         version;
    conflict_hash_t  hash;

    if (conflict_version_parse(&version, text, len) == 0) {
        return version;
    }

    conflict_hash_init(&hash, 0);
    conflict_hash_update(&hash, text, len);

    return conflict_hash_final(&hash) | CONFLICT_VERSION_OPAQUE;
}


uint64_t
conflict_version_from_tag(const char *text, size_t len)
{
    size_t       digits;
    uint64_t     version;
    const char  *dot;

    if (conflict_version_parse(&version, text, len) == 0) {
        return version;
    }

    dot = len ? memchr(text, '.', len) : NULL;
    digits = dot ? (size_t) (dot - text) : conflict_etag_bare(text, len);

    if (conflict_version_parse(&version, text, digits) == 0) {
        return version;
    }

    return conflict_version_from_text(text, len);
}


int
conflict_version_upstream_tag(conflict_etag_t *own, const char *text,
    size_t len)
{
    const char  *dot;

    dot = len ? memchr(text, '.', len) : NULL;

    if (dot == NULL) {
        return -1;
    }

    own->data = dot + 1;
    own->len = len - (size_t) (own->data - text);
    own->weak = (own->len >= 2 && own->data[0] == 'W' && own->data[1] == '/');

    if (own->weak) {
        own->data += 2;
        own->len -= 2;
    }

    return 0;
}


uint64_t
conflict_version_from_member(const char *text, size_t len)
{
    const char       *p;
    conflict_etag_t   etag;

    p = text;

    if (conflict_etag_next(&p, text + len, &etag) == CONFLICT_ETAG_TAG
        && p == text + len)
    {
        return conflict_version_from_text(etag.data, etag.len);
    }

    return conflict_version_from_text(text, len);
}


uint64_t
conflict_version_from_etag(const char *text, size_t len)
{
    const char       *p;
    conflict_hash_t   hash;
    conflict_etag_t   etag;

    p = text;

    if (conflict_etag_next(&p, text + len, &etag) != CONFLICT_ETAG_TAG
        || p != text + len)
    {
        return 0;
    }

    if (!etag.weak) {
        return conflict_version_from_text(etag.data, etag.len);
    }

    /* another seed: equals the hash of no strong tag */

    conflict_hash_init(&hash, 1);
    conflict_hash_update(&hash, etag.data, etag.len);

    return conflict_hash_final(&hash) | CONFLICT_VERSION_OPAQUE;
}


int
conflict_version_older(uint64_t a, uint64_t b)
{
    return a && a < b && b < CONFLICT_VERSION_LIMIT;
}


uint64_t
conflict_version_next(uint64_t previous, uint64_t now)
{
    return (previous + 1 > now) ? previous + 1 : now;
}


int
conflict_version_unquoted(const char **p, const char *last,
    conflict_etag_t *etag)
{
    const char  *q;

    for (q = *p; q < last && (*q == ' ' || *q == '\t' || *q == ','); q++) {
        /* void */
    }

    etag->data = q;
    etag->weak = 0;

    while (q < last && *q > ' ' && *q < 0x7f && *q != ',' && *q != '"') {
        q++;
    }

    etag->len = (size_t) (q - etag->data);

    while (q < last && (*q == ' ' || *q == '\t')) {
        q++;
    }

    if ((q < last && *q != ',')
        || conflict_version_from_tag(etag->data, etag->len)
           >= CONFLICT_VERSION_LIMIT)
    {
        return -1;
    }

    *p = q;

    return 0;
}


void
conflict_version_unquote(const char **text, size_t *len)
{
    const char  *p;

    p = *text;

    if (*len > 1 && p[0] == '"' && p[*len - 1] == '"') {
        *text = p + 1;
        *len -= 2;
    }
}
