
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The one user of jansson.  Both documents were scanned before, so their
 * depth is bounded.
 */


#include <string.h>

#include <jansson.h>

#include "conflict_merge.h"


static void conflict_merge_remove(json_t *document,
    const conflict_json_pointer_t *pointer);
static int conflict_merge_contains(const json_t *latest, const json_t *write);


int
conflict_merge_reflects(const char *latest, size_t latest_len,
    const char *write, size_t write_len, const conflict_json_pointer_t *base)
{
    int     rc;
    json_t  *l, *w;

    rc = 0;

    l = json_loadb(latest, latest_len, JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL,
                   NULL);
    w = json_loadb(write, write_len, JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL,
                   NULL);

    if (json_is_object(l) && json_is_object(w)) {

        if (base) {
            conflict_merge_remove(w, base);
        }

        /* a write that wants nothing is reflected by anything: not told */

        rc = json_object_size(w) && conflict_merge_contains(l, w);
    }

    json_decref(l);
    json_decref(w);

    return rc;
}


static void
conflict_merge_remove(json_t *document, const conflict_json_pointer_t *pointer)
{
    char      name[CONFLICT_JSON_NAME + 1];
    json_t   *parent;
    unsigned  i;

    parent = document;

    for (i = 0; i < pointer->levels && json_is_object(parent); i++) {
        memcpy(name, &pointer->text[pointer->name[i]], pointer->len[i]);
        name[pointer->len[i]] = '\0';

        if (i + 1 == pointer->levels) {
            (void) json_object_del(parent, name);
            return;
        }

        parent = json_object_get(parent, name);
    }
}


static int
conflict_merge_contains(const json_t *latest, const json_t *write)
{
    json_t      *value, *have;
    const char  *name;

    json_object_foreach((json_t *) write, name, value) {
        have = json_object_get(latest, name);

        if (json_is_null(value)) {

            if (have && !json_is_null(have)) {
                return 0;
            }

        } else if (json_is_object(value) && json_is_object(have)) {

            if (!conflict_merge_contains(have, value)) {
                return 0;
            }

        } else if (!json_equal(have, value)) {
            return 0;
        }
    }

    return 1;
}
