
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis client: calls, the connection to a server, and what
 * the client's files do for each other.  The one place that knows hiredis.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_NODE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_NODE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>

#include "ngx_http_conflict_redis.h"


#define NGX_HTTP_CONFLICT_REDIS_SLOTS      16384
#define NGX_HTTP_CONFLICT_REDIS_TRIES      5
#define NGX_HTTP_CONFLICT_REDIS_CONNECT    500    /* msec, at least */
#define NGX_HTTP_CONFLICT_REDIS_LONGEST    2000   /* msec between retries */
#define NGX_HTTP_CONFLICT_REDIS_CHECK      1000   /* msec between */
#define NGX_HTTP_CONFLICT_REDIS_LATER      500    /* msec */
#define NGX_HTTP_CONFLICT_REDIS_TRY        500    /* msec between */
#define NGX_HTTP_CONFLICT_REDIS_LOG_INTERVAL  10000
#define NGX_HTTP_CONFLICT_REDIS_NODES      1000
#define NGX_HTTP_CONFLICT_REDIS_KEPT       4096   /* calls for a dead server */


typedef struct ngx_http_conflict_redis_node_s  ngx_http_conflict_redis_node_t;


struct ngx_http_conflict_redis_call_s {
    ngx_queue_t                        queue;
    ngx_http_conflict_redis_t         *client;
    ngx_http_conflict_redis_node_t    *node;      /* that it was sent to */
    ngx_http_conflict_redis_script_e   script;
    ngx_http_conflict_redis_pt         handler;
    void                              *data;
    ngx_msec_t                         expires;   /* not to be sent after */
    ngx_msec_t                         deadline;  /* of the answer */
    uint64_t                           number;    /* in the order of sends */
    ngx_str_t                          key;       /* in the command */
    ngx_uint_t                         slot;
    ngx_uint_t                         tries;
    ngx_str_t                          token;     /* answers begin with it */
    ngx_str_t                          answer;    /* until WAIT has one */
    unsigned                           refused:1; /* the answer is an error */
    unsigned                           patient:1;
    unsigned                           copied:1;  /* to be followed by WAIT */
    unsigned                           waits:1;   /* it was */
    unsigned                           asking:1;
    unsigned                           withdrawn:1;   /* not to be sent again */
    u_char                            *run;       /* place in the command */
    u_char                            *move;      /* the same, or NULL */
    size_t                             len;
    u_char                             command[1];
};


typedef enum {
    NGX_HTTP_CONFLICT_REDIS_DOWN = 0,
    NGX_HTTP_CONFLICT_REDIS_CONNECTING,
    NGX_HTTP_CONFLICT_REDIS_GREETING,
    NGX_HTTP_CONFLICT_REDIS_READY
} ngx_http_conflict_redis_state_e;


struct ngx_http_conflict_redis_node_s {
    /* laid out as a connection where debug logs look for a descriptor */
    void                              *unused[3];
    ngx_socket_t                       fd;        /* -1 */

    ngx_http_conflict_redis_t         *client;
    struct redisAsyncContext          *ac;        /* NULL: there is none */
    void                              *ssl;       /* that ac has, if it has */
    ngx_connection_t                  *connection;
    ngx_http_conflict_redis_state_e    state;

    ngx_str_t                          host;      /* numeric, or a path */
    in_port_t                          port;      /* 0: unix */
    u_char                             text[NGX_SOCKADDR_STRLEN + 1];
    u_char                             run[NGX_HTTP_CONFLICT_REDIS_RUN];

    ngx_queue_t                        waiting;   /* calls for a connection */
    ngx_queue_t                        patient;   /* the same, settles; by
                                                     their numbers */
    ngx_queue_t                        sent;      /* oldest first */
    ngx_uint_t                         kept;      /* of these */

    ngx_event_t                        flush;     /* posted: write, or close */
    ngx_event_t                        timer;     /* what takes too long */
    ngx_event_t                        retry;
    ngx_msec_t                         deadline;  /* of the greeting */
    ngx_msec_t                         checked;   /* that it is what it was */
    ngx_msec_t                         again;     /* for the patient ones */
    ngx_uint_t                         failures;  /* since it has answered */
    ngx_msec_t                         tried;     /* nevertheless */
    u_char                             reason[128];   /* to close, or down */

    ngx_uint_t                         index;
    u_char                             hostname[NGX_SOCKADDR_STRLEN + 1];

    unsigned                           closing:1;
    unsigned                           writing:1;
    unsigned                           sentinel:1;    /* not a server */
    unsigned                           mapped:1;  /* a slot is here */
    unsigned                           told:1;    /* that it is down */
};


struct ngx_http_conflict_redis_s {
    void                              *unused[3]; /* as above */
    ngx_socket_t                       fd;        /* -1 */

    ngx_http_conflict_redis_conf_t     conf;
    ngx_array_t                        nodes;     /* ngx_..._node_t * */
    ngx_http_conflict_redis_node_t    *node;      /* unless a cluster */
    ngx_pool_t                        *pool;      /* of the cycle */
    ngx_log_t                         *log;

    /* sentinels */

    ngx_http_conflict_redis_node_t    *guide;     /* connected to one */
    ngx_uint_t                         next;      /* address to ask */

    /* a cluster */

    uint16_t                          *slots;     /* index of the node + 1 */
    ngx_str_t                         *tags;      /* one a slot */
    ngx_event_t                        refresh;
    unsigned                           refreshing:1;
    unsigned                           stale:1;   /* the map of slots */
    unsigned                           mapped:1;  /* there is one */
    unsigned                           guided:1;  /* a sentinel has told */

    uint64_t                           number;    /* of the last call */
    ngx_msec_t                         logged;    /* an answer with an error */
    unsigned                           stopping:1;
};


/* redis_call.c */

/*
 * Writes out a call, from the heap; its handler and the like are still to
 * be set.  NULL: no memory.
 */
ngx_http_conflict_redis_call_t *ngx_http_conflict_redis_call(
    ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_script_e script, ngx_str_t *key,
    const char *third, ngx_str_t *args, ngx_uint_t n);
ngx_str_t *ngx_http_conflict_redis_sha(
    ngx_http_conflict_redis_script_e script);
ngx_str_t *ngx_http_conflict_redis_source(
    ngx_http_conflict_redis_script_e script);

/* redis.c */

/* Writes the call to the node's connection, which is ready. */
ngx_int_t ngx_http_conflict_redis_write(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call);
void ngx_http_conflict_redis_fail(ngx_http_conflict_redis_call_t *call,
    const char *why);
void ngx_http_conflict_redis_complain(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_node_t *node, u_char *text, size_t len);

/* redis_client.c */

/*
 * A node of an address; it connects with the first call, or by connect().
 */
ngx_http_conflict_redis_node_t *ngx_http_conflict_redis_node(
    ngx_http_conflict_redis_t *client, ngx_str_t *host, in_port_t port);

/* The host of an address, as hiredis wants it; until the next call. */
void ngx_http_conflict_redis_host(ngx_addr_t *addr, ngx_str_t *host);

/* redis_node.c */

void ngx_http_conflict_redis_name(ngx_http_conflict_redis_node_t *node,
    ngx_str_t *host, in_port_t port);
void ngx_http_conflict_redis_connect(ngx_http_conflict_redis_node_t *node);
void ngx_http_conflict_redis_connect_to(ngx_http_conflict_redis_node_t *node,
    ngx_str_t *host, in_port_t port);
void ngx_http_conflict_redis_retry(ngx_event_t *ev);

/*
 * Closes the connection, later: this may be called by a reply on it.
 */
void ngx_http_conflict_redis_close(ngx_http_conflict_redis_node_t *node,
    u_char *why, size_t len);

/* The same at once, not within a reply; node->reason says why. */
void ngx_http_conflict_redis_drop(ngx_http_conflict_redis_node_t *node);

/* What a server says may have bytes of a client in it: changed in place. */
void ngx_http_conflict_redis_printable(u_char *p, size_t len);

/* The greeting went well: sends what has waited. */
void ngx_http_conflict_redis_ready(ngx_http_conflict_redis_node_t *node);

/*
 * The connection may be written, or was closed: at the end of the event.
 */
void ngx_http_conflict_redis_flush(ngx_event_t *ev);

/* The connection is gone, or was not made. */
void ngx_http_conflict_redis_down(ngx_http_conflict_redis_node_t *node,
    const char *why);

/* redis_queue.c */

/* Something takes time: makes sure that the node's timer runs. */
void ngx_http_conflict_redis_watch(ngx_http_conflict_redis_node_t *node,
    ngx_msec_t deadline);
void ngx_http_conflict_redis_timer(ngx_event_t *ev);
void ngx_http_conflict_redis_resend(ngx_http_conflict_redis_node_t *node,
    ngx_queue_t *calls);

/* Fails the calls of a node's queue whose time is over, or all. */
void ngx_http_conflict_redis_expire(ngx_http_conflict_redis_node_t *node,
    ngx_queue_t *calls, ngx_uint_t all, const char *why);

/*
 * Puts a patient call to those that wait, before those that were made later.
 */
void ngx_http_conflict_redis_keep_call(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call);

/* 1 for a patient call while an earlier one of its key waits. */
ngx_uint_t ngx_http_conflict_redis_behind(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call);

/* Puts it back to those that wait, until it is sent again after "delay". */
void ngx_http_conflict_redis_postpone(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call, ngx_msec_t delay);

/* redis_greet.c: what is said first on a connection */

void ngx_http_conflict_redis_greet(ngx_http_conflict_redis_node_t *node);
ngx_int_t ngx_http_conflict_redis_load(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_script_e script);

/* redis_event.c */

/*
 * Lets nginx's events drive the connection.  NGX_ERROR: no connection is
 * left; the context is still the caller's.
 */
ngx_int_t ngx_http_conflict_redis_attach(ngx_http_conflict_redis_node_t *node);
void ngx_http_conflict_redis_write_out(ngx_http_conflict_redis_node_t *node);

/*
 * Writes what the socket takes, at once, and leaves errors to the flush; so
 * it runs no callback and may itself be called by one.
 */
void ngx_http_conflict_redis_push(ngx_http_conflict_redis_node_t *node);

/* redis_reply.c */

/*
 * Lets the connection end, where hiredis would end the process: with an
 * answer that nobody has asked for.
 */
void ngx_http_conflict_redis_expect(redisAsyncContext *ac);

/* redis_url.c */

/* Takes an address into the configuration.  NGX_ERROR: it was told why. */
ngx_int_t ngx_http_conflict_redis_url(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *value);

/* redis_tls.c */

/* Checks the words about TLS, and makes what the connections need. */
ngx_int_t ngx_http_conflict_redis_tls_conf(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf);

/* On a connection just made.  NGX_ERROR: its errstr says why. */
ngx_int_t ngx_http_conflict_redis_tls_start(
    ngx_http_conflict_redis_node_t *node);

/* Before hiredis works: an error that others left would count as its own. */
void ngx_http_conflict_redis_tls_clear(void);

/* 1 for data that was read and makes no event. */
ngx_uint_t ngx_http_conflict_redis_tls_pending(
    ngx_http_conflict_redis_node_t *node);

/* The connection ends: hiredis knows only errno, this puts it right. */
void ngx_http_conflict_redis_tls_lost(ngx_http_conflict_redis_node_t *node,
    redisAsyncContext *ac);

/* redis_sentinel.c */

/*
 * Asks a sentinel where the master is; the client's node connects then, or
 * is down.
 */
void ngx_http_conflict_redis_find_master(ngx_http_conflict_redis_t *client);
void ngx_http_conflict_redis_ask(ngx_http_conflict_redis_node_t *guide);

/* The sentinel is gone without an answer. */
void ngx_http_conflict_redis_unguided(ngx_http_conflict_redis_t *client);

/* 1 for an address of IPv4 or IPv6, without brackets. */
ngx_uint_t ngx_http_conflict_redis_numeric(ngx_str_t *host);

/* redis_cluster.c */

ngx_int_t ngx_http_conflict_redis_cluster_init(
    ngx_http_conflict_redis_t *client);
ngx_http_conflict_redis_node_t *ngx_http_conflict_redis_owner(
    ngx_http_conflict_redis_t *client, ngx_uint_t slot);
ngx_uint_t ngx_http_conflict_redis_slot(ngx_str_t *key);

/*
 * redis_moved.c: writes the id of a move into a call, zeros where this server
 * has it; notes that it has, where the answer says so.
 */
void ngx_http_conflict_redis_move(ngx_http_conflict_redis_node_t *node,
    ngx_http_conflict_redis_call_t *call);
void ngx_http_conflict_redis_move_answered(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);

/* The map of slots is out of date: asks for it, not too often. */
void ngx_http_conflict_redis_refresh(ngx_http_conflict_redis_t *client);

/*
 * The node that "MOVED 3999 127.0.0.1:6381" or ASK names, NULL where it
 * names none.
 */
ngx_http_conflict_redis_node_t *ngx_http_conflict_redis_redirect(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);


#endif /* _NGX_HTTP_CONFLICT_REDIS_NODE_H_INCLUDED_ */
