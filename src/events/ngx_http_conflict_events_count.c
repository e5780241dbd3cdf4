
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * How many streams this worker has, in all and of each client: a user, or an
 * address without one.
 */


#include "events/ngx_http_conflict_events.h"
#include "process/ngx_http_conflict_random.h"


struct ngx_http_conflict_events_client_s {
    ngx_rbtree_node_t              node;      /* hash of the client */
    ngx_uint_t                     n;         /* streams */
};


static ngx_http_conflict_events_client_t *ngx_http_conflict_events_count_client(
    ngx_http_conflict_ctx_t *ctx);


static ngx_rbtree_t       ngx_http_conflict_events_count_tree;
static ngx_rbtree_node_t  ngx_http_conflict_events_count_sentinel;
static ngx_uint_t         ngx_http_conflict_events_count_all;


ngx_int_t
ngx_http_conflict_events_count_enter(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_events_conf_t    *conf;
    ngx_http_conflict_events_client_t  *client;

    conf = ctx->conf->events;

    if (ngx_http_conflict_events_count_all >= conf->max) {
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_EVENTS_FULL;
        return NGX_DECLINED;
    }

    client = ngx_http_conflict_events_count_client(ctx);
    if (client == NULL) {
        return NGX_ERROR;
    }

    if (client->n >= conf->per_client) {
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_TOO_MANY_STREAMS;
        return NGX_DECLINED;
    }

    client->n++;
    ctx->events->client = client;

    ngx_http_conflict_events_count_all++;

    return NGX_OK;
}


void
ngx_http_conflict_events_count_leave(ngx_http_conflict_events_t *stream)
{
    ngx_http_conflict_events_client_t  *client;

    client = stream->client;

    if (client == NULL) {
        return;
    }

    stream->client = NULL;
    ngx_http_conflict_events_count_all--;

    if (--client->n == 0) {
        ngx_rbtree_delete(&ngx_http_conflict_events_count_tree,
                          &client->node);
        ngx_free(client);
    }
}


/* clients with the same hash share a number, which is harmless */

static ngx_http_conflict_events_client_t *
ngx_http_conflict_events_count_client(ngx_http_conflict_ctx_t *ctx)
{
    uint64_t                            seed;
    ngx_str_t                          *name;
    ngx_rbtree_key_t                    key;
    ngx_rbtree_node_t                  *node, *sentinel;
    ngx_http_conflict_events_client_t  *client;

    sentinel = &ngx_http_conflict_events_count_sentinel;

    if (ngx_http_conflict_events_count_tree.root == NULL) {
        ngx_rbtree_init(&ngx_http_conflict_events_count_tree, sentinel,
                        ngx_rbtree_insert_value);
    }

    name = ctx->caller.user.len ? &ctx->caller.user
                                : &ctx->request->connection->addr_text;

    seed = ngx_http_conflict_random_seed() + (ctx->caller.user.len != 0);
    key = (ngx_rbtree_key_t) conflict_hash_64(name->data, name->len, seed);

    node = ngx_http_conflict_events_count_tree.root;

    while (node != sentinel) {

        if (key == node->key) {
            return (ngx_http_conflict_events_client_t *) node;
        }

        node = (key < node->key) ? node->left : node->right;
    }

    client = ngx_calloc(sizeof(ngx_http_conflict_events_client_t),
                        ctx->request->connection->log);
    if (client == NULL) {
        return NULL;
    }

    client->node.key = key;
    ngx_rbtree_insert(&ngx_http_conflict_events_count_tree, &client->node);

    return client;
}
