
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The latest representation: what the module's own GET is answered with,
 * kept and not sent.  Knows nothing of versions but where they stand in it.
 */


#include "ngx_http_conflict_module.h"


#define NGX_HTTP_CONFLICT_FIRST_SIZE  4096


static ngx_int_t ngx_http_conflict_latest_grow(ngx_http_request_t *r,
    ngx_http_conflict_latest_t *latest, size_t size, size_t max);
static ngx_int_t ngx_http_conflict_latest_copy(ngx_pool_t *pool,
    ngx_str_t *dst, ngx_str_t *src);


/* bookkeeping, perhaps twice: nginx wakes the main request */

ngx_int_t
ngx_http_conflict_latest_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_conflict_ctx_t *ctx = data;

    ngx_uint_t                   sent, status;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (latest->request != r || latest->done) {
        return NGX_OK;
    }

    if (ngx_http_conflict_upstream_seen(r, 0, &sent, &status) != NGX_OK
        || status == 0)
    {
        status = (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? (ngx_uint_t) rc
                                                   : latest->status;
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE && latest->refused == 0) {
        /* next comes the error page, and then this again */
        latest->refused = status;
        latest->upstream = r->upstream;
        return rc;
    }

    latest->done = 1;

    ngx_http_conflict_latest_restore(ctx);

    /*
     * What the upstream said, not the page that "error_page" made of it,
     * unless that led to another upstream.
     */

    if (latest->refused && r->upstream == latest->upstream) {
        status = latest->refused;
    }

    latest->status = status ? status : NGX_HTTP_BAD_GATEWAY;

    if (rc == NGX_ERROR && !latest->too_large) {
        /* the body was cut */
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "conflict latest done: %ui, %uz bytes",
                   latest->status, latest->len);

    return r->connection->error ? rc : NGX_OK;
}


ngx_int_t
ngx_http_conflict_latest_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      *value;
    ngx_http_conflict_latest_t     *latest;
    ngx_http_conflict_loc_conf_t   *nlcf;

    latest = &ctx->latest;
    nlcf = ctx->conf;

    /* set by ngx_http_header_filter(), which never sees it */
    r->header_sent = 1;

    latest->status = r->err_status ? r->err_status : r->headers_out.status;
    latest->json = ngx_http_conflict_is_json(&r->headers_out.content_type);
    latest->encoded = (r->headers_out.content_encoding
                       && r->headers_out.content_encoding->value.len);
    latest->cached = ngx_http_conflict_cached(r);

    /* of another target than the request's: no view of the request */
    latest->view = ctx->target.len ? 0 : ngx_http_conflict_view(ctx, r);

    latest->last_modified = r->headers_out.last_modified_time;

    if (ngx_http_conflict_latest_copy(r->pool, &latest->content_type,
                                      &r->headers_out.content_type)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (r->headers_out.etag
        && ngx_http_conflict_latest_copy(r->pool, &latest->etag,
                                         &r->headers_out.etag->value)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (nlcf->version->place == NGX_HTTP_CONFLICT_HEADER) {
        value = ngx_http_conflict_header(&r->headers_out.headers,
                                         &nlcf->version->name, NULL);

        if (value && ngx_http_conflict_latest_copy(r->pool,
                                                   &latest->version_header,
                                                   value)
                     != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (nlcf->mtime->place == NGX_HTTP_CONFLICT_HEADER) {
        value = ngx_http_conflict_header(&r->headers_out.headers,
                                         &nlcf->mtime->name, NULL);

        if (value && ngx_http_conflict_latest_copy(r->pool,
                                                   &latest->mtime_header,
                                                   value)
                     != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (r->headers_out.content_length_n > (off_t) nlcf->max_body
        && latest->status == NGX_HTTP_OK)
    {
        /* not worth to be read */
        latest->too_large = 1;
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_latest_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in)
{
    off_t                        size;
    ssize_t                      n;
    ngx_buf_t                   *b;
    ngx_chain_t                 *cl;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;
        size = ngx_buf_special(b) ? 0 : ngx_buf_size(b);

        if (size > (off_t) (ctx->conf->max_body - latest->len)) {
            latest->too_large = 1;
        }

        if (latest->too_large) {

            /*
             * Enough.  An error would be taken for one of the client's
             * connection; this ends the reading from the upstream.
             */

            if (r->upstream && r->upstream->pipe) {
                r->upstream->pipe->downstream_error = 1;
            }

        } else if (size) {
            if (ngx_http_conflict_latest_grow(r, latest, (size_t) size,
                                              ctx->conf->max_body)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            if (ngx_buf_in_memory(b)) {
                ngx_memcpy(latest->data + latest->len, b->pos, (size_t) size);

            } else {
                n = ngx_read_file(b->file, latest->data + latest->len,
                                  (size_t) size, b->file_pos);
                if (n != size) {
                    return NGX_ERROR;
                }
            }

            latest->len += (size_t) size;
        }

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_latest_grow(ngx_http_request_t *r,
    ngx_http_conflict_latest_t *latest, size_t size, size_t max)
{
    off_t    length;
    size_t   want;
    u_char  *p;

    if (latest->size - latest->len >= size) {
        return NGX_OK;
    }

    want = ngx_max(latest->size * 2, NGX_HTTP_CONFLICT_FIRST_SIZE);
    want = ngx_max(want, latest->len + size);

    length = r->headers_out.content_length_n;

    if (latest->size == 0 && length > 0 && length <= (off_t) max) {
        want = ngx_max((size_t) length, size);
    }

    p = ngx_palloc(r->pool, want);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (latest->data) {
        ngx_memcpy(p, latest->data, latest->len);
        (void) ngx_pfree(r->pool, latest->data);
    }

    latest->data = p;
    latest->size = want;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_latest_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    dst->len = src->len;
    dst->data = ngx_pstrdup(pool, src);

    return (dst->data == NULL && src->len) ? NGX_ERROR : NGX_OK;
}
