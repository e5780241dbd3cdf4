
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: does a document reflect a write?  Each that says anything
 * reflects itself.  The two are parted by a NUL.
 */


#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../../src/core/conflict_merge.h"


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    json_t                  *tree;
    const unsigned char     *p;
    conflict_json_pointer_t  base;

    p = memchr(data, 0, size);

    if (p) {
        conflict_json_pointer(&base, "/a/b", 4);
        (void) conflict_merge_reflects((const char *) data,
                                       (size_t) (p - data),
                                       (const char *) p + 1,
                                       size - (size_t) (p - data) - 1, &base);
    }

    tree = json_loadb((const char *) data, size,
                      JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);

    if (json_is_object(tree) && json_object_size(tree)
        && !conflict_merge_reflects((const char *) data, size,
                                    (const char *) data, size, NULL))
    {
        abort();
    }

    json_decref(tree);

    return 0;
}
