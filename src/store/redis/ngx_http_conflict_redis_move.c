
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Routes that a reload moves to a store in Redis: the identity of the store,
 * and the id of the move, which calls carry until the server has noted it.
 */


#include "store/redis/ngx_http_conflict_redis_store.h"


static void ngx_http_conflict_redis_move_free_noted(void *data);


ngx_str_t *
ngx_http_conflict_redis_move_identity(ngx_pool_t *pool,
    ngx_http_conflict_store_t *store)
{
    size_t                           len;
    u_char                          *p;
    ngx_str_t                       *identity;
    ngx_uint_t                       i;
    ngx_addr_t                      *addr;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(store->data);
    addr = conf->addrs.elts;

    len = sizeof("redis    ") + 3 * NGX_INT_T_LEN + conf->sentinel.len
          + conf->prefix.len;

    for (i = 0; i < conf->addrs.nelts; i++) {
        len += addr[i].name.len + 1;
    }

    identity = ngx_palloc(pool, sizeof(ngx_str_t) + len);
    if (identity == NULL) {
        return NULL;
    }

    identity->data = (u_char *) (identity + 1);

    /* without a database it is the first one */

    p = ngx_sprintf(identity->data, "redis %ui %i %V %V",
                    (ngx_uint_t) conf->cluster,
                    conf->db.len ? ngx_atoi(conf->db.data, conf->db.len) : 0,
                    &conf->sentinel, &conf->prefix);

    for (i = 0; i < conf->addrs.nelts; i++) {
        p = ngx_sprintf(p, " %V", &addr[i].name);
    }

    identity->len = p - identity->data;

    return identity;
}


ngx_int_t
ngx_http_conflict_redis_move_enter(ngx_cycle_t *cycle,
    ngx_http_conflict_store_t *store, ngx_http_conflict_store_t *old,
    uint64_t move)
{
    size_t                           size;
    u_char                          *p;
    ngx_shm_t                       *shm;
    ngx_pool_cleanup_t              *cln;
    ngx_http_conflict_redis_conf_t  *conf, *previous;

    conf = ngx_http_conflict_redis_client_conf(store->data);
    previous = old ? ngx_http_conflict_redis_client_conf(old->data) : NULL;

    if (move == 0
        && (previous == NULL || previous->noted == NULL
            || (!conf->cluster && !conf->trust && previous->noted[0])))
    {
        return NGX_OK;
    }

    /* the workers of this cycle share which servers have noted the move */

    cln = ngx_pool_cleanup_add(cycle->pool, sizeof(ngx_shm_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    shm = cln->data;
    ngx_memzero(shm, sizeof(ngx_shm_t));

    size = conf->cluster ? NGX_HTTP_CONFLICT_REDIS_SLOTS : 1;

    shm->size = size;
    shm->log = cycle->log;
    ngx_str_set(&shm->name, "conflict_move");

    p = ngx_pnalloc(cycle->pool, 1 + NGX_HTTP_CONFLICT_REDIS_MOVE);
    if (p == NULL || ngx_shm_alloc(shm) != NGX_OK) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_conflict_redis_move_free_noted;

    conf->noted = shm->addr;
    conf->move.len = 1 + NGX_HTTP_CONFLICT_REDIS_MOVE;
    conf->move.data = p;

    *p = '0' + conf->trust;

    if (move) {
        /* new pages are zeros: no slot has noted it */
        (void) ngx_sprintf(p + 1, "%016xL", move);
        return NGX_OK;
    }

    ngx_memcpy(p + 1, previous->move.data + 1, NGX_HTTP_CONFLICT_REDIS_MOVE);
    ngx_memcpy(conf->noted, previous->noted, size);

    return NGX_OK;
}


static void
ngx_http_conflict_redis_move_free_noted(void *data)
{
    ngx_shm_free(data);
}
