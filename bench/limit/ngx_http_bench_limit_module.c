
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * For the benchmark: what a PUT costs at least whose guard asks a Redis.
 * "cas" compares and sets a value before the upstream and again behind it,
 * "get" reads one before.  Calls are copied from templates, and those of a turn
 * of the event loop are sent at once.  A lost connection ends the worker.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_sha1.h>

#include <hiredis/hiredis.h>
#include <hiredis/async.h>


#define FREE  "1000000000000"
#define HELD  "1000000000001"
#define CAS   "local v = redis.call('GET', KEYS[1]) "                         \
              "if v and v ~= ARGV[1] then return 0 end "                      \
              "redis.call('SET', KEYS[1], ARGV[2]) return 1"


typedef struct {
    ngx_http_request_t  *request;
    ngx_uint_t           done;
    ngx_uint_t           failed;
} limit_ctx_t;


static char *limit_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t limit_init(ngx_conf_t *cf);
static ngx_int_t limit_init_process(ngx_cycle_t *cycle);


static ngx_command_t  limit_commands[] = {

    { ngx_string("bench_limit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      limit_directive,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  limit_ctx = {
    NULL,
    limit_init,
    NULL, NULL, NULL, NULL, NULL, NULL
};


ngx_module_t  ngx_http_bench_limit_module = {
    NGX_MODULE_V1,
    &limit_ctx,
    limit_commands,
    NGX_HTTP_MODULE,
    NULL, NULL,
    limit_init_process,
    NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


static ngx_addr_t         *limit_addr;
static ngx_uint_t          limit_cas;
static redisAsyncContext  *limit_redis;
static ngx_connection_t   *limit_connection;
static ngx_event_t         limit_flush;
static ngx_uint_t          limit_writing;

static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;

/* up to the length of the key */

static u_char  limit_evalsha[] = "*6\r\n$7\r\nEVALSHA\r\n$40\r\n"
                                 "0123456789012345678901234567890123456789\r\n"
                                 "$1\r\n1\r\n$";
static u_char  limit_get[] = "*2\r\n$3\r\nGET\r\n$";

/* behind the key */

static u_char  limit_begin[] = "\r\n$13\r\n" FREE "\r\n$13\r\n" HELD "\r\n";
static u_char  limit_end[] = "\r\n$13\r\n" HELD "\r\n$13\r\n" FREE "\r\n";


static void
limit_call(ngx_str_t *key, u_char *tail, redisCallbackFn *fn, void *data)
{
    u_char        *p;
    size_t         n;
    static u_char  buf[2048];

    p = limit_cas ? ngx_cpymem(buf, limit_evalsha, sizeof(limit_evalsha) - 1)
                  : ngx_cpymem(buf, limit_get, sizeof(limit_get) - 1);

    n = ngx_min(key->len, 999);

    if (n >= 100) {
        *p++ = '0' + n / 100;
    }

    if (n >= 10) {
        *p++ = '0' + n / 10 % 10;
    }

    *p++ = '0' + n % 10;
    *p++ = '\r';
    *p++ = '\n';

    p = ngx_cpymem(p, key->data, n);
    p = limit_cas ? ngx_cpymem(p, tail, sizeof(limit_begin) - 1)
                  : ngx_cpymem(p, "\r\n", 2);

    (void) redisAsyncFormattedCommand(limit_redis, fn, data, (char *) buf,
                                      p - buf);
}


static void
limit_begun(redisAsyncContext *ac, void *reply, void *data)
{
    redisReply          *answer = reply;
    limit_ctx_t         *ctx = data;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ctx->done = 1;
    ctx->failed = limit_cas
                  ? (answer->type != REDIS_REPLY_INTEGER || !answer->integer)
                  : (answer->type == REDIS_REPLY_ERROR);

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


static void
limit_ended(redisAsyncContext *ac, void *reply, void *data)
{
    redisReply  *answer = reply;

    if (answer->type != REDIS_REPLY_INTEGER || !answer->integer) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "lost a lease");
        exit(2);
    }
}


static ngx_int_t
limit_handler(ngx_http_request_t *r)
{
    limit_ctx_t  *ctx;

    if (r != r->main || r->method != NGX_HTTP_PUT) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_bench_limit_module);

    if (ctx) {
        return ctx->failed ? NGX_HTTP_SERVICE_UNAVAILABLE
                           : ctx->done ? NGX_DECLINED : NGX_AGAIN;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(limit_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->request = r;
    ngx_http_set_ctx(r, ctx, ngx_http_bench_limit_module);

    limit_call(&r->uri, limit_begin, limit_begun, ctx);

    return NGX_AGAIN;
}


static ngx_int_t
limit_header_filter(ngx_http_request_t *r)
{
    limit_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_bench_limit_module);

    if (limit_cas && ctx && !ctx->failed) {
        limit_call(&r->uri, limit_end, limit_ended, NULL);
    }

    return ngx_http_next_header_filter(r);
}


static void
limit_write_handler(ngx_event_t *wev)
{
    limit_writing = 1;
    redisAsyncHandleWrite(limit_redis);
    limit_writing = 0;
}


static void
limit_read_handler(ngx_event_t *rev)
{
    redisAsyncHandleRead(limit_redis);
}


static void
limit_add_read(void *data)
{
    if (!limit_connection->read->active) {
        (void) ngx_add_event(limit_connection->read, NGX_READ_EVENT,
                             NGX_LEVEL_EVENT);
    }
}


/* for a call, or when the socket is full or not connected yet */

static void
limit_add_write(void *data)
{
    if (limit_redis->c.flags & REDIS_CONNECTED && !limit_writing) {
        ngx_post_event(&limit_flush, &ngx_posted_events);

    } else if (!limit_connection->write->active) {
        (void) ngx_add_event(limit_connection->write, NGX_WRITE_EVENT,
                             NGX_LEVEL_EVENT);
    }
}


static void
limit_del_write(void *data)
{
    if (limit_connection->write->active) {
        (void) ngx_del_event(limit_connection->write, NGX_WRITE_EVENT, 0);
    }
}


static void
limit_disconnected(const redisAsyncContext *ac, int status)
{
    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0, "redis: %s", ac->errstr);
    exit(2);
}


static ngx_int_t
limit_init_process(ngx_cycle_t *cycle)
{
    u_char             hash[20], host[NGX_SOCKADDR_STRLEN + 1];
    ngx_sha1_t         sha1;
    ngx_connection_t  *c;

    if (limit_addr == NULL) {
        return NGX_OK;
    }

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, CAS, sizeof(CAS) - 1);
    ngx_sha1_final(hash, &sha1);
    (void) ngx_hex_dump(limit_evalsha
                        + sizeof("*6\r\n$7\r\nEVALSHA\r\n$40\r\n") - 1,
                        hash, sizeof(hash));

    if (limit_addr->sockaddr->sa_family == AF_UNIX) {
        limit_redis = redisAsyncConnectUnix(
                    ((struct sockaddr_un *) limit_addr->sockaddr)->sun_path);

    } else {
        host[ngx_sock_ntop(limit_addr->sockaddr, limit_addr->socklen, host,
                           NGX_SOCKADDR_STRLEN, 0)] = '\0';
        limit_redis = redisAsyncConnect((char *) host,
                                   ngx_inet_get_port(limit_addr->sockaddr));
    }

    c = ngx_get_connection(limit_redis->c.fd, cycle->log);
    if (c == NULL || limit_redis->err) {
        return NGX_ERROR;
    }

    limit_connection = c;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->read->handler = limit_read_handler;
    c->write->log = cycle->log;
    c->write->handler = limit_write_handler;

    limit_flush.handler = limit_write_handler;
    limit_flush.log = cycle->log;
    limit_flush.data = c;

    limit_redis->ev.data = limit_redis;
    limit_redis->ev.addRead = limit_add_read;
    limit_redis->ev.addWrite = limit_add_write;
    limit_redis->ev.delWrite = limit_del_write;

    redisAsyncSetDisconnectCallback(limit_redis, limit_disconnected);

    return redisAsyncCommand(limit_redis, NULL, NULL, "SCRIPT LOAD %s", CAS)
           == REDIS_OK ? NGX_OK : NGX_ERROR;
}


/* bench_limit cas|get ADDRESS */

static char *
limit_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_url_t   u;
    ngx_str_t  *value;

    value = cf->args->elts;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = value[2];

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return u.err;
    }

    limit_addr = u.addrs;
    limit_cas = (value[1].data[0] == 'c');

    return NGX_CONF_OK;
}


static ngx_int_t
limit_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = limit_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = limit_header_filter;

    return NGX_OK;
}
