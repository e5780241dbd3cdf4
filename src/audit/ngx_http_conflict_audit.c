
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The audit log: one JSON object a line for each conflict, in one write.
 * A write that fails is counted and reported, and changes nothing else.
 */


#include "audit/ngx_http_conflict_audit.h"
#include "status/ngx_http_conflict_status.h"


#define NGX_HTTP_CONFLICT_COMPLAINTS  10000       /* msec between two */
#define NGX_HTTP_CONFLICT_AUDIT_POOL  4096


/* a conflict that is not certain yet; its texts are in the same memory */

typedef struct {
    ngx_http_conflict_route_stats_t  *tally;
    ngx_http_conflict_audit_t         audit;
} ngx_http_conflict_kept_t;


static ngx_int_t ngx_http_conflict_audit_begin(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status,
    ngx_http_conflict_audit_t *audit);
static void ngx_http_conflict_audit_end(ngx_http_conflict_store_t *store,
    ngx_http_conflict_audit_t *audit, ngx_pool_t *pool);
static ngx_http_conflict_kept_t *ngx_http_conflict_audit_keep(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_audit_t *audit);
static void ngx_http_conflict_audit_kept(ngx_http_conflict_op_t *op,
    ngx_http_conflict_kept_t *kept);
static void ngx_http_conflict_audit_write(ngx_http_conflict_log_t *log,
    ngx_str_t *line);
static void ngx_http_conflict_audit_lost(ngx_http_conflict_log_t *log,
    ngx_err_t err);
static void ngx_http_conflict_audit_record(ngx_http_conflict_store_t *store,
    ngx_str_t *key, ngx_str_t *line);


void
ngx_http_conflict_audit(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx,
    ngx_uint_t status)
{
    ngx_http_conflict_audit_t  audit;

    if (ctx->flow.action == NGX_HTTP_CONFLICT_ACTION_NONE
        || ctx->flow.audited)
    {
        return;
    }

    ctx->flow.audited = 1;

    if (ngx_http_conflict_audit_begin(r, ctx, status, &audit) != NGX_OK) {
        return;
    }

    if (ctx->flow.action == NGX_HTTP_CONFLICT_ACTION_EXTERNAL) {
        ctx->op->data = ngx_http_conflict_audit_keep(ctx, &audit);
        return;
    }

    ngx_http_conflict_audit_end(ctx->conf->store, &audit, r->pool);
}


/*
 * Beside the line of its own that the write may have.  A store that is
 * elsewhere tells later whether it is so.
 */

void
ngx_http_conflict_audit_overlapped(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                    id;
    ngx_uint_t                   status;
    ngx_http_request_t          *r;
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_audit_t    audit;
    ngx_http_conflict_action_e   action;

    r = ctx->request;
    op = ctx->op;

    status = ctx->lease.denied ? NGX_HTTP_GATEWAY_TIME_OUT : r->headers_out.status;

    id = ctx->version.conflict_id;
    action = ctx->flow.action;

    ngx_str_null(&ctx->version.conflict_id);
    ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_OVERLAPPED;

    if (ngx_http_conflict_audit_begin(r, ctx, status, &audit) == NGX_OK) {

        if (op->out.lost) {
            ngx_http_conflict_audit_end(op->store, &audit, r->pool);
            ngx_http_conflict_request_stats_later(
                    op->store, ngx_http_conflict_request_stats_route(ctx),
                    ctx->flow.action);

        } else {
            op->lost_data = ngx_http_conflict_audit_keep(ctx, &audit);
            op->lost_handler = ngx_http_conflict_audit_told;
        }
    }

    ctx->version.conflict_id = id;
    ctx->flow.action = action;
}


/* NGX_DECLINED: nothing reads it */

static ngx_int_t
ngx_http_conflict_audit_begin(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status,
    ngx_http_conflict_audit_t *audit)
{
    ngx_int_t                      rc;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    rc = ngx_http_conflict_audit_id(ctx);

    if (nlcf->log->file == NULL && nlcf->log->syslog == NULL
        && nlcf->store->ops->audit == NULL
        && ngx_http_conflict_stats == NULL)
    {
        return NGX_DECLINED;
    }

    if (rc != NGX_OK) {
        ngx_http_conflict_audit_lost(nlcf->log, NGX_ENOMEM);
        return NGX_ERROR;
    }

    ngx_http_conflict_audit_line_take(r, ctx, status, audit);

    return NGX_OK;
}


static void
ngx_http_conflict_audit_end(ngx_http_conflict_store_t *store,
    ngx_http_conflict_audit_t *audit, ngx_pool_t *pool)
{
    size_t     longest;
    ngx_str_t  line;

    longest = NGX_HTTP_CONFLICT_LONGEST_TEXT;

    if (ngx_http_conflict_audit_line(audit, longest, pool, &line) != NGX_OK) {
        ngx_http_conflict_audit_lost(audit->log, NGX_ENOMEM);
        return;
    }

    ngx_http_conflict_audit_write(audit->log, &line);

    while (store->ops->audit == NULL
        && line.len > NGX_HTTP_CONFLICT_STATS_LINE)
    {
        /* the dashboard can do with less of it */
        longest /= 4;

        if (ngx_http_conflict_audit_line(audit, longest, pool, &line)
            != NGX_OK)
        {
            return;
        }
    }

    ngx_http_conflict_audit_record(store,
                                   &audit->text[NGX_HTTP_CONFLICT_AUDIT_KEY],
                                   &line);
}


/*
 * Until the store has said whether it is so.  With Redis each write that
 * passes comes here, so what it would say is copied, and no JSON is written.
 */

static ngx_http_conflict_kept_t *
ngx_http_conflict_audit_keep(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_audit_t *audit)
{
    size_t                     size;
    u_char                    *p;
    ngx_str_t                 *text;
    ngx_uint_t                 i;
    ngx_http_conflict_kept_t  *kept;

    size = sizeof(ngx_http_conflict_kept_t);

    for (i = 0; i < NGX_HTTP_CONFLICT_AUDIT_TEXTS; i++) {
        size += audit->text[i].len;
    }

    kept = ngx_alloc(size, ngx_cycle->log);
    if (kept == NULL) {
        return NULL;
    }

    kept->tally = ngx_http_conflict_request_stats_route(ctx);
    kept->audit = *audit;

    text = kept->audit.text;
    p = (u_char *) (kept + 1);

    for (i = 0; i < NGX_HTTP_CONFLICT_AUDIT_TEXTS; i++) {

        if (text[i].data) {
            text[i].data = p;
            p = ngx_cpymem(p, audit->text[i].data, text[i].len);
        }
    }

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
    ngx_pool_t  *pool;

    if (kept == NULL) {
        return;
    }

    pool = ngx_create_pool(NGX_HTTP_CONFLICT_AUDIT_POOL, ngx_cycle->log);

    if (pool) {
        ngx_http_conflict_audit_end(op->store, &kept->audit, pool);
        ngx_destroy_pool(pool);

    } else {
        ngx_http_conflict_audit_lost(kept->audit.log, NGX_ENOMEM);
    }

    ngx_http_conflict_request_stats_later(op->store, kept->tally,
                                          kept->audit.action);
}


/* beside the write whose GET has found it out, which has its own line */

void
ngx_http_conflict_audit_found(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                   id;
    ngx_http_conflict_action_e  action;

    id = ctx->version.conflict_id;
    action = ctx->flow.action;

    ngx_str_null(&ctx->version.conflict_id);
    ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_EXTERNAL;

    ngx_http_conflict_audit(ctx->request, ctx, ctx->latest.status);
    ngx_http_conflict_audit_external(ctx->op);

    if (ctx->op->data) {
        ngx_free(ctx->op->data);
        ctx->op->data = NULL;
    }

    ctx->version.conflict_id = id;
    ctx->flow.action = action;
    ctx->flow.audited = 0;
}


static void
ngx_http_conflict_audit_write(ngx_http_conflict_log_t *log, ngx_str_t *line)
{
    size_t    size;
    u_char   *p, *data;
    ssize_t   n;

    if (log->file == NULL && log->syslog == NULL) {
        return;
    }

    if (log->syslog) {
        size = sizeof("<255>Jan 01 00:00:00 ") - 1
               + ngx_cycle->hostname.len + 1
               + log->syslog->tag.len + 2 + line->len;

        data = ngx_alloc(size, ngx_cycle->log);
        if (data == NULL) {
            ngx_http_conflict_audit_lost(log, NGX_ENOMEM);
            return;
        }

        p = ngx_syslog_add_header(log->syslog, data);
        p = ngx_cpymem(p, line->data, line->len - 1);

        n = ngx_syslog_send(log->syslog, data, p - data);

        ngx_free(data);

        if (n >= 0) {
            return;
        }

    } else {

        if (log->torn && ngx_write_fd(log->file->fd, "\n", 1) == 1) {
            log->torn = 0;
        }

        n = ngx_write_fd(log->file->fd, line->data, line->len);

        if (n == (ssize_t) line->len) {
            return;
        }

        if (n > 0) {
            /* there was no room for all of it */
            log->torn = 1;
        }
    }

    ngx_http_conflict_audit_lost(log, (n == -1) ? ngx_errno : 0);
}


static void
ngx_http_conflict_audit_lost(ngx_http_conflict_log_t *log, ngx_err_t err)
{
    log->failed++;

    if (ngx_http_conflict_stats) {
        (void) ngx_atomic_fetch_add(&ngx_http_conflict_stats->audit_errors,
                                    1);
    }

    if (log->logged && ngx_current_msec - log->logged
                       < NGX_HTTP_CONFLICT_COMPLAINTS)
    {
        return;
    }

    log->logged = ngx_current_msec;

    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, err,
                  "conflict log: a line was not written, %ui in this process "
                  "so far", log->failed);
}


/* for those who read it from the store, or see it on the dashboard */

static void
ngx_http_conflict_audit_record(ngx_http_conflict_store_t *store,
    ngx_str_t *key, ngx_str_t *line)
{
    ngx_str_t  text;

    /* without the end of the line */

    text.data = line->data;
    text.len = line->len - 1;

    if (store->ops->audit) {
        (void) store->ops->audit(store, key, &text);
        return;
    }

    if (ngx_http_conflict_stats == NULL || store->gauge == NULL) {
        return;
    }

    if (text.len <= NGX_HTTP_CONFLICT_STATS_LINE) {
        ngx_http_conflict_stats_recent_line(store->gauge, &text);
    }

    ngx_http_conflict_stats_recent_resource(store->gauge, key);
}


ngx_int_t
ngx_http_conflict_audit_id(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->version.conflict_id.len) {
        return NGX_OK;
    }

    ctx->version.conflict_id.data = ngx_pnalloc(ctx->request->pool, 32);
    if (ctx->version.conflict_id.data == NULL) {
        return NGX_ERROR;
    }

    /* the time makes up for what a seed of pid and time lacks */

    ctx->version.conflict_id.len = ngx_sprintf(
            ctx->version.conflict_id.data, "%08xD%08xD%08xD%08xD",
            (uint32_t) ngx_time(), (uint32_t) ngx_random() ^ (uint32_t) ngx_pid,
            (uint32_t) ngx_random(), (uint32_t) ngx_random())
                  - ctx->version.conflict_id.data;

    return NGX_OK;
}
