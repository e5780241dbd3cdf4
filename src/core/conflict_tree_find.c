
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Ways through a tree: from value to value, and to a member by its name.
 */


#include <string.h>

#include "conflict_hash.h"
#include "conflict_tree.h"


#define CONFLICT_TREE_BLOCK  256    /* bytes decoded at a time */


static int conflict_tree_probe(conflict_value_t object, uint32_t hash,
    uint32_t *at, conflict_value_t *member);


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
    uint32_t          at, hash;
    conflict_value_t  value;

    at = 0;
    hash = named.tree->nodes[named.node].hash;

    while (conflict_tree_probe(object, hash, &at, &value)) {

        if (conflict_tree_same(value.tree, value.node, named.tree, named.node))
        {
            break;
        }
    }

    return value;
}


conflict_value_t
conflict_tree_named(conflict_value_t object, const unsigned char *name,
    size_t len)
{
    uint32_t          at, hash;
    conflict_value_t  value;

    value.tree = NULL;
    value.node = 0;

    if (conflict_tree_type(object) != CONFLICT_JSON_OBJECT) {
        return value;
    }

    at = 0;
    hash = (uint32_t) conflict_hash_64(name, len, object.tree->seed);

    while (conflict_tree_probe(object, hash, &at, &value)) {

        if (conflict_tree_is(value, name, len)) {
            break;
        }
    }

    return value;
}


/*
 * The next member whose name has the hash; *at is 0 at first.  0: there is
 * none, and "member" is no value.
 */

static int
conflict_tree_probe(conflict_value_t object, uint32_t hash, uint32_t *at,
    conflict_value_t *member)
{
    uint32_t                i, mask;
    conflict_slot_t        *slots;
    const conflict_node_t  *node;
    const conflict_tree_t  *tree;

    member->tree = NULL;
    member->node = 0;

    if (conflict_tree_type(object) != CONFLICT_JSON_OBJECT) {
        return 0;
    }

    tree = object.tree;
    node = &tree->nodes[object.node];

    if (node->children <= CONFLICT_TREE_FEW) {

        for (i = *at ? *at : object.node + 1; i < node->next;
             i = tree->nodes[i].next)
        {
            if (tree->nodes[i].hash == hash) {
                *at = tree->nodes[i].next;
                member->tree = tree;
                member->node = i;

                return 1;
            }
        }

        return 0;
    }

    slots = &tree->slots[node->slots];
    mask = conflict_tree_slots(node->children) - 1;

    for (i = *at; slots[(hash + i) & mask].node; i++) {

        if (slots[(hash + i) & mask].hash == hash) {
            *at = i + 1;
            member->tree = tree;
            member->node = slots[(hash + i) & mask].node;

            return 1;
        }
    }

    return 0;
}


uint32_t
conflict_tree_slots(uint32_t children)
{
    uint32_t  size;

    if (children <= CONFLICT_TREE_FEW) {
        return 0;
    }

    for (size = 4 * CONFLICT_TREE_FEW; size < 2 * children; size *= 2) {
        /* void */
    }

    return size;
}


uint64_t
conflict_tree_hash(const unsigned char *text, size_t len, uint64_t seed)
{
    size_t                n;
    unsigned char         block[CONFLICT_TREE_BLOCK];
    conflict_hash_t       hash;
    const unsigned char  *p, *last;

    if (len == 0 || memchr(text, '\\', len) == NULL) {
        return conflict_hash_64(text, len, seed);
    }

    p = text;
    last = text + len;
    n = conflict_text_decode(block, sizeof(block), &p, last);

    if (p == last) {
        return conflict_hash_64(block, n, seed);
    }

    conflict_hash_init(&hash, seed);

    while (n) {
        conflict_hash_update(&hash, block, n);
        n = conflict_text_decode(block, sizeof(block), &p, last);
    }

    return conflict_hash_final(&hash);
}
