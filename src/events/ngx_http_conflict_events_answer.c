
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The content handler of a change stream: refusals, preflights, and the header
 * of a stream, which is then left open.
 */


#include "events/ngx_http_conflict_events.h"
#include "answer/ngx_http_conflict_endpoint.h"
#include "latest/ngx_http_conflict_latest.h"


#define NGX_HTTP_CONFLICT_EVENTS_HELLO  "retry: 2000\n\n"


static ngx_int_t ngx_http_conflict_events_answer_cors(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


ngx_int_t
ngx_http_conflict_events_answer(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_http_conflict_ctx_t     *ctx;
    ngx_http_conflict_events_t  *stream;

    rc = ngx_http_conflict_endpoint_respond(r, ngx_http_conflict_events_answer,
                                            NULL);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    stream = ctx->events;

    if (!stream->poll || r->method == NGX_HTTP_HEAD) {

        if (ngx_http_conflict_events_answer_header(r, ctx) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        stream->buf.pos = (u_char *) NGX_HTTP_CONFLICT_EVENTS_HELLO;
        stream->buf.last = stream->buf.pos
                           + sizeof(NGX_HTTP_CONFLICT_EVENTS_HELLO) - 1;
        stream->buf.memory = 1;
        stream->buf.flush = 1;
        stream->out.buf = &stream->buf;

        rc = ngx_http_conflict_capture_send(r, ctx, &stream->out);

        if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
            return rc;
        }
    }

    if (ngx_http_conflict_events_stream_open(stream) != NGX_OK) {
        return r->header_sent ? NGX_ERROR : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


ngx_int_t
ngx_http_conflict_events_answer_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = -1;

    if (ctx->events->poll) {
        ngx_str_set(&r->headers_out.content_type, "application/json");

    } else {
        ngx_str_set(&r->headers_out.content_type, "text/event-stream");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

#if (NGX_HTTP_GZIP)
    /* a stream that is compressed would need memory while it is idle */
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    r->limit_rate_set = 1;
    r->limit_rate = 0;

    if (ngx_http_conflict_events_answer_cors(r, ctx) != NGX_OK
        || ngx_http_conflict_header_add(r, "X-Accel-Buffering", "no",
                                        sizeof("no") - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_conflict_header_add(r, "Cache-Control", "no-store",
                                        sizeof("no-store") - 1);
}


/* a page may read the stream if it may read each of the resources */

static ngx_int_t
ngx_http_conflict_events_answer_cors(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_events_t  *stream;

    stream = ctx->events;

    if (stream->unreadable) {
        return NGX_OK;
    }

    return stream->shown ? ngx_http_conflict_cors_copy(r, stream->shown)
                         : ngx_http_conflict_cors_add(r, ctx);
}
