
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to the merge: conflict_merge.c walks the documents,
 * conflict_merge_field.c chooses a side, conflict_merge_rules.c,
 * conflict_lines.c (texts) and conflict_merge_list.c apply rules,
 * conflict_merge_report.c collects the fields.
 */


#ifndef _CONFLICT_MERGE_STATE_H_INCLUDED_
#define _CONFLICT_MERGE_STATE_H_INCLUDED_


#include "core/merge/conflict_merge.h"
#include "core/json/conflict_compare.h"
#include "core/json/conflict_tree.h"


/* the source of a value of the result */

typedef enum {
    CONFLICT_TAKE_CLIENT = 0,
    CONFLICT_TAKE_SERVER,
    CONFLICT_TAKE_MADE,          /* the value is in "made" */
    CONFLICT_TAKE_CLASH
} conflict_take_e;


/* a field in the three documents; ->tree is NULL if one does not have it */

typedef struct {
    conflict_value_t               base;
    conflict_value_t               server;
    conflict_value_t               client;
    unsigned                       base_known; /* its value in the base, or
                                                  that there is none */
} conflict_trio_t;


/* the rules that may match at a level, as indices */

typedef struct {
    uint16_t                      *rules;
    size_t                         n;
    unsigned                       level;
    unsigned                       ignored;  /* the pointer to the ignored
                                                member matches so far */
    const conflict_field_t        *outer;    /* the rule for everything in
                                                here, NULL: there is none */
} conflict_scope_t;


typedef struct {
    const conflict_merge_t        *in;
    conflict_merged_t             *result;
    unsigned                       patch;    /* members that the client's
                                                object does not have stay */
    unsigned                       part;     /* members that the base's object
                                                does not have are unknown */
    unsigned                       clashed;
    size_t                         values_left;  /* or lines of texts */
    size_t                         steps;    /* comparisons of elements left */
    unsigned char                 *matched;  /* by node of the server's: the
                                                client's has this member */
    conflict_buffer_t              path;     /* a JSON pointer */

    /* hashes of the names in the rules' pointers, by level */
    uint32_t                       hashes[CONFLICT_JSON_LEVELS]
                                         [CONFLICT_MERGE_RULES];
} conflict_walk_t;


/* a null in the client's object removes the member (RFC 7396) */

#define conflict_merge_removes(walk)                                          \
    ((walk)->patch && (walk)->in->client.form == CONFLICT_FORM_MERGE_PATCH)


/* the result: a copy of a document, with some parts replaced */

typedef struct {
    const conflict_tree_t         *tree;     /* the client's */
    conflict_buffer_t             *out;
    size_t                         copied;   /* bytes of its text so far */
    size_t                         reserve;  /* bytes of "out"; 0: it grows */
} conflict_edit_t;


/*
 * Merges the members of objects, or of one object in a client's array.
 */
void conflict_merge_members(conflict_walk_t *walk, conflict_edit_t *edit,
    conflict_trio_t *trio, conflict_scope_t *scope);

/*
 * Whether the client's document has a member whose name, or that of an object
 * that it is in, differs from that of a field of the server's in case only; but
 * a member that the server's document has as well is another field.
 */
int conflict_merge_alike(const conflict_merge_t *in, conflict_value_t client,
    conflict_value_t server);

/*
 * Copies the client's document up to "start", and replaces the bytes from
 * there to "end".
 */
void conflict_merge_replace(conflict_edit_t *edit, size_t start, size_t end,
    const void *data, size_t len);

/*
 * Sets "scope" to the rules for the values inside a member, and returns the
 * rule for the member itself, or NULL.  The caller provides scope->rules with
 * room for CONFLICT_MERGE_RULES.
 */
const conflict_field_t *conflict_merge_scope(conflict_walk_t *walk,
    const conflict_scope_t *parent, conflict_value_t named,
    conflict_scope_t *scope);

/*
 * Chooses the side of a field.  Objects are merged member by member; the side
 * is then CLIENT.  Fields that clash or differ from the client's are recorded.
 */
conflict_take_e conflict_merge_field(conflict_walk_t *walk,
    conflict_edit_t *edit, const conflict_field_t *field,
    conflict_trio_t *trio, conflict_scope_t *scope, conflict_buffer_t *made);

/* Append a member to the path; its name is as in its document, or plain. */
void conflict_merge_report_enter(conflict_walk_t *walk,
    const unsigned char *name, size_t len);
void conflict_merge_report_enter_plain(conflict_walk_t *walk,
    const unsigned char *name, size_t len);

/* The same of a value, or of an index.  Return the previous walk->path.len. */
size_t conflict_merge_report_enter_member(conflict_walk_t *walk,
    conflict_value_t member);
size_t conflict_merge_report_enter_index(conflict_walk_t *walk, uint32_t n);

/* Adds the field at the path to the lists of fields. */
void conflict_merge_report_add_field(conflict_walk_t *walk,
    const conflict_trio_t *trio);

/* Adds a clash at the path. */
void conflict_merge_report_clash(conflict_walk_t *walk, conflict_rule_e rule,
    const conflict_trio_t *trio);

/* CONFLICT_MERGE_CLASH, or CONFLICT_MERGE_FAILED. */
conflict_merge_rc_e conflict_merge_report_clashed(const conflict_walk_t *walk);

/*
 * Rules for a field that both sides have changed, or for which there is no
 * base.  MADE: the combined value was added to "made".
 */
conflict_take_e conflict_merge_rules_union(conflict_walk_t *walk,
    const conflict_field_t *field, const conflict_trio_t *trio,
    conflict_buffer_t *made);
conflict_take_e conflict_merge_rules_extreme(const conflict_trio_t *trio,
    int max);

/* The same, also if only one side has changed it. */
conflict_take_e conflict_merge_rules_sum(const conflict_trio_t *trio,
    conflict_buffer_t *made);

conflict_take_e conflict_lines_merge(conflict_walk_t *walk,
    const conflict_trio_t *trio, conflict_buffer_t *made);

conflict_take_e conflict_merge_list(conflict_walk_t *walk,
    const conflict_trio_t *trio, conflict_buffer_t *made);

/* Merges an object in an array member by member, and adds it to "out". */
void conflict_merge_rules_object(conflict_walk_t *walk,
    const conflict_trio_t *trio, conflict_buffer_t *out);


#endif /* _CONFLICT_MERGE_STATE_H_INCLUDED_ */
