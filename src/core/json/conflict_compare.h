
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Comparison of JSON values, regardless of spelling, white space and the order
 * of members.
 */


#ifndef _CONFLICT_COMPARE_H_INCLUDED_
#define _CONFLICT_COMPARE_H_INCLUDED_


#include "core/json/conflict_tree.h"


/* 1 if the values are equal, or if neither exists. */
int conflict_compare_equal(conflict_value_t a, conflict_value_t b);

/* Equal for equal values. */
uint64_t conflict_compare_hash(conflict_value_t value);

/*
 * 1 if the document "latest" reflects "write": it has each member of that with
 * an equal value, or just by its name.  A missing member also matches a null,
 * except in a part, which sets it.  The member at "base", which may be NULL, is
 * ignored.  0 if it does not, or if this cannot be determined: both together
 * may have at most "values" values.
 */
typedef enum {
    CONFLICT_REFLECTS_VALUES = 0,
    CONFLICT_REFLECTS_NAMES
} conflict_reflects_e;

int conflict_compare_reflects(const conflict_document_t *latest,
    const conflict_document_t *write, const conflict_pointer_t *base,
    conflict_reflects_e how, size_t values, uint64_t seed);

/*
 * 1 if "latest" still has a member that "write" has removed from "base", or if
 * this cannot be determined.
 */
int conflict_compare_removal_missed(const conflict_document_t *latest,
    const conflict_document_t *write, const conflict_document_t *base,
    size_t values, uint64_t seed);

/*
 * 1 if each member of "value" also exists in "shown": a client that may see
 * "shown" may see "value", too.
 */
int conflict_compare_covered(conflict_value_t value, conflict_value_t shown);


#endif /* _CONFLICT_COMPARE_H_INCLUDED_ */
