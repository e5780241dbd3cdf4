
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Whether a write can be merged, by its media type and body; and the refusal
 * of a write that cannot.
 */


#include "write/ngx_http_conflict_write.h"
#include "core/json/conflict_tree.h"


static ngx_uint_t ngx_http_conflict_mergeable_form(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, conflict_form_e *form);
static ngx_uint_t ngx_http_conflict_mergeable_ambiguous(ngx_http_request_t *r);
static ngx_uint_t ngx_http_conflict_mergeable_has_fields(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);
static ngx_uint_t ngx_http_conflict_mergeable_recorded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_mergeable_reason(
    ngx_http_conflict_ctx_t *ctx, const char *what);


static ngx_str_t  ngx_http_conflict_content_type =
    ngx_string("content-type");
static ngx_str_t  ngx_http_conflict_content_range =
    ngx_string("content-range");
static ngx_str_t  ngx_http_conflict_content_encoding =
    ngx_string("content-encoding");

static const ngx_str_t  ngx_http_conflict_form_types[] = {
    ngx_string("application/x-www-form-urlencoded"),
    ngx_null_string
};


static const ngx_str_t  ngx_http_conflict_patch_types[] = {
    ngx_string("application/merge-patch+json"),
    ngx_null_string
};


ngx_int_t
ngx_http_conflict_mergeable(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                  known;
    ngx_http_conflict_merge_t  *merge;

    merge = &ctx->merge;

    known = ngx_http_conflict_mergeable_form(r, ctx->conf, &merge->form)
            && !ngx_http_conflict_method_overridden(r);

    if (ctx->conf->policy != CONFLICT_MERGE) {
        merge->recorded = (known && merge->form == CONFLICT_FORM_WHOLE
                           && ctx->conf->bodies
                           && ngx_http_conflict_mergeable_recorded(r, ctx));
        return NGX_OK;
    }

    if (ctx->body.json && known) {

        /* a PUT with a Content-Range has no document (RFC 9110, 14.5) */

        merge->mergeable = (r->method == NGX_HTTP_PATCH
                       || ngx_http_conflict_header_find(&r->headers_in.headers,
                                             &ngx_http_conflict_content_range,
                                             NULL)
                          == NULL);
    }

    if (ctx->conf->server_rules && ngx_http_conflict_mergeable_ambiguous(r)) {
        merge->mergeable = 0;
    }

    merge->recorded = merge->mergeable;

    if (merge->mergeable) {
        return NGX_OK;
    }

    ctx->op->in.policy = CONFLICT_VERSION;

    if (ctx->conf->server_rules && !ctx->body.empty
        && ngx_http_conflict_mergeable_has_fields(r, ctx->conf))
    {
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_UNMERGEABLE;

        if (r->method == NGX_HTTP_PUT) {
            ctx->flow.reason = "some fields belong to the server, so a PUT "
                               "must be a complete document of type "
                               "application/json";

        } else if (r->method != NGX_HTTP_PATCH) {
            ctx->flow.reason = "some fields belong to the server, so a "
                               "document must be sent by PUT or PATCH";

        } else if (ctx->conf->patch != CONFLICT_FORM_WHOLE) {
            ctx->flow.reason = "some fields belong to the server, so a PATCH "
                               "must be application/json, "
                               "application/merge-patch+json or "
                               "application/json-patch+json";

        } else {
            ctx->flow.reason = "some fields belong to the server, so a PATCH "
                               "must be application/merge-patch+json or "
                               "application/json-patch+json";
        }

        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* a method that the configuration names as a write, with a body */

static ngx_uint_t
ngx_http_conflict_mergeable_has_fields(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf)
{
    if (r->method & (NGX_HTTP_PUT|NGX_HTTP_PATCH)) {
        return 1;
    }

    return !(r->method & (NGX_HTTP_DELETE|NGX_HTTP_MOVE|NGX_HTTP_COPY))
           && ngx_http_conflict_directive_method_listed(&r->method_name,
                                                        nlcf->methods->elts,
                                                        nlcf->methods->nelts);
}


/*
 * Whether an API may find other fields in a JSON body: it can be a form, too,
 * as in {"":"&name=value&"}, and of two types an API may take the other one.
 */

static ngx_uint_t
ngx_http_conflict_mergeable_ambiguous(ngx_http_request_t *r)
{
    ngx_str_t   name, *type;
    ngx_uint_t  n;

    type = ngx_http_conflict_header_find(&r->headers_in.headers,
                                         &ngx_http_conflict_content_type, &n);

    if (type == NULL) {
        return 0;
    }

    ngx_http_conflict_media_type_name(type, &name);

    return n > 1
           || ngx_http_conflict_header_listed(&name,
                                              ngx_http_conflict_form_types);
}


/* 1 if the body may be the new document; it need not have a base in it */

static ngx_uint_t
ngx_http_conflict_mergeable_recorded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t   *encoding;
    ngx_list_t  *headers;

    headers = &r->headers_in.headers;

    encoding = ngx_http_conflict_header_find(headers,
                                           &ngx_http_conflict_content_encoding,
                                           NULL);

    return r->request_body && !ctx->conf->unbuffered && encoding == NULL
           && ngx_http_conflict_media_type_request(r)
              == NGX_HTTP_CONFLICT_MEDIA_JSON
           && !ngx_http_conflict_media_type_wide(r)
           && ngx_http_conflict_header_find(headers,
                                            &ngx_http_conflict_content_range,
                                            NULL)
              == NULL;
}


/* the form of a JSON body; 0: unknown, or it has no document */

static ngx_uint_t
ngx_http_conflict_mergeable_form(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, conflict_form_e *form)
{
    ngx_str_t  name;

    if (r->method == NGX_HTTP_PUT) {
        *form = nlcf->put;
        return 1;
    }

    if (r->method != NGX_HTTP_PATCH) {
        *form = CONFLICT_FORM_WHOLE;
        return 0;
    }

    ngx_str_null(&name);

    if (r->headers_in.content_type) {
        ngx_http_conflict_media_type_name(&r->headers_in.content_type->value,
                                          &name);
    }

    if (ngx_http_conflict_header_listed(&name, ngx_http_conflict_patch_types)) {
        *form = CONFLICT_FORM_MERGE_PATCH;
        return 1;
    }

    if (ngx_http_conflict_media_type_json_patch(r)) {
        *form = CONFLICT_FORM_JSON_PATCH;
        return 1;
    }

    if (nlcf->patch == CONFLICT_FORM_WHOLE
        || ngx_http_conflict_media_type_suffix(&name))
    {
        /* it may change the members that it has */
        *form = CONFLICT_FORM_DEEP;
        return 0;
    }

    *form = nlcf->patch;

    return 1;
}


ngx_http_conflict_state_e
ngx_http_conflict_mergeable_refuse(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->op->out.verdict == CONFLICT_COMBINE) {
        return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                                         NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                         NGX_HTTP_CONFLICT_ACTION_VERSION);
    }

    if (ctx->flow.reason == NULL) {
        ctx->flow.reason = "a GET does not show the values of the fields that "
                           "belong to the server";
    }

    return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE,
                                     NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                     NGX_HTTP_CONFLICT_ACTION_NONE);
}


ngx_http_conflict_state_e
ngx_http_conflict_mergeable_refuse_body(ngx_http_conflict_ctx_t *ctx)
{
    if (ngx_http_conflict_mergeable_reason(ctx, "the body has") != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_TOO_LARGE,
                                     NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                     NGX_HTTP_CONFLICT_ACTION_NONE);
}


ngx_http_conflict_state_e
ngx_http_conflict_mergeable_refuse_values(ngx_http_conflict_ctx_t *ctx)
{
    if (ngx_http_conflict_mergeable_reason(ctx, "the documents to be merged "
                                                "have")
        != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return ngx_http_conflict_mergeable_refuse(ctx);
}


static ngx_int_t
ngx_http_conflict_mergeable_reason(ngx_http_conflict_ctx_t *ctx,
    const char *what)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(what)
          + sizeof(" more values than conflict_max_values, ")
          + NGX_INT_T_LEN;

    p = ngx_pnalloc(ctx->request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->flow.reason = (char *) p;

    p = ngx_sprintf(p, "%s more values than conflict_max_values, %ui", what,
                    ctx->conf->max_values);
    *p = '\0';

    return NGX_OK;
}
