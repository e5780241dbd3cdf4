
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The parameters of "conflict_store NAME redis://...", except addresses.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


/* milliseconds, at most */
#define NGX_HTTP_CONFLICT_REDIS_TIMEOUT  (60 * 60 * 1000)
#define NGX_HTTP_CONFLICT_REDIS_TTL      ((ngx_msec_t) 3650 * 24 * 3600 * 1000)


static ngx_uint_t ngx_http_conflict_redis_conf_repeated(ngx_str_t *value,
    ngx_uint_t i);
static ngx_int_t ngx_http_conflict_redis_conf_parameter(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *value);
static const char *ngx_http_conflict_redis_conf_expected(ngx_str_t *value);
static ngx_int_t ngx_http_conflict_redis_conf_msec(ngx_msec_t *msec,
    ngx_str_t *text, ngx_msec_t min, ngx_msec_t max);
static ngx_int_t ngx_http_conflict_redis_conf_check(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf);


ngx_http_conflict_redis_t *
ngx_http_conflict_redis_conf_add(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *value, ngx_uint_t n)
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
    conf->timeout = 300;
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

    /* addresses are parsed last, as "sentinel=" changes their default port */

    for (i = 0; i < n; i++) {

        if (ngx_http_conflict_redis_conf_repeated(value, i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%V\" of store \"%V\" is "
                               "duplicate", &value[i], name);
            return NULL;
        }

        if (!ngx_http_conflict_redis_url_matches(&value[i])
            && ngx_http_conflict_redis_conf_parameter(cf, conf, &value[i])
               != NGX_OK)
        {
            return NULL;
        }
    }

    for (i = 0; i < n; i++) {

        if (ngx_http_conflict_redis_url_matches(&value[i])
            && ngx_http_conflict_redis_url_parse(cf, conf, &value[i]) != NGX_OK)
        {
            return NULL;
        }
    }

    if (ngx_http_conflict_redis_conf_check(cf, conf) != NGX_OK
        || ngx_http_conflict_redis_tls_conf(cf, conf) != NGX_OK)
    {
        return NULL;
    }

    return client;
}


/* whether an earlier parameter is the same word, or has the same "name=" */

static ngx_uint_t
ngx_http_conflict_redis_conf_repeated(ngx_str_t *value, ngx_uint_t i)
{
    size_t      len;
    u_char     *p;
    ngx_uint_t  j;

    if (ngx_http_conflict_redis_url_matches(&value[i])) {
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


static ngx_int_t
ngx_http_conflict_redis_conf_parameter(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *value)
{
    ngx_int_t  n, rc;
    ngx_str_t  s;

    s = *value;
    rc = NGX_OK;

#define ngx_http_conflict_redis_conf_word(word)                               \
    (value->len >= sizeof(word) - 1                                           \
     && ngx_strncmp(value->data, word, sizeof(word) - 1) == 0                 \
     && (s.data = value->data + sizeof(word) - 1,                             \
         s.len = value->len - (sizeof(word) - 1), 1))

    if (ngx_strcmp(value->data, "cluster") == 0) {
        conf->cluster = 1;

    } else if (ngx_strcmp(value->data, "failover=trust") == 0) {
        conf->trust = 1;

    } else if (ngx_http_conflict_redis_conf_word("timeout=")) {
        rc = ngx_http_conflict_redis_conf_msec(&conf->timeout, &s, 1,
                                              NGX_HTTP_CONFLICT_REDIS_TIMEOUT);

    } else if (ngx_http_conflict_redis_conf_word("ttl=")) {
        rc = ngx_http_conflict_redis_conf_msec(&conf->ttl, &s, 60000,
                                               NGX_HTTP_CONFLICT_REDIS_TTL);

    } else if (ngx_http_conflict_redis_conf_word("sentinel=")) {
        conf->sentinel = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_conf_word("db=")) {
        conf->db = s;
        rc = (ngx_atoi(s.data, s.len) == NGX_ERROR) ? NGX_ERROR : NGX_OK;

    } else if (ngx_http_conflict_redis_conf_word("wait=")) {
        n = ngx_atoi(s.data, s.len);
        rc = (n == NGX_ERROR || n > 100) ? NGX_ERROR : NGX_OK;
        conf->wait = n;

    } else if (ngx_http_conflict_redis_conf_word("tls_ca=")) {
        conf->tls_ca = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_conf_word("tls_cert=")) {
        conf->tls_cert = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_conf_word("tls_key=")) {
        conf->tls_key = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_conf_word("tls_name=")) {
        conf->tls_name = s;
        rc = s.len ? NGX_OK : NGX_ERROR;

    } else if (ngx_http_conflict_redis_conf_word("prefix=")) {
        conf->prefix = s;

        /* braces delimit the hash tag */

        if (s.len > 128
            || ngx_strlchr(s.data, s.data + s.len, '{')
            || ngx_strlchr(s.data, s.data + s.len, '}'))
        {
            rc = NGX_ERROR;
        }

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "unknown parameter \"%V\" of store \"%V\", it "
                           "must be an address, \"cluster\", "
                           "\"sentinel=NAME\", \"failover=trust\", "
                           "\"wait=NUMBER\", \"timeout=TIME\", \"ttl=TIME\", "
                           "\"db=NUMBER\", \"prefix=TEXT\", "
                           "\"tls_ca=FILE\", \"tls_cert=FILE\", "
                           "\"tls_key=FILE\" or \"tls_name=NAME\"",
                           ngx_http_conflict_redis_url_redact(value),
                           &conf->name);
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of store \"%V\", it "
                           "must be %s", value, &conf->name,
                           ngx_http_conflict_redis_conf_expected(value));
    }

    return rc;
}


/* the value that a parameter expects */

static const char *
ngx_http_conflict_redis_conf_expected(ngx_str_t *value)
{
    ngx_uint_t  i;

    static const char  *expected[][2] = {
        { "timeout=", "a time from 1ms to 1h, such as \"300ms\"" },
        { "ttl=", "a time from 60s to 3650d" },
        { "sentinel=", "the name of a master" },
        { "db=", "a number, from 0" },
        { "wait=", "a number of replicas, from 0 to 100" },
        { "prefix=", "a string without \"{\" and \"}\", of at most 128 bytes" },
        { "tls_name=", "the name in the server's certificate" },
        { "tls_", "the name of a file" }
    };

    for (i = 0; i < sizeof(expected) / sizeof(expected[0]) - 1; i++) {

        if (ngx_strncmp(value->data, expected[i][0], ngx_strlen(expected[i][0]))
            == 0)
        {
            break;
        }
    }

    return expected[i][1];
}


static ngx_int_t
ngx_http_conflict_redis_conf_msec(ngx_msec_t *msec, ngx_str_t *text,
    ngx_msec_t min, ngx_msec_t max)
{
    ngx_int_t  n;

    n = ngx_parse_time(text, 0);

    if (n == NGX_ERROR || (ngx_msec_t) n < min || (ngx_msec_t) n > max) {
        return NGX_ERROR;
    }

    *msec = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_redis_conf_check(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf)
{
    const char  *err;

    err = NULL;

    if (conf->addrs.nelts == 0) {
        err = "has no address";

    } else if (conf->cluster && conf->sentinel.len) {
        err = "cannot have both \"cluster\" and \"sentinel\"";

    } else if (conf->addrs.nelts > 1 && !conf->cluster
               && conf->sentinel.len == 0)
    {
        err = "has several addresses, but neither \"cluster\" nor "
              "\"sentinel=NAME\"";

    } else if (conf->cluster && conf->db.len
               && ngx_atoi(conf->db.data, conf->db.len) != 0)
    {
        err = "cannot have a database, a cluster only has database 0";
    }

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "store \"%V\" %s",
                           &conf->name, err);
        return NGX_ERROR;
    }

    return NGX_OK;
}
