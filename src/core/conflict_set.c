
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A hash table with open addressing, half empty at least.
 */


#include <stdlib.h>
#include <string.h>

#include "conflict_set.h"


static size_t conflict_set_slot(const conflict_set_t *set,
    conflict_value_t key, uint64_t hash);


int
conflict_set_init(conflict_set_t *set, size_t n, const unsigned char *key,
    size_t key_len)
{
    size_t  size;

    for (size = 8; size < 2 * n; size *= 2) { /* void */ }

    memset(set, 0, sizeof(conflict_set_t));

    set->mask = size - 1;
    set->key = key;
    set->key_len = key_len;

    set->slots = calloc(size, sizeof(conflict_value_t));
    set->hashes = calloc(size, sizeof(uint64_t));

    return (set->slots && set->hashes) ? 0 : -1;
}


void
conflict_set_free(conflict_set_t *set)
{
    free(set->slots);
    free(set->hashes);

    set->slots = NULL;
    set->hashes = NULL;
}


int
conflict_set_fill(conflict_set_t *set, conflict_value_t array)
{
    conflict_value_t  v;

    for (v = conflict_tree_first(array); v.tree;
         v = conflict_tree_next(array, v))
    {
        if (conflict_set_key(set, v).tree == NULL
            || (!conflict_set_add(set, v) && set->key_len))
        {
            return -1;
        }
    }

    return 0;
}


int
conflict_set_add(conflict_set_t *set, conflict_value_t element)
{
    size_t            i;
    uint64_t          hash;
    conflict_value_t  key;

    key = conflict_set_key(set, element);
    hash = conflict_value_hash(key);
    i = conflict_set_slot(set, key, hash);

    if (set->slots[i].tree) {
        return 0;
    }

    set->slots[i] = element;
    set->hashes[i] = hash;
    set->n++;

    return 1;
}


conflict_value_t
conflict_set_find(const conflict_set_t *set, conflict_value_t element)
{
    conflict_value_t  key;

    key = conflict_set_key(set, element);

    return set->slots[conflict_set_slot(set, key, conflict_value_hash(key))];
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


/* where it is, or would be */

static size_t
conflict_set_slot(const conflict_set_t *set, conflict_value_t key,
    uint64_t hash)
{
    size_t  i;

    for (i = (size_t) hash & set->mask; set->slots[i].tree;
         i = (i + 1) & set->mask)
    {
        if (set->hashes[i] == hash
            && conflict_value_equal(conflict_set_key(set, set->slots[i]), key))
        {
            break;
        }
    }

    return i;
}
