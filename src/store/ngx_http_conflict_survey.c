
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The life of a survey, which may outlive its request as operations do; and
 * what this host's ledger has of a store.
 */


#include "store/ngx_http_conflict_survey.h"


static void ngx_http_conflict_survey_resources(
    ngx_http_conflict_survey_t *survey, ngx_http_conflict_tops_t *tops);
static void ngx_http_conflict_survey_lines(ngx_http_conflict_survey_t *survey);


ngx_http_conflict_survey_t *
ngx_http_conflict_survey(ngx_http_conflict_store_t *store, ngx_uint_t brief)
{
    ngx_pool_t                  *pool;
    ngx_http_conflict_survey_t  *survey;

    pool = ngx_create_pool(16384, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    survey = ngx_pcalloc(pool, sizeof(ngx_http_conflict_survey_t));
    if (survey == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    survey->store = store;
    survey->pool = pool;
    survey->brief = brief;

    survey->entries = -1;
    survey->leases = -1;
    survey->dirty = -1;
    survey->locks = -1;
    survey->evicted = -1;
    survey->memory = -1;
    survey->size = -1;
    survey->settling = -1;

    if (ngx_array_init(&survey->tallies, pool, 16,
                       sizeof(ngx_http_conflict_tally_t *))
        != NGX_OK
        || ngx_array_init(&survey->resources, pool, 16,
                          sizeof(ngx_http_conflict_resource_t))
           != NGX_OK
        || ngx_array_init(&survey->holders, pool, 16,
                          sizeof(ngx_http_conflict_holder_t))
           != NGX_OK
        || ngx_array_init(&survey->routes, pool, 16,
                          sizeof(ngx_http_conflict_tally_t *))
           != NGX_OK
        || ngx_array_init(&survey->lines, pool, 16, sizeof(ngx_str_t))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    store->ops->survey(survey);

    return survey;
}


void
ngx_http_conflict_survey_release(ngx_http_conflict_survey_t *survey)
{
    survey->released = 1;

    if (survey->busy == 0) {
        ngx_destroy_pool(survey->pool);
    }
}


void
ngx_http_conflict_survey_answered(ngx_http_conflict_survey_t *survey)
{
    if (--survey->busy) {
        return;
    }

    if (survey->released) {
        ngx_destroy_pool(survey->pool);
        return;
    }

    survey->done(survey);
}


ngx_http_conflict_tally_t *
ngx_http_conflict_survey_tally(ngx_http_conflict_survey_t *survey)
{
    ngx_http_conflict_tally_t  *tally, **p;

    tally = ngx_pcalloc(survey->pool, sizeof(ngx_http_conflict_tally_t));
    if (tally == NULL) {
        return NULL;
    }

    p = ngx_array_push(&survey->tallies);
    if (p == NULL) {
        return NULL;
    }

    *p = tally;

    return tally;
}


ngx_int_t
ngx_http_conflict_survey_copy(ngx_http_conflict_survey_t *survey,
    ngx_str_t *dst, u_char *data, size_t len)
{
    dst->data = ngx_pnalloc(survey->pool, len);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, data, len);
    dst->len = len;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_survey_ledger(ngx_http_conflict_survey_t *survey)
{
    ngx_uint_t                   i, day;
    ngx_http_conflict_tally_t   *tally, *copy;
    ngx_http_conflict_ledger_t  *ledger;

    ledger = ngx_http_conflict_ledger;

    for (i = 0; i < ledger->tallies; i++) {
        tally = &ledger->tally[i];

        if (!ngx_http_conflict_named(&tally->store, &survey->store->name)) {
            continue;
        }

        copy = ngx_http_conflict_survey_tally(survey);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        /* one at a time: writes wait for it */

        ngx_http_conflict_ledger_lock();
        ngx_memcpy(copy, tally, sizeof(ngx_http_conflict_tally_t));
        ngx_http_conflict_ledger_unlock();
    }

    day = ngx_time() / 86400;

    ngx_http_conflict_survey_resources(survey, &ledger->tops[day % 2]);
    ngx_http_conflict_survey_resources(survey, &ledger->tops[(day + 1) % 2]);
    ngx_http_conflict_survey_lines(survey);

    return NGX_OK;
}


static void
ngx_http_conflict_survey_resources(ngx_http_conflict_survey_t *survey,
    ngx_http_conflict_tops_t *tops)
{
    ngx_uint_t                     i;
    ngx_http_conflict_often_t     *often;
    ngx_http_conflict_resource_t  *resource;

    if (survey->store->gauge == NULL || tops->day < ngx_time() / 86400 - 1) {
        return;
    }

    ngx_http_conflict_ledger_lock();

    for (i = 0; i < NGX_HTTP_CONFLICT_RESOURCES; i++) {
        often = &tops->top[i];

        if (often->n == 0
            || &ngx_http_conflict_ledger->gauge[often->store]
               != survey->store->gauge)
        {
            continue;
        }

        resource = ngx_array_push(&survey->resources);

        if (resource == NULL
            || ngx_http_conflict_survey_copy(survey, &resource->key,
                                             often->key, often->len)
               != NGX_OK)
        {
            break;
        }

        resource->n = often->n;
    }

    ngx_http_conflict_ledger_unlock();
}


static void
ngx_http_conflict_survey_lines(ngx_http_conflict_survey_t *survey)
{
    ngx_str_t                   *text;
    ngx_uint_t                   i, n;
    ngx_http_conflict_line_t    *line;
    ngx_http_conflict_ledger_t  *ledger;

    ledger = ngx_http_conflict_ledger;

    ngx_http_conflict_ledger_lock();

    for (i = 1; i <= NGX_HTTP_CONFLICT_LINES; i++) {
        n = (ledger->next_line + NGX_HTTP_CONFLICT_LINES - i)
            % NGX_HTTP_CONFLICT_LINES;
        line = &ledger->line[n];

        if (line->len == 0
            || &ledger->gauge[line->store] != survey->store->gauge)
        {
            continue;
        }

        text = ngx_array_push(&survey->lines);

        if (text == NULL) {
            break;
        }

        if (ngx_http_conflict_survey_copy(survey, text, line->data, line->len)
            != NGX_OK)
        {
            survey->lines.nelts--;
            break;
        }
    }

    ngx_http_conflict_ledger_unlock();
}
