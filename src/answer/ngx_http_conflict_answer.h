
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Responses made by the module: refusals, and the latest representation.
 */


#ifndef _NGX_HTTP_CONFLICT_ANSWER_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_ANSWER_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"
#include "http/ngx_http_conflict_json.h"


/* The content handler of an answer; ctx->flow.answer says which. */
ngx_int_t ngx_http_conflict_answer_handler(ngx_http_request_t *r);

/* The current version, as clients see it. */
json_t *ngx_http_conflict_answer_version(ngx_http_conflict_ctx_t *ctx);

/*
 * Prints the member "conflicts", after a comma.  Returns the number of clashes
 * that it does not contain, as the client may not know the fields; "all": none.
 */
ngx_uint_t ngx_http_conflict_answer_clashes(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_merge_t *merge, ngx_uint_t all);

/*
 * Returns NULL and the document to embed, or the reason for its omission;
 * NULL and no document: conflict_latest is off.
 */
const char *ngx_http_conflict_answer_document(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *document);


/*
 * Sets the response header from that of the own GET, and *out to its body, in
 * one buffer.
 */
ngx_int_t ngx_http_conflict_latest_answer(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out);


/* The lock of ctx->op as JSON; token NULL: it must not be shown. */
json_t *ngx_http_conflict_lock_json(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *user, ngx_str_t *client, u_char *token);


/* The status of ctx->flow.answer. */
ngx_uint_t ngx_http_conflict_problem_status(ngx_http_conflict_ctx_t *ctx);

/* The members that begin each refusal: "type" to "status". */
json_t *ngx_http_conflict_problem_start(ngx_http_conflict_ctx_t *ctx);

/* Sets the header of a refusal but for its length. */
ngx_int_t ngx_http_conflict_problem_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


#endif /* _NGX_HTTP_CONFLICT_ANSWER_H_INCLUDED_ */
