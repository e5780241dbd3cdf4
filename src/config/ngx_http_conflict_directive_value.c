
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Setters of places, times, sizes, numbers and words.  Unlike those of nginx,
 * they quote the invalid value and list the valid ones.
 */


#include "config/ngx_http_conflict_conf.h"


#define NGX_HTTP_CONFLICT_LEASE_MIN   100            /* milliseconds */
#define NGX_HTTP_CONFLICT_TIME_MAX    (24 * 3600 * 1000)
#define NGX_HTTP_CONFLICT_VALUES_MAX  10000000


/* in lower case: fields whose values are not for logs and refusals */

static ngx_str_t  ngx_http_conflict_directive_value_secrets[] = {
    ngx_string("authorization"),
    ngx_string("proxy-authorization"),
    ngx_string("cookie"),
    ngx_string("set-cookie"),
    ngx_string("lock-token"),
    ngx_string("x-api-key"),
    ngx_string("api-key"),
    ngx_string("x-auth-token"),
    ngx_string("x-access-token"),
    ngx_string("private-token"),
    ngx_null_string
};


/* the word for the default of each directive */

static const struct {
    ngx_str_t                      directive;
    ngx_str_t                      word;
    ngx_uint_t                     header;     /* header:NAME is allowed */
} ngx_http_conflict_sources[] = {
    { ngx_string("conflict_base"), ngx_null_string, 1 },
    { ngx_string("conflict_version"), ngx_string("counter"), 1 },
    { ngx_string("conflict_mtime"), ngx_string("auto"), 1 },
    { ngx_string("conflict_inject"), ngx_string("off"), 0 },
    { ngx_null_string, ngx_null_string, 0 }
};


char *
ngx_http_conflict_directive_value_source(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char  *p = conf;

    ngx_str_t                   *value, s;
    ngx_uint_t                   n, header;
    ngx_http_conflict_source_t  *source, **sourcep;

    sourcep = (ngx_http_conflict_source_t **) (p + cmd->offset);

    if (*sourcep != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    source = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_source_t));
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    *sourcep = source;
    value = cf->args->elts;

    for (n = 0; ngx_http_conflict_sources[n].directive.len; n++) {
        if (ngx_strcmp(ngx_http_conflict_sources[n].directive.data,
                       cmd->name.data)
            == 0)
        {
            break;
        }
    }

    s = ngx_http_conflict_sources[n].word;
    header = ngx_http_conflict_sources[n].header;

    if (s.len && ngx_http_conflict_same(&s, &value[1])) {
        return NGX_CONF_OK;
    }

    switch (ngx_http_conflict_directive_value_place(cf, &value[1], header,
                                                    source))
    {

    case NGX_OK:
        return NGX_CONF_OK;

    case NGX_DECLINED:
        break;

    default: /* NGX_ERROR */
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\", it must be %s%V%s"
                       "\"json:/POINTER\"%s", &value[1],
                       s.len ? "\"" : "", &s,
                       s.len ? (header ? "\", " : "\" or ") : "",
                       header ? " or \"header:NAME\", where NAME has only "
                                "letters, digits, \"-\" and \"_\"" : "");

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_conflict_directive_value_place(ngx_conf_t *cf, ngx_str_t *value,
    ngx_uint_t header, ngx_http_conflict_source_t *source)
{
    u_char      ch;
    size_t      i;
    ngx_str_t  *secret;

    if (ngx_strncmp(value->data, "json:", 5) == 0) {
        source->place = NGX_HTTP_CONFLICT_JSON;

        source->pointer = ngx_palloc(cf->pool, sizeof(conflict_pointer_t));
        if (source->pointer == NULL) {
            return NGX_ERROR;
        }

        if (conflict_scan_pointer(source->pointer, (char *) value->data + 5,
                                  value->len - 5)
            != 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid JSON pointer in \"%V\", it must be "
                               "\"json:/NAME\", with at most 16 names, each "
                               "after a \"/\", and at most 256 bytes",
                               value);
            return NGX_ERROR;
        }

        source->name.data = value->data + 5;
        source->name.len = value->len - 5;

        return NGX_OK;
    }

    if (!header || ngx_strncmp(value->data, "header:", 7) != 0) {
        return NGX_DECLINED;
    }

    source->place = NGX_HTTP_CONFLICT_HEADER;
    source->name.len = value->len - 7;
    source->name.data = value->data + 7;

    ngx_strlow(source->name.data, source->name.data, source->name.len);

    for (i = 0; i < source->name.len; i++) {
        ch = source->name.data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
              || ch == '-' || ch == '_'))
        {
            return NGX_DECLINED;
        }
    }

    for (secret = ngx_http_conflict_directive_value_secrets;
         secret->len;
         secret++)
    {
        if (ngx_http_conflict_same(secret, &source->name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid header in \"%V\", its value is a "
                               "secret, and would be in logs and refusals",
                               value);
            return NGX_ERROR;
        }
    }

    return i ? NGX_OK : NGX_DECLINED;
}


char *
ngx_http_conflict_directive_value_latest(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t  *value;

    if (nlcf->latest != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "fetch") == 0) {
        nlcf->latest = NGX_HTTP_CONFLICT_LATEST_FETCH;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        nlcf->latest = NGX_HTTP_CONFLICT_LATEST_OFF;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be \"fetch\" or "
                           "\"off\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (nlcf->latest == NGX_HTTP_CONFLICT_LATEST_OFF
        || ngx_strncmp(value[2].data, "root=", 5) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", \"fetch\" accepts "
                           "\"root=/POINTER\" and \"off\" has no parameters",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    nlcf->root = ngx_palloc(cf->pool, sizeof(conflict_pointer_t));
    if (nlcf->root == NULL) {
        return NGX_CONF_ERROR;
    }

    if (conflict_scan_pointer(nlcf->root, (char *) value[2].data + 5,
                              value[2].len - 5)
        != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON pointer in \"%V\", it must be "
                           "\"root=/NAME\", with at most 16 names, each after "
                           "a \"/\", and at most 256 bytes", &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the limits prevent useless values, and overflows when times are added */

char *
ngx_http_conflict_directive_value_time(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char  *p = conf;

    ngx_str_t   *value;
    ngx_uint_t   lease;
    ngx_msec_t  *msec;

    msec = (ngx_msec_t *) (p + cmd->offset);

    if (*msec != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    lease = (cmd->offset == offsetof(ngx_http_conflict_loc_conf_t, lease));

    return (ngx_http_conflict_directive_value_limited(cf, &value[1], 0,
                                   lease ? NGX_HTTP_CONFLICT_LEASE_MIN : 0,
                                   NGX_HTTP_CONFLICT_TIME_MAX,
                                   lease ? "100ms to 1d" : "0 to 1d", msec)
            == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_conflict_directive_value_limited(ngx_conf_t *cf, ngx_str_t *value,
    size_t skip, ngx_int_t min, ngx_int_t max, const char *limits,
    ngx_msec_t *msec)
{
    if (ngx_http_conflict_directive_value_msec(value, skip, min, max, msec)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid time \"%V\", it must be from %s", value,
                           limits);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_directive_value_msec(ngx_str_t *value, size_t skip,
    ngx_int_t min, ngx_int_t max, ngx_msec_t *msec)
{
    ngx_int_t  n;
    ngx_str_t  s;

    s.data = value->data + skip;
    s.len = value->len - skip;

    n = ngx_parse_time(&s, 0);

    if (n == NGX_ERROR || n < min || n > max) {
        return NGX_DECLINED;
    }

    *msec = n;

    return NGX_OK;
}


ngx_http_complex_value_t *
ngx_http_conflict_directive_value_get(ngx_conf_t *cf, ngx_str_t *value,
    const char *or_else)
{
    ngx_str_t  s;

    s.data = value->data + sizeof("get=") - 1;
    s.len = value->len - (sizeof("get=") - 1);

    if (s.len == 0 || (s.data[0] != '/' && s.data[0] != '$')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid target \"%V\", it must be %sa path that "
                           "begins with \"/\"", value, or_else);
        return NULL;
    }

    return ngx_http_conflict_directive_value_complex(cf, &s);
}


ngx_http_complex_value_t *
ngx_http_conflict_directive_value_complex(ngx_conf_t *cf, ngx_str_t *text)
{
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (cv == NULL) {
        return NULL;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = cv;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? cv : NULL;
}


char *
ngx_http_conflict_directive_value_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char  *p = conf;

    size_t     *size;
    ssize_t     n;
    ngx_str_t  *value;

    size = (size_t *) (p + cmd->offset);

    if (*size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_parse_size(&value[1]);

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\", it must be a size such as "
                           "\"64k\" or \"10m\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    *size = n;

    return NGX_CONF_OK;
}


char *
ngx_http_conflict_directive_value_values(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (nlcf->max_values != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n == 0 || n > NGX_HTTP_CONFLICT_VALUES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number \"%V\", it must be from 1 to "
                           "10000000", &value[1]);
        return NGX_CONF_ERROR;
    }

    nlcf->max_values = n;

    return NGX_CONF_OK;
}


/* as ngx_conf_set_enum_slot(), but lists the valid values */

char *
ngx_http_conflict_directive_value_word(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char  *p = conf;

    ngx_str_t        *value;
    ngx_uint_t        i, *word;
    ngx_conf_enum_t  *e;

    word = (ngx_uint_t *) (p + cmd->offset);

    if (*word != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    e = cmd->post;

    for (i = 0; e[i].name.len; i++) {

        if (e[i].name.len == value[1].len
            && ngx_strcasecmp(e[i].name.data, value[1].data) == 0)
        {
            *word = e[i].value;
            return NGX_CONF_OK;
        }
    }

    /* all of these directives have two values */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\" directive, it must be "
                       "\"%V\" or \"%V\"", &value[1], &cmd->name, &e[0].name,
                       &e[1].name);

    return NGX_CONF_ERROR;
}
