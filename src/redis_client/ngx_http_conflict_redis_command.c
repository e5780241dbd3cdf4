
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The commands of calls in RESP, the protocol of Redis: EVALSHA of a script,
 * or a plain command.
 */


#include "redis_client/ngx_http_conflict_redis_connection.h"


#define NGX_HTTP_CONFLICT_REDIS_WORDS  6     /* before the arguments */
#define NGX_HTTP_CONFLICT_REDIS_TRUST  2     /* index of this argument */

/* index of the key among the words of a command */
#define NGX_HTTP_CONFLICT_REDIS_KEY(script)                                   \
    ((script == NGX_HTTP_CONFLICT_REDIS_NONE) ? 1u : 3u)


static size_t ngx_http_conflict_redis_command_words(
    ngx_http_conflict_redis_t *client, ngx_http_conflict_redis_script_e script,
    ngx_str_t *key, ngx_uint_t slot, ngx_str_t *words, u_char *incarnation);


ngx_http_conflict_redis_call_t *
ngx_http_conflict_redis_command_create(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_script_e script, ngx_str_t *key,
    const char *extra_key, ngx_str_t *args, ngx_uint_t n)
{
    size_t                           len;
    u_char                          *p, incarnation[256 + NGX_INT_T_LEN];
    ngx_str_t                        words[NGX_HTTP_CONFLICT_REDIS_WORDS];
    ngx_str_t                       *word;
    ngx_uint_t                       i, head, slot;
    ngx_http_conflict_redis_call_t  *call;

    slot = client->conf.cluster ? ngx_http_conflict_redis_slot_of(key) : 0;

    head = ngx_http_conflict_redis_command_words(client, script, key, slot,
                                                 words, incarnation);

    if (extra_key) {
        /* in the same slot: the key has a hash tag */
        ngx_str_set(&words[2], "3");
        words[head].len = key->len + ngx_strlen(extra_key);
        words[head].data = ngx_alloc(words[head].len, client->log);
        if (words[head].data == NULL) {
            return NULL;
        }

        (void) ngx_sprintf(words[head].data, "%V%s", key, extra_key);
        head++;
    }

    if (script == NGX_HTTP_CONFLICT_REDIS_NONE) {
        words[0] = *args++;
        n--;

    } else if (client->conf.predecessors_gone && client->conf.noted) {
        args[NGX_HTTP_CONFLICT_REDIS_TRUST] = client->conf.move;
    }

    len = sizeof("*\r\n") - 1 + NGX_INT_T_LEN;

    for (i = 0; i < head + n; i++) {
        word = (i < head) ? &words[i] : &args[i - head];
        len += sizeof("$\r\n\r\n") - 1 + NGX_INT_T_LEN + word->len;
    }

    call = ngx_alloc(sizeof(ngx_http_conflict_redis_call_t) + len,
                     client->log);
    if (call == NULL) {

        if (extra_key) {
            ngx_free(words[head - 1].data);
        }

        return NULL;
    }

    ngx_memzero(call, sizeof(ngx_http_conflict_redis_call_t));

    call->client = client;
    call->number = ++client->number;
    call->script = script;
    call->slot = slot;

    p = ngx_sprintf(call->command, "*%ui\r\n", head + n);

    for (i = 0; i < head + n; i++) {
        word = (i < head) ? &words[i] : &args[i - head];

        p = ngx_sprintf(p, "$%uz\r\n", word->len);

        if (script != NGX_HTTP_CONFLICT_REDIS_NONE) {

            if (i == head) {
                call->token.data = p;
                call->token.len = word->len;

            } else if (i == head + 1) {
                call->run_id = p;

            } else if (i == head + NGX_HTTP_CONFLICT_REDIS_TRUST
                       && word->data == client->conf.move.data)
            {
                call->move = p + 1;
            }
        }

        if (i == NGX_HTTP_CONFLICT_REDIS_KEY(script)) {
            call->key.data = p;
            call->key.len = word->len;
        }

        p = ngx_cpymem(p, word->data, word->len);
        *p++ = CR;
        *p++ = LF;
    }

    call->len = p - call->command;

    if (extra_key) {
        ngx_free(words[head - 1].data);
    }

    return call;
}


/* the words before the arguments; words[0] of a plain command is left out */

static size_t
ngx_http_conflict_redis_command_words(ngx_http_conflict_redis_t *client,
    ngx_http_conflict_redis_script_e script, ngx_str_t *key, ngx_uint_t slot,
    ngx_str_t *words, u_char *incarnation)
{
    if (script == NGX_HTTP_CONFLICT_REDIS_NONE) {
        words[1] = *key;
        return 2;
    }

    ngx_str_set(&words[0], "EVALSHA");
    words[1] = *ngx_http_conflict_redis_script_sha(script);
    ngx_str_set(&words[2], "2");
    words[3] = *key;

    words[4].data = incarnation;

    if (client->conf.cluster) {
        words[4].len = ngx_sprintf(incarnation, "%Vincarnation:{%V}",
                                   &client->conf.prefix, &client->tags[slot])
                       - incarnation;

    } else {
        words[4].len = ngx_sprintf(incarnation, "%Vincarnation",
                                   &client->conf.prefix)
                       - incarnation;
    }

    return 5;
}
