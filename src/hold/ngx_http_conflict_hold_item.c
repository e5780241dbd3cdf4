
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * An item of the inbox as a blob: its head has numbers and texts, each
 * with its length, as users and targets may have any bytes; its body has the
 * held body and that of the base.
 */


#include "hold/ngx_http_conflict_hold.h"
#include "core/text/conflict_decimal.h"


#define NGX_HTTP_CONFLICT_HOLD_ITEM_NUMBERS  8


static u_char *ngx_http_conflict_hold_item_number(u_char *p, u_char *last,
    u_char end, uint64_t *n);


void
ngx_http_conflict_hold_item_digest(ngx_http_conflict_hold_item_t *item,
    ngx_str_t *caller, ngx_uint_t n, u_char digest[20])
{
    ngx_sha1_t  sha1;
    ngx_uint_t  i;

    ngx_sha1_init(&sha1);

    for (i = 0; i < n; i++) {
        ngx_http_conflict_view_sha1(&sha1, &caller[i]);
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_HOLD_TEXTS; i++) {

        if (i != NGX_HTTP_CONFLICT_HOLD_KIND
            && i != NGX_HTTP_CONFLICT_HOLD_CONFLICT)
        {
            ngx_http_conflict_view_sha1(&sha1, &item->text[i]);
        }
    }

    ngx_http_conflict_view_sha1(&sha1, &item->body);

    ngx_sha1_final(digest, &sha1);
}


/* the first number is the version of this format */

ngx_int_t
ngx_http_conflict_hold_item_encode(ngx_pool_t *pool,
    ngx_http_conflict_hold_item_t *item, ngx_str_t *head, ngx_str_t *body)
{
    size_t       len;
    u_char      *p;
    ngx_uint_t   i;

    len = NGX_HTTP_CONFLICT_HOLD_ITEM_NUMBERS * (NGX_INT64_LEN + 1);

    for (i = 0; i < NGX_HTTP_CONFLICT_HOLD_TEXTS; i++) {
        len += NGX_SIZE_T_LEN + 1 + item->text[i].len;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    head->data = p;

    p = ngx_sprintf(p, "1,%uL,%uL,%uL,%uL,%uL,%uL,%uL,",
                    item->time, item->version, (uint64_t) item->body.len,
                    item->base.value, item->base.end, item->base.cut,
                    item->base.cut_end);

    for (i = 0; i < NGX_HTTP_CONFLICT_HOLD_TEXTS; i++) {
        p = ngx_sprintf(p, "%uz:", item->text[i].len);
        p = ngx_cpymem(p, item->text[i].data, item->text[i].len);
    }

    head->len = p - head->data;

    *body = item->body;

    if (item->base_body.len == 0) {
        return NGX_OK;
    }

    body->len = item->body.len + item->base_body.len;
    body->data = ngx_pnalloc(pool, body->len);
    if (body->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(body->data, item->body.data, item->body.len);
    ngx_memcpy(p, item->base_body.data, item->base_body.len);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_hold_item_decode(ngx_http_conflict_hold_item_t *item,
    ngx_str_t *head, ngx_str_t *body)
{
    u_char                         *p, *last;
    uint64_t                        format, len;
    ngx_uint_t                      i;
    ngx_http_conflict_hold_base_t  *base;

    ngx_memzero(item, sizeof(ngx_http_conflict_hold_item_t));

    base = &item->base;
    p = head->data;
    last = p + head->len;

    p = ngx_http_conflict_hold_item_number(p, last, ',', &format);
    p = ngx_http_conflict_hold_item_number(p, last, ',', &item->time);
    p = ngx_http_conflict_hold_item_number(p, last, ',', &item->version);
    p = ngx_http_conflict_hold_item_number(p, last, ',', &item->size);
    p = ngx_http_conflict_hold_item_number(p, last, ',', &base->value);
    p = ngx_http_conflict_hold_item_number(p, last, ',', &base->end);
    p = ngx_http_conflict_hold_item_number(p, last, ',', &base->cut);
    p = ngx_http_conflict_hold_item_number(p, last, ',', &base->cut_end);

    if (p == NULL || format != 1) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_HOLD_TEXTS; i++) {
        p = ngx_http_conflict_hold_item_number(p, last, ':', &len);

        if (p == NULL || len > (uint64_t) (last - p)) {
            return NGX_ERROR;
        }

        item->text[i].data = p;
        item->text[i].len = (size_t) len;
        p += len;
    }

    if (body->len == 0) {
        return NGX_OK;
    }

    if (item->size > body->len || base->value > base->end
        || base->end > item->size || base->cut > base->cut_end
        || base->cut_end > item->size)
    {
        return NGX_ERROR;
    }

    item->body.data = body->data;
    item->body.len = (size_t) item->size;

    item->base_body.data = body->data + item->body.len;
    item->base_body.len = body->len - item->body.len;

    return NGX_OK;
}


/* NULL, also for NULL: there is no number before "end" */

static u_char *
ngx_http_conflict_hold_item_number(u_char *p, u_char *last, u_char end,
    uint64_t *n)
{
    if (p) {
        p = conflict_decimal_parse(p, last, UINT64_MAX, n);
    }

    return (p && p < last && *p == end) ? p + 1 : NULL;
}
