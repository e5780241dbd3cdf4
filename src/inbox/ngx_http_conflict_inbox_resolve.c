
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A POST that resolves an item becomes the write of that item: it gets its
 * method, target and body, and runs through all phases again, so that access
 * rules and the policy of that location decide.
 */


#include "inbox/ngx_http_conflict_inbox.h"
#include "http/ngx_http_conflict_writer.h"
#include "core/text/conflict_decimal.h"


static ngx_int_t ngx_http_conflict_inbox_resolve_body(
    ngx_http_conflict_ctx_t *ctx);
static void ngx_http_conflict_inbox_resolve_text(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_writer_t *out);
static ngx_table_elt_t *ngx_http_conflict_inbox_resolve_header(
    ngx_http_request_t *r, const char *name, const char *lowcase,
    ngx_str_t *value);
static ngx_uint_t ngx_http_conflict_inbox_resolve_method(ngx_str_t *name);


/* request headers that describe the body of the POST */

static const ngx_str_t  ngx_http_conflict_inbox_headers[] = {
    ngx_string("content-type"),
    ngx_string("content-length"),
    ngx_string("content-encoding"),
    ngx_string("transfer-encoding"),
    ngx_string("expect"),
    ngx_null_string
};


ngx_http_conflict_state_e
ngx_http_conflict_inbox_resolve(ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                  *text, method;
    ngx_http_request_t         *r;
    ngx_http_core_srv_conf_t   *cscf;
    ngx_http_core_main_conf_t  *cmcf;
    ngx_http_conflict_inbox_t  *inbox;

    r = ctx->request;
    inbox = ctx->inbox;
    text = inbox->item.text;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    if (!ngx_http_conflict_inbox_endpoint_own(ctx, &inbox->item)) {
        /* an item of another server, which only "all" shows */
        return ngx_http_conflict_endpoint_error(ctx,
                                       NGX_HTTP_CONFLICT_ANSWER_NOT_HELD,
                                       "the item belongs to another server");
    }

    if ((!inbox->merged && ngx_http_conflict_inbox_resolve_body(ctx) != NGX_OK)
        || ngx_http_conflict_inbox_resolve_target(r,
                                         &text[NGX_HTTP_CONFLICT_HOLD_TARGET])
           != NGX_OK)
    {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    /* the item is freed before the access log and a post_action need these */

    method.len = text[NGX_HTTP_CONFLICT_HOLD_METHOD].len;
    method.data = ngx_pstrdup(r->pool, &text[NGX_HTTP_CONFLICT_HOLD_METHOD]);
    if (method.data == NULL) {
        return NGX_HTTP_CONFLICT_STATE_ERROR;
    }

    r->method_name = method;
    r->method = ngx_http_conflict_inbox_resolve_method(&r->method_name);

    /* as in an internal redirect; "internal" locations stay inaccessible */

    ngx_memzero(r->ctx, sizeof(void *) * ngx_http_max_module);
    ngx_http_set_ctx(r, ctx, ngx_http_conflict_module);

    ngx_memzero(r->variables, cmcf->variables.nelts
                              * sizeof(ngx_http_variable_value_t));

    r->loc_conf = cscf->ctx->loc_conf;
    ngx_http_update_location_config(r);

    r->phase_handler = cmcf->phase_engine.server_rewrite_index;

    inbox->resolving = 1;
    ctx->flow.content = NULL;
    ctx->op = NULL;
    ctx->flow.answered = 0;
    ctx->hold.resolves = inbox->id;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "conflict inbox: becomes \"%V %V\"",
                   &r->method_name, &r->unparsed_uri);

    /* not from within these phases, which must not go on */

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    return (ngx_http_post_request(r, NULL) == NGX_OK)
           ? NGX_HTTP_CONFLICT_STATE_AGAIN : NGX_HTTP_CONFLICT_STATE_ERROR;
}


/* replaces the body by the one that is held, with the version of If-Match */

static ngx_int_t
ngx_http_conflict_inbox_resolve_body(ngx_http_conflict_ctx_t *ctx)
{
    u_char                       number[CONFLICT_DECIMAL_LEN];
    ngx_str_t                    length, body, *type;
    ngx_chain_t                 *cl;
    ngx_http_request_t          *r;
    ngx_http_request_body_t     *rb;
    ngx_http_conflict_writer_t   out;

    r = ctx->request;

    ngx_memzero(&out, sizeof(ngx_http_conflict_writer_t));
    out.pool = r->pool;

    ngx_http_conflict_inbox_resolve_text(ctx, &out);

    if (ngx_http_conflict_writer_join(&out, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    cl = ngx_http_conflict_writer_chain(r->pool, body.data, body.len);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf->temporary = 1;

    rb = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    rb->bufs = cl;
    rb->received = body.len;

    r->request_body = rb;

    if (ngx_http_conflict_header_own(r, ngx_http_conflict_inbox_headers)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_in.content_length_n = body.len;
    r->headers_in.chunked = 0;
    r->headers_in.transfer_encoding = NULL;
    r->headers_in.expect = NULL;
    r->headers_in.content_type = NULL;

    length.data = number;
    length.len = conflict_decimal_print(number, body.len) - number;

    r->headers_in.content_length = ngx_http_conflict_inbox_resolve_header(r,
                                                             "Content-Length",
                                                             "content-length",
                                                             &length);
    if (r->headers_in.content_length == NULL) {
        return NGX_ERROR;
    }

    type = &ctx->inbox->item.text[NGX_HTTP_CONFLICT_HOLD_TYPE];

    if (type->len == 0) {
        return NGX_OK;
    }

    r->headers_in.content_type = ngx_http_conflict_inbox_resolve_header(r,
                                                               "Content-Type",
                                                               "content-type",
                                                               type);

    return r->headers_in.content_type ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_conflict_inbox_resolve_text(ngx_http_conflict_ctx_t *ctx,
    ngx_http_conflict_writer_t *out)
{
    u_char                         *text;
    size_t                          len;
    uint64_t                        version;
    ngx_str_t                      *body, *tag;
    ngx_http_conflict_hold_base_t  *base;

    body = &ctx->inbox->item.body;
    base = &ctx->inbox->item.base;
    tag = &ctx->inbox->tag;

    if (base->cut_end == 0) {
        ngx_http_conflict_writer_bytes(out, body->data, body->len);
        return;
    }

    if (ctx->inbox->create || base->end == 0) {
        ngx_http_conflict_writer_bytes(out, body->data, (size_t) base->cut);
        ngx_http_conflict_writer_bytes(out, body->data + base->cut_end,
                                       body->len - (size_t) base->cut_end);
        return;
    }

    ngx_http_conflict_writer_bytes(out, body->data, (size_t) base->value);

    if (conflict_version_parse(&version, (char *) tag->data, tag->len) == 0) {
        ngx_http_conflict_writer_bytes(out, tag->data, tag->len);

    } else {
        len = conflict_text_quote(NULL, tag->data, tag->len);

        text = ngx_pnalloc(out->pool, len + 2);
        if (text == NULL) {
            out->failed = 1;
            return;
        }

        text[0] = '"';
        (void) conflict_text_quote(text + 1, tag->data, tag->len);
        text[len + 1] = '"';

        ngx_http_conflict_writer_bytes(out, text, len + 2);
    }

    ngx_http_conflict_writer_bytes(out, body->data + base->end,
                                   body->len - (size_t) base->end);
}


/* with a zero byte at the end, as nginx has it in the headers that it reads */

static ngx_table_elt_t *
ngx_http_conflict_inbox_resolve_header(ngx_http_request_t *r,
    const char *name, const char *lowcase, ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t   copy;

    copy.len = value->len;
    copy.data = ngx_pnalloc(r->pool, value->len + 1);
    if (copy.data == NULL) {
        return NULL;
    }

    p = ngx_cpymem(copy.data, value->data, value->len);
    *p = '\0';

    return ngx_http_conflict_header_push(r, name, lowcase, &copy);
}


/* those that a held body may have */

static ngx_uint_t
ngx_http_conflict_inbox_resolve_method(ngx_str_t *name)
{
    switch (name->len) {

    case 3:
        return NGX_HTTP_PUT;

    case 4:
        return NGX_HTTP_POST;

    default:
        return NGX_HTTP_PATCH;
    }
}


/* as ngx_http_process_request_uri() does */

ngx_int_t
ngx_http_conflict_inbox_resolve_target(ngx_http_request_t *r,
    ngx_str_t *target)
{
    u_char                    *p;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    /* with the byte after it, which the parser reads */

    p = ngx_pnalloc(r->pool, target->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    r->uri.data = ngx_pnalloc(r->pool, target->len + 1);
    if (r->uri.data == NULL) {
        return NGX_ERROR;
    }

    r->uri.len = target->len;

    r->uri_start = p;
    r->uri_end = ngx_cpymem(p, target->data, target->len);
    *r->uri_end = ' ';

    r->args_start = NULL;
    r->uri_ext = NULL;
    r->complex_uri = 1;
    r->quoted_uri = 1;
    r->plus_in_uri = 0;
    r->empty_path_in_uri = 0;

    ngx_str_null(&r->exten);
    ngx_str_null(&r->args);

    if (target->len == 0 || p[0] != '/'
        || ngx_http_parse_complex_uri(r, cscf->merge_slashes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->unparsed_uri.data = p;
    r->unparsed_uri.len = target->len;
    r->valid_unparsed_uri = 1;

    if (r->args_start && r->uri_end > r->args_start) {
        r->args.data = r->args_start;
        r->args.len = r->uri_end - r->args_start;
    }

    return NGX_OK;
}
