
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Builds the JSON of the module's own responses by jansson.  If a value cannot
 * be allocated the tree becomes NULL, further additions are ignored, and
 * printing fails: errors need to be checked only once, at the end.
 */


#ifndef _NGX_HTTP_CONFLICT_JSON_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_JSON_H_INCLUDED_


#include <jansson.h>

#include "http/ngx_http_conflict_writer.h"


#define NGX_HTTP_CONFLICT_JSON_WHOLE  ((size_t) -1)


/*
 * Adds a member, or an element.  The tree owns the value, even if it cannot be
 * added: then, or if it is NULL, the tree is freed and *json becomes NULL.
 */
void ngx_http_conflict_json_set(json_t **json, const char *name,
    json_t *value);
void ngx_http_conflict_json_append(json_t **json, json_t *value);

/*
 * The same, of what the functions below make: a whole text; a short one, cut
 * after NGX_HTTP_CONFLICT_LOCK_CLIENT bytes, null if it is empty; a number,
 * null if it is negative.
 */
void ngx_http_conflict_json_set_text(json_t **json, const char *name,
    ngx_str_t *text);
void ngx_http_conflict_json_set_name(json_t **json, const char *name,
    ngx_str_t *text);
void ngx_http_conflict_json_set_number(json_t **json, const char *name,
    int64_t n);
void ngx_http_conflict_json_set_version(json_t **json, const char *name,
    uint64_t version);
void ngx_http_conflict_json_set_base(json_t **json, const char *name,
    ngx_str_t *text);
void ngx_http_conflict_json_set_time(json_t **json, const char *name,
    int64_t time);

/* Milliseconds as seconds, with up to three decimals. */
void ngx_http_conflict_json_set_seconds(json_t **json, const char *name,
    uint64_t msec);

/*
 * A string of at most "max" bytes of a text that need not be UTF-8; null if
 * text->data is NULL.
 */
json_t *ngx_http_conflict_json_text(ngx_str_t *text, size_t max);

/* A version as a number; null if there is none, or none for clients. */
json_t *ngx_http_conflict_json_version(uint64_t version);

/*
 * A version as the client sent it: a number if it is one, else a string of at
 * most "max" bytes; null if it is empty.
 */
json_t *ngx_http_conflict_json_base(ngx_str_t *text, size_t max);

/* Microseconds as an RFC 3339 date; null for CONFLICT_TIME_NONE. */
json_t *ngx_http_conflict_json_time(int64_t time);

/*
 * Prints the members of an object without its braces, so that others can be
 * added before and after, escaped for HTML and terminals.  Frees the tree; on
 * an error out->failed is set.
 */
void ngx_http_conflict_json_print(ngx_http_conflict_writer_t *out,
    json_t *json);


#endif /* _NGX_HTTP_CONFLICT_JSON_H_INCLUDED_ */
