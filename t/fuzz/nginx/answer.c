
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: what the scripts in Redis answer, behind the token.  What is
 * taken is in range and says the same when it is printed again; a write that
 * may pass has a lease.  The first byte is the kind of the call.
 */


#include <jansson.h>

#include "../lib/inside.h"
#include "store/ngx_http_conflict_redis_args.h"


#define TOKEN  "0123456789abcdef"


static void
version(uint64_t v)
{
    if (v >= CONFLICT_VERSION_LIMIT && !(v & CONFLICT_VERSION_OPAQUE)) {
        abort();
    }
}


/* a name of a lock is shown up to its limit, and as it is where it is UTF-8 */

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
    json_t                   *lock, *tree;
    ngx_http_conflict_ctx_t   ctx;

    ngx_memzero(&ctx, sizeof(ctx));
    ctx.op = op;

    lock = ngx_http_conflict_lock_json(&ctx, &op->lock.holder,
                                       &op->lock.origin, op->lock.fresh);
    text = json_dumps(lock, JSON_COMPACT);

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
    json_decref(lock);
    free(text);
}


/* the words of the answer, from what was made of them */

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

    ngx_http_conflict_redis_number(&args, op->state);
    ngx_http_conflict_redis_number(&args, op->present);
    ngx_http_conflict_redis_version(&args, op->version);
    ngx_http_conflict_redis_version(&args, op->fence);
    ngx_http_conflict_redis_hash(&args, op->body);
    ngx_http_conflict_redis_hash(&args, op->body_view);
    ngx_http_conflict_redis_date(&args, op->mtime);
    ngx_http_conflict_redis_number(&args, op->twice + 2 * op->dated);
    ngx_http_conflict_redis_number(&args, op->existence);
    ngx_http_conflict_redis_number(&args, op->wait);
    ngx_http_conflict_redis_number(&args, op->clock + op->sent);

    p = answer->data + sizeof(TOKEN " 0 ") - 1;

    for (i = 0; i < args.n; i++) {

        if (arg[i].len == 1 && *p == '-' && arg[i].data[0] == '0') {
            /* the first second of 1970, from the other side */
            p++;

        } else if (arg[i].len == 1 && *p == '0' && arg[i].data[0] == '-') {
            /* a hash of 0 is none */
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


static void
bodies(ngx_http_conflict_op_t *op, ngx_str_t *answer)
{
    if (ngx_http_conflict_redis_read_bodies(op, answer) != NGX_OK) {

        if (op->held || op->repeat) {
            abort();
        }

        return;
    }

    if (op->base_body.len + op->made_body.len > answer->len
        || (op->held != (op->base_body.data != NULL))
        || (op->repeat != (op->made_body.data != NULL))
        || (op->certain && !op->repeat))
    {
        abort();
    }
}


static void
words(ngx_http_conflict_op_t *op, ngx_str_t *answer)
{
    if (ngx_http_conflict_redis_read_answer(op, answer) != NGX_OK) {
        return;
    }

    if (op->observes && !op->applied) {
        return;
    }

    version(op->version);
    version(op->fence);

    if (op->state >= CONFLICT_STATES || op->existence > CONFLICT_DELETED) {
        abort();
    }

    again(op, answer);

    if (op->begins) {

        if (op->verdict > CONFLICT_LOCKED) {
            abort();
        }

        if (!op->leased
            && (op->verdict == CONFLICT_PASS
                || op->verdict == CONFLICT_OVERWRITE
                || op->verdict == CONFLICT_COMBINE))
        {
            abort();
        }
    }

    if (op->locking && op->lock.result > NGX_HTTP_CONFLICT_LOCK_TOO_MANY) {
        abort();
    }

    if (op->lock.holder.data) {
        show(op);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                         kind;
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

    op->begins = (kind == 0);
    op->observes = (kind == 1);
    op->locking = (kind == 3);
    op->sent = ngx_http_conflict_redis_local();

    if (kind == 4) {
        bodies(op, &answer);

    } else {
        words(op, &answer);
    }

    ngx_http_conflict_op_release(op);
    free(answer.data);

    return 0;
}
