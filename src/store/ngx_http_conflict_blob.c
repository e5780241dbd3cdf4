
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Operations for blobs, and the memory of what they have found.
 */


#include "store/ngx_http_conflict_blob.h"


const char  ngx_http_conflict_blob_letters[] = "ab";


ngx_http_conflict_op_t *
ngx_http_conflict_blob_create(ngx_http_request_t *r,
    ngx_http_conflict_store_t *store, ngx_str_t *partition)
{
    ngx_http_conflict_op_t  *op;

    op = ngx_http_conflict_op_create(r, store, partition, 0);
    if (op == NULL) {
        return NULL;
    }

    op->blob = ngx_calloc(sizeof(ngx_http_conflict_blob_t), ngx_cycle->log);
    if (op->blob == NULL) {
        ngx_http_conflict_op_release(op);
        return NULL;
    }

    return op;
}


void
ngx_http_conflict_blob_forget(ngx_http_conflict_blob_t *blob)
{
    ngx_uint_t  i;

    for (i = 0; i < blob->out.n; i++) {
        /* all of its strings */
        ngx_free(blob->out.found[i].id.data);
    }

    if (blob->out.found) {
        ngx_free(blob->out.found);
    }

    ngx_memzero(&blob->out, sizeof(blob->out));
}


void
ngx_http_conflict_blob_free(ngx_http_conflict_op_t *op)
{
    if (op->blob) {
        ngx_http_conflict_blob_forget(op->blob);
        ngx_free(op->blob);
    }
}


ngx_int_t
ngx_http_conflict_blob_begin(ngx_http_conflict_blob_t *blob, ngx_uint_t n)
{
    ngx_http_conflict_blob_forget(blob);

    if (n == 0) {
        return NGX_OK;
    }

    blob->out.found = ngx_calloc(n * sizeof(ngx_http_conflict_blob_found_t),
                                 ngx_cycle->log);

    return blob->out.found ? NGX_OK : NGX_ERROR;
}


ngx_http_conflict_blob_found_t *
ngx_http_conflict_blob_add(ngx_http_conflict_blob_t *blob, size_t id,
    size_t head, size_t body)
{
    u_char                          *p;
    ngx_http_conflict_blob_found_t  *found;

    p = ngx_alloc(id + head + body + 1, ngx_cycle->log);
    if (p == NULL) {
        return NULL;
    }

    found = &blob->out.found[blob->out.n++];

    found->id.data = p;
    found->id.len = id;
    found->head.data = p + id;
    found->head.len = head;
    found->body.data = p + id + head;
    found->body.len = body;

    return found;
}
