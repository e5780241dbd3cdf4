
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A document that operations are applied to.  A value is opened, into a node
 * for each child, only when a path leads into it; unchanged values are printed
 * with their original bytes.
 */


#include <stdlib.h>
#include <string.h>

#include "core/patch/conflict_patch_state.h"
#include "core/text/conflict_hash.h"


/* limit of names compared: 8 million take about 10 ms */
#define CONFLICT_PATCH_WORK_STEPS  8000000

/* elements moves in the time of one comparison */
#define CONFLICT_PATCH_WORK_MOVES  16


static uint32_t conflict_patch_work_add(conflict_patch_work_t *work,
    conflict_value_t from);
static int conflict_patch_work_open(conflict_patch_work_t *work, uint32_t node);
static uint32_t conflict_patch_work_kid(conflict_patch_work_t *work,
    uint32_t parent, const conflict_token_t *token);
static uint32_t conflict_patch_work_parent(conflict_patch_work_t *work,
    const conflict_path_t *path);
static int conflict_patch_work_set(conflict_patch_work_t *work,
    const conflict_path_t *path, uint32_t node, unsigned replace);
static int conflict_patch_work_insert(conflict_patch_work_t *work,
    uint32_t parent, uint32_t at, uint32_t node);
static uint32_t conflict_patch_work_remove(conflict_patch_work_t *work,
    const conflict_path_t *path);
static uint32_t conflict_patch_work_copy(conflict_patch_work_t *work,
    uint32_t node, unsigned depth);
static int conflict_patch_work_move(conflict_patch_work_t *work,
    const conflict_operation_t *operation);
static void conflict_patch_work_changed(conflict_patch_work_t *work,
    uint32_t node);
static conflict_json_type_e conflict_patch_work_type(
    const conflict_patch_work_t *work, uint32_t node);
static int conflict_patch_work_members(const conflict_patch_work_t *work,
    uint32_t node, conflict_value_t value);
static int conflict_patch_work_write(conflict_patch_work_t *work, uint32_t node,
    unsigned depth, conflict_buffer_t *out, size_t limit);
static void conflict_patch_work_name(const conflict_patch_node_t *node,
    conflict_buffer_t *out);


int
conflict_patch_work_init(conflict_patch_work_t *work, conflict_value_t document,
    size_t values, uint64_t seed)
{
    memset(work, 0, sizeof(conflict_patch_work_t));

    work->seed = seed;
    work->nodes_left = values;
    work->steps = CONFLICT_PATCH_WORK_STEPS;
    work->root = conflict_patch_work_add(work, document);

    return (work->root == CONFLICT_PATCH_NODE_NONE) ? -1 : 0;
}


void
conflict_patch_work_free(conflict_patch_work_t *work)
{
    uint32_t  i;

    for (i = 0; i < work->n; i++) {
        free(work->nodes[i].kids);
    }

    free(work->nodes);
}


int
conflict_patch_work_apply(conflict_patch_work_t *work,
    const conflict_operation_t *operation)
{
    uint32_t  node;

    switch (operation->op) {

    case CONFLICT_PATCH_ADD:
    case CONFLICT_PATCH_REPLACE:
        node = conflict_patch_work_add(work, operation->value);
        break;

    case CONFLICT_PATCH_REMOVE:
        node = conflict_patch_work_remove(work, &operation->path);
        return (node == CONFLICT_PATCH_NODE_NONE) ? -1 : 0;

    case CONFLICT_PATCH_MOVE:
        return conflict_patch_work_move(work, operation);

    case CONFLICT_PATCH_COPY:
        node = conflict_patch_work_find(work, &operation->from, NULL);

        if (node != CONFLICT_PATCH_NODE_NONE) {
            node = conflict_patch_work_copy(work, node, 0);
        }

        break;

    default: /* CONFLICT_PATCH_TEST changes nothing */
        return 0;
    }

    if (node == CONFLICT_PATCH_NODE_NONE) {
        return -1;
    }

    return conflict_patch_work_set(work, &operation->path, node,
                                   operation->op == CONFLICT_PATCH_REPLACE);
}


static uint32_t
conflict_patch_work_add(conflict_patch_work_t *work, conflict_value_t from)
{
    uint32_t                size;
    conflict_patch_node_t  *nodes;

    if (work->nodes_left == 0) {
        work->exceeded = 1;
        return CONFLICT_PATCH_NODE_NONE;
    }

    work->nodes_left--;

    if (work->n == work->size) {
        size = work->size ? work->size * 2 : 64;

        nodes = realloc(work->nodes, size * sizeof(conflict_patch_node_t));
        if (nodes == NULL) {
            work->failed = 1;
            return CONFLICT_PATCH_NODE_NONE;
        }

        work->nodes = nodes;
        work->size = size;
    }

    memset(&work->nodes[work->n], 0, sizeof(conflict_patch_node_t));

    work->nodes[work->n].from = from;
    work->nodes[work->n].parent = CONFLICT_PATCH_NODE_NONE;

    return work->n++;
}


static int
conflict_patch_work_open(conflict_patch_work_t *work, uint32_t node)
{
    uint32_t                i, kid, *kids;
    conflict_value_t        v, from;
    conflict_patch_node_t  *added;

    if (work->nodes[node].opened) {
        return 0;
    }

    from = work->nodes[node].from;
    i = from.tree->nodes[from.node].children;

    kids = malloc((i + 1) * sizeof(uint32_t));
    if (kids == NULL) {
        work->failed = 1;
        return -1;
    }

    work->nodes[node].kids = kids;
    work->nodes[node].size = i + 1;

    for (v = conflict_tree_first(from), i = 0; v.tree;
         v = conflict_tree_next(from, v))
    {
        kid = conflict_patch_work_add(work, v);
        if (kid == CONFLICT_PATCH_NODE_NONE) {
            return -1;
        }

        added = &work->nodes[kid];
        added->named = v;
        added->hash = v.tree->nodes[v.node].hash;
        added->parent = node;

        kids[i++] = kid;
    }

    work->nodes[node].n = i;
    work->nodes[node].opened = 1;

    return 0;
}


uint32_t
conflict_patch_work_find(conflict_patch_work_t *work,
    const conflict_path_t *path, int *array)
{
    size_t    i;
    uint32_t  node;

    node = work->root;

    for (i = 0; i < path->n && node != CONFLICT_PATCH_NODE_NONE; i++) {

        if (array
            && conflict_patch_work_type(work, node) == CONFLICT_JSON_ARRAY)
        {
            *array = 1;
        }

        node = conflict_patch_work_kid(work, node, &path->tokens[i]);
    }

    return node;
}


static uint32_t
conflict_patch_work_kid(conflict_patch_work_t *work, uint32_t parent,
    const conflict_token_t *token)
{
    int64_t                       at;
    uint32_t                      i, hash;
    conflict_json_type_e          type;
    const conflict_patch_node_t  *node, *kid;

    type = conflict_patch_work_type(work, parent);

    if ((type != CONFLICT_JSON_OBJECT && type != CONFLICT_JSON_ARRAY)
        || conflict_patch_work_open(work, parent) != 0)
    {
        return CONFLICT_PATCH_NODE_NONE;
    }

    node = &work->nodes[parent];

    if (type == CONFLICT_JSON_ARRAY) {
        at = conflict_patch_read_index(token);

        return (at >= 0 && at < node->n) ? node->kids[at]
                                         : CONFLICT_PATCH_NODE_NONE;
    }

    if (node->n > work->steps) {
        work->exceeded = 1;
        return CONFLICT_PATCH_NODE_NONE;
    }

    work->steps -= node->n;
    hash = (uint32_t) conflict_hash_64(token->data, token->len, work->seed);

    for (i = 0; i < node->n; i++) {
        kid = &work->nodes[node->kids[i]];

        if (kid->hash != hash) {
            continue;
        }

        if (kid->named.tree
            ? conflict_tree_is(kid->named, token->data, token->len)
            : (kid->name.len == token->len
               && (token->len == 0
                   || memcmp(kid->name.data, token->data, token->len) == 0)))
        {
            return node->kids[i];
        }
    }

    return CONFLICT_PATCH_NODE_NONE;
}


static uint32_t
conflict_patch_work_parent(conflict_patch_work_t *work,
    const conflict_path_t *path)
{
    uint32_t         node;
    conflict_path_t  parent;

    parent = *path;
    parent.n--;

    node = conflict_patch_work_find(work, &parent, NULL);

    if (node == CONFLICT_PATCH_NODE_NONE
        || (conflict_patch_work_type(work, node) != CONFLICT_JSON_OBJECT
            && conflict_patch_work_type(work, node) != CONFLICT_JSON_ARRAY)
        || conflict_patch_work_open(work, node) != 0)
    {
        return CONFLICT_PATCH_NODE_NONE;
    }

    return node;
}


/* "replace": a value must exist, and is replaced */

static int
conflict_patch_work_set(conflict_patch_work_t *work,
    const conflict_path_t *path, uint32_t node, unsigned replace)
{
    int64_t                  at;
    uint32_t                 i, parent, old;
    conflict_patch_node_t   *p;
    const conflict_token_t  *last;

    if (path->n == 0) {
        work->root = node;
        work->nodes[node].parent = CONFLICT_PATCH_NODE_NONE;
        return 0;
    }

    parent = conflict_patch_work_parent(work, path);

    if (parent == CONFLICT_PATCH_NODE_NONE) {
        return -1;
    }

    last = &path->tokens[path->n - 1];
    p = &work->nodes[parent];

    if (conflict_patch_work_type(work, parent) == CONFLICT_JSON_ARRAY
        && !replace)
    {
        at = (last->len == 1 && last->data[0] == '-')
             ? (int64_t) p->n : conflict_patch_read_index(last);

        return (at >= 0 && at <= p->n)
               ? conflict_patch_work_insert(work, parent, (uint32_t) at,
                                            node) : -1;
    }

    old = conflict_patch_work_kid(work, parent, last);

    if (old == CONFLICT_PATCH_NODE_NONE) {

        if (replace || work->exceeded || work->failed) {
            return -1;
        }

        work->nodes[node].named.tree = NULL;
        work->nodes[node].name = *last;
        work->nodes[node].hash = (uint32_t)
                          conflict_hash_64(last->data, last->len, work->seed);

        return conflict_patch_work_insert(work, parent, p->n, node);
    }

    if (p->n > work->steps) {
        work->exceeded = 1;
        return -1;
    }

    work->steps -= p->n;

    for (i = 0; p->kids[i] != old; i++) { /* void */ }

    p->kids[i] = node;

    work->nodes[node].named = work->nodes[old].named;
    work->nodes[node].name = work->nodes[old].name;
    work->nodes[node].hash = work->nodes[old].hash;
    work->nodes[node].parent = parent;
    work->nodes[old].parent = CONFLICT_PATCH_NODE_NONE;

    conflict_patch_work_changed(work, parent);

    return 0;
}


static int
conflict_patch_work_insert(conflict_patch_work_t *work, uint32_t parent,
    uint32_t at, uint32_t node)
{
    uint32_t               *kids, moves;
    conflict_patch_node_t  *p;

    p = &work->nodes[parent];

    if (p->n == p->size) {
        kids = realloc(p->kids, 2 * (size_t) p->size * sizeof(uint32_t));
        if (kids == NULL) {
            work->failed = 1;
            return -1;
        }

        p->kids = kids;
        p->size *= 2;
    }

    moves = (p->n - at) / CONFLICT_PATCH_WORK_MOVES;

    if (moves > work->steps) {
        work->exceeded = 1;
        return -1;
    }

    work->steps -= moves;

    memmove(&p->kids[at + 1], &p->kids[at], (p->n - at) * sizeof(uint32_t));

    p->kids[at] = node;
    p->n++;

    work->nodes[node].parent = parent;
    conflict_patch_work_changed(work, parent);

    return 0;
}


/* detaches the node at the path and returns it */

static uint32_t
conflict_patch_work_remove(conflict_patch_work_t *work,
    const conflict_path_t *path)
{
    uint32_t                i, parent, node;
    conflict_patch_node_t  *p;

    if (path->n == 0) {
        return CONFLICT_PATCH_NODE_NONE;
    }

    node = conflict_patch_work_find(work, path, NULL);

    if (node == CONFLICT_PATCH_NODE_NONE) {
        return CONFLICT_PATCH_NODE_NONE;
    }

    parent = work->nodes[node].parent;
    p = &work->nodes[parent];

    if (p->n > work->steps) {
        work->exceeded = 1;
        return CONFLICT_PATCH_NODE_NONE;
    }

    work->steps -= p->n;

    for (i = 0; p->kids[i] != node; i++) { /* void */ }

    p->n--;
    memmove(&p->kids[i], &p->kids[i + 1], (p->n - i) * sizeof(uint32_t));

    work->nodes[node].parent = CONFLICT_PATCH_NODE_NONE;
    conflict_patch_work_changed(work, parent);

    return node;
}


static uint32_t
conflict_patch_work_copy(conflict_patch_work_t *work, uint32_t node,
    unsigned depth)
{
    uint32_t  i, n, copy, kid, *kids;

    if (depth == CONFLICT_JSON_DEPTH) {
        return CONFLICT_PATCH_NODE_NONE;
    }

    copy = conflict_patch_work_add(work, work->nodes[node].from);

    if (copy == CONFLICT_PATCH_NODE_NONE || !work->nodes[node].changed) {
        return copy;
    }

    n = work->nodes[node].n;

    kids = malloc((n + 1) * sizeof(uint32_t));
    if (kids == NULL) {
        work->failed = 1;
        return CONFLICT_PATCH_NODE_NONE;
    }

    work->nodes[copy].kids = kids;
    work->nodes[copy].size = n + 1;
    work->nodes[copy].opened = 1;
    work->nodes[copy].changed = 1;

    for (i = 0; i < n; i++) {
        kid = conflict_patch_work_copy(work, work->nodes[node].kids[i],
                                       depth + 1);
        if (kid == CONFLICT_PATCH_NODE_NONE) {
            return CONFLICT_PATCH_NODE_NONE;
        }

        work->nodes[kid].named = work->nodes[work->nodes[node].kids[i]].named;
        work->nodes[kid].name = work->nodes[work->nodes[node].kids[i]].name;
        work->nodes[kid].hash = work->nodes[work->nodes[node].kids[i]].hash;
        work->nodes[kid].parent = copy;

        kids[i] = kid;
        work->nodes[copy].n = i + 1;
    }

    return copy;
}


static int
conflict_patch_work_move(conflict_patch_work_t *work,
    const conflict_operation_t *operation)
{
    size_t                  i;
    uint32_t                node;
    const conflict_path_t  *from, *path;

    from = &operation->from;
    path = &operation->path;

    for (i = 0;
         i < from->n && i < path->n
         && from->tokens[i].len == path->tokens[i].len
         && (from->tokens[i].len == 0
             || memcmp(from->tokens[i].data, path->tokens[i].data,
                       from->tokens[i].len)
                == 0);
         i++)
    { /* void */ }

    if (i == from->n) {

        /* to the same place; never into itself (RFC 6902, 4.4) */

        node = conflict_patch_work_find(work, from, NULL);

        return (i == path->n && node != CONFLICT_PATCH_NODE_NONE) ? 0 : -1;
    }

    node = conflict_patch_work_remove(work, from);

    return (node == CONFLICT_PATCH_NODE_NONE)
           ? -1 : conflict_patch_work_set(work, path, node, 0);
}


/* marks the node and all its parents */

static void
conflict_patch_work_changed(conflict_patch_work_t *work, uint32_t node)
{
    while (node != CONFLICT_PATCH_NODE_NONE) {
        work->nodes[node].changed = 1;
        node = work->nodes[node].parent;

        if (work->steps) {
            work->steps--;
        }
    }
}


static conflict_json_type_e
conflict_patch_work_type(const conflict_patch_work_t *work, uint32_t node)
{
    return conflict_tree_type(work->nodes[node].from);
}


int
conflict_patch_work_equal(const conflict_patch_work_t *work, uint32_t node,
    conflict_value_t value)
{
    uint32_t                      i;
    conflict_value_t              v;
    const conflict_patch_node_t  *n;

    n = &work->nodes[node];

    if (!n->changed) {
        return conflict_compare_equal(n->from, value);
    }

    if (conflict_patch_work_type(work, node) != conflict_tree_type(value)
        || n->n != value.tree->nodes[value.node].children)
    {
        return 0;
    }

    if (conflict_tree_type(value) == CONFLICT_JSON_OBJECT) {
        return conflict_patch_work_members(work, node, value);
    }

    for (i = 0, v = conflict_tree_first(value); v.tree;
         v = conflict_tree_next(value, v))
    {
        if (!conflict_patch_work_equal(work, n->kids[i++], v)) {
            return 0;
        }
    }

    return 1;
}


static int
conflict_patch_work_members(const conflict_patch_work_t *work, uint32_t node,
    conflict_value_t value)
{
    uint32_t                      i;
    conflict_value_t              v;
    const conflict_patch_node_t  *n, *kid;

    n = &work->nodes[node];

    for (i = 0; i < n->n; i++) {
        kid = &work->nodes[n->kids[i]];

        v = kid->named.tree
            ? conflict_tree_member(value, kid->named)
            : conflict_tree_named(value, kid->name.data, kid->name.len);

        if (v.tree == NULL || !conflict_patch_work_equal(work, n->kids[i], v)) {
            return 0;
        }
    }

    return 1;
}


int
conflict_patch_work_print(conflict_patch_work_t *work, conflict_buffer_t *out,
    size_t limit)
{
    return conflict_patch_work_write(work, work->root, 0, out, limit);
}


static int
conflict_patch_work_write(conflict_patch_work_t *work, uint32_t node,
    unsigned depth, conflict_buffer_t *out, size_t limit)
{
    int                           object;
    size_t                        len;
    uint32_t                      i;
    const unsigned char          *text;
    const conflict_patch_node_t  *n;

    n = &work->nodes[node];

    if (!n->changed) {
        text = conflict_tree_text(n->from, &len);

        if (len > limit || out->len > limit - len) {
            work->exceeded = 1;
            return -1;
        }

        conflict_buffer_add(out, text, len);
        return 0;
    }

    if (depth == CONFLICT_JSON_DEPTH) {
        return -1;
    }

    object = (conflict_patch_work_type(work, node) == CONFLICT_JSON_OBJECT);

    conflict_buffer_text(out, object ? "{" : "[");

    for (i = 0; i < n->n; i++) {

        if (i) {
            conflict_buffer_text(out, ",");
        }

        if (object) {
            conflict_patch_work_name(&work->nodes[n->kids[i]], out);
        }

        if (conflict_patch_work_write(work, n->kids[i], depth + 1, out, limit)
            != 0)
        {
            return -1;
        }
    }

    conflict_buffer_text(out, object ? "}" : "]");

    return 0;
}


static void
conflict_patch_work_name(const conflict_patch_node_t *node,
    conflict_buffer_t *out)
{
    const conflict_node_t  *named;

    conflict_buffer_text(out, "\"");

    if (node->named.tree) {
        named = &node->named.tree->nodes[node->named.node];
        conflict_buffer_add(out, node->named.tree->text + named->name,
                            named->name_end - named->name);

    } else {
        conflict_buffer_quoted(out, node->name.data, node->name.len);
    }

    conflict_buffer_text(out, "\":");
}
