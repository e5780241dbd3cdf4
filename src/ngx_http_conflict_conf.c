
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The life of the configuration: created, inherited, and completed with
 * what the rest of nginx.conf says.
 */


#include "ngx_http_conflict_module.h"


#define NGX_HTTP_CONFLICT_DEFAULT_ZONE  (16 * 1024 * 1024)


static ngx_int_t ngx_http_conflict_guard(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf);
static ngx_int_t ngx_http_conflict_find_store(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf);
static ngx_int_t ngx_http_conflict_default_log(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf);
static ngx_http_complex_value_t *ngx_http_conflict_complex(ngx_conf_t *cf,
    const char *text);


static conflict_json_pointer_t  ngx_http_conflict_base_pointer;

static ngx_http_conflict_source_t  ngx_http_conflict_default_base = {
    NGX_HTTP_CONFLICT_JSON, ngx_null_string, &ngx_http_conflict_base_pointer
};

static ngx_http_conflict_source_t  ngx_http_conflict_default_source;

static ngx_str_t  ngx_http_conflict_default_name = ngx_string("default");


void *
ngx_http_conflict_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_main_conf_t));
    if (nmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     nmcf->guarded = 0;
     *     nmcf->risky = 0;
     *     nmcf->fetch = NULL;
     *     nmcf->log = NULL;
     */

    if (ngx_array_init(&nmcf->stores, cf->pool, 4,
                       sizeof(ngx_http_conflict_store_t *))
        != NGX_OK)
    {
        return NULL;
    }

    (void) conflict_json_pointer(&ngx_http_conflict_base_pointer,
                                 "/base_version",
                                 sizeof("/base_version") - 1);

    return nmcf;
}


void *
ngx_http_conflict_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_conflict_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->store_name = { 0, NULL };
     *     conf->store = NULL;
     *     conf->key = NULL;
     *     conf->user = NULL;
     *     conf->client = NULL;
     *     conf->entity = NULL;
     *     conf->methods = 0;
     *     conf->root = NULL;
     *     conf->unbuffered = 0;
     */

    conf->policy = NGX_CONF_UNSET_UINT;
    conf->report = NGX_CONF_UNSET;
    conf->base = NGX_CONF_UNSET_PTR;
    conf->version = NGX_CONF_UNSET_PTR;
    conf->mtime = NGX_CONF_UNSET_PTR;
    conf->inject = NGX_CONF_UNSET_PTR;
    conf->strip_base = NGX_CONF_UNSET;
    conf->require = NGX_CONF_UNSET;
    conf->latest = NGX_CONF_UNSET_UINT;
    conf->header_status = NGX_CONF_UNSET_UINT;
    conf->store_error = NGX_CONF_UNSET_UINT;
    conf->lease = NGX_CONF_UNSET_MSEC;
    conf->wait = NGX_CONF_UNSET_MSEC;
    conf->quarantine = NGX_CONF_UNSET_MSEC;
    conf->max_body = NGX_CONF_UNSET_SIZE;
    conf->log = NGX_CONF_UNSET_PTR;

    return conf;
}


char *
ngx_http_conflict_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_conflict_loc_conf_t *prev = parent;
    ngx_http_conflict_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    if (conf->policy == NGX_CONF_UNSET_UINT) {
        /* the parameters belong to their policy */
        conf->store_name = prev->store_name;
    }

    ngx_conf_merge_uint_value(conf->policy, prev->policy,
                              NGX_HTTP_CONFLICT_OFF);
    ngx_conf_merge_value(conf->report, prev->report, 0);

    conf->key = conf->key ? conf->key : prev->key;
    conf->user = conf->user ? conf->user : prev->user;
    conf->client = conf->client ? conf->client : prev->client;
    conf->entity = conf->entity ? conf->entity : prev->entity;

    ngx_conf_merge_bitmask_value(conf->methods, prev->methods,
                                 (NGX_CONF_BITMASK_SET|NGX_HTTP_PUT
                                  |NGX_HTTP_PATCH|NGX_HTTP_DELETE));

    ngx_conf_merge_ptr_value(conf->base, prev->base,
                             &ngx_http_conflict_default_base);
    ngx_conf_merge_ptr_value(conf->version, prev->version,
                             &ngx_http_conflict_default_source);
    ngx_conf_merge_ptr_value(conf->mtime, prev->mtime,
                             &ngx_http_conflict_default_source);
    ngx_conf_merge_ptr_value(conf->inject, prev->inject,
                             &ngx_http_conflict_default_source);

    ngx_conf_merge_value(conf->strip_base, prev->strip_base, 0);
    ngx_conf_merge_value(conf->require, prev->require, 0);

    if (conf->latest == NGX_CONF_UNSET_UINT) {
        conf->root = prev->root;
    }

    ngx_conf_merge_uint_value(conf->latest, prev->latest,
                              NGX_HTTP_CONFLICT_LATEST_FETCH);
    ngx_conf_merge_uint_value(conf->header_status, prev->header_status,
                              NGX_HTTP_CONFLICT);
    ngx_conf_merge_uint_value(conf->store_error, prev->store_error,
                              NGX_HTTP_CONFLICT_REFUSE);

    ngx_conf_merge_msec_value(conf->lease, prev->lease, 10000);
    ngx_conf_merge_msec_value(conf->wait, prev->wait, 2000);
    ngx_conf_merge_msec_value(conf->quarantine, prev->quarantine, 5000);
    ngx_conf_merge_size_value(conf->max_body, prev->max_body, 1024 * 1024);

    if (conf->log == NGX_CONF_UNSET_PTR) {
        conf->log = prev->log;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    conf->name = clcf->name;

    if (conf->policy != NGX_HTTP_CONFLICT_OFF
        && ngx_http_conflict_guard(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* a location that is guarded needs a store, a log and its neighbours */

static ngx_int_t
ngx_http_conflict_guard(ngx_conf_t *cf, ngx_http_conflict_loc_conf_t *conf)
{
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    if (conf->inject->place != NGX_HTTP_CONFLICT_DEFAULT
        && conf->version->place != NGX_HTTP_CONFLICT_DEFAULT)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"conflict_inject\" needs \"conflict_version "
                           "counter\", an upstream that owns the versions "
                           "shows them itself");
        return NGX_ERROR;
    }

    if (conf->strip_base && conf->base->place != NGX_HTTP_CONFLICT_JSON) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"conflict_strip_base\" needs \"conflict_base "
                           "json:/POINTER\"");
        return NGX_ERROR;
    }

    if (conf->quarantine == 0
        && conf->version->place == NGX_HTTP_CONFLICT_DEFAULT)
    {
        nmcf->risky = 1;
    }

    nmcf->guarded = 1;

    if (conf->user == NULL) {
        conf->user = ngx_http_conflict_complex(cf, "$remote_user");
        if (conf->user == NULL) {
            return NGX_ERROR;
        }
    }

    if (conf->client == NULL) {
        conf->client = ngx_http_conflict_complex(cf, "$http_x_client");
        if (conf->client == NULL) {
            return NGX_ERROR;
        }
    }

    if (nmcf->fetch == NULL) {
        nmcf->fetch = ngx_http_conflict_complex(cf, "$conflict_fetch");
        if (nmcf->fetch == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_conflict_find_store(cf, nmcf, conf) != NGX_OK
        || ngx_http_conflict_default_log(cf, nmcf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_conflict_upstream_conf(cf, nmcf, conf);
}


static ngx_int_t
ngx_http_conflict_find_store(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf)
{
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_http_conflict_store_t   *store, **storep;

    name = conf->store_name.len ? &conf->store_name
                                : &ngx_http_conflict_default_name;

    storep = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {

        if (storep[i]->name.len == name->len
            && ngx_strncmp(storep[i]->name.data, name->data, name->len) == 0)
        {
            conf->store = storep[i];
            break;
        }
    }

    if (conf->store == NULL) {

        if (name != &ngx_http_conflict_default_name
            && ngx_strcmp(name->data, "default") != 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown store \"%V\", declare it with "
                               "\"conflict_store\"", name);
            return NGX_ERROR;
        }

        store = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_store_t));
        if (store == NULL) {
            return NGX_ERROR;
        }

        store->name = ngx_http_conflict_default_name;
        store->ops = &ngx_http_conflict_shm_ops;

        storep = ngx_array_push(&nmcf->stores);
        if (storep == NULL) {
            return NGX_ERROR;
        }

        *storep = store;

        if (ngx_http_conflict_shm_add(cf, store,
                                      NGX_HTTP_CONFLICT_DEFAULT_ZONE)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        conf->store = store;
    }

    conf->store->lease = ngx_max(conf->store->lease, conf->lease);
    conf->store->quarantine = ngx_max(conf->store->quarantine,
                                      conf->quarantine);

    return NGX_OK;
}


/* beside nginx's own access log, which is a place that exists */

static ngx_int_t
ngx_http_conflict_default_log(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf)
{
    size_t     len;
    ngx_str_t  name;

    static u_char  access_log[] = NGX_HTTP_LOG_PATH;

    if (conf->log != NGX_CONF_UNSET_PTR) {
        return NGX_OK;
    }

    if (nmcf->log == NULL) {
        nmcf->log = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_log_t));
        if (nmcf->log == NULL) {
            return NGX_ERROR;
        }

        len = ngx_strlen(access_log);

        while (len && access_log[len - 1] != '/') {
            len--;
        }

        name.len = len + sizeof("conflict.log") - 1;
        name.data = ngx_pnalloc(cf->pool, name.len + 1);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(name.data, "%*sconflict.log%Z", len, access_log);

        nmcf->log->file = ngx_conf_open_file(cf->cycle, &name);
        if (nmcf->log->file == NULL) {
            return NGX_ERROR;
        }
    }

    conf->log = nmcf->log;

    return NGX_OK;
}


static ngx_http_complex_value_t *
ngx_http_conflict_complex(ngx_conf_t *cf, const char *text)
{
    ngx_str_t                          value;
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    cv = ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (cv == NULL) {
        return NULL;
    }

    value.data = (u_char *) text;
    value.len = ngx_strlen(text);

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value;
    ccv.complex_value = cv;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NULL;
    }

    return cv;
}
