
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Locations as they are compared with the next configuration: the meaning of
 * their keys, and which of them may get the same requests.
 */


#include "config/ngx_http_conflict_conf.h"


static void ngx_http_conflict_route_warn_idle(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *endpoint,
    const char *name, const char *verb, const char *needs);
static ngx_uint_t ngx_http_conflict_route_uses(ngx_array_t *routes,
    ngx_http_conflict_store_t *store);
static ngx_http_conflict_route_t *ngx_http_conflict_route_place(ngx_conf_t *cf,
    ngx_array_t *routes, ngx_http_conflict_loc_conf_t *conf);
static ngx_int_t ngx_http_conflict_route_meaning(ngx_conf_t *cf,
    ngx_http_conflict_route_t *route, ngx_http_conflict_loc_conf_t *conf);
static u_char *ngx_http_conflict_route_field(u_char *p, ngx_str_t *text);
static void ngx_http_conflict_route_prefix(ngx_http_conflict_route_t *route);
static ngx_uint_t ngx_http_conflict_route_guards(
    ngx_http_conflict_route_t *route, ngx_http_conflict_route_t *place,
    ngx_http_conflict_main_conf_t *mcf);
static ngx_uint_t ngx_http_conflict_route_covers(ngx_http_conflict_route_t *a,
    ngx_http_conflict_route_t *b);
static ngx_uint_t ngx_http_conflict_route_meet(ngx_http_conflict_route_t *a,
    ngx_http_conflict_route_t *b);
static ngx_uint_t ngx_http_conflict_route_overlaps(ngx_http_conflict_route_t *a,
    ngx_http_conflict_route_t *b, ngx_http_conflict_main_conf_t *mcf);
static ngx_uint_t ngx_http_conflict_route_longer(ngx_array_t *routes,
    ngx_http_conflict_route_t *a, ngx_http_conflict_route_t *b);


#define ngx_http_conflict_route_same_place(a, b)                              \
    ((a)->exact == (b)->exact                                                 \
     && ngx_http_conflict_same(&(a)->server, &(b)->server)                    \
     && ngx_http_conflict_same(&(a)->location, &(b)->location))

/* the URIs of a named location are not known */

#define ngx_http_conflict_route_named(route)                                  \
    ((route)->location.len && (route)->location.data[0] == '@')


ngx_int_t
ngx_http_conflict_route_add(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *conf)
{
    ngx_http_conflict_route_t  *route;

    route = ngx_http_conflict_route_place(cf, &nmcf->routes, conf);
    if (route == NULL) {
        return NGX_ERROR;
    }

    route->quarantine = conf->quarantine;
    route->endpoint = ngx_http_conflict_conf_endpoint(conf);

    return ngx_http_conflict_route_meaning(cf, route, conf);
}


ngx_int_t
ngx_http_conflict_route_add_unguarded(ngx_conf_t *cf,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_http_conflict_route_t      *route;
    ngx_http_conflict_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    route = ngx_http_conflict_route_place(cf, conf->status ? &nmcf->statuses
                                                           : &nmcf->unguarded,
                                          conf);
    if (route == NULL) {
        return NGX_ERROR;
    }

    route->writes = ngx_http_conflict_location_leads(cf);

    return NGX_OK;
}


void
ngx_http_conflict_route_warn(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf)
{
    ngx_uint_t                     i;
    ngx_http_conflict_route_t     *route;
    ngx_http_conflict_store_t    **store;
    ngx_http_conflict_loc_conf_t  *conf;

    route = nmcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {
        conf = route[i].conf;

        if (conf->lock) {
            ngx_http_conflict_route_warn_idle(cf, nmcf, &route[i], "lock",
                                              "locks", "conflict");

        } else if (conf->events) {
            ngx_http_conflict_route_warn_idle(cf, nmcf, &route[i], "events",
                                              "can tell", "conflict");

        } else if (conf->versions) {
            ngx_http_conflict_route_warn_idle(cf, nmcf, &route[i], "versions",
                                              "will have",
                                              "conflict_history ... versions");
        }
    }

    route = nmcf->unguarded.elts;

    for (i = 0; i < nmcf->unguarded.nelts; i++) {
        conf = route[i].conf;

        /* with "all", the bodies may be those of other hosts */

        if (conf->inbox && !conf->inbox_all) {
            ngx_http_conflict_route_warn_idle(cf, nmcf, &route[i], "inbox",
                                              "will have", "conflict ... hold");
        }
    }

    store = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {

        if (!ngx_http_conflict_route_uses(&nmcf->routes, store[i])
            && !ngx_http_conflict_route_uses(&nmcf->unguarded, store[i]))
        {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"conflict_store %V\" is used by no location, "
                          "name it as in \"conflict version store=%V\"",
                          &store[i]->name, &store[i]->name);
        }
    }
}


static ngx_uint_t
ngx_http_conflict_route_uses(ngx_array_t *routes,
    ngx_http_conflict_store_t *store)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *route;

    route = routes->elts;

    for (i = 0; i < routes->nelts; i++) {

        if (route[i].store == store) {
            return 1;
        }
    }

    return 0;
}


/* an endpoint of a store that no location on this host uses */

static void
ngx_http_conflict_route_warn_idle(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *endpoint,
    const char *name, const char *verb, const char *needs)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *route;

    route = nmcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        if (!route[i].endpoint && route[i].store == endpoint->store
            && (!endpoint->conf->inbox || route[i].conf->hold)
            && (!endpoint->conf->versions || route[i].conf->bodies))
        {
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"conflict_%s\" in location \"%V\" %s nothing: no location "
                  "with \"%s\" has its store, \"%V\"",
                  name, &endpoint->location, verb, needs,
                  &endpoint->store->name);
}


static ngx_http_conflict_route_t *
ngx_http_conflict_route_place(ngx_conf_t *cf, ngx_array_t *routes,
    ngx_http_conflict_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_core_srv_conf_t   *cscf;
    ngx_http_conflict_route_t  *route;

    route = ngx_array_push(routes);
    if (route == NULL) {
        return NULL;
    }

    ngx_memzero(route, sizeof(ngx_http_conflict_route_t));

    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    route->conf = conf;
    route->store = conf->store;
    route->server = cscf->server_name;
    route->location = conf->name;
    route->prefix = conf->name;
    route->exact = clcf->exact_match;
    route->noregex = (clcf->exact_match || clcf->noregex);

#if (NGX_PCRE)
    if (clcf->regex) {
        route->regex = 1;
        ngx_http_conflict_route_prefix(route);
    }
#endif

    return route;
}


/* all that determines the meaning of keys and versions, as one text */

static ngx_int_t
ngx_http_conflict_route_meaning(ngx_conf_t *cf,
    ngx_http_conflict_route_t *route, ngx_http_conflict_loc_conf_t *conf)
{
    size_t                       len;
    u_char                      *p;
    ngx_str_t                    key, level, *identity, *method;
    ngx_uint_t                   i, levels;
    conflict_pointer_t          *pointer;
    ngx_http_conflict_source_t  *version;

    identity = ngx_http_conflict_route_store_identity(cf->pool, conf->store);
    if (identity == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&key);

    if (conf->key) {
        key = conf->key->value;
    }

    version = conf->version;
    pointer = version->pointer;
    levels = pointer ? pointer->levels : 0;

    len = (6 + levels) * (NGX_SIZE_T_LEN + 1) + 3 * (NGX_INT_T_LEN + 1)
          + identity->len + conf->store->name.len + route->server.len
          + key.len + version->name.len;

    for (i = 0; i < levels; i++) {
        len += pointer->len[i];
    }

    method = conf->methods->elts;

    for (i = 0; i < conf->methods->nelts; i++) {
        len += NGX_SIZE_T_LEN + 1 + method[i].len;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    route->meaning.data = p;

    p = ngx_http_conflict_route_field(p, identity);
    p = ngx_http_conflict_route_field(p, &conf->store->name);
    p = ngx_http_conflict_route_field(p, &route->server);
    p = ngx_http_conflict_route_field(p, &key);

    if (!ngx_http_conflict_conf_endpoint(conf)) {
        /* an endpoint writes nothing, and only shows versions */

        for (i = 0; i < conf->methods->nelts; i++) {
            p = ngx_http_conflict_route_field(p, &method[i]);
        }

        p = ngx_sprintf(p, "%ui,", (ngx_uint_t) version->place);
        p = ngx_http_conflict_route_field(p, &version->name);

        for (i = 0; i < levels; i++) {
            level.data = &pointer->text[pointer->name[i]];
            level.len = pointer->len[i];
            p = ngx_http_conflict_route_field(p, &level);
        }
    }

    route->meaning.len = p - route->meaning.data;

    return NGX_OK;
}


ngx_str_t *
ngx_http_conflict_route_store_identity(ngx_pool_t *pool,
    ngx_http_conflict_store_t *store)
{
    ngx_str_t  *identity;

    if (store->identity.len) {
        return &store->identity;
    }

    if (store->ops == &ngx_http_conflict_shm_ops) {
        /* ngx_http_conflict_shm_zone.c detects a zone of another size */
        ngx_str_set(&store->identity, "zone");
        return &store->identity;
    }

    identity = ngx_http_conflict_redis_move_identity(pool, store);

    if (identity) {
        store->identity = *identity;
    }

    return identity;
}


/* prefixed with its length, so that the result is unambiguous */

static u_char *
ngx_http_conflict_route_field(u_char *p, ngx_str_t *text)
{
    return ngx_sprintf(p, "%uz:%V", text->len, text);
}


/* the prefix of all URIs that a regular expression matches */

static void
ngx_http_conflict_route_prefix(ngx_http_conflict_route_t *route)
{
    size_t   i;
    u_char  *p;

    p = route->location.data;
    route->prefix.len = 0;

    if (route->location.len == 0 || p[0] != '^'
        || ngx_strlchr(p, p + route->location.len, '|'))
    {
        return;
    }

    route->prefix.data = p + 1;

    for (i = 1; i < route->location.len; i++) {

        if (ngx_strchr("*?{", p[i])) {
            /* the character before is optional */
            route->prefix.len -= (i > 1);
            return;
        }

        if (ngx_strchr("\\[(.+$^", p[i])) {
            return;
        }

        route->prefix.len++;
    }
}


ngx_uint_t
ngx_http_conflict_route_same(ngx_http_conflict_route_t *a,
    ngx_http_conflict_route_t *b)
{
    return a->endpoint == b->endpoint
           && ngx_http_conflict_route_same_place(a, b)
           && ngx_http_conflict_same(&a->meaning, &b->meaning);
}


ngx_http_conflict_route_t *
ngx_http_conflict_route_find(ngx_array_t *routes,
    ngx_http_conflict_route_t *route)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *r;

    r = routes->elts;

    for (i = 0; i < routes->nelts; i++) {

        if (ngx_http_conflict_route_same_place(&r[i], route)) {
            return &r[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_conflict_route_guarded(ngx_http_conflict_route_t *place,
    ngx_http_conflict_main_conf_t *mcf)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *route;

    route = mcf->routes.elts;

    for (i = 0; i < mcf->routes.nelts; i++) {

        if (ngx_http_conflict_route_guards(&route[i], place, mcf)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_conflict_route_guards(ngx_http_conflict_route_t *route,
    ngx_http_conflict_route_t *place, ngx_http_conflict_main_conf_t *mcf)
{
    if (route->endpoint) {
        return 0;
    }

    if (ngx_http_conflict_route_same_place(route, place)) {
        return 1;
    }

    return ngx_http_conflict_same(&route->server, &place->server)
           && ngx_http_conflict_route_overlaps(place, route, mcf)
           && ngx_http_conflict_route_find(&mcf->unguarded, place) == NULL;
}


ngx_uint_t
ngx_http_conflict_route_returns(ngx_http_conflict_route_t *route,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *left,
    ngx_http_conflict_main_conf_t *omcf)
{
    if (ngx_http_conflict_route_guards(route, left, nmcf)) {
        return 1;
    }

    if (route->endpoint
        || !ngx_http_conflict_same(&route->server, &left->server))
    {
        return 0;
    }

    /* a new one may have a part of these requests */

    return (ngx_http_conflict_route_named(route)
            || ngx_http_conflict_route_named(left)
            || ngx_http_conflict_route_meet(route, left))
           && ngx_http_conflict_route_find(&omcf->routes, route) == NULL;
}


ngx_uint_t
ngx_http_conflict_route_moved(ngx_http_conflict_route_t *route,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_route_t *old,
    ngx_http_conflict_main_conf_t *omcf)
{
    ngx_uint_t  server, location;

    if (route->endpoint != old->endpoint
        || !(route->unmatched || old->unmatched)
        || ngx_http_conflict_same(&route->meaning, &old->meaning))
    {
        return 0;
    }

    server = ngx_http_conflict_same(&route->server, &old->server);
    location = ngx_http_conflict_same(&route->location, &old->location);

    if (server && location) {
        return 1;
    }

    if (route->unmatched && old->unmatched) {
        /* the old one may have been renamed */
        return server || location;
    }

    if (!server) {
        return 0;
    }

    return route->unmatched
           ? ngx_http_conflict_route_overlaps(route, old, omcf)
           : ngx_http_conflict_route_overlaps(old, route, nmcf);
}


/*
 * 1 if requests of "a", which only one configuration has, may be requests of
 * "b" in the other configuration, "mcf".
 */

static ngx_uint_t
ngx_http_conflict_route_overlaps(ngx_http_conflict_route_t *a,
    ngx_http_conflict_route_t *b, ngx_http_conflict_main_conf_t *mcf)
{
    if (a->regex || b->regex) {

        /* a regex takes precedence, except over "=" and "^~" */

        if ((b->regex && !a->regex && !a->noregex)
            || (a->regex && !b->regex && b->noregex))
        {
            return 0;
        }

        return ngx_http_conflict_route_meet(a, b);
    }

    return ngx_http_conflict_route_covers(b, a)
           && !ngx_http_conflict_route_longer(&mcf->routes, a, b)
           && !ngx_http_conflict_route_longer(&mcf->unguarded, a, b);
}


ngx_uint_t
ngx_http_conflict_route_has(ngx_http_conflict_route_t *route,
    ngx_str_t *server, ngx_str_t *path)
{
    ngx_http_conflict_route_t  target;

    if (route->location.len == 0
        || !ngx_http_conflict_same(&route->server, server))
    {
        return 0;
    }

    ngx_memzero(&target, sizeof(ngx_http_conflict_route_t));
    target.prefix = *path;

    return route->regex ? ngx_http_conflict_route_meet(route, &target)
                        : ngx_http_conflict_route_covers(route, &target);
}


/* 1 if an URI may have both prefixes */

static ngx_uint_t
ngx_http_conflict_route_meet(ngx_http_conflict_route_t *a,
    ngx_http_conflict_route_t *b)
{
    return ngx_strncasecmp(a->prefix.data, b->prefix.data,
                           ngx_min(a->prefix.len, b->prefix.len))
           == 0;
}


/* 1 if a location with a longer prefix than "b" has all requests of "a" */

static ngx_uint_t
ngx_http_conflict_route_longer(ngx_array_t *routes,
    ngx_http_conflict_route_t *a, ngx_http_conflict_route_t *b)
{
    ngx_uint_t                  i;
    ngx_http_conflict_route_t  *c;

    c = routes->elts;

    for (i = 0; i < routes->nelts; i++) {

        if (!c[i].regex && c[i].prefix.len > b->prefix.len
            && ngx_http_conflict_same(&c[i].server, &a->server)
            && ngx_http_conflict_route_covers(&c[i], a))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_conflict_route_covers(ngx_http_conflict_route_t *a,
    ngx_http_conflict_route_t *b)
{
    return (a->exact ? a->prefix.len == b->prefix.len
                     : a->prefix.len <= b->prefix.len)
           && ngx_strncmp(a->prefix.data, b->prefix.data, a->prefix.len) == 0;
}
