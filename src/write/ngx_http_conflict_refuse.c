
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Refusals: by the verdict of the store, or of a write that cannot be checked.
 */


#include "write/ngx_http_conflict_write.h"


ngx_http_conflict_state_e
ngx_http_conflict_refuse(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, ngx_http_conflict_outcome_e outcome,
    ngx_http_conflict_action_e action)
{
    return ngx_http_conflict_respond(ctx, answer, outcome, action);
}


ngx_http_conflict_state_e
ngx_http_conflict_refuse_unchecked(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, ngx_uint_t pass,
    ngx_http_conflict_state_e next)
{
    if (ctx->conf->policy > CONFLICT_CLIENT_WINS && !ctx->conf->report
        && !pass)
    {
        return ngx_http_conflict_refuse(ctx, answer,
                                        NGX_HTTP_CONFLICT_OUTCOME_REJECTED,
                                        NGX_HTTP_CONFLICT_ACTION_NONE);
    }

    ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_NONE;
    ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED;
    ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_UNCHECKED;

    return next;
}
