
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the advice: the phrases that it consists of.
 */


#ifndef _CONFLICT_ADVICE_WORDS_H_INCLUDED_
#define _CONFLICT_ADVICE_WORDS_H_INCLUDED_


#include "core/policy/conflict_advice.h"


/* The number of unchecked requests; "20 of 21 writes sent no base ...". */
uint64_t conflict_advice_words_gap_count(const conflict_advice_in_t *in);
void conflict_advice_words_gaps(const conflict_advice_in_t *in,
    conflict_buffer_t *out);

/* Adds a line of the cost: "what": N of M writes "would". */
void conflict_advice_words_cost(const conflict_advice_in_t *in,
    conflict_advice_t *advice, const char *what, uint64_t n,
    const char *would);

/* Adds the notes, which do not depend on the policy. */
void conflict_advice_words_notes(const conflict_advice_in_t *in,
    conflict_advice_t *advice);

/* "5 of 2,000 writes in 30 days ..."; "5 of 2,000 writes"; "2,000". */
void conflict_advice_words_numbers(const conflict_advice_in_t *in,
    conflict_buffer_t *out, uint64_t n, const char *what);
void conflict_advice_words_share(const conflict_advice_in_t *in,
    conflict_buffer_t *out, uint64_t n);
void conflict_advice_words_figure(conflict_buffer_t *out, uint64_t n);

/* The fields that differed; a directive for each that has no rule. */
void conflict_advice_words_fields(const conflict_advice_in_t *in,
    conflict_buffer_t *out);
void conflict_advice_words_rules(const conflict_advice_in_t *in,
    conflict_buffer_t *out, const char *rule);

/*
 * 1 if a name is safe in a configuration.  Clients choose these names, and
 * administrators copy the advice.
 */
int conflict_advice_words_plain(const conflict_advice_field_t *field);


#endif /* _CONFLICT_ADVICE_WORDS_H_INCLUDED_ */
