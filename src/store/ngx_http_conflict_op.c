
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The lifetime of a store operation, which is on the heap since a call of the
 * store may still be in progress when its request has ended.
 */


#include "store/ngx_http_conflict_blob.h"
#include "process/ngx_http_conflict_block.h"


static void ngx_http_conflict_op_free(ngx_http_conflict_op_t *op);


ngx_http_conflict_op_t *
ngx_http_conflict_op_create(ngx_http_request_t *r,
    ngx_http_conflict_store_t *store, ngx_str_t *key, ngx_uint_t bases)
{
    size_t                   size;
    ngx_log_t               *log;
    ngx_http_conflict_op_t  *op;

    log = r ? r->connection->log : ngx_cycle->log;
    size = sizeof(ngx_http_conflict_op_t) + bases * sizeof(uint64_t) + key->len;

    op = ngx_http_conflict_block_alloc(size, log);
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
    op->released = 1;

    ngx_http_conflict_op_answered(op);
}


void
ngx_http_conflict_op_answered(ngx_http_conflict_op_t *op)
{
    if (op->released && !op->busy && op->calls == 0) {
        ngx_http_conflict_op_free(op);
    }
}


void
ngx_http_conflict_op_forget(ngx_http_conflict_op_t *op)
{
    if (op->out.base_body.data) {
        ngx_free(op->out.base_body.data);
    }

    if (op->out.made_body.data) {
        ngx_free(op->out.made_body.data);
    }

    if (op->out.notes.data) {
        ngx_free(op->out.notes.data);
    }

    if (op->out.held.data) {
        ngx_free(op->out.held.data);
    }

    ngx_str_null(&op->out.base_body);
    ngx_str_null(&op->out.made_body);
    ngx_str_null(&op->out.notes);
    ngx_str_null(&op->out.held);

    op->out.base_held = 0;
    op->out.late = 0;
    op->out.repeat = 0;
    op->out.certain = 0;
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


ngx_int_t
ngx_http_conflict_op_items(ngx_http_conflict_op_t *op, ngx_uint_t n,
    size_t len, u_char **p)
{
    size_t  size;

    size = n * sizeof(ngx_http_conflict_item_t);

    op->items = ngx_calloc(size + len, ngx_cycle->log);
    if (op->items == NULL) {
        return NGX_ERROR;
    }

    op->nitems = n;
    *p = (u_char *) op->items + size;

    return NGX_OK;
}


void
ngx_http_conflict_op_lock_found(ngx_http_conflict_op_t *op, ngx_str_t *holder,
    ngx_str_t *origin)
{
    u_char                    *p;
    ngx_http_conflict_lock_t  *lock;

    lock = &op->lock;

    if (lock->holder.data) {
        ngx_free(lock->holder.data);
    }

    ngx_str_null(&lock->holder);
    ngx_str_null(&lock->origin);
    lock->n_notes = 0;

    p = ngx_alloc(holder->len + origin->len + 1, ngx_cycle->log);
    if (p == NULL) {
        /* the holder is unknown then */
        return;
    }

    lock->holder.data = p;
    lock->holder.len = holder->len;
    lock->origin.data = ngx_cpymem(p, holder->data, holder->len);
    lock->origin.len = origin->len;
    ngx_memcpy(lock->origin.data, origin->data, origin->len);
}


/* without memory the note is not shown */

void
ngx_http_conflict_op_lock_note(ngx_http_conflict_op_t *op, int64_t since,
    ngx_str_t *user, ngx_str_t *client)
{
    u_char                         *p;
    ngx_http_conflict_lock_t       *lock;
    ngx_http_conflict_lock_note_t  *note;

    lock = &op->lock;

    if (lock->notes == NULL) {
        lock->notes = ngx_alloc(NGX_HTTP_CONFLICT_LOCK_NOTES
                                * (sizeof(ngx_http_conflict_lock_note_t)
                                   + NGX_HTTP_CONFLICT_LOCK_USER
                                   + NGX_HTTP_CONFLICT_LOCK_CLIENT),
                                ngx_cycle->log);
    }

    if (lock->notes == NULL || lock->n_notes == NGX_HTTP_CONFLICT_LOCK_NOTES) {
        return;
    }

    p = (u_char *) &lock->notes[NGX_HTTP_CONFLICT_LOCK_NOTES]
        + lock->n_notes * (NGX_HTTP_CONFLICT_LOCK_USER
                           + NGX_HTTP_CONFLICT_LOCK_CLIENT);

    note = &lock->notes[lock->n_notes++];

    note->since = since;
    note->user.data = p;
    note->user.len = ngx_min(user->len, NGX_HTTP_CONFLICT_LOCK_USER);
    note->client.data = ngx_cpymem(p, user->data, note->user.len);
    note->client.len = ngx_min(client->len, NGX_HTTP_CONFLICT_LOCK_CLIENT);
    ngx_memcpy(note->client.data, client->data, note->client.len);
}


ngx_uint_t
ngx_http_conflict_op_token_equal(const u_char *a, const u_char *b)
{
    ngx_uint_t  i, differ;

    differ = 0;

    for (i = 0; i < NGX_HTTP_CONFLICT_LOCK_TOKEN; i++) {
        differ |= a[i] ^ b[i];
    }

    return differ == 0;
}


static void
ngx_http_conflict_op_free(ngx_http_conflict_op_t *op)
{
    if (op->data) {
        ngx_http_conflict_block_free(op->data);
    }

    if (op->lost_data) {
        ngx_http_conflict_block_free(op->lost_data);
    }

    if (op->lock.holder.data) {
        ngx_free(op->lock.holder.data);
    }

    if (op->lock.notes) {
        ngx_free(op->lock.notes);
    }

    if (op->redis.entry.data) {
        ngx_http_conflict_block_free(op->redis.entry.data);
    }

    if (op->mark) {
        ngx_free(op->mark);
    }

    if (op->items) {
        ngx_free(op->items);
    }

    ngx_http_conflict_op_forget(op);
    ngx_http_conflict_blob_free(op);

    ngx_http_conflict_block_free(op);
}
