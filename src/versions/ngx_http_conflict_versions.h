
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The endpoint of versions: conflict_versions.
 */


#ifndef _NGX_HTTP_CONFLICT_VERSIONS_H_INCLUDED_
#define _NGX_HTTP_CONFLICT_VERSIONS_H_INCLUDED_


#include "http/ngx_http_conflict_http.h"


/* The content handler of the endpoint. */
ngx_int_t ngx_http_conflict_versions_answer(ngx_http_request_t *r);


char *ngx_http_conflict_versions_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/*
 * The states of the endpoint; each function returns the next one, or
 * NGX_HTTP_CONFLICT_STATE_AGAIN to be called again.
 */
ngx_http_conflict_state_e ngx_http_conflict_versions_endpoint_start(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_versions_endpoint_get(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_versions_endpoint_peek(
    ngx_http_conflict_ctx_t *ctx);
ngx_http_conflict_state_e ngx_http_conflict_versions_endpoint_call(
    ngx_http_conflict_ctx_t *ctx);


#endif /* _NGX_HTTP_CONFLICT_VERSIONS_H_INCLUDED_ */
