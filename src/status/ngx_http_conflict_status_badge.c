
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The widget: the number of conflicts as a page without a script, for a frame
 * in a page of an administrator; and which pages may have it.
 */


#include "status/ngx_http_conflict_status.h"


static ngx_int_t ngx_http_conflict_status_badge_source(ngx_str_t *source);
static void ngx_http_conflict_status_badge_body(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_snapshot_t **snapshot,
    ngx_uint_t n, ngx_http_conflict_status_query_t *query);
static void ngx_http_conflict_status_badge_what(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_status_query_t *query);
static void ngx_http_conflict_status_badge_why(
    ngx_http_conflict_writer_t *out, ngx_http_conflict_status_totals_t *totals,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n);
static void ngx_http_conflict_status_badge_text(
    ngx_http_conflict_writer_t *out, ngx_str_t *text);


char *
ngx_http_conflict_status_badge_frames(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_conflict_loc_conf_t *nlcf = conf;

    size_t       len;
    u_char      *p;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (nlcf->frames.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    len = sizeof("'none'") - 1;

    for (i = 1; i < cf->args->nelts; i++) {
        len += value[i].len + sizeof(" ''") - 1;
    }

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    nlcf->frames.data = p;

    for (i = 1; i < cf->args->nelts; i++) {

        if (i > 1) {
            *p++ = ' ';
        }

        if (ngx_strcmp(value[i].data, "self") == 0) {
            p = ngx_cpymem(p, "'self'", sizeof("'self'") - 1);
            continue;
        }

        if (ngx_strcmp(value[i].data, "none") == 0 && cf->args->nelts == 2) {
            p = ngx_cpymem(p, "'none'", sizeof("'none'") - 1);
            continue;
        }

        if (ngx_http_conflict_status_badge_source(&value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\" directive, it "
                               "must be \"self\", an origin like "
                               "\"https://admin.example.com\", or \"none\" "
                               "alone", &value[i], &cmd->name);
            return NGX_CONF_ERROR;
        }

        p = ngx_cpymem(p, value[i].data, value[i].len);
    }

    nlcf->frames.len = p - nlcf->frames.data;

    return NGX_CONF_OK;
}


/* a scheme and a host, with a port or not; "*." for all its subdomains */

static ngx_int_t
ngx_http_conflict_status_badge_source(ngx_str_t *source)
{
    u_char  *p, *last;

    p = source->data;
    last = p + source->len;

    if (ngx_strncmp(p, "https://", sizeof("https://") - 1) == 0) {
        p += sizeof("https://") - 1;

    } else if (ngx_strncmp(p, "http://", sizeof("http://") - 1) == 0) {
        p += sizeof("http://") - 1;

    } else {
        return NGX_ERROR;
    }

    if (last - p > 2 && p[0] == '*' && p[1] == '.') {
        p += 2;
    }

    if (p == last) {
        return NGX_ERROR;
    }

    return (p + strspn((char *) p, "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789.-:[]")
            == last) ? NGX_OK : NGX_ERROR;
}


void
ngx_http_conflict_status_badge(ngx_http_conflict_writer_t *out,
    ngx_str_t *nonce, ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query)
{
    ngx_str_t                   text;
    ngx_http_conflict_writer_t  body;

    ngx_memzero(&body, sizeof(ngx_http_conflict_writer_t));
    body.pool = out->pool;

    ngx_http_conflict_status_badge_body(&body, snapshot, n, query);

    if (ngx_http_conflict_writer_join(&body, &text) != NGX_OK) {
        out->failed = 1;
        return;
    }

    ngx_http_conflict_status_page_badge(out, nonce, &text);
}


static void
ngx_http_conflict_status_badge_body(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query)
{
    char                               text[CONFLICT_TIME_RFC3339];
    uint64_t                           share;
    ngx_uint_t                         known, some;
    ngx_http_conflict_status_totals_t  totals;

    ngx_http_conflict_status_totals(&totals, snapshot, n, query);

    known = totals.complete && (totals.routes || query->entity.len == 0);

    /* "none" is good news only of writes that were checked */

    some = (totals.conflicts || totals.not_checked);

    ngx_http_conflict_writer_print(out, "<p class=\"n %s\">",
                                   !known ? "unknown" : some ? "some" : "none");

    if (known) {
        ngx_http_conflict_writer_print(out, "%uL</p>\n", totals.conflicts);

    } else {
        ngx_http_conflict_writer_print(out, "unknown</p>\n");
    }

    ngx_http_conflict_writer_print(out, "<div><p>");
    ngx_http_conflict_status_badge_what(out, query);
    ngx_http_conflict_writer_print(out, "</p>\n");

    if (!known) {
        ngx_http_conflict_status_badge_why(out, &totals, snapshot, n);
    }

    if (known && totals.writes) {
        share = (1000 * totals.conflicts + totals.writes / 2) / totals.writes;

        ngx_http_conflict_writer_print(out, "<p>%uL.%uL %% of %uL writes</p>\n",
                                       share / 10, share % 10, totals.writes);

    } else if (known) {
        ngx_http_conflict_writer_print(out, "<p>no writes</p>\n");
    }

    if (totals.not_checked) {
        ngx_http_conflict_writer_print(out, "<p class=\"watch\">%uL not checked"
                                            "</p>\n", totals.not_checked);
    }

    /* a host that has just started knows nothing of before */

    if (known && totals.since > query->since) {
        conflict_time_print_rfc3339(text, totals.since);

        ngx_http_conflict_writer_print(out, "<p>counted since %*s %*s UTC"
                                            "</p>\n", (size_t) 10, text,
                                       (size_t) 5, text + 11);
    }

    ngx_http_conflict_writer_print(out, "</div>");
}


static void
ngx_http_conflict_status_badge_what(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_status_query_t *query)
{
    char  text[CONFLICT_TIME_RFC3339];

    ngx_http_conflict_writer_print(out, "write conflicts");

    if (query->entity.len) {
        ngx_http_conflict_writer_print(out, " of ");
        ngx_http_conflict_status_badge_text(out, &query->entity);
    }

    if (query->action) {
        ngx_http_conflict_writer_print(out, " (%V)",
                            ngx_http_conflict_names_action(query->action));
    }

    if (query->ago.len) {
        ngx_http_conflict_writer_print(out, ", last ");
        ngx_http_conflict_status_badge_text(out, &query->ago);
        return;
    }

    conflict_time_print_rfc3339(text, query->since);

    ngx_http_conflict_writer_print(out, ", since %*s %*s UTC", (size_t) 10,
                                   text, (size_t) 5, text + 11);
}


/* what is unknown is not none */

static void
ngx_http_conflict_status_badge_why(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_status_totals_t *totals,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n)
{
    ngx_uint_t  i, host;

    host = 0;

    for (i = 0; i < n; i++) {

        if (snapshot[i]->why) {
            host = 1;
            ngx_http_conflict_writer_print(out, "<p class=\"down\">the store ");
            ngx_http_conflict_status_badge_text(out, &snapshot[i]->store->name);
            ngx_http_conflict_writer_print(out, " does not answer</p>\n");

        } else if (ngx_http_conflict_status_totals_uncounted(
                                                        snapshot[i]->store))
        {
            ngx_http_conflict_writer_print(out, "<p class=\"down\">the store ");
            ngx_http_conflict_status_badge_text(out, &snapshot[i]->store->name);
            ngx_http_conflict_writer_print(out, " does not take counts</p>\n");
        }
    }

    if (totals->complete) {
        ngx_http_conflict_writer_print(out, "<p class=\"down\">nothing was "
                                            "counted under this name</p>\n");
        return;
    }

    ngx_http_conflict_writer_print(out, "<p>at least %uL%s</p>\n",
                                   totals->conflicts,
                                   host ? ", counted by this host" : "");
}


static void
ngx_http_conflict_status_badge_text(ngx_http_conflict_writer_t *out,
    ngx_str_t *text)
{
    size_t   len;
    u_char  *p;

    len = text->len + ngx_escape_html(NULL, text->data, text->len);

    p = ngx_pnalloc(out->pool, len);
    if (p == NULL) {
        out->failed = 1;
        return;
    }

    (void) ngx_escape_html(p, text->data, text->len);

    ngx_http_conflict_writer_bytes(out, p, len);
}
