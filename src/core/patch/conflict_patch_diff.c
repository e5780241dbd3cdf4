
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Generates the JSON Patch that turns one document into another: of an object
 * the members, of an array the elements between a common prefix and suffix.
 */


#include "core/patch/conflict_patch_state.h"
#include "core/merge/conflict_part.h"


static void conflict_patch_diff_value(conflict_walk_t *walk,
    conflict_buffer_t *out, conflict_value_t from, conflict_value_t to,
    unsigned level);
static void conflict_patch_diff_members(conflict_walk_t *walk,
    conflict_buffer_t *out, conflict_value_t from, conflict_value_t to,
    unsigned level);
static void conflict_patch_diff_elements(conflict_walk_t *walk,
    conflict_buffer_t *out, conflict_value_t from, conflict_value_t to);
static int conflict_patch_diff_ends(conflict_value_t array, conflict_value_t v,
    uint32_t more, conflict_value_t other, conflict_value_t w);
static void conflict_patch_diff_write(conflict_walk_t *walk,
    conflict_buffer_t *out, const char *op, conflict_value_t value);


void
conflict_patch_diff(conflict_walk_t *walk, conflict_buffer_t *out,
    conflict_value_t from, conflict_value_t to)
{
    conflict_patch_diff_value(walk, out, from, to, walk->in->ignored ? 1 : 0);
}


static void
conflict_patch_diff_value(conflict_walk_t *walk, conflict_buffer_t *out,
    conflict_value_t from, conflict_value_t to, unsigned level)
{
    conflict_json_type_e  type;

    type = conflict_tree_type(from);

    if (type != conflict_tree_type(to)) {
        conflict_patch_diff_write(walk, out, "replace", to);

    } else if (type == CONFLICT_JSON_OBJECT) {
        conflict_patch_diff_members(walk, out, from, to, level);

    } else if (type == CONFLICT_JSON_ARRAY) {
        conflict_patch_diff_elements(walk, out, from, to);

    } else if (!conflict_compare_equal(from, to)) {
        conflict_patch_diff_write(walk, out, "replace", to);
    }
}


static void
conflict_patch_diff_members(conflict_walk_t *walk, conflict_buffer_t *out,
    conflict_value_t from, conflict_value_t to, unsigned level)
{
    int               ignored;
    size_t            path;
    unsigned          inner;
    conflict_value_t  v, w;

    for (v = conflict_tree_first(from); v.tree;
         v = conflict_tree_next(from, v))
    {
        inner = conflict_part_diff_level(walk->in->ignored, v, level, &ignored);

        if (ignored) {
            continue;
        }

        path = conflict_merge_report_enter_member(walk, v);
        w = conflict_tree_member(to, v);

        if (w.tree) {
            conflict_patch_diff_value(walk, out, v, w, inner);

        } else {
            conflict_patch_diff_write(walk, out, "remove", w);
        }

        walk->path.len = path;
    }

    for (v = conflict_tree_first(to); v.tree; v = conflict_tree_next(to, v)) {
        (void) conflict_part_diff_level(walk->in->ignored, v, level, &ignored);

        if (ignored || conflict_tree_member(from, v).tree) {
            continue;
        }

        path = conflict_merge_report_enter_member(walk, v);
        conflict_patch_diff_write(walk, out, "add", v);
        walk->path.len = path;
    }
}


static void
conflict_patch_diff_elements(conflict_walk_t *walk, conflict_buffer_t *out,
    conflict_value_t from, conflict_value_t to)
{
    size_t            path;
    uint32_t          first, i, n, m;
    conflict_value_t  v, w;

    n = from.tree->nodes[from.node].children;
    m = to.tree->nodes[to.node].children;

    v = conflict_tree_first(from);
    w = conflict_tree_first(to);

    for (first = 0; v.tree && w.tree && conflict_compare_equal(v, w); first++) {
        v = conflict_tree_next(from, v);
        w = conflict_tree_next(to, w);
    }

    if (n == m) {

        /* element by element */

        for (i = first; v.tree; i++) {
            path = conflict_merge_report_enter_index(walk, i);
            conflict_patch_diff_value(walk, out, v, w, 0);
            walk->path.len = path;

            v = conflict_tree_next(from, v);
            w = conflict_tree_next(to, w);
        }

        return;
    }

    if (n > m ? !conflict_patch_diff_ends(from, v, n - m, to, w)
              : !conflict_patch_diff_ends(to, w, m - n, from, v))
    {
        /* not only elements removed or added in one place */
        conflict_patch_diff_write(walk, out, "replace", to);
        return;
    }

    for (i = first + n; i > first + m; i--) {

        /* the last one first, which keeps the indices of the others */

        path = conflict_merge_report_enter_index(walk, i - m - 1);
        w.tree = NULL;
        conflict_patch_diff_write(walk, out, "remove", w);
        walk->path.len = path;
    }

    for (i = first + n; i < first + m; i++) {
        path = conflict_merge_report_enter_index(walk, i - n);
        conflict_patch_diff_write(walk, out, "add", w);
        walk->path.len = path;

        w = conflict_tree_next(to, w);
    }
}


/* without "more" elements at "v", does it end like the other from "w" on */

static int
conflict_patch_diff_ends(conflict_value_t array, conflict_value_t v,
    uint32_t more, conflict_value_t other, conflict_value_t w)
{
    for ( /* void */ ; more; more--) {
        v = conflict_tree_next(array, v);
    }

    while (v.tree) {

        if (!conflict_compare_equal(v, w)) {
            return 0;
        }

        v = conflict_tree_next(array, v);
        w = conflict_tree_next(other, w);
    }

    return 1;
}


static void
conflict_patch_diff_write(conflict_walk_t *walk, conflict_buffer_t *out,
    const char *op, conflict_value_t value)
{
    size_t                len;
    const unsigned char  *text;

    conflict_buffer_text(out, ",{\"op\":\"");
    conflict_buffer_text(out, op);
    conflict_buffer_text(out, "\",\"path\":\"");
    conflict_buffer_quoted(out, walk->path.data, walk->path.len);
    conflict_buffer_text(out, "\"");

    if (value.tree) {
        text = conflict_tree_text(value, &len);
        conflict_buffer_text(out, ",\"value\":");
        conflict_buffer_add(out, text, len);
    }

    conflict_buffer_text(out, "}");
}
