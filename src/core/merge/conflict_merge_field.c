
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Chooses the side of a field: the one that has changed it, or, if both have,
 * the one that its rule says.
 */


#include "core/merge/conflict_merge_state.h"


static void conflict_merge_field_nested(conflict_walk_t *walk,
    conflict_edit_t *edit, conflict_trio_t *trio, conflict_scope_t *scope);
static int conflict_merge_field_by_path(const conflict_walk_t *walk,
    const conflict_trio_t *trio, conflict_rule_e rule);
static int conflict_merge_field_by_member(conflict_walk_t *walk,
    const conflict_trio_t *trio, const conflict_scope_t *scope);
static conflict_take_e conflict_merge_field_decide(conflict_walk_t *walk,
    const conflict_field_t *field, const conflict_trio_t *trio,
    conflict_buffer_t *made);
static int conflict_merge_field_unchanged(const conflict_walk_t *walk,
    conflict_value_t base, conflict_value_t client);
static conflict_take_e conflict_merge_field_rule(conflict_walk_t *walk,
    const conflict_field_t *field, const conflict_trio_t *trio,
    conflict_buffer_t *made);
static void conflict_merge_field_owned(conflict_walk_t *walk,
    conflict_value_t server, const conflict_scope_t *scope,
    conflict_buffer_t *out);


conflict_take_e
conflict_merge_field(conflict_walk_t *walk, conflict_edit_t *edit,
    const conflict_field_t *field, conflict_trio_t *trio,
    conflict_scope_t *scope, conflict_buffer_t *made)
{
    conflict_rule_e  rule;
    conflict_take_e  take;

    field = field ? field : scope->outer;
    rule = field ? field->rule : CONFLICT_RULE_AUTO;

    if (rule == CONFLICT_RULE_AUTO
        && conflict_merge_field_by_member(walk, trio, scope))
    {
        if (walk->in->stale || scope->n) {
            conflict_merge_field_nested(walk, edit, trio, scope);
        }

        return CONFLICT_TAKE_CLIENT;
    }

    if (conflict_merge_field_by_path(walk, trio, rule)) {

        if (walk->in->stale || rule == CONFLICT_RULE_SERVER) {
            scope->outer = field;
            conflict_merge_field_nested(walk, edit, trio, scope);
        }

        return CONFLICT_TAKE_CLIENT;
    }

    if (walk->in->edited && trio->base_known
        && conflict_compare_equal(trio->base, trio->client))
    {
        /* the client has not sent it: no clash, nothing to report */
        return CONFLICT_TAKE_SERVER;
    }

    if (conflict_merge_removes(walk)
        && conflict_tree_type(trio->client) == CONFLICT_JSON_NULL)
    {
        trio->client.tree = NULL;
    }

    take = conflict_merge_field_decide(walk, field, trio, made);

    if (take == CONFLICT_TAKE_CLIENT && scope->n
        && rule == CONFLICT_RULE_AUTO
        && conflict_tree_type(trio->client) == CONFLICT_JSON_OBJECT)
    {
        /* the server has no object: its own fields are removed from this */

        conflict_merge_field_nested(walk, edit, trio, scope);
        return CONFLICT_TAKE_CLIENT;
    }

    if (take == CONFLICT_TAKE_CLIENT && scope->n) {

        /* it replaces or removes an object with fields that the server owns */

        conflict_merge_field_owned(walk, trio->server, scope, made);

        if (made->len) {
            rule = CONFLICT_RULE_SERVER;
            take = (trio->client.tree || walk->patch)
                   ? CONFLICT_TAKE_CLASH : CONFLICT_TAKE_MADE;
        }
    }

    if (take == CONFLICT_TAKE_CLASH && walk->in->yields) {
        made->len = 0;
        take = CONFLICT_TAKE_SERVER;
    }

    if (take == CONFLICT_TAKE_CLASH) {
        conflict_merge_report_clash(walk, rule, trio);

    } else if (take != CONFLICT_TAKE_CLIENT && !walk->clashed) {
        conflict_merge_report_add_field(walk, trio);
    }

    return take;
}


static void
conflict_merge_field_nested(conflict_walk_t *walk, conflict_edit_t *edit,
    conflict_trio_t *trio, conflict_scope_t *scope)
{
    unsigned  patch, part;

    patch = walk->patch;
    part = walk->part;

    /* an array has elements, not members */

    if (conflict_tree_type(trio->server) != CONFLICT_JSON_OBJECT) {
        trio->server.tree = NULL;
    }

    if (conflict_tree_type(trio->base) != CONFLICT_JSON_OBJECT) {
        trio->base.tree = NULL;
    }

    if (walk->in->client.form == CONFLICT_FORM_SHALLOW) {
        walk->patch = 0;
    }

    if (walk->in->base.form == CONFLICT_FORM_SHALLOW) {
        walk->part = 0;
    }

    conflict_merge_members(walk, edit, trio, scope);

    walk->patch = patch;
    walk->part = part;
}


/*
 * A deep change consists of paths into an object: a rule for the object applies
 * to each of them.
 */

static int
conflict_merge_field_by_path(const conflict_walk_t *walk,
    const conflict_trio_t *trio, conflict_rule_e rule)
{
    return walk->patch && walk->in->client.form != CONFLICT_FORM_SHALLOW
           && (rule == CONFLICT_RULE_LWW || rule == CONFLICT_RULE_SERVER
               || rule == CONFLICT_RULE_REJECT)
           && conflict_tree_type(trio->client) == CONFLICT_JSON_OBJECT
           && conflict_tree_type(trio->server) == CONFLICT_JSON_OBJECT;
}


/*
 * Is it merged member by member: this holds for two objects, and for one that
 * only the client has, if the rules inside it need no other.
 */

static int
conflict_merge_field_by_member(conflict_walk_t *walk,
    const conflict_trio_t *trio, const conflict_scope_t *scope)
{
    if (conflict_tree_type(trio->client) != CONFLICT_JSON_OBJECT) {
        return 0;
    }

    if (conflict_tree_type(trio->server) == CONFLICT_JSON_OBJECT) {
        return 1;
    }

    return scope->n
           && (!walk->in->stale
               || (trio->server.tree == NULL && !trio->base_known));
}


static conflict_take_e
conflict_merge_field_decide(conflict_walk_t *walk,
    const conflict_field_t *field, const conflict_trio_t *trio,
    conflict_buffer_t *made)
{
    conflict_rule_e  rule;

    rule = field ? field->rule : CONFLICT_RULE_AUTO;

    if (!walk->in->stale && rule != CONFLICT_RULE_SERVER) {
        return CONFLICT_TAKE_CLIENT;
    }

    if (rule == CONFLICT_RULE_SUM && trio->server.tree && trio->client.tree) {
        /* equal sums are two changes, not one */
        return conflict_merge_rules_sum(trio, made);
    }

    if (conflict_compare_equal(trio->server, trio->client)) {
        return CONFLICT_TAKE_CLIENT;
    }

    if (rule == CONFLICT_RULE_SERVER) {
        return CONFLICT_TAKE_SERVER;
    }

    if (rule == CONFLICT_RULE_REJECT) {
        return CONFLICT_TAKE_CLASH;
    }

    if (trio->base_known) {

        if (conflict_compare_equal(trio->base, trio->server)) {
            return CONFLICT_TAKE_CLIENT;
        }

        if (conflict_merge_field_unchanged(walk, trio->base, trio->client)) {
            return CONFLICT_TAKE_SERVER;
        }
    }

    return conflict_merge_field_rule(walk, field, trio, made);
}


/* is the client's value that of the base; of a deep change, on its paths */

static int
conflict_merge_field_unchanged(const conflict_walk_t *walk,
    conflict_value_t base, conflict_value_t client)
{
    conflict_value_t  v, was;

    if (!walk->patch || walk->in->client.form == CONFLICT_FORM_SHALLOW
        || conflict_tree_type(client) != CONFLICT_JSON_OBJECT
        || conflict_tree_type(base) != CONFLICT_JSON_OBJECT)
    {
        return conflict_compare_equal(base, client);
    }

    for (v = conflict_tree_first(client); v.tree;
         v = conflict_tree_next(client, v))
    {
        was = conflict_tree_member(base, v);

        if (conflict_merge_removes(walk)
            && conflict_tree_type(v) == CONFLICT_JSON_NULL)
        {
            if (was.tree) {
                return 0;
            }

            continue;
        }

        if (!conflict_merge_field_unchanged(walk, was, v)) {
            return 0;
        }
    }

    return 1;
}


/* both sides have changed it, or it is unknown which one has */

static conflict_take_e
conflict_merge_field_rule(conflict_walk_t *walk, const conflict_field_t *field,
    const conflict_trio_t *trio, conflict_buffer_t *made)
{
    conflict_rule_e  rule;

    rule = field ? field->rule : CONFLICT_RULE_AUTO;

    if (walk->patch && trio->client.tree == NULL && rule != CONFLICT_RULE_LWW)
    {
        /* its null removes the member: there are no two values to combine */
        return CONFLICT_TAKE_CLASH;
    }

    switch (rule) {

    case CONFLICT_RULE_LWW:

        if (!trio->base_known && !walk->patch && trio->client.tree == NULL) {
            /* the client may not have known the member */
            return CONFLICT_TAKE_SERVER;
        }

        if (!walk->clashed) {
            conflict_merge_report_add_field(walk, trio);
        }

        return CONFLICT_TAKE_CLIENT;

    case CONFLICT_RULE_UNION:
        return conflict_merge_rules_union(walk, field, trio, made);

    case CONFLICT_RULE_MAX:
        return conflict_merge_rules_extreme(trio, 1);

    case CONFLICT_RULE_MIN:
        return conflict_merge_rules_extreme(trio, 0);

    case CONFLICT_RULE_TEXT:
        return (trio->base_known && !walk->in->retried)
               ? conflict_lines_merge(walk, trio, made) : CONFLICT_TAKE_CLASH;

    case CONFLICT_RULE_LIST:
        return (trio->base_known && !walk->in->retried)
               ? conflict_merge_list(walk, trio, made) : CONFLICT_TAKE_CLASH;

    default: /* auto, reject, sum */
        return CONFLICT_TAKE_CLASH;
    }
}


/* the fields that the server owns in an object that the client lacks */

static void
conflict_merge_field_owned(conflict_walk_t *walk, conflict_value_t server,
    const conflict_scope_t *scope, conflict_buffer_t *out)
{
    size_t                   len, size, value;
    uint16_t                 rules[CONFLICT_MERGE_RULES];
    conflict_value_t         v;
    conflict_scope_t         inner;
    const conflict_node_t   *node;
    const conflict_field_t  *field;

    if (conflict_tree_type(server) != CONFLICT_JSON_OBJECT) {
        return;
    }

    size = out->len;
    inner.rules = rules;

    for (v = conflict_tree_first(server); v.tree;
         v = conflict_tree_next(server, v))
    {
        node = &v.tree->nodes[v.node];
        field = conflict_merge_scope(walk, scope, v, &inner);

        if (!(field && field->rule == CONFLICT_RULE_SERVER) && inner.n == 0) {
            continue;
        }

        len = out->len;

        conflict_buffer_text(out, (len > size) ? ",\"" : "{\"");
        conflict_buffer_add(out, v.tree->text + node->name,
                            node->name_end - node->name);
        conflict_buffer_text(out, "\":");

        if (field && field->rule == CONFLICT_RULE_SERVER) {
            conflict_buffer_add(out, v.tree->text + node->start,
                                node->end - node->start);

        } else {
            value = out->len;
            conflict_merge_field_owned(walk, v, &inner, out);

            if (value == out->len) {
                /* nothing owned inside */
                out->len = len;
            }
        }
    }

    if (out->len > size) {
        conflict_buffer_text(out, "}");
    }
}
