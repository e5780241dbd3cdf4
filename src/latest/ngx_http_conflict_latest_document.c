
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The content of the own GET: whether the resource exists, its version and
 * date if the upstream owns them, and its document.
 */


#include "latest/ngx_http_conflict_latest.h"
#include "core/json/conflict_tree.h"
#include "process/ngx_http_conflict_random.h"


static ngx_int_t ngx_http_conflict_latest_document_value(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_source_t *source,
    conflict_scan_t *json, ngx_str_t *header, ngx_str_t *value);


ngx_int_t
ngx_http_conflict_latest_document_observe(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      value;
    conflict_hash_t                hash;
    conflict_scan_t                json;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_latest_t    *latest;
    ngx_http_conflict_loc_conf_t  *nlcf;

    op = ctx->op;
    nlcf = ctx->conf;
    latest = &ctx->latest;

    op->in.observed.version = 0;
    op->in.observed.body = 0;
    op->in.observed.view = latest->view;
    op->in.observed.mtime = CONFLICT_TIME_NONE;
    op->in.observed.existence = (latest->status == NGX_HTTP_OK
                                 || latest->status == NGX_HTTP_NO_CONTENT)
                                ? CONFLICT_EXISTS : CONFLICT_NOT_SHOWN;

    if (op->in.observed.existence == CONFLICT_NOT_SHOWN) {
        return NGX_OK;
    }

    if (latest->status == NGX_HTTP_OK && !latest->too_large
        && !latest->encoded && latest->view)
    {
        conflict_hash_init(&hash, 0);
        conflict_hash_update(&hash, latest->body.data, latest->body.len);
        op->in.observed.body = conflict_hash_final(&hash);
    }

    if (nlcf->mtime->place == NGX_HTTP_CONFLICT_DEFAULT) {

        if (latest->last_modified != -1) {
            op->in.observed.mtime = (int64_t) latest->last_modified
                                    * CONFLICT_TIME_SECOND;
        }

    } else if (ngx_http_conflict_latest_document_value(ctx, nlcf->mtime, &json,
                                                       &latest->mtime_header,
                                                       &value)
               == NGX_OK)
    {
        op->in.observed.mtime = ngx_http_conflict_version_source_date(&value);
    }

    op->in.observed.mtime = ngx_http_conflict_version_source_modified(nlcf,
                                                     op->in.observed.mtime);

    if (op->in.minted) {
        return NGX_OK;
    }

    if (ngx_http_conflict_latest_document_value(ctx, nlcf->version, &json,
                                                &latest->version_header, &value)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_conflict_version_source_weak(ctx, &value);

    op->in.observed.version
        = ngx_http_conflict_version_source_parse(nlcf->version, &value);

    return op->in.observed.version ? NGX_OK : NGX_DECLINED;
}


/* an owned version or date, from the body or from a header */

static ngx_int_t
ngx_http_conflict_latest_document_value(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_source_t *source, conflict_scan_t *json,
    ngx_str_t *header, ngx_str_t *value)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (source->place == NGX_HTTP_CONFLICT_HEADER) {
        *value = *header;
        return value->len ? NGX_OK : NGX_DECLINED;
    }

    if (!latest->json || latest->encoded || latest->too_large) {
        return NGX_DECLINED;
    }

    conflict_scan_init(json, source->pointer);

    if (conflict_scan_feed(json, latest->body.data, latest->body.len)
        != CONFLICT_JSON_OK
        || conflict_scan_end(json) != CONFLICT_JSON_OK
        || (json->type != CONFLICT_JSON_NUMBER
            && json->type != CONFLICT_JSON_STRING)
        || json->cut_short)
    {
        return NGX_DECLINED;
    }

    value->data = json->text;
    value->len = json->len;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_latest_document_version(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *version)
{
    ngx_str_t        value;
    conflict_scan_t  json;

    ngx_str_null(version);

    if (ngx_http_conflict_latest_document_value(ctx, ctx->conf->version, &json,
                                                &ctx->latest.version_header,
                                                &value)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ctx->conf->version->place == NGX_HTTP_CONFLICT_HEADER) {
        /* a base in a body is the version, without the tag's quotes */
        conflict_version_unquote((const char **) &value.data, &value.len);
    }

    version->data = ngx_pstrdup(ctx->request->pool, &value);
    if (version->data == NULL) {
        return NGX_ERROR;
    }

    version->len = value.len;

    return NGX_OK;
}


void
ngx_http_conflict_latest_document_get(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *document)
{
    *document = ctx->latest.body;

    if (ctx->latest.json) {
        ngx_http_conflict_latest_document_root(ctx->conf, document);
    }
}


void
ngx_http_conflict_latest_document_root(ngx_http_conflict_loc_conf_t *nlcf,
    ngx_str_t *body)
{
    size_t           bom;
    conflict_scan_t  json;

    if (nlcf->root == NULL) {

        /* it is embedded in another text, where a BOM is not valid JSON */

        bom = conflict_text_bom(body->data, body->len);
        body->data += bom;
        body->len -= bom;

        return;
    }

    conflict_scan_init(&json, nlcf->root);

    if (conflict_scan_feed(&json, body->data, body->len) == CONFLICT_JSON_OK
        && conflict_scan_end(&json) == CONFLICT_JSON_OK
        && json.type != CONFLICT_JSON_NONE)
    {
        body->data += json.value;
        body->len = (size_t) (json.end - json.value);
    }
}


ngx_uint_t
ngx_http_conflict_latest_document_reflects(ngx_http_conflict_loc_conf_t *nlcf,
    ngx_str_t *document, ngx_str_t *text, conflict_form_e form,
    conflict_reflects_e how)
{
    conflict_document_t  latest, write;

    latest.data = document->data;
    latest.len = document->len;
    latest.form = CONFLICT_FORM_WHOLE;

    write.data = text->data;
    write.len = text->len;
    write.form = form;

    if (form == CONFLICT_FORM_JSON_PATCH) {
        return conflict_patch_reflects(&latest, &write, nlcf->base->pointer,
                                       how, nlcf->max_values,
                                       ngx_http_conflict_random_seed());
    }

    return conflict_compare_reflects(&latest, &write, nlcf->base->pointer, how,
                                     nlcf->max_values,
                                     ngx_http_conflict_random_seed());
}
