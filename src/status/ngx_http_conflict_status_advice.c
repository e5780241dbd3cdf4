
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The advice for a route as JSON: collects its input from the counters and
 * the configuration of the route.
 */


#include "status/ngx_http_conflict_status.h"
#include "core/policy/conflict_advice.h"
#include "core/text/conflict_buffer.h"


static json_t *ngx_http_conflict_status_advice_json(conflict_advice_in_t *in,
    conflict_advice_t *advice);
static void ngx_http_conflict_status_advice_text(json_t **json,
    const char *name, conflict_buffer_t *out);
static void ngx_http_conflict_status_advice_counts(conflict_advice_in_t *in,
    ngx_http_conflict_route_stats_t *stats);
static void ngx_http_conflict_status_advice_fields(conflict_advice_in_t *in,
    ngx_http_conflict_route_stats_t *stats);
static uint64_t ngx_http_conflict_status_advice_stale(
    ngx_http_conflict_stats_bin_t *bin);
static void ngx_http_conflict_status_advice_rules(conflict_advice_in_t *in,
    ngx_http_conflict_route_stats_t *stats);
static conflict_advice_rule_e ngx_http_conflict_status_advice_rule(
    ngx_http_conflict_loc_conf_t *nlcf, conflict_advice_field_t *field);
static ngx_uint_t ngx_http_conflict_status_advice_within(
    conflict_pointer_t *pointer, conflict_advice_field_t *field);


/* actions on stale writes, whatever their result */

static const ngx_uint_t  ngx_http_conflict_stale_actions[] = {
    NGX_HTTP_CONFLICT_ACTION_LWW,
    NGX_HTTP_CONFLICT_ACTION_CLIENT_WINS,
    NGX_HTTP_CONFLICT_ACTION_SERVER_WINS,
    NGX_HTTP_CONFLICT_ACTION_VERSION,
    NGX_HTTP_CONFLICT_ACTION_MERGE,
    NGX_HTTP_CONFLICT_ACTION_DELETED,
    0
};


json_t *
ngx_http_conflict_status_advice(ngx_http_conflict_route_stats_t *stats)
{
    json_t                *json;
    conflict_advice_t      advice;
    conflict_advice_in_t   in;

    static ngx_str_t  none, others = ngx_string("(others)");

    if (stats->policy >= CONFLICT_POLICIES) {
        /* a lock endpoint */
        return json_null();
    }

    if (ngx_http_conflict_stats_name_is(&stats->location, &none)
        && ngx_http_conflict_stats_name_is(&stats->entity, &others))
    {
        /* routes of several policies, none of which is like their sum */
        return json_null();
    }

    ngx_memzero(&in, sizeof(conflict_advice_in_t));

    in.policy = stats->policy;
    in.report = stats->report;

    ngx_http_conflict_status_advice_counts(&in, stats);
    ngx_http_conflict_status_advice_fields(&in, stats);
    ngx_http_conflict_status_advice_rules(&in, stats);

    conflict_advice(&in, &advice);

    json = ngx_http_conflict_status_advice_json(&in, &advice);

    conflict_advice_free(&advice);

    return json;
}


static json_t *
ngx_http_conflict_status_advice_json(conflict_advice_in_t *in,
    conflict_advice_t *advice)
{
    json_t  *json, *gaps;

    gaps = json_object();

    ngx_http_conflict_json_set_number(&gaps,
                         (char *) ngx_http_conflict_status_gap_names[0].data,
                         in->without_base);
    ngx_http_conflict_json_set_number(&gaps,
                         (char *) ngx_http_conflict_status_gap_names[1].data,
                         in->unchecked);
    ngx_http_conflict_json_set_number(&gaps,
                         (char *) ngx_http_conflict_status_gap_names[2].data,
                         in->unguarded);

    json = json_object();

    ngx_http_conflict_json_set(&json, "level",
                             json_string(conflict_advice_name(advice->level)));
    ngx_http_conflict_status_advice_text(&json, "text", &advice->text);
    ngx_http_conflict_status_advice_text(&json, "config", &advice->config);
    ngx_http_conflict_status_advice_text(&json, "cost", &advice->cost);
    ngx_http_conflict_status_advice_text(&json, "notes", &advice->notes);
    ngx_http_conflict_json_set(&json, "days", json_integer(in->days));
    ngx_http_conflict_json_set(&json, "writes", json_integer(in->writes));
    ngx_http_conflict_json_set(&json, "stale", json_integer(in->stale));
    ngx_http_conflict_json_set(&json, "not_checked", gaps);

    return json;
}


/* an empty buffer has no data */

static void
ngx_http_conflict_status_advice_text(json_t **json, const char *name,
    conflict_buffer_t *out)
{
    ngx_str_t  text;

    text.data = out->len ? out->data : (u_char *) "";
    text.len = out->len;

    ngx_http_conflict_json_set_text(json, name, &text);
}


static void
ngx_http_conflict_status_advice_counts(conflict_advice_in_t *in,
    ngx_http_conflict_route_stats_t *stats)
{
    time_t                          age;
    uint64_t                        stale;
    uint32_t                       *n;
    ngx_uint_t                      i, k, today;
    ngx_http_conflict_stats_bin_t  *bin;

    today = ngx_time() / 86400;
    age = today - stats->since / 86400 + 1;

    in->days = (unsigned) ngx_max(1, ngx_min(age, CONFLICT_ADVICE_DAYS));
    in->whole = (ngx_time() - stats->since >= CONFLICT_ADVICE_WEEK * 86400);

    for (i = 0; i < CONFLICT_ADVICE_DAYS; i++) {
        bin = &stats->day[(today - i) % NGX_HTTP_CONFLICT_DAYS];

        if (bin->number != today - i) {
            continue;
        }

        n = bin->n;

        for (k = 0; k < NGX_HTTP_CONFLICT_OUTCOMES; k++) {
            in->writes += n[k];
        }

        stale = ngx_http_conflict_status_advice_stale(bin);

        in->stale += stale;
        in->week += (i < CONFLICT_ADVICE_WEEK) ? stale : 0;

        in->unknown += n[NGX_HTTP_CONFLICT_N_UNKNOWN];
        in->overlapped += n[NGX_HTTP_CONFLICT_N_OVERLAPPED];

        in->without_base += n[NGX_HTTP_CONFLICT_N_WITHOUT_BASE];
        in->unchecked += n[NGX_HTTP_CONFLICT_N_UNCHECKED];
        in->unguarded += n[NGX_HTTP_CONFLICT_N_UNGUARDED];

        n += NGX_HTTP_CONFLICT_N_ACTION(0);

        in->clashed += n[NGX_HTTP_CONFLICT_ACTION_VERSION]
                       + n[NGX_HTTP_CONFLICT_ACTION_DELETED];
        in->busy += n[NGX_HTTP_CONFLICT_ACTION_BUSY];
        in->required += n[NGX_HTTP_CONFLICT_ACTION_REQUIRED];
        in->external += n[NGX_HTTP_CONFLICT_ACTION_EXTERNAL];
    }
}


static uint64_t
ngx_http_conflict_status_advice_stale(ngx_http_conflict_stats_bin_t *bin)
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


/* the most frequent clashes, in descending order */

static void
ngx_http_conflict_status_advice_fields(conflict_advice_in_t *in,
    ngx_http_conflict_route_stats_t *stats)
{
    ngx_uint_t                        i, k;
    conflict_advice_field_t           field;
    ngx_http_conflict_stats_clash_t  *clash;

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {
        clash = &stats->fields[i];

        if (clash->n == 0) {
            continue;
        }

        field.name = clash->name;
        field.len = clash->len;
        field.n = clash->n;
        field.rule = CONFLICT_ADVICE_RULE;

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


/*
 * Takes the rules that are configured for the route.  If this host has no such
 * route, they are unknown, and no rule is proposed.
 */

static void
ngx_http_conflict_status_advice_rules(conflict_advice_in_t *in,
    ngx_http_conflict_route_stats_t *stats)
{
    ngx_uint_t                      i, k, n;
    conflict_advice_rule_e          rule;
    ngx_http_conflict_route_t      *route;
    ngx_http_conflict_main_conf_t  *nmcf;

    n = 0;

    nmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_conflict_module);
    route = nmcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        if (!ngx_http_conflict_stats_name_is(&stats->location,
                                             &route[i].location)
            || !ngx_http_conflict_stats_name_is(&stats->server,
                                                &route[i].server)
            || !ngx_http_conflict_stats_name_is(&stats->store,
                                                &route[i].store->name))
        {
            continue;
        }

        in->require = (route[i].conf->require == 1);

        for (k = 0; k < in->fields; k++) {
            rule = ngx_http_conflict_status_advice_rule(route[i].conf,
                                                        &in->field[k]);

            /* "location /a" and "location = /a" share the counters */

            if (n == 0 || rule == CONFLICT_ADVICE_REJECT
                || in->field[k].rule == CONFLICT_ADVICE_NO_RULE)
            {
                in->field[k].rule = rule;
            }
        }

        n++;
    }
}


static conflict_advice_rule_e
ngx_http_conflict_status_advice_rule(ngx_http_conflict_loc_conf_t *nlcf,
    conflict_advice_field_t *field)
{
    ngx_uint_t                 i;
    conflict_advice_rule_e     found;
    ngx_http_conflict_rule_t  *rule;

    found = CONFLICT_ADVICE_NO_RULE;

    if (nlcf->rules == NULL) {
        return found;
    }

    rule = nlcf->rules->elts;

    for (i = 0; i < nlcf->rules->nelts; i++) {

        if (!ngx_http_conflict_status_advice_within(&rule[i].field.pointer,
                                                    field))
        {
            continue;
        }

        if (rule[i].field.rule == CONFLICT_RULE_REJECT) {
            return CONFLICT_ADVICE_REJECT;
        }

        found = CONFLICT_ADVICE_RULE;
    }

    return found;
}


/* whether one contains the other, or equals it; names may be truncated */

static ngx_uint_t
ngx_http_conflict_status_advice_within(conflict_pointer_t *pointer,
    conflict_advice_field_t *field)
{
    size_t         k, len, size;
    u_char        *p, text[2 * CONFLICT_JSON_NAME + CONFLICT_JSON_LEVELS];
    ngx_uint_t     i;
    const u_char  *name;

    p = text;

    for (i = 0; i < pointer->levels; i++) {
        *p++ = '/';
        name = &pointer->text[pointer->name[i]];

        for (k = 0; k < pointer->len[i]; k++) {

            if (name[k] == '~' || name[k] == '/') {
                *p++ = '~';
                *p++ = (name[k] == '~') ? '0' : '1';

            } else {
                *p++ = name[k];
            }
        }
    }

    size = p - text;
    len = ngx_min(size, field->len);

    if (ngx_memcmp(text, field->name, len) != 0) {
        return 0;
    }

    return size == field->len || field->len == NGX_HTTP_CONFLICT_STATS_FIELD
           || ((size > len) ? text[len] : field->name[len]) == '/';
}
