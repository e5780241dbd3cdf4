
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Comparison of JSON values.  The depth of the recursion is limited by that of
 * a document, CONFLICT_JSON_DEPTH.
 */


#include <string.h>

#include "core/json/conflict_compare.h"
#include "core/json/conflict_number.h"
#include "core/text/conflict_hash.h"


static int conflict_compare_same(conflict_value_t a, conflict_value_t b);
static int conflict_compare_members(conflict_value_t a, conflict_value_t b);
static int conflict_compare_elements(conflict_value_t a, conflict_value_t b);
static int conflict_compare_removed(conflict_value_t latest,
    conflict_value_t write, conflict_value_t base);
static int conflict_compare_contains(conflict_value_t latest,
    conflict_value_t write, const conflict_pointer_t *base, unsigned level,
    conflict_form_e form, conflict_reflects_e how, unsigned *compared);
static int conflict_compare_has(conflict_value_t have, conflict_value_t want,
    conflict_form_e form, conflict_reflects_e how);


int
conflict_compare_equal(conflict_value_t a, conflict_value_t b)
{
    size_t                a_len, b_len;
    const unsigned char  *x, *y;

    if (a.tree == NULL || b.tree == NULL) {
        return a.tree == b.tree;
    }

    x = conflict_tree_text(a, &a_len);
    y = conflict_tree_text(b, &b_len);

    return (a_len == b_len && memcmp(x, y, a_len) == 0)
           || conflict_compare_same(a, b);
}


/* both values exist; each byte is read once at any depth */

static int
conflict_compare_same(conflict_value_t a, conflict_value_t b)
{
    size_t                 a_len, b_len;
    const unsigned char   *x, *y;
    conflict_json_type_e   type;

    type = conflict_tree_type(a);

    if (type != conflict_tree_type(b)) {
        return 0;
    }

    x = conflict_tree_text(a, &a_len);
    y = conflict_tree_text(b, &b_len);

    switch (type) {

    case CONFLICT_JSON_NUMBER:
        return (a_len == b_len && memcmp(x, y, a_len) == 0)
               || conflict_number_compare(x, a_len, y, b_len) == 0;

    case CONFLICT_JSON_STRING:
        return conflict_text_same(x + 1, a_len - 2, y + 1, b_len - 2);

    case CONFLICT_JSON_ARRAY:
        return conflict_compare_elements(a, b);

    case CONFLICT_JSON_OBJECT:
        return conflict_compare_members(a, b);

    default: /* null, true and false */
        return a_len == b_len && memcmp(x, y, a_len) == 0;
    }
}


static int
conflict_compare_members(conflict_value_t a, conflict_value_t b)
{
    conflict_value_t  x, y;

    if (a.tree->nodes[a.node].children != b.tree->nodes[b.node].children) {
        return 0;
    }

    for (x = conflict_tree_first(a); x.tree; x = conflict_tree_next(a, x)) {
        y = conflict_tree_member(b, x);

        if (y.tree == NULL || !conflict_compare_same(x, y)) {
            return 0;
        }
    }

    return 1;
}


static int
conflict_compare_elements(conflict_value_t a, conflict_value_t b)
{
    conflict_value_t  x, y;

    if (a.tree->nodes[a.node].children != b.tree->nodes[b.node].children) {
        return 0;
    }

    x = conflict_tree_first(a);
    y = conflict_tree_first(b);

    while (x.tree) {

        if (!conflict_compare_same(x, y)) {
            return 0;
        }

        x = conflict_tree_next(a, x);
        y = conflict_tree_next(b, y);
    }

    return 1;
}


uint64_t
conflict_compare_hash(conflict_value_t value)
{
    size_t                 len;
    uint64_t               hash;
    conflict_value_t       v;
    const unsigned char   *text;
    conflict_json_type_e   type;

    type = conflict_tree_type(value);
    text = conflict_tree_text(value, &len);
    hash = (uint64_t) type;

    switch (type) {

    case CONFLICT_JSON_NUMBER:
        return conflict_number_hash(text, len, value.tree->seed);

    case CONFLICT_JSON_STRING:
        return conflict_tree_hash(text + 1, len - 2, value.tree->seed);

    case CONFLICT_JSON_ARRAY:

        for (v = conflict_tree_first(value); v.tree;
             v = conflict_tree_next(value, v))
        {
            hash = conflict_hash_words(hash, conflict_compare_hash(v));
        }

        return hash;

    case CONFLICT_JSON_OBJECT:

        /* independent of the order */

        for (v = conflict_tree_first(value); v.tree;
             v = conflict_tree_next(value, v))
        {
            hash += conflict_hash_words(v.tree->nodes[v.node].hash,
                                        conflict_compare_hash(v));
        }

        return hash;

    default: /* null, true and false */
        return conflict_hash_64(text, len, value.tree->seed);
    }
}


int
conflict_compare_reflects(const conflict_document_t *latest,
    const conflict_document_t *write, const conflict_pointer_t *base,
    conflict_reflects_e how, size_t values, uint64_t seed)
{
    int               rc;
    unsigned          compared;
    conflict_tree_t   l, w;
    conflict_value_t  have, want;

    rc = 0;
    compared = 0;

    memset(&w, 0, sizeof(conflict_tree_t));

    if (conflict_tree_parse(&l, latest->data, latest->len, &values, seed)
        == CONFLICT_JSON_OK
        && conflict_tree_parse(&w, write->data, write->len, &values, seed)
           == CONFLICT_JSON_OK)
    {
        have.tree = &l;
        have.node = 0;
        want.tree = &w;
        want.node = 0;

        /* a write without members to compare proves nothing */

        rc = conflict_tree_type(have) == CONFLICT_JSON_OBJECT
             && conflict_tree_type(want) == CONFLICT_JSON_OBJECT
             && conflict_compare_contains(have, want, base, 0, write->form, how,
                                          &compared)
             && compared;
    }

    conflict_tree_free(&l);
    conflict_tree_free(&w);

    return rc;
}


int
conflict_compare_removal_missed(const conflict_document_t *latest,
    const conflict_document_t *write, const conflict_document_t *base,
    size_t values, uint64_t seed)
{
    int               rc;
    conflict_tree_t   l, w, b;
    conflict_value_t  have, want, was;

    rc = 1;

    memset(&w, 0, sizeof(conflict_tree_t));
    memset(&b, 0, sizeof(conflict_tree_t));

    if (conflict_tree_parse(&l, latest->data, latest->len, &values, seed)
        == CONFLICT_JSON_OK
        && conflict_tree_parse(&w, write->data, write->len, &values, seed)
           == CONFLICT_JSON_OK
        && conflict_tree_parse(&b, base->data, base->len, &values, seed)
           == CONFLICT_JSON_OK)
    {
        have.tree = &l;
        have.node = 0;
        want.tree = &w;
        want.node = 0;
        was.tree = &b;
        was.node = 0;

        rc = conflict_compare_removed(have, want, was);
    }

    conflict_tree_free(&l);
    conflict_tree_free(&w);
    conflict_tree_free(&b);

    return rc;
}


static int
conflict_compare_removed(conflict_value_t latest, conflict_value_t write,
    conflict_value_t base)
{
    conflict_value_t  have, want, was;

    for (was = conflict_tree_first(base); was.tree;
         was = conflict_tree_next(base, was))
    {
        want = conflict_tree_member(write, was);
        have = conflict_tree_member(latest, was);

        if (have.tree && want.tree == NULL) {
            return 1;
        }

        if (conflict_tree_type(was) == CONFLICT_JSON_OBJECT
            && conflict_tree_type(want) == CONFLICT_JSON_OBJECT
            && conflict_tree_type(have) == CONFLICT_JSON_OBJECT
            && conflict_compare_removed(have, want, was))
        {
            return 1;
        }
    }

    return 0;
}


/* "base" is NULL if its member cannot be in "write" */

static int
conflict_compare_contains(conflict_value_t latest, conflict_value_t write,
    const conflict_pointer_t *base, unsigned level, conflict_form_e form,
    conflict_reflects_e how, unsigned *compared)
{
    int               on_path;
    conflict_value_t  have, want;

    for (want = conflict_tree_first(write); want.tree;
         want = conflict_tree_next(write, want))
    {
        on_path = base && level < base->levels
                  && conflict_tree_is(want, &base->text[base->name[level]],
                                      base->len[level]);

        if (on_path && level + 1 == base->levels) {
            continue;
        }

        have = conflict_tree_member(latest, want);

        if (conflict_tree_type(want) == CONFLICT_JSON_OBJECT
            && conflict_tree_type(have) == CONFLICT_JSON_OBJECT
            && (form != CONFLICT_FORM_SHALLOW || on_path
                || how == CONFLICT_REFLECTS_NAMES))
        {
            *compared |= !on_path;

            if (!conflict_compare_contains(have, want, on_path ? base : NULL,
                                           level + 1, form, how,
                                           compared))
            {
                return 0;
            }

            continue;
        }

        *compared = 1;

        if (!conflict_compare_has(have, want, form, how)) {
            return 0;
        }
    }

    return 1;
}


static int
conflict_compare_has(conflict_value_t have, conflict_value_t want,
    conflict_form_e form, conflict_reflects_e how)
{
    if (conflict_tree_type(want) == CONFLICT_JSON_NULL
        && (how == CONFLICT_REFLECTS_NAMES || form == CONFLICT_FORM_WHOLE
            || form == CONFLICT_FORM_MERGE_PATCH))
    {
        return how == CONFLICT_REFLECTS_NAMES || have.tree == NULL
               || conflict_tree_type(have) == CONFLICT_JSON_NULL;
    }

    return have.tree
           && (how == CONFLICT_REFLECTS_NAMES
               || conflict_compare_equal(want, have));
}


int
conflict_compare_covered(conflict_value_t value, conflict_value_t shown)
{
    int                   array;
    conflict_value_t      v;
    conflict_json_type_e  type;

    type = conflict_tree_type(value);
    array = (type == CONFLICT_JSON_ARRAY);

    if (shown.tree == NULL) {
        return 0;
    }

    if (type != CONFLICT_JSON_OBJECT && !array) {
        return 1;
    }

    for (v = conflict_tree_first(value); v.tree;
         v = conflict_tree_next(value, v))
    {
        type = conflict_tree_type(v);

        if (array) {

            /* elements cannot be matched */

            if (type == CONFLICT_JSON_OBJECT || type == CONFLICT_JSON_ARRAY) {
                return 0;
            }

        } else if (!conflict_compare_covered(v,
                                             conflict_tree_member(shown, v)))
        {
            return 0;
        }
    }

    return 1;
}
