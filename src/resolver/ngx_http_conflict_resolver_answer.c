
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The answer of the resolver: checked, and forwarded in the form of the
 * client's body; a refusal; or the reason why there is neither.
 */


#include "resolver/ngx_http_conflict_resolver.h"
#include "latest/ngx_http_conflict_latest.h"
#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "core/merge/conflict_part.h"
#include "core/text/conflict_buffer.h"
#include "process/ngx_http_conflict_random.h"


#define NGX_HTTP_CONFLICT_RESOLVER_DETAIL  4096   /* bytes of its refusal */


static ngx_http_conflict_state_e ngx_http_conflict_resolver_answer_refuse(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_resolver_answer_next(
    ngx_http_conflict_ctx_t *ctx, const char *failure,
    ngx_http_conflict_state_e next);
static const char *ngx_http_conflict_resolver_answer_status(
    ngx_http_conflict_resolver_t *resolver);
static const char *ngx_http_conflict_resolver_answer_patched(
    ngx_http_conflict_ctx_t *ctx);
static u_char ngx_http_conflict_resolver_answer_type(ngx_str_t *text);
static const char *ngx_http_conflict_resolver_answer_owned(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_resolver_answer_input(
    ngx_http_conflict_ctx_t *ctx, conflict_merge_t *in);
static ngx_int_t ngx_http_conflict_resolver_answer_fields(
    ngx_http_conflict_ctx_t *ctx);
static const char *ngx_http_conflict_resolver_answer_form(
    ngx_http_conflict_ctx_t *ctx, conflict_buffer_t *out);
static const char *ngx_http_conflict_resolver_answer_version(
    ngx_http_conflict_ctx_t *ctx, conflict_document_t *version,
    conflict_buffer_t *out);


/* no memory */

static const char  ngx_http_conflict_resolver_error[] = "";


ngx_http_conflict_state_e
ngx_http_conflict_resolver_answer(ngx_http_conflict_ctx_t *ctx)
{
    const char                    *failure;
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    if (!resolver->done) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    if (resolver->failure == NULL && !resolver->too_large
        && (resolver->status == 409 || resolver->status == 422))
    {
        return ngx_http_conflict_resolver_answer_refuse(ctx);
    }

    failure = ngx_http_conflict_resolver_answer_status(resolver);

    if (failure == NULL && resolver->patch) {
        failure = ngx_http_conflict_resolver_answer_patched(ctx);
    }

    return ngx_http_conflict_resolver_answer_next(ctx, failure,
                                       NGX_HTTP_CONFLICT_STATE_RESOLVER_CHECK);
}


ngx_http_conflict_state_e
ngx_http_conflict_resolver_answer_check(ngx_http_conflict_ctx_t *ctx)
{
    u_char                         type;
    size_t                         bom;
    ngx_str_t                     *document;
    const char                    *failure;
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;
    document = &resolver->document;

    if (resolver->paused) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    bom = conflict_text_bom(document->data, document->len);

    document->data += bom;
    document->len -= bom;

    type = ngx_http_conflict_resolver_answer_type(document);

    failure = (type == ngx_http_conflict_resolver_answer_type(
                                                           &resolver->server)
               || type == ngx_http_conflict_resolver_answer_type(
                                                           &resolver->client))
              ? ngx_http_conflict_resolver_answer_owned(ctx)
              : "has sent a document of another type than both sides have";

    return ngx_http_conflict_resolver_answer_next(ctx, failure,
                                     NGX_HTTP_CONFLICT_STATE_RESOLVER_COMPARE);
}


ngx_http_conflict_state_e
ngx_http_conflict_resolver_answer_compare(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->resolver->paused) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    if (ngx_http_conflict_resolver_answer_fields(ctx) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return ngx_http_conflict_resolver_answer_next(ctx, NULL,
                                     NGX_HTTP_CONFLICT_STATE_RESOLVER_FORWARD);
}


ngx_http_conflict_state_e
ngx_http_conflict_resolver_answer_forward(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t           rc;
    const char         *failure;
    conflict_buffer_t   out;

    if (ctx->resolver->paused) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    ngx_memzero(&out, sizeof(conflict_buffer_t));

    failure = ngx_http_conflict_resolver_answer_form(ctx, &out);

    if (failure) {
        conflict_buffer_free(&out);
        return ngx_http_conflict_resolver_answer_next(ctx, failure,
                                              NGX_HTTP_CONFLICT_STATE_FORWARD);
    }

    ngx_http_conflict_stats_resolver(NGX_HTTP_CONFLICT_RESOLVER_MERGED);

    ctx->merge.clashed = 0;
    ctx->merge.names = ctx->resolver->names;
    ctx->merge.fields = ctx->resolver->fields;

    ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_MERGED;
    ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_MERGE;
    ctx->op->in.mixed = 1;

    rc = ngx_http_conflict_merge_write_text(ctx->request, ctx, &out);

    conflict_buffer_free(&out);

    return (rc == NGX_OK) ? NGX_HTTP_CONFLICT_STATE_FORWARD
                          : NGX_HTTP_CONFLICT_STATE_ERROR;
}


/* the next state in another event, or the end */

static ngx_http_conflict_state_e
ngx_http_conflict_resolver_answer_next(ngx_http_conflict_ctx_t *ctx,
    const char *failure, ngx_http_conflict_state_e next)
{
    if (failure == ngx_http_conflict_resolver_error) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (failure) {
        return ngx_http_conflict_resolver_answer_failed(ctx, failure);
    }

    ngx_http_conflict_resolver_pause(ctx);

    return next;
}


/* what the resolver says of it is shown to the client */

static ngx_http_conflict_state_e
ngx_http_conflict_resolver_answer_refuse(ngx_http_conflict_ctx_t *ctx)
{
    size_t                         bom;
    ngx_http_conflict_resolver_t  *resolver;

    ngx_http_conflict_stats_resolver(NGX_HTTP_CONFLICT_RESOLVER_REFUSED);

    resolver = ctx->resolver;

    if (resolver->json && !resolver->encoded
        && resolver->document.len <= NGX_HTTP_CONFLICT_RESOLVER_DETAIL
        && conflict_scan_valid(resolver->document.data,
                               resolver->document.len))
    {
        bom = conflict_text_bom(resolver->document.data,
                                resolver->document.len);

        resolver->detail.data = resolver->document.data + bom;
        resolver->detail.len = resolver->document.len - bom;
    }

    return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                                     NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                     NGX_HTTP_CONFLICT_ACTION_VERSION);
}


ngx_http_conflict_state_e
ngx_http_conflict_resolver_answer_failed(ngx_http_conflict_ctx_t *ctx,
    const char *reason)
{
    ngx_http_conflict_resolver_t  *resolver;

    ngx_http_conflict_stats_resolver(NGX_HTTP_CONFLICT_RESOLVER_FAILED);

    resolver = ctx->resolver;

    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                  "the resolver \"%V\" %s, status %ui, and a write to \"%V\" "
                  "is refused",
                  ngx_http_conflict_evaluate_escaped(ctx->request,
                                                     &resolver->uri),
                  reason, resolver->status,
                  ngx_http_conflict_evaluate_escaped(ctx->request,
                                                   &ctx->target.resource));

    return ngx_http_conflict_respond(ctx, NGX_HTTP_CONFLICT_ANSWER_STALE,
                                     NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                     NGX_HTTP_CONFLICT_ACTION_VERSION);
}


/* NULL: it has a document */

static const char *
ngx_http_conflict_resolver_answer_status(ngx_http_conflict_resolver_t *resolver)
{
    if (resolver->too_large) {
        return "has sent more than \"conflict_max_body\"";
    }

    if (resolver->failure) {
        return resolver->failure;
    }

    if (resolver->status != NGX_HTTP_OK) {
        return "has neither answered with 200 nor refused with 409 or 422";
    }

    if (!resolver->json) {
        return "has not sent a JSON type";
    }

    if (resolver->encoded) {
        return "has sent an encoded body";
    }

    return resolver->document.len ? NULL : "has sent an empty body";
}


/* a patch of what the rules have merged becomes the document */

static const char *
ngx_http_conflict_resolver_answer_patched(ngx_http_conflict_ctx_t *ctx)
{
    const char                    *failure;
    conflict_buffer_t              made;
    conflict_document_t            from, patch;
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    from.data = resolver->merged.data;
    from.len = resolver->merged.len;
    from.form = CONFLICT_FORM_WHOLE;

    patch.data = resolver->document.data;
    patch.len = resolver->document.len;
    patch.form = CONFLICT_FORM_MERGE_PATCH;

    ngx_memzero(&made, sizeof(conflict_buffer_t));

    failure = NULL;

    if (ngx_http_conflict_partial_body_apply(ctx, &from, &patch, &made) != 0) {
        failure = "has sent a patch that is not JSON, has a duplicate member "
                  "or too many values";

    } else if (ngx_http_conflict_merge_write_copy(ctx->request->pool,
                                                  &resolver->document, &made)
               != NGX_OK)
    {
        failure = ngx_http_conflict_resolver_error;
    }

    conflict_buffer_free(&made);

    return failure;
}


/* of a JSON text: "{", "[", or 0 for any other value */

static u_char
ngx_http_conflict_resolver_answer_type(ngx_str_t *text)
{
    size_t  i;

    for (i = conflict_text_bom(text->data, text->len); i < text->len; i++) {

        if (text->data[i] > ' ') {
            return (text->data[i] == '{' || text->data[i] == '[')
                   ? text->data[i] : 0;
        }
    }

    return 0;
}


/*
 * Parses the document and restores the fields that belong to the server, as in
 * a write that is not stale.
 */

static const char *
ngx_http_conflict_resolver_answer_owned(ngx_http_conflict_ctx_t *ctx)
{
    const char                    *failure;
    conflict_merge_t               in;
    conflict_merged_t              merged;
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    ngx_http_conflict_resolver_answer_input(ctx, &in);

    in.fields = ctx->conf->fields->elts;
    in.n = ctx->conf->fields->nelts;
    in.client.data = resolver->document.data;
    in.client.len = resolver->document.len;
    in.server.data = resolver->server.data;
    in.server.len = resolver->server.len;

    failure = NULL;

    switch (conflict_merge(&in, &merged)) {

    case CONFLICT_MERGE_SAME:
        break;

    case CONFLICT_MERGE_DONE:

        if (ngx_http_conflict_merge_write_copy(ctx->request->pool,
                                               &resolver->document,
                                               &merged.text)
            != NGX_OK)
        {
            failure = ngx_http_conflict_resolver_error;
        }

        break;

    case CONFLICT_MERGE_CLASH:
        failure = "has replaced an object that has fields of the server's";
        break;

    case CONFLICT_MERGE_REPEATED:
        failure = "has sent a duplicate member";
        break;

    case CONFLICT_MERGE_ALIKE:
        failure = "has sent a field of the server's in another case";
        break;

    case CONFLICT_MERGE_LARGE:
    case CONFLICT_MERGE_MANY:
        failure = "has sent more values than \"conflict_max_values\"";
        break;

    case CONFLICT_MERGE_FAILED:
        failure = ngx_http_conflict_resolver_error;
        break;

    default: /* CONFLICT_MERGE_UNFIT */
        failure = "has not sent a JSON document";
    }

    conflict_merge_free(&merged);

    return failure;
}


static void
ngx_http_conflict_resolver_answer_input(ngx_http_conflict_ctx_t *ctx,
    conflict_merge_t *in)
{
    ngx_memzero(in, sizeof(conflict_merge_t));

    in->filtered = 1;
    in->masked = !ngx_http_conflict_capture_unfiltered(ctx);
    in->values = ctx->conf->max_values;
    in->seed = ngx_http_conflict_random_seed();
    in->ignored = ctx->conf->base->pointer;
}


/*
 * Makes the document what the client has sent, a document, a part or a patch,
 * with the version that the resolver was shown: an upstream may check it.
 */

static const char *
ngx_http_conflict_resolver_answer_form(ngx_http_conflict_ctx_t *ctx,
    conflict_buffer_t *out)
{
    int                            rc;
    ngx_str_t                      text;
    conflict_document_t            from, to, version;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    ngx_str_null(&text);

    if (!nlcf->strip_base
        && ngx_http_conflict_merge_write_version(ctx, &text) != NGX_OK)
    {
        return ngx_http_conflict_resolver_error;
    }

    version.data = text.data;
    version.len = text.len;

    from.data = ctx->resolver->server.data;
    from.len = ctx->resolver->server.len;
    to.data = ctx->resolver->document.data;
    to.len = ctx->resolver->document.len;

    if (ctx->merge.form == CONFLICT_FORM_WHOLE) {
        conflict_buffer_add(out, to.data, to.len);

        return out->failed ? ngx_http_conflict_resolver_error
               : ngx_http_conflict_resolver_answer_version(ctx, &version, out);
    }

    rc = (ctx->merge.form == CONFLICT_FORM_JSON_PATCH)
         ? conflict_patch_make(&from, &to, nlcf->base->pointer, &version, out,
                               nlcf->max_values,
                               ngx_http_conflict_random_seed())
         : conflict_part_diff(&from, &to, ctx->merge.form, nlcf->base->pointer,
                              out, nlcf->max_values,
                              ngx_http_conflict_random_seed());

    if (rc != 0) {
        return "has sent a document that the client's kind of body cannot "
               "make of the server's";
    }

    return (ctx->merge.form == CONFLICT_FORM_JSON_PATCH)
           ? NULL
           : ngx_http_conflict_resolver_answer_version(ctx, &version, out);
}


/* sets or adds the member with the base version, unless there is none */

static const char *
ngx_http_conflict_resolver_answer_version(ngx_http_conflict_ctx_t *ctx,
    conflict_document_t *version, conflict_buffer_t *out)
{
    size_t               from, to;
    conflict_scan_t      json;
    conflict_buffer_t    made;
    conflict_pointer_t  *pointer;

    pointer = ctx->conf->base->pointer;

    if (version->data == NULL || pointer == NULL) {
        return NULL;
    }

    conflict_scan_init(&json, pointer);

    if (conflict_scan_feed(&json, out->data, out->len) != CONFLICT_JSON_OK
        || conflict_scan_end(&json) != CONFLICT_JSON_OK
        || (json.type == CONFLICT_JSON_NONE
            && (json.parent_end < 0
                || json.parent_type != CONFLICT_JSON_OBJECT)))
    {
        return "has sent a document without a place for the base version";
    }

    from = (size_t) ((json.type == CONFLICT_JSON_NONE) ? json.parent_end
                                                       : (int64_t) json.value);
    to = (json.type == CONFLICT_JSON_NONE) ? from : (size_t) json.end;

    ngx_memzero(&made, sizeof(conflict_buffer_t));

    conflict_buffer_add(&made, out->data, from);

    if (json.type == CONFLICT_JSON_NONE) {
        conflict_buffer_text(&made, json.parent_empty ? "\"" : ",\"");
        conflict_buffer_quoted(&made,
                            &pointer->text[pointer->name[pointer->levels - 1]],
                            pointer->len[pointer->levels - 1]);
        conflict_buffer_text(&made, "\":");
    }

    conflict_buffer_add(&made, version->data, version->len);
    conflict_buffer_add(&made, out->data + to, out->len - to);

    conflict_buffer_free(out);
    *out = made;

    return out->failed ? ngx_http_conflict_resolver_error : NULL;
}


/* those that are not as in the client's document, for the log */

static ngx_int_t
ngx_http_conflict_resolver_answer_fields(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_pool_t                    *pool;
    conflict_merge_t               in;
    conflict_merged_t              merged;
    ngx_http_conflict_resolver_t  *resolver;

    pool = ctx->request->pool;
    resolver = ctx->resolver;

    ngx_http_conflict_resolver_answer_input(ctx, &in);

    /* without a base every difference is a clash */

    in.stale = 1;
    in.client.data = resolver->document.data;
    in.client.len = resolver->document.len;
    in.server.data = resolver->client.data;
    in.server.len = resolver->client.len;

    rc = NGX_OK;

    switch (conflict_merge(&in, &merged)) {

    case CONFLICT_MERGE_SAME:
    case CONFLICT_MERGE_CLASH:

        if (ngx_http_conflict_merge_write_copy(pool, &resolver->names,
                                               &merged.names)
            != NGX_OK
            || ngx_http_conflict_merge_write_copy(pool, &resolver->fields,
                                                  &merged.fields)
               != NGX_OK)
        {
            rc = NGX_ERROR;
        }

        break;

    case CONFLICT_MERGE_FAILED:
        rc = NGX_ERROR;
        break;

    default: /* more values than can be compared */
        resolver->names = ctx->merge.names;
        resolver->fields = ctx->merge.fields;
    }

    conflict_merge_free(&merged);

    return rc;
}
