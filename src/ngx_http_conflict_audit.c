
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The audit log: one JSON object a line for each conflict, in one write.
 * A write that fails is counted and reported, and changes nothing else.
 */


#include "ngx_http_conflict_module.h"


#define NGX_HTTP_CONFLICT_TEXTS       14
#define NGX_HTTP_CONFLICT_COMPLAINTS  10000       /* msec between two */


/* a line whose conflict is not certain yet */

typedef struct {
    ngx_http_conflict_log_t       *log;
    ngx_http_conflict_tally_t     *tally;
    ngx_http_conflict_action_e     action;
    ngx_str_t                      key;        /* in the same memory */
    size_t                         len;
    u_char                         line[1];
} ngx_http_conflict_kept_t;


static u_char *ngx_http_conflict_audit_room(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_audit_now(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status, u_char *line,
    size_t len);
static ngx_http_conflict_kept_t *ngx_http_conflict_audit_keep(
    ngx_http_conflict_ctx_t *ctx, u_char *line, size_t len);
static void ngx_http_conflict_audit_kept(ngx_http_conflict_op_t *op,
    ngx_http_conflict_kept_t *kept);
static void ngx_http_conflict_audit_write(ngx_http_conflict_log_t *log,
    u_char *line, size_t len);
static void ngx_http_conflict_audit_record(ngx_http_conflict_store_t *store,
    ngx_str_t *key, u_char *line, size_t len);


void
ngx_http_conflict_audit(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t status)
{
    size_t   len;
    u_char  *line;

    if (ctx->action == NGX_HTTP_CONFLICT_NO_ACTION || ctx->audited) {
        return;
    }

    ctx->audited = 1;

    if (ngx_http_conflict_audit_id(ctx) != NGX_OK) {
        return;
    }

    line = ngx_http_conflict_audit_room(r, ctx);
    if (line == NULL) {
        return;
    }

    len = ngx_http_conflict_audit_line(r, ctx, status,
                                       NGX_HTTP_CONFLICT_LONGEST_TEXT, line);

    if (ctx->action == NGX_HTTP_CONFLICT_ACT_EXTERNAL) {
        ctx->op->data = ngx_http_conflict_audit_keep(ctx, line, len);
        return;
    }

    ngx_http_conflict_audit_now(r, ctx, status, line, len);
}


/*
 * Beside the line of its own that the write may have.  A store that is
 * elsewhere tells later whether it is so.
 */

void
ngx_http_conflict_audit_overlapped(ngx_http_conflict_ctx_t *ctx)
{
    size_t                       len;
    u_char                      *line;
    ngx_str_t                    id;
    ngx_uint_t                   status;
    ngx_http_request_t          *r;
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_action_e   action;

    r = ctx->request;
    op = ctx->op;

    line = ngx_http_conflict_audit_room(r, ctx);
    if (line == NULL) {
        return;
    }

    status = ctx->denied ? NGX_HTTP_GATEWAY_TIME_OUT : r->headers_out.status;

    id = ctx->id;
    action = ctx->action;

    ngx_str_null(&ctx->id);
    ctx->action = NGX_HTTP_CONFLICT_ACT_OVERLAPPED;

    if (ngx_http_conflict_audit_id(ctx) == NGX_OK) {
        len = ngx_http_conflict_audit_line(r, ctx, status,
                                           NGX_HTTP_CONFLICT_LONGEST_TEXT,
                                           line);

        if (op->out.lost) {
            ngx_http_conflict_audit_now(r, ctx, status, line, len);
            ngx_http_conflict_count_later(op->store,
                                          ngx_http_conflict_count_route(ctx),
                                          ctx->action);

        } else {
            op->lost_data = ngx_http_conflict_audit_keep(ctx, line, len);
            op->lost_handler = ngx_http_conflict_audit_told;
        }
    }

    ctx->id = id;
    ctx->action = action;
}


/* NULL: there is nobody to read it */

static u_char *
ngx_http_conflict_audit_room(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    if (nlcf->log->file == NULL && nlcf->log->syslog == NULL
        && nlcf->store->ops->audit == NULL
        && ngx_http_conflict_ledger == NULL)
    {
        return NULL;
    }

    return ngx_pnalloc(r->pool, NGX_HTTP_CONFLICT_TEXTS
                                * (6 * NGX_HTTP_CONFLICT_LONGEST_TEXT + 32)
                                + ctx->merge.fields.len);
}


static void
ngx_http_conflict_audit_now(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status, u_char *line, size_t len)
{
    ngx_uint_t                     longest;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;
    longest = NGX_HTTP_CONFLICT_LONGEST_TEXT;

    ngx_http_conflict_audit_write(nlcf->log, line, len);

    while (nlcf->store->ops->audit == NULL && len > NGX_HTTP_CONFLICT_LINE) {
        /* the dashboard can do with less of it */
        longest /= 4;
        len = ngx_http_conflict_audit_line(r, ctx, status, longest, line);
    }

    ngx_http_conflict_audit_record(nlcf->store, &ctx->key, line, len - 1);
}


/* until the store has said whether it is so */

static ngx_http_conflict_kept_t *
ngx_http_conflict_audit_keep(ngx_http_conflict_ctx_t *ctx, u_char *line,
    size_t len)
{
    ngx_http_conflict_kept_t  *kept;

    kept = ngx_alloc(sizeof(ngx_http_conflict_kept_t) + len + ctx->key.len,
                     ngx_cycle->log);
    if (kept == NULL) {
        return NULL;
    }

    kept->log = ctx->conf->log;
    kept->tally = ngx_http_conflict_count_route(ctx);
    kept->action = ctx->action;
    kept->len = len;

    kept->key.data = ngx_cpymem(kept->line, line, len);
    kept->key.len = ctx->key.len;
    ngx_memcpy(kept->key.data, ctx->key.data, ctx->key.len);

    return kept;
}


void
ngx_http_conflict_audit_external(ngx_http_conflict_op_t *op)
{
    if (op->rc == NGX_OK && op->out.external) {
        ngx_http_conflict_audit_kept(op, op->data);
    }
}


void
ngx_http_conflict_audit_told(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_audit_kept(op, op->lost_data);
}


static void
ngx_http_conflict_audit_kept(ngx_http_conflict_op_t *op,
    ngx_http_conflict_kept_t *kept)
{
    if (kept == NULL) {
        return;
    }

    ngx_http_conflict_audit_write(kept->log, kept->line, kept->len);
    ngx_http_conflict_audit_record(op->store, &kept->key, kept->line,
                                   kept->len - 1);
    ngx_http_conflict_count_later(op->store, kept->tally, kept->action);
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

    if (store->ops->audit) {
        (void) store->ops->audit(store, key, &text);
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
