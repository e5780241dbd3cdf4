
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A text that grows, as a chain of buffers in a pool.
 */


#include "http/ngx_http_conflict_http.h"
#include "http/ngx_http_conflict_writer.h"


#define NGX_HTTP_CONFLICT_WRITER_FIRST   2048
#define NGX_HTTP_CONFLICT_WRITER_BUFFER  16384
#define NGX_HTTP_CONFLICT_WRITER_MAX     512


static ngx_buf_t *ngx_http_conflict_writer_room(ngx_http_conflict_writer_t *out,
    size_t size);
static void ngx_http_conflict_writer_link(ngx_http_conflict_writer_t *out,
    ngx_chain_t *cl);


void
ngx_http_conflict_writer_print(ngx_http_conflict_writer_t *out,
    const char *format, ...)
{
    u_char     *last;
    va_list     args;
    ngx_buf_t  *b;

    b = ngx_http_conflict_writer_room(out, NGX_HTTP_CONFLICT_WRITER_MAX);
    if (b == NULL) {
        return;
    }

    va_start(args, format);
    last = ngx_vslprintf(b->last, b->end, format, args);
    va_end(args);

    out->size += last - b->last;
    b->last = last;
}


void
ngx_http_conflict_writer_bytes(ngx_http_conflict_writer_t *out, u_char *data,
    size_t len)
{
    ngx_buf_t  *b;

    b = ngx_http_conflict_writer_room(out, len);
    if (b == NULL) {
        return;
    }

    b->last = ngx_cpymem(b->last, data, len);
    out->size += len;
}


void
ngx_http_conflict_writer_json(ngx_http_conflict_writer_t *out, u_char *data,
    size_t len)
{
    size_t      size;
    ngx_buf_t  *b;

    size = conflict_text_defuse(NULL, data, len);

    b = ngx_http_conflict_writer_room(out, size);
    if (b == NULL) {
        return;
    }

    b->last += conflict_text_defuse(b->last, data, len);
    out->size += size;
}


void
ngx_http_conflict_writer_ref(ngx_http_conflict_writer_t *out, ngx_str_t *text)
{
    ngx_chain_t  *cl;

    cl = ngx_http_conflict_writer_chain(out->pool, text->data, text->len);
    if (cl == NULL) {
        out->failed = 1;
        return;
    }

    cl->buf->memory = 1;

    out->size += text->len;

    ngx_http_conflict_writer_link(out, cl);
}


ngx_chain_t *
ngx_http_conflict_writer_chain(ngx_pool_t *pool, u_char *data, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(pool);
    if (cl == NULL) {
        return NULL;
    }

    b = ngx_calloc_buf(pool);
    if (b == NULL) {
        return NULL;
    }

    b->pos = data;
    b->last = data + len;
    b->start = b->pos;
    b->end = b->last;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


ngx_int_t
ngx_http_conflict_writer_join(ngx_http_conflict_writer_t *out, ngx_str_t *text)
{
    u_char       *p;
    ngx_chain_t  *cl;

    if (out->failed) {
        return NGX_ERROR;
    }

    text->len = out->size;

    if (out->first == out->last) {
        text->data = out->last->buf->pos;
        return NGX_OK;
    }

    text->data = ngx_pnalloc(out->pool, text->len);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    p = text->data;

    for (cl = out->first; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    return NGX_OK;
}


static ngx_buf_t *
ngx_http_conflict_writer_room(ngx_http_conflict_writer_t *out, size_t size)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (out->failed) {
        return NULL;
    }

    if (out->last) {
        b = out->last->buf;

        if ((size_t) (b->end - b->last) >= size) {
            return b;
        }
    }

    if (out->buffer == 0) {
        out->buffer = NGX_HTTP_CONFLICT_WRITER_FIRST;

    } else {
        out->buffer = ngx_min(2 * out->buffer, NGX_HTTP_CONFLICT_WRITER_BUFFER);
    }

    b = ngx_create_temp_buf(out->pool, ngx_max(size, out->buffer));
    if (b == NULL) {
        out->failed = 1;
        return NULL;
    }

    cl = ngx_alloc_chain_link(out->pool);
    if (cl == NULL) {
        out->failed = 1;
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    ngx_http_conflict_writer_link(out, cl);

    return b;
}


static void
ngx_http_conflict_writer_link(ngx_http_conflict_writer_t *out, ngx_chain_t *cl)
{
    if (out->last) {
        out->last->next = cl;

    } else {
        out->first = cl;
    }

    out->last = cl;
}
