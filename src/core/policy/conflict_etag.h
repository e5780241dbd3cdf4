
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Entity tags in lists (RFC 9110, section 8.8.3).
 */


#ifndef _CONFLICT_ETAG_H_INCLUDED_
#define _CONFLICT_ETAG_H_INCLUDED_


#include <stddef.h>


typedef struct {
    const char              *data;        /* without the quotes */
    size_t                   len;
    unsigned                 weak;
} conflict_etag_t;


typedef enum {
    CONFLICT_ETAG_END = 0,
    CONFLICT_ETAG_TAG,
    CONFLICT_ETAG_MALFORMED
} conflict_etag_e;


/*
 * Parses the next entity tag of a list, as in If-Match, and moves *p behind it.
 * The tag points into the text.  "*" is not a tag: MALFORMED.
 */
conflict_etag_e conflict_etag_next(const char **p, const char *last,
    conflict_etag_t *etag);

/*
 * The length of a tag's text without a suffix such as "-gzip" or ";br", which
 * a front end adds for a content encoding; "len" if it has none.
 */
size_t conflict_etag_bare(const char *text, size_t len);


#endif /* _CONFLICT_ETAG_H_INCLUDED_ */
