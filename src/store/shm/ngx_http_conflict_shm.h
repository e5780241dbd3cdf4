
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the shared-memory store: the layout of its zone, and the calls
 * between its files.
 */


#ifndef _NGX_HTTP_CONFLICT_SHM_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_SHM_H_INCLUDED_


#include "store/ngx_http_conflict_store.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"
#include "core/text/conflict_hash.h"
#include "core/text/conflict_time.h"
#include "process/ngx_http_conflict_clock.h"
#include "process/ngx_http_conflict_failpoint.h"


#define NGX_HTTP_CONFLICT_SHM_LAYOUT  7
#define NGX_HTTP_CONFLICT_SHM_SLOT    128    /* bytes, of an entry */


/* what few entries have: a slot of its own, of 64 bytes */

typedef struct {
    uint64_t                        chain;     /* link that made "version" */
    conflict_edit_t                 edit;      /* that made it; NONE: see
                                                  "mtime" */
    conflict_edit_t                 pending;   /* of the write in flight */
} ngx_http_conflict_shm_extra_t;


/* an entry: one slab slot of 128 bytes on 64-bit hosts */

typedef struct ngx_http_conflict_shm_entry_s  ngx_http_conflict_shm_entry_t;

struct ngx_http_conflict_shm_entry_s {
    ngx_http_conflict_shm_entry_t  *next;      /* in its bucket */
    ngx_queue_t                     queue;
    uint64_t                        hash[2];
    uint64_t                        version;
    uint64_t                        fence;     /* last fencing token */
    uint64_t                        clean;     /* fence of the last write
                                                  begun without overlap */
    int64_t                         mtime;
    uint64_t                        until;     /* end of "state", msec; if
                                                  free, number of the change
                                                  that made it so */
    uint64_t                        last;      /* fingerprint, last write */
    uint64_t                        pending;   /* the same, write in flight */
    uint64_t                        body;      /* hash, as shown; 0: none */
    uint64_t                        view;      /* in which it was shown */
    ngx_http_conflict_shm_extra_t  *extra;     /* or NULL */
    uint32_t                        quarantine;  /* after "until", msec */
    unsigned                        state:2;   /* never CONFLICT_UNKNOWN */
    unsigned                        existence:2;
    unsigned                        second_reused:1;
    unsigned                        mtime_exact:1;
    unsigned                        known:1;   /* was free at begin */
    unsigned                        overlap:1; /* with another write */
    unsigned                        certain:1; /* "last" has succeeded */
    unsigned                        proves:1;  /* all writes since: in "view" */
    unsigned                        suspect:1; /* unknown since a read */
    unsigned                        mixed:1;   /* the link was merged */
    unsigned                        lookup:1;  /* the lease is for a GET, and
                                                  "pending" of a write before */
    unsigned                        era:16;    /* of the zone, when found */
};

typedef char  ngx_http_conflict_shm_entry_fits
    [sizeof(ngx_http_conflict_shm_entry_t) <= NGX_HTTP_CONFLICT_SHM_SLOT
     ? 1 : -1];


/*
 * A lock.  It takes a slot of an entry's size, as does each of its strings, so
 * that evicting entries makes room for it.
 */

typedef struct ngx_http_conflict_shm_lock_s  ngx_http_conflict_shm_lock_t;
typedef struct ngx_http_conflict_shm_note_s  ngx_http_conflict_shm_note_t;

struct ngx_http_conflict_shm_lock_s {
    ngx_http_conflict_shm_lock_t  *next;      /* in its bucket */
    ngx_queue_t                    queue;     /* by the time of renewal */
    uint64_t                       hash[2];   /* of the key */
    uint64_t                       owner[2];  /* of the user; 0: unknown */
    u_char                         token[NGX_HTTP_CONFLICT_LOCK_TOKEN];
    int64_t                        acquired;
    uint64_t                       until;     /* msec */
    ngx_http_conflict_shm_note_t  *notes;     /* first come first */
    u_char                        *user;
    u_char                        *client;
    u_char                        *key;       /* truncated, for display */
    uint32_t                       idle;      /* msec */
    uint8_t                        user_len;
    uint8_t                        client_len;
    uint8_t                        key_len;
    uint8_t                        reserved;  /* for "owner", not held */
};

typedef char  ngx_http_conflict_shm_lock_fits
    [sizeof(ngx_http_conflict_shm_lock_t) <= NGX_HTTP_CONFLICT_SHM_SLOT
     ? 1 : -1];


#define NGX_HTTP_CONFLICT_LOCK_SLOTS  4      /* the lock and three strings */
#define NGX_HTTP_CONFLICT_NOTE_SLOTS  3      /* a note and two strings */


/* one that waits for a lock; its strings take slots as well */

struct ngx_http_conflict_shm_note_s {
    ngx_http_conflict_shm_note_t  *next;
    uint64_t                       owner[2];  /* of the user, or the client */
    int64_t                        since;
    uint64_t                       until;     /* msec */
    u_char                        *user;
    u_char                        *client;
    uint8_t                        user_len;
    uint8_t                        client_len;
};


/* what each zone of the store begins with */

typedef struct {
    ngx_uint_t                       layout;
    ngx_atomic_t                     changing;  /* found set: torn by a kill */
} ngx_http_conflict_shm_head_t;


typedef struct {
    ngx_http_conflict_shm_head_t     head;
    ngx_uint_t                       mask;      /* buckets less one */
    ngx_http_conflict_shm_entry_t  **buckets;
    ngx_queue_t                      free;      /* newest first */
    ngx_queue_t                      busy;      /* leased or quarantined */
    uint64_t                         seed;
    uint64_t                         floor;     /* highest number evicted */
    uint64_t                         highest;   /* fence ever minted */
    uint64_t                         changes;   /* of entries, so far */
    uint64_t                         forgotten; /* the last change of an entry
                                                   that was evicted */
    ngx_msec_t                       closed;    /* to missing keys, until */
    ngx_uint_t                       turn;      /* the last that has begun */
    uint16_t                         era;       /* free entries of another one
                                                   are not trusted */
    ngx_msec_t                       full_logged;
    ngx_uint_t                       entries;
    ngx_http_conflict_shm_lock_t   **lock_buckets;
    ngx_uint_t                       lock_mask;
    ngx_queue_t                      locks;     /* last renewed first */
    ngx_uint_t                       n_locks;
    ngx_uint_t                       n_notes;
    ngx_msec_t                       locks_logged;
} ngx_http_conflict_shctx_t;


typedef struct {
    ngx_http_conflict_store_t  *store;
    ngx_slab_pool_t            *shpool;
    ngx_shm_zone_t             *zone;
    ngx_slab_pool_t            *history;  /* NULL: it has none */
    ngx_shm_zone_t             *history_zone;
    ngx_slab_pool_t            *blobs;    /* NULL: it has none */
    ngx_shm_zone_t             *blob_zone;
    ngx_uint_t                  turn;     /* counts moves of routes; begins
                                             when the predecessors have
                                             exited */
    uint16_t                    era;      /* of the zone, in the last call */
    unsigned                    created:1;    /* by this cycle */
} ngx_http_conflict_shm_t;


#define ngx_http_conflict_shm(op)  ((ngx_http_conflict_shm_t *) op->store->data)


/* A step of an operation, under the lock; "e" is NULL: the key has no entry. */
typedef ngx_int_t (*ngx_http_conflict_shm_pt)(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);


/* Entries, under the lock. */
ngx_http_conflict_shm_entry_t *ngx_http_conflict_shm_entry_find(
    ngx_http_conflict_shctx_t *sh, const uint64_t hash[2]);
void ngx_http_conflict_shm_entry_set(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e, conflict_state_e state, uint64_t until);

/* Allocates one slot, evicting if necessary; NULL: nothing can be evicted. */
void *ngx_http_conflict_shm_entry_slot(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh);

/*
 * The state of an entry now: an expired lease becomes a quarantine, and this,
 * once over, CONFLICT_UNKNOWN.
 */
conflict_state_e ngx_http_conflict_shm_entry_state(
    ngx_http_conflict_shm_entry_t *e);

/*
 * Inserts a free entry for the operation's key with a new version, or none if
 * the upstream owns versions.  NULL: the zone is full; op->out.full is set
 * if that is to be logged.
 */
ngx_http_conflict_shm_entry_t *ngx_http_conflict_shm_entry_new(
    ngx_http_conflict_op_t *op, ngx_http_conflict_shctx_t *sh);

/* Fills in op->out from the entry, or for none. */
void ngx_http_conflict_shm_entry_answer(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);

/* Sets the time of last change, microseconds. */
void ngx_http_conflict_shm_entry_changed(ngx_http_conflict_shm_entry_t *e,
    int64_t time);

/* Allocates "extra" of an entry that has none.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_conflict_shm_entry_extend(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);

/* Removes the link from the entry, if it has one. */
void ngx_http_conflict_shm_entry_unlink(ngx_http_conflict_shm_entry_t *e);

/* The edit that has made the current version. */
conflict_edit_t ngx_http_conflict_shm_entry_edit(
    ngx_http_conflict_shm_entry_t *e);

/* The later one of that and the edit of a write in flight. */
conflict_edit_t ngx_http_conflict_shm_entry_edit_last(
    ngx_http_conflict_shm_entry_t *e);

/*
 * 1 unless that there is no room was logged within the last 10 seconds;
 * *logged, which is 0 at first, becomes the current time.
 */
ngx_uint_t ngx_http_conflict_shm_entry_log(ngx_msec_t *logged);

/* A version, for the entry, that no entry has had. */
uint64_t ngx_http_conflict_shm_entry_mint(ngx_http_conflict_shctx_t *sh,
    ngx_http_conflict_shm_entry_t *e);


/* The entry has another version, or is new. */
#define ngx_http_conflict_shm_entry_renew(sh, e)  (e)->until = ++(sh)->changes


/* Stores a copy of a body, best effort. */
ngx_int_t ngx_http_conflict_shm_history_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record);

/* Removes from the record's view all other bodies of the version, as bases. */
void ngx_http_conflict_shm_history_drop(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record);

/* 1 if the history has the peeked version in this view.  Not under the lock. */
ngx_uint_t ngx_http_conflict_shm_history_has(ngx_http_conflict_op_t *op);

/* The operations "recall" and "versions".  Not under the lock. */
ngx_int_t ngx_http_conflict_shm_history_recall(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_shm_versions(ngx_http_conflict_op_t *op);


/* The operations "mark" and "items".  Not under the lock. */
ngx_int_t ngx_http_conflict_shm_items_mark(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_shm_items_versions(ngx_http_conflict_op_t *op);


/* The operation "blob".  Not under the lock. */
ngx_int_t ngx_http_conflict_shm_blob(ngx_http_conflict_op_t *op);


/* The step of the operation "lock". */
ngx_int_t ngx_http_conflict_shm_lock_request(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);

/*
 * 1 if another holder than the caller has the lock, which is reported in
 * op->lock then; the caller's own lock is renewed.
 */
ngx_uint_t ngx_http_conflict_shm_lock_denies(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh);


/*
 * The hash of a user; without "user", of the client if the user is unknown.
 * Zero: unknown.
 */
void ngx_http_conflict_shm_lock_owner(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_uint_t user, uint64_t owner[2]);

/*
 * Allocates "n" slots for a lock or a note, for which entries are evicted; all
 * or none.
 */
ngx_int_t ngx_http_conflict_shm_lock_slots(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, void **slot, ngx_uint_t n);


/* The caller waits for the lock: leaves a note, or renews it, best effort. */
void ngx_http_conflict_shm_waiting_note(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock);

/* Reports those that wait. */
void ngx_http_conflict_shm_waiting_report(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock);

/* Reserves the lock for the first of them.  0: nobody waits. */
ngx_uint_t ngx_http_conflict_shm_waiting_reserve(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock);

/* Removes all notes. */
void ngx_http_conflict_shm_waiting_forget(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_lock_t *lock);


/* The steps of the operations "peek" and "observe". */
ngx_int_t ngx_http_conflict_shm_read_version(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_read_observe(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);


/* 1: the lease of the operation has not expired, nor was it taken over */
ngx_uint_t ngx_http_conflict_shm_settle_leased(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shm_entry_t *e);

/* The steps of the operations of these names. */
ngx_int_t ngx_http_conflict_shm_settle_renew(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_settle_commit(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_settle_cancel(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);
ngx_int_t ngx_http_conflict_shm_settle_abandon(ngx_http_conflict_op_t *op,
    ngx_http_conflict_shctx_t *sh, ngx_http_conflict_shm_entry_t *e);


/*
 * Declares another zone of the store, "NAME:SUFFIX"; size 0: as large as the
 * first.  NULL: no memory, or already logged.
 */
ngx_shm_zone_t *ngx_http_conflict_shm_zone_part(ngx_conf_t *cf,
    ngx_http_conflict_shm_t *shm, const char *suffix, size_t size,
    ngx_shm_zone_init_pt init);

/*
 * For the init handler of a zone, whose "data" is passed on: NGX_OK if it is
 * that of the previous configuration, NGX_DECLINED if it is new; NGX_ERROR:
 * "what", a part of the store, has another layout, which is logged.
 */
ngx_int_t ngx_http_conflict_shm_zone_kept(ngx_shm_zone_t *zone, void *data,
    ngx_uint_t layout, const char *what);

/*
 * Locks a zone and marks it as changing; returns its data.  One that a killed
 * process has left inconsistent is first made anew by rebuild(); NULL: that
 * has failed, and the zone is not locked.
 */
void *ngx_http_conflict_shm_zone_hold(ngx_http_conflict_shm_t *shm,
    ngx_slab_pool_t *shpool,
    void *(*rebuild)(ngx_http_conflict_shm_t *shm));
void ngx_http_conflict_shm_zone_release(ngx_slab_pool_t *shpool);

/* The same for the zone of the entries. */
ngx_http_conflict_shctx_t *ngx_http_conflict_shm_zone_lock(
    ngx_http_conflict_shm_t *shm);

#define ngx_http_conflict_shm_zone_unlock(shm)                                \
    ngx_http_conflict_shm_zone_release((shm)->shpool)

/*
 * 1 while predecessor processes may still write with versions of their own
 * zone, or under other keys.  Under the lock.
 */
ngx_uint_t ngx_http_conflict_shm_zone_closed(ngx_http_conflict_shm_t *shm,
    ngx_http_conflict_shctx_t *sh);

/* An unpredictable seed, so that no client can construct colliding keys. */
uint64_t ngx_http_conflict_shm_zone_seed(void);


#endif /* _NGX_HTTP_CONFLICT_SHM_H_INCLUDED_ */
