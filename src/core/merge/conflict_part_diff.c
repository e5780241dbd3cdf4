
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The part that turns one document into another: the members that differ.
 */


#include <string.h>

#include "core/merge/conflict_part.h"
#include "core/json/conflict_compare.h"


typedef struct {
    conflict_buffer_t         *out;
    conflict_form_e            form;
    const conflict_pointer_t  *ignored;
} conflict_part_diff_t;


static int conflict_part_diff_members(conflict_part_diff_t *diff,
    conflict_value_t from, conflict_value_t to, unsigned level);
static int conflict_part_diff_value(conflict_part_diff_t *diff,
    conflict_value_t from, conflict_value_t to, unsigned level);
static int conflict_part_diff_has_null(conflict_value_t value);
static void conflict_part_diff_name(conflict_part_diff_t *diff,
    conflict_value_t member, unsigned *n);


int
conflict_part_diff(const conflict_document_t *from,
    const conflict_document_t *to, conflict_form_e form,
    const conflict_pointer_t *ignored, conflict_buffer_t *out, size_t values,
    uint64_t seed)
{
    int                   rc;
    conflict_tree_t       f, t;
    conflict_value_t      was, now;
    conflict_part_diff_t  diff;

    rc = -1;

    memset(&t, 0, sizeof(conflict_tree_t));

    diff.out = out;
    diff.form = form;
    diff.ignored = ignored;

    if (conflict_tree_parse(&f, from->data, from->len, &values, seed)
        == CONFLICT_JSON_OK
        && conflict_tree_parse(&t, to->data, to->len, &values, seed)
           == CONFLICT_JSON_OK)
    {
        was.tree = &f;
        was.node = 0;
        now.tree = &t;
        now.node = 0;

        if (conflict_tree_type(now) == CONFLICT_JSON_OBJECT) {
            rc = conflict_part_diff_members(&diff, was, now, ignored ? 1 : 0);

        } else {
            conflict_buffer_add(out, to->data, to->len);
            rc = 0;
        }

        if (out->failed) {
            rc = -1;
        }
    }

    conflict_tree_free(&f);
    conflict_tree_free(&t);

    return rc;
}


static int
conflict_part_diff_members(conflict_part_diff_t *diff, conflict_value_t from,
    conflict_value_t to, unsigned level)
{
    int               ignored;
    unsigned          inner, n;
    conflict_value_t  v, w;

    n = 0;

    if (conflict_tree_type(from) != CONFLICT_JSON_OBJECT) {
        from.tree = NULL;
    }

    conflict_buffer_text(diff->out, "{");

    for (v = conflict_tree_first(from); v.tree;
         v = conflict_tree_next(from, v))
    {
        inner = conflict_part_diff_level(diff->ignored, v, level, &ignored);
        w = conflict_tree_member(to, v);

        if (ignored || (w.tree && conflict_compare_equal(v, w))) {
            continue;
        }

        conflict_part_diff_name(diff, v, &n);

        if (w.tree) {

            if (conflict_part_diff_value(diff, v, w, inner) != 0) {
                return -1;
            }

        } else if (diff->form == CONFLICT_FORM_MERGE_PATCH) {
            conflict_buffer_text(diff->out, "null");

        } else {
            /* a member that it does not have stays */
            return -1;
        }
    }

    for (w = conflict_tree_first(to); w.tree; w = conflict_tree_next(to, w)) {
        inner = conflict_part_diff_level(diff->ignored, w, level, &ignored);
        v = conflict_tree_member(from, w);

        if (ignored || v.tree) {
            continue;
        }

        conflict_part_diff_name(diff, w, &n);

        if (conflict_part_diff_value(diff, v, w, inner) != 0) {
            return -1;
        }
    }

    conflict_buffer_text(diff->out, "}");

    return 0;
}


unsigned
conflict_part_diff_level(const conflict_pointer_t *pointer,
    conflict_value_t member, unsigned level, int *ignored)
{
    *ignored = 0;

    if (level == 0) {
        return 0;
    }

    if (!conflict_tree_is(member, &pointer->text[pointer->name[level - 1]],
                          pointer->len[level - 1]))
    {
        return 0;
    }

    *ignored = (level == pointer->levels);

    return level + 1;
}


static int
conflict_part_diff_value(conflict_part_diff_t *diff, conflict_value_t from,
    conflict_value_t to, unsigned level)
{
    size_t                len;
    const unsigned char  *text;

    if (diff->form != CONFLICT_FORM_SHALLOW
        && conflict_tree_type(to) == CONFLICT_JSON_OBJECT
        && conflict_tree_type(from) == CONFLICT_JSON_OBJECT)
    {
        return conflict_part_diff_members(diff, from, to, level);
    }

    if (diff->form == CONFLICT_FORM_MERGE_PATCH
        && conflict_part_diff_has_null(to))
    {
        return -1;
    }

    text = conflict_tree_text(to, &len);
    conflict_buffer_add(diff->out, text, len);

    return 0;
}


/* a null that removes; one in an array is a value */

static int
conflict_part_diff_has_null(conflict_value_t value)
{
    conflict_value_t  v;

    if (conflict_tree_type(value) != CONFLICT_JSON_OBJECT) {
        return conflict_tree_type(value) == CONFLICT_JSON_NULL;
    }

    for (v = conflict_tree_first(value); v.tree;
         v = conflict_tree_next(value, v))
    {
        if (conflict_part_diff_has_null(v)) {
            return 1;
        }
    }

    return 0;
}


static void
conflict_part_diff_name(conflict_part_diff_t *diff, conflict_value_t member,
    unsigned *n)
{
    const conflict_node_t  *node;

    node = &member.tree->nodes[member.node];

    conflict_buffer_text(diff->out, (*n)++ ? ",\"" : "\"");
    conflict_buffer_add(diff->out, member.tree->text + node->name,
                        node->name_end - node->name);
    conflict_buffer_text(diff->out, "\":");
}
