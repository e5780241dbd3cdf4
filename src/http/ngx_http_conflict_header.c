
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Header fields of requests and responses: found, hidden from the upstream,
 * added and removed.
 */


#include "http/ngx_http_conflict_http.h"


/* may they be equal: most fields are told apart without a call */

#define ngx_http_conflict_header_like(field, name)                            \
    ((field)->len == (name)->len                                              \
     && ((field)->len == 0                                                    \
         || ((field)->data[(field)->len - 1] | 0x20)                          \
            == ((name)->data[(name)->len - 1] | 0x20)))


static ngx_uint_t ngx_http_conflict_header_memcached(ngx_http_upstream_t *u);
static ngx_uint_t ngx_http_conflict_header_tells_cache(ngx_list_t *headers);
static ngx_uint_t ngx_http_conflict_header_of_cache(ngx_str_t *name);
static ngx_uint_t ngx_http_conflict_header_hit(ngx_table_elt_t *h);
static ngx_uint_t ngx_http_conflict_header_hit_word(ngx_str_t *word);


/*
 * Fields of a write, and fields that would make the own GET conditional,
 * partial, encoded or answered by a cache.
 */

const ngx_str_t  ngx_http_conflict_header_private[] = {
    ngx_string("content-length"),
    ngx_string("content-type"),
    ngx_string("content-encoding"),
    ngx_string("content-range"),
    ngx_string("content-md5"),
    ngx_string("content-disposition"),
    ngx_string("content-language"),
    ngx_string("content-location"),
    ngx_string("digest"),
    ngx_string("content-digest"),
    ngx_string("repr-digest"),
    ngx_string("transfer-encoding"),
    ngx_string("te"),
    ngx_string("trailer"),
    ngx_string("expect"),
    ngx_string("upgrade"),
    ngx_string("range"),
    ngx_string("if"),
    ngx_string("if-match"),
    ngx_string("if-none-match"),
    ngx_string("if-modified-since"),
    ngx_string("if-unmodified-since"),
    ngx_string("if-range"),
    ngx_string("accept-encoding"),
    ngx_string("cache-control"),
    ngx_string("pragma"),
    ngx_string("idempotency-key"),
    ngx_string("x-http-method"),
    ngx_string("x-http-method-override"),
    ngx_string("x-method-override"),
    ngx_null_string
};


/* digests of a body, which the module may change */

const ngx_str_t  ngx_http_conflict_header_digests[] = {
    ngx_string("content-md5"),
    ngx_string("digest"),
    ngx_string("content-digest"),
    ngx_string("repr-digest"),
    ngx_null_string
};


/*
 * What the names of fields begin with that say what the body of a write is, or
 * what is to be done with it: parts of uploads, methods of WebDAV, copies and
 * metadata of object stores, preferences, as those of PostgREST.  Sorted by the
 * first byte.
 */

static const ngx_str_t  ngx_http_conflict_header_meanings[] = {
    ngx_string("content-"),
    ngx_string("depth"),
    ngx_string("destination"),
    ngx_string("link"),
    ngx_string("overwrite"),
    ngx_string("prefer"),
    ngx_string("range"),
    ngx_string("slug"),
    ngx_string("upload-"),
    ngx_string("x-amz-acl"),
    ngx_string("x-amz-copy-source"),
    ngx_string("x-amz-grant-"),
    ngx_string("x-amz-meta-"),
    ngx_string("x-amz-object-"),
    ngx_string("x-amz-storage-class"),
    ngx_string("x-amz-tagging"),
    ngx_string("x-amz-website-"),
    ngx_string("x-copy-from"),
    ngx_string("x-delete-"),
    ngx_string("x-goog-acl"),
    ngx_string("x-goog-copy-source"),
    ngx_string("x-goog-meta-"),
    ngx_string("x-goog-upload-"),
    ngx_string("x-http-method"),
    ngx_string("x-method-override"),
    ngx_string("x-ms-access-tier"),
    ngx_string("x-ms-blob-"),
    ngx_string("x-ms-copy-source"),
    ngx_string("x-ms-meta-"),
    ngx_string("x-ms-range"),
    ngx_string("x-ms-tags"),
    ngx_string("x-object-"),
    ngx_string("x-update-range"),
    ngx_string("x-upload-"),
    ngx_null_string
};


/* response fields of caches: RFC 7234 (5.1 and 5.5), and of Varnish */

static const ngx_str_t  ngx_http_conflict_header_caches[] = {
    ngx_string("age"),
    ngx_string("warning"),
    ngx_string("x-varnish"),
    ngx_null_string
};

/*
 * What the names of others end with: RFC 9211, and those that are customary
 * where a cache sends no Age, as X-Cache, X-Cache-Status and CF-Cache-Status.
 */

static const ngx_str_t  ngx_http_conflict_header_cache_ends[] = {
    ngx_string("-cache"),
    ngx_string("-cached"),
    ngx_string("cache-status"),
    ngx_null_string
};

/* what they say of a body that the API has not just sent or confirmed */

static const ngx_str_t  ngx_http_conflict_header_hits[] = {
    ngx_string("110"),
    ngx_string("111"),
    ngx_string("collapsed"),
    ngx_string("fresh"),
    ngx_string("hit"),
    ngx_string("stale"),
    ngx_string("updating"),
    ngx_null_string
};

static ngx_str_t  ngx_http_conflict_age = ngx_string("age");
static ngx_str_t  ngx_http_conflict_varnish = ngx_string("x-varnish");
static ngx_str_t  ngx_http_conflict_length = ngx_string("content-length");
static ngx_str_t  ngx_http_conflict_memcached = ngx_string("memcached://");


ngx_str_t *
ngx_http_conflict_header_find(ngx_list_t *headers, ngx_str_t *name,
    ngx_uint_t *n)
{
    ngx_str_t                        *value;
    ngx_uint_t                        count;
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    value = NULL;
    count = 0;

    ngx_http_conflict_header_walk(&walk, headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (h->hash && ngx_http_conflict_header_like(&h->key, name)
            && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
        {
            value = value ? value : &h->value;
            count++;
        }
    }

    if (n) {
        *n = count;
    }

    return value;
}


ngx_uint_t
ngx_http_conflict_header_cached(ngx_http_request_t *r)
{
    if (r->cached
        || ngx_http_conflict_header_tells_cache(&r->headers_out.headers))
    {
        return 1;
    }

    /* this runs before the filters that compress */

    if (r->content_handler == NULL && r->headers_out.content_encoding != NULL) {
        /* a file that was compressed before, beside the one that is written */
        return 1;
    }

    /* what proxy_hide_header or a filter has removed still tells */

    return r->upstream != NULL
           && (ngx_http_conflict_header_memcached(r->upstream)
               || ngx_http_conflict_header_tells_cache(
                                            &r->upstream->headers_in.headers));
}


/* after a miss the response is that of another handler */

static ngx_uint_t
ngx_http_conflict_header_memcached(ngx_http_upstream_t *u)
{
    return u->headers_in.status_n == NGX_HTTP_OK
           && ngx_http_conflict_same(&u->schema, &ngx_http_conflict_memcached);
}


static ngx_uint_t
ngx_http_conflict_header_tells_cache(ngx_list_t *headers)
{
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (h->hash && ngx_http_conflict_header_of_cache(&h->key)
            && ngx_http_conflict_header_hit(h))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_conflict_header_of_cache(ngx_str_t *name)
{
    ngx_str_t         last;
    const ngx_str_t  *end;

    for (end = ngx_http_conflict_header_cache_ends; end->len; end++) {
        last.len = ngx_min(name->len, end->len);
        last.data = name->data + name->len - last.len;

        if (ngx_http_conflict_header_like(&last, end)
            && ngx_strncasecmp(last.data, end->data, end->len) == 0)
        {
            return 1;
        }
    }

    return ngx_http_conflict_header_listed(name,
                                           ngx_http_conflict_header_caches);
}


/* is it an age, or a word of a cache that has not asked the API */

static ngx_uint_t
ngx_http_conflict_header_hit(ngx_table_elt_t *h)
{
    u_char     *p, *last;
    ngx_str_t   word;

    p = h->value.data;
    last = p + h->value.len;

    if (h->key.len == ngx_http_conflict_age.len) {

        while (p < last && (*p == '0' || *p == ' ')) {
            p++;
        }

        return p < last;
    }

    if (h->key.len == ngx_http_conflict_varnish.len
        && ngx_http_conflict_header_like(&h->key, &ngx_http_conflict_varnish))
    {
        /* the second number is the request that has filled the cache */
        return ngx_strlchr(p, last, ' ') != NULL;
    }

    while (p < last) {

        word.data = p;

        /* a parameter with a value, as in "fwd=stale", is one word */

        while (p < last
               && ((*p >= '0' && *p <= '9')
                   || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
                   || *p == '_' || *p == '-' || *p == '.' || *p == '='))
        {
            p++;
        }

        word.len = p - word.data;

        if (ngx_http_conflict_header_hit_word(&word)) {
            return 1;
        }

        p++;
    }

    return 0;
}


/* TCP_REMOTE_HIT and the like, but a TCP_REFRESH_HIT has asked the API */

static ngx_uint_t
ngx_http_conflict_header_hit_word(ngx_str_t *word)
{
    size_t   len;
    u_char  *last;

    len = sizeof("_hit") - 1;
    last = word->data + word->len;

    if (word->len < len
        || ngx_strncasecmp(last - len, (u_char *) "_hit", len) != 0)
    {
        return ngx_http_conflict_header_listed(word,
                                               ngx_http_conflict_header_hits);
    }

    len = sizeof("refresh_hit") - 1;

    return word->len < len
           || ngx_strncasecmp(last - len, (u_char *) "refresh_hit", len) != 0;
}


ngx_uint_t
ngx_http_conflict_header_aged(ngx_http_request_t *r)
{
    return ngx_http_conflict_header_find(&r->headers_out.headers,
                                         &ngx_http_conflict_age, NULL)
           != NULL
           || ngx_http_conflict_header_cached(r);
}


ngx_int_t
ngx_http_conflict_header_hide(ngx_http_request_t *r, const ngx_str_t *names)
{
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, &r->headers_in.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (ngx_http_conflict_header_listed(&h->key, names)) {
            return ngx_http_conflict_header_own(r, names);
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_header_own(ngx_http_request_t *r, const ngx_str_t *names)
{
    ngx_list_t                        list;
    ngx_table_elt_t                  *h, *copy;
    ngx_http_conflict_header_walk_t   walk;

    list = r->headers_in.headers;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 20,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_conflict_header_walk(&walk, &list);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (ngx_http_conflict_header_listed(&h->key, names)) {
            continue;
        }

        copy = ngx_list_push(&r->headers_in.headers);
        if (copy == NULL) {
            return NGX_ERROR;
        }

        *copy = *h;
    }

    return NGX_OK;
}


/* by the hash nginx finds the headers that proxy_set_header replaces */

ngx_table_elt_t *
ngx_http_conflict_header_push(ngx_http_request_t *r, const char *name,
    const char *lowcase, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->lowcase_key = (u_char *) lowcase;
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    h->value = *value;

    return h;
}


ngx_uint_t
ngx_http_conflict_header_listed(ngx_str_t *name, const ngx_str_t *names)
{
    ngx_uint_t  n;

    for (n = 0; names[n].len; n++) {

        if (ngx_http_conflict_header_like(name, &names[n])
            && (ngx_memcmp(name->data, names[n].data, names[n].len) == 0
                || ngx_strncasecmp(name->data, names[n].data, names[n].len)
                   == 0))
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_conflict_header_token(ngx_str_t *rest, ngx_str_t *token)
{
    u_char  *p, *last;

    p = rest->data;
    last = p + rest->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
        p++;
    }

    token->data = p;

    while (p < last && *p != ' ' && *p != '\t' && *p != ',') {
        p++;
    }

    token->len = p - token->data;

    rest->data = p;
    rest->len = last - p;

    return token->len != 0;
}


/* its length is not known yet */

void
ngx_http_conflict_header_body_changes(ngx_http_request_t *r)
{
    const ngx_str_t  *name;

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);

    for (name = ngx_http_conflict_header_digests; name->len; name++) {
        ngx_http_conflict_header_drop(&r->headers_out.headers, name);
    }
}


void
ngx_http_conflict_header_drop(ngx_list_t *headers, const ngx_str_t *name)
{
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (ngx_http_conflict_header_like(&h->key, name)
            && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
        {
            h->hash = 0;
        }
    }
}


ngx_int_t
ngx_http_conflict_header_add(ngx_http_request_t *r, const char *name,
    const char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->lowcase_key = NULL;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.len = len;
    h->value.data = ngx_pnalloc(r->pool, len);
    if (h->value.data == NULL) {
        h->hash = 0;
        return NGX_ERROR;
    }

    ngx_memcpy(h->value.data, value, len);

    return NGX_OK;
}


ngx_uint_t
ngx_http_conflict_header_means(ngx_table_elt_t *h)
{
    u_char            ch;
    const ngx_str_t  *prefix;

    ch = h->lowcase_key[0];

    for (prefix = ngx_http_conflict_header_meanings; prefix->len; prefix++) {

        if (prefix->data[0] > ch) {
            return 0;
        }

        if (prefix->data[0] == ch && h->key.len >= prefix->len
            && ngx_memcmp(h->lowcase_key, prefix->data, prefix->len) == 0)
        {
            return h->key.len != ngx_http_conflict_length.len
                   || ngx_memcmp(h->lowcase_key, ngx_http_conflict_length.data,
                                 h->key.len)
                      != 0;
        }
    }

    return 0;
}
