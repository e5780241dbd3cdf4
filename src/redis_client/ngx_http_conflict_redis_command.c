
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The commands of calls in RESP, the protocol of Redis: EVALSHA of a script,
 * or a plain command.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"
#include "process/ngx_http_conflict_block.h"
#include "core/text/conflict_decimal.h"


#define NGX_HTTP_CONFLICT_REDIS_TRUST  2     /* index of this argument */

/*
 * Room for a word in RESP without its bytes: "$", its length, CRLF twice.  A
 * word has up to 512 MB.
 */
#define ngx_http_conflict_redis_command_room(len)                             \
    (sizeof("$\r\n\r\n") - 1 + ((len) < 1000 ? 3 : 9))

/* besides keys and arguments: the number of words, EVALSHA, and that of keys */
#define NGX_HTTP_CONFLICT_REDIS_ROOM                                          \
    (2 * (sizeof("$\r\n\r\n") + CONFLICT_DECIMAL_LEN)                        \
     + sizeof("$7\r\nEVALSHA\r\n$40\r\n\r\n") + 40)


static size_t ngx_http_conflict_redis_command_size(
    ngx_http_conflict_redis_t *client, ngx_uint_t slot,
    ngx_http_conflict_redis_command_t *command);
static u_char *ngx_http_conflict_redis_command_keys(
    ngx_http_conflict_redis_call_t *call, u_char *p,
    ngx_http_conflict_redis_command_t *command);
static u_char *ngx_http_conflict_redis_command_len(u_char *p, size_t len);
static u_char *ngx_http_conflict_redis_command_word(u_char *p,
    ngx_str_t *word);
static void ngx_http_conflict_redis_command_mark(
    ngx_http_conflict_redis_call_t *call, u_char *p, ngx_uint_t i,
    ngx_http_conflict_redis_command_t *command);


ngx_http_conflict_redis_call_t *
ngx_http_conflict_redis_command_create(ngx_http_conflict_redis_t *client,
    ngx_uint_t slot, ngx_http_conflict_redis_command_t *command)
{
    size_t                           size;
    u_char                          *p;
    ngx_str_t                       *arg;
    ngx_uint_t                       i, before;
    ngx_http_conflict_redis_call_t  *call;

    if (command->script != NGX_HTTP_CONFLICT_REDIS_NONE && !command->fast
        && client->conf.predecessors_gone && client->conf.noted)
    {
        command->args[NGX_HTTP_CONFLICT_REDIS_TRUST] = client->conf.move;
    }

    size = ngx_http_conflict_redis_command_size(client, slot, command);

    call = ngx_http_conflict_block_alloc(
               sizeof(ngx_http_conflict_redis_call_t) + size, client->log);
    if (call == NULL) {
        return NULL;
    }

    ngx_memzero(call, sizeof(ngx_http_conflict_redis_call_t));

    call->client = client;
    call->number = ++client->number;
    call->script = command->script;
    call->slot = slot;

    arg = command->args;
    before = 0;

    p = call->command;
    *p++ = '*';

    if (command->script == NGX_HTTP_CONFLICT_REDIS_NONE) {
        before = ngx_max(command->before, 1);

        p = conflict_decimal_print(p, command->n + 1);
        *p++ = CR;
        *p++ = LF;

        for (i = 0; i < before; i++) {
            p = ngx_http_conflict_redis_command_word(p, &arg[i]);
        }

        p = ngx_http_conflict_redis_command_len(p, command->key->len);

        call->key.data = p;
        call->key.len = command->key->len;

        p = ngx_cpymem(p, command->key->data, command->key->len);
        *p++ = CR;
        *p++ = LF;

    } else {
        p = ngx_http_conflict_redis_command_keys(call, p, command);
    }

    for (i = before; i < command->n; i++) {
        p = ngx_http_conflict_redis_command_len(p, arg[i].len);

        if (i <= NGX_HTTP_CONFLICT_REDIS_TRUST) {
            ngx_http_conflict_redis_command_mark(call, p, i, command);
        }

        p = ngx_cpymem(p, arg[i].data, arg[i].len);
        *p++ = CR;
        *p++ = LF;
    }

    call->len = p - call->command;

    return call;
}


/* an upper bound */

static size_t
ngx_http_conflict_redis_command_size(ngx_http_conflict_redis_t *client,
    ngx_uint_t slot, ngx_http_conflict_redis_command_t *command)
{
    size_t      len, size, key;
    ngx_uint_t  i;

    key = command->key->len;
    len = NGX_HTTP_CONFLICT_REDIS_ROOM
          + ngx_http_conflict_redis_command_room(key) + key;

    if (command->script != NGX_HTTP_CONFLICT_REDIS_NONE) {
        size = client->conf.prefix.len + sizeof("incarnation:{}") - 1;

        if (client->conf.cluster) {
            size += client->tags[slot].len;
        }

        len += ngx_http_conflict_redis_command_room(size) + size;
    }

    if (command->extra_key) {
        size = key + ngx_strlen(command->extra_key);
        len += ngx_http_conflict_redis_command_room(size) + size;
    }

    for (i = 0; i < command->nmore; i++) {
        size = command->more[i].len;
        len += ngx_http_conflict_redis_command_room(size) + size;
    }

    for (i = 0; i < command->n; i++) {
        size = command->args[i].len;
        len += ngx_http_conflict_redis_command_room(size) + size;
    }

    return len;
}


/* the number of words, EVALSHA, the script, the number of keys, and these */

static u_char *
ngx_http_conflict_redis_command_keys(ngx_http_conflict_redis_call_t *call,
    u_char *p, ngx_http_conflict_redis_command_t *command)
{
    size_t                           len;
    u_char                           number[CONFLICT_DECIMAL_LEN];
    ngx_str_t                       *key, *words, *tag, keys;
    ngx_uint_t                       i, n;
    ngx_http_conflict_redis_conf_t  *conf;

    conf = &call->client->conf;
    key = command->key;
    words = ngx_http_conflict_redis_script_words(command->script);

    n = (command->extra_key ? 3 : 2) + command->nmore;

    p = conflict_decimal_print(p, 3 + n + command->n);
    *p++ = CR;
    *p++ = LF;

    p = ngx_cpymem(p, words->data, words->len);

    keys.data = number;
    keys.len = conflict_decimal_print(number, n) - number;

    p = ngx_http_conflict_redis_command_word(p, &keys);

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
        p = ngx_http_conflict_redis_command_word(p, &command->more[i]);
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

    } else if (len < 1000) {
        *p++ = (u_char) ('0' + len / 100);
        *p++ = (u_char) ('0' + len / 10 % 10);
        *p++ = (u_char) ('0' + len % 10);

    } else {
        p = conflict_decimal_print(p, len);
    }

    *p++ = CR;
    *p++ = LF;

    return p;
}


static u_char *
ngx_http_conflict_redis_command_word(u_char *p, ngx_str_t *word)
{
    p = ngx_http_conflict_redis_command_len(p, word->len);
    p = ngx_cpymem(p, word->data, word->len);
    *p++ = CR;
    *p++ = LF;

    return p;
}


/* remembers where the argument "i" of a script is */

static void
ngx_http_conflict_redis_command_mark(ngx_http_conflict_redis_call_t *call,
    u_char *p, ngx_uint_t i, ngx_http_conflict_redis_command_t *command)
{
    ngx_str_t  *arg;

    if (call->script == NGX_HTTP_CONFLICT_REDIS_NONE) {
        return;
    }

    arg = &command->args[i];

    if (i == 0) {
        call->token.data = p;
        call->token.len = arg->len;

    } else if (command->fast) {

        if (i == 1) {
            call->incarnation = p;
        }

    } else if (i == 1) {
        call->run_id = p;

    } else if (arg->data == call->client->conf.move.data) {
        call->move = p + 1;
    }
}
