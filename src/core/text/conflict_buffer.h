
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A growing buffer on the heap.  After an allocation failure nothing more is
 * added, so it is enough to check "failed" at the end.
 */


#ifndef _CONFLICT_BUFFER_H_INCLUDED_
#define _CONFLICT_BUFFER_H_INCLUDED_


#include <stddef.h>


/* all zeros: an empty buffer */

typedef struct {
    unsigned char           *data;
    size_t                   len;
    size_t                   size;
    unsigned                 failed;
} conflict_buffer_t;


/* Gives an empty buffer the size that it is expected to need. */
void conflict_buffer_reserve(conflict_buffer_t *out, size_t size);

void conflict_buffer_add(conflict_buffer_t *out, const void *data, size_t len);
void conflict_buffer_text(conflict_buffer_t *out, const char *text);

/* Adds bytes as the contents of a JSON string: see conflict_text_quote(). */
void conflict_buffer_quoted(conflict_buffer_t *out, const unsigned char *data,
    size_t len);

void conflict_buffer_free(conflict_buffer_t *out);


#endif /* _CONFLICT_BUFFER_H_INCLUDED_ */
