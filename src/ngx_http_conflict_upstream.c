
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The way to the upstream and its attempts: a guarded write is sent once.
 * Works on what all of nginx's upstream modules have in common.
 */


#include "ngx_http_conflict_module.h"


/* a request's own copy of the location's settings */

typedef struct {
    ngx_http_upstream_conf_t       conf;       /* first: u->conf */
    ngx_event_free_peer_pt         free;
    ngx_output_chain_filter_pt     send;
    void                          *send_data;
    ngx_http_conflict_ctx_t       *ctx;
} ngx_http_conflict_upstream_t;


static void ngx_http_conflict_upstream_enter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_upstream_guard(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_upstream_send(void *data, ngx_chain_t *in);
static void ngx_http_conflict_upstream_free(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);


static const char  *ngx_http_conflict_upstream_modules[] = {
    "ngx_http_proxy_module",
    "ngx_http_fastcgi_module",
    "ngx_http_uwsgi_module",
    "ngx_http_scgi_module",
    "ngx_http_grpc_module",
    NULL
};


ngx_int_t
ngx_http_conflict_pass(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    uint64_t                 start, end;
    ngx_int_t                rc;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    rc = ngx_http_conflict_fence_pass(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->state = NGX_HTTP_CONFLICT_ST_PASSED;

    if (ctx->action != NGX_HTTP_CONFLICT_NO_ACTION) {
        ngx_http_conflict_entity(r, ctx);
    }

    if (op->out.leased || (ctx->pair && ctx->pair->op->out.leased)) {
        ngx_http_conflict_settle_start(ctx);

    } else {
        ctx->settled = 1;
    }

    if (ctx->conf->strip_base && !ctx->rewritten && ctx->body.json
        && !ctx->body.error && ctx->body.json->type != CONFLICT_JSON_NONE)
    {
        conflict_json_cut(ctx->body.json, &start, &end);

        if (ngx_http_conflict_body_cut(r, (off_t) start, (off_t) end)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->rewritten = 1;
    }

    if (ngx_http_conflict_keep_sent(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_conflict_hide(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_conflict_upstream_enter(r, ctx);

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_conflict_again(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    if (ngx_http_conflict_fence_late(ctx)) {
        return NGX_HTTP_GATEWAY_TIME_OUT;
    }

    if (ngx_http_conflict_settle_redirect(ctx) != NGX_OK) {

        ngx_http_conflict_refuse(ctx, NGX_HTTP_CONFLICT_UNKNOWN_OUTCOME,
                                 NGX_HTTP_CONFLICT_BUSY,
                                 NGX_HTTP_CONFLICT_NO_ACTION);

        ctx->reason = "it is this write's own: the upstream did not answer "
                      "well, and is not asked again";

        r->content_handler = ngx_http_conflict_answer_handler;
        return NGX_OK;
    }

    ngx_http_conflict_upstream_enter(r, ctx);

    return NGX_DECLINED;
}


/* what was there before is not this location's */

static void
ngx_http_conflict_upstream_enter(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ctx->upstream = r->upstream;
    ctx->err_status = r->err_status;
    ctx->error_page = r->error_page;

    if (r->content_handler && r->method == ctx->method
        && r->content_handler != ngx_http_conflict_upstream_handler)
    {
        ctx->content_handler = r->content_handler;
        r->content_handler = ngx_http_conflict_upstream_handler;
    }
}


ngx_int_t
ngx_http_conflict_upstream_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    /* a worker may be stopped at any time, and others go on */

    rc = ngx_http_conflict_fence_pass(ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ctx->content_handler(r);

    /*
     * The first attempt may have begun in there, but not the second: no
     * attempt is given up in the same event in which its request was sent
     * whole.
     */

    if (r->upstream && r->upstream->cleanup && !r->header_sent) {
        ngx_http_conflict_upstream_guard(r, ctx);
    }

    return rc;
}


static void
ngx_http_conflict_upstream_guard(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_upstream_t           *u;
    ngx_http_conflict_upstream_t  *cu;

    u = r->upstream;

    if (u->output.output_filter == ngx_http_conflict_upstream_send) {
        /* a fallback ran within the handler, and this is its upstream */
        return;
    }

    cu = ngx_palloc(r->pool, sizeof(ngx_http_conflict_upstream_t));
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

        u->peer.free = ngx_http_conflict_upstream_free;

    } else {
        cu->conf.next_upstream = NGX_HTTP_UPSTREAM_FT_OFF;
    }

    cu->conf.ignore_client_abort = 1;

    u->conf = &cu->conf;

    cu->ctx = ctx;
    cu->send = u->output.output_filter;
    cu->send_data = u->output.filter_ctx;

    u->output.output_filter = ngx_http_conflict_upstream_send;
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
ngx_http_conflict_upstream_send(void *data, ngx_chain_t *in)
{
    ngx_http_conflict_upstream_t *cu = data;

    if (ngx_http_conflict_fenced(cu->ctx)) {

        if (cu->ctx->timer.timer_set) {
            ngx_del_timer(&cu->ctx->timer);
        }

        ngx_add_timer(&cu->ctx->timer, 0);

        return NGX_AGAIN;
    }

    return cu->send(cu->send_data, in);
}


/* an attempt has ended; called before it is decided whether to try again */

static void
ngx_http_conflict_upstream_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_upstream_t           *u;
    ngx_http_conflict_upstream_t  *cu;

    u = (ngx_http_upstream_t *)
            ((u_char *) pc - offsetof(ngx_http_upstream_t, peer));
    cu = (ngx_http_conflict_upstream_t *) u->conf;

    if (u->request_sent && !(pc->connection && pc->connection->sent == 0)) {
        cu->conf.next_upstream = NGX_HTTP_UPSTREAM_FT_OFF;
    }

    cu->free(pc, data, state);
}


ngx_int_t
ngx_http_conflict_upstream_seen(ngx_http_request_t *r, ngx_uint_t first,
    ngx_uint_t *sent, ngx_uint_t *status)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    *sent = 0;
    *status = 0;

    if (r->upstream == NULL && r->upstream_states == NULL) {
        return NGX_DECLINED;
    }

    if (r->upstream_states == NULL) {
        return NGX_OK;
    }

    state = r->upstream_states->elts;

    for (i = first; i < r->upstream_states->nelts; i++) {

        if (state[i].peer == NULL) {
            continue;
        }

        /* bytes_sent is set when the attempt ends */

        if (state[i].bytes_sent
            || (r->upstream && r->upstream->state == &state[i]
                && r->upstream->peer.connection
                && r->upstream->request_sent))
        {
            (*sent)++;
        }

        *status = state[i].status;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_upstream_conf(ngx_conf_t *cf,
    ngx_http_conflict_main_conf_t *nmcf, ngx_http_conflict_loc_conf_t *nlcf)
{
    ngx_uint_t                  i, n;
    ngx_module_t              **modules;
    ngx_http_conf_ctx_t        *ctx;
    ngx_http_upstream_conf_t   *ucf;
#if (NGX_HTTP_CACHE)
    ngx_array_t                *bypass;
    ngx_http_complex_value_t   *cv;
#endif

    ctx = cf->ctx;
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        for (n = 0; ngx_http_conflict_upstream_modules[n]; n++) {
            if (ngx_strcmp(modules[i]->name,
                           ngx_http_conflict_upstream_modules[n])
                == 0)
            {
                break;
            }
        }

        if (ngx_http_conflict_upstream_modules[n] == NULL) {
            continue;
        }

        /* the settings of all of them begin with the common ones */

        ucf = ctx->loc_conf[modules[i]->ctx_index];

        /* gRPC has no such setting, it always streams */

        if (ucf->request_buffering == 0
            && ngx_strcmp(modules[i]->name, "ngx_http_grpc_module") != 0)
        {
            nlcf->unbuffered = 1;
        }

#if (NGX_HTTP_CACHE)

        if (ucf->cache != 1) {
            continue;
        }

        /* a copy, since the array may be that of the level above */

        bypass = ngx_array_create(cf->pool, 4,
                                  sizeof(ngx_http_complex_value_t));
        if (bypass == NULL) {
            return NGX_ERROR;
        }

        if (ucf->cache_bypass) {
            cv = ngx_array_push_n(bypass, ucf->cache_bypass->nelts);
            if (cv == NULL) {
                return NGX_ERROR;
            }

            ngx_memcpy(cv, ucf->cache_bypass->elts,
                       ucf->cache_bypass->nelts
                       * sizeof(ngx_http_complex_value_t));
        }

        cv = ngx_array_push(bypass);
        if (cv == NULL) {
            return NGX_ERROR;
        }

        *cv = *nmcf->fetch;
        ucf->cache_bypass = bypass;

#endif
    }

    return NGX_OK;
}
