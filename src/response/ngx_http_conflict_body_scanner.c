
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Creates the scanners of a response body.
 */


#include "response/ngx_http_conflict_response.h"


ngx_uint_t
ngx_http_conflict_body_scanner_json(ngx_http_request_t *r)
{
    return ngx_http_conflict_media_type_json(&r->headers_out.content_type)
           && !(r->headers_out.content_encoding
                && r->headers_out.content_encoding->value.len);
}


ngx_int_t
ngx_http_conflict_body_scanner_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->response == NULL) {
        ctx->response = ngx_pcalloc(r->pool,
                                    sizeof(ngx_http_conflict_response_t));
        if (ctx->response == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_body_scanner_scan(ngx_http_request_t *r,
    conflict_scan_t **json, ngx_http_conflict_source_t *source)
{
    *json = ngx_palloc(r->pool, sizeof(conflict_scan_t));
    if (*json == NULL) {
        return NGX_ERROR;
    }

    conflict_scan_init(*json, source->pointer);

    return NGX_OK;
}
