
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Lets the worker serve other requests between two steps of a question.
 */


#include "resolver/ngx_http_conflict_resolver.h"


static void ngx_http_conflict_resolver_pause_handler(ngx_event_t *ev);


void
ngx_http_conflict_resolver_pause(ngx_http_conflict_ctx_t *ctx)
{
    ngx_event_t  *ev;

    ev = &ctx->resolver->pause;

    ev->handler = ngx_http_conflict_resolver_pause_handler;
    ev->data = ctx;
    ev->log = ctx->request->connection->log;

    ctx->resolver->paused = 1;

    ngx_post_event(ev, &ngx_posted_next_events);
}


static void
ngx_http_conflict_resolver_pause_handler(ngx_event_t *ev)
{
    ngx_http_conflict_ctx_t *ctx = ev->data;

    ctx->resolver->paused = 0;

    ngx_http_conflict_store_call_resume(ctx->request);
}


void
ngx_http_conflict_resolver_pause_end(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->resolver && ctx->resolver->pause.posted) {
        ngx_delete_posted_event(&ctx->resolver->pause);
    }
}
