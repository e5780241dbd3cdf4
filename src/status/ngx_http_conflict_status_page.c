
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The pages: the dashboard, which fetches its data from its own address, and
 * the frame of the widget.  Their source is in page/.
 */


#include "status/ngx_http_conflict_status.h"
#include "ngx_http_conflict_page.h"


static void ngx_http_conflict_status_page_fill(ngx_http_conflict_writer_t *out,
    u_char *page, size_t len, ngx_str_t *nonce, ngx_str_t *body);


static u_char  ngx_http_conflict_page[] = NGX_HTTP_CONFLICT_PAGE;
static u_char  ngx_http_conflict_page_badge[] = NGX_HTTP_CONFLICT_PAGE_BADGE;


void
ngx_http_conflict_status_page(ngx_http_conflict_writer_t *out,
    ngx_str_t *nonce)
{
    ngx_str_t  version = ngx_string(NGX_HTTP_CONFLICT_VERSION);

    ngx_http_conflict_status_page_fill(out, ngx_http_conflict_page,
                                       sizeof(ngx_http_conflict_page) - 1,
                                       nonce, &version);
}


void
ngx_http_conflict_status_page_badge(ngx_http_conflict_writer_t *out,
    ngx_str_t *nonce, ngx_str_t *body)
{
    ngx_http_conflict_status_page_fill(out, ngx_http_conflict_page_badge,
                                       sizeof(ngx_http_conflict_page_badge) - 1,
                                       nonce, body);
}


/* replaces each @NONCE@, and @BODY@ */

static void
ngx_http_conflict_status_page_fill(ngx_http_conflict_writer_t *out,
    u_char *page, size_t len, ngx_str_t *nonce, ngx_str_t *body)
{
    u_char     *p, *last, *mark;
    ngx_str_t  *text;

    p = page;
    last = p + len;

    for (mark = p; mark < last; mark++) {

        if (*mark != '@') {
            continue;
        }

        if (ngx_strncmp(mark, "@NONCE@", sizeof("@NONCE@") - 1) == 0) {
            text = nonce;
            len = sizeof("@NONCE@") - 1;

        } else if (ngx_strncmp(mark, "@BODY@", sizeof("@BODY@") - 1) == 0) {
            text = body;
            len = sizeof("@BODY@") - 1;

        } else {
            continue;
        }

        ngx_http_conflict_writer_bytes(out, p, mark - p);
        ngx_http_conflict_writer_bytes(out, text->data, text->len);

        p = mark + len;
        mark = p - 1;
    }

    ngx_http_conflict_writer_bytes(out, p, last - p);
}
