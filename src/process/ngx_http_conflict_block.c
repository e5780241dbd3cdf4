
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Blocks of memory that are used again.  With NGX_DEBUG_PALLOC each comes from
 * malloc(), so that a sanitizer detects the use of a block that was freed.
 */


#include "process/ngx_http_conflict_block.h"


#define NGX_HTTP_CONFLICT_BLOCK_SIZE  1536    /* bytes, with the header */
#define NGX_HTTP_CONFLICT_BLOCK_KEPT  512     /* blocks, per worker */


typedef union ngx_http_conflict_block_u  ngx_http_conflict_block_t;

union ngx_http_conflict_block_u {
    ngx_http_conflict_block_t  *next;         /* of a free block */
    ngx_uint_t                  large;        /* not to be kept */
    u_char                      align[16];    /* as malloc() aligns */
};


static ngx_http_conflict_block_t  *ngx_http_conflict_block_list;
static ngx_uint_t                  ngx_http_conflict_block_n;


void *
ngx_http_conflict_block_alloc(size_t size, ngx_log_t *log)
{
    ngx_uint_t                  large;
    ngx_http_conflict_block_t  *block;

    size += sizeof(ngx_http_conflict_block_t);

#if (NGX_DEBUG_PALLOC)
    large = 1;
#else
    large = (size > NGX_HTTP_CONFLICT_BLOCK_SIZE);
#endif

    block = ngx_http_conflict_block_list;

    if (!large && block) {
        ngx_http_conflict_block_list = block->next;
        ngx_http_conflict_block_n--;

    } else {
        block = ngx_alloc(large ? size : NGX_HTTP_CONFLICT_BLOCK_SIZE, log);
        if (block == NULL) {
            return NULL;
        }
    }

    block->large = large;

    return block + 1;
}


void
ngx_http_conflict_block_free(void *data)
{
    ngx_http_conflict_block_t  *block;

    block = (ngx_http_conflict_block_t *) data - 1;

    if (block->large
        || ngx_http_conflict_block_n == NGX_HTTP_CONFLICT_BLOCK_KEPT)
    {
        ngx_free(block);
        return;
    }

    block->next = ngx_http_conflict_block_list;
    ngx_http_conflict_block_list = block;
    ngx_http_conflict_block_n++;
}
