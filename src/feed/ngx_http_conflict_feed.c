
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The feed of a store in a worker: its start, its end, and what is done from
 * time to time.
 */


#include "feed/ngx_http_conflict_feed_state.h"
#include "process/ngx_http_conflict_random.h"
#include "process/ngx_http_conflict_wake.h"


static void ngx_http_conflict_feed_read(ngx_event_t *ev);


static ngx_http_conflict_feed_t  *ngx_http_conflict_feeds;    /* a list */
static ngx_uint_t                 ngx_http_conflict_feeds_listening;
static ngx_event_t                ngx_http_conflict_feed_posted;


ngx_int_t
ngx_http_conflict_feed_add(ngx_conf_t *cf, ngx_http_conflict_store_t *store)
{
    if (store->events) {
        return NGX_OK;
    }

    store->events = 1;

    return (store->ops == &ngx_http_conflict_shm_ops)
           ? ngx_http_conflict_feed_ring_add(cf, store) : NGX_OK;
}


ngx_int_t
ngx_http_conflict_feed_start(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store)
{
    ngx_int_t                  rc;
    ngx_http_conflict_feed_t  *feed;

    feed = ngx_pcalloc(cycle->pool, sizeof(ngx_http_conflict_feed_t));
    if (feed == NULL) {
        return NGX_ERROR;
    }

    feed->store = store;
    feed->cycle = cycle;
    feed->seed = ngx_http_conflict_random_seed();

    ngx_rbtree_init(&feed->tree, &feed->sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&feed->topics);
    ngx_queue_init(&feed->pasts);

    rc = store->feed_zone ? ngx_http_conflict_feed_ring_start(feed)
                          : ngx_http_conflict_feed_redis_start(feed);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_conflict_feed_posted.handler = ngx_http_conflict_feed_read;
    ngx_http_conflict_feed_posted.log = cycle->log;

    feed->other = ngx_http_conflict_feeds;
    ngx_http_conflict_feeds = feed;

    store->feed = feed;

    return NGX_OK;
}


void
ngx_http_conflict_feed_stop(ngx_http_conflict_store_t *store)
{
    ngx_http_conflict_feed_t  *feed;

    feed = store->feed;

    if (feed) {
        store->feed = NULL;
        feed->ops->stop(feed);
    }
}


void
ngx_http_conflict_feed_tick(ngx_http_conflict_store_t *store,
    ngx_msec_t interval)
{
    ngx_http_conflict_feed_t  *feed;

    feed = ngx_http_conflict_feed(store);

    if (feed == NULL || feed->n == 0) {
        return;
    }

    feed->ops->read(feed);

    ngx_http_conflict_feed_topic_compare(feed, interval);
}


u_char *
ngx_http_conflict_feed_id(ngx_http_conflict_feed_t *feed, u_char *p)
{
    return feed->ops->id(feed, p);
}


void
ngx_http_conflict_feed_past(ngx_http_conflict_feed_t *feed, ngx_str_t *id,
    ngx_http_conflict_feed_past_pt handler, void *data)
{
    feed->ops->past(feed, id, handler, data);
}


void
ngx_http_conflict_feed_past_cancel(ngx_http_conflict_feed_t *feed, void *data)
{
    ngx_http_conflict_feed_redis_cancel(feed, data);
}


/* so that no handler of a listener runs within an operation of a store */

void
ngx_http_conflict_feed_post(void)
{
    ngx_post_event(&ngx_http_conflict_feed_posted, &ngx_posted_events);
}


void
ngx_http_conflict_feed_listen(ngx_http_conflict_feed_t *feed, ngx_uint_t on)
{
    if (feed->listening == on) {
        return;
    }

    feed->listening = on;
    ngx_http_conflict_feeds_listening += on ? 1 : -1;

    ngx_http_conflict_wake_listening(ngx_http_conflict_feeds_listening != 0);
}


static void
ngx_http_conflict_feed_read(ngx_event_t *ev)
{
    ngx_http_conflict_feed_t  *feed;

    for (feed = ngx_http_conflict_feeds; feed; feed = feed->other) {

        if (feed->n && feed->ring) {
            feed->ops->read(feed);
        }
    }
}
