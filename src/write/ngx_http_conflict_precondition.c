
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The preconditions of a write: the bases in header fields (RFC 9110, section
 * 13.1) and in the body.
 */


#include "write/ngx_http_conflict_write.h"
#include "history/ngx_http_conflict_history.h"
#include "core/policy/conflict_etag.h"


static ngx_int_t ngx_http_conflict_precondition_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_precondition_match(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_precondition_if(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_precondition_unmodified(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_precondition_incomplete(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_precondition_invalid_body(
    ngx_http_request_t *r, ngx_http_conflict_ctx_t *ctx);
static ngx_uint_t ngx_http_conflict_precondition_integer(ngx_str_t *text);


ngx_int_t
ngx_http_conflict_precondition_headers(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                     *value;
    ngx_uint_t                     n;
    conflict_precondition_t       *pre;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    if (ngx_http_conflict_precondition_create(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (nlcf->edited && ngx_http_conflict_edited_header(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    pre = &ctx->op->in.pre;

    if (ngx_http_conflict_precondition_match(r, ctx) != NGX_OK) {
        return ngx_http_conflict_precondition_error(ctx,
                       NGX_HTTP_CONFLICT_ANSWER_BAD_BASE,
                       "If-Match or If-None-Match is not a list of "
                       "entity tags");
    }

    if (ngx_http_conflict_precondition_if(r, ctx) != NGX_OK) {
        return ngx_http_conflict_precondition_error(ctx,
                       NGX_HTTP_CONFLICT_ANSWER_BAD_BASE,
                       "If is malformed, or has entity tags in addition to "
                       "If-Match or If-None-Match");
    }

    /* ignored if there is If-Match (RFC 9110, 13.2.2) */

    if (!(pre->kinds & (CONFLICT_IF_MATCH|CONFLICT_IF_MATCH_ANY))
        && r->headers_in.if_unmodified_since
        && ngx_http_conflict_precondition_unmodified(r, ctx) != NGX_OK)
    {
        return ngx_http_conflict_precondition_error(ctx,
                       NGX_HTTP_CONFLICT_ANSWER_BAD_BASE,
                       "If-Unmodified-Since is not a date");
    }

    if (nlcf->base->place == NGX_HTTP_CONFLICT_HEADER) {
        value = ngx_http_conflict_header_find(&r->headers_in.headers,
                                              &nlcf->base->name, &n);

        if (n > 1) {
            return ngx_http_conflict_precondition_error(ctx,
                       NGX_HTTP_CONFLICT_ANSWER_BAD_BASE,
                       "the header with the base version is repeated");
        }

        if (value
            && ngx_http_conflict_precondition_version(ctx, value, 0, 0)
               != NGX_OK)
        {
            return ngx_http_conflict_precondition_error(ctx,
                       NGX_HTTP_CONFLICT_ANSWER_BAD_BASE,
                       "the base version is not an integer");
        }
    }

    switch (ngx_http_conflict_chain(r, ctx)) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        return ngx_http_conflict_precondition_error(ctx,
                       NGX_HTTP_CONFLICT_ANSWER_BAD_BASE, ctx->flow.reason);

    default: /* NGX_ERROR */
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_http_conflict_precondition_create(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    size_t                         n, i;
    ngx_str_t                     *value;
    ngx_http_conflict_op_t        *op;
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    n = ngx_http_conflict_entity_tags_max(nlcf, r->headers_in.if_match)
        + ngx_http_conflict_entity_tags_max(nlcf, r->headers_in.if_none_match);

    value = ngx_http_conflict_dav_if_tags(r);
    i = value ? value->len / 2 + 1 : 0;

    op = ngx_http_conflict_store_call_op(r, nlcf, &ctx->target.key, n + 2 * i);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ctx->op = op;

    op->in.policy = nlcf->policy;
    op->in.lease = nlcf->lease;
    op->in.quarantine = nlcf->report ? 0 : nlcf->quarantine;
    op->in.report = nlcf->report;
    op->in.observed.mtime = CONFLICT_TIME_NONE;
    ngx_http_conflict_body_history_configure(ctx);

    i += ngx_http_conflict_entity_tags_max(nlcf, r->headers_in.if_match);

    op->in.pre.match = ngx_http_conflict_op_bases(op);
    op->in.pre.none = ngx_http_conflict_op_bases(op) + i;

    if (ngx_http_conflict_caller(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (nlcf->store->locks) {
        ngx_http_conflict_caller_token(r, ctx);
    }

    return ngx_http_conflict_view_start(r, ctx);
}


static ngx_int_t
ngx_http_conflict_precondition_match(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                 only;
    ngx_uint_t                i, report, foreign;
    ngx_table_elt_t          *h;
    conflict_precondition_t  *pre;

    pre = &ctx->op->in.pre;

    /* in report mode clients get the upstream's own tags, if it has any */

    report = (ctx->op->in.report && ctx->op->in.minted);
    foreign = (report
               && ctx->conf->named->tags == NGX_HTTP_CONFLICT_TAGS_OWN);

    h = r->headers_in.if_match;

    if (h) {
        ctx->pre.base = h->value;

        if (h->value.len == 1 && h->value.data[0] == '*') {
            pre->kinds |= CONFLICT_IF_MATCH_ANY;

        } else {

            if (ngx_http_conflict_entity_tags(ctx, &h->value,
                                              (uint64_t *) pre->match,
                                              &pre->matches, &only)
                != NGX_OK)
            {
                return NGX_DECLINED;
            }

            if (only.len) {
                ngx_http_conflict_entity_tags_base(ctx, &only);
            }

            ctx->version.offered = (report && ctx->conf->named->tags
                                              == NGX_HTTP_CONFLICT_TAGS_NONE);

            for (i = 0; i < pre->matches; i++) {

                if (pre->match[i] >= CONFLICT_VERSION_LIMIT) {
                    ctx->version.offered = 0;
                }
            }

            if (foreign) {
                pre->matches = 0;

            } else {
                pre->kinds |= CONFLICT_IF_MATCH;
            }
        }
    }

    h = r->headers_in.if_none_match;

    if (h) {

        if (h->value.len == 1 && h->value.data[0] == '*') {
            pre->kinds |= CONFLICT_IF_NONE_ANY;

        } else {

            if (ngx_http_conflict_entity_tags(ctx, &h->value,
                                              (uint64_t *) pre->none,
                                              &pre->nones, &only)
                != NGX_OK)
            {
                return NGX_DECLINED;
            }

            if (foreign) {
                pre->nones = 0;

            } else {
                pre->kinds |= CONFLICT_IF_NONE_MATCH;
            }
        }
    }

    return NGX_OK;
}


/* in report mode, or if the upstream owns the versions, it checks the field */

static ngx_int_t
ngx_http_conflict_precondition_if(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t  *value;

    if (!ctx->op->in.minted || ctx->op->in.report) {
        return NGX_OK;
    }

    value = ngx_http_conflict_dav_if_tags(r);

    if (value == NULL) {
        return NGX_OK;
    }

    if (r->headers_in.if_match || r->headers_in.if_none_match
        || ngx_http_conflict_dav_if(r, ctx, value) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_conflict_dav_if_take(ctx, ctx->op, &r->uri);

    return NGX_OK;
}


/*
 * RFC 9110, 13.1.4 requires that a value that is not an HTTP-date is ignored.
 * Here RFC 3339 is accepted as well, and any other value is refused: the client
 * would assume that its write was checked.
 */

static ngx_int_t
ngx_http_conflict_precondition_unmodified(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    int                       exact;
    char                     *text;
    size_t                    len;
    int64_t                   date;
    ngx_table_elt_t          *h;
    conflict_precondition_t  *pre;

    pre = &ctx->op->in.pre;

    h = r->headers_in.if_unmodified_since;
    text = (char *) h->value.data;
    len = h->value.len;

    exact = 0;
    date = conflict_time_http(text, len, (int64_t) ngx_time()
                                         * CONFLICT_TIME_SECOND);

    if (date == CONFLICT_TIME_NONE) {
        date = conflict_time_rfc3339(text, len, &exact);
    }

    if (date == CONFLICT_TIME_NONE) {
        return NGX_DECLINED;
    }

    pre->kinds |= CONFLICT_IF_UNMODIFIED;
    pre->unmodified = date;
    pre->exact = (unsigned) exact;

    if (ctx->pre.client_time == CONFLICT_TIME_NONE) {
        ctx->pre.client_time = date;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_precondition_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_str_t                  text;
    conflict_scan_t           *json;
    ngx_http_conflict_body_t  *body;

    body = &ctx->body;

    if (body->json && (body->too_large || body->error != CONFLICT_JSON_OK)) {
        rc = ngx_http_conflict_precondition_incomplete(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (body->edited && ngx_http_conflict_edited_body(ctx) != NGX_OK) {
        return NGX_DECLINED;
    }

    json = body->json;

    if (json) {
        rc = ngx_http_conflict_json_patch_base(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (json == NULL || json->type == CONFLICT_JSON_NONE) {
        return ngx_http_conflict_fingerprint(r, ctx);
    }

    text.data = json->text;
    text.len = json->len;

    if ((json->type != CONFLICT_JSON_NUMBER
         && json->type != CONFLICT_JSON_STRING)
        || (json->cut_short && !ctx->op->in.minted)
        || ngx_http_conflict_precondition_version(ctx, &text,
                                             json->type == CONFLICT_JSON_NUMBER,
                                             json->cut_short)
           != NGX_OK)
    {
        return ngx_http_conflict_precondition_error(ctx,
                       NGX_HTTP_CONFLICT_ANSWER_BAD_BASE,
                       ctx->op->in.minted
                       ? "the base version is not an integer"
                       : "the base version is neither a string nor a number");
    }

    return ngx_http_conflict_fingerprint(r, ctx);
}


/*
 * The body was not parsed to its end.  NGX_OK: it is for the API to refuse, and
 * passes as a body in which no base can be found.
 */

static ngx_int_t
ngx_http_conflict_precondition_incomplete(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_body_t  *body;

    body = &ctx->body;

    /* without "json" nothing is removed from it either */

    body->has_member = (body->json->type != CONFLICT_JSON_NONE);
    body->error_offset = (size_t) body->json->offset;
    body->json = NULL;

    if (!ngx_http_conflict_request_body_strict(ctx)
        || (body->undeclared && body->error != CONFLICT_JSON_REPEATED))
    {
        body->opaque = 1;
        return NGX_OK;
    }

    if (body->too_large) {
        return ngx_http_conflict_precondition_error(ctx,
                       NGX_HTTP_CONFLICT_ANSWER_TOO_LARGE,
                       "the body is larger than conflict_max_body");
    }

    if (body->error == CONFLICT_JSON_REPEATED) {
        return ngx_http_conflict_precondition_error(ctx,
                       NGX_HTTP_CONFLICT_ANSWER_BAD_BASE,
                       "the member with the base version is repeated");
    }

    if (ngx_http_conflict_precondition_invalid_body(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_conflict_precondition_error(ctx, ctx->flow.answer,
                                                ctx->flow.reason);
}


static ngx_int_t
ngx_http_conflict_precondition_invalid_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    const char  *what;

    what = (ctx->body.error == CONFLICT_JSON_TOO_DEEP)
           ? "the body is nested deeper than 128 levels"
           : "the body is not valid JSON";

    return ngx_http_conflict_precondition_bad_json(r, ctx, what,
                                                   ctx->body.error_offset);
}


ngx_int_t
ngx_http_conflict_precondition_bad_json(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, const char *what, size_t at)
{
    u_char     *reason;
    size_t      line, column;
    ngx_str_t   text;

    if (ngx_http_conflict_request_body_text(ctx, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    conflict_text_place(text.data, at, &line, &column);

    reason = ngx_pnalloc(r->pool, ngx_strlen(what) + 2 * NGX_SIZE_T_LEN
                                  + sizeof(": line , column "));
    if (reason == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(reason, "%s: line %uz, column %uz%Z", what, line,
                       column);

    ctx->flow.answer = NGX_HTTP_CONFLICT_ANSWER_BAD_JSON;
    ctx->flow.reason = (char *) reason;

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_precondition_missing(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_conflict_answer_e *answer)
{
    u_char                      *p;
    ngx_http_conflict_body_t    *body;
    ngx_http_conflict_source_t  *base;

    body = &ctx->body;
    base = ctx->conf->base;

    /* a base that may be in the body must not be reported as missing */

    if (body->encoded) {
        *answer = NGX_HTTP_CONFLICT_ANSWER_ENCODED;
        ctx->flow.reason = "a body with a Content-Encoding cannot be checked: "
                           "send it without the encoding, or send If-Match "
                           "with the ETag of the resource";
        return NGX_OK;
    }

    if (body->undeclared && body->too_large) {
        *answer = NGX_HTTP_CONFLICT_ANSWER_TOO_LARGE;
        ctx->flow.reason = "the body is larger than conflict_max_body: send "
                           "If-Match with the ETag of the resource";
        return NGX_OK;
    }

    if (body->has_member || body->error == CONFLICT_JSON_TOO_DEEP) {
        *answer = NGX_HTTP_CONFLICT_ANSWER_BAD_JSON;
        return ngx_http_conflict_precondition_invalid_body(r, ctx);
    }

    *answer = NGX_HTTP_CONFLICT_ANSWER_NO_BASE;

    p = ngx_pnalloc(r->pool, 128 + base->name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->flow.reason = (char *) p;

    (void) ngx_sprintf(p, "send If-Match with the ETag of the resource, or %s "
                          "%V%Z",
                       (base->place == NGX_HTTP_CONFLICT_HEADER)
                       ? "the version in the header"
                       : "a JSON body with its version at", &base->name);

    return NGX_OK;
}


ngx_http_conflict_state_e
ngx_http_conflict_precondition_absent(ngx_http_conflict_ctx_t *ctx)
{
    ngx_http_conflict_state_e    next;
    ngx_http_conflict_answer_e   answer;
    ngx_http_conflict_outcome_e  outcome;

    if (ctx->conf->require) {

        if (ngx_http_conflict_precondition_missing(ctx->request, ctx, &answer)
            != NGX_OK)
        {
            return NGX_HTTP_CONFLICT_STATE_ERROR;
        }

        outcome = (answer == NGX_HTTP_CONFLICT_ANSWER_NO_BASE)
                  ? NGX_HTTP_CONFLICT_OUTCOME_REQUIRED
                  : NGX_HTTP_CONFLICT_OUTCOME_REJECTED;

        next = ngx_http_conflict_respond(ctx, answer, outcome,
                                         NGX_HTTP_CONFLICT_ACTION_REQUIRED);

        if (next == NGX_HTTP_CONFLICT_STATE_RESPOND) {
            return next;
        }

        /* report mode: the write takes a lease as any other */

    } else if (ctx->body.opaque) {
        /* it gets the lease of a write without a base, but may have one */
        ctx->flow.outcome = NGX_HTTP_CONFLICT_OUTCOME_UNCHECKED;

        if (ctx->body.has_member
            || (ctx->body.encoded && !ctx->body.undeclared))
        {
            /* a base was sent, or probably was */
            ctx->flow.action = NGX_HTTP_CONFLICT_ACTION_UNCHECKED;
        }
    }

    return NGX_HTTP_CONFLICT_STATE_STORE_BEGIN;
}


/*
 * Minted versions are integers; owned ones may be any text.  An integer that
 * cannot be a minted version is a base that is never current.
 */

ngx_int_t
ngx_http_conflict_precondition_version(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text, ngx_uint_t number, ngx_uint_t cut_short)
{
    size_t                    bare;
    ngx_str_t                 tag;
    ngx_uint_t                quoted;
    const char               *p, *last;
    conflict_etag_t           etag;
    conflict_precondition_t  *pre;

    ctx->pre.base = *text;

    if (text->len == 0) {
        return NGX_DECLINED;
    }

    p = (const char *) text->data;
    last = p + text->len;

    /* a script may send an ETag as it was received, or without the quotes */

    quoted = (conflict_etag_next(&p, last, &etag) == CONFLICT_ETAG_TAG
              && p == last);

    tag.data = quoted ? (u_char *) etag.data : text->data;
    tag.len = quoted ? etag.len : text->len;

    ngx_http_conflict_entity_tags_base(ctx, &tag);

    pre = &ctx->op->in.pre;

    if (!ctx->op->in.minted) {
        pre->kinds |= CONFLICT_BASE;
        pre->base = conflict_version_from_text((char *) tag.data, tag.len);

        bare = conflict_etag_bare((char *) tag.data, tag.len);

        ctx->pre.bare_tag = (bare == tag.len)
                        ? 0
                        : conflict_version_from_text((char *) tag.data, bare);

        return NGX_OK;
    }

    if (cut_short) {
        /* a long tag of the upstream may follow the version */
        bare = (tag.len > 2 && tag.data[0] == 'W') ? 2 : 0;
        bare += (tag.data[bare] == '"');

        tag.data += bare;
        tag.len -= bare;

        ngx_http_conflict_entity_tags_base(ctx, &tag);
    }

    pre->base = conflict_version_from_tag((char *) tag.data, tag.len);

    if (!quoted && !ngx_http_conflict_precondition_integer(&tag)
        && (number || pre->base >= CONFLICT_VERSION_LIMIT))
    {
        /* as it was sent: 1.5 is not the version 1 with a tag */
        ctx->pre.base = *text;

        return NGX_DECLINED;
    }

    if (cut_short && pre->base >= CONFLICT_VERSION_LIMIT) {
        return NGX_DECLINED;
    }

    pre->kinds |= CONFLICT_BASE;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_conflict_precondition_integer(ngx_str_t *text)
{
    size_t  i;

    i = (text->data[0] == '-' && text->len > 1);

    for ( /* void */ ; i < text->len; i++) {

        if (text->data[i] < '0' || text->data[i] > '9') {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_conflict_precondition_error(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_answer_e answer, const char *reason)
{
    ctx->op->in.pre.kinds = 0;
    ctx->flow.answer = answer;
    ctx->flow.reason = reason;

    return NGX_DECLINED;
}
