
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis client: its structures, and the functions of its
 * files, in the order of their dependencies: a file calls only files that
 * come before it.  No other file includes hiredis.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_CONNECTION_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_CONNECTION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <hiredis/hiredis.h>
#include <hiredis/async.h>

#include "redis_client/ngx_http_conflict_redis_client.h"


#define NGX_HTTP_CONFLICT_REDIS_RUN_ID           16     /* bytes */
#define NGX_HTTP_CONFLICT_REDIS_MAX_CONNECTIONS  1000


typedef struct ngx_http_conflict_redis_call_s  ngx_http_conflict_redis_call_t;
typedef struct ngx_http_conflict_redis_connection_s
    ngx_http_conflict_redis_connection_t;

typedef void (*ngx_http_conflict_redis_connection_pt)(
    ngx_http_conflict_redis_connection_t *conn);


/* is it time to check again that the server is the one that was found */

#define NGX_HTTP_CONFLICT_REDIS_CHECK  1000   /* msec */

#define ngx_http_conflict_redis_check_due(conn)                               \
    (ngx_current_msec - (conn)->checked >= NGX_HTTP_CONFLICT_REDIS_CHECK)


struct ngx_http_conflict_redis_call_s {
    ngx_queue_t                            queue;
    ngx_http_conflict_redis_t             *client;
    ngx_http_conflict_redis_connection_t  *conn;
    ngx_http_conflict_redis_script_e       script;
    ngx_http_conflict_redis_pt             handler;
    void                                  *data;
    ngx_msec_t                             expires;   /* not sent later */
    ngx_msec_t                             deadline;  /* of the answer */
    ngx_msec_t                             limit;     /* of the deadline */
    uint64_t                               number;    /* in order of sends */
    ngx_uint_t                             slot;
    ngx_uint_t                             attempts;
    ngx_str_t                              answer;    /* kept until WAIT is
                                                         answered */
    ngx_str_node_t                         name;      /* in conn->keys */
    unsigned                               error:1;   /* the answer is one */
    unsigned                               retry:1;
    unsigned                               unchecked:1;
    unsigned                               replicate:1;  /* WAIT follows */
    unsigned                               wait_sent:1;
    unsigned                               asking:1;
    unsigned                               withdrawn:1;
    unsigned                               probe:1;   /* others wait until it
                                                         is accepted */

    /* within the command; the last three may be NULL */

    ngx_str_t                              key;
    ngx_str_t                              token;     /* the answer begins
                                                         with it */
    u_char                                *run_id;
    u_char                                *move;
    u_char                                *incarnation;

    size_t                                 len;
    u_char                                 command[1];
};


/*
 * The text of an incarnation begins with the run id of its server and, behind
 * a space, its own id.
 */

typedef struct {
    ngx_msec_t                             seen;
    size_t                                 len;
    u_char                                 text[1];
} ngx_http_conflict_redis_incarnation_t;


typedef enum {
    NGX_HTTP_CONFLICT_REDIS_DOWN = 0,
    NGX_HTTP_CONFLICT_REDIS_CONNECTING,
    NGX_HTTP_CONFLICT_REDIS_HANDSHAKE,
    NGX_HTTP_CONFLICT_REDIS_READY
} ngx_http_conflict_redis_state_e;


/*
 * Handlers of a connection, which the client sets; none may be NULL.  They run
 * from the event loop or within connection_connect(); "on_down" may also run
 * within connection_drop().
 */

typedef struct {
    /* finds the server, then opens the connection or reports it as down */
    ngx_http_conflict_redis_connection_pt  connect;

    /* starts the handshake: the socket is connected and TLS is set up */
    ngx_http_conflict_redis_connection_pt  on_connected;

    /* calls may be written from now on; runs within connection_ready() */
    ngx_http_conflict_redis_connection_pt  on_ready;

    /* the connection was lost or not made; conn->reason states why */
    ngx_http_conflict_redis_connection_pt  on_down;

    /* a deadline given to connection_watch() is reached */
    ngx_http_conflict_redis_connection_pt  on_timer;
} ngx_http_conflict_redis_handlers_t;


struct ngx_http_conflict_redis_connection_s {
    /* as in ngx_connection_t, where debug logs expect the descriptor */
    void                                *unused[3];
    ngx_socket_t                         fd;          /* -1 */

    ngx_http_conflict_redis_t           *client;
    ngx_http_conflict_redis_handlers_t  *handlers;
    struct redisAsyncContext            *ac;          /* NULL: none */
    void                                *ssl;         /* of ac, NULL: none */
    ngx_connection_t                    *connection;
    ngx_http_conflict_redis_state_e      state;

    ngx_str_t                            host;        /* numeric, or a path */
    in_port_t                            port;        /* 0: a Unix socket */
    u_char                               hostname[NGX_SOCKADDR_STRLEN + 1];
    u_char                               text[NGX_SOCKADDR_STRLEN + 1];
    u_char                               run_id[NGX_HTTP_CONFLICT_REDIS_RUN_ID];
    ngx_uint_t                           index;

    /* calls */

    ngx_queue_t                          waiting;     /* to be sent */
    ngx_queue_t                          retrying;    /* to be sent, ordered
                                                         by number */
    ngx_rbtree_t                         keys;        /* of these */
    ngx_rbtree_node_t                    keys_sentinel;
    ngx_queue_t                          sent;        /* oldest first */
    ngx_uint_t                           nretrying;
    ngx_uint_t                           nunchecked;  /* of those, for writes
                                                         that passed unchecked
                                                         */

    ngx_event_t                          flush;       /* posted */
    ngx_event_t                          timer;
    ngx_event_t                          reconnect;
    ngx_msec_t                           deadline;    /* of the handshake */
    ngx_msec_t                           replied;     /* the last time */
    ngx_msec_t                           checked;     /* last check of the
                                                         run id */
    ngx_msec_t                           retry_at;    /* the next probe */
    uint64_t                             turn;        /* number of the last
                                                         one */
    ngx_uint_t                           failures;    /* since the last
                                                         answer */
    ngx_msec_t                           probed;      /* last call let through
                                                         an open circuit */
    u_char                               reason[128];  /* why it is down */

    unsigned                             closing:1;
    unsigned                             writing:1;
    unsigned                             mapped:1;    /* the node has slots */
    unsigned                             down_logged:1;
};


struct ngx_http_conflict_redis_s {
    void                                  *unused[3];  /* as above */
    ngx_socket_t                           fd;        /* -1 */

    ngx_http_conflict_redis_conf_t         conf;
    ngx_array_t                            connections;
    ngx_http_conflict_redis_handlers_t    *handlers;  /* of new connections */
    ngx_http_conflict_redis_connection_t  *conn;      /* unless a cluster */
    ngx_pool_t                            *pool;      /* of the cycle */
    ngx_log_t                             *log;

    /* as last seen, by slot; of one server the first; NULL: unknown */
    ngx_http_conflict_redis_incarnation_t **incarnations;

    /* sentinels */

    ngx_http_conflict_redis_connection_t  *sentinel;
    ngx_uint_t                             next;      /* address to query */
    ngx_uint_t                             sentinel_answered;
    ngx_msec_t                             sentinel_asked;   /* last time */

    /* a cluster */

    uint16_t                              *slots;     /* index of conn + 1 */
    ngx_str_t                             *tags;      /* one per slot */
    ngx_event_t                            refresh;
    unsigned                               refreshing:1;
    unsigned                               stale:1;   /* the map of slots is
                                                         out of date */
    unsigned                               mapped:1;  /* there is a map */

    unsigned                               stopping:1;
    uint64_t                               number;    /* of the last call */
    ngx_msec_t                             error_logged;
};


/* Replaces bytes that are not printable ASCII, in place. */
void ngx_http_conflict_redis_log_printable(u_char *p, size_t len);

/* Logs an error reply, throttled, and makes "text" printable in place. */
void ngx_http_conflict_redis_log_error(
    ngx_http_conflict_redis_connection_t *conn, u_char *text, size_t len);

/* Log once that a server is down, and once that it is up again. */
void ngx_http_conflict_redis_log_down(
    ngx_http_conflict_redis_connection_t *conn);
void ngx_http_conflict_redis_log_up(
    ngx_http_conflict_redis_connection_t *conn);


/*
 * The host of an address as hiredis expects it: numeric, IPv6 without
 * brackets, or a path.  Static, valid until the next call.
 */
void ngx_http_conflict_redis_address_host(ngx_addr_t *addr, ngx_str_t *host);

/* 1 for an IPv4 or IPv6 address without brackets. */
ngx_uint_t ngx_http_conflict_redis_address_numeric(ngx_str_t *host);


/* The slot that a key hashes to. */
ngx_uint_t ngx_http_conflict_redis_slot_of(ngx_str_t *key);

/*
 * An array with a string for each slot that hashes to it, from the pool.
 * NULL: no memory.
 */
ngx_str_t *ngx_http_conflict_redis_slot_tags(ngx_pool_t *pool);


/*
 * The source of a script, and the words in RESP that call it, before the number
 * of its keys; both are static.
 */
ngx_str_t *ngx_http_conflict_redis_script_source(
    ngx_http_conflict_redis_script_e script);
ngx_str_t *ngx_http_conflict_redis_script_words(
    ngx_http_conflict_redis_script_e script);


/*
 * Makes an unsolicited reply end the connection; hiredis alone would abort the
 * process.
 */
void ngx_http_conflict_redis_push_guard_install(redisAsyncContext *ac);


/* Adds an address to the configuration.  NGX_ERROR: already logged. */
ngx_int_t ngx_http_conflict_redis_url_parse(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *value);


/*
 * Checks the "tls_" parameters and creates conf->ssl.  NGX_ERROR: already
 * logged.
 */
ngx_int_t ngx_http_conflict_redis_tls_conf(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf);

/*
 * Starts TLS on a connection just opened.  NGX_ERROR: the errstr of conn->ac
 * states why.
 */
ngx_int_t ngx_http_conflict_redis_tls_start(
    ngx_http_conflict_redis_connection_t *conn);

/*
 * Clears OpenSSL's error queue, before hiredis reads or writes: it would take
 * a leftover error for its own.
 */
void ngx_http_conflict_redis_tls_clear(void);

/* 1 while decrypted data is left to read, for which no event will occur. */
ngx_uint_t ngx_http_conflict_redis_tls_pending(
    ngx_http_conflict_redis_connection_t *conn);

/* When a connection ends: replaces hiredis' errstr by the error of TLS. */
void ngx_http_conflict_redis_tls_lost(
    ngx_http_conflict_redis_connection_t *conn, redisAsyncContext *ac);


/*
 * Attaches the connection to nginx's events.  NGX_ERROR: no nginx connection
 * is free; the caller has to free conn->ac.
 */
ngx_int_t ngx_http_conflict_redis_event_attach(
    ngx_http_conflict_redis_connection_t *conn);

/*
 * Writes as much as the socket takes; a later event writes the rest.  An error
 * ends the connection, which may run any callback.
 */
void ngx_http_conflict_redis_event_write(
    ngx_http_conflict_redis_connection_t *conn);

/*
 * The same at once, but errors are left to the flush: it runs no callback, so
 * it may be called from one.
 */
void ngx_http_conflict_redis_event_push(
    ngx_http_conflict_redis_connection_t *conn);


/*
 * The connection to a server: in a cluster an existing one to this address,
 * else a new one, from client->pool, which is down until connection_connect().
 * NULL: no memory, or too many connections.
 */
ngx_http_conflict_redis_connection_t *ngx_http_conflict_redis_connection_get(
    ngx_http_conflict_redis_t *client, ngx_str_t *host, in_port_t port);

/* Connects, unless the connection is up or being made. */
void ngx_http_conflict_redis_connection_connect(
    ngx_http_conflict_redis_connection_t *conn);

/* For handlers->connect: opens the connection to its or another address. */
void ngx_http_conflict_redis_connection_open(
    ngx_http_conflict_redis_connection_t *conn);
void ngx_http_conflict_redis_connection_open_to(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *host,
    in_port_t port);

/* To be called when the handshake is done. */
void ngx_http_conflict_redis_connection_ready(
    ngx_http_conflict_redis_connection_t *conn);

/* Reports it as down.  "why" is NULL if conn->reason is already set. */
void ngx_http_conflict_redis_connection_down(
    ngx_http_conflict_redis_connection_t *conn, const char *why);

/* Closes it from a posted event, so a reply callback may call it. */
void ngx_http_conflict_redis_connection_close(
    ngx_http_conflict_redis_connection_t *conn, u_char *why, size_t len);

/* Closes it at once, so no reply callback may call it; conn->reason is set. */
void ngx_http_conflict_redis_connection_drop(
    ngx_http_conflict_redis_connection_t *conn);

/* Ensures that handlers->on_timer runs by "deadline". */
void ngx_http_conflict_redis_connection_watch(
    ngx_http_conflict_redis_connection_t *conn, ngx_msec_t deadline);


/* handlers->on_connected of a server; ends in connection_ready(). */
void ngx_http_conflict_redis_handshake_start(
    ngx_http_conflict_redis_connection_t *conn);

/* Sends SCRIPT LOAD.  NGX_ERROR: it is a plain command, or no memory. */
ngx_int_t ngx_http_conflict_redis_handshake_load(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_script_e script);


/*
 * handlers->connect of client->conn: asks a sentinel for the master and opens
 * the connection to it, or reports it as down.
 */
void ngx_http_conflict_redis_sentinel_connect(
    ngx_http_conflict_redis_connection_t *conn);

/*
 * While the master is connected: asks once a second whether it still is the
 * master.  If it is not, the connection is closed, and made to the other one.
 */
void ngx_http_conflict_redis_sentinel_check(
    ngx_http_conflict_redis_connection_t *conn);

/* handlers->on_connected and on_down of client->sentinel. */
void ngx_http_conflict_redis_sentinel_ask(
    ngx_http_conflict_redis_connection_t *conn);
void ngx_http_conflict_redis_sentinel_down(
    ngx_http_conflict_redis_connection_t *conn);


/* Allocates the map of slots.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_conflict_redis_cluster_init(
    ngx_http_conflict_redis_t *client);

/* The node that serves the slot; NULL: none does, according to the map. */
ngx_http_conflict_redis_connection_t *ngx_http_conflict_redis_cluster_owner(
    ngx_http_conflict_redis_t *client, ngx_uint_t slot);

/*
 * The node that "MOVED 3999 127.0.0.1:6381" or "ASK ..." names.  NULL: it
 * names none, or this is another error.
 */
ngx_http_conflict_redis_connection_t *
    ngx_http_conflict_redis_cluster_redirect(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);

/* Marks the map of slots as out of date and requests a new one, soon. */
void ngx_http_conflict_redis_cluster_refresh(
    ngx_http_conflict_redis_t *client);


/* 1 unless there is a move that this server has yet to note. */
ngx_uint_t ngx_http_conflict_redis_noted(
    ngx_http_conflict_redis_connection_t *conn, ngx_uint_t slot);

/* Writes the id of the move to call->move; zeros if the server has noted it. */
void ngx_http_conflict_redis_noted_write(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);

/* Remembers that the server has noted the move, if its answer says so. */
void ngx_http_conflict_redis_noted_answer(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);


/* Allocates the list of incarnations.  NGX_ERROR: no memory. */
ngx_int_t ngx_http_conflict_redis_incarnation_init(
    ngx_http_conflict_redis_t *client);

/* Frees what was learned. */
void ngx_http_conflict_redis_incarnation_free(
    ngx_http_conflict_redis_t *client);

/*
 * The incarnation that a fast path may rely on at this server, valid until the
 * next answer.  NULL: there is none.
 */
ngx_http_conflict_redis_incarnation_t *ngx_http_conflict_redis_incarnation_get(
    ngx_http_conflict_redis_connection_t *conn, ngx_uint_t slot);

/* Takes the incarnation out of an answer, in place, and remembers it. */
void ngx_http_conflict_redis_incarnation_take(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);

/*
 * Before a call is written, maybe again: a server with another run id may have
 * a copy of the incarnation, and has to decline.
 */
void ngx_http_conflict_redis_incarnation_write(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);


/*
 * The strings of an array as lines, on the heap; those of arrays within it as
 * well.  NULL: no memory.
 */
u_char *ngx_http_conflict_redis_reply_lines(redisReply *reply, ngx_str_t *text,
    ngx_log_t *log);


/*
 * Allocates a call with its command on the heap.  The caller sets handler,
 * flags and times.  NULL: no memory.
 */
ngx_http_conflict_redis_call_t *ngx_http_conflict_redis_command_create(
    ngx_http_conflict_redis_t *client, ngx_uint_t slot,
    ngx_http_conflict_redis_command_t *command);


/* Adds a call to conn->waiting or, by its number, to conn->retrying. */
void ngx_http_conflict_redis_queue_add(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);

/*
 * A worker that exits waits for the next attempt to connect if it has outcomes
 * of requests to send again; nothing else keeps it.
 */
void ngx_http_conflict_redis_queue_keep(
    ngx_http_conflict_redis_connection_t *conn);

/*
 * To be called after each reply: a worker that exits does not wait for the
 * timer of a connection that owes none.
 */
void ngx_http_conflict_redis_queue_idle(
    ngx_http_conflict_redis_connection_t *conn);

/* Counts a call that has been removed from conn->waiting or conn->retrying. */
void ngx_http_conflict_redis_queue_left(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);

/*
 * Adds a call that was refused: if it is to be retried, a call is sent again
 * after "delay", in milliseconds.
 */
void ngx_http_conflict_redis_queue_postpone(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call, ngx_msec_t delay);

/* The call of conn->retrying that is sent again first; NULL: there is none. */
ngx_http_conflict_redis_call_t *ngx_http_conflict_redis_queue_turn(
    ngx_http_conflict_redis_connection_t *conn);

/* 1 for a call with the flag RETRY if an earlier one of its key waits. */
ngx_uint_t ngx_http_conflict_redis_queue_behind(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);

/* 1 if a call of this key waits to be sent again. */
ngx_uint_t ngx_http_conflict_redis_queue_has(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *key);

/* Withdraws the calls of a connection, see call_withdraw(). */
void ngx_http_conflict_redis_queue_withdraw(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_pt handler, void *data);

/* Fails the calls of a queue whose life is over, or all of them. */
void ngx_http_conflict_redis_queue_expire(
    ngx_http_conflict_redis_connection_t *conn, ngx_queue_t *calls,
    ngx_uint_t all, const char *why);

/* Runs the handler of a call that is not queued, and frees the call. */
void ngx_http_conflict_redis_queue_fail(ngx_http_conflict_redis_call_t *call,
    const char *why);


/* Sends conn->waiting or conn->retrying, while the connection is ready. */
void ngx_http_conflict_redis_call_resend(
    ngx_http_conflict_redis_connection_t *conn, ngx_queue_t *calls);

/* handlers->on_timer. */
void ngx_http_conflict_redis_call_timer(
    ngx_http_conflict_redis_connection_t *conn);


/* Creates the connections to the configured addresses, and connects. */
ngx_int_t ngx_http_conflict_redis_client_connect(
    ngx_http_conflict_redis_t *client);


#endif /* _NGX_HTTP_CONFLICT_REDIS_CONNECTION_H_INCLUDED_ */
