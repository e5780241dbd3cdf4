
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The audit log: one line for each conflict, in one write() or datagram.  If
 * that fails, it is counted and logged, and the request is not affected.
 */


#include "audit/ngx_http_conflict_audit.h"
#include "feed/ngx_http_conflict_feed.h"
#include "process/ngx_http_conflict_block.h"
#include "status/ngx_http_conflict_status.h"


#define NGX_HTTP_CONFLICT_LOG_INTERVAL  10000     /* milliseconds */
#define NGX_HTTP_CONFLICT_AUDIT_POOL    4096


/* a line for which the store has to confirm the conflict; its texts follow */

typedef struct {
    ngx_http_conflict_route_stats_t  *route;
    ngx_http_conflict_audit_t         audit;
} ngx_http_conflict_audit_deferred_t;


static void ngx_http_conflict_audit_publish(ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_audit_begin(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t status,
    ngx_http_conflict_audit_t *audit);
static void ngx_http_conflict_audit_end(ngx_http_conflict_store_t *store,
    ngx_http_conflict_audit_t *audit, ngx_pool_t *pool);
static ngx_http_conflict_audit_deferred_t *ngx_http_conflict_audit_defer(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_audit_t *audit);
static void ngx_http_conflict_audit_overlap_known(ngx_http_conflict_op_t *op);
static void ngx_http_conflict_audit_deferred_end(ngx_http_conflict_op_t *op,
    ngx_http_conflict_audit_deferred_t *deferred);
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

    ngx_http_conflict_audit_publish(ctx);

    if (ngx_http_conflict_audit_begin(r, ctx, status, &audit) != NGX_OK) {
        return;
    }

    if (ctx->flow.action == NGX_HTTP_CONFLICT_ACTION_EXTERNAL) {
        ctx->op->data = ngx_http_conflict_audit_defer(ctx, &audit);
        return;
    }

    ngx_http_conflict_audit_end(ctx->conf->store, &audit, r->pool);
}


/* a write may be told of its own conflict */

static void
ngx_http_conflict_audit_publish(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->op == NULL || ctx->conf->store->feed == NULL || ctx->conf->lock
        || ctx->flow.action == NGX_HTTP_CONFLICT_ACTION_EXTERNAL
        || ngx_http_conflict_audit_id(ctx) != NGX_OK)
    {
        return;
    }

    ngx_http_conflict_feed_event_conflict(ctx->op, &ctx->caller.user,
                             &ctx->caller.client,
                             ngx_http_conflict_names_action(ctx->flow.action),
                             &ctx->version.conflict_id);
}


/*
 * In addition to the line that the write may have itself.  A remote store
 * reports an overlap later.
 */

void
ngx_http_conflict_audit_overlapped(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                         id;
    ngx_uint_t                        status;
    ngx_http_request_t               *r;
    ngx_http_conflict_op_t           *op;
    ngx_http_conflict_audit_t         audit;
    ngx_http_conflict_action_e        action;
    ngx_http_conflict_route_stats_t  *route;

    r = ctx->request;
    op = ctx->op;

    status = ctx->lease.denied ? NGX_HTTP_GATEWAY_TIME_OUT
                               : r->headers_out.status;

    id = ctx->version.conflict_id;
    action = ctx->flow.action;

    ngx_str_null(&ctx->version.conflict_id);
    ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_OVERLAPPED;

    if (ngx_http_conflict_audit_begin(r, ctx, status, &audit) == NGX_OK) {

        if (op->out.lost) {
            route = ngx_http_conflict_request_stats_route(ctx);

            ngx_http_conflict_audit_end(op->store, &audit, r->pool);
            ngx_http_conflict_request_stats_later(op->store, route,
                                                  ctx->flow.action);

        } else {
            op->lost_data = ngx_http_conflict_audit_defer(ctx, &audit);
            op->lost_handler = ngx_http_conflict_audit_overlap_known;
        }
    }

    ctx->version.conflict_id = id;
    ctx->flow.action = action;
}


/* NGX_DECLINED: the line has no destination */

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

    while (store->ops->audit == NULL && ngx_http_conflict_stats && store->stats
           && line.len > NGX_HTTP_CONFLICT_STATS_LINE)
    {
        /* shorten the client's texts for the dashboard */
        longest /= 4;

        if (ngx_http_conflict_audit_line(audit, longest, pool, &line)
            != NGX_OK)
        {
            ngx_http_conflict_audit_lost(audit->log, NGX_ENOMEM);
            return;
        }
    }

    ngx_http_conflict_audit_record(store,
                                   &audit->text[NGX_HTTP_CONFLICT_AUDIT_KEY],
                                   &line);
}


/*
 * Copies what the line needs until the store confirms the conflict.  With
 * Redis this runs for each write that passes, so it builds no JSON.
 */

static ngx_http_conflict_audit_deferred_t *
ngx_http_conflict_audit_defer(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_audit_t *audit)
{
    size_t                               size;
    u_char                              *p;
    ngx_str_t                           *text;
    ngx_uint_t                           i;
    ngx_http_conflict_audit_deferred_t  *deferred;

    size = sizeof(ngx_http_conflict_audit_deferred_t);

    for (i = 0; i < NGX_HTTP_CONFLICT_AUDIT_TEXTS; i++) {
        size += audit->text[i].len;
    }

    deferred = ngx_http_conflict_block_alloc(size, ngx_cycle->log);
    if (deferred == NULL) {
        ngx_http_conflict_audit_lost(audit->log, NGX_ENOMEM);
        return NULL;
    }

    deferred->route = ngx_http_conflict_request_stats_route(ctx);
    deferred->audit = *audit;

    text = deferred->audit.text;
    p = (u_char *) (deferred + 1);

    for (i = 0; i < NGX_HTTP_CONFLICT_AUDIT_TEXTS; i++) {

        if (text[i].data) {
            text[i].data = p;
            p = ngx_cpymem(p, audit->text[i].data, text[i].len);
        }
    }

    return deferred;
}


void
ngx_http_conflict_audit_external(ngx_http_conflict_op_t *op)
{
    if (op->rc == NGX_OK && op->out.external) {
        ngx_http_conflict_audit_deferred_end(op, op->data);
    }
}


/* op->lost_handler: the store has confirmed the overlap */

static void
ngx_http_conflict_audit_overlap_known(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_audit_deferred_end(op, op->lost_data);
}


static void
ngx_http_conflict_audit_deferred_end(ngx_http_conflict_op_t *op,
    ngx_http_conflict_audit_deferred_t *deferred)
{
    ngx_pool_t  *pool;

    if (deferred == NULL) {
        return;
    }

    pool = ngx_create_pool(NGX_HTTP_CONFLICT_AUDIT_POOL, ngx_cycle->log);

    if (pool) {
        ngx_http_conflict_audit_end(op->store, &deferred->audit, pool);
        ngx_destroy_pool(pool);

    } else {
        ngx_http_conflict_audit_lost(deferred->audit.log, NGX_ENOMEM);
    }

    ngx_http_conflict_request_stats_later(op->store, deferred->route,
                                          deferred->audit.action);
}


/* in addition to the line that the write with this GET may have itself */

void
ngx_http_conflict_audit_own_get(ngx_http_conflict_ctx_t *ctx)
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
        ngx_http_conflict_block_free(ctx->op->data);
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
            /* the disk is full, or a quota is exceeded */
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
        (void) ngx_atomic_fetch_add(&ngx_http_conflict_stats->audit_errors, 1);
    }

    if (log->logged && ngx_current_msec - log->logged
                       < NGX_HTTP_CONFLICT_LOG_INTERVAL)
    {
        return;
    }

    log->logged = ngx_current_msec;

    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, err,
                  "conflict log: a line was not written, %ui in this process "
                  "so far", log->failed);
}


/* for readers of the store's audit stream, or for the dashboard */

static void
ngx_http_conflict_audit_record(ngx_http_conflict_store_t *store,
    ngx_str_t *key, ngx_str_t *line)
{
    ngx_str_t  text;

    /* without the line feed */

    text.data = line->data;
    text.len = line->len - 1;

    if (store->ops->audit) {
        (void) store->ops->audit(store, key, &text);
        return;
    }

    if (ngx_http_conflict_stats == NULL || store->stats == NULL) {
        return;
    }

    if (text.len <= NGX_HTTP_CONFLICT_STATS_LINE) {
        ngx_http_conflict_stats_recent_line(store->stats, &text);
    }

    ngx_http_conflict_stats_recent_resource(store->stats, key);
}


ngx_int_t
ngx_http_conflict_audit_id(ngx_http_conflict_ctx_t *ctx)
{
    uint32_t    words[4];
    ngx_str_t  *id;

    id = &ctx->version.conflict_id;

    if (id->len) {
        return NGX_OK;
    }

    id->data = ngx_pnalloc(ctx->request->pool, 2 * sizeof(words));
    if (id->data == NULL) {
        return NGX_ERROR;
    }

    /* ngx_random() is seeded by pid and time only, so the time is added */

    words[0] = htonl((uint32_t) ngx_time());
    words[1] = htonl((uint32_t) ngx_random() ^ (uint32_t) ngx_pid);
    words[2] = htonl((uint32_t) ngx_random());
    words[3] = htonl((uint32_t) ngx_random());

    id->len = ngx_hex_dump(id->data, (u_char *) words, sizeof(words))
              - id->data;

    return NGX_OK;
}
