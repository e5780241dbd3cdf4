
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A guarded write is sent to an upstream once: no second attempt after its
 * first byte.  Works on what all of nginx's upstream modules have in common.
 */


#include "write/ngx_http_conflict_write.h"


/* a request's own copy of the location's settings */

typedef struct {
    ngx_http_upstream_conf_t       conf;       /* first: u->conf */
    ngx_event_free_peer_pt         free;
    ngx_output_chain_filter_pt     send;
    void                          *send_data;
    ngx_http_conflict_ctx_t       *ctx;
} ngx_http_conflict_upstream_once_t;


static void ngx_http_conflict_upstream_once_guard(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_upstream_once_send(void *data,
    ngx_chain_t *in);
static void ngx_http_conflict_upstream_once_free(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);


ngx_int_t
ngx_http_conflict_upstream_once_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    /* a worker may be stopped at any time, and others go on */

    rc = ngx_http_conflict_fence_pass(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ctx->pass.content_handler(r);

    /*
     * The first attempt may have begun in there, but not the second: no
     * attempt is given up in the same event in which its request was sent
     * whole.
     */

    if (r->upstream && r->upstream->cleanup && !r->header_sent) {
        ngx_http_conflict_upstream_once_guard(r, ctx);
    }

    return rc;
}


static void
ngx_http_conflict_upstream_once_guard(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_upstream_t           *u;
    ngx_http_conflict_upstream_once_t  *cu;

    u = r->upstream;

    if (u->output.output_filter == ngx_http_conflict_upstream_once_send) {
        /* a fallback ran within the handler, and this is its upstream */
        return;
    }

    cu = ngx_palloc(r->pool, sizeof(ngx_http_conflict_upstream_once_t));
    if (cu == NULL) {
        /* the count of attempts is checked in the end */
        return;
    }

    cu->conf = *u->conf;
    cu->free = u->peer.free;

    /*
     * Another peer may be tried while nothing was sent, never for what the
     * upstream answers.  A name that is still being resolved has no peer
     * yet: then there is one attempt.
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
     * The client may go away, the upstream's answer is awaited: these were
     * set to watch the client before the settings were replaced.  A body that
     * is still being streamed needs them, and the client.
     */

    if (!r->reading_body) {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_request_empty_handler;
    }
}


/*
 * A part of the request, or all of it, is about to be sent.  Where the lease
 * may be over nothing is, and the attempt ends by the timer: not here, within
 * its own functions.
 */

static ngx_int_t
ngx_http_conflict_upstream_once_send(void *data, ngx_chain_t *in)
{
    ngx_http_conflict_upstream_once_t *cu = data;

    if (ngx_http_conflict_fence_expired(cu->ctx)) {

        if (cu->ctx->timing.timer.timer_set) {
            ngx_del_timer(&cu->ctx->timing.timer);
        }

        ngx_add_timer(&cu->ctx->timing.timer, 0);

        return NGX_AGAIN;
    }

    return cu->send(cu->send_data, in);
}


/* an attempt has ended; called before it is decided whether to try again */

static void
ngx_http_conflict_upstream_once_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_upstream_t           *u;
    ngx_http_conflict_upstream_once_t  *cu;

    u = (ngx_http_upstream_t *)
            ((u_char *) pc - offsetof(ngx_http_upstream_t, peer));
    cu = (ngx_http_conflict_upstream_once_t *) u->conf;

    if (u->request_sent && !(pc->connection && pc->connection->sent == 0)) {
        cu->conf.next_upstream = NGX_HTTP_UPSTREAM_FT_OFF;
    }

    cu->free(pc, data, state);
}
