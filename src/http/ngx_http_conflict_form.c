
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The field "_method" of a form, in the arguments of a request or in its body:
 * found as the text passes, in pieces of any size.
 */


#include "http/ngx_http_conflict_http.h"


#define NGX_HTTP_CONFLICT_FORM_VALUE  (sizeof("name=") - 1)


static const ngx_str_t  ngx_http_conflict_form_name = ngx_string("&_method=");

/* without the quotes, which servers do not need, and with what may follow */

static const ngx_str_t  ngx_http_conflict_form_part =
    ngx_string("name=_method;");

static const ngx_str_t  ngx_http_conflict_form_types[] = {
    ngx_string("application/x-www-form-urlencoded"),
    ngx_null_string
};

static const ngx_str_t  ngx_http_conflict_form_part_types[] = {
    ngx_string("multipart/form-data"),
    ngx_null_string
};


void
ngx_http_conflict_form_init(ngx_http_conflict_form_t *form)
{
    ngx_memzero(form, sizeof(ngx_http_conflict_form_t));

    form->wanted = &ngx_http_conflict_form_name;
    form->matched = 1;
}


ngx_int_t
ngx_http_conflict_form_start(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx)
{
    ngx_str_t                  type;
    ngx_uint_t                 parts;
    ngx_chain_t               *cl;
    ngx_http_conflict_form_t  *form;

    if (r->headers_in.content_type == NULL) {
        return NGX_OK;
    }

    ngx_http_conflict_media_type_name(&r->headers_in.content_type->value,
                                      &type);

    parts = ngx_http_conflict_header_listed(&type,
                                            ngx_http_conflict_form_part_types);

    if (!parts
        && !ngx_http_conflict_header_listed(&type,
                                            ngx_http_conflict_form_types))
    {
        return NGX_OK;
    }

    form = ngx_palloc(r->pool, sizeof(ngx_http_conflict_form_t));
    if (form == NULL) {
        return NGX_ERROR;
    }

    ngx_http_conflict_form_init(form);

    if (parts) {
        form->wanted = &ngx_http_conflict_form_part;
        form->matched = 0;
    }

    ctx->form = form;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    /* another module has read it */

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (!cl->buf->in_file) {
            ngx_http_conflict_form_feed(ctx, cl->buf);
        }
    }

    return NGX_OK;
}


void
ngx_http_conflict_form_feed(ngx_http_conflict_ctx_t *ctx, ngx_buf_t *b)
{
    ngx_http_conflict_form_t  *form;

    form = ctx->form;

    if (form && !form->found
        && ngx_http_conflict_form_find(form, b->pos, b->last))
    {
        form->found = 1;
    }
}


/* neither name has its first character again, so a search starts anew there */

u_char *
ngx_http_conflict_form_find(ngx_http_conflict_form_t *form, u_char *p,
    u_char *last)
{
    u_char            c;
    ngx_int_t         digit;
    const ngx_str_t  *wanted;

    wanted = form->wanted;

    while (p < last) {

        if (form->matched == 0 && form->digits == 0) {
            /* most of a file that is uploaded is skipped here */
            p = ngx_strlchr(p, last, wanted->data[0]);

            if (p == NULL) {
                return NULL;
            }
        }

        c = *p++;

        if (wanted == &ngx_http_conflict_form_name) {
            digit = form->digits ? ngx_hextoi(&c, 1) : NGX_ERROR;

            if (digit != NGX_ERROR) {
                form->code = (u_char) (form->code << 4 | digit);

                if (--form->digits) {
                    continue;
                }

                /* what is escaped separates nothing */
                c = (form->code == '&' || form->code == '=') ? '\0'
                                                             : form->code;

            } else if (c == '%') {
                form->digits = 2;
                continue;

            } else if (form->digits) {
                /* a "%" that escapes nothing is no part of the name */
                form->digits = 0;
                form->matched = 0;
            }
        }

        if (wanted == &ngx_http_conflict_form_part) {

            if (c == '"' && form->matched == NGX_HTTP_CONFLICT_FORM_VALUE) {
                continue;
            }

            if (c == '"' || c == ' ' || c == CR || c == LF) {
                c = ';';
            }
        }

        if (c != wanted->data[form->matched]) {
            form->matched = (c == wanted->data[0]);
            continue;
        }

        if (++form->matched == wanted->len) {
            form->matched = 0;
            return p;
        }
    }

    return NULL;
}
