
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Conditional reads of minted versions.  A tag has the upstream's own tag after
 * the version, so conditions can be forwarded as the upstream knows them, and
 * no response has to be remembered.
 */


#include "write/ngx_http_conflict_write.h"
#include "core/policy/conflict_etag.h"


#define NGX_HTTP_CONFLICT_OWN_TAG_MAX  512     /* bytes, longer: omitted */


/* a tag in a client's list */

typedef struct {
    conflict_etag_t   etag;
    conflict_etag_t   own;         /* the upstream's own tag in it */
    uint64_t          version;
    unsigned          has_own:1;
} ngx_http_conflict_tag_t;


typedef enum {
    NGX_HTTP_CONFLICT_CONDITION_FAILS = 0,
    NGX_HTTP_CONFLICT_CONDITION_HOLDS,      /* by a tag of the module */
    NGX_HTTP_CONFLICT_CONDITION_UPSTREAM    /* by the upstream's own, without a
                                               version */
} ngx_http_conflict_condition_e;


static ngx_int_t ngx_http_conflict_revalidate_tag_next(ngx_str_t *list,
    size_t *pos, ngx_http_conflict_tag_t *tag);
static ngx_int_t ngx_http_conflict_revalidate_tag_read(
    ngx_http_conflict_ctx_t *ctx, conflict_etag_t *etag);
static ngx_uint_t ngx_http_conflict_revalidate_tag_same(conflict_etag_t *a,
    conflict_etag_t *b, ngx_uint_t strong);
static ngx_uint_t ngx_http_conflict_revalidate_is_tag(ngx_str_t *value);
static ngx_int_t ngx_http_conflict_revalidate_tag_echo(ngx_http_request_t *r,
    ngx_http_conflict_tag_t *tag);
static ngx_uint_t ngx_http_conflict_revalidate_own_tags(
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *list, ngx_str_t *value);
static ngx_uint_t ngx_http_conflict_revalidate_date_unique(
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_revalidate_range(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *value);
static ngx_int_t ngx_http_conflict_revalidate_push(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_str_t *value);
static ngx_http_conflict_condition_e ngx_http_conflict_revalidate_match(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx, ngx_str_t *list,
    ngx_uint_t strong, ngx_uint_t plain, ngx_http_conflict_tag_t *tag);
static ngx_int_t ngx_http_conflict_revalidate_if_none_match(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx, ngx_uint_t dated);
static ngx_uint_t ngx_http_conflict_revalidate_if_range(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx, ngx_uint_t dated);
static ngx_uint_t ngx_http_conflict_revalidate_if_modified_since(
    ngx_http_request_t *r);


/* request fields: always hidden, and those that may be forwarded */

static const ngx_str_t  ngx_http_conflict_conditional[] = {
    ngx_string("if-match"),
    ngx_string("if-unmodified-since"),
    ngx_string("if-none-match")
};

static const ngx_str_t  ngx_http_conflict_since =
    ngx_string("if-modified-since");

static const ngx_str_t  ngx_http_conflict_if_range = ngx_string("if-range");

static const ngx_str_t  ngx_http_conflict_range = ngx_string("range");


/* for nginx's filter, if the condition holds */

static ngx_table_elt_t  ngx_http_conflict_any = {
    1,
    ngx_string("If-None-Match"),
    ngx_string("*"),
    (u_char *) "if-none-match"
#if (nginx_version >= 1023000)
    , NULL
#endif
};


static ngx_int_t
ngx_http_conflict_revalidate_tag_next(ngx_str_t *list, size_t *pos,
    ngx_http_conflict_tag_t *tag)
{
    const char  *p;

    p = (char *) list->data + *pos;

    if (conflict_etag_next(&p, (char *) list->data + list->len, &tag->etag)
        != CONFLICT_ETAG_TAG)
    {
        return NGX_DONE;
    }

    *pos = p - (char *) list->data;

    tag->version = conflict_version_from_tag(tag->etag.data, tag->etag.len);

    tag->has_own = (tag->version < CONFLICT_VERSION_LIMIT
                    && conflict_version_upstream_tag(&tag->own, tag->etag.data,
                                                     tag->etag.len)
                       == 0);

    return NGX_OK;
}


/* the upstream's tag, exactly one */

static ngx_int_t
ngx_http_conflict_revalidate_tag_read(ngx_http_conflict_ctx_t *ctx,
    conflict_etag_t *etag)
{
    ngx_str_t   *text;
    const char  *p, *last;

    text = &ctx->version.upstream_tag;
    p = (char *) text->data;
    last = p + text->len;

    return (conflict_etag_next(&p, last, etag) == CONFLICT_ETAG_TAG
            && p == last)
           ? NGX_OK : NGX_DECLINED;
}


/*
 * In the weak comparison (RFC 9110, 8.8.3.2) the client's tag "a" may have a
 * suffix that a front end has appended for another encoding.
 */

static ngx_uint_t
ngx_http_conflict_revalidate_tag_same(conflict_etag_t *a, conflict_etag_t *b,
    ngx_uint_t strong)
{
    return (a->len == b->len
            || (!strong && conflict_etag_bare(a->data, a->len) == b->len))
           && ngx_memcmp(a->data, b->data, b->len) == 0;
}


/* If-Range has a tag or a date */

static ngx_uint_t
ngx_http_conflict_revalidate_is_tag(ngx_str_t *value)
{
    return value->len && value->data[value->len - 1] == '"';
}


/* sets ETag to the client's tag as it was sent */

static ngx_int_t
ngx_http_conflict_revalidate_tag_echo(ngx_http_request_t *r,
    ngx_http_conflict_tag_t *tag)
{
    size_t  before;

    before = tag->etag.weak ? sizeof("W/\"") - 1 : sizeof("\"") - 1;

    return ngx_http_conflict_validators_etag_text(r, tag->etag.data - before,
                                                  before + tag->etag.len + 1);
}


ngx_int_t
ngx_http_conflict_revalidate_set_etag(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, uint64_t version)
{
    u_char           *p;
    u_char            text[NGX_INT64_LEN + NGX_HTTP_CONFLICT_OWN_TAG_MAX
                           + sizeof("\".W/\"")];
    conflict_etag_t   own;

    if (version == 0 || version >= CONFLICT_VERSION_LIMIT
        || ctx->version.upstream_tag.len > NGX_HTTP_CONFLICT_OWN_TAG_MAX
        || ngx_http_conflict_revalidate_tag_read(ctx, &own) != NGX_OK
        || (!own.weak && own.len >= 2 && ngx_memcmp(own.data, "W/", 2) == 0)
        || (r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT
            && ctx->conf->inject->place != NGX_HTTP_CONFLICT_DEFAULT))
    {
        return ngx_http_conflict_validators_etag(r, version);
    }

    p = ngx_sprintf(text, "\"%uL.%s%*s\"", version, own.weak ? "W/" : "",
                    own.len, own.data);

    return ngx_http_conflict_validators_etag_text(r, (char *) text, p - text);
}


/*
 * Only conditions on the current version are forwarded, as an earlier version
 * may have the same validator: a date and a size, for example.
 */

ngx_int_t
ngx_http_conflict_revalidate(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t         part;
    ngx_str_t         tags, tag, hidden[7];
    ngx_uint_t        n, dates;
    ngx_table_elt_t  *h;

    ngx_str_null(&tags);
    ngx_str_null(&tag);

    ngx_memcpy(hidden, ngx_http_conflict_conditional,
               sizeof(ngx_http_conflict_conditional));

    n = sizeof(ngx_http_conflict_conditional) / sizeof(ngx_str_t);
    dates = ngx_http_conflict_revalidate_date_unique(ctx);

    h = r->headers_in.if_none_match;

    if (h) {
        tags.data = ngx_pnalloc(r->pool, 2 * h->value.len + 1);
        if (tags.data == NULL) {
            return NGX_ERROR;
        }

        if (!ngx_http_conflict_revalidate_own_tags(ctx, &h->value, &tags)
            && tags.len == 0)
        {
            /* a date is ignored if there are tags (RFC 9110, 13.1.3) */
            dates = 0;
        }
    }

    if (!dates) {
        hidden[n++] = ngx_http_conflict_since;
    }

    part = ngx_http_conflict_revalidate_range(r, ctx, &tag);

    if (part == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (part == NGX_DECLINED) {
        hidden[n++] = ngx_http_conflict_range;
    }

    if (part == NGX_DECLINED || tag.len) {
        hidden[n++] = ngx_http_conflict_if_range;
    }

    ngx_str_null(&hidden[n]);

    if (((tags.len || tag.len)
         ? ngx_http_conflict_header_own(r, hidden)
         : ngx_http_conflict_header_hide(r, hidden))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tags.len && ngx_http_conflict_revalidate_push(r, h, &tags) != NGX_OK) {
        return NGX_ERROR;
    }

    if (tag.len == 0) {
        return NGX_OK;
    }

    return ngx_http_conflict_revalidate_push(r, r->headers_in.if_range, &tag);
}


/*
 * The tags of the current version, as the upstream has sent them.  A suffix
 * may be a front end's or the upstream's, so such a tag is sent with and
 * without it; both are shorter than the module's tag.  1: a tag has none of
 * the upstream's, so If-Modified-Since may be needed.
 */

static ngx_uint_t
ngx_http_conflict_revalidate_own_tags(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *list, ngx_str_t *value)
{
    size_t                    pos, bare;
    u_char                   *p;
    ngx_uint_t                plain;
    ngx_http_conflict_tag_t   tag;

    p = value->data;
    plain = 0;
    pos = 0;

    while (ngx_http_conflict_revalidate_tag_next(list, &pos, &tag) == NGX_OK) {

        if (tag.version != ctx->version.current) {
            continue;
        }

        if (!tag.has_own) {
            plain = 1;
            continue;
        }

        p = ngx_sprintf(p, "%s%s\"%*s\"", (p == value->data) ? "" : ", ",
                        tag.own.weak ? "W/" : "", tag.own.len, tag.own.data);

        bare = conflict_etag_bare(tag.own.data, tag.own.len);

        if (bare != tag.own.len) {
            p = ngx_sprintf(p, ", %s\"%*s\"", tag.own.weak ? "W/" : "", bare,
                            tag.own.data);
        }
    }

    *p = '\0';
    value->len = p - value->data;

    return plain;
}


/* no other version was shown with the date of this one */

static ngx_uint_t
ngx_http_conflict_revalidate_date_unique(ngx_http_conflict_ctx_t *ctx)
{
    return ctx->version.current && !ctx->op->out.second_reused;
}


/*
 * Range with If-Range.  NGX_OK: forwarded as it is, or with *value as the tag;
 * NGX_DECLINED: the body may have changed, so all of it is needed.
 */

static ngx_int_t
ngx_http_conflict_revalidate_range(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *value)
{
    size_t                    pos;
    u_char                   *p;
    ngx_table_elt_t          *h;
    ngx_http_conflict_tag_t   tag;

    h = r->headers_in.if_range;

    if (h == NULL) {
        return NGX_OK;
    }

    if (ctx->conf->inject->place != NGX_HTTP_CONFLICT_DEFAULT
        || (ctx->list && ctx->list->marked))
    {
        /* offsets in the client's body are not those of the upstream's */
        return NGX_DECLINED;
    }

    if (!ngx_http_conflict_revalidate_is_tag(&h->value)) {
        return ngx_http_conflict_revalidate_date_unique(ctx)
               ? NGX_OK : NGX_DECLINED;
    }

    pos = 0;

    if (ngx_http_conflict_revalidate_tag_next(&h->value, &pos, &tag) != NGX_OK
        || tag.version >= CONFLICT_VERSION_LIMIT)
    {
        /* not the module's tag */
        return NGX_OK;
    }

    if (tag.version != ctx->version.current || !tag.has_own || tag.own.weak
        || tag.etag.weak)
    {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, tag.own.len + sizeof("\"\""));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    p = ngx_sprintf(p, "\"%*s\"", tag.own.len, tag.own.data);
    *p = '\0';
    value->len = p - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_revalidate_push(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_str_t *value)
{
    ngx_table_elt_t  *copy;

    copy = ngx_list_push(&r->headers_in.headers);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *h;
    copy->value = *value;
#if (nginx_version >= 1023000)
    copy->next = NULL;
#endif

    return NGX_OK;
}


/*
 * By the upstream's 304 the client has the current body, so the response gets
 * the client's own tag.  If several tags are possible, or there was only a
 * date, it has no version, since that of the client's body is unknown.
 */

ngx_int_t
ngx_http_conflict_revalidate_not_modified(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    size_t                    pos;
    ngx_str_t                 none, *list;
    ngx_uint_t                n, known, dated;
    conflict_etag_t           own;
    ngx_http_conflict_tag_t   tag, found;

    ngx_http_clear_etag(r);
    ngx_str_null(&none);

    list = r->headers_in.if_none_match ? &r->headers_in.if_none_match->value
                                       : &none;

    known = (ngx_http_conflict_revalidate_tag_read(ctx, &own) == NGX_OK);
    dated = r->headers_in.if_modified_since
            && ngx_http_conflict_revalidate_date_unique(ctx);

    n = 0;
    pos = 0;

    while (ngx_http_conflict_revalidate_tag_next(list, &pos, &tag) == NGX_OK) {

        if (tag.version != ctx->version.current
            || !(tag.has_own ? !known
                             || ngx_http_conflict_revalidate_tag_same(&tag.own,
                                                                      &own, 0)
                           : dated))
        {
            continue;
        }

        n++;
        found = tag;

        if (known && tag.has_own) {
            n = 1;
            break;
        }
    }

    if (n != 1) {
        ctx->version.current = 0;
        return NGX_OK;
    }

    if (ngx_http_conflict_revalidate_tag_echo(r, &found) != NGX_OK) {
        return NGX_ERROR;
    }

    return (r->headers_out.last_modified_time == -1)
           ? NGX_OK : ngx_http_conflict_validators_date(r, ctx);
}


/*
 * The conditions that nginx's filters would evaluate by the text of a tag:
 * If-None-Match on responses that nginx serves or caches itself, If-Range on
 * those and on slices, If-Match on all.
 */

ngx_int_t
ngx_http_conflict_revalidate_conditions(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, time_t date)
{
    ngx_str_t                *value;
    ngx_int_t                 unversioned;
    ngx_uint_t                dated, evaluated;
    ngx_http_conflict_tag_t   tag;

    dated = date != -1 && date == r->headers_out.last_modified_time
            && !ctx->op->out.second_reused
            && (ctx->version.current
                || ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED);

    evaluated = !r->disable_not_modified;

    if (r->headers_out.status == NGX_HTTP_OK
        && ctx->flow.outcome != NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED)
    {
        /* nginx evaluates If-Match by the module's tag */
        r->disable_not_modified = 0;
    }

    if (r->headers_in.if_match) {
        value = &r->headers_in.if_match->value;

        if (ngx_http_conflict_revalidate_match(r, ctx, value, 1, 1, &tag)) {
            r->headers_in.if_match = NULL;

        } else if (r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT
                   && !(value->len == 1 && value->data[0] == '*'))
        {
            /* nginx does not evaluate it for a 206 */
            return ngx_http_filter_finalize_request(r, NULL,
                                                NGX_HTTP_PRECONDITION_FAILED);
        }
    }

    unversioned = 0;

    if (!evaluated) {
        r->headers_in.if_none_match = NULL;
        r->headers_in.if_modified_since = NULL;

    } else {
        unversioned = ngx_http_conflict_revalidate_if_none_match(r, ctx,
                                                                 dated);

        if (unversioned == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_conflict_revalidate_if_range(r, ctx, dated) || unversioned) {
        ngx_http_clear_etag(r);
        ctx->version.current = 0;
    }

    return NGX_OK;
}


/* 1: there will be a 304, which must not have a version */

static ngx_int_t
ngx_http_conflict_revalidate_if_none_match(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t dated)
{
    ngx_str_t                     *value;
    ngx_uint_t                     same;
    ngx_http_conflict_tag_t        tag;
    ngx_http_conflict_condition_e  condition;

    if (!dated) {
        r->headers_in.if_modified_since = NULL;
    }

    same = r->headers_in.if_modified_since
           && ngx_http_conflict_revalidate_if_modified_since(r);

    if (r->headers_in.if_none_match == NULL) {
        return same;
    }

    /* ignored if there is If-None-Match (RFC 9110, 13.1.3) */
    r->headers_in.if_modified_since = NULL;

    value = &r->headers_in.if_none_match->value;

    if (value->len == 1 && value->data[0] == '*') {
        return 1;
    }

    condition = ngx_http_conflict_revalidate_match(r, ctx, value, 0, same,
                                                   &tag);

    r->headers_in.if_none_match = condition ? &ngx_http_conflict_any : NULL;

    if (condition == NGX_HTTP_CONFLICT_CONDITION_HOLDS && ctx->version.current
        && ngx_http_conflict_revalidate_tag_echo(r, &tag) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return condition == NGX_HTTP_CONFLICT_CONDITION_UPSTREAM;
}


/* 1: there will be a 206, which must not have a version */

static ngx_uint_t
ngx_http_conflict_revalidate_if_range(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_uint_t dated)
{
    ngx_str_t                     *value;
    ngx_http_conflict_tag_t        tag;
    ngx_http_conflict_condition_e  condition;

    if (r->headers_in.if_range == NULL || r->headers_in.range == NULL
        || !(r->allow_ranges
             || r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT))
    {
        return 0;
    }

    value = &r->headers_in.if_range->value;

    if (!ngx_http_conflict_revalidate_is_tag(value)) {

        if (!dated) {
            /* the module's date does not prove that the bytes are the same */
            r->headers_in.range = NULL;
        }

        return 0;
    }

    condition = ngx_http_conflict_revalidate_match(r, ctx, value, 1, 0, &tag);

    if (condition) {
        r->headers_in.if_range = NULL;

    } else {
        r->headers_in.range = NULL;
    }

    return condition == NGX_HTTP_CONFLICT_CONDITION_UPSTREAM;
}


/*
 * Whether one of the tags names the representation: by the version and the
 * upstream's own tag, or if "plain" by the version alone.  The upstream's tag
 * alone is accepted for a range, and for responses that nginx may cache: their
 * version is unknown, so clients may have no other tag.
 */

static ngx_http_conflict_condition_e
ngx_http_conflict_revalidate_match(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *list, ngx_uint_t strong,
    ngx_uint_t plain, ngx_http_conflict_tag_t *tag)
{
    size_t           pos;
    ngx_uint_t       known, cached;
    conflict_etag_t  own;

    known = (ngx_http_conflict_revalidate_tag_read(ctx, &own) == NGX_OK
             && !(strong && own.weak));

    cached = (ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED);

    pos = 0;

    while (ngx_http_conflict_revalidate_tag_next(list, &pos, tag) == NGX_OK) {

        if (strong && (tag->etag.weak || (tag->has_own && tag->own.weak))) {
            continue;
        }

        if (cached || tag->version == ctx->version.current) {

            if (tag->has_own
                ? known && ngx_http_conflict_revalidate_tag_same(&tag->own,
                                                                 &own, strong)
                : plain && !cached)
            {
                return NGX_HTTP_CONFLICT_CONDITION_HOLDS;
            }
        }

        if (known && ngx_http_conflict_revalidate_tag_same(&tag->etag, &own,
                                                           strong)
            && (strong || (r->upstream && r->upstream->cacheable)))
        {
            return NGX_HTTP_CONFLICT_CONDITION_UPSTREAM;
        }
    }

    return NGX_HTTP_CONFLICT_CONDITION_FAILS;
}


/* as in nginx's filter, which evaluates it again */

static ngx_uint_t
ngx_http_conflict_revalidate_if_modified_since(ngx_http_request_t *r)
{
    time_t                     date;
    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    value = &r->headers_in.if_modified_since->value;
    date = ngx_parse_http_time(value->data, value->len);

    return clcf->if_modified_since != NGX_HTTP_IMS_OFF
           && (date == r->headers_out.last_modified_time
               || (date > r->headers_out.last_modified_time
                   && clcf->if_modified_since == NGX_HTTP_IMS_BEFORE));
}
