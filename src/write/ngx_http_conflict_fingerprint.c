
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The fingerprint by which a retry of a write is recognized.
 */


#include "write/ngx_http_conflict_write.h"


static void ngx_http_conflict_fingerprint_fields(ngx_http_request_t *r,
    conflict_hash_t *hash);


static ngx_str_t  ngx_http_conflict_idempotency_key =
    ngx_string("idempotency-key");


/*
 * A retry has the same bytes, bases, client and view, and says the same of its
 * body.  Identical PUTs or DELETEs of two clients may be done once.  For other
 * methods, and for fields that are added to, there must be a name that tells
 * the clients apart; the id of a chain is one.
 */

ngx_int_t
ngx_http_conflict_fingerprint(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    size_t                   i;
    ngx_str_t               *key, *value;
    ngx_uint_t               nameless;
    ngx_table_elt_t         *h[3];
    conflict_hash_t         *hash, fields;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (!ctx->body.hashed || ctx->body.too_large || op->in.pre.kinds == 0
        || op->in.view == 0)
    {
        return NGX_OK;
    }

    key = ngx_http_conflict_header_find(&r->headers_in.headers,
                                        &ngx_http_conflict_idempotency_key,
                                        NULL);

    nameless = (key == NULL && ctx->caller.user.len == 0
                && ctx->caller.client.len == 0
                && !(op->in.pre.kinds & CONFLICT_CHAIN));

    if (nameless
        && (!(r->method & (NGX_HTTP_PUT|NGX_HTTP_DELETE))
            || ctx->conf->sum_rules || ctx->conf->resolver))
    {
        return NGX_OK;
    }

    ctx->caller.nameless = nameless;

    hash = &fields;

    conflict_hash_init(hash, ctx->body.sum);

    conflict_hash_field(hash, r->method_name.data, r->method_name.len);

    /* without Vary, which a worker may learn before the retry */
    conflict_hash_field(hash, &ctx->caller.selected, sizeof(uint64_t));

    conflict_hash_field(hash, ctx->caller.user.data, ctx->caller.user.len);
    conflict_hash_field(hash, ctx->caller.client.data, ctx->caller.client.len);
    conflict_hash_field(hash, ctx->pre.base.data, ctx->pre.base.len);

    ngx_http_conflict_fingerprint_fields(r, hash);

    if (key) {
        conflict_hash_field(hash, key->data, key->len);
    }

    if (op->in.pre.kinds & CONFLICT_CHAIN) {
        conflict_hash_field(hash, &op->in.pre.chain, sizeof(uint64_t));
    }

    if (op->in.edits) {
        conflict_hash_field(hash, &op->in.edit.time, sizeof(int64_t));
    }

    value = ngx_http_conflict_dav_if_tags(r);

    if (value) {
        conflict_hash_field(hash, value->data, value->len);
    }

    h[0] = r->headers_in.if_match;
    h[1] = r->headers_in.if_none_match;
    h[2] = r->headers_in.if_unmodified_since;

    for (i = 0; i < 3; i++) {

        if (h[i]) {
            conflict_hash_field(hash, &i, sizeof(i));
            conflict_hash_field(hash, h[i]->value.data, h[i]->value.len);
        }
    }

    op->in.fingerprint = conflict_hash_final(hash);

    return NGX_OK;
}


/* the same bytes may be another part of an upload, or be moved elsewhere */

static void
ngx_http_conflict_fingerprint_fields(ngx_http_request_t *r,
    conflict_hash_t *hash)
{
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, &r->headers_in.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (h->key.len && ngx_http_conflict_header_means(h)) {
            conflict_hash_field(hash, h->lowcase_key, h->key.len);
            conflict_hash_field(hash, h->value.data, h->value.len);
        }
    }
}
