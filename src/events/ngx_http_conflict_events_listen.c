
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What a stream hears: of the topics of its resources, and of the events that
 * its client has missed.
 */


#include "events/ngx_http_conflict_events.h"


static ngx_int_t ngx_http_conflict_events_listen_all(
    ngx_http_conflict_events_t *stream);
static void ngx_http_conflict_events_listen_past(
    ngx_http_conflict_events_t *stream);
static void ngx_http_conflict_events_listen_past_event(void *data,
    ngx_http_conflict_feed_event_t *event, ngx_uint_t lost);
static void ngx_http_conflict_events_listen_changed(
    ngx_http_conflict_feed_watch_t *watch,
    ngx_http_conflict_feed_event_t *event);
static void ngx_http_conflict_events_listen_missed(
    ngx_http_conflict_feed_watch_t *watch);
static void ngx_http_conflict_events_listen_lock(
    ngx_http_conflict_events_item_t *item,
    ngx_http_conflict_feed_event_t *event);
static ngx_uint_t ngx_http_conflict_events_listen_granted(
    ngx_http_conflict_feed_event_t *note,
    ngx_http_conflict_feed_event_t *event);
static void ngx_http_conflict_events_listen_note(
    ngx_http_conflict_events_item_t *item,
    ngx_http_conflict_feed_event_t *event);
static ngx_uint_t ngx_http_conflict_events_listen_same(ngx_str_t *text,
    ngx_str_t *own);


static ngx_str_t  ngx_http_conflict_events_listen_last_id =
    ngx_string("last-event-id");


ngx_int_t
ngx_http_conflict_events_listen(ngx_http_conflict_events_t *stream)
{
    if (ngx_http_conflict_events_listen_all(stream) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_conflict_events_listen_past(stream);

    return NGX_OK;
}


void
ngx_http_conflict_events_listen_end(ngx_http_conflict_events_t *stream)
{
    ngx_uint_t                        i;
    ngx_http_conflict_events_item_t  *item;

    ngx_http_conflict_feed_past_cancel(stream->feed, stream);

    for (i = 0; i < stream->n; i++) {
        item = &stream->items[i];

        ngx_http_conflict_feed_topic_leave(&item->watch);

        ngx_http_conflict_events_listen_drop(&item->conflict);
        ngx_http_conflict_events_listen_drop(&item->asked);
        ngx_http_conflict_events_listen_drop(&item->first);
    }
}


static ngx_int_t
ngx_http_conflict_events_listen_all(ngx_http_conflict_events_t *stream)
{
    ngx_uint_t                        i;
    ngx_http_conflict_events_item_t  *item;

    for (i = 0; i < stream->n; i++) {
        item = &stream->items[i];

        if (!item->allowed) {
            continue;
        }

        item->watch.handler = ngx_http_conflict_events_listen_changed;
        item->watch.missed = ngx_http_conflict_events_listen_missed;

        if (ngx_http_conflict_feed_topic_watch(stream->feed, &item->key,
                                               item->minted, &item->watch)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_conflict_events_listen_past(ngx_http_conflict_events_t *stream)
{
    ngx_str_t   *id;
    ngx_uint_t   i;

    id = ngx_http_conflict_header_find(&stream->request->headers_in.headers,
                                    &ngx_http_conflict_events_listen_last_id,
                                    NULL);
    if (id == NULL || id->len == 0) {
        return;
    }

    for (i = 0; i < stream->n && stream->items[i].watch.topic == NULL; i++) {
        /* void */
    }

    if (i == stream->n) {
        /* none of them is told what has happened */
        return;
    }

    stream->id = id;
    stream->asking = 1;

    ngx_http_conflict_feed_past(stream->feed, id,
                                ngx_http_conflict_events_listen_past_event,
                                stream);
}


static void
ngx_http_conflict_events_listen_past_event(void *data,
    ngx_http_conflict_feed_event_t *event, ngx_uint_t lost)
{
    ngx_http_conflict_events_t *stream = data;

    ngx_uint_t                        i;
    ngx_http_conflict_events_item_t  *item;
    ngx_http_conflict_feed_topic_t   *topic;

    if (event == NULL) {
        stream->asking = 0;
        stream->reset |= lost;
        stream->resumed = !lost;

        ngx_http_conflict_events_stream_queue(stream);
        return;
    }

    for (i = 0; i < stream->n; i++) {
        item = &stream->items[i];
        topic = item->watch.topic;

        if (topic == NULL || topic->hash[0] != event->hash[0]
            || topic->hash[1] != event->hash[1])
        {
            continue;
        }

        ngx_http_conflict_events_listen_note(item, event);
    }
}


static void
ngx_http_conflict_events_listen_changed(ngx_http_conflict_feed_watch_t *watch,
    ngx_http_conflict_feed_event_t *event)
{
    ngx_http_conflict_events_item_t  *item;

    item = (ngx_http_conflict_events_item_t *) watch;

    if (event) {
        ngx_http_conflict_events_listen_note(item, event);
    }

    ngx_http_conflict_events_stream_queue(item->stream);
}


static void
ngx_http_conflict_events_listen_missed(ngx_http_conflict_feed_watch_t *watch)
{
    ngx_http_conflict_events_item_t  *item;

    item = (ngx_http_conflict_events_item_t *) watch;

    /* what is known after the next comparison is told, changed or not */
    item->states = 0;
    item->locks = 0;

    item->stream->reset = 1;

    ngx_http_conflict_events_stream_queue(item->stream);
}


/*
 * Who has asked before may have it now.  What the client knows is then told to
 * a poll, even if the store has shown it before this event came.
 */

static void
ngx_http_conflict_events_listen_lock(ngx_http_conflict_events_item_t *item,
    ngx_http_conflict_feed_event_t *event)
{
    item->moved = 1;

    if (item->quiet) {
        item->quiet = 0;
        item->locks = 0;
    }

    if (ngx_http_conflict_events_listen_granted(item->asked, event)) {
        ngx_http_conflict_events_listen_drop(&item->asked);
    }

    if (ngx_http_conflict_events_listen_granted(item->first, event)) {
        ngx_http_conflict_events_listen_drop(&item->first);
    }
}


static ngx_uint_t
ngx_http_conflict_events_listen_granted(ngx_http_conflict_feed_event_t *note,
    ngx_http_conflict_feed_event_t *event)
{
    ngx_uint_t  i;

    if (note == NULL || (event->past && !note->past)) {
        return 0;
    }

    if (event->kind == NGX_HTTP_CONFLICT_FEED_UNLOCKED) {
        /* it was asked of who has released it */
        return 1;
    }

    for (i = NGX_HTTP_CONFLICT_FEED_USER;
         i <= NGX_HTTP_CONFLICT_FEED_CLIENT;
         i++)
    {
        if (!ngx_http_conflict_same(&note->text[i], &event->text[i])) {
            return 0;
        }
    }

    return 1;
}


/* copies it, until it is sent, unless it is not for this caller */

static void
ngx_http_conflict_events_listen_note(ngx_http_conflict_events_item_t *item,
    ngx_http_conflict_feed_event_t *event)
{
    size_t                           size;
    u_char                          *p;
    ngx_str_t                       *user;
    ngx_uint_t                       i;
    ngx_http_conflict_feed_event_t  *copy, **note;

    switch (event->kind) {

    case NGX_HTTP_CONFLICT_FEED_LOCKED:
    case NGX_HTTP_CONFLICT_FEED_UNLOCKED:
        ngx_http_conflict_events_listen_lock(item, event);
        return;

    case NGX_HTTP_CONFLICT_FEED_CONFLICT:
        note = &item->conflict;
        user = &item->stream->ctx->caller.user;

        if (user->len == 0
            || !ngx_http_conflict_events_listen_same(
                           &event->text[NGX_HTTP_CONFLICT_FEED_USER], user))
        {
            return;
        }

        break;

    case NGX_HTTP_CONFLICT_FEED_LOCK_ASKED:
        note = &item->asked;

        if (event->time != CONFLICT_TIME_NONE) {
            note = &item->first;

            if (!ngx_http_conflict_events_listen_holds(item)) {
                return;
            }
        }

        break;

    default:
        return;
    }

    if (*note && event->past && !(*note)->past) {
        /* one that was read is later */
        return;
    }

    size = sizeof(ngx_http_conflict_feed_event_t);

    for (i = 0; i < NGX_HTTP_CONFLICT_FEED_TEXTS; i++) {
        size += event->text[i].len;
    }

    copy = ngx_alloc(size, ngx_cycle->log);
    if (copy == NULL) {
        item->stream->reset = 1;
        return;
    }

    *copy = *event;
    p = (u_char *) (copy + 1);

    for (i = 0; i < NGX_HTTP_CONFLICT_FEED_TEXTS; i++) {
        copy->text[i].data = p;
        p = ngx_cpymem(p, event->text[i].data, event->text[i].len);
    }

    ngx_http_conflict_events_listen_drop(note);
    *note = copy;
}


void
ngx_http_conflict_events_listen_drop(ngx_http_conflict_feed_event_t **note)
{
    if (*note) {
        ngx_free(*note);
        *note = NULL;
    }
}


/* by the user, or by the client of a caller without one */

ngx_uint_t
ngx_http_conflict_events_listen_holds(ngx_http_conflict_events_item_t *item)
{
    ngx_str_t                       *user, *client;
    ngx_http_conflict_feed_topic_t  *topic;

    topic = item->watch.topic;
    user = &item->stream->ctx->caller.user;
    client = &item->stream->ctx->caller.client;

    return topic->holder.data
           && ngx_http_conflict_events_listen_same(&topic->holder, user)
           && (user->len
               || (client->len
                   && ngx_http_conflict_events_listen_same(&topic->origin,
                                                           client)));
}


/* a name that may have been cut, in an event or by the store, is nobody's */

static ngx_uint_t
ngx_http_conflict_events_listen_same(ngx_str_t *text, ngx_str_t *own)
{
    return text->len < NGX_HTTP_CONFLICT_FEED_TEXT
           && ngx_http_conflict_same(text, own);
}
