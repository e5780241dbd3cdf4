
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What the folders above need of a request and of nginx, by file.
 */


#ifndef _NGX_HTTP_CONFLICT_HTTP_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_HTTP_H_INCLUDED_


#include "http/ngx_http_conflict_ctx.h"


#define NGX_HTTP_CONFLICT_LOCK_METHODS  "GET, HEAD, POST, DELETE, OPTIONS"


/*
 * Cuts the bytes from "start" up to "end" out of the body and corrects its
 * length.
 */
ngx_int_t ngx_http_conflict_body_edit_cut(ngx_http_request_t *r, off_t start,
    off_t end);

/* Puts a text, which must stay, in the place of the body. */
ngx_int_t ngx_http_conflict_body_edit_replace(ngx_http_request_t *r,
    ngx_str_t *text);

/*
 * The request is again what the client has sent, but for a body that was
 * changed in its file.
 */
void ngx_http_conflict_body_edit_restore(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Sets ctx->caller.user and ctx->caller.client. */
ngx_int_t ngx_http_conflict_caller(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Sets ctx->op->lock: user, client, and the token of the request if any. */
void ngx_http_conflict_caller_token(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Adds the Conflict field to the response.
 */
ngx_int_t ngx_http_conflict_conflict_field(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Adds the Access-Control fields and Vary of the module's own GET to an answer,
 * or, where the API was not asked, those that it said last to this origin.
 */
ngx_int_t ngx_http_conflict_cors_add(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The header of a response that the module does not make: notes what the API
 * says of origins; adds that to a page that nginx has in the place of the
 * API's answer.
 */
ngx_int_t ngx_http_conflict_cors_observe(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* Is this an error page of nginx, which the API knows nothing of? */
ngx_uint_t ngx_http_conflict_cors_page(ngx_http_request_t *r);

/*
 * Leaves each of them once where add_header has added its own: a browser
 * that finds two origins believes neither.
 */
ngx_int_t ngx_http_conflict_cors_unify(ngx_http_request_t *r);

/*
 * The context of a request, also after an internal redirect; NULL where it
 * is not guarded.  For the main request.
 */
ngx_http_conflict_ctx_t *ngx_http_conflict_ctx(ngx_http_request_t *r);

/* Makes it, empty; "cleanup" is called with it at the end of the request. */
ngx_http_conflict_ctx_t *ngx_http_conflict_ctx_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_pt cleanup);

/* Fills ctx->target.entity and ctx->target.entity_id, unless they are. */
void ngx_http_conflict_entity(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* As ngx_http_complex_value(), but $1 and the like stay as they are. */
ngx_int_t ngx_http_conflict_evaluate(ngx_http_request_t *r,
    ngx_http_complex_value_t *val, ngx_str_t *value);

/* For the error log: a decoded path may have line feeds. */
ngx_str_t *ngx_http_conflict_evaluate_escaped(ngx_http_request_t *r,
    ngx_str_t *text);

/*
 * All the bytes, or NGX_ERROR.
 */
ngx_int_t ngx_http_conflict_file_read(ngx_file_t *file, u_char *data,
    size_t size, off_t pos);

extern const ngx_str_t  ngx_http_conflict_header_private[];

/*
 * The value of a header by its lower-case name, the first of *n, or NULL;
 * "n" may be NULL.
 */
ngx_str_t *ngx_http_conflict_header_find(ngx_list_t *headers, ngx_str_t *name,
    ngx_uint_t *n);

/*
 * Has the response come out of a cache, of nginx or of one behind it?  Nobody
 * knows which version it is of.
 */
ngx_uint_t ngx_http_conflict_header_cached(ngx_http_request_t *r);

/*
 * Lets the upstream not see the headers on a list of lower-case names that
 * an empty one ends.  The pointers in r->headers_in stay.
 */
ngx_int_t ngx_http_conflict_header_hide(ngx_http_request_t *r,
    const ngx_str_t *names);

/*
 * The same, and what is on the list is the request's own in any case: more
 * may be added.  Pointers into the list of before stay good.
 */
ngx_int_t ngx_http_conflict_header_own(ngx_http_request_t *r,
    const ngx_str_t *names);

/* Is the name on such a list, in whatever case? */
ngx_uint_t ngx_http_conflict_header_listed(ngx_str_t *name,
    const ngx_str_t *names);

/*
 * Adds a header to the response.  The value is copied, the name is not.
 */
ngx_int_t ngx_http_conflict_header_add(ngx_http_request_t *r,
    const char *name, const char *value, size_t len);

/* Takes all of this name out of a response. */
void ngx_http_conflict_header_drop(ngx_list_t *headers,
    const ngx_str_t *name);

/*
 * The resource of r->uri as clients see it, and its name in the store: one
 * that begins with "/" is a path, of this server.
 */
ngx_int_t ngx_http_conflict_key(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *resource, ngx_str_t *key);

/*
 * Is it JSON by its media type: application/json, text/json or +json.
 */
ngx_uint_t ngx_http_conflict_media_type_json(ngx_str_t *type);
ngx_http_conflict_media_e ngx_http_conflict_media_type_request(
    ngx_http_request_t *r);

ngx_uint_t ngx_http_conflict_media_type_json_patch(ngx_http_request_t *r);

/* Its name alone, without parameters; has that a suffix "+json" (RFC 6839)? */
void ngx_http_conflict_media_type_name(ngx_str_t *type, ngx_str_t *name);
ngx_uint_t ngx_http_conflict_media_type_suffix(ngx_str_t *name);

ngx_str_t *ngx_http_conflict_names_outcome(
    ngx_http_conflict_outcome_e outcome);
ngx_str_t *ngx_http_conflict_names_policy(ngx_uint_t policy);
ngx_str_t *ngx_http_conflict_names_action(ngx_uint_t action);

/* Notes whom the API lets read this response; forgets whom it does not. */
void ngx_http_conflict_origin_observe(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* Adds the fields that it said last to the origin of the request. */
ngx_int_t ngx_http_conflict_origin_allow(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* Is it a preflight? */
ngx_uint_t ngx_http_conflict_preflight(ngx_http_request_t *r);

/* Makes one of the GET, of what the API knows of. */
ngx_int_t ngx_http_conflict_preflight_request(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_request_t *sr);

/* Adds what the API says to the answer, and what a lock needs beside it. */
ngx_int_t ngx_http_conflict_preflight_allow(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Reads the client's body.  NGX_OK: there is nothing to read, or it is
 * there; NGX_DONE: the phases go on once it is; NGX_DECLINED: ctx->flow.answer and
 * ctx->flow.reason say what is wrong; else a status.
 */
ngx_int_t ngx_http_conflict_request_body_read(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Must it be what it says it is? */
ngx_uint_t ngx_http_conflict_request_body_wanted(ngx_http_conflict_ctx_t *ctx);

/*
 * The body in one piece, from the request's pool; at most "max" bytes.
 */
ngx_int_t ngx_http_conflict_request_body_text(ngx_http_request_t *r, size_t max,
    ngx_str_t *text);
ngx_int_t ngx_http_conflict_request_body_chain_text(ngx_pool_t *pool,
    ngx_chain_t *in, size_t max, ngx_str_t *text);
void ngx_http_conflict_request_body_filter_init(void);

/*
 * Calls the store with ctx->op: begin, peek and the like.  Its end is awaited
 * by the next state, which calls finish().
 */
void ngx_http_conflict_store_call_start(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call);

/* NGX_AGAIN: the store is still busy; else what it has returned. */
ngx_int_t ngx_http_conflict_store_call_finish(ngx_http_conflict_ctx_t *ctx);

/* The phases of the request go on. */
void ngx_http_conflict_store_call_resume(ngx_http_request_t *r);

/*
 * How many upstream attempts since number "first" sent any byte, and the
 * status of the last one that has one.  NGX_DECLINED: no upstream was used.
 */
ngx_int_t ngx_http_conflict_upstream_attempts(ngx_http_request_t *r,
    ngx_uint_t first, ngx_uint_t *sent, ngx_uint_t *status);

/*
 * Adds or replaces ETag, with the version as its tag, and adds
 * Last-Modified where there is none that is right.
 */
ngx_int_t ngx_http_conflict_validators_etag(ngx_http_request_t *r,
    uint64_t version);
ngx_int_t ngx_http_conflict_validators_etag_text(ngx_http_request_t *r,
    const char *text, size_t len);
ngx_int_t ngx_http_conflict_validators_date(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * A date as upstreams send it, HTTP-date or RFC 3339, in microseconds, or
 * CONFLICT_TIME_NONE.
 */
int64_t ngx_http_conflict_version_source_date(ngx_str_t *text);

/*
 * Is the upstream's own version its entity tag.
 */
ngx_uint_t ngx_http_conflict_version_source_tagged(
    ngx_http_conflict_source_t *source);

/*
 * The version that the text stands for, 0 where it is none.
 */
uint64_t ngx_http_conflict_version_source_parse(
    ngx_http_conflict_source_t *source, ngx_str_t *text);

/* A version of the upstream's own: warns where nothing can equal it. */
void ngx_http_conflict_version_source_weak(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *version);

/*
 * Notes what selects a response but for its Vary, and sets ctx->op->in.view to
 * the view that a response here is likely to be of.
 */
ngx_int_t ngx_http_conflict_view_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The view of a response, to the request or to the GET of its context; 0
 * where it has none ("Vary: *").
 */
uint64_t ngx_http_conflict_view(ngx_http_conflict_ctx_t *ctx,
    ngx_http_request_t *r);


#endif /* _NGX_HTTP_CONFLICT_HTTP_H_INCLUDED_ */
