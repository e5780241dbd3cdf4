
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to JSON Patch: conflict_patch_read.c parses the operations,
 * conflict_patch_work.c has the document that they change,
 * conflict_patch_diff.c generates a patch, conflict_patch_merge.c merges,
 * conflict_patch.c does the rest.
 */


#ifndef _CONFLICT_PATCH_STATE_H_INCLUDED_
#define _CONFLICT_PATCH_STATE_H_INCLUDED_


#include "core/patch/conflict_patch.h"
#include "core/merge/conflict_merge_state.h"


#define CONFLICT_PATCH_NODE_NONE  UINT32_MAX

/* limit of a document, as a multiple of base and patch together */
#define CONFLICT_PATCH_GROWTH  2

/* the cost of going to the next element of an array, in steps */
#define CONFLICT_PATCH_ELEMENT  4


typedef enum {
    CONFLICT_PATCH_ADD = 0,
    CONFLICT_PATCH_REMOVE,
    CONFLICT_PATCH_REPLACE,
    CONFLICT_PATCH_MOVE,
    CONFLICT_PATCH_COPY,
    CONFLICT_PATCH_TEST,
    CONFLICT_PATCH_OPS
} conflict_patch_op_e;


/* a member name or an index, decoded */

typedef struct {
    const unsigned char     *data;
    size_t                   len;
} conflict_token_t;


typedef struct {
    const conflict_token_t  *tokens;
    size_t                   n;            /* 0: the whole document */
} conflict_path_t;


typedef struct {
    conflict_patch_op_e      op;
    conflict_path_t          path;
    conflict_path_t          from;
    conflict_value_t         value;
    conflict_value_t         element;      /* the operation in the patch */
    unsigned                 base;         /* tests the base version */
    unsigned                 sets;         /* gives it a value */
    unsigned                 holds;        /* a test that holds in the server's
                                              document at the same path */
    unsigned                 clashes;      /* a test that does not */
} conflict_operation_t;


typedef struct {
    conflict_tree_t          tree;
    conflict_operation_t    *ops;
    size_t                   n;
    conflict_token_t        *tokens;
    unsigned char           *text;         /* of the tokens, decoded */
} conflict_patch_t;


/* a value of the document, with the operations done so far */

typedef struct {
    conflict_value_t         from;         /* the original value */
    conflict_value_t         named;        /* the member with its name; if
                                              ->tree is NULL, "name" */
    conflict_token_t         name;
    uint32_t                 hash;         /* of the name */
    uint32_t                 parent;
    uint32_t                *kids;         /* if opened */
    uint32_t                 n;
    uint32_t                 size;
    unsigned                 opened;
    unsigned                 changed;      /* itself, or a value inside */
} conflict_patch_node_t;


typedef struct {
    conflict_patch_node_t   *nodes;
    uint32_t                 n;
    uint32_t                 size;
    uint32_t                 root;
    uint64_t                 seed;
    size_t                   nodes_left;
    size_t                   steps;        /* comparisons and moves left */
    unsigned                 failed;       /* no memory */
    unsigned                 exceeded;     /* one of these limits */
} conflict_patch_work_t;


/*
 * The caller frees "patch", whatever is returned.  MALFORMED: it is JSON, but
 * not a patch; other errors as of conflict_tree_parse().  "base" may be NULL.
 * With "lenient" operations that RFC 6902 does not have are skipped, as an API
 * may accept them, and those that are there may lack their value.
 */
conflict_json_rc_e conflict_patch_read(conflict_patch_t *patch,
    const conflict_document_t *text, const conflict_pointer_t *base,
    unsigned lenient, size_t *values_left, uint64_t seed);
void conflict_patch_read_free(conflict_patch_t *patch);

/* 1 if one is a prefix of the other, or both are equal. */
int conflict_patch_read_meets(const conflict_path_t *path,
    const conflict_pointer_t *pointer);

/* The index in an array, or -1. */
int64_t conflict_patch_read_index(const conflict_token_t *token);

/*
 * The value at a path in a tree; ->tree is NULL if there is none.  Elements
 * that are passed are subtracted from *steps; if "steps" is NULL, the search
 * ends at the first array.
 */
conflict_value_t conflict_patch_read_find(conflict_value_t document,
    const conflict_path_t *path, size_t *steps);

/* These return -1 if an operation fails, or work->exceeded or failed is set. */

int conflict_patch_work_init(conflict_patch_work_t *work,
    conflict_value_t document, size_t values, uint64_t seed);
void conflict_patch_work_free(conflict_patch_work_t *work);

int conflict_patch_work_apply(conflict_patch_work_t *work,
    const conflict_operation_t *operation);

/*
 * Returns CONFLICT_PATCH_NODE_NONE if there is no value at the path.  Sets
 * *array to 1 if the path leads through an array; "array" may be NULL.
 */
uint32_t conflict_patch_work_find(conflict_patch_work_t *work,
    const conflict_path_t *path, int *array);

int conflict_patch_work_equal(const conflict_patch_work_t *work, uint32_t node,
    conflict_value_t value);

/* Adds the text of the document, of at most "limit" bytes. */
int conflict_patch_work_print(conflict_patch_work_t *work,
    conflict_buffer_t *out, size_t limit);

/* Adds operations that turn "from" into "to", each after a comma. */
void conflict_patch_diff(conflict_walk_t *walk, conflict_buffer_t *out,
    conflict_value_t from, conflict_value_t to);


#endif /* _CONFLICT_PATCH_STATE_H_INCLUDED_ */
