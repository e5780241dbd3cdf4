
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Header fields, of requests and of responses: found, hidden from the
 * upstream, added; and the Conflict field with its words.
 */


#include "ngx_http_conflict_module.h"


static void ngx_http_conflict_drop_header(ngx_list_t *headers,
    const ngx_str_t *name);
static ngx_uint_t ngx_http_conflict_tells(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


static const ngx_str_t  ngx_http_conflict_field_name =
    ngx_string("conflict");

static ngx_str_t  ngx_http_conflict_cache_control =
    ngx_string("cache-control");

static ngx_str_t  ngx_http_conflict_expires = ngx_string("expires");

static ngx_str_t  ngx_http_conflict_age = ngx_string("age");

static ngx_str_t  ngx_http_conflict_retry_after = ngx_string("retry-after");


/* of a write; "If-None-Match: *" any upstream knows */

static const ngx_str_t  ngx_http_conflict_write_headers[] = {
    ngx_string("if-match"),
    ngx_string("if-unmodified-since"),
    ngx_null_string
};


static const ngx_str_t  ngx_http_conflict_match_headers[] = {
    ngx_string("if-match"),
    ngx_null_string
};


static const ngx_str_t  ngx_http_conflict_tag_headers[] = {
    ngx_string("if-none-match"),
    ngx_null_string
};


/* the module must look into the answer; nginx may encode it afterwards */

static const ngx_str_t  ngx_http_conflict_encoding_headers[] = {
    ngx_string("accept-encoding"),
    ngx_null_string
};


/* of a body that was changed on its way */

static const ngx_str_t  ngx_http_conflict_digest_headers[] = {
    ngx_string("content-md5"),
    ngx_string("digest"),
    ngx_string("content-digest"),
    ngx_string("repr-digest"),
    ngx_null_string
};


static ngx_str_t  ngx_http_conflict_outcome_names[] = {
    ngx_null_string,
    ngx_string("passed"),
    ngx_string("merged"),
    ngx_string("overwrote"),
    ngx_string("rejected"),
    ngx_string("dropped"),
    ngx_string("replayed"),
    ngx_string("busy"),
    ngx_string("required"),
    ngx_string("locked"),
    ngx_string("unchecked")
};


static ngx_str_t  ngx_http_conflict_policy_names[] = {
    ngx_string("lww"),
    ngx_string("client_wins"),
    ngx_string("server_wins"),
    ngx_string("version"),
    ngx_string("merge"),
    ngx_string("off")
};


ngx_str_t *
ngx_http_conflict_header(ngx_list_t *headers, ngx_str_t *name, ngx_uint_t *n)
{
    ngx_str_t        *value;
    ngx_uint_t        i, count;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    value = NULL;
    count = 0;

    for (part = &headers->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].hash && h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
            {
                value = value ? value : &h[i].value;
                count++;
            }
        }
    }

    if (n) {
        *n = count;
    }

    return value;
}


ngx_uint_t
ngx_http_conflict_cached(ngx_http_request_t *r)
{
    size_t      i;
    ngx_str_t  *age;

    if (r->cached) {
        return 1;
    }

    age = ngx_http_conflict_header(&r->headers_out.headers,
                                   &ngx_http_conflict_age, NULL);

    for (i = 0; age && i < age->len; i++) {

        if (age->data[i] != '0' && age->data[i] != ' ') {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_conflict_hide(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    if (!ctx->original.hidden) {
        ctx->original.headers = r->headers_in.headers;
        ctx->original.hidden = 1;
    }

    if (ctx->op->in.minted && !nlcf->report) {

        if ((ctx->write
             ? ngx_http_conflict_hide_headers(r,
                                              ngx_http_conflict_write_headers)
             : ngx_http_conflict_revalidate(r, ctx))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if ((ctx->op->in.pre.kinds & CONFLICT_IF_NONE_MATCH)
            && ngx_http_conflict_hide_headers(r,
                                              ngx_http_conflict_tag_headers)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ctx->offered
        && ngx_http_conflict_hide_headers(r, ngx_http_conflict_match_headers)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_if_hide(r, ctx) != NGX_OK
        || ngx_http_conflict_tags_send(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->rewritten
        && ngx_http_conflict_hide_headers(r, ngx_http_conflict_digest_headers)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (nlcf->version->place == NGX_HTTP_CONFLICT_JSON
        || nlcf->mtime->place == NGX_HTTP_CONFLICT_JSON
        || nlcf->inject->place == NGX_HTTP_CONFLICT_JSON)
    {
        return ngx_http_conflict_hide_headers(r,
                                          ngx_http_conflict_encoding_headers);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_hide_headers(ngx_http_request_t *r, const ngx_str_t *names)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_conflict_listed(&h[i].key, names)) {
                return ngx_http_conflict_own_headers(r, names);
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_own_headers(ngx_http_request_t *r, const ngx_str_t *names)
{
    ngx_uint_t        i;
    ngx_list_t        list;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy;

    list = r->headers_in.headers;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 20,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (part = &list.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_conflict_listed(&h[i].key, names)) {
                continue;
            }

            copy = ngx_list_push(&r->headers_in.headers);
            if (copy == NULL) {
                return NGX_ERROR;
            }

            *copy = h[i];
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_conflict_listed(ngx_str_t *name, const ngx_str_t *names)
{
    ngx_uint_t  n;

    for (n = 0; names[n].len; n++) {

        if (name->len == names[n].len
            && ngx_strncasecmp(name->data, names[n].data, names[n].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* of a response */

static void
ngx_http_conflict_drop_header(ngx_list_t *headers, const ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &headers->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == name->len
                && ngx_strncasecmp(h[i].key.data, name->data, name->len) == 0)
            {
                h[i].hash = 0;
            }
        }
    }
}


ngx_int_t
ngx_http_conflict_add_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->lowcase_key = NULL;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.len = len;
    h->value.data = ngx_pnalloc(r->pool, len);
    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(h->value.data, value, len);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_set_etag(ngx_http_request_t *r, uint64_t version)
{
    u_char  *p, text[sizeof("\"\"") + NGX_INT64_LEN];

    if (version == 0 || version >= CONFLICT_VERSION_LIMIT) {
        ngx_http_clear_etag(r);
        return NGX_OK;
    }

    p = ngx_sprintf(text, "\"%uL\"", version);

    return ngx_http_conflict_put_etag(r, (char *) text, p - text);
}


ngx_int_t
ngx_http_conflict_put_etag(ngx_http_request_t *r, const char *text, size_t len)
{
    ngx_list_part_t  *last;
    ngx_table_elt_t  *h;

    ngx_http_clear_etag(r);

    if (ngx_http_conflict_add_header(r, "ETag", text, len) != NGX_OK) {
        return NGX_ERROR;
    }

    last = r->headers_out.headers.last;
    h = last->elts;
    r->headers_out.etag = &h[last->nelts - 1];

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_set_date(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    time_t                         date, shown;
    ngx_list_t                    *headers;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_loc_conf_t  *nlcf;

    op = ctx->op;
    nlcf = ctx->conf;

    if (op->out.mtime == CONFLICT_TIME_NONE) {
        return NGX_OK;
    }

    if (!ctx->write && ctx->tag.len && r->headers_out.last_modified_time == -1
        && nlcf->mtime->place == NGX_HTTP_CONFLICT_DEFAULT)
    {
        /* what it has to be revalidated by is enough for caches */
        return NGX_OK;
    }

    date = (time_t) (op->out.mtime / CONFLICT_TIME_SECOND);
    shown = (time_t) conflict_mtime_second(op->out.mtime,
                                           op->out.second_reused);

    if (nlcf->mtime->place != NGX_HTTP_CONFLICT_DEFAULT
        && !op->out.mtime_exact)
    {

        /* this response tells it, perhaps too late for its header */

        if (op->in.observed.mtime == CONFLICT_TIME_NONE) {
            return NGX_OK;
        }

        date = shown = (time_t) (op->in.observed.mtime / CONFLICT_TIME_SECOND);
    }

    if (r->headers_out.last_modified_time != -1
        && !(op->out.second_reused
             && r->headers_out.last_modified_time <= date))
    {
        /* the upstream's own, and no other version was shown under it */
        return NGX_OK;
    }

    headers = &r->headers_out.headers;

    if (!ctx->write && r->headers_out.last_modified_time == -1
        && !ngx_http_conflict_header(headers, &ngx_http_conflict_cache_control,
                                     NULL)
        && !ngx_http_conflict_header(headers, &ngx_http_conflict_expires, NULL)
        && ngx_http_conflict_add_header(r, "Cache-Control", "no-cache",
                                        sizeof("no-cache") - 1)
           != NGX_OK)
    {
        /* a date invites caches to guess how long a body holds */
        return NGX_ERROR;
    }

    ngx_http_clear_last_modified(r);

    /* never later than the Date of the message (RFC 9110, 8.8.2.1) */

    if (shown <= ngx_time()) {
        r->headers_out.last_modified_time = shown;
    }

    if (ctx->write && r->headers_in.if_range) {
        /* nor does a date of ours say that the bytes are those of before */
        r->headers_in.range = NULL;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_set_field(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    u_char     *p, text[sizeof("unchecked;version=;base=;fields=\"\";report"
                               ";settling=")
                        + 3 * NGX_INT64_LEN + CONFLICT_MERGE_NAMES];
    u_char     *last, seconds[NGX_INT64_LEN];
    uint64_t    base;
    ngx_str_t  *name;

    name = ngx_http_conflict_outcome_name(ctx->outcome);

    if (name->len == 0) {
        return NGX_OK;
    }

    /* the upstream's own, if it has one, would make it two */

    ngx_http_conflict_drop_header(&r->headers_out.headers,
                                  &ngx_http_conflict_field_name);

    /* an item with parameters (RFC 9651) */

    p = ngx_sprintf(text, "%V", name);

    if (ctx->current && ctx->current < CONFLICT_VERSION_LIMIT
        && ngx_http_conflict_tells(r, ctx)
        && ctx->outcome != NGX_HTTP_CONFLICT_UNCHECKED
        && (ctx->answered
            || ctx->conf->version->place != NGX_HTTP_CONFLICT_JSON))
    {
        /* one in the body of the upstream is still to come */

        p = ngx_sprintf(p, ";version=%uL", ctx->current);
    }

    if (ctx->outcome != NGX_HTTP_CONFLICT_PASSED
        && conflict_version_parse(&base, (char *) ctx->base.data,
                                  ctx->base.len)
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

    if (ctx->settling) {
        last = ngx_sprintf(seconds, "%M", (ctx->settling + 999) / 1000);
        p = ngx_sprintf(p, ";settling=%*s", last - seconds, seconds);

        if (!ctx->answered
            && ngx_http_conflict_header(&r->headers_out.headers,
                                        &ngx_http_conflict_retry_after, NULL)
               == NULL
            && ngx_http_conflict_add_header(r, "Retry-After",
                                            (char *) seconds, last - seconds)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_conflict_add_header(r, "Conflict", (char *) text,
                                        p - text);
}


/*
 * A version says when somebody wrote last: it is for those to whom the
 * upstream has shown the resource.
 */

static ngx_uint_t
ngx_http_conflict_tells(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  status;

    if (ctx->answered) {
        return ctx->may_see;
    }

    status = r->headers_out.status;

    return (status >= 200 && status < 300) || status == NGX_HTTP_NOT_MODIFIED;
}


ngx_str_t *
ngx_http_conflict_outcome_name(ngx_http_conflict_outcome_e outcome)
{
    return &ngx_http_conflict_outcome_names[outcome];
}


ngx_str_t *
ngx_http_conflict_policy_name(ngx_uint_t policy)
{
    return &ngx_http_conflict_policy_names[policy];
}
