
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What a fleet has counted, as stats.lua tells it: lines of words.  Where it
 * cannot be asked, this host's own counts stand in.
 */


#include "store/ngx_http_conflict_redis_stats.h"
#include "core/json/conflict_scan.h"


static void ngx_http_conflict_redis_ask(ngx_http_conflict_survey_t *survey,
    const char *verb, const char *what, const char *name,
    ngx_http_conflict_redis_pt handler);
static void ngx_http_conflict_redis_surveyed(void *data, ngx_str_t *answer,
    const char *why);
static void ngx_http_conflict_redis_recent(void *data, ngx_str_t *answer,
    const char *why);
static ngx_uint_t ngx_http_conflict_redis_object(ngx_str_t *line);
static void ngx_http_conflict_redis_silent(
    ngx_http_conflict_survey_t *survey, const char *why);
static void ngx_http_conflict_redis_words(ngx_http_conflict_words_t *words,
    ngx_str_t *answer);


void
ngx_http_conflict_redis_survey(ngx_http_conflict_survey_t *survey)
{
    survey->fleet = 1;

    /* answers never come before all is asked */

    ngx_http_conflict_redis_ask(survey, "read",
                                survey->brief ? "state" : "minutes",
                                "{stats}", ngx_http_conflict_redis_surveyed);

    if (survey->brief) {
        return;
    }

    ngx_http_conflict_redis_ask(survey, "read", "hours", "{stats}",
                                ngx_http_conflict_redis_surveyed);
    ngx_http_conflict_redis_ask(survey, "read", "days", "{stats}",
                                ngx_http_conflict_redis_surveyed);
    ngx_http_conflict_redis_ask(survey, "recent", "100", "audit",
                                ngx_http_conflict_redis_recent);

    if (survey->busy == 0) {
        ngx_http_conflict_redis_silent(survey, survey->why);
    }
}


static void
ngx_http_conflict_redis_ask(ngx_http_conflict_survey_t *survey,
    const char *verb, const char *what, const char *name,
    ngx_http_conflict_redis_pt handler)
{
    u_char                           buf[ngx_http_conflict_redis_room(
                                         NGX_HTTP_CONFLICT_REDIS_ARGS)];
    ngx_str_t                        arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    const char                      *why;
    ngx_http_conflict_redis_args_t   args;

    ngx_http_conflict_redis_stats_head(survey->store, &args, arg, buf, verb);
    ngx_http_conflict_redis_text(&args, what);

    if (ngx_http_conflict_redis_stats_send(survey->store, &args, name,
                                           handler, survey, &why)
        != NGX_OK)
    {
        survey->why = why;
        return;
    }

    survey->busy++;
}


static void
ngx_http_conflict_redis_surveyed(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_survey_t *survey = data;

    ngx_str_t                  line;
    ngx_http_conflict_words_t  lines;

    if (answer == NULL) {
        survey->why = why;

    } else if (!survey->released) {
        ngx_http_conflict_redis_words(&lines, answer);

        while (ngx_http_conflict_redis_word(&lines, '\n', &line)) {
            ngx_http_conflict_redis_line(survey, &line);
        }
    }

    if (survey->busy == 1 && !survey->released) {
        ngx_http_conflict_redis_silent(survey, survey->why);
    }

    ngx_http_conflict_survey_answered(survey);
}


static void
ngx_http_conflict_redis_recent(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_survey_t *survey = data;

    ngx_str_t                  line, *text;
    ngx_http_conflict_words_t  lines;

    if (answer == NULL) {
        survey->why = why;

    } else if (!survey->released) {
        ngx_http_conflict_redis_words(&lines, answer);

        while (ngx_http_conflict_redis_word(&lines, '\n', &line)) {

            if (!ngx_http_conflict_redis_object(&line)) {
                continue;
            }

            text = ngx_array_push(&survey->lines);
            if (text == NULL) {
                break;
            }

            if (ngx_http_conflict_survey_copy(survey, text, line.data,
                                              line.len)
                != NGX_OK)
            {
                survey->lines.nelts--;
                break;
            }
        }
    }

    if (survey->busy == 1 && !survey->released) {
        ngx_http_conflict_redis_silent(survey, survey->why);
    }

    ngx_http_conflict_survey_answered(survey);
}


/* it is shown as it is, so one line must not spoil the rest */

static ngx_uint_t
ngx_http_conflict_redis_object(ngx_str_t *line)
{
    conflict_json_t  json;

    if (line->len == 0 || line->data[0] != '{') {
        return 0;
    }

    conflict_json_init(&json, NULL);

    return conflict_json_feed(&json, line->data, line->len)
           == CONFLICT_JSON_OK
           && conflict_json_end(&json) == CONFLICT_JSON_OK;
}


/* all that was asked has come, or will not */

static void
ngx_http_conflict_redis_silent(ngx_http_conflict_survey_t *survey,
    const char *why)
{
    if (why == NULL || survey->brief) {
        return;
    }

    survey->fleet = 0;
    survey->tallies.nelts = 0;
    survey->routes.nelts = 0;

    (void) ngx_http_conflict_survey_ledger(survey);
}


/* behind the token and what all scripts say */

static void
ngx_http_conflict_redis_words(ngx_http_conflict_words_t *words,
    ngx_str_t *answer)
{
    size_t  skip;

    skip = NGX_HTTP_CONFLICT_REDIS_TOKEN + sizeof(" 0 ") - 1;

    words->last = answer->data + answer->len;
    words->p = answer->data + ngx_min(skip, answer->len);
}
