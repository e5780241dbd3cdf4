
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What two sequences of numbers have in common: which of the one stay in the
 * other (E. Myers, "An O(ND) difference algorithm", 1986).
 */


#ifndef _CONFLICT_LIST_H_INCLUDED_
#define _CONFLICT_LIST_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/* insertions and removals that two sequences may be apart, at most */
#define CONFLICT_LIST_EDITS  1000


typedef struct {
    const uint32_t          *data;
    uint32_t                 n;
} conflict_list_t;


/*
 * For each number of "a" its place in "b", from 1, or 0 where it is not in a
 * longest common subsequence.  Takes the comparisons from *steps.  -1: they
 * are too far apart, or there is no memory.
 */
int conflict_list_common(const conflict_list_t *a, const conflict_list_t *b,
    uint32_t *places, size_t *steps);


#endif /* _CONFLICT_LIST_H_INCLUDED_ */
