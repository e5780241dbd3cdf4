
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * JSON Patch (RFC 6902): merged as the document that it makes of the base,
 * and sent on as a patch again, of what the server has.
 */


#ifndef _CONFLICT_PATCH_H_INCLUDED_
#define _CONFLICT_PATCH_H_INCLUDED_


#include "core/merge/conflict_merge.h"
#include "core/json/conflict_compare.h"


/*
 * The same as conflict_merge(), where the client's document is a patch.  A
 * "test" that does not hold for the server's document is a clash.
 * INAPPLICABLE: it is no patch, what it names is not there, or the base is
 * not held.  What it takes is bounded as two merges of half the values.
 */
conflict_merge_rc_e conflict_patch_merge(const conflict_merge_t *merge,
    conflict_merged_t *result);

/*
 * Adds what a patch, of which nothing is tested, makes of a document.  0, or
 * -1: it is not possible, takes too much, or there is no memory.
 */
int conflict_patch_apply(const conflict_document_t *doc,
    const conflict_document_t *patch, conflict_buffer_t *out, size_t values,
    uint64_t seed);

/*
 * The base version that a patch states, as a "test" of its member: "json" is
 * as if a scan had found that, and cutting it out leaves a patch without the
 * operation.  REPEATED: it is stated twice, or where none was found a member
 * of some operation is there twice; MALFORMED: it is no patch, and states
 * none; LARGE: it has more values.
 */
conflict_json_rc_e conflict_patch_base(conflict_scan_t *json,
    const conflict_document_t *patch, const conflict_pointer_t *base,
    size_t values, uint64_t seed);

/*
 * conflict_compare_reflects() of a patch.  What is put into an array or taken
 * from one cannot be told: that may have been somebody else.
 */
int conflict_patch_reflects(const conflict_document_t *latest,
    const conflict_document_t *patch, const conflict_pointer_t *base,
    conflict_reflects_e how, size_t values, uint64_t seed);

/*
 * 1 where it may be carried out twice and do no more than once.
 */
int conflict_patch_repeatable(const conflict_document_t *patch, size_t values,
    uint64_t seed);


#endif /* _CONFLICT_PATCH_H_INCLUDED_ */
