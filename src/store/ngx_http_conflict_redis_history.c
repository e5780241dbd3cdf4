
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The history in Redis: bodies are sent there and nobody waits, and are asked
 * for where a merge needs them.
 */


#include "store/ngx_http_conflict_redis_args.h"
#include "core/text/conflict_hash.h"


static void ngx_http_conflict_redis_kept(void *data, ngx_str_t *answer,
    const char *why);


ngx_int_t
ngx_http_conflict_redis_keep(ngx_http_conflict_op_t *op,
    ngx_http_conflict_row_t *row)
{
    u_char                           buf[ngx_http_conflict_redis_room(
                                         NGX_HTTP_CONFLICT_REDIS_ARGS)];
    ngx_str_t                        arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    ngx_msec_t                       life;
    ngx_uint_t                       flags;
    const char                      *why;
    ngx_http_conflict_redis_conf_t  *conf;
    ngx_http_conflict_redis_args_t   args;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    ngx_http_conflict_redis_head(op->store, &args, arg, buf,
                                 ngx_http_conflict_redis_token());
    ngx_http_conflict_redis_text(&args, "keep");

    if (row->link) {
        ngx_http_conflict_redis_link(&args, "c", row->version, "");

    } else {
        ngx_http_conflict_redis_version(&args, row->version);
    }

    ngx_http_conflict_redis_hash(&args, row->fingerprint);
    ngx_http_conflict_redis_number(&args, row->certain);
    ngx_http_conflict_redis_number(&args, row->shown);

    if (row->read) {
        ngx_http_conflict_redis_version(&args, row->torn ? 0 : op->fence);

    } else {
        ngx_http_conflict_redis_text(&args, "-");
    }

    ngx_http_conflict_redis_number(&args, op->rows);
    ngx_http_conflict_redis_number(&args, op->row_bytes);
    ngx_http_conflict_redis_number(&args, op->row_ttl);
    ngx_http_conflict_redis_hash(&args, row->view);
    ngx_http_conflict_redis_bytes(&args, &row->body);
    ngx_http_conflict_redis_hash(&args, row->body.len
                                        ? conflict_hash_64(row->body.data,
                                                           row->body.len, 0)
                                        : row->hash);
    args.third = ":h";

    /*
     * A body that does not come there is one that is not held; but what a
     * write has added must not be added again, nor the base of a link be that
     * of one before it, nor a body stay that was not what a read has shown.
     */

    flags = 0;
    life = conf->timeout;

    if (row->fingerprint || row->link || row->read) {
        flags = NGX_HTTP_CONFLICT_REDIS_RETRY;
        life = ngx_max(life, row->read ? op->store->lease
                                         + op->store->quarantine
                                       : op->lease + op->quarantine);
    }

    (void) ngx_http_conflict_redis_submit(op, NGX_HTTP_CONFLICT_REDIS_HISTORY,
                                          &args, life, flags,
                                          ngx_http_conflict_redis_kept, NULL,
                                          &why);

    return NGX_OK;
}


static void
ngx_http_conflict_redis_kept(void *data, ngx_str_t *answer, const char *why)
{
}


ngx_int_t
ngx_http_conflict_redis_recall(ngx_http_conflict_op_t *op)
{
    u_char                          buf[ngx_http_conflict_redis_room(
                                         NGX_HTTP_CONFLICT_REDIS_ARGS)];
    ngx_str_t                       arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    ngx_http_conflict_redis_args_t  args;

    ngx_http_conflict_op_forget(op);

    ngx_http_conflict_redis_head(op->store, &args, arg, buf,
                                 ngx_http_conflict_redis_token());
    ngx_http_conflict_redis_text(&args, "recall");
    ngx_http_conflict_redis_version(&args, op->pre.base);
    ngx_http_conflict_redis_hash(&args, op->fingerprint);
    ngx_http_conflict_redis_hash(&args, op->view);

    if (ngx_http_conflict_op_chain(op)) {
        ngx_http_conflict_redis_link(&args, "c", op->pre.chain, "");
    }

    args.third = ":h";

    return ngx_http_conflict_redis_query(op, NGX_HTTP_CONFLICT_REDIS_HISTORY,
                                         &args);
}


/* held, repeat, certain, two lengths, two bodies */

ngx_int_t
ngx_http_conflict_redis_read_bodies(ngx_http_conflict_op_t *op,
    ngx_str_t *answer)
{
    u_char    *p, *last;
    uint64_t   born, held, repeat, certain, len[2];

    p = answer->data + NGX_HTTP_CONFLICT_REDIS_TOKEN;
    last = answer->data + answer->len;

    /* the incarnation is of no interest here */

    if (ngx_http_conflict_redis_number_of(&p, last, 7, &born) != NGX_OK
        || ngx_http_conflict_redis_number_of(&p, last, 2, &held) != NGX_OK
        || ngx_http_conflict_redis_number_of(&p, last, 1, &repeat) != NGX_OK
        || ngx_http_conflict_redis_number_of(&p, last, 1, &certain) != NGX_OK
        || ngx_http_conflict_redis_lengths(&p, last, len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    op->late = (held == 2);

    if (held
        && ngx_http_conflict_op_copy(&op->base_body, p, len[0]) == NGX_OK)
    {
        op->held = 1;
    }

    if (repeat
        && ngx_http_conflict_op_copy(&op->made_body, p + len[0], len[1])
           == NGX_OK)
    {
        op->repeat = 1;
        op->certain = (certain != 0);
    }

    return NGX_OK;
}
