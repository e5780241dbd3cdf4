
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Text that grows, as a chain of buffers in a pool.
 */


#ifndef _NGX_HTTP_CONFLICT_WRITER_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_WRITER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* all zeros but the pool; what is added after a failure is dropped */

typedef struct {
    ngx_pool_t                    *pool;
    ngx_chain_t                   *first;
    ngx_chain_t                   *last;
    size_t                         buffer;     /* the last one's size */
    off_t                          size;
    unsigned                       failed:1;
} ngx_http_conflict_writer_t;


/* As ngx_sprintf(), at most 512 bytes at once. */
void ngx_http_conflict_writer_print(ngx_http_conflict_writer_t *out,
    const char *format, ...);

/* Bytes as they are. */
void ngx_http_conflict_writer_bytes(ngx_http_conflict_writer_t *out,
    u_char *data, size_t len);

/* Bytes that stay where they are, which may be many. */
void ngx_http_conflict_writer_ref(ngx_http_conflict_writer_t *out,
    ngx_str_t *text);

/* A piece of JSON that was checked, without what might be markup. */
void ngx_http_conflict_writer_json(ngx_http_conflict_writer_t *out,
    u_char *data, size_t len);

/* All of it in one piece. */
ngx_int_t ngx_http_conflict_writer_join(ngx_http_conflict_writer_t *out,
    ngx_str_t *text);


#endif /* _NGX_HTTP_CONFLICT_WRITER_H_INCLUDED_ */
