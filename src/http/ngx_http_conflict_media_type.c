
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Media types of bodies: JSON, JSON Patch, or not declared.
 */


#include "http/ngx_http_conflict_http.h"


static const ngx_str_t  ngx_http_conflict_json_types[] = {
    ngx_string("application/json"),
    ngx_string("text/json"),
    ngx_null_string
};


/* defaults of clients that do not set a type */

static const ngx_str_t  ngx_http_conflict_undeclared_types[] = {
    ngx_string("text/plain"),
    ngx_string("application/x-www-form-urlencoded"),
    ngx_string("application/octet-stream"),
    ngx_null_string
};


static const ngx_str_t  ngx_http_conflict_json_patch_types[] = {
    ngx_string("application/json-patch+json"),
    ngx_null_string
};


ngx_uint_t
ngx_http_conflict_media_type_json(ngx_str_t *type)
{
    ngx_str_t  name;

    ngx_http_conflict_media_type_name(type, &name);

    return ngx_http_conflict_header_listed(&name, ngx_http_conflict_json_types)
           || ngx_http_conflict_media_type_suffix(&name);
}


ngx_http_conflict_media_e
ngx_http_conflict_media_type_request(ngx_http_request_t *r)
{
    ngx_str_t         name;
    ngx_table_elt_t  *type;

    type = r->headers_in.content_type;

    if (type == NULL) {
        return NGX_HTTP_CONFLICT_MEDIA_UNDECLARED;
    }

    if (ngx_http_conflict_media_type_json(&type->value)) {
        return NGX_HTTP_CONFLICT_MEDIA_JSON;
    }

    ngx_http_conflict_media_type_name(&type->value, &name);

    return (name.len == 0
            || ngx_http_conflict_header_listed(&name,
                                            ngx_http_conflict_undeclared_types))
           ? NGX_HTTP_CONFLICT_MEDIA_UNDECLARED
           : NGX_HTTP_CONFLICT_MEDIA_OTHER;
}


/* not a superset of ASCII, as some servers accept JSON (RFC 4627, 3) */

ngx_uint_t
ngx_http_conflict_media_type_wide(ngx_http_request_t *r)
{
    u_char     *p, *last;
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    type = &r->headers_in.content_type->value;
    last = type->data + type->len;

    p = ngx_strlchr(type->data, last, ';');

    if (p) {
        p = ngx_strlcasestrn(p, last, (u_char *) "charset=",
                             sizeof("charset=") - 2);
    }

    if (p == NULL) {
        return 0;
    }

    p += sizeof("charset=") - 1;

    if (p < last && *p == '"') {
        p++;
    }

    return last - p >= (ssize_t) sizeof("utf-16") - 1
           && (ngx_strncasecmp(p, (u_char *) "utf-16", 6) == 0
               || ngx_strncasecmp(p, (u_char *) "utf-32", 6) == 0);
}


void
ngx_http_conflict_media_type_name(ngx_str_t *type, ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < type->len; i++) {

        if (type->data[i] == ';' || type->data[i] == ' '
            || type->data[i] == '\t')
        {
            break;
        }
    }

    name->data = type->data;
    name->len = i;
}


ngx_uint_t
ngx_http_conflict_media_type_json_patch(ngx_http_request_t *r)
{
    ngx_str_t  name;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    ngx_http_conflict_media_type_name(&r->headers_in.content_type->value,
                                      &name);

    return ngx_http_conflict_header_listed(&name,
                                           ngx_http_conflict_json_patch_types);
}


/* a structured syntax suffix (RFC 6839) */

ngx_uint_t
ngx_http_conflict_media_type_suffix(ngx_str_t *name)
{
    return name->len > sizeof("+json") - 1
           && ngx_strncasecmp(name->data + name->len - (sizeof("+json") - 1),
                              (u_char *) "+json", sizeof("+json") - 1)
              == 0;
}
