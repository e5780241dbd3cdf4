
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The validators of a response: ETag and Last-Modified.
 */


#include "http/ngx_http_conflict_http.h"
#include "core/policy/conflict_mtime.h"


static ngx_str_t  ngx_http_conflict_cache_control =
    ngx_string("cache-control");

static ngx_str_t  ngx_http_conflict_expires = ngx_string("expires");


ngx_int_t
ngx_http_conflict_validators_etag(ngx_http_request_t *r, uint64_t version)
{
    u_char  *p, text[sizeof("\"\"") + NGX_INT64_LEN];

    if (version == 0 || version >= CONFLICT_VERSION_LIMIT) {
        ngx_http_clear_etag(r);
        return NGX_OK;
    }

    p = text;
    *p++ = '"';
    p = conflict_decimal_print(p, version);
    *p++ = '"';

    return ngx_http_conflict_validators_etag_text(r, (char *) text, p - text);
}


ngx_int_t
ngx_http_conflict_validators_etag_text(ngx_http_request_t *r, const char *text,
    size_t len)
{
    ngx_list_part_t  *last;
    ngx_table_elt_t  *h;

    ngx_http_clear_etag(r);

    if (ngx_http_conflict_header_add(r, "ETag", text, len) != NGX_OK) {
        return NGX_ERROR;
    }

    last = r->headers_out.headers.last;
    h = last->elts;
    r->headers_out.etag = &h[last->nelts - 1];

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_validators_date(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    time_t                         date, shown;
    ngx_list_t                    *headers;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_loc_conf_t  *nlcf;

    op = ctx->op;
    nlcf = ctx->conf;

    if (r->headers_out.last_modified_time > ngx_time() && !nlcf->report) {
        /* RFC 9110, 8.8.2.1; the next version may have an earlier date */
        ngx_http_clear_last_modified(r);
        return NGX_OK;
    }

    if (op->out.mtime == CONFLICT_TIME_NONE) {
        return NGX_OK;
    }

    if (!ctx->write && ctx->version.upstream_tag.len
        && r->headers_out.last_modified_time == -1
        && nlcf->mtime->place == NGX_HTTP_CONFLICT_DEFAULT)
    {
        /* the upstream's ETag is enough for caches to revalidate */
        return NGX_OK;
    }

    date = (time_t) (op->out.mtime / CONFLICT_TIME_SECOND);
    shown = (time_t) conflict_mtime_second(op->out.mtime,
                                           op->out.second_reused);

    if (nlcf->mtime->place != NGX_HTTP_CONFLICT_DEFAULT
        && !op->out.mtime_exact)
    {
        /* the date may come with the body, too late for the header */

        if (op->in.observed.mtime == CONFLICT_TIME_NONE) {
            return NGX_OK;
        }

        date = shown = (time_t) (op->in.observed.mtime / CONFLICT_TIME_SECOND);
    }

    if (r->headers_out.last_modified_time != -1
        && !(op->out.second_reused
             && r->headers_out.last_modified_time <= date))
    {
        /* the upstream's date, which no other version has had */
        return NGX_OK;
    }

    headers = &r->headers_out.headers;

    /* a date alone allows caches a heuristic lifetime (RFC 9111, 4.2.2) */

    if (!ctx->write && r->headers_out.last_modified_time == -1
        && !ngx_http_conflict_header_find(headers,
                                          &ngx_http_conflict_cache_control,
                                          NULL)
        && !ngx_http_conflict_header_find(headers, &ngx_http_conflict_expires,
                                          NULL)
        && ngx_http_conflict_header_add(r, "Cache-Control", "no-cache",
                                        sizeof("no-cache") - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_clear_last_modified(r);

    /* never later than the Date of the message (RFC 9110, 8.8.2.1) */

    if (shown <= ngx_time()) {
        r->headers_out.last_modified_time = shown;
    }

    if (ctx->write && r->headers_in.if_range) {
        /* the module's date does not prove that the bytes are unchanged */
        r->headers_in.range = NULL;
    }

    return NGX_OK;
}
