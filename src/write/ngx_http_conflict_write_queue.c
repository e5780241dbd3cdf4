
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Writes that wait for the same key: each worker has a queue of its own, in
 * order of arrival, of which only the first asks the store.  A settle passes
 * the turn on to it, or to the worker of another one.
 */


#include "write/ngx_http_conflict_write.h"
#include "process/ngx_http_conflict_wake.h"


#define NGX_HTTP_CONFLICT_QUEUE_TURNS    16    /* while other workers wait */
#define NGX_HTTP_CONFLICT_QUEUE_RUN      100   /* msec, then other hosts */
#define NGX_HTTP_CONFLICT_QUEUE_PAUSE    4     /* have these msec */
#define NGX_HTTP_CONFLICT_QUEUE_POLL     2     /* msec, no turn was passed on */
#define NGX_HTTP_CONFLICT_QUEUE_HELD     50    /* msec, this worker has it */
#define NGX_HTTP_CONFLICT_QUEUE_SETTLED  16    /* leases remembered */


struct ngx_http_conflict_queue_s {
    ngx_rbtree_node_t            node;      /* the hash of store and key */
    ngx_queue_t                  writes;    /* that wait, by arrival */
    ngx_http_conflict_store_t   *store;
    ngx_str_t                    key;       /* behind this structure */
    ngx_uint_t                   note;      /* for other workers */
    ngx_uint_t                   turns;     /* since another worker had one */
    ngx_msec_t                   since;     /* other hosts had a chance */
    unsigned                     pause:1;   /* they have it now */
};


typedef struct {
    ngx_http_conflict_store_t   *store;
    uint64_t                     fence;
} ngx_http_conflict_settled_t;


static void ngx_http_conflict_write_queue_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_rbtree_key_t ngx_http_conflict_write_queue_hash(
    ngx_http_conflict_op_t *op);
static ngx_http_conflict_queue_t *ngx_http_conflict_write_queue_find(
    ngx_http_conflict_op_t *op, ngx_rbtree_key_t hash);
static ngx_int_t ngx_http_conflict_write_queue_compare(ngx_str_t *key,
    ngx_http_conflict_store_t *store, ngx_http_conflict_queue_t *queue);
static ngx_http_conflict_queue_t *ngx_http_conflict_write_queue_create(
    ngx_http_conflict_op_t *op, ngx_rbtree_key_t hash);
static ngx_uint_t ngx_http_conflict_write_queue_asks(
    ngx_http_conflict_op_t *op);
static void ngx_http_conflict_write_queue_add(ngx_http_conflict_queue_t *queue,
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_write_queue_pass(
    ngx_http_conflict_queue_t *queue);
static void ngx_http_conflict_write_queue_begin(
    ngx_http_conflict_queue_t *queue);
static void ngx_http_conflict_write_queue_resume(
    ngx_http_conflict_queue_t *queue);
static void ngx_http_conflict_write_queue_woken(ngx_uint_t note);


#define ngx_http_conflict_write_queue_head(queue)                             \
    (ngx_queue_data(ngx_queue_head(&(queue)->writes),                         \
                    ngx_http_conflict_ctx_t, turn.link))

#define ngx_http_conflict_write_queue_none()                                  \
    (ngx_http_conflict_write_queue_tree.root                                  \
     == ngx_http_conflict_write_queue_tree.sentinel)


static ngx_rbtree_t       ngx_http_conflict_write_queue_tree;
static ngx_rbtree_node_t  ngx_http_conflict_write_queue_sentinel;
static uint64_t           ngx_http_conflict_write_queue_number;

/* the leases that were settled last */

static ngx_http_conflict_settled_t  ngx_http_conflict_write_queue_last
                                        [NGX_HTTP_CONFLICT_QUEUE_SETTLED];
static ngx_uint_t                   ngx_http_conflict_write_queue_n;


void
ngx_http_conflict_write_queue_start(ngx_cycle_t *cycle, ngx_shm_zone_t *zone)
{
    if (ngx_http_conflict_write_queue_tree.root == NULL) {
        ngx_rbtree_init(&ngx_http_conflict_write_queue_tree,
                        &ngx_http_conflict_write_queue_sentinel,
                        ngx_http_conflict_write_queue_insert);
    }

    ngx_http_conflict_wake_start(cycle, zone,
                                 ngx_http_conflict_write_queue_woken);
}


static void
ngx_http_conflict_write_queue_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t          **p;
    ngx_http_conflict_queue_t   *queue;

    queue = (ngx_http_conflict_queue_t *) node;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            p = (ngx_http_conflict_write_queue_compare(&queue->key,
                     queue->store, (ngx_http_conflict_queue_t *) temp)
                 < 0)
                ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


/* the same in all workers of a host */

static ngx_rbtree_key_t
ngx_http_conflict_write_queue_hash(ngx_http_conflict_op_t *op)
{
    return (ngx_rbtree_key_t) conflict_hash_64(op->key.data, op->key.len, 0);
}


static ngx_http_conflict_queue_t *
ngx_http_conflict_write_queue_find(ngx_http_conflict_op_t *op,
    ngx_rbtree_key_t hash)
{
    ngx_int_t           rc;
    ngx_rbtree_node_t  *node, *sentinel;

    node = ngx_http_conflict_write_queue_tree.root;
    sentinel = ngx_http_conflict_write_queue_tree.sentinel;

    while (node != sentinel) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        rc = ngx_http_conflict_write_queue_compare(&op->key, op->store,
                                            (ngx_http_conflict_queue_t *) node);

        if (rc == 0) {
            return (ngx_http_conflict_queue_t *) node;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static ngx_int_t
ngx_http_conflict_write_queue_compare(ngx_str_t *key,
    ngx_http_conflict_store_t *store, ngx_http_conflict_queue_t *queue)
{
    if (store != queue->store) {
        return (store < queue->store) ? -1 : 1;
    }

    return ngx_memn2cmp(key->data, queue->key.data, key->len, queue->key.len);
}


static ngx_http_conflict_queue_t *
ngx_http_conflict_write_queue_create(ngx_http_conflict_op_t *op,
    ngx_rbtree_key_t hash)
{
    ngx_http_conflict_queue_t  *queue;

    queue = ngx_alloc(sizeof(ngx_http_conflict_queue_t) + op->key.len,
                      op->request->connection->log);
    if (queue == NULL) {
        return NULL;
    }

    queue->node.key = hash;
    queue->store = op->store;
    queue->key.len = op->key.len;
    queue->key.data = (u_char *) (queue + 1);
    ngx_memcpy(queue->key.data, op->key.data, op->key.len);

    queue->note = hash % NGX_HTTP_CONFLICT_WAKE_NOTES;
    queue->turns = 0;
    queue->since = ngx_current_msec;
    queue->pause = 0;

    ngx_queue_init(&queue->writes);

    ngx_rbtree_insert(&ngx_http_conflict_write_queue_tree, &queue->node);

    ngx_http_conflict_wake_wait(queue->note);

    return queue;
}


ngx_uint_t
ngx_http_conflict_write_queue_behind(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_op_t     *op;
    ngx_http_conflict_queue_t  *queue;

    ctx->turn.begun = 1;

    if (ctx->turn.number) {
        /* it has asked before, or it is the first */

        if (ctx->turn.queue) {
            ngx_http_conflict_write_queue_resume(ctx->turn.queue);
        }

        return 0;
    }

    op = ctx->op;
    ctx->turn.number = ++ngx_http_conflict_write_queue_number;

    if (ngx_http_conflict_write_queue_none() || ctx->conf->wait == 0
        || op->in.report)
    {
        return 0;
    }

    queue = ngx_http_conflict_write_queue_find(op,
                                       ngx_http_conflict_write_queue_hash(op));

    if (queue == NULL || ngx_http_conflict_write_queue_asks(op)) {
        return 0;
    }

    ctx->turn.begun = 0;
    ngx_http_conflict_write_queue_add(queue, ctx);

    return 1;
}


/*
 * Under some policies a write with a stale base does not wait.  As long as
 * another one has the lease, asking the store overtakes nobody.
 */

static ngx_uint_t
ngx_http_conflict_write_queue_asks(ngx_http_conflict_op_t *op)
{
    return op->in.pre.kinds
           && conflict_decide(op->in.policy, CONFLICT_LEASED,
                              (op->in.pre.kinds & CONFLICT_HEADERS)
                              ? CONFLICT_FAILED : CONFLICT_STALE)
              != CONFLICT_WAIT;
}


ngx_int_t
ngx_http_conflict_write_queue_join(ngx_http_conflict_ctx_t *ctx)
{
    ngx_rbtree_key_t            hash;
    ngx_http_conflict_queue_t  *queue;

    ctx->turn.begun = 0;

    if (ctx->turn.queue) {
        return NGX_OK;
    }

    hash = ngx_http_conflict_write_queue_hash(ctx->op);
    queue = ngx_http_conflict_write_queue_find(ctx->op, hash);

    if (queue == NULL) {
        queue = ngx_http_conflict_write_queue_create(ctx->op, hash);
        if (queue == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_http_conflict_write_queue_add(queue, ctx);

    return NGX_OK;
}


/* a write that has asked the store may be older than some that have not */

static void
ngx_http_conflict_write_queue_add(ngx_http_conflict_queue_t *queue,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_queue_t              *q;
    ngx_http_conflict_ctx_t  *other;

    for (q = ngx_queue_last(&queue->writes);
         q != ngx_queue_sentinel(&queue->writes);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_http_conflict_ctx_t, turn.link);

        if (other->turn.number < ctx->turn.number) {
            break;
        }
    }

    ngx_queue_insert_after(q, &ctx->turn.link);
    ctx->turn.queue = queue;
}


ngx_uint_t
ngx_http_conflict_write_queue_first(ngx_http_conflict_ctx_t *ctx)
{
    return ngx_http_conflict_write_queue_head(ctx->turn.queue) == ctx;
}


ngx_uint_t
ngx_http_conflict_write_queue_settled(ngx_http_conflict_op_t *op)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_CONFLICT_QUEUE_SETTLED; i++) {

        if (ngx_http_conflict_write_queue_last[i].fence == op->out.fence
            && ngx_http_conflict_write_queue_last[i].store == op->store)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_conflict_write_queue_leave(ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t                  first;
    ngx_http_conflict_ctx_t    *head;
    ngx_http_conflict_queue_t  *queue;

    queue = ctx->turn.queue;

    if (queue == NULL) {
        return;
    }

    /* it did wait, if less than a millisecond */
    ctx->timing.wait_time = ngx_max(ngx_current_msec - ctx->timing.wait_start,
                                    1);

    first = ngx_http_conflict_write_queue_first(ctx);

    ngx_queue_remove(&ctx->turn.link);
    ctx->turn.queue = NULL;

    if (ngx_queue_empty(&queue->writes)) {
        ngx_rbtree_delete(&ngx_http_conflict_write_queue_tree, &queue->node);

        if (ctx->turn.begun && !ctx->op->out.leased) {
            (void) ngx_http_conflict_wake_next(queue->note);
        }

        ngx_http_conflict_wake_leave(queue->note);
        ngx_free(queue);
        return;
    }

    if (ctx->turn.begun && !ctx->op->out.leased) {
        ngx_http_conflict_write_queue_pass(queue);
        return;
    }

    if (!first) {
        return;
    }

    head = ngx_http_conflict_write_queue_head(queue);

    ngx_http_conflict_write_wait_poll(head,
                                      ctx->op->out.leased
                                      ? NGX_HTTP_CONFLICT_QUEUE_HELD
                                      : NGX_HTTP_CONFLICT_QUEUE_POLL);
}


void
ngx_http_conflict_write_queue_next(ngx_http_conflict_op_t *op)
{
    ngx_uint_t                    n;
    ngx_rbtree_key_t              hash;
    ngx_http_conflict_queue_t    *queue;
    ngx_http_conflict_settled_t  *last;

    n = ngx_http_conflict_write_queue_n++ % NGX_HTTP_CONFLICT_QUEUE_SETTLED;

    last = &ngx_http_conflict_write_queue_last[n];
    last->store = op->store;
    last->fence = op->out.fence;

    if (ngx_http_conflict_write_queue_none()
        && !ngx_http_conflict_wake_any())
    {
        return;
    }

    hash = ngx_http_conflict_write_queue_hash(op);
    queue = ngx_http_conflict_write_queue_find(op, hash);

    if (queue) {
        ngx_http_conflict_write_queue_pass(queue);
        return;
    }

    (void) ngx_http_conflict_wake_next(hash % NGX_HTTP_CONFLICT_WAKE_NOTES);
}


/*
 * To the first write of the queue, unless it is the turn of another worker, or
 * of another host: these can only try again and again, so from time to time
 * the key is left alone for a moment.
 */

static void
ngx_http_conflict_write_queue_pass(ngx_http_conflict_queue_t *queue)
{
    ngx_http_conflict_ctx_t  *head;

    head = ngx_http_conflict_write_queue_head(queue);

    if (head->turn.begun) {
        /* its begin, sent before the settle, will find the lease settled */
        return;
    }

    if (ngx_http_conflict_wake_others(queue->note)
        && queue->turns++ >= NGX_HTTP_CONFLICT_QUEUE_TURNS
        && ngx_http_conflict_wake_next(queue->note) == NGX_OK)
    {
        queue->turns = 0;
        ngx_http_conflict_write_wait_poll(head, NGX_HTTP_CONFLICT_QUEUE_POLL);
        return;
    }

    if (queue->store->ops == &ngx_http_conflict_redis_ops
        && ngx_current_msec - queue->since >= NGX_HTTP_CONFLICT_QUEUE_RUN)
    {
        queue->pause = 1;
        ngx_http_conflict_write_wait_poll(head, NGX_HTTP_CONFLICT_QUEUE_PAUSE);
        (void) ngx_http_conflict_wake_next(queue->note);
        return;
    }

    ngx_http_conflict_write_queue_begin(queue);
}


static void
ngx_http_conflict_write_queue_begin(ngx_http_conflict_queue_t *queue)
{
    ngx_http_conflict_ctx_t  *head;

    ngx_http_conflict_write_queue_resume(queue);

    head = ngx_http_conflict_write_queue_head(queue);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, head->request->connection->log, 0,
                   "conflict turn: passed on to write %uL", head->turn.number);

    head->turn.begun = 1;

    ngx_http_conflict_write_wait_begin(head);
}


static void
ngx_http_conflict_write_queue_resume(ngx_http_conflict_queue_t *queue)
{
    if (queue->pause) {
        queue->pause = 0;
        queue->since = ngx_current_msec;
    }
}


/* by another worker: the first write of each queue with this note may begin */

static void
ngx_http_conflict_write_queue_woken(ngx_uint_t note)
{
    ngx_rbtree_node_t          *node;
    ngx_http_conflict_queue_t  *queue;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "conflict turn: passed on by a worker, note %ui", note);

    if (ngx_http_conflict_write_queue_none()) {
        return;
    }

    for (node = ngx_rbtree_min(ngx_http_conflict_write_queue_tree.root,
                               ngx_http_conflict_write_queue_tree.sentinel);
         node;
         node = ngx_rbtree_next(&ngx_http_conflict_write_queue_tree, node))
    {
        queue = (ngx_http_conflict_queue_t *) node;

        if (queue->note == note
            && !ngx_http_conflict_write_queue_head(queue)->turn.begun)
        {
            queue->turns = 0;
            queue->since = ngx_current_msec;
            ngx_http_conflict_write_queue_begin(queue);
        }
    }
}
