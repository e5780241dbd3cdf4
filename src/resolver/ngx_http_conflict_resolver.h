
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The resolver: a location that decides what becomes of a write whose fields
 * have clashed.
 */


#ifndef _NGX_HTTP_CONFLICT_RESOLVER_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_RESOLVER_H_INCLUDED_


#include "answer/ngx_http_conflict_answer.h"


/*
 * The states after the answer, or its absence: its document is taken, checked,
 * compared with the client's for the log, and forwarded.
 */
ngx_http_conflict_state_e ngx_http_conflict_resolver_answer(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_resolver_answer_check(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_resolver_answer_compare(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_resolver_answer_forward(
    ngx_http_conflict_ctx_t *ctx);

/* Refuses the write as without a resolver, and logs the reason. */
ngx_http_conflict_state_e ngx_http_conflict_resolver_answer_failed(
    ngx_http_conflict_ctx_t *ctx, const char *reason);


/*
 * The states before the question: its target, the client's document, and what
 * the rules have merged.  The lease is held.
 */
ngx_http_conflict_state_e ngx_http_conflict_resolver_ask(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_resolver_ask_client(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_resolver_ask_question(
    ngx_http_conflict_ctx_t *ctx);


/*
 * Sends a question as a POST, in a subrequest.  Its end, or the time-out,
 * sets ctx->resolver->done and resumes the main request.
 */
ngx_int_t ngx_http_conflict_resolver_call_start(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_writer_t *question);

/*
 * In the PRECONTENT phase of a subrequest: 1 if it is a question, whose length
 * is set then, as it has four documents; "client_max_body_size" is not for it.
 */
ngx_uint_t ngx_http_conflict_resolver_call_reached(ngx_http_request_t *r);

/* Header and body filter of that subrequest: save the answer. */
ngx_int_t ngx_http_conflict_resolver_call_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_resolver_call_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in);

/* At the end of the request, which may have no resolver. */
void ngx_http_conflict_resolver_call_end(ngx_http_conflict_ctx_t *ctx);


/*
 * The next state, which first returns "again" while ctx->resolver->paused is
 * set, runs in another iteration of the event loop: each step may take as long
 * as a merge.
 */
void ngx_http_conflict_resolver_pause(ngx_http_conflict_ctx_t *ctx);

/* At the end of the request, which may have no resolver. */
void ngx_http_conflict_resolver_pause_end(ngx_http_conflict_ctx_t *ctx);


#endif /* _NGX_HTTP_CONFLICT_RESOLVER_H_INCLUDED_ */
