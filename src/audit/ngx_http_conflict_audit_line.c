
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * An audit line: one JSON object.
 */


#include "audit/ngx_http_conflict_audit.h"
#include "http/ngx_http_conflict_json.h"
#include "http/ngx_http_conflict_writer.h"
#include "process/ngx_http_conflict_clock.h"


static json_t *ngx_http_conflict_audit_line_json(
    ngx_http_conflict_audit_t *audit, size_t longest);
static json_t *ngx_http_conflict_audit_line_fields(ngx_str_t *list,
    size_t longest);
static void ngx_http_conflict_audit_line_text(json_t **json, const char *name,
    ngx_str_t *text, size_t longest);


void
ngx_http_conflict_audit_line_take(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status,
    ngx_http_conflict_audit_t *audit)
{
    ngx_str_t                     *text;
    ngx_http_core_srv_conf_t      *cscf;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    ngx_http_conflict_entity(r, ctx);

    audit->log = nlcf->log;
    audit->action = ctx->flow.action;
    audit->policy = ngx_http_conflict_names_policy(nlcf->policy);
    audit->report = nlcf->report;
    audit->status = status;
    audit->time = ngx_http_conflict_clock_usec();
    audit->client_time = ctx->pre.client_time;
    audit->compared = ctx->version.compared;
    audit->compared_time = ctx->version.compared_time;

    text = audit->text;

    text[NGX_HTTP_CONFLICT_AUDIT_ID] = ctx->version.conflict_id;
    text[NGX_HTTP_CONFLICT_AUDIT_ENTITY] = ctx->target.entity;
    text[NGX_HTTP_CONFLICT_AUDIT_ENTITY_ID] = ctx->target.entity_id.len
                                              ? ctx->target.entity_id
                                              : ctx->target.resource;
    text[NGX_HTTP_CONFLICT_AUDIT_USER] = ctx->caller.user;
    text[NGX_HTTP_CONFLICT_AUDIT_CLIENT] = ctx->caller.client;
    text[NGX_HTTP_CONFLICT_AUDIT_METHOD] = ctx->method_name;
    text[NGX_HTTP_CONFLICT_AUDIT_BASE] = ctx->pre.base;
    text[NGX_HTTP_CONFLICT_AUDIT_FIELDS] = ctx->merge.fields;
    text[NGX_HTTP_CONFLICT_AUDIT_ADDRESS] = r->connection->addr_text;
    text[NGX_HTTP_CONFLICT_AUDIT_SERVER] = cscf->server_name;
    text[NGX_HTTP_CONFLICT_AUDIT_KEY] = ctx->target.key;

    /* an empty name is null */

    if (ctx->caller.user.len == 0) {
        ngx_str_null(&text[NGX_HTTP_CONFLICT_AUDIT_USER]);
    }

    if (ctx->caller.client.len == 0) {
        ngx_str_null(&text[NGX_HTTP_CONFLICT_AUDIT_CLIENT]);
    }
}


ngx_int_t
ngx_http_conflict_audit_line(ngx_http_conflict_audit_t *audit, size_t longest,
    ngx_pool_t *pool, ngx_str_t *line)
{
    ngx_http_conflict_writer_t  out;

    ngx_memzero(&out, sizeof(ngx_http_conflict_writer_t));
    out.pool = pool;

    ngx_http_conflict_writer_print(&out, "{");
    ngx_http_conflict_json_print(&out,
                                 ngx_http_conflict_audit_line_json(audit,
                                                                   longest));
    ngx_http_conflict_writer_print(&out, "}\n");

    return ngx_http_conflict_writer_join(&out, line);
}


static json_t *
ngx_http_conflict_audit_line_json(ngx_http_conflict_audit_t *audit,
    size_t longest)
{
    json_t     *json, *meta;
    ngx_str_t  *text;

    text = audit->text;
    json = json_object();

    ngx_http_conflict_json_set_time(&json, "time", audit->time);
    ngx_http_conflict_json_set_text(&json, "conflict_id",
                                    &text[NGX_HTTP_CONFLICT_AUDIT_ID]);
    ngx_http_conflict_json_set_text(&json, "action",
                                ngx_http_conflict_names_action(audit->action));
    ngx_http_conflict_json_set_text(&json, "policy", audit->policy);
    ngx_http_conflict_json_set(&json, "report", json_boolean(audit->report));
    ngx_http_conflict_audit_line_text(&json, "entity",
                                      &text[NGX_HTTP_CONFLICT_AUDIT_ENTITY],
                                      longest);
    ngx_http_conflict_audit_line_text(&json, "entity_id",
                                      &text[NGX_HTTP_CONFLICT_AUDIT_ENTITY_ID],
                                      longest);
    ngx_http_conflict_audit_line_text(&json, "user_id",
                                      &text[NGX_HTTP_CONFLICT_AUDIT_USER],
                                      longest);
    ngx_http_conflict_audit_line_text(&json, "client_origin",
                                      &text[NGX_HTTP_CONFLICT_AUDIT_CLIENT],
                                      longest);
    ngx_http_conflict_audit_line_text(&json, "method",
                                      &text[NGX_HTTP_CONFLICT_AUDIT_METHOD],
                                      longest);
    ngx_http_conflict_json_set(&json, "status",
                               json_integer((json_int_t) audit->status));
    ngx_http_conflict_json_set(&json, "base_version",
                               ngx_http_conflict_json_base(
                                       &text[NGX_HTTP_CONFLICT_AUDIT_BASE],
                                       longest));
    ngx_http_conflict_json_set_version(&json, "server_version",
                                       audit->compared);
    ngx_http_conflict_json_set_time(&json, "client_ts", audit->client_time);
    ngx_http_conflict_json_set_time(&json, "server_ts", audit->compared_time);
    ngx_http_conflict_json_set(&json, "fields",
                               ngx_http_conflict_audit_line_fields(
                                       &text[NGX_HTTP_CONFLICT_AUDIT_FIELDS],
                                       longest));

    /* repeated for audit tables with a column of this structure */

    meta = json_object();

    ngx_http_conflict_json_set_time(&meta, "server_ts", audit->compared_time);
    ngx_http_conflict_json_set_time(&meta, "client_ts", audit->client_time);
    ngx_http_conflict_audit_line_text(&meta, "client_origin",
                                      &text[NGX_HTTP_CONFLICT_AUDIT_CLIENT],
                                      longest);

    ngx_http_conflict_json_set(&json, "meta", meta);
    ngx_http_conflict_audit_line_text(&json, "remote_addr",
                                      &text[NGX_HTTP_CONFLICT_AUDIT_ADDRESS],
                                      longest);
    ngx_http_conflict_audit_line_text(&json, "server_name",
                                      &text[NGX_HTTP_CONFLICT_AUDIT_SERVER],
                                      longest);

    return json;
}


static json_t *
ngx_http_conflict_audit_line_fields(ngx_str_t *list, size_t longest)
{
    size_t         len;
    json_t        *json;
    ngx_str_t      field;
    const u_char  *p, *last, *name;

    json = json_array();

    if (list->len == 0 || (longest < NGX_HTTP_CONFLICT_LONGEST_TEXT
                           && list->len > longest))
    {
        return json;
    }

    p = list->data;
    last = p + list->len;

    while (conflict_merge_report_field(&p, last, &name, &len)) {
        field.data = (u_char *) name;
        field.len = len;

        ngx_http_conflict_json_append(&json,
                                      ngx_http_conflict_json_text(&field,
                                               NGX_HTTP_CONFLICT_JSON_WHOLE));
    }

    return json;
}


static void
ngx_http_conflict_audit_line_text(json_t **json, const char *name,
    ngx_str_t *text, size_t longest)
{
    ngx_http_conflict_json_set(json, name,
                               ngx_http_conflict_json_text(text, longest));
}
