
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Documents held against each other, member by member.  The one part that
 * builds trees, for what a scan cannot do.
 */


#ifndef _CONFLICT_MERGE_H_INCLUDED_
#define _CONFLICT_MERGE_H_INCLUDED_


#include <stddef.h>

#include "conflict_json.h"


/*
 * 1 where the document "latest" has all that the body "write" wanted: each
 * of its members with an equal value, a null member also where there is
 * none (RFC 7396).  The member at "base", which may be NULL, is not looked
 * at.  0 where it has not, or where that cannot be told.
 */
int conflict_merge_reflects(const char *latest, size_t latest_len,
    const char *write, size_t write_len, const conflict_json_pointer_t *base);


#endif /* _CONFLICT_MERGE_H_INCLUDED_ */
