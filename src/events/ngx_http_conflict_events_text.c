
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What a stream tells, as server-sent events or as JSON.  For each resource it
 * is the latest state, however long the client took to read.
 */


#include "events/ngx_http_conflict_events.h"
#include "http/ngx_http_conflict_json.h"
#include "http/ngx_http_conflict_writer.h"
#include "process/ngx_http_conflict_clock.h"


typedef struct {
    ngx_http_conflict_events_t      *stream;
    ngx_http_conflict_writer_t       out;
    ngx_uint_t                       n;
} ngx_http_conflict_events_text_t;


static ngx_uint_t ngx_http_conflict_events_text_unsure(
    ngx_http_conflict_events_t *stream);
static void ngx_http_conflict_events_text_id(
    ngx_http_conflict_events_text_t *text, ngx_uint_t unsure);
static void ngx_http_conflict_events_text_item(
    ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item);
static void ngx_http_conflict_events_text_state(
    ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item);
static void ngx_http_conflict_events_text_lock(
    ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item);
static void ngx_http_conflict_events_text_asked(
    ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item);
static void ngx_http_conflict_events_text_note(
    ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item,
    ngx_http_conflict_feed_event_t **note);
static json_t *ngx_http_conflict_events_text_resource(
    ngx_http_conflict_events_item_t *item);
static void ngx_http_conflict_events_text_mine(
    ngx_http_conflict_events_text_t *text, json_t **json, uint64_t writer);
static void ngx_http_conflict_events_text_add(
    ngx_http_conflict_events_text_t *text, ngx_str_t *name, json_t *json);


static ngx_str_t  ngx_http_conflict_events_text_gone = ngx_string("gone");
static ngx_str_t  ngx_http_conflict_events_text_reset = ngx_string("reset");


ngx_int_t
ngx_http_conflict_events_text(ngx_http_conflict_events_t *stream,
    ngx_pool_t *pool, ngx_uint_t over, ngx_str_t *result)
{
    ngx_uint_t                        i, unsure;
    ngx_http_conflict_events_text_t   text;

    unsure = ngx_http_conflict_events_text_unsure(stream);

    if (unsure && (stream->reset || (stream->poll && !over))) {
        /* "reset" is followed by all states, and one response has them */
        return NGX_DECLINED;
    }

    ngx_memzero(&text, sizeof(ngx_http_conflict_events_text_t));

    text.stream = stream;
    text.out.pool = pool;

    if (stream->poll) {
        ngx_http_conflict_writer_print(&text.out, "{\"events\":[");
    }

    if (stream->reset) {
        stream->reset = 0;
        ngx_http_conflict_events_text_add(&text,
                                          &ngx_http_conflict_events_text_reset,
                                          json_object());
    }

    for (i = 0; i < stream->n; i++) {
        ngx_http_conflict_events_text_item(&text, &stream->items[i]);
    }

    if (text.n == 0 && (unsure || !over)) {
        return NGX_DECLINED;
    }

    ngx_http_conflict_events_text_id(&text, unsure);

    return ngx_http_conflict_writer_join(&text.out, result);
}


/* some states, or who waits for a lock, are not known yet */

static ngx_uint_t
ngx_http_conflict_events_text_unsure(ngx_http_conflict_events_t *stream)
{
    ngx_uint_t  i;

    for (i = 0; i < stream->n; i++) {

        if (stream->items[i].watch.topic && stream->items[i].watch.unsure) {
            return 1;
        }
    }

    return 0;
}


/*
 * A client that comes back with an id is not told what was before.  So it is
 * the last, as a client may have received a part, and there is none as long as
 * something is still to be told: that is what the client had before, then.
 */

static void
ngx_http_conflict_events_text_id(ngx_http_conflict_events_text_t *text,
    ngx_uint_t unsure)
{
    u_char                      *last, id[NGX_HTTP_CONFLICT_FEED_ID];
    ngx_str_t                    value;
    ngx_http_conflict_events_t  *stream;

    stream = text->stream;
    last = unsure ? id : ngx_http_conflict_feed_id(stream->feed, id);

    value.data = id;
    value.len = last - id;

    if (!stream->poll) {

        if (value.len) {
            ngx_http_conflict_writer_print(&text->out, "id: %V\n\n", &value);
        }

        return;
    }

    if (unsure && stream->resumed) {
        value = *stream->id;
    }

    if (value.len) {
        ngx_http_conflict_writer_print(&text->out, "],\"id\":\"%V\"}\n",
                                       &value);

    } else {
        ngx_http_conflict_writer_print(&text->out, "],\"id\":null}\n");
    }
}


ngx_int_t
ngx_http_conflict_events_text_beat(ngx_http_conflict_events_t *stream,
    ngx_pool_t *pool, ngx_str_t *text)
{
    u_char  *p;

    text->data = ngx_pnalloc(pool, sizeof(":\nid: \n\n")
                                   + NGX_HTTP_CONFLICT_FEED_ID);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text->data, ":\nid: ", sizeof(":\nid: ") - 1);
    text->len = p - text->data;

    if (!stream->queued && !stream->asking && !stream->reset
        && !ngx_http_conflict_events_text_unsure(stream))
    {
        /* nothing before it is still to be told */
        p = ngx_http_conflict_feed_id(stream->feed, p);
    }

    if ((size_t) (p - text->data) == text->len) {
        /* an empty id would make the client forget the one that it has */
        p = text->data + 2;
    }

    *p++ = LF;
    *p++ = LF;

    text->len = p - text->data;

    return NGX_OK;
}


static void
ngx_http_conflict_events_text_item(ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item)
{
    json_t                          *json;
    ngx_str_t                       *name;
    ngx_http_conflict_feed_topic_t  *topic;

    topic = item->watch.topic;

    if (topic == NULL) {

        if (item->begun) {
            return;
        }

        item->begun = 1;

        json = ngx_http_conflict_events_text_resource(item);

        if (item->hidden) {
            name = ngx_http_conflict_feed_event_name(
                                              NGX_HTTP_CONFLICT_FEED_DELETED);
            ngx_http_conflict_json_set(&json, "mine", json_false());

        } else {
            name = &ngx_http_conflict_events_text_gone;
            ngx_http_conflict_json_set(&json, "status",
                                       json_integer(item->status));
        }

        ngx_http_conflict_events_text_add(text, name, json);
        return;
    }

    ngx_http_conflict_events_text_note(text, item, &item->conflict);

    if (!item->watch.fresh) {

        if (item->states != topic->states) {
            ngx_http_conflict_events_text_state(text, item);
        }

        if (item->locks != topic->locks || (item->moved && !item->begun)) {
            ngx_http_conflict_events_text_lock(text, item);
        }

        item->begun = 1;

        if (topic->holder.data) {
            /* else the event of the holder has not been read yet */
            ngx_http_conflict_events_text_asked(text, item);
        }
    }
}


static void
ngx_http_conflict_events_text_state(ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item)
{
    json_t                          *json;
    ngx_http_conflict_feed_topic_t  *topic;

    topic = item->watch.topic;

    item->states = topic->states;

    if (!item->begun && item->since
        && topic->state == NGX_HTTP_CONFLICT_FEED_VERSION
        && topic->version == item->since)
    {
        /* the client has it */
        return;
    }

    json = ngx_http_conflict_events_text_resource(item);

    if (topic->state == NGX_HTTP_CONFLICT_FEED_VERSION) {
        ngx_http_conflict_json_set_version(&json, "version", topic->version);
    }

    if (topic->state != NGX_HTTP_CONFLICT_FEED_UNKNOWN) {

        if (topic->time != CONFLICT_TIME_NONE) {
            ngx_http_conflict_json_set_time(&json, "changed_at", topic->time);
        }

        ngx_http_conflict_events_text_mine(text, &json, topic->writer);
    }

    ngx_http_conflict_events_text_add(text,
                              ngx_http_conflict_feed_event_name(topic->state),
                              json);
}


static void
ngx_http_conflict_events_text_lock(ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item)
{
    json_t                          *json, *lock;
    int64_t                          left;
    uint64_t                         holder;
    ngx_uint_t                       moved;
    ngx_http_conflict_feed_kind_e    kind;
    ngx_http_conflict_feed_topic_t  *topic;

    topic = item->watch.topic;

    item->locks = topic->locks;

    moved = (text->stream->resumed && item->moved);

    if (!item->begun && !moved) {
        /* as long as no event comes, nothing that the client does not know */
        item->quiet = (text->stream->poll && text->stream->resumed);

        if (item->quiet || topic->holder.data == NULL) {
            return;
        }
    }

    json = ngx_http_conflict_events_text_resource(item);
    kind = NGX_HTTP_CONFLICT_FEED_UNLOCKED;

    if (topic->holder.data) {
        kind = NGX_HTTP_CONFLICT_FEED_LOCKED;

        left = topic->expires - ngx_http_conflict_clock_msec();
        holder = ngx_http_conflict_feed_topic_writer(text->stream->feed,
                                                     &topic->holder,
                                                     &topic->origin);
        lock = json_object();
        ngx_http_conflict_json_set_name(&lock, "user", &topic->holder);
        ngx_http_conflict_json_set_name(&lock, "client", &topic->origin);
        ngx_http_conflict_json_set_time(&lock, "acquired_at", topic->acquired);
        ngx_http_conflict_json_set_seconds(&lock, "expires_in",
                                           (uint64_t) ngx_max(left, 0));

        if (topic->reserved) {
            ngx_http_conflict_json_set(&lock, "reserved", json_true());
        }

        ngx_http_conflict_json_set(&json, "lock", lock);
        ngx_http_conflict_events_text_mine(text, &json, holder);
    }

    ngx_http_conflict_events_text_add(text,
                                      ngx_http_conflict_feed_event_name(kind),
                                      json);
}


/* for the holder alone; what was before its id was told before */

static void
ngx_http_conflict_events_text_asked(ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item)
{
    if (!ngx_http_conflict_events_listen_holds(item)) {
        ngx_http_conflict_events_listen_drop(&item->asked);
        ngx_http_conflict_events_listen_drop(&item->first);
        return;
    }

    if (item->asked || (text->stream->resumed && !item->moved)) {
        ngx_http_conflict_events_listen_drop(&item->first);
    }

    ngx_http_conflict_events_text_note(text, item, &item->asked);
    ngx_http_conflict_events_text_note(text, item, &item->first);
}


/* a conflict, or a request for the lock */

static void
ngx_http_conflict_events_text_note(ngx_http_conflict_events_text_t *text,
    ngx_http_conflict_events_item_t *item,
    ngx_http_conflict_feed_event_t **note)
{
    json_t                          *json;
    uint64_t                         writer;
    ngx_str_t                       *name;
    ngx_http_conflict_feed_event_t  *event;

    event = *note;

    if (event == NULL) {
        return;
    }

    *note = NULL;

    name = event->text;
    json = ngx_http_conflict_events_text_resource(item);

    if (event->kind == NGX_HTTP_CONFLICT_FEED_CONFLICT) {
        writer = ngx_http_conflict_feed_topic_writer(text->stream->feed,
                                        &name[NGX_HTTP_CONFLICT_FEED_USER],
                                        &name[NGX_HTTP_CONFLICT_FEED_CLIENT]);

        ngx_http_conflict_json_set_name(&json, "action",
                                        &name[NGX_HTTP_CONFLICT_FEED_ACTION]);
        ngx_http_conflict_json_set_name(&json, "conflict_id",
                                     &name[NGX_HTTP_CONFLICT_FEED_CONFLICT_ID]);
        ngx_http_conflict_events_text_mine(text, &json, writer);

    } else {

        if (text->stream->ctx->caller.user.len == 0) {
            /* all who see the lock know the client that holds it */
            ngx_str_null(&name[NGX_HTTP_CONFLICT_FEED_USER]);
            ngx_str_null(&name[NGX_HTTP_CONFLICT_FEED_CLIENT]);
        }

        ngx_http_conflict_json_set_name(&json, "user",
                                        &name[NGX_HTTP_CONFLICT_FEED_USER]);
        ngx_http_conflict_json_set_name(&json, "client",
                                        &name[NGX_HTTP_CONFLICT_FEED_CLIENT]);
    }

    ngx_http_conflict_events_text_add(text,
                               ngx_http_conflict_feed_event_name(event->kind),
                               json);

    ngx_free(event);
}


static json_t *
ngx_http_conflict_events_text_resource(ngx_http_conflict_events_item_t *item)
{
    json_t  *json;

    json = json_object();

    ngx_http_conflict_json_set_text(&json, "resource", &item->name);
    return json;
}


static void
ngx_http_conflict_events_text_mine(ngx_http_conflict_events_text_t *text,
    json_t **json, uint64_t writer)
{
    ngx_http_conflict_json_set(json, "mine",
                               json_boolean(writer
                                            && writer == text->stream->writer));
}


/* takes over the JSON */

static void
ngx_http_conflict_events_text_add(ngx_http_conflict_events_text_t *text,
    ngx_str_t *name, json_t *json)
{
    ngx_http_conflict_writer_t  *out;

    out = &text->out;

    if (text->stream->poll) {
        ngx_http_conflict_writer_print(out, "%s{\"event\":\"%V\"%s",
                                       text->n ? "," : "", name,
                                       json_object_size(json) ? "," : "");
        ngx_http_conflict_json_print(out, json);
        ngx_http_conflict_writer_print(out, "}");

    } else {
        ngx_http_conflict_writer_print(out, "event: %V\ndata: {", name);
        ngx_http_conflict_json_print(out, json);
        ngx_http_conflict_writer_print(out, "}\n\n");
    }

    text->n++;
}
