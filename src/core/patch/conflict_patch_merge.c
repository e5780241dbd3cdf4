
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Merges a JSON Patch: the base with the patch applied is merged as the
 * client's document, and the difference between the server's document and the
 * result is a patch again.
 */


#include <string.h>

#include "core/patch/conflict_patch_state.h"


typedef struct {
    const conflict_merge_t  *in;
    conflict_merged_t       *result;
    conflict_patch_t         patch;
    conflict_tree_t          base;
    conflict_tree_t          server;
    conflict_value_t         origin;       /* what the patch applies to */
    conflict_value_t         latest;       /* the server's */
    conflict_patch_work_t    work;
    conflict_buffer_t        client;
    conflict_walk_t          walk;
    size_t                   values_left;
} conflict_patching_t;


static conflict_merge_rc_e conflict_patch_merge_read(conflict_patching_t *p);
static conflict_merge_rc_e conflict_patch_merge_parse(conflict_patching_t *p,
    const conflict_document_t *doc, conflict_tree_t *tree);
static conflict_merge_rc_e conflict_patch_merge_apply(conflict_patching_t *p);
static int conflict_patch_merge_test(conflict_patching_t *p,
    conflict_operation_t *op);
static conflict_value_t conflict_patch_merge_counterpart(
    conflict_patching_t *p, uint32_t target);
static int conflict_patch_merge_owned(const conflict_patching_t *p);
static conflict_merge_rc_e conflict_patch_merge_documents(
    conflict_patching_t *p);
static unsigned conflict_patch_merge_clashes(conflict_patching_t *p,
    unsigned clashed);
static void conflict_patch_merge_path(conflict_walk_t *walk,
    const conflict_path_t *path);
static int conflict_patch_merge_listed(const conflict_walk_t *walk);
static conflict_merge_rc_e conflict_patch_merge_print(
    conflict_patching_t *p, const conflict_document_t *merged);
static void conflict_patch_merge_tests(conflict_patching_t *p,
    conflict_buffer_t *out);


conflict_merge_rc_e
conflict_patch_merge(const conflict_merge_t *in, conflict_merged_t *result)
{
    conflict_merge_rc_e  rc;
    conflict_patching_t  p;

    memset(result, 0, sizeof(conflict_merged_t));
    memset(&p, 0, sizeof(conflict_patching_t));

    p.in = in;
    p.result = result;
    p.values_left = in->values / 2;
    p.walk.in = in;
    p.walk.result = result;

    rc = conflict_patch_merge_read(&p);

    if (rc == CONFLICT_MERGE_SAME) {
        rc = conflict_patch_merge_apply(&p);
    }

    if (rc == CONFLICT_MERGE_SAME) {
        rc = conflict_patch_merge_documents(&p);

    } else if (rc == CONFLICT_MERGE_INAPPLICABLE && !in->stale
               && p.patch.tokens && !conflict_patch_merge_owned(&p))
    {
        /* the upstream may refuse it itself */
        rc = CONFLICT_MERGE_SAME;
    }

    conflict_patch_read_free(&p.patch);
    conflict_tree_free(&p.base);
    conflict_tree_free(&p.server);
    conflict_patch_work_free(&p.work);
    conflict_buffer_free(&p.client);
    conflict_buffer_free(&p.walk.path);

    return rc;
}


static conflict_merge_rc_e
conflict_patch_merge_read(conflict_patching_t *p)
{
    conflict_json_rc_e   json;
    conflict_merge_rc_e  rc;

    json = conflict_patch_read(&p->patch, &p->in->client, p->in->ignored, 0,
                               &p->values_left, p->in->seed);

    switch (json) {

    case CONFLICT_JSON_OK:
        break;

    case CONFLICT_JSON_REPEATED:
        return CONFLICT_MERGE_REPEATED;

    case CONFLICT_JSON_LARGE:
        return CONFLICT_MERGE_LARGE;

    case CONFLICT_JSON_FAILED:
        return CONFLICT_MERGE_FAILED;

    default:
        return CONFLICT_MERGE_INAPPLICABLE;
    }

    if (p->in->server.data == NULL) {
        return CONFLICT_MERGE_INAPPLICABLE;
    }

    rc = conflict_patch_merge_parse(p, &p->in->server, &p->server);

    if (rc != CONFLICT_MERGE_SAME) {
        return rc;
    }

    p->latest.tree = &p->server;
    p->origin = p->latest;

    if (p->in->stale) {

        if (p->in->base.data == NULL
            || p->in->base.form != CONFLICT_FORM_WHOLE)
        {
            /* members that a part does not have may exist */
            return CONFLICT_MERGE_INAPPLICABLE;
        }

        rc = conflict_patch_merge_parse(p, &p->in->base, &p->base);

        if (rc != CONFLICT_MERGE_SAME) {
            /* an unusable base is no base */
            return (rc == CONFLICT_MERGE_UNFIT) ? CONFLICT_MERGE_INAPPLICABLE
                                                : rc;
        }

        p->origin.tree = &p->base;
    }

    p->result->base_known = 1;

    return CONFLICT_MERGE_SAME;
}


static conflict_merge_rc_e
conflict_patch_merge_parse(conflict_patching_t *p,
    const conflict_document_t *doc, conflict_tree_t *tree)
{
    switch (conflict_tree_parse(tree, doc->data, doc->len, &p->values_left,
                                p->in->seed))
    {

    case CONFLICT_JSON_OK:
        return CONFLICT_MERGE_SAME;

    case CONFLICT_JSON_LARGE:
        return CONFLICT_MERGE_MANY;

    case CONFLICT_JSON_FAILED:
        return CONFLICT_MERGE_FAILED;

    default:
        return CONFLICT_MERGE_UNFIT;
    }
}


static conflict_merge_rc_e
conflict_patch_merge_apply(conflict_patching_t *p)
{
    int                    rc;
    size_t                 i, limit;
    conflict_operation_t  *op;

    limit = CONFLICT_PATCH_GROWTH * (p->origin.tree->len + p->in->client.len);

    rc = conflict_patch_work_init(&p->work, p->origin, p->in->values / 2,
                                  p->in->seed);

    for (i = 0; i < p->patch.n && rc == 0; i++) {
        op = &p->patch.ops[i];

        rc = (op->op == CONFLICT_PATCH_TEST)
             ? conflict_patch_merge_test(p, op)
             : conflict_patch_work_apply(&p->work, op);
    }

    if (rc == 0) {
        rc = conflict_patch_work_print(&p->work, &p->client, limit);
    }

    if (p->work.failed || p->client.failed) {
        return CONFLICT_MERGE_FAILED;
    }

    if (p->work.exceeded) {
        return CONFLICT_MERGE_MANY;
    }

    return (rc == 0) ? CONFLICT_MERGE_SAME : CONFLICT_MERGE_INAPPLICABLE;
}


/*
 * A test of a value that the server may have changed is judged by the server's
 * value, even if it fails on the base; a test of a value that the patch itself
 * has written must hold there.
 */

static int
conflict_patch_merge_test(conflict_patching_t *p, conflict_operation_t *op)
{
    uint32_t                node;
    conflict_value_t        now, at_path;
    conflict_patch_node_t  *n;

    if (op->base) {
        return 0;
    }

    node = conflict_patch_work_find(&p->work, &op->path, NULL);

    if (p->work.exceeded || p->work.failed) {
        return -1;
    }

    at_path = conflict_patch_read_find(p->latest, &op->path, &p->work.steps);

    if (node == CONFLICT_PATCH_NODE_NONE) {

        if (!p->in->stale
            || conflict_patch_read_find(p->origin, &op->path,
                                        &p->work.steps).tree)
        {
            /* the patch has removed it */
            return -1;
        }

        op->holds = at_path.tree && conflict_compare_equal(at_path, op->value);
        op->clashes = !op->holds;

        return 0;
    }

    n = &p->work.nodes[node];

    if (n->from.tree != p->origin.tree) {
        return conflict_patch_work_equal(&p->work, node, op->value) ? 0 : -1;
    }

    now = conflict_patch_merge_counterpart(p, n->from.node);

    if (n->changed) {

        if (!conflict_patch_work_equal(&p->work, node, op->value)) {
            return -1;
        }

        op->clashes = (now.tree == NULL
                       || !conflict_compare_equal(now, n->from));
        return 0;
    }

    if (now.tree && conflict_compare_equal(now, op->value)) {
        op->holds = (at_path.tree == now.tree && at_path.node == now.node);
        return 0;
    }

    op->clashes = p->in->stale;

    return p->in->stale ? 0 : -1;
}


/* the server's value at the same names and indices as the base's */

static conflict_value_t
conflict_patch_merge_counterpart(conflict_patching_t *p, uint32_t target)
{
    conflict_value_t  v, was, now, next;

    was = p->origin;
    now = p->latest;

    while (was.node != target && now.tree) {

        next.tree = NULL;
        next.node = 0;

        if (conflict_tree_type(was) == conflict_tree_type(now)) {
            next = conflict_tree_first(now);
        }

        for (v = conflict_tree_first(was);
             v.tree->nodes[v.node].next <= target;
             v = conflict_tree_next(was, v))
        {
            if (next.tree) {
                next = conflict_tree_next(now, next);
            }

            if (p->work.steps < CONFLICT_PATCH_ELEMENT) {
                p->work.exceeded = 1;
                next.tree = NULL;
                return next;
            }

            p->work.steps -= CONFLICT_PATCH_ELEMENT;
        }

        if (conflict_tree_type(was) == CONFLICT_JSON_OBJECT) {
            next = conflict_tree_member(now, v);
        }

        was = v;
        now = next;
    }

    return now;
}


/* does it touch a field that the server owns */

static int
conflict_patch_merge_owned(const conflict_patching_t *p)
{
    size_t                       i, j;
    const conflict_field_t      *field;
    const conflict_operation_t  *op;

    for (i = 0; i < p->in->n; i++) {
        field = &p->in->fields[i];

        if (field->rule != CONFLICT_RULE_SERVER) {
            continue;
        }

        for (j = 0; j < p->patch.n; j++) {
            op = &p->patch.ops[j];

            if (op->op != CONFLICT_PATCH_TEST
                && (conflict_patch_read_meets(&op->path, &field->pointer)
                    || (op->from.tokens
                        && conflict_patch_read_meets(&op->from,
                                                     &field->pointer))))
            {
                return 1;
            }
        }
    }

    return 0;
}


static conflict_merge_rc_e
conflict_patch_merge_documents(conflict_patching_t *p)
{
    conflict_merge_t     in;
    conflict_document_t  merged;
    conflict_merge_rc_e  rc;

    in = *p->in;

    in.client.data = p->client.data;
    in.client.len = p->client.len;
    in.client.form = CONFLICT_FORM_WHOLE;
    in.version.data = NULL;
    in.edited = in.stale;
    in.values = p->in->values / 2;

    rc = conflict_merge(&in, p->result);

    switch (rc) {

    case CONFLICT_MERGE_SAME:

        if (!p->in->stale) {
            return rc;
        }

        merged = in.client;
        break;

    case CONFLICT_MERGE_DONE:
        merged.data = p->result->text.data;
        merged.len = p->result->text.len;
        break;

    case CONFLICT_MERGE_CLASH:
        (void) conflict_patch_merge_clashes(p, 1);
        return conflict_merge_report_clashed(&p->walk);

    case CONFLICT_MERGE_LARGE:
        return CONFLICT_MERGE_MANY;

    case CONFLICT_MERGE_REPEATED:
        /* impossible: the document was generated without duplicates */
        return CONFLICT_MERGE_FAILED;

    default:
        return rc;
    }

    if (conflict_patch_merge_clashes(p, 0)) {
        return conflict_merge_report_clashed(&p->walk);
    }

    return conflict_patch_merge_print(p, &merged);
}


/* adds the failed tests to the clashes, unless the field is listed already */

static unsigned
conflict_patch_merge_clashes(conflict_patching_t *p, unsigned clashed)
{
    size_t                 i;
    conflict_trio_t        trio;
    conflict_operation_t  *op;

    p->walk.clashed = clashed;

    for (i = 0; i < p->patch.n; i++) {
        op = &p->patch.ops[i];

        if (!op->clashes) {
            continue;
        }

        conflict_patch_merge_path(&p->walk, &op->path);

        if (conflict_patch_merge_listed(&p->walk)) {
            continue;
        }

        trio.base_known = 1;
        trio.base = conflict_patch_read_find(p->origin, &op->path,
                                             &p->work.steps);
        trio.server = conflict_patch_read_find(p->latest, &op->path,
                                               &p->work.steps);
        trio.client = op->value;

        conflict_merge_report_clash(&p->walk, CONFLICT_RULE_TEST, &trio);
    }

    return p->walk.clashed;
}


static void
conflict_patch_merge_path(conflict_walk_t *walk, const conflict_path_t *path)
{
    size_t  i;

    walk->path.len = 0;

    for (i = 0; i < path->n; i++) {
        conflict_merge_report_enter_plain(walk, path->tokens[i].data,
                                          path->tokens[i].len);
    }
}


static int
conflict_patch_merge_listed(const conflict_walk_t *walk)
{
    size_t                    len;
    const conflict_buffer_t  *fields;
    const unsigned char      *p, *last, *name;

    if (!walk->clashed || walk->result->fields.len == 0) {
        /* the list is that of merged fields */
        return 0;
    }

    fields = &walk->result->fields;

    p = fields->data;
    last = p + fields->len;

    while (conflict_merge_report_field(&p, last, &name, &len)) {

        if (len == walk->path.len
            && (len == 0 || memcmp(name, walk->path.data, len) == 0))
        {
            return 1;
        }
    }

    return 0;
}


static conflict_merge_rc_e
conflict_patch_merge_print(conflict_patching_t *p,
    const conflict_document_t *merged)
{
    size_t               i;
    conflict_buffer_t    patch, diff;
    conflict_tree_t      tree;
    conflict_value_t     to;
    conflict_merge_rc_e  rc;

    memset(&patch, 0, sizeof(conflict_buffer_t));
    memset(&diff, 0, sizeof(conflict_buffer_t));

    to.tree = &tree;
    to.node = 0;

    p->values_left = p->in->values / 2;
    rc = conflict_patch_merge_parse(p, merged, &tree);

    if (rc == CONFLICT_MERGE_SAME) {
        p->walk.path.len = 0;
        conflict_patch_diff(&p->walk, &diff, p->latest, to);

        conflict_buffer_text(&patch, "[");
        conflict_patch_merge_tests(p, &patch);

        if (diff.len) {
            /* without the leading comma if it is the first */
            i = (patch.len == 1);
            conflict_buffer_add(&patch, diff.data + i, diff.len - i);
        }

        conflict_buffer_text(&patch, "]");

        p->result->same = (diff.len == 0);

        rc = (patch.failed || diff.failed || p->walk.path.failed)
             ? CONFLICT_MERGE_FAILED : CONFLICT_MERGE_DONE;
    }

    conflict_tree_free(&tree);
    conflict_buffer_free(&diff);

    /* "merged" may point into this text */

    conflict_buffer_free(&p->result->text);
    p->result->text = patch;

    return rc;
}


/*
 * The tests that hold at the same path of the server's document are forwarded,
 * and a test of the base version gets the version that was merged with.
 */

static void
conflict_patch_merge_tests(conflict_patching_t *p, conflict_buffer_t *out)
{
    size_t                       i, len;
    const unsigned char         *text;
    const conflict_operation_t  *op;

    for (i = 0; i < p->patch.n; i++) {
        op = &p->patch.ops[i];

        if (op->base && p->in->version.data) {
            conflict_patch_merge_path(&p->walk, &op->path);

            conflict_buffer_text(out, (out->len > 1) ? "," : "");
            conflict_buffer_text(out, "{\"op\":\"test\",\"path\":\"");
            conflict_buffer_quoted(out, p->walk.path.data, p->walk.path.len);
            conflict_buffer_text(out, "\",\"value\":");
            conflict_buffer_add(out, p->in->version.data, p->in->version.len);
            conflict_buffer_text(out, "}");

        } else if (op->holds) {
            text = conflict_tree_text(op->element, &len);

            conflict_buffer_text(out, (out->len > 1) ? "," : "");
            conflict_buffer_add(out, text, len);
        }
    }
}
