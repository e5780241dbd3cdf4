
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Three-way merge of JSON documents, field by field: the changes that a client
 * has made to a base are applied to the latest document.
 */


#ifndef _CONFLICT_MERGE_H_INCLUDED_
#define _CONFLICT_MERGE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#include "core/json/conflict_scan.h"
#include "core/json/conflict_tree.h"
#include "core/text/conflict_buffer.h"


#define CONFLICT_MERGE_RULES  128    /* fields of a route that have one */
#define CONFLICT_MERGE_NAMES  512    /* bytes of the names of fields */


/* the result for a field that both sides have changed */

typedef enum {
    CONFLICT_RULE_AUTO = 0,      /* objects member by member, else a clash */
    CONFLICT_RULE_LWW,           /* the client's */
    CONFLICT_RULE_SERVER,        /* the server's, also for a current base */
    CONFLICT_RULE_REJECT,        /* a clash if the two differ */
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
    const unsigned char           *key;      /* of union(key), unescaped */
    size_t                         key_len;  /* 0: none */
} conflict_field_t;


typedef struct {
    conflict_document_t            base;     /* NULL: not in the history */
    conflict_document_t            server;   /* the latest, always whole; NULL:
                                                the resource does not exist */
    conflict_document_t            client;
    const conflict_field_t        *fields;
    size_t                         n;

    /* the member with the base version, NULL: there is none */
    const conflict_pointer_t      *ignored;

    /* the new value of that member, as JSON; NULL: it stays as it is */
    conflict_document_t            version;

    size_t                         values;   /* limit of all documents, with
                                                the lines of texts */
    unsigned                       stale;    /* 0: only the rule "server" is
                                                applied */
    unsigned                       retried;  /* the write may be done already:
                                                nothing is added twice */
    unsigned                       edited;   /* "client" is the base with the
                                                client's edits, which alone
                                                were sent */
    unsigned                       reveal;   /* this client was shown the base:
                                                clashes may contain it */
    unsigned                       filtered; /* clashes contain neither the
                                                base nor the server's value */
    unsigned                       masked;   /* the client may not know the
                                                members that it has not sent */
    unsigned                       yields;   /* nothing clashes: the server's
                                                value is taken instead */
    uint64_t                       seed;     /* of hashes, unpredictable */
} conflict_merge_t;


typedef enum {
    CONFLICT_MERGE_SAME = 0,     /* the client's document, unchanged */
    CONFLICT_MERGE_DONE,         /* the result is in result->text */
    CONFLICT_MERGE_CLASH,        /* result->clashes has the fields */
    CONFLICT_MERGE_REPEATED,     /* the client's has a duplicate member */
    CONFLICT_MERGE_ALIKE,        /* the client's has a field of the server's
                                    in another case */
    CONFLICT_MERGE_LARGE,        /* the client's alone exceeds the limit */
    CONFLICT_MERGE_MANY,         /* all documents together exceed it */
    CONFLICT_MERGE_UNFIT,        /* the server's cannot be merged */
    CONFLICT_MERGE_INAPPLICABLE, /* a JSON Patch that cannot be applied */
    CONFLICT_MERGE_FAILED        /* no memory */
} conflict_merge_rc_e;


/*
 * A field that clashed, as the lengths of its texts: the JSON pointer to it,
 * and the values as in their documents; 0: this value is omitted.
 */
typedef struct {
    conflict_rule_e                rule;
    size_t                         field;
    size_t                         base;
    size_t                         server;
    size_t                         client;
    unsigned                       masked;   /* the client may not know it */
} conflict_clash_t;


typedef struct {
    conflict_buffer_t              text;
    conflict_buffer_t              fields;   /* a list of JSON pointers */
    conflict_buffer_t              names;    /* the same, as "tags title",
                                                but for masked ones */
    conflict_buffer_t              clashes;  /* conflict_clash_t */
    conflict_buffer_t              values;   /* their texts, in that order */
    size_t                         fields_printed;  /* bytes of JSON */
    size_t                         clashes_printed; /* the same */
    size_t                         omitted;  /* clashes not in "clashes" */
    size_t                         repeated; /* REPEATED: offset of the name */
    unsigned                       base_known; /* the base was usable, and
                                                  covers all clashed fields */
    unsigned                       same;     /* the JSON Patch changes nothing
                                                in the server's document */
} conflict_merged_t;


/*
 * The client's and the server's document were found to be valid JSON before.
 * The caller frees the result, whatever is returned.
 */
conflict_merge_rc_e conflict_merge(const conflict_merge_t *merge,
    conflict_merged_t *result);
void conflict_merge_free(conflict_merged_t *result);

/*
 * Iterates over result->fields, or a copy of it, which "name" points into.
 * Returns 0 at the end.
 */
int conflict_merge_report_field(const unsigned char **p,
    const unsigned char *last, const unsigned char **name, size_t *len);

const char *conflict_merge_report_rule(conflict_rule_e rule);

/*
 * 1 if this build has the rule "text".
 */
int conflict_lines_available(void);


#endif /* _CONFLICT_MERGE_H_INCLUDED_ */
