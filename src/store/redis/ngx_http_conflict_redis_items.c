
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Redis store: versions of the items of a list.  Times are those of the
 * server that has the entry; the marks of all servers are taken before.
 */


#include "store/redis/ngx_http_conflict_redis_words.h"
#include "core/policy/conflict_version.h"
#include "core/text/conflict_decimal.h"


#define NGX_HTTP_CONFLICT_REDIS_ITEMS_CALL     100    /* keys of a call */
#define NGX_HTTP_CONFLICT_REDIS_ITEMS_SERVERS  32
#define NGX_HTTP_CONFLICT_REDIS_ITEMS_RUN      16     /* bytes */

/*
 * Milliseconds.  How much a server's clock may have been set back between mark
 * and answer without being noticed, so an entry has to be so much older than
 * the mark.
 */
#define NGX_HTTP_CONFLICT_REDIS_ITEMS_MARGIN   100


/* a server, identified by its run id, before the list was requested */

typedef struct {
    u_char                           run[NGX_HTTP_CONFLICT_REDIS_ITEMS_RUN];
    int64_t                          clock;      /* msec */
    int64_t                          evicted;
} ngx_http_conflict_redis_server_t;


typedef struct {
    ngx_http_conflict_redis_server_t  server[
                                        NGX_HTTP_CONFLICT_REDIS_ITEMS_SERVERS];
    ngx_uint_t                        n;
    int64_t                           sent;      /* msec, local clock */
    ngx_uint_t                        calls;     /* not answered yet, and one
                                                    while they are sent */
} ngx_http_conflict_redis_marks_t;


typedef struct {
    ngx_http_conflict_op_t           *op;
    ngx_uint_t                        first;
    ngx_uint_t                        n;
} ngx_http_conflict_redis_items_call_t;


/* how an answer begins; times are milliseconds */

typedef struct {
    ngx_str_t                         run;
    int64_t                           since;
    int64_t                           clock;
    int64_t                           evicted;
} ngx_http_conflict_redis_items_head_t;


static void ngx_http_conflict_redis_items_marked(void *data,
    ngx_str_t *answer, const char *why);
static void ngx_http_conflict_redis_items_send(ngx_http_conflict_op_t *op,
    ngx_uint_t first, ngx_uint_t n);
static void ngx_http_conflict_redis_items_answered(void *data,
    ngx_str_t *answer, const char *why);
static void ngx_http_conflict_redis_items_take(ngx_http_conflict_op_t *op,
    ngx_uint_t first, ngx_uint_t n, ngx_str_t *answer);
static ngx_http_conflict_redis_server_t *ngx_http_conflict_redis_items_server(
    ngx_http_conflict_op_t *op, ngx_http_conflict_redis_items_head_t *head);
static ngx_int_t ngx_http_conflict_redis_items_head(ngx_str_t *answer,
    ngx_http_conflict_redis_words_t *a,
    ngx_http_conflict_redis_items_head_t *head);
static void ngx_http_conflict_redis_items_end(ngx_http_conflict_op_t *op);


ngx_int_t
ngx_http_conflict_redis_items_mark(ngx_http_conflict_op_t *op)
{
    ngx_str_t                         names[
                                        NGX_HTTP_CONFLICT_REDIS_ITEMS_SERVERS];
    ngx_uint_t                        i, n;
    const char                       *why;
    ngx_http_conflict_redis_args_t    args;
    ngx_http_conflict_redis_conf_t   *conf;
    ngx_http_conflict_redis_marks_t  *marks;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);

    op->out.error = NGX_HTTP_CONFLICT_STORE_DOWN;
    op->rc = NGX_ERROR;

    if (!ngx_http_conflict_predecessor_gone(op->store->predecessors,
                                            &op->store->n_predecessors,
                                            &op->store->predecessors_checked))
    {
        op->out.error = NGX_HTTP_CONFLICT_STORE_GENERATION;
        return NGX_ERROR;
    }

    marks = ngx_calloc(sizeof(ngx_http_conflict_redis_marks_t), ngx_cycle->log);
    if (marks == NULL) {
        return NGX_ERROR;
    }

    op->mark = marks;
    marks->sent = ngx_http_conflict_clock_msec();

    n = ngx_http_conflict_redis_cluster_servers(op->store->data, names,
                                        NGX_HTTP_CONFLICT_REDIS_ITEMS_SERVERS);
    if (n == 0) {
        names[0] = op->key;
        n = 1;
    }

    op->busy = 1;
    marks->calls = 1;

    for (i = 0; i < n; i++) {

        ngx_http_conflict_redis_codec_verb(op->store, &args, "mark");
        args.key = &names[i];

        if (ngx_http_conflict_redis_query_send(op,
                                         NGX_HTTP_CONFLICT_REDIS_ITEMS, &args,
                                         conf->timeout, 0,
                                         ngx_http_conflict_redis_items_marked,
                                         op, &why)
            == NGX_OK)
        {
            marks->calls++;
        }
    }

    if (--marks->calls == 0) {
        op->busy = 0;
        return op->rc;
    }

    return NGX_AGAIN;
}


static void
ngx_http_conflict_redis_items_marked(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_op_t *op = data;

    ngx_http_conflict_redis_marks_t       *marks;
    ngx_http_conflict_redis_server_t      *server;
    ngx_http_conflict_redis_words_t        a;
    ngx_http_conflict_redis_items_head_t   head;

    marks = op->mark;

    if (answer && marks->n < NGX_HTTP_CONFLICT_REDIS_ITEMS_SERVERS) {
        ngx_http_conflict_redis_answer_incarnation(op->store, answer);

        if (ngx_http_conflict_redis_items_head(answer, &a, &head) == NGX_OK) {
            server = &marks->server[marks->n++];

            ngx_memcpy(server->run, head.run.data,
                       NGX_HTTP_CONFLICT_REDIS_ITEMS_RUN);
            server->clock = head.clock;
            server->evicted = head.evicted;

            op->rc = NGX_OK;
        }
    }

    ngx_http_conflict_redis_items_end(op);
}


ngx_int_t
ngx_http_conflict_redis_items_versions(ngx_http_conflict_op_t *op)
{
    ngx_uint_t                        i, n, most;
    ngx_http_conflict_redis_conf_t   *conf;
    ngx_http_conflict_redis_marks_t  *marks;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);
    marks = op->mark;

    /* each key has a slot of its own in a cluster */
    most = conf->cluster ? 1 : NGX_HTTP_CONFLICT_REDIS_ITEMS_CALL;

    op->rc = NGX_OK;
    op->busy = 1;
    marks->calls = 1;

    for (i = 0; i < op->nitems; i += n) {
        n = ngx_min(op->nitems - i, most);
        ngx_http_conflict_redis_items_send(op, i, n);
    }

    if (--marks->calls == 0) {
        op->busy = 0;
        return NGX_OK;
    }

    return NGX_AGAIN;
}


/* without a call, or an answer, the items have no version */

static void
ngx_http_conflict_redis_items_send(ngx_http_conflict_op_t *op,
    ngx_uint_t first, ngx_uint_t n)
{
    u_char                               *p;
    size_t                                size;
    ngx_str_t                             more[
                                           NGX_HTTP_CONFLICT_REDIS_ITEMS_CALL];
    ngx_uint_t                            i;
    const char                           *why;
    ngx_http_conflict_item_t             *item;
    ngx_http_conflict_redis_args_t        args;
    ngx_http_conflict_redis_conf_t       *conf;
    ngx_http_conflict_redis_marks_t      *marks;
    ngx_http_conflict_redis_items_call_t *call;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);
    marks = op->mark;
    item = &op->items[first];
    size = 0;

    for (i = 1; i < n; i++) {
        size += ngx_http_conflict_redis_query_key_len(conf, &item[i].key);
    }

    call = ngx_alloc(sizeof(ngx_http_conflict_redis_items_call_t) + size,
                     ngx_cycle->log);
    if (call == NULL) {
        return;
    }

    call->op = op;
    call->first = first;
    call->n = n;

    p = (u_char *) &call[1];

    for (i = 1; i < n; i++) {
        more[i - 1].data = p;
        p = ngx_http_conflict_redis_query_key(p, conf, &item[i].key);
        more[i - 1].len = p - more[i - 1].data;
    }

    ngx_http_conflict_redis_codec_verb(op->store, &args, "versions");
    args.key = &item->key;
    args.more = more;
    args.nmore = n - 1;

    if (ngx_http_conflict_redis_query_send(op, NGX_HTTP_CONFLICT_REDIS_ITEMS,
                                       &args, conf->timeout, 0,
                                       ngx_http_conflict_redis_items_answered,
                                       call, &why)
        != NGX_OK)
    {
        ngx_free(call);
        return;
    }

    marks->calls++;
}


static void
ngx_http_conflict_redis_items_answered(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_redis_items_call_t *call = data;

    ngx_http_conflict_op_t  *op;

    op = call->op;

    if (answer) {
        ngx_http_conflict_redis_answer_incarnation(op->store, answer);
        ngx_http_conflict_redis_items_take(op, call->first, call->n, answer);
    }

    ngx_free(call);

    ngx_http_conflict_redis_items_end(op);
}


static void
ngx_http_conflict_redis_items_take(ngx_http_conflict_op_t *op,
    ngx_uint_t first, ngx_uint_t n, ngx_str_t *answer)
{
    uint64_t                               version, saved;
    ngx_str_t                              word;
    ngx_uint_t                             i;
    ngx_http_conflict_item_t              *item;
    ngx_http_conflict_redis_words_t        a;
    ngx_http_conflict_redis_server_t      *server;
    ngx_http_conflict_redis_items_head_t   head;

    item = &op->items[first];

    if (ngx_http_conflict_redis_items_head(answer, &a, &head) != NGX_OK) {
        return;
    }

    server = ngx_http_conflict_redis_items_server(op, &head);
    if (server == NULL) {
        return;
    }

    for (i = 0; i < n; i++) {

        if (ngx_http_conflict_redis_words_number(&a, UINT64_MAX, &version)
            != NGX_OK
            || ngx_http_conflict_redis_words_text(&a, &word) != NGX_OK)
        {
            return;
        }

        if (version == 0 || version >= CONFLICT_VERSION_LIMIT) {
            continue;
        }

        if (word.len == 3 && ngx_strncmp(word.data, "new", 3) == 0) {

            /* its entry was not lost, so no write has begun since the mark */

            if (head.evicted == server->evicted) {
                item[i].version = version;
            }

            continue;
        }

        if (conflict_decimal_parse(word.data, word.data + word.len, INT64_MAX,
                                   &saved)
            == NULL)
        {
            /* "-": in use, or unknown */
            continue;
        }

#if (CONFLICT_BROKEN == 10)
        saved = 0;
#endif

        if ((int64_t) saved
            <= server->clock - NGX_HTTP_CONFLICT_REDIS_ITEMS_MARGIN)
        {
            item[i].version = version;
        }
    }
}


/*
 * The mark of the server that has answered; NULL: there is none, or its clock
 * was set, or keys may have been lost since.
 */

static ngx_http_conflict_redis_server_t *
ngx_http_conflict_redis_items_server(ngx_http_conflict_op_t *op,
    ngx_http_conflict_redis_items_head_t *head)
{
    int64_t                            elapsed;
    ngx_uint_t                         i;
    ngx_http_conflict_redis_conf_t    *conf;
    ngx_http_conflict_redis_marks_t   *marks;
    ngx_http_conflict_redis_server_t  *server;

    conf = ngx_http_conflict_redis_client_conf(op->store->data);
    marks = op->mark;

    if (conf->cluster && conf->trust) {
        /* a slot may have come from a server with another clock */
        return NULL;
    }

    for (i = 0; i < marks->n; i++) {
        server = &marks->server[i];

        if (ngx_memcmp(server->run, head->run.data,
                       NGX_HTTP_CONFLICT_REDIS_ITEMS_RUN)
            != 0)
        {
            continue;
        }

        elapsed = head->clock - server->clock;

        if (head->since < server->clock
            && elapsed < (int64_t) conf->ttl
            && elapsed + NGX_HTTP_CONFLICT_REDIS_ITEMS_MARGIN
               >= ngx_http_conflict_clock_msec() - marks->sent)
        {
            return server;
        }

        return NULL;
    }

    return NULL;
}


/* token, incarnation, run, since, clock, evicted keys; "a" is at the rest */

static ngx_int_t
ngx_http_conflict_redis_items_head(ngx_str_t *answer,
    ngx_http_conflict_redis_words_t *a,
    ngx_http_conflict_redis_items_head_t *head)
{
    uint64_t  incarnation, since, clock, evicted;

    a->p = answer->data + NGX_HTTP_CONFLICT_REDIS_TOKEN;
    a->last = answer->data + answer->len;

    if (ngx_http_conflict_redis_words_number(a, UINT64_MAX, &incarnation)
        != NGX_OK
        || ngx_http_conflict_redis_words_text(a, &head->run) != NGX_OK
        || head->run.len != NGX_HTTP_CONFLICT_REDIS_ITEMS_RUN
        || ngx_http_conflict_redis_words_number(a, INT64_MAX, &since) != NGX_OK
        || ngx_http_conflict_redis_words_number(a, INT64_MAX, &clock) != NGX_OK
        || ngx_http_conflict_redis_words_number(a, INT64_MAX, &evicted)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    head->since = (int64_t) since;
    head->clock = (int64_t) clock;
    head->evicted = (int64_t) evicted;

    return NGX_OK;
}


static void
ngx_http_conflict_redis_items_end(ngx_http_conflict_op_t *op)
{
    ngx_http_conflict_redis_marks_t  *marks;

    marks = op->mark;

    if (--marks->calls) {
        return;
    }

    op->busy = 0;
    ngx_http_conflict_redis_query_done(op);
}
