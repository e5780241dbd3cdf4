
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The advice: one function for each policy, with the numbers that led to it
 * in what it says.
 */


#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conflict_advice.h"


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
static void conflict_advice_notes(const conflict_advice_in_t *in,
    conflict_advice_t *advice);
static conflict_advice_e conflict_advice_level(
    const conflict_advice_in_t *in, uint64_t week, uint64_t month);
static uint64_t conflict_advice_daily(const conflict_advice_in_t *in);
static void conflict_advice_numbers(const conflict_advice_in_t *in,
    conflict_out_t *out, uint64_t n, const char *what);
static void conflict_advice_fields(const conflict_advice_in_t *in,
    conflict_out_t *out);
static void conflict_advice_rules(const conflict_advice_in_t *in,
    conflict_out_t *out, const char *rule);
static int conflict_advice_plain(const conflict_advice_field_t *field);
static void conflict_advice_figure(conflict_out_t *out, uint64_t n);


static const char  *conflict_advice_names[] = {
    "keep",
    "watch",
    "change"
};


void
conflict_advise(const conflict_advice_in_t *in, conflict_advice_t *advice)
{
    memset(advice, 0, sizeof(conflict_advice_t));

    if (in->writes == 0) {
        conflict_out_text(&advice->text, "No writes yet.");

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
    }

    conflict_advice_notes(in, advice);
}


void
conflict_advice_free(conflict_advice_t *advice)
{
    conflict_out_free(&advice->text);
    conflict_out_free(&advice->config);
    conflict_out_free(&advice->notes);
}


const char *
conflict_advice_name(conflict_advice_e level)
{
    return conflict_advice_names[level];
}


/* lww, client_wins: a stale write loses what somebody else has written */

static void
conflict_advice_overwrites(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    conflict_out_t  *text;

    text = &advice->text;
    advice->level = conflict_advice_level(in, in->week, in->stale);

    switch (advice->level) {

    case CONFLICT_ADVICE_KEEP:
        conflict_out_text(text, "Keep it: ");
        break;

    case CONFLICT_ADVICE_WATCH:
        conflict_out_text(text, "Keep it only if these changes may be lost: ");
        break;

    default:
        conflict_out_text(text, "Move to version checks with 409: ");
    }

    conflict_advice_numbers(in, text, in->stale,
                            "overwrote a change that their author had not "
                            "seen");

    if (advice->level == CONFLICT_ADVICE_KEEP) {
        return;
    }

    conflict_out_text(&advice->config,
                      "conflict version report;  # see what it would refuse\n"
                      "conflict version;         # then refuse it\n");
}


static void
conflict_advice_drops(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    conflict_out_t  *text;

    text = &advice->text;
    advice->level = conflict_advice_level(in, in->week, in->stale);

    switch (advice->level) {

    case CONFLICT_ADVICE_KEEP:
        conflict_out_text(text, "Keep it: ");
        break;

    case CONFLICT_ADVICE_WATCH:
        conflict_out_text(text, "Keep it only if clients can do without "
                                "these edits: ");
        break;

    default:
        conflict_out_text(text, "Tell clients with 409, or merge: ");
    }

    conflict_advice_numbers(in, text, in->stale,
                            "were dropped, and answered with the server's "
                            "body");
    conflict_advice_fields(in, text);

    if (advice->level == CONFLICT_ADVICE_KEEP) {
        return;
    }

    conflict_out_text(&advice->config, "conflict version;\n");

    if (in->fields) {
        conflict_out_text(&advice->config,
                          "# or, so that other fields do not clash:\n"
                          "# conflict merge;\n");
    }
}


static void
conflict_advice_refuses(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    conflict_out_t  *text;

    text = &advice->text;
    advice->level = conflict_advice_level(in, in->week, in->stale);

    if (advice->level == CONFLICT_ADVICE_CHANGE && in->fields) {
        conflict_out_text(text, "Try merge: ");

    } else if (advice->level == CONFLICT_ADVICE_CHANGE) {
        conflict_out_text(text, "Try locks, so that people see who edits: ");

    } else {
        advice->level = CONFLICT_ADVICE_KEEP;
        conflict_out_text(text, "Keep it: ");
    }

    conflict_advice_numbers(in, text, in->stale, "were refused as stale");
    conflict_advice_fields(in, text);

    if (advice->level == CONFLICT_ADVICE_KEEP) {
        return;
    }

    if (in->fields) {
        conflict_out_text(&advice->config, "conflict merge;\n");
        conflict_out_text(&advice->config,
                          "# a rule each, where both sides change them:\n");
        conflict_advice_rules(in, &advice->config, "lww");
        return;
    }

    conflict_out_text(&advice->config,
                      "location ~ ^/locks(/.*)$ {\n"
                      "    conflict_key $1;\n"
                      "    conflict_lock;\n"
                      "}\n");
}


static void
conflict_advice_merges(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    uint64_t         week;
    conflict_out_t  *text;

    text = &advice->text;

    /* as many of the week as of the month have clashed */

    week = in->stale ? in->week * in->clashed / in->stale : 0;

    advice->level = conflict_advice_level(in, week, in->clashed);

    if (advice->level != CONFLICT_ADVICE_CHANGE
        || in->clashed < in->stale / 5)
    {
        advice->level = CONFLICT_ADVICE_KEEP;
        conflict_out_text(text, "Keep it: ");

    } else {
        conflict_out_text(text, "Give the fields that clash a rule: ");
    }

    conflict_advice_figure(text, in->stale - in->clashed);
    conflict_out_text(text, " stale writes were merged and ");
    conflict_advice_numbers(in, text, in->clashed, "were refused, as fields "
                                                   "clashed");

    if (advice->level == CONFLICT_ADVICE_KEEP) {
        return;
    }

    conflict_advice_fields(in, text);
    conflict_out_text(&advice->config,
                      "# lww takes the client's, server what is there, union "
                      "is for lists:\n");
    conflict_advice_rules(in, &advice->config, "lww");
}


static void
conflict_advice_reports(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    static const char  *policies[] = {
        "lww", "client_wins", "server_wins", "version", "merge"
    };

    advice->level = CONFLICT_ADVICE_WATCH;

    conflict_out_text(&advice->text, "Nothing is enforced: ");
    conflict_advice_numbers(in, &advice->text, in->stale,
                            "were stale, and passed");

    conflict_out_text(&advice->config, "conflict ");
    conflict_out_text(&advice->config, policies[in->policy]);
    conflict_out_text(&advice->config, ";  # without \"report\"\n");
}


/* whatever the policy is */

static void
conflict_advice_notes(const conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    conflict_out_t  *notes;

    notes = &advice->notes;

    if (in->unchecked) {
        conflict_advice_figure(notes, in->unchecked);
        conflict_out_text(notes, " writes passed unchecked, as the store did "
                                 "not answer or the base could not be read; "
                                 "\"conflict_store_error refuse\" stops "
                                 "those of the store.\n");
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


static conflict_advice_e
conflict_advice_level(const conflict_advice_in_t *in, uint64_t week,
    uint64_t month)
{
    uint64_t  days;

    days = (in->days < CONFLICT_ADVICE_WEEK) ? in->days : CONFLICT_ADVICE_WEEK;

    if (week >= CONFLICT_ADVICE_MANY * days) {
        return CONFLICT_ADVICE_CHANGE;
    }

    return (month > CONFLICT_ADVICE_FEW) ? CONFLICT_ADVICE_WATCH
                                         : CONFLICT_ADVICE_KEEP;
}


static uint64_t
conflict_advice_daily(const conflict_advice_in_t *in)
{
    uint64_t  days;

    days = (in->days < CONFLICT_ADVICE_WEEK) ? in->days : CONFLICT_ADVICE_WEEK;

    return (in->week + days / 2) / days;
}


/* 5 of 2,000 writes in 30 days overwrote ... */

static void
conflict_advice_numbers(const conflict_advice_in_t *in, conflict_out_t *out,
    uint64_t n, const char *what)
{
    uint64_t  daily;

    if (n == 0) {
        conflict_out_text(out, "none");

    } else {
        conflict_advice_figure(out, n);
    }

    conflict_out_text(out, " of ");
    conflict_advice_figure(out, in->writes);
    conflict_out_text(out, (in->writes == 1) ? " write in " : " writes in ");

    if (in->days == 1) {
        conflict_out_text(out, "a day ");

    } else {
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


static void
conflict_advice_fields(const conflict_advice_in_t *in, conflict_out_t *out)
{
    size_t  i;

    for (i = 0; i < in->fields; i++) {
        conflict_out_text(out, (i == 0) ? " The two bodies differed in "
                                        : ", ");
        conflict_out_add(out, in->field[i].name, in->field[i].len);
        conflict_out_text(out, " (");
        conflict_advice_figure(out, in->field[i].n);
        conflict_out_text(out, ")");
    }

    if (in->fields) {
        conflict_out_text(out, ".");
    }
}


static void
conflict_advice_rules(const conflict_advice_in_t *in, conflict_out_t *out,
    const char *rule)
{
    size_t  i;

    for (i = 0; i < in->fields; i++) {

        if (!conflict_advice_plain(&in->field[i])) {
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

static int
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

static void
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
