
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * A JSON document as a tree of slices: where each value lies in its text.
 * Nothing is converted, so what is taken from it is what came.
 */


#ifndef _CONFLICT_TREE_H_INCLUDED_
#define _CONFLICT_TREE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/json/conflict_scan.h"


/* members of an object that has no table: they are looked at one by one */
#define CONFLICT_TREE_FEW  8


/* what a document says of the members that it does not name, and of null */

typedef enum {
    CONFLICT_FORM_WHOLE = 0,     /* they are not there */
    CONFLICT_FORM_SHALLOW,       /* nothing; a member's value is whole */
    CONFLICT_FORM_DEEP,          /* nothing, nor do the objects in it */
    CONFLICT_FORM_MERGE_PATCH,   /* the same, and null removes (RFC 7396) */
    CONFLICT_FORM_JSON_PATCH     /* it is a list of changes (RFC 6902) */
} conflict_form_e;


typedef struct {
    const unsigned char     *data;         /* NULL: there is none */
    size_t                   len;
    conflict_form_e          form;
} conflict_document_t;


/* a value and, of a member, its name; offsets are bytes in the text */

typedef struct {
    uint32_t                 start;
    uint32_t                 end;          /* first byte after it */
    uint32_t                 next;         /* the value after all in it */
    uint32_t                 name;         /* first byte within the quotes */
    uint32_t                 name_end;
    uint32_t                 hash;         /* of the name, decoded */
    uint32_t                 children;     /* of an object or array */
    uint32_t                 slots;        /* first of an object's, below */
} conflict_node_t;


/* of a hash table with open addressing, half empty at least */

typedef struct {
    uint32_t                 hash;
    uint32_t                 node;         /* 0: it is free */
} conflict_slot_t;


typedef struct {
    const unsigned char     *text;
    size_t                   len;
    conflict_node_t         *nodes;        /* the first is the document */
    uint32_t                 n;
    uint32_t                 size;
    conflict_slot_t         *slots;        /* members by their names */
    uint32_t                 twice;        /* a name that is there before */
    uint64_t                 seed;
} conflict_tree_t;


/* a value of a tree; 0 as node: none, or the document itself */

typedef struct {
    const conflict_tree_t   *tree;         /* NULL: there is no value */
    uint32_t                 node;
} conflict_value_t;


/*
 * Reads a document, whose text must stay, and takes its values from *left.
 * REPEATED: an object has a member twice, and tree->twice says where; LARGE:
 * it has more than *left; FAILED: no memory.  "seed" is not known to those
 * who make documents.  The tree is to be freed in any case.
 */
conflict_json_rc_e conflict_tree_parse(conflict_tree_t *tree,
    const unsigned char *text, size_t len, size_t *left, uint64_t seed);
void conflict_tree_free(conflict_tree_t *tree);

/* Slots of an object with so many members: a power of two, or 0. */
uint32_t conflict_tree_slots(uint32_t children);

/* Of a name, or of any string, that is still escaped. */
uint64_t conflict_tree_hash(const unsigned char *text, size_t len,
    uint64_t seed);

conflict_json_type_e conflict_tree_type(conflict_value_t value);

/*
 * The first value in an object or array, and the next beside a value;
 * ->tree is NULL where there is none.
 */
conflict_value_t conflict_tree_first(conflict_value_t parent);
conflict_value_t conflict_tree_next(conflict_value_t parent,
    conflict_value_t value);

/*
 * The member of an object by the name that another member has, of a tree
 * with the same seed, or by a name in plain bytes.
 */
conflict_value_t conflict_tree_member(conflict_value_t object,
    conflict_value_t named);
conflict_value_t conflict_tree_named(conflict_value_t object,
    const unsigned char *name, size_t len);

/* 1 where two members have the same name, or that in plain bytes. */
int conflict_tree_same(const conflict_tree_t *a, uint32_t i,
    const conflict_tree_t *b, uint32_t j);
int conflict_tree_is(conflict_value_t member, const unsigned char *name,
    size_t len);

/* The bytes of a value, which is there. */
const unsigned char *conflict_tree_text(conflict_value_t value, size_t *len);


#endif /* _CONFLICT_TREE_H_INCLUDED_ */
