
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The audit log: one JSON object a line for each conflict, in one write.
 * A write that fails is counted and reported, and changes nothing else.
 */


#include "ngx_http_conflict_module.h"


#define NGX_HTTP_CONFLICT_LONGEST_TEXT  1024
#define NGX_HTTP_CONFLICT_TEXTS         12
#define NGX_HTTP_CONFLICT_COMPLAINTS    10000       /* msec between two */


/* a line whose conflict is not certain yet */

typedef struct {
    ngx_http_conflict_log_t       *log;
    ngx_http_conflict_tally_t     *tally;
    ngx_str_t                      key;        /* in the same memory */
    size_t                         len;
    u_char                         line[1];
} ngx_http_conflict_kept_t;


static size_t ngx_http_conflict_audit_line(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status, ngx_uint_t longest,
    u_char *line);
static u_char *ngx_http_conflict_audit_text(u_char *p, const char *name,
    ngx_str_t *text, ngx_uint_t longest);
static u_char *ngx_http_conflict_audit_version(u_char *p, const char *name,
    ngx_str_t *text, uint64_t version, ngx_uint_t longest);
static u_char *ngx_http_conflict_audit_time(u_char *p, const char *name,
    int64_t time);
static void ngx_http_conflict_audit_keep(ngx_http_conflict_ctx_t *ctx,
    u_char *line, size_t len);
static void ngx_http_conflict_audit_write(ngx_http_conflict_log_t *log,
    u_char *line, size_t len);
static void ngx_http_conflict_audit_record(ngx_http_conflict_store_t *store,
    ngx_str_t *key, u_char *line, size_t len);
static void ngx_http_conflict_audit_entity(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *entity);


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
    ngx_string("lock_forced")
};


void
ngx_http_conflict_audit(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t status)
{
    size_t                         len;
    u_char                        *line;
    ngx_uint_t                     longest;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    if (ctx->action == NGX_HTTP_CONFLICT_NO_ACTION || ctx->audited) {
        return;
    }

    ctx->audited = 1;

    if (ngx_http_conflict_audit_id(ctx) != NGX_OK) {
        return;
    }

    if (nlcf->log->file == NULL && nlcf->log->syslog == NULL
        && nlcf->store->ops->record == NULL
        && ngx_http_conflict_ledger == NULL)
    {
        return;
    }

    line = ngx_pnalloc(r->pool, NGX_HTTP_CONFLICT_TEXTS
                                * (6 * NGX_HTTP_CONFLICT_LONGEST_TEXT + 32)
                                + ctx->merge.fields.len);
    if (line == NULL) {
        return;
    }

    longest = NGX_HTTP_CONFLICT_LONGEST_TEXT;
    len = ngx_http_conflict_audit_line(r, ctx, status, longest, line);

    if (ctx->action == NGX_HTTP_CONFLICT_ACT_EXTERNAL) {
        ngx_http_conflict_audit_keep(ctx, line, len);
        return;
    }

    ngx_http_conflict_audit_write(nlcf->log, line, len);

    while (nlcf->store->ops->record == NULL && len > NGX_HTTP_CONFLICT_LINE) {
        /* the dashboard can do with less of it */
        longest /= 4;
        len = ngx_http_conflict_audit_line(r, ctx, status, longest, line);
    }

    ngx_http_conflict_audit_record(nlcf->store, &ctx->key, line, len - 1);
}


/* with at most so many bytes of each text */

static size_t
ngx_http_conflict_audit_line(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status, ngx_uint_t longest,
    u_char *line)
{
    u_char                         *p;
    int64_t                         now;
    struct timeval                  tv;
    ngx_str_t                       entity, none;
    ngx_http_core_srv_conf_t       *cscf;
    ngx_http_conflict_loc_conf_t   *nlcf;

    nlcf = ctx->conf;

    ngx_gettimeofday(&tv);
    now = (int64_t) tv.tv_sec * CONFLICT_TIME_SECOND + tv.tv_usec;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    ngx_str_null(&none);
    ngx_http_conflict_audit_entity(r, ctx, &entity);

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
    p = ngx_http_conflict_audit_text(p, ",\"entity", &entity, longest);
    p = ngx_http_conflict_audit_text(p, ",\"entity_id", &ctx->resource,
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

    p = ngx_http_conflict_audit_text(p, ",\"remote_addr",
                                     &r->connection->addr_text, longest);
    p = ngx_http_conflict_audit_text(p, ",\"server_name", &cscf->server_name,
                                     longest);
    p = ngx_cpymem(p, "}\n", 2);

    return p - line;
}


/* until the store has said whether it is so */

static void
ngx_http_conflict_audit_keep(ngx_http_conflict_ctx_t *ctx, u_char *line,
    size_t len)
{
    ngx_http_conflict_kept_t  *kept;

    kept = ngx_alloc(sizeof(ngx_http_conflict_kept_t) + len + ctx->key.len,
                     ngx_cycle->log);
    if (kept == NULL) {
        return;
    }

    kept->log = ctx->conf->log;
    kept->tally = ngx_http_conflict_count_route(ctx);
    kept->len = len;

    kept->key.data = ngx_cpymem(kept->line, line, len);
    kept->key.len = ctx->key.len;
    ngx_memcpy(kept->key.data, ctx->key.data, ctx->key.len);

    ctx->op->data = kept;
}


void
ngx_http_conflict_audit_external(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_kept_t *kept = op->data;

    if (op->rc == NGX_OK && op->external && kept) {
        ngx_http_conflict_audit_write(kept->log, kept->line, kept->len);
        ngx_http_conflict_audit_record(op->store, &kept->key, kept->line,
                                       kept->len - 1);
        ngx_http_conflict_count_external(op->store, kept->tally);
    }
}


/* beside the write whose GET has found it out, which has its own line */

void
ngx_http_conflict_audit_found(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                   id;
    ngx_http_conflict_action_e  action;

    id = ctx->id;
    action = ctx->action;

    ngx_str_null(&ctx->id);
    ctx->action = NGX_HTTP_CONFLICT_ACT_EXTERNAL;

    ngx_http_conflict_audit(ctx->request, ctx, ctx->latest.status);
    ngx_http_conflict_audit_external(ctx->op);

    if (ctx->op->data) {
        ngx_free(ctx->op->data);
        ctx->op->data = NULL;
    }

    ctx->id = id;
    ctx->action = action;
    ctx->audited = 0;
}


static void
ngx_http_conflict_audit_write(ngx_http_conflict_log_t *log, u_char *line,
    size_t len)
{
    size_t      size;
    u_char     *p, *data;
    ssize_t     n;
    ngx_err_t   err;

    if (log->file == NULL && log->syslog == NULL) {
        return;
    }

    if (log->syslog) {
        size = sizeof("<255>Jan 01 00:00:00 ") - 1
               + ngx_cycle->hostname.len + 1
               + log->syslog->tag.len + 2 + len;

        data = ngx_alloc(size, ngx_cycle->log);
        if (data == NULL) {
            return;
        }

        p = ngx_syslog_add_header(log->syslog, data);
        p = ngx_cpymem(p, line, len - 1);

        n = ngx_syslog_send(log->syslog, data, p - data);

        ngx_free(data);

        if (n >= 0) {
            return;
        }

    } else {

        if (log->torn && ngx_write_fd(log->file->fd, "\n", 1) == 1) {
            log->torn = 0;
        }

        n = ngx_write_fd(log->file->fd, line, len);

        if (n == (ssize_t) len) {
            return;
        }

        if (n > 0) {
            /* there was no room for all of it */
            log->torn = 1;
        }
    }

    err = (n == -1) ? ngx_errno : 0;

    log->failed++;

    if (ngx_http_conflict_ledger) {
        (void) ngx_atomic_fetch_add(&ngx_http_conflict_ledger->audit_errors,
                                    1);
    }

    if (log->logged && ngx_current_msec - log->logged
                       < NGX_HTTP_CONFLICT_COMPLAINTS)
    {
        return;
    }

    log->logged = ngx_current_msec;

    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, err,
                  "conflict log: a line was not written, %ui so far in this "
                  "process", log->failed);
}


/* for those who read it from the store, or see it on the dashboard */

static void
ngx_http_conflict_audit_record(ngx_http_conflict_store_t *store,
    ngx_str_t *key, u_char *line, size_t len)
{
    ngx_str_t  text;

    text.data = line;
    text.len = len;

    if (store->ops->record) {
        (void) store->ops->record(store, key, &text);
        return;
    }

    if (ngx_http_conflict_ledger == NULL || store->gauge == NULL) {
        return;
    }

    if (len <= NGX_HTTP_CONFLICT_LINE) {
        ngx_http_conflict_ledger_line(store->gauge, &text);
    }

    ngx_http_conflict_ledger_often(store->gauge, key);
}


ngx_int_t
ngx_http_conflict_audit_id(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->id.len) {
        return NGX_OK;
    }

    ctx->id.data = ngx_pnalloc(ctx->request->pool, 32);
    if (ctx->id.data == NULL) {
        return NGX_ERROR;
    }

    /* the time makes up for what a seed of pid and time lacks */

    ctx->id.len = ngx_sprintf(ctx->id.data, "%08xD%08xD%08xD%08xD",
                              (uint32_t) ngx_time(),
                              (uint32_t) ngx_random() ^ (uint32_t) ngx_pid,
                              (uint32_t) ngx_random(),
                              (uint32_t) ngx_random())
                  - ctx->id.data;

    return NGX_OK;
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


static void
ngx_http_conflict_audit_entity(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *entity)
{
    if (ctx->conf->entity == NULL) {
        *entity = ctx->conf->name;
        return;
    }

    if (ngx_http_conflict_evaluate(r, ctx->conf->entity, entity) != NGX_OK) {
        ngx_str_null(entity);
    }
}
