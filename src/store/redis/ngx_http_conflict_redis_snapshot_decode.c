
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The lines that stats.lua answers, decoded into a snapshot.  Malformed lines
 * are skipped.
 */


#include "store/redis/ngx_http_conflict_redis_snapshot_decode.h"


static int64_t ngx_http_conflict_redis_snapshot_decode_number(ngx_str_t *word);
static void ngx_http_conflict_redis_snapshot_decode_route(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word);
static void ngx_http_conflict_redis_snapshot_decode_bin(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word);
static void ngx_http_conflict_redis_snapshot_decode_field(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word);
static void ngx_http_conflict_redis_snapshot_decode_lock(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word);
static void ngx_http_conflict_redis_snapshot_decode_resource(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word);
static ngx_http_conflict_route_stats_t *
    ngx_http_conflict_redis_snapshot_decode_stats(
    ngx_http_conflict_snapshot_t *snapshot, int64_t n);


#define NGX_HTTP_CONFLICT_REDIS_LINE_WORDS        8
#define NGX_HTTP_CONFLICT_REDIS_SNAPSHOT_ROUTES  1024


ngx_uint_t
ngx_http_conflict_redis_snapshot_decode_word(
    ngx_http_conflict_redis_text_t *words, u_char end, ngx_str_t *word)
{
    u_char  *p;

    if (words->p >= words->last) {
        return 0;
    }

    p = ngx_strlchr(words->p, words->last, end);

    if (p == NULL) {
        p = words->last;
    }

    word->data = words->p;
    word->len = p - words->p;

    words->p = p + 1;

    return 1;
}


/* 0 if it is not a number */

static int64_t
ngx_http_conflict_redis_snapshot_decode_number(ngx_str_t *word)
{
    size_t   i;
    int64_t  n;

    n = 0;

    for (i = 0; i < word->len && i < 18; i++) {

        if (word->data[i] < '0' || word->data[i] > '9') {
            break;
        }

        n = n * 10 + (word->data[i] - '0');
    }

    return n;
}


void
ngx_http_conflict_redis_snapshot_decode_line(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *line)
{
    ngx_str_t                       word[NGX_HTTP_CONFLICT_REDIS_LINE_WORDS];
    ngx_uint_t                      n;
    ngx_http_conflict_redis_text_t  words;

    words.p = line->data;
    words.last = line->data + line->len;

    for (n = 0; n < NGX_HTTP_CONFLICT_REDIS_LINE_WORDS; n++) {

        if (!ngx_http_conflict_redis_snapshot_decode_word(&words, '\t',
                                                          &word[n]))
        {
            break;
        }
    }

    if (n == 0 || word[0].len != 1) {
        return;
    }

    for ( /* void */ ; n < NGX_HTTP_CONFLICT_REDIS_LINE_WORDS; n++) {
        ngx_str_set(&word[n], "");
    }

    switch (word[0].data[0]) {

    case 'r':
        ngx_http_conflict_redis_snapshot_decode_route(snapshot, word);
        break;

    case 'b':
        ngx_http_conflict_redis_snapshot_decode_bin(snapshot, word);
        break;

    case 'f':
        ngx_http_conflict_redis_snapshot_decode_field(snapshot, word);
        break;

    case 'l':
        ngx_http_conflict_redis_snapshot_decode_lock(snapshot, word);
        break;

    case 'n':
        snapshot->locks
            = ngx_http_conflict_redis_snapshot_decode_number(&word[1]);
        break;

    case 'o':
        ngx_http_conflict_redis_snapshot_decode_resource(snapshot, word);
        break;

    case 'i':
        snapshot->now
            = ngx_http_conflict_redis_snapshot_decode_number(&word[1]);
        snapshot->entries
            = ngx_http_conflict_redis_snapshot_decode_number(&word[2]);
        snapshot->memory
            = ngx_http_conflict_redis_snapshot_decode_number(&word[3]);
        snapshot->evicted
            = ngx_http_conflict_redis_snapshot_decode_number(&word[4]);
        snapshot->size
            = ngx_http_conflict_redis_snapshot_decode_number(&word[5]);
        snapshot->settling
            = (ngx_http_conflict_redis_snapshot_decode_number(&word[6]) + 999)
              / 1000;
    }
}


/* r, number, since (msec), policy, server, location, entity */

static void
ngx_http_conflict_redis_snapshot_decode_route(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word)
{
    int64_t                           number, since, policy;
    ngx_http_conflict_route_stats_t  *stats;

    number = ngx_http_conflict_redis_snapshot_decode_number(&word[1]);
    since = ngx_http_conflict_redis_snapshot_decode_number(&word[2]);
    policy = ngx_http_conflict_redis_snapshot_decode_number(&word[3]);

    stats = ngx_http_conflict_redis_snapshot_decode_stats(snapshot, number);
    if (stats == NULL) {
        return;
    }

    stats->since = (time_t) (since / 1000);
    stats->policy = (uint32_t) policy;
    stats->report = (word[3].len && word[3].data[word[3].len - 1] == 'r');

    ngx_http_conflict_stats_name(&stats->store, &snapshot->store->name);
    ngx_http_conflict_stats_name(&stats->server, &word[4]);
    ngx_http_conflict_stats_name(&stats->location, &word[5]);
    ngx_http_conflict_stats_name(&stats->entity, &word[6]);
}


/* b, kind, number, then ROUTE:COUNTER COUNT ... */

static void
ngx_http_conflict_redis_snapshot_decode_bin(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word)
{
    u_char                           *p;
    int64_t                           number, route, counter;
    ngx_str_t                         field, count;
    ngx_http_conflict_stats_bin_t    *bin;
    ngx_http_conflict_redis_text_t    words;
    ngx_http_conflict_route_stats_t  *stats;

    if (word[1].len == 0) {
        return;
    }

    number = ngx_http_conflict_redis_snapshot_decode_number(&word[2]);

    words.p = word[3].data;
    words.last = word[3].data + word[3].len;

    while (ngx_http_conflict_redis_snapshot_decode_word(&words, ' ', &field)
           && ngx_http_conflict_redis_snapshot_decode_word(&words, ' ', &count))
    {
        p = ngx_strlchr(field.data, field.data + field.len, ':');
        if (p == NULL) {
            continue;
        }

        route = ngx_http_conflict_redis_snapshot_decode_number(&field);
        stats = ngx_http_conflict_redis_snapshot_decode_stats(snapshot, route);

        field.len -= p + 1 - field.data;
        field.data = p + 1;

        counter = ngx_http_conflict_redis_snapshot_decode_number(&field);

        if (stats == NULL || counter >= NGX_HTTP_CONFLICT_COUNTS) {
            continue;
        }

        switch (word[1].data[0]) {

        case 'm':
            bin = &stats->minute[number % NGX_HTTP_CONFLICT_MINUTES];
            break;

        case 'h':
            bin = &stats->hour[number % NGX_HTTP_CONFLICT_HOURS];
            break;

        case 'd':
            bin = &stats->day[number % NGX_HTTP_CONFLICT_DAYS];
            break;

        default: /* "total" */
            stats->total[counter]
                = ngx_http_conflict_redis_snapshot_decode_number(&count);
            continue;
        }

        bin->number = (uint32_t) number;
        bin->n[counter]
            = (uint32_t) ngx_http_conflict_redis_snapshot_decode_number(&count);
    }
}


/* f, number of the route, count, name: the highest counts come first */

static void
ngx_http_conflict_redis_snapshot_decode_field(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word)
{
    int64_t                           number, count;
    ngx_uint_t                        i;
    ngx_http_conflict_stats_clash_t  *field;
    ngx_http_conflict_route_stats_t  *stats;

    number = ngx_http_conflict_redis_snapshot_decode_number(&word[1]);
    count = ngx_http_conflict_redis_snapshot_decode_number(&word[2]);

    stats = ngx_http_conflict_redis_snapshot_decode_stats(snapshot, number);
    if (stats == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_STATS_FIELDS; i++) {
        field = &stats->fields[i];

        if (field->n == 0) {
            field->n = (uint32_t) count;
            field->len = ngx_min(word[3].len, NGX_HTTP_CONFLICT_STATS_FIELD);
            ngx_memcpy(field->name, word[3].data, field->len);
            return;
        }
    }
}


/* l, resource, until (msec), acquired (usec), user, client */

static void
ngx_http_conflict_redis_snapshot_decode_lock(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word)
{
    int64_t                      until;
    ngx_http_conflict_holder_t  *holder;

    if (snapshot->holders.nelts == NGX_HTTP_CONFLICT_SNAPSHOT_LOCKS) {
        return;
    }

    holder = ngx_array_push(&snapshot->holders);
    if (holder == NULL) {
        return;
    }

    ngx_memzero(holder, sizeof(ngx_http_conflict_holder_t));

    until = ngx_http_conflict_redis_snapshot_decode_number(&word[2]);

    holder->acquired = ngx_http_conflict_redis_snapshot_decode_number(&word[3]);
    holder->remaining = (until > snapshot->now)
                        ? (ngx_msec_t) (until - snapshot->now) : 0;

    if (ngx_http_conflict_snapshot_copy(snapshot, &holder->key, word[1].data,
                                        word[1].len)
        != NGX_OK
        || ngx_http_conflict_snapshot_copy(snapshot, &holder->user,
                                           word[4].data, word[4].len)
           != NGX_OK
        || ngx_http_conflict_snapshot_copy(snapshot, &holder->client,
                                           word[5].data, word[5].len)
           != NGX_OK)
    {
        snapshot->holders.nelts--;
    }
}


/* o, count, resource */

static void
ngx_http_conflict_redis_snapshot_decode_resource(
    ngx_http_conflict_snapshot_t *snapshot, ngx_str_t *word)
{
    ngx_http_conflict_resource_t  *resource;

    resource = ngx_array_push(&snapshot->resources);
    if (resource == NULL) {
        return;
    }

    resource->n = ngx_http_conflict_redis_snapshot_decode_number(&word[1]);

    if (ngx_http_conflict_snapshot_copy(snapshot, &resource->key, word[2].data,
                                        word[2].len)
        != NGX_OK)
    {
        snapshot->resources.nelts--;
    }
}


/* by the number of the route in Redis; its bins may precede the route */

static ngx_http_conflict_route_stats_t *
ngx_http_conflict_redis_snapshot_decode_stats(
    ngx_http_conflict_snapshot_t *snapshot, int64_t n)
{
    ngx_http_conflict_route_stats_t  **stats;

    if (n >= NGX_HTTP_CONFLICT_REDIS_SNAPSHOT_ROUTES) {
        return NULL;
    }

    while (snapshot->routes.nelts <= (ngx_uint_t) n) {

        stats = ngx_array_push(&snapshot->routes);
        if (stats == NULL) {
            return NULL;
        }

        *stats = NULL;
    }

    stats = snapshot->routes.elts;

    if (stats[n] == NULL) {
        stats[n] = ngx_http_conflict_snapshot_route(snapshot);
    }

    return stats[n];
}
