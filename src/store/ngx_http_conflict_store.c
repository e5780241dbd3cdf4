
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The life of a store operation: on the heap, since a store may still work
 * on it when its request is gone.
 */


#include "ngx_http_conflict_store.h"


ngx_http_conflict_op_t *
ngx_http_conflict_op_create(ngx_http_request_t *r,
    ngx_http_conflict_store_t *store, ngx_str_t *key, ngx_uint_t bases)
{
    ngx_log_t               *log;
    ngx_http_conflict_op_t  *op;

    log = r ? r->connection->log : ngx_cycle->log;

    op = ngx_alloc(sizeof(ngx_http_conflict_op_t) + bases * sizeof(uint64_t)
                   + key->len, log);
    if (op == NULL) {
        return NULL;
    }

    ngx_memzero(op, sizeof(ngx_http_conflict_op_t));

    op->store = store;
    op->request = r;

    op->key.len = key->len;
    op->key.data = (u_char *) (ngx_http_conflict_op_bases(op) + bases);
    ngx_memcpy(op->key.data, key->data, key->len);

    return op;
}


void
ngx_http_conflict_op_release(ngx_http_conflict_op_t *op)
{
    op->request = NULL;

    if (!op->busy) {
        ngx_http_conflict_op_free(op);
    }
}


void
ngx_http_conflict_op_forget(ngx_http_conflict_op_t *op)
{
    if (op->base_body.data) {
        ngx_free(op->base_body.data);
    }

    if (op->made_body.data) {
        ngx_free(op->made_body.data);
    }

    ngx_str_null(&op->base_body);
    ngx_str_null(&op->made_body);

    op->held = 0;
    op->repeat = 0;
    op->certain = 0;
}


ngx_int_t
ngx_http_conflict_op_copy(ngx_str_t *dst, u_char *data, size_t len)
{
    dst->data = ngx_alloc(len + 1, ngx_cycle->log);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, data, len);
    dst->len = len;

    return NGX_OK;
}


void
ngx_http_conflict_op_free(ngx_http_conflict_op_t *op)
{
    if (op->data) {
        ngx_free(op->data);
    }

    ngx_http_conflict_op_forget(op);

    ngx_free(op);
}
