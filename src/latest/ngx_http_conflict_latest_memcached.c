
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The own GET in a location with "memcached_pass": what that finds may be of
 * any age.
 */


#include "latest/ngx_http_conflict_latest.h"


static ngx_http_variable_value_t *ngx_http_conflict_latest_memcached_key(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_conflict_latest_memcached_led(ngx_http_request_t *r,
    ngx_module_t *memcached);


static ngx_str_t  ngx_http_conflict_latest_memcached_name =
    ngx_string("memcached_key");

static ngx_str_t  ngx_http_conflict_latest_memcached_none =
    ngx_string("ngx_http_conflict_module:none");


/*
 * With a key that is not found the GET is led on as by any miss, and has the
 * right one again there.
 */

void
ngx_http_conflict_latest_memcached(ngx_http_request_t *r,
    ngx_http_conflict_latest_t *latest)
{
    ngx_str_t                      *none;
    ngx_http_variable_value_t      *key;
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_http_get_module_main_conf(r, ngx_http_conflict_module);

    if (nmcf->memcached == NULL) {
        return;
    }

    key = ngx_http_conflict_latest_memcached_key(r);
    if (key == NULL) {
        return;
    }

    none = &ngx_http_conflict_latest_memcached_none;

    if (key->data == none->data) {
        *key = latest->memcached_key;
    }

    if (ngx_http_conflict_latest_memcached_led(r, nmcf->memcached)) {
        latest->memcached_key = *key;

        ngx_memzero(key, sizeof(ngx_http_variable_value_t));

        key->valid = 1;
        key->len = none->len;
        key->data = none->data;
    }
}


static ngx_http_variable_value_t *
ngx_http_conflict_latest_memcached_key(ngx_http_request_t *r)
{
    ngx_str_t                  *name;
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    name = &ngx_http_conflict_latest_memcached_name;
    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (ngx_http_conflict_same(&v[i].name, name)) {
            return &r->variables[i];
        }
    }

    return NULL;
}


/* whether the location has "memcached_pass", and leads on what is missing */

static ngx_uint_t
ngx_http_conflict_latest_memcached_led(ngx_http_request_t *r,
    ngx_module_t *memcached)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_upstream_conf_t  *ucf;
    ngx_http_core_loc_conf_t  *clcf;

    ucf = r->loc_conf[memcached->ctx_index];
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (ucf->upstream == NULL || clcf->error_pages == NULL) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {

        if (page[i].status == NGX_HTTP_NOT_FOUND) {
            return 1;
        }
    }

    return 0;
}
