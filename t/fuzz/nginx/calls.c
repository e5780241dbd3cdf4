
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: what Redis answers to the calls for lists, blobs, versions and
 * events.  The first byte is what is asked; then come the answers, each ended
 * by a zero: calls get them as they were sent, without RESP.
 */


#include <jansson.h>

#include "../lib/inside.h"
#include "events/ngx_http_conflict_events.h"
#include "feed/ngx_http_conflict_feed_state.h"
#include "http/ngx_http_conflict_writer.h"
#include "redis_client/ngx_http_conflict_redis_connection.h"
#include "store/ngx_http_conflict_blob.h"
#include "versions/ngx_http_conflict_versions.h"


#define CALLS  32
#define ITEMS  3


typedef struct {
    ngx_http_conflict_redis_pt   handler;
    void                        *data;
    u_char                       token[NGX_HTTP_CONFLICT_REDIS_TOKEN];
    size_t                       len;        /* of the token */
} fuzz_call_t;


static ngx_http_conflict_redis_t   client;
static ngx_http_conflict_store_t   store;
static ngx_http_conflict_feed_t    feed;
static ngx_cycle_t                 cycle;

static fuzz_call_t                 calls[CALLS];
static ngx_uint_t                  ncalls;
static const uint8_t              *input, *input_last;
static size_t                      answered;     /* bytes */


/* the module's calls arrive here */

ngx_int_t
ngx_http_conflict_redis_call_send(ngx_http_conflict_redis_t *c,
    ngx_http_conflict_redis_command_t *command, ngx_msec_t life,
    ngx_uint_t flags, ngx_http_conflict_redis_pt handler, void *data,
    const char **why)
{
    fuzz_call_t  *call;

    if (ncalls == CALLS) {
        *why = "too many";
        return NGX_ERROR;
    }

    call = &calls[ncalls++];

    call->handler = handler;
    call->data = data;
    call->len = 0;

    if (command->script != NGX_HTTP_CONFLICT_REDIS_NONE) {
        call->len = command->args[0].len;

        if (call->len != NGX_HTTP_CONFLICT_REDIS_TOKEN) {
            abort();
        }

        ngx_memcpy(call->token, command->args[0].data, call->len);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_conflict_redis_cluster_servers(ngx_http_conflict_redis_t *c,
    ngx_str_t *names, ngx_uint_t max)
{
    if (!client.conf.cluster) {
        return 0;
    }

    ngx_str_set(&names[0], "a");
    ngx_str_set(&names[1], "b");

    return 2;
}


ngx_http_conflict_redis_t *
ngx_http_conflict_redis_client_second(ngx_http_conflict_redis_t *c,
    ngx_msec_t margin, ngx_cycle_t *cy)
{
    return c;
}


/* the answer of an endpoint must be JSON */

ngx_int_t
ngx_http_conflict_capture_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out)
{
    u_char  *text, *p;
    json_t  *json;

    text = malloc(r->headers_out.content_length_n);
    p = text;

    for ( /* void */ ; out; out = out->next) {
        p = ngx_cpymem(p, out->buf->pos, out->buf->last - out->buf->pos);
    }

    if (p - text != r->headers_out.content_length_n) {
        abort();
    }

    /* a body is what the client was shown, as the store has it */

    if (ctx->op->in.pre.base == 0) {
        json = json_loadb((char *) text, p - text, JSON_ALLOW_NUL, NULL);

        if (json == NULL) {
            abort();
        }

        json_decref(json);
    }

    free(text);

    return NGX_OK;
}


/* the oldest call gets the next answer, or none */

static void
answer(void)
{
    size_t          n;
    u_char         *text;
    ngx_str_t       reply;
    fuzz_call_t     call;
    const uint8_t  *end;

    call = calls[0];
    ncalls--;
    ngx_memmove(&calls[0], &calls[1], ncalls * sizeof(fuzz_call_t));

    if (input == input_last) {
        call.handler(call.data, NULL, "no answer");
        return;
    }

    end = memchr(input, 0, input_last - input);
    n = (end ? end : input_last) - input;

    /* nothing behind it may be read */

    reply.len = call.len + n;
    text = malloc(ngx_max(reply.len, 1));
    reply.data = text;
    ngx_memcpy(ngx_cpymem(text, call.token, call.len), input, n);

    input += n + (end != NULL);
    answered += n;

    call.handler(call.data, &reply, NULL);

    free(text);
}


static void
done(ngx_http_conflict_op_t *op)
{
    /* op->rc is set */
}


static ngx_int_t
run(ngx_http_conflict_op_t *op, ngx_http_conflict_op_pt call)
{
    ngx_int_t  rc;

    op->rc = NGX_ERROR;
    rc = call(op);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    while (ncalls) {
        answer();
    }

    if (op->busy) {
        abort();
    }

    return op->rc;
}


static ngx_http_conflict_op_t *
create(ngx_http_conflict_op_t *op)
{
    static ngx_http_request_t  request;

    if (op == NULL) {
        abort();
    }

    op->request = &request;
    op->done = done;
    op->in.minted = 1;
    op->in.view = 1;

    return op;
}


/* a version is shown only if a server has both marked and answered */

static void
items(ngx_str_t *key)
{
    u_char                  *p;
    ngx_uint_t               i;
    ngx_http_conflict_op_t  *op;

    op = create(ngx_http_conflict_op_create(NULL, &store, key, 0));

    if (run(op, store.ops->mark) == NGX_OK) {

        if (ngx_http_conflict_op_items(op, ITEMS, ITEMS, &p) != NGX_OK) {
            abort();
        }

        for (i = 0; i < ITEMS; i++) {
            op->items[i].key.data = p;
            op->items[i].key.len = 1;
            *p++ = '1' + i;
        }

        answered = 0;
        (void) run(op, store.ops->items);

        for (i = 0; i < ITEMS; i++) {

            if (op->items[i].version >= CONFLICT_VERSION_LIMIT
                || (op->items[i].version && answered == 0))
            {
                abort();
            }
        }
    }

    ngx_http_conflict_op_release(op);
}


static void
blobs(ngx_str_t *key, ngx_http_conflict_blob_verb_e verb)
{
    size_t                           size;
    ngx_uint_t                       i;
    ngx_http_conflict_op_t          *op;
    ngx_http_conflict_blob_t        *blob;
    ngx_http_conflict_blob_found_t  *found;

    op = create(ngx_http_conflict_blob_create(NULL, &store, key));
    blob = op->blob;

    blob->in.verb = verb;
    blob->in.kind = NGX_HTTP_CONFLICT_BLOB_HELD;
    blob->in.id = *key;
    blob->in.body = *key;
    blob->in.ttl = 1000;
    blob->in.from = 1;
    blob->in.token = 1;
    blob->in.lease = 1;
    blob->in.indexes = 1;
    blob->in.index[0].name = *key;
    blob->in.max = NGX_HTTP_CONFLICT_BLOB_MAX;

    if (run(op, store.ops->blob) == NGX_OK) {
        size = 0;

        for (i = 0; i < blob->out.n; i++) {
            found = &blob->out.found[i];

            if (found->head.data != found->id.data + found->id.len
                || found->body.data != found->head.data + found->head.len)
            {
                abort();
            }

            size += found->id.len + found->head.len + found->body.len;
        }

        if (blob->out.n > NGX_HTTP_CONFLICT_BLOB_MAX || size > answered) {
            abort();
        }
    }

    ngx_http_conflict_op_release(op);
}


static void
versions(ngx_str_t *key, uint64_t base)
{
    ngx_http_request_t             r;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_ctx_t        ctx;
    ngx_http_core_srv_conf_t      *cscf;
    ngx_http_conflict_loc_conf_t   conf;

    cscf = fuzz_server();
    conf = *(ngx_http_conflict_loc_conf_t *)
           cscf->ctx->loc_conf[ngx_http_conflict_module.ctx_index];
    conf.versions = 1;

    op = create(ngx_http_conflict_op_create(NULL, &store, key, 0));
    op->in.pre.base = base;

    if (run(op, store.ops->versions) == NGX_OK
        && (base == 0 || op->out.base_held))
    {
        ngx_memzero(&ctx, sizeof(ctx));
        ngx_memzero(&r, sizeof(r));

        r.pool = cycle.pool;
        r.main = &r;
        r.discard_body = 1;
        r.ctx = ngx_pcalloc(r.pool, ngx_http_max_module * sizeof(void *));
        r.ctx[ngx_http_conflict_module.ctx_index] = &ctx;
        (void) ngx_list_init(&r.headers_out.headers, r.pool, 4,
                             sizeof(ngx_table_elt_t));

        ctx.request = &r;
        ctx.conf = &conf;
        ctx.op = op;
        ctx.target.resource = *key;
        ctx.version.current = 1764100000003;

        (void) ngx_http_conflict_versions_answer(&r);
    }

    ngx_http_conflict_op_release(op);
}


/* what is told so far: as a stream of lines, or JSON */

static void
tell(ngx_http_conflict_events_t *stream)
{
    json_t     *json;
    ngx_int_t   rc;
    ngx_str_t   text;

    rc = ngx_http_conflict_events_text(stream, cycle.pool, stream->poll, &text);

    if (rc == NGX_ERROR) {
        abort();
    }

    if (stream->poll && rc == NGX_OK) {
        json = json_loadb((char *) text.data, text.len, JSON_ALLOW_NUL, NULL);

        if (json == NULL) {
            abort();
        }

        json_decref(json);
    }
}


static void
events(ngx_str_t *key, ngx_uint_t poll)
{
    ngx_uint_t                        n;
    ngx_table_elt_t                  *h;
    ngx_http_request_t                r;
    ngx_http_conflict_ctx_t           ctx;
    ngx_http_conflict_events_t        stream;
    ngx_http_conflict_events_item_t   item;

    ngx_memzero(&feed, sizeof(feed));
    feed.store = &store;
    feed.cycle = &cycle;
    ngx_rbtree_init(&feed.tree, &feed.sentinel, ngx_rbtree_insert_value);
    ngx_queue_init(&feed.topics);
    ngx_queue_init(&feed.pasts);

    if (ngx_http_conflict_feed_redis_start(&feed) != NGX_OK) {
        abort();
    }

    ngx_memzero(&r, sizeof(r));
    (void) ngx_list_init(&r.headers_in.headers, cycle.pool, 1,
                         sizeof(ngx_table_elt_t));
    h = ngx_list_push(&r.headers_in.headers);
    h->hash = 1;
    ngx_str_set(&h->key, "Last-Event-ID");
    h->lowcase_key = (u_char *) "last-event-id";
    ngx_str_set(&h->value, "1-1");

    ngx_memzero(&ctx, sizeof(ctx));
    ngx_str_set(&ctx.caller.user, "ann");

    ngx_memzero(&stream, sizeof(stream));
    ngx_memzero(&item, sizeof(item));
    stream.request = &r;
    stream.ctx = &ctx;
    stream.feed = &feed;
    stream.items = &item;
    stream.n = 1;
    stream.poll = poll;

    /* it is not sent */
    stream.queued = 1;

    item.stream = &stream;
    item.name = *key;
    item.key = *key;
    item.allowed = 1;
    item.minted = 1;

    if (ngx_http_conflict_events_listen(&stream) != NGX_OK) {
        abort();
    }

    for (n = 0; ncalls && input < input_last; n++) {
        answer();
        tell(&stream);
    }

    ngx_http_conflict_events_listen_end(&stream);

    while (ncalls) {
        answer();
    }

    if (feed.n || !ngx_queue_empty(&feed.pasts)) {
        abort();
    }
}


static void
once(void)
{
    if (store.ops) {
        return;
    }

    cycle = *ngx_cycle;

    ngx_str_set(&client.conf.name, "fuzz");
    ngx_str_set(&client.conf.prefix, "conflict:");
    client.conf.timeout = 100;
    client.conf.ttl = 60000;

    store.name = client.conf.name;
    store.ops = &ngx_http_conflict_redis_ops;
    store.data = &client;
    store.lease = 1000;
    store.quarantine = 1000;
    store.locks = 1;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_str_t  key;

    if (size == 0) {
        return 0;
    }

    once();

    cycle.pool = ngx_create_pool(4096, ngx_cycle->log);
    ngx_str_set(&key, "/a");

    input = data + 1;
    input_last = data + size;
    answered = 0;

    client.conf.cluster = 0;
    client.conf.trust = 0;

    switch (data[0] % 8) {

    case 0:
        items(&key);
        break;

    case 1:
        client.conf.cluster = 1;
        items(&key);
        break;

    case 2:
        blobs(&key, NGX_HTTP_CONFLICT_BLOB_CLAIM);
        break;

    case 3:
        blobs(&key, NGX_HTTP_CONFLICT_BLOB_LIST);
        break;

    case 4:
        versions(&key, 0);
        break;

    case 5:
        versions(&key, 1764100000001);
        break;

    default:
        events(&key, data[0] % 2);
    }

    if (ncalls) {
        abort();
    }

    ngx_destroy_pool(cycle.pool);

    return 0;
}
