
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Ways through a tree: from value to value, and to a member by its name.
 */


#include <string.h>

#include "conflict_hash.h"
#include "conflict_tree.h"


static uint32_t conflict_tree_lower(const conflict_tree_t *tree,
    const conflict_node_t *object, uint32_t hash);


/* the names of two members */

int
conflict_tree_same(const conflict_tree_t *a, uint32_t i,
    const conflict_tree_t *b, uint32_t j)
{
    const conflict_node_t  *x, *y;

    x = &a->nodes[i];
    y = &b->nodes[j];

    return conflict_text_same(a->text + x->name, x->name_end - x->name,
                              b->text + y->name, y->name_end - y->name);
}


int
conflict_tree_is(conflict_value_t member, const unsigned char *name,
    size_t len)
{
    size_t                  n;
    unsigned char           rune[4];
    const conflict_node_t  *node;
    const unsigned char    *p, *last, *piece;

    node = &member.tree->nodes[member.node];
    p = member.tree->text + node->name;
    last = member.tree->text + node->name_end;

    while ((n = conflict_text_next(&p, last, rune, &piece)) > 0) {

        if (n > len || memcmp(piece, name, n) != 0) {
            return 0;
        }

        name += n;
        len -= n;
    }

    return len == 0;
}


conflict_json_type_e
conflict_tree_type(conflict_value_t value)
{
    if (value.tree == NULL) {
        return CONFLICT_JSON_NONE;
    }

    switch (value.tree->text[value.tree->nodes[value.node].start]) {

    case '{':
        return CONFLICT_JSON_OBJECT;

    case '[':
        return CONFLICT_JSON_ARRAY;

    case '"':
        return CONFLICT_JSON_STRING;

    case 't':
    case 'f':
        return CONFLICT_JSON_BOOLEAN;

    case 'n':
        return CONFLICT_JSON_NULL;

    default:
        return CONFLICT_JSON_NUMBER;
    }
}


conflict_value_t
conflict_tree_first(conflict_value_t parent)
{
    conflict_value_t  value;

    value.tree = NULL;
    value.node = 0;

    if (parent.tree && parent.tree->nodes[parent.node].children) {
        value.tree = parent.tree;
        value.node = parent.node + 1;
    }

    return value;
}


conflict_value_t
conflict_tree_next(conflict_value_t parent, conflict_value_t value)
{
    value.node = value.tree->nodes[value.node].next;

    if (value.node >= parent.tree->nodes[parent.node].next) {
        value.tree = NULL;
        value.node = 0;
    }

    return value;
}


conflict_value_t
conflict_tree_member(conflict_value_t object, conflict_value_t named)
{
    uint32_t                i, j, hash;
    conflict_value_t        value;
    const conflict_node_t  *node;
    const conflict_tree_t  *tree;

    value.tree = NULL;
    value.node = 0;

    if (conflict_tree_type(object) != CONFLICT_JSON_OBJECT) {
        return value;
    }

    tree = object.tree;
    node = &tree->nodes[object.node];
    hash = named.tree->nodes[named.node].hash;

    for (i = conflict_tree_lower(tree, node, hash); i < node->children; i++) {
        j = tree->order[node->order + i];

        if (tree->nodes[j].hash != hash) {
            break;
        }

        if (conflict_tree_same(tree, j, named.tree, named.node)) {
            value.tree = tree;
            value.node = j;
            break;
        }
    }

    return value;
}


conflict_value_t
conflict_tree_named(conflict_value_t object, const unsigned char *name,
    size_t len)
{
    uint32_t                i, hash;
    conflict_value_t        value;
    const conflict_node_t  *node;
    const conflict_tree_t  *tree;

    value.tree = NULL;
    value.node = 0;

    if (conflict_tree_type(object) != CONFLICT_JSON_OBJECT) {
        return value;
    }

    tree = object.tree;
    node = &tree->nodes[object.node];
    hash = (uint32_t) conflict_hash_64(name, len, tree->seed);

    for (i = conflict_tree_lower(tree, node, hash); i < node->children; i++) {
        value.node = tree->order[node->order + i];

        if (tree->nodes[value.node].hash != hash) {
            break;
        }

        value.tree = tree;

        if (conflict_tree_is(value, name, len)) {
            return value;
        }
    }

    value.tree = NULL;
    value.node = 0;

    return value;
}


/* the first of an object's members, in their order, with no smaller hash */

static uint32_t
conflict_tree_lower(const conflict_tree_t *tree, const conflict_node_t *object,
    uint32_t hash)
{
    uint32_t  low, high, middle;

    low = 0;
    high = object->children;

    while (low < high) {
        middle = (low + high) / 2;

        if (tree->nodes[tree->order[object->order + middle]].hash < hash) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low;
}
