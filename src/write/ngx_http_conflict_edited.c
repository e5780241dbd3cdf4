
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The time at which a client has made an edit, for "conflict lww edited=".  It
 * is compared by the store; see core/policy/conflict_edit.h.
 */


#include "write/ngx_http_conflict_write.h"


#define NGX_HTTP_CONFLICT_EDITED_INTERVAL  10000  /* msec between warnings */


static ngx_int_t ngx_http_conflict_edited_parse(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text, ngx_uint_t number);


/* without a time, a write counts as edited when it arrives */

ngx_int_t
ngx_http_conflict_edited_header(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                   *value;
    ngx_uint_t                   n;
    ngx_http_conflict_op_t      *op;
    ngx_http_conflict_source_t  *edited;

    op = ctx->op;
    edited = ctx->conf->edited;

    op->in.policy = CONFLICT_EDITED;
    op->in.edits = 1;
    op->in.skew = (int64_t) ctx->conf->skew * 1000;
    op->in.edit.time = CONFLICT_EDIT_NONE;
    op->in.edit.tie = conflict_edit_tie(ctx->caller.client.data,
                                        ctx->caller.client.len,
                                        ctx->caller.user.data,
                                        ctx->caller.user.len);

    if (edited->place != NGX_HTTP_CONFLICT_HEADER) {
        return NGX_OK;
    }

    value = ngx_http_conflict_header_find(&ctx->request->headers_in.headers,
                                          &edited->name, &n);

    if (value == NULL) {
        return NGX_OK;
    }

    if (n > 1) {
        return ngx_http_conflict_precondition_error(ctx,
                         NGX_HTTP_CONFLICT_ANSWER_BAD_EDIT_TIME,
                         "the header with the time of the edit is repeated");
    }

    return ngx_http_conflict_edited_parse(ctx, value, 0);
}


/* a body that is not JSON, or was not parsed to its end, has no time */

ngx_int_t
ngx_http_conflict_edited_body(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t         text;
    conflict_scan_t  *json;

    json = ctx->body.edited;

    if (ctx->body.edited_error == CONFLICT_JSON_REPEATED) {
        return ngx_http_conflict_precondition_error(ctx,
                         NGX_HTTP_CONFLICT_ANSWER_BAD_EDIT_TIME,
                         "the member with the time of the edit is repeated");
    }

    if (ctx->body.json == NULL) {
        return NGX_OK;
    }

    if (ctx->hold.resolves.len) {
        /* the person has decided now, on what is there now */
        return NGX_OK;
    }

    switch (json->type) {

    case CONFLICT_JSON_NONE:
    case CONFLICT_JSON_NULL:
        return NGX_OK;

    case CONFLICT_JSON_NUMBER:
    case CONFLICT_JSON_STRING:
        text.data = json->text;
        text.len = json->cut_short ? 0 : json->len;

        return ngx_http_conflict_edited_parse(ctx, &text,
                                        json->type == CONFLICT_JSON_NUMBER);

    default:
        text.len = 0;
        return ngx_http_conflict_edited_parse(ctx, &text, 0);
    }
}


static ngx_int_t
ngx_http_conflict_edited_parse(ngx_http_conflict_ctx_t *ctx, ngx_str_t *text,
    ngx_uint_t number)
{
    int64_t  time;

    time = text->len ? conflict_edit_parse((char *) text->data, text->len,
                                           number,
                                           (int64_t) ngx_time()
                                           * CONFLICT_TIME_SECOND)
                     : CONFLICT_TIME_NONE;

    if (time == CONFLICT_TIME_NONE) {
        return ngx_http_conflict_precondition_error(ctx,
                         NGX_HTTP_CONFLICT_ANSWER_BAD_EDIT_TIME,
                         "the time of the edit is neither RFC 3339, such as "
                         "2026-11-25T08:00:00Z, nor an HTTP-date, nor "
                         "milliseconds since 1970");
    }

    ctx->op->in.edit.time = time;

    /* for the log, even if it is too far ahead */
    ctx->pre.client_time = time;

    return NGX_OK;
}


void
ngx_http_conflict_edited_compared(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_loc_conf_t  *nlcf;

    op = ctx->op;
    nlcf = ctx->conf;

    if (op->out.edited > CONFLICT_EDIT_OLDEST) {
        ctx->version.compared_time = op->out.edited;
    }

    if (!op->out.ahead) {
        return;
    }

    /* decided once: the write may wait and begin again */
    op->in.edit.time = CONFLICT_EDIT_NONE;

    if (nlcf->ahead_logged
        && ngx_current_msec - nlcf->ahead_logged
           < NGX_HTTP_CONFLICT_EDITED_INTERVAL)
    {
        return;
    }

    nlcf->ahead_logged = ngx_current_msec;

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "an edit of \"%V\" by client \"%V\" has a time that is more "
                  "than %M ms ahead, it counts as made now",
                  ngx_http_conflict_evaluate_escaped(ctx->request,
                                                     &ctx->target.resource),
                  ngx_http_conflict_evaluate_escaped(ctx->request,
                                                     &ctx->caller.client),
                  nlcf->skew);
}
