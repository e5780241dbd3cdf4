
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The variables.  None is cached: their values change while the request is
 * processed.
 */


#include "ngx_http_conflict_module.h"


typedef enum {
    NGX_HTTP_CONFLICT_VAR_OUTCOME = 0,
    NGX_HTTP_CONFLICT_VAR_POLICY,
    NGX_HTTP_CONFLICT_VAR_VERSION,
    NGX_HTTP_CONFLICT_VAR_NEXT_VERSION,
    NGX_HTTP_CONFLICT_VAR_BASE,
    NGX_HTTP_CONFLICT_VAR_FIELDS,
    NGX_HTTP_CONFLICT_VAR_ID,
    NGX_HTTP_CONFLICT_VAR_STORE_TIME,
    NGX_HTTP_CONFLICT_VAR_WAIT_TIME
} ngx_http_conflict_variable_e;


static ngx_int_t ngx_http_conflict_variables_get(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_conflict_variables_fetch(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_conflict_variables_uncached(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_uint_t ngx_http_conflict_variables_hidden(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);
static ngx_int_t ngx_http_conflict_variables_number(ngx_http_request_t *r,
    ngx_str_t *value, const char *format, uint64_t n);


static ngx_http_variable_t  ngx_http_conflict_vars[] = {

    { ngx_string("conflict_outcome"), NULL, ngx_http_conflict_variables_get,
      NGX_HTTP_CONFLICT_VAR_OUTCOME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_policy"), NULL, ngx_http_conflict_variables_get,
      NGX_HTTP_CONFLICT_VAR_POLICY, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_version"), NULL, ngx_http_conflict_variables_get,
      NGX_HTTP_CONFLICT_VAR_VERSION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_next_version"), NULL,
      ngx_http_conflict_variables_get,
      NGX_HTTP_CONFLICT_VAR_NEXT_VERSION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_base"), NULL, ngx_http_conflict_variables_get,
      NGX_HTTP_CONFLICT_VAR_BASE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_fields"), NULL, ngx_http_conflict_variables_get,
      NGX_HTTP_CONFLICT_VAR_FIELDS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_id"), NULL, ngx_http_conflict_variables_get,
      NGX_HTTP_CONFLICT_VAR_ID, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_store_time"), NULL, ngx_http_conflict_variables_get,
      NGX_HTTP_CONFLICT_VAR_STORE_TIME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_wait_time"), NULL, ngx_http_conflict_variables_get,
      NGX_HTTP_CONFLICT_VAR_WAIT_TIME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_fetch"), NULL, ngx_http_conflict_variables_fetch,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("conflict_internal_uncached"), NULL,
      ngx_http_conflict_variables_uncached, 0,
      NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_NOHASH, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_conflict_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_conflict_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_conflict_variables_get(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_int_t                 rc;
    ngx_str_t                 value;
    ngx_http_conflict_op_t   *op;
    ngx_http_conflict_ctx_t  *ctx;

    v->not_found = 1;

    ctx = ngx_http_conflict_ctx(r->main);

    if (ctx == NULL) {
        return NGX_OK;
    }

    rc = NGX_OK;
    op = ctx->op;
    ngx_str_null(&value);

    switch (data) {

    case NGX_HTTP_CONFLICT_VAR_OUTCOME:
        value = *ngx_http_conflict_names_outcome(ctx->flow.outcome);
        break;

    case NGX_HTTP_CONFLICT_VAR_POLICY:
        value = *ngx_http_conflict_names_policy(ctx->conf->policy);
        break;

    case NGX_HTTP_CONFLICT_VAR_VERSION:

        if (ngx_http_conflict_variables_hidden(r, ctx)) {
            break;
        }

        rc = ngx_http_conflict_variables_number(r, &value, "%uL",
                                                ctx->version.current);
        break;

    case NGX_HTTP_CONFLICT_VAR_NEXT_VERSION:

        if (op && op->out.leased && op->in.minted
            && !ngx_http_conflict_variables_hidden(r, ctx))
        {
            rc = ngx_http_conflict_variables_number(r, &value, "%uL",
                                                    op->out.fence);
        }

        break;

    case NGX_HTTP_CONFLICT_VAR_BASE:
        /* one in a body may have bytes that would end a header field */
        value = ctx->pre.base;
        rc = ngx_http_conflict_evaluate_encode(r, &value, ' ' - 1);
        break;

    case NGX_HTTP_CONFLICT_VAR_FIELDS:
        value = ctx->merge.names;
        break;

    case NGX_HTTP_CONFLICT_VAR_ID:
        value = ctx->version.conflict_id;
        break;

    case NGX_HTTP_CONFLICT_VAR_STORE_TIME:
        rc = ngx_http_conflict_variables_number(r, &value, NULL,
                                                ctx->timing.store_time);
        break;

    default: /* NGX_HTTP_CONFLICT_VAR_WAIT_TIME */
        rc = ngx_http_conflict_variables_number(r, &value, NULL,
                                                ctx->timing.wait_time);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        return NGX_OK;
    }

    v->len = value.len;
    v->data = value.data;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


/*
 * A version is for a log, but not for a response, as by "add_header", to a
 * client that may not see the resource.  What is in the response to the own GET
 * may be shown to the client as well.
 */

static ngx_uint_t
ngx_http_conflict_variables_hidden(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_uint_t  status;

    if (ctx->flow.ended) {
        return 0;
    }

    if (r != r->main && ctx->latest.request && !ctx->latest.done) {
        status = ctx->latest.request->headers_out.status;

        return ctx->latest.refused || status >= NGX_HTTP_SPECIAL_RESPONSE;
    }

    return r->main->headers_out.status
           && !ngx_http_conflict_conflict_field_visible(r->main, ctx);
}


/* a version; without a format: milliseconds, printed as seconds */

static ngx_int_t
ngx_http_conflict_variables_number(ngx_http_request_t *r, ngx_str_t *value,
    const char *format, uint64_t n)
{
    if (format && (n == 0 || n >= CONFLICT_VERSION_LIMIT)) {
        return NGX_OK;
    }

    value->data = ngx_pnalloc(r->pool, NGX_INT64_LEN + 4);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = (format ? ngx_sprintf(value->data, format, n)
                         : ngx_sprintf(value->data, "%T.%03M",
                                       (time_t) n / 1000,
                                       (ngx_msec_t) n % 1000))
                 - value->data;

    return NGX_OK;
}


/* "1" in the own GET and its subrequests */

static ngx_int_t
ngx_http_conflict_variables_fetch(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_request_t       *sr;
    ngx_http_conflict_ctx_t  *ctx;

    v->len = 0;
    v->data = (u_char *) "";
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    if (r == r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_conflict_ctx(r->main);

    for (sr = r; ctx && sr != r->main; sr = sr->parent) {

        if (ctx->latest.request == sr) {
            v->len = 1;
            v->data = (u_char *) "1";
            break;
        }
    }

    return NGX_OK;
}


/* "1" also in a POST that is to be sent, and not answered by a cache */

static ngx_int_t
ngx_http_conflict_variables_uncached(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_conflict_ctx_t  *ctx;

    (void) ngx_http_conflict_variables_fetch(r, v, data);

    if (r != r->main || !(r->method & NGX_HTTP_POST)) {
        return NGX_OK;
    }

    ctx = ngx_http_conflict_ctx(r);

    if (ctx && (ctx->idempotency || (ctx->write && !ctx->conf->report))) {
        v->len = 1;
        v->data = (u_char *) "1";
    }

    return NGX_OK;
}
