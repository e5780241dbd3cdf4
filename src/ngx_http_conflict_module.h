
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What the registration in module.c refers to.
 */


#ifndef _NGX_HTTP_CONFLICT_MODULE_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_MODULE_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/* Puts the filters before those of nginx; called once per configuration. */
void ngx_http_conflict_filter_init(void);


/* The handler of the PRECONTENT phase. */
ngx_int_t ngx_http_conflict_handler(ngx_http_request_t *r);


/* Called before the configuration is parsed, so that it may use them. */
ngx_int_t ngx_http_conflict_variables_add(ngx_conf_t *cf);


#endif /* _NGX_HTTP_CONFLICT_MODULE_H_INCLUDED_ */
