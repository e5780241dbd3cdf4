
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Three-way merge of JSON documents, field by field: what a client made of a
 * base is put on what the server has made of it since.
 */


#ifndef _CONFLICT_MERGE_H_INCLUDED_
#define _CONFLICT_MERGE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/json/conflict_scan.h"
#include "core/text/conflict_buffer.h"
#include "core/json/conflict_tree.h"


#define CONFLICT_MERGE_RULES  128    /* fields of a route that have one */
#define CONFLICT_MERGE_NAMES  512    /* bytes of the names of fields */


/* what becomes of a field that both sides have changed */

typedef enum {
    CONFLICT_RULE_AUTO = 0,      /* objects member by member, else a clash */
    CONFLICT_RULE_LWW,           /* the client's */
    CONFLICT_RULE_SERVER,        /* the server's, even when nothing is stale */
    CONFLICT_RULE_REJECT,        /* a clash wherever the two differ */
    CONFLICT_RULE_UNION,
    CONFLICT_RULE_MAX,
    CONFLICT_RULE_MIN,
    CONFLICT_RULE_SUM,
    CONFLICT_RULE_TEXT,
    CONFLICT_RULE_LIST,
    CONFLICT_RULES,

    /* no rule: a JSON Patch tests its value (RFC 6902) */
    CONFLICT_RULE_TEST = CONFLICT_RULES
} conflict_rule_e;


typedef struct {
    conflict_pointer_t             pointer;
    conflict_rule_e                rule;
    const unsigned char           *key;      /* of union(key), plain bytes */
    size_t                         key_len;  /* 0: none */
} conflict_field_t;


typedef struct {
    conflict_document_t            base;     /* NULL: not held any more */
    conflict_document_t            server;   /* NULL: it does not exist; it is
                                                whole */
    conflict_document_t            client;
    const conflict_field_t        *fields;
    size_t                         n;

    /* the member that has the base version, NULL: there is none */
    const conflict_pointer_t  *ignored;

    /* the value that it gets, as JSON; NULL: it stays as it is */
    conflict_document_t            version;

    size_t                         values;   /* that all may have at most,
                                                lines of texts too */
    unsigned                       stale;    /* 0: only "server" counts */
    unsigned                       again;    /* it may have been done before:
                                                nothing goes in twice */
    unsigned                       edited;   /* the client's is the base with
                                                its edits: the rest it has not
                                                sent */
    unsigned                       reveal;   /* the base is the client's, too:
                                                clashes may show it */
    unsigned                       filtered; /* clashes show neither the base
                                                nor the server's value */
    uint64_t                       seed;     /* of hashes, not to be guessed */
} conflict_merge_t;


typedef enum {
    CONFLICT_MERGE_SAME = 0,     /* the client's bytes as they came */
    CONFLICT_MERGE_DONE,         /* the bytes are in result->text */
    CONFLICT_MERGE_CLASH,        /* result->clashes says where */
    CONFLICT_MERGE_REPEATED,     /* the client's has a member twice */
    CONFLICT_MERGE_LARGE,        /* the client's alone has too many values */
    CONFLICT_MERGE_MANY,         /* it and the others have */
    CONFLICT_MERGE_UNFIT,        /* the server's cannot be merged */
    CONFLICT_MERGE_INAPPLICABLE, /* a JSON Patch, which does not fit */
    CONFLICT_MERGE_FAILED        /* no memory */
} conflict_merge_rc_e;


/*
 * A field that clashed, by the lengths of its texts: the JSON pointer to it,
 * and the values as they are in their documents.  0: that value is not shown.
 */
typedef struct {
    conflict_rule_e                rule;
    size_t                         field;
    size_t                         base;
    size_t                         server;
    size_t                         client;
} conflict_clash_t;


typedef struct {
    conflict_buffer_t              text;
    conflict_buffer_t              fields;   /* a list of JSON pointers */
    conflict_buffer_t              names;    /* the same: tags title */
    conflict_buffer_t              clashes;  /* conflict_clash_t */
    conflict_buffer_t              values;   /* their texts, in that order */
    size_t                         omitted;  /* clashes that are not there */
    size_t                         twice;    /* REPEATED: the name, in bytes */
    unsigned                       held;     /* the base could be used, and
                                                has all that clashed */
    unsigned                       same;     /* of a JSON Patch: the server's
                                                has all of it */
} conflict_merged_t;


/*
 * Both documents were found valid before.  The result is to be freed in any
 * case; it is all zeros where nothing is to be said.
 */
conflict_merge_rc_e conflict_merge(const conflict_merge_t *merge,
    conflict_merged_t *result);
void conflict_merge_free(conflict_merged_t *result);

/*
 * Steps through result->fields, of which a copy will do; "name" is in there.
 * Returns 0 at the end.
 */
int conflict_merge_report_field(const unsigned char **p,
    const unsigned char *last, const unsigned char **name, size_t *len);

const char *conflict_merge_report_rule(conflict_rule_e rule);

/*
 * Can "text" be merged in this build?
 */
int conflict_lines_available(void);


#endif /* _CONFLICT_MERGE_H_INCLUDED_ */
