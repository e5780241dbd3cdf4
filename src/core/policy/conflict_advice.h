
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Advice from the counters of a route: whether its policy suits it, and
 * otherwise which configuration does.
 */


#ifndef _CONFLICT_ADVICE_H_INCLUDED_
#define _CONFLICT_ADVICE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/policy/conflict_decide.h"
#include "core/text/conflict_buffer.h"


#define CONFLICT_ADVICE_DAYS    30     /* limit of days counted */
#define CONFLICT_ADVICE_WEEK    7
#define CONFLICT_ADVICE_FIELDS  3

/* stale writes: at most so many in 30 days are few, so many a day are many */
#define CONFLICT_ADVICE_FEW     10
#define CONFLICT_ADVICE_MANY    10

/* before a week was counted: so many stale ones of so many writes are many */
#define CONFLICT_ADVICE_STALE   100
#define CONFLICT_ADVICE_WRITES  1000


/* KEEP: the policy suits the route, and all writes were checked */

typedef enum {
    CONFLICT_ADVICE_KEEP = 0,
    CONFLICT_ADVICE_WATCH,
    CONFLICT_ADVICE_CHANGE
} conflict_advice_e;


/* the rule configured for a field, for a part of it or for what contains it */

typedef enum {
    CONFLICT_ADVICE_NO_RULE = 0,
    CONFLICT_ADVICE_REJECT,
    CONFLICT_ADVICE_RULE         /* any other one, or unknown */
} conflict_advice_rule_e;


typedef struct {
    const unsigned char           *name;
    size_t                         len;
    uint64_t                       n;
    conflict_advice_rule_e         rule;
} conflict_advice_field_t;


/* the counters of the last days under the current policy */

typedef struct {
    conflict_policy_e              policy;
    unsigned                       report;
    unsigned                       require;    /* conflict_require */
    unsigned                       days;       /* counted, 1 to 30 */
    unsigned                       whole;      /* at least a week */
    uint64_t                       writes;
    uint64_t                       stale;      /* with the merged ones */
    uint64_t                       week;       /* stale writes of 7 days */
    uint64_t                       clashed;    /* stale writes not merged */
    uint64_t                       busy;
    uint64_t                       required;
    uint64_t                       external;
    uint64_t                       without_base;   /* that passed */
    uint64_t                       unchecked;      /* that passed */
    uint64_t                       unguarded;  /* requests, maybe writes */
    uint64_t                       unknown;
    uint64_t                       overlapped;
    conflict_advice_field_t        field[CONFLICT_ADVICE_FIELDS];
    size_t                         fields;     /* the most frequent first */
} conflict_advice_in_t;


typedef struct {
    conflict_advice_e              level;
    conflict_buffer_t              text;       /* a sentence or two */
    conflict_buffer_t              config;     /* lines of nginx.conf */
    conflict_buffer_t              cost;       /* of "config", a line each */
    conflict_buffer_t              notes;      /* a line each */
} conflict_advice_t;


/*
 * Fills "advice", which the caller frees; advice->text.failed: no memory.
 */
void conflict_advice(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
void conflict_advice_free(conflict_advice_t *advice);

const char *conflict_advice_name(conflict_advice_e level);


#endif /* _CONFLICT_ADVICE_H_INCLUDED_ */
