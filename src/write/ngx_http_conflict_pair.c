
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * MOVE and COPY (RFC 4918, 9.8 and 9.9) write the resource in Destination, and
 * MOVE its target as well: the leases are acquired one after the other, and
 * settled together.
 */


#include "write/ngx_http_conflict_write.h"


static ngx_int_t ngx_http_conflict_pair_keys(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_pair_t *pair);
static ngx_int_t ngx_http_conflict_pair_path(ngx_http_request_t *r,
    u_char *path, u_char *last, ngx_str_t *uri);
static ngx_int_t ngx_http_conflict_pair_key(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *path, ngx_str_t *resource,
    ngx_str_t *key);
static ngx_int_t ngx_http_conflict_pair_op(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_pair_t *pair);
static void ngx_http_conflict_pair_hold(ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_pair_swap(ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_pair_renew(ngx_event_t *ev);


static ngx_str_t  ngx_http_conflict_destination = ngx_string("destination");


/*
 * ctx->op is the source's, with all preconditions of the header.  A COPY
 * writes the destination alone; its source is checked if it has any.
 */

ngx_int_t
ngx_http_conflict_pair(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_str_t                 *value;
    ngx_uint_t                 n;
    ngx_http_conflict_pair_t  *pair;

    if (!(r->method & (NGX_HTTP_MOVE|NGX_HTTP_COPY))) {
        return NGX_OK;
    }

#if (CONFLICT_BROKEN == 4)
    return NGX_OK;
#endif

    value = ngx_http_conflict_header_find(&r->headers_in.headers,
                                          &ngx_http_conflict_destination, &n);

    if (value == NULL) {
        /* for the upstream to refuse */
        return NGX_OK;
    }

    if (n > 1) {
        /* the upstream may read another one */
        return ngx_http_conflict_precondition_error(ctx,
                               NGX_HTTP_CONFLICT_ANSWER_BAD_DESTINATION,
                               "there is more than one Destination");
    }

    pair = ngx_pcalloc(r->pool, sizeof(ngx_http_conflict_pair_t));
    if (pair == NULL) {
        return NGX_ERROR;
    }

    switch (ngx_http_conflict_pair_destination(r, value, &pair->target)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_conflict_precondition_error(ctx,
                               NGX_HTTP_CONFLICT_ANSWER_BAD_DESTINATION,
                               "Destination is not a path of this host");

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }

    rc = ngx_http_conflict_pair_keys(r, ctx, pair);

    if (rc != NGX_OK) {
        /* NGX_DONE: the same resource */
        return (rc == NGX_DONE) ? NGX_OK : rc;
    }

    if (ngx_http_conflict_pair_op(r, ctx, pair) != NGX_OK) {
        return NGX_ERROR;
    }

    pair->source = ctx->op;
    ctx->pair = pair;

    if ((r->method & NGX_HTTP_COPY) && ctx->op->in.pre.kinds == 0) {
        ngx_http_conflict_pair_swap(ctx);
        ngx_http_conflict_op_release(pair->op);
        ctx->pair = NULL;
        return NGX_OK;
    }

    if (r->method & NGX_HTTP_COPY) {
        pair->source->in.reads = 1;
        pair->source->in.edits = 0;
    }

    /* leases are acquired in the order of the keys to avoid a deadlock */

    if (ngx_memn2cmp(pair->key.data, ctx->target.key.data, pair->key.len,
                     ctx->target.key.len)
        < 0)
    {
        ngx_http_conflict_pair_swap(ctx);
    }

    return NGX_OK;
}


/*
 * Both keys are made of the paths that the client has sent: a rewrite that has
 * changed the one of the target would change that of the destination as well.
 */

static ngx_int_t
ngx_http_conflict_pair_keys(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_pair_t *pair)
{
    ngx_int_t  rc;
    ngx_str_t  path, source, resource, key;

    path = r->unparsed_uri;

    if (r->empty_path_in_uri) {
        ngx_str_set(&path, "/");
    }

    rc = ngx_http_conflict_pair_path(r, path.data, path.data + path.len,
                                     &source);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_conflict_precondition_error(ctx,
                               NGX_HTTP_CONFLICT_ANSWER_BAD_DESTINATION,
                               "the target is not a path");
    }

    if (ngx_http_conflict_same(&pair->target, &source)) {
        return NGX_DONE;
    }

    if (ngx_http_conflict_pair_key(r, ctx->conf, &source, &resource, &key)
        != NGX_OK
        || ngx_http_conflict_pair_key(r, ctx->conf, &pair->target,
                                      &pair->resource, &pair->key)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_conflict_same(&key, &ctx->target.key)
        || ngx_http_conflict_same(&pair->key, &ctx->target.key))
    {
        /* the key depends on captures, on a "set", or on a rewrite */
        return ngx_http_conflict_precondition_error(ctx,
                               NGX_HTTP_CONFLICT_ANSWER_BAD_DESTINATION,
                               "conflict_key does not determine the resource "
                               "in Destination");
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_pair_destination(ngx_http_request_t *r, ngx_str_t *value,
    ngx_str_t *uri)
{
    u_char  *p, *last, *host;

    p = value->data;
    last = value->data + value->len;

    if (ngx_strlchr(p, last, '#')) {
        /* RFC 4918, 8.3: without a fragment; some servers read it as a path */
        return NGX_DECLINED;
    }

    if (value->len && *p != '/') {

        /* an absolute URI: the scheme and the port may differ */

        p = ngx_strlchr(p, last, ':');

        if (p == NULL || last - p < 3 || p[1] != '/' || p[2] != '/') {
            return NGX_DECLINED;
        }

        host = p + 3;

        for (p = host; p < last && *p != '/' && *p != ':'; p++) {
            /* void */
        }

        if (*host == '[') {

            for (p = host; p < last && *p != ']'; p++) { /* void */ }

            p += (p < last);
        }

        if ((size_t) (p - host) != r->headers_in.server.len
            || ngx_strncasecmp(host, r->headers_in.server.data, p - host) != 0)
        {
            return NGX_DECLINED;
        }

        while (p < last && *p != '/') {
            p++;
        }
    }

    if (p == last || *p != '/') {
        return NGX_DECLINED;
    }

    return ngx_http_conflict_pair_path(r, p, last, uri);
}


/* as nginx derives r->uri from the request line */

static ngx_int_t
ngx_http_conflict_pair_path(ngx_http_request_t *r, u_char *path, u_char *last,
    ngx_str_t *uri)
{
    u_char                    *p;
    ngx_http_request_t         target;
    ngx_http_core_srv_conf_t  *cscf;

    p = ngx_pnalloc(r->pool, 2 * (last - path) + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    target = *r;

    target.uri_start = p;
    target.uri_end = ngx_cpymem(p, path, last - path);
    *target.uri_end = ' ';

    target.uri.data = target.uri_end + 1;
    target.uri.len = last - path;
    target.uri_ext = NULL;
    target.args_start = NULL;
    target.empty_path_in_uri = 0;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (ngx_http_parse_complex_uri(&target, cscf->merge_slashes) != NGX_OK) {
        return NGX_DECLINED;
    }

    *uri = target.uri;

    return NGX_OK;
}


/*
 * A MOVE or COPY that is not guarded writes its destination all the same, as
 * far as that is known.
 */

ngx_int_t
ngx_http_conflict_pair_unguarded(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_http_conflict_op_t **op)
{
    ngx_int_t   rc;
    ngx_str_t  *value, target, resource, key;

    *op = NULL;

    if (!(r->method & (NGX_HTTP_MOVE|NGX_HTTP_COPY))) {
        return NGX_OK;
    }

    value = ngx_http_conflict_header_find(&r->headers_in.headers,
                                          &ngx_http_conflict_destination, NULL);
    if (value == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_conflict_pair_destination(r, value, &target);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_http_conflict_pair_key(r, nlcf, &target, &resource, &key) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (key.len == 0) {
        return NGX_OK;
    }

    *op = ngx_http_conflict_method_op(r, nlcf, &key);

    return *op ? NGX_OK : NGX_ERROR;
}


/* the key of a path: variables are evaluated anew */

static ngx_int_t
ngx_http_conflict_pair_key(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *path, ngx_str_t *resource,
    ngx_str_t *key)
{
    ngx_int_t                   rc;
    ngx_str_t                   uri;
    ngx_http_core_main_conf_t  *cmcf;
    ngx_http_variable_value_t  *variables;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    uri = r->uri;
    variables = r->variables;

    r->variables = ngx_pcalloc(r->pool, cmcf->variables.nelts
                                        * sizeof(ngx_http_variable_value_t));
    if (r->variables == NULL) {
        r->variables = variables;
        return NGX_ERROR;
    }

    r->uri = *path;

    rc = ngx_http_conflict_key(r, nlcf, resource, key);

    r->uri = uri;
    r->variables = variables;

    return rc;
}


static ngx_int_t
ngx_http_conflict_pair_op(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_pair_t *pair)
{
    ngx_uint_t               n;
    ngx_http_conflict_op_t  *op, *source;

    source = ctx->op;
    n = ctx->pre.when ? ctx->pre.when->nelts : 0;

    op = ngx_http_conflict_op_create(r, source->store, &pair->key, 2 * n);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->in.pre.match = ngx_http_conflict_op_bases(op);
    op->in.pre.none = ngx_http_conflict_op_bases(op) + n;

    ngx_http_conflict_dav_if_take(ctx, op, &pair->target);

    op->in.policy = source->in.policy;
    op->in.lease = source->in.lease;
    op->in.quarantine = source->in.quarantine;
    op->in.report = source->in.report;
    op->in.minted = source->in.minted;
    op->in.edits = source->in.edits;
    op->in.edit = source->in.edit;
    op->in.skew = source->in.skew;
    op->in.records = source->in.records;
    op->in.record_bytes = source->in.record_bytes;
    op->in.record_ttl = source->in.record_ttl;
    op->in.noted = source->in.noted;
    op->lock = source->lock;
    op->in.observed.mtime = CONFLICT_TIME_NONE;

    pair->op = op;

    return NGX_OK;
}


ngx_uint_t
ngx_http_conflict_pair_next(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_pair_t  *pair;

    pair = ctx->pair;

    if (pair == NULL) {
        return 0;
    }

    if (pair->second) {

        /* both may pass: back to the source */

        if (ctx->op != pair->source) {
            ngx_http_conflict_pair_swap(ctx);
        }

        ngx_http_conflict_pair_hold(ctx);

        return 0;
    }

    pair->second = 1;

    ngx_http_conflict_pair_swap(ctx);

    ngx_http_conflict_pair_hold(ctx);

    if (ctx->flow.outcome == NGX_HTTP_CONFLICT_OUTCOME_PASSED) {
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_NONE;
    }

    return 1;
}


/* renews the lease of pair->op, if it has one */

static void
ngx_http_conflict_pair_hold(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_pair_t  *pair;

    pair = ctx->pair;

    if (pair->op->out.leased && !pair->timer.timer_set) {
        pair->timer.handler = ngx_http_conflict_pair_renew;
        pair->timer.data = pair;
        pair->timer.log = ctx->request->connection->log;

        ngx_add_timer(&pair->timer, pair->op->in.lease / 3 + 1);
    }
}


void
ngx_http_conflict_pair_exchange(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                  resource, key, target;
    ngx_http_conflict_op_t    *op;
    ngx_http_conflict_pair_t  *pair;

    pair = ctx->pair;

    op = ctx->op;
    key = ctx->target.key;
    target = ctx->get.uri;
    resource = ctx->target.resource;

    ctx->op = pair->op;
    ctx->target.key = pair->key;
    ctx->get.uri = pair->target;
    ctx->target.resource = pair->resource;

    pair->op = op;
    pair->key = key;
    pair->target = target;
    pair->resource = resource;
}


/* to check the other resource: discards what was fetched for this one */

static void
ngx_http_conflict_pair_swap(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_outcome_unhold(ctx);
    ngx_http_conflict_pair_exchange(ctx);

    ngx_memzero(&ctx->latest, sizeof(ngx_http_conflict_latest_t));

    ctx->timing.fetches = 0;
    ctx->timing.wait_step = 0;
    ctx->turn.number = 0;
    ctx->version.upstream_tagged = 0;
}


static void
ngx_http_conflict_pair_renew(ngx_event_t *ev)
{
    ngx_http_conflict_pair_t *pair = ev->data;

    ngx_add_timer(ev, pair->op->in.lease / 3 + 1);

    if (pair->op->out.leased) {
        /* if it fails, the lease expires and a quarantine begins: safe */
        (void) pair->op->store->ops->renew(pair->op);
    }
}


void
ngx_http_conflict_pair_end(ngx_http_conflict_ctx_t *ctx)
{
    if (ctx->pair == NULL) {
        return;
    }

    if (ctx->pair->timer.timer_set) {
        ngx_del_timer(&ctx->pair->timer);
    }

    if (ctx->pair->op) {
        ngx_http_conflict_op_release(ctx->pair->op);
        ctx->pair->op = NULL;
    }
}
