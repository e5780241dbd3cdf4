
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the shared-memory store: the layout of its zone, which
 * shm_zone.c keeps whole, shm_entry.c fills and shm.c works on.
 */


#ifndef _NGX_HTTP_CONFLICT_SHM_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_SHM_H_INCLUDED_


#include "store/ngx_http_conflict_store.h"
#include "core/text/conflict_hash.h"
#include "core/text/conflict_time.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"


#define NGX_HTTP_CONFLICT_SHM_LAYOUT  5
#define NGX_HTTP_CONFLICT_SHM_SLOT    128    /* bytes, of an entry */


/*
 * An entry; 128 bytes on 64-bit hosts, which is what the slab takes for it.
 */

typedef struct ngx_http_conflict_shm_entry_s  ngx_http_conflict_shm_entry_t;

struct ngx_http_conflict_shm_entry_s {
    ngx_http_conflict_shm_entry_t  *next;      /* in its bucket */
    ngx_queue_t                     queue;
    uint64_t                        hash[2];
    uint64_t                        version;
    uint64_t                        fence;     /* the highest handed out */
    uint64_t                        clean;     /* of the last write
                                                  begun over no other */
    int64_t                         mtime;
    uint64_t                        until;     /* end of that, msec */
    uint64_t                        last;      /* fingerprint of it */
    uint64_t                        pending;   /* of the one in flight */
    uint64_t                        body;      /* hash of what was shown; 0 */
    uint64_t                        view;      /* that it was shown in */
    uint64_t                        chain;     /* link that made "version" */
    uint32_t                        quarantine;  /* that follows, msec */
    unsigned                        state:2;   /* never CONFLICT_UNKNOWN */
    unsigned                        existence:2;
    unsigned                        twice:1;
    unsigned                        dated:1;   /* mtime is exact */
    unsigned                        known:1;   /* current when it began */
    unsigned                        overlap:1; /* began over another write */
    unsigned                        certain:1; /* "last" was seen to succeed */
    unsigned                        proves:1;  /* all writes since: of "view" */
    unsigned                        suspect:1; /* unknown since a read */
    unsigned                        mixed:1;   /* "chain" was merged */
    unsigned                        era:16;    /* of the zone, when found */
};

typedef char  ngx_http_conflict_shm_entry_fits
    [sizeof(ngx_http_conflict_shm_entry_t) <= NGX_HTTP_CONFLICT_SHM_SLOT
     ? 1 : -1];


/*
 * A lock; it takes as much as an entry, and so does each of its texts,
 * so that there is room for it where an entry can go.
 */

typedef struct ngx_http_conflict_shm_lock_s  ngx_http_conflict_shm_lock_t;

struct ngx_http_conflict_shm_lock_s {
    ngx_http_conflict_shm_lock_t  *next;      /* in its bucket */
    ngx_queue_t                    queue;     /* by when it was renewed */
    uint64_t                       hash[2];   /* of the key */
    uint64_t                       owner[2];  /* of the user; 0: nobody knows */
    u_char                         token[NGX_HTTP_CONFLICT_LOCK_TOKEN];
    int64_t                        acquired;
    uint64_t                       until;     /* msec */
    ngx_msec_t                     idle;
    u_char                        *user;
    u_char                        *client;
    u_char                        *key;       /* as much of it as is shown */
    uint16_t                       user_len;
    uint16_t                       client_len;
    uint16_t                       key_len;
};


typedef struct {
    ngx_uint_t                       layout;
    ngx_atomic_t                     changing;  /* found set: torn by a kill */
    ngx_uint_t                       mask;      /* buckets less one */
    ngx_http_conflict_shm_entry_t  **buckets;
    ngx_queue_t                      free;      /* newest first */
    ngx_queue_t                      busy;      /* leased or quarantined */
    uint64_t                         seed;
    uint64_t                         floor;     /* of the evicted entries */
    uint64_t                         highest;   /* fence ever handed out */
    ngx_msec_t                       closed;    /* to unknown keys, until */
    ngx_uint_t                       opened;    /* last turn that has begun */
    uint16_t                         era;       /* entries of another one
                                                   are not trusted */
    ngx_msec_t                       full_logged;
    ngx_uint_t                       full;
    ngx_uint_t                       entries;
    ngx_http_conflict_shm_lock_t   **lock_buckets;
    ngx_uint_t                       lock_mask;
    ngx_queue_t                      locks;     /* renewed last comes first */
    ngx_uint_t                       n_locks;
    ngx_msec_t                       locks_logged;
} ngx_http_conflict_shctx_t;


typedef struct {
    ngx_http_conflict_store_t  *store;
    ngx_slab_pool_t            *shpool;
    ngx_shm_zone_t             *zone;
    ngx_slab_pool_t            *history;  /* NULL: it has none */
    ngx_shm_zone_t             *history_zone;
    ngx_uint_t                  turn;     /* counts moves; it begins when
                                             the predecessors are gone */
    uint16_t                    era;      /* of the zone, as last seen */
    unsigned                    fresh:1;  /* this cycle's own zone */
} ngx_http_conflict_shm_t;


#define ngx_http_conflict_shm(op)  ((ngx_http_conflict_shm_t *) op->store->data)


/*
 * Locks the zone and marks it as changing; a zone that a killed worker left
 * half-changed is rebuilt empty first.  NULL: it cannot be rebuilt.
 */
ngx_http_conflict_shctx_t *ngx_http_conflict_shm_zone_lock(
    ngx_http_conflict_shm_t *shm);
void ngx_http_conflict_shm_zone_unlock(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh);

/*
 * 1 while processes of an older configuration or binary may still write
 * with versions of their own zone, or under other keys.  Under the lock.
 */
ngx_uint_t ngx_http_conflict_shm_zone_closed(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh);

/*
 * Entries, under the lock.  insert() evicts the oldest that a GET can bring
 * back; NULL: all entries are held by writes.
 */
ngx_http_conflict_shm_entry_t *ngx_http_conflict_shm_entry_find(
    ngx_http_conflict_shctx_t *sh, const uint64_t hash[2]);
ngx_http_conflict_shm_entry_t *ngx_http_conflict_shm_entry_insert(
    ngx_http_conflict_shm_t *shm, ngx_http_conflict_shctx_t *sh,
    const uint64_t hash[2]);
void ngx_http_conflict_shm_entry_set(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e, conflict_state_e state, uint64_t until);

/* Allocates one slot, evicting if necessary; NULL: nothing can be evicted. */
void *ngx_http_conflict_shm_entry_slot(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh);

/*
 * What the entry is worth now.  A lease that ran out becomes a quarantine,
 * and that, once over, CONFLICT_UNKNOWN.
 */
conflict_state_e ngx_http_conflict_shm_entry_state(
    ngx_http_conflict_shm_entry_t *e);


/*
 * One operation under the lock; "e" is NULL where the key has no entry.
 */
typedef ngx_int_t (*ngx_http_conflict_shm_pt)(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);

ngx_int_t ngx_http_conflict_shm_read_version(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_read_observe(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_settle_renew(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_settle_commit(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_settle_cancel(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_settle_abandon(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_lock_request(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);

/*
 * 1 where somebody else than the operation's caller has the lock, which is
 * noted then; the caller's own is renewed.
 */
ngx_uint_t ngx_http_conflict_shm_lock_denies(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh);

/*
 * An entry for the operation's key, free and under a version that nobody
 * has been given (none where the upstream owns versions).  NULL: full.
 */
ngx_http_conflict_shm_entry_t *ngx_http_conflict_shm_entry_new(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh);

void ngx_http_conflict_shm_entry_answer(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
/* It changed at "time", microseconds. */
void ngx_http_conflict_shm_entry_changed(ngx_http_conflict_shm_entry_t *e,
    int64_t time);

/* A version for it that no entry has had. */
uint64_t ngx_http_conflict_shm_entry_mint(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e);

uint64_t ngx_http_conflict_shm_zone_seed(void);

ngx_int_t ngx_http_conflict_shm_history_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record);

/* Its view has no other body of this version than this any more. */
void ngx_http_conflict_shm_history_drop(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record);

ngx_int_t ngx_http_conflict_shm_history_recall(ngx_http_conflict_op_t *op);

/* Has it the body of the version that a peek has found?  Not under the lock. */
ngx_uint_t ngx_http_conflict_shm_history_holds(ngx_http_conflict_op_t *op);


#endif /* _NGX_HTTP_CONFLICT_SHM_H_INCLUDED_ */
