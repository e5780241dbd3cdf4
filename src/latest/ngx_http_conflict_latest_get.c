
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Starts the own GET, with the target and the credentials of the request and
 * the access rules of its location.  ngx_http_conflict_latest_response.c saves
 * the response.
 */


#include "latest/ngx_http_conflict_latest.h"


static ngx_int_t ngx_http_conflict_latest_get_target(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *uri, ngx_str_t *args);
static ngx_int_t ngx_http_conflict_latest_get_prepare(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_request_t *sr);
static ngx_int_t ngx_http_conflict_latest_get_guarded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_latest_get_denied(ngx_http_request_t *r,
    ngx_int_t rc);
static void ngx_http_conflict_latest_get_delayed(ngx_http_request_t *r);


/* of a request for a change stream: they are not about the resource */

static const ngx_str_t  ngx_http_conflict_latest_get_stream[] = {
    ngx_string("accept"),
    ngx_string("last-event-id"),
    ngx_null_string
};


ngx_int_t
ngx_http_conflict_latest_get_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_post_subrequest_pt done)
{
    uint64_t                     version;
    ngx_str_t                    uri, args;
    ngx_uint_t                   revalidate;
    ngx_http_request_t          *sr;
    ngx_http_conflict_latest_t  *latest;
    ngx_http_post_subrequest_t  *ps;

    latest = &ctx->latest;

    if (latest->body.data) {
        (void) ngx_pfree(r->pool, latest->body.data);
    }

    version = latest->version;
    revalidate = latest->revalidate;

    ngx_memzero(latest, sizeof(ngx_http_conflict_latest_t));

    latest->version = version;
    latest->revalidate = revalidate;
    latest->last_modified = -1;
    latest->started = 1;

    ctx->timing.fetches++;

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }

    ps->handler = done;
    ps->data = ctx;

    if (ngx_http_conflict_latest_get_target(r, ctx, &uri, &args) != NGX_OK
        || ngx_http_subrequest(r, &uri, &args, &sr, ps,
                               NGX_HTTP_SUBREQUEST_WAITED)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    latest->request = sr;

    if (ctx->conf->get == NULL) {
        /*
         * The client has named the target, in the request line, an argument
         * or Destination: it does not reach what is internal.
         */
        sr->internal = 0;
    }

    if (ngx_http_conflict_latest_get_prepare(r, ctx, sr) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->method & NGX_HTTP_OPTIONS) {
        return ngx_http_conflict_preflight_request(sr);
    }

    /* $request_method is read from the main request */

    r->method = NGX_HTTP_GET;
    r->method_name = sr->method_name;

    return NGX_OK;
}


/*
 * The target as sent by the client, so that rewrites apply to the GET as they
 * did to the write.
 */

static ngx_int_t
ngx_http_conflict_latest_get_target(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_str_t *uri, ngx_str_t *args)
{
    ngx_http_request_t         target;
    ngx_http_core_srv_conf_t  *cscf;

    if (ctx->get.uri.len) {
        *uri = ctx->get.uri;
        *args = ctx->get.args;
        return NGX_OK;
    }

    target = *r;

    target.uri.len = (r->args_start ? r->args_start - 1 : r->uri_end)
                     - r->uri_start;
    target.uri.data = r->uri_start;

    if (r->complex_uri || r->quoted_uri || r->empty_path_in_uri) {

        target.uri.len += r->empty_path_in_uri;
        target.uri.data = ngx_pnalloc(r->pool, target.uri.len);
        if (target.uri.data == NULL) {
            return NGX_ERROR;
        }

        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

        if (ngx_http_parse_complex_uri(&target, cscf->merge_slashes)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    *uri = target.uri;

    ngx_str_null(args);

    if (target.args_start && r->uri_end > target.args_start) {
        args->data = target.args_start;
        args->len = r->uri_end - target.args_start;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_latest_get_raw(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *target)
{
    u_char     *p;
    size_t      len;
    ngx_str_t  *uri, *args;

    uri = &ctx->get.uri;
    args = &ctx->get.args;

    len = uri->len + 2 * ngx_escape_uri(NULL, uri->data, uri->len,
                                        NGX_ESCAPE_URI)
          + (args->len ? 1 + args->len : 0);

    p = ngx_pnalloc(ctx->request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    target->data = p;
    target->len = len;

    p = (u_char *) ngx_escape_uri(p, uri->data, uri->len, NGX_ESCAPE_URI);

    if (args->len) {
        *p++ = '?';
        ngx_memcpy(p, args->data, args->len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_latest_get_prepare(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_request_t *sr)
{
    ngx_str_t                   value;
    ngx_http_core_main_conf_t  *cmcf;

    /* proxy_pass must send encoded slashes as they are */
    sr->valid_unparsed_uri = (ctx->get.uri.len == 0 && !r->empty_path_in_uri);

    /* access services are asked by $request_uri, which is the endpoint's */

    if (ctx->get.target.len) {
        sr->unparsed_uri = ctx->get.target;

    } else if (ctx->get.uri.len
               && ngx_http_conflict_latest_get_raw(ctx, &sr->unparsed_uri)
                  != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* variables cached for the write are wrong for a GET, and vice versa */

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    sr->variables = ngx_pcalloc(r->pool, cmcf->variables.nelts
                                         * sizeof(ngx_http_variable_value_t));
    if (sr->variables == NULL) {
        return NGX_ERROR;
    }

    sr->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (sr->request_body == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_header_own(sr, ngx_http_conflict_header_private)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->events
        && ngx_http_conflict_header_hide(sr,
                                         ngx_http_conflict_latest_get_stream)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* caches on the path must validate with the origin (RFC 9111, 5.2.1.4) */

    ngx_str_set(&value, "no-cache");

    if (ngx_http_conflict_header_push(sr, "Cache-Control", "cache-control",
                                      &value)
        == NULL)
    {
        return NGX_ERROR;
    }

    sr->headers_in.content_length_n = -1;
    sr->headers_in.chunked = 0;
    sr->headers_in.content_length = NULL;
    sr->headers_in.content_type = NULL;
    sr->headers_in.transfer_encoding = NULL;
    sr->headers_in.te = NULL;
    sr->headers_in.expect = NULL;
    sr->headers_in.upgrade = NULL;
    sr->headers_in.range = NULL;
    sr->headers_in.if_range = NULL;
    sr->headers_in.if_match = NULL;
    sr->headers_in.if_none_match = NULL;
    sr->headers_in.if_modified_since = NULL;
    sr->headers_in.if_unmodified_since = NULL;
#if (NGX_HTTP_GZIP)
    sr->headers_in.accept_encoding = NULL;
#endif

    return NGX_OK;
}


void
ngx_http_conflict_latest_get_restore(ngx_http_conflict_ctx_t *ctx)
{
    ctx->request->method = ctx->method;
    ctx->request->method_name = ctx->method_name;
}


/*
 * The access phase of ngx_http_core_module, which subrequests skip.  As in
 * ngx_http_init_phase_handlers(), the last handler runs first.
 */

ngx_int_t
ngx_http_conflict_latest_get_access(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_array_t                 *handlers;
    ngx_http_handler_pt         *h;
    ngx_http_conflict_ctx_t     *ctx;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_conflict_latest_t  *latest;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL || ctx->latest.request != r) {
        return NGX_DECLINED;
    }

    latest = &ctx->latest;

    if (ngx_http_conflict_upstream_conf_get(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->err_status == 0) {
        latest->reached = 1;
    }

    if (ctx->conf->lock && !latest->guarded
        && ngx_http_conflict_latest_get_guarded(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (latest->loc_conf != r->loc_conf
        || latest->uri_changes != r->uri_changes)
    {
        /* try_files or an error page, which may be in the same location */
        latest->loc_conf = r->loc_conf;
        latest->uri_changes = r->uri_changes;
        latest->access = 0;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    handlers = &cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers;
    h = handlers->elts;

    for ( /* void */ ; latest->access < handlers->nelts; latest->access++) {

        rc = h[handlers->nelts - 1 - latest->access](r);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc == NGX_AGAIN || rc == NGX_DONE) {
            return rc;
        }

        if (rc == NGX_OK) {

            if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
                r->access_code = 0;
                latest->access = handlers->nelts;
                break;
            }

            continue;
        }

        if (clcf->satisfy == NGX_HTTP_SATISFY_ANY
            && (rc == NGX_HTTP_FORBIDDEN || rc == NGX_HTTP_UNAUTHORIZED))
        {
            if (r->access_code != NGX_HTTP_UNAUTHORIZED) {
                r->access_code = rc;
            }

            continue;
        }

        return ngx_http_conflict_latest_get_denied(r, rc);
    }

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY && r->access_code) {
        rc = r->access_code;
        r->access_code = 0;
        return ngx_http_conflict_latest_get_denied(r, rc);
    }

    ngx_http_conflict_latest_memcached(r, latest);

    /* proxy_pass escapes the URI of a subrequest by it */
    r->internal = 1;

    rc = ngx_http_conflict_open_files_bypass(r);

    latest->loc_conf = r->loc_conf;

    return rc;
}


/* whether a write of this resource would find what the endpoint has stored */

static ngx_int_t
ngx_http_conflict_latest_get_guarded(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      resource, key;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    if (nlcf->policy == NGX_HTTP_CONFLICT_OFF
        || ngx_http_conflict_conf_endpoint(nlcf)
        || nlcf->store != ctx->conf->store)
    {
        return NGX_OK;
    }

    if (ngx_http_conflict_key(r, nlcf, &resource, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->latest.guarded = ngx_http_conflict_same(&key, &ctx->target.key);

    return NGX_OK;
}


/*
 * As ngx_http_core_auth_delay(): nobody may try passwords faster by way of an
 * own GET.
 */

static ngx_int_t
ngx_http_conflict_latest_get_denied(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (rc != NGX_HTTP_UNAUTHORIZED || clcf->auth_delay == 0) {
        return rc;
    }

    r->write_event_handler = ngx_http_conflict_latest_get_delayed;

    wev = r->connection->write;
    wev->delayed = 1;

    ngx_add_timer(wev, clcf->auth_delay);

    return NGX_DONE;
}


static void
ngx_http_conflict_latest_get_delayed(ngx_http_request_t *r)
{
    ngx_event_t  *wev;

    wev = r->connection->write;

    if (!wev->delayed) {
        ngx_http_finalize_request(r, NGX_HTTP_UNAUTHORIZED);
        return;
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}
