
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The addresses of "conflict_store NAME redis://...".  Errors quote an invalid
 * address, but never a password.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_PORT           6379
#define NGX_HTTP_CONFLICT_REDIS_SENTINEL_PORT  26379


static void ngx_http_conflict_redis_url_authority(ngx_str_t *rest,
    ngx_str_t *shown);
static char *ngx_http_conflict_redis_url_user(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *text);
static char *ngx_http_conflict_redis_url_addr(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *text);


ngx_uint_t
ngx_http_conflict_redis_url_matches(ngx_str_t *value)
{
    return ngx_strncmp(value->data, "redis://", 8) == 0
           || ngx_strncmp(value->data, "rediss://", 9) == 0
           || ngx_strncmp(value->data, "unix:", 5) == 0;
}


/* redis://[user:password@]host[:port][/db], unix:PATH */

ngx_int_t
ngx_http_conflict_redis_url_parse(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *value)
{
    char       *err;
    u_char     *p, *at;
    ngx_str_t   rest, user, shown;
    ngx_uint_t  tls;

    rest = *value;
    shown = *value;
    err = NULL;

    tls = (ngx_strncmp(rest.data, "rediss:", 7) == 0);

    if (conf->addrs.nelts && tls != conf->tls) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "store \"%V\" has addresses both with and "
                           "without TLS", &conf->name);
        return NGX_ERROR;
    }

    conf->tls = tls;

    if (rest.data[0] == 'r') {

        rest.data += tls ? 9 : 8;
        rest.len -= tls ? 9 : 8;

        /* the password ends at the last "@" */

        for (at = NULL, p = rest.data; p < rest.data + rest.len; p++) {
            at = (*p == '@') ? p : at;
        }

        if (at == NULL) {
            /* it may be a password whose "@HOST" is missing */
            ngx_http_conflict_redis_url_authority(&rest, &shown);

        } else {
            user.data = rest.data;
            user.len = at - rest.data;

            rest.len -= user.len + 1;
            rest.data = at + 1;

            /* the rest may be the end of a password that contains an "@" */
            shown = rest;
            ngx_http_conflict_redis_url_authority(&rest, &shown);

            err = ngx_http_conflict_redis_url_user(cf, conf, &user);
        }

        p = ngx_strlchr(rest.data, rest.data + rest.len, '/');

        if (p && err == NULL && conf->db.len) {
            err = "the database is specified twice";

        } else if (p && err == NULL) {
            conf->db.data = p + 1;
            conf->db.len = rest.data + rest.len - (p + 1);
            rest.len = p - rest.data;

            if (conf->db.len
                && ngx_atoi(conf->db.data, conf->db.len) == NGX_ERROR)
            {
                err = "the database is not a number";
            }
        }
    }

    if (err == NULL) {
        err = ngx_http_conflict_redis_url_addr(cf, conf, &rest);
    }

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid address \"%V\" of store \"%V\": %s; it "
                           "must have the form "
                           "\"redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]\", "
                           "the same with \"rediss://\", or \"unix:PATH\"",
                           &shown, &conf->name, err);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* truncates "shown" behind the ":" of "rest", unless a port follows */

static void
ngx_http_conflict_redis_url_authority(ngx_str_t *rest, ngx_str_t *shown)
{
    u_char  *p, *last, *host, *port, *bracket;

    p = rest->data;
    last = rest->data + rest->len;

    if (p < last && *p == '[') {
        bracket = ngx_strlchr(p, last, ']');
        p = bracket ? bracket : p;
    }

    host = p;
    p = ngx_strlchr(p, last, ':');

    if (p) {

        for (port = p + 1; port < last && *port >= '0' && *port <= '9'; port++)
        {
            /* void */
        }

        if (p == host || port - p > 6 || (port < last && *port != '/')) {
            last = p + 1;
        }
    }

    shown->len = last - shown->data;
}


ngx_str_t *
ngx_http_conflict_redis_url_redact(ngx_str_t *value)
{
    size_t  i;

    static ngx_str_t  shown;

    for (i = 0; i < value->len; i++) {

        if (value->data[i] == ':' || value->data[i] == '='
            || value->data[i] == '@')
        {
            i++;
            break;
        }
    }

    shown.data = value->data;
    shown.len = i;

    return &shown;
}


static char *
ngx_http_conflict_redis_url_user(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *text)
{
    u_char      *dst, *src, *colon;
    ngx_str_t   *part;
    ngx_uint_t   i;

    if (conf->addrs.nelts) {
        return "user and password are allowed in the first address only";
    }

    colon = ngx_strlchr(text->data, text->data + text->len, ':');

    if (colon == NULL) {
        return "credentials must be user:password@ or :password@";
    }

    conf->user.data = text->data;
    conf->user.len = colon - text->data;
    conf->password.data = colon + 1;
    conf->password.len = text->data + text->len - (colon + 1);

    for (src = text->data; src < text->data + text->len; src++) {

        if (*src == '%'
            && (text->data + text->len - src < 3
                || ngx_hextoi(src + 1, 2) == NGX_ERROR))
        {
            return "\"%\" in user or password must be written as \"%25\"";
        }
    }

    for (i = 0; i < 2; i++) {
        part = i ? &conf->password : &conf->user;

        src = part->data;
        dst = ngx_pnalloc(cf->pool, part->len + 1);
        if (dst == NULL) {
            return "no memory";
        }

        part->data = dst;
        ngx_unescape_uri(&dst, &src, part->len, 0);
        part->len = dst - part->data;
    }

    return conf->password.len ? NULL : "the password is empty";
}


static char *
ngx_http_conflict_redis_url_addr(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *text)
{
    u_char      *p;
    ngx_url_t    u;
    ngx_str_t   *host;
    ngx_addr_t  *addr;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *text;
    u.default_port = conf->sentinel.len ? NGX_HTTP_CONFLICT_REDIS_SENTINEL_PORT
                                        : NGX_HTTP_CONFLICT_REDIS_PORT;

    /* names are resolved at start only */

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return u.err ? u.err : "cannot be parsed";
    }

    if (u.naddrs == 0) {
        return "no address";
    }

    if (u.host.len && u.host.data[0] == '[') {
        u.host.data++;
        u.host.len -= 2;
    }

    host = ngx_array_push(&conf->hosts);
    if (host == NULL) {
        return "no memory";
    }

    p = ngx_pnalloc(cf->pool, u.host.len + 1);
    if (p == NULL) {
        return "no memory";
    }

    host->data = p;
    host->len = u.host.len;
    (void) ngx_cpystrn(p, u.host.data, u.host.len + 1);

    addr = ngx_array_push(&conf->addrs);
    if (addr == NULL) {
        return "no memory";
    }

    *addr = u.addrs[0];

    return NULL;
}
