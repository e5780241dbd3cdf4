
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The report of a merge: the fields that it has changed, or those that
 * clashed.
 */


#include <stdio.h>
#include <string.h>

#include "core/merge/conflict_merge_state.h"


/* bytes as they are printed, escaped; of clashes values are omitted first */

#define CONFLICT_MERGE_FIELDS   4096
#define CONFLICT_MERGE_CLASHES  65536

#define CONFLICT_MERGE_BLOCK    256      /* bytes of a name at a time */


static void conflict_merge_report_token(conflict_walk_t *walk,
    const unsigned char *p, size_t len);
static int conflict_merge_report_masked(const conflict_walk_t *walk,
    const conflict_trio_t *trio);
static size_t conflict_merge_report_add_value(conflict_merged_t *result,
    conflict_value_t value);
static size_t conflict_merge_report_room(const conflict_merged_t *result);


static const char  *conflict_rule_names[] = {
    "auto", "lww", "server", "reject", "union", "max", "min", "sum", "text",
    "list", "test"
};


const char *
conflict_merge_report_rule(conflict_rule_e rule)
{
    return conflict_rule_names[rule];
}


void
conflict_merge_report_enter(conflict_walk_t *walk, const unsigned char *name,
    size_t len)
{
    size_t                n;
    unsigned char         plain[CONFLICT_MERGE_BLOCK];
    const unsigned char  *last;

    last = name + len;

    conflict_buffer_text(&walk->path, "/");

    while ((n = conflict_text_decode(plain, sizeof(plain), &name, last)) > 0) {
        conflict_merge_report_token(walk, plain, n);
    }
}


void
conflict_merge_report_enter_plain(conflict_walk_t *walk,
    const unsigned char *name, size_t len)
{
    conflict_buffer_text(&walk->path, "/");
    conflict_merge_report_token(walk, name, len);
}


static void
conflict_merge_report_token(conflict_walk_t *walk, const unsigned char *p,
    size_t len)
{
    const unsigned char  *q, *last;

    last = p + len;

    while (p < last) {

        for (q = p; q < last && *q != '~' && *q != '/'; q++) { /* void */ }

        conflict_buffer_add(&walk->path, p, (size_t) (q - p));

        if (q < last) {
            conflict_buffer_text(&walk->path, (*q++ == '~') ? "~0" : "~1");
        }

        p = q;
    }
}


size_t
conflict_merge_report_enter_member(conflict_walk_t *walk,
    conflict_value_t member)
{
    size_t                  path;
    const conflict_node_t  *node;

    path = walk->path.len;
    node = &member.tree->nodes[member.node];

    conflict_merge_report_enter(walk, member.tree->text + node->name,
                                node->name_end - node->name);

    return path;
}


size_t
conflict_merge_report_enter_index(conflict_walk_t *walk, uint32_t n)
{
    char    index[sizeof("4294967295")];
    size_t  path;

    path = walk->path.len;

    (void) snprintf(index, sizeof(index), "%lu", (unsigned long) n);
    conflict_merge_report_enter(walk, (unsigned char *) index, strlen(index));

    return path;
}


void
conflict_merge_report_add_field(conflict_walk_t *walk,
    const conflict_trio_t *trio)
{
    size_t              i, len;
    unsigned char       ch, hex[3], size[2];
    conflict_buffer_t  *names;
    conflict_merged_t  *result;

    static const char   digits[] = "0123456789ABCDEF";

    result = walk->result;
    names = &result->names;

    if (result->fields_printed < CONFLICT_MERGE_FIELDS) {
        len = (walk->path.len < CONFLICT_MERGE_NAMES) ? walk->path.len
                                                      : CONFLICT_MERGE_NAMES;

        result->fields_printed += sizeof("\"\",") - 1
                              + conflict_text_escape(NULL, walk->path.data,
                                                     len);

        size[0] = (unsigned char) (len >> 8);
        size[1] = (unsigned char) len;

        conflict_buffer_add(&result->fields, size, 2);
        conflict_buffer_add(&result->fields, walk->path.data, len);
    }

    if (names->len + 3 * walk->path.len > CONFLICT_MERGE_NAMES
        || conflict_merge_report_masked(walk, trio))
    {
        return;
    }

    if (names->len) {
        conflict_buffer_text(names, " ");
    }

    /* without the first slash, escaped for a header */

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


/* a merge patch has the names of the members that it removes */

static int
conflict_merge_report_masked(const conflict_walk_t *walk,
    const conflict_trio_t *trio)
{
    return walk->in->masked && trio->client.tree == NULL && !walk->patch;
}


int
conflict_merge_report_field(const unsigned char **p, const unsigned char *last,
    const unsigned char **name, size_t *len)
{
    if (last - *p < 2) {
        return 0;
    }

    *len = (size_t) (*p)[0] << 8 | (*p)[1];

    if ((size_t) (last - *p) - 2 < *len) {
        /* memory ran out while it was added */
        return 0;
    }

    *name = *p + 2;
    *p += 2 + *len;

    return 1;
}


void
conflict_merge_report_clash(conflict_walk_t *walk, conflict_rule_e rule,
    const conflict_trio_t *trio)
{
    size_t              printed;
    conflict_clash_t    clash;
    conflict_merged_t  *result;

    result = walk->result;

    if (!walk->clashed) {
        /* from here on the lists are those of the clashed fields */
        walk->clashed = 1;
        result->fields.len = 0;
        result->fields_printed = 0;
        result->names.len = 0;
    }

    conflict_merge_report_add_field(walk, trio);

    if (!trio->base_known) {
        result->base_known = 0;
    }

    printed = sizeof(conflict_clash_t)
              + conflict_text_escape(NULL, walk->path.data, walk->path.len);

    if (printed > conflict_merge_report_room(result)) {
        result->omitted++;
        return;
    }

    result->clashes_printed += printed;

    memset(&clash, 0, sizeof(conflict_clash_t));

    clash.rule = rule;
    clash.field = walk->path.len;
    clash.masked = (unsigned) conflict_merge_report_masked(walk, trio);

    conflict_buffer_add(&result->values, walk->path.data, walk->path.len);

    if (!walk->in->filtered) {

        if (walk->in->stale && walk->in->reveal
            && conflict_compare_covered(trio->base, trio->server))
        {
            /* the client may still see each member of the base */
            clash.base = conflict_merge_report_add_value(result, trio->base);
        }

        clash.server = conflict_merge_report_add_value(result, trio->server);
    }

    if (!walk->in->edited || walk->in->reveal || rule == CONFLICT_RULE_TEST) {
        /* what a patch makes of the base may have any part of that */
        clash.client = conflict_merge_report_add_value(result, trio->client);
    }

    conflict_buffer_add(&result->clashes, &clash, sizeof(conflict_clash_t));
}


conflict_merge_rc_e
conflict_merge_report_clashed(const conflict_walk_t *walk)
{
    const conflict_merged_t  *result;

    result = walk->result;

    return (result->clashes.failed || result->values.failed
            || result->fields.failed || walk->path.failed)
           ? CONFLICT_MERGE_FAILED : CONFLICT_MERGE_CLASH;
}


static size_t
conflict_merge_report_add_value(conflict_merged_t *result,
    conflict_value_t value)
{
    size_t                len, room, printed;
    const unsigned char  *text;

    if (value.tree == NULL) {
        return 0;
    }

    text = conflict_tree_text(value, &len);
    room = conflict_merge_report_room(result);

    if (len > room) {
        return 0;
    }

    printed = conflict_text_defuse(NULL, text, len);

    if (printed > room) {
        return 0;
    }

    result->clashes_printed += printed;

    conflict_buffer_add(&result->values, text, len);

    return len;
}


static size_t
conflict_merge_report_room(const conflict_merged_t *result)
{
    return CONFLICT_MERGE_CLASHES - result->clashes_printed;
}
