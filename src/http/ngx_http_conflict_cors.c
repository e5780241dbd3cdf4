
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * CORS of the module's own responses: a page of another origin may read them
 * if it may read the resource.  The fields are those of the own GET, or those
 * recorded by ngx_http_conflict_origin.c.
 */


#include "http/ngx_http_conflict_http.h"


static ngx_uint_t ngx_http_conflict_cors_answered(
    ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_cors_match(ngx_table_elt_t *h);
static void ngx_http_conflict_cors_drop(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_cors_join(ngx_http_request_t *r,
    ngx_str_t *list, ngx_str_t *more);
static ngx_uint_t ngx_http_conflict_cors_listed(ngx_str_t *list,
    ngx_str_t *token);


static ngx_str_t  ngx_http_conflict_vary = ngx_string("Vary");

static ngx_str_t  ngx_http_conflict_cors_origin =
    ngx_string("Access-Control-Allow-Origin");

static ngx_str_t  ngx_http_conflict_cors_credentials =
    ngx_string("Access-Control-Allow-Credentials");

static ngx_str_t  ngx_http_conflict_cors_page_origin = ngx_string("Origin");


/* fields that are lists; of other fields the last one is used */

static ngx_str_t  ngx_http_conflict_cors_lists[] = {
    ngx_string("Vary"),
    ngx_string("Access-Control-Expose-Headers"),
    ngx_string("Access-Control-Allow-Headers"),
    ngx_string("Access-Control-Allow-Methods"),
    ngx_null_string
};


ngx_int_t
ngx_http_conflict_cors_add(ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx)
{
    if (!ngx_http_conflict_cors_answered(ctx)) {
        return ngx_http_conflict_origin_allow(r, ctx->conf);
    }

    return ngx_http_conflict_cors_copy(r, ctx->latest.request);
}


ngx_int_t
ngx_http_conflict_cors_copy(ngx_http_request_t *r, ngx_http_request_t *get)
{
    ngx_table_elt_t                  *h, *copy;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, &get->headers_out.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (!ngx_http_conflict_cors_match(h)) {
            continue;
        }

        copy = ngx_list_push(&r->headers_out.headers);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *h;
#if (nginx_version >= 1023000)
        copy->next = NULL;
#endif
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_conflict_cors_same(ngx_http_request_t *a, ngx_http_request_t *b)
{
    ngx_str_t   *one, *other, *name;
    ngx_uint_t   i;

    for (i = 0; i < 2; i++) {
        name = i ? &ngx_http_conflict_cors_credentials
                 : &ngx_http_conflict_cors_origin;

        one = ngx_http_conflict_header_find(&a->headers_out.headers, name,
                                            NULL);
        other = ngx_http_conflict_header_find(&b->headers_out.headers, name,
                                              NULL);

        if ((one == NULL) != (other == NULL)
            || (one && !ngx_http_conflict_same(one, other)))
        {
            return 0;
        }
    }

    return 1;
}


/* 1 if the API has answered the own GET */

static ngx_uint_t
ngx_http_conflict_cors_answered(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->latest.request;

    if (r == NULL || ctx->latest.sent == 0) {
        return 0;
    }

    return ngx_http_conflict_header_find(&r->headers_out.headers,
                                         &ngx_http_conflict_cors_origin, NULL)
           || !ngx_http_conflict_cors_page(r);
}


ngx_int_t
ngx_http_conflict_cors_observe(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf)
{
    if (nlcf->policy == NGX_HTTP_CONFLICT_OFF
        && !ngx_http_conflict_conf_endpoint(nlcf))
    {
        return NGX_OK;
    }

    if (ngx_http_conflict_cors_page(r)) {
        return ngx_http_conflict_origin_allow(r, nlcf);
    }

    ngx_http_conflict_origin_observe(r, nlcf);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_cors_replay(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf)
{
    ngx_str_t  *origin, *allowed;

    origin = ngx_http_conflict_header_find(&r->headers_in.headers,
                                           &ngx_http_conflict_cors_page_origin,
                                           NULL);

    allowed = ngx_http_conflict_header_find(&r->headers_out.headers,
                                            &ngx_http_conflict_cors_origin,
                                            NULL);

    if (allowed
        && ((allowed->len == 1 && allowed->data[0] == '*')
            || (origin && ngx_http_conflict_same(origin, allowed))))
    {
        return NGX_OK;
    }

    ngx_http_conflict_cors_drop(r);

    if (ngx_http_conflict_origin_allow(r, nlcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_conflict_cors_unify(r);
}


static void
ngx_http_conflict_cors_drop(ngx_http_request_t *r)
{
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, &r->headers_out.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (ngx_http_conflict_cors_match(h)
            && !ngx_http_conflict_same_name(&h->key, &ngx_http_conflict_vary))
        {
            h->hash = 0;
        }
    }
}


ngx_uint_t
ngx_http_conflict_cors_page(ngx_http_request_t *r)
{
    return r->err_status >= NGX_HTTP_BAD_REQUEST
           && (r->upstream == NULL
               || r->upstream->headers_in.status_n != r->err_status);
}


/* 1 for Vary and the Access-Control fields */

static ngx_uint_t
ngx_http_conflict_cors_match(ngx_table_elt_t *h)
{
    if (h->hash == 0) {
        return 0;
    }

    return ngx_http_conflict_same_name(&h->key, &ngx_http_conflict_vary)
           || (h->key.len > sizeof("Access-Control-") - 1
               && ngx_strncasecmp(h->key.data, (u_char *) "Access-Control-",
                                  sizeof("Access-Control-") - 1)
                  == 0);
}


ngx_int_t
ngx_http_conflict_cors_unify(ngx_http_request_t *r)
{
    ngx_str_t                        *first, *list;
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, &r->headers_out.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (!ngx_http_conflict_cors_match(h)) {
            continue;
        }

        first = ngx_http_conflict_header_find(&r->headers_out.headers, &h->key,
                                              NULL);

        if (first == &h->value) {
            continue;
        }

        for (list = ngx_http_conflict_cors_lists; list->len; list++) {

            if (ngx_http_conflict_same_name(&h->key, list)) {
                break;
            }
        }

        if (list->len == 0) {
            *first = h->value;

        } else if (ngx_http_conflict_cors_join(r, first, &h->value) != NGX_OK) {
            return NGX_ERROR;
        }

        h->hash = 0;
    }

    return NGX_OK;
}


/* appends the tokens that are not in the list */

static ngx_int_t
ngx_http_conflict_cors_join(ngx_http_request_t *r, ngx_str_t *list,
    ngx_str_t *more)
{
    u_char     *data;
    ngx_str_t   rest, token;

    data = ngx_pnalloc(r->pool, list->len + 2 * more->len + 2);
    if (data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(data, list->data, list->len);
    list->data = data;

    rest = *more;

    while (ngx_http_conflict_header_token(&rest, &token)) {

        if (ngx_http_conflict_cors_listed(list, &token)) {
            continue;
        }

        if (list->len) {
            list->data[list->len++] = ',';
            list->data[list->len++] = ' ';
        }

        ngx_memcpy(list->data + list->len, token.data, token.len);
        list->len += token.len;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_conflict_cors_listed(ngx_str_t *list, ngx_str_t *token)
{
    ngx_str_t  rest, other;

    rest = *list;

    while (ngx_http_conflict_header_token(&rest, &other)) {

        if (ngx_http_conflict_same_name(&other, token)) {
            return 1;
        }
    }

    return 0;
}
