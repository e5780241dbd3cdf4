
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Owned versions and dates, as a member or a header field of a response has
 * them.
 */


#include "http/ngx_http_conflict_http.h"
#include "process/ngx_http_conflict_clock.h"


#define NGX_HTTP_CONFLICT_WEAK_INTERVAL  10000    /* msec between warnings */


ngx_uint_t
ngx_http_conflict_version_source_tagged(ngx_http_conflict_source_t *source)
{
    return source->place == NGX_HTTP_CONFLICT_HEADER
           && source->name.len == sizeof("etag") - 1
           && ngx_strncmp(source->name.data, "etag", sizeof("etag") - 1) == 0;
}


uint64_t
ngx_http_conflict_version_source_parse(ngx_http_conflict_source_t *source,
    ngx_str_t *text)
{
    if (text->len == 0) {
        return 0;
    }

    return ngx_http_conflict_version_source_tagged(source)
           ? conflict_version_from_etag((char *) text->data, text->len)
           : conflict_version_from_member((char *) text->data, text->len);
}


int64_t
ngx_http_conflict_version_source_date(ngx_str_t *text)
{
    int      exact;
    int64_t  date;

    date = conflict_time_http((char *) text->data, text->len,
                              (int64_t) ngx_time() * CONFLICT_TIME_SECOND);

    if (date == CONFLICT_TIME_NONE) {
        date = conflict_time_rfc3339((char *) text->data, text->len, &exact);
    }

    return date;
}


int64_t
ngx_http_conflict_version_source_modified(ngx_http_conflict_loc_conf_t *nlcf,
    int64_t date)
{
    int64_t  skew;

    if (date == CONFLICT_TIME_NONE) {
        return date;
    }

    if (nlcf->edited) {
        skew = (int64_t) nlcf->skew * 1000;

    } else if (nlcf->mtime->place == NGX_HTTP_CONFLICT_DEFAULT) {
        /* ngx_http_conflict_validators_date() does not show it either */
        skew = 0;

    } else {
        return date;
    }

    return (date > ngx_http_conflict_clock_usec() + skew) ? CONFLICT_TIME_NONE
                                                          : date;
}


void
ngx_http_conflict_version_source_weak(ngx_http_conflict_ctx_t *ctx,
    ngx_str_t *version)
{
    ngx_http_conflict_loc_conf_t  *nlcf;

    nlcf = ctx->conf;

    if (version->len < 2 || version->data[0] != 'W' || version->data[1] != '/'
        || !ngx_http_conflict_version_source_tagged(nlcf->version)
        || (nlcf->weak_logged
            && ngx_current_msec - nlcf->weak_logged
               < NGX_HTTP_CONFLICT_WEAK_INTERVAL))
    {
        return;
    }

    nlcf->weak_logged = ngx_current_msec;

    ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                  "the upstream's ETag \"%V\" is weak: it cannot match the "
                  "base of any write (RFC 9110, 13.1.1)", version);
}


/* an API may respond with the document before the write, or what it was sent */

ngx_uint_t
ngx_http_conflict_version_source_advanced(ngx_http_conflict_op_t *op)
{
    uint64_t  version, previous;

    version = op->in.observed.version;
    previous = op->out.version;

    return op->in.minted || version == 0
           || !(version == previous
                || ((op->in.pre.kinds & CONFLICT_BASE)
                    && version == op->in.pre.base)
                || (version < previous && previous < CONFLICT_VERSION_LIMIT));
}
