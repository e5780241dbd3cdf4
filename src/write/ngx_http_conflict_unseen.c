
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Writes that are not requests of a client: subrequests of other modules, such
 * as ngx.location.capture() of Lua, and a post_action; and those of a MOVE or
 * COPY from a location that is not guarded to its destination.  They pass
 * unchecked, and the version of their resource is unknown from then on.
 */


#include "write/ngx_http_conflict_write.h"


typedef struct {
    ngx_http_request_t            *request;
    ngx_http_conflict_op_t        *op;         /* NULL: it is settled */
    ngx_http_conflict_op_t        *other;      /* of a destination, or NULL */
    ngx_http_upstream_t           *upstream;   /* as it was before */
    ngx_uint_t                     attempts;   /* made before */
} ngx_http_conflict_unseen_t;


static ngx_uint_t ngx_http_conflict_unseen_of_write(ngx_http_request_t *r,
    ngx_http_conflict_store_t *store, ngx_str_t *key);
static ngx_int_t ngx_http_conflict_unseen_add(ngx_http_request_t *r,
    ngx_http_conflict_op_t *op, ngx_http_conflict_op_t *other);
static ngx_http_conflict_unseen_t *ngx_http_conflict_unseen_find(
    ngx_http_request_t *r);
static void ngx_http_conflict_unseen_settle(
    ngx_http_conflict_unseen_t *unseen);
static void ngx_http_conflict_unseen_cleanup(void *data);


ngx_int_t
ngx_http_conflict_unseen(ngx_http_request_t *r)
{
    ngx_str_t                      resource, key;
    ngx_http_conflict_op_t        *op, *other;
    ngx_http_conflict_kind_e       kind;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    if (ngx_http_conflict_conf_endpoint(nlcf)) {
        return NGX_DECLINED;
    }

    if (nlcf->policy == NGX_HTTP_CONFLICT_OFF) {
        return ngx_http_conflict_unseen_destination(r);
    }

    kind = ngx_http_conflict_method(r, nlcf);

    if (kind != NGX_HTTP_CONFLICT_KIND_WRITE
        && kind != NGX_HTTP_CONFLICT_KIND_UNCHECKED)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_conflict_key(r, nlcf, &resource, &key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (key.len == 0
        || ngx_http_conflict_unseen_of_write(r, nlcf->store, &key)
        || ngx_http_conflict_unseen_find(r))
    {
        return NGX_DECLINED;
    }

    op = ngx_http_conflict_method_op(r, nlcf, &key);
    if (op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_conflict_pair_unguarded(r, nlcf, &other) != NGX_OK) {
        ngx_http_conflict_op_release(op);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_conflict_unseen_add(r, op, other);
}


/*
 * Which location the destination would have is not known: it is unknown in the
 * stores and by the keys of all of this server.  What has no entry gets none.
 */

ngx_int_t
ngx_http_conflict_unseen_destination(ngx_http_request_t *r)
{
    ngx_uint_t                      i, j;
    ngx_http_conflict_op_t         *op;
    ngx_http_core_srv_conf_t       *cscf;
    ngx_http_conflict_route_t      *route;
    ngx_http_conflict_main_conf_t  *nmcf;

    if (!(r->method & (NGX_HTTP_MOVE|NGX_HTTP_COPY))
        || ngx_http_conflict_unseen_find(r))
    {
        return NGX_DECLINED;
    }

    nmcf = ngx_http_get_module_main_conf(r, ngx_http_conflict_module);
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    route = nmcf->routes.elts;

    for (i = 0; i < nmcf->routes.nelts; i++) {

        if (ngx_http_conflict_conf_endpoint(route[i].conf)
            || !ngx_http_conflict_same(&route[i].server, &cscf->server_name))
        {
            continue;
        }

        for (j = 0; j < i; j++) {

            if (route[j].store == route[i].store
                && route[j].conf->key == route[i].conf->key
                && ngx_http_conflict_same(&route[j].server, &route[i].server)
                && !ngx_http_conflict_conf_endpoint(route[j].conf))
            {
                break;
            }
        }

        if (j < i) {
            continue;
        }

        if (ngx_http_conflict_pair_unguarded(r, route[i].conf, &op) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (op && ngx_http_conflict_unseen_add(r, op, NULL) != NGX_DECLINED) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_conflict_unseen_add(ngx_http_request_t *r, ngx_http_conflict_op_t *op,
    ngx_http_conflict_op_t *other)
{
    ngx_http_cleanup_t          *cln;
    ngx_http_conflict_unseen_t  *unseen;

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_conflict_unseen_t));
    if (cln == NULL) {
        ngx_http_conflict_op_release(op);

        if (other) {
            ngx_http_conflict_op_release(other);
        }

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_conflict_unseen_cleanup;
    unseen = cln->data;

    unseen->request = r;
    unseen->op = op;
    unseen->other = other;
    unseen->upstream = r->upstream;
    unseen->attempts = r->upstream_states ? r->upstream_states->nelts : 0;

    return NGX_DECLINED;
}


/* 1: it is a part of a guarded write, or repeats it */

static ngx_uint_t
ngx_http_conflict_unseen_of_write(ngx_http_request_t *r,
    ngx_http_conflict_store_t *store, ngx_str_t *key)
{
    ngx_str_t                *own;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL || !ctx->write || !ctx->pass.forwarded
        || ctx->conf->store != store)
    {
        /* a key of another store names another resource */
        return 0;
    }

    own = &ctx->target.key;

    if (ngx_http_conflict_same(own, key)) {
        return 1;
    }

    own = ctx->pair ? &ctx->pair->key : NULL;

    return own && ngx_http_conflict_same(own, key);
}


static ngx_http_conflict_unseen_t *
ngx_http_conflict_unseen_find(ngx_http_request_t *r)
{
    ngx_http_cleanup_t          *cln;
    ngx_http_conflict_unseen_t  *unseen;

    for (cln = r->main->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_conflict_unseen_cleanup) {
            unseen = cln->data;

            if (unseen->request == r) {
                return unseen;
            }
        }
    }

    return NULL;
}


void
ngx_http_conflict_unseen_header(ngx_http_request_t *r)
{
    ngx_http_cleanup_t          *cln;
    ngx_http_conflict_unseen_t  *unseen;

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return;
    }

    for (cln = r->main->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_conflict_unseen_cleanup) {
            unseen = cln->data;

            if (unseen->request == r) {
                ngx_http_conflict_unseen_settle(unseen);
            }
        }
    }
}


static void
ngx_http_conflict_unseen_settle(ngx_http_conflict_unseen_t *unseen)
{
    ngx_uint_t           sent, status;
    ngx_http_request_t  *r;

    if (unseen->op == NULL) {
        return;
    }

    r = unseen->request;

    if (r->upstream == unseen->upstream) {
        /* a handler without an upstream, such as dav */
        sent = 1;
        status = r->headers_out.status;

    } else {
        (void) ngx_http_conflict_upstream_attempts(r, unseen->attempts, &sent,
                                                   &status);
    }

    if (sent > 1 || r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        /* it tells of the last attempt only, or of an error page */
        status = 0;
    }

    if (sent) {
        ngx_http_conflict_unleased_unseen(unseen->op, status);

        if (unseen->other) {
            ngx_http_conflict_unleased_unseen(unseen->other, status);
        }
    }

    ngx_http_conflict_op_release(unseen->op);
    unseen->op = NULL;

    if (unseen->other) {
        ngx_http_conflict_op_release(unseen->other);
    }
}


/*
 * A post_action, whose header is not sent, or a subrequest that was not
 * answered, as the client is gone, or whose response is an error page.
 */

static void
ngx_http_conflict_unseen_cleanup(void *data)
{
    ngx_http_conflict_unseen_settle(data);
}
