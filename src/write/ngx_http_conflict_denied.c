
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Requests that nginx denies before the module sees them, such as by access
 * rules or limits.  If a named location of "error_page" is guarded as well, its
 * response would be taken for that of the resource.
 */


#include "write/ngx_http_conflict_write.h"


typedef struct {
    ngx_uint_t                     passed;     /* the phases in between */
} ngx_http_conflict_denied_t;


static ngx_http_conflict_denied_t *ngx_http_conflict_denied_find(
    ngx_http_request_t *r);
static void ngx_http_conflict_denied_cleanup(void *data);


/*
 * The PREACCESS phase; dynamic modules come last, and so run first.  After
 * try_files or the like the phases in between run again.
 */

ngx_int_t
ngx_http_conflict_denied_handler(ngx_http_request_t *r)
{
    ngx_http_cleanup_t            *cln;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_conflict_denied_t    *denied;
    ngx_http_conflict_loc_conf_t  *nlcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r != r->main || r->error_page || r->err_status
        || clcf->error_pages == NULL)
    {
        return NGX_DECLINED;
    }

    denied = ngx_http_conflict_denied_find(r);

    if (denied) {
        denied->passed = 0;
        return NGX_DECLINED;
    }

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    if (nlcf->policy == NGX_HTTP_CONFLICT_OFF
        || ngx_http_conflict_conf_endpoint(nlcf))
    {
        return NGX_DECLINED;
    }

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_conflict_denied_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_conflict_denied_cleanup;

    denied = cln->data;
    denied->passed = 0;

    return NGX_DECLINED;
}


void
ngx_http_conflict_denied_passed(ngx_http_request_t *r)
{
    ngx_http_conflict_denied_t  *denied;

    denied = ngx_http_conflict_denied_find(r);

    if (denied && !r->error_page && r->err_status == 0) {
        denied->passed = 1;
    }
}


ngx_uint_t
ngx_http_conflict_denied(ngx_http_request_t *r)
{
    ngx_http_conflict_denied_t  *denied;

    denied = ngx_http_conflict_denied_find(r);

    return denied && !denied->passed;
}


static ngx_http_conflict_denied_t *
ngx_http_conflict_denied_find(ngx_http_request_t *r)
{
    ngx_http_cleanup_t  *cln;

    for (cln = r->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_conflict_denied_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


/* only marks the request */

static void
ngx_http_conflict_denied_cleanup(void *data)
{
}
