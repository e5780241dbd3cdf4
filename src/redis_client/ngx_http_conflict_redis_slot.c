
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The slots of Redis Cluster: the slot of a key, and for each slot a tag, a
 * string that hashes to it.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_TAG  8      /* bytes, at most */


static ngx_uint_t ngx_http_conflict_redis_slot_crc16(u_char *p, size_t len);


/* hashes the inside of the first "{...}" unless it is empty, else the key */

ngx_uint_t
ngx_http_conflict_redis_slot_of(ngx_str_t *key)
{
    u_char  *p, *last, *end;

    last = key->data + key->len;
    p = ngx_strlchr(key->data, last, '{');

    if (p) {
        end = ngx_strlchr(p + 1, last, '}');

        if (end && end > p + 1) {
            return ngx_http_conflict_redis_slot_crc16(p + 1, end - p - 1)
                   % NGX_HTTP_CONFLICT_REDIS_SLOTS;
        }
    }

    return ngx_http_conflict_redis_slot_crc16(key->data, key->len)
           % NGX_HTTP_CONFLICT_REDIS_SLOTS;
}


ngx_str_t *
ngx_http_conflict_redis_slot_tags(ngx_pool_t *pool)
{
    u_char      *text, tag[NGX_INT_T_LEN];
    size_t       len;
    ngx_str_t   *tags;
    ngx_uint_t   i, n, slot;

    tags = ngx_pcalloc(pool, NGX_HTTP_CONFLICT_REDIS_SLOTS
                             * (sizeof(ngx_str_t)
                                + NGX_HTTP_CONFLICT_REDIS_TAG));
    if (tags == NULL) {
        return NULL;
    }

    text = (u_char *) &tags[NGX_HTTP_CONFLICT_REDIS_SLOTS];

    /* the numbers up to some 170,000 cover all slots */

    for (i = 0, n = 0; n < NGX_HTTP_CONFLICT_REDIS_SLOTS; i++) {
        len = ngx_sprintf(tag, "%ui", i) - tag;
        slot = ngx_http_conflict_redis_slot_crc16(tag, len)
               % NGX_HTTP_CONFLICT_REDIS_SLOTS;

        if (tags[slot].len == 0) {
            tags[slot].data = text;
            tags[slot].len = len;

            text = ngx_cpymem(text, tag, len);
            n++;
        }
    }

    return tags;
}


/* CRC-16/XMODEM, see the specification of Redis Cluster */

static ngx_uint_t
ngx_http_conflict_redis_slot_crc16(u_char *p, size_t len)
{
    size_t      i;
    ngx_uint_t  crc, bit;

    crc = 0;

    for (i = 0; i < len; i++) {
        crc ^= (ngx_uint_t) p[i] << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
        }
    }

    return crc & 0xffff;
}
