
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A growing buffer on the heap, which doubles its size.
 */


#include <stdlib.h>
#include <string.h>

#include "core/text/conflict_buffer.h"
#include "core/text/conflict_text.h"


#define CONFLICT_BUFFER_INITIAL  256


static unsigned char *conflict_buffer_room(conflict_buffer_t *out, size_t len);


void
conflict_buffer_reserve(conflict_buffer_t *out, size_t size)
{
    if (out->size == 0) {
        out->data = malloc(size);
        out->size = out->data ? size : 0;
        out->failed |= (out->data == NULL);
    }
}


void
conflict_buffer_add(conflict_buffer_t *out, const void *data, size_t len)
{
    unsigned char  *p;

    if (len == 0) {
        return;
    }

    p = conflict_buffer_room(out, len);

    if (p) {
        memcpy(p, data, len);
        out->len += len;
    }
}


void
conflict_buffer_text(conflict_buffer_t *out, const char *text)
{
    conflict_buffer_add(out, text, strlen(text));
}


void
conflict_buffer_quoted(conflict_buffer_t *out, const unsigned char *data,
    size_t len)
{
    size_t          size;
    unsigned char  *p;

    if (len == 0) {
        return;
    }

    size = conflict_text_quote(NULL, data, len);
    p = conflict_buffer_room(out, size);

    if (p && size) {
        out->len += conflict_text_quote(p, data, len);
    }
}


void
conflict_buffer_free(conflict_buffer_t *out)
{
    free(out->data);
    memset(out, 0, sizeof(conflict_buffer_t));
}


static unsigned char *
conflict_buffer_room(conflict_buffer_t *out, size_t len)
{
    size_t          size;
    unsigned char  *data;

    if (out->failed) {
        return NULL;
    }

    if (out->size - out->len < len) {
        size = out->size ? out->size : CONFLICT_BUFFER_INITIAL;

        while (size - out->len < len) {
            size *= 2;
        }

        data = realloc(out->data, size);

        if (data == NULL) {
            out->failed = 1;
            return NULL;
        }

        out->data = data;
        out->size = size;
    }

    return out->data + out->len;
}
