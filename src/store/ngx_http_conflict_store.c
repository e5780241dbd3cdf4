
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
ngx_http_conflict_op_free(ngx_http_conflict_op_t *op)
{
    if (op->data) {
        ngx_free(op->data);
    }

    ngx_free(op);
}
