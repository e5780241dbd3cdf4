
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_inject: the member of a document, or with "*" of each item of a
 * list, and the path of an item.
 */


#include "config/ngx_http_conflict_conf.h"


#define NGX_HTTP_CONFLICT_LIST_EXAMPLE                                        \
    "\"conflict_inject json:/data/*/version item=/api/notes/$conflict_item\""


static ngx_str_t  ngx_http_conflict_list_item = ngx_string("conflict_item");


static ngx_uint_t ngx_http_conflict_directive_list_starred(ngx_str_t *value);
static ngx_int_t ngx_http_conflict_directive_list_parameter(ngx_conf_t *cf,
    ngx_http_conflict_list_conf_t *list, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_directive_list_item(ngx_conf_t *cf,
    ngx_http_conflict_list_conf_t *list, ngx_str_t *value);
static u_char *ngx_http_conflict_directive_list_find(u_char *p, u_char *last,
    u_char **end);
static ngx_http_complex_value_t *ngx_http_conflict_directive_list_compile(
    ngx_conf_t *cf, u_char *data, size_t len);
static ngx_int_t ngx_http_conflict_directive_list_route(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *route);
static ngx_uint_t ngx_http_conflict_directive_list_covers(
    ngx_http_conflict_route_t *route, ngx_str_t *text);


char *
ngx_http_conflict_directive_list(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_conflict_list_conf_t  *list;

    value = cf->args->elts;

    if (!ngx_http_conflict_directive_list_starred(&value[1])) {

        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", \"%V\" has no \"*\" "
                               "that stands for the items of a list, as in "
                               NGX_HTTP_CONFLICT_LIST_EXAMPLE,
                               &value[2], &value[1]);
            return NGX_CONF_ERROR;
        }

        if (ngx_strcmp(value[1].data, "off") == 0) {

            if (nlcf->list != NGX_CONF_UNSET_PTR) {
                return "is duplicate";
            }

            nlcf->list = NULL;
        }

        return ngx_http_conflict_directive_value_source(cf, cmd, conf);
    }

    if (nlcf->list != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    list = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_list_conf_t));
    if (list == NULL) {
        return NGX_CONF_ERROR;
    }

    nlcf->list = list;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    list->exact = clcf->exact_match;

    if (conflict_items_pointer(&list->path, (char *) value[1].data + 5,
                               value[1].len - 5)
        != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid JSON pointer in \"%V\", it must be "
                           "\"json:/LIST/*/NAME\", with one \"*\", at most 16 "
                           "names before and behind it, and at most 256 bytes",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_conflict_directive_list_parameter(cf, list, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (list->prefix == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" requires the path of an item, as in "
                           NGX_HTTP_CONFLICT_LIST_EXAMPLE, &value[1]);
        return NGX_CONF_ERROR;
    }

    if (list->path.id.levels == 0) {
        (void) conflict_scan_pointer(&list->path.id, "/id", 3);
    }

    if (conflict_scan_pointer_within(&list->path.id, &list->path.member)
        || conflict_scan_pointer_within(&list->path.member, &list->path.id))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" replaces the id of the items", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_conflict_directive_list_starred(ngx_str_t *value)
{
    size_t  i;

    if (ngx_strncmp(value->data, "json:", 5) != 0) {
        return 0;
    }

    for (i = 5; i + 1 < value->len; i++) {

        if (value->data[i] == '/' && value->data[i + 1] == '*'
            && (i + 2 == value->len || value->data[i + 2] == '/'))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_conflict_directive_list_parameter(ngx_conf_t *cf,
    ngx_http_conflict_list_conf_t *list, ngx_str_t *value)
{
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "item=", 5) == 0 && list->prefix == NULL) {
        s.data = value->data + 5;
        s.len = value->len - 5;

        return ngx_http_conflict_directive_list_item(cf, list, &s);
    }

    if (ngx_strncmp(value->data, "id=json:", 8) == 0
        && list->path.id.levels == 0)
    {
        if (conflict_scan_pointer(&list->path.id, (char *) value->data + 8,
                                  value->len - 8)
            == 0)
        {
            return NGX_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\", it must be \"item=PATH\" or "
                       "\"id=json:/POINTER\", each at most once", value);

    return NGX_ERROR;
}


/* what is before and behind $conflict_item, which is no variable of nginx */

static ngx_int_t
ngx_http_conflict_directive_list_item(ngx_conf_t *cf,
    ngx_http_conflict_list_conf_t *list, ngx_str_t *value)
{
    u_char  *p, *end, *last, *rest;

    last = value->data + value->len;

    p = ngx_http_conflict_directive_list_find(value->data, last, &end);

    if (p == NULL
        || ngx_http_conflict_directive_list_find(end, last, &rest) != NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid path \"item=%V\", it must have "
                           "\"$conflict_item\" once, in the place of the id of "
                           "an item, as in " NGX_HTTP_CONFLICT_LIST_EXAMPLE,
                           value);
        return NGX_ERROR;
    }

    list->item = *value;

    list->prefix = ngx_http_conflict_directive_list_compile(cf, value->data,
                                                            p - value->data);
    list->suffix = ngx_http_conflict_directive_list_compile(cf, end,
                                                            last - end);

    return (list->prefix && list->suffix) ? NGX_OK : NGX_ERROR;
}


/* "$conflict_item" or "${conflict_item}", up to *end */

static u_char *
ngx_http_conflict_directive_list_find(u_char *p, u_char *last, u_char **end)
{
    u_char      *name, ch;
    ngx_str_t   *item;
    ngx_uint_t   brace;

    item = &ngx_http_conflict_list_item;

    for ( /* void */ ; p < last; p++) {

        if (*p != '$') {
            continue;
        }

        brace = (p + 1 < last && p[1] == '{');
        name = p + 1 + brace;

        if ((size_t) (last - name) < item->len + brace
            || ngx_strncasecmp(name, item->data, item->len) != 0)
        {
            continue;
        }

        *end = name + item->len;

        if (brace) {

            if (**end != '}') {
                continue;
            }

            (*end)++;
            return p;
        }

        ch = (*end < last) ? **end : '/';

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '_'))
        {
            return p;
        }
    }

    return NULL;
}


static ngx_http_complex_value_t *
ngx_http_conflict_directive_list_compile(ngx_conf_t *cf, u_char *data,
    size_t len)
{
    ngx_str_t  text;

    text.data = data;
    text.len = len;

    return ngx_http_conflict_directive_value_complex(cf, &text);
}


ngx_int_t
ngx_http_conflict_directive_list_check(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *route;

    route = nmcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        if (!route[i].endpoint && route[i].conf->list
            && ngx_http_conflict_directive_list_route(cf, nmcf, &route[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * A location of the items has to exist.  Which one serves them depends on
 * regular expressions and rewrites, so it is enough if one can.
 */

static ngx_int_t
ngx_http_conflict_directive_list_route(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *route)
{
    u_char                         *p;
    ngx_str_t                       text;
    ngx_uint_t                      i, found;
    ngx_http_conflict_route_t      *other;
    ngx_http_conflict_list_conf_t  *list;

    list = route->conf->list;
    found = 0;

    /* what is known of the path */

    text = list->item;
    p = ngx_strlchr(text.data, text.data + text.len, '$');
    text.len = p - text.data;

    other = nmcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        if (other[i].endpoint
            || !ngx_http_conflict_same(&other[i].server, &route->server)
            || (other[i].conf->key == NULL
                && !ngx_http_conflict_directive_list_covers(&other[i], &text)))
        {
            continue;
        }

        found = 1;

        if (other[i].store == route->store
            && ngx_http_conflict_conf_minted(other[i].conf))
        {
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"conflict_inject\" in location \"%V\": no guarded location "
                  "of this server %s \"item=%V\"", &route->conf->name,
                  found ? "with the same store and with \"conflict_version "
                          "counter\" has" : "has", &list->item);

    return NGX_ERROR;
}


/* 1 if a path that begins with the text can belong to the location */

static ngx_uint_t
ngx_http_conflict_directive_list_covers(ngx_http_conflict_route_t *route,
    ngx_str_t *text)
{
    size_t  len;

    if (route->exact && route->prefix.len < text->len) {
        return 0;
    }

    len = ngx_min(route->prefix.len, text->len);

    return ngx_strncmp(route->prefix.data, text->data, len) == 0;
}
