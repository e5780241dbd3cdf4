
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The counters of this host are added to those in Redis: once a second, a
 * worker that has counted something sends the difference to what was sent.  If
 * there is no answer, any worker sends the same one again before the next.
 */


#include "store/redis/ngx_http_conflict_redis_stats.h"
#include "store/redis/ngx_http_conflict_redis_store.h"


#define NGX_HTTP_CONFLICT_REDIS_STATS_EVERY  1000    /* milliseconds */
#define NGX_HTTP_CONFLICT_REDIS_STATS_LIFE   5000


/* what is sent of the counters of a route */

typedef struct {
    ngx_http_conflict_store_t        *store;
    ngx_http_conflict_route_stats_t  *stats;
    uint64_t                          sender;
    uint64_t                          number;
    uint32_t                          n[NGX_HTTP_CONFLICT_COUNTS];
    ngx_http_conflict_stats_clash_t   fields[NGX_HTTP_CONFLICT_STATS_FIELDS];
} ngx_http_conflict_redis_delta_t;


static void ngx_http_conflict_redis_stats_report(ngx_event_t *ev);
static ngx_int_t ngx_http_conflict_redis_stats_take(
    ngx_http_conflict_redis_delta_t *delta, ngx_str_t *route,
    ngx_str_t *policy);
static ngx_int_t ngx_http_conflict_redis_stats_add(
    ngx_http_conflict_redis_delta_t *delta, ngx_str_t *route,
    ngx_str_t *policy);
static void ngx_http_conflict_redis_stats_added(void *data, ngx_str_t *answer,
    const char *why);
static ngx_uint_t ngx_http_conflict_redis_stats_answered(
    ngx_http_conflict_redis_delta_t *delta);
static void ngx_http_conflict_redis_stats_post(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args);


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

    u_char                            name[3 * NGX_HTTP_CONFLICT_STATS_NAME
                                           + 2];
    u_char                            word[NGX_INT_T_LEN + 1];
    ngx_str_t                         route, policy;
    ngx_uint_t                        i;
    ngx_http_conflict_route_stats_t  *stats;
    ngx_http_conflict_redis_delta_t  *delta;

    for (i = 0; i < ngx_http_conflict_stats->n_routes; i++) {
        stats = &ngx_http_conflict_stats->route[i];

        if (!ngx_http_conflict_stats_name_is(&stats->store, &store->name)) {
            continue;
        }

        delta = ngx_alloc(sizeof(ngx_http_conflict_redis_delta_t), ev->log);
        if (delta == NULL) {
            return;
        }

        delta->store = store;
        delta->stats = stats;

        route.data = name;
        policy.data = word;

        if (ngx_http_conflict_redis_stats_take(delta, &route, &policy)
            != NGX_OK)
        {
            ngx_free(delta);
            continue;
        }

        if (ngx_http_conflict_redis_stats_add(delta, &route, &policy)
            != NGX_OK)
        {
            ngx_free(delta);
            ngx_http_conflict_redis_stats_changed(store);
            return;
        }
    }
}


/*
 * Takes the counts that were sent without an answer, or else those that were
 * not sent yet.  NGX_DECLINED: there are none.
 */

static ngx_int_t
ngx_http_conflict_redis_stats_take(ngx_http_conflict_redis_delta_t *delta,
    ngx_str_t *route, ngx_str_t *policy)
{
    ngx_int_t                         rc;
    ngx_uint_t                        i, next;
    ngx_http_conflict_stats_clash_t  *field;
    ngx_http_conflict_route_stats_t  *stats;

    stats = delta->stats;

    ngx_http_conflict_stats_lock();

    next = (stats->n_sent == stats->n_added);
    rc = next ? NGX_DECLINED : NGX_OK;

    for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {

        if (next) {
            stats->sent[i] = stats->total[i];
        }

        delta->n[i] = (uint32_t) (stats->sent[i] - stats->added[i]);

        if (delta->n[i]) {
            rc = NGX_OK;
        }
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {
        field = &stats->fields[i];

        if (next) {
            field->sent = field->n;
        }

        delta->fields[i] = *field;
        delta->fields[i].n = field->sent - field->added;

        if (delta->fields[i].n) {
            rc = NGX_OK;
        }
    }

    if (stats->sender == 0) {
        stats->sender = ngx_http_conflict_redis_codec_token();
    }

    if (next && rc == NGX_OK) {
        stats->n_sent++;
    }

    delta->sender = stats->sender;
    delta->number = stats->n_sent;

    route->len = ngx_sprintf(route->data, "%*s\t%*s\t%*s",
                             (size_t) stats->server.len, stats->server.data,
                             (size_t) stats->location.len,
                             stats->location.data,
                             (size_t) stats->entity.len, stats->entity.data)
                 - route->data;

    policy->len = ngx_sprintf(policy->data, "%uD%s", stats->policy,
                              stats->report ? "r" : "")
                  - policy->data;

    ngx_http_conflict_stats_unlock();

    return rc;
}


static ngx_int_t
ngx_http_conflict_redis_stats_add(ngx_http_conflict_redis_delta_t *delta,
    ngx_str_t *route, ngx_str_t *policy)
{
    u_char                           buf[ngx_http_conflict_redis_codec_room(
                                         NGX_HTTP_CONFLICT_REDIS_STATS_ARGS)];
    ngx_str_t                        arg[NGX_HTTP_CONFLICT_REDIS_STATS_ARGS];
    ngx_str_t                        name;
    ngx_uint_t                       i, n;
    const char                      *why;
    ngx_http_conflict_redis_args_t   args;

    ngx_http_conflict_redis_codec_head(delta->store, &args, arg, buf,
                                       ngx_http_conflict_redis_codec_token());
    ngx_http_conflict_redis_codec_text(&args,
                                  NGX_HTTP_CONFLICT_REDIS_STATS_VERB, "add");
    ngx_http_conflict_redis_codec_bytes(&args,
                                  NGX_HTTP_CONFLICT_REDIS_STATS_ROUTE, route);
    ngx_http_conflict_redis_codec_bytes(&args,
                                  NGX_HTTP_CONFLICT_REDIS_STATS_POLICY, policy);
    ngx_http_conflict_redis_codec_link(&args,
                                  NGX_HTTP_CONFLICT_REDIS_STATS_SENDER, "",
                                  delta->sender, "");
    ngx_http_conflict_redis_codec_number(&args,
                                  NGX_HTTP_CONFLICT_REDIS_STATS_NUMBER,
                                  delta->number);

    n = 0;

    for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {
        n += (delta->n[i] != 0);
    }

    ngx_http_conflict_redis_codec_number(&args,
                                  NGX_HTTP_CONFLICT_REDIS_STATS_PAIRS, n);

    for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {

        if (delta->n[i]) {
            ngx_http_conflict_redis_codec_number(&args, args.n, i);
            ngx_http_conflict_redis_codec_number(&args, args.n, delta->n[i]);
        }
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {

        if (delta->fields[i].n) {
            name.data = delta->fields[i].name;
            name.len = delta->fields[i].len;
            ngx_http_conflict_redis_codec_bytes(&args, args.n, &name);
            ngx_http_conflict_redis_codec_number(&args, args.n,
                                                 delta->fields[i].n);
        }
    }

    return ngx_http_conflict_redis_stats_send(delta->store, &args, "{stats}",
                                           ngx_http_conflict_redis_stats_added,
                                           delta, &why);
}


static void
ngx_http_conflict_redis_stats_added(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_redis_delta_t *delta = data;

    if (ngx_http_conflict_stats && delta->store->stats) {
        delta->store->stats->behind = (answer == NULL);
    }

    if (ngx_http_conflict_stats
        && (answer == NULL || ngx_http_conflict_redis_stats_answered(delta))
        && !ngx_exiting)
    {
        ngx_http_conflict_redis_stats_changed(delta->store);
    }

    ngx_free(delta);
}


/* whether more is to be sent */

static ngx_uint_t
ngx_http_conflict_redis_stats_answered(ngx_http_conflict_redis_delta_t *delta)
{
    ngx_uint_t                        i, more;
    ngx_http_conflict_route_stats_t  *stats;

    stats = delta->stats;
    more = 0;

    ngx_http_conflict_stats_lock();

    /* another worker may have sent the same, and the next one since */

    if (delta->number == stats->n_sent && stats->n_sent != stats->n_added) {

        for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {
            stats->added[i] = stats->sent[i];
        }

        for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {
            stats->fields[i].added = stats->fields[i].sent;
        }

        stats->n_added = stats->n_sent;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_COUNTS; i++) {
        more |= (stats->added[i] != stats->total[i]);
    }

    ngx_http_conflict_stats_unlock();

    return more;
}


void
ngx_http_conflict_redis_stats_resource(ngx_http_conflict_store_t *store,
    ngx_str_t *key)
{
    ngx_str_t                       text;
    ngx_http_conflict_stats_name_t  name;
    ngx_http_conflict_redis_args_t  args;

    ngx_http_conflict_stats_name(&name, key);

    text.data = name.data;
    text.len = name.len;

    ngx_http_conflict_redis_codec_verb(store, &args, "often");
    ngx_http_conflict_redis_codec_bytes(&args,
                                 NGX_HTTP_CONFLICT_REDIS_STATS_RESOURCE, &text);
    ngx_http_conflict_redis_stats_post(store, &args);
}


void
ngx_http_conflict_redis_stats_lock(ngx_http_conflict_op_t *op)
{
    ngx_str_t                       text[3];
    ngx_uint_t                      i, locked;
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

        locked = 1;
        break;

    case NGX_HTTP_CONFLICT_LOCK_RELEASED:
    case NGX_HTTP_CONFLICT_LOCK_FORCED:
    case NGX_HTTP_CONFLICT_LOCK_TOO_MANY:
    case NGX_HTTP_CONFLICT_LOCK_HANDED:
        locked = 0;
        break;

    default:
        return;
    }

    /* the user that renews a lock by its token need not be its holder */

    ngx_http_conflict_stats_name(&name[0], &op->key);
    ngx_http_conflict_stats_name(&name[1], &lock->holder);
    ngx_http_conflict_stats_name(&name[2],
                                 (lock->result == NGX_HTTP_CONFLICT_LOCK_OWN)
                                 ? &lock->origin : &lock->client);

    for (i = 0; i < 3; i++) {
        text[i].data = name[i].data;
        text[i].len = name[i].len;
    }

    ngx_http_conflict_redis_codec_verb(op->store, &args,
                                       locked ? "lock" : "unlock");
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
    ngx_http_conflict_redis_stats_post(op->store, &args);
}


ngx_int_t
ngx_http_conflict_redis_stats_send(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args, const char *name,
    ngx_http_conflict_redis_pt handler, void *data, const char **why)
{
    u_char                              text[256 + 16];
    ngx_str_t                           key;
    ngx_http_conflict_redis_conf_t     *conf;
    ngx_http_conflict_redis_command_t   command;

    conf = ngx_http_conflict_redis_client_conf(store->data);

    key.data = text;
    key.len = ngx_sprintf(text, "%V%s", &conf->prefix, name) - text;

    ngx_memzero(&command, sizeof(ngx_http_conflict_redis_command_t));

    command.script = NGX_HTTP_CONFLICT_REDIS_STATS;
    command.key = &key;
    command.args = args->arg;
    command.n = args->n;

    return ngx_http_conflict_redis_call_send(store->data, &command,
                                             NGX_HTTP_CONFLICT_REDIS_STATS_LIFE,
                                             0, handler, data, why);
}


/* for the key PREFIX{stats}, without an answer; it may be lost */

static void
ngx_http_conflict_redis_stats_post(ngx_http_conflict_store_t *store,
    ngx_http_conflict_redis_args_t *args)
{
    const char  *why;

    (void) ngx_http_conflict_redis_stats_send(store, args, "{stats}",
                                          ngx_http_conflict_redis_query_ignore,
                                          NULL, &why);
}
