
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The client's body: read whole before the request is sent to the upstream,
 * scanned and hashed as it arrives.
 */


#include "http/ngx_http_conflict_http.h"


#define NGX_HTTP_CONFLICT_BLOCK  16384


#define ngx_http_conflict_request_body_has_time(nlcf)                         \
    ((nlcf)->edited && (nlcf)->edited->place == NGX_HTTP_CONFLICT_JSON)


static ngx_int_t ngx_http_conflict_request_body_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_request_body_has_base(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_request_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_conflict_request_body_feed(ngx_http_conflict_ctx_t *ctx,
    u_char *data, size_t len);
static void ngx_http_conflict_request_body_hash(ngx_http_conflict_ctx_t *ctx,
    u_char *data, size_t len);
static void ngx_http_conflict_request_body_detect(
    ngx_http_conflict_ctx_t *ctx, u_char *data, size_t len);
static ngx_int_t ngx_http_conflict_request_body_scan_chain(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx);


static ngx_http_request_body_filter_pt  ngx_http_next_request_body_filter;


static ngx_str_t  ngx_http_conflict_content_encoding =
    ngx_string("content-encoding");


ngx_int_t
ngx_http_conflict_request_body_read(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    off_t                          length;
    ngx_uint_t                     json;
    ngx_http_conflict_body_t      *body;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;
    body = &ctx->body;

    if (body->done) {
        return NGX_OK;
    }

    json = ngx_http_conflict_request_body_has_base(r, ctx);
    length = r->headers_in.content_length_n;

    if (json && length > (off_t) nlcf->max_body) {

        if (!body->undeclared && ngx_http_conflict_request_body_strict(ctx)) {
            ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_TOO_LARGE;
            ctx->flow.reason = "the body is larger than conflict_max_body";
            return NGX_DECLINED;
        }

        json = 0;
        body->too_large = 1;
        body->opaque = 1;
    }

    if (nlcf->unbuffered && body->whole == NULL
        && (!json || (ctx->op->in.pre.kinds && body->undeclared
                      && nlcf->policy != CONFLICT_MERGE
                      && !ngx_http_conflict_request_body_has_time(nlcf))))
    {
        /* the content handler streams it; one of JSON may have a base, too */
        return NGX_OK;
    }

    /*
     * Otherwise the body is read even if it is not scanned: a slow client must
     * not hold a lease, and the upstream must be in use when the content
     * handler returns.
     */

    if (json) {
        body->json = ngx_palloc(r->pool, sizeof(conflict_scan_t));
        if (body->json == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        conflict_scan_init(body->json, nlcf->base->pointer);
    }

    if (json && ngx_http_conflict_request_body_has_time(nlcf)) {
        body->edited = ngx_palloc(r->pool, sizeof(conflict_scan_t));
        if (body->edited == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        conflict_scan_init(body->edited, nlcf->edited->pointer);
    }

    body->hashed = (json || ctx->op->in.pre.kinds);

    /* scanned by the filter, or at the end if another module has read it */
    body->reading = (r->request_body == NULL);

    if (json && body->reading
        && ngx_http_conflict_held_body_start(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_conflict_request_body_start(r, ctx);
}


ngx_int_t
ngx_http_conflict_request_body_whole(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->body.done) {
        return NGX_OK;
    }

    ctx->body.reading = (r->request_body == NULL);

    return ngx_http_conflict_request_body_start(r, ctx);
}


static ngx_int_t
ngx_http_conflict_request_body_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (r->content_handler == NULL) {
        /* as content phase modules, such as dav, request it */
        r->request_body_in_file_only = 1;
        r->request_body_in_persistent_file = 1;
        r->request_body_in_clean_file = 1;
        r->request_body_file_group_access = 1;
        r->request_body_file_log_level = 0;

    } else if (!ctx->conf->upstream && !r->request_body_in_persistent_file) {
        /* a handler such as that of Lua opens the file by its name */
        r->request_body_in_persistent_file = 1;
        r->request_body_in_clean_file = 1;
    }

    rc = ngx_http_read_client_request_body(
            r, ngx_http_conflict_request_body_handler);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}


/*
 * 1 if the body may have a base that can be found, or the time of the edit, by
 * the request headers.
 */

static ngx_uint_t
ngx_http_conflict_request_body_has_base(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                  *encoding;
    ngx_list_t                 *headers;
    ngx_http_conflict_body_t   *body;
    ngx_http_conflict_media_e   media;

    body = &ctx->body;

    /* HTTP/2 without a length, and with a body, counts as chunked */

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
        body->empty = 1;
        return 0;
    }

    if (ctx->conf->base->place != NGX_HTTP_CONFLICT_JSON
        && !ngx_http_conflict_request_body_has_time(ctx->conf))
    {
        return 0;
    }

    media = ngx_http_conflict_media_type_request(r);

    if (media == NGX_HTTP_CONFLICT_MEDIA_OTHER) {
        body->opaque = 1;
        return 0;
    }

    body->undeclared = (media == NGX_HTTP_CONFLICT_MEDIA_UNDECLARED);

    headers = &r->headers_in.headers;

    encoding = ngx_http_conflict_header_find(headers,
                                            &ngx_http_conflict_content_encoding,
                                            NULL);

    if ((encoding
         && ngx_strcasecmp(encoding->data, (u_char *) "identity") != 0)
        || ngx_http_conflict_media_type_wide(r))
    {
        body->encoded = 1;
        body->opaque = 1;
        return 0;
    }

    return 1;
}


/*
 * With a precondition in a header any body passes that the API accepts, unless
 * fields with the rule "server" have to be protected, or the time of the edit
 * is in it.
 */

ngx_uint_t
ngx_http_conflict_request_body_strict(ngx_http_conflict_ctx_t *ctx)
{
    return ctx->op->in.pre.kinds == 0
           || (ctx->conf->policy == CONFLICT_MERGE && ctx->conf->server_rules)
           || ngx_http_conflict_request_body_has_time(ctx->conf);
}


static void
ngx_http_conflict_request_body_handler(ngx_http_request_t *r)
{
    ngx_http_conflict_ctx_t   *ctx;
    ngx_http_conflict_body_t  *body;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    body = &ctx->body;

    if (!body->reading
        && ngx_http_conflict_request_body_scan_chain(r, ctx) != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    body->reading = 0;
    body->done = 1;

    if (body->hash) {
        body->sum = conflict_hash_final(body->hash);
    }

    if (body->size == 0) {
        body->empty = 1;
        body->opaque = 0;
        body->json = NULL;

    } else if (body->undeclared && !body->begun) {
        /* white space only */
        body->opaque = 1;
        body->json = NULL;

    } else if (body->json && !body->too_large
               && body->error == CONFLICT_JSON_OK)
    {
        body->error = conflict_scan_end(body->json);
    }

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_conflict_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t              *cl;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    if (ctx && ctx->form) {

        for (cl = in; cl; cl = cl->next) {
            ngx_http_conflict_form_feed(ctx, cl->buf);
        }
    }

    if (ctx && ctx->body.reading) {

        for (cl = in; cl; cl = cl->next) {
            ngx_http_conflict_request_body_feed(ctx, cl->buf->pos,
                                                cl->buf->last - cl->buf->pos);
        }

        if (ctx->body.held
            && ngx_http_conflict_held_body_add(r, ctx, in, &in) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_next_request_body_filter(r, in);
}


ngx_uint_t
ngx_http_conflict_request_body_filter_first(ngx_http_request_t *r)
{
    return r->http_version <= NGX_HTTP_VERSION_11
           && ngx_http_top_request_body_filter
              == ngx_http_conflict_request_body_filter;
}


static void
ngx_http_conflict_request_body_feed(ngx_http_conflict_ctx_t *ctx, u_char *data,
    size_t len)
{
    ngx_http_conflict_body_t  *body;

    body = &ctx->body;

    if (body->undeclared && !body->begun) {
        ngx_http_conflict_request_body_detect(ctx, data, len);
    }

    body->size += len;

    if (body->whole && len) {
        conflict_hash_update(body->whole, data, len);
    }

    if (len == 0 || body->too_large) {
        return;
    }

    if (body->size > (off_t) ctx->conf->max_body) {
        body->too_large = 1;
        return;
    }

    if (body->hashed) {
        ngx_http_conflict_request_body_hash(ctx, data, len);
    }

    if (body->json && body->error == CONFLICT_JSON_OK) {
        body->error = conflict_scan_feed(body->json, data, len);
    }

    if (body->edited && body->edited_error == CONFLICT_JSON_OK) {
        body->edited_error = conflict_scan_feed(body->edited, data, len);
    }
}


/*
 * Most bodies arrive in one piece, for which no state is needed.  Without
 * memory there is no hash, so a retry of the write is not recognized.
 */

static void
ngx_http_conflict_request_body_hash(ngx_http_conflict_ctx_t *ctx, u_char *data,
    size_t len)
{
    ngx_http_request_t        *r;
    ngx_http_conflict_body_t  *body;

    r = ctx->request;
    body = &ctx->body;

    if (body->size == (off_t) len) {

        /* the first piece; the length of a chunked body grows as it is read */

        if (!r->headers_in.chunked
            && r->headers_in.content_length_n == (off_t) len)
        {
            body->sum = conflict_hash_64(data, len, 0);
            return;
        }

        body->hash = ngx_palloc(r->pool, sizeof(conflict_hash_t));
        if (body->hash == NULL) {
            body->hashed = 0;
            return;
        }

        conflict_hash_init(body->hash, 0);
    }

    conflict_hash_update(body->hash, data, len);
}


/*
 * A body of an undeclared type is treated as JSON if it begins with "{" or "["
 * after white space and a byte order mark, which the scanner checks.
 */

static void
ngx_http_conflict_request_body_detect(ngx_http_conflict_ctx_t *ctx,
    u_char *data, size_t len)
{
    size_t                     i;
    ngx_http_conflict_body_t  *body;

    body = &ctx->body;

    for (i = 0; i < len; i++) {

        switch (data[i]) {

        case ' ':
        case '\t':
        case '\r':
        case '\n':
            break;

        case 0xef:
        case 0xbb:
        case 0xbf:

            if (body->size + i < 3) {
                /* byte order mark */
                break;
            }

            /* fall through */

        default:
            body->begun = 1;

            if (data[i] != '{' && data[i] != '[') {
                body->undeclared = 0;
                body->opaque = 1;
                body->json = NULL;
                body->hashed = (ctx->op->in.pre.kinds != 0);
            }

            return;
        }
    }
}


/* a body that was read before: in memory, in a file, or in both */

static ngx_int_t
ngx_http_conflict_request_body_scan_chain(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    off_t         pos;
    ssize_t       n;
    u_char       *block;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    block = NULL;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (!b->in_file) {
            ngx_http_conflict_request_body_feed(ctx, b->pos, b->last - b->pos);
            continue;
        }

        if (block == NULL) {
            block = ngx_palloc(r->pool, NGX_HTTP_CONFLICT_BLOCK);
            if (block == NULL) {
                return NGX_ERROR;
            }
        }

        for (pos = b->file_pos; pos < b->file_last; pos += n) {
            n = ngx_read_file(b->file, block,
                              (size_t) ngx_min(b->file_last - pos,
                                               NGX_HTTP_CONFLICT_BLOCK),
                              pos);
            if (n <= 0) {
                return NGX_ERROR;
            }

            ngx_http_conflict_request_body_feed(ctx, block, n);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_request_body_text(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text)
{
    return ngx_http_conflict_request_body_chain_text(ctx,
                                       ctx->request->request_body->bufs, text);
}


ngx_int_t
ngx_http_conflict_request_body_chain_text(ngx_http_conflict_ctx_t *ctx,
    ngx_chain_t *in, ngx_str_t *text)
{
    size_t        size;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    size = 0;

    for (cl = in; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > ctx->conf->max_body) {
        return NGX_DECLINED;
    }

    if (size && in->next == NULL && !in->buf->in_file) {
        text->data = in->buf->pos;
        text->len = size;
        return NGX_OK;
    }

    p = ngx_pnalloc(ctx->request->pool, size + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;
    text->len = size;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;

        if (!b->in_file) {
            p = ngx_cpymem(p, b->pos, b->last - b->pos);
            continue;
        }

        size = (size_t) (b->file_last - b->file_pos);

        if (ngx_http_conflict_file_read(b->file, p, size, b->file_pos)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        p += size;
    }

    return NGX_OK;
}


void
ngx_http_conflict_request_body_filter_init(void)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_conflict_request_body_filter;
}
