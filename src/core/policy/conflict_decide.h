
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The decision: evaluates the preconditions of a write against the current
 * version, and applies its policy to the result.  Pure functions.
 */


#ifndef _CONFLICT_DECIDE_H_INCLUDED_
#define _CONFLICT_DECIDE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/policy/conflict_edit.h"


typedef enum {
    CONFLICT_LWW = 0,
    CONFLICT_CLIENT_WINS,
    CONFLICT_SERVER_WINS,
    CONFLICT_VERSION,
    CONFLICT_MERGE,
    CONFLICT_POLICIES,
    CONFLICT_EDITED = CONFLICT_POLICIES    /* CONFLICT_LWW by the time of the
                                              edit */
} conflict_policy_e;


/* the state of a resource in the store */

typedef enum {
    CONFLICT_FREE = 0,       /* its version is current */
    CONFLICT_LEASED,         /* a write is in flight */
    CONFLICT_QUARANTINED,    /* a write of unknown outcome may still land */
    CONFLICT_UNKNOWN,        /* only a GET can determine the version */
    CONFLICT_STATES
} conflict_state_e;


typedef enum {
    CONFLICT_NO_BASE = 0,
    CONFLICT_HOLDS,          /* or may hold once the write in flight ends */
    CONFLICT_STALE,          /* whatever the outcome of that write */
    CONFLICT_UNSURE,         /* a newer base, or existence is unknown */
    CONFLICT_FAILED,         /* stale by a header, which forbids the write */
    CONFLICT_CHECKS
} conflict_check_e;


typedef enum {
    CONFLICT_PASS = 0,
    CONFLICT_OVERWRITE,      /* pass, as a conflict */
    CONFLICT_DROP,
    CONFLICT_REFUSE,
    CONFLICT_WAIT,
    CONFLICT_FETCH,          /* a GET must determine the version first */
    CONFLICT_REPLAY,         /* a retry of the write that made this version */
    CONFLICT_VERIFY,         /* a retry, if the latest body reflects it */
    CONFLICT_COMBINE,        /* pass, merged with the latest body */
    CONFLICT_LOCKED          /* another user has the lock */
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
    uint64_t                 chain_base;       /* 0: the chain creates the
                                                  resource */
    const uint64_t          *match;
    size_t                   matches;
    const uint64_t          *none;
    size_t                   nones;
    int64_t                  unmodified;       /* microseconds */
    unsigned                 exact;            /* with a fraction */
} conflict_precondition_t;


typedef enum {
    CONFLICT_MAY_EXIST = 0,
    CONFLICT_EXISTS,
    CONFLICT_DELETED,        /* by a write */
    CONFLICT_NOT_SHOWN       /* a GET was answered with 404, which may be for
                                its caller alone */
} conflict_existence_e;


typedef struct {
    uint64_t                 version;
    uint64_t                 pending;    /* of the write in flight, or 0 */
    unsigned                 owned;      /* the upstream assigns versions */
    int64_t                  mtime;      /* CONFLICT_TIME_NONE: unknown */
    unsigned                 second_reused;
    uint64_t                 chain;      /* the link that made it, or 0 */
    unsigned                 mixed;      /* that link was merged: the version
                                            has changes of others, too */
    conflict_existence_e     existence;
} conflict_current_t;


/* 1 if what a response shows cannot be what is known. */
unsigned conflict_decide_contradicts(conflict_existence_e known,
    conflict_existence_e shown);


/*
 * Evaluates all preconditions in the order of RFC 9110, 13.2.2, then the base
 * in the body; all must hold.  A failed header forbids the method (13.1.1), a
 * stale base in the body does not.  "just_observed": the current version was
 * determined by a GET just now.
 *
 * A link of a chain holds if the base of the chain does, or if all writes since
 * are earlier links of the same chain.  A link that arrives after a later one
 * has failed, and is not merged either.
 */
conflict_check_e conflict_decide_precondition(
    const conflict_precondition_t *pre, const conflict_current_t *current,
    unsigned just_observed);

conflict_verdict_e conflict_decide(conflict_policy_e policy,
    conflict_state_e state, conflict_check_e check);

/*
 * The same under CONFLICT_EDITED, after conflict_decide(): CONFLICT_DROP if the
 * write was made before the edit that is stored, whatever the outcome of a
 * write in flight.  One whose base or tag is the current version was made
 * after it, whatever the clocks say.
 */
conflict_verdict_e conflict_decide_edited(conflict_verdict_e verdict,
    conflict_check_e check, const conflict_precondition_t *pre,
    const conflict_edit_t *edit, const conflict_edit_t *stored);


#endif /* _CONFLICT_DECIDE_H_INCLUDED_ */
