
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Bytes that grow, on the heap.  Once there is no memory nothing is added
 * any more, so only the end needs a look at "failed".
 */


#ifndef _CONFLICT_BUFFER_H_INCLUDED_
#define _CONFLICT_BUFFER_H_INCLUDED_


#include <stddef.h>


/* all zeros is an empty one */

typedef struct {
    unsigned char           *data;
    size_t                   len;
    size_t                   size;
    unsigned                 failed;
} conflict_buffer_t;


void conflict_buffer_add(conflict_buffer_t *out, const void *data, size_t len);
void conflict_buffer_text(conflict_buffer_t *out, const char *text);

/* The inside of a JSON string, from bytes, to be sent on. */
void conflict_buffer_quoted(conflict_buffer_t *out, const unsigned char *data,
    size_t len);

void conflict_buffer_free(conflict_buffer_t *out);


#endif /* _CONFLICT_BUFFER_H_INCLUDED_ */
