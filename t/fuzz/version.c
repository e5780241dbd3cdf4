
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: lists of entity tags and versions.
 */


#include <stdlib.h>
#include <string.h>

#include "core/text/conflict_text.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char             *text;
    size_t            n;
    uint64_t          v;
    const char       *p, *last, *before;
    unsigned char    *out;
    conflict_etag_t   etag;

    text = malloc(size ? size : 1);
    memcpy(text, data, size);

    p = text;
    last = text + size;
    n = 0;

    for ( ;; ) {
        before = p;

        if (conflict_etag_next(&p, last, &etag) != CONFLICT_ETAG_TAG) {
            break;
        }

        /* each tag is inside the text, and the next one after it */

        if (etag.data < before || etag.data + etag.len >= p || p > last
            || ++n > size / 2 + 1)
        {
            abort();
        }

        v = conflict_version_from_tag(etag.data, etag.len);

        if (v < CONFLICT_VERSION_LIMIT && v != strtoull(etag.data, NULL, 10)) {
            abort();
        }
    }

    (void) conflict_version_from_etag(text, size);

    if (conflict_version_parse(&v, text, size) == 0
        && (v == 0 || v >= CONFLICT_VERSION_LIMIT))
    {
        abort();
    }

    /* an escaped text has the announced length */

    n = conflict_text_escape(NULL, data, size);
    out = malloc(n ? n : 1);

    if (conflict_text_escape(out, data, size) != n || n > 6 * size) {
        abort();
    }

    free(out);
    free(text);

    return 0;
}
