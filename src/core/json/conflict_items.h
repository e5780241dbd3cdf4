
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The items of a list in a JSON document: their ids, and the places of a member
 * that each of them has or is to get.
 */


#ifndef _CONFLICT_ITEMS_H_INCLUDED_
#define _CONFLICT_ITEMS_H_INCLUDED_


#include "core/json/conflict_tree.h"


#define CONFLICT_ITEMS_ID  128    /* bytes of an id */


/* a list, and in each of its items the member and the id */

typedef struct {
    conflict_pointer_t       list;        /* no levels: the document */
    conflict_pointer_t       member;
    conflict_pointer_t       id;
} conflict_items_path_t;


/* offsets are bytes in the text */

typedef struct {
    uint32_t                 id;          /* an integer, or a string */
    uint32_t                 id_end;      /* equal to "id": there is none */
    uint32_t                 from;        /* the value of the member, or where
                                             a new one goes */
    uint32_t                 to;          /* equal to "from": a new one; 0: it
                                             has no place */
    unsigned                 first:1;     /* of the members of its object */
} conflict_item_t;


/*
 * Compiles a pointer in which one token is an asterisk, neither the last one
 * nor followed by another, into path->list and path->member.  Returns 0, or -1
 * if the text is none or exceeds the limits.
 */
int conflict_items_pointer(conflict_items_path_t *path, const char *text,
    size_t len);

/*
 * Finds the items of a document, in its order.  *items, for free(), is NULL and
 * *n is 0 if there are none, or no array in that place.  LARGE: there are more
 * than "max" items, or more than "values" values in the document.  The others
 * and "seed" are those of conflict_tree_parse().
 */
conflict_json_rc_e conflict_items_find(const conflict_items_path_t *path,
    const unsigned char *text, size_t len, size_t values, size_t max,
    uint64_t seed, conflict_item_t **items, size_t *n);

/*
 * Writes the id of an item as one segment of a path, decoded, to "dst", of
 * CONFLICT_ITEMS_ID bytes.  Returns its length; 0: it cannot be one.
 */
size_t conflict_items_id(unsigned char *dst, const unsigned char *text,
    const conflict_item_t *item);


#endif /* _CONFLICT_ITEMS_H_INCLUDED_ */
