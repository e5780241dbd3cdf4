
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * From a route's tally to the numbers that advice is made of, and that as
 * JSON.
 */


#include "ngx_http_conflict_module.h"


static void ngx_http_conflict_advice_counts(conflict_advice_in_t *in,
    ngx_http_conflict_tally_t *tally);
static void ngx_http_conflict_advice_fields(conflict_advice_in_t *in,
    ngx_http_conflict_tally_t *tally);
static uint64_t ngx_http_conflict_advice_stale(ngx_http_conflict_bin_t *bin);


/* a stale write, whatever became of it */

static const ngx_uint_t  ngx_http_conflict_stale_actions[] = {
    NGX_HTTP_CONFLICT_ACT_LWW,
    NGX_HTTP_CONFLICT_ACT_CLIENT_WINS,
    NGX_HTTP_CONFLICT_ACT_SERVER_WINS,
    NGX_HTTP_CONFLICT_ACT_VERSION,
    NGX_HTTP_CONFLICT_ACT_MERGE,
    NGX_HTTP_CONFLICT_ACT_DELETED,
    0
};


void
ngx_http_conflict_status_advice(ngx_http_conflict_print_t *out,
    ngx_http_conflict_tally_t *tally)
{
    conflict_advice_t     advice;
    conflict_advice_in_t  in;

    if (tally->policy >= CONFLICT_POLICIES) {
        /* of a lock endpoint */
        ngx_http_conflict_print(out, ",\"advice\":null");
        return;
    }

    ngx_memzero(&in, sizeof(conflict_advice_in_t));

    in.policy = tally->policy;
    in.report = tally->report;

    ngx_http_conflict_advice_counts(&in, tally);
    ngx_http_conflict_advice_fields(&in, tally);

    conflict_advise(&in, &advice);

    ngx_http_conflict_print(out, ",\"advice\":{\"level\":\"%s\",\"text\":\"",
                            conflict_advice_name(advice.level));
    ngx_http_conflict_print_text(out, advice.text.data, advice.text.len);
    ngx_http_conflict_print(out, "\",\"config\":\"");
    ngx_http_conflict_print_text(out, advice.config.data, advice.config.len);
    ngx_http_conflict_print(out, "\",\"notes\":\"");
    ngx_http_conflict_print_text(out, advice.notes.data, advice.notes.len);
    ngx_http_conflict_print(out,
                            "\",\"days\":%ud,\"writes\":%uL,\"stale\":%uL}",
                            in.days, in.writes, in.stale);

    conflict_advice_free(&advice);
}


static void
ngx_http_conflict_advice_counts(conflict_advice_in_t *in,
    ngx_http_conflict_tally_t *tally)
{
    time_t                    age;
    uint64_t                  stale;
    uint32_t                 *n;
    ngx_uint_t                i, k, today;
    ngx_http_conflict_bin_t  *bin;

    today = ngx_time() / 86400;
    age = today - tally->since / 86400 + 1;

    in->days = (unsigned) ngx_max(1, ngx_min(age, CONFLICT_ADVICE_DAYS));

    for (i = 0; i < CONFLICT_ADVICE_DAYS; i++) {
        bin = &tally->day[(today - i) % NGX_HTTP_CONFLICT_DAYS];

        if (bin->number != today - i) {
            continue;
        }

        n = bin->n;

        for (k = 0; k < NGX_HTTP_CONFLICT_OUTCOMES; k++) {
            in->writes += n[k];
        }

        stale = ngx_http_conflict_advice_stale(bin);

        in->stale += stale;
        in->week += (i < CONFLICT_ADVICE_WEEK) ? stale : 0;

        in->unknown += n[NGX_HTTP_CONFLICT_N_UNKNOWN];
        in->overlapped += n[NGX_HTTP_CONFLICT_N_OVERLAPPED];

        n += NGX_HTTP_CONFLICT_N_ACTION(0);

        in->clashed += n[NGX_HTTP_CONFLICT_ACT_VERSION]
                       + n[NGX_HTTP_CONFLICT_ACT_DELETED];
        in->busy += n[NGX_HTTP_CONFLICT_ACT_BUSY];
        in->required += n[NGX_HTTP_CONFLICT_ACT_REQUIRED];
        in->external += n[NGX_HTTP_CONFLICT_ACT_EXTERNAL];
        in->unchecked += n[NGX_HTTP_CONFLICT_ACT_UNCHECKED];
    }
}


static uint64_t
ngx_http_conflict_advice_stale(ngx_http_conflict_bin_t *bin)
{
    uint64_t    sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = 0; ngx_http_conflict_stale_actions[i]; i++) {
        sum += bin->n[NGX_HTTP_CONFLICT_N_ACTION(
                                       ngx_http_conflict_stale_actions[i])];
    }

    return sum;
}


/* the most frequent ones */

static void
ngx_http_conflict_advice_fields(conflict_advice_in_t *in,
    ngx_http_conflict_tally_t *tally)
{
    ngx_uint_t                  i, k;
    conflict_advice_field_t     field;
    ngx_http_conflict_clash_t  *clash;

    for (i = 0; i < NGX_HTTP_CONFLICT_FIELDS; i++) {
        clash = &tally->fields[i];

        if (clash->n == 0) {
            continue;
        }

        field.name = clash->name;
        field.len = clash->len;
        field.n = clash->n;

        for (k = 0; k < in->fields && in->field[k].n >= field.n; k++) {
            /* void */
        }

        if (k == CONFLICT_ADVICE_FIELDS) {
            continue;
        }

        in->fields = ngx_min(in->fields + 1, CONFLICT_ADVICE_FIELDS);

        ngx_memmove(&in->field[k + 1], &in->field[k],
                    (in->fields - k - 1) * sizeof(conflict_advice_field_t));
        in->field[k] = field;
    }
}
