
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The upstream attempts of a request: how many have sent any byte, and the
 * status of the last one.  That of gRPC is in a field or, after the body, in a
 * trailer.
 */


#include "http/ngx_http_conflict_http.h"


static ngx_uint_t ngx_http_conflict_upstream_attempts_grpc(
    ngx_http_upstream_t *u);
static ngx_uint_t ngx_http_conflict_upstream_attempts_call(
    ngx_http_upstream_t *u);
static ngx_str_t *ngx_http_conflict_upstream_attempts_grpc_status(
    ngx_http_upstream_t *u);


/* google.rpc.Code, as the status of HTTP that it stands for */

static const ngx_uint_t  ngx_http_conflict_upstream_attempts_codes[] = {
    200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503,
    500, 401
};


ngx_int_t
ngx_http_conflict_upstream_attempts(ngx_http_request_t *r, ngx_uint_t first,
    ngx_uint_t *sent, ngx_uint_t *status)
{
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    *sent = 0;
    *status = 0;

    if (r->upstream == NULL && r->upstream_states == NULL) {
        return NGX_DECLINED;
    }

    if (r->upstream_states == NULL) {
        return NGX_OK;
    }

    state = r->upstream_states->elts;

    for (i = first; i < r->upstream_states->nelts; i++) {

        if (state[i].peer == NULL) {
            continue;
        }

        /* bytes_sent is set when the attempt ends */

        if (state[i].bytes_sent
            || (r->upstream && r->upstream->state == &state[i]
                && r->upstream->peer.connection
                && r->upstream->request_sent))
        {
            (*sent)++;
        }

        *status = state[i].status;

        if (r->upstream && r->upstream->state == &state[i]
            && (*status == NGX_HTTP_CONFLICT_EARLY_HINTS
                || *status == NGX_HTTP_OK))
        {
            /*
             * nginx keeps the first status; this is the last one, or 0.  It
             * takes what is no HTTP for a response of HTTP/0.9, with 200.
             */
            *status = ngx_http_conflict_upstream_attempts_grpc(r->upstream);
        }
    }

    return NGX_OK;
}


/* the response has 200, whatever has become of the call */

static ngx_uint_t
ngx_http_conflict_upstream_attempts_grpc(ngx_http_upstream_t *u)
{
    ngx_int_t   code;
    ngx_str_t  *value;

    if (!ngx_http_conflict_upstream_attempts_call(u)) {
        return u->headers_in.status_n;
    }

    value = ngx_http_conflict_upstream_attempts_grpc_status(u);

    if (value == NULL) {
        return u->headers_in.status_n;
    }

    code = ngx_atoi(value->data, value->len);

    if (code < 0
        || code >= (ngx_int_t)
                   (sizeof(ngx_http_conflict_upstream_attempts_codes)
                    / sizeof(ngx_uint_t)))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_conflict_upstream_attempts_codes[code];
}


/* the type tells, so that other responses are not searched for the status */

static ngx_uint_t
ngx_http_conflict_upstream_attempts_call(ngx_http_upstream_t *u)
{
    size_t            n;
    ngx_table_elt_t  *h;

    h = u->headers_in.content_type;
    n = sizeof("application/grpc") - 1;

    return h && u->headers_in.status_n == NGX_HTTP_OK && h->value.len >= n
           && ngx_strncasecmp(h->value.data, (u_char *) "application/grpc", n)
              == 0;
}


static ngx_str_t *
ngx_http_conflict_upstream_attempts_grpc_status(ngx_http_upstream_t *u)
{
    ngx_str_t  *value;

    static ngx_str_t  name = ngx_string("grpc-status");

    value = ngx_http_conflict_header_find(&u->headers_in.headers, &name, NULL);

    return value ? value
                 : ngx_http_conflict_header_find(&u->headers_in.trailers,
                                                 &name, NULL);
}


/* not gRPC-Web, "application/grpc-web", which has its trailers in the body */

ngx_uint_t
ngx_http_conflict_upstream_attempts_pending(ngx_http_request_t *r)
{
    size_t                n;
    ngx_str_t            *type;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL || !ngx_http_conflict_upstream_attempts_call(u)) {
        return 0;
    }

    type = &u->headers_in.content_type->value;
    n = sizeof("application/grpc") - 1;

    return (type->len == n || type->data[n] != '-')
           && ngx_http_conflict_upstream_attempts_grpc_status(u) == NULL;
}


ngx_uint_t
ngx_http_conflict_upstream_attempts_redirected(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    return u && u->headers_in.x_accel_redirect
           && !(u->conf->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT);
}
