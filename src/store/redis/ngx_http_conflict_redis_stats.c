
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What this host has counted goes to Redis: by the difference to what was
 * sent before, once a second, by whichever worker has counted something.
 */


#include "store/redis/ngx_http_conflict_redis_stats.h"
#include "store/redis/ngx_http_conflict_redis_store.h"


#define NGX_HTTP_CONFLICT_REDIS_STATS_EVERY  1000    /* milliseconds */
#define NGX_HTTP_CONFLICT_REDIS_STATS_LIFE   5000


/* what was taken from a tally, to be put back where it does not arrive */

typedef struct {
    ngx_http_conflict_store_t        *store;
    ngx_http_conflict_route_stats_t  *tally;
    uint32_t                          n[NGX_HTTP_CONFLICT_COUNTS];
    ngx_http_conflict_stats_clash_t   fields[NGX_HTTP_CONFLICT_STATS_FIELDS];
} ngx_http_conflict_redis_share_t;


static void ngx_http_conflict_redis_stats_report(ngx_event_t *ev);
static ngx_int_t ngx_http_conflict_redis_stats_take(
    ngx_http_conflict_redis_share_t *share, ngx_str_t *route,
    ngx_str_t *policy);
static void ngx_http_conflict_redis_stats_put_back(
    ngx_http_conflict_redis_share_t *share);
static ngx_int_t ngx_http_conflict_redis_stats_add(
    ngx_http_conflict_redis_share_t *share, ngx_str_t *route,
    ngx_str_t *policy);
static void ngx_http_conflict_redis_stats_added(void *data, ngx_str_t *answer,
    const char *why);


void
ngx_http_conflict_redis_stats_changed(ngx_http_conflict_store_t *store)
{
    ngx_event_t  *ev;

    ev = &store->report;

    if (ev->timer_set) {
        return;
    }

    ev->handler = ngx_http_conflict_redis_stats_report;
    ev->data = store;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_CONFLICT_REDIS_STATS_EVERY);
}


static void
ngx_http_conflict_redis_stats_report(ngx_event_t *ev)
{
    ngx_http_conflict_store_t *store = ev->data;

    u_char                            text[3 * NGX_HTTP_CONFLICT_STATS_NAME + 2];
    u_char                            word[NGX_INT_T_LEN + 1];
    ngx_str_t                         route, policy;
    ngx_uint_t                        i;
    ngx_http_conflict_route_stats_t  *tally;
    ngx_http_conflict_redis_share_t  *share;

    for (i = 0; i < ngx_http_conflict_stats->n_routes; i++) {
        tally = &ngx_http_conflict_stats->route[i];

        if (!ngx_http_conflict_stats_name_is(&tally->store, &store->name)) {
            continue;
        }

        share = ngx_alloc(sizeof(ngx_http_conflict_redis_share_t), ev->log);
        if (share == NULL) {
            return;
        }

        share->store = store;
        share->tally = tally;

        route.data = text;
        policy.data = word;

        if (ngx_http_conflict_redis_stats_take(share, &route, &policy)
            != NGX_OK)
        {
            ngx_free(share);
            continue;
        }

        if (ngx_http_conflict_redis_stats_add(share, &route, &policy)
            != NGX_OK)
        {
            ngx_http_conflict_redis_stats_put_back(share);
            ngx_free(share);
            ngx_http_conflict_redis_stats_changed(store);
            return;
        }
    }
}


/* takes what was not sent yet.  NGX_DECLINED: there is nothing */

static ngx_int_t
ngx_http_conflict_redis_stats_take(ngx_http_conflict_redis_share_t *share,
    ngx_str_t *route, ngx_str_t *policy)
{
    ngx_int_t                         rc;
    ngx_uint_t                        i;
    ngx_http_conflict_stats_clash_t  *field;
    ngx_http_conflict_route_stats_t  *tally;

    tally = share->tally;
    rc = NGX_DECLINED;

    ngx_http_conflict_stats_lock();

    for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {
        share->n[i] = (uint32_t) (tally->total[i] - tally->sent[i]);
        tally->sent[i] = tally->total[i];

        if (share->n[i]) {
            rc = NGX_OK;
        }
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {
        field = &tally->fields[i];

        share->fields[i] = *field;
        share->fields[i].n = field->n - field->sent;
        field->sent = field->n;

        if (share->fields[i].n) {
            rc = NGX_OK;
        }
    }

    route->len = ngx_sprintf(route->data, "%*s\t%*s\t%*s",
                             (size_t) tally->server.len, tally->server.data,
                             (size_t) tally->location.len,
                             tally->location.data,
                             (size_t) tally->entity.len, tally->entity.data)
                 - route->data;

    policy->len = ngx_sprintf(policy->data, "%uD%s", tally->policy,
                              tally->report ? "r" : "")
                  - policy->data;

    ngx_http_conflict_stats_unlock();

    return rc;
}


static void
ngx_http_conflict_redis_stats_put_back(ngx_http_conflict_redis_share_t *share)
{
    ngx_uint_t                        i;
    ngx_http_conflict_stats_clash_t  *field;
    ngx_http_conflict_route_stats_t  *tally;

    if (ngx_http_conflict_stats == NULL) {
        return;
    }

    tally = share->tally;

    ngx_http_conflict_stats_lock();

    for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {
        tally->sent[i] -= share->n[i];
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {
        field = &tally->fields[i];

        /* unless another one has its place now */

        if (field->len == share->fields[i].len
            && ngx_memcmp(field->name, share->fields[i].name, field->len) == 0
            && field->sent >= share->fields[i].n)
        {
            field->sent -= share->fields[i].n;
        }
    }

    ngx_http_conflict_stats_unlock();
}


static ngx_int_t
ngx_http_conflict_redis_stats_add(ngx_http_conflict_redis_share_t *share,
    ngx_str_t *route, ngx_str_t *policy)
{
    u_char                           buf[ngx_http_conflict_redis_codec_room(
                                         NGX_HTTP_CONFLICT_REDIS_STATS_ARGS)];
    ngx_str_t                        arg[NGX_HTTP_CONFLICT_REDIS_STATS_ARGS];
    ngx_str_t                        name;
    ngx_uint_t                       i, n;
    const char                      *why;
    ngx_http_conflict_redis_args_t   args;

    ngx_http_conflict_redis_stats_head(share->store, &args, arg, buf, "add");
    ngx_http_conflict_redis_codec_bytes(&args,
                                  NGX_HTTP_CONFLICT_REDIS_STATS_ROUTE, route);
    ngx_http_conflict_redis_codec_bytes(&args,
                                  NGX_HTTP_CONFLICT_REDIS_STATS_POLICY, policy);

    n = 0;

    for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {
        n += (share->n[i] != 0);
    }

    ngx_http_conflict_redis_codec_number(&args,
                                  NGX_HTTP_CONFLICT_REDIS_STATS_PAIRS, n);

    for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {

        if (share->n[i]) {
            ngx_http_conflict_redis_codec_number(&args, args.n, i);
            ngx_http_conflict_redis_codec_number(&args, args.n, share->n[i]);
        }
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {

        if (share->fields[i].n) {
            name.data = share->fields[i].name;
            name.len = share->fields[i].len;
            ngx_http_conflict_redis_codec_bytes(&args, args.n, &name);
            ngx_http_conflict_redis_codec_number(&args,
                                  args.n, share->fields[i].n);
        }
    }

    return ngx_http_conflict_redis_stats_send(share->store, &args, "{stats}",
                                           ngx_http_conflict_redis_stats_added,
                                           share, &why);
}


static void
ngx_http_conflict_redis_stats_added(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_redis_share_t *share = data;

    if (answer == NULL && ngx_http_conflict_stats) {
        ngx_http_conflict_redis_stats_put_back(share);

        if (!ngx_exiting) {
            ngx_http_conflict_redis_stats_changed(share->store);
        }
    }

    ngx_free(share);
}


void
ngx_http_conflict_redis_stats_resource(ngx_http_conflict_store_t *store,
    ngx_str_t *key)
{
    u_char                          buf[ngx_http_conflict_redis_codec_room(
                                        NGX_HTTP_CONFLICT_REDIS_ARGS)];
    ngx_str_t                       arg[NGX_HTTP_CONFLICT_REDIS_ARGS], text;
    ngx_http_conflict_stats_name_t  name;
    ngx_http_conflict_redis_args_t  args;

    ngx_http_conflict_stats_name(&name, key);

    text.data = name.data;
    text.len = name.len;

    ngx_http_conflict_redis_stats_head(store, &args, arg, buf, "often");
    ngx_http_conflict_redis_codec_bytes(&args,
                                 NGX_HTTP_CONFLICT_REDIS_STATS_RESOURCE, &text);
    ngx_http_conflict_redis_stats_note(store, &args);
}


void
ngx_http_conflict_redis_stats_lock(ngx_http_conflict_op_t *op)
{
    u_char                          buf[ngx_http_conflict_redis_codec_room(
                                        NGX_HTTP_CONFLICT_REDIS_ARGS)];
    ngx_str_t                       arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    ngx_str_t                       text[3];
    ngx_uint_t                      i, held;
    ngx_http_conflict_lock_t       *lock;
    ngx_http_conflict_stats_name_t  name[3];
    ngx_http_conflict_redis_args_t  args;

    if (ngx_http_conflict_stats == NULL) {
        return;
    }

    lock = &op->lock;

    switch (lock->result) {

    case NGX_HTTP_CONFLICT_LOCK_OWN:
    case NGX_HTTP_CONFLICT_LOCK_GRANTED:
    case NGX_HTTP_CONFLICT_LOCK_TAKEN:

        if (lock->verb != NGX_HTTP_CONFLICT_LOCK_ACQUIRE) {
            return;
        }

        held = 1;
        break;

    case NGX_HTTP_CONFLICT_LOCK_RELEASED:
    case NGX_HTTP_CONFLICT_LOCK_FORCED:
    case NGX_HTTP_CONFLICT_LOCK_TOO_MANY:
        held = 0;
        break;

    default:
        return;
    }

    /* who renews it by its token need not be whose it is */

    ngx_http_conflict_stats_name(&name[0], &op->key);
    ngx_http_conflict_stats_name(&name[1], &lock->holder);
    ngx_http_conflict_stats_name(&name[2],
                                 (lock->result == NGX_HTTP_CONFLICT_LOCK_OWN)
                                 ? &lock->origin : &lock->client);

    for (i = 0; i < 3; i++) {
        text[i].data = name[i].data;
        text[i].len = name[i].len;
    }

    ngx_http_conflict_redis_stats_head(op->store, &args, arg, buf,
                                       held ? "lock" : "unlock");
    ngx_http_conflict_redis_codec_bytes(&args,
                        NGX_HTTP_CONFLICT_REDIS_STATS_RESOURCE, &text[0]);
    ngx_http_conflict_redis_codec_number(&args,
                        NGX_HTTP_CONFLICT_REDIS_STATS_IDLE, lock->idle);
    ngx_http_conflict_redis_codec_number(&args,
                        NGX_HTTP_CONFLICT_REDIS_STATS_ACQUIRED, lock->acquired);
    ngx_http_conflict_redis_codec_bytes(&args,
                        NGX_HTTP_CONFLICT_REDIS_STATS_USER, &text[1]);
    ngx_http_conflict_redis_codec_bytes(&args,
                        NGX_HTTP_CONFLICT_REDIS_STATS_CLIENT, &text[2]);
    ngx_http_conflict_redis_stats_note(op->store, &args);
}


void
ngx_http_conflict_redis_stats_head(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, ngx_str_t *arg, u_char *buf,
    const char *verb)
{
    ngx_http_conflict_redis_codec_head(store, args, arg, buf,
                                       ngx_http_conflict_redis_codec_token());
    ngx_http_conflict_redis_codec_text(args, NGX_HTTP_CONFLICT_REDIS_STATS_VERB,
                                       verb);
}


ngx_int_t
ngx_http_conflict_redis_stats_send(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, const char *name,
    ngx_http_conflict_redis_pt handler, void *data, const char **why)
{
    u_char                           text[256 + 16];
    ngx_str_t                        key;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = ngx_http_conflict_redis_client_conf(store->data);

    key.data = text;
    key.len = ngx_sprintf(text, "%V%s", &conf->prefix, name) - text;

    return ngx_http_conflict_redis_call_send(store->data,
                                             NGX_HTTP_CONFLICT_REDIS_STATS,
                                             &key, NULL, args->arg, args->n,
                                             NGX_HTTP_CONFLICT_REDIS_STATS_LIFE,
                                             0, handler, data, why);
}


void
ngx_http_conflict_redis_stats_note(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args)
{
    const char  *why;

    (void) ngx_http_conflict_redis_stats_send(store, args, "{stats}",
                                          ngx_http_conflict_redis_query_ignore,
                                          NULL, &why);
}
