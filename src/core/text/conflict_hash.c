
/*
 * Copyright (C) the ngx_http_conflict_module authors
 *
 * The only user of xxHash: XXH3, 64 bits for streams and 128 bits for keys.
 * If the library can choose by the processor (CONFLICT_HASH_DISPATCH, set by
 * "config"), a large body takes a third of the time.
 */


#include <string.h>

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
    [sizeof(XXH3_state_t) + 63 <= sizeof(((conflict_hash_t *) 0)->opaque)
     ? 1 : -1];


static void conflict_hash_add(conflict_hash_t *hash, const void *data,
    size_t len);


void
conflict_hash_init(conflict_hash_t *hash, uint64_t seed)
{
    hash->seed = seed;
    hash->pending = 0;
    hash->started = 0;
}


void
conflict_hash_update(conflict_hash_t *hash, const void *data, size_t len)
{
    if (hash->pending) {
        conflict_hash_add(hash, hash->fields, hash->pending);
        hash->pending = 0;
    }

    conflict_hash_add(hash, data, len);
}


static void
conflict_hash_add(conflict_hash_t *hash, const void *data, size_t len)
{
    XXH3_state_t  *state;

    state = conflict_hash_state(hash);

    if (!hash->started) {
        hash->started = 1;

        /* otherwise uninitialised memory could pass for a seed already set */
        XXH3_INITSTATE(state);

        (void) XXH3_64bits_reset_withSeed(state, hash->seed);
    }

    (void) XXH3_64bits_update(state, data, len);
}


/*
 * Short fields are collected: an update costs more than a copy, and if all of
 * them fit, no state is needed.
 */

void
conflict_hash_field(conflict_hash_t *hash, const void *data, size_t len)
{
    uint64_t        n;
    unsigned char  *p;

    n = len;

    if (len > sizeof(hash->fields) - sizeof(n)) {
        conflict_hash_update(hash, &n, sizeof(n));
        conflict_hash_update(hash, data, len);
        return;
    }

    if (sizeof(n) + len > sizeof(hash->fields) - hash->pending) {
        conflict_hash_add(hash, hash->fields, hash->pending);
        hash->pending = 0;
    }

    p = hash->fields + hash->pending;
    memcpy(p, &n, sizeof(n));

    if (len) {
        memcpy(p + sizeof(n), data, len);
    }

    hash->pending += sizeof(n) + len;
}


uint64_t
conflict_hash_final(conflict_hash_t *hash)
{
    uint64_t  h;

    if (!hash->started) {
        return conflict_hash_64(hash->fields, hash->pending, hash->seed);
    }

    if (hash->pending) {
        conflict_hash_add(hash, hash->fields, hash->pending);
        hash->pending = 0;
    }

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
