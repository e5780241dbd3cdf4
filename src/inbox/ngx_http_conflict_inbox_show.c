
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What an item is shown with: the version of its resource, and the latest
 * body, as a GET with the credentials of the request shows it.
 */


#include "inbox/ngx_http_conflict_inbox.h"
#include "history/ngx_http_conflict_history.h"
#include "latest/ngx_http_conflict_latest.h"


static ngx_http_conflict_loc_conf_t *ngx_http_conflict_inbox_show_route(
    ngx_http_conflict_ctx_t *ctx);


/* before the GET, so that it is not newer than the body */

ngx_http_conflict_state_e
ngx_http_conflict_inbox_show_peek(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                     *text;
    ngx_http_request_t            *r;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_inbox_t     *inbox;
    ngx_http_conflict_loc_conf_t  *nlcf;

    r = ctx->request;
    inbox = ctx->inbox;
    text = inbox->item.text;

    nlcf = ngx_http_conflict_inbox_show_route(ctx);

    if (nlcf == NULL) {
        inbox->unguarded = 1;
        return NGX_HTTP_CONFLICT_STATE_RESPOND;
    }

    op = ngx_http_conflict_store_call_op(r, nlcf,
                                         &text[NGX_HTTP_CONFLICT_HOLD_KEY], 0);
    if (op == NULL) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ctx->op = op;
    ctx->conf = nlcf;

    ctx->target.key = text[NGX_HTTP_CONFLICT_HOLD_KEY];
    ctx->target.resource = text[NGX_HTTP_CONFLICT_HOLD_RESOURCE_ID];

    ngx_http_conflict_body_history_configure(ctx);

    if (ngx_http_conflict_inbox_resolve_target(r,
                                         &text[NGX_HTTP_CONFLICT_HOLD_TARGET])
        != NGX_OK
        || ngx_http_conflict_view_start(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return NGX_HTTP_CONFLICT_STATE_INBOX_STORE_PEEKED;
}


/* the location in which the body was held; NULL: it is not guarded now */

static ngx_http_conflict_loc_conf_t *
ngx_http_conflict_inbox_show_route(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      *text;
    ngx_uint_t                      i;
    ngx_http_conflict_route_t      *route;
    ngx_http_conflict_main_conf_t  *nmcf;

    text = ctx->inbox->item.text;

    if (!ngx_http_conflict_inbox_endpoint_own(ctx, &ctx->inbox->item)
        || text[NGX_HTTP_CONFLICT_HOLD_KEY].len == 0)
    {
        return NULL;
    }

    nmcf = ngx_http_get_module_main_conf(ctx->request,
                                         ngx_http_conflict_module);
    route = nmcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        if (!route[i].endpoint && route[i].store == ctx->conf->store
            && ngx_http_conflict_same(&route[i].server,
                                      &text[NGX_HTTP_CONFLICT_HOLD_SERVER])
            && ngx_http_conflict_same(&route[i].location,
                                      &text[NGX_HTTP_CONFLICT_HOLD_ROUTE]))
        {
            return route[i].conf;
        }
    }

    return NULL;
}


ngx_http_conflict_state_e
ngx_http_conflict_inbox_show_peeked(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e  next;

    if (!ngx_http_conflict_inbox_endpoint_store(ctx, ctx->op->store->ops->peek,
                                                &next))
    {
        return next;
    }

    if (ctx->op->out.state == CONFLICT_FREE) {
        ctx->version.current = ctx->op->out.version;
    }

    /* as before the GET of a refusal */
    ctx->latest.version = ctx->op->out.version;

    return NGX_HTTP_CONFLICT_STATE_INBOX_GET_LATEST;
}


ngx_http_conflict_state_e
ngx_http_conflict_inbox_show_get(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                   status;
    ngx_http_conflict_state_e    next;
    ngx_http_conflict_latest_t  *latest;

    if (!ngx_http_conflict_latest_response(ctx, &next)) {
        return next;
    }

    latest = &ctx->latest;

    if (latest->cached) {
        /* possibly cached for another user */
        latest->status = NGX_HTTP_BAD_GATEWAY;
    }

    latest->valid = 1;
    status = latest->status;

    if (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_TOO_MANY_REQUESTS)
    {
        return ngx_http_conflict_endpoint_error(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_RELAY, NULL);
    }

    ctx->caller.may_see = ((status >= 200 && status < 300)
                           || ngx_http_conflict_latest_response_gone(status));

    return NGX_HTTP_CONFLICT_STATE_RESPOND;
}
