
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Requests that nginx denies before the module sees them, such as by access
 * rules or limits.  If a named location of "error_page" is guarded as well, its
 * response would be taken for that of the resource.
 */


#include "write/ngx_http_conflict_write.h"


typedef struct {
    ngx_uint_t                     passed;     /* has reached PRECONTENT */
} ngx_http_conflict_denied_t;


static ngx_int_t ngx_http_conflict_denied_mark(ngx_http_request_t *r);
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
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_conflict_denied_t    *denied;
    ngx_http_conflict_loc_conf_t  *nlcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r != r->main || r->post_action || r->error_page || r->err_status
        || clcf->error_pages == NULL)
    {
        return NGX_DECLINED;
    }

    /* a request that was not redirected has no mark yet */
    denied = r->internal ? ngx_http_conflict_denied_find(r) : NULL;

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

    return (ngx_http_conflict_denied_mark(r) == NGX_OK)
           ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


void
ngx_http_conflict_denied_passed(ngx_http_request_t *r)
{
    ngx_http_conflict_denied_t  *denied;

    if (r->error_page || r->err_status) {
        return;
    }

    denied = ngx_http_conflict_denied_find(r);

    if (denied) {
        denied->passed = 1;
    }
}


/* other errors may be used to lead on to the API, as in "error_page 418" */

ngx_int_t
ngx_http_conflict_denied_before(ngx_http_request_t *r)
{
    switch (r->err_status) {

    case NGX_HTTP_UNAUTHORIZED:
    case NGX_HTTP_FORBIDDEN:
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
    case NGX_HTTP_TOO_MANY_REQUESTS:
    case NGX_HTTP_SERVICE_UNAVAILABLE:

        if (ngx_http_conflict_denied_find(r) == NULL) {
            return ngx_http_conflict_denied_mark(r);
        }

        /* fall through */

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_conflict_denied_mark(ngx_http_request_t *r)
{
    ngx_http_cleanup_t          *cln;
    ngx_http_conflict_denied_t  *denied;

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_conflict_denied_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_conflict_denied_cleanup;

    denied = cln->data;
    denied->passed = 0;

    return NGX_OK;
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
