
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The elements of three arrays in one hash table: as sets, or as maps by one
 * of their members.
 */


#ifndef _CONFLICT_SET_H_INCLUDED_
#define _CONFLICT_SET_H_INCLUDED_


#include "core/merge/conflict_merge_state.h"


typedef enum {
    CONFLICT_SET_BASE = 0,
    CONFLICT_SET_SERVER,
    CONFLICT_SET_CLIENT,
    CONFLICT_SET_ARRAYS
} conflict_set_array_e;


/* elements that are equal or have the same key; node 0: not in that array */

typedef struct {
    uint32_t                       node[CONFLICT_SET_ARRAYS];
    uint32_t                       hash;
    uint32_t                       taken;    /* it is in the result */
} conflict_element_t;


typedef struct {
    conflict_value_t               arrays[CONFLICT_SET_ARRAYS];
    const unsigned char           *key;      /* of a map, unescaped */
    size_t                         key_len;  /* 0: sets */
    conflict_element_t            *elements;
    uint32_t                       n;
    uint32_t                      *slots;    /* of elements, from 1; 0: free */
    uint32_t                       mask;

    /* the element of each value of an array, in its order */
    uint32_t                      *order[CONFLICT_SET_ARRAYS];
} conflict_set_t;


/*
 * Sets up the arrays of "trio", each of which may be absent.  Returns -1 if
 * there is no memory.  The caller frees the set, whatever is returned.
 */
int conflict_set_init(conflict_set_t *set, const conflict_trio_t *trio,
    const unsigned char *key, size_t key_len);
void conflict_set_free(conflict_set_t *set);

/* Returns -1 if an element has no key, or two of an array have the same. */
int conflict_set_fill(conflict_set_t *set);

/* An element in the three arrays. */
void conflict_set_trio(const conflict_set_t *set,
    const conflict_element_t *element, conflict_trio_t *trio);

/* The value that identifies an element: itself, or its key. */
conflict_value_t conflict_set_key(const conflict_set_t *set,
    conflict_value_t element);


#endif /* _CONFLICT_SET_H_INCLUDED_ */
