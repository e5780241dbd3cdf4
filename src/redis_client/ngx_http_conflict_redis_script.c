
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


#define NGX_HTTP_CONFLICT_REDIS_EVALSHA                                       \
    (sizeof("$7\r\nEVALSHA\r\n$40\r\n\r\n") + 40)


static ngx_str_t  ngx_http_conflict_redis_script_sources[] = {
    ngx_string(NGX_HTTP_CONFLICT_LUA_BEGIN),
    ngx_string(NGX_HTTP_CONFLICT_LUA_BEGIN_FAST),
    ngx_string(NGX_HTTP_CONFLICT_LUA_SETTLE),
    ngx_string(NGX_HTTP_CONFLICT_LUA_SETTLE_FAST),
    ngx_string(NGX_HTTP_CONFLICT_LUA_READ),
    ngx_string(NGX_HTTP_CONFLICT_LUA_READ_FAST),
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
ngx_http_conflict_redis_script_words(ngx_http_conflict_redis_script_e script)
{
    u_char      hash[20], *p;
    ngx_str_t  *source;
    ngx_sha1_t  sha1;

    static u_char     text[NGX_HTTP_CONFLICT_REDIS_SCRIPTS]
                          [NGX_HTTP_CONFLICT_REDIS_EVALSHA];
    static ngx_str_t  words[NGX_HTTP_CONFLICT_REDIS_SCRIPTS];

    if (words[script].len == 0) {
        source = ngx_http_conflict_redis_script_source(script);

        ngx_sha1_init(&sha1);
        ngx_sha1_update(&sha1, source->data, source->len);
        ngx_sha1_final(hash, &sha1);

        p = text[script];
        words[script].data = p;

        p = ngx_cpymem(p, "$7\r\nEVALSHA\r\n$40\r\n",
                       sizeof("$7\r\nEVALSHA\r\n$40\r\n") - 1);
        p = ngx_hex_dump(p, hash, sizeof(hash));
        *p++ = CR;
        *p++ = LF;

        words[script].len = p - words[script].data;
    }

    return &words[script];
}
