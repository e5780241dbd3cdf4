
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The functions of a write on its way to the upstream, listed by the file
 * that has them, and those of a read.
 */


#ifndef _NGX_HTTP_CONFLICT_WRITE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_WRITE_H_INCLUDED_


#include "ngx_http_conflict_module.h"


/* pair.c */

/*
 * MOVE and COPY: finds the second resource.  NGX_DECLINED: ctx->flow.answer and
 * ctx->flow.reason say why it cannot be told.
 */
ngx_int_t ngx_http_conflict_pair(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The write may pass.  1: now ctx->op is the other resource's, which must be
 * asked as well.
 */
ngx_uint_t ngx_http_conflict_pair_next(ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_pair_end(ngx_http_conflict_ctx_t *ctx);

/* Which of both resources ctx->op, key, resource and target are about. */
void ngx_http_conflict_pair_exchange(ngx_http_conflict_ctx_t *ctx);

/* The path in an absolute or relative URI of this host, decoded. */
ngx_int_t ngx_http_conflict_pair_destination(ngx_http_request_t *r,
    ngx_str_t *value, ngx_str_t *uri);

/* if.c */

/* The If field, where it has an entity tag; else NULL. */
ngx_str_t *ngx_http_conflict_dav_if_tags(ngx_http_request_t *r);

/* Reads it.  NGX_DECLINED: it is malformed. */
ngx_int_t ngx_http_conflict_dav_if(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *value);

/* Gives the tags of a path to an operation, which has room for them. */
void ngx_http_conflict_dav_if_take(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_t *op, ngx_str_t *path);

/* NGX_DECLINED: some are of another resource; ctx->flow.answer is set. */
ngx_int_t ngx_http_conflict_dav_if_end(ngx_http_conflict_ctx_t *ctx);

/* Lets the upstream see the rest of it alone. */
ngx_int_t ngx_http_conflict_dav_if_hide(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* read.c: states */

ngx_http_conflict_state_e ngx_http_conflict_read_peek(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_read_peeked(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_read_fetch(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_read_observe(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_read_observed(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_read_forward(
    ngx_http_conflict_ctx_t *ctx);

/* wait.c: a state */

ngx_http_conflict_state_e ngx_http_conflict_write_wait(
    ngx_http_conflict_ctx_t *ctx);

/* verdict.c */

/* A state: the store has decided, or said what to do before it can. */
ngx_http_conflict_state_e ngx_http_conflict_verdict(
    ngx_http_conflict_ctx_t *ctx);

/* How the log calls a stale write. */
ngx_http_conflict_action_e ngx_http_conflict_verdict_action(
    conflict_policy_e policy);

/* found.c: states */

ngx_http_conflict_state_e ngx_http_conflict_latest_verdict_fetched(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_latest_verdict(
    ngx_http_conflict_ctx_t *ctx);

/* refuse.c: each returns the next state */

/*
 * The module answers with an error.  In report mode the write is forwarded,
 * and it is logged that it would have been refused.
 */
ngx_http_conflict_state_e ngx_http_conflict_refuse(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    ngx_http_conflict_outcome_e outcome, ngx_http_conflict_action_e action);

/*
 * The write cannot be checked.  Policies that never refuse let it go on with
 * "next", as do report mode and "pass"; the others refuse it.
 */
ngx_http_conflict_state_e ngx_http_conflict_refuse_unchecked(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    ngx_uint_t pass, ngx_http_conflict_state_e next);

/* respond.c */

/* The module answers with this; the same of report mode. */
ngx_http_conflict_state_e ngx_http_conflict_respond(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    ngx_http_conflict_outcome_e outcome, ngx_http_conflict_action_e action);

/* precondition.c */

/*
 * Reads the bases that headers carry and makes ctx->op.  NGX_DECLINED:
 * ctx->flow.answer and ctx->flow.reason say what is wrong.
 */
ngx_int_t ngx_http_conflict_precondition_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The same for the base in a body that was read, and the fingerprint.
 */
ngx_int_t ngx_http_conflict_precondition_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * A version that the client has sent, as a number or as text, of which the
 * end may have been cut.  NGX_DECLINED: it is none.
 */
ngx_int_t ngx_http_conflict_precondition_version(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text, ngx_uint_t number, ngx_uint_t cut_short);

/*
 * There is none, and the route asks for one: why the write is refused;
 * ctx->flow.reason says what to send.
 */
ngx_int_t ngx_http_conflict_precondition_missing(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e *answer);

/* Sets ctx->flow.answer and ctx->flow.reason: what is wrong, at which of its bytes. */
ngx_int_t ngx_http_conflict_precondition_wrong(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, const char *what, size_t at);

/* fingerprint.c */

/* Sets op->in.fingerprint, where a retry can be known by it. */
ngx_int_t ngx_http_conflict_fingerprint(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* tags.c */

/*
 * Reads a list of entity tags as clients have them.  *n moves on; "only" is
 * the text of a tag that is alone.  NGX_DECLINED: it is malformed.
 */
ngx_int_t ngx_http_conflict_entity_tags(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *value, uint64_t *versions, size_t *n, ngx_str_t *only);

/* How many versions that may make. */
size_t ngx_http_conflict_entity_tags_most(ngx_http_conflict_loc_conf_t *nlcf,
    ngx_table_elt_t *h);

/* Sets ctx->pre.base: as the log has it, the version in a tag. */
void ngx_http_conflict_entity_tags_base(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *tag);

/*
 * A base was not the current version: 1 where it is without what a front has
 * put behind it, and begin is to be asked again.
 */
ngx_uint_t ngx_http_conflict_entity_tags_retry(ngx_http_conflict_ctx_t *ctx);

/* Gives the upstream the tag that has held in its own words. */
ngx_int_t ngx_http_conflict_entity_tags_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* A version of the upstream's own: warns where nothing can equal it. */
void ngx_http_conflict_version_source_weak(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *version);

/* chain.c */

/* The Conflict-Chain field and, if wanted, how often it is there; or NULL. */
ngx_str_t *ngx_http_conflict_chain_field(ngx_http_request_t *r, ngx_uint_t *n);

/* Reads it.  NGX_DECLINED: it is malformed, ctx->flow.reason says how. */
ngx_int_t ngx_http_conflict_chain(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* mergeable.c */

/*
 * The client's body is here: how does it speak, and can it be merged?  Else
 * it is checked as under "version".  NGX_DECLINED: not even that, ctx->flow.answer
 * and ctx->flow.reason say what is wrong.
 */
ngx_int_t ngx_http_conflict_mergeable(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* pass.c: states */

/* Hands the request to the location's own content handler. */
ngx_http_conflict_state_e ngx_http_conflict_pass(
    ngx_http_conflict_ctx_t *ctx);

/* The same after an internal redirect, with the lease still held. */
ngx_http_conflict_state_e ngx_http_conflict_pass_again(
    ngx_http_conflict_ctx_t *ctx);

/* upstream_once.c */

/*
 * The content handler of a guarded write: the location's own, kept from
 * sending the request to an upstream twice, and from giving up when the
 * client goes away.
 */
ngx_int_t ngx_http_conflict_upstream_once_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_CONFLICT_WRITE_H_INCLUDED_ */
