
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The stream of events of a store in Redis: all hosts add to it, and each
 * worker with listeners reads it over a connection of its own, as a read
 * blocks it.  An event that is lost is found by comparing with the store.
 */


#include "feed/ngx_http_conflict_feed_state.h"


#define NGX_HTTP_CONFLICT_FEED_BLOCK   "2000"   /* msec, of a read */
#define NGX_HTTP_CONFLICT_FEED_MARGIN  2000     /* msec, the same */
#define NGX_HTTP_CONFLICT_FEED_BATCH   200      /* events, of a read */
#define NGX_HTTP_CONFLICT_FEED_LENGTH  "10000"  /* events, about */
#define NGX_HTTP_CONFLICT_FEED_PAST    1000     /* events, after an id */


/* a request for the events after an id */

typedef struct {
    ngx_queue_t                       queue;
    ngx_http_conflict_feed_t         *feed;
    ngx_http_conflict_feed_past_pt    handler;   /* NULL: cancelled */
    void                             *data;
    size_t                            len;
    u_char                            id[NGX_HTTP_CONFLICT_FEED_ID];
    unsigned                          sent:1;
} ngx_http_conflict_feed_redis_past_t;


static void ngx_http_conflict_feed_redis_publish(
    ngx_http_conflict_feed_t *feed, ngx_str_t *key,
    ngx_http_conflict_feed_event_t *event);
static ngx_int_t ngx_http_conflict_feed_redis_add(
    ngx_http_conflict_feed_t *feed, ngx_http_conflict_redis_t *client,
    ngx_msec_t timeout, ngx_str_t *key,
    ngx_http_conflict_feed_event_t *event);
static ngx_int_t ngx_http_conflict_feed_redis_send(
    ngx_http_conflict_feed_t *feed, ngx_http_conflict_redis_t *client,
    ngx_str_t *arg, ngx_uint_t n, ngx_uint_t before, ngx_msec_t life,
    ngx_http_conflict_redis_pt handler, void *data);
static void ngx_http_conflict_feed_redis_published(void *data,
    ngx_str_t *answer, const char *why);
static void ngx_http_conflict_feed_redis_read(ngx_http_conflict_feed_t *feed);
static void ngx_http_conflict_feed_redis_last(void *data, ngx_str_t *answer,
    const char *why);
static ngx_int_t ngx_http_conflict_feed_redis_first(
    ngx_http_conflict_feed_t *feed);
static void ngx_http_conflict_feed_redis_placed(
    ngx_http_conflict_feed_t *feed);
static void ngx_http_conflict_feed_redis_events(void *data, ngx_str_t *answer,
    const char *why);
static void ngx_http_conflict_feed_redis_check(
    ngx_http_conflict_feed_t *feed, ngx_str_t *id);
static void ngx_http_conflict_feed_redis_checked(void *data, ngx_str_t *answer,
    const char *why);
static void ngx_http_conflict_feed_redis_continue(
    ngx_http_conflict_feed_t *feed);
static void ngx_http_conflict_feed_redis_lost(ngx_http_conflict_feed_t *feed);
static ngx_int_t ngx_http_conflict_feed_redis_next(ngx_str_t *lines,
    ngx_str_t *id, ngx_str_t *text);
static void ngx_http_conflict_feed_redis_line(ngx_str_t *lines,
    ngx_str_t *line);
static void ngx_http_conflict_feed_redis_event(ngx_http_conflict_feed_t *feed,
    ngx_str_t *text);
static u_char *ngx_http_conflict_feed_redis_id(ngx_http_conflict_feed_t *feed,
    u_char *p);
static void ngx_http_conflict_feed_redis_past(ngx_http_conflict_feed_t *feed,
    ngx_str_t *id, ngx_http_conflict_feed_past_pt handler, void *data);
static void ngx_http_conflict_feed_redis_past_send(
    ngx_http_conflict_feed_redis_past_t *past);
static void ngx_http_conflict_feed_redis_passed(void *data, ngx_str_t *answer,
    const char *why);
static ngx_uint_t ngx_http_conflict_feed_redis_valid(ngx_str_t *id);
static void ngx_http_conflict_feed_redis_idle(ngx_http_conflict_feed_t *feed);
static void ngx_http_conflict_feed_redis_stop(ngx_http_conflict_feed_t *feed);


const ngx_http_conflict_feed_ops_t  ngx_http_conflict_feed_redis_ops = {
    ngx_http_conflict_feed_redis_publish,
    ngx_http_conflict_feed_redis_read,
    ngx_http_conflict_feed_redis_id,
    ngx_http_conflict_feed_redis_past,
    ngx_http_conflict_feed_redis_idle,
    ngx_http_conflict_feed_redis_stop
};


ngx_int_t
ngx_http_conflict_feed_redis_start(ngx_http_conflict_feed_t *feed)
{
    u_char                          *p;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(feed->store->data);

    p = ngx_pnalloc(feed->cycle->pool, conf->prefix.len + sizeof("events") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    feed->name.data = p;
    p = ngx_cpymem(p, conf->prefix.data, conf->prefix.len);
    p = ngx_cpymem(p, "events", sizeof("events") - 1);
    feed->name.len = p - feed->name.data;

    feed->ops = &ngx_http_conflict_feed_redis_ops;

    return NGX_OK;
}


/* in the same piece as the settle before it, on the same connection */

static void
ngx_http_conflict_feed_redis_publish(ngx_http_conflict_feed_t *feed,
    ngx_str_t *key, ngx_http_conflict_feed_event_t *event)
{
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(feed->store->data);

    (void) ngx_http_conflict_feed_redis_add(feed, feed->store->data,
                                            conf->timeout, key, event);
}


static ngx_int_t
ngx_http_conflict_feed_redis_add(ngx_http_conflict_feed_t *feed,
    ngx_http_conflict_redis_t *client, ngx_msec_t timeout, ngx_str_t *key,
    ngx_http_conflict_feed_event_t *event)
{
    u_char     text[NGX_HTTP_CONFLICT_FEED_PRINTED];
    ngx_str_t  arg[7];

    ngx_str_set(&arg[0], "XADD");
    ngx_str_set(&arg[1], "MAXLEN");
    ngx_str_set(&arg[2], "~");
    ngx_str_set(&arg[3], NGX_HTTP_CONFLICT_FEED_LENGTH);
    ngx_str_set(&arg[4], "*");
    ngx_str_set(&arg[5], "e");

    arg[6].data = text;
    arg[6].len = ngx_http_conflict_feed_event_print(text, key, event) - text;

    return ngx_http_conflict_feed_redis_send(feed, client, arg, 7, 0, timeout,
                                       ngx_http_conflict_feed_redis_published,
                                       NULL);
}


/* a command about the stream, whose name is behind "before" words; 0: 1 */

static ngx_int_t
ngx_http_conflict_feed_redis_send(ngx_http_conflict_feed_t *feed,
    ngx_http_conflict_redis_t *client, ngx_str_t *arg, ngx_uint_t n,
    ngx_uint_t before, ngx_msec_t life, ngx_http_conflict_redis_pt handler,
    void *data)
{
    const char                         *why;
    ngx_http_conflict_redis_command_t   command;

    ngx_memzero(&command, sizeof(ngx_http_conflict_redis_command_t));

    command.script = NGX_HTTP_CONFLICT_REDIS_NONE;
    command.key = &feed->name;
    command.args = arg;
    command.n = n;
    command.before = before;

    return ngx_http_conflict_redis_call_send(client, &command, life, 0,
                                             handler, data, &why);
}


/* whether or not: every worker compares its topics with the store */

static void
ngx_http_conflict_feed_redis_published(void *data, ngx_str_t *answer,
    const char *why)
{
}


/*
 * Reads on, from the last event as it was when the worker began; the question
 * for that one waits for a connection.  A read that cannot be sent at once
 * fails, and the next tick begins anew: it is not sent again over another
 * connection, where events may be missing.
 */

static void
ngx_http_conflict_feed_redis_read(ngx_http_conflict_feed_t *feed)
{
    u_char                           count[NGX_INT_T_LEN];
    ngx_str_t                        arg[7];
    ngx_int_t                        rc;
    ngx_http_conflict_redis_conf_t  *conf;

    if (feed->reading) {
        return;
    }

    if (feed->reader == NULL) {
        feed->reader = ngx_http_conflict_redis_client_second(feed->store->data,
                                               NGX_HTTP_CONFLICT_FEED_MARGIN,
                                               feed->cycle);
    }

    if (feed->reader == NULL) {
        return;
    }

    conf = ngx_http_conflict_redis_client_conf(feed->store->data);

    feed->reading = 1;

    if (feed->last_len == 0) {
        ngx_str_set(&arg[0], "XREVRANGE");
        ngx_str_set(&arg[1], "+");
        ngx_str_set(&arg[2], "-");
        ngx_str_set(&arg[3], "COUNT");
        ngx_str_set(&arg[4], "1");

        rc = ngx_http_conflict_feed_redis_send(feed, feed->reader, arg, 5, 0,
                                           conf->timeout,
                                           ngx_http_conflict_feed_redis_last,
                                           feed);

    } else {
        ngx_str_set(&arg[0], "XREAD");
        ngx_str_set(&arg[1], "COUNT");
        arg[2].data = count;
        arg[2].len = ngx_sprintf(count, "%d", NGX_HTTP_CONFLICT_FEED_BATCH)
                     - count;
        ngx_str_set(&arg[3], "BLOCK");
        ngx_str_set(&arg[4], NGX_HTTP_CONFLICT_FEED_BLOCK);
        ngx_str_set(&arg[5], "STREAMS");

        arg[6].data = feed->last;
        arg[6].len = feed->last_len;

        rc = ngx_http_conflict_feed_redis_send(feed, feed->reader, arg, 7, 6,
                                           1,
                                           ngx_http_conflict_feed_redis_events,
                                           feed);
    }

    if (rc != NGX_OK) {
        feed->reading = 0;
    }
}


static void
ngx_http_conflict_feed_redis_last(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_feed_t *feed = data;

    ngx_str_t  id;

    feed->reading = 0;

    if (answer == NULL || feed->n == 0) {
        return;
    }

    if (answer->len) {
        feed->begun = 0;
        ngx_http_conflict_feed_redis_line(answer, &id);

    } else if (!feed->begun) {
        feed->begun = 1;

        if (ngx_http_conflict_feed_redis_first(feed) == NGX_OK) {
            ngx_http_conflict_feed_redis_read(feed);
        }

        return;

    } else {
        /* it takes no events */
        ngx_str_set(&id, "0-0");
    }

    if (!ngx_http_conflict_feed_redis_valid(&id)) {
        return;
    }

    ngx_memcpy(feed->last, id.data, id.len);
    feed->last_len = id.len;

    ngx_http_conflict_feed_redis_placed(feed);
}


/*
 * An event of no kind, for an id: without one, a client that comes back could
 * not say what it has heard.
 */

static ngx_int_t
ngx_http_conflict_feed_redis_first(ngx_http_conflict_feed_t *feed)
{
    ngx_str_t                       key;
    ngx_http_conflict_feed_event_t  event;

    ngx_str_null(&key);
    ngx_memzero(&event, sizeof(ngx_http_conflict_feed_event_t));

    /* over the connection of the question that follows */

    return ngx_http_conflict_feed_redis_add(feed, feed->reader, 1, &key,
                                            &event);
}


/* what is added from here on is read, and what was added before asked for */

static void
ngx_http_conflict_feed_redis_placed(ngx_http_conflict_feed_t *feed)
{
    ngx_queue_t                          *q, *next;
    ngx_http_conflict_feed_redis_past_t  *past;

    feed->placed = 1;

    if (feed->gap) {
        ngx_http_conflict_feed_topic_missed(feed);

    } else {
        /* states that were asked for may be older than this place */
        ngx_http_conflict_feed_topic_ask_all(feed);
    }

    feed->gap = 1;

    ngx_http_conflict_feed_redis_read(feed);

    for (q = ngx_queue_head(&feed->pasts);
         q != ngx_queue_sentinel(&feed->pasts);
         q = next)
    {
        next = ngx_queue_next(q);
        past = ngx_queue_data(q, ngx_http_conflict_feed_redis_past_t, queue);

        if (!past->sent) {
            ngx_http_conflict_feed_redis_past_send(past);
        }
    }
}


static void
ngx_http_conflict_feed_redis_events(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_feed_t *feed = data;

    u_char      last[NGX_HTTP_CONFLICT_FEED_ID];
    ngx_str_t   id, text, before;
    ngx_uint_t  n;

    feed->reading = 0;

    if (answer == NULL) {
        ngx_http_conflict_feed_redis_lost(feed);
        return;
    }

    before.data = last;
    before.len = feed->last_len;
    ngx_memcpy(last, feed->last, feed->last_len);

    if (answer->len) {
        /* the name of the stream */
        ngx_http_conflict_feed_redis_line(answer, &text);
    }

    n = 0;

    while (ngx_http_conflict_feed_redis_next(answer, &id, &text) == NGX_OK) {
        n++;

        ngx_memcpy(feed->last, id.data, id.len);
        feed->last_len = id.len;

        ngx_http_conflict_feed_redis_event(feed, &text);
    }

    if (n < NGX_HTTP_CONFLICT_FEED_BATCH) {
        ngx_http_conflict_feed_redis_continue(feed);

    } else {
        ngx_http_conflict_feed_redis_check(feed, &before);
    }
}


/*
 * A worker that lags may be behind what is kept.  If the event before those
 * that it has read is still there, then so were all that came after it.
 */

static void
ngx_http_conflict_feed_redis_check(ngx_http_conflict_feed_t *feed,
    ngx_str_t *id)
{
    ngx_str_t  arg[3];

    ngx_str_set(&arg[0], "XRANGE");
    arg[1] = *id;
    arg[2] = *id;

    feed->reading = 1;

    if (ngx_http_conflict_feed_redis_send(feed, feed->reader, arg, 3, 0, 1,
                                          ngx_http_conflict_feed_redis_checked,
                                          feed)
        != NGX_OK)
    {
        ngx_http_conflict_feed_redis_checked(feed, NULL, NULL);
    }
}


static void
ngx_http_conflict_feed_redis_checked(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_feed_t *feed = data;

    feed->reading = 0;

    if (answer == NULL) {
        ngx_http_conflict_feed_redis_lost(feed);
        return;
    }

    if (answer->len == 0) {
        ngx_http_conflict_feed_topic_missed(feed);
    }

    ngx_http_conflict_feed_redis_continue(feed);
}


static void
ngx_http_conflict_feed_redis_continue(ngx_http_conflict_feed_t *feed)
{
    if (feed->n) {
        ngx_http_conflict_feed_redis_read(feed);

    } else {
        ngx_http_conflict_feed_redis_lost(feed);
    }
}


/* the next tick, or the next who watches, begins anew */

static void
ngx_http_conflict_feed_redis_lost(ngx_http_conflict_feed_t *feed)
{
    feed->last_len = 0;
    feed->placed = 0;
    feed->gap = (feed->n != 0);
}


/* an entry of a stream: its id, the name of its field, and the text */

static ngx_int_t
ngx_http_conflict_feed_redis_next(ngx_str_t *lines, ngx_str_t *id,
    ngx_str_t *text)
{
    if (lines->len == 0) {
        return NGX_DONE;
    }

    ngx_http_conflict_feed_redis_line(lines, id);
    ngx_http_conflict_feed_redis_line(lines, text);
    ngx_http_conflict_feed_redis_line(lines, text);

    return ngx_http_conflict_feed_redis_valid(id) ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_conflict_feed_redis_line(ngx_str_t *lines, ngx_str_t *line)
{
    u_char  *end;
    size_t   len;

    end = ngx_strlchr(lines->data, lines->data + lines->len, LF);
    len = end ? (size_t) (end - lines->data) : lines->len;

    line->data = lines->data;
    line->len = len;

    len += (end != NULL);
    lines->data += len;
    lines->len -= len;
}


static void
ngx_http_conflict_feed_redis_event(ngx_http_conflict_feed_t *feed,
    ngx_str_t *text)
{
    ngx_str_t                       key;
    ngx_http_conflict_feed_event_t  event;

    if (ngx_http_conflict_feed_event_parse(text, &key, &event) != NGX_OK) {
        return;
    }

    conflict_hash_128(event.hash, key.data, key.len, feed->seed);

    ngx_http_conflict_feed_topic_event(feed, &event);
}


static u_char *
ngx_http_conflict_feed_redis_id(ngx_http_conflict_feed_t *feed, u_char *p)
{
    if (feed->last[0] == '0') {
        /* of an empty stream: no event has this id */
        return p;
    }

    return ngx_cpymem(p, feed->last, feed->last_len);
}


static void
ngx_http_conflict_feed_redis_past(ngx_http_conflict_feed_t *feed,
    ngx_str_t *id, ngx_http_conflict_feed_past_pt handler, void *data)
{
    ngx_http_conflict_feed_redis_past_t  *past;

    if (!ngx_http_conflict_feed_redis_valid(id)) {
        handler(data, NULL, 1);
        return;
    }

    past = ngx_alloc(sizeof(ngx_http_conflict_feed_redis_past_t),
                     feed->cycle->log);
    if (past == NULL) {
        handler(data, NULL, 1);
        return;
    }

    past->feed = feed;
    past->handler = handler;
    past->data = data;
    past->len = id->len;
    ngx_memcpy(past->id, id->data, id->len);
    past->sent = 0;

    ngx_queue_insert_tail(&feed->pasts, &past->queue);

    /* else an event that comes before the feed has its place is in no answer */

    if (feed->placed) {
        ngx_http_conflict_feed_redis_past_send(past);
    }
}


static void
ngx_http_conflict_feed_redis_past_send(
    ngx_http_conflict_feed_redis_past_t *past)
{
    u_char                           count[NGX_INT_T_LEN];
    ngx_str_t                        arg[5];
    ngx_http_conflict_feed_t        *feed;
    ngx_http_conflict_redis_conf_t  *conf;

    feed = past->feed;
    past->sent = 1;

    conf = ngx_http_conflict_redis_client_conf(feed->store->data);

    ngx_str_set(&arg[0], "XRANGE");
    arg[1].data = past->id;
    arg[1].len = past->len;
    ngx_str_set(&arg[2], "+");
    ngx_str_set(&arg[3], "COUNT");
    arg[4].data = count;
    arg[4].len = ngx_sprintf(count, "%d", NGX_HTTP_CONFLICT_FEED_PAST + 1)
                 - count;

    if (ngx_http_conflict_feed_redis_send(feed, feed->store->data, arg, 5, 0,
                                          conf->timeout,
                                          ngx_http_conflict_feed_redis_passed,
                                          past)
        != NGX_OK)
    {
        ngx_http_conflict_feed_redis_passed(past, NULL, NULL);
    }
}


/* the first entry must be the one of the id itself */

static void
ngx_http_conflict_feed_redis_passed(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_feed_redis_past_t *past = data;

    ngx_str_t                       id, text, key, none;
    ngx_uint_t                      n;
    ngx_http_conflict_feed_event_t  event;

    ngx_queue_remove(&past->queue);

    ngx_str_null(&none);
    answer = answer ? answer : &none;
    n = 0;

    while (past->handler
           && ngx_http_conflict_feed_redis_next(answer, &id, &text) == NGX_OK)
    {
        if (n++ == 0) {

            if (id.len != past->len
                || ngx_memcmp(id.data, past->id, id.len) != 0)
            {
                n = 0;
                break;
            }

            continue;
        }

        if (ngx_http_conflict_feed_event_parse(&text, &key, &event) == NGX_OK)
        {
            conflict_hash_128(event.hash, key.data, key.len,
                              past->feed->seed);
            event.past = 1;
            past->handler(past->data, &event, 0);
        }
    }

    if (past->handler) {
        past->handler(past->data, NULL,
                      n == 0 || n > NGX_HTTP_CONFLICT_FEED_PAST);
    }

    ngx_free(past);
}


void
ngx_http_conflict_feed_redis_cancel(ngx_http_conflict_feed_t *feed, void *data)
{
    ngx_queue_t                          *q, *next;
    ngx_http_conflict_feed_redis_past_t  *past;

    for (q = ngx_queue_head(&feed->pasts);
         q != ngx_queue_sentinel(&feed->pasts);
         q = next)
    {
        next = ngx_queue_next(q);
        past = ngx_queue_data(q, ngx_http_conflict_feed_redis_past_t, queue);

        if (past->data != data) {
            continue;
        }

        past->handler = NULL;

        if (!past->sent) {
            ngx_queue_remove(q);
            ngx_free(past);
        }
    }
}


/* "MILLISECONDS-NUMBER", each below 10^19 */

static ngx_uint_t
ngx_http_conflict_feed_redis_valid(ngx_str_t *id)
{
    size_t      i;
    ngx_uint_t  digits, dashes;

    digits = 0;
    dashes = 0;

    for (i = 0; i < id->len; i++) {

        if (id->data[i] == '-' && digits) {
            dashes++;
            digits = 0;

        } else if (id->data[i] < '0' || id->data[i] > '9' || ++digits > 19) {
            return 0;
        }
    }

    return dashes == 1 && digits;
}


/* the read in progress ends by itself, but no worker waits for it to exit */

static void
ngx_http_conflict_feed_redis_idle(ngx_http_conflict_feed_t *feed)
{
    if (ngx_exiting) {
        ngx_http_conflict_feed_redis_stop(feed);
    }
}


static void
ngx_http_conflict_feed_redis_stop(ngx_http_conflict_feed_t *feed)
{
    if (feed->reader) {
        ngx_http_conflict_redis_client_stop(feed->reader);
        feed->reader = NULL;
        feed->reading = 1;
    }
}
