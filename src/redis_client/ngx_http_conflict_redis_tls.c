
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * TLS to Redis: the parameters of the configuration, and what hiredis_ssl
 * leaves to its user, such as the verification of the server's name.  No other
 * file of the client uses OpenSSL.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"

#if (NGX_HTTP_CONFLICT_TLS)
#include <hiredis/hiredis_ssl.h>
#endif


#define ngx_http_conflict_redis_tls_string(s)  #s
#define ngx_http_conflict_redis_tls_value(s)                                  \
    ngx_http_conflict_redis_tls_string(s)


static ngx_int_t ngx_http_conflict_redis_tls_check(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf);

#if (NGX_HTTP_CONFLICT_TLS)

static ngx_int_t ngx_http_conflict_redis_tls_certificates(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_ssl_t *ssl);
static ngx_int_t ngx_http_conflict_redis_tls_verify_name(
    ngx_http_conflict_redis_connection_t *conn, ngx_ssl_conn_t *ssl);
static ngx_uint_t ngx_http_conflict_redis_tls_reason(redisContext *c,
    ngx_ssl_conn_t *ssl);

#endif


static ngx_int_t
ngx_http_conflict_redis_tls_check(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf)
{
    ngx_str_t   *host, *value;
    ngx_uint_t   i, numeric;
    const char  *word;

    if (!conf->tls) {

        word = conf->tls_ca.len ? "tls_ca"
               : conf->tls_cert.len ? "tls_cert"
               : conf->tls_key.len ? "tls_key" : "tls_name";

        value = conf->tls_ca.len ? &conf->tls_ca
                : conf->tls_cert.len ? &conf->tls_cert
                : conf->tls_key.len ? &conf->tls_key : &conf->tls_name;

        if (value->len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "parameter \"%s=%V\" of store \"%V\" requires "
                               "\"rediss://\"", word, value, &conf->name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (conf->tls_cert.len && conf->tls_key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "parameter \"tls_cert=%V\" of store \"%V\" requires "
                           "\"tls_key=FILE\"", &conf->tls_cert, &conf->name);
        return NGX_ERROR;
    }

    if (conf->tls_key.len && conf->tls_cert.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "parameter \"tls_key=%V\" of store \"%V\" requires "
                           "\"tls_cert=FILE\"", &conf->tls_key, &conf->name);
        return NGX_ERROR;
    }

    if (conf->tls_name.len) {
        return NGX_OK;
    }

    /* servers found at run time are verified by name or by address, not both */

    host = conf->hosts.elts;
    numeric = ngx_http_conflict_redis_address_numeric(&host[0]);

    for (i = 1; i < conf->hosts.nelts; i++) {

        if (ngx_http_conflict_redis_address_numeric(&host[i]) != numeric) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "store \"%V\" has both a host name and an "
                               "address, \"%V\" and \"%V\", and requires "
                               "\"tls_name=NAME\"", &conf->name, &host[0],
                               &host[i]);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


#if (NGX_HTTP_CONFLICT_TLS)


ngx_int_t
ngx_http_conflict_redis_tls_conf(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    if (ngx_http_conflict_redis_tls_check(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!conf->tls) {
        return NGX_OK;
    }

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (ngx_http_conflict_redis_tls_certificates(cf, conf, ssl) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * nginx's callbacks expect an ngx_connection_t, and its verify callback
     * accepts every certificate, to be checked later.
     */

    SSL_CTX_set_info_callback(ssl->ctx, NULL);
    SSL_CTX_set_verify(ssl->ctx, SSL_VERIFY_PEER, NULL);

    /*
     * nginx reads ahead, as it reads until EAGAIN.  hiredis reads once per
     * event, so the rest has to stay in the socket to cause the next event.
     */

    SSL_CTX_set_read_ahead(ssl->ctx, 0);

    conf->ssl = ssl;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_redis_tls_certificates(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_ssl_t *ssl)
{
    ngx_str_t  ca, cert, key;

    /* nginx makes full names of them; errors quote them as configured */

    ca = conf->tls_ca;
    cert = conf->tls_cert;
    key = conf->tls_key;

    if (ca.len == 0) {

        if (SSL_CTX_set_default_verify_paths(ssl->ctx) != 1) {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "SSL_CTX_set_default_verify_paths() failed");
            return NGX_ERROR;
        }

        /* as nginx does: success may leave errors in the queue */
        ERR_clear_error();

    } else if (ngx_ssl_trusted_certificate(cf, ssl, &conf->tls_ca,
                                           SSL_CTX_get_verify_depth(ssl->ctx))
               != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"tls_ca=%V\" of store \"%V\", "
                           "it must be a file with certificates in PEM format",
                           &ca, &conf->name);
        return NGX_ERROR;
    }

    if (cert.len
        && ngx_ssl_certificate(cf, ssl, &conf->tls_cert, &conf->tls_key, NULL)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"tls_cert=%V\" or "
                           "\"tls_key=%V\" of store \"%V\", they must be files "
                           "with a certificate and its key in PEM format",
                           &cert, &key, &conf->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_redis_tls_start(ngx_http_conflict_redis_connection_t *conn)
{
    ngx_ssl_t       *conf;
    redisContext    *c;
    ngx_ssl_conn_t  *ssl;

    c = &conn->ac->c;
    conf = conn->client->conf.ssl;

    ERR_clear_error();

    ssl = SSL_new(conf->ctx);

    if (ssl == NULL
        || ngx_http_conflict_redis_tls_verify_name(conn, ssl) != NGX_OK)
    {
        (void) ngx_cpystrn((u_char *) c->errstr, (u_char *) "TLS: no memory",
                           sizeof(c->errstr));
        goto failed;
    }

    if (redisInitiateSSL(c, ssl) != REDIS_OK) {
        /* a fast server may already have answered and failed the check */
        (void) ngx_http_conflict_redis_tls_reason(c, ssl);
        goto failed;
    }

    /* freed with the context */

    conn->ssl = ssl;

    return NGX_OK;

failed:

    SSL_free(ssl);
    ERR_clear_error();

    return NGX_ERROR;
}


/* sets the names or the address that the certificate has to match */

static ngx_int_t
ngx_http_conflict_redis_tls_verify_name(
    ngx_http_conflict_redis_connection_t *conn, ngx_ssl_conn_t *ssl)
{
    char                            *text;
    ngx_str_t                       *host;
    ngx_uint_t                       i, n;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = &conn->client->conf;

    host = conf->tls_name.len ? &conf->tls_name : conf->hosts.elts;
    n = conf->tls_name.len ? 1 : conf->hosts.nelts;

    if (ngx_http_conflict_redis_address_numeric(&host[0])) {

        /* each node of a cluster, and each master, has its own address */

        text = (char *) (conf->tls_name.len ? host[0].data : conn->host.data);

        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), text) == 1
               ? NGX_OK : NGX_ERROR;
    }

    if (SSL_set_tlsext_host_name(ssl, (char *) host[0].data) != 1
        || SSL_set1_host(ssl, (char *) host[0].data) != 1)
    {
        return NGX_ERROR;
    }

    /* the nodes of a store trust each other: any of their names is accepted */

    for (i = 1; i < n; i++) {

        if (SSL_add1_host(ssl, (char *) host[i].data) != 1) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_http_conflict_redis_tls_clear(void)
{
    ERR_clear_error();
}


ngx_uint_t
ngx_http_conflict_redis_tls_pending(ngx_http_conflict_redis_connection_t *conn)
{
    return conn->ssl && SSL_pending(conn->ssl) > 0;
}


void
ngx_http_conflict_redis_tls_lost(ngx_http_conflict_redis_connection_t *conn,
    redisAsyncContext *ac)
{
    u_char  byte, text[sizeof(ac->c.errstr)];

    /*
     * A server that rejects the client certificate sends an alert and closes
     * the connection.  If a write has detected that, the alert may still be
     * readable, unless the reset has overtaken it.
     */

    if (ac->c.err && ERR_reason_error_string(ERR_peek_error()) == NULL) {
        ERR_clear_error();
        (void) SSL_read(conn->ssl, &byte, 1);
    }

    if (!ngx_http_conflict_redis_tls_reason(&ac->c, conn->ssl) && ac->c.err
        && (conn->state == NGX_HTTP_CONFLICT_REDIS_HANDSHAKE
            || (conn->state == NGX_HTTP_CONFLICT_REDIS_CONNECTING
                && SSL_is_init_finished(conn->ssl))))
    {
        (void) ngx_cpystrn(text, (u_char *) ac->c.errstr, sizeof(text));
        (void) ngx_snprintf((u_char *) ac->c.errstr,
                            sizeof(ac->c.errstr) - 1,
                            "TLS: %s, check the client certificate%Z", text);
        ac->c.errstr[sizeof(ac->c.errstr) - 1] = '\0';
    }

    /* nginx logs an alert for errors left in the queue */

    ERR_clear_error();

    conn->ssl = NULL;
}


/* replaces errstr by the reason that OpenSSL has; 0: it has none */

static ngx_uint_t
ngx_http_conflict_redis_tls_reason(redisContext *c, ngx_ssl_conn_t *ssl)
{
    long         verified;
    const char  *why;

    verified = SSL_get_verify_result(ssl);

    why = (verified == X509_V_OK) ? ERR_reason_error_string(ERR_peek_error())
                                  : X509_verify_cert_error_string(verified);

    if (c->err == 0 || why == NULL) {
        return 0;
    }

    (void) ngx_snprintf((u_char *) c->errstr, sizeof(c->errstr) - 1,
                        "TLS: %s%Z", why);
    c->errstr[sizeof(c->errstr) - 1] = '\0';

    return 1;
}


#else


ngx_int_t
ngx_http_conflict_redis_tls_conf(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf)
{
    if (ngx_http_conflict_redis_tls_check(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!conf->tls) {
        return NGX_OK;
    }

#if (HIREDIS_MAJOR > 0)

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "store \"%V\" requires TLS, which this build lacks: it "
                       "was made without hiredis_ssl or without SSL in nginx",
                       &conf->name);

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "store \"%V\" requires TLS, but the hiredis of this "
                       "build ("
                       ngx_http_conflict_redis_tls_value(HIREDIS_MAJOR) "."
                       ngx_http_conflict_redis_tls_value(HIREDIS_MINOR) "."
                       ngx_http_conflict_redis_tls_value(HIREDIS_PATCH)
                       ") lacks it, 1.0 or later is needed", &conf->name);

#endif

    return NGX_ERROR;
}


ngx_int_t
ngx_http_conflict_redis_tls_start(ngx_http_conflict_redis_connection_t *conn)
{
    return NGX_ERROR;
}


void
ngx_http_conflict_redis_tls_clear(void)
{
}


ngx_uint_t
ngx_http_conflict_redis_tls_pending(ngx_http_conflict_redis_connection_t *conn)
{
    return 0;
}


void
ngx_http_conflict_redis_tls_lost(ngx_http_conflict_redis_connection_t *conn,
    redisAsyncContext *ac)
{
}


#endif
