
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * JSON values held against each other: the same whatever their spelling,
 * their spaces and the order of their members.
 */


#ifndef _CONFLICT_VALUE_H_INCLUDED_
#define _CONFLICT_VALUE_H_INCLUDED_


#include "conflict_tree.h"


/*
 * 1 where both are equal, or neither is there.
 */
int conflict_value_equal(conflict_value_t a, conflict_value_t b);

/* Equal for values that are equal. */
uint64_t conflict_value_hash(conflict_value_t value);

/* The bytes of a value, which is there. */
const unsigned char *conflict_value_text(conflict_value_t value, size_t *len);

/*
 * 1 where the document "latest" has all that "write" wanted: each of its
 * members with an equal value, a null member also where there is none (RFC
 * 7396).  The member at "base", which may be NULL, is not looked at.  0 where
 * it has not, or where that cannot be told.
 */
int conflict_value_reflects(const unsigned char *latest, size_t latest_len,
    const unsigned char *write, size_t write_len,
    const conflict_json_pointer_t *base, uint64_t seed);


#endif /* _CONFLICT_VALUE_H_INCLUDED_ */
