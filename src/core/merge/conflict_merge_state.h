
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the merge: conflict_merge.c walks the documents,
 * conflict_merge_rules.c has the rules, conflict_lines.c texts,
 * conflict_merge_list.c lists.
 */


#ifndef _CONFLICT_MERGE_STATE_H_INCLUDED_
#define _CONFLICT_MERGE_STATE_H_INCLUDED_


#include "core/merge/conflict_merge.h"
#include "core/json/conflict_tree.h"
#include "core/json/conflict_compare.h"


/* where a value of the result comes from */

typedef enum {
    CONFLICT_TAKE_CLIENT = 0,
    CONFLICT_TAKE_SERVER,
    CONFLICT_TAKE_MADE,          /* the bytes are in "made" */
    CONFLICT_TAKE_NONE           /* they clash */
} conflict_take_e;


/* one field as the three have it */

typedef struct {
    conflict_value_t               base;
    conflict_value_t               server;
    conflict_value_t               client;
    unsigned                       held;     /* it is known what the base has,
                                                or that it has none */
} conflict_trio_t;


/* the rules that may still match at some level, as indices */

typedef struct {
    uint16_t                      *rules;
    size_t                         n;
    unsigned                       level;
    unsigned                       ignored;  /* its pointer matches so far */
    const conflict_field_t        *outer;    /* the rule for all that is in
                                                here, NULL: there is none */
} conflict_scope_t;


typedef struct {
    const conflict_merge_t        *in;
    conflict_merged_t             *result;
    unsigned                       patch;    /* of the client's object: what
                                                it does not name stays */
    unsigned                       part;     /* of the base's: of what it does
                                                not name nothing is known */
    unsigned                       clashed;
    size_t                         left;     /* values, or lines of texts */
    size_t                         steps;    /* comparisons of elements */
    unsigned char                 *met;      /* members of the server's that
                                                the client's has, by node */
    conflict_buffer_t              path;     /* a JSON pointer */

    /* of the names in the rules' pointers, by level */
    uint32_t                       hashes[CONFLICT_JSON_LEVELS]
                                         [CONFLICT_MERGE_RULES];
} conflict_walk_t;


/* a null of the client's, here, says that a member goes (RFC 7396) */

#define conflict_merge_removes(walk)                                          \
    ((walk)->patch && (walk)->in->client.form == CONFLICT_FORM_MERGE_PATCH)


/* the result as it is written: a document, and what was changed in it */

typedef struct {
    const conflict_tree_t         *tree;     /* the client's */
    conflict_buffer_t             *out;
    size_t                         copied;   /* bytes of its text */
} conflict_edit_t;


/*
 * Merges the members of objects, or of one object in a client's array.
 */
void conflict_merge_members(conflict_walk_t *walk, conflict_edit_t *edit,
    conflict_trio_t *trio, conflict_scope_t *scope);

/*
 * The bytes of the client's document up to "start" stay, those from there up
 * to "end" are replaced.
 */
void conflict_merge_replace(conflict_edit_t *edit, size_t start, size_t end,
    const void *data, size_t len);

/*
 * The rules for what is in a member; the one for itself is returned, or NULL.
 * "scope" brings room for CONFLICT_MERGE_RULES.
 */
const conflict_field_t *conflict_merge_scope(conflict_walk_t *walk,
    const conflict_scope_t *parent, conflict_value_t named,
    conflict_scope_t *scope);

/*
 * Which side a field takes; objects are merged member by member, and then it
 * is the client's.  What clashes or is not the client's has been noted.
 */
conflict_take_e conflict_merge_field(conflict_walk_t *walk,
    conflict_edit_t *edit, const conflict_field_t *field,
    conflict_trio_t  *trio, conflict_scope_t *scope, conflict_buffer_t *made);

/* Goes down into a member, whose name is as in its document. */
void conflict_merge_report_enter(conflict_walk_t *walk,
    const unsigned char *name, size_t len);
/* Adds the field that the path leads to to the lists of fields. */
void conflict_merge_report_note(conflict_walk_t *walk);
void conflict_merge_report_clash(conflict_walk_t *walk, conflict_rule_e rule,
    const conflict_trio_t *trio);
/* CONFLICT_MERGE_CLASH, or CONFLICT_MERGE_FAILED. */
conflict_merge_rc_e conflict_merge_report_clashed(const conflict_walk_t *walk);

/*
 * Rules for a field that both have changed, or for which there is no base;
 * what is made of both is added to "made".
 */
conflict_take_e conflict_merge_rules_union(conflict_walk_t *walk,
    const conflict_field_t *field, const conflict_trio_t *trio,
    conflict_buffer_t  *made);
conflict_take_e conflict_merge_rules_extreme(const conflict_trio_t *trio,
    int max);

/* The same, also where only one of them has. */
conflict_take_e conflict_merge_rules_sum(const conflict_trio_t *trio,
    conflict_buffer_t  *made);

conflict_take_e conflict_lines_merge(conflict_walk_t *walk,
    const conflict_trio_t  *trio, conflict_buffer_t *made);

conflict_take_e conflict_merge_list(conflict_walk_t *walk,
    const conflict_trio_t  *trio, conflict_buffer_t *made);

/* An object in an array, merged member by member, is added to "out". */
void conflict_merge_rules_object(conflict_walk_t *walk,
    const conflict_trio_t *trio, conflict_buffer_t  *out);


#endif /* _CONFLICT_MERGE_STATE_H_INCLUDED_ */
