
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The store contract: what a store of versions and leases does for the
 * handler, and how long an operation lives.  Knows no HTTP but the request
 * that an operation belongs to.
 */


#ifndef _NGX_HTTP_CONFLICT_STORE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "stats/ngx_http_conflict_stats.h"
#include "core/policy/conflict_decide.h"
#include "process/ngx_http_conflict_clock.h"
#include "process/ngx_http_conflict_failpoint.h"
#include "process/ngx_http_conflict_predecessor.h"


typedef struct ngx_http_conflict_store_s  ngx_http_conflict_store_t;
typedef struct ngx_http_conflict_op_s     ngx_http_conflict_op_t;

struct ngx_http_conflict_snapshot_s;

typedef ngx_int_t (*ngx_http_conflict_op_pt)(ngx_http_conflict_op_t *op);
typedef void (*ngx_http_conflict_done_pt)(ngx_http_conflict_op_t *op);


typedef enum {
    NGX_HTTP_CONFLICT_STORE_UP = 0,
    NGX_HTTP_CONFLICT_STORE_FULL,
    NGX_HTTP_CONFLICT_STORE_GENERATION,    /* an older one still writes */
    NGX_HTTP_CONFLICT_STORE_DOWN
} ngx_http_conflict_store_error_e;


/* what is wanted of a lock, and what has become of that */

typedef enum {
    NGX_HTTP_CONFLICT_LOCK_SHOW = 0,
    NGX_HTTP_CONFLICT_LOCK_ACQUIRE,
    NGX_HTTP_CONFLICT_LOCK_RELEASE
} ngx_http_conflict_lock_verb_e;

typedef enum {
    NGX_HTTP_CONFLICT_LOCK_NONE = 0,     /* there is none */
    NGX_HTTP_CONFLICT_LOCK_HELD,         /* by somebody else */
    NGX_HTTP_CONFLICT_LOCK_OWN,          /* by the caller; acquire: renewed */
    NGX_HTTP_CONFLICT_LOCK_GRANTED,
    NGX_HTTP_CONFLICT_LOCK_TAKEN,        /* from the same user, who has lost
                                            the token or is elsewhere now */
    NGX_HTTP_CONFLICT_LOCK_RELEASED,
    NGX_HTTP_CONFLICT_LOCK_FORCED,       /* somebody else's was released */
    NGX_HTTP_CONFLICT_LOCK_TOO_MANY      /* the user has as many as he may */
} ngx_http_conflict_lock_result_e;

#define NGX_HTTP_CONFLICT_LOCK_TOKEN   16      /* bytes */
#define NGX_HTTP_CONFLICT_LOCK_USER    112     /* bytes that are shown */
#define NGX_HTTP_CONFLICT_LOCK_CLIENT  112


/*
 * The caller, of a write as well, and the lock that was found.  The strings
 * of the caller are its request's.
 */

typedef struct {
    ngx_str_t                         user;       /* empty: nobody knows */
    ngx_str_t                         client;
    u_char                            token[NGX_HTTP_CONFLICT_LOCK_TOKEN];
    unsigned                          given:1;    /* there is a token */

    ngx_http_conflict_lock_verb_e     verb;
    u_char                            fresh[NGX_HTTP_CONFLICT_LOCK_TOKEN];
    ngx_msec_t                        idle;
    ngx_uint_t                        quota;      /* of a user; 0: none */
    unsigned                          force:1;

    ngx_http_conflict_lock_result_e   result;
    ngx_str_t                         holder;     /* on the heap, cut */
    ngx_str_t                         origin;     /* client of the holder, in
                                                     the same memory */
    int64_t                           acquired;   /* microseconds */
    ngx_msec_t                        remaining;  /* until it ends */
} ngx_http_conflict_lock_t;


/*
 * An operation.  It is allocated with the key, outlives its request, and is
 * used for one write or read from its begin or peek to its settle.
 */

struct ngx_http_conflict_op_s {
    ngx_http_conflict_store_t        *store;
    ngx_http_request_t               *request;    /* NULL: it is gone */
    ngx_http_conflict_done_pt         done;
    void                             *data;       /* freed with it */
    ngx_str_t                         key;
    ngx_int_t                         rc;         /* once it is done */
    unsigned                          busy:1;     /* with the store */
    unsigned                          renewing:1; /* the same, a renewal */
    unsigned                          released:1; /* for the store to free */
    ngx_uint_t                        calls;      /* settles and renewals that
                                                     are not answered yet */

    /*
     * Runs where a commit or abandon that was not answered at once finds that
     * the lease was lost; its data is freed with the operation.
     */
    ngx_http_conflict_done_pt         lost_handler;
    void                             *lost_data;

    /* the client, what it wants of a lock, and the lock that was found */
    ngx_http_conflict_lock_t          lock;

    struct {
        conflict_policy_e             policy;
        conflict_precondition_t       pre;
        ngx_msec_t                    lease;
        ngx_msec_t                    quarantine; /* of abandon, msec */
        uint64_t                      fingerprint;    /* 0: no replay */
        uint64_t                      view;       /* of the request; 0: none */
        ngx_uint_t                    records;    /* of history; 0: none */
        size_t                        record_bytes;   /* of them together */
        ngx_msec_t                    record_ttl;
        unsigned                      part:1;     /* the view may show a part:
                                                     it proves nothing */
        unsigned                      minted:1;   /* the module's versions */
        unsigned                      just_observed:1;
        unsigned                      wait_over:1;    /* has waited enough */
        unsigned                      report:1;   /* lease it in any case */
        unsigned                      reads:1;    /* it writes nothing: a lock
                                                     does not matter */
        unsigned                      mixed:1;    /* a link that was merged */
        unsigned                      unlinked:1; /* recall: of pre.base,
                                                     whatever the link */

        /* what a response has shown of the resource, to observe or commit */

        struct {
            uint64_t                  version;    /* upstream's; 0: none */
            uint64_t                  body;       /* its hash; 0: none */
            uint64_t                  view;       /* that it was shown in */
            int64_t                   mtime;      /* or CONFLICT_TIME_NONE */
            conflict_existence_e      existence;
            unsigned                  latest:1;   /* by a GET of our own */
        } observed;
    } in;

    struct {
        ngx_http_conflict_store_error_e  error;
        conflict_verdict_e            verdict;
        conflict_state_e              state;
        uint64_t                      version;
        uint64_t                      fence;      /* of the lease, or last */
        uint64_t                      body;       /* hash noted; 0: none */
        uint64_t                      body_view;  /* that it was shown in */
        int64_t                       mtime;
        conflict_existence_e          existence;
        ngx_msec_t                    wait;       /* until it may change */
        unsigned                      second_reused:1;    /* by "mtime": see
                                                     conflict_mtime_next */
        unsigned                      mtime_exact:1;
        unsigned                      store_behind:1; /* a base newer than
                                                     known */
        unsigned                      settling:1; /* the store is new, and
                                                     knows no more in "wait" */
        unsigned                      present:1;  /* there was an entry */
        unsigned                      header:1;   /* a stale header base */
        unsigned                      leased:1;
        unsigned                      external:1; /* changed behind us */
        unsigned                      applied:1;  /* observe: it was taken */
        unsigned                      log:1;      /* worth a line now */

        /* of the history: a peek looks for this version in this view */

        unsigned                      history_has:1;

        /* and a recall for the base, as this view has shown it */

        unsigned                      base_held:1;
        unsigned                      late:1;     /* it has a later link of
                                                     this chain */
        unsigned                      repeat:1;   /* it has this write */
        unsigned                      certain:1;  /* which was seen to pass */
        ngx_str_t                     base_body;  /* on the heap, as is */
        ngx_str_t                     made_body;  /* what that write has made */

        /*
         * Of the lease, by ngx_http_conflict_clock_msec(): when the begin or
         * renewal was made that the store has granted last, so that no other
         * write is let in before in.lease and in.quarantine have passed
         * since; and when the one was made that is not answered yet.
         */

        int64_t                       acked;
        int64_t                       asked;

        /* another write was let in over it, as if this one were over */

        unsigned                      lost:1;
    } out;

    /* private to the store in Redis */

    struct {
        uint64_t                      token;      /* of the lease */
        int64_t                       sent;       /* usec, by our clock */
        int64_t                       clock;      /* the store's, less ours */
        ngx_int_t                   (*decode)(ngx_http_conflict_op_t *op,
                                              ngx_str_t *answer);
        ngx_int_t                   (*after)(ngx_http_conflict_op_t *op);
        unsigned                      overlap:1;  /* leased over another */
    } redis;
};


/* a body under a version, or what a link of a chain has made */

typedef struct {
    uint64_t                          version;    /* or word of the link */
    uint64_t                          fingerprint;    /* of its write; or 0 */
    uint64_t                          view;       /* that shows it; 0: none */
    ngx_str_t                         body;
    uint64_t                          hash;       /* of one that is not here,
                                                     by conflict_hash_64(), seed
                                                     0; 0: it is not known */
    unsigned                          certain:1;  /* the write has passed */
    unsigned                          shown:1;    /* 0: as it was sent on */
    unsigned                          read:1;     /* of a version that was
                                                     asked for first: as keep()
                                                     says */
    unsigned                          torn:1;     /* it may be of another */
    unsigned                          link:1;     /* gives way to later ones of
                                                     its chain; empty: it is
                                                     not known */
} ngx_http_conflict_record_t;


/*
 * Every call returns NGX_OK: the answer is in "op" now; NGX_AGAIN:
 * op->done(op) will run exactly once, later, never before the return, and
 * op->rc is what would have been returned; or NGX_ERROR: the store cannot
 * answer, op->out.error says why.  Compare and lease are one atomic step.
 *
 * Renew, commit, cancel and abandon never return NGX_AGAIN: a store that is
 * elsewhere sees to it by itself, and tells what it will come to.  Whether a
 * renewal has held the lease is in op->out.acked, and what a commit or abandon
 * has found in op->out.lost; with op->calls they are not known yet.
 */

typedef struct {
    /*
     * Checks lock, policy and preconditions, and takes the lease where the
     * verdict is CONFLICT_PASS, CONFLICT_OVERWRITE or CONFLICT_COMBINE, or
     * op->in.report is set.  A write by its holder renews a lock.
     */
    ngx_http_conflict_op_pt           begin;

    /* Holds the lease for another op->in.lease. */
    ngx_http_conflict_op_pt           renew;

    /* The write is done: its fence, or observed.version, is the version. */
    ngx_http_conflict_op_pt           commit;

    /* The write did not happen. */
    ngx_http_conflict_op_pt           cancel;

    /* Nobody knows whether it did, or will within op->in.quarantine. */
    ngx_http_conflict_op_pt           abandon;

    /*
     * The version before a read; with minted versions a resource that has
     * none gets one.
     */
    ngx_http_conflict_op_pt           peek;

    /*
     * Tells what a read has shown, if nothing changed since its peek or begin.
     * What a client was shown moves no entry to another version: at most it
     * makes one unknown.  With observed.latest it ends an unknown state.
     */
    ngx_http_conflict_op_pt           observe;

    /*
     * Keeps a body, which is copied; it may as well not, as it forgets the
     * oldest ones.  The first body of a version stays for each view, but one
     * that was not shown gives way to one that was.  Never NGX_AGAIN.
     *
     * With row->read only if nothing has begun since op's peek, begin or
     * commit, and it is not torn.  Else, as a base, its view has no body of
     * that version any more but this one, or none where that is not known: a
     * client may go on from either.
     */
    ngx_int_t                       (*keep)(ngx_http_conflict_op_t *op,
                                            ngx_http_conflict_record_t *row);

    /*
     * Finds the body of op->in.pre.base as op->in.view was shown it, and what
     * the write with op->in.fingerprint has made.  The base of a link but the
     * first is what the link before it has made.
     */
    ngx_http_conflict_op_pt           recall;

    /*
     * Does op->lock.verb and fills in the lock; of what is acquired the
     * token is lock.fresh, of what is renewed lock.token.  Tells the version
     * as well, where it is known: op->out.state is CONFLICT_FREE then.
     */
    ngx_http_conflict_op_pt           lock;

    /*
     * Adds a line, without its end, to the store's audit stream; NULL where
     * it has none.
     */
    ngx_int_t                       (*audit)(ngx_http_conflict_store_t *store,
                                             ngx_str_t *key, ngx_str_t *line);

    /* Counts were added to a tally of this store; NULL: nobody asks. */
    void                            (*counted)(
                                             ngx_http_conflict_store_t *store);

    /* Fills in what it can tell, now or later: see snapshot.h. */
    void                            (*snapshot)(
                                 struct ngx_http_conflict_snapshot_s *snapshot);
} ngx_http_conflict_store_ops_t;


struct ngx_http_conflict_store_s {
    ngx_str_t                              name;
    const ngx_http_conflict_store_ops_t   *ops;
    void                                  *data;

    /* the longest of all locations that use it, milliseconds */
    ngx_msec_t                             lease;
    ngx_msec_t                             quarantine;

    ngx_http_conflict_store_stats_t       *stats;     /* or NULL */
    ngx_event_t                            report;    /* of what is counted */

    /* those that must be gone first */
    ngx_http_conflict_predecessor_t       *predecessors;
    ngx_uint_t                             n_predecessors;
    ngx_msec_t                             predecessors_checked;

    ngx_str_t                              identity;  /* where it is */
    size_t                                 history_size;
    unsigned                               locks:1;   /* some may be held */
    unsigned                               owned:1;   /* some versions are */
    unsigned                               moved:1;   /* routes came to it */
    ngx_uint_t                             line;      /* of its directive */
    ngx_uint_t                             dropped;   /* of its stream */
    ngx_uint_t                             unsettled; /* writes */
    ngx_msec_t                             dropped_logged;
    ngx_msec_t                             unsettled_logged;
    ngx_msec_t                             incarnation_logged;
};


/*
 * Makes an operation on "key", which is copied; "r" may be NULL.  "bases" is
 * room for that many versions, for op->in.pre to point to.
 */
ngx_http_conflict_op_t *ngx_http_conflict_op_create(ngx_http_request_t *r,
    ngx_http_conflict_store_t *store, ngx_str_t *key, ngx_uint_t bases);

/*
 * The request is done with the operation: it is freed now, or by the store
 * where that is still busy with it.
 */
void ngx_http_conflict_op_release(ngx_http_conflict_op_t *op);

/* A store has answered: frees it, if that was what it was kept for. */
void ngx_http_conflict_op_answered(ngx_http_conflict_op_t *op);

/*
 * Notes the lock that was found, whose texts are copied.
 */
void ngx_http_conflict_op_lock_found(ngx_http_conflict_op_t *op,
    ngx_str_t *holder, ngx_str_t *origin);

/* 1 where both tokens are the same; takes the same time in any case. */
ngx_uint_t ngx_http_conflict_op_token_equal(const u_char *a, const u_char *b);

/* Frees the bodies of a recall; copies one into the operation, for that. */
void ngx_http_conflict_op_forget(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_op_copy(ngx_str_t *dst, u_char *data, size_t len);

/*
 * Room for versions that op->in.pre points to, "bases" of them.
 */
#define ngx_http_conflict_op_bases(op)  ((uint64_t *) ((op) + 1))

/* The link that its commit notes, and whose records a recall looks at; or 0. */
#define ngx_http_conflict_op_chain(op)                                        \
    (((op)->in.pre.kinds & CONFLICT_CHAIN) && !(op)->in.unlinked              \
     ? (op)->in.pre.chain : 0)


/*
 * The shared-memory store: declares its zone, of "size" bytes.
 */
extern const ngx_http_conflict_store_ops_t  ngx_http_conflict_shm_ops;

ngx_int_t ngx_http_conflict_shm_zone_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store, size_t size);

/*
 * When the new cycle is certain, and ngx_cycle still the one before: 1 where
 * the zone is a new one in the place of another.
 */
ngx_uint_t ngx_http_conflict_shm_zone_renewed(ngx_http_conflict_store_t *store);

/*
 * The same, once its predecessors are known: "old" is the store of the last
 * configuration that it continues, or NULL.  Touches no shared memory, which
 * the old workers are using: the new ones find out that all these are gone.
 */
void ngx_http_conflict_shm_zone_enter(ngx_http_conflict_store_t *store,
    ngx_http_conflict_store_t *old);

/*
 * A second zone, for its history, where a route wants one; 0 as the store's
 * "history_size": of the size of the first.
 */
ngx_int_t ngx_http_conflict_shm_history_zone_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store);


/*
 * The Redis store; its data is a client of ngx_http_conflict_redis_client.h.
 */
extern const ngx_http_conflict_store_ops_t  ngx_http_conflict_redis_ops;

/*
 * Which store it is: addresses, database, prefix and the like, but not how
 * the client connects.  NULL: no memory.
 */
ngx_str_t *ngx_http_conflict_redis_move_identity(ngx_pool_t *pool,
    ngx_http_conflict_store_t *store);

/*
 * When the new cycle is certain.  "move": routes were moved to this store,
 * that is the id of it; 0: none were, but the server may still have to learn
 * of those that were moved to "old", the same store before, or NULL.
 */
ngx_int_t ngx_http_conflict_redis_move_enter(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_store_t *old,
    uint64_t move);


#endif /* _NGX_HTTP_CONFLICT_STORE_H_INCLUDED_ */
