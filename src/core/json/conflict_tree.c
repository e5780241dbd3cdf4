
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The tree of a document, which is checked and built in one pass; iteration
 * over values, and lookup of members by name.
 */


#include <stdlib.h>
#include <string.h>

#include "core/json/conflict_tree.h"
#include "core/text/conflict_hash.h"


#define CONFLICT_TREE_BLOCK  256    /* bytes decoded at a time */


static conflict_json_rc_e conflict_tree_build(conflict_tree_t *tree,
    size_t max);
static const unsigned char *conflict_tree_name(conflict_tree_t *tree,
    conflict_node_t *node, const unsigned char *p, const unsigned char *last);
static const unsigned char *conflict_tree_space(const unsigned char *p,
    const unsigned char *last);
static unsigned char conflict_tree_closing(unsigned char opening);
static const unsigned char *conflict_tree_scalar(const unsigned char *p,
    const unsigned char *last);
static const unsigned char *conflict_tree_string(const unsigned char *p,
    const unsigned char *last);
static const unsigned char *conflict_tree_number(const unsigned char *p,
    const unsigned char *last);
static const unsigned char *conflict_tree_digits(const unsigned char *p,
    const unsigned char *last);
static conflict_node_t *conflict_tree_add(conflict_tree_t *tree);
static conflict_json_rc_e conflict_tree_index(conflict_tree_t *tree);
static int conflict_tree_insert(conflict_tree_t *tree, uint32_t object);
static int conflict_tree_repeated(conflict_tree_t *tree, uint32_t object);
static int conflict_tree_same(const conflict_tree_t *a, uint32_t i,
    const conflict_tree_t *b, uint32_t j);
static int conflict_tree_probe(conflict_value_t object, uint32_t hash,
    uint32_t *at, conflict_value_t *member);
static uint32_t conflict_tree_slots(uint32_t children);


conflict_json_rc_e
conflict_tree_parse(conflict_tree_t *tree, const unsigned char *text,
    size_t len, size_t *values, uint64_t seed)
{
    conflict_scan_t     json;
    conflict_json_rc_e  rc, error;

    memset(tree, 0, sizeof(conflict_tree_t));

    tree->text = text;
    tree->len = len;
    tree->seed = seed;

    if (len > UINT32_MAX - 1) {
        return CONFLICT_JSON_LARGE;
    }

    rc = conflict_tree_build(tree, *values);

    if (rc == CONFLICT_JSON_MALFORMED || rc == CONFLICT_JSON_LARGE) {

        /* the error is that of the scanner, which reads on */

        conflict_scan_init(&json, NULL);

        error = conflict_scan_feed(&json, text, len);

        if (error == CONFLICT_JSON_OK) {
            error = conflict_scan_end(&json);
        }

        if (error != CONFLICT_JSON_OK) {
            return error;
        }
    }

    if (rc == CONFLICT_JSON_OK) {
        *values -= tree->n;
        rc = conflict_tree_index(tree);
    }

    return rc;
}


void
conflict_tree_free(conflict_tree_t *tree)
{
    free(tree->nodes);
    free(tree->slots);

    tree->nodes = NULL;
    tree->slots = NULL;
}


/*
 * Accepts what conflict_scan.c does.  MALFORMED: any error; LARGE: there are
 * more than "max" values, and perhaps errors after them.
 */

static conflict_json_rc_e
conflict_tree_build(conflict_tree_t *tree, size_t max)
{
    uint32_t              depth, open[CONFLICT_JSON_DEPTH];
    conflict_node_t      *node;
    const unsigned char  *p, *text, *last;

    text = tree->text;
    last = text + tree->len;
    p = text + conflict_text_bom(text, tree->len);
    depth = 0;

    for ( ;; ) {

        if (tree->n == max) {
            return CONFLICT_JSON_LARGE;
        }

        node = conflict_tree_add(tree);
        if (node == NULL) {
            return CONFLICT_JSON_FAILED;
        }

        p = conflict_tree_space(p, last);

        if (depth && text[tree->nodes[open[depth - 1]].start] == '{') {
            p = conflict_tree_name(tree, node, p, last);
        }

        if (p == NULL || p == last) {
            return CONFLICT_JSON_MALFORMED;
        }

        node->start = (uint32_t) (p - text);

        if (*p == '{' || *p == '[') {

            if (depth == CONFLICT_JSON_DEPTH) {
                return CONFLICT_JSON_MALFORMED;
            }

            open[depth++] = tree->n - 1;
            p = conflict_tree_space(p + 1, last);

            if (p == last || *p != conflict_tree_closing(text[node->start])) {
                node->children = 1;
                continue;
            }

        } else {
            p = conflict_tree_scalar(p, last);

            if (p == NULL) {
                return CONFLICT_JSON_MALFORMED;
            }

            node->end = (uint32_t) (p - text);
            node->next = tree->n;
        }

        /* the value has ended, and perhaps its containers */

        for ( ;; ) {
            p = conflict_tree_space(p, last);

            if (depth == 0) {
                return (p == last) ? CONFLICT_JSON_OK : CONFLICT_JSON_MALFORMED;
            }

            node = &tree->nodes[open[depth - 1]];

            if (p < last && *p == ',') {
                node->children++;
                p++;
                break;
            }

            if (p == last || *p != conflict_tree_closing(text[node->start])) {
                return CONFLICT_JSON_MALFORMED;
            }

            p++;
            node->end = (uint32_t) (p - text);
            node->next = tree->n;
            depth--;
        }
    }
}


/* from a name to the value; NULL: there is none */

static const unsigned char *
conflict_tree_name(conflict_tree_t *tree, conflict_node_t *node,
    const unsigned char *p, const unsigned char *last)
{
    if (p == last || *p != '"') {
        return NULL;
    }

    node->name = (uint32_t) (p + 1 - tree->text);

    p = conflict_tree_string(p, last);

    if (p == NULL) {
        return NULL;
    }

    node->name_end = (uint32_t) (p - 1 - tree->text);
    node->hash = (uint32_t) conflict_tree_hash(tree->text + node->name,
                                               node->name_end - node->name,
                                               tree->seed);

    p = conflict_tree_space(p, last);

    return (p < last && *p == ':') ? conflict_tree_space(p + 1, last) : NULL;
}


static const unsigned char *
conflict_tree_space(const unsigned char *p, const unsigned char *last)
{
    while (p < last
           && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
    {
        p++;
    }

    return p;
}


/* of an object or array; the brackets are two apart in ASCII */

static unsigned char
conflict_tree_closing(unsigned char opening)
{
    return (unsigned char) (opening + 2);
}


/* to the first byte after the value; NULL: it is malformed */

static const unsigned char *
conflict_tree_scalar(const unsigned char *p, const unsigned char *last)
{
    switch (*p) {

    case '"':
        return conflict_tree_string(p, last);

    case 't':
        return (last - p >= 4 && memcmp(p, "true", 4) == 0) ? p + 4 : NULL;

    case 'f':
        return (last - p >= 5 && memcmp(p, "false", 5) == 0) ? p + 5 : NULL;

    case 'n':
        return (last - p >= 4 && memcmp(p, "null", 4) == 0) ? p + 4 : NULL;

    default:
        return conflict_tree_number(p, last);
    }
}


/* from the opening quote to the byte after the closing one */

static const unsigned char *
conflict_tree_string(const unsigned char *p, const unsigned char *last)
{
    size_t                n;
    conflict_text_tail_t  tail;

    p++;

    for ( ;; ) {
        p = conflict_text_plain(p, last);

        if (p == last) {
            return NULL;
        }

        if (*p == '"') {
            return p + 1;
        }

        if (*p == '\\') {
            n = conflict_text_escaped(p, last);

            if (n == 0) {
                return NULL;
            }

            p += n;
            continue;
        }

        do {
            n = conflict_text_rune(p, last, &tail);

            if (n == 0 || tail.left) {
                return NULL;
            }

            p += n;
        } while (p < last && *p >= 0x80);
    }
}


/* RFC 8259, section 6 */

static const unsigned char *
conflict_tree_number(const unsigned char *p, const unsigned char *last)
{
    if (*p == '-') {
        p++;
    }

    if (p < last && *p == '0') {
        p++;

    } else {
        p = conflict_tree_digits(p, last);
    }

    if (p && p < last && *p == '.') {
        p = conflict_tree_digits(p + 1, last);
    }

    if (p && p < last && (*p == 'e' || *p == 'E')) {
        p++;

        if (p < last && (*p == '+' || *p == '-')) {
            p++;
        }

        p = conflict_tree_digits(p, last);
    }

    return p;
}


/* NULL: there is none */

static const unsigned char *
conflict_tree_digits(const unsigned char *p, const unsigned char *last)
{
    const unsigned char  *first;

    for (first = p; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }

    return (p > first) ? p : NULL;
}


static conflict_node_t *
conflict_tree_add(conflict_tree_t *tree)
{
    uint32_t          size;
    conflict_node_t  *nodes;

    if (tree->n == tree->size) {
        size = tree->size ? tree->size * 2 : 64;

        nodes = realloc(tree->nodes, size * sizeof(conflict_node_t));
        if (nodes == NULL) {
            return NULL;
        }

        tree->nodes = nodes;
        tree->size = size;
    }

    memset(&tree->nodes[tree->n], 0, sizeof(conflict_node_t));

    return &tree->nodes[tree->n++];
}


/* indexes the members of each object by name; none may be repeated */

static conflict_json_rc_e
conflict_tree_index(conflict_tree_t *tree)
{
    size_t            used;
    uint32_t          i;
    conflict_node_t  *node;

    used = 0;

    for (i = 0; i < tree->n; i++) {
        node = &tree->nodes[i];

        if (tree->text[node->start] == '{') {
            node->slots = (uint32_t) used;
            used += conflict_tree_slots(node->children);
        }
    }

    if (used) {
        tree->slots = calloc(used, sizeof(conflict_slot_t));
        if (tree->slots == NULL) {
            return CONFLICT_JSON_FAILED;
        }
    }

    for (i = 0; i < tree->n; i++) {
        node = &tree->nodes[i];

        if (tree->text[node->start] == '{'
            && (node->children > CONFLICT_TREE_FEW
                ? conflict_tree_insert(tree, i)
                : conflict_tree_repeated(tree, i)))
        {
            return CONFLICT_JSON_REPEATED;
        }
    }

    return CONFLICT_JSON_OK;
}


/* 1 if a name is repeated */

static int
conflict_tree_insert(conflict_tree_t *tree, uint32_t object)
{
    uint32_t          i, j, k, mask, hash;
    conflict_node_t  *node;
    conflict_slot_t  *slots;

    node = &tree->nodes[object];
    slots = &tree->slots[node->slots];
    mask = conflict_tree_slots(node->children) - 1;

    for (j = object + 1, k = 0; k < node->children; k++) {
        hash = tree->nodes[j].hash;

        for (i = hash & mask; slots[i].node; i = (i + 1) & mask) {

            if (slots[i].hash == hash
                && conflict_tree_same(tree, slots[i].node, tree, j))
            {
                tree->repeated = tree->nodes[j].name;
                return 1;
            }
        }

        slots[i].hash = hash;
        slots[i].node = j;

        j = tree->nodes[j].next;
    }

    return 0;
}


/* the same for few members */

static int
conflict_tree_repeated(conflict_tree_t *tree, uint32_t object)
{
    uint32_t                i, j, last;
    const conflict_node_t  *nodes;

    nodes = tree->nodes;
    last = nodes[object].next;

    for (i = object + 1; i < last; i = nodes[i].next) {

        for (j = nodes[i].next; j < last; j = nodes[j].next) {

            if (nodes[i].hash == nodes[j].hash
                && conflict_tree_same(tree, i, tree, j))
            {
                tree->repeated = nodes[j].name;
                return 1;
            }
        }
    }

    return 0;
}


/* 1 if two members have the same name */

static int
conflict_tree_same(const conflict_tree_t *a, uint32_t i,
    const conflict_tree_t *b, uint32_t j)
{
    const conflict_node_t  *x, *y;

    x = &a->nodes[i];
    y = &b->nodes[j];

    return conflict_text_same(a->text + x->name, x->name_end - x->name,
                              b->text + y->name, y->name_end - y->name);
}


int
conflict_tree_is(conflict_value_t member, const unsigned char *name,
    size_t len)
{
    size_t                  n;
    unsigned char           rune[4];
    const conflict_node_t  *node;
    const unsigned char    *p, *last, *piece;

    node = &member.tree->nodes[member.node];
    p = member.tree->text + node->name;
    last = member.tree->text + node->name_end;

    while ((n = conflict_text_next(&p, last, rune, &piece)) > 0) {

        if (n > len || memcmp(piece, name, n) != 0) {
            return 0;
        }

        name += n;
        len -= n;
    }

    return len == 0;
}


conflict_json_type_e
conflict_tree_type(conflict_value_t value)
{
    if (value.tree == NULL) {
        return CONFLICT_JSON_NONE;
    }

    switch (value.tree->text[value.tree->nodes[value.node].start]) {

    case '{':
        return CONFLICT_JSON_OBJECT;

    case '[':
        return CONFLICT_JSON_ARRAY;

    case '"':
        return CONFLICT_JSON_STRING;

    case 't':
    case 'f':
        return CONFLICT_JSON_BOOLEAN;

    case 'n':
        return CONFLICT_JSON_NULL;

    default:
        return CONFLICT_JSON_NUMBER;
    }
}


conflict_value_t
conflict_tree_first(conflict_value_t parent)
{
    conflict_value_t  value;

    value.tree = NULL;
    value.node = 0;

    if (parent.tree && parent.tree->nodes[parent.node].children) {
        value.tree = parent.tree;
        value.node = parent.node + 1;
    }

    return value;
}


conflict_value_t
conflict_tree_next(conflict_value_t parent, conflict_value_t value)
{
    value.node = value.tree->nodes[value.node].next;

    if (value.node >= parent.tree->nodes[parent.node].next) {
        value.tree = NULL;
        value.node = 0;
    }

    return value;
}


conflict_value_t
conflict_tree_member(conflict_value_t object, conflict_value_t named)
{
    uint32_t          at, hash;
    conflict_value_t  value;

    at = 0;
    hash = named.tree->nodes[named.node].hash;

    while (conflict_tree_probe(object, hash, &at, &value)) {

        if (conflict_tree_same(value.tree, value.node, named.tree, named.node))
        {
            break;
        }
    }

    return value;
}


conflict_value_t
conflict_tree_named(conflict_value_t object, const unsigned char *name,
    size_t len)
{
    uint32_t          at, hash;
    conflict_value_t  value;

    value.tree = NULL;
    value.node = 0;

    if (conflict_tree_type(object) != CONFLICT_JSON_OBJECT) {
        return value;
    }

    at = 0;
    hash = (uint32_t) conflict_hash_64(name, len, object.tree->seed);

    while (conflict_tree_probe(object, hash, &at, &value)) {

        if (conflict_tree_is(value, name, len)) {
            break;
        }
    }

    return value;
}


/*
 * The next member whose name has the hash; *at is 0 initially.  0: there is
 * none, and "member" is no value.
 */

static int
conflict_tree_probe(conflict_value_t object, uint32_t hash, uint32_t *at,
    conflict_value_t *member)
{
    uint32_t                i, mask;
    conflict_slot_t        *slots;
    const conflict_node_t  *node;
    const conflict_tree_t  *tree;

    member->tree = NULL;
    member->node = 0;

    if (conflict_tree_type(object) != CONFLICT_JSON_OBJECT) {
        return 0;
    }

    tree = object.tree;
    node = &tree->nodes[object.node];

    if (node->children <= CONFLICT_TREE_FEW) {

        for (i = *at ? *at : object.node + 1; i < node->next;
             i = tree->nodes[i].next)
        {
            if (tree->nodes[i].hash == hash) {
                *at = tree->nodes[i].next;
                member->tree = tree;
                member->node = i;

                return 1;
            }
        }

        return 0;
    }

    slots = &tree->slots[node->slots];
    mask = conflict_tree_slots(node->children) - 1;

    for (i = *at; slots[(hash + i) & mask].node; i++) {

        if (slots[(hash + i) & mask].hash == hash) {
            *at = i + 1;
            member->tree = tree;
            member->node = slots[(hash + i) & mask].node;

            return 1;
        }
    }

    return 0;
}


/* the slots of an object with so many members: a power of two, or 0 */

static uint32_t
conflict_tree_slots(uint32_t children)
{
    uint32_t  size;

    if (children <= CONFLICT_TREE_FEW) {
        return 0;
    }

    for (size = 4 * CONFLICT_TREE_FEW; size < 2 * children; size *= 2) {
        /* void */
    }

    return size;
}


uint64_t
conflict_tree_hash(const unsigned char *text, size_t len, uint64_t seed)
{
    size_t                n;
    unsigned char         block[CONFLICT_TREE_BLOCK];
    conflict_hash_t       hash;
    const unsigned char  *p, *last;

    if (len == 0 || memchr(text, '\\', len) == NULL) {
        return conflict_hash_64(text, len, seed);
    }

    p = text;
    last = text + len;
    n = conflict_text_decode(block, sizeof(block), &p, last);

    if (p == last) {
        return conflict_hash_64(block, n, seed);
    }

    conflict_hash_init(&hash, seed);

    while (n) {
        conflict_hash_update(&hash, block, n);
        n = conflict_text_decode(block, sizeof(block), &p, last);
    }

    return conflict_hash_final(&hash);
}


const unsigned char *
conflict_tree_text(conflict_value_t value, size_t *len)
{
    const conflict_node_t  *node;

    node = &value.tree->nodes[value.node];
    *len = node->end - node->start;

    return value.tree->text + node->start;
}
