
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The directive conflict_lock, and its parameters.
 */


#include "lock/ngx_http_conflict_lock.h"


/* milliseconds */
#define NGX_HTTP_CONFLICT_IDLE      (5 * 60 * 1000)
#define NGX_HTTP_CONFLICT_IDLE_MIN  100
#define NGX_HTTP_CONFLICT_IDLE_MAX  (24 * 3600 * 1000)

#define NGX_HTTP_CONFLICT_QUOTA     10000


static ngx_int_t ngx_http_conflict_lock_conf_parameter(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *value);


char *
ngx_http_conflict_lock_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    if (nlcf->lock) {
        return "is duplicate";
    }

    nlcf->lock = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_lock_conf_t));
    if (nlcf->lock == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_conflict_lock_conf_parameter(cf, nlcf, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (nlcf->lock->idle == 0) {
        nlcf->lock->idle = NGX_HTTP_CONFLICT_IDLE;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_conflict_lock_answer;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_conflict_lock_conf_parameter(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *value)
{
    ngx_int_t                       n;
    ngx_http_conflict_lock_conf_t  *lock;

    lock = nlcf->lock;

    if (ngx_strcmp(value->data, "force") == 0 && !lock->force) {
        lock->force = 1;
        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "idle=", 5) == 0 && lock->idle == 0) {
        return ngx_http_conflict_directive_value_limited(cf, value, 5,
                                                NGX_HTTP_CONFLICT_IDLE_MIN,
                                                NGX_HTTP_CONFLICT_IDLE_MAX,
                                                "100ms to 1d", &lock->idle);
    }

    if (ngx_strncmp(value->data, "per_user=", 9) == 0 && lock->quota == 0) {
        n = ngx_atoi(value->data + 9, value->len - 9);

        if (n == NGX_ERROR || n == 0 || n > NGX_HTTP_CONFLICT_QUOTA) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid number of locks \"%V\", it must be "
                               "from 1 to %d", value,
                               NGX_HTTP_CONFLICT_QUOTA);
            return NGX_ERROR;
        }

        lock->quota = n;
        return NGX_OK;
    }

    /* beside an endpoint of versions the location is refused in the end */

    if (ngx_strncmp(value->data, "get=", 4) == 0
        && (nlcf->get == NULL || nlcf->versions) && !lock->blind)
    {
        if (ngx_strcmp(value->data + 4, "off") == 0) {
            lock->blind = 1;
            return NGX_OK;
        }

        nlcf->get = ngx_http_conflict_directive_value_get(cf, value,
                                                          "\"off\" or ");

        return nlcf->get ? NGX_OK : NGX_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", it must be \"idle=TIME\", "
                       "\"per_user=NUMBER\", \"get=PATH\", \"get=off\" or "
                       "\"force\", each at most once", value);

    return NGX_ERROR;
}
