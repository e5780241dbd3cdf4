
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The subrequest to the resolver, limited in time and size.
 */


#include "resolver/ngx_http_conflict_resolver.h"
#include "latest/ngx_http_conflict_latest.h"


/* request headers of the client that the resolver gets */

static const ngx_str_t  ngx_http_conflict_resolver_headers[] = {
    ngx_string("host"),
    ngx_string("x-request-id"),
    ngx_string("traceparent"),
    ngx_string("tracestate"),
    ngx_null_string
};


static const ngx_str_t  ngx_http_conflict_resolver_patch[] = {
    ngx_string("application/merge-patch+json"),
    ngx_null_string
};


static ngx_str_t  ngx_http_conflict_resolver_post = ngx_string("POST");


static ngx_int_t ngx_http_conflict_resolver_call_prepare(
    ngx_http_conflict_ctx_t *ctx, ngx_http_request_t *sr,
    ngx_http_conflict_writer_t *question);
static ngx_int_t ngx_http_conflict_resolver_call_headers(ngx_http_request_t *r,
    ngx_http_request_t *sr, off_t length);
static ngx_int_t ngx_http_conflict_resolver_call_done(ngx_http_request_t *r,
    void *data, ngx_int_t rc);
static void ngx_http_conflict_resolver_call_timeout(ngx_event_t *ev);


ngx_int_t
ngx_http_conflict_resolver_call_start(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_writer_t *question)
{
    ngx_http_request_t            *r, *sr;
    ngx_http_post_subrequest_t    *ps;
    ngx_http_conflict_resolver_t  *resolver;

    r = ctx->request;
    resolver = ctx->resolver;

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }

    ps->handler = ngx_http_conflict_resolver_call_done;
    ps->data = ctx;

    if (ngx_http_subrequest(r, &resolver->uri, &resolver->args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    resolver->request = sr;

    if (ngx_http_conflict_resolver_call_prepare(ctx, sr, question) != NGX_OK) {
        return NGX_ERROR;
    }

    /* $request_method is read from the main request */

    r->method = NGX_HTTP_POST;
    r->method_name = ngx_http_conflict_resolver_post;

    resolver->timer.handler = ngx_http_conflict_resolver_call_timeout;
    resolver->timer.data = ctx;
    resolver->timer.log = r->connection->log;

    ngx_add_timer(&resolver->timer, ctx->conf->resolver->timeout);

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_resolver_call_prepare(ngx_http_conflict_ctx_t *ctx,
    ngx_http_request_t *sr, ngx_http_conflict_writer_t *question)
{
    ngx_http_core_main_conf_t  *cmcf;

    sr->method = NGX_HTTP_POST;
    sr->method_name = ngx_http_conflict_resolver_post;

    /* variables cached for the write are wrong for the question */

    cmcf = ngx_http_get_module_main_conf(sr, ngx_http_core_module);

    sr->variables = ngx_pcalloc(sr->pool, cmcf->variables.nelts
                                          * sizeof(ngx_http_variable_value_t));
    if (sr->variables == NULL) {
        return NGX_ERROR;
    }

    sr->request_body = ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t));
    if (sr->request_body == NULL) {
        return NGX_ERROR;
    }

    question->last->buf->last_buf = 1;

    sr->request_body->bufs = question->first;

    return ngx_http_conflict_resolver_call_headers(ctx->request, sr,
                                                   question->size);
}


/*
 * The credentials of the client are for the API.  The structure is emptied, as
 * it has pointers to them.
 */

static ngx_int_t
ngx_http_conflict_resolver_call_headers(ngx_http_request_t *r,
    ngx_http_request_t *sr, off_t length)
{
    ngx_str_t                         value;
    ngx_table_elt_t                  *h, *copy;
    ngx_http_headers_in_t            *in;
    ngx_http_conflict_header_walk_t   walk;

    in = &sr->headers_in;

    ngx_memzero(in, sizeof(ngx_http_headers_in_t));

    in->server = r->headers_in.server;
    in->keep_alive_n = -1;

    /* until its location is found: see ..._call_reached() */
    in->content_length_n = -1;

    if (ngx_list_init(&in->headers, sr->pool, 8, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_conflict_header_walk(&walk, &r->headers_in.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (!ngx_http_conflict_header_listed(&h->key,
                                       ngx_http_conflict_resolver_headers))
        {
            continue;
        }

        copy = ngx_list_push(&in->headers);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *h;
#if (nginx_version >= 1023000)
        copy->next = NULL;
#endif

        if (h == r->headers_in.host) {
            in->host = copy;
        }
    }

    ngx_str_set(&value, "application/json");

    in->content_type = ngx_http_conflict_header_push(sr, "Content-Type",
                                                     "content-type", &value);

    if (in->content_type == NULL
        || ngx_http_conflict_header_push(sr, "Accept", "accept", &value)
           == NULL)
    {
        return NGX_ERROR;
    }

    value.data = ngx_pnalloc(sr->pool, NGX_OFF_T_LEN + 1);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%O", length) - value.data;
    value.data[value.len] = '\0';

    in->content_length = ngx_http_conflict_header_push(sr, "Content-Length",
                                                       "content-length",
                                                       &value);

    return in->content_length ? NGX_OK : NGX_ERROR;
}


ngx_uint_t
ngx_http_conflict_resolver_call_reached(ngx_http_request_t *r)
{
    ngx_table_elt_t          *h;
    ngx_http_conflict_ctx_t  *ctx;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL || ctx->resolver == NULL || ctx->resolver->request != r) {
        return 0;
    }

    h = r->headers_in.content_length;

    /* a script may have removed it */

    if (h) {
        r->headers_in.content_length_n = ngx_atoof(h->value.data,
                                                   h->value.len);
    }

    return 1;
}


/* may run twice; nginx wakes the main request */

static ngx_int_t
ngx_http_conflict_resolver_call_done(ngx_http_request_t *r, void *data,
    ngx_int_t rc)
{
    ngx_http_conflict_ctx_t *ctx = data;

    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    if (resolver->done || r->buffered || r->postponed) {
        return r->connection->error ? rc : NGX_OK;
    }

    if ((rc >= NGX_HTTP_SPECIAL_RESPONSE || rc == NGX_HTTP_CREATED
         || rc == NGX_HTTP_NO_CONTENT)
        && rc != NGX_HTTP_CLOSE && rc != NGX_HTTP_REQUEST_TIME_OUT
        && rc != NGX_HTTP_CLIENT_CLOSED_REQUEST && !resolver->page)
    {
        /* the error page follows, at whose end this runs again */
        resolver->page = 1;
        return rc;
    }

    if (rc == NGX_HTTP_CLIENT_CLOSED_REQUEST) {
        resolver->failure = "was not waited for, as the client is gone";

    } else if (rc == NGX_ERROR || rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        resolver->failure = "has not answered completely";

    } else if (r->err_status && r->err_status < NGX_HTTP_SPECIAL_RESPONSE) {
        /* by "error_page 502 =200 /page" */
        resolver->failure = "has failed, and its page got another status";
    }

    ngx_http_conflict_resolver_call_end(ctx);

    return r->connection->error ? rc : NGX_OK;
}


/*
 * An upstream is ended.  A handler without one cannot be: the write goes on,
 * but nginx sends its response only after the end of that handler, whose own
 * output is discarded.
 */

static void
ngx_http_conflict_resolver_call_timeout(ngx_event_t *ev)
{
    ngx_http_conflict_ctx_t *ctx = ev->data;

    ngx_connection_t     *c;
    ngx_http_request_t   *r, *sr;
    ngx_http_upstream_t  *u;

    r = ctx->request;
    sr = ctx->resolver->request;
    c = r->connection;
    u = sr->upstream;

    ngx_http_set_log_request(c->log, r);

    ctx->resolver->failure = "has not answered within its timeout";

    ngx_http_conflict_resolver_call_end(ctx);

    if (u && u->cleanup && !sr->aio) {

        /* as ngx_http_upstream_create() ends a previous upstream */

        r->count++;
        (*u->cleanup)(sr);

        ngx_http_finalize_request(sr, NGX_ERROR);
    }

    if (sr->done) {
        /* nginx has woken the main request */
        ngx_http_run_posted_requests(c);
        return;
    }

    ngx_http_conflict_store_call_resume(r);
}


void
ngx_http_conflict_resolver_call_end(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    if (resolver == NULL || resolver->request == NULL || resolver->done) {
        return;
    }

    resolver->done = 1;

    if (resolver->timer.timer_set) {
        ngx_del_timer(&resolver->timer);
    }

    ngx_http_conflict_latest_get_restore(ctx);
}


ngx_int_t
ngx_http_conflict_resolver_call_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                      type;
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    /* normally set by ngx_http_header_filter(), which is not called */
    r->header_sent = 1;

    resolver->status = r->headers_out.status;
    resolver->json = ngx_http_conflict_media_type_json(
                                                 &r->headers_out.content_type);

    ngx_http_conflict_media_type_name(&r->headers_out.content_type, &type);
    resolver->patch = ngx_http_conflict_header_listed(&type,
                                             ngx_http_conflict_resolver_patch);

    resolver->encoded = (r->headers_out.content_encoding
                         && r->headers_out.content_encoding->value.len);

    if (r->headers_out.content_length_n > (off_t) ctx->conf->max_body) {
        /* not worth reading */
        resolver->too_large = 1;
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_resolver_call_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in)
{
    off_t                          size;
    ngx_http_conflict_resolver_t  *resolver;

    resolver = ctx->resolver;

    for ( /* void */ ; in; in = in->next) {
        size = ngx_buf_special(in->buf) ? 0 : ngx_buf_size(in->buf);

        if (size > (off_t) (ctx->conf->max_body - resolver->document.len)) {
            resolver->too_large = 1;
        }

        if (resolver->too_large || resolver->done) {

            /* stop reading from the upstream; see the own GET */

            if (r->upstream && r->upstream->pipe) {
                r->upstream->pipe->downstream_error = 1;
            }

        } else if (size
                   && ngx_http_conflict_latest_response_append(r->pool,
                                                &resolver->document,
                                                &resolver->size, in->buf)
                      != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_conflict_capture_used(in->buf);
    }

    return NGX_OK;
}
