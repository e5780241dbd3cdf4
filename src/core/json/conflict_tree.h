
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A JSON document as a tree of slices of its text.  Nothing is converted, so
 * values keep their spelling.
 */


#ifndef _CONFLICT_TREE_H_INCLUDED_
#define _CONFLICT_TREE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/json/conflict_scan.h"


/* members of an object without a hash table, which is searched linearly */
#define CONFLICT_TREE_FEW  8


/* the meaning of members that a document does not have, and of null */

typedef enum {
    CONFLICT_FORM_WHOLE = 0,     /* they do not exist */
    CONFLICT_FORM_SHALLOW,       /* unchanged, but not inside of members */
    CONFLICT_FORM_DEEP,          /* unchanged, at all levels */
    CONFLICT_FORM_MERGE_PATCH,   /* the same, and null removes (RFC 7396) */
    CONFLICT_FORM_JSON_PATCH     /* a list of changes (RFC 6902) */
} conflict_form_e;


typedef struct {
    const unsigned char     *data;         /* NULL: no document */
    size_t                   len;
    conflict_form_e          form;
} conflict_document_t;


/* a value and the name of a member; offsets are bytes in the text */

typedef struct {
    uint32_t                 start;
    uint32_t                 end;          /* first byte after it */
    uint32_t                 next;         /* the first node not inside */
    uint32_t                 name;         /* first byte within the quotes */
    uint32_t                 name_end;
    uint32_t                 hash;         /* of the name, decoded */
    uint32_t                 children;     /* of an object or array */
    uint32_t                 slots;        /* index of an object's first */
} conflict_node_t;


/* of a hash table with open addressing, at least half empty */

typedef struct {
    uint32_t                 hash;
    uint32_t                 node;         /* 0: free */
} conflict_slot_t;


typedef struct {
    const unsigned char     *text;
    size_t                   len;
    conflict_node_t         *nodes;        /* the first is the document */
    uint32_t                 n;
    uint32_t                 size;
    conflict_slot_t         *slots;        /* members by name */
    uint32_t                 repeated;     /* offset of a repeated name */
    uint64_t                 seed;
} conflict_tree_t;


/* a value of a tree; node 0 is the document itself */

typedef struct {
    const conflict_tree_t   *tree;         /* NULL: no value */
    uint32_t                 node;
} conflict_value_t;


/*
 * Parses a document, whose text must outlive the tree, and subtracts the number
 * of its values from *values.  REPEATED: an object has a member twice, the
 * second at tree->repeated; LARGE: there are more than *values; FAILED: no
 * memory.  "seed" must be unknown to clients and upstreams.  The tree must be
 * freed in any case.
 */
conflict_json_rc_e conflict_tree_parse(conflict_tree_t *tree,
    const unsigned char *text, size_t len, size_t *values, uint64_t seed);
void conflict_tree_free(conflict_tree_t *tree);

/* The hash of the decoded string; "text" is its escaped contents. */
uint64_t conflict_tree_hash(const unsigned char *text, size_t len,
    uint64_t seed);

/* CONFLICT_JSON_NONE: no value. */
conflict_json_type_e conflict_tree_type(conflict_value_t value);

/*
 * The first value in an object or array, and the one that follows a value;
 * ->tree is NULL if there is none.
 */
conflict_value_t conflict_tree_first(conflict_value_t parent);
conflict_value_t conflict_tree_next(conflict_value_t parent,
    conflict_value_t value);

/*
 * The member of an object with the same name as "named", a member in a tree
 * with the same seed, or with a name in plain bytes; ->tree is NULL if there is
 * none.
 */
conflict_value_t conflict_tree_member(conflict_value_t object,
    conflict_value_t named);
conflict_value_t conflict_tree_named(conflict_value_t object,
    const unsigned char *name, size_t len);

/* 1 if a member has this name, in plain bytes. */
int conflict_tree_is(conflict_value_t member, const unsigned char *name,
    size_t len);

/* The bytes of a value, which must exist. */
const unsigned char *conflict_tree_text(conflict_value_t value, size_t *len);


#endif /* _CONFLICT_TREE_H_INCLUDED_ */
