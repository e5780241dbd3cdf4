
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Subrequests of other modules, such as ngx.location.capture() of Lua, that
 * write: they pass unchecked, and the version of their resource is unknown
 * from then on.
 */


#include "write/ngx_http_conflict_write.h"


typedef struct {
    ngx_http_request_t            *request;
    ngx_http_conflict_op_t        *op;         /* NULL: it is settled */
} ngx_http_conflict_subrequest_t;


static ngx_uint_t ngx_http_conflict_subrequest_of_write(ngx_http_request_t *r,
    ngx_str_t *key);
static ngx_http_conflict_subrequest_t *ngx_http_conflict_subrequest_find(
    ngx_http_request_t *r);
static void ngx_http_conflict_subrequest_settle(
    ngx_http_conflict_subrequest_t *sub, ngx_uint_t status);
static void ngx_http_conflict_subrequest_cleanup(void *data);


ngx_int_t
ngx_http_conflict_subrequest(ngx_http_request_t *r)
{
    ngx_str_t                        resource, key;
    ngx_http_cleanup_t              *cln;
    ngx_http_conflict_kind_e         kind;
    ngx_http_conflict_loc_conf_t    *nlcf;
    ngx_http_conflict_subrequest_t  *sub;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    if (nlcf->policy == NGX_HTTP_CONFLICT_OFF
        || ngx_http_conflict_conf_endpoint(nlcf))
    {
        return NGX_OK;
    }

    kind = ngx_http_conflict_method(r, nlcf);

    if (kind != NGX_HTTP_CONFLICT_KIND_WRITE
        && kind != NGX_HTTP_CONFLICT_KIND_UNCHECKED)
    {
        return NGX_OK;
    }

    if (ngx_http_conflict_key(r, nlcf, &resource, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (key.len == 0 || ngx_http_conflict_subrequest_of_write(r, &key)
        || ngx_http_conflict_subrequest_find(r))
    {
        return NGX_OK;
    }

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_conflict_subrequest_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    sub = cln->data;

    sub->request = r;
    sub->op = ngx_http_conflict_op_create(r, nlcf->store, &key, 0);
    if (sub->op == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_conflict_subrequest_cleanup;

    sub->op->in.minted = (nlcf->version->place == NGX_HTTP_CONFLICT_DEFAULT);
    sub->op->in.lease = nlcf->lease;
    sub->op->in.quarantine = nlcf->quarantine;

    return NGX_OK;
}


/* the handler of a guarded write sends it by this subrequest */

static ngx_uint_t
ngx_http_conflict_subrequest_of_write(ngx_http_request_t *r, ngx_str_t *key)
{
    ngx_str_t                *own;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL || !ctx->write) {
        return 0;
    }

    own = &ctx->target.key;

    if (own->len == key->len && ngx_memcmp(own->data, key->data, key->len) == 0)
    {
        return 1;
    }

    own = ctx->pair ? &ctx->pair->key : NULL;

    return own && own->len == key->len
           && ngx_memcmp(own->data, key->data, key->len) == 0;
}


static ngx_http_conflict_subrequest_t *
ngx_http_conflict_subrequest_find(ngx_http_request_t *r)
{
    ngx_http_cleanup_t              *cln;
    ngx_http_conflict_subrequest_t  *sub;

    for (cln = r->main->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_conflict_subrequest_cleanup) {
            sub = cln->data;

            if (sub->request == r) {
                return sub;
            }
        }
    }

    return NULL;
}


void
ngx_http_conflict_subrequest_header(ngx_http_request_t *r)
{
    ngx_http_conflict_subrequest_t  *sub;

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return;
    }

    sub = ngx_http_conflict_subrequest_find(r);

    if (sub) {
        ngx_http_conflict_subrequest_settle(sub, r->headers_out.status);
    }
}


static void
ngx_http_conflict_subrequest_settle(ngx_http_conflict_subrequest_t *sub,
    ngx_uint_t status)
{
    if (sub->op == NULL) {
        return;
    }

    ngx_http_conflict_outcome_subrequest(sub->op, status);
    ngx_http_conflict_op_release(sub->op);
    sub->op = NULL;
}


/* it was not answered, as the client is gone */

static void
ngx_http_conflict_subrequest_cleanup(void *data)
{
    ngx_http_conflict_subrequest_t *sub = data;

    ngx_http_conflict_subrequest_settle(sub, 0);
}
