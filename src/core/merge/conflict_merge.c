
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Walks the three documents.  The client's is copied and changed only where
 * the server's has changed, so unchanged members keep their bytes.
 */


#include <stdlib.h>
#include <string.h>

#include "core/merge/conflict_merge_state.h"
#include "core/text/conflict_hash.h"


/* limit for all lists of a merge: 4 million take about 15 ms */
#define CONFLICT_MERGE_STEPS  4000000

/* bytes by which a merged document is usually longer than the client's */
#define CONFLICT_MERGE_SPARE  1024


static void conflict_merge_start(conflict_walk_t *walk,
    const conflict_merge_t *in, conflict_merged_t *result);
static conflict_merge_rc_e conflict_merge_parse(conflict_walk_t *walk,
    const conflict_document_t *doc, conflict_tree_t *tree);
static conflict_merge_rc_e conflict_merge_trees(conflict_walk_t *walk,
    const conflict_trio_t *trio);
static size_t conflict_merge_member(conflict_walk_t *walk,
    conflict_edit_t *edit, const conflict_trio_t *parents,
    conflict_value_t client, const conflict_scope_t *scope, size_t before);
static void conflict_merge_base(conflict_walk_t *walk,
    const conflict_trio_t *parents, conflict_value_t named,
    conflict_trio_t *trio);
static size_t conflict_merge_append(conflict_walk_t *walk,
    conflict_edit_t *edit, const conflict_trio_t *parents,
    conflict_value_t server, const conflict_scope_t *scope, size_t before,
    size_t at);


conflict_merge_rc_e
conflict_merge(const conflict_merge_t *in, conflict_merged_t *result)
{
    conflict_tree_t      base, server, client;
    conflict_walk_t      walk;
    conflict_trio_t      trio;
    conflict_merge_rc_e  rc;

    memset(result, 0, sizeof(conflict_merged_t));
    memset(&trio, 0, sizeof(conflict_trio_t));
    memset(&client, 0, sizeof(conflict_tree_t));
    memset(&server, 0, sizeof(conflict_tree_t));
    memset(&base, 0, sizeof(conflict_tree_t));

    conflict_merge_start(&walk, in, result);

    trio.client.tree = &client;
    trio.server.tree = in->server.data ? &server : NULL;

    rc = conflict_merge_parse(&walk, &in->client, &client);

    if (rc == CONFLICT_MERGE_SAME
        && in->client.form != CONFLICT_FORM_MERGE_PATCH
        && conflict_tree_type(trio.client) != CONFLICT_JSON_OBJECT)
    {
        /* it has no members: it replaces the document */
        walk.patch = 0;
    }

    if (rc == CONFLICT_MERGE_MANY) {
        rc = CONFLICT_MERGE_LARGE;
    }

    result->repeated = client.repeated;

    if (rc == CONFLICT_MERGE_SAME && in->server.data) {
        rc = conflict_merge_parse(&walk, &in->server, &server);

        if (rc == CONFLICT_MERGE_REPEATED) {
            rc = CONFLICT_MERGE_UNFIT;
        }
    }

    if (rc == CONFLICT_MERGE_SAME
        && conflict_merge_alike(in, trio.client, trio.server))
    {
        rc = CONFLICT_MERGE_ALIKE;
    }

    if (!in->stale) {
        trio.base = trio.server;
        trio.base_known = 1;

    } else if (rc == CONFLICT_MERGE_SAME && in->base.data) {
        rc = conflict_merge_parse(&walk, &in->base, &base);

        if (rc == CONFLICT_MERGE_SAME) {
            trio.base.tree = &base;
            trio.base_known = 1;
            walk.part = (in->base.form != CONFLICT_FORM_WHOLE);

        } else if (rc == CONFLICT_MERGE_REPEATED || rc == CONFLICT_MERGE_UNFIT)
        {
            /* an unusable base is no base */
            rc = CONFLICT_MERGE_SAME;
        }
    }

    result->base_known = trio.base_known;

    if (rc == CONFLICT_MERGE_SAME && server.n) {
        walk.matched = calloc(server.n, 1);
        if (walk.matched == NULL) {
            rc = CONFLICT_MERGE_FAILED;
        }
    }

    if (rc == CONFLICT_MERGE_SAME) {
        rc = conflict_merge_trees(&walk, &trio);
    }

    free(walk.matched);
    conflict_tree_free(&client);
    conflict_tree_free(&server);
    conflict_tree_free(&base);
    conflict_buffer_free(&walk.path);

    return rc;
}


static void
conflict_merge_start(conflict_walk_t *walk, const conflict_merge_t *in,
    conflict_merged_t *result)
{
    size_t                     i, level;
    const conflict_pointer_t  *pointer;

    walk->in = in;
    walk->result = result;
    walk->patch = (in->client.form != CONFLICT_FORM_WHOLE);
    walk->part = 0;
    walk->clashed = 0;
    walk->values_left = in->values;
    walk->steps = CONFLICT_MERGE_STEPS;
    walk->matched = NULL;

    memset(&walk->path, 0, sizeof(conflict_buffer_t));

    for (i = 0; i < in->n; i++) {
        pointer = &in->fields[i].pointer;

        for (level = 0; level < pointer->levels; level++) {
            walk->hashes[level][i] = (uint32_t)
                conflict_hash_64(&pointer->text[pointer->name[level]],
                                 pointer->len[level], in->seed);
        }
    }
}


static conflict_merge_rc_e
conflict_merge_parse(conflict_walk_t *walk, const conflict_document_t *doc,
    conflict_tree_t *tree)
{
    switch (conflict_tree_parse(tree, doc->data, doc->len, &walk->values_left,
                                walk->in->seed))
    {

    case CONFLICT_JSON_OK:
        return CONFLICT_MERGE_SAME;

    case CONFLICT_JSON_REPEATED:
        return CONFLICT_MERGE_REPEATED;

    case CONFLICT_JSON_LARGE:
        return CONFLICT_MERGE_MANY;

    case CONFLICT_JSON_FAILED:
        return CONFLICT_MERGE_FAILED;

    default: /* not JSON */
        return CONFLICT_MERGE_UNFIT;
    }
}


void
conflict_merge_free(conflict_merged_t *result)
{
    conflict_buffer_free(&result->text);
    conflict_buffer_free(&result->fields);
    conflict_buffer_free(&result->names);
    conflict_buffer_free(&result->clashes);
    conflict_buffer_free(&result->values);
}


static conflict_merge_rc_e
conflict_merge_trees(conflict_walk_t *walk, const conflict_trio_t *documents)
{
    size_t              i;
    uint16_t            rules[CONFLICT_MERGE_RULES];
    conflict_buffer_t   made;
    conflict_edit_t     edit;
    conflict_trio_t     trio;
    conflict_scope_t    scope;
    conflict_take_e     take;
    conflict_merged_t  *result;

    result = walk->result;
    trio = *documents;

    for (i = 0; i < walk->in->n; i++) {
        rules[i] = (uint16_t) i;
    }

    scope.rules = rules;
    scope.n = walk->in->n;
    scope.level = 0;
    scope.ignored = (walk->in->ignored != NULL);
    scope.outer = NULL;

    edit.tree = trio.client.tree;
    edit.out = &result->text;
    edit.copied = 0;
    edit.reserve = edit.tree->len + CONFLICT_MERGE_SPARE;

    memset(&made, 0, sizeof(conflict_buffer_t));

    if (conflict_tree_type(trio.client) == CONFLICT_JSON_OBJECT
        && (trio.server.tree == NULL
            || conflict_tree_type(trio.server) == CONFLICT_JSON_OBJECT))
    {
        conflict_merge_members(walk, &edit, &trio, &scope);

    } else {
        take = conflict_merge_field(walk, &edit, NULL, &trio, &scope, &made);

        if (take == CONFLICT_TAKE_SERVER && trio.server.tree) {
            conflict_merge_replace(&edit, 0, edit.tree->len,
                                   trio.server.tree->text,
                                   trio.server.tree->len);
        }
    }

    conflict_buffer_free(&made);

    if (walk->clashed) {
        return conflict_merge_report_clashed(walk);
    }

    if (result->text.failed || result->fields.failed || walk->path.failed) {
        return CONFLICT_MERGE_FAILED;
    }

    if (edit.copied == 0 && result->text.len == 0) {
        return CONFLICT_MERGE_SAME;
    }

    conflict_merge_replace(&edit, edit.tree->len, edit.tree->len, "", 0);

    return result->text.failed ? CONFLICT_MERGE_FAILED : CONFLICT_MERGE_DONE;
}


void
conflict_merge_members(conflict_walk_t *walk, conflict_edit_t *edit,
    conflict_trio_t *trio, conflict_scope_t *scope)
{
    size_t            before, at;
    conflict_value_t  v;

    /* the end of the last member that stays; 0: there is none */

    before = 0;
    at = trio->client.tree->nodes[trio->client.node].start + 1;

    for (v = conflict_tree_first(trio->client); v.tree;
         v = conflict_tree_next(trio->client, v))
    {
        before = conflict_merge_member(walk, edit, trio, v, scope, before);
        at = v.tree->nodes[v.node].end;
    }

    if (walk->patch) {
        /* members that it does not have stay */
        return;
    }

    for (v = conflict_tree_first(trio->server); v.tree;
         v = conflict_tree_next(trio->server, v))
    {
        if (!walk->matched[v.node]) {
            before = conflict_merge_append(walk, edit, trio, v, scope, before,
                                           at);
        }
    }
}


/* a member of the client's object */

static size_t
conflict_merge_member(conflict_walk_t *walk, conflict_edit_t *edit,
    const conflict_trio_t *parents, conflict_value_t client,
    const conflict_scope_t *scope, size_t before)
{
    size_t                   path, len, from;
    uint16_t                 rules[CONFLICT_MERGE_RULES];
    conflict_buffer_t        made;
    conflict_take_e          take;
    conflict_trio_t          trio;
    conflict_scope_t         inner;
    const unsigned char     *text;
    const conflict_node_t   *node;
    const conflict_field_t  *field;

    node = &client.tree->nodes[client.node];

    inner.rules = rules;
    field = conflict_merge_scope(walk, scope, client, &inner);

    if (inner.ignored && walk->in->ignored->levels == inner.level) {

        if (walk->in->version.data) {
            conflict_merge_replace(edit, node->start, node->end,
                                   walk->in->version.data,
                                   walk->in->version.len);
        }

        return node->end;
    }

    path = conflict_merge_report_enter_member(walk, client);

    conflict_merge_base(walk, parents, client, &trio);

    trio.server = conflict_tree_member(parents->server, client);
    trio.client = client;

    if (trio.server.tree) {
        walk->matched[trio.server.node] = 1;
    }

    memset(&made, 0, sizeof(conflict_buffer_t));

    take = conflict_merge_field(walk, edit, field, &trio, &inner, &made);

    walk->path.len = path;

    if (take == CONFLICT_TAKE_MADE) {
        conflict_merge_replace(edit, node->start, node->end, made.data,
                               made.len);
        walk->result->text.failed |= made.failed;

    } else if (take == CONFLICT_TAKE_SERVER && trio.server.tree
               && !conflict_merge_removes(walk))
    {
        text = conflict_tree_text(trio.server, &len);
        conflict_merge_replace(edit, node->start, node->end, text, len);

    } else if (take == CONFLICT_TAKE_SERVER) {

        /* removed, with the comma before it or else the one after it */

        if (before) {
            conflict_merge_replace(edit, before, node->end, "", 0);
            before = node->end;

        } else {
            client = conflict_tree_next(parents->client, client);
            from = node->name - 1;
            conflict_merge_replace(edit, from,
                                   client.tree
                                   ? client.tree->nodes[client.node].name - 1
                                   : node->end, "", 0);
        }

        conflict_buffer_free(&made);

        return before;
    }

    conflict_buffer_free(&made);

    return node->end;
}


/* the value of a member in the base, if it is known */

static void
conflict_merge_base(conflict_walk_t *walk, const conflict_trio_t *parents,
    conflict_value_t named, conflict_trio_t *trio)
{
    trio->base = conflict_tree_member(parents->base, named);
    trio->base_known = parents->base_known;

    if (!walk->part) {
        return;
    }

    if (trio->base.tree == NULL) {

        if (conflict_tree_type(parents->base) == CONFLICT_JSON_OBJECT) {
            trio->base_known = 0;
        }

    } else if (walk->in->base.form == CONFLICT_FORM_MERGE_PATCH
               && conflict_tree_type(trio->base) == CONFLICT_JSON_NULL)
    {
        trio->base.tree = NULL;
    }
}


/* a member that only the server's object has, to be inserted at "at" */

static size_t
conflict_merge_append(conflict_walk_t *walk, conflict_edit_t *edit,
    const conflict_trio_t *parents, conflict_value_t server,
    const conflict_scope_t *scope, size_t before, size_t at)
{
    size_t                   path, len;
    uint16_t                 rules[CONFLICT_MERGE_RULES];
    conflict_buffer_t        made;
    conflict_take_e          take;
    conflict_trio_t          trio;
    conflict_scope_t         inner;
    const unsigned char     *text;
    const conflict_node_t   *node;
    const conflict_field_t  *field;

    node = &server.tree->nodes[server.node];

    inner.rules = rules;
    field = conflict_merge_scope(walk, scope, server, &inner);

    if (inner.ignored && walk->in->ignored->levels == inner.level) {
        return before;
    }

    path = conflict_merge_report_enter_member(walk, server);

    conflict_merge_base(walk, parents, server, &trio);

    trio.server = server;
    trio.client.tree = NULL;
    trio.client.node = 0;

    memset(&made, 0, sizeof(conflict_buffer_t));

    take = conflict_merge_field(walk, edit, field, &trio, &inner, &made);

    walk->path.len = path;

    text = made.data;
    len = made.len;

    if (take == CONFLICT_TAKE_SERVER) {
        text = conflict_tree_text(server, &len);
        take = CONFLICT_TAKE_MADE;
    }

    if (take == CONFLICT_TAKE_MADE) {
        conflict_merge_replace(edit, at, at, before ? ",\"" : "\"",
                               before ? 2 : 1);
        conflict_buffer_add(edit->out, server.tree->text + node->name,
                            node->name_end - node->name);
        conflict_buffer_add(edit->out, "\":", 2);
        conflict_buffer_add(edit->out, text, len);

        walk->result->text.failed |= made.failed;
        before = at;
    }

    conflict_buffer_free(&made);

    return before;
}


void
conflict_merge_replace(conflict_edit_t *edit, size_t start, size_t end,
    const void *data, size_t len)
{
    if (edit->reserve) {
        conflict_buffer_reserve(edit->out, edit->reserve + len);
        edit->reserve = 0;
    }

    conflict_buffer_add(edit->out, edit->tree->text + edit->copied,
                        start - edit->copied);
    conflict_buffer_add(edit->out, data, len);

    edit->copied = end;
}


const conflict_field_t *
conflict_merge_scope(conflict_walk_t *walk, const conflict_scope_t *parent,
    conflict_value_t named, conflict_scope_t *scope)
{
    size_t                     i;
    uint32_t                   hash;
    const uint32_t            *hashes;
    const conflict_field_t    *field, *own;
    const conflict_pointer_t  *pointer;

    own = NULL;
    hash = named.tree->nodes[named.node].hash;
    hashes = walk->hashes[parent->level];

    scope->n = 0;
    scope->level = parent->level + 1;
    scope->ignored = 0;
    scope->outer = parent->outer;

    for (i = 0; i < parent->n; i++) {
        field = &walk->in->fields[parent->rules[i]];
        pointer = &field->pointer;

        if (hashes[parent->rules[i]] != hash
            || !conflict_tree_is(named,
                                 &pointer->text[pointer->name[parent->level]],
                                 pointer->len[parent->level]))
        {
            continue;
        }

        if (pointer->levels == scope->level) {
            own = field;

        } else {
            scope->rules[scope->n++] = parent->rules[i];
        }
    }

    if (parent->ignored) {
        pointer = walk->in->ignored;
        scope->ignored = (unsigned)
            conflict_tree_is(named,
                             &pointer->text[pointer->name[parent->level]],
                             pointer->len[parent->level]);
    }

    return own;
}
