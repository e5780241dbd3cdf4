
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The If field of WebDAV (RFC 4918, 10.4), where the module mints versions:
 * its entity tags are checked here.  Its lock tokens, and the upstream's own
 * tags within the entity tags, are left to the upstream.
 */


#include "write/ngx_http_conflict_write.h"
#include "core/policy/conflict_etag.h"


/* the state of the parser */

typedef struct {
    u_char                        *p;
    u_char                        *last;
    ngx_str_t                      path;       /* of the resource tag, or
                                                  empty */
    u_char                        *rest;       /* end of the text for the
                                                  upstream */
    ngx_uint_t                     tagged;     /* that text has the resource
                                                  tag */
} ngx_http_conflict_dav_if_t;


static ngx_int_t ngx_http_conflict_dav_if_parse(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_dav_if_t *in);
static ngx_int_t ngx_http_conflict_dav_if_resource(ngx_http_request_t *r,
    ngx_http_conflict_dav_if_t *in, ngx_str_t *tag);
static ngx_int_t ngx_http_conflict_dav_if_list(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_dav_if_t *in,
    ngx_str_t *tag);
static void ngx_http_conflict_dav_if_resume(ngx_http_conflict_dav_if_t *in,
    ngx_str_t *tag, ngx_uint_t open);
static ngx_int_t ngx_http_conflict_dav_if_own_tag(ngx_http_conflict_ctx_t *ctx,
    conflict_etag_t *own);
static ngx_int_t ngx_http_conflict_dav_if_tag(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_dav_if_t *in,
    ngx_uint_t not);
static void ngx_http_conflict_dav_if_space(ngx_http_conflict_dav_if_t *in);


static ngx_str_t  ngx_http_conflict_dav_if_name = ngx_string("if");

static const ngx_str_t  ngx_http_conflict_dav_if_names[] = {
    ngx_string("if"),
    ngx_null_string
};


ngx_str_t *
ngx_http_conflict_dav_if_tags(ngx_http_request_t *r)
{
    ngx_str_t  *value;

    value = ngx_http_conflict_header_find(&r->headers_in.headers,
                                          &ngx_http_conflict_dav_if_name,
                                          NULL);

    return (value && ngx_strlchr(value->data, value->data + value->len, '['))
           ? value : NULL;
}


/*
 * By the RFC one list must hold, with all of its conditions.  Here all tags of
 * a resource are alternatives, and each resource must match one.  This is the
 * same for the fields that clients send, and stricter for others.
 */

ngx_int_t
ngx_http_conflict_dav_if(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *value)
{
    ngx_http_conflict_dav_if_t  in;

    /* each condition may get an additional space and quotes */

    ctx->pre.dav_rest.data = ngx_pnalloc(r->pool, 2 * value->len + 1);
    if (ctx->pre.dav_rest.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&in, sizeof(ngx_http_conflict_dav_if_t));

    in.p = value->data;
    in.last = value->data + value->len;
    in.rest = ctx->pre.dav_rest.data;

    if (ngx_http_conflict_dav_if_parse(r, ctx, &in) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx->pre.dav_rest.len = in.rest - ctx->pre.dav_rest.data;
    ctx->pre.dav_parsed = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_dav_if_parse(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_dav_if_t *in)
{
    ngx_str_t  tag;

    ngx_str_null(&tag);

    for ( ;; ) {
        ngx_http_conflict_dav_if_space(in);

        if (in->p == in->last) {
            return NGX_OK;
        }

        if (*in->p == '<'
            && ngx_http_conflict_dav_if_resource(r, in, &tag) != NGX_OK)
        {
            return NGX_DECLINED;
        }

        ngx_http_conflict_dav_if_space(in);

        if (in->p == in->last || *in->p != '('
            || ngx_http_conflict_dav_if_list(r, ctx, in, &tag) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }
}


/* a resource tag, <http://host/path>: applies to the lists that follow */

static ngx_int_t
ngx_http_conflict_dav_if_resource(ngx_http_request_t *r,
    ngx_http_conflict_dav_if_t *in, ngx_str_t *tag)
{
    u_char     *end;
    ngx_str_t   uri;

    end = ngx_strlchr(in->p, in->last, '>');
    if (end == NULL) {
        return NGX_DECLINED;
    }

    tag->data = in->p;
    tag->len = end + 1 - in->p;

    uri.data = in->p + 1;
    uri.len = end - uri.data;

    in->p = end + 1;
    in->tagged = 0;

    return ngx_http_conflict_pair_destination(r, &uri, &in->path);
}


static ngx_int_t
ngx_http_conflict_dav_if_list(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_dav_if_t *in,
    ngx_str_t *tag)
{
    u_char           *start, *end;
    ngx_uint_t        not, open;
    conflict_etag_t   own;

    open = 0;
    in->p++;

    for ( ;; ) {
        ngx_http_conflict_dav_if_space(in);
        start = in->p;

        not = (in->last - in->p > 3
               && ngx_strncasecmp(in->p, (u_char *) "Not", 3) == 0);

        if (not) {
            in->p += 3;
            ngx_http_conflict_dav_if_space(in);
        }

        if (in->p == in->last) {
            return NGX_DECLINED;
        }

        switch (*in->p) {

        case ')':

            if (not) {
                return NGX_DECLINED;
            }

            in->p++;

            if (open) {
                *in->rest++ = ')';
            }

            return NGX_OK;

        case '[':

            if (ngx_http_conflict_dav_if_tag(r, ctx, in, not) != NGX_OK) {
                return NGX_DECLINED;
            }

            if (!not && ngx_http_conflict_dav_if_own_tag(ctx, &own) == NGX_OK) {
                ngx_http_conflict_dav_if_resume(in, tag, open);
                in->rest = ngx_sprintf(in->rest, own.weak ? "[W/\"%*s\"]"
                                                          : "[\"%*s\"]",
                                       own.len, own.data);
                open = 1;
            }

            break;

        case '<':

            /* a lock token, for the upstream */

            end = ngx_strlchr(in->p, in->last, '>');
            if (end == NULL) {
                return NGX_DECLINED;
            }

            in->p = end + 1;

            ngx_http_conflict_dav_if_resume(in, tag, open);
            in->rest = ngx_cpymem(in->rest, start, in->p - start);
            open = 1;
            break;

        default:
            return NGX_DECLINED;
        }
    }
}


/* begins the list for the upstream, or continues it */

static void
ngx_http_conflict_dav_if_resume(ngx_http_conflict_dav_if_t *in, ngx_str_t *tag,
    ngx_uint_t open)
{
    if (tag->len && !in->tagged) {
        in->rest = ngx_cpymem(in->rest, tag->data, tag->len);
        in->tagged = 1;
    }

    *in->rest++ = open ? ' ' : '(';
}


/*
 * The upstream's own tag in the one that was read, for the upstream to check.
 * A tag with a suffix is not used, as it may be a front end's.
 */

static ngx_int_t
ngx_http_conflict_dav_if_own_tag(ngx_http_conflict_ctx_t *ctx,
    conflict_etag_t *own)
{
    ngx_http_conflict_when_t  *when;

    when = (ngx_http_conflict_when_t *) ctx->pre.when->elts
           + ctx->pre.when->nelts - 1;

    return (when->version < CONFLICT_VERSION_LIMIT
            && conflict_version_upstream_tag(own, (char *) when->tag.data,
                                             when->tag.len)
               == 0
            && conflict_etag_bare(own->data, own->len) == own->len)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_conflict_dav_if_tag(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_dav_if_t *in,
    ngx_uint_t not)
{
    u_char                    *end;
    const char                *p;
    conflict_etag_t            etag;
    ngx_http_conflict_when_t  *when;

    end = ngx_strlchr(in->p, in->last, ']');
    if (end == NULL) {
        return NGX_DECLINED;
    }

    p = (const char *) in->p + 1;

    if ((conflict_etag_next(&p, (const char *) end, &etag)
         != CONFLICT_ETAG_TAG
         && conflict_version_unquoted(&p, (const char *) end, &etag) != 0)
        || p != (const char *) end)
    {
        return NGX_DECLINED;
    }

    in->p = end + 1;

    if (ctx->pre.when == NULL) {
        ctx->pre.when = ngx_array_create(r->pool, 4,
                                         sizeof(ngx_http_conflict_when_t));
        if (ctx->pre.when == NULL) {
            return NGX_ERROR;
        }
    }

    when = ngx_array_push(ctx->pre.when);
    if (when == NULL) {
        return NGX_ERROR;
    }

    when->path = in->path.len ? in->path : r->uri;
    when->tag.data = (u_char *) etag.data;
    when->tag.len = etag.len;
    when->version = conflict_version_from_tag(etag.data, etag.len);
    when->weak = etag.weak;
    when->not = not;
    when->used = 0;

    return NGX_OK;
}


void
ngx_http_conflict_dav_if_take(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_op_t *op, ngx_str_t *path)
{
    ngx_uint_t                 i;
    conflict_precondition_t   *pre;
    ngx_http_conflict_when_t  *when;

    pre = &op->in.pre;
    when = ctx->pre.when ? ctx->pre.when->elts : NULL;

    for (i = 0; when && i < ctx->pre.when->nelts; i++) {

        if (!ngx_http_conflict_same(&when[i].path, path)) {
            continue;
        }

        when[i].used = 1;

        if (when[i].not) {
            ((uint64_t *) pre->none)[pre->nones++] = when[i].version;
            pre->kinds |= CONFLICT_IF_NONE_MATCH;
            continue;
        }

        ((uint64_t *) pre->match)[pre->matches++] = when[i].version;
        pre->kinds |= CONFLICT_IF_MATCH;

        if (ctx->pre.base.len == 0) {
            ngx_http_conflict_entity_tags_base(ctx, &when[i].tag);
        }
    }
}


ngx_uint_t
ngx_http_conflict_dav_if_has(ngx_http_conflict_ctx_t *ctx, ngx_str_t *tag)
{
    ngx_str_t                 *path;
    ngx_uint_t                 i;
    ngx_http_conflict_when_t  *when;

    path = ctx->get.uri.len ? &ctx->get.uri : &ctx->request->uri;
    when = ctx->pre.when->elts;

    for (i = 0; i < ctx->pre.when->nelts; i++) {

        if (!when[i].not && !when[i].weak
            && ngx_http_conflict_same(&when[i].path, path)
            && ngx_http_conflict_same(&when[i].tag, tag))
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_conflict_dav_if_end(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                 i;
    ngx_http_conflict_when_t  *when;

    when = ctx->pre.when ? ctx->pre.when->elts : NULL;

    for (i = 0; when && i < ctx->pre.when->nelts; i++) {

        if (when[i].used) {
            continue;
        }

        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_BAD_BASE;
        ctx->flow.reason = "If has an entity tag for a resource that this "
                           "request does not write";

        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_dav_if_hide(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    if (!ctx->pre.dav_parsed) {
        return NGX_OK;
    }

    if (ngx_http_conflict_header_own(r, ngx_http_conflict_dav_if_names)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->pre.dav_rest.len
        && ngx_http_conflict_header_push(r, "If", "if", &ctx->pre.dav_rest)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_conflict_dav_if_space(ngx_http_conflict_dav_if_t *in)
{
    while (in->p < in->last && (*in->p == ' ' || *in->p == '\t')) {
        in->p++;
    }
}
