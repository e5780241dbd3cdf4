
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Points under a zone's lock at which a test build kills the worker.  Other
 * builds have none.
 */


#ifndef _NGX_HTTP_CONFLICT_FAILPOINT_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_FAILPOINT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#if (NGX_HTTP_CONFLICT_FAILPOINTS)

/*
 * The worker is killed when it hits the n-th failpoint, with n as given in the
 * request field "X-Conflict-Failpoint".
 */
void ngx_http_conflict_failpoint_arm(ngx_http_request_t *r);
void ngx_http_conflict_failpoint_hit(void);

#else

#define ngx_http_conflict_failpoint_arm(r)
#define ngx_http_conflict_failpoint_hit()

#endif


#endif /* _NGX_HTTP_CONFLICT_FAILPOINT_H_INCLUDED_ */
