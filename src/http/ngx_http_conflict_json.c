
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Builds the JSON of the module's own responses and prints it.
 */


#include "http/ngx_http_conflict_http.h"
#include "http/ngx_http_conflict_json.h"
#include "http/ngx_http_conflict_writer.h"


/* enough for seconds with three decimals; the default prints 17 digits */

#define NGX_HTTP_CONFLICT_JSON_FLAGS                                          \
    (JSON_COMPACT|JSON_REAL_PRECISION(15))


static int ngx_http_conflict_json_add(const char *data, size_t len, void *to);


void
ngx_http_conflict_json_set(json_t **json, const char *name, json_t *value)
{
    if (json_object_set_new(*json, name, value) != 0) {
        json_decref(*json);
        *json = NULL;
    }
}


void
ngx_http_conflict_json_append(json_t **json, json_t *value)
{
    if (json_array_append_new(*json, value) != 0) {
        json_decref(*json);
        *json = NULL;
    }
}


void
ngx_http_conflict_json_set_text(json_t **json, const char *name,
    ngx_str_t *text)
{
    ngx_http_conflict_json_set(json, name,
                               ngx_http_conflict_json_text(text,
                                               NGX_HTTP_CONFLICT_JSON_WHOLE));
}


void
ngx_http_conflict_json_set_name(json_t **json, const char *name,
    ngx_str_t *text)
{
    ngx_http_conflict_json_set(json, name,
                               text->len
                               ? ngx_http_conflict_json_text(text,
                                               NGX_HTTP_CONFLICT_LOCK_CLIENT)
                               : json_null());
}


void
ngx_http_conflict_json_set_number(json_t **json, const char *name, int64_t n)
{
    ngx_http_conflict_json_set(json, name,
                               (n < 0) ? json_null() : json_integer(n));
}


void
ngx_http_conflict_json_set_version(json_t **json, const char *name,
    uint64_t version)
{
    ngx_http_conflict_json_set(json, name,
                               ngx_http_conflict_json_version(version));
}


void
ngx_http_conflict_json_set_base(json_t **json, const char *name,
    ngx_str_t *text)
{
    ngx_http_conflict_json_set(json, name,
                               ngx_http_conflict_json_base(text,
                                               NGX_HTTP_CONFLICT_JSON_WHOLE));
}


void
ngx_http_conflict_json_set_time(json_t **json, const char *name, int64_t time)
{
    ngx_http_conflict_json_set(json, name, ngx_http_conflict_json_time(time));
}


void
ngx_http_conflict_json_set_seconds(json_t **json, const char *name,
    uint64_t msec)
{
    ngx_http_conflict_json_set(json, name, json_real((double) msec / 1000));
}


json_t *
ngx_http_conflict_json_text(ngx_str_t *text, size_t max)
{
    size_t   len, size;
    u_char  *p;
    json_t  *json;

    if (text->data == NULL) {
        return json_null();
    }

    len = ngx_min(text->len, max);
    size = conflict_text_repair(NULL, text->data, len);

    if (size == len) {
        return json_stringn((char *) text->data, len);
    }

    p = ngx_alloc(size, ngx_cycle->log);
    if (p == NULL) {
        return NULL;
    }

    (void) conflict_text_repair(p, text->data, len);
    json = json_stringn((char *) p, size);

    ngx_free(p);

    return json;
}


json_t *
ngx_http_conflict_json_version(uint64_t version)
{
    return (version && version < CONFLICT_VERSION_LIMIT)
           ? json_integer((json_int_t) version) : json_null();
}


json_t *
ngx_http_conflict_json_base(ngx_str_t *text, size_t max)
{
    uint64_t  version;

    if (text->len == 0) {
        return json_null();
    }

    return (conflict_version_parse(&version, (char *) text->data, text->len)
            == 0)
           ? json_integer((json_int_t) version)
           : ngx_http_conflict_json_text(text, max);
}


json_t *
ngx_http_conflict_json_time(int64_t time)
{
    char  text[CONFLICT_TIME_RFC3339];

    if (time == CONFLICT_TIME_NONE) {
        return json_null();
    }

    conflict_time_print_rfc3339(text, time);

    return json_stringn(text, CONFLICT_TIME_RFC3339);
}


void
ngx_http_conflict_json_print(ngx_http_conflict_writer_t *out, json_t *json)
{
    if (json_dump_callback(json, ngx_http_conflict_json_add, out,
                           NGX_HTTP_CONFLICT_JSON_FLAGS|JSON_EMBED)
        != 0)
    {
        out->failed = 1;
    }

    json_decref(json);
}


/* jansson does not split characters between calls */

static int
ngx_http_conflict_json_add(const char *data, size_t len, void *to)
{
    ngx_http_conflict_writer_t  *out = to;

    ngx_http_conflict_writer_json(out, (u_char *) data, len);

    return out->failed ? -1 : 0;
}
