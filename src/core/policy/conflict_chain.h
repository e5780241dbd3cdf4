
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Chains of writes that a client has queued while it was offline: the field
 * Conflict-Chain, and the word by which an entry records the last link.
 */


#ifndef _CONFLICT_CHAIN_H_INCLUDED_
#define _CONFLICT_CHAIN_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define CONFLICT_CHAIN_ID_MIN  8         /* bytes */
#define CONFLICT_CHAIN_ID_MAX  64
#define CONFLICT_CHAIN_LINKS   65535


/* "8f2c91d0";base=1795532400000;n=2; base=*: link 1 creates the resource */

typedef struct {
    const char              *id;
    size_t                   id_len;
    const char              *base;       /* without quotes; NULL: "*" */
    size_t                   base_len;
    unsigned                 n;
} conflict_chain_t;


typedef enum {
    CONFLICT_CHAIN_OK = 0,
    CONFLICT_CHAIN_MALFORMED,            /* not an item (RFC 9651, 3.3) */
    CONFLICT_CHAIN_BAD_ID,
    CONFLICT_CHAIN_BAD_BASE,
    CONFLICT_CHAIN_BAD_NUMBER
} conflict_chain_e;


/*
 * Texts are copied to "buf", which must have room for "len" bytes.  Unknown
 * parameters are ignored.
 */
conflict_chain_e conflict_chain_parse(conflict_chain_t *chain,
    const char *text, size_t len, char *buf);


/*
 * The word of a link: 48 bits of a hash that identifies the chain, and the
 * number of the link, from 1.  The word 0 means no link.
 */

#define conflict_chain_word(hash, n)    ((uint64_t) (hash) << 16 | (n))
#define conflict_chain_number(word)     ((unsigned) ((word) & 0xffff))
#define conflict_chain_same(a, b)       (((a) ^ (b)) >> 16 == 0)


#endif /* _CONFLICT_CHAIN_H_INCLUDED_ */
