
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the Redis store: its implementations of the contract's
 * operations, and the call of a script for an operation.
 */


#ifndef _NGX_HTTP_CONFLICT_REDIS_STORE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_REDIS_STORE_H_INCLUDED_


#include "store/redis/ngx_http_conflict_redis_answer.h"
#include "store/redis/ngx_http_conflict_redis_codec.h"


/*
 * Decodes an answer into the operation.  NGX_ERROR: it is malformed.
 * NGX_DECLINED: that of a fast path, which leaves it to the full script.
 */
typedef ngx_int_t (*ngx_http_conflict_redis_decode_pt)(
    ngx_http_conflict_op_t *op, ngx_str_t *answer);

/*
 * Runs after the decoder, or without it if there is no answer; op->rc is the
 * result.  NGX_AGAIN: another call was sent, and the operation is still busy.
 */
typedef ngx_int_t (*ngx_http_conflict_redis_after_pt)(
    ngx_http_conflict_op_t *op);


/* The operation "audit". */
ngx_int_t ngx_http_conflict_redis_audit_stream_add(
    ngx_http_conflict_store_t *store, ngx_str_t *key, ngx_str_t *line);


/* The operation "blob". */
ngx_int_t ngx_http_conflict_redis_blob(ngx_http_conflict_op_t *op);


/*
 * The fast paths: each sends a script that does what is usual, and declines the
 * rest.  NGX_DECLINED: it is not usual, or cannot be tried now, and nothing was
 * sent.  Else begin and peek return as query_run() does, with op->rc of
 * NGX_DECLINED if the script has declined; commit returns as query_send() does,
 * and the last byte of its answer is "!" if the script has declined.
 */
ngx_int_t ngx_http_conflict_redis_fast_begin(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_after_pt after);
ngx_int_t ngx_http_conflict_redis_fast_peek(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_after_pt after);
ngx_int_t ngx_http_conflict_redis_fast_commit(ngx_http_conflict_op_t *op,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, const char **why);


/* The operations "keep" and "recall". */
ngx_int_t ngx_http_conflict_redis_history_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_record_t *record);
ngx_int_t ngx_http_conflict_redis_history_recall(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_history_versions(ngx_http_conflict_op_t *op);


/* The operations "mark" and "versions". */
ngx_int_t ngx_http_conflict_redis_items_mark(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_items_versions(ngx_http_conflict_op_t *op);


/* The operation "lock". */
ngx_int_t ngx_http_conflict_redis_lock_request(ngx_http_conflict_op_t *op);


/*
 * Sends a script whose answer the operation waits for.  NGX_AGAIN: op->done()
 * will run; NGX_ERROR: op->out.error is set; NGX_DECLINED: a fast path cannot
 * be tried now.  "after" may be NULL.  With the flag RETRY it is tried for
 * op->redis.patience longer than "timeout=".
 */
ngx_int_t ngx_http_conflict_redis_query_run(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_script_e script,
    ngx_http_conflict_redis_args_t *args, ngx_uint_t flags,
    ngx_http_conflict_redis_decode_pt decode,
    ngx_http_conflict_redis_after_pt after);

/*
 * The same without waiting; the arguments are copied.  NGX_OK: the handler
 * will run; NGX_ERROR: it will not, *why states the reason; NGX_DECLINED: as
 * above.
 */
ngx_int_t ngx_http_conflict_redis_query_send(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_script_e script,
    ngx_http_conflict_redis_args_t *args, ngx_msec_t life, ngx_uint_t flags,
    ngx_http_conflict_redis_pt handler, void *data, const char **why);

/* Writes the key of a name, at most so many bytes, and returns its end. */
u_char *ngx_http_conflict_redis_query_key(u_char *p,
    ngx_http_conflict_redis_conf_t *conf, ngx_str_t *name);

#define ngx_http_conflict_redis_query_key_len(conf, name)                     \
    ((conf)->prefix.len + 2 + 3 * (name)->len)

/* Ends an operation that was busy; its request may be gone. */
void ngx_http_conflict_redis_query_done(ngx_http_conflict_op_t *op);

/* A handler for calls whose answer is ignored. */
void ngx_http_conflict_redis_query_ignore(void *data, ngx_str_t *answer,
    const char *why);


/* The operations "renew", "commit", "cancel" and "abandon". */
ngx_int_t ngx_http_conflict_redis_settle_renew(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_settle_commit(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_settle_cancel(ngx_http_conflict_op_t *op);
ngx_int_t ngx_http_conflict_redis_settle_abandon(ngx_http_conflict_op_t *op);


#endif /* _NGX_HTTP_CONFLICT_REDIS_STORE_H_INCLUDED_ */
