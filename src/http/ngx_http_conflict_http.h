
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What other folders use of a request and of nginx, by file.  Unless stated
 * otherwise, "r" is the main request, memory comes from its pool, and
 * functions return NGX_OK or NGX_ERROR.
 */


#ifndef _NGX_HTTP_CONFLICT_HTTP_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_HTTP_H_INCLUDED_


#include <ngx_sha1.h>

#include "http/ngx_http_conflict_ctx.h"


#define NGX_HTTP_CONFLICT_LOCK_METHODS  "GET, HEAD, POST, DELETE, OPTIONS"
#define NGX_HTTP_CONFLICT_READ_METHODS  "GET, HEAD, OPTIONS"
#define NGX_HTTP_CONFLICT_EARLY_HINTS   103             /* RFC 8297 */


/*
 * Cuts the bytes from "start" up to "end" out of the request body and
 * corrects its length.
 */
ngx_int_t ngx_http_conflict_body_edit_cut(ngx_http_request_t *r, off_t start,
    off_t end);

/* Replaces the request body with a text of the same lifetime. */
ngx_int_t ngx_http_conflict_body_edit_replace(ngx_http_request_t *r,
    ngx_str_t *text);

/*
 * Restores the request as the client sent it, except for a body that was
 * changed in its file.
 */
void ngx_http_conflict_body_edit_restore(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * Holds a body that is scanned, from its first byte.  add() copies the buffers
 * of "in"; *out are those that go on to the next filter: at the end,
 * or if there is no more room, what is held.
 */
ngx_int_t ngx_http_conflict_held_body_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
ngx_int_t ngx_http_conflict_held_body_add(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out);


/* Sets ctx->caller.user and ctx->caller.client. */
ngx_int_t ngx_http_conflict_caller(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Sets user, client and, if Lock-Token is valid, token of ctx->op->lock. */
void ngx_http_conflict_caller_token(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * The id of the item that keeps the body of this write; empty: no item is
 * known to.
 */
#define ngx_http_conflict_hold_id(ctx)                                        \
    ((ctx)->hold.kept ? &(ctx)->hold.id : &(ctx)->hold.resolves)

/* Adds the Conflict field to the response, unless there is no outcome. */
ngx_int_t ngx_http_conflict_conflict_field(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* 1 if the client of the response may see the version. */
ngx_uint_t ngx_http_conflict_conflict_field_visible(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * Adds Vary and the Access-Control fields to the module's own response: those
 * of the own GET or, if the API did not answer one, those that it last sent
 * to this origin.
 */
ngx_int_t ngx_http_conflict_cors_add(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* The same, those of this GET. */
ngx_int_t ngx_http_conflict_cors_copy(ngx_http_request_t *r,
    ngx_http_request_t *get);

/* 1 if the responses to both GETs may be read by the same page. */
ngx_uint_t ngx_http_conflict_cors_same(ngx_http_request_t *a,
    ngx_http_request_t *b);

/*
 * For responses that the module does not make: records the fields that the
 * API sends to an origin, and adds them to error pages of nginx.
 */
ngx_int_t ngx_http_conflict_cors_observe(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/*
 * For a response that is sent again: the fields that it has may be for another
 * origin.
 */
ngx_int_t ngx_http_conflict_cors_replay(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* 1 for an error page of nginx that replaces the API's response. */
ngx_uint_t ngx_http_conflict_cors_page(ngx_http_request_t *r);

/*
 * Merges the fields with those of add_header, since browsers reject a
 * response that names two origins.
 */
ngx_int_t ngx_http_conflict_cors_unify(ngx_http_request_t *r);


/*
 * The context of a main request, also after an internal redirect; NULL if the
 * request is not guarded.
 */
ngx_http_conflict_ctx_t *ngx_http_conflict_ctx(ngx_http_request_t *r);

/*
 * Creates an empty context; "cleanup" is called once with it, at the end of
 * the request.  NULL: out of memory.
 */
ngx_http_conflict_ctx_t *ngx_http_conflict_ctx_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_pt cleanup);


/* Sets ctx->target.entity and ctx->target.entity_id once. */
void ngx_http_conflict_entity(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/* As ngx_http_complex_value(), but leaves $1 and other captures unchanged. */
ngx_int_t ngx_http_conflict_evaluate(ngx_http_request_t *r,
    ngx_http_complex_value_t *val, ngx_str_t *value);

/* A target with variables, split at its arguments. */
ngx_int_t ngx_http_conflict_evaluate_target(ngx_http_request_t *r,
    ngx_http_complex_value_t *val, ngx_str_t *uri, ngx_str_t *args);

/* Encodes bytes up to "last", and 0x7f, as "%" and hexadecimal digits. */
ngx_int_t ngx_http_conflict_evaluate_encode(ngx_http_request_t *r,
    ngx_str_t *text, u_char last);

/*
 * The text escaped for the error log, as a decoded path may have line feeds;
 * an empty text if out of memory.
 */
ngx_str_t *ngx_http_conflict_evaluate_escaped(ngx_http_request_t *r,
    ngx_str_t *text);


/* Reads exactly "size" bytes at "pos". */
ngx_int_t ngx_http_conflict_file_read(ngx_file_t *file, u_char *data,
    size_t size, off_t pos);


/*
 * A walk through the headers of a request or a response, in their order, while
 * none is added; the caller skips those whose hash is 0.  next() returns 0 if
 * there are no more.
 */

typedef struct {
    ngx_list_part_t               *part;
    ngx_table_elt_t               *next;
    ngx_table_elt_t               *last;       /* end of the part */
} ngx_http_conflict_header_walk_t;

#define ngx_http_conflict_header_walk(walk, headers)                          \
    (walk)->part = &(headers)->part;                                          \
    (walk)->next = (walk)->part->elts;                                        \
    (walk)->last = (walk)->next + (walk)->part->nelts

static ngx_inline ngx_uint_t
ngx_http_conflict_header_next(ngx_http_conflict_header_walk_t *walk,
    ngx_table_elt_t **h)
{
    while (walk->next == walk->last) {
        walk->part = walk->part->next;

        if (walk->part == NULL) {
            return 0;
        }

        walk->next = walk->part->elts;
        walk->last = walk->next + walk->part->nelts;
    }

    *h = walk->next++;

    return 1;
}

/*
 * Lists of header names are in lower case and end with an empty one.  This
 * one has the request headers that the own GET must not have.
 */
extern const ngx_str_t  ngx_http_conflict_header_private[];

/* Of a request or a response. */
extern const ngx_str_t  ngx_http_conflict_header_digests[];

/*
 * The value of the first header of a lower-case name, and their number in
 * "*n" unless "n" is NULL.  NULL: there is none.
 */
ngx_str_t *ngx_http_conflict_header_find(ngx_list_t *headers, ngx_str_t *name,
    ngx_uint_t *n);

/* 1: the whole representation; some APIs send pages as 200 with a range. */
#define ngx_http_conflict_header_whole(r)                                     \
    ((r)->headers_out.status == NGX_HTTP_OK                                   \
     && (r)->headers_out.content_range == NULL)


/*
 * 1 if the response came from a cache, of nginx or behind it, so that the
 * version it shows is unknown.
 */
ngx_uint_t ngx_http_conflict_header_cached(ngx_http_request_t *r);

/* 1 if it may have come from one: also if it has an Age of 0. */
ngx_uint_t ngx_http_conflict_header_aged(ngx_http_request_t *r);

/*
 * Hides the request headers on a list from the upstream.  The pointers in
 * r->headers_in, such as if_match, remain.
 */
ngx_int_t ngx_http_conflict_header_hide(ngx_http_request_t *r,
    const ngx_str_t *names);

/*
 * The same, but always copies the list of headers, so that headers may be
 * added to it.  Pointers into the old list remain valid.
 */
ngx_int_t ngx_http_conflict_header_own(ngx_http_request_t *r,
    const ngx_str_t *names);

/*
 * Adds a request header to a list of its own.  The name, also in lower case,
 * and the value are not copied.  NULL: out of memory.
 */
ngx_table_elt_t *ngx_http_conflict_header_push(ngx_http_request_t *r,
    const char *name, const char *lowcase, ngx_str_t *value);

/* 1 if the name is on a list; case is ignored. */
ngx_uint_t ngx_http_conflict_header_listed(ngx_str_t *name,
    const ngx_str_t *names);

/*
 * Takes the next token of a list from "rest"; it ends at a comma or a space.
 * 0: there is none.
 */
ngx_uint_t ngx_http_conflict_header_token(ngx_str_t *rest, ngx_str_t *token);

/*
 * 1 if a request field, whose name is not empty, is a part of what a write
 * says: two writes with other values are not the same.
 */
ngx_uint_t ngx_http_conflict_header_means(ngx_table_elt_t *h);

/* Adds a header to the response.  The value is copied, the name is not. */
ngx_int_t ngx_http_conflict_header_add(ngx_http_request_t *r, const char *name,
    const char *value, size_t len);

/* Removes what would not be true of the body of a response any more. */
void ngx_http_conflict_header_body_changes(ngx_http_request_t *r);

/* Removes all headers of this name from a response. */
void ngx_http_conflict_header_drop(ngx_list_t *headers, const ngx_str_t *name);


/*
 * The resource of r->uri as clients see it, and its key in the store: a
 * resource that begins with "/" is a path, so its key has the server name.
 */
ngx_int_t ngx_http_conflict_key(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *resource, ngx_str_t *key);

/* What the key of this resource has before it. */
ngx_str_t *ngx_http_conflict_key_prefix(ngx_http_request_t *r,
    ngx_str_t *resource);


/* 1 for application/json, text/json and types with the suffix "+json". */
ngx_uint_t ngx_http_conflict_media_type_json(ngx_str_t *type);

/* The format of the request body, by its Content-Type. */
ngx_http_conflict_media_e ngx_http_conflict_media_type_request(
    ngx_http_request_t *r);

/* 1 if the request body is a JSON Patch (RFC 6902). */
ngx_uint_t ngx_http_conflict_media_type_json_patch(ngx_http_request_t *r);

/* The media type without parameters; "name" points into "type". */
void ngx_http_conflict_media_type_name(ngx_str_t *type, ngx_str_t *name);

/* 1 if the body of the request is in UTF-16 or UTF-32. */
ngx_uint_t ngx_http_conflict_media_type_wide(ngx_http_request_t *r);

/* 1 if such a name has the suffix "+json" (RFC 6839). */
ngx_uint_t ngx_http_conflict_media_type_suffix(ngx_str_t *name);


/* Starts a search in the arguments of a request. */
void ngx_http_conflict_form_init(ngx_http_conflict_form_t *form);

/*
 * Starts a search in the body, if it is a form: the filter of the body goes on
 * with it.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_conflict_form_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* Searches a part of the body; sets ctx->form->found. */
void ngx_http_conflict_form_feed(ngx_http_conflict_ctx_t *ctx, ngx_buf_t *b);

/* What follows "_method=" or, in multipart/form-data, the name; or NULL. */
u_char *ngx_http_conflict_form_find(ngx_http_conflict_form_t *form, u_char *p,
    u_char *last);


/* Names as in the Conflict field, nginx.conf and the audit log; constant. */
ngx_str_t *ngx_http_conflict_names_outcome(
    ngx_http_conflict_outcome_e outcome);
ngx_str_t *ngx_http_conflict_names_policy(ngx_uint_t policy);
ngx_str_t *ngx_http_conflict_names_action(ngx_uint_t action);


/*
 * Records which origin the API allows to read this response; discards the
 * record of an origin that it denies.
 */
void ngx_http_conflict_origin_observe(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* Adds the fields that the API last sent to the origin of the request. */
ngx_int_t ngx_http_conflict_origin_allow(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);


/* 1 if the request has the headers of a preflight. */
ngx_uint_t ngx_http_conflict_preflight(ngx_http_request_t *r);

/*
 * Turns the own GET "sr" into a preflight for that GET, without the module's
 * own fields, which the API may not know.
 */
ngx_int_t ngx_http_conflict_preflight_request(ngx_http_request_t *sr);

/*
 * Adds the API's answer to the response and, if it allows the origin or was not
 * asked, the methods and fields of the endpoint.
 */
ngx_int_t ngx_http_conflict_preflight_allow(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* The methods that the endpoint supports. */
void ngx_http_conflict_preflight_methods(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *methods);


/*
 * Reads the client's body.  NGX_OK: it has been read, or need not be;
 * NGX_DONE: the phases run again once it is read; NGX_DECLINED: refuse the
 * request by ctx->flow.answer and ctx->flow.reason; else an HTTP status.
 */
ngx_int_t ngx_http_conflict_request_body_read(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The same for a request that is not guarded: only ctx->body.whole is computed.
 */
ngx_int_t ngx_http_conflict_request_body_whole(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* 1 if a body that is declared as JSON must be valid. */
ngx_uint_t ngx_http_conflict_request_body_strict(ngx_http_conflict_ctx_t *ctx);

/*
 * The request body, or a chain of buffers, as one text: that of a single buffer
 * in memory, or a copy.  NGX_DECLINED: it is larger than conflict_max_body.
 */
ngx_int_t ngx_http_conflict_request_body_text(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text);
ngx_int_t ngx_http_conflict_request_body_chain_text(
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_str_t *text);

/* Installs the body filter; called once by postconfiguration. */
void ngx_http_conflict_request_body_filter_init(void);

/* 1 if no other filter sees the body before, and nginx reads it by itself. */
ngx_uint_t ngx_http_conflict_request_body_filter_first(ngx_http_request_t *r);

/* Whether nginx reads the body, and has not come to its end. */
#define ngx_http_conflict_request_body_unread(r)                              \
    ((r)->request_body && (r)->request_body->rest > 0                         \
     && !(r)->request_body_no_buffering)


/* As ngx_http_conflict_op_create(), for a resource of this location. */
ngx_http_conflict_op_t *ngx_http_conflict_store_call_op(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *key, ngx_uint_t bases);

/*
 * Starts an operation of the store, such as begin or peek, on ctx->op, unless
 * it was started.  NGX_AGAIN: the store is busy, and resumes the request, whose
 * state calls this again; else the result of the operation.
 */
ngx_int_t ngx_http_conflict_store_call(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call);

/* Only starts it; ctx->op->busy tells whether it runs. */
void ngx_http_conflict_store_call_start(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call);

/* op->done of operations whose request waits: resumes it. */
void ngx_http_conflict_store_call_done(ngx_http_conflict_op_t *op);

/* Runs the phases of the request again; for timers and store callbacks. */
void ngx_http_conflict_store_call_resume(ngx_http_request_t *r);


/*
 * From index "first" of r->upstream_states: in "*sent" the number of upstream
 * attempts that sent any byte, in "*status" the status of the last one, or 0.
 * NGX_DECLINED: no upstream was used.
 */
ngx_int_t ngx_http_conflict_upstream_attempts(ngx_http_request_t *r,
    ngx_uint_t first, ngx_uint_t *sent, ngx_uint_t *status);

/* Whether the status of a call by gRPC is still to come, after its response. */
ngx_uint_t ngx_http_conflict_upstream_attempts_pending(ngx_http_request_t *r);

/* Whether the upstream has led on, by X-Accel-Redirect. */
ngx_uint_t ngx_http_conflict_upstream_attempts_redirected(
    ngx_http_request_t *r);


/* Replaces ETag with the version, or removes it if there is none. */
ngx_int_t ngx_http_conflict_validators_etag(ngx_http_request_t *r,
    uint64_t version);

/* Replaces ETag with a text, which is copied. */
ngx_int_t ngx_http_conflict_validators_etag_text(ngx_http_request_t *r,
    const char *text, size_t len);

/* Sets Last-Modified, unless the upstream's is usable. */
ngx_int_t ngx_http_conflict_validators_date(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/*
 * An HTTP-date or RFC 3339 date in microseconds, or CONFLICT_TIME_NONE.
 */
int64_t ngx_http_conflict_version_source_date(ngx_str_t *text);

/*
 * The date at which a response says that the resource has changed;
 * CONFLICT_TIME_NONE if it is Last-Modified and ahead, or, where the times of
 * edits are compared with it, further ahead than such a time may be.
 */
int64_t ngx_http_conflict_version_source_modified(
    ngx_http_conflict_loc_conf_t *nlcf, int64_t date);

/* 1 if the entity tag of the upstream is its version. */
ngx_uint_t ngx_http_conflict_version_source_tagged(
    ngx_http_conflict_source_t *source);

/* The version that a text from the source stands for; 0: none. */
uint64_t ngx_http_conflict_version_source_parse(
    ngx_http_conflict_source_t *source, ngx_str_t *text);

/*
 * Warns, at most every 10 seconds, if the upstream's version is a weak entity
 * tag, which no If-Match can match.
 */
void ngx_http_conflict_version_source_weak(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *version);

/*
 * 1 if the response to a write does not show the version from before it, as far
 * as that is known.
 */
ngx_uint_t ngx_http_conflict_version_source_advanced(
    ngx_http_conflict_op_t *op);


/*
 * Sets ctx->caller by all that selects a response but Vary, and ctx->op->in:
 * "view" to the likely view of the response, by the location's last Vary, and
 * "part" to 1 if the response may show only a part of the resource.
 */
ngx_int_t ngx_http_conflict_view_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* The fingerprint of the client's certificate; empty: it has sent none. */
ngx_int_t ngx_http_conflict_view_certificate(ngx_http_request_t *r,
    ngx_str_t *fingerprint);

/*
 * In lower case, the request fields that are part of every view, whatever Vary
 * is, and of these the ones that tell who the caller is.
 */
extern const ngx_str_t  ngx_http_conflict_view_fields[];

#define ngx_http_conflict_view_caller_fields                                  \
    (&ngx_http_conflict_view_fields[2])

/* Adds a text to a digest, after its length, so that no two texts are one. */
void ngx_http_conflict_view_sha1(ngx_sha1_t *sha1, ngx_str_t *text);

/*
 * The view of a response to "r", the request or its own GET; 0: none
 * ("Vary: *", or too long).
 */
uint64_t ngx_http_conflict_view(ngx_http_conflict_ctx_t *ctx,
    ngx_http_request_t *r);


#endif /* _NGX_HTTP_CONFLICT_HTTP_H_INCLUDED_ */
