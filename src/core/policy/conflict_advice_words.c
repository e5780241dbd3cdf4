
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The phrases of the advice: numbers, shares, fields, the cost of a proposal,
 * and the notes, which are the same for all policies.
 */


#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/policy/conflict_advice_words.h"


static void conflict_advice_words_notes_more(const conflict_advice_in_t *in,
    conflict_buffer_t *notes);
static uint64_t conflict_advice_words_daily(const conflict_advice_in_t *in);


uint64_t
conflict_advice_words_gap_count(const conflict_advice_in_t *in)
{
    return in->without_base + in->unchecked + in->unguarded;
}


void
conflict_advice_words_gaps(const conflict_advice_in_t *in,
    conflict_buffer_t *out)
{
    if (in->without_base) {
        conflict_advice_words_share(in, out, in->without_base);
        conflict_buffer_text(out, (in->without_base == 1)
                                  ? " sent no base and was not checked"
                                  : " sent no base and were not checked");
    }

    if (in->unchecked) {
        conflict_buffer_text(out, in->without_base ? ", " : "");
        conflict_advice_words_share(in, out, in->unchecked);
        conflict_buffer_text(out, " passed unchecked");
    }

    if (in->unguarded) {
        conflict_buffer_text(out, (in->without_base || in->unchecked) ? ", "
                                                                      : "");
        conflict_advice_words_figure(out, in->unguarded);
        conflict_buffer_text(out, (in->unguarded == 1)
                                  ? " request by a method that is not guarded "
                                    "was not checked"
                                  : " requests by methods that are not guarded "
                                    "were not checked");
    }
}


void
conflict_advice_words_cost(const conflict_advice_in_t *in,
    conflict_advice_t *advice, const char *what, uint64_t n, const char *would)
{
    conflict_buffer_text(&advice->cost, what);
    conflict_buffer_text(&advice->cost, ": ");
    conflict_advice_words_share(in, &advice->cost, n);
    conflict_buffer_text(&advice->cost, " ");
    conflict_buffer_text(&advice->cost, would);
    conflict_buffer_text(&advice->cost, ".\n");
}


void
conflict_advice_words_notes(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    conflict_buffer_t  *notes;

    notes = &advice->notes;

    if (in->without_base) {
        conflict_buffer_text(notes, "A write without a base may overwrite any "
                                    "change: clients must send If-Match or "
                                    "base_version");
        conflict_buffer_text(notes, in->require
                                    ? ".\n"
                                    : "; \"conflict_require on\" refuses "
                                      "those that do not, with 428.\n");
    }

    if (in->unchecked) {
        conflict_advice_words_figure(notes, in->unchecked);
        conflict_buffer_text(notes, " writes passed unchecked, because the "
                                    "store did not answer, their base or body "
                                    "could not be parsed, or "
                                    "\"conflict_key\" was empty; "
                                    "\"conflict_store_error refuse\" stops the "
                                    "first.\n");
    }

    if (in->unguarded) {
        conflict_buffer_text(notes, "List the methods that write in "
                                    "\"conflict_methods\"; for other requests, "
                                    "such as a POST that searches or logs in, "
                                    "use a separate location with \"conflict "
                                    "off\".\n");
    }

    if (in->external) {
        conflict_advice_words_figure(notes, in->external);
        conflict_buffer_text(notes, " changes bypassed the proxy: their "
                                    "writers are not checked.\n");
    }

    if (in->overlapped) {
        conflict_advice_words_figure(notes, in->overlapped);
        conflict_buffer_text(notes, " writes overlapped with another one: one "
                                    "of the two may be lost. Check whether the "
                                    "store was unreachable or a worker was "
                                    "stopped.\n");
    }

    if (in->required) {
        conflict_advice_words_figure(notes, in->required);
        conflict_buffer_text(notes, " writes had no base and were refused: "
                                    "their clients must send If-Match or "
                                    "base_version.\n");
    }

    conflict_advice_words_notes_more(in, notes);
}


static void
conflict_advice_words_notes_more(const conflict_advice_in_t *in,
    conflict_buffer_t *notes)
{
    if (in->busy >= CONFLICT_ADVICE_MANY && in->busy >= in->writes / 100) {
        conflict_advice_words_figure(notes, in->busy);
        conflict_buffer_text(notes, " writes gave up waiting for another one: "
                                    "the upstream is slow, or "
                                    "\"conflict_wait\" is too short.\n");
    }

    if (in->unknown >= CONFLICT_ADVICE_MANY
        && in->unknown >= in->writes / 100)
    {
        conflict_advice_words_figure(notes, in->unknown);
        conflict_buffer_text(notes, " writes had an unknown outcome (timeouts, "
                                    "5xx): a GET resolved it before the next "
                                    "write.\n");
    }
}


static uint64_t
conflict_advice_words_daily(const conflict_advice_in_t *in)
{
    uint64_t  days;

    days = (in->days < CONFLICT_ADVICE_WEEK) ? in->days : CONFLICT_ADVICE_WEEK;

    return (in->week + days / 2) / days;
}


void
conflict_advice_words_numbers(const conflict_advice_in_t *in,
    conflict_buffer_t *out, uint64_t n, const char *what)
{
    uint64_t  daily;

    conflict_advice_words_share(in, out, n);

    if (in->days == 1) {
        conflict_buffer_text(out, " in a day ");

    } else {
        conflict_buffer_text(out, " in ");
        conflict_advice_words_figure(out, in->days);
        conflict_buffer_text(out, " days ");
    }

    conflict_buffer_text(out, what);

    daily = conflict_advice_words_daily(in);

    if (in->days > 1 && daily && n) {
        conflict_buffer_text(out, " (this week ");
        conflict_advice_words_figure(out, daily);
        conflict_buffer_text(out, " stale writes a day)");
    }

    conflict_buffer_text(out, ".");
}


void
conflict_advice_words_share(const conflict_advice_in_t *in,
    conflict_buffer_t *out, uint64_t n)
{
    if (n == 0) {
        conflict_buffer_text(out, "none");

    } else {
        conflict_advice_words_figure(out, n);
    }

    conflict_buffer_text(out, " of ");
    conflict_advice_words_figure(out, in->writes);
    conflict_buffer_text(out, (in->writes == 1) ? " write" : " writes");
}


void
conflict_advice_words_fields(const conflict_advice_in_t *in,
    conflict_buffer_t *out)
{
    size_t  i;

    for (i = 0; i < in->fields; i++) {
        conflict_buffer_text(out, (i == 0) ? " The two bodies differed in "
                                           : ", ");
        conflict_buffer_add(out, in->field[i].name, in->field[i].len);
        conflict_buffer_text(out, " (");
        conflict_advice_words_figure(out, in->field[i].n);
        conflict_buffer_text(out,
                             (in->field[i].rule == CONFLICT_ADVICE_REJECT)
                             ? ", refused by its rule)" : ")");
    }

    if (in->fields) {
        conflict_buffer_text(out, ".");
    }
}


void
conflict_advice_words_rules(const conflict_advice_in_t *in,
    conflict_buffer_t *out, const char *rule)
{
    size_t  i;

    for (i = 0; i < in->fields; i++) {

        if (in->field[i].rule != CONFLICT_ADVICE_NO_RULE
            || !conflict_advice_words_plain(&in->field[i]))
        {
            continue;
        }

        conflict_buffer_text(out, "conflict_field ");
        conflict_buffer_add(out, in->field[i].name, in->field[i].len);
        conflict_buffer_text(out, " ");
        conflict_buffer_text(out, rule);
        conflict_buffer_text(out, ";\n");
    }
}


int
conflict_advice_words_plain(const conflict_advice_field_t *field)
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
conflict_advice_words_figure(conflict_buffer_t *out, uint64_t n)
{
    char    text[32];
    size_t  i, len;

    len = (size_t) snprintf(text, sizeof(text), "%" PRIu64, n);

    for (i = 0; i < len; i++) {

        if (i && (len - i) % 3 == 0) {
            conflict_buffer_text(out, ",");
        }

        conflict_buffer_add(out, &text[i], 1);
    }
}
