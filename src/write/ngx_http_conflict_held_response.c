
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Holds the response of a write back until the end of the current event-loop
 * iteration, so that the settles of all writes that end in it are sent to the
 * store at once, and each before its client gets the response.
 */


#include "write/ngx_http_conflict_write.h"


#define NGX_HTTP_CONFLICT_HELD_RESPONSE  4096    /* bytes of its body */


static void ngx_http_conflict_held_response_send(ngx_event_t *ev);


ngx_uint_t
ngx_http_conflict_held_response_possible(ngx_http_request_t *r)
{
    /*
     * Frames of HTTP/2 are not delayed by their connection, and a response
     * that is delayed by a rate has a timer.  A body that exceeds the buffers
     * would go to a temporary file.
     */

    return r == r->main && r->http_version < NGX_HTTP_VERSION_20
           && !r->connection->write->delayed
           && (r->headers_out.status == NGX_HTTP_NO_CONTENT
               || (r->headers_out.content_length_n >= 0
                   && r->headers_out.content_length_n
                      <= NGX_HTTP_CONFLICT_HELD_RESPONSE));
}


void
ngx_http_conflict_held_response_start(ngx_http_conflict_ctx_t *ctx)
{
    ngx_event_t  *ev;

    ev = &ctx->timing.held;

    ev->handler = ngx_http_conflict_held_response_send;
    ev->data = ctx->request;
    ev->log = ctx->request->connection->log;

    ctx->request->connection->write->delayed = 1;

    /* behind the event that sends the settle, which is posted already */

    ngx_post_event(ev, &ngx_posted_events);
}


void
ngx_http_conflict_held_response_end(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->timing.held.posted) {
        ngx_delete_posted_event(&ctx->timing.held);
        ctx->request->connection->write->delayed = 0;
    }
}


static void
ngx_http_conflict_held_response_send(ngx_event_t *ev)
{
    ngx_event_t         *wev;
    ngx_http_request_t  *r = ev->data;

    wev = r->connection->write;
    wev->delayed = 0;

    wev->handler(wev);
}
