
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Applies a part to a document.  The members of the document keep their order
 * and their bytes, new members of the part follow them.
 */


#include <string.h>

#include "core/merge/conflict_part.h"


static void conflict_part_members(conflict_buffer_t *out, conflict_value_t doc,
    conflict_value_t part, conflict_form_e form);
static void conflict_part_value(conflict_buffer_t *out, conflict_value_t doc,
    conflict_value_t part, conflict_form_e form);
static void conflict_part_name(conflict_buffer_t *out, conflict_value_t member,
    unsigned *n);


int
conflict_part_apply(const conflict_document_t *doc,
    const conflict_document_t *part, conflict_buffer_t *out, size_t values,
    uint64_t seed)
{
    int               rc;
    conflict_tree_t   d, p;
    conflict_value_t  was, now;

    rc = -1;

    memset(&p, 0, sizeof(conflict_tree_t));

    if (conflict_tree_parse(&d, doc->data, doc->len, &values, seed)
        == CONFLICT_JSON_OK
        && conflict_tree_parse(&p, part->data, part->len, &values, seed)
           == CONFLICT_JSON_OK)
    {
        was.tree = &d;
        was.node = 0;
        now.tree = &p;
        now.node = 0;

        if (conflict_tree_type(now) == CONFLICT_JSON_OBJECT) {
            conflict_part_members(out, was, now, part->form);

        } else {
            conflict_buffer_add(out, part->data, part->len);
        }

        rc = out->failed ? -1 : 0;
    }

    conflict_tree_free(&d);
    conflict_tree_free(&p);

    return rc;
}


static void
conflict_part_members(conflict_buffer_t *out, conflict_value_t doc,
    conflict_value_t part, conflict_form_e form)
{
    size_t                len;
    unsigned              n;
    conflict_value_t      v, w;
    const unsigned char  *text;

    n = 0;

    if (conflict_tree_type(doc) != CONFLICT_JSON_OBJECT) {
        doc.tree = NULL;
    }

    conflict_buffer_text(out, "{");

    for (v = conflict_tree_first(doc); v.tree;
         v = conflict_tree_next(doc, v))
    {
        w = conflict_tree_member(part, v);

        if (w.tree == NULL) {
            text = conflict_tree_text(v, &len);
            conflict_part_name(out, v, &n);
            conflict_buffer_add(out, text, len);

        } else if (form != CONFLICT_FORM_MERGE_PATCH
                   || conflict_tree_type(w) != CONFLICT_JSON_NULL)
        {
            conflict_part_name(out, v, &n);
            conflict_part_value(out, v, w, form);
        }
    }

    for (w = conflict_tree_first(part); w.tree;
         w = conflict_tree_next(part, w))
    {
        v = conflict_tree_member(doc, w);

        if (v.tree == NULL
            && (form != CONFLICT_FORM_MERGE_PATCH
                || conflict_tree_type(w) != CONFLICT_JSON_NULL))
        {
            conflict_part_name(out, w, &n);
            conflict_part_value(out, v, w, form);
        }
    }

    conflict_buffer_text(out, "}");
}


static void
conflict_part_value(conflict_buffer_t *out, conflict_value_t doc,
    conflict_value_t part, conflict_form_e form)
{
    size_t                len;
    const unsigned char  *text;

    if (conflict_tree_type(part) == CONFLICT_JSON_OBJECT
        && (form == CONFLICT_FORM_DEEP || form == CONFLICT_FORM_MERGE_PATCH))
    {
        conflict_part_members(out, doc, part, form);
        return;
    }

    text = conflict_tree_text(part, &len);
    conflict_buffer_add(out, text, len);
}


static void
conflict_part_name(conflict_buffer_t *out, conflict_value_t member, unsigned *n)
{
    const conflict_node_t  *node;

    node = &member.tree->nodes[member.node];

    conflict_buffer_text(out, (*n)++ ? ",\"" : "\"");
    conflict_buffer_add(out, member.tree->text + node->name,
                        node->name_end - node->name);
    conflict_buffer_text(out, "\":");
}
