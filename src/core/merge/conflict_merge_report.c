
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * What a merge tells of itself: the fields that it touched, and those that
 * clashed.
 */


#include "core/merge/conflict_merge_state.h"


#define CONFLICT_MERGE_FIELDS   4096     /* bytes of lists of fields */
#define CONFLICT_MERGE_CLASHES  65536    /* bytes; values first go without */
#define CONFLICT_MERGE_BLOCK    256      /* bytes of a name at a time */


static void conflict_merge_add_value(conflict_out_t *out, const char *name,
    conflict_value_t value);


static const char  *conflict_rule_names[] = {
    "auto", "lww", "server", "reject", "union", "max", "min", "sum", "text",
    "list", "test"
};


const char *
conflict_rule_name(conflict_rule_e rule)
{
    return conflict_rule_names[rule];
}


/* goes down into a member; its name as it is in the document */

void
conflict_merge_report_enter(conflict_walk_t *walk, const unsigned char *name,
    size_t len)
{
    size_t                i, n;
    unsigned char        *p, plain[CONFLICT_MERGE_BLOCK];
    unsigned char         token[2 * CONFLICT_MERGE_BLOCK];
    const unsigned char  *last;

    last = name + len;

    conflict_buffer_text(&walk->path, "/");

    while ((n = conflict_text_decode(plain, sizeof(plain), &name, last)) > 0) {
        p = token;

        for (i = 0; i < n; i++) {

            if (plain[i] == '~' || plain[i] == '/') {
                *p++ = '~';
                *p++ = (plain[i] == '~') ? '0' : '1';

            } else {
                *p++ = plain[i];
            }
        }

        conflict_buffer_add(&walk->path, token, (size_t) (p - token));
    }
}


/* the field that the path leads to, for the lists of fields */

void
conflict_merge_report_note(conflict_walk_t *walk)
{
    size_t              i;
    unsigned char       ch, hex[3];
    conflict_out_t     *names;
    conflict_merged_t  *result;

    static const char   digits[] = "0123456789ABCDEF";

    result = walk->result;
    names = &result->names;

    if (result->fields.len < CONFLICT_MERGE_FIELDS) {
        conflict_buffer_text(&result->fields, ",\"");
        conflict_buffer_escaped(&result->fields, walk->path.data,
                             (walk->path.len < CONFLICT_MERGE_NAMES)
                             ? walk->path.len : CONFLICT_MERGE_NAMES);
        conflict_buffer_text(&result->fields, "\"");
    }

    if (names->len + 3 * walk->path.len > CONFLICT_MERGE_NAMES) {
        return;
    }

    if (names->len) {
        conflict_buffer_text(names, " ");
    }

    /* without the first slash, and what a header may have */

    for (i = 1; i < walk->path.len; i++) {
        ch = walk->path.data[i];

        if (ch > ' ' && ch < 0x7f && ch != '"' && ch != '\\' && ch != '%') {
            conflict_buffer_add(names, &ch, 1);
            continue;
        }

        hex[0] = '%';
        hex[1] = (unsigned char) digits[ch >> 4];
        hex[2] = (unsigned char) digits[ch & 0x0f];
        conflict_buffer_add(names, hex, 3);
    }
}


void
conflict_merge_report_clash(conflict_walk_t *walk, conflict_rule_e rule,
    const conflict_trio_t *trio)
{
    conflict_out_t  *out;

    out = &walk->result->clashes;

    if (!walk->clashed) {
        /* of a refusal these are what clashed */
        walk->clashed = 1;
        walk->result->fields.len = 0;
        walk->result->names.len = 0;
    }

    conflict_merge_report_note(walk);

    if (!trio->held) {
        walk->result->held = 0;
    }

    if (walk->path.len > CONFLICT_MERGE_CLASHES
        || out->len > CONFLICT_MERGE_CLASHES - walk->path.len)
    {
        walk->result->omitted++;
        return;
    }

    conflict_buffer_text(out, ",{\"field\":\"");
    conflict_buffer_escaped(out, walk->path.data, walk->path.len);
    conflict_buffer_text(out, "\",\"rule\":\"");
    conflict_buffer_text(out, conflict_rule_name(rule));
    conflict_buffer_text(out, "\"");

    if (!walk->in->filtered) {

        if (walk->in->stale && walk->in->reveal
            && conflict_compare_covered(trio->base, trio->server))
        {
            /* no member that was hidden from the client meanwhile */
            conflict_merge_add_value(out, "base", trio->base);
        }

        conflict_merge_add_value(out, "server", trio->server);
    }

    conflict_merge_add_value(out, "client", trio->client);
    conflict_buffer_text(out, "}");
}


static void
conflict_merge_add_value(conflict_out_t *out, const char *name,
    conflict_value_t value)
{
    size_t                len, size;
    const unsigned char  *text;

    if (value.tree == NULL) {
        return;
    }

    text = conflict_tree_text(value, &len);

    if (len > CONFLICT_MERGE_CLASHES) {
        return;
    }

    size = conflict_text_defuse(NULL, text, len);

    if (size > CONFLICT_MERGE_CLASHES
        || out->len > CONFLICT_MERGE_CLASHES - size)
    {
        return;
    }

    conflict_buffer_text(out, ",\"");
    conflict_buffer_text(out, name);
    conflict_buffer_text(out, "\":");
    conflict_buffer_value(out, text, len);
}
