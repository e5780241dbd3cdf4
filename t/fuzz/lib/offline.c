
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Preloaded: names that a fuzzer generates are not looked up.
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
