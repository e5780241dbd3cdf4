
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Private to JSON Patch: conflict_patch_read.c has the operations,
 * conflict_patch_work.c the document that they change, conflict_patch_diff.c
 * makes them, conflict_patch.c merges, conflict_patch_ask.c does the rest.
 */


#ifndef _CONFLICT_PATCH_STATE_H_INCLUDED_
#define _CONFLICT_PATCH_STATE_H_INCLUDED_


#include "core/merge/conflict_merge_state.h"
#include "core/patch/conflict_patch.h"


#define CONFLICT_PATCH_NODE_NONE  UINT32_MAX

/* so much larger than base and patch together a document may become */
#define CONFLICT_PATCH_GROWTH  2

/* steps that it takes from one element of an array to the next */
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


/* a name or an index, decoded */

typedef struct {
    const unsigned char     *data;
    size_t                   len;
} conflict_token_t;


typedef struct {
    const conflict_token_t  *tokens;
    size_t                   n;            /* 0: the document */
} conflict_path_t;


typedef struct {
    conflict_patch_op_e      op;
    conflict_path_t          path;
    conflict_path_t          from;
    conflict_value_t         value;
    conflict_value_t         element;      /* all of it, in the patch */
    unsigned                 base;         /* tests the base version */
    unsigned                 stands;       /* a test that holds in the
                                              server's, at the same place */
    unsigned                 clashes;      /* one that does not */
} conflict_operation_t;


typedef struct {
    conflict_tree_t          tree;
    conflict_operation_t    *ops;
    size_t                   n;
    conflict_token_t        *tokens;
    unsigned char           *text;         /* of the tokens */
} conflict_patch_t;


/* a value of the document, with what was done to it so far */

typedef struct {
    conflict_value_t         from;         /* as it came */
    conflict_value_t         named;        /* has its name as well, or: */
    conflict_token_t         name;
    uint32_t                 hash;         /* of the name */
    uint32_t                 parent;
    uint32_t                *kids;         /* where it is opened */
    uint32_t                 n;
    uint32_t                 size;
    unsigned                 opened;
    unsigned                 changed;      /* it, or something in it */
} conflict_patch_node_t;


typedef struct {
    conflict_patch_node_t    *nodes;
    uint32_t                 n;
    uint32_t                 size;
    uint32_t                 root;
    uint64_t                 seed;
    size_t                   left;         /* nodes that it may have still */
    size_t                   steps;        /* looks at names, and moves */
    unsigned                 failed;       /* no memory */
    unsigned                 many;         /* it took too much */
} conflict_patch_work_t;


/*
 * read.c: "patch" is to be freed in any case.  MALFORMED: it is JSON and no
 * patch; the others as conflict_tree_parse().  "base" may be NULL.
 */
conflict_json_rc_e conflict_patch_read(conflict_patch_t *patch,
    const conflict_document_t *text, const conflict_pointer_t *base,
    size_t *left, uint64_t seed);
void conflict_patch_read_free(conflict_patch_t *patch);

/* 1 where the one is, or is within, the other. */
int conflict_patch_read_meets(const conflict_path_t *path,
    const conflict_pointer_t  *pointer);

/* An index in an array; -1: it is none. */
int64_t conflict_patch_read_index(const conflict_token_t *token);

/*
 * The value at a path in a tree; ->tree is NULL where there is none.  Where
 * "steps", which elements are counted in, is NULL, the way ends at an array.
 */
conflict_value_t conflict_patch_read_find(conflict_value_t document,
    const conflict_path_t *path, size_t *steps);

/* work.c: -1: an operation is not possible, or work->many or failed is set */

int conflict_patch_work_init(conflict_patch_work_t *work,
    conflict_value_t document, size_t values, uint64_t seed);
void conflict_patch_work_free(conflict_patch_work_t *work);

int conflict_patch_work_apply(conflict_patch_work_t *work,
    const conflict_operation_t *operation);

/* NONE: there is none; or, where array is given, *array is set at one */
uint32_t conflict_patch_work_find(conflict_patch_work_t *work,
    const conflict_path_t *path, int *array);

int conflict_patch_work_equal(const conflict_patch_work_t *work, uint32_t node,
    conflict_value_t value);

/* Its text, of so many bytes at most. */
int conflict_patch_work_print(conflict_patch_work_t *work,
    conflict_buffer_t *out, size_t most);

/* diff.c: adds operations that make the one of the other */

void conflict_patch_diff(conflict_walk_t *walk, conflict_buffer_t *out,
    conflict_value_t from, conflict_value_t to);


#endif /* _CONFLICT_PATCH_STATE_H_INCLUDED_ */
