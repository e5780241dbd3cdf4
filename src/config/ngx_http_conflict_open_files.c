
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Bypasses open_file_cache for what is guarded: it has files as they were up to
 * open_file_cache_valid ago, and their bodies would have the current version.
 */


#include "config/ngx_http_conflict_conf.h"


/* any location may be that of a file: X-Accel-Redirect and the like */

ngx_int_t
ngx_http_conflict_open_files(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    size_t                     size;
    void                     **loc_conf;
    ngx_http_core_loc_conf_t  *clcf, *copy;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->open_file_cache == NULL) {
        return NGX_OK;
    }

    size = sizeof(void *) * ngx_http_max_module;

    loc_conf = ngx_palloc(cf->pool, size);
    if (loc_conf == NULL) {
        return NGX_ERROR;
    }

    copy = ngx_palloc(cf->pool, sizeof(ngx_http_core_loc_conf_t));
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *clcf;
    copy->open_file_cache = NULL;

    ngx_memcpy(loc_conf, ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf, size);
    loc_conf[ngx_http_core_module.ctx_index] = copy;

    conf->uncached = loc_conf;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_open_files_bypass(ngx_http_request_t *r)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    if (nlcf->uncached && r->content_handler == NULL) {
        r->loc_conf = nlcf->uncached;
    }

    return NGX_DECLINED;
}
