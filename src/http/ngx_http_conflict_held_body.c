
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The body of a write, held in memory as one text.  A temporary file would take
 * longer than all that the module does, and be read back for a merge and for
 * the history.
 */


#include "http/ngx_http_conflict_http.h"


/* of all bodies in a worker together, bytes */
#define NGX_HTTP_CONFLICT_HELD_MAX  (16 * 1024 * 1024)


typedef struct {
    u_char                        *data;
    size_t                         size;
} ngx_http_conflict_held_body_t;


static void ngx_http_conflict_held_body_free(void *data);
static ngx_int_t ngx_http_conflict_held_body_refill(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_held_body_release(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *rest, ngx_chain_t **out);


static size_t  ngx_http_conflict_held_body_total;


ngx_int_t
ngx_http_conflict_held_body_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    off_t                           size;
    ngx_buf_t                      *b;
    ngx_pool_cleanup_t             *cln;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_conflict_held_body_t  *held;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    size = r->headers_in.content_length_n;

    if (r->request_body_in_file_only
        || size <= (off_t) clcf->client_body_buffer_size
        || size > (off_t) ctx->conf->max_body
        || size > (off_t) (NGX_HTTP_CONFLICT_HELD_MAX
                           - ngx_http_conflict_held_body_total))
    {
        return NGX_OK;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_conflict_held_body_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    held = cln->data;
    held->size = (size_t) size;

    held->data = ngx_alloc(held->size, r->connection->log);
    if (held->data == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_conflict_held_body_free;
    ngx_http_conflict_held_body_total += held->size;

    b->start = held->data;
    b->pos = b->start;
    b->last = b->start;
    b->end = b->start + held->size;
    b->temporary = 1;

    ctx->body.held = b;

    return NGX_OK;
}


static void
ngx_http_conflict_held_body_free(void *data)
{
    ngx_http_conflict_held_body_t *held = data;

    ngx_http_conflict_held_body_total -= held->size;
    ngx_free(held->data);
}


ngx_int_t
ngx_http_conflict_held_body_add(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out)
{
    size_t        size;
    ngx_buf_t    *b, *held;
    ngx_chain_t  *cl;

    held = ctx->body.held;
    *out = NULL;

    for (cl = in; cl; cl = cl->next) {
        b = cl->buf;
        size = b->last - b->pos;

        if (size > (size_t) (held->end - held->last)) {
            /* another filter has made it longer than was declared */
            return ngx_http_conflict_held_body_release(r, ctx, cl, out);
        }

        if (b->pos != held->last) {
            ngx_memcpy(held->last, b->pos, size);
        }

        held->last += size;
        b->pos = b->last;

        if (b->last_buf) {
            held->last_buf = 1;
            return ngx_http_conflict_held_body_release(r, ctx, cl->next, out);
        }
    }

    return ngx_http_conflict_held_body_refill(r, ctx);
}


/*
 * Lets nginx read the rest into the same memory.  With HTTP/2, or with a filter
 * before this one, the body does not come from that buffer directly.
 */

static ngx_int_t
ngx_http_conflict_held_body_refill(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_buf_t                *b;
    ngx_http_request_body_t  *rb;

    rb = r->request_body;

    if (ctx->body.refilled || rb->buf == NULL || rb->rest <= 0
        || rb->rest != ctx->body.held->end - ctx->body.held->last
        || !ngx_http_conflict_request_body_filter_first(r))
    {
        return NGX_OK;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->start = ctx->body.held->last;
    b->pos = b->start;
    b->last = b->start;
    b->end = ctx->body.held->end;
    b->temporary = 1;

    rb->buf = b;
    ctx->body.refilled = 1;

    return NGX_OK;
}


/* passes what is held, and the rest as it comes */

static ngx_int_t
ngx_http_conflict_held_body_release(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *rest, ngx_chain_t **out)
{
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = ctx->body.held;
    cl->next = rest;
    *out = cl;

    if (!ctx->body.held->last_buf) {
        ctx->body.held = NULL;
    }

    return NGX_OK;
}
