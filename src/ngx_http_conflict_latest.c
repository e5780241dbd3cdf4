
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The latest representation: a GET to the same location with the caller's
 * own credentials, whose answer is kept and not sent.  Knows nothing of
 * versions but where they stand in it.
 */


#include "ngx_http_conflict_module.h"


#define NGX_HTTP_CONFLICT_FIRST_SIZE  4096


static ngx_int_t ngx_http_conflict_latest_done(ngx_http_request_t *r,
    void *data, ngx_int_t rc);
static ngx_int_t ngx_http_conflict_latest_grow(ngx_http_request_t *r,
    ngx_http_conflict_latest_t *latest, size_t size);
static ngx_int_t ngx_http_conflict_latest_copy(ngx_pool_t *pool,
    ngx_str_t *dst, ngx_str_t *src);


/* of a write; or they would make the GET conditional, partial or encoded */

static const ngx_str_t  ngx_http_conflict_fetch_headers[] = {
    ngx_string("content-length"),
    ngx_string("content-type"),
    ngx_string("content-encoding"),
    ngx_string("content-range"),
    ngx_string("content-md5"),
    ngx_string("content-disposition"),
    ngx_string("content-language"),
    ngx_string("content-location"),
    ngx_string("digest"),
    ngx_string("content-digest"),
    ngx_string("repr-digest"),
    ngx_string("transfer-encoding"),
    ngx_string("te"),
    ngx_string("trailer"),
    ngx_string("expect"),
    ngx_string("upgrade"),
    ngx_string("range"),
    ngx_string("if-match"),
    ngx_string("if-none-match"),
    ngx_string("if-modified-since"),
    ngx_string("if-unmodified-since"),
    ngx_string("if-range"),
    ngx_string("accept-encoding"),
    ngx_string("idempotency-key"),
    ngx_string("x-http-method"),
    ngx_string("x-http-method-override"),
    ngx_string("x-method-override"),
    ngx_null_string
};


ngx_int_t
ngx_http_conflict_latest_fetch(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    uint64_t                     version;
    ngx_uint_t                   revalidate;
    ngx_http_request_t          *sr;
    ngx_http_conflict_latest_t  *latest;
    ngx_http_post_subrequest_t  *ps;

    latest = &ctx->latest;

    if (latest->data) {
        (void) ngx_pfree(r->pool, latest->data);
    }

    version = latest->version;
    revalidate = latest->revalidate;

    ngx_memzero(latest, sizeof(ngx_http_conflict_latest_t));

    latest->version = version;
    latest->revalidate = revalidate;
    latest->last_modified = -1;
    latest->started = 1;

    ctx->fetches++;

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }

    ps->handler = ngx_http_conflict_latest_done;
    ps->data = ctx;

    if (ngx_http_subrequest(r, &r->uri, &r->args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    latest->request = sr;

    /* the same target: an encoded slash stays one */
    sr->valid_unparsed_uri = r->valid_unparsed_uri;

    sr->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (sr->request_body == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_hide_headers(sr, ngx_http_conflict_fetch_headers)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    sr->headers_in.content_length_n = -1;
    sr->headers_in.chunked = 0;
    sr->headers_in.content_length = NULL;
    sr->headers_in.content_type = NULL;
    sr->headers_in.transfer_encoding = NULL;
    sr->headers_in.te = NULL;
    sr->headers_in.expect = NULL;
    sr->headers_in.upgrade = NULL;
    sr->headers_in.range = NULL;
    sr->headers_in.if_range = NULL;
    sr->headers_in.if_match = NULL;
    sr->headers_in.if_none_match = NULL;
    sr->headers_in.if_modified_since = NULL;
    sr->headers_in.if_unmodified_since = NULL;
#if (NGX_HTTP_GZIP)
    sr->headers_in.accept_encoding = NULL;
#endif

    return NGX_OK;
}


/* bookkeeping only: nginx wakes the main request */

static ngx_int_t
ngx_http_conflict_latest_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_conflict_ctx_t *ctx = data;

    ngx_uint_t                   sent, status;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (latest->request != r || latest->done) {
        return NGX_OK;
    }

    latest->done = 1;

    /* what the upstream said, not the page that "error_page" made of it */

    if (ngx_http_conflict_upstream_seen(r, 0, &sent, &status) == NGX_OK
        && status)
    {
        latest->status = status;

    } else if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        latest->status = rc;

    } else if (latest->status == 0) {
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    if (rc == NGX_ERROR && !latest->too_large) {
        /* the body was cut */
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "conflict latest done: %ui, %uz bytes",
                   latest->status, latest->len);

    return r->connection->error ? rc : NGX_OK;
}


/*
 * nginx's access phase, which subrequests skip, in small; the handlers run
 * in the order that ngx_http_init_phase_handlers() gave them.
 */

ngx_int_t
ngx_http_conflict_latest_access(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_array_t                 *handlers;
    ngx_http_handler_pt         *h;
    ngx_http_conflict_ctx_t     *ctx;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_conflict_latest_t  *latest;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL || ctx->latest.request != r) {
        return NGX_DECLINED;
    }

    latest = &ctx->latest;

    if (latest->loc_conf != r->loc_conf) {
        /* try_files may have led on to another location */
        latest->loc_conf = r->loc_conf;
        latest->access = 0;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers;
    h = handlers->elts;

    for ( /* void */ ; latest->access < handlers->nelts; latest->access++) {

        rc = h[handlers->nelts - 1 - latest->access](r);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc == NGX_AGAIN || rc == NGX_DONE) {
            return rc;
        }

        if (rc == NGX_OK) {

            if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
                r->access_code = 0;
                latest->access = handlers->nelts;
                break;
            }

            continue;
        }

        if (clcf->satisfy == NGX_HTTP_SATISFY_ANY
            && (rc == NGX_HTTP_FORBIDDEN || rc == NGX_HTTP_UNAUTHORIZED))
        {
            if (r->access_code != NGX_HTTP_UNAUTHORIZED) {
                r->access_code = rc;
            }

            continue;
        }

        return rc;
    }

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY && r->access_code) {
        rc = r->access_code;
        r->access_code = 0;
        return rc;
    }

    return NGX_DECLINED;
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
    latest->cached = r->cached;
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
                                         &nlcf->version->name);

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
                                         &nlcf->mtime->name);

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
            if (ngx_http_conflict_latest_grow(r, latest, (size_t) size)
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
    ngx_http_conflict_latest_t *latest, size_t size)
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

    if (latest->size == 0 && length > 0) {
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
