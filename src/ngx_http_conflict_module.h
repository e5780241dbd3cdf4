
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What nginx calls.
 */


#ifndef _NGX_HTTP_CONFLICT_MODULE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_MODULE_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


void ngx_http_conflict_filter_init(void);


ngx_int_t ngx_http_conflict_handler(ngx_http_request_t *r);


ngx_int_t ngx_http_conflict_variables_add(ngx_conf_t *cf);


#endif /* _NGX_HTTP_CONFLICT_MODULE_H_INCLUDED_ */
