
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The directive conflict_events, and its parameters.
 */


#include "events/ngx_http_conflict_events.h"


typedef struct {
    ngx_str_t                      name;
    size_t                         offset;
    ngx_uint_t                     value;      /* by default */
    ngx_uint_t                     min;
    ngx_uint_t                     max;
    const char                    *range;
    unsigned                       time:1;
} ngx_http_conflict_events_parameter_t;


static ngx_int_t ngx_http_conflict_events_conf_set(ngx_conf_t *cf,
    ngx_http_conflict_events_conf_t *conf, ngx_str_t *value);


#define ngx_http_conflict_events_offset(field)                                \
    offsetof(ngx_http_conflict_events_conf_t, field)

static const ngx_http_conflict_events_parameter_t
    ngx_http_conflict_events_parameters[] =
{
    { ngx_string("heartbeat="), ngx_http_conflict_events_offset(heartbeat),
      15000, 100, 10 * 60 * 1000, "from 100ms to 10m", 1 },
    { ngx_string("recheck="), ngx_http_conflict_events_offset(recheck),
      60000, 100, 24 * 3600 * 1000, "from 100ms to 1d", 1 },
    { ngx_string("per_client="), ngx_http_conflict_events_offset(per_client),
      16, 1, 100000, "from 1 to 100000", 0 },
    { ngx_string("max="), ngx_http_conflict_events_offset(max),
      10000, 1, 1000000, "from 1 to 1000000", 0 },
    { ngx_null_string, 0, 0, 0, 0, NULL, 0 }
};


char *
ngx_http_conflict_events_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t                                   *value;
    ngx_uint_t                                   i, *field;
    ngx_http_core_loc_conf_t                    *clcf;
    const ngx_http_conflict_events_parameter_t  *p;

    if (nlcf->events) {
        return "is duplicate";
    }

    nlcf->events = ngx_pcalloc(cf->pool,
                               sizeof(ngx_http_conflict_events_conf_t));
    if (nlcf->events == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_conflict_events_conf_set(cf, nlcf->events, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    for (p = ngx_http_conflict_events_parameters; p->name.len; p++) {
        field = (ngx_uint_t *) ((char *) nlcf->events + p->offset);
        *field = *field ? *field : p->value;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_conflict_events_answer;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_conflict_events_conf_set(ngx_conf_t *cf,
    ngx_http_conflict_events_conf_t *conf, ngx_str_t *value)
{
    ngx_int_t                                    n;
    ngx_str_t                                    s;
    ngx_uint_t                                  *field;
    const ngx_http_conflict_events_parameter_t  *p;

    for (p = ngx_http_conflict_events_parameters; p->name.len; p++) {
        field = (ngx_uint_t *) ((char *) conf + p->offset);

        if (ngx_strncmp(value->data, p->name.data, p->name.len) != 0
            || *field)
        {
            continue;
        }

        s.data = value->data + p->name.len;
        s.len = value->len - p->name.len;

        n = p->time ? ngx_parse_time(&s, 0) : ngx_atoi(s.data, s.len);

        if (n == NGX_ERROR || n < (ngx_int_t) p->min
            || n > (ngx_int_t) p->max)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\", it must be %s", value,
                               p->range);
            return NGX_ERROR;
        }

        *field = n;

        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", it must be "
                       "\"heartbeat=TIME\", \"recheck=TIME\", "
                       "\"per_client=NUMBER\" or \"max=NUMBER\", each at most "
                       "once", value);

    return NGX_ERROR;
}
