
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Redis client: calls of scripts and commands on whatever server has
 * their key, over connections of its own.  Knows no operation and no HTTP.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_CONFLICT_REDIS_RUN    16     /* bytes */
#define NGX_HTTP_CONFLICT_REDIS_TOKEN  16


typedef struct ngx_http_conflict_redis_s       ngx_http_conflict_redis_t;
typedef struct ngx_http_conflict_redis_call_s  ngx_http_conflict_redis_call_t;

/*
 * Runs once a call, never before its send returned, with the answer (valid
 * until it returns), or with NULL and why there is none.
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
    ngx_array_t                        hosts;   /* of addrs, as given */
    ngx_str_t                          tls_ca;
    ngx_str_t                          tls_cert;
    ngx_str_t                          tls_key;
    ngx_str_t                          tls_name;
    void                              *ssl;     /* NULL: no TLS */
    ngx_str_t                          move;    /* "trust", then its id */
    u_char                            *noted;   /* by slot, shared: who has
                                                   it; NULL: there is none */
    unsigned                           tls:1;
    unsigned                           cluster:1;
    unsigned                           trust:1;
    unsigned                           entered:1;   /* the elders are gone */
} ngx_http_conflict_redis_conf_t;


/*
 * Reads "conflict_store NAME redis://...", words of it from "value" on; the
 * client lives as long as the configuration.  NULL: it was logged.
 */
ngx_http_conflict_redis_t *ngx_http_conflict_redis_add(ngx_conf_t *cf,
    ngx_str_t *name, ngx_str_t *value, ngx_uint_t n);
ngx_uint_t ngx_http_conflict_redis_is_url(ngx_str_t *value);
ngx_http_conflict_redis_conf_t *ngx_http_conflict_redis_conf(
    ngx_http_conflict_redis_t *client);

/*
 * Which store it is: addresses, database, prefix and the like, but not how
 * it is spoken to.  NULL: no memory.
 */
ngx_str_t *ngx_http_conflict_redis_identity(ngx_pool_t *pool,
    ngx_http_conflict_redis_t *client);

/*
 * When the new cycle is certain.  "move": routes were moved to this store,
 * that is the id of it; 0: none were, but the server may still have to be
 * told of those that were moved to "old", the same store before, or NULL.
 */
ngx_int_t ngx_http_conflict_redis_enter(ngx_cycle_t *cycle,
    ngx_http_conflict_redis_t *client, ngx_http_conflict_redis_t *old,
    uint64_t move);

/* of a call: it also waits for a server that is down */
#define NGX_HTTP_CONFLICT_REDIS_PATIENT  0x1

/* it counts once as many replicas have it as "wait" says */
#define NGX_HTTP_CONFLICT_REDIS_COPIED   0x2

/* In a worker: connects; closes, with what is still to be sent. */
ngx_int_t ngx_http_conflict_redis_start(ngx_http_conflict_redis_t *client,
    ngx_cycle_t *cycle);
void ngx_http_conflict_redis_stop(ngx_http_conflict_redis_t *client);

/*
 * Sends a script with one key, the key of its slot's incarnation, and where
 * "third" is not NULL the key with that behind it; or with
 * NGX_HTTP_CONFLICT_REDIS_NONE a command, of which args[0] is the name and
 * the key comes second.  All is copied; args[1] of a script is replaced by
 * the run of the server that it goes to.
 *
 * It is sent again when a connection is lost, so it must bear that, until
 * "life" is over.
 * NGX_OK: handler will run; NGX_ERROR: it will not, and *why says why.
 */
ngx_int_t ngx_http_conflict_redis_send(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_script_e script, ngx_str_t *key,
    const char *third, ngx_str_t *args, ngx_uint_t n, ngx_msec_t life,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, void *data,
    const char **why);

/*
 * Takes back what was sent with this handler and data: what waits has no
 * answer now, "why" is NULL; what was sent is not sent again.
 */
void ngx_http_conflict_redis_withdraw(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_pt handler, void *data);

/* 1 where "*logged" is not long ago; it is now, else. */
ngx_uint_t ngx_http_conflict_redis_often(ngx_msec_t *logged);

/*
 * As much of a word of the configuration as may be shown where it is wrong:
 * what may be a password in a wrong place is cut off.
 */
ngx_str_t *ngx_http_conflict_redis_shown(ngx_str_t *value);


#endif /* _NGX_HTTP_CONFLICT_REDIS_H_INCLUDED_ */
