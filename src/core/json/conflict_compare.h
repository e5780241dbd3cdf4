
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * JSON values held against each other: the same whatever their spelling,
 * their spaces and the order of their members.
 */


#ifndef _CONFLICT_COMPARE_H_INCLUDED_
#define _CONFLICT_COMPARE_H_INCLUDED_


#include "core/json/conflict_tree.h"


/*
 * 1 where both are equal, or neither is there.
 */
int conflict_compare_equal(conflict_value_t a, conflict_value_t b);

/* Equal for values that are equal. */
uint64_t conflict_compare_hash(conflict_value_t value);

/*
 * 1 where the document "latest" has all that "write" wanted: each of its
 * members with an equal value, or by its name alone.  A null is also where
 * there is none, but in a part, which sets it.  The member at "base", which
 * may be NULL, is not looked at.  0 where it has not, or where that cannot be
 * told: the two may have so many values.
 */
typedef enum {
    CONFLICT_REFLECTS_VALUES = 0,
    CONFLICT_REFLECTS_NAMES
} conflict_reflects_e;

int conflict_compare_reflects(const conflict_document_t *latest,
    const conflict_document_t *write, const conflict_pointer_t *base,
    conflict_reflects_e how, size_t values, uint64_t seed);

/*
 * 1 where "latest" still has a member that "write" has removed from "base",
 * or where that cannot be told.
 */
int conflict_compare_removal_missed(const conflict_document_t *latest,
    const conflict_document_t *write, const conflict_document_t *base,
    size_t values, uint64_t seed);

/*
 * 1 where "value" has nothing that "shown" has not a place for: who may see
 * this may see that it was so.
 */
int conflict_compare_covered(conflict_value_t value, conflict_value_t shown);


#endif /* _CONFLICT_COMPARE_H_INCLUDED_ */
