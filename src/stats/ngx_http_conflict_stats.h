
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Counters by route and by store, and the latest conflicts, in a shared memory
 * zone of their own.  Does not depend on HTTP.
 */


#ifndef _NGX_HTTP_CONFLICT_STATS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_STATS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "process/ngx_http_conflict_predecessor.h"


/*
 * Counters: the outcomes, then the actions of the log, in the order of their
 * enums.  Redis stores them by these numbers, so new ones are appended.
 */

#define NGX_HTTP_CONFLICT_OUTCOMES       11
#define NGX_HTTP_CONFLICT_ACTIONS        14     /* the first is number 1 */

/* the last action was added after the counters that follow the others */
#define NGX_HTTP_CONFLICT_N_ACTION(action)                                    \
    (((action) == NGX_HTTP_CONFLICT_ACTIONS)                                  \
     ? NGX_HTTP_CONFLICT_N_OVERLAPPED                                         \
     : NGX_HTTP_CONFLICT_OUTCOMES - 1 + (ngx_uint_t) (action))

#define NGX_HTTP_CONFLICT_N_WAITED       24     /* writes that waited */
#define NGX_HTTP_CONFLICT_N_WAIT         25     /* the sum, milliseconds */
#define NGX_HTTP_CONFLICT_N_UNKNOWN      26     /* writes of unknown outcome */
#define NGX_HTTP_CONFLICT_N_FETCHES      27     /* own GETs */
#define NGX_HTTP_CONFLICT_N_OVERLAPPED   28     /* an action */

/* passed unchecked: guarded writes, and methods that are not guarded */
#define NGX_HTTP_CONFLICT_N_WITHOUT_BASE 29
#define NGX_HTTP_CONFLICT_N_UNCHECKED    30
#define NGX_HTTP_CONFLICT_N_UNGUARDED    31
#define NGX_HTTP_CONFLICT_GAPS           3

#define NGX_HTTP_CONFLICT_COUNTS         32

#define NGX_HTTP_CONFLICT_MINUTES        60
#define NGX_HTTP_CONFLICT_HOURS          48
#define NGX_HTTP_CONFLICT_DAYS           90

#define NGX_HTTP_CONFLICT_ROUTE_STATS      192    /* the last: all others */
#define NGX_HTTP_CONFLICT_STORE_STATS      16
#define NGX_HTTP_CONFLICT_STATS_ERRORS     4      /* kinds, of a store */
#define NGX_HTTP_CONFLICT_STATS_WORKERS    256

/* bytes */
#define NGX_HTTP_CONFLICT_STATS_NAME       127
#define NGX_HTTP_CONFLICT_STATS_FIELD      55
#define NGX_HTTP_CONFLICT_STATS_LINE       2044
#define NGX_HTTP_CONFLICT_STATS_RESOURCE   119

#define NGX_HTTP_CONFLICT_STATS_FIELDS     16     /* of a route */
#define NGX_HTTP_CONFLICT_STATS_LINES      500
#define NGX_HTTP_CONFLICT_STATS_RESOURCES  64

/* the last bucket has no upper bound */
#define NGX_HTTP_CONFLICT_LATENCY_BUCKETS  12


/* what has become of questions to a resolver */

#define NGX_HTTP_CONFLICT_RESOLVER_MERGED   0
#define NGX_HTTP_CONFLICT_RESOLVER_REFUSED  1
#define NGX_HTTP_CONFLICT_RESOLVER_FAILED   2
#define NGX_HTTP_CONFLICT_RESOLVER_RESULTS  3


/* truncated, and without control characters */

typedef struct {
    u_char                        len;
    u_char                        data[NGX_HTTP_CONFLICT_STATS_NAME];
} ngx_http_conflict_stats_name_t;


typedef struct {
    uint32_t                      number;     /* of the minute, hour or day
                                                 since 1970 */
    uint32_t                      n[NGX_HTTP_CONFLICT_COUNTS];
} ngx_http_conflict_stats_bin_t;


typedef struct {
    uint32_t                      n;
    uint32_t                      sent;       /* of them, to the store */
    uint32_t                      added;      /* of them, as it has answered */
    u_char                        len;
    u_char                        name[NGX_HTTP_CONFLICT_STATS_FIELD];
} ngx_http_conflict_stats_clash_t;


/*
 * A route is a location of a server, with an entity.  "sent" is the part of
 * the totals that was sent to the store, "added" that which it is known to
 * have.  Until it answers, the difference is sent again, with its number.
 */

typedef struct {
    ngx_http_conflict_stats_name_t   store;
    ngx_http_conflict_stats_name_t   server;
    ngx_http_conflict_stats_name_t   location;
    ngx_http_conflict_stats_name_t   entity;
    uint32_t                         policy;  /* OFF: a lock endpoint */
    uint32_t                         report;
    time_t                           since;   /* 0: not in use */
    time_t                           used;
    uint64_t                         total[NGX_HTTP_CONFLICT_COUNTS];
    uint64_t                         sent[NGX_HTTP_CONFLICT_COUNTS];
    uint64_t                         added[NGX_HTTP_CONFLICT_COUNTS];
    uint64_t                         sender;  /* random */
    uint64_t                         n_sent;  /* the number of the difference */
    uint64_t                         n_added;
    ngx_http_conflict_stats_bin_t    minute[NGX_HTTP_CONFLICT_MINUTES];
    ngx_http_conflict_stats_bin_t    hour[NGX_HTTP_CONFLICT_HOURS];
    ngx_http_conflict_stats_bin_t    day[NGX_HTTP_CONFLICT_DAYS];
    ngx_http_conflict_stats_clash_t  fields[NGX_HTTP_CONFLICT_STATS_FIELDS];
} ngx_http_conflict_route_stats_t;


/* a store as used by this host; atomic, without the lock */

typedef struct {
    ngx_http_conflict_stats_name_t  name;
    ngx_atomic_t                    errors[NGX_HTTP_CONFLICT_STATS_ERRORS];
    ngx_atomic_t                    evicted;
    ngx_atomic_t                    blobs_evicted;
    ngx_atomic_t                    held;     /* bodies for the inbox */
    ngx_atomic_t                    not_held; /* they could not be kept */
    ngx_atomic_t                    unsettled;
    ngx_atomic_t                    dropped;  /* lines of the audit stream */
    ngx_atomic_t                    behind;   /* 1: it has not taken the counts
                                                 that were sent last */
    ngx_atomic_t                    latency[NGX_HTTP_CONFLICT_LATENCY_BUCKETS];
    ngx_atomic_t                    latency_sum;  /* microseconds */
} ngx_http_conflict_store_stats_t;


/* an audit line, without its line feed */

typedef struct {
    uint16_t                      len;        /* 0: none, or incomplete */
    uint16_t                      store;      /* index of its store */
    u_char                        data[NGX_HTTP_CONFLICT_STATS_LINE];
} ngx_http_conflict_stats_line_t;


typedef struct {
    uint32_t                      n;
    uint32_t                      store;      /* index of its store */
    u_char                        len;
    u_char                        key[NGX_HTTP_CONFLICT_STATS_RESOURCE];
} ngx_http_conflict_stats_resource_t;


/* the resources with the most conflicts of a day, approximately */

typedef struct {
    uint32_t                            day;
    ngx_http_conflict_stats_resource_t  top[NGX_HTTP_CONFLICT_STATS_RESOURCES];
} ngx_http_conflict_stats_top_t;


typedef struct {
    ngx_http_conflict_predecessor_t  process;
    ngx_atomic_t                     leases;
} ngx_http_conflict_worker_slot_t;


/* a counter, and what to add to it */

typedef struct {
    ngx_uint_t                       number;
    ngx_uint_t                       n;
} ngx_http_conflict_stats_count_t;


typedef struct {
    time_t                           started;    /* counting */
    ngx_uint_t                       n_routes;
    ngx_uint_t                       next_line;
    ngx_atomic_t                     audit_errors;
    ngx_atomic_t                     resolver
                                        [NGX_HTTP_CONFLICT_RESOLVER_RESULTS];
    ngx_http_conflict_store_stats_t  store[NGX_HTTP_CONFLICT_STORE_STATS];
    ngx_http_conflict_worker_slot_t  worker[NGX_HTTP_CONFLICT_STATS_WORKERS];
    ngx_http_conflict_stats_top_t    tops[2];    /* even and odd days */
    ngx_http_conflict_stats_line_t   line[NGX_HTTP_CONFLICT_STATS_LINES];
    ngx_http_conflict_route_stats_t  route[NGX_HTTP_CONFLICT_ROUTE_STATS];
} ngx_http_conflict_stats_t;


/* In a worker; NULL: nothing is counted, no location has conflict_status. */
extern ngx_http_conflict_stats_t  *ngx_http_conflict_stats;

/* The names of the results of a resolver. */
extern const char  *ngx_http_conflict_stats_results[];

/* Upper bounds of the buckets but the last one, microseconds. */
extern const uint32_t  ngx_http_conflict_latency_bounds[];

/*
 * Declares the zone.  Its size never changes, so that a reload keeps it.
 */
ngx_shm_zone_t *ngx_http_conflict_stats_add(ngx_conf_t *cf, void *tag);

/* In a worker: starts to count, and stops. */
void ngx_http_conflict_stats_start(ngx_shm_zone_t *zone);
void ngx_http_conflict_stats_stop(void);

/* A spinlock of all workers: keep the critical section short. */
void ngx_http_conflict_stats_lock(void);
void ngx_http_conflict_stats_unlock(void);

/*
 * Finds or creates the counters of a route.  The pointer stays valid for the
 * life of the zone.  Routes beyond the limit share the last ones.  Locks.
 */
ngx_http_conflict_route_stats_t *ngx_http_conflict_stats_route(ngx_str_t *store,
    ngx_str_t *server, ngx_str_t *location, ngx_str_t *entity);

/* Adds to n counters of a route; the caller holds the lock. */
void ngx_http_conflict_stats_count(ngx_http_conflict_route_stats_t *route,
    ngx_http_conflict_stats_count_t *count, ngx_uint_t n);

/* Finds or creates the counters of a store.  NULL: too many stores.  Locks. */
ngx_http_conflict_store_stats_t *ngx_http_conflict_stats_store(ngx_str_t *name);

/*
 * The requests of this host that a store which does not take counts lacks; 0 if
 * it takes them.  Locks.
 */
uint64_t ngx_http_conflict_stats_uncounted(
    ngx_http_conflict_store_stats_t *store);

/* Counts a result of a resolver. */
void ngx_http_conflict_stats_resolver(ngx_uint_t result);

/* Adds n, which may be negative, to the leases held by this worker. */
void ngx_http_conflict_stats_lease(ngx_int_t n);

/* The leases held by all live workers of this host. */
ngx_uint_t ngx_http_conflict_stats_leases(void);

/* Truncates a text, and replaces its control characters by "?". */
void ngx_http_conflict_stats_name(ngx_http_conflict_stats_name_t *name,
    ngx_str_t *text);

/* Whether a text has this name, once truncated and replaced. */
ngx_uint_t ngx_http_conflict_stats_name_is(ngx_http_conflict_stats_name_t *name,
    ngx_str_t *text);


/*
 * Records an audit line, without its line feed and of at most
 * NGX_HTTP_CONFLICT_STATS_LINE bytes.  Locks.
 */
void ngx_http_conflict_stats_recent_line(ngx_http_conflict_store_stats_t *store,
    ngx_str_t *line);

/* Counts a conflict of a resource.  Locks. */
void ngx_http_conflict_stats_recent_resource(
    ngx_http_conflict_store_stats_t *store, ngx_str_t *key);

/* Counts a clash of a field.  Locks. */
void ngx_http_conflict_stats_recent_clash(
    ngx_http_conflict_route_stats_t *route, u_char *name, size_t len);

/* Counts a response time of the store, microseconds. */
void ngx_http_conflict_stats_recent_latency(
    ngx_http_conflict_store_stats_t *store, int64_t time);


#endif /* _NGX_HTTP_CONFLICT_STATS_H_INCLUDED_ */
