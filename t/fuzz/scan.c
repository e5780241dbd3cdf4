
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: the JSON scanner.  The result must not depend on the pieces,
 * and must equal that of the tree, and jansson's, except for a byte order mark
 * and unpaired surrogates, which jansson refuses.  The first byte is the size
 * of a piece.
 */


#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/json/conflict_tree.h"
#include "lib/halves.h"


static conflict_json_rc_e
scan(conflict_scan_t *json, const conflict_pointer_t *pointer,
    const unsigned char *data, size_t size, size_t step)
{
    size_t              i, n;
    unsigned char      *piece;
    conflict_json_rc_e  rc;

    conflict_scan_init(json, pointer);

    for (i = 0; i < size; i += n) {
        n = size - i < step ? size - i : step;

        /* a separate allocation, so that ASan detects an overrun */

        piece = malloc(n);
        memcpy(piece, data + i, n);
        rc = conflict_scan_feed(json, piece, n);
        free(piece);

        if (rc != CONFLICT_JSON_OK) {
            return rc;
        }
    }

    return conflict_scan_end(json);
}


/* the tree checks by itself what it is made of */

static void
check_tree(const unsigned char *data, size_t size, conflict_json_rc_e expected)
{
    size_t              values;
    unsigned char      *text;
    conflict_tree_t     tree;
    conflict_json_rc_e  rc;

    /* a separate allocation, so that ASan detects an overrun */

    text = malloc(size);
    memcpy(text, data, size);

    values = 100000;
    rc = conflict_tree_parse(&tree, text, size, &values, 1);
    conflict_tree_free(&tree);

    if ((rc == CONFLICT_JSON_REPEATED ? CONFLICT_JSON_OK : rc) != expected) {
        abort();
    }

    /* an error comes before the number of values */

    values = 2;
    rc = conflict_tree_parse(&tree, text, size, &values, 1);
    conflict_tree_free(&tree);

    if (rc == CONFLICT_JSON_REPEATED || rc == CONFLICT_JSON_LARGE) {
        rc = CONFLICT_JSON_OK;
    }

    if (rc != expected) {
        abort();
    }

    free(text);
}


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    json_t             *tree;
    size_t              bom;
    uint64_t            start, end;
    json_error_t        error;
    unsigned char      *left;
    conflict_scan_t     whole, pieces;
    conflict_json_rc_e  rc;
    conflict_pointer_t  pointer;

    if (size < 2) {
        return 0;
    }

    conflict_scan_pointer(&pointer, "/a/1", 4);

    rc = scan(&whole, &pointer, data + 1, size - 1, size);

    if (scan(&pieces, &pointer, data + 1, size - 1, data[0] % 32 + 1) != rc) {
        abort();
    }

    if (rc == CONFLICT_JSON_OK) {

        if (whole.type != pieces.type || whole.value != pieces.value
            || whole.offset != size - 1
            || whole.end != pieces.end || whole.len != pieces.len
            || memcmp(whole.text, pieces.text, whole.len) != 0
            || whole.parent_end != pieces.parent_end)
        {
            abort();
        }

        /* without the member it is still a document */

        if (whole.type != CONFLICT_JSON_NONE) {
            conflict_scan_cut(&whole, &start, &end);

            if (start > end || end > size - 1) {
                abort();
            }

            left = malloc(size);
            memcpy(left, data + 1, start);
            memcpy(left + start, data + 1 + end, size - 1 - end);

            if (scan(&pieces, NULL, left, size - 1 - (end - start), size)
                != CONFLICT_JSON_OK)
            {
                abort();
            }

            free(left);
        }
    }

    check_tree(data + 1, size - 1,
               scan(&pieces, NULL, data + 1, size - 1, size));

    if (memchr(data + 1, 0, size - 1)) {
        /* a NUL ends the text for jansson */
        return 0;
    }

    rc = scan(&whole, NULL, data + 1, size - 1, size);

    bom = conflict_text_bom(data + 1, size - 1);

    left = malloc(size);
    memcpy(left, data + 1 + bom, size - 1 - bom);
    complete(left, size - 1 - bom);

    tree = json_loadb((const char *) left, size - 1 - bom,
                      JSON_DECODE_ANY|JSON_ALLOW_NUL, &error);

    free(left);

    /* jansson refuses values that it cannot represent */

    if ((rc == CONFLICT_JSON_OK) != (tree != NULL)
        && !(tree == NULL
             && (json_error_code(&error) == json_error_numeric_overflow
                 || json_error_code(&error) == json_error_null_byte_in_key))
        && !(tree != NULL && rc == CONFLICT_JSON_TOO_DEEP))
    {
        abort();
    }

    json_decref(tree);

    return 0;
}
