
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The dashboard, a self-contained page that fetches its data from its own
 * address.  Its source is in page/.
 */


#include "status/ngx_http_conflict_status.h"
#include "http/ngx_http_conflict_writer.h"
#include "ngx_http_conflict_page.h"


static u_char  ngx_http_conflict_page[] = NGX_HTTP_CONFLICT_PAGE;


/* replaces each @NONCE@ of the page */

void
ngx_http_conflict_status_page(ngx_http_conflict_writer_t *out,
    ngx_str_t *nonce)
{
    u_char  *p, *last, *mark;

    static const char  name[] = "@NONCE@";

    p = ngx_http_conflict_page;
    last = p + sizeof(ngx_http_conflict_page) - 1;

    for ( ;; ) {
        mark = ngx_strnstr(p, (char *) name, last - p);

        if (mark == NULL) {
            break;
        }

        ngx_http_conflict_writer_bytes(out, p, mark - p);
        ngx_http_conflict_writer_bytes(out, nonce->data, nonce->len);

        p = mark + sizeof(name) - 1;
    }

    ngx_http_conflict_writer_bytes(out, p, last - p);
}
