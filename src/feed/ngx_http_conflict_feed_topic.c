
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The resources that are watched in this worker, with their states: what
 * events say of them, and what the store says when it is asked, so that no
 * message needs to arrive.
 */


#include "feed/ngx_http_conflict_feed_state.h"


#define NGX_HTTP_CONFLICT_FEED_ASKED   200   /* by one compare(), and a */
#define NGX_HTTP_CONFLICT_FEED_PART    4     /* fourth of all */
#define NGX_HTTP_CONFLICT_FEED_FLIGHT  1000  /* questions not answered yet */


static ngx_http_conflict_feed_topic_t *ngx_http_conflict_feed_topic_find(
    ngx_http_conflict_feed_t *feed, const uint64_t hash[2]);
static ngx_http_conflict_feed_topic_t *ngx_http_conflict_feed_topic_create(
    ngx_http_conflict_feed_t *feed, ngx_str_t *key, const uint64_t hash[2]);
static void ngx_http_conflict_feed_topic_free(
    ngx_http_conflict_feed_topic_t *topic);
static void ngx_http_conflict_feed_topic_ask(
    ngx_http_conflict_feed_topic_t *topic);
static void ngx_http_conflict_feed_topic_asked(ngx_http_conflict_op_t *op);
static void ngx_http_conflict_feed_topic_answer(
    ngx_http_conflict_feed_topic_t *topic, ngx_http_conflict_op_t *op);
static void ngx_http_conflict_feed_topic_answered(
    ngx_http_conflict_feed_topic_t *topic, ngx_http_conflict_op_t *op,
    ngx_uint_t changed);
static void ngx_http_conflict_feed_topic_state(
    ngx_http_conflict_feed_topic_t *topic,
    ngx_http_conflict_feed_event_t *event);
static void ngx_http_conflict_feed_topic_lock(
    ngx_http_conflict_feed_topic_t *topic, ngx_str_t *user, ngx_str_t *client,
    int64_t acquired, ngx_msec_t remaining, ngx_uint_t reserved);
static void ngx_http_conflict_feed_topic_tell(
    ngx_http_conflict_feed_topic_t *topic,
    ngx_http_conflict_feed_event_t *event);


static ngx_uint_t  ngx_http_conflict_feed_topic_flight;


ngx_int_t
ngx_http_conflict_feed_topic_watch(ngx_http_conflict_feed_t *feed,
    ngx_str_t *key, ngx_uint_t minted, ngx_http_conflict_feed_watch_t *watch)
{
    uint64_t                         hash[2];
    ngx_http_conflict_feed_topic_t  *topic;

    if (feed->n == 0) {
        /* from here on no event is missed */
        feed->ops->read(feed);
    }

    conflict_hash_128(hash, key->data, key->len, feed->seed);

    topic = ngx_http_conflict_feed_topic_find(feed, hash);

    if (topic == NULL) {
        topic = ngx_http_conflict_feed_topic_create(feed, key, hash);
        if (topic == NULL) {
            return NGX_ERROR;
        }
    }

    topic->minted = minted;

    watch->topic = topic;
    watch->fresh = 1;
    watch->unsure = 1;
    ngx_queue_insert_tail(&topic->watches, &watch->queue);

    ngx_http_conflict_feed_topic_ask(topic);

    return NGX_OK;
}


void
ngx_http_conflict_feed_topic_leave(ngx_http_conflict_feed_watch_t *watch)
{
    ngx_http_conflict_feed_t        *feed;
    ngx_http_conflict_feed_topic_t  *topic;

    topic = watch->topic;

    if (topic == NULL) {
        return;
    }

    watch->topic = NULL;
    ngx_queue_remove(&watch->queue);

    if (!ngx_queue_empty(&topic->watches)) {
        return;
    }

    feed = topic->feed;

    ngx_http_conflict_feed_topic_free(topic);

    if (feed->n == 0) {
        feed->ops->idle(feed);
    }
}


uint64_t
ngx_http_conflict_feed_topic_writer(ngx_http_conflict_feed_t *feed,
    ngx_str_t *user, ngx_str_t *client)
{
    conflict_hash_t  hash;

    if (client->len == 0) {
        return 0;
    }

    conflict_hash_init(&hash, feed->seed);
    conflict_hash_field(&hash, user->data,
                        ngx_min(user->len, NGX_HTTP_CONFLICT_FEED_TEXT));
    conflict_hash_field(&hash, client->data,
                        ngx_min(client->len, NGX_HTTP_CONFLICT_FEED_TEXT));

    return conflict_hash_final(&hash);
}


static ngx_http_conflict_feed_topic_t *
ngx_http_conflict_feed_topic_find(ngx_http_conflict_feed_t *feed,
    const uint64_t hash[2])
{
    ngx_rbtree_key_t                 key;
    ngx_rbtree_node_t               *node;
    ngx_http_conflict_feed_topic_t  *topic;

    key = (ngx_rbtree_key_t) hash[0];
    node = feed->tree.root;

    while (node != &feed->sentinel) {
        topic = (ngx_http_conflict_feed_topic_t *) node;

        if (topic->hash[0] == hash[0] && topic->hash[1] == hash[1]) {
            return topic;
        }

        /* nodes with equal keys are to the right */
        node = (key < node->key) ? node->left : node->right;
    }

    return NULL;
}


static ngx_http_conflict_feed_topic_t *
ngx_http_conflict_feed_topic_create(ngx_http_conflict_feed_t *feed,
    ngx_str_t *key, const uint64_t hash[2])
{
    ngx_http_conflict_feed_topic_t  *topic;

    topic = ngx_calloc(sizeof(ngx_http_conflict_feed_topic_t) + key->len,
                       feed->cycle->log);
    if (topic == NULL) {
        return NULL;
    }

    topic->node.key = (ngx_rbtree_key_t) hash[0];
    topic->hash[0] = hash[0];
    topic->hash[1] = hash[1];
    topic->feed = feed;
    topic->time = CONFLICT_TIME_NONE;

    topic->key.len = key->len;
    topic->key.data = (u_char *) (topic + 1);
    ngx_memcpy(topic->key.data, key->data, key->len);

    ngx_queue_init(&topic->watches);
    ngx_queue_insert_tail(&feed->topics, &topic->queue);
    ngx_rbtree_insert(&feed->tree, &topic->node);

    feed->n++;

    return topic;
}


static void
ngx_http_conflict_feed_topic_free(ngx_http_conflict_feed_topic_t *topic)
{
    ngx_rbtree_delete(&topic->feed->tree, &topic->node);
    ngx_queue_remove(&topic->queue);
    topic->feed->n--;

    if (topic->op) {
        /* its answer finds no topic, and the store frees it */
        topic->op->lost_data = NULL;
    }

    if (topic->holder.data) {
        ngx_free(topic->holder.data);
    }

    ngx_free(topic);
}


/*
 * Asks the store, by showing the lock: unlike a peek, this changes nothing, and
 * it tells the version as well.
 */

static void
ngx_http_conflict_feed_topic_ask(ngx_http_conflict_feed_topic_t *topic)
{
    ngx_int_t                rc;
    ngx_http_conflict_op_t  *op;

    if (topic->op) {
        /* what it answers may be older than the caller's question */
        topic->again = 1;
        return;
    }

    topic->again = 0;
    topic->asked = topic->events;
    topic->compared = ngx_current_msec;

    ngx_queue_remove(&topic->queue);
    ngx_queue_insert_tail(&topic->feed->topics, &topic->queue);

    op = ngx_http_conflict_op_create(NULL, topic->feed->store, &topic->key, 0);
    if (op == NULL) {
        /* the next comparison asks again */
        return;
    }

    op->lock.verb = NGX_HTTP_CONFLICT_LOCK_SHOW;
    op->in.minted = topic->minted;
    op->done = ngx_http_conflict_feed_topic_asked;
    op->lost_data = topic;

    topic->op = op;
    ngx_http_conflict_feed_topic_flight++;

    rc = op->store->ops->lock(op);

    if (rc != NGX_AGAIN) {
        op->rc = rc;
        ngx_http_conflict_feed_topic_asked(op);
    }

    ngx_http_conflict_op_release(op);
}


/* the topic may be gone */

static void
ngx_http_conflict_feed_topic_asked(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_feed_topic_t  *topic;

    topic = op->lost_data;

    /* not to be freed with the operation */
    op->lost_data = NULL;

    ngx_http_conflict_feed_topic_flight--;

    if (topic == NULL) {
        return;
    }

    topic->op = NULL;

    if (topic->asked != topic->events) {
        /* an event came in between: the answer may be older */
        topic->again = 1;

    } else if (op->rc == NGX_OK) {
        ngx_http_conflict_feed_topic_answer(topic, op);
    }

    if (topic->again && op->rc == NGX_OK) {
        ngx_http_conflict_feed_topic_ask(topic);
    }
}


static void
ngx_http_conflict_feed_topic_answer(ngx_http_conflict_feed_topic_t *topic,
    ngx_http_conflict_op_t *op)
{
    ngx_uint_t                      states, locks;
    ngx_http_conflict_feed_event_t  event;

    states = topic->states;
    locks = topic->locks;

    ngx_memzero(&event, sizeof(ngx_http_conflict_feed_event_t));

    event.fence = op->out.fence;
    event.time = op->out.mtime;
    event.kind = NGX_HTTP_CONFLICT_FEED_UNKNOWN;

    if (op->out.state == CONFLICT_FREE) {
        event.version = op->out.version;
        event.kind = (op->out.existence == CONFLICT_DELETED)
                     ? NGX_HTTP_CONFLICT_FEED_DELETED
                     : NGX_HTTP_CONFLICT_FEED_VERSION;
    }

    if (op->out.state == CONFLICT_LEASED
        && topic->state == NGX_HTTP_CONFLICT_FEED_NONE && !topic->leased)
    {
        /*
         * A write is in flight, and is likely to be settled very soon.  The
         * next tick asks again; what is asked before the feed has its place
         * does not count, as nothing is told then.
         */
        topic->leased = topic->feed->placed;
        topic->compared = 0;
        ngx_queue_remove(&topic->queue);
        ngx_queue_insert_head(&topic->feed->topics, &topic->queue);
        return;
    }

    if (op->out.state != CONFLICT_LEASED
        || topic->state == NGX_HTTP_CONFLICT_FEED_NONE)
    {
        /* a write in flight has not changed it yet */
        topic->fence = 0;
        ngx_http_conflict_feed_topic_state(topic, &event);
    }

    if (op->lock.result == NGX_HTTP_CONFLICT_LOCK_NONE) {
        ngx_http_conflict_feed_topic_lock(topic, NULL, NULL, 0, 0, 0);

    } else {
        ngx_http_conflict_feed_topic_lock(topic, &op->lock.holder,
                                          &op->lock.origin, op->lock.acquired,
                                          op->lock.remaining,
                                          op->lock.reserved);
    }

    if (topic->again) {
        /* those who came later wait for the next answer */
        return;
    }

    ngx_http_conflict_feed_topic_answered(topic, op, topic->states != states
                                                     || topic->locks != locks);
}


static void
ngx_http_conflict_feed_topic_answered(ngx_http_conflict_feed_topic_t *topic,
    ngx_http_conflict_op_t *op, ngx_uint_t changed)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_lock_note_t   *note;
    ngx_http_conflict_feed_event_t   asked;
    ngx_http_conflict_feed_watch_t  *watch;

    ngx_memzero(&asked, sizeof(ngx_http_conflict_feed_event_t));

    if (op->lock.n_notes) {
        /* the lock is handed over to the first */
        note = op->lock.notes;

        asked.kind = NGX_HTTP_CONFLICT_FEED_LOCK_ASKED;
        asked.time = note->since;
        asked.text[NGX_HTTP_CONFLICT_FEED_USER] = note->user;
        asked.text[NGX_HTTP_CONFLICT_FEED_CLIENT] = note->client;
    }

    for (q = ngx_queue_head(&topic->watches);
         q != ngx_queue_sentinel(&topic->watches);
         q = ngx_queue_next(q))
    {
        watch = ngx_queue_data(q, ngx_http_conflict_feed_watch_t, queue);

        /*
         * What happens after the first state is told is told as well, so that
         * waits for the place from which events are read.
         */

        if (watch->unsure ? topic->feed->placed : changed) {
            watch->handler(watch, (watch->unsure && asked.kind) ? &asked
                                                                : NULL);
            watch->fresh = 0;
            watch->unsure = 0;
        }
    }
}


void
ngx_http_conflict_feed_topic_event(ngx_http_conflict_feed_t *feed,
    ngx_http_conflict_feed_event_t *event)
{
    ngx_uint_t                       states, locks;
    ngx_http_conflict_feed_topic_t  *topic;

    topic = ngx_http_conflict_feed_topic_find(feed, event->hash);

    if (topic == NULL) {
        return;
    }

    states = topic->states;
    locks = topic->locks;

    switch (event->kind) {

    case NGX_HTTP_CONFLICT_FEED_VERSION:
    case NGX_HTTP_CONFLICT_FEED_DELETED:
    case NGX_HTTP_CONFLICT_FEED_UNKNOWN:
        topic->events++;

        if (event->fence == 0) {
            /* of a request without a lease: only the store knows its place */
            ngx_http_conflict_feed_topic_ask(topic);
            return;
        }

        ngx_http_conflict_feed_topic_state(topic, event);
        break;

    case NGX_HTTP_CONFLICT_FEED_LOCKED:
        topic->events++;
        ngx_http_conflict_feed_topic_lock(topic,
                                    &event->text[NGX_HTTP_CONFLICT_FEED_USER],
                                    &event->text[NGX_HTTP_CONFLICT_FEED_CLIENT],
                                    event->time, event->remaining, 0);
        ngx_http_conflict_feed_topic_tell(topic, event);
        break;

    case NGX_HTTP_CONFLICT_FEED_UNLOCKED:
        topic->events++;
        ngx_http_conflict_feed_topic_tell(topic, event);

        if (event->remaining) {
            /* only the store knows for whom it is reserved */
            ngx_http_conflict_feed_topic_ask(topic);
            return;
        }

        ngx_http_conflict_feed_topic_lock(topic, NULL, NULL, 0, 0, 0);
        break;

    default:
        ngx_http_conflict_feed_topic_tell(topic, event);
        return;
    }

    if (topic->states != states || topic->locks != locks) {
        ngx_http_conflict_feed_topic_tell(topic, NULL);
    }

    if (topic->compared == 0) {
        /* what is to be asked anyway: a write that was in flight is over */
        ngx_http_conflict_feed_topic_ask(topic);
    }
}


/* events of one resource may arrive in another order than it has changed */

static void
ngx_http_conflict_feed_topic_state(ngx_http_conflict_feed_topic_t *topic,
    ngx_http_conflict_feed_event_t *event)
{
    uint64_t  writer;

    if (event->fence < topic->fence) {
        return;
    }

    topic->fence = event->fence;

    writer = ngx_http_conflict_feed_topic_writer(topic->feed,
                                   &event->text[NGX_HTTP_CONFLICT_FEED_USER],
                                   &event->text[NGX_HTTP_CONFLICT_FEED_CLIENT]);

    if (event->kind == topic->state && event->version == topic->version) {
        /* the store has told it before the event came */
        topic->writer = topic->writer ? topic->writer : writer;
        return;
    }

    topic->state = event->kind;
    topic->version = event->version;
    topic->time = event->time;
    topic->writer = writer;
    topic->states++;
}


/* "user" NULL: it is not locked; a renewal is no change */

static void
ngx_http_conflict_feed_topic_lock(ngx_http_conflict_feed_topic_t *topic,
    ngx_str_t *user, ngx_str_t *client, int64_t acquired, ngx_msec_t remaining,
    ngx_uint_t reserved)
{
    u_char  *p;

    topic->expires = ngx_http_conflict_clock_msec() + (int64_t) remaining;

    if (user == NULL) {

        if (topic->holder.data) {
            ngx_free(topic->holder.data);
            ngx_str_null(&topic->holder);
            ngx_str_null(&topic->origin);
            topic->locks++;
        }

        return;
    }

    if (topic->holder.data && topic->reserved == reserved
        && topic->holder.len == user->len && topic->origin.len == client->len
        && ngx_memcmp(topic->holder.data, user->data, user->len) == 0
        && ngx_memcmp(topic->origin.data, client->data, client->len) == 0)
    {
        return;
    }

    p = ngx_alloc(user->len + client->len + 1, topic->feed->cycle->log);
    if (p == NULL) {
        /* the next comparison tells it */
        return;
    }

    if (topic->holder.data) {
        ngx_free(topic->holder.data);
    }

    topic->holder.data = p;
    topic->holder.len = user->len;
    p = ngx_cpymem(p, user->data, user->len);
    topic->origin.data = p;
    topic->origin.len = client->len;
    ngx_memcpy(p, client->data, client->len);

    topic->acquired = acquired;
    topic->reserved = reserved;
    topic->locks++;
}


static void
ngx_http_conflict_feed_topic_tell(ngx_http_conflict_feed_topic_t *topic,
    ngx_http_conflict_feed_event_t *event)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_feed_watch_t  *watch;

    for (q = ngx_queue_head(&topic->watches);
         q != ngx_queue_sentinel(&topic->watches);
         q = ngx_queue_next(q))
    {
        watch = ngx_queue_data(q, ngx_http_conflict_feed_watch_t, queue);

        if (event == NULL) {
            watch->fresh = 0;
        }

        watch->handler(watch, event);
    }
}


void
ngx_http_conflict_feed_topic_missed(ngx_http_conflict_feed_t *feed)
{
    ngx_queue_t                     *q, *w;
    ngx_http_conflict_feed_topic_t  *topic;
    ngx_http_conflict_feed_watch_t  *watch;

    for (q = ngx_queue_head(&feed->topics);
         q != ngx_queue_sentinel(&feed->topics);
         q = ngx_queue_next(q))
    {
        topic = ngx_queue_data(q, ngx_http_conflict_feed_topic_t, queue);

        for (w = ngx_queue_head(&topic->watches);
             w != ngx_queue_sentinel(&topic->watches);
             w = ngx_queue_next(w))
        {
            watch = ngx_queue_data(w, ngx_http_conflict_feed_watch_t, queue);
            watch->fresh = 1;
            watch->unsure = 1;
            watch->missed(watch);
        }
    }

    ngx_http_conflict_feed_topic_ask_all(feed);
}


/* by the next comparisons, which are bounded */

void
ngx_http_conflict_feed_topic_ask_all(ngx_http_conflict_feed_t *feed)
{
    ngx_queue_t                     *q;
    ngx_http_conflict_feed_topic_t  *topic;

    for (q = ngx_queue_head(&feed->topics);
         q != ngx_queue_sentinel(&feed->topics);
         q = ngx_queue_next(q))
    {
        topic = ngx_queue_data(q, ngx_http_conflict_feed_topic_t, queue);

        topic->again |= (topic->op != NULL);
        topic->compared = 0;
    }

    ngx_http_conflict_feed_topic_compare(feed, 1);
}


void
ngx_http_conflict_feed_topic_compare(ngx_http_conflict_feed_t *feed,
    ngx_msec_t interval)
{
    ngx_uint_t                       n;
    ngx_http_conflict_feed_topic_t  *topic;

    n = NGX_HTTP_CONFLICT_FEED_ASKED + feed->n / NGX_HTTP_CONFLICT_FEED_PART;
    n = ngx_min(n, feed->n);

    while (n--) {
        topic = ngx_queue_data(ngx_queue_head(&feed->topics),
                               ngx_http_conflict_feed_topic_t, queue);

        if ((topic->compared
             && (ngx_msec_int_t) (ngx_current_msec - topic->compared)
                < (ngx_msec_int_t) interval)
            || ngx_http_conflict_feed_topic_flight
               >= NGX_HTTP_CONFLICT_FEED_FLIGHT)
        {
            return;
        }

        if (topic->op) {
            /* a store that does not answer is not asked twice */
            topic->compared = ngx_current_msec;
            ngx_queue_remove(&topic->queue);
            ngx_queue_insert_tail(&feed->topics, &topic->queue);
            continue;
        }

        ngx_http_conflict_feed_topic_ask(topic);
    }
}
