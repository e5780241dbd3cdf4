
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Hashes of keys and bodies, fast and not cryptographic: the seed must be kept
 * secret from anyone that must not construct collisions.
 */


#ifndef _CONFLICT_HASH_H_INCLUDED_
#define _CONFLICT_HASH_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/* must not be copied or moved once initialised */

typedef struct {
    union {
        uint64_t             opaque[80];   /* state of the library */
        unsigned char        bytes[256];   /* while they are so few */
    } u;

    uint64_t                 seed;
    size_t                   len;          /* of "bytes" */
    unsigned                 started;      /* "opaque" is in use */
} conflict_hash_t;


void conflict_hash_init(conflict_hash_t *hash, uint64_t seed);
void conflict_hash_update(conflict_hash_t *hash, const void *data, size_t len);

/* Hashes the length before the bytes: ("ab", "c") and ("a", "bc") differ. */
void conflict_hash_field(conflict_hash_t *hash, const void *data, size_t len);

/* Never 0, which means "no hash" everywhere. */
uint64_t conflict_hash_final(conflict_hash_t *hash);

/* The same for contiguous bytes; never 0. */
uint64_t conflict_hash_64(const void *data, size_t len, uint64_t seed);

/* Combines two words; may be 0. */
uint64_t conflict_hash_words(uint64_t a, uint64_t b);

void conflict_hash_128(uint64_t out[2], const void *data, size_t len,
    uint64_t seed);


#endif /* _CONFLICT_HASH_H_INCLUDED_ */
