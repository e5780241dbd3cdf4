
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Memory that a write needs beyond its request: an operation, and calls of the
 * store.
 */


#ifndef _NGX_HTTP_CONFLICT_BLOCK_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_BLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * As ngx_alloc() and ngx_free(), for objects that every write allocates: freed
 * ones are used again, the last one first, while the caches of the processor
 * still have it.  A block must not be given to ngx_free(), nor other memory to
 * ngx_http_conflict_block_free().
 */
void *ngx_http_conflict_block_alloc(size_t size, ngx_log_t *log);
void ngx_http_conflict_block_free(void *data);


#endif /* _NGX_HTTP_CONFLICT_BLOCK_H_INCLUDED_ */
