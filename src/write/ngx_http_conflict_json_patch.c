
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * JSON Patch (RFC 6902): the base version that a patch tests, a patch that
 * cannot be applied, and one that must not be applied twice.
 */


#include "write/ngx_http_conflict_write.h"
#include "core/json/conflict_tree.h"
#include "process/ngx_http_conflict_random.h"


static ngx_int_t ngx_http_conflict_json_patch_text(
    ngx_http_conflict_ctx_t *ctx, conflict_document_t *doc);
static ngx_uint_t ngx_http_conflict_json_patch_list(conflict_document_t *doc);
static ngx_int_t ngx_http_conflict_json_patch_set(ngx_http_conflict_ctx_t *ctx);


ngx_int_t
ngx_http_conflict_json_patch_base(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    unsigned                   set;
    ngx_uint_t                 declared;
    conflict_scan_t            member;
    conflict_json_rc_e         rc;
    conflict_document_t        doc;
    ngx_http_conflict_body_t  *body;

    body = &ctx->body;
    declared = ngx_http_conflict_media_type_json_patch(r);

    /* what a PUT stores may be a patch; some APIs accept one of any type */

    if ((ctx->method == NGX_HTTP_PUT && !ngx_http_conflict_method_overridden(r))
        || body->error != CONFLICT_JSON_OK
        || body->too_large || body->size == 0 || r->request_body == NULL
        || (!declared && ctx->method != NGX_HTTP_PATCH))
    {
        return NGX_OK;
    }

    if (ngx_http_conflict_json_patch_text(ctx, &doc) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!declared && !ngx_http_conflict_json_patch_list(&doc)) {
        return NGX_OK;
    }

    /* a member of the patch itself is not one of the document */
    member = *body->json;
    body->json->type = CONFLICT_JSON_NONE;

    rc = conflict_patch_base(body->json, &doc, ctx->conf->base->pointer,
                             &set, ctx->conf->max_values,
                             ngx_http_conflict_random_seed());

    body->tested = (body->json->type != CONFLICT_JSON_NONE);

    if (rc == CONFLICT_JSON_OK && set
        && ngx_http_conflict_json_patch_set(ctx) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (!declared && !body->tested) {
        /* a list of something else */
        *body->json = member;
        return (rc == CONFLICT_JSON_FAILED) ? NGX_ERROR : NGX_OK;
    }

    switch (rc) {

    case CONFLICT_JSON_FAILED:
        return NGX_ERROR;

    case CONFLICT_JSON_LARGE:
        /* it may test a version, so it does not count as one without */
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_TOO_LARGE;
        ctx->flow.reason = "the patch has more values than conflict_max_values";
        break;

    case CONFLICT_JSON_REPEATED:

        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_BAD_BASE;

        if (body->json->type != CONFLICT_JSON_NONE) {
            ctx->flow.reason = "the patch has more than one test of the base "
                               "version";
            break;
        }

        if (!ngx_http_conflict_request_body_strict(ctx)) {
            return NGX_OK;
        }

        /* an API may take either of both, so it may test a version */
        ctx->flow.reason = "a member of an object in the patch is repeated";
        break;

    default:
        return NGX_OK;
    }

    /* preconditions in headers are discarded as well */
    ctx->op->in.pre.kinds = 0;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_conflict_json_patch_text(ngx_http_conflict_ctx_t *ctx,
    conflict_document_t *doc)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    rc = ngx_http_conflict_request_body_text(ctx, &text);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    doc->data = text.data;
    doc->len = text.len;
    doc->form = CONFLICT_FORM_JSON_PATCH;

    return NGX_OK;
}


/*
 * The member is written as a client would state it in a whole document.  That
 * of an API which owns the versions may be a new one.
 */

static ngx_int_t
ngx_http_conflict_json_patch_set(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->conf->version->place == NGX_HTTP_CONFLICT_JSON
        || !ngx_http_conflict_request_body_strict(ctx))
    {
        return NGX_OK;
    }

    ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_BAD_BASE;
    ctx->flow.reason = "a JSON Patch states the base version by a test, and "
                       "must not set it";

    ctx->op->in.pre.kinds = 0;

    return NGX_DECLINED;
}


/* valid JSON, and an array */

static ngx_uint_t
ngx_http_conflict_json_patch_list(conflict_document_t *doc)
{
    size_t  i;

    for (i = 0; i < doc->len; i++) {

        if (doc->data[i] == '[') {
            return 1;
        }

        if (doc->data[i] == '{' || doc->data[i] == '"') {
            break;
        }
    }

    return 0;
}


ngx_http_conflict_state_e
ngx_http_conflict_json_patch_inapplicable(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->op->out.verdict != CONFLICT_COMBINE) {
        /* fields belong to the server, so the API must not apply it */
        ctx->flow.reason = "the patch cannot be applied to the latest version";

    } else if (ctx->merge.base_held) {
        ctx->flow.reason = "the patch cannot be applied to its base";
    }

    /* a clash of the whole document; the response says if the base is known */
    ctx->merge.clashed = (ctx->op->out.verdict == CONFLICT_COMBINE);

    return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                                     NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                     (ctx->op->out.verdict == CONFLICT_COMBINE)
                                     ? NGX_HTTP_CONFLICT_ACTION_VERSION
                                     : NGX_HTTP_CONFLICT_ACTION_NONE);
}


ngx_uint_t
ngx_http_conflict_json_patch_repeated(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e *next)
{
    conflict_document_t  doc;

    if (ctx->merge.form != CONFLICT_FORM_JSON_PATCH
        || ctx->body.json == NULL
        || ngx_http_conflict_json_patch_text(ctx, &doc) != NGX_OK
        || conflict_patch_repeatable(&doc, ctx->conf->max_values,
                                     ngx_http_conflict_random_seed()))
    {
        return 0;
    }

    ctx->flow.reason = "it is unknown whether this patch was already applied, "
                       "and it must not be applied twice";

    *next = ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                                      NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                      NGX_HTTP_CONFLICT_ACTION_VERSION);

    return 1;
}
