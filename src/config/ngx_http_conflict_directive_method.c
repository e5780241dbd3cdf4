
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_methods: the methods that are guarded writes.  An API may have
 * methods of its own, so another name than those of HTTP is only a warning.
 */


#include "config/ngx_http_conflict_conf.h"


/* writes in HTTP and in WebDAV (RFC 4918, 9.8 and 9.9) */

static ngx_str_t  ngx_http_conflict_directive_method_writes[] = {
    ngx_string("PUT"),
    ngx_string("PATCH"),
    ngx_string("DELETE"),
    ngx_string("MOVE"),
    ngx_string("COPY")
};


/* methods that change no resource by their definition */

static const ngx_str_t  ngx_http_conflict_directive_method_safe_names[] = {
    ngx_string("OPTIONS"),
    ngx_string("TRACE"),
    ngx_string("CONNECT"),
    ngx_string("PROPFIND"),
    ngx_string("REPORT"),
    ngx_string("SEARCH"),
    ngx_string("QUERY")
};


/* the registered ones of HTTP (RFC 9110, 16.1.1) that may be writes */

static const ngx_str_t  ngx_http_conflict_directive_method_known[] = {
    ngx_string("PUT"),
    ngx_string("PATCH"),
    ngx_string("DELETE"),
    ngx_string("POST"),
    ngx_string("MOVE"),
    ngx_string("COPY"),
    ngx_string("ACL"),
    ngx_string("BASELINE-CONTROL"),
    ngx_string("BIND"),
    ngx_string("CHECKIN"),
    ngx_string("CHECKOUT"),
    ngx_string("LABEL"),
    ngx_string("LINK"),
    ngx_string("LOCK"),
    ngx_string("MERGE"),
    ngx_string("MKACTIVITY"),
    ngx_string("MKCALENDAR"),
    ngx_string("MKCOL"),
    ngx_string("MKREDIRECTREF"),
    ngx_string("MKWORKSPACE"),
    ngx_string("ORDERPATCH"),
    ngx_string("PROPPATCH"),
    ngx_string("REBIND"),
    ngx_string("UNBIND"),
    ngx_string("UNCHECKOUT"),
    ngx_string("UNLINK"),
    ngx_string("UNLOCK"),
    ngx_string("UPDATE"),
    ngx_string("UPDATEREDIRECTREF"),
    ngx_string("VERSION-CONTROL")
};


ngx_array_t  ngx_http_conflict_directive_method_defaults = {
    ngx_http_conflict_directive_method_writes,
    sizeof(ngx_http_conflict_directive_method_writes) / sizeof(ngx_str_t),
    sizeof(ngx_str_t),
    sizeof(ngx_http_conflict_directive_method_writes) / sizeof(ngx_str_t),
    NULL
};


char *
ngx_http_conflict_directive_method(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    size_t       n;
    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    if (nlcf->methods != NULL) {
        return "is duplicate";
    }

    nlcf->methods = ngx_array_create(cf->pool, cf->args->nelts,
                                     sizeof(ngx_str_t));
    if (nlcf->methods == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        /* nginx parses capital letters, "-" and "_" */

        for (n = 0; n < value[i].len; n++) {

            if ((value[i].data[n] < 'A' || value[i].data[n] > 'Z')
                && value[i].data[n] != '-' && value[i].data[n] != '_')
            {
                break;
            }
        }

        if (n != value[i].len || n == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid method \"%V\", it must be in capital "
                               "letters, several are separated by spaces",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_strcmp(value[i].data, "GET") == 0
            || ngx_strcmp(value[i].data, "HEAD") == 0
            || ngx_http_conflict_directive_method_safe(&value[i]))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid method \"%V\", it is not a write",
                               &value[i]);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_conflict_directive_method_listed(&value[i],
                                                      nlcf->methods->elts,
                                                      nlcf->methods->nelts))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "method \"%V\" is duplicate", &value[i]);
            return NGX_CONF_ERROR;
        }

        n = sizeof(ngx_http_conflict_directive_method_known)
            / sizeof(ngx_str_t);

        if (!ngx_http_conflict_directive_method_listed(&value[i],
                                 ngx_http_conflict_directive_method_known, n))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "method \"%V\" is none of the registered "
                               "methods of HTTP, check its spelling",
                               &value[i]);
        }

        name = ngx_array_push(nlcf->methods);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_conflict_directive_method_safe(ngx_str_t *method)
{
    ngx_uint_t  n;

    n = sizeof(ngx_http_conflict_directive_method_safe_names)
        / sizeof(ngx_str_t);

    return ngx_http_conflict_directive_method_listed(method,
                             ngx_http_conflict_directive_method_safe_names, n);
}


ngx_uint_t
ngx_http_conflict_directive_method_listed(ngx_str_t *method,
    const ngx_str_t *list, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {

        if (ngx_http_conflict_same(method, &list[i])) {
            return 1;
        }
    }

    return 0;
}
