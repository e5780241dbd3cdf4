
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Redis client: sends scripts and commands to the server that has their
 * key, over connections that each worker keeps open.  It knows neither the
 * store's operations nor HTTP.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_CLIENT_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_CLIENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_CONFLICT_REDIS_TOKEN  16     /* bytes */
#define NGX_HTTP_CONFLICT_REDIS_MOVE   16     /* digits of the id */
#define NGX_HTTP_CONFLICT_REDIS_SLOTS  16384


typedef struct ngx_http_conflict_redis_s  ngx_http_conflict_redis_t;

/*
 * The handler of a call runs exactly once, never before call_send() has
 * returned, and may send other calls.  "answer" is the reply as text, valid
 * until the handler returns: a string or status, or the strings of an array as
 * lines, and else empty.  NULL: the call failed; "why" states the reason, or
 * is NULL if the call was withdrawn.
 */
typedef void (*ngx_http_conflict_redis_pt)(void *data, ngx_str_t *answer,
    const char *why);


typedef enum {
    NGX_HTTP_CONFLICT_REDIS_BEGIN = 0,
    NGX_HTTP_CONFLICT_REDIS_BEGIN_FAST,
    NGX_HTTP_CONFLICT_REDIS_SETTLE,
    NGX_HTTP_CONFLICT_REDIS_SETTLE_FAST,
    NGX_HTTP_CONFLICT_REDIS_READ,
    NGX_HTTP_CONFLICT_REDIS_READ_FAST,
    NGX_HTTP_CONFLICT_REDIS_HISTORY,
    NGX_HTTP_CONFLICT_REDIS_ITEMS,
    NGX_HTTP_CONFLICT_REDIS_LOCK,
    NGX_HTTP_CONFLICT_REDIS_STATS,
    NGX_HTTP_CONFLICT_REDIS_BLOB,
    NGX_HTTP_CONFLICT_REDIS_SCRIPTS,
    NGX_HTTP_CONFLICT_REDIS_NONE     /* a plain command */
} ngx_http_conflict_redis_script_e;


typedef struct {
    ngx_str_t                          name;      /* of the store */
    ngx_str_t                          prefix;
    ngx_str_t                          sentinel;  /* name of the master */
    ngx_array_t                        addrs;     /* ngx_addr_t */
    ngx_str_t                          user;
    ngx_str_t                          password;
    ngx_str_t                          db;
    ngx_msec_t                         timeout;
    ngx_msec_t                         ttl;
    ngx_uint_t                         wait;      /* replicas, 0: none */
    ngx_array_t                        hosts;     /* ngx_str_t, of addrs, as
                                                     configured */
    ngx_str_t                          tls_ca;
    ngx_str_t                          tls_cert;
    ngx_str_t                          tls_key;
    ngx_str_t                          tls_name;
    void                              *ssl;       /* NULL: no TLS */
    ngx_str_t                          move;      /* "trust", then the id of
                                                     the move */
    u_char                            *noted;     /* in shared memory, a mark
                                                     per slot of the server
                                                     that has noted the move;
                                                     NULL: no move */
    unsigned                           tls:1;
    unsigned                           cluster:1;
    unsigned                           trust:1;
    unsigned                           predecessors_gone:1;
} ngx_http_conflict_redis_conf_t;


/*
 * A script and its arguments, or with NGX_HTTP_CONFLICT_REDIS_NONE a command:
 * args[0] is its name, and "key" its first argument.
 *
 * The keys of a script are "key", the incarnation of the key's slot and,
 * unless "extra_key" is NULL, "key" with that suffix, or the "nmore" keys of
 * "more", which have to be of the same slot.  args[0] is a token that
 * the answer has to begin with; args[1] is a placeholder for the run id of the
 * server; args[2], "trust", is extended by the id of a move, if there is one.
 *
 * A script of a fast path, whose names end with _FAST, has the incarnation as
 * the client knows it in the place of args[1], and args[2] is its own.
 */

typedef struct {
    ngx_http_conflict_redis_script_e   script;
    ngx_str_t                         *key;
    const char                        *extra_key;
    ngx_str_t                         *more;
    ngx_uint_t                         nmore;
    ngx_str_t                         *args;
    ngx_uint_t                         n;
    ngx_uint_t                         before;    /* words of a plain command
                                                     before its key; 0: 1 */
    unsigned                           fast:1;    /* a script of a fast path */
} ngx_http_conflict_redis_command_t;


/*
 * Flags of a call.  RETRY: it is kept while no server is ready for it, and
 * repeated after temporary errors, until its life ends; other calls fail at
 * once while the server is known to be down.  REPLICATE: it succeeds once
 * as many replicas have it as "wait=" requires.  NOW: it is written to the
 * socket at once, not with all others of this iteration of the event loop.
 * UNCHECKED: with RETRY, about a write that has no lease, so that it leaves
 * room for calls about those that have one.
 */
#define NGX_HTTP_CONFLICT_REDIS_RETRY      0x1
#define NGX_HTTP_CONFLICT_REDIS_REPLICATE  0x2
#define NGX_HTTP_CONFLICT_REDIS_NOW        0x4
#define NGX_HTTP_CONFLICT_REDIS_UNCHECKED  0x8

/*
 * Sends a command, which is copied.
 *
 * The call is sent again if its connection is lost, so it has to be
 * idempotent, until "life" is over, in milliseconds from now.
 *
 * NGX_OK: the handler will run.  NGX_ERROR: it will not; *why, which is
 * static, states the reason.  NGX_DECLINED: neither, as the client knows no
 * incarnation that a fast path may rely on.
 */
ngx_int_t ngx_http_conflict_redis_call_send(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_command_t *command, ngx_msec_t life,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, void *data,
    const char **why);

/*
 * Withdraws the calls that were sent with this handler and data.  For calls
 * that are kept for a retry the handler runs now, without an answer; calls in
 * flight are answered as usual, but not sent again.
 */
void ngx_http_conflict_redis_call_withdraw(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_pt handler, void *data);


/*
 * Fills "names" with a name for each server that has keys, at most "max", so
 * that a key with this name in braces belongs to it.  Returns their number; 0:
 * there is a single server, or the servers are not known yet.
 */
ngx_uint_t ngx_http_conflict_redis_cluster_servers(
    ngx_http_conflict_redis_t *client, ngx_str_t *names, ngx_uint_t max);


/* Never NULL; part of the client. */
ngx_http_conflict_redis_conf_t *ngx_http_conflict_redis_client_conf(
    ngx_http_conflict_redis_t *client);

/*
 * Starts to connect, with memory of the cycle's pool.  NGX_OK does not mean
 * that a server is up.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_conflict_redis_client_start(
    ngx_http_conflict_redis_t *client, ngx_cycle_t *cycle);

/*
 * Another client of the same servers, with connections of its own, whose calls
 * may take "margin" milliseconds longer.  NULL: no memory.
 */
ngx_http_conflict_redis_t *ngx_http_conflict_redis_client_second(
    ngx_http_conflict_redis_t *client, ngx_msec_t margin, ngx_cycle_t *cycle);

/*
 * When the worker exits: writes as much of the calls sent so far as the
 * sockets take, and closes the connections.  Pending calls get no answer.
 */
void ngx_http_conflict_redis_client_stop(ngx_http_conflict_redis_t *client);


/*
 * Parses the "n" parameters of "conflict_store NAME redis://...", from the
 * first address on.  The client is allocated from cf->pool and lives as long
 * as the configuration.  NULL: an error, already logged.
 */
ngx_http_conflict_redis_t *ngx_http_conflict_redis_conf_add(ngx_conf_t *cf,
    ngx_str_t *name, ngx_str_t *value, ngx_uint_t n);


/*
 * 1 if a message of this kind was logged within the last ten seconds and
 * should be dropped; else *logged becomes the current time, in milliseconds.
 */
ngx_uint_t ngx_http_conflict_redis_log_throttled(ngx_msec_t *logged);


/* 1 for a parameter that is an address: redis://, rediss:// or unix: */
ngx_uint_t ngx_http_conflict_redis_url_matches(ngx_str_t *value);

/*
 * The part of a parameter that an error message may quote: without anything
 * that may be a misplaced password.  Static, valid until the next call.
 */
ngx_str_t *ngx_http_conflict_redis_url_redact(ngx_str_t *value);


#endif /* _NGX_HTTP_CONFLICT_REDIS_CLIENT_H_INCLUDED_ */
