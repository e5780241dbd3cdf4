
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
    ngx_str_t                 *prefix;

    if (nlcf->key == NULL) {
        *resource = r->uri;

    } else if (ngx_http_conflict_evaluate(r, nlcf->key, resource) != NGX_OK) {
        return NGX_ERROR;
    }

    *key = *resource;

    prefix = ngx_http_conflict_key_prefix(r, resource);

    if (prefix->len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, prefix->len + resource->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;
    key->len = prefix->len + resource->len;

    p = ngx_cpymem(p, prefix->data, prefix->len);
    ngx_memcpy(p, resource->data, resource->len);

    return NGX_OK;
}


/*
 * A path belongs to its server block, whatever Host is.  No other text, which
 * a client may have chosen, is the name of a server and a path.
 */

ngx_str_t *
ngx_http_conflict_key_prefix(ngx_http_request_t *r, ngx_str_t *resource)
{
    u_char                    *p, *last;
    ngx_http_core_srv_conf_t  *cscf;

    static ngx_str_t  none = ngx_null_string;
    static ngx_str_t  other = ngx_string(":");

    p = resource->data;
    last = p + resource->len;

    if (p == last || *p != '/') {
        return ngx_strlchr(p, last, '/') ? &other : &none;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    return &cscf->server_name;
}
