
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Counts a request for the dashboard, once, when it is finished.
 */


#include "status/ngx_http_conflict_status.h"


/* counters of one request, at most */
#define NGX_HTTP_CONFLICT_COUNTED  7


static ngx_http_conflict_route_stats_t *ngx_http_conflict_request_stats_find(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_request_stats_gap(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_request_stats_add(
    ngx_http_conflict_stats_count_t *count, ngx_uint_t n, ngx_uint_t number,
    ngx_uint_t value);
static void ngx_http_conflict_request_stats_fields(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_route_stats_t *route);


void
ngx_http_conflict_request_stats(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                        n, gap;
    ngx_http_conflict_op_t           *op;
    ngx_http_conflict_stats_count_t   count[NGX_HTTP_CONFLICT_COUNTED];
    ngx_http_conflict_store_stats_t  *stats;
    ngx_http_conflict_route_stats_t  *route;

    if (ngx_http_conflict_stats == NULL) {
        return;
    }

    n = 0;
    op = ctx->op;
    stats = op ? op->store->stats : NULL;

    if (stats && op->rc == NGX_ERROR) {
        (void) ngx_atomic_fetch_add(&stats->errors[op->out.error], 1);

    } else if (stats && ctx->write && ctx->timing.fetches
               && ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE)
    {
        /* the own GET has failed, or has shown no version */
        (void) ngx_atomic_fetch_add(&stats->errors[NGX_HTTP_CONFLICT_STORE_UP],
                                    1);
    }

    gap = ngx_http_conflict_request_stats_gap(ctx);

    if ((op || gap == NGX_HTTP_CONFLICT_N_UNCHECKED)
        && ctx->kind != NGX_HTTP_CONFLICT_KIND_READ
        && !ngx_http_conflict_conf_endpoint(ctx->conf))
    {
        n = ngx_http_conflict_request_stats_add(count, n, ctx->flow.outcome, 1);
        n = ngx_http_conflict_request_stats_add(count, n,
                                                NGX_HTTP_CONFLICT_N_WAITED,
                                                ctx->timing.wait_time != 0);
        n = ngx_http_conflict_request_stats_add(count, n,
                                                NGX_HTTP_CONFLICT_N_WAIT,
                                                ctx->timing.wait_time);
        n = ngx_http_conflict_request_stats_add(count, n,
                                                NGX_HTTP_CONFLICT_N_UNKNOWN,
                                                ctx->lease.abandoned);
        n = ngx_http_conflict_request_stats_add(count, n,
                                                NGX_HTTP_CONFLICT_N_FETCHES,
                                                ctx->timing.fetches);
    }

    if (gap) {
        n = ngx_http_conflict_request_stats_add(count, n, gap, 1);
    }

    if (ctx->flow.audited
        && ctx->flow.action != NGX_HTTP_CONFLICT_ACTION_EXTERNAL)
    {
        n = ngx_http_conflict_request_stats_add(
                count, n, NGX_HTTP_CONFLICT_N_ACTION(ctx->flow.action), 1);
    }

    if (n == 0) {
        return;
    }

    route = ngx_http_conflict_request_stats_find(ctx);

    if (route == NULL) {
        return;
    }

    ngx_http_conflict_stats_lock();
    ngx_http_conflict_stats_count(route, count, n);
    ngx_http_conflict_stats_unlock();

    if (ctx->flow.audited && ctx->merge.fields.len
        && ctx->flow.action != NGX_HTTP_CONFLICT_ACTION_MERGE)
    {
        ngx_http_conflict_request_stats_fields(ctx, route);
    }

    if (ctx->conf->store->ops->counted) {
        ctx->conf->store->ops->counted(ctx->conf->store);
    }
}


void
ngx_http_conflict_request_stats_later(ngx_http_conflict_store_t *store,
    ngx_http_conflict_route_stats_t *route, ngx_http_conflict_action_e action)
{
    ngx_http_conflict_stats_count_t  count;

    if (ngx_http_conflict_stats == NULL || route == NULL) {
        return;
    }

    count.number = NGX_HTTP_CONFLICT_N_ACTION(action);
    count.n = 1;

    ngx_http_conflict_stats_lock();
    ngx_http_conflict_stats_count(route, &count, 1);
    ngx_http_conflict_stats_unlock();

    if (store->ops->counted) {
        store->ops->counted(store);
    }
}


ngx_http_conflict_route_stats_t *
ngx_http_conflict_request_stats_route(ngx_http_conflict_ctx_t *ctx)
{
    return ngx_http_conflict_stats ? ngx_http_conflict_request_stats_find(ctx)
                                   : NULL;
}


/* the pointer stays valid, so it is cached unless the entity is a variable */

static ngx_http_conflict_route_stats_t *
ngx_http_conflict_request_stats_find(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_request_t               *r;
    ngx_http_core_srv_conf_t         *cscf;
    ngx_http_conflict_route_stats_t  *route;
    ngx_http_conflict_loc_conf_t     *nlcf;

    nlcf = ctx->conf;

    if (nlcf->route_stats) {
        return nlcf->route_stats;
    }

    r = ctx->request;

    ngx_http_conflict_entity(r, ctx);

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    route = ngx_http_conflict_stats_route(&nlcf->store->name,
                                          &cscf->server_name, &nlcf->name,
                                          &ctx->target.entity);

    route->policy = ngx_http_conflict_conf_endpoint(nlcf)
                    ? NGX_HTTP_CONFLICT_OFF : (uint32_t) nlcf->policy;
    route->report = (nlcf->report == 1);

    if (nlcf->entity == NULL || nlcf->entity->lengths == NULL) {
        nlcf->route_stats = route;
    }

    return route;
}


/*
 * The counter of an unchecked write; 0: it was checked.  A write that the
 * upstream refused, or that created the resource, has overwritten nothing.
 */

static ngx_uint_t
ngx_http_conflict_request_stats_gap(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  created;

    if (ctx->flow.unguarded) {
        return (ctx->kind == NGX_HTTP_CONFLICT_KIND_KEYLESS
                && ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED)
               ? NGX_HTTP_CONFLICT_N_UNCHECKED : NGX_HTTP_CONFLICT_N_UNGUARDED;
    }

    if (!ctx->write || ngx_http_conflict_conf_endpoint(ctx->conf)) {
        return 0;
    }

    if (ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED) {
        return NGX_HTTP_CONFLICT_N_UNCHECKED;
    }

    if (!ctx->flow.unbased
        || (ctx->lease.settled && !ctx->lease.committed
            && !ctx->lease.abandoned))
    {
        return 0;
    }

    created = (ctx->request->headers_out.status == NGX_HTTP_CREATED
               && !ctx->flow.existed);

    return created ? 0 : NGX_HTTP_CONFLICT_N_WITHOUT_BASE;
}


static ngx_uint_t
ngx_http_conflict_request_stats_add(ngx_http_conflict_stats_count_t *count,
    ngx_uint_t n, ngx_uint_t number, ngx_uint_t value)
{
    if (value == 0) {
        return n;
    }

    count[n].number = number;
    count[n].n = value;

    return n + 1;
}


static void
ngx_http_conflict_request_stats_fields(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_route_stats_t *route)
{
    size_t         len;
    ngx_uint_t     n;
    const u_char  *p, *last, *name;

    p = ctx->merge.fields.data;
    last = p + ctx->merge.fields.len;

    for (n = 0; n < NGX_HTTP_CONFLICT_STATS_FIELDS; n++) {

        if (!conflict_merge_report_field(&p, last, &name, &len)) {
            return;
        }

        ngx_http_conflict_stats_recent_clash(route, (u_char *) name, len);
    }
}
