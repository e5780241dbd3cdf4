
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What the client says it edited: the bases in headers (RFC 9110, section
 * 13.1) and in the body, and the fingerprint by which a retry is known.
 */


#include "ngx_http_conflict_module.h"


static ngx_int_t ngx_http_conflict_base_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_base_tags(ngx_table_elt_t *h,
    uint64_t *versions, size_t *n);
static ngx_int_t ngx_http_conflict_base_match(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_base_if(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_base_unmodified(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_base_version(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text);
static ngx_int_t ngx_http_conflict_base_error(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_error_e error, const char *reason);
static ngx_int_t ngx_http_conflict_fingerprint(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


static ngx_str_t  ngx_http_conflict_idempotency_key =
    ngx_string("idempotency-key");


ngx_int_t
ngx_http_conflict_base_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                     *value;
    ngx_uint_t                     n;
    conflict_precondition_t       *pre;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    if (ngx_http_conflict_base_create(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    pre = &ctx->op->pre;

    if (ngx_http_conflict_base_match(r, ctx) != NGX_OK) {
        return ngx_http_conflict_base_error(ctx, NGX_HTTP_CONFLICT_BAD_BASE,
                       "If-Match or If-None-Match is not a list of "
                       "entity tags");
    }

    if (ngx_http_conflict_base_if(r, ctx) != NGX_OK) {
        return ngx_http_conflict_base_error(ctx, NGX_HTTP_CONFLICT_BAD_BASE,
                       "If is malformed, or has entity tags beside If-Match "
                       "or If-None-Match");
    }

    /* ignored beside If-Match (RFC 9110, 13.2.2) */

    if (!(pre->kinds & (CONFLICT_IF_MATCH|CONFLICT_IF_MATCH_ANY))
        && r->headers_in.if_unmodified_since
        && ngx_http_conflict_base_unmodified(r, ctx) != NGX_OK)
    {
        return ngx_http_conflict_base_error(ctx, NGX_HTTP_CONFLICT_BAD_BASE,
                       "If-Unmodified-Since is not a date");
    }

    if (nlcf->base->place == NGX_HTTP_CONFLICT_HEADER) {
        value = ngx_http_conflict_header(&r->headers_in.headers,
                                         &nlcf->base->name, &n);

        if (n > 1) {
            return ngx_http_conflict_base_error(ctx,
                       NGX_HTTP_CONFLICT_BAD_BASE,
                       "the header of the base version is repeated");
        }

        if (value && ngx_http_conflict_base_version(ctx, value) != NGX_OK) {
            return ngx_http_conflict_base_error(ctx,
                       NGX_HTTP_CONFLICT_BAD_BASE,
                       "the base version is not an integer");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_base_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    size_t                         n, i;
    ngx_str_t                     *value;
    ngx_table_elt_t               *h;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    /* a tag is two quotes at least, and a comma parts it from the next */

    n = 0;

    h = r->headers_in.if_match;
    if (h) {
        n += h->value.len / 2 + 1;
    }

    h = r->headers_in.if_none_match;
    if (h) {
        n += h->value.len / 2 + 1;
    }

    value = ngx_http_conflict_if_tags(r);
    i = value ? value->len / 2 + 1 : 0;

    op = ngx_http_conflict_op_create(r, nlcf->store, &ctx->key, n + 2 * i);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ctx->op = op;

    op->policy = nlcf->policy;
    op->lease = nlcf->lease;
    op->quarantine = nlcf->report ? 0 : nlcf->quarantine;
    op->report = nlcf->report;
    op->minted = (nlcf->version->place == NGX_HTTP_CONFLICT_DEFAULT);
    op->seen.mtime = CONFLICT_TIME_NONE;
    ngx_http_conflict_keep_want(ctx);

    i += r->headers_in.if_match ? r->headers_in.if_match->value.len / 2 + 1
                                : 0;

    op->pre.match = ngx_http_conflict_op_bases(op);
    op->pre.none = ngx_http_conflict_op_bases(op) + i;

    if (ngx_http_conflict_evaluate(r, nlcf->user, &ctx->user) != NGX_OK
        || ngx_http_conflict_evaluate(r, nlcf->client, &ctx->client) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (nlcf->store->locks) {
        ngx_http_conflict_lock_caller(r, ctx);
    }

    return ngx_http_conflict_view_start(r, ctx);
}


static ngx_int_t
ngx_http_conflict_base_match(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                foreign;
    ngx_table_elt_t          *h;
    conflict_precondition_t  *pre;

    pre = &ctx->op->pre;

    /* in report mode clients see the upstream's tags, which it judges */

    foreign = (ctx->op->report && ctx->op->minted);

    h = r->headers_in.if_match;

    if (h) {
        ctx->base = h->value;

        if (h->value.len == 1 && h->value.data[0] == '*') {
            pre->kinds |= CONFLICT_IF_MATCH_ANY;

        } else {

            if (ngx_http_conflict_base_tags(h, (uint64_t *) pre->match,
                                            &pre->matches)
                != NGX_OK)
            {
                return NGX_DECLINED;
            }

            if (pre->matches == 1 && h->value.data[0] == '"') {
                /* as the log has it: the version, not the tag */
                ctx->base.data++;
                ctx->base.len -= 2;
            }

            if (foreign) {
                pre->matches = 0;

            } else {
                pre->kinds |= CONFLICT_IF_MATCH;
            }
        }
    }

    h = r->headers_in.if_none_match;

    if (h) {

        if (h->value.len == 1 && h->value.data[0] == '*') {
            pre->kinds |= CONFLICT_IF_NONE_ANY;

        } else {

            if (ngx_http_conflict_base_tags(h, (uint64_t *) pre->none,
                                            &pre->nones)
                != NGX_OK)
            {
                return NGX_DECLINED;
            }

            if (foreign) {
                pre->nones = 0;

            } else {
                pre->kinds |= CONFLICT_IF_NONE_MATCH;
            }
        }
    }

    return NGX_OK;
}


/* in report mode and of an upstream's own tags it is all the upstream's */

static ngx_int_t
ngx_http_conflict_base_if(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t  *value;

    if (!ctx->op->minted || ctx->op->report) {
        return NGX_OK;
    }

    value = ngx_http_conflict_if_tags(r);

    if (value == NULL) {
        return NGX_OK;
    }

    if (r->headers_in.if_match || r->headers_in.if_none_match
        || ngx_http_conflict_if(r, ctx, value) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_conflict_if_take(ctx, ctx->op, &r->uri);

    return NGX_OK;
}


/*
 * "W/" is accepted: nginx's own filters weaken the tags that it was given
 * to send, and a weak tag of an upstream is never equal to one of these.
 */

static ngx_int_t
ngx_http_conflict_base_tags(ngx_table_elt_t *h, uint64_t *versions, size_t *n)
{
    const char       *p, *last;
    conflict_etag_t   etag;

    p = (const char *) h->value.data;
    last = p + h->value.len;

    for ( ;; ) {

        switch (conflict_etag_next(&p, last, &etag)) {

        case CONFLICT_ETAG_TAG:
            versions[(*n)++] = conflict_version_from_text(etag.data, etag.len);
            break;

        case CONFLICT_ETAG_MALFORMED:
            return NGX_DECLINED;

        default: /* CONFLICT_ETAG_END */
            return *n ? NGX_OK : NGX_DECLINED;
        }
    }
}


/*
 * RFC 9110, 13.1.4 says to ignore what is not an HTTP-date.  Here RFC 3339
 * is taken as well, and what is neither is refused: the client asked for a
 * check, and would take its write for checked.
 */

static ngx_int_t
ngx_http_conflict_base_unmodified(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    int                       exact;
    char                     *text;
    size_t                    len;
    int64_t                   date;
    ngx_table_elt_t          *h;
    conflict_precondition_t  *pre;

    pre = &ctx->op->pre;

    h = r->headers_in.if_unmodified_since;
    text = (char *) h->value.data;
    len = h->value.len;

    exact = 0;
    date = conflict_time_http(text, len, (int64_t) ngx_time()
                                         * CONFLICT_TIME_SECOND);

    if (date == CONFLICT_TIME_NONE) {
        date = conflict_time_rfc3339(text, len, &exact);
    }

    if (date == CONFLICT_TIME_NONE) {
        return NGX_DECLINED;
    }

    pre->kinds |= CONFLICT_IF_UNMODIFIED;
    pre->unmodified = date;
    pre->exact = (unsigned) exact;

    ctx->client_time = date;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_base_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_str_t                  text;
    conflict_json_t           *json;
    ngx_http_conflict_body_t  *body;

    body = &ctx->body;
    json = body->json;

    if (json == NULL) {
        return ngx_http_conflict_fingerprint(r, ctx);
    }

    if (body->too_large) {
        return ngx_http_conflict_base_error(ctx, NGX_HTTP_CONFLICT_TOO_LARGE,
                       "the body is larger than conflict_max_body");
    }

    if (body->size == 0 && r->method == NGX_HTTP_DELETE) {
        return ngx_http_conflict_fingerprint(r, ctx);
    }

    switch (body->error) {

    case CONFLICT_JSON_OK:
        break;

    case CONFLICT_JSON_REPEATED:
        return ngx_http_conflict_base_error(ctx, NGX_HTTP_CONFLICT_BAD_BASE,
                       "the member of the base version is repeated");

    case CONFLICT_JSON_TOO_DEEP:
        return ngx_http_conflict_base_error(ctx, NGX_HTTP_CONFLICT_BAD_JSON,
                       "the body is nested deeper than 128 levels");

    default: /* CONFLICT_JSON_MALFORMED */
        return ngx_http_conflict_base_error(ctx, NGX_HTTP_CONFLICT_BAD_JSON,
                       "the body is not valid JSON");
    }

    rc = ngx_http_conflict_patch_base(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    if (json->type == CONFLICT_JSON_NONE) {
        return ngx_http_conflict_fingerprint(r, ctx);
    }

    text.data = json->text;
    text.len = json->len;

    if ((json->type != CONFLICT_JSON_NUMBER
         && json->type != CONFLICT_JSON_STRING)
        || json->cut_short
        || ngx_http_conflict_base_version(ctx, &text) != NGX_OK)
    {
        return ngx_http_conflict_base_error(ctx, NGX_HTTP_CONFLICT_BAD_BASE,
                       ctx->op->minted ? "the base version is not an integer"
                       : "the base version is neither text nor a number");
    }

    return ngx_http_conflict_fingerprint(r, ctx);
}


/*
 * Minted versions are integers; an upstream's own may be any text.  One
 * that is no version that could be minted is a base that is never current.
 */

static ngx_int_t
ngx_http_conflict_base_version(ngx_http_conflict_ctx_t *ctx, ngx_str_t *text)
{
    size_t                    i;
    conflict_precondition_t  *pre;

    ctx->base = *text;

    if (text->len == 0) {
        return NGX_DECLINED;
    }

    if (ctx->op->minted) {
        i = (text->data[0] == '-' && text->len > 1);

        for ( /* void */ ; i < text->len; i++) {

            if (text->data[i] < '0' || text->data[i] > '9') {
                return NGX_DECLINED;
            }
        }
    }

    pre = &ctx->op->pre;

    pre->kinds |= CONFLICT_BASE;
    pre->base = conflict_version_from_text((char *) text->data, text->len);

    return NGX_OK;
}


/* what was read of the bases so far does not count either */

static ngx_int_t
ngx_http_conflict_base_error(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_error_e error, const char *reason)
{
    ctx->op->pre.kinds = 0;
    ctx->error = error;
    ctx->reason = reason;

    return NGX_DECLINED;
}


/*
 * A retry has the same bytes, bases, sender and view.  PUT and DELETE may be
 * done once for two senders that want the same; any other method, and what is
 * added to a sum, needs someone to tell the senders apart.
 */

static ngx_int_t
ngx_http_conflict_fingerprint(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    size_t                   i;
    ngx_str_t               *key, *value;
    ngx_table_elt_t         *h[3];
    conflict_hash_t         *hash;
    ngx_http_conflict_op_t  *op;

    op = ctx->op;

    if (!ctx->body.hashed || ctx->body.too_large || op->pre.kinds == 0
        || op->view == 0)
    {
        return NGX_OK;
    }

    key = ngx_http_conflict_header(&r->headers_in.headers,
                                   &ngx_http_conflict_idempotency_key, NULL);

    if ((!(r->method & (NGX_HTTP_PUT|NGX_HTTP_DELETE))
         || ctx->conf->sum_rules)
        && key == NULL && ctx->user.len == 0 && ctx->client.len == 0)
    {
        return NGX_OK;
    }

    ctx->nameless = (key == NULL && ctx->user.len == 0
                     && ctx->client.len == 0);

    hash = &ctx->body.hash;

    conflict_hash_field(hash, r->method_name.data, r->method_name.len);

    /* not with what Vary names: a worker may learn that between the two */
    conflict_hash_field(hash, &ctx->selected, sizeof(uint64_t));

    conflict_hash_field(hash, ctx->user.data, ctx->user.len);
    conflict_hash_field(hash, ctx->client.data, ctx->client.len);
    conflict_hash_field(hash, ctx->base.data, ctx->base.len);

    if (key) {
        conflict_hash_field(hash, key->data, key->len);
    }

    value = ngx_http_conflict_if_tags(r);

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

    op->fingerprint = conflict_hash_final(hash);

    return NGX_OK;
}
