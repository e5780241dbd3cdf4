
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Names that an API which ignores their case, as many do by default, would take
 * for that of a field of the server's.
 */


#include <string.h>

#include "core/merge/conflict_merge_state.h"


/* bytes in a document for one in a pointer: "\u212a" is a "k" */
#define CONFLICT_MERGE_ALIKE_LONGER  6


/* a rule whose pointer matches so far */

typedef struct {
    uint16_t                 field;
    uint16_t                 folded;       /* not in all bytes */
} conflict_alike_t;


typedef enum {
    CONFLICT_ALIKE_NOT = 0,
    CONFLICT_ALIKE_EQUAL,
    CONFLICT_ALIKE_FOLDED
} conflict_alike_e;


static int conflict_merge_alike_members(const conflict_merge_t *in,
    conflict_value_t client, conflict_value_t server,
    const conflict_alike_t *rules, size_t n, unsigned level);
static int conflict_merge_alike_member(const conflict_merge_t *in,
    conflict_value_t client, conflict_value_t server,
    const conflict_alike_t *rules, size_t n, unsigned level);
static conflict_alike_e conflict_merge_alike_names(conflict_value_t member,
    const conflict_pointer_t *pointer, unsigned level);
static size_t conflict_merge_alike_fold(unsigned char *text, size_t len);
static unsigned char conflict_merge_alike_lower(unsigned char c);


int
conflict_merge_alike(const conflict_merge_t *in, conflict_value_t client,
    conflict_value_t server)
{
    size_t            i, n;
    conflict_alike_t  rules[CONFLICT_MERGE_RULES];

    n = 0;

    for (i = 0; i < in->n; i++) {

        if (in->fields[i].rule == CONFLICT_RULE_SERVER) {
            rules[n].field = (uint16_t) i;
            rules[n++].folded = 0;
        }
    }

    return n && conflict_merge_alike_members(in, client, server, rules, n, 0);
}


static int
conflict_merge_alike_members(const conflict_merge_t *in,
    conflict_value_t client, conflict_value_t server,
    const conflict_alike_t *rules, size_t n, unsigned level)
{
    conflict_value_t  member;

    if (conflict_tree_type(client) != CONFLICT_JSON_OBJECT) {
        return 0;
    }

    for (member = conflict_tree_first(client); member.tree;
         member = conflict_tree_next(client, member))
    {
        if (conflict_merge_alike_member(in, member,
                                        conflict_tree_member(server, member),
                                        rules, n, level))
        {
            return 1;
        }
    }

    return 0;
}


static int
conflict_merge_alike_member(const conflict_merge_t *in,
    conflict_value_t client, conflict_value_t server,
    const conflict_alike_t *rules, size_t n, unsigned level)
{
    size_t                     i, inner_n;
    conflict_alike_e           how;
    conflict_alike_t           inner[CONFLICT_MERGE_RULES];
    const conflict_pointer_t  *pointer;

    inner_n = 0;

    for (i = 0; i < n; i++) {
        pointer = &in->fields[rules[i].field].pointer;
        how = conflict_merge_alike_names(client, pointer, level);

        if (how == CONFLICT_ALIKE_NOT) {
            continue;
        }

        inner[inner_n] = rules[i];
        inner[inner_n].folded |= (how == CONFLICT_ALIKE_FOLDED);

        if (level + 1 < pointer->levels) {
            inner_n++;

        } else if (inner[inner_n].folded && server.tree == NULL) {
            return 1;
        }
    }

    return inner_n && conflict_merge_alike_members(in, client, server, inner,
                                                   inner_n, level + 1);
}


static conflict_alike_e
conflict_merge_alike_names(conflict_value_t member,
    const conflict_pointer_t *pointer, unsigned level)
{
    size_t                  i, len, size;
    unsigned char           text[CONFLICT_JSON_NAME];
    const unsigned char    *p, *last, *name;
    const conflict_node_t  *node;

    node = &member.tree->nodes[member.node];

    p = member.tree->text + node->name;
    last = member.tree->text + node->name_end;

    name = &pointer->text[pointer->name[level]];
    len = pointer->len[level];
    size = (size_t) (last - p);

    if (size < len || size > CONFLICT_MERGE_ALIKE_LONGER * len) {
        return CONFLICT_ALIKE_NOT;
    }

    if (size == len && (len == 0 || memcmp(p, name, len) == 0)) {
        return CONFLICT_ALIKE_EQUAL;
    }

    if (*p != '\\' && *p < 0x80
        && conflict_merge_alike_lower(*p) != conflict_merge_alike_lower(*name))
    {
        return CONFLICT_ALIKE_NOT;
    }

    size = conflict_text_decode(text, sizeof(text), &p, last);

    if (p < last) {
        return CONFLICT_ALIKE_NOT;
    }

    if (size == len && memcmp(text, name, len) == 0) {
        return CONFLICT_ALIKE_EQUAL;
    }

    if (conflict_merge_alike_fold(text, size) != len) {
        return CONFLICT_ALIKE_NOT;
    }

    for (i = 0; i < len; i++) {

        if (text[i] != conflict_merge_alike_lower(name[i])) {
            return CONFLICT_ALIKE_NOT;
        }
    }

    return CONFLICT_ALIKE_FOLDED;
}


/* in place; beyond ASCII only what is a letter of ASCII in another case */

static size_t
conflict_merge_alike_fold(unsigned char *text, size_t len)
{
    size_t          i;
    unsigned char  *out;

    out = text;

    for (i = 0; i < len; i++) {

        if (len - i >= 2 && memcmp(&text[i], "\xc5\xbf", 2) == 0) {
            *out++ = 's';
            i++;

        } else if (len - i >= 3 && memcmp(&text[i], "\xe2\x84\xaa", 3) == 0) {
            *out++ = 'k';
            i += 2;

        } else {
            *out++ = conflict_merge_alike_lower(text[i]);
        }
    }

    return (size_t) (out - text);
}


static unsigned char
conflict_merge_alike_lower(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
}
