
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Points under a zone's lock at which a test build kills the worker.  Other
 * builds have none.
 */


#include "process/ngx_http_conflict_failpoint.h"


#if (NGX_HTTP_CONFLICT_FAILPOINTS)

static ngx_int_t  ngx_http_conflict_failpoint_countdown;


void
ngx_http_conflict_failpoint_arm(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_http_conflict_failpoint_countdown = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == sizeof("X-Conflict-Failpoint") - 1
                && ngx_strcasecmp(h[i].key.data,
                                  (u_char *) "X-Conflict-Failpoint")
                   == 0)
            {
                ngx_http_conflict_failpoint_countdown
                    = ngx_atoi(h[i].value.data, h[i].value.len);
            }
        }
    }
}


void
ngx_http_conflict_failpoint_hit(void)
{
    if (ngx_http_conflict_failpoint_countdown > 0
        && --ngx_http_conflict_failpoint_countdown == 0)
    {
        (void) raise(SIGKILL);
    }
}

#endif
