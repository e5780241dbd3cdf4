
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The view of a request: all that selects the representation that a GET of it
 * shows.  Only bodies of the same view can be compared.
 */


#include "http/ngx_http_conflict_http.h"


/*
 * Where a body may be shown to a caller because of its view, nobody may be able
 * to construct a request with the view of another caller.
 */

typedef struct {
    conflict_hash_t                hash;
    ngx_sha1_t                     sha1;
    ngx_uint_t                     strong;   /* "sha1" is used */
} ngx_http_conflict_view_digest_t;


static void ngx_http_conflict_view_init(
    ngx_http_conflict_view_digest_t *digest, ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_view_field(
    ngx_http_conflict_view_digest_t *digest, void *data, size_t len);
static uint64_t ngx_http_conflict_view_final(
    ngx_http_conflict_view_digest_t *digest);
static ngx_int_t ngx_http_conflict_view_tls(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_view_digest_t *digest);
static ngx_uint_t ngx_http_conflict_view_selects(ngx_str_t *name);
static ngx_int_t ngx_http_conflict_view_names(ngx_str_t *vary,
    ngx_str_t *names);
static uint64_t ngx_http_conflict_view_hash(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *names, ngx_uint_t *present);


static ngx_str_t  ngx_http_conflict_vary = ngx_string("vary");


/*
 * Those of a caller, from Authorization on, are usual names: an API that is
 * told the caller by nginx cannot name them in Vary.
 */

const ngx_str_t  ngx_http_conflict_view_fields[] = {
    ngx_string("accept"),
    ngx_string("accept-language"),
    ngx_string("authorization"),
    ngx_string("cookie"),
    ngx_string("x-api-key"),
    ngx_string("api-key"),
    ngx_string("x-auth-token"),
    ngx_string("x-access-token"),
    ngx_string("private-token"),
    ngx_string("x-remote-user"),
    ngx_string("x-forwarded-user"),
    ngx_string("client-cert"),
    ngx_string("x-forwarded-client-cert"),
    ngx_null_string
};


ngx_int_t
ngx_http_conflict_view_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    u_char                           *args, *last;
    ngx_str_t                         user, *target;
    ngx_uint_t                        n, present;
    ngx_table_elt_t                  *h;
    ngx_http_core_srv_conf_t         *cscf;
    ngx_http_conflict_header_walk_t   walk;
    ngx_http_conflict_view_digest_t   digest;

    target = ctx->get.target.len ? &ctx->get.target : &r->unparsed_uri;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    ngx_http_conflict_view_init(&digest, ctx);
    ngx_http_conflict_view_field(&digest, cscf->server_name.data,
                                 cscf->server_name.len);
    ngx_http_conflict_view_field(&digest, target->data, target->len);

    /* as well as Host: HTTP/3 and an absolute target name it without that */
    ngx_http_conflict_view_field(&digest, r->headers_in.server.data,
                                 r->headers_in.server.len);

    h = r->headers_in.host;

    if (h) {
        ngx_http_conflict_view_field(&digest, h->value.data, h->value.len);
    }

    ngx_http_conflict_header_walk(&walk, &r->headers_in.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {
        n = ngx_http_conflict_view_selects(&h->key);

        if (n == 0) {
            continue;
        }

        ngx_http_conflict_view_field(&digest, &n, sizeof(ngx_uint_t));
        ngx_http_conflict_view_field(&digest, h->value.data, h->value.len);

        /* 3: Authorization, from 4 on: Cookie and the like */
        ctx->caller.credentials |= (n == 3);
        ctx->caller.known |= (n > 2);
    }

    if (ngx_http_conflict_view_tls(r, ctx, &digest) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->conf->user_set) {

        if (ngx_http_conflict_evaluate(r, ctx->conf->user, &user) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_conflict_view_field(&digest, user.data, user.len);
        ctx->caller.known |= (user.len != 0);
    }

    ctx->caller.selected = ngx_http_conflict_view_final(&digest);
    ctx->op->in.view = ngx_http_conflict_view_hash(ctx,
                                                   &ctx->conf->named->vary,
                                                   &present);

    last = target->data + target->len;
    args = ngx_strlchr(target->data, last, '?');

    ctx->op->in.part = (present || args != NULL);

    return NGX_OK;
}


/*
 * A target of "https" is another one than that of "http", and so may be what
 * the two blocks of a server show.  An API that is told who has a certificate
 * cannot name a field in Vary.
 */

static ngx_int_t
ngx_http_conflict_view_tls(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_view_digest_t *digest)
{
    ngx_str_t  fingerprint;

    if (ngx_http_conflict_view_certificate(r, &fingerprint) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_HTTP_SSL)

    if (r->connection->ssl) {
        ngx_http_conflict_view_field(digest, (void *) "https",
                                     sizeof("https") - 1);
    }

#endif

    if (fingerprint.len) {
        ngx_http_conflict_view_field(digest, fingerprint.data,
                                     fingerprint.len);
        ctx->caller.known = 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_view_certificate(ngx_http_request_t *r,
    ngx_str_t *fingerprint)
{
    ngx_str_null(fingerprint);

#if (NGX_HTTP_SSL)

    if (r->connection->ssl) {
        return ngx_ssl_get_fingerprint(r->connection, r->pool, fingerprint);
    }

#endif

    return NGX_OK;
}


static void
ngx_http_conflict_view_init(ngx_http_conflict_view_digest_t *digest,
    ngx_http_conflict_ctx_t *ctx)
{
    digest->strong = (ctx->conf->bodies || ctx->conf->versions);

    if (digest->strong) {
        ngx_sha1_init(&digest->sha1);

    } else {
        conflict_hash_init(&digest->hash, 0);
    }
}


static void
ngx_http_conflict_view_field(ngx_http_conflict_view_digest_t *digest,
    void *data, size_t len)
{
    ngx_str_t  text;

    if (!digest->strong) {
        conflict_hash_field(&digest->hash, data, len);
        return;
    }

    text.data = data;
    text.len = len;

    ngx_http_conflict_view_sha1(&digest->sha1, &text);
}


void
ngx_http_conflict_view_sha1(ngx_sha1_t *sha1, ngx_str_t *text)
{
    uint64_t  len;

    len = text->len;

    ngx_sha1_update(sha1, &len, sizeof(uint64_t));

    if (len) {
        ngx_sha1_update(sha1, text->data, text->len);
    }
}


static uint64_t
ngx_http_conflict_view_final(ngx_http_conflict_view_digest_t *digest)
{
    u_char    result[20];
    uint64_t  view;

    if (!digest->strong) {
        return conflict_hash_final(&digest->hash);
    }

    ngx_sha1_final(result, &digest->sha1);
    ngx_memcpy(&view, result, sizeof(uint64_t));

    return view ? view : 1;
}


/* the number of a field that is part of every view, from 1; else 0 */

static ngx_uint_t
ngx_http_conflict_view_selects(ngx_str_t *name)
{
    ngx_uint_t        n;
    const ngx_str_t  *field;

    field = ngx_http_conflict_view_fields;

    for (n = 0; field[n].len; n++) {

        if (ngx_http_conflict_same_name(name, &field[n])) {
            return n + 1;
        }
    }

    return 0;
}


uint64_t
ngx_http_conflict_view(ngx_http_conflict_ctx_t *ctx, ngx_http_request_t *r)
{
    u_char                            text[NGX_HTTP_CONFLICT_VARY];
    ngx_str_t                         names, *vary;
    ngx_uint_t                        present;
    ngx_table_elt_t                  *h;
    ngx_http_conflict_loc_conf_t     *nlcf;
    ngx_http_conflict_header_walk_t   walk;

    nlcf = ctx->conf->named;
    vary = &ngx_http_conflict_vary;

    names.data = text;
    names.len = 0;

    ngx_http_conflict_header_walk(&walk, &r->headers_out.headers);

    while (ngx_http_conflict_header_next(&walk, &h)) {

        if (h->hash && ngx_http_conflict_same_name(&h->key, vary)
            && ngx_http_conflict_view_names(&h->value, &names) != NGX_OK)
        {
            return 0;
        }
    }

    if (nlcf->vary.data && !ngx_http_conflict_same(&names, &nlcf->vary)) {
        /* likely to select the next response in this location */
        ngx_memcpy(nlcf->vary.data, names.data, names.len);
        nlcf->vary.len = names.len;
    }

    return ngx_http_conflict_view_hash(ctx, &names, &present);
}


/*
 * Appends the names of a Vary field, each followed by a comma, except fields
 * that are part of every view and fields that the own GET does not send: a
 * body with Content-Encoding, say, is not observed.  NGX_DECLINED: "*", or
 * names that are too long.
 */

static ngx_int_t
ngx_http_conflict_view_names(ngx_str_t *vary, ngx_str_t *names)
{
    ngx_str_t  rest, name;

    rest = *vary;

    while (ngx_http_conflict_header_token(&rest, &name)) {

        if (ngx_http_conflict_view_selects(&name)
            || ngx_http_conflict_header_listed(&name,
                                              ngx_http_conflict_header_private))
        {
            continue;
        }

        if ((name.len == 1 && name.data[0] == '*')
            || NGX_HTTP_CONFLICT_VARY - names->len <= name.len)
        {
            return NGX_DECLINED;
        }

        ngx_strlow(names->data + names->len, name.data, name.len);
        names->len += name.len;
        names->data[names->len++] = ',';
    }

    return NGX_OK;
}


/* the view with the fields of these names; is any of them present? */

static uint64_t
ngx_http_conflict_view_hash(ngx_http_conflict_ctx_t *ctx, ngx_str_t *names,
    ngx_uint_t *present)
{
    u_char                           *p, *last;
    ngx_str_t                         name;
    ngx_table_elt_t                  *h;
    ngx_http_conflict_header_walk_t   walk;
    ngx_http_conflict_view_digest_t   digest;

    *present = 0;

#if (CONFLICT_BROKEN == 2)
    return 1;
#endif

    if (names->len == 0) {
        return ctx->caller.selected;
    }

    ngx_http_conflict_view_init(&digest, ctx);
    ngx_http_conflict_view_field(&digest, &ctx->caller.selected,
                                 sizeof(uint64_t));

    p = names->data;
    last = names->data + names->len;

    while (p < last) {
        name.data = p;

        while (*p != ',') {
            p++;
        }

        name.len = p++ - name.data;

        ngx_http_conflict_view_field(&digest, name.data, name.len);

        ngx_http_conflict_header_walk(&walk,
                                      &ctx->request->headers_in.headers);

        while (ngx_http_conflict_header_next(&walk, &h)) {

            if (ngx_http_conflict_same_name(&h->key, &name)) {
                ngx_http_conflict_view_field(&digest, h->value.data,
                                             h->value.len);
                *present = 1;
            }
        }
    }

    return ngx_http_conflict_view_final(&digest);
}
