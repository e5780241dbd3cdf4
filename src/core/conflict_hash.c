
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The one user of xxHash: XXH64 for streams, since its state is small, and
 * XXH3 for the 128 bits of a key.
 */


#define XXH_INLINE_ALL
#include <xxhash.h>

#include "conflict_hash.h"


#define conflict_hash_state(hash)  ((XXH64_state_t *) (hash)->opaque)


typedef char conflict_hash_fits_t
    [sizeof(XXH64_state_t) <= sizeof(conflict_hash_t) ? 1 : -1];


void
conflict_hash_init(conflict_hash_t *hash, uint64_t seed)
{
    (void) XXH64_reset(conflict_hash_state(hash), seed);
}


void
conflict_hash_update(conflict_hash_t *hash, const void *data, size_t len)
{
    (void) XXH64_update(conflict_hash_state(hash), data, len);
}


void
conflict_hash_field(conflict_hash_t *hash, const void *data, size_t len)
{
    uint64_t  n;

    n = len;

    conflict_hash_update(hash, &n, sizeof(n));
    conflict_hash_update(hash, data, len);
}


uint64_t
conflict_hash_final(const conflict_hash_t *hash)
{
    uint64_t  h;

    h = XXH64_digest((const XXH64_state_t *) hash->opaque);

    return h ? h : 1;
}


void
conflict_hash_128(uint64_t out[2], const void *data, size_t len, uint64_t seed)
{
    XXH128_hash_t  h;

    h = XXH3_128bits_withSeed(data, len, seed);

    out[0] = h.low64;
    out[1] = h.high64;
}
