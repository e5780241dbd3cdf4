
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * Hashes of keys and bodies, fast and not cryptographic: whoever must not
 * be able to make them meet is kept from knowing the seed.
 */


#ifndef _CONFLICT_HASH_H_INCLUDED_
#define _CONFLICT_HASH_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


/* stays where it was initialised */

typedef struct {
    uint64_t                 opaque[80];
} conflict_hash_t;


void conflict_hash_init(conflict_hash_t *hash, uint64_t seed);
void conflict_hash_update(conflict_hash_t *hash, const void *data, size_t len);

/*
 * A length before the bytes, so that ("ab", "c") and ("a", "bc") differ.
 */
void conflict_hash_field(conflict_hash_t *hash, const void *data, size_t len);

/*
 * Never 0, which stands for "no hash" wherever one is kept.
 */
uint64_t conflict_hash_final(const conflict_hash_t *hash);

/* Of bytes that are there as a whole. */
uint64_t conflict_hash_64(const void *data, size_t len, uint64_t seed);

/* Two words into one that looks random. */
uint64_t conflict_hash_words(uint64_t a, uint64_t b);

void conflict_hash_128(uint64_t out[2], const void *data, size_t len,
    uint64_t seed);


#endif /* _CONFLICT_HASH_H_INCLUDED_ */
