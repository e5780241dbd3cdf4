
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A guarded write is sent to an upstream once: there is no second attempt
 * after the first byte.  Works with all of nginx's upstream modules.
 */


#include "write/ngx_http_conflict_write.h"


/* the copy of the location's upstream settings for one request */

typedef struct {
    ngx_http_upstream_conf_t       conf;       /* must be first: u->conf */
    ngx_event_free_peer_pt         free;
    ngx_output_chain_filter_pt     send;
    void                          *send_data;
    ngx_http_conflict_ctx_t       *ctx;
} ngx_http_conflict_upstream_once_t;


static void ngx_http_conflict_upstream_once_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_upstream_once_body(ngx_http_request_t *r);
static void ngx_http_conflict_upstream_once_guard(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_upstream_once_send(void *data,
    ngx_chain_t *in);
static void ngx_http_conflict_upstream_once_flush(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_upstream_once_free(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);


ngx_int_t
ngx_http_conflict_upstream_once_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_conflict_ctx_t   *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    /* the worker may have been stopped since the lease was checked */

    rc = ngx_http_conflict_fence_pass(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    /* in other locations r->error_page tells a failure from ngx.exec() */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ctx->pass.entered = (clcf->error_pages && clcf->recursive_error_pages);

    rc = ctx->pass.content_handler(r);

    ngx_http_conflict_upstream_once_start(r, ctx);

    return rc;
}


/*
 * The handler may have begun the first attempt, but not a second one: nginx
 * never ends an attempt in the same event in which it has sent the whole
 * request.
 */

static void
ngx_http_conflict_upstream_once_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (r->upstream == NULL || r->header_sent) {
        return;
    }

    if (r->upstream->cleanup) {
        ngx_http_conflict_upstream_once_guard(r, ctx);
        ngx_http_conflict_upstream_once_flush(ctx);
        return;
    }

    /*
     * With request buffering off, nginx buffers a chunked body all the same,
     * unless the upstream speaks HTTP/1.1, and starts the upstream then.
     */

    if (ngx_http_conflict_request_body_unread(r)) {
        ctx->pass.body_handler = r->request_body->post_handler;
        r->request_body->post_handler = ngx_http_conflict_upstream_once_body;
    }
}


static void
ngx_http_conflict_upstream_once_body(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_http_conflict_ctx_t          *ctx;
    ngx_http_client_body_handler_pt   handler;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    handler = ctx->pass.body_handler;
    ctx->pass.body_handler = NULL;

    rc = ngx_http_conflict_fence_pass(ctx);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    /* it may end the request */
    r->main->count++;

    handler(r);

    ngx_http_conflict_upstream_once_start(r, ctx);

    ngx_http_finalize_request(r, NGX_DONE);
}


static void
ngx_http_conflict_upstream_once_guard(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_upstream_t                *u;
    ngx_http_conflict_upstream_once_t  *cu;

    u = r->upstream;

    if (u->output.output_filter == ngx_http_conflict_upstream_once_send) {
        /* a fallback has run within the handler: this is its upstream */
        return;
    }

    cu = ngx_palloc(r->pool, sizeof(ngx_http_conflict_upstream_once_t));
    if (cu == NULL) {
        /* a second attempt is still detected when the write is settled */
        return;
    }

    cu->conf = *u->conf;
    cu->free = u->peer.free;

    /*
     * Another peer may be tried as long as nothing was sent, but not because
     * of a response.  While a name is being resolved there is no peer yet, so
     * there is only one attempt.
     */

    if (u->peer.free) {
        cu->conf.next_upstream &= NGX_HTTP_UPSTREAM_FT_ERROR
                                  |NGX_HTTP_UPSTREAM_FT_TIMEOUT
                                  |NGX_HTTP_UPSTREAM_FT_OFF;

        u->peer.free = ngx_http_conflict_upstream_once_free;

    } else {
        cu->conf.next_upstream = NGX_HTTP_UPSTREAM_FT_OFF;
    }

    cu->conf.ignore_client_abort = 1;

    u->conf = &cu->conf;

    cu->ctx = ctx;
    cu->send = u->output.output_filter;
    cu->send_data = u->output.filter_ctx;

    u->output.output_filter = ngx_http_conflict_upstream_once_send;
    u->output.filter_ctx = cu;

    /*
     * The response is awaited even if the client disconnects: the handlers
     * that detect this were set before the settings were replaced.  A body
     * that is still being received needs them.
     */

    if (!r->reading_body) {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_request_empty_handler;
    }
}


/*
 * Called before any part of the request is sent.  If the lease may have
 * expired, nothing is sent, and the timer aborts the attempt, which cannot be
 * done from within its own functions.
 */

static ngx_int_t
ngx_http_conflict_upstream_once_send(void *data, ngx_chain_t *in)
{
    ngx_http_conflict_upstream_once_t *cu = data;

    ngx_int_t  rc;

    if (ngx_http_conflict_fence_expired(cu->ctx)) {

        if (cu->ctx->timing.timer.timer_set) {
            ngx_del_timer(&cu->ctx->timing.timer);
        }

        ngx_add_timer(&cu->ctx->timing.timer, 0);

        return NGX_AGAIN;
    }

    rc = cu->send(cu->send_data, in);

    if (rc == NGX_OK) {
        ngx_http_conflict_upstream_once_flush(cu->ctx);
    }

    return rc;
}


/*
 * A file that is sent in two parts makes a segment that is not full, and the
 * end of the body would wait until it is acknowledged (Nagle's algorithm), up
 * to 40 ms.  nginx unsets TCP_NODELAY when it sends a file.
 */

static void
ngx_http_conflict_upstream_once_flush(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_request_t        *r;
    ngx_http_upstream_t       *u;
    ngx_http_core_loc_conf_t  *clcf;

    r = ctx->request;
    u = r->upstream;

    if (ctx->original.bufs == NULL || r->request_body->temp_file == NULL
        || !u->request_sent || u->peer.connection == NULL)
    {
        return;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->tcp_nodelay) {
        (void) ngx_tcp_nodelay(u->peer.connection);
    }
}


/* an attempt has ended, and nginx is about to decide on another one */

static void
ngx_http_conflict_upstream_once_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_upstream_t                *u;
    ngx_http_conflict_upstream_once_t  *cu;

    u = (ngx_http_upstream_t *)
            ((u_char *) pc - offsetof(ngx_http_upstream_t, peer));
    cu = (ngx_http_conflict_upstream_once_t *) u->conf;

    /* nginx would send a file again from its beginning, with what was cut */

    if (u->request_sent
        && (!(pc->connection && pc->connection->sent == 0)
            || (cu->ctx->original.bufs
                && cu->ctx->request->request_body->temp_file)))
    {
        cu->conf.next_upstream = NGX_HTTP_UPSTREAM_FT_OFF;
    }

    cu->free(pc, data, state);
}
