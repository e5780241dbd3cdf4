
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Fuzz target: base, server and a JSON Patch, separated by NULs.  The forwarded
 * patch, applied to the server's document, equals the conflict_merge() of that
 * and of the base with the client's patch applied.
 */


#include <stdlib.h>
#include <string.h>

#include "core/patch/conflict_patch.h"


#define SEED  77
#define MOST  200000


static int
parse(conflict_tree_t *tree, const conflict_document_t *doc)
{
    size_t  left;

    left = MOST;

    return conflict_tree_parse(tree, doc->data, doc->len, &left, SEED)
           == CONFLICT_JSON_OK;
}


static int
equal(const conflict_document_t *a, const conflict_document_t *b)
{
    int               rc;
    conflict_tree_t   x, y;
    conflict_value_t  v, w;

    if (!parse(&x, a) || !parse(&y, b)) {
        abort();
    }

    v.tree = &x;
    v.node = 0;
    w.tree = &y;
    w.node = 0;
    rc = conflict_compare_equal(v, w);

    conflict_tree_free(&x);
    conflict_tree_free(&y);

    return rc;
}


/* 0: it is JSON without duplicate members */

static int
split(conflict_document_t *doc, const uint8_t **data, size_t *size)
{
    int              rc;
    const uint8_t   *p;
    conflict_tree_t  tree;

    p = *size ? memchr(*data, 0, *size) : NULL;

    doc->data = *data;
    doc->len = p ? (size_t) (p - *data) : *size;
    doc->form = CONFLICT_FORM_WHOLE;

    rc = parse(&tree, doc);
    conflict_tree_free(&tree);

    *size -= doc->len + (p != NULL);
    *data += doc->len + (p != NULL);

    return rc ? 0 : -1;
}


static void
check(const conflict_merge_t *patch, const conflict_merged_t *merged)
{
    conflict_buffer_t     client, now;
    conflict_merge_t      in;
    conflict_merged_t     model;
    conflict_document_t   sent, want, have;

    memset(&client, 0, sizeof(client));
    memset(&now, 0, sizeof(now));
    memset(&sent, 0, sizeof(sent));
    want = have = sent;

    /* it may test the base version */

    sent.data = merged->text.data;
    sent.len = merged->text.len;

    if (conflict_patch_apply(&patch->base, &patch->client, &client, MOST,
                             SEED)
        != 0
        || conflict_patch_apply(&patch->server, &sent, &now, MOST, SEED) != 0)
    {
        abort();
    }

    in = *patch;
    in.client.data = client.data;
    in.client.len = client.len;
    in.edited = in.stale;

    want = in.client;

    switch (conflict_merge(&in, &model)) {

    case CONFLICT_MERGE_DONE:
        want.data = model.text.data;
        want.len = model.text.len;
        break;

    case CONFLICT_MERGE_SAME:
        break;

    default:
        abort();
    }

    have.data = now.data;
    have.len = now.len;

    if (!equal(&want, &have)) {
        abort();
    }

    conflict_merge_free(&model);
    conflict_buffer_free(&client);
    conflict_buffer_free(&now);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                 i;
    unsigned            set;
    conflict_scan_t     json;
    conflict_field_t    fields[2];
    conflict_merge_t    in;
    conflict_merged_t   out;
    conflict_pointer_t  base;

    memset(&in, 0, sizeof(in));
    memset(fields, 0, sizeof(fields));

    if (split(&in.base, &data, &size) != 0
        || split(&in.server, &data, &size) != 0
        || split(&in.client, &data, &size) != 0)
    {
        return 0;
    }

    conflict_scan_pointer(&fields[0].pointer, "/l", 2);
    fields[0].rule = CONFLICT_RULE_LIST;
    conflict_scan_pointer(&fields[1].pointer, "/u", 2);
    fields[1].rule = CONFLICT_RULE_UNION;
    conflict_scan_pointer(&base, "/v", 2);

    in.fields = fields;
    in.n = 2;
    in.values = MOST;
    in.reveal = 1;
    in.seed = SEED;

    for (i = 0; i < 2; i++) {
        in.stale = i;

        if (conflict_patch_merge(&in, &out) == CONFLICT_MERGE_DONE
            && in.stale)
        {
            check(&in, &out);
        }

        conflict_merge_free(&out);
    }

    in.ignored = &base;

    (void) conflict_patch_merge(&in, &out);
    conflict_merge_free(&out);

    for (i = 0; i < 2; i++) {
        (void) conflict_patch_reflects(&in.server, &in.client, &base,
                                       i ? CONFLICT_REFLECTS_NAMES
                                         : CONFLICT_REFLECTS_VALUES,
                                       MOST, SEED);
    }

    (void) conflict_patch_repeatable(&in.client, MOST, SEED);

    conflict_scan_init(&json, &base);
    (void) conflict_patch_base(&json, &in.client, &base, &set, MOST, SEED);

    if (json.type != CONFLICT_JSON_NONE) {
        uint64_t             start, end;
        unsigned char       *text;
        conflict_tree_t      tree;
        conflict_document_t  rest;

        conflict_scan_cut(&json, &start, &end);

        text = malloc(in.client.len + 1);
        rest.data = text;
        rest.len = in.client.len - (size_t) (end - start);
        memcpy(text, in.client.data, (size_t) start);
        memcpy(text + start, in.client.data + end,
               in.client.len - (size_t) end);

        if (!parse(&tree, &rest)) {
            abort();
        }

        conflict_tree_free(&tree);
        free(text);
    }

    return 0;
}
