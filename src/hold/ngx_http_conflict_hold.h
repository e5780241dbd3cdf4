
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Held bodies: the items of the conflict inbox, and how a write makes one.
 */


#ifndef _NGX_HTTP_CONFLICT_HOLD_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_HOLD_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"
#include "store/ngx_http_conflict_blob.h"


/* items of a resource, of a user and of a store, at most */

#define NGX_HTTP_CONFLICT_HOLD_RESOURCE  16
#define NGX_HTTP_CONFLICT_HOLD_USER      NGX_HTTP_CONFLICT_BLOB_MAX
#define NGX_HTTP_CONFLICT_HOLD_STORE     1000
#define NGX_HTTP_CONFLICT_HOLD_NAMELESS  500


/* texts of an item, in the order in which its blob has them */

typedef enum {
    NGX_HTTP_CONFLICT_HOLD_KIND = 0,    /* see docs/inbox.md */
    NGX_HTTP_CONFLICT_HOLD_WRITER,      /* user, empty: unknown */
    NGX_HTTP_CONFLICT_HOLD_CLIENT,
    NGX_HTTP_CONFLICT_HOLD_SERVER,
    NGX_HTTP_CONFLICT_HOLD_ROUTE,       /* name of the location */
    NGX_HTTP_CONFLICT_HOLD_RESOURCE_ID,
    NGX_HTTP_CONFLICT_HOLD_KEY,
    NGX_HTTP_CONFLICT_HOLD_TARGET,      /* as the client has sent it */
    NGX_HTTP_CONFLICT_HOLD_METHOD,
    NGX_HTTP_CONFLICT_HOLD_TYPE,        /* Content-Type, may be empty */
    NGX_HTTP_CONFLICT_HOLD_BASE,        /* version, may be empty */
    NGX_HTTP_CONFLICT_HOLD_CONFLICT,    /* conflict_id */
    NGX_HTTP_CONFLICT_HOLD_TEXTS
} ngx_http_conflict_hold_text_e;


/* offsets in the body; all 0: it has no base version */

typedef struct {
    uint64_t                       value;     /* of the base version */
    uint64_t                       end;       /* 0: it is in a JSON Patch */
    uint64_t                       cut;       /* of its member or test, with a
                                                 comma */
    uint64_t                       cut_end;
} ngx_http_conflict_hold_base_t;


typedef struct {
    ngx_str_t                      text[NGX_HTTP_CONFLICT_HOLD_TEXTS];
    uint64_t                       time;      /* microseconds since 1970 */
    uint64_t                       version;   /* that it met; 0: not shown */
    uint64_t                       size;      /* of the body */
    ngx_http_conflict_hold_base_t  base;
    ngx_str_t                      body;      /* not in a list */
    ngx_str_t                      base_body; /* empty: unknown */
} ngx_http_conflict_hold_item_t;


/*
 * The next state of a write that was decided upon: HOLD_PUT if a body is to be
 * held first, else "next".
 */
ngx_http_conflict_state_e ngx_http_conflict_hold(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e next);

/* Keeps the body; a body that cannot be kept is counted. */
ngx_http_conflict_state_e ngx_http_conflict_hold_put(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_hold_done(
    ngx_http_conflict_ctx_t *ctx);

/*
 * The outcome of the write is known: removes the item that it has resolved, or
 * that of a body which it has not overwritten.
 */
void ngx_http_conflict_hold_answered(ngx_http_conflict_ctx_t *ctx);

/* At the end of the request. */
void ngx_http_conflict_hold_end(ngx_http_conflict_ctx_t *ctx);

/* All items of a store are in one partition. */
extern ngx_str_t  ngx_http_conflict_hold_partition;

/*
 * The name of an index: 'a': of all items; 'r': of a resource; 'u': of a user,
 * see below; 'n': of writes without a user.
 */
ngx_int_t ngx_http_conflict_hold_index(ngx_pool_t *pool, ngx_str_t *name,
    u_char kind, ngx_str_t *text);

/* Users belong to a server block: another one may have others of that name. */
ngx_int_t ngx_http_conflict_hold_index_user(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *user);


/*
 * A digest of what a client has sent, and of what tells it from others: the
 * "n" texts of "caller" and those of the item.  Not of the conflict.
 */
void ngx_http_conflict_hold_item_digest(ngx_http_conflict_hold_item_t *item,
    ngx_str_t *caller, ngx_uint_t n, u_char digest[20]);

/* The head and the body of the blob of an item. */
ngx_int_t ngx_http_conflict_hold_item_encode(ngx_pool_t *pool,
    ngx_http_conflict_hold_item_t *item, ngx_str_t *head, ngx_str_t *body);

/*
 * The texts of the item point into the blob; without a body those of a list.
 * NGX_ERROR: the blob is not an item.
 */
ngx_int_t ngx_http_conflict_hold_item_decode(
    ngx_http_conflict_hold_item_t *item, ngx_str_t *head, ngx_str_t *body);


#endif /* _NGX_HTTP_CONFLICT_HOLD_H_INCLUDED_ */
