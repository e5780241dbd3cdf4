
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: the arguments of "conflict_store NAME redis://...", one on each
 * line.  An error is logged without the password; an accepted address is the
 * same when printed and parsed again.  A byte 1 after "//user:" stands for the
 * password.
 */


#include "../lib/inside.h"
#include "redis_client/ngx_http_conflict_redis_connection.h"


#define WORDS     8
#define PASSWORD  "hunter2\\hunter2"


static ngx_uint_t  said;


static void
writer(ngx_log_t *log, ngx_uint_t level, u_char *buf, size_t len)
{
    said = 1;

    if (memmem(buf, len, PASSWORD, sizeof(PASSWORD) - 1)) {
        abort();
    }
}


static ngx_http_conflict_redis_t *
add(ngx_pool_t *pool, ngx_str_t *value, ngx_uint_t n)
{
    ngx_log_t   log;
    ngx_str_t   name;
    ngx_conf_t  cf;

    ngx_memzero(&log, sizeof(log));
    log.log_level = NGX_LOG_DEBUG;
    log.writer = writer;

    ngx_memzero(&cf, sizeof(cf));
    cf.pool = pool;
    cf.log = &log;
    cf.cycle = (ngx_cycle_t *) ngx_cycle;

    ngx_str_set(&name, "fuzz");
    said = 0;

    return ngx_http_conflict_redis_conf_add(&cf, &name, value, n);
}


static ngx_uint_t
same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}


static u_char *
encoded(u_char *p, ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        p = ngx_sprintf(p, "%%%02Xd", (ngx_uint_t) text->data[i]);
    }

    return p;
}


/* the first address, with the text before and after it */

static void
again(ngx_pool_t *pool, ngx_http_conflict_redis_conf_t *conf)
{
    u_char                          *p;
    ngx_str_t                        value[2];
    ngx_addr_t                      *addr, *other;
    ngx_http_conflict_redis_t       *client;
    ngx_http_conflict_redis_conf_t  *twin;

    addr = conf->addrs.elts;

    if (conf->tls || addr->sockaddr->sa_family == AF_UNIX) {
        return;
    }

    p = ngx_pnalloc(pool, 64 + 3 * (conf->user.len + conf->password.len)
                          + NGX_SOCKADDR_STRLEN + conf->db.len);
    value[0].data = p;
    p = ngx_sprintf(p, "redis://");

    if (conf->password.len) {
        p = encoded(p, &conf->user);
        *p++ = ':';
        p = encoded(p, &conf->password);
        *p++ = '@';
    }

    p += ngx_sock_ntop(addr->sockaddr, addr->socklen, p, NGX_SOCKADDR_STRLEN,
                       1);
    p = ngx_sprintf(p, "/%V", &conf->db);
    value[0].len = p - value[0].data;
    *p = '\0';

    /* without sentinel=, since the port is printed in any case */
    ngx_str_set(&value[1], "timeout=1s");

    client = add(pool, value, 2);

    if (client == NULL) {
        abort();
    }

    twin = ngx_http_conflict_redis_client_conf(client);
    other = twin->addrs.elts;

    if (!same(&twin->user, &conf->user)
        || !same(&twin->password, &conf->password)
        || !same(&twin->db, &conf->db)
        || ngx_cmp_sockaddr(addr->sockaddr, addr->socklen, other->sockaddr,
                            other->socklen, 1)
           != NGX_OK)
    {
        abort();
    }
}


/* a copy with the NUL that ends arguments of directives */

static void
word(ngx_pool_t *pool, ngx_str_t *value, const uint8_t *p, const uint8_t *last)
{
    u_char      *dst, ch;
    ngx_uint_t   slashes, hidden;

    value->data = ngx_pnalloc(pool, (last - p) + sizeof(PASSWORD));
    dst = value->data;
    slashes = 0;
    hidden = (last - p < 5 || memcmp(p, "redis", 5) != 0);

    for ( /* void */ ; p < last; p++) {
        ch = *p ? *p : ' ';
        slashes += (ch == '/');

        if (ch == 1 && slashes == 2 && !hidden && dst[-1] == ':') {
            dst = ngx_cpymem(dst, PASSWORD, sizeof(PASSWORD) - 1);
            hidden = 1;
            continue;
        }

        if (ch == '[' && !hidden) {
            /* an address may have colons, too */
            hidden = 1;
        }

        *dst++ = ch;
    }

    *dst = '\0';
    value->len = dst - value->data;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t                        value[WORDS];
    ngx_uint_t                       n;
    ngx_pool_t                      *pool;
    const uint8_t                   *p, *last;
    ngx_http_conflict_redis_t       *client;
    ngx_http_conflict_redis_conf_t  *conf;

    if (memmem(data, size, PASSWORD, sizeof(PASSWORD) - 1)) {
        /* in another place it is not a password */
        return 0;
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    last = data + size;

    for (n = 0; n < WORDS && data < last; n++) {
        p = memchr(data, '\n', last - data);
        p = p ? p : last;

        word(pool, &value[n], data, p);
        data = p + 1;

        if (ngx_strncmp(value[n].data, "tls_", 4) == 0) {
            /* files are not searched for */
            n--;
        }
    }

    client = add(pool, value, n);

    if (client == NULL) {

        if (!said) {
            abort();
        }

    } else {
        conf = ngx_http_conflict_redis_client_conf(client);

        if (said || conf->addrs.nelts == 0
            || conf->hosts.nelts != conf->addrs.nelts || conf->timeout == 0
            || conf->ttl < 60000 || conf->wait > 100
            || conf->prefix.len > 128
            || (conf->db.len
                && ngx_atoi(conf->db.data, conf->db.len) == NGX_ERROR)
            || (conf->user.len && conf->password.len == 0)
            || (conf->cluster && conf->sentinel.len))
        {
            abort();
        }

        again(pool, conf);
    }

    ngx_destroy_pool(pool);

    return 0;
}
