
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The first states of the inbox: the arguments of the request, and the call
 * of the store.  An item that is not the caller's does not exist.
 */


#include "inbox/ngx_http_conflict_inbox.h"
#include "core/policy/conflict_etag.h"


static ngx_http_conflict_state_e ngx_http_conflict_inbox_endpoint_verb(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_inbox_endpoint_post(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_inbox_endpoint_base(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_inbox_endpoint_id(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_inbox_endpoint_list(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_inbox_endpoint_number(ngx_http_request_t *r,
    const char *name, size_t len, uint64_t max, uint64_t *n);
static ngx_int_t ngx_http_conflict_inbox_endpoint_text(ngx_http_request_t *r,
    const char *name, size_t len, ngx_str_t *text);
static void ngx_http_conflict_inbox_endpoint_received(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_inbox_endpoint_index(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_inbox_endpoint_found(
    ngx_http_conflict_ctx_t *ctx);


static const char  ngx_http_conflict_inbox_id[] =
    "\"id\" must have the 32 digits of \"held\", or of a list";
static const char  ngx_http_conflict_inbox_take[] =
    "\"take\" must be \"mine\", \"merged\" or \"theirs\"";

static ngx_str_t  ngx_http_conflict_if_match = ngx_string("if-match");
static ngx_str_t  ngx_http_conflict_if_none_match =
    ngx_string("if-none-match");


#define ngx_http_conflict_inbox_endpoint_bad(ctx, reason)                     \
    ngx_http_conflict_endpoint_error(ctx,                                     \
                                 NGX_HTTP_CONFLICT_ANSWER_BAD_REQUEST, reason)


ngx_http_conflict_state_e
ngx_http_conflict_inbox_endpoint_start(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_inbox_t  *inbox;

    /* the module's filters ignore the response */
    ctx->flow.answered = 1;
    ctx->flow.content = ngx_http_conflict_inbox_answer;

    inbox = ngx_pcalloc(ctx->request->pool, sizeof(ngx_http_conflict_inbox_t));
    if (inbox == NULL) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ctx->inbox = inbox;
    inbox->conf = ctx->conf;

    inbox->op = ngx_http_conflict_blob_create(ctx->request, ctx->conf->store,
                                           &ngx_http_conflict_hold_partition);
    if (inbox->op == NULL) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ctx->op = inbox->op;

    if (ngx_http_conflict_caller(ctx->request, ctx) != NGX_OK) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return ngx_http_conflict_inbox_endpoint_verb(ctx);
}


static ngx_http_conflict_state_e
ngx_http_conflict_inbox_endpoint_verb(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_http_conflict_inbox_t  *inbox;

    inbox = ctx->inbox;

    if (ctx->method == NGX_HTTP_OPTIONS) {
        return NGX_HTTP_CONFLICT_STATE_RESPOND;
    }

    if (!(ctx->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST
                         |NGX_HTTP_DELETE)))
    {
        return ngx_http_conflict_endpoint_error(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_NOT_ALLOWED,
                                        NULL);
    }

    rc = ngx_http_conflict_inbox_endpoint_id(ctx);

    if (rc == NGX_ERROR) {
        return ngx_http_conflict_inbox_endpoint_bad(ctx,
                                                  ngx_http_conflict_inbox_id);
    }

    if (rc == NGX_DECLINED) {

        if (ctx->method & (NGX_HTTP_POST|NGX_HTTP_DELETE)) {
            return ngx_http_conflict_inbox_endpoint_bad(ctx,
                                                  ngx_http_conflict_inbox_id);
        }

        return ngx_http_conflict_inbox_endpoint_list(ctx);
    }

    switch (ctx->method) {

    case NGX_HTTP_POST:
        return ngx_http_conflict_inbox_endpoint_post(ctx);

    case NGX_HTTP_DELETE:
        inbox->verb = NGX_HTTP_CONFLICT_INBOX_DISCARD;
        break;

    default: /* NGX_HTTP_GET, HEAD */
        inbox->verb = NGX_HTTP_CONFLICT_INBOX_SHOW;
    }

    return NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALL;
}


static ngx_http_conflict_state_e
ngx_http_conflict_inbox_endpoint_post(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                   take;
    ngx_http_conflict_inbox_t  *inbox;

    inbox = ctx->inbox;

    if (ngx_http_arg(ctx->request, (u_char *) "take", 4, &take) != NGX_OK) {
        return ngx_http_conflict_inbox_endpoint_bad(ctx,
                                                ngx_http_conflict_inbox_take);
    }

    if (take.len == 6 && ngx_strncmp(take.data, "theirs", 6) == 0) {
        inbox->verb = NGX_HTTP_CONFLICT_INBOX_DISCARD;
        return NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALL;
    }

    if (take.len == 6 && ngx_strncmp(take.data, "merged", 6) == 0) {
        inbox->merged = 1;

    } else if (take.len != 4 || ngx_strncmp(take.data, "mine", 4) != 0) {
        return ngx_http_conflict_inbox_endpoint_bad(ctx,
                                                ngx_http_conflict_inbox_take);
    }

    inbox->verb = NGX_HTTP_CONFLICT_INBOX_RESOLVE;

    if (ngx_http_conflict_inbox_endpoint_base(ctx) != NGX_OK) {
        return ngx_http_conflict_endpoint_error(ctx,
                                     NGX_HTTP_CONFLICT_ANSWER_NO_BASE,
                                     "If-Match must have the version that was "
                                     "shown, or If-None-Match be *");
    }

    if (ctx->request->headers_in.content_length_n
        > (off_t) ctx->conf->max_body)
    {
        return ngx_http_conflict_endpoint_error(ctx,
                                   NGX_HTTP_CONFLICT_ANSWER_TOO_LARGE,
                                   "the body is larger than conflict_max_body");
    }

    return NGX_HTTP_CONFLICT_STATE_INBOX_RECEIVE_BODY;
}


/* one tag in If-Match, or any in If-None-Match */

static ngx_int_t
ngx_http_conflict_inbox_endpoint_base(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                  *value, *none;
    ngx_uint_t                  n;
    ngx_list_t                 *headers;
    const char                 *p, *last;
    conflict_etag_t             etag;
    ngx_http_conflict_inbox_t  *inbox;

    inbox = ctx->inbox;
    headers = &ctx->request->headers_in.headers;

    none = ngx_http_conflict_header_find(headers,
                                         &ngx_http_conflict_if_none_match,
                                         NULL);
    value = ngx_http_conflict_header_find(headers, &ngx_http_conflict_if_match,
                                          &n);

    if (value == NULL) {
        inbox->create = (none && none->len == 1 && none->data[0] == '*');
        return inbox->create ? NGX_OK : NGX_DECLINED;
    }

    p = (const char *) value->data;
    last = p + value->len;

    if (n != 1 || none
        || (conflict_etag_next(&p, last, &etag) != CONFLICT_ETAG_TAG
            && conflict_version_unquoted(&p, last, &etag) != 0))
    {
        return NGX_DECLINED;
    }

    inbox->tag.data = (u_char *) etag.data;
    inbox->tag.len = etag.len;

    return (etag.len
            && conflict_etag_next(&p, last, &etag) == CONFLICT_ETAG_END)
           ? NGX_OK : NGX_DECLINED;
}


/* NGX_DECLINED: there is none; NGX_ERROR: it cannot be an id */

static ngx_int_t
ngx_http_conflict_inbox_endpoint_id(ngx_http_conflict_ctx_t *ctx)
{
    size_t      i;
    u_char      ch;
    ngx_str_t  *id;

    id = &ctx->inbox->id;

    if (ngx_http_arg(ctx->request, (u_char *) "id", 2, id) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (id->len != NGX_HTTP_CONFLICT_HOLD_ID) {
        return NGX_ERROR;
    }

    for (i = 0; i < id->len; i++) {
        ch = id->data[i];

        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f'))) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_http_conflict_state_e
ngx_http_conflict_inbox_endpoint_list(ngx_http_conflict_ctx_t *ctx)
{
    uint64_t                    limit;
    ngx_http_request_t         *r;
    ngx_http_conflict_inbox_t  *inbox;

    r = ctx->request;
    inbox = ctx->inbox;
    limit = NGX_HTTP_CONFLICT_INBOX_LIMIT;

    if (ngx_http_conflict_inbox_endpoint_number(r, "limit", 5,
                                                NGX_HTTP_CONFLICT_BLOB_MAX,
                                                &limit)
        != NGX_OK)
    {
        return ngx_http_conflict_inbox_endpoint_bad(ctx,
                                  "\"limit\" must be a number from 1 to 100");
    }

    if (ngx_http_conflict_inbox_endpoint_number(r, "before", 6,
                                                CONFLICT_VERSION_LIMIT,
                                                &inbox->before)
        != NGX_OK)
    {
        return ngx_http_conflict_inbox_endpoint_bad(ctx,
                                  "\"before\" must be the \"next\" of a list");
    }

    if (ngx_http_conflict_inbox_endpoint_text(r, "resource", 8,
                                              &inbox->resource)
        != NGX_OK
        || ngx_http_conflict_inbox_endpoint_text(r, "route", 5, &inbox->route)
           != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    inbox->limit = (ngx_uint_t) limit;

    if (ctx->caller.user.len == 0 && !inbox->conf->inbox_all) {
        /* such items are known by their id alone */
        return NGX_HTTP_CONFLICT_STATE_RESPOND;
    }

    return NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALL;
}


static ngx_int_t
ngx_http_conflict_inbox_endpoint_number(ngx_http_request_t *r,
    const char *name, size_t len, uint64_t max, uint64_t *n)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) name, len, &value) != NGX_OK) {
        return NGX_OK;
    }

    return (conflict_version_parse(n, (char *) value.data, value.len) == 0
            && *n > 0 && *n <= max)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_conflict_inbox_endpoint_text(ngx_http_request_t *r, const char *name,
    size_t len, ngx_str_t *text)
{
    u_char     *dst, *src;
    ngx_str_t   value;

    if (ngx_http_arg(r, (u_char *) name, len, &value) != NGX_OK) {
        return NGX_OK;
    }

    text->data = ngx_pnalloc(r->pool, value.len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    dst = text->data;
    src = value.data;

    ngx_unescape_uri(&dst, &src, value.len, 0);

    text->len = dst - text->data;

    return NGX_OK;
}


ngx_http_conflict_state_e
ngx_http_conflict_inbox_endpoint_receive(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   text;
    ngx_http_request_t         *r;
    ngx_http_conflict_inbox_t  *inbox;

    r = ctx->request;
    inbox = ctx->inbox;

    if (!inbox->received) {
        rc = ngx_http_read_client_request_body(r,
                                    ngx_http_conflict_inbox_endpoint_received);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ctx->flow.error_status = rc;
            return NGX_HTTP_CONFLICT_STATE_ERROR;
        }

        ngx_http_finalize_request(r, NGX_DONE);
        return NGX_HTTP_CONFLICT_STATE_AGAIN;
    }

    rc = ngx_http_conflict_request_body_text(ctx, &text);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_conflict_endpoint_error(ctx,
                                   NGX_HTTP_CONFLICT_ANSWER_TOO_LARGE,
                                   "the body is larger than conflict_max_body");
    }

    if (inbox->merged && text.len == 0) {
        return ngx_http_conflict_inbox_endpoint_bad(ctx,
                                  "the request must have the merged body");
    }

    return NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALL;
}


static void
ngx_http_conflict_inbox_endpoint_received(ngx_http_request_t *r)
{
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    ctx->inbox->received = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


ngx_http_conflict_state_e
ngx_http_conflict_inbox_endpoint_call(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_blob_t   *blob;
    ngx_http_conflict_inbox_t  *inbox;

    inbox = ctx->inbox;
    blob = inbox->op->blob;

    ngx_memzero(&blob->in, sizeof(blob->in));

    blob->in.kind = NGX_HTTP_CONFLICT_BLOB_HELD;
    blob->in.id = inbox->id;

    if (inbox->verb == NGX_HTTP_CONFLICT_INBOX_LIST) {
        blob->in.verb = NGX_HTTP_CONFLICT_BLOB_LIST;
        blob->in.before = inbox->before;
        blob->in.max = NGX_HTTP_CONFLICT_BLOB_MAX;

        if (ngx_http_conflict_inbox_endpoint_index(ctx) != NGX_OK) {
            return NGX_HTTP_CONFLICT_STATE_ERROR;
        }

    } else {
        blob->in.verb = inbox->removing ? NGX_HTTP_CONFLICT_BLOB_REMOVE
                                        : NGX_HTTP_CONFLICT_BLOB_GET;
    }

    return NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALLED;
}


static ngx_int_t
ngx_http_conflict_inbox_endpoint_index(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                  *name;
    ngx_http_request_t         *r;
    ngx_http_conflict_inbox_t  *inbox;

    r = ctx->request;
    inbox = ctx->inbox;
    name = &inbox->op->blob->in.index[0].name;

    inbox->op->blob->in.indexes = 1;

    return inbox->conf->inbox_all
           ? ngx_http_conflict_hold_index(r->pool, name, 'a', NULL)
           : ngx_http_conflict_hold_index_user(r, name,
                                               &ctx->caller.user);
}


ngx_http_conflict_state_e
ngx_http_conflict_inbox_endpoint_called(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e  next;

    if (!ngx_http_conflict_inbox_endpoint_store(ctx, ctx->op->store->ops->blob,
                                                &next))
    {
        return next;
    }

    if (ctx->inbox->verb == NGX_HTTP_CONFLICT_INBOX_LIST) {
        return NGX_HTTP_CONFLICT_STATE_RESPOND;
    }

    if (ctx->inbox->removing) {
        return ctx->op->blob->out.done
               ? NGX_HTTP_CONFLICT_STATE_RESPOND
               : ngx_http_conflict_endpoint_error(ctx,
                                           NGX_HTTP_CONFLICT_ANSWER_NOT_HELD,
                                           NULL);
    }

    return ngx_http_conflict_inbox_endpoint_found(ctx);
}


static ngx_http_conflict_state_e
ngx_http_conflict_inbox_endpoint_found(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_blob_t        *blob;
    ngx_http_conflict_inbox_t       *inbox;
    ngx_http_conflict_blob_found_t  *found;

    inbox = ctx->inbox;
    blob = inbox->op->blob;
    found = blob->out.found;

    if (blob->out.n == 0
        || ngx_http_conflict_hold_item_decode(&inbox->item, &found->head,
                                              &found->body)
           != NGX_OK
        || !ngx_http_conflict_inbox_endpoint_visible(ctx, &inbox->item))
    {
        return ngx_http_conflict_endpoint_error(ctx,
                                           NGX_HTTP_CONFLICT_ANSWER_NOT_HELD,
                                           NULL);
    }

    switch (inbox->verb) {

    case NGX_HTTP_CONFLICT_INBOX_DISCARD:
        inbox->removing = 1;
        return NGX_HTTP_CONFLICT_STATE_INBOX_STORE_CALL;

    case NGX_HTTP_CONFLICT_INBOX_RESOLVE:
        return NGX_HTTP_CONFLICT_STATE_INBOX_RESOLVE;

    default: /* NGX_HTTP_CONFLICT_INBOX_SHOW */
        return NGX_HTTP_CONFLICT_STATE_INBOX_STORE_PEEK;
    }
}


/* the id of an item without a user is as good as a password */

ngx_uint_t
ngx_http_conflict_inbox_endpoint_visible(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item)
{
    ngx_str_t  *writer, *user;

    if (ctx->inbox->conf->inbox_all) {
        return 1;
    }

    if (!ngx_http_conflict_inbox_endpoint_own(ctx, item)) {
        /* a user of the same name may be another person there */
        return 0;
    }

    writer = &item->text[NGX_HTTP_CONFLICT_HOLD_WRITER];
    user = &ctx->caller.user;

    if (writer->len == 0) {
        return ctx->inbox->id.len != 0;
    }

    return ngx_http_conflict_same(writer, user);
}


/* several blocks of one API have the same name */

ngx_uint_t
ngx_http_conflict_inbox_endpoint_own(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item)
{
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(ctx->request, ngx_http_core_module);

    return ngx_http_conflict_same(&cscf->server_name,
                                  &item->text[NGX_HTTP_CONFLICT_HOLD_SERVER]);
}


ngx_uint_t
ngx_http_conflict_inbox_endpoint_store(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call, ngx_http_conflict_state_e *next)
{
    ngx_http_conflict_op_t  *op;

    if (ngx_http_conflict_endpoint_call(ctx, call, next)) {
        return 1;
    }

    op = ctx->op;

    if (*next == NGX_HTTP_CONFLICT_STATE_RESPOND && op->store->stats) {
        (void) ngx_atomic_fetch_add(&op->store->stats->errors[op->out.error],
                                    1);
    }

    return 0;
}


void
ngx_http_conflict_inbox_endpoint_end(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_inbox_t  *inbox;

    inbox = ctx->inbox;

    if (ctx->op && !inbox->resolving && ctx->op != inbox->op) {
        /* of the version that was shown */
        ngx_http_conflict_op_release(ctx->op);
        ctx->op = NULL;
    }

    if (ctx->op == inbox->op) {
        ctx->op = NULL;
    }

    if (inbox->op) {
        ngx_http_conflict_op_release(inbox->op);
        inbox->op = NULL;
    }
}
