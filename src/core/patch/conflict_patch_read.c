
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Parses the operations of a JSON Patch and their pointers (RFC 6901).
 */


#include <stdlib.h>
#include <string.h>

#include "core/patch/conflict_patch_state.h"


#define conflict_patch_has_from(operation)                                    \
    ((operation)->op == CONFLICT_PATCH_MOVE                                   \
     || (operation)->op == CONFLICT_PATCH_COPY)


static int conflict_patch_read_operations(conflict_value_t document,
    conflict_patch_t *patch, unsigned lenient, size_t *bytes, size_t *tokens);
static int conflict_patch_read_paths(conflict_patch_t *patch,
    conflict_operation_t *op, size_t *bytes, size_t *tokens);
static int conflict_patch_read_operation(conflict_value_t element,
    conflict_operation_t *operation);
static int conflict_patch_read_complete(const conflict_operation_t *operation);
static conflict_value_t conflict_patch_read_member(conflict_value_t object,
    const char *name);
static int conflict_patch_read_measure(conflict_value_t string, size_t *bytes,
    size_t *tokens);
static int conflict_patch_read_path(conflict_patch_t *patch,
    conflict_value_t string, conflict_path_t *path, size_t *bytes,
    size_t *tokens);
static int conflict_patch_read_token(const unsigned char *src, size_t len,
    unsigned char *dst, conflict_token_t *token);
static int conflict_patch_read_sets(const conflict_operation_t *operation,
    const conflict_pointer_t *pointer);


conflict_json_rc_e
conflict_patch_read(conflict_patch_t *patch, const conflict_document_t *text,
    const conflict_pointer_t *base, unsigned lenient, size_t *values_left,
    uint64_t seed)
{
    size_t                 n, bytes, tokens;
    conflict_value_t       document;
    conflict_json_rc_e     rc;
    conflict_operation_t  *op;

    memset(patch, 0, sizeof(conflict_patch_t));

    rc = conflict_tree_parse(&patch->tree, text->data, text->len, values_left,
                             seed);
    if (rc != CONFLICT_JSON_OK) {
        return rc;
    }

    document.tree = &patch->tree;
    document.node = 0;

    if (conflict_tree_type(document) != CONFLICT_JSON_ARRAY) {
        return CONFLICT_JSON_MALFORMED;
    }

    n = patch->tree.nodes[0].children;

    patch->ops = calloc(n + 1, sizeof(conflict_operation_t));
    if (patch->ops == NULL) {
        return CONFLICT_JSON_FAILED;
    }

    bytes = 0;
    tokens = 0;

    if (conflict_patch_read_operations(document, patch, lenient, &bytes,
                                       &tokens)
        != 0)
    {
        return CONFLICT_JSON_MALFORMED;
    }

    patch->text = malloc(bytes + 1);
    patch->tokens = malloc((tokens + 1) * sizeof(conflict_token_t));

    if (patch->text == NULL || patch->tokens == NULL) {
        return CONFLICT_JSON_FAILED;
    }

    bytes = 0;
    tokens = 0;

    for (n = 0; n < patch->n; n++) {
        op = &patch->ops[n];

        if (conflict_patch_read_paths(patch, op, &bytes, &tokens) == 0) {
            op->base = (base && op->op == CONFLICT_PATCH_TEST
                        && op->path.n == base->levels
                        && conflict_patch_read_meets(&op->path, base));
            op->sets = (base && conflict_patch_read_sets(op, base));

        } else if (!lenient) {
            return CONFLICT_JSON_MALFORMED;
        }
    }

    return CONFLICT_JSON_OK;
}


static int
conflict_patch_read_operations(conflict_value_t document,
    conflict_patch_t *patch, unsigned lenient, size_t *bytes, size_t *tokens)
{
    conflict_value_t       v, path, from;
    conflict_operation_t  *op;

    for (v = conflict_tree_first(document); v.tree;
         v = conflict_tree_next(document, v))
    {
        op = &patch->ops[patch->n];
        path = conflict_patch_read_member(v, "path");
        from = conflict_patch_read_member(v, "from");

        if (conflict_patch_read_operation(v, op) == 0
            && (lenient || conflict_patch_read_complete(op))
            && conflict_patch_read_measure(path, bytes, tokens) == 0
            && (!conflict_patch_has_from(op)
                || conflict_patch_read_measure(from, bytes, tokens) == 0))
        {
            patch->n++;

        } else if (!lenient) {
            return -1;
        }
    }

    return 0;
}


static int
conflict_patch_read_paths(conflict_patch_t *patch, conflict_operation_t *op,
    size_t *bytes, size_t *tokens)
{
    conflict_value_t  path, from;

    path = conflict_patch_read_member(op->element, "path");
    from = conflict_patch_read_member(op->element, "from");

    if (conflict_patch_read_path(patch, path, &op->path, bytes, tokens) != 0
        || (conflict_patch_has_from(op)
            && conflict_patch_read_path(patch, from, &op->from, bytes, tokens)
               != 0))
    {
        return -1;
    }

    return 0;
}


void
conflict_patch_read_free(conflict_patch_t *patch)
{
    conflict_tree_free(&patch->tree);

    free(patch->ops);
    free(patch->tokens);
    free(patch->text);
}


static int
conflict_patch_read_operation(conflict_value_t element,
    conflict_operation_t *operation)
{
    size_t                i, len;
    conflict_value_t      name;
    const unsigned char  *text;

    static const char  *names[] = {
        "add", "remove", "replace", "move", "copy", "test"
    };

    name = conflict_patch_read_member(element, "op");

    if (conflict_tree_type(name) != CONFLICT_JSON_STRING) {
        return -1;
    }

    text = conflict_tree_text(name, &len);

    for (i = 0; i < CONFLICT_PATCH_OPS; i++) {

        if (conflict_text_same(text + 1, len - 2,
                               (const unsigned char *) names[i],
                               strlen(names[i])))
        {
            break;
        }
    }

    operation->op = (conflict_patch_op_e) i;
    operation->element = element;
    operation->value = conflict_patch_read_member(element, "value");

    return (i == CONFLICT_PATCH_OPS) ? -1 : 0;
}


/* has it the value that it needs */

static int
conflict_patch_read_complete(const conflict_operation_t *operation)
{
    return operation->value.tree != NULL
           || (operation->op != CONFLICT_PATCH_ADD
               && operation->op != CONFLICT_PATCH_REPLACE
               && operation->op != CONFLICT_PATCH_TEST);
}


static conflict_value_t
conflict_patch_read_member(conflict_value_t object, const char *name)
{
    return conflict_tree_named(object, (const unsigned char *) name,
                               strlen(name));
}


/* adds the room that a pointer needs; -1: it is not a pointer */

static int
conflict_patch_read_measure(conflict_value_t string, size_t *bytes,
    size_t *tokens)
{
    size_t                n, len, size;
    unsigned char         rune[4];
    const unsigned char  *p, *last, *piece;

    if (conflict_tree_type(string) != CONFLICT_JSON_STRING) {
        return -1;
    }

    p = conflict_tree_text(string, &len) + 1;
    last = p + len - 2;
    size = 0;

    while ((n = conflict_text_next(&p, last, rune, &piece)) > 0) {

        if (size == 0 && *piece != '/') {
            return -1;
        }

        for (size += n; n > 0; n--) {
            *tokens += (*piece++ == '/');
        }
    }

    *bytes += size;

    return 0;
}


static int
conflict_patch_read_path(conflict_patch_t *patch, conflict_value_t string,
    conflict_path_t *path, size_t *bytes, size_t *tokens)
{
    size_t                n, len;
    unsigned char        *start, *end, *slash, rune[4];
    const unsigned char  *p, *last, *piece;

    start = end = patch->text + *bytes;
    p = conflict_tree_text(string, &len) + 1;
    last = p + len - 2;

    while ((n = conflict_text_next(&p, last, rune, &piece)) > 0) {
        memcpy(end, piece, n);
        end += n;
    }

    *bytes += (size_t) (end - start);

    path->tokens = &patch->tokens[*tokens];
    path->n = 0;

    while (start < end) {
        start++;

        slash = memchr(start, '/', (size_t) (end - start));
        slash = slash ? slash : end;

        if (conflict_patch_read_token(start, (size_t) (slash - start), start,
                                      &patch->tokens[*tokens])
            != 0)
        {
            return -1;
        }

        (*tokens)++;
        path->n++;
        start = slash;
    }

    return 0;
}


static int
conflict_patch_read_token(const unsigned char *src, size_t len,
    unsigned char *dst, conflict_token_t *token)
{
    size_t  i;

    token->data = dst;

    for (i = 0; i < len; i++) {

        if (src[i] != '~') {
            *dst++ = src[i];
            continue;
        }

        i++;

        if (i == len || (src[i] != '0' && src[i] != '1')) {
            return -1;
        }

        *dst++ = (src[i] == '0') ? '~' : '/';
    }

    token->len = (size_t) (dst - token->data);

    return 0;
}


/* it gives the member a value, alone or with what it is in */

static int
conflict_patch_read_sets(const conflict_operation_t *operation,
    const conflict_pointer_t *pointer)
{
    size_t            i;
    conflict_value_t  v;

    if (operation->op == CONFLICT_PATCH_REMOVE
        || operation->op == CONFLICT_PATCH_TEST
        || operation->path.n > pointer->levels
        || !conflict_patch_read_meets(&operation->path, pointer))
    {
        return 0;
    }

    if (conflict_patch_has_from(operation)) {
        /* what is in a value from elsewhere is not known: it may be in there */
        return 1;
    }

    v = operation->value;

    for (i = operation->path.n; i < pointer->levels && v.tree; i++) {
        v = conflict_tree_named(v, &pointer->text[pointer->name[i]],
                                pointer->len[i]);
    }

    return v.tree != NULL;
}


int
conflict_patch_read_meets(const conflict_path_t *path,
    const conflict_pointer_t *pointer)
{
    size_t                   i;
    const conflict_token_t  *token;

    for (i = 0; i < path->n && i < pointer->levels; i++) {
        token = &path->tokens[i];

        if (token->len != pointer->len[i]
            || (token->len
                && memcmp(token->data, &pointer->text[pointer->name[i]],
                          token->len)
                   != 0))
        {
            return 0;
        }
    }

    return 1;
}


int64_t
conflict_patch_read_index(const conflict_token_t *token)
{
    size_t   i;
    int64_t  n;

    if (token->len == 0 || token->len > 9
        || (token->data[0] == '0' && token->len > 1))
    {
        return -1;
    }

    n = 0;

    for (i = 0; i < token->len; i++) {

        if (token->data[i] < '0' || token->data[i] > '9') {
            return -1;
        }

        n = n * 10 + (token->data[i] - '0');
    }

    return n;
}


conflict_value_t
conflict_patch_read_find(conflict_value_t document, const conflict_path_t *path,
    size_t *steps)
{
    size_t            i;
    int64_t           n;
    conflict_value_t  v, parent;

    v = document;

    for (i = 0; i < path->n && v.tree; i++) {

        if (conflict_tree_type(v) != CONFLICT_JSON_ARRAY) {
            v = conflict_tree_named(v, path->tokens[i].data,
                                    path->tokens[i].len);
            continue;
        }

        if (steps == NULL) {
            break;
        }

        parent = v;
        n = conflict_patch_read_index(&path->tokens[i]);
        v.tree = NULL;

        if (n < 0 || n >= parent.tree->nodes[parent.node].children) {
            break;
        }

        for (v = conflict_tree_first(parent); n > 0; n--) {

            if (*steps < CONFLICT_PATCH_ELEMENT) {
                v.tree = NULL;
                break;
            }

            *steps -= CONFLICT_PATCH_ELEMENT;
            v = conflict_tree_next(parent, v);
        }
    }

    return v;
}
