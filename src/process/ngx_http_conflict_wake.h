
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Workers of one host that wait for the same key: notes in a zone tell which,
 * and one worker wakes another through an eventfd.
 */


#ifndef _NGX_HTTP_CONFLICT_WAKE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_WAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "process/ngx_http_conflict_predecessor.h"


/* keys with the same hash modulo this share a note, which is harmless */

#define NGX_HTTP_CONFLICT_WAKE_NOTES    1024

/* a worker has a bit in each note; those without one are not woken */

#define NGX_HTTP_CONFLICT_WAKE_WORKERS  (8 * sizeof(ngx_atomic_t))


typedef void (*ngx_http_conflict_wake_pt)(ngx_uint_t note);

typedef struct {
    ngx_atomic_t                      waiting;
    ngx_atomic_t                      woken;
} ngx_http_conflict_wake_note_t;

typedef struct {
    ngx_http_conflict_predecessor_t   process;   /* pid 0: none */
    ngx_fd_t                          fd;        /* inherited from the master */
} ngx_http_conflict_wake_worker_t;

typedef struct {
    ngx_atomic_t                      waiting;   /* bits set in all notes */
    ngx_atomic_t                      listening; /* bits: see listen() */
    ngx_uint_t                        n;         /* workers with an fd */
    ngx_http_conflict_wake_worker_t
                                  worker[NGX_HTTP_CONFLICT_WAKE_WORKERS];
    ngx_http_conflict_wake_note_t     note[NGX_HTTP_CONFLICT_WAKE_NOTES];
} ngx_http_conflict_wake_t;


/* The zone; NULL until this worker has started, or if it has no bit. */
extern ngx_http_conflict_wake_t  *ngx_http_conflict_wake;


/* Declares the zone.  NULL: already logged. */
ngx_shm_zone_t *ngx_http_conflict_wake_add(ngx_conf_t *cf, void *tag);

/* In the master, for a new configuration: makes the eventfds. */
void ngx_http_conflict_wake_open(ngx_cycle_t *cycle, ngx_shm_zone_t *zone);

/* In a worker: "handler" runs from the event loop for each note woken. */
void ngx_http_conflict_wake_start(ngx_cycle_t *cycle, ngx_shm_zone_t *zone,
    ngx_http_conflict_wake_pt handler);
void ngx_http_conflict_wake_stop(void);

/* This worker waits for a key of this note.  Calls of both are counted. */
void ngx_http_conflict_wake_wait(ngx_uint_t note);
void ngx_http_conflict_wake_leave(ngx_uint_t note);

/* 1 if another worker waits for a key of this note. */
ngx_uint_t ngx_http_conflict_wake_others(ngx_uint_t note);

/*
 * Wakes one of them, in turn, after all events posted so far have run.
 * NGX_DECLINED: there is none that is not about to wake already.
 */
ngx_int_t ngx_http_conflict_wake_next(ngx_uint_t note);


/*
 * Those that listen are woken together, by what concerns all of them: "handler"
 * runs from the event loop.  listening() says whether this worker does.
 */
void ngx_http_conflict_wake_listen(void (*handler)(void));
void ngx_http_conflict_wake_listening(ngx_uint_t on);

/* Wakes the other workers that listen, after all events posted so far. */
void ngx_http_conflict_wake_listeners(void);


/* 1 if any worker waits, this one included. */
#define ngx_http_conflict_wake_any()                                          \
    (ngx_http_conflict_wake && ngx_http_conflict_wake->waiting != 0)


#endif /* _NGX_HTTP_CONFLICT_WAKE_H_INCLUDED_ */
