
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Conflict-Chain: the write is a link of a chain, a sequence of writes that
 * an offline client made one upon the other, and all on one base.
 */


#include "write/ngx_http_conflict_write.h"
#include "core/policy/conflict_chain.h"


static const char *ngx_http_conflict_chain_read(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *value, u_char *buf);


static ngx_str_t  ngx_http_conflict_chain_name = ngx_string("conflict-chain");


ngx_str_t *
ngx_http_conflict_chain_field(ngx_http_request_t *r, ngx_uint_t *n)
{
    return ngx_http_conflict_header_find(&r->headers_in.headers,
                                         &ngx_http_conflict_chain_name, n);
}


ngx_int_t
ngx_http_conflict_chain(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    u_char      *buf;
    ngx_str_t   *value;
    ngx_uint_t   n;

    value = ngx_http_conflict_chain_field(r, &n);

    if (value == NULL) {
        return NGX_OK;
    }

    if (n > 1) {
        ctx->flow.reason = "Conflict-Chain is repeated";
        return NGX_DECLINED;
    }

    buf = ngx_pnalloc(r->pool, value->len + 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    ctx->flow.reason = ngx_http_conflict_chain_read(ctx, value, buf);

    return ctx->flow.reason ? NGX_DECLINED : NGX_OK;
}


/* returns the error, or NULL */

static const char *
ngx_http_conflict_chain_read(ngx_http_conflict_ctx_t *ctx, ngx_str_t *value,
    u_char *buf)
{
    uint64_t                  base;
    ngx_str_t                 text;
    ngx_uint_t                other;
    conflict_hash_t           hash;
    conflict_chain_t          chain;
    conflict_precondition_t  *pre;

    pre = &ctx->op->in.pre;

    switch (conflict_chain_parse(&chain, (char *) value->data, value->len,
                                 (char *) buf))
    {

    case CONFLICT_CHAIN_OK:
        break;

    case CONFLICT_CHAIN_BAD_ID:
        return "the id of Conflict-Chain must be a string or a token of "
               "8 to 64 bytes";

    case CONFLICT_CHAIN_BAD_BASE:
        return "Conflict-Chain must have a base: the version that the chain is "
               "based on, an integer or a string, or * if link 1 creates the "
               "resource";

    case CONFLICT_CHAIN_BAD_NUMBER:
        return "Conflict-Chain must have n: the number of the link, from 1 "
               "to 65535";

    default: /* CONFLICT_CHAIN_MALFORMED */
        return "Conflict-Chain is not an item such as "
               "f2c91d08;base=1795532400000;n=2 (RFC 9651)";
    }

    /* a base in another header takes precedence */

    other = (pre->kinds & CONFLICT_BASE);
    base = pre->base;

    if (chain.base) {
        text.data = (u_char *) chain.base;
        text.len = chain.base_len;

        if (ngx_http_conflict_precondition_version(ctx, &text, 0, 0)
            != NGX_OK)
        {
            return "the base of Conflict-Chain is not an integer";
        }

        pre->chain_base = pre->base;
    }

    if (other) {
        pre->base = base;
    }

    /* not X-Client, which may be the same in all tabs of a browser */

    conflict_hash_init(&hash, 0);
#if (CONFLICT_BROKEN == 7)
    chain.id_len = 0;
#endif
    conflict_hash_field(&hash, chain.id, chain.id_len);
    conflict_hash_field(&hash, &pre->chain_base, sizeof(uint64_t));
    conflict_hash_field(&hash, ctx->caller.user.data, ctx->caller.user.len);

    pre->chain = conflict_chain_word(conflict_hash_final(&hash), chain.n);
    pre->kinds |= CONFLICT_CHAIN;

    return NULL;
}
