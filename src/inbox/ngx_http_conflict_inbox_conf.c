
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The directive conflict_inbox.
 */


#include "inbox/ngx_http_conflict_inbox.h"


char *
ngx_http_conflict_inbox_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (nlcf->inbox) {
        return "is duplicate";
    }

    nlcf->inbox = 1;

    if (cf->args->nelts == 2) {
        value = cf->args->elts;

        if (ngx_strcmp(value[1].data, "all") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be \"all\"",
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        nlcf->inbox_all = 1;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_conflict_inbox_answer;

    return NGX_CONF_OK;
}
