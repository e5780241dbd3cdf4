
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * JSON Patch without a merge: its base version, its application to a document,
 * and whether a document already reflects it.
 */


#include <string.h>

#include "core/patch/conflict_patch_state.h"


static void conflict_patch_make_test(conflict_walk_t *walk,
    const conflict_pointer_t *base, const conflict_document_t *version,
    conflict_buffer_t *out);
static void conflict_patch_locate(conflict_scan_t *json,
    const conflict_operation_t *op);
static int conflict_patch_exists(const conflict_patch_t *patch,
    conflict_value_t document);
static int conflict_patch_applied(const conflict_patch_t *patch,
    conflict_value_t document, size_t values, uint64_t seed);


int
conflict_patch_apply(const conflict_document_t *doc,
    const conflict_document_t *text, conflict_buffer_t *out, size_t values,
    uint64_t seed)
{
    int                    rc;
    size_t                 i, limit;
    conflict_tree_t        tree;
    conflict_value_t       document;
    conflict_patch_t       patch;
    conflict_patch_work_t  work;

    document.tree = &tree;
    document.node = 0;
    values /= 2;

    memset(&tree, 0, sizeof(conflict_tree_t));
    memset(&work, 0, sizeof(conflict_patch_work_t));

    rc = (conflict_patch_read(&patch, text, NULL, 0, &values, seed)
          == CONFLICT_JSON_OK
          && conflict_tree_parse(&tree, doc->data, doc->len, &values, seed)
             == CONFLICT_JSON_OK)
         ? conflict_patch_work_init(&work, document, values, seed) : -1;

    for (i = 0; i < patch.n && rc == 0; i++) {
        rc = conflict_patch_work_apply(&work, &patch.ops[i]);
    }

    if (rc == 0) {
        limit = CONFLICT_PATCH_GROWTH * (doc->len + text->len);
        rc = conflict_patch_work_print(&work, out, limit);
    }

    conflict_patch_read_free(&patch);
    conflict_tree_free(&tree);
    conflict_patch_work_free(&work);

    return (rc == 0 && !out->failed) ? 0 : -1;
}


int
conflict_patch_make(const conflict_document_t *from,
    const conflict_document_t *to, const conflict_pointer_t *base,
    const conflict_document_t *version, conflict_buffer_t *out, size_t values,
    uint64_t seed)
{
    int                rc;
    size_t             comma;
    conflict_tree_t    f, t;
    conflict_walk_t    walk;
    conflict_value_t   was, now;
    conflict_merge_t   in;
    conflict_buffer_t  diff;

    memset(&t, 0, sizeof(conflict_tree_t));
    memset(&in, 0, sizeof(conflict_merge_t));
    memset(&walk, 0, sizeof(conflict_walk_t));
    memset(&diff, 0, sizeof(conflict_buffer_t));

    in.ignored = base;
    walk.in = &in;

    was.tree = &f;
    was.node = 0;
    now.tree = &t;
    now.node = 0;

    rc = (conflict_tree_parse(&f, from->data, from->len, &values, seed)
          == CONFLICT_JSON_OK
          && conflict_tree_parse(&t, to->data, to->len, &values, seed)
             == CONFLICT_JSON_OK)
         ? 0 : -1;

    if (rc == 0) {
        conflict_patch_diff(&walk, &diff, was, now);

        conflict_buffer_text(out, "[");

        if (base && version->data) {
            conflict_patch_make_test(&walk, base, version, out);
        }

        /* each operation begins with a comma */

        comma = (diff.len && out->len == 1);
        conflict_buffer_add(out, diff.data ? diff.data + comma : NULL,
                            diff.len - comma);
        conflict_buffer_text(out, "]");
    }

    if (walk.path.failed || diff.failed || out->failed) {
        rc = -1;
    }

    conflict_tree_free(&f);
    conflict_tree_free(&t);
    conflict_buffer_free(&diff);
    conflict_buffer_free(&walk.path);

    return rc;
}


static void
conflict_patch_make_test(conflict_walk_t *walk, const conflict_pointer_t *base,
    const conflict_document_t *version, conflict_buffer_t *out)
{
    unsigned  level;

    walk->path.len = 0;

    for (level = 0; level < base->levels; level++) {
        conflict_merge_report_enter_plain(walk,
                                          &base->text[base->name[level]],
                                          base->len[level]);
    }

    conflict_buffer_text(out, "{\"op\":\"test\",\"path\":\"");
    conflict_buffer_quoted(out, walk->path.data, walk->path.len);
    conflict_buffer_text(out, "\",\"value\":");
    conflict_buffer_add(out, version->data, version->len);
    conflict_buffer_text(out, "}");
}


conflict_json_rc_e
conflict_patch_base(conflict_scan_t *json, const conflict_document_t *text,
    const conflict_pointer_t *base, unsigned *set, size_t values,
    uint64_t seed)
{
    size_t                       i;
    conflict_patch_t             patch;
    conflict_json_rc_e           rc;
    const conflict_operation_t  *found;

    rc = conflict_patch_read(&patch, text, base, 1, &values, seed);
    found = NULL;
    *set = 0;

    for (i = 0; i < patch.n && rc == CONFLICT_JSON_OK; i++) {
        *set |= patch.ops[i].sets;

        if (!patch.ops[i].base) {
            continue;
        }

        rc = found ? CONFLICT_JSON_REPEATED : CONFLICT_JSON_OK;
        found = &patch.ops[i];
    }

    if (found) {
        conflict_patch_locate(json, found);
    }

    conflict_patch_read_free(&patch);

    return rc;
}


/* the value of the test, and the operation as the range to cut out */

static void
conflict_patch_locate(conflict_scan_t *json, const conflict_operation_t *op)
{
    size_t                  len;
    conflict_value_t        document, next;
    const unsigned char    *p, *last, *text;
    const conflict_node_t  *node;

    document.tree = op->element.tree;
    document.node = 0;

    text = document.tree->text;
    node = &document.tree->nodes[op->element.node];

    json->type = conflict_tree_type(op->value);
    json->member = node->start;
    json->value = node->start;
    json->end = node->end;
    json->comma_before = -1;
    json->comma_after = -1;

    p = text + node->start;

    while (p[-1] != ',' && p[-1] != '[') {
        p--;
    }

    if (p[-1] == ',') {
        json->comma_before = p - 1 - text;
    }

    next = conflict_tree_next(document, op->element);

    if (next.tree) {
        json->comma_after = (const unsigned char *)
                            memchr(text + node->end, ',',
                                   document.tree->len - node->end)
                            - text;
    }

    if (op->value.tree == NULL) {
        json->type = CONFLICT_JSON_NULL;
        json->len = 0;
        return;
    }

    p = conflict_tree_text(op->value, &len);
    last = p + len;

    if (json->type == CONFLICT_JSON_STRING) {
        p++;
        last--;
    }

    json->len = conflict_text_decode(json->text, sizeof(json->text), &p, last);
    json->cut_short = (p < last);
}


int
conflict_patch_reflects(const conflict_document_t *latest,
    const conflict_document_t *text, const conflict_pointer_t *base,
    conflict_reflects_e how, size_t values, uint64_t seed)
{
    int               rc;
    conflict_tree_t   tree;
    conflict_value_t  document;
    conflict_patch_t  patch;

    document.tree = &tree;
    document.node = 0;
    values /= 2;

    memset(&tree, 0, sizeof(conflict_tree_t));

    rc = conflict_patch_read(&patch, text, base, 0, &values, seed)
         == CONFLICT_JSON_OK
         && conflict_tree_parse(&tree, latest->data, latest->len, &values,
                                seed)
            == CONFLICT_JSON_OK
         && (how == CONFLICT_REFLECTS_NAMES
             ? conflict_patch_exists(&patch, document)
             : conflict_patch_applied(&patch, document, values, seed));

    conflict_patch_read_free(&patch);
    conflict_tree_free(&tree);

    return rc;
}


/* does every path that is written to exist, up to its first array */

static int
conflict_patch_exists(const conflict_patch_t *patch, conflict_value_t document)
{
    int     writes;
    size_t  i;

    writes = 0;

    for (i = 0; i < patch->n; i++) {

        if (patch->ops[i].op == CONFLICT_PATCH_TEST
            || patch->ops[i].op == CONFLICT_PATCH_REMOVE)
        {
            continue;
        }

        writes |= (patch->ops[i].path.n > 0);

        if (conflict_patch_read_find(document, &patch->ops[i].path, NULL).tree
            == NULL)
        {
            return 0;
        }
    }

    return writes;
}


/* would applying it again change nothing */

static int
conflict_patch_applied(const conflict_patch_t *patch, conflict_value_t document,
    size_t values, uint64_t seed)
{
    int                          rc, array, writes;
    size_t                       i;
    uint32_t                     node;
    conflict_patch_work_t        work;
    const conflict_operation_t  *op;

    writes = 0;
    rc = conflict_patch_work_init(&work, document, values, seed);

    for (i = 0; i < patch->n && rc == 0; i++) {
        op = &patch->ops[i];

        if (op->op == CONFLICT_PATCH_TEST) {
            continue;
        }

        writes = 1;
        array = 0;
        node = conflict_patch_work_find(&work, &op->path, &array);

        if (array || op->op == CONFLICT_PATCH_MOVE
            || op->op == CONFLICT_PATCH_COPY)
        {
            rc = -1;

        } else if (op->op != CONFLICT_PATCH_REMOVE
                   || node != CONFLICT_PATCH_NODE_NONE)
        {
            rc = conflict_patch_work_apply(&work, op);
        }
    }

    rc = (rc == 0 && writes && !work.exceeded && !work.failed
          && conflict_patch_work_equal(&work, work.root, document));

    conflict_patch_work_free(&work);

    return rc;
}


int
conflict_patch_repeatable(const conflict_document_t *text, size_t values,
    uint64_t seed)
{
    int                          rc;
    size_t                       i, j;
    conflict_patch_t             patch;
    const conflict_token_t      *token;
    const conflict_operation_t  *op;

    rc = (conflict_patch_read(&patch, text, NULL, 0, &values, seed)
          == CONFLICT_JSON_OK);

    for (i = 0; i < patch.n && rc; i++) {
        op = &patch.ops[i];

        rc = (op->op != CONFLICT_PATCH_MOVE && op->op != CONFLICT_PATCH_COPY);

        for (j = 0; j < op->path.n && op->op != CONFLICT_PATCH_TEST; j++) {
            token = &op->path.tokens[j];

            /* the parent may be an array */

            rc &= (conflict_patch_read_index(token) < 0
                   && !(token->len == 1 && token->data[0] == '-'));
        }
    }

    conflict_patch_read_free(&patch);

    return rc;
}
