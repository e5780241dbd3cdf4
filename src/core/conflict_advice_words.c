
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The words of the advice: numbers, shares, fields, what a proposal costs,
 * and the notes, which are the same for all policies.
 */


#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conflict_advice_words.h"


static void conflict_advice_notes_more(const conflict_advice_in_t *in,
    conflict_out_t *notes);
static uint64_t conflict_advice_daily(const conflict_advice_in_t *in);


uint64_t
conflict_advice_gaps(const conflict_advice_in_t *in)
{
    return in->without_base + in->unchecked + in->unguarded;
}


void
conflict_advice_say_gaps(const conflict_advice_in_t *in, conflict_out_t *out)
{
    if (in->without_base) {
        conflict_advice_share(in, out, in->without_base);
        conflict_out_text(out, (in->without_base == 1)
                               ? " sent no base and was not checked"
                               : " sent no base and were not checked");
    }

    if (in->unchecked) {
        conflict_out_text(out, in->without_base ? ", " : "");
        conflict_advice_share(in, out, in->unchecked);
        conflict_out_text(out, " passed unchecked");
    }

    if (in->unguarded) {
        conflict_out_text(out, (in->without_base || in->unchecked) ? ", "
                                                                   : "");
        conflict_advice_figure(out, in->unguarded);
        conflict_out_text(out, (in->unguarded == 1)
                               ? " request by a method that is not guarded "
                                 "was not checked"
                               : " requests by methods that are not guarded "
                                 "were not checked");
    }
}


/* "what" it is, and how many of the writes it "would" have met */

void
conflict_advice_cost(const conflict_advice_in_t *in,
    conflict_advice_t *advice, const char *what, uint64_t n,
    const char *would)
{
    conflict_out_text(&advice->cost, what);
    conflict_out_text(&advice->cost, ": ");
    conflict_advice_share(in, &advice->cost, n);
    conflict_out_text(&advice->cost, " ");
    conflict_out_text(&advice->cost, would);
    conflict_out_text(&advice->cost, ".\n");
}


/* whatever the policy is */

void
conflict_advice_notes(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    conflict_out_t  *notes;

    notes = &advice->notes;

    if (in->without_base) {
        conflict_out_text(notes, "What a write without a base overwrites, "
                                 "nobody knows: clients must send If-Match "
                                 "or base_version");
        conflict_out_text(notes, in->require ? ".\n"
                                 : "; \"conflict_require on\" refuses those "
                                   "that do not, with 428.\n");
    }

    if (in->unchecked) {
        conflict_advice_figure(notes, in->unchecked);
        conflict_out_text(notes, " writes passed unchecked, as the store did "
                                 "not answer, or their base or body could "
                                 "not be read; \"conflict_store_error "
                                 "refuse\" stops those of the store.\n");
    }

    if (in->unguarded) {
        conflict_out_text(notes, "Name the methods that write in "
                                 "\"conflict_methods\"; where others than "
                                 "these do not, as a POST that searches or "
                                 "logs in, \"conflict off\" in a location "
                                 "of their own says so.\n");
    }

    if (in->external) {
        conflict_advice_figure(notes, in->external);
        conflict_out_text(notes, " changes did not come through here: "
                                 "writers that bypass the proxy are not "
                                 "checked.\n");
    }

    if (in->overlapped) {
        conflict_advice_figure(notes, in->overlapped);
        conflict_out_text(notes, " writes came to an end after another was "
                                 "let in: one of both may be lost. Was the "
                                 "store out of reach, or a worker stopped?\n");
    }

    if (in->required) {
        conflict_advice_figure(notes, in->required);
        conflict_out_text(notes, " writes had no base and were refused: "
                                 "their clients must send If-Match or "
                                 "base_version.\n");
    }

    conflict_advice_notes_more(in, notes);
}


static void
conflict_advice_notes_more(const conflict_advice_in_t *in,
    conflict_out_t *notes)
{
    if (in->busy >= CONFLICT_ADVICE_MANY && in->busy >= in->writes / 100) {
        conflict_advice_figure(notes, in->busy);
        conflict_out_text(notes, " writes gave up waiting for another one: "
                                 "the upstream is slow, or conflict_wait "
                                 "too short.\n");
    }

    if (in->unknown >= CONFLICT_ADVICE_MANY
        && in->unknown >= in->writes / 100)
    {
        conflict_advice_figure(notes, in->unknown);
        conflict_out_text(notes, " writes got no clear answer from the "
                                 "upstream (timeouts, 5xx): their resources "
                                 "were looked at again before the next "
                                 "write.\n");
    }
}


static uint64_t
conflict_advice_daily(const conflict_advice_in_t *in)
{
    uint64_t  days;

    days = (in->days < CONFLICT_ADVICE_WEEK) ? in->days : CONFLICT_ADVICE_WEEK;

    return (in->week + days / 2) / days;
}


/* 5 of 2,000 writes in 30 days overwrote ... */

void
conflict_advice_numbers(const conflict_advice_in_t *in, conflict_out_t *out,
    uint64_t n, const char *what)
{
    uint64_t  daily;

    conflict_advice_share(in, out, n);

    if (in->days == 1) {
        conflict_out_text(out, " in a day ");

    } else {
        conflict_out_text(out, " in ");
        conflict_advice_figure(out, in->days);
        conflict_out_text(out, " days ");
    }

    conflict_out_text(out, what);

    daily = conflict_advice_daily(in);

    if (in->days > 1 && daily && n) {
        conflict_out_text(out, " (this week ");
        conflict_advice_figure(out, daily);
        conflict_out_text(out, " stale ones a day)");
    }

    conflict_out_text(out, ".");
}


void
conflict_advice_share(const conflict_advice_in_t *in, conflict_out_t *out,
    uint64_t n)
{
    if (n == 0) {
        conflict_out_text(out, "none");

    } else {
        conflict_advice_figure(out, n);
    }

    conflict_out_text(out, " of ");
    conflict_advice_figure(out, in->writes);
    conflict_out_text(out, (in->writes == 1) ? " write" : " writes");
}


void
conflict_advice_fields(const conflict_advice_in_t *in, conflict_out_t *out)
{
    size_t  i;

    for (i = 0; i < in->fields; i++) {
        conflict_out_text(out, (i == 0) ? " The two bodies differed in "
                                        : ", ");
        conflict_out_add(out, in->field[i].name, in->field[i].len);
        conflict_out_text(out, " (");
        conflict_advice_figure(out, in->field[i].n);
        conflict_out_text(out,
                          (in->field[i].rule == CONFLICT_ADVICE_REJECT)
                          ? ", refused by its rule)" : ")");
    }

    if (in->fields) {
        conflict_out_text(out, ".");
    }
}


/* of fields for which the administrator has chosen none */

void
conflict_advice_rules(const conflict_advice_in_t *in, conflict_out_t *out,
    const char *rule)
{
    size_t  i;

    for (i = 0; i < in->fields; i++) {

        if (in->field[i].rule != CONFLICT_ADVICE_NO_RULE
            || !conflict_advice_plain(&in->field[i]))
        {
            continue;
        }

        conflict_out_text(out, "conflict_field ");
        conflict_out_add(out, in->field[i].name, in->field[i].len);
        conflict_out_text(out, " ");
        conflict_out_text(out, rule);
        conflict_out_text(out, ";\n");
    }
}


/* clients choose these names: what is no word there is not to be copied */

int
conflict_advice_plain(const conflict_advice_field_t *field)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < field->len; i++) {
        ch = field->name[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || strchr("/_-.~", ch)))
        {
            return 0;
        }
    }

    return field->len != 0;
}


/* with commas: 1,234,567 */

void
conflict_advice_figure(conflict_out_t *out, uint64_t n)
{
    char    text[32];
    size_t  i, len;

    len = (size_t) snprintf(text, sizeof(text), "%" PRIu64, n);

    for (i = 0; i < len; i++) {

        if (i && (len - i) % 3 == 0) {
            conflict_out_text(out, ",");
        }

        conflict_out_add(out, &text[i], 1);
    }
}
