
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The parameters of a request for the status: which form, and what of it.
 */


#include "status/ngx_http_conflict_status.h"


#define NGX_HTTP_CONFLICT_STATUS_ID  32           /* hexadecimal digits */


static ngx_int_t ngx_http_conflict_status_query_form(ngx_http_request_t *r,
    ngx_http_conflict_status_query_t *query, ngx_uint_t own);
static ngx_int_t ngx_http_conflict_status_query_since(
    ngx_http_conflict_status_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_status_query_action(
    ngx_http_conflict_status_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_status_query_limit(
    ngx_http_conflict_status_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_status_query_id(
    ngx_http_conflict_status_query_t *query, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_status_query_arg(ngx_http_request_t *r,
    char *name, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_status_query_wrong(
    ngx_http_conflict_status_query_t *query, const char *name,
    ngx_str_t *value, const char *must);


ngx_str_t  ngx_http_conflict_status_forms[] = {
    ngx_null_string,
    ngx_string("html"),
    ngx_string("json"),
    ngx_string("prometheus"),
    ngx_null_string
};


ngx_int_t
ngx_http_conflict_status_query(ngx_http_request_t *r,
    ngx_http_conflict_status_query_t *query, ngx_uint_t own)
{
    ngx_int_t                      rc;
    ngx_str_t                      value;
    ngx_uint_t                     i;
    ngx_http_conflict_loc_conf_t  *nlcf;

    static struct {
        char       *name;
        ngx_int_t (*set)(ngx_http_conflict_status_query_t *query,
                         ngx_str_t *value);
    } args[] = {
        { "since", ngx_http_conflict_status_query_since },
        { "action", ngx_http_conflict_status_query_action },
        { "limit", ngx_http_conflict_status_query_limit },
        { "id", ngx_http_conflict_status_query_id },
    };

    query->limit = NGX_HTTP_CONFLICT_STATUS_LINES;
    query->since = CONFLICT_TIME_NONE;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);
    query->inbox = nlcf->status_inbox;

    rc = ngx_http_conflict_status_query_form(r, query, own);

    if (rc != NGX_OK
        || query->form == NGX_HTTP_CONFLICT_STATUS_PROMETHEUS
        || (query->form == NGX_HTTP_CONFLICT_STATUS_HTML && !query->badge))
    {
        /* the page reads the other parameters itself */
        return rc;
    }

    for (i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
        rc = ngx_http_conflict_status_query_arg(r, args[i].name, &value);

        if (rc == NGX_OK) {
            rc = args[i].set(query, &value);
        }

        if (rc == NGX_ERROR || rc == NGX_ABORT) {
            return rc;
        }
    }

    rc = ngx_http_conflict_status_query_arg(r, "entity", &query->entity);

    if (rc == NGX_OK && query->entity.len == 0) {
        return ngx_http_conflict_status_query_wrong(query, "entity",
                                                    &query->entity,
                                                    "the name of an entity");
    }

    if (query->form == NGX_HTTP_CONFLICT_STATUS_HTML
        && query->since == CONFLICT_TIME_NONE)
    {
        ngx_str_set(&value, "24h");
        return ngx_http_conflict_status_query_since(query, &value);
    }

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


/* only the page has two formats: it fetches JSON from its own address */

static ngx_int_t
ngx_http_conflict_status_query_form(ngx_http_request_t *r,
    ngx_http_conflict_status_query_t *query, ngx_uint_t own)
{
    ngx_int_t   rc;
    ngx_str_t   value, *form;

    query->form = own;
    form = ngx_http_conflict_status_forms;

    rc = ngx_http_conflict_status_query_arg(r, "format", &value);

    if (rc == NGX_OK) {

        if (own == NGX_HTTP_CONFLICT_STATUS_HTML
            && ngx_strcmp(value.data, "json") == 0)
        {
            query->form = NGX_HTTP_CONFLICT_STATUS_JSON;

        } else if (ngx_strcmp(value.data, form[own].data) != 0) {
            return ngx_http_conflict_status_query_wrong(
                    query, "format", &value,
                    (own == NGX_HTTP_CONFLICT_STATUS_HTML)
                    ? "\"html\" or \"json\" at this address"
                    : (own == NGX_HTTP_CONFLICT_STATUS_JSON)
                      ? "\"json\" at this address"
                      : "\"prometheus\" at this address");
        }

    } else if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    rc = ngx_http_conflict_status_query_arg(r, "view", &value);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (own == NGX_HTTP_CONFLICT_STATUS_PROMETHEUS
        || ngx_strcmp(value.data, "badge") != 0)
    {
        return ngx_http_conflict_status_query_wrong(
                query, "view", &value,
                (own == NGX_HTTP_CONFLICT_STATUS_PROMETHEUS)
                ? "absent at this address" : "\"badge\"");
    }

    query->badge = 1;

    return NGX_OK;
}


/* a date, or how long ago */

static ngx_int_t
ngx_http_conflict_status_query_since(ngx_http_conflict_status_query_t *query,
    ngx_str_t *value)
{
    int        exact;
    time_t     ago;
    ngx_str_t  text;

    text = *value;

    query->since = conflict_time_rfc3339((char *) text.data, text.len, &exact);

    if (query->since != CONFLICT_TIME_NONE) {
        return NGX_OK;
    }

    ago = ngx_parse_time(&text, 1);

    /* a number without a unit would be taken for a date in seconds */

    if (ago == (time_t) NGX_ERROR || text.len == 0
        || text.data[text.len - 1] <= '9' || ago > ngx_time())
    {
        return ngx_http_conflict_status_query_wrong(
                query, "since", value,
                "a date like 2026-11-29T15:00:00Z or a time like 24h");
    }

    query->ago = *value;
    query->since = (int64_t) (ngx_time() - ago) * CONFLICT_TIME_SECOND;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_status_query_action(ngx_http_conflict_status_query_t *query,
    ngx_str_t *value)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    for (i = 1; i <= NGX_HTTP_CONFLICT_ACTIONS; i++) {
        name = ngx_http_conflict_names_action(i);

        if (name->len == value->len
            && ngx_memcmp(name->data, value->data, name->len) == 0)
        {
            query->action = i;
            return NGX_OK;
        }
    }

    return ngx_http_conflict_status_query_wrong(
            query, "action", value,
            "an action of the audit log, like conflict_version");
}


static ngx_int_t
ngx_http_conflict_status_query_limit(ngx_http_conflict_status_query_t *query,
    ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n > NGX_HTTP_CONFLICT_SNAPSHOT_LINES) {
        return ngx_http_conflict_status_query_wrong(
                query, "limit", value, "a number from 0 to 1000");
    }

    query->limit = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_status_query_id(ngx_http_conflict_status_query_t *query,
    ngx_str_t *value)
{
    if (value->len != NGX_HTTP_CONFLICT_STATUS_ID
        || strspn((char *) value->data, "0123456789abcdef") != value->len)
    {
        return ngx_http_conflict_status_query_wrong(
                query, "id", value,
                "a conflict_id, 32 lower-case hexadecimal digits");
    }

    query->id = *value;

    return NGX_OK;
}


/* decoded, with a zero behind it; NGX_DECLINED: none */

static ngx_int_t
ngx_http_conflict_status_query_arg(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    size_t      i;
    u_char     *src, *dst;
    ngx_str_t   arg;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &arg) != NGX_OK) {
        return NGX_DECLINED;
    }

    dst = ngx_pnalloc(r->pool, arg.len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;

    /* a space in a form; in a date it is the sign of the offset */

    if (name[0] != 's') {

        for (i = 0; i < arg.len; i++) {
            dst[i] = (arg.data[i] == '+') ? ' ' : arg.data[i];
        }

    } else {
        ngx_memcpy(dst, arg.data, arg.len);
    }

    src = dst;

    ngx_unescape_uri(&dst, &src, arg.len, 0);

    *dst = '\0';
    value->len = dst - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_status_query_wrong(ngx_http_conflict_status_query_t *query,
    const char *name, ngx_str_t *value, const char *must)
{
    query->wrong = name;
    query->value = *value;
    query->must = must;

    return NGX_ABORT;
}


ngx_uint_t
ngx_http_conflict_status_query_route(ngx_http_conflict_status_query_t *query,
    ngx_http_conflict_route_stats_t *route)
{
    return query->entity.len == 0
           || ngx_http_conflict_stats_name_is(&route->entity, &query->entity);
}
