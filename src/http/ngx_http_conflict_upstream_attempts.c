
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The upstream attempts of a request: how many have sent any byte, and the
 * status of the last one.
 */


#include "http/ngx_http_conflict_http.h"


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
            *status = r->upstream->headers_in.status_n;
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_conflict_upstream_attempts_redirected(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    return u && u->headers_in.x_accel_redirect
           && !(u->conf->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT);
}
