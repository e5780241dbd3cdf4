
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Documents that are parts: what comes of one when it is carried out on
 * another document.
 */


#ifndef _CONFLICT_PART_H_INCLUDED_
#define _CONFLICT_PART_H_INCLUDED_


#include "core/text/conflict_buffer.h"
#include "core/json/conflict_tree.h"


/*
 * Adds what "part" makes of "doc", which is taken for an empty object where
 * it is no object.  0, or -1: either is no JSON, both have more values than
 * they may, or there is no memory.
 */
int conflict_part_apply(const conflict_document_t *doc,
    const conflict_document_t *part, conflict_buffer_t *out, size_t values,
    uint64_t seed);


#endif /* _CONFLICT_PART_H_INCLUDED_ */
