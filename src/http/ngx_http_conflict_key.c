
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The resource of a request, as clients and the audit log see it, and its key
 * in the store, where two servers may have the same paths.
 */


#include "http/ngx_http_conflict_http.h"


ngx_int_t
ngx_http_conflict_key(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *resource, ngx_str_t *key)
{
    u_char                    *p;
    ngx_http_core_srv_conf_t  *cscf;

    if (nlcf->key == NULL) {
        *resource = r->uri;

    } else if (ngx_http_conflict_evaluate(r, nlcf->key, resource) != NGX_OK) {
        return NGX_ERROR;
    }

    *key = *resource;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (resource->len == 0 || resource->data[0] != '/'
        || cscf->server_name.len == 0)
    {
        return NGX_OK;
    }

    /* a path belongs to its server block, whatever Host is */

    p = ngx_pnalloc(r->pool, cscf->server_name.len + resource->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;
    key->len = cscf->server_name.len + resource->len;

    p = ngx_cpymem(p, cscf->server_name.data, cscf->server_name.len);
    ngx_memcpy(p, resource->data, resource->len);

    return NGX_OK;
}
