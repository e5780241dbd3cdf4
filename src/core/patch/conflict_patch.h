
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * JSON Patch (RFC 6902): a stale patch is applied to its base, the result is
 * merged, and becomes a patch of the latest document.
 */


#ifndef _CONFLICT_PATCH_H_INCLUDED_
#define _CONFLICT_PATCH_H_INCLUDED_


#include "core/merge/conflict_merge.h"
#include "core/json/conflict_compare.h"


/*
 * As conflict_merge(), for a client's document that is a patch.  A "test" that
 * fails on the server's document is a clash.  INAPPLICABLE: it is not a patch,
 * a path does not exist, or there is no base.  The limits are those of two
 * merges with half the values each.
 */
conflict_merge_rc_e conflict_patch_merge(const conflict_merge_t *merge,
    conflict_merged_t *result);

/*
 * Applies a patch to a document, without its tests, and adds the result to
 * "out".  Returns 0, or -1 if the patch cannot be applied, a limit is exceeded,
 * or there is no memory.
 */
int conflict_patch_apply(const conflict_document_t *doc,
    const conflict_document_t *patch, conflict_buffer_t *out, size_t values,
    uint64_t seed);

/*
 * Adds to "out" the patch that turns one document into another, except for the
 * member at "base", which may be NULL: with "version", as JSON, the patch
 * begins with a test of it.  Returns 0, or -1 as conflict_patch_apply().
 */
int conflict_patch_make(const conflict_document_t *from,
    const conflict_document_t *to, const conflict_pointer_t *base,
    const conflict_document_t *version, conflict_buffer_t *out, size_t values,
    uint64_t seed);

/*
 * Finds the base version that a patch states with a "test" of that member, and
 * sets "json" as a scan that has found it does: cutting it out removes the
 * operation.  A test without a value states null.  Sets "set" if an operation
 * gives that member a value.  REPEATED: there is more than one such test,
 * or, if none was found, an object has a duplicate member; MALFORMED: it is not
 * an array; LARGE: it has more than "values" values.
 */
conflict_json_rc_e conflict_patch_base(conflict_scan_t *json,
    const conflict_document_t *patch, const conflict_pointer_t *base,
    unsigned *set, size_t values, uint64_t seed);

/*
 * conflict_compare_reflects() for a patch.  0 for a patch that adds to an array
 * or removes from one: another client may have done the same.
 */
int conflict_patch_reflects(const conflict_document_t *latest,
    const conflict_document_t *patch, const conflict_pointer_t *base,
    conflict_reflects_e how, size_t values, uint64_t seed);

/*
 * 1 if applying the patch twice has the same effect as once.
 */
int conflict_patch_repeatable(const conflict_document_t *patch, size_t values,
    uint64_t seed);


#endif /* _CONFLICT_PATCH_H_INCLUDED_ */
