
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The status, the texts and the header of each refusal.  Its body is built in
 * ngx_http_conflict_answer.c.
 */


#include "answer/ngx_http_conflict_answer.h"
#include "latest/ngx_http_conflict_latest.h"
#include "http/ngx_http_conflict_json.h"
#include "core/json/conflict_tree.h"


typedef struct {
    ngx_uint_t                     status;
    const char                    *error;
    const char                    *title;
    unsigned                       retry:1;    /* may succeed later */
} ngx_http_conflict_answer_t;


static const ngx_http_conflict_answer_t  ngx_http_conflict_answers[] = {

    { 0, NULL, NULL, 0 },

    { 409, "version_conflict",
      "The resource has changed since base_version", 0 },

    { 409, "write_in_progress",
      "Another write to the resource is in progress", 1 },

    { 428, "precondition_required",
      "The write must state its base version", 0 },

    { NGX_HTTP_BAD_REQUEST, "malformed_base",
      "The base version is malformed", 0 },

    { NGX_HTTP_BAD_REQUEST, "malformed_destination",
      "The destination resource cannot be determined", 0 },

    { NGX_HTTP_BAD_REQUEST, "malformed_edit_time",
      "The time of the edit is malformed", 0 },

    { NGX_HTTP_BAD_REQUEST, "malformed_json",
      "The body is not valid JSON", 0 },

    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "body_too_large",
      "The body is too large to be checked", 0 },

    { NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "encoded_body",
      "The body is encoded and cannot be checked", 0 },

    { NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type",
      "The media type of the body cannot be merged", 0 },

    { NGX_HTTP_SERVICE_UNAVAILABLE, "store_unavailable",
      "The current version cannot be determined", 1 },

    { NGX_HTTP_SERVICE_UNAVAILABLE, "outcome_unknown",
      "The outcome of a write is not known yet", 1 },

    { NGX_HTTP_SERVICE_UNAVAILABLE, "store_generation",
      "The server is being reconfigured", 1 },

    { 409, "locked",
      "The resource is locked by another user", 1 },

    { NGX_HTTP_TOO_MANY_REQUESTS, "too_many_locks",
      "The user holds too many locks", 0 },

    { NGX_HTTP_NOT_ALLOWED, "method_not_allowed",
      "The method is not supported here", 0 },

    { NGX_HTTP_INTERNAL_SERVER_ERROR, "lock_target_unknown",
      "The resource of the lock cannot be determined", 0 },

    { NGX_HTTP_BAD_REQUEST, "malformed_version",
      "The version is malformed", 0 },

    { NGX_HTTP_NOT_FOUND, "version_not_held",
      "The body of the version is not available to the client", 0 },

    { NGX_HTTP_INTERNAL_SERVER_ERROR, "versions_target_unknown",
      "The resource of the versions cannot be determined", 0 },

    { NGX_HTTP_BAD_REQUEST, "malformed_resource",
      "The resources to be watched cannot be determined", 0 },

    { NGX_HTTP_TOO_MANY_REQUESTS, "too_many_streams",
      "The client has too many change streams", 1 },

    { NGX_HTTP_SERVICE_UNAVAILABLE, "streams_exhausted",
      "The server has too many change streams", 1 },

    { NGX_HTTP_NOT_FOUND, "held_not_found",
      "No such body is held for this client", 0 },

    { NGX_HTTP_BAD_REQUEST, "malformed_request",
      "An argument is missing or invalid", 0 },

    { NGX_HTTP_BAD_REQUEST, "idempotency_key_required",
      "The request must have an Idempotency-Key", 0 },

    { NGX_HTTP_BAD_REQUEST, "malformed_idempotency_key",
      "The Idempotency-Key is malformed", 0 },

    { 422, "idempotency_key_reused",
      "The Idempotency-Key was used for another request", 0 },

    { 409, "request_in_progress",
      "A request with this Idempotency-Key is in progress", 1 },

    { 409, "request_outcome_unknown",
      "The request with this Idempotency-Key may have been carried out", 0 },

    { 409, "response_not_kept",
      "The request was carried out, but its response was not kept", 0 }
};


/* seconds until one that waits for a lock asks again */
#define NGX_HTTP_CONFLICT_LOCK_AGAIN  5


/* followed by the anchor of the error, as in docs/errors.md#version_conflict */

#define NGX_HTTP_CONFLICT_TYPE                                                \
    "urn:ngx-http-conflict-module:docs/errors.md#"


static ngx_uint_t ngx_http_conflict_problem_accepted(ngx_http_request_t *r);
static ngx_uint_t ngx_http_conflict_problem_retry(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_problem_accept_patch(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);


static ngx_str_t  ngx_http_conflict_accept = ngx_string("accept");


static ngx_uint_t
ngx_http_conflict_problem_accepted(ngx_http_request_t *r)
{
    ngx_str_t  *accept;

    accept = ngx_http_conflict_header_find(&r->headers_in.headers,
                                           &ngx_http_conflict_accept, NULL);

    return accept
           && ngx_strlcasestrn(accept->data, accept->data + accept->len,
                               (u_char *) "application/problem+json",
                               sizeof("application/problem+json") - 2);
}


json_t *
ngx_http_conflict_problem_start(ngx_http_conflict_ctx_t *ctx)
{
    json_t                            *json;
    const ngx_http_conflict_answer_t  *answer;

    answer = &ngx_http_conflict_answers[ctx->flow.answer];
    json = json_object();

    if (ngx_http_conflict_problem_accepted(ctx->request)) {
        /* RFC 9457, 3.1.1 */
        ngx_http_conflict_json_set(&json, "type",
                                   json_sprintf(NGX_HTTP_CONFLICT_TYPE "%s",
                                                answer->error));
    }

    ngx_http_conflict_json_set(&json, "error", json_string(answer->error));
    ngx_http_conflict_json_set(&json, "title", json_string(answer->title));
    ngx_http_conflict_json_set(&json, "status",
                        json_integer(ngx_http_conflict_problem_status(ctx)));

    return json;
}


ngx_int_t
ngx_http_conflict_problem_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    u_char                             retry[NGX_INT_T_LEN];
    ngx_str_t                          methods;
    const ngx_http_conflict_answer_t  *answer;

    answer = &ngx_http_conflict_answers[ctx->flow.answer];

    r->headers_out.status = ngx_http_conflict_problem_status(ctx);

    /* nginx has no reason phrase for these */

    if (r->headers_out.status == 428) {
        ngx_str_set(&r->headers_out.status_line, "428 Precondition Required");

    } else if (r->headers_out.status == 423) {
        ngx_str_set(&r->headers_out.status_line, "423 Locked");

    } else if (r->headers_out.status == 422) {
        ngx_str_set(&r->headers_out.status_line, "422 Unprocessable Entity");
    }

    ngx_str_set(&r->headers_out.content_type, "application/json");

    if (ngx_http_conflict_problem_accepted(r)) {
        ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (answer->retry
        && ngx_http_conflict_header_add(r, "Retry-After", (char *) retry,
                               ngx_sprintf(retry, "%ui",
                                           ngx_http_conflict_problem_retry(ctx))
                               - retry)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_NOT_ALLOWED) {
        ngx_http_conflict_preflight_methods(ctx, &methods);

        if (ngx_http_conflict_header_add(r, "Allow", (char *) methods.data,
                                         methods.len)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_ENCODED
        && ngx_http_conflict_header_add(r, "Accept-Encoding", "identity",
                                        sizeof("identity") - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_UNMERGEABLE
        && (ctx->method & (NGX_HTTP_PUT|NGX_HTTP_PATCH)))
    {
        /* RFC 5789, 3.1; RFC 9110, 15.5.16 */
        return (ctx->method == NGX_HTTP_PATCH)
               ? ngx_http_conflict_problem_accept_patch(r, ctx->conf)
               : ngx_http_conflict_header_add(r, "Accept", "application/json",
                                              sizeof("application/json") - 1);
    }

    if (ctx->flow.answer != NGX_HTTP_CONFLICT_ANSWER_STALE
        || !ctx->caller.may_see
        || ctx->flow.action == NGX_HTTP_CONFLICT_ACTION_DELETED)
    {
        return NGX_OK;
    }

    if (ctx->op->in.minted) {
        return ngx_http_conflict_validators_etag(r, ctx->version.current);
    }

    if (ctx->latest.valid && ctx->latest.etag.len) {
        return ngx_http_conflict_header_add(r, "ETag",
                                            (char *) ctx->latest.etag.data,
                                            ctx->latest.etag.len);
    }

    return NGX_OK;
}


/* seconds */

static ngx_uint_t
ngx_http_conflict_problem_retry(ngx_http_conflict_ctx_t *ctx)
{
    ngx_msec_t  wait;

    wait = 0;

    if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_UNKNOWN_OUTCOME
        && ctx->op)
    {
        wait = ctx->op->out.wait;

    } else if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_LOCKED) {
        wait = ctx->op->lock.remaining;

        if (ctx->conf->lock) {
            /* it may be handed over before */
            wait = ngx_min(wait, NGX_HTTP_CONFLICT_LOCK_AGAIN * 1000);
        }
    }

    return ngx_max(1, (wait + 999) / 1000);
}


static ngx_int_t
ngx_http_conflict_problem_accept_patch(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf)
{
    static const char  types[] = "application/merge-patch+json, "
                                 "application/json-patch+json, "
                                 "application/json";
    size_t             len;

    len = sizeof(types) - 1;

    if (nlcf->patch == CONFLICT_FORM_WHOLE) {
        len -= sizeof(", application/json") - 1;
    }

    return ngx_http_conflict_header_add(r, "Accept-Patch", types, len);
}


ngx_uint_t
ngx_http_conflict_problem_status(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                    text;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    switch (ctx->flow.answer) {

    case NGX_HTTP_CONFLICT_ANSWER_RELAY:
        return latest->status;

    case NGX_HTTP_CONFLICT_ANSWER_LATEST:
        /* a replayed write is done, even if its result is not known */
        return (latest->status == NGX_HTTP_OK && latest->body.len
                && !latest->too_large && !latest->encoded
                && ngx_http_conflict_capture_shown(ctx, &text) == NGX_OK)
               ? NGX_HTTP_OK : NGX_HTTP_NO_CONTENT;

    case NGX_HTTP_CONFLICT_ANSWER_LOCKED:
        return ctx->conf->lock ? 409 : ctx->conf->lock_status;

    case NGX_HTTP_CONFLICT_ANSWER_STALE:

        if (ctx->pre.when) {
            /* the condition of WebDAV's If has failed (RFC 4918, 10.4.1) */
            return NGX_HTTP_PRECONDITION_FAILED;
        }

        if (ctx->op->out.header
            || (ctx->conf->base->place == NGX_HTTP_CONFLICT_HEADER
                && (ctx->op->in.pre.kinds & (CONFLICT_BASE|CONFLICT_CHAIN))
                   == CONFLICT_BASE))
        {
            return ctx->conf->header_status;
        }

        /* fall through */

    default:
        return ngx_http_conflict_answers[ctx->flow.answer].status;
    }
}
