
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The latest lines of the audit log, of all stores, that a request asks for.
 * Each is JSON that jansson has printed, without spaces, so a member can be
 * found as text: a quote within a string has a backslash before it.
 */


#include "status/ngx_http_conflict_status.h"


#define NGX_HTTP_CONFLICT_STATUS_TIME  "\"time\":\""


/* members that a line must have; no text: any */

typedef struct {
    ngx_str_t  entity;
    ngx_str_t  action;
    char       since[CONFLICT_TIME_RFC3339];
    unsigned   dated:1;
} ngx_http_conflict_status_lines_t;


static ngx_int_t ngx_http_conflict_status_lines_wanted(ngx_pool_t *pool,
    ngx_http_conflict_status_lines_t *wanted,
    ngx_http_conflict_status_query_t *query);
static ngx_int_t ngx_http_conflict_status_lines_member(ngx_pool_t *pool,
    ngx_str_t *member, const char *name, ngx_str_t *value);
static ngx_uint_t ngx_http_conflict_status_lines_match(
    ngx_http_conflict_status_lines_t *wanted, ngx_str_t *line);
static u_char *ngx_http_conflict_status_lines_time(ngx_str_t *line);


void
ngx_http_conflict_status_lines(ngx_http_conflict_writer_t *out,
    ngx_http_conflict_snapshot_t **snapshot, ngx_uint_t n,
    ngx_http_conflict_status_query_t *query)
{
    u_char                            *time, *latest;
    ngx_str_t                         *line, *next;
    ngx_uint_t                         i, best, written, *used;
    ngx_http_conflict_status_lines_t   wanted;

    used = ngx_pcalloc(out->pool, (n + 1) * sizeof(ngx_uint_t));

    if (used == NULL
        || ngx_http_conflict_status_lines_wanted(out->pool, &wanted, query)
           != NGX_OK)
    {
        out->failed = 1;
        return;
    }

    /* those of a store are in order already */

    for (written = 0; written < query->limit; /* void */) {
        next = NULL;
        latest = NULL;
        best = 0;

        for (i = 0; i < n; i++) {

            if (used[i] == snapshot[i]->lines.nelts) {
                continue;
            }

            line = (ngx_str_t *) snapshot[i]->lines.elts + used[i];
            time = ngx_http_conflict_status_lines_time(line);

            if (next == NULL
                || (time && (latest == NULL
                             || ngx_memcmp(time, latest,
                                           CONFLICT_TIME_RFC3339) > 0)))
            {
                next = line;
                latest = time;
                best = i;
            }
        }

        if (next == NULL) {
            return;
        }

        used[best]++;

        if (ngx_http_conflict_status_lines_match(&wanted, next)) {
            ngx_http_conflict_writer_print(out, written++ ? ",\n" : "\n");
            ngx_http_conflict_writer_bytes(out, next->data, next->len);
        }
    }
}


static ngx_int_t
ngx_http_conflict_status_lines_wanted(ngx_pool_t *pool,
    ngx_http_conflict_status_lines_t *wanted,
    ngx_http_conflict_status_query_t *query)
{
    ngx_memzero(wanted, sizeof(ngx_http_conflict_status_lines_t));

    if (query->since != CONFLICT_TIME_NONE) {
        conflict_time_print_rfc3339(wanted->since, query->since);
        wanted->dated = 1;
    }

    if (query->entity.len
        && ngx_http_conflict_status_lines_member(pool, &wanted->entity,
                                                 "entity", &query->entity)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (query->action == 0) {
        return NGX_OK;
    }

    return ngx_http_conflict_status_lines_member(
            pool, &wanted->action, "action",
            ngx_http_conflict_names_action(query->action));
}


/* as it is printed in the log, with a zero behind it */

static ngx_int_t
ngx_http_conflict_status_lines_member(ngx_pool_t *pool, ngx_str_t *member,
    const char *name, ngx_str_t *value)
{
    json_t                      *json;
    ngx_http_conflict_writer_t   out;

    ngx_memzero(&out, sizeof(ngx_http_conflict_writer_t));
    out.pool = pool;

    json = json_object();

    ngx_http_conflict_json_set_text(&json, name, value);
    ngx_http_conflict_json_print(&out, json);
    ngx_http_conflict_writer_bytes(&out, (u_char *) "", 1);

    return ngx_http_conflict_writer_join(&out, member);
}


static ngx_uint_t
ngx_http_conflict_status_lines_match(ngx_http_conflict_status_lines_t *wanted,
    ngx_str_t *line)
{
    u_char  *time;

    if (wanted->dated) {
        time = ngx_http_conflict_status_lines_time(line);

        if (time == NULL
            || ngx_memcmp(time, wanted->since, CONFLICT_TIME_RFC3339) < 0)
        {
            return 0;
        }
    }

    if (wanted->entity.len
        && ngx_strnstr(line->data, (char *) wanted->entity.data, line->len)
           == NULL)
    {
        return 0;
    }

    return wanted->action.len == 0
           || ngx_strnstr(line->data, (char *) wanted->action.data, line->len);
}


/* CONFLICT_TIME_RFC3339 bytes, or NULL */

static u_char *
ngx_http_conflict_status_lines_time(ngx_str_t *line)
{
    u_char  *p;

    p = ngx_strnstr(line->data, NGX_HTTP_CONFLICT_STATUS_TIME, line->len);

    if (p == NULL) {
        return NULL;
    }

    p += sizeof(NGX_HTTP_CONFLICT_STATUS_TIME) - 1;

    return ((size_t) (line->data + line->len - p) >= CONFLICT_TIME_RFC3339)
           ? p : NULL;
}
