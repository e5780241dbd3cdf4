
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The directive conflict_resolver.
 */


#include "config/ngx_http_conflict_conf.h"


#define NGX_HTTP_CONFLICT_RESOLVER_TIMEOUT  5000              /* milliseconds */
#define NGX_HTTP_CONFLICT_RESOLVER_MAX      (3600 * 1000)


static ngx_int_t ngx_http_conflict_directive_resolver_time(ngx_conf_t *cf,
    ngx_str_t *value, ngx_msec_t *timeout);


char *
ngx_http_conflict_directive_resolver(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t                          *value;
    ngx_http_conflict_resolver_conf_t  *resolver;

    if (nlcf->resolver != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts == 3) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", \"off\" has no "
                               "parameters", &value[2]);
            return NGX_CONF_ERROR;
        }

        nlcf->resolver = NULL;
        return NGX_CONF_OK;
    }

    if (value[1].len == 0
        || (value[1].data[0] != '/' && value[1].data[0] != '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\", it must be \"off\" or the path "
                           "of a location, which begins with \"/\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    resolver = ngx_palloc(cf->pool, sizeof(ngx_http_conflict_resolver_conf_t));
    if (resolver == NULL) {
        return NGX_CONF_ERROR;
    }

    resolver->timeout = NGX_HTTP_CONFLICT_RESOLVER_TIMEOUT;

    if (cf->args->nelts == 3
        && ngx_http_conflict_directive_resolver_time(cf, &value[2],
                                                     &resolver->timeout)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    resolver->uri = ngx_http_conflict_directive_value_complex(cf, &value[1]);
    if (resolver->uri == NULL) {
        return NGX_CONF_ERROR;
    }

    nlcf->resolver = resolver;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_conflict_directive_resolver_time(ngx_conf_t *cf, ngx_str_t *value,
    ngx_msec_t *timeout)
{
    if (ngx_strncmp(value->data, "timeout=", 8) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be "
                           "\"timeout=TIME\"", value);
        return NGX_ERROR;
    }

    return ngx_http_conflict_directive_value_limited(cf, value, 8, 1,
                                               NGX_HTTP_CONFLICT_RESOLVER_MAX,
                                               "1ms to 1h", timeout);
}


void
ngx_http_conflict_directive_resolver_merge(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_http_conflict_loc_conf_t *prev)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->resolver != NGX_CONF_UNSET_PTR && conf->resolver
        && conf->policy != CONFLICT_MERGE
        && clcf->name.len && !clcf->noname && !clcf->locations)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"conflict_resolver\" in location \"%V\" has no "
                           "effect without \"conflict merge\"", &conf->name);
    }

    ngx_conf_merge_ptr_value(conf->resolver, prev->resolver, NULL);
}
