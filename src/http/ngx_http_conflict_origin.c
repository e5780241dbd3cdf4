
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The CORS fields that an API last sent to each origin, for responses that are
 * made without asking the API.  Each worker has a table for each location.
 */


#include "http/ngx_http_conflict_http.h"
#include "process/ngx_http_conflict_random.h"


#define NGX_HTTP_CONFLICT_ORIGINS      64
#define NGX_HTTP_CONFLICT_ORIGIN_SIZE  2048     /* bytes of an entry */

#define NGX_HTTP_CONFLICT_ORIGIN_NAMES                                        \
    (sizeof(ngx_http_conflict_origin_names) / sizeof(ngx_str_t))


/* the first one names the allowed origin */

static ngx_str_t  ngx_http_conflict_origin_names[] = {
    ngx_string("Access-Control-Allow-Origin"),
    ngx_string("Access-Control-Allow-Credentials"),
    ngx_string("Access-Control-Expose-Headers"),
    ngx_string("Vary")
};


/*
 * "text" has the origin, empty for requests without Origin, and the fields,
 * each with a terminating zero.
 */

typedef struct {
    uint64_t                       hash;       /* of the origin */
    ngx_uint_t                     used;       /* time of the last use */
    size_t                         len;        /* 0: free */
    u_char                        *text;
} ngx_http_conflict_origin_t;


struct ngx_http_conflict_origins_s {
    ngx_uint_t                     time;       /* counts uses */
    ngx_http_conflict_origin_t     origin[NGX_HTTP_CONFLICT_ORIGINS];
};


static ngx_uint_t ngx_http_conflict_origin_denied(ngx_http_request_t *r);
static void ngx_http_conflict_origin_record(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *origin);
static ngx_http_conflict_origin_t *ngx_http_conflict_origin_find(
    ngx_http_conflict_origins_t *origins, ngx_str_t *origin, uint64_t *sum);
static ngx_http_conflict_origin_t *ngx_http_conflict_origin_oldest(
    ngx_http_conflict_origins_t *origins);
static void ngx_http_conflict_origin_discard(
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *origin);
static ngx_int_t ngx_http_conflict_origin_join(ngx_http_request_t *r,
    ngx_str_t *name, u_char **p, u_char *end);
static ngx_int_t ngx_http_conflict_origin_add(u_char **p, u_char *end,
    ngx_str_t *text);


static ngx_str_t  ngx_http_conflict_origin_field = ngx_string("origin");
static ngx_str_t  ngx_http_conflict_origin_none = ngx_string("");


/*
 * Records the fields for the origin that the API names or, if that is "*", for
 * the origin of this request.  An error does not discard them, as many APIs
 * send no CORS fields with errors; but 403 may mean that the origin is denied.
 */

void
ngx_http_conflict_origin_observe(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf)
{
    ngx_str_t   *origin, *allowed;
    ngx_uint_t   n;

    nlcf = nlcf->named;

    allowed = ngx_http_conflict_header_find(&r->headers_out.headers,
                                            &ngx_http_conflict_origin_names[0],
                                            &n);

    if (allowed == NULL && nlcf->origins == NULL) {
        return;
    }

    origin = ngx_http_conflict_header_find(&r->headers_in.headers,
                                           &ngx_http_conflict_origin_field,
                                           NULL);

    if (origin == NULL) {
        origin = &ngx_http_conflict_origin_none;
    }

    if (allowed && n == 1 && allowed->len) {

        if (allowed->len == 1 && allowed->data[0] == '*') {
            ngx_http_conflict_origin_record(r, nlcf, origin);
            return;
        }

        ngx_http_conflict_origin_record(r, nlcf, allowed);

        if (ngx_http_conflict_same(allowed, origin)) {
            return;
        }
    }

    if (nlcf->origins && ngx_http_conflict_origin_denied(r)) {
        ngx_http_conflict_origin_discard(nlcf, origin);
        ngx_http_conflict_origin_discard(nlcf, &ngx_http_conflict_origin_none);
    }
}


static ngx_uint_t
ngx_http_conflict_origin_denied(ngx_http_request_t *r)
{
    ngx_uint_t  status;

    status = r->headers_out.status;

    if (r->method & NGX_HTTP_OPTIONS) {
        return ngx_http_conflict_preflight(r)
               && status < NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return (status >= NGX_HTTP_OK && status < NGX_HTTP_SPECIAL_RESPONSE)
           || status == NGX_HTTP_FORBIDDEN;
}


static void
ngx_http_conflict_origin_record(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf, ngx_str_t *origin)
{
    u_char                      *p, *end;
    u_char                       text[NGX_HTTP_CONFLICT_ORIGIN_SIZE];
    uint64_t                     hash;
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    ngx_http_conflict_origin_t  *entry;

    if (nlcf->origins == NULL) {
        nlcf->origins = ngx_pcalloc(ngx_cycle->pool,
                                    sizeof(ngx_http_conflict_origins_t));
        if (nlcf->origins == NULL) {
            return;
        }
    }

    entry = ngx_http_conflict_origin_find(nlcf->origins, origin, &hash);

    if (entry && (r->method & NGX_HTTP_OPTIONS)) {
        /* the response to a preflight has no Expose-Headers */
        return;
    }

    p = text;
    end = text + NGX_HTTP_CONFLICT_ORIGIN_SIZE;

    if (ngx_http_conflict_origin_add(&p, end, origin) != NGX_OK) {
        return;
    }

    *p++ = '\0';

    for (i = 0; i < NGX_HTTP_CONFLICT_ORIGIN_NAMES; i++) {
        name = &ngx_http_conflict_origin_names[i];

        if (ngx_http_conflict_origin_join(r, name, &p, end) != NGX_OK) {
            ngx_http_conflict_origin_discard(nlcf, origin);
            return;
        }
    }

    if (entry && entry->len == (size_t) (p - text)
        && ngx_memcmp(entry->text, text, entry->len) == 0)
    {
        return;
    }

    if (entry == NULL) {
        entry = ngx_http_conflict_origin_oldest(nlcf->origins);
    }

    if (entry->text == NULL) {
        entry->text = ngx_pnalloc(ngx_cycle->pool,
                                  NGX_HTTP_CONFLICT_ORIGIN_SIZE);
        if (entry->text == NULL) {
            return;
        }
    }

    entry->hash = hash;
    entry->used = ++nlcf->origins->time;
    entry->len = p - text;
    ngx_memcpy(entry->text, text, entry->len);
}


static ngx_http_conflict_origin_t *
ngx_http_conflict_origin_find(ngx_http_conflict_origins_t *origins,
    ngx_str_t *origin, uint64_t *sum)
{
    ngx_uint_t                   i;
    conflict_hash_t              hash;
    ngx_http_conflict_origin_t  *entry;

    conflict_hash_init(&hash, ngx_http_conflict_random_seed());
    conflict_hash_field(&hash, origin->data, origin->len);

    *sum = conflict_hash_final(&hash);

    for (i = 0; i < NGX_HTTP_CONFLICT_ORIGINS; i++) {
        entry = &origins->origin[i];

        if (entry->hash == *sum && entry->len > origin->len
            && ngx_memcmp(entry->text, origin->data, origin->len) == 0
            && entry->text[origin->len] == '\0')
        {
            entry->used = ++origins->time;
            return entry;
        }
    }

    return NULL;
}


static ngx_http_conflict_origin_t *
ngx_http_conflict_origin_oldest(ngx_http_conflict_origins_t *origins)
{
    ngx_uint_t                   i;
    ngx_http_conflict_origin_t  *entry, *oldest;

    oldest = &origins->origin[0];

    for (i = 0; i < NGX_HTTP_CONFLICT_ORIGINS; i++) {
        entry = &origins->origin[i];

        if (entry->len == 0) {
            return entry;
        }

        if (entry->used < oldest->used) {
            oldest = entry;
        }
    }

    return oldest;
}


static void
ngx_http_conflict_origin_discard(ngx_http_conflict_loc_conf_t *nlcf,
    ngx_str_t *origin)
{
    uint64_t                     hash;
    ngx_http_conflict_origin_t  *entry;

    entry = ngx_http_conflict_origin_find(nlcf->origins, origin, &hash);

    if (entry) {
        entry->len = 0;
    }
}


/* all lines of a field as one, with a terminating zero */

static ngx_int_t
ngx_http_conflict_origin_join(ngx_http_request_t *r, ngx_str_t *name,
    u_char **p, u_char *end)
{
    ngx_uint_t                        n;
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    static ngx_str_t  comma = ngx_string(", ");

    n = 0;

    ngx_http_conflict_header_walk(&walk, &r->headers_out.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (h->hash == 0 || !ngx_http_conflict_same_name(&h->key, name)) {
            continue;
        }

        if ((n++ && ngx_http_conflict_origin_add(p, end, &comma) != NGX_OK)
            || ngx_http_conflict_origin_add(p, end, &h->value) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    if (*p == end) {
        return NGX_DECLINED;
    }

    *(*p)++ = '\0';

    return NGX_OK;
}


/* leaves room for a terminating zero */

static ngx_int_t
ngx_http_conflict_origin_add(u_char **p, u_char *end, ngx_str_t *text)
{
    if ((size_t) (end - *p) <= text->len) {
        return NGX_DECLINED;
    }

    *p = ngx_cpymem(*p, text->data, text->len);

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_origin_allow(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf)
{
    size_t                       len;
    u_char                      *p;
    uint64_t                     hash;
    ngx_str_t                   *origin, *name;
    ngx_uint_t                   i;
    ngx_http_conflict_origin_t  *entry;

    nlcf = nlcf->named;

    if (nlcf->origins == NULL) {
        return NGX_OK;
    }

    origin = ngx_http_conflict_header_find(&r->headers_in.headers,
                                           &ngx_http_conflict_origin_field,
                                           NULL);
    if (origin == NULL) {
        return NGX_OK;
    }

    entry = ngx_http_conflict_origin_find(nlcf->origins, origin, &hash);

    if (entry == NULL) {
        origin = &ngx_http_conflict_origin_none;
        entry = ngx_http_conflict_origin_find(nlcf->origins, origin, &hash);

        if (entry == NULL) {
            return NGX_OK;
        }
    }

    p = entry->text + origin->len + 1;

    for (i = 0; i < NGX_HTTP_CONFLICT_ORIGIN_NAMES; i++) {
        name = &ngx_http_conflict_origin_names[i];
        len = ngx_strlen(p);

        if (len
            && ngx_http_conflict_header_add(r, (char *) name->data, (char *) p,
                                            len)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        p += len + 1;
    }

    return NGX_OK;
}
