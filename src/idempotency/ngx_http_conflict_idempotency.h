
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Requests with an Idempotency-Key: claimed in the store before they are sent,
 * and answered with the stored response when they are sent again.
 */


#ifndef _NGX_HTTP_CONFLICT_IDEMPOTENCY_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_IDEMPOTENCY_H_INCLUDED_


#include "write/ngx_http_conflict_write.h"
#include "store/ngx_http_conflict_blob.h"


#define NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST  40   /* SHA-1, hexadecimal */


/* what an entry of a key says: the first character of its head */

#define NGX_HTTP_CONFLICT_IDEMPOTENCY_RUNNING    'r'
#define NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN    'u'
#define NGX_HTTP_CONFLICT_IDEMPOTENCY_NOT_KEPT   'n'   /* carried out */
#define NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT       'k'   /* with its response */


/*
 * Of a main request, in its pool.  Its strings are of the request, too, except
 * those in "op".
 */

struct ngx_http_conflict_idempotency_s {
    ngx_http_conflict_op_t  *op;           /* claims and renews; found entry */
    ngx_str_t                key;          /* empty: missing */
    ngx_str_t                partition;    /* "idempotency:" and a digest of
                                              caller, target and key */
    u_char                   fingerprint[NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST];
    uint64_t                 token;
    conflict_hash_t          hash;         /* of the body */
    ngx_event_t              timer;        /* renews the claim */
    ngx_uint_t               status;       /* of the response */
    ngx_str_t                fields;       /* the same, as in the entry */
    ngx_str_t                body;
    size_t                   size;         /* allocated */
    unsigned                 asked:1;      /* the store, whether it is new */
    unsigned                 claimed:1;    /* and not released, nor settled */
    unsigned                 done:1;       /* before a redirect to a page */
    unsigned                 earlier:1;    /* it may be done: by a request
                                              with this key, or in a location
                                              that did not guard it */
    unsigned                 judged:1;     /* by the response header */
    unsigned                 capturing:1;  /* the body of the response */
    unsigned                 gone:1;       /* the client, meanwhile */
};


/*
 * Makes ctx->idempotency, if the request has a key, or must have one, and the
 * location handles keys; or takes it, with the claim, from another context.
 */
ngx_int_t ngx_http_conflict_idempotency_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_ctx_t *previous);

/* States: the key is checked; a body that no other state reads is read. */
ngx_http_conflict_state_e ngx_http_conflict_idempotency_start(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_idempotency_body(
    ngx_http_conflict_ctx_t *ctx);

/* States: the key is claimed; it is new, or the request is answered. */
ngx_http_conflict_state_e ngx_http_conflict_idempotency_claim(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_idempotency_claimed(
    ngx_http_conflict_ctx_t *ctx);

/* State: after an internal redirect; also of a write without a key. */
ngx_http_conflict_state_e ngx_http_conflict_idempotency_redirected(
    ngx_http_conflict_ctx_t *ctx);

/* At the end of the request: what is not settled becomes so. */
void ngx_http_conflict_idempotency_end(ngx_http_conflict_ctx_t *ctx);

/*
 * Replaces the claim by what is known now, or releases it if "what" is 0.  The
 * store may do so after the request has ended.
 */
void ngx_http_conflict_idempotency_settle(ngx_http_conflict_ctx_t *ctx,
    u_char what);


/*
 * Parses the field.  NGX_DECLINED: it is malformed, or missing;
 * ctx->flow.answer and ctx->flow.reason are set.
 */
ngx_int_t ngx_http_conflict_idempotency_key(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Sets partition and fingerprint; the body has been read. */
ngx_int_t ngx_http_conflict_idempotency_key_scope(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* 1 if the request has the field. */
ngx_uint_t ngx_http_conflict_idempotency_key_given(ngx_http_request_t *r);


/* Filters: judge the response, and keep it. */
ngx_int_t ngx_http_conflict_idempotency_record_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_idempotency_record_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in);

/*
 * "rc" is the result of sending "in".  The client may be gone: the rest of the
 * response is read for the entry, and sent nowhere.
 */
ngx_int_t ngx_http_conflict_idempotency_record_sent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_int_t rc);

/*
 * What an entry says of a request whose response header has this status; that
 * is 0 if there is none.  Returns 0 if the request was not carried out.
 */
u_char ngx_http_conflict_idempotency_record_judge(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t shown);

/*
 * After an internal redirect, before the request is passed again.  If it has
 * become a GET, what follows is a page, whose status and upstream do not tell
 * what was done.
 */
void ngx_http_conflict_idempotency_record_redirect(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/* The content handler that answers with the entry that was found. */
ngx_int_t ngx_http_conflict_idempotency_replay(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CONFLICT_IDEMPOTENCY_H_INCLUDED_ */
