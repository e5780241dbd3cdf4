
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The response of a request that was claimed: what it says about the request,
 * and its status, fields and body, as they are before all of nginx's filters.
 */


#include "idempotency/ngx_http_conflict_idempotency.h"
#include "latest/ngx_http_conflict_latest.h"


#define NGX_HTTP_CONFLICT_IDEMPOTENCY_TOO_EARLY  425    /* RFC 8470, 5.2 */


static u_char ngx_http_conflict_idempotency_record_status(ngx_uint_t status);
static void ngx_http_conflict_idempotency_record_line(ngx_str_t *fields,
    size_t *size, u_char kind, ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_idempotency_record_fields(
    ngx_http_request_t *r, ngx_str_t *fields);
static ngx_int_t ngx_http_conflict_idempotency_record_buffer(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx, ngx_buf_t *b);


/* fields that nginx makes anew, or that are not for a second response */

static const ngx_str_t  ngx_http_conflict_idempotency_omitted[] = {
    ngx_string("age"),
    ngx_string("conflict"),
    ngx_string("connection"),
    ngx_string("content-length"),
    ngx_string("content-type"),
    ngx_string("date"),
    ngx_string("keep-alive"),
    ngx_string("retry-after"),
    ngx_string("server"),
    ngx_string("set-cookie"),
    ngx_string("trailer"),
    ngx_string("transfer-encoding"),
    ngx_null_string
};


u_char
ngx_http_conflict_idempotency_record_judge(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t shown)
{
    u_char                            what;
    ngx_uint_t                        sent, status;
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    if (!ctx->pass.forwarded) {
        return idem->earlier ? NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN : 0;
    }

    status = shown;
    sent = 1;

    if (!idem->done && r->upstream != ctx->pass.upstream) {
        (void) ngx_http_conflict_upstream_attempts(r, ctx->pass.first_attempt,
                                                   &sent, &status);
    }

    what = (sent == 0) ? 0
                       : ngx_http_conflict_idempotency_record_status(status);

    if (idem->done) {
        return (what == NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT)
               ? what : NGX_HTTP_CONFLICT_IDEMPOTENCY_NOT_KEPT;
    }

    if (sent > 1
        || (what && (ngx_http_conflict_denied(r)
                     || ngx_http_conflict_upstream_attempts_pending(r))))
    {
        /* what sends a page need not be the API; trailers are not kept */
        return NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN;
    }

    if (what == 0
        && (ctx->lease.redirected || idem->earlier
            || ngx_http_conflict_delegate_outcome(ctx)
               >= NGX_HTTP_CONFLICT_UNCERTAIN))
    {
        /* but an earlier upstream, or a subrequest, may have done it */
        return NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN;
    }

    if (what == NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT
        && ngx_http_conflict_idempotency_record_status(shown) != what)
    {
        /* nginx has no response header, or one of an error of its own */
        return NGX_HTTP_CONFLICT_IDEMPOTENCY_NOT_KEPT;
    }

    return what;
}


static u_char
ngx_http_conflict_idempotency_record_status(ngx_uint_t status)
{
    if (ngx_http_conflict_outcome_refused(status)
        || status == NGX_HTTP_CONFLICT_IDEMPOTENCY_TOO_EARLY)
    {
        return 0;
    }

    if (status < 200 || status >= 500
        || status == NGX_HTTP_REQUEST_TIME_OUT
        || status == NGX_HTTP_CLIENT_CLOSED_REQUEST)
    {
        return NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN;
    }

    return NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT;
}


void
ngx_http_conflict_idempotency_record_redirect(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    u_char                            what;
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    if (!idem->claimed || idem->done || r->method == ctx->method) {
        return;
    }

    if (r->upstream == ctx->pass.upstream && r->err_status < 400) {
        /* a handler without an upstream has failed; "error_page ... =200" */
        what = NGX_HTTP_CONFLICT_IDEMPOTENCY_UNKNOWN;

    } else {
        what = ngx_http_conflict_idempotency_record_judge(r, ctx,
                                                          r->err_status);
    }

    if (what == NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT
        || what == NGX_HTTP_CONFLICT_IDEMPOTENCY_NOT_KEPT)
    {
        idem->done = 1;
        return;
    }

    ngx_http_conflict_idempotency_settle(ctx, what);
}


ngx_int_t
ngx_http_conflict_idempotency_record_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    u_char                            what;
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    if (!idem->claimed || idem->judged) {
        return NGX_OK;
    }

    what = ngx_http_conflict_idempotency_record_judge(r, ctx,
                                                      r->headers_out.status);

    if (what != NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT) {
        ngx_http_conflict_idempotency_settle(ctx, what);
        return NGX_OK;
    }

    idem->judged = 1;
    idem->status = r->headers_out.status;

    if (ngx_http_conflict_idempotency_record_fields(r, &idem->fields)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (r->headers_out.content_length_n > (off_t) ctx->conf->max_body) {
        ngx_http_conflict_idempotency_settle(ctx,
                                       NGX_HTTP_CONFLICT_IDEMPOTENCY_NOT_KEPT);

    } else if (r->header_only || idem->status == NGX_HTTP_NO_CONTENT) {
        ngx_http_conflict_idempotency_settle(ctx,
                                           NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT);

    } else {
        idem->capturing = 1;
    }

    return NGX_OK;
}


/*
 * Lines of a letter, a name and a value: S status line, T type, C charset, M
 * time of last change, H any other field.  Measured first, then written.
 */

static ngx_int_t
ngx_http_conflict_idempotency_record_fields(ngx_http_request_t *r,
    ngx_str_t *fields)
{
    size_t                            size;
    u_char                            status[NGX_INT_T_LEN];
    u_char                            date[NGX_TIME_T_LEN];
    ngx_str_t                         none, text, time;
    ngx_uint_t                        pass, dated;
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_str_null(&none);
    ngx_str_null(fields);

    text.data = status;
    text.len = ngx_sprintf(status, "%03ui", r->headers_out.status) - status;

    if (r->headers_out.status_line.len > 3) {
        /* with the upstream's reason phrase */
        text = r->headers_out.status_line;
    }

    time.data = date;
    time.len = ngx_sprintf(date, "%T", r->headers_out.last_modified_time)
               - date;

    dated = (r->headers_out.last_modified == NULL
             && r->headers_out.last_modified_time != -1);

    for (pass = 0; pass < 2; pass++) {
        size = 0;

        ngx_http_conflict_idempotency_record_line(fields, &size, 'S', &none,
                                                  &text);

        if (r->headers_out.content_type.len) {
            ngx_http_conflict_idempotency_record_line(fields, &size, 'T',
                                           &none, &r->headers_out.content_type);
        }

        if (r->headers_out.charset.len
            && r->headers_out.content_type_len
               == r->headers_out.content_type.len)
        {
            ngx_http_conflict_idempotency_record_line(fields, &size, 'C',
                                                &none, &r->headers_out.charset);
        }

        if (dated) {
            ngx_http_conflict_idempotency_record_line(fields, &size, 'M',
                                                      &none, &time);
        }

        ngx_http_conflict_header_walk(&walk, &r->headers_out.headers);

        while (ngx_http_conflict_header_next(&walk, &h)) {

            if (h->hash == 0
                || ngx_http_conflict_header_listed(&h->key,
                                        ngx_http_conflict_idempotency_omitted))
            {
                continue;
            }

            ngx_http_conflict_idempotency_record_line(fields, &size, 'H',
                                                      &h->key, &h->value);
        }

        if (fields->data == NULL) {
            fields->data = ngx_pnalloc(r->pool, size);
            if (fields->data == NULL) {
                return NGX_ERROR;
            }
        }
    }

    fields->len = size;

    return NGX_OK;
}


/* adds the size of a line, and the line itself if there is room */

static void
ngx_http_conflict_idempotency_record_line(ngx_str_t *fields, size_t *size,
    u_char kind, ngx_str_t *name, ngx_str_t *value)
{
    u_char  *p;

    if (ngx_strlchr(value->data, value->data + value->len, LF)) {
        /* another module's; it would be two lines */
        return;
    }

    if (fields->data) {
        p = fields->data + *size;
        *p++ = kind;
        p = ngx_cpymem(p, name->data, name->len);

        if (name->len) {
            *p++ = ':';
        }

        p = ngx_cpymem(p, value->data, value->len);
        *p = LF;
    }

    *size += 1 + name->len + (name->len != 0) + value->len + 1;
}


ngx_int_t
ngx_http_conflict_idempotency_record_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in)
{
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    for ( /* void */ ; in && idem->capturing; in = in->next) {

        if (ngx_http_conflict_idempotency_record_buffer(r, ctx, in->buf)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (in->buf->last_buf && idem->capturing) {
            ngx_http_conflict_idempotency_settle(ctx,
                                           NGX_HTTP_CONFLICT_IDEMPOTENCY_KEPT);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_idempotency_record_sent(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_int_t rc)
{
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    if (!idem->gone
        && (!idem->capturing || rc != NGX_ERROR || !r->connection->error))
    {
        return rc;
    }

    if (!idem->capturing) {
        /* all of it is there, or it is not kept */
        return NGX_ERROR;
    }

    idem->gone = 1;

    for ( /* void */ ; in; in = in->next) {
        ngx_http_conflict_capture_used(in->buf);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_idempotency_record_buffer(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_buf_t *b)
{
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    if (ngx_buf_special(b)) {
        return NGX_OK;
    }

    if (ngx_buf_size(b) > (off_t) (ctx->conf->max_body - idem->body.len)) {
        ngx_http_conflict_idempotency_settle(ctx,
                                       NGX_HTTP_CONFLICT_IDEMPOTENCY_NOT_KEPT);
        return NGX_OK;
    }

    return ngx_http_conflict_latest_response_append(r->pool, &idem->body,
                                                    &idem->size, b);
}
