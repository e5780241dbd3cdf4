
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Conflict field of a response (RFC 9651).
 */


#include "http/ngx_http_conflict_http.h"


static const ngx_str_t  ngx_http_conflict_conflict_field_name =
    ngx_string("conflict");

static ngx_str_t  ngx_http_conflict_retry_after = ngx_string("retry-after");


ngx_int_t
ngx_http_conflict_conflict_field(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    u_char     *p, text[sizeof("unchecked;version=;base=;fields=\"\";report"
                               ";settling=;held=\"\"")
                        + 3 * NGX_INT64_LEN + CONFLICT_MERGE_NAMES
                        + NGX_HTTP_CONFLICT_HOLD_ID];
    u_char     *last, seconds[NGX_INT64_LEN];
    uint64_t    base;
    ngx_str_t  *name, *field, *held;

    name = ngx_http_conflict_names_outcome(ctx->flow.outcome);

    if (name->len == 0) {
        return NGX_OK;
    }

    /* a field of the upstream is replaced */

    ngx_http_conflict_header_drop(&r->headers_out.headers,
                                  &ngx_http_conflict_conflict_field_name);

    /* an item with parameters (RFC 9651) */

    p = ngx_cpymem(text, name->data, name->len);

    if (ctx->version.current && ctx->version.current < CONFLICT_VERSION_LIMIT
        && ngx_http_conflict_conflict_field_visible(r, ctx)
        && ctx->flow.outcome != NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED
        && (ctx->flow.answered
            || ctx->conf->version->place != NGX_HTTP_CONFLICT_JSON))
    {
        /* a version from the upstream's body is not known yet */

        p = ngx_cpymem(p, ";version=", sizeof(";version=") - 1);
        p = conflict_decimal_print(p, ctx->version.current);
    }

    if (ctx->flow.outcome != NGX_HTTP_CONFLICT_OUTCOME_PASSED
        && conflict_version_parse(&base, (char *) ctx->pre.base.data,
                                  ctx->pre.base.len)
           == 0)
    {
        p = ngx_sprintf(p, ";base=%uL", base);
    }

    if (ctx->merge.names.len) {
        p = ngx_sprintf(p, ";fields=\"%V\"", &ctx->merge.names);
    }

    if (ctx->conf->report && ctx->write) {
        p = ngx_sprintf(p, ";report");
    }

    held = ngx_http_conflict_hold_id(ctx);

    if (held->len) {
        p = ngx_sprintf(p, ";held=\"%V\"", held);
    }

    if (ctx->timing.settling) {
        last = ngx_sprintf(seconds, "%M", (ctx->timing.settling + 999) / 1000);
        p = ngx_sprintf(p, ";settling=%*s", last - seconds, seconds);

        field = ngx_http_conflict_header_find(&r->headers_out.headers,
                                              &ngx_http_conflict_retry_after,
                                              NULL);

        if (!ctx->flow.answered && field == NULL
            && ngx_http_conflict_header_add(r, "Retry-After",
                                            (char *) seconds, last - seconds)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_conflict_header_add(r, "Conflict", (char *) text,
                                        p - text);
}


/*
 * A version reveals when the resource was last written, so only a client to
 * which the upstream has shown the resource may see it.
 */

ngx_uint_t
ngx_http_conflict_conflict_field_visible(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  status;

    if (ctx->flow.answered) {
        return ctx->caller.may_see;
    }

    if (ctx->lease.settled && !ctx->lease.committed) {
        /* the write was refused, whatever the status of the page */
        return 0;
    }

    status = r->headers_out.status;

    return (status >= 200 && status < 300) || status == NGX_HTTP_NOT_MODIFIED;
}
