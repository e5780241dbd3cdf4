
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Numeric addresses of Redis servers.  No names are resolved at run time:
 * that would block the worker.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


void
ngx_http_conflict_redis_address_host(ngx_addr_t *addr, ngx_str_t *host)
{
    static u_char  text[NGX_SOCKADDR_STRLEN + 1];

    host->data = text;
    host->len = ngx_sock_ntop(addr->sockaddr, addr->socklen, text,
                              NGX_SOCKADDR_STRLEN, 0);
    text[host->len] = '\0';

#if (NGX_HAVE_UNIX_DOMAIN)

    if (addr->sockaddr->sa_family == AF_UNIX) {
        host->data += sizeof("unix:") - 1;
        host->len -= sizeof("unix:") - 1;
    }

#endif

#if (NGX_HAVE_INET6)

    if (addr->sockaddr->sa_family == AF_INET6 && text[0] == '[') {
        host->data++;
        host->len -= 2;
    }

#endif
}


ngx_uint_t
ngx_http_conflict_redis_address_numeric(ngx_str_t *host)
{
#if (NGX_HAVE_INET6)
    u_char  addr[16];

    if (ngx_inet6_addr(host->data, host->len, addr) == NGX_OK) {
        return 1;
    }

#endif

    return ngx_inet_addr(host->data, host->len) != INADDR_NONE;
}
