
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Between the module and nginx's filters: what they make of its own GET, and
 * what they must leave of its answers.
 */


#ifndef _NGX_HTTP_CONFLICT_CAPTURE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_CAPTURE_H_INCLUDED_


#include "ngx_http_conflict_conf.h"


/* the latest body once the location's filters have had it */

typedef struct {
    ngx_str_t                      content_type;
    u_char                        *data;       /* NULL: so far the upstream's */
    size_t                         len;
    size_t                         size;
    unsigned                       header:1;   /* it has come */
    unsigned                       ended:1;
    unsigned                       failed:1;   /* not all of it is here */
} ngx_http_conflict_shown_t;


/* an answer of the module, as it is sent whatever filters do */

typedef struct {
    off_t                          length;
    ngx_table_elt_t               *etag;
    ngx_str_t                      tag;
    ngx_uint_t                     pending;    /* its header is on its way */
} ngx_http_conflict_own_t;


/* of the client's request, before the upstream was to see another */

typedef struct {
    ngx_list_t                     headers;
    ngx_chain_t                   *bufs;       /* NULL: as they were */
    off_t                          length;
    ngx_str_t                      content_length;
    ngx_uint_t                     hidden;     /* headers were */
} ngx_http_conflict_original_t;


/* capture.c */

/*
 * The body of the GET as its caller would see it.  NGX_DECLINED: that is not
 * known, and nothing of it may be shown.
 */
ngx_int_t ngx_http_conflict_capture_shown(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *text);

/* Is it the body that the upstream has sent. */
ngx_uint_t ngx_http_conflict_capture_unfiltered(ngx_http_conflict_ctx_t *ctx);

/*
 * Sends an answer of the module: its header past all filters, its body past
 * those that change bodies.
 */
ngx_int_t ngx_http_conflict_capture_send(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *out);

/* The buffer may be used again by its owner. */
void ngx_http_conflict_capture_used(ngx_buf_t *b);

/* cors.c */

/*
 * Adds the Access-Control fields and Vary of the module's own GET to an answer,
 * or, where the API was not asked, those that it said last to this origin.
 */
ngx_int_t ngx_http_conflict_cors_add(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * The header of a response that the module does not make: notes what the API
 * says of origins; adds that to a page that nginx has in the place of the
 * API's answer.
 */
ngx_int_t ngx_http_conflict_cors_observe(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* Is this an error page of nginx, which the API knows nothing of? */
ngx_uint_t ngx_http_conflict_cors_page(ngx_http_request_t *r);

/*
 * Leaves each of them once where add_header has added its own: a browser
 * that finds two origins believes neither.
 */
ngx_int_t ngx_http_conflict_cors_unify(ngx_http_request_t *r);

/* preflight.c: of a lock endpoint, whose resource's API says who may ask */

/* Is it a preflight? */
ngx_uint_t ngx_http_conflict_preflight(ngx_http_request_t *r);

/* Makes one of the GET, of what the API knows of. */
ngx_int_t ngx_http_conflict_preflight_request(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_http_request_t *sr);

/* Adds what the API says to the answer, and what a lock needs beside it. */
ngx_int_t ngx_http_conflict_preflight_allow(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/* origin.c */

/* Notes whom the API lets read this response; forgets whom it does not. */
void ngx_http_conflict_origin_observe(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* Adds the fields that it said last to the origin of the request. */
ngx_int_t ngx_http_conflict_origin_allow(ngx_http_request_t *r,
    ngx_http_conflict_loc_conf_t *nlcf);

/* latest.c */

/*
 * Starts the GET, unless it was.  NGX_AGAIN: it still runs, the phases go on
 * at its end.
 */
ngx_int_t ngx_http_conflict_latest_response(ngx_http_conflict_ctx_t *ctx);

/* The status of a GET: there is nothing. */
ngx_uint_t ngx_http_conflict_latest_response_gone(ngx_uint_t status);

ngx_int_t ngx_http_conflict_latest_response_header(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx);

/*
 * Keeps the body; *out is what the location's filters are to have of it, NULL
 * where there is nothing.
 */
ngx_int_t ngx_http_conflict_latest_response_body(ngx_http_request_t *r,
    ngx_http_conflict_ctx_t *ctx, ngx_chain_t *in, ngx_chain_t **out);

/* Makes room for "more" bytes after the first "len". */
ngx_int_t ngx_http_conflict_latest_response_grow(ngx_pool_t *pool,
    u_char **data, size_t len, size_t *size, size_t more);

/* file.c */

/*
 * All the bytes, or NGX_ERROR.
 */
ngx_int_t ngx_http_conflict_file_read(ngx_file_t *file, u_char *data,
    size_t size, off_t pos);


#endif /* _NGX_HTTP_CONFLICT_CAPTURE_H_INCLUDED_ */
