
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Changes of resources, as they are told to those who watch them: published
 * by the worker that makes a change, in a ring in shared memory or a stream in
 * Redis, and known to each worker by resource, as topics.
 */


#ifndef _NGX_HTTP_CONFLICT_FEED_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_FEED_H_INCLUDED_


#include "store/ngx_http_conflict_store.h"


#define NGX_HTTP_CONFLICT_FEED_TEXT   112    /* bytes of user and client */
#define NGX_HTTP_CONFLICT_FEED_WORD   40     /* of an action, or an id */
#define NGX_HTTP_CONFLICT_FEED_ID     48     /* of the id of an event */


/* the first three are states of a resource; names in feed_event.c */

typedef enum {
    NGX_HTTP_CONFLICT_FEED_NONE = 0,
    NGX_HTTP_CONFLICT_FEED_VERSION,
    NGX_HTTP_CONFLICT_FEED_DELETED,
    NGX_HTTP_CONFLICT_FEED_UNKNOWN,
    NGX_HTTP_CONFLICT_FEED_LOCKED,
    NGX_HTTP_CONFLICT_FEED_UNLOCKED,
    NGX_HTTP_CONFLICT_FEED_LOCK_ASKED,
    NGX_HTTP_CONFLICT_FEED_CONFLICT,
    NGX_HTTP_CONFLICT_FEED_KINDS
} ngx_http_conflict_feed_kind_e;


/* the text of an event; those of a lock are its holder's */

typedef enum {
    NGX_HTTP_CONFLICT_FEED_USER = 0,
    NGX_HTTP_CONFLICT_FEED_CLIENT,
    NGX_HTTP_CONFLICT_FEED_ACTION,
    NGX_HTTP_CONFLICT_FEED_CONFLICT_ID,
    NGX_HTTP_CONFLICT_FEED_TEXTS
} ngx_http_conflict_feed_text_e;


typedef struct {
    ngx_http_conflict_feed_kind_e      kind;
    uint64_t                           hash[2];   /* of the key */
    uint64_t                           version;
    uint64_t                           fence;     /* orders states */
    int64_t                            time;      /* usec, or
                                                     CONFLICT_TIME_NONE; of
                                                     LOCK_ASKED set only if the
                                                     store was asked */
    ngx_msec_t                         remaining; /* of the lock; "unlocked":
                                                     of its reservation */
    ngx_str_t                          text[NGX_HTTP_CONFLICT_FEED_TEXTS];
    ngx_uint_t                         past;      /* asked for after an id */
} ngx_http_conflict_feed_event_t;


typedef struct ngx_http_conflict_feed_s        ngx_http_conflict_feed_t;
typedef struct ngx_http_conflict_feed_topic_s  ngx_http_conflict_feed_topic_t;
typedef struct ngx_http_conflict_feed_watch_s  ngx_http_conflict_feed_watch_t;


/* a resource that is watched in this worker, as last known */

struct ngx_http_conflict_feed_topic_s {
    ngx_rbtree_node_t                  node;      /* first word of the hash */
    uint64_t                           hash[2];
    ngx_queue_t                        watches;
    ngx_queue_t                        queue;     /* compared last at the
                                                     tail */
    ngx_http_conflict_feed_t          *feed;
    ngx_str_t                          key;       /* behind this structure */

    ngx_http_conflict_feed_kind_e      state;     /* NONE: not asked yet */
    ngx_uint_t                         states;    /* changes of it, from 1 */
    uint64_t                           version;
    uint64_t                           fence;
    int64_t                            time;
    uint64_t                           writer;    /* hash; 0: unknown */

    ngx_uint_t                         locks;     /* changes of the lock */
    ngx_str_t                          holder;    /* on the heap; data NULL:
                                                     not locked */
    ngx_str_t                          origin;    /* in the same memory */
    int64_t                            acquired;
    int64_t                            expires;   /* clock_msec() */

    ngx_uint_t                         events;    /* since it exists */
    ngx_uint_t                         asked;     /* "events" when asked */
    ngx_msec_t                         compared;  /* asked last */
    ngx_http_conflict_op_t            *op;        /* being asked */
    unsigned                           again:1;   /* ask once more */
    unsigned                           leased:1;  /* when asked first */
    unsigned                           minted:1;
    unsigned                           reserved:1; /* for the holder */
};


/* one who watches a topic; embedded in what the owner has */

struct ngx_http_conflict_feed_watch_s {
    ngx_queue_t                        queue;     /* of the topic */
    ngx_http_conflict_feed_topic_t    *topic;
    unsigned                           fresh:1;   /* the state of the topic may
                                                     be older than the watch */
    unsigned                           unsure:1;  /* the store has not said
                                                     since who waits for the
                                                     lock */

    /*
     * The topic has changed, or the store has answered, or, unless "event" is
     * NULL, an event of a lock, or one that is no state; valid until it
     * returns.  When the watch ceases to be unsure that is LOCK_ASKED if
     * somebody waits for the lock.  It may neither add nor remove watches.
     */
    void                             (*handler)(
                                     ngx_http_conflict_feed_watch_t *watch,
                                     ngx_http_conflict_feed_event_t *event);

    /* events were missed, by all who watch the feed */
    void                             (*missed)(
                                     ngx_http_conflict_feed_watch_t *watch);
};


/*
 * Those who ask for events after an id.  "event" is NULL for the end; "lost"
 * says then that the feed does not have that id any more.
 */

typedef void (*ngx_http_conflict_feed_past_pt)(void *data,
    ngx_http_conflict_feed_event_t *event, ngx_uint_t lost);


/*
 * Declares what a store needs for a feed, while nginx reads its configuration.
 */
ngx_int_t ngx_http_conflict_feed_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store);

/* In a worker, for a store with a feed; and at its end. */
ngx_int_t ngx_http_conflict_feed_start(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store);
void ngx_http_conflict_feed_stop(ngx_http_conflict_store_t *store);

/*
 * Reads what was missed, and compares topics that were not compared for
 * "interval", a part of them at a time.
 */
void ngx_http_conflict_feed_tick(ngx_http_conflict_store_t *store,
    ngx_msec_t interval);

/* The id of the last event read, "" if none is known; the end is returned. */
u_char *ngx_http_conflict_feed_id(ngx_http_conflict_feed_t *feed, u_char *p);

/* Asks for the events after an id of a client; may end before it returns. */
void ngx_http_conflict_feed_past(ngx_http_conflict_feed_t *feed, ngx_str_t *id,
    ngx_http_conflict_feed_past_pt handler, void *data);
void ngx_http_conflict_feed_past_cancel(ngx_http_conflict_feed_t *feed,
    void *data);


/*
 * The feed of a store; NULL: it has none.  Publishers do nothing then.
 */
#define ngx_http_conflict_feed(store)                                         \
    ((ngx_http_conflict_feed_t *) (store)->feed)

/* A write of op has been settled: "done" if it was committed. */
void ngx_http_conflict_feed_event_settled(ngx_http_conflict_op_t *op,
    ngx_str_t *user, ngx_str_t *client, ngx_uint_t done);

/* A request for a lock has been answered. */
void ngx_http_conflict_feed_event_lock(ngx_http_conflict_op_t *op);

/* The caller of op waits for the lock. */
void ngx_http_conflict_feed_event_lock_asked(ngx_http_conflict_op_t *op);

/* A conflict of a write of "user". */
void ngx_http_conflict_feed_event_conflict(ngx_http_conflict_op_t *op,
    ngx_str_t *user, ngx_str_t *client, ngx_str_t *action, ngx_str_t *id);

/* The name of a kind; constant. */
ngx_str_t *ngx_http_conflict_feed_event_name(
    ngx_http_conflict_feed_kind_e kind);


/*
 * Watches the resource of a key, and asks the store for its state.  NGX_ERROR:
 * no memory.
 */
ngx_int_t ngx_http_conflict_feed_topic_watch(ngx_http_conflict_feed_t *feed,
    ngx_str_t *key, ngx_uint_t minted, ngx_http_conflict_feed_watch_t *watch);
void ngx_http_conflict_feed_topic_leave(ngx_http_conflict_feed_watch_t *watch);

/* The hash of a user and a client, for topic->writer; 0: no client. */
uint64_t ngx_http_conflict_feed_topic_writer(ngx_http_conflict_feed_t *feed,
    ngx_str_t *user, ngx_str_t *client);


#endif /* _NGX_HTTP_CONFLICT_FEED_H_INCLUDED_ */
