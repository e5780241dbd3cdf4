
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The content handler of the inbox: its lists and items as JSON.
 */


#include "inbox/ngx_http_conflict_inbox.h"
#include "answer/ngx_http_conflict_answer.h"
#include "latest/ngx_http_conflict_latest.h"


static void ngx_http_conflict_inbox_answer_list(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_writer_t *out);
static ngx_uint_t ngx_http_conflict_inbox_answer_wanted(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_hold_item_t *item);
static json_t *ngx_http_conflict_inbox_answer_item(
    ngx_http_conflict_hold_item_t *item,
    ngx_http_conflict_blob_found_t *found);
static json_t *ngx_http_conflict_inbox_answer_text(
    ngx_http_conflict_hold_item_t *item, ngx_http_conflict_hold_text_e text);
static void ngx_http_conflict_inbox_answer_show(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_writer_t *out);
static json_t *ngx_http_conflict_inbox_answer_version(
    ngx_http_conflict_ctx_t *ctx);
static const char *ngx_http_conflict_inbox_answer_theirs(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *document);
static void ngx_http_conflict_inbox_answer_body(
    ngx_http_conflict_writer_t *out, const char *name, ngx_str_t *body,
    const char *omitted);


ngx_int_t
ngx_http_conflict_inbox_answer(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_conflict_ctx_t     *ctx;
    ngx_http_conflict_inbox_t   *inbox;
    ngx_http_conflict_writer_t   out;

    rc = ngx_http_conflict_endpoint_respond(r, ngx_http_conflict_inbox_answer,
                                            &out);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    inbox = ctx->inbox;

    if (inbox->verb == NGX_HTTP_CONFLICT_INBOX_LIST) {
        ngx_http_conflict_inbox_answer_list(ctx, &out);

    } else if (!inbox->removing) {
        ngx_http_conflict_inbox_answer_show(ctx, &out);
    }

    return ngx_http_conflict_endpoint_send(r, ctx, &out);
}


/* "next": items may follow that are older than the last one looked at */

static void
ngx_http_conflict_inbox_answer_list(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_writer_t *out)
{
    json_t                          *json;
    uint64_t                         next;
    ngx_str_t                        none;
    ngx_uint_t                       i, n;
    ngx_http_conflict_blob_t        *blob;
    ngx_http_conflict_inbox_t       *inbox;
    ngx_http_conflict_hold_item_t    item;
    ngx_http_conflict_blob_found_t  *found;

    inbox = ctx->inbox;
    blob = inbox->op->blob;
    n = 0;
    next = 0;

    ngx_str_null(&none);

    ngx_http_conflict_writer_print(out, "{\"items\":[");

    for (i = 0; i < blob->out.n; i++) {
        found = &blob->out.found[i];

        if (n == inbox->limit) {
            break;
        }

        next = found->number;

        if (ngx_http_conflict_hold_item_decode(&item, &found->head, &none)
            != NGX_OK
            || !ngx_http_conflict_inbox_answer_wanted(ctx, &item))
        {
            continue;
        }

        ngx_http_conflict_writer_print(out, n ? ",{" : "{");
        ngx_http_conflict_json_print(out,
                           ngx_http_conflict_inbox_answer_item(&item, found));
        ngx_http_conflict_writer_print(out, "}");

        n++;
    }

    if (i == blob->out.n && i < NGX_HTTP_CONFLICT_BLOB_MAX) {
        next = 0;
    }

    json = json_object();
    ngx_http_conflict_json_set(&json, "next", next ? json_integer(next)
                                                   : json_null());

    ngx_http_conflict_writer_print(out, "],");
    ngx_http_conflict_json_print(out, json);
    ngx_http_conflict_writer_print(out, "}\n");
}


static ngx_uint_t
ngx_http_conflict_inbox_answer_wanted(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_hold_item_t *item)
{
    ngx_str_t                  *text;
    ngx_http_conflict_inbox_t  *inbox;

    inbox = ctx->inbox;

    if (!ngx_http_conflict_inbox_endpoint_visible(ctx, item)) {
        return 0;
    }

    text = item->text;

    return (inbox->resource.data == NULL
            || ngx_http_conflict_same(&text[NGX_HTTP_CONFLICT_HOLD_RESOURCE_ID],
                                      &inbox->resource))
           && (inbox->route.data == NULL
               || ngx_http_conflict_same(&text[NGX_HTTP_CONFLICT_HOLD_ROUTE],
                                         &inbox->route));
}


static json_t *
ngx_http_conflict_inbox_answer_item(ngx_http_conflict_hold_item_t *item,
    ngx_http_conflict_blob_found_t *found)
{
    json_t     *json;
    ngx_str_t  *base;

    json = json_object();
    base = &item->text[NGX_HTTP_CONFLICT_HOLD_BASE];

#define ngx_http_conflict_inbox_answer_set(name, number)                      \
    ngx_http_conflict_json_set(&json, name,                                   \
                      ngx_http_conflict_inbox_answer_text(item,               \
                                             NGX_HTTP_CONFLICT_HOLD_##number))

    ngx_http_conflict_json_set_text(&json, "id", &found->id);

    ngx_http_conflict_inbox_answer_set("kind", KIND);
    ngx_http_conflict_inbox_answer_set("resource", RESOURCE_ID);
    ngx_http_conflict_inbox_answer_set("route", ROUTE);
    ngx_http_conflict_inbox_answer_set("method", METHOD);
    ngx_http_conflict_inbox_answer_set("target", TARGET);
    ngx_http_conflict_inbox_answer_set("user", WRITER);
    ngx_http_conflict_inbox_answer_set("client", CLIENT);

    ngx_http_conflict_json_set_time(&json, "held_at", item->time);
    ngx_http_conflict_json_set_seconds(&json, "expires_in", found->ttl);
    ngx_http_conflict_json_set_base(&json, "base_version", base);
    ngx_http_conflict_json_set_version(&json, "version", item->version);

    ngx_http_conflict_inbox_answer_set("content_type", TYPE);

    ngx_http_conflict_json_set(&json, "size", json_integer(item->size));

    ngx_http_conflict_inbox_answer_set("conflict_id", CONFLICT);

    return json;
}


/* null if it is empty */

static json_t *
ngx_http_conflict_inbox_answer_text(ngx_http_conflict_hold_item_t *item,
    ngx_http_conflict_hold_text_e text)
{
    return item->text[text].len
           ? ngx_http_conflict_json_text(&item->text[text],
                                         NGX_HTTP_CONFLICT_JSON_WHOLE)
           : json_null();
}


static void
ngx_http_conflict_inbox_answer_show(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_writer_t *out)
{
    json_t                     *json;
    ngx_str_t                   theirs;
    const char                 *omitted, *base;
    ngx_http_conflict_inbox_t  *inbox;

    inbox = ctx->inbox;

    omitted = ngx_http_conflict_inbox_answer_theirs(ctx, &theirs);

    base = (inbox->item.base_body.len == 0) ? "unknown"
           : (theirs.len == 0) ? "forbidden"
           : ngx_http_conflict_capture_no_filter(ctx) ? NULL
           : "filtered";

    ngx_http_conflict_writer_print(out, "{\"item\":{");
    ngx_http_conflict_json_print(out,
                       ngx_http_conflict_inbox_answer_item(&inbox->item,
                                               inbox->op->blob->out.found));
    ngx_http_conflict_writer_print(out, "},");

    json = json_object();

    ngx_http_conflict_json_set(&json, "version",
                               ngx_http_conflict_inbox_answer_version(ctx));

    if (ctx->latest.valid
        && ngx_http_conflict_latest_response_gone(ctx->latest.status))
    {
        ngx_http_conflict_json_set(&json, "deleted", json_true());
    }

    ngx_http_conflict_json_print(out, json);

    ngx_http_conflict_inbox_answer_body(out, "mine", &inbox->item.body, NULL);
    ngx_http_conflict_inbox_answer_body(out, "theirs", &theirs, omitted);
    ngx_http_conflict_inbox_answer_body(out, "base", &inbox->item.base_body,
                                        base);

    ngx_http_conflict_writer_print(out, "}\n");
}


/* as a base in a body; null: unknown */

static json_t *
ngx_http_conflict_inbox_answer_version(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t  version;

    if (!ctx->caller.may_see
        || ngx_http_conflict_latest_response_gone(ctx->latest.status))
    {
        /* a 404 may hide the resource from this client */
        return json_null();
    }

    if (ctx->op->in.minted) {
        return ngx_http_conflict_json_version(ctx->version.current);
    }

    if (ctx->latest.status != NGX_HTTP_OK
        || ngx_http_conflict_latest_document_version(ctx, &version) != NGX_OK)
    {
        return json_null();
    }

    return ngx_http_conflict_json_base(&version, NGX_HTTP_CONFLICT_JSON_WHOLE);
}


/* the reason for which it is omitted; NULL: it is not, or does not exist */

static const char *
ngx_http_conflict_inbox_answer_theirs(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *document)
{
    const char                  *omitted;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    ngx_str_null(document);

    if (ctx->inbox->unguarded) {
        return "unavailable";
    }

    if (latest->status == NGX_HTTP_FORBIDDEN) {
        return "forbidden";
    }

    if (ngx_http_conflict_latest_response_gone(latest->status)) {
        return NULL;
    }

    omitted = ngx_http_conflict_answer_document(ctx, document);

    return (document->len || omitted) ? omitted : "unavailable";
}


/* byte for byte, as jansson would change its numbers */

static void
ngx_http_conflict_inbox_answer_body(ngx_http_conflict_writer_t *out,
    const char *name, ngx_str_t *body, const char *omitted)
{
    size_t     bom;
    ngx_str_t  text;

    if (body->len == 0 || omitted) {
        ngx_http_conflict_writer_print(out, ",\"%s\":null", name);

        if (omitted) {
            ngx_http_conflict_writer_print(out, ",\"%s_omitted\":\"%s\"",
                                           name, omitted);
        }

        return;
    }

    bom = conflict_text_bom(body->data, body->len);

    text.data = body->data + bom;
    text.len = body->len - bom;

    ngx_http_conflict_writer_print(out, ",\"%s\":", name);
    ngx_http_conflict_writer_ref(out, &text);
}
