
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * For the tests: runs one operation of the store contract for each request,
 * as /op?name=w1&do=begin&key=a&base=5, and responds with its result as JSON.
 * Operations are kept by name between requests.  After /op?memory=9 nine more
 * allocations of jansson succeed, after /op?memory= all.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <jansson.h>

#include "ngx_http_conflict_module.h"
#include "core/policy/conflict_chain.h"


#define NGX_HTTP_CONFLICT_TEST_OPS  64


typedef struct {
    ngx_str_t                      store_name;
} ngx_http_conflict_test_conf_t;


typedef struct {
    u_char                         name[16];
    ngx_http_conflict_op_t        *op;
} ngx_http_conflict_test_op_t;


static void *ngx_http_conflict_test_create_conf(ngx_conf_t *cf);
static char *ngx_http_conflict_test(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_http_conflict_store_t *ngx_http_conflict_test_store(
    ngx_http_conflict_main_conf_t *nmcf, ngx_str_t *name);
static ngx_int_t ngx_http_conflict_test_handler(ngx_http_request_t *r);
static void ngx_http_conflict_test_memory(ngx_str_t *times);
static void *ngx_http_conflict_test_malloc(size_t size);
static void ngx_http_conflict_test_lock(ngx_http_request_t *r,
    ngx_http_conflict_op_t *op);
static void ngx_http_conflict_test_done(ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_test_send(ngx_http_request_t *r,
    ngx_http_conflict_op_t *op, ngx_int_t rc);
static uint64_t ngx_http_conflict_test_arg(ngx_http_request_t *r,
    const char *name, uint64_t value);


static ngx_http_conflict_test_op_t
    ngx_http_conflict_test_ops[NGX_HTTP_CONFLICT_TEST_OPS];

static ngx_int_t  ngx_http_conflict_test_left;


static ngx_command_t  ngx_http_conflict_test_commands[] = {

    { ngx_string("conflict_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_test,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_conflict_test_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_conflict_test_create_conf,    /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_conflict_test_module = {
    NGX_MODULE_V1,
    &ngx_http_conflict_test_module_ctx,    /* module context */
    ngx_http_conflict_test_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_conflict_test_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_test_conf_t));
}


static char *
ngx_http_conflict_test(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_conflict_test_conf_t *tlcf = conf;

    ngx_str_t                      *value;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_conflict_store_t      *store;
    ngx_http_conflict_main_conf_t  *nmcf;

    value = cf->args->elts;
    tlcf->store_name = value[1];

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    store = ngx_http_conflict_test_store(nmcf, &tlcf->store_name);

    if (store && store->ops == &ngx_http_conflict_shm_ops
        && ngx_http_conflict_shm_history_zone_add(cf, store) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_conflict_test_handler;

    return NGX_CONF_OK;
}


static ngx_http_conflict_store_t *
ngx_http_conflict_test_store(ngx_http_conflict_main_conf_t *nmcf,
    ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_conflict_store_t  **store;

    store = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {
        if (store[i]->name.len == name->len
            && ngx_strncmp(store[i]->name.data, name->data, name->len) == 0)
        {
            return store[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_conflict_test_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_str_t                        name, key, what, body;
    ngx_uint_t                       i;
    uint64_t                        *bases, chain;
    ngx_http_conflict_op_t          *op;
    ngx_http_conflict_record_t       row;
    ngx_http_conflict_store_t       *store;
    ngx_http_conflict_test_op_t     *t;
    ngx_http_conflict_main_conf_t   *nmcf;
    ngx_http_conflict_test_conf_t   *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_test_module);
    nmcf = ngx_http_get_module_main_conf(r, ngx_http_conflict_module);

    if (ngx_http_arg(r, (u_char *) "memory", 6, &what) == NGX_OK) {
        ngx_http_conflict_test_memory(&what);
        return NGX_HTTP_NO_CONTENT;
    }

    if (ngx_http_arg(r, (u_char *) "name", 4, &name) != NGX_OK
        || ngx_http_arg(r, (u_char *) "do", 2, &what) != NGX_OK
        || name.len > 15)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_TEST_OPS; i++) {
        t = &ngx_http_conflict_test_ops[i];

        if (t->op == NULL
            || (ngx_strlen(t->name) == name.len
                && ngx_strncmp(t->name, name.data, name.len) == 0))
        {
            break;
        }
    }

    if (i == NGX_HTTP_CONFLICT_TEST_OPS) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    t = &ngx_http_conflict_test_ops[i];

    if (ngx_http_arg(r, (u_char *) "key", 3, &key) == NGX_OK) {

        /* a new operation under this name */

        if (t->op) {
            ngx_http_conflict_op_release(t->op);
            t->op = NULL;
        }

        store = ngx_http_conflict_test_store(nmcf, &tlcf->store_name);

        if (store == NULL) {
            return NGX_HTTP_NOT_FOUND;
        }

        t->op = ngx_http_conflict_op_create(r, store, &key, 2);
        if (t->op == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        (void) ngx_cpystrn(t->name, name.data, name.len + 1);

        ngx_http_conflict_op_bases(t->op)[0] = 0;

        t->op->in.minted = 1;
        t->op->in.observed.mtime = CONFLICT_TIME_NONE;
    }

    op = t->op;

    if (op == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    op->request = r;
    op->done = ngx_http_conflict_test_done;

    op->in.policy = ngx_http_conflict_test_arg(r, "policy", op->in.policy
                                            ? op->in.policy : CONFLICT_VERSION);
    op->in.lease = ngx_http_conflict_test_arg(r, "lease",
                                           op->in.lease ? op->in.lease : 10000);
    op->in.quarantine = ngx_http_conflict_test_arg(r, "quarantine",
                                                   op->in.quarantine);
    op->in.fingerprint
        = ngx_http_conflict_test_arg(r, "fp", op->in.fingerprint);
    op->in.view = ngx_http_conflict_test_arg(r, "view", 1);
    op->in.minted = ngx_http_conflict_test_arg(r, "minted", op->in.minted);
    op->in.just_observed = ngx_http_conflict_test_arg(r, "fresh", 0);
    op->in.wait_over = ngx_http_conflict_test_arg(r, "force", 0);
    op->in.report = ngx_http_conflict_test_arg(r, "report", 0);
    op->in.lookup = ngx_http_conflict_test_arg(r, "lookup", 0);

    bases = ngx_http_conflict_op_bases(op);

    op->in.pre.base = ngx_http_conflict_test_arg(r, "base", op->in.pre.base);
    bases[0] = ngx_http_conflict_test_arg(r, "match", bases[0]);
    op->in.pre.match = bases;
    op->in.pre.matches = 1;
    op->in.pre.kinds = ngx_http_conflict_test_arg(r, "kinds", op->in.pre.kinds);

    if (ngx_http_conflict_test_arg(r, "base", 0)) {
        op->in.pre.kinds |= CONFLICT_BASE;
    }

    chain = ngx_http_conflict_test_arg(r, "chain", 0);

    if (chain) {
        op->in.pre.kinds |= CONFLICT_CHAIN;
        op->in.pre.chain = conflict_chain_word(chain,
                                   ngx_http_conflict_test_arg(r, "n", 1));
        op->in.pre.chain_base = ngx_http_conflict_test_arg(r, "began", 0);
    }

    op->in.mixed = ngx_http_conflict_test_arg(r, "mixed", 0);

    op->in.edits = ngx_http_conflict_test_arg(r, "edits", 0);
    op->in.edit.time = ngx_http_conflict_test_arg(r, "edit", 0);
    op->in.edit.tie = ngx_http_conflict_test_arg(r, "tie", 0);
    op->in.skew = ngx_http_conflict_test_arg(r, "skew", 0);

    op->in.records = ngx_http_conflict_test_arg(r, "rows", op->in.records);
    op->in.record_bytes = ngx_http_conflict_test_arg(r, "bytes", 1000);
    op->in.record_ttl = ngx_http_conflict_test_arg(r, "ttl", 60000);

    ngx_memzero(&row, sizeof(ngx_http_conflict_record_t));

    row.version = ngx_http_conflict_test_arg(r, "row", 0);
    row.fingerprint = op->in.fingerprint;
    row.view = op->in.view;
    row.certain = ngx_http_conflict_test_arg(r, "certain", 0);
    row.shown = ngx_http_conflict_test_arg(r, "shown", 0);
    row.read = ngx_http_conflict_test_arg(r, "read", 0);
    row.torn = ngx_http_conflict_test_arg(r, "torn", 0);
    row.link = ngx_http_conflict_test_arg(r, "link", 0);

    if (ngx_http_arg(r, (u_char *) "hashed", 6, &body) == NGX_OK) {
        row.hash = conflict_hash_64(body.data, body.len, 0);
    }

    if (row.link) {
        row.version = op->in.pre.chain;
        row.fingerprint = 0;
    }

    (void) ngx_http_arg(r, (u_char *) "text", 4, &row.body);

    ngx_http_conflict_test_lock(r, op);

    op->in.observed.version = ngx_http_conflict_test_arg(r, "version",
                                                       op->in.observed.version);
    op->in.observed.body = ngx_http_conflict_test_arg(r, "body", 0);
    op->in.observed.view = op->in.view;
    op->in.observed.latest = ngx_http_conflict_test_arg(r, "latest", 0);
    op->in.observed.existence = ngx_http_conflict_test_arg(r, "existence",
                                                           CONFLICT_EXISTS);
    op->in.observed.mtime = (int64_t) ngx_http_conflict_test_arg(r, "mtime",
                                                 (uint64_t) CONFLICT_TIME_NONE);

#define ngx_http_conflict_test_do(verb)                                       \
    if (what.len == sizeof(#verb) - 1                                         \
        && ngx_strncmp(what.data, #verb, sizeof(#verb) - 1) == 0)             \
    {                                                                         \
        rc = op->store->ops->verb(op);                                        \
    }

    rc = NGX_DECLINED;

    ngx_http_conflict_test_do(begin)
    ngx_http_conflict_test_do(renew)
    ngx_http_conflict_test_do(commit)
    ngx_http_conflict_test_do(cancel)
    ngx_http_conflict_test_do(abandon)
    ngx_http_conflict_test_do(peek)
    ngx_http_conflict_test_do(observe)
    ngx_http_conflict_test_do(recall)
    ngx_http_conflict_test_do(lock)

    if (what.len == sizeof("keep") - 1
        && ngx_strncmp(what.data, "keep", sizeof("keep") - 1) == 0)
    {
        rc = op->store->ops->keep(op, &row);
    }

    if (rc == NGX_DECLINED) {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (rc == NGX_AGAIN) {
        r->main->count++;
        return NGX_DONE;
    }

    return ngx_http_conflict_test_send(r, op, rc);
}


/* tokens are small numbers: the last byte of one */

static void
ngx_http_conflict_test_memory(ngx_str_t *times)
{
    if (times->len == 0) {
        json_set_alloc_funcs(malloc, free);
        return;
    }

    ngx_http_conflict_test_left = ngx_atoi(times->data, times->len);
    json_set_alloc_funcs(ngx_http_conflict_test_malloc, free);
}


static void *
ngx_http_conflict_test_malloc(size_t size)
{
    return (ngx_http_conflict_test_left-- > 0) ? malloc(size) : NULL;
}


static void
ngx_http_conflict_test_lock(ngx_http_request_t *r, ngx_http_conflict_op_t *op)
{
    ngx_uint_t                 last;
    ngx_http_conflict_lock_t  *lock;

    static ngx_uint_t  tokens = 100;

    lock = &op->lock;
    last = NGX_HTTP_CONFLICT_LOCK_TOKEN - 1;

    op->store->locks = 1;

    ngx_str_null(&lock->user);
    ngx_str_null(&lock->client);

    (void) ngx_http_arg(r, (u_char *) "user", 4, &lock->user);
    (void) ngx_http_arg(r, (u_char *) "client", 6, &lock->client);

    lock->token[last] = (u_char) ngx_http_conflict_test_arg(r, "token", 0);
    lock->given = (lock->token[last] != 0);
    lock->fresh[last] = (u_char) ngx_http_conflict_test_arg(r, "fresh_token",
                                                            ++tokens);
    lock->verb = ngx_http_conflict_test_arg(r, "verb",
                                            NGX_HTTP_CONFLICT_LOCK_ACQUIRE);
    lock->idle = ngx_http_conflict_test_arg(r, "idle", 60000);
    lock->quota = ngx_http_conflict_test_arg(r, "quota", 0);
    lock->note = ngx_http_conflict_test_arg(r, "note", 0);
    lock->reserve = ngx_http_conflict_test_arg(r, "reserve", 0);
    lock->force = ngx_http_conflict_test_arg(r, "forced", 0);
}


static void
ngx_http_conflict_test_done(ngx_http_conflict_op_t *op)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = op->request;
    c = r->connection;

    ngx_http_finalize_request(r, ngx_http_conflict_test_send(r, op, op->rc));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_conflict_test_send(ngx_http_request_t *r, ngx_http_conflict_op_t *op,
    ngx_int_t rc)
{
    ngx_str_t                  type;
    ngx_buf_t                 *b;
    ngx_http_complex_value_t   cv;

    static const char  *verdicts[] = {
        "pass", "overwrite", "drop", "refuse", "wait", "fetch", "replay",
        "verify", "combine", "locked"
    };

    static const char  *locks[] = {
        "none", "held", "own", "granted", "taken", "released", "forced",
        "too_many", "handed"
    };

    static const char  *states[] = {
        "free", "leased", "quarantined", "unknown"
    };

    static const char  *errors[] = {
        "up", "full", "generation", "down"
    };

    b = ngx_create_temp_buf(r->pool, 1024 + op->out.base_body.len
                            + op->out.made_body.len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_sprintf(b->last,
                  "{\"rc\":%i,\"error\":\"%s\",\"verdict\":\"%s\","
                  "\"state\":\"%s\",\"version\":%uL,\"fence\":%uL,"
                  "\"body\":%uL,\"mtime\":%L,\"twice\":%d,\"existence\":%d,"
                  "\"wait\":%M,\"present\":%d,\"header\":%d,\"leased\":%d,"
                  "\"external\":%d,\"applied\":%d,\"log\":%d,"
                  "\"held\":%d,\"late\":%d,\"repeat\":%d,\"certain\":%d,"
                  "\"lock\":\"%s\",\"holder\":\"%V\",\"origin\":\"%V\","
                  "\"left\":%M,\"waiting\":%ui,\"reserved\":%d,"
                  "\"edited\":%L,\"ahead\":%d,"
                  "\"base_body\":\"%V\",\"made_body\":\"%V\"}",
                  rc, errors[op->out.error], verdicts[op->out.verdict],
                  states[op->out.state], op->out.version, op->out.fence,
                  op->out.body,
                  op->out.mtime, op->out.second_reused, op->out.existence,
                  op->out.wait, op->out.present,
                  op->out.header, op->out.leased, op->out.external,
                  op->out.applied, op->out.full != NULL,
                  (op->out.history_has | op->out.base_held), op->out.late,
                  op->out.repeat, op->out.certain,
                  locks[op->lock.result], &op->lock.holder, &op->lock.origin,
                  op->lock.remaining, op->lock.n_notes, op->lock.reserved,
                  op->out.edited, op->out.ahead,
                  &op->out.base_body, &op->out.made_body);

    op->request = NULL;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = b->pos;
    cv.value.len = b->last - b->pos;

    ngx_str_set(&type, "application/json");

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


static uint64_t
ngx_http_conflict_test_arg(ngx_http_request_t *r, const char *name,
    uint64_t value)
{
    ngx_str_t   arg;
    ngx_uint_t  i;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &arg) != NGX_OK) {
        return value;
    }

    value = 0;

    for (i = 0; i < arg.len; i++) {
        value = value * 10 + (arg.data[i] - '0');
    }

    return value;
}
