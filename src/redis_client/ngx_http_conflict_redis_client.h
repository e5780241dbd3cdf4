
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Redis client: scripts and commands are sent to the server that has
 * their key, over connections that each worker keeps open.  It knows neither
 * the store's operations nor HTTP.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_CLIENT_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_CLIENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_CONFLICT_REDIS_TOKEN  16     /* bytes */
#define NGX_HTTP_CONFLICT_REDIS_MOVE   16     /* digits of its id */
#define NGX_HTTP_CONFLICT_REDIS_SLOTS  16384


typedef struct ngx_http_conflict_redis_s  ngx_http_conflict_redis_t;

/*
 * Runs once a call, from the event loop, never before call_send() has
 * returned.  "answer" is the server's reply as text, valid until the handler
 * returns; a reply of another type than string, status or error is an empty
 * text.  NULL: there is none, "why" says the reason, and is itself NULL where
 * the call was withdrawn.  It may send other calls.
 */
typedef void (*ngx_http_conflict_redis_pt)(void *data, ngx_str_t *answer,
    const char *why);


typedef enum {
    NGX_HTTP_CONFLICT_REDIS_BEGIN = 0,
    NGX_HTTP_CONFLICT_REDIS_SETTLE,
    NGX_HTTP_CONFLICT_REDIS_READ,
    NGX_HTTP_CONFLICT_REDIS_HISTORY,
    NGX_HTTP_CONFLICT_REDIS_LOCK,
    NGX_HTTP_CONFLICT_REDIS_STATS,
    NGX_HTTP_CONFLICT_REDIS_SCRIPTS,
    NGX_HTTP_CONFLICT_REDIS_NONE     /* a command of Redis' own */
} ngx_http_conflict_redis_script_e;


typedef struct {
    ngx_str_t                          name;    /* of the store */
    ngx_str_t                          prefix;
    ngx_str_t                          sentinel;    /* the master's name */
    ngx_array_t                        addrs;   /* ngx_addr_t */
    ngx_str_t                          user;
    ngx_str_t                          password;
    ngx_str_t                          db;
    ngx_msec_t                         timeout;
    ngx_msec_t                         ttl;
    ngx_uint_t                         wait;    /* replicas, 0: none */
    ngx_array_t                        hosts;   /* ngx_str_t, of addrs, as
                                                   configured */
    ngx_str_t                          tls_ca;
    ngx_str_t                          tls_cert;
    ngx_str_t                          tls_key;
    ngx_str_t                          tls_name;
    void                              *ssl;     /* NULL: no TLS */
    ngx_str_t                          move;    /* "trust", then its id */
    u_char                            *noted;   /* shared memory, by slot: the
                                                   server that has the id of
                                                   the move; NULL: no move */
    unsigned                           tls:1;
    unsigned                           cluster:1;
    unsigned                           trust:1;
    unsigned                           entered:1;   /* no older process is
                                                       left */
} ngx_http_conflict_redis_conf_t;


/* redis_conf.c, redis_url.c: the directive */

/*
 * Parses "conflict_store NAME redis://...", of which "value" has the "n"
 * words from the first address on.  The client is allocated from cf->pool and
 * lives as long as the configuration.  NULL: already logged.
 */
ngx_http_conflict_redis_t *ngx_http_conflict_redis_conf_add(ngx_conf_t *cf,
    ngx_str_t *name, ngx_str_t *value, ngx_uint_t n);

/* 1 for a word that is an address: redis://, rediss:// or unix: */
ngx_uint_t ngx_http_conflict_redis_url_matches(ngx_str_t *value);

/*
 * As much of a word as an error message may quote: what may be a misplaced
 * password is cut off.  Static, valid until the next call.
 */
ngx_str_t *ngx_http_conflict_redis_url_redact(ngx_str_t *value);


/* redis_client.c: the client of a worker */

/* Never NULL; part of the client. */
ngx_http_conflict_redis_conf_t *ngx_http_conflict_redis_client_conf(
    ngx_http_conflict_redis_t *client);

/*
 * Starts to connect, with memory of the cycle's pool.  NGX_OK does not say
 * that any server is up.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_conflict_redis_client_start(
    ngx_http_conflict_redis_t *client, ngx_cycle_t *cycle);

/*
 * As the worker exits: writes what the sockets take of the calls sent so far,
 * and closes the connections.  Calls left over do not get an answer.
 */
void ngx_http_conflict_redis_client_stop(ngx_http_conflict_redis_t *client);


/* redis_call.c: calls */

/*
 * Flags of a call.  RETRY: it is kept while no server is ready for it, and
 * repeated after errors that may pass, until its life is over; other calls
 * fail at once while the server is known to be down.  REPLICATE: it succeeds
 * once as many replicas have it as "wait=" says.
 */
#define NGX_HTTP_CONFLICT_REDIS_RETRY      0x1
#define NGX_HTTP_CONFLICT_REDIS_REPLICATE  0x2

/*
 * Sends a script.  Its keys are "key", the incarnation of the key's slot and,
 * unless "extra_key" is NULL, "key" with that suffix.  With
 * NGX_HTTP_CONFLICT_REDIS_NONE it is a command: args[0] is its name, and
 * "key" comes second.
 *
 * args[0] of a script is a token that its answer has to begin with; args[1] is
 * a placeholder for the run id of the server, and args[2], which is "trust",
 * is extended by the id of a move where there is one.  All is copied.
 *
 * The call is sent again when its connection is lost, so it has to be
 * idempotent, until "life" is over, in milliseconds from now.
 *
 * NGX_OK: the handler will run.  NGX_ERROR: it will not; *why, which is
 * static, says the reason.
 */
ngx_int_t ngx_http_conflict_redis_call_send(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_script_e script, ngx_str_t *key,
    const char *extra_key, ngx_str_t *args, ngx_uint_t n, ngx_msec_t life,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, void *data,
    const char **why);

/*
 * Withdraws the calls that were sent with this handler and data: of those that
 * are kept for a retry the handler runs now, without an answer; those that are
 * on their way are answered as usual, but not sent again.
 */
void ngx_http_conflict_redis_call_withdraw(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_pt handler, void *data);


/* redis_log.c */

/*
 * 1 where a message of this kind was logged within the last ten seconds and
 * should be dropped; else *logged becomes the current time, in milliseconds.
 */
ngx_uint_t ngx_http_conflict_redis_log_throttled(ngx_msec_t *logged);


#endif /* _NGX_HTTP_CONFLICT_REDIS_CLIENT_H_INCLUDED_ */
