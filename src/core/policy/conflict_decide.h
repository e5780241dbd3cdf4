
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The decision: what a write's preconditions are worth against the current
 * version, and what its policy makes of that.  Pure functions on data.
 */


#ifndef _CONFLICT_DECIDE_H_INCLUDED_
#define _CONFLICT_DECIDE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


typedef enum {
    CONFLICT_LWW = 0,
    CONFLICT_CLIENT_WINS,
    CONFLICT_SERVER_WINS,
    CONFLICT_VERSION,
    CONFLICT_MERGE,
    CONFLICT_POLICIES
} conflict_policy_e;


/* what the store knows of the resource */

typedef enum {
    CONFLICT_FREE = 0,       /* its version is current */
    CONFLICT_LEASED,         /* a write is at the upstream */
    CONFLICT_QUARANTINED,    /* a write may still land */
    CONFLICT_UNKNOWN,        /* only a GET can tell */
    CONFLICT_STATES
} conflict_state_e;


typedef enum {
    CONFLICT_NO_BASE = 0,
    CONFLICT_HOLDS,          /* or may hold once the write in flight ends */
    CONFLICT_STALE,          /* whatever becomes of it */
    CONFLICT_UNSURE,         /* a newer base, or nobody knows if it exists */
    CONFLICT_FAILED,         /* stale, by a header: no way around it */
    CONFLICT_CHECKS
} conflict_check_e;


typedef enum {
    CONFLICT_PASS = 0,
    CONFLICT_OVERWRITE,      /* pass, and it is a conflict */
    CONFLICT_DROP,
    CONFLICT_REFUSE,
    CONFLICT_WAIT,
    CONFLICT_FETCH,          /* a GET must tell first */
    CONFLICT_REPLAY,         /* the write that made this version, again */
    CONFLICT_VERIFY,         /* the same if the latest body reflects it */
    CONFLICT_COMBINE,        /* pass, once merged with what is there */
    CONFLICT_LOCKED          /* somebody else has the lock */
} conflict_verdict_e;


#define CONFLICT_BASE            0x01
#define CONFLICT_IF_MATCH        0x02
#define CONFLICT_IF_MATCH_ANY    0x04     /* "*" */
#define CONFLICT_IF_UNMODIFIED   0x08
#define CONFLICT_IF_NONE_MATCH   0x10
#define CONFLICT_IF_NONE_ANY     0x20     /* "*" */
#define CONFLICT_CHAIN           0x40

/* those that are headers of RFC 9110 */
#define CONFLICT_HEADERS                                                      \
    (CONFLICT_IF_MATCH|CONFLICT_IF_MATCH_ANY|CONFLICT_IF_UNMODIFIED           \
     |CONFLICT_IF_NONE_MATCH|CONFLICT_IF_NONE_ANY)


typedef struct {
    unsigned                 kinds;
    uint64_t                 base;
    uint64_t                 chain;            /* word of the link */
    uint64_t                 began;            /* base of its chain; 0: it
                                                  makes the resource */
    const uint64_t          *match;
    size_t                   matches;
    const uint64_t          *none;
    size_t                   nones;
    int64_t                  unmodified;       /* microseconds */
    unsigned                 exact;            /* it has a fraction */
} conflict_precondition_t;


typedef enum {
    CONFLICT_MAY_EXIST = 0,
    CONFLICT_EXISTS,
    CONFLICT_DELETED         /* or never was */
} conflict_existence_e;


typedef struct {
    uint64_t                 version;
    uint64_t                 pending;    /* of the write in flight, or 0 */
    unsigned                 owned;      /* the upstream will say which */
    int64_t                  mtime;      /* CONFLICT_TIME_NONE: unknown */
    unsigned                 twice;
    uint64_t                 chain;      /* the link that made it, or 0 */
    unsigned                 mixed;      /* which was merged: what others have
                                            written is in there, too */
    conflict_existence_e     existence;
} conflict_current_t;


/*
 * Evaluates all preconditions in the order of RFC 9110, 13.2.2, then the
 * base of the body; all must hold.  A header that fails forbids the method
 * (13.1.1), a base of the body does not.  "fresh" says that the current
 * version was just fetched.
 *
 * A link of a chain holds where its chain's base does, or where all that was
 * written since are links of it that came before this one.  One that comes
 * after a later link has failed: it is not to be merged either.
 */
conflict_check_e conflict_decide_precondition(
    const conflict_precondition_t *pre, const conflict_current_t *current,
    unsigned fresh);

conflict_verdict_e conflict_decide(conflict_policy_e policy,
    conflict_state_e state, conflict_check_e check);


#endif /* _CONFLICT_DECIDE_H_INCLUDED_ */
