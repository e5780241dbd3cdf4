
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_idempotency: which requests are carried out once for a key.
 */


#include "config/ngx_http_conflict_conf.h"
#include "store/ngx_http_conflict_blob.h"


#define NGX_HTTP_CONFLICT_IDEMPOTENCY_TTL      86400000       /* a day, msec */
#define NGX_HTTP_CONFLICT_IDEMPOTENCY_TTL_MAX  (30 * 86400000LL)


char *
ngx_http_conflict_directive_idempotency(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t  *value;

    if (nlcf->idempotency != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    nlcf->idempotency_ttl = NGX_HTTP_CONFLICT_IDEMPOTENCY_TTL;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        nlcf->idempotency = NGX_HTTP_CONFLICT_IDEMPOTENCY_OFF;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") == 0) {
        nlcf->idempotency = NGX_HTTP_CONFLICT_IDEMPOTENCY_ON;

    } else if (ngx_strcmp(value[1].data, "required") == 0) {
        nlcf->idempotency = NGX_HTTP_CONFLICT_IDEMPOTENCY_REQUIRED;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be \"on\", "
                           "\"required\" or, without \"ttl=\", \"off\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "ttl=", 4) == 0
        && ngx_http_conflict_directive_value_msec(&value[2], 4, 1000,
                                         NGX_HTTP_CONFLICT_IDEMPOTENCY_TTL_MAX,
                                         &nlcf->idempotency_ttl)
           == NGX_OK)
    {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", it must be \"ttl=TIME\", "
                       "from 1s to 30d", &value[2]);

    return NGX_CONF_ERROR;
}


void
ngx_http_conflict_directive_idempotency_merge(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf, ngx_http_conflict_loc_conf_t *prev)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->idempotency == NGX_CONF_UNSET_UINT) {
        conf->idempotency_ttl = prev->idempotency_ttl;

    } else if (conf->idempotency != NGX_HTTP_CONFLICT_IDEMPOTENCY_OFF
               && conf->policy == NGX_HTTP_CONFLICT_OFF
               && clcf->name.len && !clcf->noname && clcf->locations == NULL)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"conflict_idempotency\" in location \"%V\" has no "
                           "effect without \"conflict\"", &clcf->name);
    }

    ngx_conf_merge_uint_value(conf->idempotency, prev->idempotency,
                              NGX_HTTP_CONFLICT_IDEMPOTENCY_OFF);
}
