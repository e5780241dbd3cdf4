
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The tree is built in one pass over a text that conflict_json.c has found
 * valid, so nothing is checked twice.
 */


#include <stdlib.h>
#include <string.h>

#include "conflict_hash.h"
#include "conflict_tree.h"


static conflict_json_rc_e conflict_tree_build(conflict_tree_t *tree);
static const unsigned char *conflict_tree_space(const unsigned char *p);
static const unsigned char *conflict_tree_string(const unsigned char *p,
    const unsigned char *last);
static conflict_node_t *conflict_tree_add(conflict_tree_t *tree);
static uint32_t conflict_tree_hash(const unsigned char *name, size_t len,
    uint64_t seed);
static conflict_json_rc_e conflict_tree_sort(conflict_tree_t *tree);
static int conflict_tree_twice(const conflict_tree_t *tree,
    const uint32_t *order, uint32_t n);
static int conflict_tree_compare(const void *a, const void *b);


conflict_json_rc_e
conflict_tree_parse(conflict_tree_t *tree, const unsigned char *text,
    size_t len, uint64_t seed)
{
    conflict_json_t     json;
    conflict_json_rc_e  rc;

    memset(tree, 0, sizeof(conflict_tree_t));

    tree->text = text;
    tree->len = len;
    tree->seed = seed;

    if (len > UINT32_MAX - 1) {
        return CONFLICT_JSON_TOO_DEEP;
    }

    conflict_json_init(&json, NULL);

    rc = conflict_json_feed(&json, text, len);

    if (rc == CONFLICT_JSON_OK) {
        rc = conflict_json_end(&json);
    }

    if (rc == CONFLICT_JSON_OK) {
        rc = conflict_tree_build(tree);
    }

    if (rc == CONFLICT_JSON_OK) {
        rc = conflict_tree_sort(tree);
    }

    return rc;
}


void
conflict_tree_free(conflict_tree_t *tree)
{
    free(tree->nodes);
    free(tree->order);

    tree->nodes = NULL;
    tree->order = NULL;
}


static conflict_json_rc_e
conflict_tree_build(conflict_tree_t *tree)
{
    uint32_t              at, depth, open[CONFLICT_JSON_DEPTH];
    conflict_node_t      *node;
    const unsigned char  *p, *text, *last;

    p = text = tree->text;
    last = text + tree->len;
    depth = 0;

    for ( ;; ) {
        p = conflict_tree_space(p);

        if (*p == '}' || *p == ']') {

            if (tree->n == open[depth - 1] + 1) {
                /* an empty one, which was taken for one with a value */
                tree->nodes[open[depth - 1]].children = 0;
            }

        } else {

            node = conflict_tree_add(tree);
            if (node == NULL) {
                return CONFLICT_JSON_TOO_DEEP;
            }

            at = tree->n - 1;

            if (depth && text[tree->nodes[open[depth - 1]].start] == '{') {
                node->name = (uint32_t) (p + 1 - text);
                p = conflict_tree_string(p, last);
                node->name_end = (uint32_t) (p - 1 - text);
                node->hash = conflict_tree_hash(text + node->name,
                                                node->name_end - node->name,
                                                tree->seed);
                p = conflict_tree_space(p);
                p = conflict_tree_space(p + 1);
            }

            node->start = (uint32_t) (p - text);

            if (*p == '{' || *p == '[') {
                node->children = 1;
                open[depth++] = at;
                p++;
                continue;
            }

            if (*p == '"') {
                p = conflict_tree_string(p, last);

            } else {
                while (p < last && *p != ',' && *p != '}'
                       && *p != ']' && *p > ' ')
                {
                    p++;
                }
            }

            node->end = (uint32_t) (p - text);
            node->next = tree->n;
        }

        /* the value has ended, and perhaps what it is in */

        for ( ;; ) {

            if (depth == 0) {
                return CONFLICT_JSON_OK;
            }

            p = conflict_tree_space(p);
            node = &tree->nodes[open[depth - 1]];

            if (*p == ',') {
                node->children++;
                p++;
                break;
            }

            p++;
            node->end = (uint32_t) (p - text);
            node->next = tree->n;
            depth--;
        }
    }
}


static const unsigned char *
conflict_tree_space(const unsigned char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n') {
        p++;
    }

    return p;
}


/* from a quote to behind the one that ends it */

static const unsigned char *
conflict_tree_string(const unsigned char *p, const unsigned char *last)
{
    const unsigned char  *end, *escape;

    p++;
    end = memchr(p, '"', (size_t) (last - p));

    while ((escape = memchr(p, '\\', (size_t) (end - p))) != NULL) {
        p = escape + 2;

        if (p > end) {
            end = memchr(p, '"', (size_t) (last - p));
        }
    }

    return end + 1;
}


static conflict_node_t *
conflict_tree_add(conflict_tree_t *tree)
{
    uint32_t          size;
    conflict_node_t  *nodes;

    if (tree->n == CONFLICT_TREE_NODES) {
        return NULL;
    }

    if (tree->n == tree->size) {
        size = tree->size ? tree->size * 2 : 64;

        nodes = realloc(tree->nodes, size * sizeof(conflict_node_t));
        if (nodes == NULL) {
            return NULL;
        }

        tree->nodes = nodes;
        tree->size = size;
    }

    memset(&tree->nodes[tree->n], 0, sizeof(conflict_node_t));

    return &tree->nodes[tree->n++];
}


static uint32_t
conflict_tree_hash(const unsigned char *name, size_t len, uint64_t seed)
{
    size_t                n;
    unsigned char         rune[4];
    conflict_hash_t       hash;
    const unsigned char  *p, *last, *piece;

    p = name;
    last = name + len;

    if (len == 0 || memchr(name, '\\', len) == NULL) {
        return (uint32_t) conflict_hash_64(name, len, seed);
    }

    conflict_hash_init(&hash, seed);

    while ((n = conflict_text_next(&p, last, rune, &piece)) > 0) {
        conflict_hash_update(&hash, piece, n);
    }

    return (uint32_t) conflict_hash_final(&hash);
}


/* the members of each object by the hash of their names, and none twice */

static conflict_json_rc_e
conflict_tree_sort(conflict_tree_t *tree)
{
    uint64_t          *sort;
    uint32_t           i, j, k, used;
    conflict_node_t   *node;

    if (tree->n < 2) {
        return CONFLICT_JSON_OK;
    }

    tree->order = malloc(tree->n * sizeof(uint32_t));
    sort = malloc(tree->n * sizeof(uint64_t));

    if (tree->order == NULL || sort == NULL) {
        free(sort);
        return CONFLICT_JSON_TOO_DEEP;
    }

    used = 0;

    for (i = 0; i < tree->n; i++) {
        node = &tree->nodes[i];

        if (tree->text[node->start] != '{') {
            continue;
        }

        node->order = used;

        for (j = i + 1, k = 0; k < node->children; k++) {
            sort[k] = (uint64_t) tree->nodes[j].hash << 32 | j;
            j = tree->nodes[j].next;
        }

        if (k > 1) {
            qsort(sort, k, sizeof(uint64_t), conflict_tree_compare);
        }

        for (j = 0; j < k; j++) {
            tree->order[used++] = (uint32_t) sort[j];
        }

        if (conflict_tree_twice(tree, &tree->order[node->order], k)) {
            free(sort);
            return CONFLICT_JSON_REPEATED;
        }
    }

    free(sort);

    return CONFLICT_JSON_OK;
}


static int
conflict_tree_twice(const conflict_tree_t *tree, const uint32_t *order,
    uint32_t n)
{
    uint32_t  i, j;

    for (i = 0; i < n; i++) {

        for (j = i + 1; j < n
             && tree->nodes[order[j]].hash == tree->nodes[order[i]].hash; j++)
        {
            if (conflict_tree_same(tree, order[i], tree, order[j])) {
                return 1;
            }
        }
    }

    return 0;
}


static int
conflict_tree_compare(const void *a, const void *b)
{
    uint64_t  x, y;

    x = *(const uint64_t *) a;
    y = *(const uint64_t *) b;

    return (x > y) - (x < y);
}
