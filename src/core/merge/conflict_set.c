
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A hash table with open addressing, at most half full.  Each value is hashed
 * and looked up once.
 */


#include <stdlib.h>
#include <string.h>

#include "core/merge/conflict_set.h"


static int conflict_set_add(conflict_set_t *set, conflict_set_array_e array,
    conflict_value_t value, uint32_t *at);
static conflict_value_t conflict_set_value(const conflict_set_t *set,
    const conflict_element_t *element, conflict_set_array_e array);


int
conflict_set_init(conflict_set_t *set, const conflict_trio_t *trio,
    const unsigned char *key, size_t key_len)
{
    size_t            i, n, slots;
    conflict_value_t  array;

    memset(set, 0, sizeof(conflict_set_t));

    set->arrays[CONFLICT_SET_BASE] = trio->base;
    set->arrays[CONFLICT_SET_SERVER] = trio->server;
    set->arrays[CONFLICT_SET_CLIENT] = trio->client;

    set->key = key;
    set->key_len = key_len;

    /* never of size 0 */

    n = 1;

    for (i = 0; i < CONFLICT_SET_ARRAYS; i++) {
        array = set->arrays[i];

        if (array.tree) {
            n += array.tree->nodes[array.node].children;
        }
    }

    for (slots = 8; slots < 2 * n; slots *= 2) { /* void */ }

    set->mask = (uint32_t) (slots - 1);
    set->slots = calloc(slots, sizeof(uint32_t));
    set->elements = malloc(n * sizeof(conflict_element_t));

    for (i = 0; i < CONFLICT_SET_ARRAYS; i++) {
        array = set->arrays[i];
        n = array.tree ? array.tree->nodes[array.node].children : 0;

        set->order[i] = malloc((n + 1) * sizeof(uint32_t));

        if (set->order[i] == NULL) {
            return -1;
        }
    }

    return (set->slots && set->elements) ? 0 : -1;
}


void
conflict_set_free(conflict_set_t *set)
{
    size_t  i;

    for (i = 0; i < CONFLICT_SET_ARRAYS; i++) {
        free(set->order[i]);
    }

    free(set->slots);
    free(set->elements);

    memset(set, 0, sizeof(conflict_set_t));
}


int
conflict_set_fill(conflict_set_t *set)
{
    size_t            i, n;
    conflict_value_t  v;

    for (i = 0; i < CONFLICT_SET_ARRAYS; i++) {
        n = 0;

        for (v = conflict_tree_first(set->arrays[i]); v.tree;
             v = conflict_tree_next(set->arrays[i], v))
        {
            if (conflict_set_add(set, (conflict_set_array_e) i, v,
                                 &set->order[i][n++])
                != 0)
            {
                return -1;
            }
        }
    }

    return 0;
}


static int
conflict_set_add(conflict_set_t *set, conflict_set_array_e array,
    conflict_value_t value, uint32_t *at)
{
    uint32_t             i, hash;
    conflict_trio_t      trio;
    conflict_value_t     key, first;
    conflict_element_t  *element;

    key = conflict_set_key(set, value);

    if (key.tree == NULL) {
        return -1;
    }

    hash = (uint32_t) conflict_compare_hash(key);

    for (i = hash & set->mask; set->slots[i]; i = (i + 1) & set->mask) {
        element = &set->elements[set->slots[i] - 1];

        if (element->hash != hash) {
            continue;
        }

        conflict_set_trio(set, element, &trio);

        first = trio.base.tree ? trio.base
                               : trio.server.tree ? trio.server : trio.client;

        if (conflict_compare_equal(conflict_set_key(set, first), key)) {
            break;
        }
    }

    if (set->slots[i] == 0) {
        element = &set->elements[set->n++];

        memset(element, 0, sizeof(conflict_element_t));
        element->hash = hash;
        set->slots[i] = set->n;
    }

    *at = set->slots[i] - 1;
    element = &set->elements[*at];

    if (element->node[array]) {
        /* a duplicate: in a set the first one counts */
        return set->key_len ? -1 : 0;
    }

    element->node[array] = value.node;

    return 0;
}


void
conflict_set_trio(const conflict_set_t *set, const conflict_element_t *element,
    conflict_trio_t *trio)
{
    trio->base = conflict_set_value(set, element, CONFLICT_SET_BASE);
    trio->server = conflict_set_value(set, element, CONFLICT_SET_SERVER);
    trio->client = conflict_set_value(set, element, CONFLICT_SET_CLIENT);
}


static conflict_value_t
conflict_set_value(const conflict_set_t *set,
    const conflict_element_t *element, conflict_set_array_e array)
{
    conflict_value_t  value;

    value.node = element->node[array];
    value.tree = value.node ? set->arrays[array].tree : NULL;

    return value;
}


conflict_value_t
conflict_set_key(const conflict_set_t *set, conflict_value_t element)
{
    conflict_value_t  key;

    if (set->key_len == 0) {
        return element;
    }

    key = conflict_tree_named(element, set->key, set->key_len);

    if (conflict_tree_type(key) != CONFLICT_JSON_STRING
        && conflict_tree_type(key) != CONFLICT_JSON_NUMBER)
    {
        key.tree = NULL;
    }

    return key;
}
