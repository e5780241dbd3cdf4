
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The snapshot of a fleet, as lines that stats.lua answers.  If there is no
 * answer, the counters of this host are shown instead.
 */


#include "store/redis/ngx_http_conflict_redis_snapshot_decode.h"
#include "store/redis/ngx_http_conflict_redis_stats.h"
#include "store/ngx_http_conflict_snapshot.h"
#include "core/json/conflict_scan.h"


static void ngx_http_conflict_redis_snapshot_ask_lines(
    ngx_http_conflict_snapshot_t *snapshot);
static void ngx_http_conflict_redis_snapshot_ask(
    ngx_http_conflict_snapshot_t *snapshot, const char *verb, const char *what,
    const char *name, ngx_http_conflict_redis_pt handler);
static void ngx_http_conflict_redis_snapshot_lines(void *data,
    ngx_str_t *answer, const char *why);
static void ngx_http_conflict_redis_snapshot_recent(void *data,
    ngx_str_t *answer, const char *why);
static void ngx_http_conflict_redis_snapshot_fall_back(
    ngx_http_conflict_snapshot_t *snapshot);
static void ngx_http_conflict_redis_snapshot_text(
    ngx_http_conflict_redis_text_t *words, ngx_str_t *answer);


void
ngx_http_conflict_redis_snapshot_take(ngx_http_conflict_snapshot_t *snapshot)
{
    const char  *what;

    snapshot->fleet = 1;

    /* no answer arrives before all calls are sent */

    what = snapshot->want.brief ? "state" : "minutes";

    ngx_http_conflict_redis_snapshot_ask(snapshot, "read", what, "{stats}",
                                        ngx_http_conflict_redis_snapshot_lines);

    if (snapshot->want.brief) {
        return;
    }

    ngx_http_conflict_redis_snapshot_ask(snapshot, "read", "hours", "{stats}",
                                        ngx_http_conflict_redis_snapshot_lines);
    ngx_http_conflict_redis_snapshot_ask(snapshot, "read", "days", "{stats}",
                                        ngx_http_conflict_redis_snapshot_lines);

    ngx_http_conflict_redis_snapshot_ask_lines(snapshot);

    if (snapshot->busy == 0) {
        ngx_http_conflict_redis_snapshot_fall_back(snapshot);
    }
}


static void
ngx_http_conflict_redis_snapshot_ask_lines(
    ngx_http_conflict_snapshot_t *snapshot)
{
    u_char       n[NGX_INT_T_LEN + 1];
    const char  *verb, *what;

    if (snapshot->want.lines == 0) {
        return;
    }

    if (snapshot->want.id.len) {
        verb = "find";
        what = (char *) snapshot->want.id.data;

    } else {
        *ngx_sprintf(n, "%ui", snapshot->want.lines) = '\0';

        verb = "recent";
        what = (char *) n;
    }

    ngx_http_conflict_redis_snapshot_ask(snapshot, verb, what, "audit",
                                       ngx_http_conflict_redis_snapshot_recent);
}


static void
ngx_http_conflict_redis_snapshot_ask(ngx_http_conflict_snapshot_t *snapshot,
    const char *verb, const char *what, const char *name,
    ngx_http_conflict_redis_pt handler)
{
    const char                      *why;
    ngx_http_conflict_redis_args_t   args;

    ngx_http_conflict_redis_codec_verb(snapshot->store, &args, verb);
    ngx_http_conflict_redis_codec_text(&args,
                              NGX_HTTP_CONFLICT_REDIS_STATS_WHAT, what);

    if (ngx_http_conflict_redis_stats_send(snapshot->store, &args, name,
                                           handler, snapshot, &why)
        != NGX_OK)
    {
        snapshot->why = why;
        return;
    }

    snapshot->busy++;
}


static void
ngx_http_conflict_redis_snapshot_lines(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_snapshot_t *snapshot = data;

    ngx_str_t                       line;
    ngx_http_conflict_redis_text_t  lines;

    if (answer == NULL) {
        snapshot->why = why;

    } else if (!snapshot->released) {
        ngx_http_conflict_redis_snapshot_text(&lines, answer);

        while (ngx_http_conflict_redis_snapshot_decode_word(&lines, '\n',
                                                            &line))
        {
            ngx_http_conflict_redis_snapshot_decode_line(snapshot, &line);
        }
    }

    if (snapshot->busy == 1 && !snapshot->released) {
        ngx_http_conflict_redis_snapshot_fall_back(snapshot);
    }

    ngx_http_conflict_snapshot_answered(snapshot);
}


static void
ngx_http_conflict_redis_snapshot_recent(void *data, ngx_str_t *answer,
    const char *why)
{
    ngx_http_conflict_snapshot_t *snapshot = data;

    ngx_str_t                       line, *text;
    ngx_http_conflict_redis_text_t  lines;

    if (answer == NULL) {
        snapshot->why = why;

    } else if (!snapshot->released) {
        ngx_http_conflict_redis_snapshot_text(&lines, answer);

        while (ngx_http_conflict_redis_snapshot_decode_word(&lines, '\n',
                                                            &line))
        {
            /* lines are shown as they are, so an invalid one would break all */

            if (line.len == 0 || line.data[0] != '{'
                || !conflict_scan_valid(line.data, line.len))
            {
                continue;
            }

            text = ngx_array_push(&snapshot->lines);
            if (text == NULL) {
                break;
            }

            if (ngx_http_conflict_snapshot_copy(snapshot, text, line.data,
                                                line.len)
                != NGX_OK)
            {
                snapshot->lines.nelts--;
                break;
            }
        }
    }

    if (snapshot->busy == 1 && !snapshot->released) {
        ngx_http_conflict_redis_snapshot_fall_back(snapshot);
    }

    ngx_http_conflict_snapshot_answered(snapshot);
}


/* at the last answer; without an error there is nothing to do */

static void
ngx_http_conflict_redis_snapshot_fall_back(
    ngx_http_conflict_snapshot_t *snapshot)
{
    if (snapshot->why == NULL || snapshot->want.brief) {
        return;
    }

    snapshot->fleet = 0;
    snapshot->route_stats.nelts = 0;
    snapshot->routes.nelts = 0;

    (void) ngx_http_conflict_snapshot_stats(snapshot);
}


/* the text behind the token and the incarnation */

static void
ngx_http_conflict_redis_snapshot_text(ngx_http_conflict_redis_text_t *words,
    ngx_str_t *answer)
{
    size_t  skip;

    skip = NGX_HTTP_CONFLICT_REDIS_TOKEN + sizeof(" 0 ") - 1;

    words->last = answer->data + answer->len;
    words->p = answer->data + ngx_min(skip, answer->len);
}
