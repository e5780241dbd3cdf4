
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Unpredictable random numbers, from the kernel.
 */


#ifndef _NGX_HTTP_CONFLICT_RANDOM_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_RANDOM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Fills up to 256 bytes with unpredictable data.  NGX_ERROR: the kernel has
 * none.
 */
ngx_int_t ngx_http_conflict_random(u_char *data, size_t len);

/* The seed for hashes of client data; constant for the life of the process. */
uint64_t ngx_http_conflict_random_seed(void);


#endif /* _NGX_HTTP_CONFLICT_RANDOM_H_INCLUDED_ */
