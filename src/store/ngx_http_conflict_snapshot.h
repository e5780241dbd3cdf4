
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What a store reports about itself, and the counters of its routes: for the
 * dashboard and the metrics, in the same form for both stores.
 */


#ifndef _NGX_HTTP_CONFLICT_SNAPSHOT_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_SNAPSHOT_H_INCLUDED_


#include "store/ngx_http_conflict_store.h"


#define NGX_HTTP_CONFLICT_SNAPSHOT_LOCKS  100
#define NGX_HTTP_CONFLICT_SNAPSHOT_LINES  1000     /* at most */


/* what a snapshot is to contain */

typedef struct {
    ngx_uint_t                    brief;      /* without counters and lines */
    ngx_uint_t                    lines;      /* of the audit log, the latest */
    ngx_str_t                     id;         /* of a conflict: only its line,
                                                 among all that are kept */
} ngx_http_conflict_snapshot_want_t;


typedef struct {
    ngx_str_t                     key;
    ngx_uint_t                    n;
} ngx_http_conflict_resource_t;


typedef struct {
    ngx_str_t                     key;
    ngx_str_t                     user;
    ngx_str_t                     client;
    int64_t                       acquired;   /* microseconds */
    ngx_msec_t                    remaining;
} ngx_http_conflict_holder_t;


typedef struct ngx_http_conflict_snapshot_s  ngx_http_conflict_snapshot_t;

struct ngx_http_conflict_snapshot_s {
    ngx_http_conflict_store_t    *store;
    ngx_pool_t                   *pool;       /* owns everything here */
    ngx_uint_t                    busy;       /* answers expected */
    unsigned                      released:1;

    ngx_http_conflict_snapshot_want_t  want;

    /* runs once all answers have come */
    void                        (*done)(ngx_http_conflict_snapshot_t *snapshot);
    void                         *data;

    const char                   *why;        /* no answer; or NULL */
    unsigned                      fleet:1;    /* counters of all hosts */

    /* ngx_http_conflict_route_stats_t * */
    ngx_array_t                   route_stats;

    ngx_array_t                   resources;
    ngx_array_t                   holders;
    ngx_array_t                   lines;      /* ngx_str_t, latest first */

    /* -1: unknown */
    int64_t                       entries;
    int64_t                       leases;
    int64_t                       dirty;
    int64_t                       locks;
    int64_t                       evicted;
    int64_t                       memory;     /* bytes in use */
    int64_t                       size;       /* bytes in total */
    int64_t                       settling;   /* time left, seconds */

    /* of Redis: counters by the number of the route */
    ngx_array_t                   routes;
    int64_t                       now;        /* its clock, milliseconds */
};


/*
 * Queries a store.  With snapshot->busy 0 the snapshot is complete; otherwise
 * done() runs once, later, unless it is released before.  The text of want->id
 * must live until then.  NULL: no memory.
 */
ngx_http_conflict_snapshot_t *ngx_http_conflict_snapshot_create(
    ngx_http_conflict_store_t *store,
    ngx_http_conflict_snapshot_want_t *want);
void ngx_http_conflict_snapshot_release(ngx_http_conflict_snapshot_t *snapshot);

/* An answer has come; the last one completes the snapshot. */
void ngx_http_conflict_snapshot_answered(
    ngx_http_conflict_snapshot_t *snapshot);

/* Adds what this host has counted for the store.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_conflict_snapshot_stats(
    ngx_http_conflict_snapshot_t *snapshot);

/* Adds counters to route stats, all zeros, from the pool.  NULL: no memory. */
ngx_http_conflict_route_stats_t *ngx_http_conflict_snapshot_route(
    ngx_http_conflict_snapshot_t *snapshot);

/* Copies "data" into the pool.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_conflict_snapshot_copy(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *dst, u_char *data,
    size_t len);

/* Of the two stores; snapshot->why says why a store cannot answer. */
void ngx_http_conflict_shm_snapshot_take(
    ngx_http_conflict_snapshot_t *snapshot);
void ngx_http_conflict_redis_snapshot_take(
    ngx_http_conflict_snapshot_t *snapshot);


#endif /* _NGX_HTTP_CONFLICT_SNAPSHOT_H_INCLUDED_ */
