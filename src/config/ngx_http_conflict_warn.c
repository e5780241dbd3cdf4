
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Warnings at start of directives that have no effect, or not the one that they
 * seem to have.
 */


#include "config/ngx_http_conflict_conf.h"


static ngx_uint_t ngx_http_conflict_warn_variable(ngx_str_t *text,
    ngx_str_t *name);
static void ngx_http_conflict_warn_held(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *held);
static void ngx_http_conflict_warn_path(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *route,
    ngx_str_t *path, ngx_uint_t inbox);
static ngx_uint_t ngx_http_conflict_warn_path_found(ngx_array_t *routes,
    ngx_str_t *server, ngx_str_t *path, ngx_uint_t inbox);


const char *
ngx_http_conflict_warn_needs(ngx_http_conflict_loc_conf_t *conf)
{
    ngx_uint_t  i;

    const struct {
        ngx_uint_t   set;
        const char  *name;
    } directives[] = {
        { conf->require == 1, "conflict_require" },
        { conf->key != NULL, "conflict_key" },
        { conf->methods != NULL, "conflict_methods" },
        { conf->base != NGX_CONF_UNSET_PTR, "conflict_base" },
        { conf->version != NGX_CONF_UNSET_PTR, "conflict_version" },
        { (conf->inject != NGX_CONF_UNSET_PTR
           && conf->inject->place != NGX_HTTP_CONFLICT_DEFAULT)
          || (conf->list != NGX_CONF_UNSET_PTR && conf->list != NULL),
          "conflict_inject" },
        { conf->history != NGX_CONF_UNSET_UINT, "conflict_history" },
        { (conf->put != NGX_CONF_UNSET_UINT
           && conf->put != CONFLICT_FORM_WHOLE)
          || (conf->patch != NGX_CONF_UNSET_UINT
              && conf->patch != CONFLICT_FORM_WHOLE),
          "conflict_partial" },
        { conf->strip == 1, "conflict_strip_base" },
        { conf->quarantine != NGX_CONF_UNSET_MSEC, "conflict_quarantine" }
    };

    for (i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {

        if (directives[i].set) {
            return directives[i].name;
        }
    }

    return NULL;
}


void
ngx_http_conflict_warn_history(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->name.len == 0 || clcf->noname || clcf->locations
        || conf->policy == NGX_HTTP_CONFLICT_OFF
        || conf->policy == CONFLICT_MERGE || conf->notes
        || ngx_http_conflict_conf_endpoint(conf) || conf->status)
    {
        return;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "\"conflict_history\" in location \"%V\" keeps nothing "
                       "without \"conflict merge\" or its parameter "
                       "\"versions\"", &conf->name);
}


void
ngx_http_conflict_warn_guarded(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_uint_t  i;

    /* what two requests for one resource may differ in */

    static ngx_str_t  differ[] = {
        ngx_string("request_uri"),
        ngx_string("request_method"),
        ngx_string("request_id"),
        ngx_string("remote_addr"),
        ngx_null_string
    };

    if (conf->named != conf) {
        return;
    }

    for (i = 0; conf->key && differ[i].len; i++) {

        if (ngx_http_conflict_warn_variable(&conf->key->value, &differ[i])) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"conflict_key %V\" in location \"%V\" is "
                               "unsafe, \"$%V\" may differ in two requests for "
                               "one resource, which do not conflict then; use "
                               "$uri", &conf->key->value, &conf->name,
                               &differ[i]);
        }
    }

    if (conf->edited && conf->edited->place == conf->base->place
        && ngx_http_conflict_same_name(&conf->edited->name, &conf->base->name))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"conflict lww edited=%s%V\" in location \"%V\" "
                           "takes the base version for the time of the edit, "
                           "it is that of \"conflict_base\"",
                           conf->edited->place == NGX_HTTP_CONFLICT_JSON
                           ? "json:" : "header:",
                           &conf->edited->name, &conf->name);
    }
}


/* 1 if the text has the variable, as $name or ${name} */

static ngx_uint_t
ngx_http_conflict_warn_variable(ngx_str_t *text, ngx_str_t *name)
{
    u_char      *p, *last, ch;
    ngx_uint_t   brace;

    last = text->data + text->len;

    for (p = text->data; p < last; p++) {

        if (*p != '$') {
            continue;
        }

        brace = (p + 1 < last && p[1] == '{');
        p += brace;

        if ((size_t) (last - p - 1) < name->len
            || ngx_strncasecmp(p + 1, name->data, name->len) != 0)
        {
            continue;
        }

        p += name->len;
        ch = (p + 1 < last) ? p[1] : '/';

        if (brace ? ch == '}'
                  : !((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
                      || (ch >= '0' && ch <= '9') || ch == '_'))
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_conflict_warn_unused(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf)
{
    u_char                         *args;
    ngx_str_t                       path;
    ngx_uint_t                      i;
    ngx_http_conflict_route_t      *route;
    ngx_http_conflict_loc_conf_t   *conf;

    route = nmcf->statuses.elts;

    for (i = 0; i < nmcf->statuses.nelts; i++) {

        if (route[i].conf->named == route[i].conf) {
            ngx_http_conflict_warn_path(cf, nmcf, &route[i],
                                        &route[i].conf->status_inbox, 1);
        }
    }

    route = nmcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {
        conf = route[i].conf;

        if (route[i].endpoint || conf->named != conf) {
            continue;
        }

        if (conf->hold && conf->store->ops == &ngx_http_conflict_shm_ops) {
            ngx_http_conflict_warn_held(cf, nmcf, &route[i]);
        }

        if (conf->policy != CONFLICT_MERGE || conf->resolver == NULL
            || conf->resolver->uri->lengths)
        {
            continue;
        }

        path = conf->resolver->uri->value;
        args = ngx_strlchr(path.data, path.data + path.len, '?');

        if (args) {
            path.len = args - path.data;
        }

        ngx_http_conflict_warn_path(cf, nmcf, &route[i], &path, 0);
    }
}


/* those in Redis may be shown by another host */

static void
ngx_http_conflict_warn_held(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *held)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *route;

    route = nmcf->unguarded.elts;

    for (i = 0; i < nmcf->unguarded.nelts; i++) {

        if (route[i].conf->inbox && route[i].store == held->store) {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"conflict ... hold\" in location \"%V\" keeps bodies that "
                  "nobody sees: no location with \"conflict_inbox\" has its "
                  "store, \"%V\"", &held->location, &held->store->name);
}


static void
ngx_http_conflict_warn_path(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *route,
    ngx_str_t *path, ngx_uint_t inbox)
{
    if (ngx_http_conflict_warn_path_found(&nmcf->routes, &route->server, path,
                                          inbox)
        || ngx_http_conflict_warn_path_found(&nmcf->unguarded, &route->server,
                                             path, inbox))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"%s %V\" in location \"%V\": no location of this server "
                  "%shas this path",
                  inbox ? "conflict_status_inbox" : "conflict_resolver", path,
                  &route->location, inbox ? "with \"conflict_inbox\" " : "");
}


static ngx_uint_t
ngx_http_conflict_warn_path_found(ngx_array_t *routes, ngx_str_t *server,
    ngx_str_t *path, ngx_uint_t inbox)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *route;

    route = routes->elts;

    for (i = 0; i < routes->nelts; i++) {

        if (!(inbox && !route[i].conf->inbox)
            && ngx_http_conflict_route_has(&route[i], server, path))
        {
            return 1;
        }
    }

    return 0;
}
