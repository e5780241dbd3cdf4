
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The history: bodies that clients were shown or have sent, for merges.
 */


#ifndef _NGX_HTTP_CONFLICT_HISTORY_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_HISTORY_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/* Before an operation's first call: it has a history. */
void ngx_http_conflict_body_history_configure(ngx_http_conflict_ctx_t *ctx);

/* The write is about to pass; notes what the upstream is sent. */
ngx_int_t ngx_http_conflict_body_history_save_sent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The write is about to be settled, as one that has passed or as one that may
 * have; first, so that a worker that is killed meanwhile leaves no version of
 * which nobody knows who has made it.
 */
void ngx_http_conflict_body_history_written(ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t certain);

/*
 * A link of a chain is done: what its client has made is what the next one is
 * made of.  Where that is not known, that is what the row says.
 */
void ngx_http_conflict_body_history_link(ngx_http_conflict_ctx_t *ctx);

/*
 * An answer of the module shows this body under ctx->version.current; an empty one: it
 * is not known which.
 */
void ngx_http_conflict_body_history_answered(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body);

/*
 * Is the body of this response to be kept; its pieces, and its end.
 */
ngx_uint_t ngx_http_conflict_body_history_wanted(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_body_history_feed(ngx_http_conflict_ctx_t *ctx,
    u_char *data, size_t len);
void ngx_http_conflict_body_history_store_shown(ngx_http_conflict_ctx_t *ctx);

/*
 * Is it to be told what this read has shown: a write may have been done since
 * its version was asked for.  looked() tells it at the end of the body, whose
 * pieces were summed up; cut() where that has never come.
 */
ngx_uint_t ngx_http_conflict_body_history_reads(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_body_history_sum_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_body_history_sum(ngx_http_conflict_ctx_t *ctx,
    u_char *data, size_t len);
void ngx_http_conflict_body_history_read_end(ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_body_history_cut(ngx_http_conflict_ctx_t *ctx);


/* Makes of a body that is a part what the history keeps of it. */
ngx_int_t ngx_http_conflict_partial_body_keep(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body, conflict_form_e form);

/*
 * A body of the base was recalled.  NGX_OK: ctx->merge.base is what is known
 * of it; NGX_AGAIN: the version is to be recalled that it was made on.
 */
ngx_int_t ngx_http_conflict_partial_body_recalled(ngx_http_conflict_ctx_t *ctx);

/*
 * The same of a link of a chain that is a part: the document that it has made
 * of its base, if that was recalled.  NGX_DECLINED: nobody knows.
 */
ngx_int_t ngx_http_conflict_partial_body_link(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body);

/* What the history has of this write. */
void ngx_http_conflict_partial_body_made(ngx_http_conflict_ctx_t *ctx,
    conflict_document_t *doc);


#endif /* _NGX_HTTP_CONFLICT_HISTORY_H_INCLUDED_ */
