
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A line of the audit log: one JSON object.
 */


#include "ngx_http_conflict_module.h"


static u_char *ngx_http_conflict_audit_text(u_char *p, const char *name,
    ngx_str_t *text, ngx_uint_t longest);
static u_char *ngx_http_conflict_audit_version(u_char *p, const char *name,
    ngx_str_t *text, uint64_t version, ngx_uint_t longest);
static u_char *ngx_http_conflict_audit_time(u_char *p, const char *name,
    int64_t time);
static u_char *ngx_http_conflict_audit_meta(ngx_http_conflict_ctx_t *ctx,
    u_char *p, ngx_uint_t longest);


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


size_t
ngx_http_conflict_audit_line(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status, ngx_uint_t longest,
    u_char *line)
{
    u_char                         *p;
    int64_t                         now;
    ngx_str_t                       none;
    ngx_http_core_srv_conf_t       *cscf;
    ngx_http_conflict_loc_conf_t   *nlcf;

    nlcf = ctx->conf;

    now = ngx_http_conflict_clock_usec();

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    ngx_str_null(&none);
    ngx_http_conflict_entity(r, ctx);

    p = ngx_cpymem(line, "{", 1);
    p = ngx_http_conflict_audit_time(p, "time", now);
    p = ngx_http_conflict_audit_text(p, ",\"conflict_id", &ctx->id, longest);
    p = ngx_http_conflict_audit_text(p, ",\"action",
                           &ngx_http_conflict_action_names[ctx->action],
                           longest);
    p = ngx_http_conflict_audit_text(p, ",\"policy",
                           ngx_http_conflict_policy_name(nlcf->policy),
                           longest);
    p = ngx_sprintf(p, ",\"report\":%s", nlcf->report ? "true" : "false");
    p = ngx_http_conflict_audit_text(p, ",\"entity", &ctx->entity,
                                     longest);
    p = ngx_http_conflict_audit_text(p, ",\"entity_id",
                                     ctx->entity_id.len ? &ctx->entity_id
                                                        : &ctx->resource,
                                     longest);
    p = ngx_http_conflict_audit_text(p, ",\"user_id",
                                     ctx->user.len ? &ctx->user : &none,
                                     longest);
    p = ngx_http_conflict_audit_text(p, ",\"client_origin",
                                     ctx->client.len ? &ctx->client : &none,
                                     longest);
    p = ngx_http_conflict_audit_text(p, ",\"method", &ctx->method_name,
                                     longest);
    p = ngx_sprintf(p, ",\"status\":%ui", status);
    p = ngx_http_conflict_audit_version(p, ",\"base_version", &ctx->base, 0,
                                        longest);
    p = ngx_http_conflict_audit_version(p, ",\"server_version", NULL,
                                        ctx->against, longest);
    p = ngx_http_conflict_audit_time(p, ",\"client_ts", ctx->client_time);
    p = ngx_http_conflict_audit_time(p, ",\"server_ts",
                                     ctx->against_time);
    p = ngx_sprintf(p, ",\"fields\":[");

    if (ctx->merge.fields.len
        && (longest == NGX_HTTP_CONFLICT_LONGEST_TEXT
            || ctx->merge.fields.len <= longest))
    {
        p = ngx_cpymem(p, ctx->merge.fields.data + 1,
                       ctx->merge.fields.len - 1);
    }

    *p++ = ']';

    p = ngx_http_conflict_audit_meta(ctx, p, longest);
    p = ngx_http_conflict_audit_text(p, ",\"remote_addr",
                                     &r->connection->addr_text, longest);
    p = ngx_http_conflict_audit_text(p, ",\"server_name", &cscf->server_name,
                                     longest);
    p = ngx_cpymem(p, "}\n", 2);

    return p - line;
}


/* "name" brings its own opening quote, and the comma before it */

static u_char *
ngx_http_conflict_audit_text(u_char *p, const char *name, ngx_str_t *text,
    ngx_uint_t longest)
{
    p = ngx_sprintf(p, "%s%s\":", (name[0] == ',') ? "" : "\"", name);

    if (text->data == NULL) {
        return ngx_cpymem(p, "null", 4);
    }

    *p++ = '"';
    p += conflict_text_escape(p, text->data, ngx_min(text->len, longest));
    *p++ = '"';

    return p;
}


static u_char *
ngx_http_conflict_audit_version(u_char *p, const char *name, ngx_str_t *text,
    uint64_t version, ngx_uint_t longest)
{
    if (text && text->len
        && conflict_version_parse(&version, (char *) text->data, text->len)
           != 0)
    {
        return ngx_http_conflict_audit_text(p, name, text, longest);
    }

    if (version == 0 || version >= CONFLICT_VERSION_LIMIT) {
        return ngx_sprintf(p, "%s\":null", name);
    }

    return ngx_sprintf(p, "%s\":%uL", name, version);
}


static u_char *
ngx_http_conflict_audit_time(u_char *p, const char *name, int64_t time)
{
    p = ngx_sprintf(p, "%s%s\":", (name[0] == ',') ? "" : "\"", name);

    if (time == CONFLICT_TIME_NONE) {
        return ngx_cpymem(p, "null", 4);
    }

    *p++ = '"';
    conflict_time_print_rfc3339((char *) p, time);
    p += CONFLICT_TIME_RFC3339;
    *p++ = '"';

    return p;
}


/* the same once more, for an audit table that has a column of this shape */

static u_char *
ngx_http_conflict_audit_meta(ngx_http_conflict_ctx_t *ctx, u_char *p,
    ngx_uint_t longest)
{
    ngx_str_t  none;

    ngx_str_null(&none);

    p = ngx_cpymem(p, ",\"meta\":{", sizeof(",\"meta\":{") - 1);
    p = ngx_http_conflict_audit_time(p, "server_ts", ctx->against_time);
    p = ngx_http_conflict_audit_time(p, ",\"client_ts", ctx->client_time);
    p = ngx_http_conflict_audit_text(p, ",\"client_origin",
                                     ctx->client.len ? &ctx->client : &none,
                                     longest);
    *p++ = '}';

    return p;
}
