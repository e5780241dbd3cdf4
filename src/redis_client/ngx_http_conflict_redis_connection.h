
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis client: its structures, and what its files offer each
 * other, in the order of their dependencies: a file calls only files that
 * come before it.  The one place that includes hiredis.
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


struct ngx_http_conflict_redis_call_s {
    ngx_queue_t                            queue;
    ngx_http_conflict_redis_t             *client;
    ngx_http_conflict_redis_connection_t  *conn;
    ngx_http_conflict_redis_script_e       script;
    ngx_http_conflict_redis_pt             handler;
    void                                  *data;
    ngx_msec_t                             expires;   /* not sent after this */
    ngx_msec_t                             deadline;  /* of the answer */
    uint64_t                               number;    /* order of sends */
    ngx_uint_t                             slot;
    ngx_uint_t                             attempts;
    ngx_str_t                              answer;    /* until that of WAIT */
    unsigned                               error:1;   /* as an answer */
    unsigned                               retry:1;
    unsigned                               replicate:1;  /* WAIT follows */
    unsigned                               wait_sent:1;
    unsigned                               asking:1;
    unsigned                               withdrawn:1;

    /* places in the command; the last two may be NULL */

    ngx_str_t                              key;
    ngx_str_t                              token;     /* begins its answer */
    u_char                                *run_id;
    u_char                                *move;

    size_t                                 len;
    u_char                                 command[1];
};


typedef enum {
    NGX_HTTP_CONFLICT_REDIS_DOWN = 0,
    NGX_HTTP_CONFLICT_REDIS_CONNECTING,
    NGX_HTTP_CONFLICT_REDIS_HANDSHAKE,
    NGX_HTTP_CONFLICT_REDIS_READY
} ngx_http_conflict_redis_state_e;


/*
 * How a connection reports to the client, which sets these; none may be NULL.
 * They run from the event loop, or within connection_connect(); "on_down" may
 * also run within connection_drop().
 */

typedef struct {
    /* finds the server and opens the connection, or reports it as down */
    ngx_http_conflict_redis_connection_pt  connect;

    /* the socket is connected, and TLS is set up: starts the handshake */
    ngx_http_conflict_redis_connection_pt  on_connected;

    /* connection_ready() was called: calls may be written */
    ngx_http_conflict_redis_connection_pt  on_ready;

    /* it was lost or could not be made; conn->reason says why */
    ngx_http_conflict_redis_connection_pt  on_down;

    /* a deadline given to connection_watch() has come */
    ngx_http_conflict_redis_connection_pt  on_timer;
} ngx_http_conflict_redis_handlers_t;


struct ngx_http_conflict_redis_connection_s {
    /* laid out as ngx_connection_t, where debug logs look for a descriptor */
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
    ngx_queue_t                          retrying;    /* the same; by number */
    ngx_queue_t                          sent;        /* oldest first */
    ngx_uint_t                           nretrying;

    ngx_event_t                          flush;       /* posted */
    ngx_event_t                          timer;
    ngx_event_t                          reconnect;
    ngx_msec_t                           deadline;    /* of the handshake */
    ngx_msec_t                           checked;     /* the run id, last */
    ngx_msec_t                           retry_at;
    ngx_uint_t                           failures;    /* since an answer */
    ngx_msec_t                           probed;      /* while broken, last */
    u_char                               reason[128];  /* why it is down */

    unsigned                             closing:1;
    unsigned                             writing:1;
    unsigned                             mapped:1;    /* it has slots */
    unsigned                             down_logged:1;
};


struct ngx_http_conflict_redis_s {
    void                                  *unused[3];  /* as above */
    ngx_socket_t                           fd;        /* -1 */

    ngx_http_conflict_redis_conf_t         conf;
    ngx_array_t                            connections;
    ngx_http_conflict_redis_handlers_t    *handlers;  /* of new ones */
    ngx_http_conflict_redis_connection_t  *conn;      /* unless a cluster */
    ngx_pool_t                            *pool;      /* of the cycle */
    ngx_log_t                             *log;

    /* sentinels */

    ngx_http_conflict_redis_connection_t  *sentinel;
    ngx_uint_t                             next;      /* address to ask */
    ngx_uint_t                             sentinel_answered;

    /* a cluster */

    uint16_t                              *slots;     /* index of conn + 1 */
    ngx_str_t                             *tags;      /* one a slot */
    ngx_event_t                            refresh;
    unsigned                               refreshing:1;
    unsigned                               stale:1;   /* the map of slots */
    unsigned                               mapped:1;  /* there is a map */

    unsigned                               stopping:1;
    uint64_t                               number;    /* of the last call */
    ngx_msec_t                             error_logged;
};


/* redis_log.c */

/* Replaces bytes that are not printable ASCII, in place. */
void ngx_http_conflict_redis_log_printable(u_char *p, size_t len);

/* Logs the error that a server replied with, throttled; "text" is changed. */
void ngx_http_conflict_redis_log_refused(
    ngx_http_conflict_redis_connection_t *conn, u_char *text, size_t len);

/* Log that a server is down, once, and then that it is up. */
void ngx_http_conflict_redis_log_down(
    ngx_http_conflict_redis_connection_t *conn);
void ngx_http_conflict_redis_log_up(
    ngx_http_conflict_redis_connection_t *conn);


/* redis_address.c */

/*
 * The host of an address as hiredis takes it: numeric, without the brackets
 * of IPv6, or a path.  Static, valid until the next call.
 */
void ngx_http_conflict_redis_address_host(ngx_addr_t *addr, ngx_str_t *host);

/* 1 for an IPv4 or IPv6 address without brackets. */
ngx_uint_t ngx_http_conflict_redis_address_numeric(ngx_str_t *host);


/* redis_slot.c */

ngx_uint_t ngx_http_conflict_redis_slot_of(ngx_str_t *key);

/* For each slot a text that hashes to it, from the pool.  NULL: no memory. */
ngx_str_t *ngx_http_conflict_redis_slot_tags(ngx_pool_t *pool);


/* redis_script.c; both are static */

ngx_str_t *ngx_http_conflict_redis_script_source(
    ngx_http_conflict_redis_script_e script);
ngx_str_t *ngx_http_conflict_redis_script_sha(
    ngx_http_conflict_redis_script_e script);


/* redis_push_guard.c */

/*
 * A reply that was not asked for ends the connection, where hiredis would
 * abort the process.
 */
void ngx_http_conflict_redis_push_guard_install(redisAsyncContext *ac);


/* redis_url.c */

/* Adds an address to the configuration.  NGX_ERROR: already logged. */
ngx_int_t ngx_http_conflict_redis_url_parse(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *value);


/* redis_tls.c */

/* Checks the "tls_" parameters and makes conf->ssl.  NGX_ERROR: logged. */
ngx_int_t ngx_http_conflict_redis_tls_conf(ngx_conf_t *cf,
    ngx_http_conflict_redis_conf_t *conf);

/* On a connection just opened.  NGX_ERROR: conn->ac's errstr says why. */
ngx_int_t ngx_http_conflict_redis_tls_start(
    ngx_http_conflict_redis_connection_t *conn);

/* Before hiredis reads or writes: it takes a left-over error for its own. */
void ngx_http_conflict_redis_tls_clear(void);

/* 1 while decrypted data is left, for which no event will come. */
ngx_uint_t ngx_http_conflict_redis_tls_pending(
    ngx_http_conflict_redis_connection_t *conn);

/* The connection ends: replaces hiredis' errstr by the error of TLS. */
void ngx_http_conflict_redis_tls_lost(
    ngx_http_conflict_redis_connection_t *conn, redisAsyncContext *ac);


/* redis_event.c */

/*
 * Attaches the connection to nginx's events.  NGX_ERROR: no nginx connection
 * is free; conn->ac is still to be freed by the caller.
 */
ngx_int_t ngx_http_conflict_redis_event_attach(
    ngx_http_conflict_redis_connection_t *conn);

/* Writes; an error ends the connection, which may run any callback. */
void ngx_http_conflict_redis_event_write(
    ngx_http_conflict_redis_connection_t *conn);

/*
 * Writes what the socket takes, at once, and leaves errors to the flush; so
 * it runs no callback and may itself be called by one.
 */
void ngx_http_conflict_redis_event_push(
    ngx_http_conflict_redis_connection_t *conn);


/* redis_connection.c */

/*
 * The connection to a server, from client->pool: in a cluster an existing one
 * to this address, else a new one.  It is down until connection_connect().
 * NULL: no memory, or too many.
 */
ngx_http_conflict_redis_connection_t *ngx_http_conflict_redis_connection_get(
    ngx_http_conflict_redis_t *client, ngx_str_t *host, in_port_t port);

/* Connects, unless it is connected or about to be. */
void ngx_http_conflict_redis_connection_connect(
    ngx_http_conflict_redis_connection_t *conn);

/* For handlers->connect: opens it to its address, or to another one. */
void ngx_http_conflict_redis_connection_open(
    ngx_http_conflict_redis_connection_t *conn);
void ngx_http_conflict_redis_connection_open_to(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *host,
    in_port_t port);

/* The handshake is over. */
void ngx_http_conflict_redis_connection_ready(
    ngx_http_conflict_redis_connection_t *conn);

/* It could not be made.  "why" NULL: conn->reason is set. */
void ngx_http_conflict_redis_connection_down(
    ngx_http_conflict_redis_connection_t *conn, const char *why);

/* Closes it from a posted event, so it may be called within a reply. */
void ngx_http_conflict_redis_connection_close(
    ngx_http_conflict_redis_connection_t *conn, u_char *why, size_t len);

/* Closes it now, so not within a reply; conn->reason says why. */
void ngx_http_conflict_redis_connection_drop(
    ngx_http_conflict_redis_connection_t *conn);

/* Makes sure that handlers->on_timer runs by "deadline". */
void ngx_http_conflict_redis_connection_watch(
    ngx_http_conflict_redis_connection_t *conn, ngx_msec_t deadline);


/* redis_handshake.c */

/* handlers->on_connected of a server. */
void ngx_http_conflict_redis_handshake_start(
    ngx_http_conflict_redis_connection_t *conn);

/* Sends SCRIPT LOAD; NGX_ERROR: it is a command, or no memory. */
ngx_int_t ngx_http_conflict_redis_handshake_load(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_script_e script);


/* redis_sentinel.c */

/*
 * handlers->connect of client->conn: asks a sentinel where the master is and
 * opens the connection to that, or reports it as down.
 */
void ngx_http_conflict_redis_sentinel_connect(
    ngx_http_conflict_redis_connection_t *conn);

/* handlers->on_connected and on_down of client->sentinel. */
void ngx_http_conflict_redis_sentinel_ask(
    ngx_http_conflict_redis_connection_t *conn);
void ngx_http_conflict_redis_sentinel_down(
    ngx_http_conflict_redis_connection_t *conn);


/* redis_cluster.c */

ngx_int_t ngx_http_conflict_redis_cluster_init(
    ngx_http_conflict_redis_t *client);

/* The node that has the slot; NULL: the map says that there is none. */
ngx_http_conflict_redis_connection_t *ngx_http_conflict_redis_cluster_owner(
    ngx_http_conflict_redis_t *client, ngx_uint_t slot);

/*
 * The node that "MOVED 3999 127.0.0.1:6381" or "ASK ..." names; NULL: another
 * error, or it names none.
 */
ngx_http_conflict_redis_connection_t *
    ngx_http_conflict_redis_cluster_redirect(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);

/* The map of slots is out of date: asks for a new one, soon. */
void ngx_http_conflict_redis_cluster_refresh(
    ngx_http_conflict_redis_t *client);


/* redis_noted.c */

/*
 * Writes the id of a move into call->move, zeros where the server is known to
 * have it; notes that it has, where the answer says so.
 */
void ngx_http_conflict_redis_noted_write(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);
void ngx_http_conflict_redis_noted_answer(
    ngx_http_conflict_redis_call_t *call, ngx_str_t *answer);


/* redis_command.c */

/*
 * The command of a call, from the heap; arguments as of call_send().  Handler,
 * flags and times are still to be set.  NULL: no memory.
 */
ngx_http_conflict_redis_call_t *ngx_http_conflict_redis_command_create(
    ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_script_e script, ngx_str_t *key,
    const char *extra_key, ngx_str_t *args, ngx_uint_t n);


/* redis_queue.c */

/* Adds a call to those that wait, one to be retried in its order. */
void ngx_http_conflict_redis_queue_add(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);

/* The same, and has it sent again after "delay", in milliseconds. */
void ngx_http_conflict_redis_queue_postpone(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call, ngx_msec_t delay);

/* 1 for a call with the flag RETRY while an earlier one of its key waits. */
ngx_uint_t ngx_http_conflict_redis_queue_behind(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_call_t *call);

/* Withdraws calls, see call_withdraw(). */
void ngx_http_conflict_redis_queue_withdraw(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_pt handler, void *data);

/* Fails the calls of a queue whose life is over, or all. */
void ngx_http_conflict_redis_queue_expire(
    ngx_http_conflict_redis_connection_t *conn, ngx_queue_t *calls,
    ngx_uint_t all, const char *why);

/* Runs the handler of a call that is in no queue, and frees the call. */
void ngx_http_conflict_redis_queue_fail(ngx_http_conflict_redis_call_t *call,
    const char *why);


/* redis_call.c */

/* Sends those of conn->waiting or conn->retrying, while it is ready. */
void ngx_http_conflict_redis_call_resend(
    ngx_http_conflict_redis_connection_t *conn, ngx_queue_t *calls);

/* handlers->on_timer. */
void ngx_http_conflict_redis_call_timer(
    ngx_http_conflict_redis_connection_t *conn);


/* redis_client.c */

/* Makes the connections to the configured addresses, and connects. */
ngx_int_t ngx_http_conflict_redis_client_connect(
    ngx_http_conflict_redis_t *client);


#endif /* _NGX_HTTP_CONFLICT_REDIS_CONNECTION_H_INCLUDED_ */
