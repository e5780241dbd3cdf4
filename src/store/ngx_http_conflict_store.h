
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The store contract: the operations of a store of versions and leases, and
 * the lifetime of an operation.  Knows no HTTP but the request that an
 * operation belongs to.
 */


#ifndef _NGX_HTTP_CONFLICT_STORE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "stats/ngx_http_conflict_stats.h"
#include "core/policy/conflict_decide.h"
#include "process/ngx_http_conflict_predecessor.h"


typedef struct ngx_http_conflict_store_s  ngx_http_conflict_store_t;
typedef struct ngx_http_conflict_op_s     ngx_http_conflict_op_t;
typedef struct ngx_http_conflict_blob_s   ngx_http_conflict_blob_t;

struct ngx_http_conflict_snapshot_s;

typedef ngx_int_t (*ngx_http_conflict_op_pt)(ngx_http_conflict_op_t *op);
typedef void (*ngx_http_conflict_done_pt)(ngx_http_conflict_op_t *op);


typedef enum {
    NGX_HTTP_CONFLICT_STORE_UP = 0,
    NGX_HTTP_CONFLICT_STORE_FULL,
    NGX_HTTP_CONFLICT_STORE_GENERATION,    /* predecessors still write */
    NGX_HTTP_CONFLICT_STORE_DOWN
} ngx_http_conflict_store_error_e;


/* a request for a lock, and its result */

typedef enum {
    NGX_HTTP_CONFLICT_LOCK_SHOW = 0,
    NGX_HTTP_CONFLICT_LOCK_ACQUIRE,
    NGX_HTTP_CONFLICT_LOCK_RELEASE
} ngx_http_conflict_lock_verb_e;

typedef enum {
    NGX_HTTP_CONFLICT_LOCK_NONE = 0,     /* not locked */
    NGX_HTTP_CONFLICT_LOCK_HELD,         /* by another holder */
    NGX_HTTP_CONFLICT_LOCK_OWN,          /* by the caller; acquire: renewed */
    NGX_HTTP_CONFLICT_LOCK_GRANTED,
    NGX_HTTP_CONFLICT_LOCK_TAKEN,        /* from another client of the same
                                            user, or the token was lost */
    NGX_HTTP_CONFLICT_LOCK_RELEASED,
    NGX_HTTP_CONFLICT_LOCK_FORCED,       /* another holder's was released */
    NGX_HTTP_CONFLICT_LOCK_TOO_MANY,     /* the user's quota is reached */
    NGX_HTTP_CONFLICT_LOCK_HANDED        /* released, and reserved for the
                                            first that waits */
} ngx_http_conflict_lock_result_e;

#define NGX_HTTP_CONFLICT_LOCK_TOKEN   16      /* bytes */
#define NGX_HTTP_CONFLICT_LOCK_USER    112     /* bytes shown at most */
#define NGX_HTTP_CONFLICT_LOCK_CLIENT  112
#define NGX_HTTP_CONFLICT_LOCK_NOTES   4       /* of those that wait */


/* a client that waits for a lock; its strings are truncated as well */

typedef struct {
    int64_t                           since;      /* microseconds */
    ngx_str_t                         user;
    ngx_str_t                         client;
} ngx_http_conflict_lock_note_t;


/*
 * The caller of an operation, including a write, and the lock that was found.
 * The caller's strings belong to its request.
 */

typedef struct {
    ngx_str_t                         user;       /* empty: unknown */
    ngx_str_t                         client;
    u_char                            token[NGX_HTTP_CONFLICT_LOCK_TOKEN];
    unsigned                          given:1;    /* token is set */

    ngx_http_conflict_lock_verb_e     verb;
    u_char                            fresh[NGX_HTTP_CONFLICT_LOCK_TOKEN];
    ngx_msec_t                        idle;
    ngx_uint_t                        quota;      /* per user; 0: none */
    ngx_msec_t                        note;       /* acquire: how long one that
                                                     waits is remembered */
    ngx_msec_t                        reserve;    /* release: for the first
                                                     that waits; 0: for
                                                     nobody */
    unsigned                          force:1;

    ngx_http_conflict_lock_result_e   result;
    ngx_str_t                         holder;     /* on the heap, truncated */
    ngx_str_t                         origin;     /* client of the holder, in
                                                     the same memory */
    int64_t                           acquired;   /* microseconds */
    ngx_msec_t                        remaining;  /* until it expires */
    unsigned                          reserved:1; /* it is not held, but
                                                     reserved for "holder" */
    ngx_uint_t                        n_notes;    /* first come first */
    ngx_http_conflict_lock_note_t    *notes;      /* on the heap, or NULL */
} ngx_http_conflict_lock_t;


/*
 * The items of a list whose versions are asked for, on the heap, and freed with
 * their operation.
 */

typedef struct {
    ngx_str_t                         key;
    uint64_t                          version;    /* 0: may be newer than what
                                                     the list shows */
} ngx_http_conflict_item_t;


/* private to the store in Redis: what a settle states */

typedef struct {
    uint64_t                          token;      /* of the lease */
    uint64_t                          fence;
    uint64_t                          version;
    int64_t                           mtime;
    conflict_existence_e              existence;
    unsigned                          second_reused:1;
} ngx_http_conflict_redis_settle_t;


/*
 * An operation, allocated together with its key.  It may outlive its request,
 * and serves one write or read, from begin or peek until it is settled.
 */

struct ngx_http_conflict_op_s {
    ngx_http_conflict_store_t        *store;
    ngx_http_request_t               *request;    /* NULL: it has ended */
    ngx_http_conflict_done_pt         done;
    void                             *data;       /* freed with the operation */
    ngx_str_t                         key;
    ngx_int_t                         rc;         /* set when done() runs */
    unsigned                          busy:1;     /* a call is in progress */
    unsigned                          renewing:1; /* a renewal is in progress */
    unsigned                          released:1; /* the store is to free it */
    ngx_uint_t                        calls;      /* settles and renewals not
                                                     answered yet */

    /*
     * Runs if a commit or abandon that is answered later finds the lease
     * lost; its data is freed with the operation.
     */
    ngx_http_conflict_done_pt         lost_handler;
    void                             *lost_data;

    /* the client, its request for a lock, and the lock that was found */
    ngx_http_conflict_lock_t          lock;

    /* of a list; "mark" is private to the store */
    void                             *mark;
    ngx_http_conflict_item_t         *items;
    ngx_uint_t                        nitems;

    ngx_http_conflict_blob_t         *blob;       /* NULL: none; see blob.h */

    struct {
        conflict_policy_e             policy;
        conflict_precondition_t       pre;
        ngx_msec_t                    lease;
        ngx_msec_t                    quarantine; /* after abandon, msec */
        uint64_t                      fingerprint;    /* 0: no replay */
        uint64_t                      view;       /* of the request; 0: none */
        ngx_uint_t                    records;    /* per key; 0: no history */
        size_t                        record_bytes;   /* per key */
        ngx_msec_t                    record_ttl;
        unsigned                      noted:1;    /* how versions were made */
        unsigned                      part:1;     /* the view may show parts,
                                                     which prove nothing */
        unsigned                      minted:1;   /* versions are minted */
        unsigned                      just_observed:1;
        unsigned                      wait_over:1;    /* waited long enough */
        unsigned                      report:1;   /* lease unconditionally */
        unsigned                      lookup:1;   /* lease for CONFLICT_FETCH
                                                     as well: see begin */
        unsigned                      reads:1;    /* changes nothing, so locks
                                                     do not matter */
        unsigned                      mixed:1;    /* the link was merged */
        unsigned                      held:1;     /* the response, until the
                                                     end of this iteration of
                                                     the event loop */
        unsigned                      unlinked:1; /* recall by pre.base, even
                                                     for a link */
        unsigned                      edits:1;    /* by the time of edits, with
                                                     CONFLICT_EDITED */
        conflict_edit_t               edit;       /* this one */
        int64_t                       skew;       /* usec; later ones have no
                                                     time */

        /* what a response has shown, to be observed or committed */

        struct {
            uint64_t                  version;    /* owned; 0: none */
            uint64_t                  body;       /* its hash; 0: none */
            uint64_t                  view;       /* in which it was shown */
            int64_t                   mtime;      /* or CONFLICT_TIME_NONE */
            conflict_existence_e      existence;
            unsigned                  latest:1;   /* by an own GET */
        } observed;
    } in;

    struct {
        ngx_http_conflict_store_error_e  error;
        conflict_verdict_e            verdict;
        conflict_state_e              state;
        uint64_t                      version;
        uint64_t                      fence;      /* of the lease, or last */
        uint64_t                      body;       /* known hash; 0: none */
        uint64_t                      body_view;  /* in which it was shown */
        int64_t                       mtime;
        conflict_existence_e          existence;
        ngx_msec_t                    wait;       /* until state may change */
        unsigned                      second_reused:1;    /* by mtime: see
                                                     conflict_mtime_next() */
        unsigned                      mtime_exact:1;
        unsigned                      store_behind:1; /* the base is newer than
                                                     the known version */
        unsigned                      settling:1; /* the store is, for "wait" */
        unsigned                      present:1;  /* there was an entry */
        unsigned                      header:1;   /* stale base from a header */
        unsigned                      leased:1;
        unsigned                      external:1; /* changed bypassing the
                                                     module */
        unsigned                      applied:1;  /* by commit or observe */
        unsigned                      ahead:1;    /* in.edit, by more than
                                                     in.skew */
        const char                   *full;       /* what is, to be logged now;
                                                     or NULL */
        int64_t                       edited;     /* begin, with in.edits: the
                                                     time of the stored edit */

        /* peek: the history has this version in this view */

        unsigned                      history_has:1;

        /* recall: the base in this view, and a record of this write */

        unsigned                      base_held:1;
        unsigned                      late:1;     /* a later link of the chain
                                                     is recorded */
        unsigned                      repeat:1;   /* this write is recorded */
        unsigned                      certain:1;  /* it has succeeded */
        ngx_str_t                     base_body;  /* on the heap, verbatim */
        ngx_str_t                     made_body;  /* made by this write */

        /* versions: on the heap, as ngx_http_conflict_note_*() read them */

        ngx_str_t                     notes;      /* newest first */
        ngx_str_t                     held;       /* versions of bodies */

        /*
         * Of the lease, by ngx_http_conflict_clock_msec(): when the begin or
         * renewal that the store granted last was called, so that no other
         * write acquires the lease before in.lease and in.quarantine have
         * passed since then; and when the unanswered one was called.
         */

        int64_t                       acked;
        int64_t                       asked;

        /* another write has acquired the lease, as if this one had ended */

        unsigned                      lost:1;
    } out;

    /* private to the store in Redis */

    struct {
        uint64_t                      token;      /* of the lease */
        int64_t                       sent;       /* usec, local clock */
        int64_t                       clock;      /* the store's less local */
        int64_t                       renewed;    /* when the renewal in flight
                                                     was called */
        ngx_msec_t                    patience;   /* see query_run() */
        ngx_int_t                   (*decode)(ngx_http_conflict_op_t *op,
                                              ngx_str_t *answer);
        ngx_int_t                   (*after)(ngx_http_conflict_op_t *op);
        ngx_str_t                     entry;      /* as the begin left it, on
                                                     the heap, or empty */
        ngx_http_conflict_redis_settle_t  settle; /* of its commit */
        unsigned                      overlap:1;  /* with another write */
        unsigned                      unchecked:1;    /* it never began */
    } redis;
};


/* how a version was made; the texts are those of the request, or of a list */

typedef struct {
    uint64_t                          version;
    int64_t                           time;       /* microseconds */
    ngx_msec_t                        ttl;
    off_t                             size;       /* of the body of the write;
                                                     -1: unknown */
    ngx_str_t                         method;     /* empty: unknown */
    ngx_str_t                         user;
    ngx_str_t                         client;
    unsigned                          deleted:1;
    unsigned                          external:1; /* bypassed the module */
} ngx_http_conflict_note_t;

/* bytes of a note as text; longer names are truncated */
#define NGX_HTTP_CONFLICT_NOTE  512


/* a body under its version, or the body that a link of a chain has made */

typedef struct {
    uint64_t                          version;    /* or word of the link */
    uint64_t                          fingerprint;    /* of its write; or 0 */
    uint64_t                          view;       /* that shows it; 0: none */
    ngx_str_t                         body;
    uint64_t                          hash;       /* of a body not given here:
                                                     conflict_hash_64(), seed 0;
                                                     0: unknown */
    unsigned                          certain:1;  /* the write succeeded */
    unsigned                          shown:1;    /* 0: as sent upstream */
    unsigned                          read:1;     /* the version was peeked
                                                     first: see keep() */
    unsigned                          torn:1;     /* may be another version's */
    unsigned                          link:1;     /* replaced by later links of
                                                     its chain; empty body:
                                                     unknown */
    unsigned                          bodiless:1; /* only its note is kept */
    ngx_http_conflict_note_t         *note;       /* kept with it, or NULL; the
                                                     store sets its time */
} ngx_http_conflict_record_t;


/*
 * Every call returns NGX_OK: the answer is in "op"; NGX_AGAIN: op->done(op)
 * will run exactly once, never before the call has returned, with op->rc set
 * to what would have been returned; or NGX_ERROR: the store cannot answer,
 * op->out.error says why.  Compare and lease are one atomic step.
 *
 * Renew, commit, cancel and abandon never return NGX_AGAIN: a remote store
 * completes them on its own, and returns the result that it expects.  A
 * renewal that has succeeded sets op->out.acked, a commit or abandon that
 * finds the lease lost op->out.lost; while op->calls is not 0, neither is
 * final.
 */

typedef struct {
    /*
     * Checks lock, policy and preconditions, and takes the lease where the
     * verdict is CONFLICT_PASS, CONFLICT_OVERWRITE or CONFLICT_COMBINE, or
     * op->in.report is set.  A write by the holder of a lock renews the lock.
     * With in.edits, the edit is compared with that of the current version, and
     * becomes that of the next one with its commit.  A version that was made
     * without an edit has the time of its last change, if that is known.
     *
     * With in.lookup, CONFLICT_FETCH takes the lease as well, so that no write
     * overtakes the GET.  What it has shown is observed under the lease, and
     * the next begin, by then with out.leased, decides under it: whatever the
     * verdict is, the lease stays until it is settled.
     */
    ngx_http_conflict_op_pt           begin;

    /* Renews the lease for another op->in.lease. */
    ngx_http_conflict_op_pt           renew;

    /* The write succeeded: the version is its fence or observed.version. */
    ngx_http_conflict_op_pt           commit;

    /* The write has changed nothing. */
    ngx_http_conflict_op_pt           cancel;

    /* The outcome is unknown: it may still land within op->in.quarantine. */
    ngx_http_conflict_op_pt           abandon;

    /*
     * Reports the version before a read.  A resource without a version gets
     * one if versions are minted.
     */
    ngx_http_conflict_op_pt           peek;

    /*
     * Records what a read has shown, if nothing changed since its peek or
     * begin.  A response to a client moves no entry to another version: at
     * most, it makes the version unknown.  With observed.latest, it resolves
     * an unknown one, also under the operation's own lease.
     */
    ngx_http_conflict_op_pt           observe;

    /*
     * Stores a copy of a body, best effort: the oldest ones are evicted.  For
     * each view the first body of a version stays, but one that was not shown
     * is replaced by one that was, and any by one that states the version, or
     * has made it: it may be that of another life of the resource.  Never
     * NGX_AGAIN.
     *
     * With record->read, only if no write has begun since op's peek, begin or
     * commit, and the body is not torn.  Otherwise the view loses every other
     * body of that version as a base, and all of them if this one is unknown:
     * its client may base a write on either.
     */
    ngx_int_t                       (*keep)(ngx_http_conflict_op_t *op,
                                            ngx_http_conflict_record_t *record);

    /*
     * Finds the body of op->in.pre.base as shown in op->in.view, and the body
     * that the write with op->in.fingerprint has made.  The base of a link
     * after the first is the body that the previous link has made.
     */
    ngx_http_conflict_op_pt           recall;

    /*
     * Finds the body of op->in.pre.base as recall() does, but a whole one that
     * was shown in op->in.view or certainly made by a write of this view.
     * Without a base, lists the notes, and the versions of all such bodies.
     */
    ngx_http_conflict_op_pt           versions;

    /*
     * Performs op->lock.verb and fills in the lock: its token is lock.fresh
     * if it was acquired, lock.token if it was renewed.  A caller that does not
     * get it leaves a note for the holder, best effort.  Also reports the
     * version if that is known: op->out.state is CONFLICT_FREE then.
     */
    ngx_http_conflict_op_pt           lock;

    /*
     * Before a list is requested: notes in op->mark what "items" needs to
     * find out what has changed since.
     */
    ngx_http_conflict_op_pt           mark;

    /*
     * Sets the version of each of op->items that was current at the mark and
     * still is, with no write in flight.  An item without an entry gets one;
     * its version is set if no entry was lost since the mark.  Versions are
     * minted ones.
     */
    ngx_http_conflict_op_pt           items;

    /*
     * Appends a line, without a line feed, to the store's audit stream; NULL:
     * the store has none.
     */
    ngx_int_t                       (*audit)(ngx_http_conflict_store_t *store,
                                             ngx_str_t *key, ngx_str_t *line);

    /* Counters of this store have changed; NULL: no report is needed. */
    void                            (*counted)(
                                             ngx_http_conflict_store_t *store);

    /* Fills in what the store knows, now or later: see snapshot.h. */
    void                            (*snapshot)(
                                 struct ngx_http_conflict_snapshot_s *snapshot);

    /* Performs op->blob->in.verb: see blob.h. */
    ngx_http_conflict_op_pt           blob;
} ngx_http_conflict_store_ops_t;


struct ngx_http_conflict_store_s {
    ngx_str_t                              name;
    const ngx_http_conflict_store_ops_t   *ops;
    void                                  *data;

    /* the longest of all its locations, milliseconds */
    ngx_msec_t                             lease;
    ngx_msec_t                             quarantine;

    ngx_http_conflict_store_stats_t       *stats;     /* or NULL */
    ngx_event_t                            report;    /* of counters */

    /* predecessor processes that must exit first */
    ngx_http_conflict_predecessor_t       *predecessors;
    ngx_uint_t                             n_predecessors;
    ngx_msec_t                             predecessors_checked;

    ngx_str_t                              identity;  /* of its data */
    size_t                                 history_size;
    size_t                                 blobs_size;
    unsigned                               locks:1;   /* it may have locks */
    unsigned                               owned:1;   /* or owned versions */
    unsigned                               moved:1;   /* routes moved to it */
    unsigned                               events:1;  /* its changes are told */
    ngx_shm_zone_t                        *feed_zone; /* of events; or NULL */
    void                                  *feed;      /* in a worker, or NULL */
    ngx_uint_t                             line;      /* of its directive */
    ngx_uint_t                             dropped;   /* audit lines */
    ngx_uint_t                             unsettled; /* writes */
    ngx_msec_t                             dropped_logged;
    ngx_msec_t                             unsettled_logged;
    ngx_msec_t                             incarnation_logged;
};


/*
 * Allocates an operation on a copy of "key", with room for "bases" versions
 * for op->in.pre to point to; "r" may be NULL.  NULL: no memory.
 */
ngx_http_conflict_op_t *ngx_http_conflict_op_create(ngx_http_request_t *r,
    ngx_http_conflict_store_t *store, ngx_str_t *key, ngx_uint_t bases);

/*
 * The request no longer needs the operation: it is freed now, or by the store
 * once no call is in progress.
 */
void ngx_http_conflict_op_release(ngx_http_conflict_op_t *op);

/* A store has answered: frees the operation if it was released meanwhile. */
void ngx_http_conflict_op_answered(ngx_http_conflict_op_t *op);

/* Copies the holder of the lock that was found, and its client. */
void ngx_http_conflict_op_lock_found(ngx_http_conflict_op_t *op,
    ngx_str_t *holder, ngx_str_t *origin);

/* Adds one that waits for this lock, at most NGX_HTTP_CONFLICT_LOCK_NOTES. */
void ngx_http_conflict_op_lock_note(ngx_http_conflict_op_t *op, int64_t since,
    ngx_str_t *user, ngx_str_t *client);

/* 1 if the tokens are equal, in constant time. */
ngx_uint_t ngx_http_conflict_op_token_equal(const u_char *a, const u_char *b);

/*
 * The text of a note, in a buffer of NGX_HTTP_CONFLICT_NOTE bytes; and of its
 * version, to which a space or another text is appended.
 */
size_t ngx_http_conflict_note_print(u_char *buf,
    ngx_http_conflict_note_t *note);
u_char *ngx_http_conflict_note_print_version(u_char *p, uint64_t version);

/*
 * Take the next of op->out.notes, which are version, length and text with a
 * space after the first two, or of op->out.held, and shorten the rest.
 * NGX_DONE: there is none; NGX_ERROR: it is malformed.
 */
ngx_int_t ngx_http_conflict_note_next(ngx_str_t *rest,
    ngx_http_conflict_note_t *note);
ngx_int_t ngx_http_conflict_note_next_version(ngx_str_t *rest,
    uint64_t *version);

/* Frees the bodies of a recall; copies one.  NGX_ERROR: no memory. */
void ngx_http_conflict_op_forget(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_op_copy(ngx_str_t *dst, u_char *data, size_t len);

/*
 * Allocates op->items, "n" of them, and room for "len" bytes of their keys
 * behind, where *p points to then.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_conflict_op_items(ngx_http_conflict_op_t *op, ngx_uint_t n,
    size_t len, u_char **p);

/* The room for "bases" versions that op->in.pre points to. */
#define ngx_http_conflict_op_bases(op)  ((uint64_t *) ((op) + 1))

/* The link that a commit records and a recall looks for; 0: none. */
#define ngx_http_conflict_op_chain(op)                                        \
    (((op)->in.pre.kinds & CONFLICT_CHAIN) && !(op)->in.unlinked              \
     ? (op)->in.pre.chain : 0)


/*
 * The shared-memory store, and a call that declares its zone of "size" bytes.
 */
extern const ngx_http_conflict_store_ops_t  ngx_http_conflict_shm_ops;

ngx_int_t ngx_http_conflict_shm_zone_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store, size_t size);

/*
 * Called when the new cycle is certain, with ngx_cycle still the old one: 1 if
 * the zone is new and replaces another one.
 */
ngx_uint_t ngx_http_conflict_shm_zone_renewed(ngx_http_conflict_store_t *store);

/*
 * Called after that, once the predecessors are known: "old" is the store of
 * the previous configuration that it continues, or NULL.  Touches no shared
 * memory, which the old workers are using: the new ones detect their exit.
 */
void ngx_http_conflict_shm_zone_enter(ngx_http_conflict_store_t *store,
    ngx_http_conflict_store_t *old);

/*
 * Declares a second zone, for the history, if a route needs one, of
 * store->history_size bytes; 0: as large as the first.
 */
ngx_int_t ngx_http_conflict_shm_history_zone_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store);


/*
 * The Redis store; its data is a client: ngx_http_conflict_redis_client.h.
 */
extern const ngx_http_conflict_store_ops_t  ngx_http_conflict_redis_ops;

/*
 * Identifies the data of a store: addresses, database, prefix and the like,
 * but not how the client connects.  NULL: no memory.
 */
ngx_str_t *ngx_http_conflict_redis_move_identity(ngx_pool_t *pool,
    ngx_http_conflict_store_t *store);

/*
 * Called when the new cycle is certain.  "move" is the id of a move of routes
 * to this store; 0: none were moved, but the server may still have to learn of
 * an earlier move to "old", the same store in the previous configuration, or
 * NULL.
 */
ngx_int_t ngx_http_conflict_redis_move_enter(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_store_t *old,
    uint64_t move);


#endif /* _NGX_HTTP_CONFLICT_STORE_H_INCLUDED_ */
