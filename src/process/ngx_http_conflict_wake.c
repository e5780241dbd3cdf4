
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Workers of one host that wait for the same key: notes in a zone tell which,
 * and one worker wakes another through an eventfd.  A wake-up may be lost, so
 * a write that waits has a timer as well.
 */


#include "process/ngx_http_conflict_wake.h"
#include "process/ngx_http_conflict_zone.h"

#include <ngx_channel.h>

#if (NGX_LINUX)
#include <sys/eventfd.h>
#endif


#define ngx_http_conflict_wake_bit(n)  ((ngx_atomic_uint_t) 1 << (n))


static ngx_int_t ngx_http_conflict_wake_slot(ngx_shm_zone_t *zone);
static void ngx_http_conflict_wake_read(ngx_event_t *ev);
static void ngx_http_conflict_wake_write(ngx_event_t *ev);
static ngx_uint_t ngx_http_conflict_wake_set(ngx_atomic_t *word,
    ngx_atomic_uint_t bit);
static ngx_uint_t ngx_http_conflict_wake_clear(ngx_atomic_t *word,
    ngx_atomic_uint_t bit);


ngx_http_conflict_wake_t         *ngx_http_conflict_wake;

static ngx_uint_t                 ngx_http_conflict_wake_own;  /* index */
static ngx_uint_t                 ngx_http_conflict_wake_n;    /* inherited */
static uint32_t                   ngx_http_conflict_wake_waits
                                      [NGX_HTTP_CONFLICT_WAKE_NOTES];
static ngx_http_conflict_wake_pt  ngx_http_conflict_wake_handler;
static void                     (*ngx_http_conflict_wake_heard)(void);
static ngx_event_t                ngx_http_conflict_wake_posted;
static ngx_atomic_uint_t          ngx_http_conflict_wake_pending;


ngx_shm_zone_t *
ngx_http_conflict_wake_add(ngx_conf_t *cf, void *tag)
{
    static ngx_str_t  name = ngx_string("conflict_wake_2");

    return ngx_http_conflict_zone_add(cf, &name,
                                      sizeof(ngx_http_conflict_wake_t), tag);
}


/*
 * Two for each worker, as those of the previous configuration may still run.
 * They are never closed, so that all processes know them by the same numbers;
 * if there are none, the timers remain.
 */

void
ngx_http_conflict_wake_open(ngx_cycle_t *cycle, ngx_shm_zone_t *zone)
{
#if (NGX_LINUX)

    ngx_fd_t                   fd;
    ngx_uint_t                 n;
    ngx_core_conf_t           *ccf;
    ngx_http_conflict_wake_t  *wake;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    wake = ngx_http_conflict_zone_data(zone);

    if (!ccf->master || ngx_test_config) {
        return;
    }

    n = ngx_min(2 * (ngx_uint_t) ccf->worker_processes,
                NGX_HTTP_CONFLICT_WAKE_WORKERS);

    while (wake->n < n) {
        fd = eventfd(0, EFD_CLOEXEC|EFD_NONBLOCK);

        if (fd == -1) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                          "eventfd() failed");
            break;
        }

        wake->worker[wake->n++].fd = fd;
    }

    /* workers inherit it: later descriptors are unknown to them */
    ngx_http_conflict_wake_n = wake->n;

#endif
}


void
ngx_http_conflict_wake_start(ngx_cycle_t *cycle, ngx_shm_zone_t *zone,
    ngx_http_conflict_wake_pt handler)
{
    ngx_uint_t                 i;
    ngx_atomic_uint_t          bit;
    ngx_http_conflict_wake_t  *wake;

    wake = ngx_http_conflict_zone_data(zone);

    if (ngx_process != NGX_PROCESS_WORKER
        || ngx_http_conflict_wake_slot(zone) != NGX_OK)
    {
        return;
    }

    bit = ngx_http_conflict_wake_bit(ngx_http_conflict_wake_own);

    /* a previous owner of the bit may have been killed */

    (void) ngx_http_conflict_wake_clear(&wake->listening, bit);

    for (i = 0; i < NGX_HTTP_CONFLICT_WAKE_NOTES; i++) {

        (void) ngx_http_conflict_wake_clear(&wake->note[i].woken, bit);

        if (ngx_http_conflict_wake_clear(&wake->note[i].waiting, bit)) {
            (void) ngx_atomic_fetch_add(&wake->waiting, -1);
        }
    }

    if (ngx_add_channel_event(cycle,
                              wake->worker[ngx_http_conflict_wake_own].fd,
                              NGX_READ_EVENT, ngx_http_conflict_wake_read)
        != NGX_OK)
    {
        wake->worker[ngx_http_conflict_wake_own].process.pid = 0;
        return;
    }

    ngx_http_conflict_wake_handler = handler;

    ngx_http_conflict_wake_posted.handler = ngx_http_conflict_wake_write;
    ngx_http_conflict_wake_posted.log = cycle->log;

    ngx_http_conflict_wake = wake;
}


/* NGX_DECLINED: all are in use */

static ngx_int_t
ngx_http_conflict_wake_slot(ngx_shm_zone_t *zone)
{
    ngx_int_t                         rc;
    ngx_uint_t                        i;
    ngx_slab_pool_t                  *shpool;
    ngx_http_conflict_wake_t         *wake;
    ngx_http_conflict_predecessor_t  *process;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    wake = shpool->data;
    rc = NGX_DECLINED;

    ngx_shmtx_lock(&shpool->mutex);

    for (i = 0; i < ngx_http_conflict_wake_n; i++) {
        process = &wake->worker[i].process;

        if (process->pid == 0
            || !ngx_http_conflict_predecessor_alive(process))
        {
            ngx_http_conflict_predecessor_note(process, ngx_pid);
            ngx_http_conflict_wake_own = i;
            rc = NGX_OK;
            break;
        }
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return rc;
}


void
ngx_http_conflict_wake_stop(void)
{
    ngx_uint_t                 i;
    ngx_atomic_uint_t          bit;
    ngx_http_conflict_wake_t  *wake;

    wake = ngx_http_conflict_wake;

    if (wake == NULL) {
        return;
    }

    ngx_http_conflict_wake = NULL;

    bit = ngx_http_conflict_wake_bit(ngx_http_conflict_wake_own);

    for (i = 0; i < NGX_HTTP_CONFLICT_WAKE_NOTES; i++) {

        if (ngx_http_conflict_wake_waits[i]
            && ngx_http_conflict_wake_clear(&wake->note[i].waiting, bit))
        {
            (void) ngx_atomic_fetch_add(&wake->waiting, -1);
        }
    }

    (void) ngx_http_conflict_wake_clear(&wake->listening, bit);

    wake->worker[ngx_http_conflict_wake_own].process.pid = 0;
}


void
ngx_http_conflict_wake_wait(ngx_uint_t note)
{
    ngx_atomic_uint_t          bit;
    ngx_http_conflict_wake_t  *wake;

    wake = ngx_http_conflict_wake;

    if (wake == NULL || ngx_http_conflict_wake_waits[note]++) {
        return;
    }

    bit = ngx_http_conflict_wake_bit(ngx_http_conflict_wake_own);

    (void) ngx_http_conflict_wake_clear(&wake->note[note].woken, bit);
    (void) ngx_http_conflict_wake_set(&wake->note[note].waiting, bit);
    (void) ngx_atomic_fetch_add(&wake->waiting, 1);
}


void
ngx_http_conflict_wake_leave(ngx_uint_t note)
{
    ngx_atomic_uint_t          bit;
    ngx_http_conflict_wake_t  *wake;

    wake = ngx_http_conflict_wake;

    if (wake == NULL || --ngx_http_conflict_wake_waits[note]) {
        return;
    }

    bit = ngx_http_conflict_wake_bit(ngx_http_conflict_wake_own);

    (void) ngx_http_conflict_wake_clear(&wake->note[note].waiting, bit);
    (void) ngx_atomic_fetch_add(&wake->waiting, -1);

    if (ngx_http_conflict_wake_clear(&wake->note[note].woken, bit)) {
        /* it was woken and does not wait any more: in place of it */
        (void) ngx_http_conflict_wake_next(note);
    }
}


ngx_uint_t
ngx_http_conflict_wake_others(ngx_uint_t note)
{
    ngx_http_conflict_wake_t  *wake;

    wake = ngx_http_conflict_wake;

    return wake
           && (wake->note[note].waiting
               & ~ngx_http_conflict_wake_bit(ngx_http_conflict_wake_own))
              != 0;
}


ngx_int_t
ngx_http_conflict_wake_next(ngx_uint_t note)
{
    ngx_uint_t                      i, n, own;
    ngx_atomic_uint_t               bit;
    ngx_http_conflict_wake_note_t  *wn;

    if (ngx_http_conflict_wake == NULL) {
        return NGX_DECLINED;
    }

    n = ngx_http_conflict_wake_n;
    own = ngx_http_conflict_wake_own;
    wn = &ngx_http_conflict_wake->note[note];

    for (i = (own + 1) % n; i != own; i = (i + 1) % n) {
        bit = ngx_http_conflict_wake_bit(i);

        if ((wn->waiting & bit)
            && ngx_http_conflict_wake_set(&wn->woken, bit))
        {
            ngx_http_conflict_wake_pending |= bit;
            ngx_post_event(&ngx_http_conflict_wake_posted,
                           &ngx_posted_events);
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


void
ngx_http_conflict_wake_listen(void (*handler)(void))
{
    ngx_http_conflict_wake_heard = handler;
}


void
ngx_http_conflict_wake_listening(ngx_uint_t on)
{
    ngx_atomic_uint_t          bit;
    ngx_http_conflict_wake_t  *wake;

    wake = ngx_http_conflict_wake;

    if (wake == NULL) {
        return;
    }

    bit = ngx_http_conflict_wake_bit(ngx_http_conflict_wake_own);

    if (on) {
        (void) ngx_http_conflict_wake_set(&wake->listening, bit);

    } else {
        (void) ngx_http_conflict_wake_clear(&wake->listening, bit);
    }
}


void
ngx_http_conflict_wake_listeners(void)
{
    ngx_atomic_uint_t  others;

    if (ngx_http_conflict_wake == NULL) {
        return;
    }

    others = ngx_http_conflict_wake->listening
             & ~ngx_http_conflict_wake_bit(ngx_http_conflict_wake_own);

    if (others) {
        ngx_http_conflict_wake_pending |= others;
        ngx_post_event(&ngx_http_conflict_wake_posted, &ngx_posted_events);
    }
}


/* posted, since the settle that it reports may be sent by a posted event */

static void
ngx_http_conflict_wake_write(ngx_event_t *ev)
{
#if (NGX_LINUX)

    ngx_uint_t                 i;
    ngx_atomic_uint_t          pending;
    ngx_http_conflict_wake_t  *wake;

    wake = ngx_http_conflict_wake;
    pending = ngx_http_conflict_wake_pending;
    ngx_http_conflict_wake_pending = 0;

    if (wake == NULL) {
        return;
    }

    for (i = 0; pending; i++, pending >>= 1) {

        if (pending & 1) {
            /* if it fails, its timer wakes that worker */
            (void) eventfd_write(wake->worker[i].fd, 1);
        }
    }

#endif
}


static void
ngx_http_conflict_wake_read(ngx_event_t *ev)
{
#if (NGX_LINUX)

    eventfd_t                  count;
    ngx_uint_t                 i;
    ngx_connection_t          *c;
    ngx_atomic_uint_t          bit;
    ngx_http_conflict_wake_t  *wake;

    c = ev->data;
    wake = ngx_http_conflict_wake;

    (void) eventfd_read(c->fd, &count);

    if (wake == NULL) {
        return;
    }

    bit = ngx_http_conflict_wake_bit(ngx_http_conflict_wake_own);

    for (i = 0; i < NGX_HTTP_CONFLICT_WAKE_NOTES; i++) {

        if (ngx_http_conflict_wake_waits[i]
            && ngx_http_conflict_wake_clear(&wake->note[i].woken, bit))
        {
            ngx_http_conflict_wake_handler(i);
        }
    }

    if (ngx_http_conflict_wake_heard) {
        ngx_http_conflict_wake_heard();
    }

#endif
}


/* both return 1 if the bit has changed */

static ngx_uint_t
ngx_http_conflict_wake_set(ngx_atomic_t *word, ngx_atomic_uint_t bit)
{
    ngx_atomic_uint_t  old;

    do {
        old = *word;

        if (old & bit) {
            return 0;
        }

    } while (!ngx_atomic_cmp_set(word, old, old | bit));

    return 1;
}


static ngx_uint_t
ngx_http_conflict_wake_clear(ngx_atomic_t *word, ngx_atomic_uint_t bit)
{
    ngx_atomic_uint_t  old;

    do {
        old = *word;

        if (!(old & bit)) {
            return 0;
        }

    } while (!ngx_atomic_cmp_set(word, old, old & ~bit));

    return 1;
}
