
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Blobs in shared memory, by id and by index.  A replaced blob is copied first
 * and removed last, so a failure leaves it as it was.
 */


#include "store/shm/ngx_http_conflict_shm_blob.h"


static ngx_int_t ngx_http_conflict_shm_blob_claim(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2]);
static ngx_int_t ngx_http_conflict_shm_blob_put(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2]);
static ngx_int_t ngx_http_conflict_shm_blob_get(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2]);
static ngx_int_t ngx_http_conflict_shm_blob_drop(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2]);
static ngx_int_t ngx_http_conflict_shm_blob_list(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2]);
static ngx_http_conflict_shm_blob_t *ngx_http_conflict_shm_blob_new(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_blobs_t *sh,
    uint64_t hash[2]);
static ngx_int_t ngx_http_conflict_shm_blob_link(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *b);
static void ngx_http_conflict_shm_blob_replace(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *old,
    ngx_http_conflict_shm_blob_t *b);
static ngx_int_t ngx_http_conflict_shm_blob_show(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blob_t *b, ngx_uint_t body);
static void ngx_http_conflict_shm_blob_hash(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, u_char what, ngx_str_t *name,
    uint64_t hash[2]);


typedef ngx_int_t (*ngx_http_conflict_shm_blob_pt)(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2]);

/* by ngx_http_conflict_blob_verb_e */

static const ngx_http_conflict_shm_blob_pt  ngx_http_conflict_shm_blob_verbs[] =
{
    ngx_http_conflict_shm_blob_claim,
    ngx_http_conflict_shm_blob_put,
    ngx_http_conflict_shm_blob_get,
    ngx_http_conflict_shm_blob_drop,
    ngx_http_conflict_shm_blob_list
};


ngx_int_t
ngx_http_conflict_shm_blob(ngx_http_conflict_op_t *op)
{
    uint64_t                        hash[2];
    ngx_int_t                       rc;
    ngx_uint_t                      n;
    ngx_http_conflict_blob_t       *blob;
    ngx_http_conflict_shm_blobs_t  *sh;

    blob = op->blob;
    n = (blob->in.verb == NGX_HTTP_CONFLICT_BLOB_LIST) ? blob->in.max : 1;

    op->out.error = NGX_HTTP_CONFLICT_STORE_DOWN;

    if (ngx_http_conflict_blob_begin(blob, n) != NGX_OK) {
        return NGX_ERROR;
    }

    op->out.error = NGX_HTTP_CONFLICT_STORE_FULL;

    sh = ngx_http_conflict_shm_blob_zone_lock(op);
    if (sh == NULL) {
        return NGX_ERROR;
    }

    if (blob->in.verb == NGX_HTTP_CONFLICT_BLOB_LIST) {
        ngx_http_conflict_shm_blob_hash(op, sh, 'x', &blob->in.index[0].name,
                                        hash);

    } else {
        ngx_http_conflict_shm_blob_hash(op, sh, 'i', &blob->in.id, hash);
    }

    rc = ngx_http_conflict_shm_blob_verbs[blob->in.verb](op, sh, hash);

    ngx_http_conflict_shm_blob_zone_unlock(op);

    return rc;
}


static ngx_int_t
ngx_http_conflict_shm_blob_claim(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2])
{
    ngx_http_conflict_blob_t      *blob;
    ngx_http_conflict_shm_blob_t  *b;

    blob = op->blob;
    b = ngx_http_conflict_shm_blob_zone_find(op, sh, hash);

    if (b && (blob->in.token == 0 || b->token != blob->in.token)
        && (blob->in.from == 0 || b->token != blob->in.from
            || b->lease > ngx_current_msec))
    {
        return ngx_http_conflict_shm_blob_show(op, b, 1);
    }

    return ngx_http_conflict_shm_blob_put(op, sh, hash);
}


static ngx_int_t
ngx_http_conflict_shm_blob_put(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2])
{
    ngx_uint_t                     replaces;
    ngx_http_conflict_shm_blob_t  *b, *old;

    replaces = (op->blob->in.verb == NGX_HTTP_CONFLICT_BLOB_PUT
                && op->blob->in.from);

    if (replaces) {
        old = ngx_http_conflict_shm_blob_zone_find(op, sh, hash);

        if (old == NULL || old->token != op->blob->in.from) {
            return NGX_OK;
        }
    }

    b = ngx_http_conflict_shm_blob_new(op, sh, hash);
    if (b == NULL) {
        return NGX_ERROR;
    }

    ngx_http_conflict_failpoint_hit();

    /* the allocation may have evicted it */
    old = ngx_http_conflict_shm_blob_zone_find(op, sh, hash);

    if (old) {
        ngx_http_conflict_shm_blob_replace(op, sh, old, b);

    } else if (replaces
               || ngx_http_conflict_shm_blob_link(op, sh, b) != NGX_OK)
    {
        ngx_slab_free_locked(ngx_http_conflict_shm(op)->blobs, b);
        return replaces ? NGX_OK : NGX_ERROR;
    }

    ngx_http_conflict_shm_blob_zone_insert(sh, b);

    op->blob->out.done = 1;
    op->blob->out.number = b->number;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_shm_blob_get(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2])
{
    ngx_http_conflict_shm_blob_t  *b;

    b = ngx_http_conflict_shm_blob_zone_find(op, sh, hash);

    return b ? ngx_http_conflict_shm_blob_show(op, b, 1) : NGX_OK;
}


static ngx_int_t
ngx_http_conflict_shm_blob_drop(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2])
{
    ngx_http_conflict_shm_blob_t  *b;

    b = ngx_http_conflict_shm_blob_zone_find(op, sh, hash);

    if (b && (op->blob->in.from == 0 || b->token == op->blob->in.from)) {
        ngx_http_conflict_shm_blob_zone_remove(op, sh, b);
        op->blob->out.done = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_shm_blob_list(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2])
{
    ngx_queue_t                         *q;
    ngx_http_conflict_blob_t            *blob;
    ngx_http_conflict_shm_blob_t        *b;
    ngx_http_conflict_shm_blob_link_t   *link;
    ngx_http_conflict_shm_blob_index_t  *index;

    blob = op->blob;
    index = ngx_http_conflict_shm_blob_zone_index(op, sh, hash, 0);

    if (index == NULL) {
        return NGX_OK;
    }

    for (q = ngx_queue_head(&index->links);
         q != ngx_queue_sentinel(&index->links) && blob->out.n < blob->in.max;
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, ngx_http_conflict_shm_blob_link_t, queue);
        b = link->blob;

        if (b->until <= ngx_current_msec
            || (blob->in.before && b->number >= blob->in.before))
        {
            continue;
        }

        if (ngx_http_conflict_shm_blob_show(op, b, 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a copy of the blob to be stored, in no table */

static ngx_http_conflict_shm_blob_t *
ngx_http_conflict_shm_blob_new(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, uint64_t hash[2])
{
    size_t                         size;
    u_char                        *p;
    ngx_http_conflict_blob_t      *blob;
    ngx_http_conflict_shm_blob_t  *b;

    blob = op->blob;
    size = sizeof(ngx_http_conflict_shm_blob_t) + blob->in.id.len
           + blob->in.head.len + blob->in.body.len;

    b = ngx_http_conflict_shm_blob_zone_alloc(op, sh, size, blob->in.pinned);
    if (b == NULL) {
        return NULL;
    }

    ngx_memzero(b, sizeof(ngx_http_conflict_shm_blob_t));

    b->hash[0] = hash[0];
    b->hash[1] = hash[1];
    b->token = blob->in.token;
    b->lease = blob->in.lease ? ngx_current_msec + blob->in.lease : 0;
    b->until = ngx_current_msec + blob->in.ttl;
    b->kind = blob->in.kind;
    b->pinned = (blob->in.pinned != 0);
    b->id = blob->in.id.len;
    b->head = blob->in.head.len;
    b->body = blob->in.body.len;

    p = ngx_cpymem(ngx_http_conflict_shm_blob_id(b), blob->in.id.data, b->id);
    p = ngx_cpymem(p, blob->in.head.data, b->head);
    ngx_memcpy(p, blob->in.body.data, b->body);

    return b;
}


/* gives a number, and adds to each index; on failure "b" is in none */

static ngx_int_t
ngx_http_conflict_shm_blob_link(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *b)
{
    uint64_t                             hash[2];
    ngx_uint_t                           i, max;
    ngx_queue_t                         *q;
    ngx_http_conflict_shm_blob_link_t   *oldest;
    ngx_http_conflict_shm_blob_index_t  *index;

    b->number = ngx_max(sh->number + 1,
                        (uint64_t) ngx_http_conflict_clock_usec());
    sh->number = b->number;

    for (i = 0; i < op->blob->in.indexes; i++) {
        ngx_http_conflict_shm_blob_hash(op, sh, 'x',
                                        &op->blob->in.index[i].name, hash);

        index = ngx_http_conflict_shm_blob_zone_index(op, sh, hash, 1);

        if (index == NULL) {
            ngx_http_conflict_shm_blob_zone_unlink(op, sh, b);
            return NGX_ERROR;
        }

        b->link[i].blob = b;
        b->link[i].index = index;
        ngx_queue_insert_head(&index->links, &b->link[i].queue);
        index->n++;

        ngx_http_conflict_failpoint_hit();

        max = op->blob->in.index[i].max;

        while (max && index->n > max) {
            q = ngx_queue_last(&index->links);
            oldest = ngx_queue_data(q, ngx_http_conflict_shm_blob_link_t,
                                    queue);

            ngx_http_conflict_shm_blob_zone_evict(op, sh, oldest->blob);
        }
    }

    return NGX_OK;
}


/* "b" takes the place of "old" in the indexes */

static void
ngx_http_conflict_shm_blob_replace(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *old,
    ngx_http_conflict_shm_blob_t *b)
{
    ngx_uint_t  i;

    b->number = old->number;

    for (i = 0; i < NGX_HTTP_CONFLICT_BLOB_INDEXES; i++) {

        if (old->link[i].index == NULL) {
            continue;
        }

        b->link[i].blob = b;
        b->link[i].index = old->link[i].index;
        ngx_queue_insert_head(&old->link[i].queue, &b->link[i].queue);
        b->link[i].index->n++;
    }

    ngx_http_conflict_failpoint_hit();

    ngx_http_conflict_shm_blob_zone_remove(op, sh, old);
}


static ngx_int_t
ngx_http_conflict_shm_blob_show(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blob_t *b, ngx_uint_t body)
{
    ngx_http_conflict_blob_found_t  *found;

    found = ngx_http_conflict_blob_add(op->blob, b->id, b->head,
                                       body ? b->body : 0);
    if (found == NULL) {
        op->out.error = NGX_HTTP_CONFLICT_STORE_DOWN;
        return NGX_ERROR;
    }

    ngx_memcpy(found->id.data, ngx_http_conflict_shm_blob_id(b),
               b->id + b->head + found->body.len);

    found->size = b->body;
    found->number = b->number;
    found->token = b->token;
    found->lease = (b->lease > ngx_current_msec) ? b->lease - ngx_current_msec
                                                 : 0;
    found->ttl = b->until - ngx_current_msec;

    return NGX_OK;
}


/* of an id or an index, within partition and kind */

static void
ngx_http_conflict_shm_blob_hash(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, u_char what, ngx_str_t *name,
    uint64_t hash[2])
{
    uint64_t  words[5];

    conflict_hash_128(&words[0], op->key.data, op->key.len, sh->seed);
    conflict_hash_128(&words[2], name->data, name->len, sh->seed);

    words[4] = (uint64_t) op->blob->in.kind << 8 | what;

    conflict_hash_128(hash, words, sizeof(words), sh->seed);
}
