
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: conditions of a read.  A tag that was shown is forwarded in the
 * upstream's own form, and no other tag is; a 304 has a tag that the client has
 * sent.  The input is lines: the upstream's tag, the client's form of ours,
 * If-None-Match, If-Range.
 */


#include "../lib/inside.h"


#define VERSION  1764100000001
#define LINES    4


static ngx_str_t  names[] = {
    ngx_string("If-None-Match"),
    ngx_string("If-Range"),
    ngx_string("Range")
};


static ngx_table_elt_t *
add(ngx_http_request_t *r, ngx_str_t *name, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);
    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key = *name;
    h->value.len = value->len;
    h->value.data = malloc(value->len ? value->len : 1);
    ngx_memcpy(h->value.data, value->data, value->len);

    return h;
}


static ngx_str_t *
sent(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t  n;
    ngx_str_t  *value, lower;

    lower.len = name->len;
    lower.data = ngx_pnalloc(r->pool, name->len);
    ngx_strlow(lower.data, name->data, name->len);

    value = ngx_http_conflict_header_find(&r->headers_in.headers, &lower, &n);

    if (n > 1) {
        abort();
    }

    return value;
}


/* forwarded tags are the upstream's own, and none is of another version */

static void
asked(ngx_str_t *value, ngx_str_t *list)
{
    size_t            n;
    const char       *p, *last;
    conflict_etag_t   etag;

    p = (char *) value->data;
    last = p + value->len;
    n = 0;

    while (conflict_etag_next(&p, last, &etag) == CONFLICT_ETAG_TAG) {

        if (etag.len && memmem(list->data, list->len, etag.data, etag.len)
                        == NULL)
        {
            abort();
        }

        n++;
    }

    if (n == 0 || p != last || value->len > 2 * list->len) {
        abort();
    }
}


static void
read_with(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *none_match, ngx_str_t *range, ngx_str_t *bytes)
{
    r->headers_in.if_none_match = add(r, &names[0], none_match);
    r->headers_in.if_range = add(r, &names[1], range);
    r->headers_in.range = add(r, &names[2], bytes);

    if (ngx_http_conflict_revalidate(r, ctx) != NGX_OK) {
        abort();
    }
}


static void
begin(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx, ngx_str_t *own)
{
    ctx->version.current = VERSION;
    ctx->version.upstream_tag = *own;

    ngx_memzero(&r->headers_in, sizeof(r->headers_in));
    ngx_memzero(&r->headers_out, sizeof(r->headers_out));

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.last_modified_time = -1;
    r->disable_not_modified = 0;
    r->allow_ranges = 1;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 8,
                      sizeof(ngx_table_elt_t))
        != NGX_OK
        || ngx_list_init(&r->headers_out.headers, r->pool, 8,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        abort();
    }
}


static void
end(ngx_http_request_t *r, ngx_table_elt_t *h[])
{
    ngx_uint_t  i;

    for (i = 0; i < 3; i++) {
        free(h[i]->value.data);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t                 line[LINES], tag, *value, text;
    ngx_uint_t                i, judged;
    ngx_pool_t               *pool;
    const uint8_t            *p, *last;
    const char               *q;
    ngx_table_elt_t          *h[3];
    conflict_etag_t           own;
    ngx_http_request_t        r;
    ngx_http_conflict_op_t   *op;
    ngx_http_core_srv_conf_t  *cscf;
    ngx_http_conflict_ctx_t   ctx;

    cscf = fuzz_server();
    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, ngx_cycle->log);
    last = data + size;

    for (i = 0; i < LINES; i++) {
        p = data < last ? memchr(data, '\n', last - data) : NULL;
        p = p ? p : last;

        line[i].data = (u_char *) data;
        line[i].len = p - data;

        data = (p < last) ? p + 1 : p;
    }

    ngx_memzero(&r, sizeof(r));
    ngx_memzero(&ctx, sizeof(ctx));

    r.pool = pool;
    r.main = &r;
    r.loc_conf = cscf->ctx->loc_conf;

    ctx.request = &r;
    ctx.conf = r.loc_conf[ngx_http_conflict_module.ctx_index];
    ctx.flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_PASSED;

    op = ngx_http_conflict_op_create(NULL, ctx.conf->store, &ctx.target.key, 0);
    op->in.minted = 1;
    op->out.mtime = CONFLICT_TIME_NONE;
    ctx.op = op;

    /* our tag for the upstream's, and that again */

    begin(&r, &ctx, &line[0]);

    if (ngx_http_conflict_revalidate_set_etag(&r, &ctx, VERSION) != NGX_OK) {
        abort();
    }

    tag = r.headers_out.etag->value;
    q = (char *) tag.data;

    if (conflict_etag_next(&q, (char *) tag.data + tag.len, &own)
        != CONFLICT_ETAG_TAG
        || q != (char *) tag.data + tag.len || own.weak
        || conflict_version_from_tag(own.data, own.len) != VERSION)
    {
        abort();
    }

    read_with(&r, &ctx, &tag, &tag, &line[1]);

    h[0] = r.headers_in.if_none_match;
    h[1] = r.headers_in.if_range;
    h[2] = r.headers_in.range;

    value = sent(&r, &names[0]);

    if (memchr(own.data, '.', own.len) == NULL) {

        if (value || sent(&r, &names[2])) {
            abort();
        }

    } else {

        text.data = line[0].data;
        text.len = line[0].len;

        if (value == NULL || conflict_version_upstream_tag(&own, own.data,
                                                           own.len) != 0
            || memmem(text.data, text.len, own.data, own.len) == NULL)
        {
            abort();
        }

        asked(value, &text);

        if (own.weak ? sent(&r, &names[2]) != NULL
                     : sent(&r, &names[1]) == NULL)
        {
            abort();
        }

        /* nginx's own filter answers 304 */

        if (ngx_http_conflict_revalidate_conditions(&r, &ctx, -1) != NGX_OK
            || r.headers_in.if_none_match == NULL
            || r.headers_in.if_none_match == h[0]
            || ctx.version.current != VERSION
            || (r.headers_in.range == NULL) != own.weak)
        {
            abort();
        }
    }

    end(&r, h);

    /* arbitrary fields of a client */

    begin(&r, &ctx, &line[0]);
    read_with(&r, &ctx, &line[2], &line[3], &line[1]);

    h[0] = r.headers_in.if_none_match;
    h[1] = r.headers_in.if_range;
    h[2] = r.headers_in.range;

    value = sent(&r, &names[0]);

    if (value) {
        asked(value, &line[2]);
    }

    judged = (size % 2);

    if (judged) {
        r.headers_out.status = NGX_HTTP_NOT_MODIFIED;

        if (ngx_http_conflict_revalidate_not_modified(&r, &ctx) != NGX_OK) {
            abort();
        }

        if ((r.headers_out.etag == NULL) != (ctx.version.current == 0)) {
            abort();
        }

    } else {

        if (ngx_http_conflict_revalidate_set_etag(&r, &ctx, VERSION) != NGX_OK
            || ngx_http_conflict_revalidate_conditions(&r, &ctx, -1) != NGX_OK)
        {
            abort();
        }
    }

    if (judged && ctx.version.current) {
        tag = r.headers_out.etag->value;

        if (memmem(line[2].data, line[2].len, tag.data, tag.len) == NULL
            || memmem(tag.data, tag.len, "1764100000001", 13) == NULL)
        {
            abort();
        }
    }

    end(&r, h);

    ngx_http_conflict_op_release(op);
    ngx_destroy_pool(pool);

    return 0;
}
