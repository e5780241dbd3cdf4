
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The path of a write and of a read, from the precondition to the outcome.
 */


#ifndef _NGX_HTTP_CONFLICT_WRITE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_WRITE_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/* The Conflict-Chain field and, if wanted, how often it is there; or NULL. */
ngx_str_t *ngx_http_conflict_chain_field(ngx_http_request_t *r, ngx_uint_t *n);

/* Reads it.  NGX_DECLINED: it is malformed, ctx->flow.reason says how. */
ngx_int_t ngx_http_conflict_chain(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


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


/* Fills ctx->merge.fields, if the latest body and the client's are there. */
void ngx_http_conflict_diff(ngx_http_conflict_ctx_t *ctx);

/*
 * The same for a write that is about to pass.  1: a GET comes first, in the
 * state of a verdict that needs the latest body.
 */
ngx_uint_t ngx_http_conflict_diff_first(ngx_http_conflict_ctx_t *ctx);

/* That GET: returns the next state; and it is given up no more. */
ngx_http_conflict_state_e ngx_http_conflict_diff_found(
    ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_diff_end(ngx_http_conflict_ctx_t *ctx);


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


/*
 * How long the lease must last, less a margin, and "more"; 0 or less: it may
 * be another's.
 */
int64_t ngx_http_conflict_fence_left(ngx_http_conflict_op_t *op,
    ngx_msec_t more);

/* The same for all leases of the request, one of which it must have. */
int64_t ngx_http_conflict_fence_least(ngx_http_conflict_ctx_t *ctx,
    ngx_msec_t more);

/* 1 for a write that must not go on. */
ngx_uint_t ngx_http_conflict_fence_expired(ngx_http_conflict_ctx_t *ctx);

/* Right before it is handed on.  504: it must not be, and is settled. */
ngx_int_t ngx_http_conflict_fence_pass(ngx_http_conflict_ctx_t *ctx);

/*
 * Ends its attempt at the upstream, by a timer: NGX_OK, the request may be
 * gone; NGX_AGAIN, the timer runs; NGX_DECLINED, there is none.
 */
ngx_int_t ngx_http_conflict_fence_end(ngx_http_conflict_ctx_t *ctx);

/* 1 where a 2xx of the upstream must become a 504; it is settled. */
ngx_uint_t ngx_http_conflict_fence_late(ngx_http_conflict_ctx_t *ctx);


/* Sets op->in.fingerprint, where a retry can be known by it. */
ngx_int_t ngx_http_conflict_fingerprint(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * Finds the base version that the body states, as if it were a member.
 * NGX_DECLINED: ctx->flow.answer and ctx->flow.reason say what is wrong; NGX_ERROR: no
 * memory, or its file cannot be read.
 */
ngx_int_t ngx_http_conflict_json_patch_base(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* The write is refused, for its operations are not possible. */
ngx_http_conflict_state_e ngx_http_conflict_json_patch_impossible(
    ngx_http_conflict_ctx_t *ctx);

/*
 * A write that may have been carried out before would be again; 1: it is one
 * that must not be, and is refused by "next".
 */
ngx_uint_t ngx_http_conflict_json_patch_repeated(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e *next);


ngx_http_conflict_state_e ngx_http_conflict_latest_verdict_fetched(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_latest_verdict(
    ngx_http_conflict_ctx_t *ctx);


ngx_http_conflict_state_e ngx_http_conflict_merge_write_recall(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_merge_write_recalled(
    ngx_http_conflict_ctx_t *ctx);

/* The latest body is here as well, and the lease is held. */
ngx_http_conflict_state_e ngx_http_conflict_merge_write(
    ngx_http_conflict_ctx_t *ctx);


/*
 * The write is refused, for it cannot be merged: with nothing that is there;
 * its body has more values than it may, or together with the others.  Each
 * returns the next state.
 */
ngx_http_conflict_state_e ngx_http_conflict_mergeable_refuse(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_mergeable_refuse_body(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_mergeable_refuse_values(
    ngx_http_conflict_ctx_t *ctx);

/*
 * The client's body is here: how does it speak, and can it be merged?  Else
 * it is checked as under "version".  NGX_DECLINED: not even that, ctx->flow.answer
 * and ctx->flow.reason say what is wrong.
 */
ngx_int_t ngx_http_conflict_mergeable(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


ngx_http_conflict_kind_e ngx_http_conflict_method(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* A request that is neither a read nor a guarded write: before, and after. */
ngx_int_t ngx_http_conflict_method_unchecked(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_method_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Are the validators of the response those of another resource? */
ngx_uint_t ngx_http_conflict_method_created(ngx_http_request_t *r);


/* Renews a lease, until it is settled. */
void ngx_http_conflict_outcome_hold(ngx_http_conflict_ctx_t *ctx);

/*
 * What became of the write, by the header that is about to be sent.  A 2xx
 * whose version is still to come with the body stays open.
 */
void ngx_http_conflict_outcome_header(ngx_http_conflict_ctx_t *ctx);

/*
 * The end of a 2xx answer in which op->in.observed.version was looked for, and
 * the end of a request of which nothing more will be seen.
 */
void ngx_http_conflict_outcome_body(ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_outcome_end(ngx_http_conflict_ctx_t *ctx);

/*
 * A request of a method that is not guarded has been answered with this
 * status, or was not where it is 0: what it may have done makes the entry of
 * its target unknown.  Of a POST it is only noted that it may have.
 */
void ngx_http_conflict_outcome_unguarded(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t status);

/*
 * Settles by what the upstream has said so far, for a request that is about
 * to be handed to another location.  NGX_OK: that is harmless, the write
 * has not happened or is done; NGX_DECLINED: it may have.
 */
ngx_int_t ngx_http_conflict_outcome_redirect(ngx_http_conflict_ctx_t *ctx);

/* fence.c has found: it will not be sent; it was done, if NGX_OK, too late. */
void ngx_http_conflict_outcome_unsent(ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_outcome_late(ngx_http_conflict_ctx_t *ctx);


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


/* Hands the request to the location's own content handler. */
ngx_http_conflict_state_e ngx_http_conflict_pass(
    ngx_http_conflict_ctx_t *ctx);

/* The same after an internal redirect, with the lease still held. */
ngx_http_conflict_state_e ngx_http_conflict_pass_again(
    ngx_http_conflict_ctx_t *ctx);


/*
 * Hides what the upstream of a read or a write that passes is not to see.
 */
ngx_int_t ngx_http_conflict_pass_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


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


/* The module answers with this; the same of report mode. */
ngx_http_conflict_state_e ngx_http_conflict_respond(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    ngx_http_conflict_outcome_e outcome, ngx_http_conflict_action_e action);


/* As set_etag(), with the upstream's own tag (ctx->version.upstream_tag) behind the version. */
ngx_int_t ngx_http_conflict_revalidate_set_etag(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, uint64_t version);

/*
 * Of a read that goes upstream: hides its conditions, or puts them in the
 * upstream's own words.  ctx->version.current must be set.
 */
ngx_int_t ngx_http_conflict_revalidate(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* The upstream has answered with 304: sets the tag of that. */
ngx_int_t ngx_http_conflict_revalidate_not_modified(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Judges what nginx's filters would judge by tags.  "date" is Last-Modified as
 * the upstream has sent it, or -1.
 */
ngx_int_t ngx_http_conflict_revalidate_conditions(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, time_t date);


/*
 * The content handler of a guarded write: the location's own, kept from
 * sending the request to an upstream twice, and from giving up when the
 * client goes away.
 */
ngx_int_t ngx_http_conflict_upstream_once_handler(ngx_http_request_t *r);


/* A state: the store has decided, or said what to do before it can. */
ngx_http_conflict_state_e ngx_http_conflict_verdict(
    ngx_http_conflict_ctx_t *ctx);

/* How the log calls a stale write. */
ngx_http_conflict_action_e ngx_http_conflict_verdict_action(
    conflict_policy_e policy);


ngx_http_conflict_state_e ngx_http_conflict_write_wait(
    ngx_http_conflict_ctx_t *ctx);


#endif /* _NGX_HTTP_CONFLICT_WRITE_H_INCLUDED_ */
