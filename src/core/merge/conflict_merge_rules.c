
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Rules that combine two values: numbers, sets, and arrays of objects by key.
 */


#include <stdio.h>
#include <string.h>

#include "core/merge/conflict_merge_state.h"
#include "core/merge/conflict_set.h"
#include "core/json/conflict_number.h"


/* an array that is written */

typedef struct {
    conflict_buffer_t             *out;
    size_t                         n;
    unsigned                       changed;  /* from the server's */
} conflict_array_t;


static int conflict_merge_rules_is_array(conflict_value_t value);
static void conflict_merge_rules_sets(conflict_set_t *set, unsigned base_known,
    conflict_array_t *array);
static void conflict_merge_rules_maps(conflict_walk_t *walk,
    const conflict_set_t *map, unsigned base_known, conflict_array_t *array);
static size_t conflict_merge_rules_size(conflict_value_t array);
static void conflict_merge_rules_element(conflict_walk_t *walk,
    conflict_trio_t *trio, const conflict_set_t *map, conflict_array_t *array);
static void conflict_merge_rules_push(conflict_array_t *array,
    conflict_value_t value);
static void conflict_merge_rules_begin(conflict_array_t *array);


conflict_take_e
conflict_merge_rules_extreme(const conflict_trio_t *trio, int max)
{
    int                   rc;
    size_t                s_len, c_len;
    const unsigned char  *s, *c;

    if (trio->server.tree == NULL) {
        return CONFLICT_TAKE_CLIENT;
    }

    if (trio->client.tree == NULL) {
        return CONFLICT_TAKE_SERVER;
    }

    if (conflict_tree_type(trio->server) != CONFLICT_JSON_NUMBER
        || conflict_tree_type(trio->client) != CONFLICT_JSON_NUMBER)
    {
        return CONFLICT_TAKE_CLASH;
    }

    s = conflict_tree_text(trio->server, &s_len);
    c = conflict_tree_text(trio->client, &c_len);

    rc = conflict_number_compare(c, c_len, s, s_len);

    return (max ? rc > 0 : rc < 0) ? CONFLICT_TAKE_CLIENT
                                   : CONFLICT_TAKE_SERVER;
}


/* server + (client - base), unless it overflows */

conflict_take_e
conflict_merge_rules_sum(const conflict_trio_t *trio, conflict_buffer_t *made)
{
    char                   text[sizeof("-9223372036854775808")];
    size_t                 i, len;
    int64_t                n[3], change;
    conflict_value_t       value;
    const unsigned char   *p;

    if (!trio->base_known) {
        return CONFLICT_TAKE_CLASH;
    }

    n[0] = 0;

    for (i = 0; i < 3; i++) {
        value = (i == 0) ? trio->base : (i == 1) ? trio->server : trio->client;

        if (value.tree == NULL) {
            /* an absent counter is 0 */
            continue;
        }

        p = conflict_tree_text(value, &len);

        if (conflict_tree_type(value) != CONFLICT_JSON_NUMBER
            || conflict_number_integer(&n[i], p, len) != 0)
        {
            return conflict_compare_equal(trio->base, trio->server)
                   ? CONFLICT_TAKE_CLIENT
                   : conflict_compare_equal(trio->base, trio->client)
                     ? CONFLICT_TAKE_SERVER : CONFLICT_TAKE_CLASH;
        }
    }

    if (n[0] < 0 ? n[2] > INT64_MAX + n[0] : n[2] < INT64_MIN + n[0]) {
        return CONFLICT_TAKE_CLASH;
    }

    change = n[2] - n[0];

    if (change < 0 ? n[1] < INT64_MIN - change : n[1] > INT64_MAX - change) {
        return CONFLICT_TAKE_CLASH;
    }

    if (change == 0 && trio->base.tree) {
        return (n[1] == n[2]) ? CONFLICT_TAKE_CLIENT : CONFLICT_TAKE_SERVER;
    }

    if (n[1] + change == n[2]) {
        return CONFLICT_TAKE_CLIENT;
    }

    (void) snprintf(text, sizeof(text), "%lld", (long long) (n[1] + change));
    conflict_buffer_text(made, text);

    return CONFLICT_TAKE_MADE;
}


/*
 * (server - (base - client)), then (client - base), each element once.
 */

conflict_take_e
conflict_merge_rules_union(conflict_walk_t *walk, const conflict_field_t *field,
    const conflict_trio_t *trio, conflict_buffer_t *made)
{
    int                ok;
    conflict_set_t     set;
    conflict_array_t   array;

    if (!conflict_merge_rules_is_array(trio->server)
        || !conflict_merge_rules_is_array(trio->client)
        || !conflict_merge_rules_is_array(trio->base))
    {
        return CONFLICT_TAKE_CLASH;
    }

    memset(&array, 0, sizeof(conflict_array_t));

    array.out = made;
    conflict_buffer_text(made, "[");

    ok = (conflict_set_init(&set, trio, field->key, field->key_len) == 0);

    if (!ok) {
        made->failed = 1;

    } else {
        ok = (conflict_set_fill(&set) == 0);
    }

    if (ok && field->key_len) {
        conflict_merge_rules_maps(walk, &set, trio->base_known, &array);

    } else if (ok) {
        conflict_merge_rules_sets(&set, trio->base_known, &array);
    }

    conflict_buffer_text(made, "]");
    conflict_set_free(&set);

    if (made->failed
        || (ok && (array.changed || trio->server.tree == NULL)))
    {
        return CONFLICT_TAKE_MADE;
    }

    made->len = 0;

    return ok ? CONFLICT_TAKE_SERVER : CONFLICT_TAKE_CLASH;
}


/* an absent array is an empty one */

static int
conflict_merge_rules_is_array(conflict_value_t value)
{
    return value.tree == NULL
           || conflict_tree_type(value) == CONFLICT_JSON_ARRAY;
}


static void
conflict_merge_rules_sets(conflict_set_t *set, unsigned base_known,
    conflict_array_t *array)
{
    size_t               n;
    conflict_value_t     parent, v;
    conflict_element_t  *element;

    n = 0;
    parent = set->arrays[CONFLICT_SET_SERVER];

    for (v = conflict_tree_first(parent); v.tree;
         v = conflict_tree_next(parent, v))
    {
        element = &set->elements[set->order[CONFLICT_SET_SERVER][n++]];

        if (element->taken
            || (base_known && element->node[CONFLICT_SET_BASE]
                && element->node[CONFLICT_SET_CLIENT] == 0))
        {
            /* a duplicate, or the client has removed it */
            array->changed = 1;
            continue;
        }

        element->taken = 1;
        conflict_merge_rules_push(array, v);
    }

    n = 0;
    parent = set->arrays[CONFLICT_SET_CLIENT];

    for (v = conflict_tree_first(parent); v.tree;
         v = conflict_tree_next(parent, v))
    {
        element = &set->elements[set->order[CONFLICT_SET_CLIENT][n++]];

        if (!element->taken
            && !(base_known && element->node[CONFLICT_SET_BASE]))
        {
            element->taken = 1;
            array->changed = 1;
            conflict_merge_rules_push(array, v);
        }
    }
}


static void
conflict_merge_rules_maps(conflict_walk_t *walk, const conflict_set_t *map,
    unsigned base_known, conflict_array_t *array)
{
    size_t               i, n;
    conflict_trio_t      trio;
    conflict_element_t  *element;

    trio.base_known = base_known;
    n = conflict_merge_rules_size(map->arrays[CONFLICT_SET_SERVER]);

    for (i = 0; i < n; i++) {
        element = &map->elements[map->order[CONFLICT_SET_SERVER][i]];
        conflict_set_trio(map, element, &trio);
        conflict_merge_rules_element(walk, &trio, map, array);
    }

    n = conflict_merge_rules_size(map->arrays[CONFLICT_SET_CLIENT]);

    for (i = 0; i < n; i++) {
        element = &map->elements[map->order[CONFLICT_SET_CLIENT][i]];
        conflict_set_trio(map, element, &trio);

        if (trio.server.tree == NULL) {
            conflict_merge_rules_element(walk, &trio, map, array);
        }
    }
}


static size_t
conflict_merge_rules_size(conflict_value_t array)
{
    return array.tree ? array.tree->nodes[array.node].children : 0;
}


/* the elements of a key, on one side or both */

static void
conflict_merge_rules_element(conflict_walk_t *walk, conflict_trio_t *trio,
    const conflict_set_t *map, conflict_array_t *array)
{
    size_t                path, len;
    conflict_value_t      key;
    const unsigned char  *text;

    if (conflict_compare_equal(trio->server, trio->client)
        || (trio->client.tree && trio->server.tree
            && conflict_compare_equal(trio->base, trio->client))
        || (trio->client.tree == NULL && trio->base.tree == NULL))
    {
        /* unchanged, or changed or added by the server alone */
        conflict_merge_rules_push(array, trio->server);
        return;
    }

    array->changed = 1;

    if (trio->server.tree == NULL && trio->base.tree == NULL) {
        conflict_merge_rules_push(array, trio->client);
        return;
    }

    if (conflict_compare_equal(trio->base, trio->server)) {

        if (trio->client.tree) {
            conflict_merge_rules_push(array, trio->client);
        }

        return;
    }

    if (trio->server.tree == NULL
        && conflict_compare_equal(trio->base, trio->client))
    {
        return;
    }

    /* both sides have changed it: merged by member, if both still have it */

    path = walk->path.len;
    key = conflict_set_key(map, trio->server.tree ? trio->server
                                                  : trio->client);
    text = conflict_tree_text(key, &len);

    if (conflict_tree_type(key) == CONFLICT_JSON_STRING) {
        text++;
        len -= 2;
    }

    conflict_merge_report_enter(walk, text, len);

    if (trio->server.tree && trio->client.tree) {
        conflict_merge_rules_begin(array);
        conflict_merge_rules_object(walk, trio, array->out);

    } else if (walk->in->yields) {

        if (trio->server.tree) {
            conflict_merge_rules_push(array, trio->server);
        }

    } else {
        conflict_merge_report_clash(walk, CONFLICT_RULE_UNION, trio);
    }

    walk->path.len = path;
}


void
conflict_merge_rules_object(conflict_walk_t *walk, const conflict_trio_t *trio,
    conflict_buffer_t *out)
{
    unsigned                patch, part;
    conflict_edit_t         edit;
    conflict_trio_t         object;
    conflict_scope_t        scope;
    const conflict_node_t  *node;

    memset(&scope, 0, sizeof(conflict_scope_t));

    object = *trio;
    node = &trio->client.tree->nodes[trio->client.node];

    edit.tree = trio->client.tree;
    edit.out = out;
    edit.copied = node->start;
    edit.reserve = 0;

    /* an array is always whole (RFC 7396) */

    patch = walk->patch;
    part = walk->part;
    walk->patch = 0;
    walk->part = 0;

    conflict_merge_members(walk, &edit, &object, &scope);
    conflict_merge_replace(&edit, node->end, node->end, "", 0);

    walk->patch = patch;
    walk->part = part;
}


static void
conflict_merge_rules_push(conflict_array_t *array, conflict_value_t value)
{
    size_t                len;
    const unsigned char  *text;

    text = conflict_tree_text(value, &len);

    conflict_merge_rules_begin(array);
    conflict_buffer_add(array->out, text, len);
}


static void
conflict_merge_rules_begin(conflict_array_t *array)
{
    if (array->n++) {
        conflict_buffer_text(array->out, ",");
    }
}
