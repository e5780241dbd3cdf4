
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The next state if the module itself answers a write, with an error or with
 * the latest body.  The response is made in answer/.
 */


#include "write/ngx_http_conflict_write.h"
#include "hold/ngx_http_conflict_hold.h"


ngx_http_conflict_state_e
ngx_http_conflict_respond(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, ngx_http_conflict_outcome_e outcome,
    ngx_http_conflict_action_e action)
{
    ctx->flow.outcome = outcome;
    ctx->flow.action = action;

    if (ctx->conf->report) {
        /* logged with the response of the upstream */
        ctx->op->in.pre.chain = 0;
        return NGX_HTTP_CONFLICT_STATE_FORWARD;
    }

    ctx->flow.answer = answer;

    return ngx_http_conflict_hold(ctx, NGX_HTTP_CONFLICT_STATE_RESPOND);
}


ngx_http_conflict_state_e
ngx_http_conflict_respond_unchecked(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, ngx_uint_t pass,
    ngx_http_conflict_state_e next)
{
    if ((ctx->conf->policy > CONFLICT_CLIENT_WINS || ctx->conf->edited)
        && !ctx->conf->report && !pass)
    {
        return ngx_http_conflict_respond(ctx, answer,
                                         NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                         NGX_HTTP_CONFLICT_ACTION_NONE);
    }

    ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_NONE;
    ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED;
    ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_UNCHECKED;

    return next;
}
