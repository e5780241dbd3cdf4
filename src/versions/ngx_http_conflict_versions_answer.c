
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The content handler of an endpoint of versions: the list as JSON, or the body
 * of a version, which nothing in the response lets pass for the current one.
 */


#include "versions/ngx_http_conflict_versions.h"
#include "answer/ngx_http_conflict_endpoint.h"
#include "http/ngx_http_conflict_json.h"
#include "process/ngx_http_conflict_clock.h"
#include "core/policy/conflict_version.h"


/* a version of the list; "known": it has a note */

typedef struct {
    ngx_http_conflict_note_t       note;
    ngx_uint_t                     known;
    ngx_uint_t                     held;
} ngx_http_conflict_versions_item_t;


static ngx_int_t ngx_http_conflict_versions_answer_list(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_writer_t *out);
static ngx_int_t ngx_http_conflict_versions_answer_notes(
    ngx_http_conflict_ctx_t *ctx, ngx_array_t *items);
static ngx_http_conflict_versions_item_t *
    ngx_http_conflict_versions_answer_item(ngx_array_t *items,
    uint64_t version);
static json_t *ngx_http_conflict_versions_answer_json(
    ngx_http_conflict_versions_item_t *item);


ngx_int_t
ngx_http_conflict_versions_answer(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_conflict_ctx_t     *ctx;
    ngx_http_conflict_writer_t   out;

    rc = ngx_http_conflict_endpoint_respond(r,
                                            ngx_http_conflict_versions_answer,
                                            &out);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    if (ctx->op->in.pre.base) {

        if (ctx->latest.json) {
            /* that of the resource, as only JSON is kept */
            r->headers_out.content_type = ctx->latest.content_type;
        }

        ngx_http_conflict_writer_ref(&out, &ctx->op->out.base_body);

    } else if (ngx_http_conflict_versions_answer_list(r, ctx, &out)
               != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_conflict_endpoint_send(r, ctx, &out);
}


static ngx_int_t
ngx_http_conflict_versions_answer_list(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_writer_t *out)
{
    json_t                             *json, *list;
    uint64_t                            version;
    ngx_int_t                           rc;
    ngx_str_t                           rest;
    ngx_uint_t                          i;
    ngx_array_t                         items;
    ngx_http_conflict_versions_item_t  *item;

    if (ngx_array_init(&items, r->pool, 16,
                       sizeof(ngx_http_conflict_versions_item_t))
        != NGX_OK
        || ngx_http_conflict_versions_answer_notes(ctx, &items) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->version.current
        && ngx_http_conflict_versions_answer_item(&items, ctx->version.current)
           == NULL)
    {
        return NGX_ERROR;
    }

    rest = ctx->op->out.held;

    for ( ;; ) {
        rc = ngx_http_conflict_note_next_version(&rest, &version);

        if (rc != NGX_OK) {
            break;
        }

        item = ngx_http_conflict_versions_answer_item(&items, version);
        if (item == NULL) {
            return NGX_ERROR;
        }

        item->held = 1;
    }

    if (rc != NGX_DONE) {
        return NGX_ERROR;
    }

    list = json_array();
    item = items.elts;

    for (i = 0; i < items.nelts; i++) {
        ngx_http_conflict_json_append(&list,
                      ngx_http_conflict_versions_answer_json(&item[i]));
    }

    json = json_object();

    ngx_http_conflict_json_set_text(&json, "resource", &ctx->target.resource);
    ngx_http_conflict_json_set_version(&json, "current", ctx->version.current);
    ngx_http_conflict_json_set(&json, "versions", list);

    ngx_http_conflict_writer_print(out, "{");
    ngx_http_conflict_json_print(out, json);
    ngx_http_conflict_writer_print(out, "}\n");

    return NGX_OK;
}


/* the notes whose time is not over, newest first, as the store lists them */

static ngx_int_t
ngx_http_conflict_versions_answer_notes(ngx_http_conflict_ctx_t *ctx,
    ngx_array_t *items)
{
    int64_t                             now;
    ngx_int_t                           rc;
    ngx_str_t                           rest;
    ngx_http_conflict_note_t            note;
    ngx_http_conflict_versions_item_t  *item;

    rest = ctx->op->out.notes;
    now = ngx_http_conflict_clock_usec();

    for ( ;; ) {
        rc = ngx_http_conflict_note_next(&rest, &note);

        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
        }

        if (note.time + (int64_t) note.ttl * 1000 < now) {
            continue;
        }

        item = ngx_array_push(items);
        if (item == NULL) {
            return NGX_ERROR;
        }

        item->note = note;
        item->known = 1;
        item->held = 0;
    }
}


/*
 * The item of a version.  One without a note, which the store or this caller
 * knows, is inserted before the first that is certainly older.
 */

static ngx_http_conflict_versions_item_t *
ngx_http_conflict_versions_answer_item(ngx_array_t *items, uint64_t version)
{
    ngx_uint_t                          i, n;
    ngx_http_conflict_versions_item_t  *item;

    item = items->elts;
    n = items->nelts;

    for (i = 0; i < n; i++) {
        if (item[i].note.version == version) {
            return &item[i];
        }
    }

    if (ngx_array_push(items) == NULL) {
        return NULL;
    }

    item = items->elts;

    for (i = 0; i < n; i++) {
        if (conflict_version_older(item[i].note.version, version)) {
            break;
        }
    }

    ngx_memmove(&item[i + 1], &item[i],
                (n - i) * sizeof(ngx_http_conflict_versions_item_t));

    ngx_memzero(&item[i], sizeof(ngx_http_conflict_versions_item_t));

    item[i].note.version = version;
    item[i].note.size = -1;

    return &item[i];
}


static json_t *
ngx_http_conflict_versions_answer_json(
    ngx_http_conflict_versions_item_t *item)
{
    json_t                    *json;
    ngx_http_conflict_note_t  *note;

    note = &item->note;
    json = json_object();

    ngx_http_conflict_json_set_version(&json, "version", note->version);
    ngx_http_conflict_json_set(&json, "changed_at", item->known
                               ? ngx_http_conflict_json_time(note->time)
                               : json_null());
    ngx_http_conflict_json_set_name(&json, "user", &note->user);
    ngx_http_conflict_json_set_name(&json, "client", &note->client);
    ngx_http_conflict_json_set_name(&json, "method", &note->method);
    ngx_http_conflict_json_set(&json, "size", (note->size < 0)
                               ? json_null()
                               : json_integer((json_int_t) note->size));
    ngx_http_conflict_json_set(&json, "held", json_boolean(item->held));

    if (note->deleted) {
        ngx_http_conflict_json_set(&json, "deleted", json_true());
    }

    if (note->external) {
        ngx_http_conflict_json_set(&json, "external", json_true());
    }

    if (!item->known) {
        ngx_http_conflict_json_set(&json, "unknown", json_true());
    }

    return json;
}
