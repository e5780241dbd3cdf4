
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * From counts of a route to a sentence of advice: is its policy the right
 * one, and if not, what to write in its place.
 */


#ifndef _CONFLICT_ADVICE_H_INCLUDED_
#define _CONFLICT_ADVICE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/policy/conflict_decide.h"
#include "core/text/conflict_buffer.h"


#define CONFLICT_ADVICE_DAYS    30     /* that counts are of, at most */
#define CONFLICT_ADVICE_WEEK    7
#define CONFLICT_ADVICE_FIELDS  3

/* stale writes: up to so many in 30 days are few, so many a day are many */
#define CONFLICT_ADVICE_FEW     10
#define CONFLICT_ADVICE_MANY    10

/* where no week was counted yet: so many stale ones of so many writes are */
#define CONFLICT_ADVICE_STALE   100
#define CONFLICT_ADVICE_WRITES  1000


/* KEEP: nothing speaks against the policy, and all writes were checked */

typedef enum {
    CONFLICT_ADVICE_KEEP = 0,
    CONFLICT_ADVICE_WATCH,
    CONFLICT_ADVICE_CHANGE
} conflict_advice_e;


/* what the administrator has chosen for a field, a part or the whole of it */

typedef enum {
    CONFLICT_ADVICE_NO_RULE = 0,
    CONFLICT_ADVICE_REJECT,
    CONFLICT_ADVICE_RULE         /* any other one, or nobody knows */
} conflict_advice_rule_e;


typedef struct {
    const unsigned char           *name;
    size_t                         len;
    uint64_t                       n;
    conflict_advice_rule_e         rule;
} conflict_advice_field_t;


/* what was counted in the last days, of the policy that the route has now */

typedef struct {
    conflict_policy_e              policy;
    unsigned                       report;
    unsigned                       require;    /* no base is refused */
    unsigned                       days;       /* 1 to 30: of what follows */
    unsigned                       whole;      /* a week at least */
    uint64_t                       writes;
    uint64_t                       stale;      /* writes, merged ones too */
    uint64_t                       week;       /* those of 7 days of it */
    uint64_t                       clashed;    /* of a merge: not merged */
    uint64_t                       busy;
    uint64_t                       required;
    uint64_t                       external;
    uint64_t                       without_base;   /* writes that passed so */
    uint64_t                       unchecked;      /* the same */
    uint64_t                       unguarded;  /* requests that may be writes */
    uint64_t                       unknown;
    uint64_t                       overlapped;
    conflict_advice_field_t        field[CONFLICT_ADVICE_FIELDS];
    size_t                         fields;     /* the most frequent first */
} conflict_advice_in_t;


typedef struct {
    conflict_advice_e              level;
    conflict_buffer_t              text;       /* a sentence or two */
    conflict_buffer_t              config;     /* lines of nginx.conf */
    conflict_buffer_t              cost;       /* of those, a line each */
    conflict_buffer_t              notes;      /* a line each */
} conflict_advice_t;


/*
 * Fills "advice", which is to be freed in any case; text.failed: no memory.
 */
void conflict_advice(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
void conflict_advice_free(conflict_advice_t *advice);

const char *conflict_advice_name(conflict_advice_e level);


#endif /* _CONFLICT_ADVICE_H_INCLUDED_ */
