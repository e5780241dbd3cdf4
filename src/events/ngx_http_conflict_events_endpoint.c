
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The states of a change stream before its first event: an own GET of each
 * resource, which says whether the client may watch it, and under which key.
 */


#include "events/ngx_http_conflict_events.h"
#include "latest/ngx_http_conflict_latest.h"


static ngx_http_conflict_state_e ngx_http_conflict_events_endpoint_decide(
    ngx_http_conflict_ctx_t *ctx);
static ngx_http_conflict_state_e ngx_http_conflict_events_endpoint_error(
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e answer);


ngx_http_conflict_state_e
ngx_http_conflict_events_endpoint_start(ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = ctx->request;

    /* the module's filters ignore the response */
    ctx->flow.answered = 1;
    ctx->flow.content = ngx_http_conflict_events_answer;
    ctx->lease.settled = 1;

    /* for the filters of the own GET */

    ctx->op = ngx_http_conflict_op_create(r, ctx->conf->store,
                                          &ctx->target.key, 0);
    ctx->events = ngx_pcalloc(r->pool, sizeof(ngx_http_conflict_events_t));

    if (ctx->op == NULL || ctx->events == NULL
        || ngx_http_conflict_caller(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    ctx->events->request = r;
    ctx->events->ctx = ctx;
    ctx->events->feed = ngx_http_conflict_feed(ctx->conf->store);

    if (r->method & NGX_HTTP_OPTIONS) {

        if (!ngx_http_conflict_preflight(r)) {
            return NGX_HTTP_CONFLICT_STATE_RESPOND;
        }

    } else if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_conflict_events_endpoint_error(ctx,
                                       NGX_HTTP_CONFLICT_ANSWER_NOT_ALLOWED);
    }

    rc = ngx_http_conflict_events_query(ctx);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_conflict_events_endpoint_error(ctx,
                                       NGX_HTTP_CONFLICT_ANSWER_BAD_RESOURCE);
    }

    if (ctx->events->feed == NULL) {
        return ngx_http_conflict_events_endpoint_error(ctx,
                                       NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE);
    }

    rc = ngx_http_conflict_events_count_enter(ctx);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    return (rc == NGX_OK) ? NGX_HTTP_CONFLICT_STATE_EVENTS_TARGET
                          : NGX_HTTP_CONFLICT_STATE_RESPOND;
}


ngx_http_conflict_state_e
ngx_http_conflict_events_endpoint_target(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_events_t       *stream;
    ngx_http_conflict_events_item_t  *item;

    stream = ctx->events;

    if (stream->current == stream->n) {
        return ngx_http_conflict_events_endpoint_decide(ctx);
    }

    item = &stream->items[stream->current];

    ctx->get.uri = item->uri;
    ctx->get.args = item->args;
    ctx->latest.started = 0;

    return NGX_HTTP_CONFLICT_STATE_EVENTS_GET_LATEST;
}


ngx_int_t
ngx_http_conflict_events_endpoint_reached(ngx_http_request_t *r)
{
    ngx_str_t                         resource;
    ngx_http_conflict_ctx_t          *ctx;
    ngx_http_conflict_loc_conf_t     *nlcf;
    ngx_http_conflict_events_item_t  *item;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL || ctx->events == NULL || ctx->latest.request != r
        || ctx->latest.done)
    {
        return NGX_OK;
    }

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);
    item = &ctx->events->items[ctx->events->current];

    if (item->guarded) {
        /* an internal redirect: as a read, it is of the location before */
        return NGX_OK;
    }

    item->guarded = (nlcf->policy != NGX_HTTP_CONFLICT_OFF && !nlcf->lock
                     && !nlcf->events && nlcf->store == ctx->conf->store);

    if (!item->guarded) {
        return NGX_OK;
    }

    item->minted = ngx_http_conflict_conf_minted(nlcf);

    if (!item->minted && item->tag.len) {
        item->since = ngx_http_conflict_version_source_parse(nlcf->version,
                                                             &item->tag);
    }

    return ngx_http_conflict_key(r, nlcf, &resource, &item->key);
}


ngx_http_conflict_state_e
ngx_http_conflict_events_endpoint_get(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e         next;
    ngx_http_conflict_latest_t       *latest;
    ngx_http_conflict_events_t       *stream;
    ngx_http_conflict_events_item_t  *item;

    if (!ngx_http_conflict_latest_response(ctx, &next)) {
        return next;
    }

    if (ctx->method & NGX_HTTP_OPTIONS) {
        /* a preflight only asks whether the page may send the request */
        return NGX_HTTP_CONFLICT_STATE_RESPOND;
    }

    latest = &ctx->latest;
    item = &ctx->events->items[ctx->events->current++];

    item->status = latest->status;

    if (latest->cached || latest->status < 200
        || (latest->status >= 300 && latest->status < 400)
        || latest->status >= 500)
    {
        /* possibly cached for another user, or not known */
        item->status = NGX_HTTP_BAD_GATEWAY;
    }

    item->hidden = ngx_http_conflict_latest_response_gone(item->status);
    item->allowed = (item->status < 300);

    if ((item->allowed || item->hidden)
        && (!item->guarded || item->key.len == 0))
    {
        item->status = NGX_HTTP_CONFLICT_EVENTS_MISDIRECTED;
        item->allowed = 0;
        item->hidden = 0;
    }

    if (item->allowed) {
        stream = ctx->events;

        if (stream->shown
            && !ngx_http_conflict_cors_same(stream->shown, latest->request))
        {
            /* a page may hear of all or of none */
            stream->unreadable = 1;
        }

        stream->shown = latest->request;
    }

    return NGX_HTTP_CONFLICT_STATE_EVENTS_TARGET;
}


/* without anything to watch, the answer is that to the last GET */

static ngx_http_conflict_state_e
ngx_http_conflict_events_endpoint_decide(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                        i;
    ngx_http_conflict_events_t       *stream;
    ngx_http_conflict_events_item_t  *item;

    stream = ctx->events;
    item = NULL;

    for (i = 0; i < stream->n; i++) {
        item = &stream->items[i];

        if (item->allowed || item->hidden) {
            return NGX_HTTP_CONFLICT_STATE_RESPOND;
        }
    }

    if (item->status == NGX_HTTP_CONFLICT_EVENTS_MISDIRECTED) {
        ctx->flow.reason = "no guarded location of this store has it";
        return ngx_http_conflict_events_endpoint_error(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_BAD_RESOURCE);
    }

    if (item->status < 500) {
        return ngx_http_conflict_events_endpoint_error(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_RELAY);
    }

    ctx->flow.reason = "the GET of the resource failed";

    return ngx_http_conflict_events_endpoint_error(ctx,
                                        NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE);
}


static ngx_http_conflict_state_e
ngx_http_conflict_events_endpoint_error(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer)
{
    ctx->flow.answer = answer;

    return NGX_HTTP_CONFLICT_STATE_RESPOND;
}
