
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What is counted, in shared memory of its own: by route, by store, and the
 * latest conflicts.  Knows no HTTP.
 */


#ifndef _NGX_HTTP_CONFLICT_STATS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_STATS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "process/ngx_http_conflict_predecessor.h"


/*
 * Counters.  Redis has them by these numbers, which must not change: new
 * ones come last.  First the outcomes, then the actions of the log, as they
 * are numbered in the module.
 */

#define NGX_HTTP_CONFLICT_OUTCOMES       11
#define NGX_HTTP_CONFLICT_ACTIONS        14     /* the first is number 1 */

/* the last action came later than the counters behind the others */
#define NGX_HTTP_CONFLICT_N_ACTION(action)                                    \
    (((action) == NGX_HTTP_CONFLICT_ACTIONS)                                  \
     ? NGX_HTTP_CONFLICT_N_OVERLAPPED                                         \
     : NGX_HTTP_CONFLICT_OUTCOMES - 1 + (ngx_uint_t) (action))

#define NGX_HTTP_CONFLICT_N_WAITED       24     /* writes */
#define NGX_HTTP_CONFLICT_N_WAIT         25     /* milliseconds of them */
#define NGX_HTTP_CONFLICT_N_UNKNOWN      26     /* outcomes, of writes */
#define NGX_HTTP_CONFLICT_N_FETCHES      27     /* GETs of the module's own */
#define NGX_HTTP_CONFLICT_N_OVERLAPPED   28     /* the action, of commits */

/* what passed without a check: guarded writes, and by other methods */
#define NGX_HTTP_CONFLICT_N_WITHOUT_BASE 29
#define NGX_HTTP_CONFLICT_N_UNCHECKED    30
#define NGX_HTTP_CONFLICT_N_UNGUARDED    31
#define NGX_HTTP_CONFLICT_GAPS           3

#define NGX_HTTP_CONFLICT_COUNTS         32

#define NGX_HTTP_CONFLICT_MINUTES        60
#define NGX_HTTP_CONFLICT_HOURS          48
#define NGX_HTTP_CONFLICT_DAYS           90

#define NGX_HTTP_CONFLICT_ROUTE_STATS        192    /* the last takes the rest */
#define NGX_HTTP_CONFLICT_STATS_NAME           127    /* bytes, as are those below */
#define NGX_HTTP_CONFLICT_STATS_FIELD          55
#define NGX_HTTP_CONFLICT_STATS_FIELDS         16     /* of a tally */
#define NGX_HTTP_CONFLICT_STATS_LINE           2044
#define NGX_HTTP_CONFLICT_STATS_LINES          100
#define NGX_HTTP_CONFLICT_STATS_RESOURCE       119
#define NGX_HTTP_CONFLICT_STATS_RESOURCES      64
#define NGX_HTTP_CONFLICT_STORE_STATS         16     /* stores */
#define NGX_HTTP_CONFLICT_STATS_ERRORS    4      /* kinds, of a store */
#define NGX_HTTP_CONFLICT_LATENCY_BUCKETS          12     /* the last is the rest */
#define NGX_HTTP_CONFLICT_STATS_WORKERS        256


/* bytes that are text or were made so */

typedef struct {
    u_char                        len;
    u_char                        data[NGX_HTTP_CONFLICT_STATS_NAME];
} ngx_http_conflict_stats_name_t;


typedef struct {
    uint32_t                      number;     /* of its minute, hour or day */
    uint32_t                      n[NGX_HTTP_CONFLICT_COUNTS];
} ngx_http_conflict_stats_bin_t;


typedef struct {
    uint32_t                      n;
    uint32_t                      sent;       /* to the store */
    u_char                        len;
    u_char                        name[NGX_HTTP_CONFLICT_STATS_FIELD];
} ngx_http_conflict_stats_clash_t;


/* of a route: a location of a server, and the entity there */

typedef struct {
    ngx_http_conflict_stats_name_t   store;
    ngx_http_conflict_stats_name_t   server;
    ngx_http_conflict_stats_name_t   location;
    ngx_http_conflict_stats_name_t   entity;
    uint32_t                         policy;
    uint32_t                         report;
    time_t                           since;
    time_t                           used;
    uint64_t                         total[NGX_HTTP_CONFLICT_COUNTS];
    uint64_t                         sent[NGX_HTTP_CONFLICT_COUNTS];
    ngx_http_conflict_stats_bin_t    minute[NGX_HTTP_CONFLICT_MINUTES];
    ngx_http_conflict_stats_bin_t    hour[NGX_HTTP_CONFLICT_HOURS];
    ngx_http_conflict_stats_bin_t    day[NGX_HTTP_CONFLICT_DAYS];
    ngx_http_conflict_stats_clash_t  fields[NGX_HTTP_CONFLICT_STATS_FIELDS];
} ngx_http_conflict_route_stats_t;


/* of a store, as far as this host has seen; each a word that is added to */

typedef struct {
    ngx_http_conflict_stats_name_t  store;
    ngx_atomic_t                    errors[NGX_HTTP_CONFLICT_STATS_ERRORS];
    ngx_atomic_t                    evicted;
    ngx_atomic_t                    unsettled;
    ngx_atomic_t                    dropped;    /* lines of the stream */
    ngx_atomic_t                    trips[NGX_HTTP_CONFLICT_LATENCY_BUCKETS];
    ngx_atomic_t                    trip_time;  /* microseconds of them */
} ngx_http_conflict_store_stats_t;


/* a conflict, as its line in the log is */

typedef struct {
    uint16_t                      len;        /* 0: none */
    uint16_t                      store;      /* number of its gauge */
    u_char                        data[NGX_HTTP_CONFLICT_STATS_LINE];
} ngx_http_conflict_stats_line_t;


typedef struct {
    uint32_t                      n;
    uint32_t                      store;      /* number of its gauge */
    u_char                        len;
    u_char                        key[NGX_HTTP_CONFLICT_STATS_RESOURCE];
} ngx_http_conflict_stats_resource_t;


/* those of a day with the most conflicts, more or less */

typedef struct {
    uint32_t                            day;
    ngx_http_conflict_stats_resource_t  top[NGX_HTTP_CONFLICT_STATS_RESOURCES];
} ngx_http_conflict_stats_top_t;


typedef struct {
    ngx_http_conflict_predecessor_t  process;
    ngx_atomic_t                     leases;
} ngx_http_conflict_worker_slot_t;


typedef struct {
    ngx_uint_t                       layout;
    ngx_uint_t                       tallies;
    ngx_uint_t                       next_line;
    ngx_atomic_t                     audit_errors;
    ngx_http_conflict_store_stats_t  gauge[NGX_HTTP_CONFLICT_STORE_STATS];
    ngx_http_conflict_worker_slot_t  worker[NGX_HTTP_CONFLICT_STATS_WORKERS];
    ngx_http_conflict_stats_top_t    tops[2];
    ngx_http_conflict_stats_line_t   line[NGX_HTTP_CONFLICT_STATS_LINES];
    ngx_http_conflict_route_stats_t  tally[NGX_HTTP_CONFLICT_ROUTE_STATS];
} ngx_http_conflict_stats_t;


/*
 * In a worker; NULL where nothing is counted, as no location shows it.
 */
extern ngx_http_conflict_stats_t  *ngx_http_conflict_stats;

/*
 * Declares its memory; of the same size always, so that a reload keeps it.
 */
ngx_shm_zone_t *ngx_http_conflict_stats_add(ngx_conf_t *cf, void *tag);

/* In a worker: from now on it counts; no more. */
void ngx_http_conflict_stats_start(ngx_shm_zone_t *zone);
void ngx_http_conflict_stats_stop(void);

/* Nothing long may be done in between. */
void ngx_http_conflict_stats_lock(void);
void ngx_http_conflict_stats_unlock(void);

/*
 * The tally of a route, which stays where it is; where there are too many
 * routes already, the one that all others share.
 */
ngx_http_conflict_route_stats_t *ngx_http_conflict_stats_route(ngx_str_t *store,
    ngx_str_t *server, ngx_str_t *location, ngx_str_t *entity);

/*
 * Adds counts, by their numbers; under the lock.
 */
typedef struct {
    ngx_uint_t                    number;
    ngx_uint_t                    n;
} ngx_http_conflict_stats_count_t;

void ngx_http_conflict_stats_count(ngx_http_conflict_route_stats_t *tally,
    ngx_http_conflict_stats_count_t  *count, ngx_uint_t n);

/* A field that has clashed. */
void ngx_http_conflict_stats_recent_clash(
    ngx_http_conflict_route_stats_t *tally, u_char *name, size_t len);

/*
 * The gauge of a store, found or made.  NULL: there are too many.
 */
ngx_http_conflict_store_stats_t *ngx_http_conflict_stats_store(
    ngx_str_t *store);

/*
 * A conflict on a resource of a store: its line is at most
 * NGX_HTTP_CONFLICT_STATS_LINE bytes long, without an end.
 */
void ngx_http_conflict_stats_recent_line(ngx_http_conflict_store_stats_t *gauge,
    ngx_str_t *line);
void ngx_http_conflict_stats_recent_resource(
    ngx_http_conflict_store_stats_t *gauge, ngx_str_t *key);

/* A lease is held by this worker, or is not any more. */
void ngx_http_conflict_stats_lease(ngx_int_t n);
ngx_uint_t ngx_http_conflict_stats_leases(void);

/* How long an answer of the store took, in microseconds. */
void ngx_http_conflict_stats_recent_round_trip(
    ngx_http_conflict_store_stats_t *gauge, int64_t time);

/* The upper end of each, in microseconds; the last has none. */
extern const uint32_t  ngx_http_conflict_latency_bounds[];

void ngx_http_conflict_stats_name(ngx_http_conflict_stats_name_t *name,
    ngx_str_t *text);
ngx_uint_t ngx_http_conflict_stats_name_is(ngx_http_conflict_stats_name_t *name,
    ngx_str_t *text);


#endif /* _NGX_HTTP_CONFLICT_STATS_H_INCLUDED_ */
