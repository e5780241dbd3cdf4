
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The path of a write and of a read, from the precondition to the outcome.
 * Functions that return a state are run by the loop in handler.c, or return
 * the next state to one that is.  Memory is that of the request's pool, unless
 * stated otherwise.
 */


#ifndef _NGX_HTTP_CONFLICT_WRITE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_WRITE_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/*
 * The Conflict-Chain field, NULL if the request has none; *n, unless n is
 * NULL, is set to the number of such fields.
 */
ngx_str_t *ngx_http_conflict_chain_field(ngx_http_request_t *r, ngx_uint_t *n);

/* Parses it.  NGX_DECLINED: malformed, see ctx->flow.reason. */
ngx_int_t ngx_http_conflict_chain(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/* The If field, NULL if there is none or it has no entity tags. */
ngx_str_t *ngx_http_conflict_dav_if_tags(ngx_http_request_t *r);

/* Parses it.  NGX_DECLINED: malformed. */
ngx_int_t ngx_http_conflict_dav_if(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *value);

/* Adds the tags for a path to an operation, which must have room for them. */
void ngx_http_conflict_dav_if_take(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_t *op, ngx_str_t *path);

/* 1 if a tag for the resource of ctx->op is this strong one of the upstream. */
ngx_uint_t ngx_http_conflict_dav_if_has(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *tag);

/* NGX_DECLINED: a tag is for another resource; ctx->flow.answer is set. */
ngx_int_t ngx_http_conflict_dav_if_end(ngx_http_conflict_ctx_t *ctx);

/* Replaces the field by its part that the upstream has to check, if any. */
ngx_int_t ngx_http_conflict_dav_if_hide(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/* Sets ctx->merge.fields if both the latest body and the client's are there. */
void ngx_http_conflict_diff(ngx_http_conflict_ctx_t *ctx);

/*
 * The same for a write that is about to pass.  1: a GET is needed first, or
 * the body that it overwrites is to be held: the next state must be
 * LATEST_VERDICT, which calls _fetched().
 */
ngx_uint_t ngx_http_conflict_diff_start(ngx_http_conflict_ctx_t *ctx);

/* Starts that GET, limited by conflict_wait; or compares what it has shown. */
ngx_http_conflict_state_e ngx_http_conflict_diff_fetched(
    ngx_http_conflict_ctx_t *ctx);

/* Removes the timer that limits it. */
void ngx_http_conflict_diff_end(ngx_http_conflict_ctx_t *ctx);


/*
 * Starts the edit of a write, and takes its time from the header, or from the
 * body.  NGX_DECLINED: it is malformed; ctx->flow.answer is set.
 */
ngx_int_t ngx_http_conflict_edited_header(ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_edited_body(ngx_http_conflict_ctx_t *ctx);

/* The verdict is there: notes the times for the log, and warns of clocks. */
void ngx_http_conflict_edited_compared(ngx_http_conflict_ctx_t *ctx);


/*
 * Parses a list of entity tags as sent by a client, and adds their versions
 * to versions[*n]; "only" is set to the text of the tag if there is only one.
 * NGX_DECLINED: malformed.
 */
ngx_int_t ngx_http_conflict_entity_tags(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *value, uint64_t *versions, size_t *n, ngx_str_t *only);

/* The maximum number of versions in such a list; h may be NULL. */
size_t ngx_http_conflict_entity_tags_max(ngx_http_conflict_loc_conf_t *nlcf,
    ngx_table_elt_t *h);

/* 1 if If-Match, which must be present, has this strong tag. */
ngx_uint_t ngx_http_conflict_entity_tags_match(ngx_http_request_t *r,
    ngx_str_t *tag);

/* Sets ctx->pre.base, for the log, to the version in a tag. */
void ngx_http_conflict_entity_tags_base(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *tag);

/*
 * The base was not the current version.  1: it is without the suffix that a
 * front end has appended, and begin must be called again.
 */
ngx_uint_t ngx_http_conflict_entity_tags_retry(ngx_http_conflict_ctx_t *ctx);

/* Forwards the tag that matched as the upstream has sent it. */
ngx_int_t ngx_http_conflict_entity_tags_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * Milliseconds until "more" after the end of the first lease of the request,
 * which must have one, less a margin; 0 or negative: another write may hold a
 * lease by then.
 */
int64_t ngx_http_conflict_fence_remaining_min(ngx_http_conflict_ctx_t *ctx,
    ngx_msec_t more);

/* 1: the lease of the write may have expired, it must not go on. */
ngx_uint_t ngx_http_conflict_fence_expired(ngx_http_conflict_ctx_t *ctx);

/* Called right before the write is sent.  504: expired, and settled. */
ngx_int_t ngx_http_conflict_fence_pass(ngx_http_conflict_ctx_t *ctx);

/*
 * Aborts the upstream attempt; called from the timer.  NGX_OK: aborted, the
 * request may be freed; NGX_AGAIN: the timer is set; NGX_DECLINED: there is
 * no attempt to abort.
 */
ngx_int_t ngx_http_conflict_fence_abort(ngx_http_conflict_ctx_t *ctx);

/* 1: the 2xx of the upstream must become a 504; the write is settled. */
ngx_uint_t ngx_http_conflict_fence_late(ngx_http_conflict_ctx_t *ctx);


/* Sets op->in.fingerprint, unless a retry cannot be recognized. */
ngx_int_t ngx_http_conflict_fingerprint(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * Finds the base version that a JSON Patch tests, as if it were a member of
 * the body.  NGX_DECLINED: ctx->flow.answer and ctx->flow.reason are set;
 * NGX_ERROR: no memory, or the file of the body cannot be read.
 */
ngx_int_t ngx_http_conflict_json_patch_base(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Refuses a patch that cannot be applied. */
ngx_http_conflict_state_e ngx_http_conflict_json_patch_inapplicable(
    ngx_http_conflict_ctx_t *ctx);

/*
 * The write may have been done already.  1: it is a patch that must not be
 * applied twice, and is refused: *next is its next state.
 */
ngx_uint_t ngx_http_conflict_json_patch_repeated(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e *next);


/* Makes the own GET, and checks what it has shown. */
ngx_http_conflict_state_e ngx_http_conflict_latest_verdict_get(
    ngx_http_conflict_ctx_t *ctx);

/* The verdict needs the latest body: starts a GET, or acts on what it shows. */
ngx_http_conflict_state_e ngx_http_conflict_latest_verdict(
    ngx_http_conflict_ctx_t *ctx);


/* Asks the history for the base, and for the write itself. */
ngx_http_conflict_state_e ngx_http_conflict_merge_write_lookup(
    ngx_http_conflict_ctx_t *ctx);

/* Merges; the latest body is there, and the lease is held. */
ngx_http_conflict_state_e ngx_http_conflict_merge_write(
    ngx_http_conflict_ctx_t *ctx);


/*
 * The server's version as JSON, as a string if the client's base is one; an
 * empty text: it is not known.
 */
ngx_int_t ngx_http_conflict_merge_write_version(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *value);

/*
 * Makes a text the body for the upstream, without the base if that is to be
 * removed.  The memory is taken from "out".
 */
ngx_int_t ngx_http_conflict_merge_write_text(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, conflict_buffer_t *out);

/* Copies a result of a merge. */
ngx_int_t ngx_http_conflict_merge_write_copy(ngx_pool_t *pool,
    ngx_str_t *dst, conflict_buffer_t *src);


/*
 * Refuse a write that cannot be merged: the latest representation is not a
 * document; the body has too many values; all documents together have.
 */
ngx_http_conflict_state_e ngx_http_conflict_mergeable_refuse(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_mergeable_refuse_body(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_mergeable_refuse_values(
    ngx_http_conflict_ctx_t *ctx);

/*
 * Sets ctx->merge.form and ctx->merge.mergeable by the client's body.  A body
 * that cannot be merged is checked as under "version".  NGX_DECLINED: it must
 * be merged and cannot be, ctx->flow.answer and ctx->flow.reason are set.
 */
ngx_int_t ngx_http_conflict_mergeable(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/* In the PREACCESS and the PRECONTENT phase, for the next function. */
ngx_int_t ngx_http_conflict_denied_handler(ngx_http_request_t *r);
void ngx_http_conflict_denied_passed(ngx_http_request_t *r);

/*
 * The same for a request that was not seen before, but is a page: it was denied
 * before PREACCESS, by "return" or for its Content-Length.
 */
ngx_int_t ngx_http_conflict_denied_before(ngx_http_request_t *r);

/*
 * 1 if nginx has denied the request between these phases, and has led it on to
 * a page, from a location that is guarded or to which one has led; or before
 * them, if the page keeps the status.
 */
ngx_uint_t ngx_http_conflict_denied(ngx_http_request_t *r);


/* What the module does with a request that has come to a location. */
ngx_http_conflict_kind_e ngx_http_conflict_method_kind(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* The same, by its method and fields. */
ngx_http_conflict_kind_e ngx_http_conflict_method(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* Fields by which a POST becomes a request of another method. */
extern const ngx_str_t  ngx_http_conflict_method_fields[];

/* An operation about a write that is not checked; to be released. */
ngx_http_conflict_op_t *ngx_http_conflict_method_op(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *key);

/* 1: a field may have made it a request with another method for the upstream */
ngx_uint_t ngx_http_conflict_method_overridden(ngx_http_request_t *r);

/*
 * If conflict_key is empty, the request passes as it is, with all that the API
 * answers, but a write is marked, counted and logged as unchecked.
 */
ngx_int_t ngx_http_conflict_method_keyless(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Handler and header filter of a request that is not read, nor guarded. */
ngx_int_t ngx_http_conflict_method_unchecked(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_method_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * What such a request may have done, by the status of its response, or 0 if it
 * ends without one.  Only the first call counts.
 */
void ngx_http_conflict_method_end(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t status);

/* 1: the validators in the response are those of another resource. */
ngx_uint_t ngx_http_conflict_method_created(ngx_http_request_t *r);


/*
 * 1: the response, whose header is about to be sent, can be held back until
 * the end of the current iteration of the event loop.
 */
ngx_uint_t ngx_http_conflict_held_response_possible(ngx_http_request_t *r);

/* Holds it back.  The store's events must be posted already. */
void ngx_http_conflict_held_response_start(ngx_http_conflict_ctx_t *ctx);

/* At the end of the request. */
void ngx_http_conflict_held_response_end(ngx_http_conflict_ctx_t *ctx);


/* what is known of a write, and how it is settled; each leaves more open */

typedef enum {
    NGX_HTTP_CONFLICT_NOT_DONE = 0,    /* cancel */
    NGX_HTTP_CONFLICT_DONE,            /* commit */
    NGX_HTTP_CONFLICT_UNCERTAIN,       /* abandon, it will not land any more */
    NGX_HTTP_CONFLICT_AMBIGUOUS        /* abandon, it may still land */
} ngx_http_conflict_class_e;

/* 1: the status of a request that was not carried out. */
ngx_uint_t ngx_http_conflict_outcome_refused(ngx_uint_t status);

/* By the status of one attempt; 0 is no status. */
ngx_http_conflict_class_e ngx_http_conflict_outcome_status(ngx_uint_t status);

/*
 * By all attempts of the write; "ended": there was no response header, and
 * there will be none.
 */
ngx_http_conflict_class_e ngx_http_conflict_outcome_class(
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t ended);

/* The class by what a handler's subrequests have heard as well. */
ngx_http_conflict_class_e ngx_http_conflict_outcome_delegated(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_class_e class);

/* 1: the write has a lease; of a MOVE or COPY, on one of its resources. */
ngx_uint_t ngx_http_conflict_outcome_leased(ngx_http_conflict_ctx_t *ctx);

/* Renews the lease by a timer until the write is settled. */
void ngx_http_conflict_outcome_hold(ngx_http_conflict_ctx_t *ctx);

/* Ends that: the lease is lost, or another timer renews it from now on. */
void ngx_http_conflict_outcome_unhold(ngx_http_conflict_ctx_t *ctx);

/*
 * Settles by the response header that is about to be sent.  A 2xx stays open
 * if its version is still to come with the body.
 */
void ngx_http_conflict_outcome_header(ngx_http_conflict_ctx_t *ctx);

/* Settles at the end of a 2xx body, by op->in.observed.version. */
void ngx_http_conflict_outcome_body(ngx_http_conflict_ctx_t *ctx);

/* Settles at the end of the request. */
void ngx_http_conflict_outcome_end(ngx_http_conflict_ctx_t *ctx);

/*
 * Settles by the upstream's response so far, as the request is about to be
 * redirected internally.  NGX_OK: it may go on, the write was not done or is
 * done; NGX_DECLINED: its outcome is unknown, it must not be sent again.
 */
ngx_int_t ngx_http_conflict_outcome_redirect(ngx_http_conflict_ctx_t *ctx);

/* Settles a write that will not be sent, as its lease has expired. */
void ngx_http_conflict_outcome_unsent(ngx_http_conflict_ctx_t *ctx);

/* NGX_OK: the write was done after its lease, and is settled. */
ngx_int_t ngx_http_conflict_outcome_late(ngx_http_conflict_ctx_t *ctx);


/*
 * A request of a method that is not guarded was answered with this status; 0:
 * it was not answered.  If it may have written, the entry of its target
 * becomes unknown.  For a POST only ctx->flow.unguarded is set.
 */
void ngx_http_conflict_unleased_unguarded(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t status);

/* The same for an unseen write; "op" is about its resource. */
void ngx_http_conflict_unleased_unseen(ngx_http_conflict_op_t *op,
    ngx_uint_t status);

/*
 * A write that may have passed while the store did not answer: once it does,
 * bases from before the write must not hold.  "ended" as above.
 */
void ngx_http_conflict_unleased_passed(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t ended);


/*
 * MOVE and COPY: makes ctx->pair, the second resource.  NGX_DECLINED: it
 * cannot be determined, ctx->flow.answer and ctx->flow.reason are set.
 */
ngx_int_t ngx_http_conflict_pair(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The write may pass.  1: ctx->op is now that of the other resource, which
 * must be checked as well.
 */
ngx_uint_t ngx_http_conflict_pair_next(ngx_http_conflict_ctx_t *ctx);

/*
 * An operation about the destination of a MOVE or COPY that is not guarded, to
 * be released; "*op" is NULL if there is none.
 */
ngx_int_t ngx_http_conflict_pair_unguarded(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_http_conflict_op_t **op);

/* Releases the second operation; ctx->pair may be NULL. */
void ngx_http_conflict_pair_end(ngx_http_conflict_ctx_t *ctx);

/* Exchanges ctx->op, ctx->target and ctx->get.uri with those in ctx->pair. */
void ngx_http_conflict_pair_exchange(ngx_http_conflict_ctx_t *ctx);

/*
 * The decoded path of an absolute or relative URI.  NGX_DECLINED: it is not
 * a path of this host.
 */
ngx_int_t ngx_http_conflict_pair_destination(ngx_http_request_t *r,
    ngx_str_t *value, ngx_str_t *uri);


/* Hands the write to the location's content handler. */
ngx_http_conflict_state_e ngx_http_conflict_pass(ngx_http_conflict_ctx_t *ctx);

/*
 * The same for a request that is not guarded, which has an Idempotency-Key:
 * it is sent once, and its response is awaited.
 */
ngx_http_conflict_state_e ngx_http_conflict_pass_unguarded(
    ngx_http_conflict_ctx_t *ctx);

/* The same after an internal redirect, under the same lease. */
ngx_http_conflict_state_e ngx_http_conflict_pass_again(
    ngx_http_conflict_ctx_t *ctx);


/*
 * An internal redirect has led on a request that was not guarded.  If it is a
 * guarded write here that may be sent again, "ctx" becomes NULL, so that a
 * context is made for it; "previous" is what it was, if it has an
 * Idempotency-Key.
 */
ngx_int_t ngx_http_conflict_leave(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t **ctx, ngx_http_conflict_ctx_t **previous);

/* The same after an error before a write was sent: what the phase returns. */
ngx_int_t ngx_http_conflict_leave_unsent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/* Hides the request fields that the upstream must not get. */
ngx_int_t ngx_http_conflict_pass_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* The same of a request that is not guarded, which has an Idempotency-Key. */
ngx_int_t ngx_http_conflict_pass_headers_unguarded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * Makes ctx->op, with the preconditions in the request header.  NGX_DECLINED:
 * malformed, ctx->flow.answer and ctx->flow.reason are set.
 */
ngx_int_t ngx_http_conflict_precondition_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Adds the base in the body, and the fingerprint; the body is complete. */
ngx_int_t ngx_http_conflict_precondition_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Adds a base version, as a number or a string of which the end may be
 * missing.  NGX_DECLINED: it is not a version.
 */
ngx_int_t ngx_http_conflict_precondition_version(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text, ngx_uint_t number, ngx_uint_t cut_short);

/*
 * The write has no base where one is required: sets the answer, and
 * ctx->flow.reason to what the client has to send.
 */
ngx_int_t ngx_http_conflict_precondition_missing(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e *answer);

/*
 * The next state of a write without a base: refused, or begun, perhaps noted as
 * unchecked.
 */
ngx_http_conflict_state_e ngx_http_conflict_precondition_absent(
    ngx_http_conflict_ctx_t *ctx);

/*
 * The request is refused, with this answer and reason, and its preconditions
 * are discarded.  Returns NGX_DECLINED.
 */
ngx_int_t ngx_http_conflict_precondition_error(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, const char *reason);

/* Sets ctx->flow.answer and ctx->flow.reason: the error and its position. */
ngx_int_t ngx_http_conflict_precondition_bad_json(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, const char *what, size_t at);


/* Asks the store for the version, before the upstream runs. */
ngx_http_conflict_state_e ngx_http_conflict_read_start(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_read_peek(
    ngx_http_conflict_ctx_t *ctx);

/* The version is unknown: a GET may prove it. */
ngx_http_conflict_state_e ngx_http_conflict_read_get_latest(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_read_observe(
    ngx_http_conflict_ctx_t *ctx);

/* Hands the read to the location's content handler. */
ngx_http_conflict_state_e ngx_http_conflict_read_forward(
    ngx_http_conflict_ctx_t *ctx);

/* Whether its response is a page of "error_page", and not the resource. */
ngx_uint_t ngx_http_conflict_read_page(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * Ends a write with a response of the module.  In report mode it is forwarded
 * and logged with what the response would have been.
 */
ngx_http_conflict_state_e ngx_http_conflict_respond(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    ngx_http_conflict_outcome_e outcome, ngx_http_conflict_action_e action);

/*
 * The write cannot be checked.  If "pass" is set, in report mode and under a
 * policy that never refuses the next state is "next"; else it is refused.
 */
ngx_http_conflict_state_e ngx_http_conflict_respond_unchecked(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer,
    ngx_uint_t pass, ngx_http_conflict_state_e next);


/*
 * Sets ETag to the version, followed by the upstream's own tag
 * (ctx->version.upstream_tag); version 0 removes it.
 */
ngx_int_t ngx_http_conflict_revalidate_set_etag(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, uint64_t version);

/*
 * Hides the conditions of a read from the upstream, or replaces their tags by
 * the upstream's own.  ctx->version.current must be set.
 */
ngx_int_t ngx_http_conflict_revalidate(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* The upstream has answered 304: sets the ETag of the response. */
ngx_int_t ngx_http_conflict_revalidate_not_modified(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Evaluates the conditions that nginx's filters would evaluate by the text of
 * a tag.  "date" is the upstream's Last-Modified, or -1.
 */
ngx_int_t ngx_http_conflict_revalidate_conditions(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, time_t date);


/* A subrequest is about to be carried out; one that writes is noted. */
ngx_int_t ngx_http_conflict_delegate(ngx_http_request_t *r);

/* What the subrequests of a write have come to, all together. */
ngx_http_conflict_class_e ngx_http_conflict_delegate_outcome(
    ngx_http_conflict_ctx_t *ctx);

/* The header of a subrequest's response is sent: is it from a cache? */
void ngx_http_conflict_delegate_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * A subrequest, or a post_action, has reached the phase in which requests are
 * guarded; later the header of a subrequest's response was sent.  Others than
 * writes are ignored.  NGX_DECLINED: it continues.
 */
ngx_int_t ngx_http_conflict_unseen(ngx_http_request_t *r);

/* The same for any request in a location that is not guarded. */
ngx_int_t ngx_http_conflict_unseen_destination(ngx_http_request_t *r);

void ngx_http_conflict_unseen_header(ngx_http_request_t *r);


/*
 * The content handler of a guarded write: runs that of the location, without
 * a second upstream attempt, and without an abort when the client disconnects.
 */
ngx_int_t ngx_http_conflict_upstream_once_handler(ngx_http_request_t *r);


/* The store has decided, or needs something else first. */
ngx_http_conflict_state_e ngx_http_conflict_verdict(
    ngx_http_conflict_ctx_t *ctx);

/* The next begin does not check the write. */
void ngx_http_conflict_verdict_unchecked(ngx_http_conflict_op_t *op);

/* The action of the audit log for a stale write. */
ngx_http_conflict_action_e ngx_http_conflict_verdict_action(
    conflict_policy_e policy);


/* Starts and ends the process's queues of waiting writes. */
void ngx_http_conflict_write_queue_start(ngx_cycle_t *cycle,
    ngx_shm_zone_t *zone);

/*
 * 1: others have waited longer for this key, so the write has been queued
 * without a begin, and the next state must be WAIT_FOR_WRITE.
 */
ngx_uint_t ngx_http_conflict_write_queue_behind(ngx_http_conflict_ctx_t *ctx);

/* Queues a write, if it is not queued, by its arrival.  NGX_ERROR: no memory */
ngx_int_t ngx_http_conflict_write_queue_join(ngx_http_conflict_ctx_t *ctx);

/* 1: a queued write is the next of this worker, and has to ask the store. */
ngx_uint_t ngx_http_conflict_write_queue_first(ngx_http_conflict_ctx_t *ctx);

/*
 * 1: this worker has settled the lease that the store has found, after it was
 * asked.
 */
ngx_uint_t ngx_http_conflict_write_queue_settled(ngx_http_conflict_op_t *op);

/* A write has its verdict, or has ended: the next one may be due. */
void ngx_http_conflict_write_queue_leave(ngx_http_conflict_ctx_t *ctx);

/* The lease of an operation was settled: it is the turn of the next write. */
void ngx_http_conflict_write_queue_next(ngx_http_conflict_op_t *op);


/* Another write is in flight, or may still land: waits for it. */
ngx_http_conflict_state_e ngx_http_conflict_write_wait(
    ngx_http_conflict_ctx_t *ctx);

/* Calls begin for a write that waits, from the event of another one. */
void ngx_http_conflict_write_wait_begin(ngx_http_conflict_ctx_t *ctx);

/* A write that waits asks the store after "delay" at the latest. */
void ngx_http_conflict_write_wait_poll(ngx_http_conflict_ctx_t *ctx,
    ngx_msec_t delay);


#endif /* _NGX_HTTP_CONFLICT_WRITE_H_INCLUDED_ */
