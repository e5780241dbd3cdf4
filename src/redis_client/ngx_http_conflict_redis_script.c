
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The scripts of the store: their sources, which are built in, and the SHA-1
 * sums by which Redis calls them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_sha1.h>

#include "ngx_http_conflict_lua.h"
#include "redis_client/ngx_http_conflict_redis_connection.h"


static ngx_str_t  ngx_http_conflict_redis_script_sources[] = {
    ngx_string(NGX_HTTP_CONFLICT_LUA_BEGIN),
    ngx_string(NGX_HTTP_CONFLICT_LUA_SETTLE),
    ngx_string(NGX_HTTP_CONFLICT_LUA_READ),
    ngx_string(NGX_HTTP_CONFLICT_LUA_HISTORY),
    ngx_string(NGX_HTTP_CONFLICT_LUA_ITEMS),
    ngx_string(NGX_HTTP_CONFLICT_LUA_LOCK),
    ngx_string(NGX_HTTP_CONFLICT_LUA_STATS),
    ngx_string(NGX_HTTP_CONFLICT_LUA_BLOB)
};


ngx_str_t *
ngx_http_conflict_redis_script_source(ngx_http_conflict_redis_script_e script)
{
    return &ngx_http_conflict_redis_script_sources[script];
}


ngx_str_t *
ngx_http_conflict_redis_script_sha(ngx_http_conflict_redis_script_e script)
{
    u_char      hash[20];
    ngx_str_t  *source;
    ngx_sha1_t  sha1;

    static u_char     hex[NGX_HTTP_CONFLICT_REDIS_SCRIPTS][40];
    static ngx_str_t  sha[NGX_HTTP_CONFLICT_REDIS_SCRIPTS];

    if (sha[script].len == 0) {
        source = ngx_http_conflict_redis_script_source(script);

        ngx_sha1_init(&sha1);
        ngx_sha1_update(&sha1, source->data, source->len);
        ngx_sha1_final(hash, &sha1);

        (void) ngx_hex_dump(hex[script], hash, sizeof(hash));

        sha[script].data = hex[script];
        sha[script].len = sizeof(hex[script]);
    }

    return &sha[script];
}
