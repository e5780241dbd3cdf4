
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: the body of an upstream's response, in pieces.  The version is
 * injected as it is into the same text as a whole, and the scanned values do
 * not depend on the pieces.  The first byte is the size of a piece, the second
 * the place of the version.
 */


#include "../lib/inside.h"


#define VERSION  1764100000001


static ngx_http_conflict_loc_conf_t  loc_conf;
static ngx_http_conflict_source_t    place;


static const char  *pointers[] = {
    "/version",
    "/a/b",
    "/a/0/~1\"",
    "/"
};


static void
configure(uint8_t which)
{
    ngx_http_core_srv_conf_t  *cscf;

    static conflict_pointer_t  pointer;

    cscf = fuzz_server();
    loc_conf = *(ngx_http_conflict_loc_conf_t *)
               cscf->ctx->loc_conf[ngx_http_conflict_module.ctx_index];

    if (conflict_scan_pointer(&pointer, pointers[which % 4],
                              ngx_strlen(pointers[which % 4]))
        != 0)
    {
        abort();
    }

    place.place = NGX_HTTP_CONFLICT_JSON;
    place.pointer = &pointer;

    loc_conf.version = &place;
    loc_conf.mtime = &place;
    loc_conf.inject = &place;
}


/* the forwarded bytes */

static u_char *
pass(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx, u_char *p,
    const uint8_t *data, size_t size, size_t step)
{
    size_t        n;
    u_char       *piece;
    ngx_buf_t    *b;
    ngx_chain_t   in, *out;

    do {
        n = ngx_min(size, step);

        piece = malloc(n ? n : 1);
        ngx_memcpy(piece, data, n);

        b = ngx_calloc_buf(r->pool);
        b->memory = 1;
        b->pos = piece;
        b->last = piece + n;
        b->last_buf = (n == size);

        in.buf = b;
        in.next = NULL;

        if (ngx_http_conflict_body_scan_filter(r, ctx, &in, &out) != NGX_OK) {
            abort();
        }

        for ( /* void */ ; out; out = out->next) {
            b = out->buf;

            if (b->last == b->pos && !ngx_buf_special(b)) {
                /* nginx would log an alert */
                abort();
            }

            p = ngx_cpymem(p, b->pos, b->last - b->pos);

            if ((out->next == NULL && n == size) != b->last_buf) {
                abort();
            }
        }

        free(piece);
        data += n;
        size -= n;

    } while (size);

    return p;
}


/* 1: everything was scanned */

static ngx_uint_t
flow(ngx_http_request_t *r, ngx_str_t *out, uint64_t *version, int64_t *mtime,
    const uint8_t *data, size_t size, size_t step)
{
    ngx_uint_t                rc;
    ngx_http_conflict_op_t   *op;
    ngx_http_conflict_ctx_t   ctx;

    ngx_memzero(&ctx, sizeof(ctx));
    ctx.request = r;
    ctx.conf = &loc_conf;
    ctx.target.key = *out;
    ctx.target.key.len = 0;

    op = ngx_http_conflict_op_create(NULL, loc_conf.store, &ctx.target.key, 0);
    op->in.minted = 1;
    op->out.version = VERSION;
    op->in.observed.mtime = CONFLICT_TIME_NONE;
    ctx.op = op;

    if (ngx_http_conflict_body_scanner_create(r, &ctx) != NGX_OK
        || ngx_http_conflict_body_scanner_scan(r, &ctx.response->version,
                                               &place)
           != NGX_OK
        || ngx_http_conflict_body_scanner_scan(r, &ctx.response->mtime, &place)
           != NGX_OK
        || ngx_http_conflict_body_scanner_scan(r, &ctx.response->inject, &place)
           != NGX_OK)
    {
        abort();
    }

    out->len = pass(r, &ctx, out->data, data, size, step) - out->data;

    *version = op->in.observed.version;
    *mtime = op->in.observed.mtime;
    rc = !ctx.response->failed;

    if (*version >= CONFLICT_VERSION_LIMIT
        && !(*version & CONFLICT_VERSION_OPAQUE))
    {
        abort();
    }

    ngx_http_conflict_op_release(op);

    return rc;
}


/* except in one place, the forwarded bytes are unchanged, JSON or not */

static void
kept(ngx_str_t *out, const uint8_t *data, size_t size)
{
    size_t  head, tail;

    head = 0;
    tail = 0;

    while (head < out->len && head < size && out->data[head] == data[head]) {
        head++;
    }

    while (head + tail < out->len && tail < size
           && out->data[out->len - tail - 1] == data[size - tail - 1])
    {
        tail++;
    }

    if (out->len - head - tail > sizeof(",\"version\":1764100000001") - 1) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               step;
    int64_t              mtime[2];
    uint64_t             version[2];
    ngx_str_t            out[2], text;
    ngx_uint_t           i, read[2];
    ngx_pool_t          *pool;
    conflict_scan_t      json;
    ngx_http_request_t   r;

    if (size < 3) {
        return 0;
    }

    step = data[0] % 32 + 1;
    configure(data[1]);
    data += 2;
    size -= 2;

    pool = ngx_create_pool(4096, ngx_cycle->log);

    ngx_memzero(&r, sizeof(r));
    r.pool = pool;

    for (i = 0; i < 2; i++) {
        out[i].data = malloc(size + 256);
        read[i] = flow(&r, &out[i], &version[i], &mtime[i], data, size,
                       i ? step : size);
    }

    kept(&out[0], data, size);
    kept(&out[1], data, size);

    if (read[0] != read[1]
        || (read[0] && (version[0] != version[1] || mtime[0] != mtime[1])))
    {
        abort();
    }

    conflict_scan_init(&json, place.pointer);

    if (conflict_scan_feed(&json, data, size) == CONFLICT_JSON_OK
        && conflict_scan_end(&json) == CONFLICT_JSON_OK)
    {
        text.data = (u_char *) data;
        text.len = size;

        if (!read[0]
            || ngx_http_conflict_version_inject_text(&r, place.pointer, VERSION,
                                                     &text)
               != NGX_OK)
        {
            abort();
        }

        for (i = 0; i < 2; i++) {

            if (out[i].len != text.len
                || ngx_memcmp(out[i].data, text.data, text.len) != 0)
            {
                abort();
            }
        }

        /* the injected version can be read there */

        conflict_scan_init(&json, place.pointer);

        if (conflict_scan_feed(&json, text.data, text.len) != CONFLICT_JSON_OK
            || conflict_scan_end(&json) != CONFLICT_JSON_OK
            || (text.data != data
                && conflict_version_from_text((char *) json.text, json.len)
                   != VERSION))
        {
            abort();
        }
    }

    free(out[0].data);
    free(out[1].data);
    ngx_destroy_pool(pool);

    return 0;
}
