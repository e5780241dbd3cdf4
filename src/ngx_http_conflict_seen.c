
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What an answer of the upstream shows of a resource: whether it exists,
 * its version and date where the upstream has its own, its row.
 */


#include "ngx_http_conflict_module.h"


static ngx_int_t ngx_http_conflict_latest_value(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_source_t *source, conflict_json_t *json,
    ngx_str_t *header, ngx_str_t *value);


ngx_int_t
ngx_http_conflict_latest_seen(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      value;
    conflict_hash_t                hash;
    conflict_json_t                json;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_latest_t    *latest;
    ngx_http_conflict_loc_conf_t  *nlcf;

    op = ctx->op;
    nlcf = ctx->conf;
    latest = &ctx->latest;

    op->seen.version = 0;
    op->seen.body = 0;
    op->seen.mtime = CONFLICT_TIME_NONE;
    op->seen.existence = (latest->status == NGX_HTTP_OK
                          || latest->status == NGX_HTTP_NO_CONTENT)
                         ? CONFLICT_EXISTS : CONFLICT_DELETED;

    if (op->seen.existence == CONFLICT_DELETED) {
        return NGX_OK;
    }

    if (latest->status == NGX_HTTP_OK && !latest->too_large
        && !latest->encoded)
    {
        conflict_hash_init(&hash, 0);
        conflict_hash_update(&hash, latest->data, latest->len);
        op->seen.body = conflict_hash_final(&hash);
    }

    if (nlcf->mtime->place == NGX_HTTP_CONFLICT_DEFAULT) {

        if (latest->last_modified != -1) {
            op->seen.mtime = (int64_t) latest->last_modified
                             * CONFLICT_TIME_SECOND;
        }

    } else if (ngx_http_conflict_latest_value(ctx, nlcf->mtime, &json,
                                              &latest->mtime_header, &value)
               == NGX_OK)
    {
        op->seen.mtime = ngx_http_conflict_date(&value);
    }

    if (op->minted) {
        return NGX_OK;
    }

    if (ngx_http_conflict_latest_value(ctx, nlcf->version, &json,
                                       &latest->version_header, &value)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (value.len > 2 && value.data[0] == 'W' && value.data[1] == '/') {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "the upstream's ETag \"%V\" is weak: no base of a "
                      "client equals it (RFC 9110, 13.1.1)", &value);
    }

    op->seen.version = ngx_http_conflict_version(nlcf->version, &value);

    return op->seen.version ? NGX_OK : NGX_DECLINED;
}


/* a version or a date of the upstream, in its body or in a header */

static ngx_int_t
ngx_http_conflict_latest_value(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_source_t *source, conflict_json_t *json,
    ngx_str_t *header, ngx_str_t *value)
{
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    if (source->place == NGX_HTTP_CONFLICT_HEADER) {
        *value = *header;
        return value->len ? NGX_OK : NGX_DECLINED;
    }

    if (!latest->json || latest->encoded || latest->too_large) {
        return NGX_DECLINED;
    }

    conflict_json_init(json, source->pointer);

    if (conflict_json_feed(json, latest->data, latest->len)
        != CONFLICT_JSON_OK
        || conflict_json_end(json) != CONFLICT_JSON_OK
        || (json->type != CONFLICT_JSON_NUMBER
            && json->type != CONFLICT_JSON_STRING)
        || json->cut_short)
    {
        return NGX_DECLINED;
    }

    value->data = json->text;
    value->len = json->len;

    return NGX_OK;
}


void
ngx_http_conflict_latest_row(ngx_http_conflict_ctx_t *ctx, ngx_str_t *row)
{
    conflict_json_t              json;
    ngx_http_conflict_latest_t  *latest;

    latest = &ctx->latest;

    row->data = latest->data;
    row->len = latest->len;

    if (ctx->conf->root == NULL || !latest->json) {
        return;
    }

    conflict_json_init(&json, ctx->conf->root);

    if (conflict_json_feed(&json, latest->data, latest->len)
        == CONFLICT_JSON_OK
        && conflict_json_end(&json) == CONFLICT_JSON_OK
        && json.type != CONFLICT_JSON_NONE)
    {
        row->data = latest->data + json.value;
        row->len = (size_t) (json.end - json.value);
    }
}


uint64_t
ngx_http_conflict_version(ngx_http_conflict_source_t *source, ngx_str_t *text)
{
    if (text->len == 0) {
        return 0;
    }

    if (source->place == NGX_HTTP_CONFLICT_HEADER
        && source->name.len == sizeof("etag") - 1
        && ngx_strncmp(source->name.data, "etag", sizeof("etag") - 1) == 0)
    {
        return conflict_version_from_etag((char *) text->data, text->len);
    }

    return conflict_version_from_text((char *) text->data, text->len);
}


int64_t
ngx_http_conflict_date(ngx_str_t *text)
{
    int      exact;
    int64_t  date;

    date = conflict_time_http((char *) text->data, text->len,
                              (int64_t) ngx_time() * CONFLICT_TIME_SECOND);

    if (date == CONFLICT_TIME_NONE) {
        date = conflict_time_rfc3339((char *) text->data, text->len, &exact);
    }

    return date;
}


ngx_uint_t
ngx_http_conflict_is_json(ngx_str_t *type)
{
    size_t      i, len;
    ngx_uint_t  n;

    static ngx_str_t  types[] = {
        ngx_string("application/json"),
        ngx_string("text/json"),
        ngx_null_string
    };

    len = type->len;

    for (i = 0; i < len; i++) {

        if (type->data[i] == ';' || type->data[i] == ' '
            || type->data[i] == '\t')
        {
            len = i;
        }
    }

    for (n = 0; types[n].len; n++) {

        if (len == types[n].len
            && ngx_strncasecmp(type->data, types[n].data, len) == 0)
        {
            return 1;
        }
    }

    /* a structured syntax suffix (RFC 6839) */

    return len > sizeof("+json") - 1
           && ngx_strncasecmp(type->data + len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}
