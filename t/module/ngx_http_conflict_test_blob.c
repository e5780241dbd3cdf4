
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * For the tests: runs one operation for blobs for each request, in a location
 * with "conflict_test_blob STORE", as
 * /blob?do=put&part=p&id=a&head=h&size=9&ttl=60000&x1=user&max1=3, and
 * responds with its result as JSON.  With forget=1 the request does not wait.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_conflict_module.h"
#include "store/ngx_http_conflict_blob.h"
#include "process/ngx_http_conflict_failpoint.h"


static char *ngx_http_conflict_test_blob(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_conflict_test_blob_create_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_conflict_test_blob_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_test_blob_args(ngx_http_request_t *r,
    ngx_http_conflict_blob_t *blob);
static void ngx_http_conflict_test_blob_done(ngx_http_conflict_op_t *op);
static ngx_int_t ngx_http_conflict_test_blob_send(ngx_http_request_t *r,
    ngx_http_conflict_op_t *op);
static ngx_str_t ngx_http_conflict_test_blob_text(ngx_http_request_t *r,
    const char *name);
static uint64_t ngx_http_conflict_test_blob_number(ngx_http_request_t *r,
    const char *name);


typedef struct {
    ngx_http_conflict_store_t  *store;
} ngx_http_conflict_test_blob_conf_t;


static ngx_command_t  ngx_http_conflict_test_blob_commands[] = {

    { ngx_string("conflict_test_blob"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_conflict_test_blob,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_conflict_test_blob_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_conflict_test_blob_create_conf,  /* create location configuration
                                               */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_conflict_test_blob_module = {
    NGX_MODULE_V1,
    &ngx_http_conflict_test_blob_module_ctx,  /* module context */
    ngx_http_conflict_test_blob_commands,  /* module directives */
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


static const char  *ngx_http_conflict_test_blob_verbs[] = {
    "claim", "put", "get", "remove", "list"
};


static void *
ngx_http_conflict_test_blob_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_conflict_test_blob_conf_t));
}


static char *
ngx_http_conflict_test_blob(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_conflict_test_blob_conf_t *blcf = conf;

    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_conflict_store_t     **store;
    ngx_http_conflict_main_conf_t  *nmcf;

    value = cf->args->elts;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);
    store = nmcf->stores.elts;

    for (i = 0; i < nmcf->stores.nelts; i++) {

        if (store[i]->name.len == value[1].len
            && ngx_strncmp(store[i]->name.data, value[1].data, value[1].len)
               == 0)
        {
            blcf->store = store[i];
        }
    }

    if (blcf->store == NULL
        || ngx_http_conflict_shm_blob_zone_add(cf, blcf->store) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_conflict_test_blob_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_conflict_test_blob_handler(ngx_http_request_t *r)
{
    ngx_str_t                            part;
    ngx_http_conflict_op_t              *op;
    ngx_http_conflict_test_blob_conf_t  *blcf;

    blcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_test_blob_module);
    part = ngx_http_conflict_test_blob_text(r, "part");

    op = ngx_http_conflict_blob_create(r, blcf->store, &part);
    if (op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    op->done = ngx_http_conflict_test_blob_done;

    if (ngx_http_conflict_test_blob_args(r, op->blob) != NGX_OK) {
        ngx_http_conflict_op_release(op);
        return NGX_HTTP_BAD_REQUEST;
    }

    ngx_http_conflict_failpoint_arm(r);

    op->rc = op->store->ops->blob(op);

    if (op->rc == NGX_AGAIN
        && ngx_http_conflict_test_blob_number(r, "forget") == 0)
    {
        r->main->count++;
        return NGX_DONE;
    }

    return ngx_http_conflict_test_blob_send(r, op);
}


static ngx_int_t
ngx_http_conflict_test_blob_args(ngx_http_request_t *r,
    ngx_http_conflict_blob_t *blob)
{
    size_t      size;
    char        name[] = "x1", max[] = "max1";
    ngx_str_t   what;
    ngx_uint_t  i;

    what = ngx_http_conflict_test_blob_text(r, "do");

    for (i = 0; i <= NGX_HTTP_CONFLICT_BLOB_LIST; i++) {

        if (what.len == ngx_strlen(ngx_http_conflict_test_blob_verbs[i])
            && ngx_strncmp(what.data, ngx_http_conflict_test_blob_verbs[i],
                           what.len)
               == 0)
        {
            break;
        }
    }

    if (i > NGX_HTTP_CONFLICT_BLOB_LIST) {
        return NGX_ERROR;
    }

    blob->in.verb = i;
    blob->in.kind = ngx_http_conflict_test_blob_number(r, "kind");
    blob->in.id = ngx_http_conflict_test_blob_text(r, "id");
    blob->in.head = ngx_http_conflict_test_blob_text(r, "head");
    blob->in.body = ngx_http_conflict_test_blob_text(r, "body");
    blob->in.ttl = ngx_http_conflict_test_blob_number(r, "ttl");
    blob->in.token = ngx_http_conflict_test_blob_number(r, "token");
    blob->in.from = ngx_http_conflict_test_blob_number(r, "from");
    blob->in.lease = ngx_http_conflict_test_blob_number(r, "lease");
    blob->in.pinned = ngx_http_conflict_test_blob_number(r, "pinned");
    blob->in.before = ngx_http_conflict_test_blob_number(r, "before");
    blob->in.max = ngx_http_conflict_test_blob_number(r, "max");

    if (blob->in.ttl == 0) {
        blob->in.ttl = 60000;
    }

    size = ngx_http_conflict_test_blob_number(r, "size");

    if (size) {
        blob->in.body.data = ngx_palloc(r->pool, size);
        if (blob->in.body.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memset(blob->in.body.data, 'b', size);
        blob->in.body.len = size;
    }

    for (i = 0; i < NGX_HTTP_CONFLICT_BLOB_INDEXES; i++) {
        name[1] = max[3] = '1' + i;

        blob->in.index[i].name = ngx_http_conflict_test_blob_text(r, name);
        blob->in.index[i].max = ngx_http_conflict_test_blob_number(r, max);

        if (blob->in.index[i].name.len) {
            blob->in.indexes = i + 1;
        }
    }

    return NGX_OK;
}


static void
ngx_http_conflict_test_blob_done(ngx_http_conflict_op_t *op)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = op->request;

    if (r) {
        c = r->connection;
        ngx_http_finalize_request(r, ngx_http_conflict_test_blob_send(r, op));
        ngx_http_run_posted_requests(c);
    }
}


static ngx_int_t
ngx_http_conflict_test_blob_send(ngx_http_request_t *r,
    ngx_http_conflict_op_t *op)
{
    u_char                          *p, *last;
    ngx_int_t                        rc;
    ngx_buf_t                       *b;
    ngx_uint_t                       i;
    ngx_chain_t                      out;
    ngx_http_conflict_blob_t        *blob;
    ngx_http_conflict_blob_found_t  *found;

    blob = op->blob;

    b = ngx_create_temp_buf(r->pool, 65536);
    if (b == NULL) {
        return NGX_ERROR;
    }

    p = b->last;
    last = b->end;

    p = ngx_slprintf(p, last, "{\"rc\":%i,\"error\":%d,\"done\":%ui,"
                     "\"number\":%uL,\"evicted\":%ui,\"found\":[",
                     op->rc, (int) op->out.error, blob->out.done,
                     blob->out.number, blob->out.evicted);

    for (i = 0; i < blob->out.n; i++) {
        found = &blob->out.found[i];

        p = ngx_slprintf(p, last, "%s{\"id\":\"%V\",\"head\":\"%V\","
                         "\"body\":\"%V\",\"size\":%uz,\"number\":%uL,"
                         "\"token\":%uL,\"lease\":%M,\"ttl\":%M}",
                         i ? "," : "", &found->id, &found->head, &found->body,
                         found->size, found->number, found->token,
                         found->lease, found->ttl);
    }

    b->last = ngx_slprintf(p, last, "]}");
    b->last_buf = 1;

    ngx_http_conflict_op_release(op);

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


/* an argument of the request, or "" */

static ngx_str_t
ngx_http_conflict_test_blob_text(ngx_http_request_t *r, const char *name)
{
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK) {
        ngx_str_set(&value, "");
    }

    return value;
}


static uint64_t
ngx_http_conflict_test_blob_number(ngx_http_request_t *r, const char *name)
{
    size_t     i;
    uint64_t   n;
    ngx_str_t  text;

    n = 0;
    text = ngx_http_conflict_test_blob_text(r, name);

    for (i = 0; i < text.len; i++) {
        n = n * 10 + (text.data[i] - '0');
    }

    return n;
}
