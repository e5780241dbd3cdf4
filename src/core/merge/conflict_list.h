
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The longest common subsequence of two sequences of numbers (E. Myers, "An
 * O(ND) difference algorithm", 1986).
 */


#ifndef _CONFLICT_LIST_H_INCLUDED_
#define _CONFLICT_LIST_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/* limit of insertions and removals between two sequences */
#define CONFLICT_LIST_EDITS  1000


typedef struct {
    const uint32_t          *data;
    uint32_t                 n;
} conflict_list_t;


/*
 * Stores for each number of "a" its place in "b", from 1, or 0 if it is not in
 * the longest common subsequence.  Subtracts the comparisons from *steps.
 * Returns -1 if a limit is exceeded, or there is no memory.
 */
int conflict_list_common(const conflict_list_t *a, const conflict_list_t *b,
    uint32_t *places, size_t *steps);


#endif /* _CONFLICT_LIST_H_INCLUDED_ */
