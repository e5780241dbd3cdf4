
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The open streams of this worker: what they have to send, one buffer at a
 * time, their heartbeats, and their end.
 */


#include "events/ngx_http_conflict_events.h"
#include "answer/ngx_http_conflict_answer.h"
#include "latest/ngx_http_conflict_latest.h"


#define NGX_HTTP_CONFLICT_EVENTS_TICK   1000   /* msec, at most */
#define NGX_HTTP_CONFLICT_EVENTS_BATCH  100    /* streams, by one event */
#define NGX_HTTP_CONFLICT_EVENTS_POOL   1024   /* bytes */


static void ngx_http_conflict_events_stream_start(void);
static void ngx_http_conflict_events_stream_free(void *data);
static void ngx_http_conflict_events_stream_flush(ngx_event_t *ev);
static void ngx_http_conflict_events_stream_tell(
    ngx_http_conflict_events_t *stream);
static void ngx_http_conflict_events_stream_answer(
    ngx_http_conflict_events_t *stream, ngx_str_t *text);
static void ngx_http_conflict_events_stream_send(
    ngx_http_conflict_events_t *stream, ngx_pool_t *pool, ngx_str_t *text);
static void ngx_http_conflict_events_stream_write(ngx_http_request_t *r);
static void ngx_http_conflict_events_stream_sent(
    ngx_http_conflict_events_t *stream, ngx_int_t rc);
static void ngx_http_conflict_events_stream_tick(ngx_event_t *ev);
static void ngx_http_conflict_events_stream_due(
    ngx_http_conflict_events_t *stream);
static void ngx_http_conflict_events_stream_end(
    ngx_http_conflict_events_t *stream, ngx_msec_t retry);
static void ngx_http_conflict_events_stream_poll_over(
    ngx_http_conflict_events_t *stream);
static void ngx_http_conflict_events_stream_finalize(
    ngx_http_conflict_events_t *stream, ngx_int_t rc);


static ngx_queue_t  ngx_http_conflict_events_streams;
static ngx_uint_t   ngx_http_conflict_events_n;
static ngx_queue_t  ngx_http_conflict_events_dirty;
static ngx_event_t  ngx_http_conflict_events_flush;      /* posted */
static ngx_event_t  ngx_http_conflict_events_timer;
static ngx_msec_t   ngx_http_conflict_events_interval;   /* of the timer */


ngx_int_t
ngx_http_conflict_events_stream_open(ngx_http_conflict_events_t *stream)
{
    ngx_msec_t                        life, beat;
    ngx_pool_cleanup_t               *cln;
    ngx_http_request_t               *r;
    ngx_http_conflict_ctx_t          *ctx;
    ngx_http_conflict_events_conf_t  *conf;

    r = stream->request;
    ctx = stream->ctx;
    conf = ctx->conf->events;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    ngx_http_conflict_events_stream_start();

    /* what the own GETs have left is not needed any more */

    if (ctx->latest.body.data) {
        (void) ngx_pfree(r->pool, ctx->latest.body.data);
        ctx->latest.body.data = NULL;
    }

    if (ctx->latest.shown.body.data) {
        (void) ngx_pfree(r->pool, ctx->latest.shown.body.data);
        ctx->latest.shown.body.data = NULL;
    }

    ngx_http_conflict_op_release(ctx->op);
    ctx->op = NULL;

    /* so that not all come again together */

    life = conf->recheck - ngx_random() % (conf->recheck / 8 + 1);
    beat = conf->heartbeat;

    stream->beat = ngx_current_msec + beat;
    stream->end = ngx_current_msec + (stream->poll ? beat : life);

    stream->writer = ngx_http_conflict_feed_topic_writer(stream->feed,
                                                         &ctx->caller.user,
                                                         &ctx->caller.client);

    ngx_queue_insert_tail(&ngx_http_conflict_events_streams, &stream->queue);
    ngx_http_conflict_events_n++;
    stream->open = 1;

    cln->handler = ngx_http_conflict_events_stream_free;
    cln->data = stream;

    if (ngx_http_conflict_events_listen(stream) != NGX_OK) {
        return NGX_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_conflict_events_stream_write;

    if (r->connection->read->ready) {
        /* the client may have disconnected already */
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->connection->buffered) {
        /* not even the header was sent */
        ngx_post_event(r->connection->write, &ngx_posted_events);
    }

    /* a short interval of this location */

    beat = ngx_max(ngx_min(beat, conf->recheck) / 4, 10);

    if (beat < ngx_http_conflict_events_interval) {
        ngx_http_conflict_events_interval = beat;

        if (ngx_http_conflict_events_timer.timer_set) {
            ngx_del_timer(&ngx_http_conflict_events_timer);
        }
    }

    if (!ngx_http_conflict_events_timer.timer_set) {
        ngx_add_timer(&ngx_http_conflict_events_timer,
                      ngx_http_conflict_events_interval);
    }

    ngx_http_conflict_events_stream_queue(stream);

    return NGX_OK;
}


static void
ngx_http_conflict_events_stream_start(void)
{
    if (ngx_http_conflict_events_flush.handler) {
        return;
    }

    ngx_queue_init(&ngx_http_conflict_events_streams);
    ngx_queue_init(&ngx_http_conflict_events_dirty);

    ngx_http_conflict_events_interval = NGX_HTTP_CONFLICT_EVENTS_TICK;

    ngx_http_conflict_events_flush.handler =
        ngx_http_conflict_events_stream_flush;
    ngx_http_conflict_events_flush.log = ngx_cycle->log;

    ngx_http_conflict_events_timer.handler =
        ngx_http_conflict_events_stream_tick;
    ngx_http_conflict_events_timer.data = &ngx_http_conflict_events_timer;
    ngx_http_conflict_events_timer.log = ngx_cycle->log;
}


/* with the request: by then nothing refers to what was being sent */

static void
ngx_http_conflict_events_stream_free(void *data)
{
    ngx_http_conflict_events_t *stream = data;

    if (stream->sending) {
        ngx_destroy_pool(stream->sending);
    }
}


void
ngx_http_conflict_events_stream_queue(ngx_http_conflict_events_t *stream)
{
    if (stream->queued) {
        return;
    }

    stream->queued = 1;
    ngx_queue_insert_tail(&ngx_http_conflict_events_dirty, &stream->dirty);

    ngx_post_event(&ngx_http_conflict_events_flush, &ngx_posted_events);
}


/* the rest waits for the next iteration of the event loop */

static void
ngx_http_conflict_events_stream_flush(ngx_event_t *ev)
{
    ngx_uint_t                   n;
    ngx_queue_t                 *q;
    ngx_http_conflict_events_t  *stream;

    for (n = 0; n < NGX_HTTP_CONFLICT_EVENTS_BATCH; n++) {

        if (ngx_queue_empty(&ngx_http_conflict_events_dirty)) {
            return;
        }

        q = ngx_queue_head(&ngx_http_conflict_events_dirty);
        stream = ngx_queue_data(q, ngx_http_conflict_events_t, dirty);

        ngx_queue_remove(q);
        stream->queued = 0;

        ngx_http_conflict_events_stream_tell(stream);
    }

    if (!ngx_queue_empty(&ngx_http_conflict_events_dirty)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


static void
ngx_http_conflict_events_stream_tell(ngx_http_conflict_events_t *stream)
{
    ngx_int_t    rc;
    ngx_str_t    text;
    ngx_pool_t  *pool;

    if (stream->asking) {
        return;
    }

    if (stream->buf.pos != stream->buf.last || stream->sending) {
        /* a slow client gets what is the latest by then */
        stream->again = 1;
        return;
    }

    pool = ngx_create_pool(NGX_HTTP_CONFLICT_EVENTS_POOL, ngx_cycle->log);
    if (pool == NULL) {
        ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
        return;
    }

    rc = ngx_http_conflict_events_text(stream, pool, 0, &text);

    if (rc == NGX_OK && !stream->poll) {
        ngx_http_conflict_events_stream_send(stream, pool, &text);
        return;
    }

    if (rc == NGX_OK) {
        ngx_http_conflict_events_stream_answer(stream, &text);

    } else if (rc == NGX_ERROR) {
        ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
    }

    ngx_destroy_pool(pool);
}


/* a poll is over */

static void
ngx_http_conflict_events_stream_answer(ngx_http_conflict_events_t *stream,
    ngx_str_t *text)
{
    u_char              *p;
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = stream->request;

    p = ngx_pnalloc(r->pool, text->len);

    if (p == NULL) {
        ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
        return;
    }

    ngx_memcpy(p, text->data, text->len);

    stream->buf.pos = p;
    stream->buf.last = p + text->len;
    stream->buf.memory = 1;
    stream->buf.last_buf = 1;
    stream->buf.last_in_chain = 1;
    stream->out.buf = &stream->buf;

    rc = ngx_http_conflict_events_answer_header(r, stream->ctx);

    if (rc == NGX_OK) {
        r->headers_out.content_length_n = text->len;
        rc = ngx_http_conflict_capture_send(r, stream->ctx, &stream->out);

    } else {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_conflict_events_stream_finalize(stream, rc);
}


/* "pool" has the text, and is destroyed once all was sent */

static void
ngx_http_conflict_events_stream_send(ngx_http_conflict_events_t *stream,
    ngx_pool_t *pool, ngx_str_t *text)
{
    stream->sending = pool;
    stream->again = 0;

    stream->buf.pos = text->data;
    stream->buf.last = text->data + text->len;
    stream->buf.memory = 1;
    stream->buf.flush = 1;
    stream->out.buf = &stream->buf;
    stream->out.next = NULL;

    ngx_http_conflict_events_stream_sent(stream,
                        ngx_http_conflict_capture_stream(stream->request,
                                                         &stream->out));
}


static void
ngx_http_conflict_events_stream_write(ngx_http_request_t *r)
{
    ngx_connection_t            *c;
    ngx_http_conflict_ctx_t     *ctx;
    ngx_http_conflict_events_t  *stream;

    c = r->connection;

    ctx = ngx_http_get_module_ctx(r, ngx_http_conflict_module);
    stream = ctx->events;

    if (c->write->timedout) {
        c->timedout = 1;
        ngx_http_conflict_events_stream_finalize(stream,
                                                 NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (!r->header_sent) {
        /* a poll has nothing to send yet */
        return;
    }

    ngx_http_conflict_events_stream_sent(stream,
                                  ngx_http_conflict_capture_stream(r, NULL));
}


/* one buffer at a time, so that a client that does not read costs no more */

static void
ngx_http_conflict_events_stream_sent(ngx_http_conflict_events_t *stream,
    ngx_int_t rc)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = stream->request;

    if (rc == NGX_ERROR || r->connection->error) {
        ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
        return;
    }

    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->buffered || r->connection->buffered
        || stream->buf.pos != stream->buf.last)
    {
        if (!wev->timer_set) {
            ngx_add_timer(wev, clcf->send_timeout);
        }

        if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
            ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    if (stream->sending) {
        ngx_destroy_pool(stream->sending);
        stream->sending = NULL;
    }

    if (stream->ending) {
        ngx_http_conflict_events_stream_finalize(stream, NGX_OK);
        return;
    }

    if (stream->again) {
        stream->again = 0;
        ngx_http_conflict_events_stream_queue(stream);
    }
}


static void
ngx_http_conflict_events_stream_tick(ngx_event_t *ev)
{
    ngx_uint_t                        i, n;
    ngx_msec_t                        beat;
    ngx_queue_t                      *q;
    ngx_http_conflict_events_t       *stream;
    ngx_http_conflict_store_t       **store;
    ngx_http_conflict_main_conf_t    *nmcf;

    beat = (ngx_msec_t) -1;

    /* the end of one may end others, of the same connection */

    for (n = ngx_http_conflict_events_n;
         n && !ngx_queue_empty(&ngx_http_conflict_events_streams);
         n--)
    {
        q = ngx_queue_head(&ngx_http_conflict_events_streams);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&ngx_http_conflict_events_streams, q);

        stream = ngx_queue_data(q, ngx_http_conflict_events_t, queue);

        beat = ngx_min(beat, stream->ctx->conf->events->heartbeat);

        ngx_http_conflict_events_stream_due(stream);
    }

    if (ngx_queue_empty(&ngx_http_conflict_events_streams)) {
        ngx_http_conflict_events_interval = NGX_HTTP_CONFLICT_EVENTS_TICK;
        return;
    }

    nmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_conflict_module);
    store = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {
        ngx_http_conflict_feed_tick(store[i], beat);
    }

    ngx_add_timer(ev, ngx_http_conflict_events_interval);
}


static void
ngx_http_conflict_events_stream_due(ngx_http_conflict_events_t *stream)
{
    ngx_str_t    text;
    ngx_pool_t  *pool;

    if (ngx_exiting || ngx_terminate) {
        ngx_http_conflict_events_stream_end(stream,
                             ngx_random() % NGX_HTTP_CONFLICT_EVENTS_RETRY);
        return;
    }

    if ((ngx_msec_int_t) (stream->end - ngx_current_msec) <= 0) {
        ngx_http_conflict_events_stream_end(stream, 100);
        return;
    }

    if (stream->poll
        || (ngx_msec_int_t) (stream->beat - ngx_current_msec) > 0)
    {
        return;
    }

    stream->beat = ngx_current_msec + stream->ctx->conf->events->heartbeat;

    if (stream->sending || stream->buf.pos != stream->buf.last) {
        /* the client does not even read what it has */
        return;
    }

    pool = ngx_create_pool(NGX_HTTP_CONFLICT_EVENTS_POOL / 2, ngx_cycle->log);

    if (pool == NULL
        || ngx_http_conflict_events_text_beat(stream, pool, &text) != NGX_OK)
    {
        ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
        return;
    }

    ngx_http_conflict_events_stream_send(stream, pool, &text);
}


/* the client comes again after "retry", in milliseconds */

static void
ngx_http_conflict_events_stream_end(ngx_http_conflict_events_t *stream,
    ngx_msec_t retry)
{
    u_char     *p;
    ngx_str_t   text;
    ngx_pool_t  *pool;

    if (stream->poll) {
        ngx_http_conflict_events_stream_poll_over(stream);
        return;
    }

    if (stream->sending || stream->buf.pos != stream->buf.last) {
        /* neither a worker that exits nor a right that ends waits for it */
        ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
        return;
    }

    pool = ngx_create_pool(NGX_HTTP_CONFLICT_EVENTS_POOL / 2, ngx_cycle->log);
    p = pool ? ngx_pnalloc(pool, sizeof("retry: \n\n") + NGX_TIME_T_LEN) : NULL;

    if (p == NULL) {
        ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
        return;
    }

    text.data = p;
    text.len = ngx_sprintf(p, "retry: %M\n\n", retry) - p;

    stream->ending = 1;
    stream->buf.last_buf = 1;
    stream->buf.last_in_chain = 1;

    ngx_http_conflict_events_stream_send(stream, pool, &text);
}


/* nothing has happened, as far as the store has answered */

static void
ngx_http_conflict_events_stream_poll_over(ngx_http_conflict_events_t *stream)
{
    ngx_int_t    rc;
    ngx_str_t    text;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(NGX_HTTP_CONFLICT_EVENTS_POOL, ngx_cycle->log);
    if (pool == NULL) {
        ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
        return;
    }

    rc = stream->asking ? NGX_DECLINED
                        : ngx_http_conflict_events_text(stream, pool, 1, &text);

    if (rc == NGX_OK) {
        ngx_http_conflict_events_stream_answer(stream, &text);

    } else if (rc == NGX_DECLINED) {
        stream->ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_UNAVAILABLE;
        ngx_http_conflict_events_stream_finalize(stream,
                           ngx_http_conflict_answer_handler(stream->request));

    } else {
        ngx_http_conflict_events_stream_finalize(stream, NGX_ERROR);
    }

    ngx_destroy_pool(pool);
}


/* outside of the request's own events */

static void
ngx_http_conflict_events_stream_finalize(ngx_http_conflict_events_t *stream,
    ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = stream->request;
    c = r->connection;

    ngx_http_conflict_events_stream_closed(stream->ctx);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


void
ngx_http_conflict_events_stream_closed(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_events_t  *stream;

    stream = ctx->events;

    if (stream == NULL) {
        return;
    }

    ngx_http_conflict_events_count_leave(stream);

    if (!stream->open) {
        return;
    }

    stream->open = 0;
    ngx_http_conflict_events_n--;
    ngx_queue_remove(&stream->queue);

    if (stream->queued) {
        stream->queued = 0;
        ngx_queue_remove(&stream->dirty);
    }

    ngx_http_conflict_events_listen_end(stream);
}
