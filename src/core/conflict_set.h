
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The elements of a JSON array as a set, or as a map by one of their
 * members.
 */


#ifndef _CONFLICT_SET_H_INCLUDED_
#define _CONFLICT_SET_H_INCLUDED_


#include "conflict_value.h"


typedef struct {
    conflict_value_t              *slots;    /* of elements, or empty */
    uint64_t                      *hashes;
    size_t                         mask;
    size_t                         n;
    const unsigned char           *key;      /* of a map, plain bytes */
    size_t                         key_len;  /* 0: a set */
} conflict_set_t;


/*
 * Room for "n" elements.  -1: no memory.  To be freed in any case.
 */
int conflict_set_init(conflict_set_t *set, size_t n, const unsigned char *key,
    size_t key_len);
void conflict_set_free(conflict_set_t *set);

/*
 * Adds the elements of an array, which may be none.  -1: some have no key,
 * or two have the same.
 */
int conflict_set_fill(conflict_set_t *set, conflict_value_t array);

/* 1: it was added; 0: an equal one is there. */
int conflict_set_add(conflict_set_t *set, conflict_value_t element);

/* The element that is equal, or has the same key; ->tree is NULL: none. */
conflict_value_t conflict_set_find(const conflict_set_t *set,
    conflict_value_t element);

/* The value by which an element is found: itself, or its key. */
conflict_value_t conflict_set_key(const conflict_set_t *set,
    conflict_value_t element);


#endif /* _CONFLICT_SET_H_INCLUDED_ */
