
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The advice: one function for each policy, and one for unchecked writes.
 */


#include <string.h>

#include "core/policy/conflict_advice_words.h"
#include "core/merge/conflict_merge.h"


static void conflict_advice_overwrites(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
static void conflict_advice_drops(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
static void conflict_advice_refuses(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
static void conflict_advice_merges(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
static void conflict_advice_reports(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
static void conflict_advice_locks(conflict_advice_t *advice);
static void conflict_advice_begin(const conflict_advice_in_t *in,
    conflict_advice_t *advice, const char *watch, const char *change);
static void conflict_advice_too_early(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
static void conflict_advice_unchecked(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
static conflict_advice_e conflict_advice_level(
    const conflict_advice_in_t *in, uint64_t week, uint64_t month);


static const char  *conflict_advice_names[] = {
    "keep",
    "watch",
    "change"
};


void
conflict_advice(const conflict_advice_in_t *in, conflict_advice_t *advice)
{
    memset(advice, 0, sizeof(conflict_advice_t));

    if (in->writes == 0) {

        if (conflict_advice_words_gap_count(in)) {
            advice->level = CONFLICT_ADVICE_WATCH;
            conflict_advice_words_gaps(in, &advice->text);
            conflict_buffer_text(&advice->text, ".");

        } else {
            conflict_buffer_text(&advice->text, "No writes yet.");
        }

    } else if (in->report) {
        conflict_advice_reports(in, advice);

    } else {

        switch (in->policy) {

        case CONFLICT_LWW:
        case CONFLICT_CLIENT_WINS:
            conflict_advice_overwrites(in, advice);
            break;

        case CONFLICT_SERVER_WINS:
            conflict_advice_drops(in, advice);
            break;

        case CONFLICT_VERSION:
            conflict_advice_refuses(in, advice);
            break;

        default: /* CONFLICT_MERGE */
            conflict_advice_merges(in, advice);
        }

        conflict_advice_unchecked(in, advice);
    }

    conflict_advice_words_notes(in, advice);
}


void
conflict_advice_free(conflict_advice_t *advice)
{
    conflict_buffer_free(&advice->text);
    conflict_buffer_free(&advice->config);
    conflict_buffer_free(&advice->cost);
    conflict_buffer_free(&advice->notes);
}


const char *
conflict_advice_name(conflict_advice_e level)
{
    return conflict_advice_names[level];
}


/* lww, client_wins: a stale write overwrites another client's change */

static void
conflict_advice_overwrites(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    advice->level = conflict_advice_level(in, in->week, in->stale);

    conflict_advice_begin(in, advice,
                          "Keep it only if these changes may be lost: ",
                          "Move to version checks with 409: ");
    conflict_advice_words_numbers(in, &advice->text, in->stale,
                                  "overwrote a change unseen");
    conflict_advice_too_early(in, advice);

    if (in->stale <= CONFLICT_ADVICE_FEW) {
        return;
    }

    conflict_buffer_text(&advice->config,
                         "conflict version report;  "
                         "# see what it would refuse\n"
                         "conflict version;         # then refuse it\n");
    conflict_advice_words_cost(in, advice,
                               "A stale write gets 409 with the latest body, "
                               "and the client must merge the two and write "
                               "again", in->stale, "would have been refused");
}


static void
conflict_advice_drops(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    advice->level = conflict_advice_level(in, in->week, in->stale);

    conflict_advice_begin(in, advice,
                          "Keep it only if these edits may be dropped: ",
                          "Refuse with 409, or merge: ");
    conflict_advice_words_numbers(in, &advice->text, in->stale,
                                  "were dropped and answered with the latest "
                                  "body");
    conflict_advice_words_fields(in, &advice->text);
    conflict_advice_too_early(in, advice);

    if (in->stale <= CONFLICT_ADVICE_FEW) {
        return;
    }

    conflict_buffer_text(&advice->config, "conflict version;\n");
    conflict_advice_words_cost(in, advice,
                               "A stale write gets 409 instead of 200, and the "
                               "client must merge the two and write again",
                               in->stale, "would have been refused");

    if (in->fields) {
        conflict_buffer_text(&advice->config,
                             "# or, so that other fields do not clash:\n"
                             "# conflict merge;\n");
        conflict_buffer_text(&advice->cost,
                             "With merge, edits of different fields are "
                             "combined without asking a user.\n");
    }
}


/*
 * The administrator has chosen to refuse: the proposal still refuses two
 * changes of the same field.
 */

static void
conflict_advice_refuses(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    advice->level = conflict_advice_level(in, in->week, in->stale);

    if (advice->level == CONFLICT_ADVICE_WATCH) {
        advice->level = CONFLICT_ADVICE_KEEP;
    }

    conflict_advice_begin(in, advice, "",
                          in->fields ? "Try merge: "
                                     : "Try locks, which show users who is "
                                       "editing: ");
    conflict_advice_words_numbers(in, &advice->text, in->stale,
                                  "were refused as stale");
    conflict_advice_words_fields(in, &advice->text);

    if (advice->level != CONFLICT_ADVICE_CHANGE) {
        return;
    }

    if (in->fields == 0) {
        conflict_advice_locks(advice);
        return;
    }

    conflict_buffer_text(&advice->config, "conflict merge;\n");
    conflict_advice_words_cost(in, advice,
                               "Edits of different fields are combined without "
                               "asking a user; if both sides have changed the "
                               "same field, and for a stale If-Match, the "
                               "response is 409 as before",
                               in->stale, "might have been merged");
}


static void
conflict_advice_merges(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    size_t              i, n;
    uint64_t            week;
    const char         *rule;
    conflict_buffer_t  *text;

    text = &advice->text;

    /* the share of clashes is taken to be that of the whole period */

    week = in->stale ? in->week * in->clashed / in->stale : 0;

    advice->level = conflict_advice_level(in, week, in->clashed);

    if (advice->level != CONFLICT_ADVICE_CHANGE
        || in->clashed < in->stale / 5)
    {
        advice->level = CONFLICT_ADVICE_KEEP;
    }

    for (i = 0, n = 0; i < in->fields; i++) {
        n += (in->field[i].rule == CONFLICT_ADVICE_NO_RULE
              && conflict_advice_words_plain(&in->field[i]));
    }

    conflict_advice_begin(in, advice, "",
                          n ? "Give these fields a rule that keeps both edits, "
                              "if possible: "
                            : "Try locks, which show users who is editing: ");

    conflict_advice_words_figure(text, in->stale - in->clashed);
    conflict_buffer_text(text, " stale writes were merged and ");
    conflict_advice_words_numbers(in, text, in->clashed,
                                  "were refused because fields clashed");

    if (advice->level == CONFLICT_ADVICE_KEEP) {
        return;
    }

    conflict_advice_words_fields(in, text);

    if (n == 0) {
        conflict_advice_locks(advice);
        return;
    }

    rule = conflict_lines_available() ? "text" : "union";

    conflict_buffer_text(&advice->config,
                         "# choose for each: text, union (lists), "
                         "sum (counters), max, min\n");
    conflict_advice_words_rules(in, &advice->config, rule);
    conflict_advice_words_cost(in, advice,
                               "Both edits of such a field are combined "
                               "without asking a user; writes that cannot be "
                               "merged are refused as before",
                               in->clashed, "clashed");
}


static void
conflict_advice_reports(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    static const char  *policies[] = {
        "lww", "client_wins", "server_wins", "version", "merge"
    };

    static const char  *costs[] = {
        "Nothing is refused, and writes that overwrite a change unseen are "
        "logged",
        "Nothing is refused, and writes that overwrite a change unseen are "
        "logged",
        "A stale write is dropped, and the client gets 200 with the latest "
        "body",
        "A stale write gets 409 with the latest body, and the client must "
        "merge the two and write again",
        "A stale write is merged, or gets 409 where fields clash"
    };

    static const char  *would[] = {
        "would have been logged", "would have been logged",
        "would have been dropped", "would have been refused",
        "would have been refused"
    };

    advice->level = CONFLICT_ADVICE_WATCH;

    conflict_buffer_text(&advice->text, "Nothing is enforced: ");
    conflict_advice_words_numbers(in, &advice->text, in->stale,
                                  "were stale and passed");

    if (conflict_advice_words_gap_count(in)) {
        conflict_buffer_text(&advice->text, " ");
        conflict_advice_words_gaps(in, &advice->text);
        conflict_buffer_text(&advice->text, ".");
    }

    conflict_buffer_text(&advice->config, "conflict ");
    conflict_buffer_text(&advice->config, policies[in->policy]);
    conflict_buffer_text(&advice->config, ";  # without \"report\"\n");

    conflict_advice_words_cost(in, advice, costs[in->policy],
                               (in->policy == CONFLICT_MERGE) ? in->clashed
                                                              : in->stale,
                               would[in->policy]);
    conflict_advice_too_early(in, advice);
}


static void
conflict_advice_locks(conflict_advice_t *advice)
{
    conflict_buffer_text(&advice->config,
                         "location ~ ^/locks(/.*)$ {\n"
                         "    conflict_key $1;\n"
                         "    conflict_lock;\n"
                         "}\n");
    conflict_buffer_text(&advice->cost,
                         "Clients must acquire the lock before they edit, and "
                         "others wait until it is released or expires.\n");
}


/*
 * The first words of the text.  It is "Keep it" only if all writes were
 * checked.
 */

static void
conflict_advice_begin(const conflict_advice_in_t *in,
    conflict_advice_t *advice, const char *watch, const char *change)
{
    conflict_buffer_t  *text;

    text = &advice->text;

    switch (advice->level) {

    case CONFLICT_ADVICE_WATCH:
        conflict_buffer_text(text, watch);
        return;

    case CONFLICT_ADVICE_CHANGE:
        conflict_buffer_text(text, change);
        return;

    default: /* CONFLICT_ADVICE_KEEP */

        if (conflict_advice_words_gap_count(in) == 0) {
            conflict_buffer_text(text, "Keep it: ");
            return;
        }

        conflict_buffer_text(text, "Not all writes are checked: ");
        conflict_advice_words_gaps(in, text);
        conflict_buffer_text(text, "; ");
    }
}


static void
conflict_advice_too_early(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    if (advice->level != CONFLICT_ADVICE_WATCH || in->whole
        || in->writes >= CONFLICT_ADVICE_WRITES)
    {
        return;
    }

    conflict_buffer_text(&advice->text,
                         " That is too little data: wait a week, or ");
    conflict_advice_words_figure(&advice->text, CONFLICT_ADVICE_WRITES);
    conflict_buffer_text(&advice->text, " writes.");
}


/* unchecked writes: their number, and the directive that refuses them */

static void
conflict_advice_unchecked(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    if (conflict_advice_words_gap_count(in) == 0) {
        return;
    }

    if (advice->level == CONFLICT_ADVICE_KEEP) {
        /* the text begins with them */
        advice->level = CONFLICT_ADVICE_WATCH;

    } else {
        conflict_buffer_text(&advice->text, " ");
        conflict_advice_words_gaps(in, &advice->text);
        conflict_buffer_text(&advice->text, ".");
    }

    if (in->without_base == 0 || in->require
        || in->policy <= CONFLICT_CLIENT_WINS)
    {
        return;
    }

    conflict_buffer_text(&advice->config,
                         "conflict_require on;  # once clients send a base\n");
    conflict_buffer_text(&advice->cost, "Clients that send no base get 428: ");
    conflict_advice_words_share(in, &advice->cost, in->without_base);
    conflict_buffer_text(&advice->cost, " would have been refused.\n");
}


/*
 * The level for a policy that loses changes.  CHANGE requires a week of data,
 * or enough writes before that: a trial on the first day is no evidence.
 */

static conflict_advice_e
conflict_advice_level(const conflict_advice_in_t *in, uint64_t week,
    uint64_t month)
{
    if (in->whole) {

        if (week >= CONFLICT_ADVICE_MANY * CONFLICT_ADVICE_WEEK) {
            return CONFLICT_ADVICE_CHANGE;
        }

    } else if (in->writes >= CONFLICT_ADVICE_WRITES
               && week >= CONFLICT_ADVICE_STALE)
    {
        return CONFLICT_ADVICE_CHANGE;
    }

    return (month > CONFLICT_ADVICE_FEW) ? CONFLICT_ADVICE_WATCH
                                         : CONFLICT_ADVICE_KEEP;
}
