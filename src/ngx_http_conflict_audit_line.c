
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A line of the audit log: one JSON object.
 */


#include "ngx_http_conflict_module.h"
#include "ngx_http_conflict_json.h"


static json_t *ngx_http_conflict_audit_head(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status, size_t longest);
static json_t *ngx_http_conflict_audit_tail(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, size_t longest);
static json_t *ngx_http_conflict_audit_given(ngx_str_t *text, size_t longest);


ngx_str_t  ngx_http_conflict_action_names[] = {
    ngx_null_string,
    ngx_string("conflict_lww"),
    ngx_string("conflict_client_wins"),
    ngx_string("conflict_server_wins"),
    ngx_string("conflict_version"),
    ngx_string("conflict_merge"),
    ngx_string("conflict_busy"),
    ngx_string("conflict_deleted"),
    ngx_string("conflict_required"),
    ngx_string("conflict_unchecked"),
    ngx_string("conflict_external"),
    ngx_string("conflict_locked"),
    ngx_string("lock_taken"),
    ngx_string("lock_forced"),
    ngx_string("conflict_overlapped")
};


ngx_int_t
ngx_http_conflict_audit_line(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status, size_t longest,
    ngx_str_t *line)
{
    u_char     *p;
    json_t     *json;
    ngx_str_t   head, fields, tail;

    json = ngx_http_conflict_audit_head(r, ctx, status, longest);

    if (ngx_http_conflict_json_members(r->pool, json, &head) != NGX_OK) {
        return NGX_ERROR;
    }

    json = ngx_http_conflict_audit_tail(r, ctx, longest);

    if (ngx_http_conflict_json_members(r->pool, json, &tail) != NGX_OK) {
        return NGX_ERROR;
    }

    /* JSON already, with a comma before each */

    fields = ctx->merge.fields;

    if (fields.len == 0 || (longest < NGX_HTTP_CONFLICT_LONGEST_TEXT
                            && fields.len > longest))
    {
        ngx_str_set(&fields, ",");
    }

    line->data = ngx_pnalloc(r->pool, head.len + fields.len + tail.len
                                      + sizeof("{,\"fields\":[],}\n"));
    if (line->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(line->data, "{%V,\"fields\":[", &head);
    p = ngx_cpymem(p, fields.data + 1, fields.len - 1);
    p = ngx_sprintf(p, "],%V}\n", &tail);

    line->len = p - line->data;

    return NGX_OK;
}


static json_t *
ngx_http_conflict_audit_head(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status, size_t longest)
{
    json_t                        *json;
    int64_t                        now;
    ngx_str_t                     *id;
    struct timeval                 tv;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    ngx_gettimeofday(&tv);
    now = (int64_t) tv.tv_sec * CONFLICT_TIME_SECOND + tv.tv_usec;

    ngx_http_conflict_entity(r, ctx);
    id = ctx->entity_id.len ? &ctx->entity_id : &ctx->resource;

    json = json_object();

    ngx_http_conflict_json_set(&json, "time",
                   ngx_http_conflict_json_time(now));
    ngx_http_conflict_json_set(&json, "conflict_id",
                   ngx_http_conflict_json_text(&ctx->id, longest));
    ngx_http_conflict_json_set(&json, "action",
                   ngx_http_conflict_json_text(
                       &ngx_http_conflict_action_names[ctx->action], longest));
    ngx_http_conflict_json_set(&json, "policy",
                   ngx_http_conflict_json_text(
                       ngx_http_conflict_policy_name(nlcf->policy), longest));
    ngx_http_conflict_json_set(&json, "report", json_boolean(nlcf->report));
    ngx_http_conflict_json_set(&json, "entity",
                   ngx_http_conflict_json_text(&ctx->entity, longest));
    ngx_http_conflict_json_set(&json, "entity_id",
                   ngx_http_conflict_json_text(id, longest));
    ngx_http_conflict_json_set(&json, "user_id",
                   ngx_http_conflict_audit_given(&ctx->user, longest));
    ngx_http_conflict_json_set(&json, "client_origin",
                   ngx_http_conflict_audit_given(&ctx->client, longest));
    ngx_http_conflict_json_set(&json, "method",
                   ngx_http_conflict_json_text(&ctx->method_name, longest));
    ngx_http_conflict_json_set(&json, "status",
                   json_integer((json_int_t) status));
    ngx_http_conflict_json_set(&json, "base_version",
                   ngx_http_conflict_json_base(&ctx->base, longest));
    ngx_http_conflict_json_set(&json, "server_version",
                   ngx_http_conflict_json_version(ctx->against));
    ngx_http_conflict_json_set(&json, "client_ts",
                   ngx_http_conflict_json_time(ctx->client_time));
    ngx_http_conflict_json_set(&json, "server_ts",
                   ngx_http_conflict_json_time(ctx->against_time));

    return json;
}


static json_t *
ngx_http_conflict_audit_tail(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, size_t longest)
{
    json_t                    *json, *meta;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    /* the same once more, for an audit table that has a column of this shape */

    meta = json_object();

    ngx_http_conflict_json_set(&meta, "server_ts",
                   ngx_http_conflict_json_time(ctx->against_time));
    ngx_http_conflict_json_set(&meta, "client_ts",
                   ngx_http_conflict_json_time(ctx->client_time));
    ngx_http_conflict_json_set(&meta, "client_origin",
                   ngx_http_conflict_audit_given(&ctx->client, longest));

    json = json_object();

    ngx_http_conflict_json_set(&json, "meta", meta);
    ngx_http_conflict_json_set(&json, "remote_addr",
                   ngx_http_conflict_json_text(&r->connection->addr_text,
                                               longest));
    ngx_http_conflict_json_set(&json, "server_name",
                   ngx_http_conflict_json_text(&cscf->server_name, longest));

    return json;
}


/* null where the client gave none */

static json_t *
ngx_http_conflict_audit_given(ngx_str_t *text, size_t longest)
{
    return text->len ? ngx_http_conflict_json_text(text, longest)
                     : json_null();
}
