
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The Idempotency-Key field, whose key it is, and what the request is.
 */


#include "idempotency/ngx_http_conflict_idempotency.h"


#define NGX_HTTP_CONFLICT_IDEMPOTENCY_KEY_MAX  255
#define NGX_HTTP_CONFLICT_IDEMPOTENCY_KEY_MIN  20   /* of an unknown caller */


static void ngx_http_conflict_idempotency_key_caller(ngx_http_request_t *r,
    ngx_sha1_t *sha1, ngx_str_t *certificate);
static void ngx_http_conflict_idempotency_key_fields(ngx_http_request_t *r,
    ngx_sha1_t *sha1, const ngx_str_t *names);
static ngx_uint_t ngx_http_conflict_idempotency_key_credentials(
    ngx_http_request_t *r);
static u_char *ngx_http_conflict_idempotency_key_digest(u_char *p,
    ngx_sha1_t *sha1);


static ngx_str_t  ngx_http_conflict_idempotency_name =
    ngx_string("idempotency-key");


ngx_uint_t
ngx_http_conflict_idempotency_key_given(ngx_http_request_t *r)
{
    return ngx_http_conflict_header_find(&r->headers_in.headers,
                                         &ngx_http_conflict_idempotency_name,
                                         NULL)
           != NULL;
}


/* a string of RFC 9651, 3.3.3; or, as many clients send it, without quotes */

ngx_int_t
ngx_http_conflict_idempotency_key(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    size_t                            i;
    u_char                            ch;
    ngx_str_t                        *value, key, user, certificate;
    ngx_uint_t                        n, quoted;
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    value = ngx_http_conflict_header_find(&r->headers_in.headers,
                                          &ngx_http_conflict_idempotency_name,
                                          &n);
    if (value == NULL) {
        ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_NO_KEY;
        ctx->flow.reason = "send one that is new for each request, and the "
                           "same when the request is sent again";
        return NGX_DECLINED;
    }

    ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_BAD_KEY;
    ctx->flow.reason = "it must be one string of 1 to 255 characters, as in "
                       "RFC 9651, or visible ones other than a comma";

    key = *value;
    quoted = (key.len > 1 && key.data[0] == '"'
              && key.data[key.len - 1] == '"');

    if (quoted) {
        key.data++;
        key.len -= 2;
    }

    if (n != 1 || key.len == 0
        || key.len > NGX_HTTP_CONFLICT_IDEMPOTENCY_KEY_MAX)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < key.len; i++) {
        ch = key.data[i];

        if (quoted && ch == '\\' && i + 1 < key.len
            && (key.data[i + 1] == '"' || key.data[i + 1] == '\\'))
        {
            i++;
            continue;
        }

        if (ch < ' ' || ch > '~' || ch == '"' || ch == '\\'
            || (!quoted && (ch == ' ' || ch == ',')))
        {
            return NGX_DECLINED;
        }
    }

    ngx_str_null(&user);

    if (ctx->conf->user_set
        && ngx_http_conflict_evaluate(r, ctx->conf->user, &user) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (key.len < NGX_HTTP_CONFLICT_IDEMPOTENCY_KEY_MIN && user.len == 0
        && !ngx_http_conflict_idempotency_key_credentials(r))
    {
        if (ngx_http_conflict_view_certificate(r, &certificate) != NGX_OK) {
            return NGX_ERROR;
        }

        if (certificate.len == 0) {
            ctx->flow.reason = "without user and credentials it must have at "
                               "least 20 characters";
            return NGX_DECLINED;
        }
    }

    ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_NONE;
    ctx->flow.reason = NULL;

    idem->key = key;

    return NGX_OK;
}


/*
 * Digests, so that nobody can make a request that meets another caller's
 * entry.  The fingerprint has the credentials: a response is shown only to
 * those that the first request had.
 */

ngx_int_t
ngx_http_conflict_idempotency_key_scope(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    u_char                           *p;
    uint64_t                          body;
    ngx_str_t                         user, text, certificate;
    ngx_sha1_t                        sha1;
    ngx_http_core_srv_conf_t         *cscf;
    ngx_http_conflict_idempotency_t  *idem;

    idem = ctx->idempotency;

    ngx_str_null(&user);

    if (ctx->conf->user_set
        && ngx_http_conflict_evaluate(r, ctx->conf->user, &user) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_view_certificate(r, &certificate) != NGX_OK) {
        return NGX_ERROR;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    ngx_sha1_init(&sha1);

    ngx_http_conflict_view_sha1(&sha1, &idem->key);
    ngx_http_conflict_view_sha1(&sha1, &ctx->method_name);
    ngx_http_conflict_idempotency_key_fields(r, &sha1,
                                             ngx_http_conflict_method_fields);
    ngx_http_conflict_view_sha1(&sha1, &r->unparsed_uri);
    ngx_http_conflict_view_sha1(&sha1, &cscf->server_name);
    ngx_http_conflict_view_sha1(&sha1, &r->headers_in.server);
    ngx_http_conflict_view_sha1(&sha1, &user);

    if (user.len == 0) {
        ngx_http_conflict_idempotency_key_caller(r, &sha1, &certificate);
    }

    idem->partition.len = sizeof("idempotency:") - 1
                          + NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST;

    idem->partition.data = ngx_pnalloc(r->pool, idem->partition.len);
    if (idem->partition.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(idem->partition.data, "idempotency:",
                   sizeof("idempotency:") - 1);
    (void) ngx_http_conflict_idempotency_key_digest(p, &sha1);

    /* a body that is held when it is refused again is the same */
    ctx->hold.key = idem->partition;

    body = conflict_hash_final(&idem->hash);

    text.data = (u_char *) &body;
    text.len = sizeof(uint64_t);

    ngx_sha1_init(&sha1);

    ngx_http_conflict_view_sha1(&sha1, &text);

    ngx_http_conflict_idempotency_key_fields(r, &sha1, NULL);
    ngx_http_conflict_idempotency_key_caller(r, &sha1, &certificate);

    (void) ngx_http_conflict_idempotency_key_digest(idem->fingerprint, &sha1);

    return NGX_OK;
}


/* its credentials */

static void
ngx_http_conflict_idempotency_key_caller(ngx_http_request_t *r,
    ngx_sha1_t *sha1, ngx_str_t *certificate)
{
    ngx_http_conflict_idempotency_key_fields(r, sha1,
                                         ngx_http_conflict_view_caller_fields);

    if (certificate->len) {
        ngx_http_conflict_view_sha1(sha1, certificate);
    }
}


/* those that have one of these names; NULL: that say what the request is */

static void
ngx_http_conflict_idempotency_key_fields(ngx_http_request_t *r,
    ngx_sha1_t *sha1, const ngx_str_t *names)
{
    ngx_str_t                         name;
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, &r->headers_in.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (h->key.len
            && (names ? ngx_http_conflict_header_listed(&h->key, names)
                      : ngx_http_conflict_header_means(h)))
        {
            /* in HTTP/2 names are in lower case */
            name.data = h->lowcase_key;
            name.len = h->key.len;

            ngx_http_conflict_view_sha1(sha1, &name);
            ngx_http_conflict_view_sha1(sha1, &h->value);
        }
    }
}


static ngx_uint_t
ngx_http_conflict_idempotency_key_credentials(ngx_http_request_t *r)
{
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;

    ngx_http_conflict_header_walk(&walk, &r->headers_in.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (h->value.len
            && ngx_http_conflict_header_listed(&h->key,
                                         ngx_http_conflict_view_caller_fields))
        {
            return 1;
        }
    }

    return 0;
}


static u_char *
ngx_http_conflict_idempotency_key_digest(u_char *p, ngx_sha1_t *sha1)
{
    u_char  hash[NGX_HTTP_CONFLICT_IDEMPOTENCY_DIGEST / 2];

    ngx_sha1_final(hash, sha1);

    return ngx_hex_dump(p, hash, sizeof(hash));
}
