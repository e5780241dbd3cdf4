
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Changes the client's body before it is sent to the upstream: cuts out a
 * member, or replaces the body with the result of a merge.
 */


#include "http/ngx_http_conflict_http.h"
#include "http/ngx_http_conflict_writer.h"


#define NGX_HTTP_CONFLICT_BLOCK  16384
#define NGX_HTTP_CONFLICT_SMALL  2048


static ngx_uint_t ngx_http_conflict_body_edit_named(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_body_edit_cut_file(ngx_http_request_t *r,
    off_t start, off_t end);
static ngx_int_t ngx_http_conflict_body_edit_cut_held(ngx_http_request_t *r,
    ngx_buf_t *held, size_t start, size_t end);
static ngx_int_t ngx_http_conflict_body_edit_append(ngx_http_request_t *r,
    ngx_chain_t ***out, ngx_buf_t *b, off_t from, off_t to);
static ngx_int_t ngx_http_conflict_body_edit_load(ngx_pool_t *pool,
    ngx_buf_t *b);
static ngx_int_t ngx_http_conflict_body_edit_file(ngx_http_request_t *r,
    ngx_str_t *text);
static void ngx_http_conflict_body_edit_save(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_body_edit_resize(ngx_http_request_t *r,
    off_t n);
static void ngx_http_conflict_body_edit_variables(ngx_http_request_t *r);


/*
 * Buffers at the ends of the cut are shortened, and one that contains the cut
 * is split.  Only a small part of a file is copied.
 */

ngx_int_t
ngx_http_conflict_body_edit_cut(ngx_http_request_t *r, off_t start, off_t end)
{
    off_t                     pos, size;
    ngx_buf_t                *b;
    ngx_chain_t              *cl, *out, **last;
    ngx_http_conflict_ctx_t  *ctx;

    if (ngx_http_conflict_body_edit_named(r)) {
        return ngx_http_conflict_body_edit_cut_file(r, start, end);
    }

    ngx_http_conflict_body_edit_save(r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    b = r->request_body->bufs->buf;

    if (b == ctx->body.held && start <= NGX_HTTP_CONFLICT_SMALL) {
        return ngx_http_conflict_body_edit_cut_held(r, b, (size_t) start,
                                                    (size_t) end);
    }

    pos = 0;
    last = &out;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        size = ngx_buf_size(b);

        if (ngx_http_conflict_body_edit_append(r, &last, b, 0, start - pos)
            != NGX_OK
            || ngx_http_conflict_body_edit_append(r, &last, b, end - pos, size)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        pos += size;
    }

    *last = NULL;

    r->request_body->bufs = out;

    return ngx_http_conflict_body_edit_resize(r, start - end);
}


/*
 * The bytes before the cut are moved up to those after it, so that the body
 * stays one text.  The original begins with a copy of what is overwritten.
 */

static ngx_int_t
ngx_http_conflict_body_edit_cut_held(ngx_http_request_t *r, ngx_buf_t *held,
    size_t start, size_t end)
{
    u_char                   *head;
    ngx_chain_t              *cl, *rest;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    head = ngx_pnalloc(r->pool, end);
    if (head == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(head, held->pos, end);

    cl = ngx_http_conflict_writer_chain(r->pool, head, end);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf->temporary = 1;

    rest = ngx_http_conflict_writer_chain(r->pool, held->pos + end, 0);
    if (rest == NULL) {
        return NGX_ERROR;
    }

    *rest->buf = *held;
    rest->buf->pos += end;
    rest->buf->start = rest->buf->pos;

    cl->next = rest;

    ctx->original.bufs = cl;
    ctx->body.held = NULL;

    ngx_memmove(held->pos + (end - start), held->pos, start);
    held->pos += end - start;

    /* from where nginx sends it again */
    held->start = held->pos;

    return ngx_http_conflict_body_edit_resize(r, (off_t) start - (off_t) end);
}


/* appends those bytes of a buffer that are from "from" up to "to" */

static ngx_int_t
ngx_http_conflict_body_edit_append(ngx_http_request_t *r, ngx_chain_t ***out,
    ngx_buf_t *b, off_t from, off_t to)
{
    ngx_buf_t    *copy;
    ngx_chain_t  *cl;

    from = ngx_max(from, 0);
    to = ngx_min(to, ngx_buf_size(b));

    if (from >= to) {
        return NGX_OK;
    }

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    copy = ngx_alloc_buf(r->pool);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *b;

    if (ngx_buf_in_memory(b)) {
        copy->pos = b->pos + from;
        copy->last = b->pos + to;
        copy->start = copy->pos;
    }

    if (b->in_file) {
        copy->file_pos = b->file_pos + from;
        copy->file_last = b->file_pos + to;
    }

    if (!ngx_buf_in_memory(b) && to - from <= NGX_HTTP_CONFLICT_SMALL
        && ngx_http_conflict_body_edit_load(r->pool, copy) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cl->buf = copy;

    **out = cl;
    *out = &cl->next;

    return NGX_OK;
}


/*
 * A member is mostly cut near one of the ends.  The few bytes there are sent
 * with the request header rather than by a sendfile() of their own.
 */

static ngx_int_t
ngx_http_conflict_body_edit_load(ngx_pool_t *pool, ngx_buf_t *b)
{
    size_t  size;

    size = (size_t) (b->file_last - b->file_pos);

    b->start = ngx_pnalloc(pool, size);
    if (b->start == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_file_read(b->file, b->start, size, b->file_pos)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    b->pos = b->start;
    b->last = b->start + size;
    b->end = b->last;
    b->temporary = 1;
    b->in_file = 0;

    return NGX_OK;
}


/*
 * Whether the content handler may read the file, as dav and handlers in Lua and
 * Perl do, and not the buffers.
 */

static ngx_uint_t
ngx_http_conflict_body_edit_named(ngx_http_request_t *r)
{
    return r->request_body->temp_file && r->request_body_in_persistent_file;
}


/* the rest is moved up in the file */

static ngx_int_t
ngx_http_conflict_body_edit_cut_file(ngx_http_request_t *r, off_t start,
    off_t end)
{
    off_t        size;
    u_char      *block;
    ssize_t      n;
    ngx_buf_t   *b;
    ngx_file_t  *file, to;

    file = &r->request_body->temp_file->file;
    b = r->request_body->bufs->buf;
    size = b->file_last;

    block = ngx_palloc(r->pool, NGX_HTTP_CONFLICT_BLOCK);
    if (block == NULL) {
        return NGX_ERROR;
    }

    to = *file;

    for ( /* void */ ; end < size; end += n, start += n) {
        n = ngx_read_file(file, block,
                          (size_t) ngx_min(size - end, NGX_HTTP_CONFLICT_BLOCK),
                          end);

        if (n <= 0 || ngx_write_file(&to, block, (size_t) n, start) != n) {
            return NGX_ERROR;
        }
    }

    if (ftruncate(file->fd, start) == -1) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, ngx_errno,
                      "ftruncate() \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    file->offset = start;
    b->file_last = start;

    return ngx_http_conflict_body_edit_resize(r, start - size);
}


ngx_int_t
ngx_http_conflict_body_edit_replace(ngx_http_request_t *r, ngx_str_t *text)
{
    off_t         size;
    ngx_chain_t  *cl;

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (ngx_http_conflict_body_edit_named(r)) {

        if (ngx_http_conflict_body_edit_file(r, text) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_conflict_body_edit_resize(r, (off_t) text->len - size);
    }

    ngx_http_conflict_body_edit_save(r);

    cl = ngx_http_conflict_writer_chain(r->pool, text->data, text->len);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf->temporary = 1;

    r->request_body->bufs = cl;

    return ngx_http_conflict_body_edit_resize(r, (off_t) text->len - size);
}


static ngx_int_t
ngx_http_conflict_body_edit_file(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_buf_t   *b;
    ngx_file_t  *file;

    file = &r->request_body->temp_file->file;
    b = r->request_body->bufs->buf;

    if (ngx_write_file(file, text->data, text->len, 0)
        != (ssize_t) text->len)
    {
        return NGX_ERROR;
    }

    if (ftruncate(file->fd, (off_t) text->len) == -1) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, ngx_errno,
                      "ftruncate() \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    file->offset = text->len;
    b->file_pos = 0;
    b->file_last = text->len;

    return NGX_OK;
}


/*
 * Adds "n" to the length.  proxy uses content_length_n, FastCGI and similar
 * modules the header; a body that was received chunked has no header and is
 * sent with its length.
 */

static ngx_int_t
ngx_http_conflict_body_edit_resize(ngx_http_request_t *r, off_t n)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    if (r->headers_in.content_length_n >= 0) {
        r->headers_in.content_length_n += n;
    }

    h = r->headers_in.content_length;

    if (h) {
        p = ngx_pnalloc(r->pool, NGX_OFF_T_LEN + 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        h->value.data = p;
        h->value.len = conflict_decimal_print(p,
                                              r->headers_in.content_length_n)
                       - p;
        p[h->value.len] = '\0';
    }

    ngx_http_conflict_body_edit_variables(r);

    return NGX_OK;
}


/* saves the original buffers once; nothing else changes them */

static void
ngx_http_conflict_body_edit_save(ngx_http_request_t *r)
{
    ngx_http_conflict_ctx_t       *ctx;
    ngx_http_conflict_original_t  *original;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    original = &ctx->original;

    if (original->bufs) {
        return;
    }

    original->bufs = r->request_body->bufs;
    original->length = r->headers_in.content_length_n;

    if (r->headers_in.content_length) {
        original->content_length = r->headers_in.content_length->value;
    }
}


void
ngx_http_conflict_body_edit_restore(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_original_t  *original;

    original = &ctx->original;

    if (original->hidden) {
        r->headers_in.headers = original->headers;
    }

    if (original->bufs == NULL) {
        return;
    }

    r->request_body->bufs = original->bufs;
    r->headers_in.content_length_n = original->length;

    if (r->headers_in.content_length) {
        r->headers_in.content_length->value = original->content_length;
    }

    ngx_http_conflict_body_edit_variables(r);
}


/* discards the cached values of variables that depend on the body */

static void
ngx_http_conflict_body_edit_variables(ngx_http_request_t *r)
{
    size_t                      len;
    u_char                     *name;
    ngx_uint_t                  i;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (!r->variables[i].valid && !r->variables[i].not_found) {
            continue;
        }

        name = v[i].name.data;
        len = v[i].name.len;

        if ((len == sizeof("content_length") - 1
             && ngx_strncmp(name, "content_length", len) == 0)
            || (len == sizeof("request_body") - 1
                && ngx_strncmp(name, "request_body", len) == 0)
            || (len > 5 && ngx_strncmp(name, "http_", 5) == 0))
        {
            r->variables[i].valid = 0;
            r->variables[i].not_found = 0;
        }
    }
}
