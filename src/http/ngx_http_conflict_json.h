
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * JSON that the module itself says, written by jansson.  A tree that could
 * not be made is NULL, takes what is added to it, and cannot be dumped: only
 * the end needs a check.
 */


#ifndef _NGX_HTTP_CONFLICT_JSON_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_JSON_H_INCLUDED_


#include <jansson.h>

#include "http/ngx_http_conflict_writer.h"


#define NGX_HTTP_CONFLICT_JSON_WHOLE  ((size_t) -1)


/*
 * Adds a member, or an element.  The value is the tree's in any case; where
 * it is NULL or cannot be added the tree is freed, and *json becomes NULL.
 */
void ngx_http_conflict_json_set(json_t **json, const char *name,
    json_t *value);
void ngx_http_conflict_json_append(json_t **json, json_t *value);

/*
 * A string of at most "longest" bytes, which need not be UTF-8; null where
 * text->data is NULL.
 */
json_t *ngx_http_conflict_json_text(ngx_str_t *text, size_t longest);

/*
 * A version: a number, or null where there is none that a client can hold.
 */
json_t *ngx_http_conflict_json_version(uint64_t version);

/*
 * A version as a client has written it: a number where it is one, else a
 * string; null where it is empty.
 */
json_t *ngx_http_conflict_json_base(ngx_str_t *text, size_t longest);

/*
 * A time in microseconds as RFC 3339 has it; null for CONFLICT_TIME_NONE.
 */
json_t *ngx_http_conflict_json_time(int64_t time);

/*
 * Milliseconds as seconds, with up to three decimals.
 */
json_t *ngx_http_conflict_json_seconds(uint64_t msec);

/*
 * An object's members without its braces, between which there may be others,
 * as text that is safe in HTML and on a terminal; out->failed where they cannot
 * be written.  The tree is freed in any case.
 */
void ngx_http_conflict_json_print(ngx_http_conflict_writer_t *out,
    json_t *json);


#endif /* _NGX_HTTP_CONFLICT_JSON_H_INCLUDED_ */
