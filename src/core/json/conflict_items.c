
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The items of a list in a JSON document: their ids, and the places of a member
 * that each of them has or is to get.
 */


#include <stdlib.h>
#include <string.h>

#include "core/json/conflict_items.h"


static conflict_value_t conflict_items_walk(conflict_value_t value,
    const conflict_pointer_t *pointer, unsigned levels);
static void conflict_items_place(conflict_item_t *item,
    const conflict_pointer_t *member, conflict_value_t value);
static size_t conflict_items_integer(unsigned char *dst,
    const unsigned char *p, size_t len);
static int conflict_items_segment(const unsigned char *p, size_t len);


int
conflict_items_pointer(conflict_items_path_t *path, const char *text,
    size_t len)
{
    size_t       i;
    const char  *star;

    star = NULL;

    for (i = 0; i + 1 < len; i++) {

        if (text[i] == '/' && text[i + 1] == '*'
            && (i + 2 == len || text[i + 2] == '/'))
        {
            if (star) {
                return -1;
            }

            star = &text[i];
        }
    }

    if (star == NULL || star + 2 == text + len) {
        return -1;
    }

    memset(&path->list, 0, sizeof(conflict_pointer_t));

    if (star > text
        && conflict_scan_pointer(&path->list, text, star - text) != 0)
    {
        return -1;
    }

    return conflict_scan_pointer(&path->member, star + 2,
                                 text + len - (star + 2));
}


conflict_json_rc_e
conflict_items_find(const conflict_items_path_t *path,
    const unsigned char *text, size_t len, size_t values, size_t max,
    uint64_t seed, conflict_item_t **items, size_t *n)
{
    conflict_item_t       *item;
    conflict_tree_t        tree;
    conflict_value_t       list, value, id;
    conflict_json_rc_e     rc;
    const conflict_node_t *node;

    *items = NULL;
    *n = 0;

    rc = conflict_tree_parse(&tree, text, len, &values, seed);
    if (rc != CONFLICT_JSON_OK) {
        conflict_tree_free(&tree);
        return rc;
    }

    list.tree = &tree;
    list.node = 0;
    list = conflict_items_walk(list, &path->list, path->list.levels);

    if (conflict_tree_type(list) != CONFLICT_JSON_ARRAY
        || tree.nodes[list.node].children == 0)
    {
        conflict_tree_free(&tree);
        return CONFLICT_JSON_OK;
    }

    if (tree.nodes[list.node].children > max) {
        conflict_tree_free(&tree);
        return CONFLICT_JSON_LARGE;
    }

    item = calloc(tree.nodes[list.node].children, sizeof(conflict_item_t));
    if (item == NULL) {
        conflict_tree_free(&tree);
        return CONFLICT_JSON_FAILED;
    }

    *items = item;

    for (value = conflict_tree_first(list);
         value.tree;
         value = conflict_tree_next(list, value))
    {
        id = conflict_items_walk(value, &path->id, path->id.levels);

        if (id.tree) {
            node = &tree.nodes[id.node];
            item->id = node->start;
            item->id_end = node->end;
        }

        conflict_items_place(item++, &path->member, value);
        (*n)++;
    }

    conflict_tree_free(&tree);

    return CONFLICT_JSON_OK;
}


/* the value at the first "levels" of a pointer; ->tree is NULL: none */

static conflict_value_t
conflict_items_walk(conflict_value_t value, const conflict_pointer_t *pointer,
    unsigned levels)
{
    unsigned          i;
    int32_t           n;
    conflict_value_t  parent;

    for (i = 0; i < levels && value.tree; i++) {
        parent = value;

        if (conflict_tree_type(parent) != CONFLICT_JSON_ARRAY) {
            value = conflict_tree_named(parent,
                                        &pointer->text[pointer->name[i]],
                                        pointer->len[i]);
            continue;
        }

        n = pointer->index[i];
        value.tree = NULL;

        if (n >= 0) {
            value = conflict_tree_first(parent);
        }

        while (value.tree && n-- > 0) {
            value = conflict_tree_next(parent, value);
        }
    }

    return value;
}


static void
conflict_items_place(conflict_item_t *item, const conflict_pointer_t *member,
    conflict_value_t value)
{
    conflict_value_t        parent;
    const conflict_node_t  *node;

    parent = conflict_items_walk(value, member, member->levels - 1);

    if (conflict_tree_type(parent) != CONFLICT_JSON_OBJECT) {
        return;
    }

    value = conflict_tree_named(parent,
                        &member->text[member->name[member->levels - 1]],
                        member->len[member->levels - 1]);

    if (value.tree) {
        node = &value.tree->nodes[value.node];
        item->from = node->start;
        item->to = node->end;
        return;
    }

    node = &parent.tree->nodes[parent.node];
    item->from = node->end - 1;
    item->to = item->from;
    item->first = (node->children == 0);
}


size_t
conflict_items_id(unsigned char *dst, const unsigned char *text,
    const conflict_item_t *item)
{
    size_t                len, n;
    unsigned char         rune[4];
    const unsigned char  *p, *last, *piece;

    if (item->id == item->id_end) {
        return 0;
    }

    p = text + item->id;
    last = text + item->id_end;

    if (*p != '"') {
        return conflict_items_integer(dst, p, last - p);
    }

    p++;
    last--;

    for (len = 0; /* void */ ; len += n) {
        n = conflict_text_next(&p, last, rune, &piece);

        if (n == 0) {
            break;
        }

        if (n > CONFLICT_ITEMS_ID - len) {
            return 0;
        }

        memcpy(&dst[len], piece, n);
    }

    return conflict_items_segment(dst, len) ? len : 0;
}


/* as clients write it: without a fraction or an exponent, and not "-0" */

static size_t
conflict_items_integer(unsigned char *dst, const unsigned char *p, size_t len)
{
    size_t  i;

    i = (*p == '-') ? 1 : 0;

    if (len > CONFLICT_ITEMS_ID || i == len || (i == 1 && p[1] == '0')) {
        return 0;
    }

    for ( /* void */ ; i < len; i++) {

        if (p[i] < '0' || p[i] > '9') {
            return 0;
        }
    }

    memcpy(dst, p, len);

    return len;
}


/* not empty, and nothing that nginx changes or refuses in a path */

static int
conflict_items_segment(const unsigned char *p, size_t len)
{
    size_t  i;

    if (len == 0 || (p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.')))) {
        return 0;
    }

    for (i = 0; i < len; i++) {

        if (p[i] < 0x20 || p[i] == 0x7f || p[i] == '/') {
            return 0;
        }
    }

    return conflict_text_repair(NULL, p, len) == len;
}
