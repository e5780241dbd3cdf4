
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The table of policies, and the evaluation of preconditions.
 */


#include "core/policy/conflict_decide.h"
#include "core/policy/conflict_chain.h"
#include "core/policy/conflict_mtime.h"
#include "core/policy/conflict_version.h"
#include "core/text/conflict_time.h"


static conflict_check_e conflict_decide_check_match(
    const conflict_precondition_t *pre, const conflict_current_t *current,
    unsigned just_observed, unsigned chained);
static conflict_check_e conflict_decide_check_unmodified(
    const conflict_precondition_t *pre, const conflict_current_t *current);
static conflict_check_e conflict_decide_check_none_match(
    const conflict_precondition_t *pre, const conflict_current_t *current,
    unsigned just_observed);
static conflict_check_e conflict_decide_check_absent(
    const conflict_current_t *current, unsigned just_observed);
static conflict_check_e conflict_decide_check_chain(
    const conflict_precondition_t *pre, const conflict_current_t *current,
    unsigned just_observed);
static conflict_check_e conflict_decide_check_base(uint64_t base,
    const conflict_current_t *current, unsigned just_observed);


/*
 * CONFLICT_BROKEN 1 lets concurrent writes pass: a test that does not detect
 * this proves nothing.
 */

#if (CONFLICT_BROKEN == 1)
#define WAIT       CONFLICT_PASS
#else
#define WAIT       CONFLICT_WAIT
#endif

#define PASS       CONFLICT_PASS
#define OVERWRITE  CONFLICT_OVERWRITE
#define DROP       CONFLICT_DROP
#define REFUSE     CONFLICT_REFUSE
#define FETCH      CONFLICT_FETCH
#define COMBINE    CONFLICT_COMBINE


static const unsigned char  conflict_verdicts
    [CONFLICT_POLICIES + 1][CONFLICT_STATES][CONFLICT_CHECKS] =
{
    /*              no base  holds      stale      unsure     failed */

    { /* lww */
/* free */        { PASS,   PASS,      OVERWRITE, FETCH,     OVERWRITE },
/* leased */      { WAIT,   WAIT,      WAIT,      WAIT,      WAIT },
/* quarantined */ { PASS,   OVERWRITE, OVERWRITE, OVERWRITE, OVERWRITE },
/* unknown */     { PASS,   FETCH,     FETCH,     FETCH,     FETCH }
    },

    { /* client_wins */
/* free */        { PASS,   PASS,      OVERWRITE, FETCH,     OVERWRITE },
/* leased */      { WAIT,   WAIT,      WAIT,      WAIT,      WAIT },
/* quarantined */ { PASS,   OVERWRITE, OVERWRITE, OVERWRITE, OVERWRITE },
/* unknown */     { PASS,   FETCH,     FETCH,     FETCH,     FETCH }
    },

    { /* server_wins */
/* free */        { PASS,   PASS,      DROP,      FETCH,     DROP },
/* leased */      { WAIT,   WAIT,      DROP,      WAIT,      DROP },
/* quarantined */ { WAIT,   WAIT,      DROP,      WAIT,      DROP },
/* unknown */     { PASS,   FETCH,     FETCH,     FETCH,     FETCH }
    },

    { /* version */
/* free */        { PASS,   PASS,      REFUSE,    FETCH,     REFUSE },
/* leased */      { WAIT,   WAIT,      REFUSE,    WAIT,      REFUSE },
/* quarantined */ { WAIT,   WAIT,      REFUSE,    WAIT,      REFUSE },
/* unknown */     { PASS,   FETCH,     FETCH,     FETCH,     FETCH }
    },

    { /* merge */
/* free */        { PASS,   PASS,      COMBINE,   FETCH,     REFUSE },
/* leased */      { WAIT,   WAIT,      WAIT,      WAIT,      REFUSE },
/* quarantined */ { WAIT,   WAIT,      WAIT,      WAIT,      REFUSE },
/* unknown */     { PASS,   FETCH,     FETCH,     FETCH,     FETCH }
    },

    { /* lww by edit time, if the edit is not earlier */
/* free */        { PASS,   PASS,      OVERWRITE, FETCH,     OVERWRITE },
/* leased */      { WAIT,   WAIT,      WAIT,      WAIT,      WAIT },
/* quarantined */ { WAIT,   WAIT,      WAIT,      WAIT,      WAIT },
/* unknown */     { FETCH,  FETCH,     FETCH,     FETCH,     FETCH }
    }
};


conflict_verdict_e
conflict_decide(conflict_policy_e policy, conflict_state_e state,
    conflict_check_e check)
{
    return (conflict_verdict_e) conflict_verdicts[policy][state][check];
}


conflict_verdict_e
conflict_decide_edited(conflict_verdict_e verdict, conflict_check_e check,
    const conflict_precondition_t *pre, const conflict_edit_t *edit,
    const conflict_edit_t *stored)
{
    if (verdict == CONFLICT_FETCH || !conflict_edit_earlier(edit, stored)) {
        return verdict;
    }

    /* "absent", or a date, does not show that the client saw the version */

    if (check == CONFLICT_HOLDS
        && (pre->kinds & (CONFLICT_BASE|CONFLICT_IF_MATCH)
            || (pre->kinds & CONFLICT_CHAIN && pre->chain_base)))
    {
        return verdict;
    }

    return CONFLICT_DROP;
}


unsigned
conflict_decide_contradicts(conflict_existence_e known,
    conflict_existence_e shown)
{
    return (known == CONFLICT_EXISTS && shown == CONFLICT_DELETED)
           || (known == CONFLICT_DELETED && shown == CONFLICT_EXISTS);
}


conflict_check_e
conflict_decide_precondition(const conflict_precondition_t *pre,
    const conflict_current_t *current, unsigned just_observed)
{
    conflict_check_e  check, chain, result;

    if (pre->kinds == 0) {
        return CONFLICT_NO_BASE;
    }

    result = CONFLICT_HOLDS;
    chain = (pre->kinds & CONFLICT_CHAIN)
            ? conflict_decide_check_chain(pre, current, just_observed)
            : CONFLICT_NO_BASE;

    if (pre->kinds & (CONFLICT_IF_MATCH|CONFLICT_IF_MATCH_ANY)) {
        result = conflict_decide_check_match(pre, current, just_observed,
                                             chain == CONFLICT_HOLDS);

    } else if (pre->kinds & CONFLICT_IF_UNMODIFIED) {
        result = conflict_decide_check_unmodified(pre, current);
    }

    if (result != CONFLICT_STALE
        && pre->kinds & (CONFLICT_IF_NONE_MATCH|CONFLICT_IF_NONE_ANY)
        && !(pre->kinds & CONFLICT_IF_NONE_ANY && chain == CONFLICT_HOLDS
             && pre->chain_base == 0))
    {
        check = conflict_decide_check_none_match(pre, current, just_observed);

        if (check != CONFLICT_HOLDS) {
            result = check;
        }
    }

    if (result == CONFLICT_STALE || chain == CONFLICT_FAILED) {
        return CONFLICT_FAILED;
    }

    if (chain != CONFLICT_NO_BASE && chain != CONFLICT_HOLDS) {
        result = chain;
    }

    /* a base equal to that of the chain was checked with the chain */

    if ((pre->kinds & CONFLICT_BASE)
        && !(chain != CONFLICT_NO_BASE && pre->base == pre->chain_base))
    {
        check = conflict_decide_check_base(pre->base, current, just_observed);

        if (check != CONFLICT_HOLDS) {
            result = check;
        }
    }

    return result;
}


static conflict_check_e
conflict_decide_check_match(const conflict_precondition_t *pre,
    const conflict_current_t *current, unsigned just_observed,
    unsigned chained)
{
    size_t  i;

    if (current->existence == CONFLICT_DELETED
        || (current->existence == CONFLICT_NOT_SHOWN
            && (just_observed || current->pending)))
    {
        /* a write in flight may create it */
        return current->pending ? CONFLICT_HOLDS : CONFLICT_STALE;
    }

    if (pre->kinds & CONFLICT_IF_MATCH_ANY) {
        return (current->existence == CONFLICT_EXISTS) ? CONFLICT_HOLDS
                                                       : CONFLICT_UNSURE;
    }

    for (i = 0; i < pre->matches; i++) {

        if (pre->match[i] == current->version
            || (current->pending && pre->match[i] == current->pending)
            || (chained && pre->match[i] == pre->chain_base))
        {
            return CONFLICT_HOLDS;
        }
    }

    /* it may be the version of the write in flight, read already */

    return (current->pending && current->owned) ? CONFLICT_UNSURE
                                                : CONFLICT_STALE;
}


static conflict_check_e
conflict_decide_check_unmodified(const conflict_precondition_t *pre,
    const conflict_current_t *current)
{
    int64_t  date, shown;

    if (current->mtime == CONFLICT_TIME_NONE) {
        /* ignored where there is no modification date (RFC 9110, 13.1.4) */
        return CONFLICT_HOLDS;
    }

    if (pre->exact) {
        date = pre->unmodified;
        shown = current->mtime;

    } else {
        date = pre->unmodified / CONFLICT_TIME_SECOND;
        shown = conflict_mtime_second(current->mtime, current->second_reused);
    }

    /* dates that went back: an earlier version may have had a later one */

    return (date == shown || (date > shown && !current->second_reused))
           ? CONFLICT_HOLDS : CONFLICT_STALE;
}


static conflict_check_e
conflict_decide_check_none_match(const conflict_precondition_t *pre,
    const conflict_current_t *current, unsigned just_observed)
{
    size_t  i;

    if (pre->kinds & CONFLICT_IF_NONE_ANY) {
        return conflict_decide_check_absent(current, just_observed);
    }

    if (current->existence == CONFLICT_DELETED
        || current->existence == CONFLICT_NOT_SHOWN)
    {
        return CONFLICT_HOLDS;
    }

    for (i = 0; i < pre->nones; i++) {

        if (pre->none[i] == current->version) {
            return current->pending ? CONFLICT_HOLDS : CONFLICT_STALE;
        }
    }

    return CONFLICT_HOLDS;
}


static conflict_check_e
conflict_decide_check_absent(const conflict_current_t *current,
    unsigned just_observed)
{
    switch (current->existence) {

    case CONFLICT_DELETED:
    case CONFLICT_NOT_SHOWN:
        /* the 404 may have been due to missing permissions */
        return (just_observed || current->pending) ? CONFLICT_HOLDS
                                                   : CONFLICT_UNSURE;

    case CONFLICT_MAY_EXIST:
        return CONFLICT_UNSURE;

    default: /* CONFLICT_EXISTS */
        /* a write in flight may delete it */
        return current->pending ? CONFLICT_HOLDS : CONFLICT_STALE;
    }
}


static conflict_check_e
conflict_decide_check_chain(const conflict_precondition_t *pre,
    const conflict_current_t *current, unsigned just_observed)
{
    if (conflict_chain_same(pre->chain, current->chain)) {

        if (conflict_chain_number(pre->chain)
            <= conflict_chain_number(current->chain))
        {
            return CONFLICT_FAILED;
        }

        return current->mixed ? CONFLICT_STALE : CONFLICT_HOLDS;
    }

    if (pre->chain_base) {
        return conflict_decide_check_base(pre->chain_base, current,
                                          just_observed);
    }

    if (conflict_chain_number(pre->chain) > 1) {
        /* link 1 has created it: if it does not exist, it was deleted */
        return current->pending ? CONFLICT_HOLDS : CONFLICT_STALE;
    }

    return conflict_decide_check_absent(current, just_observed);
}


static conflict_check_e
conflict_decide_check_base(uint64_t base, const conflict_current_t *current,
    unsigned just_observed)
{
    if (base == current->version
        || (current->pending && base == current->pending))
    {
        return CONFLICT_HOLDS;
    }

    /* a base newer than the current version: the store has lost writes */

    if (!just_observed && base > current->version
        && base < CONFLICT_VERSION_OPAQUE
        && current->version < CONFLICT_VERSION_OPAQUE)
    {
        return CONFLICT_UNSURE;
    }

    return (current->pending && current->owned) ? CONFLICT_UNSURE
                                                : CONFLICT_STALE;
}
