
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Entity tags in lists (RFC 9110, section 8.8.3).
 */


#include <string.h>

#include "core/policy/conflict_etag.h"


static const char *conflict_etag_suffix(const char *p, const char *last);


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


/*
 * mod_deflate of Apache, Jetty and others append the content encoding that
 * they have added, each in its own form.
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


/* the same suffix after the closing quote, where older servers append it */

static const char *
conflict_etag_suffix(const char *p, const char *last)
{
    const char  *q;

    for (q = p; q < last && *q > ' ' && *q != ','; q++) { /* void */ }

    return (q > p && conflict_etag_bare(p, (size_t) (q - p)) == 0) ? q : p;
}
