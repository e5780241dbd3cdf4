
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What the shared-memory store tells of itself: how much there is in it, and
 * who holds which lock.
 */


#include "store/ngx_http_conflict_shm.h"
#include "store/ngx_http_conflict_survey.h"


#define NGX_HTTP_CONFLICT_SURVEY_ENTRIES  100000


static void ngx_http_conflict_shm_survey_busy(
    ngx_http_conflict_survey_t *survey, ngx_http_conflict_shctx_t *sh);
static void ngx_http_conflict_shm_survey_locks(
    ngx_http_conflict_survey_t *survey, ngx_http_conflict_shctx_t *sh);


void
ngx_http_conflict_shm_survey(ngx_http_conflict_survey_t *survey)
{
    ngx_http_conflict_shm_t    *shm;
    ngx_http_conflict_shctx_t  *sh;

    shm = survey->store->data;

    sh = ngx_http_conflict_shm_lock(shm);

    if (sh == NULL) {
        survey->why = "its zone cannot be rebuilt";
        return;
    }

    survey->entries = sh->entries;
    survey->size = shm->zone->shm.size;
    survey->memory = survey->size
                     - (int64_t) (shm->shpool->pfree * ngx_pagesize);

    if (ngx_http_conflict_shm_closed(shm, sh)) {
        survey->why = "older processes still write with another store";
    }

    survey->settling = (sh->closed > ngx_current_msec)
                       ? sh->closed - ngx_current_msec : 0;

    ngx_http_conflict_shm_survey_busy(survey, sh);
    ngx_http_conflict_shm_survey_locks(survey, sh);

    ngx_http_conflict_shm_unlock(shm, sh);

    if (survey->store->gauge) {
        survey->evicted = survey->store->gauge->evicted;
    }

    if (!survey->brief
        && ngx_http_conflict_survey_ledger(survey) != NGX_OK)
    {
        survey->why = "no memory";
    }
}


static void
ngx_http_conflict_shm_survey_busy(ngx_http_conflict_survey_t *survey,
    ngx_http_conflict_shctx_t *sh)
{
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_http_conflict_entry_t  *e;

    survey->leases = 0;
    survey->dirty = 0;

    q = ngx_queue_head(&sh->busy);

    for (n = 0; n < NGX_HTTP_CONFLICT_SURVEY_ENTRIES; n++) {

        if (q == ngx_queue_sentinel(&sh->busy)) {
            break;
        }

        e = ngx_queue_data(q, ngx_http_conflict_entry_t, queue);

        if (ngx_http_conflict_shm_state(e) == CONFLICT_LEASED) {
            survey->leases++;

        } else {
            survey->dirty++;
        }

        q = ngx_queue_next(q);
    }
}


static void
ngx_http_conflict_shm_survey_locks(ngx_http_conflict_survey_t *survey,
    ngx_http_conflict_shctx_t *sh)
{
    ngx_queue_t                 *q;
    ngx_http_conflict_held_t    *held;
    ngx_http_conflict_holder_t  *holder;

    survey->locks = 0;

    for (q = ngx_queue_head(&sh->locks);
         q != ngx_queue_sentinel(&sh->locks);
         q = ngx_queue_next(q))
    {
        held = ngx_queue_data(q, ngx_http_conflict_held_t, queue);

        if (held->until <= ngx_current_msec) {
            continue;
        }

        survey->locks++;

        if (survey->brief
            || survey->holders.nelts == NGX_HTTP_CONFLICT_SURVEY_LOCKS)
        {
            continue;
        }

        holder = ngx_array_push(&survey->holders);

        if (holder == NULL
            || ngx_http_conflict_survey_copy(survey, &holder->key, held->key,
                                             held->key_len)
               != NGX_OK
            || ngx_http_conflict_survey_copy(survey, &holder->user,
                                             held->user, held->user_len)
               != NGX_OK
            || ngx_http_conflict_survey_copy(survey, &holder->client,
                                             held->client, held->client_len)
               != NGX_OK)
        {
            return;
        }

        holder->acquired = held->acquired;
        holder->left = (ngx_msec_t) (held->until - ngx_current_msec);
    }
}
