
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Versions for the items of a list: the mark, the decision by the header of the
 * response, the keys of the items, and the calls of the store.
 */


#include "list/ngx_http_conflict_list.h"
#include "process/ngx_http_conflict_random.h"


#define NGX_HTTP_CONFLICT_LIST_ITEMS     1000
#define NGX_HTTP_CONFLICT_LIST_INTERVAL  10000    /* msec between warnings */
#define NGX_HTTP_CONFLICT_LIST_NONE      ((ngx_uint_t) -1)


static ngx_uint_t ngx_http_conflict_list_is_item(ngx_http_conflict_list_t *list,
    ngx_str_t *resource);
static const char *ngx_http_conflict_list_unfit(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_list_find(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_list_keys(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_list_answered(ngx_http_conflict_op_t *op);


ngx_http_conflict_state_e
ngx_http_conflict_list_mark(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_request_t             *r;
    ngx_http_conflict_op_t         *op;
    ngx_http_conflict_list_t       *list;
    ngx_http_conflict_list_conf_t  *conf;

    r = ctx->request;
    conf = ctx->conf->list;

    list = ngx_pcalloc(r->pool, sizeof(ngx_http_conflict_list_t));
    if (list == NULL) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ctx->list = list;

    if (ngx_http_conflict_evaluate(r, conf->prefix, &list->prefix) != NGX_OK
        || ngx_http_conflict_evaluate(r, conf->suffix, &list->suffix)
           != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (!conf->exact
        && ngx_http_conflict_list_is_item(list, &ctx->target.resource))
    {
        return NGX_HTTP_CONFLICT_STATE_READ_FORWARD;
    }

    op = ngx_http_conflict_store_call_op(r, ctx->conf, &ctx->target.key, 0);
    if (op == NULL) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    op->done = ngx_http_conflict_store_call_done;
    list->op = op;

    op->rc = op->store->ops->mark(op);

    return NGX_HTTP_CONFLICT_STATE_READ_LIST_MARKED;
}


/* a location may have lists and items */

static ngx_uint_t
ngx_http_conflict_list_is_item(ngx_http_conflict_list_t *list,
    ngx_str_t *resource)
{
    u_char  *id, *end;

    if (resource->len <= list->prefix.len + list->suffix.len) {
        return 0;
    }

    id = resource->data + list->prefix.len;
    end = resource->data + resource->len - list->suffix.len;

    return ngx_strncmp(resource->data, list->prefix.data, list->prefix.len)
           == 0
           && ngx_strncmp(end, list->suffix.data, list->suffix.len) == 0
           && ngx_strlchr(id, end, '/') == NULL;
}


ngx_http_conflict_state_e
ngx_http_conflict_list_marked(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->list->op;

    if (op->busy) {
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    if (op->rc == NGX_OK) {
        ctx->list->marked = 1;

    } else {
        ngx_http_conflict_list_passed(ctx->request, ctx,
                                      "the store did not answer");
    }

    return NGX_HTTP_CONFLICT_STATE_READ_FORWARD;
}


void
ngx_http_conflict_list_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    const char                *why;
    ngx_http_conflict_list_t  *list;

    list = ctx->list;

    if (list == NULL || !list->marked) {
        return;
    }

    if (r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT) {
        ngx_http_conflict_list_passed(r, ctx, "the response is a part");
        return;
    }

    if (r->headers_out.status != NGX_HTTP_OK
        || r->headers_out.content_length_n == 0
        || ngx_http_conflict_header_aged(r))
    {
        return;
    }

    why = ngx_http_conflict_list_unfit(r, ctx);

    if (why) {
        ngx_http_conflict_list_passed(r, ctx, why);
        return;
    }

    list->reading = !r->header_only;

    ngx_http_conflict_header_body_changes(r);

    /* two responses with the same tag of the upstream may differ */
    ngx_str_null(&ctx->version.upstream_tag);

    if (ctx->conf->report) {
        ngx_http_weak_etag(r);
    }
}


static const char *
ngx_http_conflict_list_unfit(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (r->headers_out.content_encoding
        && r->headers_out.content_encoding->value.len)
    {
        return "the response is encoded";
    }

    if (!ngx_http_conflict_media_type_json(&r->headers_out.content_type)) {
        return "the response is not JSON";
    }

    if (r->headers_out.content_length_n > (off_t) ctx->conf->max_body) {
        return "the response is larger than \"conflict_max_body\"";
    }

    return NULL;
}


void
ngx_http_conflict_list_passed(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, const char *why)
{
    ngx_http_conflict_list_conf_t  *conf;

    conf = ctx->conf->list;

    if (conf->logged
        && ngx_current_msec - conf->logged < NGX_HTTP_CONFLICT_LIST_INTERVAL)
    {
        return;
    }

    conf->logged = ngx_current_msec;

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "conflict: the items of this response get no versions: %s",
                  why);
}


ngx_int_t
ngx_http_conflict_list_items(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_http_conflict_op_t    *op;
    ngx_http_conflict_list_t  *list;

    list = ctx->list;
    op = list->op;

    rc = ngx_http_conflict_list_find(r, ctx);

    if (rc != NGX_OK || list->n == 0) {
        return rc;
    }

    if (ngx_http_conflict_list_keys(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (op->nitems == 0) {
        return NGX_OK;
    }

    op->done = ngx_http_conflict_list_answered;
    op->rc = op->store->ops->items(op);

    if (op->rc == NGX_AGAIN) {
        list->waiting = 1;
        return NGX_AGAIN;
    }

    if (op->rc != NGX_OK) {
        ngx_http_conflict_list_passed(r, ctx, "the store did not answer");
    }

    return NGX_OK;
}


/* sets list->items; none if the text is no list, or exceeds the limits */

static ngx_int_t
ngx_http_conflict_list_find(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    size_t                     n;
    const char                *why;
    conflict_item_t           *items;
    conflict_json_rc_e         rc;
    ngx_http_conflict_list_t  *list;

    list = ctx->list;

    rc = conflict_items_find(&ctx->conf->list->path, list->body.data,
                             list->body.len, ctx->conf->max_values,
                             NGX_HTTP_CONFLICT_LIST_ITEMS,
                             ngx_http_conflict_random_seed(), &items, &n);

    switch (rc) {

    case CONFLICT_JSON_OK:
        break;

    case CONFLICT_JSON_FAILED:
        return NGX_ERROR;

    default:
        why = (rc == CONFLICT_JSON_LARGE) ? "there are too many"
              : (rc == CONFLICT_JSON_REPEATED) ? "a member is repeated"
              : (rc == CONFLICT_JSON_TOO_DEEP) ? "it is nested too deep"
              : "it is not valid JSON";

        ngx_http_conflict_list_passed(r, ctx, why);
        return NGX_OK;
    }

    if (n == 0) {
        return NGX_OK;
    }

    list->items = ngx_palloc(r->pool, n * sizeof(conflict_item_t));

    if (list->items) {
        ngx_memcpy(list->items, items, n * sizeof(conflict_item_t));
        list->n = n;
    }

    free(items);

    return list->items ? NGX_OK : NGX_ERROR;
}


/* sets op->items, of those items that can be written to, and list->index */

static ngx_int_t
ngx_http_conflict_list_keys(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    u_char                    *p, id[CONFLICT_ITEMS_ID];
    size_t                     len, size;
    ngx_str_t                 *prefix, any;
    ngx_uint_t                 i, n;
    conflict_item_t           *item;
    ngx_http_conflict_op_t    *op;
    ngx_http_conflict_list_t  *list;

    list = ctx->list;
    op = list->op;
    item = list->items;

    /* an id has no "/" */

    any.len = list->prefix.len + 1 + list->suffix.len;

    any.data = ngx_pnalloc(r->pool, any.len);
    if (any.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(any.data, list->prefix.data, list->prefix.len);
    *p++ = '*';
    ngx_memcpy(p, list->suffix.data, list->suffix.len);

    prefix = ngx_http_conflict_key_prefix(r, &any);
    size = 0;

    for (i = 0; i < list->n; i++) {
        /* an id is at most as long as it is written */
        size += prefix->len + list->prefix.len + list->suffix.len
                + (item[i].id_end - item[i].id);
    }

    list->index = ngx_palloc(r->pool, list->n * sizeof(ngx_uint_t));
    if (list->index == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_op_items(op, list->n, size, &p) != NGX_OK) {
        return NGX_ERROR;
    }

    n = 0;

    for (i = 0; i < list->n; i++) {
        list->index[i] = NGX_HTTP_CONFLICT_LIST_NONE;

        len = item[i].to ? conflict_items_id(id, list->body.data, &item[i]) : 0;

        if (len == 0) {
            continue;
        }

        op->items[n].key.data = p;

        p = ngx_cpymem(p, prefix->data, prefix->len);
        p = ngx_cpymem(p, list->prefix.data, list->prefix.len);
        p = ngx_cpymem(p, id, len);
        p = ngx_cpymem(p, list->suffix.data, list->suffix.len);

        op->items[n].key.len = p - op->items[n].key.data;
        list->index[i] = n++;
    }

    op->nitems = n;

    return NGX_OK;
}


static void
ngx_http_conflict_list_answered(ngx_http_conflict_op_t *op)
{
    ngx_http_request_t       *r;
    ngx_http_conflict_ctx_t  *ctx;

    r = op->request;

    if (r == NULL) {
        return;
    }

    ctx = ngx_http_conflict_ctx(r);
    ctx->list->waiting = 0;

    /* nginx waits to write, as r->buffered is set */

    ngx_post_event(r->connection->write, &ngx_posted_events);
}


void
ngx_http_conflict_list_end(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->list && ctx->list->op) {
        ngx_http_conflict_op_release(ctx->list->op);
        ctx->list->op = NULL;
        ctx->list->reading = 0;
    }
}
