
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Preloaded: no name that a fuzzer makes up is asked for in the network.
 */


#include <netdb.h>
#include <stddef.h>


int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    *res = NULL;

    return EAI_NONAME;
}
