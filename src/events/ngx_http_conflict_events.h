
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The change stream: conflict_events.
 */


#ifndef _NGX_HTTP_CONFLICT_EVENTS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_EVENTS_H_INCLUDED_


#include "feed/ngx_http_conflict_feed.h"
#include "http/ngx_http_conflict_http.h"


#define NGX_HTTP_CONFLICT_EVENTS_RESOURCES   64    /* of a stream */
#define NGX_HTTP_CONFLICT_EVENTS_RETRY       2000  /* msec */

/* the status of a resource that no guarded location has, or another store */
#define NGX_HTTP_CONFLICT_EVENTS_MISDIRECTED 421


typedef struct ngx_http_conflict_events_client_s
    ngx_http_conflict_events_client_t;


/* a resource of a stream */

typedef struct {
    ngx_http_conflict_feed_watch_t        watch;
    ngx_http_conflict_events_t           *stream;
    ngx_str_t                             name;     /* as the client has it */
    ngx_str_t                             uri;      /* of the GET */
    ngx_str_t                             args;
    ngx_str_t                             key;      /* where that arrived */
    ngx_str_t                             tag;      /* for "since" */
    uint64_t                              since;    /* version; 0: none */
    ngx_uint_t                            status;   /* of the GET */
    ngx_uint_t                            states;   /* of the topic, as told */
    ngx_uint_t                            locks;    /* the same */

    /* on the heap, the last one not told yet */
    ngx_http_conflict_feed_event_t       *conflict;
    ngx_http_conflict_feed_event_t       *asked;

    /* the first in the queue for the lock, as the store has said */
    ngx_http_conflict_feed_event_t       *first;

    unsigned                              guarded:1;
    unsigned                              minted:1;
    unsigned                              allowed:1;
    unsigned                              hidden:1;   /* 404, 410 */
    unsigned                              begun:1;    /* its state is told */
    unsigned                              moved:1;    /* the lock has, since
                                                         the client's id */
    unsigned                              quiet:1;    /* the lock was not told:
                                                         no event says that it
                                                         has changed since the
                                                         client's id */
} ngx_http_conflict_events_item_t;


struct ngx_http_conflict_events_s {
    ngx_http_request_t                   *request;
    ngx_http_conflict_ctx_t              *ctx;
    ngx_http_conflict_feed_t             *feed;
    ngx_http_conflict_events_client_t    *client;   /* NULL: not counted */
    ngx_http_conflict_events_item_t      *items;
    ngx_uint_t                            n;
    ngx_uint_t                            current;  /* being fetched */
    ngx_http_request_t                   *shown;    /* the GET of one that the
                                                       client may see */
    ngx_str_t                            *id;       /* that it is resumed with,
                                                       if it is */
    ngx_queue_t                           queue;    /* of all streams */
    ngx_queue_t                           dirty;    /* of those that have
                                                       something to send */
    uint64_t                              writer;   /* hash of the caller */
    ngx_msec_t                            beat;     /* next heartbeat */
    ngx_msec_t                            end;
    ngx_pool_t                           *sending;  /* has what is sent; NULL:
                                                       all was */
    ngx_buf_t                             buf;
    ngx_chain_t                           out;
    unsigned                              poll:1;
    unsigned                              unreadable:1;  /* by pages of other
                                                            origins */
    unsigned                              open:1;     /* is in the queue */
    unsigned                              queued:1;   /* is dirty */
    unsigned                              again:1;    /* when all was sent */
    unsigned                              asking:1;   /* what the client has
                                                         missed */
    unsigned                              resumed:1;
    unsigned                              reset:1;
    unsigned                              ending:1;   /* when all was sent */
};


char *ngx_http_conflict_events_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* The states of the endpoint: see ngx_http_conflict_lock.h. */
ngx_http_conflict_state_e ngx_http_conflict_events_endpoint_start(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_events_endpoint_target(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_events_endpoint_get(
    ngx_http_conflict_ctx_t *ctx);

/*
 * In the PRECONTENT phase of a subrequest: notes the key and the store of the
 * location that the own GET has reached.
 */
ngx_int_t ngx_http_conflict_events_endpoint_reached(ngx_http_request_t *r);


/*
 * Sets the resources from the arguments of the request.  NGX_DECLINED: one is
 * not usable, ctx->flow.reason says why.
 */
ngx_int_t ngx_http_conflict_events_query(ngx_http_conflict_ctx_t *ctx);


/* The content handler of the endpoint. */
ngx_int_t ngx_http_conflict_events_answer(ngx_http_request_t *r);

/* Sets the header of a stream, or of the response to a poll. */
ngx_int_t ngx_http_conflict_events_answer_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);


/* NGX_DECLINED: the client, or all, have too many; see ctx->flow.answer. */
ngx_int_t ngx_http_conflict_events_count_enter(ngx_http_conflict_ctx_t *ctx);
void ngx_http_conflict_events_count_leave(ngx_http_conflict_events_t *stream);


/* Watches its resources, and asks for what the client has missed; and ends. */
ngx_int_t ngx_http_conflict_events_listen(ngx_http_conflict_events_t *stream);
void ngx_http_conflict_events_listen_end(ngx_http_conflict_events_t *stream);

/* 1 if the lock is this caller's, as far as a stream has said who it is. */
ngx_uint_t ngx_http_conflict_events_listen_holds(
    ngx_http_conflict_events_item_t *item);

/* Frees a note that is not told any more; it may be NULL. */
void ngx_http_conflict_events_listen_drop(
    ngx_http_conflict_feed_event_t **note);

/* Begins to listen, once the header of a stream was sent. */
ngx_int_t ngx_http_conflict_events_stream_open(
    ngx_http_conflict_events_t *stream);

/* There is something to send, after this event. */
void ngx_http_conflict_events_stream_queue(ngx_http_conflict_events_t *stream);

/* At the end of the request. */
void ngx_http_conflict_events_stream_closed(ngx_http_conflict_ctx_t *ctx);


/*
 * What there is to tell, as events of a stream, or for a poll as JSON, and
 * notes it as told.  NGX_DECLINED: nothing yet.  A poll that is "over" waits no
 * longer: nothing has happened then, unless not all states are known.
 */
ngx_int_t ngx_http_conflict_events_text(ngx_http_conflict_events_t *stream,
    ngx_pool_t *pool, ngx_uint_t over, ngx_str_t *text);

/* A heartbeat, with the id of the last event, if all before it was told. */
ngx_int_t ngx_http_conflict_events_text_beat(
    ngx_http_conflict_events_t *stream, ngx_pool_t *pool, ngx_str_t *text);


#endif /* _NGX_HTTP_CONFLICT_EVENTS_H_INCLUDED_ */
