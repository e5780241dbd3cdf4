
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: the pointer of a list's member, that of the id, and a document.
 * With a value in each place the document is valid, and has the same items,
 * each with that value.
 */


#include <stdlib.h>
#include <string.h>

#include "core/json/conflict_items.h"


#define MAX  64


static unsigned char *
fill(const conflict_items_path_t *path, const unsigned char *text, size_t len,
    const conflict_item_t *items, size_t n, size_t *size)
{
    size_t                     i, pos, name_len;
    unsigned char             *out, *p;
    const unsigned char       *name;
    const conflict_pointer_t  *member;

    member = &path->member;
    name = &member->text[member->name[member->levels - 1]];
    name_len = member->len[member->levels - 1];

    out = malloc(len + n * (6 * name_len + sizeof(",\"\":77")));
    p = out;
    pos = 0;

    for (i = 0; i < n; i++) {

        if (items[i].to == 0) {
            continue;
        }

        if (items[i].from < pos || items[i].to < items[i].from
            || items[i].to > len)
        {
            abort();
        }

        memcpy(p, text + pos, items[i].from - pos);
        p += items[i].from - pos;
        pos = items[i].to;

        if (items[i].from == items[i].to) {

            if (!items[i].first) {
                *p++ = ',';
            }

            *p++ = '"';
            p += conflict_text_quote(p, name, name_len);
            *p++ = '"';
            *p++ = ':';
        }

        *p++ = '7';
        *p++ = '7';
    }

    memcpy(p, text + pos, len - pos);
    *size = p + len - pos - out;

    return out;
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t                  i, n, again, len;
    unsigned char          *out, id[CONFLICT_ITEMS_ID];
    conflict_item_t        *items, *filled;
    conflict_items_path_t   path;
    const unsigned char    *p, *q, *last;

    last = data + size;
    p = size ? memchr(data, '\n', size) : NULL;
    q = p ? memchr(p + 1, '\n', last - p - 1) : NULL;

    if (q == NULL
        || conflict_items_pointer(&path, (const char *) data, p - data) != 0
        || conflict_scan_pointer(&path.id, (const char *) p + 1, q - p - 1)
           != 0
        || conflict_text_repair(NULL, data, p - data) != (size_t) (p - data)
        || conflict_scan_pointer_within(&path.id, &path.member)
        || conflict_scan_pointer_within(&path.member, &path.id))
    {
        return 0;
    }

    data = q + 1;
    size = last - data;

    if (conflict_items_find(&path, data, size, 1000, MAX, 7, &items, &n)
        != CONFLICT_JSON_OK)
    {
        return 0;
    }

    out = fill(&path, data, size, items, n, &len);

    if (conflict_items_find(&path, out, len, 1000 + MAX, MAX, 7, &filled,
                            &again)
        != CONFLICT_JSON_OK
        || again != n)
    {
        abort();
    }

    for (i = 0; i < n; i++) {

        if (conflict_items_id(id, data, &items[i])
            != conflict_items_id(id, out, &filled[i]))
        {
            abort();
        }

        if (items[i].to
            && (filled[i].to - filled[i].from != 2
                || memcmp(out + filled[i].from, "77", 2) != 0))
        {
            abort();
        }
    }

    free(out);
    free(items);
    free(filled);

    return 0;
}
