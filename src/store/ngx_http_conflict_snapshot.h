
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What a store can tell of itself and of what was counted on it: for the
 * dashboard, in the same form for both stores.
 */


#ifndef _NGX_HTTP_CONFLICT_SNAPSHOT_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_SNAPSHOT_H_INCLUDED_


#include "store/ngx_http_conflict_store.h"


#define NGX_HTTP_CONFLICT_SNAPSHOT_LOCKS  100


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
    ngx_pool_t                   *pool;       /* all of it is there */
    ngx_uint_t                    busy;       /* answers to come */
    unsigned                      released:1;
    unsigned                      brief:1;    /* only what is of the store */

    /* once all answers are there; NULL: nobody waits for it */
    void                        (*done)(ngx_http_conflict_snapshot_t *snapshot);
    void                         *data;

    const char                   *why;        /* it does not answer; or NULL */
    unsigned                      fleet:1;    /* counts are of all hosts */
    ngx_array_t                   route_stats;  /* pointers to them */
    ngx_array_t                   resources;
    ngx_array_t                   holders;
    ngx_array_t                   lines;      /* ngx_str_t, latest first */

    /* -1: it cannot tell */
    int64_t                       entries;
    int64_t                       leases;
    int64_t                       dirty;
    int64_t                       locks;
    int64_t                       evicted;
    int64_t                       memory;     /* bytes in use */
    int64_t                       size;       /* of which there are */
    int64_t                       settling;   /* a new store, for so long yet,
                                                 milliseconds */

    /* of Redis: number of a route, and its tally */
    ngx_array_t                   routes;
    int64_t                       now;        /* its clock, milliseconds */
};


/*
 * Asks a store.  With snapshot->busy 0 it is all there; else done() runs once,
 * later, unless it was released before.  NULL: no memory.
 */
ngx_http_conflict_snapshot_t *ngx_http_conflict_snapshot_create(
    ngx_http_conflict_store_t *store, ngx_uint_t brief);
void ngx_http_conflict_snapshot_release(ngx_http_conflict_snapshot_t *snapshot);

/* An answer has come; the last one ends it. */
void ngx_http_conflict_snapshot_answered(
    ngx_http_conflict_snapshot_t *snapshot);

/* What this host has counted on the store. */
ngx_int_t ngx_http_conflict_snapshot_ledger(
    ngx_http_conflict_snapshot_t *snapshot);

/* A tally of its own, in the pool; all zeros.  NULL: no memory. */
ngx_http_conflict_route_stats_t *ngx_http_conflict_snapshot_tally(
    ngx_http_conflict_snapshot_t *snapshot);
ngx_int_t ngx_http_conflict_snapshot_copy(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *dst, u_char *data,
    size_t len);

/* The two stores' own: where they cannot answer, snapshot->why says so. */
void ngx_http_conflict_shm_snapshot_take(
    ngx_http_conflict_snapshot_t *snapshot);
void ngx_http_conflict_redis_snapshot_take(
    ngx_http_conflict_snapshot_t *snapshot);


#endif /* _NGX_HTTP_CONFLICT_SNAPSHOT_H_INCLUDED_ */
