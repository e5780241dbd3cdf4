
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What was learned of the API of a location from its responses.  A note is a
 * byte, so workers need no lock; the one that has written it last is right.
 */


#include "process/ngx_http_conflict_learned.h"
#include "process/ngx_http_conflict_zone.h"
#include "core/text/conflict_hash.h"


#define NGX_HTTP_CONFLICT_LEARNED_NOTES  65536


static u_char  *ngx_http_conflict_learned_notes;


ngx_shm_zone_t *
ngx_http_conflict_learned_add(ngx_conf_t *cf, void *tag)
{
    static ngx_str_t  name = ngx_string("conflict_learned_1");

    return ngx_http_conflict_zone_add(cf, &name,
                                      NGX_HTTP_CONFLICT_LEARNED_NOTES, tag);
}


void
ngx_http_conflict_learned_start(ngx_shm_zone_t *zone)
{
    ngx_http_conflict_learned_notes = ngx_http_conflict_zone_data(zone);
}


ngx_uint_t
ngx_http_conflict_learned_note(ngx_str_t *server, ngx_str_t *location)
{
    conflict_hash_t  hash;

    conflict_hash_init(&hash, 0);
    conflict_hash_field(&hash, server->data, server->len);
    conflict_hash_field(&hash, location->data, location->len);

    return (ngx_uint_t) (conflict_hash_final(&hash)
                         % NGX_HTTP_CONFLICT_LEARNED_NOTES);
}


ngx_uint_t
ngx_http_conflict_learned(ngx_uint_t note)
{
    return ngx_http_conflict_learned_notes
           && ngx_http_conflict_learned_notes[note];
}


void
ngx_http_conflict_learned_set(ngx_uint_t note, ngx_uint_t value)
{
    if (ngx_http_conflict_learned_notes
        && ngx_http_conflict_learned_notes[note] != value)
    {
        ngx_http_conflict_learned_notes[note] = (u_char) value;
    }
}
