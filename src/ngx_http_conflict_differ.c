
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * In which fields a stale write that is not merged differs from what is
 * there: for the log, and to tell which rules a merge would need.
 */


#include "ngx_http_conflict_module.h"


/* bytes: the write is refused whatever comes out */

#define NGX_HTTP_CONFLICT_DIFFER_MOST  65536


static ngx_uint_t ngx_http_conflict_is_object(ngx_str_t *text);


void
ngx_http_conflict_differ(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                    text, row;
    conflict_merge_t             in;
    conflict_merged_t            merged;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (ctx->merge.fields.len || ctx->body.json == NULL
        || !ctx->body.done || ctx->body.too_large
        || ctx->body.size > NGX_HTTP_CONFLICT_DIFFER_MOST
        || latest->len > NGX_HTTP_CONFLICT_DIFFER_MOST
        || !latest->valid || latest->status != NGX_HTTP_OK
        || !latest->json || latest->encoded || latest->too_large
        || ngx_http_conflict_body_text(ctx->request, ctx->conf->max_body,
                                       &text)
           != NGX_OK)
    {
        return;
    }

    ngx_http_conflict_latest_row(ctx, &row);

    if (!ngx_http_conflict_is_object(&row)
        || !ngx_http_conflict_is_object(&text))
    {
        return;
    }

    ngx_memzero(&in, sizeof(conflict_merge_t));
    ngx_memzero(&merged, sizeof(conflict_merged_t));

    /* without a base each difference is a clash */

    in.stale = 1;
    in.patch = (ctx->method == NGX_HTTP_PATCH);
    in.values = ctx->conf->max_values;
    in.seed = ngx_http_conflict_seed();
    in.ignored = ctx->conf->base->pointer;

    in.client.data = text.data;
    in.client.len = text.len;
    in.server.data = row.data;
    in.server.len = row.len;

    if (conflict_merge(&in, &merged) == CONFLICT_MERGE_CLASH
        && merged.fields.len)
    {
        ctx->merge.fields.data = ngx_pnalloc(ctx->request->pool,
                                             merged.fields.len);

        if (ctx->merge.fields.data) {
            ngx_memcpy(ctx->merge.fields.data, merged.fields.data,
                       merged.fields.len);
            ctx->merge.fields.len = merged.fields.len;
        }
    }

    conflict_merged_free(&merged);
}


static ngx_uint_t
ngx_http_conflict_is_object(ngx_str_t *text)
{
    size_t           i;
    conflict_json_t  json;

    for (i = conflict_text_bom(text->data, text->len);
         i < text->len && text->data[i] <= ' ';
         i++)
    {
        /* void */
    }

    if (i == text->len || text->data[i] != '{') {
        return 0;
    }

    conflict_json_init(&json, NULL);

    return conflict_json_feed(&json, text->data, text->len)
           == CONFLICT_JSON_OK
           && conflict_json_end(&json) == CONFLICT_JSON_OK;
}
