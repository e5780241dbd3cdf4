
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the shared-memory store: the layout of the zone of blobs, which
 * shm_blob_zone.c maintains and shm_blob.c uses.
 */


#ifndef _NGX_HTTP_CONFLICT_SHM_BLOB_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_SHM_BLOB_H_INCLUDED_


#include "store/shm/ngx_http_conflict_shm.h"
#include "store/ngx_http_conflict_blob.h"


typedef struct ngx_http_conflict_shm_blob_s        ngx_http_conflict_shm_blob_t;
typedef struct ngx_http_conflict_shm_blob_index_s
    ngx_http_conflict_shm_blob_index_t;


/* a blob in an index */

typedef struct {
    ngx_queue_t                          queue;
    ngx_http_conflict_shm_blob_t        *blob;
    ngx_http_conflict_shm_blob_index_t  *index;   /* NULL: in none */
} ngx_http_conflict_shm_blob_link_t;


/* followed by id, head and body */

struct ngx_http_conflict_shm_blob_s {
    ngx_http_conflict_shm_blob_t        *next;    /* in its bucket */
    ngx_queue_t                          queue;   /* by age, of its kind, or of
                                                     all that are pinned */
    uint64_t                             hash[2];
    uint64_t                             number;
    uint64_t                             token;
    uint64_t                             lease;   /* its end, msec */
    uint64_t                             until;   /* end of the ttl, msec */
    ngx_http_conflict_shm_blob_link_t
                               link[NGX_HTTP_CONFLICT_BLOB_INDEXES];
    size_t                               id;      /* lengths */
    size_t                               head;
    size_t                               body;
    unsigned                             kind:8;
    unsigned                             pinned:1;
};


struct ngx_http_conflict_shm_blob_index_s {
    ngx_http_conflict_shm_blob_index_t  *next;    /* in its bucket */
    uint64_t                             hash[2];
    ngx_queue_t                          links;   /* newest blob first */
    ngx_uint_t                           n;
};


typedef struct {
    ngx_http_conflict_shm_head_t         head;
    ngx_uint_t                           mask;
    uint64_t                             seed;
    uint64_t                             number;    /* the last given */
    ngx_queue_t                          queue[NGX_HTTP_CONFLICT_BLOB_KINDS];
    ngx_queue_t                          pinned;    /* of all kinds */
    size_t                               bytes[NGX_HTTP_CONFLICT_BLOB_KINDS];
    size_t                               pinned_bytes;
    ngx_http_conflict_shm_blob_t       **buckets;
    ngx_http_conflict_shm_blob_index_t **index_buckets;
} ngx_http_conflict_shm_blobs_t;


#define ngx_http_conflict_shm_blob_id(b)    ((u_char *) ((b) + 1))
#define ngx_http_conflict_shm_blob_size(b)                                    \
    (sizeof(ngx_http_conflict_shm_blob_t) + (b)->id + (b)->head + (b)->body)


/*
 * Locks the zone.  One that a killed process has left inconsistent is emptied,
 * which is logged.  NULL: there is no zone, or it cannot be rebuilt.
 */
ngx_http_conflict_shm_blobs_t *ngx_http_conflict_shm_blob_zone_lock(
    ngx_http_conflict_op_t *op);

#define ngx_http_conflict_shm_blob_zone_unlock(op)                            \
    ngx_http_conflict_shm_zone_release(ngx_http_conflict_shm(op)->blobs)

/*
 * Under the lock.  find() removes a blob whose ttl is over; NULL: there is
 * none.  index() inserts a missing one if it is to "create" it, which may evict
 * blobs; a blob has to be linked at once; NULL: none, or no memory.
 */
ngx_http_conflict_shm_blob_t *ngx_http_conflict_shm_blob_zone_find(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_blobs_t *sh,
    uint64_t hash[2]);
ngx_http_conflict_shm_blob_index_t *ngx_http_conflict_shm_blob_zone_index(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_blobs_t *sh,
    uint64_t hash[2], ngx_uint_t create);

/* Links a blob that was filled in, and counts its bytes. */
void ngx_http_conflict_shm_blob_zone_insert(ngx_http_conflict_shm_blobs_t *sh,
    ngx_http_conflict_shm_blob_t *b);

/*
 * Evicts the oldest blobs of the kind that takes most of the zone, to make
 * room, and counts them in "out"; NULL: nothing more can be evicted, or the
 * pinned blobs would take more than half of the zone.
 */
void *ngx_http_conflict_shm_blob_zone_alloc(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, size_t size, ngx_uint_t pinned);

/* Evicts one blob, and counts it if its ttl is not over. */
void ngx_http_conflict_shm_blob_zone_evict(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *b);

/* Frees a blob, and each index whose last blob it is. */
void ngx_http_conflict_shm_blob_zone_remove(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *b);

/* Takes a blob out of its indexes, which need not be linked elsewhere. */
void ngx_http_conflict_shm_blob_zone_unlink(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_blobs_t *sh, ngx_http_conflict_shm_blob_t *b);


#endif /* _NGX_HTTP_CONFLICT_SHM_BLOB_H_INCLUDED_ */
