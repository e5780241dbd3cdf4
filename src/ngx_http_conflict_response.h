
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The functions on the way back to the client, listed by the file that has
 * them: answers of our own, responses of the upstream, the audit log.
 */


#ifndef _NGX_HTTP_CONFLICT_RESPONSE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_RESPONSE_H_INCLUDED_


#include "ngx_http_conflict_module.h"
#include "ngx_http_conflict_json.h"


/* answer.c */

ngx_int_t ngx_http_conflict_answer_handler(ngx_http_request_t *r);

/* refusal.c */

/* The status of what the module answers itself. */
ngx_uint_t ngx_http_conflict_problem_status(ngx_http_conflict_ctx_t *ctx);

/* Begins the body of a refusal; sets its header but for its length. */
json_t *ngx_http_conflict_problem_start(ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_problem_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* relay.c */

/*
 * Sets the header of what the GET has said, and *out to its body.
 */
ngx_int_t ngx_http_conflict_latest_answer(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out);

/* header.c */

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

/* pass_headers.c */

/*
 * Hides what the upstream of a read or a write that passes is not to see.
 */
ngx_int_t ngx_http_conflict_pass_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* conflict_field.c */

/*
 * Adds the Conflict field to the response.
 */
ngx_int_t ngx_http_conflict_conflict_field(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* names.c */

ngx_str_t *ngx_http_conflict_names_outcome(
    ngx_http_conflict_outcome_e outcome);
ngx_str_t *ngx_http_conflict_names_policy(ngx_uint_t policy);

/* validators.c */

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

/* revalidate.c */

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

/* filter.c */

void ngx_http_conflict_filter_init(void);

/* body_scan.c */

/* Fills op->in.observed from the header of a response. */
void ngx_http_conflict_body_scan_seen(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Looks into the body of a tracked response, if anything is wanted of it:
 * then ctx->response is set.
 */
ngx_int_t ngx_http_conflict_body_scan_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Reads what is about to be sent; *out is what shall be sent instead.
 */
ngx_int_t ngx_http_conflict_body_scan_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out);

/* The response is whole, or there is nothing to read in it. */
void ngx_http_conflict_body_scan_end(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* body_scanner.c */

/*
 * Makes ctx->response, and a scanner for a pointer, where there is none; is
 * the response one that a scanner can read.
 */
ngx_int_t ngx_http_conflict_body_scanner_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_body_scanner_scan(ngx_http_request_t *r,
    conflict_scan_t  **json, ngx_http_conflict_source_t *source);
ngx_uint_t ngx_http_conflict_body_scanner_json(ngx_http_request_t *r);

/* inject.c */

/*
 * Puts the version into the body; called before the header is sent, and for
 * a write after it was settled.
 */
void ngx_http_conflict_version_inject_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The buffer at "cl" begins at "pos" of the body and was scanned.  Where the
 * member's value lies in it, or the end of the object that has none, a
 * changed copy takes its place.
 */
ngx_int_t ngx_http_conflict_version_inject(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *cl, uint64_t pos);

/*
 * The same with a text that is there as a whole; it is replaced by a copy,
 * or stays where it has no place for the member.
 */
ngx_int_t ngx_http_conflict_version_inject_text(ngx_http_request_t *r,
    conflict_pointer_t  *pointer, uint64_t version, ngx_str_t *text);

/* audit.c */

/*
 * Writes the line of a conflict, once a request.
 */
void ngx_http_conflict_audit(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status);
ngx_int_t ngx_http_conflict_audit_id(ngx_http_conflict_ctx_t *ctx);

/* The module's own GET has found a change that did not pass through it. */
void ngx_http_conflict_audit_found(ngx_http_conflict_ctx_t *ctx);

/* op->done of an observe: writes the line that was prepared, if it is so. */
void ngx_http_conflict_audit_external(ngx_http_conflict_op_t *op);

/*
 * A write that the upstream has done was settled: another line where the store
 * says, now or by op->lost_handler, that one was let in over it.
 */
void ngx_http_conflict_audit_overlapped(ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_audit_told(ngx_http_conflict_op_t *op);

/* audit_line.c */

#define NGX_HTTP_CONFLICT_LONGEST_TEXT  1024

typedef enum {
    NGX_HTTP_CONFLICT_AUDIT_ID = 0,
    NGX_HTTP_CONFLICT_AUDIT_ENTITY,
    NGX_HTTP_CONFLICT_AUDIT_ENTITY_ID,
    NGX_HTTP_CONFLICT_AUDIT_USER,
    NGX_HTTP_CONFLICT_AUDIT_CLIENT,
    NGX_HTTP_CONFLICT_AUDIT_METHOD,
    NGX_HTTP_CONFLICT_AUDIT_BASE,
    NGX_HTTP_CONFLICT_AUDIT_FIELDS,
    NGX_HTTP_CONFLICT_AUDIT_ADDRESS,
    NGX_HTTP_CONFLICT_AUDIT_SERVER,
    NGX_HTTP_CONFLICT_AUDIT_KEY,
    NGX_HTTP_CONFLICT_AUDIT_TEXTS
} ngx_http_conflict_audit_text_e;


/* what a line says; texts are where the request has them */

typedef struct {
    ngx_http_conflict_log_t       *log;
    ngx_http_conflict_action_e     action;
    ngx_str_t                     *policy;     /* its name */
    ngx_uint_t                     status;
    int64_t                        time;
    int64_t                        client_time;
    uint64_t                       against;
    int64_t                        against_time;
    ngx_str_t                      text[NGX_HTTP_CONFLICT_AUDIT_TEXTS];
    unsigned                       report:1;
} ngx_http_conflict_audit_t;


/* All that a line says of a request now. */
void ngx_http_conflict_audit_line_take(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status,
    ngx_http_conflict_audit_t *audit);

/*
 * The line with its end, in the pool; at most "longest" bytes of each text.
 */
ngx_int_t ngx_http_conflict_audit_line(ngx_http_conflict_audit_t *audit,
    size_t longest, ngx_pool_t *pool, ngx_str_t *line);


#endif /* _NGX_HTTP_CONFLICT_RESPONSE_H_INCLUDED_ */
