
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What was learned of the API of a location from its responses, in a zone: all
 * workers of a host know it, also after a reload.
 */


#ifndef _NGX_HTTP_CONFLICT_LEARNED_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_LEARNED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Declares the zone.  NULL: already logged. */
ngx_shm_zone_t *ngx_http_conflict_learned_add(ngx_conf_t *cf, void *tag);

/* In a worker; until then nothing is known. */
void ngx_http_conflict_learned_start(ngx_shm_zone_t *zone);

/* The note of a location; that two of them share one is unlikely. */
ngx_uint_t ngx_http_conflict_learned_note(ngx_str_t *server,
    ngx_str_t *location);

/* Reads a note, which is 0 or 1, and sets it. */
ngx_uint_t ngx_http_conflict_learned(ngx_uint_t note);
void ngx_http_conflict_learned_set(ngx_uint_t note, ngx_uint_t value);


#endif /* _NGX_HTTP_CONFLICT_LEARNED_H_INCLUDED_ */
