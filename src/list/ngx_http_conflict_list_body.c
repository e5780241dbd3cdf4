
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The body of a list: held until it is complete and the versions of its items
 * are known, and sent with these.
 */


#include "list/ngx_http_conflict_list.h"
#include "latest/ngx_http_conflict_latest.h"
#include "http/ngx_http_conflict_writer.h"


/* bits that nginx's own filters do not use */
#define NGX_HTTP_CONFLICT_LIST_BUFFERED  0x08


static ngx_int_t ngx_http_conflict_list_body_add(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_buf_t *b);
static ngx_int_t ngx_http_conflict_list_body_give_up(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out);
static ngx_int_t ngx_http_conflict_list_body_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t **out);
static ngx_int_t ngx_http_conflict_list_body_fill(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *text);


ngx_int_t
ngx_http_conflict_list_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out)
{
    ngx_int_t                  rc;
    ngx_chain_t               *cl;
    ngx_http_conflict_list_t  *list;

    list = ctx->list;

    for (cl = in; cl; cl = cl->next) {

        rc = ngx_http_conflict_list_body_add(r, ctx, cl->buf);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            return ngx_http_conflict_list_body_give_up(r, ctx, cl, out);
        }

        if (cl->buf->last_buf) {
            list->complete = 1;

            rc = ngx_http_conflict_list_items(r, ctx);

            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (rc == NGX_AGAIN) {
                r->buffered |= NGX_HTTP_CONFLICT_LIST_BUFFERED;
            }
        }
    }

    if (!list->complete) {
        return NGX_OK;
    }

    if (list->waiting) {
        return NGX_AGAIN;
    }

    return ngx_http_conflict_list_body_send(r, ctx, out);
}


/* NGX_DECLINED: it exceeds the limit, and is not consumed */

static ngx_int_t
ngx_http_conflict_list_body_add(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_buf_t *b)
{
    ngx_http_conflict_list_t  *list;

    list = ctx->list;

    if (ngx_buf_special(b)) {
        return NGX_OK;
    }

    if (ngx_buf_size(b) > (off_t) (ctx->conf->max_body - list->body.len)) {
        return NGX_DECLINED;
    }

    if (ngx_http_conflict_latest_response_append(r->pool, &list->body,
                                                 &list->size, b)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* its owner may reuse it */
    ngx_http_conflict_capture_used(b);

    return NGX_OK;
}


/* sends what was held, and then the rest as it comes */

static ngx_int_t
ngx_http_conflict_list_body_give_up(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out)
{
    ngx_chain_t               *cl;
    ngx_http_conflict_list_t  *list;

    list = ctx->list;
    list->reading = 0;

    ngx_http_conflict_list_passed(r, ctx, "the response is larger than "
                                          "\"conflict_max_body\"");
    *out = in;

    if (list->body.len == 0) {
        return NGX_DECLINED;
    }

    cl = ngx_http_conflict_writer_chain(r->pool, list->body.data,
                                        list->body.len);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf->memory = 1;
    cl->next = in;
    *out = cl;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_conflict_list_body_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t **out)
{
    ngx_str_t                  text;
    ngx_chain_t               *cl;
    ngx_http_conflict_list_t  *list;

    list = ctx->list;
    list->reading = 0;
    r->buffered &= ~NGX_HTTP_CONFLICT_LIST_BUFFERED;

    text = list->body;

    if (list->n && ngx_http_conflict_list_body_fill(r, ctx, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    cl = ngx_http_conflict_writer_chain(r->pool, text.data, text.len);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf->memory = (text.len != 0);
    cl->buf->last_buf = 1;
    cl->buf->last_in_chain = 1;
    *out = cl;

    return NGX_DECLINED;
}


/*
 * Puts the versions into the text.  A member that the upstream has sent must
 * not be taken for a version, so it becomes null if there is none.
 */

static ngx_int_t
ngx_http_conflict_list_body_fill(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *text)
{
    u_char                    *p, *data;
    size_t                     pos;
    uint64_t                   version;
    ngx_str_t                  name;
    ngx_uint_t                 i;
    conflict_item_t           *item;
    conflict_pointer_t        *member;
    ngx_http_conflict_op_t    *op;
    ngx_http_conflict_list_t  *list;

    list = ctx->list;
    op = list->op;
    member = &ctx->conf->list->path.member;

    name.data = &member->text[member->name[member->levels - 1]];
    name.len = member->len[member->levels - 1];

    data = ngx_pnalloc(r->pool, text->len
                                + list->n * (6 * name.len + sizeof(",\"\":") - 1
                                             + NGX_INT64_LEN));
    if (data == NULL) {
        return NGX_ERROR;
    }

    p = data;
    pos = 0;

    for (i = 0; i < list->n; i++) {
        item = &list->items[i];
        version = (list->index[i] < op->nitems)
                  ? op->items[list->index[i]].version : 0;

        if (item->to == 0 || (version == 0 && item->from == item->to)) {
            continue;
        }

        p = ngx_cpymem(p, text->data + pos, item->from - pos);
        pos = item->to;

        if (item->from == item->to) {

            if (!item->first) {
                *p++ = ',';
            }

            *p++ = '"';
            p += conflict_text_quote(p, name.data, name.len);
            *p++ = '"';
            *p++ = ':';
        }

        p = version ? conflict_decimal_print(p, version)
                    : ngx_cpymem(p, "null", 4);
    }

    p = ngx_cpymem(p, text->data + pos, text->len - pos);

    text->data = data;
    text->len = p - data;

    return NGX_OK;
}
