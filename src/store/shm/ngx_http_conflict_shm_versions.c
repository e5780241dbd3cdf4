
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The versions of a resource in the history of the shared-memory store: the
 * notes of how they were made are records of their own, without views.
 */


#include "store/shm/ngx_http_conflict_shm_history.h"
#include "core/json/conflict_tree.h"


/* a version or a length, and a space */
#define NGX_HTTP_CONFLICT_SHM_NUMBER  (NGX_INT64_LEN + 2)


static ngx_uint_t ngx_http_conflict_shm_versions_held(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_record_t *r);
static void ngx_http_conflict_shm_versions_list(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_key_t *key);


void
ngx_http_conflict_shm_versions_note(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history, uint64_t hash[2],
    ngx_http_conflict_note_t *note)
{
    u_char                           text[NGX_HTTP_CONFLICT_NOTE];
    size_t                           len;
    ngx_http_conflict_shm_key_t     *key;
    ngx_http_conflict_shm_record_t  *r, *next;

    note->time = ngx_http_conflict_clock_usec();
    len = ngx_http_conflict_note_print(text, note);

    key = ngx_http_conflict_shm_history_zone_find(op, history, hash);

    for (r = key ? key->records : NULL; r; r = next) {
        next = r->next;

        if (r->note && r->version == note->version) {
            /* the key may go with its last record */
            ngx_http_conflict_shm_history_zone_remove(op, history, r);
        }
    }

    r = ngx_http_conflict_shm_history_zone_alloc(op, history,
                               sizeof(ngx_http_conflict_shm_record_t) + len);
    if (r == NULL) {
        return;
    }

    /* the allocation may have evicted the key */
    key = ngx_http_conflict_shm_history_zone_key(op, history, hash);

    if (key == NULL) {
        ngx_slab_free_locked(ngx_http_conflict_shm(op)->history, r);
        return;
    }

    ngx_memzero(r, sizeof(ngx_http_conflict_shm_record_t));

    r->key = key;
    r->version = note->version;
    r->note = 1;
    r->at = ngx_time();
    r->len = len;
    ngx_memcpy(ngx_http_conflict_shm_record_body(r), text, len);

    r->next = key->records;
    key->records = r;
    key->n++;
    key->notes++;

    ngx_http_conflict_failpoint_hit();

    ngx_queue_insert_head(&history->records, &r->queue);

    while (key->notes > op->in.records) {
        r = ngx_http_conflict_shm_history_zone_oldest(key, 1);
        ngx_http_conflict_shm_history_zone_remove(op, history, r);
    }
}


ngx_int_t
ngx_http_conflict_shm_versions(ngx_http_conflict_op_t *op)
{
    uint64_t                          hash[2];
    ngx_http_conflict_shm_key_t      *key;
    ngx_http_conflict_shm_history_t  *history;
    ngx_http_conflict_shm_record_t   *r;

    ngx_http_conflict_op_forget(op);

    history = ngx_http_conflict_shm_history_zone_lock(op, hash);
    if (history == NULL) {
        return NGX_OK;
    }

    key = ngx_http_conflict_shm_history_zone_find(op, history, hash);

    if (key && op->in.pre.base == 0) {
        ngx_http_conflict_shm_versions_list(op, key);
        key = NULL;
    }

    for (r = key ? key->records : NULL; r; r = r->next) {

        if (r->version == op->in.pre.base
            && ngx_http_conflict_shm_versions_held(op, r)
            && ngx_http_conflict_op_copy(&op->out.base_body,
                                         ngx_http_conflict_shm_record_body(r),
                                         r->len)
               == NGX_OK)
        {
            op->out.base_held = 1;
            break;
        }
    }

    ngx_http_conflict_shm_history_zone_unlock(op);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_conflict_shm_versions_held(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_record_t *r)
{
    return !r->link && !r->note && (r->shown || r->certain)
           && op->in.view
           && ngx_http_conflict_shm_history_has_view(r, op->in.view)
           && r->len
           /* not a part of a document, which begins with its form */
           && *ngx_http_conflict_shm_record_body(r) > CONFLICT_FORM_JSON_PATCH;
}


static void
ngx_http_conflict_shm_versions_list(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_key_t *key)
{
    u_char                          *p, *q;
    size_t                           len;
    ngx_http_conflict_shm_record_t  *r;

    len = 0;

    for (r = key->records; r; r = r->next) {
        len += 2 * NGX_HTTP_CONFLICT_SHM_NUMBER + (r->note ? r->len : 0);
    }

    p = ngx_alloc(len, ngx_cycle->log);
    if (p == NULL) {
        return;
    }

    op->out.notes.data = p;

    q = ngx_alloc(key->n * NGX_HTTP_CONFLICT_SHM_NUMBER, ngx_cycle->log);
    if (q == NULL) {
        return;
    }

    op->out.held.data = q;

    for (r = key->records; r; r = r->next) {

        if (r->note) {
            p = ngx_http_conflict_note_print_version(p, r->version);
            p = ngx_sprintf(p, " %uz ", r->len);
            p = ngx_cpymem(p, ngx_http_conflict_shm_record_body(r), r->len);

        } else if (ngx_http_conflict_shm_versions_held(op, r)) {
            q = ngx_http_conflict_note_print_version(q, r->version);
            *q++ = ' ';
        }
    }

    op->out.notes.len = p - op->out.notes.data;
    op->out.held.len = q - op->out.held.data;
}
