
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The question to the resolver: the documents as whole ones, whatever the
 * client has sent, what the rules make of them, and the fields that clash.
 */


#include "resolver/ngx_http_conflict_resolver.h"
#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "latest/ngx_http_conflict_latest.h"
#include "core/text/conflict_buffer.h"
#include "process/ngx_http_conflict_random.h"


static ngx_int_t ngx_http_conflict_resolver_ask_target(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_resolver_ask_apply(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_resolver_ask_merged(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_resolver_ask_write(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_writer_t *out);
static json_t *ngx_http_conflict_resolver_ask_head(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_resolver_ask_document(
    ngx_http_conflict_writer_t *out, const char *name, ngx_str_t *text);


static const char  ngx_http_conflict_resolver_limit[] =
    "cannot be asked, the documents have more values than "
    "\"conflict_max_values\"";


ngx_http_conflict_state_e
ngx_http_conflict_resolver_ask(ngx_http_conflict_ctx_t *ctx)
{
    ctx->resolver = ngx_pcalloc(ctx->request->pool,
                                sizeof(ngx_http_conflict_resolver_t));
    if (ctx->resolver == NULL) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    switch (ngx_http_conflict_resolver_ask_target(ctx)) {

    case NGX_OK:
        ngx_http_conflict_resolver_pause(ctx);
        return NGX_HTTP_CONFLICT_STATE_RESOLVER_CLIENT;

    case NGX_DECLINED:
        return ngx_http_conflict_resolver_answer_failed(ctx,
                                    "cannot be asked, its URI is not a path");

    default: /* NGX_ERROR */
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }
}


/*
 * The document that the client wants: its body, or what its part or patch
 * makes of the base; of the server's document if the base is not known.
 */

ngx_http_conflict_state_e
ngx_http_conflict_resolver_ask_client(ngx_http_conflict_ctx_t *ctx)
{
    conflict_document_t           *base;
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    if (resolver->paused) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    base = &ctx->merge.base;

    /* a part of a base is of no use to a resolver */

    resolver->based = (base->data && base->form == CONFLICT_FORM_WHOLE
                       && conflict_scan_valid(base->data, base->len));

    ngx_http_conflict_latest_document_get(ctx, &resolver->server);

    if (ctx->merge.form == CONFLICT_FORM_WHOLE) {
        resolver->client = ctx->merge.client;
        return NGX_HTTP_CONFLICT_STATE_RESOLVER_QUESTION;
    }

    switch (ngx_http_conflict_resolver_ask_apply(ctx)) {

    case NGX_OK:
        ngx_http_conflict_resolver_pause(ctx);
        return NGX_HTTP_CONFLICT_STATE_RESOLVER_QUESTION;

    case NGX_DECLINED:
        return ngx_http_conflict_resolver_answer_failed(ctx,
                                             ngx_http_conflict_resolver_limit);

    default: /* NGX_ERROR */
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }
}


ngx_http_conflict_state_e
ngx_http_conflict_resolver_ask_question(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_conflict_writer_t   out;

    if (ctx->resolver->paused) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    rc = ngx_http_conflict_resolver_ask_merged(ctx);

    if (rc == NGX_DECLINED) {
        return ngx_http_conflict_resolver_answer_failed(ctx,
                                             ngx_http_conflict_resolver_limit);
    }

    if (rc != NGX_OK
        || ngx_http_conflict_resolver_ask_write(ctx, &out) != NGX_OK
        || ngx_http_conflict_resolver_call_start(ctx, &out) != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return NGX_HTTP_CONFLICT_STATE_RESOLVER_ANSWER;
}


static ngx_int_t
ngx_http_conflict_resolver_ask_target(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    if (ngx_http_conflict_evaluate_target(ctx->request,
                                          ctx->conf->resolver->uri,
                                          &resolver->uri, &resolver->args)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (resolver->uri.len && resolver->uri.data[0] == '/') ? NGX_OK
                                                               : NGX_DECLINED;
}


static ngx_int_t
ngx_http_conflict_resolver_ask_apply(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                      rc;
    conflict_buffer_t              out;
    conflict_document_t            doc, part;
    ngx_http_conflict_merge_t     *merge;
    ngx_http_conflict_resolver_t  *resolver;

    merge = &ctx->merge;
    resolver = ctx->resolver;

    part.data = merge->client.data;
    part.len = merge->client.len;
    part.form = merge->form;

    doc.data = resolver->server.data;
    doc.len = resolver->server.len;
    doc.form = CONFLICT_FORM_WHOLE;

    if (resolver->based) {
        doc = merge->base;
    }

    ngx_memzero(&out, sizeof(conflict_buffer_t));

    rc = NGX_DECLINED;

    if (ngx_http_conflict_partial_body_apply(ctx, &doc, &part, &out) == 0) {
        rc = ngx_http_conflict_merge_write_copy(ctx->request->pool,
                                                &resolver->client, &out);
    }

    conflict_buffer_free(&out);

    return rc;
}


/* as the merge that has clashed, with the server's values where it did */

static ngx_int_t
ngx_http_conflict_resolver_ask_merged(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                      rc;
    conflict_merge_t               in;
    conflict_merged_t              merged;
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    ngx_memzero(&in, sizeof(conflict_merge_t));

    in.stale = 1;
    in.yields = 1;
    in.edited = (resolver->based && ctx->merge.form != CONFLICT_FORM_WHOLE);
    in.values = ctx->conf->max_values;
    in.seed = ngx_http_conflict_random_seed();
    in.ignored = ctx->conf->base->pointer;
    in.fields = ctx->conf->fields->elts;
    in.n = ctx->conf->fields->nelts;

    in.base = ctx->merge.base;
    in.server.data = resolver->server.data;
    in.server.len = resolver->server.len;
    in.client.data = resolver->client.data;
    in.client.len = resolver->client.len;

    switch (conflict_merge(&in, &merged)) {

    case CONFLICT_MERGE_SAME:
        resolver->merged = resolver->client;
        rc = NGX_OK;
        break;

    case CONFLICT_MERGE_DONE:
        rc = ngx_http_conflict_merge_write_copy(ctx->request->pool,
                                                &resolver->merged,
                                                &merged.text);
        break;

    case CONFLICT_MERGE_FAILED:
        rc = NGX_ERROR;
        break;

    default:
        rc = NGX_DECLINED;
    }

    conflict_merge_free(&merged);

    return rc;
}


/* documents byte for byte, as jansson would change their numbers */

static ngx_int_t
ngx_http_conflict_resolver_ask_write(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_writer_t *out)
{
    ngx_str_t                      base;
    ngx_http_conflict_merge_t     *merge;
    ngx_http_conflict_resolver_t  *resolver;

    merge = &ctx->merge;
    resolver = ctx->resolver;

    ngx_str_null(&base);

    if (resolver->based) {

        /* the operation, which has the text, may be released earlier */

        base.len = merge->base.len;
        base.data = ngx_pnalloc(ctx->request->pool, base.len);
        if (base.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(base.data, merge->base.data, base.len);
    }

    ngx_memzero(out, sizeof(ngx_http_conflict_writer_t));
    out->pool = ctx->request->pool;

    ngx_http_conflict_writer_print(out, "{");
    ngx_http_conflict_json_print(out, ngx_http_conflict_resolver_ask_head(ctx));

    ngx_http_conflict_resolver_ask_document(out, "base", &base);
    ngx_http_conflict_resolver_ask_document(out, "server", &resolver->server);
    ngx_http_conflict_resolver_ask_document(out, "client", &resolver->client);
    ngx_http_conflict_resolver_ask_document(out, "merged", &resolver->merged);

    (void) ngx_http_conflict_answer_clashes(out, merge, 1);

    if (merge->omitted) {
        ngx_http_conflict_writer_print(out, ",\"conflicts_omitted\":%ui",
                                       merge->omitted);
    }

    ngx_http_conflict_writer_print(out, "}");

    return out->failed ? NGX_ERROR : NGX_OK;
}


static json_t *
ngx_http_conflict_resolver_ask_head(ngx_http_conflict_ctx_t *ctx)
{
    json_t     *json;
    ngx_str_t  *policy, text;

    json = json_object();

    ngx_http_conflict_json_set_text(&json, "resource", &ctx->target.resource);
    ngx_http_conflict_json_set_text(&json, "method", &ctx->method_name);

    policy = ngx_http_conflict_names_policy(ctx->conf->policy);
    ngx_http_conflict_json_set_text(&json, "policy", policy);

    /* an empty name is null */

    text = ctx->caller.user;
    text.data = text.len ? text.data : NULL;
    ngx_http_conflict_json_set_text(&json, "user_id", &text);

    text = ctx->caller.client;
    text.data = text.len ? text.data : NULL;
    ngx_http_conflict_json_set_text(&json, "client_origin", &text);

    ngx_http_conflict_json_set_base(&json, "base_version", &ctx->pre.base);
    ngx_http_conflict_json_set(&json, "version",
                               ngx_http_conflict_answer_version(ctx));
    ngx_http_conflict_json_set(&json, "base_held",
                               json_boolean(ctx->resolver->based));

    return json;
}


static void
ngx_http_conflict_resolver_ask_document(ngx_http_conflict_writer_t *out,
    const char *name, ngx_str_t *text)
{
    size_t     bom;
    ngx_str_t  document;

    ngx_http_conflict_writer_print(out, ",\"%s\":", name);

    if (text->len == 0) {
        ngx_http_conflict_writer_print(out, "null");
        return;
    }

    bom = conflict_text_bom(text->data, text->len);

    document.data = text->data + bom;
    document.len = text->len - bom;

    ngx_http_conflict_writer_ref(out, &document);
}
