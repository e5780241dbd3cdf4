
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The ring of events of a store in shared memory.  Each worker reads it at its
 * own pace; one that publishes wakes those that have listeners.
 */


#include "feed/ngx_http_conflict_feed_state.h"
#include "process/ngx_http_conflict_failpoint.h"
#include "process/ngx_http_conflict_random.h"
#include "process/ngx_http_conflict_wake.h"


#define NGX_HTTP_CONFLICT_FEED_EVENTS  4096
#define NGX_HTTP_CONFLICT_FEED_BATCH   32     /* copied under the lock */
#define NGX_HTTP_CONFLICT_FEED_BYTES                                          \
    (2 * NGX_HTTP_CONFLICT_FEED_TEXT + 2 * NGX_HTTP_CONFLICT_FEED_WORD)


typedef struct {
    uint64_t                         hash[2];
    uint64_t                         version;
    uint64_t                         fence;
    int64_t                          time;
    uint32_t                         remaining;
    uint16_t                         kind;
    uint16_t                         len[NGX_HTTP_CONFLICT_FEED_TEXTS];
    u_char                           text[NGX_HTTP_CONFLICT_FEED_BYTES];
} ngx_http_conflict_feed_slot_t;


struct ngx_http_conflict_feed_ring_s {
    uint64_t                         life;      /* part of ids */
    uint64_t                         seed;      /* of keys */
    uint64_t                         head;      /* number of the next event */
    ngx_http_conflict_feed_slot_t    slot[NGX_HTTP_CONFLICT_FEED_EVENTS];
};


static ngx_int_t ngx_http_conflict_feed_ring_init(ngx_shm_zone_t *zone,
    void *data);
static void ngx_http_conflict_feed_ring_publish(ngx_http_conflict_feed_t *feed,
    ngx_str_t *key, ngx_http_conflict_feed_event_t *event);
static void ngx_http_conflict_feed_ring_read(ngx_http_conflict_feed_t *feed);
static ngx_uint_t ngx_http_conflict_feed_ring_copy(
    ngx_http_conflict_feed_t *feed, uint64_t *next,
    ngx_http_conflict_feed_slot_t *slots, ngx_uint_t *missed);
static void ngx_http_conflict_feed_ring_event(
    ngx_http_conflict_feed_slot_t *slot,
    ngx_http_conflict_feed_event_t *event);
static u_char *ngx_http_conflict_feed_ring_id(ngx_http_conflict_feed_t *feed,
    u_char *p);
static ngx_int_t ngx_http_conflict_feed_ring_parse(
    ngx_http_conflict_feed_t *feed, ngx_str_t *id, uint64_t *number);
static void ngx_http_conflict_feed_ring_past(ngx_http_conflict_feed_t *feed,
    ngx_str_t *id, ngx_http_conflict_feed_past_pt handler, void *data);
static void ngx_http_conflict_feed_ring_idle(ngx_http_conflict_feed_t *feed);


const ngx_http_conflict_feed_ops_t  ngx_http_conflict_feed_ring_ops = {
    ngx_http_conflict_feed_ring_publish,
    ngx_http_conflict_feed_ring_read,
    ngx_http_conflict_feed_ring_id,
    ngx_http_conflict_feed_ring_past,
    ngx_http_conflict_feed_ring_idle,
    ngx_http_conflict_feed_ring_idle
};


ngx_int_t
ngx_http_conflict_feed_ring_add(ngx_conf_t *cf,
    ngx_http_conflict_store_t *store)
{
    u_char          *p;
    ngx_str_t        name;
    ngx_shm_zone_t  *zone;

    /* the number is that of the layout */

    name.len = sizeof("conflict_events_1:") - 1 + store->name.len;
    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, "conflict_events_1:",
                   sizeof("conflict_events_1:") - 1);
    ngx_memcpy(p, store->name.data, store->name.len);

    zone = ngx_shared_memory_add(cf, &name,
                                 sizeof(ngx_http_conflict_feed_ring_t)
                                 + 16 * ngx_pagesize, &ngx_http_conflict_wake);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_conflict_feed_ring_init;
    zone->data = zone;

    store->feed_zone = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_feed_ring_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t                *shpool;
    ngx_http_conflict_feed_ring_t  *ring;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data || zone->shm.exists) {
        return NGX_OK;
    }

    ring = ngx_slab_calloc(shpool, sizeof(ngx_http_conflict_feed_ring_t));
    if (ring == NULL
        || ngx_http_conflict_random((u_char *) &ring->life, 8) != NGX_OK
        || ngx_http_conflict_random((u_char *) &ring->seed, 8) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ring->head = 1;
    shpool->data = ring;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_feed_ring_start(ngx_http_conflict_feed_t *feed)
{
    feed->ops = &ngx_http_conflict_feed_ring_ops;
    feed->placed = 1;
    feed->shpool = (ngx_slab_pool_t *) feed->store->feed_zone->shm.addr;
    feed->ring = feed->shpool->data;
    feed->seed = feed->ring->seed;

    ngx_http_conflict_wake_listen(ngx_http_conflict_feed_post);

    return NGX_OK;
}


static void
ngx_http_conflict_feed_ring_idle(ngx_http_conflict_feed_t *feed)
{
    ngx_http_conflict_feed_listen(feed, 0);
    feed->next = 0;
}


static void
ngx_http_conflict_feed_ring_publish(ngx_http_conflict_feed_t *feed,
    ngx_str_t *key, ngx_http_conflict_feed_event_t *event)
{
    u_char                         *p;
    ngx_uint_t                      i;
    ngx_http_conflict_feed_ring_t  *ring;
    ngx_http_conflict_feed_slot_t  *slot;

    ring = feed->ring;

    conflict_hash_128(event->hash, key->data, key->len, feed->seed);

    ngx_http_conflict_failpoint_hit();

    ngx_shmtx_lock(&feed->shpool->mutex);

    slot = &ring->slot[ring->head % NGX_HTTP_CONFLICT_FEED_EVENTS];

    slot->hash[0] = event->hash[0];
    slot->hash[1] = event->hash[1];
    slot->version = event->version;
    slot->fence = event->fence;
    slot->time = event->time;
    slot->remaining = (uint32_t) event->remaining;
    slot->kind = (uint16_t) event->kind;

    p = slot->text;

    for (i = 0; i < NGX_HTTP_CONFLICT_FEED_TEXTS; i++) {
        slot->len[i] = (uint16_t) event->text[i].len;
        p = ngx_cpymem(p, event->text[i].data, event->text[i].len);
    }

    ngx_http_conflict_failpoint_hit();

    /* the last step: a worker that is killed before has published nothing */
    ring->head++;

    ngx_shmtx_unlock(&feed->shpool->mutex);

    if (feed->n) {
        ngx_http_conflict_feed_post();
    }

    ngx_http_conflict_wake_listeners();
}


static void
ngx_http_conflict_feed_ring_read(ngx_http_conflict_feed_t *feed)
{
    ngx_uint_t                      i, n, missed;
    ngx_http_conflict_feed_slot_t   slots[NGX_HTTP_CONFLICT_FEED_BATCH];
    ngx_http_conflict_feed_event_t  event;

    ngx_http_conflict_feed_listen(feed, 1);

    if (feed->next == 0) {
        /* what was published before is in the states that are asked for */
        ngx_shmtx_lock(&feed->shpool->mutex);
        feed->next = feed->ring->head;
        ngx_shmtx_unlock(&feed->shpool->mutex);
        return;
    }

    do {
        n = ngx_http_conflict_feed_ring_copy(feed, &feed->next, slots, &missed);

        if (missed) {
            ngx_http_conflict_feed_topic_missed(feed);
        }

        for (i = 0; i < n; i++) {
            ngx_http_conflict_feed_ring_event(&slots[i], &event);
            ngx_http_conflict_feed_topic_event(feed, &event);
        }

    } while (n);
}


static ngx_uint_t
ngx_http_conflict_feed_ring_copy(ngx_http_conflict_feed_t *feed,
    uint64_t *next, ngx_http_conflict_feed_slot_t *slots, ngx_uint_t *missed)
{
    ngx_uint_t                      n;
    ngx_http_conflict_feed_ring_t  *ring;

    ring = feed->ring;
    *missed = 0;

    if (*next == ring->head) {
        return 0;
    }

    ngx_shmtx_lock(&feed->shpool->mutex);

    /* the oldest slot is being written, if a worker was killed there */

    if (ring->head - *next >= NGX_HTTP_CONFLICT_FEED_EVENTS) {
        *next = ring->head - NGX_HTTP_CONFLICT_FEED_EVENTS + 1;
        *missed = 1;
    }

    for (n = 0; n < NGX_HTTP_CONFLICT_FEED_BATCH && *next < ring->head; n++) {
        slots[n] = ring->slot[*next % NGX_HTTP_CONFLICT_FEED_EVENTS];
        (*next)++;
    }

    ngx_shmtx_unlock(&feed->shpool->mutex);

    return n;
}


static void
ngx_http_conflict_feed_ring_event(ngx_http_conflict_feed_slot_t *slot,
    ngx_http_conflict_feed_event_t *event)
{
    u_char      *p;
    ngx_uint_t   i;

    event->kind = (ngx_http_conflict_feed_kind_e) slot->kind;
    event->hash[0] = slot->hash[0];
    event->hash[1] = slot->hash[1];
    event->version = slot->version;
    event->fence = slot->fence;
    event->time = slot->time;
    event->remaining = slot->remaining;
    event->past = 0;

    p = slot->text;

    for (i = 0; i < NGX_HTTP_CONFLICT_FEED_TEXTS; i++) {
        event->text[i].data = p;
        event->text[i].len = slot->len[i];
        p += slot->len[i];
    }
}


/* the life of the ring, and the number of the last event */

static u_char *
ngx_http_conflict_feed_ring_id(ngx_http_conflict_feed_t *feed, u_char *p)
{
    if (feed->next == 0) {
        return p;
    }

    return ngx_sprintf(p, "%016xL-%uL", feed->ring->life, feed->next - 1);
}


static ngx_int_t
ngx_http_conflict_feed_ring_parse(ngx_http_conflict_feed_t *feed,
    ngx_str_t *id, uint64_t *number)
{
    off_t   n;
    size_t  len;
    u_char  life[sizeof("0123456789abcdef-") - 1];

    (void) ngx_sprintf(life, "%016xL-", feed->ring->life);

    len = sizeof(life);

    if (id->len <= len || id->len > NGX_HTTP_CONFLICT_FEED_ID
        || ngx_memcmp(id->data, life, len) != 0)
    {
        return NGX_DECLINED;
    }

    n = ngx_atoof(id->data + len, id->len - len);

    if (n == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *number = (uint64_t) n;

    return NGX_OK;
}


static void
ngx_http_conflict_feed_ring_past(ngx_http_conflict_feed_t *feed,
    ngx_str_t *id, ngx_http_conflict_feed_past_pt handler, void *data)
{
    uint64_t                        next;
    ngx_uint_t                      i, n, missed;
    ngx_http_conflict_feed_slot_t   slots[NGX_HTTP_CONFLICT_FEED_BATCH];
    ngx_http_conflict_feed_event_t  event;

    if (ngx_http_conflict_feed_ring_parse(feed, id, &next) != NGX_OK
        || next >= feed->ring->head)
    {
        handler(data, NULL, 1);
        return;
    }

    next++;
    missed = 0;

    /* the worker has read up to feed->next, and reads on from there */

    while (next < feed->next) {
        n = ngx_http_conflict_feed_ring_copy(feed, &next, slots, &missed);

        if (missed || n == 0) {
            break;
        }

        for (i = 0; i < n && next - n + i < feed->next; i++) {
            ngx_http_conflict_feed_ring_event(&slots[i], &event);
            event.past = 1;
            handler(data, &event, 0);
        }
    }

    handler(data, NULL, missed);
}
