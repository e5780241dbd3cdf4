
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: a write, as header lines and a body; the store operation, the
 * refusal and the audit line that follow.  An unreadable base is refused, a
 * base holds for no other version, and responses and lines are JSON.  The first
 * two bytes are the location's configuration.
 */


#include <jansson.h>
#include <sys/mman.h>

#include "../lib/inside.h"
#include "../lib/halves.h"


static ngx_http_conflict_loc_conf_t  loc_conf;
static ngx_http_conflict_log_t       conflict_log;
static ngx_open_file_t               file;

static ngx_http_conflict_source_t    header_base = {
    NGX_HTTP_CONFLICT_HEADER,
    ngx_string("x-base"),
    NULL
};


/* the fields to which nginx keeps pointers, once each */

static ngx_str_t  known[] = {
    ngx_string("if-match"),
    ngx_string("if-none-match"),
    ngx_string("if-unmodified-since"),
    ngx_string("content-type"),
    ngx_string("content-encoding"),
    ngx_string("authorization"),
    ngx_null_string
};


static void
once(void)
{
    ngx_http_core_srv_conf_t  *cscf;

    if (conflict_log.file) {
        return;
    }

    cscf = fuzz_server();
    loc_conf = *(ngx_http_conflict_loc_conf_t *)
               cscf->ctx->loc_conf[ngx_http_conflict_module.ctx_index];

    file.fd = memfd_create("audit", 0);
    conflict_log.file = &file;
    loc_conf.log = &conflict_log;
}


static void
configure(const uint8_t *data)
{
    static ngx_http_conflict_source_t   place;
    static ngx_http_conflict_source_t  *base, *version;

    if (base == NULL) {
        base = loc_conf.base;
        version = loc_conf.version;
    }

    loc_conf.policy = data[0] % CONFLICT_POLICIES;
    loc_conf.report = (data[0] >> 4) & 1;
    loc_conf.sum_rules = (data[0] >> 5) & 1;
    loc_conf.server_rules = (data[0] >> 6) & 1;
    loc_conf.base = (data[1] & 1) ? &header_base : base;
    loc_conf.store->locks = (data[1] >> 1) & 1;
    loc_conf.put = (data[1] >> 5) & 1;
    loc_conf.patch = (data[1] >> 6) % (CONFLICT_FORM_DEEP + 1);

    place = *version;
    place.place = ((data[1] >> 2) & 1) ? NGX_HTTP_CONFLICT_JSON
                                       : NGX_HTTP_CONFLICT_DEFAULT;
    loc_conf.version = &place;
}


/* parsed as by nginx.  NGX_DECLINED: nginx would respond with 400 */

static ngx_int_t
headers(ngx_http_request_t *r, ngx_buf_t *b)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_table_elt_t             *h, **at;
    ngx_http_header_t           *hh;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    for ( ;; ) {
        rc = ngx_http_parse_header_line(r, b, 1);

        if (rc == NGX_HTTP_PARSE_HEADER_DONE) {
            return NGX_OK;
        }

        if (rc != NGX_OK || r->invalid_header) {
            return NGX_DECLINED;
        }

        h = ngx_list_push(&r->headers_in.headers);

#if (nginx_version >= 1023000)
        h->next = NULL;
#endif

        h->hash = r->header_hash;
        h->key.len = r->header_name_end - r->header_name_start;
        h->key.data = r->header_name_start;
        h->key.data[h->key.len] = '\0';
        h->value.len = r->header_end - r->header_start;
        h->value.data = r->header_start;
        h->value.data[h->value.len] = '\0';
        h->lowcase_key = ngx_pnalloc(r->pool, h->key.len);
        ngx_strlow(h->lowcase_key, h->key.data, h->key.len);

        for (i = 0; known[i].len; i++) {

            if (h->key.len != known[i].len
                || ngx_memcmp(h->lowcase_key, known[i].data, h->key.len) != 0)
            {
                continue;
            }

            hh = ngx_hash_find(&cmcf->headers_in_hash,
                               ngx_hash_key(known[i].data, known[i].len),
                               h->lowcase_key, h->key.len);

            at = (ngx_table_elt_t **) ((char *) &r->headers_in + hh->offset);

            if (*at) {
                return NGX_DECLINED;
            }

            *at = h;
        }
    }
}


static ngx_http_request_t *
request(ngx_pool_t *pool, ngx_connection_t *c)
{
    ngx_http_request_t         *r;
    ngx_http_core_srv_conf_t   *cscf;
    ngx_http_core_main_conf_t  *cmcf;

    cscf = fuzz_server();

    r = ngx_pcalloc(pool, sizeof(ngx_http_request_t));
    r->pool = pool;
    r->main = r;
    r->connection = c;
    r->main_conf = cscf->ctx->main_conf;
    r->srv_conf = cscf->ctx->srv_conf;
    r->loc_conf = cscf->ctx->loc_conf;
    r->ctx = ngx_pcalloc(pool, sizeof(void *) * ngx_http_max_module);

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    r->variables = ngx_pcalloc(pool, cmcf->variables.nelts
                                     * sizeof(ngx_http_variable_value_t));

    (void) ngx_list_init(&r->headers_in.headers, pool, 20,
                         sizeof(ngx_table_elt_t));
    (void) ngx_list_init(&r->headers_out.headers, pool, 20,
                         sizeof(ngx_table_elt_t));

    /* the body was read */
    r->discard_body = 1;

    ngx_str_set(&r->unparsed_uri, "/a?b");
    ngx_str_set(&r->headers_in.server, "fuzz");

    return r;
}


static void
version(uint64_t v)
{
    if (v == 0
        || (v >= CONFLICT_VERSION_LIMIT && !(v & CONFLICT_VERSION_OPAQUE)))
    {
        abort();
    }
}


/* a base that was read is checked: it does not hold for another version */

static void
bases(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    size_t                    i;
    unsigned                  kinds;
    ngx_uint_t                foreign;
    conflict_current_t        current;
    conflict_precondition_t  *pre;

    pre = &ctx->op->in.pre;
    kinds = pre->kinds;
    foreign = (ctx->op->in.report && ctx->op->in.minted
               && ctx->conf->tags == NGX_HTTP_CONFLICT_TAGS_OWN);

    if ((r->headers_in.if_match && !foreign)
        != ((kinds & (CONFLICT_IF_MATCH|CONFLICT_IF_MATCH_ANY)) != 0)
        && !(foreign && (kinds & CONFLICT_IF_MATCH_ANY)))
    {
        abort();
    }

    if (r->headers_in.if_none_match && !foreign
        && !(kinds & (CONFLICT_IF_NONE_MATCH|CONFLICT_IF_NONE_ANY)))
    {
        abort();
    }

    if (r->headers_in.if_unmodified_since && !r->headers_in.if_match
        && (!(kinds & CONFLICT_IF_UNMODIFIED)
            || pre->unmodified == CONFLICT_TIME_NONE))
    {
        abort();
    }

    if (((kinds & CONFLICT_IF_MATCH) != 0) != (pre->matches != 0)
        || ((kinds & CONFLICT_IF_NONE_MATCH) != 0) != (pre->nones != 0))
    {
        abort();
    }

    ngx_memzero(&current, sizeof(current));
    current.version = 4242424242424242;
    current.mtime = CONFLICT_TIME_NONE;
    current.existence = CONFLICT_EXISTS;

    for (i = 0; i < pre->matches; i++) {
        version(pre->match[i]);

        if (pre->match[i] == current.version) {
            return;
        }
    }

    for (i = 0; i < pre->nones; i++) {
        version(pre->none[i]);
    }

    if (kinds & CONFLICT_BASE) {
        version(pre->base);

        if (pre->base == current.version) {
            return;
        }
    }

    if ((kinds & (CONFLICT_BASE|CONFLICT_IF_MATCH))
        && conflict_decide_precondition(pre, &current, 1) == CONFLICT_HOLDS)
    {
        abort();
    }
}


/* NGX_DECLINED: refused with a detail, without a base */

static ngx_int_t
taken(ngx_http_conflict_ctx_t *ctx, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (rc != NGX_DECLINED || ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_NONE
        || ctx->flow.reason == NULL)
    {
        abort();
    }

    return NGX_DECLINED;
}


static void
text(json_t *line, const char *member, ngx_str_t *value)
{
    json_t  *plain;

    /* cut inside a character, and invalid bytes are replaced */

    plain = (value->len <= 1024)
            ? json_stringn((char *) value->data, value->len) : NULL;

    if (!json_is_string(json_object_get(line, member))
        && !(value->len == 0 && json_is_null(json_object_get(line, member))))
    {
        abort();
    }

    if (plain && value->len
        && !json_equal(plain, json_object_get(line, member)))
    {
        abort();
    }

    json_decref(plain);
}


static void
audit(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    char     *line;
    json_t   *tree;
    ssize_t   n;

    ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_VERSION;
    ngx_http_conflict_audit(r, ctx, 409);

    n = lseek(file.fd, 0, SEEK_CUR);
    line = malloc(n);

    if (n == 0 || pread(file.fd, line, n, 0) != n || line[n - 1] != '\n'
        || memchr(line, '\n', n) != line + n - 1)
    {
        abort();
    }

    if (ftruncate(file.fd, 0) == -1 || lseek(file.fd, 0, SEEK_SET) != 0) {
        abort();
    }

    tree = json_loadb(line, n, JSON_ALLOW_NUL|JSON_REJECT_DUPLICATES, NULL);

    if (tree == NULL) {
        abort();
    }

    text(tree, "entity_id", &ctx->target.resource);
    text(tree, "user_id", &ctx->caller.user);
    text(tree, "client_origin", &ctx->caller.client);
    text(tree, "method", &ctx->method_name);

    json_decref(tree);
    free(line);
}


/* replaces nginx's filters */

static u_char  *answered;
static size_t   answer_len;


static ngx_int_t
header_filter(ngx_http_request_t *r)
{
    r->header_sent = 1;

    return NGX_OK;
}


static ngx_int_t
body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    size_t  n;

    for ( /* void */ ; in; in = in->next) {
        n = in->buf->last - in->buf->pos;
        answered = realloc(answered, answer_len + n + 1);
        ngx_memcpy(answered + answer_len, in->buf->pos, n);
        answer_len += n;
    }

    return NGX_OK;
}


/* the latest body is the one that was sent, so that a refusal shows it */

static void
refuse(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx, u_char *p,
    size_t len)
{
    json_t        *tree;
    json_error_t   error;

    ngx_http_top_header_filter = header_filter;
    ngx_http_top_body_filter = body_filter;
    answer_len = 0;

    if (ctx->flow.answer == NGX_HTTP_CONFLICT_ANSWER_NONE) {
        ctx->flow.answer = (len % 2) ? NGX_HTTP_CONFLICT_ANSWER_STALE
                               : NGX_HTTP_CONFLICT_ANSWER_LOCKED;
    }

    ctx->caller.may_see = 1;
    ctx->version.current = ctx->op->in.pre.base;
    ctx->latest.valid = 1;
    ctx->latest.json = 1;
    ctx->latest.status = NGX_HTTP_OK;
    ctx->latest.body.data = p;
    ctx->latest.body.len = len;
    ctx->latest.shown.header = 1;
    ctx->latest.shown.body.len = len;
    ctx->latest.version_header = ctx->pre.base;

    ngx_http_conflict_op_lock_found(ctx->op, &ctx->target.key,
                                    &ctx->caller.client);
    ngx_http_set_ctx(r, ctx, ngx_http_conflict_module);

    if (ngx_http_conflict_answer_handler(r) != NGX_OK
        || (off_t) answer_len != r->headers_out.content_length_n
        || r->headers_out.status < 400)
    {
        abort();
    }

    complete(answered, answer_len);

    tree = json_loadb((char *) answered, answer_len, JSON_ALLOW_NUL, &error);

    /* jansson may not be able to represent the latest body */

    if (tree) {
        text(tree, "resource", &ctx->target.resource);

    } else if (json_error_code(&error) != json_error_numeric_overflow
               && json_error_code(&error) != json_error_null_byte_in_key)
    {
        abort();
    }

    json_decref(tree);
}


static ngx_int_t
body(ngx_http_conflict_ctx_t *ctx, u_char *p, size_t len)
{
    ngx_buf_t                 *buf;
    ngx_chain_t               *cl;
    ngx_http_request_t        *r;
    ngx_http_conflict_body_t  *b;

    r = ctx->request;
    b = &ctx->body;

    buf = ngx_calloc_buf(r->pool);
    buf->memory = 1;
    buf->pos = p;
    buf->last = p + len;

    cl = ngx_alloc_chain_link(r->pool);
    cl->buf = buf;
    cl->next = NULL;

    r->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    r->request_body->bufs = cl;

    b->empty = (len == 0);
    b->undeclared = (ngx_http_conflict_media_type_request(r)
                     == NGX_HTTP_CONFLICT_MEDIA_UNDECLARED);

    if (ctx->conf->base->pointer && len) {
        b->json = ngx_palloc(r->pool, sizeof(conflict_scan_t));
        conflict_scan_init(b->json, ctx->conf->base->pointer);
        b->error = conflict_scan_feed(b->json, p, len);

        if (b->error == CONFLICT_JSON_OK) {
            b->error = conflict_scan_end(b->json);
        }
    }

    b->sum = conflict_hash_64(p, len, 0);
    b->hashed = 1;
    b->size = len;

    return taken(ctx, ngx_http_conflict_precondition_body(r, ctx));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_buf_t                 b;
    ngx_pool_t               *pool;
    ngx_connection_t          c;
    ngx_http_request_t       *r;
    ngx_http_conflict_ctx_t   ctx;

    if (size < 3) {
        return 0;
    }

    once();
    configure(data);

    pool = ngx_create_pool(4096, ngx_cycle->log);

    ngx_memzero(&c, sizeof(c));
    c.log = ngx_cycle->log;
    c.pool = pool;
    ngx_str_set(&c.addr_text, "127.0.0.1");

    ngx_memzero(&b, sizeof(b));
    b.start = malloc(size - 2);
    b.pos = b.start;
    b.last = ngx_cpymem(b.start, data + 2, size - 2);
    b.end = b.last;

    r = request(pool, &c);

    ngx_memzero(&ctx, sizeof(ctx));
    ctx.request = r;
    ctx.conf = &loc_conf;

    if (headers(r, &b) != NGX_OK) {
        goto done;
    }

    r->method = (data[1] & 8) ? NGX_HTTP_PATCH
                : (data[1] & 16) ? NGX_HTTP_DELETE : NGX_HTTP_PUT;
    ngx_str_set(&r->method_name, "PUT");

    /* a path is arbitrary bytes, too */

    ctx.target.key.data = b.pos;
    ctx.target.key.len = b.last - b.pos;
    ctx.target.resource = ctx.target.key;
    ctx.method = r->method;
    ctx.method_name = r->method_name;
    ctx.pre.client_time = CONFLICT_TIME_NONE;
    ctx.version.compared_time = CONFLICT_TIME_NONE;

    if (taken(&ctx, ngx_http_conflict_precondition_headers(r, &ctx)) == NGX_OK
        && body(&ctx, b.pos, b.last - b.pos) == NGX_OK)
    {
        bases(r, &ctx);

        if (taken(&ctx, ngx_http_conflict_mergeable(r, &ctx)) == NGX_OK
            && ctx.op->in.pre.kinds == 0)
        {
            /* the refusal of a route that requires a base */
            if (ngx_http_conflict_precondition_missing(r, &ctx,
                                                       &ctx.flow.answer)
                != NGX_OK
                || ctx.flow.reason == NULL)
            {
                abort();
            }
        }

    } else if (ctx.op->in.pre.kinds) {
        abort();
    }

    audit(r, &ctx);
    refuse(r, &ctx, b.pos, b.last - b.pos);

done:

    if (ctx.op) {
        ngx_http_conflict_op_release(ctx.op);
    }

    ngx_destroy_pool(pool);
    free(b.start);

    return 0;
}
