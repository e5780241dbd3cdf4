
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The setters of conflict, conflict_store and conflict_log.  Each checks all
 * arguments and quotes the invalid one.
 */


#include "config/ngx_http_conflict_conf.h"
#include "redis_client/ngx_http_conflict_redis_client.h"


#define NGX_HTTP_CONFLICT_ZONE_MIN    (8 * ngx_pagesize)

/* milliseconds */
#define NGX_HTTP_CONFLICT_SKEW        (5 * 60 * 1000)
#define NGX_HTTP_CONFLICT_SKEW_MAX    (24 * 3600 * 1000)

#define NGX_HTTP_CONFLICT_HOLD        (7 * 24 * 3600 * 1000)
#define NGX_HTTP_CONFLICT_HOLD_MIN    1000
#define NGX_HTTP_CONFLICT_HOLD_MAX    ((ngx_int_t) 365 * 24 * 3600 * 1000)


static ngx_int_t ngx_http_conflict_directive_policy_parameter(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_directive_policy_edited(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_directive_policy_hold(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_directive_policy_store_name(ngx_conf_t *cf,
    ngx_str_t *name);
static ngx_int_t ngx_http_conflict_directive_policy_store_size(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store, ngx_str_t *value);
static char *ngx_http_conflict_directive_policy_store_zone(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_directive_policy_zone_size(ngx_conf_t *cf,
    ngx_str_t *value, size_t skip, size_t *size);


static ngx_conf_enum_t  ngx_http_conflict_policies[] = {
    { ngx_string("off"), NGX_HTTP_CONFLICT_OFF },
    { ngx_string("lww"), CONFLICT_LWW },
    { ngx_string("client_wins"), CONFLICT_CLIENT_WINS },
    { ngx_string("server_wins"), CONFLICT_SERVER_WINS },
    { ngx_string("version"), CONFLICT_VERSION },
    { ngx_string("merge"), CONFLICT_MERGE },
    { ngx_null_string, 0 }
};


char *
ngx_http_conflict_directive_policy(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t   *value, *skew;
    ngx_uint_t   i;

    if (nlcf->policy != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; ngx_http_conflict_policies[i].name.len; i++) {

        if (ngx_http_conflict_policies[i].name.len == value[1].len
            && ngx_strcasecmp(ngx_http_conflict_policies[i].name.data,
                              value[1].data)
               == 0)
        {
            nlcf->policy = ngx_http_conflict_policies[i].value;
            break;
        }
    }

    if (nlcf->policy == NGX_CONF_UNSET_UINT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid policy \"%V\", it must be \"off\", "
                           "\"lww\", \"client_wins\", \"server_wins\", "
                           "\"version\" or \"merge\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (nlcf->policy == NGX_HTTP_CONFLICT_OFF && cf->args->nelts > 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", \"off\" has no "
                           "parameters", &value[2]);
        return NGX_CONF_ERROR;
    }

    skew = NULL;
    nlcf->report = 0;
    nlcf->skew = NGX_CONF_UNSET_MSEC;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_conflict_directive_policy_parameter(cf, nlcf, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        if (ngx_strncmp(value[i].data, "skew=", 5) == 0) {
            skew = &value[i];
        }
    }

    if (nlcf->hold && nlcf->report) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"hold\" and \"report\" are mutually exclusive, in "
                           "report mode no body is lost");
        return NGX_CONF_ERROR;
    }

    if (skew && nlcf->edited == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "parameter \"%V\" requires \"edited=header:NAME\" "
                           "or \"edited=json:/POINTER\"", skew);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_msec_value(nlcf->skew, NGX_HTTP_CONFLICT_SKEW);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_conflict_directive_policy_parameter(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *value)
{
    ngx_str_t  name;

    if (ngx_strcmp(value->data, "report") == 0 && !nlcf->report) {
        nlcf->report = 1;
        return NGX_OK;
    }

    if (nlcf->policy == CONFLICT_LWW
        && (ngx_strncmp(value->data, "edited=", 7) == 0
            || ngx_strncmp(value->data, "skew=", 5) == 0))
    {
        return ngx_http_conflict_directive_policy_edited(cf, nlcf, value);
    }

    if (ngx_strncmp(value->data, "hold", 4) == 0
        && (value->len == 4 || value->data[4] == '=') && nlcf->hold == 0)
    {
        return ngx_http_conflict_directive_policy_hold(cf, nlcf, value);
    }

    if (ngx_strncmp(value->data, "store=", 6) == 0
        && nlcf->store_name.len == 0)
    {
        name.len = value->len - 6;
        name.data = value->data + 6;

        if (ngx_http_conflict_directive_policy_store_name(cf, &name)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        nlcf->store_name = name;

        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", it must be \"report\", "
                       "\"hold\", \"hold=TIME\" or \"store=NAME\"%s, each at "
                       "most once", value,
                       (nlcf->policy == CONFLICT_LWW)
                       ? ", or \"edited=header:NAME\", "
                         "\"edited=json:/POINTER\" or \"skew=TIME\"" : "");
    return NGX_ERROR;
}


/* where the time of an edit is, and how far it may be ahead */

static ngx_int_t
ngx_http_conflict_directive_policy_edited(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *value)
{
    ngx_int_t  n;
    ngx_str_t  s;

    if (value->data[0] == 's' && nlcf->skew == NGX_CONF_UNSET_MSEC) {
        return ngx_http_conflict_directive_value_limited(cf, value,
                                                   sizeof("skew=") - 1, 0,
                                                   NGX_HTTP_CONFLICT_SKEW_MAX,
                                                   "0 to 1d", &nlcf->skew);
    }

    if (value->data[0] == 's' || nlcf->edited) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "parameter \"%V\" is repeated", value);
        return NGX_ERROR;
    }

    nlcf->edited = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_source_t));
    if (nlcf->edited == NULL) {
        return NGX_ERROR;
    }

    s.data = value->data + sizeof("edited=") - 1;
    s.len = value->len - (sizeof("edited=") - 1);

    n = ngx_http_conflict_directive_value_place(cf, &s, 1, nlcf->edited);

    if (n == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\", it must be "
                           "\"edited=json:/POINTER\" or "
                           "\"edited=header:NAME\", where NAME has only "
                           "letters, digits, \"-\" and \"_\"", value);
        return NGX_ERROR;
    }

    return n;
}


static ngx_int_t
ngx_http_conflict_directive_policy_hold(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *value)
{
    if (value->len == 4) {
        nlcf->hold = NGX_HTTP_CONFLICT_HOLD;
        return NGX_OK;
    }

    return ngx_http_conflict_directive_value_limited(cf, value, 5,
                                                   NGX_HTTP_CONFLICT_HOLD_MIN,
                                                   NGX_HTTP_CONFLICT_HOLD_MAX,
                                                   "1s to 365d", &nlcf->hold);
}


char *
ngx_http_conflict_directive_policy_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_main_conf_t *nmcf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_conflict_store_t   *store, **storep;

    value = cf->args->elts;

    if (ngx_http_conflict_directive_policy_store_name(cf, &value[1])
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    storep = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {

        if (ngx_http_conflict_same(&storep[i]->name, &value[1])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate store \"%V\", it is already declared "
                               "in line %ui", &value[1], storep[i]->line);
            return NGX_CONF_ERROR;
        }
    }

    store = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_store_t));
    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    store->name = value[1];
    store->line = cf->conf_file->line;

    storep = ngx_array_push(&nmcf->stores);
    if (storep == NULL) {
        return NGX_CONF_ERROR;
    }

    *storep = store;

    if (ngx_strncmp(value[2].data, "zone=", 5) == 0) {

        for (i = 3; i < cf->args->nelts; i++) {

            if (ngx_http_conflict_directive_policy_store_size(cf, store,
                                                              &value[i])
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }
        }

        return ngx_http_conflict_directive_policy_store_zone(cf, store,
                                                             &value[2]);
    }

    if (!ngx_http_conflict_redis_url_matches(&value[2])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid store \"%V\", it must be \"zone=SIZE\", "
                           "\"redis://HOST\", \"rediss://HOST\" or "
                           "\"unix:PATH\"",
                           ngx_http_conflict_redis_url_redact(&value[2]));
        return NGX_CONF_ERROR;
    }

    store->ops = &ngx_http_conflict_redis_ops;
    store->data = ngx_http_conflict_redis_conf_add(cf, &value[1], &value[2],
                                                   cf->args->nelts - 2);

    return store->data ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_conflict_directive_policy_store_zone(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store, ngx_str_t *value)
{
    size_t  size;

    if (ngx_http_conflict_directive_policy_zone_size(cf, value, 5, &size)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    store->ops = &ngx_http_conflict_shm_ops;

    if (ngx_http_conflict_shm_zone_add(cf, store, size) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the size of another zone of the store */

static ngx_int_t
ngx_http_conflict_directive_policy_store_size(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store, ngx_str_t *value)
{
    if (store->history_size == 0
        && ngx_strncmp(value->data, "history=", 8) == 0)
    {
        return ngx_http_conflict_directive_policy_zone_size(
                                         cf, value, 8, &store->history_size);
    }

    if (store->blobs_size == 0 && ngx_strncmp(value->data, "blobs=", 6) == 0) {
        return ngx_http_conflict_directive_policy_zone_size(
                                         cf, value, 6, &store->blobs_size);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of store \"%V\", it must be "
                       "\"history=SIZE\" or \"blobs=SIZE\", each at most once",
                       ngx_http_conflict_redis_url_redact(value),
                       &store->name);

    return NGX_ERROR;
}


/* the size after the first "skip" bytes of a parameter */

static ngx_int_t
ngx_http_conflict_directive_policy_zone_size(ngx_conf_t *cf, ngx_str_t *value,
    size_t skip, size_t *size)
{
    ssize_t    n;
    ngx_str_t  s;

    s.len = value->len - skip;
    s.data = value->data + skip;

    n = ngx_parse_size(&s);

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone size \"%V\", it must be a size such "
                           "as \"512k\" or \"10m\"", value);
        return NGX_ERROR;
    }

    if (n < (ssize_t) NGX_HTTP_CONFLICT_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, it must be at least "
                           "%uz bytes", value, NGX_HTTP_CONFLICT_ZONE_MIN);
        return NGX_ERROR;
    }

    *size = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_directive_policy_store_name(ngx_conf_t *cf, ngx_str_t *name)
{
    size_t  i;
    u_char  ch;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '_' || ch == '-'))
        {
            break;
        }
    }

    if (i == name->len && i > 0) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid store name \"%V\", only letters, digits, \"_\" "
                       "and \"-\" are allowed", name);

    return NGX_ERROR;
}


char *
ngx_http_conflict_directive_policy_log(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t                *value;
    ngx_http_conflict_log_t  *log;

    if (nlcf->log != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    log = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_log_t));
    if (log == NULL) {
        return NGX_CONF_ERROR;
    }

    nlcf->log = log;
    value = cf->args->elts;

    if (cf->args->nelts == 3) {

        if (ngx_strcmp(value[2].data, "fields") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", it must be "
                               "\"fields\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        log->fields = 1;
    }

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "syslog:", 7) == 0) {
        log->syslog = ngx_pcalloc(cf->pool, sizeof(ngx_syslog_peer_t));
        if (log->syslog == NULL) {
            return NGX_CONF_ERROR;
        }

        return ngx_syslog_process_conf(cf, log->syslog);
    }

    if (value[1].len == 0 || ngx_strchr(value[1].data, '$')
        || ngx_strncmp(value[1].data, "memory:", 7) == 0
        || ngx_strcmp(value[1].data, "stderr") == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid log \"%V\", it must be a path without "
                           "variables, such as /dev/stderr, \"syslog:...\" "
                           "or \"off\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    return (ngx_http_conflict_audit_file_open(cf, log, &value[1]) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}
