
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The commands of calls in RESP, the protocol of Redis: EVALSHA of a script,
 * or a plain command.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"
#include "core/text/conflict_decimal.h"


#define NGX_HTTP_CONFLICT_REDIS_TRUST  2     /* index of this argument */

/*
 * Room for a word in RESP without its bytes: "$", its length, CRLF twice.  A
 * word has up to 512 MB.
 */
#define NGX_HTTP_CONFLICT_REDIS_WORD                                          \
    (sizeof("$\r\n\r\n") - 1 + NGX_INT32_LEN)

/* besides the arguments: the number of words, and up to eight words */
#define NGX_HTTP_CONFLICT_REDIS_ROOM                                          \
    (9 * NGX_HTTP_CONFLICT_REDIS_WORD + sizeof("EVALSHA") + 40                \
     + sizeof("incarnation:{}"))


static size_t ngx_http_conflict_redis_command_size(
    ngx_http_conflict_redis_t *client, ngx_uint_t slot,
    ngx_http_conflict_redis_command_t *command,
    ngx_http_conflict_redis_incarnation_t *in);
static u_char *ngx_http_conflict_redis_command_keys(
    ngx_http_conflict_redis_call_t *call, u_char *p,
    ngx_http_conflict_redis_command_t *command);
static u_char *ngx_http_conflict_redis_command_packed(
    ngx_http_conflict_redis_call_t *call, u_char *p,
    ngx_http_conflict_redis_command_t *command,
    ngx_http_conflict_redis_incarnation_t *in);
static u_char *ngx_http_conflict_redis_command_len(u_char *p, size_t len);
static u_char *ngx_http_conflict_redis_command_word(u_char *p, u_char *data,
    size_t len);
static void ngx_http_conflict_redis_command_mark(
    ngx_http_conflict_redis_call_t *call, u_char *p, ngx_uint_t i,
    ngx_str_t *arg);


ngx_http_conflict_redis_call_t *
ngx_http_conflict_redis_command_create(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_connection_t *conn, ngx_uint_t slot,
    ngx_http_conflict_redis_command_t *command)
{
    u_char                                 *p;
    ngx_str_t                              *arg;
    ngx_uint_t                              i, n, before;
    ngx_http_conflict_redis_call_t         *call;
    ngx_http_conflict_redis_incarnation_t  *in;

    in = NULL;

    if (command->quick && conn) {
        in = ngx_http_conflict_redis_incarnation_get(conn, slot);
    }

    if (command->script != NGX_HTTP_CONFLICT_REDIS_NONE
        && client->conf.predecessors_gone && client->conf.noted)
    {
        command->args[NGX_HTTP_CONFLICT_REDIS_TRUST] = client->conf.move;
    }

    call = ngx_alloc(sizeof(ngx_http_conflict_redis_call_t)
                     + ngx_http_conflict_redis_command_size(client, slot,
                                                            command, in),
                     client->log);
    if (call == NULL) {
        return NULL;
    }

    ngx_memzero(call, sizeof(ngx_http_conflict_redis_call_t));

    call->client = client;
    call->number = ++client->number;
    call->script = command->script;
    call->slot = slot;

    n = command->fast ? 2 + command->nfast : command->n;
    arg = command->args;

    before = (command->script == NGX_HTTP_CONFLICT_REDIS_NONE)
             ? ngx_max(command->before, 1) : 0;

    p = call->command;
    *p++ = '*';

    if (command->script == NGX_HTTP_CONFLICT_REDIS_NONE) {
        p = conflict_decimal_print(p, n + 1);
        *p++ = CR;
        *p++ = LF;

        for (i = 0; i < before; i++) {
            p = ngx_http_conflict_redis_command_word(p, arg[i].data,
                                                     arg[i].len);
        }

        p = ngx_http_conflict_redis_command_len(p, command->key->len);

        call->key.data = p;
        call->key.len = command->key->len;

        p = ngx_cpymem(p, command->key->data, command->key->len);
        *p++ = CR;
        *p++ = LF;

    } else {
        p = conflict_decimal_print(p, n + (command->extra_key ? 6 : 5)
                                      + command->nmore);
        *p++ = CR;
        *p++ = LF;

        p = ngx_http_conflict_redis_command_keys(call, p, command);
    }

    if (command->fast) {
        p = ngx_http_conflict_redis_command_packed(call, p, command, in);

    } else {
        for (i = before; i < n; i++) {
            p = ngx_http_conflict_redis_command_len(p, arg[i].len);

            ngx_http_conflict_redis_command_mark(call, p, i, &arg[i]);

            p = ngx_cpymem(p, arg[i].data, arg[i].len);
            *p++ = CR;
            *p++ = LF;
        }
    }

    call->len = p - call->command;

    return call;
}


/* an upper bound; malloc() is fast up to about 1,000 bytes */

static size_t
ngx_http_conflict_redis_command_size(ngx_http_conflict_redis_t *client,
    ngx_uint_t slot, ngx_http_conflict_redis_command_t *command,
    ngx_http_conflict_redis_incarnation_t *in)
{
    size_t      len, word;
    ngx_uint_t  i;

    len = NGX_HTTP_CONFLICT_REDIS_ROOM + client->conf.prefix.len
          + 2 * command->key->len + (in ? in->len : 0);

    if (client->conf.cluster) {
        len += client->tags[slot].len;
    }

    if (command->extra_key) {
        len += ngx_strlen(command->extra_key);
    }

    for (i = 0; i < command->nmore; i++) {
        len += NGX_HTTP_CONFLICT_REDIS_WORD + command->more[i].len;
    }

    /* packed, they are one word */

    word = command->fast ? sizeof(" ") - 1 : NGX_HTTP_CONFLICT_REDIS_WORD;

    for (i = 0; i < command->n; i++) {
        len += word + command->args[i].len;
    }

    for (i = 0; i < command->nfast; i++) {
        len += NGX_HTTP_CONFLICT_REDIS_WORD + command->fast[i].len;
    }

    return len;
}


/* EVALSHA, the script, the number of its keys, and these */

static u_char *
ngx_http_conflict_redis_command_keys(ngx_http_conflict_redis_call_t *call,
    u_char *p, ngx_http_conflict_redis_command_t *command)
{
    size_t                           len;
    u_char                           number[CONFLICT_DECIMAL_LEN];
    ngx_str_t                       *key, *sha, *tag;
    ngx_uint_t                       i;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = &call->client->conf;
    key = command->key;
    sha = ngx_http_conflict_redis_script_sha(command->script);

    p = ngx_cpymem(p, "$7\r\nEVALSHA\r\n", sizeof("$7\r\nEVALSHA\r\n") - 1);
    p = ngx_http_conflict_redis_command_word(p, sha->data, sha->len);

    number[0] = command->extra_key ? '3' : '2';
    len = 1;

    if (command->nmore) {
        len = conflict_decimal_print(number, 2 + command->nmore) - number;
    }

    p = ngx_http_conflict_redis_command_word(p, number, len);

    p = ngx_http_conflict_redis_command_len(p, key->len);

    call->key.data = p;
    call->key.len = key->len;

    p = ngx_cpymem(p, key->data, key->len);
    *p++ = CR;
    *p++ = LF;

    len = conf->prefix.len + sizeof("incarnation") - 1;
    tag = NULL;

    if (conf->cluster) {
        tag = &call->client->tags[call->slot];
        len += sizeof(":{}") - 1 + tag->len;
    }

    p = ngx_http_conflict_redis_command_len(p, len);
    p = ngx_cpymem(p, conf->prefix.data, conf->prefix.len);
    p = ngx_cpymem(p, "incarnation", sizeof("incarnation") - 1);

    if (tag) {
        *p++ = ':';
        *p++ = '{';
        p = ngx_cpymem(p, tag->data, tag->len);
        *p++ = '}';
    }

    *p++ = CR;
    *p++ = LF;

    if (command->extra_key) {
        /* in the same slot: the key has a hash tag */
        len = ngx_strlen(command->extra_key);

        p = ngx_http_conflict_redis_command_len(p, key->len + len);
        p = ngx_cpymem(p, key->data, key->len);
        p = ngx_cpymem(p, command->extra_key, len);
        *p++ = CR;
        *p++ = LF;
    }

    for (i = 0; i < command->nmore; i++) {
        p = ngx_http_conflict_redis_command_word(p, command->more[i].data,
                                                 command->more[i].len);
    }

    return p;
}


static u_char *
ngx_http_conflict_redis_command_packed(ngx_http_conflict_redis_call_t *call,
    u_char *p, ngx_http_conflict_redis_command_t *command,
    ngx_http_conflict_redis_incarnation_t *in)
{
    size_t      len;
    ngx_str_t  *arg;
    ngx_uint_t  i;

    arg = command->args;
    len = command->n - 1;

    for (i = 0; i < command->n; i++) {
        len += arg[i].len;
    }

    p = ngx_http_conflict_redis_command_len(p, len);

    for (i = 0; i < command->n; i++) {

        if (i) {
            *p++ = ' ';
        }

        ngx_http_conflict_redis_command_mark(call, p, i, &arg[i]);

        p = ngx_cpymem(p, arg[i].data, arg[i].len);
    }

    *p++ = CR;
    *p++ = LF;

    p = ngx_http_conflict_redis_command_len(p, in ? in->len : 0);

    if (in) {
        call->incarnation = p;
        p = ngx_cpymem(p, in->text, in->len);
    }

    *p++ = CR;
    *p++ = LF;

    for (i = 0; i < command->nfast; i++) {
        p = ngx_http_conflict_redis_command_word(p, command->fast[i].data,
                                                 command->fast[i].len);
    }

    return p;
}


static u_char *
ngx_http_conflict_redis_command_len(u_char *p, size_t len)
{
    *p++ = '$';

    if (len < 10) {
        *p++ = (u_char) ('0' + len);

    } else if (len < 100) {
        *p++ = (u_char) ('0' + len / 10);
        *p++ = (u_char) ('0' + len % 10);

    } else {
        p = conflict_decimal_print(p, len);
    }

    *p++ = CR;
    *p++ = LF;

    return p;
}


static u_char *
ngx_http_conflict_redis_command_word(u_char *p, u_char *data, size_t len)
{
    p = ngx_http_conflict_redis_command_len(p, len);
    p = ngx_cpymem(p, data, len);
    *p++ = CR;
    *p++ = LF;

    return p;
}


/* remembers where the argument "i" of a script is */

static void
ngx_http_conflict_redis_command_mark(ngx_http_conflict_redis_call_t *call,
    u_char *p, ngx_uint_t i, ngx_str_t *arg)
{
    if (call->script == NGX_HTTP_CONFLICT_REDIS_NONE) {
        return;
    }

    if (i == 0) {
        call->token.data = p;
        call->token.len = arg->len;

    } else if (i == 1) {
        call->run_id = p;

    } else if (i == NGX_HTTP_CONFLICT_REDIS_TRUST
               && arg->data == call->client->conf.move.data)
    {
        call->move = p + 1;
    }
}
