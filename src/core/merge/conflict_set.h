
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The elements of three arrays as sets, or as maps by one of their members,
 * in one table: which of the three have each.
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


/* what is equal, or has the same key; nodes, 0: the array has it not */

typedef struct {
    uint32_t                       node[CONFLICT_SET_ARRAYS];
    uint32_t                       hash;
    uint32_t                       taken;    /* the result has it */
} conflict_element_t;


typedef struct {
    conflict_value_t               arrays[CONFLICT_SET_ARRAYS];
    const unsigned char           *key;      /* of a map, plain bytes */
    size_t                         key_len;  /* 0: sets */
    conflict_element_t            *elements;
    uint32_t                       n;
    uint32_t                      *slots;    /* of elements, from 1; 0: free */
    uint32_t                       mask;

    /* the element of each value of an array, in its order */
    uint32_t                      *order[CONFLICT_SET_ARRAYS];
} conflict_set_t;


/*
 * The arrays of "trio", each of which may be none.  -1: no memory.  To be
 * freed in any case.
 */
int conflict_set_init(conflict_set_t *set, const conflict_trio_t *trio,
    const unsigned char *key, size_t key_len);
void conflict_set_free(conflict_set_t *set);

/* -1: some have no key, or two of an array have the same. */
int conflict_set_fill(conflict_set_t *set);

/* An element as the three have it. */
void conflict_set_trio(const conflict_set_t *set,
    const conflict_element_t *element, conflict_trio_t *trio);

/* The value by which an element is found: itself, or its key. */
conflict_value_t conflict_set_key(const conflict_set_t *set,
    conflict_value_t element);


#endif /* _CONFLICT_SET_H_INCLUDED_ */
