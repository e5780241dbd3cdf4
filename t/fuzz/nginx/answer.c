
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: replies of the scripts in Redis, without the token.  Decoded
 * values are in range and are the same when printed and decoded again; a write
 * that may pass has a lease.  The first byte is the kind of the call, and
 * whether times of edits are compared.
 */


#include <jansson.h>

#include "../lib/inside.h"
#include "store/redis/ngx_http_conflict_redis_answer.h"
#include "store/redis/ngx_http_conflict_redis_entry.h"


#define TOKEN  "0123456789abcdef"


typedef ngx_int_t (*decode_pt)(ngx_http_conflict_op_t *op, ngx_str_t *answer);


static const decode_pt  decoders[] = {
    ngx_http_conflict_redis_answer_begin,
    ngx_http_conflict_redis_answer_observe,
    ngx_http_conflict_redis_answer_peek,
    ngx_http_conflict_redis_answer_lock
};


static void
version(uint64_t v)
{
    if (v >= CONFLICT_VERSION_LIMIT && !(v & CONFLICT_VERSION_OPAQUE)) {
        abort();
    }
}


/* a name of a lock is cut at its limit, and unchanged if it is UTF-8 */

static void
name(json_t *lock, const char *member, ngx_str_t *text)
{
    size_t   len;
    json_t  *value, *plain;

    value = json_object_get(lock, member);

    if (text->len == 0) {

        if (!json_is_null(value)) {
            abort();
        }

        return;
    }

    if (!json_is_string(value)) {
        abort();
    }

    len = ngx_min(text->len, NGX_HTTP_CONFLICT_LOCK_CLIENT);
    plain = json_stringn((char *) text->data, len);

    if (plain && !json_equal(plain, value)) {
        abort();
    }

    json_decref(plain);
}


static void
show(ngx_http_conflict_op_t *op)
{
    char                     *text;
    json_t                   *json, *tree;
    ngx_http_conflict_ctx_t   ctx;

    ngx_memzero(&ctx, sizeof(ctx));
    ctx.op = op;

    json = ngx_http_conflict_lock_json(&ctx, &op->lock.holder,
                                       &op->lock.origin, op->lock.fresh);
    text = json_dumps(json, JSON_COMPACT);

    if (text == NULL) {
        abort();
    }

    tree = json_loads(text, JSON_ALLOW_NUL, NULL);

    if (tree == NULL) {
        abort();
    }

    name(tree, "user", &op->lock.holder);
    name(tree, "client", &op->lock.origin);

    json_decref(tree);
    json_decref(json);
    free(text);
}


/* the words of the reply, from the decoded values */

static void
again(ngx_http_conflict_op_t *op, ngx_str_t *answer)
{
    u_char                          buf[1024], *p;
    ngx_str_t                       arg[NGX_HTTP_CONFLICT_REDIS_ARGS];
    ngx_uint_t                      i;
    ngx_http_conflict_redis_args_t  args;

    ngx_memzero(&args, sizeof(args));
    args.arg = arg;
    args.last = buf;

    ngx_http_conflict_redis_codec_number(&args, args.n, op->out.state);
    ngx_http_conflict_redis_codec_number(&args, args.n, op->out.present);
    ngx_http_conflict_redis_codec_version(&args, args.n, op->out.version);
    ngx_http_conflict_redis_codec_version(&args, args.n, op->out.fence);
    ngx_http_conflict_redis_codec_hash(&args, args.n, op->out.body);
    ngx_http_conflict_redis_codec_hash(&args, args.n, op->out.body_view);
    ngx_http_conflict_redis_codec_date(&args, args.n, op->out.mtime);
    ngx_http_conflict_redis_codec_number(&args, args.n,
                               op->out.second_reused + 2 * op->out.mtime_exact);
    ngx_http_conflict_redis_codec_number(&args, args.n, op->out.existence);
    ngx_http_conflict_redis_codec_number(&args, args.n, op->out.wait);
    ngx_http_conflict_redis_codec_number(&args, args.n,
                                         op->redis.clock + op->redis.sent);

    p = answer->data + sizeof(TOKEN " 0 ") - 1;

    for (i = 0; i < args.n; i++) {

        if (arg[i].len == 1 && *p == '-' && arg[i].data[0] == '0') {
            /* a fraction of a second before 1970 */
            p++;

        } else if (arg[i].len == 1 && *p == '0' && arg[i].data[0] == '-') {
            /* a hash of 0 is no hash */
            arg[i].data = p;
        }

        if ((size_t) (answer->data + answer->len - p) < arg[i].len + 1
            || ngx_memcmp(p, arg[i].data, arg[i].len) != 0
            || p[arg[i].len] != ' ')
        {
            abort();
        }

        p += arg[i].len + 1;
    }
}


/* the entry in the answer of a fast path, and as a commit would leave it */

static void
entry(ngx_http_conflict_op_t *op, ngx_str_t *answer)
{
    u_char      buf[NGX_HTTP_CONFLICT_REDIS_ENTRY], *p;
    ngx_str_t   text;
    ngx_uint_t  words;

    if (!op->out.present || op->out.state != CONFLICT_FREE || op->out.wait) {
        abort();
    }

    if (op->redis.entry.len == 0) {
        return;
    }

    if (op->redis.entry.len > answer->len
        || ngx_memcmp(answer->data + answer->len - op->redis.entry.len,
                      op->redis.entry.data, op->redis.entry.len)
           != 0)
    {
        abort();
    }

    op->redis.settle.version = op->out.version;
    op->redis.settle.existence = op->out.existence;
    op->redis.settle.mtime = op->out.mtime;
    op->redis.settle.second_reused = op->out.second_reused;

    if (ngx_http_conflict_redis_entry_commit(op, buf, &text) == 0) {
        return;
    }

    if (text.len > sizeof(buf)) {
        abort();
    }

    /* as many words as an entry has, the first of them flags */

    for (p = text.data, words = 1; p < text.data + text.len; p++) {
        words += (*p == ' ');
    }

    if (words != 14 || text.data[0] != '0'
        || text.data[NGX_HTTP_CONFLICT_REDIS_FLAGS] != ' ')
    {
        abort();
    }
}


static void
bodies(ngx_http_conflict_op_t *op, ngx_str_t *answer)
{
    if (ngx_http_conflict_redis_answer_recall(op, answer) != NGX_OK) {

        if (op->out.base_held || op->out.repeat) {
            abort();
        }

        return;
    }

    if (op->out.base_body.len + op->out.made_body.len > answer->len
        || (op->out.base_held != (op->out.base_body.data != NULL))
        || (op->out.repeat != (op->out.made_body.data != NULL))
        || (op->out.certain && !op->out.repeat))
    {
        abort();
    }
}


static void
words(ngx_http_conflict_op_t *op, ngx_str_t *answer, decode_pt decode)
{
    ngx_uint_t                      i;
    ngx_http_conflict_lock_note_t  *note;

    if (decode(op, answer) != NGX_OK) {
        return;
    }

    if (decode == ngx_http_conflict_redis_answer_observe && !op->out.applied) {
        return;
    }

    version(op->out.version);
    version(op->out.fence);

    if (op->out.state >= CONFLICT_STATES
        || op->out.existence > CONFLICT_NOT_SHOWN)
    {
        abort();
    }

    if (ngx_http_conflict_redis_answer_is_fast(answer)) {
        entry(op, answer);

    } else {
        again(op, answer);
    }

    if (decode == ngx_http_conflict_redis_answer_begin) {

        if (op->out.verdict > CONFLICT_LOCKED) {
            abort();
        }

        if (!op->out.leased
            && (op->out.verdict == CONFLICT_PASS
                || op->out.verdict == CONFLICT_OVERWRITE
                || op->out.verdict == CONFLICT_COMBINE))
        {
            abort();
        }
    }

    if (op->lock.result > NGX_HTTP_CONFLICT_LOCK_HANDED) {
        abort();
    }

    if (op->lock.holder.data) {
        show(op);
    }

    if (op->out.edited < 0 || op->out.edited > NGX_HTTP_CONFLICT_REDIS_USEC
        || op->lock.n_notes > NGX_HTTP_CONFLICT_LOCK_NOTES)
    {
        abort();
    }

    for (i = 0; i < op->lock.n_notes; i++) {
        note = &op->lock.notes[i];

        if (note->user.len > NGX_HTTP_CONFLICT_LOCK_USER
            || note->client.len > NGX_HTTP_CONFLICT_LOCK_CLIENT)
        {
            abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                         kind, edits;
    ngx_str_t                      key, answer;
    ngx_http_conflict_op_t        *op;
    ngx_http_core_srv_conf_t      *cscf;
    ngx_http_conflict_loc_conf_t  *nlcf;

    if (size == 0) {
        return 0;
    }

    cscf = fuzz_server();
    nlcf = cscf->ctx->loc_conf[ngx_http_conflict_module.ctx_index];

    kind = data[0] % 5;
    edits = data[0] / 5 % 2;
    data++;
    size--;

    answer.len = sizeof(TOKEN) - 1 + size;
    answer.data = malloc(answer.len);
    ngx_memcpy(ngx_cpymem(answer.data, TOKEN, sizeof(TOKEN) - 1), data, size);

    ngx_str_set(&key, "/a");
    op = ngx_http_conflict_op_create(NULL, nlcf->store, &key, 0);

    if (op == NULL) {
        abort();
    }

    op->redis.sent = ngx_http_conflict_clock_usec();
    op->in.edits = edits;

    if (kind == 4) {
        bodies(op, &answer);

    } else {
        words(op, &answer, decoders[kind]);
    }

    ngx_http_conflict_op_release(op);
    free(answer.data);

    return 0;
}
