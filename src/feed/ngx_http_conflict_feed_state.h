
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the feed: its state in a worker, and the calls between its files.
 */


#ifndef _NGX_HTTP_CONFLICT_FEED_STATE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_FEED_STATE_H_INCLUDED_


#include "feed/ngx_http_conflict_feed.h"
#include "core/text/conflict_hash.h"
#include "core/text/conflict_time.h"
#include "process/ngx_http_conflict_clock.h"
#include "redis_client/ngx_http_conflict_redis_client.h"


#define NGX_HTTP_CONFLICT_FEED_KEY    2048   /* bytes; longer ones are not
                                                published */

/* how a store carries events */

typedef struct {
    /* "key" is that of the event */
    void                             (*publish)(ngx_http_conflict_feed_t *feed,
                                     ngx_str_t *key,
                                     ngx_http_conflict_feed_event_t *event);

    /* reads new events, or starts to */
    void                             (*read)(ngx_http_conflict_feed_t *feed);

    u_char                          *(*id)(ngx_http_conflict_feed_t *feed,
                                     u_char *p);
    void                             (*past)(ngx_http_conflict_feed_t *feed,
                                     ngx_str_t *id,
                                     ngx_http_conflict_feed_past_pt handler,
                                     void *data);

    /* nobody listens any more */
    void                             (*idle)(ngx_http_conflict_feed_t *feed);

    /* the worker exits */
    void                             (*stop)(ngx_http_conflict_feed_t *feed);
} ngx_http_conflict_feed_ops_t;


typedef struct ngx_http_conflict_feed_ring_s  ngx_http_conflict_feed_ring_t;


struct ngx_http_conflict_feed_s {
    ngx_http_conflict_store_t             *store;
    const ngx_http_conflict_feed_ops_t    *ops;
    ngx_cycle_t                           *cycle;
    uint64_t                               seed;     /* of keys and writers */
    ngx_rbtree_t                           tree;     /* topics */
    ngx_rbtree_node_t                      sentinel;
    ngx_queue_t                            topics;   /* compared first at the
                                                        head */
    ngx_uint_t                             n;        /* topics */
    ngx_http_conflict_feed_t              *other;    /* of another store */
    unsigned                               placed:1; /* what is published from
                                                        now on will be read */

    /* shared memory */

    ngx_http_conflict_feed_ring_t         *ring;
    ngx_slab_pool_t                       *shpool;
    uint64_t                               next;     /* to be read */

    /* Redis */

    ngx_http_conflict_redis_t             *reader;   /* NULL: not yet */
    ngx_str_t                              name;     /* of the stream */
    u_char                                 last[NGX_HTTP_CONFLICT_FEED_ID];
    size_t                                 last_len; /* 0: unknown */
    ngx_queue_t                            pasts;    /* being asked for */
    unsigned                               reading:1;
    unsigned                               begun:1;  /* an empty stream was
                                                        given an event */
    unsigned                               gap:1;    /* it has read before */
    unsigned                               listening:1;
};


extern const ngx_http_conflict_feed_ops_t  ngx_http_conflict_feed_ring_ops;
extern const ngx_http_conflict_feed_ops_t  ngx_http_conflict_feed_redis_ops;

/* Both declare what they need, and prepare it in a worker. */
ngx_int_t ngx_http_conflict_feed_ring_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store);
ngx_int_t ngx_http_conflict_feed_ring_start(ngx_http_conflict_feed_t *feed);
ngx_int_t ngx_http_conflict_feed_redis_start(ngx_http_conflict_feed_t *feed);
void ngx_http_conflict_feed_redis_cancel(ngx_http_conflict_feed_t *feed,
    void *data);


/* Reads the rings of all feeds, after this event. */
void ngx_http_conflict_feed_post(void);

/* The worker is to be woken for events of this feed, or no longer. */
void ngx_http_conflict_feed_listen(ngx_http_conflict_feed_t *feed,
    ngx_uint_t on);


/* An event as a text without spaces, for Redis; and back, in place. */
u_char *ngx_http_conflict_feed_event_print(u_char *p, ngx_str_t *key,
    ngx_http_conflict_feed_event_t *event);
ngx_int_t ngx_http_conflict_feed_event_parse(ngx_str_t *text, ngx_str_t *key,
    ngx_http_conflict_feed_event_t *event);

/* The bytes that print() may need. */
#define NGX_HTTP_CONFLICT_FEED_PRINTED                                        \
    (5 * (NGX_INT64_LEN + 1)                                                  \
     + 3 * (NGX_HTTP_CONFLICT_FEED_KEY                                        \
            + 2 * NGX_HTTP_CONFLICT_FEED_TEXT                                 \
            + 2 * NGX_HTTP_CONFLICT_FEED_WORD)                                \
     + 16)


/* An event has been read: tells those who watch its resource. */
void ngx_http_conflict_feed_topic_event(ngx_http_conflict_feed_t *feed,
    ngx_http_conflict_feed_event_t *event);

/* Events were missed: tells everyone, and asks for all states. */
void ngx_http_conflict_feed_topic_missed(ngx_http_conflict_feed_t *feed);

/* Asks for the states of all topics. */
void ngx_http_conflict_feed_topic_ask_all(ngx_http_conflict_feed_t *feed);

/* Asks for those that were not asked for since "interval". */
void ngx_http_conflict_feed_topic_compare(ngx_http_conflict_feed_t *feed,
    ngx_msec_t interval);


#endif /* _NGX_HTTP_CONFLICT_FEED_STATE_H_INCLUDED_ */
