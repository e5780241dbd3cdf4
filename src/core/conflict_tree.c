
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


static conflict_json_rc_e conflict_tree_build(conflict_tree_t *tree,
    size_t most);
static const unsigned char *conflict_tree_space(const unsigned char *p);
static const unsigned char *conflict_tree_string(const unsigned char *p,
    const unsigned char *last);
static conflict_node_t *conflict_tree_add(conflict_tree_t *tree);
static conflict_json_rc_e conflict_tree_index(conflict_tree_t *tree);
static int conflict_tree_insert(conflict_tree_t *tree, uint32_t object);
static int conflict_tree_twice(conflict_tree_t *tree, uint32_t object);


conflict_json_rc_e
conflict_tree_parse(conflict_tree_t *tree, const unsigned char *text,
    size_t len, size_t *left, uint64_t seed)
{
    conflict_json_t     json;
    conflict_json_rc_e  rc;

    memset(tree, 0, sizeof(conflict_tree_t));

    tree->text = text;
    tree->len = len;
    tree->seed = seed;

    if (len > UINT32_MAX - 1) {
        return CONFLICT_JSON_LARGE;
    }

    conflict_json_init(&json, NULL);

    rc = conflict_json_feed(&json, text, len);

    if (rc == CONFLICT_JSON_OK) {
        rc = conflict_json_end(&json);
    }

    if (rc == CONFLICT_JSON_OK) {
        rc = conflict_tree_build(tree, *left);
    }

    if (rc == CONFLICT_JSON_OK) {
        *left -= tree->n;
        rc = conflict_tree_index(tree);
    }

    return rc;
}


void
conflict_tree_free(conflict_tree_t *tree)
{
    free(tree->nodes);
    free(tree->slots);

    tree->nodes = NULL;
    tree->slots = NULL;
}


static conflict_json_rc_e
conflict_tree_build(conflict_tree_t *tree, size_t most)
{
    uint32_t              at, depth, open[CONFLICT_JSON_DEPTH];
    conflict_node_t      *node;
    const unsigned char  *p, *text, *last;

    text = tree->text;
    last = text + tree->len;
    p = text + conflict_text_bom(text, tree->len);
    depth = 0;

    for ( ;; ) {
        p = conflict_tree_space(p);

        if (*p == '}' || *p == ']') {

            if (tree->n == open[depth - 1] + 1) {
                /* an empty one, which was taken for one with a value */
                tree->nodes[open[depth - 1]].children = 0;
            }

        } else {

            if (tree->n == most) {
                return CONFLICT_JSON_LARGE;
            }

            node = conflict_tree_add(tree);
            if (node == NULL) {
                return CONFLICT_JSON_FAILED;
            }

            at = tree->n - 1;

            if (depth && text[tree->nodes[open[depth - 1]].start] == '{') {
                node->name = (uint32_t) (p + 1 - text);
                p = conflict_tree_string(p, last);
                node->name_end = (uint32_t) (p - 1 - text);
                node->hash = (uint32_t)
                             conflict_tree_hash(text + node->name,
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
    escape = memchr(p, '\\', (size_t) (end - p));

    if (escape == NULL) {
        return end + 1;
    }

    /* where there is one there may be many, close together */

    p = escape;

    for ( ;; ) {

        if (*p == '\\') {
            p += (p[1] == 'u') ? 6 : 2;

        } else if (*p != '"') {
            p++;

        } else {
            return p + 1;
        }
    }
}


static conflict_node_t *
conflict_tree_add(conflict_tree_t *tree)
{
    uint32_t          size;
    conflict_node_t  *nodes;

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


/* the members of each object by their names, and none twice */

static conflict_json_rc_e
conflict_tree_index(conflict_tree_t *tree)
{
    size_t            used;
    uint32_t          i;
    conflict_node_t  *node;

    used = 0;

    for (i = 0; i < tree->n; i++) {
        node = &tree->nodes[i];

        if (tree->text[node->start] == '{') {
            node->slots = (uint32_t) used;
            used += conflict_tree_slots(node->children);
        }
    }

    if (used) {
        tree->slots = calloc(used, sizeof(conflict_slot_t));
        if (tree->slots == NULL) {
            return CONFLICT_JSON_FAILED;
        }
    }

    for (i = 0; i < tree->n; i++) {
        node = &tree->nodes[i];

        if (tree->text[node->start] == '{'
            && (node->children > CONFLICT_TREE_FEW
                ? conflict_tree_insert(tree, i)
                : conflict_tree_twice(tree, i)))
        {
            return CONFLICT_JSON_REPEATED;
        }
    }

    return CONFLICT_JSON_OK;
}


/* 1: a name comes twice */

static int
conflict_tree_insert(conflict_tree_t *tree, uint32_t object)
{
    uint32_t          i, j, k, mask, hash;
    conflict_node_t  *node;
    conflict_slot_t  *slots;

    node = &tree->nodes[object];
    slots = &tree->slots[node->slots];
    mask = conflict_tree_slots(node->children) - 1;

    for (j = object + 1, k = 0; k < node->children; k++) {
        hash = tree->nodes[j].hash;

        for (i = hash & mask; slots[i].node; i = (i + 1) & mask) {

            if (slots[i].hash == hash
                && conflict_tree_same(tree, slots[i].node, tree, j))
            {
                tree->twice = tree->nodes[j].name;
                return 1;
            }
        }

        slots[i].hash = hash;
        slots[i].node = j;

        j = tree->nodes[j].next;
    }

    return 0;
}


/* the same for few of them */

static int
conflict_tree_twice(conflict_tree_t *tree, uint32_t object)
{
    uint32_t                i, j, last;
    const conflict_node_t  *nodes;

    nodes = tree->nodes;
    last = nodes[object].next;

    for (i = object + 1; i < last; i = nodes[i].next) {

        for (j = nodes[i].next; j < last; j = nodes[j].next) {

            if (nodes[i].hash == nodes[j].hash
                && conflict_tree_same(tree, i, tree, j))
            {
                tree->twice = nodes[j].name;
                return 1;
            }
        }
    }

    return 0;
}
