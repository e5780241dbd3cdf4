
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The note of how a version was made, as the text that both stores keep with
 * the history: numbers, then method, user and client.
 */


#include "store/ngx_http_conflict_store.h"
#include "core/policy/conflict_version.h"
#include "core/text/conflict_decimal.h"
#include "core/text/conflict_time.h"


#define NGX_HTTP_CONFLICT_NOTE_METHOD    32

#define NGX_HTTP_CONFLICT_NOTE_DELETED   1
#define NGX_HTTP_CONFLICT_NOTE_EXTERNAL  2

#define NGX_HTTP_CONFLICT_NOTE_NUMBERS   7


static ngx_int_t ngx_http_conflict_note_number(ngx_str_t *rest, uint64_t *n);


size_t
ngx_http_conflict_note_print(u_char *buf, ngx_http_conflict_note_t *note)
{
    u_char      *p;
    size_t       len[3];
    ngx_uint_t   flags;

    len[0] = ngx_min(note->method.len, NGX_HTTP_CONFLICT_NOTE_METHOD);
    len[1] = ngx_min(note->user.len, NGX_HTTP_CONFLICT_LOCK_USER);
    len[2] = ngx_min(note->client.len, NGX_HTTP_CONFLICT_LOCK_CLIENT);

    flags = (note->deleted ? NGX_HTTP_CONFLICT_NOTE_DELETED : 0)
            | (note->external ? NGX_HTTP_CONFLICT_NOTE_EXTERNAL : 0);

    /* a size of 0 is "unknown" */

    p = ngx_sprintf(buf, "%uL %uL %ui %uL %uz %uz %uz ",
                    (uint64_t) note->time, (uint64_t) note->ttl, flags,
                    (uint64_t) (note->size + 1), len[0], len[1], len[2]);

    p = ngx_cpymem(p, note->method.data, len[0]);
    p = ngx_cpymem(p, note->user.data, len[1]);
    p = ngx_cpymem(p, note->client.data, len[2]);

    return p - buf;
}


u_char *
ngx_http_conflict_note_print_version(u_char *p, uint64_t version)
{
    return ngx_sprintf(p, "%s%uL",
                       (version & CONFLICT_VERSION_OPAQUE) ? "x" : "",
                       version & ~CONFLICT_VERSION_OPAQUE);
}


ngx_int_t
ngx_http_conflict_note_next(ngx_str_t *rest, ngx_http_conflict_note_t *note)
{
    u_char      *p;
    uint64_t     len, n[NGX_HTTP_CONFLICT_NOTE_NUMBERS];
    ngx_int_t    rc;
    ngx_str_t    text;
    ngx_uint_t   i;

    rc = ngx_http_conflict_note_next_version(rest, &note->version);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_conflict_note_number(rest, &len) != NGX_OK
        || len > rest->len)
    {
        return NGX_ERROR;
    }

    text.data = rest->data;
    text.len = (size_t) len;

    rest->data += text.len;
    rest->len -= text.len;

    for (i = 0; i < NGX_HTTP_CONFLICT_NOTE_NUMBERS; i++) {

        if (ngx_http_conflict_note_number(&text, &n[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (n[0] > CONFLICT_TIME_MAX || n[1] > CONFLICT_TIME_MAX / 1000
        || n[3] > (uint64_t) NGX_MAX_OFF_T_VALUE
        || n[4] > NGX_HTTP_CONFLICT_NOTE || n[5] > NGX_HTTP_CONFLICT_NOTE
        || n[6] > NGX_HTTP_CONFLICT_NOTE || n[4] + n[5] + n[6] != text.len)
    {
        return NGX_ERROR;
    }

    p = text.data;

    note->time = (int64_t) n[0];
    note->ttl = (ngx_msec_t) n[1];
    note->deleted = ((n[2] & NGX_HTTP_CONFLICT_NOTE_DELETED) != 0);
    note->external = ((n[2] & NGX_HTTP_CONFLICT_NOTE_EXTERNAL) != 0);
    note->size = (off_t) n[3] - 1;

    note->method.data = p;
    note->method.len = (size_t) n[4];
    note->user.data = p + n[4];
    note->user.len = (size_t) n[5];
    note->client.data = p + n[4] + n[5];
    note->client.len = (size_t) n[6];

    return NGX_OK;
}


ngx_int_t
ngx_http_conflict_note_next_version(ngx_str_t *rest, uint64_t *version)
{
    uint64_t  opaque;

    if (rest->len == 0) {
        return NGX_DONE;
    }

    opaque = 0;

    if (*rest->data == 'x') {
        opaque = CONFLICT_VERSION_OPAQUE;
        rest->data++;
        rest->len--;
    }

    if (ngx_http_conflict_note_number(rest, version) != NGX_OK) {
        return NGX_ERROR;
    }

    *version |= opaque;

    return NGX_OK;
}


/* digits and the space behind them */

static ngx_int_t
ngx_http_conflict_note_number(ngx_str_t *rest, uint64_t *n)
{
    u_char  *p, *last;

    last = rest->data + rest->len;

    p = conflict_decimal_parse(rest->data, last, UINT64_MAX, n);

    if (p == NULL || p == last || *p++ != ' ') {
        return NGX_ERROR;
    }

    rest->data = p;
    rest->len = last - p;

    return NGX_OK;
}
