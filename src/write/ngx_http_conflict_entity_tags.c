
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Entity tags in requests: they are read as versions although filters and
 * front ends may have changed them, and are forwarded as the upstream has
 * sent them.
 */


#include "write/ngx_http_conflict_write.h"
#include "core/policy/conflict_etag.h"


static u_char *ngx_http_conflict_entity_tags_print(ngx_http_conflict_ctx_t *ctx,
    conflict_etag_t *etag, u_char *p);


static const ngx_str_t  ngx_http_conflict_match_names[] = {
    ngx_string("if-match"),
    ngx_null_string
};


/* two versions of an upstream's own tag: with and without a suffix */

size_t
ngx_http_conflict_entity_tags_max(ngx_http_conflict_loc_conf_t *nlcf,
    ngx_table_elt_t *h)
{
    size_t  n;

    /* a tag has at least two quotes, and a comma before the next one */

    n = h ? h->value.len / 2 + 1 : 0;

    return ngx_http_conflict_conf_minted(nlcf) ? n : 2 * n;
}


/*
 * "W/" is accepted: nginx's filters weaken the tags that the module sets, and
 * a weak tag of an upstream never equals one of these.
 */

ngx_int_t
ngx_http_conflict_entity_tags(ngx_http_conflict_ctx_t *ctx, ngx_str_t *value,
    uint64_t *versions, size_t *n, ngx_str_t *only)
{
    size_t            bare;
    ngx_uint_t        tags;
    const char       *p, *last;
    conflict_etag_t   etag;
    conflict_etag_e   rc;

    p = (const char *) value->data;
    last = p + value->len;

    for (tags = 0; /* void */ ; tags++) {
        rc = conflict_etag_next(&p, last, &etag);

        if (rc == CONFLICT_ETAG_END) {
            return tags ? NGX_OK : NGX_DECLINED;
        }

        if (rc == CONFLICT_ETAG_MALFORMED
            && !(ctx->op->in.minted
                 && conflict_version_unquoted(&p, last, &etag) == 0))
        {
            return NGX_DECLINED;
        }

        ngx_str_null(only);

        if (tags == 0 && (ctx->op->in.minted || !etag.weak)) {
            only->data = (u_char *) etag.data;
            only->len = etag.len;
        }

        if (ctx->op->in.minted) {
            versions[(*n)++] = conflict_version_from_tag(etag.data, etag.len);
            continue;
        }

        versions[(*n)++] = conflict_version_from_text(etag.data, etag.len);

        bare = conflict_etag_bare(etag.data, etag.len);

        if (bare != etag.len) {
            versions[(*n)++] = conflict_version_from_text(etag.data, bare);
        }
    }
}


ngx_uint_t
ngx_http_conflict_entity_tags_match(ngx_http_request_t *r, ngx_str_t *tag)
{
    const char       *p, *last;
    conflict_etag_t   etag;

    p = (const char *) r->headers_in.if_match->value.data;
    last = p + r->headers_in.if_match->value.len;

    while (conflict_etag_next(&p, last, &etag) == CONFLICT_ETAG_TAG) {

        if (!etag.weak && etag.len == tag->len
            && ngx_memcmp(etag.data, tag->data, tag->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_conflict_entity_tags_base(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *tag)
{
    size_t  n;

    ctx->pre.base = *tag;

    if (!ctx->op->in.minted
        || conflict_version_from_tag((char *) tag->data, tag->len)
           >= CONFLICT_VERSION_LIMIT)
    {
        return;
    }

    for (n = 0; n < tag->len && tag->data[n] >= '0' && tag->data[n] <= '9';
         n++)
    {
        /* void */
    }

    ctx->pre.base.len = n;
}


/* for a base in a body or a custom header; of If-Match both are compared */

ngx_uint_t
ngx_http_conflict_entity_tags_retry(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (ctx->pre.bare_tag == 0 || op->out.version != ctx->pre.bare_tag
        || op->in.pre.kinds != CONFLICT_BASE
        || op->out.verdict == CONFLICT_LOCKED)
    {
        return 0;
    }

    op->in.pre.base = ctx->pre.bare_tag;
    ctx->pre.bare_tag = 0;

    if (op->out.leased) {
        /* it passes anyway, or was about to be merged with its own base */
        op->out.verdict = CONFLICT_PASS;
        return 0;
    }

    return 1;
}


/*
 * An upstream that compares tags as in RFC 9110, 8.8.3.2 never matches a weak
 * one, and no upstream matches one with the suffix of a front end.
 */

ngx_int_t
ngx_http_conflict_entity_tags_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    u_char           *p, *start;
    ngx_str_t         value, *sent;
    ngx_uint_t        changed;
    const char       *in, *last, *end;
    conflict_etag_t   etag;

    if (ctx->pre.matched == 0 || ctx->op->in.minted || ctx->conf->report) {
        return NGX_OK;
    }

    sent = &r->headers_in.if_match->value;

    value.data = ngx_pnalloc(r->pool, 2 * sent->len + 2);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    changed = 0;
    p = value.data;
    in = (const char *) sent->data;
    last = in + sent->len;

    while (conflict_etag_next(&in, last, &etag) == CONFLICT_ETAG_TAG) {

        if (p != value.data) {
            *p++ = ',';
            *p++ = ' ';
        }

        start = p;
        p = ngx_http_conflict_entity_tags_print(ctx, &etag, p);

        /* a suffix may follow the closing quote as well */

        end = etag.data + etag.len + 1;

        changed |= ((size_t) (p - start) != etag.len + (etag.weak ? 4 : 2)
                    || (end < last && *end != ',' && *end != ' '
                        && *end != '\t'));
    }

    if (!changed) {
        return NGX_OK;
    }

    value.len = p - value.data;

    if (ngx_http_conflict_header_own(r, ngx_http_conflict_match_names)
        != NGX_OK
        || ngx_http_conflict_header_push(r, "If-Match", "if-match", &value)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static u_char *
ngx_http_conflict_entity_tags_print(ngx_http_conflict_ctx_t *ctx,
    conflict_etag_t *etag, u_char *p)
{
    size_t      len;
    ngx_uint_t  weak;

    len = etag->len;
    weak = etag->weak;

    if (conflict_version_from_text(etag->data, len) != ctx->pre.matched) {
        len = conflict_etag_bare(etag->data, len);
    }

    if (conflict_version_from_text(etag->data, len) != ctx->pre.matched) {
        /* not the tag that matched */
        len = etag->len;

    } else if (ngx_http_conflict_version_source_tagged(ctx->conf->version)) {
        weak = 0;
    }

    if (weak) {
        p = ngx_cpymem(p, "W/", 2);
    }

    *p++ = '"';
    p = ngx_cpymem(p, etag->data, len);
    *p++ = '"';

    return p;
}
