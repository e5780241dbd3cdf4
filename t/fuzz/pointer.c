
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: a JSON pointer, a line feed, and a document.  The scanner
 * finds what jansson finds, with the same text, and cuts just that out.
 */


#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/conflict_scan.h"


/* RFC 6901; NULL: there is no value.  "name" is that of the value */

static json_t *
walk(json_t *tree, const char *p, const char *last, json_t **parent,
    char *name, size_t *len)
{
    size_t  i;

    while (tree && p < last) {
        *len = 0;

        for (p++; p < last && *p != '/'; p++) {

            if (*p == '~') {
                name[(*len)++] = (*++p == '0') ? '~' : '/';
                continue;
            }

            name[(*len)++] = *p;
        }

        *parent = tree;

        if (json_is_object(tree)) {
            tree = json_object_getn(tree, name, *len);
            continue;
        }

        if (!json_is_array(tree) || *len == 0 || *len > 8
            || (*len > 1 && name[0] == '0'))
        {
            return NULL;
        }

        for (i = 0; i < *len; i++) {

            if (name[i] < '0' || name[i] > '9') {
                return NULL;
            }
        }

        name[*len] = '\0';
        tree = json_array_get(tree, strtoul(name, NULL, 10));
    }

    return tree;
}


static int
same_type(json_t *value, conflict_json_type_e type)
{
    switch (type) {

    case CONFLICT_JSON_NULL:
        return json_is_null(value);

    case CONFLICT_JSON_BOOLEAN:
        return json_is_boolean(value);

    case CONFLICT_JSON_NUMBER:
        return json_is_number(value);

    case CONFLICT_JSON_STRING:
        return json_is_string(value);

    case CONFLICT_JSON_ARRAY:
        return json_is_array(value);

    case CONFLICT_JSON_OBJECT:
        return json_is_object(value);

    default: /* CONFLICT_JSON_NONE */
        return value == NULL;
    }
}


/* the document without the member equals jansson's without it */

static void
cut(const conflict_scan_t *json, const unsigned char *data, size_t size,
    json_t *tree, json_t *parent, char *name, size_t len)
{
    json_t         *rest;
    uint64_t        start, end;
    unsigned char  *left;

    conflict_scan_cut(json, &start, &end);

    if (start > end || end > size) {
        abort();
    }

    left = malloc(size + 1);
    memcpy(left, data, start);
    memcpy(left + start, data + end, size - end);

    rest = json_loadb((char *) left, size - (end - start),
                      JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);

    if (json_is_object(parent)) {
        (void) json_object_deln(parent, name, len);

    } else {
        (void) json_array_remove(parent, strtoul(name, NULL, 10));
    }

    if (!json_equal(rest, tree)) {
        abort();
    }

    json_decref(rest);
    free(left);
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char                  name[CONFLICT_JSON_NAME + 1];
    json_t               *tree, *value, *parent;
    size_t                len;
    const char           *text;
    conflict_scan_t       json;
    const unsigned char  *p;
    conflict_pointer_t    pointer;

    text = (const char *) data;
    p = size ? memchr(data, '\n', size) : NULL;

    if (p == NULL
        || conflict_scan_pointer(&pointer, text, p - data) != 0)
    {
        return 0;
    }

    size -= p + 1 - data;
    data = p + 1;

    conflict_scan_init(&json, &pointer);

    if (conflict_scan_feed(&json, data, size) != CONFLICT_JSON_OK
        || conflict_scan_end(&json) != CONFLICT_JSON_OK)
    {
        return 0;
    }

    tree = json_loadb((const char *) data, size,
                      JSON_DECODE_ANY|JSON_ALLOW_NUL|JSON_REJECT_DUPLICATES,
                      NULL);

    if (tree == NULL) {
        /* not representable, or a duplicate member outside the path */
        return 0;
    }

    value = walk(tree, text, (const char *) p, &parent, name, &len);

    if (!same_type(value, json.type)) {
        abort();
    }

    if (json_is_string(value) && !json.cut_short
        && (json_string_length(value) != json.len
            || memcmp(json_string_value(value), json.text, json.len) != 0))
    {
        abort();
    }

    if (value) {
        cut(&json, data, size, tree, parent, name, len);
    }

    json_decref(tree);

    return 0;
}
