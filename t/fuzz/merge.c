
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: base, server and client, separated by NULs, under all rules.
 * The result is JSON without duplicate members, and a field that only the
 * client has changed is the client's; without clashes, if the server's value
 * is taken for each.  A part made of two documents turns one into the other.
 */


#include <stdlib.h>
#include <string.h>

#include "core/merge/conflict_merge.h"
#include "core/merge/conflict_part.h"
#include "core/json/conflict_compare.h"


#define SEED  77
#define MOST  200000


static const struct {
    const char       *pointer;
    conflict_rule_e   rule;
    const char       *key;
} rules[] = {
    { "/a", CONFLICT_RULE_LWW, NULL },
    { "/b", CONFLICT_RULE_SERVER, NULL },
    { "/c", CONFLICT_RULE_UNION, NULL },
    { "/d", CONFLICT_RULE_UNION, "a" },
    { "/e", CONFLICT_RULE_SUM, NULL },
    { "/f", CONFLICT_RULE_MAX, NULL },
    { "/g", CONFLICT_RULE_TEXT, NULL },
    { "/i", CONFLICT_RULE_LIST, NULL },
    { "/h/a", CONFLICT_RULE_SERVER, NULL },
    { "/h/b", CONFLICT_RULE_REJECT, NULL }
};


static conflict_json_rc_e
parse(conflict_tree_t *tree, const unsigned char *data, size_t len)
{
    size_t              left;
    conflict_json_rc_e  rc;

    left = MOST;
    rc = conflict_tree_parse(tree, data, len, &left, SEED);

    if (rc != CONFLICT_JSON_OK) {
        conflict_tree_free(tree);
    }

    return rc;
}


static int
equal(const unsigned char *a, size_t a_len, const unsigned char *b,
    size_t b_len)
{
    int               rc;
    conflict_tree_t   x, y;
    conflict_value_t  v, w;

    if (parse(&x, a, a_len) != CONFLICT_JSON_OK) {
        abort();
    }

    if (parse(&y, b, b_len) != CONFLICT_JSON_OK) {
        abort();
    }

    v.tree = &x;
    v.node = 0;
    w.tree = &y;
    w.node = 0;
    rc = conflict_compare_equal(v, w);

    if (rc && conflict_compare_hash(v) != conflict_compare_hash(w)) {
        abort();
    }

    conflict_tree_free(&x);
    conflict_tree_free(&y);

    return rc;
}


/* 1: it was merged, and the result is JSON */

static int
merge(conflict_merge_t *in, const unsigned char **text, size_t *len,
    conflict_merged_t *out)
{
    conflict_tree_t  tree;

    switch (conflict_merge(in, out)) {

    case CONFLICT_MERGE_SAME:
        *text = in->client.data;
        *len = in->client.len;
        break;

    case CONFLICT_MERGE_DONE:
        *text = out->text.data;
        *len = out->text.len;
        break;

    default:
        return 0;
    }

    if (parse(&tree, *text, *len) != CONFLICT_JSON_OK) {
        abort();
    }

    conflict_tree_free(&tree);

    return 1;
}


/* the client's part applied to the server's is JSON, and reflects the part */

static void
apply(conflict_merge_t *in)
{
    conflict_buffer_t     out;
    conflict_tree_t       tree;
    conflict_document_t   made;

    memset(&out, 0, sizeof(out));
    memset(&made, 0, sizeof(made));

    if (in->client.form == CONFLICT_FORM_WHOLE
        || conflict_part_apply(&in->server, &in->client, &out, MOST, SEED)
           != 0)
    {
        conflict_buffer_free(&out);
        return;
    }

    if (parse(&tree, out.data, out.len) != CONFLICT_JSON_OK) {
        abort();
    }

    made.data = out.data;
    made.len = out.len;

    if (in->client.data[0] == '{' && tree.nodes[0].children
        && memchr(in->client.data, ':', in->client.len)
        && !conflict_compare_reflects(&made, &in->client, NULL,
                                      CONFLICT_REFLECTS_VALUES, MOST, SEED))
    {
        abort();
    }

    conflict_tree_free(&tree);
    conflict_buffer_free(&out);
}


/* the part of each form, if there is one, makes the client's of the server's */

static void
make(const conflict_merge_t *in)
{
    int                  form;
    conflict_buffer_t    part, out;
    conflict_document_t  doc;

    for (form = CONFLICT_FORM_SHALLOW; form <= CONFLICT_FORM_MERGE_PATCH;
         form++)
    {
        memset(&part, 0, sizeof(part));
        memset(&out, 0, sizeof(out));

        if (conflict_part_diff(&in->server, &in->client,
                               (conflict_form_e) form, NULL, &part, MOST, SEED)
            == 0)
        {
            doc.data = part.data;
            doc.len = part.len;
            doc.form = (conflict_form_e) form;

            if (conflict_part_apply(&in->server, &doc, &out, MOST, SEED) != 0
                || !equal(out.data, out.len, in->client.data, in->client.len))
            {
                abort();
            }
        }

        conflict_buffer_free(&part);
        conflict_buffer_free(&out);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                i, len;
    conflict_tree_t       tree;
    conflict_field_t      fields[sizeof(rules) / sizeof(rules[0])];
    conflict_merge_t      in;
    conflict_merged_t     out;
    const unsigned char  *p, *text;
    conflict_document_t  *doc[3];

    memset(&in, 0, sizeof(in));
    memset(fields, 0, sizeof(fields));

    doc[0] = &in.base;
    doc[1] = &in.server;
    doc[2] = &in.client;

    for (i = 0; i < 3; i++) {
        p = (i < 2 && size) ? memchr(data, 0, size) : NULL;

        if (i < 2 && p == NULL) {
            return 0;
        }

        doc[i]->data = data;
        doc[i]->len = p ? (size_t) (p - data) : size;

        if (parse(&tree, doc[i]->data, doc[i]->len) != CONFLICT_JSON_OK) {
            return 0;
        }

        conflict_tree_free(&tree);

        size -= doc[i]->len + (p != NULL);
        data += doc[i]->len + (p != NULL);
    }

    in.stale = 1;
    in.values = MOST;
    in.reveal = 1;
    in.seed = SEED;

    /* without rules, unless refused, the result has both sides' changes */

    if (merge(&in, &text, &len, &out)
        && equal(in.base.data, in.base.len, in.server.data, in.server.len)
        && !equal(text, len, in.client.data, in.client.len))
    {
        abort();
    }

    if (out.text.data
        && equal(in.base.data, in.base.len, in.client.data, in.client.len)
        && !equal(text, len, in.server.data, in.server.len))
    {
        abort();
    }

    conflict_merge_free(&out);

    /* with rules, whole and as a patch, with a base and without */

    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        conflict_scan_pointer(&fields[i].pointer, rules[i].pointer,
                              strlen(rules[i].pointer));
        fields[i].rule = rules[i].rule;

        if (rules[i].key) {
            fields[i].key = (const unsigned char *) rules[i].key;
            fields[i].key_len = strlen(rules[i].key);
        }
    }

    in.fields = fields;
    in.n = sizeof(rules) / sizeof(rules[0]);

    make(&in);

    in.yields = 1;

    if (!merge(&in, &text, &len, &out)) {
        abort();
    }

    conflict_merge_free(&out);

    in.yields = 0;

    for (i = 0; i < 64; i++) {
        in.client.form = (conflict_form_e) (i & 3);
        in.base.form = (conflict_form_e) ((i >> 2) & 3);
        in.stale = (i >> 4) & 1;
        in.reveal = 1;

        if (i & 32) {
            in.base.data = NULL;
        }

        (void) merge(&in, &text, &len, &out);
        conflict_merge_free(&out);

        apply(&in);

        (void) conflict_compare_reflects(&in.server, &in.client,
                                         &fields[0].pointer,
                                         CONFLICT_REFLECTS_VALUES, MOST, SEED);
    }

    return 0;
}
