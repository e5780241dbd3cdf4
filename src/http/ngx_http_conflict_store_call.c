
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Operations of a request on its store, which may end later: start and end,
 * and the time that they take.
 */


#include "http/ngx_http_conflict_http.h"


ngx_http_conflict_op_t *
ngx_http_conflict_store_call_op(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *key, ngx_uint_t bases)
{
    ngx_http_conflict_op_t  *op;

    op = ngx_http_conflict_op_create(r, nlcf->store, key, bases);
    if (op == NULL) {
        return NULL;
    }

    op->in.minted = ngx_http_conflict_conf_minted(nlcf);

    return op;
}


ngx_int_t
ngx_http_conflict_store_call(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call)
{
    ngx_http_conflict_op_t  *op;

    if (!ctx->timing.calling) {
        ngx_http_conflict_store_call_start(ctx, call);
    }

    if (ctx->op->busy) {
        return NGX_AGAIN;
    }

    ctx->timing.calling = 0;
    ctx->timing.store_time += ngx_current_msec - ctx->timing.store_start;

    op = ctx->op;

    if (op->rc == NGX_ERROR && op->out.full) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
                      "conflict store \"%V\" %s, enlarge its zone",
                      &op->store->name, op->out.full);
    }

    return op->rc;
}


void
ngx_http_conflict_store_call_start(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_pt call)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;
    op->done = ngx_http_conflict_store_call_done;

    ctx->timing.calling = 1;
    ctx->timing.store_start = ngx_current_msec;

    op->rc = call(op);
}


void
ngx_http_conflict_store_call_done(ngx_http_conflict_op_t *op)
{
    if (op->request) {
        ngx_http_conflict_store_call_resume(op->request);
    }
}


void
ngx_http_conflict_store_call_resume(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    if (r->post_action) {
        /* the request is over, its post_action is running */
        return;
    }

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}
