
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The only user of xxHash: XXH3, 64 bits for streams and 128 bits for keys.
 * If the library can choose by the processor (CONFLICT_HASH_DISPATCH, set by
 * "config"), a large body takes a third of the time.
 */


#if (CONFLICT_HASH_DISPATCH)

#define XXH_STATIC_LINKING_ONLY      /* for the size of a state */
#include <xxh_x86dispatch.h>

#else

#define XXH_INLINE_ALL
#include <xxhash.h>

#endif

#include "core/text/conflict_hash.h"


/* pools align to 16 bytes, but the state needs 64 */

#define conflict_hash_state(hash)                                             \
    ((XXH3_state_t *) (((uintptr_t) (hash)->opaque + 63) & ~(uintptr_t) 63))


typedef char conflict_hash_fits_t
    [sizeof(XXH3_state_t) + 63 <= sizeof(conflict_hash_t) ? 1 : -1];


void
conflict_hash_init(conflict_hash_t *hash, uint64_t seed)
{
    XXH3_state_t  *state;

    state = conflict_hash_state(hash);

    /* otherwise uninitialised memory could pass for a seed already set up */
    XXH3_INITSTATE(state);

    (void) XXH3_64bits_reset_withSeed(state, seed);
}


void
conflict_hash_update(conflict_hash_t *hash, const void *data, size_t len)
{
    (void) XXH3_64bits_update(conflict_hash_state(hash), data, len);
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

    h = XXH3_64bits_digest(conflict_hash_state(hash));

    return h ? h : 1;
}


uint64_t
conflict_hash_64(const void *data, size_t len, uint64_t seed)
{
    uint64_t  h;

    h = XXH3_64bits_withSeed(data, len, seed);

    return h ? h : 1;
}


uint64_t
conflict_hash_words(uint64_t a, uint64_t b)
{
    uint64_t  words[2];

    words[0] = a;
    words[1] = b;

    return XXH3_64bits(words, sizeof(words));
}


void
conflict_hash_128(uint64_t out[2], const void *data, size_t len, uint64_t seed)
{
    XXH128_hash_t  h;

    h = XXH3_128bits_withSeed(data, len, seed);

    out[0] = h.low64;
    out[1] = h.high64;
}
