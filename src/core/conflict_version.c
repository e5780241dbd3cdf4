
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Versions and entity tags.  Knows nothing of stores or policies.
 */


#include <string.h>

#include "conflict_hash.h"
#include "conflict_time.h"
#include "conflict_version.h"


static const char *conflict_etag_suffix(const char *p, const char *last);


int
conflict_version_parse(uint64_t *version, const char *text, size_t len)
{
    size_t    i;
    uint64_t  v;

    if (len == 0 || len > CONFLICT_VERSION_DIGITS || text[0] == '0') {
        return -1;
    }

    v = 0;

    for (i = 0; i < len; i++) {

        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }

        v = v * 10 + (uint64_t) (text[i] - '0');
    }

    if (v >= CONFLICT_VERSION_LIMIT) {
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
conflict_version_own(conflict_etag_t *own, const char *text, size_t len)
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

    /* another seed: no strong tag has this hash */

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


conflict_etag_e
conflict_etag_next(const char **p, const char *last, conflict_etag_t *etag)
{
    const char     *q;
    unsigned char   ch;

    q = *p;

    while (q < last && (*q == ' ' || *q == '\t' || *q == ',')) {
        q++;
    }

    if (q == last) {
        *p = q;
        return CONFLICT_ETAG_END;
    }

    etag->weak = (last - q > 2 && q[0] == 'W' && q[1] == '/');

    if (etag->weak) {
        q += 2;
    }

    if (*q != '"') {
        return CONFLICT_ETAG_MALFORMED;
    }

    etag->data = ++q;

    while (q < last && *q != '"') {
        ch = (unsigned char) *q++;

        /* etagc = %x21 / %x23-7E / obs-text (RFC 9110, 8.8.3) */

        if (ch <= 0x20 || ch == 0x7f) {
            return CONFLICT_ETAG_MALFORMED;
        }
    }

    if (q == last) {
        return CONFLICT_ETAG_MALFORMED;
    }

    etag->len = (size_t) (q++ - etag->data);
    q = conflict_etag_suffix(q, last);

    while (q < last && (*q == ' ' || *q == '\t')) {
        q++;
    }

    if (q < last && *q != ',') {
        return CONFLICT_ETAG_MALFORMED;
    }

    *p = q;

    return CONFLICT_ETAG_TAG;
}


int
conflict_etag_plain(const char **p, const char *last, conflict_etag_t *etag)
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


/*
 * What mod_deflate of Apache, Jetty and others put behind a tag, each in its
 * way, for the encoding that they have added.
 */

size_t
conflict_etag_bare(const char *text, size_t len)
{
    size_t      n, i, left;

    static const char *const  codings[] = { "gzip", "br", "zstd", "deflate" };

    for (i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        n = strlen(codings[i]);

        if (len < n + 1 || memcmp(text + len - n, codings[i], n) != 0) {
            continue;
        }

        left = len - n - 1;

        if (text[left] == ';') {
            return left;
        }

        if (text[left] == '-') {
            return (left && text[left - 1] == '-') ? left - 1 : left;
        }
    }

    return len;
}


/* the same behind the closing quote, where older ones have put it */

static const char *
conflict_etag_suffix(const char *p, const char *last)
{
    const char  *q;

    for (q = p; q < last && *q > ' ' && *q != ','; q++) { /* void */ }

    return (q > p && conflict_etag_bare(p, (size_t) (q - p)) == 0) ? q : p;
}


void
conflict_mtime_next(int64_t *mtime, unsigned *twice, int64_t now)
{
    int64_t  shown;

    shown = conflict_mtime_second(*mtime, *twice);

    *mtime = (now > *mtime) ? now : *mtime + 1;
    *twice = (*mtime / CONFLICT_TIME_SECOND <= shown);
}


void
conflict_mtime_see(int64_t *mtime, unsigned *twice, int64_t seen)
{
    int64_t  noted, shown, told;

    noted = *mtime / CONFLICT_TIME_SECOND;
    shown = conflict_mtime_second(*mtime, *twice);
    told = seen / CONFLICT_TIME_SECOND;

    if (told == noted && seen % CONFLICT_TIME_SECOND == 0) {
        /* no more than a date's whole seconds: what was noted is finer */
        return;
    }

    *mtime = seen;

    if (told != noted) {
        *twice = (told <= shown);
    }
}


int64_t
conflict_mtime_second(int64_t mtime, unsigned twice)
{
    return mtime / CONFLICT_TIME_SECOND + (twice ? 1 : 0);
}
