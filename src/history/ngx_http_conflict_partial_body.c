
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Parts in the history: their encoding, and the base of a client that has sent
 * parts only, which is composed of them and the document it was shown before.
 */


#include "history/ngx_http_conflict_history.h"
#include "core/json/conflict_tree.h"
#include "core/merge/conflict_part.h"
#include "core/policy/conflict_chain.h"
#include "core/text/conflict_buffer.h"
#include "process/ngx_http_conflict_random.h"


/* the form, a byte with which no JSON begins, and the base version */

#define NGX_HTTP_CONFLICT_PART_HEAD  (1 + sizeof(uint64_t))

/* parts that one base is composed of, at most */

#define NGX_HTTP_CONFLICT_PARTS      16


static uint64_t ngx_http_conflict_partial_body_base(
    ngx_http_conflict_ctx_t *ctx);
static uint64_t ngx_http_conflict_partial_body_decode(ngx_str_t *body,
    conflict_document_t *doc);
static ngx_int_t ngx_http_conflict_partial_body_copy(ngx_pool_t *pool,
    conflict_document_t *doc);
static ngx_int_t ngx_http_conflict_partial_body_compose(
    ngx_http_conflict_ctx_t *ctx, conflict_document_t *doc);


ngx_int_t
ngx_http_conflict_partial_body_encode(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body, conflict_form_e form)
{
    u_char      *p;
    uint64_t     base;
    ngx_uint_t   i;

    p = ngx_pnalloc(ctx->request->pool,
                    NGX_HTTP_CONFLICT_PART_HEAD + body->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    base = ngx_http_conflict_partial_body_base(ctx);

    *p = (u_char) form;

    for (i = sizeof(uint64_t); i; i--) {
        p[i] = (u_char) base;
        base >>= 8;
    }

    ngx_memcpy(p + NGX_HTTP_CONFLICT_PART_HEAD, body->data, body->len);

    body->data = p;
    body->len += NGX_HTTP_CONFLICT_PART_HEAD;

    return NGX_OK;
}


/* the version that the client has edited; 0: unknown */

static uint64_t
ngx_http_conflict_partial_body_base(ngx_http_conflict_ctx_t *ctx)
{
    conflict_precondition_t  *pre;

    pre = &ctx->op->in.pre;

    if (pre->kinds & CONFLICT_CHAIN) {

        if (!ctx->op->in.mixed) {
            /* the version made by the previous link */
            return ctx->version.compared;
        }

        return (conflict_chain_number(pre->chain) == 1) ? pre->chain_base : 0;
    }

    return (pre->kinds & CONFLICT_BASE) ? pre->base : 0;
}


ngx_int_t
ngx_http_conflict_partial_body_link(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *body)
{
    int                         rc;
    conflict_buffer_t           out;
    conflict_document_t         part;
    ngx_http_conflict_merge_t  *merge;

    merge = &ctx->merge;

    if (ctx->op->out.verdict == CONFLICT_PASS) {
        return ngx_http_conflict_partial_body_encode(ctx, body, merge->form);
    }

    if (merge->base.data == NULL || merge->base.form != CONFLICT_FORM_WHOLE) {
        return NGX_DECLINED;
    }

    part.data = body->data;
    part.len = body->len;
    part.form = merge->form;

    ngx_memzero(&out, sizeof(conflict_buffer_t));

    rc = ngx_http_conflict_partial_body_apply(ctx, &merge->base, &part, &out);

    part.data = out.data;
    part.len = out.len;

    if (rc == 0) {
        rc = ngx_http_conflict_partial_body_copy(ctx->request->pool, &part);
    }

    conflict_buffer_free(&out);

    body->data = (u_char *) part.data;
    body->len = part.len;

    return rc ? NGX_DECLINED : NGX_OK;
}


void
ngx_http_conflict_partial_body_made(ngx_http_conflict_ctx_t *ctx,
    conflict_document_t *doc)
{
    (void) ngx_http_conflict_partial_body_decode(&ctx->op->out.made_body, doc);
}


/* returns the base version; 0: unknown, or not a part */

static uint64_t
ngx_http_conflict_partial_body_decode(ngx_str_t *body, conflict_document_t *doc)
{
    uint64_t    base;
    ngx_uint_t  i;

    doc->data = body->data;
    doc->len = body->len;
    doc->form = CONFLICT_FORM_WHOLE;

    if (body->len < NGX_HTTP_CONFLICT_PART_HEAD
        || body->data[0] == CONFLICT_FORM_WHOLE
        || body->data[0] > CONFLICT_FORM_JSON_PATCH)
    {
        return 0;
    }

    base = 0;

    for (i = 1; i < NGX_HTTP_CONFLICT_PART_HEAD; i++) {
        base = base << 8 | body->data[i];
    }

    doc->form = body->data[0];
    doc->data += NGX_HTTP_CONFLICT_PART_HEAD;
    doc->len -= NGX_HTTP_CONFLICT_PART_HEAD;

    return base;
}


ngx_int_t
ngx_http_conflict_partial_body_recalled(ngx_http_conflict_ctx_t *ctx)
{
    uint64_t                    version;
    conflict_document_t         doc, *part;
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_merge_t  *merge;

    op = ctx->op;
    merge = &ctx->merge;

    version = ngx_http_conflict_partial_body_decode(&op->out.base_body, &doc);

    if (doc.form == CONFLICT_FORM_WHOLE) {
        return ngx_http_conflict_partial_body_compose(ctx,
                                                      op->out.base_held ? &doc
                                                                        : NULL);
    }

    if (merge->parts == NULL) {
        merge->parts = ngx_array_create(ctx->request->pool, 4,
                                        sizeof(conflict_document_t));
        if (merge->parts == NULL) {
            return NGX_ERROR;
        }

        merge->version = op->in.pre.base;
    }

    part = ngx_array_push(merge->parts);
    if (part == NULL) {
        return NGX_ERROR;
    }

    *part = doc;

    if (ngx_http_conflict_partial_body_copy(ctx->request->pool, part)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (version == 0 || merge->parts->nelts == NGX_HTTP_CONFLICT_PARTS) {
        return ngx_http_conflict_partial_body_compose(ctx, NULL);
    }

    op->in.pre.base = version;
    op->in.unlinked = 1;

    return NGX_AGAIN;
}


int
ngx_http_conflict_partial_body_apply(ngx_http_conflict_ctx_t *ctx,
    conflict_document_t *doc, conflict_document_t *part, conflict_buffer_t *out)
{
    return (part->form == CONFLICT_FORM_JSON_PATCH)
           ? conflict_patch_apply(doc, part, out, ctx->conf->max_values,
                                  ngx_http_conflict_random_seed())
           : conflict_part_apply(doc, part, out, ctx->conf->max_values,
                                 ngx_http_conflict_random_seed());
}


/* a body found by the store is valid until the next call */

static ngx_int_t
ngx_http_conflict_partial_body_copy(ngx_pool_t *pool, conflict_document_t *doc)
{
    u_char  *p;

    p = ngx_pnalloc(pool, doc->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, doc->data, doc->len);
    doc->data = p;

    return NGX_OK;
}


/*
 * Applies the parts, which are in order from the newest, to the document on
 * which they were made.  Without it they are composed to one part, or to none
 * if there are only JSON Patches.
 */

static ngx_int_t
ngx_http_conflict_partial_body_compose(ngx_http_conflict_ctx_t *ctx,
    conflict_document_t *doc)
{
    int                         rc;
    ngx_uint_t                  i;
    conflict_buffer_t           out;
    conflict_document_t         whole, *part;
    ngx_http_conflict_merge_t  *merge;

    merge = &ctx->merge;

    if (merge->parts == NULL) {

        if (doc) {
            merge->base = *doc;
        }

        return NGX_OK;
    }

    ctx->op->in.pre.base = merge->version;
    ctx->op->in.unlinked = 0;

    part = merge->parts->elts;

    if (part[0].form != CONFLICT_FORM_JSON_PATCH) {
        merge->base = part[0];
    }

    if (doc) {
        whole = *doc;

    } else {
        whole.data = (u_char *) "{}";
        whole.len = sizeof("{}") - 1;
        whole.form = CONFLICT_FORM_SHALLOW;
    }

    for (i = merge->parts->nelts; i; i--) {
        ngx_memzero(&out, sizeof(conflict_buffer_t));

        rc = ngx_http_conflict_partial_body_apply(ctx, &whole, &part[i - 1],
                                                  &out);

        whole.data = out.data;
        whole.len = out.len;

        if (rc == 0
            && ngx_http_conflict_partial_body_copy(ctx->request->pool, &whole)
               != NGX_OK)
        {
            conflict_buffer_free(&out);
            return NGX_ERROR;
        }

        conflict_buffer_free(&out);

        if (rc != 0) {
            return NGX_OK;
        }

        if (doc == NULL && part[i - 1].form != CONFLICT_FORM_SHALLOW) {
            whole.form = CONFLICT_FORM_DEEP;
        }
    }

    merge->base = whole;

    return NGX_OK;
}
