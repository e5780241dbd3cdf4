
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the shared-memory store: the layout of its history's zone, which
 * shm_history_zone.c maintains and shm_history.c uses.
 */


#ifndef _NGX_HTTP_CONFLICT_SHM_HISTORY_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_SHM_HISTORY_H_INCLUDED_


#include "store/shm/ngx_http_conflict_shm.h"


typedef struct ngx_http_conflict_shm_record_s  ngx_http_conflict_shm_record_t;
typedef struct ngx_http_conflict_shm_key_s     ngx_http_conflict_shm_key_t;


#define NGX_HTTP_CONFLICT_SHM_RECORD_VIEWS  16


/* a history record, followed by its body; the last views that were shown it */

struct ngx_http_conflict_shm_record_s {
    ngx_http_conflict_shm_record_t  *next;    /* older, of the same key */
    ngx_queue_t                      queue;   /* of all records, by age */
    ngx_http_conflict_shm_key_t     *key;
    uint64_t                         version;
    uint64_t                         fingerprint;
    uint64_t                         views[NGX_HTTP_CONFLICT_SHM_RECORD_VIEWS];
    ngx_uint_t                       n_views;
    time_t                           at;
    size_t                           len;
    unsigned                         certain:1;
    unsigned                         shown:1;
    unsigned                         link:1;  /* "version" is its word */
    unsigned                         note:1;  /* its body is a note */
};


/* the records of a key, newest first */

struct ngx_http_conflict_shm_key_s {
    ngx_http_conflict_shm_key_t     *next;  /* in its bucket */
    ngx_http_conflict_shm_record_t  *records;
    uint64_t                         hash[2];
    ngx_uint_t                       n;
    ngx_uint_t                       notes; /* of "n" */
    size_t                           bytes; /* of the others */
    time_t                           ttl;   /* seconds */
};


typedef struct {
    ngx_http_conflict_shm_head_t   head;
    ngx_uint_t                     mask;
    uint64_t                       seed;
    ngx_queue_t                    records;   /* newest first */
    ngx_http_conflict_shm_key_t  **buckets;
} ngx_http_conflict_shm_history_t;


#define ngx_http_conflict_shm_record_body(record)  ((u_char *) ((record) + 1))


/*
 * Locks the zone and hashes the operation's key.  A torn zone is emptied, as
 * it is only a cache.  NULL: there is no zone, or it cannot be rebuilt.
 */
ngx_http_conflict_shm_history_t *ngx_http_conflict_shm_history_zone_lock(
    ngx_http_conflict_op_t *op, uint64_t hash[2]);

#define ngx_http_conflict_shm_history_zone_unlock(op)                         \
    ngx_http_conflict_shm_zone_release(ngx_http_conflict_shm(op)->history)

/*
 * Keys, under the lock.  find() removes expired records; NULL: there is no
 * key.  key() inserts a missing key; NULL: no memory.
 */
ngx_http_conflict_shm_key_t *ngx_http_conflict_shm_history_zone_find(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_history_t *history,
    uint64_t hash[2]);
ngx_http_conflict_shm_key_t *ngx_http_conflict_shm_history_zone_key(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shm_history_t *history,
    uint64_t hash[2]);

/* Evicts the oldest records of any key to make room; NULL: no memory. */
void *ngx_http_conflict_shm_history_zone_alloc(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history, size_t size);

/* The oldest record of a key that is a note, or not; NULL: none. */
ngx_http_conflict_shm_record_t *ngx_http_conflict_shm_history_zone_oldest(
    ngx_http_conflict_shm_key_t *key, ngx_uint_t note);

/* Makes a record the newest. */
void ngx_http_conflict_shm_history_zone_touch(
    ngx_http_conflict_shm_history_t *history,
    ngx_http_conflict_shm_record_t *record);

/* Frees a record, and its key with the last record. */
void ngx_http_conflict_shm_history_zone_remove(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history,
    ngx_http_conflict_shm_record_t *record);


/* 1 if the view was shown this body, or is that of the write that made it. */
ngx_uint_t ngx_http_conflict_shm_history_has_view(
    ngx_http_conflict_shm_record_t *r, uint64_t view);

/* Keeps the note of a record, under the lock. */
void ngx_http_conflict_shm_versions_note(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_history_t *history, uint64_t hash[2],
    ngx_http_conflict_note_t *note);


#endif /* _NGX_HTTP_CONFLICT_SHM_HISTORY_H_INCLUDED_ */
