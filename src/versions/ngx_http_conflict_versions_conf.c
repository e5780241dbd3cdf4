
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The directive conflict_versions, and its parameters.
 */


#include "versions/ngx_http_conflict_versions.h"


char *
ngx_http_conflict_versions_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    if (nlcf->versions) {
        return "is duplicate";
    }

    nlcf->versions = 1;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "public") == 0
            && !nlcf->versions_public)
        {
            nlcf->versions_public = 1;
            continue;
        }

        /* beside a lock endpoint the location is refused in the end */

        if (ngx_strncmp(value[i].data, "get=", 4) == 0
            && (nlcf->get == NULL || nlcf->lock))
        {
            nlcf->get = ngx_http_conflict_directive_value_get(cf, &value[i],
                                                              "");
            if (nlcf->get == NULL) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be \"get=PATH\" "
                           "or \"public\", each at most once", &value[i]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_conflict_versions_answer;

    return NGX_CONF_OK;
}
