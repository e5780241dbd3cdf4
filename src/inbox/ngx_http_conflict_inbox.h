
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The endpoint of the conflict inbox: conflict_inbox.
 */


#ifndef _NGX_HTTP_CONFLICT_INBOX_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_INBOX_H_INCLUDED_


#include "answer/ngx_http_conflict_endpoint.h"
#include "hold/ngx_http_conflict_hold.h"


#define NGX_HTTP_CONFLICT_INBOX_LIMIT  50      /* items of a page */


typedef enum {
    NGX_HTTP_CONFLICT_INBOX_LIST = 0,
    NGX_HTTP_CONFLICT_INBOX_SHOW,
    NGX_HTTP_CONFLICT_INBOX_RESOLVE,
    NGX_HTTP_CONFLICT_INBOX_DISCARD
} ngx_http_conflict_inbox_verb_e;


struct ngx_http_conflict_inbox_s {
    ngx_http_conflict_inbox_verb_e   verb;
    ngx_http_conflict_loc_conf_t    *conf;     /* of the endpoint */
    ngx_http_conflict_op_t          *op;       /* of blobs; has the texts of the
                                                  item */
    ngx_str_t                        id;
    ngx_str_t                        resource; /* of a list; NULL: any */
    ngx_str_t                        route;    /* the same */
    ngx_str_t                        tag;      /* of If-Match, unquoted */
    uint64_t                         before;
    ngx_uint_t                       limit;
    ngx_http_conflict_hold_item_t    item;
    unsigned                         merged:1;    /* the body of the POST */
    unsigned                         create:1;    /* If-None-Match: * */
    unsigned                         received:1;  /* the body was */
    unsigned                         removing:1;
    unsigned                         unguarded:1; /* the item's location is */
    unsigned                         resolving:1; /* it has become a write */
};


char *ngx_http_conflict_inbox_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* The content handler of the endpoint. */
ngx_int_t ngx_http_conflict_inbox_answer(ngx_http_request_t *r);


/*
 * The states of the endpoint; each function returns the next one, or
 * NGX_HTTP_CONFLICT_STATE_AGAIN to be called again.
 */
ngx_http_conflict_state_e ngx_http_conflict_inbox_endpoint_start(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_inbox_endpoint_receive(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_inbox_endpoint_call(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_inbox_endpoint_called(
    ngx_http_conflict_ctx_t *ctx);

/* 1 if the caller may know of the item. */
ngx_uint_t ngx_http_conflict_inbox_endpoint_visible(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_hold_item_t *item);

/* 1 if the item is of a write to the server of the request. */
ngx_uint_t ngx_http_conflict_inbox_endpoint_own(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item);

/* ngx_http_conflict_endpoint_call(); counts a call that has failed. */
ngx_uint_t ngx_http_conflict_inbox_endpoint_store(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call, ngx_http_conflict_state_e *next);

/* At the end of the request: ctx->op is that of a write, or NULL. */
void ngx_http_conflict_inbox_endpoint_end(ngx_http_conflict_ctx_t *ctx);


/* The version of the item's resource, then a GET of it. */
ngx_http_conflict_state_e ngx_http_conflict_inbox_show_peek(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_inbox_show_peeked(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_inbox_show_get(
    ngx_http_conflict_ctx_t *ctx);


/*
 * Makes the POST the write of the item, which nginx handles from its first
 * phase on.
 */
ngx_http_conflict_state_e ngx_http_conflict_inbox_resolve(
    ngx_http_conflict_ctx_t *ctx);

/* Gives the request the target of the item, as if its client had sent it. */
ngx_int_t ngx_http_conflict_inbox_resolve_target(ngx_http_request_t *r,
    ngx_str_t *target);


#endif /* _NGX_HTTP_CONFLICT_INBOX_H_INCLUDED_ */
