
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The clashes of a merge as text, to compare.
 */


#ifndef _CLASHES_H_INCLUDED_
#define _CLASHES_H_INCLUDED_


#include "unit.h"
#include "core/merge/conflict_merge.h"


static void
clashes_add(conflict_buffer_t *out, const char *before, const unsigned char **p,
    size_t len)
{
    conflict_buffer_text(out, before);
    conflict_buffer_add(out, *p, len);
    *p += len;
}


static char *
clashes_text(const conflict_merged_t *merged)
{
    char                    *text;
    conflict_buffer_t        out;
    const unsigned char     *p;
    const conflict_clash_t  *clash, *last;

    memset(&out, 0, sizeof(out));

    p = merged->values.data;
    clash = (conflict_clash_t *) merged->clashes.data;
    last = clash + merged->clashes.len / sizeof(conflict_clash_t);

    for ( /* void */ ; clash < last; clash++) {
        clashes_add(&out, ",{\"field\":\"", &p, clash->field);
        conflict_buffer_text(&out, "\",\"rule\":\"");
        conflict_buffer_text(&out, conflict_merge_report_rule(clash->rule));
        conflict_buffer_text(&out, "\"");

        if (clash->base) {
            clashes_add(&out, ",\"base\":", &p, clash->base);
        }

        if (clash->server) {
            clashes_add(&out, ",\"server\":", &p, clash->server);
        }

        if (clash->client) {
            clashes_add(&out, ",\"client\":", &p, clash->client);
        }

        conflict_buffer_text(&out, "}");
    }

    assert_ptr_equal(p, merged->values.data + merged->values.len);

    text = strndup(out.data ? (char *) out.data : "", out.len);
    conflict_buffer_free(&out);

    return text;
}


#endif /* _CLASHES_H_INCLUDED_ */
