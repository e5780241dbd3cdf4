
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A text that grows, as a chain of buffers in a pool.
 */


#ifndef _NGX_HTTP_CONFLICT_WRITER_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_WRITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Initialized with zeros and the pool.  After a failure, which need be checked
 * only at the end, additions are ignored.
 */

typedef struct {
    ngx_pool_t                    *pool;
    ngx_chain_t                   *first;
    ngx_chain_t                   *last;
    size_t                         buffer;     /* size of the last one */
    off_t                          size;
    unsigned                       failed:1;
} ngx_http_conflict_writer_t;


/* As ngx_snprintf() with 512 bytes. */
void ngx_http_conflict_writer_print(ngx_http_conflict_writer_t *out,
    const char *format, ...);

/* Copies bytes. */
void ngx_http_conflict_writer_bytes(ngx_http_conflict_writer_t *out,
    u_char *data, size_t len);

/* Refers to a text, which must live as long as the chain. */
void ngx_http_conflict_writer_ref(ngx_http_conflict_writer_t *out,
    ngx_str_t *text);

/* Copies valid JSON, with markup and control characters escaped. */
void ngx_http_conflict_writer_json(ngx_http_conflict_writer_t *out,
    u_char *data, size_t len);

/*
 * A chain of one buffer that refers to bytes, NULL: no memory.  The caller sets
 * "memory" or "temporary", and "next".
 */
ngx_chain_t *ngx_http_conflict_writer_chain(ngx_pool_t *pool, u_char *data,
    size_t len);

/* The whole as one text, in the pool; NGX_ERROR after a failure. */
ngx_int_t ngx_http_conflict_writer_join(ngx_http_conflict_writer_t *out,
    ngx_str_t *text);


#endif /* _NGX_HTTP_CONFLICT_WRITER_H_INCLUDED_ */
