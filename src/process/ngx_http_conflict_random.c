
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Unpredictable random numbers, from the kernel.
 */


#include "process/ngx_http_conflict_random.h"

#include <sys/random.h>


ngx_int_t
ngx_http_conflict_random(u_char *data, size_t len)
{
    ssize_t  n;

    /* up to 256 bytes come at once when the entropy pool is ready */

    n = getrandom(data, len, 0);

    return (n == (ssize_t) len) ? NGX_OK : NGX_ERROR;
}


uint64_t
ngx_http_conflict_random_seed(void)
{
    static uint64_t  seed;

    if (seed == 0
        && ngx_http_conflict_random((u_char *) &seed, sizeof(uint64_t))
           != NGX_OK)
    {
        seed = (uint64_t) ngx_random() << 32 ^ (uint64_t) ngx_random();
    }

    return seed;
}
