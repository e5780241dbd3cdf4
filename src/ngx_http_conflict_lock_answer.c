
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What a lock endpoint answers, as JSON, and what a refusal says of a lock.
 */


#include "ngx_http_conflict_module.h"


static ngx_int_t ngx_http_conflict_lock_options(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static u_char *ngx_http_conflict_lock_body(ngx_http_conflict_ctx_t *ctx,
    u_char *p);
static u_char *ngx_http_conflict_lock_version(ngx_http_conflict_ctx_t *ctx,
    u_char *p);
static u_char *ngx_http_conflict_lock_name(u_char *p, const char *name,
    ngx_str_t *text);
static u_char *ngx_http_conflict_lock_time(u_char *p, const char *name,
    int64_t time);


ngx_int_t
ngx_http_conflict_lock_answer(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_buf_t                *b;
    ngx_chain_t               out;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);

    if (ctx == NULL || !ctx->conf->lock) {
        /* a subrequest, or an internal redirect from a guarded location */
        return NGX_HTTP_NOT_FOUND;
    }

    if (ctx->error != NGX_HTTP_CONFLICT_OK) {
        return ngx_http_conflict_answer_handler(r);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ctx->method & NGX_HTTP_OPTIONS) {
        return ngx_http_conflict_lock_options(r, ctx);
    }

    b = ngx_create_temp_buf(r->pool, 2 * NGX_HTTP_CONFLICT_LOCK_TEXT);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_http_conflict_lock_body(ctx, b->last);
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    /* it has been done: what the client's conditions are on is another thing */
    r->disable_not_modified = 1;
    r->err_status = 0;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_conflict_cors_add(r, ctx) != NGX_OK
        || ngx_http_conflict_add_header(r, "Cache-Control", "no-store",
                                        sizeof("no-store") - 1)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_conflict_audit(r, ctx, NGX_HTTP_OK);

    return ngx_http_conflict_capture_send(r, ctx, &out);
}


static ngx_int_t
ngx_http_conflict_lock_options(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    r->err_status = 0;

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    if (ngx_http_conflict_add_header(r, "Allow",
                                     NGX_HTTP_CONFLICT_LOCK_METHODS,
                                     sizeof(NGX_HTTP_CONFLICT_LOCK_METHODS)
                                     - 1)
        != NGX_OK
        || ngx_http_conflict_cors_allow(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_conflict_capture_send(r, ctx, NULL);
}


static u_char *
ngx_http_conflict_lock_body(ngx_http_conflict_ctx_t *ctx, u_char *p)
{
    ngx_str_t                 *user, *client;
    ngx_http_conflict_lock_t  *lock;

    lock = &ctx->op->lock;
    user = &lock->holder;
    client = &lock->origin;

    *p++ = '{';

    switch (lock->result) {

    case NGX_HTTP_CONFLICT_LOCK_HELD:
        p = ngx_http_conflict_lock_print(ctx, p, user, client, NULL);
        p = ngx_sprintf(p, ",\"mine\":false");
        break;

    case NGX_HTTP_CONFLICT_LOCK_OWN:
        p = ngx_http_conflict_lock_print(ctx, p, user, client,
                              (lock->verb == NGX_HTTP_CONFLICT_LOCK_ACQUIRE)
                              ? lock->token : NULL);
        p = ngx_sprintf(p, ",\"mine\":true");
        break;

    case NGX_HTTP_CONFLICT_LOCK_TAKEN:
        p = ngx_http_conflict_lock_print(ctx, p, user, &ctx->client,
                                         lock->fresh);
        p = ngx_sprintf(p, ",\"mine\":true");
        p = ngx_http_conflict_lock_name(p, ",\"taken_from", client);
        break;

    case NGX_HTTP_CONFLICT_LOCK_GRANTED:
        p = ngx_http_conflict_lock_print(ctx, p, user, client, lock->fresh);
        p = ngx_sprintf(p, ",\"mine\":true");
        break;

    default:
        p = ngx_sprintf(p, "\"lock\":null");
    }

    if (lock->verb != NGX_HTTP_CONFLICT_LOCK_RELEASE) {
        p = ngx_http_conflict_lock_version(ctx, p);
    }

    return ngx_cpymem(p, "}\n", 2);
}


static u_char *
ngx_http_conflict_lock_version(ngx_http_conflict_ctx_t *ctx, u_char *p)
{
    if (ctx->current && ctx->current < CONFLICT_VERSION_LIMIT) {
        return ngx_sprintf(p, ",\"version\":%uL", ctx->current);
    }

    /* not known now, or the upstream's own, which comes with the document */

    return ngx_sprintf(p, ",\"version\":null");
}


/* a comma comes first where this is not the first member */

u_char *
ngx_http_conflict_lock_print(ngx_http_conflict_ctx_t *ctx, u_char *p,
    ngx_str_t *user, ngx_str_t *client, u_char *token)
{
    int64_t                    now;
    ngx_http_conflict_lock_t  *lock;

    lock = &ctx->op->lock;

    now = ngx_http_conflict_clock_usec();

    p = ngx_sprintf(p, (p[-1] == '{') ? "\"lock\":{" : ",\"lock\":{");

    if (token) {
        p = ngx_sprintf(p, "\"token\":\"");
        p = ngx_hex_dump(p, token, NGX_HTTP_CONFLICT_LOCK_TOKEN);
        p = ngx_sprintf(p, "\",");
    }

    p = ngx_http_conflict_lock_name(p, "\"user", user);
    p = ngx_http_conflict_lock_name(p, ",\"client", client);
    p = ngx_http_conflict_lock_time(p, ",\"acquired_at", lock->acquired);
    p = ngx_http_conflict_lock_time(p, ",\"expires_at",
                                    now + (int64_t) lock->remaining * 1000);

    return ngx_sprintf(p, ",\"expires_in\":%M.%03M}", lock->remaining / 1000,
                       lock->remaining % 1000);
}


static u_char *
ngx_http_conflict_lock_name(u_char *p, const char *name, ngx_str_t *text)
{
    if (text->len == 0) {
        return ngx_sprintf(p, "%s\":null", name);
    }

    p = ngx_sprintf(p, "%s\":\"", name);
    p += conflict_text_escape(p, text->data,
                              ngx_min(text->len,
                                      NGX_HTTP_CONFLICT_LOCK_CLIENT));
    *p++ = '"';

    return p;
}


static u_char *
ngx_http_conflict_lock_time(u_char *p, const char *name, int64_t time)
{
    p = ngx_sprintf(p, "%s\":\"", name);

    conflict_time_print_rfc3339((char *) p, time);
    p += CONFLICT_TIME_RFC3339;

    *p++ = '"';

    return p;
}
