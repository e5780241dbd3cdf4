
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The handshake on a new connection: authentication, the database, the
 * scripts, and INFO, which identifies the incarnation of the server.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_QUOTED  100    /* bytes of an error */
#define NGX_HTTP_CONFLICT_REDIS_SECRET  4      /* leading bytes of a password */


static int ngx_http_conflict_redis_handshake_script(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_script_e script, redisCallbackFn *handler);
static void ngx_http_conflict_redis_handshake_auth(redisAsyncContext *ac,
    void *data, void *privdata);
static void ngx_http_conflict_redis_handshake_reply(redisAsyncContext *ac,
    void *data, void *privdata);
static void ngx_http_conflict_redis_handshake_info(redisAsyncContext *ac,
    void *data, void *privdata);
static void ngx_http_conflict_redis_handshake_loaded(redisAsyncContext *ac,
    void *data, void *privdata);
static void ngx_http_conflict_redis_handshake_line(ngx_str_t *info,
    const char *name, ngx_str_t *value);
static void ngx_http_conflict_redis_handshake_eviction(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *info);


void
ngx_http_conflict_redis_handshake_start(
    ngx_http_conflict_redis_connection_t *conn)
{
    ngx_uint_t                       i, rc;
    const char                      *argv[3];
    size_t                           len[3];
    ngx_http_conflict_redis_conf_t  *conf;

    conf = &conn->client->conf;
    rc = REDIS_OK;

    if (conf->password.len) {
        argv[0] = "AUTH";
        len[0] = 4;
        argv[1] = (char *) conf->user.data;
        len[1] = conf->user.len;
        argv[conf->user.len ? 2 : 1] = (char *) conf->password.data;
        len[conf->user.len ? 2 : 1] = conf->password.len;

        rc |= redisAsyncCommandArgv(conn->ac,
                                    ngx_http_conflict_redis_handshake_auth,
                                    conn, conf->user.len ? 3 : 2, argv, len);
    }

    if (conf->db.len) {
        rc |= redisAsyncCommand(conn->ac,
                                ngx_http_conflict_redis_handshake_reply, conn,
                                "SELECT %b", conf->db.data, conf->db.len);
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_REDIS_SCRIPTS; i++) {
        rc |= ngx_http_conflict_redis_handshake_script(conn, i,
                                     ngx_http_conflict_redis_handshake_reply);
    }

    rc |= redisAsyncCommand(conn->ac, ngx_http_conflict_redis_handshake_info,
                            conn, "INFO");

    if (rc != REDIS_OK) {
        ngx_http_conflict_redis_connection_close(conn, (u_char *) "no memory",
                                                 9);
    }
}


ngx_int_t
ngx_http_conflict_redis_handshake_load(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_script_e script)
{
    if (script == NGX_HTTP_CONFLICT_REDIS_NONE
        || ngx_http_conflict_redis_handshake_script(conn, script,
                                     ngx_http_conflict_redis_handshake_loaded)
           != REDIS_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static int
ngx_http_conflict_redis_handshake_script(
    ngx_http_conflict_redis_connection_t *conn,
    ngx_http_conflict_redis_script_e script, redisCallbackFn *handler)
{
    ngx_str_t  *source;

    source = ngx_http_conflict_redis_script_source(script);

    return redisAsyncCommand(conn->ac, handler, conn, "SCRIPT LOAD %b",
                             source->data, source->len);
}


/* after SCRIPT FLUSH; the next call reports an error */

static void
ngx_http_conflict_redis_handshake_loaded(redisAsyncContext *ac, void *data,
    void *privdata)
{
}


/*
 * The error is logged up to where it may contain the password: a server that
 * does not support AUTH quotes the arguments.
 */

static void
ngx_http_conflict_redis_handshake_auth(redisAsyncContext *ac, void *data,
    void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_connection_t *conn = privdata;

    size_t                           len;
    u_char                          *p, *last, why[256];
    ngx_http_conflict_redis_conf_t  *conf;

    if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
        return;
    }

    conf = &conn->client->conf;

    p = (u_char *) reply->str;
    last = p + ngx_min(reply->len, NGX_HTTP_CONFLICT_REDIS_QUOTED);

    /* the password may also be truncated, or not be in quotes */

    len = ngx_min(conf->password.len, NGX_HTTP_CONFLICT_REDIS_SECRET);

    for ( /* void */ ; p < last; p++) {

        if (*p == '\'' || *p == '"' || *p == '`'
            || ((size_t) ((u_char *) reply->str + reply->len - p) >= len
                && ngx_strncasecmp(p, conf->password.data, len) == 0))
        {
            break;
        }
    }

    last = ngx_sprintf(why, "AUTH was rejected: %*s%s",
                       p - (u_char *) reply->str, reply->str,
                       (p < (u_char *) reply->str + reply->len)
                       ? "..." : "");

    ngx_http_conflict_redis_connection_close(conn, why, last - why);
}


static void
ngx_http_conflict_redis_handshake_reply(redisAsyncContext *ac, void *data,
    void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_connection_t *conn = privdata;

    if (reply && reply->type == REDIS_REPLY_ERROR) {
        ngx_http_conflict_redis_connection_close(conn, (u_char *) reply->str,
                                                 reply->len);
    }
}


static void
ngx_http_conflict_redis_handshake_info(redisAsyncContext *ac, void *data,
    void *privdata)
{
    redisReply *reply = data;
    ngx_http_conflict_redis_connection_t *conn = privdata;

    ngx_str_t  info, run_id, replication, role, cluster;

    static ngx_str_t  no_info = ngx_string("no reply to INFO");
    static ngx_str_t  replica = ngx_string("the server is a replica");
    static ngx_str_t  alone = ngx_string("the server is not one of a cluster");

    ngx_http_conflict_redis_handshake_reply(ac, data, privdata);

    if (reply == NULL || conn->closing) {
        return;
    }

    info.len = 0;

    if (reply->type == REDIS_REPLY_STRING) {
        info.len = reply->len;
        info.data = (u_char *) reply->str;
    }

    ngx_http_conflict_redis_handshake_line(&info, "run_id:", &run_id);
    ngx_http_conflict_redis_handshake_line(&info, "master_replid:",
                                           &replication);
    ngx_http_conflict_redis_handshake_line(&info, "role:", &role);
    ngx_http_conflict_redis_handshake_line(&info, "cluster_enabled:",
                                           &cluster);

    if (run_id.len < NGX_HTTP_CONFLICT_REDIS_RUN_ID / 2
        || replication.len < NGX_HTTP_CONFLICT_REDIS_RUN_ID / 2
        || role.len == 0)
    {
        ngx_http_conflict_redis_connection_close(conn, no_info.data,
                                                 no_info.len);
        return;
    }

    if (role.len != 6 || ngx_strncmp(role.data, "master", 6) != 0) {

        if (!conn->client->conf.cluster) {
            ngx_http_conflict_redis_connection_close(conn, replica.data,
                                                     replica.len);
            return;
        }

        /* a replica has the map of slots as well, and redirects calls */
    }

    /* hosts that name several such servers might each use another one */

    if (conn->client->conf.cluster && cluster.len && cluster.data[0] == '0') {
        ngx_http_conflict_redis_connection_close(conn, alone.data, alone.len);
        return;
    }

    /*
     * A restart changes the run id, a promotion the replication id, and either
     * may lose data.  The replication id may change during a connection, which
     * the scripts detect (entry.lua).  8 digits of each suffice.
     */

    (void) ngx_cpymem(ngx_cpymem(conn->run_id, run_id.data,
                                 NGX_HTTP_CONFLICT_REDIS_RUN_ID / 2),
                      replication.data, NGX_HTTP_CONFLICT_REDIS_RUN_ID / 2);

    ngx_http_conflict_redis_handshake_eviction(conn, &info);
    ngx_http_conflict_redis_connection_ready(conn);
}


/*
 * Other policies evict the least recently used entries first, but may evict
 * the lease of a write in flight as well.
 */

static void
ngx_http_conflict_redis_handshake_eviction(
    ngx_http_conflict_redis_connection_t *conn, ngx_str_t *info)
{
    ngx_str_t  memory, policy;

    ngx_http_conflict_redis_handshake_line(info, "maxmemory:", &memory);
    ngx_http_conflict_redis_handshake_line(info, "maxmemory_policy:", &policy);

    if (memory.len == 0 || memory.data[0] == '0' || policy.len == 0
        || (policy.len == sizeof("noeviction") - 1
            && ngx_strncmp(policy.data, "noeviction", policy.len) == 0)
        || (policy.len == sizeof("volatile-ttl") - 1
            && ngx_strncmp(policy.data, "volatile-ttl", policy.len) == 0))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, conn->client->log, 0,
                  "conflict store \"%V\": %s has \"maxmemory-policy %V\" and "
                  "may evict the lease of a write in flight, set it to "
                  "noeviction or volatile-ttl",
                  &conn->client->conf.name, conn->text, &policy);
}


static void
ngx_http_conflict_redis_handshake_line(ngx_str_t *info, const char *name,
    ngx_str_t *value)
{
    size_t   len;
    u_char  *p, *last, *end;

    len = ngx_strlen(name);
    ngx_str_null(value);

    if (info->len == 0) {
        return;
    }

    last = info->data + info->len;

    for (p = info->data; p < last; p = end + 1) {
        end = ngx_strlchr(p, last, LF);

        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) > len && ngx_strncmp(p, name, len) == 0) {
            value->data = p + len;
            value->len = end - value->data;

            if (value->len && value->data[value->len - 1] == CR) {
                value->len--;
            }

            return;
        }
    }
}
