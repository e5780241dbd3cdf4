
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the advice: what it is put together from.
 */


#ifndef _CONFLICT_ADVICE_WORDS_H_INCLUDED_
#define _CONFLICT_ADVICE_WORDS_H_INCLUDED_


#include "core/policy/conflict_advice.h"


/* How many passed without a check; 20 of 21 writes sent no base ... */
uint64_t conflict_advice_words_gap_count(const conflict_advice_in_t *in);
void conflict_advice_words_gaps(const conflict_advice_in_t *in,
    conflict_buffer_t  *out);

/* A line of the cost: "what" it is, and how many writes it "would" meet. */
void conflict_advice_words_cost(const conflict_advice_in_t *in,
    conflict_advice_t *advice, const char *what, uint64_t n,
    const char *would);

/* Whatever the policy is. */
void conflict_advice_words_notes(const conflict_advice_in_t *in,
    conflict_advice_t *advice);

/* 5 of 2,000 writes in 30 days ...; 5 of 2,000 writes; 2,000. */
void conflict_advice_words_numbers(const conflict_advice_in_t *in,
    conflict_buffer_t  *out, uint64_t n, const char *what);
void conflict_advice_words_share(const conflict_advice_in_t *in,
    conflict_buffer_t  *out, uint64_t n);
void conflict_advice_words_figure(conflict_buffer_t *out, uint64_t n);

/* The fields that differed; a line for each that has no rule. */
void conflict_advice_words_fields(const conflict_advice_in_t *in,
    conflict_buffer_t  *out);
void conflict_advice_words_rules(const conflict_advice_in_t *in,
    conflict_buffer_t  *out, const char *rule);

/* Clients choose these names: what is no word there is not to be copied. */
int conflict_advice_words_plain(const conflict_advice_field_t *field);


#endif /* _CONFLICT_ADVICE_WORDS_H_INCLUDED_ */
