
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The response to the own GET as the response to a write: the latest body
 * with 200 if the write was dropped or is an idempotent replay, or the
 * upstream's refusal to show it.
 */


#include "answer/ngx_http_conflict_answer.h"
#include "response/ngx_http_conflict_response.h"
#include "history/ngx_http_conflict_history.h"
#include "latest/ngx_http_conflict_latest.h"


static ngx_uint_t ngx_http_conflict_latest_answer_target(ngx_str_t *target);
static ngx_int_t ngx_http_conflict_latest_answer_advice(
    ngx_http_request_t *r, ngx_http_conflict_latest_t *latest);


static const ngx_str_t  ngx_http_conflict_latest_answer_relayed[] = {
    ngx_string("WWW-Authenticate"),
    ngx_string("Retry-After"),
    ngx_null_string
};


ngx_int_t
ngx_http_conflict_latest_answer(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out)
{
    ngx_buf_t                   *b;
    ngx_str_t                    text, document;
    ngx_http_conflict_latest_t  *latest;
    ngx_http_conflict_source_t  *inject;

    latest = &ctx->latest;

    if (ngx_http_conflict_capture_shown(ctx, &text) != NGX_OK) {
        ngx_str_null(&text);
    }

    r->headers_out.status = ngx_http_conflict_problem_status(ctx);

    if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_RELAY) {

        if (ngx_http_conflict_latest_answer_advice(r, latest) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (r->headers_out.status == NGX_HTTP_OK) {

        ngx_str_null(&document);

        if (latest->json && !latest->encoded && !latest->too_large) {
            ngx_http_conflict_latest_document_get(ctx, &document);
        }

        ngx_http_conflict_body_history_answered(ctx, &document);

        if (ngx_http_conflict_latest_answer_target(&r->unparsed_uri)
            && ngx_http_conflict_header_add(r, "Content-Location",
                                            (char *) r->unparsed_uri.data,
                                            r->unparsed_uri.len)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        inject = ctx->conf->inject;

        if (inject->place == NGX_HTTP_CONFLICT_JSON
            && latest->json && ctx->version.current
            && ngx_http_conflict_version_inject_text(r, inject->pointer,
                                                     ctx->version.current,
                                                     &text)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_REPLAYED
        && ctx->op->in.minted
        && ctx->caller.may_see
        && ctx->method != NGX_HTTP_DELETE
        && !(ctx->method == NGX_HTTP_PUT
             && (ctx->conf->strip_base || ctx->conf->policy == CONFLICT_MERGE)
             && (ctx->op->in.pre.kinds & CONFLICT_BASE))
        && ngx_http_conflict_validators_etag(r, ctx->version.current) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (text.len == 0 || latest->too_large || latest->encoded
        || r->headers_out.status == NGX_HTTP_NO_CONTENT)
    {
        r->headers_out.content_length_n = 0;
        r->header_only = 1;

    } else {
        r->headers_out.content_length_n = text.len;
        r->headers_out.content_type = ngx_http_conflict_capture_unfiltered(ctx)
                                      ? latest->content_type
                                      : latest->shown.content_type;
        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = NULL;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = text.data;
    b->last = text.data + text.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out->buf = b;
    out->next = NULL;

    return NGX_OK;
}


/*
 * Whether the target, as sent by the client, is valid in Content-Location: an
 * absolute path without a host or a fragment, with all bytes encoded that must
 * be (RFC 3986).
 */

static ngx_uint_t
ngx_http_conflict_latest_answer_target(ngx_str_t *target)
{
    size_t  i;
    u_char  ch;

    if (target->len == 0 || target->data[0] != '/'
        || (target->len > 1 && target->data[1] == '/'))
    {
        return 0;
    }

    for (i = 0; i < target->len; i++) {
        ch = target->data[i];

        if (ch <= ' ' || ch >= 0x7f
            || ngx_strlchr((u_char *) "\"#<>\\^`{|}",
                           (u_char *) "\"#<>\\^`{|}" + 10, ch))
        {
            return 0;
        }
    }

    return 1;
}


/* what the client is to do; a 401 may have several challenges */

static ngx_int_t
ngx_http_conflict_latest_answer_advice(ngx_http_request_t *r,
    ngx_http_conflict_latest_t *latest)
{
    const ngx_str_t                  *name;
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, &latest->request->headers_out.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        for (name = ngx_http_conflict_latest_answer_relayed;
             name->len;
             name++)
        {
            if (h->hash && ngx_http_conflict_same_name(&h->key, name)
                && ngx_http_conflict_header_add(r, (char *) name->data,
                                                (char *) h->value.data,
                                                h->value.len)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}
