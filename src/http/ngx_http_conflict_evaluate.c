
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Evaluates values with variables without side effects: a regex in a map must
 * not replace the captures of the location.
 */


#include "http/ngx_http_conflict_http.h"


static ngx_int_t ngx_http_conflict_evaluate_variable(ngx_http_request_t *r,
    ngx_http_complex_value_t *val, ngx_str_t *value);


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

    rc = ngx_http_conflict_evaluate_variable(r, val, value);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_complex_value(r, val, value);
    }

#if (NGX_PCRE)
    r->captures = captures;
    r->captures_data = data;
    r->ncaptures = n;
    r->realloc_captures = copy;
#endif

    return rc;
}


/* a value of one variable alone is not copied; NGX_DECLINED: it has more */

static ngx_int_t
ngx_http_conflict_evaluate_variable(ngx_http_request_t *r,
    ngx_http_complex_value_t *val, ngx_str_t *value)
{
    ngx_uint_t                  index;
    ngx_http_variable_t        *variables;
    ngx_http_variable_value_t  *v;
    ngx_http_core_main_conf_t  *cmcf;

    if (val->flushes == NULL || val->flushes[0] == (ngx_uint_t) -1
        || val->flushes[1] != (ngx_uint_t) -1)
    {
        return NGX_DECLINED;
    }

    index = val->flushes[0];

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    variables = cmcf->variables.elts;

    if (val->value.data[0] != '$'
        || val->value.len != variables[index].name.len + 1)
    {
        return NGX_DECLINED;
    }

    v = ngx_http_get_flushed_variable(r, index);

    if (v == NULL || v->not_found) {
        ngx_str_null(value);
        return NGX_OK;
    }

    value->data = v->data;
    value->len = v->len;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_evaluate_target(ngx_http_request_t *r,
    ngx_http_complex_value_t *val, ngx_str_t *uri, ngx_str_t *args)
{
    if (ngx_http_conflict_evaluate(r, val, uri) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_split_args(r, uri, args);

    /*
     * Upstreams are sent arguments as they are, but a part of a decoded path
     * may have spaces and line feeds, which would end the request line.
     */

    return ngx_http_conflict_evaluate_encode(r, args, ' ');
}


ngx_int_t
ngx_http_conflict_evaluate_encode(ngx_http_request_t *r, ngx_str_t *text,
    u_char last)
{
    size_t  i, n;
    u_char  ch, *p;

    static const u_char  digits[] = "0123456789ABCDEF";

    n = 0;

    for (i = 0; i < text->len; i++) {
        n += (text->data[i] <= last || text->data[i] == 0x7f);
    }

    if (n == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, text->len + 2 * n);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0, n = 0; i < text->len; i++) {
        ch = text->data[i];

        if (ch <= last || ch == 0x7f) {
            p[n++] = '%';
            p[n++] = digits[ch >> 4];
            p[n++] = digits[ch & 0x0f];
            continue;
        }

        p[n++] = ch;
    }

    text->data = p;
    text->len = n;

    return NGX_OK;
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
