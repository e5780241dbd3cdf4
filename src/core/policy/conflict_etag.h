
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Entity tags as they stand in lists (RFC 9110, section 8.8.3).
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
 * Steps through a list of entity tags, as in If-Match; *p moves.  The tag's
 * text is the caller's.  "*" is not a tag, and is malformed here.
 */
conflict_etag_e conflict_etag_next(const char **p, const char *last,
    conflict_etag_t *etag);

/*
 * The length of a tag's text without "-gzip", ";br" and the like at its end,
 * by which a front tells encodings apart; "len" where it has none.
 */
size_t conflict_etag_bare(const char *text, size_t len);


#endif /* _CONFLICT_ETAG_H_INCLUDED_ */
