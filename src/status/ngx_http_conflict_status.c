
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * conflict_status: the content handler.  Chooses the format, takes a snapshot
 * of each store and sends the response.
 */


#include "status/ngx_http_conflict_status.h"
#include "process/ngx_http_conflict_random.h"


#define NGX_HTTP_CONFLICT_NONCE  16     /* bytes */


typedef struct {
    ngx_http_request_t                *request;
    ngx_http_conflict_status_query_t   query;
    ngx_uint_t                         waiting;   /* snapshots in progress */
    ngx_uint_t                         n;
    ngx_http_conflict_snapshot_t     **snapshot;
} ngx_http_conflict_status_t;


static ngx_int_t ngx_http_conflict_status_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_conflict_status_snapshots(
    ngx_http_conflict_status_t *status);
static void ngx_http_conflict_status_done(
    ngx_http_conflict_snapshot_t *snapshot);
static void ngx_http_conflict_status_cleanup(void *data);
static ngx_int_t ngx_http_conflict_status_send(
    ngx_http_conflict_status_t *status);
static void ngx_http_conflict_status_wrong(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_status_query_t *query);
static ngx_int_t ngx_http_conflict_status_headers(ngx_http_request_t *r,
    ngx_uint_t form, ngx_uint_t badge, ngx_str_t *nonce);
static ngx_int_t ngx_http_conflict_status_policy(ngx_http_request_t *r,
    ngx_uint_t badge, ngx_str_t *nonce);
static ngx_int_t ngx_http_conflict_status_nonce(ngx_http_request_t *r,
    ngx_str_t *nonce);


static ngx_str_t  ngx_http_conflict_status_types[] = {
    ngx_null_string,
    ngx_string("text/html; charset=utf-8"),
    ngx_string("application/json"),
    ngx_string("text/plain; version=0.0.4; charset=utf-8")
};


ngx_str_t  ngx_http_conflict_status_gap_names[] = {
    ngx_string("without_base"),
    ngx_string("unchecked"),
    ngx_string("unguarded")
};


char *
ngx_http_conflict_status_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_conflict_main_conf_t  *nmcf;

    if (nlcf->status) {
        return "is duplicate";
    }

    value = cf->args->elts;
    nlcf->status = NGX_HTTP_CONFLICT_STATUS_HTML;

    if (cf->args->nelts == 2) {

        for (i = 1; ngx_http_conflict_status_forms[i].len; i++) {

            if (ngx_strcmp(value[1].data,
                           ngx_http_conflict_status_forms[i].data)
                == 0)
            {
                break;
            }
        }

        if (ngx_http_conflict_status_forms[i].len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\" directive, it "
                               "must be \"html\", \"json\" or \"prometheus\"",
                               &value[1], &cmd->name);
            return NGX_CONF_ERROR;
        }

        nlcf->status = i;
    }

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_conflict_module);

    if (nmcf->stats == NULL) {
        nmcf->stats = ngx_http_conflict_stats_add(cf,
                                                  &ngx_http_conflict_module);
        if (nmcf->stats == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    nlcf->status_handler = ngx_http_conflict_status_handler;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == NULL) {
        clcf->handler = nlcf->status_handler;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_conflict_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_cleanup_t             *cln;
    ngx_http_conflict_status_t     *status;
    ngx_http_conflict_loc_conf_t   *nlcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_conflict_status_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = cln->data;
    ngx_memzero(status, sizeof(ngx_http_conflict_status_t));

    status->request = r;
    cln->handler = ngx_http_conflict_status_cleanup;

    rc = ngx_http_conflict_status_query(r, &status->query, nlcf->status);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_OK
        && (status->query.form != NGX_HTTP_CONFLICT_STATUS_HTML
            || status->query.badge)
        && ngx_http_conflict_status_snapshots(status) != NGX_OK)
    {
        /* lest the answers to the others end the request once more */
        ngx_http_conflict_status_cleanup(status);

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (status->waiting == 0) {
        return ngx_http_conflict_status_send(status);
    }

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_conflict_status_snapshots(ngx_http_conflict_status_t *status)
{
    ngx_uint_t                           i;
    ngx_http_conflict_store_t          **store;
    ngx_http_conflict_snapshot_t        *snapshot;
    ngx_http_conflict_main_conf_t       *nmcf;
    ngx_http_conflict_status_query_t    *query;
    ngx_http_conflict_snapshot_want_t    want;

    nmcf = ngx_http_get_module_main_conf(status->request,
                                         ngx_http_conflict_module);

    store = nmcf->stores.elts;

    status->snapshot = ngx_pcalloc(status->request->pool,
                                   (nmcf->stores.nelts + 1) * sizeof(void *));
    if (status->snapshot == NULL) {
        return NGX_ERROR;
    }

    query = &status->query;

    want.brief = (query->form == NGX_HTTP_CONFLICT_STATUS_PROMETHEUS);
    want.id = query->id;
    want.lines = query->badge ? 0 : query->limit;

    /* among how many those that are asked for are searched */

    if (want.lines && (query->action || query->entity.len
                       || query->since != CONFLICT_TIME_NONE))
    {
        want.lines = NGX_HTTP_CONFLICT_SNAPSHOT_LINES;
    }

    for (i = 0; i < nmcf->stores.nelts; i++) {

        snapshot = ngx_http_conflict_snapshot_create(store[i], &want);
        if (snapshot == NULL) {
            return NGX_ERROR;
        }

        status->snapshot[status->n++] = snapshot;

        if (snapshot->busy) {
            snapshot->done = ngx_http_conflict_status_done;
            snapshot->data = status;
            status->waiting++;
        }
    }

    return NGX_OK;
}


static void
ngx_http_conflict_status_done(ngx_http_conflict_snapshot_t *snapshot)
{
    ngx_http_conflict_status_t *status = snapshot->data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    if (--status->waiting) {
        return;
    }

    r = status->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, ngx_http_conflict_status_send(status));
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_conflict_status_cleanup(void *data)
{
    ngx_http_conflict_status_t *status = data;

    ngx_uint_t  i;

    for (i = 0; i < status->n; i++) {
        ngx_http_conflict_snapshot_release(status->snapshot[i]);
    }

    status->n = 0;
}


static ngx_int_t
ngx_http_conflict_status_send(ngx_http_conflict_status_t *status)
{
    ngx_int_t                          rc;
    ngx_str_t                          nonce;
    ngx_http_request_t                *r;
    ngx_http_conflict_writer_t         out;
    ngx_http_conflict_status_query_t  *query;

    r = status->request;
    query = &status->query;

    ngx_memzero(&out, sizeof(ngx_http_conflict_writer_t));
    out.pool = r->pool;

    ngx_str_null(&nonce);

    if (query->wrong) {
        query->form = NGX_HTTP_CONFLICT_STATUS_JSON;
        ngx_http_conflict_status_wrong(&out, query);

    } else if (query->form == NGX_HTTP_CONFLICT_STATUS_JSON) {
        ngx_http_conflict_status_json(&out, status->snapshot, status->n,
                                      query);

    } else if (query->form == NGX_HTTP_CONFLICT_STATUS_PROMETHEUS) {
        ngx_http_conflict_status_prometheus(&out, status->snapshot, status->n);

    } else if (ngx_http_conflict_status_nonce(r, &nonce) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else if (query->badge) {
        ngx_http_conflict_status_badge(&out, &nonce, status->snapshot,
                                       status->n, query);

    } else {
        ngx_http_conflict_status_page(&out, &nonce);
    }

    if (out.failed
        || ngx_http_conflict_status_headers(r, query->form, query->badge,
                                            &nonce)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    out.last->buf->last_buf = (r == r->main);
    out.last->buf->last_in_chain = 1;

    r->headers_out.status = query->wrong ? NGX_HTTP_BAD_REQUEST : NGX_HTTP_OK;
    r->headers_out.content_length_n = out.size;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out.first);
}


static void
ngx_http_conflict_status_wrong(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_status_query_t *query)
{
    u_char      text[256];
    json_t     *json;
    ngx_str_t   title;

    title.data = text;
    title.len = ngx_snprintf(text, sizeof(text), "\"%s\" must be %s",
                             query->wrong, query->must)
                - text;

    json = json_object();

    ngx_http_conflict_json_set(&json, "error",
                               json_string("invalid_parameter"));
    ngx_http_conflict_json_set_text(&json, "title", &title);
    ngx_http_conflict_json_set(&json, "status",
                               json_integer(NGX_HTTP_BAD_REQUEST));
    ngx_http_conflict_json_set(&json, "parameter", json_string(query->wrong));
    ngx_http_conflict_json_set_text(&json, "value", &query->value);

    ngx_http_conflict_writer_print(out, "{");
    ngx_http_conflict_json_print(out, json);
    ngx_http_conflict_writer_print(out, "}\n");
}


static ngx_int_t
ngx_http_conflict_status_headers(ngx_http_request_t *r, ngx_uint_t form,
    ngx_uint_t badge, ngx_str_t *nonce)
{
    r->headers_out.content_type = ngx_http_conflict_status_types[form];
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (form == NGX_HTTP_CONFLICT_STATUS_HTML) {
        r->headers_out.content_type_len = sizeof("text/html") - 1;
    }

    if (ngx_http_conflict_header_add(r, "Cache-Control", "no-store",
                                     sizeof("no-store") - 1)
        != NGX_OK
        || ngx_http_conflict_header_add(r, "X-Content-Type-Options",
                                        "nosniff", sizeof("nosniff") - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (form == NGX_HTTP_CONFLICT_STATUS_HTML)
           ? ngx_http_conflict_status_policy(r, badge, nonce) : NGX_OK;
}


/* the widget has no script, and may be in a frame */

static ngx_int_t
ngx_http_conflict_status_policy(ngx_http_request_t *r, ngx_uint_t badge,
    ngx_str_t *nonce)
{
    u_char                        *p, *policy;
    ngx_str_t                      frames = ngx_string("'none'");
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_conflict_module);

    if (badge && nlcf->frames.len) {
        frames = nlcf->frames;
    }

    policy = ngx_pnalloc(r->pool, 512 + frames.len);
    if (policy == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(policy, "default-src 'none'; style-src 'nonce-%V'; "
                            "img-src data:; ", nonce);

    if (!badge) {
        p = ngx_sprintf(p, "script-src 'nonce-%V'; connect-src 'self'; ",
                        nonce);
    }

    p = ngx_sprintf(p, "base-uri 'none'; form-action 'none'; "
                       "frame-ancestors %V", &frames);

    if (ngx_http_conflict_header_add(r, "Content-Security-Policy",
                                     (char *) policy, p - policy)
        != NGX_OK
        || ngx_http_conflict_header_add(r, "Referrer-Policy", "no-referrer",
                                        sizeof("no-referrer") - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_str_t *
ngx_http_conflict_status_outcome(ngx_uint_t outcome)
{
    static ngx_str_t  error = ngx_string("error");

    return outcome ? ngx_http_conflict_names_outcome(outcome) : &error;
}


static ngx_int_t
ngx_http_conflict_status_nonce(ngx_http_request_t *r, ngx_str_t *nonce)
{
    u_char  bytes[NGX_HTTP_CONFLICT_NONCE];

    nonce->len = 2 * NGX_HTTP_CONFLICT_NONCE;
    nonce->data = ngx_pnalloc(r->pool, nonce->len);
    if (nonce->data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_conflict_random(bytes, NGX_HTTP_CONFLICT_NONCE) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(nonce->data, bytes, NGX_HTTP_CONFLICT_NONCE);

    return NGX_OK;
}


char *
ngx_http_conflict_status_inbox(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    ngx_str_t  *value;

    if (nlcf->status_inbox.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid path \"%V\" in \"%V\" directive, it must "
                           "begin with \"/\"", &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    nlcf->status_inbox = value[1];

    return NGX_CONF_OK;
}
