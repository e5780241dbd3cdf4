
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The response to the own GET: saves its header fields and its body, which are
 * not sent.  Does not interpret versions.
 */


#include "latest/ngx_http_conflict_latest.h"


#define NGX_HTTP_CONFLICT_FIRST_SIZE  4096


static ngx_uint_t ngx_http_conflict_latest_response_guarded(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_latest_response_done(ngx_http_request_t *r,
    void *data, ngx_int_t rc);
static ngx_int_t ngx_http_conflict_latest_response_buf(ngx_http_request_t *r,
    ngx_http_conflict_latest_t *latest, ngx_chain_t *cl);
static ngx_int_t ngx_http_conflict_latest_response_copy(ngx_pool_t *pool,
    ngx_str_t *dst, ngx_str_t *src);


ngx_uint_t
ngx_http_conflict_latest_response(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_state_e *next)
{
    if (!ctx->latest.started
        && ngx_http_conflict_latest_get_start(ctx->request, ctx,
                                        ngx_http_conflict_latest_response_done)
           != NGX_OK)
    {
        *next = NGX_HTTP_CONFLICT_STATE_ERROR;
        return 0;
    }

    *next = NGX_HTTP_CONFLICT_STATE_AGAIN;

    return ctx->latest.done;
}


/* may run twice; nginx wakes the main request */

static ngx_int_t
ngx_http_conflict_latest_response_done(ngx_http_request_t *r, void *data,
    ngx_int_t rc)
{
    ngx_http_conflict_ctx_t *ctx = data;

    ngx_uint_t                      sent, status;
    ngx_http_conflict_latest_t     *latest;
    ngx_http_conflict_main_conf_t  *nmcf;

    latest = &ctx->latest;

    if (latest->request != r || latest->done) {
        return NGX_OK;
    }

    if ((r->buffered || r->postponed) && rc < NGX_HTTP_SPECIAL_RESPONSE) {
        /* an included response is in progress */
        latest->failed |= (rc == NGX_ERROR);
        return r->connection->error ? rc : NGX_OK;
    }

    if (ngx_http_conflict_upstream_attempts(r, 0, &sent, &status) != NGX_OK
        || status == 0 || ngx_http_conflict_upstream_attempts_redirected(r))
    {
        status = (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? (ngx_uint_t) rc
                                                   : latest->status;
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE && latest->refused == 0) {
        /* the error page follows, at whose end this runs again */
        latest->refused = status;
        latest->upstream = r->upstream;
        latest->denied = (ngx_http_conflict_latest_response_denied(status)
                          && ngx_http_conflict_latest_response_guarded(r));
        return rc;
    }

    latest->done = 1;

    nmcf = ngx_http_get_module_main_conf(r, ngx_http_conflict_module);

    if (nmcf->ssi) {
        /* the context was created for the GET */
        r->main->ctx[nmcf->ssi->ctx_index] = NULL;
    }

    ngx_http_conflict_latest_get_restore(ctx);

    /*
     * The status from the upstream, not that of the page of "error_page",
     * unless the page comes from another upstream, nginx gives it no status
     * ("error_page ... ="), and it is not what those get that may not see the
     * resource.
     */

    if (latest->refused
        && (latest->denied || r->upstream == latest->upstream
            || r->err_status
            || (ngx_http_conflict_latest_response_denied(latest->refused)
                && !ngx_http_conflict_latest_response_guarded(r))))
    {
        status = latest->refused;
    }

    latest->status = status ? status : NGX_HTTP_BAD_GATEWAY;

    if ((rc == NGX_ERROR && !latest->too_large) || latest->failed) {
        /* the body is incomplete */
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    if (latest->status < NGX_HTTP_SPECIAL_RESPONSE
        && latest->shown.status >= NGX_HTTP_BAD_REQUEST
        && latest->shown.status < NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        /* a filter refuses it, and so would a GET of the client be refused */
        latest->status = latest->shown.status;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "conflict latest done: %ui, %uz bytes",
                   latest->status, latest->body.len);

    return r->connection->error ? rc : NGX_OK;
}


/* else the page may be the resource, from the location that guards it */

static ngx_uint_t
ngx_http_conflict_latest_response_guarded(ngx_http_request_t *r)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    return nlcf->policy != NGX_HTTP_CONFLICT_OFF;
}


ngx_uint_t
ngx_http_conflict_latest_response_gone(ngx_uint_t status)
{
    return status == NGX_HTTP_NOT_FOUND || status == 410;
}


ngx_uint_t
ngx_http_conflict_latest_response_denied(ngx_uint_t status)
{
    return status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN;
}


ngx_int_t
ngx_http_conflict_latest_response_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      *value;
    ngx_http_conflict_latest_t     *latest;
    ngx_http_conflict_loc_conf_t   *nlcf;

    latest = &ctx->latest;
    nlcf = ctx->conf;

    latest->sent = r->headers_out.status;
    latest->status = r->err_status ? r->err_status : r->headers_out.status;
    latest->json = ngx_http_conflict_media_type_json(
                                                &r->headers_out.content_type);
    latest->encoded = (r->headers_out.content_encoding
                       && r->headers_out.content_encoding->value.len);
    latest->cached = (ngx_http_conflict_header_cached(r)
                      || latest->delegate_cached);

    /* a part, or another target than that of the request, has no view */
    latest->view = ((ctx->get.uri.len && ctx->get.target.len == 0)
                    || r->headers_out.content_range)
                   ? 0 : ngx_http_conflict_view(ctx, r);

    latest->last_modified = r->headers_out.last_modified_time;

    if (!ngx_http_conflict_cors_page(r)) {
        ngx_http_conflict_origin_observe(r, nlcf);
    }

    if (ngx_http_conflict_latest_response_copy(r->pool, &latest->content_type,
                                               &r->headers_out.content_type)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (r->headers_out.etag
        && ngx_http_conflict_latest_response_copy(r->pool, &latest->etag,
                                                  &r->headers_out.etag->value)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (nlcf->version->place == NGX_HTTP_CONFLICT_HEADER) {
        value = ngx_http_conflict_header_find(&r->headers_out.headers,
                                              &nlcf->version->name, NULL);

        if (value
            && ngx_http_conflict_latest_response_copy(r->pool,
                                                      &latest->version_header,
                                                      value)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (nlcf->mtime->place == NGX_HTTP_CONFLICT_HEADER) {
        value = ngx_http_conflict_header_find(&r->headers_out.headers,
                                              &nlcf->mtime->name, NULL);

        if (value
            && ngx_http_conflict_latest_response_copy(r->pool,
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
        /* not worth reading */
        latest->too_large = 1;
        return NGX_ERROR;
    }

    return (r->headers_out.content_length_n > 0
            && r->headers_out.content_length_n <= (off_t) nlcf->max_body)
           ? ngx_http_conflict_latest_response_grow(r->pool, &latest->body,
                                   &latest->size,
                                   (size_t) r->headers_out.content_length_n)
           : NGX_OK;
}


ngx_int_t
ngx_http_conflict_latest_response_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out)
{
    off_t                        size;
    ngx_chain_t                 *cl, **last;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;
    *out = NULL;
    last = out;

    for ( /* void */ ; in; in = in->next) {
        size = ngx_buf_special(in->buf) ? 0 : ngx_buf_size(in->buf);

        if (size > (off_t) (ctx->conf->max_body - latest->body.len)) {
            latest->too_large = 1;
        }

        if (latest->too_large || latest->failed) {

            /*
             * Stop reading from the upstream.  NGX_ERROR would be taken for an
             * error of the client's connection.
             */

            if (r->upstream && r->upstream->pipe) {
                r->upstream->pipe->downstream_error = 1;
            }

            latest->shown.failed = 1;
            ngx_http_conflict_capture_used(in->buf);
            continue;
        }

        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        cl->buf = in->buf;
        cl->next = NULL;

        if (size) {
            if (ngx_http_conflict_latest_response_buf(r, latest, cl)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            if (latest->failed) {
                continue;
            }
        }

        *last = cl;
        last = &cl->next;
    }

    return NGX_OK;
}


/*
 * Saves a buffer before filters may change it.  A buffer in a file is replaced
 * by one in memory, so that it is read once.
 */

static ngx_int_t
ngx_http_conflict_latest_response_buf(ngx_http_request_t *r,
    ngx_http_conflict_latest_t *latest, ngx_chain_t *cl)
{
    size_t      size;
    ngx_buf_t  *b, *copy;

    b = cl->buf;
    size = (size_t) ngx_buf_size(b);

    if (!ngx_buf_in_memory(b)) {
        copy = ngx_create_temp_buf(r->pool, size);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        if (ngx_http_conflict_file_read(b->file, copy->pos, size, b->file_pos)
            != NGX_OK)
        {
            /* as if the upstream had closed the connection early */
            latest->failed = 1;
            latest->shown.failed = 1;
        }

        copy->last += size;
        copy->flush = b->flush;
        copy->last_buf = b->last_buf;
        copy->last_in_chain = b->last_in_chain;

        ngx_http_conflict_capture_used(b);

        b = copy;
        cl->buf = copy;
    }

    if (ngx_http_conflict_latest_response_grow(r->pool, &latest->body,
                                               &latest->size, size)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(latest->body.data + latest->body.len, b->pos, size);
    latest->body.len += size;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_latest_response_grow(ngx_pool_t *pool, ngx_str_t *text,
    size_t *size, size_t more)
{
    size_t   new_size;
    u_char  *p;

    if (*size >= text->len + more) {
        return NGX_OK;
    }

    new_size = ngx_max(*size * 2, NGX_HTTP_CONFLICT_FIRST_SIZE);
    new_size = ngx_max(new_size, text->len + more);

    p = ngx_palloc(pool, new_size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (text->data) {
        ngx_memcpy(p, text->data, text->len);
        (void) ngx_pfree(pool, text->data);
    }

    text->data = p;
    *size = new_size;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_latest_response_append(ngx_pool_t *pool,
    ngx_str_t *text, size_t *size, ngx_buf_t *b)
{
    size_t   more;
    u_char  *p;

    more = (size_t) ngx_buf_size(b);

    if (ngx_http_conflict_latest_response_grow(pool, text, size, more)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = text->data + text->len;

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(p, b->pos, more);

    } else if (ngx_http_conflict_file_read(b->file, p, more, b->file_pos)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    text->len += more;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_latest_response_copy(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src)
{
    dst->len = src->len;
    dst->data = ngx_pstrdup(pool, src);

    return (dst->data == NULL && src->len) ? NGX_ERROR : NGX_OK;
}
