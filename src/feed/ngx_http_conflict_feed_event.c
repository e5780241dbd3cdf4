
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Events: what operations publish, and the form of an event as a text, in
 * which Redis has it.
 */


#include "feed/ngx_http_conflict_feed_state.h"
#include "core/text/conflict_decimal.h"


#define NGX_HTTP_CONFLICT_FEED_NUMBERS  5


static void ngx_http_conflict_feed_event_publish(ngx_http_conflict_op_t *op,
    ngx_http_conflict_feed_event_t *event);
static u_char *ngx_http_conflict_feed_event_word(u_char *p, ngx_str_t *text);
static ngx_int_t ngx_http_conflict_feed_event_number(u_char **pos,
    u_char *last, uint64_t *number);
static void ngx_http_conflict_feed_event_text(u_char **pos, u_char *last,
    ngx_str_t *text);


static ngx_str_t  ngx_http_conflict_feed_event_names[] = {
    ngx_null_string,
    ngx_string("version"),
    ngx_string("deleted"),
    ngx_string("unknown"),
    ngx_string("locked"),
    ngx_string("unlocked"),
    ngx_string("lock_asked"),
    ngx_string("conflict")
};


ngx_str_t *
ngx_http_conflict_feed_event_name(ngx_http_conflict_feed_kind_e kind)
{
    return &ngx_http_conflict_feed_event_names[kind];
}


void
ngx_http_conflict_feed_event_settled(ngx_http_conflict_op_t *op,
    ngx_str_t *user, ngx_str_t *client, ngx_uint_t done)
{
    ngx_http_conflict_feed_event_t  event;

    if (op->store->feed == NULL) {
        return;
    }

    ngx_memzero(&event, sizeof(ngx_http_conflict_feed_event_t));

    event.kind = NGX_HTTP_CONFLICT_FEED_UNKNOWN;
    event.time = CONFLICT_TIME_NONE;
    event.fence = op->out.fence;

    if (done && op->out.applied) {
        event.kind = (op->in.observed.existence == CONFLICT_DELETED)
                     ? NGX_HTTP_CONFLICT_FEED_DELETED
                     : NGX_HTTP_CONFLICT_FEED_VERSION;
        event.version = op->out.version;
        event.time = op->out.mtime;
    }

    event.text[NGX_HTTP_CONFLICT_FEED_USER] = *user;
    event.text[NGX_HTTP_CONFLICT_FEED_CLIENT] = *client;

    ngx_http_conflict_feed_event_publish(op, &event);
}


void
ngx_http_conflict_feed_event_lock(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_feed_event_t  event;

    if (op->store->feed == NULL) {
        return;
    }

    ngx_memzero(&event, sizeof(ngx_http_conflict_feed_event_t));

    switch (op->lock.result) {

    case NGX_HTTP_CONFLICT_LOCK_GRANTED:
    case NGX_HTTP_CONFLICT_LOCK_TAKEN:
        event.kind = NGX_HTTP_CONFLICT_FEED_LOCKED;
        event.remaining = op->lock.idle;
        event.time = op->lock.acquired;
        event.text[NGX_HTTP_CONFLICT_FEED_USER] = op->lock.user;
        event.text[NGX_HTTP_CONFLICT_FEED_CLIENT] = op->lock.client;
        break;

    case NGX_HTTP_CONFLICT_LOCK_RELEASED:
    case NGX_HTTP_CONFLICT_LOCK_FORCED:
        event.kind = NGX_HTTP_CONFLICT_FEED_UNLOCKED;
        break;

    case NGX_HTTP_CONFLICT_LOCK_HANDED:
        event.kind = NGX_HTTP_CONFLICT_FEED_UNLOCKED;
        event.remaining = op->lock.reserve;
        break;

    default:
        return;
    }

    ngx_http_conflict_feed_event_publish(op, &event);
}


void
ngx_http_conflict_feed_event_lock_asked(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_feed_event_t  event;

    if (op->store->feed == NULL) {
        return;
    }

    ngx_memzero(&event, sizeof(ngx_http_conflict_feed_event_t));

    event.kind = NGX_HTTP_CONFLICT_FEED_LOCK_ASKED;
    event.time = CONFLICT_TIME_NONE;
    event.text[NGX_HTTP_CONFLICT_FEED_USER] = op->lock.user;
    event.text[NGX_HTTP_CONFLICT_FEED_CLIENT] = op->lock.client;

    ngx_http_conflict_feed_event_publish(op, &event);
}


void
ngx_http_conflict_feed_event_conflict(ngx_http_conflict_op_t *op,
    ngx_str_t *user, ngx_str_t *client, ngx_str_t *action, ngx_str_t *id)
{
    ngx_http_conflict_feed_event_t  event;

    if (op->store->feed == NULL || user->len == 0) {
        return;
    }

    ngx_memzero(&event, sizeof(ngx_http_conflict_feed_event_t));

    event.kind = NGX_HTTP_CONFLICT_FEED_CONFLICT;
    event.text[NGX_HTTP_CONFLICT_FEED_USER] = *user;
    event.text[NGX_HTTP_CONFLICT_FEED_CLIENT] = *client;
    event.text[NGX_HTTP_CONFLICT_FEED_ACTION] = *action;
    event.text[NGX_HTTP_CONFLICT_FEED_CONFLICT_ID] = *id;

    ngx_http_conflict_feed_event_publish(op, &event);
}


static void
ngx_http_conflict_feed_event_publish(ngx_http_conflict_op_t *op,
    ngx_http_conflict_feed_event_t *event)
{
    size_t                     max;
    ngx_uint_t                 i;
    ngx_http_conflict_feed_t  *feed;

    feed = ngx_http_conflict_feed(op->store);

    if (op->key.len > NGX_HTTP_CONFLICT_FEED_KEY) {
        /* the next comparison with the store finds it */
        return;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_FEED_TEXTS; i++) {
        max = (i <= NGX_HTTP_CONFLICT_FEED_CLIENT)
              ? NGX_HTTP_CONFLICT_FEED_TEXT : NGX_HTTP_CONFLICT_FEED_WORD;

        event->text[i].len = ngx_min(event->text[i].len, max);
    }

    feed->ops->publish(feed, &op->key, event);
}


/*
 * Numbers, the key, then the texts, each of these with a "=" before it.  A
 * negative time, or none, is a large number.
 */

u_char *
ngx_http_conflict_feed_event_print(u_char *p, ngx_str_t *key,
    ngx_http_conflict_feed_event_t *event)
{
    ngx_uint_t  i;

    p = ngx_sprintf(p, "%ui %uL %uL %uL %M", (ngx_uint_t) event->kind,
                    event->version, event->fence, (uint64_t) event->time,
                    event->remaining);

    p = ngx_http_conflict_feed_event_word(p, key);

    for (i = 0; i < NGX_HTTP_CONFLICT_FEED_TEXTS; i++) {
        p = ngx_http_conflict_feed_event_word(p, &event->text[i]);
    }

    return p;
}


static u_char *
ngx_http_conflict_feed_event_word(u_char *p, ngx_str_t *text)
{
    *p++ = ' ';
    *p++ = '=';

    if (text->len == 0) {
        return p;
    }

    return (u_char *) ngx_escape_uri(p, text->data, text->len,
                                     NGX_ESCAPE_URI_COMPONENT);
}


ngx_int_t
ngx_http_conflict_feed_event_parse(ngx_str_t *text, ngx_str_t *key,
    ngx_http_conflict_feed_event_t *event)
{
    u_char      *p, *last;
    uint64_t     number[NGX_HTTP_CONFLICT_FEED_NUMBERS];
    ngx_uint_t   i;

    ngx_memzero(event, sizeof(ngx_http_conflict_feed_event_t));

    p = text->data;
    last = text->data + text->len;

    for (i = 0; i < NGX_HTTP_CONFLICT_FEED_NUMBERS; i++) {

        if (ngx_http_conflict_feed_event_number(&p, last, &number[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (number[0] == NGX_HTTP_CONFLICT_FEED_NONE
        || number[0] >= NGX_HTTP_CONFLICT_FEED_KINDS)
    {
        /* of a later release */
        return NGX_DECLINED;
    }

    event->kind = (ngx_http_conflict_feed_kind_e) number[0];
    event->version = number[1];
    event->fence = number[2];
    event->time = (int64_t) number[3];
    event->remaining = (ngx_msec_t) number[4];

    if ((event->time != CONFLICT_TIME_NONE
         && (event->time < -CONFLICT_TIME_MAX
             || event->time > CONFLICT_TIME_MAX))
        || number[4] > CONFLICT_TIME_MAX / 1000)
    {
        return NGX_ERROR;
    }

    ngx_http_conflict_feed_event_text(&p, last, key);

    for (i = 0; i < NGX_HTTP_CONFLICT_FEED_TEXTS; i++) {
        ngx_http_conflict_feed_event_text(&p, last, &event->text[i]);
    }

    return key->len ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_conflict_feed_event_number(u_char **pos, u_char *last,
    uint64_t *number)
{
    u_char      *p;
    ngx_uint_t   negative;

    p = *pos;
    negative = (p < last && *p == '-');

    p = conflict_decimal_parse(p + negative, last, UINT64_MAX, number);

    if (p == NULL) {
        return NGX_ERROR;
    }

    if (negative) {
        *number = 0 - *number;
    }

    *pos = (p < last) ? p + 1 : p;

    return NGX_OK;
}


static void
ngx_http_conflict_feed_event_text(u_char **pos, u_char *last, ngx_str_t *text)
{
    u_char  *p, *dst;
    size_t   len;

    p = *pos;
    ngx_str_null(text);

    if (p == last || *p != '=') {
        return;
    }

    p++;

    for (len = 0; p + len < last && p[len] != ' '; len++) {
        /* void */
    }

    text->data = p;
    dst = p;
    *pos = (p + len < last) ? p + len + 1 : last;

    ngx_unescape_uri(&dst, &p, len, 0);

    text->len = dst - text->data;
}
