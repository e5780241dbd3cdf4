
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Evaluates values with variables without side effects: a regex in a map must
 * not replace the captures of the location.
 */


#include "http/ngx_http_conflict_http.h"


static ngx_str_t  ngx_http_conflict_evaluate_empty = ngx_null_string;


ngx_int_t
ngx_http_conflict_evaluate(ngx_http_request_t *r,
    ngx_http_complex_value_t *val, ngx_str_t *value)
{
    ngx_int_t    rc;

#if (NGX_PCRE)
    int         *captures;
    u_char      *data;
    unsigned     copy;
    ngx_uint_t   n;

    captures = r->captures;
    data = r->captures_data;
    n = r->ncaptures;
    copy = r->realloc_captures;

    /* a match allocates a new array */
    r->realloc_captures = 1;
#endif

    rc = ngx_http_complex_value(r, val, value);

#if (NGX_PCRE)
    r->captures = captures;
    r->captures_data = data;
    r->ncaptures = n;
    r->realloc_captures = copy;
#endif

    return rc;
}


ngx_str_t *
ngx_http_conflict_evaluate_escaped(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_str_t  *escaped;

    escaped = ngx_pcalloc(r->pool, sizeof(ngx_str_t));
    if (escaped == NULL) {
        return &ngx_http_conflict_evaluate_empty;
    }

    escaped->data = ngx_pnalloc(r->pool,
                                conflict_text_escape(NULL, text->data,
                                                     text->len));
    if (escaped->data == NULL) {
        return &ngx_http_conflict_evaluate_empty;
    }

    escaped->len = conflict_text_escape(escaped->data, text->data, text->len);

    return escaped;
}
