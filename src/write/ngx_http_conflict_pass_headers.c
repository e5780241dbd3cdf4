
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The request fields that are hidden from the upstream.
 */


#include "write/ngx_http_conflict_write.h"


/* of a write; "If-None-Match: *" is forwarded, upstreams support it */

static const ngx_str_t  ngx_http_conflict_write_headers[] = {
    ngx_string("if-match"),
    ngx_string("if-unmodified-since"),
    ngx_null_string
};


static const ngx_str_t  ngx_http_conflict_match_headers[] = {
    ngx_string("if-match"),
    ngx_null_string
};


static const ngx_str_t  ngx_http_conflict_tag_headers[] = {
    ngx_string("if-none-match"),
    ngx_null_string
};


/* the module reads the response body, or keeps it; nginx may encode it then */

static const ngx_str_t  ngx_http_conflict_encoding_headers[] = {
    ngx_string("accept-encoding"),
    ngx_null_string
};


static void ngx_http_conflict_pass_headers_save(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


ngx_int_t
ngx_http_conflict_pass_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    ngx_http_conflict_pass_headers_save(r, ctx);

    if (ctx->op->in.minted && !nlcf->report) {

        if ((ctx->write
             ? ngx_http_conflict_header_hide(r,
                                             ngx_http_conflict_write_headers)
             : ngx_http_conflict_revalidate(r, ctx))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if ((ctx->op->in.pre.kinds & CONFLICT_IF_NONE_MATCH)
            && ngx_http_conflict_header_hide(r, ngx_http_conflict_tag_headers)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ctx->version.offered
        && ngx_http_conflict_header_hide(r, ngx_http_conflict_match_headers)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_dav_if_hide(r, ctx) != NGX_OK
        || ngx_http_conflict_entity_tags_send(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->pass.rewritten
        && ngx_http_conflict_header_hide(r, ngx_http_conflict_header_digests)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (nlcf->version->place == NGX_HTTP_CONFLICT_JSON
        || nlcf->mtime->place == NGX_HTTP_CONFLICT_JSON
        || nlcf->inject->place == NGX_HTTP_CONFLICT_JSON
        || nlcf->bodies || ctx->idempotency
        || (ctx->list && ctx->list->marked))
    {
        return ngx_http_conflict_header_hide(r,
                                          ngx_http_conflict_encoding_headers);
    }

    return NGX_OK;
}


/* a later request with the same key may not accept the encoding */

ngx_int_t
ngx_http_conflict_pass_headers_unguarded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_pass_headers_save(r, ctx);

    return ngx_http_conflict_header_hide(r,
                                         ngx_http_conflict_encoding_headers);
}


static void
ngx_http_conflict_pass_headers_save(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (!ctx->original.hidden) {
        ctx->original.headers = r->headers_in.headers;
        ctx->original.hidden = 1;
    }
}
