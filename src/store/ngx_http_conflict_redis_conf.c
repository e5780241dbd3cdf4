
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The words of "conflict_store NAME redis://...".  What is wrong is quoted
 * in the error, but never a password.
 */


#include "ngx_http_conflict_redis_node.h"


#define NGX_HTTP_CONFLICT_REDIS_PORT  6379


static ngx_uint_t ngx_http_conflict_redis_repeated(ngx_str_t *value,
    ngx_uint_t i);
static ngx_int_t ngx_http_conflict_redis_url(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *value);
static char *ngx_http_conflict_redis_user(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *text, ngx_str_t *shown);
static char *ngx_http_conflict_redis_addr(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *text);
static ngx_int_t ngx_http_conflict_redis_parameter(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_redis_msec(ngx_msec_t *msec,
    ngx_str_t *text, ngx_msec_t least);
static ngx_int_t ngx_http_conflict_redis_check(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf);


ngx_http_conflict_redis_t *
ngx_http_conflict_redis_add(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *value,
    ngx_uint_t n)
{
    ngx_uint_t                       i;
    ngx_http_conflict_redis_t       *client;
    ngx_http_conflict_redis_conf_t  *conf;

    client = ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_redis_t));
    if (client == NULL) {
        return NULL;
    }

    conf = &client->conf;

    conf->name = *name;
    conf->timeout = 100;
    conf->ttl = (ngx_msec_t) 30 * 24 * 60 * 60 * 1000;
    ngx_str_set(&conf->prefix, "conflict:");

    if (ngx_array_init(&conf->addrs, cf->pool, 1, sizeof(ngx_addr_t))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&conf->hosts, cf->pool, 1, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NULL;
    }

    /* the default port is that of sentinels, where they are asked */

    for (i = 0; i < n; i++) {

        if (ngx_http_conflict_redis_repeated(value, i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%V\" of store \"%V\" is "
                               "duplicate", &value[i], name);
            return NULL;
        }

        if (!ngx_http_conflict_redis_is_url(&value[i])
            && ngx_http_conflict_redis_parameter(cf, conf, &value[i])
               != NGX_OK)
        {
            return NULL;
        }
    }

    for (i = 0; i < n; i++) {

        if (ngx_http_conflict_redis_is_url(&value[i])
            && ngx_http_conflict_redis_url(cf, conf, &value[i]) != NGX_OK)
        {
            return NULL;
        }
    }

    if (ngx_http_conflict_redis_check(cf, conf) != NGX_OK
        || ngx_http_conflict_redis_tls_conf(cf, conf) != NGX_OK)
    {
        return NULL;
    }

    return client;
}


/* the same word, or the same "name=", before */

static ngx_uint_t
ngx_http_conflict_redis_repeated(ngx_str_t *value, ngx_uint_t i)
{
    size_t      len;
    u_char     *p;
    ngx_uint_t  j;

    if (ngx_http_conflict_redis_is_url(&value[i])) {
        return 0;
    }

    p = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=');
    len = p ? (size_t) (p + 1 - value[i].data) : value[i].len;

    for (j = 0; j < i; j++) {

        if ((p ? value[j].len >= len : value[j].len == len)
            && ngx_strncmp(value[j].data, value[i].data, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_http_conflict_redis_conf_t *
ngx_http_conflict_redis_conf(ngx_http_conflict_redis_t *client)
{
    return &client->conf;
}


ngx_uint_t
ngx_http_conflict_redis_is_url(ngx_str_t *value)
{
    return ngx_strncmp(value->data, "redis://", 8) == 0
           || ngx_strncmp(value->data, "rediss://", 9) == 0
           || ngx_strncmp(value->data, "unix:", 5) == 0;
}


/* redis://[user:password@]host[:port][/db], unix:PATH */

static ngx_int_t
ngx_http_conflict_redis_url(ngx_conf_t *cf,
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

        /* a password may have any "@" but that of the host */

        for (at = NULL, p = rest.data; p < rest.data + rest.len; p++) {
            at = (*p == '@') ? p : at;
        }

        if (at) {
            user.data = rest.data;
            user.len = at - rest.data;

            rest.len -= user.len + 1;
            rest.data = at + 1;

            shown = rest;

            err = ngx_http_conflict_redis_user(cf, conf, &user, &shown);
        }

        p = ngx_strlchr(rest.data, rest.data + rest.len, '/');

        if (p && err == NULL && conf->db.len) {
            err = "the database is said twice";

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
        err = ngx_http_conflict_redis_addr(cf, conf, &rest);
    }

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid address \"%V\" of store \"%V\": %s",
                           &shown, &conf->name, err);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_http_conflict_redis_user(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *text, ngx_str_t *shown)
{
    u_char      *dst, *src, *colon;
    ngx_str_t   *part;
    ngx_uint_t   i;

    if (conf->addrs.nelts) {
        return "user and password belong to the first address";
    }

    colon = ngx_strlchr(text->data, text->data + text->len, ':');

    if (colon == NULL) {
        return "it must be user:password@, or :password@";
    }

    conf->user.data = text->data;
    conf->user.len = colon - text->data;
    conf->password.data = colon + 1;
    conf->password.len = text->data + text->len - (colon + 1);

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
ngx_http_conflict_redis_addr(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *text)
{
    u_char      *p;
    ngx_url_t    u;
    ngx_str_t   *host;
    ngx_addr_t  *addr;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *text;
    u.default_port = conf->sentinel.len ? 26379 : NGX_HTTP_CONFLICT_REDIS_PORT;

    /* names are resolved here, at start-up, and not again */

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


static ngx_int_t
ngx_http_conflict_redis_parameter(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *value)
{
    ngx_int_t  n, rc;
    ngx_str_t  s;

    s = *value;
    rc = NGX_OK;

#define ngx_http_conflict_redis_word(word)                                    \
    (value->len >= sizeof(word) - 1                                           \
     && ngx_strncmp(value->data, word, sizeof(word) - 1) == 0                 \
     && (s.data = value->data + sizeof(word) - 1,                             \
         s.len = value->len - (sizeof(word) - 1), 1))

    if (ngx_strcmp(value->data, "cluster") == 0) {
        conf->cluster = 1;

    } else if (ngx_strcmp(value->data, "failover=trust") == 0) {
        conf->trust = 1;

    } else if (ngx_http_conflict_redis_word("timeout=")) {
        rc = ngx_http_conflict_redis_msec(&conf->timeout, &s, 1);

    } else if (ngx_http_conflict_redis_word("ttl=")) {
        rc = ngx_http_conflict_redis_msec(&conf->ttl, &s, 60000);

    } else if (ngx_http_conflict_redis_word("sentinel=")) {
        conf->sentinel = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_word("db=")) {
        conf->db = s;
        rc = (ngx_atoi(s.data, s.len) == NGX_ERROR) ? NGX_ERROR : NGX_OK;

    } else if (ngx_http_conflict_redis_word("wait=")) {
        n = ngx_atoi(s.data, s.len);
        rc = (n == NGX_ERROR || n > 100) ? NGX_ERROR : NGX_OK;
        conf->wait = n;

    } else if (ngx_http_conflict_redis_word("tls_ca=")) {
        conf->tls_ca = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_word("tls_cert=")) {
        conf->tls_cert = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_word("tls_key=")) {
        conf->tls_key = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_word("tls_name=")) {
        conf->tls_name = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_word("prefix=")) {
        conf->prefix = s;

        /* braces are those of the hash tag */

        if (s.len > 128
            || ngx_strlchr(s.data, s.data + s.len, '{')
            || ngx_strlchr(s.data, s.data + s.len, '}'))
        {
            rc = NGX_ERROR;
        }

    } else {
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of store \"%V\"", value,
                           &conf->name);
    }

    return rc;
}


static ngx_int_t
ngx_http_conflict_redis_msec(ngx_msec_t *msec, ngx_str_t *text,
    ngx_msec_t least)
{
    ngx_int_t  n;

    n = ngx_parse_time(text, 0);

    if (n == NGX_ERROR || (ngx_msec_t) n < least) {
        return NGX_ERROR;
    }

    *msec = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_redis_check(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf)
{
    const char  *err;

    err = NULL;

    if (conf->addrs.nelts == 0) {
        err = "has no address";

    } else if (conf->cluster && conf->sentinel.len) {
        err = "cannot be both \"cluster\" and \"sentinel\"";

    } else if (conf->addrs.nelts > 1 && !conf->cluster
               && conf->sentinel.len == 0)
    {
        err = "has several addresses, but neither \"cluster\" nor "
              "\"sentinel=NAME\"";

    } else if (conf->cluster && conf->db.len
               && ngx_atoi(conf->db.data, conf->db.len) != 0)
    {
        err = "has a database, a cluster has none but 0";
    }

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "store \"%V\" %s",
                           &conf->name, err);
        return NGX_ERROR;
    }

    return NGX_OK;
}
