
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Blobs: bytes that a store keeps under an id until a time, for what has to
 * outlive a request: stored responses, held bodies.  Not for versions, nor
 * for the history, which may lose what it has at any time.
 */


#ifndef _NGX_HTTP_CONFLICT_BLOB_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_BLOB_H_INCLUDED_


#include "store/ngx_http_conflict_store.h"


/*
 * Blobs of different kinds never meet.  Redis has their keys by the letters in
 * ngx_http_conflict_blob_letters, so the letter of a kind never changes.
 */

typedef enum {
    NGX_HTTP_CONFLICT_BLOB_ANSWER = 0,   /* to an Idempotency-Key */
    NGX_HTTP_CONFLICT_BLOB_HELD,         /* a body that lost a conflict */
    NGX_HTTP_CONFLICT_BLOB_KINDS
} ngx_http_conflict_blob_kind_e;

extern const char  ngx_http_conflict_blob_letters[];


typedef enum {
    /*
     * Inserts the blob if there is none under this id, or takes over the one
     * that has the token in.from, if its lease has ended: out.done is 1 then.
     * Otherwise out.done is 0, and out.found has the one that is there, with
     * its body.  One atomic step.  A claim has a token; repeated with the same
     * token, it is as the first one.
     */
    NGX_HTTP_CONFLICT_BLOB_CLAIM = 0,

    /*
     * Inserts or replaces.  With in.from, only replaces, and only a blob
     * that has this token: otherwise out.done is 0 and nothing has changed.
     * A blob that is replaced stays in the indexes that it was inserted in,
     * and keeps its number.
     */
    NGX_HTTP_CONFLICT_BLOB_PUT,

    /*
     * out.n is 1 and out.found has the blob with its body, or out.n is 0.
     */
    NGX_HTTP_CONFLICT_BLOB_GET,

    /*
     * With in.from, only a blob that has this token.  out.done is 1 if one
     * was removed.
     */
    NGX_HTTP_CONFLICT_BLOB_REMOVE,

    /*
     * Lists blobs of in.index[0], newest first, those with a number below
     * in.before, or all if that is 0, at most in.max: out.n of them in
     * out.found, without bodies.  Fewer than in.max: there are no more.
     */
    NGX_HTTP_CONFLICT_BLOB_LIST
} ngx_http_conflict_blob_verb_e;


#define NGX_HTTP_CONFLICT_BLOB_INDEXES  3
#define NGX_HTTP_CONFLICT_BLOB_MAX      100    /* blobs of a list */


/*
 * A blob that was found.  Its strings are owned by the operation: see
 * ngx_http_conflict_blob_forget().
 */

typedef struct {
    ngx_str_t                       id;
    ngx_str_t                       head;
    ngx_str_t                       body;       /* of a list: empty */
    size_t                          size;       /* of the body, even so */
    uint64_t                        number;     /* rises within an index; is
                                                   the time of insertion, usec
                                                   since 1970, or a bit more */
    uint64_t                        token;      /* 0: none */
    ngx_msec_t                      lease;      /* until it ends; 0: none, or
                                                   it has ended */
    ngx_msec_t                      ttl;        /* until it is removed */
} ngx_http_conflict_blob_found_t;


/* an index that a blob is inserted in */

typedef struct {
    ngx_str_t                       name;       /* any bytes */
    ngx_uint_t                      max;        /* blobs in it: the oldest are
                                                   evicted; 0: no bound */
} ngx_http_conflict_blob_index_t;


/*
 * What an operation of this kind asks and is told: op->blob.
 *
 * "in": its strings belong to the caller; they are copied by the call, so
 * they have to live until it has returned, whatever it returns.
 *
 * "out": owned by the operation, until its next call, its forget() or its
 * release.
 */

struct ngx_http_conflict_blob_s {

    struct {
        ngx_http_conflict_blob_verb_e   verb;
        ngx_http_conflict_blob_kind_e   kind;
        ngx_str_t                       id;     /* 1 to BLOB_ID bytes; of
                                                   [A-Za-z0-9_-] */
        ngx_str_t                       head;   /* what a list shows, so keep
                                                   it short */
        ngx_str_t                       body;
        ngx_msec_t                      ttl;    /* not 0 */

        /*
         * Of a claim and a put: who may replace the blob later, a number that
         * no other has, and until when it is expected to, unless the lease is
         * extended by another put.  The end of a lease changes nothing but
         * found.lease, and that the blob may be taken over.
         */
        uint64_t                        token;  /* 0: none */
        ngx_msec_t                      lease;

        /* of a claim, put and remove: the token that the blob has now */
        uint64_t                        from;   /* 0: any; of a claim: none */

        /*
         * Of a claim and a put: it would be unsafe to lose this blob, so no
         * other is to evict it before its ttl is over.  In Redis, that is up
         * to maxmemory-policy.
         */
        ngx_uint_t                      pinned;

        ngx_http_conflict_blob_index_t  index[NGX_HTTP_CONFLICT_BLOB_INDEXES];
        ngx_uint_t                      indexes;

        /*
         * Of a put and remove: how long it is repeated while Redis is down or
         * has no memory; 0: not at all.  NGX_AGAIN may then last that long.
         */
        ngx_msec_t                      patience;

        /* of a list */
        uint64_t                        before;
        ngx_uint_t                      max;    /* at most BLOB_MAX */
    } in;

    struct {
        ngx_uint_t                      done;
        ngx_http_conflict_blob_found_t *found;  /* NULL: none */
        ngx_uint_t                      n;
        uint64_t                        number; /* of the blob inserted or
                                                   replaced */

        /*
         * Live blobs that this call has evicted: by the bound of an index, or
         * in shared memory of any kind and partition, to make room.  They are
         * counted in the store's stats; the caller logs them.
         */
        ngx_uint_t                      evicted;
    } out;
};


/*
 * Allocates an operation for blobs.  "partition" is a name such as that of a
 * resource or a route; all of its blobs and indexes are in one slot of Redis
 * Cluster, so one call sees and changes them atomically; an id or index is of
 * its partition and kind only.  "r" may be NULL: op->request, op->done and
 * op->data as for other operations.  NULL: no memory.
 *
 * The caller sets op->blob->in and op->done, then calls
 *
 *     op->rc = op->store->ops->blob(op);
 *
 * NGX_OK: op->blob->out has the result.  NGX_AGAIN: op->done(op) will run
 * once, later, with op->rc set.  NGX_ERROR: nothing is known to be kept, the
 * caller must not say that it is; op->out.error says why: _STORE_FULL, in
 * shared memory (also for a blob larger than a quarter of the zone);
 * _STORE_DOWN: no answer, or no memory, or Redis refuses (OOM): a claim, put
 * or remove may have had an effect nevertheless, and may be repeated, with
 * the same token; _STORE_GENERATION.
 *
 * An operation serves one call at a time, and any number of them in turn: set
 * all of "in" anew.  End it with ngx_http_conflict_op_release(), also while a
 * call is in progress: its effect remains, and done() runs with op->request
 * NULL.
 */
ngx_http_conflict_op_t *ngx_http_conflict_blob_create(ngx_http_request_t *r,
    ngx_http_conflict_store_t *store, ngx_str_t *partition);

/* Frees what the last call has found. */
void ngx_http_conflict_blob_forget(ngx_http_conflict_blob_t *blob);

/* Frees op->blob, if there is one; for op.c. */
void ngx_http_conflict_blob_free(ngx_http_conflict_op_t *op);

/*
 * For the stores: begins the result of a call, with room for "n" blobs; and
 * adds a blob with room for its strings, whose lengths are set.  NGX_ERROR,
 * NULL: no memory.
 */
ngx_int_t ngx_http_conflict_blob_begin(ngx_http_conflict_blob_t *blob,
    ngx_uint_t n);
ngx_http_conflict_blob_found_t *ngx_http_conflict_blob_add(
    ngx_http_conflict_blob_t *blob, size_t id, size_t head, size_t body);

/*
 * Called by a location that uses blobs, when its store is known: declares a
 * third zone, of store->blobs_size bytes; 0: as large as the first.  In Redis
 * nothing has to be declared.
 */
ngx_int_t ngx_http_conflict_shm_blob_zone_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store);


#endif /* _NGX_HTTP_CONFLICT_BLOB_H_INCLUDED_ */
