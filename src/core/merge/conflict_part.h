
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Parts: bodies that have only some members of a document.
 */


#ifndef _CONFLICT_PART_H_INCLUDED_
#define _CONFLICT_PART_H_INCLUDED_


#include "core/json/conflict_tree.h"
#include "core/text/conflict_buffer.h"


/*
 * Applies "part" to "doc", or to an empty object if "doc" is not an object,
 * and adds the result to "out".  Returns 0, or -1 if either is not JSON, both
 * together have more than "values" values, or there is no memory.
 */
int conflict_part_apply(const conflict_document_t *doc,
    const conflict_document_t *part, conflict_buffer_t *out, size_t values,
    uint64_t seed);

/*
 * Adds to "out" the part of this form that turns one document into another,
 * without the member at "ignored", which may be NULL.  Returns 0, or -1 if
 * there is no such part, since a member is removed by it, or set to null by a
 * merge patch; if either is not JSON, both together have more than "values"
 * values, or there is no memory.
 */
int conflict_part_diff(const conflict_document_t *from,
    const conflict_document_t *to, conflict_form_e form,
    const conflict_pointer_t *ignored, conflict_buffer_t *out, size_t values,
    uint64_t seed);

/*
 * The level in the pointer to the ignored member, from 1, inside a member of
 * the value at "level"; 0: it is not in there.  *ignored: it is this member.
 */
unsigned conflict_part_diff_level(const conflict_pointer_t *pointer,
    conflict_value_t member, unsigned level, int *ignored);


#endif /* _CONFLICT_PART_H_INCLUDED_ */
